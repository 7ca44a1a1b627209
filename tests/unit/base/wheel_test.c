/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wheel.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>

/* The model: a timer knows when it must fire, and time passes in jumps. */
struct one {
    struct timer timer;
    int64_t due; /* -1 = not running */
    int fired;   /* times */
};

static struct wheel *wheel;
static int64_t now, before, last_due, firings;
static bool wrong;

static uint64_t seed;
static uint64_t dice(uint64_t sides)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % sides;
}

static void on_fire(struct timer *t)
{
    struct one *o = container_of(t, struct one, timer);
    firings++;
    wrong |= timer_is_running(t);
    wrong |= o->due < 0;        /* was stopped */
    wrong |= o->due > now;      /* too early */
    wrong |= o->due <= before;  /* should have fired before */
    wrong |= o->due < last_due; /* out of order */
    last_due = o->due;
    o->due = -1;
    o->fired++;
}

static void start(struct one *o, int64_t due)
{
    o->due = due;
    timer_start(wheel, &o->timer, due);
}

static void turn(int64_t to)
{
    before = now;
    now = to;
    last_due = INT64_MIN;
    wheel_turn(wheel, to);
}

/* Some distance, short ones and far ones alike. */
static int64_t distance(void)
{
    return 1 + (int64_t)dice((uint64_t)1 << (1 + dice(30)));
}

TEST("a million timers fire once each, in order, neither early nor late")
{
    enum { N = 1000000 };
    struct one *all = calloc(N, sizeof *all);
    seed = (uint64_t)test_option("seed", 1);
    now = 1000000;
    wheel = wheel_new(now);
    wrong = false;
    firings = 0;
    for (int i = 0; i < N; i++) {
        timer_init(&all[i].timer, on_fire);
        start(&all[i], now + distance());
    }
    int64_t stopped = 0;
    for (int i = 0; i < N; i += 10) { /* some are stopped, some moved */
        if (dice(2)) {
            timer_stop(wheel, &all[i].timer);
            all[i].due = -1;
            stopped++;
        } else {
            start(&all[i], now + distance());
        }
    }
    CHECK_EQ_INT(wheel_count(wheel), N - stopped);
    while (wheel_count(wheel) > 0) {
        int64_t wait = wheel_next(wheel, now);
        REQUIRE(wait >= 0);
        turn(now + wait + (dice(4) ? 0 : distance()));
        REQUIRE(!wrong);
    }
    CHECK_EQ_INT(firings, N - stopped);
    CHECK_EQ_INT(wheel_next(wheel, now), -1);
    for (int i = 0; i < N; i++)
        if (all[i].due != -1 || all[i].fired > 1)
            FAIL("timer %d", i);
    wheel_free(wheel);
    free(all);
}

static struct one few[300];

/* Does to others what callbacks may do. */
static void on_fire_and_meddle(struct timer *t)
{
    on_fire(t);
    struct one *o = &few[dice(300)];
    switch (dice(4)) {
    case 0:
        timer_stop(wheel, &o->timer);
        o->due = -1;
        break;
    case 1: /* later than all that fires now, so that the order holds */
        start(o, now + distance());
        break;
    case 2: /* itself */
        start(container_of(t, struct one, timer), now + distance());
        break;
    default:
        break;
    }
}

