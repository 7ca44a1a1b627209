/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - HTTP on a connection.
 *
 * Happy path: bytes -> http_read -> a request -> its path decides: /ws becomes
 * a session, the API's paths go to on_request, all else is a static file. The
 * answer goes into the out-buffer; keep-alive starts over. The reader's memory
 * exists only while a request is being read or answered, so an idle keep-alive
 * connection costs the conn alone.
 *
 * Failure modes: a refused request is answered with the contract's error and
 * closed (what its sender still has to say cannot be told from a next
 * request). Deadlines for head, body and idleness, by one timer; 408 only if
 * the request had begun. A client that is gone takes its answer with it: the
 * exchange stays until http_reply and is freed there.
 */
#include "net/serve.h"
#include "net/door.h"
#include "net/files.h"
#include "net/inside.h"
#include "net/session.h"

#include <stdio.h>

#define EXCHANGE_MAGIC 0xE4C40001u
#define AHEAD_BYTES (256 * 1024) /* unsent beyond it: no next request yet */

enum phase { PHASE_IDLE, PHASE_HEAD, PHASE_BODY, PHASE_ANSWER };

/* conn->user of an HTTP connection; NULL while idle. */
struct web {
    struct http_reader *reader;
    struct exchange *now;
    enum phase phase;
    bool in_loop; /* on_data runs: it goes on by itself */
};

/* --- deadlines ------------------------------------------------------------ */

static void enter(struct conn *c, struct web *w, enum phase phase)
{
    const struct net_times *t = &c->net->times;
    if (w->phase == phase && phase != PHASE_IDLE)
        return; /* a trickle of bytes does not win time */
    w->phase = phase;
    switch (phase) {
    case PHASE_IDLE:
        conn_deadline(c, t->idle_ms);
        break;
    case PHASE_HEAD:
        conn_deadline(c, t->header_ms);
        break;
    case PHASE_BODY:
        conn_deadline(c, t->body_ms);
        break;
    case PHASE_ANSWER: /* the handler may take its time, the reader not */
        conn_deadline(c, t->stall_ms);
        break;
    }
}

/* --- answering ------------------------------------------------------------ */

static void count_answer(struct exchange *x)
{
    net_count_status(x->status);
    meter_note(&net_http_time, clock_mono_us() - x->began_us);
}

static void exchange_free(struct exchange *x)
{
    x->magic = 0;
    meter_add(&net_live_exchanges, -1);
    http_in_free(x->in);
}

/* Frees what only a request needs; harmless if there is none. */
static void forget_web(struct conn *c)
{
    struct web *w = c->user;
    if (!w)
        return;
    http_reader_free(w->reader);
    mem_free(w);
    c->user = NULL;
}

/* The request is not the reader's any more. */
static void detach(struct exchange *x)
{
    if (!x->reading)
        return;
    struct web *w = x->conn ? x->conn->user : NULL;
    x->reading = false;
    if (w)
        must(http_take(w->reader) == x->in);
}

/* The answer is whole. What comes next on this connection? */
static void finish(struct exchange *x)
{
    struct conn *c = x->conn;
    bool keep = x->in->keep_alive && !x->reading; /* unread: no next request */
    detach(x);
    count_answer(x);
    exchange_free(x);
    if (!c)
        return;
    struct web *w = c->user;
    w->now = NULL;
    conn_touch(c);
    if (!keep) {
        conn_end(c);
        return;
    }
    enter(c, w, PHASE_IDLE);
    if (conn_unsent(c) > AHEAD_BYTES)
        return; /* on_drained resumes */
    if (w->in_loop) {
        c->paused = false;
        return;
    }
    if (c->in.len == 0)
        forget_web(c);
    conn_resume(c);
}

