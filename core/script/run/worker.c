/* SPDX-License-Identifier: Apache-2.0 */
/* worker.c - the loop of a script thread.
 *
 * Happy path: sleep in the mailbox; take all that came; turn the wheel; run the
 * jobs unit by unit; send home what is done in one chain; close at most one
 * dead state; sleep again.
 * Failure modes: the house stops: what is here is answered ERR_CANCELLED, and
 * so is whatever comes later; no Lua runs any more, but states are still
 * closed until worker_free.
 */
#include "script/run/worker.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/meter.h"
#include "loop/mailbox.h"
#include "script/api/caches.h"
#include "script/inside.h"
#include "script/metrics.h"
#include "script/run/lend.h"
#include "script/run/part.h"
#include "script/run/screen.h"
#include <string.h>

#define LONG_US 200 /* a stretch worth a look at the CPU's clock */

METER_US(queue_time, "yuelai_script_queue_seconds",
         "Time of a job from being given to its first handler's thread.");

/* --- answers -------------------------------------------------------------- */

void worker_post(struct worker *w, struct mail *m)
{
    struct chain *lent = lane_out();
    chain_add(lent ? lent : &w->out, m);
}

static void send_out(struct worker *w)
{
    if (!w->out.first)
        return;
    loop_post_chain(w->conf.home, w->out.first, w->out.last, w->out.count);
    w->out = (struct chain){0};
}

static void on_done(struct mail *m)
{
    struct job *job = container_of(m, struct job, mail);
    job->done(job);
}

static void answer(struct worker *w, struct job *job, int result)
{
    struct run *run = job->task;
    screen_close(run);
    list_remove(&run->link);
    list_remove(&run->ready);
    atomic_fetch_sub(w->conf.depth, 1);
    job->result = result;
    if (run->is_part) {
        plan_unref(run->plan);
        part_post(w, job); /* its hops are looked at when it is back */
        return;
    }
    hops_write(&run->hops, job, job->hook, &w->scratch);
    plan_unref(run->plan);
    job->task = NULL;
    job->mail.run = on_done;
    worker_post(w, &job->mail);
}

/* --- the pipeline --------------------------------------------------------- */

/* A rule ended the round, or all were asked: the job goes home, or its next
 * reply through on_send (true). */
static bool goes_on(struct worker *w, struct job *job, struct version *decided)
{
    struct run *run = job->task;
    if (decided) {
        job->decided = true;
        job->rule = slice_dup(job->arena, decided->name);
    }
    if (screen_next(run))
        return true;
    answer(w, job, 0);
    return false;
}

/* Who is next; false: the job is no longer here. */
static bool aim(struct worker *w, struct job *job)
{
    struct run *run = job->task;
    do {
        run->next = plan_next(run->plan, job, &run->at);
    } while (!run->next && goes_on(w, job, NULL));
    if (!run->next)
        return false;
    if (run->next->worker == w)
        return true;
    run->at--; /* the other thread asks again */
    list_remove(&run->link);
    worker_give(run->next->worker, job);
    return false;
}

static void aim_first(struct worker *w, struct job *job)
{
    struct run *run = job->task;
    if (aim(w, job))
        list_add_last(&w->ready, &run->ready);
}

/* One handler; false: the job waits in it, or is no longer here. */
static bool take_turn(struct worker *w, struct job *job)
{
    struct run *run = job->task;
    struct version *v = run->next;
    enum outcome o = task_start(w, v, job);
    if (o == OUTCOME_WAITING || (o == OUTCOME_DECIDED && !goes_on(w, job, v)))
        return false;
    return aim(w, job);
}

/* All jobs a handler each of the unit that is first in line, then of the next:
 * a state is read from memory once a turn, not once a job. Each job has its
 * rules in the plan's order all the same, and jobs of one conversation are not
 * here at once (I2). */
static void run_ready(struct worker *w)
{
    uint32_t next = 0;
    worker_tick(w);
    while (!list_empty(&w->ready)) {
        uint32_t at = next;
        next = UINT32_MAX;
        list_each (&w->ready, n) {
            struct run *run = container_of(n, struct run, ready);
            struct list *place = n->next;
            if (run->at <= at) {
                list_remove(n);
                if (!take_turn(w, run->job))
                    continue;
                list_add_last(place, n); /* where it was */
            }
            next = run->at < next ? run->at : next;
        }
    }
}

void worker_go_on(struct worker *w, struct job *job, enum outcome o)
{
    struct run *run = job->task;
    if (o == OUTCOME_WAITING)
        return;
    if (o != OUTCOME_DECIDED || goes_on(w, job, run->plan->at[run->at - 1]))
        aim_first(w, job);
}

void worker_part(struct worker *w, struct job *part, struct plan *plan)
{
    struct run *run = arena_one(part->arena, struct run);
    run->job = part;
    run->plan = plan;
    plan_ref(plan);
    run->at = (uint32_t)plan->count; /* its own round is over */
    run->is_part = true;
    part->task = run;
    atomic_fetch_add(w->conf.depth, 1);
    worker_give(w, part);
}

