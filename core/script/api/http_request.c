/* SPDX-License-Identifier: Apache-2.0 */
/* http_request.c - an author's table becomes a request.
 *
 * Happy path: url and query, then the body with its type, the headers, the
 * limits; everything is copied to the ask's arena, secrets too (and nowhere
 * else, I9). Failure modes: an unknown field, two bodies, a header with a line
 * break, a time over its limit: raised in the script, naming the field.
 */
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "script/api/bind_conv.h"
#include "script/api/calls.h"
#include "script/api/secret.h"
#include "script/load/unit.h"
#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 10000
#define FIRST_MS 15000
#define STREAM_MS 60000
#define FOLLOW_MOST 5

static const char *const known[] = {
    "url",       "method",        "query",  "headers",         "auth",
    "body",      "json",          "form",   "multipart",       "timeout",
    "max_bytes", "first_timeout", "follow", "connect_timeout", NULL};

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
                       "query, headers, auth, body, json, form, multipart, "
                       "timeout, connect_timeout, first_timeout, max_bytes, "
                       "follow)",
                       name);
    }
}

/* Pushes the named field; false and nothing if there is none. The author's
 * metatables are not asked. */
static bool push_field(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, 1);
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

/* The text, secret, number or boolean on top of the stack. */
static struct slice plain(lua_State *L, const char *what)
{
    struct slice s = {"", 0};
    const char *why = NULL;
    if (lua_type(L, -1) == LUA_TBOOLEAN)
        return lua_toboolean(L, -1) ? SLICE("true") : SLICE("false");
    if (lua_type(L, -1) == LUA_TNUMBER) { /* a copy: the table keeps its own */
        s.at = lua_tolstring(L, -1, &s.len);
        return s;
    }
    if (secret_text(L, -1, &s, &why))
        return s;
    bind_raise(L, "http: %s %s", what,
               why ? why : "must be a text, a number, a boolean or a secret");
}

/* The named field if it is a text or a secret, else "". */
static struct slice field(lua_State *L, const char *name)
{
    struct slice s = {"", 0};
    const char *why = NULL;
    if (!push_field(L, name))
        return s;
    if (!secret_text(L, -1, &s, &why))
        bind_raise(L, "http: %s %s", name, why ? why : "must be a text");
    lua_pop(L, 1); /* the table keeps it alive */
    return s;
}

/* --- the address ---------------------------------------------------------- */

/* Past its maximum a buffer stays as it is; on_url and the body's end look. */
static int add_escaped(struct buf *out, struct slice s)
{
    static const char hex[] = "0123456789ABCDEF";
    int got = 0;
    for (size_t i = 0; i < s.len && got == 0; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bool same = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || (c && strchr("-_.~", c));
        char text[3] = {'%', hex[c >> 4], hex[c & 15]};
        got = buf_add(out, same ? (char *)&c : text, same ? 1 : 3);
    }
    return got;
}

/* name=value of the table on top of the stack, joined by &. */
static void add_pairs(lua_State *L, struct buf *out, char glue,
                      const char *what)
{
    int got = 0;
    luaL_checktype(L, -1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            bind_raise(L, "http: %s must map names to values", what);
        struct slice name;
        name.at = lua_tolstring(L, -2, &name.len);
        if (glue)
            got |= buf_add_char(out, glue);
        got |= add_escaped(out, name);
        got |= buf_add_char(out, '=');
        lua_pushvalue(L, -1); /* converting must not touch the table's own */
        got |= add_escaped(out, plain(L, what));
        lua_pop(L, 1);
        glue = '&';
    }
    if (got < 0)
        bind_raise(L, "http: %s is too long", what);
}

static void read_url(lua_State *L, struct script_ask *ask)
{
    struct slice url = field(L, "url");
    struct buf *out = bind_buf(L, LIMIT_URL_BYTES);
    if (!url.len) {
        lua_rawgeti(L, 1, 1);
        if (lua_type(L, -1) == LUA_TSTRING)
            url.at = lua_tolstring(L, -1, &url.len);
        lua_pop(L, 1);
    }
    if (!slice_starts(url, "http://") && !slice_starts(url, "https://"))
        bind_raise(L, "http: the url must begin with http:// or https://");
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.at[i] <= ' ')
            bind_raise(L, "http: the url has blanks or control characters");
    if (buf_add_slice(out, url) < 0)
        bind_raise(L, "http: the url is too long");
    if (push_field(L, "query")) {
        add_pairs(L, out, memchr(url.at, '?', url.len) ? '&' : '?', "query");
        lua_pop(L, 1);
    }
    ask->http->url = slice_dup(ask->arena, buf_slice(out));
}

