/* SPDX-License-Identifier: Apache-2.0 */
/* desk_sim_test.c - the desk in a world of trouble, seed after seed.
 *
 *     desk_sim_test                      a few hundred seeds
 *     desk_sim_test --seed 42 --trace 1  one of them, with its story
 *     desk_sim_test --seeds 5000 --from 1000 --steps 3000
 */
#include "base/log.h"
#include "test.h"
#include "world.h"

#include <stdio.h>

#define SEEDS 300
#define STEPS 1500

static void play(uint64_t seed, uint32_t steps, struct world *sum)
{
    struct world w;
    test_note("--seed %llu --steps %u", (unsigned long long)seed, steps);
    world_init(&w, seed, steps);
    if (!world_run(&w))
        FAIL("--seed %llu: %s", (unsigned long long)seed, w.why);
    uint32_t *to = (uint32_t *)&sum->did, *from = (uint32_t *)&w.did;
    for (size_t i = 0; i < sizeof(sum->did) / sizeof(*to); i++)
        to[i] += from[i];
    sum->failed |= w.failed;
    world_fini(&w);
}

static void print(const struct world *s)
{
    printf("played: %u crashes, %u messages, %u acks, %u duplicates, %u jobs, "
           "%u events told (%u backlog), %u resumed, %u started over, %u "
           "failed batches, %u acts, %u turns, %u answered, %u known, %u "
           "tools approved\n",
           s->did.crashes, s->did.messages, s->did.acks, s->did.duplicates,
           s->did.jobs, s->did.events, s->did.backlog, s->did.recovered,
           s->did.restarted, s->did.failed_batches, s->did.acts, s->did.turns,
           s->did.answers, s->did.known, s->did.approved);
}

TEST("whatever happens when, the desk keeps its promises")
{
    static struct world sum;
    log_setup(LOG_ERROR, LOG_TEXT); /* trouble is the everyday here */
    int64_t one = test_option("seed", 0);
    uint32_t steps = (uint32_t)test_option("steps", STEPS);
    int64_t from = one ? one : test_option("from", 1);
    int64_t seeds = one ? 1 : test_option("seeds", SEEDS);
    int64_t most = test_option("failures", 5), failed = 0;
    world_trace = test_option("trace", 0);
    for (int64_t i = 0; i < seeds && failed < most; i++) {
        sum.failed = false;
        play((uint64_t)(from + i), steps, &sum);
        failed += sum.failed;
    }
    print(&sum);
    if (!one && !failed) {
        CHECK(sum.did.crashes && sum.did.duplicates && sum.did.jobs);
        CHECK(sum.did.turns && sum.did.answers && sum.did.approved);
        CHECK(sum.did.known);
        CHECK(sum.did.backlog && sum.did.recovered && sum.did.failed_batches);
    }
}
