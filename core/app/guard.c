/* SPDX-License-Identifier: Apache-2.0 */
/* guard.c - fixed windows in a bounded table.
 *
 * Happy path: a hash of the key finds its entry. When the table is full the
 * entry that was made first gives way, whatever its state: a flood of keys
 * costs its own memory, never ours.
 */
#include "app/guard.h"
#include "base/map.h"

struct entry {
    struct list link; /* by age */
    uint64_t key;
    int64_t until_ms; /* end of its window */
    int64_t count;
};

struct guard {
    struct map entries;
    struct list ages;
    size_t max;
};

struct guard *guard_new(size_t max_keys)
{
    struct guard *g = mem_alloc(sizeof *g);
    map_init(&g->entries);
    list_init(&g->ages);
    g->max = max_keys;
    return g;
}

static void drop(struct guard *g, struct entry *e)
{
    (void)map_take(&g->entries, e->key);
    list_remove(&e->link);
    mem_free(e);
}

void guard_free(struct guard *g)
{
    if (!g) {
        return;
    }
    while (!list_empty(&g->ages)) {
        drop(g, container_of(g->ages.next, struct entry, link));
    }
    map_fini(&g->entries);
    mem_free(g);
}

/* The entry of a key; a fresh one if there is none or its window is over. */
static struct entry *entry_of(struct guard *g, struct slice key, int64_t now_ms,
                              int64_t window_ms)
{
    uint64_t hash = hash_bytes(key.at, key.len);
    struct entry *e = map_get(&g->entries, hash);
    if (e && e->until_ms > now_ms) {
        return e;
    }
    if (e) {
        drop(g, e);
    } else if (g->entries.count >= g->max) {
        drop(g, container_of(g->ages.next, struct entry, link));
    }
    e = mem_alloc(sizeof *e);
    e->key = hash;
    e->until_ms = now_ms + window_ms;
    map_put(&g->entries, hash, e);
    list_add_last(&g->ages, &e->link);
    return e;
}

int64_t guard_try(struct guard *g, struct slice key, int64_t now_ms,
                  int64_t window_ms, int64_t most)
{
    struct entry *e = entry_of(g, key, now_ms, window_ms);
    if (e->count >= most) {
        return e->until_ms - now_ms;
    }
    e->count++;
    return 0;
}

void guard_forgive(struct guard *g, struct slice key)
{
    struct entry *e = map_get(&g->entries, hash_bytes(key.at, key.len));
    if (e) {
        drop(g, e);
    }
}

bool guard_once(struct guard *g, struct slice key, int64_t now_ms,
                int64_t keep_ms)
{
    return guard_try(g, key, now_ms, keep_ms, 1) == 0;
}
