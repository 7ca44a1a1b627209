/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - a thin face over the JSON library (the only includer is json.c).
 *
 * Reading gives a tree in an arena. Depth, size and UTF-8 are checked; NUL in
 * strings is allowed; of duplicate keys json_get gives the last. Integers that
 * fit int64 stay integers. Writing appends to a buf.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,
    JSON_REAL,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    enum json_type type;
    uint32_t count;    /* of children */
    struct slice key;  /* inside an object */
    struct json *next; /* sibling, in order */
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct slice text;
        struct json *first; /* child */
    };
};

/* Parses exactly one value. ERR_BAD_REQUEST (with a sentence) for broken text
 * or nesting deeper than LIMIT_JSON_DEPTH. Strings are copied to the arena. */
int json_parse(struct arena *a, struct slice text, struct err *e,
               struct json **out);
/* All find or give a default; j may be NULL or of any type. */
struct json *json_get(const struct json *j, const char *key);
struct slice json_text(const struct json *j, const char *key); /* len 0 */
int64_t json_int(const struct json *j, const char *key, int64_t otherwise);
bool json_bool(const struct json *j, const char *key, bool otherwise);
bool json_is(const struct json *j, enum json_type type); /* NULL-safe */

/* Writer: commas are its business. Errors stick in .failed (ERR_TOOBIG). */
struct jsonw {
    struct buf *out; /* borrowed */
    int failed;
    bool comma;
};
struct jsonw jsonw_on(struct buf *out);
void jsonw_open(struct jsonw *w, char bracket);  /* '{' or '[' */
void jsonw_close(struct jsonw *w, char bracket); /* '}' or ']' */
void jsonw_key(struct jsonw *w, const char *key);
void jsonw_text(struct jsonw *w, struct slice s);
void jsonw_int(struct jsonw *w, int64_t n);
void jsonw_real(struct jsonw *w, double n); /* NaN, Inf -> null */
void jsonw_bool(struct jsonw *w, bool b);
void jsonw_null(struct jsonw *w);
void jsonw_raw(struct jsonw *w, struct slice json);      /* already JSON */
void jsonw_value(struct jsonw *w, const struct json *j); /* a whole tree */
/* key and value in one; a slice whose .at is NULL is null. */
void jsonw_put_text(struct jsonw *w, const char *key, struct slice s);
void jsonw_put_int(struct jsonw *w, const char *key, int64_t n);
void jsonw_put_bool(struct jsonw *w, const char *key, bool b);
void jsonw_put_raw(struct jsonw *w, const char *key, struct slice json);
/* Appends s quoted and escaped (\n \r \t \b \f, other controls \u00XX), or
 * changes nothing. Other bytes pass: s is UTF-8 by the time it comes here. */
int json_quote(struct buf *out, struct slice s);
