/* SPDX-License-Identifier: Apache-2.0 */
/* lanes_test.c - several script threads: who runs where, who waits for whom,
 * and what becomes of a thread that does not come back.
 *
 * The house's clock is ours and tells threads apart: what time.now() gives a
 * script ends in the digits of the thread that asked. */
#include "world.h"
#include <pthread.h>
#include <semaphore.h>

#define NOTES "conv:note(tostring(time.now() % 100)) "
#define ON_MESSAGE(code)                                                       \
    "local time = require 'time'\n"                                            \
    "return { api = 1, on_message = function(conv, msg) " code " end }"
#define IF(word, code) "if msg.text == '" word "' then " code " end "
#define PROVEN 4 /* LEND_PROVEN */

static _Atomic int64_t base_ms;
/* What a lane does with a script that asks for the time. */
static _Atomic enum { GOES_ON, HANGS, WAITS, GOES_ON_AT_STOP } lane;
static sem_t is_there, may_go;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t known[64];
static int known_count;

static int digits(void)
{
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (strcmp(name, "script-new") == 0)
        return 1;
    if (strcmp(name, "script-slow") == 0)
        return 2;
    if (strcmp(name, "script") != 0)
        return 0;
    int i = 0;
    pthread_mutex_lock(&lock);
    while (i < known_count && !pthread_equal(known[i], pthread_self()))
        i++;
    if (i == known_count)
        known[known_count++] = pthread_self();
    pthread_mutex_unlock(&lock);
    return 10 + i;
}

static int64_t now(void *arg)
{
    int which = digits(), is = atomic_load(&lane);
    if (which == 1 && is != GOES_ON) {
        sem_post(&is_there);
        while (is == HANGS)
            pause();
        while (sem_wait(&may_go) != 0)
            ;
    }
    if (which >= 10 && is == GOES_ON_AT_STOP) {
        atomic_store(&lane, GOES_ON);
        sem_post(&may_go);
    }
    return atomic_load(&base_ms) + which;
}

static void init(struct world *w, int threads)
{
    world_init(w);
    w->conf.threads = threads;
    w->conf.now = now;
    atomic_store(&base_ms, 1000000000000);
    atomic_store(&lane, GOES_ON);
    CHECK_EQ_INT(sem_init(&is_there, 0, 0), 0);
    CHECK_EQ_INT(sem_init(&may_go, 0, 0), 0);
    known_count = 0;
}

static void pass(struct world *w, int64_t ms)
{
    atomic_fetch_add(&base_ms, ms);
    script_nudge(w->script);
}

/* The note a rule leaves about a message: where it ran. */
static int ran_at(struct world *w, const char *text)
{
    struct job *job = world_say(w, text);
    struct slice note = effect_text(job, EFFECT_NOTE);
    int at = note.len ? atoi(note.at) : -1;
    job_free(job);
    return at;
}

static void prove(struct world *w)
{
    for (int i = 0; i < PROVEN; i++)
        job_free(world_say(w, "hello"));
}

/* Runs the loop until that one is answered. */
static _Atomic int answered;
static void on_answered(struct job *job)
{
    struct world *w = job->owner;
    atomic_fetch_add(&answered, 1);
    w->open_jobs--;
    loop_stop(w->loop);
}

static struct job *give(struct world *w, const char *text)
{
    struct job *job = world_job(w, text);
    job->done = on_answered;
    world_give(w, job);
    return job;
}

static void until_answered(struct world *w, int n)
{
    while (atomic_load(&answered) < n)
        loop_run(w->loop);
}

TEST("a new script runs beside the others until it has proven itself")
{
    struct world w;
    init(&w, 2);
    world_write(&w, "rules/10-a", ON_MESSAGE(NOTES));
    world_open(&w);
    for (int i = 0; i < PROVEN; i++)
        CHECK_EQ_INT(ran_at(&w, "hello"), 1);
    int home = ran_at(&w, "hello");
    CHECK(home >= 10);
    CHECK_EQ_INT(ran_at(&w, "hello"), home);
    world_rewrite(&w, "rules/10-a", ON_MESSAGE("local again " NOTES));
    CHECK_EQ_INT(ran_at(&w, "hello"), 1);
    world_close(&w);
}

