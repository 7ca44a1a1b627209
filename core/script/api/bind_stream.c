/* SPDX-License-Identifier: Apache-2.0 */
/* bind_stream.c - http.stream: an answer that is read bit by bit.
 *
 *     local s, code = http.stream{ url, json = {...} }
 *     for event in s:sse() do ... end
 *
 * Happy path: the roof opens it and tells status and headers; each time the
 * script has used up what is here it asks for more and waits. At most
 * what one NEXT brings is here, so a slow script holds the peer back. Thousands
 * wait at the same time: who waits holds no buffer that is empty.
 *
 * Failure modes: a stream that breaks ends its loop; stream:failed() tells why.
 * A handler that ends, is killed or gives up waiting closes what it opened: the
 * roof is told by ASK_STREAM_END in each case, so none is ever left open.
 *
 * A stream belongs to its task. What the script holds is a table with a number
 * that only means something there.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "base/sse.h"
#include "script/api/calls.h"
#include "script/load/unit.h"
#include "script/run/worker.h"
#include <string.h>

#define STREAMS_MOST 10 /* open at once in a handler */

struct stream {
    struct task_end end; /* must be first */
    uint64_t number;     /* the roof's */
    uint64_t id;         /* the script's; never used twice on a thread */
    struct buf in;       /* what was not used yet */
    size_t used;         /* of it */
    struct sse sse;
    bool ended, waits;
    int result;
    char *why; /* NULL: nothing to say */
};

static void free_stream(struct stream *st)
{
    buf_fini(&st->in);
    sse_fini(&st->sse);
    mem_free(st->why);
    mem_free(st);
}

static void on_end(struct task *t, struct task_end *e)
{
    struct stream *st = container_of(e, struct stream, end);
    struct script_ask *ask = task_note(t, ASK_STREAM_END);
    ask->number = (int64_t)st->number;
    task_post(t, ask);
    free_stream(st);
}

static void let_go(struct task *t, struct stream *st)
{
    list_remove(&st->end.link);
    on_end(t, &st->end);
}

static struct stream *newest(const struct task *t, int *count)
{
    struct stream *last = NULL;
    *count = 0;
    list_each ((struct list *)&t->ends, l) {
        struct task_end *e = container_of(l, struct task_end, link);
        if (e->fn != on_end)
            continue;
        last = container_of(e, struct stream, end);
        ++*count;
    }
    return last;
}

/* The stream of the table at 1, NULL if it is closed or another handler's. */
static struct stream *find(lua_State *L, const char *what)
{
    struct task *t = bind_task(L, what);
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushliteral(L, "id");
    lua_rawget(L, 1);
    uint64_t id = (uint64_t)lua_tonumber(L, -1);
    lua_pop(L, 1);
    list_each (&t->ends, l) {
        struct task_end *e = container_of(l, struct task_end, link);
        struct stream *st = container_of(e, struct stream, end);
        if (e->fn == on_end && st->id == id)
            return st;
    }
    return NULL;
}

/* The one whose next piece was waited for. */
static struct stream *waiting(const struct task *t)
{
    list_each ((struct list *)&t->ends, l) {
        struct task_end *e = container_of(l, struct task_end, link);
        struct stream *st = container_of(e, struct stream, end);
        if (e->fn == on_end && st->waits)
            return st;
    }
    return NULL;
}

static int push_nothing(lua_State *L)
{
    lua_pushnil(L);
    return 1;
}

/* --- opening -------------------------------------------------------------- */

static int open_start(lua_State *L)
{
    struct task *t = bind_task(L, "http.stream");
    int count;
    (void)newest(t, &count);
    if (count >= STREAMS_MOST)
        bind_raise(L, "http.stream: %d streams are open already", count);
    struct script_ask *ask = task_ask(t, ASK_STREAM);
    ask->http = arena_one(ask->arena, struct http_call);
    http_read_request(L, ask);
    int got = calls_waiting(L, t);
    if (got > 1)
        return got;
    struct stream *st = mem_alloc(sizeof *st);
    st->number = id_new();
    st->id = ++t->version->streams;
    st->end.fn = on_end;
    buf_init(&st->in, 2 * LIMIT_STREAM_LINE);
    sse_init(&st->sse, LIMIT_STREAM_LINE);
    list_add_last(&t->ends, &st->end.link);
    ask->number = (int64_t)st->number;
    return got;
}

