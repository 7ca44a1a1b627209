/* SPDX-License-Identifier: Apache-2.0 */
/* stage.c - see stage.h. */
#include "stage.h"
#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

static char heard[8192];

/* --- ports ---------------------------------------------------------------- */

static int64_t port_now(void *arg)
{
    return ((struct stage *)arg)->now;
}

static uint64_t port_id(void *arg)
{
    return ((struct stage *)arg)->next_id++;
}

static void push(struct mail **first, struct mail **last, struct mail *m)
{
    m->next = NULL;
    if (*first)
        (*last)->next = m;
    else
        *first = m;
    *last = m;
}

static struct mail *pop(struct mail **first)
{
    struct mail *m = *first;
    if (m)
        *first = m->next;
    return m;
}

static void port_commit(void *arg, struct tx *tx)
{
    struct stage *s = arg;
    push(&s->txs, &s->txs_last, &tx->mail);
}

static void port_read(void *arg, struct query *q)
{
    struct stage *s = arg;
    push(&s->queries, &s->queries_last, &q->mail);
}

static void port_run(void *arg, struct job *job)
{
    struct stage *s = arg;
    must(s->job_count < 64);
    s->jobs[s->job_count++] = job;
}

static bool port_wants(void *arg, const struct job *job)
{
    struct stage *s = arg;
    bool after = job->hook == HOOK_MESSAGE || job->hook == HOOK_CONVERSATION ||
                 job->hook == HOOK_TIMER;
    return (s->wants && after) || (s->hooks & 1u << job->hook);
}

static void port_face(void *arg, const struct channel *c,
                      struct channel_face *out)
{
    (void)c;
    *out = ((struct stage *)arg)->face;
}

static uint64_t port_held(void *arg, uint64_t channel, uint64_t contact)
{
    struct stage *s = arg;
    (void)channel, (void)contact;
    uint64_t held = s->held;
    s->held = 0;
    return held;
}

static int64_t port_silence(void *arg, uint64_t peer, bool ask)
{
    struct stage *s = arg;
    (void)peer;
    s->probes += ask;
    return s->silence;
}

static int64_t port_backlog(void *arg, uint64_t peer)
{
    const struct stage *s = arg;
    return peer == s->slow ? s->unread : 0;
}

static int64_t port_patience(void *arg, const struct job *job)
{
    (void)job;
    return ((struct stage *)arg)->patience;
}

static bool port_strict(void *arg, const struct job *job)
{
    (void)job;
    return ((struct stage *)arg)->strict;
}

static int describe(char *out, size_t size, const struct notice *n)
{
    static const char *const names[] = {
        "welcome", "ack",   "event",     "typing", "queue",  "presence",
        "delta",   "error", "reconnect", "pong",   "history"};
    int k = snprintf(out, size, "%s", names[n->type]);
    if (n->event)
        k += snprintf(out + k, size - (size_t)k, " %s pos %llu",
                      event_name_text(n->event->name),
                      (unsigned long long)n->event->pos);
    if (n->event && n->event->seq)
        k += snprintf(out + k, size - (size_t)k, " seq %u", n->event->seq);
    if (n->cursor.sub == UINT32_MAX)
        k += snprintf(out + k, size - (size_t)k, " at %llu.all",
                      (unsigned long long)n->cursor.pos);
    else if (n->cursor.sub)
        k += snprintf(out + k, size - (size_t)k, " at %llu.%u",
                      (unsigned long long)n->cursor.pos, n->cursor.sub);
    if (n->whole)
        k += snprintf(out + k, size - (size_t)k, " whole %u", n->index);
    if (n->duplicate)
        k += snprintf(out + k, size - (size_t)k, " duplicate");
    if (n->type == NOTICE_WELCOME)
        k += snprintf(out + k, size - (size_t)k, " %s",
                      n->recovered ? "recovered" : "anew");
    if (n->type == NOTICE_WELCOME && n->file_bytes)
        k += snprintf(out + k, size - (size_t)k, " files %u", n->file_bytes);
    if (n->type == NOTICE_ERROR)
        k += snprintf(out + k, size - (size_t)k, " %s", err_code(n->code));
    return k;
}

