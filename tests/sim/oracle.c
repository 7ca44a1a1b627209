/* SPDX-License-Identifier: Apache-2.0 */
/* oracle.c - what must be true at each hop: jobs, commits, and what is told.
 *
 * Happy path: nothing is said. A violation names its invariant and the ids.
 */
#include "oracle.h"
#include "world.h"

typedef unsigned long long ull;

void oracle_fini(struct world *w)
{
    mem_free(w->oracle.runs);
}

/* --- jobs: I2 ------------------------------------------------------------- */

static struct run *find_run(struct world *w, uint64_t conv, uint64_t pos)
{
    for (size_t i = w->oracle.count; i-- > 0;)
        if (w->oracle.runs[i].conv == conv && w->oracle.runs[i].pos == pos)
            return &w->oracle.runs[i];
    return NULL;
}

static bool is_before(const struct job *job) /* a message is stored */
{
    return job->hook == HOOK_INBOUND || job->hook == HOOK_SEND;
}

void oracle_on_run(struct world *w, const struct job *job)
{
    if (is_before(job))
        return;
    struct oracle *o = &w->oracle;
    uint64_t conv = job->conv.id;
    uint64_t pos = job->event.pos;
    if (pos && !fakestore_event(w, pos))
        world_fail(w, "I1: a job for pos %llu, which is not durable", (ull)pos);
    if (conv && !fakestore_conv(w, conv))
        world_fail(w, "I1: a job of conversation %llu without a row",
                   (ull)conv);
    for (size_t i = 0; conv && i < o->count; i++) {
        struct run *r = &o->runs[i];
        if (r->conv == conv && r->running)
            world_fail(w,
                       "I2: jobs of conversation %llu overlap: pos %llu "
                       "while %llu runs",
                       (ull)conv, (ull)pos, (ull)r->pos);
        if (r->conv == conv && pos && r->pos > pos)
            world_fail(w,
                       "I2: job pos %llu after pos %llu in conversation "
                       "%llu",
                       (ull)pos, (ull)r->pos, (ull)conv);
    }
    if (o->count == o->cap) {
        o->cap = o->cap ? o->cap * 2 : 64;
        o->runs = mem_resize(o->runs, o->cap * sizeof(*o->runs));
    }
    o->runs[o->count++] = (struct run){.conv = conv,
                                       .pos = pos,
                                       .fence = job->fence,
                                       .hook = job->hook,
                                       .running = true};
}

void oracle_on_ran(struct world *w, const struct job *job)
{
    if (is_before(job))
        return;
    for (size_t i = 0; i < w->oracle.count; i++) {
        struct run *r = &w->oracle.runs[i];
        if (r->conv == job->conv.id && r->pos == job->event.pos)
            r->running = false;
    }
}

void oracle_on_crash(struct world *w)
{
    w->oracle.count = 0;
}

/* --- commits: I3, I13 ----------------------------------------------------- */

void oracle_on_given(struct world *w, const struct tx *tx)
{
    if (!tx->done)
        world_fail(w, "a transaction without done");
    for (const struct event *ev = tx->first; ev; ev = ev->next)
        if (ev->pos || ev->seq)
            world_fail(w, "a new event with pos or seq");
}

static const struct conversation *put_of(const struct tx *tx, uint64_t conv)
{
    for (const struct put *p = tx->puts; p; p = p->next)
        if (p->kind == PUT_CONVERSATION && p->conversation->id == conv)
            return p->conversation;
    return NULL;
}

/* Only of a message are the rules run again after a crash. */
static bool is_once(struct world *w, const struct event *ev)
{
    struct run *run = find_run(w, ev->conv, ev->cause);
    return !run || run->hook == HOOK_MESSAGE || run->hook == HOOK_FLOW;
}

