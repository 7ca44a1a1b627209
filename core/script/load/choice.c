/* SPDX-License-Identifier: Apache-2.0 */
/* choice.c - from a conversation to a version.
 *
 * Happy path: a comparison of times, one mixing of two numbers. Failure modes:
 * a conversation older than all versions that are still here is met by the
 * oldest of them, the nearest to what it began with; one that fell into the
 * time of a version that was rolled back from is met by the serving one.
 */
#include "script/load/choice.h"

/* FNV-1a: hash_bytes is another one in each process. */
uint64_t choice_salt(struct slice unit)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < unit.len; i++)
        h = (h ^ (unsigned char)unit.at[i]) * 0x100000001b3u;
    return h;
}

bool choice_is_in(uint64_t salt, uint64_t conv, int32_t share)
{
    uint64_t x = conv ^ salt;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x % 100 < (uint64_t)share;
}

static bool holds(int64_t since_at, int64_t until_at, int64_t at)
{
    return since_at <= at && (!until_at || at < until_at);
}

/* The one that began last: a version can come back. */
static struct version *by_time(const struct choice *c, int64_t at)
{
    const struct term *best = NULL, *oldest = NULL;
    for (size_t i = 0; i < c->count; i++) {
        const struct term *t = &c->terms[i];
        if (holds(t->since_at, t->until_at, at) &&
            (!best || t->since_at >= best->since_at))
            best = t;
        if (!oldest || t->since_at < oldest->since_at)
            oldest = t;
    }
    if (best)
        return best->version;
    return oldest && at < oldest->since_at ? oldest->version : c->serving;
}

struct version *choice_of(const struct choice *c, uint64_t conv,
                          int64_t created_at)
{
    if (!conv)
        return c->serving;
    if (c->canary && holds(c->canary_since, c->canary_until, created_at) &&
        choice_is_in(c->salt, conv, c->share))
        return c->canary;
    return by_time(c, created_at);
}
