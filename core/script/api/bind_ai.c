/* SPDX-License-Identifier: Apache-2.0 */
/* bind_ai.c - ai.ask and kb.search: asks that the roof passes on.
 *
 * Happy path: a table out as JSON, a table back. Failure modes: nil,
 * "unavailable" while no assistant or no knowledge base is set up; a table that
 * makes no sense raises.
 */
#include "base/limits.h"
#include "script/api/calls.h"
#include "script/api/options.h"
#include "script/load/unit.h"

static void set_data(lua_State *L, int idx, struct script_ask *ask,
                     const char *what)
{
    const char *why;
    struct buf *out = bind_buf(L, LIMIT_BODY_BYTES);
    if (value_write(L, idx, out, &why) < 0)
        bind_raise(L, "%s: %s", what, why);
    ask->data = slice_dup(ask->arena, buf_slice(out));
}

/* ai.ask "prompt" or { assistant=, prompt= | messages=, ... } */
static int ask_start(lua_State *L)
{
    struct task *t = bind_task(L, "ai.ask");
    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_createtable(L, 0, 1);
        lua_insert(L, 1);
        lua_setfield(L, 1, "prompt");
    }
    bind_table(L, 1, "ai.ask", "a text or a table");
    bool messages = option_push(L, 1, "messages");
    if (messages && !lua_istable(L, -1))
        bind_raise(L, "ai.ask: messages must be a list");
    bool prompt = option_text(L, 1, "prompt").len > 0;
    if (messages == prompt)
        bind_raise(L, "ai.ask: say prompt or messages, one of them");
    struct script_ask *ask = task_ask(t, ASK_AI);
    ask->name = slice_dup(ask->arena, option_text(L, 1, "assistant"));
    if (ask->name.len > LIMIT_NAME_BYTES)
        bind_raise(L, "ai.ask: there is no such assistant");
    set_data(L, 1, ask, "ai.ask");
    return calls_waiting(L, t);
}

/* ai.embed({ "text", … }, { assistant = }) */
static int embed_start(lua_State *L)
{
    struct task *t = bind_task(L, "ai.embed");
    lua_settop(L, 2);
    bind_table(L, 1, "ai.embed", "a list of texts");
    size_t n = lua_objlen(L, 1);
    if (n == 0 || n > LIMIT_LIST)
        bind_raise(L, "ai.embed: a list of 1 to %d texts is needed",
                   LIMIT_LIST);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, (int)i);
        if (lua_type(L, -1) != LUA_TSTRING)
            bind_raise(L, "ai.embed: %d is no text", (int)i);
        lua_pop(L, 1);
    }
    struct slice name = {"", 0};
    if (lua_istable(L, 2))
        name = option_text(L, 2, "assistant");
    if (name.len > LIMIT_NAME_BYTES)
        bind_raise(L, "ai.embed: there is no such assistant");
    struct script_ask *ask = task_ask(t, ASK_EMBED);
    ask->name = slice_dup(ask->arena, name);
    set_data(L, 1, ask, "ai.embed");
    return calls_waiting(L, t);
}

/* ai.forget { assistant =, question = | tag = } */
static int forget_start(lua_State *L)
{
    struct task *t = bind_task(L, "ai.forget");
    bind_table(L, 1, "ai.forget", "a table");
    struct slice name = option_text(L, 1, "assistant");
    struct slice question = option_text(L, 1, "question");
    struct slice tag = option_text(L, 1, "tag");
    if (name.len > LIMIT_NAME_BYTES || tag.len > LIMIT_TAG_BYTES ||
        question.len > LIMIT_TEXT_BYTES)
        bind_raise(L, "ai.forget: the name, question or tag is too long");
    struct script_ask *ask = task_ask(t, ASK_AI_FORGET);
    ask->name = slice_dup(ask->arena, name);
    ask->data = slice_dup(ask->arena, question);
    ask->was = slice_dup(ask->arena, tag);
    return calls_waiting(L, t);
}

static int forget_finish(lua_State *L)
{
    struct task *t = bind_task(L, "ai.forget");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got < 0 || !ask)
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    lua_pushnumber(L, (lua_Number)ask->number);
    return 1;
}

