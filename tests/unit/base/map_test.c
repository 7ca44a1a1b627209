/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>

#define KEYS 600

static uint64_t seed_of(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

TEST("a map says the same as a plain table, whatever is put and taken")
{
    uint64_t state = (uint64_t)test_option("seed", 1);
    static int values[KEYS];
    int *model[KEYS] = {0};
    size_t count = 0;
    struct map m;
    map_init(&m);
    for (int step = 0; step < 60000; step++) {
        uint64_t key = seed_of(&state) % KEYS;
        /* Seasons of growing and of shrinking. */
        bool put = seed_of(&state) % 10 < (step / 5000 % 2 ? 3 : 7);
        if (put) {
            int *v = &values[seed_of(&state) % KEYS];
            count += model[key] == NULL;
            map_put(&m, key * 0x100000001u, v);
            model[key] = v;
        } else {
            count -= model[key] != NULL;
            REQUIRE(map_take(&m, key * 0x100000001u) == model[key]);
            model[key] = NULL;
        }
        REQUIRE(m.count == count);
        key = seed_of(&state) % KEYS;
        REQUIRE(map_get(&m, key * 0x100000001u) == model[key]);
    }
    map_fini(&m);
}

TEST("text keys are found by their bytes, NUL and emptiness included")
{
    struct map m;
    int a = 1, b = 2, c = 3;
    map_init(&m);
    CHECK(map_get_text(&m, SLICE("x")) == NULL);
    map_put_text(&m, SLICE("x"), &a);
    map_put_text(&m, SLICE("x\0y"), &b);
    map_put_text(&m, (struct slice){0}, &c);
    CHECK(map_get_text(&m, SLICE("x")) == &a);
    CHECK(map_get_text(&m, SLICE("x\0y")) == &b);
    CHECK(map_get_text(&m, SLICE("")) == &c);
    map_put_text(&m, SLICE("x"), &c);
    CHECK_EQ_INT(m.count, 3);
    CHECK(map_take_text(&m, SLICE("x")) == &c);
    CHECK(map_take_text(&m, SLICE("x")) == NULL);
    CHECK(map_get_text(&m, SLICE("x\0y")) == &b);
    map_fini(&m);
}

TEST("many text keys survive growth and removal of every other one")
{
    enum { N = 5000 };
    static char keys[N][24];
    struct map m;
    map_init(&m);
    for (int i = 0; i < N; i++) {
        snprintf(keys[i], sizeof keys[i], "key-%d", i);
        map_put_text(&m, slice_of(keys[i]), keys[i]);
    }
    for (int i = 0; i < N; i += 2)
        CHECK(map_take_text(&m, slice_of(keys[i])) == keys[i]);
    for (int i = 0; i < N; i++)
        CHECK((map_get_text(&m, slice_of(keys[i])) == keys[i]) == (i % 2 == 1));
    map_fini(&m);
}

TEST("a walk sees each value once, also when it takes out the current one")
{
    for (int n = 0; n < 400; n++) {
        struct map m;
        int values[400];
        map_init(&m);
        for (int i = 0; i < n; i++) {
            values[i] = 0;
            map_put(&m, (uint64_t)i, &values[i]);
        }
        size_t at = 0;
        for (int *v; (v = map_next(&m, &at)) != NULL;) {
            (*v)++;
            if (n % 3 == 0 || (v - values) % 2)
                CHECK(map_take(&m, (uint64_t)(v - values)) == v);
        }
        test_note("%d values", n);
        for (int i = 0; i < n; i++)
            CHECK_EQ_INT(values[i], 1);
        if (n % 3 == 0)
            CHECK_EQ_INT(m.count, 0);
        map_fini(&m);
    }
}

TEST("the hash depends on every byte and on the length")
{
    char text[33] = "abcdefghijklmnopqrstuvwxyz012345";
    uint64_t whole = hash_bytes(text, 32);
    CHECK(whole == hash_bytes(text, 32));
    for (size_t i = 0; i < 32; i++) {
        text[i] ^= 1;
        CHECK(hash_bytes(text, 32) != whole);
        text[i] ^= 1;
        CHECK(hash_bytes(text, i) != whole);
    }
    CHECK(hash_bytes("\0", 1) != hash_bytes("", 0));
}

TEST("list members keep their order and can be taken out twice")
{
    struct list head, a, b, c;
    list_init(&head);
    CHECK(list_empty(&head));
    list_add_last(&head, &a);
    list_add_last(&head, &b);
    list_add_last(&head, &c);
    list_remove(&b);
    list_remove(&b);
    struct list *want[] = {&a, &c};
    size_t n = 0;
    list_each (&head, at) {
        REQUIRE(n < 2);
        CHECK(at == want[n++]);
        list_remove(at);
    }
    CHECK_EQ_INT(n, 2);
    CHECK(list_empty(&head));
}
