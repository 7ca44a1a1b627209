/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.h - a circuit breaker: whoever fails is left alone for a while.
 *
 * Why: calls to a service that is down cost everyone their time-outs, and keep
 * it down. After `in_a_row` failures one after the other, or when more than
 * `percent` of at least `least` calls of the last `window_ms` failed, nobody
 * calls for `open_ms`; then one probe goes. It fails: twice as long, up to
 * `open_most_ms`. It succeeds: all is forgotten.
 *
 * Pure: it is told the time (ms, any clock that does not go back). Used by
 * whoever owns it, on one thread.
 * States: CLOSED -> OPEN -> HALF -> CLOSED | OPEN
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define BREAKER_SLOTS 10 /* the window moves by a tenth of itself */

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF };
enum breaker_outcome {
    BREAKER_WELL,
    BREAKER_FAILED,
    BREAKER_NOTHING /* cancelled: says nothing about the other side */
};
struct breaker_conf {     /* 0 = the default */
    uint32_t in_a_row;    /* 5 */
    uint32_t percent;     /* 50 */
    uint32_t least;       /* 20 */
    int64_t window_ms;    /* 30 s */
    int64_t open_ms;      /* 10 s */
    int64_t open_most_ms; /* 2 min */
};
struct breaker {
    struct breaker_conf conf;
    enum breaker_state state;
    uint32_t row;    /* failures one after the other */
    uint32_t ticket; /* of all calls since the last change of state */
    bool probing;    /* HALF: the one call is under way */
    int64_t until, now_open_ms;
    int64_t slot_at; /* number of the newest slot */
    struct {
        uint32_t calls, failures;
    } slot[BREAKER_SLOTS];
};

void breaker_init(struct breaker *b, const struct breaker_conf *conf);
/* May a call go? Its ticket, or 0: not now. Every ticket is given back by
 * breaker_note exactly once. */
uint32_t breaker_take(struct breaker *b, int64_t now);
/* What became of it. Those who began before the last change of state have no
 * say any more. Returns true if the state changed. */
bool breaker_note(struct breaker *b, uint32_t ticket,
                  enum breaker_outcome outcome, int64_t now);
/* Would breaker_take give a ticket? Changes nothing. */
bool breaker_lets(const struct breaker *b, int64_t now);
/* Ms until the next probe may go; 0 = it may, or is under way. */
int64_t breaker_wait(const struct breaker *b, int64_t now);
/* Calls and failures of the window. */
uint32_t breaker_failures(const struct breaker *b, uint32_t *calls);
const char *breaker_state_name(enum breaker_state s); /* "closed" */
