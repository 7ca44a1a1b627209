/* SPDX-License-Identifier: Apache-2.0 */
/* httpc_inside.h - what the files of httpc share: tasks and hosts.
 *
 * httpc.c has the queue and the face, httpc_curl.c the library and its sockets,
 * httpc_host.c who may be called.   Thread: main.
 */
#pragma once
#include "base/breaker.h"
#include "net/httpc.h"
#include "net/inside.h"

#define HOST_TEXT 300
#define HTTPC_WHY 256 /* bytes of curl's own sentence */

struct host_meters {
    char text[HOST_TEXT];
    struct slice key;
    struct meter *state, *calls, *failures, *time; /* state NULL: many hosts */
};

struct host {
    struct slice key;
    char text[HOST_TEXT]; /* "https://api.example.com:443" */
    struct list link;     /* httpc's hungry, while it has calls that wait */
    struct list waiting;
    size_t running, placed, waits; /* placed: run, take no place */
    struct breaker breaker;
    struct host_meters *meters;
};

struct task {
    struct list link; /* its host's waiting, or running */
    struct list news; /* httpc's, while there is something to tell */
    struct httpc *h;
    struct httpc_call *call;
    struct host *host;
    void *easy; /* CURL; NULL while waiting */
    struct curl_slist *headers;
    struct buf head, body;
    struct buf taken;      /* stream: what the reader looks at */
    uint32_t ticket;       /* of the breaker, while running */
    struct feeder *feeder; /* NULL: the body is call->body */
    int status;
    bool too_big, paused, has_head, told_head, told_more;
    struct timer timer; /* waiting: the end; stream: the first byte */
    int64_t queued_ms, began_us;
    char why[HTTPC_WHY];
};

struct httpc {
    struct net *net;
    void *multi; /* CURLM; NULL until the first call */
    char *ca_file;
    struct list hungry, running, watches, news;
    size_t running_count, placed_count, waiting_bytes;
    struct map hosts, metered;
    struct host_meters others;
    struct timer timer, news_timer;
    int64_t entered_us; /* when the loop went into curl */
};

/* httpc.c */
void httpc_finish(struct task *t, int code, const char *why);
void httpc_start_more(struct httpc *h);
/* There is something to tell of t, in the next turn. */
void httpc_tell(struct task *t);

/* httpc_curl.c */
bool httpc_wake(struct httpc *h);  /* libcurl, before the first call; false:
                                      it is not there */
int httpc_prepare(struct task *t); /* ERR_BAD_REQUEST: a malformed header */
void httpc_begin(struct task *t);
void httpc_end(struct task *t); /* harmless if it never began */
void httpc_go_on(struct task *t);
void httpc_stop(struct httpc *h);
void httpc_on_timer(struct timer *t);
/* "https://host:port" in lower case; false: not an address we call (mail: one
 * of a mail server). */
bool httpc_host_of(const char *url, bool mail, char out[HOST_TEXT]);

/* httpc_line.c */
void httpc_line_options(struct task *t);
void httpc_line_take(struct task *t); /* connected: curl's handle is theirs */

/* httpc_body.c: bodies of pieces. begin takes the call's pieces and gives their
 * length; feed gives bytes for curl, 0 at the end, or one of these. */
#define HTTPC_FEED_LATER (-1L)
#define HTTPC_FEED_BROKEN (-2L)
int64_t httpc_feed_begin(struct task *t);
long httpc_feed(struct task *t, char *to, size_t room);
void httpc_feed_end(struct task *t);           /* harmless if it never began */
void httpc_pieces_close(struct httpc_call *c); /* of a call that never began */

/* httpc_host.c */
struct host *host_get(struct httpc *h, const char *text); /* NULL: too many */
void host_forget(struct httpc *h, struct host *host); /* if nothing holds it */
void hosts_free(struct httpc *h);
/* May a call go? The breaker's ticket, or 0. */
uint32_t host_take(struct httpc *h, struct host *host);
/* What a call that had begun came to; may open the breaker. */
void host_note(struct httpc *h, struct host *host, const struct task *t,
               int code);
/* Why nobody is called there: the breaker's sentence. */
void host_say(const struct httpc *h, const struct host *host, char *out,
              size_t max);
