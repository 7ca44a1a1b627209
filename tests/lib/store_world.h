/* SPDX-License-Identifier: Apache-2.0 */
/* store_world.h - a store, a home loop, and answers waited for.
 *
 * For tests of the store: give transactions and questions, settle, look. All
 * functions are inline, so that unit and it tests share them without a library
 * that would have to link the store.
 */
#pragma once
#include "base/clock.h"
#include "store/store.h"
#include "test.h"
#include <stdio.h>

struct world {
    struct loop *loop;
    struct store *store;
    struct err err;
    int waiting;
    bool running;
};

static inline void world_answered(struct world *w)
{
    w->waiting--;
    if (w->running && w->waiting == 0)
        loop_stop(w->loop);
}
static inline void world_tx_done(struct tx *tx)
{
    struct world *w = tx->owner;
    tx->token++; /* how often it was answered */
    world_answered(w);
}
static inline void world_query_done(struct query *q)
{
    q->token++;
    world_answered(q->owner);
}

static inline int world_open_with(struct world *w, struct store_conf conf)
{
    *w = (struct world){0};
    int r = loop_new("test", &w->loop);
    conf.home = w->loop;
    return r < 0 ? r : store_open(&conf, &w->err, &w->store);
}
static inline int world_open(struct world *w, const char *dir)
{
    return world_open_with(w, (struct store_conf){.dir = dir});
}
static inline void world_close(struct world *w)
{
    store_close(w->store);
    loop_free(w->loop);
    *w = (struct world){0};
}

/* Runs the home loop until everything given was answered. */
static inline void world_settle(struct world *w)
{
    while (w->waiting > 0) {
        w->running = true;
        loop_run(w->loop);
        w->running = false;
    }
}

static inline struct tx *world_tx(struct world *w)
{
    return tx_new(world_tx_done, w);
}
static inline void world_give(struct world *w, struct tx *tx)
{
    w->waiting++;
    store_commit(w->store, tx);
}
/* Gives, settles, returns the result; the tx stays the caller's. */
static inline int world_commit(struct world *w, struct tx *tx)
{
    world_give(w, tx);
    world_settle(w);
    return tx->result;
}
static inline struct query *world_query(struct world *w, enum query_kind kind)
{
    return query_new(kind, world_query_done, w);
}
static inline int world_ask(struct world *w, struct query *q)
{
    w->waiting++;
    store_read(w->store, q);
    world_settle(w);
    return q->result;
}

__attribute__((format(printf, 2, 3))) static inline struct slice world_text(
    struct tx *tx, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return slice_dup(tx->arena, slice_of(text));
}

/* A message of text "text N" with ref "ref N" (n = 0: without ref). */
static inline struct event *world_message(struct tx *tx, uint64_t conv,
                                          enum role role, uint64_t sender,
                                          long long n)
{
    struct event *ev = tx_event(tx, EVENT_MESSAGE_CREATED);
    ev->conv = conv;
    ev->role = role;
    ev->sender = sender;
    if (n)
        ev->ref = world_text(tx, "ref %lld", n);
    ev->body = world_text(
        tx, "{\"kind\":\"text\",\"text\":\"text %lld\",\"sender\":{}}", n);
    return ev;
}

static inline struct event *world_event(struct tx *tx, enum event_name name,
                                        uint64_t conv, enum role role,
                                        const char *body)
{
    struct event *ev = tx_event(tx, name);
    ev->conv = conv;
    ev->role = role;
    ev->body = slice_dup(tx->arena, slice_of(body));
    return ev;
}

/* A conversation of this contact; more is the caller's to set. */
static inline struct conversation *world_conversation(struct tx *tx,
                                                      uint64_t id,
                                                      uint64_t contact)
{
    struct conversation *c = arena_one(tx->arena, struct conversation);
    *c = (struct conversation){.id = id,
                               .contact = contact,
                               .channel = 1,
                               .tags = SLICE("[]"),
                               .attributes = SLICE("{}"),
                               .created_at = 1,
                               .updated_at = 1};
    tx_put(tx, PUT_CONVERSATION)->conversation = c;
    return c;
}
static inline struct contact *world_contact(struct tx *tx, uint64_t id,
                                            const char *identity,
                                            const char *name)
{
    struct contact *c = arena_one(tx->arena, struct contact);
    *c = (struct contact){.id = id,
                          .channel = 1,
                          .identity = slice_dup(tx->arena, slice_of(identity)),
                          .name = slice_dup(tx->arena, slice_of(name)),
                          .tags = SLICE("[]"),
                          .attributes = SLICE("{}"),
                          .created_at = 1,
                          .updated_at = 1};
    tx_put(tx, PUT_CONTACT)->contact = c;
    return c;
}

/* Why an event of the same transaction went as it did. */
static inline void world_trace(struct tx *tx, const struct event *of)
{
    struct trace *t = arena_one(tx->arena, struct trace);
    *t = (struct trace){.of = of, .conv = of->conv, .body = SLICE("{}")};
    tx_put(tx, PUT_TRACE)->trace = t;
}

/* Every message has its trace, and every trace its message. */
struct world_traces {
    uint64_t messages, traces, last;
};
static inline int world_count_event(void *arg, const struct event *ev)
{
    struct world_traces *n = arg;
    n->last = ev->pos;
    n->messages += ev->name == EVENT_MESSAGE_CREATED;
    return 0;
}
static inline int world_count_trace(void *arg, const struct trace *t)
{
    struct world_traces *n = arg;
    n->traces += t->pos == n->last;
    return 0;
}
static inline bool world_traces_fit(const char *dir)
{
    struct world_traces n = {0};
    struct err e = {0};
    struct store_walk w = {
        .arg = &n, .event = world_count_event, .trace = world_count_trace};
    return store_walk(dir, 0, &w, &e) == 0 && n.messages == n.traces &&
           n.messages > 0;
}
