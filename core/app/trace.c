/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c - `yuelai trace EVENT`: why a message went as it did.
 *
 * Happy path: the database is looked at, read only, beside a running server or
 * without one; the message's way becomes the same object that the API gives,
 * and that becomes lines for people. Failure: what is no message of this
 * database is told in a sentence.
 */
#include "app/command.h"
#include "app/explain.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/store.h"
#include <stdio.h>
#include <time.h>

#define TRACE_TEXT_MAX (64 * 1024 * 1024)
#define QUOTE_MOST 60 /* bytes of a text that are shown */

static const char usage[] =
    "usage: yuelai trace EVENT [--data DIR] [--json]\n"
    "\n"
    "Shows each hop of a message: the scripts that saw it, with rule, "
    "version,\n"
    "time and outcome, what they wanted and what was refused, what came of "
    "it,\n"
    "and whether it was delivered. Only reads; the server may run.\n"
    "\n"
    "  EVENT       a message's id (m_000000000001z) or CONVERSATION/SEQ "
    "(cv_…/3),\n"
    "              or the cursor of any event (an assignment, a close ...)\n"
    "  --data DIR  the server's data folder (default ./data)\n"
    "  --json      as the API gives it: GET /api/v1/messages/{id}/trace\n";

/* --- reading --- */

struct subject {
    const char *dir;
    struct query *event, *conv, *trace, *out;
    char holder[LIMIT_NAME_BYTES + 1];
    struct err err;
};

static int look(const char *dir, struct query *q, struct err *e)
{
    int r = store_look(dir, q);
    if (r) {
        *e = q->err;
    }
    return r;
}

static int on_agent(void *arg, const struct agent *a)
{
    struct subject *s = arg;
    if (s->conv->conversation && a->id == s->conv->conversation->assignee) {
        snprintf(s->holder, sizeof s->holder, "%.*s", SLICE_FMT(a->name));
    }
    return 0;
}

static int read_all(struct subject *s)
{
    int r = look(s->dir, s->event, &s->err);
    if (r) {
        return r;
    }
    const struct event *ev = s->event->events;
    s->conv->id = ev->conv;
    s->trace->after_pos = ev->pos;
    r = ev->conv ? look(s->dir, s->conv, &s->err) : 0;
    r = r ? r : look(s->dir, s->trace, &s->err);
    s->out->conv = ev->conv;
    s->out->after_seq = ev->seq;
    if (r == 0 && ev->seq &&
        (r = look(s->dir, s->out, &s->err)) == ERR_NOT_FOUND) {
        r = 0; /* it goes to no platform */
    }
    struct store_walk names = {.arg = s, .agent = on_agent};
    return r ? r : store_walk(s->dir, INT64_MAX, &names, &s->err);
}

static int read_trace(struct subject *s, struct buf *out)
{
    int r = read_all(s);
    if (r) {
        return r;
    }
    const struct outbox *out_row = s->out->outbox;
    struct explain x = {.message = s->event->events,
                        .conv = s->conv->conversation,
                        .jobs = s->trace->json,
                        .caused = s->trace->events,
                        .cut = s->trace->more,
                        .out = out_row && out_row->pos == s->event->events->pos
                                   ? out_row
                                   : NULL,
                        .sockets = -1,
                        .holder = s->holder[0] ? s->holder : NULL};
    struct jsonw w = jsonw_on(out);
    explain_write(&w, &x);
    return w.failed ? err_set(&s->err, w.failed, "its trace is too large") : 0;
}

/* --- for people --- */

static void clock_of(int64_t at, bool with_date, char out[40])
{
    char text[32];
    time_t s = (time_t)(at / 1000);
    struct tm tm;
    localtime_r(&s, &tm);
    if (with_date) {
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    } else {
        strftime(text, sizeof text, "%H:%M:%S", &tm);
    }
    snprintf(out, 40, "%s.%03d", text, (int)(at % 1000));
}

