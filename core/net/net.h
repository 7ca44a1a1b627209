/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - the face of the net: doors, sockets, requests, calls to others.
 *
 * Thread: main. Everything here is called on the loop's thread.
 */
#pragma once
#include "desk/frame.h"
#include "loop/loop.h"

struct net;
struct peer;     /* a WebSocket session, named by its id outside */
struct http_req; /* one REST request, until http_reply */

struct net_conf {
    struct loop *loop;        /* borrowed */
    const char *listen;       /* "127.0.0.1:8080", port 0 = any, [::1]:80 */
    const char *local_socket; /* path, or NULL = none; who opens it is the
                                 machine's own user (http_req.local) */
    const char *web_dir;      /* static files: dist of web/ (may be missing) */
    int64_t connections, connections_per_address; /* 0 = no limit */
    int64_t frames_per_s; /* per visitor; agents ten times; 0 = no limit */
    int64_t frame_bytes, body_bytes;
    int64_t heartbeat_ms;     /* longest interval between pings */
    const char *http_ca_file; /* trusted beside the system's, for calls to
                                 others; NULL or "" = none */
    bool all_paths; /* on_request gets every path but /ws; no static files */
    void *arg;
    /* A hello arrived. The handler answers later by peer_welcome or peer_close.
     * a: the frame's arena, taken by the handler. cookie: value of
     * yuelai_session if the upgrade request was same-origin, else "". */
    void (*on_hello)(void *arg, uint64_t peer, struct frame *f, struct arena *a,
                     struct slice cookie);
    /* Any later frame but pings, which net answers; takes the arena (f lies in
     * it). Nothing is read of a peer between on_hello and peer_accept. */
    void (*on_frame)(void *arg, uint64_t peer, struct frame *f,
                     struct arena *a);
    void (*on_gone)(void *arg, uint64_t peer); /* after hello, exactly once */
    /* A request below /api/v1, /metrics, /healthz, /readyz, /hooks, /files,
     * /chat/<c>/config. Answer by http_reply, at once or later. */
    void (*on_request)(void *arg, struct http_req *r);
    /* Does this request's body come in pieces? Asked with its head; NULL =
     * none does. Then on_request comes at its head, and the handler answers at
     * once or sets on_body and on_end, which come until it answers. */
    bool (*streams)(void *arg, const struct http_req *r);
};
int net_open(const struct net_conf *conf, struct err *e, struct net **out);
/* New limits from a changed configuration. */
void net_adjust(struct net *n, const struct net_conf *conf);
int net_port(const struct net *n);
const char *net_address(const struct net *n); /* "127.0.0.1:8080" */
/* Drain: close the listening socket, tell every peer `reconnect` (jittered),
 * finish what is being written, then closed(arg). */
void net_drain(struct net *n, void (*closed)(void *arg), void *arg);
/* Everything now; no call to the handlers comes any more, calls under way to
 * others are answered by mail. Frees itself in the loop's next turns. Not from
 * inside a handler. */
void net_close(struct net *n);
/* Credits: each event taken in needs one; none left = reading stops. */
void net_set_credits(struct net *n, int64_t n_credits);
void net_take_credit(struct net *n);
void net_give_credits(struct net *n, int64_t count);

/* Sends one notice; encoded for the peer's subprotocol (once per notice).
 * false: no such peer, or it was given up for reading too slowly. Written at
 * the end of the turn, one write per connection. */
bool peer_send(struct net *n, uint64_t peer, struct notice *notice);
/* Bytes that its socket has not taken yet; 0 if it is gone. */
int64_t peer_backlog(struct net *n, uint64_t peer);
/* Ends hello: kind decides limits. ping times are net's business. */
void peer_accept(struct net *n, uint64_t peer, enum role role);
/* Ms since anything came of it, -1 = it is gone; ask: it is pinged now. */
int64_t peer_silence(struct net *n, uint64_t peer, bool ask);
void peer_close(struct net *n, uint64_t peer, int ws_code, const char *reason);
const char *peer_address(struct net *n, uint64_t peer);
struct slice peer_origin(struct net *n, uint64_t peer); /* Origin header,
                                                   until peer_accept */
int64_t peer_rtt_ms(struct net *n, uint64_t peer);      /* -1 = not known yet */

