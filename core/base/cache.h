/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h - bytes by key, bounded in number and size, kept by use (W-TinyLFU).
 *
 * Why: an LRU list is flushed by one scan. Here a newcomer first passes a
 * small window (1 %, LRU); what falls out of it is let into the main part only
 * if it was asked for more often than the one it would push out. How often is
 * estimated by 4-bit counters (count-min, four rows) that are halved now and
 * then, so that old fame fades. The main part is a segmented LRU: on probation
 * until the second use, then protected (80 %). What was protected and is not
 * asked for any more gives way to what clearly is, not to a scan.
 *
 * Pure: it is told the time. Used by whoever owns it, on one thread.
 * Owns: copies of keys and values.
 */
#pragma once
#include "base/buf.h"

#define CACHE_ENTRY_BYTES 96 /* what an entry costs beside key and value */

struct cache;
struct cache_stats {
    uint64_t hits, misses, evictions, refused;
    size_t entries, bytes;
};
/* entries and bytes: at most; bytes count keys, values and entries. */
struct cache *cache_new(size_t entries, size_t bytes);
void cache_free(struct cache *c); /* NULL is fine */
/* Borrows the value until the next call that changes c. A value past its time
 * is a miss. */
bool cache_get(struct cache *c, struct slice key, int64_t now,
               struct slice *value);
/* Copies; replaces. expires_at 0 = never. It may be refused, now or as soon as
 * another comes: a cache promises nothing. */
void cache_put(struct cache *c, struct slice key, struct slice value,
               int64_t expires_at);
bool cache_del(struct cache *c, struct slice key); /* was it there? */
void cache_clear(struct cache *c);                 /* counts stay */
void cache_resize(struct cache *c, size_t entries, size_t bytes);
/* Lets go of the least useful until at most that many bytes are used. */
void cache_shrink(struct cache *c, size_t bytes);
struct cache_stats cache_stats(const struct cache *c);
