/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a house around the scripts, for their tests: a home loop, a folder
 * of files, jobs that are waited for, asks that are answered from a table. */
#pragma once
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "script/script.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    struct loop *loop;
    struct script *script;
    struct script_conf conf;
    const char *home;
    int open_jobs, changes, kept, everies;
    bool until_changed;
    struct script_ask *asked[16]; /* held back when hold is on */
    int asked_count;
    bool hold;
    struct slice (*reply)(struct script_ask *ask); /* data of an ask */
    char kept_name[8][64], kept_text[8][4000], kept_version[8][16];
};

static inline void world_done(struct job *job)
{
    struct world *w = job->owner;
    if (--w->open_jobs == 0)
        loop_stop(w->loop);
}

static inline void world_on_change(void *arg)
{
    struct world *w = arg;
    w->changes++;
    if (w->until_changed)
        loop_stop(w->loop);
}

static inline void world_answer(struct world *w, struct script_ask *ask)
{
    if (w->reply) {
        ask->data = w->reply(ask);
    } else if (ask->kind == ASK_KV_GET) {
        ask->result = ERR_NOT_FOUND;
    } else {
        ask->http->status = 200;
        ask->http->answer = SLICE("{\"ok\":true,\"big\":24283910293847123}");
        ask->http->answer_headers = SLICE("content-type: text/json\nx-a: b\n");
    }
    script_answer(w->script, ask);
}

static inline void world_on_ask(void *arg, struct script_ask *ask)
{
    struct world *w = arg;
    if (!w->hold) {
        world_answer(w, ask);
        return;
    }
    w->asked[w->asked_count++] = ask;
    loop_stop(w->loop);
}

/* Those that serve. */
static inline void world_on_keep(void *arg, const struct script_version *v)
{
    struct world *w = arg;
    int i = 0;
    if (v->state != VERSION_SERVING)
        return;
    while (i < 7 && w->kept_name[i][0] && !slice_is(v->unit, w->kept_name[i]))
        i++;
    snprintf(w->kept_name[i], 64, "%.*s", SLICE_FMT(v->unit));
    snprintf(w->kept_text[i], 4000, "%.*s", SLICE_FMT(v->sources));
    snprintf(w->kept_version[i], 16, "%.*s", SLICE_FMT(v->version));
    w->kept++;
}

static inline void world_on_every(void *arg, struct slice unit)
{
    struct world *w = arg;
    w->everies++;
}

/* name: "rules/10-a"; NULL text deletes. */
static inline void world_write(struct world *w, const char *name,
                               const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/scripts/%s.lua", w->home, name);
    if (text)
        test_write_file(path, text);
    else
        unlink(path);
}

static inline void world_init(struct world *w)
{
    static const char *const folders[] = {"scripts", "scripts/rules",
                                          "scripts/lib", "scripts/flows"};
    char path[600];
    log_setup(LOG_ERROR, LOG_TEXT);
    clock_shift_ms(0); /* what another test left behind */
    *w = (struct world){.home = test_dir()};
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", w->home, folders[i]);
        mkdir(path, 0700);
    }
    CHECK_EQ_INT(loop_new("home", &w->loop), 0);
    w->conf = (struct script_conf){.home = w->home,
                                   .home_loop = w->loop,
                                   .on_ask = world_on_ask,
                                   .on_change = world_on_change,
                                   .keep_version = world_on_keep,
                                   .on_every = world_on_every,
                                   .arg = w};
}

static inline void world_open(struct world *w)
{
    struct err e = {0};
    CHECK_EQ_INT(script_open(&w->conf, &e, &w->script), 0);
    struct script_version rows[8] = {0};
    size_t n = 0;
    for (; n < 8 && w->kept_name[n][0]; n++)
        rows[n] =
            (struct script_version){.unit = slice_of(w->kept_name[n]),
                                    .state = VERSION_SERVING,
                                    .version = slice_of(w->kept_version[n]),
                                    .sources = slice_of(w->kept_text[n])};
    CHECK_EQ_INT(script_load_all(w->script, rows, n), 0);
}

/* One rule, opened. */
static inline void world_with(struct world *w, const char *rule)
{
    world_init(w);
    world_write(w, "rules/10-a", rule);
    world_open(w);
}

static inline void world_close(struct world *w)
{
    script_close(w->script);
    loop_free(w->loop);
}