struct http_header {
    struct slice name, value;
};
struct http_req {
    struct slice method; /* "GET" */
    struct slice path;   /* decoded, normalised: "/api/v1/me" */
    struct slice query;  /* raw, behind the ? */
    const struct http_header *headers;
    size_t header_count;
    struct slice body;
    struct arena *arena; /* the request's; freed after the reply is written */
    char address[64];    /* of the peer */
    bool secure;         /* X-Forwarded-Proto: https */
    bool local;          /* by local_socket */
    void *user;          /* the handler's */
    uint64_t id;
    /* A body in pieces (net_conf.streams). */
    bool streamed;
    int64_t length; /* of the body, as said; -1 = not said */
    void (*on_body)(struct http_req *r, struct slice piece);
    /* 0: it is whole; ERR_CANCELLED: the client is gone; ERR_BAD_REQUEST,
     * ERR_TIMEOUT. The handler is to answer now, or later. */
    void (*on_end)(struct http_req *r, int result);
};
/* No more pieces for now; go on. Only between on_request and on_end. */
void http_hold(struct http_req *r);
void http_go_on(struct http_req *r);
struct slice http_header(const struct http_req *r, const char *name);
/* Decoded value of a query parameter (in the arena); false if absent. */
bool http_query(struct http_req *r, const char *name, struct slice *out);
/* headers: "Name: value\r\n" lines or "". Takes the request; call once.
 * The body is copied. If the client is gone, nothing happens. */
void http_reply(struct http_req *r, int status, struct slice type,
                struct slice headers, struct slice body);
/* The same; told(arg, all of it was written) comes once, not from inside. false:
 * the client is gone, r is still the caller's and nothing comes. */
bool http_reply_told(struct http_req *r, int status, struct slice type,
                     struct slice headers, struct slice body,
                     void (*told)(void *arg, bool written), void *arg);
/* The same with count bytes of a file from `from` on; takes fd. */
void http_reply_fd(struct http_req *r, int status, struct slice type,
                   struct slice headers, int fd, int64_t from, int64_t count);
/* "bytes=0-99" of a body of size bytes. 1: *from and *count are set; 0: no
 * range we honour (send all); ERR_UNPROCESSABLE: 416. */
int http_range(struct slice header, int64_t size, int64_t *from,
               int64_t *count);
/* Is the client still there? (long polls) */
bool http_is_live(const struct http_req *r);

/* Calls to others (libcurl on the loop): TLS always verified, HTTP/1.1 and 2,
 * limits and a circuit breaker per host, time-outs, size cap. done comes
 * exactly once, never from inside the call; so do head and more. */
struct httpc_piece { /* size 0: bytes; else so many of fd, from its start */
    struct slice bytes;
    int fd;
    int64_t size;
};
struct httpc_call {
    struct slice method, url, body;
    struct httpc_piece *pieces; /* instead of body; at most 16. The fds are
                                   httpc's once it is started */
    size_t piece_count;
    const struct slice *headers; /* name, value pairs */
    size_t header_count;
    int64_t connect_ms, total_ms; /* total: waiting for a place included */
    int64_t first_ms; /* stream: until the body's first byte; 0 = total */
    int follow;       /* redirects, at most HTTPC_FOLLOW_MOST; GET HEAD POST */
    size_t body_max;
    bool stream; /* the body is read by httpc_read, as it comes */
    bool placed; /* whoever calls has places of its own: takes none here */
    struct line *line;   /* line.h: no request, a connection to talk on */
    struct arena *arena; /* the caller's: answers are put here */
    int result;          /* 0 or ERR_* */
    struct err err;
    int status;
    struct slice answer_headers; /* "name: value\n" lines, lower-case names */
    struct slice answer;         /* stream: what was not read yet */
    void (*head)(struct httpc_call *c); /* stream: status and headers are here;
                                           not if it fails before */
    void (*more)(struct httpc_call *c); /* stream: there is something to read;
                                           again only after httpc_read */
    void (*done)(struct httpc_call *c);
    void *owner;
    void *inside; /* httpc's own */
};
void httpc_start(struct net *n, struct httpc_call *c);
void httpc_cancel(struct net *n, struct httpc_call *c); /* done comes */
/* stream: takes what came; a peer that had to wait is read again. The bytes are
 * valid until the next call of httpc's for c. */
struct slice httpc_read(struct net *n, struct httpc_call *c);
