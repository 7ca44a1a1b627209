/* SPDX-License-Identifier: Apache-2.0 */
/* record_confirm.c - the rows of tools that wait for a person's word.
 *
 * Happy path: inserted with the question, updated with each step; what a model
 * does not know of yet is found by an index that has only it. Failure: the
 * database's.
 */
#include "base/clock.h"
#include "base/json.h"
#include "store/record_assist.h"

#define KEPT_MS (180LL * 24 * 3600 * 1000)

void record_confirm(struct stmt *s, struct arena *a, struct confirm *out)
{
    *out = (struct confirm){.id = got_u64(s, 0),
                            .conv = got_u64(s, 1),
                            .turn = got_u64(s, 2),
                            .fence = got_u32(s, 3),
                            .state = (enum confirm_state)got_i64(s, 4),
                            .agent = got_i64(s, 5) != 0,
                            .told = got_i64(s, 6) != 0,
                            .decided_by = got_u64(s, 7),
                            .assistant = got_text(s, 8, a),
                            .tool = got_text(s, 9, a),
                            .call = got_text(s, 10, a),
                            .hash = got_text(s, 11, a),
                            .question = got_text(s, 12, a),
                            .result = got_text(s, 13, a),
                            .created_at = got_i64(s, 14),
                            .expires_at = got_i64(s, 15),
                            .updated_at = got_i64(s, 16)};
}

int record_put_confirm(struct record_writer *w, const struct confirm *f)
{
    struct stmt s;
    int r = stmt_open(
        w->db,
        "INSERT INTO confirm (" CONFIRM_COLUMNS
        ") VALUES ($id, $conv, $turn, $fence, $state, $agent, $told, "
        "$decided_by, $assistant, $tool, $call, $hash, $question, $result, "
        "$created_at, $expires_at, $updated_at) "
        "ON CONFLICT (id) DO UPDATE SET state = excluded.state, "
        "told = excluded.told, decided_by = excluded.decided_by, "
        "result = excluded.result, updated_at = excluded.updated_at",
        "id conv turn fence state agent told decided_by assistant tool call "
        "hash question result created_at expires_at updated_at",
        &s);
    if (r == 0) {
        put_u64(&s, f->id);
        put_u64(&s, f->conv);
        put_u64(&s, f->turn);
        put_i64(&s, f->fence);
        put_i64(&s, f->state);
        put_i64(&s, f->agent);
        put_i64(&s, f->told);
        put_u64(&s, f->decided_by);
        put_text(&s, f->assistant);
        put_text(&s, f->tool);
        put_text(&s, f->call);
        put_text(&s, f->hash);
        put_text(&s, f->question);
        put_text(&s, f->result);
        put_i64(&s, f->created_at);
        put_i64(&s, f->expires_at);
        put_i64(&s, f->updated_at);
        r = stmt_run(&s);
    }
    stmt_close(&s);
    return r;
}

int record_purge_confirms(struct record_writer *w, int64_t now_ms)
{
    /* The oldest lie in front; nothing behind them is looked at. */
    return record_purge_old(
        w,
        "DELETE FROM confirm WHERE id IN (SELECT id FROM (SELECT "
        "id, updated_at FROM confirm ORDER BY id LIMIT $most) "
        "AS oldest WHERE updated_at < $before)",
        now_ms - KEPT_MS, RECORD_PURGE);
}

/* -- reads -------------------------------------------------------------- */

static void write_id(struct jsonw *w, const char *key, const char *prefix,
                     uint64_t id)
{
    char text[ID_TEXT];
    jsonw_key(w, key);
    if (id)
        jsonw_text(w, id_text(text, prefix, id));
    else
        jsonw_null(w);
}

static void write_row(struct jsonw *w, const struct confirm *f)
{
    jsonw_open(w, '{');
    write_id(w, "id", ID_CONFIRM, f->id);
    write_id(w, "conversation", ID_CONVERSATION, f->conv);
    write_id(w, "turn", ID_TURN, f->turn);
    jsonw_put_text(w, "state", slice_of(confirm_state_name(f->state)));
    jsonw_put_text(w, "by", f->agent ? SLICE("agent") : SLICE("visitor"));
    write_id(w, "decided_by", ID_AGENT, f->decided_by);
    jsonw_put_text(w, "assistant", f->assistant);
    jsonw_put_text(w, "tool", f->tool);
    jsonw_put_raw(w, "call", f->call);
    jsonw_put_text(w, "hash", f->hash);
    jsonw_put_text(w, "question", f->question);
    jsonw_put_text(w, "result", f->result);
    jsonw_put_bool(w, "told", f->told);
    jsonw_put_int(w, "created_at", f->created_at);
    jsonw_put_int(w, "expires_at", f->expires_at);
    jsonw_put_int(w, "updated_at", f->updated_at);
    jsonw_close(w, '}');
}

static void row(struct jsonw *w, struct stmt *s)
{
    struct confirm f;
    record_confirm(s, NULL, &f);
    write_row(w, &f);
}

static void put_filters(struct stmt *s, const struct query *q)
{
    put_u64(s, q->conv);
    put_i64(s, q->state);
}

int list_confirms(struct reader *r, struct query *q)
{
    static const struct list_way way =
        LIST_WAY(READ_CONFIRMS, READ_CONFIRMS_COUNT, CONFIRM_COLUMNS,
                 "FROM confirm WHERE ($conv = 0 OR conv = $conv) "
                 "AND ($state < 0 OR state = $state) ",
                 "conv state", put_filters, row);
    return list_page(r, q, &way);
}
