/* SPDX-License-Identifier: Apache-2.0 */
/* acts.c - what people do to a conversation, by frame or by REST.
 *
 * Happy path: the right is checked, the change waits for its turn in the
 * conversation's lane, is decided on what is committed by then, committed, and
 * answered. A plain message of the holder or the visitor changes no state and
 * is committed at once, beside the lane. Failure: a sentence and a code; a
 * closed conversation is loaded first.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "desk/outbox.h"
#include "desk/turns.h"

/* --- answers -------------------------------------------------------------- */

struct act *act_new(enum act_kind kind, void (*done)(struct act *), void *owner)
{
    struct arena *a = arena_new();
    struct act *act = arena_one(a, struct act);
    act->arena = a;
    act->kind = kind;
    act->done = done;
    act->owner = owner;
    return act;
}

void act_free(struct act *act)
{
    job_free(act->screen);
    arena_free(act->arena);
}

void act_fail(struct act *act, int code, const char *why)
{
    act->result = err_set(&act->err, code, "%s", why);
    act->conversation = NULL;
    act->done(act);
}

void act_refuse(struct act *act, const struct err *e)
{
    act->err = *e;
    act->result = e->code;
    act->conversation = NULL;
    act->done(act);
}

void act_finish(struct act *act, struct conv *c)
{
    desk_window(c->desk, &c->rec);
    act->conversation = &c->rec;
    act->done(act);
}

/* A frame that failed is answered by an error frame; then it is over. */
static void on_frame_act(struct act *act)
{
    struct desk *d = act->owner;
    struct desk_peer *p = map_get(&d->peers, act->peer);
    if (p && act->result) {
        struct notice n = {.type = NOTICE_ERROR,
                           .code = act->result,
                           .text = slice_of(act->err.text),
                           .field = slice_of(act->err.field),
                           .ref =
                               act->frame ? act->frame->ref : (struct slice){0},
                           .arena = act->arena,
                           .conv = act->conv};
        if (act->result == ERR_UNAVAILABLE) {
            n.after_ms = 1000;
        }
        d->conf.ports.send(d->conf.ports.arg, p->id, &n);
    }
    if (act->role != ROLE_SYSTEM) {
        d->conf.ports.give_credits(d->conf.ports.arg, 1);
    }
    act_free(act);
}

struct act *act_of_frame(enum act_kind kind, struct desk_peer *p,
                         struct frame *f, struct arena *a)
{
    struct act *act = arena_one(a, struct act);
    act->arena = a;
    act->kind = kind;
    act->done = on_frame_act;
    act->role = p->role;
    act->peer = p->id;
    act->frame = f;
    act->conv = f->conv;
    act->seq = f->seq;
    act->message = f->message;
    act->actor = p->role == ROLE_AGENT ? p->agent->rec.id : p->person->id;
    return act;
}

/* --- messages ------------------------------------------------------------- */

struct contact *put_contact(struct desk *d, struct tx *tx, struct person *p,
                            int64_t now)
{
    struct contact *row = arena_one(tx->arena, struct contact);
    if (p->rec) {
        *row = *p->rec;
        row->identity = slice_dup(tx->arena, p->rec->identity);
        row->name = slice_dup(tx->arena, p->rec->name);
        row->email = slice_dup(tx->arena, p->rec->email);
        row->phone = slice_dup(tx->arena, p->rec->phone);
        row->tier = slice_dup(tx->arena, p->rec->tier);
        row->tags = slice_dup(tx->arena, p->rec->tags);
        row->attributes = slice_dup(tx->arena, p->rec->attributes);
    }
    row->id = p->id;
    row->channel = p->channel;
    row->created_at = row->created_at ? row->created_at : now;
    row->updated_at = now;
    tx_put(tx, PUT_CONTACT)->contact = row;
    (void)d;
    return row;
}

static struct event *send_message(struct tx *tx, struct step *s,
                                  struct act *act)
{
    struct slice name = act->role == ROLE_VISITOR ? person_name(s->conv->person)
                                                  : (struct slice){0};
    struct event *ev =
        conv_tx_message(tx, s, act->role, act->actor, name, act->frame->body);
    ev->ref = act->frame->ref;
    if (act->frame->is_private) {
        ev->flags |= EVENT_PRIVATE;
    } else if (act->role == ROLE_AGENT) {
        s->conv->granted_fence = 0; /* a person speaks: no late job beside */
    }
    s->act = act;
    s->message = ev;
    s->text = act->frame->text;
    s->kind = act->frame->kind;
    return ev;
}

