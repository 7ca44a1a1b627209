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
    uint64_t channel;
    struct contact who;
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
        held_begin(in->server, in->ask->call, in->channel, in->who.id,
                   in->ask->wait_ms);
    }
    desk_visitor_says(in->server->desk, &in->who, true, act);
}

static void say(void *arg, const struct contact *who)
{
    struct inbound *in = arg;
    in->who = *who;
    choices_find(in->server, in->ask->arena, in->who.id,
                 json_text(in->given, "text"), on_chosen, in);
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
    in->channel = ch->id;
    if (json_parse(ask->arena, ask->data, NULL, &in->given) < 0 ||
        !json_is(in->given, JSON_OBJECT)) {
        refuse(in, ERR_BAD_REQUEST, "deliver: an object is needed");
        return;
    }
    struct slice from = json_text(in->given, "from");
    if (from.len == 0 || from.len > LIMIT_NAME_BYTES) {
        refuse(in, ERR_BAD_REQUEST,
               "deliver: `from` must be the sender's id on the platform");
        return;
    }
    const struct json *profile = json_get(in->given, "profile");
    whose_ask(s, ask, ch->id,
              &(struct whose){.identity = from,
                              .name = whose_word(profile, in->given, "name"),
                              .email = whose_word(profile, in->given, "email"),
                              .phone = whose_word(profile, in->given, "phone")},
              say, in);
}
