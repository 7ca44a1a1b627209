/* SPDX-License-Identifier: Apache-2.0 */
/* whose.c - who on a platform this is: their contact, written down at the first
 * sight of them.
 *
 * Happy path: it is found by the channel's identity, or made of what is known.
 * Failure: somebody else made it meanwhile: it is found then; what the store
 * cannot do is the answer to the adapter.
 */
#include "app/asks.h"
#include "app/channels/channels.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

struct search {
    struct server *server;
    struct script_ask *ask;
    uint64_t channel;
    struct whose is;
    struct contact who;
    bool again; /* somebody else made the contact meanwhile */
    void (*next)(void *arg, const struct contact *who);
    void *arg;
};

struct slice whose_word(const struct json *first, const struct json *then,
                        const char *name)
{
    struct slice s = json_text(first, name);
    s = s.len || !then ? s : json_text(then, name);
    return s.len <= LIMIT_NAME_BYTES && s.at ? s : SLICE("");
}

static void find(struct search *f);

static void on_made(struct tx *tx)
{
    struct search *f = tx->owner;
    int r = tx->result;
    if (r == 0) {
        server_announce(f->server, tx);
    }
    tx_free(tx);
    if (r == ERR_CONFLICT && !f->again) {
        f->again = true;
        find(f);
    } else if (r) {
        asks_refuse(f->server, f->ask, r, "the contact could not be stored");
    } else {
        f->next(f->arg, &f->who);
    }
}

static void make(struct search *f)
{
    struct tx *tx = tx_new(on_made, f);
    struct contact *c = arena_one(tx->arena, struct contact);
    int64_t now = clock_ms();
    *c = (struct contact){.id = id_new(),
                          .channel = f->channel,
                          .identity = f->is.identity,
                          .name = f->is.name,
                          .email = f->is.email,
                          .phone = f->is.phone,
                          .tier = SLICE(""),
                          .tags = SLICE("[]"),
                          .attributes = SLICE("{}"),
                          .created_at = now,
                          .updated_at = now};
    struct buf body;
    buf_init(&body, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&body);
    contact_write(&w, c);
    struct event *ev = tx_event(tx, EVENT_CONTACT_UPDATED);
    ev->role = ROLE_VISITOR;
    ev->sender = c->id;
    ev->body = w.failed ? SLICE("{}") : slice_dup(tx->arena, buf_slice(&body));
    buf_fini(&body);
    tx_put(tx, PUT_CONTACT)->contact = c;
    f->who = *c; /* its texts are the ask's */
    server_commit(f->server, tx);
}

static void on_found(struct query *q)
{
    struct search *f = q->owner;
    struct arena *a = f->ask->arena;
    if (q->result && q->result != ERR_NOT_FOUND) {
        asks_refuse(f->server, f->ask, q->result,
                    "the contact could not be read");
    } else if (!q->contact || q->result) {
        make(f);
    } else {
        f->who = *q->contact;
        f->who.identity = slice_dup(a, q->contact->identity);
        f->who.name = slice_dup(a, q->contact->name);
        f->who.email = slice_dup(a, q->contact->email);
        f->who.phone = slice_dup(a, q->contact->phone);
        f->who.tier = slice_dup(a, q->contact->tier);
        f->who.tags = slice_dup(a, q->contact->tags);
        f->who.attributes = slice_dup(a, q->contact->attributes);
        f->next(f->arg, &f->who);
    }
    query_free(q);
}

static void find(struct search *f)
{
    struct query *q = query_new(QUERY_CONTACT, on_found, f);
    q->channel = f->channel;
    q->identity = slice_dup(q->arena, f->is.identity);
    server_read(f->server, q);
}

void whose_ask(struct server *s, struct script_ask *ask, uint64_t channel,
               const struct whose *is,
               void (*next)(void *arg, const struct contact *who), void *arg)
{
    struct search *f = arena_one(ask->arena, struct search);
    *f = (struct search){.server = s,
                         .ask = ask,
                         .channel = channel,
                         .is = *is,
                         .next = next,
                         .arg = arg};
    find(f);
}
