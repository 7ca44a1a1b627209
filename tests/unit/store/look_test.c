/* SPDX-License-Identifier: Apache-2.0 */
/* The store seen from outside: beside a server, and without one. */
#include "store_world.h"
#include <stdlib.h>
#include <unistd.h>

struct seen {
    char text[4000];
    int stop_at, told;
};

__attribute__((format(printf, 2, 3))) static int note(void *arg,
                                                      const char *fmt, ...)
{
    struct seen *s = arg;
    size_t n = strlen(s->text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(s->text + n, sizeof s->text - n, fmt, args);
    va_end(args);
    return ++s->told == s->stop_at ? 7 : 0;
}
static int event(void *arg, const struct event *ev)
{
    return note(arg, "%d ", (int)ev->pos);
}
static int before(void *arg, const struct event *ev)
{
    return note(arg, "before %d %.*s ", (int)ev->pos, SLICE_FMT(ev->body));
}
static int trace(void *arg, const struct trace *t)
{
    return note(arg, "trace %d/%d %.*s ", (int)t->pos, t->hook,
                SLICE_FMT(t->body));
}
static int contact(void *arg, const struct contact *c)
{
    return note(arg, "contact %d ", (int)c->id);
}
static int agent(void *arg, const struct agent *a)
{
    return note(arg, "agent %d ", (int)a->id);
}
static int count(void *arg, const struct event *ev)
{
    int *n = arg;
    CHECK_EQ_INT(ev->pos, *n + 1);
    ++*n;
    return 0;
}

/* Conversations 7 of 3 and 8 of 4: message at 1000, state, then later. */
static void fill(struct world *w)
{
    struct tx *tx = world_tx(w);
    world_contact(tx, 3, "u3", "Anna");
    world_contact(tx, 4, "u4", "Bert");
    world_contact(tx, 5, "u5", "Chris");
    world_conversation(tx, 7, 3);
    world_conversation(tx, 8, 4);
    struct agent *a = arena_one(tx->arena, struct agent);
    *a = (struct agent){.id = 20, .email = SLICE("a@b"), .enabled = true};
    tx_put(tx, PUT_AGENT)->agent = a;
    world_event(tx, EVENT_CONVERSATION_CREATED, 7, 0, "{\"n\":1}"); /* 1 */
    world_event(tx, EVENT_CONVERSATION_UPDATED, 7, 0, "{\"n\":2}"); /* 2 */
    world_event(tx, EVENT_CONVERSATION_CREATED, 8, 0, "{\"n\":3}"); /* 3 */
    struct event *ev = world_message(tx, 7, ROLE_VISITOR, 3, 1);    /* 4 */
    struct trace *t = arena_one(tx->arena, struct trace);
    *t = (struct trace){.of = ev, .hook = 0, .conv = 7, .body = SLICE("{}")};
    tx_put(tx, PUT_TRACE)->trace = t;
    for (ev = tx->first; ev; ev = ev->next)
        ev->at = 1000;
    world_message(tx, 7, ROLE_VISITOR, 3, 2)->at = 2000; /* 5 */
    world_message(tx, 7, ROLE_BOT, 0, 3)->at = 3000;     /* 6 */
    for (int i = 0; i < 2; i++) {
        t = arena_one(tx->arena, struct trace);
        *t = (struct trace){.of = tx->last,
                            .hook = 3 - i,
                            .conv = 7,
                            .at = 1 + i,
                            .body = SLICE("[1]")};
        tx_put(tx, PUT_TRACE)->trace = t;
    }
    struct kv *kv = arena_one(tx->arena, struct kv);
    *kv = (struct kv){.space = SLICE("rules/a"),
                      .key = SLICE("k"),
                      .value = SLICE("{\"a\":1}")};
    tx_put(tx, PUT_KV)->kv = kv;
    CHECK_EQ_INT(world_commit(w, tx), 0);
    tx_free(tx);
}

static void look_at(const char *dir)
{
    struct err e = {0};
    struct seen s = {.stop_at = -1};
    struct store_walk walk = {.arg = &s,
                              .event = event,
                              .trace = trace,
                              .contact = contact,
                              .agent = agent,
                              .before = before};
    CHECK_EQ_INT(store_walk(dir, 2000, &walk, &e), 0);
    CHECK_EQ_STR(s.text, "agent 20 contact 3 before 2 {\"n\":2} 5 6 "
                         "trace 6/3 [1] trace 6/2 [1] ");
    CHECK_EQ_INT(walk.from, 5);
    CHECK_EQ_INT(walk.upto, 6);
    s = (struct seen){.stop_at = -1};
    CHECK_EQ_INT(store_walk(dir, 0, &walk, &e), 0);
    CHECK_EQ_STR(s.text, "agent 20 contact 3 contact 4 1 2 3 4 "
                         "trace 4/0 {} 5 6 trace 6/3 [1] trace 6/2 [1] ");
    s = (struct seen){.stop_at = 5};
    CHECK_EQ_INT(store_walk(dir, 0, &walk, &e), 7);
    CHECK_EQ_STR(s.text, "agent 20 contact 3 contact 4 1 2 ");
    s = (struct seen){.stop_at = -1};
    CHECK_EQ_INT(store_walk(dir, 3001, &walk, &e), 0);
    CHECK_EQ_STR(s.text, "agent 20 ");
    struct arena *a = arena_new();
    struct slice value;
    CHECK_EQ_INT(
        store_peek_kv(dir, SLICE("rules/a"), SLICE("k"), a, &value, &e), 0);
    CHECK_SLICE(value, "{\"a\":1}");
    CHECK_EQ_INT(
        store_peek_kv(dir, SLICE("rules/a"), SLICE("z"), a, &value, &e),
        ERR_NOT_FOUND);
    arena_free(a);
    struct query *q = query_new(QUERY_EVENT, NULL, NULL);
    q->conv = 7;
    q->after_seq = 2;
    CHECK_EQ_INT(store_look(dir, q), 0);
    CHECK_EQ_INT(q->events ? q->events->pos : 0, 5);
    query_free(q);
}

TEST("a look beside a running server sees what was acknowledged")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    fill(&w);
    look_at(test_path("d"));
    struct tx *tx = world_tx(&w); /* it still can write */
    world_message(tx, 7, ROLE_VISITOR, 3, 9);
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    tx_free(tx);
    world_close(&w);
}

