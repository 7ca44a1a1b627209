/* SPDX-License-Identifier: Apache-2.0 */
/* bind_assist.c - what connectors and tools are given.
 *
 * Happy path: plain tables in; ctx.write hands a piece of the answer to the
 * house and waits until more may come; the rest of ctx is kept in Lua
 * (lua/assist.lua) and comes home with what the function returned. Failure
 * modes: nobody wants the answer any more: nil, "cancelled".
 */
#include "script/api/bind_assist.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "script/api/api.h"
#include "script/api/modules.h"
#include "script/load/chunk.h"
#include "script/load/unit.h"
#include <string.h>

static const char entry_key = 0; /* its address: lua/assist.lua */

static void set_text(lua_State *L, const char *field, struct slice s)
{
    value_push_slice(L, s);
    lua_setfield(L, -2, field);
}

static void push_json(lua_State *L, struct slice json)
{
    struct arena *a = arena_new();
    if (!json.len || value_push_text(L, a, json, NULL) < 0)
        lua_newtable(L);
    arena_free(a);
}

/* ctx: what the roof says beside, the settings, the assistant, write. */
static void push_context(lua_State *L, const struct job *job)
{
    const struct adapter_call *c = job->call;
    char id[ID_TEXT];
    push_json(L, c->more);
    if (job->hook != HOOK_TOOL) {
        adapter_push_config(L, c);
        lua_setfield(L, -2, "config");
    }
    lua_createtable(L, 0, 3);
    set_text(L, "id", id_text(id, ID_ASSISTANT, c->channel));
    set_text(L, "type", c->type);
    set_text(L, "name", c->name);
    lua_setfield(L, -2, "assistant");
    if (job->hook != HOOK_ASK)
        return;
    api_methods(L, &assist_context_module);
    lua_getfield(L, -1, "write");
    lua_setfield(L, -3, "write");
    lua_pop(L, 1);
}

/* A conversation is not kept here as long as the answer to it grows. */
static void forget_given(struct adapter_call *c)
{
    arena_free(c->given);
    c->given = NULL;
    c->config = c->secrets = c->item = SLICE("");
}

int connector_args(struct task *t)
{
    struct job *job = t->job;
    lua_State *co = t->co;
    if (job->hook == HOOK_CHECK)
        adapter_push_config(co, job->call);
    else
        push_json(co, job->call->item);
    push_context(co, job);
    if (job->call->given)
        forget_given(job->call);
    return 2;
}

static int more(lua_State *L)
{
    const struct task *t = bind_task(L, "ask");
    push_json(L, t->job->call ? t->job->call->more : SLICE(""));
    return 1;
}

