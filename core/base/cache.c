/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c - see cache.h.
 *
 * Happy path: a hit moves an entry to the head of its list (from probation to
 * protected) and raises its count. A put adds to the window; what the window
 * has no room for is a candidate for the main part; while that is too full the
 * candidate and the end of probation are compared and the less used one goes.
 * Failure modes: an entry larger than the whole cache is refused.
 */
#include "base/cache.h"
#include "base/err.h"
#include "base/map.h"

enum part { PART_WINDOW, PART_PROBATION, PART_PROTECTED, PART_COUNT };
#define ROWS 4

struct entry {
    struct list link; /* its part's, the newest first */
    struct slice key, value;
    uint64_t hash;
    int64_t expires_at;
    enum part part;
    char text[]; /* key, value */
};

struct sketch {
    uint64_t *words; /* 16 counters of 4 bits each */
    size_t mask;     /* of words */
    size_t added, sample;
};

struct cache {
    struct map entries;
    struct list list[PART_COUNT];
    size_t count[PART_COUNT], used[PART_COUNT];
    size_t entries_max, bytes_max;
    struct sketch sketch;
    struct cache_stats stats;
};

/* --- how often ------------------------------------------------------------ */

static void sketch_init(struct sketch *s, size_t entries)
{
    size_t words = 16;
    while (words < entries && words < (size_t)1 << 20)
        words *= 2;
    *s = (struct sketch){.mask = words - 1, .sample = 10 * entries};
    s->words = mem_alloc(words * sizeof *s->words);
}

/* Row r looks at one of its own four counters of some word. */
static size_t place(const struct sketch *s, uint64_t hash, unsigned r,
                    unsigned *shift)
{
    static const uint64_t seeds[ROWS] = {
        0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu, 0x165667b19e3779f9u,
        0xd6e8feb86659fd93u};
    uint64_t h = (hash + seeds[r]) * seeds[r];
    h ^= h >> 32;
    *shift = 4 * (4 * r + (unsigned)(hash >> (8 + 2 * r) & 3));
    return (size_t)h & s->mask;
}

static unsigned sketch_count(const struct sketch *s, uint64_t hash)
{
    unsigned least = 15, shift;
    for (unsigned r = 0; r < ROWS; r++) {
        size_t at = place(s, hash, r, &shift);
        unsigned n = (unsigned)(s->words[at] >> shift & 15);
        least = n < least ? n : least;
    }
    return least;
}

static void sketch_age(struct sketch *s)
{
    for (size_t i = 0; i <= s->mask; i++)
        s->words[i] = s->words[i] >> 1 & 0x7777777777777777u;
    s->added /= 2;
}

static void sketch_add(struct sketch *s, uint64_t hash)
{
    bool grew = false;
    unsigned shift;
    for (unsigned r = 0; r < ROWS; r++) {
        size_t at = place(s, hash, r, &shift);
        if ((s->words[at] >> shift & 15) == 15)
            continue;
        s->words[at] += (uint64_t)1 << shift;
        grew = true;
    }
    if (grew && ++s->added >= s->sample)
        sketch_age(s);
}

/* --- entries -------------------------------------------------------------- */

static size_t weight(const struct entry *e)
{
    return e->key.len + e->value.len + CACHE_ENTRY_BYTES;
}

static void part_add(struct cache *c, struct entry *e, enum part p)
{
    struct list *head = &c->list[p];
    e->part = p;
    list_add_last(head->next, &e->link); /* first */
    c->count[p]++;
    c->used[p] += weight(e);
}

static void part_take(struct cache *c, struct entry *e)
{
    list_remove(&e->link);
    c->count[e->part]--;
    c->used[e->part] -= weight(e);
}

/* To the head of its own list. */
static void part_again(struct cache *c, struct entry *e)
{
    part_take(c, e);
    part_add(c, e, e->part);
}

static void drop(struct cache *c, struct entry *e)
{
    part_take(c, e);
    map_take_text(&c->entries, e->key);
    mem_free(e);
}

static struct entry *last(struct cache *c, enum part p)
{
    return list_empty(&c->list[p])
               ? NULL
               : container_of(c->list[p].prev, struct entry, link);
}

static size_t used(const struct cache *c)
{
    return c->used[0] + c->used[1] + c->used[2];
}

/* --- shares --------------------------------------------------------------- */

static size_t window_entries(const struct cache *c)
{
    return c->entries_max / 100 + 1;
}

/* One whole value has room in the window, else nothing would ever stay. */
static bool window_is_full(const struct cache *c)
{
    return c->count[PART_WINDOW] > window_entries(c) ||
           (c->count[PART_WINDOW] > 1 &&
            c->used[PART_WINDOW] > c->bytes_max / 100);
}

static bool is_full(const struct cache *c)
{
    return c->count[0] + c->count[1] + c->count[2] > c->entries_max ||
           used(c) > c->bytes_max;
}

static void demote(struct cache *c)
{
    size_t entries = (c->entries_max - window_entries(c)) / 5 * 4;
    size_t bytes = c->bytes_max / 100 * 79;
    while (c->count[PART_PROTECTED] > 1 &&
           (c->count[PART_PROTECTED] > entries ||
            c->used[PART_PROTECTED] > bytes)) {
        struct entry *e = last(c, PART_PROTECTED);
        part_take(c, e);
        part_add(c, e, PART_PROBATION);
    }
}