static bool port_send(void *arg, uint64_t peer, struct notice *n)
{
    struct stage *s = arg;
    char line[200];
    int k = snprintf(line, sizeof(line), "%llu ", (unsigned long long)peer);
    describe(line + k, sizeof(line) - (size_t)k, n);
    must(s->told_count < STAGE_LINES);
    s->told[s->told_count++] = mem_strdup(line);
    if (n->type == NOTICE_ACK)
        s->acked_conv = n->event->conv;
    return true;
}

static void port_accept(void *arg, uint64_t peer, enum role role)
{
    (void)arg, (void)peer, (void)role;
}

static void port_close(void *arg, uint64_t peer, int ws_code,
                       const char *reason)
{
    struct stage *s = arg;
    char line[200];
    snprintf(line, sizeof(line), "%llu close %d", (unsigned long long)peer,
             ws_code);
    (void)reason;
    must(s->told_count < STAGE_LINES);
    s->told[s->told_count++] = mem_strdup(line);
}

static void port_credits(void *arg, int64_t n)
{
    ((struct stage *)arg)->credits -= n;
}

/* --- the stage ------------------------------------------------------------ */

static void port_ask(void *arg, const struct turn *t)
{
    struct stage *s = arg;
    must(s->asked_count < 64);
    s->asked[s->asked_count++] = t->id;
}

static bool port_known(void *arg, struct known *k)
{
    struct stage *s = arg;
    char body[200];
    s->looked_for++;
    if (!s->known)
        return false;
    CHECK_EQ_INT(k->channel, 1);
    snprintf(body, sizeof body, "{\"kind\":\"text\",\"text\":\"%s to %.*s\"}",
             s->known, SLICE_FMT(k->question));
    k->body = slice_dup(k->arena, slice_of(body));
    k->note = SLICE("{\"cached\":true}");
    return true;
}

static void port_unask(void *arg, uint64_t turn, const char *why)
{
    struct stage *s = arg;
    (void)why;
    must(turn);
    s->unasked++;
}

static void port_halt(void *arg, uint64_t turn)
{
    struct stage *s = arg;
    must(turn);
    s->halted = turn;
}

static bool port_told(void *arg, uint64_t turn, struct slice *text,
                      uint32_t *index)
{
    struct stage *s = arg;
    (void)turn;
    *text = slice_of(s->growing ? s->growing : "");
    *index = 4;
    return s->growing != NULL;
}

void stage_open(struct stage *s)
{
    *s = (struct stage){.now = 1900000000000,
                        .next_id = 1000,
                        .next_peer = 1,
                        .arenas_before = arena_live()};
    log_setup(LOG_ERROR, LOG_TEXT);
    s->mem = arena_new();
    struct desk_conf conf = {.ports = {.arg = s,
                                       .now = port_now,
                                       .id = port_id,
                                       .commit = port_commit,
                                       .run = port_run,
                                       .read = port_read,
                                       .wants = port_wants,
                                       .patience = port_patience,
                                       .strict = port_strict,
                                       .face = port_face,
                                       .backlog = port_backlog,
                                       .held = port_held,
                                       .silence = port_silence,
                                       .ask = port_ask,
                                       .known = port_known,
                                       .unask = port_unask,
                                       .halt = port_halt,
                                       .told = port_told,
                                       .send = port_send,
                                       .accept = port_accept,
                                       .close = port_close,
                                       .give_credits = port_credits},
                             .epoch = STAGE_EPOCH,
                             .recall_ms = 120000,
                             .agent_grace_ms = 5000,
                             .heartbeat_ms = 25000};
    s->desk = desk_new(&conf);
    struct channel web = {.id = 1,
                          .type = SLICE("web"),
                          .name = SLICE("w"),
                          .config = SLICE("{}"),
                          .enabled = true};
    desk_put_channel(s->desk, &web);
    desk_start(s->desk);
}

