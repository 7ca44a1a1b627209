/* SPDX-License-Identifier: Apache-2.0 */
/* cache.new and metric: what a script keeps in memory, and tells of itself. */
#include "base/meter.h"
#include "fake.h"

/* Says that many messages; the last one's reply in out. */
static const char *says(struct fake *f, int times)
{
    static char out[2000];
    for (int i = 0; i < times; i++) {
        struct job *job = world_say(&f->w, "x");
        struct slice s = effect_text(job, EFFECT_REPLY);
        snprintf(out, sizeof out, "%.*s", SLICE_FMT(s));
        job_free(job);
    }
    return out;
}

static int64_t meter_at(const char *series)
{
    struct buf out;
    buf_init(&out, 4 << 20);
    meter_write(&out);
    buf_add_char(&out, '\0');
    const char *at = strstr(out.data, series);
    int64_t n = at ? (int64_t)(atof(at + strlen(series)) * 1000) : -1;
    buf_fini(&out);
    return n;
}

TEST("a cache keeps values from event to event, copies of them")
{
    struct fake f = {0};
    fake_with(&f, "local c = cache.new()",
              "local v = c:get 'k' or { n = 0 }\n"
              "v.n = v.n + 1\n"
              "c:set('k', v)\n"
              "v.n = 100\n"
              "conv:reply(c:get('k').n)");
    CHECK_EQ_STR(says(&f, 3), "3");
    world_close(&f.w);
}

TEST("set nil and del forget one, clear all; stats tell")
{
    struct fake f = {0};
    CHECK_EQ_STR(
        fake_reply(&f, "local c = cache.new { size = 10 }",
                   "c:set('a', 1) c:set('b', 2) c:set('c', 3) c:set('d', 4)\n"
                   "c:set('a', nil) c:del 'b'\n"
                   "local t = tostring\n"
                   "local s = t(c:get 'a') .. t(c:get 'b') .. t(c:get 'c')\n"
                   "c:clear()\n"
                   "s = s .. t(c:get 'd')\n"
                   "local n = c:stats()\n"
                   "conv:reply(s .. n.hits .. n.misses .. n.ratio .. "
                   "n.entries .. n.bytes)"),
        "nilnil3nil130.2500");
}

TEST("values are gone at the end of their time")
{
    struct fake f = {0};
    fake_with(&f, "local c = cache.new { ttl = '1h' }",
              "if msg.text == 'set' then c:set('a', 1) c:set('b', 2, '1d')\n"
              "else conv:reply(tostring(c:get 'a') .. tostring(c:get 'b')) "
              "end");
    job_free(world_say(&f.w, "set"));
    CHECK_EQ_STR(says(&f, 1), "12");
    clock_shift_ms(3600001);
    CHECK_EQ_STR(says(&f, 1), "nil2");
    clock_shift_ms(0);
    world_close(&f.w);
}

static const char counting[] =
    "local c = cache.new { name = 'c' } local d = cache.new()\n"
    "return { api = 1, on_message = function(conv)\n"
    "  c:set('n', (c:get 'n' or 0) + 1) d:set('n', (d:get 'n' or 0) + 1)\n"
    "  conv:reply('%d:' .. c:get 'n' .. d:get 'n')\n"
    "end }";

TEST("one with a name outlives a reload of its file, one without does not")
{
    struct fake f = {0};
    char rule[500];
    fake_with(&f, "", "");
    snprintf(rule, sizeof rule, counting, 1);
    world_rewrite(&f.w, "rules/10-a", rule);
    CHECK_EQ_STR(says(&f, 2), "1:22");
    snprintf(rule, sizeof rule, counting, 2);
    world_rewrite(&f.w, "rules/10-a", rule);
    CHECK_EQ_STR(says(&f, 1), "2:31");
    world_close(&f.w);
}

TEST("what does not fit is not kept, and nothing breaks")
{
    struct fake f = {0};
    CHECK_EQ_STR(fake_reply(&f, "local c = cache.new { bytes = '2KB' }",
                            "c:set('big', ('x'):rep(5000))\n"
                            "for i = 1, 100 do c:set('k' .. i, ('x'):rep(100)) "
                            "end\n"
                            "local n = c:stats()\n"
                            "conv:reply(tostring(c:get 'big') .. "
                            "tostring(n.bytes <= 2048) .. "
                            "tostring(n.entries > 3))"),
                 "niltruetrue");
}

static void refuses(const char *top, const char *want)
{
    struct fake f = {0};
    struct arena *a = arena_new();
    fake_with(&f, top, "");
    struct slice error = world_error(&f.w, a, "rules/10-a");
    if (!contains(error, want))
        FAIL("%s\n  says %.*s\n  not %s", top, SLICE_FMT(error), want);
    world_close(&f.w);
    arena_free(a);
}

TEST("a script's caches are bounded, when its file is loaded")
{
    refuses("cache.new { bytes = '17MB' }", "bytes must be a size");
    refuses("cache.new { bytes = '9MB' } cache.new { bytes = '9MB' }",
            "16 MB together");
    refuses("for i = 1, 21 do cache.new { bytes = 100 } end", "20 caches");
    refuses("cache.new { size = 0 }", "size must be from 1");
    refuses("cache.new { sise = 1 }", "unknown field 'sise'");
    refuses("cache.new { name = 'A b' }", "a name has");
    refuses("cache.new { ttl = 10 }", "ttl must be a duration");
    refuses("local c = cache.new() c:get 'x'",
            "may only be called in a handler");
    struct fake f = {0};
    CHECK(strstr(fake_reply(&f, "", "cache.new()"), "while the file is") !=
          NULL);
    f = (struct fake){0};
    CHECK(strncmp(fake_reply(&f, "local c = cache.new()", "c.get('x', 'y')"),
                  "ERROR", 5) == 0);
}