/* The tx borrows the act's arena for its texts: the act lives until done. */
static void send_plain(struct desk *d, struct conv *c, struct act *act)
{
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    struct outcome *o = screen_apply(d, c, act, tx, s);
    screen_end(o, send_message(tx, s, act), false);
    conv_commit(d, tx);
}

/* A message that changes the state with it: creates, wakes, takes over. */
static void send_changing(struct desk *d, struct conv *c, struct act *act)
{
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    int64_t now = d->conf.ports.now(d->conf.ports.arg);
    struct outcome *o = screen_apply(d, c, act, tx, s);
    if (!c->stored) {
        s->creates = true;
        conv_tx_change(tx, s, EVENT_CONVERSATION_CREATED, act->role, act->actor,
                       0);
        if (!c->person->stored) {
            put_contact(d, tx, c->person, now);
        }
    } else if (act->role == ROLE_VISITOR) { /* snoozed */
        conv_set_holder(&s->next, CONV_OPEN, c->rec.assignee, now);
        conv_tx_change(tx, s, EVENT_CONVERSATION_UPDATED, act->role, act->actor,
                       0);
    } else {
        conv_set_holder(&s->next, CONV_OPEN, act->actor, now);
        conv_tx_change(tx, s, EVENT_CONVERSATION_ASSIGNED, act->role,
                       act->actor, 0);
    }
    screen_end(o, send_message(tx, s, act), true);
    conv_commit(d, tx);
}

/* 0 = may answer as it is, 1 = takes the conversation by answering, or an
 * error. Only the holder answers in public (I13). */
static int may_answer(struct desk *d, struct conv *c, struct act *act)
{
    const struct agent *a = desk_agent(d, act->actor);
    if (!a) {
        return ERR_FORBIDDEN;
    }
    if (act->frame->is_private) {
        return 0;
    }
    switch (c->rec.state) {
    case CONV_OPEN:
    case CONV_SNOOZED:
        if (c->rec.assignee == act->actor) {
            return c->rec.state == CONV_SNOOZED;
        }
        return a->role == AGENT_ROLE_AGENT ? ERR_FORBIDDEN : 1;
    case CONV_BOT:
    case CONV_QUEUED:
        return 1;
    default:
        return ERR_CONFLICT;
    }
}

/* An answer that the platform would not take any more is refused, unless it was
 * stored before and its ack got lost: only the store knows that. */
static bool send_late(struct desk *d, struct conv *c, struct act *act)
{
    struct err e = {0};
    struct step *s;
    if (act->role != ROLE_AGENT || act->frame->is_private ||
        may_answer(d, c, act) < 0 || window_check(d, &c->rec, &e) == 0) {
        return false;
    }
    struct tx *tx = conv_tx(d, c, &s);
    send_message(tx, s, act);
    tx->refuse = e.code;
    tx->err = e;
    conv_commit(d, tx);
    return true;
}

/* The lane's turn of a message. */
static void send_begin(struct desk *d, struct conv *c, void *what)
{
    struct act *act = what;
    c->lane_sends--;
    int how = 0;
    if (send_late(d, c, act)) {
        conv_change_end(d, c);
        return;
    }
    if (act->role == ROLE_VISITOR) {
        must(c->rec.state != CONV_CLOSED); /* sends_move took it out */
        how = !c->stored || c->rec.state == CONV_SNOOZED;
    } else {
        how = may_answer(d, c, act);
    }
    if (how == 1) {
        send_changing(d, c, act);
        return; /* the turn ends when it is committed */
    }
    if (how == 0) {
        bool turn = screen_changes(act);
        send_plain(d, c, act);
        if (turn) {
            return;
        }
    } else {
        act_fail(act, how,
                 how == ERR_CONFLICT ? "the conversation is closed"
                                     : "another agent holds this conversation");
    }
    conv_change_end(d, c);
}

