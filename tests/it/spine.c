/* SPDX-License-Identifier: Apache-2.0 */
#include "spine.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* $YUELAI, or the program two folders above ours. */
static const char *program(void)
{
    static char path[4096];
    const char *given = getenv("YUELAI");
    if (given)
        return given;
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
    path[n > 0 ? n : 0] = '\0';
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(path, '/');
        if (slash)
            *slash = '\0';
    }
    strcat(path, "/yuelai");
    return path;
}

bool spine_fail(struct spine *s, const char *what)
{
    FAIL("%s: %s", what, s->t.why);
    house_print_log(&s->t);
    s->t.why[0] = '\0';
    return false;
}

bool spine_play(struct spine *s, const char *text)
{
    const struct step *const all[] = {steps_given, steps_say, steps_see};
    struct line l = {.text = slice_of(text)};
    struct slice args[TALK_ARGS] = {{NULL, 0}};
    s->t.within_ms = TALK_WAIT_MS;
    for (size_t i = 0; i < 3; i++)
        for (const struct step *st = all[i]; st->pattern; st++)
            if (read_match(st->pattern, &l, s->t.arena, args)) {

                return st->fn(&s->t, args, st->variant) == 0 ||
                       spine_fail(s, text);
            }
    FAIL("no such sentence: %s", text);
    return false;
}

bool spine_open(struct spine *s, const char *data)
{
    *s = (struct spine){.t = {.house = ".", .arena = arena_new()}};
    s->t.program = program();
    s->t.env[s->t.env_count++] = SLICE("YUELAI_FRAMES_PER_S=0");
    s->t.epoch = clock_ms();
    s->t.within_ms = TALK_WAIT_MS;
    if (house_make(&s->t))
        return spine_fail(s, "folders");
    if (data)
        snprintf(s->t.data, sizeof(s->t.data), "%s", data);
    if (house_start(&s->t))
        return spine_fail(s, "start");
    if (!spine_play(s, "bo signs in") ||
        !spine_play(s, "anna connects on webchat"))
        return false;
    s->anna = actor_find(&s->t, SLICE("anna"));
    s->bo = actor_find(&s->t, SLICE("bo"));
    return true;
}

void spine_close(struct spine *s)
{
    if (s->t.pid && house_stop(&s->t))
        spine_fail(s, "stop");
    for (struct actor *a = s->t.actors; a; a = a->next)
        actor_leave(a, true);
    house_forget(&s->t, false);
    arena_free(s->t.arena);
}

void spine_say(struct spine *s, size_t bytes)
{
    struct unsent *u = arena_one(s->t.arena, struct unsent);
    struct unsent **last = &s->anna->unsent;
    char *fill = arena_text(s->t.arena, bytes + 1);
    memset(fill, 'x', bytes);
    fill[bytes] = '\0';
    while (*last)
        last = &(*last)->next;
    *last = u;
    u->ref = talk_fmt(&s->t, "m-%d", ++s->said);
    u->frame = talk_fmt(&s->t,
                        "{\"type\":\"send\",\"ref\":\"m-%d\",\"kind\":"
                        "\"text\",\"text\":\"m-%d %s\"}",
                        s->said, s->said, fill);
    if (s->anna->client && !s->anna->client->ended)
        client_send(s->anna->client, CLIENT_TEXT, u->frame);
}

void spine_listen(struct spine *s, int64_t ms)
{
    int64_t until = talk_now_ms() + ms;
    do {
        if (actor_pump(&s->t, 1))
            spine_fail(s, "listening");
    } while (talk_now_ms() < until);
}

bool spine_come_back(struct spine *s)
{
    s->t.within_ms = TALK_WAIT_MS;
    return spine_play(s, "anna reconnects") && spine_play(s, "bo reconnects");
}

bool spine_all_acked(struct spine *s, int64_t ms)
{
    int64_t until = talk_now_ms() + ms;
    while (s->anna->unsent && talk_now_ms() < until)
        if (actor_pump(&s->t, 20))
            return spine_fail(s, "waiting for acks");
    if (!s->anna->unsent)
        return true;
    s->t.why[0] = '\0';
    talk_fail(&s->t, "no ack of %.*s", SLICE_FMT(s->anna->unsent->ref));
    actor_tell(&s->t, s->anna);
    return spine_fail(s, "acks");
}

