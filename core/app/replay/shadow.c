/* SPDX-License-Identifier: Apache-2.0 */
/* shadow.c - the scripts of today in a house that only looks.
 *
 * Happy path: the clock stands at the moment of the job; the job runs; while
 * it waits for time, time is moved on; what it asks of the house is answered
 * from the database, read only, and from what replayed jobs have written
 * (kept here, never stored). With --script the scripts are copied into a
 * folder of their own, the one of that name replaced. Failure modes: scripts
 * that are not well are refused; calls to other servers are answered
 * "unavailable" unless a fixture fits; a job that never ends is an error.
 */
#include "app/asks.h"
#include "app/replay/replay.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/store.h"
#include <dirent.h>
#include <stdio.h>

#define RUN_REAL_MS 30000
#define NAP_MS 2
#define FIXTURES_MOST 1000
#define FAILURES_MOST 1000000000 /* every failure is to be seen */

struct cell {         /* a value that a replayed job wrote */
    struct slice key; /* unit, NUL, key; owned */
    struct buf value;
    int64_t expires_at;
    bool gone;
};
struct fixture {
    struct slice method, url;
    struct json *answer;
};
struct shadow {
    struct loop *loop;
    struct server *server; /* for what is asked of the house: it only looks */
    struct stage stage;    /* folder of copied scripts; whose fakes answer */
    const char *data;
    char unit[300], source[4096];
    struct map cells; /* by key */
    struct fixture *fixtures;
    size_t fixture_count;
    struct arena *arena; /* of the fixtures */
    uint32_t refused;
    bool done, looked;
    int64_t next;
    size_t asks;
    struct timer nap;
};

/* --- values --------------------------------------------------------------- */

static struct slice cell_key(struct arena *a, struct slice unit,
                             struct slice key)
{
    char *at = arena_text(a, unit.len + key.len + 1);
    memcpy(at, unit.at, unit.len);
    at[unit.len] = '\0';
    memcpy(at + unit.len + 1, key.at, key.len);
    return (struct slice){at, unit.len + key.len + 1};
}

static void cell_put(struct shadow *s, struct arena *a, struct slice unit,
                     struct slice key, struct slice value, int64_t expires_at)
{
    struct slice name = cell_key(a, unit, key);
    struct cell *c = map_get_text(&s->cells, name);
    if (!c) {
        c = mem_alloc(sizeof *c);
        char *copy = mem_alloc(name.len);
        memcpy(copy, name.at, name.len);
        c->key = (struct slice){copy, name.len};
        buf_init(&c->value, LIMIT_KV_VALUE);
        map_put_text(&s->cells, c->key, c);
    }
    buf_clear(&c->value);
    c->gone = !value.len || buf_add_slice(&c->value, value) != 0;
    c->expires_at = expires_at;
}

/* As the replayed jobs left it, else as it is stored now. */
static int value_of(struct shadow *s, struct script_ask *ask,
                    struct slice *value)
{
    const struct cell *c =
        map_get_text(&s->cells, cell_key(ask->arena, ask->unit, ask->name));
    bool over = c && c->expires_at && c->expires_at <= clock_ms();
    *value = SLICE("");
    if (!c) {
        return store_peek_kv(s->data, ask->unit, ask->name, ask->arena, value,
                             &ask->err);
    }
    if (c->gone || over) {
        return err_set(&ask->err, ERR_NOT_FOUND, "there is no such key");
    }
    *value = slice_dup(ask->arena, buf_slice(&c->value));
    return 0;
}

static void keep_values(struct shadow *s, const struct job *job)
{
    for (const struct effect *e = job->first; e; e = e->next) {
        if (e->type == EFFECT_KV_SET) {
            cell_put(s, job->arena, e->unit, e->name, e->data, e->number);
        } else if (e->type == EFFECT_KV_DEL) {
            cell_put(s, job->arena, e->unit, e->name, SLICE(""), 0);
        }
    }
}

static void swap(struct shadow *s, struct script_ask *ask)
{
    struct slice now;
    int r = value_of(s, ask, &now);
    if (r && r != ERR_NOT_FOUND) {
        ask->result = r;
    } else if (!slice_eq(now, ask->was)) {
        ask->result = err_set(&ask->err, ERR_CONFLICT, "it has another value");
        ask->data = now;
    } else {
        cell_put(s, ask->arena, ask->unit, ask->name, ask->data, ask->number);
        ask->result = 0;
    }
}

/* --- other servers -------------------------------------------------------- */

