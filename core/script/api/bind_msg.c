/* SPDX-License-Identifier: Apache-2.0 */
/* bind_msg.c - msg: the message a handler is called with, and how it is called.
 *
 * A plain table to the author, made in two goes: text and kind at once, the
 * rest when it is first asked for, since most rules look at the text and pass.
 * Whatever sees all fields (pairs, next, JSON) completes it first.
 *
 * A handler of messages is called through a Lua closure that makes conv and
 * msg: two tables of one shape are copied there in less time than the C calls
 * for their first field take.
 *
 * Failure modes: a body that is not JSON has no further fields; a message that
 * was kept beyond its event, and not completed in it, raises.
 */
#include "base/clock.h"
#include "script/api/bind_conv.h"
#include "script/load/chunk.h"
#include "script/run/worker.h"

#define META "message" /* what getmetatable says of one that is not whole */

static const char meta_key = 0; /* its address: the metatable */

/* The handler is called in tail position: tracebacks begin with it. [1]: whose
 * conv, whose message (the task's id). The tables are written with values, to
 * be copied whole: a shape of keys alone is lost when the code is kept compiled
 * (load/chunk.c), and each key then makes its table anew. */
static const char enter_source[] =
    "local setmetatable, conv, message = ...\n"
    "return function(handler)\n"
    "  return function(id, text, kind, none)\n"
    "    local c, m = nil, { 0, text = '', kind = 'text' }\n"
    "    if not none then\n"
    "      c = { 0, false }\n"
    "      c[1] = id\n"
    "      setmetatable(c, conv)\n"
    "    end\n"
    "    m[1], m.text = id, text\n"
    "    if kind then m.kind = kind end\n"
    "    return handler(c, setmetatable(m, message))\n"
    "  end\n"
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

static void set_sender(lua_State *L, int idx, const struct event *ev)
{
    lua_createtable(L, 0, 1); /* a body that does not say who is the bot's */
    lua_pushstring(L, role_name(ev->role));
    lua_setfield(L, -2, "role");
    set_missing(L, idx, "sender");
}

static void complete(lua_State *L, int idx, struct job *job)
{
    char id[ID_TEXT];
    const struct event *ev = &job->event;
    const struct json *body = bind_body(job);
    for (const struct json *c = json_is(body, JSON_OBJECT) ? body->first : NULL;
         c; c = c->next) {
        value_push(L, c);
        set_missing(L, idx, c->key.at);
    }
    if (ev->pos) { /* it is stored */
        value_push_slice(L, id_text(id, ID_MESSAGE, ev->pos));
        set_missing(L, idx, "id");
        lua_pushinteger(L, (lua_Integer)ev->seq);
        set_missing(L, idx, "seq");
    }
    lua_pushnumber(L, (lua_Number)ev->at);
    set_missing(L, idx, "at");
    set_sender(L, idx, ev);
    lua_pushnil(L);
    lua_rawseti(L, idx, 1);
    lua_pushnil(L);
    lua_setmetatable(L, idx);
}

static bool is_part(lua_State *L, int idx)
{
    if (!lua_istable(L, idx) || !lua_getmetatable(L, idx))
        return false;
    lua_pushlightuserdata(L, (void *)&meta_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

bool bind_complete(lua_State *L, int idx)
{
    int top = lua_gettop(L);
    if (!is_part(L, idx))
        return true;
    const struct task *t = bind_version(L)->running;
    lua_rawgeti(L, idx, 1);
    bool is_now = t && lua_tonumber(L, -1) == (lua_Number)t->id;
    if (is_now)
        complete(L, idx < 0 ? top + 1 + idx : idx, t->job);
    lua_settop(L, top);
    return is_now;
}

static void must_complete(lua_State *L)
{
    if (!bind_complete(L, 1))
        bind_raise(L, "this message belongs to an event that is over: what is "
                      "wanted of it later must be read in its own handler");
}

static int on_complete(lua_State *L)
{
    must_complete(L);
    return 0;
}

static int on_index(lua_State *L)
{
    lua_settop(L, 2);
    must_complete(L);
    lua_rawget(L, 1);
    return 1;
}

/* --- calling -------------------------------------------------------------- */

void bind_entry(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, bind_version(L)->enter);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
}

int bind_push_message(lua_State *L, const struct task *t)
{
    const struct job *job = t->job;
    lua_pushnumber(L, (lua_Number)t->id);
    value_push_slice(L, job->text); /* "" where there is none: msg.text:find */
    if (job->conv.id && slice_is(job->kind, "text"))
        return 2;
    value_push_slice(L, job->kind);
    lua_pushboolean(L, job->conv.id == 0);
    return 4;
}

/* Stack: env, native. */
void bind_msg(lua_State *L)
{
    struct version *v = bind_version(L);
    lua_pushcfunction(L, on_complete);
    lua_setfield(L, -2, "complete");
    chunk_push(L, enter_source, "=sandbox");
    lua_getglobal(L, "setmetatable");
    lua_rawgeti(L, LUA_REGISTRYINDEX, v->conv);
    lua_newtable(L);
    lua_pushcfunction(L, on_index);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, META);
    lua_setfield(L, -2, "__metatable");
    lua_pushlightuserdata(L, (void *)&meta_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
    lua_call(L, 3, 1);
    v->enter = luaL_ref(L, LUA_REGISTRYINDEX);
}
