/* SPDX-License-Identifier: Apache-2.0 */
/* history.c - what was said in a conversation, page by page.
 *
 * Happy path: a conversation's messages hang together by `prev`; a page begins
 * at the first anchor at or above its upper end (every 64th message has one) or
 * at the conversation's last row, and walks down.
 *
 * Failure modes: a conversation that is not there or not the visitor's is
 * ERR_NOT_FOUND, one an agent may not see ERR_FORBIDDEN. What no longer fits
 * READER_ANSWER_BYTES is left for the next page (`more`).
 */
#include "base/json.h"
#include "base/limits.h"
#include "store/journal.h"
#include "store/reader.h"
#include "store/record_outbox.h"

#define NO_SEQ UINT32_MAX

/* -- who may see what --------------------------------------------------- */

int history_seen(struct reader *r, uint64_t conv, struct seen *out,
                 int64_t *changed_at)
{
    struct stmt *s;
    int got = reader_stmt(r, READ_SEEN,
                          "SELECT state, assignee, team, contact, updated_at "
                          "FROM conversation WHERE id = $id",
                          "id", &s);
    if (got < 0)
        return got;
    put_u64(s, conv);
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : ERR_NOT_FOUND;
    *out = (struct seen){.state = (enum conv_state)got_i64(s, 0),
                         .assignee = got_u64(s, 1),
                         .team = got_u64(s, 2),
                         .contact = got_u64(s, 3)};
    if (changed_at)
        *changed_at = got_i64(s, 4);
    stmt_reset(s);
    return 0;
}

static bool in_teams(const struct viewer *v, uint64_t team)
{
    for (size_t i = 0; i < v->team_count; i++)
        if (v->teams[i] == team)
            return true;
    return false;
}

bool history_sees(const struct viewer *v, const struct seen *c)
{
    if (v->role == ROLE_VISITOR)
        return c->contact == v->id;
    if (v->role != ROLE_AGENT || v->agent_role != AGENT_ROLE_AGENT)
        return true;
    if (c->state == CONV_BOT)
        return false;
    if (c->assignee == v->id)
        return true;
    return c->team ? in_teams(v, c->team) : c->state == CONV_QUEUED;
}

int history_may_see(struct reader *r, const struct viewer *v, uint64_t conv)
{
    struct seen c;
    int got = history_seen(r, conv, &c, NULL);
    return got < 0 ? got : history_sees(v, &c);
}

/* -- walking a conversation --------------------------------------------- */

int history_by_pos(struct reader *r, struct stmt **s)
{
    return reader_stmt(r, READ_BY_POS, JOURNAL_ROW "WHERE pos = $pos", "pos",
                       s);
}

int history_progress(struct reader *r, uint64_t conv, struct progress *p)
{
    struct stmt *s = &r->stmts[READ_PROGRESS];
    int got = s->h ? 0 : progress_open(&r->db, s, NULL);
    return got < 0 ? got : progress_load(s, conv, p);
}

int history_start(struct reader *r, const struct progress *p, uint32_t seq,
                  uint64_t *pos)
{
    *pos = p->last_pos;
    if (p->last_seq < JOURNAL_ANCHOR || seq > p->last_seq - JOURNAL_ANCHOR)
        return 0;
    struct stmt *s;
    int got = reader_stmt(r, READ_ANCHOR,
                          "SELECT pos FROM anchor WHERE conv = $conv AND "
                          "seq >= $seq ORDER BY seq LIMIT 1",
                          "conv seq", &s);
    if (got < 0)
        return got;
    put_u64(s, p->conv);
    put_i64(s, seq);
    got = stmt_step(s);
    if (got == 1) {
        *pos = got_u64(s, 0);
        stmt_reset(s);
    }
    return got < 0 ? got : 0;
}

/* Messages with least <= seq <= most, newest first, at most `limit` of those
 * that are visible; events in the query's arena, in rising order. more: there
 * are further ones. bytes: of bodies so far. */
struct walk {
    uint32_t least, most, limit;
    uint64_t upto_pos; /* 0 = any */
    bool hide_private;
    struct event *events;
    uint32_t count;
    size_t bytes;
    bool more;
};

static int walk_down(struct reader *r, struct query *q, struct progress *p,
                     struct walk *w)
{
    struct stmt *s;
    uint64_t pos;
    int got = history_by_pos(r, &s);
    if (got == 0)
        got = history_start(r, p, w->most, &pos);
    while (got == 0 && pos) {
        struct event row;
        got = journal_get(s, pos, NULL, &row, &pos);
        if (got < 0)
            break;
        bool message = row.name == EVENT_MESSAGE_CREATED;
        if (message && row.seq < w->least)
            break;
        if (!message || row.seq > w->most ||
            (w->upto_pos && row.pos > w->upto_pos) ||
            (w->hide_private && row.flags & EVENT_PRIVATE)) {
            stmt_reset(s);
            continue;
        }
        if (w->count == w->limit || w->bytes > READER_ANSWER_BYTES) {
            w->more = true;
            break;
        }
        struct event *ev = arena_one(q->arena, struct event);
        *ev = row;
        ev->ref = slice_dup(q->arena, row.ref);
        ev->body = slice_dup(q->arena, row.body);
        stmt_reset(s);
        ev->next = w->events;
        w->events = ev;
        w->count++;
        w->bytes += ev->body.len;
    }
    stmt_reset(s);
    return got;
}

/* -- pages of messages -------------------------------------------------- */

/* What became of the page's messages on their way to a platform: the rows of
 * the outbox, both in rising order. */
