/* SPDX-License-Identifier: Apache-2.0 */
/* bind_conv.c - conv and msg: what a handler sees.
 *
 * conv is an object; its fields are made when they are first asked for and
 * kept in the object's own table. What may be done with it is in bind_acts.c.
 * Failure modes: a conv kept from an earlier event is refused; a field that
 * does not exist raises, so that a misspelt one is found.
 */
#include "script/api/bind_conv.h"
#include "base/clock.h"
#include "script/api/modules.h"
#include "script/run/worker.h"
#include <string.h>

/* The object is a table: whose it is, and the fields made so far (false until
 * there are some). Nothing else is ever in it, so that every other name goes
 * through its metatable. */
enum slot { SLOT_ID = 1, SLOT_MADE };

/* --- whose conv ----------------------------------------------------------- */

struct task *conv_task(lua_State *L)
{
    const struct version *v = bind_version(L);
    bool is_conv = false;
    if (lua_istable(L, 1) && lua_getmetatable(L, 1)) {
        is_conv = lua_topointer(L, -1) == v->conv_meta;
        lua_pop(L, 1);
    }
    if (!is_conv)
        bind_raise(L, "call it with a colon: conv:name(...)");
    struct task *t = v->running ? v->running : bind_task(L, "conv");
    lua_rawgeti(L, 1, SLOT_ID);
    bool is_now = lua_tonumber(L, -1) == (lua_Number)t->id;
    lua_pop(L, 1);
    if (!is_now)
        bind_raise(L, "this conv belongs to an event that is over");
    return t;
}

bool bind_is_conv(lua_State *L, int idx)
{
    if (!lua_getmetatable(L, idx))
        return false;
    lua_pushliteral(L, "__metatable");
    lua_rawget(L, -2);
    bool is = lua_type(L, -1) == LUA_TSTRING &&
              strcmp(lua_tostring(L, -1), "conv") == 0;
    lua_pop(L, 2);
    return is;
}

/* bind_msg.c makes the same in Lua. */
void bind_push_conv(lua_State *L, struct task *t)
{
    lua_createtable(L, 2, 0);
    lua_pushnumber(L, (lua_Number)t->id);
    lua_rawseti(L, -2, SLOT_ID);
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->version->conv);
    lua_setmetatable(L, -2);
}

/* Pushes the table of the fields made so far, or what is none. */
static void push_made(lua_State *L)
{
    lua_rawgeti(L, 1, SLOT_MADE);
}

/* Keeps the value on top as the field of that name. */
static void keep_made(lua_State *L, const char *field)
{
    push_made(L);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 1, SLOT_MADE);
    }
    lua_pushstring(L, field);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3); /* a script may have put its own table there */
    lua_pop(L, 1);
}

