/* SPDX-License-Identifier: Apache-2.0 */
/* The blocking client against a peer that is a plain socket of the test. */
#include "net/client.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
    int fd, port;
    const char *answer; /* written after the first read */
    size_t answer_len;
    bool cut; /* closes at once afterwards */
    char got[4096];
    size_t got_len;
    pthread_t thread;
};

static void *serve(void *arg)
{
    struct peer *p = arg;
    int fd = accept(p->fd, NULL, NULL);
    ssize_t n = read(fd, p->got, sizeof(p->got));
    (void)!write(fd, p->answer, p->answer_len);
    while (!p->cut && n > 0) {
        p->got_len += (size_t)n;
        n = read(fd, p->got + p->got_len, sizeof(p->got) - p->got_len);
    }
    close(fd);
    return NULL;
}

static void peer_start(struct peer *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    bind(p->fd, (struct sockaddr *)&a, sizeof(a));
    listen(p->fd, 4);
    getsockname(p->fd, (struct sockaddr *)&a, &n);
    p->port = ntohs(a.sin_port);
    pthread_create(&p->thread, NULL, serve, p);
}

static void peer_stop(struct peer *p)
{
    pthread_join(p->thread, NULL);
    close(p->fd);
}

#define UPGRADED                                                               \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"

TEST("frames are taken whole, pings answered, a close ends it with its code")
{
    static const char talk[] = UPGRADED "\x81\x02hi\x89\x01p\x81\x7e\x00\x80"
                                        "0123456789abcdef0123456789abcdef"
                                        "0123456789abcdef0123456789abcdef"
                                        "0123456789abcdef0123456789abcdef"
                                        "0123456789abcdef0123456789abcdef"
                                        "\x88\x02\x03\xef";
    struct peer p = {.answer = talk, .answer_len = sizeof(talk) - 1};
    struct client *c;
    struct err e = {0};
    struct arena *a = arena_new();
    enum client_opcode op;
    struct slice s;
    peer_start(&p);
    REQUIRE(client_open(p.port, "", 60000, &e, &c) == 0);
    int64_t until = test_now_ms() + test_patience(0);
    size_t lengths[4] = {0}, n = 0;
    while (!c->ended && test_now_ms() < until) {
        while (n < 4 && client_next(c, a, &op, &s))
            lengths[n++] = s.len;
        client_wait(&c, 1, 20);
    }
    CHECK_EQ_INT(n, 2);
    CHECK_EQ_INT(lengths[0], 2);
    CHECK_EQ_INT(lengths[1], 128);
    CHECK_EQ_INT(c->pings, 1);
    CHECK_EQ_INT(c->close_code, 1007);
    client_free(c);
    peer_stop(&p);
    arena_free(a);
}

TEST("what came before a bare drop is still taken; then the code is 1006")
{
    static const char talk[] = UPGRADED "\x81\x03"
                                        "end";
    struct peer p = {
        .answer = talk, .answer_len = sizeof(talk) - 1, .cut = true};
    struct client *c;
    struct err e = {0};
    struct arena *a = arena_new();
    enum client_opcode op;
    struct slice s = SLICE("");
    peer_start(&p);
    REQUIRE(client_open(p.port, "", 60000, &e, &c) == 0);
    int64_t until = test_now_ms() + test_patience(0);
    bool got = false;
    while (!c->ended && test_now_ms() < until) {
        while (client_next(c, a, &op, &s))
            got = slice_is(s, "end");
        client_wait(&c, 1, 20);
    }
    CHECK(got);
    CHECK_EQ_INT(c->close_code, 1006);
    CHECK(client_send(c, CLIENT_TEXT, SLICE("late")) == ERR_UNAVAILABLE);
    client_free(c);
    peer_stop(&p);
    arena_free(a);
}

TEST("a refused upgrade is an error, not a client")
{
    static const char talk[] = "HTTP/1.1 429 Too Many\r\n\r\n";
    struct peer p = {
        .answer = talk, .answer_len = sizeof(talk) - 1, .cut = true};
    struct client *c;
    struct err e = {0};
    peer_start(&p);
    CHECK(client_open(p.port, "", 60000, &e, &c) == ERR_FORBIDDEN);
    CHECK(c == NULL);
    CHECK(strstr(e.text, "429") != NULL);
    peer_stop(&p);
}

TEST("an answer in chunks is put together")
{
    static const char talk[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
                               "\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    struct peer p = {
        .answer = talk, .answer_len = sizeof(talk) - 1, .cut = true};
    struct client_answer out;
    struct err e = {0};
    struct arena *a = arena_new();
    peer_start(&p);
    CHECK(client_call(p.port, "GET", "/x", "", SLICE(""), 60000, a, &e, &out) ==
          0);
    CHECK_EQ_INT(out.status, 200);
    CHECK_SLICE(out.body, "abcde");
    peer_stop(&p);
    CHECK(strncmp(p.got, "GET /x HTTP/1.1\r\n", 17) == 0);
    arena_free(a);
}

TEST("nobody listening is said at once")
{
    struct client *c;
    struct err e = {0};
    CHECK(client_open(1, "", 1000, &e, &c) == ERR_UNAVAILABLE);
    CHECK(c == NULL);
}
