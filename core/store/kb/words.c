/* SPDX-License-Identifier: Apache-2.0 */
/* words.c - what a text is found by.
 *
 * Happy path: one pass over the code points; letters and digits make words,
 * full-width ones as plain ones; Han, kana and Hangul make characters and pairs.
 * Failure: what is not UTF-8 is a sign and ends a word.
 */
#include "base/err.h"
#include "store/kb/kb.h"

enum sort { SIGN, LETTER, HAN };

static uint32_t next_point(struct slice s, size_t *i)
{
    unsigned char c = (unsigned char)s.at[(*i)++];
    if (c < 0x80)
        return c;
    int more = c >= 0xf0 && c < 0xf5   ? 3
               : c >= 0xe0 && c < 0xf0 ? 2
               : c >= 0xc2 && c < 0xe0 ? 1
                                       : 0;
    uint32_t p = more == 3 ? c & 7u : more == 2 ? c & 15u : c & 31u;
    if (!more || *i + (size_t)more > s.len)
        return ' ';
    for (int k = 0; k < more; k++) {
        unsigned char d = (unsigned char)s.at[*i + (size_t)k];
        if ((d & 0xc0) != 0x80)
            return ' ';
        p = p << 6 | (d & 0x3fu);
    }
    *i += (size_t)more;
    return p >= 0xff01 && p <= 0xff5e ? p - 0xfee0 : p; /* full width */
}

static enum sort sort_of(uint32_t p)
{
    if (p < 0x80)
        return (p >= '0' && p <= '9') || ((p | 32) >= 'a' && (p | 32) <= 'z')
                   ? LETTER
                   : SIGN;
    if ((p >= 0x3040 && p <= 0x30ff) || (p >= 0x3400 && p <= 0x9fff) ||
        (p >= 0xac00 && p <= 0xd7af) || (p >= 0xf900 && p <= 0xfaff) ||
        (p >= 0x20000 && p <= 0x3ffff))
        return HAN;
    bool sign = p < 0xc0 || p == 0xd7 || p == 0xf7 ||
                (p >= 0x2000 && p <= 0x2bff) || (p >= 0x3000 && p <= 0x303f) ||
                (p >= 0xfe10 && p <= 0xfe6f) || p >= 0xff00;
    return sign ? SIGN : LETTER;
}

static int put_point(struct buf *out, uint32_t p)
{
    char c[4];
    size_t n = 1;
    if (p < 0x80) {
        c[0] = (char)(p >= 'A' && p <= 'Z' ? p + 32 : p);
    } else if (p < 0x800) {
        c[0] = (char)(0xc0 | p >> 6);
        n = 2;
    } else if (p < 0x10000) {
        c[0] = (char)(0xe0 | p >> 12);
        n = 3;
    } else {
        c[0] = (char)(0xf0 | p >> 18);
        n = 4;
    }
    for (size_t k = 1; k < n; k++)
        c[k] = (char)(0x80 | (p >> 6 * (n - 1 - k) & 0x3f));
    return buf_add(out, c, n);
}

/* Words are told apart by `between`, and stand in `quote`s. */
struct writing {
    struct buf *out;
    const char *between, *quote;
    uint32_t count, most;
};

static int word_begin(struct writing *w)
{
    int r = w->count ? buf_add_text(w->out, w->between) : 0;
    w->count++;
    return r ? r : buf_add_text(w->out, w->quote);
}

static int han(struct writing *w, uint32_t a, uint32_t b)
{
    int r = word_begin(w);
    r = r ? r : put_point(w->out, a);
    r = r || !b ? r : put_point(w->out, b);
    return r ? r : buf_add_text(w->out, w->quote);
}

/* single: characters alone are words too, even beside others. */
static int write_words(struct slice text, struct writing *w, bool single)
{
    enum sort was = SIGN;
    uint32_t before = 0; /* the Han character in front */
    bool paired = false; /* it is in a pair already */
    int r = 0;
    for (size_t i = 0; i <= text.len && r == 0;) {
        bool end = i == text.len;
        uint32_t p = end ? ' ' : next_point(text, &i);
        enum sort sort = sort_of(p);
        if (was == LETTER && sort != LETTER)
            r = buf_add_text(w->out, w->quote);
        if (r == 0 && was == HAN && sort != HAN && !single && !paired)
            r = han(w, before, 0); /* alone in its run */
        if (w->count >= w->most && (sort != LETTER || was != LETTER))
            return r;
        if (r == 0 && sort == LETTER)
            r = was == LETTER ? 0 : word_begin(w);
        if (r == 0 && sort == LETTER)
            r = put_point(w->out, p);
        if (r == 0 && sort == HAN && single)
            r = han(w, p, 0);
        if (r == 0 && sort == HAN && was == HAN)
            r = han(w, before, p);
        paired = sort == HAN && was == HAN;
        before = p;
        was = sort;
        if (end)
            break;
    }
    return r;
}

int kb_words(struct slice text, struct buf *out)
{
    struct writing w = {out, " ", "", 0, UINT32_MAX};
    return write_words(text, &w, true);
}

int kb_question(struct slice text, struct buf *out)
{
    struct writing w = {out, " OR ", "\"", 0, KB_QUERY_WORDS};
    return write_words(text, &w, false);
}

/* --- passages ------------------------------------------------------------- */

/* The line at the front, without its end; how long it is with it. */
static size_t line_of(struct slice s, struct slice *line)
{
    const char *end = memchr(s.at, '\n', s.len);
    line->at = s.at;
    line->len = end ? (size_t)(end - s.at) : s.len;
    return end ? line->len + 1 : s.len;
}

static size_t cut_long(struct slice s)
{
    size_t n = KB_PASSAGE_BYTES;
    while (n > 1 && ((unsigned char)s.at[n] & 0xc0) == 0x80)
        n--;
    return n;
}

bool kb_passage(struct slice *rest, struct slice *out)
{
    *rest = slice_trim(*rest);
    size_t n = 0, good = 0; /* good: up to the end of a paragraph */
    if (!rest->len)
        return false;
    while (n < rest->len && n <= KB_PASSAGE_BYTES) {
        struct slice line, left = {rest->at + n, rest->len - n};
        size_t took = line_of(left, &line);
        bool blank = slice_trim(line).len == 0;
        bool heading = line.len && line.at[0] == '#';
        if (n && heading) {
            good = n;
            break;
        }
        if (blank && n > KB_PASSAGE_BYTES / 3) {
            good = n;
        }
        n += took;
    }
    if (n >= rest->len && rest->len <= KB_PASSAGE_BYTES && !good)
        good = rest->len;
    if (!good || good > KB_PASSAGE_BYTES)
        good = rest->len > KB_PASSAGE_BYTES ? cut_long(*rest) : rest->len;
    *out = slice_trim((struct slice){rest->at, good});
    rest->at += good;
    rest->len -= good;
    return out->len > 0 || kb_passage(rest, out);
}
