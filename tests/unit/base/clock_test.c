/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "test.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

TEST("wall time is the system's, and can be shifted")
{
    int64_t now = clock_ms();
    CHECK(now / 1000 >= (int64_t)time(NULL) - 1);
    clock_shift_ms(-86400000);
    CHECK(clock_ms() < now - 86000000);
    clock_shift_ms(0);
    CHECK(clock_ms() >= now);
}

TEST("held time stands still until it is let go")
{
    clock_hold_ms(1893456000000);
    CHECK_EQ_INT(clock_ms(), 1893456000000);
    CHECK_EQ_INT(clock_ms(), 1893456000000);
    clock_hold_ms(0);
    CHECK(clock_ms() != 1893456000000);
}

TEST("ids rise strictly, also when the wall clock goes back")
{
    uint64_t last = 0;
    for (int i = 0; i < 200000; i++) {
        if (i == 100000)
            clock_shift_ms(-3600000);
        uint64_t id = id_new();
        REQUIRE(id > last);
        last = id;
    }
    clock_shift_ms(0);
    CHECK(last <= INT64_MAX);
}

TEST("an id made later, in another process too, is greater: it starts with ms")
{
    uint64_t id = id_new();
    int64_t ms = (int64_t)(id >> 21);
    CHECK(ms <= clock_ms() + 1 && ms > clock_ms() - 60000);
}

#define EACH 20000
static void *make_ids(void *arg)
{
    uint64_t *ids = arg;
    for (int i = 0; i < EACH; i++)
        ids[i] = id_new();
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

TEST("threads never get the same id")
{
    enum { THREADS = 4 };
    uint64_t *ids = malloc(sizeof *ids * THREADS * EACH);
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&t[i], NULL, make_ids, ids + i * EACH) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    qsort(ids, THREADS * EACH, sizeof *ids, by_value);
    for (int i = 1; i < THREADS * EACH; i++)
        REQUIRE(ids[i] != ids[i - 1]);
    free(ids);
}

TEST("an id goes to text and back, and text order is creation order")
{
    char a[ID_TEXT], b[ID_TEXT];
    uint64_t back = 0;
    struct slice s = id_text(a, "cv", 1);
    CHECK_SLICE(s, "cv_0000000000001");
    CHECK(id_parse(s, "cv", &back));
    CHECK_EQ_INT(back, 1);
    CHECK_SLICE(id_text(a, "ms", INT64_MAX), "ms_7zzzzzzzzzzzz");
    CHECK(id_parse(slice_of(a), "ms", &back));
    CHECK_EQ_INT(back, INT64_MAX);
    uint64_t x = id_new();
    for (int i = 0; i < 1000; i++) {
        uint64_t y = x + 1 + random_u64() % 1000000;
        id_text(a, "cv", x);
        id_text(b, "cv", y);
        CHECK(strcmp(a, b) < 0);
        CHECK(id_parse(slice_of(b), "cv", &back));
        CHECK_EQ_INT(back, y);
        x = y;
    }
}

TEST("what is not exactly an id of this kind is refused")
{
    static const char *const bad[] = {
        "",
        "cv",
        "cv_",
        "cv_000000000000",
        "cv_00000000000011",
        "ms_0000000000001",
        "CV_0000000000001",
        "cv-0000000000001",
        "cv_000000000000A",
        "cv_000000000000i",
        "cv_000000000000l",
        "cv_000000000000o",
        "cv_000000000000u",
        "cv_0000000000000",
        "cv_8000000000000",
        "cv_zzzzzzzzzzzzz",
        " cv_000000000001",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t out = 77;
        test_note("%s", bad[i]);
        CHECK(!id_parse(slice_of(bad[i]), "cv", &out));
        CHECK_EQ_INT(out, 77);
    }
    uint64_t out = 0;
    CHECK(!id_parse(SLICE("cv_000000000000\0"), "cv", &out));
}

TEST("random bytes differ and random numbers use every bit")
{
    unsigned char a[32], b[32];
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    uint64_t ones = 0, zeros = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t x = random_u64();
        ones |= x;
        zeros |= ~x;
    }
    CHECK(ones == UINT64_MAX && zeros == UINT64_MAX);
}

TEST("monotonic and CPU time do not go back")
{
    int64_t m = clock_mono_us(), c = clock_cpu_us();
    for (int i = 0; i < 1000; i++) {
        CHECK(clock_mono_us() >= m);
        m = clock_mono_us();
    }
    CHECK(clock_cpu_us() >= c);
}
