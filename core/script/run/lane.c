/* SPDX-License-Identifier: Apache-2.0 */
/* lane.c - a lane's loop, and its replacement.
 *
 * Happy path: sleep in the mailbox, run one stretch, send it back, the next.
 * Failure modes: a call into C that does not come back: no signal ends that.
 * The worker notices, takes the stretch as lost, and another thread goes on
 * where this one stood; if it ever comes back it finds that it has lost, and
 * ends without touching what is not its own any more.
 */
#include "script/run/lane.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/meter.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "script/load/unit.h"
#include "script/run/lend.h"
#include "script/run/task.h"
#include "script/run/watchdog.h"
#include "script/run/worker.h"
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#define SLOW_NICE 10

METER(replaced, METER_COUNTER, "yuelai_script_threads_replaced_total",
      "Threads whose call into C did not come back.");

/* A thread of a lane; a lost one is never freed. */
struct hand {
    struct lanes *lanes;
    enum lane lane;
    struct watch watch;
    struct thread *thread;
    struct mail *rest; /* taken, not yet begun */
};
struct lanes {
    struct watchdog *dog;
    atomic_bool quit;
    struct mailbox *box[LANE_COUNT];
    struct hand *_Atomic hand[LANE_COUNT]; /* who works there now */
};

static _Thread_local struct chain *out;

struct chain *lane_out(void)
{
    return out;
}

void chain_add(struct chain *c, struct mail *m)
{
    m->next = NULL;
    if (c->last)
        c->last->next = m;
    else
        c->first = m;
    c->last = m;
    c->count++;
}

void chain_move(struct chain *to, struct chain *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->count += from->count;
    *from = (struct chain){0};
}

/* --- the loop ------------------------------------------------------------- */

static void collect(struct version *v)
{
    lua_gc(v->L, LUA_GCCOLLECT, 0);
}

/* False: it was lost meanwhile, and with it this thread's place. */
static bool run_one(struct hand *h, struct lent *l)
{
    int is = LENT_RUNNING;
    struct stretch *s = &l->stretch;
    int64_t began = clock_mono_us(), cpu = clock_cpu_us();
    out = &l->out;
    atomic_store(&l->state, LENT_RUNNING);
    if (s->task)
        task_stretch(s, &h->watch);
    else
        collect(l->version);
    out = NULL;
    s->took_us = clock_mono_us() - began;
    s->cpu_us = clock_cpu_us() - cpu;
    return atomic_compare_exchange_strong(&l->state, &is, LENT_QUEUED);
}

static bool run_rest(struct hand *h)
{
    while (h->rest) {
        struct lent *l = container_of(h->rest, struct lent, mail);
        h->rest = h->rest->next;
        if (!run_one(h, l))
            return false;
        lend_back(l);
    }
    return true;
}

static void run(void *arg)
{
    struct hand *h = arg;
    struct lanes *l = h->lanes;
    /* If it is not allowed, the slow are as important as the others. */
    if (h->lane == LANE_SLOW)
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), SLOW_NICE);
    watch_begin(&h->watch, l->dog);
    while (!atomic_load(&l->quit)) {
        watch_busy(&h->watch, true);
        if (!run_rest(h))
            return;
        watch_busy(&h->watch, false);
        h->rest = mailbox_wait(l->box[h->lane], -1);
    }
}

static void start(struct lanes *l, enum lane lane, struct mail *rest)
{
    static const char *const names[] = {"script-new", "script-slow"};
    struct hand *h = mem_alloc(sizeof *h);
    h->lanes = l;
    h->lane = lane;
    h->rest = rest;
    atomic_store(&l->hand[lane], h);
    must(thread_start(names[lane], run, h, &h->thread) == 0);
}

/* --- the face ------------------------------------------------------------- */

struct lanes *lanes_open(struct watchdog *dog)
{
    struct lanes *l = mem_alloc(sizeof *l);
    l->dog = dog;
    for (int i = 0; i < LANE_COUNT; i++) {
        l->box[i] = mailbox_new(NULL, NULL);
        start(l, (enum lane)i, NULL);
    }
    return l;
}

void lanes_close(struct lanes *l)
{
    if (!l)
        return;
    atomic_store(&l->quit, true);
    for (int i = 0; i < LANE_COUNT; i++) {
        mailbox_nudge(l->box[i]);
        thread_join(atomic_load(&l->hand[i])->thread);
    }
    /* One that begins only now looks through all watches. */
    for (int i = 0; i < LANE_COUNT; i++) {
        mailbox_free(l->box[i]);
        mem_free(atomic_load(&l->hand[i]));
    }
    mem_free(l);
}

void lane_give(struct lanes *l, struct lent *lent)
{
    mailbox_push(l->box[lent->lane], &lent->mail);
}

void lane_replace(struct lanes *l, struct lent *lent)
{
    struct hand *h = atomic_load(&l->hand[lent->lane]);
    log_error("script",
              "%.*s: a call did not come back; its thread is "
              "left behind and another takes its place",
              SLICE_FMT(lent->version->name));
    meter_add(&replaced, 1);
    watch_give_up(&h->watch);
    start(l, lent->lane, h->rest);
}
