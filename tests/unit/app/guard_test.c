/* SPDX-License-Identifier: Apache-2.0 */
#include "app/guard.h"
#include "test.h"
#include <stdio.h>

TEST("a key may try so often in a window and then waits for its end")
{
    struct guard *g = guard_new(10);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_INT(guard_try(g, SLICE("a"), 1000 + i, 500, 3), 0);
    }
    CHECK_EQ_INT(guard_try(g, SLICE("a"), 1100, 500, 3), 400);
    CHECK_EQ_INT(guard_try(g, SLICE("b"), 1100, 500, 3), 0);
    CHECK_EQ_INT(guard_try(g, SLICE("a"), 1500, 500, 3), 0);
    guard_free(g);
}

TEST("a key that is forgiven begins anew")
{
    struct guard *g = guard_new(10);
    CHECK_EQ_INT(guard_try(g, SLICE("a"), 0, 500, 1), 0);
    CHECK(guard_try(g, SLICE("a"), 0, 500, 1) > 0);
    guard_forgive(g, SLICE("a"));
    guard_forgive(g, SLICE("never seen"));
    CHECK_EQ_INT(guard_try(g, SLICE("a"), 0, 500, 1), 0);
    guard_free(g);
}

TEST("once is once, until it is forgotten")
{
    struct guard *g = guard_new(10);
    CHECK(guard_once(g, SLICE("s"), 100, 50));
    CHECK(!guard_once(g, SLICE("s"), 149, 50));
    CHECK(guard_once(g, SLICE("s"), 150, 50));
    guard_free(g);
}

TEST("a flood of keys costs bounded memory and forgets the oldest first")
{
    struct guard *g = guard_new(4);
    char key[16];
    CHECK(guard_once(g, SLICE("first"), 0, 1000));
    for (int i = 0; i < 3; i++) {
        snprintf(key, sizeof key, "k%d", i);
        CHECK(guard_once(g, slice_of(key), 0, 1000));
    }
    CHECK(!guard_once(g, SLICE("first"), 1, 1000));
    CHECK(guard_once(g, SLICE("one more"), 1, 1000));
    CHECK(!guard_once(g, SLICE("k2"), 1, 1000));
    CHECK(guard_once(g, SLICE("first"), 1, 1000)); /* was pushed out */
    guard_free(g);
}
