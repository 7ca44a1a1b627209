/* SPDX-License-Identifier: Apache-2.0 */
/* outgoing.c - GET /files/<id>: who may have it, and how it goes out.
 *
 * Happy path: a signed link that is good, or somebody who sees the file; the
 * files' thread opens it, its bytes are read off the main thread. What could
 * run in a browser is only ever saved, never shown; nothing is guessed
 * (nosniff), no script runs in it (CSP). Failure: nobody said who (401), a
 * link that is over or wrong (403), not theirs (visitors 404, agents 403), a
 * range outside (416).
 */
#include "app/files/files.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/meter.h"
#include <stdio.h>

METER(m_out, METER_COUNTER, "yuelai_files_sent_total", "Files asked for");
METER(m_links, METER_COUNTER, "yuelai_files_by_link_total",
      "Of these, by a signed link");

/* --- links ---------------------------------------------------------------- */

#define SIGNATURE 22 /* base64url of 16 bytes */

static void sign(struct server *s, uint64_t id, int64_t until, bool thumb,
                 char out[SIGNATURE + 1])
{
    unsigned char mac[SHA256_BYTES];
    char text[96];
    struct buf b;
    int n = snprintf(text, sizeof text, "file\n%llu\n%lld\n%d",
                     (unsigned long long)id, (long long)until, thumb);
    hmac_sha256((struct slice){(const char *)s->key, sizeof s->key},
                (struct slice){text, (size_t)n}, mac);
    buf_init(&b, 64);
    must(base64url_add(&b, (struct slice){(const char *)mac, 16}) == 0);
    must(b.len == SIGNATURE);
    memcpy(out, b.data, SIGNATURE);
    out[SIGNATURE] = '\0';
    buf_fini(&b);
}

static struct slice link_of(struct server *s, struct arena *a, uint64_t id,
                            bool thumb, const char *before, int64_t until)
{
    char sig[SIGNATURE + 1], text[CONFIG_TEXT + 160], name[ID_TEXT];
    sign(s, id, until, thumb, sig);
    int n = snprintf(text, sizeof text, "%s/files/%.*s?e=%lld&s=%s%s", before,
                     SLICE_FMT(id_text(name, ID_FILE, id)), (long long)until,
                     sig, thumb ? "&thumb=1" : "");
    return slice_dup(a, (struct slice){text, (size_t)n});
}

struct slice files_link(struct server *s, struct arena *a, uint64_t id,
                        bool thumb)
{
    return link_of(s, a, id, thumb, "",
                   clock_ms() / 1000 + s->conf.link_minutes * 60);
}

struct slice files_public_link(struct server *s, struct arena *a, uint64_t id)
{
    size_t n = strlen(s->conf.public_url);
    char before[CONFIG_TEXT];
    if (n == 0)
        return SLICE("");
    memcpy(before, s->conf.public_url, n + 1);
    if (before[n - 1] == '/')
        before[n - 1] = '\0';
    return link_of(s, a, id, false, before,
                   clock_ms() / 1000 + s->conf.link_minutes * 60);
}

/* 1: a good link, 0: none was given, ERR_FORBIDDEN. */
static int check_link(struct call *c, uint64_t id, bool thumb)
{
    struct slice e, s;
    char want[SIGNATURE + 1];
    int64_t until;
    bool has_e = http_query(c->r, "e", &e), has_s = http_query(c->r, "s", &s);
    if (!has_e && !has_s)
        return 0;
    if (!has_e || !has_s || !slice_to_i64(e, &until) || s.len != SIGNATURE)
        return err_set(&c->err, ERR_FORBIDDEN, "this link is wrong");
    sign(c->s, id, until, thumb, want);
    if (!crypto_equal(want, s.at, SIGNATURE))
        return err_set(&c->err, ERR_FORBIDDEN, "this link is wrong");
    if (until < clock_ms() / 1000)
        return err_set(&c->err, ERR_FORBIDDEN, "this link is over");
    return 1;
}

