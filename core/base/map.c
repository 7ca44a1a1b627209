/* SPDX-License-Identifier: Apache-2.0 */
/* map.c - open addressing, linear probing, backward-shift deletion.
 *
 * Happy path: a key's hash names its home slot; it lies there or in one of the
 * next ones before the first empty slot. Taking out moves later ones back, so
 * there are no tombstones and the table never rots. At 3/4 it doubles.
 * Failure modes: none of its own (memory aborts). Peers cannot choose keys
 * that collide: the hash is keyed with random bytes per process (SipHash-1-3
 * for text).
 */
#include "base/map.h"
#include "base/clock.h"
#include "base/err.h"
#include <pthread.h>

#define FIRST_SLOTS 8

struct map_slot {
    uint64_t hash;
    void *value; /* NULL = empty */
    union {
        uint64_t number;
        struct slice text;
    } key;
};

/* -- hashing ------------------------------------------------------------ */

static uint64_t secret[2];
static pthread_once_t secret_once = PTHREAD_ONCE_INIT;

static void secret_make(void)
{
    random_bytes(secret, sizeof secret);
}

static inline uint64_t rotl(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

uint64_t hash_bytes(const void *p, size_t n)
{
    pthread_once(&secret_once, secret_make);
    uint64_t v[4] = {
        secret[0] ^ 0x736f6d6570736575u, secret[1] ^ 0x646f72616e646f6du,
        secret[0] ^ 0x6c7967656e657261u, secret[1] ^ 0x7465646279746573u};
    const char *at = p;
    uint64_t word, last = (uint64_t)n << 56;
    size_t left = n;
    for (; left >= 8; left -= 8, at += 8) {
        memcpy(&word, at, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)(unsigned char)at[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint64_t hash_number(uint64_t key)
{
    uint64_t x = key ^ secret[0];
    x = (x ^ x >> 32) * (secret[1] | 1);
    x = (x ^ x >> 29) * 0x9fb21c651e98df25u;
    return x ^ x >> 32;
}

/* -- the table ---------------------------------------------------------- */

void map_init(struct map *m)
{
    pthread_once(&secret_once, secret_make);
    *m = (struct map){0};
}

void map_fini(struct map *m)
{
    mem_free(m->slots);
    *m = (struct map){0};
}

/* The slot of the key, or the empty one where it belongs. */
static size_t seek_number(const struct map *m, uint64_t hash, uint64_t key)
{
    size_t i = hash & (m->cap - 1);
    while (m->slots[i].value && m->slots[i].key.number != key)
        i = (i + 1) & (m->cap - 1);
    return i;
}

static size_t seek_text(const struct map *m, uint64_t hash, struct slice key)
{
    size_t i = hash & (m->cap - 1);
    while (m->slots[i].value &&
           (m->slots[i].hash != hash || !slice_eq(m->slots[i].key.text, key)))
        i = (i + 1) & (m->cap - 1);
    return i;
}

static void make_room(struct map *m)
{
    if (m->cap && m->count < m->cap / 4 * 3)
        return;
    struct map_slot *old = m->slots;
    size_t old_cap = m->cap;
    m->cap = old_cap ? old_cap * 2 : FIRST_SLOTS;
    must(m->cap <= UINT32_MAX); /* map_next counts in 32 bits */
    m->slots = mem_alloc(m->cap * sizeof *m->slots);
    for (size_t i = 0; i < old_cap; i++) {
        if (!old[i].value)
            continue;
        size_t at = old[i].hash & (m->cap - 1);
        while (m->slots[at].value)
            at = (at + 1) & (m->cap - 1);
        m->slots[at] = old[i];
    }
    mem_free(old);
}

static void *take_slot(struct map *m, size_t hole)
{
    void *value = m->slots[hole].value;
    if (!value)
        return NULL;
    size_t mask = m->cap - 1;
    for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        /* May move back only if its home is not between hole and i. */
        size_t home = m->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].value = NULL;
    m->count--;
    return value;
}

void *map_get(const struct map *m, uint64_t key)
{
    if (m->count == 0)
        return NULL;
    return m->slots[seek_number(m, hash_number(key), key)].value;
}

void *map_get_text(const struct map *m, struct slice key)
{
    if (m->count == 0)
        return NULL;
    return m->slots[seek_text(m, hash_bytes(key.at, key.len), key)].value;
}

void map_put(struct map *m, uint64_t key, void *value)
{
    must(value != NULL);
    make_room(m);
    uint64_t hash = hash_number(key);
    struct map_slot *s = &m->slots[seek_number(m, hash, key)];
    m->count += s->value == NULL;
    *s = (struct map_slot){.hash = hash, .value = value, .key.number = key};
}

void map_put_text(struct map *m, struct slice key, void *value)
{
    must(value != NULL);
    make_room(m);
    uint64_t hash = hash_bytes(key.at, key.len);
    struct map_slot *s = &m->slots[seek_text(m, hash, key)];
    m->count += s->value == NULL;
    *s = (struct map_slot){.hash = hash, .value = value, .key.text = key};
}

void *map_take(struct map *m, uint64_t key)
{
    if (m->count == 0)
        return NULL;
    return take_slot(m, seek_number(m, hash_number(key), key));
}

void *map_take_text(struct map *m, struct slice key)
{
    if (m->count == 0)
        return NULL;
    return take_slot(m, seek_text(m, hash_bytes(key.at, key.len), key));
}

/* Walks downwards from an empty slot, round the table: taking out the current
 * one only moves slots that were walked already, and no run of slots crosses
 * the start. *i holds the start (high half) and the steps done (low half). */
void *map_next(const struct map *m, size_t *i)
{
    if (m->count == 0)
        return NULL;
    if (*i == 0) {
        size_t start = 0;
        while (m->slots[start].value)
            start++;
        *i = start << 32 | 1;
    }
    size_t start = *i >> 32, step = *i & UINT32_MAX;
    for (; step < m->cap; step++) {
        void *value = m->slots[(start - step) & (m->cap - 1)].value;
        if (value) {
            *i = start << 32 | (step + 1);
            return value;
        }
    }
    *i = start << 32 | step;
    return NULL;
}
