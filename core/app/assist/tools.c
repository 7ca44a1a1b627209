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

static bool is_offered(const struct asking *k, struct slice name)
{
    struct desk_of_bot *b = bot_of(k->as, k->answered_by);
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

/* What it gave, or why not: the model reads it. */
static void told(struct asking *k, struct slice result)
{
    const struct json *call = k->call_at;
    struct buf out;
    buf_init(&out, 2 * RESULT_BYTES + 1024);
    if (result.len > RESULT_BYTES) {
        result.len = RESULT_BYTES;
        while (result.len && !slice_is_utf8(result)) {
            result.len--;
        }
    }
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "role", SLICE("tool"));
    jsonw_put_text(&w, "tool_call_id", json_text(call, "id"));
    jsonw_put_text(&w, "name", json_text(call, "name"));
    jsonw_put_text(&w, "text", result);
    jsonw_close(&w, '}');
    if (!w.failed) {
        (void)add(k, buf_slice(&out));
    }
    buf_fini(&out);
    k->call_at = call->next;
    next_call(k);
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

static void on_run(struct job *job)
{
    struct tool_run *t = job->owner;
    struct asking *k = map_get(&t->as->askings, t->asking);
    if (!k || job->result) {
        job_free(job); /* nobody wants it, or the house stops */
        return;
    }
    struct slice result = job->call->answer;
    const char *class = "tool";
    if (!job->ran || job->failures) {
        class = "tool failed";
        result = SLICE("{\"error\":\"the tool failed\"}");
    }
    asking_hops(k, job);
    asking_note(k, json_text(k->call_at, "name"), class, result);
    told(k, slice_dup(k->arena, result));
    job_free(job);
}

static struct slice ctx_of(struct asking *k, struct arena *a)
{
    char id[ID_TEXT];
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "turn", id_text(id, ID_TURN, k->id));
    jsonw_put_text(&w, "call", json_text(k->call_at, "id"));
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

static void run(struct asking *k, struct slice name, const struct json *args)
{
    struct assist *as = k->as;
    struct desk_of_bot *b = bot_of(as, k->answered_by);
    struct job *job = run_job(as, HOOK_TOOL, b->bot, on_run, NULL);
    struct tool_run *t = arena_one(job->arena, struct tool_run);
    char unit[80];
    struct buf out;
    *t = (struct tool_run){as, k->id};
    job->owner = t;
    snprintf(unit, sizeof unit, "ai/tools/%.*s", SLICE_FMT(name));
    job->unit = slice_dup(job->arena, slice_of(unit));
    buf_init(&out, LIMIT_TURN_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, args);
    job->call->item =
        w.failed ? SLICE("{}") : slice_dup(job->arena, buf_slice(&out));
    buf_fini(&out);
    job->call->config = job->call->secrets = SLICE("");
    job->call->more = ctx_of(k, job->arena);
    job->call->wall_ms = WALL_MS;
    meter_add(&m_calls, 1);
    if (as->server->script) {
        script_run(as->server->script, job);
        return;
    }
    job->result = ERR_CANCELLED;
    on_run(job);
}

static void next_call(struct asking *k)
{
    const struct json *call = k->call_at;
    if (!call) { /* all are done: it is asked again */
        k->tries = 0;
        asking_again(k);
        return;
    }
    struct slice name = json_text(call, "name");
    const struct json *face = tool_face(k->as, name);
    const struct json *args = json_get(call, "arguments");
    struct err e = {0};
    if (!face || !is_offered(k, name)) {
        refused(k, "there is no such tool");
    } else if (slice_is(json_text(face, "permission"), "agent") &&
               k->kind != ASKING_DRAFT) {
        refused(k, "only an agent may have this done");
    } else if (json_bool(face, "confirm", false)) {
        refused(k, "this needs a person: offer to hand over");
    } else if (schema_check(json_get(face, "parameters"), args, &e)) {
        refused(k, e.text);
    } else {
        run(k, name, args);
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
