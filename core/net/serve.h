/* SPDX-License-Identifier: Apache-2.0 */
/* serve.h - HTTP on a connection: one request after the other.
 *
 * Why one at a time: answers must come in order anyway, and a client that
 * pipelines a change and a look at it expects the look to see the change. What
 * was sent ahead waits in the socket and in at most one read's bytes (I6).
 *
 * Thread: main.   Owns: the request under way, until it is answered.
 * States: IDLE -> HEAD -> BODY -> ANSWERING -> IDLE, or the end
 */
#pragma once
#include "net/conn.h"
#include "net/http.h"

/* One request until its answer. Lies in the request's arena. */
struct exchange {
    unsigned magic;
    struct http_in *in;
    struct conn *conn; /* NULL: the client is gone */
    int64_t began_us;
    bool is_head;  /* HEAD: no body goes out */
    bool is_begun; /* exchange_begin was called: the body comes in pieces */
    bool reading;  /* its own body still comes; the reader has the request */
    int status;
    void (*on_drained)(struct exchange *x); /* between pieces */
    void (*on_gone)(struct exchange *x);    /* conn is NULL already */
    void *user;
};

struct conn *serve_open(struct net *n, int fd, struct place *place);
/* Ends the connections that wait for a request; answers still go out. */
void serve_drain(struct net *n);

/* Answers and ends the exchange. headers: "Name: value\r\n" lines. */
void exchange_answer(struct exchange *x, int status, struct slice type,
                     struct slice headers, struct slice body);
void exchange_error(struct exchange *x, int status, const char *message,
                    struct slice headers);
/* The same in pieces: begin, any number of pieces (whenever on_drained comes
 * or at once), end. length bytes in all. */
void exchange_begin(struct exchange *x, int status, struct slice type,
                    struct slice headers, int64_t length);
void exchange_piece(struct exchange *x, struct slice bytes);
void exchange_end(struct exchange *x);
/* A file's bytes, read off the main thread piece by piece; takes fd. count
 * bytes from `from` on. send.c */
void exchange_send_fd(struct exchange *x, int status, struct slice type,
                      struct slice headers, int fd, int64_t from,
                      int64_t count);
/* The connection is WebSocket's from now on: frees all that was HTTP's. The
 * caller sets ops and user. */
void serve_leave(struct exchange *x);