void exchange_begin(struct exchange *x, int status, struct slice type,
                    struct slice headers, int64_t length)
{
    struct conn *c = x->conn;
    x->status = status;
    x->is_begun = true;
    if (!c)
        return;
    if (c->net->draining || x->reading)
        x->in->keep_alive = false;
    conn_prepare(c, (size_t)(length > 4096 || length < 0 ? 512 : length + 512));
    struct http_answer a = {.status = status,
                            .type = type,
                            .headers = headers,
                            .length =
                                status == 304 || status == 204 ? -1 : length,
                            .keep_alive = x->in->keep_alive,
                            .date_ms = clock_ms()};
    if (http_write_head(&c->out, &a) < 0)
        x->in->keep_alive = false; /* out of room: the end says enough */
    if (a.keep_alive && !x->in->minor && c->out.len >= 2) {
        c->out.len -= 2; /* HTTP/1.0 must be told */
        buf_add_text(&c->out, "Connection: keep-alive\r\n\r\n");
    }
    conn_touch(c);
}

void exchange_piece(struct exchange *x, struct slice bytes)
{
    struct conn *c = x->conn;
    if (!c || x->is_head)
        return;
    if (buf_add_slice(&c->out, bytes) < 0) {
        log_error("net", "an answer of more than %zu bytes was cut",
                  c->out.max);
        x->in->keep_alive = false;
    }
    conn_touch(c);
}

void exchange_end(struct exchange *x)
{
    must_be(x, EXCHANGE_MAGIC);
    finish(x);
}

void exchange_answer(struct exchange *x, int status, struct slice type,
                     struct slice headers, struct slice body)
{
    exchange_begin(x, status, type, headers, (int64_t)body.len);
    if (x->conn && !x->is_head && body.len > 4096)
        (void)buf_reserve(&x->conn->out, body.len); /* in one step */
    if (status != 304 && status != 204)
        exchange_piece(x, body);
    finish(x);
}

void exchange_error(struct exchange *x, int status, const char *message,
                    struct slice headers)
{
    struct buf body;
    buf_init(&body, 2048);
    http_write_error(&body, status, message);
    exchange_answer(x, status, SLICE("application/json"), headers,
                    buf_slice(&body));
    buf_fini(&body);
}

/* --- the face's part ------------------------------------------------------ */

static struct exchange *exchange_of(const struct http_req *r)
{
    const struct http_in *in = container_of(r, const struct http_in, req);
    must_be(in->owner, EXCHANGE_MAGIC);
    return in->owner;
}

void http_reply(struct http_req *r, int status, struct slice type,
                struct slice headers, struct slice body)
{
    exchange_answer(exchange_of(r), status, type, headers, body);
}

struct telling {
    void (*told)(void *arg, bool written);
    void *arg;
};

static void tell(struct exchange *x, bool written)
{
    struct telling t = *(struct telling *)x->user;
    exchange_end(x);
    t.told(t.arg, written);
}

static void all_written(struct exchange *x)
{
    tell(x, true);
}

static void not_written(struct exchange *x)
{
    tell(x, false);
}

bool http_reply_told(struct http_req *r, int status, struct slice type,
                     struct slice headers, struct slice body,
                     void (*told)(void *arg, bool written), void *arg)
{
    struct exchange *x = exchange_of(r);
    if (!http_is_live(r))
        return false;
    struct telling *t = arena_one(r->arena, struct telling);
    *t = (struct telling){told, arg};
    x->user = t;
    x->on_drained = all_written;
    x->on_gone = not_written;
    exchange_begin(x, status, type, headers, (int64_t)body.len);
    exchange_piece(x, body);
    return true;
}

void http_reply_fd(struct http_req *r, int status, struct slice type,
                   struct slice headers, int fd, int64_t from, int64_t count)
{
    exchange_send_fd(exchange_of(r), status, type, headers, fd, from, count);
}

void http_hold(struct http_req *r)
{
    struct exchange *x = exchange_of(r);
    if (x->conn && x->reading)
        conn_pause(x->conn);
}

void http_go_on(struct http_req *r)
{
    struct exchange *x = exchange_of(r);
    if (!x->conn || !x->reading)
        return;
    conn_deadline(x->conn, x->conn->net->times.body_ms);
    conn_resume(x->conn);
}

bool http_is_live(const struct http_req *r)
{
    const struct exchange *x = exchange_of(r);
    return x->conn && !x->conn->eof;
}