void send_in(struct desk *d, struct conv *c, struct act *act)
{
    if (send_late(d, c, act)) {
        return; /* before hooks look at what cannot go out */
    }
    if (act->passed != c->rec.id && screen_take(d, c, act)) {
        return;
    }
    /* Deciding on what is about to change would be blind (I13): a message
     * must not land behind a close. */
    bool plain = c->stored && c->lane_sends == 0 && !c->changing &&
                 !c->changes && !screen_changes(act);
    if (act->role == ROLE_VISITOR) {
        plain = plain && c->rec.state != CONV_SNOOZED;
    } else {
        plain = plain && may_answer(d, c, act) == 0;
    }
    if (plain) {
        send_plain(d, c, act);
    } else {
        c->lane_sends++;
        conv_change(d, c, send_begin, act);
    }
}

static void visitor_send(struct desk *d, struct act *act);

void desk_visitor_says(struct desk *d, const struct contact *who, bool stored,
                       struct act *act)
{
    struct person *p = person_get(d, who->id, who->channel);
    person_know(p, who);
    p->stored |= stored;
    act->actor = who->id;
    visitor_send(d, act);
    person_release(d, p);
}

struct conv *conv_of_person(struct desk *d, struct person *p)
{
    int64_t now = d->conf.ports.now(d->conf.ports.arg);
    if (p->conv) {
        return p->conv;
    }
    struct conversation rec = {.id = d->conf.ports.id(d->conf.ports.arg),
                               .channel = p->channel,
                               .contact = p->id,
                               .state = CONV_BOT,
                               .tags = SLICE("[]"),
                               .attributes = SLICE("{}"),
                               .fence = 1,
                               .created_at = now,
                               .updated_at = now};
    return conv_new(d, &rec, p, false);
}

static void visitor_send(struct desk *d, struct act *act)
{
    struct person *p = map_get(&d->persons, act->actor);
    if (!p) {
        act_fail(act, ERR_NOT_FOUND, "this visitor is not connected");
        return;
    }
    send_in(d, conv_of_person(d, p), act);
}

void sends_move(struct desk *d, struct conv *c)
{
    struct change *waiting = c->changes, *moved = NULL, **to = &moved;
    c->changes = c->changes_last = NULL;
    for (struct change *ch = waiting, *next; ch; ch = next) {
        next = ch->next;
        ch->next = NULL;
        struct act *act = ch->what;
        if (ch->begin == send_begin && act->role == ROLE_VISITOR) {
            *to = ch;
            to = &ch->next;
            continue;
        }
        if (c->changes_last) {
            c->changes_last->next = ch;
        } else {
            c->changes = ch;
        }
        c->changes_last = ch;
    }
    while (moved) {
        struct change *next = moved->next;
        c->lane_sends--;
        visitor_send(d, moved->what);
        mem_free(moved);
        moved = next;
    }
    screens_move(d, c); /* they came later */
}

/* --- the other acts ------------------------------------------------------- */

enum event_name choose_holder(struct desk *d, struct step *s, uint64_t agent,
                              uint64_t team)
{
    int64_t now = d->conf.ports.now(d->conf.ports.arg);
    uint64_t was = s->next.assignee;
    s->next.team = team;
    struct agent_live *a =
        agent ? agent_of(d, agent) : queue_pick(d, team, SLICE(""));
    if (a) {
        s->reserved = a->rec.id;
        a->reserved++;
        conv_set_holder(&s->next, CONV_OPEN, a->rec.id, now);
        return EVENT_CONVERSATION_ASSIGNED;
    }
    conv_set_holder(&s->next, CONV_QUEUED, 0, now);
    return was ? EVENT_CONVERSATION_ASSIGNED : EVENT_CONVERSATION_UPDATED;
}

/* An assistant's from now on, who answers if the visitor waits. */
static enum event_name to_assistant(const struct act *act, struct step *s,
                                    int64_t now)
{
    struct conversation *next = &s->next;
    uint32_t fence = next->fence;
    bool was = next->assignee != 0;
    conv_set_holder(next, CONV_BOT, 0, now);
    if (next->fence == fence) {
        next->fence++;
    }
    if (!slice_is(act->assistant, "*")) {
        next->bot = act->assistant;
    }
    return was ? EVENT_CONVERSATION_ASSIGNED : EVENT_CONVERSATION_UPDATED;
}

