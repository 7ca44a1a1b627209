/* SPDX-License-Identifier: Apache-2.0 */
/* bind_file.c - ctx.file and ctx.file_body: a platform's media in and out.
 *
 *     local f, code, detail = ctx.file{ url = u, name = "photo.jpg" }
 *     ctx.deliver{ from = id, kind = "image", file = f }
 *
 * Happy path: what is at the url goes straight to the house's files, past the
 * script's memory; the script gets what is known of it. Failure modes: nobody
 * there, a status that is not 2xx, too long, not what it says: nil, code,
 * detail; a table that makes no sense raises.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "script/api/calls.h"
#include "script/api/options.h"
#include "script/load/unit.h"
#include <string.h>

#define BIGGEST 1000000000

static struct slice own_text(lua_State *L, struct script_ask *ask,
                             const char *field)
{
    return slice_dup(ask->arena, option_text(L, 1, field));
}

/* The table at 1 becomes one that is only a request. */
static void only_request(lua_State *L)
{
    static const char *const ours[] = {"name", "mime", "max_bytes", "or_json"};
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        bool skip = false;
        for (int i = 0; i < 4 && lua_type(L, -2) == LUA_TSTRING; i++)
            skip |= strcmp(lua_tostring(L, -2), ours[i]) == 0;
        if (skip)
            continue;
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
    lua_replace(L, 1);
    lua_settop(L, 1);
}

int file_start(lua_State *L)
{
    struct task *t = bind_task(L, "ctx.file");
    struct script_ask *ask = task_ask(t, ASK_FILE);
    int64_t most = 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!t->job->call)
        bind_raise(L, "ctx.file: this is no call of an adapter");
    ask->number = (int64_t)t->job->call->channel;
    ask->name = own_text(L, ask, "name");
    ask->was = own_text(L, ask, "mime");
    if (option_push(L, 1, "max_bytes")) {
        most = calls_size(L, -1, BIGGEST, "ctx.file: max_bytes");
        lua_pop(L, 1);
    }
    if (option_push(L, 1, "url")) {
        lua_pop(L, 1);
        if (option_push(L, 1, "or_json")) {
            ask->data = lua_toboolean(L, -1) ? SLICE("json") : SLICE("");
            lua_pop(L, 1);
        }
        only_request(L);
        ask->http = arena_one(ask->arena, struct http_call);
        http_read_request(L, ask);
        ask->http->body_max = (size_t)most;
        return calls_waiting(L, t);
    }
    struct slice body = option_text(L, 1, "body");
    if (!body.len || body.len > LIMIT_HTTP_BODY_MOST)
        bind_raise(L, "ctx.file: say url, or body with 1 byte to 8 MB");
    ask->data = slice_dup(ask->arena, body);
    return calls_waiting(L, t);
}

int file_finish(lua_State *L)
{
    struct task *t = bind_task(L, "ctx.file");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got < 0 || !ask)
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    bool word = slice_is(ask->was, "answer");
    if (word) {
        lua_pushnil(L);
        lua_pushliteral(L, "answer");
    }
    value_push_text(L, ask->arena, ask->data, NULL);
    return word ? 3 : 1;
}

/* "fi_..." or { id = "fi_..." } at idx; 0: neither. */
uint64_t file_id_at(lua_State *L, int idx)
{
    uint64_t id = 0;
    struct slice text = {"", 0};
    idx = idx < 0 ? lua_gettop(L) + 1 + idx : idx;
    if (lua_istable(L, idx)) {
        lua_pushliteral(L, "id");
        lua_rawget(L, idx);
    } else {
        lua_pushvalue(L, idx);
    }
    if (lua_type(L, -1) == LUA_TSTRING)
        text.at = lua_tolstring(L, -1, &text.len);
    if (!id_parse(text, "fi", &id))
        id = 0;
    lua_pop(L, 1);
    return id;
}

int file_body_start(lua_State *L)
{
    struct task *t = bind_task(L, "ctx.file_body");
    struct script_ask *ask = task_ask(t, ASK_FILE_BODY);
    uint64_t id = file_id_at(L, 1);
    if (!id)
        bind_raise(L, "ctx.file_body: a file is needed, as in item.file");
    ask->number = (int64_t)id;
    return calls_waiting(L, t);
}

int file_body_finish(lua_State *L)
{
    struct task *t = bind_task(L, "ctx.file_body");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got < 0 || !ask)
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    value_push_slice(L, ask->data);
    return 1;
}
