/* SPDX-License-Identifier: Apache-2.0 */
/* delivery.c - from the journal to the sockets, in order.
 *
 * Happy path: a committed event becomes one notice, encoded once, appended to
 * the sockets of everyone who sees the conversation. A peer that comes back or
 * begins to see a conversation first gets what came before: while that is read
 * the newer notices wait in its `held` queue, so that cursors rise.
 * Failure: a queue that grows too long or a backlog that cannot be read is
 * given up: the peer is told to come back with its cursor; a resume that
 * cannot be read makes `recovered` false.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "desk/turns.h"

/* --- one peer ------------------------------------------------------------- */

static void held_go(struct desk *d, struct desk_peer *p);
static void resume_finish(struct desk *d, struct desk_peer *p);

struct notice notice_of(const struct desk *d, enum notice_type type,
                        const struct event *ev, struct arena *a)
{
    return (struct notice){.type = type,
                           .event = ev,
                           .conv = ev->conv,
                           .ref = ev->ref,
                           .arena = a,
                           .cursor = {d->conf.epoch, ev->pos, 0}};
}

void held_start(struct desk *d, struct desk_peer *p)
{
    if (!p->held) {
        p->held = mem_alloc(sizeof *p->held);
        d->held++;
    }
}

void held_free(struct desk *d, struct desk_peer *p)
{
    if (!p->held) {
        return;
    }
    for (struct held_item *i = p->held->first, *next; i; i = next) {
        next = i->next;
        arena_free(i->arena);
    }
    if (p->held->after) {
        query_free(p->held->after);
    }
    mem_free(p->held);
    p->held = NULL;
    d->held--;
}

static void held_give_up(struct desk *d, struct desk_peer *p)
{
    struct arena *a = arena_new();
    struct notice n = {.type = NOTICE_RECONNECT,
                       .after_ms = 1000,
                       .text = SLICE("behind"),
                       .arena = a};
    d->conf.ports.send(d->conf.ports.arg, p->id, &n);
    d->conf.ports.close(d->conf.ports.arg, p->id, 1001, "behind");
    arena_free(a);
}

static struct held_item *held_add(struct desk *d, struct desk_peer *p,
                                  const struct notice *n)
{
    held_start(d, p);
    if (p->held->count >= LIMIT_RESUME_EVENTS) {
        held_give_up(d, p);
        return NULL;
    }
    struct arena *a = arena_new();
    struct held_item *i = arena_one(a, struct held_item);
    i->arena = a;
    i->notice = *n;
    i->notice.arena = a;
    i->notice.as_json = i->notice.as_pb = (struct slice){0};
    i->notice.ref = slice_dup(a, n->ref);
    i->notice.text = slice_dup(a, n->text);
    if (n->event) {
        i->event = *n->event;
        i->event.ref = slice_dup(a, n->event->ref);
        i->event.body = slice_dup(a, n->event->body);
        i->event.next = NULL;
        i->notice.event = &i->event;
    }
    if (p->held->last) {
        p->held->last->next = i;
    } else {
        p->held->first = i;
    }
    p->held->last = i;
    p->held->count++;
    return i;
}

static struct held_item *held_take(struct held *h)
{
    struct held_item *i = h->first;
    if (i) {
        h->first = i->next;
        if (!i->next) {
            h->last = NULL;
        }
        h->count--;
    }
    return i;
}

/* Visitors get of an event what concerns them: of a conversation not its tags,
 * its team or what rules remember; of a message's status who has read it, not
 * what a platform or a push said (that is the agents'). The event is written
 * anew in the notice's arena; NULL: it is none of theirs. */
