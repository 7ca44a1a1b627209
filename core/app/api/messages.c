/* SPDX-License-Identifier: Apache-2.0 */
/* messages.c - what was said, and saying something.
 *
 * Happy path: a page by seq from the store; a post goes the same way as a
 * socket's send frame, through the desk. Failure: a ref that was used gives the
 * first message again, with 200 instead of 201.
 */
#include "app/api/api.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>

/* --- reading --- */

/* Pages walk by seq: forward from `after`, backward from `before`. */
static void write_next(struct call *c, const struct query *q)
{
    char text[24];
    struct json *items = NULL;
    uint32_t seq = 0;
    if (q->more && json_parse(c->a, q->json, NULL, &items) == 0) {
        struct json *last = items->first;
        while (!q->before_seq && last && last->next) {
            last = last->next;
        }
        seq = (uint32_t)json_int(last, "seq", 0);
    }
    jsonw_key(&c->w, "next");
    if (seq) {
        snprintf(text, sizeof text, "%u", seq);
        jsonw_text(&c->w, slice_of(text));
    } else {
        jsonw_null(&c->w);
    }
}

static void on_messages(struct query *q)
{
    struct call *c = q->owner;
    if (q->result) {
        struct err e = q->err;
        e.code = q->result;
        query_free(q);
        reply_error(c, &e);
        return;
    }
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_put_raw(w, "items", q->json.len ? q->json : SLICE("[]"));
    jsonw_put_int(w, "total", c->number);
    write_next(c, q);
    jsonw_close(w, '}');
    query_free(q);
    reply_send(c, 200);
}

static bool seq_of(struct call *c, const char *name, uint32_t *out)
{
    struct slice text;
    int64_t n = 0;
    if (!http_query(c->r, name, &text) || text.len == 0) {
        return true;
    }
    if (slice_is(text, "end")) {
        *out = UINT32_MAX;
        return true;
    }
    if (!slice_to_i64(text, &n) || n < 0 || n > UINT32_MAX) {
        reply_fail(c, ERR_BAD_REQUEST, name, "%s must be a seq", name);
        return false;
    }
    *out = (uint32_t)n;
    return true;
}

static bool number_of(struct call *c, const char *name, int64_t least,
                      int64_t *out)
{
    struct slice text;
    if (!http_query(c->r, name, &text) ||
        (slice_to_i64(text, out) && *out >= least)) {
        return true;
    }
    reply_fail(c, ERR_BAD_REQUEST, name, "%s must be a number from %lld on",
               name, (long long)least);
    return false;
}

static void list_of(struct call *c, const struct conversation *v)
{
    struct slice text;
    int64_t limit = LIMIT_LIST_DEFAULT, offset = 0;
    uint32_t before = 0, after = 0;
    if (!seq_of(c, "before", &before) || !seq_of(c, "after", &after) ||
        !number_of(c, "limit", 1, &limit) ||
        !number_of(c, "offset", 0, &offset)) {
        return;
    }
    if (http_query(c->r, "before", &text) && before == 0) {
        before = 1; /* nothing is older than the first */
    }
    struct query *q = query_new(QUERY_MESSAGES, on_messages, c);
    q->conv = v->id;
    q->before_seq = before;
    /* seq has no gaps, so an offset is a seq. */
    q->after_seq = before ? 0 : after + (uint32_t)offset;
    q->limit = (uint32_t)(limit > LIMIT_LIST ? LIMIT_LIST : limit);
    caller_viewer(c, q->arena, &q->viewer);
    c->number = v->last_seq;
    server_read(c->s, q);
}

static void list(struct call *c)
{
    conversation_load(c, list_of);
}

/* --- sending --- */

/* The first message with this ref, as it was. */
static void on_first(struct query *q)
{
    struct call *c = q->owner;
    struct json *items = NULL;
    if (q->result || json_parse(c->a, q->json, NULL, &items) || !items->first) {
        struct err e = q->err;
        e.code = q->result ? q->result : ERR_NOT_FOUND;
        query_free(q);
        reply_error(c, &e);
        return;
    }
    struct jsonw *w = reply_begin(c);
    jsonw_value(w, items->first);
    query_free(q);
    reply_send(c, 200);
}

static void ask_first(struct call *c, const struct event *ev)
{
    struct query *q = query_new(QUERY_MESSAGES, on_first, c);
    q->conv = ev->conv;
    q->after_seq = ev->seq - 1;
    q->limit = 1;
    caller_viewer(c, q->arena, &q->viewer);
    server_read(c->s, q);
}

static void on_sent(struct act *act)
{
    struct call *c = act_came(act);
    if (!c) {
        return;
    }
    if (act->event.flags & EVENT_DUPLICATE) {
        struct event ev = act->event;
        act_free(act);
        ask_first(c, &ev);
        return;
    }
    struct jsonw *w = reply_begin(c);
    w->failed = event_write_data(&c->out, &act->event);
    act_free(act);
    reply_send(c, 201);
}

