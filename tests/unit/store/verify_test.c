/* SPDX-License-Identifier: Apache-2.0 */
/* Verify finds what somebody changed, and nothing where nobody did. */
#include "base/crypto.h"
#include "store/migrations.h"
#include "store_world.h"
#include <sqlite3.h>
#include <sys/stat.h>

/* A folder with three conversations, messages, notes, marks. */
static void fill(const char *dir)
{
    struct world w;
    REQUIRE(world_open(&w, dir) == 0);
    for (int i = 0; i < 200; i++) {
        struct tx *tx = world_tx(&w);
        uint64_t conv = 1 + (uint64_t)i % 3;
        if (i < 3)
            world_conversation(tx, conv, 1);
        world_message(tx, conv, i % 5 ? ROLE_VISITOR : ROLE_AGENT, conv, i + 1);
        if (i % 7 == 0)
            world_event(tx, EVENT_MESSAGE_STATUS, conv, ROLE_AGENT,
                        "{\"seq\":2,\"status\":\"read\"}");
        CHECK_EQ_INT(world_commit(&w, tx), 0);
        tx_free(tx);
    }
    world_close(&w);
}

static void change(const char *dir, const char *sql)
{
    char path[4096];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/yuelai.db", dir);
    REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    char *why = NULL;
    CHECK_EQ_INT(sqlite3_exec(db, sql, NULL, NULL, &why), SQLITE_OK);
    if (why)
        FAIL("%s", why);
    CHECK(sqlite3_total_changes(db) > 0 || strstr(sql, "PRAGMA"));
    sqlite3_close(db);
}

static uint64_t told_done, told_total;
static void tell(void *arg, uint64_t done, uint64_t total)
{
    told_done = done;
    told_total = total;
}

TEST("an untouched folder is all well, and progress reaches its end")
{
    struct buf out;
    struct err e = {0};
    buf_init(&out, 100000);
    fill(test_path("d"));
    CHECK_EQ_INT(store_verify(test_path("d"), &out, tell, NULL, &e), 0);
    CHECK_EQ_INT(out.len, 0);
    CHECK_EQ_INT(told_done, told_total);
    CHECK_EQ_INT(told_total, 229);
    buf_fini(&out);
}

static int take_back(struct world *w, uint64_t pos, const char *body)
{
    struct tx *tx = world_tx(w);
    struct left *left = arena_one(tx->arena, struct left);
    *left = (struct left){.pos = pos, .conv = 2, .body = slice_of(body)};
    tx_put(tx, PUT_LEFT)->left = left;
    int r = world_commit(w, tx);
    tx_free(tx);
    return r;
}

TEST("a message that was taken back is gone, once, and the chain still holds")
{
    struct world w;
    struct buf out;
    struct err e = {0};
    buf_init(&out, 100000);
    fill(test_path("d"));
    REQUIRE(world_open(&w, test_path("d")) == 0);
    CHECK_EQ_INT(take_back(&w, 3, "{\"recalled\":true}"), 0);
    CHECK_EQ_INT(take_back(&w, 3, "{\"recalled\":true}"), ERR_CONFLICT);
    CHECK_EQ_INT(take_back(&w, 99999, "{}"), ERR_CONFLICT);
    world_close(&w);
    CHECK_EQ_INT(store_verify(test_path("d"), &out, tell, NULL, &e), 0);
    CHECK_EQ_INT(out.len, 0);
    change(test_path("d"), "UPDATE journal SET body_hash = zeroblob(32) WHERE "
                           "body_hash IS NOT NULL");
    CHECK(store_verify(test_path("d"), &out, tell, NULL, &e) != 0 || out.len);
    buf_fini(&out);
}

