/* SPDX-License-Identifier: Apache-2.0 */
/* cron.c - reading cron lines, and when they come next.
 *
 * Happy path: sets of bits, then a walk over days that skips what does not
 * fit. Failure modes: a field that is none, with its name in the sentence; a
 * line that never comes. Times that a clock change leaves out come as much
 * later; times that come twice count once, unless the hour is "*".
 */
#include "script/load/cron.h"
#include <string.h>

#define DAY 86400
#define DAYS_MOST 3660
#define CHANGE_HOURS 3 /* more than clocks are ever put forward or back */

static const char *const month_names[] = {"jan", "feb", "mar", "apr",
                                          "may", "jun", "jul", "aug",
                                          "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed",
                                            "thu", "fri", "sat"};

static const struct field {
    const char *name;
    int least, most;
    const char *const *names;
    int name_count;
} fields[] = {{"the minute", 0, 59, NULL, 0},
              {"the hour", 0, 23, NULL, 0},
              {"the day of the month", 1, 31, NULL, 0},
              {"the month", 1, 12, month_names, 12},
              {"the weekday", 0, 7, weekday_names, 7}};
#define FIELDS (sizeof fields / sizeof fields[0])

/* --- reading -------------------------------------------------------------- */

static bool read_value(const struct field *f, struct slice s, int *out)
{
    int64_t n;
    for (int i = 0; i < f->name_count; i++) {
        if (!slice_is_nocase(s, f->names[i]))
            continue;
        *out = i + f->least;
        return true;
    }
    if (s.len > 2 || !slice_to_i64(s, &n) || n < f->least || n > f->most)
        return false;
    *out = (int)n;
    return true;
}

/* Cuts s before the first c; the rest goes to *rest ("" if there is no c). */
static struct slice cut(struct slice s, char c, struct slice *rest)
{
    const char *at = s.len ? memchr(s.at, c, s.len) : NULL;
    size_t n = at ? (size_t)(at - s.at) : s.len;
    *rest = at ? (struct slice){at + 1, s.len - n - 1} : (struct slice){"", 0};
    return (struct slice){s.at, n};
}

/* "*", "5", "1-5", "8-18/2", "*" with a step */
static bool read_part(const struct field *f, struct slice part, uint64_t *bits)
{
    struct slice step, to, range = cut(part, '/', &step);
    struct slice from = cut(range, '-', &to);
    int first = f->least, last = f->most;
    int64_t by = 1;
    bool stepped = range.len < part.len;
    if (stepped && (!slice_to_i64(step, &by) || by < 1 || by > f->most))
        return false;
    if (!slice_is(range, "*")) {
        if (!read_value(f, from, &first))
            return false;
        last = stepped ? f->most : first;
        if (from.len < range.len && !read_value(f, to, &last))
            return false;
    }
    if (last < first)
        return false;
    for (int64_t i = first; i <= last; i += by)
        *bits |= (uint64_t)1 << i;
    return true;
}

static bool read_field(const struct field *f, struct slice text, uint64_t *bits)
{
    *bits = 0;
    if (!text.len)
        return false;
    for (;;) {
        struct slice rest, part = cut(text, ',', &rest);
        if (!read_part(f, part, bits))
            return false;
        if (part.len == text.len)
            return true;
        text = rest;
    }
}

/* The next word of *text; "" at its end. */
static struct slice word(struct slice *text)
{
    struct slice s = slice_trim(*text);
    size_t n = 0;
    while (n < s.len && s.at[n] != ' ' && s.at[n] != '\t')
        n++;
    *text = (struct slice){s.at + n, s.len - n};
    return (struct slice){s.at, n};
}

int cron_read(struct slice text, struct cron *out, struct err *e)
{
    uint64_t bits[FIELDS];
    bool any[FIELDS];
    for (size_t i = 0; i < FIELDS; i++) {
        struct slice s = word(&text);
        any[i] = s.len && s.at[0] == '*';
        if (!s.len)
            return err_set(e, ERR_UNPROCESSABLE,
                           "cron needs five fields: minute hour day month "
                           "weekday");
        if (!read_field(&fields[i], s, &bits[i]))
            return err_set(e, ERR_UNPROCESSABLE, "cron: %s cannot be '%.*s'",
                           fields[i].name, s.len > 40 ? 40 : (int)s.len, s.at);
    }
    if (word(&text).len)
        return err_set(e, ERR_UNPROCESSABLE, "cron has five fields, not more");
    *out = (struct cron){.minutes = bits[0],
                         .hours = (uint32_t)bits[1],
                         .days = (uint32_t)bits[2],
                         .months = (uint32_t)bits[3],
                         .weekdays = (uint32_t)(bits[4] | bits[4] >> 7),
                         .any_hour = any[1],
                         .any_day = any[2],
                         .any_weekday = any[4]};
    return 0;
}

/* --- when ----------------------------------------------------------------- */

static bool day_fits(const struct cron *c, int64_t day)
{
    int year, month, dom;
    day_date(day, &year, &month, &dom);
    bool by_day = c->days >> dom & 1;
    bool by_weekday = c->weekdays >> day_weekday(day) & 1;
    if (!(c->months >> month & 1))
        return false;
    if (c->any_day || c->any_weekday)
        return by_day && by_weekday;
    return by_day || by_weekday;
}

static int64_t in_hour(const struct cron *c, struct zone_ref zone,
                       int64_t local, int64_t after)
{
    int64_t best = INT64_MAX;
    for (int m = 0; m < 60; m++) {
        if (!(c->minutes >> m & 1))
            continue;
        int64_t at = zone_moment(zone, local + m * 60, after, c->any_hour);
        if (at < best)
            best = at;
    }
    return best;
}

/* The first on that day, not before that hour, after `after`; INT64_MAX =
 * none. */
static int64_t on_day(const struct cron *c, struct zone_ref zone, int64_t day,
                      int hour, int64_t after)
{
    int64_t best = INT64_MAX;
    int last = 23;
    for (int h = hour; h <= last; h++) {
        if (!(c->hours >> h & 1))
            continue;
        int64_t at = in_hour(c, zone, day * DAY + h * 3600, after);
        if (at < best)
            best = at;
        if (best != INT64_MAX && last > h + CHANGE_HOURS)
            last = h + CHANGE_HOURS; /* a later hour may be an earlier time */
    }
    return best;
}

int64_t cron_next(const struct cron *c, struct zone_ref zone, int64_t after_ms)
{
    /* Whole minutes: what has begun is over. */
    int64_t after = after_ms / 1000;
    int64_t local = after + zone_ref_offset(zone, after), day = local / DAY;
    int hour = (int)(local % DAY / 3600) - CHANGE_HOURS;
    hour = hour < 0 ? 0 : hour; /* those before are over */
    for (int64_t i = 0; i < DAYS_MOST; i++) {
        if (!day_fits(c, day + i))
            continue;
        int64_t at = on_day(c, zone, day + i, i ? 0 : hour, after);
        if (at != INT64_MAX)
            return at * 1000;
    }
    return 0;
}
