/* SPDX-License-Identifier: Apache-2.0 */
/* steps_given.c - sentences about the house: what is given, files, the server,
 * scripts, REST.
 */
#include "app/talk/talk.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct slice take_until(struct slice *s, char end)
{
    const char *at = s->len ? memchr(s->at, end, s->len) : NULL;
    size_t n = at ? (size_t)(at - s->at) : s->len;
    struct slice out = slice_trim((struct slice){s->at, n});
    size_t used = at ? n + 1 : n;
    s->at += used;
    s->len -= used;
    return out;
}

/* --- given ----------------------------------------------------------------- */

static int given_scripts(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    return house_scripts(t, args[0]);
}

/* "2030-01-05 22:00 Europe/Berlin": the server's clock starts there, and local
 * time is that zone's. */
static int given_time(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct tm tm = {.tm_isdst = -1};
    struct slice text = talk_fmt(t, "%.*s", SLICE_FMT(args[0]));
    const char *rest = strptime(text.at, "%Y-%m-%d %H:%M", &tm);
    if (!rest)
        return talk_fail(t, "a time is 2030-01-05 22:00 Europe/Berlin");
    while (*rest == ' ')
        rest++;
    setenv("TZ", *rest ? rest : "UTC", 1);
    tzset();
    int64_t at = (int64_t)mktime(&tm) * 1000;
    snprintf(t->clock, sizeof(t->clock), "%lld", (long long)at);
    if (*rest && t->env_count < 64)
        t->env[t->env_count++] = talk_fmt(t, "TZ=%s", rest);
    unsetenv("TZ"); /* the next talk has its own */
    tzset();
    return 0;
}

static int given_env(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    if (t->env_count == 64)
        return talk_fail(t, "too many settings");
    t->env[t->env_count++] = talk_fmt(t, "%.*s=%.*s", SLICE_FMT(args[0]),
                                      SLICE_FMT(read_webs(t, args[1])));
    return 0;
}

static int given_config(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    return house_write(t, SLICE("config.lua"), read_webs(t, args[0]));
}

/* "max_load 1, role supervisor" -> ,"max_load":1,"role":"supervisor" */
static int given_agent(struct talk *t, struct slice *args, int variant)
{
    struct actor *a = actor_get(t, args[0]);
    struct slice rest = variant ? args[1] : SLICE("");
    struct buf b;
    a->is_agent = true;
    buf_init(&b, 4096);
    while (rest.len) {
        struct slice member = take_until(&rest, ',');
        struct slice name = take_until(&member, ' ');
        int64_t n;
        buf_addf(&b, ",\"%.*s\":", SLICE_FMT(name));
        member = slice_trim(member);
        if (slice_to_i64(member, &n) || (member.len && member.at[0] == '['))
            buf_add_slice(&b, member);
        else
            json_quote(&b, member);
    }
    a->extra = slice_dup(t->arena, buf_slice(&b));
    buf_fini(&b);
    return 0;
}

static int given_twice(struct talk *t, struct slice *args, int variant)
{
    (void)args, (void)variant;
    t->twice_is_fine = true;
    return 0;
}

/* --- scripts --------------------------------------------------------------- */

/* "10-hello.lua" -> "10-hello" */
static struct slice bare_name(struct slice file)
{
    for (size_t i = file.len; i > 0; i--)
        if (file.at[i - 1] == '/') {
            file = (struct slice){file.at + i, file.len - i};
            break;
        }
    if (file.len > 4 && memcmp(file.at + file.len - 4, ".lua", 4) == 0)
        file.len -= 4;
    return file;
}

/* The script's entry in GET /api/v1/scripts; *state is a text that changes
 * whenever the server did something with it. */
