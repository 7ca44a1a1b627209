/* SPDX-License-Identifier: Apache-2.0 */
/* lend.c - lending a version, taking it back, losing it.
 *
 * Happy path: a stretch goes to a lane, the worker goes on with others, the
 * stretch comes back with its end and the task goes on from there; then what
 * was held runs, until the version is lent again. Failure modes: the lane does
 * not come back: the version is lost. Its handlers fail, it is switched off
 * like one that was stopped too often, and neither its state nor the job that
 * the thread may still write to is ever freed.
 */
#include "script/run/lend.h"
#include "base/clock.h"
#include "loop/mailbox.h"
#include "script/run/task.h"

/* --- who is trusted ------------------------------------------------------- */

enum lane lend_which(struct worker *w, struct version *v)
{
    if (!v->slow_until)
        return LANE_NEW;
    if (worker_tick_ms(w) < v->slow_until)
        return LANE_SLOW;
    v->slow_until = 0;
    return LANE_NEW;
}

void lend_note(struct worker *w, struct version *v, const struct stretch *s)
{
    if (s->killed) {
        v->slow_until = worker_tick_ms(w) + LEND_SLOW_MS;
        v->proven = 0;
    } else if (s->cpu_us > LEND_LONG_US) {
        v->proven = 0;
    } else if (v->proven < LEND_PROVEN && !v->slow_until) {
        v->proven++;
    }
}

/* --- there and back ------------------------------------------------------- */

static void on_overdue(struct timer *timer);

static struct lent *lent_of(struct worker *w, struct version *v)
{
    struct lent *l = v->lent;
    if (l)
        return l;
    l = v->lent = mem_alloc(sizeof *l);
    l->worker = w;
    l->version = v;
    list_init(&l->held);
    timer_init(&l->overdue, on_overdue);
    return l;
}

void lend_give(struct worker *w, struct version *v, enum lane lane,
               const struct stretch *s)
{
    struct lent *l = lent_of(w, v);
    must(!v->away);
    l->stretch = *s;
    l->kind = lane;
    l->seen = false;
    v->away = true;
    list_add_last(&w->lent, &v->at_lane);
    timer_start(w->wheel, &l->overdue, worker_now(w) + LEND_LOST_MS);
    lane_give(w->conf.lanes, l);
}

void lend_hold(struct version *v, struct run *run)
{
    list_init(&run->hold);
    list_add_last(&v->lent->held, &run->hold);
}

static void drain(struct worker *w, struct version *v)
{
    while (!v->away && !list_empty(&v->tasks)) {
        struct task *t = container_of(v->tasks.next, struct task, link);
        struct job *job = t->job;
        worker_go_on(w, job, task_resume(t, ERR_CANCELLED, NULL));
    }
}

void lend_drain(struct worker *w, struct version *v)
{
    v->drain_due = true;
    if (v->away)
        return;
    v->drained = true;
    drain(w, v);
}

/* What was held, until the version is lent again. */
static void release(struct worker *w, struct version *v)
{
    struct list *held = &v->lent->held;
    while (!v->away && !list_empty(held)) {
        struct run *run = container_of(held->next, struct run, hold);
        struct job *job = run->job;
        list_remove(&run->hold);
        worker_go_on(w, job,
                     run->task ? task_go_on(run->task) : task_start(w, v, job));
    }
    if (!v->away && v->drain_due)
        lend_drain(w, v);
}

static void take_back(struct worker *w, struct version *v)
{
    timer_stop(w->wheel, &v->lent->overdue);
    list_remove(&v->at_lane);
    v->away = false;
}

static void on_back(struct mail *m)
{
    struct lent *l = container_of(m, struct lent, mail);
    struct worker *w = l->worker;
    struct version *v = l->version;
    struct task *t = l->stretch.task;
    take_back(w, v);
    chain_move(&w->out, &l->out);
    if (w->stopping) {
        worker_stop_runs(w);
        return;
    }
    version_ref(v); /* its last job may end here */
    if (t) {
        struct job *job = t->job;
        worker_go_on(w, job, task_back(t, &l->stretch));
    }
    release(w, v);
    version_unref(v);
}

void lend_back(struct lent *l)
{
    l->mail.run = on_back;
    mailbox_push(l->worker->box, &l->mail);
}

/* --- and not back --------------------------------------------------------- */

static void lose(struct worker *w, struct version *v)
{
    struct lent *l = v->lent;
    struct task *t = l->stretch.task;
    lane_replace(w->conf.lanes, l);
    take_back(w, v);
    version_ref(v); /* the lost thread's, for ever */
    v->lost = v->quarantined = v->drain_due = true;
    w->has_lost = true;
    if (t) {
        struct job *job = t->job;
        enum outcome o = task_lose(t);
        if (!w->stopping)
            worker_go_on(w, job, o);
    }
    if (w->stopping)
        worker_stop_runs(w);
    else
        release(w, v); /* and all that waits in it fails */
}

static void on_overdue(struct timer *timer)
{
    struct lent *l = container_of(timer, struct lent, overdue);
    struct worker *w = l->worker;
    int is = atomic_load(&l->state);
    if (is == LENT_RUNNING && l->seen) {
        if (atomic_compare_exchange_strong(&l->state, &is, LENT_LOST))
            lose(w, l->version);
        return; /* or it is on its way back just now */
    }
    l->seen = is == LENT_RUNNING;
    timer_start(w->wheel, timer,
                worker_now(w) + (w->stopping ? LEND_HURRY_MS : LEND_LOST_MS));
}

void lend_hurry(struct worker *w)
{
    list_each (&w->lent, n) {
        struct version *v = container_of(n, struct version, at_lane);
        timer_stop(w->wheel, &v->lent->overdue);
        timer_start(w->wheel, &v->lent->overdue, worker_now(w) + LEND_HURRY_MS);
    }
}
