/* SPDX-License-Identifier: Apache-2.0 */
/* runner.c - runs a file's tests, one after the other, each in a fresh house.
 *
 * Happy path: the file is loaded into a script wing of its own (the tester),
 * tells its tests, and runs each as a job whose steps come here as asks. We
 * take a step, let the stage do it, answer, take the next. Failure modes: a
 * file that does not load is one failed test; a test that is killed (a loop,
 * too much memory) or stands still fails with what is known; an error of a
 * script in its house fails a test that passed otherwise.
 */
#include "app/testing/runner.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdio.h>

#define PATH_BYTES 4096
#define TEST_CPU_MS 1000 /* of a test, between two steps */

struct test {
    struct slice name, file;
    int line;
    bool pending;
    int64_t shared; /* number of the group whose house it shares, 0 = none */
};
struct runner {
    const struct runner_conf *conf;
    struct report *report;
    struct loop *loop;
    struct script *tester;
    struct stage stage;
    struct arena *arena; /* of a file */
    struct test *tests;
    size_t test_count;
    struct script_ask *asked[64]; /* wait for us, oldest first */
    size_t asked_count;
    bool job_done, job_failed;
    struct slice job_trouble;
    struct json *failure; /* of the test that ended, in arena; NULL = none */
    bool ended;           /* it told how it went */
};

/* --- asks of the test file ------------------------------------------------ */

static void on_ask(void *arg, struct script_ask *ask)
{
    struct runner *r = arg;
    if (ask->kind == ASK_TEST && slice_is(ask->name, "result")) {
        struct arena *a = arena_new();
        struct json *in = NULL;
        (void)json_parse(a, ask->data, NULL, &in); /* the wing wrote it */
        fakes_result(r->stage.fakes, in);
        arena_free(a);
        ask->data = SLICE("{}");
        script_answer(r->tester, ask);
        return;
    }
    if (ask->kind != ASK_TEST && r->stage.is_open) {
        stage_on_ask(&r->stage, ask);
        return;
    }
    if (r->asked_count == sizeof r->asked / sizeof r->asked[0]) {
        ask->result = err_set(&ask->err, ERR_UNAVAILABLE, "too much at once");
        script_answer(r->tester, ask);
        return;
    }
    r->asked[r->asked_count++] = ask;
    loop_stop(r->loop);
}

static void read_list(struct runner *r, const struct json *in)
{
    struct json *list = json_get(in, "tests");
    r->tests = arena_many(r->arena, struct test, (list ? list->count : 0) + 1);
    for (struct json *j = list ? list->first : NULL; j; j = j->next) {
        struct test *t = &r->tests[r->test_count++];
        t->name = slice_dup(r->arena, json_text(j, "name"));
        t->file = slice_dup(r->arena, json_text(j, "file"));
        t->line = (int)json_int(j, "line", 0);
        t->pending = json_bool(j, "pending", false);
        t->shared = json_int(j, "shared", 0);
    }
}

static struct slice written(struct arena *a, const struct json *j)
{
    struct buf out;
    buf_init(&out, STAGE_STEP_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, j);
    struct slice text = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

static void begin(struct runner *r, const struct json *in)
{
    struct json *only = json_get(in, "only");
    int64_t at = json_int(in, "at", 0);
    if (r->stage.is_open)
        return; /* a shared house is as it is */
    if (!r->stage.arena)
        r->stage.arena = arena_new();
    if (only)
        r->stage.only = written(r->stage.arena, only);
    if (at)
        stage_begin_at(at, json_text(in, "zone"));
}

static void keep_failure(struct runner *r, const struct json *in)
{
    struct json *failure = json_get(in, "failure");
    r->ended = true;
    r->failure = NULL;
    if (failure)
        (void)json_parse(r->arena, written(r->arena, failure), NULL,
                         &r->failure); /* it was JSON before */
}

/* What the step comes to: {...} or {"error":…,"more":{...}}. */
static int step(struct runner *r, const struct script_ask *ask,
                const struct json *in, struct jsonw *w, struct err *e)
{
    if (slice_is(ask->name, "list"))
        read_list(r, in);
    else if (slice_is(ask->name, "begin"))
        begin(r, in);
    else if (slice_is(ask->name, "end"))
        keep_failure(r, in);
    else
        return steps_run(&r->stage, ask->name, in, w, e);
    return 0;
}

static void write_error(struct runner *r, struct buf *out, const struct err *e)
{
    struct slice trouble = fakes_trouble(r->stage.fakes);
    struct json *told = NULL;
    struct arena *a = arena_new();
    buf_clear(out);
    struct jsonw w = jsonw_on(out);
    if (trouble.len)
        (void)json_parse(a, trouble, NULL, &told); /* ours */
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "error",
                   told ? json_text(told, "message") : slice_of(e->text));
    if (trouble.len)
        jsonw_put_raw(&w, "more", trouble);
    jsonw_close(&w, '}');
    arena_free(a);
}

