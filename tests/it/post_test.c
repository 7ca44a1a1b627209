/* SPDX-License-Identifier: Apache-2.0 */
/* The post against a real Dovecot and a real Exim: mails are read, awaited,
 * marked and sent, over TLS from the first byte and over STARTTLS. */
#include "base/clock.h"
#include "mailhouse.h"
#include "net/post/post.h"
#include "test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 40000

/* --- a net of one's own --------------------------------------------------- */

struct world {
    struct mailhouse m;
    struct loop *loop;
    struct net *net;
    struct thread *thread;
    char imaps[64], imap[64], smtps[64], smtp[64];
};
struct order {
    struct mail mail; /* must be first */
    struct world *w;
    struct imap_call *imap;
    struct smtp_call *smtp;
    atomic_bool done;
};

static void no_frame(void *arg, uint64_t peer, struct frame *f, struct arena *a)
{
    arena_free(a);
}
static void no_hello(void *arg, uint64_t peer, struct frame *f, struct arena *a,
                     struct slice cookie)
{
    arena_free(a);
}
static void no_gone(void *arg, uint64_t peer)
{
}
static void no_request(void *arg, struct http_req *r)
{
    http_reply(r, 404, SLICE("text/plain"), SLICE(""), SLICE(""));
}

static void run(void *arg)
{
    loop_run(((struct world *)arg)->loop);
}

static bool world_start(struct world *w)
{
    struct err e;
    memset(w, 0, sizeof *w);
    if (!mailhouse_start(&w->m))
        return false;
    snprintf(w->imaps, sizeof w->imaps, "imaps://127.0.0.1:%d", w->m.imaps);
    snprintf(w->imap, sizeof w->imap, "imap://127.0.0.1:%d", w->m.imap);
    snprintf(w->smtps, sizeof w->smtps, "smtps://127.0.0.1:%d", w->m.smtps);
    snprintf(w->smtp, sizeof w->smtp, "smtp://127.0.0.1:%d", w->m.smtp);
    must(loop_new("post", &w->loop) == 0);
    struct net_conf conf = {.loop = w->loop,
                            .listen = "127.0.0.1:0",
                            .http_ca_file = w->m.ca,
                            .heartbeat_ms = 30000,
                            .frame_bytes = 65536,
                            .body_bytes = 65536,
                            .on_hello = no_hello,
                            .on_frame = no_frame,
                            .on_gone = no_gone,
                            .on_request = no_request};
    if (net_open(&conf, &e, &w->net)) {
        FAIL("net: %s", e.text);
        return false;
    }
    must(thread_start("post", run, w, &w->thread) == 0);
    return true;
}

static void on_close(struct mail *m)
{
    struct order *o = (struct order *)m;
    net_close(o->w->net);
    loop_stop(o->w->loop);
}

static void world_stop(struct world *w)
{
    struct order o = {.mail = {.run = on_close}, .w = w};
    if (w->thread) {
        loop_post(w->loop, &o.mail);
        thread_join(w->thread);
        loop_free(w->loop);
    }
    mailhouse_stop(&w->m);
}

static void on_imap(struct imap_call *c)
{
    atomic_store(&((struct order *)c->owner)->done, true);
}
static void on_smtp(struct smtp_call *c)
{
    atomic_store(&((struct order *)c->owner)->done, true);
}
static void on_order(struct mail *m)
{
    struct order *o = (struct order *)m;
    if (o->imap)
        imap_start(o->w->net, o->imap);
    else
        smtp_start(o->w->net, o->smtp);
}

static void order(struct world *w, struct order *o)
{
    o->mail.run = on_order;
    o->w = w;
    atomic_store(&o->done, false);
    loop_post(w->loop, &o->mail);
}

static struct imap_call look_call(struct world *w, const char *url)
{
    return (struct imap_call){.login = {.url = slice_of(url),
                                        .user = SLICE("help@shop.test"),
                                        .password = SLICE("secret")},
                              .most = 20,
                              .bytes_max = 1 << 20,
                              .bytes_all = 4 << 20,
                              .arena = arena_new(),
                              .done = on_imap};
}

