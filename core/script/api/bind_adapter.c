/* SPDX-License-Identifier: Apache-2.0 */
/* bind_adapter.c - what an adapter's functions are given, and what they give.
 *
 * Happy path: plain tables in, a status and a body or a plain table out;
 * ctx.deliver waits until the message is on disk. Failure modes: what a
 * function returns makes no sense: its job fails with a sentence; a message
 * that is none is nil, code, detail for the adapter.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "script/api/bind.h"
#include "script/api/bind_assist.h"
#include "script/api/calls.h"
#include "script/api/modules.h"
#include "script/api/secret.h"
#include "script/load/adapter.h"
#include <string.h>

#define MESSAGE_BYTES LIMIT_FRAME_BYTES
#define BODY_BYTES (1024 * 1024)

/* --- arguments ------------------------------------------------------------ */

static void set_text(lua_State *L, const char *field, struct slice s)
{
    value_push_slice(L, s);
    lua_setfield(L, -2, field);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One half of name=value, decoded, pushed. */
static void push_decoded(lua_State *L, struct arena *a, struct slice s)
{
    char *out = arena_text(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        int hi = s.at[i] == '%' && i + 2 < s.len ? hex_digit(s.at[i + 1]) : -1;
        int lo = hi >= 0 ? hex_digit(s.at[i + 2]) : -1;
        if (lo >= 0) {
            out[n++] = (char)(hi * 16 + lo);
            i += 2;
        } else {
            out[n++] = s.at[i] == '+' ? ' ' : s.at[i];
        }
    }
    lua_pushlstring(L, out, n);
}

static struct slice cut(struct slice *rest, char at)
{
    const char *end = rest->len ? memchr(rest->at, at, rest->len) : NULL;
    size_t n = end ? (size_t)(end - rest->at) : rest->len;
    struct slice piece = {rest->at, n};
    n += end != NULL;
    rest->at += n;
    rest->len -= n;
    return piece;
}

static void push_query(lua_State *L, struct slice query)
{
    struct arena *a = arena_new();
    lua_newtable(L);
    while (query.len) {
        struct slice value = cut(&query, '&');
        struct slice name = cut(&value, '=');
        push_decoded(L, a, name);
        push_decoded(L, a, value);
        lua_rawset(L, -3);
    }
    arena_free(a);
}

static void push_headers(lua_State *L, struct slice lines)
{
    lua_newtable(L);
    while (lines.len) {
        struct slice value = cut(&lines, '\n');
        struct slice name = cut(&value, ':');
        value_push_slice(L, name);
        value_push_slice(L, slice_trim(value));
        lua_rawset(L, -3);
    }
}

static void push_request(lua_State *L, const struct adapter_call *c)
{
    lua_createtable(L, 0, 6);
    set_text(L, "method", c->method);
    set_text(L, "path", c->path);
    set_text(L, "body", c->body);
    set_text(L, "address", c->address);
    push_query(L, c->query);
    lua_setfield(L, -2, "query");
    push_headers(L, c->headers);
    lua_setfield(L, -2, "headers");
}

static void push_json(lua_State *L, struct slice json)
{
    struct arena *a = arena_new();
    if (!json.len || value_push_text(L, a, json, NULL) < 0)
        lua_newtable(L);
    arena_free(a);
}

/* The settings, the secret ones as secrets. */
static void push_config(lua_State *L, const struct adapter_call *c)
{
    struct arena *a = arena_new();
    struct json *names = NULL, *all = NULL;
    push_json(L, c->config);
    if (json_parse(a, c->secrets, NULL, &names) == 0 &&
        json_parse(a, c->config, NULL, &all) == 0) {
        for (const struct json *n = names->first; n; n = n->next) {
            value_push_slice(L, n->text);
            secret_push(L, json_text(all, slice_dup(a, n->text).at));
            lua_rawset(L, -3);
        }
    }
    arena_free(a);
}

static void push_context(lua_State *L, const struct adapter_call *c)
{
    char id[ID_TEXT];
    lua_createtable(L, 0, 5);
    push_config(L, c);
    lua_setfield(L, -2, "config");
    lua_createtable(L, 0, 3);
    set_text(L, "id", id_text(id, ID_CHANNEL, c->channel));
    set_text(L, "type", c->type);
    set_text(L, "name", c->name);
    lua_setfield(L, -2, "channel");
    api_methods(L, &context_module);
    for (lua_pushnil(L); lua_next(L, -2);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -5);
    }
    lua_pop(L, 1);
}

