/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c - reads everything again and compares.
 *
 * Happy path: the journal is walked once from the first row to the last. Of
 * each conversation the chain's last hash and the figures are carried along;
 * where a stored row of figures says it has seen up to here, it must agree.
 * Then what was expected and never met is told, and SQLite checks its pages
 * and indexes.
 *
 * Failure modes: every finding is a line in `out` (FINDINGS_MOST of them, all
 * are counted); a server that runs on the folder, a newer schema or an
 * unreadable file end it with an error.
 */
#include "base/map.h"
#include "store/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define FINDINGS_MOST 100
#define TELL_EVERY 20000 /* rows between two calls of the progress fn */

struct chain {
    struct progress p;   /* as the journal says */
    struct progress row; /* as stored; conv 0 and has_row false = none */
    unsigned char hash[SHA256_BYTES];
    bool has_row, met, erased;
    char older[PREVIEW_BYTES]; /* the preview as it was made once: texts only */
    uint32_t older_len;
};
struct verify {
    struct db db;
    struct buf *out;
    struct map chains; /* conversation -> struct chain */
    struct sha256 *sha;
    struct stmt rows, walk, anchor;
    uint64_t last_pos, cursor, findings;
    int64_t anchors;
};

__attribute__((format(printf, 2, 3))) static void finding(struct verify *v,
                                                          const char *fmt, ...)
{
    char line[256];
    va_list args;
    if (v->findings++ >= FINDINGS_MOST)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    /* A full buffer loses lines, not the count. */
    (void)buf_addf(v->out, "%s\n", line);
}

static struct chain *chain_of(struct verify *v, uint64_t conv)
{
    struct chain *c = map_get(&v->chains, conv);
    if (!c) {
        c = mem_alloc(sizeof *c);
        c->p.conv = conv;
        map_put(&v->chains, conv, c);
    }
    return c;
}

/* -- what is stored ----------------------------------------------------- */

static int number(struct verify *v, const char *sql, int64_t *out)
{
    struct stmt s;
    int r = stmt_open(&v->db, sql, "", &s);
    if (r == 0)
        r = stmt_step(&s);
    if (r == 1)
        *out = got_i64(&s, 0);
    stmt_close(&s);
    return r < 0 ? r : 0;
}

static int load_rows(struct verify *v)
{
    struct stmt convs, load;
    int r = stmt_open(&v->db, "SELECT conv FROM progress", "", &convs);
    if (r < 0)
        return r;
    r = progress_open(&v->db, &load, NULL);
    while (r >= 0 && (r = stmt_step(&convs)) == 1) {
        struct chain *c = chain_of(v, got_u64(&convs, 0));
        r = progress_load(&load, c->p.conv, &c->row);
        c->has_row = true;
    }
    stmt_close(&load);
    stmt_close(&convs);
    return r;
}

/* -- one row ------------------------------------------------------------ */

static int64_t above(void *arg, uint64_t pos, uint32_t seq, bool visitors)
{
    struct verify *v = arg;
    int64_t n = 0;
    while (pos) {
        struct event ev;
        int r = journal_get(&v->walk, pos, NULL, &ev, &pos);
        if (r < 0)
            return r == ERR_NOT_FOUND ? n : r; /* the gap was told */
        stmt_reset(&v->walk);
        if (ev.name != EVENT_MESSAGE_CREATED)
            continue;
        if (ev.seq <= seq)
            break;
        n += visitors ? ev.role == ROLE_VISITOR : !(ev.flags & EVENT_PRIVATE);
    }
    return n;
}

static bool same_figures(const struct chain *c)
{
    const struct progress *a = &c->p, *b = &c->row;
    bool same = a->last_seq == b->last_seq && a->last_at == b->last_at &&
                a->hidden == b->hidden && a->unread == b->unread &&
                a->agent_read == b->agent_read &&
                a->visitor_read == b->visitor_read &&
                a->visitor_seq == b->visitor_seq &&
                a->waiting_since_at == b->waiting_since_at &&
                a->heard_at == b->heard_at && a->said == b->said &&
                a->handled == b->handled;
    if (!same || c->erased)
        return same;
    struct slice row = {b->preview, b->preview_len};
    return slice_eq(row, (struct slice){a->preview, a->preview_len}) ||
           slice_eq(row, (struct slice){c->older, c->older_len});
}

static void follow_older(struct chain *c, const struct event *ev)
{
    char text[PREVIEW_BYTES];
    bool said =
        ev->name == EVENT_MESSAGE_CREATED && !(ev->flags & EVENT_PRIVATE);
    uint32_t n = said ? preview_of_text(ev->body, text) : 0;
    if (n) {
        memcpy(c->older, text, n);
        c->older_len = n;
    }
}

