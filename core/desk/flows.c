/* SPDX-License-Identifier: Apache-2.0 */
/* flows.c - durable runs of scripts: who sleeps, who waits, who is next.
 *
 * Happy path: a rule's effect makes the row; a job plays the flow from its log
 * up to the next wait; row and effects are committed together (I3); a due time
 * or the visitor's next message runs it again. Only id, place and due time are
 * kept in memory, the log is read when it is needed.
 * Failure: a row that cannot be read is tried again; a flow whose script is not
 * there is tried every minute, then failed; a failed one is a dead letter.
 */
#include "base/log.h"
#include "base/meter.h"
#include "desk/outcome.h"

#define AGAIN_MS 60000 /* without its script */
#define AGAIN_MOST 60  /* then it has failed */
#define UNREAD_MS 1000 /* its row could not be read */

METER(m_started, METER_COUNTER, "yuelai_flows_started_total",
      "Flows that rules have started");
METER(m_failed, METER_COUNTER, "yuelai_flows_failed_total",
      "Flows that ended by an error");

static int64_t now_ms(const struct desk *d)
{
    return d->conf.ports.now(d->conf.ports.arg);
}

/* --- in memory ------------------------------------------------------------ */

static void on_due(struct timer *t);

static bool is_over(enum flow_state s)
{
    return s == FLOW_DONE || s == FLOW_FAILED || s == FLOW_CANCELLED;
}

static struct flow_live *live_new(struct desk *d, const struct flow *f)
{
    struct flow_live *l = mem_alloc(sizeof *l);
    l->desk = d;
    l->id = f->id;
    l->conv = f->conv;
    text_own(&l->unit, f->unit);
    timer_init(&l->timer, on_due);
    list_init(&l->link);
    map_put(&d->flows, f->id, l);
    struct conv *c = conv_of(d, f->conv);
    if (c) {
        list_add_last(&c->flows, &l->link);
    }
    return l;
}

static void live_free(struct flow_live *l)
{
    timer_stop(l->desk->wheel, &l->timer);
    list_remove(&l->link);
    map_take(&l->desk->flows, l->id);
    text_free(&l->unit);
    mem_free(l);
}

void flows_free(struct desk *d)
{
    struct flow_live *l;
    for (size_t i = 0; (l = map_next(&d->flows, &i)) != NULL;) {
        live_free(l);
    }
}

void flows_attach(struct desk *d, struct conv *c)
{
    struct flow_live *l;
    for (size_t i = 0;
         d->flows.count && (l = map_next(&d->flows, &i)) != NULL;) {
        if (l->conv == c->rec.id) {
            list_add_last(&c->flows, &l->link);
        }
    }
}

void flows_detach(struct conv *c)
{
    while (!list_empty(&c->flows)) {
        struct list *n = c->flows.next;
        list_remove(n);
        list_init(n);
    }
}

/* What it waits for now. */
static void live_set(struct desk *d, struct flow_live *l, const struct flow *f)
{
    l->state = f->state;
    timer_stop(d->wheel, &l->timer);
    bool now = f->state == FLOW_READY && !f->due_at;
    if (f->due_at || (now && !d->started)) {
        timer_start(d->wheel, &l->timer, f->due_at ? f->due_at : now_ms(d));
    } else if (now) {
        flow_wake(d, l, f->step || f->attempts ? "again" : "start");
    }
}

void flow_took(struct desk *d, const struct flow *f)
{
    struct flow_live *l = map_get(&d->flows, f->id);
    if (is_over(f->state)) {
        if (l) {
            live_free(l);
        }
        return;
    }
    if (!l) {
        l = live_new(d, f);
    }
    l->woken = false;
    live_set(d, l, f);
}

void desk_restore_flow(struct desk *d, const struct flow *f)
{
    if (!is_over(f->state) && !map_get(&d->flows, f->id)) {
        live_set(d, live_new(d, f), f);
    }
}

struct flow_live *flow_waiting(struct conv *c)
{
    bool held = c->rec.state == CONV_OPEN || c->rec.state == CONV_SNOOZED;
    list_each (&c->flows, n) {
        struct flow_live *l = container_of(n, struct flow_live, link);
        if (!held && l->state == FLOW_WAITING) {
            return l;
        }
    }
    return NULL;
}

/* --- waking --------------------------------------------------------------- */

struct waking {
    struct desk *desk;
    uint64_t id;
    const char *why; /* static */
};