TEST("the wheel agrees with a plain list of deadlines at every step")
{
    int64_t first = test_option("seed", 0);
    int64_t seeds = first ? 1 : 40;
    for (int64_t s = 0; s < seeds; s++) {
        seed = (uint64_t)(first ? first : s + 1);
        test_note("--seed %lld", (long long)seed);
        now = (int64_t)dice(1u << 31) << dice(9);
        wheel = wheel_new(now);
        wrong = false;
        for (int i = 0; i < 300; i++) {
            few[i] = (struct one){.due = -1};
            timer_init(&few[i].timer, on_fire_and_meddle);
        }
        for (int step = 0; step < 2000; step++) {
            struct one *o = &few[dice(300)];
            if (dice(3)) {
                start(o, now + distance());
            } else {
                timer_stop(wheel, &o->timer);
                o->due = -1;
            }
            if (dice(4) == 0)
                turn(now + distance() / (1 + (int64_t)dice(1000)));
            REQUIRE(!wrong);
            size_t running = 0;
            int64_t soonest = INT64_MAX;
            for (int i = 0; i < 300; i++) {
                if (timer_is_running(&few[i].timer) != (few[i].due >= 0))
                    FAIL("timer %d", i);
                running += few[i].due >= 0;
                if (few[i].due >= 0 && few[i].due < soonest)
                    soonest = few[i].due;
            }
            REQUIRE(wheel_count(wheel) == running);
            REQUIRE(running == 0 || soonest > now); /* none forgotten */
            int64_t next = wheel_next(wheel, now);
            REQUIRE(running ? next >= 0 && now + next <= soonest : next == -1);
        }
        wheel_free(wheel);
    }
}

static int order[10], order_n;
static void on_a(struct timer *t)
{
    (void)t;
    order[order_n++] = 1;
}

static struct timer again;
static void on_again(struct timer *t)
{
    order[order_n++] = 2;
    timer_start(wheel, t, now); /* for the present: next turn */
}

TEST("a timer started for the present or the past waits for the next turn")
{
    struct timer a;
    order_n = 0;
    now = 500;
    wheel = wheel_new(now);
    timer_init(&a, on_a);
    timer_init(&again, on_again);
    timer_start(wheel, &again, 510);
    now = 510;
    wheel_turn(wheel, now);
    CHECK_EQ_INT(order_n, 1);
    CHECK_EQ_INT(wheel_next(wheel, now), 0);
    timer_start(wheel, &a, 3);
    wheel_turn(wheel, now);
    CHECK_EQ_INT(order_n, 3);
    CHECK_EQ_INT(order[1], 2);
    CHECK_EQ_INT(order[2], 1);
    timer_stop(wheel, &again);
    timer_stop(wheel, &again);
    CHECK_EQ_INT(wheel_count(wheel), 0);
    wheel_turn(wheel, now + 100);
    CHECK_EQ_INT(order_n, 3);
    wheel_free(wheel);
}

TEST("deadlines years away wait in the overflow and still fire on their ms")
{
    struct one far[50];
    seed = 7;
    now = 12345;
    wheel = wheel_new(now);
    wrong = false;
    for (int i = 0; i < 50; i++) {
        far[i] = (struct one){.due = -1};
        timer_init(&far[i].timer, on_fire);
        start(&far[i], now + ((int64_t)1 << (20 + i % 20)) + i);
    }
    int turns = 0;
    while (wheel_count(wheel) > 0 && turns < 2000) {
        int64_t wait = wheel_next(wheel, now);
        REQUIRE(wait > 0);
        turn(now + wait - 1); /* a ms early: nothing */
        turn(now + 1);
        REQUIRE(!wrong);
        turns++;
    }
    CHECK(turns < 1000);
    for (int i = 0; i < 50; i++)
        CHECK_EQ_INT(far[i].fired, 1);
    wheel_free(wheel);
}

TEST("time that goes back changes nothing")
{
    struct timer a;
    order_n = 0;
    wheel = wheel_new(1000);
    timer_init(&a, on_a);
    timer_start(wheel, &a, 1010);
    wheel_turn(wheel, 900);
    CHECK_EQ_INT(order_n, 0);
    wheel_turn(wheel, 1010);
    CHECK_EQ_INT(order_n, 1);
    wheel_turn(wheel, 1005);
    wheel_free(wheel);
}

TEST("stopping the only timer leaves nothing to wake up for")
{
    struct timer a;
    wheel = wheel_new(0);
    timer_init(&a, on_a);
    for (int64_t due = 1; due < (int64_t)1 << 39; due *= 3) {
        timer_start(wheel, &a, due);
        CHECK(wheel_next(wheel, 0) > 0);
        timer_stop(wheel, &a);
        CHECK_EQ_INT(wheel_next(wheel, 0), -1);
    }
    wheel_free(wheel);
}
