/* SPDX-License-Identifier: Apache-2.0 */
/* versions_test.c - canaries, pins, roll backs, commands, tests before
 * serving; and that a restart changes nothing of it. */
#include "script/inside.h"
#include "world.h"

#define SAYS(text)                                                             \
    "return { api = 1, on_message = function(conv) conv:note '" text "' end }"
#define TRIES(text, what)                                                      \
    "return { api = 1, canary = 50, on_message = function(conv) conv:note "    \
    "'" text "' " what " end }"
#define PINS(text)                                                             \
    "return { api = 1, pin = true, on_message = function(conv) conv:note "     \
    "'" text "' end }"
#define RULE "rules/10-a"

/* --- a store in small: the rows, replaced by unit and version --- */

static struct arena *past_arena;
static struct script_version past[64];
static size_t past_count;

static void past_keep(void *arg, const struct script_version *v)
{
    struct arena *a = past_arena;
    size_t i = 0;
    while (i < past_count && !(slice_eq(past[i].unit, v->unit) &&
                               slice_eq(past[i].version, v->version)))
        i++;
    past_count += i == past_count;
    past[i] = *v;
    past[i].unit = slice_dup(a, v->unit);
    past[i].version = slice_dup(a, v->version);
    past[i].sources = slice_dup(a, v->sources);
    past[i].note = slice_dup(a, v->note);
}

/* The version in that state; "" = none. */
static const char *row_in(enum version_state state)
{
    for (size_t i = 0; i < past_count; i++)
        if (past[i].state == state)
            return past[i].version.at;
    return "";
}

static const struct script_version *past_of(const char *version)
{
    for (size_t i = 0; i < past_count; i++)
        if (slice_is(past[i].version, version))
            return &past[i];
    return NULL;
}

static size_t past_load(struct script_version *out)
{
    size_t n = 0;
    for (size_t i = 0; i < past_count; i++)
        if (past[i].state != VERSION_OLD)
            out[n++] = past[i];
    return n;
}

static void open_again(struct world *w)
{
    struct err e = {0};
    struct script_version rows[64];
    CHECK_EQ_INT(script_open(&w->conf, &e, &w->script), 0);
    CHECK_EQ_INT(script_load_all(w->script, rows, past_load(rows)), 0);
}

static void begin(struct world *w, const char *rule)
{
    world_init(w);
    past_arena = arena_new();
    past_count = 0;
    w->conf.keep_version = past_keep;
    world_write(w, RULE, rule);
    open_again(w);
}

static void restart(struct world *w)
{
    script_close(w->script);
    open_again(w);
}

static void finish(struct world *w)
{
    world_close(w);
    arena_free(past_arena);
}

/* --- conversations --- */

/* What a conversation created then hears; "" = nothing. */
static const char *hears(struct world *w, uint64_t conv, int64_t created_at)
{
    static char text[64];
    struct job *job = world_job(w, "x");
    job->conv.id = job->event.conv = conv;
    job->conv.created_at = created_at;
    world_run(w, job);
    snprintf(text, sizeof text, "%.*s",
             SLICE_FMT(effect_text(job, EFFECT_NOTE)));
    job_free(job);
    return text;
}

static bool is_in(uint64_t conv)
{
    return choice_is_in(choice_salt(SLICE(RULE)), conv, 50);
}

/* n new conversations of each side, one message each. */
static void meet(struct world *w, int n)
{
    static uint64_t conv = 1000;
    for (int in = n, out = n; in > 0 || out > 0; conv++) {
        if (is_in(conv) ? in-- > 0 : out-- > 0)
            hears(w, conv, clock_ms());
    }
}

static struct slice field(struct world *w, const char *name)
{
    static char text[300];
    struct arena *a = arena_new();
    struct slice s = json_text(world_unit(w, a, RULE), name);
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(s));
    arena_free(a);
    return slice_of(text);
}

static bool is_tried(struct world *w)
{
    struct arena *a = arena_new();
    bool yes = json_is(json_get(world_unit(w, a, RULE), "canary"), JSON_OBJECT);
    arena_free(a);
    return yes;
}

