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
#include "script/unit.h"

struct builder;
struct script;

enum change { CHANGE_LOADED, CHANGE_BROKEN, CHANGE_GONE };
struct outcome_of {
    struct outcome_of *next;
    struct slice name; /* of the unit; in the batch's arena */
    enum change change;
    struct version *version; /* LOADED: one ref; BROKEN: the last good one, or
                                NULL */
    struct slice trouble;    /* BROKEN: "file:line: message\n traceback" */
    bool is_kept;            /* LOADED: its source is kept already */
};
struct batch {
    struct mail mail;      /* must be first */
    struct script *script; /* one ref */
    struct arena *arena;   /* owned; the batch lies in it */
    struct outcome_of *first, *last;
    int64_t began_us;
};

struct builder_conf {
    const char *home;
    struct loop *home_loop;
    struct script *script;
    size_t memory_bytes;
};
typedef struct slice (*last_good_fn)(void *arg, struct slice unit,
                                     struct arena *a);

struct builder *builder_new(const struct builder_conf *conf);
/* Everything, on this thread; before builder_start. Gives the batch. */
struct batch *builder_load_all(struct builder *b, last_good_fn last_good,
                               void *arg);
void builder_start(struct builder *b);
/* Copies the paths; none = look at everything again. A unit in `again` is
 * made anew even if its text is the same. */
void builder_order(struct builder *b, const char *const *paths, size_t n,
                   const char *const *again, size_t again_count);
void builder_free(struct builder *b); /* joins; undone orders are dropped */
void batch_free(struct batch *b);