static void on_job(struct mail *m)
{
    struct job *job = container_of(m, struct job, mail);
    struct run *run = job->task;
    struct worker *w = run->worker;
    if (run->given_us) {
        meter_note(&queue_time, clock_mono_us() - run->given_us);
        run->given_us = 0;
    }
    list_init(&run->link);
    list_init(&run->ready);
    list_add_last(&w->runs, &run->link);
    if (w->stopping)
        answer(w, job, ERR_CANCELLED);
    else
        aim_first(w, job);
}

static void address(struct worker *w, struct job *job)
{
    struct run *run = job->task;
    run->worker = w;
    job->mail.run = on_job;
}

void worker_give(struct worker *w, struct job *job)
{
    address(w, job);
    mailbox_push(w->box, &job->mail);
}

void worker_queue(struct worker *w, struct job *job)
{
    address(w, job);
    chain_add(&w->in, &job->mail);
}

void worker_flush(struct worker *w)
{
    if (!w->in.first)
        return;
    mailbox_push_chain(w->box, w->in.first, w->in.last, w->in.count);
    w->in = (struct chain){0};
}

/* --- waits ---------------------------------------------------------------- */

uint32_t worker_slot(struct worker *w, struct task *t)
{
    if (w->free_slots == 0) {
        uint32_t n = w->slot_count ? w->slot_count * 2 : 64;
        w->slots = mem_resize(w->slots, n * sizeof(void *));
        w->free_slot = mem_resize(w->free_slot, n * sizeof *w->free_slot);
        for (uint32_t i = n; i-- > w->slot_count;) {
            w->slots[i] = NULL;
            w->free_slot[w->free_slots++] = i;
        }
        w->slot_count = n;
    }
    uint32_t slot = w->free_slot[--w->free_slots];
    w->slots[slot] = t;
    return slot;
}

void worker_free_slot(struct worker *w, uint32_t slot)
{
    w->slots[slot] = NULL;
    w->free_slot[w->free_slots++] = slot;
}

void worker_ask(struct worker *w, struct script_ask *ask)
{
    script_ref(w->conf.script);
    ask->mail.run = script_on_ask;
    worker_post(w, &ask->mail);
}

struct task *worker_task(const struct worker *w, uint64_t slot,
                         uint64_t generation)
{
    struct task *t = slot < w->slot_count ? w->slots[slot] : NULL;
    return t && t->generation == generation ? t : NULL;
}

static void on_answer(struct mail *m)
{
    struct script_ask *ask = container_of(m, struct script_ask, mail);
    struct worker *w = container_of(ask, struct posted_ask, ask)->worker;
    struct task *t = worker_task(w, ask->ticket[2], ask->ticket[3]);
    if (!t || t->wait != WAIT_ASK) {
        arena_free(ask->arena); /* too late: timed out, retired, stopped */
        return;
    }
    struct job *job = t->job;
    worker_go_on(w, job, task_resume(t, ask->result, ask));
}

void worker_answer(struct worker *w, struct script_ask *a)
{
    a->mail.run = on_answer;
    mailbox_push(w->box, &a->mail);
}

/* --- versions that end ---------------------------------------------------- */

static void on_drained(struct timer *timer)
{
    struct version *v = container_of(timer, struct version, drain);
    struct worker *w = v->worker;
    version_ref(v); /* the last job may let go of it */
    lend_drain(w, v);
    version_unref(v);
}

static void on_retire(struct mail *m)
{
    struct version *v = container_of(m, struct version, retire);
    struct worker *w = v->worker;
    if (w->stopping)
        return;
    timer_init(&v->drain, on_drained);
    timer_start(w->wheel, &v->drain, worker_now(w) + w->conf.drain_ms);
}

void worker_nudge(struct worker *w)
{
    mailbox_nudge(w->box);
}

void worker_retire(struct worker *w, struct version *v)
{
    v->retire.run = on_retire;
    mailbox_push(w->box, &v->retire);
}

static void on_bury(struct mail *m)
{
    struct version *v = container_of(m, struct version, bury);
    struct worker *w = v->worker;
    if (v->drain.link.next)
        timer_stop(w->wheel, &v->drain);
    m->next = w->buried;
    w->buried = m;
}

void worker_bury(struct worker *w, struct version *v)
{
    v->bury.run = on_bury;
    mailbox_push(w->box, &v->bury);
}

static void close_one(struct worker *w)
{
    if (!w->buried)
        return;
    struct version *v = container_of(w->buried, struct version, bury);
    w->buried = v->bury.next;
    task_forget_idle(v);
    version_close(v);
}

/* --- the loop ------------------------------------------------------------- */

int64_t worker_now(struct worker *w)
{
    const struct script_conf *conf = w->conf.conf;
    int64_t now = conf->now ? conf->now(conf->arg) : clock_mono_us() / 1000;
    if (lane_out())
        return now;
    if (now > w->now_ms) /* a wheel does not turn back */
        w->now_ms = now;
    return w->now_ms;
}

