/* SPDX-License-Identifier: Apache-2.0 */
/* queue.c - who waits, and who takes them.
 *
 * Happy path: a conversation is queued by priority, then by how long it waits;
 * whenever an agent has room the first one that agent may take is given.
 * Failure: a giving that could not be committed leaves the conversation in its
 * place, and the next round tries again.
 */
#include "desk/inner.h"

#define TOLD_POSITIONS 100

static bool goes_before(const struct conversation *a,
                        const struct conversation *b)
{
    if (a->priority != b->priority) {
        return a->priority > b->priority;
    }
    if (a->queued_at != b->queued_at) {
        return a->queued_at < b->queued_at;
    }
    return a->id < b->id;
}

void queue_add(struct desk *d, struct conv *c)
{
    must(list_empty(&c->queue_link));
    struct list *at = d->queue.prev; /* most come last */
    while (
        at != &d->queue &&
        goes_before(&c->rec, &container_of(at, struct conv, queue_link)->rec)) {
        at = at->prev;
    }
    list_add_last(at->next, &c->queue_link);
    d->queued++;
    d->queue_moved = true;
}

void queue_remove(struct desk *d, struct conv *c)
{
    if (!list_empty(&c->queue_link)) {
        list_remove(&c->queue_link);
        d->queued--;
        d->queue_moved = true;
    }
}

uint32_t queue_position(const struct desk *d, const struct conv *c)
{
    uint32_t n = 1;
    for (const struct list *l = d->queue.next; l != &d->queue; l = l->next) {
        if (l == &c->queue_link) {
            return n;
        }
        n++;
    }
    return 0;
}

/* Lower is better: first the share of the load, then who waited longest. */
static bool less_busy(const struct agent_live *a, const struct agent_live *b)
{
    int64_t x = (int64_t)(a->load + a->reserved) * b->rec.max_load;
    int64_t y = (int64_t)(b->load + b->reserved) * a->rec.max_load;
    if (x != y) {
        return x < y;
    }
    if (a->last_taken != b->last_taken) {
        return a->last_taken < b->last_taken;
    }
    return a->rec.id < b->rec.id;
}

static bool waited_longer(const struct agent_live *a,
                          const struct agent_live *b)
{
    return a->last_taken != b->last_taken ? a->last_taken < b->last_taken
                                          : a->rec.id < b->rec.id;
}

struct agent_live *queue_pick(struct desk *d, uint64_t team, struct slice how)
{
    return queue_pick_but(d, team, how, 0);
}

struct agent_live *queue_pick_but(struct desk *d, uint64_t team,
                                  struct slice how, uint64_t but)
{
    bool turn = slice_is(how, "round_robin");
    if (team && !desk_team(d, team)) {
        team = 0; /* deleted: anybody may, rather than nobody */
    }
    struct agent_live *best = NULL, *a;
    for (size_t i = 0; (a = map_next(&d->agents, &i)) != NULL;) {
        if (!agent_is_free(a) || a->rec.id == but ||
            (team && !team_has(d, team, a->rec.id))) {
            continue;
        }
        if (!best || (turn ? waited_longer(a, best) : less_busy(a, best))) {
            best = a;
        }
    }
    return best;
}

static bool anybody_free(const struct desk *d)
{
    struct agent_live *a;
    for (size_t i = 0; (a = map_next(&d->agents, &i)) != NULL;) {
        if (agent_is_free(a)) {
            return true;
        }
    }
    return false;
}

/* The lane's turn of a queued conversation: still queued? still a free one? */
static void take_begin(struct desk *d, struct conv *c, void *what)
{
    (void)what;
    struct agent_live *a = c->rec.state == CONV_QUEUED
                               ? queue_pick(d, c->rec.team, SLICE(""))
                               : NULL;
    if (!a) {
        c->taking = false;
        conv_change_end(d, c);
        return;
    }
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    conv_set_holder(&s->next, CONV_OPEN, a->rec.id,
                    d->conf.ports.now(d->conf.ports.arg));
    s->reserved = a->rec.id;
    a->reserved++;
    conv_tx_change(tx, s, EVENT_CONVERSATION_ASSIGNED, ROLE_SYSTEM, 0, 0);
    conv_commit(d, tx);
}

void queue_drain(struct desk *d)
{
    if (!d->started || d->queued == 0 || !anybody_free(d)) {
        return;
    }
    list_each (&d->queue, l) {
        struct conv *c = container_of(l, struct conv, queue_link);
        if (c->taking || !queue_pick(d, c->rec.team, SLICE(""))) {
            continue;
        }
        c->taking = true;
        conv_change(d, c, take_begin, NULL);
        if (!anybody_free(d)) {
            return;
        }
    }
}

void queue_tell(struct desk *d)
{
    if (!d->queue_moved) {
        return;
    }
    d->queue_moved = false;
    roster_spoil(d); /* its counts of those who wait */
    uint32_t n = 0;
    list_each (&d->queue, l) {
        tell_queue(d, container_of(l, struct conv, queue_link), ++n);
        if (n == TOLD_POSITIONS) {
            return; /* further back a position says little, and costs */
        }
    }
}
