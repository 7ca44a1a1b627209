/* SPDX-License-Identifier: Apache-2.0 */
/* echoes.c - what staff says to a customer on the platform itself.
 *
 * Happy path: the customer is found or written down, the message is judged like
 * any other and handed to the desk as an agent's, from outside; the adapter goes
 * on when it is on disk (I1). What came before is known by the platform's id: of
 * an echo that was stored, and of what we sent ourselves. That may be quicker
 * than our own note of the sending: while something for this customer is with
 * the adapter, the echo waits for it. Failure: what is no message is told to the
 * adapter; what is still being sent after that is worth another push.
 */
#include "app/asks.h"
#include "app/channels/channels.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/meter.h"

#define LOOK_MS 50  /* until it is looked for again */
#define PATIENCE 40 /* looks: shorter than platforms wait for an answer */
#define WAITING_MOST 500

METER(m_echoes, METER_COUNTER, "yuelai_channel_echoes_total",
      "Messages that staff said on a platform itself");
METER(m_own, METER_COUNTER, "yuelai_channel_echoes_known_total",
      "Echoes of what was sent or stored before");
METER(m_waiting, METER_GAUGE, "yuelai_channel_echoes_waiting",
      "Echoes that wait for our own note of the sending now");

struct echo {
    struct server *server;
    struct script_ask *ask;
    struct json *given;
    uint64_t channel;
    struct slice remote; /* the platform's id */
    struct contact who;  /* whom it was said to */
    int looks;
    struct timer timer;
};

static void refuse(struct echo *e, int code, const char *why)
{
    asks_refuse(e->server, e->ask, code, why);
}

static void answer(struct echo *e, uint64_t pos, uint64_t conv, uint32_t seq,
                   bool again)
{
    char id[ID_TEXT], cv[ID_TEXT];
    struct buf out;
    buf_init(&out, 512);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "id", id_text(id, ID_MESSAGE, pos));
    jsonw_put_text(&w, "conversation", id_text(cv, ID_CONVERSATION, conv));
    jsonw_put_int(&w, "seq", seq);
    jsonw_put_bool(&w, "duplicate", again);
    jsonw_close(&w, '}');
    e->ask->data = slice_dup(e->ask->arena, buf_slice(&out));
    buf_fini(&out);
    meter_add(again ? &m_own : &m_echoes, 1);
    asks_answer(e->server, e->ask);
}

/* --- the message ---------------------------------------------------------- */

static void on_said(struct act *act)
{
    struct echo *e = act->owner;
    const struct event *ev = &act->event;
    if (act->result) {
        e->ask->result = act->result;
        e->ask->err = act->err;
        asks_answer(e->server, e->ask);
    } else {
        answer(e, ev->pos, ev->conv, ev->seq, ev->flags & EVENT_DUPLICATE);
    }
    act_free(act); /* its own arena, not the ask's */
}

/* Staff has no id of ours, so the ref says of which channel it is. */
static struct slice ref_of(const struct echo *e, struct arena *a)
{
    unsigned char sum[SHA256_BYTES];
    struct buf text, hex;
    buf_init(&text, e->remote.len + ID_TEXT + 1);
    char id[ID_TEXT];
    must(buf_add_text(&text, id_text(id, ID_CHANNEL, e->channel).at) == 0);
    must(buf_add(&text, e->remote.at, e->remote.len) == 0);
    sha256_of(buf_slice(&text), sum);
    buf_fini(&text);
    buf_init(&hex, 2 * SHA256_BYTES);
    must(hex_add(&hex, sum, LIMIT_REF_BYTES / 2) == 0);
    struct slice ref = slice_dup(a, buf_slice(&hex));
    buf_fini(&hex);
    return ref;
}

