/* SPDX-License-Identifier: Apache-2.0 */
/* flows.c - runs of flows: what they wait for, how far they are, their end.
 *
 * Happy path: rows from the store as they are; a cancel goes by the desk, which
 * owns every flow that has not ended, and answers with the row as it is then.
 * Failure: an agent sees the flows of conversations they may see; a flow that
 * has ended cannot be cancelled (409).
 */
#include "app/api/api.h"
#include "base/clock.h"

static void ask(struct call *c, void (*done)(struct query *q))
{
    struct query *q = query_new(QUERY_FLOW, done, c);
    q->id = c->id;
    server_read(c->s, q);
}

/* True after an answer: there is none, or it could not be read. Frees q then. */
static bool is_missing(struct call *c, struct query *q)
{
    if (q->result == 0) {
        return false;
    }
    struct err e = q->err;
    e.code = q->result;
    query_free(q);
    reply_error(c, &e);
    return true;
}

/* --- list --- */

static bool filter_state(struct call *c, struct query *q)
{
    struct slice text;
    enum flow_state state;
    if (!http_query(c->r, "state", &text) || text.len == 0) {
        return true;
    }
    if (!flow_state_find(text, &state)) {
        reply_fail(c, ERR_BAD_REQUEST, "state",
                   "state must be ready, sleeping, waiting, done, failed or "
                   "cancelled");
        return false;
    }
    q->state = (int)state;
    return true;
}

static void read_list(struct call *c)
{
    struct page p;
    struct slice script;
    struct query *q = query_new(QUERY_FLOWS, reply_page, c);
    if (!page_read(c, &p) || !filter_state(c, q)) {
        query_free(q);
        return;
    }
    if (http_query(c->r, "script", &script)) {
        q->text = slice_dup(q->arena, script);
    }
    q->conv = c->id;
    q->limit = p.limit;
    q->offset = p.offset;
    server_read(c->s, q);
}

static void list_of(struct call *c, const struct conversation *v)
{
    c->id = v->id;
    read_list(c);
}

static void list(struct call *c)
{
    struct slice text;
    uint64_t conv = 0;
    if (http_query(c->r, "conversation", &text) && text.len) {
        if (!id_parse(text, ID_CONVERSATION, &conv)) {
            reply_fail(c, ERR_BAD_REQUEST, "conversation",
                       "conversation must be an id");
            return;
        }
        conversation_load_id(c, conv, list_of);
    } else if (c->who.role == AGENT_ROLE_AGENT) {
        reply_fail(c, ERR_FORBIDDEN, "conversation",
                   "say of which conversation; all are for supervisors");
    } else {
        read_list(c);
    }
}

/* --- one --- */

static void reply_text(struct call *c)
{
    struct jsonw *w = reply_begin(c);
    jsonw_raw(w, c->text);
    reply_send(c, 200);
}

static void reply_seen(struct call *c, const struct conversation *v)
{
    (void)v;
    reply_text(c);
}

static void on_one(struct query *q)
{
    struct call *c = q->owner;
    if (is_missing(c, q)) {
        return;
    }
    uint64_t conv = q->flow->conv;
    c->text = slice_dup(c->a, q->json);
    query_free(q);
    if (conv && c->who.role == AGENT_ROLE_AGENT) {
        conversation_load_id(c, conv, reply_seen);
    } else {
        reply_text(c);
    }
}

static void get(struct call *c)
{
    if (call_id(c, 0, ID_FLOW, "flow", &c->id)) {
        ask(c, on_one);
    }
}

/* --- its end --- */

static void on_after(struct query *q)
{
    struct call *c = q->owner;
    if (is_missing(c, q)) {
        return;
    }
    char id[ID_TEXT];
    struct jsonw *w = reply_begin(c);
    jsonw_raw(w, q->json);
    struct tx *tx = tx_new(NULL, c);
    audit_put(c, tx, "flow.cancel", id_text(id, ID_FLOW, c->id), SLICE(""));
    query_free(q);
    reply_commit(c, tx, 200, NULL);
}

static void reply_ended(struct call *c)
{
    reply_fail(c, ERR_CONFLICT, NULL, "this flow has ended");
}

static void on_cancelled(void *arg, int result)
{
    struct call *c = arg;
    if (result == ERR_NOT_FOUND || result == ERR_CONFLICT) {
        reply_ended(c);
    } else if (result) {
        reply_fail(c, result, NULL, "the flow could not be ended");
    } else {
        ask(c, on_after);
    }
}

static void on_before(struct query *q)
{
    struct call *c = q->owner;
    if (is_missing(c, q)) {
        return;
    }
    bool ended = q->flow->state >= FLOW_DONE;
    query_free(q);
    if (ended || desk_cancel_flow(c->s->desk, c->id, on_cancelled, c)) {
        reply_ended(c);
    }
}

static void cancel(struct call *c)
{
    if (call_id(c, 0, ID_FLOW, "flow", &c->id)) {
        ask(c, on_before);
    }
}

/* --- tables --- */

static const struct field no_fields[] = {{0}};
static const struct field flow_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "script", .type = FIELD_TEXT, .help = "\"flows/refund\""},
    {.name = "version", .type = FIELD_TEXT, .help = "it last ran on"},
    {.name = "conversation", .type = FIELD_TEXT},
    {.name = "contact", .type = FIELD_TEXT},
    {.name = "state",
     .type = FIELD_TEXT,
     .choices = "ready|sleeping|waiting|done|failed|cancelled"},
    {.name = "due_at", .type = FIELD_INT, .help = "it goes on then, or null"},
    {.name = "step", .type = FIELD_INT, .help = "entries of its log"},
    {.name = "attempts",
     .type = FIELD_INT,
     .help = "runs that failed since the last step"},
    {.name = "error", .type = FIELD_TEXT, .help = "or null"},
    {.name = "args", .type = FIELD_ANY},
    {.name = "view",
     .type = FIELD_OBJECT,
     .help = "for people: what it waits for, its saga's steps"},
    {.name = "log", .type = FIELD_ANY, .help = "only of one flow"},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {0}};
const struct shape shape_flow = {"Flow", flow_out};
#define ONE "/api/v1/flows/{id}"
const struct route routes_flows[] = {
    {"GET", "/api/v1/flows", list, ACCESS_AGENT, "flows", ROUTE_LIST, 200, NULL,
     &shape_flow, "Runs of flows, newest first", "state conversation script",
     NULL},
    {"GET", ONE, get, ACCESS_AGENT, "flows", 0, 200, NULL, &shape_flow,
     "One run of a flow, with its log", NULL, NULL},
    {"POST", ONE "/cancel", cancel, ACCESS_SUPERVISOR, "flows", 0, 200,
     no_fields, &shape_flow, "End it where it is; nothing is compensated", NULL,
     NULL},
    {0}};
