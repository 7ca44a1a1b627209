/* SPDX-License-Identifier: Apache-2.0 */
/* mem.h - memory: small allocations that cannot fail, and the arena.
 *
 * Small allocations abort when the machine has no memory left; whatever a peer
 * can size goes through `buf` or is checked against base/limits.h first.
 *
 * An arena belongs to one envelope: everything of one event lives in it and is
 * freed at once. It is used by one thread at a time, whoever owns the
 * envelope. Chunks come from a bounded per-thread cache. What waits for seconds,
 * thousands at a time, is made with arena_new_for: as big as it is.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

void mem_setup(void); /* first thing in main(): malloc's settings, small RSS */
void *mem_alloc(size_t n);           /* zeroed, never NULL */
void *mem_resize(void *p, size_t n); /* never NULL for n > 0 */
void mem_free(void *p);              /* NULL is fine */
char *mem_strdup(const char *s);
void mem_trim(void); /* what is free in the heap goes back to the system; ms */

struct arena;
struct arena *arena_new(void);
/* With room for one allocation of so many bytes; not cached, grows by little. */
struct arena *arena_new_for(size_t bytes);
void arena_free(struct arena *a);             /* NULL is fine */
void *arena_alloc(struct arena *a, size_t n); /* zeroed, 16-aligned */
/* Not zeroed, 1-aligned: for text. */
char *arena_text(struct arena *a, size_t n);
size_t arena_bytes(const struct arena *a); /* taken from the system */
int64_t arena_live(void);                  /* arenas alive in the process */

#define arena_one(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_many(a, type, n)                                                 \
    ((type *)arena_alloc((a), sizeof(type) * (size_t)(n)))
#define container_of(p, type, member)                                          \
    ((type *)((char *)(p)-offsetof(type, member)))