static const struct fixture *find_fixture(struct shadow *s,
                                          const struct script_ask *ask)
{
    struct slice url = fixture_url(&s->stage, ask->arena, ask->http->url);
    for (size_t i = 0; i < s->fixture_count; i++) {
        const struct fixture *f = &s->fixtures[i];
        if (slice_eq(f->method, ask->http->method) && slice_eq(f->url, url)) {
            return f;
        }
    }
    return NULL;
}

static void ask_http(struct shadow *s, struct script_ask *ask)
{
    const struct fixture *f = find_fixture(s, ask);
    if (f) {
        fakes_answer(s->stage.fakes, ask, f->answer);
        return;
    }
    s->refused++;
    asks_refuse(s->server, ask, ERR_UNAVAILABLE,
                "a replay calls no other server; --fixtures DIR has answers "
                "that were recorded");
}

static void on_ask(void *arg, struct script_ask *ask)
{
    struct shadow *s = arg;
    switch (ask->kind) {
    case ASK_HTTP:
    case ASK_STREAM:
        ask_http(s, ask);
        return;
    case ASK_STREAM_NEXT:
    case ASK_STREAM_END:
        if (!fakes_take(s->stage.fakes, ask)) {
            asks_refuse(s->server, ask, ERR_NOT_FOUND, "no such stream");
        }
        return;
    case ASK_KV_GET:
    case ASK_ONCE:
        ask->result = value_of(s, ask, &ask->data);
        break;
    case ASK_KV_SWAP:
        swap(s, ask);
        break;
    case ASK_ONCE_DONE:
        if (ask->data.len) {
            cell_put(s, ask->arena, ask->unit, ask->name, ask->data,
                     ask->number > 0 ? clock_ms() + ask->number : 0);
        }
        ask->result = 0;
        break;
    case ASK_KV_KEYS:
    case ASK_LOOKUP:
        asks_on_ask(s->server, ask);
        return;
    default:
        asks_refuse(s->server, ask, ERR_UNAVAILABLE,
                    "not to be had in a replay");
        return;
    }
    asks_answer(s->server, ask);
}

/* --- a run ---------------------------------------------------------------- */

static void on_job(struct job *job)
{
    struct shadow *s = job->owner;
    s->done = true;
    loop_stop(s->loop);
}

static void on_look(void *arg, int64_t next_ms, size_t asks)
{
    struct shadow *s = arg;
    s->next = next_ms;
    s->asks = asks;
    s->looked = true;
    loop_stop(s->loop);
}

static void on_nap(struct timer *t)
{
    struct shadow *s = container_of(t, struct shadow, nap);
    loop_stop(s->loop);
}

static void nap(struct shadow *s)
{
    timer_start(loop_wheel(s->loop), &s->nap, loop_now(s->loop) + NAP_MS);
    loop_run(s->loop);
    timer_stop(loop_wheel(s->loop), &s->nap);
}

int shadow_run(struct shadow *s, struct job *job, struct err *e)
{
    int64_t until = clock_mono_us() / 1000 + RUN_REAL_MS;
    clock_hold_ms(job->at);
    s->done = false;
    job->done = on_job;
    job->owner = s;
    script_run(s->server->script, job);
    while (!s->done) {
        s->looked = false;
        script_look(s->server->script, on_look, s);
        while (!s->looked) {
            loop_run(s->loop);
        }
        if (s->done) {
            break;
        }
        if (s->asks == 0 && s->next >= 0) {
            clock_hold_ms(clock_ms() + (s->next > 0 ? s->next : 1));
            script_nudge(s->server->script);
        } else {
            nap(s);
        }
        if (clock_mono_us() / 1000 > until) {
            return err_set(e, ERR_TIMEOUT,
                           "a script did not end within %d s of a replayed "
                           "message",
                           RUN_REAL_MS / 1000);
        }
    }
    if (job->result == 0) {
        keep_values(s, job);
    }
    return 0;
}

bool shadow_wants(const struct shadow *s, const struct job *job)
{
    return script_wants(s->server->script, job);
}

uint32_t shadow_refused(const struct shadow *s)
{
    return s->refused;
}

/* --- open and close ------------------------------------------------------- */

static int add_fixtures(struct shadow *s, const char *path, struct err *e)
{
    struct slice text;
    struct json *list = NULL;
    int r = file_read(path, s->arena, &text, e);
    r = r ? r : json_parse(s->arena, text, e, &list);
    if (r) {
        return r;
    }
    for (struct json *j = json_is(list, JSON_ARRAY) ? list->first : NULL;
         j && s->fixture_count < FIXTURES_MOST; j = j->next) {
        const struct json *q = json_get(j, "request");
        s->fixtures[s->fixture_count++] = (struct fixture){
            json_text(q, "method"), json_text(q, "url"), json_get(j, "answer")};
    }
    return 0;
}

