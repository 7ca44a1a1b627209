/* SPDX-License-Identifier: Apache-2.0 */
/* period.h - how often a unit's on_timer runs by itself: `every`, or `cron`
 * in a `zone`.
 *
 * Read while the file is loaded; raw access only, raises nothing. Immutable
 * then, any thread.
 */
#pragma once
#include "script/load/cron.h"
#include "script/load/unit.h"

struct period {
    struct cron cron;
    struct zone_ref zone; /* in the version's arena */
    bool has_cron, has_zone;
};
/* As field_read: the value is on top of v->L. */
int period_read(struct version *v, const char *name, struct err *e);
int period_check(struct version *v, struct err *e);
/* Ms from that moment (wall clock) until it is due again; 0 = never. */
int64_t period_wait(const struct version *v, int64_t wall_ms);
