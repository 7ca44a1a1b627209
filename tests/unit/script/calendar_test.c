/* SPDX-License-Identifier: Apache-2.0 */
/* calendar_test.c - business hours, cron lines, ISO texts and durations as
 * scripts have them. */
#include "world.h"

/* What `return expression` gives, as text; "! sentence" if it raises. */
static void gives(const char *expression, const char *what)
{
    struct world w;
    char rule[2000], said[1000];
    test_note("%s", expression);
    snprintf(rule, sizeof rule,
             "return { api = 1, on_message = function(conv) local ok, a, b = "
             "pcall(function() return %s end) if not ok then a = '! ' .. "
             "a:gsub('^.-:%%d+: ', '') end conv:reply(tostring(a) .. (b and "
             "' ' .. b or '')) end }",
             expression);
    world_with(&w, rule);
    struct job *job = world_say(&w, "x");
    struct slice got = effect_text(job, EFFECT_REPLY);
    snprintf(said, sizeof said, "%.*s", SLICE_FMT(got));
    CHECK_EQ_STR(said, what);
    job_free(job);
    world_close(&w);
}

#define AT(text) "time.parse('" text "', '+08:00')"
#define OFFICE                                                                 \
    "time.business_hours { zone = '+08:00', weekdays = '9:00-18:00', "         \
    "holidays = { '2026-02-15..2026-02-23', ['2026-12-24'] = '9:00-12:00' }, " \
    "workdays = { '2026-02-14', ['2026-02-28'] = '10:00-16:00' } }"
#define ISO(expression) "time.format(" expression ", 'iso', '+08:00')"

TEST("business hours answer whether, when and how long")
{
    gives(OFFICE ":is_open(" AT("2026-11-20 09:00") ")", "true");
    gives(OFFICE ":is_open(" AT("2026-11-20 18:00") ")", "false");
    gives(ISO(OFFICE ":next_open(" AT("2026-11-20 18:00") ")"),
          "2026-11-23T09:00:00+08:00");
    gives(ISO(OFFICE ":next_close(" AT("2026-11-20 10:00") ")"),
          "2026-11-20T18:00:00+08:00");
    gives(OFFICE ":wait(" AT("2026-11-20 08:30") ")", "1800s");
    gives(OFFICE ":wait(" AT("2026-11-20 09:30") ")", "0s");
    gives("time.business_hours {}:wait()", "nil");
    gives("time.business_hours { every_day = '0:00-24:00' }:is_open()", "true");
}

TEST("holidays are closed, days made up are worked like a Monday")
{
    gives(OFFICE ":is_open(" AT("2026-02-16 10:00") ")", "false");
    gives(OFFICE ":is_open(" AT("2026-02-14 17:59") ")", "true");
    gives(OFFICE ":is_open(" AT("2026-02-28 09:59") ")", "false");
    gives(OFFICE ":is_open(" AT("2026-02-28 10:00") ")", "true");
    gives(OFFICE ":is_open(" AT("2026-12-24 12:00") ")", "false");
    gives(ISO(OFFICE ":next_open(" AT("2026-02-14 18:00") ")"),
          "2026-02-24T09:00:00+08:00");
}

TEST("a wrong calendar raises with the field at fault")
{
    gives("time.business_hours { monday = '9-18' }",
          "! business_hours: unknown field 'monday' (known are mon tue wed thu "
          "fri sat sun, weekdays, every_day, zone, holidays, workdays)");
    gives("time.business_hours { mon = 9 }",
          "! business_hours: hours are a text such as \"9:00-18:00\"");
    gives("time.business_hours { mon = '9:00' }",
          "! business_hours: hours look like \"9:00-18:00\" or \"9:00-12:00, "
          "13:00-18:00\", not '9:00'");
    gives("time.business_hours { holidays = '2026-01-01' }",
          "! business_hours: holidays and workdays are lists of dates");
    gives("time.business_hours { holidays = { '2026-02-30' } }",
          "! business_hours: a date looks like \"2026-02-15\", several days "
          "like \"2026-02-15..2026-02-23\", not '2026-02-30'");
    gives("time.business_hours { zone = 'Nowhere' }",
          "! unknown time zone 'Nowhere'");
    gives("time.business_hours {}.is_open()",
          "! call it with a colon: hours:is_open()");
    gives("time.cron('* * * * *').next(io)", "! unknown name: io");
}

