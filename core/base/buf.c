/* SPDX-License-Identifier: Apache-2.0 */
/* buf.c - slices and growing bytes.
 *
 * Happy path: bytes are appended, the room doubles up to max.
 * Failure modes: an add past max (or past what the machine has) returns
 * ERR_TOOBIG and changes nothing.
 */
#include "base/buf.h"
#include "base/err.h"
#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM 64

/* -- slices ------------------------------------------------------------- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool slice_is_nocase(struct slice s, const char *text)
{
    if (s.len != strlen(text))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (lower(s.at[i]) != lower(text[i]))
            return false;
    return true;
}

bool slice_starts(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && (n == 0 || memcmp(s.at, prefix, n) == 0);
}

struct slice slice_dup(struct arena *a, struct slice s)
{
    char *p = arena_text(a, s.len + 1);
    if (s.len)
        memcpy(p, s.at, s.len);
    p[s.len] = '\0';
    return (struct slice){p, s.len};
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice slice_trim(struct slice s)
{
    while (s.len && is_blank(s.at[0])) {
        s.at++;
        s.len--;
    }
    while (s.len && is_blank(s.at[s.len - 1]))
        s.len--;
    return s;
}

bool slice_to_i64(struct slice s, int64_t *out)
{
    bool minus = s.len > 0 && s.at[0] == '-';
    size_t i = minus ? 1 : 0;
    if (i == s.len)
        return false;
    /* Summed below zero, where there is room for INT64_MIN. */
    int64_t sum = 0;
    for (; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_sub_overflow(sum, s.at[i] - '0', &sum))
            return false;
    }
    if (!minus && sum == INT64_MIN)
        return false;
    *out = minus ? sum : -sum;
    return true;
}

/* Length of the character at p (of n bytes), 0 if it is none. */
static size_t utf8_char(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    if (c < 0x80)
        return 1;
    if (c < 0xC2)
        return 0;
    if (c < 0xE0)
        return n >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
    if (c < 0xF0) {
        if (n < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
            return 0;
        if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F))
            return 0;
        return 3;
    }
    if (c > 0xF4 || n < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 ||
        (p[3] & 0xC0) != 0x80)
        return 0;
    if ((c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F))
        return 0;
    return 4;
}

bool slice_is_utf8(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.at;
    size_t i = 0;
    while (i < s.len) {
        uint64_t eight;
        if (i + 8 <= s.len &&
            (memcpy(&eight, p + i, 8), !(eight & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        size_t n = utf8_char(p + i, s.len - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

/* -- buffers ------------------------------------------------------------ */

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.max = max};
}

void buf_fini(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
}

void buf_drop(struct buf *b, size_t n)
{
    must(n <= b->len);
    if (n && n < b->len)
        memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

int buf_reserve(struct buf *b, size_t n)
{
    if (n <= b->cap - b->len)
        return 0;
    if (n > b->max || b->len > b->max - n)
        return ERR_TOOBIG;
    size_t cap = b->cap ? b->cap : FIRST_ROOM;
    while (cap < b->len + n)
        cap = cap > b->max / 2 ? b->max : cap * 2;
    if (cap > b->max)
        cap = b->max;
    char *p = realloc(b->data, cap);
    if (!p)
        return ERR_TOOBIG;
    b->data = p;
    b->cap = cap;
    return 0;
}

int buf_add(struct buf *b, const void *p, size_t n)
{
    int err = buf_reserve(b, n);
    if (err < 0)
        return err;
    if (n)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    return 0;
}

int buf_add_slice(struct buf *b, struct slice s)
{
    return buf_add(b, s.at, s.len);
}

int buf_add_text(struct buf *b, const char *text)
{
    return buf_add(b, text, strlen(text));
}

int buf_add_char(struct buf *b, char c)
{
    return buf_add(b, &c, 1);
}

int buf_add_i64(struct buf *b, int64_t n)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (n < 0)
        digits[--at] = '-';
    return buf_add(b, digits + at, sizeof digits - at);
}

int buf_addf(struct buf *b, const char *fmt, ...)
{
    char small[256];
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    int err = n < 0 ? ERR_INTERNAL : 0;
    if (!err && (size_t)n < sizeof small)
        err = buf_add(b, small, (size_t)n);
    else if (!err) {
        /* vsnprintf wants room for a NUL that max may not have. */
        char *big = mem_alloc((size_t)n + 1);
        vsnprintf(big, (size_t)n + 1, fmt, again);
        err = buf_add(b, big, (size_t)n);
        mem_free(big);
    }
    va_end(again);
    return err;
}
