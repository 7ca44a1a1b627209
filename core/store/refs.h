/* SPDX-License-Identifier: Apache-2.0 */
/* refs.h - which refs were stored lately: a set of 8 bytes an entry.
 *
 * Why: a unique index on the journal costs 6 us a message; a client repeats a
 * send within seconds. So the last refs are remembered in memory as 32 bits of
 * their hash and the position of their row; a hit is only a hint and is checked
 * against that row. Never a wrong answer: at worst a row read in vain.
 *
 * The table grows by moving to a bigger one a few slots per insert, so that no
 * insert waits. At `max` entries the oldest quarter is forgotten.
 *
 * Thread: store.
 */
#pragma once
#include "base/buf.h"

struct refs_table {
    struct refs_slot *slots;
    uint32_t cap, count;
    uint64_t base; /* slots hold pos - base + 1 */
};
struct refs {
    struct refs_table now, old; /* old: on its way into now */
    uint32_t moved;             /* slots of old done */
    uint64_t floor;             /* what lies below may be forgotten */
    size_t max;
};
void refs_init(struct refs *r, size_t max);
void refs_fini(struct refs *r);
size_t refs_count(const struct refs *r);
size_t refs_bytes(const struct refs *r);
/* Positions only rise, but for those of a transaction that was rolled back. */
void refs_put(struct refs *r, uint64_t hash, uint64_t pos);
/* Rows below pos are too old to matter; they go when the table moves. */
void refs_forget_below(struct refs *r, uint64_t pos);

/* for (struct refs_look l = {0}; (pos = refs_next(r, hash, &l)) != 0;) */
struct refs_look {
    bool in_old, begun;
    uint32_t at;
};
uint64_t refs_next(const struct refs *r, uint64_t hash, struct refs_look *l);