/* --- headers -------------------------------------------------------------- */

static bool is_header(struct slice name, struct slice value)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if (c <= ' ' || c >= 0x7f || c == ':')
            return false;
    }
    return name.len && !(value.len && (memchr(value.at, '\r', value.len) ||
                                       memchr(value.at, '\n', value.len) ||
                                       memchr(value.at, '\0', value.len)));
}

static void add_header(lua_State *L, struct script_ask *ask, struct slice name,
                       struct slice value)
{
    struct http_call *call = ask->http;
    if (!is_header(name, value))
        bind_raise(L, "http: headers must map names to texts of one line");
    if (call->header_count == LIMIT_HTTP_HEADERS)
        bind_raise(L, "http: too many headers (at most %d)",
                   LIMIT_HTTP_HEADERS);
    struct slice *at = (struct slice *)call->headers + 2 * call->header_count;
    at[0] = slice_dup(ask->arena, name);
    at[1] = slice_dup(ask->arena, value);
    call->header_count++;
}

static bool has_header(const struct http_call *call, const char *name)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (slice_is_nocase(call->headers[2 * i], name))
            return true;
    return false;
}

static void read_headers(lua_State *L, struct script_ask *ask)
{
    ask->http->headers =
        arena_many(ask->arena, struct slice, 2 * LIMIT_HTTP_HEADERS);
    if (!push_field(L, "headers"))
        return;
    luaL_checktype(L, -1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        struct slice name = {"", 0};
        if (lua_type(L, -2) == LUA_TSTRING)
            name.at = lua_tolstring(L, -2, &name.len);
        lua_pushvalue(L, -1);
        add_header(L, ask, name, plain(L, "headers"));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* auth = {bearer=} | {user=, password=} */
static struct slice auth_text(lua_State *L, const char *name)
{
    struct slice s = {"", 0};
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    if (!lua_isnil(L, -1))
        s = plain(L, "auth");
    lua_pop(L, 1); /* the table keeps it */
    return s;
}

static void read_auth(lua_State *L, struct script_ask *ask)
{
    if (!push_field(L, "auth"))
        return;
    luaL_checktype(L, -1, LUA_TTABLE);
    struct buf *out = bind_buf(L, LIMIT_HEADER_BYTES);
    struct slice bearer = auth_text(L, "bearer");
    if (bearer.len) {
        (void)buf_add_text(out, "Bearer "); /* what fits not is refused below */
        if (buf_add_slice(out, bearer) < 0)
            bind_raise(L, "http: auth is too long");
    } else {
        struct slice user = slice_dup(ask->arena, auth_text(L, "user"));
        if (!user.len)
            bind_raise(L, "http: auth must be { bearer = token } or { user = "
                          "name, password = secret }");
        if (buf_add_slice(out, user) < 0 || buf_add_char(out, ':') < 0 ||
            buf_add_slice(out, auth_text(L, "password")) < 0)
            bind_raise(L, "http: auth is too long");
        struct slice pair = slice_dup(ask->arena, buf_slice(out));
        buf_clear(out);
        (void)buf_add_text(out, "Basic ");
        if (base64_add(out, pair) < 0)
            bind_raise(L, "http: auth is too long");
    }
    add_header(L, ask, SLICE("authorization"), buf_slice(out));
    lua_pop(L, 1);
}

/* --- the body ------------------------------------------------------------- */

/* One line of a part's head: no quotes, no line breaks. */
static struct slice part_text(lua_State *L, const char *name, bool needed)
{
    struct slice s = {"", 0};
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    if (!lua_isnil(L, -1))
        s = plain(L, "multipart");
    lua_pop(L, 1);
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < ' ' || s.at[i] == '"')
            bind_raise(L, "http: multipart: %s has quotes or line breaks",
                       name);
    if (needed && !s.len)
        bind_raise(L, "http: multipart: each part has a name");
    return s;
}

#define FILES_MOST 4 /* of one body */

/* Pushes the part's file, a table as item.file is, or nil. */
static void push_file(lua_State *L)
{
    lua_pushliteral(L, "file");
    lua_rawget(L, -2);
}

/* A field of the file on top; people call theirs what they like. */
static struct slice tame(lua_State *L, const char *field)
{
    struct slice s = bind_table_text(L, lua_gettop(L), field);
    char *out = arena_text(bind_arena(L), s.len + 1);
    for (size_t i = 0; i < s.len; i++)
        out[i] = (unsigned char)s.at[i] < ' ' || s.at[i] == '"' ? '_' : s.at[i];
    return (struct slice){out, s.len};
}

/* The part's own field, else what its file (on top, above it) says. */
static struct slice file_text(lua_State *L, const char *own, const char *its)
{
    lua_insert(L, -2);
    struct slice s = part_text(L, own, false);
    lua_insert(L, -2);
    return s.len || !lua_istable(L, -1) ? s : tame(L, its);
}

/* The part's file is noted at this place of the body; true if it has one. */
static bool add_file(lua_State *L, struct script_ask *ask, struct buf *out)
{
    struct http_call *h = ask->http;
    push_file(L);
    bool has = !lua_isnil(L, -1);
    uint64_t id = has ? file_id_at(L, -1) : 0;
    lua_pop(L, 1);
    if (!has)
        return false;
    if (!id || ask->kind != ASK_HTTP)
        bind_raise(L, "http: multipart: file must be one as in item.file");
    if (!h->files)
        h->files = arena_many(ask->arena, struct http_file, FILES_MOST);
    if (h->file_count == FILES_MOST)
        bind_raise(L, "http: multipart: too many files");
    h->files[h->file_count++] = (struct http_file){out->len, id};
    return true;
}

/* The part's table, or its text, is on top of the stack. */
static int add_part(lua_State *L, struct script_ask *ask, struct buf *out,
                    struct slice name, const char *edge)
{
    int got = 0;
    bool is_table = lua_istable(L, -1);
    if (!name.len) {
        if (!is_table)
            bind_raise(L, "http: multipart: each part has a name");
        name = part_text(L, "name", true);
    }
    got |=
        buf_addf(out, "--%s\r\nContent-Disposition: form-data; name=\"%.*s\"",
                 edge, SLICE_FMT(name));
    if (is_table) {
        push_file(L);
        struct slice file = file_text(L, "filename", "name");
        if (file.len)
            got |= buf_addf(out, "; filename=\"%.*s\"", SLICE_FMT(file));
        struct slice type = file_text(L, "type", "mime");
        lua_pop(L, 1);
        if (type.len)
            got |= buf_addf(out, "\r\nContent-Type: %.*s", SLICE_FMT(type));
        got |= buf_add_text(out, "\r\n\r\n");
        if (add_file(L, ask, out))
            return got | buf_add_text(out, "\r\n");
        lua_pushliteral(L, "data");
        lua_rawget(L, -2);
    } else {
        lua_pushvalue(L, -1);
        got |= buf_add_text(out, "\r\n\r\n");
    }
    got |= buf_add_slice(out, plain(L, "multipart: data"));
    got |= buf_add_text(out, "\r\n");
    lua_pop(L, 1);
    return got;
}

static void read_multipart(lua_State *L, struct script_ask *ask,
                           struct buf *out)
{
    char edge[40] = "yuelai-", type[100];
    static const char hex[] = "0123456789abcdef";
    unsigned char drawn[16];
    int got = 0;
    random_bytes(drawn, sizeof drawn);
    for (int i = 0; i < 16; i++) {
        edge[7 + 2 * i] = hex[drawn[i] >> 4];
        edge[8 + 2 * i] = hex[drawn[i] & 15];
    }
    edge[39] = '\0';
    luaL_checktype(L, -1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        struct slice name = {"", 0};
        if (lua_type(L, -2) == LUA_TSTRING) {
            name.at = lua_tolstring(L, -2, &name.len);
            if (memchr(name.at, '"', name.len) ||
                memchr(name.at, '\n', name.len) ||
                memchr(name.at, '\r', name.len))
                bind_raise(L, "http: multipart: a name has quotes or line "
                              "breaks");
        }
        got |= add_part(L, ask, out, name, edge);
    }
    got |= buf_addf(out, "--%s--\r\n", edge);
    if (got < 0)
        bind_raise(L, "http: the body is over 8 MB");
    snprintf(type, sizeof type, "multipart/form-data; boundary=%s", edge);
    ask->http->body = slice_dup(ask->arena, buf_slice(out));
    if (has_header(ask->http, "content-type"))
        bind_raise(L, "http: multipart names its own content-type");
    add_header(L, ask, SLICE("content-type"), slice_of(type));
}

static void set_body(lua_State *L, struct script_ask *ask, struct buf *out,
                     struct slice type)
{
    ask->http->body = slice_dup(ask->arena, buf_slice(out));
    if (type.len && !has_header(ask->http, "content-type"))
        add_header(L, ask, SLICE("content-type"), type);
}

static void read_body(lua_State *L, struct script_ask *ask)
{
    static const char *const kinds[] = {"body", "json", "form", "multipart"};
    const char *why;
    int kind = -1;
    for (int i = 0; i < 4; i++) {
        if (!push_field(L, kinds[i]))
            continue;
        lua_pop(L, 1);
        if (kind >= 0)
            bind_raise(L, "http: say %s or %s, not both", kinds[kind],
                       kinds[i]);
        kind = i;
    }
    if (kind < 0)
        return;
    struct buf *out = bind_buf(L, LIMIT_HTTP_BODY_MOST);
    (void)push_field(L, kinds[kind]); /* it is there: seen above */
    if (kind == 0) {
        if (buf_add_slice(out, plain(L, "body")) < 0)
            bind_raise(L, "http: the body is over 8 MB");
        set_body(L, ask, out, SLICE(""));
    } else if (kind == 1) {
        if (value_write_telling(L, -1, out, &why) < 0)
            bind_raise(L, "http: json: %s", why);
        set_body(L, ask, out, SLICE("application/json"));
    } else if (kind == 2) {
        add_pairs(L, out, '\0', "form");
        set_body(L, ask, out, SLICE("application/x-www-form-urlencoded"));
    } else {
        read_multipart(L, ask, out);
    }
    lua_pop(L, 1);
}

/* --- limits --------------------------------------------------------------- */

static int64_t read_time(lua_State *L, const char *name, int64_t otherwise,
                         int64_t most)
{
    int64_t ms = otherwise;
    if (!push_field(L, name))
        return ms;
    if (lua_type(L, -1) != LUA_TSTRING ||
        !duration_read(bind_slice(L, -1), &ms))
        bind_raise(L, "http: %s must be a duration such as \"5s\"", name);
    if (ms < 1 || ms > most)
        bind_raise(L, "http: %s must be at most %ds", name, (int)(most / 1000));
    lua_pop(L, 1);
    return ms;
}

static void read_method(lua_State *L, struct script_ask *ask)
{
    struct slice method = field(L, "method");
    if (method.len && ask->http->method.len)
        bind_raise(L, "http: method belongs to http.request and http.stream");
    if (method.len > 16)
        bind_raise(L, "http: no such method");
    for (size_t i = 0; i < method.len; i++)
        if (method.at[i] < 'A' || method.at[i] > 'Z')
            bind_raise(L, "http: a method is in capitals");
    if (method.len)
        ask->http->method = slice_dup(ask->arena, method);
    else if (!ask->http->method.len)
        ask->http->method = ask->http->body.len ? SLICE("POST") : SLICE("GET");
}

static void read_follow(lua_State *L, struct http_call *call)
{
    if (!push_field(L, "follow"))
        return;
    double n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (n < 0 || n > FOLLOW_MOST || n != (int)n)
        bind_raise(L, "http: follow must be a number from 0 to %d",
                   FOLLOW_MOST);
    if (n > 0 && !slice_is(call->method, "GET") &&
        !slice_is(call->method, "HEAD") && !slice_is(call->method, "POST"))
        bind_raise(L, "http: only GET, HEAD and POST are sent on");
    call->follow = (int)n;
    lua_pop(L, 1);
}

static void read_limits(lua_State *L, struct script_ask *ask)
{
    struct http_call *call = ask->http;
    bool stream = ask->kind == ASK_STREAM;
    int64_t most = stream ? LIMIT_STREAM_MS : LIMIT_SCRIPT_WALL_MS;
    call->timeout_ms =
        read_time(L, "timeout", stream ? STREAM_MS : TIMEOUT_MS, most);
    call->connect_ms = read_time(L, "connect_timeout", 0, most);
    call->first_ms = read_time(L, "first_timeout", stream ? FIRST_MS : 0, most);
    if (call->first_ms && !stream)
        bind_raise(L, "http: first_timeout belongs to http.stream");
    call->body_max = LIMIT_HTTP_BODY;
    if (push_field(L, "max_bytes")) {
        call->body_max =
            (size_t)calls_size(L, -1, LIMIT_HTTP_BODY_MOST, "http: max_bytes");
        lua_pop(L, 1);
    }
}

void http_read_request(lua_State *L, struct script_ask *ask)
{
    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING) { /* the url alone */
        lua_createtable(L, 1, 0);
        lua_insert(L, 1);
        lua_rawseti(L, 1, 1);
    }
    bind_table(L, 1, "http", "a url or a table");
    check_fields(L);
    read_url(L, ask);
    read_headers(L, ask);
    read_auth(L, ask);
    read_body(L, ask);
    read_method(L, ask);
    read_follow(L, ask->http);
    read_limits(L, ask);
}