/* The beginning of a text in quotes, on one line. */
static void print_quoted(struct slice s)
{
    size_t n = s.len < QUOTE_MOST ? s.len : QUOTE_MOST;
    while (n < s.len && n > 0 && ((unsigned char)s.at[n] & 0xc0) == 0x80) {
        n--; /* not in the middle of a character */
    }
    putchar('"');
    for (size_t i = 0; i < n; i++) {
        putchar((unsigned char)s.at[i] < ' ' ? ' ' : s.at[i]);
    }
    fputs(n < s.len ? "…\"" : "\"", stdout);
}

static void print_time(int64_t at)
{
    char text[40];
    clock_of(at, false, text);
    printf("%-14s", text);
}

static void print_message(const struct json *m)
{
    const struct json *sender = json_get(m, "sender");
    struct slice name = json_text(sender, "name");
    printf("%.*s%s%.*s: ", SLICE_FMT(json_text(sender, "role")),
           name.len ? " " : "", SLICE_FMT(name));
    if (json_text(m, "text").len) {
        print_quoted(json_text(m, "text"));
    } else {
        printf("(%.*s)", SLICE_FMT(json_text(m, "kind")));
    }
    putchar('\n');
}

static void print_columns(void)
{
    printf("\n%-14s%-16s%-26s%-14s%-10s%s\n", "time", "hook", "script",
           "version", "took", "outcome");
}

static void print_event_head(const struct json *j)
{
    struct slice conv = json_text(j, "conversation");
    char at[40];
    clock_of(json_int(j, "at", 0), true, at);
    printf("%s  %.*s", at, SLICE_FMT(json_text(j, "event")));
    if (conv.len) {
        printf(" of %.*s, which is %.*s now", SLICE_FMT(conv),
               SLICE_FMT(json_text(j, "state")));
    }
    putchar('\n');
}

static void print_head(const struct json *j)
{
    const struct json *m = json_get(j, "message");
    char at[40];
    if (!m) {
        print_event_head(j);
        return;
    }
    clock_of(json_int(m, "at", 0), true, at);
    printf("%.*s  message %lld of %.*s, which is %.*s now\n",
           SLICE_FMT(json_text(m, "id")), (long long)json_int(m, "seq", 0),
           SLICE_FMT(json_text(j, "conversation")),
           SLICE_FMT(json_text(j, "state")));
    printf("%s  ", at);
    print_message(m);
}

static void print_value(const char *name, const struct json *v)
{
    struct buf out;
    if (!v) {
        return;
    }
    if (json_is(v, JSON_STRING)) {
        printf(" %s ", name);
        print_quoted(v->text);
        return;
    }
    buf_init(&out, LIMIT_TRACE_BYTES * 2);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, v);
    if (!w.failed) {
        printf(" %s %.*s", name, (int)(out.len < 200 ? out.len : 200),
               out.data);
    }
    buf_fini(&out);
}

static void print_effect(const struct json *e)
{
    static const char *const plain[] = {"agent", "team", "pick", "name"};
    printf("%-14s%-16s  %.*s", "", "", SLICE_FMT(json_text(e, "type")));
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        struct slice s = json_text(e, plain[i]);
        if (s.len) {
            bool ai = slice_is(json_text(e, "type"), "assign");
            printf("%s%s %.*s", i < 3 || ai ? " " : "",
                   i < 3 ? plain[i]
                   : ai  ? "ai"
                         : "",
                   SLICE_FMT(s));
        }
    }
    if (json_text(e, "text").len) {
        putchar(' ');
        print_quoted(json_text(e, "text"));
    }
    print_value("number", json_get(e, "number"));
    print_value("data", json_get(e, "data"));
    if (json_text(e, "refused").len) {
        printf("  REFUSED: %.*s", SLICE_FMT(json_text(e, "refused")));
    }
    putchar('\n');
}

static void print_took(const struct json *hop)
{
    char text[24];
    int64_t us = json_int(hop, "us", 0);
    if (us < 10000) {
        snprintf(text, sizeof text, "%lld us", (long long)us);
    } else {
        snprintf(text, sizeof text, "%.1f ms", (double)us / 1000);
    }
    printf("%-10s", text);
}