void adapter_push_config(lua_State *L, const struct adapter_call *c)
{
    push_config(L, c);
}

int adapter_args(struct task *t)
{
    const struct adapter_call *c = t->job->call;
    lua_State *co = t->co;
    if (slice_starts(t->version->name, "ai/"))
        return connector_args(t);
    switch (t->job->hook) {
    case HOOK_RECEIVE:
        push_request(co, c);
        push_context(co, c);
        return 2;
    case HOOK_DELIVER:
    case HOOK_PUSH:
    case HOOK_TYPING:
    case HOOK_RECALL:
        push_json(co, c->item);
        push_context(co, c);
        return 2;
    case HOOK_PASSIVE:
        push_json(co, c->item);
        push_request(co, c);
        push_context(co, c);
        return 3;
    case HOOK_CHECK:
        push_config(co, c);
        push_context(co, c);
        return 2;
    default: /* POLL */
        push_context(co, c);
        return 1;
    }
}

/* --- results -------------------------------------------------------------- */

static const char *take_headers(struct task *t, int idx)
{
    lua_State *L = t->co;
    struct buf out;
    const char *why = NULL;
    if (lua_isnoneornil(L, idx))
        return NULL;
    if (!lua_istable(L, idx))
        return "receive: the third result must be a table of headers";
    buf_init(&out, LIMIT_HEADER_BYTES);
    /* The content type first: the roof takes it from there. */
    for (int round = 0; round < 2 && !why; round++) {
        for (lua_pushnil(L); lua_next(L, idx) && !why; lua_pop(L, 1)) {
            struct slice n = {"", 0}, v = {"", 0};
            if (lua_type(L, -2) == LUA_TSTRING)
                n.at = lua_tolstring(L, -2, &n.len);
            if (lua_type(L, -1) == LUA_TSTRING)
                v.at = lua_tolstring(L, -1, &v.len);
            bool type = slice_is_nocase(n, "content-type");
            if (type == (round == 1))
                continue;
            if (!n.len || memchr(n.at, '\n', n.len) ||
                memchr(v.at, '\n', v.len) || memchr(v.at, '\r', v.len) ||
                memchr(n.at, ':', n.len))
                why = "receive: a header is not a text of one line";
            else if (buf_addf(&out, "%.*s: %.*s\r\n", type ? 12 : (int)n.len,
                              type ? "content-type" : n.at, SLICE_FMT(v)))
                why = "receive: the headers are too long";
        }
    }
    lua_settop(L, idx);
    t->job->call->answer_headers = slice_dup(t->job->arena, buf_slice(&out));
    buf_fini(&out);
    return why;
}

static const char *take_body(struct task *t, int idx)
{
    lua_State *L = t->co;
    struct adapter_call *c = t->job->call;
    struct slice s = {"", 0};
    const char *why = NULL;
    if (lua_isnoneornil(L, idx))
        return NULL;
    if (lua_type(L, idx) == LUA_TSTRING) {
        s.at = lua_tolstring(L, idx, &s.len);
        if (s.len > BODY_BYTES)
            return "receive: the answer is too long";
        c->answer = slice_dup(t->job->arena, s);
        return NULL;
    }
    struct buf out;
    buf_init(&out, BODY_BYTES);
    if (value_write(L, idx, &out, &why) == 0)
        c->answer = slice_dup(t->job->arena, buf_slice(&out));
    else
        why = "receive: the answer must be a text or plain data";
    if (!c->answer_headers.len)
        c->answer_headers = SLICE("content-type: application/json\r\n");
    buf_fini(&out);
    return why;
}

/* nothing | "body" | { … } | status [, body [, headers]] */
static const char *take_reply(struct task *t)
{
    lua_State *L = t->co;
    int n = lua_gettop(L);
    if (n == 0 || lua_type(L, 1) == LUA_TSTRING || lua_istable(L, 1))
        return n ? take_body(t, 1) : NULL;
    lua_Number status = lua_tonumber(L, 1);
    if (lua_type(L, 1) != LUA_TNUMBER || !(status >= 200 && status <= 599))
        return "receive must return an HTTP status, as in: return 200, \"ok\"";
    t->job->call->status = (int)status;
    lua_settop(L, 3);
    const char *why = take_headers(t, 3);
    return why ? why : take_body(t, 2);
}