static void check_chain(struct verify *v, struct chain *c,
                        const struct event *ev, uint64_t prev)
{
    unsigned char body[SHA256_BYTES], hash[SHA256_BYTES];
    unsigned long long pos = ev->pos, conv = ev->conv;
    if (got_null(&v->rows, 13))
        sha256_parts(v->sha, &ev->body, 1, body);
    else if (got_bytes(&v->rows, 13, body, sizeof body))
        c->erased = true;
    else
        finding(v, "row %llu: the kept hash of its body is broken", pos);
    if (prev != c->p.last_pos)
        finding(v, "row %llu: follows row %llu of conversation %llu, not %llu",
                pos, (unsigned long long)prev, conv,
                (unsigned long long)c->p.last_pos);
    journal_hash(v->sha, c->hash, ev, body, hash);
    if (!got_bytes(&v->rows, 12, c->hash, sizeof c->hash) ||
        memcmp(c->hash, hash, sizeof hash) != 0)
        finding(v, "row %llu: the chain of conversation %llu is broken", pos,
                conv);
}

static int check_seq(struct verify *v, struct chain *c, const struct event *ev)
{
    bool message = ev->name == EVENT_MESSAGE_CREATED;
    uint32_t want = message ? c->p.last_seq + 1 : 0;
    if (ev->seq != want)
        finding(v, "row %llu: seq %u where %u belongs",
                (unsigned long long)ev->pos, ev->seq, want);
    if (!message || ev->seq % JOURNAL_ANCHOR)
        return 0;
    v->anchors++;
    put_u64(&v->anchor, ev->conv);
    put_i64(&v->anchor, ev->seq);
    int r = stmt_step(&v->anchor);
    if (r >= 0 && (r == 0 || got_u64(&v->anchor, 0) != ev->pos))
        finding(v, "row %llu: its anchor is missing or wrong",
                (unsigned long long)ev->pos);
    stmt_reset(&v->anchor);
    return r < 0 ? r : 0;
}

static int check_row(struct verify *v)
{
    struct event ev;
    uint64_t prev;
    journal_row(&v->rows, NULL, &ev, &prev);
    if (ev.pos != v->last_pos + 1)
        finding(v, "row %llu is missing",
                (unsigned long long)(v->last_pos + 1));
    v->last_pos = ev.pos;
    if (ev.ref.len > JOURNAL_REF_BYTES) {
        finding(v, "row %llu: its ref is too long", (unsigned long long)ev.pos);
        ev.ref.len = JOURNAL_REF_BYTES;
    }
    struct chain *c = chain_of(v, ev.conv);
    check_chain(v, c, &ev, prev);
    int r = check_seq(v, c, &ev);
    struct progress_ask ask = {above, v};
    if (r == 0)
        r = progress_apply(&c->p, &ev, &ask);
    follow_older(c, &ev);
    if (r == 0 && c->has_row && c->row.last_pos == ev.pos) {
        c->met = true;
        if (!same_figures(c))
            finding(v,
                    "conversation %llu: its figures are not what row %llu "
                    "and those before it say",
                    (unsigned long long)ev.conv, (unsigned long long)ev.pos);
    }
    return r;
}

/* -- the whole ---------------------------------------------------------- */

static void check_leftover(struct verify *v)
{
    struct chain *c;
    for (size_t i = 0; (c = map_next(&v->chains, &i)) != NULL;) {
        unsigned long long conv = c->p.conv;
        if (c->has_row && !c->met)
            finding(v,
                    "conversation %llu: its figures end at row %llu, which "
                    "is not its own",
                    conv, (unsigned long long)c->row.last_pos);
        else if (c->row.last_pos < c->p.last_pos && c->p.last_pos <= v->cursor)
            finding(v, "conversation %llu: its figures are behind", conv);
    }
    if (v->cursor > v->last_pos)
        finding(v, "the figures' cursor %llu is beyond the journal's end %llu",
                (unsigned long long)v->cursor, (unsigned long long)v->last_pos);
}

/* What the script platform keeps, seen as a whole. */
static int check_scripts(struct verify *v)
{
    static const struct {
        const char *sql, *says;
    } checks[] = {
        {"SELECT count(*) FROM trace WHERE id >> 8 > (SELECT "
         "coalesce(max(pos), 0) FROM journal)",
         "traces of rows that are not there"},
        {"SELECT count(*) FROM trace WHERE NOT json_valid(body)",
         "traces that cannot be read"},
        {"SELECT count(*) FROM dead WHERE pos > (SELECT "
         "coalesce(max(pos), 0) FROM journal)",
         "dead letters of rows that are not there"},
        {"SELECT count(*) FROM flow WHERE state NOT BETWEEN 0 AND 5 OR "
         "(log <> '' AND NOT json_valid(log))",
         "flows that cannot be played"},
        {"SELECT count(*) FROM flow WHERE state < 3 AND conv <> 0 AND conv "
         "NOT IN (SELECT id FROM conversation)",
         "flows of conversations that are not there"},
        {"SELECT count(*) FROM (SELECT unit FROM version WHERE state = 1 "
         "GROUP BY unit HAVING count(*) > 1)",
         "scripts of which two versions serve"},
    };
    int r = 0;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && r == 0; i++) {
        int64_t n = 0;
        r = number(v, checks[i].sql, &n);
        if (n)
            finding(v, "%lld %s", (long long)n, checks[i].says);
    }
    return r;
}

