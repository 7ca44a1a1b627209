/* SPDX-License-Identifier: Apache-2.0 */
/* bind_http.c - http.get, http.post, http.request: a call that waits.
 *
 *     local res, code, detail = http.post{ url, json = {...}, timeout = "5s" }
 *
 * Happy path: the table becomes an ask, the answer a table {status, headers,
 * body, json}. Failure modes: no answer is nil, code, detail (a status of 500
 * is an answer); a table that makes no sense raises.
 */
#include "base/limits.h"
#include "script/bind.h"
#include "script/unit.h"
#include <string.h>

#define HTTP_BODY_OUT LIMIT_BODY_BYTES
#define HTTP_TIMEOUT_MS 10000
#define HEADERS_MOST 30

static const char answer_key = 0; /* its address: the answers' metatable */

/* --- the request ---------------------------------------------------------- */

static const char *const known[] = {"url",  "method", "query",   "headers",
                                    "body", "json",   "timeout", NULL};

static void check_fields(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TNUMBER && lua_tonumber(L, -2) == 1)
            continue;
        const char *name =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        int i = 0;
        while (known[i] && strcmp(known[i], name) != 0)
            i++;
        if (!known[i])
            bind_raise(L,
                       "http: unknown field '%s' (known are url, method, "
                       "query, headers, body, json, timeout)",
                       name);
    }
}

/* The named field if it is a text, else "". */
static struct slice field(lua_State *L, const char *name)
{
    struct slice s = {"", 0};
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TSTRING)
            bind_raise(L, "http: %s must be a text", name);
        s.at = lua_tolstring(L, -1, &s.len); /* the table keeps it alive */
    }
    lua_pop(L, 1);
    return s;
}

static void add_escaped(struct buf *out, struct slice s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || (c && strchr("-_.~", c));
        char text[3] = {'%', hex[c >> 4], hex[c & 15]};
        (void)buf_add(out, plain ? (char *)&c : text, plain ? 1 : 3);
    }
}

/* out has the URL; appends the query, if there is one. Past its maximum the
 * buffer stays full, which on_url refuses. */
static void add_query(lua_State *L, struct buf *out)
{
    struct slice s;
    lua_getfield(L, 1, "query");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    luaL_checktype(L, -1, LUA_TTABLE);
    char glue = out->len && memchr(out->data, '?', out->len) ? '&' : '?';
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1))
            bind_raise(L, "http: query must map names to texts or numbers");
        (void)buf_add_char(out, glue);
        s.at = lua_tolstring(L, -2, &s.len);
        add_escaped(out, s);
        (void)buf_add_char(out, '=');
        lua_pushvalue(L, -1); /* converting must not touch the table's own */
        s.at = lua_tolstring(L, -1, &s.len);
        add_escaped(out, s);
        lua_pop(L, 1);
        glue = '&';
    }
    lua_pop(L, 1);
}

static void read_url(lua_State *L, struct script_ask *ask)
{
    struct slice url = field(L, "url");
    struct buf *out = bind_buf(L, LIMIT_URL_BYTES + 8);
    if (!url.len) {
        lua_rawgeti(L, 1, 1);
        if (lua_type(L, -1) == LUA_TSTRING)
            url.at = lua_tolstring(L, -1, &url.len);
        lua_pop(L, 1);
    }
    if (!slice_starts(url, "http://") && !slice_starts(url, "https://"))
        bind_raise(L, "http: the url must begin with http:// or https://");
    (void)buf_add_slice(out, url); /* too long: refused below */
    add_query(L, out);
    if (url.len > LIMIT_URL_BYTES || out->len > LIMIT_URL_BYTES)
        bind_raise(L, "http: the url is too long");
    ask->http->url = slice_dup(ask->arena, buf_slice(out));
    for (size_t i = 0; i < ask->http->url.len; i++)
        if ((unsigned char)ask->http->url.at[i] <= ' ')
            bind_raise(L, "http: the url has blanks or control characters");
}

static bool is_header(struct slice name, struct slice value)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if (c <= ' ' || c >= 0x7f || c == ':')
            return false;
    }
    return name.len && !memchr(value.at, '\r', value.len) &&
           !memchr(value.at, '\n', value.len) &&
           !memchr(value.at, '\0', value.len);
}

static void add_header(struct script_ask *ask, struct slice name,
                       struct slice value)
{
    struct http_call *call = ask->http;
    struct slice *at = (struct slice *)call->headers + 2 * call->header_count;
    at[0] = slice_dup(ask->arena, name);
    at[1] = slice_dup(ask->arena, value);
    call->header_count++;
}

/* One header; its name and value are on top of the stack. True if it is the
 * content type. */
static bool read_header(lua_State *L, struct script_ask *ask)
{
    struct slice name = {"", 0}, value = {"", 0};
    if (lua_type(L, -2) == LUA_TSTRING)
        name.at = lua_tolstring(L, -2, &name.len);
    if (lua_type(L, -1) == LUA_TSTRING)
        value.at = lua_tolstring(L, -1, &value.len);
    if (!is_header(name, value))
        bind_raise(L, "http: headers must map names to texts of one line");
    if (ask->http->header_count == HEADERS_MOST)
        bind_raise(L, "http: too many headers");
    add_header(ask, name, value);
    return slice_is_nocase(name, "content-type");
}

