/* SPDX-License-Identifier: Apache-2.0 */
/* unit.h - a script file, its versions, and the plan they serve in.
 *
 * A `unit` is the file as people know it: name, state, errors, meters. A
 * `version` is one text of it, loaded: a lua_State and what its table said. A
 * `plan` is the list of all serving versions in the order of the pipeline.
 * It never changes: main publishes a new one and a job keeps the one it began
 * with, so that an event meets one set of rules from start to end (I8).
 *
 * Threads: units are main's, except what is marked. A version is made by the
 * builder, then belongs to its worker, except what never changes. Plans and
 * versions are counted; the last one out closes.
 */
#pragma once
#include "base/limits.h"
#include "base/meter.h"
#include "base/wheel.h"
#include "script/load/canary.h"
#include "script/load/choice.h"
#include "script/load/match.h"
#include "script/run/budget.h"
#include <stdatomic.h>

struct worker;
struct lent;
struct script;

#define UNIT_NAME 200    /* bytes of "rules/20-refund" and its like */
#define VERSION_TEXT 16  /* 12 hex digits */
#define UNIT_TROUBLES 20 /* distinct places remembered */

enum unit_state {
    UNIT_SERVING,
    UNIT_BROKEN,
    UNIT_QUARANTINED,
    UNIT_LAST_GOOD,
    UNIT_ROLLED_BACK, /* not the file's version serves, by command or verdict */
    UNIT_OFF,         /* by hand */
    UNIT_FAILING      /* off: it failed too often in a row */
};
const char *unit_state_name(enum unit_state s);

enum phase { PHASE_RUN, PHASE_LOAD, PHASE_TEST };

/* One distinct place of trouble, with how often. */
struct trouble {
    struct list link;
    enum phase phase;
    uint32_t line; /* 0 = unknown */
    int64_t count, first_at, last_at;
    char *file, *message, *traceback; /* owned */
    /* of the last one, when it ran: */
    const char *hook;   /* NULL: it did not */
    uint64_t pos, conv; /* of the event and its conversation; 0 = none */
    char *log;          /* lines the script wrote before; owned, or NULL */
};
void trouble_free(struct trouble *t);

/* Series by script; alive for ever, any thread. */
struct unit_meters {
    struct meter *calls, *errors, *kills, *cpu, *memory, *reloads, *in_flight;
};

struct unit {
    atomic_int refs; /* any thread */
    struct unit_meters meters;
    struct timer every;
    int64_t due_at; /* of `every`, wall clock; 0 = never */
    struct script *script;
    enum unit_state state;
    bool off;                /* by hand */
    bool broken;             /* the file does not load */
    bool is_back;            /* the file's version is refused */
    enum unit_state ill;     /* switched off for its failures; SERVING = not */
    struct version *version; /* serving, or NULL; one ref */
    int64_t since_at;        /* it serves new conversations */
    struct canary *canary;   /* is tried, or NULL */
    struct {
        int32_t share; /* 0 = was not */
        int64_t since_at, until_at;
    } tried;                        /* how the serving one was a canary */
    struct term pinned[PINNED_MAX]; /* oldest first; one ref each */
    size_t pinned_count;
    char refused[LIMIT_VERSIONS][VERSION_TEXT];
    size_t refused_count;
    char note[240]; /* what became of the last change, for people */
    struct list troubles;
    int trouble_count;
    int64_t loaded_at;
    char text[VERSION_TEXT]; /* of the serving version */
    char name[];             /* never changes */
};
struct unit *unit_new(struct script *s, struct slice name);
void unit_ref(struct unit *u);
void unit_free(struct unit *u); /* drops one ref */
/* Versions that are not loaded from the file: it was rolled back from them. */
bool unit_is_refused(const struct unit *u, const char *version);
void unit_refuse(struct unit *u, const char *version); /* "" = none */
void unit_forgive(struct unit *u, const char *version);

/* A piece of source that a version was made of. */
struct source {
    struct source *next;
    struct slice name; /* "rules/20-refund", "lib/words" */
    struct slice text;
    struct leaf *leaf; /* whose text it is, one ref; NULL: its arena's */
};

/* How far one handler may go: the house's, or less by the file's `limits`. */
struct limits {
    int64_t cpu_ms;  /* between waits; 0 = the watchdog's */
    int64_t wall_ms; /* waits included */
    int64_t memory;  /* bytes */
    uint32_t http, effects;
};

