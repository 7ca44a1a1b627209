/* SPDX-License-Identifier: Apache-2.0 */
/* bind.c - checks and helpers of the script API.
 *
 * Happy path: an argument is what it should be. Failure modes: it is not, and
 * a sentence with the call's name is raised in the script.
 */
#include "script/api/bind.h"
#include "base/clock.h"
#include "script/api/modules.h"
#include "script/flow/play.h"
#include "script/load/load.h"
#include "script/load/unit.h"
#include "script/run/worker.h"
#include <string.h>

#define WHERE_LEVELS 10

void bind_module(lua_State *L, int idx, const char *name,
                 const luaL_Reg *functions)
{
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    lua_setfield(L, idx, name);
}

/* native.require(name) -> a chunk to call, or nil and a sentence. */
static int on_require(lua_State *L)
{
    struct version *v = bind_version(L);
    struct slice name = bind_slice(L, 1);
    if (!v->loader)
        return bind_trouble(L,
                            "require belongs at the top of the file: it "
                            "loads nothing new in a handler",
                            "");
    return loader_require(v->loader, L, name);
}

void bind_open(lua_State *L)
{
    lua_newtable(L);
    api_open(L);
    bind_conv(L);
    bind_msg(L);
    bind_time(L);
    bind_secret(L);
    lua_pushcfunction(L, on_require);
    lua_setfield(L, -2, "require");
    lua_pushcfunction(L, api_on_module);
    lua_setfield(L, -2, "module");
}

void bind_globals(lua_State *L)
{
    bind_sleep(L);
    lua_pushliteral(L, "print");
    api_push(L, api_find(&log_module, "info"));
    lua_rawset(L, -3);
}

/* "file:line: " of the innermost place in the author's own text: what waits
 * is called through Lua of the house. */
static void push_where(lua_State *L)
{
    lua_Debug ar;
    for (int level = 1; level < WHERE_LEVELS && lua_getstack(L, level, &ar);
         level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline <= 0 || ar.source[0] != '@')
            continue;
        lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
        return;
    }
    luaL_where(L, 1);
}

void bind_raise(lua_State *L, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    push_where(L);
    lua_pushvfstring(L, fmt, ap);
    va_end(ap);
    lua_concat(L, 2);
    lua_error(L);
    must_fail(__FILE__, __LINE__, "lua_error came back");
}

struct version *bind_version(lua_State *L)
{
    struct version *v = container_of(budget_of(L), struct version, budget);
    must_be(v, VERSION_MAGIC);
    return v;
}

struct task *bind_task(lua_State *L, const char *what)
{
    struct task *t = bind_version(L)->running;
    if (!t)
        bind_raise(L,
                   "%s may only be called in a handler, not while the "
                   "file is loaded",
                   what);
    return t;
}

struct arena *bind_arena(lua_State *L)
{
    struct version *v = bind_version(L);
    arena_free(v->scratch_arena);
    v->scratch_arena = arena_new();
    return v->scratch_arena;
}

struct buf *bind_buf(lua_State *L, size_t max)
{
    struct version *v = bind_version(L);
    buf_fini(&v->scratch);
    buf_init(&v->scratch, max);
    return &v->scratch;
}

struct slice bind_slice(lua_State *L, int arg)
{
    struct slice s;
    s.at = luaL_checklstring(L, arg, &s.len);
    return s;
}

struct slice bind_text(lua_State *L, int arg, size_t max, const char *what)
{
    if (!lua_isstring(L, arg))
        bind_raise(L, "%s must be a text, not %s", what, luaL_typename(L, arg));
    struct slice s = bind_slice(L, arg);
    if (s.len == 0 || s.len > max)
        bind_raise(L, "%s must have 1 to %d bytes", what, (int)max);
    if (!slice_is_utf8(s))
        bind_raise(L, "%s must be UTF-8 text", what);
    return s;
}

void bind_table(lua_State *L, int arg, const char *call, const char *wanted)
{
    if (!lua_istable(L, arg))
        bind_raise(L, "%s wants %s, not %s", call, wanted,
                   luaL_typename(L, arg));
}

bool duration_read(struct slice text, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1},
                 {"s", 1000},
                 {"m", 60 * 1000},
                 {"h", 3600 * 1000},
                 {"d", 24 * 3600 * 1000}};
    size_t digits = 0;
    while (digits < text.len && text.at[digits] >= '0' &&
           text.at[digits] <= '9')
        digits++;
    int64_t n;
    if (digits > 9 || !slice_to_i64((struct slice){text.at, digits}, &n))
        return false;
    struct slice unit = {text.at + digits, text.len - digits};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!slice_is(unit, units[i].unit))
            continue;
        *ms = n * units[i].ms;
        return true;
    }
    return false;
}

int64_t bind_duration(lua_State *L, int arg, const char *what)
{
    int64_t ms = 0;
    if (lua_type(L, arg) != LUA_TSTRING ||
        !duration_read(bind_slice(L, arg), &ms))
        bind_raise(L,
                   "%s must be a duration such as \"30s\", \"10m\", "
                   "\"2h\" or \"7d\"",
                   what);
    return ms;
}

int bind_trouble(lua_State *L, const char *code, const char *detail)
{
    lua_pushnil(L);
    lua_pushstring(L, code);
    lua_pushstring(L, detail);
    return 3;
}

int bind_trouble_of(lua_State *L, int err, const char *detail)
{
    /* Outside it is "unavailable"; authors may want to know. */
    const char *code = err == ERR_CANCELLED ? "cancelled" : err_code(err);
    return bind_trouble(L, code, detail);
}

int bind_wait_result(lua_State *L, struct task *t)
{
    if (!t->resumed)
        bind_raise(L, "a waiting coroutine was resumed by another handler");
    t->resumed = false;
    if (t->result == ERR_TIMEOUT && !t->answer)
        bind_raise(L, "stopped: the handler took longer than %d ms",
                   (int)t->wall_ms);
    return t->result;
}

struct slice bind_json_of(lua_State *L, int arg, size_t max, const char *what)
{
    struct task *t = bind_task(L, what);
    struct buf *out = bind_buf(L, max);
    const char *why;
    if (value_write(L, arg, out, &why) < 0)
        bind_raise(L, "%s: %s", what, why);
    return slice_dup(t->job->arena, buf_slice(out));
}

/* --- effects -------------------------------------------------------------- */

void bind_room(lua_State *L, struct task *t, enum effect_type type)
{
    const struct run *run = t->job->task;
    uint32_t most = t->version->limits.effects;
    /* A reply is edited in its place. */
    bool screens = type == EFFECT_EDIT || type == EFFECT_REJECT;
    uint32_t given = screens ? 0 : run->given;
    if (t->effects >= most || t->job->count + given >= LIMIT_EFFECTS)
        bind_raise(L, "too many effects (at most %d an event)",
                   (int)(t->effects >= most ? most : LIMIT_EFFECTS));
}

struct effect *bind_effect(lua_State *L, struct task *t, enum effect_type type)
{
    bind_room(L, t, type);
    struct effect *e = job_effect(t->job, type);
    must(e);
    if (!t->unit.len)
        t->unit = slice_dup(t->job->arena, t->version->name);
    e->unit = t->unit;
    t->effects++;
    return e;
}

struct slice bind_kept(struct task *t, struct slice s)
{
    return slice_dup(t->job->arena, s);
}

int64_t bind_now(lua_State *L)
{
    const struct version *v = bind_version(L);
    int64_t ms;
    if (play_clock(v->running, &ms))
        return ms;
    return v->worker ? worker_wall(v->worker) : clock_ms();
}
