/* SPDX-License-Identifier: Apache-2.0 */
/* pattern_test.c - our matcher says what the library's says, and stops. */
#include "base/mem.h"
#include "script/api/strlib.h"
#include "script/run/sandbox.h"
#include "script/text/pattern.h"
#include "test.h"
#include <lauxlib.h>
#include <stdio.h>

/* The library's functions as `theirs`, ours as `ours`, then the code. */
static void run(const char *code)
{
    struct budget b;
    lua_State *L = sandbox_new(&b, 64u * 1024 * 1024);
    lua_getglobal(L, "string");
    lua_setglobal(L, "theirs");
    lua_newtable(L);
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "rep");
    lua_setfield(L, -3, "rep");
    lua_pop(L, 1);
    strlib_open(L);
    lua_setglobal(L, "ours");
    lua_pushinteger(L, (lua_Integer)test_option("seed", 1));
    lua_setglobal(L, "seed");
    budget_enter(&b);
    if (luaL_loadstring(L, code) || lua_pcall(L, 0, 0, 0))
        FAIL("%s", lua_tostring(L, -1));
    budget_leave(&b);
    budget_close(&b, L);
}

static const char compare[] =
    "local function show(ok, ...)\n"
    "  local t = { tostring(ok) }\n"
    "  if not ok then return 'error' end\n"
    "  for i = 1, select('#', ...) do\n"
    "    t[#t + 1] = tostring((select(i, ...)))\n"
    "  end\n"
    "  return table.concat(t, '|')\n"
    "end\n"
    "local function all(lib, s, p)\n"
    "  local t = {}\n"
    "  for a, b in lib.gmatch(s, p) do\n"
    "    t[#t + 1] = tostring(a) .. tostring(b)\n"
    "    if #t > 50 then break end\n"
    "  end\n"
    "  return table.concat(t, '|')\n"
    "end\n"
    "function same(s, p)\n"
    "  local function check(name, ...)\n"
    "    local a = show(pcall(theirs[name], ...))\n"
    "    local b = show(pcall(ours[name], ...))\n"
    "    if a ~= b then\n"
    "      error(name .. ' of [' .. s .. '] [' .. p .. ']: ' .. b ..\n"
    "        ' instead of ' .. a)\n"
    "    end\n"
    "  end\n"
    "  check('find', s, p) check('match', s, p) check('find', s, p, 3)\n"
    "  check('match', s, p, -2) check('gsub', s, p, '<%0>')\n"
    "  check('gsub', s, p, '%1-', 2)\n"
    "  check('gsub', s, p, function(a, b) return b and a .. b end)\n"
    "  check('gsub', s, p, { a = 'A', b = false })\n"
    "  local a = show(pcall(all, theirs, s, p))\n"
    "  local b = show(pcall(all, ours, s, p))\n"
    "  if a ~= b then error('gmatch of [' .. s .. '] [' .. p .. ']') end\n"
    "end\n";

TEST("patterns of the manual match as the library's do")
{
    char code[8000];
    snprintf(code, sizeof code,
             "%s\n"
             "for _, p in ipairs{ 'a*', 'a+', 'a-', 'a?b', '^a', 'b$', '.',\n"
             "  '%%a+', '%%d', '[abc]', '[^abc]', '[a-c]+', '[%%a-]', '[]]',\n"
             "  '[^]]', '()', '(a)(b)', '((a)b)', '(a*(.)%%2)', '%%bab',\n"
             "  '%%f[%%a]%%a+', '%%f[%%z]', '%%S+', '(%%w+)=(%%w+)', '',\n"
             "  '^', '$', '^$', 'a$b', '%%', '[a', '%%b', '%%f', '(', ')',\n"
             "  '%%1', '(a)%%1', '[%%', 'a**', '-', '*', '%%.' } do\n"
             "  for _, s in ipairs{ '', 'a', 'ab', 'aab', 'abab', 'b-c]',\n"
             "    'x=1, y=22', 'a(b)c', 'THE (quick) fox', 'aabb',\n"
             "    '  two  words ', 'a\\0b', 'ba', '123' } do same(s, p) end\n"
             "end",
             compare);
    run(code);
}

TEST("random patterns match as the library's do")
{
    char code[8000];
    snprintf(code, sizeof code,
             "%s\n"
             "math.randomseed(seed)\n"
             "local bits = { 'a', 'b', '.', '%%a', '[ab]', '[^a]', '(', ')',\n"
             "  '*', '+', '-', '?', '^', '$', '%%1', '%%bab', '%%f[a]', '()',\n"
             "  '[%%w-]', 'c', '%%', ']' }\n"
             "local letters = { 'a', 'b', 'c', ' ', ']', '1' }\n"
             "local function pick(from, n)\n"
             "  local t = {}\n"
             "  for i = 1, math.random(0, n) do\n"
             "    t[i] = from[math.random(#from)]\n"
             "  end\n"
             "  return table.concat(t)\n"
             "end\n"
             "for i = 1, 5000 do same(pick(letters, 10), pick(bits, 7)) end",
             compare);
    run(code);
}

TEST("a search takes a bounded number of steps, a plain walk is free")
{
    struct pattern p;
    size_t len = 1000000;
    char *text = mem_alloc(len + 1);
    memset(text, 'a', len);
    pattern_init(&p, text, len, ".-b", 3);
    CHECK(pattern_at(&p, text, ".-b") == NULL);
    CHECK(p.error == NULL); /* one walk over a megabyte */
    while (!p.error)
        CHECK(pattern_at(&p, text, ".-b") == NULL);
    CHECK(strstr(p.error, "too many steps") != NULL);
    mem_free(text);
}
