/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c - messages on their way to platforms; is a channel set up well?
 *
 * Happy path: rows from the store; a resend goes by the desk; a check asks the
 * channel's adapter. Failure: what is not dead cannot be sent again (409); an
 * adapter that cannot check says so (422).
 */
#include "app/api/api.h"
#include "app/channels/channels.h"
#include "base/clock.h"

/* --- the list --- */

static bool state_read(struct call *c, int *state)
{
    struct slice text;
    *state = -1;
    if (!http_query(c->r, "state", &text) || text.len == 0) {
        return true;
    }
    for (int s = OUTBOX_WAITING; s <= OUTBOX_RECALLED; s++) {
        if (slice_is(text, outbox_state_name((enum outbox_state)s))) {
            *state = s;
            return true;
        }
    }
    reply_fail(c, ERR_BAD_REQUEST, "state",
               "state must be waiting, sent, dead or recalled");
    return false;
}

static bool id_read(struct call *c, const char *name, const char *prefix,
                    uint64_t *id)
{
    struct slice text;
    *id = 0;
    if (http_query(c->r, name, &text) && text.len &&
        !id_parse(text, prefix, id)) {
        reply_fail(c, ERR_BAD_REQUEST, name, "%s must be an id", name);
        return false;
    }
    return true;
}

static void list(struct call *c)
{
    struct page p;
    int state;
    uint64_t channel, conv;
    if (!page_read(c, &p) || !state_read(c, &state) ||
        !id_read(c, "channel", ID_CHANNEL, &channel) ||
        !id_read(c, "conversation", ID_CONVERSATION, &conv)) {
        return;
    }
    struct query *q = query_new(QUERY_OUTBOXES, reply_page, c);
    q->limit = p.limit;
    q->offset = p.offset;
    q->state = state;
    q->channel = channel;
    q->conv = conv;
    server_read(c->s, q);
}

/* --- send again --- */

static void on_resent(void *arg, int result)
{
    struct call *c = arg;
    if (result == ERR_CONFLICT) {
        reply_fail(c, result, NULL, "only a dead message can be sent again");
    } else if (result == ERR_UNPROCESSABLE) {
        reply_fail(c, result, "reply_window",
                   "window_closed: it can be sent when the customer has "
                   "written again");
    } else if (result) {
        reply_fail(c, result, NULL, "it could not be sent");
    } else {
        char id[ID_TEXT];
        struct jsonw *w = reply_begin(c);
        jsonw_open(w, '{');
        jsonw_put_text(w, "id", id_text(id, ID_OUTBOX, c->id));
        jsonw_put_text(w, "state", SLICE("waiting"));
        jsonw_close(w, '}');
        struct tx *tx = tx_new(NULL, c);
        audit_put(c, tx, "outbox.resend", id_text(id, ID_OUTBOX, c->id),
                  SLICE("{}"));
        reply_commit(c, tx, 202, NULL);
    }
}

static void ask_row(struct call *c, const struct conversation *v);

static void on_row(struct query *q)
{
    struct call *c = q->owner;
    if (q->result || !q->outbox) {
        int code = q->result ? q->result : ERR_NOT_FOUND;
        reply_fail(c, code, NULL, "there is no such message in the outbox");
    } else if (c->number) { /* seen to be theirs */
        desk_resend(c->s->desk, q->outbox, on_resent, c);
    } else {
        c->number = 1;
        conversation_load_id(c, q->outbox->conv, ask_row);
    }
    query_free(q);
}

static void ask_row(struct call *c, const struct conversation *v)
{
    struct query *q = query_new(QUERY_OUTBOX, on_row, c);
    q->id = c->id;
    server_read(c->s, q);
    (void)v;
}

static void resend(struct call *c)
{
    if (!call_id(c, 0, ID_OUTBOX, "message in the outbox", &c->id)) {
        return;
    }
    c->number = 0;
    ask_row(c, NULL);
}

/* --- is it set up well? --- */

static void on_checked(void *arg, struct slice answer, const struct err *e)
{
    struct call *c = arg;
    if (e) {
        reply_error(c, e);
        return;
    }
    struct jsonw *w = reply_begin(c);
    jsonw_raw(w, slice_dup(c->a, answer));
    reply_send(c, 200);
}

static void check(struct call *c)
{
    const struct channel *ch;
    if (!call_id(c, 0, ID_CHANNEL, "channel", &c->id)) {
        return;
    }
    ch = desk_channel(c->s->desk, c->id);
    if (!ch) {
        reply_missing(c, "channel");
        return;
    }
    call_check(c->s, ch, on_checked, c);
}

static const struct field no_fields[] = {{0}};
static const struct field outbox_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "message", .type = FIELD_TEXT},
    {.name = "conversation", .type = FIELD_TEXT},
    {.name = "channel", .type = FIELD_TEXT},
    {.name = "contact", .type = FIELD_TEXT},
    {.name = "seq", .type = FIELD_INT},
    {.name = "act",
     .type = FIELD_TEXT,
     .choices = "send|recall",
     .help = "recall: a message that was sent is taken back"},
    {.name = "state",
     .type = FIELD_TEXT,
     .help = "waiting, sent, dead or recalled"},
    {.name = "status",
     .type = FIELD_TEXT,
     .help = "waiting, sent, delivered, read, failed or "
             "recalled"},
    {.name = "code", .type = FIELD_TEXT, .help = "of the reason"},
    {.name = "attempts", .type = FIELD_INT},
    {.name = "to", .type = FIELD_TEXT, .help = "the visitor on the platform"},
    {.name = "remote", .type = FIELD_TEXT, .help = "the platform's id of it"},
    {.name = "reason", .type = FIELD_TEXT, .help = "why it was not sent"},
    {.name = "due_at", .type = FIELD_INT},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {0}};
const struct shape shape_outbox = {"OutboxMessage", outbox_out};
static const struct field check_out[] = {
    {.name = "ok", .type = FIELD_BOOL},
    {.name = "code", .type = FIELD_TEXT},
    {.name = "why", .type = FIELD_TEXT, .help = "what is wrong, in words"},
    {0}};
const struct shape shape_check = {"ChannelCheck", check_out};
const struct route routes_outbox[] = {
    {"GET", "/api/v1/outbox", list, ACCESS_SUPERVISOR, "outbox", ROUTE_LIST,
     200, NULL, &shape_outbox, "Messages to platforms, newest first",
     "state channel conversation", NULL},
    {"POST", "/api/v1/outbox/{id}/resend", resend, ACCESS_AGENT, "outbox", 0,
     202, no_fields, &shape_outbox,
     "Send a dead one again, in a conversation you may see", NULL, NULL},
    {"POST", "/api/v1/channels/{id}/check", check, ACCESS_ADMIN, "channels",
     ROUTE_READS, 200, no_fields, &shape_check,
     "Ask the channel's adapter whether it is set up well", NULL, NULL},
    {0}};
