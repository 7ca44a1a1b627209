/* SPDX-License-Identifier: Apache-2.0 */
/* console.c - `yuelai console`: a Lua prompt in the running server.
 *
 * Happy path: a line goes by the local socket, its answer is printed; a line
 * that is not complete goes on on the next. Failure: no server on this data,
 * or another user's; a line that raises prints why, and the prompt is back.
 */
#include "app/command.h"
#include "base/json.h"
#include "net/client.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 60000
#define LINE_BYTES 60000

static const char usage[] =
    "usage: yuelai console [-e CODE] [--write] [--data DIR]\n"
    "\n"
    "A Lua prompt in the server that runs on DIR: the script API, with a look\n"
    "at conversations, contacts, agents, queues and kv. It may only look;\n"
    "with --write what it changes counts. Every line is in the audit. -e: one\n"
    "line, no prompt. End: Ctrl-D.\n";

struct prompt {
    char socket[CONFIG_TEXT + 16];
    bool write;
};

/* 0 = it ran, 1 = it did not, 2 = it is not complete, -1 = no server. */
static int eval(const struct prompt *p, struct slice source, bool may_go_on)
{
    struct arena *a = arena_new();
    struct client_answer got;
    struct err e = {0};
    struct json *answer = NULL;
    struct buf body;
    int code = -1;
    buf_init(&body, LINE_BYTES * 7);
    struct jsonw w = jsonw_on(&body);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "source", source);
    jsonw_put_bool(&w, "write", p->write);
    jsonw_close(&w, '}');
    int r = client_call_local(p->socket, "POST", "/api/v1/console",
                              "Content-Type: application/json\r\n",
                              buf_slice(&body), WAIT_MS, a, &e, &got);
    if (r) {
        fprintf(stderr, "yuelai: %s%s\n", e.text,
                r == ERR_NOT_FOUND ? " (is it running? --data says where)"
                                   : "");
    } else if (json_parse(a, got.body, &e, &answer)) {
        fprintf(stderr, "yuelai: the answer is no JSON: %s\n", e.text);
    } else if (got.status >= 300) {
        struct slice why = json_text(json_get(answer, "error"), "message");
        fprintf(stderr, "yuelai: %.*s\n", SLICE_FMT(why));
        code = 1;
    } else {
        struct slice text = json_text(answer, "text");
        bool ok = json_bool(answer, "ok", false);
        code = ok ? 0 : 1;
        if (!ok && may_go_on && memmem(text.at, text.len, "near '<eof>'", 12)) {
            code = 2;
        } else if (text.len) {
            fprintf(ok ? stdout : stderr, "%.*s\n", SLICE_FMT(text));
        }
    }
    buf_fini(&body);
    arena_free(a);
    return code;
}

static int repl(const struct prompt *p)
{
    static char line[LINE_BYTES];
    struct buf all;
    bool tty = isatty(STDIN_FILENO);
    int last = 0;
    buf_init(&all, LINE_BYTES);
    while (true) {
        if (tty) {
            fputs(all.len ? ">> " : p->write ? "yuelai! " : "yuelai> ", stdout);
            fflush(stdout);
        }
        if (!fgets(line, sizeof line, stdin)) {
            break;
        }
        if (buf_add_text(&all, line)) {
            fprintf(stderr, "yuelai: that is too long\n");
            buf_clear(&all);
            continue;
        }
        if (slice_trim(buf_slice(&all)).len == 0) {
            buf_clear(&all);
            continue;
        }
        int code = eval(p, buf_slice(&all), true);
        if (code == 2) {
            continue; /* more of it comes */
        }
        buf_clear(&all);
        last = code;
        if (code < 0) {
            break;
        }
    }
    if (all.len) {
        last = eval(p, buf_slice(&all), false);
    }
    buf_fini(&all);
    if (tty) {
        fputs("\n", stdout);
    }
    return last ? 1 : 0;
}

int console_main(int argc, char **argv)
{
    struct prompt p = {0};
    struct config conf;
    const char *code = NULL;
    char *rest[32];
    int n = 0;
    for (int i = 0; i < argc && n < 32; i++) { /* -e is no setting */
        if (strcmp(argv[i], "-e") == 0) {
            if (i + 1 == argc) {
                return usage_error(usage, "-e needs Lua");
            }
            code = argv[++i];
        } else {
            rest[n++] = argv[i];
        }
    }
    struct flags f = {.switches = "write", .rest_max = 0};
    int r = flags_read(&f, "data", usage, n, rest);
    if (r) {
        return r - 1;
    }
    if (!flags_config(&f, &conf)) {
        return 1;
    }
    p.write = f.found & 1;
    snprintf(p.socket, sizeof p.socket, "%s/yuelai.sock", conf.data);
    if (code) {
        return eval(&p, slice_of(code), false) ? 1 : 0;
    }
    return repl(&p);
}
