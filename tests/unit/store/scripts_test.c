/* SPDX-License-Identifier: Apache-2.0 */
/* What the script platform keeps: put, asked for, run out. */
#include "base/limits.h"
#include "desk/effect.h"
#include "store/migrations.h"
#include "store/record_scripts.h"
#include "store_world.h"
#include <sqlite3.h>
#include <stdlib.h>

#define DAY (24LL * 3600 * 1000)

static void commit(struct world *w, struct tx *tx)
{
    CHECK_EQ_INT(world_commit(w, tx), 0);
    tx_free(tx);
}

static struct query *ask(struct world *w, enum query_kind kind)
{
    return world_query(w, kind);
}

static char *json_of(const struct query *q)
{
    static char text[4000];
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(q->json));
    return text;
}

/* -- flows -------------------------------------------------------------- */

static struct flow *flow(struct tx *tx, uint64_t id, enum flow_state state)
{
    struct flow *f = arena_one(tx->arena, struct flow);
    *f = (struct flow){.id = id,
                       .unit = SLICE("flows/refund"),
                       .version = SLICE("0123456789ab"),
                       .conv = 7,
                       .contact = 3,
                       .state = state,
                       .due_at = 500,
                       .created_at = 100,
                       .updated_at = clock_ms(),
                       .step = 2,
                       .fence = 4,
                       .attempts = 1,
                       .args = SLICE("{\"order\":\"123\"}"),
                       .view = SLICE("{\"waits\":\"reply 10m\"}"),
                       .error = SLICE("no"),
                       .log = SLICE("[{\"k\":\"ask\"}]")};
    tx_put(tx, PUT_FLOW)->flow = f;
    return f;
}

TEST("a flow comes back whole, changed by a later put, its log only alone")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    world_conversation(tx, 7, 3);
    flow(tx, 11, FLOW_SLEEPING);
    commit(&w, tx);
    tx = world_tx(&w);
    struct flow *f = flow(tx, 11, FLOW_WAITING);
    f->updated_at = 200;
    f->due_at = 0;
    f->error = SLICE("");
    commit(&w, tx);
    struct query *q = ask(&w, QUERY_FLOW);
    q->id = 11;
    REQUIRE(world_ask(&w, q) == 0);
    CHECK_SLICE(q->flow->unit, "flows/refund");
    CHECK_SLICE(q->flow->version, "0123456789ab");
    CHECK_EQ_INT(q->flow->conv, 7);
    CHECK_EQ_INT(q->flow->contact, 3);
    CHECK_EQ_INT(q->flow->state, FLOW_WAITING);
    CHECK_EQ_INT(q->flow->due_at, 0);
    CHECK_EQ_INT(q->flow->step, 2);
    CHECK_EQ_INT(q->flow->fence, 4);
    CHECK_EQ_INT(q->flow->attempts, 1);
    CHECK_SLICE(q->flow->args, "{\"order\":\"123\"}");
    CHECK_SLICE(q->flow->log, "[{\"k\":\"ask\"}]");
    CHECK_EQ_STR(json_of(q),
                 "{\"id\":\"fl_000000000000b\",\"script\":\"flows/refund\","
                 "\"version\":\"0123456789ab\","
                 "\"conversation\":\"cv_0000000000007\","
                 "\"contact\":\"ct_0000000000003\",\"state\":\"waiting\","
                 "\"due_at\":null,\"step\":2,\"attempts\":1,\"error\":null,"
                 "\"args\":{\"order\":\"123\"},"
                 "\"view\":{\"waits\":\"reply 10m\"},"
                 "\"log\":[{\"k\":\"ask\"}],"
                 "\"created_at\":100,\"updated_at\":200}");
    query_free(q);
    q = ask(&w, QUERY_FLOWS);
    REQUIRE(world_ask(&w, q) == 0);
    CHECK(strstr(json_of(q), "fl_000000000000b") != NULL);
    CHECK(strstr(json_of(q), "\"log\"") == NULL);
    query_free(q);
    q = ask(&w, QUERY_FLOW);
    q->id = 12;
    CHECK_EQ_INT(world_ask(&w, q), ERR_NOT_FOUND);
    query_free(q);
    world_close(&w);
}