static int64_t counted(struct world *w, const char *side, const char *what)
{
    struct arena *a = arena_new();
    const struct json *c = json_get(world_unit(w, a, RULE), "canary");
    int64_t n = json_int(json_get(c, side), what, -1);
    arena_free(a);
    return n;
}

/* --- commands --- */

static int ended, result;
static struct err why;

static void on_end(void *arg, int r, const struct err *e)
{
    struct world *w = arg;
    ended++;
    result = r;
    why = *e;
    loop_stop(w->loop);
}

static int wait_end(struct world *w)
{
    CHECK_EQ_INT(ended, 0); /* never from inside */
    loop_run(w->loop);
    CHECK_EQ_INT(ended, 1);
    ended = 0;
    return result;
}

static int reload(struct world *w, const char *name)
{
    script_reload(w->script, slice_of(name), on_end, w);
    return wait_end(w);
}

static int roll_back(struct world *w, const char *version)
{
    const struct script_version *to = past_of(version);
    CHECK(to != NULL);
    script_roll_back(w->script, to, on_end, w);
    return wait_end(w);
}

static int promote(struct world *w, bool yes)
{
    script_promote(w->script, SLICE(RULE), yes, on_end, w);
    return wait_end(w);
}

static int enable(struct world *w, bool on)
{
    script_enable(w->script, SLICE(RULE), on, on_end, w);
    return wait_end(w);
}

static int64_t all_loads(struct world *w)
{
    struct unit *u;
    int64_t n = 0;
    for (size_t i = 0; (u = map_next(&w->script->units, &i)) != NULL;)
        n += meter_value(u->meters.reloads);
    return n;
}

/* --- canaries ------------------------------------------------------------- */

TEST("a canary serves its share of new conversations, the old ones stay")
{
    struct world w;
    begin(&w, SAYS("one"));
    int64_t before = clock_ms() - 1;
    clock_shift_ms(10);
    world_rewrite(&w, RULE, TRIES("two", ""));
    int in = 0;
    for (uint64_t conv = 1; conv <= 40; conv++) {
        CHECK_EQ_STR(hears(&w, conv, before), "one");
        CHECK_EQ_STR(hears(&w, conv, clock_ms()), is_in(conv) ? "two" : "one");
        in += is_in(conv);
    }
    CHECK(in > 5 && in < 35);
    CHECK_EQ_INT(counted(&w, "canary", "conversations"), in);
    CHECK_EQ_INT(counted(&w, "stable", "conversations"), 40 - in);
    CHECK_SLICE(field(&w, "state"), "serving");
    CHECK_SLICE(field(&w, "version"), row_in(VERSION_SERVING));
    CHECK(row_in(VERSION_CANARY)[0] != 0);
    finish(&w);
}

TEST("a first version with a canary serves at once")
{
    struct world w;
    begin(&w, TRIES("one", ""));
    CHECK(!is_tried(&w));
    CHECK_EQ_STR(hears(&w, 1, clock_ms()), "one");
    finish(&w);
}

TEST("a canary that is as good is promoted when enough have met it")
{
    struct world w;
    begin(&w, SAYS("one"));
    w.conf.canary_conversations = 0; /* conf was copied: the file says it */
    world_rewrite(&w, RULE,
                  "return { api = 1, canary = { share = 50, conversations = "
                  "12 }, on_message = function(conv) conv:note 'two' end }");
    const char *first = row_in(VERSION_SERVING);
    meet(&w, 11);
    CHECK(is_tried(&w));
    meet(&w, 1);
    CHECK(!is_tried(&w));
    CHECK_SLICE(field(&w, "state"), "serving");
    CHECK(contains(field(&w, "note"), "promoted"));
    CHECK(contains(field(&w, "note"), "in 12 (1"));
    CHECK_EQ_STR(hears(&w, 1, 5), "two");
    CHECK_EQ_STR(row_in(VERSION_OLD), first);
    CHECK_EQ_STR(row_in(VERSION_CANARY), "");
    finish(&w);
}

