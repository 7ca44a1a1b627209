/* SPDX-License-Identifier: Apache-2.0 */
/* check_test.c - config tables in an empty sandbox, and `yuelai check`. */
#include "world.h"

static void reads(const char *source, const char *json)
{
    struct arena *a = arena_new();
    struct err e = {0};
    struct slice got;
    test_note("%s", source);
    CHECK_EQ_INT(script_read_table(slice_of(source), "config.lua", a, &e, &got),
                 0);
    CHECK_SLICE(got, json);
    arena_free(a);
}

static void refuses(const char *source, const char *why)
{
    struct arena *a = arena_new();
    struct err e = {0};
    struct slice got;
    test_note("%s", source);
    CHECK(script_read_table(slice_of(source), "config.lua", a, &e, &got) < 0);
    if (!strstr(e.text, why))
        FAIL("it said: %s", e.text);
    CHECK_EQ_INT(got.len, 0);
    arena_free(a);
}

TEST("a table file becomes JSON")
{
    reads("return {}", "{}");
    reads("return { listen = '127.0.0.1:80' }",
          "{\"listen\":\"127.0.0.1:80\"}");
    reads("local n = 2 * 3 return { n = n }", "{\"n\":6}");
    reads("return { list = { 1, true, 'x' } }", "{\"list\":[1,true,\"x\"]}");
    reads("-- a comment\nreturn { text = [[two\nlines]] }",
          "{\"text\":\"two\\nlines\"}");
}

TEST("a table file has no functions, no globals, no time to lose")
{
    refuses("return { x = os.getenv 'HOME' }", "unknown name: os");
    refuses("return { x = require 'io' }", "unknown name: require");
    refuses("x = 1 return {}", "undeclared name: x");
    refuses("return { x = ('a'):rep(9) }", "config.lua:1");
    refuses("return { x = print }", "unknown name");
    refuses("return { f = function() end }", "no JSON form");
    refuses("return { [1] = 1, [3] = 3 }", "without gaps");
    refuses("while true do end", "too much CPU time");
    refuses("local s = 'x' while true do s = s .. s end", "memory");
    refuses("return 5", "must return a table");
    refuses("", "must return a table");
    refuses("return {\n\n  a = = 1 }", "config.lua:3");
    refuses("\033LJ\2", "config.lua");
    refuses("local t = {} t.t = t return t", "nested too deep");
    refuses("return { x = '\\255' }", "not UTF-8");
    refuses("error {}", "unknown name: error");
}

TEST("a table file cut at each byte is read or refused, never worse")
{
    static const char whole[] =
        "local a = { 1, 2, { b = 'c\\n' } } -- words\n"
        "return { listen = \"x\", limits = { n = 5, list = a }, t = true }\n";
    for (size_t n = 0; n < sizeof whole; n++) {
        struct arena *a = arena_new();
        struct err e = {0};
        struct slice got;
        int r = script_read_table((struct slice){whole, n}, "config.lua", a, &e,
                                  &got);
        CHECK(r == 0 || e.text[0]);
        arena_free(a);
    }
}

TEST("check says nothing of good scripts and one line of each bad one")
{
    struct world w;
    struct buf out;
    world_init(&w);
    buf_init(&out, 100000);
    world_write(&w, "rules/10-good",
                "return { api = 1, on_message = function() end }");
    CHECK_EQ_INT(script_check(w.home, NULL, &out), 0);
    CHECK_EQ_INT(out.len, 0);
    world_write(&w, "rules/20-bad", "return {\n api = 1,\n");
    world_write(&w, "flows/worse", "return { api = 1,\n on_mesage = 1 }");
    CHECK_EQ_INT(script_check(w.home, NULL, &out), ERR_UNPROCESSABLE);
    CHECK(contains(buf_slice(&out), "scripts/rules/20-bad.lua:"));
    CHECK(contains(buf_slice(&out), "scripts/flows/worse.lua:2: unknown"));
    buf_clear(&out);
    CHECK_EQ_INT(script_check(w.home, "scripts/rules/10-good.lua", &out), 0);
    CHECK(script_check(w.home, "scripts/rules/20-bad.lua", &out) < 0);
    CHECK(script_check(w.home, "rules/none.lua", &out) < 0);
    CHECK(contains(buf_slice(&out), "No such file"));
    CHECK(script_check(w.home, "README.md", &out) < 0);
    buf_fini(&out);
    loop_free(w.loop);
}

