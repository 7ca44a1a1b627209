/* SPDX-License-Identifier: Apache-2.0 */
/* oracle_rest.c - what must be true when all is quiet.
 *
 * The world has drained: nothing on the way, everyone connected. Now the
 * journal, the rows, the desk's memory and each client's picture must agree.
 */
#include "oracle.h"
#include "world.h"

typedef unsigned long long ull;

/* --- rows and the desk's memory ------------------------------------------- */

static void check_memory(struct world *w, const struct conversation *row)
{
    const struct conversation *c = desk_conversation(w->desk, row->id);
    if (row->state == CONV_CLOSED) {
        if (c)
            world_fail(w, "conversation %llu is closed and still in memory",
                       (ull)row->id);
        return;
    }
    if (!c) {
        world_fail(w, "conversation %llu is %s and not in memory", (ull)row->id,
                   conv_state_name(row->state));
        return;
    }
    if (c->state != row->state || c->assignee != row->assignee ||
        c->team != row->team || c->priority != row->priority ||
        c->fence != row->fence || c->queued_at != row->queued_at ||
        !slice_eq(c->tags, row->tags) ||
        !slice_eq(c->attributes, row->attributes))
        world_fail(w,
                   "conversation %llu: memory and row differ (%s/%s, agent "
                   "%llu/%llu, fence %u/%u)",
                   (ull)row->id, conv_state_name(c->state),
                   conv_state_name(row->state), (ull)c->assignee,
                   (ull)row->assignee, c->fence, row->fence);
    if (c->waiting_since_at != row->waiting_since_at ||
        (w->life == 0 && !c->unread != !row->unread))
        world_fail(w,
                   "conversation %llu: projections differ: unread %u/%u, "
                   "waiting since %lld/%lld",
                   (ull)row->id, c->unread, row->unread,
                   (long long)c->waiting_since_at,
                   (long long)row->waiting_since_at);
    if (c->last_seq != row->last_seq || c->agent_read != row->agent_read ||
        c->visitor_read != row->visitor_read)
        world_fail(w,
                   "conversation %llu: projections differ: seq %u/%u, "
                   "read %u/%u %u/%u",
                   (ull)row->id, c->last_seq, row->last_seq, c->agent_read,
                   row->agent_read, c->visitor_read, row->visitor_read);
}

/* What was said before a close is not given to the rules any more. */
static uint64_t last_close(struct world *w, uint64_t conv)
{
    uint64_t pos = 0;
    for (const struct holding *h = fakestore_conv(w, conv)->first; h;
         h = h->next)
        if (h->state == CONV_CLOSED)
            pos = h->pos;
    return pos;
}

static void check_handled(struct world *w, const struct conversation *row)
{
    uint64_t closed = last_close(w, row->id);
    for (size_t i = 0; i < w->store.journal.count; i++) {
        struct event *ev = w->store.journal.at[i];
        if (ev->conv == row->id && ev->name == EVENT_MESSAGE_CREATED &&
            ev->role == ROLE_VISITOR && w->weather.scripts && ev->ref.len &&
            ev->ref.at[0] == 'w' && ev->pos > row->handled && ev->pos > closed)
            world_fail(w,
                       "I3: pos %llu of conversation %llu was never handled"
                       " (up to %llu)",
                       (ull)ev->pos, (ull)row->id, (ull)row->handled);
    }
}

/* Nobody is left without the answer that was promised. */
/* What nobody can answer any more is over. */
static void check_confirms(struct world *w)
{
    for (size_t i = 0; i < w->store.confirms.count; i++) {
        const struct confirm *f = w->store.confirms.at[i];
        const struct conv_row *row = fakestore_conv(w, f->conv);
        if (f->state == CONFIRM_PENDING)
            world_fail(w, "confirmation %llu is left pending",
                       (unsigned long long)f->id);
        if (!f->told && row && row->c.fence != f->fence)
            world_fail(w, "confirmation %llu of an old fence is left open",
                       (unsigned long long)f->id);
    }
}

static void check_turns(struct world *w)
{
    for (size_t i = 0; i < w->store.turns.count; i++) {
        const struct turn *t = w->store.turns.at[i];
        if (t->state == TURN_PENDING)
            world_fail(w, "turn %llu of conversation %llu is left pending",
                       (ull)t->id, (ull)t->conv);
    }
}

