/* SPDX-License-Identifier: Apache-2.0 */
/* record_outbox.c - the rows of the outbox.
 *
 * Happy path: one insert with the message, one update when it is sent; the
 * waiting and the dead are found by an index that has only them. Failure: the
 * database's; a row that is not there is ERR_NOT_FOUND.
 */
#include "store/record_outbox.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

#define KEPT_MS (7LL * 24 * 3600 * 1000) /* receipts may still come */

void record_outbox(struct stmt *s, struct arena *a, struct outbox *out)
{
    *out = (struct outbox){.id = got_u64(s, 0),
                           .pos = got_u64(s, 1),
                           .conv = got_u64(s, 2),
                           .channel = got_u64(s, 3),
                           .contact = got_u64(s, 4),
                           .seq = got_u32(s, 5),
                           .state = (enum outbox_state)got_i64(s, 6),
                           .attempts = got_u32(s, 7),
                           .due_at = got_i64(s, 8),
                           .created_at = got_i64(s, 9),
                           .updated_at = got_i64(s, 10),
                           .to = got_text(s, 11, a),
                           .remote = got_text(s, 12, a),
                           .reason = got_text(s, 13, a),
                           .receipt = (enum outbox_receipt)got_i64(s, 14),
                           .code = got_text(s, 15, a),
                           .undoes = got_u64(s, 16)};
}

/* -- writes ------------------------------------------------------------- */

bool record_is_outbox(enum put_kind kind)
{
    return kind == PUT_OUTBOX || kind == DEL_OUTBOX;
}

static int put(struct record_writer *w, const struct outbox *o)
{
    struct stmt *s = &w->outbox_put;
    int r = s->h ? 0
                 : stmt_open(w->db,
                             "INSERT INTO outbox (" OUTBOX_COLUMNS
                             ") VALUES ($id, $pos, $conv, $channel, $contact, "
                             "$seq, $state, $attempts, $due_at, $created_at, "
                             "$updated_at, $address, $remote, $reason, "
                             "$receipt, $code, $undoes) "
                             "ON CONFLICT (id) DO UPDATE SET "
                             "state = excluded.state, "
                             "attempts = excluded.attempts, "
                             "due_at = excluded.due_at, "
                             "created_at = excluded.created_at, "
                             "updated_at = excluded.updated_at, "
                             "remote = excluded.remote, "
                             "reason = excluded.reason, "
                             "receipt = excluded.receipt, "
                             "code = excluded.code",
                             "id pos conv channel contact seq state attempts "
                             "due_at created_at updated_at address remote "
                             "reason receipt code undoes",
                             s);
    if (r < 0)
        return r;
    put_u64(s, o->id);
    put_u64(s, o->of ? o->of->pos : o->pos);
    put_u64(s, o->conv);
    put_u64(s, o->channel);
    put_u64(s, o->contact);
    put_i64(s, o->of ? o->of->seq : o->seq);
    put_i64(s, o->state);
    put_i64(s, o->attempts);
    put_i64(s, o->due_at);
    put_i64(s, o->created_at);
    put_i64(s, o->updated_at);
    put_text(s, o->to);
    put_text(s, o->remote);
    put_text(s, o->reason);
    put_i64(s, o->receipt);
    put_text(s, o->code.at ? o->code : SLICE(""));
    put_u64(s, o->undoes);
    return stmt_run(s);
}

int record_put_outbox(struct record_writer *w, const struct put *p,
                      struct err *e)
{
    int r =
        p->kind == PUT_OUTBOX
            ? put(w, p->outbox)
            : stmt_run_id(w->db, "DELETE FROM outbox WHERE id = $id", p->id);
    return r < 0 ? err_set(e, r, "%s", w->db->err.text) : 0;
}

int record_purge_outbox(struct record_writer *w, int64_t now_ms)
{
    /* The oldest lie in front; nothing behind them is looked at. */
    return record_purge_old(
        w,
        "DELETE FROM outbox WHERE id IN (SELECT id FROM (SELECT "
        "id, state, updated_at FROM outbox ORDER BY id "
        "LIMIT $most) AS oldest WHERE state IN (1, 3) AND "
        "updated_at < $before)",
        now_ms - KEPT_MS, RECORD_PURGE);
}

/* -- reads -------------------------------------------------------------- */

static void write_id(struct jsonw *w, const char *key, const char *prefix,
                     uint64_t id)
{
    char text[ID_TEXT];
    jsonw_put_text(w, key, id_text(text, prefix, id));
}

