/* SPDX-License-Identifier: Apache-2.0 */
/* kv and kv.space: effects that count at the end, swaps that count at once. */
#include "fake.h"

static void gives(struct fake *f, const char *body, const char *want)
{
    CHECK_EQ_STR(fake_reply(f, "", body), want);
}

TEST("add sets what is not there and says whether it did")
{
    struct fake f = {0};
    gives(&f,
          "conv:reply(tostring(kv.add('k', 1)) .. tostring(kv.add('k', 2)))",
          "truefalse");
    CHECK_EQ_STR(f.kv[0].data, "1");
    CHECK_EQ_STR(f.kv[0].space, "rules/10-a");
    CHECK_EQ_INT(f.kv[0].expires_at, 0);
    CHECK_EQ_INT(f.swaps, 2);
}

TEST("incr begins at nothing, adds, and keeps the end it began with")
{
    struct fake f = {0};
    int64_t now = clock_ms();
    gives(&f,
          "conv:reply(kv.incr('n', 1, '1h') .. ' ' .. kv.incr('n', 5, '9h') "
          ".. ' ' .. kv.incr('n', -2))",
          "1 6 4");
    CHECK_EQ_STR(f.kv[0].data, "4");
    CHECK(f.kv[0].expires_at >= now + 3600000 &&
          f.kv[0].expires_at < now + 3600000 + 60000);
}

TEST("incr of what is no number is an error and changes nothing")
{
    struct fake f = {0};
    fake_set(&f, "rules/10-a", "n", SLICE("\"text\""), 0);
    CHECK(strstr(fake_reply(&f, "", "kv.incr('n')"), "is not a number"));
    CHECK_EQ_STR(f.kv[0].data, "\"text\"");
    f = (struct fake){0};
    CHECK(strstr(fake_reply(&f, "", "kv.incr('n', 'x')"), "must be a number"));
}

static void someone_adds(struct fake *f)
{
    if (f->swaps <= 3)
        fake_set(f, "rules/10-a", "n",
                 f->swaps == 1   ? SLICE("10")
                 : f->swaps == 2 ? SLICE("20")
                                 : SLICE("30"),
                 77);
}

TEST("whoever is faster is not overwritten: it is tried again")
{
    struct fake f = {.before_swap = someone_adds};
    gives(&f, "conv:reply(kv.incr('n'))", "31");
    CHECK_EQ_INT(f.swaps, 4);
    CHECK_EQ_INT(f.gets, 1);
    CHECK_EQ_INT(f.kv[0].expires_at, 77); /* the other's end stays */
}

static void someone_adds_often(struct fake *f)
{
    if (f->swaps <= 40)
        fake_set(f, "rules/10-a", "n", f->swaps % 2 ? SLICE("7") : SLICE("8"),
                 0);
}

TEST("incr goes on until it is done, however many others add")
{
    struct fake f = {.before_swap = someone_adds_often};
    gives(&f, "conv:reply(kv.incr('n'))", "9");
    CHECK_EQ_INT(f.swaps, 41);
}

static void someone_always_adds(struct fake *f)
{
    char text[20];
    snprintf(text, sizeof text, "%d", f->swaps * 100);
    fake_set(f, "rules/10-a", "n", slice_of(text), 0);
}

TEST("ten times too late is a conflict")
{
    struct fake f = {.before_swap = someone_always_adds};
    gives(&f,
          "local r, code, detail = kv.update('n', function(n) return 1 end)\n"
          "conv:reply(tostring(r) .. code .. detail)",
          "nilconflictkv.update: others were faster 10 times");
    CHECK_EQ_INT(f.swaps, 10);
}

TEST("update gives the old value and keeps the new one; nil leaves it")
{
    struct fake f = {0};
    gives(&f,
          "local a = kv.update('l', function(l) l = l or {} l[#l + 1] = 'x' "
          "return l end)\n"
          "local b = kv.update('l', function(l) l[#l + 1] = 'y' return l end)\n"
          "local c = kv.update('l', function(l) return nil end)\n"
          "conv:reply(#a .. #b .. #c)",
          "122");
    CHECK_EQ_STR(f.kv[0].data, "[\"x\",\"y\"]");
    CHECK_EQ_INT(f.swaps, 2);
    f = (struct fake){0};
    fake_set(&f, "rules/10-a", "k", SLICE("false"), 0);
    gives(&f,
          "conv:reply(tostring(kv.update('k', function(v) return not v end)))",
          "true");
}

