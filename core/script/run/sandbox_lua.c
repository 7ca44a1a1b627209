/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_lua.c - the Lua half of the sandbox.
 *
 * Why Lua: a yield must not cross a C function, so whatever waits has a Lua
 * frame of its own: it starts the work in C, yields AWAIT up to the scheduler
 * through however many coroutines of the script's, and asks C for the answer.
 * Here, too, lives what runs a script's callback: in C no hook could stop it.
 * A module's name is unknown until it is asked for the first time.
 */
#include "script/run/sandbox_lua.h"
#include "base/err.h"
#include "script/flow/bind_flow.h"
#include "script/load/chunk.h"
#include <lauxlib.h>
#include <string.h>

static const char strict_source[] =
    "local setmetatable, error, tostring, rawset = ...\n"
    "return function(env, module)\n"
    "  return setmetatable(env, {\n"
    "    __metatable = false,\n"
    "    __index = function(_, name)\n"
    "      local found = module and module(name)\n"
    "      if found then rawset(env, name, found) return found end\n"
    "      error('unknown name: ' .. tostring(name), 2)\n"
    "    end,\n"
    "    __newindex = function(_, name, value)\n"
    "      if module and module(name) then return rawset(env, name, value) "
    "end\n"
    "      error('assignment to an undeclared name: ' .. tostring(name)\n"
    "        .. ' (is a local missing?)', 2)\n"
    "    end,\n"
    "  })\n"
    "end\n";

