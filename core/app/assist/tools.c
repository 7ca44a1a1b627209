/* SPDX-License-Identifier: Apache-2.0 */
/* tools.c - what a model wants done: one call after the other, then it is asked
 * again with what they gave.
 *
 * Happy path: arguments fit the tool's schema, its run() gives a result, both
 * go into the next round's messages; ROUNDS_MOST rounds at most. Failure: a
 * tool that is not offered to this assistant, wrong arguments, one that must be
 * confirmed by a person, one that fails: the model is told so in words and may
 * say something else. What a tool gave is cut to RESULT_BYTES.
 */
#include "app/assist/inside.h"
#include "app/assist/schema.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/meter.h"
#include <stdio.h>

#define RESULT_BYTES (8 * 1024)
#define EXTRA_BYTES (96 * 1024)
#define WALL_MS 15000

METER(m_calls, METER_COUNTER, "yuelai_tool_calls_total",
      "Tools that models have called");
METER(m_refused, METER_COUNTER, "yuelai_tool_calls_refused_total",
      "Of these, refused: not offered, wrong arguments, not confirmed");

struct tool_run {
    struct assist *as;
    uint64_t asking;
};

static void next_call(struct asking *k);

bool tools_offered(const struct asking *k, struct slice bot, struct slice name)
{
    struct desk_of_bot *b =
        k->draft && k->draft->bare ? NULL : bot_of(k->as, bot);
    for (size_t i = 0; b && i < b->bot->tool_count; i++) {
        if (slice_eq(b->bot->tools[i], name)) {
            return true;
        }
    }
    return false;
}

/* One more member of the messages, JSON. */
static bool add(struct asking *k, struct slice json)
{
    struct slice was = k->extra;
    bool comma = was.len > 0;
    if (was.len + json.len + 1 > EXTRA_BYTES) {
        return false;
    }
    char *at = arena_text(k->arena, was.len + json.len + 1);
    size_t n = was.len;
    if (n) {
        memcpy(at, was.at, n);
    }
    if (comma) {
        at[n++] = ',';
    }
    memcpy(at + n, json.at, json.len);
    k->extra = (struct slice){at, n + json.len};
    return true;
}

static bool put_result(struct asking *k, const struct json *call,
                       struct slice result)
{
    struct buf out;
    buf_init(&out, 6 * RESULT_BYTES + 4096); /* \u0001 */
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "role", SLICE("tool"));
    jsonw_put_text(&w, "tool_call_id", json_text(call, "id"));
    jsonw_put_text(&w, "name", json_text(call, "name"));
    jsonw_put_text(&w, "text", result);
    jsonw_close(&w, '}');
    bool well = !w.failed && add(k, buf_slice(&out));
    buf_fini(&out);
    return well;
}

/* What it gave, or why not: the model reads it. */
static void add_result(struct asking *k, const struct json *call,
                       struct slice result)
{
    if (result.len > RESULT_BYTES) {
        result.len = RESULT_BYTES;
        while (result.len && !slice_is_utf8(result)) {
            result.len--;
        }
    }
    if (!put_result(k, call, result)) {
        (void)put_result(k, call, SLICE("there is no room for what it gave"));
    }
}

static void told(struct asking *k, struct slice result)
{
    add_result(k, k->call_at, result);
    k->call_at = k->call_at->next;
    next_call(k);
}

void tools_tell(struct asking *k, struct slice call, struct slice result)
{
    struct json *j = NULL;
    struct buf out;
    buf_init(&out, EXTRA_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "role", SLICE("assistant"));
    jsonw_put_text(&w, "text", SLICE(""));
    jsonw_key(&w, "tool_calls");
    jsonw_open(&w, '[');
    jsonw_raw(&w, call);
    jsonw_close(&w, ']');
    jsonw_close(&w, '}');
    if (!w.failed && json_parse(k->arena, call, NULL, &j) == 0 &&
        add(k, buf_slice(&out))) {
        add_result(k, j, result);
    }
    buf_fini(&out);
}

static void refused(struct asking *k, const char *why)
{
    char text[400];
    meter_add(&m_refused, 1);
    int n = snprintf(text, sizeof text, "{\"error\":\"%s\"}", why);
    asking_note(k, json_text(k->call_at, "name"), "tool refused",
                slice_of(why));
    told(k, (struct slice){text, (size_t)n < sizeof text ? (size_t)n
                                                         : sizeof text - 1});
}

struct slice tools_result(const struct job *job, const char **class)
{
    *class = "tool";
    if (!job->ran || job->failures) {
        *class = "tool failed";
        return SLICE("{\"error\":\"the tool failed\"}");
    }
    return job->call->answer;
}

static void on_run(struct job *job)
{
    struct tool_run *t = job->owner;
    struct asking *k = map_get(&t->as->askings, t->asking);
    if (!k || job->result) {
        job_free(job); /* nobody wants it, or the house stops */
        return;
    }
    const char *class;
    struct slice result = tools_result(job, &class);
    asking_hops(k, job);
    asking_note(k, json_text(k->call_at, "name"), class, result);
    told(k, slice_dup(k->arena, result));
    job_free(job);
}