/* kb.search(query, { limit = }) */
static int search_start(lua_State *L)
{
    struct task *t = bind_task(L, "kb.search");
    lua_settop(L, 2);
    struct slice query =
        bind_text(L, 1, LIMIT_TEXT_BYTES, "kb.search: the query");
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    if (option_push(L, 2, "limit")) {
        double n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        if (n < 1 || n > LIMIT_LIST)
            bind_raise(L, "kb.search: limit must be from 1 to %d", LIMIT_LIST);
        lua_pop(L, 1);
    }
    struct script_ask *ask = task_ask(t, ASK_KB);
    ask->name = slice_dup(ask->arena, query);
    set_data(L, 2, ask, "kb.search");
    return calls_waiting(L, t);
}

static int finish(lua_State *L)
{
    struct task *t = bind_task(L, "ai");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got < 0 || !ask)
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    value_push_text(L, ask->arena, ask->data, NULL);
    return 1;
}

static const struct api_call ai_calls[] = {
    {"ask", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(turn: string|{ assistant?: string, prompt?: string, messages?: "
     "table[], json?: boolean, max_tokens?: integer, temperature?: number, "
     "inputs?: table }): { text: string, assistant: string, usage: table, "
     "tool_calls?: table[], sources?: table[] }|nil, string?, string?",
     "Asks a model and waits for its answer: a prompt, or messages { role =, "
     "text = }. Without a name the oldest assistant is asked. nil, code, "
     "detail when it cannot answer: \"unavailable\", \"timeout\", "
     "\"rate_limited\" ... In a flow put it into flow.step."
     "\n\nlocal answer, code = ai.ask { assistant = \"aftersales\", prompt = "
     "msg.text }\n"
     "if answer then conv:reply(answer.text) end",
     "1"},
    {"forget", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(what: { assistant?: string, question?: string, tag?: string }): "
     "integer|nil, string?, string?",
     "Forgets answers that are given again (an assistant's cache): of one "
     "question, of all assistants with a tag in cache.tags, or of an "
     "assistant altogether. How many; an assistant that forgot all counts "
     "one."
     "\n\nai.forget { tag = \"prices\" }",
     "1"},
    {"embed", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(texts: string[], options?: { assistant?: string }): { vectors: "
     "number[][], usage: table }|nil, string?, string?",
     "Vectors of texts, for comparing what they mean. nil, code, detail when "
     "no assistant can make them."
     "\n\nlocal got = ai.embed({ \"refund\", \"money back\" }, { assistant = "
     "\"small\" })",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill_ai(lua_State *L)
{
    api_waits(L, &ai_module, "ask", ask_start, finish);
    api_waits(L, &ai_module, "embed", embed_start, finish);
    api_waits(L, &ai_module, "forget", forget_start, forget_finish);
}

const struct api_module ai_module = {
    .name = "ai",
    .doc = "Questions to a language model, answered by the assistants that "
           "are set up (console, or REST assistants): with their limits, "
           "budgets and breakers, and by the next of their chain when one "
           "cannot. `yuelai test` answers with a model of the test's own.",
    .calls = ai_calls,
    .fill = fill_ai};

static const struct api_call kb_calls[] = {
    {"search", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(query: string, options?: { limit?: integer, lang?: string, tags?: "
     "string[] }): { article: string, title: string, text: string, score: "
     "number, lang: string, tags: string[] }[]|nil, string?, string?",
     "Passages of published articles that fit a question, the best first, 5 "
     "unless limit says otherwise (100 at most); empty if none does. lang: "
     "only of that language; tags: with one of these. score is BM25's: more is "
     "better, comparable within one answer."
     "\n\nlocal found = kb.search(msg.text, { limit = 3, lang = \"zh-CN\" })\n"
     "if found and found[1] then conv:reply(found[1].text) end",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill_kb(lua_State *L)
{
    api_waits(L, &kb_module, "search", search_start, finish);
}

const struct api_module kb_module = {
    .name = "kb",
    .doc = "The knowledge base: articles are written at /api/v1/articles; "
           "`yuelai test` answers with what the test says (t.kb.says).",
    .calls = kb_calls,
    .fill = fill_kb};
