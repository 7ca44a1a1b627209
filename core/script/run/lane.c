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

#define NEW_NICE 10
#define SLOW_NICE 19

METER(replaced, METER_COUNTER, "yuelai_script_threads_replaced_total",
      "Threads whose call into C did not come back.");

/* A thread of a lane; a lost one is never freed. */
struct hand {
    struct lanes *lanes;
    int lane;
    struct watch watch;
    struct thread *thread;
    struct mail *rest; /* taken, not yet begun */
};
struct lanes {
    struct watchdog *dog;
    atomic_bool quit;
    struct one {
        struct mailbox *box;
        struct hand *_Atomic hand; /* who works there now */
        atomic_bool begun;
        atomic_int lent; /* given and not yet back */
    } lane[LANES_MOST];  /* the last one is SLOW */
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
    atomic_int *lent = &h->lanes->lane[h->lane].lent;
    while (h->rest) {
        struct lent *l = container_of(h->rest, struct lent, mail);
        h->rest = h->rest->next;
        if (!run_one(h, l))
            return false;
        atomic_fetch_sub(lent, 1);
        lend_back(l);
    }
    return true;
}

static void run(void *arg)
{
    struct hand *h = arg;
    struct lanes *l = h->lanes;
    /* Sockets and the store come first, also on a machine with fewer cores
     * than lanes. If it is not allowed, all are as important. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(),
                      h->lane == LANES_NEW ? SLOW_NICE : NEW_NICE);
    watch_begin(&h->watch, l->dog);
    while (!atomic_load(&l->quit)) {
        watch_busy(&h->watch, true);
        if (!run_rest(h))
            return;
        watch_busy(&h->watch, false);
        h->rest = mailbox_wait(l->lane[h->lane].box, -1);
    }
}

static void start(struct lanes *l, int lane, struct mail *rest)
{
    const char *name = lane < LANES_NEW ? "script-new" : "script-slow";
    struct hand *h = mem_alloc(sizeof *h);
    h->lanes = l;
    h->lane = lane;
    h->rest = rest;
    atomic_store(&l->lane[lane].hand, h);
    must(thread_start(name, run, h, &h->thread) == 0);
}

/* --- the face ------------------------------------------------------------- */

struct lanes *lanes_open(struct watchdog *dog)
{
    struct lanes *l = mem_alloc(sizeof *l);
    l->dog = dog;
    for (int i = 0; i < LANES_MOST; i++)
        l->lane[i].box = mailbox_new(NULL, NULL);
    return l;
}

void lanes_close(struct lanes *l)
{
    if (!l)
        return;
    atomic_store(&l->quit, true);
    for (int i = 0; i < LANES_MOST; i++) {
        mailbox_nudge(l->lane[i].box);
        if (atomic_load(&l->lane[i].begun))
            thread_join(atomic_load(&l->lane[i].hand)->thread);
    }
    /* One that begins only now looks through all watches. */
    for (int i = 0; i < LANES_MOST; i++) {
        mailbox_free(l->lane[i].box);
        mem_free(atomic_load(&l->lane[i].hand));
    }
    mem_free(l);
}

/* Of the new ones' that with the least to do; the first of these. */
static int free_lane(struct lanes *l)
{
    int best = 0;
    for (int i = 1; i < LANES_NEW; i++)
        if (atomic_load(&l->lane[i].lent) < atomic_load(&l->lane[best].lent))
            best = i;
    return best;
}

void lane_give(struct lanes *l, struct lent *lent)
{
    lent->lane = lent->kind == LANE_SLOW ? LANES_NEW : free_lane(l);
    struct one *one = &l->lane[lent->lane];
    atomic_fetch_add(&one->lent, 1);
    if (!atomic_exchange(&one->begun, true))
        start(l, lent->lane, NULL);
    mailbox_push(one->box, &lent->mail);
}

void lane_replace(struct lanes *l, struct lent *lent)
{
    struct one *one = &l->lane[lent->lane];
    struct hand *h = atomic_load(&one->hand);
    log_error("script",
              "%.*s: a call did not come back; its thread is "
              "left behind and another takes its place",
              SLICE_FMT(lent->version->name));
    meter_add(&replaced, 1);
    atomic_fetch_sub(&one->lent, 1);
    watch_give_up(&h->watch);
    start(l, lent->lane, h->rest);
}