int64_t worker_wall(const struct worker *w)
{
    const struct script_conf *conf = w->conf.conf;
    return conf->now ? conf->now(conf->arg) : clock_ms();
}

int64_t worker_tick(struct worker *w)
{
    w->tick_us = clock_mono_us();
    return w->tick_us;
}

int64_t worker_tick_ms(struct worker *w)
{
    return w->conf.conf->now ? worker_now(w) : w->tick_us / 1000;
}

int64_t worker_tick_wall(struct worker *w)
{
    if (w->conf.conf->now)
        return worker_wall(w);
    return w->wall_ms + (w->tick_us - w->wall_at_us) / 1000;
}

/* Asking for a thread's CPU time is a system call, longer than most handlers:
 * short stretches are believed to be all CPU, and what they took since the
 * last look is not a long one's. */
int64_t worker_cpu_of(struct worker *w, int64_t took_us)
{
    if (took_us < LONG_US) {
        w->small_us += took_us;
        return took_us;
    }
    int64_t now = clock_cpu_us();
    int64_t cpu = now - w->cpu_mark_us - w->small_us;
    w->cpu_mark_us = now;
    w->small_us = 0;
    return cpu < 0 ? 0 : cpu < took_us ? cpu : took_us;
}

uint32_t worker_failures(const struct worker *w)
{
    int64_t most = w->conf.conf->failures;
    return most > 0 ? (uint32_t)most : LIMIT_FAILURES;
}

/* What is held is among the runs, and what holds it is not asked again. */
void worker_stop_runs(struct worker *w)
{
    list_each (&w->runs, n) {
        struct run *run = container_of(n, struct run, link);
        struct job *job = run->job;
        if (run->task && run->task->version->away)
            continue;
        if (run->task)
            task_abandon(run->task);
        answer(w, job, ERR_CANCELLED);
    }
    if (list_empty(&w->lent))
        mailbox_push(w->ended, &w->end);
}

static void on_stop(struct mail *m)
{
    struct worker *w = container_of(m, struct worker, stop);
    w->stopping = true;
    lend_hurry(w);
    worker_stop_runs(w);
}

static int64_t nap_us(struct worker *w)
{
    if (w->buried || atomic_load(&w->quit))
        return 0;
    if (w->conf.conf->now || (w->stopping && list_empty(&w->lent)))
        return -1; /* timed by worker_nudge, or nothing is any more */
    int64_t ms = wheel_next(w->wheel, worker_now(w));
    return ms < 0 ? -1 : ms * 1000;
}

static void begin_turn(struct worker *w)
{
    w->cpu_mark_us = clock_cpu_us();
    w->small_us = 0;
    w->wall_ms = clock_ms();
    w->wall_at_us = worker_tick(w);
}

/* Meters are told once a turn: a handler is shorter than eight atomics. */
static void tell_meters(struct worker *w)
{
    list_each (&w->touched, n)
        version_tell(container_of(n, struct version, touched));
    task_tell(&w->call_times);
}

static void run_all(struct worker *w, struct mail *m)
{
    while (m) {
        struct mail *next = m->next;
        worker_tick(w);
        m->run(m);
        m = next;
    }
}

static void run(void *arg)
{
    struct worker *w = arg;
    watch_begin(&w->watch, w->conf.dog);
    while (true) {
        struct mail *m = mailbox_wait(w->box, nap_us(w));
        if (!m && !w->buried && atomic_load(&w->quit))
            break;
        watch_busy(&w->watch, true);
        begin_turn(w);
        run_all(w, m);
        if (!w->stopping || !list_empty(&w->lent))
            wheel_turn(w->wheel, worker_now(w));
        run_ready(w);
        tell_meters(w);
        send_out(w);
        close_one(w);
        watch_busy(&w->watch, false);
    }
}

struct worker *worker_new(const struct worker_conf *conf)
{
    struct worker *w = mem_alloc(sizeof *w);
    w->conf = *conf;
    w->box = mailbox_new(NULL, NULL);
    w->wheel = wheel_new(worker_now(w));
    buf_init(&w->scratch, LIMIT_TRACE_BYTES);
    list_init(&w->runs);
    list_init(&w->ready);
    list_init(&w->touched);
    list_init(&w->lent);
    w->caches = caches_new();
    w->metrics = metrics_new();
    must(thread_start("script", run, w, &w->thread) == 0);
    return w;
}

void worker_stop(struct worker *w, struct mailbox *ended)
{
    w->ended = ended;
    w->stop.run = on_stop;
    mailbox_push(w->box, &w->stop);
}

void worker_free(struct worker *w)
{
    atomic_store(&w->quit, true);
    mailbox_nudge(w->box);
    thread_join(w->thread);
    mailbox_free(w->box);
    wheel_free(w->wheel);
    buf_fini(&w->scratch);
    mem_free(w->slots);
    mem_free(w->free_slot);
    if (w->has_lost)
        return; /* its thread may still look there */
    caches_free(w->caches);
    metrics_free(w->metrics);
    mem_free(w);
}
