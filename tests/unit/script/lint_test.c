/* SPDX-License-Identifier: Apache-2.0 */
/* lint_test.c - unknown functions of known modules, found in the source. */
#include "base/mem.h"
#include "script/load/lint.h"
#include "test.h"
#include <string.h>

static size_t lint(const char *source, size_t len, struct buf *out)
{
    size_t found = 0;
    buf_clear(out);
    CHECK_EQ_INT(
        lint_source(SLICE("x.lua"), (struct slice){source, len}, out, &found),
        0);
    return found;
}

static void says(const char *source, const char *what)
{
    struct buf out;
    test_note("%s", source);
    buf_init(&out, 10000);
    size_t found = lint(source, strlen(source), &out);
    CHECK_EQ_INT(found, *what != '\0');
    CHECK_SLICE(buf_slice(&out), what);
    buf_fini(&out);
}

static void is_silent(const char *source)
{
    says(source, "");
}

TEST("a misspelt function is named with its line and the one that was meant")
{
    says("\n\nlocal x = time.noww()\n",
         "x.lua:3: time has no function 'noww' (did you mean time.now?)\n");
    says("return function(conv) conv:asign { queue = true } end",
         "x.lua:1: conv has no field or method 'asign' (did you mean "
         "conv:assign?)\n");
    says("print(conv.stat)", "x.lua:1: conv has no field or method 'stat' (did "
                             "you mean conv.state?)\n");
    says("json.frobnicate()", "x.lua:1: json has no function 'frobnicate'\n");
    says("local t = { a = log.infos }",
         "x.lua:1: log has no function 'infos' (did you mean log.info?)\n");
}

TEST("a module under another name is the same module")
{
    says("local j = require 'json'\nreturn j.decod('')",
         "x.lua:2: json has no function 'decod' (did you mean json.decode?)\n");
    says("local a, b = require('time'), require \"log\"\nb.warm()",
         "x.lua:2: log has no function 'warm' (did you mean log.warn?)\n");
    says("local json = json\njson.decod('')",
         "x.lua:2: json has no function 'decod' (did you mean json.decode?)\n");
}

TEST("what is there, and what is the script's own, is passed over")
{
    is_silent("time.now() json.null = x conv:reply 'x' print(conv.tags)");
    is_silent("local time = { noww = 1 } return time.noww");
    is_silent("local function log(x) end log.warm = 1");
    is_silent("local function f(time) return time.noww end");
    is_silent("for _, log in ipairs(logs) do log.warm() end");
    is_silent("local x = { json = {} } return x.json.decod, f().json.decod, "
              "x[1].json.decod");
    is_silent("return { json = { decod = 1 } }");
    is_silent("local conv = find() return conv.name");
    is_silent("local time = time.date() return time.noww");
}

TEST("comments and texts are not looked at")
{
    is_silent("-- time.noww()\n--[[ time.noww() ]] --[==[ ]] time.noww ]==]");
    is_silent("return 'time.noww', \"a \\\" time.noww\", [[time.noww]], "
              "[=[ ]] time.noww ]=]");
    says("--[[\n\n]] time.noww()",
         "x.lua:3: time has no function 'noww' (did you mean time.now?)\n");
    is_silent("return a..time..b, ... , time ...noww");
}

TEST("a source cut at each byte is scanned to its end")
{
    static const char whole[] =
        "local json, l = require 'json', require(\"log\")\n"
        "--[==[ long ]==] local function f(conv, ...) --[[x]]\n"
        "  conv:reply(\"a\\\"b\" .. [[c]] .. [=[d]=]) json.encode { x = time."
        "now() }\n"
        "end\nfor a, b in pairs(l) do l.info(a, b) end\n";
    struct buf out;
    buf_init(&out, 10000);
    for (size_t n = 0; n <= strlen(whole); n++) {
        char *exact = mem_alloc(n ? n : 1); /* a byte too far is seen */
        memcpy(exact, whole, n);
        size_t found = lint(exact, n, &out);
        CHECK(found <= 1); /* "json.enc" */
        mem_free(exact);
    }
    CHECK_EQ_INT(lint(whole, strlen(whole), &out), 0);
    buf_fini(&out);
}
