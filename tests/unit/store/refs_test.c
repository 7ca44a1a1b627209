/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of refs: nothing young is lost, nothing grows without end. */
#include "base/clock.h"
#include "base/map.h"
#include "store/refs.h"
#include "test.h"

static uint64_t hash_of(uint64_t n)
{
    return hash_bytes(&n, sizeof n);
}

static bool knows(const struct refs *r, uint64_t n, uint64_t pos)
{
    uint64_t got;
    for (struct refs_look l = {0}; (got = refs_next(r, hash_of(n), &l));)
        if (got == pos)
            return true;
    return false;
}

TEST("an empty memory knows nothing")
{
    struct refs r;
    refs_init(&r, 1000);
    CHECK(!knows(&r, 1, 1));
    CHECK_EQ_INT(refs_count(&r), 0);
    refs_fini(&r);
}

TEST("every ref is found while the table grows, at each step")
{
    struct refs r;
    refs_init(&r, 1000000);
    uint64_t n = 50000;
    for (uint64_t i = 1; i <= n; i++) {
        refs_put(&r, hash_of(i), i);
        CHECK(knows(&r, i, i));
        uint64_t old = 1 + random_u64() % i;
        if (!knows(&r, old, old)) {
            FAIL("%llu is lost after %llu", (unsigned long long)old,
                 (unsigned long long)i);
            break;
        }
    }
    for (uint64_t i = 1; i <= n; i++)
        REQUIRE(knows(&r, i, i));
    CHECK_EQ_INT(refs_count(&r), n);
    CHECK(!knows(&r, n + 1, n + 1));
    CHECK(refs_bytes(&r) <= n * 8 * 6);
    refs_fini(&r);
}

TEST("beyond the maximum the oldest go and the youngest stay")
{
    struct refs r;
    size_t max = 20000;
    refs_init(&r, max);
    for (uint64_t i = 1; i <= 10 * max; i++) {
        refs_put(&r, hash_of(i), i);
        if (refs_count(&r) > max + max / 2) {
            FAIL("%zu refs are kept", refs_count(&r));
            break;
        }
        /* Half of the maximum is always there. */
        uint64_t young = i > max / 2 ? i - max / 2 + random_u64() % (max / 2)
                                     : 1 + random_u64() % i;
        if (young && !knows(&r, young, young)) {
            FAIL("%llu of %llu is lost", (unsigned long long)young,
                 (unsigned long long)i);
            break;
        }
    }
    CHECK(refs_bytes(&r) <= max * 8 * 8);
    refs_fini(&r);
}

TEST("what lies below the floor goes when the table moves")
{
    struct refs r;
    refs_init(&r, 1000000);
    for (uint64_t i = 1; i <= 3000; i++)
        refs_put(&r, hash_of(i), i);
    refs_forget_below(&r, 2001);
    for (uint64_t i = 3001; i <= 20000; i++)
        refs_put(&r, hash_of(i), i);
    CHECK(!knows(&r, 5, 5));
    for (uint64_t i = 2001; i <= 20000; i++)
        REQUIRE(knows(&r, i, i));
    refs_fini(&r);
}

TEST("positions beyond 32 bits are kept whole")
{
    struct refs r;
    refs_init(&r, 100000);
    uint64_t far = 1ull << 40;
    for (uint64_t i = 1; i <= 5000; i++)
        refs_put(&r, hash_of(i), i);
    for (uint64_t i = 1; i <= 5000; i++)
        refs_put(&r, hash_of(far + i), far + i);
    for (uint64_t i = 1; i <= 5000; i++)
        REQUIRE(knows(&r, far + i, far + i));
    refs_fini(&r);
}