static int read_fixtures(struct shadow *s, const char *dir, struct err *e)
{
    char path[4096 + 300];
    DIR *d = opendir(dir);
    int r = 0;
    if (!d) {
        return err_set(e, ERR_NOT_FOUND, "there is no folder %s", dir);
    }
    s->fixtures = arena_many(s->arena, struct fixture, FIXTURES_MOST);
    for (struct dirent *f; r == 0 && (f = readdir(d)) != NULL;) {
        size_t n = strlen(f->d_name);
        if (n > 5 && strcmp(f->d_name + n - 5, ".json") == 0) {
            snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
            r = add_fixtures(s, path, e);
        }
    }
    closedir(d);
    return r;
}

/* "…/flows/x.lua" is flows/x, any other file is rules/x. */
static int name_unit(struct shadow *s, const char *file, struct err *e)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    size_t n = strlen(name);
    bool flow =
        slash && slash - file >= 5 && memcmp(slash - 5, "flows", 5) == 0;
    bool lib = slash && slash - file >= 3 && memcmp(slash - 3, "lib", 3) == 0;
    if (n <= 4 || n > 200 || strcmp(name + n - 4, ".lua") != 0) {
        return err_set(e, ERR_BAD_REQUEST, "%s is no Lua file", file);
    }
    snprintf(s->unit, sizeof s->unit, "%s/%.*s",
             flow  ? "flows"
             : lib ? "lib"
                   : "rules",
             (int)n - 4, name);
    s->stage.only_unit = s->unit;
    s->stage.only_source = file;
    return 0;
}

static int64_t held_now(void *arg)
{
    (void)arg;
    return clock_ms();
}

static void on_change(void *arg)
{
    (void)arg; /* nothing is reloaded here */
}

static int open_scripts(struct shadow *s, const struct replay *r, struct err *e)
{
    struct script_conf conf = {.home = r->home,
                               .home_loop = s->loop,
                               .threads = 1,
                               .cpu_ms = r->conf->script_cpu_ms,
                               .memory_bytes = r->conf->script_memory_bytes,
                               .secrets = slice_of(r->conf->secrets),
                               .failures = FAILURES_MOST,
                               .on_ask = on_ask,
                               .on_change = on_change,
                               .now = held_now,
                               .arg = s};
    int rc = 0;
    if (r->file) {
        s->stage.home = r->home;
        rc = name_unit(s, r->file, e);
        rc = rc ? rc : stage_files_make(&s->stage, e);
        conf.home = s->stage.dir;
    }
    rc = rc ? rc : script_open(&conf, e, &s->server->script);
    rc = rc ? rc : script_load_all(s->server->script, NULL, 0);
    s->stage.tester = s->server->script;
    if (rc == 0 && !script_is_well(s->server->script, e)) {
        rc = ERR_UNPROCESSABLE;
    }
    return rc;
}

int shadow_open(struct replay *r, struct err *e, struct shadow **out)
{
    struct shadow *s = mem_alloc(sizeof *s);
    s->data = r->data;
    s->arena = arena_new();
    s->server = mem_alloc(sizeof *s->server);
    s->server->look = r->data;
    map_init(&s->cells);
    timer_init(&s->nap, on_nap);
    *out = s;
    int rc = loop_new("replay", &s->loop);
    if (rc) {
        return err_set(e, rc, "no loop");
    }
    s->server->loop = s->loop;
    s->stage.server = s->server;
    s->stage.loop = s->loop;
    s->stage.secrets = slice_of(r->conf->secrets);
    s->stage.fakes = fakes_new(&s->stage);
    rc = r->fixtures ? read_fixtures(s, r->fixtures, e) : 0;
    return rc ? rc : open_scripts(s, r, e);
}

void shadow_close(struct shadow *s)
{
    struct cell *c;
    if (!s) {
        return;
    }
    if (s->server->script) {
        script_close(s->server->script);
        s->server->script = NULL;
    }
    asks_free(s->server);
    if (s->stage.fakes) {
        fakes_free(s->stage.fakes);
    }
    stage_files_remove(&s->stage);
    if (s->loop) {
        loop_free(s->loop);
    }
    for (size_t i = 0; (c = map_next(&s->cells, &i)) != NULL;) {
        mem_free((void *)c->key.at);
        buf_fini(&c->value);
        mem_free(c);
    }
    map_fini(&s->cells);
    arena_free(s->arena);
    mem_free(s->server);
    mem_free(s);
    clock_hold_ms(0);
}
