/* SPDX-License-Identifier: Apache-2.0 */
/* body.c - the request's body against the route's fields.
 *
 * Happy path: one JSON object whose known fields have the right types; unknown
 * ones are ignored. Failure: not JSON is 400, a wrong field 422 with its name.
 * null means "empty", as if the text were "" or the list [].
 */
#include "app/api/api.h"
#include "base/limits.h"
#include <stdio.h>

static int wrong(struct call *c, const struct field *f, const char *why)
{
    return err_field(&c->err, ERR_UNPROCESSABLE, f->name, "%s %s", f->name,
                     why);
}

static bool in_choices(const char *choices, struct slice value)
{
    for (const char *p = choices; *p;) {
        size_t n = strcspn(p, "|");
        if (slice_eq((struct slice){p, n}, value)) {
            return true;
        }
        p += n + (p[n] == '|');
    }
    return false;
}

static int check_text(struct call *c, const struct field *f,
                      const struct json *v)
{
    char why[160];
    int64_t most = f->most ? f->most : LIMIT_NAME_BYTES;
    if (!json_is(v, JSON_STRING)) {
        return wrong(c, f, "must be a text");
    }
    if (f->choices && !in_choices(f->choices, v->text)) {
        snprintf(why, sizeof why, "must be one of %s", f->choices);
        return wrong(c, f, why);
    }
    if (v->text.len > (size_t)most || v->text.len < (size_t)f->least) {
        snprintf(why, sizeof why, "must have %lld to %lld bytes",
                 (long long)f->least, (long long)most);
        return wrong(c, f, why);
    }
    return 0;
}

static int check_texts(struct call *c, const struct field *f,
                       const struct json *v)
{
    char why[96];
    if (!json_is(v, JSON_ARRAY)) {
        return wrong(c, f, "must be a list of texts");
    }
    if (v->count > (uint32_t)f->most) {
        snprintf(why, sizeof why, "has more than %lld entries",
                 (long long)f->most);
        return wrong(c, f, why);
    }
    for (const struct json *t = v->first; t; t = t->next) {
        if (!json_is(t, JSON_STRING) || t->text.len > LIMIT_TAG_BYTES ||
            t->text.len == 0) {
            return wrong(c, f, "must be a list of texts of 1 to 64 bytes");
        }
    }
    return 0;
}

static int check_int(struct call *c, const struct field *f,
                     const struct json *v)
{
    char why[96];
    if (!json_is(v, JSON_INT)) {
        return wrong(c, f, "must be a whole number");
    }
    if (v->integer < f->least || (f->most && v->integer > f->most)) {
        snprintf(why, sizeof why, "must be between %lld and %lld",
                 (long long)f->least, (long long)f->most);
        return wrong(c, f, why);
    }
    return 0;
}

static int check_field(struct call *c, const struct field *f)
{
    const struct json *v = json_get(c->body, f->name);
    if (!v || json_is(v, JSON_NULL)) {
        bool patch = slice_is(c->r->method, "PATCH");
        return f->required && (v || !patch) ? wrong(c, f, "is missing") : 0;
    }
    switch (f->type) {
    case FIELD_TEXT:
        return check_text(c, f, v);
    case FIELD_TEXTS:
        return check_texts(c, f, v);
    case FIELD_INT:
        return check_int(c, f, v);
    case FIELD_BOOL:
        return json_is(v, JSON_BOOL) ? 0 : wrong(c, f, "must be true or false");
    case FIELD_OBJECT:
        return json_is(v, JSON_OBJECT) ? 0 : wrong(c, f, "must be an object");
    case FIELD_ANY:
        break;
    }
    return 0;
}

static bool has_curly_quotes(struct slice s)
{
    return memmem(s.at, s.len, "\xe2\x80\x9c", 3) ||
           memmem(s.at, s.len, "\xe2\x80\x9d", 3);
}

int body_check(struct call *c)
{
    struct slice text = slice_trim(c->r->body);
    if (!c->route->in) {
        return 0;
    }
    if (text.len == 0) {
        text = SLICE("{}");
    }
    int r = json_parse(c->a, text, &c->err, &c->body);
    if (r && has_curly_quotes(text)) {
        return err_set(&c->err, ERR_BAD_REQUEST,
                       "the body is not JSON: it has typographic quotes "
                       "(\xe2\x80\x9c \xe2\x80\x9d) instead of \"");
    }
    if (r) {
        struct err why = c->err;
        return err_set(&c->err, ERR_BAD_REQUEST, "the body is not JSON: %.160s",
                       why.text);
    }
    if (!json_is(c->body, JSON_OBJECT)) {
        return err_set(&c->err, ERR_UNPROCESSABLE,
                       "the body must be a JSON object");
    }
    for (const struct field *f = c->route->in; f->name && r == 0; f++) {
        r = check_field(c, f);
    }
    return r;
}

/* Only what the route lists and body_check has looked at: what else a caller
 * writes can reach nobody. */
const struct json *body_get(const struct call *c, const char *name)
{
    const struct field *f = c->route->in;
    while (f && f->name && strcmp(f->name, name) != 0) {
        f++;
    }
    must(f && f->name);
    return json_get(c->body, name);
}

int64_t body_int(const struct call *c, const char *name, int64_t otherwise)
{
    const struct json *v = body_get(c, name);
    return json_is(v, JSON_INT) ? v->integer : otherwise;
}

bool body_bool(const struct call *c, const char *name, bool otherwise)
{
    const struct json *v = body_get(c, name);
    return json_is(v, JSON_BOOL) ? v->boolean : otherwise;
}

struct slice body_text(const struct call *c, const char *name)
{
    const struct json *v = body_get(c, name);
    return json_is(v, JSON_STRING) ? v->text : (struct slice){0};
}

struct slice body_json(const struct call *c, const char *name,
                       struct slice otherwise)
{
    const struct json *v = body_get(c, name);
    if (!v) {
        return otherwise;
    }
    if (json_is(v, JSON_NULL)) {
        return otherwise.len && otherwise.at[0] == '{' ? SLICE("{}")
                                                       : SLICE("[]");
    }
    struct buf out;
    buf_init(&out, REPLY_MAX);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, v);
    struct slice text = w.failed ? otherwise : slice_dup(c->a, buf_slice(&out));
    buf_fini(&out);
    return text;
}
