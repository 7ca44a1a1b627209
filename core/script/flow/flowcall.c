/* SPDX-License-Identifier: Apache-2.0 */
/* flowcall.c - whose flow this is; values kept and given.
 *
 * Happy path: small things around play.h. Failure modes: called outside of a
 * flow, or inside a step what leaves an entry: raised; a value without a JSON
 * form or too large: the run is broken.
 */
#include "script/flow/flowcall.h"
#include "base/limits.h"
#include "script/flow/bind_flow.h"
#include "script/load/unit.h"
#include <string.h>

#define WAIT_MOST_MS (400LL * 24 * 3600 * 1000)

static const char await_key = 0; /* its address: the scheduler's token */

/* --- whose flow ----------------------------------------------------------- */

static struct play *find_play(lua_State *L)
{
    struct task *t = bind_version(L)->running;
    return t ? t->play : NULL;
}

struct play *flowcall_play(lua_State *L)
{
    struct play *p = find_play(L);
    if (!p)
        bind_raise(L, "this may only be called while a flow runs (a file in "
                      "scripts/flows)");
    if (p->stopped)
        bind_raise(L, "what waits cannot be called inside a callback of gsub "
                      "or sort, nor in a metamethod");
    return p;
}

/* A call that leaves an entry of its own. */
struct play *flowcall_outside(lua_State *L, const char *what)
{
    struct play *p = flowcall_play(L);
    if (p->in_step)
        bind_raise(L, "%s cannot be called inside flow.step", what);
    return p;
}

void bind_in_step(lua_State *L, const char *what)
{
    const struct play *p = find_play(L);
    if (p && !p->in_step)
        bind_raise(L,
                   "in a flow put %s into flow.step(name, function() ... end) "
                   "so that its result is kept",
                   what);
}

/* --- values --------------------------------------------------------------- */

void flowcall_keep_await(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&await_key);
    lua_insert(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

int flowcall_stop(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&await_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    return lua_yield(L, 1);
}

int flowcall_push(lua_State *L, const struct json *list)
{
    int n = 0;
    const struct json *v = json_is(list, JSON_ARRAY) ? list->first : NULL;
    luaL_checkstack(L, list ? (int)list->count + 4 : 4, "too many values");
    for (; v; v = v->next, n++) {
        if (v->type == JSON_NULL)
            lua_pushnil(L);
        else
            value_push(L, v);
    }
    return n;
}

struct slice flowcall_values(lua_State *L, struct play *p, int from,
                             const char *kind, const char *name)
{
    int top = lua_gettop(L);
    const char *why = "";
    struct buf *out = bind_buf(L, LIMIT_FLOW_LOG);
    int got = buf_add_char(out, '[');
    while (top > from && lua_isnil(L, top))
        top--;
    for (int i = from; i <= top && got == 0; i++) {
        got = i > from ? buf_add_char(out, ',') : 0;
        got = got < 0 ? got : value_write(L, i, out, &why);
    }
    if (got < 0 || (got = buf_add_char(out, ']')) < 0) {
        play_break(p, "%s '%s': its result cannot be kept: %s", kind, name,
                   got == ERR_TOOBIG ? "it has more than 64 KB; return only "
                                       "what the flow needs"
                                     : why);
        return (struct slice){0};
    }
    return slice_dup(p->task->job->arena, buf_slice(out));
}

const char *flowcall_name(lua_State *L, int arg, char out[PLAY_NAME + 1])
{
    struct slice s = bind_slice(L, arg);
    size_t n = s.len < PLAY_NAME ? s.len : PLAY_NAME;
    while (n && n < s.len && ((unsigned char)s.at[n] & 0xc0) == 0x80)
        n--;
    memcpy(out, s.at, n);
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] < ' ')
            out[i] = ' ';
    return slice_is_utf8((struct slice){out, n}) ? out : "?";
}

int flowcall_close(lua_State *L, struct play *p, const char *kind,
                   const char *name, struct slice values)
{
    const struct json *kept;
    if (!play_close(p, kind, name, 0, values, &kept))
        return flowcall_stop(L);
    return flowcall_push(L, kept);
}

int64_t flowcall_time(lua_State *L, int arg, const char *what)
{
    int64_t ms = bind_duration(L, arg, what);
    if (ms > WAIT_MOST_MS)
        bind_raise(L, "%s: at most 400 days", what);
    return ms;
}

int flowcall_once(lua_State *L, const char *kind, lua_CFunction fn)
{
    struct play *p = find_play(L);
    const struct json *e = NULL;
    if (!p || p->in_step)
        return fn(L);
    p = flowcall_play(L);
    enum play_next next = play_next(p, kind, NULL, &e);
    if (next == PLAY_KEPT)
        return flowcall_push(L, json_get(e, "v"));
    if (next != PLAY_NEW)
        return flowcall_stop(L);
    int n = fn(L);
    struct slice values =
        flowcall_values(L, p, lua_gettop(L) - n + 1, kind, "");
    return values.at ? flowcall_close(L, p, kind, "", values)
                     : flowcall_stop(L);
}
