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

static char *put_base32(char *at, uint64_t n, int count)
{
    for (int i = count; i-- > 0; n >>= 5)
        at[i] = digits[n & 31];
    return at + count;
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

/* A JSON object's members without its braces, "" if it has none. */
static struct slice inside(struct slice object)
{
    object = slice_trim(object);
    if (object.len < 2 || object.at[0] != '{')
        return (struct slice){"", 0};
    return slice_trim((struct slice){object.at + 1, object.len - 2});
}

/* Gives the buffer back as it was if a piece did not fit. */
static int finish(struct buf *out, size_t was, const struct jsonw *w)
{
    if (w->failed)
        out->len = was;
    return w->failed;
}

static void write_message(struct jsonw *w, const struct event *ev)
{
    char id[ID_TEXT];
    jsonw_open(w, '{');
    jsonw_put_text(w, "id", id_text(id, ID_MESSAGE, ev->pos));
    jsonw_put_int(w, "seq", ev->seq);
    jsonw_put_int(w, "at", ev->at);
    if (ev->ref.len)
        jsonw_put_text(w, "ref", ev->ref);
    struct slice rest = inside(ev->body);
    if (rest.len)
        jsonw_raw(w, rest); /* members, behind one comma */
    jsonw_close(w, '}');
}

/* Only a created message has id, seq and ref of its own: every other event's
 * body is its data as it is. */
static void write_data(struct jsonw *w, const struct event *ev)
{
    if (ev->name == EVENT_MESSAGE_CREATED)
        write_message(w, ev);
    else
        jsonw_raw(w, ev->body.len ? ev->body : SLICE("{}"));
}

int event_write_data(struct buf *out, const struct event *ev)
{
    size_t was = out->len;
    struct jsonw w = jsonw_on(out);
    write_data(&w, ev);
    return finish(out, was, &w);
}

int event_write(struct buf *out, const struct event *ev, struct cursor at,
                bool with_type)
{
    size_t was = out->len;
    char text[CURSOR_TEXT], id[ID_TEXT];
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    if (with_type)
        jsonw_put_text(&w, "type", SLICE("event"));
    jsonw_put_text(&w, "event", slice_of(event_name_text(ev->name)));
    jsonw_put_text(&w, "cursor", cursor_text(text, at));
    jsonw_put_int(&w, "at", ev->at);
    if (ev->conv)
        jsonw_put_text(&w, "conversation",
                       id_text(id, ID_CONVERSATION, ev->conv));
    jsonw_key(&w, "data");
    write_data(&w, ev);
    jsonw_close(&w, '}');
    return finish(out, was, &w);
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
    put_time(&w, "queued_at", c->queued_at);
    put_time(&w, "snoozed_until_at", c->snoozed_until);
    jsonw_put_int(&w, "created_at", c->created_at);
    jsonw_put_int(&w, "updated_at", c->updated_at);
    put_time(&w, "closed_at", c->closed_at);
    jsonw_close(&w, '}');
    return finish(out, was, &w);
}
