/* SPDX-License-Identifier: Apache-2.0 */
/* text_form.c - forms of a text: normalised, folded, compared.
 *
 * Happy path: UTF-8 to UTF-16, ICU, and back. Failure modes: more than the
 * buffer holds; ICU without its data ends the program. Bytes that are no UTF-8
 * become U+FFFD.
 */
#include "script/text/text.h"
#include <stdlib.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

#define BAD 0xfffd
#define PAIRS_MOST TEXT_ALIKE_BYTES

uint32_t text_next(struct slice s, size_t *i)
{
    UChar32 c;
    int32_t at = (int32_t)*i, len = (int32_t)s.len;
    U8_NEXT(s.at, at, len, c);
    if (c < 0) { /* one byte at a time, however many ICU would skip */
        ++*i;
        return BAD;
    }
    *i = (size_t)at;
    return (uint32_t)c;
}

size_t text_put(uint32_t c, char out[4])
{
    int32_t n = 0;
    U8_APPEND_UNSAFE((unsigned char *)out, n, (UChar32)c);
    return (size_t)n;
}

/* --- normal forms --------------------------------------------------------- */

static const UNormalizer2 *normalizer(enum text_form form)
{
    UErrorCode e = U_ZERO_ERROR;
    const UNormalizer2 *n = NULL;
    switch (form) {
    case TEXT_NFC:
        n = unorm2_getNFCInstance(&e);
        break;
    case TEXT_NFD:
        n = unorm2_getNFDInstance(&e);
        break;
    case TEXT_NFKC:
        n = unorm2_getNFKCInstance(&e);
        break;
    case TEXT_NFKD:
        n = unorm2_getNFKDInstance(&e);
        break;
    case TEXT_FOLD:
        n = unorm2_getNFKCCasefoldInstance(&e);
        break;
    }
    must(n && U_SUCCESS(e));
    return n;
}

static UChar *to_utf16(struct slice s, struct arena *a, int32_t *len)
{
    UErrorCode e = U_ZERO_ERROR;
    UChar *u = arena_many(a, UChar, s.len + 1);
    u_strFromUTF8WithSub(u, (int32_t)s.len + 1, len, s.at ? s.at : "",
                         (int32_t)s.len, BAD, NULL, &e);
    must(U_SUCCESS(e));
    return u;
}

static int from_utf16(const UChar *u, int32_t len, struct buf *out)
{
    UErrorCode e = U_ZERO_ERROR;
    int32_t n = 0;
    int got = buf_reserve(out, (size_t)len * 3 + 1);
    if (got < 0) /* the worst case does not fit; the text itself may */
        got = buf_reserve(out, out->max - out->len);
    if (got < 0)
        return got;
    u_strToUTF8(out->data + out->len, (int32_t)(out->cap - out->len), &n, u,
                len, &e);
    if (e == U_BUFFER_OVERFLOW_ERROR || (size_t)n > out->max - out->len)
        return ERR_TOOBIG;
    must(U_SUCCESS(e)); /* the normaliser gives no half pairs */
    out->len += (size_t)n;
    return 0;
}

int text_normal(struct slice s, enum text_form form, struct arena *a,
                struct buf *out)
{
    UErrorCode e = U_ZERO_ERROR;
    int32_t len, n, room;
    must(s.len <= TEXT_OUT_BYTES);
    const UNormalizer2 *norm = normalizer(form);
    const UChar *from = to_utf16(s, a, &len);
    room = len + len / 8 + 32;
    UChar *to = arena_many(a, UChar, room);
    n = unorm2_normalize(norm, from, len, to, room, &e);
    if (e == U_BUFFER_OVERFLOW_ERROR && (size_t)n <= TEXT_OUT_BYTES) {
        e = U_ZERO_ERROR;
        to = arena_many(a, UChar, n);
        n = unorm2_normalize(norm, from, len, to, n, &e);
    }
    if (e == U_BUFFER_OVERFLOW_ERROR)
        return ERR_TOOBIG;
    must(U_SUCCESS(e));
    return from_utf16(to, n, out);
}

