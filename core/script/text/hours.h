/* SPDX-License-Identifier: Apache-2.0 */
/* hours.h - business hours: a week, and the days that are not like it.
 *
 * A day's hours are spans of minutes; one that goes over midnight belongs to
 * the day it begins on. Pure.
 */
#pragma once
#include "base/err.h"
#include "script/text/zone.h"

#define HOURS_SPANS 4       /* of one day */
#define HOURS_DAYS 400      /* that are not like their weekday */
#define HOURS_LOOK_DAYS 800 /* closed for longer: never open */

struct span {
    int16_t from, to; /* minutes of the day; to may be over 1440 */
};
struct open_day {
    struct span span[HOURS_SPANS];
    int count; /* 0 = closed */
};
struct special_day {
    int32_t day; /* day_of() */
    struct open_day hours;
};
struct hours {
    struct open_day week[7];                /* 0 = Sunday */
    struct special_day special[HOURS_DAYS]; /* by day, a day once */
    int specials;
};
/* "9:00-18:00", "9:00-12:00, 13:00-18:00", "22:00-06:00", "closed". */
int hours_read_day(struct slice text, struct open_day *out, struct err *e);
/* "mon".."sun" -> 0..6, 0 = Sunday; -1 = none of them. */
int hours_weekday(struct slice name);
/* "2026-02-15" or "2026-02-15..2026-02-23" -> first and last day. */
int hours_read_dates(struct slice text, int64_t *first, int64_t *last,
                     struct err *e);
/* What is said of a day twice: the last counts. ERR_TOOBIG: too many days. */
int hours_set_day(struct hours *h, int64_t day, const struct open_day *hours);
/* s since 1970 */
bool hours_is_open(const struct hours *h, struct zone_ref zone, int64_t at);
/* The first moment from `at` on at which it is (not) open; at itself if it is.
 * 0 = never, as far as we look. */
int64_t hours_next(const struct hours *h, struct zone_ref zone, int64_t at,
                   bool open);