int outbox_write_delivery(struct buf *out, const struct outbox *o)
{
    int r = buf_add_text(out, ",\"delivery\":");
    if (r < 0)
        return r;
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "status", slice_of(outbox_status(o)));
    write_id(&w, "outbox", ID_OUTBOX, o->id);
    if (o->state != OUTBOX_SENT && o->reason.len)
        jsonw_put_text(&w, "reason", o->reason);
    if (o->state != OUTBOX_SENT && o->code.len)
        jsonw_put_text(&w, "code", o->code);
    jsonw_close(&w, '}');
    return w.failed;
}

int outbox_of_page(struct reader *r, uint64_t conv, uint32_t least,
                   struct stmt **s)
{
    int got = reader_stmt(r, READ_OUTBOX_PAGE,
                          "SELECT " OUTBOX_COLUMNS
                          " FROM outbox WHERE conv = $conv AND seq >= $seq "
                          "AND undoes = 0 "
                          "ORDER BY seq",
                          "conv seq", s);
    if (got == 0) {
        put_u64(*s, conv);
        put_i64(*s, least);
    }
    return got;
}

static void write_row(struct jsonw *w, const struct outbox *o)
{
    jsonw_open(w, '{');
    write_id(w, "id", ID_OUTBOX, o->id);
    write_id(w, "message", ID_MESSAGE, o->pos);
    write_id(w, "conversation", ID_CONVERSATION, o->conv);
    write_id(w, "channel", ID_CHANNEL, o->channel);
    write_id(w, "contact", ID_CONTACT, o->contact);
    jsonw_put_int(w, "seq", o->seq);
    jsonw_put_text(w, "act", o->undoes ? SLICE("recall") : SLICE("send"));
    jsonw_put_text(w, "state", slice_of(outbox_state_name(o->state)));
    jsonw_put_text(w, "status", slice_of(outbox_status(o)));
    jsonw_put_int(w, "attempts", o->attempts);
    jsonw_put_text(w, "to", o->to);
    jsonw_put_text(w, "remote", o->remote);
    jsonw_put_text(w, "reason", o->reason);
    jsonw_put_text(w, "code", o->code);
    jsonw_put_int(w, "due_at", o->due_at);
    jsonw_put_int(w, "created_at", o->created_at);
    jsonw_put_int(w, "updated_at", o->updated_at);
    jsonw_close(w, '}');
}

static int by_remote(struct reader *r, struct query *q, struct stmt **s)
{
    int got = reader_stmt(r, READ_OUTBOX_REMOTE,
                          "SELECT " OUTBOX_COLUMNS
                          " FROM outbox WHERE remote = $remote AND "
                          "remote <> '' AND channel = $channel",
                          "remote channel", s);
    if (got == 0) {
        put_text(*s, q->text);
        put_u64(*s, q->channel);
    }
    return got;
}

static int by_seq(struct reader *r, struct query *q, struct stmt **s)
{
    int got = reader_stmt(r, READ_OUTBOX_SEQ,
                          "SELECT " OUTBOX_COLUMNS
                          " FROM outbox WHERE conv = $conv AND seq = $seq "
                          "AND undoes = 0",
                          "conv seq", s);
    if (got == 0) {
        put_u64(*s, q->conv);
        put_i64(*s, q->after_seq);
    }
    return got;
}

static int by_id(struct reader *r, struct query *q, struct stmt **s)
{
    int got = reader_stmt(
        r, READ_OUTBOX, "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE id = $id",
        "id", s);
    if (got == 0)
        put_u64(*s, q->id);
    return got;
}

int find_outbox(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got = q->id          ? by_id(r, q, &s)
              : q->after_seq ? by_seq(r, q, &s)
                             : by_remote(r, q, &s);
    if (got < 0)
        return got;
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "message in the outbox");
    q->outbox = arena_one(q->arena, struct outbox);
    record_outbox(s, q->arena, q->outbox);
    stmt_reset(s);
    return 0;
}

static void row(struct jsonw *w, struct stmt *s)
{
    struct outbox o;
    record_outbox(s, NULL, &o);
    write_row(w, &o);
}

static void put_filters(struct stmt *s, const struct query *q)
{
    put_i64(s, q->state);
    put_u64(s, q->channel);
    put_u64(s, q->conv);
}

int list_outboxes(struct reader *r, struct query *q)
{
    static const struct list_way way =
        LIST_WAY(READ_OUTBOXES, READ_OUTBOXES_COUNT, OUTBOX_COLUMNS,
                 "FROM outbox WHERE ($state < 0 OR state = $state) AND "
                 "($channel = 0 OR channel = $channel) AND "
                 "($conv = 0 OR conv = $conv) ",
                 "state channel conv", put_filters, row);
    return list_page(r, q, &way);
}