static void look(struct world *w, struct imap_call *c)
{
    struct order o = {.imap = c};
    c->owner = &o;
    order(w, &o);
    WAIT_UNTIL(atomic_load(&o.done), WAIT_MS);
}

static void give(struct world *w, const char *url, const char *to,
                 struct slice mail, struct smtp_call *c)
{
    struct order o = {.smtp = c};
    struct slice *list = malloc(sizeof *list);
    *list = slice_of(to);
    *c = (struct smtp_call){.login = {.url = slice_of(url),
                                      .user = SLICE("help@shop.test"),
                                      .password = SLICE("secret")},
                            .from = SLICE("help@shop.test"),
                            .to = list,
                            .to_count = 1,
                            .mail = mail,
                            .arena = arena_new(),
                            .done = on_smtp,
                            .owner = &o};
    order(w, &o);
    WAIT_UNTIL(atomic_load(&o.done), WAIT_MS);
    free(list);
}

/* --- mailboxes ------------------------------------------------------------ */

static const char hello[] = "From: anna@customer.test\r\nSubject: hello\r\n"
                            "\r\nfirst {3}\r\n* 1 FETCH (UID 9)\r\nend\r\n";

TEST("mails come whole and in order, by TLS and by STARTTLS, and stay unread")
{
    struct world w;
    if (world_start(&w)) {
        const char *const urls[] = {w.imaps, w.imap};
        mailhouse_put(&w.m, "help@shop.test", slice_of(hello));
        mailhouse_put(&w.m, "help@shop.test", SLICE("Subject: two\r\n\r\n2"));
        for (int i = 0; i < 2; i++) {
            struct imap_call c = look_call(&w, urls[i]);
            look(&w, &c);
            test_note("%s: %s", urls[i], c.err.text);
            CHECK_EQ_INT(c.result, 0);
            CHECK_EQ_INT(c.exists, 2);
            CHECK(c.validity > 0 && c.idles && !c.more);
            if (CHECK_EQ_INT(c.count, 2)) {
                CHECK_SLICE(c.mails[0].bytes, hello);
                CHECK(c.mails[0].uid < c.mails[1].uid && !c.mails[0].seen);
                CHECK_EQ_INT(c.next, c.mails[1].uid + 1);
            }
            arena_free(c.arena);
        }
    }
    world_stop(&w);
}

TEST("what is too large is cut, what is marked is seen, after is respected")
{
    struct world w;
    if (world_start(&w)) {
        mailhouse_put(&w.m, "help@shop.test", slice_of(hello));
        struct imap_call c = look_call(&w, w.imaps);
        c.bytes_max = 10;
        look(&w, &c);
        CHECK_EQ_INT(c.result, 0);
        REQUIRE(c.count == 1);
        CHECK_EQ_INT(c.mails[0].bytes.len, 10);
        CHECK_EQ_INT(c.mails[0].size, (int64_t)sizeof hello - 1);
        uint32_t uid = c.mails[0].uid, validity = c.validity;
        arena_free(c.arena);

        c = look_call(&w, w.imaps);
        c.mark = uid;
        c.flags = SLICE("\\Seen");
        look(&w, &c);
        CHECK_EQ_INT(c.result, 0);
        arena_free(c.arena);

        c = look_call(&w, w.imaps);
        look(&w, &c);
        REQUIRE(c.count == 1);
        CHECK(c.mails[0].seen);
        arena_free(c.arena);

        c = look_call(&w, w.imaps);
        c.after = uid;
        c.validity = validity;
        look(&w, &c);
        CHECK_EQ_INT(c.result, 0);
        CHECK_EQ_INT(c.count, 0);
        CHECK_EQ_INT(c.next, uid + 1);
        arena_free(c.arena);

        c = look_call(&w, w.imaps);
        c.validity = validity + 1;
        look(&w, &c);
        CHECK_EQ_INT(c.result, 0);
        CHECK_EQ_INT(c.count, 0);
        CHECK_EQ_INT(c.validity, validity);
        arena_free(c.arena);
    }
    world_stop(&w);
}