struct slice http_header(const struct http_req *r, const char *name)
{
    struct slice s = http_find(r->headers, r->header_count, name);
    return s.at ? s : (struct slice){"", 0};
}

bool http_query(struct http_req *r, const char *name, struct slice *out)
{
    struct slice q = r->query;
    *out = (struct slice){"", 0};
    while (q.len) {
        const char *amp = memchr(q.at, '&', q.len);
        size_t n = amp ? (size_t)(amp - q.at) : q.len;
        const char *eq = memchr(q.at, '=', n);
        size_t key = eq ? (size_t)(eq - q.at) : n;
        if (slice_is((struct slice){q.at, key}, name)) {
            struct slice raw = {eq ? eq + 1 : q.at + n, eq ? n - key - 1 : 0};
            char *text = arena_text(r->arena, raw.len + 1);
            size_t len = 0;
            if (http_decode(raw, true, text, &len) < 0)
                return false;
            text[len] = '\0';
            *out = (struct slice){text, len};
            return slice_is_utf8(*out) && !memchr(text, '\0', len);
        }
        q.at += n + (amp ? 1 : 0);
        q.len -= n + (amp ? 1 : 0);
    }
    return false;
}

/* --- where a request goes ------------------------------------------------- */

static bool is_below(struct slice path, const char *prefix)
{
    size_t n = strlen(prefix);
    return slice_starts(path, prefix) && (path.len == n || path.at[n] == '/');
}

/* "/chat/<c>/config" */
static bool is_chat_config(struct slice path)
{
    static const char tail[] = "/config";
    const size_t n = sizeof(tail) - 1;
    return slice_starts(path, "/chat/") && path.len > 6 + n &&
           memcmp(path.at + path.len - n, tail, n) == 0 &&
           !memchr(path.at + 6, '/', path.len - n - 6);
}

static bool is_for_handler(struct slice path)
{
    return is_below(path, "/api/v1") || is_below(path, "/hooks") ||
           is_below(path, "/files") || slice_is(path, "/metrics") ||
           slice_is(path, "/healthz") || slice_is(path, "/readyz") ||
           is_chat_config(path);
}

/* A proxy on this machine may say for whom it asks. */
static void tell_client(struct exchange *x, const char *address)
{
    struct http_req *r = &x->in->req;
    struct slice from = http_header(r, "x-forwarded-for");
    bool local =
        strncmp(address, "127.", 4) == 0 || strcmp(address, "::/64") == 0;
    if (local && from.len) {
        const char *comma = memrchr(from.at, ',', from.len);
        if (comma)
            from = (struct slice){comma + 1,
                                  (size_t)(from.at + from.len - comma - 1)};
        from = slice_trim(from);
    }
    if (!local || !from.len || from.len >= sizeof(r->address))
        from = slice_of(address);
    memcpy(r->address, from.at, from.len);
    r->address[from.len] = '\0';
}

static void route(struct exchange *x)
{
    struct net *n = x->conn->net;
    struct http_req *r = &x->in->req;
    if (slice_is(r->path, "/ws")) {
        if (!session_upgrade(x))
            return;
        exchange_error(x, 426, "This path speaks WebSocket, version 13.",
                       SLICE("Upgrade: websocket\r\n"
                             "Sec-WebSocket-Version: 13\r\n"));
    } else if (is_below(r->path, "/hooks") && net_is_starved(n)) {
        exchange_error(x, 503, "Too much is under way; try again soon.",
                       SLICE("Retry-After: 1\r\n"));
    } else if (n->conf.all_paths || is_for_handler(r->path)) {
        n->conf.on_request(n->conf.arg, r);
    } else {
        files_answer(n->files, x);
    }
}

static struct exchange *exchange_new(struct conn *c, struct http_in *in)
{
    struct exchange *x = arena_one(in->req.arena, struct exchange);
    x->magic = EXCHANGE_MAGIC;
    x->in = in;
    x->conn = c;
    x->began_us = clock_mono_us();
    x->is_head = slice_is(in->req.method, "HEAD");
    in->owner = x;
    in->req.id = ++c->net->requests;
    meter_add(&net_live_exchanges, 1);
    return x;
}

