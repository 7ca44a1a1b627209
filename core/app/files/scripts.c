/* SPDX-License-Identifier: Apache-2.0 */
/* scripts.c - files for scripts: in from a platform, out to one.
 *
 * Happy path in: what the platform answers goes piece by piece to the files
 * wing; while too much of it is unwritten its peer is held back. Out: an item
 * gets its file's link; a body is read whole if it is small. Failure: a status
 * that is no success, too long, refused for what it is: the ask says so and
 * nothing is kept.
 */
#include "app/asks.h"
#include "app/files/files.h"
#include "app/files/multipart.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include <stdio.h>
#include <unistd.h>

struct fetch {
    struct httpc_call call;
    struct server *s;
    struct script_ask *ask;
    struct upload *upload;
    struct keep keep;
    int64_t most;
    bool has_more, ended;
    bool or_json; /* then JSON without a file's name is the platform's word */
    bool word;    /* the platform speaks, instead of sending a file */
    struct buf said; /* what it says */
    struct err err;  /* why it was given up */
};

static void refuse(struct fetch *f, const struct err *e)
{
    struct script_ask *ask = f->ask;
    struct err copy = *e;
    if (f->upload)
        upload_drop(f->upload);
    f->upload = NULL;
    buf_fini(&f->said);
    asks_refuse(f->s, ask, copy.code, copy.text);
}

static void on_kept(struct keep *k)
{
    struct fetch *f = k->owner;
    struct script_ask *ask = f->ask;
    if (k->result) {
        k->err.code = k->result;
        refuse(f, &k->err);
        return;
    }
    struct buf out;
    buf_init(&out, 8192);
    struct jsonw w = jsonw_on(&out);
    file_put_json(&w, &k->file);
    ask->data = slice_dup(ask->arena, buf_slice(&out));
    ask->was = SLICE("");
    buf_fini(&out);
    asks_answer(f->s, ask);
}

static struct slice header_of(struct slice lines, const char *name)
{
    size_t n = strlen(name);
    while (lines.len) {
        const char *end = memchr(lines.at, '\n', lines.len);
        size_t len = end ? (size_t)(end - lines.at) : lines.len;
        if (len > n && lines.at[n] == ':' && memcmp(lines.at, name, n) == 0)
            return slice_trim((struct slice){lines.at + n + 1, len - n - 1});
        len += end != NULL;
        lines.at += len;
        lines.len -= len;
    }
    return SLICE("");
}

/* "a b" of "a%20b"; what is no escape stays. */
static struct slice unescaped(struct arena *a, struct slice s)
{
    char *out = arena_text(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c == '%' && i + 2 < s.len &&
            hex_decode((struct slice){s.at + i + 1, 2}, &c, 1))
            i += 2;
        out[n++] = (char)c;
    }
    return (struct slice){out, n};
}

/* "a.jpg" of a Content-Disposition; "" without one. */
static struct slice disposed_name(const struct fetch *f)
{
    struct slice of = header_of(f->call.answer_headers, "content-disposition");
    struct slice name = multipart_parameter(of, "filename*");
    if (slice_starts(name, "UTF-8''") || slice_starts(name, "utf-8''"))
        name = (struct slice){name.at + 7, name.len - 7};
    else
        name = multipart_parameter(of, "filename");
    return name.len ? unescaped(f->ask->arena, name) : SLICE("");
}

/* "a.jpg" of what the script or the platform says, or of the url. */
static struct slice name_of(const struct fetch *f)
{
    struct slice url = f->ask->http ? f->ask->http->url : SLICE("");
    if (f->ask->name.len || !url.len)
        return f->ask->name;
    struct slice said = disposed_name(f);
    if (said.len)
        return said;
    const char *end = memchr(url.at, '?', url.len);
    size_t n = end ? (size_t)(end - url.at) : url.len;
    const char *slash = memrchr(url.at, '/', n);
    struct slice last =
        slash ? (struct slice){slash + 1, n - (size_t)(slash + 1 - url.at)}
              : SLICE("");
    return last.len && memchr(last.at, '.', last.len) ? last : SLICE("");
}

static void keep(struct fetch *f)
{
    struct slice said = header_of(f->call.answer_headers, "content-type");
    f->keep = (struct keep){.s = f->s,
                            .arena = f->ask->arena,
                            .upload = f->upload,
                            .by = {.channel = (uint64_t)f->ask->number,
                                   .policy = (uint64_t)f->ask->number},
                            .name = name_of(f),
                            .mime = f->ask->was.len ? f->ask->was : said,
                            .done = on_kept,
                            .owner = f};
    f->upload = NULL;
    keep_file(&f->keep);
}

/* --- from a url ----------------------------------------------------------- */

bool file_is_word(int status, struct slice headers)
{
    struct slice type = header_of(headers, "content-type");
    if (status < 200 || status > 299)
        return true;
    return !header_of(headers, "content-disposition").len &&
           (slice_starts(type, "application/json") ||
            slice_starts(type, "text/"));
}

