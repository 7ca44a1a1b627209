/* SPDX-License-Identifier: Apache-2.0 */
/* record_scripts.c - flows, traces, dead letters, versions, audit, swaps.
 *
 * Happy path: one statement a put, as in record.c; a trace is one insert at the
 * end of its table. Some puts need a second look: a version that begins to
 * serve ends the one that served before and the oldest make room; a swap reads
 * the value first.
 *
 * Failure modes: a swap whose value is another by now is ERR_CONFLICT, before
 * anything was written. Everything else that fails is the database's.
 */
#include "store/record_scripts.h"
#include "base/limits.h"

#define TRACES_PURGE (4 * RECORD_PURGE)
#define DEADS_LOOK 1000 /* so many more than LIMIT_DEAD there may be */

/* -- rows --------------------------------------------------------------- */

void record_flow(struct stmt *s, struct arena *a, struct flow *out)
{
    *out = (struct flow){.id = got_u64(s, 0),
                         .unit = got_text(s, 1, a),
                         .version = got_text(s, 2, a),
                         .conv = got_u64(s, 3),
                         .contact = got_u64(s, 4),
                         .state = (enum flow_state)got_i64(s, 5),
                         .due_at = got_i64(s, 6),
                         .created_at = got_i64(s, 7),
                         .updated_at = got_i64(s, 8),
                         .step = got_u32(s, 9),
                         .fence = got_u32(s, 10),
                         .attempts = got_u32(s, 11),
                         .args = got_text(s, 12, a),
                         .view = got_text(s, 13, a),
                         .error = got_text(s, 14, a),
                         .log = got_text(s, 15, a)};
}

void record_dead(struct stmt *s, struct arena *a, struct dead *out)
{
    *out = (struct dead){.id = got_u64(s, 0),
                         .at = got_i64(s, 1),
                         .conv = got_u64(s, 2),
                         .pos = got_u64(s, 3),
                         .hook = (int)got_i64(s, 4),
                         .unit = got_text(s, 5, a),
                         .reason = got_text(s, 6, a),
                         .data = got_text(s, 7, a),
                         .runs = got_u32(s, 8)};
}

void record_version(struct stmt *s, struct arena *a, struct script_version *out)
{
    *out = (struct script_version){.unit = got_text(s, 0, a),
                                   .version = got_text(s, 1, a),
                                   .state = (enum version_state)got_i64(s, 2),
                                   .since_at = got_i64(s, 3),
                                   .until_at = got_i64(s, 4),
                                   .note = got_text(s, 5, a),
                                   .sources = got_text(s, 6, a)};
}

void record_audit(struct stmt *s, struct arena *a, struct audit *out)
{
    *out = (struct audit){.id = got_u64(s, 0),
                          .at = got_i64(s, 1),
                          .agent = got_u64(s, 2),
                          .what = got_text(s, 3, a),
                          .about = got_text(s, 4, a),
                          .data = got_text(s, 5, a)};
}

void record_trace(struct stmt *s, struct arena *a, struct trace *out)
{
    uint64_t id = got_u64(s, 0);
    *out = (struct trace){.pos = trace_pos(id),
                          .hook = (int)(id >> 4 & 15),
                          .conv = got_u64(s, 1),
                          .at = got_i64(s, 2),
                          .body = got_text(s, 3, a)};
}

/* -- statements --------------------------------------------------------- */

enum {
    FLOW_PUT,
    TRACE_ADD,
    TRACE_NEXT,
    TRACE_REPLACE,
    DEAD_PUT,
    DEAD_DELETE,
    DEAD_TRIM,
    VERSION_PUT,
    VERSION_END,
    VERSION_TRIM,
    AUDIT_PUT,
    KV_NOW,
    STATEMENTS
};
_Static_assert(STATEMENTS <= RECORD_SCRIPT_STMTS, "room for all");

