/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - `yuelai replay`: walks what was recorded, runs it, counts.
 *
 * Happy path: the database is walked, read only, event by event. A visitor's
 * message is kept until its traces have come, then its job is built again,
 * with the conversation as it was, and run by the shadow; what came out then
 * and now is compared. Failure modes: no database, scripts that are not well,
 * a job that never ends: a sentence, exit code 1. Differences are no failure.
 */
#include "app/replay/replay.h"
#include "app/command.h"
#include "app/explain.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/store.h"
#include <stdio.h>
#include <unistd.h>

static const char usage[] =
    "usage: yuelai replay --since 3d [--script FILE] [--fixtures DIR] "
    "[--json]\n"
    "       yuelai replay EVENT      [--script FILE] [--fixtures DIR] "
    "[--json]\n"
    "                                [--data DIR] [--home DIR]\n"
    "\n"
    "Runs today's scripts over recorded messages, sends nothing, writes "
    "nothing,\n"
    "and prints what would have been routed, answered or tagged otherwise. "
    "The\n"
    "server may run.\n"
    "\n"
    "  --since 3d      messages of the last three days (30m, 12h, 3d, 2w)\n"
    "  EVENT           one message, with everything the scripts wanted: m_…,\n"
    "                  cv_…/SEQ or its cursor\n"
    "  --script FILE   this file in place of the one of its name\n"
    "  --fixtures DIR  answers of other servers, as yuelai test --record "
    "keeps\n"
    "                  them; without it scripts get nil, \"unavailable\"\n"
    "  --json          for machines\n";

/* --- one message ---------------------------------------------------------- */

static void moment_end(struct moment *m)
{
    if (m->arena) {
        arena_free(m->arena);
    }
    *m = (struct moment){0};
}

static void moment_begin(struct replay *r, const struct event *ev)
{
    struct moment *m = &r->moment;
    const struct conversation *c = past_conversation(r->past, ev->conv);
    r->messages++;
    if (!c) {
        return; /* its conversation is not in the journal any more */
    }
    m->arena = arena_new();
    m->message = *ev;
    m->message.next = NULL;
    m->message.ref = slice_dup(m->arena, ev->ref);
    m->message.body = slice_dup(m->arena, ev->body);
    past_copy(m->arena, c, &m->conv);
}

static bool was_edited(const struct json *trace)
{
    const struct json *list = json_get(trace, "effects");
    for (const struct json *e = list ? list->first : NULL; e; e = e->next) {
        if (slice_is(json_text(e, "type"), "edit")) {
            return true;
        }
    }
    return false;
}

/* The job as the desk would make it; inbound comes before it is stored. */
static struct job *make_job(struct replay *r, enum hook hook, int64_t at,
                            struct slice body)
{
    const struct moment *m = &r->moment;
    struct json *j = NULL;
    struct job *job = job_new(hook, NULL, NULL);
    job->event = m->message;
    job->event.ref = slice_dup(job->arena, m->message.ref);
    job->event.body = slice_dup(job->arena, body);
    if (hook == HOOK_INBOUND) {
        job->event.pos = 0;
        job->event.seq = 0;
    }
    if (json_parse(job->arena, job->event.body, NULL, &j) == 0) {
        job->text = json_text(j, "text");
        job->kind = json_text(j, "kind");
    }
    past_fill(r->past, job, &m->conv);
    job->at = at;
    return job;
}

static void note_trouble(struct replay *r, struct slice text)
{
    const char *end = text.len ? memchr(text.at, '\n', text.len) : NULL;
    if (end) {
        text.len = (size_t)(end - text.at);
    }
    for (size_t i = 0; i < r->trouble_count; i++) {
        if (slice_eq(r->troubles[i], text)) {
            return;
        }
    }
    if (text.len && r->trouble_count < REPLAY_EXAMPLES) {
        r->troubles[r->trouble_count++] = slice_dup(r->arena, text);
    }
}

