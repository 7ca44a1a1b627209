/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - see calls.h.
 *
 * Happy path: the first touch of http's streams, kv or caches makes the natives
 * and runs the Lua that is written over them. Failure modes: the handler is
 * killed meanwhile: api.c does it all again.
 */
#include "script/api/calls.h"
#include "script/load/chunk.h"
#include <string.h>

static const char calls_key = 0; /* its address: the table */

void calls_push(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&calls_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    lua_setfield(L, -2, "gate");
    lua_pushlightuserdata(L, (void *)&calls_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void calls_native(lua_State *L, const char *name, lua_CFunction fn)
{
    lua_pushcfunction(L, fn);
    lua_setfield(L, -2, name);
}

void calls_wait(lua_State *L, const char *name, lua_CFunction start,
                lua_CFunction finish)
{
    api_push_wait(L, start, finish);
    lua_setfield(L, -2, name);
}

void calls_gates(lua_State *L, const struct api_module *m)
{
    lua_getfield(L, -1, "gate");
    for (const struct api_call *c = m->calls; c->name; c++) {
        if (!(c->flags & API_LUA))
            continue;
        lua_pushfstring(L, "%s.%s", m->name, c->name);
        api_gate(L, m, c->name);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
}

void calls_run(lua_State *L, const char *name, int n)
{
    int at = lua_gettop(L) - n + 1;
    chunk_push_own(L, name, "=calls");
    lua_insert(L, at);
    api_native(L, "house");
    lua_insert(L, at + 1);
    calls_push(L);
    lua_insert(L, at + 2);
    lua_call(L, n + 2, 0);
}

int calls_waiting(lua_State *L, struct task *t)
{
    int got = task_wait_ask(t);
    lua_pushboolean(L, got == 0);
    if (got == ERR_RATE_LIMITED)
        return 1 + bind_trouble_of(L, got,
                                   "this handler has made all the http calls "
                                   "it may make");
    return got == 0 ? 1 : 1 + bind_trouble_of(L, got, "");
}

int64_t calls_size(lua_State *L, int idx, int64_t most, const char *what)
{
    struct slice text;
    int64_t n = 0, unit = 1;
    if (lua_type(L, idx) == LUA_TNUMBER) {
        double number = lua_tonumber(L, idx);
        n = number >= 1 && number <= (double)most ? (int64_t)number : 0;
    } else if (lua_type(L, idx) == LUA_TSTRING) {
        text.at = lua_tolstring(L, idx, &text.len);
        if (text.len > 2 && text.at[text.len - 1] == 'B') {
            char c = text.at[text.len - 2];
            unit = c == 'K' ? 1024 : c == 'M' ? 1024 * 1024 : 1;
            text.len -= unit > 1 ? 2 : 1;
        }
        if (text.len > 9 || !slice_to_i64(text, &n))
            n = 0;
    }
    if (n < 1 || n > most / unit)
        bind_raise(L,
                   "%s must be a size such as \"64KB\" or \"2MB\", at most %d "
                   "KB",
                   what, (int)(most / 1024));
    return n * unit;
}
