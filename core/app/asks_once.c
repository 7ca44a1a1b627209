/* SPDX-License-Identifier: Apache-2.0 */
/* asks_once.c - a value that many want and one shall make (kv.once).
 *
 * Happy path: the first who asks for a key that is not kept is told to make it
 * (ERR_NOT_FOUND); those who ask meanwhile, on whatever script thread, wait.
 * The value comes, is kept, and all get it.
 *
 * Failure modes: the maker fails, dies or takes longer than LIMIT_ONCE_MS: the
 * next one who waits makes it. The store fails: those who wait get the value
 * all the same, the maker hears of it.
 *
 * States: LOOKING (in the store) -> MAKING <-> MAKING by another -> KEEPING
 */
#include "app/asks.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

enum once_state { ONCE_LOOKING, ONCE_MAKING, ONCE_KEEPING };

struct waiter {
    struct list link;
    struct script_ask *ask;
};

struct once {
    struct server *server;
    struct slice name; /* space, NUL, key; in text */
    struct slice space, key;
    enum once_state state;
    struct list waiters;
    size_t count;
    char maker[64];
    struct timer timer;
    struct script_ask *done; /* KEEPING: the maker's, answered at the end */
    char text[];
};

static struct slice name_of(struct script_ask *ask)
{
    size_t n = ask->unit.len + 1 + ask->name.len;
    char *text = arena_text(ask->arena, n);
    memcpy(text, ask->unit.at, ask->unit.len);
    text[ask->unit.len] = '\0';
    memcpy(text + ask->unit.len + 1, ask->name.at, ask->name.len);
    return (struct slice){text, n};
}

static struct once *once_find(struct server *s, struct script_ask *ask)
{
    return map_get_text(&asks_of(s)->onces, name_of(ask));
}

static void forget(struct once *o)
{
    timer_stop(loop_wheel(o->server->loop), &o->timer);
    map_take_text(&asks_of(o->server)->onces, o->name);
    mem_free(o);
}

static struct script_ask *take_waiter(struct once *o, struct list *l)
{
    struct waiter *w = container_of(l, struct waiter, link);
    struct script_ask *ask = w->ask;
    list_remove(l);
    o->count--;
    return ask; /* w lies in its arena */
}

/* The next one makes it; nobody left: nobody wants it any more. */
static void make(struct once *o)
{
    if (list_empty(&o->waiters)) {
        forget(o);
        return;
    }
    struct script_ask *ask = take_waiter(o, o->waiters.next);
    size_t n = ask->was.len < sizeof o->maker ? ask->was.len : 0;
    memcpy(o->maker, ask->was.at, n);
    o->maker[n] = '\0';
    o->state = ONCE_MAKING;
    timer_start(loop_wheel(o->server->loop), &o->timer,
                loop_now(o->server->loop) + LIMIT_ONCE_MS);
    ask->result = ERR_NOT_FOUND;
    asks_answer(o->server, ask);
}

/* All who wait get the same. */
static void tell_all(struct once *o, int result, const struct err *e,
                     struct slice data)
{
    while (!list_empty(&o->waiters)) {
        struct script_ask *ask = take_waiter(o, o->waiters.next);
        ask->result = result;
        ask->data = slice_dup(ask->arena, data);
        if (result < 0) {
            ask->err = *e;
        }
        asks_answer(o->server, ask);
    }
}

static void on_too_slow(struct timer *t)
{
    struct once *o = container_of(t, struct once, timer);
    log_warn("app", "%.*s: the value of %.*s took more than %d s to make",
             SLICE_FMT(o->space), SLICE_FMT(o->key), LIMIT_ONCE_MS / 1000);
    make(o);
}

/* --- asked for ------------------------------------------------------------ */

static void on_looked(struct query *q)
{
    struct once *o = q->owner;
    if (q->result == ERR_NOT_FOUND) {
        make(o);
    } else {
        tell_all(o, q->result, &q->err, q->text);
        forget(o);
    }
    query_free(q);
}

