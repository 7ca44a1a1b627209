/* SPDX-License-Identifier: Apache-2.0 */
/* zone.c - reading TZif files and the rule in their last line.
 *
 * Happy path: binary search among the transitions; behind the last one the
 * POSIX rule ("CET-1CEST,M3.5.0,M10.5.0/3") says. Failure modes: a file that
 * is no TZif of version 2 or later is refused; a rule that cannot be read
 * leaves the last transition's offset.
 */
#include "script/text/zone.h"
#include "base/err.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HEAD 44
#define DAY 86400

struct date_rule { /* Mm.w.d, Jn or n, and the second of the day */
    char kind;     /* 'M', 'J', 'n' */
    int month, week, day;
    int32_t second;
};
struct zone {
    size_t count;
    const int64_t *at;
    const int32_t *offset; /* count + 1 of them: before the first, then each */
    bool has_rule, has_summer;
    int32_t standard, summer;
    struct date_rule begin, end;
};

/* --- the file ------------------------------------------------------------- */

struct counts {
    size_t isut, isstd, leap, time, type, chars;
};

static uint32_t be32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
           b[3];
}

static int64_t be64(const char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* Reads a head at p; false if there is none. */
static bool read_head(struct slice f, size_t p, struct counts *c)
{
    if (f.len < p + HEAD || memcmp(f.at + p, "TZif", 4) != 0 ||
        f.at[p + 4] < '2')
        return false;
    const char *n = f.at + p + 20;
    *c = (struct counts){be32(n),      be32(n + 4),  be32(n + 8),
                         be32(n + 12), be32(n + 16), be32(n + 20)};
    return c->isut <= ZONE_BYTES && c->isstd <= ZONE_BYTES &&
           c->leap <= ZONE_BYTES && c->time <= ZONE_BYTES && c->type &&
           c->type <= 256 && c->chars <= ZONE_BYTES;
}

static size_t body_size(const struct counts *c, size_t time_bytes)
{
    return c->time * (time_bytes + 1) + c->type * 6 + c->chars +
           c->leap * (time_bytes + 4) + c->isstd + c->isut;
}

/* Where the 64-bit body begins, 0 = no such file. */
static size_t body_at(struct slice f, struct counts *c)
{
    if (f.len > ZONE_BYTES || !read_head(f, 0, c))
        return 0;
    size_t second = HEAD + body_size(c, 4);
    if (!read_head(f, second, c))
        return 0;
    size_t at = second + HEAD;
    return at + body_size(c, 8) <= f.len ? at : 0;
}

size_t zone_size(struct slice f)
{
    struct counts c;
    return body_at(f, &c) ? sizeof(struct zone) + c.time * 12 + 4 : 0;
}

/* --- the rule of the last line -------------------------------------------- */

struct reader {
    const char *at, *end;
    bool bad;
};

static bool take(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static int number(struct reader *r)
{
    int n = 0, digits = 0;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && digits++ < 4)
        n = n * 10 + (*r->at++ - '0');
    r->bad |= digits == 0;
    return n;
}

static void skip_name(struct reader *r)
{
    const char *from = r->at;
    if (take(r, '<')) {
        while (r->at < r->end && *r->at != '>')
            r->at++;
        r->bad |= !take(r, '>');
        return;
    }
    while (r->at < r->end && ((*r->at >= 'a' && *r->at <= 'z') ||
                              (*r->at >= 'A' && *r->at <= 'Z')))
        r->at++;
    r->bad |= r->at - from < 3;
}

/* [+-]h[h][:mm[:ss]] -> seconds */
static int32_t clock_time(struct reader *r)
{
    int sign = take(r, '-') ? -1 : (take(r, '+'), 1);
    int32_t s = number(r) * 3600;
    if (take(r, ':'))
        s += number(r) * 60;
    if (take(r, ':'))
        s += number(r);
    return sign * s;
}

static struct date_rule date_rule(struct reader *r)
{
    struct date_rule d = {.kind = 'n', .second = 7200};
    if (take(r, 'M')) {
        d.kind = 'M';
        d.month = number(r);
        r->bad |= !take(r, '.');
        d.week = number(r);
        r->bad |= !take(r, '.');
        d.day = number(r);
        r->bad |= d.month < 1 || d.month > 12 || d.week < 1 || d.week > 5 ||
                  d.day > 6;
    } else {
        if (take(r, 'J'))
            d.kind = 'J';
        d.day = number(r);
    }
    if (take(r, '/'))
        d.second = clock_time(r);
    return d;
}

static void read_rule(struct zone *z, struct slice line)
{
    struct reader r = {line.at, line.at + line.len, false};
    skip_name(&r);
    z->standard = -clock_time(&r); /* POSIX counts westwards */
    if (r.at < r.end) {
        z->has_summer = true;
        skip_name(&r);
        z->summer = z->standard + 3600;
        if (r.at < r.end && *r.at != ',')
            z->summer = -clock_time(&r);
        r.bad |= !take(&r, ',');
        z->begin = date_rule(&r);
        r.bad |= !take(&r, ',');
        z->end = date_rule(&r);
    }
    z->has_rule = !r.bad && r.at == r.end;
}

int zone_parse(struct slice f, void *room, struct zone **out)
{
    struct counts c;
    size_t at = body_at(f, &c);
    *out = NULL;
    if (!at)
        return ERR_UNPROCESSABLE;
    struct zone *z = room;
    int64_t *times = (int64_t *)(z + 1);
    int32_t *offsets = (int32_t *)(times + c.time);
    *z = (struct zone){.count = c.time, .at = times, .offset = offsets};
    const char *index = f.at + at + c.time * 8;
    const char *types = index + c.time;
    offsets[0] = (int32_t)be32(types);
    for (size_t i = 0; i < c.time; i++) {
        size_t type = (unsigned char)index[i];
        if (type >= c.type)
            return ERR_UNPROCESSABLE;
        times[i] = be64(f.at + at + i * 8);
        offsets[i + 1] = (int32_t)be32(types + type * 6);
    }
    size_t foot = at + body_size(&c, 8);
    if (foot < f.len && f.at[foot] == '\n') {
        const char *line = f.at + foot + 1;
        const char *end = memchr(line, '\n', f.len - foot - 1);
        if (end && end > line)
            read_rule(z, (struct slice){line, (size_t)(end - line)});
    }
    *out = z;
    return 0;
}

/* --- asking --------------------------------------------------------------- */

static bool is_leap(int64_t y)
{
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Days since 1970 of January 1st of a year. */
static int64_t days_of(int64_t y)
{
    int64_t p = y - 1;
    return 365 * (y - 1970) + (p / 4 - p / 100 + p / 400) - 477;
}

static int64_t year_of(int64_t at)
{
    int64_t y = 1970 + at / DAY / 366;
    while ((days_of(y + 1)) * DAY <= at)
        y++;
    return y;
}

/* The rule's moment in that year, in seconds of local time. */
static int64_t moment(const struct date_rule *d, int64_t year)
{
    static const int before[] = {0,   31,  59,  90,  120, 151, 181,
                                 212, 243, 273, 304, 334, 365};
    int64_t first = days_of(year), day;
    bool leap = is_leap(year);
    if (d->kind == 'M') {
        int64_t month = first + before[d->month - 1] + (leap && d->month > 2);
        int64_t next = first + before[d->month] + (leap && d->month >= 2);
        int64_t weekday = (month + 4) % 7; /* 1970-01-01 was a Thursday */
        day = month + (d->day - weekday + 7) % 7 + 7 * (d->week - 1);
        while (day >= next)
            day -= 7;
    } else if (d->kind == 'J') {
        day = first + d->day - 1 + (leap && d->day > 59);
    } else {
        day = first + d->day;
    }
    return day * DAY + d->second;
}

static int32_t by_rule(const struct zone *z, int64_t at)
{
    if (!z->has_summer)
        return z->standard;
    int64_t year = year_of(at + z->standard);
    int64_t begin = moment(&z->begin, year) - z->standard;
    int64_t end = moment(&z->end, year) - z->summer;
    bool summer = begin < end ? at >= begin && at < end
                              : at >= begin || at < end; /* the south */
    return summer ? z->summer : z->standard;
}

int32_t zone_offset(const struct zone *z, int64_t at)
{
    size_t low = 0, high = z->count; /* the first transition after `at` */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (z->at[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == z->count && z->has_rule && at >= 0)
        return by_rule(z, at);
    return z->offset[low];
}

/* --- moments and days ----------------------------------------------------- */

int32_t zone_ref_offset(struct zone_ref r, int64_t at)
{
    return r.zone ? zone_offset(r.zone, at) : r.offset;
}

int64_t zone_moment(struct zone_ref r, int64_t local, int64_t after, bool both)
{
    /* No zone changes twice within two days. */
    int32_t before = zone_ref_offset(r, local - DAY);
    int32_t behind = zone_ref_offset(r, local + DAY);
    int64_t first = local - before, second = local - behind;
    bool is_first = zone_ref_offset(r, first) == before;
    bool is_second = zone_ref_offset(r, second) == behind;
    if (!is_first && !is_second) /* left out */
        return first > after ? first : INT64_MAX;
    if (!is_first)
        first = second;
    if (first > after)
        return first;
    return both && is_second && second > after ? second : INT64_MAX;
}

/* By eras of 400 years that begin in March (Howard Hinnant's way). */
int64_t day_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t in_era = y - era * 400;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year -
           719468;
}

void day_date(int64_t day, int *year, int *month, int *dom)
{
    day += 719468;
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    int64_t of_era = day - era * 146097;
    int64_t y =
        (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *dom = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(y + era * 400 + (*month <= 2));
}

/* --- names ---------------------------------------------------------------- */

bool zone_fixed(struct slice name, int32_t *offset)
{
    *offset = 0;
    if (slice_is(name, "UTC") || slice_is(name, "Z"))
        return true;
    if (name.len < 5 || name.len > 6 ||
        (name.at[0] != '+' && name.at[0] != '-'))
        return false;
    int digit[4], n = 0;
    for (size_t i = 1; i < name.len; i++) {
        if (name.len == 6 && i == 3 && name.at[i] == ':')
            continue;
        if (name.at[i] < '0' || name.at[i] > '9' || n == 4)
            return false;
        digit[n++] = name.at[i] - '0';
    }
    if (n != 4)
        return false;
    *offset =
        (digit[0] * 10 + digit[1]) * 3600 + (digit[2] * 10 + digit[3]) * 60;
    if (name.at[0] == '-')
        *offset = -*offset;
    return true;
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || c == '_' || c == '+' ||
                     c == '-' || (c == '/' && i > 0);
        if (!plain) /* no dot: no way up */
            return false;
    }
    return s.len > 0 && s.len < 64;
}

int zone_read(struct slice name, struct arena *a, struct slice *file)
{
    char path[128];
    *file = SLICE("");
    if (!is_name(name))
        return ERR_NOT_FOUND;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", SLICE_FMT(name));
    if (slice_is(name, "localtime"))
        snprintf(path, sizeof path, "/etc/localtime");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ERR_NOT_FOUND;
    char *text = arena_text(a, ZONE_BYTES);
    ssize_t n, len = 0;
    while ((n = read(fd, text + len, ZONE_BYTES - (size_t)len)) > 0)
        len += n;
    close(fd);
    if (n < 0)
        return ERR_NOT_FOUND;
    *file = (struct slice){text, (size_t)len};
    return 0;
}

struct slice zone_own(void)
{
    const char *tz = getenv("TZ");
    if (tz && *tz == ':')
        tz++;
    return slice_of(tz && *tz ? tz : "localtime");
}

int zone_open(struct slice name, struct arena *a, struct zone_ref *out)
{
    struct slice file;
    struct zone *z;
    *out = (struct zone_ref){.zone = NULL};
    if (zone_fixed(name, &out->offset))
        return 0;
    struct arena *work = arena_new();
    int r = zone_read(name, work, &file);
    size_t size = r == 0 ? zone_size(file) : 0;
    r = size ? zone_parse(file, arena_alloc(a, size), &z) : ERR_NOT_FOUND;
    arena_free(work);
    if (r)
        return ERR_NOT_FOUND;
    out->zone = z;
    return 0;
}
