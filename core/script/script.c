/* SPDX-License-Identifier: Apache-2.0 */
/* script.c - the face: opening, giving jobs, taking changes, closing.
 *
 * Happy path: a job takes the published plan and goes to the thread of the
 * first unit that wants it; a batch of the builder becomes a new plan in one
 * step. Failure modes: no unit wants it: answered at once, by mail; a broken
 * file leaves the old version in the plan; after script_close what comes home
 * is freed without a word.
 */
#include "script/script.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/meter.h"
#include "loop/mailbox.h"
#include "script/command.h"
#include "script/inside.h"
#include "script/load/serving.h"

METER_US(reload_time, "yuelai_script_reload_seconds",
         "From the builder's first look to the new plan.");

/* --- life ----------------------------------------------------------------- */

void script_ref(struct script *s)
{
    atomic_fetch_add(&s->refs, 1);
}

void script_unref(struct script *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    secrets_free(atomic_load(&s->secrets));
    mem_free(s->home);
    mem_free(s);
}

static int check_conf(const struct script_conf *conf, struct err *e)
{
    if (conf->threads < 0 || conf->threads > SCRIPT_THREADS_MAX)
        return err_set(e, ERR_UNPROCESSABLE, "script threads must be 1 to %d",
                       SCRIPT_THREADS_MAX);
    if (!conf->home || !conf->home_loop)
        return err_set(e, ERR_UNPROCESSABLE, "scripts need a home");
    return 0;
}

int script_open(const struct script_conf *conf, struct err *e,
                struct script **out)
{
    *out = NULL;
    struct secrets *secrets = NULL;
    int got = check_conf(conf, e);
    if (got == 0)
        got = secrets_new(conf->secrets, NULL, e, &secrets);
    if (got < 0)
        return got;
    struct script *s = mem_alloc(sizeof *s);
    s->conf = *conf;
    s->conf.secrets = SLICE("");
    atomic_init(&s->secrets, secrets);
    s->home = mem_strdup(conf->home);
    s->conf.home = s->home;
    atomic_init(&s->refs, 1);
    map_init(&s->units);
    s->every = conf->now ? wheel_new(conf->now(conf->arg))
                         : loop_wheel(conf->home_loop);
    s->plan = plan_new(NULL, 0);
    s->dog = watchdog_open(conf->cpu_ms ? conf->cpu_ms : LIMIT_SCRIPT_CPU_MS);
    s->workers = conf->threads ? conf->threads : 1;
    s->lanes = s->workers > 1 ? lanes_open(s->dog) : NULL;
    struct worker_conf wc = {.home = conf->home_loop,
                             .dog = s->dog,
                             .lanes = s->lanes,
                             .script = s,
                             .depth = &s->depth,
                             .conf = &s->conf,
                             .drain_ms = LIMIT_SCRIPT_WALL_MS};
    for (int i = 0; i < s->workers; i++)
        s->worker[i] = worker_new(&wc);
    struct builder_conf bc = {
        .home = s->home,
        .home_loop = conf->home_loop,
        .script = s,
        .memory_bytes = conf->memory_bytes ? (size_t)conf->memory_bytes
                                           : LIMIT_SCRIPT_MEMORY,
        .run_test = conf->run_tests ? conf->run_test : NULL,
        .arg = conf->arg};
    s->builder = builder_new(&bc);
    *out = s;
    return 0;
}

void script_close(struct script *s)
{
    struct unit *u;
    struct mail *m;
    if (!s)
        return;
    for (size_t i = 0; (u = map_next(&s->units, &i)) != NULL;)
        if (u->canary)
            canary_keep(s, u->canary);
    s->closed = true;
    builder_free(s->builder);
    struct mailbox *ended = mailbox_new(NULL, NULL);
    for (int i = 0; i < s->workers; i++)
        worker_stop(s->worker[i], ended);
    script_flush(s); /* behind the stop: cancelled */
    for (int left = s->workers; left > 0;)
        for (m = mailbox_wait(ended, -1); m; m = m->next)
            left--;
    for (size_t i = 0; (u = map_next(&s->units, &i)) != NULL;)
        serving_forget(s, u);
    map_fini(&s->units);
    if (s->conf.now)
        wheel_free(s->every);
    plan_unref(s->plan);
    watchdog_stop(s->dog);
    lanes_close(s->lanes); /* its last push may look at a worker's box */
    for (int i = 0; i < s->workers; i++)
        worker_free(s->worker[i]);
    mailbox_free(ended); /* a push may look at it after it was taken from */
    watchdog_free(s->dog);
    script_unref(s);
}

/* --- units ---------------------------------------------------------------- */

struct unit *script_unit(struct script *s, struct slice name)
{
    return map_get_text(&s->units, name);
}

