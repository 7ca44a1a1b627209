/* SPDX-License-Identifier: Apache-2.0 */
/* reload_test.c - changed, new, deleted, broken files; the last good serves. */
#include "world.h"
#include <sys/resource.h>

#define SAYS(text)                                                             \
    "return { api = 1, on_message = function(conv) conv:note '" text "' end }"

static void says(struct world *w, const char *text)
{
    struct job *job = world_say(w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), text);
    job_free(job);
}

static int64_t loads(struct world *w, const char *name)
{
    struct arena *a = arena_new();
    struct json *u = world_unit(w, a, name);
    int64_t at = json_int(u, "loaded_at", 0);
    arena_free(a);
    return at;
}

TEST("a changed file serves the next event, and its version is its text's")
{
    struct world w;
    struct arena *a = arena_new();
    world_with(&w, SAYS("one"));
    says(&w, "one");
    char first[16], second[16];
    snprintf(first, 16, "%.*s",
             SLICE_FMT(json_text(world_unit(&w, a, "rules/10-a"), "version")));
    CHECK_EQ_INT(strlen(first), 12);
    world_rewrite(&w, "rules/10-a", SAYS("two"));
    says(&w, "two");
    snprintf(second, 16, "%.*s",
             SLICE_FMT(json_text(world_unit(&w, a, "rules/10-a"), "version")));
    CHECK(strcmp(first, second) != 0);
    world_rewrite(&w, "rules/10-a", SAYS("one"));
    CHECK_SLICE(json_text(world_unit(&w, a, "rules/10-a"), "version"), first);
    world_close(&w);
    arena_free(a);
}

TEST("a broken file changes nothing but a visible error with its line")
{
    struct world w;
    struct arena *a = arena_new();
    struct err e = {0};
    world_with(&w, SAYS("one"));
    world_rewrite(&w, "rules/10-a", "return {\n  api = = 1 }");
    says(&w, "one");
    struct json *u = world_unit(&w, a, "rules/10-a");
    CHECK_SLICE(json_text(u, "state"), "last_good");
    struct json *error = json_get(u, "errors")->first;
    CHECK_EQ_INT(json_int(error, "line", 0), 2);
    CHECK_SLICE(json_text(error, "file"), "scripts/rules/10-a.lua");
    CHECK_SLICE(json_text(error, "phase"), "load");
    CHECK(!script_is_well(w.script, &e));
    CHECK(strstr(e.text, "scripts/rules/10-a.lua:2") != NULL);
    world_rewrite(&w, "rules/10-a", SAYS("two"));
    says(&w, "two");
    u = world_unit(&w, a, "rules/10-a");
    CHECK_SLICE(json_text(u, "state"), "serving");
    CHECK_EQ_INT(json_get(u, "errors")->count, 0);
    CHECK(script_is_well(w.script, &e));
    world_close(&w);
    arena_free(a);
}

TEST("new files begin to serve, deleted ones stop")
{
    struct world w;
    struct arena *a = arena_new();
    world_with(&w, SAYS("one"));
    world_rewrite(&w, "rules/05-b",
                  "return { api = 1, on_message = function(conv) conv:note "
                  "'new' return true end }");
    says(&w, "new");
    world_rewrite(&w, "rules/05-b", NULL);
    says(&w, "one");
    CHECK(world_unit(&w, a, "rules/05-b") == NULL);
    world_rewrite(&w, "rules/10-a", NULL);
    CHECK(!script_wants(w.script, &(struct job){.hook = HOOK_MESSAGE}));
    CHECK_EQ_INT(world_list(&w, a)->count, 0);
    world_close(&w);
    arena_free(a);
}

TEST("a change of a lib reloads the units that required it, and only those")
{
    struct world w;
    char folder[600];
    struct arena *a = arena_new();
    world_init(&w);
    world_write(&w, "lib/words", "return { hello = 'v1' }");
    snprintf(folder, sizeof folder, "%s/scripts/lib/deep", w.home);
    mkdir(folder, 0700);
    world_write(&w, "lib/deep/more", "return { words = require 'lib.words' }");
    world_write(&w, "rules/10-a",
                "local more = require 'lib.deep.more' return { api = 1, "
                "on_message = function(conv) conv:note(more.words.hello) end "
                "}");
    world_write(&w, "rules/20-b", SAYS("b"));
    world_open(&w);
    says(&w, "v1");
    int64_t other = loads(&w, "rules/20-b");
    clock_shift_ms(5000);
    world_rewrite(&w, "lib/words", "return { hello = 'v2' }");
    says(&w, "v2");
    CHECK_EQ_INT(loads(&w, "rules/20-b"), other);
    CHECK(loads(&w, "rules/10-a") >= other + 5000);
    world_rewrite(&w, "lib/words", "return {"); /* broken: v2 serves on */
    says(&w, "v2");
    struct json *u = world_unit(&w, a, "rules/10-a");
    CHECK_SLICE(json_text(u, "state"), "last_good");
    CHECK_SLICE(json_text(json_get(u, "errors")->first, "file"),
                "scripts/lib/words.lua");
    world_rewrite(&w, "lib/words", NULL);
    says(&w, "v2");
    world_rewrite(&w, "lib/words", "return { hello = 'v3' }");
    says(&w, "v3");
    world_close(&w);
    arena_free(a);
}

