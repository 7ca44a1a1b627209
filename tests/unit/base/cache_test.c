/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cache.h"
#include "base/map.h"
#include "test.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state;

static uint32_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static void put(struct cache *c, const char *key, const char *value)
{
    cache_put(c, slice_of(key), slice_of(value), 0);
}

static bool has(struct cache *c, const char *key)
{
    struct slice v;
    return cache_get(c, slice_of(key), 0, &v);
}

TEST("what was put is there, until it is replaced, deleted or cleared")
{
    struct cache *c = cache_new(100, 100000);
    struct slice v;
    put(c, "a", "one");
    REQUIRE(cache_get(c, SLICE("a"), 0, &v));
    CHECK_SLICE(v, "one");
    put(c, "a", "another");
    REQUIRE(cache_get(c, SLICE("a"), 0, &v));
    CHECK_SLICE(v, "another");
    CHECK(!has(c, "b"));
    CHECK(cache_del(c, SLICE("a")));
    CHECK(!cache_del(c, SLICE("a")));
    CHECK(!has(c, "a"));
    put(c, "b", "");
    CHECK(has(c, "b"));
    cache_clear(c);
    CHECK(!has(c, "b"));
    struct cache_stats s = cache_stats(c);
    CHECK_EQ_INT(s.hits, 3);
    CHECK_EQ_INT(s.misses, 3);
    CHECK_EQ_INT(s.entries, 0);
    CHECK_EQ_INT(s.bytes, 0);
    cache_free(c);
}

TEST("a value is gone exactly at its time")
{
    struct cache *c = cache_new(100, 100000);
    struct slice v;
    cache_put(c, SLICE("a"), SLICE("x"), 1000);
    CHECK(cache_get(c, SLICE("a"), 999, &v));
    CHECK(!cache_get(c, SLICE("a"), 1000, &v));
    CHECK_EQ_INT(cache_stats(c).entries, 0);
    cache_free(c);
}

TEST("a value can be replaced by a part of itself")
{
    struct cache *c = cache_new(100, 100000);
    struct slice v;
    put(c, "a", "abcdef");
    REQUIRE(cache_get(c, SLICE("a"), 0, &v));
    cache_put(c, SLICE("a"), (struct slice){v.at + 2, 2}, 0);
    REQUIRE(cache_get(c, SLICE("a"), 0, &v));
    CHECK_SLICE(v, "cd");
    cache_free(c);
}

TEST("neither the number nor the bytes are ever passed")
{
    struct cache *c = cache_new(50, 20000);
    char *big = calloc(1, 30000);
    state = (uint64_t)test_option("seed", 3);
    for (int i = 0; i < 20000; i++) {
        char key[20];
        snprintf(key, sizeof key, "k%u", draw() % 300);
        if (draw() % 3 == 0)
            (void)has(c, key);
        else
            cache_put(c, slice_of(key), (struct slice){big, draw() % 3000}, 0);
        struct cache_stats s = cache_stats(c);
        CHECK(s.entries <= 50);
        CHECK(s.bytes <= 20000);
    }
    cache_put(c, SLICE("big"), (struct slice){big, 30000}, 0);
    CHECK(!has(c, "big"));
    CHECK(cache_stats(c).entries > 5);
    cache_resize(c, 5, 20000);
    CHECK(cache_stats(c).entries <= 5);
    cache_shrink(c, 1000);
    CHECK(cache_stats(c).bytes <= 1000);
    cache_shrink(c, 0);
    CHECK_EQ_INT(cache_stats(c).entries, 0);
    free(big);
    cache_free(c);
}

TEST("a cache of one entry keeps the newest")
{
    struct cache *c = cache_new(1, 100000);
    put(c, "a", "1");
    put(c, "b", "2");
    CHECK(!has(c, "a"));
    CHECK(has(c, "b"));
    cache_free(c);
}

