/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - a WebSocket peer: hello, frames, heartbeat, slow readers.
 *
 * Why: everything between "this socket speaks WebSocket" and "here is a valid
 * frame of a known peer" is decided here, so that the desk sees only frames.
 * An idle session is this struct and its conn, nothing else; no buffer, no
 * parser (house 1: 1.5 kB a connection).
 *
 * Thread: main.   Owns: its slot, its part of a fragmented message (I6).
 * States: NEW (no hello yet) -> ASKED (the roof looks who it is; not read)
 *         -> LIVE -> CLOSING (our close is out, waiting for the peer's)
 */
#pragma once
#include "net/conn.h"
#include "net/govern.h"

enum session_state {
    SESSION_NEW,
    SESSION_ASKED,
    SESSION_LIVE,
    SESSION_CLOSING
};

/* What the upgrade request said and the roof asks for at hello. */
struct upgrade {
    struct slice origin, cookie; /* in the same allocation */
};

struct session {
    unsigned magic;
    uint32_t rtt_ms; /* UINT32_MAX = not known */
    uint64_t id;     /* what peers are called outside; 0 = left */
    struct conn *conn;
    struct ws_part *part;    /* of a message in fragments, or NULL */
    struct upgrade *upgrade; /* until LIVE; NULL if there is nothing */
    struct bucket bucket;
    uint32_t heard_ms, ping_ms; /* loop time, wrapped */
    uint32_t excess_ms;         /* since when too fast; 0 = not */
    uint32_t excess;            /* frames refused since */
    uint32_t interval_ms;       /* between pings */
    uint32_t preamble; /* bytes of HTTP in front of the frames in out */
    uint8_t state;     /* enum session_state */
    uint8_t role;      /* enum role, once LIVE */
    uint8_t misses;    /* pings without an answer */
    bool is_binary;    /* Protobuf */
    bool is_told;      /* on_hello was called: on_gone is due */
    bool ping_out;
};

struct exchange;
struct sessions; /* the table of peers, and the budget of hellos */

struct sessions *sessions_new(struct net *n);
void sessions_free(struct sessions *t); /* empty by then */
size_t sessions_count(const struct sessions *t);
/* All of them: `reconnect`, spread over jittered seconds, then 1001. */
void sessions_drain(struct net *n);

/* A request for /ws: takes the exchange, or returns an error and leaves it
 * (no upgrade asked, or another version). handshake.c */
int session_upgrade(struct exchange *x);
/* A session on this connection, which is WebSocket's from now on. up: taken,
 * may be NULL. preamble: bytes of the 101 in out. */
void session_open(struct conn *c, bool is_binary, struct upgrade *up,
                  size_t preamble);
