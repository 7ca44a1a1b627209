/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - see client.h.
 *
 * Happy path: connect, upgrade, then whole frames both ways. A peer that is
 * gone, breaks the protocol or answers late ends the client; the caller sees
 * `ended` and the close code.
 */
#include "net/client.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int64_t now_ms(void)
{
    return clock_mono_us() / 1000;
}

/* --- bytes ---------------------------------------------------------------- */

static int dial(int port, bool thin, struct err *e)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    int one = 1, little = 2048, segment = 536;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(e, ERR_UNAVAILABLE, "socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (thin) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
        setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment));
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return err_set(e, ERR_UNAVAILABLE, "cannot connect to port %d: %s",
                       port, strerror(errno));
    }
    return fd;
}

static int write_all(int fd, struct slice s, int64_t ms)
{
    int64_t until = now_ms() + ms;
    while (s.len > 0) {
        ssize_t n = send(fd, s.at, s.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            s.at += n;
            s.len -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN && now_ms() < until) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            poll(&p, 1, 50);
        } else {
            return ERR_UNAVAILABLE;
        }
    }
    return 0;
}

/* Reads once into b. 1 = something came, 0 = nothing yet, -1 = the end. */
static int read_some(int fd, struct buf *b, int64_t ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, ms < 0 ? 0 : (int)ms) <= 0)
        return 0;
    if (buf_reserve(b, 65536) != 0)
        return -1;
    ssize_t n = recv(fd, b->data + b->len, b->cap - b->len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0)
        return -1;
    b->len += (size_t)n;
    return 1;
}

static size_t head_end(const struct buf *b) /* 0 = not there yet */
{
    const char *at = b->len ? memmem(b->data, b->len, "\r\n\r\n", 4) : NULL;
    return at ? (size_t)(at - b->data) + 4 : 0;
}

/* --- WebSocket ------------------------------------------------------------ */

static void end(struct client *c, int code)
{
    if (c->ended)
        return;
    c->ended = true;
    c->close_code = code;
    close(c->fd);
    c->fd = -1;
}

/* Waits for the answer to the upgrade. */
static int upgraded(struct client *c, int64_t until, struct err *e)
{
    size_t n;
    while ((n = head_end(&c->in)) == 0) {
        int64_t left = until - now_ms();
        if (left <= 0)
            return err_set(e, ERR_TIMEOUT, "no answer to the upgrade");
        if (read_some(c->fd, &c->in, left) < 0)
            return err_set(e, ERR_UNAVAILABLE, "the upgrade was cut off");
    }
    if (n < 12 || memcmp(c->in.data + 8, " 101", 4) != 0)
        return err_set(e, ERR_FORBIDDEN, "upgrade refused: %.*s",
                       (int)(n < 60 ? n : 60), c->in.data);
    buf_drop(&c->in, n);
    return 0;
}

static int open_line(int port, bool thin, const char *headers, int64_t ms,
                     struct err *e, struct client **out)
{
    char head[2048];
    int64_t until = now_ms() + ms;
    *out = NULL;
    int fd = dial(port, thin, e);
    if (fd < 0)
        return fd;
    struct client *c = mem_alloc(sizeof(*c));
    c->fd = fd;
    buf_init(&c->in, CLIENT_IN_MAX);
    int n = snprintf(head, sizeof(head),
                     "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: eXVlbGFpIHRhbGsgY2xpZQ==\r\n"
                     "Sec-WebSocket-Version: 13\r\n%s\r\n",
                     port, headers);
    int bad = n < 0 || (size_t)n >= sizeof(head)
                  ? err_set(e, ERR_TOOBIG, "too many headers")
                  : write_all(fd, (struct slice){head, (size_t)n}, ms);
    if (!bad)
        bad = upgraded(c, until, e);
    if (bad) {
        client_cut(c);
        client_free(c);
        return bad;
    }
    *out = c;
    return 0;
}

int client_open(int port, const char *headers, int64_t ms, struct err *e,
                struct client **out)
{
    return open_line(port, false, headers, ms, e, out);
}

int client_open_thin(int port, int64_t ms, struct err *e, struct client **out)
{
    return open_line(port, true, "", ms, e, out);
}

