/* SPDX-License-Identifier: Apache-2.0 */
/* play.h - one run of a flow: its log read, gone on with, written.
 *
 * Why: a flow is written as straight code, but must survive restart, reload
 * and upgrade. So every wait and every step leaves an entry in a log, and a
 * run begins at the top of the code, where what has an entry gets it at once
 * (it is replayed), up to the first wait without one: there the run ends (it
 * parks) and the log is stored with the effects of what was new (I3).
 *
 * Log: JSON array of {"k":kind,"n":name,"at":ms,"t":tries,"v":[values]}. Only
 * the last may be open (no "v", perhaps "due"): what it waits for. The first is
 * "start": the conversation as the flow sees it from then on.
 *
 * While replaying, what the script wants is forgotten at each entry, for it was
 * committed with that entry. A run that fails keeps the log up to where its
 * effects are kept: the entry that what woke it has closed.
 *
 * Thread: the task's worker.   Owns: the log under way.
 */
#pragma once
#include "base/json.h"
#include "script/run/task.h"

#define PLAY_NAME 80 /* bytes of an entry's name */

struct play_open {
    bool is;
    struct slice kind, name;
    int64_t due_at;
    uint32_t tries; /* of a step: that failed */
};
struct play_point { /* where a log can be cut */
    size_t len;
    struct slice text; /* once the log itself has forgotten it */
    uint32_t step;
    struct play_open open;
};
struct play {
    struct task *task;
    struct flow *flow;       /* the job's */
    const struct json *next; /* the entry that comes next, closed; or NULL */
    struct buf log;          /* "[{...},{...}": closed entries, without end */
    uint32_t step;           /* closed entries in it */
    size_t first_len;        /* up to and with "start" */
    struct play_open open;
    struct play_point safe;
    struct effect *last;     /* the job's, when the run began */
    uint32_t count, effects; /* likewise; the task's */
    bool live;               /* nothing is left to be replayed */
    bool brought;            /* what woke the flow has been given to it */
    bool in_step, stopped;
    struct mark mark; /* at the step's begin */
    uint32_t mark_effects;
    uint64_t generation;     /* likewise: another one then = it waited */
    int64_t at;              /* logical time: of the last entry */
    uint64_t drawn;          /* random numbers since then */
    struct conversation now; /* as it really is; the job's is the flow's view */
    struct contact contact;
    struct slice saga, state; /* for people: JSON, a name */
    enum flow_state end;      /* when stopped */
    int64_t due_at;
    struct slice waits; /* for people; "" = as before */
    struct slice error; /* play_break */
    struct slice stuck; /* play_stuck */
};

/* --- for task.c --- */
/* Before the run: reads the log, gives the job's conversation the flow's view
 * of it. ERR_UNPROCESSABLE: the log is none; the flow has FAILED. */
int play_begin(struct task *t);
void play_free(struct task *t); /* t->play may be NULL */
/* How it ended; each writes job->flow. parked: by a yield. True: well (also
 * when it only waits). */
bool play_end(struct task *t, bool parked);
void play_fail(struct task *t, const char *why);

/* --- for the calls --- */
bool play_is_replaying(const struct task *t); /* t may be NULL */
bool play_in_step(const struct task *t);      /* likewise */
/* True: a flow runs outside of a step; *ms = its time. */
bool play_clock(const struct task *t, int64_t *ms);

int64_t play_wall(const struct play *p); /* the real time, ms */

/* What the flow has come to, at a call that leaves an entry. */
enum play_next { PLAY_NEW, PLAY_KEPT, PLAY_OPEN, PLAY_STOP };
/* KEPT: *out = the entry, which is consumed. OPEN: p->open. STOP: the log does
 * not fit; the run is over (the caller yields). name NULL: any. */
enum play_next play_next(struct play *p, const char *kind, const char *name,
                         const struct json **out);
/* Closes the entry that is open, or a new one. values: JSON array. False: the
 * log is full; STOP. *out: the values, parsed, in the job's arena. */
bool play_close(struct play *p, const char *kind, const char *name,
                uint32_t tries, struct slice values, const struct json **out);
/* The last entry is open now. */
void play_wait(struct play *p, const char *kind, const char *name,
               int64_t due_at, uint32_t tries);
/* All entries but "start" are forgotten: what comes next stands for them. */
void play_forget(struct play *p);
/* The run ends here: the caller yields. */
void play_park(struct play *p, enum flow_state end, int64_t due_at,
               const char *waits);
/* STOP with FAILED and a sentence. */
void play_break(struct play *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same, but the log stays as it is now: run again, it goes on there. */
void play_stuck(struct play *p, struct slice why);
/* What the job brings for the open entry: true, and JSON values in *out. */
bool play_outcome(struct play *p, struct slice *out);
/* A step begins; it ends (ok: what it wanted counts). Returns: has it waited? */
void play_step_begin(struct play *p);
bool play_step_end(struct play *p, bool ok);
/* In [0, 1), the same in every run. */
double play_random(struct play *p);
/* "10m", "90s", "2d" */
void play_duration(char out[24], int64_t ms);
