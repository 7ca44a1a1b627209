/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - one file in the real sandbox, within its real limits: what a call
 * that is allowed everywhere does is asserted by the file itself. */
#pragma once
#include "base/limits.h"
#include "base/log.h"
#include "script/load/load.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>

struct stage {
    const char *text;
    size_t memory; /* 0 = the default */
    char trouble[2000];
};

static inline int stage_read(void *arg, struct slice name, struct arena *a,
                             struct slice *out, struct err *e)
{
    struct stage *s = arg;
    *out = slice_dup(a, slice_of(s->text));
    return 0;
}

/* Runs the text as a rule's top level; "" or what was wrong. */
static inline const char *stage_run(struct stage *s, const char *lua)
{
    static const char tail[] =
        "\nreturn { api = 1, on_message = function() end }\n";
    struct loader l;
    size_t n = strlen(lua);
    char *text = malloc(n + sizeof tail);
    memcpy(text, lua, n);
    memcpy(text + n, tail, sizeof tail);
    log_setup(LOG_ERROR, LOG_TEXT);
    s->text = text;
    loader_init(&l, stage_read, s, s->memory ? s->memory : LIMIT_SCRIPT_MEMORY);
    struct version *v = load_version(&l, SLICE("rules/10-stage"));
    snprintf(s->trouble, sizeof s->trouble, "%.*s", v ? 0 : (int)l.trouble.len,
             l.trouble.data ? l.trouble.data : "");
    if (v)
        version_close(v);
    else if (!s->trouble[0])
        snprintf(s->trouble, sizeof s->trouble, "no version and no trouble");
    loader_fini(&l);
    free(text);
    return s->trouble;
}

/* The Lua text runs to its end. */
#define STAGE(lua)                                                             \
    do {                                                                       \
        struct stage stage_ = {0};                                             \
        if (*stage_run(&stage_, (lua)))                                        \
            FAIL("%s", stage_.trouble);                                        \
    } while (0)
/* It fails, and the sentence has these words. */
#define STAGE_FAILS(lua, words)                                                \
    do {                                                                       \
        struct stage stage_ = {0};                                             \
        const char *got_ = stage_run(&stage_, (lua));                          \
        if (!strstr(got_, (words)))                                            \
            FAIL("no \"%s\" in: %s", (words), got_);                           \
    } while (0)
/* What the files of this folder need again and again. */
#define STAGE_HELP                                                             \
    "local function is(a, b)\n"                                                \
    "  if a ~= b then error(('%s ~= %s'):format(tostring(a), tostring(b)), "   \
    "2) end\n"                                                                 \
    "end\n"                                                                    \
    "local function trouble(code, value, got, detail)\n"                       \
    "  is(value, nil) is(got, code)\n"                                         \
    "  if type(detail) ~= 'string' or detail == '' then error('no detail', "   \
    "2) end\n"                                                                 \
    "end\n"