/* A frame of a client: masked, with a fixed key. */
static int send_frame(struct client *c, int opcode, struct slice body)
{
    static const unsigned char key[4] = {0x11, 0x83, 0x5e, 0xc2};
    if (c->ended)
        return ERR_UNAVAILABLE;
    char *f = mem_alloc(body.len + 14), *o = f;
    *o++ = (char)(0x80 | opcode);
    if (body.len < 126) {
        *o++ = (char)(0x80 | body.len);
    } else if (body.len < 65536) {
        *o++ = (char)(0x80 | 126);
        *o++ = (char)(body.len >> 8);
        *o++ = (char)body.len;
    } else {
        *o++ = (char)(0x80 | 127);
        for (int shift = 56; shift >= 0; shift -= 8)
            *o++ = (char)((uint64_t)body.len >> shift);
    }
    memcpy(o, key, 4);
    o += 4;
    for (size_t i = 0; i < body.len; i++)
        o[i] = (char)(body.at[i] ^ key[i & 3]);
    int bad =
        write_all(c->fd, (struct slice){f, (size_t)(o - f) + body.len}, 10000);
    mem_free(f);
    if (bad)
        end(c, 1006);
    return bad;
}

int client_send(struct client *c, enum client_opcode op, struct slice body)
{
    return send_frame(c, (int)op, body);
}

int client_send_raw(struct client *c, struct slice bytes)
{
    if (c->ended)
        return ERR_UNAVAILABLE;
    int bad = write_all(c->fd, bytes, 10000);
    if (bad)
        end(c, 1006);
    return bad;
}

void client_wait(struct client *const *list, size_t n, int64_t ms)
{
    struct pollfd p[64];
    size_t who[64], open = 0;
    for (size_t i = 0; i < n && open < 64; i++) {
        if (!list[i] || list[i]->ended)
            continue;
        p[open] = (struct pollfd){.fd = list[i]->fd, .events = POLLIN};
        who[open++] = i;
    }
    if (poll(p, (nfds_t)open, ms < 0 ? 0 : (int)ms) <= 0)
        return;
    for (size_t i = 0; i < open; i++) {
        struct client *c = list[who[i]];
        if (p[i].revents && read_some(c->fd, &c->in, 0) < 0)
            /* What came before the end is still to be taken. */
            c->close_code = c->close_code ? c->close_code : 1006;
    }
}

/* A frame at the front of the buffer: header size and body; false = not whole. */
static bool front(const struct client *c, size_t *head, size_t *body)
{
    const unsigned char *h = (const unsigned char *)c->in.data;
    if (c->in.len < 2)
        return false;
    size_t n = h[1] & 127;
    *head = n < 126 ? 2 : n == 126 ? 4 : 10;
    if (c->in.len < *head)
        return false;
    if (n >= 126) {
        size_t bytes = *head - 2;
        n = 0;
        for (size_t i = 0; i < bytes; i++)
            n = n << 8 | h[2 + i];
    }
    *body = n;
    return c->in.len - *head >= n;
}

/* Handles one frame; true if it is a message for the caller. */
static bool take_frame(struct client *c, size_t head, size_t len,
                       struct arena *a, enum client_opcode *op,
                       struct slice *out)
{
    int opcode = c->in.data[0] & 15;
    struct slice body = slice_dup(a, (struct slice){c->in.data + head, len});
    buf_drop(&c->in, head + len);
    switch (opcode) {
    case CLIENT_TEXT:
    case CLIENT_BINARY:
        *op = (enum client_opcode)opcode;
        *out = body;
        return true;
    case 9:
        c->pings++;
        send_frame(c, 10, body);
        return false;
    case 8:
        send_frame(c, 8, body);
        end(c, len >= 2
                   ? (unsigned char)body.at[0] << 8 | (unsigned char)body.at[1]
                   : 1005);
        return false;
    default: /* pongs; our server sends no fragments */
        return false;
    }
}

bool client_next(struct client *c, struct arena *a, enum client_opcode *op,
                 struct slice *out)
{
    size_t head, body;
    while (front(c, &head, &body))
        if (take_frame(c, head, body, a, op, out))
            return true;
    if (c->close_code && !c->ended)
        end(c, c->close_code);
    return false;
}

void client_cut(struct client *c)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (c->ended)
        return;
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    end(c, 1006);
}

void client_free(struct client *c)
{
    if (!c)
        return;
    if (!c->ended) {
        send_frame(c, 8, SLICE("\x03\xe8")); /* 1000 */
        end(c, 1000);
    }
    buf_fini(&c->in);
    mem_free(c);
}

