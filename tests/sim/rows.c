/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - records kept by id, and the store's own projection.
 *
 * A put replaces what the desk decides and keeps what follows from events
 * (record.h). Everything is copied to the store's arena, which only grows: a
 * run is short.
 */
#include "rows.h"
#include "world.h"

void rows_add(struct row_list *l, void *row)
{
    if (l->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->at = mem_resize(l->at, l->cap * sizeof(*l->at));
    }
    l->at[l->count++] = row;
}

/* Every record begins with its id. */
static void **find(struct row_list *l, uint64_t id)
{
    for (size_t i = 0; i < l->count; i++)
        if (*(uint64_t *)l->at[i] == id)
            return &l->at[i];
    return NULL;
}

static void set(struct row_list *l, uint64_t id, void *row)
{
    void **at = find(l, id);
    if (at)
        *at = row;
    else
        rows_add(l, row);
}

static void del(struct row_list *l, uint64_t id)
{
    void **at = find(l, id);
    if (at)
        *at = l->at[--l->count];
}

static void own(struct world *w, struct slice *s)
{
    *s = slice_dup(w->store.mem, *s);
}

static void put_contact(struct world *w, const struct contact *c)
{
    struct contact *r = arena_one(w->store.mem, struct contact);
    *r = *c;
    own(w, &r->identity);
    own(w, &r->name);
    own(w, &r->email);
    own(w, &r->phone);
    own(w, &r->tier);
    own(w, &r->tags);
    own(w, &r->attributes);
    set(&w->store.contacts, r->id, r);
}

void fakestore_put_agent(struct world *w, const struct agent *a)
{
    struct agent *r = arena_one(w->store.mem, struct agent);
    *r = *a;
    own(w, &r->email);
    own(w, &r->name);
    own(w, &r->skills);
    set(&w->store.agents, r->id, r);
}

void fakestore_del_agent(struct world *w, uint64_t id)
{
    del(&w->store.agents, id);
}

void fakestore_put_channel(struct world *w, const struct channel *c)
{
    struct channel *r = arena_one(w->store.mem, struct channel);
    *r = *c;
    set(&w->store.channels, r->id, r);
}

void fakestore_put_team(struct world *w, const struct team *t)
{
    struct team *r = arena_one(w->store.mem, struct team);
    *r = *t;
    own(w, &r->members);
    set(&w->store.teams, r->id, r);
}

static void put_alarm(struct world *w, const struct alarm *a)
{
    struct alarm *r = arena_one(w->store.mem, struct alarm);
    *r = *a;
    own(w, &r->unit);
    own(w, &r->name);
    own(w, &r->data);
    set(&w->store.alarms, r->id, r);
}

static void put_flow(struct world *w, const struct flow *f)
{
    struct flow *r = arena_one(w->store.mem, struct flow);
    *r = *f;
    own(w, &r->unit);
    own(w, &r->version);
    own(w, &r->args);
    own(w, &r->log);
    own(w, &r->view);
    own(w, &r->error);
    set(&w->store.flows, r->id, r);
}

static void put_conversation(struct world *w, const struct conversation *c)
{
    struct conv_row *r = fakestore_conv(w, c->id);
    struct conversation was = {0};
    if (r) {
        was = r->c;
    } else {
        r = arena_one(w->store.mem, struct conv_row);
        rows_add(&w->store.convs, r);
    }
    r->c = *c;
    r->c.last_seq = was.last_seq;
    r->c.unread = was.unread;
    r->c.agent_read = was.agent_read;
    r->c.visitor_read = was.visitor_read;
    r->c.last_pos = was.last_pos;
    r->c.handled = was.handled;
    r->c.last_at = was.last_at;
    r->c.waiting_since_at = was.waiting_since_at;
    r->c.heard_at = was.heard_at;
    r->c.said = was.said;
    r->c.preview = was.preview;
    own(w, &r->c.tags);
    own(w, &r->c.attributes);
    own(w, &r->c.contact_name);
    own(w, &r->c.channel_type);
    own(w, &r->c.contact_tier);
    own(w, &r->c.bot);
}