static const char source[] =
    "local env, native, strict = ...\n"
    /* What the house's own Lua works with that comes later (api.h): the script
     * may have put others in these places by then. */
    "local str, math, concat = env.string, env.math, env.table.concat\n"
    "native.house = { error = env.error, next = env.next, pcall = env.pcall,\n"
    "  tonumber = env.tonumber, tostring = env.tostring, type = env.type,\n"
    "  rawget = rawget, setmetatable = setmetatable,\n"
    "  math = { huge = math.huge }, table = { concat = concat },\n"
    "  string = { byte = str.byte, find = str.find, sub = str.sub } }\n"
    "native.self = native\n"
    "local AWAIT = {}\n"
    "native.await = AWAIT\n"
    "local co = env.coroutine\n"
    "local create, resume, status = co.create, co.resume, co.status\n"
    "local running, yield = co.running, co.yield\n"
    "local error, pcall, select, type = error, pcall, select, type\n"
    "local setmetatable, sort = setmetatable, env.table.sort\n"

    /* Calls that wait. `start` says true if there is something to wait for,
     * else false and the results. */
    "local function go_on(finish, waits, ...)\n"
    "  if not waits then return ... end\n"
    "  yield(AWAIT)\n"
    "  return finish()\n"
    "end\n"
    "local function waiting(start, finish)\n"
    "  return function(...) return go_on(finish, start(...)) end\n"
    "end\n"
    "native.waiting = waiting\n"

    /* A message is completed before all its fields are looked at. */
    "local complete, getmetatable = native.complete, getmetatable\n"
    "local all, following = env.pairs, env.next\n"
    "function env.pairs(t)\n"
    "  local meta = getmetatable(t)\n"
    "  if meta == 'message' then complete(t)\n"
    "  elseif meta == 'conv' then error('conv has no list of its fields', 2)\n"
    "  end\n"
    "  return all(t)\n"
    "end\n"
    "function env.next(t, k)\n"
    "  if k == nil and getmetatable(t) == 'message' then complete(t) end\n"
    "  return following(t, k)\n"
    "end\n"

    /* A script's own coroutines: an await inside goes up to the scheduler. */
    "local depth = setmetatable({}, { __mode = 'k' })\n"
    "local function level()\n"
    "  local me = running()\n"
    "  return me and depth[me] or 0\n"
    "end\n"
    "local function pass(c, ok, first, ...)\n"
    "  if ok and first == AWAIT then\n"
    "    yield(AWAIT)\n"
    "    return pass(c, resume(c))\n"
    "  end\n"
    "  return ok, first, ...\n"
    "end\n"
    "local function unwrap(ok, ...)\n"
    "  if not ok then error((...), 0) end\n"
    "  return ...\n"
    "end\n"
    "function co.create(f)\n"
    "  local c = create(f)\n"
    "  depth[c] = 1\n"
    "  return c\n"
    "end\n"
    "function co.resume(c, ...)\n"
    "  local up = level()\n"
    "  if not depth[c] then return false, 'not a coroutine of yours' end\n"
    "  if up >= 50 then return false, 'coroutines are nested too deep' end\n"
    "  if status(c) == 'suspended' then depth[c] = up + 1 end\n"
    "  return pass(c, resume(c, ...))\n"
    "end\n"
    "function co.running()\n"
    "  local me = running()\n"
    "  return me and depth[me] and me or nil\n"
    "end\n"
    "function co.wrap(f)\n"
    "  local c = co.create(f)\n"
    "  return function(...) return unwrap(co.resume(c, ...)) end\n"
    "end\n"
    "function co.yield(...)\n"
    "  if level() == 0 then\n"
    "    error('yield outside of a coroutine of your own', 2)\n"
    "  end\n"
    "  return yield(...)\n"
    "end\n"

    /* The library's runs the handler with hooks off. */
    "local function handled(handler, ok, ...)\n"
    "  if ok then return true, ... end\n"
    "  return false, handler(...)\n"
    "end\n"
    "function env.xpcall(f, handler, ...)\n"
    "  return handled(handler, pcall(f, ...))\n"
    "end\n"
    "local function less(a, b) return a < b end\n"
    "function env.table.sort(list, by)\n"
    "  if type(list) ~= 'table' then error('sort: a table is needed', 2) end\n"
    "  return sort(list, by or less)\n"
    "end\n"

    /* Modules: ours by name, the author's below scripts/lib. */
    "local loaded, loading, module_of = {}, {}, native.module\n"
    "function env.require(name)\n"
    "  local known = loaded[name]\n"
    "  if known == nil then known = module_of(name) end\n"
    "  if known ~= nil then return known end\n"
    "  if loading[name] then\n"
    "    error('require goes round in a circle at ' .. name, 2)\n"
    "  end\n"
    "  local chunk, why = native.require(name)\n"
    "  if not chunk then error(why, 0) end\n"
    "  loading[name] = true\n"
    "  local got = chunk()\n"
    "  loading[name] = nil\n"
    "  if got == nil then got = true end\n"
    "  loaded[name] = got\n"
    "  return got\n"
    "end\n"
    "function native.is_open_hours(_, at)\n"
    "  local hours = loaded['lib.hours']\n"
    "  if not hours then\n"
    "    error('is_open_hours asks scripts/lib/hours.lua: say require '\n"
    "      .. '\"lib.hours\" at the top of the file', 2)\n"
    "  end\n"
    "  return hours:is_open(at)\n"
    "end\n"
    "env._VERSION = 'Lua 5.1'\n"
    "strict(env, module_of)\n";

static void push_strict(lua_State *L)
{
    chunk_push(L, strict_source, "=sandbox");
    lua_getglobal(L, "setmetatable");
    lua_getglobal(L, "error");
    lua_getglobal(L, "tostring");
    lua_getglobal(L, "rawset");
    lua_call(L, 4, 1);
}

void sandbox_lua_strict(lua_State *L)
{
    push_strict(L);
    lua_pushvalue(L, -2);
    lua_call(L, 1, 0);
}

/* Stack: env, native. Leaves env. */
void sandbox_lua_open(lua_State *L)
{
    chunk_push(L, source, "=sandbox");
    lua_pushvalue(L, -3);
    lua_pushvalue(L, -3);
    push_strict(L);
    lua_call(L, 3, 0);
    lua_pushvalue(L, -2);
    bind_globals(L);
    lua_pop(L, 1);
    bind_flow_open(L);
    lua_pop(L, 1);
}
