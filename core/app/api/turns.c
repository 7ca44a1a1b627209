/* SPDX-License-Identifier: Apache-2.0 */
/* turns.c - the answers that assistants owed a conversation, and the button
 * that stops one.
 *
 * Happy path: rows as they are stored, newest first. Failure: a conversation
 * that is not the caller's to see is 404.
 */
#include "app/api/api.h"

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
static const struct field stop_out[] = {{.name = "stopped", .type = FIELD_BOOL},
                                        {0}};
static const struct field no_fields[] = {{0}};
const struct shape shape_turn = {"Turn", turn_out};
static const struct shape shape_stop = {"TurnStop", stop_out};
#define ONE "/api/v1/conversations/{id}"
const struct route routes_turns[] = {
    {"GET", ONE "/turns", list, ACCESS_AGENT, "conversations", ROUTE_LIST, 200,
     NULL, &shape_turn, "What assistants were asked, newest first", NULL, NULL},
    {"POST", ONE "/stop", stop, ACCESS_AGENT, "conversations", 0, 200,
     no_fields, &shape_stop, "Stop the answer that is being given", NULL, NULL},
    {0}};
