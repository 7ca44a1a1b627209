/* SPDX-License-Identifier: Apache-2.0 */
/* house.c - see house.h. */
#include "house.h"
#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- handlers ------------------------------------------------------------- */

static void welcome(struct house *h, uint64_t peer, enum role role,
                    struct arena *a)
{
    struct notice n = {.type = NOTICE_WELCOME,
                       .session = peer,
                       .who_role = role,
                       .who = 7,
                       .token = SLICE("tok"),
                       .cursor = {1, 2, 0},
                       .heartbeat_ms = 30000,
                       .server_at = 1,
                       .text_bytes = LIMIT_TEXT_BYTES,
                       .arena = a};
    CHECK(peer_send(h->net, peer, &n));
    peer_accept(h->net, peer, role);
}

static void on_hello(void *arg, uint64_t peer, struct frame *f, struct arena *a,
                     struct slice cookie)
{
    struct house *h = arg;
    snprintf(h->cookie, sizeof(h->cookie), "%.*s", SLICE_FMT(cookie));
    struct slice o = peer_origin(h->net, peer);
    snprintf(h->origin, sizeof(h->origin), "%.*s", SLICE_FMT(o));
    atomic_store(&h->peer, peer);
    atomic_fetch_add(&h->hellos, 1);
    if (slice_is(f->hello->token, "refuse"))
        peer_close(h->net, peer, 4003, "not allowed");
    else if (!slice_is(f->hello->token, "hold"))
        welcome(h, peer, f->hello->channel.len ? ROLE_VISITOR : ROLE_AGENT, a);
    arena_free(a);
}

static void on_frame(void *arg, uint64_t peer, struct frame *f, struct arena *a)
{
    struct house *h = arg;
    uint64_t pos = (uint64_t)atomic_fetch_add(&h->frames, 1) + 1;
    if (f->type == FRAME_SEND) {
        struct event ev = {.pos = pos,
                           .seq = (uint32_t)pos,
                           .at = 5,
                           .conv = 9,
                           .name = EVENT_MESSAGE_CREATED,
                           .ref = f->ref,
                           .body = f->body};
        struct notice n = {.type = NOTICE_EVENT,
                           .event = &ev,
                           .arena = a,
                           .cursor = {1, pos, 0}};
        struct notice ack = {.type = NOTICE_ACK,
                             .event = &ev,
                             .ref = f->ref,
                             .cursor = {1, pos, 0},
                             .arena = a};
        if (h->credits)
            net_take_credit(h->net);
        peer_send(h->net, peer, &n);
        peer_send(h->net, peer, &ack);
        if (h->credits && !h->keep_credits)
            net_give_credits(h->net, 1);
    }
    arena_free(a);
}

static void on_gone(void *arg, uint64_t peer)
{
    struct house *h = arg;
    (void)peer;
    atomic_fetch_add(&h->gone, 1);
}

struct later {
    struct mail mail;
    struct http_req *r;
};

static void on_later(struct mail *m)
{
    struct later *l = (struct later *)m;
    struct slice body = slice_dup(l->r->arena, l->r->body);
    http_reply(l->r, 200, SLICE("text/plain"), SLICE("X-Late: yes\r\n"), body);
    mem_free(l);
}

static void echo(struct http_req *r)
{
    struct buf b;
    buf_init(&b, 4 * 1024 * 1024);
    buf_addf(&b, "%.*s %.*s ?%.*s [%.*s] %s%s", SLICE_FMT(r->method),
             SLICE_FMT(r->path), SLICE_FMT(r->query), SLICE_FMT(r->body),
             r->address, r->local ? " as the machine's user" : "");
    http_reply(r, 200, SLICE("text/plain"), SLICE(""), buf_slice(&b));
    buf_fini(&b);
}

static void big(struct http_req *r)
{
    struct slice text;
    int64_t n = 0;
    if (http_query(r, "n", &text))
        slice_to_i64(text, &n);
    char *p = mem_alloc((size_t)n + 1);
    memset(p, 'x', (size_t)n);
    http_reply(r, 200, SLICE("text/plain"), SLICE(""),
               (struct slice){p, (size_t)n});
    mem_free(p);
}