/* Without a ref of its own, an Idempotency-Key is one; else it is a new
 * message each time. */
static struct slice make_ref(struct call *c, struct arena *a)
{
    char text[LIMIT_REF_BYTES];
    if (c->idem_key.len) {
        snprintf(text, sizeof text, "key-");
        for (int i = 0; i < 16; i++) {
            snprintf(text + 4 + i * 2, 3, "%02x", c->idem_digest[i]);
        }
    } else {
        (void)id_text(text, "api", id_new());
    }
    return slice_dup(a, slice_of(text));
}

static void post(struct call *c)
{
    struct act *act = act_of_call(c, ACT_SEND, on_sent);
    if (!act) {
        return;
    }
    struct frame *f = arena_one(act->arena, struct frame);
    f->type = FRAME_SEND;
    f->conv = act->conv;
    int r = frame_check_message(c->body, true, act->arena, f, &c->err);
    if (r) {
        act_free(act);
        c->err.code = r == ERR_BAD_REQUEST ? ERR_UNPROCESSABLE : r;
        reply_error(c, &c->err);
        return;
    }
    if (f->ref.len == 0) {
        f->ref = make_ref(c, act->arena);
    }
    act->frame = f;
    act_go(c, act);
}

/* --- taking back --- */

static void on_recalled(struct act *act)
{
    struct call *c = act_came(act);
    if (!c) {
        return;
    }
    struct jsonw *w = reply_begin(c);
    w->failed = event_write_data(&c->out, &act->event);
    act_free(act);
    reply_send(c, 200);
}

static void recall(struct call *c)
{
    uint64_t message;
    if (!call_id(c, 1, ID_MESSAGE, "message", &message)) {
        return;
    }
    struct act *act = act_of_call(c, ACT_RECALL, on_recalled);
    if (act) {
        act->message = message;
        act_go(c, act);
    }
}

/* What is wrong in here is found by frame_check_message, as for sockets. */
static const struct field message_in[] = {
    {.name = "kind",
     .type = FIELD_ANY,
     .choices = "text|image|file|audio|video|location|card"},
    {.name = "text", .type = FIELD_ANY},
    {.name = "file", .type = FIELD_ANY},
    {.name = "name", .type = FIELD_ANY},
    {.name = "lat", .type = FIELD_ANY},
    {.name = "lng", .type = FIELD_ANY},
    {.name = "card", .type = FIELD_ANY},
    {.name = "ref", .type = FIELD_ANY, .help = "unique per sender; idempotent"},
    {.name = "private", .type = FIELD_ANY, .help = "a note for agents"},
    {.name = "reply_to", .type = FIELD_ANY},
    {0}};
static const struct field no_fields[] = {{0}};
static const struct field message_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "seq", .type = FIELD_INT},
    {.name = "at", .type = FIELD_INT},
    {.name = "ref", .type = FIELD_TEXT},
    {.name = "kind", .type = FIELD_TEXT},
    {.name = "text", .type = FIELD_TEXT},
    {.name = "sender", .type = FIELD_OBJECT, .help = "role, id, name"},
    {.name = "private", .type = FIELD_BOOL},
    {.name = "reply_to", .type = FIELD_TEXT},
    {.name = "original",
     .type = FIELD_TEXT,
     .help = "what was really said, if a rule changed it (translation)"},
    {.name = "confirm",
     .type = FIELD_TEXT,
     .help = "it asks for a word before a tool runs: the confirmation's id"},
    {.name = "choices", .type = FIELD_TEXTS, .help = "replies to offer"},
    {.name = "summary",
     .type = FIELD_BOOL,
     .help = "an assistant's note for who takes over"},
    {.name = "delivery",
     .type = FIELD_OBJECT,
     .help =
         "on its way to a platform: status (waiting, sent, delivered, read, "
         "failed, recalled), outbox, reason, code"},
    {.name = "outside",
     .type = FIELD_BOOL,
     .help = "staff said it on the platform itself (ctx.echo): nothing was "
             "sent; sender.id is null unless it is an agent here"},
    {.name = "recalled",
     .type = FIELD_BOOL,
     .help = "it was taken back: only who said it and when is left"},
    {.name = "recalled_at", .type = FIELD_INT},
    {.name = "recalled_by", .type = FIELD_OBJECT, .help = "role, id, name"},
    {0}};
const struct shape shape_message = {"Message", message_out};
#define MESSAGES "/api/v1/conversations/{id}/messages"
const struct route routes_messages[] = {
    {"GET", MESSAGES, list, ACCESS_AGENT, "messages", ROUTE_LIST, 200, NULL,
     &shape_message, "Messages in order of seq", "before", NULL},
    {"POST", MESSAGES, post, ACCESS_AGENT, "messages", ROUTE_CREATES, 201,
     message_in, &shape_message, "Say something", NULL, NULL},
    {"POST", MESSAGES "/{message}/recall", recall, ACCESS_AGENT, "messages", 0,
     200, no_fields, &shape_message, "Take back what you said", NULL, NULL},
    {0}};
