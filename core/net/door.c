/* SPDX-License-Identifier: Apache-2.0 */
/* door.c - accepting and admission.
 *
 * Happy path: the listening socket is readable, up to ACCEPTS connections are
 * taken, each counted at its address. TCP_NODELAY is set on the listening
 * socket: Linux hands it down, which saves a call per connection (it is needed
 * since two turns may write within one round trip).
 *
 * Beside it a socket in the file system for this machine's user: whoever may
 * open it (mode 0600) is let in as such, also when the house is full.
 *
 * Failure modes: too many connections (503) or too many of one address (429)
 * get an answer with Retry-After and are closed gently, a bounded number at a
 * time; beyond that they are just closed. Without file handles the spare one
 * is given up to take and close what waits, then accepting pauses: a level
 * triggered listening socket would spin otherwise.
 */
#include "net/door.h"
#include "net/http.h"
#include "net/inside.h"
#include "net/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS 512      /* in one turn */
#define REFUSED_MOST 256 /* answered at once */
#define PAUSE_MS 100
#define BACKLOG 4096
#define LOCAL_MOST 64 /* connections of this machine's user */

struct door {
    struct net *net;
    int fd, spare;
    bool shut;
    char *path; /* of a local socket, or NULL */
    uv_poll_t poll;
    struct timer pause;
    struct map places;
};

/* --- addresses ------------------------------------------------------------ */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
};

static void place_text(const union address *a, char out[48])
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                             0, 0, 0, 0, 0xff, 0xff};
    if (a->any.sa_family == AF_UNIX) {
        memcpy(out, "local", 6);
        return;
    }
    if (a->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->v4.sin_addr, out, 48);
        return;
    }
    struct in6_addr ip = a->v6.sin6_addr;
    if (memcmp(&ip, mapped, 12) == 0) {
        inet_ntop(AF_INET, (char *)&ip + 12, out, 48);
        return;
    }
    memset((char *)&ip + 8, 0, 8);
    inet_ntop(AF_INET6, &ip, out, 44);
    strcat(out, "/64");
}

static struct place *place_enter(struct door *d, const union address *a)
{
    char text[48];
    place_text(a, text);
    struct place *p = map_get_text(&d->places, slice_of(text));
    if (!p) {
        p = mem_alloc(sizeof(*p));
        p->door = d;
        memcpy(p->text, text, sizeof(text));
        p->key = slice_of(p->text);
        map_put_text(&d->places, p->key, p);
    }
    p->count++;
    return p;
}

void place_leave(struct place *p)
{
    if (--p->count)
        return;
    map_take_text(&p->door->places, p->key);
    mem_free(p);
}

bool place_is_local(const struct place *p)
{
    return p->door->path != NULL;
}

/* --- admission ------------------------------------------------------------ */

static void answer_refused(struct buf *out, int status, const char *why)
{
    struct buf body;
    buf_init(&body, 512);
    http_write_error(&body, status, why);
    struct http_answer a = {.status = status,
                            .type = SLICE("application/json"),
                            .headers = SLICE("Retry-After: 5\r\n"),
                            .length = (int64_t)body.len,
                            .date_ms = clock_ms()};
    http_write_head(out, &a);
    buf_add_slice(out, buf_slice(&body));
    buf_fini(&body);
}

static void refuse(struct door *d, int fd, struct place *p, int status,
                   const char *reason)
{
    struct net *n = d->net;
    net_count_refused(reason);
    if (n->refused_count >= REFUSED_MOST) {
        close(fd);
        place_leave(p);
        return;
    }
    struct conn *c = serve_open(n, fd, p);
    c->refused = true;
    n->refused_count++;
    answer_refused(&c->out, status,
                   status == 429 ? "Too many connections from this address."
                                 : "The server is full; try again soon.");
    net_count_status(status);
    conn_end(c);
}

static void admit(struct door *d, int fd, const union address *a)
{
    struct net *n = d->net;
    struct place *p = place_enter(d, a);
    int64_t most = n->conf.connections, each = n->conf.connections_per_address;
    if (d->path) { /* the one who is to mend it must come in */
        most = 0;
        each = LOCAL_MOST;
    }
    if (most && (int64_t)n->conn_count >= most) {
        refuse(d, fd, p, 503, "total");
    } else if (each && p->count > each) {
        refuse(d, fd, p, 429, "address");
    } else {
        n->conn_count++;
        meter_add(&net_accepted, 1);
        serve_open(n, fd, p);
    }
}

