/* SPDX-License-Identifier: Apache-2.0 */
/* cron_test.c - cron lines: read, refused, and when they come next. */
#include "base/mem.h"
#include "script/load/cron.h"
#include "test.h"
#include <stdio.h>

static struct zone_ref zone_named(const char *name, struct arena *a)
{
    struct slice file;
    struct zone *z;
    struct zone_ref r = {0};
    if (zone_fixed(slice_of(name), &r.offset))
        return r;
    if (zone_read(slice_of(name), a, &file) < 0 || !zone_size(file)) {
        FAIL("no zone %s", name);
        return r;
    }
    if (zone_parse(file, arena_alloc(a, zone_size(file)), &z) == 0)
        r.zone = z;
    return r;
}

/* "2026-11-21 09:30", that zone's clocks; the offset is read off by hand. */
static int64_t ms_of(const char *text, int offset)
{
    int y, mo, d, h, mi;
    CHECK_EQ_INT(sscanf(text, "%d-%d-%d %d:%d", &y, &mo, &d, &h, &mi), 5);
    return (day_of(y, mo, d) * 86400 + h * 3600 + mi * 60 - offset * 60) * 1000;
}

/* offset: minutes east at each end */
static void comes(const char *line, const char *zone, const char *after,
                  int offset, const char *next, int next_offset)
{
    struct arena *a = arena_new();
    struct cron c;
    struct err e = {0};
    test_note("%s in %s after %s", line, zone, after);
    CHECK_EQ_INT(cron_read(slice_of(line), &c, &e), 0);
    CHECK_EQ_INT(cron_next(&c, zone_named(zone, a), ms_of(after, offset)),
                 next ? ms_of(next, next_offset) : 0);
    arena_free(a);
}

static void is_refused(const char *line, const char *why)
{
    struct cron c;
    struct err e = {0};
    test_note("%s", line);
    CHECK(cron_read(slice_of(line), &c, &e) < 0);
    if (!strstr(e.text, why))
        FAIL("it said: %s", e.text);
}

TEST("day numbers and dates are each other's inverse, over 800 years")
{
    for (int64_t day = -150000; day < 150000; day++) {
        int y, m, d;
        day_date(day, &y, &m, &d);
        if (day_of(y, m, d) != day || m < 1 || m > 12 || d < 1 || d > 31) {
            FAIL("day %lld", (long long)day);
            return;
        }
    }
    CHECK_EQ_INT(day_of(1970, 1, 1), 0);
    CHECK_EQ_INT(day_of(2000, 3, 1), 11017);
    CHECK_EQ_INT(day_weekday(day_of(2026, 11, 21)), 6);
    CHECK_EQ_INT(day_weekday(day_of(1969, 12, 28)), 0);
}

TEST("a line comes at the next minute that fits")
{
    comes("* * * * *", "UTC", "2026-11-21 09:30", 0, "2026-11-21 09:31", 0);
    comes("0 9 * * 1-5", "UTC", "2026-11-20 08:59", 0, "2026-11-20 09:00", 0);
    comes("0 9 * * 1-5", "UTC", "2026-11-20 09:00", 0, "2026-11-23 09:00", 0);
    comes("*/15 8-18/2 * * *", "UTC", "2026-11-21 08:50", 0, "2026-11-21 10:00",
          0);
    comes("5,35 * * * *", "UTC", "2026-11-21 08:06", 0, "2026-11-21 08:35", 0);
    comes("30 23 31 dec *", "UTC", "2026-11-21 08:06", 0, "2026-12-31 23:30",
          0);
    comes("0 0 29 2 *", "UTC", "2026-11-21 08:06", 0, "2028-02-29 00:00", 0);
    comes("0 0 30 feb *", "UTC", "2026-11-21 08:06", 0, NULL, 0);
    comes("0 12 * * Sun", "UTC", "2026-11-21 08:06", 0, "2026-11-22 12:00", 0);
    comes("0 12 * * 7", "UTC", "2026-11-21 08:06", 0, "2026-11-22 12:00", 0);
    comes("0 12 * * 5-7", "UTC", "2026-11-21 13:00", 0, "2026-11-22 12:00", 0);
    comes("10/20 0 * * *", "UTC", "2026-11-21 00:10", 0, "2026-11-21 00:30", 0);
}

TEST("of two narrowed days one is enough")
{
    comes("0 0 13 * 5", "UTC", "2026-11-12 10:00", 0, "2026-11-13 00:00", 0);
    comes("0 0 13 * 5", "UTC", "2026-11-13 10:00", 0, "2026-11-20 00:00", 0);
    comes("0 0 13 * 5", "UTC", "2026-12-11 10:00", 0, "2026-12-13 00:00", 0);
}

TEST("a zone's own clocks are meant")
{
    comes("0 9 * * *", "+08:00", "2026-11-21 08:00", 480, "2026-11-21 09:00",
          480);
    comes("0 9 * * *", "Asia/Shanghai", "2026-11-21 09:30", 480,
          "2026-11-22 09:00", 480);
    comes("0 0 * * *", "+08:00", "2026-11-21 23:59", 480, "2026-11-22 00:00",
          480);
}

TEST("a time that the clocks leave out comes an hour later, once")
{
    /* 2026-03-29 02:00 CET becomes 03:00 CEST */
    comes("30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", 60,
          "2026-03-29 03:30", 120);
    comes("30 2 * * *", "Europe/Berlin", "2026-03-29 03:30", 120,
          "2026-03-30 02:30", 120);
    comes("*/30 * * * *", "Europe/Berlin", "2026-03-29 01:30", 60,
          "2026-03-29 03:00", 120);
}

TEST("a time that comes twice counts once, every hour counts twice")
{
    /* 2026-10-25 03:00 CEST becomes 02:00 CET */
    comes("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", 120,
          "2026-10-25 02:30", 120);
    comes("30 2 * * *", "Europe/Berlin", "2026-10-25 02:30", 120,
          "2026-10-26 02:30", 60);
    comes("*/30 * * * *", "Europe/Berlin", "2026-10-25 02:30", 120,
          "2026-10-25 02:00", 60);
    comes("*/30 * * * *", "Europe/Berlin", "2026-10-25 02:30", 60,
          "2026-10-25 03:00", 60);
}

TEST("what is no cron line is refused with the field at fault")
{
    is_refused("", "five fields");
    is_refused("0 9 * *", "five fields");
    is_refused("0 9 * * * *", "not more");
    is_refused("60 9 * * *", "the minute cannot be '60'");
    is_refused("0 24 * * *", "the hour");
    is_refused("0 0 0 * *", "the day of the month");
    is_refused("0 0 * 13 *", "the month");
    is_refused("0 0 * foo *", "the month cannot be 'foo'");
    is_refused("0 0 * * 8", "the weekday");
    is_refused("5-1 * * * *", "the minute");
    is_refused("*/0 * * * *", "the minute");
    is_refused("1,,2 * * * *", "the minute");
    is_refused("1, * * * *", "the minute");
    is_refused("-1 * * * *", "the minute");
    is_refused("1- * * * *", "the minute");
    is_refused("@daily", "the minute");
}

TEST("a line cut at each byte is read or refused")
{
    static const char whole[] = "*/15,3 8-18/2 1,15 jan-mar mon-fri";
    int read = 0;
    for (size_t n = 0; n <= strlen(whole); n++) {
        struct cron c;
        struct err e = {0};
        char *exact = mem_alloc(n ? n : 1);
        memcpy(exact, whole, n);
        read += cron_read((struct slice){exact, n}, &c, &e) == 0;
        mem_free(exact);
    }
    CHECK(read >= 2 && read <= 8);
}
