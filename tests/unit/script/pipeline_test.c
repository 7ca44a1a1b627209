/* SPDX-License-Identifier: Apache-2.0 */
/* pipeline_test.c - how a round is run: its trace, its failures, its limits,
 * its patience, its time, and effects that count before a wait. */
#include "world.h"

#define PASS(body)                                                             \
    "return { api = 1, on_message = function(conv, msg) " body " end }"

/* --- trace ---------------------------------------------------------------- */

TEST("the trace has one hop a handler, with its version, time and outcome")
{
    struct world w;
    struct arena *a = arena_new();
    struct json *hops = NULL;
    world_init(&w);
    world_write(&w, "rules/10-a", PASS(""));
    world_write(&w, "rules/20-b", PASS("error 'no luck\\nsecond line'"));
    world_write(&w, "rules/30-c", PASS("sleep '2ms' return true"));
    world_write(&w, "rules/40-d", PASS(""));
    world_open(&w);
    struct job *job = world_say(&w, "x");
    REQUIRE(json_parse(a, job->hops, NULL, &hops) == 0);
    REQUIRE(hops->count == 3);
    struct json *h = hops->first;
    CHECK_SLICE(json_text(h, "unit"), "rules/10-a");
    CHECK_SLICE(json_text(h, "outcome"), "passed");
    CHECK_EQ_INT(json_text(h, "version").len, 12);
    CHECK(json_int(h, "at", 0) > 1700000000000);
    CHECK(!json_get(h, "error") && !json_get(h, "hook"));
    h = h->next;
    CHECK_SLICE(json_text(h, "outcome"), "failed");
    CHECK_SLICE(json_text(h, "error"), "scripts/rules/20-b.lua:1: no luck");
    h = h->next;
    CHECK_SLICE(json_text(h, "outcome"), "decided");
    CHECK(json_int(h, "wall_us", 0) >= 1000);
    CHECK(json_int(h, "us", -1) >= 0);
    CHECK_EQ_INT(job->ran, 3);
    CHECK_EQ_INT(job->failures, 1);
    CHECK_SLICE(job->trouble, "scripts/rules/20-b.lua:1: no luck");
    job_free(job);
    world_close(&w);
    arena_free(a);
}

TEST("a trace ends at 64 hops with the number of the others")
{
    struct world w;
    struct arena *a = arena_new();
    struct json *hops = NULL;
    char name[40];
    world_init(&w);
    for (int i = 0; i < 70; i++) {
        snprintf(name, sizeof name, "rules/%03d-x", i + 10);
        world_write(&w, name, PASS(""));
    }
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(job->ran, 70);
    CHECK(job->hops.len <= LIMIT_TRACE_BYTES);
    REQUIRE(json_parse(a, job->hops, NULL, &hops) == 0);
    CHECK_EQ_INT(hops->count, 65);
    int64_t more = 0;
    for (struct json *h = hops->first; h; h = h->next)
        more = json_int(h, "more", 0);
    CHECK_EQ_INT(more, 6);
    job_free(job);
    world_close(&w);
    arena_free(a);
}

TEST("a trace of long errors stays within its bytes")
{
    struct world w;
    struct arena *a = arena_new();
    struct json *hops = NULL;
    char name[40];
    world_init(&w);
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "rules/%03d-x", i + 10);
        world_write(&w, name, PASS("error(('\\1'):rep(500))"));
    }
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK(job->hops.len <= LIMIT_TRACE_BYTES);
    REQUIRE(json_parse(a, job->hops, NULL, &hops) == 0);
    struct json *last = hops->first;
    while (last->next)
        last = last->next;
    CHECK_EQ_INT(json_int(last, "more", 0) + hops->count - 1, 60);
    job_free(job);
    world_close(&w);
    arena_free(a);
}

/* --- failures in a row ---------------------------------------------------- */