static void wake_in(struct desk *d, struct conv *c, uint64_t id,
                    struct slice unit, const char *why)
{
    const struct event none = {0};
    struct job *job = job_make(d, c, HOOK_FLOW, &none);
    job->flow = arena_one(job->arena, struct flow);
    job->flow->id = id;
    job->unit = slice_dup(job->arena, unit);
    job->what = slice_of(why);
    job_queue(d, c, job);
}

static void later(struct desk *d, struct flow_live *l)
{
    l->woken = false;
    timer_stop(d->wheel, &l->timer);
    timer_start(d->wheel, &l->timer, now_ms(d) + UNREAD_MS);
}

static void on_conv(struct query *q)
{
    struct waking *w = q->owner;
    struct desk *d = w->desk;
    struct flow_live *l = map_get(&d->flows, w->id);
    if (l && q->result == 0 && q->conversation) {
        struct conv *c = conv_from(d, q);
        wake_in(d, c, l->id, l->unit, w->why);
        conv_settle(d, c);
    } else if (l && q->result != ERR_CANCELLED) {
        later(d, l);
    }
    query_free(q);
}

void flow_wake(struct desk *d, struct flow_live *l, const char *why)
{
    if (l->woken && strcmp(why, "cancel") != 0) {
        return; /* is on its way */
    }
    l->woken = true;
    struct conv *c = conv_of(d, l->conv);
    if (c) {
        wake_in(d, c, l->id, l->unit, why);
        return;
    }
    struct query *q = query_new(QUERY_CONVERSATION, on_conv, NULL);
    struct waking *w = arena_one(q->arena, struct waking);
    *w = (struct waking){d, l->id, why};
    q->owner = w;
    q->id = l->conv;
    q->conv = l->conv;
    d->conf.ports.read(d->conf.ports.arg, q);
}

static void on_due(struct timer *t)
{
    struct flow_live *l = container_of(t, struct flow_live, timer);
    flow_wake(l->desk, l, l->state == FLOW_READY ? "again" : "timer");
}

/* A person has come, or the conversation has ended. */
void flows_tell(struct desk *d, struct conv *c, const char *what)
{
    list_each (&c->flows, n) {
        struct flow_live *l = container_of(n, struct flow_live, link);
        if (l->state == FLOW_WAITING) {
            flow_wake(d, l, what);
        }
    }
}

int desk_cancel_flow(struct desk *d, uint64_t id,
                     void (*done)(void *arg, int result), void *arg)
{
    struct flow_live *l = map_get(&d->flows, id);
    if (!l || l->cancelled) {
        return l ? ERR_CONFLICT : ERR_NOT_FOUND;
    }
    l->cancelled = done;
    l->cancelled_arg = arg;
    flow_wake(d, l, "cancel");
    return 0;
}

/* --- running -------------------------------------------------------------- */

/* Does what woke it still hold? */
static bool still(const struct flow *f, struct slice why, int64_t now)
{
    if (is_over(f->state)) {
        return false;
    }
    if (slice_is(why, "timer")) {
        return (f->state == FLOW_SLEEPING || f->state == FLOW_WAITING) &&
               f->due_at && f->due_at <= now;
    }
    if (slice_is(why, "reply") || slice_is(why, "taken") ||
        slice_is(why, "closed")) {
        return f->state == FLOW_WAITING;
    }
    return slice_is(why, "cancel") || f->state == FLOW_READY;
}

void flow_copy(struct arena *a, struct flow *to, const struct flow *from)
{
    *to = *from;
    to->unit = slice_dup(a, from->unit);
    to->version = slice_dup(a, from->version);
    to->args = slice_dup(a, from->args);
    to->log = slice_dup(a, from->log);
    to->view = slice_dup(a, from->view);
    to->error = slice_dup(a, from->error);
}

/* The job has nothing to do; a message it had goes to the rules. */
static void give_up(struct desk *d, struct conv *c, struct job *job)
{
    struct flow_live *l = map_get(&d->flows, job->flow->id);
    if (l) {
        l->woken = false;
    }
    job->flow = NULL;
    job->unit = (struct slice){0};
    if (job->event.pos) {
        job->hook = HOOK_MESSAGE;
        job->what = (struct slice){0};
        job_run(d, c, job);
    } else {
        job_over(d, c, job);
    }
}

