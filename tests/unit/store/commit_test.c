/* SPDX-License-Identifier: Apache-2.0 */
/* What a transaction leaves behind, and what it answers. */
#include "store_world.h"

static int send(struct world *w, uint64_t conv, enum role role, uint64_t sender,
                long long n, struct event *out)
{
    struct tx *tx = world_tx(w);
    struct event *ev = world_message(tx, conv, role, sender, n);
    int r = world_commit(w, tx);
    CHECK_EQ_INT(tx->token, 1);
    *out = *ev;
    tx_free(tx);
    return r;
}

TEST("positions rise by one and seq is dense in each conversation")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    for (int i = 0; i < 20; i++) {
        struct event ev;
        CHECK_EQ_INT(send(&w, 7 + i % 2, ROLE_VISITOR, 1, i + 1, &ev), 0);
        CHECK_EQ_INT(ev.pos, i + 1);
        CHECK_EQ_INT(ev.seq, i / 2 + 1);
        CHECK(ev.at > 0);
        CHECK_EQ_INT(store_pos(w.store), i + 1);
    }
    world_close(&w);
}

TEST("epoch, key, positions and seq go on after a restart")
{
    struct world w;
    struct event ev;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    uint64_t epoch = store_epoch(w.store);
    unsigned char key[32];
    memcpy(key, store_key(w.store), sizeof key);
    send(&w, 7, ROLE_VISITOR, 1, 1, &ev);
    world_close(&w);
    REQUIRE(world_open(&w, test_path("d")) == 0);
    CHECK_EQ_INT(store_epoch(w.store), epoch);
    CHECK(epoch != 0 && epoch >> 40 == 0);
    CHECK_EQ_MEM(store_key(w.store), 32, key, 32);
    CHECK_EQ_INT(store_pos(w.store), 1);
    send(&w, 7, ROLE_VISITOR, 1, 2, &ev);
    CHECK_EQ_INT(ev.pos, 2);
    CHECK_EQ_INT(ev.seq, 2);
    world_close(&w);
}

TEST("a repeated ref commits nothing and tells of the first message")
{
    struct world w;
    struct event first, again;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    send(&w, 7, ROLE_VISITOR, 1, 5, &first);
    struct tx *tx = world_tx(&w);
    world_event(tx, EVENT_CONVERSATION_UPDATED, 9, ROLE_SYSTEM, "{}");
    struct event *ev = world_message(tx, 9, ROLE_VISITOR, 1, 5);
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    CHECK(ev->flags & EVENT_DUPLICATE);
    CHECK_EQ_INT(ev->pos, first.pos);
    CHECK_EQ_INT(ev->conv, 7);
    CHECK_EQ_INT(ev->seq, first.seq);
    CHECK_EQ_INT(ev->at, first.at);
    CHECK_EQ_INT(tx->first->pos, 0);
    CHECK_EQ_INT(store_pos(w.store), 1);
    tx_free(tx);
    /* Another sender, or the same in another role, is another ref. */
    send(&w, 7, ROLE_VISITOR, 2, 5, &again);
    CHECK_EQ_INT(again.pos, 2);
    send(&w, 7, ROLE_AGENT, 1, 5, &again);
    CHECK_EQ_INT(again.pos, 3);
    world_close(&w);
}

TEST("a ref is known after a restart")
{
    struct world w;
    struct event first, again;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    send(&w, 7, ROLE_VISITOR, 1, 5, &first);
    world_close(&w);
    REQUIRE(world_open(&w, test_path("d")) == 0);
    send(&w, 7, ROLE_VISITOR, 1, 5, &again);
    CHECK(again.flags & EVENT_DUPLICATE);
    CHECK_EQ_INT(again.pos, first.pos);
    CHECK_EQ_INT(store_pos(w.store), 1);
    world_close(&w);
}

TEST("refs given at the same moment: the first is stored, the others told")
{
    struct world w;
    struct tx *tx[50];
    struct event *ev[50];
    REQUIRE(world_open(&w, test_path("d")) == 0);
    for (int i = 0; i < 50; i++) {
        tx[i] = world_tx(&w);
        ev[i] = world_message(tx[i], 7, ROLE_VISITOR, 1, 1 + i % 5);
    }
    for (int i = 0; i < 50; i++)
        world_give(&w, tx[i]);
    world_settle(&w);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ_INT(tx[i]->result, 0);
        CHECK_EQ_INT(tx[i]->token, 1);
        CHECK_EQ_INT(ev[i]->pos, 1 + i % 5);
        CHECK_EQ_INT(!!(ev[i]->flags & EVENT_DUPLICATE), i >= 5);
        tx_free(tx[i]);
    }
    CHECK_EQ_INT(store_pos(w.store), 5);
    world_close(&w);
}

TEST("one ref twice in one transaction and one too long are refused")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    world_message(tx, 7, ROLE_VISITOR, 1, 5);
    world_message(tx, 7, ROLE_VISITOR, 1, 5);
    CHECK_EQ_INT(world_commit(&w, tx), ERR_BAD_REQUEST);
    CHECK_EQ_STR(tx->err.field, "ref");
    tx_free(tx);
    tx = world_tx(&w);
    char *ref = arena_text(tx->arena, 256);
    memset(ref, 'r', 256);
    world_message(tx, 7, ROLE_VISITOR, 1, 5)->ref = (struct slice){ref, 256};
    CHECK_EQ_INT(world_commit(&w, tx), ERR_TOOBIG);
    tx_free(tx);
    CHECK_EQ_INT(store_pos(w.store), 0);
    world_close(&w);
}

