/* SPDX-License-Identifier: Apache-2.0 */
/* hours.c - is it open now, and when will it be?
 *
 * Happy path: the day's spans, and those of the day before that go over
 * midnight, turned into moments of the zone. Failure modes: texts that are no
 * hours or dates are refused with a sentence.
 */
#include "script/text/hours.h"
#include "base/limits.h"
#include <stdlib.h>
#include <string.h>

#define DAY 86400
#define DAY_MINUTES 1440

/* --- reading -------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "9:00" .. "24:00" */
static bool read_minutes(struct slice s, int16_t *out)
{
    int64_t h, m = 0;
    s = slice_trim(s);
    const char *colon = s.len ? memchr(s.at, ':', s.len) : NULL;
    size_t n = colon ? (size_t)(colon - s.at) : s.len;
    if (n < 1 || n > 2 || !is_digit(s.at[0]) ||
        !slice_to_i64((struct slice){s.at, n}, &h))
        return false;
    if (colon && (s.len != n + 3 || !is_digit(colon[1]) ||
                  !slice_to_i64((struct slice){colon + 1, 2}, &m)))
        return false;
    if (m > 59 || h * 60 + m > DAY_MINUTES)
        return false;
    *out = (int16_t)(h * 60 + m);
    return true;
}

static bool read_span(struct slice s, struct span *out)
{
    const char *dash = s.len ? memchr(s.at, '-', s.len) : NULL;
    if (!dash)
        return false;
    size_t n = (size_t)(dash - s.at);
    if (!read_minutes((struct slice){s.at, n}, &out->from) ||
        !read_minutes((struct slice){dash + 1, s.len - n - 1}, &out->to) ||
        out->from == out->to || out->from == DAY_MINUTES)
        return false;
    if (out->to < out->from)
        out->to = (int16_t)(out->to + DAY_MINUTES);
    return true;
}

int hours_read_day(struct slice text, struct open_day *out, struct err *e)
{
    struct slice rest = slice_trim(text);
    *out = (struct open_day){.count = 0};
    if (slice_is_nocase(rest, "closed"))
        return 0;
    for (;;) {
        const char *comma = rest.len ? memchr(rest.at, ',', rest.len) : NULL;
        size_t n = comma ? (size_t)(comma - rest.at) : rest.len;
        if (out->count == HOURS_SPANS)
            return err_set(e, ERR_UNPROCESSABLE,
                           "a day has at most %d spans of hours", HOURS_SPANS);
        if (!read_span((struct slice){rest.at, n}, &out->span[out->count++]))
            return err_set(e, ERR_UNPROCESSABLE,
                           "hours look like \"9:00-18:00\" or \"9:00-12:00, "
                           "13:00-18:00\", not '%.*s'",
                           text.len > 60 ? 60 : (int)text.len,
                           text.at ? text.at : "");
        if (!comma)
            return 0;
        rest = (struct slice){comma + 1, rest.len - n - 1};
    }
}

int hours_weekday(struct slice name)
{
    static const char *const names[] = {"sun", "mon", "tue", "wed",
                                        "thu", "fri", "sat"};
    for (int i = 0; i < 7; i++)
        if (slice_is(name, names[i]))
            return i;
    return -1;
}

/* "2026-02-15" */
static bool read_date(struct slice s, int64_t *day)
{
    int64_t part[3];
    if (s.len != 10 || s.at[4] != '-' || s.at[7] != '-' || !is_digit(s.at[0]) ||
        !is_digit(s.at[5]) || !is_digit(s.at[8]) ||
        !slice_to_i64((struct slice){s.at, 4}, &part[0]) ||
        !slice_to_i64((struct slice){s.at + 5, 2}, &part[1]) ||
        !slice_to_i64((struct slice){s.at + 8, 2}, &part[2]))
        return false;
    int y, m, d;
    if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31)
        return false;
    *day = day_of((int)part[0], (int)part[1], (int)part[2]);
    day_date(*day, &y, &m, &d); /* no February 30th */
    return m == part[1] && d == part[2];
}

int hours_read_dates(struct slice text, int64_t *first, int64_t *last,
                     struct err *e)
{
    struct slice from = text, to = text;
    if (text.len == 22 && text.at[10] == '.' && text.at[11] == '.') {
        from.len = 10;
        to = (struct slice){text.at + 12, 10};
    }
    if (read_date(from, first) && read_date(to, last) && *first <= *last)
        return 0;
    return err_set(e, ERR_UNPROCESSABLE,
                   "a date looks like \"2026-02-15\", several days like "
                   "\"2026-02-15..2026-02-23\", not '%.*s'",
                   text.len > 60 ? 60 : (int)text.len, text.at ? text.at : "");
}

int hours_set_day(struct hours *h, int64_t day, const struct open_day *hours)
{
    int at = 0;
    while (at < h->specials && h->special[at].day < day)
        at++;
    if (at == h->specials || h->special[at].day != day) {
        if (h->specials == HOURS_DAYS)
            return ERR_TOOBIG;
        memmove(&h->special[at + 1], &h->special[at],
                (size_t)(h->specials - at) * sizeof h->special[0]);
        h->specials++;
    }
    h->special[at] = (struct special_day){(int32_t)day, *hours};
    return 0;
}

/* --- when ----------------------------------------------------------------- */

static const struct open_day *hours_of(const struct hours *h, int64_t day)
{
    int low = 0, high = h->specials;
    while (low < high) {
        int middle = (low + high) / 2;
        if (h->special[middle].day < day)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < h->specials && h->special[low].day == day)
        return &h->special[low].hours;
    return &h->week[day_weekday(day)];
}

/* When clocks show that minute of that day. */
static int64_t moment(struct zone_ref zone, int64_t day, int minute)
{
    return zone_moment(zone, day * DAY + minute * 60, INT64_MIN, false);
}

/* The end of the span that holds `at`; 0 = it is closed. */
static int64_t open_until(const struct hours *h, struct zone_ref zone,
                          int64_t at)
{
    int64_t until = 0;
    int64_t today = (at + zone_ref_offset(zone, at)) / DAY;
    for (int64_t day = today - 1; day <= today; day++) {
        const struct open_day *d = hours_of(h, day);
        for (int i = 0; i < d->count; i++) {
            int64_t from = moment(zone, day, d->span[i].from);
            int64_t to = moment(zone, day, d->span[i].to);
            if (from <= at && at < to && to > until)
                until = to;
        }
    }
    return until;
}

bool hours_is_open(const struct hours *h, struct zone_ref zone, int64_t at)
{
    return open_until(h, zone, at) != 0;
}

static int64_t next_opening(const struct hours *h, struct zone_ref zone,
                            int64_t at)
{
    int64_t today = (at + zone_ref_offset(zone, at)) / DAY;
    for (int64_t day = today; day < today + HOURS_LOOK_DAYS; day++) {
        const struct open_day *d = hours_of(h, day);
        int64_t best = 0;
        for (int i = 0; i < d->count; i++) {
            int64_t from = moment(zone, day, d->span[i].from);
            if (from >= at && (!best || from < best))
                best = from;
        }
        if (best)
            return best;
    }
    return 0;
}

int64_t hours_next(const struct hours *h, struct zone_ref zone, int64_t at,
                   bool open)
{
    int64_t until = open_until(h, zone, at);
    if (open)
        return until ? at : next_opening(h, zone, at);
    /* Spans may touch, or follow each other round the clock. */
    for (int i = 0; until && i < HOURS_LOOK_DAYS; i++) {
        at = until;
        until = open_until(h, zone, at);
    }
    return until ? 0 : at;
}