void stage_close(struct stage *s)
{
    while (s->job_count) {
        struct job *job = stage_job(s);
        job->result = ERR_CANCELLED;
        stage_job_done(s, job);
    }
    stage_settle(s);
    desk_free(s->desk);
    arena_free(s->mem);
    for (size_t i = 0; i < s->told_count; i++)
        mem_free(s->told[i]);
    CHECK_EQ_INT(s->credits, 0);
    CHECK_EQ_INT(arena_live(), s->arenas_before);
}

void stage_pass(struct stage *s, int64_t ms)
{
    for (int64_t until = s->now + ms; s->now < until;) {
        s->now += until - s->now < 100 ? until - s->now : 100;
        desk_tick(s->desk);
    }
}

static void append(struct stage *s, struct event *ev)
{
    ev->pos = ++s->pos;
    ev->at = s->now;
    if (ev->name == EVENT_MESSAGE_CREATED)
        ev->seq = ++s->seqs[ev->conv - 1000];
    must(s->pos < STAGE_LINES);
    struct event *row = &s->journal[s->pos];
    *row = *ev;
    row->next = NULL;
    row->ref = slice_dup(s->mem, ev->ref);
    row->body = slice_dup(s->mem, ev->body);
}

static void put_flow(struct stage *s, const struct flow *f)
{
    size_t i = 0;
    while (i < s->flow_count && s->flows[i].id != f->id)
        i++;
    must(i < sizeof s->flows / sizeof s->flows[0]);
    s->flow_count += i == s->flow_count;
    s->flows[i] = *f;
    s->flows[i].unit = slice_dup(s->mem, f->unit);
    s->flows[i].args = slice_dup(s->mem, f->args);
    s->flows[i].log = slice_dup(s->mem, f->log);
    s->flows[i].error = slice_dup(s->mem, f->error);
    s->flows[i].view = s->flows[i].version = SLICE("");
}

static void put_outbox(struct stage *s, struct outbox *o)
{
    size_t i = 0;
    while (i < s->outbox_count && s->outbox[i].id != o->id)
        i++;
    must(i < sizeof s->outbox / sizeof s->outbox[0]);
    s->outbox_count += i == s->outbox_count;
    s->outbox[i] = *o;
    s->outbox[i].of = NULL;
    if (o->of) {
        s->outbox[i].pos = o->of->pos;
        s->outbox[i].seq = o->of->seq;
    }
    s->outbox[i].to = slice_dup(s->mem, o->to);
    s->outbox[i].remote = slice_dup(s->mem, o->remote);
    s->outbox[i].reason = slice_dup(s->mem, o->reason);
    s->outbox[i].code = slice_dup(s->mem, o->code);
}

static void put_turn(struct stage *s, const struct turn *t)
{
    size_t i = 0;
    while (i < s->turn_count && s->turns[i].id != t->id) {
        i++;
    }
    must(i < 32);
    s->turn_count += i == s->turn_count;
    s->turns[i] = *t;
    s->turns[i].assistant = slice_dup(s->mem, t->assistant);
    s->turns[i].reason = slice_dup(s->mem, t->reason);
    s->turns[i].note = slice_dup(s->mem, t->note);
}

static void put_row(struct stage *s, const struct put *p)
{
    if (p->kind == PUT_TURN) {
        put_turn(s, p->turn);
    } else if (p->kind == PUT_OUTBOX) {
        put_outbox(s, p->outbox);
    } else if (p->kind == PUT_LEFT) {
        s->journal[p->left->pos].body = slice_dup(s->mem, p->left->body);
    } else if (p->kind == PUT_FLOW) {
        put_flow(s, p->flow);
    } else if (p->kind == PUT_DEAD) {
        s->dead = *p->dead;
        s->dead.unit = slice_dup(s->mem, p->dead->unit);
        s->dead.reason = slice_dup(s->mem, p->dead->reason);
        s->dead.data = slice_dup(s->mem, p->dead->data);
    } else if (p->kind == DEL_DEAD && s->dead.id == p->id) {
        s->dead.id = 0;
    } else if (p->kind == PUT_TRACE) {
        s->traces++;
        snprintf(s->trace, sizeof s->trace, "%.*s", SLICE_FMT(p->trace->body));
    }
}