uint32_t text_fold_point(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c >= 0xff01 && c <= 0xff5e) /* full width */
        return text_fold_point(c - 0xfee0);
    if (c == 0x3000)
        return ' ';
    if (c >= 0x3400 && c < 0xfb00)
        return text_simplified(c);
    return (uint32_t)u_foldCase((UChar32)c, U_FOLD_CASE_DEFAULT);
}

/* --- blanks --------------------------------------------------------------- */

static bool is_blank(uint32_t c)
{
    return u_isUWhiteSpace((UChar32)c) || (c >= 0x200b && c <= 0x200d) ||
           c == 0x2060 || c == 0xfeff;
}

struct slice text_trim(struct slice s)
{
    size_t i = 0, from = s.len, to = 0;
    while (i < s.len) {
        size_t at = i;
        if (is_blank(text_next(s, &i)))
            continue;
        if (from == s.len)
            from = at;
        to = i;
    }
    return from < to ? (struct slice){s.at + from, to - from} : SLICE("");
}

/* --- likeness ------------------------------------------------------------- */

static bool counts(uint32_t c)
{
    return u_isalnum((UChar32)c) || (U_GET_GC_MASK((UChar32)c) & U_GC_M_MASK) ||
           (U_GET_GC_MASK((UChar32)c) & U_GC_SO_MASK);
}

/* The characters that count, folded. */
static uint32_t *points(struct slice s, struct arena *a, size_t *count)
{
    struct buf folded;
    size_t n = 0;
    buf_init(&folded, 20 * TEXT_ALIKE_BYTES); /* NFKC's worst is 18 times */
    must(text_normal(s, TEXT_FOLD, a, &folded) == 0);
    struct slice f = buf_slice(&folded);
    uint32_t *list = arena_many(a, uint32_t, f.len + 1);
    for (size_t i = 0; i < f.len;) {
        uint32_t c = text_simplified(text_next(f, &i));
        if (counts(c))
            list[n++] = c;
    }
    buf_fini(&folded);
    *count = n;
    return list;
}

static int by_value(const void *pa, const void *pb)
{
    uint64_t a = *(const uint64_t *)pa, b = *(const uint64_t *)pb;
    return (a > b) - (a < b);
}

/* Pairs of neighbours (single ones if width is 1), sorted. */
static uint64_t *pairs(const uint32_t *list, size_t n, size_t width,
                       struct arena *a, size_t *count)
{
    *count = n + 1 - width;
    uint64_t *out = arena_many(a, uint64_t, *count + 1);
    for (size_t i = 0; i < *count; i++)
        out[i] = (uint64_t)list[i] << 32 | (width == 2 ? list[i + 1] : 0);
    qsort(out, *count, sizeof *out, by_value);
    return out;
}

double text_alike(struct slice a, struct slice b, struct arena *scratch)
{
    size_t an, bn, both = 0;
    must(a.len <= TEXT_ALIKE_BYTES && b.len <= TEXT_ALIKE_BYTES);
    const uint32_t *al = points(a, scratch, &an), *bl = points(b, scratch, &bn);
    if (an == 0 || bn == 0)
        return an == bn ? 1 : 0;
    size_t width = an < 2 || bn < 2 ? 1 : 2;
    const uint64_t *ap = pairs(al, an, width, scratch, &an);
    const uint64_t *bp = pairs(bl, bn, width, scratch, &bn);
    for (size_t i = 0, j = 0; i < an && j < bn;) {
        both += ap[i] == bp[j];
        if (ap[i] == bp[j])
            i++, j++;
        else if (ap[i] < bp[j])
            i++;
        else
            j++;
    }
    return 2.0 * (double)both / (double)(an + bn);
}