TEST("a canary that fails more often is rolled back from, and stays so")
{
    struct world w;
    begin(&w, SAYS("one"));
    world_rewrite(&w, RULE,
                  "return { api = 1, canary = { share = 50, conversations = "
                  "6 }, on_message = function(conv) error 'no' end }");
    char bad[16];
    snprintf(bad, sizeof bad, "%s", row_in(VERSION_CANARY));
    meet(&w, 6);
    CHECK(!is_tried(&w));
    CHECK_SLICE(field(&w, "state"), "rolled_back");
    CHECK(contains(field(&w, "note"), "fails more often"));
    CHECK_EQ_STR(row_in(VERSION_REFUSED), bad);
    for (uint64_t conv = 1; conv < 10; conv++)
        CHECK_EQ_STR(hears(&w, conv, clock_ms()), "one");
    restart(&w);
    CHECK_SLICE(field(&w, "state"), "rolled_back");
    CHECK_EQ_STR(hears(&w, 1, clock_ms()), "one");
    CHECK_EQ_INT(reload(&w, RULE), ERR_CONFLICT);
    world_rewrite(&w, RULE, SAYS("mended"));
    CHECK_EQ_STR(hears(&w, 1, clock_ms()), "mended");
    CHECK_SLICE(field(&w, "state"), "serving");
    finish(&w);
}

TEST("a canary that fails again and again does not wait for its number")
{
    struct world w;
    begin(&w, SAYS("one"));
    world_rewrite(&w, RULE, TRIES("two", "error 'no'"));
    meet(&w, 19);
    CHECK(is_tried(&w));
    meet(&w, 1);
    CHECK(!is_tried(&w));
    CHECK_EQ_STR(hears(&w, 1, clock_ms()), "one");
    finish(&w);
}

TEST("a canary goes on after a restart, with its figures")
{
    struct world w;
    begin(&w, SAYS("one"));
    world_rewrite(&w, RULE, TRIES("two", "return conv:queue()"));
    meet(&w, 5);
    int64_t calls = counted(&w, "canary", "calls");
    CHECK_EQ_INT(calls, 5);
    CHECK_EQ_INT(counted(&w, "canary", "handovers"), 5);
    CHECK_EQ_INT(counted(&w, "stable", "handovers"), 0);
    restart(&w);
    CHECK(is_tried(&w));
    CHECK_EQ_INT(counted(&w, "canary", "calls"), 5);
    CHECK_EQ_INT(counted(&w, "stable", "conversations"), 5);
    for (uint64_t conv = 1; conv <= 20; conv++)
        CHECK_EQ_STR(hears(&w, conv, clock_ms()), is_in(conv) ? "two" : "one");
    finish(&w);
}

TEST("a canary whose file is broken at the next start is tried on")
{
    struct world w;
    begin(&w, SAYS("one"));
    world_rewrite(&w, RULE, TRIES("two", ""));
    script_close(w.script);
    world_write(&w, RULE, "return {");
    open_again(&w);
    CHECK(is_tried(&w));
    CHECK_SLICE(field(&w, "state"), "last_good");
    for (uint64_t conv = 1; conv <= 20; conv++)
        CHECK_EQ_STR(hears(&w, conv, clock_ms()), is_in(conv) ? "two" : "one");
    finish(&w);
}

TEST("another change ends a canary: it was never good or bad")
{
    struct world w;
    begin(&w, SAYS("one"));
    world_rewrite(&w, RULE, TRIES("two", ""));
    const char *second = row_in(VERSION_CANARY);
    world_rewrite(&w, RULE, SAYS("three"));
    CHECK(!is_tried(&w));
    CHECK_EQ_INT(past_of(second)->state, VERSION_OLD);
    CHECK_EQ_STR(hears(&w, 1, clock_ms()), "three");
    finish(&w);
}

