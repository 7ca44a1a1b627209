/* SPDX-License-Identifier: Apache-2.0 */
/* asks_http.c - calls to others, and streams that scripts read bit by bit.
 *
 * Happy path of a stream: the ask is answered when status and headers are
 * there; each NEXT is answered with what has come since, or when something
 * comes; END cancels what is left. Between two NEXTs at most
 * HTTPC_STREAM_BYTES wait in net, then the peer is held back.
 *
 * Failure: the stream stays known with its error until END, which the script
 * wing sends for every stream, also when its handler dies or gave up before
 * the head came. What is open when the house stops is cancelled by net and
 * freed here.
 */
#include "app/asks.h"
#include "app/files/files.h"

/* --- one answer ----------------------------------------------------------- */

struct ask_http {
    struct httpc_call call;
    struct script_ask *ask;
    struct server *server;
};

static void on_http_done(struct httpc_call *c)
{
    struct ask_http *h = container_of(c, struct ask_http, call);
    struct script_ask *ask = h->ask;
    ask->result = c->result;
    ask->err = c->err;
    ask->http->status = c->status;
    ask->http->answer_headers = c->answer_headers;
    ask->http->answer = c->answer;
    asks_answer(h->server, ask);
}

static struct httpc_call call_of(const struct script_ask *ask)
{
    const struct http_call *h = ask->http;
    return (struct httpc_call){.method = h->method,
                               .url = h->url,
                               .body = h->body,
                               .headers = h->headers,
                               .header_count = h->header_count,
                               .connect_ms = h->connect_ms,
                               .total_ms = h->timeout_ms,
                               .first_ms = h->first_ms,
                               .follow = h->follow,
                               .body_max = h->body_max,
                               .arena = ask->arena};
}

/* The body with its files in it, opened: fd and size of each. */
static void put_pieces(struct ask_http *h, const struct files_opened *o)
{
    const struct http_call *c = h->ask->http;
    struct httpc_piece *p =
        arena_many(h->ask->arena, struct httpc_piece, 2 * c->file_count + 1);
    size_t n = 0, from = 0;
    for (size_t i = 0; i <= c->file_count; i++) {
        size_t to = i < c->file_count ? c->files[i].at : c->body.len;
        if (to > from) {
            p[n++] = (struct httpc_piece){
                .bytes = {c->body.at + from, to - from}, .fd = -1};
        }
        from = to;
        if (i < c->file_count) {
            p[n++] = (struct httpc_piece){.fd = o->fds[i], .size = o->sizes[i]};
        }
    }
    h->call.body = SLICE("");
    h->call.pieces = p;
    h->call.piece_count = n;
}

static void on_opened(struct files_opened *o)
{
    struct ask_http *h = o->owner;
    if (o->result) {
        asks_refuse(h->server, h->ask, o->result,
                    "the file that was to be sent cannot be read");
        return;
    }
    put_pieces(h, o);
    httpc_start(h->server->net, &h->call);
}

void http_ask(struct server *s, struct script_ask *ask)
{
    struct ask_http *h = arena_one(ask->arena, struct ask_http);
    h->ask = ask;
    h->server = s;
    h->call = call_of(ask);
    h->call.done = on_http_done;
    if (!ask->http->file_count) {
        httpc_start(s->net, &h->call);
        return;
    }
    struct files_opened *o = arena_one(ask->arena, struct files_opened);
    *o = (struct files_opened){.s = s,
                               .files = ask->http->files,
                               .count = ask->http->file_count,
                               .done = on_opened,
                               .owner = h};
    files_open_all(o);
}

/* --- streams -------------------------------------------------------------- */

#define HEAD_BYTES 256 /* of an answer's head, for most */

struct stream {
    struct httpc_call call;
    struct server *server;
    struct arena *arena;        /* the call's; the stream lies in it */
    uint64_t number, of;        /* of: adapter_call.number, 0 = none */
    struct script_ask *waiting; /* STREAM or NEXT */
    bool cut;                   /* nobody wants what it is read for */
    bool headed, ended, left;   /* left: END was said */
    bool has_more;
    struct slice rest; /* ended: what nobody has read */
    struct list link;  /* a ring of those with the same of */
};

/* By what they are read for: one of the ring stands in the map. */
static void index_add(struct map *by_call, struct stream *st)
{
    struct stream *first = st->of ? map_get(by_call, st->of) : NULL;
    list_init(&st->link);
    if (first) {
        list_add_last(&first->link, &st->link);
    } else if (st->of) {
        map_put(by_call, st->of, st);
    }
}

static void index_take(struct map *by_call, struct stream *st)
{
    struct stream *other = container_of(st->link.next, struct stream, link);
    if (st->of && map_get(by_call, st->of) == st) {
        if (other != st) {
            map_put(by_call, st->of, other);
        } else {
            map_take(by_call, st->of);
        }
    }
    list_remove(&st->link);
}

static void stream_free(struct stream *st)
{
    struct asks *asks = st->server->asks;
    map_take(&asks->streams, st->number);
    index_take(&asks->streams_by_call, st);
    arena_free(st->arena);
}

static void answer(struct stream *st, int result, const struct err *e)
{
    struct script_ask *ask = st->waiting;
    st->waiting = NULL;
    ask->result = result;
    if (result < 0 && e) {
        ask->err = *e;
    }
    asks_answer(st->server, ask);
}

