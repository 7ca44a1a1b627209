/* SPDX-License-Identifier: Apache-2.0 */
/* What tests share: found beside them and above, refused elsewhere. */
#include "runs.h"
#include <unistd.h>

/* A test at scripts/rules/10-x_test.lua that requires that name. */
static void requires(const char *what, const char *expected)
{
    char text[400];
    snprintf(text, sizeof text,
             HEAD "local kit = require '%s'\n"
                  "it('x', function() assert.equal('tea', kit.drink) end)\n",
             what);
    struct ran r = run_rule(echo, text);
    const struct outcome *o = r.report.first;
    REQUIRE(o != NULL);
    test_note("%s", what);
    if (!expected) {
        CHECK_EQ_INT(r.report.passed, 1);
        CHECK_EQ_INT(r.report.failed, 0);
    } else {
        CHECK_EQ_INT(r.report.failed, 1);
        CHECK(memmem(o->message.at, o->message.len, expected,
                     strlen(expected)) != NULL);
    }
    report_fini(&r.report);
}

TEST("a test requires what lies in `tests` beside it, or above it")
{
    write_at("scripts/tests/shared.lua", "return { drink = 'tea' }\n");
    write_at("scripts/tests/nearer.lua", "return { drink = 'water' }\n");
    write_at("scripts/rules/tests/nearer.lua",
             "local t = require 'test'\n"
             "local kit = require 'tests.deep.er'\n"
             "function kit.hi(who) who:says 'echo' who:sees 'echo' end\n"
             "function kit.no(who) who:sees 'nobody says this' end\n"
             "function kit.one() return t.visitor() end\n"
             "it('of the kit', function() kit.hi(kit.one()) end)\n"
             "return kit\n");
    write_at("scripts/rules/tests/deep/er.lua",
             "return { drink = 'tea', n = 0 }\n");
    requires("tests.shared", NULL);
    passes(echo, HEAD "local kit = require 'tests.nearer'\n"
                      "assert(kit == require 'tests.nearer')\n"
                      "it('a', function() kit.hi(t.visitor())\n"
                      "  assert.equal('tea', kit.drink) end)\n");
    struct ran r = run_rule(echo, "local kit = require 'tests.nearer'\n"
                                  "it('b', function() kit.no(kit.one()) "
                                  "end)\n");
    REQUIRE(r.report.first && r.report.first->next);
    CHECK_SLICE(r.report.first->name, "of the kit");
    CHECK_SLICE(r.report.first->file, test_path("scripts/rules/10-x_test.lua"));
    CHECK_EQ_INT(r.report.first->verdict, VERDICT_PASSED);
    CHECK_EQ_INT(r.report.first->next->verdict, VERDICT_FAILED);
    CHECK_SLICE(r.report.first->next->at,
                test_path("scripts/rules/tests/nearer.lua"));
    CHECK_EQ_INT(r.report.first->next->at_line, 4);
    report_fini(&r.report);
}

TEST("a kit is refused that is not there, leads out, or has no proper name")
{
    char out[300];
    write_at("kits.lua", "return { drink = 'tea' }\n");
    write_at("tests/home.lua", "return { drink = 'tea' }\n");
    write_at("scripts/kits.lua", "return { drink = 'tea' }\n");
    write_at("scripts/rules/tests/long.lua", "return { drink = 'tea' }\n");
    write_at("scripts/rules/tests/broken.lua", "return { drink = = 1 }\n");
    write_at("scripts/rules/tests/round.lua", "return require 'tests.round'\n");
    snprintf(out, sizeof out, "%s-out.lua", test_dir());
    test_write_file(out, "return { drink = 'tea' }\n");
    CHECK_EQ_INT(symlink(out, test_path("scripts/rules/tests/away.lua")), 0);
    CHECK_EQ_INT(
        symlink("../../kits.lua", test_path("scripts/rules/tests/inside.lua")),
        0);
    requires("tests.long", NULL);
    requires("tests.inside", NULL); /* a link within the home is fine */
    requires("tests.away", "leads out of the home");
    unlink(out);
    requires("tests.away", "there is no tests/away.lua");
    requires("tests.nothing", "there is no tests/nothing.lua beside");
    requires("tests.home", "there is no tests/home.lua"); /* a room's at most */
    requires("tests.broken", "scripts/rules/tests/broken.lua:1:");
    requires("tests.round", "goes round in a circle");
    requires("tests...kits", "it must be one of");
    requires("tests./../kits", "it must be one of");
    requires("tests.", "it must be one of");
    requires("tests", "it must be one of");
    requires("kit", "it must be one of");
}

TEST(
    "only tests have kits: no script, lib or adapter, and the house loads none")
{
    write_at("scripts/rules/tests/kit.lua",
             "error 'the house has run a kit'\n");
    write_at("scripts/rules/tests/good.lua", "return { drink = 'tea' }\n");
    write_at("scripts/lib/sly.lua", "return require 'tests.good'\n");
    write_at("channels/post/adapter.lua",
             "local kit = require 'tests.good'\n"
             "return { api = 1, send = function() return { sent = kit.drink } "
             "end }\n");
    passes(echo, HEAD
           "require 'tests.good'\n"
           "it('x', function()\n"
           "  t.visitor():says 'echo'\n" /* an error would fail it */
           "  local got = t.reload('rules/20-sly', \"require 'tests.good'\")\n"
           "  assert.equal(false, got.ok) t.errors()\n"
           "  assert.contains('only a *_test.lua has kits', got.why)\n"
           "  assert.error(function() t.load 'channels/post' end,\n"
           "    'only a *_test.lua has kits')\n"
           "  assert.error(function() t.load 'lib/sly' end, 'only a')\n"
           "end)\n");
    struct ran r = run_rule(echo, "require 'tests.good'\n"
                                  "require 'lib.sly'\n");
    REQUIRE(r.report.first != NULL);
    CHECK(memmem(r.report.first->message.at, r.report.first->message.len,
                 "only a *_test.lua has kits", 26) != NULL);
    report_fini(&r.report);
}
