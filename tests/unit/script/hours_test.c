/* SPDX-License-Identifier: Apache-2.0 */
/* hours_test.c - business hours: weeks, holidays, days made up, nights. */
#include "base/mem.h"
#include "script/text/hours.h"
#include "test.h"
#include <stdio.h>

static struct hours office; /* Mon-Fri 9:00-12:00, 13:00-18:00, +08:00 */
static const struct zone_ref shanghai = {.offset = 8 * 3600};

static struct open_day day(const char *text)
{
    struct open_day d;
    struct err e = {0};
    CHECK_EQ_INT(hours_read_day(slice_of(text), &d, &e), 0);
    return d;
}

static void set_up(void)
{
    office = (struct hours){.specials = 0};
    for (int i = 1; i <= 5; i++)
        office.week[i] = day("9:00-12:00, 13:00-18:00");
}

static void set_days(const char *dates, const char *hours)
{
    int64_t first, last;
    struct err e = {0};
    struct open_day d = day(hours);
    CHECK_EQ_INT(hours_read_dates(slice_of(dates), &first, &last, &e), 0);
    for (; first <= last; first++)
        CHECK_EQ_INT(hours_set_day(&office, first, &d), 0);
}

/* "2026-11-21 09:30" there */
static int64_t at(const char *text)
{
    int y, mo, d, h, mi;
    CHECK_EQ_INT(sscanf(text, "%d-%d-%d %d:%d", &y, &mo, &d, &h, &mi), 5);
    return day_of(y, mo, d) * 86400 + h * 3600 + mi * 60 - 8 * 3600;
}

static void opens(const char *from, const char *when)
{
    test_note("from %s", from);
    CHECK_EQ_INT(hours_next(&office, shanghai, at(from), true),
                 when ? at(when) : 0);
    CHECK_EQ_INT(hours_is_open(&office, shanghai, at(from)),
                 when && strcmp(from, when) == 0);
}

static void closes(const char *from, const char *when)
{
    test_note("from %s", from);
    CHECK_EQ_INT(hours_next(&office, shanghai, at(from), false),
                 when ? at(when) : 0);
}

TEST("an office is open in its hours, on its days")
{
    set_up();
    opens("2026-11-20 09:00", "2026-11-20 09:00"); /* a Friday */
    opens("2026-11-20 08:59", "2026-11-20 09:00");
    opens("2026-11-20 11:59", "2026-11-20 11:59");
    opens("2026-11-20 12:00", "2026-11-20 13:00");
    opens("2026-11-20 18:00", "2026-11-23 09:00");
    opens("2026-11-21 10:00", "2026-11-23 09:00");
    closes("2026-11-20 10:00", "2026-11-20 12:00");
    closes("2026-11-20 12:30", "2026-11-20 12:30");
}

TEST("holidays are closed, days made up are open")
{
    set_up();
    set_days("2026-02-15..2026-02-23", "closed");
    set_days("2026-02-14", "9:00-18:00"); /* a Saturday */
    set_days("2026-02-28", "10:00-16:00");
    opens("2026-02-13 18:00", "2026-02-14 09:00");
    opens("2026-02-14 12:30", "2026-02-14 12:30");
    opens("2026-02-14 18:00", "2026-02-24 09:00");
    opens("2026-02-27 20:00", "2026-02-28 10:00");
}

TEST("what is said of a day twice: the last counts")
{
    set_up();
    set_days("2026-11-16..2026-11-20", "closed");
    set_days("2026-11-18", "9:00-10:00");
    set_days("2026-11-01", "closed");
    CHECK_EQ_INT(office.specials, 6);
    opens("2026-11-16 09:30", "2026-11-18 09:00");
    opens("2026-11-18 10:00", "2026-11-23 09:00");
}

TEST("hours over midnight belong to the day they begin on")
{
    office = (struct hours){.specials = 0};
    office.week[5] = day("22:00-06:00"); /* Friday night */
    opens("2026-11-20 21:00", "2026-11-20 22:00");
    opens("2026-11-21 05:59", "2026-11-21 05:59");
    opens("2026-11-21 06:00", "2026-11-27 22:00");
    opens("2026-11-22 01:00", "2026-11-27 22:00");
    closes("2026-11-20 23:00", "2026-11-21 06:00");
}