static void say(struct echo *e)
{
    struct err no = {0};
    struct act *act = act_new(ACT_SEND, on_said, e);
    struct json *name = json_get(e->given, "name");
    struct slice email = json_text(e->given, "agent");
    const struct agent *one =
        email.len ? desk_find_agent(e->server->desk, email) : NULL;
    act->role = ROLE_AGENT;
    act->actor = one ? one->id : 0;
    act->name = slice_dup(act->arena, whose_word(e->given, NULL, "name"));
    act->remote = slice_dup(act->arena, e->remote);
    act->frame = arena_one(act->arena, struct frame);
    if (name) {
        name->key = SLICE(""); /* the speaker's, known by now; no file's */
    }
    int r = frame_check_message(e->given, true, act->arena, act->frame, &no);
    if (r) {
        act_free(act);
        refuse(e, r, no.text);
        return;
    }
    act->frame->ref = ref_of(e, act->arena);
    act->frame->is_private = false;
    desk_staff_said(e->server->desk, &e->who, true, act);
}

/* --- was it ours? --------------------------------------------------------- */

static void look(struct echo *e);

static void on_timer(struct timer *t)
{
    struct echo *e = container_of(t, struct echo, timer);
    meter_add(&m_waiting, -1);
    look(e);
}

static void wait(struct echo *e)
{
    struct loop *l = e->server->loop;
    if (e->looks++ >= PATIENCE || meter_value(&m_waiting) >= WAITING_MOST) {
        refuse(e, ERR_UNAVAILABLE,
               "echo: a message to them is still on its way, is it this one?");
        return;
    }
    meter_add(&m_waiting, 1);
    timer_init(&e->timer, on_timer);
    timer_start(loop_wheel(l), &e->timer, loop_now(l) + LOOK_MS);
}

static void on_looked(struct query *q)
{
    struct echo *e = q->owner;
    if (q->result == 0 && q->outbox) {
        answer(e, q->outbox->pos, q->outbox->conv, q->outbox->seq, true);
    } else if (q->result && q->result != ERR_NOT_FOUND) {
        refuse(e, q->result, "the outbox could not be read");
    } else if (e->server->state != SERVER_SERVING) {
        refuse(e, ERR_UNAVAILABLE, "the house stops");
    } else if (desk_is_sending_to(e->server->desk, e->who.id)) {
        wait(e);
    } else {
        say(e);
    }
    query_free(q);
}

static void look(struct echo *e)
{
    struct query *q = query_new(QUERY_OUTBOX, on_looked, e);
    q->channel = e->channel;
    q->text = slice_dup(q->arena, e->remote);
    server_read(e->server, q);
}

static void on_whose(void *arg, const struct contact *who)
{
    struct echo *e = arg;
    e->who = *who;
    look(e);
}

void echo_ask(struct server *s, struct script_ask *ask)
{
    struct echo *e = arena_one(ask->arena, struct echo);
    *e = (struct echo){.server = s, .ask = ask};
    const struct channel *ch = desk_channel(s->desk, (uint64_t)ask->number);
    if (!ch || s->state != SERVER_SERVING) {
        refuse(e, ERR_UNAVAILABLE, "the channel is not there any more");
        return;
    }
    e->channel = ch->id;
    if (json_parse(ask->arena, ask->data, NULL, &e->given) < 0) {
        e->given = NULL;
    }
    struct slice to = json_text(e->given, "to");
    e->remote = json_text(e->given, "dedupe");
    if (!to.len || to.len > LIMIT_NAME_BYTES || !e->remote.len ||
        e->remote.len > LIMIT_TEXT_BYTES) {
        refuse(e, ERR_BAD_REQUEST,
               "echo: `to` must be the customer's id on the platform, "
               "`dedupe` the message's");
        return;
    }
    const struct json *profile = json_get(e->given, "profile");
    whose_ask(s, ask, ch->id,
              &(struct whose){.identity = to,
                              .name = whose_word(profile, NULL, "name"),
                              .email = whose_word(profile, NULL, "email"),
                              .phone = whose_word(profile, NULL, "phone")},
              on_whose, e);
}
