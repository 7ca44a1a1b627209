/* SPDX-License-Identifier: Apache-2.0 */
/* traces.c - why a message went as it did.
 *
 * Happy path: the message is found, its conversation looked at (may the caller
 * see it?), then its traces and what it caused are read; the sockets are the
 * desk's to tell. Failure: 404 for what is no message, 403 for others'.
 */
#include "app/api/api.h"
#include "app/explain.h"

struct look {
    struct call *call;
    struct event message;
    struct conversation conv; /* without its slices */
    struct outbox out;        /* id 0: it goes to no platform */
};

static bool failed(struct call *c, struct query *q)
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

static const char *holder_name(struct call *c, uint64_t agent)
{
    const struct agent *a = agent ? desk_agent(c->s->desk, agent) : NULL;
    return a ? slice_dup(c->a, a->name).at : NULL;
}

static void on_traces(struct query *q)
{
    struct look *l = q->owner;
    struct call *c = l->call;
    if (failed(c, q)) {
        return;
    }
    bool agent = explain_to(&l->message) == ROLE_AGENT;
    struct explain x = {
        .message = &l->message,
        .conv = &l->conv,
        .jobs = q->json,
        .caused = q->events,
        .cut = q->more,
        .sockets =
            (int64_t)desk_sockets(c->s->desk, agent ? ROLE_AGENT : ROLE_VISITOR,
                                  agent ? l->conv.assignee : l->conv.contact),
        .holder = holder_name(c, l->conv.assignee),
        .out = l->out.id ? &l->out : NULL,
    };
    explain_write(reply_begin(c), &x);
    query_free(q);
    reply_send(c, 200);
}

static void ask_traces(struct look *l)
{
    struct query *q = query_new(QUERY_TRACE, on_traces, l);
    q->after_pos = l->message.pos;
    server_read(l->call->s, q);
}

static void on_outbox(struct query *q)
{
    struct look *l = q->owner;
    struct call *c = l->call;
    if (q->result != ERR_NOT_FOUND && failed(c, q)) {
        return;
    }
    if (q->result == 0 && q->outbox->pos == l->message.pos) {
        l->out = *q->outbox;
        l->out.reason = slice_dup(c->a, q->outbox->reason);
        l->out.code = slice_dup(c->a, q->outbox->code);
    }
    query_free(q);
    ask_traces(l);
}

static void on_conversation(struct query *q)
{
    struct look *l = q->owner;
    struct call *c = l->call;
    if (failed(c, q)) {
        return;
    }
    bool sees = caller_may_see(c, q->conversation);
    l->conv = *q->conversation;
    query_free(q);
    if (!sees) {
        reply_fail(c, ERR_FORBIDDEN, NULL,
                   "this conversation is not yours to see");
        return;
    }
    if (l->message.seq == 0) {
        ask_traces(l);
        return;
    }
    q = query_new(QUERY_OUTBOX, on_outbox, l);
    q->conv = l->message.conv;
    q->after_seq = l->message.seq;
    server_read(c->s, q);
}

static void on_message(struct query *q)
{
    struct look *l = q->owner;
    struct call *c = l->call;
    if (failed(c, q)) {
        return;
    }
    if (!event_is_public(q->events->name) || !q->events->conv) {
        query_free(q);
        reply_missing(c, "message");
        return;
    }
    l->message = *q->events;
    l->message.next = NULL;
    l->message.ref = slice_dup(c->a, q->events->ref);
    l->message.body = slice_dup(c->a, q->events->body);
    query_free(q);
    q = query_new(QUERY_CONVERSATION, on_conversation, l);
    q->id = l->message.conv;
    q->conv = l->message.conv;
    server_read(c->s, q);
}

static void get(struct call *c)
{
    uint64_t pos;
    if (!call_id(c, 0, ID_MESSAGE, "message", &pos)) {
        return;
    }
    if (pos == 0) { /* a query without a position looks for a seq */
        reply_missing(c, "message");
        return;
    }
    struct look *l = arena_one(c->a, struct look);
    l->call = c;
    struct query *q = query_new(QUERY_EVENT, on_message, l);
    q->after_pos = pos;
    server_read(c->s, q);
}

static const struct field trace_out[] = {
    {.name = "event",
     .type = FIELD_TEXT,
     .help = "message.created, or what else the id names (an event's, as in "
             "caused)"},
    {.name = "at", .type = FIELD_INT},
    {.name = "conversation", .type = FIELD_TEXT},
    {.name = "state", .type = FIELD_TEXT, .help = "of the conversation, now"},
    {.name = "cause",
     .type = FIELD_TEXT,
     .help = "id of the message it came of, null: of none"},
    {.name = "message",
     .type = FIELD_OBJECT,
     .help = "of another event: data instead, and no delivery"},
    {.name = "jobs",
     .type = FIELD_ANY,
     .help = "each run of the scripts: hook at took_ms decided_by kept_by "
             "hops effects; an effect that was refused says why"},
    {.name = "caused", .type = FIELD_ANY, .help = "the events it led to"},
    {.name = "cut",
     .type = FIELD_BOOL,
     .help = "it may have led to more than is told"},
    {.name = "delivery",
     .type = FIELD_OBJECT,
     .help = "to holder read sockets platform why_not; platform: how far it "
             "is on its way there (outbox status attempts reason code "
             "retry_at), null: it goes to none"},
    {0}};
const struct shape shape_trace = {"Trace", trace_out};
const struct route routes_traces[] = {
    {"GET", "/api/v1/messages/{id}/trace", get, ACCESS_AGENT, "messages", 0,
     200, NULL, &shape_trace, "Why a message went as it did", NULL, NULL},
    {0}};