static struct event *repeat(struct stage *s, const struct event *ev)
{
    for (uint64_t i = 1; i <= s->pos; i++)
        if (ev->ref.len && s->journal[i].sender == ev->sender &&
            slice_eq(s->journal[i].ref, ev->ref))
            return &s->journal[i];
    return NULL;
}

bool stage_commit(struct stage *s)
{
    struct tx *tx = (struct tx *)pop(&s->txs);
    bool again = false;
    if (!tx)
        return false;
    for (struct event *ev = tx->first; ev; ev = ev->next) {
        struct event *was = repeat(s, ev);
        if (!was)
            continue;
        again = true;
        ev->flags |= EVENT_DUPLICATE;
        ev->conv = was->conv;
        ev->pos = was->pos;
        ev->seq = was->seq;
        ev->at = was->at;
    }
    if (!again && tx->refuse) {
        tx->result = tx->refuse;
        tx->done(tx);
        return true;
    }
    for (struct event *ev = again ? NULL : tx->first; ev; ev = ev->next)
        append(s, ev);
    for (struct put *p = again ? NULL : tx->puts; p; p = p->next)
        put_row(s, p);
    tx->done(tx);
    return true;
}

bool stage_fail(struct stage *s, int code)
{
    struct tx *tx = (struct tx *)pop(&s->txs);
    if (!tx)
        return false;
    tx->result = err_set(&tx->err, code, "no");
    tx->done(tx);
    return true;
}

static bool is_change(const struct event *ev)
{
    return ev->name >= EVENT_CONVERSATION_CREATED &&
           ev->name <= EVENT_CONVERSATION_CLOSED;
}

static bool is_with_bot(const struct event *ev)
{
    return memmem(ev->body.at, ev->body.len, "\"bot\"", 5) != NULL;
}

/* Enough for these tests: who is not with the bot is seen. */
static bool is_door(struct stage *s, uint64_t pos)
{
    struct event *ev = &s->journal[pos];
    if (!is_change(ev) || is_with_bot(ev))
        return false;
    while (--pos) {
        struct event *was = &s->journal[pos];
        if (was->conv == ev->conv && is_change(was))
            return is_with_bot(was);
    }
    return true;
}

static void give(struct stage *s, struct query *q, uint64_t from, uint64_t upto)
{
    struct event **to = &q->events;
    for (uint64_t i = from; i <= upto && i <= s->pos; i++) {
        if (q->kind == QUERY_BACKLOG &&
            (s->journal[i].conv != q->conv ||
             s->journal[i].name != EVENT_MESSAGE_CREATED))
            continue;
        if (!event_is_public(s->journal[i].name))
            continue;
        *to = arena_one(q->arena, struct event);
        **to = s->journal[i];
        if (q->kind == QUERY_RESUME && is_door(s, i))
            (*to)->flags |= EVENT_DOOR;
        to = &(*to)->next;
        q->count++;
    }
}

static void give_one(struct stage *s, struct query *q)
{
    q->result = ERR_NOT_FOUND;
    if (q->kind == QUERY_EVENT && q->after_pos && q->after_pos <= s->pos) {
        q->events = arena_one(q->arena, struct event);
        *q->events = s->journal[q->after_pos];
        q->result = 0;
    }
    if (q->kind == QUERY_CONVERSATION && s->row.id && s->row.id == q->id) {
        q->conversation = arena_one(q->arena, struct conversation);
        *q->conversation = s->row;
        q->result = 0;
    }
    for (size_t i = 0; q->kind == QUERY_OUTBOX && i < s->outbox_count; i++) {
        const struct outbox *o = &s->outbox[i];
        if (q->id
                ? o->id == q->id
                : o->seq == q->after_seq && o->conv == q->conv && !o->undoes) {
            q->outbox = &s->outbox[i];
            q->result = 0;
        }
    }
    for (size_t i = 0; q->kind == QUERY_FLOW && i < s->flow_count; i++) {
        if (s->flows[i].id == q->id) {
            q->flow = &s->flows[i];
            q->result = 0;
        }
    }
}