/* True if that was an answer in JSON: it goes to the script. */
static bool answer_word(struct fetch *f)
{
    struct script_ask *ask = f->ask;
    struct json *j;
    if (buf_add_slice(&f->said, f->call.answer) ||
        json_parse(ask->arena, buf_slice(&f->said), NULL, &j) < 0 ||
        !json_is(j, JSON_OBJECT))
        return false;
    upload_drop(f->upload);
    ask->data = slice_dup(ask->arena, buf_slice(&f->said));
    ask->was = SLICE("answer");
    buf_fini(&f->said);
    asks_answer(f->s, ask);
    return true;
}

static void give_up(struct fetch *f, int code, const char *why)
{
    if (!f->err.code) {
        err_set(&f->err, code, "%s", why);
        httpc_cancel(f->s->net, &f->call); /* done comes */
    }
}

static void too_long(struct fetch *f)
{
    struct err e;
    files_too_long(&e, "file", f->most);
    give_up(f, e.code, e.text);
}

static void take_more(struct fetch *f)
{
    if (f->err.code || !f->has_more ||
        upload_waiting(f->upload) > FILES_PIECES_BYTES)
        return;
    f->has_more = false;
    if (f->word) {
        if (buf_add_slice(&f->said, httpc_read(f->s->net, &f->call)))
            give_up(f, ERR_UNAVAILABLE, "the answer is no file, and long");
        return;
    }
    upload_write(f->upload, httpc_read(f->s->net, &f->call));
    if (upload_bytes(f->upload) > f->most)
        too_long(f);
}

static void on_moved(void *arg)
{
    struct fetch *f = arg;
    struct err e;
    if (f->ended)
        return;
    if (upload_failed(f->upload, &e))
        give_up(f, e.code, e.text);
    else
        take_more(f);
}

static void on_head(struct httpc_call *c)
{
    struct fetch *f = c->owner;
    int64_t length;
    char why[64];
    snprintf(why, sizeof why, "the answer was %d", c->status);
    f->word = f->or_json && file_is_word(c->status, c->answer_headers);
    if (f->word)
        return;
    if (c->status < 200 || c->status > 299)
        give_up(f, c->status == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE, why);
    else if (slice_to_i64(header_of(c->answer_headers, "content-length"),
                          &length) &&
             length > f->most)
        too_long(f); /* not one byte of it is fetched in vain */
}

static void on_more(struct httpc_call *c)
{
    struct fetch *f = c->owner;
    f->has_more = true;
    take_more(f);
}

static void on_done(struct httpc_call *c)
{
    struct fetch *f = c->owner;
    struct err e = f->err;
    f->ended = true;
    if (!e.code && c->result) {
        e = c->err;
        e.code = c->result;
    }
    /* A short answer is here before its head was told. */
    f->word = f->or_json && file_is_word(c->status, c->answer_headers);
    if (!e.code && f->word && answer_word(f))
        return;
    if (!e.code && (f->word || c->status < 200 || c->status > 299))
        err_set(&e, c->status == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
                "the answer was %d, and no file", c->status);
    if (!e.code) {
        upload_write(f->upload, c->answer);
        if (upload_bytes(f->upload) > f->most)
            files_too_long(&e, "file", f->most);
        else
            (void)upload_failed(f->upload, &e);
    }
    if (e.code)
        refuse(f, &e);
    else
        keep(f);
}

void file_ask(struct server *s, struct script_ask *ask)
{
    struct fetch *f = arena_one(ask->arena, struct fetch);
    const struct http_call *h = ask->http;
    if (s->state != SERVER_SERVING || !s->filing) {
        asks_refuse(s, ask, ERR_UNAVAILABLE, "the server is stopping");
        return;
    }
    *f = (struct fetch){.s = s, .ask = ask};
    f->most = files_most(s, (uint64_t)ask->number);
    if (f->most <= 0) {
        asks_refuse(s, ask, ERR_UNSUPPORTED, "no files are taken here");
        return;
    }
    if (h && h->body_max && (int64_t)h->body_max < f->most)
        f->most = (int64_t)h->body_max;
    f->upload = upload_new(s->filing, on_moved, f);
    f->or_json = h && slice_is(ask->data, "json");
    buf_init(&f->said, LIMIT_HTTP_WORD_BYTES);
    if (!h) {
        f->ended = true;
        upload_write(f->upload, ask->data);
        keep(f);
        return;
    }
    f->call = (struct httpc_call){.method = h->method,
                                  .url = h->url,
                                  .body = h->body,
                                  .headers = h->headers,
                                  .header_count = h->header_count,
                                  .connect_ms = h->connect_ms,
                                  .total_ms = h->timeout_ms,
                                  .follow = h->follow ? h->follow : 3,
                                  .stream = true,
                                  .arena = ask->arena,
                                  .head = on_head,
                                  .more = on_more,
                                  .done = on_done,
                                  .owner = f};
    httpc_start(s->net, &f->call);
}

