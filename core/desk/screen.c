/* SPDX-License-Identifier: Apache-2.0 */
/* screen.c - hooks that look at a message before it is stored.
 *
 * Happy path: sends of one conversation pass in their order; the first is shown
 * to on_inbound (a visitor's) or on_send (an agent's), comes back edited or as
 * it was, and goes the usual way. Failure: a hook that takes longer than its
 * patience, fails, or is killed lets the message pass as it is, unless its rule
 * says on_failure = "reject"; one that rejects it is answered with its reason
 * and nothing is stored.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/meter.h"
#include "desk/outcome.h"

#define PATIENCE_MS 5000 /* where the roof names none */
#define UNCHECKED "the message could not be checked; send it again later"

METER(m_screened, METER_COUNTER, "yuelai_messages_screened_total",
      "Messages shown to hooks before they were stored");
METER(m_rejected, METER_COUNTER, "yuelai_messages_rejected_total",
      "Messages that a hook has refused");
METER(m_unscreened, METER_COUNTER, "yuelai_messages_unscreened_total",
      "Messages that passed because their hooks took too long");

static void screen_next(struct desk *d, struct conv *c);

static enum hook hook_of(const struct act *act)
{
    return act->role == ROLE_VISITOR ? HOOK_INBOUND : HOOK_SEND;
}

static struct event as_event(const struct act *act)
{
    return (struct event){.name = EVENT_MESSAGE_CREATED,
                          .conv = act->conv,
                          .role = act->role,
                          .sender = act->actor,
                          .ref = act->frame->ref,
                          .body = act->frame->body};
}

static bool is_wanted(struct desk *d, struct conv *c, const struct act *act)
{
    struct job probe = {.hook = hook_of(act),
                        .event = as_event(act),
                        .text = act->frame->text,
                        .kind = act->frame->kind};
    bool silent = act->frame->is_private || act->role == ROLE_SYSTEM ||
                  act->role == ROLE_BOT || act->passed;
    return !silent && job_wanted(d, c, &probe);
}

/* --- the way out ---------------------------------------------------------- */

static struct act *take_first(struct conv *c)
{
    struct act *act = c->screens;
    c->screens = act->next;
    if (!c->screens) {
        c->screens_last = NULL;
    }
    act->next = NULL;
    return act;
}

/* The first goes on. */
static void pass(struct desk *d, struct conv *c)
{
    struct act *act = take_first(c);
    act->passed = c->rec.id;
    c->screening = NULL;
    if (act->role == ROLE_VISITOR) {
        desk_act(d, act); /* it may belong to a new conversation by now */
    } else {
        send_in(d, c, act);
    }
}

/* Then it is the next one's turn, and perhaps the conversation's end. */
static void pass_on(struct desk *d, struct conv *c)
{
    c->under_way++;
    pass(d, c);
    screen_next(d, c);
    c->under_way--;
    conv_settle(d, c);
}

static void on_kept(struct tx *tx)
{
    tx_free(tx);
}

/* Of a message that is refused only what scripts remember counts. */
static void keep_memory(struct desk *d, struct job *job)
{
    struct tx *tx = tx_new(on_kept, NULL);
    job_put_kv(job, tx);
    if (tx->puts) {
        d->conf.ports.commit(d->conf.ports.arg, tx);
    } else {
        tx_free(tx);
    }
}

/* The first does not go on. */
static void turn_away(struct desk *d, struct conv *c, int code,
                      const char *text)
{
    struct act *act = take_first(c);
    c->screening = NULL;
    meter_add(&m_rejected, 1);
    c->under_way++;
    act_fail(act, code, text);
    screen_next(d, c);
    c->under_way--;
    conv_settle(d, c);
}

static void reject(struct desk *d, struct conv *c, struct job *job,
                   struct slice why)
{
    char text[256];
    size_t n = why.len < sizeof text - 1 ? why.len : sizeof text - 1;
    memcpy(text, why.at, n);
    text[n] = '\0';
    keep_memory(d, job);
    turn_away(d, c, ERR_UNPROCESSABLE, n ? text : "the message was refused");
}

static const struct effect *last_of(const struct job *job, enum effect_type t)
{
    const struct effect *found = NULL;
    for (const struct effect *e = job->first; e; e = e->next) {
        found = e->type == t ? e : found;
    }
    return found;
}

static void edit(struct act *act, const struct effect *e)
{
    if (e->body.len > LIMIT_AGENT_FRAME_BYTES ||
        e->text.len > LIMIT_TEXT_BYTES) {
        log_warn("desk", "%.*s: the edited message is too long",
                 SLICE_FMT(e->unit));
        return;
    }
    act->frame->body = e->body;
    act->frame->text = e->text;
}