struct version {
    unsigned magic;
    atomic_int refs;          /* plans and the unit */
    struct unit *unit;        /* one ref; set by main before it serves */
    struct worker *worker;    /* set by main likewise */
    struct mail retire, bury; /* to the worker: stop in time; close */
    /* never change after loading */
    struct arena *arena;
    struct slice name, file; /* file: "scripts/rules/20-refund.lua" */
    char text[VERSION_TEXT];
    struct match match;
    int32_t priority;
    int64_t every_ms;      /* 0 = none */
    struct period *period; /* cron; NULL = none */
    int64_t deadline_ms;   /* script_patience; 0 = the house's */
    uint32_t hooks;        /* bits of enum hook */
    uint32_t events;       /* on_event: bits of event_bit */
    struct limits limits;
    bool pin;    /* running conversations stay on it */
    bool strict; /* what its on_inbound, on_send cannot check is refused */
    struct canary_conf canary;
    atomic_bool on_trial;   /* calls are counted: canary.h; any thread */
    int hook[HOOK_COUNT];   /* registry, LUA_NOREF = has none */
    int conv, enter;        /* likewise: conv's metatable, what makes msg */
    const void *conv_meta;  /* the metatable's address */
    int guard;              /* likewise: of a connector, ai/guard.lua's table */
    struct slice hop_head;  /* hops_head */
    struct slice adapter;   /* of a channel, connector, tool: JSON for
                              script_channels, script_assistants */
    void *adapter_data;     /* while loading; adapter.c, connector.c */
    struct source *sources; /* its own first, then its libs */
    /* whoever has the state */
    lua_State *L;
    struct budget budget;
    struct task *running; /* in whose name Lua runs, NULL while loading */
    struct log_tail *log; /* owned; NULL: it has logged nothing */
    struct list tasks;    /* alive, in its worker's slots */
    struct list idle;     /* tasks with a coroutine to use again */
    uint32_t idle_count, task_count;
    int64_t kill_at[5]; /* ms, a ring */
    uint32_t kills;
    uint32_t failed; /* handlers in a row */
    /* not yet told to the unit's meters; touched: in the worker's list */
    struct list touched;
    int64_t new_calls, new_us, told_tasks;
    bool quarantined, failing, drained;
    struct timer drain;
    /* lending: script/run/lend.h */
    struct lent *lent; /* owned; NULL: it never was */
    struct list at_lane;
    bool away;      /* a lane has the state */
    bool lost;      /* for ever */
    bool drain_due; /* when it is back */
    uint8_t proven;
    int64_t slow_until;          /* ms, 0 = it is not slow */
    uint64_t streams;            /* opened so far: bind_stream */
    struct arena *scratch_arena; /* of a call under way; see bind.h */
    struct buf scratch;
    struct loader *loader; /* while loading: require looks here */
};
#define VERSION_MAGIC 0x76657273u
void version_ref(struct version *v);
/* Drops one ref; the last one sends it to its worker to be closed, or closes
 * it here if no worker ever had it. */
void version_unref(struct version *v);
/* Tells the meters what is new; it is in no list then. */
void version_tell(struct version *v);
void version_close(struct version *v); /* on its worker, or before it has one */

/* A public event's bit in `events`; 0 = it is none. */
uint32_t event_bit(enum event_name name);
uint32_t event_bit_of(struct slice name);

/* What serves, in the order of the pipeline. A unit of which several versions
 * are alive stands there once for each; its choice tells whose a job is. */
struct plan {
    atomic_int refs;
    uint32_t hooks, events; /* of any of them: script_wants asks these first */
    bool deadlines;         /* any of them has one */
    bool strict;            /* likewise */
    size_t count;
    struct choice *choices;       /* owned */
    const struct choice **choice; /* of at[i]; NULL: it is the only one */
    struct version *at[];         /* one ref each */
};
/* n choices, one a unit, in any order; copies them, takes refs. */
struct plan *plan_new(const struct choice *choices, size_t n);
void plan_ref(struct plan *p);
void plan_unref(struct plan *p);
/* The first at or behind *i that wants the job; moves *i behind it. */
struct version *plan_next(const struct plan *p, const struct job *job,
                          uint32_t *i);