/* Ranks 0 .. n-1 with the weight 1 / (rank + 1). */
static uint32_t zipf(const double *sums, uint32_t n)
{
    double x = draw() / 2147483648.0 * sums[n - 1];
    uint32_t low = 0, high = n - 1;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (sums[mid] < x)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* A plain LRU of `size` numbers, to compare with. */
struct lru {
    uint32_t size, count;
    uint64_t used[100000]; /* when; 0 = not there */
    uint32_t order[400000];
    uint64_t at[400000], head, tail;
};

static bool lru_touch(struct lru *l, uint32_t key, uint64_t now)
{
    bool hit = l->used[key] != 0;
    l->used[key] = now;
    l->order[l->head] = key;
    l->at[l->head++] = now;
    l->count += !hit;
    while (l->count > l->size) {
        uint32_t old = l->order[l->tail];
        if (l->used[old] == l->at[l->tail]) {
            l->used[old] = 0;
            l->count--;
        }
        l->tail++;
    }
    return hit;
}

static bool touch(struct cache *c, uint32_t number)
{
    char key[20];
    snprintf(key, sizeof key, "%u", number);
    bool hit = has(c, key);
    if (!hit)
        put(c, key, "v");
    return hit;
}

TEST("on a Zipf trace it hits clearly more often than an LRU list")
{
    enum { KEYS = 50000, CALLS = 300000 };
    struct lru *l = calloc(1, sizeof *l);
    double *sums = calloc(KEYS, sizeof *sums), sum = 0;
    struct cache *c = cache_new(500, 10 << 20);
    uint64_t ours = 0, theirs = 0;
    l->size = 500;
    for (int i = 0; i < KEYS; i++)
        sums[i] = sum += 1.0 / (i + 1);
    state = (uint64_t)test_option("seed", 1);
    for (uint64_t i = 1; i <= CALLS; i++) {
        uint32_t key = zipf(sums, KEYS);
        ours += touch(c, key);
        theirs += lru_touch(l, key, i);
    }
    test_note("ours %d, LRU %d of %d", (int)ours, (int)theirs, CALLS);
    CHECK(theirs > CALLS / 10); /* the trace is what it should be */
    CHECK(ours * 100 > theirs * 115);
    cache_free(c);
    free(sums);
    free(l);
}

TEST("one scan over everything does not push out what is used")
{
    struct cache *c = cache_new(200, 10 << 20);
    int left = 0;
    for (int round = 0; round < 5; round++)
        for (uint32_t k = 0; k < 100; k++)
            touch(c, k);
    for (uint32_t k = 1000; k < 11000; k++)
        touch(c, k);
    for (uint32_t k = 0; k < 100; k++) {
        char key[20];
        snprintf(key, sizeof key, "%u", k);
        left += has(c, key);
    }
    CHECK(left >= 95);
    cache_free(c);
}

TEST("old fame fades: a new favourite gets in")
{
    struct cache *c = cache_new(50, 10 << 20);
    int hits = 0;
    for (int round = 0; round < 100; round++)
        for (uint32_t k = 0; k < 50; k++)
            touch(c, k);
    for (int round = 0; round < 100; round++)
        for (uint32_t k = 100; k < 150; k++)
            hits += touch(c, k) && round >= 90;
    CHECK(hits >= 400); /* of 500 */
    cache_free(c);
}

TEST("against a model: it never gives another value than the last one put")
{
    enum { KEYS = 200 };
    static uint32_t last[KEYS]; /* 0 = deleted or never */
    static int64_t until[KEYS];
    struct cache *c = cache_new(60, 9000);
    int64_t now = 1;
    int kept = 0;
    state = (uint64_t)test_option("seed", 11);
    for (int i = 1; i < 100000; i++) {
        char key[20], text[40];
        struct slice v;
        uint32_t k = draw() % KEYS, what = draw() % 10;
        snprintf(key, sizeof key, "%u", k);
        now += draw() % 3;
        if (what < 5) {
            bool hit = cache_get(c, slice_of(key), now, &v);
            snprintf(text, sizeof text, "%u", last[k]);
            if (hit) {
                CHECK(last[k] != 0 && (until[k] == 0 || until[k] > now));
                CHECK_SLICE(v, text);
            }
            kept += hit;
        } else if (what < 9) {
            last[k] = (uint32_t)i;
            until[k] = draw() % 2 ? now + draw() % 500 : 0;
            snprintf(text, sizeof text, "%u", last[k]);
            cache_put(c, slice_of(key), slice_of(text), until[k]);
        } else {
            bool was = cache_del(c, slice_of(key));
            CHECK(!was || last[k] != 0);
            last[k] = 0;
        }
    }
    CHECK(kept > 1000);
    cache_free(c);
}
