/* SPDX-License-Identifier: Apache-2.0 */
/* flow_lint_test.c - what in a flow's source differs from run to run. */
#include "base/buf.h"
#include "script/load/flow_lint.h"
#include "test.h"
#include <stdio.h>

/* The findings of a text, at most one line each. */
static void check_lint(const char *text, const char *want)
{
    struct buf out;
    size_t found = 0, lines = 0;
    buf_init(&out, 64 * 1024);
    CHECK_EQ_INT(flow_lint(SLICE("f.lua"), slice_of(text), &out, &found), 0);
    for (size_t i = 0; i < out.len; i++)
        lines += out.data[i] == '\n';
    CHECK_EQ_INT(found, lines);
    if (!*want)
        CHECK_EQ_INT(found, 0);
    CHECK(slice_starts(buf_slice(&out), want));
    if (!slice_starts(buf_slice(&out), want) || (!*want && found))
        printf("%s\n-> %.*s\n", text, SLICE_FMT(buf_slice(&out)));
    buf_fini(&out);
}

TEST("a call that varies in the body of run is found, with its line")
{
    check_lint("return { api = 1, run = function(conv)\n"
               "  local a = agents.online()\n"
               "end }",
               "f.lua:2: in a flow put agents.online into flow.step(name");
    check_lint("local function run(conv)\n  os.clock()\nend\n"
               "return { api = 1, run = run }",
               "f.lua:2: in a flow put os.clock");
    check_lint("return { api = 1, states = flow.states { initial = 'a',\n"
               "  a = { final = true, enter = function(conv)\n"
               "    agents.online() end } } }",
               "f.lua:3: in a flow put agents.online");
    check_lint("return { run = function(conv)\n"
               "flow.step('x', function() agents.online() end)\n"
               "conv:messages() end }",
               "f.lua:3: in a flow put conv:messages");
}

TEST("steps, sagas, helpers, texts and comments are passed over")
{
    check_lint("return { run = function(conv)\n"
               "  flow.step('x', function() return agents.online() end)\n"
               "  flow.saga('s', { { name = 'a',\n"
               "    run = function() agents.online() end,\n"
               "    undo = function() agents.online() end } })\n"
               "  -- agents.online()\n"
               "  conv:reply 'agents.online()' conv:reply [[agents.online()]]\n"
               "  --[==[ agents.online() ]==]\n"
               "end }",
               "");
    check_lint("local function helper() return agents.online() end\n"
               "local steps = { { name = 'a', run = function()\n"
               "  agents.online() end } }\n"
               "return { run = function(conv)\n"
               "  flow.step('x', helper) flow.saga('s', steps) end }",
               "");
    check_lint("local step = flow.step\n"
               "return { run = function(conv)\n"
               "  step('x', function() agents.online() end)\n"
               "  local agents = { online = print } agents.online()\n"
               "  sleep '1d' time.now() end }",
               "");
}

TEST("a local of the file that a function writes to is found")
{
    check_lint("local count = 0\n"
               "return { run = function(conv)\n"
               "  if conv then\n"
               "    count = count + 1\n"
               "  end\n"
               "end }",
               "f.lua:4: 'count' is shared by all runs of this flow");
    check_lint("local seen = {}\n"
               "local function note(x) seen[x.id] = true end\n"
               "return { run = note }",
               "f.lua:2: 'seen' is shared");
    check_lint("local last = {}\n"
               "return { run = function() f() last.at = 5 end }",
               "f.lua:2: 'last' is shared");
}

TEST("what only looks like a write to a local of the file is passed over")
{
    check_lint("local count, seen = 0, {}\n"
               "count = 1 seen.x = 2\n"
               "for i = 1, 3 do seen[i] = i end\n"
               "return { run = function(conv)\n"
               "  local t = { count = 1, [seen] = 2 }\n"
               "  if count == 2 or t.count == 3 then f { seen = 1 } end\n"
               "  while count ~= 2 do break end\n"
               "  t.count = 5\n"
               "  repeat local x = seen[1] until x\n"
               "end }",
               "");
    check_lint("local n = 0\n"
               "return { run = function(conv)\n"
               "  local n = 1 n = n + 1\n"
               "end }",
               "");
    check_lint("local n = 0\nlocal function f(n) n = n + 1 return n end\n"
               "return { run = f }",
               "");
}

TEST("a source cut anywhere does no harm")
{
    static const char text[] =
        "local n = {} -- [[ x\n"
        "return { run = function(a, ...) n[1] = 'x' .. [==[ y ]==]\n"
        "  for i = 1, 2 do if a then flow.step('q', function() end) end end\n"
        "  repeat n.x = 1 until n end }";
    for (size_t len = 0; len < sizeof text; len++) {
        struct buf out;
        size_t found = 0;
        buf_init(&out, 64 * 1024);
        CHECK_EQ_INT(
            flow_lint(SLICE("f"), (struct slice){text, len}, &out, &found), 0);
        buf_fini(&out);
    }
}
