/* SPDX-License-Identifier: Apache-2.0 */
/* script.h - the face of the scripts: Lua on threads of its own.
 *
 * A script file is a unit: one lua_State, one version, pinned to a thread.
 * The pipeline of a hook is the list of units that have it, by priority. A
 * job walks it; what waits looks blocking to the author (scripting.md).
 *
 * Thread: main calls; all answers come on the home loop.
 */
#pragma once
#include "desk/effect.h"
#include "loop/loop.h"

struct script;
struct script_ask;
struct script_conf {
    const char *home;             /* folder with scripts/ ... */
    struct loop *home_loop;       /* borrowed */
    int threads;                  /* default 1 when 0 */
    int64_t cpu_ms, memory_bytes; /* per unit; 0 = limits.h */
    /* A script wants something of the house; on the home loop. Each takes the
     * ask and answers by script_answer exactly once. */
    void (*on_ask)(void *arg, struct script_ask *ask);
    /* The set of units or the state of one changed (scripts resource). */
    void (*on_change)(void *arg);
    /* The last good source of a unit (or of a lib it required, "lib/x"), for a
     * start with a broken file: kept by the roof in kv space "script". May be
     * NULL. */
    void (*keep_source)(void *arg, struct slice unit, struct slice source);
    /* A unit's `every` has passed; on the home loop. The roof runs a job
     * {HOOK_TIMER, unit, what = "every"} and commits its effects. NULL: no
     * unit's `every` is run. */
    void (*on_every)(void *arg, struct slice unit);
    void *arg;
};

enum ask_kind {
    ASK_HTTP,  /* request -> response */
    ASK_KV_GET /* name (key) in unit's space -> data */
};
struct http_call { /* in the ask's arena */
    struct slice method, url, body;
    const struct slice *headers; /* name, value, name, value ... */
    size_t header_count;         /* of pairs */
    int64_t timeout_ms;
    size_t body_max;
    /* answer */
    int status;
    struct slice answer_headers; /* "name: value\n" lines, lower-case names */
    struct slice answer;
};
struct script_ask {
    struct mail mail;    /* must be first */
    struct arena *arena; /* owned; the ask lies in it */
    enum ask_kind kind;
    struct slice unit, name, data;
    struct http_call *http;
    int result; /* 0, ERR_NOT_FOUND, ERR_TIMEOUT, ... */
    struct err err;
    uint64_t ticket[4]; /* script's own: unit, version, slot, generation */
};

int script_open(const struct script_conf *conf, struct err *e,
                struct script **out);
/* Compiles and starts everything found; broken files are listed, not fatal.
 * last_good(arg, unit, arena) gives a kept source or an empty slice. Blocking,
 * at start. */
int script_load_all(struct script *s,
                    struct slice (*last_good)(void *arg, struct slice unit,
                                              struct arena *a),
                    void *arg);
/* Cancels jobs, answers them, joins. Asks not answered by then are the asker's
 * to free (their arena). */
void script_close(struct script *s);

/* Would any unit look at this event? Data only (match of the loaded units),
 * no Lua; main thread. */
bool script_wants(const struct script *s, const struct job *job);
void script_run(struct script *s, struct job *job); /* takes; job->done comes */
void script_answer(struct script *s, struct script_ask *ask); /* takes */
/* Changed, new or deleted files (absolute or below home); validated and
 * swapped in, or the old version serves on. n = 0: look at all. From watch,
 * command, API. */
void script_changed(struct script *s, const char *const *paths, size_t n);
int64_t script_depth(struct script *s); /* jobs waiting or running */
/* JSON array for the scripts resource: name kind state version loaded_at
 * errors[] (file, line, message, traceback, count, first_at, last_at), calls,
 * cpu, memory. Main thread, from a snapshot. */
int script_list(struct script *s, struct buf *out);
bool script_is_well(struct script *s,
                    struct err *e); /* false: first broken one */
/* yuelai check: compiles one file or all below home; findings to out. */
int script_check(const char *home, const char *file, struct buf *out);
/* Config files are Lua tables read in an empty sandbox: text -> JSON. */
int script_read_table(struct slice source, const char *name, struct arena *a,
                      struct err *e, struct slice *json);