static int find_script(struct talk *t, struct slice file, struct json **out,
                       struct slice *state)
{
    struct slice bare = bare_name(file);
    *out = NULL;
    *state = SLICE("none");
    if (house_call(t, "GET", SLICE("/api/v1/scripts?limit=100"), t->admin,
                   SLICE("")))
        return -1;
    if (t->answer.status != 200)
        return talk_fail(t, "GET /api/v1/scripts: %d", t->answer.status);
    struct json *items = json_get(t->answer_json, "items");
    for (struct json *j = json_is(items, JSON_ARRAY) ? items->first : NULL; j;
         j = j->next) {
        struct slice name = bare_name(json_text(j, "name"));
        if (!slice_eq(name, bare))
            continue;
        struct json *errors = json_get(j, "errors");
        struct json *canary = json_get(j, "canary");
        *out = j;
        *state = talk_fmt(t, "%lld %.*s %lld %u %.*s",
                          (long long)json_int(j, "version", 0),
                          SLICE_FMT(json_text(j, "state")),
                          (long long)json_int(j, "loaded_at", 0),
                          json_is(errors, JSON_ARRAY) ? errors->count : 0,
                          SLICE_FMT(json_text(canary, "version")));
        break;
    }
    return 0;
}

/* A file in a folder of the room that is not the unit itself. */
static bool is_part(struct slice path, const char *room, const char *unit)
{
    size_t n = strlen(room), m = strlen(unit);
    return slice_starts(path, room) && path.len > n &&
           memchr(path.at + n, '/', path.len - n) &&
           !(path.len > m && !memcmp(path.at + path.len - m, unit, m));
}

/* What others require: which of them are loaded again is not for us to tell. */
static bool is_lib(struct slice path)
{
    return slice_starts(path, "scripts/lib/") ||
           is_part(path, "channels/", "/adapter.lua") ||
           slice_is(path, "ai/guard.lua") ||
           (is_part(path, "ai/", "/connector.lua") &&
            !slice_starts(path, "ai/tools/"));
}

/* Writes or removes; if the server runs, waits until it has looked at it. */
static int change_file(struct talk *t, struct slice path, struct slice text)
{
    struct json *j;
    struct slice was, now;
    bool script = path.len > 4 &&
                  memcmp(path.at + path.len - 4, ".lua", 4) == 0 &&
                  !slice_is(path, "config.lua");
    bool wait = t->pid && script && !is_lib(path);
    if (wait && find_script(t, path, &j, &was))
        return -1;
    if (text.at ? house_write(t, path, text) : house_remove(t, path))
        return -1;
    int64_t until = talk_now_ms() + t->within_ms;
    while (wait) {
        if (actor_pump(t, 10) || find_script(t, path, &j, &now))
            return -1;
        if (!slice_eq(was, now))
            break;
        if (talk_now_ms() > until)
            return talk_fail(t, "the server took no notice of %.*s",
                             SLICE_FMT(path));
    }
    return 0;
}

static int rule_is(struct talk *t, struct slice *args, int removed)
{
    return change_file(t, talk_fmt(t, "scripts/rules/%.*s", SLICE_FMT(args[0])),
                       removed ? (struct slice){NULL, 0}
                               : read_webs(t, args[1]));
}

static int file_is(struct talk *t, struct slice *args, int removed)
{
    return change_file(
        t, args[0], removed ? (struct slice){NULL, 0} : read_webs(t, args[1]));
}

/* script WORD is STATE / script WORD has FIELD OP VALUE */
static int script_is(struct talk *t, struct slice *args, int has)
{
    struct slice state;
    struct json *j;
    int64_t until = talk_now_ms() + t->within_ms;
    for (;;) {
        if (find_script(t, args[0], &j, &state))
            return -1;
        if (j && !has && slice_eq(json_text(j, "state"), args[1]))
            return 0;
        if (j && has &&
            step_compare(t, step_field(j, args[1]), args[2], args[3]))
            return 0;
        if (talk_now_ms() > until)
            return talk_fail(t, "script %.*s is %.*s: %.*s", SLICE_FMT(args[0]),
                             SLICE_FMT(state), SLICE_FMT(t->answer.body));
        if (actor_pump(t, 10))
            return -1;
    }
}

/* --- the server ------------------------------------------------------------ */

enum { START, KILL, STOP, RESTART };

