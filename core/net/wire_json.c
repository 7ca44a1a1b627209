/* SPDX-License-Identifier: Apache-2.0 */
/* wire_json.c - frames and notices as JSON (contract §4).
 *
 * Happy path: base/json makes a tree, one walk over the members fills a
 * draft by a table, wire_check judges it. Writing is a switch over the kinds;
 * events are desk's own words (event_write).
 * Failure: broken text or a wrong type is ERR_BAD_REQUEST with the field;
 * unknown members are ignored, null is the same as absent.
 */
#include "net/wire_json.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

/* --- reading -------------------------------------------------------------- */

enum want { TEXT, WHOLE, NUMBER, BOOL, OBJECT, PAGE, IDENTITY };

/* One member a frame may have: where it goes in the draft. */
struct member {
    const char *name;
    enum want want;
    size_t at, has;
};
#define AT(field) offsetof(struct draft, field)
#define MANY(table) (sizeof(table) / sizeof((table)[0]))

static const struct member frame_members[] = {
    {"ref", TEXT, AT(ref), 0},
    {"conversation", TEXT, AT(conversation), 0},
    {"kind", TEXT, AT(kind), 0},
    {"text", TEXT, AT(text), 0},
    {"file", TEXT, AT(file), 0},
    {"name", TEXT, AT(name), 0},
    {"reply_to", TEXT, AT(reply_to), 0},
    {"message", TEXT, AT(message), 0},
    {"status", TEXT, AT(status), 0},
    {"label", TEXT, AT(label), 0},
    {"address", TEXT, AT(address), 0},
    {"channel", TEXT, AT(channel), 0},
    {"token", TEXT, AT(token), 0},
    {"resume", TEXT, AT(resume), 0},
    {"locale", TEXT, AT(locale), 0},
    {"private", BOOL, AT(is_private), 0},
    {"seq", WHOLE, AT(seq), AT(has_seq)},
    {"before", WHOLE, AT(before), AT(has_before)},
    {"limit", WHOLE, AT(limit), AT(has_limit)},
    {"lat", NUMBER, AT(lat), AT(has_point)},
    {"lng", NUMBER, AT(lng), AT(has_point)},
    {"card", OBJECT, AT(card), 0},
    {"page", PAGE, 0, AT(has_page)},
    {"identity", IDENTITY, 0, AT(has_identity)},
};
static const struct member page_members[] = {
    {"url", TEXT, AT(page_url), 0},
    {"title", TEXT, AT(page_title), 0},
    {"referrer", TEXT, AT(page_referrer), 0},
};
static const struct member identity_members[] = {
    {"user_id", TEXT, AT(user_id), 0},
    {"name", TEXT, AT(id_name), 0},
    {"email", TEXT, AT(email), 0},
    {"tier", TEXT, AT(tier), 0},
    {"attributes", OBJECT, AT(attributes), 0},
    {"expires_at", WHOLE, AT(expires_at), 0},
    {"signature", TEXT, AT(signature), 0},
};

static int fill(struct arena *a, struct draft *d, const struct json *object,
                const struct member *table, size_t n, struct err *e);

static int wrong(const char *field, const char *what, struct err *e)
{
    return err_field(e, ERR_BAD_REQUEST, field, "%s must be %s.", field, what);
}

/* The object as compact text. */
static int keep_object(struct arena *a, const struct json *j, struct slice *to)
{
    struct buf b;
    buf_init(&b, LIMIT_AGENT_FRAME_BYTES * 6);
    struct jsonw w = jsonw_on(&b);
    jsonw_value(&w, j);
    if (w.failed == 0)
        *to = slice_dup(a, buf_slice(&b));
    buf_fini(&b);
    return w.failed;
}

static int put(struct arena *a, struct draft *d, const struct json *j,
               const struct member *m, struct err *e)
{
    void *to = (char *)d + m->at;
    switch (m->want) {
    case TEXT:
        if (j->type != JSON_STRING)
            return wrong(m->name, "a text", e);
        *(struct slice *)to = j->text;
        return 0;
    case WHOLE:
        if (j->type != JSON_INT)
            return wrong(m->name, "a whole number", e);
        *(int64_t *)to = j->integer;
        return 0;
    case NUMBER:
        if (j->type != JSON_INT && j->type != JSON_REAL)
            return wrong(m->name, "a number", e);
        *(double *)to = j->type == JSON_INT ? (double)j->integer : j->real;
        return 0;
    case BOOL:
        if (j->type != JSON_BOOL)
            return wrong(m->name, "true or false", e);
        *(bool *)to = j->boolean;
        return 0;
    case OBJECT:
        if (j->type != JSON_OBJECT)
            return wrong(m->name, "an object", e);
        return keep_object(a, j, to);
    case PAGE:
        if (j->type != JSON_OBJECT)
            return wrong(m->name, "an object", e);
        return fill(a, d, j, page_members, MANY(page_members), e);
    case IDENTITY:
        if (j->type != JSON_OBJECT)
            return wrong(m->name, "an object", e);
        return fill(a, d, j, identity_members, MANY(identity_members), e);
    }
    return ERR_INTERNAL;
}

