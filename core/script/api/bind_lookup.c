/* SPDX-License-Identifier: Apache-2.0 */
/* bind_lookup.c - conversations, contacts and conv:messages: what the house
 * remembers, beside what the event brought.
 *
 * Happy path: the arguments become a filter, the house answers with JSON in the
 * shape scripts know. Failure modes: one thing that is not there is nil, many
 * are an empty list; trouble is nil, code, detail; a filter that makes no sense
 * raises.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "script/api/bind_conv.h"
#include "script/api/modules.h"
#include <string.h>

#define FILTER_BYTES 4096

/* --- asking --------------------------------------------------------------- */

/* What the filter says so far is in the call's buffer. */
static int ask(lua_State *L, const char *what, struct jsonw *w)
{
    struct task *t = bind_task(L, what);
    jsonw_close(w, '}');
    if (w->failed)
        bind_raise(L, "%s: the filter is too long", what);
    struct script_ask *a = task_ask(t, ASK_LOOKUP);
    a->data = slice_dup(a->arena, buf_slice(w->out));
    a->name = slice_dup(a->arena, slice_of(what));
    int got = task_wait_ask(t);
    lua_pushboolean(L, got == 0);
    return got == 0 ? 1 : 1 + bind_trouble_of(L, got, "");
}

static struct jsonw filter(lua_State *L)
{
    struct jsonw w = jsonw_on(bind_buf(L, FILTER_BYTES));
    jsonw_open(&w, '{');
    return w;
}

static int finish(lua_State *L)
{
    struct task *t = bind_task(L, "a lookup");
    const struct script_ask *a = t->answer;
    int got = bind_wait_result(L, t);
    if (got == ERR_NOT_FOUND) {
        lua_pushnil(L);
        return 1;
    }
    if (got < 0)
        return bind_trouble_of(L, got, a ? a->err.text : "");
    value_push_text(L, a->arena, a->data, NULL);
    return 1;
}

/* An id at arg, or in the field `id` of a table there. */
static struct slice id_at(lua_State *L, int arg, const char *prefix,
                          const char *what)
{
    uint64_t id;
    if (lua_istable(L, arg)) {
        lua_getfield(L, arg, "id");
        lua_replace(L, arg);
    }
    struct slice text = bind_slice(L, arg);
    if (!id_parse(text, prefix, &id))
        bind_raise(L, "%s must be an id such as \"%s_...\"", what, prefix);
    return text;
}

/* Puts the named texts of the table at arg; others raise. The number of those
 * that were there. */
static int put_fields(lua_State *L, int arg, struct jsonw *w,
                      const char *const *names, const char *what)
{
    int n = 0;
    bind_table(L, arg, what, "a table");
    for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
        const char *name =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        int i = 0;
        while (names[i] && strcmp(names[i], name) != 0)
            i++;
        if (!names[i])
            bind_raise(L, "%s: unknown field '%s'", what, name);
        if (strcmp(name, "limit") == 0)
            continue; /* put_number */
        if (lua_type(L, -1) != LUA_TSTRING)
            bind_raise(L, "%s: %s must be a text", what, name);
        struct slice s = bind_slice(L, -1);
        if (!slice_is_utf8(s))
            bind_raise(L, "%s: %s must be UTF-8 text", what, name);
        jsonw_put_text(w, name, s);
        n++;
    }
    return n;
}

static void put_number(lua_State *L, int table, struct jsonw *w,
                       const char *name, lua_Number most)
{
    lua_getfield(L, table, name);
    if (!lua_isnil(L, -1)) {
        lua_Number n = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER || !(n >= 1 && n <= most))
            bind_raise(L, "%s must be a number from 1 to %d", name, (int)most);
        jsonw_put_int(w, name, (int64_t)n);
    }
    lua_pop(L, 1);
}

/* --- conversations -------------------------------------------------------- */

static int conversations_get(lua_State *L)
{
    struct slice id = id_at(L, 1, ID_CONVERSATION, "conversations.get: it");
    struct jsonw w = filter(L);
    jsonw_put_text(&w, "id", id);
    return ask(L, "conversation", &w);
}

/* conversations.of(contact or its id, { state =, limit = }) */
static int conversations_of(lua_State *L)
{
    static const char *const names[] = {"state", "limit", NULL};
    struct slice id = id_at(L, 1, ID_CONTACT, "conversations.of: the contact");
    struct jsonw w = filter(L);
    jsonw_put_text(&w, "contact", id);
    if (!lua_isnoneornil(L, 2)) {
        put_fields(L, 2, &w, names, "conversations.of");
        put_number(L, 2, &w, "limit", LIMIT_LIST);
    }
    return ask(L, "conversations", &w);
}

