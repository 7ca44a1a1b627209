/* SPDX-License-Identifier: Apache-2.0 */
/* resume.c - uploads in chunks, which go on where they were cut.
 *
 * Happy path: created with its size; each PATCH says at which byte it begins
 * and brings what it can; what arrived counts also when the connection breaks
 * in the middle; HEAD tells how far it is. With the last byte the file is kept
 * and the answer has it; who missed that answer finds it by GET for an hour.
 * Failure: another offset than what is here is a conflict and says the right
 * one; what does not move for an hour is forgotten (memory and tmp are
 * bounded); a restart forgets all: 404, begin anew.
 */
#include "app/files/files.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include <stdio.h>

#define IDLE_MS (60LL * 60 * 1000)
#define PER_OWNER 16
#define CHUNK_BYTES (4 * 1024 * 1024)

struct resumable {
    struct server *s;
    uint64_t id;
    struct arena *arena; /* owned; it lies in it */
    struct bringer by;
    struct slice name, mime, sha256;
    struct upload *upload; /* NULL: it is being kept, or is */
    int64_t size, expires_at;
    struct call *busy; /* a PATCH under way */
    bool held, keeping, done;
    struct keep keep;
};

static void touch(struct resumable *u)
{
    u->expires_at = clock_ms() + IDLE_MS;
}

static void forget(struct resumable *u)
{
    map_take(&u->s->resumables, u->id);
    if (u->upload)
        upload_drop(u->upload);
    arena_free(u->arena);
}

/* The caller's own; NULL after a 404. */
static struct resumable *find(struct call *c)
{
    uint64_t id;
    struct resumable *u = id_parse(c->args[0], ID_UPLOAD, &id)
                              ? map_get(&c->s->resumables, id)
                              : NULL;
    bool own =
        u && (c->visitor ? u->by.contact == c->visitor
                         : u->by.agent == c->who.agent && !u->by.contact);
    if (own)
        return u;
    reply_missing(c, "upload");
    return NULL;
}

static int64_t offset_of(const struct resumable *u)
{
    return u->upload ? upload_bytes(u->upload) : u->size;
}

static void set_headers(struct call *c, const struct resumable *u)
{
    char text[160];
    snprintf(text, sizeof text,
             "Upload-Offset: %lld\r\nUpload-Length: %lld\r\n"
             "Cache-Control: no-store\r\n",
             (long long)offset_of(u), (long long)u->size);
    c->headers = slice_dup(c->a, slice_of(text));
}

static void reply_state(struct call *c, const struct resumable *u, int status)
{
    char id[ID_TEXT];
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_put_text(w, "id", id_text(id, ID_UPLOAD, u->id));
    jsonw_put_int(w, "offset", offset_of(u));
    jsonw_put_int(w, "size", u->size);
    jsonw_put_int(w, "chunk_bytes", CHUNK_BYTES);
    jsonw_put_int(w, "expires_at", u->expires_at);
    jsonw_key(w, "file");
    if (u->done)
        files_write(c->s, c->a, w, &u->keep.file);
    else
        jsonw_null(w);
    jsonw_close(w, '}');
    set_headers(c, u);
    reply_send(c, status);
}

/* --- create --------------------------------------------------------------- */

static bool has_room(struct server *s, const struct bringer *by)
{
    struct resumable *u;
    size_t all = 0, own = 0;
    for (size_t i = 0; (u = map_next(&s->resumables, &i)) != NULL;) {
        all += !u->done;
        own += !u->done && (by->contact ? u->by.contact == by->contact
                                        : u->by.agent == by->agent);
    }
    return all < LIMIT_UPLOADS * 4 && own < PER_OWNER;
}

static void on_moved(void *arg);

static void create(struct call *c, const struct bringer *by)
{
    struct arena *a = arena_new();
    struct resumable *u = arena_one(a, struct resumable);
    *u = (struct resumable){.s = c->s,
                            .id = id_new(),
                            .arena = a,
                            .by = *by,
                            .name = slice_dup(a, body_text(c, "name")),
                            .mime = slice_dup(a, body_text(c, "mime")),
                            .sha256 = slice_dup(a, body_text(c, "sha256")),
                            .size = body_int(c, "size", 0)};
    u->upload = upload_new(c->s->filing, on_moved, u);
    touch(u);
    map_put(&c->s->resumables, u->id, u);
    reply_state(c, u, 201);
}

static void on_checked(struct conv_check *k, int result)
{
    struct call *c = k->c;
    int64_t most = files_most(c->s, k->by->policy);
    if (result == 0 && body_int(c, "size", 0) > most)
        result = files_too_long(&c->err, "size", most);
    if (result) {
        c->err.code = result;
        reply_error(c, &c->err);
    } else {
        create(c, k->by);
    }
}

void resumable_create(struct call *c)
{
    struct conv_check *k = arena_one(c->a, struct conv_check);
    struct bringer *by = arena_one(c->a, struct bringer);
    struct slice conv = body_text(c, "conversation");
    *by = files_bringer(c);
    *k = (struct conv_check){c, by, on_checked, NULL};
    int64_t most = files_most(c->s, by->policy);
    int64_t wait = guard_try(c->s->upload_guard, slice_of(c->r->address),
                             clock_ms(), 60000, c->s->conf.uploads_per_min);
    if (body_int(c, "size", 0) > most) {
        files_too_long(&c->err, "size", most);
        reply_error(c, &c->err);
    } else if (wait > 0) {
        reply_fail(c, ERR_RATE_LIMITED, NULL, "too many uploads");
    } else if (!has_room(c->s, by)) {
        reply_fail(c, ERR_RATE_LIMITED, NULL, "too many uploads at once");
    } else if (!conv.len) {
        create(c, by);
    } else if (!id_parse(conv, ID_CONVERSATION, &by->conv)) {
        reply_fail(c, ERR_NOT_FOUND, "conversation",
                   "there is no such conversation");
    } else {
        files_check_conversation(k);
    }
}

