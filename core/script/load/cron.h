/* SPDX-License-Identifier: Apache-2.0 */
/* cron.h - "0 9 * * 1-5": minute, hour, day of the month, month, weekday.
 *
 * Each field is *, a number, a range 1-5, a step of them or 8-18/2, a name (mon,
 * jan), or a list of those. Weekdays: 0 and 7 are Sunday. If both days are
 * narrowed, one of them is enough, as it has always been.
 *
 * Pure. Immutable once read.
 */
#pragma once
#include "base/err.h"
#include "script/text/zone.h"

struct cron {
    uint64_t minutes;
    uint32_t hours, days, months, weekdays; /* a bit for each that fits */
    bool any_day, any_weekday, any_hour;    /* "*" */
};
int cron_read(struct slice text, struct cron *out, struct err *e);
/* The first fitting minute after `after`, in ms since 1970; 0 = none within
 * ten years ("0 0 30 2 *"). */
int64_t cron_next(const struct cron *c, struct zone_ref zone, int64_t after_ms);
