/* SPDX-License-Identifier: Apache-2.0 */
/* lists_scripts.c - flows, dead letters, versions, audit: found and listed.
 *
 * Happy path and failure modes as in lists.c. Lists do not read a flow's log
 * nor a version's sources; the one alone has them. Rows are shown as the REST
 * resources show them.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "desk/effect.h"
#include "store/reader.h"
#include "store/record_scripts.h"

#define ID_AUDIT "au"

/* -- as JSON ------------------------------------------------------------ */

static void put_id(struct jsonw *w, const char *key, const char *prefix,
                   uint64_t id)
{
    char text[ID_TEXT];
    jsonw_put_text(w, key,
                   id ? id_text(text, prefix, id) : (struct slice){NULL, 0});
}

static void put_time(struct jsonw *w, const char *key, int64_t at)
{
    jsonw_key(w, key);
    if (at)
        jsonw_int(w, at);
    else
        jsonw_null(w);
}

static void put_json(struct jsonw *w, const char *key, struct slice json)
{
    jsonw_put_raw(w, key, json.len ? json : SLICE("{}"));
}

static void write_flow(struct jsonw *w, const struct flow *f, bool with_log)
{
    jsonw_open(w, '{');
    put_id(w, "id", ID_FLOW, f->id);
    jsonw_put_text(w, "script", f->unit);
    jsonw_put_text(w, "version", f->version);
    put_id(w, "conversation", ID_CONVERSATION, f->conv);
    put_id(w, "contact", ID_CONTACT, f->contact);
    jsonw_put_text(w, "state", slice_of(flow_state_name(f->state)));
    put_time(w, "due_at", f->due_at);
    jsonw_put_int(w, "step", f->step);
    jsonw_put_int(w, "attempts", f->attempts);
    jsonw_put_text(w, "error",
                   f->error.len ? f->error : (struct slice){NULL, 0});
    put_json(w, "args", f->args);
    put_json(w, "view", f->view);
    if (with_log)
        jsonw_put_raw(w, "log", f->log.len ? f->log : SLICE("[]"));
    jsonw_put_int(w, "created_at", f->created_at);
    jsonw_put_int(w, "updated_at", f->updated_at);
    jsonw_close(w, '}');
}

static void write_dead(struct jsonw *w, const struct dead *d)
{
    jsonw_open(w, '{');
    put_id(w, "id", ID_DEAD, d->id);
    jsonw_put_int(w, "created_at", d->at);
    put_id(w, "conversation", ID_CONVERSATION, d->conv);
    put_id(w, "message", ID_MESSAGE, d->pos);
    jsonw_put_text(w, "hook", slice_of(hook_name((enum hook)d->hook)));
    jsonw_put_text(w, "script",
                   d->unit.len ? d->unit : (struct slice){NULL, 0});
    jsonw_put_text(w, "reason", d->reason);
    put_json(w, "data", d->data);
    jsonw_put_int(w, "runs", d->runs);
    jsonw_close(w, '}');
}

static void write_version(struct jsonw *w, const struct script_version *v)
{
    jsonw_open(w, '{');
    jsonw_put_text(w, "script", v->unit);
    jsonw_put_text(w, "version", v->version);
    jsonw_put_text(w, "state", slice_of(version_state_name(v->state)));
    put_time(w, "since_at", v->since_at);
    put_time(w, "until_at", v->until_at);
    jsonw_put_text(w, "note", v->note);
    jsonw_close(w, '}');
}

static void write_audit(struct jsonw *w, const struct audit *a)
{
    jsonw_open(w, '{');
    put_id(w, "id", ID_AUDIT, a->id);
    jsonw_put_int(w, "created_at", a->at);
    put_id(w, "agent", ID_AGENT, a->agent);
    jsonw_put_text(w, "what", a->what);
    jsonw_put_text(w, "about", a->about);
    put_json(w, "data", a->data);
    jsonw_close(w, '}');
}

static void row_flow(struct jsonw *w, struct stmt *s)
{
    struct flow f;
    record_flow(s, NULL, &f);
    write_flow(w, &f, false);
}

static void row_dead(struct jsonw *w, struct stmt *s)
{
    struct dead d;
    record_dead(s, NULL, &d);
    write_dead(w, &d);
}

static void row_version(struct jsonw *w, struct stmt *s)
{
    struct script_version v;
    record_version(s, NULL, &v);
    write_version(w, &v);
}

static void row_audit(struct jsonw *w, struct stmt *s)
{
    struct audit a;
    record_audit(s, NULL, &a);
    write_audit(w, &a);
}

/* -- lists -------------------------------------------------------------- */

/* Each way has the index that serves it; the other conditions are true when
 * not wanted. */
