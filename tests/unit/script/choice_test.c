/* SPDX-License-Identifier: Apache-2.0 */
/* choice_test.c - which version meets a conversation. */
#include "script/load/choice.h"
#include "test.h"

static struct version *const A = (struct version *)"a";
static struct version *const B = (struct version *)"b";
static struct version *const C = (struct version *)"c";

TEST("a share of conversations is that share, and the same ones for ever")
{
    uint64_t salt = choice_salt(SLICE("rules/20-refund"));
    int in = 0, in_half = 0;
    CHECK_EQ_INT(salt, 0xbb3c95a1319fd29c);
    for (uint64_t id = 1; id <= 100000; id++) {
        in += choice_is_in(salt, id << 21, 5);
        in_half += choice_is_in(salt, id, 50);
        /* who is among five of a hundred is among fifty */
        CHECK(!choice_is_in(salt, id, 5) || choice_is_in(salt, id, 50));
    }
    CHECK(in > 4700 && in < 5300);
    CHECK(in_half > 49000 && in_half < 51000);
    CHECK(choice_salt(SLICE("rules/21-refund")) != salt);
}

TEST("a canary has its share of what begins while it is tried, nothing else")
{
    struct choice c = {.serving = A,
                       .canary = B,
                       .share = 99,
                       .canary_since = 100,
                       .canary_until = 200};
    uint64_t id = 1;
    while (!choice_is_in(c.salt, id, 99))
        id++;
    CHECK(choice_of(&c, id, 99) == A);
    CHECK(choice_of(&c, id, 100) == B);
    CHECK(choice_of(&c, id, 199) == B);
    CHECK(choice_of(&c, id, 200) == A);
    CHECK(choice_of(&c, 0, 150) == A); /* no conversation */
    while (choice_is_in(c.salt, id, 99))
        id++;
    CHECK(choice_of(&c, id, 150) == A);
}

TEST("a pinned conversation stays on the version of its time")
{
    struct choice c = {.serving = C,
                       .count = 3,
                       .terms = {{A, 100, 200}, {B, 200, 300}, {C, 300, 0}}};
    CHECK(choice_of(&c, 1, 100) == A);
    CHECK(choice_of(&c, 1, 199) == A);
    CHECK(choice_of(&c, 1, 200) == B);
    CHECK(choice_of(&c, 1, 300) == C);
    CHECK(choice_of(&c, 1, 1) == A);   /* older than all: the nearest */
    CHECK(choice_of(&c, 0, 150) == C); /* no conversation */
}

TEST("a version that came back has both its times")
{
    struct choice c = {
        .serving = A, .count = 2, .terms = {{B, 200, 300}, {A, 100, 0}}};
    CHECK(choice_of(&c, 1, 150) == A);
    CHECK(choice_of(&c, 1, 250) == B);
    CHECK(choice_of(&c, 1, 350) == A);
}

TEST("the time of a version that was refused is the serving one's")
{
    struct choice c = {
        .serving = C, .count = 2, .terms = {{A, 100, 200}, {C, 300, 0}}};
    CHECK(choice_of(&c, 1, 250) == C);
}
