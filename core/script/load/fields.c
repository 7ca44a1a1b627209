/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c - reading hooks, events, deadline and limits.
 *
 * Happy path: a handful of type checks. Failure modes: a hook that is no
 * function, an event nobody knows, a limit that is no amount: the file is
 * refused with a sentence. A limit above the house's is the house's: a script
 * must not stop loading because it moved to a smaller machine.
 */
#include "script/load/fields.h"
#include "base/json.h"
#include "script/api/api.h"
#include "script/api/bind.h"
#include <stdio.h>
#include <string.h>

static int refuse(struct err *e, const char *field, const char *why)
{
    return err_field(e, ERR_UNPROCESSABLE, field, "%s", why);
}

void limits_init(struct limits *l, size_t memory_bytes)
{
    *l = (struct limits){.memory = memory_bytes,
                         .wall_ms = LIMIT_SCRIPT_WALL_MS,
                         .http = LIMIT_SCRIPT_HTTP,
                         .effects = LIMIT_EFFECTS};
}

/* --- hooks ---------------------------------------------------------------- */

static bool is_flow(const struct version *v)
{
    return slice_starts(v->name, "flows/");
}

static int read_hook(struct version *v, enum hook h, struct err *e)
{
    lua_State *L = v->L;
    if (h == HOOK_FLOW && !is_flow(v))
        return refuse(e, "run",
                      "run and states belong into a file below flows/");
    if (h >= HOOK_RECEIVE)
        return refuse(e, hook_name(h),
                      "receive, send, poll and check belong into an adapter "
                      "below channels/, ask and embed into a connector below "
                      "ai/");
    if (!lua_isfunction(L, -1))
        return refuse(e, hook_name(h), "a hook must be a function");
    if (v->hook[h] != LUA_NOREF)
        return refuse(e, "states", "a flow has either run or states");
    lua_pushvalue(L, -1);
    if (API_IN(h) & API_MESSAGES)
        bind_entry(L);
    v->hook[h] = luaL_ref(L, LUA_REGISTRYINDEX);
    v->hooks |= 1u << h;
    return 1;
}

/* --- events --------------------------------------------------------------- */

static const enum event_name public_events[] = {
    EVENT_MESSAGE_CREATED,      EVENT_MESSAGE_UPDATED,
    EVENT_MESSAGE_STATUS,       EVENT_CONVERSATION_CREATED,
    EVENT_CONVERSATION_UPDATED, EVENT_CONVERSATION_ASSIGNED,
    EVENT_CONVERSATION_CLOSED,  EVENT_CONTACT_UPDATED,
    EVENT_AGENT_UPDATED,        EVENT_CHANNEL_UPDATED,
    EVENT_TEAM_UPDATED};
#define EVENTS (sizeof public_events / sizeof public_events[0])

uint32_t event_bit(enum event_name name)
{
    for (size_t i = 0; i < EVENTS; i++)
        if (public_events[i] == name)
            return 1u << i;
    return 0;
}

uint32_t event_bit_of(struct slice name)
{
    for (size_t i = 0; i < EVENTS; i++)
        if (slice_is(name, event_name_text(public_events[i])))
            return 1u << i;
    return 0;
}

