/* SPDX-License-Identifier: Apache-2.0 */
/* event.c - events and conversations as the outside sees them (event.h).
 *
 * Happy path: an event's head is a handful of fixed pieces and numbers put
 * in front of its body, which is JSON already and is copied as it is: this
 * runs once per message and must stay a few hundred nanoseconds.
 * Failure: the buffer's maximum (ERR_TOOBIG); the buffer is then as it was.
 */
#include "desk/event.h"
#include "base/clock.h"
#include "base/json.h"

#include <string.h>

static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* --- cursors -------------------------------------------------------------- */

#define WORD 13 /* base32 digits of a 64-bit number */
#define SUB 7   /* of a 32-bit one */

static char *put_base32(char *to, uint64_t n, int count)
{
    for (int i = count; i-- > 0; n >>= 5)
        to[i] = digits[n & 31];
    return to + count;
}

/* The most digits that still fit: the first of 13 carries 4 bits, of 7 two. */
static bool get_base32(const char *at, int count, uint64_t *out)
{
    uint64_t n = 0;
    for (int i = 0; i < count; i++) {
        const char *d = at[i] ? strchr(digits, at[i]) : NULL;
        if (!d)
            return false;
        if (i == 0 && d - digits >= (count == WORD ? 16 : 4))
            return false;
        n = n << 5 | (uint64_t)(d - digits);
    }
    *out = n;
    return true;
}

struct slice cursor_text(char out[CURSOR_TEXT], struct cursor c)
{
    char *end = put_base32(out, c.epoch, WORD);
    end = put_base32(end, c.pos, WORD);
    if (c.sub)
        end = put_base32(end, c.sub, SUB);
    *end = '\0';
    return (struct slice){out, (size_t)(end - out)};
}

bool cursor_parse(struct slice text, struct cursor *out)
{
    uint64_t sub = 0;
    *out = (struct cursor){0};
    if (text.len != 2 * WORD && text.len != 2 * WORD + SUB)
        return false;
    struct cursor c = {0};
    if (!get_base32(text.at, WORD, &c.epoch) ||
        !get_base32(text.at + WORD, WORD, &c.pos))
        return false;
    if (text.len > 2 * WORD) {
        if (!get_base32(text.at + 2 * WORD, SUB, &sub) || sub == 0)
            return false; /* one text per cursor: 0 is left out */
        c.sub = (uint32_t)sub;
    }
    *out = c;
    return true;
}

/* --- events --------------------------------------------------------------- */

/* Messages and their acks are the hot path: their fixed pieces are put down by
 * hand into room reserved once, which halves the time of the general writer. */
#define HEAD_ROOM 320 /* type, event, cursor, at, conversation, data's head */

static char *put(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}
#define PUT(at, literal) put(at, literal, sizeof(literal) - 1)

static char *put_number(char *at, int64_t n)
{
    char text[20];
    size_t i = sizeof(text);
    uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do
        text[--i] = (char)('0' + left % 10);
    while (left /= 10);
    if (n < 0)
        *at++ = '-';
    return put(at, text + i, sizeof(text) - i);
}

/* "prefix_0123456789abc", the quotes with it. */
static char *put_quoted_id(char *at, const char *prefix, uint64_t id)
{
    *at++ = '"';
    at += id_text(at, prefix, id).len;
    *at++ = '"';
    return at;
}

static char *put_quoted_cursor(char *at, struct cursor c)
{
    *at++ = '"';
    at += cursor_text(at, c).len;
    *at++ = '"';
    return at;
}

static char *end_of(const struct buf *out)
{
    return out->data + out->len;
}

static void end_at(struct buf *out, const char *at)
{
    out->len = (size_t)(at - out->data);
}

/* A JSON object's members without its braces, "" if it has none. */
static struct slice inside(struct slice object)
{
    object = slice_trim(object);
    if (object.len < 2 || object.at[0] != '{')
        return (struct slice){"", 0};
    return slice_trim((struct slice){object.at + 1, object.len - 2});
}

/* Gives the buffer back as it was if a piece did not fit. */
static int finish(struct buf *out, size_t was, int failed)
{
    if (failed)
        out->len = was;
    return failed;
}