static void read_headers(lua_State *L, struct script_ask *ask, bool json)
{
    bool typed = false;
    ask->http->headers =
        arena_many(ask->arena, struct slice, 2 * (HEADERS_MOST + 1));
    lua_getfield(L, 1, "headers");
    if (!lua_isnil(L, -1)) {
        luaL_checktype(L, -1, LUA_TTABLE);
        for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
            typed |= read_header(L, ask);
    }
    lua_pop(L, 1);
    if (json && !typed)
        add_header(ask, SLICE("content-type"), SLICE("application/json"));
}

/* Returns true if the body is JSON. */
static bool read_body(lua_State *L, struct script_ask *ask)
{
    const char *why;
    struct slice body = field(L, "body");
    lua_getfield(L, 1, "json");
    bool json = !lua_isnil(L, -1);
    if (json) {
        struct buf *out = bind_buf(L, HTTP_BODY_OUT);
        if (body.len)
            bind_raise(L, "http: say body or json, not both");
        if (value_write(L, -1, out, &why) < 0)
            bind_raise(L, "http: json: %s", why);
        body = buf_slice(out);
    }
    if (body.len > HTTP_BODY_OUT)
        bind_raise(L, "http: the body is over 1 MB");
    ask->http->body = slice_dup(ask->arena, body);
    lua_pop(L, 1);
    return json;
}

static void read_rest(lua_State *L, struct script_ask *ask)
{
    struct slice method = field(L, "method");
    struct slice timeout = field(L, "timeout");
    int64_t ms = HTTP_TIMEOUT_MS;
    if (method.len > 16)
        bind_raise(L, "http: no such method");
    for (size_t i = 0; i < method.len; i++)
        if (method.at[i] < 'A' || method.at[i] > 'Z')
            bind_raise(L, "http: a method is in capitals");
    if (timeout.len && !duration_read(timeout, &ms))
        bind_raise(L, "http: timeout must be a duration such as \"5s\"");
    if (ms < 1 || ms > LIMIT_SCRIPT_WALL_MS)
        bind_raise(L, "http: timeout must be at most 30s");
    ask->http->method =
        method.len ? slice_dup(ask->arena, method) : SLICE("GET");
    ask->http->timeout_ms = ms;
    ask->http->body_max = LIMIT_HTTP_BODY;
}

static int http_start(lua_State *L)
{
    struct task *t = bind_task(L, "http");
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    check_fields(L);
    struct script_ask *ask = task_ask(t, ASK_HTTP);
    ask->http = arena_one(ask->arena, struct http_call);
    read_url(L, ask);
    read_headers(L, ask, read_body(L, ask));
    read_rest(L, ask);
    int got = task_wait_ask(t);
    lua_pushboolean(L, got == 0);
    return got == 0 ? 1 : 1 + bind_trouble_of(L, got, "");
}

/* http_method("GET", url or table) -> a table with that method; a copy, so
 * that the author's own table stays as it was */
static int http_method(lua_State *L)
{
    lua_settop(L, 2);
    lua_newtable(L);
    if (lua_type(L, 2) == LUA_TSTRING) {
        lua_pushvalue(L, 2);
        lua_setfield(L, 3, "url");
    } else {
        luaL_checktype(L, 2, LUA_TTABLE);
        for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, 3);
        }
    }
    lua_pushvalue(L, 1);
    lua_setfield(L, 3, "method");
    return 1;
}

/* --- the answer ----------------------------------------------------------- */

static void push_headers(lua_State *L, struct slice lines)
{
    lua_newtable(L);
    while (lines.len) {
        const char *end = memchr(lines.at, '\n', lines.len);
        size_t len = end ? (size_t)(end - lines.at) : lines.len;
        const char *colon = memchr(lines.at, ':', len);
        if (colon) {
            size_t n = (size_t)(colon - lines.at);
            lua_pushlstring(L, lines.at, n);
            value_push_slice(
                L, slice_trim((struct slice){colon + 1, len - n - 1}));
            lua_rawset(L, -3);
        }
        lines.at += len + (end != NULL);
        lines.len -= len + (end != NULL);
    }
}

/* res.json: parsed when it is first asked for; nil if it is not JSON. */
static int answer_index(lua_State *L)
{
    struct slice body = {"", 0};
    if (lua_type(L, 2) != LUA_TSTRING ||
        strcmp(lua_tostring(L, 2), "json") != 0)
        return 0;
    lua_pushliteral(L, "body");
    lua_rawget(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING)
        body.at = lua_tolstring(L, -1, &body.len);
    value_push_text(L, bind_arena(L), body, NULL);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

static int http_finish(lua_State *L)
{
    struct task *t = bind_task(L, "http");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got < 0 || !ask || !ask->http)
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, ask->http->status);
    lua_setfield(L, -2, "status");
    value_push_slice(L, ask->http->answer);
    lua_setfield(L, -2, "body");
    push_headers(L, ask->http->answer_headers);
    lua_setfield(L, -2, "headers");
    lua_pushlightuserdata(L, (void *)&answer_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_setmetatable(L, -2);
    return 1;
}

void bind_http(lua_State *L)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    static const luaL_Reg natives[] = {{"http_start", http_start},
                                       {"http_finish", http_finish},
                                       {"http_method", http_method},
                                       {NULL, NULL}};
    lua_pushlightuserdata(L, (void *)&answer_key);
    lua_newtable(L);
    lua_pushcfunction(L, answer_index);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawset(L, LUA_REGISTRYINDEX);
    bind_module(L, lua_gettop(L) - 1, "http", none);
    luaL_setfuncs(L, natives, 0);
}
