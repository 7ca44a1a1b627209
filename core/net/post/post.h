/* SPDX-License-Identifier: Apache-2.0 */
/* post.h - the face of the post: mailboxes are read (IMAP) and mails are given
 * away (SMTP).
 *
 * Both talk over line.h: certificates are checked, hosts have limits and a
 * breaker. imap:// and smtp:// change to TLS before anything is said (or fail),
 * unless `plain`. A mailbox that was read stays open for IMAP_KEEP_MS, for who
 * comes again with the same name, secret and folder; IMAP_SESSIONS at most.
 * Secrets are in the caller's arena and a digest, and nowhere else (I9).
 *
 * Errors: ERR_UNAUTHORIZED (the server does not take name and secret),
 * ERR_NOT_FOUND (no such folder), ERR_UNAVAILABLE (not there, breaker, gone in
 * the middle), ERR_TIMEOUT, ERR_BAD_REQUEST, ERR_RATE_LIMITED, ERR_CANCELLED.
 *
 * Thread: main.
 */
#pragma once
#include "net/net.h"

#define IMAP_SESSIONS 100
#define IMAP_KEEP_MS 120000
#define IMAP_MOST 100 /* mails of one look */
#define SMTP_TO_MOST 100
#define POST_TOTAL_MS 28000

struct post_login {
    struct slice url; /* "imaps://host:993", "smtp://host:587" */
    bool plain;
    struct slice user, password;
    struct slice token; /* OAuth2: instead of a password */
};

struct imap_mail {
    uint32_t uid;
    int64_t size;       /* of all of it */
    struct slice bytes; /* its first bytes_max */
    bool seen;
};
struct imap_call {
    struct post_login login;
    struct slice folder; /* as IMAP writes it; "" = INBOX */
    /* Look: mails with a uid over `after`, oldest first. */
    uint32_t after, validity; /* validity 0 = not known; another one: no mails
                                 come, and the answer has the new one */
    int64_t since_ms;         /* 0, or only those that came since that day */
    size_t most;              /* mails; 0 = none, only how things are */
    size_t bytes_max;         /* of one mail */
    size_t bytes_all;         /* then no further one */
    int64_t wait_ms;          /* nothing new: wait so long for it (IDLE) */
    /* Mark instead: this uid gets the flags. */
    uint32_t mark;
    struct slice flags; /* "\\Seen \\Answered" */
    int64_t total_ms;
    struct arena *arena; /* the caller's: answers are put here */
    /* answer */
    int result;
    struct err err;
    uint32_t next; /* the uid the next mail will have, as far as is known */
    int64_t exists;
    bool more, idles; /* there are more; the server can tell of new ones */
    struct imap_mail *mails;
    size_t count;
    void (*done)(struct imap_call *c); /* exactly once, by mail */
    void *owner;
};
void imap_start(struct net *n, struct imap_call *c);

struct smtp_refused {
    struct slice address, why;
    int status;
};
struct smtp_call {
    struct post_login login; /* user "" = without logging in */
    struct slice name;       /* we say hello by; "" = localhost */
    struct slice from;       /* "" = <>: nobody, for answers of machines */
    const struct slice *to;  /* none, and no mail: only whether we get in */
    size_t to_count;
    struct slice mail; /* CRLF lines; dots are ours to double */
    int64_t total_ms;
    struct arena *arena;
    /* answer: result 0 = the server has spoken, status is its last word:
     * 250 it takes the mail on, 4xx later perhaps, 5xx never */
    int result;
    struct err err;
    int status;
    struct slice text;
    struct smtp_refused *refused; /* of the addresses */
    size_t refused_count;
    void (*done)(struct smtp_call *c);
    void *owner;
};
void smtp_start(struct net *n, struct smtp_call *c);

/* Before httpc_close: all calls are answered with ERR_CANCELLED by mail. */
struct post;
void post_close(struct net *n);