/* "m-12 xxx" -> 12 */
static int number_of(struct slice text)
{
    char b[16] = "";
    if (text.len < 3 || memcmp(text.at, "m-", 2) != 0)
        return 0;
    memcpy(b, text.at + 2, text.len - 2 < 15 ? text.len - 2 : 15);
    return atoi(b);
}

static void count_page(struct spine *s, const struct json *items, int *times,
                       int *seqs)
{
    for (struct json *j = json_is(items, JSON_ARRAY) ? items->first : NULL; j;
         j = j->next) {
        int n = number_of(json_text(j, "text"));
        int64_t seq = json_int(j, "seq", 0);
        if (n >= 1 && n <= s->said)
            times[n]++;
        if (seq >= 1 && seq <= s->said)
            seqs[seq]++;
        else
            FAIL("seq %lld of %d messages", (long long)seq, s->said);
    }
}

void spine_check_journal(struct spine *s)
{
    int *times = mem_alloc(sizeof(int) * (size_t)(s->said + 1));
    int *seqs = mem_alloc(sizeof(int) * (size_t)(s->said + 1));
    struct slice next = SLICE("");
    struct slice base =
        talk_fmt(&s->t, "/api/v1/conversations/%.*s/messages?limit=100",
                 SLICE_FMT(s->anna->conversation));
    for (int page = 0; page < s->said / 100 + 2; page++) {
        struct slice path =
            talk_fmt(&s->t, "%.*s%s%.*s", SLICE_FMT(base),
                     next.len ? "&after=" : "", SLICE_FMT(next));
        if (house_call(&s->t, "GET", path, s->t.admin, SLICE(""))) {
            spine_fail(s, "history");
            break;
        }
        CHECK_EQ_INT(s->t.answer.status, 200);
        count_page(s, json_get(s->t.answer_json, "items"), times, seqs);
        next = json_text(s->t.answer_json, "next");
        if (next.len == 0)
            break;
    }
    for (int i = 1; i <= s->said; i++) {
        test_note("message %d of %d", i, s->said);
        CHECK_EQ_INT(times[i], 1);
        CHECK_EQ_INT(seqs[i], 1);
    }
    mem_free(times);
    mem_free(seqs);
}

/* What the agent was shown, shortly, for the reader of a failure. */
static void tell_all(const struct spine *s)
{
    for (const struct seen *f = s->bo->first; f; f = f->next) {
        const struct json *data = json_get(f->json, "data");
        struct slice text = json_text(data, "text");
        printf("      bo %.*s %.*s %.*s %.*s\n",
               SLICE_FMT(json_text(f->json, "type")),
               SLICE_FMT(json_text(f->json, "event")),
               SLICE_FMT(json_text(f->json, "cursor")),
               (int)(text.len < 12 ? text.len : 12), text.at ? text.at : "");
    }
}

void spine_check_agent(struct spine *s)
{
    int *times = mem_alloc(sizeof(int) * (size_t)(s->said + 1));
    int64_t until = talk_now_ms() + TALK_WAIT_MS;
    int seen = 0;
    struct seen *at = NULL;
    while (seen < s->said && talk_now_ms() < until) {
        for (struct seen *f = at ? at->next : s->bo->first; f; f = f->next) {
            int n = number_of(json_text(json_get(f->json, "data"), "text"));
            if (slice_is(json_text(f->json, "event"), "message.created") &&
                n >= 1 && n <= s->said && times[n]++ == 0)
                seen++;
            at = f;
        }
        if (seen < s->said && actor_pump(&s->t, 20)) {
            spine_fail(s, "the agent's events");
            break;
        }
    }
    for (int i = 1; i <= s->said; i++) {
        test_note("message %d of %d at the agent", i, s->said);
        if (!CHECK_EQ_INT(times[i], 1)) {
            tell_all(s);
            break;
        }
    }
    mem_free(times);
}

void spine_verify(struct spine *s)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execl(s->t.program, "yuelai", "verify", "--data", s->t.data,
              (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK_EQ_INT(WEXITSTATUS(status), 0);
}
