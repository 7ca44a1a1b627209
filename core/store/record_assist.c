/* SPDX-License-Identifier: Apache-2.0 */
/* record_assist.c - the rows of assistants and turns.
 *
 * Happy path: a turn is inserted with the effects that want it and updated
 * with its answer; those not over are found by an index that has only them.
 * Failure: the database's; a name taken is ERR_CONFLICT.
 */
#include "store/record_assist.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

#define KEPT_MS (30LL * 24 * 3600 * 1000)

void record_assistant(struct stmt *s, struct arena *a, struct assistant *out)
{
    *out = (struct assistant){.id = got_u64(s, 0),
                              .name = got_text(s, 1, a),
                              .type = got_text(s, 2, a),
                              .config = got_text(s, 3, a),
                              .secrets = got_text(s, 4, a),
                              .settings = got_text(s, 5, a),
                              .enabled = got_i64(s, 6) != 0,
                              .created_at = got_i64(s, 7),
                              .updated_at = got_i64(s, 8)};
}

void record_turn(struct stmt *s, struct arena *a, struct turn *out)
{
    *out = (struct turn){.id = got_u64(s, 0),
                         .conv = got_u64(s, 1),
                         .contact = got_u64(s, 2),
                         .pos = got_u64(s, 3),
                         .seq = got_u32(s, 4),
                         .fence = got_u32(s, 5),
                         .state = (enum turn_state)got_i64(s, 6),
                         .assistant = got_text(s, 7, a),
                         .created_at = got_i64(s, 8),
                         .updated_at = got_i64(s, 9),
                         .reason = got_text(s, 10, a),
                         .note = got_text(s, 11, a)};
}

/* -- writes ------------------------------------------------------------- */

bool record_is_assist(enum put_kind kind)
{
    return kind == PUT_ASSISTANT || kind == DEL_ASSISTANT || kind == PUT_TURN ||
           kind == PUT_CONFIRM;
}

static int put_assistant(struct record_writer *w, const struct assistant *a)
{
    struct stmt s;
    int r = stmt_open(w->db,
                      "INSERT INTO assistant (" ASSISTANT_COLUMNS
                      ") VALUES ($id, $name, $type, $config, $secrets, "
                      "$settings, $enabled, $created_at, $updated_at) "
                      "ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
                      "config = excluded.config, secrets = excluded.secrets, "
                      "settings = excluded.settings, "
                      "enabled = excluded.enabled, "
                      "updated_at = excluded.updated_at",
                      "id name type config secrets settings enabled "
                      "created_at updated_at",
                      &s);
    if (r == 0) {
        put_u64(&s, a->id);
        put_text(&s, a->name);
        put_text(&s, a->type);
        put_text(&s, a->config);
        put_text(&s, a->secrets);
        put_text(&s, a->settings);
        put_i64(&s, a->enabled);
        put_i64(&s, a->created_at);
        put_i64(&s, a->updated_at);
        r = stmt_run(&s);
    }
    stmt_close(&s);
    return r;
}

static int put_turn(struct record_writer *w, const struct turn *t)
{
    struct stmt *s = &w->turn_put;
    int r = s->h ? 0
                 : stmt_open(w->db,
                             "INSERT INTO turn (" TURN_COLUMNS
                             ") VALUES ($id, $conv, $contact, $pos, $seq, "
                             "$fence, $state, $assistant, $created_at, "
                             "$updated_at, $reason, $note) "
                             "ON CONFLICT (id) DO UPDATE SET "
                             "state = excluded.state, "
                             "updated_at = excluded.updated_at, "
                             "reason = excluded.reason, note = excluded.note",
                             "id conv contact pos seq fence state assistant "
                             "created_at updated_at reason note",
                             s);
    if (r < 0)
        return r;
    put_u64(s, t->id);
    put_u64(s, t->conv);
    put_u64(s, t->contact);
    put_u64(s, t->pos);
    put_i64(s, t->seq);
    put_i64(s, t->fence);
    put_i64(s, t->state);
    put_text(s, t->assistant);
    put_i64(s, t->created_at);
    put_i64(s, t->updated_at);
    put_text(s, t->reason);
    put_text(s, t->note);
    return stmt_run(s);
}

int record_put_assist(struct record_writer *w, const struct put *p,
                      struct err *e)
{
    int r =
        p->kind == PUT_TURN      ? put_turn(w, p->turn)
        : p->kind == PUT_CONFIRM ? record_put_confirm(w, p->confirm)
        : p->kind == PUT_ASSISTANT
            ? put_assistant(w, p->assistant)
            : stmt_run_id(w->db, "DELETE FROM assistant WHERE id = $id", p->id);
    if (r == ERR_CONFLICT)
        return err_field(e, r, "name", "another assistant has this name");
    return r < 0 ? err_set(e, r, "%s", w->db->err.text) : 0;
}

int record_purge_turns(struct record_writer *w, int64_t now_ms)
{
    /* The oldest lie in front; nothing behind them is looked at. */
    return record_purge_old(
        w,
        "DELETE FROM turn WHERE id IN (SELECT id FROM (SELECT "
        "id, state, updated_at FROM turn ORDER BY id "
        "LIMIT $most) AS oldest WHERE state <> 0 AND "
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

static void write_row(struct jsonw *w, const struct turn *t)
{
    jsonw_open(w, '{');
    write_id(w, "id", ID_TURN, t->id);
    write_id(w, "conversation", ID_CONVERSATION, t->conv);
    write_id(w, "message", ID_MESSAGE, t->pos);
    jsonw_put_int(w, "seq", t->seq);
    jsonw_put_text(w, "assistant", t->assistant);
    jsonw_put_text(w, "state", slice_of(turn_state_name(t->state)));
    jsonw_put_text(w, "reason", t->reason);
    jsonw_put_raw(w, "note", t->note.len ? t->note : SLICE("{}"));
    jsonw_put_int(w, "created_at", t->created_at);
    jsonw_put_int(w, "updated_at", t->updated_at);
    jsonw_close(w, '}');
}

static void row(struct jsonw *w, struct stmt *s)
{
    struct turn t;
    record_turn(s, NULL, &t);
    write_row(w, &t);
}

static void put_filters(struct stmt *s, const struct query *q)
{
    put_u64(s, q->conv);
    put_i64(s, q->state);
}

int list_turns(struct reader *r, struct query *q)
{
    static const struct list_way way =
        LIST_WAY(READ_TURNS, READ_TURNS_COUNT, TURN_COLUMNS,
                 "FROM turn WHERE conv = $conv AND "
                 "($state < 0 OR state = $state) ",
                 "conv state", put_filters, row);
    return list_page(r, q, &way);
}
