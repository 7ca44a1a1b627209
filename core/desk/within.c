/* SPDX-License-Identifier: Apache-2.0 */
/* within.c - who is given a conversation for a while only:
 * conv:assign { within = "30s" }.
 *
 * Happy path: beside the change an alarm of the house's own (it has no unit) is
 * stored. When it is due and the same holder has neither read nor answered,
 * somebody else gets it: another one of the team, else anybody with room; they
 * have the same time. Who waits in a team's queue waits for anybody from then
 * on. Failure: with nobody else there it stays where it is and is looked at
 * again; after ROUNDS, or when an alarm was lost to a crash, it stays for good.
 */
#include "base/json.h"
#include "base/log.h"
#include "desk/outcome.h"

#define ROUNDS 10
#define BUSY_MS 1000 /* it is being changed: a look a little later */
#define DATA_BYTES 200

struct within {
    uint32_t fence; /* of the holder who has the time */
    uint32_t left;  /* rounds */
    int64_t ms;
    bool in_turn; /* pick = "round_robin" */
};

/* --- the alarm ------------------------------------------------------------ */

static struct alarm *alarm_of(struct desk *d, struct arena *a, uint64_t conv,
                              const struct within *w, int64_t ms)
{
    struct alarm *al = arena_one(a, struct alarm);
    struct buf out;
    buf_init(&out, DATA_BYTES);
    struct jsonw j = jsonw_on(&out);
    jsonw_open(&j, '{');
    jsonw_put_int(&j, "fence", w->fence);
    jsonw_put_int(&j, "left", w->left);
    jsonw_put_int(&j, "ms", w->ms);
    jsonw_put_bool(&j, "in_turn", w->in_turn);
    jsonw_close(&j, '}');
    must(!j.failed);
    al->id = d->conf.ports.id(d->conf.ports.arg);
    al->due_at = d->conf.ports.now(d->conf.ports.arg) + ms;
    al->conversation = conv;
    al->unit = SLICE("");
    al->name = SLICE("within");
    al->data = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return al;
}

static bool read_within(struct slice data, struct within *w)
{
    struct arena *a = arena_new();
    struct json *j = NULL;
    bool ok = json_parse(a, data, NULL, &j) == 0 && json_is(j, JSON_OBJECT);
    if (ok) {
        *w = (struct within){.fence = (uint32_t)json_int(j, "fence", 0),
                             .left = (uint32_t)json_int(j, "left", 0),
                             .ms = json_int(j, "ms", 0),
                             .in_turn = json_bool(j, "in_turn", false)};
    }
    arena_free(a);
    return ok && w->ms > 0;
}

void within_put(struct outcome *o, const struct effect *e)
{
    struct within w = {.fence = o->s->next.fence,
                       .left = ROUNDS,
                       .ms = e->number,
                       .in_turn = slice_is(e->pick, "round_robin")};
    tx_put(o->tx, PUT_ALARM)->alarm =
        alarm_of(o->d, o->tx->arena, o->job->conv.id, &w, w.ms);
    o->puts = true;
}

static void on_stored(struct tx *tx)
{
    if (tx->result == 0) {
        alarm_add(tx->owner, tx->puts->alarm);
    } else if (tx->result != ERR_CANCELLED) {
        log_warn("desk", "who has it keeps it: %s", tx->err.text);
    }
    tx_free(tx);
}

static void look_again(struct desk *d, uint64_t conv, const struct within *w,
                       int64_t ms)
{
    struct tx *tx = tx_new(on_stored, d);
    tx_put(tx, PUT_ALARM)->alarm = alarm_of(d, tx->arena, conv, w, ms);
    d->conf.ports.commit(d->conf.ports.arg, tx);
}

/* --- when it is due ------------------------------------------------------- */

struct passing {
    struct desk *desk;
    struct within within;
};

/* Whoever has it now has the same time. */
static void on_passed(struct act *act)
{
    struct passing *p = act->owner;
    const struct conversation *now = act->conversation;
    if (act->result && act->result != ERR_CANCELLED) {
        log_warn("desk", "who has it keeps it: %s", act->err.text);
    } else if (act->result == 0 && now && now->state == CONV_OPEN) {
        p->within.fence = now->fence;
        look_again(p->desk, act->conv, &p->within, p->within.ms);
    }
    act_free(act);
}

static void pass_on(struct desk *d, struct conv *c, const struct within *w,
                    const struct agent_live *to, uint64_t team)
{
    struct act *act = act_new(ACT_ASSIGN, on_passed, NULL);
    struct passing *p = arena_one(act->arena, struct passing);
    *p = (struct passing){.desk = d, .within = *w};
    act->owner = p;
    act->role = ROLE_SYSTEM;
    act->conv = c->rec.id;
    act->agent = to->rec.id;
    act->team = team;
    log_info("desk", "nobody answered within %lld s: it goes to another",
             (long long)(w->ms / 1000));
    desk_act(d, act);
}

/* In the queue, for anybody now. */
static void widen_begin(struct desk *d, struct conv *c, void *what)
{
    (void)what;
    if (c->rec.state != CONV_QUEUED || !c->rec.team) {
        conv_change_end(d, c);
        return;
    }
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    struct agent_live *a = queue_pick(d, 0, SLICE(""));
    s->next.team = 0;
    if (a) {
        conv_set_holder(&s->next, CONV_OPEN, a->rec.id,
                        d->conf.ports.now(d->conf.ports.arg));
        s->reserved = a->rec.id;
        a->reserved++;
    }
    conv_tx_change(tx, s,
                   a ? EVENT_CONVERSATION_ASSIGNED : EVENT_CONVERSATION_UPDATED,
                   ROLE_SYSTEM, 0, 0);
    conv_commit(d, tx);
}

/* Has its holder still to look at it? */
static bool waits(const struct conv *c, const struct within *w)
{
    bool open = c->rec.state == CONV_OPEN;
    bool queued = c->rec.state == CONV_QUEUED && c->rec.team;
    return (open || queued) && c->rec.fence == w->fence && c->rec.unread &&
           w->left;
}

void within_due(struct desk *d, struct conv *c, const struct alarm *a)
{
    struct within w;
    if (!read_within(a->data, &w) || !waits(c, &w)) {
        return;
    }
    if (c->changing || c->changes) {
        look_again(d, c->rec.id, &w, BUSY_MS);
        return;
    }
    w.left--;
    if (c->rec.state == CONV_QUEUED) {
        conv_change(d, c, widen_begin, NULL);
        return;
    }
    struct slice how = w.in_turn ? SLICE("round_robin") : SLICE("");
    uint64_t team = c->rec.team;
    struct agent_live *to = queue_pick_but(d, team, how, c->rec.assignee);
    if (!to && team) {
        team = 0;
        to = queue_pick_but(d, 0, how, c->rec.assignee);
    }
    if (!to) { /* nobody else: perhaps later */
        look_again(d, c->rec.id, &w, w.ms);
        return;
    }
    pass_on(d, c, &w, to, team);
}