static void look(struct once *o)
{
    struct query *q = query_new(QUERY_KV, on_looked, o);
    q->kv.space = slice_dup(q->arena, o->space);
    q->kv.key = slice_dup(q->arena, o->key);
    server_read(o->server, q);
}

static struct once *once_new(struct server *s, struct script_ask *ask)
{
    struct slice name = name_of(ask);
    struct once *o = mem_alloc(sizeof *o + name.len);
    o->server = s;
    memcpy(o->text, name.at, name.len);
    o->name = (struct slice){o->text, name.len};
    o->space = (struct slice){o->text, ask->unit.len};
    o->key = (struct slice){o->text + ask->unit.len + 1, ask->name.len};
    list_init(&o->waiters);
    timer_init(&o->timer, on_too_slow);
    map_put_text(&asks_of(s)->onces, o->name, o);
    return o;
}

void once_ask(struct server *s, struct script_ask *ask)
{
    struct once *o = once_find(s, ask);
    bool is_new = !o;
    if (o && o->count >= LIMIT_ONCE_WAITING) {
        asks_refuse(s, ask, ERR_RATE_LIMITED, "too many wait for this value");
        return;
    }
    if (is_new) {
        o = once_new(s, ask);
    }
    struct waiter *w = arena_one(ask->arena, struct waiter);
    w->ask = ask;
    list_add_last(&o->waiters, &w->link);
    o->count++;
    if (is_new && ask->number > 0) {
        look(o);
    } else if (is_new) {
        make(o);
    }
}

/* --- made ----------------------------------------------------------------- */

static void on_kept(struct tx *tx)
{
    struct once *o = tx->owner;
    struct script_ask *done = o->done;
    tell_all(o, 0, NULL, done->data);
    done->result = tx->result;
    done->err = tx->err;
    asks_answer(o->server, done);
    forget(o);
    tx_free(tx);
}

static void keep(struct once *o, struct script_ask *ask)
{
    struct tx *tx = tx_new(on_kept, o);
    struct kv *kv = arena_one(tx->arena, struct kv);
    o->state = ONCE_KEEPING;
    o->done = ask;
    timer_stop(loop_wheel(o->server->loop), &o->timer);
    kv->space = slice_dup(tx->arena, o->space);
    kv->key = slice_dup(tx->arena, o->key);
    kv->value = slice_dup(tx->arena, ask->data);
    kv->expires_at = clock_ms() + ask->number;
    tx_put(tx, PUT_KV)->kv = kv;
    server_commit(o->server, tx);
}

/* Someone who waits has gone. */
static void leave(struct once *o, struct slice who)
{
    static const struct err gone = {ERR_CANCELLED, "", ""};
    list_each (&o->waiters, l) {
        struct waiter *w = container_of(l, struct waiter, link);
        if (!slice_eq(w->ask->was, who)) {
            continue;
        }
        struct script_ask *ask = take_waiter(o, l);
        ask->result = ERR_CANCELLED;
        ask->err = gone;
        asks_answer(o->server, ask);
    }
}

void once_done(struct server *s, struct script_ask *ask)
{
    struct once *o = once_find(s, ask);
    bool made = o && o->state == ONCE_MAKING && slice_is(ask->was, o->maker);
    if (made && ask->data.len && ask->number > 0) {
        keep(o, ask);
        return;
    }
    if (made && ask->data.len) {
        tell_all(o, 0, NULL, ask->data);
        forget(o);
    } else if (made) {
        make(o);
    } else if (o) {
        leave(o, ask->was);
    }
    asks_answer(s, ask);
}

void onces_free(struct server *s, struct map *onces)
{
    struct once *o;
    for (size_t i = 0; (o = map_next(onces, &i)) != NULL;) {
        timer_stop(loop_wheel(s->loop), &o->timer);
        while (!list_empty(&o->waiters)) {
            arena_free(take_waiter(o, o->waiters.next)->arena);
        }
        mem_free(o);
    }
    map_fini(onces);
}
