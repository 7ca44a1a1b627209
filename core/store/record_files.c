/* SPDX-License-Identifier: Apache-2.0 */
/* record_files.c - the rows of files, and what binds them to conversations.
 *
 * Happy path of a message with a file: its row is found, its sender may send
 * it (they brought it, or see it already), the message's body gets what others
 * need to show it, a row says that this conversation has it. Failure: no such
 * file, or somebody else's: ERR_NOT_FOUND for either, so that ids cannot be
 * tried out.
 */
#include "store/record_files.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

#define UNUSED_MS (24LL * 3600 * 1000)
#define HASH 32

void record_file(struct stmt *s, struct arena *a, struct file *out)
{
    *out = (struct file){.id = got_u64(s, 0),
                         .size = got_i64(s, 2),
                         .width = (int32_t)got_i64(s, 3),
                         .height = (int32_t)got_i64(s, 4),
                         .has_thumb = got_i64(s, 5) != 0,
                         .mime = got_text(s, 6, a),
                         .name = got_text(s, 7, a),
                         .contact = got_u64(s, 8),
                         .agent = got_u64(s, 9),
                         .channel = got_u64(s, 10),
                         .conv = got_u64(s, 11),
                         .created_at = got_i64(s, 12),
                         .used_at = got_i64(s, 13)};
    (void)got_bytes(s, 1, out->hash, sizeof out->hash);
}

/* -- writes ------------------------------------------------------------- */

bool record_is_file(enum put_kind kind)
{
    return kind == PUT_FILE;
}

int record_put_file(struct record_writer *w, const struct put *p, struct err *e)
{
    const struct file *f = p->file;
    struct stmt s;
    int r = stmt_open(w->db,
                      "INSERT INTO file (id, hash, size, width, height, thumb, "
                      "mime, name, contact, agent, channel, conv, created_at, "
                      "used_at) VALUES ($id, $hash, $size, $width, $height, "
                      "$thumb, $mime, $name, $contact, $agent, $channel, "
                      "$conv, $created_at, 0)",
                      "id hash size width height thumb mime name contact agent "
                      "channel conv created_at",
                      &s);
    if (r == 0) {
        put_u64(&s, f->id);
        put_blob(&s, f->hash, sizeof f->hash);
        put_i64(&s, f->size);
        put_i64(&s, f->width);
        put_i64(&s, f->height);
        put_i64(&s, f->has_thumb);
        put_text(&s, f->mime);
        put_text(&s, f->name);
        put_u64(&s, f->contact);
        put_u64(&s, f->agent);
        put_u64(&s, f->channel);
        put_u64(&s, f->conv);
        put_i64(&s, f->created_at);
        r = stmt_run(&s);
    }
    stmt_close(&s);
    return r < 0 ? err_set(e, r, "%s", w->db->err.text) : 0;
}

/* -- binding ------------------------------------------------------------ */

struct bind {
    struct record_writer *w;
    struct tx *tx;
    struct event *ev;
    struct file file;
    int64_t now;
};

/* One number by $file, $a and $b; 0 if there is no row. */
static int number_of(struct record_writer *w, const char *sql, uint64_t file,
                     uint64_t a, uint64_t b, uint64_t *out)
{
    struct stmt s;
    *out = 0;
    int r = stmt_open(w->db, sql, "file a b", &s);
    if (r == 0) {
        put_u64(&s, file);
        put_u64(&s, a);
        put_u64(&s, b);
        r = stmt_step(&s);
        if (r == 1)
            *out = got_u64(&s, 0);
    }
    stmt_close(&s);
    return r < 0 ? r : 0;
}

static int load(struct bind *b, bool *found)
{
    struct stmt s;
    int r = stmt_open(b->w->db,
                      "SELECT " FILE_COLUMNS " FROM file f WHERE f.id = $id",
                      "id", &s);
    *found = false;
    if (r == 0) {
        put_u64(&s, b->ev->file);
        r = stmt_step(&s);
        *found = r == 1;
        if (r == 1)
            record_file(&s, b->tx->arena, &b->file);
    }
    stmt_close(&s);
    return r < 0 ? r : 0;
}

/* The conversation may be made by this same transaction. */
static int channel_of(struct bind *b, uint64_t *out)
{
    for (const struct put *p = b->tx->puts; p; p = p->next)
        if (p->kind == PUT_CONVERSATION && p->conversation->id == b->ev->conv) {
            *out = p->conversation->channel;
            return 0;
        }
    return number_of(b->w,
                     "SELECT channel FROM conversation WHERE id = $a AND "
                     "$file = $file AND $b = $b",
                     0, b->ev->conv, 0, out);
}

