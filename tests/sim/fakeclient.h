/* SPDX-License-Identifier: Apache-2.0 */
/* fakeclient.h - visitors' devices and agents' consoles, as contract §4 says.
 *
 * A client keeps its cursor, its outbox and what it has seen over reconnects;
 * what was on the way in either direction is lost with the socket. It sends
 * again, under the same ref, what was never acked.
 */
#pragma once
#include "base/limits.h"
#include "desk/frame.h"

struct world;

struct told { /* a notice on its way to the client */
    struct told *next;
    enum notice_type type;
    char ref[LIMIT_REF_BYTES + 1];
    uint64_t conv, pos;
    struct cursor cursor;
    uint32_t seq;
    enum event_name name;
    bool duplicate, recovered, more;
    int code;
    char *items; /* HISTORY, ours to free */
};

struct said { /* a frame on its way to the desk */
    struct said *next;
    enum frame_type type;
    int out; /* SEND: index in the outbox */
    uint64_t conv;
    uint32_t seq, before;
    enum agent_status status;
    char ref[LIMIT_REF_BYTES + 1];
};

enum out_state { OUT_WAITS, OUT_SENT, OUT_ACKED, OUT_REFUSED };
struct out { /* a message the client wants to be sent */
    char ref[24], text[40];
    uint64_t conv; /* agents */
    bool is_private;
    enum out_state state;
    int64_t again;  /* not before */
    uint64_t pos;   /* acked as */
    uint32_t tries; /* how often it reached the desk */
    uint64_t order; /* when it did */
};

struct seen {
    uint64_t conv, pos;
    uint32_t seq;
    bool acked;    /* by an ack only: its own, maybe out of sight */
    uint64_t door; /* shown behind the event at this position */
};

struct marks { /* what one session was told; for the oracle */
    struct seen *at;
    size_t count, cap;
};

enum link { LINK_DOWN, LINK_JOINING, LINK_LIVE };
struct client {
    enum role role;
    int index;
    uint64_t id, channel; /* contact or agent */
    enum link link;
    uint64_t peer; /* 0 = none */
    bool away;     /* goes home before the end, does not come back */
    bool broken;   /* the desk's sends fail; gone will follow */
    bool gone_due; /* the socket is closed, the desk is not told yet */
    bool accepted, welcomed;
    int64_t up_at; /* when it may connect (again) */
    struct told *in_first, *in_last;
    struct said *out_first, *out_last;
    /* kept over reconnects */
    bool has_cursor, started;
    struct cursor cursor;
    uint64_t since;  /* shown everything after this position */
    uint64_t conv;   /* visitors: current one, from the welcome */
    uint64_t loaded; /* visitors: the one whose history was asked */
    struct out *out;
    size_t out_count, out_cap;
    struct marks seen;
    struct marks lost; /* conversations gone from sight before the console
                              could read them by REST */
    bool loading;      /* a history page is asked for */
    uint64_t history;  /* of this conversation, till its last page came */
    /* of this session, server's side: for the oracle */
    struct cursor last;
    uint64_t from; /* everything after this must be told */
    uint32_t from_sub;
    uint64_t joined; /* last position when it joined: replayed so far */
    struct marks told;
    uint64_t sent_order;
};

void client_init(struct world *w, struct client *c, enum role role, uint64_t id,
                 uint64_t channel);
void client_fini(struct client *c);
/* One turn of its own: connects, sends, drops, … */
void client_turn(struct world *w, struct client *c);
/* Hops; false: nothing to do. */
bool client_say_step(struct world *w, struct client *c);  /* to the desk */
bool client_hear_step(struct world *w, struct client *c); /* to the client */
bool client_gone_step(struct world *w, struct client *c);
void client_drop(struct world *w, struct client *c);  /* the socket falls */
void client_crash(struct world *w, struct client *c); /* the server falls */
/* Ports: what the desk does to it. */
void client_tell(struct world *w, struct client *c, const struct notice *n);
/* Everything sent is answered, nothing on the way. */
bool client_is_idle(const struct client *c);
bool marks_has(const struct marks *m, uint64_t pos);
struct seen *marks_find(const struct marks *m, uint64_t pos);
struct seen *marks_add(struct marks *m, uint64_t conv, uint64_t pos,
                       uint32_t seq);
