/* SPDX-License-Identifier: Apache-2.0 */
/* bind_acts.c - what a handler may do with its conversation.
 *
 * Every act becomes an effect of the job and changes the job's copy of the
 * conversation, so that later rules see it. Failure modes: the 51st effect is
 * refused; wrong arguments raise; an agent or team nobody knows is nil,
 * "not_found", sentence.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "script/api/bind_conv.h"
#include "script/api/modules.h"
#include "script/flow/flowcall.h"
#include <string.h>

#define WITHIN_LEAST_MS 1000
#define WITHIN_MOST_MS (24LL * 3600 * 1000)
#define AFTER_MOST_MS (400LL * 24 * 3600 * 1000)
#define PRIORITY_MOST 1000

/* --- messages ------------------------------------------------------------- */

bool bind_is_kind(struct slice s)
{
    static const char *const kinds[] = {"text",  "image",    "file", "audio",
                                        "video", "location", "card"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (slice_is(s, kinds[i]))
            return true;
    return false;
}

struct slice bind_table_text(lua_State *L, int idx, const char *field)
{
    struct slice s = {"", 0};
    lua_pushstring(L, field);
    lua_rawget(L, idx);
    if (lua_type(L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(L, -1, &s.len); /* the table keeps it alive */
    lua_pop(L, 1);
    return s;
}

/* conv:reply("text") or conv:reply{ kind = "card", ... } */
static int conv_reply(lua_State *L)
{
    struct task *t = conv_task(L);
    bind_room(L, t, EFFECT_REPLY);
    if (lua_type(L, 2) != LUA_TTABLE) {
        bind_text(L, 2, LIMIT_TEXT_BYTES, "reply: the text");
        lua_createtable(L, 0, 2);
        lua_pushliteral(L, "text");
        lua_setfield(L, -2, "kind");
        lua_pushvalue(L, 2);
        lua_setfield(L, -2, "text");
        lua_replace(L, 2);
    }
    struct slice kind = bind_table_text(L, 2, "kind");
    struct slice text = bind_table_text(L, 2, "text");
    if (!bind_is_kind(kind))
        return luaL_error(L, "reply: kind must be text, image, file, audio, "
                             "video, location or card");
    if (text.len > LIMIT_TEXT_BYTES || (slice_is(kind, "text") && !text.len))
        return luaL_error(L, "reply: the text must have 1 to %d bytes",
                          LIMIT_TEXT_BYTES);
    struct slice body = bind_json_of(L, 2, LIMIT_FRAME_BYTES, "reply");
    struct effect *e = bind_effect(L, t, EFFECT_REPLY);
    e->text = bind_kept(t, text);
    e->body = body;
    return 0;
}

static int conv_note(lua_State *L)
{
    struct task *t = conv_task(L);
    struct slice text = bind_text(L, 2, LIMIT_TEXT_BYTES, "note: the text");
    bind_effect(L, t, EFFECT_NOTE)->text = bind_kept(t, text);
    return 0;
}

/* --- who answers ---------------------------------------------------------- */

static const struct agent_view *find_agent(const struct roster *r,
                                           struct slice who)
{
    uint64_t id = 0;
    bool is_id = id_parse(who, ID_AGENT, &id);
    for (size_t i = 0; r && i < r->count; i++) {
        const struct agent_view *a = &r->agents[i];
        if (is_id ? a->id == id : slice_eq(a->email, who))
            return a;
    }
    return NULL;
}

static const struct team_view *find_team(const struct roster *r,
                                         struct slice who)
{
    uint64_t id = 0;
    bool is_id = id_parse(who, ID_TEAM, &id);
    for (size_t i = 0; r && i < r->team_count; i++) {
        const struct team_view *team = &r->teams[i];
        if (is_id ? team->id == id : slice_eq(team->name, who))
            return team;
    }
    return NULL;
}

/* One field of assign's table; its value is on top of the stack. */
static void check_assign_field(lua_State *L, const char *name)
{
    static const char *const texts[] = {"agent", "team", "ai",
                                        "pick",  "note", NULL};
    for (int i = 0; texts[i]; i++) {
        if (strcmp(name, texts[i]) != 0)
            continue;
        if (lua_type(L, -1) != LUA_TSTRING)
            bind_raise(L, "assign: %s must be a text", name);
        return;
    }
    if (strcmp(name, "queue") != 0 && strcmp(name, "within") != 0)
        bind_raise(L,
                   "assign: unknown field '%s' (known are agent, team, ai, "
                   "queue, pick, within, note)",
                   name);
}

static void check_assign(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    int n = 0;
    for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1), n++) {
        if (lua_type(L, -2) != LUA_TSTRING)
            bind_raise(L, "assign: named fields only");
        check_assign_field(L, lua_tostring(L, -2));
    }
    if (n == 0)
        bind_raise(L, "assign: say agent, team, ai, queue or pick");
    struct slice pick = bind_table_text(L, 2, "pick");
    if (pick.len && !slice_is(pick, "least_busy") &&
        !slice_is(pick, "round_robin"))
        bind_raise(L, "assign: pick must be \"least_busy\" or "
                      "\"round_robin\"");
}

/* within = "30s": ms, 0 = not said. */
static int64_t assign_within(lua_State *L, bool to_bot)
{
    lua_getfield(L, 2, "within");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return 0;
    }
    int64_t ms = bind_duration(L, lua_gettop(L), "assign: within");
    lua_pop(L, 1);
    if (to_bot || ms < WITHIN_LEAST_MS || ms > WITHIN_MOST_MS)
        luaL_error(L, to_bot ? "assign: within is for people, not for ai"
                             : "assign: within is 1s to 1d");
    return ms;
}

