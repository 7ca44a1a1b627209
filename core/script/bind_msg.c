/* SPDX-License-Identifier: Apache-2.0 */
/* bind_msg.c - msg: the message a handler is called with.
 *
 * A plain table to the author, made in two goes: text, kind, seq and at at
 * once, the rest when it is first asked for, since most rules look at the text
 * and pass. Until then the table keeps its body as JSON text, so that it is
 * whole also when a script has kept it beyond its event. Whatever sees all
 * fields (pairs, next, JSON) completes it first.
 *
 * Failure modes: a body that is not JSON has no further fields.
 */
#include "base/clock.h"
#include "script/bind_conv.h"
#include "script/worker.h"

#define META "message" /* what getmetatable says of one that is not whole */

static const char meta_key = 0; /* its address: the metatable */

/* The handler is called in tail position: tracebacks begin with it. */
static const char enter_source[] =
    "local setmetatable, meta = ...\n"
    "return function(handler, conv, text, kind, seq, at, body, pos, role)\n"
    "  return handler(conv, setmetatable({ text = text, kind = kind,\n"
    "    seq = seq, at = at, ['(body)'] = body, ['(pos)'] = pos,\n"
    "    ['(role)'] = role }, meta))\n"
    "end\n";

/* The body as a tree, parsed for the first rule and kept with the job. */
const struct json *bind_body(struct job *job)
{
    struct run *run = job->task;
    if (!run->body &&
        json_parse(job->arena, job->event.body, NULL, &run->body) < 0)
        run->body = arena_one(job->arena, struct json); /* null */
    return run->body;
}

/* --- completing ----------------------------------------------------------- */

static struct slice take_text(lua_State *L, int idx, const char *name)
{
    struct slice s = {"", 0};
    lua_pushstring(L, name);
    lua_rawget(L, idx);
    if (lua_type(L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(L, -1, &s.len);
    return s; /* left on the stack, so that it stays */
}

static const struct json *tree_of(lua_State *L, struct slice body)
{
    const struct task *t = bind_version(L)->running;
    struct json *tree = NULL;
    if (t && slice_eq(t->job->event.body, body))
        return bind_body(t->job);
    if (json_parse(bind_arena(L), body, NULL, &tree) < 0)
        return NULL;
    return tree;
}

/* Sets the field unless the script has. Stack: value. */
static void set_missing(lua_State *L, int idx, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, idx);
    bool missing = lua_isnil(L, -1);
    lua_pop(L, 1);
    if (!missing) {
        lua_pop(L, 1);
        return;
    }
    lua_pushstring(L, name);
    lua_insert(L, -2);
    lua_rawset(L, idx);
}

static void forget(lua_State *L, int idx, const char *name)
{
    lua_pushstring(L, name);
    lua_pushnil(L);
    lua_rawset(L, idx);
}

static void complete(lua_State *L, int idx)
{
    char id[ID_TEXT];
    struct slice body = take_text(L, idx, "(body)");
    struct slice role = take_text(L, idx, "(role)");
    const struct json *tree = tree_of(L, body);
    for (const struct json *c = json_is(tree, JSON_OBJECT) ? tree->first : NULL;
         c; c = c->next) {
        value_push(L, c);
        set_missing(L, idx, c->key.at);
    }
    lua_pushliteral(L, "(pos)");
    lua_rawget(L, idx);
    uint64_t pos = (uint64_t)lua_tonumber(L, -1);
    if (pos) { /* it is stored */
        value_push_slice(L, id_text(id, ID_MESSAGE, pos));
        set_missing(L, idx, "id");
    }
    lua_createtable(L, 0, 1); /* a body that does not say who is the bot's */
    value_push_slice(L, role);
    lua_setfield(L, -2, "role");
    set_missing(L, idx, "sender");
    forget(L, idx, "(body)");
    forget(L, idx, "(pos)");
    forget(L, idx, "(role)");
    lua_pushnil(L);
    lua_setmetatable(L, idx);
}

void bind_complete(lua_State *L, int idx)
{
    int top = lua_gettop(L);
    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
        return;
    lua_pushlightuserdata(L, (void *)&meta_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    bool is = lua_rawequal(L, -1, -2);
    lua_settop(L, top);
    if (!is)
        return;
    complete(L, idx < 0 ? top + 1 + idx : idx);
    lua_settop(L, top);
}

static int on_complete(lua_State *L)
{
    bind_complete(L, 1);
    return 0;
}

static int on_index(lua_State *L)
{
    lua_settop(L, 2);
    bind_complete(L, 1);
    lua_rawget(L, 1);
    return 1;
}

/* --- calling -------------------------------------------------------------- */

/* Stack: handler, conv. */
int bind_push_message(lua_State *L, struct task *t)
{
    const struct job *job = t->job;
    const struct event *ev = &job->event;
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->version->enter);
    lua_insert(L, -3);
    value_push_slice(L, job->text); /* "" where there is none: msg.text:find */
    value_push_slice(L, job->kind);
    if (ev->pos)
        lua_pushinteger(L, ev->seq);
    else
        lua_pushnil(L);
    lua_pushnumber(L, (lua_Number)ev->at);
    value_push_slice(L, ev->body);
    lua_pushnumber(L, (lua_Number)ev->pos);
    lua_pushstring(L, role_name(ev->role));
    return 9;
}

/* Stack: env, native. */
void bind_msg(lua_State *L)
{
    struct version *v = bind_version(L);
    lua_pushcfunction(L, on_complete);
    lua_setfield(L, -2, "complete");
    if (luaL_loadbuffer(L, enter_source, sizeof enter_source - 1, "=sandbox"))
        must_fail(__FILE__, __LINE__, lua_tostring(L, -1));
    lua_getglobal(L, "setmetatable");
    lua_newtable(L);
    lua_pushcfunction(L, on_index);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, META);
    lua_setfield(L, -2, "__metatable");
    lua_pushlightuserdata(L, (void *)&meta_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_call(L, 2, 1);
    v->enter = luaL_ref(L, LUA_REGISTRYINDEX);
}
