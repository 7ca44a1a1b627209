/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that is full or fails at the n-th write, for every n.
 *
 * Whatever fails and when: every transaction is answered exactly once, with
 * success or with "unavailable"; what was answered with success is there; when
 * the disk is well again the store goes on by itself; and at the end the
 * journal is dense and verifies.
 */
#include "disk.h"
#include "store_world.h"
#include <sqlite3.h>

#define GIVEN 60 /* messages per case, in bursts of 1, 2, ... */

struct attempt {
    struct world w;
    int answered[GIVEN];
    bool stored[GIVEN];
    uint64_t pos[GIVEN];
    int in_flight;
};

static void on_done(struct tx *tx)
{
    struct attempt *a = tx->owner;
    uint64_t n = tx->token;
    a->answered[n]++;
    if (tx->result == 0) {
        a->stored[n] = true;
        a->pos[n] = tx->first->pos;
    } else {
        CHECK_EQ_INT(tx->result, ERR_UNAVAILABLE);
        CHECK_EQ_INT(tx->first->pos, 0);
    }
    tx_free(tx);
    if (--a->in_flight == 0)
        loop_stop(a->w.loop);
}

static void give(struct attempt *a, uint64_t n)
{
    struct tx *tx = tx_new(on_done, a);
    world_trace(
        tx, world_message(tx, 1 + n % 7, ROLE_VISITOR, 1, (long long)n + 1));
    if (n % 10 == 0) /* the ways of a batch: events alone, with one put */
        world_conversation(tx, 1 + n % 7, 1);
    tx->token = n;
    a->in_flight++;
    store_commit(a->w.store, tx);
}

static void settle(struct attempt *a)
{
    while (a->in_flight)
        loop_run(a->w.loop);
}

static void give_all(struct attempt *a)
{
    uint64_t n = 0;
    for (uint64_t burst = 1; n < GIVEN; burst++) {
        for (uint64_t i = 0; i < burst && n < GIVEN; i++)
            give(a, n++);
        settle(a);
    }
}

/* The same refs until everyone has a success: what a client does. */
static void give_again(struct attempt *a)
{
    int64_t end = test_now_ms() + test_patience(0);
    for (uint64_t n = 0; n < GIVEN; n++) {
        while (!a->stored[n] && test_now_ms() < end) {
            give(a, n);
            settle(a);
            if (!a->stored[n])
                test_tick();
        }
        CHECK(a->stored[n]);
    }
}

static void check_end(struct attempt *a, const char *dir)
{
    struct buf out;
    struct err e = {0};
    bool seen[GIVEN + 1] = {false};
    for (int n = 0; n < GIVEN; n++) {
        REQUIRE(a->pos[n] >= 1 && a->pos[n] <= GIVEN);
        CHECK(!seen[a->pos[n]]);
        seen[a->pos[n]] = true;
    }
    buf_init(&out, 10000);
    if (!CHECK_EQ_INT(store_verify(dir, &out, NULL, NULL, &e), 0))
        FAIL("%s: %.*s", e.text, (int)out.len, out.data);
    buf_fini(&out);
    CHECK(world_traces_fit(dir));
}

static bool run_case(const char *dir, int n, int more, int code)
{
    static struct attempt a;
    a = (struct attempt){0};
    test_note("write %d and %d more fail with %d", n, more, code);
    disk_heal();
    disk_forget();
    if (!CHECK_EQ_INT(world_open(&a.w, dir), 0))
        return false;
    disk_fail(dir, n, more, code);
    give_all(&a);
    bool failed = disk_has_failed();
    for (int i = 0; i < GIVEN; i++)
        CHECK_EQ_INT(a.answered[i], 1);
    disk_heal();
    give_again(&a);
    WAIT_UNTIL(store_is_healthy(a.w.store), 5000);
    CHECK_EQ_INT(store_pos(a.w.store), GIVEN);
    world_close(&a.w);
    check_end(&a, dir);
    return failed;
}

static void every_write(int more, int code, int step)
{
    char name[32];
    disk_setup();
    bool failed = true;
    for (int n = 1; failed && n < 400; n += step) {
        snprintf(name, sizeof name, "d%d", n);
        failed = run_case(test_path(name), n, more, code);
    }
    CHECK(!failed); /* the last case ran out of writes */
}

TEST("the disk is full at one write: nothing acknowledged is lost")
{
    every_write(0, SQLITE_FULL, 3);
}

TEST("the disk stays full for a while: refused, then it goes on by itself")
{
    every_write(4, SQLITE_FULL, 7);
}

TEST("one write fails: nothing acknowledged is lost")
{
    every_write(0, SQLITE_IOERR_WRITE, 5);
}

TEST("while writing fails all are refused, and reading goes on")
{
    struct world w;
    disk_setup();
    disk_heal();
    disk_forget();
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    world_conversation(tx, 7, 3);
    world_message(tx, 7, ROLE_VISITOR, 3, 1);
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    tx_free(tx);
    disk_fail(test_path("d"), 1, 1000000, SQLITE_FULL);
    for (int i = 0; i < 20; i++) {
        tx = world_tx(&w);
        world_message(tx, 7, ROLE_VISITOR, 3, 10 + i);
        CHECK_EQ_INT(world_commit(&w, tx), ERR_UNAVAILABLE);
        tx_free(tx);
        CHECK(!store_is_healthy(w.store));
        struct query *q = world_query(&w, QUERY_MESSAGES);
        q->conv = 7;
        CHECK_EQ_INT(world_ask(&w, q), 0);
        CHECK_EQ_INT(q->total, 1);
        query_free(q);
    }
    /* Nobody sends anything: the probe finds out. */
    disk_heal();
    WAIT_UNTIL(store_is_healthy(w.store), 5000);
    world_close(&w);
}

TEST("a disk that fails while the store opens: an error, never a crash")
{
    disk_setup();
    int opened = 0;
    for (int n = 1; n < 900 && !opened; n += 2) {
        struct world w;
        char name[32];
        snprintf(name, sizeof name, "o%d", n);
        test_note("write %d", n);
        disk_heal();
        disk_forget();
        disk_fail(test_path(name), n, 0, SQLITE_FULL);
        int r = world_open(&w, test_path(name));
        bool failed = disk_has_failed();
        disk_heal();
        if (r == 0) {
            opened = !failed;
            world_close(&w);
        } else {
            CHECK(w.err.text[0] != '\0');
            loop_free(w.loop);
        }
        /* The next start finds a whole database, whatever was left. */
        CHECK_EQ_INT(world_open(&w, test_path(name)), 0);
        world_close(&w);
    }
    CHECK(opened);
}
