/* SPDX-License-Identifier: Apache-2.0 */
/* json_others.c - jansson (allocating from an arena of its own, freed at once)
 * and cJSON. A file of its own because jansson's names are also ours. */
#define _GNU_SOURCE /* memmem */
#include "json_others.h"
#include <cjson/cJSON.h>
#include <jansson.h>

static struct arena *pool;

static void *lend(size_t n)
{
    return arena_alloc(pool, n);
}

static void lend_back(void *p)
{
    (void)p; /* dies with the arena */
}

void others_setup(void)
{
    json_set_alloc_funcs(lend, lend_back);
}

bool run_jansson(struct slice text)
{
    json_error_t e;
    pool = arena_new();
    json_t *j =
        json_loadb(text.at, text.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &e);
    arena_free(pool);
    return j != NULL;
}

/* A number beyond 2^53 or a text with NUL in it does not come back whole. */
static bool came_back(const cJSON *j, struct slice text)
{
    if (cJSON_IsNumber(j))
        return j->valuedouble < 9007199254740992.0 &&
               j->valuedouble > -9007199254740992.0;
    return !cJSON_IsString(j) || !memmem(text.at, text.len, "\\u0000", 6);
}

bool run_cjson(struct slice text)
{
    cJSON *j = cJSON_ParseWithLength(text.at, text.len);
    bool good = j && came_back(j, text);
    cJSON_Delete(j);
    return good;
}
