/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog.h - stops a script that does not come back.
 *
 * Why not a count hook: it costs a third of every handler; this costs 0.7 ns.
 * A script thread makes its sequence number odd around each stretch of Lua.
 * The watchdog's thread looks every 5 ms, and only while somebody is busy; if
 * it meets the same odd number after the thread has used up its CPU time, it
 * signals that thread (SIGUSR2), whose handler arms a hook that raises. The
 * hook stays until the outermost call has returned, so that a pcall cannot
 * swallow a kill.
 *
 * Thread: watchdog_* by the opener; watch_* by the script thread.
 */
#pragma once
#include <lua.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define WATCH_MAX 72 /* script threads, lanes */

struct watchdog;
struct watch {
    struct watchdog *dog;
    lua_State *L;          /* of the stretch under way */
    atomic_uint seq;       /* odd: in Lua */
    atomic_uint doomed;    /* the seq to be killed */
    atomic_bool busy;      /* has work; the dog must look */
    atomic_bool given_up;  /* nobody looks at it any more */
    atomic_llong limit_us; /* of the stretch under way; 0 = the dog's */
    volatile sig_atomic_t hooked;
    pthread_t thread;
    clockid_t clock; /* the thread's CPU time */
    /* the dog's own */
    unsigned seen;
    int64_t since_us;
};

struct watchdog *watchdog_open(int64_t limit_ms);
/* After the last watch_leave, and before the script threads end, since it may
 * signal them until then. */
void watchdog_stop(struct watchdog *d);
void watchdog_free(struct watchdog *d); /* after they have ended */

/* w lives until watchdog_stop. On its own thread. */
void watch_begin(struct watch *w, struct watchdog *d);
void watch_busy(struct watch *w, bool busy);
/* limit_ms: CPU time of this stretch, 0 = the dog's own. */
void watch_enter(struct watch *w, lua_State *L, int64_t limit_ms);
/* Its thread does not come back; any thread. */
void watch_give_up(struct watch *w);
bool watch_leave(struct watch *w); /* true: that stretch was told to die */
