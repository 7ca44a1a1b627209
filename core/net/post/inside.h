/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - what the files of the post share.   Thread: main. */
#pragma once
#include "base/buf.h"
#include "net/inside.h"
#include "net/line.h"
#include "net/post/post.h"

struct post {
    struct list sessions; /* imap: under way and kept */
    size_t session_count;
    uint64_t numbers;
    struct list letters; /* smtp: under way */
};
struct post *post_of(struct net *n); /* made when first asked for */

/* What a call came to, in its owner's next turn. */
void imap_answer(struct net *n, struct imap_call *c, int result);
void smtp_answer(struct net *n, struct smtp_call *c, int result);
void imap_close_all(struct net *n);
void smtp_close_all(struct net *n);

/* Base64 of what SASL wants: PLAIN, XOAUTH2, OAUTHBEARER. */
enum sasl { SASL_NONE, SASL_PLAIN, SASL_LOGIN, SASL_XOAUTH2, SASL_BEARER };
const char *sasl_name(enum sasl way);
/* words: what the server offers, each behind prefix ("AUTH="). */
enum sasl sasl_choose(const struct post_login *l, struct slice words,
                      const char *prefix);
struct slice sasl_text(struct arena *a, const struct post_login *l,
                       enum sasl way);
struct slice sasl_base64(struct arena *a, struct slice text);
/* The server's words, fit for people and logs: printable, at most 200. */
void say_server(struct err *e, int code, const char *what, struct slice words);
/* No control characters, no line break: fit for a command. */
bool is_plain_line(struct slice s);
