/* SPDX-License-Identifier: Apache-2.0 */
/* zone_test.c - zone files: against libc, and cut at each byte. */
#include "base/mem.h"
#include "script/text/zone.h"
#include "test.h"
#include <stdlib.h>
#include <time.h>

static struct zone *open_zone(const char *name, struct arena *a)
{
    struct slice file;
    struct zone *z;
    if (zone_read(slice_of(name), a, &file) < 0 || !zone_size(file))
        return NULL;
    return zone_parse(file, arena_alloc(a, zone_size(file)), &z) < 0 ? NULL : z;
}

TEST("every hour of a century has libc's offset")
{
    static const char *const names[] = {
        "Europe/Berlin",    "Asia/Shanghai", "America/New_York", "Asia/Kolkata",
        "Australia/Sydney", "UTC",           "Africa/Casablanca"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct arena *a = arena_new();
        struct zone *z = open_zone(names[i], a);
        test_note("%s", names[i]);
        REQUIRE(z);
        setenv("TZ", names[i], 1);
        tzset();
        int wrong = 0;
        for (int64_t at = 0; at < 100LL * 366 * 86400; at += 3 * 3600 + 1) {
            time_t t = (time_t)at;
            struct tm tm;
            localtime_r(&t, &tm);
            wrong += tm.tm_gmtoff != zone_offset(z, at);
        }
        CHECK_EQ_INT(wrong, 0);
        arena_free(a);
    }
    unsetenv("TZ");
    tzset();
}

TEST("a zone file cut anywhere is refused or harmless")
{
    struct arena *a = arena_new();
    struct slice file;
    REQUIRE(zone_read(SLICE("Europe/Berlin"), a, &file) == 0);
    for (size_t n = 0; n <= file.len; n++) {
        struct zone *z;
        char *cut = mem_alloc(n + 1); /* so that ASan sees every step aside */
        memcpy(cut, file.at, n);
        struct slice part = {cut, n};
        size_t size = zone_size(part);
        if (size) {
            void *room = mem_alloc(size);
            if (zone_parse(part, room, &z) == 0)
                CHECK_EQ_INT(zone_offset(z, 1700000000), 3600);
            mem_free(room);
        }
        mem_free(cut);
    }
    arena_free(a);
}

TEST("fixed offsets and names that are none")
{
    int32_t s;
    struct arena *a = arena_new();
    struct slice file;
    CHECK(zone_fixed(SLICE("UTC"), &s) && s == 0);
    CHECK(zone_fixed(SLICE("+08:00"), &s) && s == 28800);
    CHECK(zone_fixed(SLICE("-0330"), &s) && s == -12600);
    CHECK(!zone_fixed(SLICE("+8"), &s));
    CHECK(!zone_fixed(SLICE("+08:0x"), &s));
    CHECK(zone_read(SLICE("../../../etc/passwd"), a, &file) < 0);
    CHECK(zone_read(SLICE("/etc/passwd"), a, &file) < 0);
    CHECK(zone_read(SLICE(""), a, &file) < 0);
    CHECK(zone_read(SLICE("No/Where"), a, &file) < 0);
    arena_free(a);
}