static void on_flow(struct query *q)
{
    struct job *job = q->owner;
    struct desk *d = job->owner;
    struct conv *c = conv_of(d, job->event.conv);
    must_be(c, CONV_MAGIC);
    struct flow_live *l = map_get(&d->flows, job->flow->id);
    if (q->result == ERR_CANCELLED) {
        job->result = ERR_CANCELLED;
        job->done(job);
    } else if (l && q->result && q->result != ERR_NOT_FOUND) {
        log_warn("desk", "a flow could not be read: %s", q->err.text);
        give_up(d, c, job);
        later(d, l);
    } else if (q->result || !still(q->flow, job->what, now_ms(d))) {
        give_up(d, c, job);
    } else {
        flow_copy(job->arena, job->flow, q->flow);
        if (slice_is(job->what, "cancel")) {
            job->flow->state = FLOW_CANCELLED;
            job->ran = 1;
            job_fill(d, c, job);
            job->done(job);
        } else {
            job_run(d, c, job);
        }
    }
    query_free(q);
}

void flow_load(struct desk *d, struct conv *c, struct job *job)
{
    (void)c;
    struct query *q = query_new(QUERY_FLOW, on_flow, job);
    q->id = job->flow->id;
    d->conf.ports.read(d->conf.ports.arg, q);
}

void flow_fence(const struct conv *c, struct job *job)
{
    bool held = c->rec.state == CONV_OPEN || c->rec.state == CONV_SNOOZED;
    if (held && job->flow->state != FLOW_READY) {
        job->fence = job->flow->fence; /* whoever came meanwhile speaks (I13) */
    }
}

/* --- what became of it ---------------------------------------------------- */

/* No script ran it: another time, or never. */
static void not_there(struct outcome *o, struct flow *f)
{
    f->attempts++;
    f->state = f->attempts > AGAIN_MOST ? FLOW_FAILED : FLOW_READY;
    f->due_at = f->state == FLOW_READY ? now_ms(o->d) + AGAIN_MS : 0;
    f->error = SLICE("the flow's script is not there");
}

void flow_put(struct outcome *o)
{
    struct flow *f = arena_one(o->tx->arena, struct flow);
    flow_copy(o->tx->arena, f, o->job->flow);
    if (!o->job->ran) {
        not_there(o, f);
    }
    f->updated_at = now_ms(o->d);
    if (!o->late) {
        f->fence = o->s->next.fence;
    }
    if (f->state == FLOW_FAILED) {
        meter_add(&m_failed, 1);
        letter_put(o, f->error.len ? f->error : o->job->trouble);
    } else if (o->job->letter) {
        tx_put(o->tx, DEL_DEAD)->id = o->job->letter;
    }
    tx_put(o->tx, PUT_FLOW)->flow = f;
    o->puts = true;
}

void flow_begin(struct outcome *o, const struct effect *e, const char **why)
{
    struct desk *d = o->d;
    uint32_t n = 0;
    list_each (&o->c->flows, l) {
        n++;
    }
    if (n >= LIMIT_FLOWS_CONV || d->flows.count >= LIMIT_FLOWS) {
        *why = "too many flows are under way";
        return;
    }
    struct arena *a = o->tx->arena;
    struct flow *f = arena_one(a, struct flow);
    *f = (struct flow){.id = d->conf.ports.id(d->conf.ports.arg),
                       .unit = slice_dup(a, e->name),
                       .conv = o->c->rec.id,
                       .contact = o->c->rec.contact,
                       .state = FLOW_READY,
                       .fence = o->s->next.fence,
                       .created_at = now_ms(d),
                       .updated_at = now_ms(d),
                       .args = slice_dup(a, e->data),
                       .log = SLICE("[]"),
                       .view = SLICE("{}")};
    tx_put(o->tx, PUT_FLOW)->flow = f;
    o->puts = true;
    meter_add(&m_started, 1);
}

void flow_end_all(struct outcome *o, struct slice unit)
{
    list_each (&o->c->flows, n) {
        struct flow_live *l = container_of(n, struct flow_live, link);
        bool self = o->job->flow && o->job->flow->id == l->id;
        if (slice_eq(l->unit, unit) && !self) {
            flow_wake(o->d, l, "cancel");
        }
    }
}

/* Called for every row of a flow that is on disk. */
void flow_stored(struct desk *d, const struct flow *f)
{
    struct flow_live *l = map_get(&d->flows, f->id);
    if (l && l->cancelled && is_over(f->state)) {
        l->cancelled(l->cancelled_arg,
                     f->state == FLOW_CANCELLED ? 0 : ERR_CONFLICT);
        l->cancelled = NULL;
    }
    flow_took(d, f);
}
