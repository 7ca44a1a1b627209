/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - slices (borrowed bytes) and buffers (owned bytes with a maximum). */
#pragma once
#include "base/mem.h"
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

struct slice {
    const char *at; /* may be NULL when len is 0; not NUL-terminated */
    size_t len;
};

#define SLICE(lit) ((struct slice){"" lit, sizeof(lit) - 1})
#define SLICE_FMT(s) (int)(s).len, (s).at /* for "%.*s" */

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}
static inline bool slice_is(struct slice s, const char *text)
{
    size_t n = strlen(text);
    return s.len == n && (n == 0 || memcmp(s.at, text, n) == 0);
}
static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}
bool slice_is_nocase(struct slice s, const char *text); /* ASCII */
bool slice_starts(struct slice s, const char *prefix);
/* Copies into the arena (NUL-terminated behind the end). */
struct slice slice_dup(struct arena *a, struct slice s);
struct slice slice_trim(struct slice s); /* ASCII blanks off both ends */
/* Whole text is one decimal number that fits: true and *out. */
bool slice_to_i64(struct slice s, int64_t *out);
bool slice_is_utf8(struct slice s); /* RFC 3629: no surrogates, no overlong */

/* Growing bytes. `max` is named where the buffer is made (base/limits.h);
 * past it every add returns ERR_TOOBIG and leaves the contents as they were. */
struct buf {
    char *data;
    size_t len, cap, max;
};

void buf_init(struct buf *b, size_t max); /* allocates nothing */
void buf_fini(struct buf *b);
void buf_clear(struct buf *b);            /* keeps the memory */
void buf_drop(struct buf *b, size_t n);   /* forgets the first n bytes */
int buf_reserve(struct buf *b, size_t n); /* room for n more; *at = data+len */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_add_slice(struct buf *b, struct slice s);
int buf_add_text(struct buf *b, const char *text);
int buf_add_char(struct buf *b, char c);
int buf_add_i64(struct buf *b, int64_t n);
int buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data, b->len};
}
