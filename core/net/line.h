/* SPDX-License-Identifier: Apache-2.0 */
/* line.h - a connection to a mail server, to talk on: libcurl connects, greets
 * and (imap://, smtp://) changes to TLS by STARTTLS; then the bytes are ours.
 *
 * Why: libcurl's own IMAP knows no IDLE, and its FETCH of anything but BODY[]
 * loses what it fetched. Connecting counts and waits like any call (httpc.h:
 * limits per host, breaker); a line that is open takes no call's place.
 *
 * Thread: main.   Owns: curl's handle, its socket's watch, what is unsent.
 * States: CONNECTING -> OPEN -> ENDED
 */
#pragma once
#include "net/net.h"

#define LINE_OUT_BYTES (256 * 1024) /* unsent */
#define LINE_CONNECT_MS 15000

struct line;
struct line_conf {
    struct net *net;
    struct slice url; /* "imaps://host:993", "smtp://host:587"; copied */
    bool plain;       /* imap://, smtp://: without TLS */
    int64_t connect_ms;
    void *arg;
    /* First and once; after an error nothing else comes. */
    void (*on_open)(void *arg, int result, const struct err *e);
    void (*on_data)(void *arg, struct slice bytes);
    void (*on_sent)(void *arg);                 /* nothing is unsent any more */
    void (*on_end)(void *arg, const char *why); /* the peer's; then no more */
};
/* Never fails at once; no callback comes from inside of this. */
struct line *line_open(const struct line_conf *conf);
/* Copies. ERR_TOOBIG: more than LINE_OUT_BYTES are unsent. */
int line_send(struct line *l, struct slice bytes);
/* No callback comes any more; also from inside of one. NULL is fine. */
void line_close(struct line *l);