static int assign(lua_State *L)
{
    struct task *t = conv_task(L);
    check_assign(L);
    struct slice agent = bind_table_text(L, 2, "agent");
    struct slice team = bind_table_text(L, 2, "team");
    struct slice note = bind_table_text(L, 2, "note");
    struct slice ai = bind_table_text(L, 2, "ai");
    if (ai.len > LIMIT_NAME_BYTES || (ai.len && (agent.len || team.len)))
        return luaL_error(L, "assign: either ai, or agent, or team");
    int64_t within = assign_within(L, ai.len > 0);
    const struct agent_view *a = find_agent(t->job->roster, agent);
    const struct team_view *m = find_team(t->job->roster, team);
    if (agent.len && !a)
        return bind_trouble(L, "not_found", "there is no such agent");
    if (team.len && !m)
        return bind_trouble(L, "not_found", "there is no such team");
    if (note.len > LIMIT_TEXT_BYTES || !slice_is_utf8(note))
        return luaL_error(L, "assign: the note is no text or too long");
    if (note.len)
        bind_effect(L, t, EFFECT_NOTE)->text = bind_kept(t, note);
    struct effect *e = bind_effect(L, t, EFFECT_ASSIGN);
    e->agent = a ? a->id : 0;
    e->team = m ? m->id : 0;
    e->name = bind_kept(t, ai);
    e->number = within;
    e->pick = bind_kept(t, bind_table_text(L, 2, "pick"));
    lua_pushboolean(L, 1);
    return 1;
}

/* conv:assign{ agent =, team =, queue =, pick =, within =, note = } */
static int conv_assign(lua_State *L)
{
    return flowcall_once(L, "assign", assign);
}

static int conv_queue(lua_State *L)
{
    bind_effect(L, conv_task(L), EFFECT_ASSIGN);
    lua_pushboolean(L, 1);
    return 1;
}

static int conv_hand_back(lua_State *L)
{
    struct effect *e = bind_effect(L, conv_task(L), EFFECT_ASSIGN);
    e->name = SLICE("*");
    lua_pushboolean(L, 1);
    return 1;
}

static int conv_close(lua_State *L)
{
    bind_effect(L, conv_task(L), EFFECT_CLOSE);
    lua_pushboolean(L, 1);
    return 1;
}

static int conv_snooze(lua_State *L)
{
    struct task *t = conv_task(L);
    int64_t ms = bind_duration(L, 2, "snooze");
    bind_effect(L, t, EFFECT_SNOOZE)->number = bind_now(L) + ms;
    lua_pushboolean(L, 1);
    return 1;
}

/* --- what the conversation remembers -------------------------------------- */

