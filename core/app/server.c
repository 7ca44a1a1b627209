/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - start, the round of every turn, reload.
 *
 * Happy path: the database opens and is visited, the desk knows what is alive,
 * scripts compile meanwhile, the socket listens, the desk starts what was left.
 * Failure: whatever was open is closed again in reverse order and the reason
 * told; a configuration that cannot be read leaves the old one at work (I11).
 */
#include "app/server.h"
#include "app/api/api.h"
#include "app/assist/assist.h"
#include "app/assist/prompts.h"
#include "app/channels/channels.h"
#include "app/files/files.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BEAT_MS 500
#define LOGIN_KEYS 10000
#define REPLAY_KEYS 20000

#define ADAPTERS_MAX (1024 * 1024)

METER_US(loop_lag, "yuelai_loop_lag_seconds",
         "How late a timer of the main loop came");
METER(config_reloads, METER_COUNTER, "yuelai_config_reloads_total",
      "Configurations read while running");
METER(config_refused, METER_COUNTER, "yuelai_config_refused_total",
      "Configurations refused while running");

/* --- what is lasting, into memory --- */

static void visit_channel(void *arg, const struct channel *c)
{
    desk_put_channel(((struct server *)arg)->desk, c);
}

static void visit_agent(void *arg, const struct agent *a)
{
    server_keep_password(arg, a->id, a->password);
    desk_put_agent(((struct server *)arg)->desk, a);
}

static void visit_team(void *arg, const struct team *t)
{
    desk_put_team(((struct server *)arg)->desk, t);
}

static void visit_token(void *arg, const struct token *t)
{
    auth_put(((struct server *)arg)->auth, t);
}

static void visit_conversation(void *arg, const struct conversation *c,
                               const struct contact *who)
{
    desk_restore_conversation(((struct server *)arg)->desk, c, who);
}

static void visit_unhandled(void *arg, const struct event *ev)
{
    desk_restore_event(((struct server *)arg)->desk, ev);
}

static void visit_alarm(void *arg, const struct alarm *a)
{
    desk_restore_alarm(((struct server *)arg)->desk, a);
}

static void visit_flow(void *arg, const struct flow *f)
{
    desk_restore_flow(((struct server *)arg)->desk, f);
}

static void visit_cut(void *arg, const struct dead *l)
{
    desk_restore_letter(((struct server *)arg)->desk, l);
}

static void visit_outbox(void *arg, const struct outbox *o)
{
    desk_restore_outbox(((struct server *)arg)->desk, o);
}

static void visit_assistant(void *arg, const struct assistant *a)
{
    assist_put(arg, a);
}

static void visit_turn(void *arg, const struct turn *t)
{
    desk_restore_turn(((struct server *)arg)->desk, t);
}

static void visit_confirm(void *arg, const struct confirm *f)
{
    desk_restore_confirm(((struct server *)arg)->desk, f);
}

static int visit_all(struct server *s, struct err *e)
{
    const struct store_visit v = {.arg = s,
                                  .channel = visit_channel,
                                  .agent = visit_agent,
                                  .team = visit_team,
                                  .token = visit_token,
                                  .conversation = visit_conversation,
                                  .alarm = visit_alarm,
                                  .flow = visit_flow,
                                  .cut = visit_cut,
                                  .outbox = visit_outbox,
                                  .assistant = visit_assistant,
                                  .turn = visit_turn,
                                  .confirm = visit_confirm,
                                  .version = versions_visit};
    return store_visit(s->store, &v, e);
}

/* What the rules owe an answer: who wants it is known when they are loaded
 * and the flows are there. */
static int visit_owed(struct server *s, struct err *e)
{
    const struct store_visit v = {.arg = s, .unhandled = visit_unhandled};
    return store_visit(s->store, &v, e);
}

/* --- scripts --- */

static void on_files(void *arg, const char *const *paths, size_t n)
{
    struct server *s = arg;
    if (s->script) {
        script_changed(s->script, paths, n);
    }
    prompts_changed(s, paths, n);
}

/* Their files are compiled while the database is opened. */
static int begin_scripts(struct server *s, struct err *e)
{
    struct script_conf conf = ports_script_conf(s);
    int r = script_open(&conf, e, &s->script);
    if (r == 0) {
        script_load_ahead(s->script);
    }
    return r;
}

static int open_scripts(struct server *s, struct err *e)
{
    static const char *const names[] = {"scripts", "channels", "ai"};
    char folder[CONFIG_TEXT + 16], path[3][4096];
    const char *folders[3];
    size_t count = 0;
    struct stat st;
    int r = script_load_all(s->script, s->kept.at, s->kept.count);
    versions_forget(s);
    if (r) {
        return err_set(e, r, "the scripts below %s could not be read",
                       s->conf.home);
    }
    server_kinds_changed(s);
    for (int i = 0; i < 3; i++) {
        snprintf(folder, sizeof folder, "%s/%s", s->conf.home, names[i]);
        if (stat(folder, &st) == 0 && realpath(folder, path[count])) {
            folders[count] = path[count];
            count++;
        } else {
            log_warn("app", "there is no folder %s", folder);
        }
    }
    r = count ? watch_open(s->loop, folders, count, on_files, s, &s->watch) : 0;
    if (r) { /* scripts run all the same, only not hot */
        log_warn("app", "%s cannot be watched; changes need a restart",
                 s->conf.home);
    }
    return 0;
}

