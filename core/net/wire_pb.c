/* SPDX-License-Identifier: Apache-2.0 */
/* wire_pb.c - frames and notices as Protobuf, with the meaning of the JSON.
 *
 * Happy path: protobuf-c unpacks into the frame's arena, the fields become a
 * draft, wire_check judges it. Writing fills the generated structs from a
 * scratch arena and packs them straight into the out-buffer.
 *
 * Failure modes: bytes that are no Frame, texts that are not UTF-8 (protobuf-c
 * does not look), an object that is not JSON, more memory than UNPACK_BYTES
 * (two bytes on the wire can ask for a struct of a hundred): all
 * ERR_BAD_REQUEST. A NUL ends a text: protobuf-c has no length for strings.
 */
#include "net/wire_pb.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

#include "yuelai.pb-c.h"

/* --- reading -------------------------------------------------------------- */

#define UNPACK_BYTES (1024 * 1024) /* besides, four times what came in */

struct budget {
    struct arena *arena;
    size_t left;
};

static void *budget_alloc(void *arg, size_t n)
{
    struct budget *b = arg;
    if (n > b->left)
        return NULL;
    b->left -= n;
    return arena_alloc(b->arena, n);
}

static void budget_free(void *arg, void *p)
{
    (void)arg, (void)p; /* dies with the arena */
}

/* Reads texts and remembers if one was not UTF-8. */
struct reading {
    struct arena *arena;
    bool broken;
    const char *bad_object; /* the field that was no JSON object */
};

static struct slice text(struct reading *r, const char *s)
{
    struct slice out = slice_of(s);
    if (!slice_is_utf8(out))
        r->broken = true;
    return out;
}

/* An object's text, checked and written anew as the JSON side does. */
static struct slice object(struct reading *r, const char *s, const char *field)
{
    struct json *j;
    struct buf b;
    struct slice out = {NULL, 0};
    if (!s)
        return out;
    if (json_parse(r->arena, text(r, s), NULL, &j) < 0 ||
        !json_is(j, JSON_OBJECT)) {
        r->bad_object = field;
        return out;
    }
    buf_init(&b, LIMIT_AGENT_FRAME_BYTES * 6);
    struct jsonw w = jsonw_on(&b);
    jsonw_value(&w, j);
    if (w.failed == 0)
        out = slice_dup(r->arena, buf_slice(&b));
    else
        r->bad_object = field;
    buf_fini(&b);
    return out;
}

static void read_hello(struct reading *r, const Yuelai__Hello *h,
                       struct draft *d)
{
    d->channel = text(r, h->channel);
    d->token = text(r, h->token);
    d->locale = text(r, h->locale);
    d->resume = text(r, h->resume);
    d->status = text(r, h->status);
    if (h->page) {
        d->has_page = true;
        d->page_url = text(r, h->page->url);
        d->page_title = text(r, h->page->title);
        d->page_referrer = text(r, h->page->referrer);
    }
    if (h->identity) {
        const Yuelai__Identity *i = h->identity;
        d->has_identity = true;
        d->user_id = text(r, i->user_id);
        d->id_name = text(r, i->name);
        d->email = text(r, i->email);
        d->tier = text(r, i->tier);
        d->attributes =
            object(r, i->attributes_json, "identity.attributes_json");
        d->expires_at = i->expires_at;
        d->signature = text(r, i->signature);
    }
}

static void read_send(struct reading *r, const Yuelai__Send *s, struct draft *d)
{
    d->ref = text(r, s->ref);
    d->conversation = text(r, s->conversation);
    d->kind = text(r, s->kind);
    d->text = text(r, s->text);
    d->file = text(r, s->file);
    d->name = text(r, s->name);
    d->has_point = s->has_lat && s->has_lng;
    d->lat = s->lat;
    d->lng = s->lng;
    d->label = text(r, s->label);
    d->address = text(r, s->address);
    d->card = object(r, s->card_json, "card_json");
    d->is_private = s->has_private_ && s->private_;
    d->reply_to = text(r, s->reply_to);
}

