/* SPDX-License-Identifier: Apache-2.0 */
/* idem.c - Idempotency-Key: the same key and body give the first answer.
 *
 * Happy path: no answer is known, the call runs, and its answer is committed
 * with what it did. Failure: another body, or the same call still at work: 409.
 * Only successes are kept; a call that failed may be tried again.
 */
#include "app/api/api.h"
#include "base/clock.h"
#include "base/crypto.h"
#include <stdio.h>

#define KEY_MAX 200

static void on_answer(struct query *q)
{
    struct call *c = q->owner;
    const struct answer *first = q->answer;
    if (q->result && q->result != ERR_NOT_FOUND) {
        struct err e = q->err;
        e.code = q->result;
        query_free(q);
        reply_error(c, &e);
        return;
    }
    if (!first) {
        query_free(q);
        c->next(c);
        return;
    }
    c->idem_kept = true;
    if (!crypto_equal(first->digest, c->idem_digest, sizeof first->digest)) {
        query_free(q);
        reply_fail(c, ERR_CONFLICT, "Idempotency-Key",
                   "this Idempotency-Key was used with another request");
        return;
    }
    c->headers = SLICE("Idempotent-Replayed: true\r\n");
    struct jsonw *w = reply_begin(c);
    struct json *stub;
    if (c->route->reveal && json_parse(c->a, first->body, NULL, &stub) == 0) {
        c->status = first->status;
        query_free(q);
        c->route->reveal(c, stub);
        return;
    }
    int status = first->status;
    jsonw_raw(w, first->body);
    query_free(q);
    reply_send(c, status);
}

static void digest_call(struct call *c)
{
    /* Keyed: a body may have a password, of which no plain digest is kept. */
    struct slice key = {(const char *)c->s->key, sizeof c->s->key};
    struct slice parts[] = {key,        c->r->method, SLICE("\n"),
                            c->r->path, SLICE("\n"),  c->r->body};
    struct sha256 *h = sha256_new();
    sha256_parts(h, parts, sizeof parts / sizeof parts[0], c->idem_digest);
    sha256_free(h);
}

void idem_begin(struct call *c, void (*next)(struct call *c))
{
    struct slice key = http_header(c->r, "Idempotency-Key");
    char caller[ID_TEXT];
    if (key.len == 0 || !c->who.agent) {
        next(c);
        return;
    }
    if (key.len > KEY_MAX) {
        reply_fail(c, ERR_BAD_REQUEST, "Idempotency-Key",
                   "an Idempotency-Key has at most %d bytes", KEY_MAX);
        return;
    }
    struct slice who = id_text(caller, ID_AGENT, c->who.agent);
    char *text = arena_text(c->a, who.len + 1 + key.len);
    memcpy(text, who.at, who.len);
    text[who.len] = ':';
    memcpy(text + who.len + 1, key.at, key.len);
    struct slice scoped = {text, who.len + 1 + key.len};
    uint64_t hash = hash_bytes(scoped.at, scoped.len);
    if (map_get(&c->s->idem, hash)) {
        reply_fail(c, ERR_CONFLICT, "Idempotency-Key",
                   "a request with this Idempotency-Key is under way");
        return;
    }
    c->idem_key = scoped;
    c->idem_hash = hash;
    c->next = next;
    digest_call(c);
    map_put(&c->s->idem, hash, c);
    struct query *q = query_new(QUERY_ANSWER, on_answer, c);
    q->text = slice_dup(q->arena, scoped);
    server_read(c->s, q);
}

void idem_keep(struct call *c, struct tx *tx)
{
    struct answer *a = arena_one(tx->arena, struct answer);
    a->key = slice_dup(tx->arena, c->idem_key);
    memcpy(a->digest, c->idem_digest, sizeof a->digest);
    a->status = c->status;
    a->body = slice_dup(tx->arena, c->stub.len ? c->stub : buf_slice(&c->out));
    tx_put(tx, PUT_ANSWER)->answer = a;
    c->idem_kept = true;
}

void idem_end(struct call *c)
{
    if (c->idem_key.len) {
        (void)map_take(&c->s->idem, c->idem_hash);
    }
}
