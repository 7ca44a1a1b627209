/* SPDX-License-Identifier: Apache-2.0 */
/* hist.c - a histogram of 32 steps to each doubling: 3 % wide, fixed size. */
#include "bench.h"

#include <string.h>

void hist_clear(struct hist *h)
{
    memset(h, 0, sizeof(*h));
}

static unsigned slot_of(uint64_t v)
{
    if (v < 32)
        return (unsigned)v;
    unsigned top = 63 - (unsigned)__builtin_clzll(v); /* >= 5 */
    return (top - 4) * 32 + (unsigned)((v >> (top - 5)) & 31);
}

static int64_t value_of(unsigned slot)
{
    if (slot < 32)
        return slot;
    unsigned top = slot / 32 + 4;
    uint64_t low = (32 + (uint64_t)(slot % 32)) << (top - 5);
    return (int64_t)(low + ((uint64_t)1 << (top - 5)) / 2);
}

void hist_add(struct hist *h, int64_t ns)
{
    if (ns < 0)
        ns = 0;
    if (ns > h->max)
        h->max = ns;
    h->count++;
    h->slot[slot_of((uint64_t)ns)]++;
}

int64_t hist_at(const struct hist *h, double quantile)
{
    uint64_t rank = (uint64_t)((double)h->count * quantile);
    uint64_t seen = 0;
    for (unsigned i = 0; i < HIST_SLOTS; i++) {
        seen += h->slot[i];
        if (seen > rank)
            return value_of(i) < h->max ? value_of(i) : h->max;
    }
    return h->max;
}
