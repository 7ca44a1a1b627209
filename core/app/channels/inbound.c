/* SPDX-License-Identifier: Apache-2.0 */
/* inbound.c - what a platform's visitor says becomes a message.
 *
 * Happy path: the message is judged like any other (message_check), its sender
 * is found by the channel's identity or written down, and it is sent in the
 * visitor's name; the adapter goes on when it is on disk (I1). Failure: what
 * is no message, or has no sender, is told to the adapter; the same `dedupe`
 * again gives the first answer.
 */
#include "app/asks.h"
#include "app/channels/channels.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/meter.h"

METER(m_in, METER_COUNTER, "yuelai_channel_messages_in_total",
      "Messages that platforms have brought");
METER(m_again, METER_COUNTER, "yuelai_channel_repeats_total",
      "Messages that platforms have brought again");

struct inbound {
    struct server *server;
    struct script_ask *ask;
    struct json *given;
    struct channel channel; /* id and type only */
    struct slice identity;
    struct contact who;
    bool again; /* somebody else made the contact meanwhile */
};

static void refuse(struct inbound *in, int code, const char *why)
{
    asks_refuse(in->server, in->ask, code, why);
}

/* --- the message ---------------------------------------------------------- */

static void on_said(struct act *act)
{
    struct inbound *in = act->owner;
    struct script_ask *ask = in->ask;
    const struct event *ev = &act->event;
    if (act->result) {
        held_forget(in->server, ask->call);
        ask->result = act->result;
        ask->err = act->err;
    } else {
        char id[ID_TEXT], cv[ID_TEXT];
        bool again = ev->flags & EVENT_DUPLICATE;
        struct buf out;
        buf_init(&out, 512);
        struct jsonw w = jsonw_on(&out);
        jsonw_open(&w, '{');
        jsonw_put_text(&w, "id", id_text(id, ID_MESSAGE, ev->pos));
        jsonw_put_text(&w, "conversation",
                       id_text(cv, ID_CONVERSATION, ev->conv));
        jsonw_put_int(&w, "seq", ev->seq);
        jsonw_put_bool(&w, "duplicate", again);
        jsonw_close(&w, '}');
        ask->data = slice_dup(ask->arena, buf_slice(&out));
        buf_fini(&out);
        meter_add(again ? &m_again : &m_in, 1);
        if (ask->wait_ms) {
            desk_answer_held(in->server->desk, ev->conv);
        }
    }
    struct server *s = in->server;
    act_free(act); /* its own arena, not the ask's */
    asks_answer(s, ask);
}

/* `dedupe` as a ref: as it is if it fits, else its digest. */
struct slice inbound_ref(struct arena *a, struct slice dedupe)
{
    unsigned char sum[SHA256_BYTES];
    struct buf hex;
    if (dedupe.len <= LIMIT_REF_BYTES) {
        return dedupe;
    }
    sha256_of(dedupe, sum);
    buf_init(&hex, 2 * SHA256_BYTES);
    must(hex_add(&hex, sum, LIMIT_REF_BYTES / 2) == 0);
    struct slice ref = slice_dup(a, buf_slice(&hex));
    buf_fini(&hex);
    return ref;
}

/* A number that stands for a choice: as if its button were pressed; what was
 * typed is kept beside it. */