TEST("a rule that fails too often in a row is off until it changes")
{
    struct world w;
    struct arena *a = arena_new();
    world_init(&w);
    w.conf.failures = 3;
    world_write(&w, "rules/10-a",
                PASS("if msg.text == 'bad' then error 'x' end conv:tag 'ok'"));
    world_open(&w);
    const char *said[] = {"bad", "bad", "good", "bad", "bad", "bad"};
    for (int i = 0; i < 6; i++) {
        struct job *job = world_say(&w, said[i]);
        CHECK_EQ_INT(job->ran, 1);
        CHECK_EQ_INT(job->failures, said[i][0] == 'b');
        job_free(job);
    }
    struct json *u = world_unit(&w, a, "rules/10-a");
    CHECK_SLICE(json_text(u, "state"), "failing");
    CHECK(contains(world_error(&w, a, "rules/10-a"), "switched off"));
    struct job *job = world_job(&w, "good");
    CHECK(!script_wants(w.script, job));
    world_run(&w, job);
    CHECK_EQ_INT(job->ran, 0);
    job_free(job);
    world_rewrite(&w, "rules/10-a", PASS("conv:tag 'new'"));
    job = world_say(&w, "good");
    CHECK_SLICE(effect_text(job, EFFECT_TAG), "new");
    u = world_unit(&w, a, "rules/10-a");
    CHECK_SLICE(json_text(u, "state"), "serving");
    job_free(job);
    world_close(&w);
    arena_free(a);
}

TEST("events on their way meet a rule that is off as skipped")
{
    struct world w;
    world_init(&w);
    w.conf.failures = 2;
    world_write(&w, "rules/10-a", PASS("error 'x'"));
    world_open(&w);
    struct job *jobs[4];
    for (int i = 0; i < 4; i++)
        world_give(&w, jobs[i] = world_job(&w, "x"));
    while (w.open_jobs)
        loop_run(w.loop);
    CHECK_EQ_INT(jobs[1]->ran, 1);
    /* The plan without it is published when the main loop hears of it: the
     * last two had begun with the old one, or found none. */
    for (int i = 2; i < 4; i++) {
        CHECK_EQ_INT(jobs[i]->ran, 0);
        CHECK(contains(jobs[i]->hops, "skipped"));
    }
    for (int i = 0; i < 4; i++)
        job_free(jobs[i]);
    world_close(&w);
}

/* --- patience ------------------------------------------------------------- */

TEST("patience is the longest deadline of the rules that match")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a",
                "return { api = 1, deadline = '5s', match = { text = 'slow' }, "
                "on_message = print }");
    world_write(&w, "rules/20-b",
                "return { api = 1, deadline = '2s', match = { text = 'low' }, "
                "on_message = print }");
    world_open(&w);
    struct job *job = world_job(&w, "slow");
    CHECK_EQ_INT(script_patience(w.script, job), 5000);
    job->text = SLICE("low");
    CHECK_EQ_INT(script_patience(w.script, job), 2000);
    job->text = SLICE("other");
    CHECK_EQ_INT(script_patience(w.script, job), LIMIT_ROUTING_MS);
    job_free(job);
    world_close(&w);
}

TEST("the house's own patience, or none")
{
    for (int none = 0; none < 2; none++) {
        struct world w;
        world_init(&w);
        w.conf.routing_ms = none ? -1 : 70;
        world_write(&w, "rules/10-a", PASS(""));
        world_open(&w);
        struct job *job = world_job(&w, "x");
        CHECK_EQ_INT(script_patience(w.script, job), none ? 0 : 70);
        job_free(job);
        world_close(&w);
    }
}

/* --- effects count at a wait ---------------------------------------------- */

struct parts {
    struct world *world;
    int count, result;
    struct job *held;
    char said[2000];
    size_t len;
};
static struct parts parts;