static void on_request(void *arg, struct http_req *r)
{
    struct house *h = arg;
    atomic_fetch_add(&h->requests, 1);
    if (slice_is(r->path, "/api/v1/later")) {
        struct later *l = mem_alloc(sizeof(*l));
        l->mail.run = on_later;
        l->r = r;
        loop_post(h->loop, &l->mail);
    } else if (slice_is(r->path, "/api/v1/hold")) {
        h->held[h->held_count++ % 64] = r;
    } else if (slice_is(r->path, "/api/v1/big")) {
        big(r);
    } else {
        echo(r);
    }
}

/* --- life ----------------------------------------------------------------- */

static void set_times(struct house *h)
{
    int64_t *to = (int64_t *)&h->net->times, *from = (int64_t *)&h->times;
    for (size_t i = 0; i < sizeof(h->times) / sizeof(int64_t); i++)
        if (from[i])
            to[i] = from[i];
}

static void run(void *arg)
{
    struct house *h = arg;
    loop_run(h->loop);
}

bool house_start(struct house *h)
{
    struct err e = {0};
    if (!CHECK(loop_new("net-test", &h->loop) == 0))
        return false;
    h->conf.loop = h->loop;
    h->conf.listen = h->conf.listen ? h->conf.listen : "127.0.0.1:0";
    h->conf.arg = h;
    h->conf.on_hello = on_hello;
    h->conf.on_frame = on_frame;
    h->conf.on_gone = on_gone;
    h->conf.on_request = on_request;
    if (!CHECK(net_open(&h->conf, &e, &h->net) == 0)) {
        FAIL("%s", e.text);
        loop_free(h->loop);
        return false;
    }
    set_times(h);
    if (h->credits)
        net_set_credits(h->net, h->credits);
    h->port = net_port(h->net);
    return CHECK(thread_start("net-test", run, h, &h->thread) == 0);
}

struct errand {
    struct mail mail;
    struct house *h;
    void (*fn)(struct house *h, void *arg);
    void *arg;
    sem_t done;
};

static void on_errand(struct mail *m)
{
    struct errand *e = (struct errand *)m;
    e->fn(e->h, e->arg);
    sem_post(&e->done);
}

void house_run(struct house *h, void (*fn)(struct house *h, void *arg),
               void *arg)
{
    struct errand e = {.mail.run = on_errand, .h = h, .fn = fn, .arg = arg};
    sem_init(&e.done, 0, 0);
    loop_post(h->loop, &e.mail);
    while (sem_wait(&e.done) != 0)
        ;
    sem_destroy(&e.done);
}

static void release(struct house *h, void *arg)
{
    (void)arg;
    while (h->held_count) {
        struct http_req *r = h->held[--h->held_count];
        http_reply(r, 200, SLICE("text/plain"), SLICE(""),
                   http_is_live(r) ? SLICE("live") : SLICE("gone"));
    }
}

void house_release(struct house *h)
{
    house_run(h, release, NULL);
}

static void close_net(struct house *h, void *arg)
{
    (void)arg;
    net_close(h->net);
    release(h, NULL); /* late answers find nobody */
}

void house_stop(struct house *h)
{
    house_run(h, close_net, NULL);
    loop_stop(h->loop);
    thread_join(h->thread);
    loop_free(h->loop);
}

/* --- the client ----------------------------------------------------------- */

int dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        FAIL("cannot connect");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

bool say(int fd, const void *p, size_t n)
{
    return send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

bool say_text(int fd, const char *text)
{
    return say(fd, text, strlen(text));
}

/* One read with a deadline: > 0 bytes, 0 the end, -1 time is up. */
static int read_some(int fd, struct buf *b, int ms)
{
    char piece[16384];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, ms) <= 0)
        return -1;
    ssize_t n = read(fd, piece, sizeof(piece));
    if (n <= 0)
        return 0;
    buf_add(b, piece, (size_t)n);
    buf_add_char(b, '\0');
    b->len--;
    return (int)n;
}

bool read_until(int fd, struct buf *b, const char *text)
{
    size_t n = strlen(text), from = 0;
    for (;;) {
        if (b->len > from && memmem(b->data + from, b->len - from, text, n))
            return true;
        from = b->len > n ? b->len - n : 0; /* what is new, and the seam */
        if (read_some(fd, b, WAIT_MS) <= 0)
            return false;
    }
}

bool read_end(int fd, struct buf *b)
{
    int n;
    while ((n = read_some(fd, b, WAIT_MS)) > 0)
        ;
    return n == 0;
}

