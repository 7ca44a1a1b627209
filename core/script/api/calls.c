/* SPDX-License-Identifier: Apache-2.0 */
/* calls.c - see calls.h.
 *
 * Happy path: once a state, the natives are made and lua/calls.lua puts the
 * calls that are written in Lua beside the others. Failure modes: none but a
 * machine without memory, which ends the program.
 */
#include "script/api/calls.h"
#include "script/load/chunk.h"
#include "script/run/lua_source.h"
#include <string.h>

void calls_native(lua_State *L, const char *name, lua_CFunction fn)
{
    lua_pushcfunction(L, fn);
    lua_setfield(L, -2, name);
}

void calls_wait(lua_State *L, const char *name, lua_CFunction start,
                lua_CFunction finish)
{
    int calls = lua_gettop(L);
    lua_getfield(L, calls - 1, "waits");
    lua_createtable(L, 4, 0);
    lua_pushvalue(L, calls);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, name);
    lua_rawseti(L, -2, 2);
    lua_pushcfunction(L, start);
    lua_rawseti(L, -2, 3);
    lua_pushcfunction(L, finish);
    lua_rawseti(L, -2, 4);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    lua_pop(L, 1);
}

void calls_api(lua_State *L, const struct api_module *m, const char *name,
               lua_CFunction start, lua_CFunction finish)
{
    int calls = lua_gettop(L);
    lua_pushvalue(L, calls - 2);
    lua_pushvalue(L, calls - 1);
    api_waits(L, m, name, start, finish);
    lua_settop(L, calls);
}

/* calls.gate["kv.update"] raises where that call may not be made;
 * calls.methods["kv"] is the module's table. */
static void add_module(lua_State *L, const struct api_module *m)
{
    int calls = lua_gettop(L);
    lua_getfield(L, calls, "methods");
    api_methods(L, m);
    lua_setfield(L, -2, m->name);
    lua_getfield(L, calls, "gate");
    for (const struct api_call *c = m->calls; c->name; c++) {
        if (!(c->flags & API_LUA))
            continue;
        lua_pushfstring(L, "%s.%s", m->name, c->name);
        api_gate(L, m, c->name);
        lua_rawset(L, -3);
    }
    lua_settop(L, calls);
}

static void run_source(lua_State *L, const char *name)
{
    const struct lua_source *s = lua_sources;
    while (s->name && strcmp(s->name, name) != 0)
        s++;
    must(s->name);
    chunk_push(L, s->text, "=calls");
    lua_pushvalue(L, -4); /* env */
    lua_pushvalue(L, -3); /* calls */
    lua_call(L, 2, 0);
}

void bind_calls(lua_State *L)
{
    static const struct api_module *const modules[] = {
        &http_module, &stream_module, &imap_module,  &smtp_module,
        &kv_module,   &space_module,  &cache_module, &cache_object_module};
    lua_newtable(L);
    lua_newtable(L);
    lua_setfield(L, -2, "methods");
    lua_newtable(L);
    lua_setfield(L, -2, "gate");
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
        add_module(L, modules[i]);
    bind_http(L);
    bind_stream(L);
    bind_post(L);
    bind_kv(L);
    bind_once(L);
    bind_cache(L);
    bind_ai(L);
    run_source(L, "calls");
    lua_pop(L, 1);
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