static void check_cause(struct world *w, const struct event *ev)
{
    struct event *why = fakestore_event(w, ev->cause);
    struct conv_row *row = fakestore_conv(w, ev->conv);
    if (!why || why->conv != ev->conv) {
        world_fail(w, "I3: cause %llu is no event of the conversation",
                   (ull)ev->cause);
    } else if (ev->name != EVENT_HANDLED && row &&
               ev->cause <= row->c.handled && is_once(w, ev)) {
        world_fail(w, "I3: effects of pos %llu, which is handled (up to %llu)",
                   (ull)ev->cause, (ull)row->c.handled);
    }
}

/* What hooks wanted beside a person's message, before it was stored. */
static bool is_persons(const struct tx *tx)
{
    for (const struct event *ev = tx->first; ev; ev = ev->next)
        if (ev->name == EVENT_MESSAGE_CREATED &&
            (ev->role == ROLE_AGENT || ev->role == ROLE_VISITOR))
            return true;
    return false;
}

/* A bot may speak and hand over only under the fence its job was given. */
static void check_bot(struct world *w, const struct tx *tx,
                      const struct event *ev)
{
    struct run *run = find_run(w, ev->conv, ev->cause);
    struct conv_row *row = fakestore_conv(w, ev->conv);
    const struct conversation *put = put_of(tx, ev->conv);
    if (!row || ev->role != ROLE_BOT || (!ev->cause && is_persons(tx)))
        return;
    bool speaks =
        ev->name == EVENT_MESSAGE_CREATED && !(ev->flags & EVENT_PRIVATE);
    bool moves =
        put && (put->assignee != row->c.assignee || put->state != row->c.state);
    if (ev->cause && !run)
        world_fail(w, "effects of pos %llu, whose job did not run here",
                   (ull)ev->cause);
    else if (run && (speaks || moves) && run->fence != row->c.fence)
        world_fail(w,
                   "I13: a bot acts in conversation %llu under fence %u, "
                   "it is at %u",
                   (ull)ev->conv, run->fence, row->c.fence);
}

static void check_put(struct world *w, const struct conversation *next)
{
    struct conv_row *row = fakestore_conv(w, next->id);
    if (!row)
        return;
    const struct conversation *was = &row->c;
    bool moved = next->assignee != was->assignee ||
                 (next->state == CONV_BOT) != (was->state == CONV_BOT);
    if (next->fence < was->fence || (moved && next->fence == was->fence))
        world_fail(w,
                   "I13: conversation %llu changes hands (%s %llu -> %s "
                   "%llu), fence %u -> %u",
                   (ull)next->id, conv_state_name(was->state),
                   (ull)was->assignee, conv_state_name(next->state),
                   (ull)next->assignee, was->fence, next->fence);
    if (was->state == CONV_CLOSED && next->state != CONV_CLOSED &&
        next->fence == was->fence)
        world_fail(w, "I13: conversation %llu reopens under the old fence",
                   (ull)next->id);
}

/* The default has placed what its rules were too slow for: they may still
 * answer, until a person does. */
static void grant(struct world *w, const struct tx *tx, const struct event *ev)
{
    struct conv_row *row = fakestore_conv(w, ev->conv);
    const struct conversation *put = put_of(tx, ev->conv);
    bool placed = row && put && ev->role == ROLE_SYSTEM &&
                  row->c.state == CONV_BOT && put->state != CONV_CLOSED;
    bool spoken = ev->name == EVENT_MESSAGE_CREATED && ev->role == ROLE_AGENT &&
                  !(ev->flags & EVENT_PRIVATE);
    for (size_t i = 0; i < w->oracle.count; i++) {
        struct run *r = &w->oracle.runs[i];
        if (r->conv != ev->conv)
            continue;
        if (placed && r->fence == row->c.fence) {
            r->granted = true;
            r->fence = put->fence;
        } else if (spoken && r->granted) {
            r->fence = UINT32_MAX;
        }
    }
}

/* The end of a turn in this tx, or NULL. */
static const struct turn *turn_end_in(const struct tx *tx)
{
    for (const struct put *p = tx->puts; p; p = p->next)
        if (p->kind == PUT_TURN &&
            (p->turn->state == TURN_DONE || p->turn->state == TURN_FAILED))
            return p->turn;
    return NULL;
}