static void handle(struct conn *c, struct web *w, struct http_in *in)
{
    struct exchange *x = exchange_new(c, in);
    w->now = x;
    enter(c, w, PHASE_ANSWER);
    conn_pause(c); /* until it is answered */
    if (in->status) {
        in->keep_alive = false;
        exchange_error(x, in->status, in->why, (struct slice){"", 0});
        return;
    }
    tell_client(x, c->place->text);
    in->req.local = place_is_local(c->place);
    route(x);
}

static void go_ahead(struct conn *c, struct http_in *in)
{
    if (!in->expect)
        return;
    in->expect = false;
    conn_prepare(c, 64);
    buf_add_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
    conn_touch(c);
}

/* --- bodies in pieces ------------------------------------------------------ */

static void body_ends(struct exchange *x, int result)
{
    struct http_req *r = &x->in->req;
    detach(x);
    if (r->on_end)
        r->on_end(r, result);
    else
        exchange_answer(x, err_status(result ? result : ERR_INTERNAL),
                        SLICE(""), SLICE(""), SLICE(""));
}

/* Its head is there: the handler decides. */
static void stream_begins(struct conn *c, struct web *w, bool may_wait)
{
    struct http_in *in = http_now(w->reader);
    struct exchange *x = exchange_new(c, in);
    w->now = x;
    x->reading = true;
    enter(c, w, PHASE_BODY);
    tell_client(x, c->place->text);
    in->req.local = place_is_local(c->place);
    route(x);
    if (w->now == x && may_wait)
        go_ahead(c, in);
}

static void pass_piece(struct conn *c, struct web *w)
{
    struct exchange *x = w->now;
    struct http_in *in = x->in;
    if (!in->body.len)
        return;
    conn_deadline(c, c->net->times.body_ms);
    struct buf piece = in->body; /* the handler may answer, which frees all */
    buf_init(&in->body, piece.max);
    if (in->req.on_body)
        in->req.on_body(&in->req, buf_slice(&piece));
    buf_fini(&piece);
}

/* After a http_read of such a body; false: nothing more can be done now. */
static bool stream_step(struct conn *c, struct web *w, enum http_step s)
{
    if (w->now)
        pass_piece(c, w);
    struct exchange *x = w->now;
    if (!x || c->state != CONN_OPEN)
        return false; /* it was answered */
    if (s == HTTP_NEEDS_MORE || s == HTTP_HAS_HEAD)
        return s == HTTP_HAS_HEAD;
    enter(c, w, PHASE_ANSWER);
    conn_pause(c);
    if (s == HTTP_IS_REFUSED)
        x->in->keep_alive = false;
    body_ends(x, s == HTTP_IS_WHOLE ? 0 : ERR_BAD_REQUEST);
    return s == HTTP_IS_WHOLE;
}

/* --- a connection's functions --------------------------------------------- */

static struct web *web_of(struct conn *c)
{
    struct web *w = c->user;
    if (!w) {
        w = mem_alloc(sizeof(*w));
        w->reader = http_reader_new((size_t)c->net->conf.body_bytes);
        http_reader_streams(w->reader, c->net->conf.streams, c->net->conf.arg);
        w->phase = PHASE_IDLE;
        c->user = w;
    }
    return w;
}

/* One step of reading; false: nothing more can be done now. */
static bool step(struct conn *c, struct web *w, struct slice data, size_t *used)
{
    size_t n;
    struct slice rest = {data.at + *used, data.len - *used};
    enum http_step s = http_read(w->reader, rest, &n);
    *used += n;
    struct http_in *now = http_now(w->reader);
    if (s == HTTP_HAS_HEAD && now->req.streamed) {
        stream_begins(c, w, *used == data.len);
        return c->state == CONN_OPEN && !c->paused;
    }
    if (w->now)
        return stream_step(c, w, s);
    switch (s) {
    case HTTP_NEEDS_MORE:
        if (http_now(w->reader))
            enter(c, w, PHASE_BODY);
        else if (*used < data.len)
            enter(c, w, PHASE_HEAD);
        return false;
    case HTTP_HAS_HEAD:
        enter(c, w, PHASE_BODY);
        if (*used == data.len)
            go_ahead(c, http_now(w->reader));
        return true;
    case HTTP_IS_WHOLE:
        handle(c, w, http_take(w->reader));
        return true;
    case HTTP_IS_REFUSED:
        *used = data.len;
        handle(c, w, http_take(w->reader));
        return false;
    }
    return false;
}