static void put_turn(struct world *w, const struct turn *t)
{
    struct turn *r = arena_one(w->store.mem, struct turn);
    *r = *t;
    own(w, &r->assistant);
    own(w, &r->reason);
    own(w, &r->note);
    set(&w->store.turns, r->id, r);
}

static void put_confirm(struct world *w, const struct confirm *f)
{
    struct confirm *r = arena_one(w->store.mem, struct confirm);
    *r = *f;
    own(w, &r->assistant);
    own(w, &r->tool);
    own(w, &r->call);
    own(w, &r->hash);
    own(w, &r->question);
    own(w, &r->result);
    set(&w->store.confirms, r->id, r);
}

void rows_put(struct world *w, const struct put *p)
{
    switch (p->kind) {
    case PUT_CONVERSATION:
        put_conversation(w, p->conversation);
        break;
    case PUT_CONTACT:
        put_contact(w, p->contact);
        break;
    case PUT_AGENT:
        fakestore_put_agent(w, p->agent);
        break;
    case PUT_ALARM:
        put_alarm(w, p->alarm);
        break;
    case DEL_ALARM:
        del(&w->store.alarms, p->id);
        break;
    case PUT_FLOW:
        put_flow(w, p->flow);
        break;
    case PUT_TURN:
        put_turn(w, p->turn);
        break;
    case PUT_CONFIRM:
        put_confirm(w, p->confirm);
        break;
    case PUT_KV:
    case DEL_KV:
    case PUT_TRACE:
    case PUT_DEAD:
    case DEL_DEAD:
        break; /* nothing here reads them */
    default:
        world_fail(w, "a put of kind %d from the desk", (int)p->kind);
    }
}

/* --- projection ----------------------------------------------------------- */

static void project_status(struct conv_row *row, const struct event *ev)
{
    struct conversation *c = &row->c;
    struct arena *a = arena_new();
    struct json *body = NULL;
    if (json_parse(a, ev->body, NULL, &body) == 0 &&
        slice_is(json_text(body, "status"), "read")) {
        uint32_t seq = (uint32_t)json_int(body, "seq", 0);
        uint32_t *mark =
            ev->role == ROLE_VISITOR ? &c->visitor_read : &c->agent_read;
        if (seq > *mark)
            *mark = seq;
        if (ev->role == ROLE_AGENT && seq >= row->visitor_seq)
            c->unread = 0;
    }
    arena_free(a);
}

static void project_message(struct conv_row *row, struct event *ev)
{
    struct conversation *c = &row->c;
    ev->seq = ++c->last_seq;
    if (ev->flags & EVENT_PRIVATE)
        return;
    c->last_at = ev->at;
    if (ev->role == ROLE_VISITOR) {
        c->unread++;
        row->visitor_seq = ev->seq;
        if (!c->waiting_since_at)
            c->waiting_since_at = ev->at;
        c->heard_at = ev->at;
        c->said = 0;
    } else if (ev->role == ROLE_AGENT) {
        c->waiting_since_at = 0;
        c->unread = 0;
        c->said++;
    } else if (ev->role == ROLE_BOT) {
        c->waiting_since_at = 0;
        c->said++;
    }
}

void rows_project(struct conv_row *row, struct event *ev)
{
    struct conversation *c = &row->c;
    c->last_pos = ev->pos;
    if (ev->cause > c->handled)
        c->handled = ev->cause;
    if (ev->name == EVENT_MESSAGE_CREATED)
        project_message(row, ev);
    else if (ev->name == EVENT_MESSAGE_STATUS)
        project_status(row, ev);
}