static void take_step(struct runner *r, struct script_ask *ask)
{
    struct arena *a = arena_new();
    struct json *in = NULL;
    struct err e = {0};
    struct buf out;
    buf_init(&out, STAGE_STEP_BYTES);
    struct jsonw w = jsonw_on(&out);
    int got = json_parse(a, ask->data, &e, &in);
    jsonw_open(&w, '{');
    got = got ? got : step(r, ask, in, &w, &e);
    jsonw_close(&w, '}');
    if (w.failed && !got)
        got = err_set(&e, w.failed, "the answer is too large");
    bool is_end = slice_is(ask->name, "end");
    if (got || (fakes_trouble(r->stage.fakes).len && !is_end))
        write_error(r, &out, &e);
    ask->data = slice_dup(ask->arena, buf_slice(&out));
    buf_fini(&out);
    arena_free(a);
    script_answer(r->tester, ask);
}

static void take(struct runner *r, struct script_ask *ask)
{
    struct err e = {0};
    if (ask->kind == ASK_TEST) {
        take_step(r, ask);
    } else if (stage_open(&r->stage, &e)) {
        ask->result = err_set(&ask->err, ERR_UNAVAILABLE, "%s", e.text);
        script_answer(r->tester, ask);
    } else {
        stage_on_ask(&r->stage, ask);
    }
}

/* --- jobs of the test file ------------------------------------------------ */

static void on_job(struct job *job)
{
    struct runner *r = job->owner;
    r->job_done = true;
    r->job_failed = job->failures > 0 || job->result != 0;
    r->job_trouble = slice_dup(r->arena, job->trouble);
    job_free(job);
    loop_stop(r->loop);
}

static void run_job(struct runner *r, const char *what, size_t index)
{
    char data[64];
    struct job *job = job_new(HOOK_TIMER, on_job, r);
    job->unit = SLICE(SCRIPT_TEST_UNIT);
    job->what = slice_of(what);
    snprintf(data, sizeof data, "{\"index\":%zu}", index);
    job->data = slice_dup(job->arena, slice_of(data));
    job->at = clock_ms();
    r->job_done = r->ended = false;
    r->failure = NULL;
    script_run(r->tester, job);
    while (!r->job_done || r->asked_count) {
        if (!r->asked_count) {
            loop_run(r->loop);
            continue;
        }
        struct script_ask *ask = r->asked[0];
        memmove(r->asked, r->asked + 1, --r->asked_count * sizeof r->asked[0]);
        take(r, ask);
    }
}

/* --- one test ------------------------------------------------------------- */

static struct slice text_of(struct runner *r, const struct json *j,
                            const char *key)
{
    return slice_dup(r->report->arena, json_text(j, key));
}

static struct slice trace_of(struct runner *r, const struct json *j)
{
    struct json *list = json_get(j, "trace");
    struct buf out;
    int lines = 0;
    buf_init(&out, STAGE_STEP_BYTES);
    for (struct json *t = list ? list->first : NULL; t && lines < 12;
         t = t->next, lines++)
        (void)buf_addf(&out, "%s%.*s", lines ? "\n" : "", SLICE_FMT(t->text));
    struct slice text = slice_dup(r->report->arena, buf_slice(&out));
    buf_fini(&out);
    return lines > 1 ? text : SLICE(""); /* one line says where; it is told */
}

