/* SPDX-License-Identifier: Apache-2.0 */
/* bind_http.c - http.get, http.post and their like: calls that wait.
 *
 *     local res, code, detail = http.post{ url, json = {...}, timeout = "5s" }
 *
 * Happy path: the table becomes an ask (http_request.c), the answer a table
 * {status, ok, headers, body, json}. Failure modes: no answer is nil, code,
 * detail (a status of 500 is an answer); a table that makes no sense raises.
 */
#include "base/limits.h"
#include "script/api/calls.h"
#include "script/load/unit.h"
#include <string.h>

static const char answer_key = 0; /* its address: the answers' metatable */

/* --- the answer ----------------------------------------------------------- */

/* One that came before is kept: "a, b"; cookies each on a line. */
static void push_value(lua_State *L, struct slice name, struct slice value)
{
    value_push_slice(L, name);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        value_push_slice(L, value);
    } else {
        lua_pushstring(L, slice_is(name, "set-cookie") ? "\n" : ", ");
        value_push_slice(L, value);
        lua_concat(L, 3);
    }
    lua_rawset(L, -3);
}

void http_push_headers(lua_State *L, struct slice lines)
{
    lua_newtable(L);
    while (lines.len) {
        const char *end = memchr(lines.at, '\n', lines.len);
        size_t len = end ? (size_t)(end - lines.at) : lines.len;
        const char *colon = memchr(lines.at, ':', len);
        if (colon) {
            size_t n = (size_t)(colon - lines.at);
            push_value(L, (struct slice){lines.at, n},
                       slice_trim((struct slice){colon + 1, len - n - 1}));
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
    const struct http_call *h = ask->http;
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, h->status);
    lua_setfield(L, -2, "status");
    lua_pushboolean(L, h->status >= 200 && h->status < 300);
    lua_setfield(L, -2, "ok");
    value_push_slice(L, h->answer);
    lua_setfield(L, -2, "body");
    http_push_headers(L, h->answer_headers);
    lua_setfield(L, -2, "headers");
    lua_pushlightuserdata(L, (void *)&answer_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_setmetatable(L, -2);
    return 1;
}

/* --- the calls ------------------------------------------------------------ */

/* method NULL: as the table says. */
static int start(lua_State *L, const char *method)
{
    struct task *t = bind_task(L, "http");
    struct script_ask *ask = task_ask(t, ASK_HTTP);
    ask->http = arena_one(ask->arena, struct http_call);
    if (method)
        ask->http->method = slice_of(method);
    http_read_request(L, ask);
    return calls_waiting(L, t);
}

#define START(name, method)                                                    \
    static int name(lua_State *L)                                              \
    {                                                                          \
        return start(L, method);                                               \
    }
START(start_get, "GET")
START(start_post, "POST")
START(start_put, "PUT")
START(start_patch, "PATCH")
START(start_delete, "DELETE")
START(start_head, "HEAD")
START(start_request, NULL)

#define WAITS (API_LUA | API_WAITS)
#define GIVES "(call: string|HttpCall): HttpAnswer|nil, string?, string?"

static const struct api_call calls[] = {
    {"get", NULL, API_HANDLERS, WAITS, GIVES,
     "Asks for a URL and waits for the answer. Any status is an answer; "
     "without one: nil, and \"unavailable\" (nobody there, or the host's "
     "breaker is open), \"timeout\", \"too_large\", \"rate_limited\" (too many "
     "wait, or this handler has made all its calls), \"bad_request\" (no such "
     "address), with a detail."
     "\n\nlocal res, code, detail = http.get { \"https://api.example.com/o\", "
     "query = { id = 7 }, timeout = \"3s\" }\n"
     "if res and res.ok then conv:reply(res.json.state) end",
     "1"},
    {"post", NULL, API_HANDLERS, WAITS, GIVES,
     "The same with POST."
     "\n\nhttp.post { url, json = { text = msg.text }, headers = { "
     "[\"x-key\"] = secret.get \"key\" } }",
     "1"},
    {"put", NULL, API_HANDLERS, WAITS, GIVES, "The same with PUT.", "1"},
    {"patch", NULL, API_HANDLERS, WAITS, GIVES, "The same with PATCH.", "1"},
    {"delete", NULL, API_HANDLERS, WAITS, GIVES, "The same with DELETE.", "1"},
    {"head", NULL, API_HANDLERS, WAITS, GIVES,
     "The same with HEAD; the body is empty.", "1"},
    {"request", NULL, API_HANDLERS, WAITS, GIVES,
     "The same with the method the table names; without one GET, or POST if "
     "there is a body.",
     "1"},
    {"stream", NULL, API_HANDLERS, WAITS,
     "(call: string|HttpCall): Stream|nil, string?, string?",
     "Waits for status and headers; the body is read bit by bit. The peer is "
     "held back while the script is slow. The stream is closed when the "
     "handler ends, or before by stream:close()."
     "\n\nlocal s, code = http.stream { url, json = { stream = true } }\n"
     "if not s then return nil, code end\n"
     "for event in s:sse() do\n"
     "  if event.data == \"[DONE]\" then break end\n"
     "end",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill(lua_State *L)
{
    static const struct {
        const char *name;
        lua_CFunction start;
    } list[] = {{"get", start_get},        {"post", start_post},
                {"put", start_put},        {"patch", start_patch},
                {"delete", start_delete},  {"head", start_head},
                {"request", start_request}};
    lua_pushlightuserdata(L, (void *)&answer_key);
    lua_newtable(L);
    lua_pushcfunction(L, answer_index);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawset(L, LUA_REGISTRYINDEX);
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        api_waits(L, &http_module, list[i].name, list[i].start, http_finish);
    http_fill_stream(L);
}

const struct api_module http_module = {
    .name = "http",
    .doc = "Calls to other servers. They wait without holding anyone else up. "
           "Certificates are always checked. A host that fails is left alone "
           "for a while by its circuit breaker; docs/author/http.md tells of "
           "it.",
    .calls = calls,
    .fill = fill};

#define FIELD(name, type, doc)                                                 \
    {                                                                          \
        name, NULL, API_ANYWHERE, API_FIELD, type, doc, "1"                    \
    }

static const struct api_call call_fields[] = {
    FIELD("url", "string|nil", "Where to; or the first item of the table."),
    FIELD("method", "string|nil", "http.request and http.stream: \"GET\"."),
    FIELD("query", "table|nil",
          "Names and values (texts, numbers, booleans, secrets), appended to "
          "the url."),
    FIELD("headers", "table|nil", "Names and values (texts, secrets)."),
    FIELD("auth", "table|nil",
          "{ bearer = token } or { user = name, password = secret }."),
    FIELD("body", "string|Secret|nil", "Sent as it is."),
    FIELD("json", "any", "Sent as JSON."),
    FIELD("form", "table|nil", "Sent as a form of names and values."),
    FIELD(
        "multipart", "table|nil",
        "Sent as parts: a list of { name =, data =, filename =, type = }, of { "
        "name =, file = item.file } (streamed from disk), or "
        "names and texts."),
    FIELD("timeout", "Duration|nil",
          "For all of it, 10s if nothing is said; at most 30s, of a stream "
          "5m."),
    FIELD("connect_timeout", "Duration|nil", "To get through: 5s."),
    FIELD("first_timeout", "Duration|nil",
          "A stream: until its first byte; 15s."),
    FIELD("max_bytes", "integer|string|nil",
          "The longest answer taken: \"1MB\"; at most 8MB."),
    FIELD("follow", "integer|nil",
          "How many redirects are followed: 0; at most 5, of GET, HEAD and "
          "POST."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module http_call_module = {
    .name = "HttpCall",
    .doc = "What to call, and how. Of body, json, form and multipart one.",
    .calls = call_fields,
    .is_object = true};

static const struct api_call answer_fields[] = {
    FIELD("status", "integer", "200, 404 and their like."),
    FIELD("ok", "boolean", "Is the status 200 to 299?"),
    FIELD("headers", "table<string, string>",
          "By name in lower case. What came several times is joined by \", \", "
          "cookies by a line break."),
    FIELD("body", "string", "As it came, unpacked."),
    FIELD("json", "any",
          "The body as a value, made when it is first asked for; nil if it is "
          "not JSON."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module http_answer_module = {.name = "HttpAnswer",
                                              .doc = "What came back.",
                                              .calls = answer_fields,
                                              .is_object = true};
