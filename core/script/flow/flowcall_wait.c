/* SPDX-License-Identifier: Apache-2.0 */
/* flowcall_wait.c - a flow's waits, and what it knows of itself.
 *
 * Happy path: an entry gives the result; what woke the flow closes the open
 * one; without one the run parks. Failure modes: the log does not fit: the run
 * is broken and ends.
 */
#include "base/clock.h"
#include "script/api/bind_conv.h"
#include "script/flow/flowcall.h"
#include "script/load/unit.h"
#include <stdio.h>
#include <string.h>

/* --- waits ---------------------------------------------------------------- */

static int begin_wait(lua_State *L, struct play *p, const char *kind,
                      const char *name, int64_t ms)
{
    char text[64] = "", time[24];
    bool reply = strcmp(kind, "reply") == 0;
    bool held = p->now.state == CONV_OPEN || p->now.state == CONV_SNOOZED;
    if (reply && held)
        return flowcall_close(L, p, kind, name, SLICE("[null,\"taken\"]"));
    int64_t due = ms < 0 ? 0 : play_wall(p) + ms;
    play_wait(p, kind, name, due, 0);
    if (ms >= 0)
        play_duration(time, ms);
    snprintf(text, sizeof text, "%s%s%s", kind, ms < 0 ? "" : " ",
             ms < 0 ? "" : time);
    play_park(p, reply ? FLOW_WAITING : FLOW_SLEEPING, due, text);
    return flowcall_stop(L);
}

/* ms < 0: as long as it takes. */
static int wait_for(lua_State *L, struct play *p, const char *kind,
                    const char *name, int64_t ms)
{
    const struct json *e;
    struct slice values;
    switch (play_next(p, kind, NULL, &e)) {
    case PLAY_KEPT:
        return flowcall_push(L, json_get(e, "v"));
    case PLAY_STOP:
        return flowcall_stop(L);
    case PLAY_NEW:
        return begin_wait(L, p, kind, name, ms);
    case PLAY_OPEN:
        break;
    }
    if (play_outcome(p, &values))
        return flowcall_close(L, p, kind, name, values);
    play_park(p, *kind == 'r' ? FLOW_WAITING : FLOW_SLEEPING, p->open.due_at,
              "");
    return flowcall_stop(L);
}

int flowcall_sleep(lua_State *L)
{
    struct play *p = flowcall_outside(L, "a flow's sleep");
    return wait_for(L, p, "sleep", "", flowcall_time(L, 1, "sleep"));
}

/* flow.wait_reply("10m"), flow.wait_reply() */
int flowcall_wait_reply(lua_State *L)
{
    struct play *p = flowcall_outside(L, "wait_reply");
    bool ever = lua_isnoneornil(L, 1);
    int64_t ms = ever ? -1 : flowcall_time(L, 1, "wait_reply");
    return wait_for(L, p, "reply", "", ms);
}

/* native.flow_wait(name, ms|nil) */
static int flow_wait(lua_State *L)
{
    char name[PLAY_NAME + 1];
    struct play *p = flowcall_outside(L, "ask");
    lua_Number ms = lua_isnoneornil(L, 2) ? -1 : luaL_checknumber(L, 2);
    return wait_for(L, p, "reply", flowcall_name(L, 1, name), (int64_t)ms);
}

/* native.flow_ms(duration, what) -> ms */
static int flow_ms(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)flowcall_time(L, 1, luaL_checkstring(L, 2)));
    return 1;
}

/* native.flow_conv() -> conv, for a reply */
static int flow_conv(lua_State *L)
{
    struct play *p = flowcall_outside(L, "ask");
    if (!p->task->job->conv.id)
        bind_raise(L, "this flow has no conversation to ask in");
    bind_push_conv(L, p->task);
    return 1;
}

/* conv:live(): the conversation as it is now; a step of its own */
int conv_live(lua_State *L)
{
    struct task *t = conv_task(L);
    struct play *p = flowcall_play(L);
    const struct json *e;
    struct job *job = t->job;
    enum play_next next =
        p->in_step ? PLAY_NEW : play_next(p, "live", NULL, &e);
    if (next == PLAY_KEPT)
        return flowcall_push(L, json_get(e, "v"));
    if (next != PLAY_NEW)
        return flowcall_stop(L);
    struct conversation conv = job->conv;
    struct contact contact = job->contact;
    job->conv = p->now;
    job->contact = p->contact;
    lua_settop(L, 1);
    bind_push_fields(L, job);
    job->conv = conv;
    job->contact = contact;
    if (p->in_step)
        return 1;
    struct slice values = flowcall_values(L, p, 2, "live", "");
    return values.at ? flowcall_close(L, p, "live", "", values)
                     : flowcall_stop(L);
}

/* --- what a flow knows of itself ------------------------------------------ */

int flowcall_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)flowcall_play(L)->at);
    return 1;
}

int flowcall_id(lua_State *L)
{
    char text[ID_TEXT];
    value_push_slice(L, id_text(text, ID_FLOW, flowcall_play(L)->flow->id));
    return 1;
}

int flowcall_attempt(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)flowcall_play(L)->flow->attempts + 1);
    return 1;
}

/* As math.random: (), (n), (m, n). */
static int push_random(lua_State *L, double r)
{
    lua_Number low = 1, high = 1;
    if (lua_gettop(L) == 0) {
        lua_pushnumber(L, r);
        return 1;
    }
    high = luaL_checknumber(L, 1);
    if (lua_gettop(L) > 1) {
        low = high;
        high = luaL_checknumber(L, 2);
    }
    if (!(low <= high && high - low < 9e15))
        bind_raise(L, "random: the interval is empty");
    double width = (double)(int64_t)(high - low + 1);
    lua_pushnumber(L, low + (lua_Number)(int64_t)(r * width));
    return 1;
}

int flowcall_random(lua_State *L)
{
    return push_random(L, play_random(flowcall_outside(L, "flow.random")));
}

/* native.flow_runs() -> is a flow outside of its steps? */
static int flow_runs(lua_State *L)
{
    const struct task *t = bind_version(L)->running;
    lua_pushboolean(L, t && t->play && !t->play->in_step);
    return 1;
}

void flowcall_natives(lua_State *L)
{
    static const luaL_Reg natives[] = {
        {"flow_wait", flow_wait}, {"flow_ms", flow_ms},
        {"flow_conv", flow_conv}, {"flow_random", flowcall_random},
        {"flow_runs", flow_runs}, {NULL, NULL}};
    luaL_setfuncs(L, natives, 0);
}