static void add_note(struct tx *tx, struct step *s, struct act *act)
{
    if (!act->note.len) {
        return;
    }
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", act->note);
    jsonw_put_bool(&w, "private", true);
    jsonw_close(&w, '}');
    if (!w.failed) {
        struct event *ev = conv_tx_message(tx, s, act->role, act->actor,
                                           (struct slice){0}, buf_slice(&out));
        ev->flags |= EVENT_PRIVATE;
    }
    buf_fini(&out);
}

static const char *refuse(struct desk *d, const struct conv *c,
                          const struct act *act)
{
    bool closed = c->rec.state == CONV_CLOSED;
    const struct agent_live *a;
    if (act->note.len > LIMIT_TEXT_BYTES || act->tags.len > LIMIT_TEXT_BYTES) {
        return "the note or the tags are too long";
    }
    switch (act->kind) {
    case ACT_ASSIGN:
        if (closed) {
            return "the conversation is closed; reopen it first";
        }
        if (slice_is(act->assistant, "*") && !c->rec.bot.len) {
            return "no assistant has held this conversation";
        }
        a = agent_of(d, act->agent); /* it may have gone meanwhile */
        return act->agent && !(a && a->rec.enabled) ? "this agent is disabled"
                                                    : NULL;
    case ACT_CLOSE:
        return closed ? "the conversation is closed already" : NULL;
    case ACT_REOPEN:
        if (c->rec.state == CONV_SNOOZED) {
            return NULL; /* it is woken early */
        }
        if (!closed) {
            return "the conversation is not closed";
        }
        return c->person->conv && c->person->conv != c
                   ? "the visitor has a newer conversation"
                   : NULL;
    case ACT_SNOOZE:
        return c->rec.state == CONV_OPEN || c->rec.state == CONV_SNOOZED
                   ? NULL
                   : "only an open conversation can be snoozed";
    default:
        return NULL;
    }
}

static enum event_name apply(struct desk *d, struct conv *c, struct act *act,
                             struct step *s)
{
    int64_t now = d->conf.ports.now(d->conf.ports.arg);
    switch (act->kind) {
    case ACT_ASSIGN:
        return act->assistant.len ? to_assistant(act, s, now)
                                  : choose_holder(d, s, act->agent, act->team);
    case ACT_CLOSE:
        conv_set_holder(&s->next, CONV_CLOSED, c->rec.assignee, now);
        return EVENT_CONVERSATION_CLOSED;
    case ACT_REOPEN: {
        if (c->rec.state == CONV_SNOOZED) {
            conv_set_holder(&s->next, CONV_OPEN, c->rec.assignee, 0);
            return EVENT_CONVERSATION_UPDATED;
        }
        struct agent_live *a = agent_of(d, c->rec.assignee);
        uint64_t back = a && agent_is_free(a) ? a->rec.id : 0;
        s->next.assignee = 0;
        return choose_holder(d, s, back, c->rec.team);
    }
    case ACT_SNOOZE:
        conv_set_holder(&s->next, CONV_SNOOZED, c->rec.assignee, now);
        s->next.snoozed_until = act->until;
        return EVENT_CONVERSATION_UPDATED;
    default:
        if (act->has_tags) {
            s->next.tags = act->tags;
        }
        if (act->has_priority) {
            s->next.priority = act->priority;
        }
        return EVENT_CONVERSATION_UPDATED;
    }
}

static void act_begin(struct desk *d, struct conv *c, void *what)
{
    struct act *act = what;
    const char *no = refuse(d, c, act);
    /* The house puts back what somebody else took meanwhile: leave it. */
    if (!no && act->role == ROLE_SYSTEM && act->kind == ACT_ASSIGN &&
        c->rec.state != CONV_OPEN && c->rec.state != CONV_SNOOZED) {
        no = "not held any more";
    }
    if (no) {
        act_fail(act, ERR_CONFLICT, no);
        conv_change_end(d, c);
        return;
    }
    if (act->kind == ACT_REOPEN) {
        c->person->conv = c; /* what the visitor says now belongs here */
    }
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    s->act = act;
    enum event_name name = apply(d, c, act, s);
    add_note(tx, s, act);
    conv_tx_change(tx, s, name, act->role, act->actor, 0);
    if (act->kind == ACT_ASSIGN && act->assistant.len &&
        c->rec.waiting_since_at) {
        turns_owe(d, c, tx, &s->next, 0);
    }
    conv_commit(d, tx);
}

