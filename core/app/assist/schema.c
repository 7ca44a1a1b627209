/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - arguments of a tool, held against what it said it takes.
 *
 * Happy path: nothing is wrong. Failure: the first thing that is, with its
 * place ("order.items[2]"); what a schema says beyond the everyday part is not
 * looked at. Names that the schema does not know are refused, so that a model
 * cannot smuggle in what the tool does not expect.
 */
#include "app/assist/schema.h"
#include <stdio.h>

#define DEPTH_MOST 12

struct place {
    char text[160];
    size_t len;
};

static int wrong(struct err *e, const struct place *at, const char *why)
{
    return err_set(e, ERR_UNPROCESSABLE, "%s %s",
                   at->len ? at->text : "the arguments", why);
}

static struct place below(const struct place *at, struct slice name)
{
    struct place p = *at;
    int n = snprintf(p.text + p.len, sizeof p.text - p.len, "%s%.*s",
                     p.len ? "." : "", SLICE_FMT(name));
    p.len += n > 0 && (size_t)n < sizeof p.text - p.len ? (size_t)n : 0;
    return p;
}

static bool is_type(struct slice type, const struct json *v)
{
    if (slice_is(type, "object")) {
        /* An empty Lua table looks like an empty list. */
        return json_is(v, JSON_OBJECT) ||
               (json_is(v, JSON_ARRAY) && v->count == 0);
    }
    if (slice_is(type, "array")) {
        return json_is(v, JSON_ARRAY) ||
               (json_is(v, JSON_OBJECT) && v->count == 0);
    }
    if (slice_is(type, "string")) {
        return json_is(v, JSON_STRING);
    }
    if (slice_is(type, "integer")) {
        return json_is(v, JSON_INT);
    }
    if (slice_is(type, "number")) {
        return json_is(v, JSON_INT) || json_is(v, JSON_REAL);
    }
    if (slice_is(type, "boolean")) {
        return json_is(v, JSON_BOOL);
    }
    return slice_is(type, "null") ? json_is(v, JSON_NULL) : true;
}

static bool fits_type(const struct json *type, const struct json *v)
{
    if (json_is(type, JSON_STRING)) {
        return is_type(type->text, v);
    }
    if (!json_is(type, JSON_ARRAY)) {
        return true;
    }
    for (const struct json *t = type->first; t; t = t->next) {
        if (json_is(t, JSON_STRING) && is_type(t->text, v)) {
            return true;
        }
    }
    return false;
}

static bool same(const struct json *a, const struct json *b)
{
    if (a->type != b->type) {
        return false;
    }
    switch (a->type) {
    case JSON_STRING:
        return slice_eq(a->text, b->text);
    case JSON_INT:
        return a->integer == b->integer;
    case JSON_REAL:
        return a->real == b->real;
    case JSON_BOOL:
        return a->boolean == b->boolean;
    default:
        return a->type == JSON_NULL;
    }
}

static bool is_among(const struct json *list, const struct json *v)
{
    if (!json_is(list, JSON_ARRAY)) {
        return true;
    }
    for (const struct json *x = list->first; x; x = x->next) {
        if (same(x, v)) {
            return true;
        }
    }
    return false;
}

static double number_of(const struct json *v)
{
    return json_is(v, JSON_INT) ? (double)v->integer : v->real;
}

static bool is_number(const struct json *v)
{
    return json_is(v, JSON_INT) || json_is(v, JSON_REAL);
}

static const char *bounds(const struct json *schema, const struct json *v)
{
    const struct json *least = json_get(schema, "minimum");
    const struct json *most = json_get(schema, "maximum");
    if (is_number(v) && is_number(least) && number_of(v) < number_of(least)) {
        return "is too small";
    }
    if (is_number(v) && is_number(most) && number_of(v) > number_of(most)) {
        return "is too large";
    }
    if (json_is(v, JSON_STRING)) {
        int64_t len = (int64_t)v->text.len;
        if (len < json_int(schema, "minLength", 0)) {
            return "is too short";
        }
        if (len > 4 * json_int(schema, "maxLength", INT64_MAX / 8)) {
            return "is too long";
        }
    }
    return NULL;
}

static int check(const struct json *schema, const struct json *v,
                 const struct place *at, int depth, struct err *e);

static int check_object(const struct json *schema, const struct json *v,
                        const struct place *at, int depth, struct err *e)
{
    const struct json *known = json_get(schema, "properties");
    const struct json *needed = json_get(schema, "required");
    const struct json *n = json_is(needed, JSON_ARRAY) ? needed->first : NULL;
    for (; n; n = n->next) {
        char name[80];
        snprintf(name, sizeof name, "%.*s", SLICE_FMT(n->text));
        if (json_is(n, JSON_STRING) && !json_get(v, name)) {
            struct place p = below(at, n->text);
            return wrong(e, &p, "is missing");
        }
    }
    const struct json *m = json_is(v, JSON_OBJECT) ? v->first : NULL;
    for (; m && json_is(known, JSON_OBJECT); m = m->next) {
        const struct json *s = known->first;
        struct place p = below(at, m->key);
        while (s && !slice_eq(s->key, m->key)) {
            s = s->next;
        }
        if (!s) {
            return wrong(e, &p, "is not known");
        }
        int r = check(s, m, &p, depth + 1, e);
        if (r) {
            return r;
        }
    }
    return 0;
}

static int check(const struct json *schema, const struct json *v,
                 const struct place *at, int depth, struct err *e)
{
    const char *why;
    if (depth > DEPTH_MOST) {
        return wrong(e, at, "is nested too deep");
    }
    if (!fits_type(json_get(schema, "type"), v)) {
        return wrong(e, at, "is of the wrong type");
    }
    if (!is_among(json_get(schema, "enum"), v)) {
        return wrong(e, at, "is none of its choices");
    }
    if ((why = bounds(schema, v)) != NULL) {
        return wrong(e, at, why);
    }
    if (json_is(v, JSON_ARRAY) && json_get(schema, "items")) {
        for (const struct json *x = v->first; x; x = x->next) {
            int r = check(json_get(schema, "items"), x, at, depth + 1, e);
            if (r) {
                return r;
            }
        }
    }
    bool object = json_is(v, JSON_OBJECT) ||
                  slice_is(json_text(schema, "type"), "object");
    return object ? check_object(schema, v, at, depth, e) : 0;
}

int schema_check(const struct json *schema, const struct json *value,
                 struct err *e)
{
    struct place at = {"", 0};
    return json_is(schema, JSON_OBJECT) ? check(schema, value, &at, 0, e) : 0;
}
