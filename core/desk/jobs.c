/* SPDX-License-Identifier: Apache-2.0 */
/* jobs.c - what the scripts are asked, and when their answer counts.
 *
 * Happy path: an event that some hook wants becomes a job; jobs of one
 * conversation run one after the other in journal order (I2); the effects are
 * decided (effects.c) and committed in one tx that names the event as their
 * cause: the handled mark (I3).
 * Failure: effects that could not be written are written later, the job is not
 * run again for that; what takes longer than its rules' patience is placed by
 * the default meanwhile; what no rule could place is a dead letter, too.
 */
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"
#include "desk/outcome.h"
#include "desk/turns.h"
#include <stdio.h>

#define RETRY_MS 1000
#define FLUSH_MOST 500
#define DEPTH_MOST 5 /* jobs that follow from jobs */

METER(m_late, METER_COUNTER, "yuelai_jobs_skipped_total",
      "Events not given to scripts because too many wait in one conversation");
METER(m_overdue, METER_COUNTER, "yuelai_jobs_overdue_total",
      "Events placed by the default because their rules took too long");

/* --- asking --------------------------------------------------------------- */

static void on_job(struct job *job);

struct job *job_make(struct desk *d, struct conv *c, enum hook hook,
                     const struct event *ev)
{
    struct job *job = job_new(hook, on_job, d);
    job->event = *ev;
    job->event.next = NULL;
    job->event.ref = slice_dup(job->arena, ev->ref);
    job->event.body = slice_dup(job->arena, ev->body);
    job->event.conv = c->rec.id;
    return job;
}

void job_queue(struct desk *d, struct conv *c, struct job *job)
{
    job->mail.next = NULL;
    if (c->jobs_last) {
        c->jobs_last->mail.next = &job->mail;
    } else {
        c->jobs = job;
    }
    c->jobs_last = job;
    c->job_count++;
    d->pending++;
    jobs_go(d, c);
}

/* Everything a rule may look at, as it is now; texts are copied. */
void job_fill(struct desk *d, struct conv *c, struct job *job)
{
    struct arena *a = job->arena;
    job->conv = c->rec;
    job->conv.tags = slice_dup(a, c->rec.tags);
    job->conv.attributes = slice_dup(a, c->rec.attributes);
    job->conv.bot = slice_dup(a, c->rec.bot);
    job->conv.preview = slice_dup(a, c->rec.preview);
    job->conv.contact_name = slice_dup(a, c->rec.contact_name);
    job->conv.contact_tier = slice_dup(a, c->rec.contact_tier);
    job->conv.channel_type = slice_dup(a, c->rec.channel_type);
    const struct contact *who = c->person->rec;
    if (who) {
        job->contact = *who;
        job->contact.identity = slice_dup(a, who->identity);
        job->contact.name = slice_dup(a, who->name);
        job->contact.email = slice_dup(a, who->email);
        job->contact.phone = slice_dup(a, who->phone);
        job->contact.tier = slice_dup(a, who->tier);
        job->contact.tags = slice_dup(a, who->tags);
        job->contact.attributes = slice_dup(a, who->attributes);
    }
    job->contact.id = c->person->id;
    job->contact.channel = c->person->channel;
    job->fence = c->rec.fence;
    job->at = d->conf.ports.now(d->conf.ports.arg);
    roster_free(job->roster); /* it may be its second run */
    job->roster = roster_now(d);
}

/* Asked without a copy: most messages are wanted by nobody. */
bool job_wanted(struct desk *d, struct conv *c, struct job *probe)
{
    probe->conv = c->rec;
    if (c->person->rec) {
        probe->contact = *c->person->rec;
    }
    return d->conf.ports.wants(d->conf.ports.arg, probe);
}

static bool has_room(struct desk *d, struct conv *c, enum hook hook,
                     const struct event *ev)
{
    if (c->job_count < LIMIT_CONV_BACKLOG) {
        return true;
    }
    meter_add(&m_late, 1);
    letter_of(d, c, hook, ev, "too many events of this conversation wait");
    return false;
}

void job_for_message(struct desk *d, struct conv *c, const struct event *ev,
                     struct slice text, struct slice kind)
{
    struct job probe = {
        .hook = HOOK_MESSAGE, .event = *ev, .text = text, .kind = kind};
    if (c->rec.state != CONV_BOT && list_empty(&c->flows) &&
        !job_wanted(d, c, &probe)) {
        return;
    }
    if (has_room(d, c, HOOK_MESSAGE, ev)) {
        struct job *job = job_make(d, c, HOOK_MESSAGE, ev);
        job->text = slice_dup(job->arena, text);
        job->kind = slice_dup(job->arena, kind);
        job_queue(d, c, job);
    }
}

