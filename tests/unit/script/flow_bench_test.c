/* SPDX-License-Identifier: Apache-2.0 */
/* flow_bench_test.c - what a replay costs. With --bench 1 it measures long
 * enough to mean something and prints; without, it only shows the way. */
#include "flow.h"
#include <time.h>

static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static void replay(int steps)
{
    struct flowing f;
    char text[300];
    int64_t many = test_option("bench", 0) ? test_option("n", 2000) : 20;
    snprintf(text, sizeof text,
             "for i = 1, %d do\n"
             "  local m = ask('Number ' .. i .. '?') conv:reply(m.text)\n"
             "end",
             steps + 1);
    flowing_with(&f, text);
    flowing_on(&f, "start", NULL);
    for (int i = 0; i < steps; i++)
        flowing_on(&f, "reply", "an answer");
    CHECK_STATE(&f, FLOW_WAITING);
    CHECK_EQ_INT(f.row.step, steps + 1); /* and the start */
    int64_t from = cpu_us();
    for (int64_t i = 0; i < many; i++) {
        struct job *job = world_run(&f.w, flowing_job(&f, "again", NULL));
        CHECK(!job->first);
        CHECK(slice_eq(job->flow->log, f.row.log));
        job_free(job);
    }
    if (test_option("bench", 0))
        printf("replay of %d steps (log of %zu bytes): %.1f us of CPU\n", steps,
               f.row.log.len, (double)(cpu_us() - from) / (double)many);
    flowing_close(&f);
}

TEST("a flow of 0, 10 and 100 steps is played again, and stays as it was")
{
    replay(0);
    replay(10);
    replay(100);
}