TEST("flows are listed by state, conversation and script, newest first")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    flow(tx, 1, FLOW_READY);
    flow(tx, 2, FLOW_SLEEPING)->conv = 8;
    flow(tx, 3, FLOW_SLEEPING)->unit = SLICE("flows/other");
    flow(tx, 4, FLOW_FAILED);
    commit(&w, tx);
    static const struct {
        int state;
        uint64_t conv;
        const char *unit;
        int total;
        const char *first; /* id's last character */
    } cases[] = {
        {-1, 0, "", 4, "4"},
        {FLOW_SLEEPING, 0, "", 2, "3"},
        {FLOW_SLEEPING, 0, "flows/refund", 1, "2"},
        {-1, 7, "", 3, "4"},
        {FLOW_SLEEPING, 7, "", 1, "3"},
        {-1, 7, "flows/other", 1, "3"},
        {-1, 0, "flows/refund", 3, "4"},
        {FLOW_DONE, 0, "", 0, ""},
        {-1, 9, "", 0, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_note("case %zu", i);
        struct query *q = ask(&w, QUERY_FLOWS);
        q->state = cases[i].state;
        q->conv = cases[i].conv;
        q->text = slice_of(cases[i].unit);
        q->limit = 1;
        CHECK_EQ_INT(world_ask(&w, q), 0);
        CHECK_EQ_INT(q->total, cases[i].total);
        CHECK_EQ_INT(q->more, cases[i].total > 1);
        char want[40];
        snprintf(want, sizeof want, "[{\"id\":\"fl_000000000000%s\"",
                 cases[i].first);
        CHECK(strncmp(json_of(q), cases[i].total ? want : "[]",
                      cases[i].total ? strlen(want) : 3) == 0);
        query_free(q);
    }
    world_close(&w);
}

/* -- traces ------------------------------------------------------------- */

static void trace(struct tx *tx, uint64_t pos, const struct event *of,
                  enum hook hook, const char *body)
{
    struct trace *t = arena_one(tx->arena, struct trace);
    *t = (struct trace){.pos = pos,
                        .of = of,
                        .hook = (int)hook,
                        .conv = 7,
                        .at = 50,
                        .body = slice_dup(tx->arena, slice_of(body))};
    tx_put(tx, PUT_TRACE)->trace = t;
}

TEST("a trace is found by its event's position, whichever way it was told")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    world_conversation(tx, 7, 3);
    struct event *first = world_message(tx, 7, ROLE_VISITOR, 3, 1); /* 1 */
    trace(tx, 0, first, HOOK_INBOUND, "{\"n\":1}");
    world_message(tx, 7, ROLE_VISITOR, 3, 2); /* 2 */
    trace(tx, 0, NULL, HOOK_MESSAGE, "{\"lost\":1}");
    commit(&w, tx);
    tx = world_tx(&w); /* many rows handled late come together */
    for (uint64_t pos = 1; pos <= 2; pos++)
        world_event(tx, EVENT_HANDLED, 7, ROLE_SYSTEM, "{}")->cause = pos;
    trace(tx, 1, NULL, HOOK_MESSAGE, "{\"n\":2}");
    trace(tx, 2, NULL, HOOK_MESSAGE, "{\"n\":3}");
    world_message(tx, 7, ROLE_BOT, 0, 3)->cause = 1; /* 5 */
    commit(&w, tx);
    struct query *q = ask(&w, QUERY_TRACE);
    q->after_pos = 1;
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_EQ_STR(json_of(q), "[{\"n\":2},{\"n\":1}]");
    CHECK_EQ_INT(q->count, 2);
    CHECK_EQ_INT(q->events->pos, 3);
    CHECK_EQ_INT(q->events->next->pos, 5);
    CHECK(q->events->next->next == NULL);
    CHECK(!q->more);
    query_free(q);
    q = ask(&w, QUERY_TRACE);
    q->after_pos = 2;
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_EQ_STR(json_of(q), "[{\"n\":3}]");
    CHECK_EQ_INT(q->count, 1);
    query_free(q);
    q = ask(&w, QUERY_TRACE);
    q->after_pos = 77;
    CHECK_EQ_INT(world_ask(&w, q), ERR_NOT_FOUND);
    query_free(q);
    world_close(&w);
}

