/* SPDX-License-Identifier: Apache-2.0 */
/* feed.c - what happened since, for who comes back and who follows.
 *
 * Happy path: a visitor's resume walks their conversations back down to the
 * cursor; an agent's feed scans the journal forward and asks of each
 * conversation once whether they may see it. An agent's resume shows what the
 * desk would have shown live: it follows each conversation's holder through
 * the journal (struct sight). Whatever the answer holds, upto_pos tells up to
 * where it is complete.
 *
 * Failure modes: a resume that would be too long or whose cursor lies in the
 * future is `recovered` false with no events, never a part of them. A feed is
 * cut at its limit (`more`); a cursor of the future is ERR_GONE.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "store/journal.h"
#include "store/reader.h"
#include <stdlib.h>

/* What the feed has so far. */
struct feed {
    struct query *q;
    struct event **end;
    struct map seen; /* conversation -> (void *)1 no, (void *)2 yes; of a
                        resume -> struct sight */
    uint32_t limit, scanned;
    size_t bytes;
    bool over; /* there is more than the limits allow */
};

static void feed_add(struct feed *f, struct event *row)
{
    struct event *ev = arena_one(f->q->arena, struct event);
    *ev = *row;
    ev->ref = slice_dup(f->q->arena, row->ref);
    ev->body = slice_dup(f->q->arena, row->body);
    *f->end = ev;
    f->end = &ev->next;
    f->q->count++;
    f->bytes += ev->body.len;
}

/* Of an agent or the house. 1, 0 or an error. */
static int feed_shows(struct reader *r, struct feed *f, const struct event *ev)
{
    const struct viewer *v = &f->q->viewer;
    if (!event_is_public(ev->name))
        return 0;
    if (!ev->conv || v->role != ROLE_AGENT || v->agent_role != AGENT_ROLE_AGENT)
        return 1;
    uintptr_t known = (uintptr_t)map_get(&f->seen, ev->conv);
    if (known)
        return known == 2;
    int got = history_may_see(r, v, ev->conv);
    if (got == ERR_NOT_FOUND)
        got = 0;
    if (got >= 0)
        map_put(&f->seen, ev->conv, (void *)(uintptr_t)(got + 1));
    return got;
}

/* -- what an agent saw live ---------------------------------------------- */

#define SETTLED_MS 5000 /* no commit takes longer */

/* Who held a conversation at some point of the journal. */
struct sight {
    bool known; /* false: before its creation */
    enum conv_state state;
    uint64_t assignee, team;
};

static bool is_change(const struct event *ev)
{
    return ev->name >= EVENT_CONVERSATION_CREATED &&
           ev->name <= EVENT_CONVERSATION_CLOSED;
}

/* The holder after a conversation.* event; its body says it. */
static void sight_read(struct feed *f, const struct event *ev,
                       struct sight *out)
{
    struct json *body = NULL;
    *out = (struct sight){0};
    if (json_parse(f->q->arena, ev->body, NULL, &body))
        return; /* erased: nobody is told of it again */
    out->known = conv_state_find(json_text(body, "state"), &out->state);
    if (!id_parse(json_text(body, "assignee"), ID_AGENT, &out->assignee))
        out->assignee = 0;
    if (!id_parse(json_text(body, "team"), ID_TEAM, &out->team))
        out->team = 0;
}

/* As the desk decides it (agent_sees): what a bot holds is nobody's. */
static bool sight_shows(const struct viewer *v, const struct sight *c)
{
    if (!c->known || c->state == CONV_BOT)
        return false;
    struct seen now = {c->state, c->assignee, c->team, 0};
    return history_sees(v, &now);
}

/* Back over the conversation to its last change before pos. */
static int sight_walk(struct reader *r, struct feed *f, uint64_t pos,
                      struct sight *out)
{
    struct stmt *s;
    int got = history_by_pos(r, &s);
    while (got == 0 && pos) {
        struct event row;
        got = journal_get(s, pos, NULL, &row, &pos);
        if (got < 0)
            break;
        bool found = is_change(&row);
        if (found)
            sight_read(f, &row, out);
        stmt_reset(s);
        if (found)
            break;
        if (++f->scanned > LIMIT_RESUME_SCAN) {
            f->over = true;
            break;
        }
    }
    return got;
}

/* Who held it just before this row. */
static int sight_before(struct reader *r, struct feed *f,
                        const struct event *ev, uint64_t prev,
                        struct sight **out)
{
    *out = map_get(&f->seen, ev->conv);
    if (*out)
        return 0;
    struct seen now;
    struct sight *c = arena_one(f->q->arena, struct sight);
    int64_t changed_at;
    int got = history_seen(r, ev->conv, &now, &changed_at);
    if (got == 0 && changed_at + SETTLED_MS < ev->at)
        *c = (struct sight){true, now.state, now.assignee, now.team};
    else if (got == 0 || got == ERR_NOT_FOUND)
        got = sight_walk(r, f, prev, c);
    map_put(&f->seen, ev->conv, c);
    *out = c;
    return got;
}

/* 1, 0 or an error: was (or became, or ceased to be) this in the agent's
 * sight when it happened? If it became so, that is marked. */
static int resume_shows(struct reader *r, struct feed *f, struct event *ev,
                        uint64_t prev)
{
    struct sight *c;
    if (!event_is_public(ev->name))
        return 0;
    if (!ev->conv)
        return 1;
    int got = sight_before(r, f, ev, prev, &c);
    if (got < 0)
        return got;
    bool before = sight_shows(&f->q->viewer, c);
    if (!is_change(ev))
        return before;
    sight_read(f, ev, c);
    bool after = sight_shows(&f->q->viewer, c);
    if (after && !before)
        ev->flags |= EVENT_DOOR;
    return before || after;
}

