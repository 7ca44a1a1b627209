/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and answers without I/O: whole, byte by byte, cut at each point. */
#include "base/limits.h"
#include "net/files.h"
#include "net/govern.h"
#include "net/http.h"
#include "test.h"

#include <stdio.h>

/* Reads all of text in pieces of `step` bytes; the requests' summaries. */
static void read_all(const char *text, size_t len, size_t step, char *out,
                     size_t size)
{
    struct http_reader *r = http_reader_new(1000);
    struct buf in;
    size_t fed = 0, o = 0;
    bool over = false;
    buf_init(&in, 1 << 20);
    out[0] = '\0';
    while (!over) {
        size_t used;
        struct slice copy = {mem_alloc(in.len + 1), in.len};
        if (in.len)
            memcpy((char *)(uintptr_t)copy.at, in.data, in.len);
        enum http_step s = http_read(r, copy, &used);
        buf_drop(&in, used);
        mem_free((void *)(uintptr_t)copy.at);
        if (s == HTTP_NEEDS_MORE && fed < len) {
            size_t n = len - fed < step ? len - fed : step;
            buf_add(&in, text + fed, n);
            fed += n;
        } else if (s == HTTP_NEEDS_MORE) {
            over = true;
        } else if (s == HTTP_IS_WHOLE) {
            struct http_in *q = http_take(r);
            o += (size_t)snprintf(
                out + o, size - o, "%.*s %.*s?%.*s [%.*s]%s\n",
                SLICE_FMT(q->req.method), SLICE_FMT(q->req.path),
                SLICE_FMT(q->req.query), SLICE_FMT(q->req.body),
                q->keep_alive ? "" : " close");
            http_in_free(q);
        } else if (s == HTTP_IS_REFUSED) {
            snprintf(out + o, size - o, "%d\n", http_now(r)->status);
            over = true;
        }
    }
    http_reader_free(r);
    buf_fini(&in);
}

static void check_read(const char *text, const char *want)
{
    char got[2000];
    size_t n = strlen(text);
    test_note("%.50s", text);
    for (size_t step = n + 1; step > 0; step = step > 7 ? 7 : step - 1) {
        read_all(text, n, step, got, sizeof(got));
        CHECK_EQ_STR(got, want);
    }
    for (size_t cut = 0; cut <= n; cut++) /* no crash, no leak */
        read_all(text, cut, 5, got, sizeof(got));
    test_note("%s", "");
}

TEST("requests are read alike whole and in pieces, one after the other")
{
    check_read("GET /a/./b//c?x=%20 HTTP/1.1\r\nHost: h\r\n\r\n",
               "GET /a/b/c?x=%20 []\n");
    check_read("\r\n\r\nGET / HTTP/1.1\nHost: h\n\n", "GET /? []\n");
    check_read("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
               "GET /q HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
               "POST /p? [abc]\nGET /q? [] close\n");
    check_read("POST /p HTTP/1.1\r\nHost: h\r\n"
               "Transfer-Encoding: chunked\r\n\r\n"
               "2\r\nab\r\n1;q=2\r\nc\r\n0\r\nT: x\r\n\r\n"
               "DELETE /r HTTP/1.1\r\nHost: h\r\n\r\n",
               "POST /p? [abc]\nDELETE /r? []\n");
    check_read("GET /%E4%BD%A0 HTTP/1.0\r\n\r\n",
               "GET /\xe4\xbd\xa0? [] close\n");
    check_read("GET http://u.example:80?q HTTP/1.1\r\nHost: h\r\n\r\n",
               "GET /?q []\n");
    check_read("GET http://u.example/x?q HTTP/1.1\r\nHost: h\r\n\r\n",
               "GET /x?q []\n");
    check_read("GET /h2 HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n"
               "Connection: Upgrade\r\n\r\n"
               "GET /next HTTP/1.1\r\nHost: h\r\n\r\n",
               "GET /h2? []\nGET /next? []\n");
}

TEST("what could be read in two ways is refused")
{
    check_read("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n folded\r\n\r\n", "400\n");
    check_read("GET / HTTP/1.1\r\nHost: h\r\nBad name: x\r\n\r\n", "400\n");
    check_read("GET / HTTP/1.1\r\nHost: h\r\nname : x\r\n\r\n", "400\n");
    check_read("GET / HTTP/1.1\r\nHost: h\r\nA: b\rc\r\n\r\n", "400\n");
    check_read("GET / HTTP/1.1\r\nHost: h\r\nnocolon\r\n\r\n", "400\n");
    check_read("GET  / HTTP/1.1\r\nHost: h, i\r\n\r\n", "400\n");
    check_read("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
               "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
               "400\n");
    check_read("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
               "Content-Length: 1\r\n\r\nx",
               "400\n");
    check_read("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx",
               "400\n");
    check_read("POST / HTTP/1.1\r\nHost: h\r\n"
               "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
               "501\n");
    check_read("POST / HTTP/1.1\r\nHost: h\r\n"
               "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
               "400\n");
    check_read("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", "400\n");
    check_read("GET /\x80 HTTP/1.1\r\nHost: h\r\n\r\n", "400\n");
}