TEST("a hook that ran more than once keeps its runs, the last one replaced")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    world_conversation(tx, 7, 3);
    world_message(tx, 7, ROLE_VISITOR, 3, 1);
    commit(&w, tx);
    tx = world_tx(&w);
    for (int i = 0; i < TRACE_RUNS + 3; i++) {
        char body[20];
        snprintf(body, sizeof body, "%d", i);
        trace(tx, 1, NULL, HOOK_FLOW, body);
    }
    trace(tx, 1, NULL, HOOK_MESSAGE, "\"m\"");
    commit(&w, tx);
    struct query *q = ask(&w, QUERY_TRACE);
    q->after_pos = 1;
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_EQ_STR(json_of(q), "[\"m\",0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,18]");
    query_free(q);
    world_close(&w);
}

TEST("a transaction stored before leaves no trace, nor does one at fault")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    for (int i = 0; i < 2; i++) {
        struct tx *tx = world_tx(&w);
        struct event *ev = world_message(tx, 7, ROLE_VISITOR, 3, 1);
        trace(tx, 0, ev, HOOK_INBOUND, "1");
        commit(&w, tx);
    }
    struct tx *tx = world_tx(&w);
    struct event *ev = world_message(tx, 7, ROLE_VISITOR, 3, 2);
    trace(tx, 0, ev, HOOK_INBOUND, "1");
    struct kv *kv = arena_one(tx->arena, struct kv);
    *kv = (struct kv){.space = SLICE("s"),
                      .key = SLICE("k"),
                      .value = SLICE("2"),
                      .was = SLICE("1")};
    tx_put(tx, KV_SWAP)->kv = kv;
    CHECK_EQ_INT(world_commit(&w, tx), ERR_CONFLICT);
    tx_free(tx);
    struct query *q = ask(&w, QUERY_TRACE);
    q->after_pos = 1;
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_EQ_STR(json_of(q), "[1]");
    query_free(q);
    CHECK_EQ_INT(store_pos(w.store), 1);
    world_close(&w);
}

TEST("one event is found by position, and a message by conversation and seq")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    world_conversation(tx, 7, 3);
    for (int i = 1; i <= 200; i++) {
        world_message(tx, 7, ROLE_VISITOR, 3, i);
        world_event(tx, EVENT_HANDLED, 7, ROLE_SYSTEM, "{}");
    }
    commit(&w, tx);
    static const uint32_t seqs[] = {1, 2, 63, 64, 65, 128, 199, 200, 0, 201};
    for (size_t i = 0; i < sizeof seqs / sizeof seqs[0]; i++) {
        struct query *q = ask(&w, QUERY_EVENT);
        test_note("seq %u", seqs[i]);
        q->conv = 7;
        q->after_seq = seqs[i];
        if (i >= 8) {
            CHECK_EQ_INT(world_ask(&w, q), ERR_NOT_FOUND);
        } else {
            CHECK_EQ_INT(world_ask(&w, q), 0);
            CHECK_EQ_INT(q->events ? q->events->seq : 0, seqs[i]);
            CHECK_EQ_INT(q->events ? q->events->pos : 0, 2 * seqs[i] - 1);
        }
        query_free(q);
    }
    struct query *q = ask(&w, QUERY_EVENT);
    q->after_pos = 9;
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_EQ_INT(q->events->seq, 5);
    CHECK_SLICE(q->events->ref, "ref 5");
    query_free(q);
    q = ask(&w, QUERY_EVENT);
    q->conv = 8;
    q->after_seq = 1;
    CHECK_EQ_INT(world_ask(&w, q), ERR_NOT_FOUND);
    query_free(q);
    world_close(&w);
}

/* -- dead letters, audit ------------------------------------------------ */

static void dead(struct tx *tx, uint64_t id)
{
    struct dead *d = arena_one(tx->arena, struct dead);
    *d = (struct dead){.id = id,
                       .at = 9,
                       .conv = 7,
                       .pos = 1,
                       .hook = HOOK_MESSAGE,
                       .reason = SLICE("no rule"),
                       .runs = 2};
    tx_put(tx, PUT_DEAD)->dead = d;
}

