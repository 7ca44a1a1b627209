/* SPDX-License-Identifier: Apache-2.0 */
/* turns.c - the answers that assistants owed a conversation, and the button
 * that stops one.
 *
 * Happy path: rows as they are stored, newest first. Failure: a conversation
 * that is not the caller's to see is 404.
 */
#include "app/api/api.h"
#include "app/assist/assist.h"
#include "base/limits.h"

static void list_loaded(struct call *c, const struct conversation *v)
{
    struct page p;
    if (!page_read(c, &p)) {
        return;
    }
    struct query *q = query_new(QUERY_TURNS, reply_page, c);
    q->conv = v->id;
    q->state = -1;
    q->limit = p.limit;
    q->offset = p.offset;
    server_read(c->s, q);
}

static void list(struct call *c)
{
    conversation_load(c, list_loaded);
}

static void stop_loaded(struct call *c, const struct conversation *v)
{
    if (!desk_stop_turn(c->s->desk, v->id)) {
        reply_fail(c, ERR_CONFLICT, NULL, "nothing is being answered");
        return;
    }
    jsonw_raw(reply_begin(c), SLICE("{\"stopped\":true}"));
    reply_send(c, 200);
}

static void stop(struct call *c)
{
    conversation_load(c, stop_loaded);
}

/* --- an agent looks on ---------------------------------------------------- */

/* Events of what a bot holds go to its visitor alone; who looks, asks, and may
 * have the pieces by frames (FRAME_WATCH). */
static void look_loaded(struct call *c, const struct conversation *v)
{
    uint64_t turn = desk_turn_of(c->s->desk, v->id);
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_put_text(w, "state", slice_of(conv_state_name(v->state)));
    jsonw_put_text(w, "assistant", v->bot);
    jsonw_put_int(w, "last_seq", v->last_seq);
    if (turn) {
        struct slice text = assist_so_far(c->s, turn);
        put_id(w, "stream", ID_TURN, turn);
        jsonw_put_text(w, "text", text.len ? text : SLICE(""));
    }
    jsonw_close(w, '}');
    reply_send(c, 200);
}

static void look(struct call *c)
{
    conversation_load(c, look_loaded);
}

/* --- the agent's co-pilot ------------------------------------------------- */

static void on_draft(void *arg, const struct draft_answer *a)
{
    struct call *c = arg;
    if (!a->well) {
        reply_fail(c, ERR_UNAVAILABLE, NULL, "%.*s: %.*s", SLICE_FMT(a->class),
                   SLICE_FMT(a->detail));
        return;
    }
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_put_text(w, "text", a->text);
    jsonw_put_text(w, "assistant", a->assistant);
    jsonw_key(w, "usage");
    purse_write(w, &a->spent, a->currency);
    jsonw_close(w, '}');
    reply_send(c, 200);
}

static void copilot_loaded(struct call *c, const struct conversation *v)
{
    static const char *const tasks[][2] = {{"draft", "copilot-draft"},
                                           {"rewrite", "copilot-rewrite"},
                                           {"translate", "copilot-translate"},
                                           {"summarise", "copilot-summary"}};
    struct slice task = body_text(c, "task"), prompt = SLICE("");
    struct draft d = {.agent = c->who.agent,
                      .conv = v->id,
                      .contact = v->contact,
                      .assistant = body_text(c, "assistant"),
                      .stream = body_text(c, "stream"),
                      .wish = body_text(c, "wish"),
                      .done = on_draft,
                      .arg = c};
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        if (slice_is(task, tasks[i][0])) {
            prompt = slice_of(tasks[i][1]);
        }
    }
    d.prompt = prompt;
    if (slice_is(task, "rewrite") || slice_is(task, "translate")) {
        d.text = body_text(c, "text");
        if (!d.text.len) {
            reply_fail(c, ERR_UNPROCESSABLE, "text", "text is missing");
            return;
        }
    }
    if (!assist_draft(c->s, &d)) {
        reply_fail(c, ERR_UNAVAILABLE, "assistant",
                   "there is no such assistant");
    }
}

static void copilot(struct call *c)
{
    conversation_load(c, copilot_loaded);
}

static const struct field copilot_in[] = {
    {.name = "task",
     .type = FIELD_TEXT,
     .required = true,
     .choices = "draft|rewrite|translate|summarise"},
    {.name = "text", .type = FIELD_TEXT, .most = LIMIT_TEXT_BYTES},
    {.name = "wish",
     .type = FIELD_TEXT,
     .most = 400,
     .help = "rewrite: how (friendlier, shorter); translate: the language"},
    {.name = "assistant", .type = FIELD_TEXT, .most = 64},
    {.name = "stream",
     .type = FIELD_TEXT,
     .most = 64,
     .help = "a name of your own: pieces come as delta frames with it"},
    {0}};
static const struct field copilot_out[] = {
    {.name = "text", .type = FIELD_TEXT},
    {.name = "assistant", .type = FIELD_TEXT},
    {.name = "usage", .type = FIELD_OBJECT},
    {0}};
static const struct shape shape_copilot = {"Draft", copilot_out};
static const struct field turn_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "conversation", .type = FIELD_TEXT},
    {.name = "message", .type = FIELD_TEXT, .help = "of the visitor"},
    {.name = "seq", .type = FIELD_INT},
    {.name = "assistant", .type = FIELD_TEXT},
    {.name = "state",
     .type = FIELD_TEXT,
     .choices = "pending|done|failed|cancelled"},
    {.name = "reason", .type = FIELD_TEXT},
    {.name = "note",
     .type = FIELD_OBJECT,
     .help = "who was asked, usage, prompt, tools"},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {0}};
static const struct field look_out[] = {
    {.name = "state", .type = FIELD_TEXT, .help = "of the conversation"},
    {.name = "assistant", .type = FIELD_TEXT},
    {.name = "last_seq", .type = FIELD_INT},
    {.name = "stream",
     .type = FIELD_TEXT,
     .help = "of the answer that is being given; absent: none is"},
    {.name = "text", .type = FIELD_TEXT, .help = "of it, so far"},
    {0}};
static const struct shape shape_look = {"AnswerSoFar", look_out};
static const struct field stop_out[] = {{.name = "stopped", .type = FIELD_BOOL},
                                        {0}};
static const struct field no_fields[] = {{0}};
const struct shape shape_turn = {"Turn", turn_out};
static const struct shape shape_stop = {"TurnStop", stop_out};
#define ONE "/api/v1/conversations/{id}"
const struct route routes_turns[] = {
    {"GET", ONE "/turns", list, ACCESS_AGENT, "conversations", ROUTE_LIST, 200,
     NULL, &shape_turn, "What assistants were asked, newest first", NULL, NULL},
    {"GET", ONE "/answer", look, ACCESS_AGENT, "conversations", 0, 200, NULL,
     &shape_look, "The answer that an assistant is giving, so far", NULL, NULL},
    {"POST", ONE "/stop", stop, ACCESS_AGENT, "conversations", 0, 200,
     no_fields, &shape_stop, "Stop the answer that is being given", NULL, NULL},
    {"POST", ONE "/copilot", copilot, ACCESS_AGENT, "conversations",
     ROUTE_READS, 200, copilot_in, &shape_copilot,
     "A draft, other words, a translation or a summary, for you alone", NULL,
     NULL},
    {0}};