static void ask(struct desk *d, struct conv *c, enum hook hook,
                const struct event *ev, struct slice what, uint32_t depth)
{
    struct job probe = {.hook = hook, .event = *ev, .what = what};
    if (depth > DEPTH_MOST || !job_wanted(d, c, &probe) ||
        !has_room(d, c, hook, ev)) {
        return;
    }
    struct job *job = job_make(d, c, hook, ev);
    job->what = slice_dup(job->arena, what);
    job->depth = depth;
    if (hook == HOOK_EVENT) {
        job->data = job->event.body;
    }
    job_queue(d, c, job);
}

void job_for_event(struct desk *d, struct conv *c, const struct event *ev,
                   uint32_t depth)
{
    if (event_is_public(ev->name)) {
        ask(d, c, HOOK_EVENT, ev, slice_of(event_name_text(ev->name)), depth);
    }
}

void job_for_change(struct desk *d, struct conv *c, const struct event *ev,
                    const struct conversation *before, uint32_t depth)
{
    char place[16];
    bool queued = c->rec.state == CONV_QUEUED && before->state != CONV_QUEUED;
    switch (ev->name) {
    case EVENT_CONVERSATION_CREATED:
        ask(d, c, HOOK_CONVERSATION, ev, SLICE("created"), depth);
        break;
    case EVENT_CONVERSATION_ASSIGNED:
        ask(d, c, HOOK_CONVERSATION, ev, SLICE("assigned"), depth);
        if (c->rec.assignee) {
            ask(d, c, HOOK_ASSIGN, ev, SLICE("assigned"), depth);
        }
        break;
    case EVENT_CONVERSATION_CLOSED:
        ask(d, c, HOOK_CONVERSATION, ev, SLICE("closed"), depth);
        ask(d, c, HOOK_CLOSE, ev, SLICE("closed"), depth);
        break;
    default:
        break;
    }
    if (queued) {
        snprintf(place, sizeof place, "%u", queue_position(d, c));
        ask(d, c, HOOK_QUEUE, ev, slice_of(place), depth);
    }
}

static struct job *job_next(struct desk *d, struct conv *c)
{
    struct job *job = c->jobs;
    if (job) {
        c->jobs = (struct job *)job->mail.next;
        if (!c->jobs) {
            c->jobs_last = NULL;
        }
        job->mail.next = NULL;
        c->job_count--;
        d->pending--;
    }
    return job;
}

/* --- the run -------------------------------------------------------------- */

static void place_begin(struct desk *d, struct conv *c, void *what)
{
    (void)what;
    if (c->rec.state != CONV_BOT || !c->job_running || c->overdue) {
        conv_change_end(d, c); /* it came after all */
        return;
    }
    struct job none = {.hook = HOOK_MESSAGE, .fence = c->rec.fence};
    struct outcome o = outcome_of(d, c, &none);
    outcome_place(&o);
    o.s->grants = true;
    conv_tx_change(o.tx, o.s, o.name, ROLE_SYSTEM, 0, 0);
    conv_commit(d, o.tx);
    meter_add(&m_overdue, 1);
}

/* Its rules were cut in the middle: nobody else would place it. */
static void cut_begin(struct desk *d, struct conv *c, void *what)
{
    (void)what;
    if (c->rec.state != CONV_BOT) {
        conv_change_end(d, c);
        return;
    }
    struct job none = {.hook = HOOK_MESSAGE, .fence = c->rec.fence};
    struct outcome o = outcome_of(d, c, &none);
    outcome_place(&o);
    conv_tx_change(o.tx, o.s, o.name, ROLE_SYSTEM, 0, 0);
    conv_commit(d, o.tx);
}

void jobs_start(struct desk *d, struct conv *c)
{
    if (c->cut && c->rec.state == CONV_BOT && !c->jobs) {
        conv_change(d, c, cut_begin, NULL);
    }
    c->cut = false;
    jobs_go(d, c);
}

static void on_patience(struct timer *t)
{
    struct conv *c = container_of(t, struct conv, patience);
    conv_change(c->desk, c, place_begin, NULL);
}

/* Its rules have so long; then a person shall not wait for them. Only the
 * first message is to be placed: a later one is with the rules because they
 * have decided to keep it. */
