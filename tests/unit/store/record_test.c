/* SPDX-License-Identifier: Apache-2.0 */
/* Records that run out, and the files' rights. */
#include "store/record.h"
#include "test.h"
#include <stdio.h>
#include <sys/stat.h>

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

static int put_kv(struct fixture *f, const char *key, int64_t expires_at)
{
    struct kv kv = {.space = SLICE("s"),
                    .key = slice_of(key),
                    .value = SLICE("1"),
                    .expires_at = expires_at};
    struct put p = {.kind = PUT_KV, .kv = &kv};
    return record_put(&f->w, &p, 0, &f->err);
}
static int put_answer(struct fixture *f, const char *key, int64_t now_ms)
{
    struct answer a = {
        .key = slice_of(key), .status = 201, .body = SLICE("{}")};
    struct put p = {.kind = PUT_ANSWER, .answer = &a};
    return record_put(&f->w, &p, now_ms, &f->err);
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

TEST("what has run out is thrown away, the rest stays")
{
    struct fixture f;
    REQUIRE(setup(&f) == 0);
    int64_t now = 100 * RECORD_ANSWER_MS;
    CHECK_EQ_INT(put_kv(&f, "for ever", 0), 0);
    CHECK_EQ_INT(put_kv(&f, "later", now + 1), 0);
    CHECK_EQ_INT(put_kv(&f, "gone", now - 1), 0);
    CHECK_EQ_INT(put_answer(&f, "young", now - RECORD_ANSWER_MS + 1), 0);
    CHECK_EQ_INT(put_answer(&f, "old", now - RECORD_ANSWER_MS - 1), 0);
    CHECK_EQ_INT(record_purge(&f.w, now), 0);
    CHECK_EQ_INT(count(&f, "SELECT count(*) FROM kv"), 2);
    CHECK_EQ_INT(count(&f, "SELECT count(*) FROM kv WHERE name = 'gone'"), 0);
    CHECK_EQ_INT(count(&f, "SELECT count(*) FROM answer"), 1);
    teardown(&f);
}

TEST("a purge throws away a bounded number of rows")
{
    struct fixture f;
    REQUIRE(setup(&f) == 0);
    CHECK_EQ_INT(db_run(&f.db, "BEGIN"), 0);
    for (int i = 0; i < 2 * RECORD_PURGE + 200; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        CHECK_EQ_INT(put_kv(&f, key, 1), 0);
    }
    CHECK_EQ_INT(db_run(&f.db, "COMMIT"), 0);
    static const int left[] = {RECORD_PURGE + 200, 200, 0, 0};
    for (int i = 0; i < 4; i++) {
        CHECK_EQ_INT(record_purge(&f.w, 5), i < 2);
        CHECK_EQ_INT(count(&f, "SELECT count(*) FROM kv"), left[i]);
    }
    teardown(&f);
}

TEST("an answer that ran out makes room for a new one under its key")
{
    struct fixture f;
    REQUIRE(setup(&f) == 0);
    int64_t now = 100 * RECORD_ANSWER_MS;
    CHECK_EQ_INT(put_answer(&f, "k", now), 0);
    CHECK_EQ_INT(put_answer(&f, "k", now + RECORD_ANSWER_MS), ERR_CONFLICT);
    CHECK_EQ_INT(put_answer(&f, "k", now + RECORD_ANSWER_MS + 1), 0);
    CHECK_EQ_INT(put_answer(&f, "k", now + RECORD_ANSWER_MS + 2), ERR_CONFLICT);
    teardown(&f);
}

TEST("nobody else can read the files, whatever the folder allows")
{
    struct fixture f;
    struct stat st;
    CHECK_EQ_INT(chmod(test_dir(), 0755), 0);
    mode_t was = umask(0);
    REQUIRE(setup(&f) == 0);
    CHECK_EQ_INT(put_kv(&f, "k", 0), 0);
    umask(was);
    static const char *const names[] = {"yuelai.db", "yuelai.db-wal",
                                        "yuelai.db-shm"};
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_INT(stat(test_path(names[i]), &st), 0);
        CHECK_EQ_INT(st.st_mode & 0777, 0600);
    }
    teardown(&f);
}

TEST("text and bytes come back as they were, also empty and with zeros")
{
    struct fixture f;
    REQUIRE(setup(&f) == 0);
    struct stmt s;
    struct arena *a = arena_new();
    CHECK_EQ_INT(stmt_open(&f.db, "SELECT $b, $a, $a, NULL", "a b", &s), 0);
    put_text(&s, (struct slice){"x\0y", 3});
    put_text(&s, (struct slice){NULL, 0});
    CHECK_EQ_INT(stmt_step(&s), 1);
    CHECK_EQ_INT(got_text(&s, 0, NULL).len, 0);
    struct slice got = got_text(&s, 1, a);
    CHECK_EQ_MEM(got.at, got.len, "x\0y", 3);
    CHECK(!got_null(&s, 0) && got_null(&s, 3));
    char bytes[4];
    CHECK(!got_bytes(&s, 2, bytes, 4));
    CHECK(got_bytes(&s, 2, bytes, 3));
    CHECK_EQ_INT(stmt_step(&s), 0);
    stmt_close(&s);
    CHECK(stmt_open(&f.db, "SELECT nonsense FROM nowhere", "", &s) < 0);
    CHECK(strstr(f.db.err.text, "nowhere") != NULL);
    arena_free(a);
    teardown(&f);
}
