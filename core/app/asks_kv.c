/* SPDX-License-Identifier: Apache-2.0 */
/* asks_kv.c - what scripts remember: read, swapped, listed.
 *
 * Happy path: one query, or one tx with one swap. Failure: a swap whose
 * expected value is not there any more is answered with the one that is, so
 * that the script can try again at once.
 */
#include "app/asks.h"
#include "base/limits.h"

struct ask_kv {
    struct server *server;
    struct script_ask *ask;
    struct err err; /* of a swap */
};

static struct query *ask_query(struct ask_kv *k, enum query_kind kind,
                               void (*done)(struct query *q))
{
    struct script_ask *ask = k->ask;
    struct query *q = query_new(kind, done, k);
    q->kv.space = slice_dup(q->arena, ask->unit);
    q->kv.key = slice_dup(q->arena, ask->name);
    q->limit = ask->number > 0 && ask->number < LIMIT_KV_KEYS
                   ? (uint32_t)ask->number
                   : LIMIT_KV_KEYS;
    return q;
}

static void on_read(struct query *q)
{
    struct ask_kv *k = q->owner;
    struct script_ask *ask = k->ask;
    ask->result = q->result;
    ask->err = q->err;
    ask->data =
        slice_dup(ask->arena, q->kind == QUERY_KV_KEYS ? q->json : q->text);
    ask->number = q->kv.expires_at;
    query_free(q);
    asks_answer(k->server, ask);
}

/* --- swaps ---------------------------------------------------------------- */

static void on_conflict(struct query *q)
{
    struct ask_kv *k = q->owner;
    struct script_ask *ask = k->ask;
    bool none = q->result == ERR_NOT_FOUND;
    if (q->result < 0 && !none) {
        ask->result = q->result;
        ask->err = q->err;
    } else {
        ask->result = ERR_CONFLICT;
        ask->err = k->err;
        ask->data = none ? SLICE("") : slice_dup(ask->arena, q->text);
        ask->number = none ? 0 : q->kv.expires_at;
    }
    query_free(q);
    asks_answer(k->server, ask);
}

static void on_swapped(struct tx *tx)
{
    struct ask_kv *k = tx->owner;
    struct script_ask *ask = k->ask;
    ask->result = tx->result;
    ask->err = k->err = tx->err;
    tx_free(tx);
    if (ask->result == ERR_CONFLICT) {
        server_read(k->server, ask_query(k, QUERY_KV, on_conflict));
    } else {
        asks_answer(k->server, ask);
    }
}

static void swap(struct ask_kv *k)
{
    const struct script_ask *ask = k->ask;
    struct tx *tx = tx_new(on_swapped, k);
    struct kv *kv = arena_one(tx->arena, struct kv);
    kv->space = slice_dup(tx->arena, ask->unit);
    kv->key = slice_dup(tx->arena, ask->name);
    kv->value = slice_dup(tx->arena, ask->data);
    kv->was = slice_dup(tx->arena, ask->was);
    kv->expires_at = ask->number;
    tx_put(tx, KV_SWAP)->kv = kv;
    server_commit(k->server, tx);
}

void kv_ask(struct server *s, struct script_ask *ask)
{
    struct ask_kv *k = arena_one(ask->arena, struct ask_kv);
    k->server = s;
    k->ask = ask;
    if (ask->kind == ASK_KV_SWAP) {
        swap(k);
    } else {
        server_read(
            s, ask_query(k, ask->kind == ASK_KV_GET ? QUERY_KV : QUERY_KV_KEYS,
                         on_read));
    }
}