TEST("dead letters are listed newest first, looked at alone, and deleted")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    for (uint64_t id = 1; id <= 3; id++)
        dead(tx, id);
    world_message(tx, 7, ROLE_VISITOR, 3, 1);
    commit(&w, tx);
    tx = world_tx(&w);
    tx_put(tx, DEL_DEAD)->id = 2;
    commit(&w, tx);
    struct query *q = ask(&w, QUERY_DEADS);
    q->limit = 1;
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_EQ_INT(q->total, 2);
    CHECK(q->more);
    CHECK_EQ_STR(json_of(q),
                 "[{\"id\":\"dl_0000000000003\",\"created_at\":9,"
                 "\"conversation\":\"cv_0000000000007\","
                 "\"message\":\"m_0000000000001\",\"hook\":\"on_message\","
                 "\"script\":null,\"reason\":\"no rule\",\"data\":{},"
                 "\"runs\":2}]");
    query_free(q);
    q = ask(&w, QUERY_DEAD);
    q->id = 1;
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_SLICE(q->dead->reason, "no rule");
    CHECK_EQ_INT(q->dead->hook, HOOK_MESSAGE);
    CHECK(q->json.len > 0 && q->json.at[0] == '{');
    query_free(q);
    q = ask(&w, QUERY_DEAD);
    q->id = 2;
    CHECK_EQ_INT(world_ask(&w, q), ERR_NOT_FOUND);
    query_free(q);
    world_close(&w);
}

TEST("who did what is listed newest first and by what")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    for (uint64_t id = 1; id <= 3; id++) {
        struct audit *a = arena_one(tx->arena, struct audit);
        *a = (struct audit){.id = id,
                            .at = (int64_t)id * 10,
                            .agent = id == 1 ? 0 : 5,
                            .what = id == 2 ? SLICE("console.write")
                                            : SLICE("script.rollback"),
                            .about = SLICE("rules/x"),
                            .data = SLICE("{\"to\":\"a\"}")};
        tx_put(tx, PUT_AUDIT)->audit = a;
    }
    commit(&w, tx);
    struct query *q = ask(&w, QUERY_AUDIT);
    q->text = SLICE("script.rollback");
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_EQ_INT(q->total, 2);
    CHECK_EQ_STR(json_of(q),
                 "[{\"id\":\"au_0000000000003\",\"created_at\":30,"
                 "\"agent\":\"ag_0000000000005\",\"what\":\"script.rollback\","
                 "\"about\":\"rules/x\",\"data\":{\"to\":\"a\"}},"
                 "{\"id\":\"au_0000000000001\",\"created_at\":10,"
                 "\"agent\":null,\"what\":\"script.rollback\","
                 "\"about\":\"rules/x\",\"data\":{\"to\":\"a\"}}]");
    query_free(q);
    world_close(&w);
}

/* -- versions ----------------------------------------------------------- */

static void version(struct world *w, const char *unit, int n,
                    enum version_state state, int64_t since_at)
{
    struct tx *tx = world_tx(w);
    struct script_version *v = arena_one(tx->arena, struct script_version);
    *v = (struct script_version){.unit = slice_of(unit),
                                 .version = world_text(tx, "v%02d", n),
                                 .state = state,
                                 .since_at = since_at,
                                 .sources = SLICE("[]"),
                                 .note = SLICE("saved")};
    tx_put(tx, PUT_VERSION)->version = v;
    commit(w, tx);
}

static struct query *one_version(struct world *w, const char *unit,
                                 const char *name)
{
    struct query *q = ask(w, QUERY_VERSION);
    q->text = slice_of(unit);
    q->identity = slice_of(name);
    world_ask(w, q);
    return q;
}