TEST("a lib is looked at as a script that requires it would see it")
{
    struct world w;
    struct buf out;
    world_init(&w);
    buf_init(&out, 100000);
    world_write(&w, "lib/number", "return 5");
    world_write(&w, "lib/user", "return require 'lib.number'");
    world_write(&w, "lib/bad", "local a = 1\nreturn kv.gett");
    world_write(&w, "lib/broken", "local a = \n\nreturn");
    CHECK_EQ_INT(script_check(w.home, "scripts/lib/number.lua", &out), 0);
    CHECK_EQ_INT(script_check(w.home, "scripts/lib/user.lua", &out), 0);
    CHECK_SLICE(buf_slice(&out), "");
    CHECK(script_check(w.home, "scripts/lib/bad.lua", &out) < 0);
    CHECK(contains(buf_slice(&out), "lib/bad.lua:2:"));
    CHECK(script_check(w.home, "scripts/lib/broken.lua", &out) < 0);
    CHECK(contains(buf_slice(&out), "lib/broken.lua:3:"));
    CHECK(script_check(w.home, "scripts/lib/none.lua", &out) < 0);
    CHECK(!contains(buf_slice(&out), "rules/lib.lua"));
    buf_fini(&out);
    loop_free(w.loop);
}

TEST("what tests share is parsed and linted, and is no script")
{
    struct world w;
    struct buf out;
    world_init(&w);
    buf_init(&out, 100000);
    mkdir(test_path("scripts/rules/tests"), 0700);
    mkdir(test_path("scripts/rules/tests/deep"), 0700);
    mkdir(test_path("scripts/tests"), 0700);
    world_write(&w, "rules/tests/kit",
                "local t = require 'test'\nreturn { now = time.now }");
    CHECK_EQ_INT(script_check(w.home, NULL, &out), 0);
    CHECK_EQ_INT(script_check(w.home, "scripts/rules/tests/kit.lua", &out), 0);
    CHECK_SLICE(buf_slice(&out), "");
    world_write(&w, "rules/tests/deep/bad", "local a = 1\nreturn kv.gett");
    world_write(&w, "tests/broken", "local a = \n\nreturn");
    CHECK(script_check(w.home, NULL, &out) < 0);
    CHECK(contains(buf_slice(&out), "scripts/rules/tests/deep/bad.lua:2: kv "
                                    "has no function 'gett'"));
    CHECK(contains(buf_slice(&out), "scripts/tests/broken.lua:3:"));
    buf_clear(&out);
    CHECK(script_check(w.home, "scripts/tests/none.lua", &out) < 0);
    CHECK(contains(buf_slice(&out), "scripts/tests/none.lua: No such file"));
    buf_fini(&out);
    loop_free(w.loop);
}

TEST("everything that is shipped and shown passes check")
{
    static const char *const homes[] = {
        ".",
        "examples/01-echo",
        "examples/02-office-hours",
        "examples/03-vip-first",
        "examples/04-last-agent",
        "examples/05-faq",
        "examples/06-risk-control",
        "examples/07-refund-saga",
        "examples/08-order-lookup",
        "examples/09-survey",
        "examples/10-translate",
        "examples/11-own-channel",
        "examples/12-canary",
    };
    struct buf out;
    buf_init(&out, 100000);
    for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++) {
        test_note("%s", homes[i]);
        CHECK_EQ_INT(script_check(homes[i], NULL, &out), 0);
        CHECK_SLICE(buf_slice(&out), "");
    }
    buf_fini(&out);
}