/* An assistant speaks once a turn, under the fence it was asked with. What the
 * visitor says at that moment may be stored before it; a turn follows. */
static void check_turn(struct world *w, const struct tx *tx,
                       const struct turn *end)
{
    const struct turn *was = fakestore_turn(w, end->id);
    struct conv_row *row = fakestore_conv(w, end->conv);
    uint32_t answers = 0;
    for (const struct event *ev = tx->first; ev; ev = ev->next)
        answers += ev->name == EVENT_MESSAGE_CREATED && ev->role == ROLE_BOT;
    if (!was || was->state != TURN_PENDING || !row)
        world_fail(w, "turn %llu ends and was not pending", (ull)end->id);
    else if (row->c.state != CONV_BOT || row->c.fence != end->fence)
        world_fail(w,
                   "I13: turn %llu of fence %u ends in conversation %llu, "
                   "which is %s under %u",
                   (ull)end->id, end->fence, (ull)end->conv,
                   conv_state_name(row->c.state), row->c.fence);
    if (answers > 1)
        world_fail(w, "turn %llu answers %u times", (ull)end->id, answers);
    w->did.answers += answers;
}

/* An answer that was known has no row before: it is the only one, it comes with
 * the holder it was given to and behind that, and it answers the first words. */
static void check_known(struct world *w, const struct tx *tx,
                        const struct turn *end)
{
    struct conv_row *row = fakestore_conv(w, end->conv);
    const struct conversation *put = put_of(tx, end->conv);
    const struct conversation *now = put ? put : row ? &row->c : NULL;
    const struct event *why = fakestore_event(w, end->pos), *last = NULL;
    uint32_t answers = 0;
    for (const struct event *ev = tx->first; ev; ev = ev->next) {
        answers += ev->name == EVENT_MESSAGE_CREATED && ev->role == ROLE_BOT &&
                   ev->cause == end->pos && ev->ref.len;
        last = ev->conv == end->conv ? ev : last;
    }
    if (!now || now->state != CONV_BOT || now->fence != end->fence)
        world_fail(w, "I13: known turn %llu of fence %u is not its holder's",
                   (ull)end->id, end->fence);
    if (!why || why->seq != 1 || why->role != ROLE_VISITOR)
        world_fail(w, "known turn %llu is not of the first words",
                   (ull)end->id);
    if (answers != 1 || !last || last->name != EVENT_MESSAGE_CREATED)
        world_fail(w, "known turn %llu answers %u times", (ull)end->id,
                   answers);
    for (size_t i = 0; i < w->store.turns.count; i++) {
        const struct turn *t = w->store.turns.at[i];
        if (t->pos == end->pos && t->state == TURN_DONE)
            world_fail(w, "pos %llu is answered by turn %llu and known %llu",
                       (ull)end->pos, (ull)t->id, (ull)end->id);
    }
    w->did.known++;
}

/* A tool's word is given once, by nobody after another one took over. */
static void check_confirm(struct world *w, const struct confirm *now)
{
    const struct confirm *was = fakestore_confirm(w, now->id);
    struct conv_row *row = fakestore_conv(w, now->conv);
    bool holds = row && row->c.state == CONV_BOT && row->c.fence == now->fence;
    bool same = was && was->state == now->state;
    bool may = !was ? now->state == CONFIRM_PENDING && holds
               : was->state == CONFIRM_PENDING
                   ? now->state == CONFIRM_CANCELLED ||
                         (holds && now->state != CONFIRM_DONE)
               : was->state == CONFIRM_APPROVED
                   ? same || (now->state == CONFIRM_DONE && holds)
                   : same;
    if (!may || (was && was->told))
        world_fail(w, "I13: confirmation %llu goes from %s%s to %s%s",
                   (ull)now->id, was ? confirm_state_name(was->state) : "none",
                   was && was->told ? " (told)" : "",
                   confirm_state_name(now->state), holds ? "" : ", not held");
    w->did.approved += !same && now->state == CONFIRM_APPROVED;
}