TEST("a version that serves ends the one before, of its script only")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    version(&w, "rules/a", 1, VERSION_SERVING, 10);
    version(&w, "rules/b", 1, VERSION_SERVING, 11);
    version(&w, "rules/a", 2, VERSION_CANARY, 20);
    struct query *q = one_version(&w, "rules/a", "v01");
    CHECK_EQ_INT(q->version->state, VERSION_SERVING);
    query_free(q);
    version(&w, "rules/a", 2, VERSION_SERVING, 30);
    q = one_version(&w, "rules/a", "v01");
    CHECK_EQ_INT(q->version->state, VERSION_OLD);
    CHECK_EQ_INT(q->version->until_at, 30);
    query_free(q);
    version(&w, "rules/a", 2, VERSION_PINNED, 30);
    version(&w, "rules/a", 3, VERSION_SERVING, 40);
    q = one_version(&w, "rules/a", "v02");
    CHECK_EQ_INT(q->version->state, VERSION_PINNED);
    CHECK_EQ_INT(q->version->until_at, 0);
    query_free(q);
    q = one_version(&w, "rules/b", "v01");
    CHECK_EQ_INT(q->version->state, VERSION_SERVING);
    query_free(q);
    q = one_version(&w, "rules/b", "v02");
    CHECK_EQ_INT(q->result, ERR_NOT_FOUND);
    query_free(q);
    q = ask(&w, QUERY_VERSIONS);
    q->text = SLICE("rules/a");
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_EQ_INT(q->total, 3);
    CHECK(strncmp(json_of(q),
                  "[{\"script\":\"rules/a\",\"version\":\"v03\","
                  "\"state\":\"serving\",\"since_at\":40,\"until_at\":null,"
                  "\"note\":\"saved\"},{\"script\":\"rules/a\","
                  "\"version\":\"v02\",\"state\":\"pinned\"",
                  140) == 0);
    query_free(q);
    world_close(&w);
}

TEST("of a script's versions the oldest go, never one that still counts")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    version(&w, "rules/a", 1, VERSION_SERVING, 1);
    version(&w, "rules/a", 1, VERSION_PINNED, 1);
    version(&w, "rules/a", 2, VERSION_REFUSED, 2);
    for (int i = 3; i < 3 + LIMIT_VERSIONS + 5; i++)
        version(&w, "rules/a", i, VERSION_SERVING, i);
    static const struct {
        const char *name;
        bool there;
    } cases[] = {{"v01", true},  {"v02", true}, {"v03", false},
                 {"v09", false}, {"v10", true}, {"v27", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_note("%s", cases[i].name);
        struct query *q = one_version(&w, "rules/a", cases[i].name);
        CHECK_EQ_INT(q->result == 0, cases[i].there);
        query_free(q);
    }
    struct query *q = ask(&w, QUERY_VERSIONS);
    q->text = SLICE("rules/a");
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_EQ_INT(q->total, LIMIT_VERSIONS);
    query_free(q);
    world_close(&w);
}

/* -- swaps -------------------------------------------------------------- */

static struct tx *swap(struct world *w, const char *was, const char *value,
                       int64_t expires_at)
{
    struct tx *tx = world_tx(w);
    struct kv *kv = arena_one(tx->arena, struct kv);
    *kv = (struct kv){.space = SLICE("rules/a"),
                      .key = SLICE("n"),
                      .value = slice_of(value),
                      .was = slice_of(was),
                      .expires_at = expires_at};
    tx_put(tx, KV_SWAP)->kv = kv;
    return tx;
}

TEST("a swap takes only what it expects: nothing, a value, or one that ran out")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    static const struct {
        const char *was, *value;
        int64_t expires_at;
        int want;
    } cases[] = {
        {"1", "2", 0, ERR_CONFLICT}, /* there is none */
        {"", "1", 0, 0},
        {"", "9", 0, ERR_CONFLICT}, /* there is one */
        {"2", "9", 0, ERR_CONFLICT},
        {"1", "2", 5, 0},            /* 1970: it ran out at once */
        {"2", "3", 0, ERR_CONFLICT}, /* so it is not there */
        {"", "4", 0, 0},
        {"4", "", 0, 0}, /* taken away */
        {"4", "5", 0, ERR_CONFLICT},
        {"", "6", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_note("swap %zu", i);
        struct tx *tx =
            swap(&w, cases[i].was, cases[i].value, cases[i].expires_at);
        CHECK_EQ_INT(world_commit(&w, tx), cases[i].want);
        CHECK_EQ_STR(tx->err.field, cases[i].want ? "key" : "");
        tx_free(tx);
    }
    struct query *q = ask(&w, QUERY_KV);
    q->kv = (struct kv){.space = SLICE("rules/a"), .key = SLICE("n")};
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_SLICE(q->kv.value, "6");
    query_free(q);
    world_close(&w);
}