/* --- every turn --- */

static void on_tick(struct timer *t)
{
    struct server *s = container_of(t, struct server, tick);
    desk_tick(s->desk);
}

static void at_turns_end(void *arg)
{
    struct server *s = arg;
    if (s->script) {
        script_flush(s->script);
    }
    if (s->state >= SERVER_CLOSING) {
        return;
    }
    int64_t wait = desk_next(s->desk);
    if (wait >= 0) {
        int64_t due = loop_now(s->loop) + wait;
        if (!timer_is_running(&s->tick) || s->tick.due_ms > due) {
            timer_start(loop_wheel(s->loop), &s->tick, due);
        }
    }
    if (!list_empty(&s->polls) && server_pos(s) != s->polled_pos) {
        s->polled_pos = server_pos(s);
        api_wake_polls(s);
    }
}

static int64_t changed_at(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0
               ? st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec
               : 0;
}

static void on_beat(struct timer *t)
{
    struct server *s = container_of(t, struct server, beat);
    int64_t now = clock_mono_us();
    meter_note(&loop_lag, now - s->beat_due_ms * 1000);
    int64_t seen = changed_at(s->conf.config);
    if (seen != s->conf_seen) {
        s->conf_seen = seen;
        server_reload(s);
    }
    versions_beat(s);
    tidy_beat(s);
    s->beat_due_ms = now / 1000 + BEAT_MS;
    timer_start(loop_wheel(s->loop), &s->beat, loop_now(s->loop) + BEAT_MS);
}

static void start_timers(struct server *s)
{
    timer_init(&s->tick, on_tick);
    timer_init(&s->beat, on_beat);
    loop_at_end(s->loop, at_turns_end, s);
    s->conf_seen = changed_at(s->conf.config);
    s->beat_due_ms = clock_mono_us() / 1000 + BEAT_MS;
    timer_start(loop_wheel(s->loop), &s->beat, loop_now(s->loop) + BEAT_MS);
}

/* --- reload --- */

struct reload {
    struct mail mail;
    struct server *s;
    struct thread *thread;
    struct config given, next;
    struct kinds *kinds;
    char home[CONFIG_TEXT];
    struct err err;
    int result;
};

static void swap_kinds(struct server *s, struct reload *r)
{
    struct kinds *old = s->kinds_base;
    s->kinds_base = r->kinds;
    server_kinds_changed(s);
    r->kinds = old;
}

void server_kinds_changed(struct server *s)
{
    struct kinds *old = s->kinds;
    struct buf out;
    buf_init(&out, ADAPTERS_MAX);
    if (s->script && script_channels(s->script, &out)) {
        log_error("channels", "the adapters say more than %d bytes",
                  ADAPTERS_MAX);
        buf_clear(&out);
    }
    s->kinds = kinds_with(s->kinds_base, buf_slice(&out));
    buf_fini(&out);
    kinds_free(old);
    assist_faces_changed(s);
    if (s->desk) {
        desk_faces_changed(s->desk);
        polls_look(s);
    }
}

static void reload_done(struct mail *m)
{
    struct reload *r = (struct reload *)m;
    struct server *s = r->s;
    thread_join(r->thread);
    s->reloading = false;
    if (r->result) {
        meter_add(&config_refused, 1);
        log_error("config", "not reloaded, the old one stays: %s", r->err.text);
    } else if (s->state == SERVER_SERVING) {
        meter_add(&config_reloads, 1);
        swap_kinds(s, r);
        int n = config_adopt(&s->conf, &r->next);
        struct net_conf nc = ports_net_conf(s);
        struct desk_conf dc = ports_conf(s);
        server_log_setup(&s->conf);
        net_adjust(s->net, &nc);
        net_set_credits(s->net, s->conf.credits);
        desk_adjust(s->desk, &dc);
        script_set_secrets(s->script, slice_of(s->conf.secrets));
        log_info("config", "read again, %d settings changed", n);
    }
    kinds_free(r->kinds);
    mem_free(r);
}

static void reload_run(void *arg)
{
    struct reload *r = arg;
    r->result = config_load(&r->given, &r->next, &r->err);
    r->kinds = r->result ? NULL : kinds_read(r->home);
    loop_post(r->s->loop, &r->mail);
}

void server_reload(struct server *s)
{
    if (s->reloading || s->state != SERVER_SERVING) {
        return;
    }
    struct reload *r = mem_alloc(sizeof *r);
    r->s = s;
    r->given = s->given;
    memcpy(r->home, s->conf.home, sizeof r->home);
    r->mail.run = reload_done;
    s->reloading = true;
    if (thread_start("config", reload_run, r, &r->thread)) {
        log_error("config", "not reloaded: no thread");
        s->reloading = false;
        mem_free(r);
    }
}

