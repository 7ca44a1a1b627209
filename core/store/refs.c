/* SPDX-License-Identifier: Apache-2.0 */
/* refs.c - open addressing with linear probing, in two tables while it moves.
 *
 * Happy path: a put goes into `now` and moves STEP slots of `old` along; when
 * `old` is through it is freed. A look goes through both. Moving needs no
 * hashing: the 32 bits kept name the home slot too.
 *
 * Sizes: a table is left at 3/4 full for one at least as big whose live
 * entries fill at most 9/16; by the time `old` is through, puts have added
 * 1/16 at most. So `now` is never full while `old` lives (must below).
 *
 * Failure modes: none of its own (memory aborts). A stale entry of a rolled
 * back transaction points at a row that is not there or is another's: the
 * caller looks at the row.
 */
#include "store/refs.h"
#include "base/clock.h"
#include "base/err.h"
#include <stdlib.h>

#define LEAST 1024u /* slots */
#define STEP 16     /* slots moved with a put */
#define SAMPLE 1024

struct refs_slot {
    uint32_t hash;
    uint32_t off; /* pos - base + 1; 0 = empty */
};

static void table_init(struct refs_table *t, uint32_t cap, uint64_t base)
{
    *t = (struct refs_table){.cap = cap, .base = base};
    t->slots = mem_alloc(cap * sizeof *t->slots);
}

static void table_put(struct refs_table *t, uint32_t hash, uint64_t pos)
{
    uint32_t i = hash & (t->cap - 1);
    while (t->slots[i].off)
        i = (i + 1) & (t->cap - 1);
    t->slots[i] = (struct refs_slot){hash, (uint32_t)(pos - t->base + 1)};
    t->count++;
}

void refs_init(struct refs *r, size_t max)
{
    *r = (struct refs){.max = max > LEAST ? max : LEAST};
    table_init(&r->now, LEAST, 0);
}

void refs_fini(struct refs *r)
{
    mem_free(r->now.slots);
    mem_free(r->old.slots);
    *r = (struct refs){0};
}

size_t refs_count(const struct refs *r)
{
    return (size_t)r->now.count + r->old.count;
}

size_t refs_bytes(const struct refs *r)
{
    return ((size_t)r->now.cap + r->old.cap) * sizeof(struct refs_slot);
}

void refs_forget_below(struct refs *r, uint64_t pos)
{
    if (pos > r->floor)
        r->floor = pos;
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* About a quarter of the entries lie below this position: hashes are random,
 * so slots side by side are a fair sample of all ages. */
static uint64_t oldest_quarter(const struct refs_table *t)
{
    uint32_t seen[SAMPLE], n = 0;
    uint32_t from = (uint32_t)random_u64() & (t->cap - 1);
    for (uint32_t i = 0; i < t->cap && n < SAMPLE; i++) {
        uint32_t off = t->slots[(from + i) & (t->cap - 1)].off;
        if (off)
            seen[n++] = off;
    }
    if (n == 0)
        return t->base;
    qsort(seen, n, sizeof *seen, by_size);
    return t->base + seen[n / 4] - 1;
}

static void move_on(struct refs *r)
{
    struct refs_table *old = &r->old;
    uint32_t end = old->cap - r->moved < STEP ? old->cap : r->moved + STEP;
    for (; r->moved < end; r->moved++) {
        struct refs_slot s = old->slots[r->moved];
        uint64_t pos = old->base + s.off - 1;
        if (!s.off)
            continue;
        /* It stays in old too, or later ones of its run could not be found;
         * the count says where it belongs. */
        old->count--;
        if (pos >= r->floor)
            table_put(&r->now, s.hash, pos);
    }
    if (r->moved == old->cap) {
        mem_free(old->slots);
        *old = (struct refs_table){0};
    }
}

static void make_room(struct refs *r, uint64_t pos)
{
    struct refs_table *t = &r->now;
    bool far = pos >= t->base + UINT32_MAX; /* the offset would not fit */
    if (t->count < t->cap / 4 * 3 && t->count < r->max && !far)
        return;
    while (r->old.slots)
        move_on(r); /* only when far or max came in the middle of a move */
    uint32_t cap = t->cap;
    if (far)
        refs_forget_below(r, pos - UINT32_MAX / 2);
    else if (t->count >= r->max)
        refs_forget_below(r, oldest_quarter(t));
    else
        cap *= 2;
    r->old = *t;
    r->moved = 0;
    table_init(&r->now, cap, r->floor < pos ? r->floor : pos);
}

void refs_put(struct refs *r, uint64_t hash, uint64_t pos)
{
    make_room(r, pos);
    must(r->now.count < r->now.cap - 1);
    if (pos >= r->now.base) /* else a rolled back one, older than all kept */
        table_put(&r->now, (uint32_t)hash, pos);
    if (r->old.slots)
        move_on(r);
}

uint64_t refs_next(const struct refs *r, uint64_t hash, struct refs_look *l)
{
    for (;;) {
        const struct refs_table *t = l->in_old ? &r->old : &r->now;
        if (!l->begun)
            l->at = t->cap ? (uint32_t)hash & (t->cap - 1) : 0;
        l->begun = true;
        while (t->slots && t->slots[l->at].off) {
            struct refs_slot s = t->slots[l->at];
            l->at = (l->at + 1) & (t->cap - 1);
            if (s.hash == (uint32_t)hash)
                return t->base + s.off - 1;
        }
        if (l->in_old)
            return 0;
        l->in_old = true;
        l->begun = false;
    }
}
