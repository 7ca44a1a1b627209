/* SPDX-License-Identifier: Apache-2.0 */
/* reference.h - signatures taken apart, for what is written of the API.
 *
 * "(key: string, ttl?: Duration): any|nil, string?" has two parameters and two
 * results. Slices point into the signature. Immutable.
 */
#pragma once
#include "base/buf.h"
#include "script/api/api.h"

#define PROTOTYPE_PARTS 8

struct part {
    struct slice name; /* parameters only; "..." for the rest */
    struct slice type;
    bool optional; /* "name?:" */
};
struct prototype {
    struct part params[PROTOTYPE_PARTS], results[PROTOTYPE_PARTS];
    size_t param_count, result_count;
};
/* False: it is no signature. */
bool prototype_read(const char *text, struct prototype *out);

/* How it is written in a script: "kv.set", "conv:reply", "sleep". */
int reference_call_name(struct buf *out, const struct api_module *m,
                        const struct api_call *c);
/* The editors' half: a module as a ---@meta file, NULL: what all of them share;
 * .luacheckrc. */
int reference_luals(struct buf *out, const struct api_module *m);
int reference_luacheck(struct buf *out);