#define FLOWS_ANY "($conv = 0 OR conv = $conv) "
#define FLOWS_ANY_STATE "AND ($state < 0 OR state = $state) "
#define FLOWS_UNIT "AND ($unit = '' OR unit = $unit) "
static void put_flows(struct stmt *s, const struct query *q)
{
    put_u64(s, q->conv);
    put_i64(s, q->state);
    put_text(s, q->text);
}

#define FLOWS_WAY(list, count, where)                                          \
    LIST_WAY(list, count, FLOW_HEAD ", ''",                                    \
             "FROM flow WHERE " where FLOWS_UNIT, "conv state unit",           \
             put_flows, row_flow)
static const struct list_way flows_any = FLOWS_WAY(READ_FLOWS, READ_FLOWS_COUNT,
                                                   FLOWS_ANY FLOWS_ANY_STATE),
                             flows_of_conv = FLOWS_WAY(
                                 READ_FLOWS_OF_CONV, READ_FLOWS_COUNT_OF_CONV,
                                 "conv = $conv " FLOWS_ANY_STATE),
                             flows_of_state = FLOWS_WAY(
                                 READ_FLOWS_OF_STATE, READ_FLOWS_COUNT_OF_STATE,
                                 FLOWS_ANY "AND state = $state ");

int list_flows(struct reader *r, struct query *q)
{
    return list_page(r, q,
                     q->conv         ? &flows_of_conv
                     : q->state >= 0 ? &flows_of_state
                                     : &flows_any);
}

int list_deads(struct reader *r, struct query *q)
{
    static const struct list_way way =
        LIST_WAY(READ_DEADS, READ_DEADS_COUNT, DEAD_COLUMNS, "FROM dead ", "",
                 NULL, row_dead);
    return list_page(r, q, &way);
}

/* A few a unit: one page. */
int list_versions(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got = reader_stmt(r, READ_VERSIONS,
                          "SELECT " VERSION_HEAD ", '' FROM version WHERE "
                          "unit = $unit ORDER BY since_at DESC, id DESC",
                          "unit", &s);
    if (got < 0)
        return got;
    put_text(s, q->text);
    got = list_rows(q, s, row_version);
    q->total = q->count;
    q->more = false;
    return got;
}

static void put_what(struct stmt *s, const struct query *q)
{
    put_text(s, q->text);
}

int list_audit(struct reader *r, struct query *q)
{
    static const struct list_way way =
        LIST_WAY(READ_AUDIT, READ_AUDIT_COUNT, AUDIT_COLUMNS,
                 "FROM audit WHERE ($what = '' OR what = $what) ", "what",
                 put_what, row_audit);
    return list_page(r, q, &way);
}

/* -- one ---------------------------------------------------------------- */

static int keep_json(struct query *q, struct buf *out, int failed)
{
    if (failed == 0)
        q->json = slice_dup(q->arena, buf_slice(out));
    buf_fini(out);
    return failed;
}

int find_flow(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got = reader_stmt(r, READ_FLOW,
                          "SELECT " FLOW_COLUMNS " FROM flow WHERE id = $id",
                          "id", &s);
    if (got < 0)
        return got;
    put_u64(s, q->id);
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "flow");
    q->flow = arena_one(q->arena, struct flow);
    record_flow(s, q->arena, q->flow);
    stmt_reset(s);
    struct buf out;
    buf_init(&out, READER_ANSWER_BYTES);
    struct jsonw w = jsonw_on(&out);
    write_flow(&w, q->flow, true);
    return keep_json(q, &out, w.failed);
}

int find_dead(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got = reader_stmt(r, READ_DEAD,
                          "SELECT " DEAD_COLUMNS " FROM dead WHERE id = $id",
                          "id", &s);
    if (got < 0)
        return got;
    put_u64(s, q->id);
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "dead letter");
    q->dead = arena_one(q->arena, struct dead);
    record_dead(s, q->arena, q->dead);
    stmt_reset(s);
    struct buf out;
    buf_init(&out, READER_ANSWER_BYTES);
    struct jsonw w = jsonw_on(&out);
    write_dead(&w, q->dead);
    return keep_json(q, &out, w.failed);
}

int find_version(struct reader *r, struct query *q)
{
    struct stmt *s;
    int got = reader_stmt(r, READ_VERSION,
                          "SELECT " VERSION_COLUMNS " FROM version WHERE "
                          "unit = $unit AND version = $version",
                          "unit version", &s);
    if (got < 0)
        return got;
    put_text(s, q->text);
    put_text(s, q->identity);
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "version");
    q->version = arena_one(q->arena, struct script_version);
    record_version(s, q->arena, q->version);
    stmt_reset(s);
    return 0;
}
