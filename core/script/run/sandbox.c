/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.c - what is let in, what is replaced, what is left out.
 *
 * Happy path: the libraries base, table, string, math, bit are opened, the
 * allowed names are copied to an environment of our own, and the real globals
 * are emptied. The rest is written in Lua (sandbox_lua.c). Failure modes:
 * none; this runs before any limit is on, so that only a machine without
 * memory can fail it, and that ends the program.
 */
#include "script/run/sandbox.h"
#include "base/clock.h"
#include "base/err.h"
#include "script/api/bind.h"
#include "script/api/strlib.h"
#include "script/api/value.h"
#include "script/run/sandbox_lua.h"
#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>

static const char env_key = 0; /* its address: the environment */

static const char *const base_names[] = {
    "assert", "error",    "ipairs",       "next",         "pairs",  "pcall",
    "select", "tonumber", "tostring",     "type",         "unpack", "rawequal",
    "rawget", "rawset",   "setmetatable", "getmetatable", NULL};
static const char *const string_names[] = {
    "byte",  "char",  "find", "format",  "gmatch", "gsub",  "len",
    "lower", "match", "rep",  "reverse", "sub",    "upper", NULL};
static const char *const table_names[] = {"concat", "insert", "maxn",
                                          "remove", "sort",   NULL};
static const char *const coroutine_names[] = {
    "create", "resume", "running", "status", "wrap", "yield", NULL};

static void open_library(lua_State *L, lua_CFunction open, const char *name)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

lua_State *sandbox_new(struct budget *b, size_t max_bytes)
{
    lua_State *L = luaL_newstate();
    must(L);
    open_library(L, luaopen_base, "");
    open_library(L, luaopen_table, LUA_TABLIBNAME);
    open_library(L, luaopen_string, LUA_STRLIBNAME);
    open_library(L, luaopen_math, LUA_MATHLIBNAME);
    open_library(L, luaopen_bit, LUA_BITLIBNAME);
    /* Only interpreted code can be stopped. After the libraries, or opening
     * them turns it on again. */
    must(luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF) == 1);
    budget_init(b, L, max_bytes);
    return L;
}

/* Copies the named fields of the table at `from` to the table on top. */
static void copy(lua_State *L, int from, const char *const *names)
{
    for (; *names; names++) {
        lua_getfield(L, from, *names);
        must(!lua_isnil(L, -1));
        lua_setfield(L, -2, *names);
    }
}

/* Sets field `name` of the table on top to a copy of the global library,
 * with the named functions only; NULL = all of it. */
static void lend(lua_State *L, const char *name, const char *const *names)
{
    lua_getglobal(L, name);
    int from = lua_gettop(L);
    lua_newtable(L);
    if (names) {
        copy(L, from, names);
    } else {
        for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, -5);
        }
    }
    lua_remove(L, from);
    lua_setfield(L, -2, name);
}

/* ("x"):rep goes through the strings' metatable. The lent string table is on
 * top of the stack. */
static void string_meta(lua_State *L)
{
    lua_pushliteral(L, "");
    lua_newtable(L);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

/* Every state would draw the same numbers otherwise. */
static void seed_random(lua_State *L)
{
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushnumber(L, (lua_Number)(random_u64() >> 12));
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

static void forget_globals(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, LUA_GLOBALSINDEX);) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, LUA_GLOBALSINDEX);
    }
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
}

/* Upvalue: a C function of the library's that may call the script's code
 * (sort: the comparison; format: __tostring), and so be nested. */
static int nested(lua_State *L)
{
    budget_nest(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Guards field `name` of the table on top. */
static void guard(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, nested, 1);
    lua_setfield(L, -2, name);
}

void sandbox_open(lua_State *L)
{
    seed_random(L);
    lua_newtable(L); /* the environment */
    lua_pushlightuserdata(L, (void *)&env_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    copy(L, LUA_GLOBALSINDEX, base_names);
    lend(L, "coroutine", coroutine_names);
    lend(L, "math", NULL);
    lend(L, "bit", NULL);
    lend(L, "table", table_names);
    lua_getfield(L, -1, "table");
    guard(L, "sort");
    lua_pop(L, 1);
    lend(L, "string", string_names);
    lua_getfield(L, -1, "string");
    strlib_open(L);
    guard(L, "format");
    string_meta(L);
    lua_pop(L, 1);
    value_open(L);
    bind_open(L);
    sandbox_lua_open(L);
    lua_pop(L, 1);
    forget_globals(L);
}

void sandbox_push(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&env_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

void sandbox_push_empty(lua_State *L)
{
    lua_newtable(L);
    sandbox_lua_strict(L);
    /* "x":rep and its like must not come in by the strings' door. */
    lua_pushliteral(L, "");
    lua_newtable(L);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}