static int write_message(struct buf *out, const struct event *ev)
{
    struct slice rest = inside(ev->body);
    int rc = buf_reserve(out, HEAD_ROOM);
    if (rc < 0)
        return rc;
    char *at = PUT(end_of(out), "{\"id\":");
    at = put_quoted_id(at, ID_MESSAGE, ev->pos);
    at = PUT(at, ",\"seq\":");
    at = put_number(at, ev->seq);
    at = PUT(at, ",\"at\":");
    at = put_number(at, ev->at);
    if (ev->ref.len)
        at = PUT(at, ",\"ref\":");
    end_at(out, at);
    if (ev->ref.len)
        rc = json_quote(out, ev->ref);
    if (rc == 0)
        rc = buf_reserve(out, rest.len + 2);
    if (rc < 0)
        return rc;
    at = end_of(out);
    if (rest.len) {
        *at++ = ',';
        at = put(at, rest.at, rest.len);
    }
    *at++ = '}';
    end_at(out, at);
    return 0;
}

/* Only a created message has id, seq and ref of its own: every other event's
 * body is its data as it is. */
int event_write_data(struct buf *out, const struct event *ev)
{
    size_t was = out->len;
    int rc;
    if (ev->name == EVENT_MESSAGE_CREATED)
        rc = write_message(out, ev);
    else
        rc = buf_add_slice(out, ev->body.len ? ev->body : SLICE("{}"));
    return finish(out, was, rc);
}

int event_write(struct buf *out, const struct event *ev, struct cursor at,
                bool with_type)
{
    size_t was = out->len;
    const char *name = event_name_text(ev->name);
    int rc = buf_reserve(out, HEAD_ROOM);
    if (rc < 0)
        return rc;
    char *to = PUT(end_of(out), "{");
    if (with_type)
        to = PUT(to, "\"type\":\"event\",");
    to = PUT(to, "\"event\":\"");
    to = put(to, name, strlen(name));
    to = PUT(to, "\",\"cursor\":");
    to = put_quoted_cursor(to, at);
    to = PUT(to, ",\"at\":");
    to = put_number(to, ev->at);
    if (ev->conv) {
        to = PUT(to, ",\"conversation\":");
        to = put_quoted_id(to, ID_CONVERSATION, ev->conv);
    }
    to = PUT(to, ",\"data\":");
    end_at(out, to);
    rc = event_write_data(out, ev);
    if (rc == 0)
        rc = buf_add_char(out, '}');
    return finish(out, was, rc);
}

int event_write_ack(struct buf *out, const struct event *ev, struct slice ref,
                    struct cursor at, bool duplicate)
{
    size_t was = out->len;
    int rc = buf_reserve(out, HEAD_ROOM);
    if (rc < 0)
        return rc;
    end_at(out, PUT(end_of(out), "{\"type\":\"ack\",\"ref\":"));
    rc = json_quote(out, ref);
    if (rc == 0)
        rc = buf_reserve(out, HEAD_ROOM);
    if (rc < 0)
        return finish(out, was, rc);
    char *to = PUT(end_of(out), ",\"conversation\":");
    to = put_quoted_id(to, ID_CONVERSATION, ev->conv);
    to = PUT(to, ",\"id\":");
    to = put_quoted_id(to, ID_MESSAGE, ev->pos);
    to = PUT(to, ",\"seq\":");
    to = put_number(to, ev->seq);
    to = PUT(to, ",\"at\":");
    to = put_number(to, ev->at);
    to = PUT(to, ",\"cursor\":");
    to = put_quoted_cursor(to, at);
    to = duplicate ? PUT(to, ",\"duplicate\":true}")
                   : PUT(to, ",\"duplicate\":false}");
    end_at(out, to);
    return 0;
}

/* --- conversations -------------------------------------------------------- */

static void put_id(struct jsonw *w, const char *key, const char *prefix,
                   uint64_t id)
{
    char text[ID_TEXT];
    jsonw_put_text(w, key,
                   id ? id_text(text, prefix, id) : (struct slice){NULL, 0});
}

/* A time that may not have come: null then. */
static void put_time(struct jsonw *w, const char *key, int64_t at)
{
    jsonw_key(w, key);
    if (at)
        jsonw_int(w, at);
    else
        jsonw_null(w);
}

static void put_json(struct jsonw *w, const char *key, struct slice json,
                     struct slice otherwise)
{
    jsonw_put_raw(w, key, json.len ? json : otherwise);
}

/* A text that is "" rather than null when absent. */
static void put_words(struct jsonw *w, const char *key, struct slice s)
{
    jsonw_put_text(w, key, s.at ? s : SLICE(""));
}

int64_t window_until(const struct conversation *c)
{
    return c->heard_at ? c->heard_at + c->window.ms : 0;
}

