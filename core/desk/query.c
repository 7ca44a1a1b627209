/* SPDX-License-Identifier: Apache-2.0 */
/* query.c - making and freeing a question (query.h).
 *
 * Happy path: the query is the first thing in its own arena; freeing the arena
 * frees the question and its answer. Failure: none of its own.
 */
#include "desk/query.h"

struct query *query_new(enum query_kind kind, void (*done)(struct query *q),
                        void *owner)
{
    struct arena *a = arena_new();
    struct query *q = arena_one(a, struct query);
    q->arena = a;
    q->kind = kind;
    q->state = -1; /* any */
    q->done = done;
    q->owner = owner;
    return q;
}

void query_free(struct query *q)
{
    if (q) {
        arena_free(q->arena);
    }
}