TEST("promote and abort by command")
{
    struct world w;
    begin(&w, SAYS("one"));
    CHECK_EQ_INT(promote(&w, true), ERR_CONFLICT);
    world_rewrite(&w, RULE, TRIES("two", ""));
    CHECK_EQ_INT(promote(&w, true), 0);
    CHECK_EQ_STR(hears(&w, 1, 5), "two");
    CHECK_EQ_STR(hears(&w, 2, 5), "two");
    world_rewrite(&w, RULE, TRIES("three", ""));
    CHECK(is_tried(&w));
    CHECK_EQ_INT(promote(&w, false), 0);
    CHECK(!is_tried(&w));
    CHECK_SLICE(field(&w, "state"), "rolled_back");
    for (uint64_t conv = 1; conv <= 9; conv++)
        CHECK_EQ_STR(hears(&w, conv, clock_ms()), "two");
    finish(&w);
}

TEST("the verdict: errors, time, hand-overs, kills, each with its limit")
{
    char text[240];
    struct version v = {
        .canary = {.share = 5, .errors = 1, .slower = 1.5, .handovers = 20}};
    struct canary_side usual = {.conversations = 1000,
                                .calls = 2000,
                                .errors = 20,
                                .us = 20000000,
                                .handovers = 500};
    struct canary c = {.version = &v, .stable = usual, .canary = usual};
    CHECK(canary_is_good(&c, text));
    CHECK(strstr(text, "as good: errors 1.0 % (before 1.0 %)") != NULL);
    c.canary.errors = 40; /* 2 %: one point more */
    CHECK(canary_is_good(&c, text));
    c.canary.errors = 41;
    CHECK(!canary_is_good(&c, text));
    c.canary = usual;
    c.canary.us = 32000000; /* 16 ms: 1.5 times, and the grace of 1 ms */
    CHECK(canary_is_good(&c, text));
    c.canary.us = 32002000;
    CHECK(!canary_is_good(&c, text));
    CHECK(strstr(text, "longer") != NULL);
    c.canary = usual;
    c.canary.handovers = 700;
    CHECK(canary_is_good(&c, text));
    c.canary.handovers = 710;
    CHECK(!canary_is_good(&c, text));
    c.canary.handovers = 290;
    CHECK(!canary_is_good(&c, text));
    c.canary = usual;
    c.canary.kills = 1;
    CHECK(!canary_is_good(&c, text));
    c.canary = usual; /* nobody met the other: what can be said is said */
    c.stable = (struct canary_side){0};
    CHECK(canary_is_good(&c, text));
}

TEST("what a canary may say, and what not")
{
    static const char *const bad[] = {"0",
                                      "100",
                                      "5.5",
                                      "'5'",
                                      "true",
                                      "{}",
                                      "{ share = 0 }",
                                      "{ share = 5, conversations = 0 }",
                                      "{ share = 5, for_ = 'soon' }",
                                      "{ share = 5, slower = 0.5 }",
                                      "{ share = 5, errors = -1 }",
                                      "{ share = 5, handovers = 101 }",
                                      "{ share = 5, other = 1 }",
                                      "{ 5 }"};
    struct arena *a = arena_new();
    char text[300];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct world w;
        test_note("canary = %s", bad[i]);
        snprintf(text, sizeof text,
                 "return { api = 1,\n canary = %s, on_message = print }",
                 bad[i]);
        world_with(&w, text);
        CHECK(contains(world_error(&w, a, RULE), "canary"));
        world_close(&w);
    }
    struct world w;
    world_with(&w, "return { api = 1, on_message = print, pin = true, canary = "
                   "{ share = 5, conversations = 200, for_ = '24h', errors = "
                   "0.5, slower = 2, handovers = 10 } }");
    CHECK_SLICE(world_error(&w, a, RULE), "");
    world_close(&w);
    arena_free(a);
}

/* --- pins ----------------------------------------------------------------- */

TEST("a pinned conversation stays on its version, over restarts, until it ends")
{
    struct world w;
    begin(&w, PINS("one"));
    int64_t first = clock_ms();
    clock_shift_ms(1000);
    world_rewrite(&w, RULE, PINS("two"));
    int64_t second = clock_ms();
    clock_shift_ms(2000);
    world_rewrite(&w, RULE, SAYS("three"));
    int64_t third = clock_ms();
    for (int i = 0; i < 2; i++) {
        CHECK_EQ_STR(hears(&w, 1, first), "one");
        CHECK_EQ_STR(hears(&w, 1, second), "two");
        CHECK_EQ_STR(hears(&w, 1, third), "three");
        CHECK_EQ_STR(hears(&w, 1, 5), "one");
        restart(&w);
    }
    script_oldest(w.script, second); /* the last of the first ones has closed */
    CHECK_EQ_STR(hears(&w, 1, first), "two");
    CHECK_EQ_STR(hears(&w, 1, second), "two");
    script_oldest(w.script, 0);
    CHECK_EQ_STR(hears(&w, 1, second), "three");
    CHECK_EQ_STR(row_in(VERSION_PINNED), "");
    finish(&w);
}

