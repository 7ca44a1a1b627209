/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - answers, errors and lists.
 *
 * Happy path: the answer is written into the call's buffer and sent once; what
 * must last is committed first. Failure: what was written is dropped and the
 * error goes out instead.
 */
#include "app/api/api.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/meter.h"
#include <stdio.h>
#include <stdlib.h>

static void count(const struct call *c, int status)
{
    char labels[96];
    snprintf(labels, sizeof labels, "{resource=\"%s\",status=\"%dxx\"}",
             c->route && c->route->scope ? c->route->scope : "other",
             status / 100);
    meter_add(meter_labelled(METER_COUNTER, "yuelai_api_requests_total",
                             "REST requests by resource and status", 0, labels),
              1);
}

static void finish(struct call *c, int status, struct slice headers,
                   struct slice body)
{
    struct buf out = c->out;
    struct slice type = body.len ? SLICE("application/json") : SLICE("");
    c->out = (struct buf){0};
    count(c, status);
    idem_end(c);
    http_reply(c->r, status, type, headers, body); /* frees the call */
    buf_fini(&out);
}

/* A sentence cut in the middle of a character must not break the JSON. */
static struct slice clean(struct call *c, const char *text)
{
    struct slice s = slice_of(text);
    if (slice_is_utf8(s)) {
        return s;
    }
    char *copy = arena_text(c->a, s.len);
    for (size_t i = 0; i < s.len; i++) {
        copy[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    }
    return (struct slice){copy, s.len};
}

void reply_error(struct call *c, const struct err *e)
{
    char headers[128] = "";
    struct buf body;
    int code = e->code ? e->code : ERR_INTERNAL;
    int status = err_status(code);
    buf_init(&body, 4096);
    struct jsonw w = jsonw_on(&body);
    jsonw_open(&w, '{');
    jsonw_key(&w, "error");
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "code", slice_of(err_code(code)));
    jsonw_put_text(&w, "message",
                   clean(c, e->text[0] ? e->text : err_code(code)));
    if (e->field[0]) {
        jsonw_put_text(&w, "field", slice_of(e->field));
    }
    jsonw_close(&w, '}');
    jsonw_close(&w, '}');
    if (status == 429 || status == 503) {
        long long wait = c->number > 0 ? (c->number + 999) / 1000 : 1;
        snprintf(headers, sizeof headers, "Retry-After: %lld\r\n", wait);
    } else if (status == 401) {
        snprintf(headers, sizeof headers, "WWW-Authenticate: Bearer\r\n");
    }
    struct slice head = c->headers.len ? c->headers : slice_of(headers);
    finish(c, status, head, buf_slice(&body));
    buf_fini(&body);
}

void reply_fail(struct call *c, int code, const char *field, const char *fmt,
                ...)
{
    struct err e = {.code = code};
    va_list args;
    va_start(args, fmt);
    vsnprintf(e.text, sizeof e.text, fmt, args);
    va_end(args);
    snprintf(e.field, sizeof e.field, "%s", field ? field : "");
    reply_error(c, &e);
}

void reply_missing(struct call *c, const char *what)
{
    reply_fail(c, ERR_NOT_FOUND, NULL, "there is no such %s", what);
}

struct jsonw *reply_begin(struct call *c)
{
    buf_fini(&c->out);
    buf_init(&c->out, REPLY_MAX);
    c->w = jsonw_on(&c->out);
    return &c->w;
}

static void send_now(struct call *c)
{
    finish(c, c->status, c->headers, buf_slice(&c->out));
}

static void on_kept(struct tx *tx)
{
    struct call *c = tx->owner;
    int r = tx->result;
    struct err e = tx->err;
    tx_free(tx);
    if (r) {
        e.code = r;
        reply_error(c, &e);
        return;
    }
    send_now(c);
}

void reply_send(struct call *c, int status)
{
    c->status = status;
    if (c->w.failed) {
        reply_fail(c, ERR_TOOBIG, NULL, "the answer is too large");
    } else if (c->idem_key.len && !c->idem_kept && status < 300) {
        struct tx *tx = tx_new(on_kept, c);
        idem_keep(c, tx);
        server_commit(c->s, tx);
    } else {
        send_now(c);
    }
}

void reply_none(struct call *c)
{
    finish(c, 204, c->headers, SLICE(""));
}

static void on_committed(struct tx *tx)
{
    struct call *c = tx->owner;
    if (tx->result) {
        struct err e = tx->err;
        e.code = tx->result;
        tx_free(tx);
        reply_error(c, &e);
        return;
    }
    if (c->applied) {
        c->applied(c, tx);
    }
    server_announce(c->s, tx);
    tx_free(tx);
    if (c->status == 204) {
        reply_none(c);
    } else {
        send_now(c);
    }
}

void reply_commit(struct call *c, struct tx *tx, int status,
                  void (*applied)(struct call *c, struct tx *tx))
{
    if (status != 204 && c->w.failed) {
        tx_free(tx);
        reply_fail(c, ERR_TOOBIG, NULL, "the answer is too large");
        return;
    }
    c->status = status;
    c->applied = applied;
    if (c->idem_key.len) {
        idem_keep(c, tx);
    }
    tx->owner = c;
    tx->done = on_committed;
    server_commit(c->s, tx);
}