static void put_agent(struct tx *tx, uint64_t id, const char *email)
{
    struct agent *a = arena_one(tx->arena, struct agent);
    *a = (struct agent){.id = id,
                        .email = slice_of(email),
                        .enabled = true,
                        .name = SLICE("A"),
                        .skills = SLICE("[]")};
    tx_put(tx, PUT_AGENT)->agent = a;
}

TEST("an email taken fails only its own transaction, as a whole")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *good = world_tx(&w), *bad = world_tx(&w), *after = world_tx(&w);
    put_agent(good, 1, "Anna@example.org");
    world_event(good, EVENT_AGENT_UPDATED, 0, ROLE_SYSTEM, "{}");
    put_agent(bad, 2, "ben@example.org"); /* undone with the next one */
    put_agent(bad, 3, "anna@EXAMPLE.org");
    world_event(bad, EVENT_AGENT_UPDATED, 0, ROLE_SYSTEM, "{}");
    put_agent(after, 4, "ben@example.org");
    world_give(&w, good);
    world_give(&w, bad);
    world_give(&w, after);
    world_settle(&w);
    CHECK_EQ_INT(good->result, 0);
    CHECK_EQ_INT(bad->result, ERR_CONFLICT);
    CHECK_EQ_STR(bad->err.field, "email");
    CHECK_EQ_INT(bad->first->pos, 0);
    CHECK_EQ_INT(after->result, 0);
    CHECK_EQ_INT(store_pos(w.store), 1);
    tx_free(good);
    tx_free(bad);
    tx_free(after);
    world_close(&w);
}

TEST("an Idempotency-Key keeps its first answer")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    for (int i = 0; i < 2; i++) {
        struct tx *tx = world_tx(&w);
        struct answer *a = arena_one(tx->arena, struct answer);
        *a = (struct answer){.key = SLICE("ag:k"),
                             .status = 201 + i,
                             .body = SLICE("{\"a\":1}")};
        a->digest[0] = 9;
        tx_put(tx, PUT_ANSWER)->answer = a;
        CHECK_EQ_INT(world_commit(&w, tx), i ? ERR_CONFLICT : 0);
        tx_free(tx);
    }
    struct query *q = world_query(&w, QUERY_ANSWER);
    q->text = SLICE("ag:k");
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK(q->answer && q->answer->status == 201 && q->answer->digest[0] == 9);
    CHECK_SLICE(q->answer->body, "{\"a\":1}");
    query_free(q);
    q = world_query(&w, QUERY_ANSWER);
    q->text = SLICE("ag:other");
    CHECK_EQ_INT(world_ask(&w, q), ERR_NOT_FOUND);
    query_free(q);
    world_close(&w);
}

TEST("a second server on the folder is refused with a sentence")
{
    struct world w, second;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    CHECK_EQ_INT(world_open(&second, test_path("d")), ERR_CONFLICT);
    CHECK(strstr(second.err.text, "another yuelai is running") != NULL);
    loop_free(second.loop);
    world_close(&w);
    REQUIRE(world_open(&w, test_path("d")) == 0);
    world_close(&w);
}

TEST("closing commits and answers what was given before")
{
    struct world w;
    struct tx *tx[300];
    REQUIRE(world_open(&w, test_path("d")) == 0);
    for (int i = 0; i < 300; i++) {
        tx[i] = world_tx(&w);
        world_message(tx[i], 1 + i % 100, ROLE_VISITOR, 1, i + 1);
        world_give(&w, tx[i]);
    }
    store_close(w.store);
    world_settle(&w);
    for (int i = 0; i < 300; i++) {
        CHECK_EQ_INT(tx[i]->result, 0);
        CHECK_EQ_INT(tx[i]->token, 1);
        tx_free(tx[i]);
    }
    loop_free(w.loop);
    REQUIRE(world_open(&w, test_path("d")) == 0);
    CHECK_EQ_INT(store_pos(w.store), 300);
    world_close(&w);
}

TEST("offline, without threads and without a loop, answers come at once")
{
    struct world w = {0};
    struct store_conf conf = {.dir = test_path("d"), .offline = true};
    REQUIRE(store_open(&conf, &w.err, &w.store) == 0);
    struct tx *tx = world_tx(&w);
    struct event *ev = world_message(tx, 7, ROLE_VISITOR, 1, 1);
    store_commit(w.store, tx);
    CHECK_EQ_INT(tx->token, 1);
    CHECK_EQ_INT(ev->pos, 1);
    tx_free(tx);
    struct query *q = world_query(&w, QUERY_HASH);
    q->password = SLICE("secret");
    store_read(w.store, q);
    CHECK_EQ_INT(q->token, 1);
    CHECK(slice_starts(q->text, "$argon2id$"));
    query_free(q);
    store_close(w.store);
}
