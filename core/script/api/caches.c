/* SPDX-License-Identifier: Apache-2.0 */
/* caches.c - see caches.h.
 *
 * Happy path: a version takes its cache when it first uses it and drops it when
 * it is closed; the next version finds it there. Failure modes: a file that is
 * gone, or names another cache: what nobody used for ORPHAN_MS is freed when
 * the next cache is taken.
 */
#include "script/api/caches.h"
#include "base/err.h"
#include "base/limits.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define ORPHAN_MS 600000

static atomic_llong house_bytes; /* of all workers */

struct caches {
    pthread_mutex_t lock; /* hardly ever waited for */
    struct map kept;
    uint64_t unnamed;
};

struct caches *caches_new(void)
{
    struct caches *c = mem_alloc(sizeof *c);
    map_init(&c->kept);
    must(pthread_mutex_init(&c->lock, NULL) == 0);
    return c;
}

static void count(struct kept *k)
{
    size_t now = cache_stats(k->cache).bytes;
    atomic_fetch_add(&house_bytes, (long long)now - (long long)k->counted);
    k->counted = now;
    meter_set(k->bytes, (int64_t)now);
}

static void kept_free(struct kept *k)
{
    cache_clear(k->cache);
    count(k);
    cache_free(k->cache);
    mem_free(k);
}

void caches_free(struct caches *c)
{
    struct kept *k;
    if (!c)
        return;
    for (size_t i = 0; (k = map_next(&c->kept, &i)) != NULL;) {
        must(k->refs == 0);
        kept_free(k);
    }
    map_fini(&c->kept);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

static void free_orphans(struct caches *c, int64_t now)
{
    struct kept *k;
    for (size_t i = 0; (k = map_next(&c->kept, &i)) != NULL;) {
        if (k->refs || now - k->left_ms < ORPHAN_MS)
            continue;
        map_take_text(&c->kept, k->key);
        kept_free(k);
    }
}

static void open_meters(struct kept *k, struct slice unit, struct slice name)
{
    char labels[400];
    snprintf(labels, sizeof labels, "{script=\"%.*s\",cache=\"%.*s\"}",
             SLICE_FMT(unit), SLICE_FMT(name));
    k->hits =
        meter_labelled(METER_COUNTER, "yuelai_cache_hits_total",
                       "Values that a script found in its cache.", 0, labels);
    k->misses = meter_labelled(METER_COUNTER, "yuelai_cache_misses_total",
                               "Values it did not find there.", 0, labels);
    k->ratio = meter_labelled(METER_GAUGE, "yuelai_cache_hit_ratio",
                              "Share of the looks that found something.", 1e-4,
                              labels);
    k->bytes = meter_labelled(METER_GAUGE, "yuelai_cache_bytes",
                              "Memory of a script's cache.", 0, labels);
}

static struct kept *kept_new(struct caches *c, struct slice key,
                             struct slice unit, struct slice name)
{
    struct kept *k = mem_alloc(sizeof *k + key.len);
    memcpy(k->text, key.at, key.len);
    k->caches = c;
    k->key = (struct slice){k->text, key.len};
    k->named = name.len > 0;
    open_meters(k, unit, name);
    map_put_text(&c->kept, k->key, k);
    return k;
}

struct kept *caches_take(struct caches *c, struct slice unit, struct slice name,
                         size_t entries, size_t bytes, int64_t now)
{
    struct buf key;
    pthread_mutex_lock(&c->lock);
    free_orphans(c, now);
    buf_init(&key, 2000);
    int got = buf_add_slice(&key, unit);
    got |= buf_add_char(&key, '\0');
    got |= name.len ? buf_add_slice(&key, name)
                    : buf_addf(&key, "#%llu", (unsigned long long)++c->unnamed);
    must(got == 0);
    struct kept *k = map_get_text(&c->kept, buf_slice(&key));
    if (!k)
        k = kept_new(c, buf_slice(&key), unit, name);
    buf_fini(&key);
    if (k->cache)
        cache_resize(k->cache, entries, bytes);
    else
        k->cache = cache_new(entries, bytes);
    k->refs++;
    count(k);
    pthread_mutex_unlock(&c->lock);
    return k;
}

void caches_drop(struct caches *c, struct kept *k, int64_t now)
{
    pthread_mutex_lock(&c->lock);
    if (--k->refs == 0) {
        k->left_ms = now;
        if (!k->named) {
            map_take_text(&c->kept, k->key);
            kept_free(k);
        }
    }
    pthread_mutex_unlock(&c->lock);
}

bool kept_get(struct kept *k, struct slice key, int64_t now, struct arena *a,
              struct slice *value)
{
    pthread_mutex_lock(&k->caches->lock);
    bool hit = cache_get(k->cache, key, now, value);
    if (hit)
        *value = slice_dup(a, *value);
    struct cache_stats s = cache_stats(k->cache);
    meter_add(hit ? k->hits : k->misses, 1);
    meter_set(k->ratio, (int64_t)(s.hits * 10000 / (s.hits + s.misses)));
    if (!hit)
        count(k); /* one past its time was let go of */
    pthread_mutex_unlock(&k->caches->lock);
    return hit;
}

void kept_put(struct kept *k, struct slice key, struct slice value,
              int64_t expires_at)
{
    pthread_mutex_lock(&k->caches->lock);
    if (value.at)
        cache_put(k->cache, key, value, expires_at);
    else
        cache_del(k->cache, key);
    count(k);
    long long over = atomic_load(&house_bytes) - LIMIT_CACHES_BYTES;
    if (over > 0) {
        size_t own = k->counted;
        cache_shrink(k->cache, own > (size_t)over ? own - (size_t)over : 0);
        count(k);
    }
    pthread_mutex_unlock(&k->caches->lock);
}

void kept_clear(struct kept *k)
{
    pthread_mutex_lock(&k->caches->lock);
    cache_clear(k->cache);
    count(k);
    pthread_mutex_unlock(&k->caches->lock);
}

struct cache_stats kept_stats(struct kept *k)
{
    pthread_mutex_lock(&k->caches->lock);
    struct cache_stats s = cache_stats(k->cache);
    pthread_mutex_unlock(&k->caches->lock);
    return s;
}
