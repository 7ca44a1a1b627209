/* SPDX-License-Identifier: Apache-2.0 */
/* receipts.c - what platforms say became of messages.
 *
 * Happy path: the message is found by the platform's id of it, what was said is
 * committed and told. A receipt may be quicker than our own note that the
 * message was sent: while one of the channel is with its adapter, or its note
 * is being written, the receipt waits for it. Failure: what fits no message is
 * told to the adapter as not_found.
 */
#include "app/asks.h"
#include "app/channels/channels.h"
#include "base/json.h"
#include "base/meter.h"

#define LOOK_MS 50  /* until it is looked for again */
#define PATIENCE 50 /* looks: shorter than platforms wait for an answer */
#define WAITING_MOST 500

METER(m_receipts, METER_COUNTER, "yuelai_receipts_total",
      "What platforms said became of messages");
METER(m_early, METER_COUNTER, "yuelai_receipts_early_total",
      "Of these, those that waited for our own note of the sending");
METER(m_waiting, METER_GAUGE, "yuelai_receipts_waiting",
      "Receipts that wait for it now");

struct receipt {
    struct server *server;
    struct script_ask *ask;
    uint64_t channel;
    struct slice sent, status, why;
    int looks;
    struct timer timer;
};

static void look(struct receipt *r);

static bool may_wait(const struct receipt *r)
{
    return r->server->state == SERVER_SERVING && r->looks < PATIENCE &&
           meter_value(&m_waiting) < WAITING_MOST &&
           desk_is_sending(r->server->desk, r->channel);
}

static void on_timer(struct timer *t)
{
    struct receipt *r = container_of(t, struct receipt, timer);
    meter_add(&m_waiting, -1);
    look(r);
}

static void wait(struct receipt *r)
{
    struct loop *l = r->server->loop;
    if (r->looks++ == 0) {
        meter_add(&m_early, 1);
    }
    meter_add(&m_waiting, 1);
    timer_init(&r->timer, on_timer);
    timer_start(loop_wheel(l), &r->timer, loop_now(l) + LOOK_MS);
}

static void on_found(struct query *q)
{
    struct receipt *r = q->owner;
    if (q->result == 0 && q->outbox) {
        meter_add(&m_receipts, 1);
        desk_receipt(r->server->desk, q->outbox, r->status, r->why);
        r->ask->data = SLICE("true");
        asks_answer(r->server, r->ask);
    } else if ((!q->result || q->result == ERR_NOT_FOUND) && may_wait(r)) {
        wait(r);
    } else {
        asks_refuse(r->server, r->ask, q->result ? q->result : ERR_NOT_FOUND,
                    "no message was sent with this id");
    }
    query_free(q);
}

static void look(struct receipt *r)
{
    struct query *q = query_new(QUERY_OUTBOX, on_found, r);
    q->channel = r->channel;
    q->text = slice_dup(q->arena, r->sent);
    server_read(r->server, q);
}

void receipt_ask(struct server *s, struct script_ask *ask)
{
    struct receipt *r = arena_one(ask->arena, struct receipt);
    struct json *given = NULL;
    *r = (struct receipt){
        .server = s, .ask = ask, .channel = (uint64_t)ask->number};
    if (json_parse(ask->arena, ask->data, NULL, &given) < 0) {
        given = NULL;
    }
    r->status = json_text(given, "status");
    r->sent = json_text(given, "sent");
    r->why = json_text(given, "why");
    r->why = r->why.at ? r->why : SLICE("");
    if (!r->sent.len ||
        !(slice_is(r->status, "delivered") || slice_is(r->status, "read") ||
          slice_is(r->status, "failed"))) {
        asks_refuse(s, ask, ERR_BAD_REQUEST,
                    "receipt: say sent = id, status = \"delivered\", "
                    "\"read\" or \"failed\"");
        return;
    }
    look(r);
}