TEST("a swap that fails takes its whole transaction along and no other")
{
    struct world w;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *txs[30];
    for (int i = 0; i < 30; i++) { /* every third one holds the right value */
        char was[16] = "", value[16];
        if (i > 2)
            snprintf(was, sizeof was, "%d", i / 3 * 3 - 3);
        snprintf(value, sizeof value, "%d", i);
        txs[i] = swap(&w, was, value, 0);
        txs[i]->puts->kv->was = slice_dup(txs[i]->arena, slice_of(was));
        txs[i]->puts->kv->value = slice_dup(txs[i]->arena, slice_of(value));
        world_message(txs[i], 7, ROLE_VISITOR, 3, i + 1);
        struct kv *kv = arena_one(txs[i]->arena, struct kv);
        *kv = (struct kv){.space = SLICE("x"),
                          .key = world_text(txs[i], "k%d", i),
                          .value = SLICE("1")};
        tx_put(txs[i], PUT_KV)->kv = kv;
    }
    for (int i = 0; i < 30; i++)
        world_give(&w, txs[i]);
    world_settle(&w);
    for (int i = 0; i < 30; i++) {
        test_note("tx %d", i);
        CHECK_EQ_INT(txs[i]->result, i % 3 ? ERR_CONFLICT : 0);
        CHECK_EQ_INT(txs[i]->first->pos != 0, i % 3 == 0);
        struct query *q = ask(&w, QUERY_KV);
        q->kv = (struct kv){.space = SLICE("x"),
                            .key = world_text(txs[i], "k%d", i)};
        CHECK_EQ_INT(world_ask(&w, q), i % 3 ? ERR_NOT_FOUND : 0);
        query_free(q);
        tx_free(txs[i]);
    }
    CHECK_EQ_INT(store_pos(w.store), 10);
    world_close(&w);
}

/* -- what has run out --------------------------------------------------- */

struct fixture {
    struct db db;
    struct record_writer w;
    struct err err;
};
static int setup(struct fixture *f)
{
    *f = (struct fixture){0};
    int r = db_open(&f->db, test_dir(), DB_WRITER, &f->err);
    record_writer_init(&f->w, &f->db);
    return r < 0 ? r : db_migrate(&f->db, &f->err);
}
static void teardown(struct fixture *f)
{
    record_writer_fini(&f->w);
    db_close(&f->db);
}
static int64_t count(struct fixture *f, const char *sql)
{
    struct stmt s;
    int64_t n = -1;
    CHECK_EQ_INT(stmt_open(&f->db, sql, "", &s), 0);
    if (stmt_step(&s) == 1)
        n = got_i64(&s, 0);
    stmt_close(&s);
    return n;
}

TEST("traces and ended flows go after their days, running flows stay")
{
    struct fixture f;
    REQUIRE(setup(&f) == 0);
    int64_t now = 100 * DAY, old = now - LIMIT_TRACE_DAYS * DAY;
    for (int i = 0; i < 4; i++) {
        struct trace t = {.pos = (uint64_t)i + 1, .at = old - 2 + i};
        struct put p = {.kind = PUT_TRACE, .trace = &t};
        CHECK_EQ_INT(record_put(&f.w, &p, now, &f.err), 0);
        for (int state = FLOW_READY; state <= FLOW_CANCELLED; state++) {
            struct flow fl = {.id = (uint64_t)(10 * i + state + 1),
                              .state = (enum flow_state)state,
                              .updated_at = old - 2 + i};
            p = (struct put){.kind = PUT_FLOW, .flow = &fl};
            CHECK_EQ_INT(record_put(&f.w, &p, now, &f.err), 0);
        }
    }
    CHECK_EQ_INT(record_purge(&f.w, now), 0);
    CHECK_EQ_INT(count(&f, "SELECT count(*) FROM trace"), 2);
    CHECK_EQ_INT(count(&f, "SELECT min(id) / 256 FROM trace"), 3);
    CHECK_EQ_INT(count(&f, "SELECT count(*) FROM flow WHERE state < 3"), 12);
    CHECK_EQ_INT(count(&f, "SELECT count(*) FROM flow WHERE state >= 3"), 6);
    f.w.trace_ms = DAY; /* the setting */
    CHECK_EQ_INT(record_purge(&f.w, old + DAY + 1), 0);
    CHECK_EQ_INT(count(&f, "SELECT count(*) FROM trace"), 1);
    teardown(&f);
}