static void start_patience(struct desk *d, struct conv *c, struct job *job)
{
    if (job->hook != HOOK_MESSAGE || c->rec.state != CONV_BOT ||
        job->event.seq != 1 || !d->conf.ports.patience) {
        return;
    }
    int64_t ms = d->conf.ports.patience(d->conf.ports.arg, job);
    if (ms > 0) {
        timer_init(&c->patience, on_patience);
        timer_start(d->wheel, &c->patience, job->at + ms);
    }
}

void job_run(struct desk *d, struct conv *c, struct job *job)
{
    job_fill(d, c, job);
    if (job->hook == HOOK_FLOW) {
        flow_fence(c, job);
    }
    start_patience(d, c, job);
    d->conf.ports.run(d->conf.ports.arg, job);
}

/* A message some flow waits for is the flow's. */
static void offer(struct conv *c, struct job *job)
{
    struct flow_live *l =
        job->hook == HOOK_MESSAGE && !job->letter ? flow_waiting(c) : NULL;
    if (l) {
        job->hook = HOOK_FLOW;
        job->flow = arena_one(job->arena, struct flow);
        job->flow->id = l->id;
        job->unit = slice_dup(job->arena, l->unit);
        job->what = SLICE("reply");
    }
}

static void effects_begin(struct desk *d, struct conv *c, void *what);

void jobs_go(struct desk *d, struct conv *c)
{
    if (c->job_running || !d->started) {
        return;
    }
    if (c->retry) {
        struct job *job = c->retry;
        c->retry = NULL;
        c->job_running = true;
        d->jobs++;
        conv_change(d, c, effects_begin, job);
        return;
    }
    struct job *job = job_next(d, c);
    if (!job) {
        return;
    }
    c->job_running = true;
    c->under_way++;
    c->overdue = false;
    c->granted_fence = 0;
    c->part_letter = 0;
    d->jobs++;
    offer(c, job);
    if (job->hook == HOOK_FLOW) {
        flow_load(d, c, job);
    } else {
        job_run(d, c, job);
    }
}

void jobs_drop(struct desk *d, struct conv *c)
{
    struct job *job;
    while ((job = job_next(d, c)) != NULL) {
        job_free(job);
    }
    if (c->retry) {
        job_free(c->retry);
        c->retry = NULL;
    }
}

/* Its effects stand; they are written when the store can write again. */
void job_retry(struct desk *d, struct conv *c, struct job *job)
{
    c->retry = job;
    c->job_running = false;
    d->jobs--;
    timer_start(d->wheel, &c->again,
                d->conf.ports.now(d->conf.ports.arg) + RETRY_MS);
}

/* --- the answer ----------------------------------------------------------- */

/* No change to the journal: remembered, written when there is time. */
static void handled_spoil(struct desk *d, struct conv *c)
{
    if (!c->handled_dirty) {
        c->handled_dirty = true;
        list_add_last(&d->dirty, &c->dirty_link);
    }
}

static void mark_handled(struct desk *d, struct conv *c, struct job *job)
{
    if ((job->hook == HOOK_MESSAGE || job->hook == HOOK_FLOW) &&
        job->event.pos > c->rec.handled) {
        c->rec.handled = job->event.pos;
        handled_spoil(d, c);
    }
}

/* The conversation's change, what is said under it, and the handled mark: some
 * event of it in the tx names the cause (I3). */
static void write_change(struct outcome *o)
{
    uint64_t cause = o->job->event.pos, conv = o->c->rec.id;
    if (o->moved || o->updated) {
        conv_tx_change(o->tx, o->s,
                       o->moved ? o->name : EVENT_CONVERSATION_UPDATED,
                       ROLE_BOT, 0, cause);
    }
    turns_answer(o);
    for (const struct event *ev = o->tx->first; ev; ev = ev->next) {
        if (ev->conv == conv && ev->cause == cause) {
            return;
        }
    }
    struct event *ev = tx_event(o->tx, EVENT_HANDLED);
    ev->conv = conv;
    ev->cause = cause;
}

static void effects_commit(struct outcome *o)
{
    const struct event *first = o->tx->first;
    write_change(o);
    trace_put(o, first ? first : o->tx->first);
    /* Even where no state changes, the lane is kept until it is committed. */
    o->s->changes = true;
    o->s->job = o->job;
    o->s->depth = o->job->depth + 1;
    conv_commit(o->d, o->tx);
}

/* What was to be done and could not. */
static void letters(struct outcome *o)
{
    struct job *job = o->job;
    bool timer = job->hook == HOOK_TIMER;
    bool unplaced =
        job->hook == HOOK_MESSAGE && !job->decided &&
        ((o->s->next.state == CONV_BOT && !o->s->next.bot.len) || job->letter);
    if (job->failures && (unplaced || timer)) {
        letter_put(o, job->trouble);
    } else if (timer && !job->ran) {
        letter_put(o, SLICE("its script is not there"));
    } else if (job->letter && job->hook != HOOK_FLOW) {
        tx_put(o->tx, DEL_DEAD)->id = job->letter;
        o->puts = true;
    }
}

