/* SPDX-License-Identifier: Apache-2.0 */
#include "base/breaker.h"
#include "test.h"

static void call(struct breaker *b, enum breaker_outcome o, int64_t now)
{
    uint32_t t = breaker_take(b, now);
    CHECK(t != 0);
    breaker_note(b, t, o, now);
}

static void fail_times(struct breaker *b, int n, int64_t now)
{
    for (int i = 0; i < n; i++)
        call(b, BREAKER_FAILED, now);
}

TEST("a breaker opens at the fifth failure in a row and not before")
{
    struct breaker b;
    breaker_init(&b, NULL);
    fail_times(&b, 4, 1000);
    call(&b, BREAKER_WELL, 1000);
    fail_times(&b, 4, 1000);
    CHECK_EQ_INT(b.state, BREAKER_CLOSED);
    fail_times(&b, 1, 1000);
    CHECK_EQ_INT(b.state, BREAKER_OPEN);
    CHECK_EQ_INT(breaker_take(&b, 1000), 0);
    CHECK_EQ_INT(breaker_wait(&b, 1000), 10000);
    CHECK_EQ_STR(breaker_state_name(b.state), "open");
}

TEST("it opens when more than half of at least twenty calls failed")
{
    struct breaker b;
    breaker_init(&b, NULL);
    for (int i = 0; i < 10; i++) { /* 20 calls, 10 failures: not more */
        call(&b, BREAKER_FAILED, 1000 + i);
        call(&b, BREAKER_WELL, 1000 + i);
    }
    CHECK_EQ_INT(b.state, BREAKER_CLOSED);
    call(&b, BREAKER_FAILED, 1100);
    CHECK_EQ_INT(b.state, BREAKER_OPEN);
}

TEST("fewer than twenty calls say nothing about the share")
{
    struct breaker b;
    breaker_init(&b, NULL);
    for (int i = 0; i < 6; i++) {
        fail_times(&b, 2, 1000);
        call(&b, BREAKER_WELL, 1000);
    }
    CHECK_EQ_INT(b.state, BREAKER_CLOSED); /* 12 of 18 */
    fail_times(&b, 2, 1000);
    CHECK_EQ_INT(b.state, BREAKER_OPEN); /* 14 of 20 */
}

TEST("what happened more than the window ago does not count")
{
    struct breaker b;
    uint32_t calls;
    breaker_init(&b, NULL);
    for (int i = 0; i < 9; i++) {
        fail_times(&b, 1, 1000);
        call(&b, BREAKER_WELL, 1000);
    }
    CHECK_EQ_INT(breaker_failures(&b, &calls), 9);
    CHECK_EQ_INT(calls, 18);
    call(&b, BREAKER_WELL, 29000);
    breaker_failures(&b, &calls);
    CHECK_EQ_INT(calls, 19);
    fail_times(&b, 4, 32000);
    breaker_failures(&b, &calls);
    CHECK_EQ_INT(calls, 5);
    CHECK_EQ_INT(b.state, BREAKER_CLOSED);
    call(&b, BREAKER_WELL, 500000); /* far behind everything */
    breaker_failures(&b, &calls);
    CHECK_EQ_INT(calls, 1);
}

TEST("after its rest one probe goes; success closes it, all is forgotten")
{
    struct breaker b;
    breaker_init(&b, NULL);
    fail_times(&b, 5, 0);
    CHECK_EQ_INT(breaker_take(&b, 9999), 0);
    CHECK(breaker_lets(&b, 10000));
    uint32_t probe = breaker_take(&b, 10000);
    CHECK(probe != 0);
    CHECK_EQ_INT(b.state, BREAKER_HALF);
    CHECK_EQ_INT(breaker_take(&b, 10000), 0); /* one only */
    CHECK(breaker_note(&b, probe, BREAKER_WELL, 10100));
    CHECK_EQ_INT(b.state, BREAKER_CLOSED);
    fail_times(&b, 4, 10200);
    CHECK_EQ_INT(b.state, BREAKER_CLOSED);
    fail_times(&b, 1, 10200);
    CHECK_EQ_INT(breaker_wait(&b, 10200), 10000); /* not doubled */
}