TEST("at most so many dead letters are kept, the newest")
{
    struct fixture f;
    REQUIRE(setup(&f) == 0);
    CHECK_EQ_INT(db_run(&f.db,
                        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT "
                        "i + 1 FROM n WHERE i < 100500) INSERT INTO dead "
                        "SELECT i, 1, 0, 0, 0, '', '', '', 0 FROM n"),
                 0);
    struct dead d = {.id = 200000};
    struct put p = {.kind = PUT_DEAD, .dead = &d};
    CHECK_EQ_INT(record_put(&f.w, &p, 1, &f.err), 0);
    CHECK_EQ_INT(count(&f, "SELECT count(*) FROM dead"), 100501);
    CHECK_EQ_INT(record_purge(&f.w, 5), 0);
    CHECK_EQ_INT(count(&f, "SELECT count(*) FROM dead"), LIMIT_DEAD);
    CHECK_EQ_INT(count(&f, "SELECT max(id) FROM dead"), 200000);
    CHECK_EQ_INT(count(&f, "SELECT min(id) FROM dead"), 502);
    CHECK_EQ_INT(db_run(&f.db, "BEGIN"), 0);
    for (uint64_t i = 0; i < 1000; i++) { /* also without a purge */
        d.id = 300000 + i;
        CHECK_EQ_INT(record_put(&f.w, &p, 1, &f.err), 0);
    }
    CHECK_EQ_INT(db_run(&f.db, "COMMIT"), 0);
    CHECK_EQ_INT(count(&f, "SELECT count(*) FROM dead"), LIMIT_DEAD);
    teardown(&f);
}

TEST("migrations have rising numbers, no two the same")
{
    for (size_t i = 1; i < migrations_count; i++)
        CHECK(migrations[i].number > migrations[i - 1].number);
}

/* -- an older database -------------------------------------------------- */

TEST("a database of the first schema is brought up to date with all it holds")
{
    const char *dir = test_dir();
    sqlite3 *db;
    char path[4096];
    snprintf(path, sizeof path, "%s/yuelai.db", dir);
    REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK_EQ_INT(migrations[0].number, 1);
    CHECK_EQ_INT(sqlite3_exec(db, migrations[0].sql, NULL, NULL, NULL), 0);
    CHECK_EQ_INT(sqlite3_exec(db,
                              "PRAGMA user_version = 1;"
                              "INSERT INTO kv VALUES ('s', 'k', '42', 0);"
                              "INSERT INTO team VALUES (3, 'T', '[]', 1, 1)",
                              NULL, NULL, NULL),
                 0);
    sqlite3_close(db);
    struct world w;
    REQUIRE(world_open(&w, dir) == 0);
    struct query *q = ask(&w, QUERY_KV);
    q->kv = (struct kv){.space = SLICE("s"), .key = SLICE("k")};
    CHECK_EQ_INT(world_ask(&w, q), 0);
    CHECK_SLICE(q->kv.value, "42");
    query_free(q);
    struct tx *tx = world_tx(&w);
    world_conversation(tx, 7, 3);
    flow(tx, 1, FLOW_READY);
    commit(&w, tx);
    world_close(&w);
    REQUIRE(world_open(&w, dir) == 0); /* nothing is left to do */
    q = ask(&w, QUERY_FLOW);
    q->id = 1;
    CHECK_EQ_INT(world_ask(&w, q), 0);
    query_free(q);
    world_close(&w);
    struct buf out;
    struct err e = {0};
    buf_init(&out, 100000);
    CHECK_EQ_INT(store_verify(dir, &out, NULL, NULL, &e), 0);
    CHECK_EQ_STR(e.text, "");
    buf_fini(&out);
}
