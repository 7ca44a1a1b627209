/* SPDX-License-Identifier: Apache-2.0 */
/* lend.h - which stretches a worker does not run itself (lane.h).
 *
 * While a version is away its state is the lane's: jobs and waits that end are
 * held in their order and go on when it is back, so that an author and a
 * channel meet the same order as ever.
 *
 * A new version is away until LEND_PROVEN stretches in a row were short; one
 * that took longer than LEND_LONG_US begins that again; one that was stopped
 * is slow for LEND_SLOW_MS. With one script thread nothing is lent.
 *
 * Thread: the worker's, except lend_back.
 */
#pragma once
#include "script/load/unit.h"
#include "script/run/lane.h"
#include "script/run/worker.h"

#define LEND_PROVEN 4
#define LEND_LONG_US 10000
#define LEND_SLOW_MS 60000
#define LEND_LOST_MS 5000  /* running at two looks that far apart: lost */
#define LEND_HURRY_MS 1000 /* the same while the house stops */

enum lane lend_which(struct worker *w, struct version *v);
static inline enum lane lend_to(struct worker *w, struct version *v)
{
    if (!w->conf.lanes || (v->proven >= LEND_PROVEN && !v->slow_until))
        return LANE_NONE;
    return lend_which(w, v);
}
/* The version goes with the stretch; s->task NULL: to collect its garbage. */
void lend_give(struct worker *w, struct version *v, enum lane lane,
               const struct stretch *s);
/* Wants a version that is away: goes on, or begins, when it is back. */
void lend_hold(struct version *v, struct run *run);
/* How a stretch went. */
void lend_note(struct worker *w, struct version *v, const struct stretch *s);
/* The version retires: what waits in it ends now, or when it is back. */
void lend_drain(struct worker *w, struct version *v);
/* The house stops: no later than that the last one is back, or lost. */
void lend_hurry(struct worker *w);
void lend_back(struct lent *l); /* on the lane: gives it back */
