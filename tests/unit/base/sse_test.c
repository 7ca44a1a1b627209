/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/sse.h"
#include "test.h"
#include <stdio.h>
#include <stdlib.h>

static bool rests; /* after each piece */

/* Feeds a copy of a piece that ends where memory ends; each event becomes
 * "[event|data|id]" in out. */
static int feed(struct sse *s, struct slice in, struct buf *out)
{
    char *copy = malloc(in.len + 1);
    size_t at = 0;
    if (in.len)
        memcpy(copy + 1, in.at, in.len);
    int64_t n = 0;
    while (at < in.len && n >= 0) {
        bool got;
        n = sse_feed(s, (struct slice){copy + 1 + at, in.len - at}, &got);
        if (n < 0)
            break;
        CHECK(n > 0);
        at += (size_t)n;
        if (got)
            buf_addf(out, "[%.*s|%.*s|%.*s]", SLICE_FMT(sse_event(s)),
                     SLICE_FMT(sse_data(s)), SLICE_FMT(sse_id(s)));
    }
    free(copy);
    if (rests)
        sse_rest(s);
    return n < 0 ? (int)n : 0;
}

/* Whole, byte by byte, and cut at each point. */
static void reads_n(struct slice text, const char *want)
{
    for (int64_t cut = -2; cut < (int64_t)text.len; cut++) {
        struct sse s;
        struct buf out;
        sse_init(&s, 1000);
        buf_init(&out, 100000);
        test_note("cut %d of %.*s", (int)cut, SLICE_FMT(text));
        if (cut == -2) {
            feed(&s, text, &out);
        } else if (cut == -1) {
            for (size_t i = 0; i < text.len; i++)
                feed(&s, (struct slice){text.at + i, 1}, &out);
        } else {
            feed(&s, (struct slice){text.at, (size_t)cut}, &out);
            feed(&s, (struct slice){text.at + cut, text.len - (size_t)cut},
                 &out);
        }
        CHECK_SLICE(buf_slice(&out), want);
        buf_fini(&out);
        sse_fini(&s);
    }
}

static void reads(const char *text, const char *want)
{
    reads_n(slice_of(text), want);
    rests = true;
    reads_n(slice_of(text), want);
    rests = false;
}

TEST("an event has data, a name and an id; lines of data are joined")
{
    reads("data: one\n\n", "[message|one|]");
    reads("data: one\ndata: two\n\n", "[message|one\ntwo|]");
    reads("event: add\ndata: 73857293\nid: 7\n\n", "[add|73857293|7]");
    reads("data: a\n\ndata: b\n\n", "[message|a|][message|b|]");
}

TEST("lines end in LF, CR or CRLF, mixed as they like")
{
    reads("data: a\r\ndata: b\r\n\r\n", "[message|a\nb|]");
    reads("data: a\rdata: b\r\r", "[message|a\nb|]");
    reads("data: a\r\n\ndata: b\n\r\n", "[message|a|][message|b|]");
    reads("data: a\n\r", "[message|a|]");
}

TEST("one blank behind the colon goes, comments and unknown fields too")
{
    reads("data:x\n\n", "[message|x|]");
    reads("data:  x\n\n", "[message| x|]");
    reads(": hello\n:\ndata: x\nfoo: bar\nda: no\n\n", "[message|x|]");
    reads("data:a:b: c\n\n", "[message|a:b: c|]");
}

TEST("a field without a colon has an empty value")
{
    reads("data\n\n", "[message||]");
    reads("data\ndata\n\n", "[message|\n|]");
    reads("data:\n\n", "[message||]");
    reads("id\ndata: x\n\n", "[message|x|]");
}

TEST("an event without data is none and its name is forgotten")
{
    reads("event: a\n\ndata: x\n\n", "[message|x|]");
    reads("\n\n\n", "");
    reads("event: a\n\n", "");
}

TEST("an event that the end cuts off is none")
{
    reads("data: x\n", "");
    reads("data: x\n\ndata: y", "[message|x|]");
}

TEST("the id stays until another comes; one with a NUL is passed over")
{
    reads("id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
          "[message|a|1][message|b|1][message|c|]");
    reads("id: 1\n\ndata: a\n\n", "[message|a|1]");
    reads_n(SLICE("id: 1\ndata: a\n\nid: 2\0x\ndata: b\n\n"),
            "[message|a|1][message|b|1]");
}

TEST("a byte order mark is skipped at the start and only there")
{
    reads("\xef\xbb\xbf"
          "data: x\n\n",
          "[message|x|]");
    reads("data: \xef\xbb\xbfx\n\n", "[message|\xef\xbb\xbfx|]");
    reads("\xef\xbb\xbf\xef\xbb\xbf"
          "data: x\n\ndata: y\n\n",
          "[message|y|]");
    reads("\xef\xbb"
          "data: x\n\ndata: y\n\n",
          "[message|y|]");
    reads("\xef\ndata: y\n\n", "[message|y|]");
}

TEST("what rests holds no memory but of what is not whole yet")
{
    struct sse s;
    struct buf out;
    buf_init(&out, 1000);
    sse_init(&s, 1000);
    CHECK_EQ_INT(feed(&s, SLICE("id: 7\nevent: e\ndata: a\n\n"), &out), 0);
    CHECK_SLICE(buf_slice(&out), "[e|a|7]");
    CHECK(s.line.data && s.data.data && s.event.data);
    sse_rest(&s);
    CHECK(!s.line.data && !s.data.data && !s.event.data);
    CHECK_SLICE(sse_id(&s), "7");
    CHECK_EQ_INT(feed(&s, SLICE("event: f\ndata: b\nda"), &out), 0);
    sse_rest(&s);
    CHECK(s.line.data && s.data.data && s.event.data);
    CHECK_EQ_INT(feed(&s, SLICE("ta: c\n\n"), &out), 0);
    CHECK_SLICE(buf_slice(&out), "[e|a|7][f|b\nc|7]");
    buf_fini(&out);
    sse_fini(&s);
}

TEST("retry is a number of digits only")
{
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {{"retry: 3000\n", 3000}, {"retry: -1\n", -1},
                 {"retry: +5\n", -1},     {"retry: 5s\n", -1},
                 {"retry:\n", -1},        {"retry: 0\n", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sse s;
        bool got;
        sse_init(&s, 100);
        sse_feed(&s, slice_of(cases[i].text), &got);
        CHECK_EQ_INT(s.retry_ms, cases[i].want);
        sse_fini(&s);
    }
}

TEST("a line or an event over its maximum is refused")
{
    struct sse s;
    struct buf out;
    char line[200];
    buf_init(&out, 1000);
    sse_init(&s, 100);
    memset(line, 'x', sizeof line);
    CHECK_EQ_INT(feed(&s, (struct slice){line, 100}, &out), 0);
    CHECK_EQ_INT(feed(&s, (struct slice){line, 1}, &out), ERR_TOOBIG);
    sse_fini(&s);
    sse_init(&s, 100);
    memcpy(line, "data: ", 6);
    line[60] = '\n';
    CHECK_EQ_INT(feed(&s, (struct slice){line, 61}, &out), 0);
    CHECK_EQ_INT(feed(&s, (struct slice){line, 61}, &out), ERR_TOOBIG);
    sse_fini(&s);
    buf_fini(&out);
}