TEST("every kind of tampering is found and named")
{
    static const struct {
        const char *sql, *says;
    } cases[] = {
        {"UPDATE journal SET body = replace(body, 'text 9', 'text 8') WHERE "
         "body LIKE '%text 9\"%'",
         "the chain of conversation"},
        {"UPDATE journal SET at = at + 1 WHERE pos = 50", "the chain of"},
        {"UPDATE journal SET sender = 77 WHERE pos = 50", "the chain of"},
        {"UPDATE journal SET ref = 'x' WHERE pos = 50", "the chain of"},
        {"UPDATE journal SET hash = zeroblob(32) WHERE pos = 50",
         "the chain of"},
        {"UPDATE journal SET prev = prev - 1 WHERE pos = 50", "follows row"},
        {"DELETE FROM journal WHERE pos = 100", "row 100 is missing"},
        {"DELETE FROM journal WHERE pos = (SELECT max(pos) FROM journal)",
         "its figures end at"},
        {"UPDATE journal SET seq = seq + 1 WHERE pos = 200", "belongs"},
        {"UPDATE progress SET unread = unread + 1 WHERE conv = 2",
         "conversation 2: its figures"},
        {"UPDATE progress SET preview = 'x' WHERE conv = 2",
         "conversation 2: its figures"},
        {"DELETE FROM progress WHERE conv = 2",
         "conversation 2: its figures are behind"},
        {"DELETE FROM anchor", "anchor"},
        {"INSERT INTO anchor VALUES (9, 64, 1)", "anchors where"},
        {"UPDATE reader SET pos = 1000", "beyond the journal's end"},
        {"INSERT INTO trace VALUES (230 * 256, 1, 1, '{}')",
         "1 traces of rows that are not there"},
        {"INSERT INTO trace VALUES (256, 1, 1, 'x')", "cannot be read"},
        {"INSERT INTO dead VALUES (1, 1, 1, 230, 0, '', '', '', 0)",
         "dead letters of rows"},
        {"INSERT INTO flow VALUES (1, '', '', 9, 1, 0, 0, 0, 0, 0, 0, 0, '', "
         "'', '', '')",
         "flows of conversations"},
        {"INSERT INTO flow VALUES (1, '', '', 0, 1, 7, 0, 0, 0, 0, 0, 0, '', "
         "'', '', '')",
         "flows that cannot be played"},
        {"INSERT INTO version VALUES (1, 'u', 'a', 1, 0, 0, '', ''), "
         "(2, 'u', 'b', 1, 0, 0, '', '')",
         "scripts of which two versions serve"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[16];
        struct buf out;
        struct err e = {0};
        snprintf(name, sizeof name, "d%zu", i);
        test_note("%s", cases[i].sql);
        fill(test_path(name));
        change(test_path(name), cases[i].sql);
        buf_init(&out, 100000);
        CHECK_EQ_INT(store_verify(test_path(name), &out, NULL, NULL, &e),
                     ERR_UNPROCESSABLE);
        buf_add_char(&out, '\0');
        if (!strstr(out.data, cases[i].says))
            FAIL("not said: %s, but: %s", cases[i].says, out.data);
        CHECK(strstr(e.text, "findings") != NULL);
        buf_fini(&out);
    }
}

TEST("an erased body verifies by its kept hash, a swapped one does not")
{
    struct buf out;
    struct err e = {0};
    const char *dir = test_path("d");
    fill(dir);
    char path[4096];
    sqlite3 *db;
    sqlite3_stmt *s;
    snprintf(path, sizeof path, "%s/yuelai.db", dir);
    REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    sqlite3_prepare_v2(db, "SELECT body FROM journal WHERE pos = 50", -1, &s,
                       NULL);
    REQUIRE(sqlite3_step(s) == SQLITE_ROW);
    unsigned char hash[32];
    sha256_of(slice_of((const char *)sqlite3_column_text(s, 0)), hash);
    sqlite3_finalize(s);
    sqlite3_prepare_v2(db,
                       "UPDATE journal SET body = NULL, body_hash = ?1 "
                       "WHERE pos = 50",
                       -1, &s, NULL);
    sqlite3_bind_blob(s, 1, hash, 32, SQLITE_STATIC);
    CHECK_EQ_INT(sqlite3_step(s), SQLITE_DONE);
    buf_init(&out, 100000);
    sqlite3_finalize(s);
    sqlite3_close(db);
    CHECK_EQ_INT(store_verify(dir, &out, NULL, NULL, &e), 0);
    change(dir, "UPDATE journal SET body_hash = zeroblob(32) WHERE pos = 50");
    CHECK_EQ_INT(store_verify(dir, &out, NULL, NULL, &e), ERR_UNPROCESSABLE);
    buf_fini(&out);
}

TEST("a damaged page is found")
{
    struct buf out;
    struct err e = {0};
    const char *dir = test_path("d");
    fill(dir);
    char path[4096];
    snprintf(path, sizeof path, "%s/yuelai.db", dir);
    FILE *f = fopen(path, "r+b");
    REQUIRE(f != NULL);
    for (int page = 3; page < 40; page++) {
        if (fseek(f, page * 4096L + 20, SEEK_SET) == 0)
            fwrite("rubbish rubbish", 1, 15, f);
    }
    fclose(f);
    buf_init(&out, 100000);
    CHECK(store_verify(dir, &out, NULL, NULL, &e) < 0);
    buf_fini(&out);
}

TEST("verify refuses a folder in use and one that is none")
{
    struct world w;
    struct buf out;
    struct err e = {0};
    buf_init(&out, 1000);
    CHECK_EQ_INT(store_verify(test_path("none"), &out, NULL, NULL, &e),
                 ERR_NOT_FOUND);
    REQUIRE(world_open(&w, test_path("d")) == 0);
    CHECK_EQ_INT(store_verify(test_path("d"), &out, NULL, NULL, &e),
                 ERR_CONFLICT);
    world_close(&w);
    CHECK_EQ_INT(store_verify(test_path("d"), &out, NULL, NULL, &e), 0);
    change(test_path("d"), "PRAGMA user_version = 999");
    CHECK_EQ_INT(store_verify(test_path("d"), &out, NULL, NULL, &e),
                 ERR_UNPROCESSABLE);
    buf_fini(&out);
}

TEST("a database of a newer version is refused with a sentence, untouched")
{
    struct world w;
    fill(test_path("d"));
    change(test_path("d"), "PRAGMA user_version = 999");
    CHECK_EQ_INT(world_open(&w, test_path("d")), ERR_UNPROCESSABLE);
    CHECK(strstr(w.err.text, "newer version") != NULL);
    loop_free(w.loop);
    /* The folder is free again. */
    char back[60];
    snprintf(back, sizeof back, "PRAGMA user_version = %d",
             migrations[migrations_count - 1].number);
    change(test_path("d"), back);
    REQUIRE(world_open(&w, test_path("d")) == 0);
    CHECK_EQ_INT(store_pos(w.store), 229);
    world_close(&w);
}

TEST("what is no database is refused")
{
    struct world w;
    CHECK_EQ_INT(mkdir(test_path("d"), 0700), 0);
    test_write_file(test_path("d/yuelai.db"),
                    "this is not a database, whatever its name may say, and "
                    "it is longer than the hundred bytes of a head");
    CHECK_EQ_INT(world_open(&w, test_path("d")), ERR_INTERNAL);
    loop_free(w.loop);
}

TEST("an older folder learns when visitors last wrote, as the journal has it")
{
    struct buf out;
    struct err e = {0};
    buf_init(&out, 100000);
    fill(test_path("d"));
    change(test_path("d"), "ALTER TABLE progress DROP COLUMN heard_at; "
                           "ALTER TABLE progress DROP COLUMN said; PRAGMA x");
    REQUIRE(migrations_count >= 4 && migrations[3].number == 4);
    change(test_path("d"), migrations[3].sql);
    CHECK_EQ_INT(store_verify(test_path("d"), &out, NULL, NULL, &e), 0);
    CHECK_EQ_INT(out.len, 0);
    /* And the check is one: a figure that is not so is found. */
    change(test_path("d"), "UPDATE progress SET said = said + 1");
    CHECK(store_verify(test_path("d"), &out, NULL, NULL, &e) != 0);
    buf_fini(&out);
}
