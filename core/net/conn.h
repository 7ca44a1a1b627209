/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - one accepted socket: bytes in, bytes out, a deadline.
 *
 * Why not uv_tcp_t: it is 248 bytes and one ioctl a connection, and a write
 * request per write. Here the sockets live in an epoll of their own, which is
 * a single handle to libuv; edge-triggered, so that pausing costs no system
 * call and a connection is registered once. What is sent within one turn of
 * the loop goes out by one write at its end.
 *
 * What a connection speaks is a table of functions: HTTP first (serve.c), then
 * perhaps WebSocket (session.c). Buffers exist only while they hold something.
 *
 * Thread: main.   Owns: the fd, both buffers, one count at its place (I6).
 * States: OPEN -> ENDING (out is written, then shutdown) -> LINGER -> DEAD
 */
#pragma once
#include "net/net.h"

struct conn;
struct conn_ops {
    /* Reads on; returns the bytes used. What is left comes again in front of
     * the next. May switch c->ops: the rest is then given to those. */
    size_t (*on_data)(struct conn *c, struct slice data);
    void (*on_eof)(struct conn *c);     /* the peer has finished sending */
    void (*on_drained)(struct conn *c); /* all is written; not while ENDING */
    void (*on_timer)(struct conn *c);
    void (*on_gone)(struct conn *c); /* last call; c->user is to be freed */
};

enum conn_state { CONN_OPEN, CONN_ENDING, CONN_LINGER, CONN_DEAD };

struct conn {
    unsigned magic;
    int fd;
    struct net *net;
    const struct conn_ops *ops;
    void *user;          /* of ops: struct web or struct session */
    struct place *place; /* its address (door.h) */
    struct timer timer;
    struct list link;  /* in net->conns */
    struct list wait;  /* to be resumed, or starved of credits */
    struct conn *next; /* dirty or dead */
    struct buf in;     /* what on_data could not use yet */
    struct buf out;    /* from `sent` on still to be written */
    uint32_t sent;
    uint32_t counted; /* of out, in the meter */
    uint32_t mark;    /* unsent at the last look: is there progress? */
    uint8_t state;    /* enum conn_state */
    bool paused;      /* not read, on_data is not called */
    bool unread;      /* there is something in the socket */
    bool eof;         /* the peer will send no more */
    bool is_dirty;
    bool wants_out; /* EPOLLOUT is registered */
    bool refused;   /* over the limit: only an answer, then the end */
};

/* Takes fd and the count at place. */
struct conn *conn_new(struct net *n, int fd, struct place *place,
                      const struct conn_ops *ops);
/* To be written at the end of the turn; whoever adds to c->out calls it. */
void conn_touch(struct conn *c);
static inline size_t conn_unsent(const struct conn *c)
{
    return c->out.len - c->sent;
}
/* Writes now what the socket takes; what goes wrong shows at the turn's end.
 * For a burst within one turn, before its reader is called slow. */
void conn_push(struct conn *c);
/* Room in out for about n bytes, from the loop's spare buffers. */
void conn_prepare(struct conn *c, size_t n);
void conn_pause(struct conn *c);
void conn_resume(struct conn *c); /* reading goes on at the end of the turn */
void conn_starve(struct conn *c); /* pause until there are credits */
/* Writes what is in out, then shuts down, waits a little for the peer. */
void conn_end(struct conn *c);
/* Closes now; on_gone comes from inside. Memory goes at the turn's end. Only
 * from events, timers and the end of a turn, never for a caller of net.h. */
void conn_abort(struct conn *c);
void conn_deadline(struct conn *c, int64_t ms); /* from now; < 0: none */
/* Has the peer read nothing since the last look although there is something
 * for it? For on_timer. */
bool conn_is_stalled(struct conn *c);

/* net.c: at the end of every turn. */
void conns_turn_end(struct net *n);
void conns_open(struct net *n);
void conns_close(struct net *n); /* all of them, at once */