void conv_forget(lua_State *L, const char *field)
{
    push_made(L);
    if (lua_istable(L, -1)) {
        lua_pushstring(L, field);
        lua_pushnil(L);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
}

/* --- fields --------------------------------------------------------------- */

static void push_id(lua_State *L, const char *prefix, uint64_t id)
{
    char text[ID_TEXT];
    if (id)
        value_push_slice(L, id_text(text, prefix, id));
    else
        lua_pushnil(L);
}

static void set_text(lua_State *L, const char *field, struct slice s)
{
    if (!s.len)
        return;
    value_push_slice(L, s);
    lua_setfield(L, -2, field);
}

static void push_json(lua_State *L, struct slice json, bool array)
{
    if (json.len > 2) { /* more than [] */
        value_push_text(L, bind_arena(L), json, NULL);
        if (lua_istable(L, -1))
            return;
        lua_pop(L, 1);
    }
    lua_newtable(L);
    if (array)
        value_mark_array(L, lua_gettop(L));
}

static void push_contact(lua_State *L, const struct contact *c)
{
    lua_newtable(L);
    push_id(L, ID_CONTACT, c->id);
    lua_setfield(L, -2, "id");
    set_text(L, "user_id", c->identity);
    set_text(L, "name", c->name);
    set_text(L, "email", c->email);
    set_text(L, "phone", c->phone);
    set_text(L, "tier", c->tier);
    push_json(L, c->tags, true);
    lua_setfield(L, -2, "tags");
    push_json(L, c->attributes, false);
    lua_setfield(L, -2, "attributes");
}

static void push_channel(lua_State *L, const struct conversation *c)
{
    lua_newtable(L);
    push_id(L, ID_CHANNEL, c->channel);
    lua_setfield(L, -2, "id");
    set_text(L, "type", c->channel_type);
}

enum field {
    FIELD_ID,
    FIELD_STATE,
    FIELD_CHANNEL,
    FIELD_ASSIGNEE,
    FIELD_TEAM,
    FIELD_PRIORITY,
    FIELD_TAGS,
    FIELD_ATTRIBUTES,
    FIELD_CONTACT,
    FIELD_LAST_SEQ,
    FIELD_UNREAD,
    FIELD_CREATED_AT,
    FIELD_ASSISTANT,
    FIELD_COUNT
};
static const char *const field_names[] = {
    "id",       "state",      "channel",    "assignee", "team",
    "priority", "tags",       "attributes", "contact",  "last_seq",
    "unread",   "created_at", "assistant"};

static void push_field(lua_State *L, const struct job *job, enum field f)
{
    const struct conversation *c = &job->conv;
    switch (f) {
    case FIELD_ID:
        push_id(L, ID_CONVERSATION, c->id);
        return;
    case FIELD_STATE:
        lua_pushstring(L, conv_state_name(c->state));
        return;
    case FIELD_CHANNEL:
        push_channel(L, c);
        return;
    case FIELD_ASSIGNEE:
        push_id(L, ID_AGENT, c->assignee);
        return;
    case FIELD_TEAM:
        push_id(L, ID_TEAM, c->team);
        return;
    case FIELD_PRIORITY:
        lua_pushinteger(L, c->priority);
        return;
    case FIELD_TAGS:
        push_json(L, c->tags, true);
        return;
    case FIELD_ATTRIBUTES:
        push_json(L, c->attributes, false);
        return;
    case FIELD_CONTACT:
        push_contact(L, &job->contact);
        return;
    case FIELD_LAST_SEQ:
        lua_pushinteger(L, c->last_seq);
        return;
    case FIELD_UNREAD:
        lua_pushinteger(L, c->unread);
        return;
    case FIELD_CREATED_AT:
        lua_pushnumber(L, (lua_Number)c->created_at);
        return;
    case FIELD_ASSISTANT:
        if (!c->bot.len)
            break;
        value_push_slice(L, c->bot);
        return;
    case FIELD_COUNT:
        break;
    }
    lua_pushnil(L);
}

void bind_push_fields(lua_State *L, const struct job *job)
{
    lua_createtable(L, 0, FIELD_COUNT);
    for (int f = 0; f < FIELD_COUNT; f++) {
        push_field(L, job, (enum field)f);
        lua_setfield(L, -2, field_names[f]);
    }
}

/* conv.field and conv.method; upvalue 1: methods, nil as long as nobody asked
 * for one; 2: field numbers. */
static int conv_index(lua_State *L)
{
    struct task *t = conv_task(L);
    if (lua_isnil(L, lua_upvalueindex(1))) {
        api_methods(L, &conversation_module);
        lua_replace(L, lua_upvalueindex(1));
    }
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (!lua_isnil(L, -1))
        return 1;
    push_made(L);
    if (lua_istable(L, -1)) {
        lua_pushvalue(L, 2);
        lua_rawget(L, -2);
        if (!lua_isnil(L, -1))
            return 1;
    }
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(2));
    if (lua_isnil(L, -1))
        bind_raise(L, "conv has no field or method '%s'",
                   lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?");
    ptrdiff_t f = lua_tointeger(L, -1);
    must(f >= 0 && f < FIELD_COUNT);
    push_field(L, t->job, (enum field)f);
    if (t->play)
        return 1; /* what a step sees is not what the flow sees behind it */
    keep_made(L, field_names[f]);
    return 1;
}

static int conv_newindex(lua_State *L)
{
    return luaL_error(L, "conv's fields cannot be set; use conv:set(name, "
                         "value), conv:tag(name), conv:set_priority(n)");
}

/* --- the object ---------------------------------------------------------- */

void bind_conv(lua_State *L)
{
    struct version *v = bind_version(L);
    lua_newtable(L);
    v->conv_meta = lua_topointer(L, -1);
    lua_pushnil(L);
    lua_newtable(L);
    for (int f = 0; f < FIELD_COUNT; f++) {
        lua_pushinteger(L, f);
        lua_setfield(L, -2, field_names[f]);
    }
    lua_pushcclosure(L, conv_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, conv_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushliteral(L, "conv");
    lua_setfield(L, -2, "__metatable");
    v->conv = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* --- the reference of msg ------------------------------------------------ */

#define FIELD(name, type, doc)                                                 \
    {                                                                          \
        name, NULL, API_HANDLERS, API_FIELD, type, doc, "1"                    \
    }

static const struct api_call message_fields[] = {
    FIELD("id", "string", "\"m_...\"."),
    FIELD("seq", "integer", "Its number in the conversation: 1, 2, 3 ..."),
    FIELD("kind", "Kind", "What it is: \"text\", \"image\" ..."),
    FIELD("text", "string", "The text; \"\" where there is none."),
    FIELD("at", "integer", "Ms since 1970."),
    FIELD("sender", "{ role: string, id: string, name?: string }",
          "Who says it; role is \"visitor\", \"agent\" or \"bot\"."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module message_module = {
    .name = "Message",
    .doc = "A message: a plain table with these fields and those of its kind "
           "(url, title ...; see Body).",
    .calls = message_fields,
    .is_object = true};