static const struct event *for_visitor(const struct event *ev, struct arena *a)
{
    static const char *const of_conversation[] = {
        "id",       "channel",    "state",     "assignee",
        "last_seq", "created_at", "updated_at"};
    static const char *const of_status[] = {"seq", "status", "by"};
    bool status = ev->name == EVENT_MESSAGE_STATUS;
    const char *const *shown = status ? of_status : of_conversation;
    size_t count = status ? sizeof of_status / sizeof *of_status
                          : sizeof of_conversation / sizeof *of_conversation;
    struct json *body;
    if (json_parse(a, ev->body, NULL, &body) ||
        (status && !json_get(body, "by"))) {
        return NULL;
    }
    struct buf out;
    buf_init(&out, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    for (size_t i = 0; i < count; i++) {
        struct json *v = json_get(body, shown[i]);
        if (v) {
            jsonw_key(&w, shown[i]);
            jsonw_value(&w, v);
        }
    }
    jsonw_close(&w, '}');
    struct event *copy = arena_one(a, struct event);
    *copy = *ev;
    copy->body = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return copy;
}

static bool is_conversation(enum event_name n)
{
    return n >= EVENT_CONVERSATION_CREATED && n <= EVENT_CONVERSATION_CLOSED;
}

static bool is_rewritten(enum event_name n)
{
    return is_conversation(n) || n == EVENT_MESSAGE_STATUS;
}

static bool visitor_may_have(const struct event *ev)
{
    return !(ev->flags & EVENT_PRIVATE) && ev->conv &&
           event_is_public(ev->name);
}

static void send_now(struct desk *d, struct desk_peer *p, struct notice *n)
{
    d->conf.ports.send(d->conf.ports.arg, p->id, n);
}

void tell_peer(struct desk *d, struct desk_peer *p, struct notice *n)
{
    if (p->held) {
        held_add(d, p, n);
    } else {
        send_now(d, p, n);
    }
}

/* --- what came before ----------------------------------------------------- */

/* Sub-cursors at a door (the event with which an agent begins to see a
 * conversation): what was shown of the backlog behind it. A door says so only if
 * nothing stands behind it, another event only if something does; so nearly all
 * cursors are those of the change feed. */
#define DOOR_OPEN 1u
#define DOOR_PASSED UINT32_MAX

static uint32_t door_sub(bool is_door, bool backlog)
{
    return backlog == is_door ? 0 : backlog ? DOOR_OPEN : DOOR_PASSED;
}

/* Their cursors stand behind the door: who comes back with one gets the rest. */
static void send_backlog(struct desk *d, struct desk_peer *p, struct query *q)
{
    for (struct event *ev = q->events; ev; ev = ev->next) {
        struct notice n = notice_of(d, NOTICE_EVENT, ev, q->arena);
        n.cursor.pos = q->token; /* of the event it stands behind */
        n.cursor.sub = ev->next ? ev->seq + DOOR_OPEN : DOOR_PASSED;
        if (ev->pos > q->after_pos && ev->seq + DOOR_OPEN > q->offset) {
            send_now(d, p, &n);
        }
    }
}

static struct desk_peer *peer_back(struct query *q, struct desk **d)
{
    *d = q->owner;
    return map_get(&(*d)->peers, q->id); /* NULL: it went away meanwhile */
}

static void on_backlog(struct query *q)
{
    struct desk *d;
    struct desk_peer *p = peer_back(q, &d);
    if (p && p->held) {
        if (q->result == 0) {
            send_backlog(d, p, q);
            resume_finish(d, p);
        } else { /* its cursor stands at the door: it comes back for it */
            log_warn("desk", "backlog not read: %s", q->err.text);
            held_give_up(d, p);
        }
    }
    query_free(q);
}

/* The last messages of a conversation with above < pos < below, to be shown
 * behind the event at `at`; those up to sub were. */
static void ask_backlog(struct desk *d, struct desk_peer *p, uint64_t conv,
                        uint64_t at, uint64_t above, uint64_t below,
                        uint32_t sub)
{
    struct query *q = query_new(QUERY_BACKLOG, on_backlog, d);
    q->id = p->id;
    q->conv = conv;
    q->after_pos = above;
    q->upto_pos = below - 1;
    q->offset = sub;
    q->limit = LIMIT_BACKLOG_EVENTS;
    q->token = at;
    held_start(d, p);
    p->held->waiting = true;
    d->conf.ports.read(d->conf.ports.arg, q);
}

static void held_go(struct desk *d, struct desk_peer *p)
{
    while (p->held && !p->held->waiting) {
        struct held_item *i = held_take(p->held);
        if (!i) {
            held_free(d, p);
            turns_retell(d, p);
            return;
        }
        send_now(d, p, &i->notice);
        if (i->backlog) {
            ask_backlog(d, p, i->event.conv, i->event.pos, i->above, i->below,
                        0);
        }
        arena_free(i->arena);
    }
}

/* An event after which the peer must get the messages below `below`. */
static void tell_with_backlog(struct desk *d, struct desk_peer *p,
                              struct notice *n, uint64_t above, uint64_t below)
{
    if (p->held) {
        struct held_item *i = held_add(d, p, n);
        if (i) {
            i->backlog = true;
            i->above = above;
            i->below = below;
        }
        return;
    }
    send_now(d, p, n);
    ask_backlog(d, p, n->event->conv, n->event->pos, above, below, 0);
}

/* --- who was shown what --------------------------------------------------- */

static struct shown *shown_find(struct conv *c, uint64_t peer)
{
    for (uint32_t i = 0; i < c->shown_count; i++) {
        if (c->shown[i].peer == peer) {
            return &c->shown[i];
        }
    }
    return NULL;
}

/* Peers that are gone leave their place to new ones. */
static void shown_set(struct desk *d, struct conv *c, uint64_t peer,
                      uint64_t told)
{
    struct shown *s = shown_find(c, peer);
    for (uint32_t i = 0; !s && i < c->shown_count; i++) {
        if (!map_get(&d->peers, c->shown[i].peer)) {
            s = &c->shown[i];
        }
    }
    if (!s) {
        c->shown = mem_resize(c->shown, sizeof *s * (c->shown_count + 1));
        s = &c->shown[c->shown_count++];
    }
    *s = (struct shown){peer, told};
}

/* --- coming back ---------------------------------------------------------- */

/* Does the agent see the conversation as this event left it? */
static bool sees_after(struct desk *d, struct desk_peer *p,
                       const struct event *ev, struct arena *a)
{
    struct conversation c = {.id = ev->conv};
    struct json *body = NULL;
    if (json_parse(a, ev->body, NULL, &body) ||
        !conv_state_find(json_text(body, "state"), &c.state)) {
        return false;
    }
    id_parse(json_text(body, "assignee"), ID_AGENT, &c.assignee);
    id_parse(json_text(body, "team"), ID_TEAM, &c.team);
    return agent_sees(d, p->agent, &c);
}

/* One event of a resume; false: it goes on behind a backlog. */
static bool send_resumed_to_agent(struct desk *d, struct desk_peer *p,
                                  struct query *q, const struct event *ev)
{
    struct notice n = notice_of(d, NOTICE_EVENT, ev, q->arena);
    bool judged = p->agent && is_conversation(ev->name);
    struct conv *c = judged ? conv_of(d, ev->conv) : NULL;
    bool is_door = p->agent && ev->flags & EVENT_DOOR;
    struct shown *s = c ? shown_find(c, p->id) : NULL;
    /* What is live was noted already, though it waits behind this. */
    bool newer = s && s->told > ev->pos;
    uint64_t above = s && !newer ? s->told : 0;
    send_now(d, p, &n);
    if (is_door) {
        ask_backlog(d, p, ev->conv, ev->pos, above, ev->pos, 0);
    }
    if (c && !newer && (is_door || !sees_after(d, p, ev, q->arena))) {
        shown_set(d, c, p->id, ev->pos);
    }
    return !is_door;
}

static void send_resumed_to_visitor(struct desk *d, struct desk_peer *p,
                                    struct query *q, const struct event *ev)
{
    if (visitor_may_have(ev) && is_rewritten(ev->name)) {
        ev = for_visitor(ev, q->arena);
    } else if (!visitor_may_have(ev)) {
        return;
    }
    if (ev) {
        struct notice n = notice_of(d, NOTICE_EVENT, ev, q->arena);
        send_now(d, p, &n);
    }
}

/* Sends a resume's events; false: it goes on behind a backlog. */
static bool send_resumed(struct desk *d, struct desk_peer *p, struct query *q)
{
    struct event *ev;
    while ((ev = q->events) != NULL) {
        q->events = ev->next;
        if (p->role == ROLE_VISITOR) {
            send_resumed_to_visitor(d, p, q, ev);
        } else if (!send_resumed_to_agent(d, p, q, ev)) {
            return false;
        }
    }
    return true;
}

/* The events of a resume, once all that stands before them was sent. */
static void resume_finish(struct desk *d, struct desk_peer *p)
{
    struct query *q = p->held->after;
    if (q) {
        if (!send_resumed(d, p, q)) {
            return;
        }
        p->held->after = NULL;
        query_free(q);
    }
    p->held->waiting = false;
    held_go(d, p);
}

/* Does a backlog stand behind it, not all of which was shown? */
static bool stopped_at_door(const struct desk_peer *p, const struct event *at)
{
    uint32_t sub = p->held->sub;
    return sub != DOOR_PASSED && (sub || at->flags & EVENT_DOOR);
}

/* The event at which the peer stopped. If a backlog stands behind it, what the
 * peer did not get of it comes first. */
static void on_resume_at(struct query *q)
{
    struct desk *d;
    struct desk_peer *p = peer_back(q, &d);
    if (p && p->held && q->result) {
        log_warn("desk", "resume not read: %s", q->err.text);
        held_give_up(d, p);
    } else if (p && p->held) {
        struct event *at = q->events;
        if (at && stopped_at_door(p, at)) {
            ask_backlog(d, p, at->conv, at->pos, 0, at->pos, p->held->sub);
        } else {
            resume_finish(d, p);
        }
    }
    query_free(q);
}

static void resume_behind(struct desk *d, struct desk_peer *p,
                          struct query *resumed)
{
    struct query *q = query_new(QUERY_RESUME, on_resume_at, d);
    q->id = p->id;
    q->after_pos = resumed->after_pos - 1;
    q->upto_pos = resumed->after_pos;
    q->limit = 1;
    desk_viewer(d, p->agent->rec.id, q->arena, &q->viewer);
    p->held->after = resumed;
    d->conf.ports.read(d->conf.ports.arg, q);
}

static void on_resume(struct query *q)
{
    struct desk *d;
    struct desk_peer *p = peer_back(q, &d);
    if (!p || !p->held) {
        query_free(q);
        return;
    }
    struct held_item *w = held_take(p->held); /* the welcome waits there */
    w->notice.recovered = q->result == 0 && q->recovered;
    if (!w->notice.recovered) {
        w->notice.cursor = (struct cursor){d->conf.epoch, p->start_pos, 0};
    }
    send_now(d, p, &w->notice);
    bool all = w->notice.recovered;
    if (!all) {
        p->known_pos = p->start_pos; /* it starts over, as somebody new */
    }
    arena_free(w->arena);
    if (all && p->role == ROLE_AGENT && p->agent && q->after_pos) {
        resume_behind(d, p, q);
        return;
    }
    if (all) {
        p->held->after = q;
    } else {
        query_free(q);
    }
    resume_finish(d, p);
}

/* The welcome is copied for later: what it points at must last. */
static void hold_welcome(struct desk *d, struct desk_peer *p,
                         struct notice *welcome)
{
    struct held_item *i = held_add(d, p, welcome);
    must(i != NULL);
    i->notice.token = slice_dup(i->arena, welcome->token);
    i->notice.who_name = slice_dup(i->arena, welcome->who_name);
    if (welcome->conversation) {
        struct conversation *c = arena_one(i->arena, struct conversation);
        *c = (struct conversation){.id = welcome->conversation->id,
                                   .state = welcome->conversation->state,
                                   .last_seq = welcome->conversation->last_seq,
                                   .agent_read =
                                       welcome->conversation->agent_read};
        i->notice.conversation = c;
    }
}

void resume_peer(struct desk *d, struct desk_peer *p, const struct join *j,
                 struct notice *welcome)
{
    struct query *q = query_new(QUERY_RESUME, on_resume, d);
    q->id = p->id;
    q->after_pos = j->resume.pos;
    q->upto_pos = p->start_pos;
    q->limit = LIMIT_RESUME_EVENTS;
    if (p->role == ROLE_AGENT) {
        desk_viewer(d, p->agent->rec.id, q->arena, &q->viewer);
    } else {
        q->viewer = (struct viewer){.role = ROLE_VISITOR, .id = p->person->id};
    }
    p->known_pos = 0; /* what was in its sight, it was shown; known already now,
                         as what happens before the answer is held back */
    welcome->cursor = j->resume;
    welcome->recovered = true;
    hold_welcome(d, p, welcome);
    p->held->waiting = true;
    p->held->sub = p->role == ROLE_AGENT ? j->resume.sub : 0;
    d->conf.ports.read(d->conf.ports.arg, q);
}

/* --- everyone who sees a conversation ------------------------------------- */

static void tell_visitors(struct desk *d, struct conv *c, struct notice *n,
                          uint64_t except)
{
    list_each (&c->person->peers, l) {
        struct desk_peer *p = container_of(l, struct desk_peer, link);
        if (p->id != except && (!n->event || n->event->pos > p->start_pos)) {
            tell_peer(d, p, n);
        }
    }
}

/* n: as the agents get it, encoded once for both where nothing is hidden. */
static void tell_visitors_of(struct desk *d, struct conv *c,
                             const struct event *ev, struct notice *n,
                             uint64_t except)
{
    if (!is_rewritten(ev->name)) {
        tell_visitors(d, c, n, except);
        return;
    }
    const struct event *shown = for_visitor(ev, n->arena);
    if (shown) {
        struct notice v = notice_of(d, NOTICE_EVENT, shown, n->arena);
        tell_visitors(d, c, &v, except);
    }
}

static void tell_one_agent(struct desk *d, struct agent_live *a,
                           struct notice *n, uint64_t except)
{
    list_each (&a->peers, l) {
        struct desk_peer *p = container_of(l, struct desk_peer, link);
        if (p->id != except && (!n->event || n->event->pos > p->start_pos)) {
            tell_peer(d, p, n);
        }
    }
}

void tell_message(struct desk *d, struct conv *c, const struct event *ev,
                  struct arena *a, uint64_t except)
{
    struct notice n = notice_of(d, NOTICE_EVENT, ev, a);
    if (visitor_may_have(ev) && !list_empty(&c->person->peers)) {
        tell_visitors_of(d, c, ev, &n, except);
    }
    if (c->rec.state == CONV_BOT) {
        return;
    }
    struct agent_live *agent;
    for (size_t i = 0; (agent = map_next(&d->agents, &i)) != NULL;) {
        if (!list_empty(&agent->peers) && agent_sees(d, agent, &c->rec)) {
            tell_one_agent(d, agent, &n, except);
        }
    }
}

/* One peer of an agent that saw the conversation before, sees it now, or both.
 * What it has not been shown: all, if it begins to see it; if it is given a
 * conversation it could see, what is older than its session. */
static void tell_change_peer(struct desk *d, struct desk_peer *p,
                             struct conv *c, struct notice *n, bool saw,
                             bool given)
{
    bool sees = agent_sees(d, p->agent, &c->rec);
    struct shown *s = shown_find(c, p->id);
    uint64_t pos = n->event->pos, above = s ? s->told : 0, below = pos;
    bool backlog = c->rec.last_seq && sees && (!saw || (given && !s));
    if (saw) {
        below = p->known_pos + 1;
    }
    struct notice own = *n;
    bool follows = backlog && above + 1 < below && c->born_pos < below;
    if (sees && door_sub(!saw, follows)) {
        own.cursor.sub = door_sub(!saw, follows);
        own.as_json = own.as_pb = (struct slice){0};
        n = &own;
    }
    if (follows) {
        tell_with_backlog(d, p, n, above, below);
    } else {
        tell_peer(d, p, n);
    }
    if (backlog || (saw && !sees)) {
        shown_set(d, c, p->id, pos);
    }
}

static void tell_change_to(struct desk *d, struct agent_live *agent,
                           struct conv *c, struct notice *n,
                           const struct conversation *before)
{
    bool saw = agent_sees(d, agent, before);
    bool given =
        c->rec.assignee == agent->rec.id && before->assignee != agent->rec.id;
    if (!saw && !agent_sees(d, agent, &c->rec)) {
        return;
    }
    list_each (&agent->peers, l) {
        struct desk_peer *p = container_of(l, struct desk_peer, link);
        if (n->event->pos > p->start_pos) {
            tell_change_peer(d, p, c, n, saw, given);
        }
    }
}

void tell_change(struct desk *d, struct conv *c, const struct event *ev,
                 struct arena *a, const struct conversation *before)
{
    struct notice n = notice_of(d, NOTICE_EVENT, ev, a);
    if (ev->name == EVENT_CONVERSATION_CREATED) {
        c->born_pos = ev->pos;
    }
    const struct event *shown = for_visitor(ev, a);
    if (shown && !list_empty(&c->person->peers)) {
        struct notice v = notice_of(d, NOTICE_EVENT, shown, a);
        tell_visitors(d, c, &v, 0);
    }
    struct agent_live *agent;
    for (size_t i = 0; (agent = map_next(&d->agents, &i)) != NULL;) {
        if (!list_empty(&agent->peers)) {
            tell_change_to(d, agent, c, &n, before);
        }
    }
}

/* Typing: fleeting, so a peer that waits for older things does without. */
void tell_fleeting(struct desk *d, struct conv *c, struct notice *n,
                   uint64_t except)
{
    if (n->who_role != ROLE_VISITOR) {
        list_each (&c->person->peers, l) {
            struct desk_peer *p = container_of(l, struct desk_peer, link);
            if (p->id != except && !p->held) {
                send_now(d, p, n);
            }
        }
    }
    struct agent_live *agent = agent_of(d, c->rec.assignee);
    if (!agent || c->rec.state == CONV_BOT) {
        return;
    }
    list_each (&agent->peers, l) {
        struct desk_peer *p = container_of(l, struct desk_peer, link);
        if (p->id != except && !p->held) {
            send_now(d, p, n);
        }
    }
}

void tell_agents(struct desk *d, struct notice *n)
{
    struct agent_live *agent;
    for (size_t i = 0; (agent = map_next(&d->agents, &i)) != NULL;) {
        list_each (&agent->peers, l) {
            struct desk_peer *p = container_of(l, struct desk_peer, link);
            if (!n->event || n->event->pos > p->start_pos) {
                tell_peer(d, p, n);
            }
        }
    }
}

void tell_queue(struct desk *d, struct conv *c, uint32_t position)
{
    if (list_empty(&c->person->peers)) {
        return;
    }
    struct arena *a = arena_new();
    struct notice n = {.type = NOTICE_QUEUE,
                       .conv = c->rec.id,
                       .position = position,
                       .arena = a,
                       .eta_ms = d->eta_ms * position};
    list_each (&c->person->peers, l) {
        struct desk_peer *p = container_of(l, struct desk_peer, link);
        if (!p->held) {
            send_now(d, p, &n);
        }
    }
    arena_free(a);
}

void desk_announce(struct desk *d, const struct event *ev, struct arena *a)
{
    if (ev->pos > d->pos) {
        d->pos = ev->pos;
    }
    if (!event_is_public(ev->name) || ev->conv) {
        return;
    }
    struct notice n = notice_of(d, NOTICE_EVENT, ev, a);
    tell_agents(d, &n);
    job_for_house(d, ev);
}