static bool may_say_nothing(enum hook h)
{
    return h == HOOK_POLL || h == HOOK_TYPING || h == HOOK_PASSIVE;
}

/* true | { … } | nil|false, code, detail */
static const char *take_data(struct task *t)
{
    lua_State *L = t->co;
    const char *why = "it must return a table";
    struct buf out;
    lua_settop(L, 3);
    buf_init(&out, BODY_BYTES);
    if (t->job->hook == HOOK_TOOL && lua_type(L, 1) == LUA_TSTRING) {
        struct slice text;
        text.at = lua_tolstring(L, 1, &text.len);
        why = !slice_is_utf8(text) || buf_add_slice(&out, text)
                  ? "run: the result is no text or too long"
                  : NULL;
    } else if (lua_istable(L, 1)) {
        if (value_write(L, 1, &out, &why) == 0)
            why = NULL;
    } else if (lua_toboolean(L, 1) ||
               (may_say_nothing(t->job->hook) && lua_isnil(L, 2))) {
        why = buf_add_text(&out, "{\"ok\":true}") ? why : NULL;
    } else {
        struct slice code = {"failed", 6}, detail = {"", 0};
        if (lua_type(L, 2) == LUA_TSTRING)
            code.at = lua_tolstring(L, 2, &code.len);
        if (lua_type(L, 3) == LUA_TSTRING)
            detail.at = lua_tolstring(L, 3, &detail.len);
        struct jsonw w = jsonw_on(&out);
        jsonw_open(&w, '{');
        jsonw_put_bool(&w, "ok", false);
        jsonw_put_text(&w, "code", code);
        jsonw_put_text(&w, "why", detail.len ? detail : code);
        jsonw_close(&w, '}');
        why = w.failed ? "what it returned is no text" : NULL;
    }
    if (!why)
        t->job->call->answer = slice_dup(t->job->arena, buf_slice(&out));
    buf_fini(&out);
    return why;
}

const char *adapter_take(struct task *t)
{
    return t->job->hook == HOOK_RECEIVE ? take_reply(t) : take_data(t);
}

/* --- ctx ------------------------------------------------------------------ */

/* Of a delivery: hold = "4s". */
static int64_t hold_ms(lua_State *L)
{
    struct slice text;
    int64_t ms = 0;
    lua_getfield(L, 1, "hold");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return 0;
    }
    text.at = lua_tolstring(L, -1, &text.len);
    if (!text.at || !duration_read(text, &ms))
        bind_raise(L, "ctx.deliver: hold must be a duration, as in \"4s\"");
    lua_pop(L, 1);
    return ms;
}

static int ask_start(lua_State *L, enum ask_kind kind, const char *what)
{
    struct task *t = bind_task(L, what);
    struct buf *out = bind_buf(L, MESSAGE_BYTES);
    const char *why;
    if (!lua_istable(L, 1))
        bind_raise(L, "%s: a table is needed", what);
    if (value_write(L, 1, out, &why) < 0)
        bind_raise(L, "%s: %s", what, why);
    if (!t->job->call)
        bind_raise(L, "%s: this is no call of an adapter", what);
    struct script_ask *ask = task_ask(t, kind);
    ask->data = slice_dup(ask->arena, buf_slice(out));
    ask->number = (int64_t)t->job->call->channel;
    ask->wait_ms = hold_ms(L);
    int got = task_wait_ask(t);
    lua_pushboolean(L, got == 0);
    return got == 0 ? 1 : 1 + bind_trouble_of(L, got, "");
}

static int ask_finish(lua_State *L)
{
    struct task *t = bind_task(L, "ctx");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got < 0 || !ask)
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    value_push_text(L, ask->arena, ask->data, NULL);
    return 1;
}

static int deliver_start(lua_State *L)
{
    return ask_start(L, ASK_DELIVER, "ctx.deliver");
}

