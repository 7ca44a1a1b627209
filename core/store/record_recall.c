/* SPDX-License-Identifier: Apache-2.0 */
/* record_recall.c - what is left of a message that was taken back; the message
 * that a platform means.
 *
 * Happy path: the body's hash is kept, what is left takes its place, and its
 * file is not this conversation's any more, unless it was sent twice. Failure:
 * a row that has a kept hash already is ERR_CONFLICT; the database's.
 */
#include "store/record_recall.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "store/journal.h"
#include <stdio.h>

#define LOOK_BACK 2000 /* events of a conversation */

static int read_hash(struct record_writer *w, uint64_t pos,
                     unsigned char out[SHA256_BYTES], bool *found)
{
    struct stmt s;
    int r = stmt_open(w->db,
                      "SELECT body FROM journal WHERE pos = $pos AND "
                      "body_hash IS NULL",
                      "pos", &s);
    if (r == 0) {
        put_u64(&s, pos);
        r = stmt_step(&s);
        *found = r == 1;
        if (r == 1)
            sha256_of(got_text(&s, 0, NULL), out);
    }
    stmt_close(&s);
    return r < 0 ? r : 0;
}

static int write_left(struct record_writer *w, const struct left *l,
                      const unsigned char hash[SHA256_BYTES])
{
    struct stmt s;
    int r = stmt_open(w->db,
                      "UPDATE journal SET body = $body, body_hash = $hash "
                      "WHERE pos = $pos",
                      "pos body hash", &s);
    if (r == 0) {
        put_u64(&s, l->pos);
        put_text(&s, l->body);
        put_blob(&s, hash, SHA256_BYTES);
        r = stmt_run(&s);
    }
    stmt_close(&s);
    return r;
}

/* It was brought for this conversation: that lets its people see it no more. */
static int unbind_file(struct record_writer *w, const struct left *l)
{
    struct stmt s;
    int r = stmt_open(
        w->db, "UPDATE file SET conv = 0 WHERE id = $file AND conv = $conv",
        "file conv", &s);
    if (r == 0) {
        put_u64(&s, l->file);
        put_u64(&s, l->conv);
        r = stmt_run(&s);
    }
    stmt_close(&s);
    return r;
}

/* Its bytes stay as long as the house keeps files; who brought it has it, and
 * other conversations. */
static int release_file(struct record_writer *w, const struct left *l)
{
    struct stmt s;
    char like[ID_TEXT + 4], id[ID_TEXT];
    snprintf(like, sizeof like, "%%%.*s%%",
             SLICE_FMT(id_text(id, ID_FILE, l->file)));
    int r = stmt_open(
        w->db,
        "DELETE FROM file_use WHERE file = $file AND conv = $conv AND NOT "
        "EXISTS (WITH RECURSIVE said (pos, n) AS (SELECT $last, 0 UNION ALL "
        "SELECT j.prev, n + 1 FROM said JOIN journal j ON j.pos = said.pos "
        "WHERE n < $most) SELECT 1 "
        "FROM said JOIN journal k ON k.pos = said.pos WHERE k.pos <> $pos AND "
        "k.name = $name AND k.body LIKE $like)",
        "file conv last most pos name like", &s);
    if (r == 0) {
        put_u64(&s, l->file);
        put_u64(&s, l->conv);
        put_u64(&s, l->last_pos);
        put_i64(&s, LOOK_BACK);
        put_u64(&s, l->pos);
        put_i64(&s, EVENT_MESSAGE_CREATED);
        put_text(&s, slice_of(like));
        r = stmt_run(&s);
    }
    stmt_close(&s);
    return r == 0 && db_changes(w->db) ? unbind_file(w, l) : r;
}

int record_put_left(struct record_writer *w, const struct left *l,
                    struct err *e)
{
    unsigned char hash[SHA256_BYTES];
    bool found = false;
    int r = read_hash(w, l->pos, hash, &found);
    if (r == 0 && !found)
        return err_set(e, ERR_CONFLICT, "this message was taken back already");
    r = r ? r : write_left(w, l, hash);
    if (r == 0 && l->file)
        r = release_file(w, l);
    return r < 0 ? err_set(e, r, "%s", w->db->err.text) : 0;
}

/* -- reads -------------------------------------------------------------- */

static bool is_it(const struct query *q, const struct event *ev)
{
    return ev->name == EVENT_MESSAGE_CREATED && ev->role == ROLE_VISITOR &&
           ev->sender == q->id && slice_eq(ev->ref, q->text);
}

/* 1 = found. */
static int walk(struct reader *r, struct query *q, uint64_t pos, int *left)
{
    struct stmt *s;
    int got = history_by_pos(r, &s);
    while (got == 0 && pos && (*left)-- > 0) {
        struct event row;
        got = journal_get(s, pos, NULL, &row, &pos);
        if (got == 0 && is_it(q, &row)) {
            struct event *ev = arena_one(q->arena, struct event);
            *ev = row;
            ev->ref = slice_dup(q->arena, row.ref);
            ev->body = slice_dup(q->arena, row.body);
            q->events = ev;
            q->count = 1;
            got = 1;
        }
        stmt_reset(s);
    }
    return got;
}

int find_said(struct reader *r, struct query *q)
{
    struct stmt *s;
    int left = LOOK_BACK;
    int got = reader_stmt(r, READ_CONVS_OF_CONTACT,
                          "SELECT p.last_pos FROM conversation c JOIN "
                          "progress p ON p.conv = c.id WHERE "
                          "c.contact = $contact ORDER BY p.last_pos DESC",
                          "contact", &s);
    if (got < 0)
        return got;
    put_u64(s, q->id);
    while (left > 0 && !q->events && (got = stmt_step(s)) == 1) {
        got = walk(r, q, got_u64(s, 0), &left);
        if (got < 0)
            break;
    }
    stmt_reset(s);
    if (got < 0)
        return got;
    return q->events ? 0 : err_set(&q->err, ERR_NOT_FOUND, "no such message");
}