static void choose(struct frame *f, struct arena *a, struct slice chosen)
{
    struct buf out;
    buf_init(&out, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", chosen);
    jsonw_put_text(&w, "typed", slice_trim(f->text));
    jsonw_close(&w, '}');
    if (!w.failed) {
        f->body = slice_dup(a, buf_slice(&out));
        f->text = slice_dup(a, chosen);
    }
    buf_fini(&out);
}

static void on_chosen(void *arg, struct slice chosen)
{
    struct inbound *in = arg;
    struct err e = {0};
    struct act *act = act_new(ACT_SEND, on_said, in);
    struct json *name = json_get(in->given, "name");
    act->role = ROLE_VISITOR;
    act->frame = arena_one(act->arena, struct frame);
    if (name) {
        name->key = SLICE(""); /* the sender's, known by now; no file's */
    }
    int r = frame_check_message(in->given, true, act->arena, act->frame, &e);
    if (r) {
        act_free(act);
        refuse(in, r, e.text);
        return;
    }
    struct slice dedupe = json_text(in->given, "dedupe");
    act->frame->ref = slice_dup(act->arena, inbound_ref(act->arena, dedupe));
    act->frame->is_private = false;
    if (chosen.len && slice_is(act->frame->kind, "text")) {
        choose(act->frame, act->arena, chosen);
    }
    if (in->ask->wait_ms) { /* before: the answer may be very quick */
        held_begin(in->server, in->ask->call, in->channel.id, in->who.id,
                   in->ask->wait_ms);
    }
    desk_visitor_says(in->server->desk, &in->who, true, act);
}

static void say(struct inbound *in)
{
    choices_find(in->server, in->ask->arena, in->who.id,
                 json_text(in->given, "text"), on_chosen, in);
}

/* --- the sender ----------------------------------------------------------- */

static void find(struct inbound *in);

static void on_made(struct tx *tx)
{
    struct inbound *in = tx->owner;
    int r = tx->result;
    if (r == 0) {
        server_announce(in->server, tx);
    }
    tx_free(tx);
    if (r == ERR_CONFLICT && !in->again) {
        in->again = true;
        find(in);
    } else if (r) {
        refuse(in, r, "the contact could not be stored");
    } else {
        say(in);
    }
}

static struct slice profile(const struct inbound *in, const char *name)
{
    struct slice s = json_text(json_get(in->given, "profile"), name);
    s = s.len ? s : json_text(in->given, name);
    return s.len <= LIMIT_NAME_BYTES && s.at ? s : SLICE("");
}

static void make(struct inbound *in)
{
    struct tx *tx = tx_new(on_made, in);
    struct contact *c = arena_one(tx->arena, struct contact);
    int64_t now = clock_ms();
    *c = (struct contact){.id = id_new(),
                          .channel = in->channel.id,
                          .identity = in->identity,
                          .name = profile(in, "name"),
                          .email = profile(in, "email"),
                          .phone = profile(in, "phone"),
                          .tier = SLICE(""),
                          .tags = SLICE("[]"),
                          .attributes = SLICE("{}"),
                          .created_at = now,
                          .updated_at = now};
    struct buf body;
    buf_init(&body, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&body);
    contact_write(&w, c);
    struct event *ev = tx_event(tx, EVENT_CONTACT_UPDATED);
    ev->role = ROLE_VISITOR;
    ev->sender = c->id;
    ev->body = w.failed ? SLICE("{}") : slice_dup(tx->arena, buf_slice(&body));
    buf_fini(&body);
    tx_put(tx, PUT_CONTACT)->contact = c;
    in->who = *c; /* its texts are the ask's */
    server_commit(in->server, tx);
}

static void on_found(struct query *q)
{
    struct inbound *in = q->owner;
    struct arena *a = in->ask->arena;
    if (q->result && q->result != ERR_NOT_FOUND) {
        refuse(in, q->result, "the contact could not be read");
    } else if (!q->contact || q->result) {
        make(in);
    } else {
        in->who = *q->contact;
        in->who.identity = slice_dup(a, q->contact->identity);
        in->who.name = slice_dup(a, q->contact->name);
        in->who.email = slice_dup(a, q->contact->email);
        in->who.phone = slice_dup(a, q->contact->phone);
        in->who.tier = slice_dup(a, q->contact->tier);
        in->who.tags = slice_dup(a, q->contact->tags);
        in->who.attributes = slice_dup(a, q->contact->attributes);
        say(in);
    }
    query_free(q);
}

static void find(struct inbound *in)
{
    struct query *q = query_new(QUERY_CONTACT, on_found, in);
    q->channel = in->channel.id;
    q->identity = slice_dup(q->arena, in->identity);
    server_read(in->server, q);
}

void inbound_ask(struct server *s, struct script_ask *ask)
{
    struct inbound *in = arena_one(ask->arena, struct inbound);
    *in = (struct inbound){.server = s, .ask = ask};
    const struct channel *ch = desk_channel(s->desk, (uint64_t)ask->number);
    if (!ch || s->state != SERVER_SERVING) {
        refuse(in, ERR_UNAVAILABLE, "the channel is not there any more");
        return;
    }
    in->channel.id = ch->id;
    if (json_parse(ask->arena, ask->data, NULL, &in->given) < 0 ||
        !json_is(in->given, JSON_OBJECT)) {
        refuse(in, ERR_BAD_REQUEST, "deliver: an object is needed");
        return;
    }
    in->identity = json_text(in->given, "from");
    if (in->identity.len == 0 || in->identity.len > LIMIT_NAME_BYTES) {
        refuse(in, ERR_BAD_REQUEST,
               "deliver: `from` must be the sender's id on the platform");
        return;
    }
    find(in);
}
