/* SPDX-License-Identifier: Apache-2.0 */
/* flowcall_step.c - durable steps, states, what people see of a flow.
 *
 * Happy path: a step that is kept gives its values; another one runs, and if it
 * has waited the run ends there, so that its result is on disk before the next.
 * Failure modes: it fails: tried again later (the run parks), then kept as
 * trouble, raised (a step's error) or stuck (what undoes a step).
 */
#include "base/limits.h"
#include "script/flow/flowcall.h"
#include "script/load/unit.h"
#include <stdio.h>
#include <string.h>

#define BACKOFF_MOST_MS (3600LL * 1000)

/* --- steps ---------------------------------------------------------------- */

/* native.flow_step_begin(kind, name) -> true, tries, values... (it is done)
 * or false, tries (do it now) */
static int flow_step_begin(lua_State *L)
{
    char room[PLAY_NAME + 1];
    const char *kind = luaL_checkstring(L, 1);
    struct play *p = flowcall_outside(L, kind);
    const char *name = flowcall_name(L, 2, room);
    const struct json *e = NULL;
    uint32_t tries = 0;
    switch (play_next(p, kind, name, &e)) {
    case PLAY_STOP:
        return flowcall_stop(L);
    case PLAY_KEPT:
        lua_pushboolean(L, 1);
        lua_pushinteger(L, (lua_Integer)json_int(e, "t", 0));
        return 2 + flowcall_push(L, json_get(e, "v"));
    case PLAY_OPEN:
        tries = p->open.tries;
        if (p->open.due_at > play_wall(p)) {
            play_park(p, FLOW_READY, p->open.due_at, "");
            return flowcall_stop(L);
        }
        break;
    case PLAY_NEW:
        break;
    }
    play_step_begin(p);
    lua_pushboolean(L, 0);
    lua_pushinteger(L, (lua_Integer)tries);
    return 2;
}

struct
try {
    const char *kind, *name;
    uint32_t tries, most; /* failed so far; that may fail and be tried again */
    int64_t backoff_ms;
};

static int try_again(lua_State *L, struct play *p, const struct try *y)
{
    char text[64], time[24];
    int64_t ms = y->backoff_ms;
    for (uint32_t i = 0; i < y->tries && ms < BACKOFF_MOST_MS; i++)
        ms *= 2;
    if (ms > BACKOFF_MOST_MS)
        ms = BACKOFF_MOST_MS;
    int64_t due = play_wall(p) + ms;
    play_wait(p, y->kind, y->name, due, y->tries + 1);
    play_duration(time, ms);
    snprintf(text, sizeof text, "retry %s", time);
    play_park(p, FLOW_READY, due, text);
    return flowcall_stop(L);
}

/* What undoes a step must work in the end: people look at it. */
static int stuck(lua_State *L, struct play *p, const struct try *y,
                 const char *why)
{
    lua_pushfstring(L, "%s '%s' failed %d times, the last time: %s", y->kind,
                    y->name, (int)y->tries + 1, why);
    struct slice text = bind_slice(L, -1);
    play_wait(p, y->kind, y->name, 0, y->tries + 1);
    play_stuck(p, text);
    return flowcall_stop(L);
}

#define KEEP (-1000) /* no number of results, nor lua_yield's */

/* It failed for good; the stack from 6 on is ok and the values. */
static int failed(lua_State *L, struct play *p, const struct try *y, bool ok)
{
    const char *why = lua_tostring(L, ok ? 8 : 7);
    bool is_step = strcmp(y->kind, "step") == 0;
    if (!why)
        why = "(the error is not a text)";
    if (strcmp(y->kind, "undo") == 0)
        return stuck(L, p, y, why);
    if (ok)
        return KEEP; /* like a result: nil, code, detail */
    if (is_step) {
        lua_pushboolean(L, 0);
        lua_pushstring(L, why);
        return 2;
    }
    lua_settop(L, 6);
    lua_pushnil(L);
    lua_pushliteral(L, "error");
    lua_pushstring(L, why);
    return KEEP;
}