struct deliveries {
    struct stmt *s; /* NULL: visitors are not told */
    struct outbox row;
    int got; /* 1 = row, 0 = no more, or an error */
};

static void next_delivery(struct deliveries *d)
{
    d->got = stmt_step(d->s);
    if (d->got == 1)
        record_outbox(d->s, NULL, &d->row);
}

static void begin_deliveries(struct reader *r, const struct query *q,
                             const struct event *first, struct deliveries *d)
{
    *d = (struct deliveries){0};
    if (!first || q->viewer.role == ROLE_VISITOR)
        return;
    d->got = outbox_of_page(r, q->conv, first->seq, &d->s);
    if (d->got == 0)
        next_delivery(d);
}

/* The message's last brace makes room. */
static int add_delivery(struct deliveries *d, uint32_t seq, struct buf *out)
{
    while (d->got == 1 && d->row.seq < seq)
        next_delivery(d);
    if (d->got != 1 || d->row.seq != seq)
        return d->got < 0 ? d->got : 0;
    out->len--;
    int r = outbox_write_delivery(out, &d->row);
    return r ? r : buf_add_char(out, '}');
}

static int write_items(struct reader *reader, struct query *q,
                       struct event *events, uint32_t skip, uint32_t limit)
{
    struct deliveries d;
    begin_deliveries(reader, q, events, &d);
    struct buf out;
    buf_init(&out, 2 * READER_ANSWER_BYTES + LIMIT_LIST * LIMIT_FRAME_BYTES);
    int r = buf_add_char(&out, '[');
    bool first = true;
    for (struct event *ev = events; ev && limit && r == 0; ev = ev->next) {
        if (skip) {
            skip--;
            continue;
        }
        if (!first)
            r = buf_add_char(&out, ',');
        if (r == 0)
            r = event_write_data(&out, ev);
        if (r == 0 && d.s)
            r = add_delivery(&d, ev->seq, &out);
        first = false;
        limit--;
        q->count++;
    }
    if (d.s)
        stmt_reset(d.s);
    if (r == 0)
        r = buf_add_char(&out, ']');
    if (r == 0)
        q->json = slice_dup(q->arena, buf_slice(&out));
    buf_fini(&out);
    return r;
}

/* The newest below before_seq. */
static int page_back(struct reader *r, struct query *q, struct progress *p,
                     bool hide)
{
    struct walk w = {.least = q->after_seq + 1,
                     .most = q->before_seq - 1,
                     .limit = q->limit,
                     .hide_private = hide};
    if (w.least == 0 || w.most < w.least)
        return write_items(r, q, NULL, 0, 0);
    int got = walk_down(r, q, p, &w);
    q->more = w.more;
    return got < 0 ? got : write_items(r, q, w.events, 0, q->limit);
}

/* Walks go down, this page goes up: windows of a fixed width are read one
 * after the other until enough visible ones are there. */
static int page_on(struct reader *r, struct query *q, struct progress *p,
                   bool hide)
{
    uint64_t from = (uint64_t)q->after_seq + 1;
    uint32_t skip = q->offset;
    if (!hide || !p->hidden) { /* dense: the offset is a jump */
        from += skip;
        skip = 0;
    }
    struct event *events = NULL, **end = &events;
    uint64_t have = 0, want = (uint64_t)skip + q->limit + 1;
    size_t bytes = 0;
    while (have < want && from <= p->last_seq && bytes < READER_ANSWER_BYTES) {
        uint64_t upto = from + LIMIT_LIST;
        struct walk w = {.least = (uint32_t)from,
                         .most = upto < NO_SEQ ? (uint32_t)upto : NO_SEQ,
                         .limit = LIMIT_LIST + 1,
                         .hide_private = hide};
        int got = walk_down(r, q, p, &w);
        if (got < 0)
            return got;
        for (*end = w.events; *end; end = &(*end)->next)
            have++;
        bytes += w.bytes;
        from = upto + 1;
    }
    q->more = have >= want || from <= p->last_seq;
    return write_items(r, q, events, skip, q->limit);
}

int history_messages(struct reader *r, struct query *q)
{
    int got = history_may_see(r, &q->viewer, q->conv);
    if (got == 0 && q->viewer.role != ROLE_VISITOR)
        return err_set(&q->err, ERR_FORBIDDEN,
                       "this conversation is not yours");
    if (got == 0 || got == ERR_NOT_FOUND)
        return err_set(&q->err, ERR_NOT_FOUND, "there is no such conversation");
    struct progress p;
    if (got > 0)
        got = history_progress(r, q->conv, &p);
    if (got < 0)
        return got;
    bool hide = q->viewer.role == ROLE_VISITOR;
    q->total = hide ? p.last_seq - p.hidden : p.last_seq;
    if (q->limit == 0)
        q->limit = LIMIT_LIST_DEFAULT;
    if (q->limit > LIMIT_LIST)
        q->limit = LIMIT_LIST;
    return q->before_seq ? page_back(r, q, &p, hide) : page_on(r, q, &p, hide);
}

int history_backlog(struct reader *r, struct query *q)
{
    struct progress p;
    int got = history_progress(r, q->conv, &p);
    if (got < 0)
        return got;
    struct walk w = {.least = 1,
                     .most = NO_SEQ,
                     .limit = q->limit ? q->limit : LIMIT_BACKLOG_EVENTS,
                     .upto_pos = q->upto_pos,
                     .hide_private = q->viewer.role == ROLE_VISITOR};
    got = walk_down(r, q, &p, &w);
    q->events = w.events;
    q->count = w.count;
    for (uint32_t i = 0; i < q->skip && q->events; i++, q->count--)
        q->events = q->events->next;
    return got;
}
