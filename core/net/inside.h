/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - what the files of net share. Nobody outside includes it. */
#pragma once
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "net/conn.h"
#include "net/meters.h"

#include <uv.h>

#define NET_READ_BYTES (64 * 1024)
#define NET_SPARES 512              /* buffers kept for the next connection, */
#define NET_SPARE_BYTES (64 * 1024) /* none bigger than this, */
#define NET_SPARES_BYTES (1024 * 1024) /* all together */
#define NET_LINGER_MS 2000
#define NET_CLOSE_MS 5000  /* for the peer's half of a close */
#define NET_STALL_MS 20000 /* without progress of a write */
#define NET_DRAIN_MS 4000

/* Deadlines, settable so that tests need not wait. */
struct net_times {
    int64_t header_ms, body_ms, idle_ms, hello_ms, linger_ms, close_ms,
        stall_ms, excess_ms, ping_first_ms, ping_least_ms, ping_dead_ms;
    int64_t hellos_per_s;
};

struct net {
    struct net_conf conf; /* without its texts: used at opening */
    struct loop *loop;
    struct net_times times;
    struct net_hook *hook; /* what the loop calls at the end of a turn */
    int handles;           /* uv handles not yet closed */
    bool closed;

    int epoll;
    uv_poll_t poll;
    char *read_buf; /* NET_READ_BYTES, shared */
    struct list conns;
    size_t conn_count; /* without the refused ones */
    size_t refused_count;
    struct conn *dirty, *dead;
    struct list resume;  /* paused connections that may read again */
    struct list starved; /* wait for credits, first come first served */
    bool kicked;         /* mail to ourselves is under way */
    char *spare[NET_SPARES];
    size_t spare_cap[NET_SPARES];
    size_t spares, spares_bytes;

    bool has_credits; /* net_set_credits was called */
    int64_t credits, credits_max;

    struct door *door;
    struct door *local; /* or NULL */
    struct ws *ws;
    struct sessions *sessions;
    struct files *files;
    struct httpc *httpc;
    struct post *post;  /* NULL until mail is read or sent */
    uint64_t requests;  /* ids of */
    struct buf scratch; /* encodings without an arena */

    bool draining;
    struct timer drain_timer;
    void (*drained)(void *arg);
    void *drained_arg;
    int64_t turn_began_us, lag_until_ms;
    char address[80]; /* "127.0.0.1:8080" */
    int port;
};

static inline bool net_is_starved(const struct net *n)
{
    return n->has_credits && n->credits <= 0;
}
static inline int64_t net_now(struct net *n)
{
    return loop_now(n->loop);
}
void net_kick(struct net *n); /* another turn right after this one */
/* A uv handle of ours was closed (uv_close's callback). */
void net_handle_closed(uv_handle_t *h);
/* Called when a connection is gone: a drain may be complete. */
void net_check_drained(struct net *n);
/* Buffers between connections. */
void net_spare_take(struct net *n, struct buf *b);
void net_spare_give(struct net *n, struct buf *b);
