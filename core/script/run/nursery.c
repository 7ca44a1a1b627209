/* SPDX-License-Identifier: Apache-2.0 */
/* nursery.c - its pages.
 *
 * Happy path: the page that is full is left, the one that became empty last,
 * which is warm, is filled next. Failure modes: see nursery.h.
 */
#include "script/run/nursery.h"
#include "base/err.h"
#include <sys/mman.h>

#define BYTES ((size_t)NURSERY_PAGES * NURSERY_PAGE)

void nursery_open(struct nursery *n)
{
    void *got = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED)
        return;
    n->pages = got;
    n->filled = NURSERY_PAGES;
    for (int i = NURSERY_PAGES; i-- > 0;)
        n->empty[n->empty_count++] = (uint8_t)i;
}

void nursery_close(struct nursery *n)
{
    if (!n->pages)
        return;
    must(nursery_is_empty(n));
    must(munmap(n->pages, BYTES) == 0);
    *n = (struct nursery){0};
}

bool nursery_is_empty(const struct nursery *n)
{
    bool filling = n->filled < NURSERY_PAGES;
    if (n->pages && n->empty_count + filling < NURSERY_PAGES)
        return false;
    return !filling || n->blocks[n->filled] == 0;
}

bool nursery_next(struct nursery *n)
{
    if (!n->pages)
        return false;
    if (n->filled == NURSERY_PAGES || n->blocks[n->filled]) {
        n->filled = NURSERY_PAGES;
        n->at = n->end = NULL;
        if (!n->empty_count)
            return false; /* all are held */
        n->filled = n->empty[--n->empty_count];
    }
    n->at = n->pages + (size_t)n->filled * NURSERY_PAGE;
    n->end = n->at + NURSERY_PAGE;
    return true;
}