static void read_small(struct reading *r, const Yuelai__Frame *f,
                       struct draft *d)
{
    switch (f->frame_case) {
    case YUELAI__FRAME__FRAME_TYPING:
        d->type = FRAME_TYPING;
        d->conversation = text(r, f->typing->conversation);
        d->text = text(r, f->typing->text);
        break;
    case YUELAI__FRAME__FRAME_READ:
        d->type = FRAME_READ;
        d->conversation = text(r, f->read->conversation);
        d->has_seq = f->read->has_seq;
        d->seq = f->read->seq;
        break;
    case YUELAI__FRAME__FRAME_PING:
        d->type = FRAME_PING;
        d->ref = text(r, f->ping->ref);
        break;
    case YUELAI__FRAME__FRAME_HISTORY:
        d->type = FRAME_HISTORY;
        d->ref = text(r, f->history->ref);
        d->conversation = text(r, f->history->conversation);
        d->has_before = f->history->has_before;
        d->before = f->history->before;
        d->has_limit = f->history->has_limit;
        d->limit = f->history->limit;
        break;
    case YUELAI__FRAME__FRAME_RECALL:
        d->type = FRAME_RECALL;
        d->ref = text(r, f->recall->ref);
        d->conversation = text(r, f->recall->conversation);
        d->message = text(r, f->recall->message);
        break;
    case YUELAI__FRAME__FRAME_STOP:
        d->type = FRAME_STOP;
        d->ref = text(r, f->stop->ref);
        d->conversation = text(r, f->stop->conversation);
        break;
    case YUELAI__FRAME__FRAME_WATCH:
        d->type = FRAME_WATCH;
        d->ref = text(r, f->watch->ref);
        d->conversation = text(r, f->watch->conversation);
        break;
    default:
        d->type = FRAME_STATUS;
        d->ref = text(r, f->status->ref);
        d->status = text(r, f->status->status);
        break;
    }
}

static void read_frame(struct reading *r, const Yuelai__Frame *f,
                       struct draft *d)
{
    if (f->frame_case == YUELAI__FRAME__FRAME_HELLO) {
        d->type = FRAME_HELLO;
        read_hello(r, f->hello, d);
    } else if (f->frame_case == YUELAI__FRAME__FRAME_SEND) {
        d->type = FRAME_SEND;
        read_send(r, f->send, d);
    } else {
        read_small(r, f, d);
    }
}

int wire_pb_read(struct arena *a, struct slice bytes, struct err *e,
                 struct slice *ref, struct frame **out)
{
    struct budget b = {a, UNPACK_BYTES + 4 * bytes.len};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &b};
    struct reading r = {.arena = a};
    struct draft d = {0};
    *out = NULL;
    *ref = (struct slice){"", 0};
    Yuelai__Frame *f =
        yuelai__frame__unpack(&allocator, bytes.len, (const uint8_t *)bytes.at);
    if (!f)
        return err_set(e, ERR_BAD_REQUEST, "This is not a Protobuf Frame.");
    if (f->frame_case == YUELAI__FRAME__FRAME__NOT_SET)
        return err_field(e, ERR_BAD_REQUEST, "type",
                         "The type of this frame is not known.");
    read_frame(&r, f, &d);
    if (r.broken)
        return err_set(e, ERR_BAD_REQUEST, "A text is not UTF-8.");
    if (wire_ref_ok(d.ref))
        *ref = d.ref;
    if (r.bad_object)
        return err_field(e, ERR_BAD_REQUEST, r.bad_object,
                         "%s must be a JSON object.", r.bad_object);
    return wire_check(a, &d, e, out);
}

/* --- writing -------------------------------------------------------------- */

static char *word(const char *literal)
{
    return (char *)(uintptr_t)literal; /* protobuf-c only reads it */
}

/* NULL (unset) when empty. */
static char *given(struct arena *a, struct slice s)
{
    return s.len ? word(slice_dup(a, s).at) : NULL;
}

static char *always(struct arena *a, struct slice s)
{
    return word(slice_dup(a, s).at);
}