TEST("at most four old versions of a script are kept running")
{
    struct world w;
    char rule[200], text[16];
    int64_t at[7];
    begin(&w, PINS("v0"));
    for (int i = 0; i < 7; i++) {
        at[i] = clock_ms();
        clock_shift_ms(1000 * (i + 1));
        if (i == 6)
            break;
        snprintf(text, sizeof text, "v%d", i + 1);
        snprintf(rule, sizeof rule,
                 "return { api = 1, pin = true, on_message = function(conv) "
                 "conv:note '%s' end }",
                 text);
        world_rewrite(&w, RULE, rule);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 2; i < 7; i++) {
            snprintf(text, sizeof text, "v%d", i);
            CHECK_EQ_STR(hears(&w, 1, at[i]), text);
        }
        CHECK_EQ_STR(hears(&w, 1, at[0]), "v2"); /* the nearest */
        restart(&w);
    }
    finish(&w);
}

/* --- roll backs ----------------------------------------------------------- */

TEST("rolled back, the earlier version serves until the file changes")
{
    struct world w;
    begin(&w, SAYS("one"));
    world_rewrite(&w, RULE, SAYS("two"));
    char first[16], second[16];
    snprintf(first, 16, "%s", row_in(VERSION_OLD));
    snprintf(second, 16, "%s", row_in(VERSION_SERVING));
    CHECK_EQ_INT(roll_back(&w, first), 0);
    CHECK_EQ_STR(row_in(VERSION_REFUSED), second);
    for (int i = 0; i < 2; i++) {
        CHECK_SLICE(field(&w, "state"), "rolled_back");
        CHECK_SLICE(field(&w, "version"), first);
        CHECK_EQ_STR(hears(&w, 1, 5), "one");
        CHECK(script_is_well(w.script, NULL));
        restart(&w);
    }
    script_changed(w.script, NULL, 0); /* a look at all changes nothing */
    CHECK_EQ_INT(reload(&w, RULE), ERR_CONFLICT);
    CHECK_EQ_STR(hears(&w, 1, 5), "one");
    CHECK_EQ_INT(roll_back(&w, second), 0); /* by name it may serve again */
    CHECK_SLICE(field(&w, "state"), "serving");
    CHECK_EQ_STR(hears(&w, 1, 5), "two");
    CHECK_EQ_INT(reload(&w, RULE), 0);
    world_rewrite(&w, RULE, SAYS("three"));
    CHECK_EQ_STR(hears(&w, 1, 5), "three");
    finish(&w);
}

TEST("rolling back ends a canary, which is the file")
{
    struct world w;
    begin(&w, SAYS("one"));
    world_rewrite(&w, RULE, SAYS("two"));
    char first[16];
    snprintf(first, 16, "%s", row_in(VERSION_OLD));
    world_rewrite(&w, RULE, TRIES("three", ""));
    CHECK_EQ_INT(roll_back(&w, first), 0);
    CHECK(!is_tried(&w));
    for (uint64_t conv = 1; conv <= 9; conv++)
        CHECK_EQ_STR(hears(&w, conv, clock_ms()), "one");
    CHECK_EQ_INT(past_count, 3);
    finish(&w);
}