static void check_conversations(struct world *w)
{
    check_turns(w);
    check_confirms(w);
    for (size_t i = 0; i < w->store.convs.count; i++) {
        struct conv_row *r = w->store.convs.at[i];
        struct agent *a = fakestore_agent(w, r->c.assignee);
        check_memory(w, &r->c);
        if (r->c.state == CONV_CLOSED)
            continue;
        check_handled(w, &r->c);
        if (r->c.state == CONV_BOT && !r->c.bot.len &&
            r->c.handled >= r->c.last_pos)
            world_fail(w, "conversation %llu is left with the bot, handled",
                       (ull)r->c.id);
        if (r->c.state == CONV_OPEN && r->c.waiting_since_at &&
            desk_presence(w->desk, r->c.assignee) == AGENT_OFFLINE)
            world_fail(w,
                       "conversation %llu waits for agent %llu, who went "
                       "home",
                       (ull)r->c.id, (ull)r->c.assignee);
        if (r->c.assignee && (!a || !a->enabled))
            world_fail(w,
                       "conversation %llu is with agent %llu, who is gone "
                       "or disabled",
                       (ull)r->c.id, (ull)r->c.assignee);
    }
}

static void check_loads(struct world *w)
{
    for (size_t i = 0; i < WORLD_AGENTS; i++) {
        int32_t n = 0;
        for (size_t k = 0; k < w->store.convs.count; k++) {
            struct conv_row *r = w->store.convs.at[k];
            n += r->c.assignee == w->agents[i] &&
                 (r->c.state == CONV_OPEN || r->c.state == CONV_SNOOZED);
        }
        if (desk_agent(w->desk, w->agents[i]) &&
            desk_load(w->desk, w->agents[i]) != n)
            world_fail(w, "agent %llu holds %d, its load says %d",
                       (ull)w->agents[i], n, desk_load(w->desk, w->agents[i]));
    }
}

static bool has_room(struct world *w, size_t i)
{
    struct agent *a = fakestore_agent(w, w->agents[i]);
    bool here = false;
    if (!a)
        return false;
    for (size_t k = 0; k < w->client_count; k++)
        here |= w->clients[k].role == ROLE_AGENT && w->clients[k].id == a->id &&
                w->clients[k].link == LINK_LIVE;
    return here && a->enabled &&
           desk_presence(w->desk, a->id) == AGENT_ONLINE &&
           desk_load(w->desk, a->id) < a->max_load;
}

static void check_queue(struct world *w)
{
    for (size_t k = 0; k < w->store.convs.count; k++) {
        struct conv_row *r = w->store.convs.at[k];
        if (r->c.state != CONV_QUEUED)
            continue;
        for (size_t i = 0; i < WORLD_AGENTS; i++) {
            bool may = !desk_team(w->desk, r->c.team);
            for (size_t t = 0; t < WORLD_TEAMS; t++)
                may |= w->teams[t] == r->c.team &&
                       world_team_has(t, w->agents[i], w);
            if (may && has_room(w, i))
                world_fail(w,
                           "conversation %llu waits while agent %llu has "
                           "room",
                           (ull)r->c.id, (ull)w->agents[i]);
        }
    }
}

/* --- each client's picture ------------------------------------------------ */

/* A session was told everything it may see since it began. */
static void check_session(struct world *w, struct client *c)
{
    uint64_t teams[WORLD_TEAMS];
    struct viewer v;
    oracle_viewer(w, c, &v, teams);
    for (uint64_t pos = c->from + 1; pos <= fakestore_pos(w); pos++) {
        struct event *ev = fakestore_event(w, pos);
        bool own_mark = ev->name == EVENT_MESSAGE_STATUS && ev->sender == c->id;
        if (!own_mark && fakestore_sees(w, &v, ev) && !marks_has(&c->told, pos))
            world_fail(w,
                       "client %d (%s, since %llu) was never told of pos "
                       "%llu (%s)",
                       c->index, role_name(c->role), (ull)c->from, (ull)pos,
                       event_name_text(ev->name));
    }
}

