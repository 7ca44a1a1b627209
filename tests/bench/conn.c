/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - WebSocket clients on one epoll.
 *
 * Happy path: connect -> upgrade -> hello -> welcome -> live. What is sent in
 * a turn goes out in one write per connection; what came is read in one read
 * and cut into frames. A connection that breaks is DEAD and counted; nothing
 * here connects again by itself.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define IN_BYTES (512 * 1024)
#define FRAME_MAX (256 * 1024)
#define PER_ADDRESS 20000 /* source ports used of one loopback address */

struct engine engine;
static char in[IN_BYTES];
static const unsigned char mask_key[4] = {0x5a, 0x13, 0xc7, 0x2e};

void engine_open(int port)
{
    memset(&engine, 0, sizeof(engine));
    engine.port = port;
    engine.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    engine.timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(engine.epoll_fd, EPOLL_CTL_ADD, engine.timer_fd, &e);
}

void engine_close(void)
{
    close(engine.epoll_fd);
    close(engine.timer_fd);
    free(engine.dirty);
}

static void dead(struct conn *c)
{
    if (c->state == CONN_LIVE)
        engine.live--;
    else
        engine.connecting--;
    engine.dead++;
    conn_close(c);
    c->state = CONN_DEAD;
}

void conn_close(struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    free(c->out);
    free(c->part);
    c->out = c->part = NULL;
    c->out_len = c->out_sent = c->out_room = c->part_len = 0;
}

static char *room_for(struct conn *c, size_t n)
{
    if (c->out_len + n > c->out_room) {
        c->out_room = (uint32_t)((c->out_len + n) * 2);
        c->out = realloc(c->out, c->out_room);
    }
    if (!c->dirty) {
        if (engine.dirty_count == engine.dirty_room) {
            engine.dirty_room = engine.dirty_room * 2 + 1024;
            engine.dirty = realloc(engine.dirty,
                                   engine.dirty_room * sizeof(*engine.dirty));
        }
        engine.dirty[engine.dirty_count++] = c;
        c->dirty = true;
    }
    return c->out + c->out_len;
}

static void put_frame(struct conn *c, int opcode, const char *p, size_t n)
{
    char *at = room_for(c, n + 8), *o = at;
    *o++ = (char)(0x80 | opcode);
    if (n < 126) {
        *o++ = (char)(0x80 | n);
    } else {
        *o++ = (char)(0x80 | 126);
        *o++ = (char)(n >> 8);
        *o++ = (char)n;
    }
    memcpy(o, mask_key, 4);
    o += 4;
    for (size_t i = 0; i < n; i++)
        o[i] = (char)(p[i] ^ mask_key[i & 3]);
    c->out_len += (uint32_t)(o + n - at);
}

void conn_text(struct conn *c, const char *text, size_t len)
{
    if (c->state == CONN_LIVE || c->state == CONN_HELLO)
        put_frame(c, 1, text, len);
}

void conn_start(struct conn *c, uint32_t id, bool agent, const char *hello)
{
    memset(c, 0, sizeof(*c));
    c->id = id;
    c->agent = agent;
    c->hello = hello;
    c->state = CONN_CONNECTING;
    engine.connecting++;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket: %s (raise the limit of open files)", strerror(errno));
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct sockaddr_in from = {.sin_family = AF_INET}, to = from;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + id / PER_ADDRESS);
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0)
        die("bind: %s", strerror(errno));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons((uint16_t)engine.port);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 &&
        errno != EINPROGRESS) {
        dead(c);
        return;
    }
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    c->want_write = true;
    epoll_ctl(engine.epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
}

static void watch(struct conn *c, bool want_write)
{
    if (c->want_write == want_write)
        return;
    struct epoll_event e = {.events = EPOLLIN | (want_write ? EPOLLOUT : 0u),
                            .data.ptr = c};
    c->want_write = want_write;
    epoll_ctl(engine.epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void flush(struct conn *c)
{
    c->dirty = false;
    if (c->fd < 0 || c->state == CONN_CONNECTING)
        return;
    while (c->out_sent < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_sent, c->out_len - c->out_sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(c, true);
            return;
        }
        if (n <= 0) {
            dead(c);
            return;
        }
        c->out_sent += (uint32_t)n;
    }
    c->out_len = c->out_sent = 0;
    if (c->out_room > 4096 && c->state == CONN_HELLO) { /* stay small */
        free(c->out);
        c->out = NULL;
        c->out_room = 0;
    }
    watch(c, false);
}

static void on_connected(struct conn *c)
{
    int err = 0;
    socklen_t n = sizeof(err);
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n);
    if (err) {
        dead(c);
        return;
    }
    char head[256];
    int len = snprintf(head, sizeof(head),
                       "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                       "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Version: 13\r\n\r\n",
                       engine.port);
    c->state = CONN_UPGRADING;
    memcpy(room_for(c, (size_t)len), head, (size_t)len);
    c->out_len += (uint32_t)len;
}

