/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - one event, why it went as it did, and what came of it.
 *
 * Happy path: an event is found by its position, or a message by conversation
 * and seq. Its traces lie side by side; what it caused stands behind it in the
 * same conversation and is found by walking back from the conversation's end.
 * The end is taken from the journal itself where the row of figures may be
 * behind, so that this works beside a server too (look.c).
 *
 * Failure modes: nothing there is ERR_NOT_FOUND. A conversation that has gone
 * on for more than EXPLAIN_ROWS is entered at an anchor nearer to the event:
 * what it caused much later is not told then (`more`).
 */
#include "base/limits.h"
#include "store/journal.h"
#include "store/reader.h"
#include "store/record_recall.h"
#include "store/record_scripts.h"

#define EXPLAIN_ROWS 20000 /* walked at most */
#define EXPLAIN_EVENTS LIMIT_LIST

/* -- the conversation's end --------------------------------------------- */

/* Rows of figures are complete up to here. */
static int projected(struct reader *r, uint64_t *pos)
{
    struct stmt *s;
    int got =
        reader_stmt(r, READ_CURSOR,
                    "SELECT pos FROM reader WHERE name = 'projected'", "", &s);
    if (got == 0 && (got = stmt_step(s)) == 1)
        *pos = got_u64(s, 0);
    if (got >= 0)
        stmt_reset(s);
    return got < 0 ? got : 0;
}

static int last_of(struct reader *r, uint64_t conv, struct progress *p)
{
    uint64_t cursor = 0;
    struct stmt *s;
    int got = history_progress(r, conv, p);
    if (got == 0)
        got = projected(r, &cursor);
    if (got == 0)
        got = reader_stmt(r, READ_TAIL,
                          "SELECT max(pos), max(seq) FROM journal "
                          "WHERE pos > $cursor AND conv = $conv",
                          "cursor conv", &s);
    if (got < 0)
        return got;
    put_u64(s, cursor);
    put_u64(s, conv);
    got = stmt_step(s);
    if (got == 1 && got_u64(s, 0) > p->last_pos)
        p->last_pos = got_u64(s, 0);
    if (got == 1 && got_u32(s, 1) > p->last_seq)
        p->last_seq = got_u32(s, 1);
    stmt_reset(s);
    return got < 0 ? got : 0;
}

/* -- one event ---------------------------------------------------------- */

static struct event *keep(struct query *q, const struct event *row)
{
    struct event *ev = arena_one(q->arena, struct event);
    *ev = *row;
    ev->next = q->events;
    ev->ref = slice_dup(q->arena, row->ref);
    ev->body = slice_dup(q->arena, row->body);
    q->events = ev;
    q->count++;
    return ev;
}

static int no_such(struct query *q)
{
    return err_set(&q->err, ERR_NOT_FOUND, "there is no such message");
}

static int by_pos(struct reader *r, struct query *q, uint64_t pos)
{
    struct stmt *s;
    struct event row;
    int got = history_by_pos(r, &s);
    if (got == 0)
        got = journal_get(s, pos, NULL, &row, NULL);
    if (got == ERR_NOT_FOUND)
        return no_such(q);
    if (got == 0)
        keep(q, &row);
    return got;
}

static int by_seq(struct reader *r, struct query *q)
{
    struct progress p;
    struct stmt *s;
    uint64_t pos = 0;
    uint32_t seq = q->after_seq;
    int got = last_of(r, q->conv, &p);
    if (got == 0 && (seq == 0 || seq > p.last_seq))
        return no_such(q);
    if (got == 0)
        got = history_start(r, &p, seq, &pos);
    if (got == 0)
        got = history_by_pos(r, &s);
    while (got == 0 && pos) {
        struct event row;
        got = journal_get(s, pos, NULL, &row, &pos);
        if (got < 0)
            break;
        if (row.name == EVENT_MESSAGE_CREATED && row.seq <= seq) {
            if (row.seq == seq)
                keep(q, &row);
            stmt_reset(s);
            break;
        }
        stmt_reset(s);
    }
    if (got < 0 && got != ERR_NOT_FOUND)
        return got;
    return q->events ? 0 : no_such(q);
}

int explain_event(struct reader *r, struct query *q)
{
    if (q->id && q->text.len)
        return find_said(r, q);
    return q->after_pos ? by_pos(r, q, q->after_pos) : by_seq(r, q);
}

/* -- traces ------------------------------------------------------------- */

static int read_traces(struct reader *r, struct query *q)
{
    struct stmt *s;
    struct buf out;
    bool first = true;
    int got = reader_stmt(r, READ_TRACE,
                          "SELECT " TRACE_COLUMNS " FROM trace WHERE "
                          "id >= $first AND id < $last ORDER BY at, id",
                          "first last", &s);
    if (got < 0)
        return got;
    buf_init(&out, READER_ANSWER_BYTES);
    put_u64(s, trace_first(q->after_pos));
    put_u64(s, trace_first(q->after_pos + 1));
    int w = buf_add_char(&out, '[');
    while (w == 0 && (got = stmt_step(s)) == 1) {
        struct trace t;
        record_trace(s, NULL, &t);
        if (!first)
            w = buf_add_char(&out, ',');
        if (w == 0)
            w = buf_add_slice(&out, t.body.len ? t.body : SLICE("{}"));
        first = false;
    }
    stmt_reset(s);
    if (w == 0)
        w = buf_add_char(&out, ']');
    if (w == 0)
        q->json = slice_dup(q->arena, buf_slice(&out));
    buf_fini(&out);
    return w < 0 ? w : got;
}

/* Back from the end, or from an anchor that is near enough. */
static int caused(struct reader *r, struct query *q, const struct event *of)
{
    struct progress p;
    struct stmt *s;
    uint64_t pos = 0;
    int got = last_of(r, of->conv, &p);
    if (got == 0) {
        uint32_t near = of->seq ? of->seq + EXPLAIN_ROWS / 2 : UINT32_MAX;
        q->more = near < p.last_seq;
        got = history_start(r, &p, near, &pos);
    }
    if (got == 0)
        got = history_by_pos(r, &s);
    for (int n = 0; got == 0 && pos > of->pos; n++) {
        struct event row;
        if (n == EXPLAIN_ROWS) {
            q->more = true;
            break;
        }
        got = journal_get(s, pos, NULL, &row, &pos);
        if (got < 0)
            break;
        if (row.cause == of->pos && q->count < EXPLAIN_EVENTS)
            keep(q, &row);
        stmt_reset(s);
    }
    return got;
}

int explain_trace(struct reader *r, struct query *q)
{
    struct event of;
    struct stmt *s;
    int got = history_by_pos(r, &s);
    if (got == 0)
        got = journal_get(s, q->after_pos, NULL, &of, NULL);
    if (got == ERR_NOT_FOUND)
        return no_such(q);
    if (got < 0)
        return got;
    stmt_reset(s);
    got = read_traces(r, q);
    return got < 0 || !of.conv ? got : caused(r, q, &of);
}