/* --- chunks --------------------------------------------------------------- */

static void on_kept(struct keep *k)
{
    struct resumable *u = k->owner;
    struct call *c = u->busy;
    u->busy = NULL;
    u->keeping = false;
    u->done = k->result == 0;
    touch(u);
    if (u->done) {
        reply_state(c, u, 200);
        return;
    }
    struct err e = k->err;
    e.code = k->result;
    forget(u);
    reply_error(c, &e);
}

static void keep(struct resumable *u)
{
    u->keeping = true;
    u->keep = (struct keep){.s = u->s,
                            .arena = u->arena,
                            .upload = u->upload,
                            .by = u->by,
                            .name = u->name,
                            .mime = u->mime,
                            .sha256 = u->sha256,
                            .done = on_kept,
                            .owner = u};
    u->upload = NULL;
    keep_file(&u->keep);
}

static void fail(struct resumable *u, const struct err *e)
{
    struct call *c = u->busy;
    struct err copy = *e;
    u->busy = NULL;
    forget(u);
    reply_error(c, &copy);
}

static void on_moved(void *arg)
{
    struct resumable *u = arg;
    struct err e;
    if (upload_failed(u->upload, &e)) {
        if (u->busy)
            fail(u, &e);
        else
            forget(u);
    } else if (u->busy && u->held &&
               upload_waiting(u->upload) < FILES_PIECES_BYTES / 2) {
        u->held = false;
        http_go_on(u->busy->r);
    }
}

static void on_body(struct http_req *r, struct slice piece)
{
    struct resumable *u = r->user;
    struct err e;
    if (upload_bytes(u->upload) + (int64_t)piece.len > u->size) {
        err_set(&e, ERR_TOOBIG, "more bytes than the upload was said to have");
        fail(u, &e);
        return;
    }
    upload_write(u->upload, piece);
    touch(u);
    if (!u->held && upload_waiting(u->upload) > FILES_PIECES_BYTES) {
        u->held = true;
        http_hold(r);
    }
}

static void on_end(struct http_req *r, int result)
{
    struct resumable *u = r->user;
    struct call *c = u->busy;
    u->held = false;
    if (offset_of(u) == u->size) {
        keep(u);
        return;
    }
    u->busy = NULL;
    if (result)
        reply_fail(c, result, NULL, "the chunk broke off; ask HEAD, go on");
    else
        reply_state(c, u, 200);
}

static bool offset_fits(struct call *c, const struct resumable *u)
{
    int64_t at;
    struct slice text = http_header(c->r, "Upload-Offset");
    if (!slice_to_i64(text, &at)) {
        reply_fail(c, ERR_BAD_REQUEST, "Upload-Offset",
                   "say at which byte this begins: Upload-Offset");
        return false;
    }
    if (at == offset_of(u) && u->upload)
        return true;
    set_headers(c, u);
    reply_fail(c, ERR_CONFLICT, "Upload-Offset", "the upload is at byte %lld",
               (long long)offset_of(u));
    return false;
}

void resumable_patch(struct call *c)
{
    if (!c->visitor && !scopes_allow(c->who.scopes, "files", true)) {
        reply_fail(c, ERR_FORBIDDEN, NULL,
                   "this token has no scope files:write");
        return;
    }
    struct resumable *u = find(c);
    if (!u)
        return;
    touch(u);
    if (u->busy) {
        reply_fail(c, ERR_CONFLICT, NULL,
                   "another connection is bringing bytes of this upload");
        return;
    }
    if (!offset_fits(c, u))
        return;
    if (!c->r->streamed) {
        reply_state(c, u, 200);
        return;
    }
    u->busy = c;
    c->r->user = u;
    c->r->on_body = on_body;
    c->r->on_end = on_end;
}

/* --- the rest ------------------------------------------------------------- */

void resumable_get(struct call *c)
{
    struct resumable *u = find(c);
    if (u)
        reply_state(c, u, 200);
}

void resumable_delete(struct call *c)
{
    struct resumable *u = find(c);
    if (!u)
        return;
    if (u->busy || u->keeping) {
        reply_fail(c, ERR_CONFLICT, NULL, "bytes of it are coming right now");
        return;
    }
    forget(u);
    reply_none(c);
}

void resumable_beat(struct server *s)
{
    struct resumable *u;
    int64_t now = clock_ms();
    for (size_t i = 0; (u = map_next(&s->resumables, &i)) != NULL;)
        if (u->expires_at < now && !u->busy && !u->keeping) {
            forget(u);
            i = 0; /* the map has moved */
        }
}

void resumable_stop(struct server *s)
{
    struct resumable *u;
    for (size_t i = 0; (u = map_next(&s->resumables, &i)) != NULL;)
        if (!u->keeping) {
            forget(u);
            i = 0;
        }
}

void resumable_free(struct server *s)
{
    struct resumable *u;
    for (size_t i = 0; (u = map_next(&s->resumables, &i)) != NULL; i = 0)
        forget(u);
    map_fini(&s->resumables);
}
