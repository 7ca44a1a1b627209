/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - yajl's events become a tree in the arena; and the writer.
 *
 * Happy path: the text is checked for UTF-8 once, yajl reads it, its callbacks
 * hang values under the open container. yajl's own memory comes from the arena
 * too, so there is nothing to free. Why yajl: docs/decisions/
 * 0001-json-library.md.
 *
 * Failure modes: broken UTF-8, an escape that is half a surrogate pair (yajl
 * would let it pass), a number beyond what a double holds, nesting beyond
 * LIMIT_JSON_DEPTH, anything behind the value: ERR_BAD_REQUEST with a
 * sentence. What was built so far stays in the arena and dies with it. The
 * writer's first failure sticks in .failed and later calls do nothing.
 */
#include "base/json.h"
#include "base/limits.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

/* -- reading ------------------------------------------------------------ */

struct reader {
    struct arena *arena;
    struct json *root;
    const char *why; /* what our own checks found */
    struct slice key;
    int depth;
    struct {
        struct json *node;
        struct json *last;
    } open[LIMIT_JSON_DEPTH];
};

static struct json *hang(struct reader *r, enum json_type type)
{
    struct json *j = arena_one(r->arena, struct json);
    j->type = type;
    if (r->depth == 0) {
        r->root = j;
        return j;
    }
    struct json *in = r->open[r->depth - 1].node;
    struct json *last = r->open[r->depth - 1].last;
    if (last)
        last->next = j;
    else
        in->first = j;
    r->open[r->depth - 1].last = j;
    in->count++;
    j->key = r->key;
    r->key = (struct slice){0};
    return j;
}

static int give_up(struct reader *r, const char *why)
{
    r->why = why;
    return 0;
}

static int on_null(void *ctx)
{
    hang(ctx, JSON_NULL);
    return 1;
}

static int on_bool(void *ctx, int yes)
{
    hang(ctx, JSON_BOOL)->boolean = yes != 0;
    return 1;
}

static int on_number(void *ctx, const char *at, size_t len)
{
    struct reader *r = ctx;
    struct slice digits = {at, len};
    int64_t n;
    if (slice_to_i64(digits, &n)) {
        hang(r, JSON_INT)->integer = n;
        return 1;
    }
    double real = strtod(slice_dup(r->arena, digits).at, NULL);
    if (!isfinite(real))
        return give_up(r, "a number is out of range");
    hang(r, JSON_REAL)->real = real;
    return 1;
}

static int on_string(void *ctx, const unsigned char *at, size_t len)
{
    struct reader *r = ctx;
    struct slice text = {(const char *)at, len};
    hang(r, JSON_STRING)->text = slice_dup(r->arena, text);
    return 1;
}

static int on_key(void *ctx, const unsigned char *at, size_t len)
{
    struct reader *r = ctx;
    r->key = slice_dup(r->arena, (struct slice){(const char *)at, len});
    return 1;
}

static int push(struct reader *r, enum json_type type)
{
    if (r->depth == LIMIT_JSON_DEPTH)
        return give_up(r, "nested too deeply");
    struct json *j = hang(r, type);
    r->open[r->depth].node = j;
    r->open[r->depth].last = NULL;
    r->depth++;
    return 1;
}

static int on_object(void *ctx)
{
    return push(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
    return push(ctx, JSON_ARRAY);
}

static int on_end(void *ctx)
{
    struct reader *r = ctx;
    r->depth--;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_array,
    .yajl_end_array = on_end,
};

/* The 16 bits of an escape \uXXXX at p, or -1. */
static int escape_unit(const char *p, const char *end)
{
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    int unit = 0;
    for (int i = 2; i < 6; i++) {
        char c = p[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* Valid text has a backslash only inside strings; invalid text yajl refuses. */
static bool has_half_pair(struct slice text)
{
    const char *p = text.at, *end = p + text.len;
    while (p < end && (p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        int unit = escape_unit(p, end);
        if (unit < 0xD800 || unit > 0xDFFF) {
            p += 2;
            continue;
        }
        int low = escape_unit(p + 6, end);
        if (unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
            return true;
        p += 12;
    }
    return false;
}

static int complain(yajl_handle h, struct err *e)
{
    if (!e)
        return ERR_BAD_REQUEST;
    unsigned char *text = yajl_get_error(h, 0, NULL, 0);
    size_t n = strcspn((char *)text, "\n");
    err_set(e, ERR_BAD_REQUEST, "not JSON near byte %zu: %.*s",
            yajl_get_bytes_consumed(h), (int)n, (char *)text);
    yajl_free_error(h, text);
    return ERR_BAD_REQUEST;
}

int json_parse(struct arena *a, struct slice text, struct err *e,
               struct json **out)
{
    *out = NULL;
    if (!slice_is_utf8(text))
        return err_set(e, ERR_BAD_REQUEST, "not JSON: the text is not UTF-8");
    if (text.len && has_half_pair(text))
        return err_set(e, ERR_BAD_REQUEST,
                       "not JSON: half a surrogate pair in an escape");
    struct reader r;
    r.arena = a;
    r.root = NULL;
    r.why = NULL;
    r.key = (struct slice){0};
    r.depth = 0;
    yajl_handle h = yajl_alloc(&callbacks, NULL, &r);
    must(h != NULL);
    yajl_config(h, yajl_dont_validate_strings, 1);
    yajl_status s = yajl_parse(h, (const unsigned char *)text.at, text.len);
    if (s == yajl_status_ok)
        s = yajl_complete_parse(h);
    int err = 0;
    if (r.why)
        err = err_set(e, ERR_BAD_REQUEST, "not JSON we take: %s", r.why);
    else if (s != yajl_status_ok)
        err = complain(h, e);
    else if (!r.root)
        err = err_set(e, ERR_BAD_REQUEST, "not JSON: there is no value");
    yajl_free(h);
    if (!err)
        *out = r.root;
    return err;
}

struct json *json_get(const struct json *j, const char *key)
{
    if (!json_is(j, JSON_OBJECT))
        return NULL;
    struct json *found = NULL;
    size_t n = strlen(key);
    for (struct json *c = j->first; c; c = c->next)
        if (c->key.len == n && memcmp(c->key.at, key, n) == 0)
            found = c;
    return found;
}

struct slice json_text(const struct json *j, const char *key)
{
    const struct json *c = json_get(j, key);
    return json_is(c, JSON_STRING) ? c->text : (struct slice){0};
}

int64_t json_int(const struct json *j, const char *key, int64_t otherwise)
{
    const struct json *c = json_get(j, key);
    return json_is(c, JSON_INT) ? c->integer : otherwise;
}

bool json_bool(const struct json *j, const char *key, bool otherwise)
{
    const struct json *c = json_get(j, key);
    return json_is(c, JSON_BOOL) ? c->boolean : otherwise;
}

bool json_is(const struct json *j, enum json_type type)
{
    return j && j->type == type;
}

/* -- writing ------------------------------------------------------------ */

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
    memcpy(out + 1, "u00", 3);
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
    if (!strpbrk(text, ".e"))
        strcat(text, ".0");
    jsonw_raw(w, slice_of(text));
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