/* --- HTTP ----------------------------------------------------------------- */

/* On a connection, which is closed then. */
static int exchange(int fd, struct slice bytes, int64_t ms, struct buf *out)
{
    int64_t until = now_ms() + ms;
    /* A peer that refuses early may end while we still write. */
    write_all(fd, bytes, ms);
    int got = 0;
    while (got >= 0 && now_ms() < until)
        got = read_some(fd, out, until - now_ms());
    close(fd);
    return got < 0 ? 0 : ERR_TIMEOUT;
}

int client_exchange(int port, struct slice bytes, int64_t ms, struct buf *out)
{
    int fd = dial(port, false, NULL);
    return fd < 0 ? fd : exchange(fd, bytes, ms, out);
}

/* "22\r\n...\r\n0\r\n\r\n" -> the bytes; what is broken is left out. */
static struct slice dechunked(struct arena *a, struct slice in)
{
    char *out = arena_text(a, in.len + 1);
    size_t n = 0;
    while (in.len) {
        const char *eol = memmem(in.at, in.len, "\r\n", 2);
        char *end;
        unsigned long size = eol ? strtoul(in.at, &end, 16) : 0;
        size_t head = eol ? (size_t)(eol - in.at) + 2 : 0;
        if (size == 0 || size > in.len - head)
            break;
        memcpy(out + n, in.at + head, size);
        n += size;
        head += size + 2;
        if (head > in.len)
            break;
        in = (struct slice){in.at + head, in.len - head};
    }
    return (struct slice){out, n};
}

/* Takes fd. */
static int call(int fd, int port, const char *method, const char *path,
                const char *headers, struct slice body, int64_t ms,
                struct arena *a, struct err *e, struct client_answer *out)
{
    struct buf ask, answer;
    buf_init(&ask, CLIENT_IN_MAX + body.len);
    buf_init(&answer, CLIENT_IN_MAX);
    int bad = buf_addf(&ask,
                       "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                       "Connection: close\r\n%sContent-Length: %zu\r\n\r\n",
                       method, path, port, headers, body.len);
    if (!bad)
        bad = buf_add_slice(&ask, body);
    if (bad)
        close(fd);
    else
        bad = exchange(fd, buf_slice(&ask), ms, &answer);
    size_t head = head_end(&answer);
    if (head && sscanf(answer.data, "HTTP/1.%*d %d", &out->status) == 1) {
        out->head = slice_dup(a, (struct slice){answer.data, head});
        out->body =
            slice_dup(a, (struct slice){answer.data + head, answer.len - head});
        if (memmem(answer.data, head, "chunked", 7))
            out->body = dechunked(a, out->body);
        bad = 0;
    } else if (bad) {
        err_set(e, bad, "%s %s: %s", method, path, err_code(bad));
    } else {
        bad =
            err_set(e, ERR_UNAVAILABLE, "%s %s: no HTTP answer", method, path);
    }
    buf_fini(&ask);
    buf_fini(&answer);
    return bad;
}

int client_call(int port, const char *method, const char *path,
                const char *headers, struct slice body, int64_t ms,
                struct arena *a, struct err *e, struct client_answer *out)
{
    *out = (struct client_answer){0};
    int fd = dial(port, false, e);
    return fd < 0 ? fd
                  : call(fd, port, method, path, headers, body, ms, a, e, out);
}

static int dial_local(const char *path, struct err *e)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(to.sun_path))
        return err_set(e, ERR_TOOBIG, "%s is too long for a socket's path",
                       path);
    memcpy(to.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(e, ERR_UNAVAILABLE, "socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    int why = errno;
    close(fd);
    if (why == ENOENT || why == ECONNREFUSED)
        return err_set(e, ERR_NOT_FOUND, "no server listens at %s", path);
    return err_set(e, why == EACCES ? ERR_FORBIDDEN : ERR_UNAVAILABLE,
                   "cannot connect to %s: %s", path, strerror(why));
}

int client_call_local(const char *path, const char *method, const char *target,
                      const char *headers, struct slice body, int64_t ms,
                      struct arena *a, struct err *e, struct client_answer *out)
{
    *out = (struct client_answer){0};
    int fd = dial_local(path, e);
    return fd < 0 ? fd
                  : call(fd, 0, method, target, headers, body, ms, a, e, out);
}
