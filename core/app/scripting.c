/* SPDX-License-Identifier: Apache-2.0 */
/* scripting.c - `yuelai script`: looking at and ordering the scripts of the
 * server that runs on this machine.
 *
 * Happy path: one request by the server's local socket, which knows this user
 * by the file's mode; the answer as lines. Failure modes: no server runs on
 * this data, or it is another user's: said; an order that did not become true:
 * the server's reason, and exit code 1.
 */
#include "app/command.h"
#include "base/json.h"
#include "net/client.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WAIT_MS 60000 /* its tests may run */
#define PATH_BYTES 1024
#define PAGE 100

static const char usage[] =
    "usage: yuelai script COMMAND [NAME] [--data DIR]\n"
    "\n"
    "  list                    all scripts of the running server\n"
    "  show NAME               one: state, canary, errors, its versions\n"
    "  reload NAME             read its file again, also if it is unchanged\n"
    "  rollback NAME [VERSION] an earlier version serves; the file as it is "
    "now\n"
    "                          is not loaded until it changes\n"
    "  promote NAME            the version that is tried serves all\n"
    "  abort NAME              the version that is tried goes\n"
    "  enable NAME             switch it on again\n"
    "  disable NAME            switch it off\n"
    "\n"
    "NAME is like rules/20-refund. DIR is the server's data folder; only its\n"
    "user (or root) may do this.\n";

struct talk_to {
    struct arena *arena;
    char socket[CONFIG_TEXT + 16];
    struct json *answer; /* of the last call */
};

/* --- asking --------------------------------------------------------------- */

static void tell_refused(const struct json *answer, int status)
{
    const struct json *e = json_get(answer, "error");
    struct slice why = json_text(e, "message");
    if (why.len) {
        fprintf(stderr, "yuelai: %.*s\n", SLICE_FMT(why));
    } else {
        fprintf(stderr, "yuelai: the server answered %d\n", status);
    }
}

/* 0 and t->answer, or 1 after a message. */
static int ask(struct talk_to *t, const char *method, const char *path,
               const char *body)
{
    struct client_answer got;
    struct err e = {0};
    t->answer = NULL;
    int r = client_call_local(t->socket, method, path,
                              "Content-Type: application/json\r\n",
                              slice_of(body), WAIT_MS, t->arena, &e, &got);
    if (r) {
        fprintf(stderr, "yuelai: %s%s\n", e.text,
                r == ERR_NOT_FOUND ? " (is it running? --data says where)"
                                   : "");
        return 1;
    }
    if (got.body.len && json_parse(t->arena, got.body, &e, &t->answer)) {
        fprintf(stderr, "yuelai: the server's answer is no JSON: %s\n", e.text);
        return 1;
    }
    if (got.status >= 300) {
        tell_refused(t->answer, got.status);
        return 1;
    }
    return 0;
}

/* "/api/v1/scripts/rules/shop:refund/what"; false: this is no script's name. */
static bool path_of(const char *name, const char *what, char out[PATH_BYTES])
{
    static const char hex[] = "0123456789ABCDEF";
    const char *slash = strchr(name, '/');
    if (!slash || strlen(name) > 200) {
        return false;
    }
    char *o = out + sprintf(out, "/api/v1/scripts/");
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                     (c >= 'A' && c <= 'Z') || strchr("-_.", c);
        if (plain || p == slash) {
            *o++ = *p;
        } else if (c == '/') {
            *o++ = ':';
        } else {
            *o++ = '%';
            *o++ = hex[c >> 4];
            *o++ = hex[c & 15];
        }
    }
    sprintf(o, "%s%s", *what ? "/" : "", what);
    return true;
}

/* --- lines ---------------------------------------------------------------- */

static const char *time_text(int64_t ms, char out[32])
{
    time_t at = (time_t)(ms / 1000);
    struct tm tm;
    if (!ms || !localtime_r(&at, &tm) ||
        !strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm)) {
        strcpy(out, "-");
    }
    return out;
}

static const struct json *last_error(const struct json *unit)
{
    const struct json *errors = json_get(unit, "errors"), *last = NULL;
    for (const struct json *e = errors ? errors->first : NULL; e; e = e->next) {
        last = e;
    }
    return last;
}

static void print_error(const struct json *e, const char *indent)
{
    printf("%s%.*s:%lld: %.*s (%.*s, %lld times)\n", indent,
           SLICE_FMT(json_text(e, "file")), (long long)json_int(e, "line", 0),
           SLICE_FMT(json_text(e, "message")), SLICE_FMT(json_text(e, "phase")),
           (long long)json_int(e, "count", 0));
}

/* What was under way, and the last of what the script had logged. */
static void print_cause(const struct json *e)
{
    struct slice hook = json_text(e, "hook"), event = json_text(e, "event");
    struct slice conv = json_text(e, "conversation");
    const struct json *log = json_get(e, "log");
    if (!hook.len) {
        return;
    }
    printf("    in %.*s", SLICE_FMT(hook));
    if (event.len) {
        printf(" (yuelai trace %.*s)", SLICE_FMT(event));
    } else if (conv.len) {
        printf(" of %.*s", SLICE_FMT(conv));
    }
    putchar('\n');
    for (const struct json *l = log ? log->first : NULL; l; l = l->next) {
        printf("    log: %.*s\n", SLICE_FMT(l->text));
    }
}

static void print_line(const struct json *u)
{
    const struct json *canary = json_get(u, "canary");
    struct slice version = json_text(u, "version");
    printf("%-32.*s %-12.*s %-12.*s", SLICE_FMT(json_text(u, "name")),
           SLICE_FMT(json_text(u, "state")),
           SLICE_FMT(version.len ? version : SLICE("-")));
    if (json_is(canary, JSON_OBJECT)) {
        printf(" trying %.*s on %lld %%",
               SLICE_FMT(json_text(canary, "version")),
               (long long)json_int(canary, "share", 0));
    }
    putchar('\n');
    if (last_error(u)) {
        print_error(last_error(u), "    ");
    }
}