TEST("a version that does not load any more is not gone back to")
{
    struct world w;
    begin(&w, SAYS("one"));
    struct script_version to = {
        .unit = SLICE(RULE),
        .version = SLICE("0123456789ab"),
        .sources = SLICE("[{\"name\":\"" RULE "\",\"text\":\"return {\"}]")};
    script_roll_back(w.script, &to, on_end, &w);
    CHECK_EQ_INT(wait_end(&w), ERR_UNPROCESSABLE);
    CHECK(strstr(why.text, "10-a.lua:1") != NULL);
    to.sources = SLICE("nonsense");
    script_roll_back(w.script, &to, on_end, &w);
    CHECK_EQ_INT(wait_end(&w), ERR_UNPROCESSABLE);
    CHECK_EQ_STR(hears(&w, 1, 5), "one");
    CHECK_SLICE(field(&w, "state"), "serving");
    to.unit = SLICE("rules/99-none");
    script_roll_back(w.script, &to, on_end, &w);
    CHECK_EQ_INT(wait_end(&w), ERR_NOT_FOUND);
    finish(&w);
}

/* --- reload, on, off ------------------------------------------------------ */

TEST("a reload says what really became of it")
{
    struct world w;
    begin(&w, SAYS("one"));
    int64_t loads = all_loads(&w);
    CHECK_EQ_INT(reload(&w, RULE), 0);
    CHECK_EQ_INT(all_loads(&w), loads + 1);
    CHECK_EQ_INT(reload(&w, "rules/99-none"), ERR_NOT_FOUND);
    world_write(&w, RULE, "return {\n  api = = 1 }");
    CHECK_EQ_INT(reload(&w, RULE), ERR_UNPROCESSABLE);
    CHECK(strstr(why.text, "scripts/rules/10-a.lua:2: ") != NULL);
    CHECK_EQ_STR(hears(&w, 1, 5), "one");
    world_write(&w, RULE, SAYS("two"));
    CHECK_EQ_INT(reload(&w, RULE), 0);
    CHECK_EQ_STR(hears(&w, 1, 5), "two");
    world_write(&w, "rules/20-new", SAYS("new"));
    CHECK_EQ_INT(reload(&w, "rules/20-new"), 0);
    world_write(&w, "rules/20-new", NULL);
    CHECK_EQ_INT(reload(&w, "rules/20-new"), 0); /* it is gone: so be it */
    CHECK_EQ_INT(reload(&w, "rules/20-new"), ERR_NOT_FOUND);
    finish(&w);
}

TEST("what is under way when the house closes is cancelled, once each")
{
    struct world w;
    begin(&w, SAYS("one"));
    for (int i = 0; i < 50; i++)
        script_reload(w.script, SLICE(RULE), on_end, &w);
    script_promote(w.script, SLICE(RULE), true, on_end, &w);
    script_close(w.script);
    CHECK_EQ_INT(ended, 0);
    loop_stop(w.loop);
    loop_run(w.loop);
    CHECK_EQ_INT(ended, 51);
    ended = 0;
    loop_free(w.loop);
    arena_free(past_arena);
}

TEST("switched off by hand it is off, also after a change and a restart")
{
    struct world w;
    begin(&w, SAYS("one"));
    CHECK_EQ_INT(enable(&w, false), 0);
    CHECK_SLICE(field(&w, "state"), "off");
    CHECK_EQ_STR(hears(&w, 1, 5), "");
    CHECK(script_is_well(w.script, NULL));
    world_rewrite(&w, RULE, SAYS("two"));
    CHECK_EQ_STR(hears(&w, 1, 5), "");
    restart(&w);
    CHECK_SLICE(field(&w, "state"), "off");
    CHECK_EQ_STR(hears(&w, 1, 5), "");
    CHECK_EQ_INT(enable(&w, true), 0);
    CHECK_SLICE(field(&w, "state"), "serving");
    CHECK_EQ_STR(hears(&w, 1, 5), "two");
    restart(&w);
    CHECK_EQ_STR(hears(&w, 1, 5), "two");
    finish(&w);
}

TEST("one that the house switched off for its failures is on again by command")
{
    struct world w;
    world_init(&w);
    past_arena = arena_new();
    past_count = 0;
    w.conf.failures = 3;
    w.conf.keep_version = past_keep;
    world_write(&w, RULE,
                "return { api = 1, on_message = function(conv) conv:note 'x' "
                "error 'no' end }");
    open_again(&w);
    for (int i = 0; i < 3; i++)
        hears(&w, 1, 5);
    CHECK_SLICE(field(&w, "state"), "failing");
    CHECK(!script_wants(w.script, &(struct job){.hook = HOOK_MESSAGE}));
    CHECK_EQ_INT(enable(&w, true), 0);
    CHECK_SLICE(field(&w, "state"), "serving");
    CHECK(script_wants(w.script, &(struct job){.hook = HOOK_MESSAGE}));
    finish(&w);
}

