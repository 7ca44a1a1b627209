/* SPDX-License-Identifier: Apache-2.0 */
/* The power goes: what was acknowledged is there afterwards (I1).
 *
 * The store runs on a disk that forgets unsynced writes (disk.h). Every few
 * answers the power is "cut": the surviving bytes are copied to a second
 * folder, and a store opened there must know every message that had been
 * acknowledged by then, with its position, seq and chain. The same run on a
 * disk that only pretends to sync must lose some: the test can fail.
 */
#include "disk.h"
#include "store_world.h"
#include <sqlite3.h>
#include <stdlib.h>

#define MESSAGES 3000
#define CONVS 40

struct run {
    struct world w;
    uint64_t pos_of[MESSAGES + 1]; /* acknowledged message -> position */
    uint64_t in_flight, given, acked;
};

static void on_done(struct tx *tx)
{
    struct run *r = tx->owner;
    CHECK_EQ_INT(tx->result, 0);
    CHECK_EQ_INT(r->pos_of[tx->token], 0); /* answered once */
    r->pos_of[tx->token] = tx->first->pos;
    r->acked++;
    r->in_flight--;
    tx_free(tx);
    if (r->in_flight == 0)
        loop_stop(r->w.loop);
}

static void give(struct run *r)
{
    struct tx *tx = tx_new(on_done, r);
    uint64_t n = ++r->given;
    world_trace(tx, world_message(tx, 1 + random_u64() % CONVS, ROLE_VISITOR, 1,
                                  (long long)n));
    tx->token = n;
    r->in_flight++;
    store_commit(r->w.store, tx);
}

/* How many of the acknowledged ones are not in the folder as they were. */
static int lost(const struct run *r, const char *dir)
{
    char path[4096];
    sqlite3 *db;
    sqlite3_stmt *s;
    int missing = 0;
    snprintf(path, sizeof path, "%s/yuelai.db", dir);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_prepare_v2(db,
                           "SELECT pos FROM journal WHERE ref = ?1 AND "
                           "pos = ?2",
                           -1, &s, NULL) != SQLITE_OK) {
        sqlite3_close(db);
        return (int)r->acked;
    }
    for (uint64_t n = 1; n <= r->given; n++) {
        char ref[32];
        if (!r->pos_of[n])
            continue;
        snprintf(ref, sizeof ref, "ref %llu", (unsigned long long)n);
        sqlite3_bind_text(s, 1, ref, -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 2, (sqlite3_int64)r->pos_of[n]);
        missing += sqlite3_step(s) != SQLITE_ROW;
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return missing;
}

static void remove_cut(const char *dir)
{
    static const char *const names[] = {"yuelai.db", "yuelai.db-wal",
                                        "yuelai.db-shm", "lock"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        remove(path);
    }
}

/* Opens what the cut left; returns how many acknowledged messages are lost. */
static int look_at_cut(struct run *r, uint64_t seed)
{
    const char *cut = test_path("cut");
    struct world after;
    struct buf out;
    struct err e = {0};
    test_note("--seed %llu", (unsigned long long)seed);
    remove_cut(cut);
    disk_cut(test_path("d"), cut, seed);
    if (world_open(&after, cut) != 0) {
        loop_free(after.loop);
        return (int)r->acked;
    }
    world_close(&after);
    int missing = lost(r, cut);
    buf_init(&out, 10000);
    int verified = store_verify(cut, &out, NULL, NULL, &e);
    if (verified < 0 && missing == 0)
        FAIL("%s: %.*s", e.text, (int)out.len, out.data);
    buf_fini(&out);
    CHECK(missing || !r->acked || world_traces_fit(cut));
    return missing;
}

/* Messages in bursts of every size, cuts in between and in the middle. */
static int run_with_cuts(uint64_t seed, int cuts)
{
    static struct run r;
    int missing = 0;
    r = (struct run){0};
    disk_forget();
    if (!CHECK(world_open(&r.w, test_path("d")) == 0))
        return 0;
    for (int i = 0; i < cuts && r.given + 200 < MESSAGES; i++) {
        uint64_t burst = 1 + (seed + (uint64_t)i * 37) % 90;
        for (uint64_t n = 0; n < burst; n++)
            give(&r);
        if (i % 2) { /* while the writer is at work */
            missing += look_at_cut(&r, seed + (uint64_t)i);
            loop_run(r.w.loop);
        } else {
            loop_run(r.w.loop);
            missing += look_at_cut(&r, seed + (uint64_t)i);
        }
    }
    world_close(&r.w);
    return missing;
}

TEST("no power cut loses an acknowledged message")
{
    disk_setup();
    uint64_t seed = (uint64_t)test_option("seed", 0);
    if (!seed)
        seed = random_u64() >> 32;
    CHECK_EQ_INT(run_with_cuts(seed, (int)test_option("cuts", 40)), 0);
}

TEST("on a disk that lies about syncing messages are lost: the test can fail")
{
    disk_setup();
    disk_lie(true);
    CHECK(run_with_cuts(1, 12) > 0);
    disk_lie(false);
}
