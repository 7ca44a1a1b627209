/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - yajl's events become a tree in the arena.
 *
 * Happy path: the text is checked for UTF-8 once, yajl reads it, its callbacks
 * hang values under the open container. Why yajl: the decision
 * docs/decisions/0001-json-library.md.
 *
 * Failure modes: broken UTF-8, an escape that is half a surrogate pair (yajl
 * would let it pass), a number beyond what a double holds, nesting beyond
 * LIMIT_JSON_DEPTH, anything behind the value: ERR_BAD_REQUEST with a
 * sentence. What was built so far stays in the arena and dies with it.
 */
#include "base/json.h"
#include "base/limits.h"
#include <math.h>
#include <stdlib.h>
#include <yajl/yajl_parse.h>

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