void oracle_before_write(struct world *w, const struct tx *tx)
{
    for (const struct put *p = tx->puts; p; p = p->next)
        if (p->kind == PUT_CONFIRM)
            check_confirm(w, p->confirm);
    const struct turn *end = turn_end_in(tx);
    if (end && end->state == TURN_DONE && !fakestore_turn(w, end->id)) {
        check_known(w, tx, end);
        end = NULL; /* its job's effects, too */
    } else if (end) {
        check_turn(w, tx, end);
    }
    for (const struct event *ev = tx->first; ev; ev = ev->next)
        grant(w, tx, ev);
    for (const struct event *ev = tx->first; ev; ev = ev->next) {
        if (end)
            continue; /* looked at as a whole */
        if (ev->cause)
            check_cause(w, ev);
        check_bot(w, tx, ev);
    }
    for (const struct put *p = tx->puts; p; p = p->next)
        if (p->kind == PUT_CONVERSATION)
            check_put(w, p->conversation);
}

/* Only the holder answers; who takes over does so in the same transaction. */
static void check_answer(struct world *w, const struct event *ev)
{
    struct conv_row *row = fakestore_conv(w, ev->conv);
    if (ev->name != EVENT_MESSAGE_CREATED || ev->role != ROLE_AGENT ||
        (ev->flags & EVENT_PRIVATE) || !row)
        return;
    if (row->c.assignee != ev->sender || row->c.state != CONV_OPEN)
        world_fail(w,
                   "I13: agent %llu answers in conversation %llu, which is "
                   "%s with %llu",
                   (ull)ev->sender, (ull)ev->conv,
                   conv_state_name(row->c.state), (ull)row->c.assignee);
}

static void check_row(struct world *w, const struct conversation *c)
{
    bool held = c->state == CONV_OPEN || c->state == CONV_SNOOZED;
    bool known = false; /* deleted this moment is fine: put right at rest */
    for (size_t i = 0; i < WORLD_AGENTS; i++)
        known |= w->agents[i] == c->assignee;
    if (held && !known)
        world_fail(w, "conversation %llu is %s with agent %llu, who never was",
                   (ull)c->id, conv_state_name(c->state), (ull)c->assignee);
    if (!held && c->state != CONV_CLOSED && c->assignee)
        world_fail(w, "conversation %llu is %s and has an assignee", (ull)c->id,
                   conv_state_name(c->state));
    if ((c->state == CONV_QUEUED) != (c->queued_at != 0))
        world_fail(w, "conversation %llu is %s, queued_at %lld", (ull)c->id,
                   conv_state_name(c->state), (long long)c->queued_at);
    for (size_t i = 0; i < w->store.convs.count; i++) {
        struct conv_row *r = w->store.convs.at[i];
        if (r->c.id != c->id && r->c.contact == c->contact &&
            r->c.state != CONV_CLOSED && c->state != CONV_CLOSED)
            world_fail(w, "contact %llu has two conversations, %llu and %llu",
                       (ull)c->contact, (ull)r->c.id, (ull)c->id);
    }
}

/* A visitor's word in a closed conversation opens it again at once or in the
 * next transaction; it is not left there (checked at rest). */
void oracle_after_write(struct world *w, const struct tx *tx)
{
    for (const struct event *ev = tx->first; ev; ev = ev->next)
        check_answer(w, ev);
    for (const struct put *p = tx->puts; p; p = p->next)
        if (p->kind == PUT_CONVERSATION)
            check_row(w, &fakestore_conv(w, p->conversation->id)->c);
}

/* --- what is told: I1, I4 ------------------------------------------------- */

static int compare(struct cursor a, struct cursor b)
{
    if (a.pos != b.pos)
        return a.pos < b.pos ? -1 : 1;
    return a.sub < b.sub ? -1 : a.sub > b.sub;
}