static void answer_head(struct stream *st)
{
    struct http_call *h = st->waiting->http;
    st->headed = true;
    h->status = st->call.status;
    h->answer_headers = slice_dup(st->waiting->arena, st->call.answer_headers);
    answer(st, 0, NULL);
}

/* To a NEXT: bytes, the end, or an error; or it waits on. */
static void serve(struct stream *st)
{
    struct script_ask *ask = st->waiting;
    if (st->ended && !st->rest.len) {
        ask->data = SLICE("");
        answer(st, st->call.result, &st->call.err);
        return;
    }
    struct slice got = st->rest;
    if (!st->ended) {
        if (!st->has_more) {
            return;
        }
        st->has_more = false;
        got = httpc_read(st->server->net, &st->call);
    }
    ask->data = slice_dup(ask->arena, got);
    st->rest = SLICE("");
    answer(st, 0, NULL);
}

static void on_head(struct httpc_call *c)
{
    struct stream *st = c->owner;
    if (st->waiting) {
        answer_head(st);
    }
}

static void on_more(struct httpc_call *c)
{
    struct stream *st = c->owner;
    st->has_more = true;
    if (st->headed && st->waiting) {
        serve(st);
    }
}

static void on_stream_done(struct httpc_call *c)
{
    struct stream *st = c->owner;
    st->ended = true;
    st->rest = c->answer;
    if (st->left) {
        stream_free(st);
        return;
    }
    if (!st->waiting) {
        return;
    }
    if (st->headed) {
        serve(st);
    } else if (c->result == 0) {
        answer_head(st);
    } else {
        answer(st, c->result, &c->err);
    }
}

/* The request lies in the ask's arena, which goes back with the head. */
static void copy_request(struct stream *st)
{
    struct httpc_call *c = &st->call;
    struct arena *a = st->arena;
    struct slice *headers =
        arena_many(a, struct slice, 2 * c->header_count + 1);
    for (size_t i = 0; i < 2 * c->header_count; i++) {
        headers[i] = slice_dup(a, c->headers[i]);
    }
    c->headers = headers;
    c->method = slice_dup(a, c->method);
    c->url = slice_dup(a, c->url);
    c->body = slice_dup(a, c->body);
    c->arena = a;
}

static size_t request_bytes(const struct http_call *h)
{
    size_t n = h->method.len + 2 * h->url.len + h->body.len + HEAD_BYTES;
    for (size_t i = 0; i < 2 * h->header_count; i++) {
        n += sizeof(struct slice) + h->headers[i].len + 1;
    }
    return n;
}

void stream_ask(struct server *s, struct script_ask *ask)
{
    struct asks *asks = asks_of(s);
    uint64_t number = (uint64_t)ask->number;
    if (map_get(&asks->streams, number)) {
        asks_refuse(s, ask, ERR_CONFLICT, "there is such a stream");
        return;
    }
    struct arena *a =
        arena_new_for(sizeof(struct stream) + request_bytes(ask->http));
    struct stream *st = arena_one(a, struct stream);
    st->server = s;
    st->arena = a;
    st->number = number;
    st->waiting = ask;
    st->of = ask->call;
    st->call = call_of(ask);
    copy_request(st);
    st->call.stream = true;
    st->call.placed = st->of != 0; /* the assistant has its places */
    st->call.head = on_head;
    st->call.more = on_more;
    st->call.done = on_stream_done;
    st->call.owner = st;
    map_put(&asks->streams, number, st);
    index_add(&asks->streams_by_call, st);
    httpc_start(s->net, &st->call);
}

void stream_next(struct server *s, struct script_ask *ask)
{
    struct stream *st = map_get(&asks_of(s)->streams, (uint64_t)ask->number);
    if (!st || st->left) {
        asks_refuse(s, ask, ERR_NOT_FOUND, "there is no such stream");
    } else if (st->waiting) {
        asks_refuse(s, ask, ERR_CONFLICT, "another one reads this stream");
    } else {
        st->waiting = ask;
        serve(st);
    }
}

void stream_end(struct server *s, struct script_ask *ask)
{
    static const struct err gone = {ERR_CANCELLED, "the stream was closed", ""};
    struct stream *st = map_get(&asks_of(s)->streams, (uint64_t)ask->number);
    if (st && !st->left) {
        st->left = true;
        if (st->waiting) {
            answer(st, ERR_CANCELLED, &gone);
        }
        if (st->ended) {
            stream_free(st);
        } else {
            httpc_cancel(s->net, &st->call);
        }
    }
    asks_answer(s, ask);
}

void streams_cancel(struct server *s, uint64_t call)
{
    struct stream *first =
        s->asks && call ? map_get(&s->asks->streams_by_call, call) : NULL;
    struct stream *st = first;
    while (st) {
        if (!st->ended && !st->cut) {
            st->cut = true;
            httpc_cancel(s->net, &st->call); /* its done comes later */
        }
        st = container_of(st->link.next, struct stream, link);
        st = st == first ? NULL : st;
    }
}

void streams_free(struct map *streams)
{
    struct stream *st;
    for (size_t i = 0; (st = map_next(streams, &i)) != NULL;) {
        must(st->ended); /* net has answered every call */
        if (st->waiting) {
            arena_free(st->waiting->arena);
        }
        arena_free(st->arena);
    }
    map_fini(streams);
}