TEST("each failed probe doubles the rest, up to two minutes")
{
    static const int64_t rests[] = {10000, 20000, 40000, 80000, 120000, 120000};
    struct breaker b;
    int64_t now = 0;
    breaker_init(&b, NULL);
    fail_times(&b, 5, now);
    for (int i = 0; i < 6; i++) {
        CHECK_EQ_INT(breaker_wait(&b, now), rests[i]);
        CHECK_EQ_INT(breaker_take(&b, now + rests[i] - 1), 0);
        now += rests[i];
        call(&b, BREAKER_FAILED, now);
        CHECK_EQ_INT(b.state, BREAKER_OPEN);
    }
}

TEST("a cancelled probe leaves room for the next one")
{
    struct breaker b;
    breaker_init(&b, NULL);
    fail_times(&b, 5, 0);
    call(&b, BREAKER_NOTHING, 10000);
    CHECK_EQ_INT(b.state, BREAKER_HALF);
    call(&b, BREAKER_WELL, 10001);
    CHECK_EQ_INT(b.state, BREAKER_CLOSED);
}

TEST("results of calls that began before the change have no say")
{
    struct breaker b;
    uint32_t old[10];
    breaker_init(&b, NULL);
    for (int i = 0; i < 10; i++)
        old[i] = breaker_take(&b, 0);
    for (int i = 0; i < 5; i++)
        breaker_note(&b, old[i], BREAKER_FAILED, 0);
    CHECK_EQ_INT(b.state, BREAKER_OPEN);
    CHECK(!breaker_note(&b, old[5], BREAKER_WELL, 1)); /* does not close */
    CHECK(!breaker_note(&b, old[6], BREAKER_FAILED, 1));
    CHECK_EQ_INT(breaker_wait(&b, 0), 10000); /* nor doubles */
    uint32_t probe = breaker_take(&b, 10000);
    CHECK(!breaker_note(&b, old[7], BREAKER_WELL, 10000));
    CHECK(!breaker_note(&b, old[8], BREAKER_FAILED, 10000));
    CHECK_EQ_INT(b.state, BREAKER_HALF);
    breaker_note(&b, probe, BREAKER_WELL, 10001);
    CHECK(!breaker_note(&b, old[9], BREAKER_FAILED, 10002));
    CHECK_EQ_INT(b.row, 0);
}

TEST("the numbers are settings")
{
    struct breaker b;
    breaker_init(&b, &(struct breaker_conf){
                         .in_a_row = 2, .open_ms = 50, .open_most_ms = 70});
    fail_times(&b, 2, 0);
    CHECK_EQ_INT(breaker_wait(&b, 0), 50);
    call(&b, BREAKER_FAILED, 50);
    CHECK_EQ_INT(breaker_wait(&b, 50), 70);
}

TEST("under any order of calls it is in a known state and lets go on")
{
    uint64_t seed = (uint64_t)test_option("seed", 7);
    struct breaker b;
    uint32_t held[8] = {0};
    int64_t now = 0;
    breaker_init(&b, NULL);
    for (int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned r = (unsigned)(seed >> 33);
        now += r % 500;
        uint32_t *slot = &held[r % 8];
        bool lets = breaker_lets(&b, now);
        if (!*slot) {
            *slot = breaker_take(&b, now);
            CHECK_EQ_INT(*slot != 0, lets);
        } else {
            breaker_note(&b, *slot, (enum breaker_outcome)(r / 8 % 3), now);
            *slot = 0;
        }
        CHECK(breaker_wait(&b, now) <= 120000);
    }
    for (int i = 0; i < 8; i++)
        if (held[i])
            breaker_note(&b, held[i], BREAKER_WELL, now);
    CHECK(breaker_take(&b, now + 120000) != 0); /* never shut for good */
}