static bool starts(const char *text, size_t len, const char *type)
{
    char name[40];
    int n = snprintf(name, sizeof(name), "\"type\":\"%s\"", type);
    return memmem(text, len < 200 ? len : 200, name, (size_t)n) != NULL;
}

static void on_text(struct conn *c, const char *text, size_t len)
{
    if (c->state == CONN_HELLO) {
        if (starts(text, len, "welcome")) {
            c->state = CONN_LIVE;
            engine.connecting--;
            engine.live++;
            if (engine.on_live)
                engine.on_live(c);
            return;
        }
    }
    if (starts(text, len, "error") && engine.errors++ < 3)
        say("error frame: %.*s", (int)(len < 300 ? len : 300), text);
    if (starts(text, len, "reconnect"))
        engine.reconnects++;
    if (engine.on_frame)
        engine.on_frame(c, text, len);
}

/* Handles whole frames, returns how many bytes they were. */
static size_t cut_frames(struct conn *c, char *p, size_t n)
{
    size_t used = 0;
    while (c->fd >= 0 && n - used >= 2) {
        const unsigned char *h = (const unsigned char *)p + used;
        size_t len = h[1] & 127, head = 2;
        if (len == 126 && n - used >= 4) {
            len = (size_t)h[2] << 8 | h[3];
            head = 4;
        } else if (len == 127 && n - used >= 10) {
            len = (size_t)h[6] << 24 | (size_t)h[7] << 16 | (size_t)h[8] << 8 |
                  h[9];
            head = 10;
        } else if (len >= 126) {
            break;
        }
        if (len > FRAME_MAX) {
            dead(c);
            return used;
        }
        if (n - used < head + len)
            break;
        char *body = p + used + head;
        used += head + len;
        if ((h[0] & 15) == 1 || (h[0] & 15) == 2)
            on_text(c, body, len);
        else if ((h[0] & 15) == 9)
            put_frame(c, 10, body, len);
        else if ((h[0] & 15) == 8)
            dead(c);
    }
    return used;
}

static size_t cut_upgrade(struct conn *c, const char *p, size_t n)
{
    const char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (n < 12 || memcmp(p + 8, " 101", 4) != 0) {
        if (engine.dead == 0)
            say("upgrade refused: %.60s", p);
        dead(c);
        return n;
    }
    c->state = CONN_HELLO;
    conn_text(c, c->hello, strlen(c->hello));
    return (size_t)(end + 4 - p);
}

static void on_readable(struct conn *c)
{
    size_t n = c->part_len;
    if (n)
        memcpy(in, c->part, n);
    ssize_t got = recv(c->fd, in + n, sizeof(in) - n, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        dead(c);
        return;
    }
    n += (size_t)got;
    size_t used = 0;
    if (c->state == CONN_UPGRADING)
        used = cut_upgrade(c, in, n);
    if (c->fd >= 0 && c->state != CONN_UPGRADING)
        used += cut_frames(c, in + used, n - used);
    if (c->fd < 0)
        return;
    free(c->part);
    c->part = NULL;
    c->part_len = (uint32_t)(n - used);
    if (c->part_len) {
        c->part = malloc(c->part_len);
        memcpy(c->part, in + used, c->part_len);
    }
}

static void flush_all(void)
{
    for (uint32_t i = 0; i < engine.dirty_count; i++)
        flush(engine.dirty[i]);
    engine.dirty_count = 0;
}

static void wake_at(int64_t ns)
{
    struct itimerspec t = {0};
    t.it_value.tv_sec = ns / 1000000000;
    t.it_value.tv_nsec = ns % 1000000000;
    timerfd_settime(engine.timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

void engine_turn(int64_t wake_ns)
{
    struct epoll_event events[512];
    flush_all();
    if (wake_ns > 0)
        wake_at(wake_ns);
    int n = epoll_wait(engine.epoll_fd, events, 512, wake_ns == 0 ? 0 : 100);
    for (int i = 0; i < n; i++) {
        struct conn *c = events[i].data.ptr;
        if (!c) {
            uint64_t ticks;
            (void)!read(engine.timer_fd, &ticks, sizeof(ticks));
            continue;
        }
        if (c->fd >= 0 && c->state == CONN_CONNECTING &&
            (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
            on_connected(c);
        else if (c->fd >= 0 && (events[i].events & EPOLLOUT))
            flush(c);
        if (c->fd >= 0 && c->state != CONN_CONNECTING &&
            (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
            on_readable(c);
    }
    flush_all();
}