static void on_screened(struct job *job)
{
    struct desk *d = job->owner;
    struct conv *c = conv_of(d, job->event.conv);
    d->jobs--;
    if (!c || c->screening != job) {
        job_free(job); /* nobody waits for it any more */
        return;
    }
    timer_stop(d->wheel, &c->screen_timer);
    struct act *act = c->screens;
    const struct effect *no = last_of(job, EFFECT_REJECT);
    const struct effect *e = last_of(job, EFFECT_EDIT);
    if (job->result == 0 && no) {
        reject(d, c, job, no->text);
        job_free(job);
        return;
    }
    if (job->result < 0 && act->strict) {
        turn_away(d, c, ERR_UNAVAILABLE, UNCHECKED);
        job_free(job);
        return;
    }
    if (job->result == 0 && e) {
        edit(act, e);
    }
    act->screen = job;
    pass_on(d, c);
}

static void on_patience(struct timer *t)
{
    struct conv *c = container_of(t, struct conv, screen_timer);
    struct act *act = c->screens;
    const struct event ev = as_event(act);
    if (act->strict) {
        log_warn("desk", "a message is refused: its hooks took too long");
        turn_away(c->desk, c, ERR_UNAVAILABLE, UNCHECKED);
        return;
    }
    meter_add(&m_unscreened, 1);
    log_warn("desk", "a message passes unseen: its hooks took too long");
    act->screen = job_make(c->desk, c, hook_of(act), &ev); /* its trace */
    act->screen->at = c->desk->conf.ports.now(c->desk->conf.ports.arg);
    act->screen->failures = 1;
    act->screen->trouble = SLICE("unseen: its hooks took too long");
    pass_on(c->desk, c);
}

/* --- the way in ----------------------------------------------------------- */

static void show(struct desk *d, struct conv *c, struct act *act)
{
    const struct event ev = as_event(act);
    struct job *job = job_make(d, c, hook_of(act), &ev);
    job->done = on_screened;
    job->text = slice_dup(job->arena, act->frame->text);
    job->kind = slice_dup(job->arena, act->frame->kind);
    job_fill(d, c, job);
    job->event.at = job->at;
    c->screening = job;
    act->strict =
        d->conf.ports.strict && d->conf.ports.strict(d->conf.ports.arg, job);
    int64_t ms = d->conf.ports.patience
                     ? d->conf.ports.patience(d->conf.ports.arg, job)
                     : PATIENCE_MS;
    if (ms > 0) {
        timer_init(&c->screen_timer, on_patience);
        timer_start(d->wheel, &c->screen_timer, job->at + ms);
    }
    meter_add(&m_screened, 1);
    d->jobs++;
    d->conf.ports.run(d->conf.ports.arg, job);
}

static void screen_next(struct desk *d, struct conv *c)
{
    while (c->screens && !c->screening) {
        if (is_wanted(d, c, c->screens)) {
            show(d, c, c->screens);
            return;
        }
        pass(d, c); /* it waited for its turn only */
    }
}

bool screen_take(struct desk *d, struct conv *c, struct act *act)
{
    if (!c->screens && !is_wanted(d, c, act)) {
        return false;
    }
    act->next = NULL;
    if (c->screens) {
        c->screens_last->next = act;
    } else {
        c->screens = act;
    }
    c->screens_last = act;
    if (c->screens == act) {
        show(d, c, act); /* or it would not be here */
    }
    return true;
}

void screens_move(struct desk *d, struct conv *c)
{
    struct act *all = c->screens, *next;
    bool shown = all && all->role == ROLE_VISITOR && c->screening;
    if (shown) { /* it is shown again, in the new conversation */
        timer_stop(d->wheel, &c->screen_timer);
        c->screening = NULL;
    }
    struct act *mine = NULL, **to = &mine;
    c->screens = c->screens_last = NULL;
    for (struct act *act = all; act; act = next) {
        next = act->next;
        act->next = NULL;
        if (act->role == ROLE_VISITOR) {
            *to = act;
            to = &act->next;
            continue;
        }
        if (c->screens) {
            c->screens_last->next = act;
        } else {
            c->screens = act;
        }
        c->screens_last = act;
    }
    for (; mine; mine = next) {
        next = mine->next;
        mine->next = NULL;
        desk_act(d, mine);
    }
    screen_next(d, c);
}

/* --- with the message ----------------------------------------------------- */

bool screen_changes(const struct act *act)
{
    for (const struct effect *e = act->screen ? act->screen->first : NULL; e;
         e = e->next) {
        if (e->type != EFFECT_EDIT) {
            return true;
        }
    }
    return false;
}

struct outcome *screen_apply(struct desk *d, struct conv *c, struct act *act,
                             struct tx *tx, struct step *s)
{
    if (!act->screen) {
        return NULL;
    }
    struct outcome *o = arena_one(tx->arena, struct outcome);
    *o = (struct outcome){.d = d, .c = c, .job = act->screen, .tx = tx, .s = s};
    outcome_apply_kept(o);
    s->changes |= screen_changes(act);
    return o;
}

void screen_end(struct outcome *o, struct event *message, bool told)
{
    if (!o) {
        return;
    }
    outcome_apply_notes(o);
    if (o->updated && !told) {
        conv_tx_change(o->tx, o->s, EVENT_CONVERSATION_UPDATED, ROLE_BOT, 0, 0);
    }
    trace_put(o, message);
}
