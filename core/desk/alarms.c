/* SPDX-License-Identifier: Apache-2.0 */
/* alarms.c - durable timers of scripts, and what runs without a conversation.
 *
 * Happy path: an alarm is deleted first and fires when that is on disk: once,
 * at most (an alarm lost to a crash in between is the price; a rule that
 * replies twice is worse). Failure: a deletion that could not be written is
 * tried again; an alarm whose script is not there becomes a dead letter. One of
 * a conversation that cannot be read runs without it.
 */
#include "base/json.h"
#include "desk/outcome.h"

#define RETRY_MS 1000

/* --- jobs of no conversation ---------------------------------------------- */

static void on_free_tx(struct tx *tx)
{
    tx_free(tx);
}

/* Only kv effects have a meaning here. */
static void on_free_job(struct job *job)
{
    struct desk *d = job->owner;
    struct tx *tx = tx_new(on_free_tx, NULL);
    struct outcome o = {.d = d, .job = job, .tx = tx};
    job_put_kv(job, tx);
    bool is_alarm = job->hook == HOOK_TIMER && !slice_is(job->what, "every") &&
                    !slice_is(job->what, "cron");
    if (job->failures && is_alarm) {
        letter_put(&o, job->trouble);
    } else if (!job->ran && !job->result && is_alarm) {
        letter_put(&o, SLICE("its script is not there"));
    } else if (job->letter) {
        tx_put(tx, DEL_DEAD)->id = job->letter;
    }
    if (tx->puts) {
        d->conf.ports.commit(d->conf.ports.arg, tx);
    } else {
        tx_free(tx);
    }
    d->jobs--;
    job_free(job);
}

struct job *job_free_new(struct desk *d, enum hook hook)
{
    struct job *job = job_new(hook, on_free_job, d);
    job->at = d->conf.ports.now(d->conf.ports.arg);
    return job;
}

void job_free_run(struct desk *d, struct job *job)
{
    job->roster = roster_now(d);
    d->jobs++;
    d->conf.ports.run(d->conf.ports.arg, job);
}

void job_for_house(struct desk *d, const struct event *ev)
{
    struct slice what = slice_of(event_name_text(ev->name));
    struct job probe = {.hook = HOOK_EVENT, .event = *ev, .what = what};
    if (!d->started || !event_is_public(ev->name) ||
        !d->conf.ports.wants(d->conf.ports.arg, &probe)) {
        return;
    }
    struct job *job = job_free_new(d, HOOK_EVENT);
    job->event = *ev;
    job->event.next = NULL;
    job->event.ref = slice_dup(job->arena, ev->ref);
    job->event.body = slice_dup(job->arena, ev->body);
    job->what = what;
    job->data = job->event.body;
    job_free_run(d, job);
}

/* --- firing --------------------------------------------------------------- */

static void on_alarm(struct timer *t);

void alarm_add(struct desk *d, const struct alarm *a)
{
    struct alarm_live *old = map_get(&d->alarms, a->id);
    must(old == NULL);
    struct alarm_live *al = mem_alloc(sizeof *al);
    al->desk = d;
    al->rec = *a;
    al->rec.unit = al->rec.name = al->rec.data = (struct slice){0};
    text_own(&al->rec.unit, a->unit);
    text_own(&al->rec.name, a->name);
    text_own(&al->rec.data, a->data);
    timer_init(&al->timer, on_alarm);
    map_put(&d->alarms, a->id, al);
    timer_start(d->wheel, &al->timer, a->due_at);
}

struct due { /* waits for its conversation */
    struct desk *desk;
    struct alarm alarm;
    struct dead letter;
};

static void fire(struct desk *d, struct conv *c, const struct alarm *a,
                 const struct dead *letter)
{
    struct event none = {0};
    if (!a->unit.len) { /* the house's own */
        if (c) {
            within_due(d, c, a);
        }
        return;
    }
    struct job *job =
        c ? job_make(d, c, HOOK_TIMER, &none) : job_free_new(d, HOOK_TIMER);
    job->unit = slice_dup(job->arena, a->unit);
    job->what = slice_dup(job->arena, a->name);
    job->data = slice_dup(job->arena, a->data);
    job->letter = letter->id;
    job->runs = letter->runs;
    if (c) {
        job_queue(d, c, job);
    } else {
        job_free_run(d, job);
    }
}

static void on_conv(struct query *q)
{
    struct due *due = q->owner;
    struct desk *d = due->desk;
    if (q->result == 0 && q->conversation) {
        struct conv *c = conv_from(d, q);
        fire(d, c, &due->alarm, &due->letter);
        conv_settle(d, c);
    } else if (q->result != ERR_CANCELLED) {
        fire(d, NULL, &due->alarm, &due->letter); /* it was erased */
    }
    query_free(q);
}

/* A closed conversation is not in memory: it is loaded first. */
void alarm_fire(struct desk *d, const struct alarm *a,
                const struct dead *letter)
{
    const struct dead none = {0};
    const struct dead *why = letter ? letter : &none;
    struct conv *c = conv_of(d, a->conversation);
    if (c || !a->conversation) {
        fire(d, c, a, why);
        return;
    }
    struct query *q = query_new(QUERY_CONVERSATION, on_conv, NULL);
    struct due *due = arena_one(q->arena, struct due);
    *due = (struct due){.desk = d, .alarm = *a};
    due->alarm.unit = slice_dup(q->arena, a->unit);
    due->alarm.name = slice_dup(q->arena, a->name);
    due->alarm.data = slice_dup(q->arena, a->data);
    due->letter.id = why->id;
    due->letter.runs = why->runs;
    q->owner = due;
    q->id = q->conv = a->conversation;
    d->conf.ports.read(d->conf.ports.arg, q);
}

void desk_every(struct desk *d, struct slice unit)
{
    const struct alarm every = {
        .unit = unit, .name = SLICE("every"), .data = SLICE("null")};
    alarm_fire(d, &every, NULL);
}

static void alarm_free(struct desk *d, struct alarm_live *al)
{
    map_take(&d->alarms, al->rec.id);
    text_free(&al->rec.unit);
    text_free(&al->rec.name);
    text_free(&al->rec.data);
    mem_free(al);
}

static void on_alarm_gone(struct tx *tx)
{
    struct alarm_live *al = tx->owner;
    struct desk *d = al->desk;
    if (tx->result) {
        timer_start(d->wheel, &al->timer,
                    d->conf.ports.now(d->conf.ports.arg) + RETRY_MS);
    } else {
        alarm_fire(d, &al->rec, NULL);
        alarm_free(d, al);
    }
    tx_free(tx);
}

static void on_alarm(struct timer *t)
{
    struct alarm_live *al = container_of(t, struct alarm_live, timer);
    struct desk *d = al->desk;
    struct tx *tx = tx_new(on_alarm_gone, al);
    tx_put(tx, DEL_ALARM)->id = al->rec.id;
    d->conf.ports.commit(d->conf.ports.arg, tx);
}

void alarms_free(struct desk *d)
{
    struct alarm_live *al;
    for (size_t i = 0; (al = map_next(&d->alarms, &i)) != NULL;) {
        timer_stop(d->wheel, &al->timer);
        alarm_free(d, al);
    }
}