void server_log_setup(const struct config *c)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    enum log_level level = LOG_INFO;
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(c->log_level, names[i]) == 0) {
            level = (enum log_level)i;
        }
    }
    log_setup(level, strcmp(c->log, "json") == 0 ? LOG_JSON : LOG_TEXT);
}

/* --- open --- */

static struct server *server_new(const struct config *given,
                                 const struct config *conf)
{
    struct server *s = mem_alloc(sizeof *s);
    s->given = *given;
    s->conf = *conf;
    s->started_us = clock_mono_us();
    s->started_at = clock_ms();
    list_init(&s->polls);
    list_init(&s->founding);
    map_init(&s->arrivals);
    map_init(&s->agent_peers);
    map_init(&s->idem);
    map_init(&s->passwords);
    s->auth = auth_new();
    s->logins = guard_new(LOGIN_KEYS);
    s->replays = guard_new(REPLAY_KEYS);
    s->upload_guard = guard_new(LOGIN_KEYS);
    map_init(&s->resumables);
    map_init(&s->polled);
    map_init(&s->hooks);
    map_init(&s->held);
    s->kinds_base = kinds_read(conf->home);
    s->kinds = kinds_with(s->kinds_base, SLICE("[]"));
    return s;
}

static int open_store(struct server *s, struct err *e)
{
    const struct store_conf conf = {.dir = s->conf.data,
                                    .home = s->loop,
                                    .readers = (int)s->conf.readers,
                                    .refs_max = s->conf.refs,
                                    .trace_days = s->conf.trace_days,
                                    .ref_hours = s->conf.ref_hours,
                                    .file_days = s->conf.file_days};
    int r = store_open(&conf, e, &s->store);
    if (r) {
        return r;
    }
    s->epoch = store_epoch(s->store);
    memcpy(s->key, store_key(s->store), sizeof s->key);
    struct desk_conf dc = ports_conf(s);
    s->desk = desk_new(&dc);
    s->assist = assist_new(s);
    loop_at_end(s->loop, assist_flush, s); /* before net writes */
    return visit_all(s, e);
}

static int open_files(struct server *s, struct err *e)
{
    char dir[CONFIG_TEXT + 8];
    snprintf(dir, sizeof dir, "%s/files", s->conf.data);
    const struct filing_conf conf = {.dir = dir, .home = s->loop};
    return filing_open(&conf, e, &s->filing);
}

static int open_net(struct server *s, struct err *e)
{
    struct net_conf conf = ports_net_conf(s);
    int r = net_open(&conf, e, &s->net);
    if (r == 0) {
        net_set_credits(s->net, s->conf.credits);
    }
    return r;
}

int server_open(const struct config *given, const struct config *conf,
                struct err *e, struct server **out)
{
    struct server *s = server_new(given, conf);
    *out = NULL;
    int r = loop_new("main", &s->loop);
    if (r) {
        (void)err_set(e, r, "no event loop");
    }
    r = r ? r : begin_scripts(s, e);
    r = r ? r : open_store(s, e);
    r = r ? r : open_files(s, e);
    r = r ? r : open_scripts(s, e);
    r = r ? r : visit_owed(s, e);
    /* argon2 would take a core from the scripts, and nobody can log in yet. */
    r = r ? r : founding_begin(s, e);
    r = r ? r : open_net(s, e);
    if (r) {
        server_abandon(s);
        return r;
    }
    s->state = SERVER_SERVING;
    start_timers(s);
    desk_start(s->desk);
    assist_start(s);
    *out = s;
    return 0;
}

int server_is_ready(const struct server *s, struct err *e)
{
    if (s->state != SERVER_SERVING) {
        return err_set(e, ERR_UNAVAILABLE, "the server is %s",
                       s->state < SERVER_SERVING ? "starting" : "stopping");
    }
    if (!store_is_healthy(s->store)) {
        return err_set(e, ERR_UNAVAILABLE,
                       "the database cannot be written (disk full?)");
    }
    return 0;
}

void server_end_token(struct server *s, uint64_t token)
{
    auth_del(s->auth, token);
    hello_end_token(s, token);
}

struct slice server_password(const struct server *s, uint64_t agent)
{
    return slice_of(map_get(&s->passwords, agent));
}

void server_keep_password(struct server *s, uint64_t agent, struct slice hash)
{
    char *copy = NULL;
    mem_free(map_take(&s->passwords, agent));
    if (hash.len) {
        copy = mem_alloc(hash.len + 1);
        memcpy(copy, hash.at, hash.len);
        map_put(&s->passwords, agent, copy);
    }
}

uint64_t server_pos(const struct server *s)
{
    return s->store ? store_pos(s->store) : s->polled_pos;
}

void server_announce(struct server *s, struct tx *tx)
{
    for (struct event *ev = tx->first; ev; ev = ev->next) {
        desk_announce(s->desk, ev, tx->arena);
    }
}
