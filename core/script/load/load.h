/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - one unit from its source: compile, run, check its table.
 *
 * Text mode only, within LIMIT_SCRIPT_LOAD_MS and the unit's memory.
 */
#pragma once
#include "script/load/unit.h"

/* Gives the text of "rules/20-refund" or "lib/words"; 0 or ERR_* with e. */
typedef int (*read_source_fn)(void *arg, struct slice name, struct arena *a,
                              struct slice *out, struct err *e);
struct loader {
    read_source_fn read;
    void *arg;
    size_t memory_bytes;
    struct shelf *shelf; /* where libs are looked for first; NULL = none */
    const char *home;    /* to name files by; NULL = unknown */
    /* NULL, or the path of the unit's file as people are told it: a test, or
     * another file than scripts/<name>.lua */
    const char *file;
    bool is_test; /* a *_test.lua: it gets `test`, and returns nothing */
    /* the result of a failed load: "file:line: message\n traceback" */
    struct buf trouble;
    /* what it asked for, also when it failed; in `arena` */
    struct arena *arena;
    struct source *libs, *libs_last;
    struct version *version; /* under way */
};
void loader_init(struct loader *l, read_source_fn read, void *arg,
                 size_t memory_bytes);
void loader_fini(struct loader *l);
/* Returns a version with one ref, or NULL and l->trouble tells. */
struct version *load_version(struct loader *l, struct slice name);
/* 12 hex digits over names and texts: what makes a version. */
void source_hash(const struct source *first, char out[VERSION_TEXT]);
/* Pushes the chunk of a lib, or nil and a sentence. From native.require. */
int loader_require(struct loader *l, lua_State *L, struct slice name);
