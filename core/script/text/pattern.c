/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.c - a backtracking matcher that knows when to give up.
 *
 * Happy path: walks the pattern item by item; only where there is a choice
 * (a repetition, a capture) it calls itself. Failure modes, told by p->error:
 * a malformed pattern; more than PATTERN_STEPS single comparisons; nesting
 * deeper than PATTERN_DEPTH.
 */
#include "script/text/pattern.h"
#include <ctype.h>
#include <string.h>

static const char *go(struct pattern *p, const char *s, const char *t);

static const char *fail(struct pattern *p, const char *why)
{
    if (!p->error)
        p->error = why;
    return NULL;
}

static bool step(struct pattern *p)
{
    if (p->steps == 0) {
        fail(p, "pattern too complex: it takes too many steps");
        return false;
    }
    p->steps--;
    return true;
}

void pattern_init(struct pattern *p, const char *subject, size_t len,
                  const char *text, size_t text_len)
{
    p->from = subject;
    p->to = subject + len;
    p->end = text + text_len;
    p->steps = PATTERN_STEPS + 4 * (uint32_t)len; /* a plain walk is free */
    p->error = NULL;
    p->count = 0;
    p->depth = PATTERN_DEPTH;
}

/* --- single characters ---------------------------------------------------- */

static bool in_class(unsigned char c, unsigned char class)
{
    bool is;
    switch (tolower(class)) {
    case 'a':
        is = isalpha(c);
        break;
    case 'c':
        is = iscntrl(c);
        break;
    case 'd':
        is = isdigit(c);
        break;
    case 'g':
        is = isgraph(c);
        break;
    case 'l':
        is = islower(c);
        break;
    case 'p':
        is = ispunct(c);
        break;
    case 's':
        is = isspace(c);
        break;
    case 'u':
        is = isupper(c);
        break;
    case 'w':
        is = isalnum(c);
        break;
    case 'x':
        is = isxdigit(c);
        break;
    case 'z':
        is = c == 0;
        break;
    default:
        return class == c; /* an escaped character */
    }
    return isupper(class) ? !is : is;
}

/* t is behind a '['. Returns the place behind its ']', or NULL. */
static const char *set_end(struct pattern *p, const char *t)
{
    if (t < p->end && *t == '^')
        t++;
    do { /* a ']' that comes first is a character */
        if (t == p->end)
            return fail(p, "malformed pattern (missing ']')");
        if (*t++ == '%') {
            if (t == p->end)
                return fail(p, "malformed pattern (ends with '%')");
            t++;
        }
    } while (t == p->end || *t != ']');
    return t + 1;
}

/* The place behind one single-character item at t (t < end). */
static const char *item_end(struct pattern *p, const char *t)
{
    char c = *t++;
    if (c == '[')
        return set_end(p, t);
    if (c != '%')
        return t;
    return t == p->end ? fail(p, "malformed pattern (ends with '%')") : t + 1;
}

/* Is c in the set between t (behind '[') and last (its ']')? */
static bool in_set(unsigned char c, const char *t, const char *last)
{
    bool found = true;
    if (*t == '^') {
        found = false;
        t++;
    }
    while (t < last) {
        if (*t == '%') {
            if (in_class(c, (unsigned char)t[1]))
                return found;
            t += 2;
        } else if (last - t > 2 && t[1] == '-') {
            if ((unsigned char)t[0] <= c && c <= (unsigned char)t[2])
                return found;
            t += 3;
        } else if ((unsigned char)*t++ == c) {
            return found;
        }
    }
    return !found;
}

/* Does the item t..end match the character at s? */
static bool single(struct pattern *p, const char *s, const char *t,
                   const char *end)
{
    if (s >= p->to || !step(p))
        return false;
    unsigned char c = (unsigned char)*s;
    switch (*t) {
    case '.':
        return true;
    case '%':
        return in_class(c, (unsigned char)t[1]);
    case '[':
        return in_set(c, t + 1, end - 1);
    default:
        return (unsigned char)*t == c;
    }
}

/* --- choices -------------------------------------------------------------- */

static const char *most(struct pattern *p, const char *s, const char *t,
                        const char *end)
{
    ptrdiff_t n = 0;
    while (single(p, s + n, t, end))
        n++;
    for (; n >= 0 && !p->error; n--) {
        const char *got = go(p, s + n, end + 1);
        if (got)
            return got;
    }
    return NULL;
}

static const char *least(struct pattern *p, const char *s, const char *t,
                         const char *end)
{
    for (;; s++) {
        const char *got = go(p, s, end + 1);
        if (got)
            return got;
        if (p->error || !single(p, s, t, end))
            return NULL;
    }
}

static const char *open_capture(struct pattern *p, const char *s, const char *t,
                                ptrdiff_t what)
{
    if (p->count == PATTERN_CAPTURES)
        return fail(p, "malformed pattern (too many captures)");
    int mine = p->count++;
    p->capture[mine].at = s;
    p->capture[mine].len = what;
    const char *got = go(p, s, t);
    if (!got)
        p->count = mine;
    return got;
}