bool stage_read(struct stage *s)
{
    struct query *q = (struct query *)pop(&s->queries);
    if (!q)
        return false;
    q->recovered = true;
    if (q->kind == QUERY_RESUME)
        give(s, q, q->after_pos + 1, q->upto_pos);
    else if (q->kind == QUERY_BACKLOG)
        give(s, q, 1, q->upto_pos);
    else
        give_one(s, q);
    q->done(q);
    return true;
}

void stage_settle(struct stage *s)
{
    while (stage_commit(s) || stage_read(s))
        ;
}

struct job *stage_job(struct stage *s)
{
    if (!s->job_count)
        return NULL;
    struct job *job = s->jobs[0];
    memmove(s->jobs, s->jobs + 1, --s->job_count * sizeof(*s->jobs));
    return job;
}

void stage_job_done(struct stage *s, struct job *job)
{
    (void)s;
    job->done(job);
}

/* --- people --------------------------------------------------------------- */

void stage_agent(struct stage *s, uint64_t id, enum agent_role role,
                 int32_t max_load)
{
    struct agent a = {.id = id,
                      .name = SLICE("Bo"),
                      .email = SLICE("bo@x"),
                      .skills = SLICE("[]"),
                      .role = role,
                      .max_load = max_load,
                      .enabled = true};
    desk_put_agent(s->desk, &a);
}

void stage_team(struct stage *s, uint64_t id, const char *members)
{
    struct team t = {
        .id = id, .name = SLICE("t"), .members = slice_of(members)};
    desk_put_team(s->desk, &t);
}

static void join(struct stage *s, struct join *j, enum role role, uint64_t id)
{
    struct contact c = {
        .id = id, .channel = 1, .name = SLICE("Anna"), .created_at = s->now};
    if (role == ROLE_AGENT)
        desk_join_agent(s->desk, j, id, AGENT_ONLINE);
    else
        desk_join_visitor(s->desk, j, 1, &c, false, false);
}

uint64_t stage_agent_joins(struct stage *s, uint64_t agent)
{
    struct join j = {.peer = s->next_peer++};
    join(s, &j, ROLE_AGENT, agent);
    return j.peer;
}

uint64_t stage_visitor_joins(struct stage *s, uint64_t contact)
{
    struct join j = {.peer = s->next_peer++};
    join(s, &j, ROLE_VISITOR, contact);
    return j.peer;
}

uint64_t stage_resumes(struct stage *s, enum role role, uint64_t id,
                       uint64_t pos, uint32_t sub)
{
    struct join j = {.peer = s->next_peer++,
                     .has_resume = true,
                     .resume_valid = true,
                     .resume = {STAGE_EPOCH, pos, sub}};
    join(s, &j, role, id);
    return j.peer;
}

void stage_gone(struct stage *s, uint64_t peer)
{
    desk_gone(s->desk, peer);
}

/* --- frames and acts ------------------------------------------------------ */

static void frame(struct stage *s, uint64_t peer, struct frame *like)
{
    struct arena *a = arena_new();
    struct frame *f = arena_one(a, struct frame);
    *f = *like;
    f->ref = slice_dup(a, like->ref);
    f->text = slice_dup(a, like->text);
    f->body = slice_dup(a, like->body);
    s->credits++;
    desk_frame(s->desk, peer, f, a);
}

