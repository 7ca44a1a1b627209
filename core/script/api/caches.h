/* SPDX-License-Identifier: Apache-2.0 */
/* caches.h - the caches of the scripts of one worker, by unit and name.
 *
 * Why: a named cache outlives a reload of its file, so it is not the version's.
 * Values are bytes outside of Lua, counted against LIMIT_CACHE_BYTES a script
 * (when the file is loaded) and LIMIT_CACHES_BYTES for the house (at each put:
 * whoever is over it lets go of its own).
 *
 * Threads: the worker's and the lanes that run its versions, under a lock of
 * its own: two versions of a unit may use one cache at the same time.
 */
#pragma once
#include "base/cache.h"
#include "base/map.h"
#include "base/meter.h"

struct caches;
struct kept {
    struct caches *caches;
    struct slice key; /* unit, NUL, name */
    struct cache *cache;
    int refs;        /* versions that use it */
    bool named;      /* stays when nobody does, for a while */
    int64_t left_ms; /* since when nobody does */
    size_t counted;  /* of the house's sum */
    struct meter *hits, *misses, *ratio, *bytes;
    char text[];
};
struct caches *caches_new(void);
void caches_free(struct caches *c); /* NULL is fine; nobody uses one any more */
/* One ref. name "" = one of its own. now: ms, any clock. */
struct kept *caches_take(struct caches *c, struct slice unit, struct slice name,
                         size_t entries, size_t bytes, int64_t now);
void caches_drop(struct caches *c, struct kept *k, int64_t now);
/* Copies the value into a. */
bool kept_get(struct kept *k, struct slice key, int64_t now, struct arena *a,
              struct slice *value);
/* value.at NULL deletes. */
void kept_put(struct kept *k, struct slice key, struct slice value,
              int64_t expires_at);
void kept_clear(struct kept *k);
struct cache_stats kept_stats(struct kept *k);