TEST("who waits is told of a new mail at once (IDLE), on a kept session")
{
    struct world w;
    if (world_start(&w)) {
        struct imap_call c = look_call(&w, w.imaps);
        look(&w, &c);
        CHECK_EQ_INT(c.result, 0);
        arena_free(c.arena);
        for (int i = 0; i < 2; i++) {
            struct order o = {0};
            c = look_call(&w, w.imaps);
            c.after = (uint32_t)i;
            c.wait_ms = 90000;
            c.total_ms = 120000;
            c.owner = &o;
            o.imap = &c;
            order(&w, &o);
            mailhouse_put(&w.m, "help@shop.test", slice_of(hello));
            int64_t began = clock_mono_us();
            WAIT_UNTIL(atomic_load(&o.done), WAIT_MS);
            CHECK((clock_mono_us() - began) / 1000 < 60000);
            CHECK_EQ_INT(c.result, 0);
            CHECK_EQ_INT(c.count, 1);
            arena_free(c.arena);
        }
        c = look_call(&w, w.imaps); /* and nothing comes: the wait is over */
        c.after = 2;
        c.wait_ms = 300;
        c.total_ms = 20000;
        look(&w, &c);
        CHECK_EQ_INT(c.result, 0);
        CHECK_EQ_INT(c.count, 0);
        arena_free(c.arena);
    }
    world_stop(&w);
}

TEST("a wrong password, a folder that is none, a server that is gone say so")
{
    struct world w;
    if (world_start(&w)) {
        struct imap_call c = look_call(&w, w.imaps);
        c.login.password = SLICE("secreT");
        look(&w, &c);
        CHECK_EQ_INT(c.result, ERR_UNAUTHORIZED);
        CHECK(strstr(c.err.text, "log-in") && !strstr(c.err.text, "secreT"));
        arena_free(c.arena);

        c = look_call(&w, w.imap);
        c.login.plain = true; /* this server trusts its own machine */
        look(&w, &c);
        CHECK_EQ_INT(c.result, 0);
        arena_free(c.arena);

        c = look_call(&w, w.imaps);
        c.folder = SLICE("Nothing \"here\"");
        look(&w, &c);
        CHECK_EQ_INT(c.result, ERR_NOT_FOUND);
        arena_free(c.arena);

        c = look_call(&w, w.imaps);
        c.folder = SLICE("a\r\nK9 DELETE INBOX");
        look(&w, &c);
        CHECK_EQ_INT(c.result, ERR_BAD_REQUEST);
        arena_free(c.arena);

        c = look_call(&w, w.imaps);
        look(&w, &c); /* is kept ... */
        CHECK_EQ_INT(c.result, 0);
        arena_free(c.arena);
        mailhouse_end(&w.m.dovecot); /* ... and broken */
        c = look_call(&w, w.imaps);
        look(&w, &c);
        CHECK_EQ_INT(c.result, ERR_UNAVAILABLE);
        arena_free(c.arena);
        CHECK(mailhouse_dovecot(&w.m));
        c = look_call(&w, w.imaps);
        look(&w, &c);
        CHECK_EQ_INT(c.result, 0);
        arena_free(c.arena);
    }
    world_stop(&w);
}

/* --- sending -------------------------------------------------------------- */

static const char letter[] =
    "From: help@shop.test\r\nTo: anna@customer.test\r\nSubject: dots\r\n\r\n"
    ".one\r\n..two\r\n.\r\nlast line without an end";

TEST("a mail arrives as it was given, dots and all, by TLS and by STARTTLS")
{
    struct world w;
    if (world_start(&w)) {
        const char *const urls[] = {w.smtps, w.smtp};
        struct smtp_call c;
        struct buf got;
        buf_init(&got, 40 << 20);
        for (int i = 0; i < 2; i++) {
            char text[300];
            snprintf(text, sizeof text, "X-Try: %d\r\n%s", i, letter);
            give(&w, urls[i], "anna@customer.test", slice_of(text), &c);
            test_note("%s: %s", urls[i], c.err.text);
            CHECK_EQ_INT(c.result, 0);
            CHECK_EQ_INT(c.status, 250);
            arena_free(c.arena);
            snprintf(text, sizeof text, "X-Try: %d", i);
            CHECK(mailhouse_find(&w.m, "anna@customer.test", text, WAIT_MS,
                                 &got));
            const char *body = memmem(got.data, got.len, ".one", 4);
            CHECK(body && strstr(body, "..two") && strstr(body, "\n.\nlast"));
        }
        buf_fini(&got);
    }
    world_stop(&w);
}