/* Is it in this conversation already, where the sender sees it? */
static int is_here(struct bind *b, bool *yes)
{
    uint64_t n;
    int r = number_of(b->w,
                      "SELECT count(*) FROM file_use WHERE file = $file AND "
                      "conv = $a AND shared >= $b",
                      b->file.id, b->ev->conv, b->ev->role == ROLE_VISITOR, &n);
    *yes = n > 0;
    return r;
}

/* An agent passes on what they hold elsewhere; who leads may pass on all. */
static int agent_has(struct bind *b, bool *yes)
{
    uint64_t n;
    int r = number_of(
        b->w,
        "SELECT (SELECT count(*) FROM agent WHERE id = $a AND role > $b) + "
        "(SELECT count(*) FROM file_use u JOIN conversation c ON c.id = u.conv "
        "WHERE u.file = $file AND c.assignee = $a)",
        b->file.id, b->ev->sender, AGENT_ROLE_AGENT, &n);
    *yes = n > 0;
    return r;
}

static int may_send(struct bind *b, bool *yes)
{
    const struct file *f = &b->file;
    const struct event *ev = b->ev;
    uint64_t channel;
    bool houses = !f->contact && !f->agent && !f->channel;
    *yes = (ev->role == ROLE_VISITOR && f->contact == ev->sender) ||
           (ev->role == ROLE_AGENT && f->agent == ev->sender) ||
           (ev->role != ROLE_VISITOR && houses) ||
           (ev->role != ROLE_VISITOR && f->conv && f->conv == ev->conv);
    if (*yes)
        return 0;
    int r = is_here(b, yes);
    if (r == 0 && !*yes && ev->role == ROLE_AGENT)
        r = agent_has(b, yes);
    if (r == 0 && !*yes && f->channel && !f->used_at &&
        (ev->role != ROLE_AGENT || ev->flags & EVENT_OUTSIDE)) {
        /* its adapter brought it */
        r = channel_of(b, &channel);
        *yes = r == 0 && channel == f->channel;
    }
    return r;
}

static int put_use(struct bind *b)
{
    struct stmt s;
    int r = stmt_open(b->w->db,
                      "INSERT INTO file_use (file, conv, shared) VALUES "
                      "($file, $conv, $shared) ON CONFLICT (file, conv) DO "
                      "UPDATE SET shared = max(shared, excluded.shared)",
                      "file conv shared", &s);
    if (r == 0) {
        put_u64(&s, b->file.id);
        put_u64(&s, b->ev->conv);
        put_i64(&s, !(b->ev->flags & EVENT_PRIVATE));
        r = stmt_run(&s);
    }
    stmt_close(&s);
    if (r == 0)
        r = stmt_open(b->w->db, "UPDATE file SET used_at = $now WHERE id = $id",
                      "now id", &s);
    if (r == 0) {
        put_i64(&s, b->now);
        put_u64(&s, b->file.id);
        r = stmt_run(&s);
        stmt_close(&s);
    }
    return r;
}

/* The body anew: in place of the id what there is to show. */
static void tell(struct bind *b, bool found)
{
    struct arena *a = b->tx->arena;
    struct json *body;
    struct buf out;
    char id[ID_TEXT];
    if (json_parse(a, b->ev->body, NULL, &body) < 0)
        return;
    struct slice name = json_text(body, "name");
    if (name.len)
        b->file.name = name;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES * 2);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    for (const struct json *j = body->first; j; j = j->next) {
        if (slice_is(j->key, "name"))
            continue;
        jsonw_key(&w, slice_dup(a, j->key).at);
        if (!slice_is(j->key, "file")) {
            jsonw_value(&w, j);
        } else if (found) {
            file_put_json(&w, &b->file);
        } else {
            jsonw_open(&w, '{');
            jsonw_put_text(&w, "id", id_text(id, ID_FILE, b->ev->file));
            jsonw_put_bool(&w, "missing", true);
            jsonw_close(&w, '}');
        }
    }
    jsonw_close(&w, '}');
    if (!w.failed)
        b->ev->body = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
}

static int bind_one(struct bind *b, bool check_only, int *own)
{
    bool found, yes = false;
    int r = load(b, &found);
    if (r == 0 && found)
        r = may_send(b, &yes);
    if (r)
        return r;
    bool person = b->ev->role == ROLE_VISITOR || b->ev->role == ROLE_AGENT;
    if (!yes && person) {
        *own = err_field(&b->tx->err, ERR_NOT_FOUND, "file",
                         "there is no such file, or it is not yours to send");
        return 0;
    }
    if (check_only)
        return 0;
    tell(b, yes);
    return yes ? put_use(b) : 0;
}

int record_bind_files(struct record_writer *w, struct tx *tx, int64_t now_ms,
                      bool check_only, int *own)
{
    int r = 0;
    *own = 0;
    for (struct event *ev = tx->first; ev && r == 0 && !*own; ev = ev->next) {
        struct bind b = {.w = w, .tx = tx, .ev = ev, .now = now_ms};
        if (ev->file)
            r = bind_one(&b, check_only, own);
    }
    return r;
}