TEST("paths are decoded and normalised, or refused")
{
    static const struct {
        const char *in, *out;
    } cases[] = {{"/", "/"},        {"/a", "/a"},        {"//a///b", "/a/b"},
                 {"/a/", "/a/"},    {"/./a/.", "/a"},    {"/%41%2Fb", "/A/b"},
                 {"/..", NULL},     {"/a/%2e%2e", NULL}, {"/a/..%2fb", NULL},
                 {"/%00", NULL},    {"/%0a", NULL},      {"/%", NULL},
                 {"/%4", NULL},     {"/%g0", NULL},      {"/a%5cb", NULL},
                 {"a", NULL},       {"", NULL},          {"*", NULL},
                 {"/%c0%ae", NULL}, {"/...", "/..."}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[64];
        size_t n = 0;
        bool ok = http_path(slice_of(cases[i].in), out, &n);
        test_note("%s", cases[i].in);
        CHECK_EQ_INT(ok, cases[i].out != NULL);
        if (ok && cases[i].out)
            CHECK_EQ_MEM(out, n, cases[i].out, strlen(cases[i].out));
    }
}

TEST("query parameters are found and decoded")
{
    struct arena *a = arena_new();
    struct http_req r = {.arena = a,
                         .query = SLICE("a=1&b=x+y%21&flag&a=2&bad=%zz")};
    struct slice v;
    CHECK(http_query(&r, "a", &v));
    CHECK_SLICE(v, "1");
    CHECK(http_query(&r, "b", &v));
    CHECK_SLICE(v, "x y!");
    CHECK(http_query(&r, "flag", &v));
    CHECK_EQ_INT(v.len, 0);
    CHECK(!http_query(&r, "bad", &v));
    CHECK(!http_query(&r, "none", &v));
    CHECK(!http_query(&r, "fla", &v));
    arena_free(a);
}

TEST("an answer's head is written, or the buffer stays as it was")
{
    struct http_answer a = {.status = 404,
                            .type = SLICE("text/plain"),
                            .headers = SLICE("X: y\r\n"),
                            .length = 3,
                            .date_ms = 784111777000};
    struct buf b;
    buf_init(&b, 1000);
    CHECK(http_write_head(&b, &a) == 0);
    CHECK_SLICE(buf_slice(&b),
                "HTTP/1.1 404 Not Found\r\n"
                "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                "Content-Type: text/plain\r\nContent-Length: 3\r\n"
                "Connection: close\r\nX: y\r\n"
                "X-Content-Type-Options: nosniff\r\n\r\n");
    size_t full = b.len;
    buf_fini(&b);
    for (size_t max = 1; max < full; max++) {
        buf_init(&b, max);
        CHECK(http_write_head(&b, &a) < 0);
        CHECK_EQ_INT(b.len, 0);
        buf_fini(&b);
    }
}

TEST("ranges are taken as RFC 9110 says")
{
    static const struct {
        const char *text;
        int rc;
        int64_t from, count;
    } cases[] = {{"bytes=0-9", 1, 0, 10},    {"bytes=90-", 1, 90, 10},
                 {"bytes=-5", 1, 95, 5},     {"bytes=-500", 1, 0, 100},
                 {"bytes=95-500", 1, 95, 5}, {"bytes=0-0", 1, 0, 1},
                 {"bytes=100-", -9, 0, 0},   {"bytes=-0", -9, 0, 0},
                 {"bytes=5-4", 0, 0, 0},     {"bytes=0-1,3-4", 0, 0, 0},
                 {"bytes=a-b", 0, 0, 0},     {"items=0-1", 0, 0, 0},
                 {"bytes=", 0, 0, 0},        {"bytes=-", 0, 0, 0},
                 {"bytes=--1", 0, 0, 0},     {"bytes=500-100", 0, 0, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t from = 0, count = 0;
        test_note("%s", cases[i].text);
        CHECK_EQ_INT(http_range(slice_of(cases[i].text), 100, &from, &count),
                     cases[i].rc);
        CHECK_EQ_INT(from, cases[i].from);
        CHECK_EQ_INT(count, cases[i].count);
    }
    int64_t from, count;
    CHECK_EQ_INT(http_range(SLICE("bytes=0-"), 0, &from, &count),
                 ERR_UNPROCESSABLE);
}

/* --- small rules ---------------------------------------------------------- */

TEST("a bucket lets a burst through, then its rate, and says when to return")
{
    struct bucket b = {.milli = 20000, .at_ms = 0};
    int taken = 0;
    while (bucket_take(&b, 10, 20, 0))
        taken++;
    CHECK_EQ_INT(taken, 20);
    CHECK_EQ_INT(bucket_wait(&b, 10), 100);
    CHECK(!bucket_take(&b, 10, 20, 99));
    CHECK(bucket_take(&b, 10, 20, 100));
    CHECK(bucket_take(&b, 10, 20, (int64_t)UINT32_MAX + 5000)); /* wraps */
    taken = 1;
    while (bucket_take(&b, 10, 20, (int64_t)UINT32_MAX + 5000))
        taken++;
    CHECK_EQ_INT(taken, 20);
}

TEST("the heartbeat widens with prompt answers, not beyond its longest")
{
    int64_t ms = 25000;
    for (int i = 0; i < 20; i++) {
        int64_t next = heartbeat_widen(ms, 50, 60000);
        CHECK(next >= ms && next <= 60000);
        ms = next;
    }
    CHECK_EQ_INT(ms, 60000);
    CHECK_EQ_INT(heartbeat_widen(25000, 5000, 60000), 25000);
    for (uint64_t r = 0; r < 1000; r += 7) {
        CHECK(jitter(1000, r * 977) >= 900 && jitter(1000, r * 977) <= 1100);
        int64_t v = away_ms(10000, false, r * 977), g = away_ms(9, true, r);
        CHECK(v >= 1000 && v <= 10000);
        CHECK(g >= 200 && g < 500);
    }
}