static char *id_of(struct arena *a, const char *prefix, uint64_t id)
{
    return id ? word(id_text(arena_text(a, ID_TEXT), prefix, id).at) : NULL;
}

static char *cursor_of(struct arena *a, struct cursor c)
{
    return word(cursor_text(arena_text(a, CURSOR_TEXT), c).at);
}

#define SET(message, field, value)                                             \
    ((message)->has_##field = 1, (message)->field = (value))

static Yuelai__Who *who_of(struct arena *a, const struct notice *n)
{
    Yuelai__Who *w = arena_one(a, Yuelai__Who);
    yuelai__who__init(w);
    w->role = word(role_name(n->who_role));
    w->id =
        id_of(a, n->who_role == ROLE_VISITOR ? ID_CONTACT : ID_AGENT, n->who);
    w->name = given(a, n->who_name);
    return w;
}

static Yuelai__Queue *queue_of(struct arena *a, const struct notice *n)
{
    Yuelai__Queue *q = arena_one(a, Yuelai__Queue);
    yuelai__queue__init(q);
    SET(q, position, n->position);
    SET(q, eta_ms, n->eta_ms);
    return q;
}

static Yuelai__Welcome *welcome_of(struct arena *a, const struct notice *n)
{
    Yuelai__Welcome *w = arena_one(a, Yuelai__Welcome);
    yuelai__welcome__init(w);
    w->session = id_of(a, "s", n->session);
    w->you = who_of(a, n);
    w->token = given(a, n->token);
    w->cursor = cursor_of(a, n->cursor);
    SET(w, recovered, n->recovered);
    SET(w, heartbeat_ms, n->heartbeat_ms);
    SET(w, server_at, n->server_at);
    w->limits = arena_one(a, Yuelai__Limits);
    yuelai__limits__init(w->limits);
    SET(w->limits, text_bytes, n->text_bytes);
    SET(w->limits, file_bytes, n->file_bytes);
    SET(w->limits, frames_per_s, n->frames_per_s);
    SET(w->limits, recall_ms, n->recall_ms);
    if (n->conversation) {
        Yuelai__WelcomeConversation *c =
            arena_one(a, Yuelai__WelcomeConversation);
        yuelai__welcome_conversation__init(c);
        c->id = id_of(a, ID_CONVERSATION, n->conversation->id);
        c->state = word(conv_state_name(n->conversation->state));
        SET(c, last_seq, n->conversation->last_seq);
        SET(c, agent_read, n->conversation->agent_read);
        c->queue = n->position ? queue_of(a, n) : NULL;
        w->conversation = c;
    }
    return w;
}

static Yuelai__Ack *ack_of(struct arena *a, const struct notice *n)
{
    Yuelai__Ack *k = arena_one(a, Yuelai__Ack);
    yuelai__ack__init(k);
    k->ref = given(a, n->ref);
    k->conversation = id_of(a, ID_CONVERSATION, n->event->conv);
    k->id = id_of(a, ID_MESSAGE, n->event->pos);
    SET(k, seq, n->event->seq);
    SET(k, at, n->event->at);
    k->cursor = cursor_of(a, n->cursor);
    SET(k, duplicate, n->duplicate);
    return k;
}

static Yuelai__Who *sender_of(struct arena *a, const struct json *j)
{
    Yuelai__Who *w = arena_one(a, Yuelai__Who);
    yuelai__who__init(w);
    w->role = given(a, json_text(j, "role"));
    w->id = given(a, json_text(j, "id"));
    w->name = given(a, json_text(j, "name"));
    return w;
}

static bool is_known_member(struct slice key)
{
    static const char *const known[] = {"kind",    "text",     "sender",
                                        "private", "reply_to", "file",
                                        "lat",     "lng",      "stream"};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (slice_is(key, known[i]))
            return true;
    return false;
}

/* Members the schema has no field for, as one JSON object; NULL if none. */
static char *more_of(struct arena *a, const struct json *body)
{
    struct buf b;
    buf_init(&b, LIMIT_AGENT_FRAME_BYTES * 6);
    struct jsonw w = jsonw_on(&b);
    bool any = false;
    jsonw_open(&w, '{');
    for (const struct json *j = body->first; j; j = j->next) {
        bool shown = slice_is(j->key, "file") && json_is(j, JSON_OBJECT);
        if (is_known_member(j->key) && !shown)
            continue;
        any = true;
        jsonw_key(&w, slice_dup(a, j->key).at);
        jsonw_value(&w, j);
    }
    jsonw_close(&w, '}');
    char *out = any && !w.failed ? always(a, buf_slice(&b)) : NULL;
    buf_fini(&b);
    return out;
}

static bool number_of(const struct json *j, const char *key, double *out)
{
    const struct json *n = json_get(j, key);
    if (!json_is(n, JSON_INT) && !json_is(n, JSON_REAL))
        return false;
    *out = n->type == JSON_INT ? (double)n->integer : n->real;
    return true;
}

static Yuelai__Message *message_of(struct arena *a, const struct event *ev,
                                   const struct json *body)
{
    Yuelai__Message *m = arena_one(a, Yuelai__Message);
    yuelai__message__init(m);
    m->id = id_of(a, ID_MESSAGE, ev->pos);
    SET(m, seq, ev->seq);
    SET(m, at, ev->at);
    m->ref = given(a, ev->ref);
    m->kind = given(a, json_text(body, "kind"));
    m->text = given(a, json_text(body, "text"));
    if (json_is(json_get(body, "sender"), JSON_OBJECT))
        m->sender = sender_of(a, json_get(body, "sender"));
    if (json_bool(body, "private", false))
        SET(m, private_, 1);
    m->reply_to = given(a, json_text(body, "reply_to"));
    const struct json *file = json_get(body, "file");
    m->file = given(a, json_is(file, JSON_OBJECT) ? json_text(file, "id")
                                                  : json_text(body, "file"));
    m->has_lat = number_of(body, "lat", &m->lat);
    m->has_lng = number_of(body, "lng", &m->lng);
    m->stream = given(a, json_text(body, "stream"));
    m->more_json = more_of(a, body);
    return m;
}

static Yuelai__Event *event_of(struct arena *a, const struct notice *n)
{
    const struct event *ev = n->event;
    Yuelai__Event *out = arena_one(a, Yuelai__Event);
    struct json *body = NULL;
    yuelai__event__init(out);
    out->event = word(event_name_text(ev->name));
    out->cursor = cursor_of(a, n->cursor);
    SET(out, at, ev->at);
    out->conversation = id_of(a, ID_CONVERSATION, ev->conv);
    if (ev->name == EVENT_MESSAGE_CREATED &&
        json_parse(a, ev->body, NULL, &body) == 0 &&
        json_is(body, JSON_OBJECT)) {
        out->data_case = YUELAI__EVENT__DATA_MESSAGE;
        out->message = message_of(a, ev, body);
    } else {
        out->data_case = YUELAI__EVENT__DATA_DATA_JSON;
        out->data_json = always(a, ev->body.len ? ev->body : SLICE("{}"));
    }
    return out;
}

static Yuelai__Error *error_of(struct arena *a, const struct notice *n)
{
    Yuelai__Error *x = arena_one(a, Yuelai__Error);
    yuelai__error__init(x);
    x->ref = given(a, n->ref);
    x->code = word(err_code(n->code));
    x->message =
        n->text.len ? always(a, n->text) : word(wire_error_text(n->code));
    if (n->after_ms)
        SET(x, retry_after_ms, n->after_ms);
    x->field = given(a, n->field);
    return x;
}

static Yuelai__HistoryPage *history_of(struct arena *a, const struct notice *n)
{
    Yuelai__HistoryPage *h = arena_one(a, Yuelai__HistoryPage);
    yuelai__history_page__init(h);
    h->ref = given(a, n->ref);
    h->conversation = id_of(a, ID_CONVERSATION, n->conv);
    h->items_json = always(a, n->items.len ? n->items : SLICE("[]"));
    SET(h, more, n->more);
    return h;
}

/* The fleeting ones; false if n is none of them. */
static bool fill_fleeting(struct arena *a, const struct notice *n,
                          Yuelai__Notice *out)
{
    switch (n->type) {
    case NOTICE_TYPING:
        out->notice_case = YUELAI__NOTICE__NOTICE_TYPING;
        out->typing = arena_one(a, Yuelai__TypingNotice);
        yuelai__typing_notice__init(out->typing);
        out->typing->conversation = id_of(a, ID_CONVERSATION, n->conv);
        out->typing->who = who_of(a, n);
        out->typing->text = given(a, n->text);
        return true;
    case NOTICE_QUEUE:
        out->notice_case = YUELAI__NOTICE__NOTICE_QUEUE;
        out->queue = queue_of(a, n);
        out->queue->conversation = id_of(a, ID_CONVERSATION, n->conv);
        return true;
    case NOTICE_PRESENCE:
        out->notice_case = YUELAI__NOTICE__NOTICE_PRESENCE;
        out->presence = arena_one(a, Yuelai__Presence);
        yuelai__presence__init(out->presence);
        out->presence->agent = id_of(a, ID_AGENT, n->who);
        out->presence->name = given(a, n->who_name);
        out->presence->status = always(a, n->text);
        return true;
    case NOTICE_DELTA:
        out->notice_case = YUELAI__NOTICE__NOTICE_DELTA;
        out->delta = arena_one(a, Yuelai__Delta);
        yuelai__delta__init(out->delta);
        out->delta->conversation = id_of(a, ID_CONVERSATION, n->conv);
        out->delta->stream = always(a, n->stream);
        SET(out->delta, index, n->index);
        out->delta->text = always(a, n->text);
        if (n->whole)
            SET(out->delta, whole, true);
        if (n->who_name.len)
            out->delta->sender = who_of(a, n);
        return true;
    default:
        return false;
    }
}

static void fill_small(struct arena *a, const struct notice *n,
                       Yuelai__Notice *out)
{
    if (n->type == NOTICE_RECONNECT) {
        out->notice_case = YUELAI__NOTICE__NOTICE_RECONNECT;
        out->reconnect = arena_one(a, Yuelai__Reconnect);
        yuelai__reconnect__init(out->reconnect);
        SET(out->reconnect, after_ms, n->after_ms);
        out->reconnect->reason = given(a, n->text);
    } else {
        out->notice_case = YUELAI__NOTICE__NOTICE_PONG;
        out->pong = arena_one(a, Yuelai__Pong);
        yuelai__pong__init(out->pong);
        out->pong->ref = given(a, n->ref);
    }
}

static void fill(struct arena *a, const struct notice *n, Yuelai__Notice *out)
{
    yuelai__notice__init(out);
    switch (n->type) {
    case NOTICE_WELCOME:
        out->notice_case = YUELAI__NOTICE__NOTICE_WELCOME;
        out->welcome = welcome_of(a, n);
        break;
    case NOTICE_ACK:
        out->notice_case = YUELAI__NOTICE__NOTICE_ACK;
        out->ack = ack_of(a, n);
        break;
    case NOTICE_EVENT:
        out->notice_case = YUELAI__NOTICE__NOTICE_EVENT;
        out->event = event_of(a, n);
        break;
    case NOTICE_ERROR:
        out->notice_case = YUELAI__NOTICE__NOTICE_ERROR;
        out->error = error_of(a, n);
        break;
    case NOTICE_HISTORY:
        out->notice_case = YUELAI__NOTICE__NOTICE_HISTORY;
        out->history = history_of(a, n);
        break;
    default:
        if (!fill_fleeting(a, n, out))
            fill_small(a, n, out);
        break;
    }
}

int wire_pb_write(struct buf *out, const struct notice *n)
{
    struct arena *a = arena_new();
    Yuelai__Notice notice;
    fill(a, n, &notice);
    size_t size = yuelai__notice__get_packed_size(&notice);
    int rc = buf_reserve(out, size);
    if (rc == 0) {
        yuelai__notice__pack(&notice, (uint8_t *)out->data + out->len);
        out->len += size;
    }
    arena_free(a);
    return rc;
}