static void fill(struct runner *r, struct outcome *o, const struct json *j)
{
    o->verdict = VERDICT_FAILED;
    o->message = text_of(r, j, "message");
    o->expected = text_of(r, j, "expected");
    o->actual = text_of(r, j, "actual");
    o->at = text_of(r, j, "file");
    o->at_line = (int)json_int(j, "line", 0);
    o->trace = trace_of(r, j);
}

/* What went wrong in a script meanwhile: most likely why. */
static struct slice cause_of(struct runner *r)
{
    struct json *j = NULL;
    struct slice left = stage_errors_left(&r->stage, r->arena);
    if (left.len)
        (void)json_parse(r->arena, left, NULL, &j); /* ours */
    return text_of(r, j, "actual");
}

/* It failed by what nobody in the test asked for. */
static void judge_house(struct runner *r, struct outcome *o)
{
    struct json *j = NULL;
    struct slice trouble = fakes_trouble(r->stage.fakes);
    if (o->verdict == VERDICT_FAILED) {
        o->cause = cause_of(r);
        return;
    }
    if (!trouble.len)
        trouble = stage_errors_left(&r->stage, r->arena);
    if (trouble.len && json_parse(r->arena, trouble, NULL, &j) == 0) {
        fill(r, o, j);
        if (!o->at.len) {
            o->at = o->file;
            o->at_line = o->line;
        }
    }
}

static void judge(struct runner *r, struct outcome *o)
{
    if (r->failure) {
        fill(r, o, r->failure);
    } else if (r->job_failed || !r->ended) {
        o->verdict = VERDICT_FAILED;
        o->message = slice_dup(r->report->arena, r->job_trouble);
        if (!o->message.len)
            o->message = SLICE("the test did not end");
    }
    judge_house(r, o);
}

static void run_test(struct runner *r, const struct test *t, size_t index,
                     int64_t shared_before)
{
    struct outcome *o =
        report_add(r->report, slice_of(r->stage.test_file), t->name);
    /* One that stands in a kit is told as its test's. */
    bool own = !t->file.len || slice_eq(t->file, o->file);
    o->line = own ? t->line : 1;
    if (t->pending) {
        o->verdict = VERDICT_PENDING;
        report_tell(r->report, o);
        return;
    }
    int64_t from = clock_mono_us();
    if (!t->shared || t->shared != shared_before) {
        stage_close(&r->stage);
        clock_hold_ms(0);
        stage_begin_at(clock_ms(), SLICE("UTC"));
    }
    run_job(r, "run", index);
    judge(r, o);
    if (!t->shared)
        stage_close(&r->stage);
    o->us = clock_mono_us() - from;
    report_tell(r->report, o);
}

static bool is_filtered(const struct runner *r, const struct test *t)
{
    const char *f = r->conf->filter;
    return f && !memmem(t->name.at, t->name.len, f, strlen(f));
}

static bool stops(const struct runner *r)
{
    return r->conf->fail_fast && r->report->failed > 0;
}

/* --- one file ------------------------------------------------------------- */

static void tell_broken(struct runner *r, const char *file, struct slice why)
{
    struct outcome *o =
        report_add(r->report, slice_of(file), SLICE("the file can be loaded"));
    o->verdict = VERDICT_FAILED;
    o->message = slice_dup(r->report->arena, slice_trim(why));
    report_tell(r->report, o);
}

static int load(struct runner *r, const char *file)
{
    struct slice text;
    struct err e = {0};
    struct buf trouble;
    buf_init(&trouble, 16 * 1024);
    int got = file_read(file, r->arena, &text, &e);
    if (got)
        (void)buf_add_text(&trouble, e.text); /* it fits */
    else
        got = script_load_test(r->tester, file, text, &trouble);
    if (got)
        tell_broken(r, file, buf_slice(&trouble));
    buf_fini(&trouble);
    return got;
}

