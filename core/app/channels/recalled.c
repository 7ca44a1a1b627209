/* SPDX-License-Identifier: Apache-2.0 */
/* recalled.c - somebody took a message back on its platform.
 *
 * Happy path: a visitor's message is found by its sender and the `dedupe` it
 * came with, one of ours by the platform's id of it; it is taken back here, too.
 * Failure: what fits no message is told to the adapter as not_found.
 */
#include "app/asks.h"
#include "app/channels/channels.h"
#include "base/json.h"
#include "base/limits.h"

struct recalled {
    struct server *server;
    struct script_ask *ask;
    uint64_t channel;
    struct slice from, dedupe, sent;
};

static void on_done(struct act *act)
{
    struct recalled *r = act->owner;
    struct script_ask *ask = r->ask;
    ask->result = act->result;
    ask->err = act->err;
    if (!act->result) {
        ask->data = SLICE("true");
    }
    act_free(act);
    asks_answer(r->server, ask);
}

static void take_back(struct recalled *r, enum role role, uint64_t actor,
                      uint64_t conv, uint64_t pos)
{
    struct act *act = act_new(ACT_RECALL, on_done, r);
    act->role = role;
    act->actor = actor;
    act->conv = conv;
    act->message = pos;
    act->platform = true;
    desk_act(r->server->desk, act);
}

static void not_found(struct recalled *r, int result)
{
    asks_refuse(r->server, r->ask, result ? result : ERR_NOT_FOUND,
                "there is no such message");
}

static void on_said(struct query *q)
{
    struct recalled *r = q->owner;
    if (q->result || !q->events) {
        not_found(r, q->result);
    } else {
        take_back(r, ROLE_VISITOR, q->id, q->events->conv, q->events->pos);
    }
    query_free(q);
}

static void on_contact(struct query *q)
{
    struct recalled *r = q->owner;
    if (q->result || !q->contact) {
        not_found(r, q->result);
        query_free(q);
        return;
    }
    struct query *ask = query_new(QUERY_EVENT, on_said, r);
    ask->id = q->contact->id;
    ask->text = slice_dup(ask->arena, inbound_ref(ask->arena, r->dedupe));
    query_free(q);
    server_read(r->server, ask);
}

static void on_sent(struct query *q)
{
    struct recalled *r = q->owner;
    if (q->result || !q->outbox) {
        not_found(r, q->result);
    } else {
        take_back(r, ROLE_SYSTEM, 0, q->outbox->conv, q->outbox->pos);
    }
    query_free(q);
}

void recalled_ask(struct server *s, struct script_ask *ask)
{
    struct recalled *r = arena_one(ask->arena, struct recalled);
    struct json *given = NULL;
    *r = (struct recalled){
        .server = s, .ask = ask, .channel = (uint64_t)ask->number};
    if (json_parse(ask->arena, ask->data, NULL, &given) < 0) {
        given = NULL;
    }
    r->from = json_text(given, "from");
    r->dedupe = json_text(given, "dedupe");
    r->sent = json_text(given, "sent");
    bool ours = r->sent.len != 0, theirs = r->from.len && r->dedupe.len;
    if (ours == theirs || s->state != SERVER_SERVING) {
        asks_refuse(s, ask, ours == theirs ? ERR_BAD_REQUEST : ERR_UNAVAILABLE,
                    "recalled: say from and dedupe, or sent");
        return;
    }
    struct query *q = query_new(ours ? QUERY_OUTBOX : QUERY_CONTACT,
                                ours ? on_sent : on_contact, r);
    q->channel = r->channel;
    q->text = slice_dup(q->arena, ours ? r->sent : SLICE(""));
    q->identity = slice_dup(q->arena, theirs ? r->from : SLICE(""));
    server_read(s, q);
}
