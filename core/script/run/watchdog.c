/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog.c - ticks, CPU clocks, and one signal.
 *
 * Happy path: nobody is busy and the thread sleeps for ever; somebody is and
 * each tick is one comparison. Failure modes: a signal that comes late finds
 * another sequence number and does nothing; one that is lost (a finalizer put
 * the old hook back) is sent again at the next tick. The script thread makes
 * its number even before it takes the hook off, so that no signal in between
 * can arm the next stretch.
 */
#include "script/run/watchdog.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include <errno.h>
#include <lauxlib.h>
#include <time.h>

#define TICK_US 5000
#define LINGER 20 /* idle ticks before it sleeps */

struct watchdog {
    struct mailbox *box; /* only to sleep in */
    struct thread *thread;
    int64_t limit_us;
    atomic_bool asleep, stop;
    atomic_int count;
    struct watch *_Atomic watch[WATCH_MAX];
};

static __thread struct watch *mine;

/* --- on the script thread ------------------------------------------------- */

static void on_hook(lua_State *L, lua_Debug *ar)
{
    struct watch *w = mine;
    if (atomic_load(&w->doomed) != atomic_load(&w->seq))
        return;
    luaL_where(L, 0);
    lua_pushliteral(L, "killed: used too much CPU time without waiting");
    lua_concat(L, 2);
    lua_error(L);
}

static void on_signal(int number)
{
    int was = errno;
    struct watch *w = mine;
    if (w) {
        unsigned seq = atomic_load(&w->seq);
        if ((seq & 1) && seq == atomic_load(&w->doomed)) {
            w->hooked = 1;
            lua_sethook(
                w->L, on_hook,
                LUA_MASKCOUNT | LUA_MASKLINE | LUA_MASKCALL | LUA_MASKRET, 1);
        }
    }
    errno = was;
}

/* A new one, or that of one who was given up. */
static void find_place(struct watchdog *d, struct watch *w)
{
    for (int i = 0; i < atomic_load(&d->count); i++) {
        struct watch *was = atomic_load(&d->watch[i]);
        if (was && atomic_load(&was->given_up) &&
            atomic_compare_exchange_strong(&d->watch[i], &was, w))
            return;
    }
    int at = atomic_fetch_add(&d->count, 1);
    must(at < WATCH_MAX);
    atomic_store(&d->watch[at], w);
}

void watch_begin(struct watch *w, struct watchdog *d)
{
    *w = (struct watch){.dog = d, .thread = pthread_self()};
    must(pthread_getcpuclockid(w->thread, &w->clock) == 0);
    mine = w;
    sigset_t ours; /* threads start with everything blocked (loop.h) */
    sigemptyset(&ours);
    sigaddset(&ours, SIGUSR2);
    must(pthread_sigmask(SIG_UNBLOCK, &ours, NULL) == 0);
    find_place(d, w);
}

void watch_give_up(struct watch *w)
{
    atomic_store(&w->given_up, true);
}

void watch_busy(struct watch *w, bool busy)
{
    atomic_store(&w->busy, busy);
    if (busy && atomic_exchange(&w->dog->asleep, false))
        mailbox_nudge(w->dog->box);
}

/* Only its own thread changes it, and the handler that asks runs there too:
 * no locked addition. The dog may read it late by a tick. */
static unsigned next_seq(struct watch *w)
{
    unsigned was = atomic_load_explicit(&w->seq, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&w->seq, was + 1, memory_order_release);
    atomic_signal_fence(memory_order_seq_cst);
    return was;
}

void watch_enter(struct watch *w, lua_State *L, int64_t limit_ms)
{
    w->L = L;
    atomic_store_explicit(&w->limit_us, limit_ms * 1000, memory_order_relaxed);
#ifdef __SANITIZE_THREAD__
    /* TSan holds asynchronous signals back until the next call it knows, and
     * interpreted Lua makes none: let the hook look by itself. */
    lua_sethook(L, on_hook, LUA_MASKCOUNT, 1000);
    w->hooked = 1;
#endif
    next_seq(w);
}

bool watch_leave(struct watch *w)
{
    unsigned seq = next_seq(w);
    if (w->hooked) {
        lua_sethook(w->L, NULL, 0, 0);
        w->hooked = 0;
    }
    return atomic_load(&w->doomed) == seq;
}

/* --- on the watchdog's ---------------------------------------------------- */

static int64_t cpu_us(const struct watch *w)
{
    struct timespec t;
    if (clock_gettime(w->clock, &t) != 0)
        return 0; /* the thread has just ended */
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* One look at one thread; true if it has work. */
static bool look(struct watchdog *d, struct watch *w)
{
    unsigned seq = atomic_load(&w->seq);
    if (atomic_load(&w->given_up))
        return false;
    if (!(seq & 1)) {
        w->seen = 0;
        return atomic_load(&w->busy);
    }
    int64_t now = cpu_us(w);
    int64_t limit = atomic_load_explicit(&w->limit_us, memory_order_relaxed);
    if (limit == 0 || limit > d->limit_us)
        limit = d->limit_us;
    if (seq != w->seen) {
        w->seen = seq;
        w->since_us = now;
    } else if (now - w->since_us > limit) {
        atomic_store(&w->doomed, seq);
        pthread_kill(w->thread, SIGUSR2);
    }
    return true;
}

static bool look_all(struct watchdog *d)
{
    bool busy = false;
    for (int i = 0; i < WATCH_MAX; i++) {
        struct watch *w = atomic_load(&d->watch[i]);
        busy |= w && look(d, w);
    }
    return busy;
}

static void run(void *arg)
{
    struct watchdog *d = arg;
    int idle = 0;
    while (!atomic_load(&d->stop)) {
        idle = look_all(d) ? 0 : idle + 1;
        if (idle <= LINGER) {
            mailbox_wait(d->box, TICK_US);
            continue;
        }
        atomic_store(&d->asleep, true);
        if (look_all(d) || atomic_load(&d->stop))
            atomic_store(&d->asleep, false); /* came just now */
        else
            mailbox_wait(d->box, -1);
        idle = 0;
    }
}

struct watchdog *watchdog_open(int64_t limit_ms)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&sa.sa_mask);
    must(sigaction(SIGUSR2, &sa, NULL) == 0);
    struct watchdog *d = mem_alloc(sizeof *d);
    d->limit_us = limit_ms * 1000;
    d->box = mailbox_new(NULL, NULL);
    must(thread_start("watchdog", run, d, &d->thread) == 0);
    return d;
}

void watchdog_stop(struct watchdog *d)
{
    atomic_store(&d->stop, true);
    mailbox_nudge(d->box);
    thread_join(d->thread);
}

void watchdog_free(struct watchdog *d)
{
    mailbox_free(d->box);
    mem_free(d);
}