static void on_part(void *arg, struct job *part)
{
    struct world *w = arg;
    parts.count++;
    for (const struct effect *e = part->first; e; e = e->next)
        parts.len += (size_t)snprintf(parts.said + parts.len,
                                      sizeof parts.said - parts.len, "%s:%.*s ",
                                      effect_name(e->type), SLICE_FMT(e->text));
    CHECK_EQ_INT(part->event.pos, 77);
    CHECK_EQ_INT(part->conv.id, 5);
    if (w->hold) {
        parts.held = part;
        loop_stop(w->loop);
        return;
    }
    part->result = parts.result;
    part->fence++;
    part->done(part);
}

static void parts_init(struct world *w)
{
    parts = (struct parts){.world = w};
    world_init(w);
    w->conf.on_part = on_part;
}

TEST("effects count when the handler goes on to wait, the rest at its end")
{
    struct world w;
    parts_init(&w);
    world_write(&w, "rules/10-a",
                PASS("conv:reply 'one moment' conv:tag 'a' sleep '1ms' "
                     "sleep '1ms' conv:tag 'b' kv.get 'k' conv:tag 'c'"));
    world_open(&w);
    struct job *job = world_job(&w, "x");
    job->fence = 4;
    world_run(&w, job);
    CHECK_EQ_INT(job->failures, 0);
    CHECK_EQ_INT(parts.count, 2); /* the second sleep had nothing to give */
    CHECK(strcmp(parts.said, "reply:one moment tag:a tag:b ") == 0);
    CHECK_EQ_INT(job->count, 1);
    CHECK_SLICE(effect_text(job, EFFECT_TAG), "c");
    CHECK_EQ_INT(job->fence, 6);
    CHECK_EQ_INT(job->conv.fence, 6);
    job_free(job);
    world_close(&w);
}

TEST("a later failure takes back only what was not given")
{
    struct world w;
    parts_init(&w);
    world_write(&w, "rules/10-a",
                PASS("conv:tag 'given' sleep '1ms' conv:tag 'lost' error 'x'"));
    world_write(&w, "rules/20-b", PASS("conv:note(table.concat(conv.tags))"));
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK(strcmp(parts.said, "tag:given ") == 0);
    CHECK_EQ_INT(job->count, 1);
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "oldgiven");
    job_free(job);
    world_close(&w);
}

TEST("what earlier rules wanted stays theirs when a later one waits")
{
    struct world w;
    parts_init(&w);
    world_write(&w, "rules/10-a", PASS("conv:tag 'first'"));
    world_write(&w, "rules/20-b", PASS("conv:tag 'second' sleep '1ms'"));
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK(strcmp(parts.said, "tag:second ") == 0);
    CHECK_SLICE(effect_text(job, EFFECT_TAG), "first");
    CHECK_EQ_INT(job->count, 1);
    job_free(job);
    world_close(&w);
}

TEST("a refused part does not stop the handler")
{
    struct world w;
    parts_init(&w);
    parts.result = ERR_UNAVAILABLE;
    world_write(&w, "rules/10-a",
                PASS("conv:tag 'a' sleep '1ms' conv:note 'on'"));
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(job->failures, 0);
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "on");
    job_free(job);
    world_close(&w);
}

TEST("the wait begins when the part is committed, not before")
{
    struct world w;
    parts_init(&w);
    world_write(&w, "rules/10-a",
                PASS("conv:tag 'a' local r = http.get 'http://x' "
                     "conv:note(tostring(r.status))"));
    world_open(&w);
    w.hold = true;
    struct job *job = world_job(&w, "x");
    world_give(&w, job);
    loop_run(w.loop);
    REQUIRE(parts.held);
    CHECK_EQ_INT(w.asked_count, 0);
    w.hold = false;
    parts.held->done(parts.held);
    while (w.open_jobs)
        loop_run(w.loop);
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "200");
    job_free(job);
    world_close(&w);
}

