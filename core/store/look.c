/* SPDX-License-Identifier: Apache-2.0 */
/* look.c - the store seen from outside, beside a running server or not.
 *
 * Happy path: a connection that only reads. A question runs as a reader would
 * run it. A walk reads WALK_ROWS events and their traces in one read
 * transaction, ends it and tells them: the log of a running server is never
 * held for long, however slow the listener is.
 *
 * Failure modes: no database, or one of another schema, is an error with a
 * sentence; nothing is made or brought up to date here.
 */
#include "base/clock.h"
#include "base/map.h"
#include "store/inner.h"
#include "store/record_files.h"
#include "store/record_scripts.h"
#include <stdio.h>
#include <unistd.h>

#define WALK_ROWS 500

static int open_look(struct db *db, const char *dir, struct err *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, DB_FILE);
    *db = (struct db){0};
    if (access(path, F_OK) != 0)
        return err_set(e, ERR_NOT_FOUND, "there is no database in %s", dir);
    int r = db_open(db, dir, DB_LOOKER, e);
    if (r == 0 && (r = db_check_schema(db, e)) < 0)
        db_close(db);
    return r;
}

/* -- one question ------------------------------------------------------- */

int store_look(const char *dir, struct query *q)
{
    struct reader r = {0};
    q->result = open_look(&r.db, dir, &q->err);
    if (q->result < 0)
        return q->result;
    reader_run(&r, q);
    reader_close(&r);
    return q->result;
}

int store_files(const char *dir, int (*fn)(void *arg, const struct file *f),
                void *arg, struct err *e)
{
    struct db db;
    struct stmt s;
    int r = open_look(&db, dir, e);
    if (r < 0)
        return r;
    r = stmt_open(&db, "SELECT " FILE_COLUMNS " FROM file f ORDER BY f.id", "",
                  &s);
    int told = 0;
    while (r >= 0 && told == 0 && (r = stmt_step(&s)) == 1) {
        struct file f;
        record_file(&s, NULL, &f);
        told = fn(arg, &f);
    }
    if (r < 0)
        err_set(e, r, "%s", db.err.text);
    stmt_close(&s);
    db_close(&db);
    return r < 0 ? r : told;
}

int store_peek_kv(const char *dir, struct slice space, struct slice key,
                  struct arena *a, struct slice *value, struct err *e)
{
    struct query *q = query_new(QUERY_KV, NULL, NULL);
    q->kv.space = space;
    q->kv.key = key;
    int r = store_look(dir, q);
    *value = r == 0 ? slice_dup(a, q->kv.value) : SLICE("");
    if (r < 0)
        err_set(e, r, "%s", q->err.text);
    query_free(q);
    return r;
}

/* -- a walk ------------------------------------------------------------- */

struct step {
    struct step *next;
    enum { STEP_BEFORE, STEP_EVENT, STEP_TRACE } kind;
    struct event event;
    struct trace trace;
};
struct walker {
    struct store_walk *w;
    struct db db;
    struct stmt rows, traces, by_pos;
    struct map met; /* conversations */
    struct arena *arena;
    struct step *first, **end;
    uint64_t pos; /* up to here it is told */
};

static int each(struct walker *x, const char *sql, const uint64_t *from,
                int (*see)(struct walker *x, struct stmt *s))
{
    struct stmt s;
    int told = 0, r = stmt_open(&x->db, sql, from ? "from" : "", &s);
    if (r == 0 && from)
        put_u64(&s, *from);
    while (r >= 0 && told == 0 && (r = stmt_step(&s)) == 1)
        told = see(x, &s);
    stmt_close(&s);
    return r < 0 ? r : told;
}

static int see_channel(struct walker *x, struct stmt *s)
{
    struct channel c;
    record_channel(s, NULL, &c);
    return x->w->channel(x->w->arg, &c);
}

static int see_agent(struct walker *x, struct stmt *s)
{
    struct agent a;
    record_agent(s, NULL, &a);
    return x->w->agent(x->w->arg, &a);
}

static int see_team(struct walker *x, struct stmt *s)
{
    struct team t;
    record_team(s, NULL, &t);
    return x->w->team(x->w->arg, &t);
}

static int see_contact(struct walker *x, struct stmt *s)
{
    struct contact c;
    record_contact(s, 0, NULL, &c);
    return x->w->contact(x->w->arg, &c);
}

static int tell_records(struct walker *x)
{
    const struct store_walk *w = x->w;
    uint64_t from = w->from;
    int r = 0;
    if (w->channel)
        r = each(x, "SELECT " CHANNEL_COLUMNS " FROM channel ORDER BY id", NULL,
                 see_channel);
    if (r == 0 && w->agent)
        r = each(x, "SELECT " AGENT_COLUMNS " FROM agent ORDER BY id", NULL,
                 see_agent);
    if (r == 0 && w->team)
        r = each(x, "SELECT " TEAM_COLUMNS " FROM team ORDER BY id", NULL,
                 see_team);
    if (r == 0 && w->contact)
        r = each(x,
                 "SELECT " CONTACT_COLUMNS " FROM contact ct WHERE ct.id IN "
                 "(SELECT contact FROM conversation WHERE id IN "
                 "(SELECT DISTINCT conv FROM journal WHERE pos >= $from)) "
                 "ORDER BY ct.id",
                 &from, see_contact);
    return r;
}

static struct step *add_step(struct walker *x, int kind)
{
    struct step *st = arena_one(x->arena, struct step);
    st->kind = kind;
    *x->end = st;
    x->end = &st->next;
    return st;
}

