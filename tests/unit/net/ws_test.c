/* SPDX-License-Identifier: Apache-2.0 */
/* WebSocket frames without I/O: whole, byte by byte, and what they leave. */
#include "house.h"
#include "net/ws.h"
#include "test.h"

#include <stdio.h>

/* What a stream of client bytes comes to, as text; fed in pieces. */
static void run(const struct buf *in, size_t step, char *out, size_t size,
                struct buf *replies)
{
    struct ws *w = ws_new();
    struct ws_part *part = NULL;
    struct buf have;
    struct ws_event ev = {0};
    size_t fed = 0, o = 0;
    buf_init(&have, 1 << 20);
    out[0] = '\0';
    while (ev.kind != WS_CLOSE && ev.kind != WS_FAILED) {
        size_t n = ws_read(w, &part, 70000, buf_slice(&have), replies, &ev);
        if (n == 0) {
            if (fed == in->len)
                break;
            size_t k = in->len - fed < step ? in->len - fed : step;
            buf_add(&have, in->data + fed, k);
            fed += k;
            continue;
        }
        buf_drop(&have, n);
        static const char *const names[] = {"none", "text",  "binary", "ping",
                                            "pong", "close", "failed"};
        if (ev.kind != WS_NONE)
            o += (size_t)snprintf(out + o, size - o, "%s %zu %d %.*s\n",
                                  names[ev.kind], ev.data.len, ev.code,
                                  ev.data.len < 20 ? (int)ev.data.len : 0,
                                  ev.data.len ? ev.data.at : "");
    }
    ws_part_free(part);
    ws_free(w);
    buf_fini(&have);
}

static void check_run(const struct buf *in, const char *want)
{
    char got[2000];
    struct buf replies, first;
    buf_init(&first, 1 << 20);
    run(in, in->len + 1, got, sizeof(got), &first);
    CHECK_EQ_STR(got, want);
    static const size_t steps[] = {1, 2, 3, 7, 1000};
    for (size_t i = 0; i < 5; i++) {
        buf_init(&replies, 1 << 20);
        run(in, steps[i], got, sizeof(got), &replies);
        CHECK_EQ_STR(got, want);
        CHECK_EQ_MEM(replies.data, replies.len, first.data, first.len);
        buf_fini(&replies);
    }
    buf_fini(&first);
}

TEST("messages of every length form arrive, whole or in pieces")
{
    struct buf b;
    char *big = mem_alloc(70000);
    memset(big, 'z', 70000);
    buf_init(&b, 1 << 20);
    put_frame(&b, 0x81, "", 0);
    put_frame(&b, 0x81, "hello", 5);
    put_frame(&b, 0x82, big, 125);
    put_frame(&b, 0x81, big, 126);
    put_frame(&b, 0x81, big, 65535);
    put_frame(&b, 0x82, big, 70000);
    check_run(&b, "text 0 0 \ntext 5 0 hello\nbinary 125 0 \ntext 126 0 \n"
                  "text 65535 0 \nbinary 70000 0 \n");
    buf_fini(&b);
    mem_free(big);
}

TEST("control frames come through between fragments")
{
    struct buf b;
    buf_init(&b, 1 << 20);
    put_frame(&b, 0x01, "one ", 4);
    put_frame(&b, 0x89, "p", 1);
    put_frame(&b, 0x00, "two ", 4);
    put_frame(&b, 0x8A, "", 0);
    put_frame(&b, 0x80, "three", 5);
    put_frame(&b, 0x81, "next", 4);
    put_frame(&b, 0x88, "\x03\xe8", 2);
    check_run(&b, "ping 0 0 \npong 0 0 \ntext 13 0 one two three\n"
                  "text 4 0 next\nclose 0 1000 \n");
    buf_fini(&b);
}

TEST("a close in fragments' midst, and one behind a message, are seen")
{
    struct buf b;
    buf_init(&b, 1 << 20);
    put_frame(&b, 0x01, "one ", 4);
    put_frame(&b, 0x88, "", 0);
    check_run(&b, "close 0 1005 \n");
    buf_clear(&b);
    put_frame(&b, 0x81, "last", 4);
    put_frame(&b, 0x88, "\x03\xe9", 2);
    put_frame(&b, 0x81, "too late", 8);
    check_run(&b, "text 4 0 last\nclose 0 1001 \n");
    buf_fini(&b);
}

TEST("after one connection has failed the shared context serves the next")
{
    struct ws *w = ws_new();
    struct ws_part *part = NULL;
    struct ws_event ev;
    struct buf bad, good, out;
    buf_init(&bad, 4096);
    buf_init(&good, 4096);
    buf_init(&out, 4096);
    put_frame(&bad, 0x81, "\xff\xff", 2);
    put_frame(&good, 0x81, "fine", 4);
    for (int i = 0; i < 5; i++) {
        CHECK(ws_read(w, &part, 1000, buf_slice(&bad), &out, &ev) > 0);
        CHECK_EQ_INT(ev.kind, WS_FAILED);
        CHECK_EQ_INT(ev.code, 1007);
        CHECK(ws_read(w, &part, 1000, buf_slice(&good), &out, &ev) > 0);
        CHECK_EQ_INT(ev.kind, WS_TEXT);
        CHECK_SLICE(ev.data, "fine");
    }
    buf_fini(&bad);
    buf_fini(&good);
    buf_fini(&out);
    ws_free(w);
}

TEST("boundaries of written frames are found from anywhere inside")
{
    struct buf b;
    size_t starts[5], n = 0;
    char *big = mem_alloc(70000);
    buf_init(&b, 1 << 20);
    static const size_t sizes[] = {0, 5, 125, 126, 70000};
    for (size_t i = 0; i < 5; i++) {
        starts[n++] = b.len;
        ws_write(&b, 1, (struct slice){big, sizes[i]});
    }
    for (size_t at = 0; at <= b.len; at += at < 300 ? 1 : 1013) {
        size_t next = b.len, begin = 0;
        for (size_t i = 0; i < n; i++) {
            if (starts[i] >= at && next == b.len)
                next = starts[i];
            if (starts[i] <= at)
                begin = starts[i];
        }
        CHECK_EQ_INT(ws_boundary(b.data, b.len, at), next);
        if (at < b.len)
            CHECK_EQ_INT(ws_begin(b.data, b.len, at), begin);
    }
    CHECK_EQ_INT(ws_begin(b.data, b.len, b.len), b.len);
    buf_fini(&b);
    mem_free(big);
}

TEST("what does not fit is not written, not even its head")
{
    struct buf b;
    buf_init(&b, 20);
    CHECK(ws_write(&b, 1, SLICE("0123456789")) == 0);
    CHECK(ws_write(&b, 1, SLICE("0123456789")) < 0);
    CHECK_EQ_INT(b.len, 12);
    buf_fini(&b);
}

TEST("the key of RFC 6455 gives its answer, other texts none")
{
    char out[WS_KEY_TEXT];
    CHECK(ws_accept_key(SLICE("dGhlIHNhbXBsZSBub25jZQ=="), out));
    CHECK_EQ_STR(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    CHECK(!ws_accept_key(SLICE(""), out));
    CHECK(!ws_accept_key(SLICE("dGhlIHNhbXBsZSBub25jZQ="), out));
    CHECK(!ws_accept_key(SLICE("dGhlIHNhbXBsZSBub25jZQ==="), out));
    CHECK(!ws_accept_key(SLICE("dGhlIHNhbXBsZSB\x01"
                               "25jZQ=="),
                         out));
}
