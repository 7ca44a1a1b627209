/* SPDX-License-Identifier: Apache-2.0 */
/* period_test.c - a rule's own time: every, cron and zone. */
#include "world.h"

static _Atomic int64_t now_ms;

static int64_t now(void *arg)
{
    (void)arg;
    return now_ms;
}

/* One rule in a house whose clock is ours. */
static void open_at(struct world *w, const char *rule, int64_t at)
{
    now_ms = at;
    world_init(w);
    w->conf.now = now;
    world_write(w, "rules/10-a", rule);
    world_open(w);
}

/* The clock moves on; how often the unit was told. */
static int told_at(struct world *w, int64_t at)
{
    int before = w->everies;
    now_ms = at;
    script_nudge(w->script);
    return w->everies - before;
}

#define RULE(fields)                                                           \
    "return { api = 1, " fields ", on_timer = function(conv, name) "           \
    "log.info(name) end }"
#define DAY 86400000LL
#define HOUR 3600000LL

TEST("cron tells the house at its minutes, in its zone, each time once")
{
    struct world w;
    /* 1970-01-05 was a Monday; 9:00 in +08:00 is 1:00 UTC */
    int64_t nine = 4 * DAY + HOUR;
    open_at(&w, RULE("cron = '0 9 * * 1-5', zone = '+08:00'"), nine - HOUR);
    CHECK_EQ_INT(told_at(&w, nine - 1), 0);
    CHECK_EQ_INT(told_at(&w, nine), 1);
    CHECK_EQ_INT(told_at(&w, nine + 1), 0);
    CHECK_EQ_INT(told_at(&w, nine + DAY - 1), 0);
    CHECK_EQ_INT(told_at(&w, nine + DAY), 1);
    CHECK_EQ_INT(told_at(&w, nine + 4 * DAY), 1); /* Friday */
    CHECK_EQ_INT(told_at(&w, nine + 6 * DAY), 0); /* Sunday */
    CHECK_EQ_INT(told_at(&w, nine + 7 * DAY), 1);
    world_close(&w);
}

TEST("a rewritten rule goes by its new cron line")
{
    struct world w;
    open_at(&w, RULE("cron = '0 9 * * *', zone = 'UTC'"), 4 * DAY);
    world_rewrite(&w, "rules/10-a", RULE("cron = '0 10 * * *', zone = 'UTC'"));
    CHECK_EQ_INT(told_at(&w, 4 * DAY + 9 * HOUR), 0);
    CHECK_EQ_INT(told_at(&w, 4 * DAY + 10 * HOUR), 1);
    world_rewrite(&w, "rules/10-a", RULE("every = '1h'"));
    CHECK_EQ_INT(told_at(&w, 4 * DAY + 11 * HOUR), 1);
    world_close(&w);
}

TEST("the handler is told which of the two it was")
{
    struct world w;
    static const char *const rules[][2] = {
        {"return { api = 1, cron = '* * * * *', on_timer = function(conv, "
         "name) assert(conv == nil) kv.set('said', name) end }",
         "\"cron\""},
        {"return { api = 1, every = '1m', on_timer = function(conv, name) "
         "kv.set('said', name) end }",
         "\"every\""}};
    for (int i = 0; i < 2; i++) {
        world_with(&w, rules[i][0]);
        struct job *job = world_job(&w, "");
        job->hook = HOOK_TIMER;
        job->unit = SLICE("rules/10-a");
        job->what = SLICE("every");
        job->conv.id = 0;
        world_run(&w, job);
        REQUIRE(job->first);
        CHECK_SLICE(job->first->data, rules[i][1]);
        job_free(job);
        world_close(&w);
    }
}

static void is_refused(const char *fields, const char *why)
{
    struct world w;
    char rule[500];
    test_note("%s", fields);
    snprintf(rule, sizeof rule, "return { api = 1,\n%s,\n%s }", fields,
             strstr(fields, "on_") ? "priority = 5"
                                   : "on_timer = function(conv, name) end");
    world_with(&w, rule);
    struct err e = {0};
    CHECK(!script_is_well(w.script, &e));
    if (!strstr(e.text, why))
        FAIL("it said: %s", e.text);
    world_close(&w);
}

TEST("a time that is none refuses the file, with its line")
{
    is_refused("cron = '0 25 * * *'", "10-a.lua:2: cron: the hour cannot be");
    is_refused("cron = 5", "10-a.lua:2: cron needs five fields");
    is_refused("zone = 'UTC'", "zone is for cron, and there is no cron");
    is_refused("cron = '* * * * *', zone = 'Nowhere'",
               "10-a.lua:2: zone must be a time zone");
    is_refused("cron = '* * * * *', every = '1m'", "say every or cron");
    is_refused("cron = '* * * * *', on_message = function() end",
               "cron needs on_timer");
    is_refused("every = '1m', on_message = function() end",
               "every needs on_timer");
    is_refused("every = '10ms'", "at least \"1s\"");
}