static void print_hop(const struct json *hop, const struct json *job)
{
    struct slice hook = json_text(hop, "hook");
    if (json_get(hop, "more")) {
        printf("%-14s%-16sand %lld more scripts\n", "", "",
               (long long)json_int(hop, "more", 0));
        return;
    }
    if (!hook.len) {
        hook = json_text(job, "hook");
    }
    print_time(json_int(hop, "at", json_int(job, "at", 0)));
    printf("%-15.*s %-25.*s %-14.*s", SLICE_FMT(hook),
           SLICE_FMT(json_text(hop, "unit")),
           SLICE_FMT(json_text(hop, "version")));
    print_took(hop);
    printf("%.*s", SLICE_FMT(json_text(hop, "outcome")));
    int64_t waited =
        (json_int(hop, "wall_us", 0) - json_int(hop, "us", 0)) / 1000;
    if (waited >= 10) {
        printf(", waited %lld ms", (long long)waited);
    }
    if (json_text(hop, "error").len) {
        printf(": %.*s", SLICE_FMT(json_text(hop, "error")));
    }
    putchar('\n');
}

static const struct json *first_of(const struct json *list)
{
    return json_is(list, JSON_ARRAY) ? list->first : NULL;
}

static void print_note(const char *text, struct slice more)
{
    printf("%-14s%-16s%s%.*s\n", "", "", text, SLICE_FMT(more));
}

static void print_job(const struct json *job)
{
    const struct json *hops = first_of(json_get(job, "hops"));
    struct slice by = json_text(job, "decided_by");
    if (!hops) {
        print_time(json_int(job, "at", 0));
        printf("%-15.*s (no script)\n", SLICE_FMT(json_text(job, "hook")));
    }
    for (; hops; hops = hops->next) {
        print_hop(hops, job);
    }
    if (by.len) {
        print_note("decided by ", by);
    }
    if (json_text(job, "kept_by").len) {
        print_note("answered by what was kept of assistant ",
                   json_text(job, "kept_by"));
    }
    if (json_bool(job, "late", false)) {
        print_note("LATE: the default had placed the conversation, or somebody "
                   "else held it by then",
                   SLICE(""));
    }
    if (json_bool(job, "default", false)) {
        print_note("no rule placed it: the default did", SLICE(""));
    }
    if (json_text(job, "letter").len) {
        print_note("run again from dead letter ", json_text(job, "letter"));
    }
    const struct json *shown = json_get(job, "shown");
    if (shown) {
        printf("%-14s%-16sthe platform cannot show this %.*s (%.*s): sent as "
               "%.*s\n",
               "", "", SLICE_FMT(json_text(shown, "kind")),
               SLICE_FMT(json_text(shown, "why")),
               SLICE_FMT(json_text(shown, "as")));
    }
    if (json_text(job, "trouble").len) {
        print_note("TROUBLE: ", json_text(job, "trouble"));
    }
    if (json_int(job, "retry_at", 0)) {
        char at[40];
        clock_of(json_int(job, "retry_at", 0), false, at);
        print_note("RETRY at ", slice_of(at));
    }
    if (json_bool(job, "cut", false)) {
        print_note("(what it wanted was too long to be kept)", SLICE(""));
    }
    const struct json *e = first_of(json_get(job, "effects"));
    for (; e; e = e->next) {
        print_effect(e);
    }
}

static void print_caused(const struct json *ev)
{
    const struct json *d = json_get(ev, "data");
    struct slice name = json_text(ev, "event");
    print_time(json_int(ev, "at", 0));
    printf("=> %.*s ", SLICE_FMT(name));
    if (slice_is(name, "message.created")) {
        printf("%.*s (%lld) ", SLICE_FMT(json_text(d, "id")),
               (long long)json_int(d, "seq", 0));
        print_message(d);
        return;
    }
    printf("%.*s", SLICE_FMT(json_text(d, "state")));
    if (json_text(d, "assignee").len) {
        printf(", assignee %.*s", SLICE_FMT(json_text(d, "assignee")));
    }
    if (json_text(d, "team").len) {
        printf(", team %.*s", SLICE_FMT(json_text(d, "team")));
    }
    printf("  (%.*s)\n", SLICE_FMT(json_text(ev, "id")));
}