/* -- purge -------------------------------------------------------------- */

int record_purge_files(struct record_writer *w, int64_t now_ms)
{
    int unused =
        record_purge_old(w,
                         "DELETE FROM file WHERE id IN (SELECT id FROM file "
                         "WHERE used_at = 0 AND created_at < $before "
                         "LIMIT $most)",
                         now_ms - UNUSED_MS, RECORD_PURGE);
    if (unused < 0 || w->file_ms <= 0)
        return unused;
    int64_t before = now_ms - w->file_ms;
    int uses = record_purge_old(
        w,
        "DELETE FROM file_use WHERE file IN (SELECT id FROM file "
        "WHERE used_at <> 0 AND used_at < $before ORDER BY "
        "used_at, id LIMIT $most)",
        before, RECORD_PURGE);
    if (uses < 0)
        return uses;
    int old = record_purge_old(
        w,
        "DELETE FROM file WHERE id IN (SELECT id FROM file WHERE "
        "used_at <> 0 AND used_at < $before ORDER BY used_at, id "
        "LIMIT $most)",
        before, RECORD_PURGE);
    return old < 0 ? old : unused || old;
}

/* -- reads -------------------------------------------------------------- */

static bool brought_it(const struct viewer *v, const struct file *f)
{
    return v->role == ROLE_VISITOR ? f->contact && f->contact == v->id
                                   : f->agent && f->agent == v->id;
}

/* Any conversation that has it and that the viewer sees. */
static int sees_use(struct reader *r, const struct query *q, bool *yes)
{
    struct stmt *s;
    uint64_t convs[64];
    size_t n = 0;
    int got = reader_stmt(r, READ_FILE_USES,
                          "SELECT conv FROM file_use WHERE file = $file AND "
                          "shared >= $least LIMIT 64",
                          "file least", &s);
    *yes = false;
    if (got < 0)
        return got;
    put_u64(s, q->id);
    put_i64(s, q->viewer.role == ROLE_VISITOR);
    while (n < 64 && (got = stmt_step(s)) == 1)
        convs[n++] = got_u64(s, 0);
    stmt_reset(s);
    for (size_t i = 0; i < n && got >= 0 && !*yes; i++) {
        got = history_may_see(r, &q->viewer, convs[i]);
        *yes = got == 1;
        got = got == ERR_NOT_FOUND ? 0 : got;
    }
    return got < 0 ? got : 0;
}

int find_file(struct reader *r, struct query *q)
{
    struct stmt *s;
    bool yes;
    int got = reader_stmt(r, READ_FILE,
                          "SELECT " FILE_COLUMNS " FROM file f WHERE "
                          "f.id = $id",
                          "id", &s);
    if (got < 0)
        return got;
    put_u64(s, q->id);
    got = stmt_step(s);
    if (got <= 0)
        return got < 0 ? got : list_not_found(q, "file");
    struct file *f = arena_one(q->arena, struct file);
    record_file(s, q->arena, f);
    stmt_reset(s);
    const struct viewer *v = &q->viewer;
    bool all = v->role == ROLE_SYSTEM ||
               (v->role == ROLE_AGENT && v->agent_role != AGENT_ROLE_AGENT);
    if (!all && !brought_it(v, f)) {
        got = sees_use(r, q, &yes);
        if (got == 0 && !yes && v->role == ROLE_AGENT && f->conv) {
            got = history_may_see(r, v, f->conv);
            yes = got == 1;
            got = got == ERR_NOT_FOUND ? 0 : got;
        }
        if (got < 0)
            return got;
        if (!yes)
            return v->role == ROLE_VISITOR
                       ? list_not_found(q, "file")
                       : err_set(&q->err, ERR_FORBIDDEN,
                                 "this file is of a conversation that you may "
                                 "not see");
    }
    q->file = f;
    return 0;
}

/* text: hashes, one behind the other -> text: '1' for each that a row has. */
int find_known_hashes(struct reader *r, struct query *q)
{
    struct stmt *s;
    size_t n = q->text.len / HASH;
    char *known = arena_text(q->arena, n + 1);
    int got = reader_stmt(r, READ_FILE_HASH,
                          "SELECT 1 FROM file WHERE hash = $hash LIMIT 1",
                          "hash", &s);
    for (size_t i = 0; i < n && got >= 0; i++) {
        put_blob(s, q->text.at + i * HASH, HASH);
        got = stmt_step(s);
        known[i] = got == 1 ? '1' : '0';
        stmt_reset(s);
    }
    q->text = (struct slice){known, n};
    return got < 0 ? got : 0;
}