static int poll_soon_start(lua_State *L)
{
    struct task *t = bind_task(L, "ctx.poll_soon");
    if (!t->job->call)
        bind_raise(L, "ctx.poll_soon: this is no call of an adapter");
    struct script_ask *ask = task_ask(t, ASK_POLL_SOON);
    ask->number = (int64_t)t->job->call->channel;
    int got = task_wait_ask(t);
    lua_pushboolean(L, got == 0);
    return got == 0 ? 1 : 1 + bind_trouble_of(L, got, "");
}

static int echo_start(lua_State *L)
{
    return ask_start(L, ASK_ECHO, "ctx.echo");
}

static int receipt_start(lua_State *L)
{
    return ask_start(L, ASK_RECEIPT, "ctx.receipt");
}

static int recalled_start(lua_State *L)
{
    return ask_start(L, ASK_RECALLED, "ctx.recalled");
}

#define IN_ADAPTER                                                             \
    (API_IN(HOOK_RECEIVE) | API_IN(HOOK_DELIVER) | API_IN(HOOK_PUSH) |         \
     API_IN(HOOK_POLL) | API_IN(HOOK_CHECK) | API_IN(HOOK_TYPING) |            \
     API_IN(HOOK_RECALL) | API_IN(HOOK_PASSIVE))
#define GOES_OUT                                                               \
    (API_IN(HOOK_DELIVER) | API_IN(HOOK_PUSH) | API_IN(HOOK_PASSIVE))
#define COMES_IN (API_IN(HOOK_RECEIVE) | API_IN(HOOK_POLL))
#define IN_REQUEST (API_IN(HOOK_RECEIVE) | API_IN(HOOK_PASSIVE))

static const struct api_call context_calls[] = {
    {"config", NULL, IN_ADAPTER, API_FIELD, "table<string, any>",
     "The channel's settings by the schema; a secret one is a Secret.", "1"},
    {"channel", NULL, IN_ADAPTER, API_FIELD,
     "{ id: string, type: string, name: string }", "The channel this is about.",
     "1"},
    {"deliver", NULL, COMES_IN, API_LUA | API_WAITS,
     "(message: Delivery): { id: string, conversation: string, seq: integer, "
     "duplicate: boolean }|nil, string?, string?",
     "Hands a visitor's message over; it is on disk when this returns. The "
     "same `dedupe` again gives the first one with duplicate = true. nil, "
     "code, detail if it is no message.\n\n"
     "ctx.deliver{ dedupe = x.MsgId, from = x.FromUserName, kind = \"text\", "
     "text = x.Content }",
     "1"},
    {"echo", NULL, COMES_IN, API_LUA | API_WAITS,
     "(message: { to: string, dedupe: string, name?: string, agent?: string, "
     "profile?: { name?: string, email?: string, phone?: string }, kind?: "
     "string, text?: string, file?: File|string }): { id: string, "
     "conversation: string, seq: integer, "
     "duplicate: boolean }|nil, string?, string?",
     "Hands over what one of the staff told a customer on the platform itself "
     "(in its app, on the phone): it stands in the conversation as an "
     "agent's, with outside = true, and is not sent. Who speaks has the "
     "conversation: a bot that held it loses it to the queue, or to `agent`. "
     "No rule sees it as a customer's word. `to` is the customer's id, "
     "`dedupe` "
     "the message's on the platform: one that was stored, or that send() "
     "returned, gives the first message with duplicate = true. `name`: who "
     "said it; `agent`: the email of the agent they are here; `profile`: of "
     "the customer, if they are new. The rest as in Delivery. nil, code, "
     "detail if it is no message; \"unavailable\" is worth another push.\n\n"
     "ctx.echo{ dedupe = x.msg_id, to = x.customer, name = x.staff, text = "
     "x.text }",
     "1"},
    {"poll_soon", NULL, COMES_IN, API_LUA | API_WAITS,
     "(): true|nil, string?, string?",
     "poll() of this channel is wanted now, whatever it said of `again`; once "
     "more if it is under way. Not sooner than 0.2 s after the last one, and "
     "not while it waits because it has failed.\n\n"
     "kv.set(\"news\", token) ctx.poll_soon()",
     "1"},
    {"receipt", NULL, COMES_IN, API_LUA | API_WAITS,
     "(receipt: { sent: string, status: \"delivered\"|\"read\"|\"failed\", "
     "why?: string }): true|nil, string?, string?",
     "Tells what became of a message sent: `sent` is what send() returned as "
     "sent. nil, \"not_found\" if none was.\n\n"
     "ctx.receipt{ sent = body.id, status = \"delivered\" }",
     "1"},
    {"recalled", NULL, COMES_IN, API_LUA | API_WAITS,
     "(what: { from?: string, dedupe?: string, sent?: string }): "
     "true|nil, string?, string?",
     "Tells that somebody took a message back on the platform: a visitor's, by "
     "their id and the `dedupe` it was delivered with, or one of ours, by what "
     "send() returned as sent. nil, \"not_found\" if there is none. Again "
     "changes nothing.\n\n"
     "ctx.recalled{ from = e.user, dedupe = e.msg_id }",
     "1"},
    {"file", NULL, COMES_IN, API_LUA | API_WAITS,
     "(from: { url?: string, headers?: table, body?: string, name?: string, "
     "mime?: string, max_bytes?: integer|string, timeout?: Duration, "
     "or_json?: boolean }): File|nil, string?, string|table|nil",
     "Takes a platform's media into the house's files: from a url (with "
     "everything an HttpCall has; it streams to disk, past the script's "
     "memory), or from bytes. Without a name the one of Content-Disposition "
     "counts, then the url's. nil, code, detail: nobody there, \"not_found\", "
     "\"too_large\", \"unsupported\" (not a type the house takes, or not what "
     "it says it is). With or_json a platform that has no file may say why in "
     "JSON (whatever the status; without Content-Disposition): nil, "
     "\"answer\", the table.\n\n"
     "local photo, code = ctx.file{ url = x.PicUrl, name = \"photo.jpg\" }\n"
     "if photo then ctx.deliver{ from = id, kind = \"image\", file = photo } "
     "end",
     "1"},
    {"file_body", NULL, IN_ADAPTER, API_LUA | API_WAITS,
     "(file: File|string): string|nil, string?, string?",
     "The bytes of a file, at most 8 MB: for platforms that want base64. "
     "Bigger ones go out by http.post{ multipart = {{ name = \"media\", file = "
     "item.file }} }, which streams.",
     "1"},
    {0}};
