/* SPDX-License-Identifier: Apache-2.0 */
/* json_write.c - the writer: commas, quotes, numbers.
 *
 * Happy path: runs of plain bytes are found eight at a time and copied whole;
 * a flag says whether a comma is due.
 *
 * Failure modes: the first failure (no room) sticks in .failed and later calls
 * do nothing; json_quote alone takes back what it began.
 */
#include "base/json.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

/* The high bit of each byte that must be escaped; exact up to the first. */
static inline uint64_t specials(uint64_t x)
{
    uint64_t quote = x ^ ONES * '"', slash = x ^ ONES * '\\';
    return ((x - ONES * 0x20) | (quote - ONES) | (slash - ONES)) & ~x & HIGHS;
}

/* How many bytes at p go out as they are. */
static size_t plain_run(const char *p, size_t n)
{
    size_t i = 0;
    for (uint64_t x, hit; i + 8 <= n; i += 8) {
        memcpy(&x, p + i, 8);
        if ((hit = specials(x)) != 0)
            return i + (size_t)__builtin_ctzll(hit) / 8;
    }
    for (; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
    }
    return i;
}

static size_t escape(unsigned char c, char out[6])
{
    static const char hex[] = "0123456789abcdef";
    static const char *const shorts = "\"\"\\\\\bb\ff\nn\rr\tt";
    out[0] = '\\';
    for (const char *s = shorts; *s; s += 2) {
        if ((unsigned char)*s == c) {
            out[1] = s[1];
            return 2;
        }
    }
    out[1] = 'u';
    out[2] = out[3] = '0';
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];
    return 6;
}

int json_quote(struct buf *out, struct slice s)
{
    size_t before = out->len, i = 0;
    int err = buf_reserve(out, s.len + 2);
    if (err < 0)
        return err;
    out->data[out->len++] = '"';
    while (i < s.len) {
        size_t run = plain_run(s.at + i, s.len - i);
        char esc[6];
        err = buf_add(out, s.at + i, run);
        i += run;
        if (!err && i < s.len)
            err = buf_add(out, esc, escape((unsigned char)s.at[i++], esc));
        if (err < 0) {
            out->len = before;
            return err;
        }
    }
    if ((err = buf_add_char(out, '"')) < 0)
        out->len = before;
    return err;
}

struct jsonw jsonw_on(struct buf *out)
{
    return (struct jsonw){.out = out};
}

static void note(struct jsonw *w, int err)
{
    if (err < 0 && !w->failed)
        w->failed = err;
}

/* Before a value or key: the comma that the one before left to us. */
static bool begin(struct jsonw *w)
{
    if (w->comma && !w->failed)
        note(w, buf_add_char(w->out, ','));
    w->comma = true;
    return !w->failed;
}

void jsonw_open(struct jsonw *w, char bracket)
{
    if (begin(w))
        note(w, buf_add_char(w->out, bracket));
    w->comma = false;
}

void jsonw_close(struct jsonw *w, char bracket)
{
    if (!w->failed)
        note(w, buf_add_char(w->out, bracket));
    w->comma = true;
}

static void key_slice(struct jsonw *w, struct slice key)
{
    if (begin(w))
        note(w, json_quote(w->out, key));
    if (!w->failed)
        note(w, buf_add_char(w->out, ':'));
    w->comma = false;
}

void jsonw_key(struct jsonw *w, const char *key)
{
    key_slice(w, slice_of(key));
}

void jsonw_text(struct jsonw *w, struct slice s)
{
    if (begin(w))
        note(w, json_quote(w->out, s));
}

void jsonw_int(struct jsonw *w, int64_t n)
{
    if (begin(w))
        note(w, buf_add_i64(w->out, n));
}

void jsonw_real(struct jsonw *w, double n)
{
    if (!isfinite(n)) {
        jsonw_null(w);
        return;
    }
    /* The shortest text that reads back as the same number, and one that
     * shows it is no integer. */
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text - 2, "%.*g", digits, n);
        if (strtod(text, NULL) == n)
            break;
    }
    struct slice s = slice_of(text);
    if (!strpbrk(text, ".e")) {
        text[s.len++] = '.';
        text[s.len++] = '0';
    }
    jsonw_raw(w, s);
}

void jsonw_bool(struct jsonw *w, bool b)
{
    jsonw_raw(w, b ? SLICE("true") : SLICE("false"));
}

void jsonw_null(struct jsonw *w)
{
    jsonw_raw(w, SLICE("null"));
}

void jsonw_raw(struct jsonw *w, struct slice json)
{
    if (begin(w))
        note(w, buf_add_slice(w->out, json));
}

static void container(struct jsonw *w, const struct json *j)
{
    bool object = j->type == JSON_OBJECT;
    jsonw_open(w, object ? '{' : '[');
    for (const struct json *c = j->first; c; c = c->next) {
        if (object)
            key_slice(w, c->key);
        jsonw_value(w, c); /* no deeper than what json_parse lets in */
    }
    jsonw_close(w, object ? '}' : ']');
}

void jsonw_value(struct jsonw *w, const struct json *j)
{
    switch (j ? j->type : JSON_NULL) {
    case JSON_NULL:
        jsonw_null(w);
        break;
    case JSON_BOOL:
        jsonw_bool(w, j->boolean);
        break;
    case JSON_INT:
        jsonw_int(w, j->integer);
        break;
    case JSON_REAL:
        jsonw_real(w, j->real);
        break;
    case JSON_STRING:
        jsonw_text(w, j->text);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        container(w, j);
        break;
    }
}

void jsonw_put_text(struct jsonw *w, const char *key, struct slice s)
{
    jsonw_key(w, key);
    if (s.at)
        jsonw_text(w, s);
    else
        jsonw_null(w);
}

void jsonw_put_int(struct jsonw *w, const char *key, int64_t n)
{
    jsonw_key(w, key);
    jsonw_int(w, n);
}

void jsonw_put_bool(struct jsonw *w, const char *key, bool b)
{
    jsonw_key(w, key);
    jsonw_bool(w, b);
}

void jsonw_put_raw(struct jsonw *w, const char *key, struct slice json)
{
    jsonw_key(w, key);
    jsonw_raw(w, json);
}
