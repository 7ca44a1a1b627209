/* SPDX-License-Identifier: Apache-2.0 */
/* peer.h - the other side of a call: a server that behaves as badly as a test
 * wants, with or without TLS, one thread a connection. */
#pragma once
#include "base/buf.h"
#include <stdatomic.h>

struct thread;
struct ssl_ctx_st;
struct peer;
struct peer_line { /* one connection */
    struct peer *peer;
    int fd;
    void *ssl;
    int number; /* 1, 2, 3 ... */
    char head[8192];
};
struct peer {
    /* One request was read (its head is in l->head): answer it as you like.
     * The connection is closed when it returns. */
    void (*serve)(struct peer_line *l);
    void *arg;
    int port;
    int listener;
    struct ssl_ctx_st *tls;
    struct thread *thread;
    struct thread *lines[256];
    atomic_int count, gate; /* gate: for tests to say when it goes on */
    atomic_llong written;
};
bool peer_start(struct peer *p, void (*serve)(struct peer_line *l));
/* The same with TLS: name is what the certificate says ("127.0.0.1"), ca gets
 * the path of the authority's file. false also where there is no openssl. */
bool peer_start_tls(struct peer *p, void (*serve)(struct peer_line *l),
                    const char *name, const char **ca);
void peer_stop(struct peer *p);
bool line_write(struct peer_line *l, const void *at, size_t n);
bool line_say(struct peer_line *l, const char *text);
/* Until the other side goes away. */
void line_wait_gone(struct peer_line *l);