/* What lua/assist.lua gives, run for the first who asks. */
static void push_entries(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&entry_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1))
        return;
    lua_pop(L, 1);
    chunk_push_own(L, "assist", "=assist");
    api_native(L, "house");
    lua_pushcfunction(L, more);
    lua_call(L, 2, 1);
    lua_pushlightuserdata(L, (void *)&entry_key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

void bind_assist_entry(lua_State *L, enum hook h, int guard)
{
    push_entries(L);
    lua_getfield(L, -1, hook_name(h));
    lua_remove(L, -2);
    lua_insert(L, -2); /* entry, function */
    if (guard == LUA_NOREF)
        lua_pushnil(L);
    else
        lua_rawgeti(L, LUA_REGISTRYINDEX, guard);
    lua_call(L, 2, 1);
}

/* --- ctx.write ------------------------------------------------------------ */

static int write_start(lua_State *L)
{
    struct task *t = bind_task(L, "ctx.write");
    struct slice text = bind_slice(L, 1);
    if (!slice_is_utf8(text) || text.len > LIMIT_TURN_TEXT)
        bind_raise(L, "ctx.write: the piece is no UTF-8 text or too long");
    if (!t->job->call)
        bind_raise(L, "ctx.write: this is no call of a connector");
    struct script_ask *ask = task_ask(t, ASK_WRITE);
    ask->data = slice_dup(ask->arena, text);
    ask->number = (int64_t)t->job->call->number;
    int got = task_wait_ask(t);
    lua_pushboolean(L, got == 0);
    return got == 0 ? 1 : 1 + bind_trouble_of(L, got, "");
}

static int write_finish(lua_State *L)
{
    struct task *t = bind_task(L, "ctx.write");
    int got = bind_wait_result(L, t);
    if (got < 0)
        return bind_trouble_of(L, got, "");
    lua_pushboolean(L, 1);
    return 1;
}

/* --- names ---------------------------------------------------------------- */

#define IN_ASK API_IN(HOOK_ASK)
#define IN_ASKS (API_IN(HOOK_ASK) | API_IN(HOOK_EMBED))
#define IN_ALL (IN_ASKS | API_IN(HOOK_TOOL) | API_IN(HOOK_CHECK))
#define CALL(name, signature, doc)                                             \
    {                                                                          \
        name, NULL, IN_ASK, API_FIELD, "fun" signature, doc, "1"               \
    }

static const struct api_call context_calls[] = {
    {"config", NULL, IN_ASKS | API_IN(HOOK_CHECK), API_FIELD,
     "table<string, any>",
     "The assistant's settings by the schema; a secret one is a Secret.", "1"},
    {"assistant", NULL, IN_ALL, API_FIELD,
     "{ id: string, type: string, name: string }", "Who is asked.", "1"},
    {"timeout", NULL, IN_ASK, API_FIELD,
     "{ connect: string, first: string, total: string }",
     "How long it may take, as http.stream takes it: the assistant's own, or "
     "the connector's.",
     "1"},
    {"write", NULL, IN_ASK, API_LUA | API_WAITS,
     "(text: string): true|nil, string?",
     "A piece of the answer, on its way to the visitor; goes on when it went "
     "out, however slowly they read. nil, \"cancelled\" when nobody wants any "
     "more (a person took over, the visitor wrote on or stopped it, time or "
     "budget is up): return at once then.\n\n"
     "local ok, why = ctx.write(choice.delta.content)\n"
     "if not ok then return nil, why end",
     "1"},
    CALL("tool_call", "(call: { id: string, name: string, arguments: table })",
         "The provider wants a tool; the house runs it and asks again with "
         "what it gave."),
    CALL("usage",
         "(usage: { input: integer, output: integer, cached?: integer, cost?: "
         "number, currency?: string })",
         "What the provider reported; the last one counts."),
    CALL("state", "(state: table)",
         "Kept for this conversation and assistant; the next turn has it."),
    CALL("source", "(source: { title: string, url?: string, text?: string })",
         "Where the answer is from."),
    CALL("handover", "(reason: string)",
         "The provider itself says that a person is wanted."),
    {0}};
static void fill(lua_State *L)
{
    api_waits(L, &assist_context_module, "write", write_start, write_finish);
}

const struct api_module assist_context_module = {
    "AskContext",
    "What a call of a connector is about, and where its answer goes; a plain "
    "table.",
    context_calls, true, fill};

static const struct api_call turn_calls[] = {
    {"id", NULL, IN_ASK, API_FIELD, "string", "The turn's.", "1"},
    {"assistant", NULL, IN_ASK, API_FIELD, "string", "Its name.", "1"},
    {"conversation", NULL, IN_ASK, API_FIELD, "string?", "Its id.", "1"},
    {"user", NULL, IN_ASK, API_FIELD, "string",
     "Stands for the contact at the provider; says nothing about them.", "1"},
    {"messages", NULL, IN_ASK, API_FIELD,
     "{ role: \"system\"|\"user\"|\"assistant\"|\"tool\", text: string, "
     "files?: "
     "table[], tool_calls?: table[], tool_call_id?: string }[]",
     "What was said, the oldest first.", "1"},
    {"tools", NULL, IN_ASK, API_FIELD,
     "{ name: string, description: string, parameters: table }[]?",
     "What the model may call.", "1"},
    {"json", NULL, IN_ASK, API_FIELD, "boolean?", "The answer shall be JSON.",
     "1"},
    {"max_tokens", NULL, IN_ASK, API_FIELD, "integer?", "Of the answer.", "1"},
    {"temperature", NULL, IN_ASK, API_FIELD, "number?", "As providers have it.",
     "1"},
    {"inputs", NULL, IN_ASK, API_FIELD, "table?",
     "Values for a provider's own variables.", "1"},
    {"state", NULL, IN_ASK, API_FIELD, "table?",
     "What ctx.state kept last time.", "1"},
    {0}};
const struct api_module turn_module = {
    "Turn", "One question to a model, as ask(turn, ctx) gets it.", turn_calls,
    true, NULL};