void rows_note_holdings(struct world *w, const struct tx *tx)
{
    for (const struct put *p = tx->puts; p; p = p->next) {
        if (p->kind != PUT_CONVERSATION)
            continue;
        struct conv_row *r = fakestore_conv(w, p->conversation->id);
        struct holding *h = arena_one(w->store.mem, struct holding);
        h->pos = tx->first ? tx->first->pos : fakestore_pos(w);
        for (struct event *ev = tx->first; ev; ev = ev->next)
            if (ev->conv == r->c.id && ev->name >= EVENT_CONVERSATION_CREATED &&
                ev->name <= EVENT_CONVERSATION_CLOSED)
                h->pos = ev->pos;
        h->state = r->c.state;
        h->assignee = r->c.assignee;
        h->team = r->c.team;
        if (r->last)
            r->last->next = h;
        else
            r->first = h;
        r->last = h;
    }
}

struct confirm *fakestore_confirm(struct world *w, uint64_t id)
{
    void **at = find(&w->store.confirms, id);
    return at ? *at : NULL;
}

struct turn *fakestore_turn(struct world *w, uint64_t id)
{
    void **at = find(&w->store.turns, id);
    return at ? *at : NULL;
}

struct flow *fakestore_flow(struct world *w, uint64_t id)
{
    void **at = find(&w->store.flows, id);
    return at ? *at : NULL;
}

/* --- looking up ----------------------------------------------------------- */

struct conv_row *fakestore_conv(struct world *w, uint64_t id)
{
    void **at = find(&w->store.convs, id);
    return at ? *at : NULL;
}

struct contact *fakestore_contact(struct world *w, uint64_t id)
{
    void **at = find(&w->store.contacts, id);
    return at ? *at : NULL;
}

struct agent *fakestore_agent(struct world *w, uint64_t id)
{
    void **at = find(&w->store.agents, id);
    return at ? *at : NULL;
}

const struct holding *fakestore_holding(const struct conv_row *r, uint64_t pos)
{
    const struct holding *best = NULL;
    for (const struct holding *h = r->first; h && h->pos <= pos; h = h->next)
        best = h;
    return best;
}

/* The rule of who sees what, said once more and independently. */
static bool agent_sees(const struct viewer *v, const struct holding *h)
{
    if (!h || h->state == CONV_BOT)
        return false;
    if (v->agent_role != AGENT_ROLE_AGENT || h->assignee == v->id)
        return true;
    for (size_t i = 0; h->team && i < v->team_count; i++)
        if (v->teams[i] == h->team)
            return true;
    return h->state == CONV_QUEUED && !h->team;
}

bool fakestore_sees(struct world *w, const struct viewer *v,
                    const struct event *ev)
{
    if (!event_is_public(ev->name))
        return false;
    if (!ev->conv)
        return v->role == ROLE_AGENT;
    struct conv_row *r = fakestore_conv(w, ev->conv);
    if (!r)
        return false;
    if (v->role == ROLE_VISITOR)
        return r->c.contact == v->id && !(ev->flags & EVENT_PRIVATE);
    return agent_sees(v, fakestore_holding(r, ev->pos)) ||
           (ev->name >= EVENT_CONVERSATION_CREATED &&
            ev->name <= EVENT_CONVERSATION_CLOSED && ev->pos > 1 &&
            agent_sees(v, fakestore_holding(r, ev->pos - 1)));
}

/* Does the agent see the conversation from this event on? */
static bool is_door(struct world *w, const struct viewer *v,
                    const struct event *ev)
{
    struct conv_row *r = ev->conv ? fakestore_conv(w, ev->conv) : NULL;
    return r && v->role == ROLE_AGENT &&
           ev->name >= EVENT_CONVERSATION_CREATED &&
           ev->name <= EVENT_CONVERSATION_CLOSED &&
           agent_sees(v, fakestore_holding(r, ev->pos)) &&
           !agent_sees(v, fakestore_holding(r, ev->pos - 1));
}

/* --- queries -------------------------------------------------------------- */

static struct event *give(struct query *q, struct event **last,
                          const struct event *ev)
{
    struct event *copy = arena_one(q->arena, struct event);
    *copy = *ev;
    copy->next = NULL;
    copy->ref = slice_dup(q->arena, ev->ref);
    copy->body = slice_dup(q->arena, ev->body);
    if (*last)
        (*last)->next = copy;
    else
        q->events = copy;
    *last = copy;
    q->count++;
    return copy;
}