/* reply_window null: answers may go at any time. */
static void put_window(struct jsonw *w, const struct conversation *c)
{
    struct reply_window of = c->window;
    put_time(w, "reply_until_at", of.ms ? window_until(c) : 0);
    jsonw_key(w, "reply_left");
    if (of.count)
        jsonw_int(w, c->said < of.count ? of.count - c->said : 0);
    else
        jsonw_null(w);
    jsonw_key(w, "reply_window");
    if (!of.ms && !of.count) {
        jsonw_null(w);
        return;
    }
    jsonw_open(w, '{');
    jsonw_put_int(w, "ms", of.ms);
    jsonw_put_int(w, "count", of.count);
    jsonw_close(w, '}');
}

int conversation_write(struct buf *out, const struct conversation *c)
{
    size_t was = out->len;
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    put_id(&w, "id", ID_CONVERSATION, c->id);
    put_id(&w, "channel", ID_CHANNEL, c->channel);
    put_words(&w, "channel_type", c->channel_type);
    put_id(&w, "contact", ID_CONTACT, c->contact);
    put_words(&w, "contact_name", c->contact_name);
    put_words(&w, "contact_tier", c->contact_tier);
    jsonw_put_text(&w, "state", slice_of(conv_state_name(c->state)));
    put_id(&w, "assignee", ID_AGENT, c->assignee);
    if (c->bot.len) {
        jsonw_put_text(&w, "assistant", c->bot);
    }
    put_id(&w, "team", ID_TEAM, c->team);
    jsonw_put_int(&w, "priority", c->priority);
    put_json(&w, "tags", c->tags, SLICE("[]"));
    put_json(&w, "attributes", c->attributes, SLICE("{}"));
    jsonw_put_int(&w, "last_seq", c->last_seq);
    jsonw_put_int(&w, "unread", c->unread);
    jsonw_put_int(&w, "agent_read", c->agent_read);
    jsonw_put_int(&w, "visitor_read", c->visitor_read);
    put_words(&w, "preview", c->preview);
    put_time(&w, "last_at", c->last_at);
    put_time(&w, "waiting_since_at", c->waiting_since_at);
    put_window(&w, c);
    put_time(&w, "queued_at", c->queued_at);
    put_time(&w, "snoozed_until_at", c->snoozed_until);
    jsonw_put_int(&w, "created_at", c->created_at);
    jsonw_put_int(&w, "updated_at", c->updated_at);
    put_time(&w, "closed_at", c->closed_at);
    jsonw_close(&w, '}');
    return finish(out, was, w.failed);
}

static void write_identities(struct jsonw *w, const struct contact *c)
{
    jsonw_key(w, "identities");
    jsonw_open(w, '[');
    if (c->identity.len) {
        jsonw_open(w, '{');
        put_id(w, "channel", ID_CHANNEL, c->channel);
        jsonw_put_text(w, "user_id", c->identity);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

void file_put_json(struct jsonw *w, const struct file *f)
{
    char id[ID_TEXT];
    jsonw_open(w, '{');
    jsonw_put_text(w, "id", id_text(id, ID_FILE, f->id));
    jsonw_put_text(w, "name", f->name.at ? f->name : SLICE(""));
    jsonw_put_text(w, "mime", f->mime);
    jsonw_put_int(w, "size", f->size);
    if (f->width) {
        jsonw_put_int(w, "width", f->width);
        jsonw_put_int(w, "height", f->height);
    }
    jsonw_put_bool(w, "thumb", f->has_thumb);
    jsonw_close(w, '}');
}

void contact_write(struct jsonw *w, const struct contact *c)
{
    jsonw_open(w, '{');
    put_id(w, "id", ID_CONTACT, c->id);
    put_id(w, "channel", ID_CHANNEL, c->channel);
    write_identities(w, c);
    put_words(w, "name", c->name);
    put_words(w, "email", c->email);
    put_words(w, "phone", c->phone);
    put_words(w, "tier", c->tier);
    put_json(w, "tags", c->tags, SLICE("[]"));
    put_json(w, "attributes", c->attributes, SLICE("{}"));
    jsonw_put_int(w, "created_at", c->created_at);
    jsonw_put_int(w, "updated_at", c->updated_at);
    jsonw_close(w, '}');
}

void article_write(struct jsonw *w, const struct article *a,
                   const char *body_as)
{
    jsonw_open(w, '{');
    put_id(w, "id", ID_ARTICLE, a->id);
    put_words(w, "title", a->title);
    put_words(w, "lang", a->lang);
    put_json(w, "tags", a->tags, SLICE("[]"));
    jsonw_put_text(w, "state",
                   a->published ? SLICE("published") : SLICE("draft"));
    put_id(w, "author", ID_AGENT, a->author);
    jsonw_put_int(w, "created_at", a->created_at);
    jsonw_put_int(w, "updated_at", a->updated_at);
    put_words(w, body_as, a->body);
    jsonw_close(w, '}');
}
