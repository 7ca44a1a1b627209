/* SPDX-License-Identifier: Apache-2.0 */
/* bench_test.c - what scripts cost. With --bench 1 it measures long enough to
 * mean something and prints; without, it only shows that the way is open. */
#include "base/meter.h"
#include "world.h"
#include <dirent.h>
#include <time.h>

#define SIMPLE                                                                 \
    "return { api = 1, match = { kind = 'text' }, on_message = "               \
    "function(conv, msg)\n"                                                    \
    "  if conv.contact.tier == 'gold' then return conv:queue() end\n"          \
    "  if msg.text:find('refund', 1, true) then conv:tag 'refund' end\n"       \
    "end }"
/* Looks at the text and passes: the least that a rule does. */
#define LOOK                                                                   \
    "return { api = 1, on_message = function(conv, msg)\n"                     \
    "  if msg.text:find('refund', 1, true) then return true end\n"             \
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

/* CPU of the script thread alone. */
static int64_t script_cpu_us(void)
{
    char path[300], text[100];
    int64_t ns = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", e->d_name);
        FILE *f = fopen(path, "r");
        bool is =
            f && fgets(text, sizeof text, f) && strcmp(text, "script\n") == 0;
        if (f)
            fclose(f);
        if (!is)
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%.20s/schedstat",
                 e->d_name);
        f = fopen(path, "r");
        if (f && fgets(text, sizeof text, f))
            ns += strtoll(text, NULL, 10);
        if (f)
            fclose(f);
    }
    if (d)
        closedir(d);
    return ns / 1000;
}

static int left;

static void on_one(struct job *job)
{
    struct world *w = job->owner;
    job_free(job);
    if (--left == 0)
        loop_stop(w->loop);
}

/* CPU of the script thread per event, in us. */
static double cost(const char *rule, int rules, const char *text)
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
    int batch = (int)test_option("batch", BATCH);
    int64_t rounds = many() / batch, spent = 0;
    CHECK(batch > 0 && batch <= BATCH);
    for (int64_t r = 0; r < rounds; r++) {
        struct job *jobs[BATCH];
        for (int i = 0; i < batch; i++) {
            jobs[i] = world_job(&w, text);
            jobs[i]->done = on_one;
        }
        left = batch;
        int64_t from = script_cpu_us();
        for (int i = 0; i < batch; i++)
            script_run(w.script, jobs[i]);
        loop_run(w.loop);
        spent += script_cpu_us() - from;
    }
    CHECK_EQ_INT(json_get(world_unit(&w, a, "rules/10-x"), "errors")->count, 0);
    world_close(&w);
    arena_free(a);
    return (double)spent / (double)(rounds * batch);
}

TEST("an event with 1, 10 and 50 simple rules")
{
    for (int rules = 1; rules <= 50; rules = rules == 1 ? 10 : rules * 5) {
        if (test_option("rules", rules) != rules)
            continue; /* for a profile of one of them */
        double look = cost(LOOK, rules, "hello, where is my parcel?");
        if (test_option("look", 0)) {
            printf("%d rules: %.2f us an event that looks\n", rules, look);
            continue;
        }
        double act = cost(SIMPLE, rules, "hello, I would like a refund please");
        if (test_option("bench", 0))
            printf("%d rules: %.2f us of script thread CPU an event that "
                   "looks, %.2f that looks at the contact and tags\n",
                   rules, look, act);
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

TEST("loading and reloading 1, 50 and 200 rules")
{
    static char paths[200][600];
    for (int n = 1; n <= 200; n = n == 1 ? 50 : n * 4) {
        struct world w;
        char name[32];
        const char *list[200];
        world_init(&w);
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "rules/%03d-x", i);
            world_write(&w, name, SIMPLE);
            snprintf(paths[i], 600, "%s/scripts/%s.lua", w.home, name);
            list[i] = paths[i];
        }
        int64_t from = cpu_us();
        world_open(&w);
        int64_t loaded = cpu_us() - from;
        for (int i = 0; i < n; i++) {
            snprintf(name, sizeof name, "rules/%03d-x", i);
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
