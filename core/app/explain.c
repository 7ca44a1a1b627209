/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - a message's way as one JSON object.
 *
 * Happy path: what the desk noted of each job stands in the traces; what came
 * of them are events; whether it has reached anybody follows from the read
 * marks, the holder and the sockets. Failure: none of its own.
 */
#include "app/explain.h"
#include "base/clock.h"

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

static const char *why_not(const struct explain *x)
{
    if (is_read(x)) {
        return NULL;
    }
    if (explain_to(x->message) == ROLE_AGENT) {
        return why_no_agent(x);
    }
    if (x->sockets == 0) {
        return "the visitor is not connected; it is shown when they come back";
    }
    return NULL;
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
        jsonw_open(w, '{');
        jsonw_put_text(w, "event", slice_of(event_name_text(ev->name)));
        jsonw_put_int(w, "at", ev->at);
        write_data(w, ev);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

void explain_write(struct jsonw *w, const struct explain *x)
{
    char id[ID_TEXT];
    jsonw_open(w, '{');
    jsonw_put_text(w, "conversation",
                   id_text(id, ID_CONVERSATION, x->message->conv));
    jsonw_put_text(w, "state", slice_of(conv_state_name(x->conv->state)));
    jsonw_key(w, "message");
    if (!w->failed) {
        w->failed = event_write_data(w->out, x->message);
    }
    w->comma = true;
    jsonw_put_raw(w, "jobs", x->jobs.len ? x->jobs : SLICE("[]"));
    write_caused(w, x);
    jsonw_put_bool(w, "cut", x->cut);
    write_delivery(w, x);
    jsonw_close(w, '}');
}