static struct json *parsed(lua_State *L, struct slice json)
{
    struct json *j = NULL;
    if (json.len && json_parse(bind_arena(L), json, NULL, &j) < 0)
        j = NULL;
    return j;
}

static bool has_tag(const struct json *tags, struct slice tag)
{
    if (!json_is(tags, JSON_ARRAY))
        return false;
    for (const struct json *c = tags->first; c; c = c->next)
        if (c->type == JSON_STRING && slice_eq(c->text, tag))
            return true;
    return false;
}

/* The job's copy of the tags with one more, or one less. */
static void write_tags(lua_State *L, struct task *t, const struct json *tags,
                       struct slice tag, bool with)
{
    struct buf *out = bind_buf(L, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '[');
    for (const struct json *c = json_is(tags, JSON_ARRAY) ? tags->first : NULL;
         c; c = c->next)
        if (c->type == JSON_STRING && !slice_eq(c->text, tag))
            jsonw_text(&w, c->text);
    if (with)
        jsonw_text(&w, tag);
    jsonw_close(&w, ']');
    if (!w.failed)
        t->job->conv.tags = bind_kept(t, buf_slice(out));
    conv_forget(L, "tags");
}

static int change_tag(lua_State *L, bool with)
{
    struct task *t = conv_task(L);
    struct slice tag = bind_text(L, 2, LIMIT_TAG_BYTES, "a tag");
    const struct json *tags = parsed(L, t->job->conv.tags);
    if (has_tag(tags, tag) == with)
        return 0; /* nothing to do */
    if (with && json_is(tags, JSON_ARRAY) && tags->count >= LIMIT_TAGS)
        return luaL_error(L, "too many tags (at most %d)", LIMIT_TAGS);
    bind_effect(L, t, with ? EFFECT_TAG : EFFECT_UNTAG)->text =
        bind_kept(t, tag);
    write_tags(L, t, tags, tag, with);
    return 0;
}

static int conv_tag(lua_State *L)
{
    return change_tag(L, true);
}

static int conv_untag(lua_State *L)
{
    return change_tag(L, false);
}

static int conv_has_tag(lua_State *L)
{
    struct task *t = conv_task(L);
    struct slice tag = bind_slice(L, 2);
    lua_pushboolean(L, has_tag(parsed(L, t->job->conv.tags), tag));
    return 1;
}

static int conv_set_priority(lua_State *L)
{
    struct task *t = conv_task(L);
    lua_Number n = luaL_checknumber(L, 2);
    if (!(n >= -PRIORITY_MOST && n <= PRIORITY_MOST) || n != (int32_t)n)
        return luaL_error(L, "priority must be a whole number from %d to %d",
                          -PRIORITY_MOST, PRIORITY_MOST);
    bind_effect(L, t, EFFECT_PRIORITY)->number = (int64_t)n;
    t->job->conv.priority = (int32_t)n;
    conv_forget(L, "priority");
    return 0;
}

static void write_attribute(lua_State *L, struct task *t, struct slice name,
                            struct slice value)
{
    const struct json *all = parsed(L, t->job->conv.attributes);
    struct buf *out = bind_buf(L, LIMIT_BODY_BYTES);
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    for (const struct json *c = json_is(all, JSON_OBJECT) ? all->first : NULL;
         c; c = c->next) {
        if (slice_eq(c->key, name))
            continue;
        jsonw_key(&w, c->key.at); /* NUL-terminated: keys with NUL end there */
        jsonw_value(&w, c);
    }
    if (!slice_is(value, "null")) {
        jsonw_key(&w, name.at);
        jsonw_raw(&w, value);
    }
    jsonw_close(&w, '}');
    if (w.failed)
        bind_raise(L, "set: the attributes grow too large");
    t->job->conv.attributes = bind_kept(t, buf_slice(out));
    conv_forget(L, "attributes");
}

/* conv:set(name, value); nil takes it away */
static int conv_set(lua_State *L)
{
    struct task *t = conv_task(L);
    lua_settop(L, 3);
    bind_room(L, t, EFFECT_SET);
    struct slice name =
        bind_kept(t, bind_text(L, 2, LIMIT_TAG_BYTES, "set: the name"));
    struct slice value = bind_json_of(L, 3, LIMIT_KV_VALUE, "set");
    struct effect *e = bind_effect(L, t, EFFECT_SET);
    e->name = name;
    e->data = value;
    write_attribute(L, t, name, value);
    return 0;
}