static int scan_journal(struct reader *r, struct feed *f)
{
    struct query *q = f->q;
    struct stmt *s;
    int got = reader_stmt(r, READ_RANGE,
                          JOURNAL_ROW "WHERE pos > $after AND pos <= $upto "
                                      "ORDER BY pos",
                          "after upto", &s);
    if (got < 0)
        return got;
    bool live = q->kind == QUERY_RESUME && q->viewer.role == ROLE_AGENT;
    uint64_t done = q->after_pos;
    put_u64(s, q->after_pos);
    put_u64(s, q->upto_pos);
    while ((got = stmt_step(s)) == 1) {
        struct event row;
        uint64_t prev;
        journal_row(s, NULL, &row, &prev);
        if (++f->scanned > LIMIT_RESUME_SCAN ||
            f->bytes > READER_ANSWER_BYTES) {
            f->over = true;
            break;
        }
        got = live ? resume_shows(r, f, &row, prev) : feed_shows(r, f, &row);
        if (got < 0 || f->over)
            break;
        if (got && q->count == f->limit) {
            f->over = true;
            break;
        }
        if (got)
            feed_add(f, &row);
        done = row.pos;
    }
    stmt_reset(s);
    if (f->over)
        q->upto_pos = done;
    return got < 0 ? got : 0;
}

static bool visitor_gets(const struct event *ev)
{
    return event_is_public(ev->name) && !(ev->flags & EVENT_PRIVATE);
}

static int walk_back(struct reader *r, struct feed *f, uint64_t pos)
{
    struct query *q = f->q;
    struct stmt *s;
    int got = history_by_pos(r, &s);
    while (got == 0 && pos > q->after_pos) {
        struct event row;
        got = journal_get(s, pos, NULL, &row, &pos);
        if (got < 0)
            break;
        if (++f->scanned > LIMIT_RESUME_SCAN ||
            f->bytes > READER_ANSWER_BYTES) {
            f->over = true;
            break;
        }
        if (row.pos <= q->upto_pos && visitor_gets(&row))
            feed_add(f, &row);
        stmt_reset(s);
    }
    stmt_reset(s);
    return got;
}

static int by_position(const void *a, const void *b)
{
    uint64_t x = (*(struct event *const *)a)->pos;
    uint64_t y = (*(struct event *const *)b)->pos;
    return (x > y) - (x < y);
}

/* Puts the chain in order and cuts it at the limit. */
static void sort_events(struct feed *f)
{
    struct query *q = f->q;
    uint32_t n = 0;
    struct event **all = arena_many(q->arena, struct event *, q->count + 1);
    for (struct event *ev = q->events; ev; ev = ev->next)
        all[n++] = ev;
    qsort(all, n, sizeof *all, by_position);
    if (n > f->limit) {
        f->over = true;
        n = f->limit;
    }
    struct event **end = &q->events;
    for (uint32_t i = 0; i < n; i++) {
        *end = all[i];
        end = &all[i]->next;
    }
    *end = NULL;
    q->count = n;
    if (f->over && n)
        q->upto_pos = all[n - 1]->pos;
}

static int walk_own(struct reader *r, struct feed *f)
{
    struct stmt *s;
    int got = reader_stmt(r, READ_OF_CONTACT,
                          "SELECT p.last_pos FROM conversation c JOIN "
                          "progress p ON p.conv = c.id WHERE "
                          "c.contact = $contact AND p.last_pos > $after",
                          "contact after", &s);
    if (got < 0)
        return got;
    put_u64(s, f->q->viewer.id);
    put_u64(s, f->q->after_pos);
    while ((got = stmt_step(s)) == 1 && !f->over) {
        got = walk_back(r, f, got_u64(s, 0));
        if (got < 0)
            break;
    }
    stmt_reset(s);
    if (got < 0)
        return got;
    /* Walks go back: what they gave up is the older part, so no page of it
     * could be continued. */
    if (f->over && f->q->kind == QUERY_CHANGES)
        return err_set(&f->q->err, ERR_GONE, "too much has happened since");
    sort_events(f);
    return 0;
}

static int last_pos(struct reader *r, uint64_t *out)
{
    struct stmt *s;
    int got = reader_stmt(r, READ_LAST, "SELECT max(pos) FROM journal", "", &s);
    if (got == 0)
        got = stmt_step(s);
    if (got == 1)
        *out = got_u64(s, 0);
    stmt_reset(s);
    return got < 0 ? got : 0;
}

int feed_events(struct reader *r, struct query *q)
{
    bool resume = q->kind == QUERY_RESUME;
    uint32_t most = resume ? LIMIT_RESUME_EVENTS : LIMIT_LIST;
    struct feed f = {.q = q, .end = &q->events};
    f.limit = q->limit && q->limit < most ? q->limit : most;
    uint64_t last = 0;
    int got = last_pos(r, &last);
    if (got < 0)
        return got;
    if (q->after_pos > last) { /* of a time that was lost, or made up */
        q->recovered = false;
        return resume ? 0
                      : err_set(&q->err, ERR_GONE,
                                "the cursor is not of this journal");
    }
    if (!q->upto_pos || q->upto_pos > last)
        q->upto_pos = last;
    map_init(&f.seen);
    got =
        q->viewer.role == ROLE_VISITOR ? walk_own(r, &f) : scan_journal(r, &f);
    map_fini(&f.seen);
    q->more = f.over;
    q->recovered = got == 0 && !f.over;
    if (resume && !q->recovered) {
        q->events = NULL;
        q->count = 0;
    }
    return got;
}