/* What an on_inbound made of the message, else the message's own. */
static struct slice edited_body(struct arena *a, const struct job *job,
                                struct slice body)
{
    for (const struct effect *e = job->first; e; e = e->next) {
        if (e->type == EFFECT_EDIT && e->body.len) {
            body = slice_dup(a, e->body);
        }
    }
    return body;
}

static int run_one(struct replay *r, enum hook hook, const struct json *trace,
                   struct slice *body, struct wishes *after)
{
    struct moment *m = &r->moment;
    struct job *job =
        make_job(r, hook, json_int(trace, "at", m->message.at), *body);
    int rc = 0;
    if (shadow_wants(r->shadow, job)) {
        rc = shadow_run(r->shadow, job, &r->err);
        if (rc) {
            return rc; /* the script thread still has the job */
        }
        wishes_of(after, m->arena, job);
        note_trouble(r, job->trouble);
        *body = edited_body(m->arena, job, *body);
    }
    job_free(job);
    return rc;
}

static int replay_moment(struct replay *r)
{
    struct moment *m = &r->moment;
    struct wishes before = {0}, after = {0};
    struct slice body = m->message.body;
    int rc = 0;
    for (int i = 1; i >= 0; i--) { /* inbound comes first */
        if (m->traces[i]) {
            wishes_recorded(&before, m->arena, m->traces[i]);
        }
    }
    rc = run_one(r, HOOK_INBOUND, m->traces[1], &body, &after);
    if (rc == 0 && !after.rejected) {
        rc = run_one(r, HOOK_MESSAGE, m->traces[0], &body, &after);
    }
    if (rc == 0) {
        replay_compare(r, &before, &after);
        for (int i = 0; i < GROUP_COUNT && r->only; i++) {
            r->before.of[i] = slice_dup(r->arena, before.of[i]);
            r->after.of[i] = slice_dup(r->arena, after.of[i]);
        }
    }
    return rc;
}

/* All of its traces have come. */
static int moment_done(struct replay *r)
{
    struct moment *m = &r->moment;
    int rc = 0;
    if (!m->arena) {
        return 0;
    }
    bool none = !m->traces[0] && !m->traces[1];
    if (none && !r->traced) {
        r->untraced++;
    } else if (m->traces[1] && was_edited(m->traces[1])) {
        r->edited++;
    } else if (json_bool(m->traces[0], "cut", false) ||
               json_bool(m->traces[1], "cut", false)) {
        r->cut++;
    } else {
        rc = replay_moment(r);
    }
    moment_end(m);
    return rc;
}

/* --- the walk ------------------------------------------------------------- */

static int on_agent(void *arg, const struct agent *a)
{
    past_agent(((struct replay *)arg)->past, a);
    return 0;
}

static int on_team(void *arg, const struct team *t)
{
    past_team(((struct replay *)arg)->past, t);
    return 0;
}

static int on_contact(void *arg, const struct contact *c)
{
    past_contact(((struct replay *)arg)->past, c);
    return 0;
}

static int on_before(void *arg, const struct event *ev)
{
    past_event(((struct replay *)arg)->past, ev);
    return 0;
}

static int on_event(void *arg, const struct event *ev)
{
    struct replay *r = arg;
    int rc = moment_done(r);
    if (rc) {
        return rc;
    }
    past_event(r->past, ev);
    if (ev->name == EVENT_MESSAGE_CREATED && ev->role == ROLE_VISITOR &&
        (!r->only || ev->pos == r->only)) {
        moment_begin(r, ev);
        tell_progress(r);
    }
    return r->only && ev->pos > r->only ? 1 : 0;
}

static int on_trace(void *arg, const struct trace *t)
{
    struct replay *r = arg;
    struct moment *m = &r->moment;
    r->traced = true;
    if (t->hook == HOOK_FLOW) {
        r->flows++;
    } else if (t->hook == HOOK_TIMER) {
        r->timers++;
    } else if (t->hook != HOOK_MESSAGE && t->hook != HOOK_INBOUND) {
        r->others++;
    } else if (m->arena && m->message.pos == t->pos) {
        struct json **at = &m->traces[t->hook == HOOK_INBOUND];
        if (!*at) {
            /* One that cannot be read is none. */
            (void)json_parse(m->arena, t->body, NULL, at);
        }
    }
    return 0;
}

