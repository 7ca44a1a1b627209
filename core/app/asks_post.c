/* SPDX-License-Identifier: Apache-2.0 */
/* asks_post.c - mailboxes that scripts read, mails that they send.
 *
 * Happy path: the ask becomes a call of the net's post; its answer lies in the
 * ask's arena and goes back with it. Failure: the call's error is the ask's.
 */
#include "app/asks.h"
#include "net/post/post.h"

struct post_call {
    struct script_ask *ask;
    struct server *server;
    struct imap_call imap;
    struct smtp_call smtp;
};

static struct post_login login_of(const struct post_ask *p)
{
    return (struct post_login){.url = p->url,
                               .plain = p->plain,
                               .user = p->user,
                               .password = p->password,
                               .token = p->token};
}

static void on_looked(struct imap_call *c)
{
    struct post_call *call = c->owner;
    struct script_ask *ask = call->ask;
    struct post_ask *p = ask->post;
    ask->result = c->result;
    ask->err = c->err;
    p->validity = c->validity;
    p->next = c->next;
    p->exists = c->exists;
    p->more = c->more;
    p->idles = c->idles;
    p->mail_count = c->count;
    p->mails = arena_many(ask->arena, struct post_mail, c->count + 1);
    for (size_t i = 0; i < c->count; i++) {
        p->mails[i] = (struct post_mail){.uid = c->mails[i].uid,
                                         .size = c->mails[i].size,
                                         .bytes = c->mails[i].bytes,
                                         .seen = c->mails[i].seen};
    }
    asks_answer(call->server, ask);
}

static void on_sent(struct smtp_call *c)
{
    struct post_call *call = c->owner;
    struct script_ask *ask = call->ask;
    struct post_ask *p = ask->post;
    ask->result = c->result;
    ask->err = c->err;
    p->status = c->status;
    p->text = c->text;
    p->refused_count = c->refused_count;
    p->refused =
        arena_many(ask->arena, struct post_refused, c->refused_count + 1);
    for (size_t i = 0; i < c->refused_count; i++) {
        p->refused[i] = (struct post_refused){.address = c->refused[i].address,
                                              .why = c->refused[i].why,
                                              .status = c->refused[i].status};
    }
    asks_answer(call->server, ask);
}

void post_ask(struct server *s, struct script_ask *ask)
{
    struct post_call *call = arena_one(ask->arena, struct post_call);
    const struct post_ask *p = ask->post;
    call->ask = ask;
    call->server = s;
    if (ask->kind == ASK_SMTP) {
        call->smtp = (struct smtp_call){.login = login_of(p),
                                        .name = p->name,
                                        .from = p->from,
                                        .to = p->to,
                                        .to_count = p->to_count,
                                        .mail = p->mail,
                                        .total_ms = p->timeout_ms,
                                        .arena = ask->arena,
                                        .done = on_sent,
                                        .owner = call};
        smtp_start(s->net, &call->smtp);
        return;
    }
    call->imap = (struct imap_call){.login = login_of(p),
                                    .folder = p->folder,
                                    .after = p->after,
                                    .validity = p->validity,
                                    .since_ms = p->since_ms,
                                    .most = p->most,
                                    .bytes_max = p->bytes_max,
                                    .bytes_all = p->bytes_max / 2 + 1,
                                    .wait_ms = p->wait_ms,
                                    .mark = p->mark,
                                    .flags = p->flags,
                                    .total_ms = p->timeout_ms,
                                    .arena = ask->arena,
                                    .done = on_looked,
                                    .owner = call};
    imap_start(s->net, &call->imap);
}