static const struct api_call file_fields[] = {
    {"id", NULL, API_ANYWHERE, API_FIELD, "string", "\"fi_...\".", "1"},
    {"name", NULL, API_ANYWHERE, API_FIELD, "string", "As its sender calls it.",
     "1"},
    {"mime", NULL, API_ANYWHERE, API_FIELD, "string",
     "What its content is: \"image/png\".", "1"},
    {"size", NULL, API_ANYWHERE, API_FIELD, "integer", "Bytes.", "1"},
    {"width", NULL, API_ANYWHERE, API_FIELD, "integer?", "Of images, upright.",
     "1"},
    {"height", NULL, API_ANYWHERE, API_FIELD, "integer?", "Likewise.", "1"},
    {"thumb", NULL, API_ANYWHERE, API_FIELD, "boolean?",
     "Is there a thumbnail?", "1"},
    {"url", NULL, API_IN(HOOK_DELIVER), API_FIELD, "string?",
     "In send: a signed address, good for link_minutes, for platforms that "
     "fetch. nil while the setting public_url is empty.",
     "1"},
    {0}};
const struct api_module file_module = {
    "File", "A file, as messages and ctx.file give it.", file_fields, true,
    NULL};

static void fill_context(lua_State *L)
{
    const struct api_module *m = &context_module;
    api_waits(L, m, "deliver", deliver_start, ask_finish);
    api_waits(L, m, "echo", echo_start, ask_finish);
    api_waits(L, m, "poll_soon", poll_soon_start, ask_finish);
    api_waits(L, m, "receipt", receipt_start, ask_finish);
    api_waits(L, m, "recalled", recalled_start, ask_finish);
    api_waits(L, m, "file", file_start, file_finish);
    api_waits(L, m, "file_body", file_body_start, file_body_finish);
}

const struct api_module context_module = {
    "Context", "What a call of an adapter is about; a plain table.",
    context_calls, true, fill_context};