TEST("update deletes, sets an end, keeps one, and fails with its function")
{
    struct fake f = {0};
    fake_set(&f, "rules/10-a", "k", SLICE("1"), 55);
    gives(&f,
          "conv:reply(tostring(kv.update('k', function() return kv.DELETE "
          "end)))",
          "nil");
    CHECK_EQ_STR(f.kv[0].data, "");
    f = (struct fake){0};
    fake_set(&f, "rules/10-a", "k", SLICE("1"), 55);
    gives(&f,
          "kv.update('k', function() return 2 end)\n"
          "conv:reply(kv.update('k', function() return 3 end))",
          "3");
    CHECK_EQ_INT(f.kv[0].expires_at, 55);
    int64_t now = clock_ms();
    f = (struct fake){0};
    fake_set(&f, "rules/10-a", "k", SLICE("1"), 55);
    gives(&f, "conv:reply(kv.update('k', function() return 3 end, '1d'))", "3");
    CHECK(f.kv[0].expires_at >= now + 86400000);
    f = (struct fake){0};
    CHECK(strstr(
        fake_reply(&f, "", "kv.update('k', function() error 'mine' end)"),
        "mine"));
    CHECK_EQ_INT(f.swaps, 0);
}

TEST("the author's function may wait")
{
    struct fake f = {0};
    gives(&f,
          "conv:reply(kv.update('k', function() return http.get('http://a')"
          ".status end))",
          "200");
}

TEST("a swap in the middle sees what was set before, and get sees the set")
{
    struct fake f = {0};
    gives(&f,
          "kv.set('a', 1) kv.set('a', 2)\n"
          "local before = kv.get 'a'\n"
          "kv.del 'a'\n"
          "conv:reply(before .. tostring(kv.get 'a'))",
          "2nil");
    CHECK_EQ_INT(f.gets, 0);
}

TEST("keys by prefix")
{
    struct fake f = {0};
    fake_set(&f, "rules/10-a", "t:1", SLICE("1"), 0);
    fake_set(&f, "rules/10-a", "t:2", SLICE("1"), 0);
    fake_set(&f, "rules/10-a", "u", SLICE("1"), 0);
    fake_set(&f, "rules/20-b", "t:3", SLICE("1"), 0);
    gives(&f, "conv:reply(table.concat(kv.keys 't:', ','))", "t:1,t:2");
    f = (struct fake){0};
    gives(&f, "conv:reply(#kv.keys())", "0");
    f = (struct fake){0};
    CHECK(strstr(fake_reply(&f, "", "kv.keys('t', 1001)"), "from 1 to 1000"));
}

TEST("a shared space is another one, with the same calls")
{
    struct fake f = {0};
    fake_set(&f, "shared/orders", "seen", SLICE("5"), 0);
    gives(&f,
          "local s = kv.space 'orders'\n"
          "s:add('a', 1) s:incr('n', 2) s:update('u', function() return 3 "
          "end)\n"
          "conv:reply(s:get 'seen' .. tostring(kv.get 'seen') .. #s:keys())",
          "5nil4");
    for (int i = 0; i < f.kvs; i++)
        CHECK_EQ_STR(f.kv[i].space, "shared/orders");
    f = (struct fake){0};
    fake_with(&f, "local s = kv.space 'orders'",
              "s:set('k', { 1 }, '1h') s:del 'x' kv.set('own', 1)");
    struct job *job = world_say(&f.w, "x");
    struct effect *e = job->first;
    REQUIRE(e && e->next && e->next->next);
    CHECK_SLICE(e->unit, "shared/orders");
    CHECK_SLICE(e->name, "k");
    CHECK_SLICE(e->data, "[1]");
    CHECK(e->number > clock_ms());
    CHECK_SLICE(e->next->unit, "shared/orders");
    CHECK_EQ_INT(e->next->type, EFFECT_KV_DEL);
    CHECK_SLICE(e->next->next->unit, "rules/10-a");
    job_free(job);
    world_close(&f.w);
}

