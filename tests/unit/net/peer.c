/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c - see peer.h. */
#include "peer.h"
#include "loop/loop.h"
#include "test.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t receive(struct peer_line *l, void *to, size_t n)
{
    return l->ssl ? SSL_read(l->ssl, to, (int)n) : recv(l->fd, to, n, 0);
}

bool line_write(struct peer_line *l, const void *at, size_t n)
{
    const char *p = at;
    while (n) {
        ssize_t k = l->ssl ? SSL_write(l->ssl, p, (int)n)
                           : send(l->fd, p, n, MSG_NOSIGNAL);
        if (k <= 0)
            return false;
        atomic_fetch_add(&l->peer->written, k);
        p += k;
        n -= (size_t)k;
    }
    return true;
}

bool line_say(struct peer_line *l, const char *text)
{
    return line_write(l, text, strlen(text));
}

void line_wait_gone(struct peer_line *l)
{
    char waste[512];
    while (receive(l, waste, sizeof(waste)) > 0)
        ;
}

static bool read_head(struct peer_line *l)
{
    size_t len = 0;
    while (!strstr(l->head, "\r\n\r\n") && len < sizeof(l->head) - 1) {
        ssize_t n = receive(l, l->head + len, sizeof(l->head) - 1 - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        l->head[len] = '\0';
    }
    return true;
}

static void run_line(void *arg)
{
    struct peer_line *l = arg;
    struct peer *p = l->peer;
    bool ok = true;
    if (p->tls) {
        l->ssl = SSL_new(p->tls);
        SSL_set_fd(l->ssl, l->fd);
        ok = SSL_accept(l->ssl) == 1;
    }
    if (ok && read_head(l))
        p->serve(l);
    if (l->ssl)
        SSL_free(l->ssl);
    shutdown(l->fd, SHUT_WR);
    close(l->fd);
    free(l);
}

static void run(void *arg)
{
    struct peer *p = arg;
    int fd;
    while ((fd = accept(p->listener, NULL, NULL)) >= 0) {
        struct peer_line *l = calloc(1, sizeof(*l));
        int i = atomic_fetch_add(&p->count, 1);
        if (i >= 256) {
            FAIL("too many connections");
            close(fd);
            free(l);
            return;
        }
        l->peer = p;
        l->fd = fd;
        l->number = i + 1;
        thread_start("peer-line", run_line, l, &p->lines[i]);
    }
}

bool peer_start(struct peer *p, void (*serve)(struct peer_line *l))
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof(a);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    p->serve = serve;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!CHECK(bind(p->listener, (struct sockaddr *)&a, n) == 0) ||
        !CHECK(listen(p->listener, 200) == 0))
        return false;
    getsockname(p->listener, (struct sockaddr *)&a, &n);
    p->port = ntohs(a.sin_port);
    return CHECK(thread_start("peer", run, p, &p->thread) == 0);
}

/* A root of our own and a certificate by it, by the openssl program. */
static bool make_certificates(const char *name)
{
    char text[4000];
    const char *dir = test_dir();
    snprintf(text, sizeof(text), "%s/san", dir);
    char san[200];
    snprintf(san, sizeof(san), "subjectAltName=%s:%s\n",
             name[0] >= '0' && name[0] <= '9' ? "IP" : "DNS", name);
    test_write_file(text, san);
    snprintf(text, sizeof(text),
             "cd '%s' && exec >log 2>&1 && "
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
             "-nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=root && "
             "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
             "-keyout key.pem -out req.pem -subj /CN=peer && "
             "openssl x509 -req -in req.pem -CA ca.pem -CAkey ca.key "
             "-CAcreateserial -days 2 -extfile san -out cert.pem",
             dir);
    return system(text) == 0;
}

bool peer_start_tls(struct peer *p, void (*serve)(struct peer_line *l),
                    const char *name, const char **ca)
{
    if (!CHECK(make_certificates(name)))
        return false;
    *ca = test_path("ca.pem");
    p->tls = SSL_CTX_new(TLS_server_method());
    if (!CHECK(SSL_CTX_use_certificate_file(p->tls, test_path("cert.pem"),
                                            SSL_FILETYPE_PEM) == 1) ||
        !CHECK(SSL_CTX_use_PrivateKey_file(p->tls, test_path("key.pem"),
                                           SSL_FILETYPE_PEM) == 1))
        return false;
    return peer_start(p, serve);
}

void peer_stop(struct peer *p)
{
    shutdown(p->listener, SHUT_RDWR);
    thread_join(p->thread);
    close(p->listener);
    for (int i = 0; i < atomic_load(&p->count) && i < 256; i++)
        thread_join(p->lines[i]);
    SSL_CTX_free(p->tls);
}