static void send(struct stage *s, uint64_t peer, uint64_t conv, const char *ref,
                 const char *text, bool is_private)
{
    char body[200];
    snprintf(body, sizeof(body), "{\"kind\":\"text\",\"text\":\"%s\"%s}", text,
             is_private ? ",\"private\":true" : "");
    struct frame f = {.type = FRAME_SEND,
                      .conv = conv,
                      .ref = slice_of(ref),
                      .kind = SLICE("text"),
                      .text = slice_of(text),
                      .body = slice_of(body),
                      .is_private = is_private};
    frame(s, peer, &f);
}

void stage_says(struct stage *s, uint64_t peer, uint64_t conv, const char *ref,
                const char *text)
{
    send(s, peer, conv, ref, text, false);
}

void stage_notes(struct stage *s, uint64_t peer, uint64_t conv, const char *ref,
                 const char *text)
{
    send(s, peer, conv, ref, text, true);
}

void stage_reads(struct stage *s, uint64_t peer, uint64_t conv, uint32_t seq)
{
    struct frame f = {.type = FRAME_READ, .conv = conv, .seq = seq};
    frame(s, peer, &f);
}

void stage_stops(struct stage *s, uint64_t peer, uint64_t conv)
{
    struct frame f = {.type = FRAME_STOP, .conv = conv, .ref = SLICE("x")};
    frame(s, peer, &f);
}

void stage_recalls(struct stage *s, uint64_t peer, uint64_t conv,
                   uint64_t message)
{
    struct frame f = {.type = FRAME_RECALL,
                      .conv = conv,
                      .message = message,
                      .ref = SLICE("back")};
    frame(s, peer, &f);
}

void stage_watches(struct stage *s, uint64_t peer, uint64_t conv)
{
    struct frame f = {.type = FRAME_WATCH, .conv = conv, .ref = SLICE("x")};
    frame(s, peer, &f);
}

void stage_types(struct stage *s, uint64_t peer, uint64_t conv)
{
    struct frame f = {.type = FRAME_TYPING, .conv = conv, .text = SLICE("x")};
    frame(s, peer, &f);
}

static void on_act(struct act *act)
{
    *(int *)act->owner = act->result;
    act_free(act);
}

int stage_acts(struct stage *s, enum act_kind kind, uint64_t agent,
               uint64_t conv, uint64_t to_agent, uint64_t to_team)
{
    int result = 1; /* not answered */
    struct act *act = act_new(kind, on_act, &result);
    act->role = ROLE_AGENT;
    act->actor = agent;
    act->conv = conv;
    act->agent = to_agent;
    act->team = to_team;
    act->until = s->now + 1000;
    desk_act(s->desk, act);
    stage_settle(s);
    return result;
}

/* --- the usual beginning -------------------------------------------------- */

uint64_t stage_conversation(struct stage *s, uint64_t contact)
{
    uint64_t peer = stage_visitor_joins(s, contact);
    char ref[40];
    snprintf(ref, sizeof(ref), "first-%llu", (unsigned long long)contact);
    stage_says(s, peer, 0, ref, "hello");
    stage_settle(s);
    uint64_t conv = s->acked_conv;
    struct job *job;
    while ((job = stage_job(s)) != NULL)
        stage_job_done(s, job);
    stage_settle(s);
    return conv;
}

const struct conversation *stage_conv(struct stage *s, uint64_t id)
{
    static const struct conversation none;
    const struct conversation *c = desk_conversation(s->desk, id);
    return c ? c : &none;
}

const char *stage_hears(struct stage *s, uint64_t peer)
{
    char head[30];
    int n = snprintf(head, sizeof(head), "%llu ", (unsigned long long)peer);
    size_t len = 0;
    heard[0] = '\0';
    for (size_t i = 0; i < s->told_count; i++) {
        if (strncmp(s->told[i], head, (size_t)n) != 0)
            continue;
        len += (size_t)snprintf(heard + len, sizeof(heard) - len, "%s%s",
                                len ? " | " : "", s->told[i] + n);
        s->told[i][0] = '-'; /* heard */
    }
    return heard;
}
