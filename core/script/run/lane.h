/* SPDX-License-Identifier: Apache-2.0 */
/* lane.h - threads for Lua that may take long.
 *
 * Why: a handler that loops is stopped at its CPU limit, and until then its
 * thread runs nobody else's. So a worker lends what it does not trust: the
 * stretches (from start or wait to wait or end) of a version that is new, or
 * takes long, run on a lane of the kind NEW, of which there are some, so that
 * a good one does not wait for bad ones; those of one that was stopped lately
 * on the lane SLOW, which has the lowest claim to a core. Only the running of
 * Lua goes there: jobs, waits, timers and ends stay the worker's (lend.h). A
 * lane's thread begins when it is first needed.
 *
 * Thread: lanes_* by the opener; lane_give, lane_replace by any.
 */
#pragma once
#include "base/mail.h"
#include "base/map.h"
#include "base/wheel.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct task;
struct version;
struct watch;
struct watchdog;
struct worker;

enum lane { LANE_NONE, LANE_NEW, LANE_SLOW };
#define LANES_NEW 4
#define LANES_MOST (LANES_NEW + 1)

/* Mails in a row. */
struct chain {
    struct mail *first, *last;
    size_t count;
};
void chain_add(struct chain *c, struct mail *m);
void chain_move(struct chain *to, struct chain *from); /* from is empty then */

/* One stretch of Lua, and how it went. */
struct stretch {
    struct task *task;
    int nargs;
    int64_t limit_ms; /* of CPU; 0 = the house's */
    int status;       /* lua_resume's */
    bool killed;
    int64_t took_us, cpu_us;
};

/* Whoever ends RUNNING has the version. */
enum lent_state { LENT_QUEUED, LENT_RUNNING, LENT_LOST };

/* A version's way to a lane and back; one a version, made when first lent. */
struct lent {
    struct mail mail;
    struct worker *worker; /* whose it is */
    struct version *version;
    struct stretch stretch; /* task NULL: its garbage is collected */
    struct chain out;       /* what Lua posted meanwhile */
    enum lane kind;
    int lane;             /* of LANES_MOST */
    atomic_int state;     /* enum lent_state */
    bool seen;            /* running, one look ago */
    struct timer overdue; /* in the worker's wheel */
    struct list held;     /* of runs that want the version meanwhile */
};

struct lanes;
struct lanes *lanes_open(struct watchdog *dog);
/* Nothing is lent any more; joins. A lost thread is left behind. */
void lanes_close(struct lanes *l);
/* It comes back by `mail` to the worker's box; takes it until then. */
void lane_give(struct lanes *l, struct lent *lent);
/* The lane's thread did not come back from lent, which the caller has taken
 * from it (RUNNING -> LOST): another one goes on with what waits. */
void lane_replace(struct lanes *l, struct lent *lent);
/* Where mail of this thread's stretch goes; NULL on a worker. */
struct chain *lane_out(void);