static int server(struct talk *t, struct slice *args, int what)
{
    (void)args;
    /* Words that come before the end are heard, even of a killed one. */
    switch (what) {
    case KILL:
        return house_kill(t);
    case STOP:
        return house_stop(t);
    case RESTART:
        if (t->pid && house_stop(t))
            return -1;
        return house_start(t);
    default:
        return house_start(t);
    }
}

static int log_has(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    int64_t until = talk_now_ms() + t->within_ms;
    char text[65536];
    do {
        FILE *f = fopen(t->log, "r");
        size_t n = 0;
        if (f) {
            fseek(f, 0, SEEK_END);
            long end = ftell(f);
            fseek(f, end > 65536 ? end - 65536 : 0, SEEK_SET);
            n = fread(text, 1, sizeof(text), f);
            fclose(f);
        }
        if (memmem(text, n, args[0].at, args[0].len))
            return 0;
    } while (actor_pump(t, 10) == 0 && talk_now_ms() < until);
    return talk_fail(t, "the server's log does not say so");
}

/* --- REST ------------------------------------------------------------------ */

static int calls(struct talk *t, struct slice *args, int with_body)
{
    struct actor *a = actor_find(t, args[0]);
    struct slice token = slice_is(args[0], "admin") ? t->admin
                         : a                        ? a->token
                                                    : SLICE("");
    struct slice method = talk_fmt(t, "%.*s", SLICE_FMT(args[1]));
    if (!a && !slice_is(args[0], "admin") && !slice_is(args[0], "nobody"))
        return talk_fail(t, "who is %.*s? (admin, nobody, or one of the talk)",
                         SLICE_FMT(args[0]));
    return house_call(t, method.at, read_variables(t, args[2]), token,
                      with_body ? read_variables(t, args[3]) : SLICE(""));
}

/* admin calls GET /api/v1/dead-letters until total = 1: what the house stores
 * after it was seen elsewhere (a log line, say) is asked for again and again. */
static int calls_until(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    int64_t until = talk_now_ms() + t->within_ms;
    for (;;) {
        if (calls(t, args, 0))
            return -1;
        if (step_compare(t, step_field(t->answer_json, args[3]), args[4],
                         args[5]))
            return 0;
        if (talk_now_ms() > until)
            return talk_fail(t, "the last answer was %d %.*s", t->answer.status,
                             SLICE_FMT(t->answer.body));
        if (actor_pump(t, 20))
            return -1;
    }
}

static int answer_is(struct talk *t, struct slice *args, int has)
{
    int64_t status;
    if (!has && slice_to_i64(args[0], &status) && status == t->answer.status)
        return 0;
    if (has &&
        step_compare(t, step_field(t->answer_json, args[0]), args[1], args[2]))
        return 0;
    return talk_fail(t, "the answer was %d %.*s", t->answer.status,
                     SLICE_FMT(t->answer.body));
}

const struct step steps_given[] = {
    {"given scripts WORD", given_scripts, 0, true},
    {"given time REST", given_time, 0, true},
    {"given env WORD = REST", given_env, 0, true},
    {"given config is BLOCK", given_config, 0, true},
    {"given agent WORD", given_agent, 0, true},
    {"given agent WORD with REST", given_agent, 1, true},
    {"given twice is fine", given_twice, 0, true},
    {"rule WORD is BLOCK", rule_is, 0, true},
    {"rule WORD is removed", rule_is, 1, true},
    {"file WORD is BLOCK", file_is, 0, true},
    {"file WORD is removed", file_is, 1, true},
    {"script WORD is WORD", script_is, 0, false},
    {"script WORD has WORD OP REST", script_is, 1, false},
    {"server starts", server, START, true},
    {"server is killed", server, KILL, false},
    {"server stops", server, STOP, false},
    {"server restarts", server, RESTART, false},
    {"log has TEXT", log_has, 0, false},
    {"WHO calls WORD WORD", calls, 0, false},
    {"WHO calls WORD WORD with REST", calls, 1, false},
    {"WHO calls WORD WORD until WORD OP REST", calls_until, 0, false},
    {"answer is WORD", answer_is, 0, false},
    {"answer has WORD OP REST", answer_is, 1, false},
    {NULL, NULL, 0, false},
};