TEST("the house stops while a part is on its way")
{
    struct world w;
    parts_init(&w);
    world_write(&w, "rules/10-a", PASS("conv:tag 'a' sleep '1ms'"));
    world_open(&w);
    w.hold = true;
    struct job *job = world_job(&w, "x");
    world_give(&w, job);
    loop_run(w.loop);
    REQUIRE(parts.held);
    script_close(w.script);
    while (w.open_jobs)
        loop_run(w.loop);
    CHECK_EQ_INT(job->result, ERR_CANCELLED);
    parts.held->done(parts.held); /* comes too late, and is freed */
    job_free(job);
    loop_free(w.loop);
}

TEST("a part that does not come back is cut with its handler")
{
    struct world w;
    struct arena *a = arena_new();
    parts_init(&w);
    world_write(&w, "rules/10-a",
                "return { api = 1, limits = { wall = '20ms' }, on_message = "
                "function(conv) conv:tag 'a' sleep '1ms' end }");
    world_open(&w);
    w.hold = true;
    struct job *job = world_job(&w, "x");
    world_give(&w, job);
    while (w.open_jobs)
        loop_run(w.loop);
    CHECK(contains(world_error(&w, a, "rules/10-a"), "took longer than 20 ms"));
    parts.held->done(parts.held);
    job_free(job);
    world_close(&w);
    arena_free(a);
}

TEST("replies of a part pass on_send, and the trace tells it")
{
    struct world w;
    parts_init(&w);
    world_write(&w, "rules/10-a", PASS("conv:reply 'one' sleep '1ms'"));
    world_write(&w, "rules/20-b",
                "return { api = 1, on_send = function(conv, msg) "
                "conv:edit{ text = msg.text .. '!' } end }");
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK(strcmp(parts.said, "reply:one! ") == 0);
    CHECK_EQ_INT(job->count, 0);
    CHECK_EQ_INT(job->ran, 2);
    CHECK(contains(job->hops, "\"hook\":\"on_send\""));
    job_free(job);
    world_close(&w);
}

TEST("before a message is stored nothing is given early")
{
    struct world w;
    parts_init(&w);
    world_write(&w, "rules/10-a",
                "return { api = 1, on_inbound = function(conv, msg) "
                "conv:tag 'a' sleep '1ms' end }");
    world_open(&w);
    struct job *job = world_job(&w, "x");
    job->hook = HOOK_INBOUND;
    world_run(&w, job);
    CHECK_EQ_INT(parts.count, 0);
    CHECK_EQ_INT(job->count, 1);
    job_free(job);
    world_close(&w);
}

TEST("without a conversation effects count at the end, and are not lost")
{
    struct world w;
    parts_init(&w);
    world_write(&w, "rules/10-a",
                "return { api = 1, on_timer = function() kv.set('k', 1) "
                "sleep '1ms' kv.set('l', 2) end }");
    world_open(&w);
    struct job *job = job_new(HOOK_TIMER, world_done, &w);
    job->unit = SLICE("rules/10-a");
    job->what = SLICE("every");
    world_run(&w, job);
    CHECK_EQ_INT(parts.count, 0);
    CHECK_EQ_INT(effect_count(job, EFFECT_KV_SET), 2);
    job_free(job);
    world_close(&w);
}

TEST("all parts of an event together have at most 50 effects")
{
    struct world w;
    struct arena *a = arena_new();
    parts_init(&w);
    world_write(&w, "rules/10-a",
                PASS("for i = 1, 60 do conv:tag('t' .. i % 20) "
                     "conv:untag('t' .. i % 20) sleep '1ms' end"));
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(parts.count, 25);
    CHECK(contains(world_error(&w, a, "rules/10-a"), "too many effects"));
    job_free(job);
    world_close(&w);
    arena_free(a);
}

/* --- limits of a file ----------------------------------------------------- */

