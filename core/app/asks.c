/* SPDX-License-Identifier: Apache-2.0 */
/* asks.c - what scripts ask of the house, answered by its wings.
 *
 * Happy path: an ask becomes a call or a question, its answer goes back by the
 * ask's ticket. Failure: the answer says why; an ask that outlives its wing is
 * freed.
 */
#include "app/asks.h"

struct ask_http {
    struct httpc_call call;
    struct script_ask *ask;
    struct server *server;
};

void asks_answer(struct server *s, struct script_ask *ask)
{
    if (s->script) {
        script_answer(s->script, ask);
    } else {
        arena_free(ask->arena); /* it asked, then its wing was closed */
    }
}

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

static void ask_http(struct server *s, struct script_ask *ask)
{
    struct ask_http *h = arena_one(ask->arena, struct ask_http);
    h->ask = ask;
    h->server = s;
    h->call = (struct httpc_call){
        .method = ask->http->method,
        .url = ask->http->url,
        .body = ask->http->body,
        .headers = ask->http->headers,
        .header_count = ask->http->header_count,
        .connect_ms = 5000,
        .total_ms = ask->http->timeout_ms,
        .body_max = ask->http->body_max,
        .arena = ask->arena,
        .done = on_http_done,
    };
    httpc_start(s->net, &h->call);
}

struct ask_kv {
    struct server *server;
    struct script_ask *ask;
};

static void on_kv(struct query *q)
{
    struct ask_kv *k = q->owner;
    struct script_ask *ask = k->ask;
    ask->result = q->result;
    ask->err = q->err;
    ask->data = slice_dup(ask->arena, q->text);
    query_free(q);
    asks_answer(k->server, ask);
}

static void ask_kv(struct server *s, struct script_ask *ask)
{
    struct ask_kv *k = arena_one(ask->arena, struct ask_kv);
    k->server = s;
    k->ask = ask;
    struct query *q = query_new(QUERY_KV, on_kv, k);
    q->kv.space = slice_dup(q->arena, ask->unit);
    q->kv.key = slice_dup(q->arena, ask->name);
    server_read(s, q);
}

void asks_on_ask(void *arg, struct script_ask *ask)
{
    struct server *s = arg;
    switch (ask->kind) {
    case ASK_HTTP:
        ask_http(s, ask);
        break;
    case ASK_KV_GET:
        ask_kv(s, ask);
        break;
    case ASK_LOOKUP:
        lookup_ask(s, ask);
        break;
    default:
        ask->result = err_set(&ask->err, ERR_UNSUPPORTED, "not known here");
        asks_answer(s, ask);
    }
}
