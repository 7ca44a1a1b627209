/* SPDX-License-Identifier: Apache-2.0 */
/* history.h - the versions of scripts that the store keeps.
 *
 * A row is a version with all sources it was made of, so that it can serve
 * again whatever became of the files.
 */
#pragma once
#include "base/map.h"
#include "script/load/unit.h"

/* On main: the row as it is now, by conf.keep_version. */
void history_keep(struct script *s, const struct version *v,
                  enum version_state state, int64_t since_at, int64_t until_at,
                  struct slice note);
/* A row to load v from again; in a. */
struct script_version *history_row(const struct version *v, struct arena *a);

/* --- at the start: the rows of each unit --- */
struct past {
    struct past *next;
    const struct script_version *row; /* borrowed */
};
struct history {
    struct arena *arena;
    struct map units; /* name -> its struct past, chained */
};
void history_init(struct history *h, const struct script_version *rows,
                  size_t n);
void history_fini(struct history *h);
const struct past *history_of(const struct history *h, struct slice unit);
/* The row in that state, or of that version; or NULL. */
const struct script_version *past_in(const struct past *k,
                                     enum version_state state);
const struct script_version *past_as(const struct past *k, const char *version);
/* Loads it from its sources: a version with one ref; or NULL, and trouble (a
 * buf, may be NULL) tells. Any thread. */
struct version *history_load(const struct script_version *row,
                             size_t memory_bytes, struct buf *trouble);
