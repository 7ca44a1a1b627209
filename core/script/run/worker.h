/* SPDX-License-Identifier: Apache-2.0 */
/* worker.h - a script thread: jobs in, jobs out.
 *
 * A job carries the plan it began with and how far it is. A worker runs what
 * of it is pinned here and hands it on; the one that ends it answers.
 *
 * Thread: worker_new/_stop/_free by the opener; worker_give, _answer, _retire
 * and _bury by any.
 */
#pragma once
#include "script/load/unit.h"
#include "script/run/hops.h"
#include "script/run/lane.h"
#include "script/run/task.h"
#include "script/run/watchdog.h"

struct caches;
struct metrics;
struct json;
struct screen;

/* A job's way through the pipeline; lies in the job's arena. */
struct run {
    struct job *job;
    struct list link;  /* worker's runs, while here */
    struct list hold;  /* of a version that is away: lend.h */
    struct plan *plan; /* one ref */
    struct worker *worker;
    struct list ready;    /* worker's, until its next handler's turn */
    uint32_t at;          /* next in the plan */
    struct version *next; /* whose turn it is, while it is ready */
    int64_t given_us;
    struct task *task; /* waiting in it, or NULL */
    struct json *body; /* of the message, once a rule looked at it */
    struct hops hops;
    uint32_t given; /* effects that went ahead in parts */
    bool is_part;
    bool screened; /* its replies have been through on_send */
    struct screen *screen;
};

struct worker_conf {
    struct loop *home;
    struct watchdog *dog;
    struct lanes *lanes; /* NULL: nothing is lent */
    struct script *script;
    atomic_llong *depth;            /* jobs not yet answered */
    const struct script_conf *conf; /* now, on_part, failures */
    int64_t drain_ms; /* a retired version's waits may take that long */
};
struct worker {
    struct worker_conf conf;
    struct mailbox *box;
    struct chain in; /* queued; the home thread's */
    struct thread *thread;
    struct wheel *wheel;
    struct watch watch;
    struct task **slots;
    uint32_t slot_count, free_slots, *free_slot;
    uint64_t generation;
    int64_t cpu_mark_us, small_us; /* worker_cpu_of */
    int64_t tick_us; /* monotonic, as of the last look: worker_tick */
    int64_t wall_ms, wall_at_us; /* the wall's clock, when it was looked at */
    struct tally call_times;     /* of handlers; told once a turn, like: */
    struct list touched;         /* versions whose meters are to be told */
    int64_t now_ms;              /* the latest that worker_now said */
    struct buf scratch;          /* hops_write */
    struct caches *caches;       /* both: see there who may */
    struct metrics *metrics;
    struct list runs;
    struct list ready;   /* of them, those whose next handler can start */
    struct list lent;    /* versions that are away */
    bool has_lost;       /* one of them for ever: lend.c */
    struct chain out;    /* to the home loop, at the batch's end */
    struct mail *buried; /* versions to be closed, one a turn */
    struct mail stop;
    bool stopping;
    atomic_bool quit;
    struct mailbox *ended; /* told when it has stopped */
    struct mail end;
};
struct worker *worker_new(const struct worker_conf *conf);
/* Cancels what is there; a mail comes to `ended` when it runs no more Lua. */
void worker_stop(struct worker *w, struct mailbox *ended);
void worker_free(struct worker *w); /* after that; joins */

void worker_give(struct worker *w, struct job *job); /* takes */
/* Home thread: given by the next worker_flush, all of them with one wake. */
void worker_queue(struct worker *w, struct job *job); /* takes */
void worker_flush(struct worker *w);
void worker_answer(struct worker *w, struct script_ask *a); /* takes */
void worker_nudge(struct worker *w);                        /* conf.now moved */
void worker_retire(struct worker *w, struct version *v);
void worker_bury(struct worker *w, struct version *v); /* takes */

/* --- where its Lua runs: on its own thread, or the lane's --- */
void worker_post(struct worker *w, struct mail *m); /* to the home loop */
void worker_ask(struct worker *w, struct script_ask *ask); /* takes */
int64_t worker_now(struct worker *w);                      /* ms, the wheel's */
int64_t worker_wall(const struct worker *w); /* ms since 1970; any thread */
/* --- on the worker's own thread --- */
/* A look at the clock; in between, three handlers a microsecond, nobody needs
 * to know it better: tick_us, worker_tick_ms and worker_tick_wall are of it. */
int64_t worker_tick(struct worker *w);
int64_t worker_tick_ms(struct worker *w);
int64_t worker_tick_wall(struct worker *w);
/* CPU time of a stretch of Lua that took so long by the clock. */
int64_t worker_cpu_of(struct worker *w, int64_t took_us);
uint32_t worker_failures(const struct worker *w); /* in a row: off */
/* A part goes through the plan's on_send and home. Takes it. */
void worker_part(struct worker *w, struct job *part, struct plan *plan);
/* Waiting tasks by number. */
uint32_t worker_slot(struct worker *w, struct task *t);
struct task *worker_task(const struct worker *w, uint64_t slot,
                         uint64_t generation); /* or NULL: it is over */
void worker_free_slot(struct worker *w, uint32_t slot);
/* A task that waited has ended: on with its job. */
void worker_go_on(struct worker *w, struct job *job, enum outcome o);
/* The house stops: answers what is here, except of versions that are away. */
void worker_stop_runs(struct worker *w);