static int conv_get(lua_State *L)
{
    struct task *t = conv_task(L);
    const char *name = luaL_checkstring(L, 2);
    const struct json *all = parsed(L, t->job->conv.attributes);
    value_push(L, json_get(all, name));
    return 1;
}

/* conv:after("10m", name, data) -> on_timer(conv, name, data) */
static int conv_after(lua_State *L)
{
    struct task *t = conv_task(L);
    lua_settop(L, 4);
    int64_t ms = bind_duration(L, 2, "after");
    bind_room(L, t, EFFECT_ALARM);
    if (ms > AFTER_MOST_MS)
        return luaL_error(L, "after: at most 400 days");
    struct slice name =
        bind_kept(t, bind_text(L, 3, LIMIT_NAME_BYTES, "after: the name"));
    struct slice data = bind_json_of(L, 4, LIMIT_KV_VALUE, "after");
    if (t->version->hook[HOOK_TIMER] < 0)
        return luaL_error(L, "after: this script has no on_timer");
    struct effect *e = bind_effect(L, t, EFFECT_ALARM);
    e->name = name;
    e->data = data;
    e->number = bind_now(L) + ms;
    return 0;
}

/* --- the reference ------------------------------------------------------- */

#define FIELD(name, type, doc)                                                 \
    {                                                                          \
        name, NULL, API_RULES, API_FIELD, type, doc, "1"                       \
    }
#define ACT(name, fn, where, signature, doc)                                   \
    {                                                                          \
        name, fn, where, API_METHOD, signature, doc, "1"                       \
    }