static const struct {
    const char *sql, *names;
} statements[STATEMENTS] = {
    [FLOW_PUT] =
        {"INSERT INTO flow (" FLOW_COLUMNS ") VALUES ($id, $unit, $version, "
         "$conv, $contact, $state, $due_at, $created_at, $updated_at, $step, "
         "$fence, $attempts, $args, $view, $error, $log) "
         "ON CONFLICT (id) DO UPDATE SET unit = excluded.unit, "
         "version = excluded.version, conv = excluded.conv, "
         "contact = excluded.contact, state = excluded.state, "
         "due_at = excluded.due_at, created_at = excluded.created_at, "
         "updated_at = excluded.updated_at, step = excluded.step, "
         "fence = excluded.fence, attempts = excluded.attempts, "
         "args = excluded.args, view = excluded.view, error = excluded.error, "
         "log = excluded.log",
         "id unit version conv contact state due_at created_at updated_at "
         "step fence attempts args view error log"},
    [TRACE_ADD] = {"INSERT INTO trace (" TRACE_COLUMNS
                   ") VALUES ($id, $conv, $at, $body) ON CONFLICT DO NOTHING",
                   "id conv at body"},
    [TRACE_NEXT] = {"SELECT max(id) + 1 FROM trace WHERE id >= $first AND "
                    "id < $last",
                    "first last"},
    [TRACE_REPLACE] =
        {"INSERT INTO trace (" TRACE_COLUMNS
         ") VALUES ($id, $conv, $at, $body) ON CONFLICT (id) DO UPDATE SET "
         "conv = excluded.conv, at = excluded.at, body = excluded.body",
         "id conv at body"},
    [DEAD_PUT] =
        {"INSERT INTO dead (" DEAD_COLUMNS ") VALUES ($id, $at, $conv, $pos, "
         "$hook, $unit, $reason, $data, $runs) ON CONFLICT (id) DO UPDATE SET "
         "at = excluded.at, conv = excluded.conv, pos = excluded.pos, "
         "hook = excluded.hook, unit = excluded.unit, "
         "reason = excluded.reason, data = excluded.data, "
         "runs = excluded.runs",
         "id at conv pos hook unit reason data runs"},
    [DEAD_DELETE] = {"DELETE FROM dead WHERE id = $id", "id"},
    [DEAD_TRIM] = {"DELETE FROM dead WHERE id <= (SELECT id FROM dead "
                   "ORDER BY id DESC LIMIT 1 OFFSET $keep)",
                   "keep"},
    [VERSION_PUT] =
        {"INSERT INTO version (" VERSION_COLUMNS ") VALUES ($unit, $version, "
         "$state, $since_at, $until_at, $note, $sources) "
         "ON CONFLICT (unit, version) DO UPDATE SET state = excluded.state, "
         "since_at = excluded.since_at, until_at = excluded.until_at, "
         "note = excluded.note, sources = excluded.sources",
         "unit version state since_at until_at note sources"},
    /* 1 is VERSION_SERVING, 3 VERSION_OLD, 4 VERSION_REFUSED. */
    [VERSION_END] = {"UPDATE version SET state = 3, until_at = $until_at WHERE "
                     "unit = $unit AND state = 1 AND version <> $version",
                     "until_at unit version"},
    [VERSION_TRIM] =
        {"DELETE FROM version WHERE unit = $unit AND version <> $version AND "
         "state IN (3, 4) AND id IN (SELECT id FROM (SELECT id, row_number() "
         "OVER (ORDER BY CASE state WHEN 3 THEN 2 WHEN 4 THEN 1 ELSE 0 END, "
         "since_at DESC, id DESC) AS place FROM version WHERE unit = $unit) "
         "AS ranked WHERE place > $keep)",
         "unit version keep"},
    [AUDIT_PUT] = {"INSERT INTO audit (" AUDIT_COLUMNS ") VALUES ($id, $at, "
                   "$agent, $what, $about, $data)",
                   "id at agent what about data"},
    [KV_NOW] = {"SELECT value FROM kv WHERE space = $space AND name = $name "
                "AND (expires_at = 0 OR expires_at > $now)",
                "space name now"},
};

static int open_stmt(struct record_writer *w, int which, struct stmt **out)
{
    struct stmt *s = *out = &w->scripts[which];
    return s->h ? 0
                : stmt_open(w->db, statements[which].sql,
                            statements[which].names, s);
}

/* -- flows and traces --------------------------------------------------- */

