/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - a message's way, or another event's, as one JSON object.
 *
 * Happy path: what the desk noted of each job stands in the traces; what came
 * of them are events; whether it has reached anybody follows from the read
 * marks, the holder and the sockets. Failure: none of its own.
 */
#include "app/explain.h"
#include "base/clock.h"
#include <string.h>

enum role explain_to(const struct event *message)
{
    return message->role == ROLE_VISITOR || message->flags & EVENT_PRIVATE
               ? ROLE_AGENT
               : ROLE_VISITOR;
}

static bool is_read(const struct explain *x)
{
    uint32_t mark = explain_to(x->message) == ROLE_AGENT
                        ? x->conv->agent_read
                        : x->conv->visitor_read;
    return mark >= x->message->seq;
}

/* Why an agent may not have seen it; NULL = nothing stands in the way. */
static const char *why_no_agent(const struct explain *x)
{
    switch (x->conv->state) {
    case CONV_BOT:
        return "the rules hold the conversation: no agent is shown it";
    case CONV_QUEUED:
        return "the conversation waits in the queue for an agent";
    case CONV_CLOSED:
        return "the conversation is closed";
    default:
        break;
    }
    if (x->sockets == 0) {
        return "the agent who holds the conversation is not connected; it is "
               "shown when they come back";
    }
    return NULL;
}

/* Why a platform has not got it; NULL = it has. */
static const char *why_no_platform(const struct outbox *o)
{
    switch (o->state) {
    case OUTBOX_WAITING:
        return o->attempts ? "the platform has not taken it; it is tried again"
               : o->reason.len
                   ? "it could not be given to the platform; it is tried again"
                   : "it waits for its turn to go to the platform";
    case OUTBOX_DEAD:
        return "the platform did not take it; it can be sent again by hand "
               "(the outbox)";
    case OUTBOX_RECALLED:
        return "it was taken back before it went out";
    default:
        return NULL;
    }
}

static const char *why_not(const struct explain *x)
{
    if (is_read(x)) {
        return NULL;
    }
    if (x->out) {
        return why_no_platform(x->out);
    }
    if (explain_to(x->message) == ROLE_AGENT) {
        return why_no_agent(x);
    }
    if (x->sockets == 0) {
        return "the visitor is not connected; it is shown when they come back";
    }
    return NULL;
}

/* How far it is on its way to a platform. */
static void write_platform(struct jsonw *w, const struct outbox *o)
{
    char id[ID_TEXT];
    jsonw_key(w, "platform");
    if (!o) {
        jsonw_null(w);
        return;
    }
    jsonw_open(w, '{');
    jsonw_put_text(w, "outbox", id_text(id, ID_OUTBOX, o->id));
    jsonw_put_text(w, "status", slice_of(outbox_status(o)));
    jsonw_put_int(w, "attempts", o->attempts);
    jsonw_put_text(w, "reason", o->reason);
    jsonw_put_text(w, "code", o->code);
    jsonw_key(w, "retry_at");
    if (o->state == OUTBOX_WAITING && o->attempts) {
        jsonw_int(w, o->due_at);
    } else {
        jsonw_null(w);
    }
    jsonw_put_int(w, "updated_at", o->updated_at);
    jsonw_close(w, '}');
}

static void write_delivery(struct jsonw *w, const struct explain *x)
{
    const char *why = why_not(x);
    jsonw_key(w, "delivery");
    jsonw_open(w, '{');
    jsonw_put_text(w, "to", slice_of(role_name(explain_to(x->message))));
    jsonw_put_text(w, "holder",
                   x->holder ? slice_of(x->holder) : (struct slice){NULL, 0});
    jsonw_put_bool(w, "read", is_read(x));
    jsonw_key(w, "sockets");
    if (x->sockets < 0) {
        jsonw_null(w);
    } else {
        jsonw_int(w, x->sockets);
    }
    write_platform(w, x->out);
    jsonw_put_text(w, "why_not", slice_of(why));
    jsonw_close(w, '}');
}

static void write_data(struct jsonw *w, const struct event *ev)
{
    jsonw_key(w, "data");
    if (!w->failed) {
        w->failed = event_write_data(w->out, ev);
    }
    w->comma = true;
}

static void write_caused(struct jsonw *w, const struct explain *x)
{
    jsonw_key(w, "caused");
    jsonw_open(w, '[');
    for (const struct event *ev = x->caused; ev; ev = ev->next) {
        if (!event_is_public(ev->name)) {
            continue;
        }
        char id[ID_TEXT];
        jsonw_open(w, '{');
        jsonw_put_text(w, "id", id_text(id, ID_MESSAGE, ev->pos));
        jsonw_put_text(w, "event", slice_of(event_name_text(ev->name)));
        jsonw_put_int(w, "at", ev->at);
        write_data(w, ev);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

void explain_write(struct jsonw *w, const struct explain *x)
{
    bool message = x->message->name == EVENT_MESSAGE_CREATED;
    char id[ID_TEXT];
    jsonw_open(w, '{');
    jsonw_put_text(w, "event", slice_of(event_name_text(x->message->name)));
    jsonw_put_int(w, "at", x->message->at);
    jsonw_put_text(w, "conversation",
                   x->conv ? id_text(id, ID_CONVERSATION, x->message->conv)
                           : (struct slice){NULL, 0});
    jsonw_put_text(w, "cause",
                   x->message->cause
                       ? id_text(id, ID_MESSAGE, x->message->cause)
                       : (struct slice){NULL, 0});
    jsonw_put_text(w, "state",
                   slice_of(x->conv ? conv_state_name(x->conv->state) : NULL));
    jsonw_key(w, message ? "message" : "data");
    if (!w->failed) {
        w->failed = event_write_data(w->out, x->message);
    }
    w->comma = true;
    jsonw_put_raw(w, "jobs", x->jobs.len ? x->jobs : SLICE("[]"));
    write_caused(w, x);
    jsonw_put_bool(w, "cut", x->cut);
    if (message) {
        write_delivery(w, x);
    }
    jsonw_close(w, '}');
}

bool explain_name(struct slice name, struct query *q)
{
    const char *slash = memchr(name.at, '/', name.len);
    struct cursor at;
    int64_t seq;
    if (!slash && cursor_parse(name, &at)) {
        q->after_pos = at.pos;
        return at.pos != 0;
    }
    if (!slash) {
        return id_parse(name, ID_MESSAGE, &q->after_pos) && q->after_pos;
    }
    struct slice conv = {name.at, (size_t)(slash - name.at)};
    struct slice number = {slash + 1, name.len - conv.len - 1};
    if (!id_parse(conv, ID_CONVERSATION, &q->conv) ||
        !slice_to_i64(number, &seq) || seq < 1 || seq > UINT32_MAX) {
        return false;
    }
    q->after_seq = (uint32_t)seq;
    return true;
}
