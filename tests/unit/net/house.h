/* SPDX-License-Identifier: Apache-2.0 */
/* house.h - a net on port 0 with plain handlers in a thread of its own, and a
 * blocking client that may say whatever it likes.
 *
 * Handlers: a hello is welcomed (visitor with a channel, agent without);
 * token "refuse" closes 4003, "hold" is not answered until house_accept. A send
 * comes back as an event and an ack. Requests: /api/v1/echo tells what came,
 * /api/v1/later answers by mail, /api/v1/hold when house_release is called,
 * /api/v1/big?n= answers n bytes.
 */
#pragma once
#include "net/inside.h"
#include <stdatomic.h>

struct house {
    /* before house_start */
    struct net_conf conf;
    struct net_times times; /* 0 = as usual */
    int64_t credits;        /* 0 = no limit */
    bool keep_credits;      /* sends take one and do not give it back */
    /* after it */
    struct loop *loop;
    struct net *net;
    struct thread *thread;
    int port;
    atomic_llong hellos, frames, gone, requests, refs;
    atomic_ullong peer; /* the last one that said hello */
    atomic_llong drained;
    char cookie[64], origin[64];
    struct http_req *held[64]; /* loop's thread only */
    size_t held_count;
};

bool house_start(struct house *h);
void house_stop(struct house *h);
/* Runs fn(h, arg) on the loop's thread and waits for it. */
void house_run(struct house *h, void (*fn)(struct house *h, void *arg),
               void *arg);
void house_release(struct house *h); /* answers what is held */

/* --- the client --- */
#define WAIT_MS 60000
int dial(int port);
bool say(int fd, const void *p, size_t n);
bool say_text(int fd, const char *text);
/* Reads until the text appears (behind what was read before), the peer ends or
 * time is up; appends to b, NUL-terminated. true if the text is there. */
bool read_until(int fd, struct buf *b, const char *text);
bool read_end(int fd, struct buf *b); /* until the peer ends it; true if so */
/* A request of one's own on a fresh connection; the whole answer in b. */
void ask(int port, const char *request, struct buf *b);
int status_of(const struct buf *b);

/* WebSocket: a masked frame of the client's, first byte as it is. */
void put_frame(struct buf *b, int first, const void *payload, size_t n);
/* Upgrades and returns the fd, -1 if not answered by 101. */
int ws_dial(int port, const char *headers);
struct got {
    int opcode; /* -1: the peer ended it */
    char text[8192];
    size_t len;
    int code; /* of a close */
};
/* The next frame; waits. */
struct got ws_get(int fd);
struct got ws_get_past_pings(int fd);
void ws_say(int fd, const char *text);
bool ws_hello(int fd); /* a visitor's hello and its welcome */