/* --- a file that is here, whole -------------------------------------------- */

struct reading {
    struct server *s;
    struct script_ask *ask;
    struct file_open open;
};

static void on_body_read(struct file_open *o)
{
    struct reading *r = o->owner;
    struct script_ask *ask = r->ask;
    if (o->result) {
        asks_refuse(r->s, ask, o->result, "the file cannot be read");
        return;
    }
    ask->data = (struct slice){o->into, (size_t)o->size};
    asks_answer(r->s, ask);
}

/* The bytes are read by the files' thread (I5); the room for them is here. */
static void on_body_file(struct query *q)
{
    struct reading *r = q->owner;
    int result = q->result;
    int64_t size = result == 0 ? q->file->size : 0;
    if (result == 0)
        memcpy(r->open.hash, q->file->hash, FILES_HASH);
    query_free(q);
    if (result || !r->s->filing) {
        asks_refuse(r->s, r->ask, result ? result : ERR_CANCELLED,
                    "there is no such file");
        return;
    }
    if (size > LIMIT_HTTP_BODY_MOST) {
        asks_refuse(r->s, r->ask, ERR_TOOBIG,
                    "the file is over 8 MB; send it by multipart");
        return;
    }
    r->open.into = arena_text(r->ask->arena, (size_t)size + 1);
    r->open.room = size;
    r->open.done = on_body_read;
    r->open.owner = r;
    files_open(r->s->filing, &r->open);
}

void file_body_ask(struct server *s, struct script_ask *ask)
{
    struct reading *r = arena_one(ask->arena, struct reading);
    *r = (struct reading){.s = s, .ask = ask};
    if (s->state != SERVER_SERVING) {
        asks_refuse(s, ask, ERR_UNAVAILABLE, "the server is stopping");
        return;
    }
    struct query *q = query_new(QUERY_FILE, on_body_file, r);
    q->id = (uint64_t)ask->number;
    q->viewer.role = ROLE_SYSTEM;
    server_read(s, q);
}

/* --- the files of a request ------------------------------------------------ */

static void opened_end(struct files_opened *o, int result)
{
    o->result = result;
    while (result && o->now > 0)
        close(o->fds[--o->now]);
    o->done(o);
}

static void open_next(struct files_opened *o);

static void on_one_open(struct file_open *op)
{
    struct files_opened *o = op->owner;
    if (op->result) {
        opened_end(o, op->result);
        return;
    }
    o->fds[o->now] = op->fd;
    o->sizes[o->now++] = op->size;
    open_next(o);
}

static void on_one_file(struct query *q)
{
    struct files_opened *o = q->owner;
    int result = q->result;
    if (result == 0)
        memcpy(o->open.hash, q->file->hash, FILES_HASH);
    query_free(q);
    if (result || !o->s->filing) {
        opened_end(o, result ? result : ERR_CANCELLED);
        return;
    }
    o->open.done = on_one_open;
    o->open.owner = o;
    files_open(o->s->filing, &o->open);
}

static void open_next(struct files_opened *o)
{
    if (o->now == o->count) {
        opened_end(o, o->s->state < SERVER_CLOSING ? 0 : ERR_CANCELLED);
        return;
    }
    struct query *q = query_new(QUERY_FILE, on_one_file, o);
    q->id = o->files[o->now].id;
    q->viewer.role = ROLE_SYSTEM;
    server_read(o->s, q);
}

void files_open_all(struct files_opened *o)
{
    must(o->count <= FILES_OF_REQUEST);
    open_next(o);
}

/* --- an item on its way out ----------------------------------------------- */

void files_dress_item(struct server *s, struct job *job)
{
    struct arena *a = job->arena;
    struct json *item;
    uint64_t id;
    if (!job->call ||
        !memmem(job->call->item.at, job->call->item.len, "\"file\":{", 8) ||
        json_parse(a, job->call->item, NULL, &item) < 0 ||
        !id_parse(json_text(json_get(item, "file"), "id"), ID_FILE, &id))
        return;
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES * 2);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    for (const struct json *j = item->first; j; j = j->next) {
        jsonw_key(&w, slice_dup(a, j->key).at);
        if (!slice_is(j->key, "file")) {
            jsonw_value(&w, j);
            continue;
        }
        jsonw_open(&w, '{');
        for (const struct json *k = j->first; k; k = k->next) {
            jsonw_key(&w, slice_dup(a, k->key).at);
            jsonw_value(&w, k);
        }
        struct slice url = files_public_link(s, a, id);
        if (url.len)
            jsonw_put_text(&w, "url", url);
        jsonw_close(&w, '}');
    }
    jsonw_close(&w, '}');
    if (!w.failed)
        job->call->item = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
}
