/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.c - six levels of 64 slots, and a list for what is farther away.
 *
 * Happy path: a timer lies in the slot of the level whose span its distance
 * fits; when time reaches a slot of a higher level, its timers fall to lower
 * ones. A bit a slot says whether it holds anything, so that empty time is
 * jumped over. Starting and stopping are O(1), a timer falls at most 6 times.
 *
 * Failure modes: a deadline in the past fires at the next turn; one beyond
 * 2^36 ms waits in the overflow list, looked at once in 2^36 ms (two years);
 * time that goes backwards is ignored. A timer's fn may start and stop any
 * timer, also the ones due in the same turn; one started for now or earlier
 * fires in the next turn, so that no turn can go on for ever.
 */
#include "base/wheel.h"
#include "base/err.h"

#define LEVELS 6
#define BITS 6
#define SLOTS 64
#define MASK (SLOTS - 1)
#define SPAN_BITS (LEVELS * BITS)
#define FARTHEST ((int64_t)1 << 40)

struct wheel {
    int64_t now; /* everything due up to here was fired */
    size_t count;
    uint64_t full[LEVELS]; /* bit i: slot i may hold timers */
    struct list slots[LEVELS][SLOTS];
    struct list overflow;
    struct list late; /* started for now or earlier: next turn */
};

struct wheel *wheel_new(int64_t now_ms)
{
    struct wheel *w = mem_alloc(sizeof *w);
    w->now = now_ms;
    for (int l = 0; l < LEVELS; l++)
        for (int s = 0; s < SLOTS; s++)
            list_init(&w->slots[l][s]);
    list_init(&w->overflow);
    list_init(&w->late);
    return w;
}

static void forget(struct list *slot)
{
    while (!list_empty(slot))
        list_remove(slot->next);
}

void wheel_free(struct wheel *w)
{
    if (!w)
        return;
    for (int l = 0; l < LEVELS; l++)
        for (int s = 0; s < SLOTS; s++)
            forget(&w->slots[l][s]);
    forget(&w->overflow);
    forget(&w->late);
    mem_free(w);
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
    list_init(&t->link);
    t->due_ms = 0;
    t->fn = fn;
}

bool timer_is_running(const struct timer *t)
{
    return !list_empty(&t->link);
}

/* -- where a timer lies --------------------------------------------------- */

/* The highest bits in which due and now differ name the level, so a level's
 * timers all lie ahead of now in its present round: slots never wrap. */
static void place(struct wheel *w, struct timer *t)
{
    uint64_t differ = (uint64_t)(t->due_ms ^ w->now);
    if (differ >> SPAN_BITS) {
        list_add_last(&w->overflow, &t->link);
        return;
    }
    int level = differ ? (63 - __builtin_clzll(differ)) / BITS : 0;
    int slot = (int)(t->due_ms >> (level * BITS)) & MASK;
    w->full[level] |= (uint64_t)1 << slot;
    list_add_last(&w->slots[level][slot], &t->link);
}

void timer_start(struct wheel *w, struct timer *t, int64_t due_ms)
{
    timer_stop(w, t);
    if (due_ms > w->now + FARTHEST)
        due_ms = w->now + FARTHEST;
    w->count++;
    if (due_ms <= w->now) {
        t->due_ms = w->now; /* late ones fire in the order they came */
        list_add_last(&w->late, &t->link);
        return;
    }
    t->due_ms = due_ms;
    place(w, t);
}

void timer_stop(struct wheel *w, struct timer *t)
{
    struct list *next = t->link.next;
    if (next == &t->link)
        return;
    list_remove(&t->link);
    w->count--;
    /* The last one of a slot leaves its head pointing at itself. */
    struct list *first = &w->slots[0][0];
    struct list *last = &w->slots[LEVELS - 1][SLOTS - 1];
    if (next->next == next && next >= first && next <= last) {
        size_t at = (size_t)(next - first);
        w->full[at / SLOTS] &= ~((uint64_t)1 << at % SLOTS);
    }
}

/* -- time ----------------------------------------------------------------- */

/* When the nearest filled slot (level, slot) begins; level LEVELS stands for
 * the overflow list, -1 for nothing. */
static int nearest(const struct wheel *w, int *slot, int64_t *at)
{
    for (int l = 0; l < LEVELS; l++) {
        if (!w->full[l])
            continue;
        int round = (l + 1) * BITS;
        *slot = __builtin_ctzll(w->full[l]);
        *at = (w->now >> round << round) | (int64_t)*slot << (l * BITS);
        return l;
    }
    if (list_empty(&w->overflow))
        return -1;
    *at = ((w->now >> SPAN_BITS) + 1) << SPAN_BITS;
    return LEVELS;
}

static void move_all(struct list *from, struct list *to)
{
    list_init(to);
    if (list_empty(from))
        return;
    *to = *from;
    to->next->prev = to->prev->next = to;
    list_init(from);
}

/* Callbacks may stop or move timers that wait in the same list. */
static void fire(struct wheel *w, struct list *from)
{
    struct list due;
    move_all(from, &due);
    while (!list_empty(&due)) {
        struct timer *t = container_of(due.next, struct timer, link);
        list_remove(&t->link);
        w->count--;
        t->fn(t);
    }
}

static void fall(struct wheel *w, struct list *from)
{
    struct list falling;
    move_all(from, &falling);
    while (!list_empty(&falling)) {
        struct timer *t = container_of(falling.next, struct timer, link);
        list_remove(&t->link);
        place(w, t);
    }
}

void wheel_turn(struct wheel *w, int64_t now_ms)
{
    fire(w, &w->late);
    for (;;) {
        int slot = 0;
        int64_t at;
        int level = nearest(w, &slot, &at);
        if (level < 0 || at > now_ms)
            break;
        w->now = at;
        if (level == LEVELS) {
            fall(w, &w->overflow);
            continue;
        }
        w->full[level] &= ~((uint64_t)1 << slot);
        if (level == 0)
            fire(w, &w->slots[0][slot]);
        else
            fall(w, &w->slots[level][slot]);
    }
    if (now_ms > w->now)
        w->now = now_ms;
}

int64_t wheel_next(const struct wheel *w, int64_t now_ms)
{
    int slot;
    int64_t at;
    if (!list_empty(&w->late))
        return 0;
    if (nearest(w, &slot, &at) < 0)
        return -1;
    return at > now_ms ? at - now_ms : 0;
}

size_t wheel_count(const struct wheel *w)
{
    return w->count;
}