/* --- headers -------------------------------------------------------------- */

static void add_disposition(struct buf *b, const struct file *f, bool in_place)
{
    static const char hex[] = "0123456789ABCDEF";
    buf_addf(b, "Content-Disposition: %s", in_place ? "inline" : "attachment");
    if (f->name.len) {
        buf_add_text(b, "; filename*=UTF-8''");
        for (size_t i = 0; i < f->name.len; i++) {
            unsigned char ch = (unsigned char)f->name.at[i];
            bool same = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                        (ch >= '0' && ch <= '9') || strchr("-_.", ch);
            char text[3] = {'%', hex[ch >> 4], hex[ch & 15]};
            buf_add(b, same ? (char *)&ch : text, same ? 1 : 3);
        }
    }
    buf_add_text(b, "\r\n");
}

static struct slice etag_of(struct arena *a, const struct file *f, bool thumb)
{
    char text[40] = "\"";
    for (int i = 0; i < 12; i++)
        snprintf(text + 1 + 2 * i, 3, "%02x", f->hash[i]);
    snprintf(text + 25, 8, "%s\"", thumb ? "-t" : "");
    return slice_dup(a, slice_of(text));
}

struct outgoing {
    struct call c; /* must be first */
    struct file_open open;
    struct file file;
    bool thumb, by_link;
};

static struct slice headers_of(struct outgoing *o, struct slice etag,
                               int64_t from, int64_t count)
{
    struct buf b;
    bool in_place = o->thumb || files_is_inert(o->file.mime);
    buf_init(&b, 8192);
    buf_addf(&b,
             "ETag: %.*s\r\nAccept-Ranges: bytes\r\n"
             "Cache-Control: private, max-age=%d\r\n"
             "Content-Security-Policy: default-src 'none'; sandbox\r\n"
             "Cross-Origin-Resource-Policy: %s\r\n"
             "Referrer-Policy: no-referrer\r\n",
             SLICE_FMT(etag), o->by_link ? 3600 : 86400,
             o->by_link ? "cross-origin" : "same-origin");
    add_disposition(&b, &o->file, in_place);
    if (count >= 0)
        buf_addf(&b, "Content-Range: bytes %lld-%lld/%lld\r\n", (long long)from,
                 (long long)(from + count - 1), (long long)o->open.size);
    struct slice out = slice_dup(o->c.a, buf_slice(&b));
    buf_fini(&b);
    return out;
}

/* What could run is bytes to a browser. */
static struct slice type_of(const struct outgoing *o)
{
    static const char *const active[] = {
        "text/html",      "image/svg+xml",   "application/xhtml+xml",
        "text/xml",       "application/xml", "application/javascript",
        "text/javascript"};
    if (o->thumb)
        return SLICE("image/webp");
    for (size_t i = 0; i < sizeof active / sizeof active[0]; i++)
        if (slice_is_nocase(o->file.mime, active[i]))
            return SLICE("application/octet-stream");
    return o->file.mime;
}

/* --- the bytes ------------------------------------------------------------ */

static bool is_known_to(struct slice list, struct slice etag)
{
    return slice_is(slice_trim(list), "*") ||
           (list.len && memmem(list.at, list.len, etag.at, etag.len));
}

