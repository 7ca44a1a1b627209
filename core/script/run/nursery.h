/* SPDX-License-Identifier: Apache-2.0 */
/* nursery.h - where the small blocks of a state begin their life.
 *
 * A handler takes five small blocks, and the collector frees nearly all of
 * them again: a general allocator spends more on joining and splitting them
 * than the handler on its rule. Here a block is the next bytes of a page, and
 * a page is used again when none of its blocks is left. A page that a lasting
 * block holds is left to it, and when all are held (NURSERY_PAGES) blocks come
 * from the allocator behind: what can be lost that way is bounded.
 *
 * Thread: whoever has the state.   Owns: its pages, from the first handler on.
 * Errors: no memory for the pages, or all are held: NULL, ask elsewhere.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NURSERY_PAGE 4096
#define NURSERY_PAGES 64
#define NURSERY_MOST 256 /* bytes of a block */

struct nursery {
    char *pages; /* NULL: none */
    char *at, *end;
    uint32_t filled; /* the page that at is in; NURSERY_PAGES = none */
    uint32_t empty_count;
    uint16_t blocks[NURSERY_PAGES]; /* alive, of each page */
    uint8_t empty[NURSERY_PAGES];   /* the one that was left last comes first */
};

void nursery_open(struct nursery *n);
void nursery_close(struct nursery *n);
bool nursery_is_empty(const struct nursery *n);
bool nursery_next(struct nursery *n); /* another page to fill */

static inline bool nursery_has(const struct nursery *n, const void *p)
{
    return (uintptr_t)p - (uintptr_t)n->pages <
           (uintptr_t)NURSERY_PAGES * NURSERY_PAGE;
}

/* size > 0 */
static inline void *nursery_take(struct nursery *n, size_t size)
{
    size = (size + 7) & ~(size_t)7;
    if (size > NURSERY_MOST ||
        ((size_t)(n->end - n->at) < size && !nursery_next(n)))
        return NULL;
    void *got = n->at;
    n->at += size;
    n->blocks[n->filled]++;
    return got;
}

/* p: a block of it */
static inline void nursery_give(struct nursery *n, const void *p)
{
    size_t page = ((uintptr_t)p - (uintptr_t)n->pages) / NURSERY_PAGE;
    if (--n->blocks[page] == 0 && page != n->filled)
        n->empty[n->empty_count++] = (uint8_t)page;
}
