/* SPDX-License-Identifier: Apache-2.0 */
/* The journal itself: chain, rollback, replay of what was not projected. */
#include "store/inner.h"
#include "store_world.h"

struct fixture {
    struct db db;
    struct journal j;
    struct err err;
};

static int setup(struct fixture *f, size_t refs_max)
{
    *f = (struct fixture){0};
    int r = db_open(&f->db, test_dir(), DB_WRITER, &f->err);
    if (r == 0)
        r = db_migrate(&f->db, &f->err);
    return r < 0 ? r : journal_open(&f->j, &f->db, refs_max, 24 * 3600000LL);
}
static void teardown(struct fixture *f)
{
    journal_close(&f->j);
    db_close(&f->db);
}

static void begin(struct fixture *f)
{
    CHECK_EQ_INT(db_run(&f->db, "BEGIN IMMEDIATE"), 0);
    journal_begin(&f->j, 5000);
}
static void commit(struct fixture *f)
{
    CHECK_EQ_INT(db_run(&f->db, "COMMIT"), 0);
    journal_commit(&f->j);
}
static void rollback(struct fixture *f)
{
    CHECK_EQ_INT(db_run(&f->db, "ROLLBACK"), 0);
    journal_rollback(&f->j);
}

static struct event says(uint64_t conv, const char *ref)
{
    return (struct event){.name = EVENT_MESSAGE_CREATED,
                          .conv = conv,
                          .role = ROLE_VISITOR,
                          .sender = 3,
                          .cause = 9,
                          .ref = slice_of(ref),
                          .body = SLICE("{\"kind\":\"text\",\"text\":\"x\"}")};
}
static struct event append(struct fixture *f, uint64_t conv, const char *ref)
{
    struct event ev = says(conv, ref);
    CHECK_EQ_INT(journal_append(&f->j, &ev), 0);
    return ev;
}

static int64_t number(struct fixture *f, const char *sql)
{
    struct stmt s;
    int64_t n = -1;
    CHECK_EQ_INT(stmt_open(&f->db, sql, "", &s), 0);
    if (stmt_step(&s) == 1)
        n = got_i64(&s, 0);
    stmt_close(&s);
    return n;
}

TEST("the chain is what its description says, byte by byte")
{
    struct fixture f;
    REQUIRE(setup(&f, 0) == 0);
    begin(&f);
    struct event ev = says(0x0102030405060708, "ref");
    ev.at = 0x1112131415161718;
    ev.flags = EVENT_PRIVATE | EVENT_DUPLICATE;
    CHECK_EQ_INT(journal_append(&f.j, &ev), 0);
    commit(&f);
    static const unsigned char head[] = {
        1,    0,    0,    0,    0,    0,    0,    0,    /* pos */
        0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, /* at */
        8,    7,    6,    5,    4,    3,    2,    1,    /* conv */
        1,    0,    0,    0,                            /* seq */
        1,    0,    1,    1,                            /* name, role, flags */
        3,    0,    0,    0,    0,    0,    0,    0,    /* sender */
        9,    0,    0,    0,    0,    0,    0,    0,    /* cause */
        3,    'r',  'e',  'f'};
    unsigned char all[32 + sizeof head + 32] = {0}, want[32], got[32];
    memcpy(all + 32, head, sizeof head);
    sha256_of(ev.body, all + 32 + sizeof head);
    sha256_of((struct slice){(char *)all, sizeof all}, want);
    struct stmt s;
    REQUIRE(stmt_open(&f.db, "SELECT hash FROM journal", "", &s) == 0);
    CHECK_EQ_INT(stmt_step(&s), 1);
    CHECK(got_bytes(&s, 0, got, 32));
    CHECK_EQ_MEM(got, 32, want, 32);
    stmt_close(&s);
    teardown(&f);
}

TEST("a rollback leaves no gap in pos, seq and chain")
{
    struct fixture f;
    REQUIRE(setup(&f, 0) == 0);
    begin(&f);
    append(&f, 7, "a");
    commit(&f);
    struct hot *h = map_get(&f.j.project.hots, 7);
    unsigned char hash[32];
    memcpy(hash, h->hash, 32);
    for (int i = 0; i < 3; i++) {
        begin(&f);
        append(&f, 7, "b");
        append(&f, 8, "c");
        CHECK_EQ_INT(f.j.last_pos, 3);
        rollback(&f);
        CHECK_EQ_INT(f.j.last_pos, 1);
        CHECK_EQ_MEM(h->hash, 32, hash, 32);
    }
    /* The refs of what was undone are not taken for stored. */
    begin(&f);
    struct event again = says(7, "b"), *dup;
    CHECK_EQ_INT(journal_find(&f.j, &again, &dup), 0);
    CHECK(dup == NULL);
    struct event b = append(&f, 7, "b");
    CHECK_EQ_INT(b.pos, 2);
    CHECK_EQ_INT(b.seq, 2);
    commit(&f);
    CHECK_EQ_INT(journal_find(&f.j, &again, &dup), 0);
    CHECK(dup == &again && again.pos == 2);
    teardown(&f);
}

/* 300 events in conversations 1..100, their rows not written. */
static void append_unprojected(struct fixture *f)
{
    begin(f);
    for (int i = 0; i < 300; i++)
        append(f, 1 + (uint64_t)i % 100, "");
    /* As under load: too many for now. */
    f->j.project.sweep_ms = 1000;
    CHECK_EQ_INT(project_some(&f->j.project, f->j.last_pos, f->j.events, 1001),
                 0);
    commit(f);
}

