/* SPDX-License-Identifier: Apache-2.0 */
/* mime_date.c - "Tue, 1 Jul 2025 10:52:37 +0800" as a moment.
 *
 * Happy path: words and numbers in the order of RFC 5322. Failure modes: a
 * date that is none is false; a zone nobody knows counts as UTC.
 */
#include "script/text/mime.h"
#include <ctype.h>

struct cursor {
    struct slice s;
    size_t i;
};

/* Blanks, commas and comments. */
static void skip(struct cursor *c)
{
    int depth = 0;
    for (; c->i < c->s.len; c->i++) {
        char x = c->s.at[c->i];
        depth += x == '(';
        if (depth == 0 && !isspace((unsigned char)x) && x != ',')
            return;
        depth -= depth > 0 && x == ')';
    }
}

static bool number(struct cursor *c, int64_t *n)
{
    size_t from = c->i;
    while (c->i < c->s.len && isdigit((unsigned char)c->s.at[c->i]) &&
           c->i - from < 9)
        c->i++;
    return slice_to_i64((struct slice){c->s.at + from, c->i - from}, n);
}

static struct slice word(struct cursor *c)
{
    size_t from = c->i;
    while (c->i < c->s.len && isalpha((unsigned char)c->s.at[c->i]))
        c->i++;
    return (struct slice){c->s.at + from, c->i - from};
}

static bool mark(struct cursor *c, char x)
{
    bool is = c->i < c->s.len && c->s.at[c->i] == x;
    c->i += is;
    return is;
}

static int month(struct slice s)
{
    static const char *const names[] = {"jan", "feb", "mar", "apr",
                                        "may", "jun", "jul", "aug",
                                        "sep", "oct", "nov", "dec"};
    if (s.len < 3)
        return 0;
    s.len = 3;
    for (int i = 0; i < 12; i++)
        if (slice_is_nocase(s, names[i]))
            return i + 1;
    return 0;
}

/* Days since 1970 of a day of the Gregorian calendar. */
static int64_t days(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* Minutes east. */
static int64_t zone(struct cursor *c)
{
    static const struct {
        const char *name;
        int hours;
    } named[] = {{"est", -5}, {"edt", -4}, {"cst", -6}, {"cdt", -5},
                 {"mst", -7}, {"mdt", -6}, {"pst", -8}, {"pdt", -7}};
    int64_t n;
    skip(c);
    bool minus = mark(c, '-');
    if (minus || mark(c, '+'))
        return number(c, &n) && n < 2400
                   ? (n / 100 * 60 + n % 100) * (minus ? -1 : 1)
                   : 0;
    struct slice s = word(c);
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        if (slice_is_nocase(s, named[i].name))
            return named[i].hours * 60;
    return 0;
}

bool mime_date(struct slice raw, int64_t *ms)
{
    struct cursor c = {raw, 0};
    int64_t d, y, h, min, s = 0;
    if (raw.len == 0)
        return false;
    skip(&c);
    if (word(&c).len) /* the day's name */
        skip(&c);
    if (!number(&c, &d))
        return false;
    skip(&c);
    (void)mark(&c, '-'); /* 1-Jan-2025: seen */
    int m = month(word(&c));
    (void)mark(&c, '-');
    skip(&c);
    if (!m || !number(&c, &y) || d < 1 || d > 31 || y > 9999)
        return false;
    y += y < 50 ? 2000 : y < 1000 ? 1900 : 0;
    skip(&c);
    if (!number(&c, &h) || !mark(&c, ':') || !number(&c, &min) ||
        (mark(&c, ':') && !number(&c, &s)) || h > 24 || min > 59 || s > 60)
        return false;
    *ms = ((days(y, m, d) * 24 + h) * 60 + min - zone(&c)) * 60000 + s * 1000;
    return true;
}