void script_nudge(struct script *s)
{
    if (!s->conf.now)
        return;
    wheel_turn(s->every, script_now(s));
    for (int i = 0; i < s->workers; i++)
        worker_nudge(s->worker[i]);
}

static void apply_one(struct script *s, struct batch *b, struct outcome_of *o)
{
    struct unit *u;
    struct version *v = o->version;
    if (o->change == CHANGE_GONE) {
        u = script_unit(s, o->name);
        log_info("script", "%.*s is gone", SLICE_FMT(o->name));
        if (u)
            serving_forget(s, u);
        return;
    }
    u = serving_unit(s, o->name);
    if (o->change == CHANGE_KEPT) {
        serving_restore(s, u, o);
        return;
    }
    o->version = NULL;
    if (o->change == CHANGE_LOADED)
        serving_load(s, u, v);
    else if (o->change == CHANGE_CHOSEN)
        serving_choose(s, u, v, o->text, b->command->is_mending);
    else
        serving_break(u, o->trouble, o->phase);
}

void script_apply(struct script *s, struct batch *b)
{
    if (b->first) {
        for (struct outcome_of *o = b->first; o; o = o->next)
            apply_one(s, b, o);
        script_publish(s);
        meter_note(&reload_time, clock_mono_us() - b->began_us);
        if (s->conf.on_change)
            s->conf.on_change(s->conf.arg);
    }
    struct command *c = b->command;
    b->command = NULL;
    if (c)
        command_applied(c);
    batch_free(b);
}

void script_on_batch(struct mail *m)
{
    struct batch *b = container_of(m, struct batch, mail);
    if (b->script->closed)
        batch_free(b);
    else
        script_apply(b->script, b);
}

void script_load_ahead(struct script *s)
{
    builder_load_ahead(s->builder);
}

int script_load_all(struct script *s, const struct script_version *kept,
                    size_t count)
{
    struct history h;
    history_init(&h, kept, count);
    script_apply(s, builder_load_all(s->builder, &h));
    history_fini(&h);
    builder_start(s->builder);
    return 0;
}

void script_changed(struct script *s, const char *const *paths, size_t n)
{
    struct unit *u;
    size_t count = 0;
    const char **again = mem_alloc((s->units.count + 1) * sizeof *again);
    for (size_t i = 0; (u = map_next(&s->units, &i)) != NULL;)
        if (u->ill)
            again[count++] = u->name; /* this is the command it waits for */
    builder_order(s->builder, paths, n, again, count);
    mem_free(again);
}

/* --- jobs ----------------------------------------------------------------- */

bool script_wants(const struct script *s, const struct job *job)
{
    uint32_t at = 0;
    return plan_next(s->plan, job, &at) != NULL;
}

static void on_unwanted(struct mail *m)
{
    struct job *job = container_of(m, struct job, mail);
    job->done(job);
}

/* The thread it begins on; NULL: nobody wants it, it is on its way back. */
static struct worker *send_off(struct script *s, struct job *job)
{
    uint32_t at = 0;
    struct version *v = plan_next(s->plan, job, &at);
    job->result = 0;
    if (!v) {
        job->mail.run = on_unwanted;
        loop_post(s->conf.home_loop, &job->mail);
        return NULL;
    }
    struct run *run = arena_one(job->arena, struct run);
    run->job = job;
    run->plan = s->plan;
    plan_ref(run->plan);
    run->at = at - 1;
    run->given_us = clock_mono_us();
    job->task = run;
    atomic_fetch_add(&s->depth, 1);
    return v->worker;
}

void script_run(struct script *s, struct job *job)
{
    struct worker *w = send_off(s, job);
    if (w)
        worker_give(w, job);
}

void script_queue(struct script *s, struct job *job)
{
    struct worker *w = send_off(s, job);
    if (w)
        worker_queue(w, job);
}

void script_flush(struct script *s)
{
    for (int i = 0; i < s->workers; i++)
        worker_flush(s->worker[i]);
}

int64_t script_depth(struct script *s)
{
    return atomic_load(&s->depth);
}

/* --- asks ----------------------------------------------------------------- */

void script_on_ask(struct mail *m)
{
    struct script_ask *ask = container_of(m, struct script_ask, mail);
    struct script *s = container_of(ask, struct posted_ask, ask)->script;
    if (s->closed)
        arena_free(ask->arena);
    else
        s->conf.on_ask(s->conf.arg, ask);
    script_unref(s);
}

void script_answer(struct script *s, struct script_ask *ask)
{
    worker_answer(container_of(ask, struct posted_ask, ask)->worker, ask);
}

/* --- time ----------------------------------------------------------------- */

void script_oldest(struct script *s, int64_t created_at)
{
    struct unit *u;
    for (size_t i = 0; (u = map_next(&s->units, &i)) != NULL;) {
        if (u->pinned_count)
            serving_unpin(s, u, created_at);
        if (u->canary)
            canary_keep(s, u->canary);
    }
}