/* A visitor's message in a conversation the rules hold. */
static inline struct job *world_job(struct world *w, const char *text)
{
    struct job *job = job_new(HOOK_MESSAGE, world_done, w);
    struct buf body;
    buf_init(&body, LIMIT_BODY_BYTES);
    struct jsonw j = jsonw_on(&body);
    jsonw_open(&j, '{');
    jsonw_put_text(&j, "kind", SLICE("text"));
    jsonw_put_text(&j, "text", slice_of(text));
    jsonw_put_raw(&j, "sender",
                  SLICE("{\"role\":\"visitor\",\"id\":\"ct_1\","
                        "\"name\":\"Anna\"}"));
    jsonw_close(&j, '}');
    job->text = slice_dup(job->arena, slice_of(text));
    job->kind = SLICE("text");
    job->event = (struct event){.pos = 77,
                                .seq = 1,
                                .at = 1700000000000,
                                .name = EVENT_MESSAGE_CREATED,
                                .role = ROLE_VISITOR,
                                .conv = 5};
    job->event.body = slice_dup(job->arena, buf_slice(&body));
    job->conv = (struct conversation){.id = 5,
                                      .channel = 6,
                                      .contact = 7,
                                      .state = CONV_BOT,
                                      .tags = SLICE("[\"old\"]"),
                                      .attributes = SLICE("{\"seen\":1}"),
                                      .channel_type = SLICE("web"),
                                      .last_seq = 1,
                                      .unread = 1,
                                      .created_at = 1690000000000};
    job->contact =
        (struct contact){.id = 7, .name = SLICE("Anna"), .tier = SLICE("vip")};
    job->at = clock_ms();
    buf_fini(&body);
    return job;
}

static inline void world_give(struct world *w, struct job *job)
{
    w->open_jobs++;
    script_run(w->script, job);
}

/* Gives the job and runs the loop until it is answered. */
static inline struct job *world_run(struct world *w, struct job *job)
{
    world_give(w, job);
    while (w->open_jobs)
        loop_run(w->loop);
    return job;
}

static inline struct job *world_say(struct world *w, const char *text)
{
    return world_run(w, world_job(w, text));
}

/* Tells of changed files and waits for what comes of it. */
static inline void world_changed(struct world *w, const char *const *paths,
                                 size_t n)
{
    w->until_changed = true;
    script_changed(w->script, paths, n);
    loop_run(w->loop);
    w->until_changed = false;
}

static inline void world_rewrite(struct world *w, const char *name,
                                 const char *text)
{
    char path[600];
    const char *paths[] = {path};
    world_write(w, name, text);
    snprintf(path, sizeof path, "%s/scripts/%s.lua", w->home, name);
    world_changed(w, paths, 1);
}

/* The text of the n-th effect of that type, "" if there is none. */
static inline struct slice effect_text(const struct job *job,
                                       enum effect_type type)
{
    for (const struct effect *e = job->first; e; e = e->next)
        if (e->type == type)
            return e->text;
    return SLICE("");
}

static inline int effect_count(const struct job *job, enum effect_type type)
{
    int n = 0;
    for (const struct effect *e = job->first; e; e = e->next)
        n += e->type == type;
    return n;
}

/* What the scripts resource says, as a tree; one arena for all calls. */
static inline struct json *world_list(struct world *w, struct arena *a)
{
    struct buf out;
    struct json *j = NULL;
    buf_init(&out, 1024 * 1024);
    CHECK_EQ_INT(script_list(w->script, &out), 0);
    CHECK_EQ_INT(json_parse(a, buf_slice(&out), NULL, &j), 0);
    buf_fini(&out);
    return j;
}

static inline struct json *world_unit(struct world *w, struct arena *a,
                                      const char *name)
{
    struct json *list = world_list(w, a);
    for (struct json *u = list ? list->first : NULL; u; u = u->next)
        if (slice_is(json_text(u, "name"), name))
            return u;
    return NULL;
}

/* Its last error's message, "" if there is none. */
static inline struct slice world_error(struct world *w, struct arena *a,
                                       const char *name)
{
    struct json *u = world_unit(w, a, name), *last = NULL;
    struct json *errors = json_get(u, "errors");
    for (struct json *e = errors ? errors->first : NULL; e; e = e->next)
        last = e;
    return json_text(last, "message");
}

static inline bool contains(struct slice s, const char *text)
{
    return s.len && memmem(s.at, s.len, text, strlen(text)) != NULL;
}
