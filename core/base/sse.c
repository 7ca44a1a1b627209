/* SPDX-License-Identifier: Apache-2.0 */
/* sse.c - see sse.h.
 *
 * Happy path: bytes gather in `line`; a whole line is a field; an empty line
 * gives the event if it has data. Failure modes: a line or an event over its
 * maximum is ERR_TOOBIG, and the stream cannot be gone on with.
 */
#include "base/sse.h"
#include "base/err.h"

#define NAME_BYTES 1000 /* of an event's name and id */

void sse_init(struct sse *s, size_t max)
{
    *s = (struct sse){.retry_ms = -1};
    buf_init(&s->line, max);
    buf_init(&s->data, max);
    buf_init(&s->event, NAME_BYTES);
    buf_init(&s->id, NAME_BYTES);
    buf_init(&s->next_id, NAME_BYTES);
}

void sse_fini(struct sse *s)
{
    buf_fini(&s->line);
    buf_fini(&s->data);
    buf_fini(&s->event);
    buf_fini(&s->id);
    buf_fini(&s->next_id);
}

static int keep(struct buf *b, struct slice value)
{
    buf_clear(b);
    return buf_add_slice(b, value);
}

static int take_field(struct sse *s, struct slice name, struct slice value)
{
    int64_t ms;
    if (slice_is(name, "data")) {
        int got = buf_add_slice(&s->data, value);
        return got < 0 ? got : buf_add_char(&s->data, '\n');
    }
    if (slice_is(name, "event"))
        return keep(&s->event, value);
    if (slice_is(name, "id") &&
        !(value.len && memchr(value.at, '\0', value.len)))
        return keep(&s->next_id, value);
    if (slice_is(name, "retry") && value.len && value.at[0] >= '0' &&
        value.at[0] <= '9' && slice_to_i64(value, &ms))
        s->retry_ms = ms;
    return 0;
}

/* A line is whole. Returns 1 if it ended an event, 0, or ERR_TOOBIG. */
static int take_line(struct sse *s)
{
    struct slice line = buf_slice(&s->line);
    if (line.len == 0) {
        (void)keep(&s->id, buf_slice(&s->next_id)); /* same maximum */
        if (s->data.len)
            return 1;
        buf_clear(&s->event);
        return 0;
    }
    const char *colon = memchr(line.at, ':', line.len);
    if (colon == line.at)
        return 0; /* a comment */
    size_t n = colon ? (size_t)(colon - line.at) : line.len;
    struct slice value = {"", 0};
    if (colon) {
        value = (struct slice){colon + 1, line.len - n - 1};
        if (value.len && value.at[0] == ' ') {
            value.at++;
            value.len--;
        }
    }
    return take_field(s, (struct slice){line.at, n}, value);
}

/* The byte order mark, and nothing else, is skipped at the start. */
static bool skips(struct sse *s, unsigned char c)
{
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
    if (s->mark >= 3)
        return false;
    if (c == mark[s->mark]) {
        s->mark++;
        return true;
    }
    (void)buf_add(&s->line, mark, s->mark); /* it was none; three bytes */
    s->mark = 3;
    return false;
}

/* How many bytes at the start of in are plain text of a line. */
static size_t plain(struct slice in)
{
    const char *lf = memchr(in.at, '\n', in.len);
    size_t n = lf ? (size_t)(lf - in.at) : in.len;
    const char *cr = memchr(in.at, '\r', n);
    return cr ? (size_t)(cr - in.at) : n;
}

static void begin(struct sse *s)
{
    if (!s->done)
        return;
    s->done = false;
    buf_clear(&s->data);
    buf_clear(&s->event);
}

void sse_rest(struct sse *s)
{
    struct buf *all[] = {&s->line, &s->data, &s->event, &s->id, &s->next_id};
    begin(s);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (!all[i]->len)
            buf_fini(all[i]);
}

int64_t sse_feed(struct sse *s, struct slice in, bool *got)
{
    size_t i = 0;
    *got = false;
    if (in.len)
        begin(s);
    while (i < in.len) {
        char c = in.at[i];
        if (skips(s, (unsigned char)c)) {
            i++;
            continue;
        }
        if (s->cr && c == '\n') { /* the second half of CRLF */
            s->cr = false;
            i++;
            continue;
        }
        s->cr = c == '\r';
        if (c == '\r' || c == '\n') {
            i++;
            int what = take_line(s);
            buf_clear(&s->line);
            if (what < 0)
                return what;
            if (what == 0)
                continue;
            *got = s->done = true;
            return (int64_t)i;
        }
        size_t n = plain((struct slice){in.at + i, in.len - i});
        if (buf_add(&s->line, in.at + i, n) < 0)
            return ERR_TOOBIG;
        i += n;
    }
    return (int64_t)i;
}