TEST("a look without a server sees the same and leaves nothing held")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    fill(&w);
    world_close(&w);
    look_at(test_path("d"));
    look_at(test_path("d"));
    REQUIRE(world_open(&w, test_path("d")) == 0);
    world_close(&w);
}

TEST("what a question needs is found though the rows of figures are behind")
{
    struct world w;
    const char *dir = test_path("d");
    REQUIRE(world_open(&w, dir) == 0);
    /* More than a small batch: these rows wait in the writer's memory. */
    struct tx *txs[500];
    for (int i = 0; i < 500; i++) {
        txs[i] = world_tx(&w);
        world_message(txs[i], 1 + (uint64_t)i, ROLE_VISITOR, 3, i + 1);
        world_give(&w, txs[i]);
    }
    world_settle(&w);
    for (int i = 0; i < 500; i++) {
        struct query *q = query_new(QUERY_EVENT, NULL, NULL);
        test_note("conversation %d", i + 1);
        q->conv = 1 + (uint64_t)i;
        q->after_seq = 1;
        CHECK_EQ_INT(store_look(dir, q), 0);
        CHECK_EQ_INT(q->events ? q->events->pos : 0, txs[i]->first->pos);
        query_free(q);
        tx_free(txs[i]);
    }
    world_close(&w);
}

TEST("a walk over many pages tells every event once, in order")
{
    struct world w;
    const char *dir = test_path("d");
    REQUIRE(world_open(&w, dir) == 0);
    for (int i = 0; i < 21; i++) {
        struct tx *tx = world_tx(&w);
        for (int j = 0; j < 100; j++)
            world_message(tx, 1 + (uint64_t)j % 7, ROLE_VISITOR, 3, 0);
        CHECK_EQ_INT(world_commit(&w, tx), 0);
        tx_free(tx);
    }
    int n = 0;
    struct err e = {0};
    struct store_walk walk = {.arg = &n, .event = count};
    CHECK_EQ_INT(store_walk(dir, 0, &walk, &e), 0);
    CHECK_EQ_INT(n, 2100);
    world_close(&w);
}

TEST("without a database there is a sentence and none is made")
{
    struct err e = {0};
    struct store_walk walk = {0};
    CHECK_EQ_INT(store_walk(test_dir(), 0, &walk, &e), ERR_NOT_FOUND);
    CHECK(strstr(e.text, "there is no database in") != NULL);
    CHECK(access(test_path("yuelai.db"), F_OK) != 0);
    struct query *q = query_new(QUERY_EVENT, NULL, NULL);
    CHECK_EQ_INT(store_look(test_dir(), q), ERR_NOT_FOUND);
    CHECK(strstr(q->err.text, "there is no database in") != NULL);
    query_free(q);
}
