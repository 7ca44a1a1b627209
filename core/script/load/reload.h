/* SPDX-License-Identifier: Apache-2.0 */
/* reload.h - from files to versions: find, read, compile, check.
 *
 * The builder's thread does it off the script threads, so that no message
 * waits for a compiler. It knows which source each unit was last made of and
 * which libs it required; what has the same hash is not made again, a change
 * of a lib makes exactly the units again that required it. A batch of changes
 * ends as one report that main applies at once.
 */
#pragma once
#include "base/err.h"
#include "base/mail.h"
#include "script/load/history.h"
#include "script/load/unit.h"

struct builder;
struct script;
struct command;

enum change {
    CHANGE_LOADED,
    CHANGE_BROKEN, /* it does not load, or its tests fail */
    CHANGE_GONE,
    CHANGE_KEPT,  /* at the start, in front of the file's: a row of history */
    CHANGE_CHOSEN /* by command: a version of the history */
};
struct outcome_of {
    struct outcome_of *next;
    struct slice name; /* of the unit; in the batch's arena */
    enum change change;
    enum phase phase;        /* BROKEN: LOAD or TEST */
    struct version *version; /* LOADED, KEPT, CHOSEN: one ref */
    struct slice trouble;    /* BROKEN: "file:line: message\n traceback" */
    enum version_state kept; /* KEPT: what it is; REFUSED has no version */
    int64_t since_at, until_at;
    struct slice note;
    char text[VERSION_TEXT]; /* KEPT: of the row; CHOSEN: of the file, "" =
                                unknown */
};
struct batch {
    struct mail mail;      /* must be first */
    struct script *script; /* one ref */
    struct arena *arena;   /* owned; the batch lies in it */
    struct outcome_of *first, *last;
    struct command *command; /* whose order it was, or NULL */
    int64_t began_us;
};

struct builder_conf {
    const char *home;
    struct loop *home_loop;
    struct script *script;
    size_t memory_bytes;
    /* script_conf's, or NULL; on the builder's thread. */
    int (*run_test)(void *arg, struct slice unit, struct buf *out);
    void *arg;
};

struct builder *builder_new(const struct builder_conf *conf);
/* Helpers begin with what builder_load_all will ask for; it may be left out. */
void builder_load_ahead(struct builder *b);
/* Everything, on this thread; before builder_start. Gives the batch. */
struct batch *builder_load_all(struct builder *b, const struct history *h);
void builder_start(struct builder *b);
/* Copies the paths; none = look at everything again. A unit in `again` is
 * made anew even if its text is the same. */
void builder_order(struct builder *b, const char *const *paths, size_t n,
                   const char *const *again, size_t again_count);
/* Reads c->unit's file again, or loads c->to; c goes with the batch. Takes c. */
void builder_do(struct builder *b, struct command *c);
/* Joins; undone orders are dropped, their commands cancelled. */
void builder_free(struct builder *b);
void batch_free(struct batch *b);