/* One name on top of the stack. */
static int read_event(struct version *v, struct err *e)
{
    char why[400];
    struct slice s = {"", 0};
    if (lua_type(v->L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(v->L, -1, &s.len);
    uint32_t bit = event_bit_of(s);
    v->events |= bit;
    if (bit)
        return 0;
    int n = snprintf(why, sizeof why, "events: '%.60s' is no event (known are",
                     s.at);
    for (size_t i = 0; i < EVENTS && n > 0 && (size_t)n < sizeof why; i++)
        n += snprintf(why + n, sizeof why - (size_t)n, "%s %s", i ? "," : "",
                      event_name_text(public_events[i]));
    return err_field(e, ERR_UNPROCESSABLE, "events", "%s)", why);
}

static int read_events(struct version *v, struct err *e)
{
    lua_State *L = v->L;
    if (!lua_istable(L, -1))
        return refuse(e, "events", "events must be a list of event names");
    size_t n = lua_objlen(L, -1), seen = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        seen++;
    if (n == 0 || seen != n)
        return refuse(e, "events", "events must be a list of event names");
    int got = 0;
    for (size_t i = 1; i <= n && got == 0; i++) {
        lua_rawgeti(L, -1, (int)i);
        got = read_event(v, e);
        lua_pop(L, 1);
    }
    return got < 0 ? got : 1;
}

/* --- deadline and limits -------------------------------------------------- */

/* The duration on top of the stack, from 1 ms up to most. */
static bool duration_on_top(lua_State *L, int64_t *ms)
{
    struct slice s = {"", 0};
    if (lua_type(L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(L, -1, &s.len);
    return duration_read(s, ms) && *ms > 0;
}

static int read_deadline(struct version *v, struct err *e)
{
    if (!duration_on_top(v->L, &v->deadline_ms) ||
        v->deadline_ms > DEADLINE_MOST_MS)
        return refuse(e, "deadline",
                      "deadline must be a duration of at most \"30s\"");
    return 1;
}

bool field_bytes(lua_State *L, int64_t *bytes)
{
    struct slice s = {"", 0};
    size_t digits = 0;
    if (lua_type(L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(L, -1, &s.len);
    while (digits < s.len && s.at[digits] >= '0' && s.at[digits] <= '9')
        digits++;
    if (digits > 9 || !slice_to_i64((struct slice){s.at, digits}, bytes) ||
        *bytes == 0)
        return false;
    struct slice unit = {s.at + digits, s.len - digits};
    if (slice_is(unit, "KB"))
        *bytes *= 1024;
    else if (slice_is(unit, "MB"))
        *bytes *= 1024 * 1024;
    else
        return false;
    return true;
}

static bool count_on_top(lua_State *L, uint32_t *count)
{
    lua_Number n = lua_tonumber(L, -1);
    if (lua_type(L, -1) != LUA_TNUMBER || !(n >= 0 && n <= 1e6) ||
        n != (uint32_t)n)
        return false;
    if ((uint32_t)n < *count)
        *count = (uint32_t)n;
    return true;
}

static bool lower(int64_t *limit, int64_t wanted)
{
    if (*limit == 0 || wanted < *limit)
        *limit = wanted;
    return true;
}

/* One limit; its value is on top of the stack. */
static int read_limit(struct version *v, const char *name, struct err *e)
{
    struct limits *l = &v->limits;
    int64_t n = 0;
    if (strcmp(name, "cpu") == 0)
        return duration_on_top(v->L, &n) && lower(&l->cpu_ms, n)
                   ? 0
                   : refuse(e, "cpu",
                            "limits.cpu must be a duration such as \"20ms\"");
    if (strcmp(name, "wall") == 0)
        return duration_on_top(v->L, &n) && lower(&l->wall_ms, n)
                   ? 0
                   : refuse(e, "wall",
                            "limits.wall must be a duration such as \"10s\"");
    if (strcmp(name, "memory") == 0)
        return field_bytes(v->L, &n) && lower(&l->memory, n)
                   ? 0
                   : refuse(e, "memory",
                            "limits.memory must be an amount such as \"8MB\"");
    if (strcmp(name, "http") == 0)
        return count_on_top(v->L, &l->http)
                   ? 0
                   : refuse(e, "http", "limits.http must be a number of calls");
    if (strcmp(name, "effects") == 0)
        return count_on_top(v->L, &l->effects)
                   ? 0
                   : refuse(e, "effects", "limits.effects must be a number");
    return err_field(e, ERR_UNPROCESSABLE, name,
                     "limits.%.40s is unknown (known are cpu, memory, http, "
                     "effects, wall)",
                     name);
}

static int read_limits(struct version *v, struct err *e)
{
    lua_State *L = v->L;
    if (!lua_istable(L, -1))
        return refuse(e, "limits", "limits must be a table");
    int top = lua_gettop(L), got = 0;
    for (lua_pushnil(L); got == 0 && lua_next(L, top); lua_settop(L, top + 1))
        got = lua_type(L, -2) == LUA_TSTRING
                  ? read_limit(v, lua_tostring(L, -2), e)
                  : refuse(e, "limits", "limits must have named fields only");
    lua_settop(L, top);
    return got < 0 ? got : 1;
}

/* --- which version serves whom -------------------------------------------- */

static int read_pin(struct version *v, struct err *e)
{
    if (!lua_isboolean(v->L, -1))
        return refuse(e, "pin", "pin must be true or false");
    v->pin = lua_toboolean(v->L, -1);
    return 1;
}

/* --- what cannot be checked ----------------------------------------------- */

static int read_on_failure(struct version *v, struct err *e)
{
    struct slice s = {"", 0};
    if (lua_type(v->L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(v->L, -1, &s.len);
    v->strict = slice_is(s, "reject");
    if (!v->strict && !slice_is(s, "pass"))
        return refuse(e, "on_failure",
                      "on_failure must be \"pass\" or \"reject\"");
    return 1;
}

/* --- all ------------------------------------------------------------------ */

int field_read(struct version *v, const char *name, struct err *e)
{
    for (int h = 0; h < HOOK_COUNT; h++)
        if (strcmp(name, hook_name((enum hook)h)) == 0)
            return read_hook(v, (enum hook)h, e);
    if (strcmp(name, "states") == 0)
        return read_hook(v, HOOK_FLOW, e);
    if (strcmp(name, "title") == 0) /* for people who read the file */
        return lua_type(v->L, -1) == LUA_TSTRING
                   ? 1
                   : refuse(e, "title", "title must be a text");
    if (strcmp(name, "events") == 0)
        return read_events(v, e);
    if (strcmp(name, "deadline") == 0)
        return read_deadline(v, e);
    if (strcmp(name, "limits") == 0)
        return read_limits(v, e);
    if (strcmp(name, "canary") == 0)
        return canary_read(v->L, &v->canary, e) < 0 ? ERR_UNPROCESSABLE : 1;
    if (strcmp(name, "pin") == 0)
        return read_pin(v, e);
    if (strcmp(name, "on_failure") == 0)
        return read_on_failure(v, e);
    return 0;
}

int fields_check(struct version *v, struct err *e)
{
    bool hears = v->hooks & 1u << HOOK_EVENT;
    if (hears && !v->events)
        return refuse(e, "on_event",
                      "on_event needs events = { \"contact.updated\", ... }");
    if (v->strict && !(v->hooks & (1u << HOOK_INBOUND | 1u << HOOK_SEND)))
        return refuse(e, "on_failure",
                      "on_failure is for on_inbound and on_send");
    if (v->events && !hears)
        return refuse(e, "events", "events needs on_event");
    if (v->budget.used > (size_t)v->limits.memory)
        return refuse(e, "memory",
                      "limits.memory is less than the loaded file needs");
    v->budget.max = (size_t)v->limits.memory;
    return 0;
}