/* --- pieces --- */

bool call_id(struct call *c, int arg, const char *prefix, const char *what,
             uint64_t *id)
{
    if (id_parse(c->args[arg], prefix, id)) {
        return true;
    }
    reply_missing(c, what);
    return false;
}

void put_id(struct jsonw *w, const char *key, const char *prefix, uint64_t id)
{
    char text[ID_TEXT];
    jsonw_key(w, key);
    if (id) {
        jsonw_text(w, id_text(text, prefix, id));
    } else {
        jsonw_null(w);
    }
}

struct event *call_event(struct call *c, struct tx *tx, enum event_name name,
                         struct slice body)
{
    struct event *ev = tx_event(tx, name);
    ev->role = c->who.agent ? ROLE_AGENT : ROLE_SYSTEM;
    ev->sender = c->who.agent;
    ev->body = slice_dup(tx->arena, body);
    return ev;
}

/* --- lists --- */

static bool read_number(struct call *c, const char *name, int64_t least,
                        int64_t most, int64_t *out)
{
    struct slice text;
    if (!http_query(c->r, name, &text)) {
        return true;
    }
    if (!slice_to_i64(text, out) || *out < least) {
        reply_fail(c, ERR_BAD_REQUEST, name, "%s must be a number from %lld on",
                   name, (long long)least);
        return false;
    }
    if (*out > most) {
        *out = most;
    }
    return true;
}

bool page_read(struct call *c, struct page *p)
{
    int64_t limit = LIMIT_LIST_DEFAULT, offset = 0;
    struct slice after;
    if (!read_number(c, "limit", 1, LIMIT_LIST, &limit) ||
        !read_number(c, "offset", 0, INT32_MAX, &offset)) {
        return false;
    }
    if (http_query(c->r, "after", &after) && after.len) {
        struct slice digits = {after.at + 1, after.len - 1};
        if (after.at[0] != 'o' || !slice_to_i64(digits, &offset) ||
            offset < 0 || offset > INT32_MAX) {
            reply_fail(c, ERR_BAD_REQUEST, "after",
                       "after must be the `next` of an earlier answer");
            return false;
        }
    }
    p->limit = (uint32_t)limit;
    p->offset = (uint32_t)offset;
    return true;
}

void page_next(struct call *c, const struct page *p, uint64_t total)
{
    char text[32];
    uint64_t next = (uint64_t)p->offset + p->limit;
    jsonw_put_int(&c->w, "total", (int64_t)total);
    jsonw_key(&c->w, "next");
    if (next < total) {
        snprintf(text, sizeof text, "o%llu", (unsigned long long)next);
        jsonw_text(&c->w, slice_of(text));
    } else {
        jsonw_null(&c->w);
    }
}

/* The call is the query's owner. */
void reply_page(struct query *q)
{
    struct call *c = q->owner;
    if (q->result) {
        struct err e = q->err;
        e.code = q->result;
        query_free(q);
        reply_error(c, &e);
        return;
    }
    struct page p = {q->limit, q->offset};
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_put_raw(w, "items", q->json.len ? q->json : SLICE("[]"));
    page_next(c, &p, q->total);
    jsonw_close(w, '}');
    query_free(q);
    reply_send(c, 200);
}

void rows_add(struct call *c, struct rows *r, const void *row)
{
    if (r->count == r->max) {
        size_t max = r->max ? r->max * 2 : 64;
        const void **wider = arena_many(c->a, const void *, max);
        if (r->count) {
            memcpy(wider, r->at, r->count * sizeof *wider);
        }
        r->at = wider;
        r->max = max;
    }
    r->at[r->count++] = row;
}

/* Every record begins with its id. */
static int by_id(const void *a, const void *b)
{
    uint64_t x = **(const uint64_t *const *)a, y = **(const uint64_t *const *)b;
    return (x > y) - (x < y);
}

void rows_reply(struct call *c, struct rows *r,
                void (*write)(struct call *c, struct jsonw *w, const void *row))
{
    struct page p;
    if (!page_read(c, &p)) {
        return;
    }
    if (r->count) {
        qsort(r->at, r->count, sizeof *r->at, by_id);
    }
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    jsonw_key(w, "items");
    jsonw_open(w, '[');
    for (size_t i = p.offset; i < r->count && i - p.offset < p.limit; i++) {
        write(c, w, r->at[i]);
    }
    jsonw_close(w, ']');
    page_next(c, &p, r->count);
    jsonw_close(w, '}');
    reply_send(c, 200);
}

static char lower(char ch)
{
    return ch >= 'A' && ch <= 'Z' ? (char)(ch + 32) : ch;
}

static bool contains(struct slice text, struct slice part)
{
    for (size_t i = 0; i + part.len <= text.len; i++) {
        size_t k = 0;
        while (k < part.len && lower(text.at[i + k]) == lower(part.at[k])) {
            k++;
        }
        if (k == part.len) {
            return true;
        }
    }
    return false;
}

bool query_matches(struct call *c, const struct slice *texts, size_t n)
{
    struct slice q;
    if (!http_query(c->r, "q", &q) || q.len == 0) {
        return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (contains(texts[i], q)) {
            return true;
        }
    }
    return false;
}
