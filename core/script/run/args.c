/* SPDX-License-Identifier: Apache-2.0 */
/* args.c - the arguments of each hook.
 *
 * Happy path: conv (or nil) and one or two plain values. Failure modes: data
 * that is not JSON is nil; an assignee who is not in the roster is known by
 * the id alone.
 */
#include "script/run/args.h"
#include "base/clock.h"
#include "script/api/api.h"
#include "script/api/bind.h"
#include "script/load/adapter.h"
#include "script/load/unit.h"

static void push_json(lua_State *L, struct slice json)
{
    if (!json.len) {
        lua_pushnil(L);
        return;
    }
    struct arena *a = arena_new();
    value_push_text(L, a, json, NULL);
    arena_free(a);
}

static void set_text(lua_State *L, const char *field, struct slice s)
{
    value_push_slice(L, s);
    lua_setfield(L, -2, field);
}

static void set_id(lua_State *L, const char *field, const char *prefix,
                   uint64_t id)
{
    char text[ID_TEXT];
    set_text(L, field, id_text(text, prefix, id));
}

/* on_assign(conv, agent|nil): nil when it was given to the queue. */
static void push_assignee(lua_State *L, const struct job *job)
{
    const struct roster *r = job->roster;
    uint64_t id = job->conv.assignee;
    if (!id) {
        lua_pushnil(L);
        return;
    }
    for (size_t i = 0; r && i < r->count; i++) {
        if (r->agents[i].id != id)
            continue;
        bind_push_agent(L, &r->agents[i]);
        return;
    }
    lua_createtable(L, 0, 1);
    set_id(L, "id", ID_AGENT, id);
}

/* on_close(conv, { by = "agent", agent = "ag_..." }) */
static void push_closing(lua_State *L, const struct job *job)
{
    const struct event *ev = &job->event;
    lua_createtable(L, 0, 2);
    set_text(L, "by", slice_of(role_name(ev->role)));
    if (ev->role == ROLE_AGENT && ev->sender)
        set_id(L, "agent", ID_AGENT, ev->sender);
}

/* on_event(conv|nil, { name =, at =, data = }) */
static void push_event(lua_State *L, const struct job *job)
{
    const struct event *ev = &job->event;
    struct slice name = job->what;
    if (!name.len)
        name = slice_of(event_name_text(ev->name));
    lua_createtable(L, 0, 3);
    set_text(L, "name", name);
    lua_pushnumber(L, (lua_Number)(ev->at ? ev->at : job->at));
    lua_setfield(L, -2, "at");
    push_json(L, job->data.len ? job->data : ev->body);
    lua_setfield(L, -2, "data");
}

/* Without a conversation it is the unit's own time: every, or cron. */
static int push_timer(struct task *t, const struct job *job)
{
    bool cron =
        t->version->period && !job->conv.id && slice_is(job->what, "every");
    value_push_slice(t->co, cron ? SLICE("cron") : job->what);
    push_json(t->co, job->data);
    return 3;
}

static void push_position(lua_State *L, const struct job *job)
{
    int64_t n = 0;
    if (slice_to_i64(job->what, &n))
        lua_pushnumber(L, (lua_Number)n);
    else
        lua_pushnil(L);
}

int args_push(struct task *t)
{
    struct job *job = t->job;
    lua_State *co = t->co;
    if (job->call)
        return adapter_args(t);
    if (API_IN(job->hook) & API_MESSAGES)
        return bind_push_message(co, t);
    if (job->conv.id)
        bind_push_conv(co, t);
    else
        lua_pushnil(co);
    switch (job->hook) {
    case HOOK_MESSAGE:
    case HOOK_INBOUND:
    case HOOK_SEND:
        break; /* above */
    case HOOK_CONVERSATION:
        value_push_slice(co, job->what);
        return 2;
    case HOOK_TIMER:
        return push_timer(t, job);
    case HOOK_ASSIGN:
        push_assignee(co, job);
        return 2;
    case HOOK_QUEUE:
        push_position(co, job);
        return 2;
    case HOOK_CLOSE:
        push_closing(co, job);
        return 2;
    case HOOK_EVENT:
        push_event(co, job);
        return 2;
    case HOOK_FLOW:
        push_json(co, job->flow ? job->flow->args : job->data);
        return 2;
    case HOOK_RECEIVE:
    case HOOK_DELIVER:
    case HOOK_PUSH:
    case HOOK_POLL:
    case HOOK_CHECK:
    case HOOK_ASK:
    case HOOK_EMBED:
    case HOOK_TOOL:
    case HOOK_TYPING:
    case HOOK_RECALL:
    case HOOK_PASSIVE:
    case HOOK_COUNT:
        break;
    }
    must(!"a hook");
    return 0;
}
