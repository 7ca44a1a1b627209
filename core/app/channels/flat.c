/* SPDX-License-Identifier: Apache-2.0 */
/* flat.c - Markdown as plain text, for platforms that would show its marks.
 *
 * Happy path: line by line; marks of headings, quotes and emphasis go, lists
 * keep a dash, a link is its words and its address, code stays as it is.
 * Failure: what is no mark (snake_case, 2 * 3, a lone star) stays untouched;
 * nothing is ever added but a blank and brackets where longer marks were.
 */
#include "app/channels/plain.h"

struct flat {
    struct buf *out;
    int failed;
};

static void put(struct flat *f, const char *at, size_t n)
{
    if (f->failed == 0) {
        f->failed = buf_add(f->out, at, n);
    }
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Where this text is found again behind `from`; NULL: nowhere. */
static const char *find(struct slice s, size_t from, const char *what, size_t n)
{
    return from < s.len ? memmem(s.at + from, s.len - from, what, n) : NULL;
}

static void spans(struct flat *f, struct slice s, int depth);

/* [words](address), ![words](address): how much was taken, 0 = none. */
static size_t link_at(struct flat *f, struct slice s, int depth)
{
    size_t from = s.at[0] == '!' ? 1 : 0;
    if (s.len < from + 4 || s.at[from] != '[') {
        return 0;
    }
    const char *mid = find(s, from + 1, "](", 2);
    const char *end = mid ? find(s, (size_t)(mid - s.at) + 2, ")", 1) : NULL;
    if (!end) {
        return 0;
    }
    struct slice words = {s.at + from + 1, (size_t)(mid - s.at) - from - 1};
    struct slice to = {mid + 2, (size_t)(end - mid) - 2};
    const char *title = memchr(to.at, ' ', to.len); /* (address "title") */
    to.len = title ? (size_t)(title - to.at) : to.len;
    if (words.len && !slice_eq(words, to)) {
        spans(f, words, depth + 1);
        put(f, " (", 2);
        put(f, to.at, to.len);
        put(f, ")", 1);
    } else {
        put(f, to.at, to.len);
    }
    return (size_t)(end - s.at) + 1;
}

/* `code`: its content as it is. */
static size_t code_at(struct flat *f, struct slice s)
{
    size_t ticks = 0;
    while (ticks < s.len && s.at[ticks] == '`') {
        ticks++;
    }
    const char *end = find(s, ticks, s.at, ticks);
    if (!end) {
        return 0;
    }
    put(f, s.at + ticks, (size_t)(end - s.at) - ticks);
    return (size_t)(end - s.at) + ticks;
}

/* <https://...> */
static size_t address_at(struct flat *f, struct slice s)
{
    const char *end = memchr(s.at, '>', s.len);
    struct slice in = {s.at + 1, end ? (size_t)(end - s.at) - 1 : 0};
    if (!slice_starts(in, "http://") && !slice_starts(in, "https://")) {
        return 0;
    }
    put(f, in.at, in.len);
    return in.len + 2;
}

/* **strong**, *stressed*, __, _, ~~gone~~ : the marks lie close to the words,
 * and those of _ not inside of one. before: the character in front, or 0. */
static size_t stress_at(struct flat *f, struct slice s, char before, int depth)
{
    char mark = s.at[0];
    size_t n = s.len > 1 && s.at[1] == mark ? 2 : 1;
    if ((mark == '~' && n == 1) || s.len < 2 * n + 1 || is_blank(s.at[n]) ||
        (mark == '_' && is_word(before))) {
        return 0;
    }
    for (const char *end = find(s, n + 1, s.at, n); end;
         end = find(s, (size_t)(end - s.at) + 1, s.at, n)) {
        size_t at = (size_t)(end - s.at);
        bool more = at + n < s.len;
        bool inside = mark == '_' && more && is_word(s.at[at + n]);
        bool longer = n == 1 && more && s.at[at + 1] == mark;
        while (n == 2 && at + n < s.len && s.at[at + n] == mark) {
            at++; /* ***both***: the third belongs to what is inside */
        }
        if (longer) {
            end++; /* the pair of another */
        } else if (!is_blank(s.at[at - 1]) && !inside) {
            spans(f, (struct slice){s.at + n, at - n}, depth + 1);
            return at + n;
        }
    }
    return 0;
}

static size_t mark_at(struct flat *f, struct slice s, char before, int depth)
{
    switch (s.at[0]) {
    case '\\':
        if (s.len > 1 && strchr("\\`*_{}[]()#+-.!~>|", s.at[1])) {
            put(f, s.at + 1, 1);
            return 2;
        }
        return 0;
    case '!':
    case '[':
        return link_at(f, s, depth);
    case '`':
        return code_at(f, s);
    case '<':
        return address_at(f, s);
    case '*':
    case '_':
    case '~':
        return stress_at(f, s, before, depth);
    default:
        return 0;
    }
}

#define DEPTH 8
#define NEAR 2048 /* bytes in which a mark finds its end */

static void spans(struct flat *f, struct slice s, int depth)
{
    size_t from = 0;
    for (size_t i = 0; i < s.len && depth < DEPTH;) {
        size_t left = s.len - i;
        struct slice rest = {s.at + i, left < NEAR ? left : NEAR};
        if (!strchr("\\![`<*_~", s.at[i]) || s.at[i] == '\0') {
            i++;
            continue;
        }
        put(f, s.at + from, i - from);
        size_t n = mark_at(f, rest, i ? s.at[i - 1] : 0, depth);
        from = i + n;
        i = n ? from : i + 1;
    }
    put(f, s.at + from, s.len - from);
}

/* --- lines ---------------------------------------------------------------- */

static struct slice skip(struct slice s, size_t n)
{
    return (struct slice){s.at + n, s.len - n};
}

static size_t blanks(struct slice s)
{
    size_t n = 0;
    while (n < s.len && is_blank(s.at[n])) {
        n++;
    }
    return n;
}

static bool is_fence(struct slice s)
{
    s = skip(s, blanks(s));
    return slice_starts(s, "```") || slice_starts(s, "~~~");
}

/* |---|:--:| of a table, --- of a rule: shows nothing. */
static bool is_line(struct slice s)
{
    size_t dashes = 0;
    for (size_t i = 0; i < s.len; i++) {
        dashes += s.at[i] == '-';
        if (!strchr("-|: ", s.at[i]) || s.at[i] == '\0') {
            return false;
        }
    }
    return dashes >= 3;
}

static void line(struct flat *f, struct slice s)
{
    size_t n = blanks(s), marks = 0;
    while (n < s.len && s.at[n] == '>') { /* a quote */
        s = skip(s, n + 1);
        s = skip(s, blanks(s) ? 1 : 0);
        n = blanks(s);
    }
    while (n + marks < s.len && s.at[n + marks] == '#') {
        marks++;
    }
    if (marks > 0 && marks <= 6 && n + marks < s.len &&
        is_blank(s.at[n + marks])) {
        s = skip(s, n + marks + 1);
        s = skip(s, blanks(s));
    } else if (n + 1 < s.len && strchr("*+", s.at[n]) &&
               is_blank(s.at[n + 1])) {
        put(f, s.at, n);
        put(f, "-", 1);
        s = skip(s, n + 1);
    }
    spans(f, s, 0);
}

int plain_flat(struct buf *out, struct slice markdown)
{
    struct flat f = {.out = out};
    bool in_code = false, first = true;
    struct slice rest = markdown;
    while (rest.len && f.failed == 0) {
        const char *end = memchr(rest.at, '\n', rest.len);
        struct slice s = {rest.at, end ? (size_t)(end - rest.at) : rest.len};
        rest = skip(rest, s.len + (end ? 1 : 0));
        if (is_fence(s)) {
            in_code = !in_code;
            continue;
        }
        if (!in_code && is_line(s)) {
            continue;
        }
        if (!first) {
            put(&f, "\n", 1);
        }
        first = false;
        if (in_code) {
            put(&f, s.at, s.len);
        } else {
            line(&f, s);
        }
    }
    return f.failed;
}