static const struct api_call calls[] = {
    FIELD("id", "string", "\"cv_...\"."),
    FIELD("state", "State",
          "Who has it: \"bot\", \"queued\", \"open\", \"snoozed\" or "
          "\"closed\"."),
    FIELD("channel", "{ id: string, type: string }", "Where it comes from."),
    FIELD("assignee", "string|nil", "The agent's id."),
    FIELD("assistant", "string|nil",
          "The assistant's name: the one that holds it (state \"bot\"), or "
          "held it last."),
    FIELD("team", "string|nil", "The team's id."),
    FIELD("priority", "integer",
          "0 is normal; higher comes first in the queue."),
    FIELD("tags", "string[]", "As conv:tag and conv:untag left them."),
    FIELD("attributes", "table<string, any>", "What conv:set remembered."),
    FIELD("contact", "Contact", "The person."),
    FIELD("last_seq", "integer", "Number of the last message."),
    FIELD("unread", "integer",
          "Messages of the visitor that no agent has seen."),
    FIELD("created_at", "integer", "Ms since 1970."),
    ACT("reply", conv_reply, API_ACTS, "(message: string|Body)",
        "Says something as the bot. A text of at most 16 KiB, or a table of "
        "any kind (see Body); message.card and its like make such tables. "
        "Counts "
        "when the handler returns "
        "or waits.\n\nconv:reply \"We are back at 9:00.\"\n"
        "conv:reply(message.card { title = \"Was this helpful?\", buttons = "
        "{\n  "
        "{ label = \"Yes\", value = \"yes\" }, { label = \"No\", value = "
        "\"no\" } } })"),
    ACT("edit", conv_edit, API_SCREENS, "(fields: table)",
        "Changes the message before it is stored: each field takes the place "
        "of the message's, json.null takes it away; id, seq, at, ref and "
        "sender stay. Later rules see the changed message."
        "\n\nconv:edit { text = hidden, original_language = \"de\" }"),
    ACT("reject", conv_reject, API_SCREENS, "(reason: string): Decision",
        "Refuses the message: it is not stored, its sender is told the "
        "reason, and no further rule is asked."
        "\n\nreturn conv:reject \"no card numbers, please\""),
    ACT("set_contact", conv_set_contact, API_CONV, "(fields: ContactChange)",
        "Changes what the house knows of the person: name, email, phone, "
        "tier, tags (the whole list), attributes (merged; json.null takes one "
        "away).\n\nconv:set_contact { tier = \"vip\", attributes = { city = "
        "\"Bremen\" } }"),
    ACT("note", conv_note, API_ACTS, "(text: string)",
        "Leaves a private note: agents see it, visitors never."),
    ACT("assign", conv_assign, API_ACTS,
        "(to: Assignment): Decision|nil, string?, string?",
        "Gives the conversation to an agent, to a team, to an assistant or to "
        "the queue. A "
        "decision; or nil, \"not_found\", detail when there is no such "
        "agent or team. pick says how one of several is chosen: \"least_busy\" "
        "(the default) or \"round_robin\"; nobody with room = the queue. "
        "within: "
        "after that time without a look at it another one gets it."
        "\n\nif conv.contact.tier == \"vip\" then\n  return conv:assign { team "
        "= \"vip\", pick = \"round_robin\" }\nend\nreturn conv:assign { agent "
        "= \"mei@example.com\", note = \"third time today\" }"),
    ACT("queue", conv_queue, API_ACTS, "(): Decision",
        "Lets it wait for the first agent with room; the same as conv:assign { "
        "queue = true }."),
    ACT("hand_back", conv_hand_back, API_ACTS, "(): Decision",
        "Gives the conversation back to the assistant that held it last."),
    ACT("close", conv_close, API_ACTS, "(): Decision",
        "Ends the conversation."),
    ACT("snooze", conv_snooze, API_ACTS, "(time: Duration): Decision",
        "Puts it out of sight for a time; a message of the visitor wakes it."),
    ACT("tag", conv_tag, API_CONV, "(tag: string)",
        "Adds a tag. At most 30, of at most 64 bytes.\n\nconv:tag \"refund\""),
    ACT("untag", conv_untag, API_CONV, "(tag: string)", "Takes a tag away."),
    ACT("has_tag", conv_has_tag, API_RULES, "(tag: string): boolean",
        "Has it this tag?"),
    ACT("set_priority", conv_set_priority, API_CONV, "(n: integer)",
        "Sets its place in the queue: 0 is normal, higher comes first."),
    ACT("set", conv_set, API_CONV, "(name: string, value: any)",
        "Remembers a value with the conversation, on disk. Any value that has "
        "a JSON form; nil forgets.\n\nconv:set(\"order\", { id = \"A17\", paid "
        "= true })"),
    ACT("get", conv_get, API_RULES, "(name: string): any",
        "What conv:set remembered under this name, or nil."),
    ACT("after", conv_after, API_ACTS,
        "(time: Duration, name: string, data?: any)",
        "Sets an alarm that is kept on disk: on_timer(conv, name, data) runs "
        "then, also after a restart. At most 400 days."
        "\n\nconv:after(\"2d\", \"survey\")"),
    {"is_open_hours", NULL, API_RULES, API_LUA | API_METHOD,
     "(at?: integer): boolean",
     "Is the house open, now or at that moment? Asks scripts/lib/hours.lua, "
     "which returns a time.business_hours."
     "\n\nif not conv:is_open_hours() then conv:reply \"We are back at 9:00.\" "
     "end",
     "1"},
    {"messages", NULL, API_RULES, API_LUA | API_WAITS | API_METHOD,
     "(options?: { limit?: integer, before?: integer }): Message[]|nil, "
     "string?, string?",
     "What was said so far, oldest first: the last 20, or limit (at most 100) "
     "of them, or those before that seq. Private notes are among them (private "
     "= true).\n\nlocal said = conv:messages { limit = 10 }",
     "1"},
    ACT("live", conv_live, API_IN(HOOK_FLOW), "(): table",
        "The conversation as it is now, as a plain table of conv's fields. "
        "conv itself shows a flow what was when it began, and what it has "
        "changed since. A step of its own: played again, it gives the same."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill(lua_State *L)
{
    conv_fill_messages(L);
    api_native(L, "is_open_hours");
    lua_setfield(L, -2, "is_open_hours");
}

const struct api_module conversation_module = {
    .name = "Conversation",
    .doc = "The conversation a handler is called for. It belongs to its event "
           "and is refused after it. Fields cannot be set; after conv:tag and "
           "its like they show the new value.",
    .calls = calls,
    .is_object = true,
    .fill = fill};