TEST("a file's own limits hold, and only downwards")
{
    static const struct {
        const char *limits, *code, *says;
    } list[] = {
        {"effects = 2", "conv:tag 'a' conv:tag 'b' conv:tag 'c'",
         "too many effects (at most 2"},
        {"effects = 90", "for i = 1, 51 do conv:note('x' .. i) end",
         "too many effects (at most 50"},
        {"http = 1",
         "http.get 'http://x' local r, code = http.get 'http://x' error(code)",
         "rate_limited"},
        {"http = 0", "local r, code = http.get 'http://x' error(code)",
         "rate_limited"},
        {"memory = '2MB'",
         "local t = {} while true do t[#t + 1] = "
         "('x'):rep(1000) .. #t end",
         "not enough memory"},
        {"cpu = '5ms'", "while true do end", "too much CPU"},
        {"wall = '10ms'", "sleep '20s'", "took longer than 10 ms"},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct world w;
        struct arena *a = arena_new();
        char rule[500];
        snprintf(rule, sizeof rule,
                 "return { api = 1, limits = { %s }, on_message = "
                 "function(conv, msg) %s end }",
                 list[i].limits, list[i].code);
        test_note("%s", list[i].limits);
        world_with(&w, rule);
        w.conf.cpu_ms = 2000;
        struct job *job = world_say(&w, "x");
        struct slice said = world_error(&w, a, "rules/10-a");
        if (!contains(said, list[i].says))
            FAIL("it said: %.*s", SLICE_FMT(said));
        job_free(job);
        world_close(&w);
        arena_free(a);
    }
    test_note("%s", "");
}

TEST("the scripts resource shows the limits that hold")
{
    struct world w;
    struct arena *a = arena_new();
    world_with(&w, "return { api = 1, limits = { cpu = '20ms', memory = '8MB', "
                   "http = 10, wall = '1d' }, on_message = print }");
    struct json *limits = json_get(world_unit(&w, a, "rules/10-a"), "limits");
    CHECK_EQ_INT(json_int(limits, "cpu_ms", 0), 20);
    CHECK_EQ_INT(json_int(limits, "memory_bytes", 0), 8 * 1024 * 1024);
    CHECK_EQ_INT(json_int(limits, "http", 0), 10);
    CHECK_EQ_INT(json_int(limits, "effects", 0), LIMIT_EFFECTS);
    CHECK_EQ_INT(json_int(limits, "wall_ms", 0), LIMIT_SCRIPT_WALL_MS);
    world_close(&w);
    arena_free(a);
}

/* --- the house's own time ------------------------------------------------- */

static atomic_llong virtual_ms;

static int64_t virtual_now(void *arg)
{
    return atomic_load(&virtual_ms);
}

static void on_quick(struct job *job)
{
    struct world *w = job->owner;
    w->open_jobs--;
    job_free(job);
    loop_stop(w->loop);
}

TEST("waits, clocks and alarms follow the house's own time")
{
    struct world w;
    world_init(&w);
    atomic_store(&virtual_ms, 1900000000000);
    w.conf.now = virtual_now;
    world_write(&w, "rules/10-a",
                "return { api = 1, on_timer = print, on_message = "
                "function(conv, msg) if msg.text == 'quick' then return end "
                "local was = time.now() http.get 'http://x' sleep '20s' "
                "conv:after('1m', 'x') conv:note(tostring(time.now() - was)) "
                "end }");
    world_open(&w);
    w.hold = true;
    struct job *job = world_job(&w, "x"), *quick = world_job(&w, "quick");
    world_give(&w, job);
    loop_run(w.loop);
    REQUIRE(w.asked_count == 1);
    world_answer(&w, w.asked[0]);
    quick->done = on_quick;
    world_give(&w, quick);
    loop_run(w.loop); /* it came behind the answer: the first sleeps now */
    CHECK_EQ_INT(w.open_jobs, 1);
    atomic_fetch_add(&virtual_ms, 20000);
    script_nudge(w.script);
    while (w.open_jobs)
        loop_run(w.loop);
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "20000");
    CHECK(job->first->type == EFFECT_ALARM);
    CHECK_EQ_INT(job->first->number, 1900000080000);
    job_free(job);
    world_close(&w);
}
