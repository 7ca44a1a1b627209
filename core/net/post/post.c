/* SPDX-License-Identifier: Apache-2.0 */
/* post.c - what reading and sending of mail share: the way in, words, the end.
 *
 * Happy path: the server's offers are looked through for the best way to log
 * in. Failure: none of them suits: SASL_NONE, the caller says so.
 */
#include "base/crypto.h"
#include "net/post/imap_read.h"
#include "net/post/inside.h"

#include <stdio.h>

#define SASL_BYTES 16384

struct post *post_of(struct net *n)
{
    if (!n->post) {
        n->post = mem_alloc(sizeof(*n->post));
        list_init(&n->post->sessions);
        list_init(&n->post->letters);
    }
    return n->post;
}

void post_close(struct net *n)
{
    if (!n->post)
        return;
    imap_close_all(n);
    smtp_close_all(n);
    mem_free(n->post);
    n->post = NULL;
}

/* --- answers by mail ------------------------------------------------------ */

struct post_mail {
    struct mail mail; /* must be first */
    struct imap_call *imap;
    struct smtp_call *smtp;
};

static void on_answer(struct mail *m)
{
    struct post_mail p = *(struct post_mail *)m;
    mem_free(m);
    if (p.imap)
        p.imap->done(p.imap);
    else
        p.smtp->done(p.smtp);
}

static void answer(struct net *n, struct imap_call *imap,
                   struct smtp_call *smtp)
{
    struct post_mail *m = mem_alloc(sizeof(*m));
    m->mail.run = on_answer;
    m->imap = imap;
    m->smtp = smtp;
    loop_post(n->loop, &m->mail);
}

void imap_answer(struct net *n, struct imap_call *c, int result)
{
    c->result = result;
    answer(n, c, NULL);
}

void smtp_answer(struct net *n, struct smtp_call *c, int result)
{
    c->result = result;
    answer(n, NULL, c);
}

/* --- the way in ----------------------------------------------------------- */

const char *sasl_name(enum sasl way)
{
    static const char *const names[] = {"", "PLAIN", "LOGIN", "XOAUTH2",
                                        "OAUTHBEARER"};
    return names[way];
}

enum sasl sasl_choose(const struct post_login *l, struct slice words,
                      const char *prefix)
{
    static const enum sasl with_token[] = {SASL_XOAUTH2, SASL_BEARER};
    static const enum sasl with_password[] = {SASL_PLAIN, SASL_LOGIN};
    const enum sasl *ways = l->token.len ? with_token : with_password;
    for (int i = 0; i < 2; i++) {
        char word[40];
        snprintf(word, sizeof(word), "%s%s", prefix, sasl_name(ways[i]));
        if (imap_has_word(words, word))
            return ways[i];
    }
    return SASL_NONE;
}

struct slice sasl_base64(struct arena *a, struct slice text)
{
    struct buf out;
    buf_init(&out, SASL_BYTES);
    struct slice made = SLICE("");
    if (base64_add(&out, text) == 0)
        made = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return made;
}

struct slice sasl_text(struct arena *a, const struct post_login *l,
                       enum sasl way)
{
    struct buf out;
    int bad = 0;
    buf_init(&out, SASL_BYTES / 2);
    if (way == SASL_PLAIN) {
        bad |= buf_add(&out, "", 1);
        bad |= buf_add_slice(&out, l->user);
        bad |= buf_add(&out, "", 1);
        bad |= buf_add_slice(&out, l->password);
    } else if (way == SASL_XOAUTH2) {
        bad = buf_addf(&out, "user=%.*s\001auth=Bearer %.*s\001\001",
                       SLICE_FMT(l->user), SLICE_FMT(l->token));
    } else if (way == SASL_BEARER) {
        bad = buf_addf(&out, "n,a=%.*s,\001auth=Bearer %.*s\001\001",
                       SLICE_FMT(l->user), SLICE_FMT(l->token));
    }
    struct slice text = bad ? SLICE("") : sasl_base64(a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

/* --- words ---------------------------------------------------------------- */

void say_server(struct err *e, int code, const char *what, struct slice words)
{
    char text[201];
    size_t n = 0;
    words = slice_trim(words);
    for (size_t i = 0; i < words.len && n < sizeof(text) - 1; i++) {
        char c = words.at[i];
        text[n++] = c >= ' ' && c < 127 ? c : '?';
    }
    text[n] = '\0';
    err_set(e, code, n ? "%s: %s" : "%s%s", what, text);
}

bool is_plain_line(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.at[i] < ' ' || s.at[i] == 127)
            return false;
    return true;
}