static int put_flow(struct record_writer *w, const struct flow *f)
{
    struct stmt *s;
    int r = open_stmt(w, FLOW_PUT, &s);
    if (r < 0)
        return r;
    put_u64(s, f->id);
    put_text(s, f->unit);
    put_text(s, f->version);
    put_u64(s, f->conv);
    put_u64(s, f->contact);
    put_i64(s, f->state);
    put_i64(s, f->due_at);
    put_i64(s, f->created_at);
    put_i64(s, f->updated_at);
    put_i64(s, f->step);
    put_i64(s, f->fence);
    put_i64(s, f->attempts);
    put_text(s, f->args);
    put_text(s, f->view);
    put_text(s, f->error);
    put_text(s, f->log);
    return stmt_run(s);
}

static int add_trace(struct record_writer *w, int which, uint64_t id,
                     const struct trace *t, int64_t now_ms)
{
    struct stmt *s;
    int r = open_stmt(w, which, &s);
    if (r < 0)
        return r;
    put_u64(s, id);
    put_u64(s, t->conv);
    put_i64(s, t->at ? t->at : now_ms);
    put_text(s, t->body);
    return stmt_run(s);
}

static int put_trace(struct record_writer *w, const struct trace *t,
                     int64_t now_ms)
{
    uint64_t pos = t->pos ? t->pos : t->of ? t->of->pos : 0;
    if (!pos)
        return 0;
    uint64_t first = trace_first(pos) + (uint64_t)(t->hook & 15) * TRACE_RUNS;
    int r = add_trace(w, TRACE_ADD, first, t, now_ms);
    if (r < 0 || db_changes(w->db))
        return r;
    /* This hook ran before for this event (again, or a part of it). */
    struct stmt *s;
    uint64_t last = first + TRACE_RUNS - 1;
    r = open_stmt(w, TRACE_NEXT, &s);
    if (r < 0)
        return r;
    put_u64(s, first);
    put_u64(s, last);
    r = stmt_step(s);
    uint64_t id = r == 1 ? got_u64(s, 0) : last;
    stmt_reset(s);
    return r < 0 ? r : add_trace(w, TRACE_REPLACE, id, t, now_ms);
}

/* -- dead letters ------------------------------------------------------- */

static int trim_deads(struct record_writer *w)
{
    struct stmt *s;
    int r = open_stmt(w, DEAD_TRIM, &s);
    if (r < 0)
        return r;
    put_i64(s, LIMIT_DEAD);
    r = stmt_run(s);
    if (r == 0)
        w->deads = 0;
    return r;
}

static int put_dead(struct record_writer *w, const struct dead *d,
                    int64_t now_ms)
{
    struct stmt *s;
    int r = open_stmt(w, DEAD_PUT, &s);
    if (r < 0)
        return r;
    put_u64(s, d->id);
    put_i64(s, d->at ? d->at : now_ms);
    put_u64(s, d->conv);
    put_u64(s, d->pos);
    put_i64(s, d->hook);
    put_text(s, d->unit);
    put_text(s, d->reason);
    put_text(s, d->data);
    put_i64(s, d->runs);
    r = stmt_run(s);
    return r == 0 && ++w->deads >= DEADS_LOOK ? trim_deads(w) : r;
}

static int del_dead(struct record_writer *w, uint64_t id)
{
    struct stmt *s;
    int r = open_stmt(w, DEAD_DELETE, &s);
    if (r < 0)
        return r;
    put_u64(s, id);
    return stmt_run(s);
}

/* -- versions ----------------------------------------------------------- */

static int end_others(struct record_writer *w, const struct script_version *v,
                      int64_t since_at)
{
    struct stmt *s;
    int r = open_stmt(w, VERSION_END, &s);
    if (r < 0)
        return r;
    put_i64(s, since_at);
    put_text(s, v->unit);
    put_text(s, v->version);
    return stmt_run(s);
}

static int trim_versions(struct record_writer *w,
                         const struct script_version *v)
{
    struct stmt *s;
    int r = open_stmt(w, VERSION_TRIM, &s);
    if (r < 0)
        return r;
    put_text(s, v->unit);
    put_text(s, v->version);
    put_i64(s, LIMIT_VERSIONS);
    return stmt_run(s);
}

static int put_version(struct record_writer *w, const struct script_version *v,
                       int64_t now_ms)
{
    int64_t since_at = v->since_at ? v->since_at : now_ms;
    struct stmt *s;
    int r = open_stmt(w, VERSION_PUT, &s);
    if (r == 0 && v->state == VERSION_SERVING)
        r = end_others(w, v, since_at);
    if (r < 0)
        return r;
    put_text(s, v->unit);
    put_text(s, v->version);
    put_i64(s, v->state);
    put_i64(s, since_at);
    put_i64(s, v->until_at);
    put_text(s, v->note);
    put_text(s, v->sources);
    r = stmt_run(s);
    return r < 0 ? r : trim_versions(w, v);
}