/* As Dovecot keeps it. */
static size_t without_cr(char *at, size_t n)
{
    size_t out = 0;
    for (size_t i = 0; i < n; i++)
        if (at[i] != '\r')
            at[out++] = at[i];
    return out;
}

TEST("a large mail goes out in pieces")
{
    struct world w;
    if (world_start(&w)) {
        struct smtp_call c;
        struct buf mail, got;
        buf_init(&mail, 8 << 20);
        buf_init(&got, 40 << 20);
        CHECK(buf_add_text(&mail, "Subject: large\r\n\r\n") == 0);
        for (int i = 0; i < 60000; i++)
            CHECK(buf_addf(&mail,
                           ".%07d aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                           "aaaaaaaa\r\n",
                           i) == 0);
        give(&w, w.smtps, "anna@customer.test", buf_slice(&mail), &c);
        test_note("%s %.*s", c.err.text, SLICE_FMT(c.text));
        CHECK_EQ_INT(c.result, 0);
        CHECK_EQ_INT(c.status, 250);
        CHECK(mailhouse_find(&w.m, "anna@customer.test", "Subject: large",
                             WAIT_MS, &got));
        mail.len = without_cr(mail.data, mail.len);
        const char *body = memmem(got.data, got.len, ".0000000", 8);
        const char *mine = memmem(mail.data, mail.len, ".0000000", 8);
        size_t n = (size_t)(mail.data + mail.len - mine);
        if (CHECK(body && (size_t)(got.data + got.len - body) >= n))
            CHECK(memcmp(body, mine, n) == 0);
        arena_free(c.arena);
        buf_fini(&mail);
        buf_fini(&got);
    }
    world_stop(&w);
}

TEST("a refused address, a wrong password and a false certificate say so")
{
    struct world w;
    if (world_start(&w)) {
        struct smtp_call c;
        give(&w, w.smtps, "refused@customer.test", slice_of(letter), &c);
        CHECK_EQ_INT(c.result, 0);
        CHECK_EQ_INT(c.status, 550);
        CHECK(memmem(c.text.at, c.text.len, "no such mailbox", 15) != NULL);
        CHECK_EQ_INT(c.refused_count, 1);
        arena_free(c.arena);
        give(&w, w.smtps, "a@b>\r\nDATA", slice_of(letter), &c);
        CHECK_EQ_INT(c.result, ERR_BAD_REQUEST);
        arena_free(c.arena);
        char url[64];
        snprintf(url, sizeof url, "smtps://localhost:%d", w.m.smtps);
        give(&w, url, "anna@customer.test", slice_of(letter), &c);
        CHECK_EQ_INT(c.result, ERR_UNAVAILABLE);
        CHECK(strstr(c.err.text, "certificate") != NULL);
        arena_free(c.arena);
        mailhouse_end(&w.m.exim);
        give(&w, w.smtps, "anna@customer.test", slice_of(letter), &c);
        CHECK_EQ_INT(c.result, ERR_UNAVAILABLE);
        arena_free(c.arena);
    }
    world_stop(&w);
}

TEST("who is waiting when the house stops is told")
{
    struct world w;
    if (world_start(&w)) {
        struct order o = {0};
        struct imap_call c = look_call(&w, w.imaps);
        look(&w, &c);
        arena_free(c.arena);
        c = look_call(&w, w.imaps);
        c.wait_ms = 20000;
        c.owner = &o;
        o.imap = &c;
        order(&w, &o);
        world_stop(&w);
        CHECK(atomic_load(&o.done));
        CHECK_EQ_INT(c.result, ERR_CANCELLED);
        arena_free(c.arena);
    } else {
        world_stop(&w);
    }
}