/* Its values, from stack index 7 on, are kept; then it is stored if the step
 * has waited, before anything else happens. */
static int keep(lua_State *L, struct play *p, const struct try *y, bool waited)
{
    const struct json *kept;
    struct slice values = flowcall_values(L, p, 7, y->kind, y->name);
    if (!values.at || !play_close(p, y->kind, y->name, y->tries, values, &kept))
        return flowcall_stop(L);
    if (waited) {
        play_park(p, FLOW_READY, 0, "its turn");
        return flowcall_stop(L);
    }
    lua_pushboolean(L, 1);
    return 1 + flowcall_push(L, kept);
}

/* native.flow_step_end(kind, name, tries, most, backoff_ms, ok, ...) -> true,
 * values... or false, error (of a step) */
static int flow_step_end(lua_State *L)
{
    char room[PLAY_NAME + 1];
    struct play *p = flowcall_play(L);
    struct try y = {luaL_checkstring(L, 1), flowcall_name(L, 2, room),
                    (uint32_t)luaL_checkinteger(L, 3),
                    (uint32_t)luaL_checkinteger(L, 4),
                    (int64_t)luaL_checknumber(L, 5)};
    bool ok = lua_toboolean(L, 6);
    bool good = ok && !(lua_isnil(L, 7) && lua_type(L, 8) == LUA_TSTRING);
    bool waited = play_step_end(p, good);
    if (!good && p->task->version->drained) {
        play_park(p, FLOW_READY, 0, "a new version of its script");
        return flowcall_stop(L);
    }
    if (!good && y.tries < y.most)
        return try_again(L, p, &y);
    int n = good ? KEEP : failed(L, p, &y, ok);
    return n == KEEP ? keep(L, p, &y, waited) : n;
}

/* --- states and people's view --------------------------------------------- */

/* native.flow_state() -> name, data, text where a flow of states is now */
static int flow_state(lua_State *L)
{
    struct play *p = flowcall_outside(L, "flow.states");
    const struct json *e;
    switch (play_next(p, "state", NULL, &e)) {
    case PLAY_STOP:
        return flowcall_stop(L);
    case PLAY_KEPT:
        value_push_slice(L, json_text(e, "n"));
        return 1 + flowcall_push(L, json_get(e, "v"));
    default:
        return 0;
    }
}

/* native.flow_enter(name, data, text) -> data, text; the log begins anew */
static int flow_enter(lua_State *L)
{
    char room[PLAY_NAME + 1];
    struct play *p = flowcall_outside(L, "flow.states");
    const char *name = flowcall_name(L, 1, room);
    struct slice values = flowcall_values(L, p, 2, "state", name);
    if (!values.at)
        return flowcall_stop(L);
    play_forget(p);
    return flowcall_close(L, p, "state", name, values);
}

/* native.flow_view("state", name), native.flow_view("saga", table) */
static int flow_view(lua_State *L)
{
    struct play *p = flowcall_play(L);
    struct slice which = bind_slice(L, 1);
    const char *why;
    if (slice_is(which, "state")) {
        p->state = slice_dup(p->task->job->arena, bind_slice(L, 2));
        return 0;
    }
    struct buf *out = bind_buf(L, LIMIT_FLOW_LOG / 2);
    if (value_write(L, 2, out, &why) == 0)
        p->saga = slice_dup(p->task->job->arena, buf_slice(out));
    return 0;
}

void flowcall_step_natives(lua_State *L)
{
    static const luaL_Reg natives[] = {{"flow_step_begin", flow_step_begin},
                                       {"flow_step_end", flow_step_end},
                                       {"flow_state", flow_state},
                                       {"flow_enter", flow_enter},
                                       {"flow_view", flow_view},
                                       {NULL, NULL}};
    luaL_setfuncs(L, natives, 0);
}