static int fill(struct arena *a, struct draft *d, const struct json *object,
                const struct member *table, size_t n, struct err *e)
{
    for (const struct json *j = object->first; j; j = j->next) {
        size_t i = 0;
        while (i < n && !slice_is(j->key, table[i].name))
            i++;
        if (i == n || j->type == JSON_NULL)
            continue;
        int rc = put(a, d, j, &table[i], e);
        if (rc < 0)
            return rc;
        if (table[i].has)
            *(bool *)((char *)d + table[i].has) = true;
    }
    return 0;
}

static bool find_type(struct slice name, enum frame_type *out)
{
    static const struct {
        const char *name;
        enum frame_type type;
    } types[] = {{"send", FRAME_SEND},     {"typing", FRAME_TYPING},
                 {"read", FRAME_READ},     {"ping", FRAME_PING},
                 {"hello", FRAME_HELLO},   {"history", FRAME_HISTORY},
                 {"status", FRAME_STATUS}, {"stop", FRAME_STOP},
                 {"recall", FRAME_RECALL}, {"watch", FRAME_WATCH}};
    for (size_t i = 0; i < MANY(types); i++)
        if (slice_is(name, types[i].name)) {
            *out = types[i].type;
            return true;
        }
    return false;
}

int wire_json_read(struct arena *a, struct slice text, struct err *e,
                   struct slice *ref, struct frame **out)
{
    struct json *j;
    struct draft d = {0};
    *out = NULL;
    *ref = (struct slice){"", 0};
    int rc = json_parse(a, text, e, &j);
    if (rc < 0)
        return rc;
    if (!json_is(j, JSON_OBJECT))
        return err_set(e, ERR_BAD_REQUEST, "A frame is one JSON object.");
    struct slice sent = json_text(j, "ref");
    if (wire_ref_ok(sent))
        *ref = sent;
    if (!find_type(json_text(j, "type"), &d.type))
        return err_field(e, ERR_BAD_REQUEST, "type",
                         "The type of this frame is not known.");
    rc = fill(a, &d, j, frame_members, MANY(frame_members), e);
    return rc < 0 ? rc : wire_check(a, &d, e, out);
}

/* --- writing -------------------------------------------------------------- */

static void put_id(struct jsonw *w, const char *key, const char *prefix,
                   uint64_t id)
{
    char text[ID_TEXT];
    if (id)
        jsonw_put_text(w, key, id_text(text, prefix, id));
}

static void put_given(struct jsonw *w, const char *key, struct slice s)
{
    if (s.len)
        jsonw_put_text(w, key, s);
}

static const char *id_prefix(enum role role)
{
    return role == ROLE_VISITOR ? ID_CONTACT : ID_AGENT;
}

static void put_who(struct jsonw *w, const char *key, const struct notice *n)
{
    jsonw_key(w, key);
    jsonw_open(w, '{');
    jsonw_put_text(w, "role", slice_of(role_name(n->who_role)));
    put_id(w, "id", id_prefix(n->who_role), n->who);
    put_given(w, "name", n->who_name);
    jsonw_close(w, '}');
}

static void put_cursor(struct jsonw *w, struct cursor c)
{
    char text[CURSOR_TEXT];
    jsonw_put_text(w, "cursor", cursor_text(text, c));
}

static void put_conversation(struct jsonw *w, const struct notice *n)
{
    const struct conversation *c = n->conversation;
    jsonw_key(w, "conversation");
    jsonw_open(w, '{');
    put_id(w, "id", ID_CONVERSATION, c->id);
    jsonw_put_text(w, "state", slice_of(conv_state_name(c->state)));
    jsonw_put_int(w, "last_seq", c->last_seq);
    jsonw_put_int(w, "agent_read", c->agent_read);
    if (n->position) {
        jsonw_key(w, "queue");
        jsonw_open(w, '{');
        jsonw_put_int(w, "position", n->position);
        jsonw_put_int(w, "eta_ms", n->eta_ms);
        jsonw_close(w, '}');
    }
    jsonw_close(w, '}');
}