static void check_same(struct world *w, struct client *c,
                       const struct event *ev)
{
    struct event *row = fakestore_event(w, ev->pos);
    if (!row) {
        world_fail(w, "I4: client %d is told of pos %llu, which is not durable",
                   c->index, (ull)ev->pos);
        return;
    }
    bool rewritten = c->role == ROLE_VISITOR &&
                     row->name >= EVENT_CONVERSATION_CREATED &&
                     row->name <= EVENT_CONVERSATION_CLOSED;
    if (row->conv != ev->conv || row->seq != ev->seq || row->at != ev->at ||
        row->name != ev->name || row->sender != ev->sender ||
        row->role != ev->role || !slice_eq(row->ref, ev->ref) ||
        (!rewritten && !slice_eq(row->body, ev->body)))
        world_fail(w,
                   "I4: what client %d is told of pos %llu is not what is "
                   "in the journal",
                   c->index, (ull)ev->pos);
}

static void viewer_of(struct world *w, struct client *c, struct viewer *v,
                      uint64_t teams[WORLD_TEAMS])
{
    struct agent *a = fakestore_agent(w, c->id);
    *v = (struct viewer){.role = c->role, .id = c->id, .teams = teams};
    if (a)
        v->agent_role = a->role;
    for (size_t i = 0; c->role == ROLE_AGENT && i < WORLD_TEAMS; i++)
        if (world_team_has(i, c->id, w))
            teams[v->team_count++] = w->teams[i];
}

/* Something older, behind the event its cursor names. */
static bool is_backlog(const struct notice *n)
{
    return n->cursor.sub > 0 && n->cursor.pos != n->event->pos;
}

static void check_may_know(struct world *w, struct client *c,
                           const struct notice *n)
{
    uint64_t teams[WORLD_TEAMS];
    struct viewer v;
    viewer_of(w, c, &v, teams);
    const struct event *ev = n->event;
    bool sees;
    if (is_backlog(n)) { /* what it stands behind is the door */
        struct event *door = fakestore_event(w, n->cursor.pos);
        struct event as_if = *ev;
        as_if.pos = n->cursor.pos;
        sees = door && door->conv == ev->conv && ev->pos < door->pos &&
               fakestore_sees(w, &v, &as_if);
        w->did.backlog++;
    } else {
        sees = n->cursor.pos == ev->pos && fakestore_sees(w, &v, ev);
    }
    if (!sees)
        world_fail(w,
                   "I4: client %d (%s) is told of pos %llu (cursor %llu.%u),"
                   " which is not for it",
                   c->index, role_name(c->role), (ull)ev->pos,
                   (ull)n->cursor.pos, n->cursor.sub);
}

static void move_cursor(struct world *w, struct client *c,
                        const struct notice *n)
{
    if (n->cursor.epoch != WORLD_EPOCH || compare(n->cursor, c->last) <= 0)
        world_fail(w, "client %d: cursor %llu.%u after %llu.%u", c->index,
                   (ull)n->cursor.pos, n->cursor.sub, (ull)c->last.pos,
                   c->last.sub);
    c->last = n->cursor;
}

/* The desk forgets a closed conversation, and with it who was shown what. */
static bool was_closed(struct world *w, uint64_t conv, uint64_t before)
{
    struct conv_row *r = fakestore_conv(w, conv);
    for (const struct holding *h = r ? r->first : NULL; h; h = h->next)
        if (h->state == CONV_CLOSED && h->pos < before)
            return true;
    return false;
}

static void check_event(struct world *w, struct client *c,
                        const struct notice *n)
{
    const struct event *ev = n->event;
    w->did.events++;
    check_same(w, c, ev);
    check_may_know(w, c, n);
    move_cursor(w, c, n);
    /* Backlog may show again what an ack (for a message of its own, written
     * while the conversation was out of sight) or a resume has shown. What
     * stands behind one door is in order; it is older than what was live. */
    bool backlog = is_backlog(n);
    struct seen *was = marks_find(&c->told, ev->pos);
    bool again = was && backlog &&
                 (was->acked || was->pos <= c->joined ||
                  was_closed(w, ev->conv, n->cursor.pos));
    if (was && !again)
        world_fail(w, "client %d is told of pos %llu twice in a session",
                   c->index, (ull)ev->pos);
    for (size_t i = 0; ev->seq && i < c->told.count; i++) {
        struct seen *s = &c->told.at[i];
        if (s->conv == ev->conv && s->seq >= ev->seq &&
            s->door == (backlog ? n->cursor.pos : 0))
            world_fail(w, "client %d: seq %u after %u in conversation %llu",
                       c->index, ev->seq, s->seq, (ull)ev->conv);
    }
    struct seen *mark =
        again ? was : marks_add(&c->told, ev->conv, ev->pos, ev->seq);
    mark->acked = false;
    mark->door = backlog ? n->cursor.pos : 0;
}

