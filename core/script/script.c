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
#include "base/json.h"
#include "base/log.h"
#include "base/meter.h"
#include "loop/mailbox.h"
#include "script/inside.h"

#define SOURCES_MAX (16 * LIMIT_SCRIPT_BYTES)

METER(units_now, METER_GAUGE, "yuelai_scripts", "Scripts that serve.");
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
    if (conf->threads < 0 || conf->threads > WATCH_MAX)
        return err_set(e, ERR_UNPROCESSABLE, "script threads must be 1 to %d",
                       WATCH_MAX);
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
    struct worker_conf wc = {.home = conf->home_loop,
                             .dog = s->dog,
                             .script = s,
                             .depth = &s->depth,
                             .wall_ms = LIMIT_SCRIPT_WALL_MS,
                             .drain_ms = LIMIT_SCRIPT_WALL_MS};
    for (int i = 0; i < s->workers; i++)
        s->worker[i] = worker_new(&wc);
    struct builder_conf bc = {.home = s->home,
                              .home_loop = conf->home_loop,
                              .script = s,
                              .memory_bytes = conf->memory_bytes
                                                  ? (size_t)conf->memory_bytes
                                                  : LIMIT_SCRIPT_MEMORY};
    s->builder = builder_new(&bc);
    *out = s;
    return 0;
}

static void retire_unit(struct script *s, struct unit *u)
{
    timer_stop(s->every, &u->every);
    if (!u->version)
        return;
    worker_retire(u->version->worker, u->version);
    version_unref(u->version);
    u->version = NULL;
}

static void forget_unit(struct script *s, struct unit *u)
{
    map_take_text(&s->units, slice_of(u->name));
    retire_unit(s, u);
    unit_free(u);
}

void script_close(struct script *s)
{
    struct unit *u;
    struct mail *m;
    if (!s)
        return;
    s->closed = true;
    builder_free(s->builder);
    struct mailbox *ended = mailbox_new(NULL, NULL);
    for (int i = 0; i < s->workers; i++)
        worker_stop(s->worker[i], ended);
    for (int left = s->workers; left > 0;)
        for (m = mailbox_wait(ended, -1); m; m = m->next)
            left--;
    for (size_t i = 0; (u = map_next(&s->units, &i)) != NULL;)
        forget_unit(s, u);
    map_fini(&s->units);
    if (s->conf.now)
        wheel_free(s->every);
    plan_unref(s->plan);
    watchdog_stop(s->dog);
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

static bool serves(const struct unit *u)
{
    return u->version && u->state != UNIT_QUARANTINED;
}

void script_publish(struct script *s)
{
    struct unit *u;
    size_t n = 0;
    struct version **list = mem_alloc((s->units.count + 1) * sizeof(void *));
    for (size_t i = 0; (u = map_next(&s->units, &i)) != NULL;)
        if (serves(u))
            list[n++] = u->version;
    struct plan *old = s->plan;
    s->plan = plan_new(list, n);
    plan_unref(old);
    mem_free(list);
    meter_set(&units_now, (int64_t)n);
}

static int64_t every_now(const struct script *s)
{
    return s->conf.now ? s->conf.now(s->conf.arg) : loop_now(s->conf.home_loop);
}

void script_nudge(struct script *s)
{
    if (!s->conf.now)
        return;
    wheel_turn(s->every, every_now(s));
    for (int i = 0; i < s->workers; i++)
        worker_nudge(s->worker[i]);
}

static void on_every(struct timer *t)
{
    struct unit *u = container_of(t, struct unit, every);
    struct script *s = u->script;
    if (!u->version || !u->version->every_ms)
        return;
    timer_start(s->every, t, every_now(s) + u->version->every_ms);
    if (serves(u))
        s->conf.on_every(s->conf.arg, slice_of(u->name));
}

static void start_every(struct script *s, struct unit *u)
{
    timer_stop(s->every, &u->every);
    if (!u->version->every_ms)
        return;
    if (s->conf.on_every)
        timer_start(s->every, &u->every, every_now(s) + u->version->every_ms);
    else
        log_warn("script", "%s: nobody runs `every` here", u->name);
}

static struct unit *unit_for(struct script *s, struct slice name)
{
    struct unit *u = script_unit(s, name);
    if (u)
        return u;
    u = unit_new(s, name);
    timer_init(&u->every, on_every);
    u->state = UNIT_BROKEN;
    map_put_text(&s->units, slice_of(u->name), u);
    return u;
}

/* v begins to serve; takes its ref. */
static void swap(struct script *s, struct unit *u, struct version *v)
{
    uint64_t at = hash_bytes(u->name, strlen(u->name));
    struct version *old = u->version;
    unit_ref(u);
    v->unit = u;
    v->worker = s->worker[at % (uint64_t)s->workers];
    u->version = v;
    u->loaded_at = clock_ms();
    memcpy(u->text, v->text, sizeof u->text);
    meter_add(u->meters.reloads, 1);
    meter_set(u->meters.memory, (int64_t)v->budget.used);
    start_every(s, u);
    if (old) {
        worker_retire(old->worker, old);
        version_unref(old);
    }
}

/* [{"name":…,"text":…}], its own first. */
static int write_sources(const struct version *v, struct buf *out)
{
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '[');
    for (const struct source *p = v->sources; p; p = p->next) {
        jsonw_open(&w, '{');
        jsonw_put_text(&w, "name", p->name);
        jsonw_put_text(&w, "text", p->text);
        jsonw_close(&w, '}');
    }
    jsonw_close(&w, ']');
    return w.failed;
}

