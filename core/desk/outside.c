/* SPDX-License-Identifier: Apache-2.0 */
/* outside.c - what staff says to a visitor on the platform itself.
 *
 * Happy path: in its turn of the lane it is stored as an agent's message with
 * the mark "outside" and a row of the outbox that is sent already, so that
 * receipts and recalls by the platform's id find it and nothing goes out. No
 * hook is asked: it has been said. A person has spoken, so what a bot held (and
 * what is new) is people's now, in the same transaction: the turn it owed is
 * over and a late answer refused (I13). What people hold stays with them.
 * Failure: the same id again is the first message; a conversation that was
 * closed meanwhile: a new one.
 */
#include "desk/outbox.h"

static void staff_said(struct desk *d, struct person *p, struct act *act);

/* The agent, if it is one who could hold it. */
static uint64_t taker(const struct desk *d, uint64_t agent)
{
    const struct agent_live *a = agent_of(d, agent);
    return a && a->rec.enabled ? agent : 0;
}

static bool is_to_move(const struct conv *c, uint64_t to)
{
    return c->rec.state == CONV_BOT || (c->rec.state == CONV_QUEUED && to);
}

static void put_message(struct tx *tx, struct step *s, struct act *act)
{
    static const char mark[] = ",\"outside\":true}";
    struct buf body;
    buf_init(&body, act->frame->body.len + sizeof mark);
    must(act->frame->body.len > 2);
    must(buf_add(&body, act->frame->body.at, act->frame->body.len - 1) == 0);
    must(buf_add_text(&body, mark) == 0);
    struct event *ev = conv_tx_message(tx, s, ROLE_AGENT, act->actor, act->name,
                                       buf_slice(&body));
    buf_fini(&body);
    ev->ref = act->frame->ref;
    ev->flags |= EVENT_OUTSIDE;
    s->act = act;
    s->message = ev;
    s->conv->granted_fence = 0;
}

/* A new one is the rules' until its first message is on disk. */
static void place_begin(struct desk *d, struct conv *c, void *what)
{
    if (!c->stored || c->rec.state != CONV_BOT) {
        conv_change_end(d, c);
        return;
    }
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    uint64_t agent = (uint64_t)(uintptr_t)what;
    enum event_name name = choose_holder(d, s, taker(d, agent), c->rec.team);
    conv_tx_change(tx, s, name, ROLE_SYSTEM, 0, 0);
    conv_commit(d, tx);
}

static void create(struct desk *d, struct conv *c, struct act *act)
{
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    void *to = (void *)(uintptr_t)act->actor;
    s->creates = true;
    conv_tx_change(tx, s, EVENT_CONVERSATION_CREATED, ROLE_AGENT, act->actor,
                   0);
    if (!c->person->stored) {
        put_contact(d, tx, c->person, d->conf.ports.now(d->conf.ports.arg));
    }
    put_message(tx, s, act);
    conv_commit(d, tx);
    conv_change(d, c, place_begin, to);
}

static void said_begin(struct desk *d, struct conv *c, void *what)
{
    struct act *act = what;
    uint64_t to = taker(d, act->actor);
    if (c->rec.state == CONV_CLOSED) {
        conv_change_end(d, c);
        staff_said(d, c->person, act);
        return;
    }
    if (!c->stored) {
        create(d, c, act);
        return;
    }
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    bool moves = is_to_move(c, to);
    if (moves) {
        enum event_name name = choose_holder(d, s, to, c->rec.team);
        conv_tx_change(tx, s, name, ROLE_AGENT, act->actor, 0);
    }
    put_message(tx, s, act);
    conv_commit(d, tx);
    if (!moves) {
        conv_change_end(d, c);
    }
}

static void staff_said(struct desk *d, struct person *p, struct act *act)
{
    conv_change(d, conv_of_person(d, p), said_begin, act);
}

void desk_staff_said(struct desk *d, const struct contact *who, bool stored,
                     struct act *act)
{
    struct person *p = person_get(d, who->id, who->channel);
    person_know(p, who);
    p->stored |= stored;
    staff_said(d, p, act);
    person_release(d, p);
}