/* conversations.messages(id, { limit =, before = }) */
static int ask_messages(lua_State *L, struct slice id, int options)
{
    struct jsonw w = filter(L);
    jsonw_put_text(&w, "conversation", id);
    if (!lua_isnoneornil(L, options)) {
        luaL_checktype(L, options, LUA_TTABLE);
        put_number(L, options, &w, "limit", LIMIT_LIST);
        put_number(L, options, &w, "before", INT32_MAX);
    }
    return ask(L, "messages", &w);
}

static int conversations_messages(lua_State *L)
{
    return ask_messages(
        L, id_at(L, 1, ID_CONVERSATION, "conversations.messages: it"), 2);
}

static int conv_messages(lua_State *L)
{
    char id[ID_TEXT];
    const struct task *t = conv_task(L);
    return ask_messages(L, id_text(id, ID_CONVERSATION, t->job->conv.id), 2);
}

/* --- contacts ------------------------------------------------------------- */

static int contacts_get(lua_State *L)
{
    struct slice id = id_at(L, 1, ID_CONTACT, "contacts.get: it");
    struct jsonw w = filter(L);
    jsonw_put_text(&w, "id", id);
    return ask(L, "contact", &w);
}

static int contacts_find(lua_State *L)
{
    static const char *const names[] = {"user_id", "email",   "phone",
                                        "name",    "channel", NULL};
    struct jsonw w = filter(L);
    int n = put_fields(L, 1, &w, names, "contacts.find");
    lua_getfield(L, 1, "channel");
    if (n - !lua_isnil(L, -1) < 1)
        bind_raise(L, "contacts.find: say user_id, email, phone or name");
    return ask(L, "contacts", &w);
}

/* --- the reference -------------------------------------------------------- */

static const struct api_call conversation_calls[] = {
    {"get", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(id: string): ConversationRecord|nil, string?, string?",
     "Another conversation as it is on disk, with its contact; nil if there is "
     "none. What the running event has changed is not in it yet.",
     "1"},
    {"of", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(contact: string|Contact, options?: { state?: State, limit?: integer }): "
     "ConversationRecord[]|nil, string?, string?",
     "A person's conversations, the one with the newest message first; 20 of "
     "them unless limit (at most 100) says otherwise."
     "\n\nfor _, old in ipairs(conversations.of(conv.contact, { state = "
     "\"closed\" })) do\n  if old.assignee then return conv:assign { agent = "
     "old.assignee } end\nend",
     "1"},
    {"messages", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(id: string|ConversationRecord, options?: { limit?: integer, before?: "
     "integer }): Message[]|nil, string?, string?",
     "The messages of a conversation, oldest first: the last 20, or limit (at "
     "most 100) of them, or those before that seq. Private notes are among "
     "them (private = true).",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill_conversations(lua_State *L)
{
    const struct api_module *m = &conversations_module;
    api_waits(L, m, "get", conversations_get, finish);
    api_waits(L, m, "of", conversations_of, finish);
    api_waits(L, m, "messages", conversations_messages, finish);
}

const struct api_module conversations_module = {
    .name = "conversations",
    .doc = "Other conversations than the event's.",
    .calls = conversation_calls,
    .fill = fill_conversations};

void conv_fill_messages(lua_State *L)
{
    api_waits(L, &conversation_module, "messages", conv_messages, finish);
}

static const struct api_call contact_calls[] = {
    {"get", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(id: string): Contact|nil, string?, string?",
     "The person with this id; nil if there is none.", "1"},
    {"find", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(who: { user_id?: string, email?: string, phone?: string, name?: string, "
     "channel?: string }): Contact[]|nil, string?, string?",
     "Everybody to whom all of it applies, newest first, at most 100; the same "
     "person may be known on several channels. An e-mail address fits in "
     "capitals, too."
     "\n\nlocal known = contacts.find { email = \"anna@example.com\" }\n"
     "if known and known[1] then return end",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill_contacts(lua_State *L)
{
    api_waits(L, &contacts_module, "get", contacts_get, finish);
    api_waits(L, &contacts_module, "find", contacts_find, finish);
}

const struct api_module contacts_module = {.name = "contacts",
                                           .doc = "The people who write to us.",
                                           .calls = contact_calls,
                                           .fill = fill_contacts};