TEST("once makes a value, keeps it, and asks the house who makes it")
{
    struct fake f = {.once_makes = true};
    CHECK_EQ_STR(fake_reply(&f, "local c = cache.new { name = 'p' }",
                            "local n = 0\n"
                            "local function make() n = n + 1 return n end\n"
                            "conv:reply(c:once('k', make) .. c:once('k', make) "
                            ".. tostring(c:get 'k'))"),
                 "111");
    CHECK_EQ_STR(f.once_kind,
                 "ask rules/10-a cache:p:k 0;done rules/10-a cache:p:k 0 1;");
    f = (struct fake){0}; /* another handler made it */
    CHECK_EQ_STR(fake_reply(&f, "local c = cache.new { name = 'p' }",
                            "conv:reply(c:once('k', error) .. c:get 'k')"),
                 "77");
    f = (struct fake){.once_makes = true};
    CHECK_EQ_STR(fake_reply(&f, "local c = cache.new()",
                            "local v, code = c:once('k', function() return "
                            "nil, 'no' end)\n"
                            "conv:reply(tostring(v) .. code .. tostring(c:get "
                            "'k'))"),
                 "nilnonil");
}

TEST("looks are counted by script and cache")
{
    struct fake f = {0};
    int64_t hits = meter_at("yuelai_cache_hits_total{script=\"rules/10-a\","
                            "cache=\"seen\"} ");
    fake_reply(&f, "local c = cache.new { name = 'seen' }",
               "c:get 'a' c:set('a', 1) c:get 'a' c:get 'a' c:get 'a'");
    CHECK_EQ_INT(meter_at("yuelai_cache_hits_total{script=\"rules/10-a\","
                          "cache=\"seen\"} ") -
                     (hits < 0 ? 0 : hits),
                 3000);
    CHECK_EQ_INT(meter_at("yuelai_cache_hit_ratio{script=\"rules/10-a\","
                          "cache=\"seen\"} "),
                 750);
    CHECK_EQ_INT(meter_at("yuelai_cache_bytes{script=\"rules/10-a\","
                          "cache=\"seen\"} "),
                 0); /* the house is closed */
}

/* --- metric --------------------------------------------------------------- */

TEST("figures have the script's name and labels in one order")
{
    struct fake f = {0};
    CHECK_EQ_STR(
        fake_reply(&f, "",
                   "metric.count('orders', 2, { b = 'x', a = 'say \"y\"' })\n"
                   "metric.count('orders', 3, { a = 'say \"y\"', b = 'x' })\n"
                   "metric.count 'plain'\n"
                   "metric.gauge('stock', -1.5)\n"
                   "metric.observe('seconds', 0.25)\n"
                   "conv:reply 'done'"),
        "done");
    CHECK_EQ_INT(meter_at("yuelai_custom_orders_total{script=\"rules/10-a\","
                          "a=\"say \\\"y\\\"\",b=\"x\"} "),
                 5000);
    CHECK_EQ_INT(meter_at("yuelai_custom_plain_total{script=\"rules/10-a\"} "),
                 1000);
    CHECK_EQ_INT(meter_at("yuelai_custom_stock{script=\"rules/10-a\"} "),
                 -1500);
    CHECK_EQ_INT(meter_at("yuelai_custom_seconds_observed_count{script="
                          "\"rules/10-a\"} "),
                 1000);
    CHECK_EQ_INT(
        meter_at("yuelai_custom_seconds_observed_sum{script=\"rules/10-a\"} "),
        250);
}

TEST("names, labels and numbers that make no sense are refused")
{
    static const char *const bad[] = {
        "metric.count 'A'",
        "metric.count ''",
        "metric.count '9a'",
        "metric.count('a', -1)",
        "metric.count('a', 0.5)",
        "metric.gauge('a', 0/0)",
        "metric.gauge('a', 1/0)",
        "metric.gauge('a')",
        "metric.count('a', 1, { script = 'x' })",
        "metric.count('a', 1, { le = 'x' })",
        "metric.count('a', 1, { ['a b'] = 'x' })",
        "metric.count('a', 1, { a = {} })",
        "metric.count('a', 1, { a = 1, b = 1, c = 1, d = 1, e = 1, f = 1 })"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fake f = {0};
        test_note("%s", bad[i]);
        CHECK(strncmp(fake_reply(&f, "", bad[i]), "ERROR", 5) == 0);
    }
}

TEST("a script has twenty series; more are not made, old ones go on")
{
    struct fake f = {0};
    CHECK_EQ_STR(
        fake_reply(
            &f, "",
            "local n = 0\n"
            "for i = 1, 30 do\n"
            "  if metric.count('many', 1, { i = i }) then n = n + 1 end\n"
            "end\n"
            "conv:reply(n .. tostring(metric.count('many', 1, { i = 3 "
            "})))"),
        "20true");
    CHECK_EQ_INT(meter_at("yuelai_custom_many_total{script=\"rules/10-a\","
                          "i=\"3\"} "),
                 2000);
    CHECK_EQ_INT(meter_at("yuelai_custom_many_total{script=\"rules/10-a\","
                          "i=\"21\"} "),
                 -1);
}