static int open_finish(lua_State *L)
{
    struct task *t = bind_task(L, "http.stream");
    const struct script_ask *ask = t->answer;
    int count, got = bind_wait_result(L, t);
    struct stream *st = newest(t, &count);
    if (got < 0 || !ask || !ask->http || !st) {
        if (st)
            let_go(t, st);
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    }
    const struct http_call *h = ask->http;
    st->number = (uint64_t)ask->number;
    lua_createtable(L, 0, 4);
    lua_pushnumber(L, (lua_Number)st->id);
    lua_setfield(L, -2, "id");
    lua_pushinteger(L, h->status);
    lua_setfield(L, -2, "status");
    lua_pushboolean(L, h->status >= 200 && h->status < 300);
    lua_setfield(L, -2, "ok");
    http_push_headers(L, h->answer_headers);
    lua_setfield(L, -2, "headers");
    api_meta(L, &stream_module);
    lua_setmetatable(L, -2);
    return 1;
}

/* --- more of it ----------------------------------------------------------- */

/* stream_more(stream): true if there is more to look at; nil at the end. */
static int more_start(lua_State *L)
{
    struct task *t = bind_task(L, "stream");
    struct stream *st = find(L, "stream");
    if (!st || st->ended) {
        lua_pushboolean(L, 0);
        lua_pushnil(L);
        return 2;
    }
    buf_drop(&st->in, st->used);
    st->used = 0;
    if (!st->in.len)
        buf_fini(&st->in);
    sse_rest(&st->sse);
    struct script_ask *ask = task_ask(t, ASK_STREAM_NEXT);
    ask->number = (int64_t)st->number;
    int got = calls_waiting(L, t);
    st->waits = got == 1;
    if (got > 1) {
        st->ended = true;
        st->result = ERR_CANCELLED;
    }
    return got;
}

static void set_end(struct stream *st, int result, const char *why)
{
    st->ended = true;
    st->result = result;
    mem_free(st->why);
    st->why = *why ? mem_strdup(why) : NULL;
}

static int more_finish(lua_State *L)
{
    struct task *t = bind_task(L, "stream");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    struct stream *st = waiting(t);
    if (!st)
        return 0;
    st->waits = false;
    if (got < 0)
        set_end(st, got, ask ? ask->err.text : "");
    else if (!ask || ask->data.len == 0)
        set_end(st, 0, "");
    else if (buf_add_slice(&st->in, ask->data) < 0)
        set_end(st, ERR_TOOBIG, "a line is too long");
    lua_pushboolean(L, !st->ended);
    return 1;
}

/* --- looking -------------------------------------------------------------- */

static struct slice unused(const struct stream *st)
{
    return (struct slice){st->in.data ? st->in.data + st->used : "",
                          st->in.len - st->used};
}

/* All that is here, or nil. */
static int take_all(lua_State *L)
{
    struct stream *st = find(L, "stream:read");
    struct slice s = st ? unused(st) : SLICE("");
    if (!s.len)
        return push_nothing(L);
    value_push_slice(L, s);
    st->used = st->in.len;
    return 1;
}

/* The next line without its end, or nil; at the stream's end what is left. */
static int take_line(lua_State *L)
{
    struct stream *st = find(L, "stream:lines");
    struct slice s = st ? unused(st) : SLICE("");
    const char *end = s.len ? memchr(s.at, '\n', s.len) : NULL;
    if (!s.len || (!end && !st->ended))
        return push_nothing(L);
    size_t n = end ? (size_t)(end - s.at) : s.len;
    size_t plain = n > 0 && s.at[n - 1] == '\r' ? n - 1 : n;
    lua_pushlstring(L, s.at, plain);
    st->used += end ? n + 1 : n;
    return 1;
}

static void push_part(lua_State *L, const char *name, struct slice s)
{
    value_push_slice(L, s);
    lua_setfield(L, -2, name);
}

static int push_event(lua_State *L, const struct stream *st)
{
    lua_createtable(L, 0, 3);
    push_part(L, "event", sse_event(&st->sse));
    push_part(L, "data", sse_data(&st->sse));
    push_part(L, "id", sse_id(&st->sse));
    return 1;
}

