/* SPDX-License-Identifier: Apache-2.0 */
/* bind_test.c - what lua/test.lua is made of: steps, fresh copies of sources,
 * places and moments.
 *
 * Happy path: a step becomes an ASK_TEST, the handler waits, the answer comes
 * back as a table. Failure modes: the answer has `error`: test.lua makes a
 * failure of it; data without a JSON form raises.
 */
#include "script/api/bind_test.h"
#include "base/limits.h"
#include "script/load/unit.h"
#include "script/run/lua_source.h"
#include "script/run/sandbox.h"
#include "script/text/zone.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define STEP_BYTES (1024 * 1024)
#define CHUNK_BYTES 600

static const char handler_key = 0; /* its address */

/* start(name, data): the task waits for the answer; resumes with nothing. */
static int start(lua_State *L)
{
    struct task *t = bind_task(L, "a step of a test");
    struct buf *out = bind_buf(L, STEP_BYTES);
    const char *why;
    luaL_checkstring(L, 1);
    if (value_write(L, 2, out, &why) < 0)
        bind_raise(L, "%s: %s", lua_tostring(L, 1), why);
    struct script_ask *ask = task_ask(t, ASK_TEST);
    ask->name = slice_dup(ask->arena, slice_of(lua_tostring(L, 1)));
    ask->data = slice_dup(ask->arena, buf_slice(out));
    int got = task_wait_ask(t);
    if (got < 0)
        bind_raise(L, "the test took too long");
    return lua_yield(L, 0);
}

static int finish(lua_State *L)
{
    struct task *t = bind_task(L, "a step of a test");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got < 0 || !ask)
        bind_raise(L, "the step was not answered: %s", err_code(got));
    value_push_text(L, bind_arena(L), ask->data, NULL);
    return 1;
}

/* up(): a coroutine of the test's waits; its task does. */
static int up(lua_State *L)
{
    if (bind_task(L, "a step of a test")->wait == WAIT_NONE)
        bind_raise(L, "yield outside of a coroutine of your own");
    return lua_yield(L, 0);
}

/* compile(text, name): a function in the environment, or nil and why. */
static int compile(lua_State *L)
{
    struct slice text = bind_slice(L, 1);
    char name[CHUNK_BYTES];
    snprintf(name, sizeof name, "@%s", luaL_checkstring(L, 2));
    if (luaL_loadbufferx(L, text.at, text.len, name, "t") != 0) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    sandbox_push(L);
    lua_setfenv(L, -2);
    return 1;
}

/* define(name, value): a name of the environment, which is closed to others. */
static int define(lua_State *L)
{
    sandbox_push(L);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_rawset(L, -3);
    return 0;
}

/* traceback(co, message) */
static int traceback(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTHREAD);
    luaL_traceback(L, lua_tothread(L, 1), NULL, 0);
    return 1;
}

/* place(level): file and line of the caller that many levels up the first
 * that is not lua/test.lua's. */
static int place(lua_State *L)
{
    lua_Debug d;
    for (int level = 1; lua_getstack(L, level, &d); level++) {
        if (!lua_getinfo(L, "Sl", &d) || d.currentline < 0 ||
            strcmp(d.source, "=test") == 0)
            continue;
        lua_pushstring(L, d.source + (*d.source == '@'));
        lua_pushinteger(L, d.currentline);
        return 2;
    }
    return 0;
}

/* --- moments -------------------------------------------------------------- */

static int64_t local_seconds(const char *text, const char **rest)
{
    struct tm tm = {0};
    int used = 0;
    *rest = NULL;
    if (sscanf(text, "%4d-%2d-%2d %2d:%2d%n", &tm.tm_year, &tm.tm_mon,
               &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &used) != 5)
        return 0;
    int more = 0;
    if (sscanf(text + used, ":%2d%n", &tm.tm_sec, &more) == 1)
        used += more;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *rest = text + used + strspn(text + used, " ");
    return (int64_t)timegm(&tm);
}

/* Seconds east of UTC in that zone at that local time; false: no such zone. */
static bool zone_east(const char *name, int64_t local, int32_t *east)
{
    struct arena *a = arena_new();
    struct slice file;
    struct zone *z = NULL;
    bool ok = zone_fixed(slice_of(name), east);
    if (!ok && zone_read(slice_of(name), a, &file) == 0 &&
        zone_parse(file, arena_alloc(a, zone_size(file) + 1), &z) == 0) {
        *east = zone_offset(z, local);
        *east = zone_offset(z, local - *east);
        ok = true;
    }
    arena_free(a);
    return ok;
}

/* moment("2030-01-05 22:00 Asia/Shanghai") -> ms, "Asia/Shanghai"; or nil */
static int moment(lua_State *L)
{
    const char *rest;
    int32_t east = 0;
    int64_t local = local_seconds(luaL_checkstring(L, 1), &rest);
    if (!rest || (*rest && !zone_east(rest, local, &east)))
        return 0;
    lua_pushnumber(L, (lua_Number)(local - east) * 1000);
    lua_pushstring(L, rest);
    return 2;
}

static int duration(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)bind_duration(L, 1, "t.advance: the time"));
    return 1;
}

/* --- the environment ------------------------------------------------------ */

static const char *source_of(const char *name)
{
    for (const struct lua_source *s = lua_sources; s->name; s++)
        if (strcmp(s->name, name) == 0)
            return s->text;
    must_fail(__FILE__, __LINE__, name);
}

void bind_test_open(lua_State *L)
{
    static const luaL_Reg natives[] = {{"start", start},
                                       {"finish", finish},
                                       {"up", up},
                                       {"compile", compile},
                                       {"define", define},
                                       {"place", place},
                                       {"traceback", traceback},
                                       {"duration", duration},
                                       {"moment", moment},
                                       {NULL, NULL}};
    static const char *const files[] = {"test_assert", "test_people",
                                        "test_house", "test"};
    int top = lua_gettop(L);
    lua_newtable(L);
    luaL_setfuncs(L, natives, 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *text = source_of(files[i]);
        lua_settop(L, top + 1);
        if (luaL_loadbuffer(L, text, strlen(text), "=test") != 0)
            must_fail(__FILE__, __LINE__, lua_tostring(L, -1));
        sandbox_push(L);
        lua_setfenv(L, -2);
        lua_pushvalue(L, top + 1);
        lua_call(L, 1, 1);
    }
    lua_pushlightuserdata(L, (void *)&handler_key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_settop(L, top);
}

int bind_test_handler(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&handler_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}