static void on_open(struct file_open *op)
{
    struct outgoing *o = op->owner;
    struct call *c = &o->c;
    int64_t from = 0, count = op->size;
    if (op->result) {
        reply_fail(c, op->result, NULL,
                   op->result == ERR_NOT_FOUND
                       ? "the file is not there any more"
                       : "the file cannot be read now");
        return;
    }
    struct slice etag = etag_of(c->a, &o->file, o->thumb);
    struct slice range = http_header(c->r, "Range");
    struct slice if_range = http_header(c->r, "If-Range");
    struct http_req *r = c->r;
    if (is_known_to(http_header(r, "If-None-Match"), etag)) {
        struct slice headers = headers_of(o, etag, 0, -1);
        http_reply_fd(r, 304, SLICE(""), headers, op->fd, 0, 0);
        return;
    }
    int part = 0;
    if (range.len && (!if_range.len || slice_eq(if_range, etag)))
        part = http_range(range, op->size, &from, &count);
    if (part < 0) {
        char text[64];
        snprintf(text, sizeof text, "bytes */%lld", (long long)op->size);
        struct buf h;
        buf_init(&h, 128);
        buf_addf(&h, "Content-Range: %s\r\n", text);
        struct slice headers = slice_dup(c->a, buf_slice(&h));
        buf_fini(&h);
        http_reply_fd(r, 416, SLICE(""), headers, op->fd, 0, 0);
        return;
    }
    http_reply_fd(r, part == 1 ? 206 : 200, type_of(o),
                  headers_of(o, etag, from, part == 1 ? count : -1), op->fd,
                  from, count);
}

static void on_file(struct query *q)
{
    struct outgoing *o = q->owner;
    struct call *c = &o->c;
    if (q->result) {
        c->err = q->err;
        c->err.code = q->result;
        query_free(q);
        reply_error(c, &c->err);
        return;
    }
    o->file = *q->file;
    o->file.mime = slice_dup(c->a, q->file->mime);
    o->file.name = slice_dup(c->a, q->file->name);
    query_free(q);
    if (o->thumb && !o->file.has_thumb) {
        reply_fail(c, ERR_NOT_FOUND, NULL, "this file has no thumbnail");
        return;
    }
    o->open =
        (struct file_open){.thumb = o->thumb, .done = on_open, .owner = o};
    memcpy(o->open.hash, o->file.hash, FILES_HASH);
    files_open(c->s->filing, &o->open);
}

static void look(struct call *c)
{
    struct outgoing *o = (struct outgoing *)c;
    struct query *q = query_new(QUERY_FILE, on_file, o);
    q->id = c->id;
    if (o->by_link) {
        q->viewer.role = ROLE_SYSTEM;
    } else if (c->visitor) {
        q->viewer.role = ROLE_VISITOR;
        q->viewer.id = c->visitor;
    } else {
        caller_viewer(c, q->arena, &q->viewer);
    }
    server_read(c->s, q);
}

static void known(struct call *c)
{
    if (c->visitor || scopes_allow(c->who.scopes, "files", false))
        look(c);
    else
        reply_fail(c, ERR_FORBIDDEN, NULL,
                   "this token has no scope files:read");
}

void files_answer_get(struct server *s, struct http_req *r)
{
    struct outgoing *o = arena_one(r->arena, struct outgoing);
    struct call *c = &o->c;
    struct slice thumb, name = r->path;
    c->s = s;
    c->r = r;
    c->a = r->arena;
    list_init(&c->link);
    c->w = jsonw_on(&c->out);
    meter_add(&m_out, 1);
    name = name.len > 7 ? (struct slice){name.at + 7, name.len - 7} : SLICE("");
    o->thumb = http_query(r, "thumb", &thumb) && !slice_is(thumb, "0");
    if (!slice_is(r->method, "GET") && !slice_is(r->method, "HEAD")) {
        http_reply(r, 405, SLICE("application/json"),
                   SLICE("Allow: GET, HEAD\r\n"),
                   SLICE("{\"error\":{\"code\":\"bad_request\",\"message\":"
                         "\"this path answers GET only\"}}"));
        return;
    }
    if (s->state != SERVER_SERVING) {
        reply_fail(c, ERR_UNAVAILABLE, NULL, "the server is stopping");
        return;
    }
    if (!id_parse(name, ID_FILE, &c->id)) {
        reply_missing(c, "file");
        return;
    }
    int link = check_link(c, c->id, o->thumb);
    if (link < 0) {
        reply_error(c, &c->err);
        return;
    }
    o->by_link = link == 1;
    if (o->by_link) {
        meter_add(&m_links, 1);
        look(c);
    } else {
        files_caller(c, known);
    }
}
