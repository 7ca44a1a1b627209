/* SPDX-License-Identifier: Apache-2.0 */
/* bind_msg.c - msg: the message a handler is called with, and how it is called.
 *
 * A plain table to the author, made in two goes: text and kind at once, the
 * rest when it is first asked for, since most rules look at the text and pass.
 * Until then the table keeps its body as JSON text, so that it is whole also
 * when a script has kept it beyond its event. Whatever sees all fields (pairs,
 * next, JSON) completes it first.
 *
 * A handler of messages is called through a Lua closure that makes conv and
 * msg: two tables of one shape are copied there in less time than the C calls
 * for their first field take.
 *
 * Failure modes: a body that is not JSON has no further fields.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "script/bind_conv.h"
#include "script/chunk.h"
#include "script/worker.h"

#define EXACT 9007199254740992.0 /* 2^53 */
#define META "message" /* what getmetatable says of one that is not whole */

static const char meta_key = 0; /* its address: the metatable */

/* The places of what a message is completed from. */
enum part { PART_BODY = 1, PART_POS, PART_ROLE, PART_SEQ, PART_AT, PARTS };

/* The handler is called in tail position: tracebacks begin with it. */
static const char enter_source[] =
    "local setmetatable, conv, message = ...\n"
    "return function(handler)\n"
    "  return function(id, text, kind, body, pos, role, seq, at)\n"
    "    return handler(id and setmetatable({ id, false }, conv),\n"
    "      setmetatable({ body, pos, role, seq, at, text = text,\n"
    "        kind = kind }, message))\n"
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

static const struct json *tree_of(lua_State *L, struct slice body)
{
    const struct task *t = bind_version(L)->running;
    struct json *tree = NULL;
    if (t && slice_eq(t->job->event.body, body))
        return bind_body(t->job);
    /* A script may have put its own text there. */
    if (body.len > LIMIT_FRAME_BYTES ||
        json_parse(bind_arena(L), body, NULL, &tree) < 0)
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

static void set_number(lua_State *L, int idx, const char *name, enum part n)
{
    lua_rawgeti(L, idx, n);
    set_missing(L, idx, name);
}

/* A whole number below most, else 0: a script may have put anything there. */
static uint64_t number_at(lua_State *L, int idx, enum part part, double most)
{
    lua_rawgeti(L, idx, part);
    lua_Number n = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return n >= 0 && n < most ? (uint64_t)n : 0;
}

static void set_sender(lua_State *L, int idx)
{
    uint64_t role = number_at(L, idx, PART_ROLE, ROLE_BOT + 1);
    lua_createtable(L, 0, 1); /* a body that does not say who is the bot's */
    lua_pushstring(L, role_name((enum role)role));
    lua_setfield(L, -2, "role");
    set_missing(L, idx, "sender");
}

static void complete(lua_State *L, int idx)
{
    char id[ID_TEXT];
    struct slice body = {"", 0};
    lua_rawgeti(L, idx, PART_BODY); /* stays on the stack */
    if (lua_type(L, -1) == LUA_TSTRING)
        body.at = lua_tolstring(L, -1, &body.len);
    const struct json *tree = tree_of(L, body);
    for (const struct json *c = json_is(tree, JSON_OBJECT) ? tree->first : NULL;
         c; c = c->next) {
        value_push(L, c);
        set_missing(L, idx, c->key.at);
    }
    uint64_t pos = number_at(L, idx, PART_POS, EXACT);
    if (pos) { /* it is stored */
        value_push_slice(L, id_text(id, ID_MESSAGE, pos));
        set_missing(L, idx, "id");
        set_number(L, idx, "seq", PART_SEQ);
    }
    set_number(L, idx, "at", PART_AT);
    set_sender(L, idx);
    for (int i = PART_BODY; i < PARTS; i++) {
        lua_pushnil(L);
        lua_rawseti(L, idx, i);
    }
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

void bind_entry(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, bind_version(L)->enter);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
}

int bind_push_message(lua_State *L, const struct task *t)
{
    const struct job *job = t->job;
    const struct event *ev = &job->event;
    if (job->conv.id)
        lua_pushnumber(L, (lua_Number)t->id);
    else
        lua_pushnil(L);
    value_push_slice(L, job->text); /* "" where there is none: msg.text:find */
    value_push_slice(L, job->kind);
    value_push_slice(L, ev->body);
    lua_pushnumber(L, (lua_Number)ev->pos);
    lua_pushinteger(L, (lua_Integer)ev->role);
    lua_pushinteger(L, (lua_Integer)ev->seq);
    lua_pushnumber(L, (lua_Number)ev->at);
    return 8;
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