static void check_ack(struct world *w, struct client *c, const struct notice *n)
{
    struct event *row = fakestore_event(w, n->event->pos);
    if (!row || row->name != EVENT_MESSAGE_CREATED || row->sender != c->id ||
        row->conv != n->event->conv || row->seq != n->event->seq ||
        !slice_eq(row->ref, n->ref)) {
        world_fail(w,
                   "I1: client %d gets an ack for ref %.*s, pos %llu: not "
                   "durable as such",
                   c->index, SLICE_FMT(n->ref), (ull)n->event->pos);
        return;
    }
    if (n->duplicate)
        return;
    if (marks_has(&c->told, row->pos))
        world_fail(w, "client %d gets pos %llu as event and as ack", c->index,
                   (ull)row->pos);
    move_cursor(w, c, n);
    marks_add(&c->told, row->conv, row->pos, row->seq)->acked = true;
}

/* A REST call that is answered well has happened, on disk. */
void oracle_on_act(struct world *w, const struct act *act)
{
    struct conv_row *r = fakestore_conv(w, act->conv);
    if (act->result > 0 || act->result < ERR_CANCELLED)
        world_fail(w, "an act ends with %d", act->result);
    if (act->result || w->dead)
        return;
    if (!act->conversation || !r)
        world_fail(w, "act %d of conversation %llu: well, but without it",
                   (int)act->kind, (ull)act->conv);
    if (act->kind != ACT_SEND)
        return;
    struct event *row = fakestore_event(w, act->event.pos);
    if (!row || row->sender != act->actor || row->seq != act->event.seq ||
        !slice_eq(row->ref, act->frame->ref))
        world_fail(w,
                   "I1: a REST send is answered with pos %llu, which is "
                   "not durable as such",
                   (ull)act->event.pos);
}

static void check_welcome(struct world *w, struct client *c,
                          const struct notice *n)
{
    if (c->welcomed)
        world_fail(w, "client %d is welcomed twice", c->index);
    if (n->recovered && !c->has_cursor)
        world_fail(w, "client %d recovers without a cursor", c->index);
    if (n->conversation && n->conversation->contact &&
        n->conversation->contact != c->id)
        world_fail(w, "client %d is welcomed to somebody else's conversation",
                   c->index);
    c->welcomed = true;
    c->last = n->recovered ? c->cursor : n->cursor;
    c->from = c->last.pos;
}

void oracle_on_tell(struct world *w, struct client *c, const struct notice *n)
{
    if (!c->accepted && n->type != NOTICE_ERROR)
        world_fail(w, "client %d is told something before accept", c->index);
    if (!c->welcomed && n->type != NOTICE_WELCOME && n->type != NOTICE_ERROR &&
        n->type != NOTICE_RECONNECT)
        world_fail(w, "client %d hears notice %d before welcome", c->index,
                   (int)n->type);
    switch (n->type) {
    case NOTICE_WELCOME:
        check_welcome(w, c, n);
        break;
    case NOTICE_EVENT:
        check_event(w, c, n);
        break;
    case NOTICE_ACK:
        check_ack(w, c, n);
        break;
    case NOTICE_PRESENCE:
        if (c->role != ROLE_AGENT)
            world_fail(w, "a visitor hears of agents' presence");
        break;
    default:
        break;
    }
}

void oracle_viewer(struct world *w, struct client *c, struct viewer *v,
                   uint64_t *teams)
{
    viewer_of(w, c, v, teams);
}