static void keep(struct script *s, const struct version *v)
{
    struct buf out;
    if (!s->conf.keep_version)
        return;
    buf_init(&out, SOURCES_MAX);
    if (write_sources(v, &out)) {
        log_warn("script", "the sources of %.*s are too large to be kept",
                 SLICE_FMT(v->name));
    } else {
        struct script_version row = {.unit = v->name,
                                     .version = slice_of(v->text),
                                     .state = VERSION_SERVING,
                                     .since_at = clock_ms(),
                                     .sources = buf_slice(&out)};
        s->conf.keep_version(s->conf.arg, &row);
    }
    buf_fini(&out);
}

static void apply_one(struct script *s, struct outcome_of *o)
{
    struct unit *u;
    if (o->change == CHANGE_GONE) {
        u = script_unit(s, o->name);
        log_info("script", "%.*s is gone", SLICE_FMT(o->name));
        if (u)
            forget_unit(s, u);
        return;
    }
    u = unit_for(s, o->name);
    struct version *v = o->version;
    o->version = NULL;
    if (o->change == CHANGE_LOADED) {
        unit_forget_troubles(u, false);
        u->state = UNIT_SERVING;
        swap(s, u, v);
        log_info("script", "%s serves as version %s", u->name, u->text);
        if (!o->is_kept)
            keep(s, v);
        return;
    }
    unit_forget_troubles(u, true);
    unit_note_text(u, o->trouble, true);
    if (v)
        swap(s, u, v);
    if (u->state != UNIT_QUARANTINED)
        u->state = u->version ? UNIT_LAST_GOOD : UNIT_BROKEN;
}

void script_apply(struct script *s, struct batch *b)
{
    if (b->first) {
        for (struct outcome_of *o = b->first; o; o = o->next)
            apply_one(s, o);
        script_publish(s);
        meter_note(&reload_time, clock_mono_us() - b->began_us);
        if (s->conf.on_change)
            s->conf.on_change(s->conf.arg);
    }
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

/* The kept sources by name; a lib's is that of any unit that required it. */
struct kept {
    struct arena *arena;
    struct map texts;
};

static void kept_add(struct kept *k, const struct script_version *v)
{
    struct json *list = NULL;
    if (v->state != VERSION_SERVING ||
        json_parse(k->arena, v->sources, NULL, &list) < 0)
        return;
    for (const struct json *p = list->first; p; p = p->next) {
        struct slice *text = arena_one(k->arena, struct slice);
        struct slice name = json_text(p, "name");
        *text = json_text(p, "text");
        if (name.len && !map_get_text(&k->texts, name))
            map_put_text(&k->texts, name, text);
    }
}

static struct slice last_good(void *arg, struct slice name, struct arena *a)
{
    struct kept *k = arg;
    const struct slice *text = map_get_text(&k->texts, name);
    return text ? slice_dup(a, *text) : SLICE("");
}

int script_load_all(struct script *s, const struct script_version *kept,
                    size_t count)
{
    struct kept k = {.arena = arena_new()};
    map_init(&k.texts);
    for (size_t i = 0; i < count; i++)
        kept_add(&k, &kept[i]);
    script_apply(s, builder_load_all(s->builder, last_good, &k));
    map_fini(&k.texts);
    arena_free(k.arena);
    builder_start(s->builder);
    return 0;
}

void script_changed(struct script *s, const char *const *paths, size_t n)
{
    struct unit *u;
    size_t count = 0;
    const char **again = mem_alloc((s->units.count + 1) * sizeof *again);
    for (size_t i = 0; (u = map_next(&s->units, &i)) != NULL;)
        if (u->state == UNIT_QUARANTINED)
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

void script_run(struct script *s, struct job *job)
{
    uint32_t at = 0;
    struct version *v = plan_next(s->plan, job, &at);
    job->result = 0;
    if (!v) {
        job->mail.run = on_unwanted;
        loop_post(s->conf.home_loop, &job->mail);
        return;
    }
    struct run *run = arena_one(job->arena, struct run);
    run->job = job;
    run->plan = s->plan;
    plan_ref(run->plan);
    run->at = at - 1;
    run->given_us = clock_mono_us();
    job->task = run;
    atomic_fetch_add(&s->depth, 1);
    worker_give(v->worker, job);
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