static int list(struct talk_to *t)
{
    char path[PATH_BYTES];
    for (int64_t at = 0, n = PAGE; n == PAGE; at += n) {
        snprintf(path, sizeof path, "/api/v1/scripts?limit=%d&offset=%lld",
                 PAGE, (long long)at);
        if (ask(t, "GET", path, "")) {
            return 1;
        }
        const struct json *items = json_get(t->answer, "items");
        n = items ? items->count : 0;
        for (const struct json *u = items ? items->first : NULL; u;
             u = u->next) {
            print_line(u);
        }
    }
    return 0;
}

static void print_side(const struct json *canary, const char *side)
{
    const struct json *s = json_get(canary, side);
    int64_t calls = json_int(s, "calls", 0);
    printf("  %-7s %lld conversations, %lld calls, %lld errors, %lld kills, "
           "%.2f ms a call, %lld handed over\n",
           side, (long long)json_int(s, "conversations", 0), (long long)calls,
           (long long)json_int(s, "errors", 0),
           (long long)json_int(s, "kills", 0),
           calls ? (double)json_int(s, "us", 0) / 1000 / (double)calls : 0,
           (long long)json_int(s, "handovers", 0));
}

static void print_unit(const struct json *u)
{
    char at[32];
    const struct json *canary = json_get(u, "canary");
    struct slice note = json_text(u, "note");
    print_line(u);
    printf("  loaded %s, %lld calls, %lld failures\n",
           time_text(json_int(u, "loaded_at", 0), at),
           (long long)json_int(u, "calls", 0),
           (long long)json_int(u, "failures", 0));
    if (note.len) {
        printf("  %.*s\n", SLICE_FMT(note));
    }
    if (json_is(canary, JSON_OBJECT)) {
        printf("  tried since %s, decided after %lld conversations\n",
               time_text(json_int(canary, "since_at", 0), at),
               (long long)json_int(canary, "conversations", 0));
        print_side(canary, "stable");
        print_side(canary, "canary");
    }
}

static void print_version(const struct json *v)
{
    char from[32], to[32];
    /* The figures of a canary are not for reading here. */
    struct slice note = slice_is(json_text(v, "state"), "canary")
                            ? SLICE("")
                            : json_text(v, "note");
    printf("  %.*s %-8.*s %s .. %-19s %.*s\n",
           SLICE_FMT(json_text(v, "version")), SLICE_FMT(json_text(v, "state")),
           time_text(json_int(v, "since_at", 0), from),
           time_text(json_int(v, "until_at", 0), to), SLICE_FMT(note));
}

static int show(struct talk_to *t, const char *name)
{
    char path[PATH_BYTES];
    (void)path_of(name, "", path);
    if (ask(t, "GET", path, "")) {
        return 1;
    }
    print_unit(t->answer);
    const struct json *errors = json_get(t->answer, "errors");
    for (const struct json *e = errors ? errors->first : NULL; e; e = e->next) {
        print_error(e, "  ");
        print_cause(e);
    }
    (void)path_of(name, "versions", path);
    if (ask(t, "GET", path, "")) {
        return 1;
    }
    const struct json *items = json_get(t->answer, "items");
    for (const struct json *v = items ? items->first : NULL; v; v = v->next) {
        print_version(v);
    }
    return 0;
}

static int order(struct talk_to *t, const char *what, const char *name,
                 const char *version)
{
    char path[PATH_BYTES], body[128] = "";
    (void)path_of(name, what, path);
    if (version) {
        snprintf(body, sizeof body, "{\"version\":\"%.20s\"}", version);
    }
    if (ask(t, "POST", path, body)) {
        return 1;
    }
    print_unit(t->answer);
    return 0;
}

/* --- the command ---------------------------------------------------------- */

static bool is_hex(const char *text)
{
    return strlen(text) == 12 && strspn(text, "0123456789abcdef") == 12;
}

static int run(struct talk_to *t, const struct flags *f)
{
    static const char *const orders[] = {"reload", "rollback", "promote",
                                         "abort",  "enable",   "disable"};
    char path[PATH_BYTES];
    const char *what = f->rest[0], *name = f->rest[1];
    if (strcmp(what, "list") == 0) {
        return f->rest_count == 1 ? list(t)
                                  : usage_error(usage, "what is %s?", name);
    }
    if (f->rest_count < 2 || !path_of(name, "", path)) {
        return usage_error(usage, "%s which? A name is like rules/20-refund",
                           what);
    }
    if (f->rest_count == 3 &&
        (strcmp(what, "rollback") != 0 || !is_hex(f->rest[2]))) {
        return usage_error(usage, "what is %s?", f->rest[2]);
    }
    if (strcmp(what, "show") == 0) {
        return show(t, name);
    }
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        if (strcmp(what, orders[i]) == 0) {
            return order(t, what, name, f->rest_count == 3 ? f->rest[2] : NULL);
        }
    }
    return usage_error(usage, "what is %s?", what);
}

int script_main(int argc, char **argv)
{
    struct flags f = {.rest_max = 3};
    struct config conf;
    struct talk_to t = {0};
    int r = flags_read(&f, "data config home", usage, argc, argv);
    if (r) {
        return r - 1;
    }
    if (f.rest_count == 0) {
        return usage_error(usage, "what shall be done?");
    }
    if (!flags_config(&f, &conf)) {
        return 1;
    }
    local_socket(t.socket, conf.data);
    t.arena = arena_new();
    r = run(&t, &f);
    arena_free(t.arena);
    return r;
}