/* --- tests before serving ------------------------------------------------- */

static const char *verdict; /* "" = passed */
static int proved;

static int prove(void *arg, struct slice unit, struct buf *out)
{
    proved++;
    CHECK_SLICE(unit, RULE);
    CHECK_EQ_INT(buf_add_text(out, verdict), 0);
    return verdict[0] ? ERR_UNPROCESSABLE : 0;
}

TEST("a script whose tests fail does not serve; mended tests let it")
{
    struct world w;
    struct arena *a = arena_new();
    world_init(&w);
    past_arena = arena_new();
    past_count = 0;
    proved = 0;
    w.conf.keep_version = past_keep;
    w.conf.run_tests = true;
    w.conf.run_test = prove;
    verdict = "";
    world_write(&w, RULE, SAYS("one"));
    open_again(&w);
    world_rewrite(&w, RULE, SAYS("two")); /* it has none */
    CHECK_EQ_INT(proved, 0);
    world_write(&w, "rules/10-a_test", "-- its tests");
    verdict = "scripts/rules/10-a_test.lua:7: greets: it did not";
    world_rewrite(&w, RULE, SAYS("three"));
    CHECK_EQ_INT(proved, 1);
    CHECK_EQ_STR(hears(&w, 1, 5), "two");
    struct json *u = world_unit(&w, a, RULE);
    struct json *error = json_get(u, "errors")->first;
    CHECK_SLICE(json_text(u, "state"), "last_good");
    CHECK_SLICE(json_text(error, "phase"), "test");
    CHECK_SLICE(json_text(error, "file"), "scripts/rules/10-a_test.lua");
    CHECK_EQ_INT(json_int(error, "line", 0), 7);
    CHECK_EQ_INT(reload(&w, RULE), ERR_UNPROCESSABLE);
    CHECK(strstr(why.text, "it did not") != NULL);
    restart(&w); /* the file is news to this start, too */
    CHECK_EQ_STR(hears(&w, 1, 5), "two");
    CHECK_EQ_INT(proved, 3);
    verdict = "";
    world_rewrite(&w, "rules/10-a_test", "-- better ones");
    CHECK_EQ_STR(hears(&w, 1, 5), "three");
    CHECK_SLICE(field(&w, "state"), "serving");
    CHECK_EQ_INT(proved, 4);
    restart(&w); /* what served is not proved again */
    CHECK_EQ_INT(proved, 4);
    CHECK_EQ_STR(hears(&w, 1, 5), "three");
    finish(&w);
    arena_free(a);
}

/* --- only what has changed ------------------------------------------------ */

TEST("one file among 200 is one load; a lib's change is that of its users")
{
    struct world w;
    char name[32], text[300];
    world_init(&w);
    past_arena = arena_new();
    past_count = 0;
    world_write(&w, "lib/words", "return { hello = 'v1' }");
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "rules/%03d-x", i);
        snprintf(text, sizeof text, "%s return { api = 1, on_message = print }",
                 i % 40 == 0 ? "require 'lib.words'" : "");
        world_write(&w, name, text);
    }
    open_again(&w);
    int64_t loads = all_loads(&w);
    world_rewrite(&w, "rules/077-x", SAYS("new"));
    CHECK_EQ_INT(all_loads(&w), loads + 1);
    world_rewrite(&w, "lib/words", "return { hello = 'v2' }");
    CHECK_EQ_INT(all_loads(&w), loads + 1 + 5);
    script_changed(w.script, NULL, 0); /* looks at all, loads none */
    world_rewrite(&w, "rules/078-x", SAYS("new"));
    CHECK_EQ_INT(all_loads(&w), loads + 1 + 5 + 1);
    finish(&w);
}
