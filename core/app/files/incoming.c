/* SPDX-License-Identifier: Apache-2.0 */
/* incoming.c - files as they come over HTTP, piece by piece.
 *
 * Happy path: the caller is known by the head; each piece goes through the
 * multipart parser to the files wing, which tells when it has written; while
 * too much is unwritten nothing more is read. At the end the conversation is
 * looked at, the file kept, and the answer has its id. Failure: the first
 * thing that is wrong is answered at once, what has come is removed. In the
 * parser's calls nothing is answered: that frees the request they lie in.
 */
#include "app/files/files.h"
#include "app/files/multipart.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"

#define FIELD_BYTES 1024
#define HEADS (64 * 1024) /* of a multipart body, beside the file */
#define MINUTE_MS 60000

METER(m_now, METER_GAUGE, "yuelai_uploads_now", "Uploads under way");
METER(m_all, METER_COUNTER, "yuelai_uploads_total", "Uploads begun");
METER(m_broken, METER_COUNTER, "yuelai_uploads_broken_total",
      "Of these, such that came to nothing");

enum place { PLACE_OTHER, PLACE_FILE, PLACE_CONVERSATION, PLACE_SHA };

struct incoming {
    struct call c; /* must be first */
    struct multipart parser;
    struct upload *upload;
    struct bringer by;
    struct keep keep;
    struct conv_check check;
    enum place place;
    bool held, ended;
    int64_t most;
    struct slice name, mime;
    struct buf conversation, sha256;
    struct err trouble; /* noted in the parser's calls */
};

static void leave(struct incoming *in)
{
    if (in->upload)
        upload_drop(in->upload);
    in->upload = NULL;
    multipart_fini(&in->parser);
    buf_fini(&in->conversation);
    buf_fini(&in->sha256);
    in->c.s->uploads--;
    meter_add(&m_now, -1);
}

static void fail(struct incoming *in, const struct err *e)
{
    struct err copy = *e;
    meter_add(&m_broken, 1);
    leave(in);
    reply_error(&in->c, &copy);
}

/* --- pieces --------------------------------------------------------------- */

static void on_moved(void *arg)
{
    struct incoming *in = arg;
    struct err e;
    if (in->ended)
        return; /* while the conversation is looked up */
    if (upload_failed(in->upload, &e)) {
        fail(in, &e);
    } else if (in->held &&
               upload_waiting(in->upload) < FILES_PIECES_BYTES / 2) {
        in->held = false;
        http_go_on(in->c.r);
    }
}

static void on_part(void *arg, const struct multipart_part *p)
{
    struct incoming *in = arg;
    in->place = PLACE_OTHER;
    if (slice_is(p->name, "file")) {
        if (in->upload) {
            err_field(&in->trouble, ERR_BAD_REQUEST, "file",
                      "one file at a time");
            return;
        }
        in->place = PLACE_FILE;
        in->name = slice_dup(in->c.a, p->filename);
        in->mime = slice_dup(in->c.a, p->type);
        in->upload = upload_new(in->c.s->filing, on_moved, in);
    } else if (slice_is(p->name, "conversation")) {
        in->place = PLACE_CONVERSATION;
    } else if (slice_is(p->name, "sha256")) {
        in->place = PLACE_SHA;
    }
}

static void on_data(void *arg, struct slice piece)
{
    struct incoming *in = arg;
    int r = 0;
    if (in->place == PLACE_CONVERSATION)
        r = buf_add_slice(&in->conversation, piece);
    else if (in->place == PLACE_SHA)
        r = buf_add_slice(&in->sha256, piece);
    else if (in->place == PLACE_FILE && !in->trouble.code)
        upload_write(in->upload, piece);
    if (r)
        err_set(&in->trouble, ERR_TOOBIG, "a field is too long");
    if (in->upload && upload_bytes(in->upload) > in->most)
        files_too_long(&in->trouble, "file", in->most);
}

static void on_body(struct http_req *r, struct slice piece)
{
    struct incoming *in = r->user;
    int code = multipart_feed(&in->parser, piece);
    if (code && !in->trouble.code)
        err_set(&in->trouble, code, "the body is malformed: %s",
                in->parser.why ? in->parser.why : "not multipart");
    if (in->trouble.code) {
        fail(in, &in->trouble);
    } else if (in->upload && !in->held &&
               upload_waiting(in->upload) > FILES_PIECES_BYTES) {
        in->held = true;
        http_hold(r);
    }
}

/* --- the end -------------------------------------------------------------- */

static void on_kept(struct keep *k)
{
    struct incoming *in = k->owner;
    if (k->result) {
        k->err.code = k->result;
        fail(in, &k->err);
        return;
    }
    struct call *c = &in->c;
    struct jsonw *w = reply_begin(c);
    files_write(c->s, c->a, w, &k->file);
    leave(in);
    reply_send(c, 201);
}