/* The one of the main part that is least worth, besides `but`. */
static struct entry *victim(struct cache *c, const struct entry *but)
{
    struct entry *e = last(c, PART_PROBATION);
    if (e && e == but) {
        e = e->link.prev == &c->list[PART_PROBATION]
                ? NULL
                : container_of(e->link.prev, struct entry, link);
    }
    return e ? e : last(c, PART_PROTECTED);
}

static unsigned fame(const struct cache *c, const struct entry *e)
{
    return sketch_count(&c->sketch, e->hash);
}

/* Whom e may push out, or NULL. What was protected once and is not asked for
 * any more gives way to what clearly is, but not to a mere scan. */
static struct entry *loser(struct cache *c, const struct entry *e)
{
    struct entry *other = victim(c, e), *old = last(c, PART_PROTECTED);
    if (other && fame(c, e) > fame(c, other))
        return other;
    if (old && fame(c, e) > 2 * fame(c, old) + 4)
        return old;
    if (other) /* or one that only looks used would bar all others */
        part_again(c, other);
    return NULL;
}

/* It fell out of the window; it, or those it is more used than, must go. */
static void admit(struct cache *c, struct entry *e)
{
    part_take(c, e);
    part_add(c, e, PART_PROBATION);
    while (is_full(c)) {
        struct entry *other = loser(c, e);
        c->stats.evictions++;
        if (!other) {
            c->stats.refused++;
            drop(c, e);
            return;
        }
        drop(c, other);
    }
}

static void settle(struct cache *c)
{
    while (window_is_full(c))
        admit(c, last(c, PART_WINDOW));
    while (is_full(c)) { /* the window has grown, the main part not */
        struct entry *e = victim(c, NULL);
        c->stats.evictions++;
        drop(c, e ? e : last(c, PART_WINDOW));
    }
}

/* --- the face ------------------------------------------------------------- */

struct cache *cache_new(size_t entries, size_t bytes)
{
    struct cache *c = mem_alloc(sizeof *c);
    map_init(&c->entries);
    for (int p = 0; p < PART_COUNT; p++)
        list_init(&c->list[p]);
    c->entries_max = entries ? entries : 1;
    c->bytes_max = bytes;
    sketch_init(&c->sketch, c->entries_max);
    return c;
}

void cache_clear(struct cache *c)
{
    for (int p = 0; p < PART_COUNT; p++)
        while (!list_empty(&c->list[p]))
            drop(c, last(c, (enum part)p));
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    cache_clear(c);
    map_fini(&c->entries);
    mem_free(c->sketch.words);
    mem_free(c);
}

static uint64_t hash_of(struct slice key)
{
    return hash_bytes(key.at, key.len);
}

bool cache_get(struct cache *c, struct slice key, int64_t now,
               struct slice *value)
{
    struct entry *e = map_get_text(&c->entries, key);
    *value = SLICE("");
    sketch_add(&c->sketch, e ? e->hash : hash_of(key));
    if (e && e->expires_at && e->expires_at <= now) {
        drop(c, e);
        e = NULL;
    }
    if (!e) {
        c->stats.misses++;
        return false;
    }
    c->stats.hits++;
    enum part to = e->part == PART_WINDOW ? PART_WINDOW : PART_PROTECTED;
    part_take(c, e);
    part_add(c, e, to);
    demote(c);
    *value = e->value;
    return true;
}

void cache_put(struct cache *c, struct slice key, struct slice value,
               int64_t expires_at)
{
    struct entry *was = map_get_text(&c->entries, key);
    enum part part = was ? was->part : PART_WINDOW;
    size_t n = key.len + value.len;
    bool fits = n + CACHE_ENTRY_BYTES <= c->bytes_max;
    struct entry *e = fits ? mem_alloc(sizeof *e + n) : NULL;
    if (e) { /* key and value may be the old one's: copy first */
        if (key.len)
            memcpy(e->text, key.at, key.len);
        if (value.len)
            memcpy(e->text + key.len, value.at, value.len);
        e->key = (struct slice){e->text, key.len};
        e->value = (struct slice){e->text + key.len, value.len};
        e->hash = was ? was->hash : hash_of(e->key);
        e->expires_at = expires_at;
        list_init(&e->link);
    }
    if (was)
        drop(c, was);
    if (!e) {
        c->stats.refused++;
        return;
    }
    map_put_text(&c->entries, e->key, e);
    part_add(c, e, part);
    demote(c);
    settle(c);
}

bool cache_del(struct cache *c, struct slice key)
{
    struct entry *e = map_get_text(&c->entries, key);
    if (e)
        drop(c, e);
    return e != NULL;
}

void cache_resize(struct cache *c, size_t entries, size_t bytes)
{
    if (entries == 0)
        entries = 1;
    if (entries != c->entries_max) {
        mem_free(c->sketch.words);
        sketch_init(&c->sketch, entries);
    }
    c->entries_max = entries;
    c->bytes_max = bytes;
    demote(c);
    settle(c);
}

void cache_shrink(struct cache *c, size_t bytes)
{
    while (used(c) > bytes) {
        struct entry *e = victim(c, NULL);
        c->stats.evictions++;
        drop(c, e ? e : last(c, PART_WINDOW));
    }
}

struct cache_stats cache_stats(const struct cache *c)
{
    struct cache_stats s = c->stats;
    s.entries = c->entries.count;
    s.bytes = used(c);
    return s;
}