static struct slice ctx_of(struct asking *k, const struct json *call,
                           struct slice key, struct arena *a)
{
    char id[ID_TEXT];
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "turn", id_text(id, ID_TURN, k->id));
    jsonw_put_text(&w, "call", json_text(call, "id"));
    jsonw_put_text(&w, "key", key);
    if (k->conv) {
        const struct contact *who =
            desk_contact(k->as->server->desk, k->contact);
        jsonw_put_text(&w, "conversation",
                       id_text(id, ID_CONVERSATION, k->conv));
        jsonw_key(&w, "contact");
        if (who) {
            contact_write(&w, who);
        } else {
            jsonw_open(&w, '{');
            jsonw_put_text(&w, "id", id_text(id, ID_CONTACT, k->contact));
            jsonw_close(&w, '}');
        }
    }
    jsonw_close(&w, '}');
    struct slice s = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return s;
}

struct job *tools_job(struct asking *k, struct slice bot,
                      const struct json *call, struct slice key,
                      void (*done)(struct job *), void *owner)
{
    struct desk_of_bot *b = bot_of(k->as, bot);
    struct job *job = run_job(k->as, HOOK_TOOL, b->bot, done, owner);
    char unit[80];
    struct buf out;
    snprintf(unit, sizeof unit, "ai/tools/%.*s",
             SLICE_FMT(json_text(call, "name")));
    job->unit = slice_dup(job->arena, slice_of(unit));
    buf_init(&out, LIMIT_TURN_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, json_get(call, "arguments"));
    job->call->item =
        w.failed ? SLICE("{}") : slice_dup(job->call->given, buf_slice(&out));
    buf_fini(&out);
    job->call->config = job->call->secrets = SLICE("");
    job->call->more = ctx_of(k, call, key, job->arena);
    job->call->wall_ms = WALL_MS;
    meter_add(&m_calls, 1);
    return job;
}

static void run(struct asking *k)
{
    struct assist *as = k->as;
    char id[ID_TEXT], key[ID_TEXT + 80];
    int n =
        snprintf(key, sizeof key, "%s:%.64s", id_text(id, ID_TURN, k->id).at,
                 slice_dup(k->arena, json_text(k->call_at, "id")).at);
    struct job *job = tools_job(k, k->answered_by, k->call_at,
                                (struct slice){key, (size_t)n}, on_run, NULL);
    struct tool_run *t = arena_one(job->arena, struct tool_run);
    *t = (struct tool_run){as, k->id};
    job->owner = t;
    if (as->server->script) {
        script_run(as->server->script, job);
        return;
    }
    job->result = ERR_CANCELLED;
    on_run(job);
}

/* NULL: it runs, or a person is asked; the asking may be gone. */
static const char *begin_call(struct asking *k, const struct json *call)
{
    struct slice name = json_text(call, "name");
    const struct json *face = tool_face(k->as, name);
    struct err e = {0};
    if (!face || !tools_offered(k, k->answered_by, name)) {
        return "there is no such tool";
    }
    if (slice_is(json_text(face, "permission"), "agent") &&
        k->kind != ASKING_DRAFT) {
        return "only an agent may have this done";
    }
    if (schema_check(json_get(face, "parameters"), json_get(call, "arguments"),
                     &e)) {
        return slice_dup(k->arena, slice_of(e.text)).at;
    }
    const char *by = confirm_by(k, face);
    if (*by) {
        return confirm_ask(k, face, call, by);
    }
    run(k);
    return NULL;
}

static void next_call(struct asking *k)
{
    const struct json *call = k->call_at;
    if (!call) { /* all are done: it is asked again */
        k->tries = 0;
        asking_again(k);
        return;
    }
    const char *why = begin_call(k, call);
    if (why) {
        refused(k, why);
    }
}

/* {"role":"assistant","text":…,"tool_calls":[…]} */
static bool keep_question(struct asking *k)
{
    struct buf out;
    buf_init(&out, EXTRA_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "role", SLICE("assistant"));
    jsonw_put_text(&w, "text",
                   k->text.len ? (struct slice){k->text.data + k->round_from,
                                                k->text.len - k->round_from}
                               : SLICE(""));
    jsonw_put_raw(&w, "tool_calls", k->calls);
    jsonw_close(&w, '}');
    bool well = !w.failed && add(k, buf_slice(&out));
    buf_fini(&out);
    k->round_from = k->text.len;
    return well;
}

void tools_begin(struct asking *k)
{
    struct json *calls = NULL;
    if (k->rounds++ >= ROUNDS_MOST ||
        json_parse(k->arena, k->calls, NULL, &calls) < 0 ||
        !json_is(calls, JSON_ARRAY) || !keep_question(k)) {
        asking_note(k, k->answered_by, "tools", SLICE("too many rounds"));
        k->calls = SLICE("");
        k->class = SLICE("broken");
        k->done(k, k->text.len > 0);
        return;
    }
    k->call_at = calls->first;
    next_call(k);
}