TEST("with one thread everything runs there, also what is stopped")
{
    struct world w;
    init(&w, 1);
    w.conf.cpu_ms = 30;
    world_write(&w, "rules/10-a",
                ON_MESSAGE(NOTES IF("loop", "while true do end")));
    world_open(&w);
    int home = ran_at(&w, "hello");
    CHECK(home >= 10);
    CHECK_EQ_INT(ran_at(&w, "loop"), -1);
    CHECK_EQ_INT(ran_at(&w, "hello"), home);
    world_close(&w);
}

TEST("rules share half of the threads, and a unit stays on its own")
{
    struct world w;
    enum { RULES = 12 };
    char name[32];
    int at[RULES], distinct = 0;
    init(&w, 4);
    for (int i = 0; i < RULES; i++) {
        snprintf(name, sizeof name, "rules/%02d-x", i);
        world_write(&w, name, ON_MESSAGE(NOTES));
    }
    world_open(&w);
    prove(&w);
    for (int round = 0; round < 3; round++) {
        struct job *job = world_say(&w, "hello");
        int i = 0;
        for (struct effect *e = job->first; e; e = e->next, i++) {
            int here = atoi(e->text.at);
            CHECK(here >= 10);
            if (round)
                CHECK_EQ_INT(here, at[i]); /* in order of their names, too */
            at[i] = here;
        }
        CHECK_EQ_INT(i, RULES);
        job_free(job);
    }
    for (int i = 0; i < RULES; i++) {
        bool is_first = true;
        for (int k = 0; k < i; k++)
            is_first &= at[k] != at[i];
        distinct += is_first;
    }
    CHECK_EQ_INT(distinct, 2);
    world_rewrite(&w, "rules/05-x", ON_MESSAGE("local again " NOTES));
    prove(&w);
    struct job *job = world_say(&w, "hello");
    int i = 0;
    for (struct effect *e = job->first; e; e = e->next, i++)
        CHECK_EQ_INT(atoi(e->text.at), at[i]);
    job_free(job);
    world_close(&w);
}

TEST("who was stopped is slow for a minute, then new, then like the others")
{
    struct world w;
    init(&w, 2);
    w.conf.cpu_ms = 30;
    world_write(&w, "rules/10-a",
                ON_MESSAGE(NOTES IF("loop", "while true do end")));
    world_open(&w);
    prove(&w);
    int home = ran_at(&w, "hello");
    CHECK(home >= 10);
    CHECK_EQ_INT(ran_at(&w, "loop"), -1);
    for (int i = 0; i < 2 * PROVEN; i++)
        CHECK_EQ_INT(ran_at(&w, "hello"), 2);
    pass(&w, 60000);
    for (int i = 0; i < PROVEN; i++)
        CHECK_EQ_INT(ran_at(&w, "hello"), 1);
    CHECK_EQ_INT(ran_at(&w, "hello"), home);
    world_close(&w);
}

TEST("who takes long goes beside, and the others are answered meanwhile")
{
    struct world w;
    init(&w, 2);
    w.conf.cpu_ms = 400;
    world_write(&w, "rules/10-loop",
                ON_MESSAGE(IF("loop", "while true do end")));
    world_write(&w, "rules/20-good", ON_MESSAGE(NOTES));
    world_write(&w, "rules/30-new",
                "return { api = 1, match = { text = 'loop' }, "
                "on_message = function(conv) conv:note 'new' end }");
    world_open(&w);
    prove(&w);
    atomic_store(&answered, 0);
    /* The first time on its thread: that one is held up. */
    struct job *loop = give(&w, "loop");
    until_answered(&w, 1);
    CHECK_EQ_INT(loop->failures, 1);
    job_free(loop);
    /* Two that loop beside, and it could be many more: nobody waits. */
    struct job *loops[2] = {give(&w, "loop"), give(&w, "loop")};
    world_write(&w, "rules/10-loop", NULL);
    const char *const paths[] = {"scripts/rules/10-loop.lua"};
    world_changed(&w, paths, 1);
    for (int i = 0; i < 20; i++) {
        struct job *job = give(&w, "hello");
        until_answered(&w, 2 + i);
        CHECK(atoi(effect_text(job, EFFECT_NOTE).at) >= 10);
        job_free(job);
    }
    CHECK_EQ_INT(w.open_jobs, 2);
    until_answered(&w, 23);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ_INT(loops[i]->failures, 1);
        CHECK_EQ_INT(loops[i]->count, 2);
        job_free(loops[i]);
    }
    world_close(&w);
}