static void run_loaded(struct runner *r, const char *file)
{
    int64_t shared = 0;
    run_job(r, "list", 0);
    if (r->job_failed)
        tell_broken(r, file, r->job_trouble);
    for (size_t i = 0; i < r->test_count && !stops(r); i++) {
        const struct test *t = &r->tests[i];
        if (is_filtered(r, t))
            continue;
        run_test(r, t, i + 1, shared);
        shared = t->shared;
    }
    stage_close(&r->stage);
}

static void run_file(struct runner *r, const char *file)
{
    char home[PATH_BYTES];
    struct err e = {0};
    home_of(file, r->conf->home, home, sizeof home);
    r->arena = arena_new();
    r->tests = NULL;
    r->test_count = 0;
    stage_init(&r->stage, r->loop);
    r->stage.home = home;
    r->stage.test_file = file;
    r->stage.only_unit = r->conf->only;
    r->stage.only_source = r->conf->source;
    r->stage.record = r->conf->record;
    const struct script_conf sc = {.home = home,
                                   .home_loop = r->loop,
                                   .threads = 1,
                                   .cpu_ms = TEST_CPU_MS,
                                   .on_ask = on_ask,
                                   .arg = r};
    if (script_open(&sc, &e, &r->tester)) {
        tell_broken(r, file, slice_of(e.text));
    } else {
        r->stage.tester = r->tester;
        if (load(r, file) == 0)
            run_loaded(r, file);
        script_close(r->tester);
    }
    loop_stop(r->loop); /* what is on its way is run, and no more */
    loop_run(r->loop);
    stage_fini(&r->stage);
    arena_free(r->arena);
    clock_hold_ms(0);
}

/* --- all ------------------------------------------------------------------ */

static bool find_all(const struct runner_conf *conf, struct found *f)
{
    static const char *const folders[] = {"scripts", "channels", "ai",
                                          "examples"};
    char path[PATH_BYTES];
    bool all = true;
    for (int i = 0; i < conf->path_count; i++) {
        if (!found_add(f, conf->paths[i], !conf->no_talk)) {
            fprintf(stderr, "yuelai: there is no %s\n", conf->paths[i]);
            all = false;
        }
    }
    if (conf->path_count == 0 && conf->only) {
        snprintf(path, sizeof path, "%s/scripts/%s_test.lua", conf->home,
                 conf->only);
        (void)found_add(f, path, false); /* none is fine */
    }
    for (size_t i = 0; i < 4 && conf->path_count == 0 && !conf->only; i++) {
        snprintf(path, sizeof path, "%s/%s", conf->home, folders[i]);
        (void)found_add(f, path, !conf->no_talk); /* none is fine */
    }
    found_sort(f);
    return all;
}

static void run_all(struct runner *r, const struct found *f)
{
    for (size_t i = 0; i < f->count && !stops(r); i++) {
        if (!is_talk(f->at[i]))
            run_file(r, f->at[i]);
        else if (!r->conf->filter || strstr(f->at[i], r->conf->filter))
            talk_run(f->at[i], r->conf->home, r->report);
    }
}

static int write_reports(const struct runner_conf *conf,
                         const struct report *report)
{
    struct err e = {0};
    struct buf out;
    int r = 0;
    buf_init(&out, 64 * 1024 * 1024);
    if (conf->junit) {
        r = report_junit(report, &out);
        r = r ? err_set(&e, r, "the report is too large")
              : file_write(conf->junit, buf_slice(&out), &e);
    }
    buf_clear(&out);
    if (r == 0 && conf->json) {
        r = report_json(report, &out);
        if (r == 0)
            fwrite(out.data, 1, out.len, stdout);
    }
    buf_fini(&out);
    if (r)
        fprintf(stderr, "yuelai: %s\n", e.text);
    return r;
}

int runner_run(const struct runner_conf *conf, struct report *report)
{
    struct runner *r = mem_alloc(sizeof *r);
    struct found found = {0};
    int code = 2;
    r->conf = conf;
    r->report = report;
    stage_files_sweep();
    if (find_all(conf, &found) && loop_new("test", &r->loop) == 0) {
        run_all(r, &found);
        loop_free(r->loop);
        report_end(report);
        code = write_reports(conf, report) ? 2 : report->failed > 0;
    }
    found_fini(&found);
    mem_free(r);
    return code;
}