static int walk(struct replay *r)
{
    struct store_walk w = {.arg = r,
                           .event = on_event,
                           .trace = on_trace,
                           .contact = on_contact,
                           .agent = on_agent,
                           .team = on_team,
                           .before = on_before};
    int rc = store_walk(r->data, r->since, &w, &r->err);
    return rc < 0 ? rc : moment_done(r);
}

/* --- the command ---------------------------------------------------------- */

/* "3d" -> ms, 0 = it is none. */
static int64_t read_span(const char *text)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000},
                 {'m', 60000},
                 {'h', 3600000},
                 {'d', 86400000},
                 {'w', 604800000}};
    struct slice s = slice_of(text);
    int64_t n;
    if (s.len < 2) {
        return 0;
    }
    char unit = s.at[--s.len];
    if (!slice_to_i64(s, &n) || n < 1 || n > 1000000) {
        return 0;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].unit == unit) {
            return n * units[i].ms;
        }
    }
    return 0;
}

/* Where a single message stands, so that the walk begins there. */
static int find_message(struct replay *r)
{
    struct query *q = query_new(QUERY_EVENT, NULL, NULL);
    int rc = explain_name(slice_of(r->name), q) ? store_look(r->data, q)
                                                : ERR_BAD_REQUEST;
    if (rc) {
        r->err = q->err;
    } else if (q->events->name != EVENT_MESSAGE_CREATED ||
               q->events->role != ROLE_VISITOR) {
        rc = err_set(&r->err, ERR_NOT_FOUND, "this is no visitor's message");
    } else {
        r->only = q->events->pos;
        r->since = q->events->at;
    }
    query_free(q);
    return rc;
}

static bool is_name(const char *name)
{
    struct query *q = query_new(QUERY_EVENT, NULL, NULL);
    bool is = explain_name(slice_of(name), q);
    query_free(q);
    return is;
}

static int run(struct replay *r)
{
    int rc = r->name ? find_message(r) : 0;
    r->arena = arena_new();
    r->past = past_new();
    r->traced = r->only != 0; /* then no trace means: no script */
    rc = rc ? rc : shadow_open(r, &r->err, &r->shadow);
    rc = rc ? rc : walk(r);
    tell_end(r);
    if (rc) {
        fprintf(stderr, "yuelai: %s\n", r->err.text);
    } else {
        rc = tell_all(r);
    }
    moment_end(&r->moment);
    shadow_close(r->shadow);
    past_free(r->past);
    arena_free(r->arena);
    return rc ? 1 : 0;
}

int replay_main(int argc, char **argv)
{
    struct flags f = {
        .switches = "json", .options = "since script fixtures", .rest_max = 1};
    struct config conf;
    struct replay r = {0};
    int rc = flags_read(&f, "data config home", usage, argc, argv);
    if (rc) {
        return rc - 1;
    }
    if (!f.value[0] == !f.rest_count) {
        return usage_error(usage, "say --since or which message");
    }
    int64_t span = f.value[0] ? read_span(f.value[0]) : 0;
    if (f.value[0] && !span) {
        return usage_error(usage, "--since is like 30m, 12h, 3d or 2w");
    }
    if (f.rest_count && !is_name(r.name = f.rest[0])) {
        return usage_error(usage, "%s is no m_…, cv_…/SEQ or cursor", r.name);
    }
    log_setup(LOG_ERROR, LOG_TEXT);
    if (!flags_config(&f, &conf)) {
        return 1;
    }
    r.conf = &conf;
    r.data = conf.data;
    r.home = conf.home;
    r.file = f.value[1];
    r.fixtures = f.value[2];
    r.since = clock_ms() - span;
    r.json = f.found & 1;
    r.shows = isatty(STDERR_FILENO);
    return run(&r);
}