TEST("under load rows wait, and one or all are written when asked for")
{
    struct fixture f;
    REQUIRE(setup(&f, 0) == 0);
    append_unprojected(&f);
    CHECK_EQ_INT(project_waiting(&f.j.project), 100);
    CHECK_EQ_INT(number(&f, "SELECT count(*) FROM progress"), 0);
    begin(&f);
    CHECK_EQ_INT(project_one(&f.j.project, 42), 0);
    commit(&f);
    CHECK_EQ_INT(number(&f, "SELECT last_seq FROM progress"), 3);
    CHECK_EQ_INT(project_waiting(&f.j.project), 99);
    begin(&f);
    CHECK_EQ_INT(project_all(&f.j.project, f.j.last_pos), 0);
    commit(&f);
    CHECK_EQ_INT(number(&f, "SELECT count(*) FROM progress"), 100);
    CHECK_EQ_INT(number(&f, "SELECT pos FROM reader"), 300);
    teardown(&f);
}

TEST("a rollback puts rows that were written back to waiting")
{
    struct fixture f;
    REQUIRE(setup(&f, 0) == 0);
    append_unprojected(&f);
    begin(&f);
    CHECK_EQ_INT(project_all(&f.j.project, f.j.last_pos), 0);
    rollback(&f);
    CHECK_EQ_INT(project_waiting(&f.j.project), 100);
    CHECK_EQ_INT(f.j.project.cursor, 0);
    begin(&f);
    CHECK_EQ_INT(project_all(&f.j.project, f.j.last_pos), 0);
    commit(&f);
    CHECK_EQ_INT(number(&f, "SELECT count(*) FROM progress"), 100);
    teardown(&f);
}

TEST("a sweep goes on over several transactions, the cursor moves at its end")
{
    struct fixture f;
    REQUIRE(setup(&f, 0) == 0);
    begin(&f);
    for (int i = 0; i < 2 * PROJECT_CHUNK + 10; i++)
        append(&f, 1 + (uint64_t)i, "");
    commit(&f);
    int64_t now = 100000;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_INT(number(&f, "SELECT pos FROM reader"), 0);
        begin(&f);
        append(&f, 5, ""); /* goes on meanwhile */
        CHECK_EQ_INT(project_some(&f.j.project, f.j.last_pos, 1000, now), 0);
        commit(&f);
    }
    CHECK_EQ_INT(number(&f, "SELECT pos FROM reader"),
                 2 * PROJECT_CHUNK + 10 + 1);
    /* Conversation 5 was written first and is behind again. */
    CHECK_EQ_INT(project_waiting(&f.j.project), 1);
    CHECK_EQ_INT(number(&f, "SELECT count(*) FROM progress"),
                 2 * PROJECT_CHUNK + 10);
    teardown(&f);
}

TEST("what a crash left unprojected is written out at the next open")
{
    struct fixture f;
    REQUIRE(setup(&f, 0) == 0);
    append_unprojected(&f);
    begin(&f);
    CHECK_EQ_INT(project_one(&f.j.project, 42), 0); /* ahead of the cursor */
    commit(&f);
    teardown(&f); /* nothing is written here */
    REQUIRE(setup(&f, 0) == 0);
    CHECK_EQ_INT(number(&f, "SELECT count(*) FROM progress WHERE "
                            "last_seq = 3 AND unread = 3"),
                 100);
    CHECK_EQ_INT(number(&f, "SELECT pos FROM reader"), 300);
    begin(&f);
    struct event ev = append(&f, 42, "");
    CHECK_EQ_INT(ev.pos, 301);
    CHECK_EQ_INT(ev.seq, 4);
    commit(&f);
    begin(&f);
    CHECK_EQ_INT(project_all(&f.j.project, f.j.last_pos), 0);
    commit(&f);
    teardown(&f);
    struct buf out;
    buf_init(&out, 10000);
    test_write_file(test_path("lock"), "");
    CHECK_EQ_INT(store_verify(test_dir(), &out, NULL, NULL, &f.err), 0);
    CHECK_EQ_INT(out.len, 0);
    buf_fini(&out);
}

TEST("clean conversations beyond the limit are let go and found again")
{
    struct fixture f;
    REQUIRE(setup(&f, 0) == 0);
    for (uint64_t c = 1; c <= PROJECT_CLEAN + 100; c += 100) {
        begin(&f);
        for (uint64_t i = 0; i < 100; i++)
            append(&f, c + i, "");
        CHECK_EQ_INT(project_all(&f.j.project, f.j.last_pos), 0);
        commit(&f);
    }
    CHECK_EQ_INT(f.j.project.hots.count, PROJECT_CLEAN);
    CHECK(map_get(&f.j.project.hots, 1) == NULL);
    begin(&f);
    struct event ev = append(&f, 1, "");
    CHECK_EQ_INT(ev.seq, 2);
    commit(&f);
    teardown(&f);
}

TEST("refs are remembered as long as is said, by the rows' times")
{
    struct fixture f;
    REQUIRE(setup(&f, 0) == 0);
    int64_t now = clock_ms();
    begin(&f);
    for (int i = 0; i < 100; i++) {
        char ref[16];
        snprintf(ref, sizeof ref, "r%d", i);
        struct event ev = says(7, ref);
        ev.at = now - (100 - i) * 3600000LL + 1800000; /* one an hour */
        CHECK_EQ_INT(journal_append(&f.j, &ev), 0);
    }
    commit(&f);
    teardown(&f);
    REQUIRE(setup(&f, 0) == 0);
    CHECK_EQ_INT(f.j.refs.floor, 77);
    struct event old = says(7, "r50"), young = says(7, "r80"), *dup;
    CHECK_EQ_INT(journal_find(&f.j, &old, &dup), 0);
    CHECK(dup == NULL);
    CHECK_EQ_INT(journal_find(&f.j, &young, &dup), 0);
    CHECK(dup == &young && young.pos == 81);
    teardown(&f);
}