TEST("names of spaces and dots for colons are refused")
{
    static const char *const bad[] = {"kv.space ''", "kv.space 'A'",
                                      "kv.space 'a/b'", "kv.space '../x'"};
    for (int i = 0; i < 4; i++) {
        struct fake f = {0};
        CHECK(strstr(fake_reply(&f, "", bad[i]), "a name has 1 to 40"));
    }
    static const char *const dots[] = {
        "kv.space('a').get('k')", "kv.space('a').incr('k')",
        "kv.space('a').get({ name = '../x' }, 'k')",
        "kv.space('a').set('k', 1)"};
    for (int i = 0; i < 4; i++) {
        struct fake f = {0};
        CHECK(strncmp(fake_reply(&f, "", dots[i]), "ERROR", 5) == 0);
        CHECK_EQ_INT(f.gets + f.swaps, 0);
    }
}

/* --- once ----------------------------------------------------------------- */

TEST("once gives what is kept without making it")
{
    struct fake f = {0};
    gives(&f, "conv:reply(kv.once('k', '1h', function() error 'no' end))", "7");
    CHECK_EQ_STR(f.once_kind, "ask rules/10-a k 3600000;");
}

TEST("the maker's value is told, also of a shared space")
{
    struct fake f = {.once_makes = true};
    gives(&f,
          "conv:reply(kv.space('s'):once('k', '1h', function() return { 1 } "
          "end)[1])",
          "1");
    CHECK_EQ_STR(f.once_kind,
                 "ask shared/s k 3600000;done shared/s k 3600000 [1];");
}

TEST("a maker that returns nothing, fails or dies lets the next one try")
{
    static const char *const bodies[] = {
        "local r, c, d = kv.once('k', '1h', function() return nil, 'c', 'd' "
        "end) conv:reply(tostring(r) .. c .. d)",
        "local ok, why = pcall(kv.once, 'k', '1h', function() error('oh', 0) "
        "end) conv:reply(why)",
        "kv.once('k', '1h', function() return print end)",
        "kv.once('k', '1h', function() while true do end end)"};
    static const char *const want[] = {"nilcd", "oh", NULL, ""};
    for (int i = 0; i < 4; i++) {
        struct fake f = {.once_makes = true};
        const char *got = fake_reply(&f, "", bodies[i]);
        if (want[i])
            CHECK_EQ_STR(got, want[i]);
        else
            CHECK(strstr(got, "functions") != NULL);
        CHECK_EQ_STR(f.once_kind,
                     "ask rules/10-a k 3600000;done rules/10-a k 0 ;");
    }
}

TEST("making a value from within itself is an error, not a wait for ever")
{
    struct fake f = {.once_makes = true};
    CHECK(strstr(fake_reply(&f, "",
                            "kv.once('k', '1h', function()\n"
                            "  return kv.once('k', '1h', function() return 1 "
                            "end)\nend)"),
                 "being made by this very handler") != NULL);
    f = (struct fake){.once_makes = true};
    gives(&f,
          "conv:reply(kv.once('a', '1h', function()\n"
          "  return 1 + kv.once('b', '1h', function() return 1 end)\nend))",
          "2");
}

TEST("swaps count in on_inbound too; a set before them would undo them")
{
    struct fake f = {0};
    world_init(&f.w);
    f.w.conf.on_ask = fake_on_ask;
    world_write(&f.w, "rules/10-a",
                "return { api = 1, on_inbound = function(conv, msg)\n"
                "  if msg.text == 'set' then kv.set('n', 1) end\n"
                "  if kv.incr('n') > 1 then conv:reject 'too fast' end\n"
                "end }");
    world_open(&f.w);
    for (int i = 0; i < 3; i++) {
        struct job *job = world_job(&f.w, i == 2 ? "set" : "x");
        job->hook = HOOK_INBOUND;
        world_run(&f.w, job);
        CHECK_EQ_INT(effect_count(job, EFFECT_REJECT), i == 1);
        CHECK_EQ_INT(job->failures, i == 2);
        job_free(job);
    }
    CHECK_EQ_STR(f.kv[0].data, "2");
    world_close(&f.w);
}
