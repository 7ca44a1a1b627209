/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "test.h"
#include <pthread.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

TEST("what an arena gives is zeroed, aligned and does not overlap")
{
    for (int round = 0; round < 3; round++) { /* chunks come back used */
        struct arena *a = arena_new();
        unsigned char *block[200];
        for (size_t i = 0; i < 200; i++) {
            size_t n = i * 7 % 300;
            block[i] = arena_alloc(a, n);
            CHECK_EQ_INT((uintptr_t)block[i] % 16, 0);
            for (size_t k = 0; k < n; k++)
                CHECK_EQ_INT(block[i][k], 0);
            memset(block[i], (int)i, n);
        }
        for (size_t i = 0; i < 200; i++)
            for (size_t k = 0; k < i * 7 % 300; k++)
                CHECK_EQ_INT(block[i][k], i);
        arena_free(a);
    }
}

TEST("a big request gets a chunk of its own and the current one stays in use")
{
    struct arena *a = arena_new();
    size_t before = arena_bytes(a);
    char *small = arena_text(a, 10);
    char *big = arena_text(a, 100000);
    memset(big, 'x', 100000);
    char *next = arena_text(a, 10);
    CHECK(next > small && next < small + 64);
    CHECK(arena_bytes(a) >= before + 100000);
    CHECK(arena_bytes(a) < before + 101000);
    arena_free(a);
}

TEST("an arena of many small things takes about what they need")
{
    struct arena *a = arena_new();
    for (int i = 0; i < 10000; i++)
        arena_alloc(a, 32);
    CHECK(arena_bytes(a) < 2 * 10000 * 48);
    arena_free(a);
}

TEST("an arena for something that waits is about as big as what it has")
{
    enum { WAITS = 700 };
    struct arena *a = arena_new_for(WAITS);
    memset(arena_alloc(a, WAITS), 1, WAITS);
    CHECK(arena_bytes(a) < WAITS + 100);
    size_t has = WAITS;
    for (int i = 0; i < 300; i++) {
        memset(arena_text(a, 50), 2, 50);
        has += 50;
        CHECK(arena_bytes(a) >= has);
        CHECK(arena_bytes(a) < 3 * has);
    }
    arena_free(a);
    a = arena_new_for(0);
    memset(arena_alloc(a, 5000), 1, 5000);
    CHECK(arena_bytes(a) < 5300);
    arena_free(a);
}

TEST("living arenas are counted")
{
    int64_t before = arena_live();
    struct arena *a = arena_new(), *b = arena_new();
    CHECK_EQ_INT(arena_live(), before + 2);
    arena_free(a);
    arena_free(b);
    arena_free(NULL);
    CHECK_EQ_INT(arena_live(), before);
}

static void *free_them(void *arg)
{
    struct arena **list = arg;
    for (int i = 0; i < 500; i++)
        arena_free(list[i]);
    for (int i = 0; i < 500; i++) {
        list[i] = arena_new();
        memset(arena_alloc(list[i], 5000), 1, 5000);
    }
    return NULL;
}

TEST("an arena may be freed on another thread than the one that made it")
{
    struct arena *list[500];
    int64_t before = arena_live();
    for (int i = 0; i < 500; i++) {
        list[i] = arena_new();
        memset(arena_alloc(list[i], 3000), 1, 3000);
    }
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, free_them, list) == 0);
    pthread_join(t, NULL);
    for (int i = 0; i < 500; i++)
        arena_free(list[i]);
    CHECK_EQ_INT(arena_live(), before);
}

#if defined(__SANITIZE_ADDRESS__)
TEST("under ASan the bytes behind an allocation are out of bounds")
{
    struct arena *a = arena_new();
    for (size_t n = 1; n < 40; n++) {
        char *p = arena_text(a, n), *q = arena_alloc(a, n);
        CHECK(!__asan_address_is_poisoned(p + n - 1));
        CHECK(__asan_address_is_poisoned(p + n));
        CHECK(!__asan_address_is_poisoned(q + n - 1));
        CHECK(__asan_address_is_poisoned(q + n));
    }
    char *big = arena_text(a, 9001);
    CHECK(__asan_address_is_poisoned(big + 9001));
    arena_free(a);
}
#endif

TEST("plain memory is zeroed and a copy of a text is its own")
{
    char *p = mem_alloc(100);
    for (int i = 0; i < 100; i++)
        CHECK_EQ_INT(p[i], 0);
    p = mem_resize(p, 1000);
    mem_free(p);
    char *s = mem_strdup("悦来");
    CHECK_EQ_STR(s, "悦来");
    mem_free(s);
    mem_free(NULL);
}