static const struct conn_ops ops;

static size_t on_data(struct conn *c, struct slice data)
{
    struct web *w = web_of(c);
    size_t used = 0;
    w->in_loop = true;
    while (c->state == CONN_OPEN && !c->paused && c->ops == &ops &&
           step(c, w, data, &used))
        ;
    if (c->ops != &ops || c->state == CONN_DEAD)
        return used; /* w is gone */
    w->in_loop = false;
    if (!w->now && !http_now(w->reader) && used == data.len)
        forget_web(c);
    return used;
}

static void on_eof(struct conn *c)
{
    struct web *w = c->user;
    if (w && w->now && w->now->reading)
        body_ends(w->now, ERR_CANCELLED); /* it stopped in the middle */
    else if (!w || !w->now)
        conn_end(c); /* else it may still read the answer */
}

static void on_drained(struct conn *c)
{
    struct web *w = c->user;
    if (w && w->now && w->now->is_begun && w->now->on_drained)
        w->now->on_drained(w->now);
    else if (!w || !w->now)
        conn_resume(c); /* if it was too far ahead */
}

static void on_timer(struct conn *c)
{
    struct web *w = c->user;
    if (w && w->now && w->now->reading && !c->paused) {
        body_ends(w->now, ERR_TIMEOUT);
        return;
    }
    if (conn_unsent(c) || (w && w->now)) {
        if (conn_is_stalled(c))
            conn_abort(c);
        else
            conn_deadline(c, c->net->times.stall_ms);
        return;
    }
    if (!w || (w->phase != PHASE_HEAD && w->phase != PHASE_BODY)) {
        conn_abort(c); /* idle */
        return;
    }
    struct http_answer a = {.status = 408,
                            .type = SLICE("application/json"),
                            .date_ms = clock_ms()};
    struct buf body;
    buf_init(&body, 512);
    http_write_error(&body, 408, "The request took too long to arrive.");
    a.length = (int64_t)body.len;
    conn_prepare(c, 512);
    http_write_head(&c->out, &a);
    buf_add_slice(&c->out, buf_slice(&body));
    buf_fini(&body);
    net_count_status(408);
    conn_end(c);
}

static void on_gone(struct conn *c)
{
    struct web *w = c->user;
    meter_add(&net_open_http, -1);
    if (!w)
        return;
    if (w->now) {
        struct exchange *x = w->now;
        bool reading = x->reading;
        detach(x);
        x->conn = NULL;
        if (reading)
            body_ends(x, ERR_CANCELLED);
        else if (x->on_gone)
            x->on_gone(x);
    }
    forget_web(c);
}

static const struct conn_ops ops = {.on_data = on_data,
                                    .on_eof = on_eof,
                                    .on_drained = on_drained,
                                    .on_timer = on_timer,
                                    .on_gone = on_gone};

struct conn *serve_open(struct net *n, int fd, struct place *place)
{
    struct conn *c = conn_new(n, fd, place, &ops);
    conn_deadline(c, n->times.header_ms);
    meter_add(&net_open_http, 1);
    return c;
}

void serve_leave(struct exchange *x)
{
    struct conn *c = x->conn;
    x->status = 101;
    count_answer(x);
    exchange_free(x);
    forget_web(c);
    conn_deadline(c, -1);
    c->paused = false;
    meter_add(&net_open_http, -1);
}

void serve_drain(struct net *n)
{
    list_each (&n->conns, l) {
        struct conn *c = container_of(l, struct conn, link);
        struct web *w = c->user;
        if (c->ops != &ops || c->state != CONN_OPEN)
            continue;
        if (!w || (!w->now && w->phase == PHASE_IDLE))
            conn_end(c);
    }
}
