/* SPDX-License-Identifier: Apache-2.0 */
/* bench_test.c - what scripts cost. With --bench 1 it measures long enough to
 * mean something and prints; without, it only shows that the way is open. */
#include "base/meter.h"
#include "world.h"
#include <time.h>

#define SIMPLE                                                                 \
    "return { api = 1, match = { kind = 'text' }, on_message = "               \
    "function(conv, msg)\n"                                                    \
    "  if conv.contact.tier == 'gold' then return conv:queue() end\n"          \
    "  if msg.text:find('refund', 1, true) then conv:tag 'refund' end\n"       \
    "end }"

static int64_t many(void)
{
    return test_option("bench", 0) ? test_option("n", 20000) : 200;
}

/* CPU of the whole process: the machine may have other work. */
static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static int left;

static void on_one(struct job *job)
{
    struct world *w = job->owner;
    job_free(job);
    if (--left == 0)
        loop_stop(w->loop);
}

/* CPU per event in ns, both threads, without making the job. */
static double cost(const char *rule, int rules)
{
    struct world w;
    struct arena *a = arena_new();
    char name[32];
    world_init(&w);
    for (int i = 0; i < rules; i++) {
        snprintf(name, sizeof name, "rules/%02d-x", i + 10);
        world_write(&w, name, rule);
    }
    world_open(&w);
    enum { BATCH = 200 };
    int64_t rounds = many() / BATCH, spent = 0;
    for (int64_t r = 0; r < rounds; r++) {
        struct job *jobs[BATCH];
        for (int i = 0; i < BATCH; i++) {
            jobs[i] = world_job(&w, "hello, I would like a refund please");
            jobs[i]->done = on_one;
        }
        left = BATCH;
        int64_t from = cpu_us();
        for (int i = 0; i < BATCH; i++)
            script_run(w.script, jobs[i]);
        loop_run(w.loop);
        spent += cpu_us() - from;
    }
    CHECK_EQ_INT(json_get(world_unit(&w, a, "rules/10-x"), "errors")->count, 0);
    world_close(&w);
    arena_free(a);
    return (double)spent * 1000 / (double)(rounds * BATCH);
}

TEST("an event with 1, 10 and 50 simple rules")
{
    for (int rules = 1; rules <= 50; rules = rules == 1 ? 10 : rules * 5) {
        double ns = cost(SIMPLE, rules);
        if (test_option("bench", 0))
            printf("%d rules: %.2f us of CPU an event, there and back\n", rules,
                   ns / 1000);
    }
}

TEST("script_wants for 50 rules that look for words")
{
    struct world w;
    char name[32];
    world_init(&w);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "rules/%02d-x", i + 10);
        world_write(&w, name,
                    "return { api = 1, match = { holder = 'bot', text = "
                    "{ 'refund', 'return' } }, on_message = print }");
    }
    world_open(&w);
    struct job *job = world_job(&w, "hello, where is my parcel, please?");
    for (int held = 0; held < 2; held++) {
        job->conv.state = held ? CONV_OPEN : CONV_BOT;
        int64_t from = cpu_us();
        for (int64_t i = 0; i < many(); i++)
            CHECK(!script_wants(w.script, job));
        if (test_option("bench", 0))
            printf("wants, %s: %.0f ns\n", held ? "held by an agent" : "bot",
                   (double)(cpu_us() - from) * 1000 / (double)many());
    }
    job_free(job);
    world_close(&w);
}

TEST("loading and reloading 1 and 50 rules")
{
    for (int n = 1; n <= 50; n += 49) {
        struct world w;
        char name[32], paths[50][600];
        const char *list[50];
        world_init(&w);
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "rules/%02d-x", i);
            world_write(&w, name, SIMPLE);
            snprintf(paths[i], 600, "%s/scripts/%s.lua", w.home, name);
            list[i] = paths[i];
        }
        int64_t from = cpu_us();
        world_open(&w);
        int64_t loaded = cpu_us() - from;
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "rules/%02d-x", i);
            world_write(&w, name, "-- changed\n" SIMPLE);
        }
        from = cpu_us();
        world_changed(&w, list, (size_t)n);
        if (test_option("bench", 0))
            printf("%d rules: start %.2f ms, reload %.2f ms of CPU\n", n,
                   (double)loaded / 1000, (double)(cpu_us() - from) / 1000);
        world_close(&w);
    }
}