static bool wants_all_of(struct world *w, struct client *c,
                         const struct conv_row *r, const struct event *ev)
{
    if (c->role == ROLE_VISITOR)
        return r->c.contact == c->id && !(ev->flags & EVENT_PRIVATE) &&
               (ev->pos > c->since || r->c.id == c->loaded);
    /* An agent has seen all of what it holds, as far as the backlog goes. */
    const struct holding *at = fakestore_holding(r, c->since);
    if (at && at->state != CONV_BOT && marks_has(&c->lost, r->c.id))
        return false;
    return r->c.assignee == c->id && r->c.state != CONV_CLOSED &&
           ev->seq + LIMIT_BACKLOG_EVENTS > r->c.last_seq;
}

static void check_picture(struct world *w, struct client *c)
{
    for (size_t i = 0; i < w->store.journal.count; i++) {
        struct event *ev = w->store.journal.at[i];
        struct conv_row *r = ev->conv ? fakestore_conv(w, ev->conv) : NULL;
        if (r && ev->name == EVENT_MESSAGE_CREATED &&
            wants_all_of(w, c, r, ev) && !marks_has(&c->seen, ev->pos))
            world_fail(w,
                       "client %d (%s) has never seen pos %llu, seq %u of "
                       "conversation %llu",
                       c->index, role_name(c->role), (ull)ev->pos, ev->seq,
                       (ull)ev->conv);
    }
    for (size_t i = 0; i < c->seen.count; i++) {
        struct event *ev = fakestore_event(w, c->seen.at[i].pos);
        if (!ev || ev->seq != c->seen.at[i].seq ||
            ev->conv != c->seen.at[i].conv)
            world_fail(w,
                       "client %d has seen pos %llu, which is not in the "
                       "journal as such",
                       c->index, (ull)c->seen.at[i].pos);
    }
}

/* What was acked is in the journal under its ref, and only once. */
static void check_outbox(struct world *w, struct client *c)
{
    for (size_t i = 0; i < c->out_count; i++) {
        struct out *o = &c->out[i];
        struct event *ev = fakestore_event(w, o->pos);
        if (o->state != OUT_ACKED)
            continue;
        if (!ev || !slice_is(ev->ref, o->ref))
            world_fail(w, "I1: client %d: ref %s was acked and is not there",
                       c->index, o->ref);
        for (size_t k = 0; k < w->store.journal.count; k++) {
            struct event *other = w->store.journal.at[k];
            if (other != ev && other->sender == c->id &&
                slice_is(other->ref, o->ref))
                world_fail(w, "client %d: ref %s is in the journal twice",
                           c->index, o->ref);
        }
    }
}

/* Messages that reached the desk once each lie in the order they were sent. */
static void check_own_order(struct world *w, struct client *c)
{
    uint64_t pos = 0;
    for (size_t i = 0; i < c->out_count; i++) {
        struct out *o = &c->out[i];
        if (o->state != OUT_ACKED || o->tries != 1 || o->conv)
            continue;
        if (o->pos < pos)
            world_fail(w, "client %d: ref %s overtook an earlier one", c->index,
                       o->ref);
        pos = o->pos;
    }
}

void oracle_at_rest(struct world *w)
{
    struct desk_figures f;
    desk_measure(w->desk, &f);
    if (f.jobs || f.pending || f.held)
        world_fail(w, "at rest, and %zu jobs, %zu pending, %zu held", f.jobs,
                   f.pending, f.held);
    if (w->credits)
        world_fail(w, "%lld credits were not given back",
                   (long long)w->credits);
    if (w->act_count)
        world_fail(w, "%zu acts were never answered", w->act_count);
    check_conversations(w);
    check_loads(w);
    check_queue(w);
    for (size_t i = 0; i < w->client_count && !w->failed; i++) {
        if (w->clients[i].link == LINK_LIVE) {
            check_session(w, &w->clients[i]);
            check_picture(w, &w->clients[i]);
        }
        check_outbox(w, &w->clients[i]);
        check_own_order(w, &w->clients[i]);
    }
}

void oracle_at_end(struct world *w)
{
    int64_t more = arena_live() - w->arenas_before;
    if (more != 1) /* the store's own */
        world_fail(w, "%lld arenas leaked", (long long)more - 1);
}