static void keep(struct incoming *in)
{
    in->keep =
        (struct keep){.s = in->c.s,
                      .arena = in->c.a,
                      .upload = in->upload,
                      .by = in->by,
                      .name = in->name,
                      .mime = in->mime,
                      .sha256 = slice_dup(in->c.a, buf_slice(&in->sha256)),
                      .done = on_kept,
                      .owner = in};
    in->upload = NULL;
    keep_file(&in->keep);
}

static void on_checked(struct conv_check *k, int result)
{
    struct incoming *in = k->owner;
    struct err e;
    if (result) {
        in->c.err.code = result;
        fail(in, &in->c.err);
    } else if (upload_failed(in->upload, &e)) {
        fail(in, &e);
    } else {
        keep(in);
    }
}

static void on_end(struct http_req *r, int result)
{
    struct incoming *in = r->user;
    struct err e = {0};
    in->ended = true;
    if (result)
        err_set(&e, result, "the upload broke off");
    else if (!multipart_is_whole(&in->parser))
        err_set(&e, ERR_BAD_REQUEST, "the body ends before its last boundary");
    else if (!in->upload)
        err_field(&e, ERR_UNPROCESSABLE, "file", "there is no part `file`");
    else if (in->conversation.len && !id_parse(buf_slice(&in->conversation),
                                               ID_CONVERSATION, &in->by.conv))
        err_field(&e, ERR_NOT_FOUND, "conversation",
                  "there is no such conversation");
    if (e.code) {
        fail(in, &e);
        return;
    }
    if (!in->by.conv) {
        keep(in);
        return;
    }
    in->check = (struct conv_check){&in->c, &in->by, on_checked, in};
    files_check_conversation(&in->check);
}

/* --- the head ------------------------------------------------------------- */

static int admit(struct call *c, int64_t most)
{
    struct server *s = c->s;
    int64_t wait = guard_try(s->upload_guard, slice_of(c->r->address),
                             clock_ms(), MINUTE_MS, s->conf.uploads_per_min);
    if (most <= 0)
        return files_too_long(&c->err, "file", most);
    if (wait > 0)
        return err_set(&c->err, ERR_RATE_LIMITED,
                       "too many uploads; try again in %lld s",
                       (long long)(wait / 1000 + 1));
    if (s->uploads >= LIMIT_UPLOADS)
        return err_set(&c->err, ERR_UNAVAILABLE, "too many uploads at once");
    if (c->r->length > most + HEADS)
        return files_too_long(&c->err, "file", most);
    return 0;
}

static bool may_write(struct call *c)
{
    return c->visitor || scopes_allow(c->who.scopes, "files", true);
}

static void begin_form(struct call *c)
{
    static const struct multipart_calls calls = {
        .on_part = on_part, .on_data = on_data, .on_part_end = NULL};
    struct incoming *in = (struct incoming *)c;
    in->by = files_bringer(c);
    in->most = files_most(c->s, in->by.policy);
    int r = admit(c, in->most);
    if (r == 0 && !may_write(c))
        r = err_set(&c->err, ERR_FORBIDDEN,
                    "this token has no scope files:write");
    if (r == 0 && multipart_init(&in->parser, http_header(c->r, "Content-Type"),
                                 &calls, in))
        r = err_set(&c->err, ERR_UNSUPPORTED,
                    "send multipart/form-data with the part `file`");
    if (r) {
        c->err.code = r;
        reply_error(c, &c->err);
        return;
    }
    buf_init(&in->conversation, FIELD_BYTES);
    buf_init(&in->sha256, FIELD_BYTES);
    c->s->uploads++;
    meter_add(&m_now, 1);
    meter_add(&m_all, 1);
    c->r->user = in;
    c->r->on_body = on_body;
    c->r->on_end = on_end;
}

static bool is_chunk(const struct http_req *r)
{
    return slice_is(r->method, "PATCH") &&
           slice_starts(r->path, "/api/v1/files/uploads/");
}

bool files_streams(void *server, const struct http_req *r)
{
    (void)server;
    return is_chunk(r) ||
           (slice_is(r->method, "POST") && slice_is(r->path, "/api/v1/files"));
}

void files_incoming(struct server *s, struct http_req *r)
{
    struct incoming *in = arena_one(r->arena, struct incoming);
    struct call *c = &in->c;
    c->s = s;
    c->r = r;
    c->a = r->arena;
    list_init(&c->link);
    c->w = jsonw_on(&c->out);
    if (s->state != SERVER_SERVING) {
        reply_fail(c, ERR_UNAVAILABLE, NULL, "the server is stopping");
    } else if (http_header(r, "X-Signature").len &&
               !http_header(r, "Authorization").len) {
        /* It covers the whole body, which is never here as a whole. */
        reply_fail(c, ERR_UNAUTHORIZED, NULL,
                   "uploads take Authorization: Bearer, no signature");
    } else if (is_chunk(r)) {
        c->args[0] = (struct slice){r->path.at + 22, r->path.len - 22};
        files_caller(c, resumable_patch);
    } else {
        files_caller(c, begin_form);
    }
}