TEST("libs that require each other in a circle are refused")
{
    struct world w;
    struct arena *a = arena_new();
    world_init(&w);
    world_write(&w, "lib/a", "return require 'lib.b'");
    world_write(&w, "lib/b", "return require 'lib.a'");
    world_write(&w, "rules/10-a", "require 'lib.a' " SAYS("x"));
    world_open(&w);
    CHECK(contains(world_error(&w, a, "rules/10-a"), "circle"));
    world_close(&w);
    arena_free(a);
}

TEST("fifty files changed at once are one batch, each unit loaded once")
{
    struct world w;
    char name[32], paths[52][600];
    const char *list[52];
    struct arena *a = arena_new();
    world_init(&w);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "rules/%02d-x", i);
        world_write(&w, name, SAYS("one"));
    }
    world_open(&w);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "rules/%02d-x", i);
        world_write(&w, name, SAYS("two"));
        snprintf(paths[i], 600, "%s/scripts/%s.lua", w.home, name);
        list[i] = paths[i];
    }
    list[50] = list[7]; /* and some twice */
    list[51] = list[8];
    int changes = w.changes;
    world_changed(&w, list, 52);
    CHECK_EQ_INT(w.changes, changes + 1);
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(job->count, 50);
    for (struct effect *e = job->first; e; e = e->next)
        CHECK_SLICE(e->text, "two");
    job_free(job);
    world_close(&w);
    arena_free(a);
}

TEST("the same text again is no new version")
{
    struct world w;
    const char *twice[] = {"scripts/rules/10-a.lua", "scripts/rules/20-b.lua"};
    world_with(&w, SAYS("one"));
    int64_t at = loads(&w, "rules/10-a");
    clock_shift_ms(5000);
    world_write(&w, "rules/10-a", SAYS("one"));
    world_write(&w, "rules/20-b", SAYS("b"));
    world_changed(&w, twice, 2); /* 20-b is the news that is waited for */
    CHECK_EQ_INT(loads(&w, "rules/10-a"), at);
    world_close(&w);
}

TEST("a changed folder means a look at everything")
{
    struct world w;
    char folder[600];
    const char *paths[] = {folder};
    world_with(&w, SAYS("one"));
    snprintf(folder, sizeof folder, "%s/scripts/rules", w.home);
    world_write(&w, "rules/10-a", SAYS("two"));
    world_changed(&w, paths, 1);
    says(&w, "two");
    world_close(&w);
}

TEST("without file handles nothing is retired, and what changed comes later")
{
    struct world w;
    struct rlimit was, none;
    world_with(&w, SAYS("one"));
    world_write(&w, "rules/10-a", SAYS("two"));
    REQUIRE(getrlimit(RLIMIT_NOFILE, &was) == 0);
    none = was;
    none.rlim_cur = 0; /* what is open stays, nothing more is opened */
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    char path[600];
    const char *paths[] = {path};
    snprintf(path, sizeof path, "%s/scripts/rules/10-a.lua", w.home);
    world_changed(&w, paths, 1);
    CHECK(!script_is_well(w.script, NULL));
    script_changed(w.script, NULL, 0);
    says(&w, "one");
    REQUIRE(setrlimit(RLIMIT_NOFILE, &was) == 0);
    w.until_changed = true;
    loop_run(w.loop); /* nobody saves it again */
    w.until_changed = false;
    says(&w, "two");
    world_close(&w);
}

TEST("hidden files, tests and other endings are no scripts")
{
    struct world w;
    struct arena *a = arena_new();
    char path[600];
    world_init(&w);
    world_write(&w, "rules/.hidden", "error 'x'");
    world_write(&w, "rules/10-a_test", "error 'x'");
    snprintf(path, sizeof path, "%s/scripts/rules/10-a.lua~", w.home);
    test_write_file(path, "error 'x'");
    snprintf(path, sizeof path, "%s/scripts/rules/pipe.lua", w.home);
    mkfifo(path, 0600);
    world_write(&w, "flows/survey", SAYS("flow"));
    world_open(&w);
    struct json *list = world_list(&w, a);
    CHECK_EQ_INT(list->count, 2);
    CHECK_SLICE(json_text(list->first, "kind"), "flow");
    CHECK(contains(world_error(&w, a, "rules/pipe"), "plain file"));
    says(&w, "flow");
    world_close(&w);
    arena_free(a);
}