void ask(int port, const char *request, struct buf *b)
{
    int fd = dial(port);
    buf_init(b, 16 * 1024 * 1024);
    buf_add(b, "", 1);
    b->len = 0;
    say_text(fd, request);
    shutdown(fd, SHUT_WR);
    read_end(fd, b);
    close(fd);
}

int status_of(const struct buf *b)
{
    return b->len > 12 ? atoi(b->data + 9) : 0;
}

/* --- WebSocket ------------------------------------------------------------ */

void put_frame(struct buf *b, int first, const void *payload, size_t n)
{
    static const unsigned char mask[4] = {0x12, 0x34, 0x56, 0x78};
    unsigned char head[14];
    size_t k = 2;
    head[0] = (unsigned char)first;
    if (n < 126) {
        head[1] = (unsigned char)(0x80 | n);
    } else if (n < 65536) {
        head[1] = 0x80 | 126;
        head[2] = (unsigned char)(n >> 8);
        head[3] = (unsigned char)n;
        k = 4;
    } else {
        head[1] = 0x80 | 127;
        for (int i = 0; i < 8; i++)
            head[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
        k = 10;
    }
    memcpy(head + k, mask, 4);
    buf_add(b, head, k + 4);
    for (size_t i = 0; i < n; i++)
        buf_add_char(b,
                     (char)(((const unsigned char *)payload)[i] ^ mask[i % 4]));
}

int ws_dial(int port, const char *headers)
{
    char text[1024];
    struct buf b;
    int fd = dial(port);
    snprintf(text, sizeof(text),
             "GET /ws HTTP/1.1\r\nHost: localhost:%d\r\n"
             "Upgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
             "Sec-WebSocket-Version: 13\r\n%s\r\n",
             port, headers);
    say_text(fd, text);
    buf_init(&b, 65536);
    bool ok = read_until(fd, &b, "\r\n\r\n") && status_of(&b) == 101;
    buf_fini(&b);
    if (!ok) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool read_exactly(int fd, void *to, size_t n)
{
    size_t got = 0;
    while (got < n) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, WAIT_MS) <= 0)
            return false;
        ssize_t r = read(fd, (char *)to + got, n - got);
        if (r <= 0)
            return false;
        got += (size_t)r;
    }
    return true;
}

struct got ws_get(int fd)
{
    struct got g = {.opcode = -1};
    unsigned char h[10];
    if (!read_exactly(fd, h, 2))
        return g;
    uint64_t n = h[1] & 127;
    size_t more = n == 126 ? 2 : n == 127 ? 8 : 0;
    CHECK(!(h[1] & 0x80));
    CHECK_EQ_INT(h[0] & 0x70, 0);
    if (more && !read_exactly(fd, h + 2, more))
        return g;
    if (more)
        n = 0;
    for (size_t i = 0; i < more; i++)
        n = n << 8 | h[2 + i];
    size_t keep = n < sizeof(g.text) - 1 ? (size_t)n : sizeof(g.text) - 1;
    if (!read_exactly(fd, g.text, keep))
        return g;
    for (uint64_t left = n - keep; left;) {
        char waste[4096];
        size_t k = left < sizeof(waste) ? (size_t)left : sizeof(waste);
        if (!read_exactly(fd, waste, k))
            return g;
        left -= k;
    }
    g.text[keep] = '\0';
    g.len = (size_t)n;
    g.opcode = h[0] & 15;
    if (g.opcode == 8)
        g.code = n >= 2
                     ? (unsigned char)g.text[0] << 8 | (unsigned char)g.text[1]
                     : 1005;
    return g;
}

struct got ws_get_past_pings(int fd)
{
    struct got g;
    do
        g = ws_get(fd);
    while (g.opcode == 9);
    return g;
}

void ws_say(int fd, const char *text)
{
    struct buf b;
    buf_init(&b, 4 * 1024 * 1024);
    put_frame(&b, 0x81, text, strlen(text));
    say(fd, b.data, b.len);
    buf_fini(&b);
}

bool ws_hello(int fd)
{
    ws_say(fd, "{\"type\":\"hello\",\"channel\":\"default\"}");
    struct got g = ws_get_past_pings(fd);
    return g.opcode == 1 && strstr(g.text, "\"type\":\"welcome\"");
}