static int check_sqlite(struct verify *v)
{
    struct stmt s;
    int r = stmt_open(&v->db, "PRAGMA integrity_check(20)", "", &s);
    while (r >= 0 && (r = stmt_step(&s)) == 1) {
        struct slice line = got_text(&s, 0, NULL);
        if (!slice_is(line, "ok"))
            finding(v, "sqlite: %.*s", SLICE_FMT(line));
    }
    stmt_close(&s);
    return r;
}

static int open_statements(struct verify *v)
{
    int r = stmt_open(&v->db,
                      "SELECT pos, prev, at, conv, seq, name, role, flags, "
                      "sender, cause, ref, body, hash, body_hash FROM journal "
                      "ORDER BY pos",
                      "", &v->rows);
    if (r == 0)
        r = stmt_open(&v->db, JOURNAL_ROW "WHERE pos = $pos", "pos", &v->walk);
    if (r == 0)
        r = stmt_open(&v->db,
                      "SELECT pos FROM anchor WHERE conv = $conv AND "
                      "seq = $seq",
                      "conv seq", &v->anchor);
    return r;
}

static int check_all(struct verify *v,
                     void (*fn)(void *arg, uint64_t done, uint64_t total),
                     void *arg)
{
    int64_t total = 0, cursor = 0, anchors = 0;
    int r = number(v, "SELECT max(pos) FROM journal", &total);
    if (r == 0)
        r = number(v, "SELECT pos FROM reader WHERE name = 'projected'",
                   &cursor);
    if (r == 0)
        r = number(v, "SELECT count(*) FROM anchor", &anchors);
    v->cursor = (uint64_t)cursor;
    if (r == 0)
        r = load_rows(v);
    if (r == 0)
        r = open_statements(v);
    while (r == 0 && (r = stmt_step(&v->rows)) == 1) {
        r = check_row(v);
        if (fn && v->last_pos % TELL_EVERY == 0)
            fn(arg, v->last_pos, (uint64_t)total);
    }
    if (r < 0)
        return r;
    check_leftover(v);
    if (anchors != v->anchors)
        finding(v, "%lld anchors where %lld belong", (long long)anchors,
                (long long)v->anchors);
    r = check_scripts(v);
    if (r == 0)
        r = check_sqlite(v);
    if (fn)
        fn(arg, (uint64_t)total, (uint64_t)total);
    return r;
}

static void fini(struct verify *v)
{
    struct chain *c;
    for (size_t i = 0; (c = map_next(&v->chains, &i)) != NULL;)
        mem_free(c);
    map_fini(&v->chains);
    stmt_close(&v->rows);
    stmt_close(&v->walk);
    stmt_close(&v->anchor);
    sha256_free(v->sha);
    db_close(&v->db);
}

/* A running server would change what is being read. */
static int lock_quietly(const char *dir, int *fd, struct err *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/lock", dir);
    *fd = open(path, O_RDWR | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT
                   ? err_set(e, ERR_NOT_FOUND, "%s is no data directory", dir)
                   : err_set(e, ERR_UNAVAILABLE, "cannot open %s: %s", path,
                             strerror(errno));
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    close(*fd);
    return err_set(e, ERR_CONFLICT,
                   "a server is running on %s; stop it to verify", dir);
}

int store_verify(const char *dir, struct buf *out,
                 void (*fn)(void *arg, uint64_t done, uint64_t total),
                 void *arg, struct err *e)
{
    struct verify v = {.out = out};
    int lock, r = lock_quietly(dir, &lock, e);
    if (r < 0)
        return r;
    map_init(&v.chains);
    v.sha = sha256_new();
    r = db_open(&v.db, dir, DB_READER, e);
    if (r == 0)
        r = db_check_schema(&v.db, e);
    if (r == 0 && (r = check_all(&v, fn, arg)) < 0)
        err_set(e, r, "%s", v.db.err.text);
    fini(&v);
    close(lock);
    if (r < 0)
        return r;
    if (v.findings == 0)
        return 0;
    return err_set(e, ERR_UNPROCESSABLE, "%llu findings",
                   (unsigned long long)v.findings);
}