static const char *close_capture(struct pattern *p, const char *s,
                                 const char *t)
{
    int i = p->count - 1;
    while (i >= 0 && p->capture[i].len != CAPTURE_OPEN)
        i--;
    if (i < 0)
        return fail(p, "malformed pattern (')' without '(')");
    p->capture[i].len = s - p->capture[i].at;
    const char *got = go(p, s, t);
    if (!got)
        p->capture[i].len = CAPTURE_OPEN;
    return got;
}

/* --- %b %f %1 ------------------------------------------------------------- */

/* t is at the two characters behind %b. */
static const char *balance(struct pattern *p, const char *s, const char *t)
{
    if (p->end - t < 2)
        return fail(p, "malformed pattern (missing arguments to '%b')");
    if (s >= p->to || *s != t[0])
        return NULL;
    int open = 1;
    while (++s < p->to && step(p)) {
        if (*s == t[1]) {
            if (--open == 0)
                return s + 1;
        } else if (*s == t[0]) {
            open++;
        }
    }
    return NULL;
}

/* t is at the set behind %f; returns the place behind it if the border is
 * here. */
static const char *frontier(struct pattern *p, const char *s, const char *t)
{
    if (t == p->end || *t != '[')
        return fail(p, "malformed pattern (missing '[' after '%f')");
    const char *end = set_end(p, t + 1);
    if (!end)
        return NULL;
    unsigned char before = s == p->from ? 0 : (unsigned char)s[-1];
    unsigned char here = s < p->to ? (unsigned char)*s : 0;
    if (in_set(before, t + 1, end - 1) || !in_set(here, t + 1, end - 1))
        return NULL;
    return end;
}

static const char *back(struct pattern *p, const char *s, unsigned char digit)
{
    int i = digit - '1';
    if (i < 0 || i >= p->count || p->capture[i].len == CAPTURE_OPEN)
        return fail(p, "malformed pattern (invalid capture index)");
    ptrdiff_t len = p->capture[i].len;
    if (len == CAPTURE_POSITION)
        return NULL; /* a place has no text to come again */
    /* A long comparison costs as many steps. */
    uint32_t cost = (uint32_t)len / 16;
    p->steps -= cost < p->steps ? cost : p->steps;
    if (!step(p) || p->to - s < len ||
        memcmp(p->capture[i].at, s, (size_t)len) != 0)
        return NULL;
    return s + len;
}

/* --- the walk ------------------------------------------------------------- */

/* One plain item with its suffix. Returns where the pattern goes on (and
 * moves *s), or NULL: then *got is the answer. */
static const char *plain(struct pattern *p, const char **s, const char *t,
                         const char **got)
{
    *got = NULL;
    const char *end = item_end(p, t);
    if (!end)
        return NULL;
    char suffix = end < p->end ? *end : '\0';
    switch (suffix) {
    case '*':
        *got = most(p, *s, t, end);
        return NULL;
    case '+':
        *got = single(p, *s, t, end) ? most(p, *s + 1, t, end) : NULL;
        return NULL;
    case '-':
        *got = least(p, *s, t, end);
        return NULL;
    case '?':
        if (single(p, *s, t, end) && (*got = go(p, *s + 1, end + 1)) != NULL)
            return NULL;
        return p->error ? NULL : end + 1;
    default:
        if (!single(p, *s, t, end))
            return NULL;
        ++*s;
        return end;
    }
}

/* %b, %f and %1; the same contract as plain(). */
static const char *special(struct pattern *p, const char **s, const char *t)
{
    const char *end;
    switch (t[1]) {
    case 'b':
        end = balance(p, *s, t + 2);
        if (!end)
            return NULL;
        *s = end;
        return t + 4;
    case 'f':
        return frontier(p, *s, t + 2);
    default:
        end = back(p, *s, (unsigned char)t[1]);
        if (!end)
            return NULL;
        *s = end;
        return t + 2;
    }
}

static bool is_special(const struct pattern *p, const char *t)
{
    return *t == '%' && t + 1 < p->end &&
           (t[1] == 'b' || t[1] == 'f' || isdigit((unsigned char)t[1]));
}

static const char *walk(struct pattern *p, const char *s, const char *t)
{
    const char *got;
    while (t && t < p->end) {
        if (*t == '(')
            return t + 1 < p->end && t[1] == ')'
                       ? open_capture(p, s, t + 2, CAPTURE_POSITION)
                       : open_capture(p, s, t + 1, CAPTURE_OPEN);
        if (*t == ')')
            return close_capture(p, s, t + 1);
        if (*t == '$' && t + 1 == p->end)
            return s == p->to ? s : NULL;
        if (is_special(p, t)) {
            t = special(p, &s, t);
            continue;
        }
        t = plain(p, &s, t, &got);
        if (!t)
            return got;
    }
    return t ? s : NULL;
}

static const char *go(struct pattern *p, const char *s, const char *t)
{
    if (p->error || !step(p))
        return NULL;
    if (p->depth == 0)
        return fail(p, "pattern too complex: nested too deep");
    p->depth--;
    const char *got = walk(p, s, t);
    p->depth++;
    return got;
}

const char *pattern_at(struct pattern *p, const char *at, const char *text)
{
    p->count = 0;
    p->depth = PATTERN_DEPTH;
    return go(p, at, text);
}