TEST("a new script that is good does not wait for new ones that are not")
{
    struct world w;
    struct job *bad[3];
    char name[32], rule[200];
    init(&w, 2);
    w.conf.cpu_ms = 400;
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "rules/1%d-bad", i);
        snprintf(rule, sizeof rule,
                 "return { api = 1, match = { text = 'bad%d' }, "
                 "on_message = function() while true do end end }",
                 i);
        world_write(&w, name, rule);
    }
    world_write(&w, "rules/20-good", ON_MESSAGE(NOTES));
    world_open(&w);
    atomic_store(&answered, 0);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "bad%d", i);
        bad[i] = give(&w, name);
    }
    struct job *good = give(&w, "hello");
    until_answered(&w, 1);
    CHECK_EQ_INT(w.open_jobs, 3);
    CHECK_SLICE(effect_text(good, EFFECT_NOTE), "1");
    job_free(good);
    until_answered(&w, 4);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_INT(bad[i]->failures, 1);
        job_free(bad[i]);
    }
    world_close(&w);
}

TEST("what comes while a script is away goes through it in its order")
{
    struct world w;
    enum { MANY = 200 };
    struct job *jobs[MANY];
    char text[16];
    init(&w, 3);
    w.conf.now = NULL;    /* it waits for real */
    w.conf.cpu_ms = 2000; /* order is asked here, not time */
    world_write(&w, "rules/10-count",
                "local n = 0\n"
                "return { api = 1, on_message = function(conv, msg)\n"
                "  n = n + 1 conv:note(n) sleep '1ms'\n"
                "  local s = 0 for i = 1, 2e5 do s = s + i end\n"
                "  conv:note('after') end }");
    world_write(&w, "rules/20-next", ON_MESSAGE("conv:note(msg.text)"));
    world_open(&w);
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "m%d", i + 1);
        world_give(&w, jobs[i] = world_job(&w, text));
    }
    while (w.open_jobs)
        loop_run(w.loop);
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "m%d", i + 1);
        CHECK_EQ_INT(jobs[i]->count, 3);
        CHECK_EQ_INT(atoi(effect_text(jobs[i], EFFECT_NOTE).at), i + 1);
        CHECK_SLICE(jobs[i]->last->text, text);
        job_free(jobs[i]);
    }
    world_close(&w);
}

TEST("caches and figures are one script's, wherever it runs")
{
    struct world w;
    init(&w, 2);
    world_write(&w, "rules/10-a",
                "local time, metric = require 'time', require 'metric'\n"
                "local kept = require('cache').new { name = 'n' }\n"
                "return { api = 1, on_message = function(conv, msg)\n"
                "  local n = (kept:get 'n' or 0) + 1\n"
                "  kept:set('n', n) assert(metric.count 'seen')\n"
                "  conv:note(n .. ' ' .. kept:stats().hits) end }");
    world_open(&w);
    for (int i = 1; i <= 2 * PROVEN; i++) {
        char text[32];
        struct job *job = world_say(&w, "hello");
        snprintf(text, sizeof text, "%d %d", i, i - 1);
        CHECK_SLICE(effect_text(job, EFFECT_NOTE), text);
        job_free(job);
    }
    world_close(&w);
}

