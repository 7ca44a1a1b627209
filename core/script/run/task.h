/* SPDX-License-Identifier: Apache-2.0 */
/* task.h - one handler of one unit for one job, as a coroutine.
 *
 * A task runs until it returns, fails, is killed or waits. What waits is held
 * by {version, slot, generation}, never by a lua_State: a late answer finds
 * another generation and is dropped.
 *
 * Thread: its worker.   Owns: a coroutine, the answer that came.
 * States: RUNNING <-> WAITING -> (end)
 */
#pragma once
#include "base/wheel.h"
#include "desk/effect.h"
#include "script/script.h"
#include <lua.h>

struct tally;
struct worker;
struct version;
struct stretch;
struct watch;
struct hop;
struct play;

enum outcome {
    OUTCOME_PASSED,  /* the next rule, please */
    OUTCOME_DECIDED, /* the round is over */
    OUTCOME_FAILED,  /* recorded; what it wanted is forgotten */
    OUTCOME_WAITING  /* it will go on by itself */
};
/* PARK: the run of a flow is over, its coroutine is not gone on with. */
enum task_wait { WAIT_NONE, WAIT_ASK, WAIT_SLEEP, WAIT_PARK, WAIT_PART };

/* What a handler may change in a job, to take it back when it fails. */
struct mark {
    struct effect *last;
    uint32_t count;
    struct slice tags, attributes;
    int32_t priority;
};
/* The same for what few change: kept when it first is (bind_edit). */
struct was {
    struct contact contact;
    struct slice body, text, kind;
};

struct task;
/* What must be done when a handler is over, however it ends: streams it holds,
 * values it makes. fn is called once; then e is in no list. */
struct task;
struct task_end {
    struct list link;
    void (*fn)(struct task *t, struct task_end *e);
};

struct task {
    struct list link; /* version's tasks or idle */
    struct list ends; /* of struct task_end */
    struct worker *worker;
    struct version *version;
    struct job *job;
    lua_State *co;
    int ref;             /* co in the registry */
    uint32_t slot;       /* in the worker */
    uint64_t id;         /* of this handler's call; never used twice */
    uint64_t generation; /* of this wait; new at each, 0 = none */
    enum task_wait wait;
    enum task_wait after; /* of PART: what it waits for then */
    struct timer timer;   /* the wait's or the handler's end */
    int64_t wall_until;   /* ms of the worker's wheel */
    int32_t wall_ms;      /* of which it is the end */
    int64_t wake_at;      /* of a sleep */
    int result;           /* of the wait: 0 or ERR_*; TIMEOUT: the handler's */
    bool resumed;         /* and nobody has looked at the result yet */
    struct script_ask *ask;    /* being made, not yet sent; owned */
    struct script_ask *answer; /* owned until the next wait or the end */
    uint32_t lines;            /* logged */
    uint32_t effects, https;   /* wanted, called so far */
    struct slice unit;         /* its name in the job's arena, once needed */
    struct effect *rejected;   /* conv:reject: the round is over */
    bool cut;                  /* ended while it waited: time, reload */
    int64_t began_us;
    struct hop *hop;  /* NULL: only counted */
    bool handed_over; /* it gave the conversation to people: canary.h */
    struct mark mark;
    struct was *was;   /* NULL: nothing of that changed */
    struct play *play; /* of a flow (play.h), else NULL; in the job's arena */
};

/* Begins the handler of job's hook. */
enum outcome task_start(struct worker *w, struct version *v, struct job *job);
/* Ends a wait with result; takes the answer (may be NULL). */
enum outcome task_resume(struct task *t, int result, struct script_ask *answer);
/* A task whose resume was held goes on (lend.h). */
enum outcome task_go_on(struct task *t);
/* Runs a stretch of s->task, on the thread that has the state; fills status
 * and killed. */
void task_stretch(struct stretch *s, struct watch *watch);
/* The same has ended elsewhere. */
enum outcome task_back(struct task *t, const struct stretch *s);
/* Its thread did not come back: it fails and is left to it. */
enum outcome task_lose(struct task *t);
/* Its part is committed (or refused): the wait itself begins. */
void task_given(struct task *t);
/* Without running any more Lua: the house stops. */
void task_abandon(struct task *t);
/* Tells the meters how long stretches took. */
void task_tell(struct tally *call_times);
/* Frees the pooled ones of a version, before its state is closed. */
void task_forget_idle(struct version *v);

/* --- for the calls that wait (bind_*) --- */
/* A new ask of this task, sent when the task has really yielded. One more
 * http call than the script may make: task_wait_ask gives ERR_RATE_LIMITED. */
struct script_ask *task_ask(struct task *t, enum ask_kind kind);
/* An ask that nobody waits for the answer of: it is sent by task_post, which
 * takes it. */
struct script_ask *task_note(struct task *t, enum ask_kind kind);
void task_post(struct task *t, struct script_ask *ask);
/* The next yield waits for the ask's answer, or for time to pass. Returns 0,
 * ERR_CANCELLED (the version is retired: nothing waits any more),
 * ERR_TIMEOUT (the handler's own time is over) or ERR_RATE_LIMITED. */
int task_wait_ask(struct task *t);
int task_wait_sleep(struct task *t, int64_t ms);
/* How an ask travels, and to whom its answer belongs. */
struct posted_ask {
    struct script_ask ask;
    struct worker *worker;
    struct script *script;
};