TEST("a house that never opens and one that never closes are found out")
{
    office = (struct hours){.specials = 0};
    opens("2026-11-20 09:00", NULL);
    closes("2026-11-20 09:00", "2026-11-20 09:00");
    for (int i = 0; i < 7; i++)
        office.week[i] = day("0:00-24:00");
    opens("2026-11-20 09:00", "2026-11-20 09:00");
    closes("2026-11-20 09:00", NULL);
}

TEST("hours follow the clocks of a zone with summer time")
{
    struct arena *a = arena_new();
    struct slice file;
    struct zone *z;
    REQUIRE(zone_read(SLICE("Europe/Berlin"), a, &file) == 0);
    REQUIRE(zone_parse(file, arena_alloc(a, zone_size(file)), &z) == 0);
    struct zone_ref berlin = {.zone = z};
    set_up();
    /* Fri 2026-10-23 18:00 CEST -> Mon 2026-10-26 9:00 CET */
    int64_t friday = day_of(2026, 10, 23) * 86400 + 16 * 3600;
    CHECK_EQ_INT(hours_next(&office, berlin, friday, true),
                 day_of(2026, 10, 26) * 86400 + 8 * 3600);
    arena_free(a);
}

static void is_no_day(const char *text)
{
    struct open_day d;
    struct err e = {0};
    test_note("%s", text);
    CHECK(hours_read_day(slice_of(text), &d, &e) < 0);
    CHECK(e.text[0]);
}

static void is_no_date(const char *text)
{
    int64_t first, last;
    struct err e = {0};
    test_note("%s", text);
    CHECK(hours_read_dates(slice_of(text), &first, &last, &e) < 0);
}

TEST("texts that are no hours and no dates are refused")
{
    static const char *const days[] = {
        "",           "9",          "9-",          "-18",
        "9:0-18:00",  "9:60-18:00", "25:00-26:00", "9:00-9:00",
        "9-18,",      ",9-18",      "a-b",         "9:00 18:00",
        "24:00-6:00", "+9-18",      "9:+1-18",     "1-2,3-4,5-6,7-8,9-10"};
    static const char *const dates[] = {
        "",           "2026-2-15",  "2026-02-30",
        "2026-13-01", "2026-00-01", "2026-02-15..2026-02-14",
        "2026-02-1 ", "2026/02/15", "2026-02-15..2026-02-2",
        "+026-02-15"};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++)
        is_no_day(days[i]);
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++)
        is_no_date(dates[i]);
    CHECK_EQ_INT(day("9-18").span[0].from, 540);
    CHECK_EQ_INT(day(" 9:00 - 18:30 ").span[0].to, 1110);
    CHECK_EQ_INT(day("CLOSED").count, 0);
}

TEST("more days than a calendar holds are refused")
{
    struct open_day closed = {.count = 0};
    office = (struct hours){.specials = 0};
    for (int i = 0; i < HOURS_DAYS; i++)
        CHECK_EQ_INT(
            hours_set_day(&office, 20000 + (i * 7919) % HOURS_DAYS, &closed),
            0);
    CHECK_EQ_INT(hours_set_day(&office, 1, &closed), ERR_TOOBIG);
    CHECK_EQ_INT(hours_set_day(&office, 20005, &closed), 0);
    for (int i = 1; i < HOURS_DAYS; i++)
        CHECK(office.special[i - 1].day < office.special[i].day);
}

TEST("texts cut at each byte are read or refused")
{
    static const char whole[] = "9:00-12:00, 13:00-18:00";
    static const char dates[] = "2026-02-15..2026-02-23";
    for (size_t n = 0; n < sizeof whole; n++) {
        struct open_day d;
        struct err e = {0};
        int64_t first, last;
        char *exact = mem_alloc(n + 1);
        memcpy(exact, whole, n);
        (void)hours_read_day((struct slice){exact, n}, &d, &e);
        CHECK(d.count <= HOURS_SPANS);
        if (n < sizeof dates) {
            memcpy(exact, dates, n);
            bool good = hours_read_dates((struct slice){exact, n}, &first,
                                         &last, &e) == 0;
            CHECK_EQ_INT(good, n == 10 || n == 22);
        }
        mem_free(exact);
    }
}