static void act_read(struct desk *d, struct conv *c, struct act *act)
{
    bool visitor = act->role == ROLE_VISITOR;
    uint32_t *upto = visitor ? &c->rec.visitor_read : &c->rec.agent_read;
    if (act->seq > c->rec.last_seq) {
        act->seq = c->rec.last_seq;
    }
    if (act->seq <= *upto || !c->stored) {
        act_finish(act, c); /* only forward */
        return;
    }
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    s->act = act;
    s->read_before = *upto;
    *upto = act->seq; /* the next one need not be written again */
    struct event *ev = tx_event(tx, EVENT_MESSAGE_STATUS);
    ev->conv = c->rec.id;
    ev->role = act->role;
    ev->sender = act->actor;
    struct buf out;
    buf_init(&out, 512);
    must(buf_addf(&out, "{\"seq\":%u,\"status\":\"read\",\"by\":", act->seq) ==
         0);
    char id[ID_TEXT];
    must(buf_addf(
             &out, "{\"role\":\"%s\",\"id\":\"%s\"}}", role_name(act->role),
             id_text(id, visitor ? ID_CONTACT : ID_AGENT, act->actor).at) == 0);
    ev->body = slice_dup(tx->arena, buf_slice(&out));
    buf_fini(&out);
    conv_commit(d, tx);
}

struct conv *conv_from(struct desk *d, const struct query *q)
{
    struct conv *c = conv_of(d, q->conversation->id);
    if (!c) { /* somebody else may have loaded it */
        struct person *p =
            person_get(d, q->conversation->contact, q->conversation->channel);
        p->stored = true;
        if (q->contact && !p->rec) {
            person_know(p, q->contact);
        }
        c = conv_new(d, q->conversation, p, true);
    }
    return c;
}

/* --- the door ------------------------------------------------------------- */

static void on_loaded(struct query *q)
{
    struct desk *d = q->owner;
    struct act *act = (struct act *)(uintptr_t)q->token;
    if (q->result || !q->conversation) {
        int code = q->result ? q->result : ERR_NOT_FOUND;
        act_fail(act, code,
                 code == ERR_NOT_FOUND ? "there is no such conversation"
                                       : q->err.text);
    } else {
        conv_from(d, q);
        desk_act(d, act);
        struct conv *c = conv_of(d, q->conv);
        if (c) {
            conv_settle(d, c);
        }
    }
    query_free(q);
}

static void load_first(struct desk *d, struct act *act)
{
    struct query *q = query_new(QUERY_CONVERSATION, on_loaded, d);
    q->id = act->conv;
    q->conv = act->conv;
    q->token = (uint64_t)(uintptr_t)act;
    d->conf.ports.read(d->conf.ports.arg, q);
}

static bool may_touch(struct desk *d, const struct conv *c,
                      const struct act *act)
{
    if (act->role == ROLE_SYSTEM || act->role == ROLE_BOT) {
        return true;
    }
    if (act->role == ROLE_VISITOR) {
        return c->rec.contact == act->actor;
    }
    return desk_may_see(d, act->actor, &c->rec);
}

void desk_act(struct desk *d, struct act *act)
{
    if (act->role == ROLE_VISITOR && act->kind == ACT_SEND) {
        visitor_send(d, act);
        return;
    }
    struct conv *c = conv_of(d, act->conv);
    if (!c && act->conv) {
        load_first(d, act);
    } else if (!c) {
        act_fail(act, ERR_BAD_REQUEST, "which conversation?");
    } else if (!may_touch(d, c, act)) {
        act_fail(act, ERR_FORBIDDEN, "this conversation is not yours to see");
    } else if (act->kind == ACT_SEND) {
        send_in(d, c, act);
    } else if (act->kind == ACT_READ) {
        act_read(d, c, act);
    } else if (act->kind == ACT_RECALL) {
        recall_begin(d, c, act);
    } else if (act->kind == ACT_ASSIGN && act->agent &&
               !agent_of(d, act->agent)) {
        act_fail(act, ERR_UNPROCESSABLE, "there is no such agent");
    } else if (act->kind == ACT_ASSIGN && act->team &&
               !desk_team(d, act->team)) {
        act_fail(act, ERR_UNPROCESSABLE, "there is no such team");
    } else {
        conv_change(d, c, act_begin, act);
    }
}
