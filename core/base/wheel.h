/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.h - a hierarchical timing wheel: a million deadlines, O(1) each.
 *
 * Pure: it is told the time. Resolution 1 ms; farthest deadline 2^40 ms.
 * Not thread-safe; a timer belongs to the thread that owns the wheel.
 */
#pragma once
#include "base/map.h"

struct timer {
    struct list link; /* alone when not running */
    int64_t due_ms;
    void (*fn)(struct timer *t); /* the timer is stopped before the call */
};
struct wheel; /* 6 levels of 64 slots and an overflow list */
struct wheel *wheel_new(int64_t now_ms);
void wheel_free(struct wheel *w); /* running timers are forgotten */
void timer_init(struct timer *t, void (*fn)(struct timer *t));
bool timer_is_running(const struct timer *t);
/* A running one is moved. */
void timer_start(struct wheel *w, struct timer *t, int64_t due_ms);
void timer_stop(struct wheel *w, struct timer *t); /* harmless if not running */
/* Fires everything due, in order of due_ms up to the same ms. A timer started
 * for the wheel's present or past counts as due now and fires first in the
 * next turn, never in the one that runs. */
void wheel_turn(struct wheel *w, int64_t now_ms);
/* ms until something may be due (0 = now), -1 = nothing running. May be
 * early (a slot boundary), never late. */
int64_t wheel_next(const struct wheel *w, int64_t now_ms);
size_t wheel_count(const struct wheel *w);