TEST("a cron line tells when it comes")
{
    gives(ISO("time.cron('0 9 * * 1-5', '+08:00'):next(" AT(
              "2026-11-20 09:00") ")"),
          "2026-11-23T09:00:00+08:00");
    gives("time.cron('0 0 30 2 *'):next()", "nil");
    gives("time.cron '61 * * * *'", "! cron: the minute cannot be '61'");
}

TEST("ISO texts are read and written")
{
    gives("time.parse '1970-01-02T00:00:00Z'", "86400000");
    gives("time.parse '2026-11-21T09:30:15.250+08:00' - time.parse "
          "'2026-11-21T01:30:15Z'",
          "250");
    gives("time.parse('2026-11-21 09:30', '+08:00') - time.parse "
          "'2026-11-21T01:30:00Z'",
          "0");
    gives("time.parse('2026-11-21', 'UTC') - time.parse "
          "'2026-11-21T00:00:00Z'",
          "0");
    gives("time.format(86400250, 'iso', 'UTC')", "1970-01-02T00:00:00.250Z");
    gives("time.format(86400000, 'iso', '-03:30')",
          "1970-01-01T20:30:00-03:30");
}

TEST("what is no time is nil, bad_request")
{
    static const char *const bad[] = {"",
                                      "now",
                                      "2026",
                                      "2026-11",
                                      "2026-13-01",
                                      "2026-02-29",
                                      "2026-11-21T",
                                      "2026-11-21T9:30",
                                      "2026-11-21T09",
                                      "2026-11-21T24:01",
                                      "2026-11-21T09:60",
                                      "2026-11-21T09:30:60",
                                      "2026-11-21T09:30:15.",
                                      "2026-11-21T09:30:15X",
                                      "2026-11-21T09:30:15+8",
                                      "2026-11-21x",
                                      "0000-01-01"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char line[100];
        snprintf(line, sizeof line, "time.parse '%s'", bad[i]);
        gives(line, "nil bad_request");
    }
}

TEST("durations are numbers and back")
{
    gives("time.ms '2h'", "7200000");
    gives("time.duration(90000)", "90s");
    gives("time.duration(1500)", "1500ms");
    gives("time.ms(time.duration(31536000000))", "31536000000");
    gives(
        "time.ms '2 hours'",
        "! time.ms: it must be a duration such as \"30s\", \"10m\", \"2h\" or "
        "\"7d\"");
    gives("time.duration(-1)",
          "! time.duration: a number of ms from 0 to a year");
}

TEST("hours made at the top of a file serve its handlers")
{
    struct world w;
    world_init(&w);
    world_write(&w, "lib/hours",
                "return time.business_hours { every_day = '0:00-24:00' }");
    world_write(&w, "rules/10-a",
                "local hours = require 'lib.hours'\n"
                "return { api = 1, on_message = function(conv) "
                "conv:reply(tostring(hours:is_open())) end }");
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_REPLY), "true");
    job_free(job);
    world_close(&w);
}

static void answers(const char *lib, const char *what)
{
    struct world w;
    struct err e = {0};
    world_init(&w);
    world_write(&w, "lib/hours", lib);
    world_write(&w, "rules/10-a",
                "return { api = 1, on_message = function(conv) "
                "conv:reply(tostring(conv:is_open_hours())) end }");
    world_open(&w);
    if (!script_is_well(w.script, &e)) {
        if (!strstr(e.text, what))
            FAIL("it said: %s", e.text);
    } else {
        struct job *job = world_say(&w, "x");
        CHECK_SLICE(effect_text(job, EFFECT_REPLY), what);
        job_free(job);
    }
    world_close(&w);
}

TEST("conv:is_open_hours asks the house's hours")
{
    answers("return time.business_hours { every_day = '0:00-24:00' }", "true");
    answers("return time.business_hours {}", "false");
    answers("return time.business_hours { mon = 5 }",
            "hours are a text such as");
    answers(NULL, "lib.hours");
}

TEST("changed hours reload the rules that ask for them")
{
    struct world w;
    world_init(&w);
    world_write(&w, "lib/hours", "return time.business_hours {}");
    world_write(&w, "rules/10-a",
                "return { api = 1, on_message = function(conv) "
                "conv:reply(tostring(conv:is_open_hours())) end }");
    world_open(&w);
    world_rewrite(&w, "lib/hours",
                  "return time.business_hours { every_day = '0:00-24:00' }");
    struct job *job = world_say(&w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_REPLY), "true");
    job_free(job);
    world_close(&w);
}