TEST("a script that is away is reloaded, and its last call ends on the old")
{
    struct world w;
    init(&w, 2);
    w.conf.cpu_ms = 300;
    world_write(&w, "rules/10-a",
                ON_MESSAGE("conv:note 'old'" IF("loop", "while true do end")));
    world_open(&w);
    atomic_store(&answered, 0);
    struct job *loop = give(&w, "loop"), *behind = give(&w, "hello");
    world_rewrite(&w, "rules/10-a", ON_MESSAGE("conv:note 'new'"));
    pass(&w, 2LL * LIMIT_SCRIPT_WALL_MS); /* the old one's waits end now */
    until_answered(&w, 2);
    CHECK_EQ_INT(loop->failures, 1);
    CHECK_SLICE(effect_text(behind, EFFECT_NOTE), "old");
    job_free(loop);
    job_free(behind);
    struct job *job = world_say(&w, "hello");
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "new");
    job_free(job);
    world_close(&w);
}

static void on_looked(void *arg, int64_t next_ms, size_t asks)
{
    struct world *w = arg;
    w->everies++;
    loop_stop(w->loop);
}

/* The clock moves on and the threads have seen it. */
static void pass_seen(struct world *w, int64_t ms)
{
    int before = w->everies;
    pass(w, ms);
    script_look(w->script, on_looked, w);
    while (w->everies == before)
        loop_run(w->loop);
}

TEST("the house stops while scripts are away: what they had is answered")
{
    struct world w;
    struct job *jobs[4];
    init(&w, 2);
    world_write(&w, "rules/10-a", ON_MESSAGE("conv:note 'x' time.now()"));
    world_open(&w);
    atomic_store(&lane, WAITS);
    for (int i = 0; i < 4; i++)
        world_give(&w, jobs[i] = world_job(&w, "hello"));
    while (sem_wait(&is_there) != 0)
        ;
    pass_seen(&w, 1); /* the worker sleeps then, until it is told to stop */
    atomic_store(&lane, GOES_ON_AT_STOP);
    script_close(w.script);
    while (w.open_jobs)
        loop_run(w.loop);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ_INT(jobs[i]->result, ERR_CANCELLED);
        job_free(jobs[i]);
    }
    loop_free(w.loop);
}

TEST("a thread that does not come back is replaced, and only its script is off")
{
    struct world w;
    struct arena *a = arena_new();
    init(&w, 2);
    w.hold = true;
    world_write(&w, "rules/10-a",
                ON_MESSAGE("conv:note 'forgotten' require('kv').get 'k' " IF(
                    "hang", "time.now()")));
    world_write(&w, "rules/20-good", ON_MESSAGE("conv:note 'good'"));
    world_open(&w);
    atomic_store(&answered, 0);
    struct job *waiting = give(&w, "hello"), *hung = give(&w, "hang");
    while (w.asked_count < 2)
        loop_run(w.loop);
    atomic_store(&lane, HANGS);
    world_answer(&w, w.asked[1]);
    while (sem_wait(&is_there) != 0)
        ;
    atomic_store(&lane, GOES_ON);
    world_answer(&w, w.asked[0]);
    struct job *held = give(&w, "hello");
    for (int i = 0; i < 3; i++) /* seen, seen again, lost */
        pass_seen(&w, 5000);
    until_answered(&w, 3);
    struct job *all[] = {waiting, hung, held};
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_INT(all[i]->result, 0);
        CHECK_SLICE(effect_text(all[i], EFFECT_NOTE), "good");
        CHECK_EQ_INT(all[i]->count, 1);
        job_free(all[i]);
    }
    CHECK_SLICE(json_text(world_unit(&w, a, "rules/10-a"), "state"),
                "quarantined");
    CHECK(contains(world_error(&w, a, "rules/10-a"), "did not come back"));
    world_rewrite(&w, "rules/10-a", ON_MESSAGE(NOTES));
    CHECK_EQ_INT(ran_at(&w, "hello"), 1); /* where the other one hangs */
    arena_free(a);
    world_close(&w);
}