/* -- the rest ----------------------------------------------------------- */

static int put_audit(struct record_writer *w, const struct audit *a,
                     int64_t now_ms)
{
    struct stmt *s;
    int r = open_stmt(w, AUDIT_PUT, &s);
    if (r < 0)
        return r;
    put_u64(s, a->id);
    put_i64(s, a->at ? a->at : now_ms);
    put_u64(s, a->agent);
    put_text(s, a->what);
    put_text(s, a->about);
    put_text(s, a->data);
    return stmt_run(s);
}

/* 1 = the value is what the swap expects, 0 = it is not. */
static int is_as_was(struct record_writer *w, const struct kv *kv,
                     int64_t now_ms)
{
    struct stmt *s;
    int r = open_stmt(w, KV_NOW, &s);
    if (r < 0)
        return r;
    put_text(s, kv->space);
    put_text(s, kv->key);
    put_i64(s, now_ms);
    r = stmt_step(s);
    if (r < 0)
        return r;
    bool same = r == 1 ? kv->was.len && slice_eq(got_text(s, 0, NULL), kv->was)
                       : kv->was.len == 0;
    stmt_reset(s);
    return same;
}

/* A new value of "" takes it away. */
static int swap_kv(struct record_writer *w, const struct kv *kv, int64_t now_ms,
                   struct err *e)
{
    int r = is_as_was(w, kv, now_ms);
    if (r == 0)
        return err_field(
            e, ERR_CONFLICT, "key", "\"%.*s\" has another value by now",
            (int)(kv->key.len < 100 ? kv->key.len : 100), kv->key.at);
    if (r < 0)
        return r;
    struct kv copy = *kv;
    struct put p = {.kind = kv->value.len ? PUT_KV : DEL_KV, .kv = &copy};
    return record_put(w, &p, now_ms, e);
}

bool record_is_scripts(enum put_kind kind)
{
    return kind > PUT_ANSWER;
}

int record_put_scripts(struct record_writer *w, const struct put *p,
                       int64_t now_ms, struct err *e)
{
    int r = 0;
    switch (p->kind) {
    case PUT_FLOW:
        r = put_flow(w, p->flow);
        break;
    case PUT_TRACE:
        r = put_trace(w, p->trace, now_ms);
        break;
    case PUT_DEAD:
        r = put_dead(w, p->dead, now_ms);
        break;
    case DEL_DEAD:
        r = del_dead(w, p->id);
        break;
    case PUT_VERSION:
        r = put_version(w, p->version, now_ms);
        break;
    case PUT_AUDIT:
        r = put_audit(w, p->audit, now_ms);
        break;
    case KV_SWAP:
        r = swap_kv(w, p->kv, now_ms, e);
        if (r == ERR_CONFLICT)
            return r; /* told */
        break;
    default:
        must(!"a kind of this file");
    }
    if (r == ERR_CONFLICT)
        return err_set(e, r, "it exists already");
    return r < 0 ? err_set(e, r, "%s", w->db->err.text) : 0;
}

/* -- what has run out --------------------------------------------------- */

int record_purge_scripts(struct record_writer *w, int64_t now_ms)
{
    int64_t before = now_ms - w->trace_ms;
    /* The oldest lie in front; nothing behind them is looked at. */
    int traces = record_purge_old(
        w,
        "DELETE FROM trace WHERE id IN (SELECT id FROM (SELECT "
        "id, at FROM trace ORDER BY id LIMIT $most) AS oldest "
        "WHERE at < $before)",
        before, TRACES_PURGE);
    if (traces < 0)
        return traces;
    /* 3, 4, 5 are FLOW_DONE, FAILED and CANCELLED. */
    int flows = record_purge_old(
        w,
        "DELETE FROM flow WHERE id IN (SELECT id FROM flow WHERE "
        "state IN (3, 4, 5) AND updated_at < $before "
        "LIMIT $most)",
        before, RECORD_PURGE);
    if (flows < 0)
        return flows;
    int r = w->deads ? trim_deads(w) : 0;
    return r < 0 ? r : traces || flows;
}