static void answer_resume(struct world *w, struct query *q)
{
    struct event *last = NULL;
    q->recovered = true;
    for (uint64_t pos = q->after_pos + 1; pos <= q->upto_pos; pos++) {
        struct event *ev = fakestore_event(w, pos);
        if (!ev || !fakestore_sees(w, &q->viewer, ev))
            continue;
        if (q->count >= q->limit) {
            q->recovered = false;
            return;
        }
        give(q, &last, ev);
        if (is_door(w, &q->viewer, ev))
            last->flags |= EVENT_DOOR;
    }
}

static bool is_message_of(const struct event *ev, uint64_t conv)
{
    return ev->conv == conv && ev->name == EVENT_MESSAGE_CREATED;
}

/* The last `limit` messages up to `upto_pos`, without the first `skip` of
 * them. */
static void answer_backlog(struct world *w, struct query *q)
{
    struct event *last = NULL;
    uint32_t n = 0;
    uint64_t pos = q->upto_pos;
    if (pos > fakestore_pos(w))
        pos = fakestore_pos(w);
    uint64_t upto = pos;
    for (; pos > 0 && n < q->limit; pos--)
        n += is_message_of(fakestore_event(w, pos), q->conv);
    for (n = 0; ++pos <= upto;) {
        struct event *ev = fakestore_event(w, pos);
        if (is_message_of(ev, q->conv) && n++ >= q->skip)
            give(q, &last, ev);
    }
}

static void answer_messages(struct world *w, struct query *q)
{
    struct row_list found = {0};
    struct conv_row *r = fakestore_conv(w, q->conv);
    bool visitor = q->viewer.role == ROLE_VISITOR;
    if (!r || (visitor && r->c.contact != q->viewer.id)) {
        q->result = err_set(&q->err, ERR_NOT_FOUND, "no such conversation");
        return;
    }
    for (uint64_t pos = fakestore_pos(w); pos > 0; pos--) {
        struct event *ev = fakestore_event(w, pos);
        if (!is_message_of(ev, q->conv) || (visitor && ev->flags) ||
            (q->before_seq && ev->seq >= q->before_seq) ||
            ev->seq <= q->after_seq)
            continue;
        if (found.count == q->limit) {
            q->more = true;
            break;
        }
        rows_add(&found, ev);
    }
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = found.count; i-- > 0;) {
        buf_add_char(&out, i + 1 == found.count ? '[' : ',');
        event_write_data(&out, found.at[i]);
    }
    buf_add_text(&out, found.count ? "]" : "[]");
    q->json = slice_dup(q->arena, buf_slice(&out));
    q->count = (uint32_t)found.count;
    buf_fini(&out);
    mem_free(found.at);
}

static void answer_conversation(struct world *w, struct query *q)
{
    struct conv_row *r = fakestore_conv(w, q->id ? q->id : q->conv);
    if (!r) {
        q->result = err_set(&q->err, ERR_NOT_FOUND, "no such conversation");
        return;
    }
    q->conversation = arena_one(q->arena, struct conversation);
    *q->conversation = r->c;
    struct contact *who = fakestore_contact(w, r->c.contact);
    q->contact = arena_one(q->arena, struct contact);
    if (who)
        *q->contact = *who;
    else
        world_fail(w, "a conversation whose contact has no row");
}

void rows_answer(struct world *w, struct query *q)
{
    switch (q->kind) {
    case QUERY_RESUME:
        answer_resume(w, q);
        break;
    case QUERY_BACKLOG:
        answer_backlog(w, q);
        break;
    case QUERY_MESSAGES:
        answer_messages(w, q);
        break;
    case QUERY_CONVERSATION:
        answer_conversation(w, q);
        break;
    case QUERY_FLOW:
        q->flow = fakestore_flow(w, q->id); /* the store outlives the query */
        q->result = q->flow ? 0 : ERR_NOT_FOUND;
        break;
    default:
        world_fail(w, "the desk asked a query of kind %d", (int)q->kind);
    }
}