static void write_welcome(struct jsonw *w, const struct notice *n)
{
    char session[ID_TEXT];
    jsonw_put_text(w, "session", id_text(session, "s", n->session));
    put_who(w, "you", n);
    put_given(w, "token", n->token);
    if (n->conversation)
        put_conversation(w, n);
    put_cursor(w, n->cursor);
    jsonw_put_bool(w, "recovered", n->recovered);
    jsonw_put_int(w, "heartbeat_ms", n->heartbeat_ms);
    jsonw_put_int(w, "server_at", n->server_at);
    jsonw_key(w, "limits");
    jsonw_open(w, '{');
    jsonw_put_int(w, "text_bytes", n->text_bytes);
    jsonw_put_int(w, "file_bytes", n->file_bytes);
    jsonw_put_int(w, "frames_per_s", n->frames_per_s);
    jsonw_put_int(w, "recall_ms", n->recall_ms);
    jsonw_close(w, '}');
}

static void write_error(struct jsonw *w, const struct notice *n)
{
    put_given(w, "ref", n->ref);
    jsonw_put_text(w, "code", slice_of(err_code(n->code)));
    jsonw_put_text(w, "message",
                   n->text.len ? n->text : slice_of(wire_error_text(n->code)));
    put_given(w, "field", n->field);
    if (n->after_ms)
        jsonw_put_int(w, "retry_after_ms", n->after_ms);
}

static void write_history(struct jsonw *w, const struct notice *n)
{
    put_given(w, "ref", n->ref);
    put_id(w, "conversation", ID_CONVERSATION, n->conv);
    jsonw_put_raw(w, "items", n->items.len ? n->items : SLICE("[]"));
    jsonw_put_bool(w, "more", n->more);
}

/* The fleeting ones: what is told once and never kept. */
static void write_fleeting(struct jsonw *w, const struct notice *n)
{
    if (n->type != NOTICE_PRESENCE)
        put_id(w, "conversation", ID_CONVERSATION, n->conv);
    switch (n->type) {
    case NOTICE_TYPING:
        put_who(w, "who", n);
        put_given(w, "text", n->text);
        break;
    case NOTICE_QUEUE:
        jsonw_put_int(w, "position", n->position);
        jsonw_put_int(w, "eta_ms", n->eta_ms);
        break;
    case NOTICE_PRESENCE:
        put_id(w, "agent", ID_AGENT, n->who);
        put_given(w, "name", n->who_name);
        jsonw_put_text(w, "status", n->text);
        break;
    default: /* DELTA */
        jsonw_put_text(w, "stream", n->stream);
        jsonw_put_int(w, "index", n->index);
        jsonw_put_text(w, "text", n->text.at ? n->text : SLICE(""));
        if (n->whole)
            jsonw_put_bool(w, "whole", true);
        if (n->who_name.len)
            put_who(w, "sender", n);
        break;
    }
}

static const char *const notice_names[] = {
    [NOTICE_WELCOME] = "welcome",     [NOTICE_ACK] = "ack",
    [NOTICE_EVENT] = "event",         [NOTICE_TYPING] = "typing",
    [NOTICE_QUEUE] = "queue",         [NOTICE_PRESENCE] = "presence",
    [NOTICE_DELTA] = "delta",         [NOTICE_ERROR] = "error",
    [NOTICE_RECONNECT] = "reconnect", [NOTICE_PONG] = "pong",
    [NOTICE_HISTORY] = "history",
};

static void write_members(struct jsonw *w, const struct notice *n)
{
    switch (n->type) {
    case NOTICE_WELCOME:
        write_welcome(w, n);
        break;
    case NOTICE_ERROR:
        write_error(w, n);
        break;
    case NOTICE_RECONNECT:
        jsonw_put_int(w, "after_ms", n->after_ms);
        put_given(w, "reason", n->text);
        break;
    case NOTICE_PONG:
        put_given(w, "ref", n->ref);
        break;
    case NOTICE_HISTORY:
        write_history(w, n);
        break;
    default:
        write_fleeting(w, n);
        break;
    }
}

int wire_json_write(struct buf *out, const struct notice *n)
{
    must((size_t)n->type < MANY(notice_names));
    if (n->type == NOTICE_EVENT)
        return event_write(out, n->event, n->cursor, true);
    if (n->type == NOTICE_ACK)
        return event_write_ack(out, n->event, n->ref, n->cursor, n->duplicate);
    size_t was = out->len;
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "type", slice_of(notice_names[n->type]));
    write_members(&w, n);
    jsonw_close(&w, '}');
    if (w.failed)
        out->len = was;
    return w.failed;
}