void job_over(struct desk *d, struct conv *c, struct job *job)
{
    c->under_way--;
    c->job_running = false;
    d->jobs--;
    job_free(job);
    jobs_go(d, c);
    conv_settle(d, c);
}

/* The lane's turn of a job's effects. */
static void effects_begin(struct desk *d, struct conv *c, void *what)
{
    struct job *job = what;
    struct outcome o = outcome_of(d, c, job);
    outcome_apply(&o);
    letters(&o);
    if (c->part_letter) { /* it came to its end */
        tx_put(o.tx, DEL_DEAD)->id = c->part_letter;
        o.puts = true;
    }
    if (job->hook == HOOK_MESSAGE && !job->decided &&
        o.s->next.state == CONV_BOT && !o.s->next.bot.len) {
        outcome_place(&o); /* nobody placed it */
    }
    turns_plan(&o);
    if (job->flow) {
        flow_put(&o);
    }
    if (o.moved || o.updated || o.puts || o.tx->count) {
        effects_commit(&o);
        return;
    }
    trace_later(&o);
    outcome_release(&o);
    tx_free(o.tx);
    mark_handled(d, c, job);
    job_free(job);
    d->jobs--;
    c->job_running = false;
    conv_change_end(d, c);
    jobs_go(d, c);
}

static void on_job(struct job *job)
{
    struct desk *d = job->owner;
    struct conv *c = conv_of(d, job->event.conv);
    must_be(c, CONV_MAGIC);
    timer_stop(d->wheel, &c->patience);
    if (job->hook == HOOK_FLOW && !job->ran && !job->result &&
        slice_is(job->what, "reply")) {
        job->hook = HOOK_MESSAGE; /* its script is not there: the rules' */
        job->flow = NULL;
        job->unit = job->what = (struct slice){0};
        job_run(d, c, job);
        return;
    }
    c->under_way--;
    if (job->result) { /* the house stops: it is run again after the start */
        job_free(job);
        d->jobs--;
        c->job_running = false;
        return;
    }
    conv_change(d, c, effects_begin, job);
}

/* --- a part: its handler waits and will go on ----------------------------- */

static void part_begin(struct desk *d, struct conv *c, void *what)
{
    struct job *part = what;
    struct outcome o = outcome_of(d, c, part);
    outcome_apply(&o);
    trace_part(&o);
    if (!o.moved && !o.updated && !o.puts && !o.tx->count) {
        outcome_release(&o);
        tx_free(o.tx);
        part->fence = c->rec.fence;
        part->done(part);
        conv_change_end(d, c);
        return;
    }
    write_change(&o);
    if (part->hook == HOOK_MESSAGE) {
        letter_cut(&o);
    }
    o.s->changes = true;
    o.s->part = part;
    o.s->depth = part->depth + 1;
    conv_commit(d, o.tx);
}

void desk_part(struct desk *d, struct job *part)
{
    struct conv *c = conv_of(d, part->event.conv);
    part->result = 0;
    if (c) {
        conv_change(d, c, part_begin, part);
    } else {
        part->result = ERR_NOT_FOUND;
        part->done(part);
    }
}

/* --- handled marks without an effect -------------------------------------- */

static void on_flushed(struct tx *tx)
{
    struct desk *d = tx->owner;
    for (struct event *ev = tx->first; tx->result && ev; ev = ev->next) {
        struct conv *c = conv_of(d, ev->conv);
        if (c) {
            handled_spoil(d, c); /* again in the next round */
        }
    }
    tx_free(tx);
}

void handled_flush(struct desk *d)
{
    trace_flush(d);
    if (list_empty(&d->dirty)) {
        return;
    }
    struct tx *tx = tx_new(on_flushed, d);
    struct list *l;
    while (tx->count < FLUSH_MOST && (l = d->dirty.next) != &d->dirty) {
        struct conv *c = container_of(l, struct conv, dirty_link);
        struct event *ev = tx_event(tx, EVENT_HANDLED);
        ev->conv = c->rec.id;
        ev->cause = c->rec.handled;
        c->handled_dirty = false;
        list_remove(&c->dirty_link);
        conv_settle(d, c);
    }
    d->conf.ports.commit(d->conf.ports.arg, tx);
}
