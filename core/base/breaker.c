/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.c - see breaker.h.
 *
 * Happy path: closed, and each call adds one to the window. The window is a
 * ring of ten slots; a slot that has become too old is emptied when time moves
 * over it. Failure modes: a result that comes after the state changed bears an
 * old ticket and is not counted, so a slow crowd of failures cannot open it a
 * second time, nor an old success close it.
 */
#include "base/breaker.h"
#include <string.h>

static void number(uint32_t *n, uint32_t otherwise)
{
    if (*n == 0)
        *n = otherwise;
}

static void span(int64_t *ms, int64_t otherwise)
{
    if (*ms <= 0)
        *ms = otherwise;
}

void breaker_init(struct breaker *b, const struct breaker_conf *conf)
{
    *b = (struct breaker){.ticket = 1};
    if (conf)
        b->conf = *conf;
    number(&b->conf.in_a_row, 5);
    number(&b->conf.percent, 50);
    number(&b->conf.least, 20);
    span(&b->conf.window_ms, 30000);
    span(&b->conf.open_ms, 10000);
    span(&b->conf.open_most_ms, 120000);
    b->now_open_ms = b->conf.open_ms;
}

static void change(struct breaker *b, enum breaker_state to)
{
    b->state = to;
    b->probing = false;
    if (++b->ticket == 0)
        b->ticket = 1;
}

static void open_it(struct breaker *b, int64_t now)
{
    change(b, BREAKER_OPEN);
    b->until = now + b->now_open_ms;
    b->now_open_ms *= 2;
    if (b->now_open_ms > b->conf.open_most_ms)
        b->now_open_ms = b->conf.open_most_ms;
}

static void close_it(struct breaker *b)
{
    change(b, BREAKER_CLOSED);
    b->row = 0;
    b->now_open_ms = b->conf.open_ms;
    memset(b->slot, 0, sizeof b->slot);
}

/* Empties what the window has left behind; gives the present slot. */
static int slot_of(struct breaker *b, int64_t now)
{
    int64_t width = b->conf.window_ms / BREAKER_SLOTS;
    int64_t at = now / (width > 0 ? width : 1);
    if (at - b->slot_at >= BREAKER_SLOTS || at < b->slot_at)
        memset(b->slot, 0, sizeof b->slot);
    else
        for (int64_t i = b->slot_at + 1; i <= at; i++)
            memset(&b->slot[i % BREAKER_SLOTS], 0, sizeof b->slot[0]);
    b->slot_at = at;
    return (int)(at % BREAKER_SLOTS);
}

uint32_t breaker_failures(const struct breaker *b, uint32_t *calls)
{
    uint32_t failures = 0;
    *calls = 0;
    for (int i = 0; i < BREAKER_SLOTS; i++) {
        *calls += b->slot[i].calls;
        failures += b->slot[i].failures;
    }
    return failures;
}

bool breaker_lets(const struct breaker *b, int64_t now)
{
    switch (b->state) {
    case BREAKER_CLOSED:
        return true;
    case BREAKER_OPEN:
        return now >= b->until;
    case BREAKER_HALF:
        return !b->probing;
    }
    return false;
}

uint32_t breaker_take(struct breaker *b, int64_t now)
{
    if (!breaker_lets(b, now))
        return 0;
    if (b->state == BREAKER_OPEN)
        change(b, BREAKER_HALF);
    b->probing = b->state == BREAKER_HALF;
    return b->ticket;
}

static bool is_too_much(struct breaker *b)
{
    uint32_t calls, failures = breaker_failures(b, &calls);
    if (b->row >= b->conf.in_a_row)
        return true;
    return calls >= b->conf.least &&
           (uint64_t)failures * 100 > (uint64_t)calls * b->conf.percent;
}

bool breaker_note(struct breaker *b, uint32_t ticket,
                  enum breaker_outcome outcome, int64_t now)
{
    if (ticket != b->ticket || b->state == BREAKER_OPEN)
        return false;
    if (outcome == BREAKER_NOTHING) {
        b->probing = false; /* the next one is the probe */
        return false;
    }
    if (b->state == BREAKER_HALF) {
        if (outcome == BREAKER_WELL)
            close_it(b);
        else
            open_it(b, now);
        return true;
    }
    int at = slot_of(b, now);
    b->slot[at].calls++;
    b->slot[at].failures += outcome == BREAKER_FAILED;
    b->row = outcome == BREAKER_FAILED ? b->row + 1 : 0;
    if (outcome != BREAKER_FAILED || !is_too_much(b))
        return false;
    open_it(b, now);
    return true;
}

int64_t breaker_wait(const struct breaker *b, int64_t now)
{
    return b->state == BREAKER_OPEN && b->until > now ? b->until - now : 0;
}

const char *breaker_state_name(enum breaker_state s)
{
    static const char *const names[] = {"closed", "open", "half-open"};
    return names[s];
}