TEST("a handler that waits ends on the version it began with")
{
    struct world w;
    world_with(&w, "local v = 'old' return { api = 1, on_message = "
                   "function(conv) http.get 'http://x' conv:note(v) end }");
    w.hold = true;
    struct job *job = world_job(&w, "x");
    world_give(&w, job);
    loop_run(w.loop);
    w.hold = false;
    world_rewrite(&w, "rules/10-a", SAYS("new"));
    w.open_jobs = 0; /* says() waits for its own only */
    says(&w, "new");
    w.open_jobs = 1;
    world_answer(&w, w.asked[0]);
    loop_run(w.loop);
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "old");
    job_free(job);
    world_close(&w);
}

TEST("good sources are kept, with the libs they were made of")
{
    struct world w;
    world_init(&w);
    world_write(&w, "lib/words", "return 'w'");
    world_write(&w, "rules/10-a", "require 'lib.words' " SAYS("one"));
    world_write(&w, "rules/20-b", "nonsense");
    world_open(&w);
    CHECK_EQ_INT(w.kept, 1);
    CHECK_SLICE(slice_of(w.kept_name[0]), "rules/10-a");
    CHECK(contains(slice_of(w.kept_text[0]), "one"));
    CHECK(contains(slice_of(w.kept_text[0]), "lib/words"));
    world_rewrite(&w, "rules/10-a", "return 1");
    CHECK_EQ_INT(w.kept, 1);
    world_close(&w);
}

TEST("at start a broken file serves its last good version and is listed")
{
    struct world w;
    struct arena *a = arena_new();
    world_init(&w);
    snprintf(w.kept_name[0], 64, "rules/10-a");
    snprintf(w.kept_text[0], sizeof w.kept_text[0],
             "[{\"name\":\"rules/10-a\",\"text\":\"local w = require "
             "'lib.words' return { api = 1, on_message = function(conv) "
             "conv:note(w) end }\"},{\"name\":\"lib/words\",\"text\":"
             "\"return 'from before'\"}]");
    world_write(&w, "rules/10-a", "require 'lib.words' return {");
    world_write(&w, "lib/words", "return broken(");
    world_open(&w);
    says(&w, "from before");
    struct json *u = world_unit(&w, a, "rules/10-a");
    CHECK_SLICE(json_text(u, "state"), "last_good");
    CHECK_EQ_INT(json_get(u, "errors")->count, 1);
    CHECK_EQ_INT(w.kept, 0);
    world_close(&w);
    arena_free(a);
}

TEST("what is kept already is not kept again at the next start")
{
    struct world w;
    world_with(&w, SAYS("one"));
    CHECK_EQ_INT(w.kept, 1);
    script_close(w.script);
    w.kept = 0;
    world_open(&w);
    CHECK_EQ_INT(w.kept, 0);
    says(&w, "one");
    world_close(&w);
}

TEST("jobs and reloads at the same time lose nothing")
{
    struct world w;
    enum { MANY = 2000 };
    char name[32], paths[20][600];
    const char *list[20];
    world_init(&w);
    w.conf.threads = 2;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "rules/%02d-x", i);
        world_write(&w, name, SAYS("a"));
        snprintf(paths[i], 600, "%s/scripts/%s.lua", w.home, name);
        list[i] = paths[i];
    }
    world_open(&w);
    int64_t seen = 0;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof name, "rules/%02d-x", i);
            world_write(&w, name, round % 2 ? SAYS("a") : SAYS("b"));
        }
        int changes = w.changes;
        script_changed(w.script, list, 20);
        struct job *jobs[MANY / 20];
        for (int i = 0; i < MANY / 20; i++)
            world_give(&w, jobs[i] = world_job(&w, "x"));
        w.until_changed = true;
        while (w.open_jobs || w.changes == changes)
            loop_run(w.loop);
        w.until_changed = false;
        for (int i = 0; i < MANY / 20; i++) {
            /* One event meets one set of rules. */
            CHECK_EQ_INT(jobs[i]->count, 20);
            for (struct effect *e = jobs[i]->first; e; e = e->next)
                CHECK(slice_eq(e->text, jobs[i]->first->text));
            seen += jobs[i]->count;
            job_free(jobs[i]);
        }
    }
    CHECK_EQ_INT(seen, 5 * 20 * (MANY / 20));
    world_close(&w);
}