static int take_one(struct door *d, union address *a)
{
    socklen_t len = sizeof(*a);
    return accept4(d->fd, &a->any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void on_pause_over(struct timer *t)
{
    struct door *d = container_of(t, struct door, pause);
    if (!d->shut)
        must(uv_poll_start(&d->poll, UV_READABLE, on_poll) == 0);
}

static void pause_accepting(struct door *d)
{
    struct net *n = d->net;
    meter_add(&net_accept_pauses, 1);
    uv_poll_stop(&d->poll);
    timer_start(loop_wheel(n->loop), &d->pause, net_now(n) + PAUSE_MS);
}

/* No handle is left: what waits is told by being closed. */
static void turn_away(struct door *d)
{
    union address a;
    for (int i = 0; i < 64; i++) {
        if (d->spare >= 0)
            close(d->spare);
        int fd = take_one(d, &a);
        if (fd >= 0) {
            net_count_refused("handles");
            close(fd);
        }
        d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            break;
    }
    pause_accepting(d);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct door *d = poll->data;
    union address a;
    (void)status, (void)events;
    for (int i = 0; i < ACCEPTS; i++) {
        int fd = take_one(d, &a);
        if (fd >= 0) {
            admit(d, fd, &a);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno == EAGAIN)
            return;
        if (errno == EMFILE || errno == ENFILE) {
            log_warn("net", "no file handles left: accepting pauses");
            turn_away(d);
        } else {
            log_warn("net", "accept: %s", strerror(errno));
            pause_accepting(d);
        }
        return;
    }
}

/* --- opening -------------------------------------------------------------- */

/* "127.0.0.1:8080", "[::1]:80", "localhost:0", ":8080" (every address). */
static bool parse_listen(const char *text, union address *out, socklen_t *len)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof(host))
        return false;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    int64_t port;
    if (!slice_to_i64(slice_of(colon + 1), &port) || port < 0 || port > 65535)
        return false;
    memset(out, 0, sizeof(*out));
    size_t n = strlen(host);
    if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        *len = sizeof(out->v6);
        return inet_pton(AF_INET6, host + 1, &out->v6.sin6_addr) == 1;
    }
    const char *ip = strcmp(host, "localhost") == 0     ? "127.0.0.1"
                     : n == 0 || strcmp(host, "*") == 0 ? "0.0.0.0"
                                                        : host;
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons((uint16_t)port);
    *len = sizeof(out->v4);
    return inet_pton(AF_INET, ip, &out->v4.sin_addr) == 1;
}

static void tell_address(struct net *n, int fd)
{
    union address a;
    socklen_t len = sizeof(a);
    char ip[48];
    must(getsockname(fd, &a.any, &len) == 0);
    if (a.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a.v6.sin6_addr, ip, sizeof(ip));
        n->port = ntohs(a.v6.sin6_port);
        snprintf(n->address, sizeof(n->address), "[%s]:%d", ip, n->port);
    } else {
        inet_ntop(AF_INET, &a.v4.sin_addr, ip, sizeof(ip));
        n->port = ntohs(a.v4.sin_port);
        snprintf(n->address, sizeof(n->address), "%s:%d", ip, n->port);
    }
}

static int listen_on(const char *text, struct err *e, int *out)
{
    union address a;
    socklen_t len = 0;
    int on = 1;
    if (!parse_listen(text, &a, &len))
        return err_field(e, ERR_BAD_REQUEST, "listen",
                         "\"%s\" is not an address like 127.0.0.1:8080.", text);
    int fd =
        socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(e, ERR_UNAVAILABLE, "No socket: %s.", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (bind(fd, &a.any, len) < 0 || listen(fd, BACKLOG) < 0) {
        int why = errno;
        close(fd);
        return err_field(e, why == EADDRINUSE ? ERR_CONFLICT : ERR_UNAVAILABLE,
                         "listen", "Cannot listen on %s: %s.", text,
                         strerror(why));
    }
    *out = fd;
    return 0;
}

static struct door *door_new(struct net *n, int fd)
{
    struct door *d = mem_alloc(sizeof(*d));
    d->net = n;
    d->fd = fd;
    d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    map_init(&d->places);
    timer_init(&d->pause, on_pause_over);
    must(uv_poll_init(loop_uv(n->loop), &d->poll, fd) == 0);
    d->poll.data = d;
    must(uv_poll_start(&d->poll, UV_READABLE, on_poll) == 0);
    return d;
}

int door_open(struct net *n, const char *listen, struct err *e,
              struct door **out)
{
    int fd = -1;
    *out = NULL;
    int rc = listen_on(listen, e, &fd);
    if (rc < 0)
        return rc;
    tell_address(n, fd);
    *out = door_new(n, fd);
    return 0;
}

/* Nobody can connect before listen(), when the mode is right already. */
static int listen_at(const char *path, struct err *e, int *out)
{
    union address a = {.local = {.sun_family = AF_UNIX}};
    size_t len = strlen(path);
    if (len >= sizeof(a.local.sun_path))
        return err_set(e, ERR_TOOBIG, "%s is too long for a socket's path",
                       path);
    memcpy(a.local.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set(e, ERR_UNAVAILABLE, "No socket: %s.", strerror(errno));
    (void)unlink(path); /* left behind: the database's lock says who lives */
    if (bind(fd, &a.any, sizeof(a.local)) < 0 || chmod(path, 0600) < 0 ||
        listen(fd, LOCAL_MOST) < 0) {
        int why = errno;
        close(fd);
        return err_set(e, ERR_UNAVAILABLE, "Cannot listen at %s: %s.", path,
                       strerror(why));
    }
    *out = fd;
    return 0;
}

int door_open_local(struct net *n, const char *path, struct err *e,
                    struct door **out)
{
    int fd = -1;
    *out = NULL;
    int rc = listen_at(path, e, &fd);
    if (rc < 0)
        return rc;
    *out = door_new(n, fd);
    (*out)->path = mem_strdup(path);
    return 0;
}

static void on_closed(uv_handle_t *h)
{
    struct door *d = h->data;
    h->data = d->net;
    close(d->fd);
    d->fd = -1;
    net_handle_closed(h);
}

void door_shut(struct door *d)
{
    if (d->shut)
        return;
    d->shut = true;
    if (d->path)
        (void)unlink(d->path);
    timer_stop(loop_wheel(d->net->loop), &d->pause);
    uv_close((uv_handle_t *)&d->poll, on_closed);
    if (d->spare >= 0)
        close(d->spare);
    d->spare = -1;
}

void door_free(struct door *d)
{
    must(d->places.count == 0 && d->fd < 0);
    map_fini(&d->places);
    mem_free(d->path);
    mem_free(d);
}
