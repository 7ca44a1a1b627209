/* SPDX-License-Identifier: Apache-2.0 */
/* roof.h - what the tests of the REST API share: a server of one's own and
 * short words for asking it. The server is the talk runner's (core/app/talk).
 */
#pragma once
#include "app/talk/talk.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

struct roof {
    struct talk t;
    struct client_answer a; /* the last one */
    struct json *j;         /* its body, or NULL */
    const char *as;         /* header line of who calls; NULL = the admin */
};

/* $YUELAI, or the program beside the folder of the tests. */
UNUSED static const char *roof_program(void)
{
    static char path[4096];
    const char *given = getenv("YUELAI");
    if (given) {
        return given;
    }
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    path[n > 0 ? n : 0] = 0;
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(path, '/');
        if (slash) {
            *slash = 0;
        }
    }
    strcat(path, "/yuelai");
    return path;
}

UNUSED static bool roof_fail(struct roof *r, const char *what)
{
    FAIL("%s: %s", what, r->t.why);
    house_print_log(&r->t);
    return false;
}

UNUSED static void roof_make(struct roof *r)
{
    memset(r, 0, sizeof *r);
    r->t.house = ".";
    r->t.arena = arena_new();
    r->t.program = roof_program();
    r->t.epoch = clock_ms();
    r->t.within_ms = TALK_WAIT_MS;
    if (house_make(&r->t)) {
        (void)roof_fail(r, "folders");
    }
}

UNUSED static void roof_env(struct roof *r, const char *line)
{
    r->t.env[r->t.env_count++] = slice_of(line);
}

UNUSED static bool roof_start(struct roof *r)
{
    return house_start(&r->t) == 0 || roof_fail(r, "start");
}

UNUSED static bool roof_open(struct roof *r)
{
    roof_make(r);
    return roof_start(r);
}

UNUSED static void roof_close(struct roof *r)
{
    for (struct actor *a = r->t.actors; a; a = a->next) {
        actor_leave(a, true);
    }
    if (r->t.pid && house_stop(&r->t)) {
        (void)roof_fail(r, "stop");
    }
    house_forget(&r->t, false);
    arena_free(r->t.arena);
}

/* "Authorization: Bearer ...\r\n" */
UNUSED static const char *roof_bearer(struct roof *r, struct slice token)
{
    return talk_fmt(&r->t, "Authorization: Bearer %.*s\r\n", SLICE_FMT(token))
        .at;
}

/* The status; 0 if there was no answer. headers may be NULL. */
UNUSED static int roof_call(struct roof *r, const char *method,
                            const char *path, const char *headers,
                            const char *body)
{
    struct err e = {0};
    struct slice heads =
        talk_fmt(&r->t, "%s%s", r->as ? r->as : roof_bearer(r, r->t.admin),
                 headers ? headers : "");
    r->j = NULL;
    r->a = (struct client_answer){0};
    test_note("%s %s %s", method, path, body ? body : "");
    if (client_call(r->t.port, method, path, heads.at,
                    slice_of(body ? body : ""), TALK_CALL_MS, r->t.arena, &e,
                    &r->a)) {
        FAIL("no answer: %s", e.text);
        return 0;
    }
    if (r->a.body.len && json_parse(r->t.arena, r->a.body, NULL, &r->j)) {
        r->j = NULL;
    }
    return r->a.status;
}

UNUSED static int get(struct roof *r, const char *path)
{
    return roof_call(r, "GET", path, NULL, NULL);
}

UNUSED static int post(struct roof *r, const char *path, const char *body)
{
    return roof_call(r, "POST", path, NULL, body);
}

UNUSED static int patch(struct roof *r, const char *path, const char *body)
{
    return roof_call(r, "PATCH", path, NULL, body);
}

UNUSED static int del(struct roof *r, const char *path)
{
    return roof_call(r, "DELETE", path, NULL, NULL);
}

/* A text of the last answer, NUL-terminated; "" if it is not there. */
UNUSED static const char *text_of(struct roof *r, const char *key)
{
    return slice_dup(r->t.arena, json_text(r->j, key)).at;
}

/* The last answer is this error, on this field ("" = none). */
UNUSED static void check_error(struct roof *r, int status, const char *code,
                               const char *field)
{
    const struct json *e = json_get(r->j, "error");
    CHECK_EQ_INT(r->a.status, status);
    CHECK_SLICE(json_text(e, "code"), code);
    CHECK_SLICE(json_text(e, "field"), field);
    CHECK(json_text(e, "message").len > 5);
}
#define CHECK_ERROR(r, status, code, field) check_error(r, status, code, field)

/* A line of the answer's head. */
UNUSED static bool head_has(const struct roof *r, const char *text)
{
    return memmem(r->a.head.at, r->a.head.len, text, strlen(text)) != NULL;
}

/* "path/id/rest" in the arena. */
UNUSED static const char *at(struct roof *r, const char *fmt, const char *id)
{
    char text[512];
    const char *hole = strstr(fmt, "%");
    must(hole != NULL);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(hole - fmt), fmt, id,
             hole + 1);
    return slice_dup(r->t.arena, slice_of(text)).at;
}

/* An agent with a session; gives the header line. *id may be NULL. */
UNUSED static const char *make_agent(struct roof *r, const char *email,
                                     const char *role, const char **id)
{
    const char *was = r->as;
    r->as = NULL;
    CHECK_EQ_INT(post(r, "/api/v1/agents",
                      talk_fmt(&r->t,
                               "{\"email\":\"%s\",\"name\":\"N\",\"password\":"
                               "\"password-1\",\"role\":\"%s\"}",
                               email, role)
                          .at),
                 201);
    if (id) {
        *id = text_of(r, "id");
    }
    CHECK_EQ_INT(post(r, "/api/v1/login",
                      talk_fmt(&r->t,
                               "{\"email\":\"%s\",\"password\":"
                               "\"password-1\"}",
                               email)
                          .at),
                 200);
    r->as = was;
    return roof_bearer(r, json_text(r->j, "token"));
}

/* One sentence of a talk (docs/author/talk.md). */
UNUSED static bool play_within(struct roof *r, const char *text, int64_t ms)
{
    const struct step *const all[] = {steps_given, steps_say, steps_see};
    struct line l = {.text = slice_of(text)};
    struct slice args[TALK_ARGS] = {{NULL, 0}};
    r->t.within_ms = ms;
    for (size_t i = 0; i < 3; i++) {
        for (const struct step *st = all[i]; st->pattern; st++) {
            if (read_match(st->pattern, &l, r->t.arena, args)) {
                return st->fn(&r->t, args, st->variant) == 0 ||
                       roof_fail(r, text);
            }
        }
    }
    FAIL("no such sentence: %s", text);
    return false;
}

UNUSED static bool play(struct roof *r, const char *text)
{
    return play_within(r, text, TALK_WAIT_MS);
}

/* The conversation of an actor. */
UNUSED static const char *conversation_of(struct roof *r, const char *name)
{
    struct actor *a = actor_find(&r->t, slice_of(name));
    return a ? slice_dup(r->t.arena, a->conversation).at : "";
}