static const struct api_call delivery_calls[] = {
    {"dedupe", NULL, COMES_IN, API_FIELD, "string?",
     "The platform's id of the message: a repeated push changes nothing.", "1"},
    {"from", NULL, COMES_IN, API_FIELD, "string",
     "The sender's id on the platform; replies go there.", "1"},
    {"name", NULL, COMES_IN, API_FIELD, "string?",
     "The sender's name, for a contact that is new.", "1"},
    {"profile", NULL, COMES_IN, API_FIELD,
     "{ name?: string, email?: string, phone?: string }?",
     "More of the sender, for a contact that is new.", "1"},
    {"kind", NULL, COMES_IN, API_FIELD,
     "\"text\"|\"image\"|\"file\"|\"audio\"|\"video\"|\"location\"|\"card\"",
     "What it is; its other fields as in Body.", "1"},
    {"text", NULL, COMES_IN, API_FIELD, "string?", "The text.", "1"},
    {"file", NULL, COMES_IN, API_FIELD, "File|string|nil",
     "Of image, file, audio, video: what ctx.file gave.", "1"},
    {"hold", NULL, API_IN(HOOK_RECEIVE), API_FIELD, "Duration?",
     "So long, counted from the webhook's coming, its answer waits: the first "
     "message to this sender in that time goes to passive(item, req, ctx). "
     "Otherwise it is answered what receive returned.",
     "1"},
    {0}};
const struct api_module delivery_module = {
    "Delivery", "A message from a platform, as ctx.deliver takes it.",
    delivery_calls, true, NULL};

static const struct api_call webhook_calls[] = {
    {"method", NULL, IN_REQUEST, API_FIELD, "string", "\"GET\", \"POST\".",
     "1"},
    {"path", NULL, IN_REQUEST, API_FIELD, "string",
     "What follows the hook's address, \"\" or \"/more\".", "1"},
    {"query", NULL, IN_REQUEST, API_FIELD, "table<string, string>",
     "The query, decoded.", "1"},
    {"headers", NULL, IN_REQUEST, API_FIELD, "table<string, string>",
     "By name in lower case.", "1"},
    {"body", NULL, IN_REQUEST, API_FIELD, "string",
     "The bytes as they came; check the signature over these.", "1"},
    {"address", NULL, IN_REQUEST, API_FIELD, "string", "Who called.", "1"},
    {0}};
const struct api_module webhook_module = {
    "WebhookRequest",
    "A platform's call, as receive(req, ctx) gets it, and passive.",
    webhook_calls, true, NULL};

static const struct api_call item_calls[] = {
    {"id", NULL, GOES_OUT, API_FIELD, "string",
     "Of this send, the same at each try: give it to platforms that know "
     "repeated ones.",
     "1"},
    {"to", NULL, GOES_OUT, API_FIELD, "string",
     "The visitor's id on the platform (Delivery.from).", "1"},
    {"kind", NULL, GOES_OUT, API_FIELD, "string",
     "As in Body, with its other fields beside it.", "1"},
    {"text", NULL, GOES_OUT, API_FIELD, "string?", "The text.", "1"},
    {"file", NULL, GOES_OUT, API_FIELD, "File?",
     "Of image, file, audio, video.", "1"},
    {"sender", NULL, GOES_OUT, API_FIELD,
     "{ role: \"agent\"|\"bot\", id?: string, name?: string }", "Who wrote it.",
     "1"},
    {"conversation", NULL, GOES_OUT, API_FIELD, "string", "Its id.", "1"},
    {"attempt", NULL, GOES_OUT, API_FIELD, "integer", "1 at the first try.",
     "1"},
    {"contact", NULL, API_IN(HOOK_PUSH), API_FIELD, "string",
     "Whom it is for, \"ct_...\"; `to` is empty for visitors whom nobody has "
     "signed.",
     "1"},
    {"count", NULL, API_IN(HOOK_PUSH), API_FIELD, "integer",
     "So many messages are behind this push; the item is the last of them.",
     "1"},
    {"unread", NULL, API_IN(HOOK_PUSH), API_FIELD, "integer",
     "Messages of the conversation that the visitor has not read: the badge.",
     "1"},
    {0}};
const struct api_module item_module = {
    "OutgoingItem",
    "One message on its way out, as send(item, ctx) and push(item, ctx) get "
    "it.",
    item_calls, true, NULL};