/* "tried 2 times, again at 05:22:29.903: connection refused" */
static void print_platform(const struct json *p)
{
    int64_t tries = json_int(p, "attempts", 0);
    int64_t again = json_int(p, "retry_at", 0);
    struct slice reason = json_text(p, "reason"), code = json_text(p, "code");
    char at[40];
    printf("by the platform: %.*s, tried %lld time%s",
           SLICE_FMT(json_text(p, "status")), (long long)tries,
           tries == 1 ? "" : "s");
    if (again) {
        clock_of(again, false, at);
        printf(", again at %s", at);
    }
    if (code.len || reason.len) {
        printf(": %.*s%s%.*s", SLICE_FMT(code),
               code.len && reason.len ? ", " : "", SLICE_FMT(reason));
    }
    putchar('\n');
}

static void print_delivery(const struct json *d)
{
    struct slice why = json_text(d, "why_not"), holder = json_text(d, "holder");
    const struct json *platform = json_get(d, "platform");
    bool outside = json_is(platform, JSON_OBJECT);
    printf("\nto the %.*s: ", SLICE_FMT(json_text(d, "to")));
    if (json_bool(d, "read", false)) {
        puts("read");
    } else if (outside) {
        printf("%.*s\n", SLICE_FMT(why.len ? why : SLICE("platform has it")));
    } else if (why.len) {
        printf("not read; %.*s\n", SLICE_FMT(why));
    } else {
        puts("not read yet; shown at once to whoever is connected");
    }
    if (outside) {
        print_platform(platform);
    }
    if (holder.len) {
        printf("held by %.*s\n", SLICE_FMT(holder));
    }
}

static void print_all(const struct json *j)
{
    const struct json *job = first_of(json_get(j, "jobs"));
    const struct json *ev = first_of(json_get(j, "caused"));
    print_head(j);
    print_columns();
    if (json_text(j, "cause").len) {
        printf("(it came of %.*s: that one's trace says why)\n",
               SLICE_FMT(json_text(j, "cause")));
    } else if (!job) {
        puts("(no trace: no script looked at it, or it is too old)");
    }
    while (job || ev) {
        if (job && (!ev || json_int(job, "at", 0) <= json_int(ev, "at", 0))) {
            print_job(job);
            job = job->next;
        } else {
            print_caused(ev);
            ev = ev->next;
        }
    }
    if (json_bool(j, "cut", false)) {
        puts("(it may have led to more, much later)");
    }
    if (json_get(j, "delivery")) {
        print_delivery(json_get(j, "delivery"));
    }
}

/* --- the command --- */

static int run(const struct config *conf, const char *name, bool as_json)
{
    struct subject s = {.dir = conf->data,
                        .event = query_new(QUERY_EVENT, NULL, NULL),
                        .conv = query_new(QUERY_CONVERSATION, NULL, NULL),
                        .trace = query_new(QUERY_TRACE, NULL, NULL),
                        .out = query_new(QUERY_OUTBOX, NULL, NULL)};
    struct buf out;
    struct arena *a = arena_new();
    struct json *j = NULL;
    int code = 1;
    buf_init(&out, TRACE_TEXT_MAX);
    if (!explain_name(slice_of(name), s.event)) {
        code = usage_error(usage, "%s is no m_…, cv_…/SEQ or cursor", name);
    } else if (read_trace(&s, &out) ||
               json_parse(a, buf_slice(&out), &s.err, &j)) {
        fprintf(stderr, "yuelai: %s\n", s.err.text);
    } else if (as_json) {
        printf("%.*s\n", (int)out.len, out.data);
        code = 0;
    } else {
        print_all(j);
        code = 0;
    }
    buf_fini(&out);
    arena_free(a);
    query_free(s.event);
    query_free(s.conv);
    query_free(s.trace);
    query_free(s.out);
    return code;
}

int trace_main(int argc, char **argv)
{
    struct flags f = {.switches = "json", .rest_max = 1};
    struct config conf;
    int r = flags_read(&f, "data config home", usage, argc, argv);
    if (r) {
        return r - 1;
    }
    if (f.rest_count != 1) {
        return usage_error(usage, "which message or event?");
    }
    log_setup(LOG_WARN, LOG_TEXT);
    if (!flags_config(&f, &conf)) {
        return 1;
    }
    return run(&conf, f.rest[0], f.found & 1);
}