static bool tells_state(enum event_name n)
{
    return n == EVENT_CONVERSATION_CREATED || n == EVENT_CONVERSATION_UPDATED ||
           n == EVENT_CONVERSATION_ASSIGNED || n == EVENT_CONVERSATION_CLOSED;
}

static int take_before(struct walker *x, uint64_t conv, uint64_t pos)
{
    int r = 0;
    if (!x->w->before || !conv || map_get(&x->met, conv))
        return 0;
    map_put(&x->met, conv, x);
    while (r == 0 && pos) {
        struct event row;
        r = journal_get(&x->by_pos, pos, NULL, &row, &pos);
        if (r == 0 && tells_state(row.name)) {
            struct event *ev = &add_step(x, STEP_BEFORE)->event;
            *ev = row;
            ev->ref = SLICE("");
            ev->body = slice_dup(x->arena, row.body);
            pos = 0;
        }
        stmt_reset(&x->by_pos);
    }
    return r == ERR_NOT_FOUND ? 0 : r;
}

static int take_traces(struct walker *x, uint64_t pos)
{
    int r;
    put_u64(&x->traces, trace_first(pos));
    put_u64(&x->traces, trace_first(pos + 1));
    while ((r = stmt_step(&x->traces)) == 1)
        record_trace(&x->traces, x->arena, &add_step(x, STEP_TRACE)->trace);
    return r;
}

/* 1 = there is more, 0 = that was all, or an error. */
static int take_some(struct walker *x)
{
    int n = 0, r = db_run(&x->db, "BEGIN"), got;
    if (r < 0)
        return r;
    put_u64(&x->rows, x->pos);
    put_u64(&x->rows, x->w->upto);
    put_i64(&x->rows, WALK_ROWS);
    while ((got = stmt_step(&x->rows)) == 1 && r == 0) {
        uint64_t prev;
        struct event ev;
        journal_row(&x->rows, x->arena, &ev, &prev);
        r = take_before(x, ev.conv, prev);
        add_step(x, STEP_EVENT)->event = ev;
        if (r == 0 && x->w->trace)
            r = take_traces(x, ev.pos);
        x->pos = ev.pos;
        n++;
    }
    stmt_reset(&x->rows);
    int ended = db_run(&x->db, "COMMIT");
    r = r < 0 ? r : got < 0 ? got : ended;
    return r < 0 ? r : n == WALK_ROWS;
}

static int tell(struct walker *x)
{
    const struct store_walk *w = x->w;
    int r = 0;
    for (struct step *st = x->first; st && r == 0; st = st->next) {
        if (st->kind == STEP_BEFORE)
            r = w->before(w->arg, &st->event);
        else if (st->kind == STEP_EVENT && w->event)
            r = w->event(w->arg, &st->event);
        else if (st->kind == STEP_TRACE)
            r = w->trace(w->arg, &st->trace);
    }
    return r;
}

/* The first position at or after `since`: positions and times rise together. */
static int find_start(struct walker *x, int64_t since)
{
    uint64_t low = 1, high = x->w->upto + 1;
    while (low < high) {
        uint64_t mid = low + (high - low) / 2;
        struct event ev;
        int r = journal_get(&x->by_pos, mid, NULL, &ev, NULL);
        if (r < 0 && r != ERR_NOT_FOUND)
            return r;
        stmt_reset(&x->by_pos);
        if (r == ERR_NOT_FOUND || ev.at < since)
            low = mid + 1;
        else
            high = mid;
    }
    x->w->from = low;
    x->pos = low - 1;
    return 0;
}

static int find_end(struct walker *x)
{
    struct stmt s;
    int r = stmt_open(&x->db, "SELECT max(pos) FROM journal", "", &s);
    if (r == 0 && (r = stmt_step(&s)) == 1)
        x->w->upto = got_u64(&s, 0);
    stmt_close(&s);
    return r < 0 ? r : 0;
}

static int open_statements(struct walker *x)
{
    int r =
        stmt_open(&x->db, JOURNAL_ROW "WHERE pos = $pos", "pos", &x->by_pos);
    if (r == 0)
        r = stmt_open(&x->db,
                      JOURNAL_ROW "WHERE pos > $pos AND pos <= $upto "
                                  "ORDER BY pos LIMIT $most",
                      "pos upto most", &x->rows);
    if (r == 0)
        r = stmt_open(&x->db,
                      "SELECT " TRACE_COLUMNS " FROM trace WHERE "
                      "id >= $first AND id < $last ORDER BY at, id",
                      "first last", &x->traces);
    return r;
}

int store_walk(const char *dir, int64_t since, struct store_walk *w,
               struct err *e)
{
    struct walker x = {.w = w};
    int told = 0, r = open_look(&x.db, dir, e);
    if (r < 0)
        return r;
    map_init(&x.met);
    r = open_statements(&x);
    if (r == 0)
        r = find_end(&x);
    if (r == 0)
        r = find_start(&x, since);
    if (r == 0)
        r = told = tell_records(&x);
    for (bool more = true; r == 0 && more;) {
        x.arena = arena_new();
        x.first = NULL;
        x.end = &x.first;
        r = take_some(&x);
        more = r == 1;
        if (r >= 0)
            r = told = tell(&x);
        arena_free(x.arena);
    }
    if (r < 0 && told != r)
        err_set(e, r, "%s", x.db.err.text);
    stmt_close(&x.rows);
    stmt_close(&x.traces);
    stmt_close(&x.by_pos);
    map_fini(&x.met);
    db_close(&x.db);
    return r;
}