/* The next event, or nil. */
static int take_event(lua_State *L)
{
    struct stream *st = find(L, "stream:sse");
    bool is = false;
    if (!st)
        return push_nothing(L);
    int64_t n = sse_feed(&st->sse, unused(st), &is);
    if (n < 0) {
        set_end(st, ERR_TOOBIG, "an event is too long");
        return push_nothing(L);
    }
    st->used += (size_t)n;
    return is ? push_event(L, st) : push_nothing(L);
}

/* The event that the end of the stream has cut off, or nil. */
static int take_last(lua_State *L)
{
    struct stream *st = find(L, "stream:sse");
    bool is = false;
    if (!st || !st->ended || st->result < 0 ||
        sse_feed(&st->sse, SLICE("\n\n"), &is) < 0 || !is)
        return push_nothing(L);
    return push_event(L, st);
}

static int stream_failed(lua_State *L)
{
    const struct stream *st = find(L, "stream:failed");
    if (!st || !st->ended || st->result == 0)
        return push_nothing(L);
    (void)bind_trouble_of(L, st->result, st->why ? st->why : "");
    return 2; /* code, detail */
}

static int stream_close(lua_State *L)
{
    struct stream *st = find(L, "stream:close");
    if (st)
        let_go(bind_task(L, "stream:close"), st);
    return 0;
}

/* --- names ---------------------------------------------------------------- */

#define METHOD(name, fn, flags, signature, doc)                                \
    {                                                                          \
        name, fn, API_HANDLERS, (flags) | API_METHOD, signature, doc, "1"      \
    }
#define FIELD(name, type, doc)                                                 \
    {                                                                          \
        name, NULL, API_ANYWHERE, API_FIELD, type, doc, "1"                    \
    }
#define WAITS (API_LUA | API_WAITS)

static const struct api_call calls[] = {
    FIELD("status", "integer", "200, 404 and their like."),
    FIELD("ok", "boolean", "Is the status 200 to 299?"),
    FIELD("headers", "table<string, string>", "By name in lower case."),
    METHOD("sse", NULL, WAITS,
           "(options?: { last?: boolean }): fun(): SseEvent|nil",
           "Walks over server-sent events as they come. The loop ends with the "
           "stream, also when it breaks: see failed. With last = true an event "
           "that a stream which ended well has left without its empty line "
           "counts too; the standard drops it."
           "\n\nfor event in stream:sse() do print(event.data) end"),
    METHOD("lines", NULL, WAITS, "(): fun(): string|nil",
           "Walks over lines as they come, without their ends."
           "\n\nfor line in stream:lines() do print(line) end"),
    METHOD("read", NULL, WAITS, "(): string|nil, string?, string?",
           "The next bytes, as many as are there; waits if there are none. nil "
           "at the end, nil, code, detail if the stream broke."
           "\n\nlocal piece = stream:read()"),
    METHOD("failed", stream_failed, 0, "(): string?, string?",
           "Code and detail if the stream broke, nothing if it ended well."
           "\n\nlocal code, detail = stream:failed()"),
    METHOD("close", stream_close, 0, "()",
           "Ends it before its time. Happens by itself when the handler ends."
           "\n\nstream:close()"),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
void http_fill_stream(lua_State *L)
{
    api_waits(L, &http_module, "stream", open_start, open_finish);
}

static void fill(lua_State *L)
{
    calls_push(L);
    calls_wait(L, "stream_more", more_start, more_finish);
    calls_native(L, "stream_all", take_all);
    calls_native(L, "stream_line", take_line);
    calls_native(L, "stream_event", take_event);
    calls_native(L, "stream_last", take_last);
    calls_gates(L, &stream_module);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    calls_run(L, "stream", 1);
}

const struct api_module stream_module = {
    .name = "Stream",
    .doc = "An answer that is read bit by bit; made by http.stream. It belongs "
           "to the handler that opened it.",
    .calls = calls,
    .is_object = true,
    .fill = fill};

static const struct api_call event_fields[] = {
    FIELD("event", "string", "Its name; \"message\" if it has none."),
    FIELD("data", "string", "Its lines, joined by line breaks."),
    FIELD("id", "string", "The last id the server gave, \"\" if none."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module sse_event_module = {.name = "SseEvent",
                                            .doc = "One server-sent event.",
                                            .calls = event_fields,
                                            .is_object = true};
