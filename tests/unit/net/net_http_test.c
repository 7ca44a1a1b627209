/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP over a real socket: keep-alive, pipelining, limits, deadlines, files. */
#include "house.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_status(int port, const char *request, int status)
{
    struct buf b;
    test_note("%.60s", request);
    ask(port, request, &b);
    CHECK_EQ_INT(status_of(&b), status);
    if (status >= 400)
        CHECK(strstr(b.data, "{\"error\":{\"code\":\"") != NULL);
    buf_fini(&b);
    test_note("%s", "");
}

TEST("a request is answered, and the connection stays for the next")
{
    struct house h = {0};
    struct buf b;
    REQUIRE(house_start(&h));
    int fd = dial(h.port);
    buf_init(&b, 65536);
    say_text(fd, "GET /api/v1/echo?a=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(read_until(fd, &b, "GET /api/v1/echo ?a=1 [] 127.0.0.1"));
    buf_clear(&b);
    say_text(fd, "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\n"
                 "Content-Length: 5\r\n\r\nhello");
    CHECK(read_until(fd, &b, "POST /api/v1/echo ? [hello]"));
    buf_clear(&b);
    say_text(fd, "GET /api/v1/later HTTP/1.1\r\nHost: x\r\n"
                 "Connection: close\r\n\r\n");
    CHECK(read_end(fd, &b));
    CHECK(strstr(b.data, "X-Late: yes") != NULL);
    CHECK(strstr(b.data, "Connection: close") != NULL);
    close(fd);
    buf_fini(&b);
    house_stop(&h);
}

TEST("pipelined requests are answered in order, late ones too")
{
    struct house h = {0};
    struct buf b, all;
    REQUIRE(house_start(&h));
    buf_init(&all, 1 << 20);
    for (int i = 0; i < 200; i++)
        buf_addf(&all,
                 "POST /api/v1/%s HTTP/1.1\r\nHost: x\r\n"
                 "Content-Length: 6\r\n\r\n<%04d>",
                 i % 3 ? "echo" : "later", i);
    int fd = dial(h.port);
    buf_init(&b, 1 << 20);
    say(fd, all.data, all.len);
    CHECK(read_until(fd, &b, "<0199>"));
    const char *at = b.data;
    for (int i = 0; i < 200; i++) {
        char want[16];
        snprintf(want, sizeof(want), "<%04d>", i);
        at = at ? strstr(at, want) : NULL;
    }
    CHECK(at != NULL);
    CHECK_EQ_INT(atomic_load(&h.requests), 200);
    close(fd);
    buf_fini(&b);
    buf_fini(&all);
    house_stop(&h);
}

TEST("pipelined requests of a client that has finished sending are answered")
{
    struct house h = {0};
    struct buf b;
    REQUIRE(house_start(&h));
    ask(h.port,
        "GET /api/v1/later HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET /api/v1/echo?second HTTP/1.1\r\nHost: x\r\n\r\n",
        &b);
    CHECK(strstr(b.data, "?second") != NULL);
    buf_fini(&b);
    house_stop(&h);
}

TEST("a chunked body fed byte by byte arrives whole")
{
    static const char request[] =
        "POST /api/v1/echo HTTP/1.1\r\nHost: x\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n";
    struct house h = {0};
    struct buf b;
    REQUIRE(house_start(&h));
    int fd = dial(h.port);
    buf_init(&b, 65536);
    for (size_t i = 0; i < sizeof(request) - 1; i++)
        say(fd, request + i, 1);
    CHECK(read_until(fd, &b, "[abcdefg]"));
    buf_clear(&b);
    say_text(fd, "GET /api/v1/echo HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(read_until(fd, &b, "GET /api/v1/echo ? []"));
    close(fd);
    buf_fini(&b);
    house_stop(&h);
}

TEST("what is malformed gets its status and the error object")
{
    struct house h = {.conf.body_bytes = 1000};
    REQUIRE(house_start(&h));
    int p = h.port;
    check_status(p, "nonsense\r\n\r\n", 400);
    check_status(p, "GET / HTTP/1.1\r\n\r\n", 400);
    check_status(p, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
    check_status(p, "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
    check_status(p, "GET /%2e%2e/etc HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status(p, "GET /a/../../b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status(p, "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status(p, "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status(p, "GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n", 400);
    check_status(p, "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400);
    check_status(p, "GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n", 400);
    check_status(p, "GET / HTTP/1.1\r\nHost: a\r\nA: \x01\r\n\r\n", 400);
    check_status(p,
                 "POST /api/v1/x HTTP/1.1\r\nHost: a\r\n"
                 "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "0\r\n\r\n",
                 400);
    check_status(p,
                 "POST /api/v1/x HTTP/1.1\r\nHost: a\r\n"
                 "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
                 400);
    check_status(p,
                 "POST /api/v1/x HTTP/1.1\r\nHost: a\r\n"
                 "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                 501);
    check_status(p,
                 "POST /api/v1/x HTTP/1.1\r\nHost: a\r\n"
                 "Content-Length: 1001\r\n\r\n",
                 413);
    check_status(p,
                 "POST /api/v1/x HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n"
                 "Content-Length: 1\r\n\r\na",
                 417);
    check_status(p, "GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", 426);
    check_status(p, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404);
    check_status(p, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                 405);
    house_stop(&h);
}

TEST("what is too long is refused: address, headers, body in chunks")
{
    struct house h = {.conf.body_bytes = 1000};
    struct buf r;
    REQUIRE(house_start(&h));
    buf_init(&r, 1 << 20);
    buf_add_text(&r, "GET /");
    for (int i = 0; i < 5000; i++)
        buf_add_char(&r, 'a');
    buf_add(&r, " HTTP/1.1\r\nHost: a\r\n\r\n", 23);
    check_status(h.port, r.data, 414);
    buf_clear(&r);
    buf_add_text(&r, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 70; i++)
        buf_addf(&r, "H%d: v\r\n", i);
    buf_add(&r, "\r\n", 3);
    check_status(h.port, r.data, 431);
    buf_clear(&r);
    buf_add_text(&r, "GET / HTTP/1.1\r\nHost: a\r\nLong: ");
    for (int i = 0; i < 17000; i++)
        buf_add_char(&r, 'a');
    buf_add(&r, "\r\n\r\n", 5);
    check_status(h.port, r.data, 431);
    buf_clear(&r);
    buf_add_text(&r, "POST /api/v1/x HTTP/1.1\r\nHost: a\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 300; i++)
        buf_add_text(&r, "4\r\nabcd\r\n");
    buf_add(&r, "0\r\n\r\n", 6);
    check_status(h.port, r.data, 413);
    buf_fini(&r);
    house_stop(&h);
}

TEST("100 Continue comes before the body, not before a refusal")
{
    struct house h = {.conf.body_bytes = 1000};
    struct buf b;
    REQUIRE(house_start(&h));
    int fd = dial(h.port);
    buf_init(&b, 65536);
    say_text(fd, "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\n"
                 "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    CHECK(read_until(fd, &b, "100 Continue\r\n\r\n"));
    say_text(fd, "ok");
    CHECK(read_until(fd, &b, "[ok]"));
    buf_clear(&b);
    say_text(fd, "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\n"
                 "Expect: 100-continue\r\nContent-Length: 2000\r\n\r\n");
    CHECK(read_end(fd, &b));
    CHECK_EQ_INT(status_of(&b), 413);
    close(fd);
    buf_fini(&b);
    house_stop(&h);
}

TEST("HEAD has the length but no body; absolute form and HTTP/1.0 work")
{
    struct house h = {0};
    struct buf b;
    REQUIRE(house_start(&h));
    ask(h.port, "HEAD /api/v1/big?n=7 HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    CHECK(strstr(b.data, "Content-Length: 7\r\n") != NULL);
    CHECK(strstr(b.data, "xxxxxxx") == NULL);
    buf_fini(&b);
    ask(h.port, "GET http://a:80/api/v1/echo?q HTTP/1.1\r\nHost: a\r\n\r\n",
        &b);
    CHECK(strstr(b.data, "GET /api/v1/echo ?q []") != NULL);
    buf_fini(&b);
    ask(h.port, "GET /api/v1/echo HTTP/1.0\r\n\r\n", &b);
    CHECK(strstr(b.data, "GET /api/v1/echo ? []") != NULL);
    CHECK(strstr(b.data, "Connection: close") != NULL);
    buf_fini(&b);
    house_stop(&h);
}

TEST("a slow head and a slow body get 408, an idle connection just ends")
{
    struct house h = {.times = {.header_ms = 30, .body_ms = 30, .idle_ms = 30}};
    struct buf b;
    REQUIRE(house_start(&h));
    buf_init(&b, 65536);
    int fd = dial(h.port);
    say_text(fd, "GET / HTTP/1.1\r\nHos");
    CHECK(read_end(fd, &b));
    CHECK_EQ_INT(status_of(&b), 408);
    close(fd);
    buf_clear(&b);
    fd = dial(h.port);
    say_text(fd, "POST /api/v1/echo HTTP/1.1\r\nHost: a\r\n"
                 "Content-Length: 9\r\n\r\nabc");
    CHECK(read_end(fd, &b));
    CHECK_EQ_INT(status_of(&b), 408);
    close(fd);
    buf_clear(&b);
    fd = dial(h.port);
    say_text(fd, "GET /api/v1/echo HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(read_end(fd, &b));
    CHECK_EQ_INT(status_of(&b), 200);
    close(fd);
    buf_clear(&b);
    fd = dial(h.port);
    CHECK(read_end(fd, &b));
    CHECK_EQ_INT(b.len, 0);
    close(fd);
    buf_fini(&b);
    house_stop(&h);
}

TEST("a big answer goes out in pieces, what was pipelined behind it follows")
{
    struct house h = {0};
    struct buf b;
    REQUIRE(house_start(&h));
    int fd = dial(h.port);
    buf_init(&b, 64 * 1024 * 1024);
    say_text(fd, "GET /api/v1/big?n=8000000 HTTP/1.1\r\nHost: a\r\n\r\n"
                 "GET /api/v1/echo?next HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(read_until(fd, &b, "?next"));
    CHECK(b.len > 8000000);
    close(fd);
    buf_fini(&b);
    house_stop(&h);
}

TEST("a handler's late answer to a client that has left harms nobody")
{
    struct house h = {0};
    REQUIRE(house_start(&h));
    int fd = dial(h.port);
    say_text(fd, "GET /api/v1/hold HTTP/1.1\r\nHost: a\r\n\r\n");
    WAIT_UNTIL(atomic_load(&h.requests) == 1, 5000);
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd); /* a reset */
    struct buf b;
    ask(h.port, "GET /api/v1/echo HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    buf_fini(&b);
    house_release(&h);
    house_stop(&h);
}

static atomic_int written; /* 0: not told yet, 1: it was, -1: it was not */

static void on_told(void *arg, bool all)
{
    (void)arg;
    atomic_store(&written, all ? 1 : -1);
}

static void reply_held(struct house *h, void *arg)
{
    struct slice body = {arg, strlen(arg)};
    struct http_req *r = h->held[--h->held_count];
    atomic_store(&written, 0);
    if (!http_reply_told(r, 200, SLICE("text/plain"), SLICE(""), body, on_told,
                         NULL)) {
        http_reply(r, 200, SLICE("text/plain"), SLICE(""), body);
        atomic_store(&written, -2);
    }
    atomic_store(&h->requests, 0);
}

static void reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
}

TEST("who answers is told whether all of it was written")
{
    struct house h = {0};
    struct buf b;
    size_t much = 30 << 20;
    char well[] = "well";
    char *big = mem_alloc(much + 1);
    memset(big, 'x', much);
    REQUIRE(house_start(&h));
    int fd = dial(h.port);
    buf_init(&b, 64 * 1024);
    say_text(fd, "GET /api/v1/hold HTTP/1.1\r\nHost: a\r\n\r\n");
    WAIT_UNTIL(atomic_load(&h.requests) == 1, 5000);
    house_run(&h, reply_held, well);
    CHECK(read_until(fd, &b, "well"));
    WAIT_UNTIL(atomic_load(&written) == 1, 5000);
    say_text(fd, "GET /api/v1/echo?next HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(read_until(fd, &b, "?next")); /* the connection goes on */
    atomic_store(&h.requests, 0);
    say_text(fd, "GET /api/v1/hold HTTP/1.1\r\nHost: a\r\n\r\n");
    WAIT_UNTIL(atomic_load(&h.requests) == 1, 5000);
    house_run(&h, reply_held, big); /* nobody reads it */
    CHECK_EQ_INT(atomic_load(&written), 0);
    reset(fd);
    WAIT_UNTIL(atomic_load(&written) == -1, 5000);
    fd = dial(h.port);
    say_text(fd, "GET /api/v1/hold HTTP/1.1\r\nHost: a\r\n\r\n");
    WAIT_UNTIL(atomic_load(&h.requests) == 1, 5000);
    reset(fd);
    buf_fini(&b);
    ask(h.port, "GET /api/v1/echo HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    house_run(&h, reply_held, well);
    CHECK_EQ_INT(atomic_load(&written), -2);
    buf_fini(&b);
    mem_free(big);
    house_stop(&h);
}

TEST("more connections than allowed are told 503, of one address 429")
{
    struct house h = {.conf = {.connections = 2}};
    struct buf b;
    REQUIRE(house_start(&h));
    int one = dial(h.port), two = dial(h.port);
    ask(h.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    CHECK_EQ_INT(status_of(&b), 503);
    CHECK(strstr(b.data, "Retry-After:") != NULL);
    buf_fini(&b);
    close(one);
    close(two);
    house_stop(&h);
    h = (struct house){.conf = {.connections_per_address = 1}};
    REQUIRE(house_start(&h));
    one = dial(h.port);
    ask(h.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    CHECK_EQ_INT(status_of(&b), 429);
    buf_fini(&b);
    close(one);
    house_stop(&h);
}

TEST("without file handles what waits is closed, and service resumes")
{
    enum { MANY = 20 };
    struct house h = {0};
    struct rlimit was, low;
    struct buf b;
    int fds[MANY];
    struct sockaddr_in to = {.sin_family = AF_INET};
    REQUIRE(house_start(&h));
    to.sin_port = htons((uint16_t)h.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < MANY; i++)
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    getrlimit(RLIMIT_NOFILE, &was);
    low = was;
    low.rlim_cur = (rlim_t)fds[MANY - 1] + 3; /* two more, no third */
    setrlimit(RLIMIT_NOFILE, &low);
    for (int i = 0; i < MANY; i++)
        CHECK(connect(fds[i], (struct sockaddr *)&to, sizeof(to)) == 0);
    buf_init(&b, 4096);
    int ended = 0;
    for (int i = 0; i < MANY - 2; i++)
        ended += read_end(fds[MANY - 1 - i], &b);
    CHECK_EQ_INT(ended, MANY - 2);
    setrlimit(RLIMIT_NOFILE, &was);
    buf_fini(&b);
    int status = 0; /* the round that turns away may still be running */
    for (int64_t end = test_now_ms() + test_patience(0);
         status != 200 && test_now_ms() < end; test_tick()) {
        ask(h.port, "GET /api/v1/echo HTTP/1.1\r\nHost: a\r\n\r\n", &b);
        status = status_of(&b);
        buf_fini(&b);
    }
    CHECK_EQ_INT(status, 200);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    house_stop(&h);
}

/* --- static files --------------------------------------------------------- */

static const char *make_web(void)
{
    static char dir[256];
    snprintf(dir, sizeof(dir), "%s", test_dir());
    mkdir(test_path("demo"), 0755);
    mkdir(test_path("console"), 0755);
    mkdir(test_path("a"), 0755);
    mkdir(test_path("a/h1"), 0755);
    test_write_file(test_path("demo/index.html"), "<p>demo");
    test_write_file(test_path("console/index.html"), "<p>console");
    test_write_file(test_path("widget.js"), "widget()");
    test_write_file(test_path("widget.js.gz"), "GZIPPED");
    FILE *f = fopen(test_path("a/h1/big.bin"), "w");
    for (int i = 0; i < 100000; i++)
        fprintf(f, "%09d\n", i);
    fclose(f);
    return dir;
}

TEST("pages and assets come with the headers they need")
{
    struct house h = {.conf.web_dir = make_web()};
    struct buf b;
    REQUIRE(house_start(&h));
    ask(h.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    CHECK(strstr(b.data, "<p>demo") != NULL);
    CHECK(strstr(b.data, "Content-Security-Policy: default-src 'none'"));
    CHECK(strstr(b.data, "Cache-Control: no-cache") != NULL);
    CHECK(strstr(b.data, "nosniff") != NULL);
    CHECK(!strstr(b.data, "frame-ancestors"));
    buf_fini(&b);
    ask(h.port, "GET /console/queue/7 HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    CHECK(strstr(b.data, "<p>console") != NULL);
    CHECK(strstr(b.data, "frame-ancestors 'none'") != NULL);
    buf_fini(&b);
    ask(h.port,
        "GET /widget.js HTTP/1.1\r\nHost: a\r\n"
        "Accept-Encoding: br, gzip\r\n\r\n",
        &b);
    CHECK(strstr(b.data, "GZIPPED") != NULL);
    CHECK(strstr(b.data, "Content-Encoding: gzip") != NULL);
    CHECK(strstr(b.data, "Vary: Accept-Encoding") != NULL);
    CHECK(strstr(b.data, "max-age=300") != NULL);
    CHECK(strstr(b.data, "Access-Control-Allow-Origin: *") != NULL);
    CHECK(strstr(b.data, "text/javascript") != NULL);
    buf_fini(&b);
    ask(h.port,
        "GET /widget.js HTTP/1.1\r\nHost: a\r\n"
        "Accept-Encoding: gzip;q=0\r\n\r\n",
        &b);
    CHECK(strstr(b.data, "widget()") != NULL);
    CHECK(!strstr(b.data, "Content-Encoding"));
    buf_fini(&b);
    house_stop(&h);
}

TEST("an unchanged file is 304, a changed one is seen within a second or so")
{
    struct house h = {.conf.web_dir = make_web()};
    struct buf b;
    char request[256], etag[64] = "";
    REQUIRE(house_start(&h));
    ask(h.port, "GET /widget.js HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    const char *at = strstr(b.data, "ETag: ");
    REQUIRE(at != NULL);
    sscanf(at + 6, "%60[^\r]", etag);
    buf_fini(&b);
    snprintf(request, sizeof(request),
             "GET /widget.js HTTP/1.1\r\nHost: a\r\n"
             "If-None-Match: \"x\", W/%s\r\n\r\n",
             etag);
    ask(h.port, request, &b);
    CHECK_EQ_INT(status_of(&b), 304);
    CHECK(!strstr(b.data, "widget()"));
    buf_fini(&b);
    test_write_file(test_path("widget.js"), "changed()");
    int64_t end = test_now_ms() + test_patience(0);
    bool seen = false;
    while (!seen && test_now_ms() < end) {
        ask(h.port, request, &b);
        seen = status_of(&b) == 200 && strstr(b.data, "changed()");
        buf_fini(&b);
        test_tick();
    }
    CHECK(seen);
    house_stop(&h);
}

TEST("a big file is streamed whole, and in ranges")
{
    struct house h = {.conf.web_dir = make_web()};
    struct buf b;
    REQUIRE(house_start(&h));
    ask(h.port, "GET /a/h1/big.bin HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    CHECK(strstr(b.data, "Content-Length: 1000000\r\n") != NULL);
    CHECK(strstr(b.data, "immutable") != NULL);
    CHECK(b.len > 1000000 &&
          memcmp(b.data + b.len - 10, "000099999\n", 10) == 0);
    buf_fini(&b);
    ask(h.port,
        "GET /a/h1/big.bin HTTP/1.1\r\nHost: a\r\n"
        "Range: bytes=10-19\r\n\r\n",
        &b);
    CHECK_EQ_INT(status_of(&b), 206);
    CHECK(strstr(b.data, "Content-Range: bytes 10-19/1000000\r\n") != NULL);
    CHECK(strstr(b.data, "\r\n\r\n000000001\n") != NULL);
    buf_fini(&b);
    ask(h.port,
        "GET /a/h1/big.bin HTTP/1.1\r\nHost: a\r\n"
        "Range: bytes=-10\r\n\r\n",
        &b);
    CHECK(strstr(b.data, "\r\n\r\n000099999\n") != NULL);
    buf_fini(&b);
    ask(h.port,
        "GET /a/h1/big.bin HTTP/1.1\r\nHost: a\r\n"
        "Range: bytes=1000000-\r\n\r\n",
        &b);
    CHECK_EQ_INT(status_of(&b), 416);
    buf_fini(&b);
    int fd = dial(h.port); /* leaves in the middle */
    say_text(fd, "GET /a/h1/big.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    buf_init(&b, 1 << 20);
    read_until(fd, &b, "HTTP/1.1");
    close(fd);
    buf_fini(&b);
    house_stop(&h);
}

TEST("without the web folder the start page says how to build it")
{
    struct house h = {.conf.web_dir = "/nonexistent/web"};
    struct buf b;
    REQUIRE(house_start(&h));
    ask(h.port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", &b);
    CHECK_EQ_INT(status_of(&b), 200);
    CHECK(strstr(b.data, "make web") != NULL);
    buf_fini(&b);
    house_stop(&h);
}

/* --- draining ------------------------------------------------------------- */

static void on_drained(void *arg)
{
    struct house *h = arg;
    atomic_store(&h->drained, 1);
}

static void start_drain(struct house *h, void *arg)
{
    (void)arg;
    net_drain(h->net, on_drained, h);
}

TEST("a drain waits for the answer under way, then is done")
{
    struct house h = {0};
    struct buf b;
    REQUIRE(house_start(&h));
    buf_init(&b, 65536);
    int idle = dial(h.port), fd = dial(h.port);
    say_text(fd, "GET /api/v1/hold HTTP/1.1\r\nHost: a\r\n\r\n");
    WAIT_UNTIL(atomic_load(&h.requests) == 1, 5000);
    house_run(&h, start_drain, NULL);
    CHECK(read_end(idle, &b));
    CHECK_EQ_INT(atomic_load(&h.drained), 0);
    house_release(&h);
    CHECK(read_end(fd, &b));
    CHECK(strstr(b.data, "Connection: close") != NULL);
    close(fd);
    close(idle);
    WAIT_UNTIL(atomic_load(&h.drained) == 1, 5000);
    buf_fini(&b);
    house_stop(&h);
}
