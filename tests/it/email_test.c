/* SPDX-License-Identifier: Apache-2.0 */
/* The e-mail channel with a real Dovecot and a real Exim: a customer's mail
 * comes in, an agent's answer goes back in its thread, what bounces is told,
 * and while a server is down or we are killed nothing is lost or said twice. */
#include "mailhouse.h"
#include "roof.h"

#define SHOP "help@shop.test"
#define ANNA "anna@customer.test"
#define WAIT_MS 60000

struct shop {
    struct mailhouse m;
    struct roof r;
    struct buf got;
    char ca[200]; /* for the program, as long as it may start again */
};

/* Has the mailbox been asked so often? (The first time says where to begin.) */
static bool was_polled(struct shop *s, long long times)
{
    long long n = 0;
    CHECK_EQ_INT(get(&s->r, "/metrics"), 200);
    const char *at =
        memmem(s->r.a.body.at, s->r.a.body.len, "\nyuelai_polls_total ", 20);
    if (at)
        n = atoll(at + 20);
    return n >= times;
}

/* A sentence that may take a while: servers come back, tries wait. */
static bool sees(struct roof *r, const char *sentence)
{
    return play_within(r, sentence, WAIT_MS);
}

static bool shop_open(struct shop *s)
{
    struct roof *r = &s->r;
    char body[1000];
    memset(s, 0, sizeof *s);
    buf_init(&s->got, 64 << 20);
    roof_make(r);
    if (!mailhouse_start(&s->m))
        return false;
    snprintf(s->ca, sizeof s->ca, "YUELAI_HTTP_CA_FILE=%s", s->m.ca);
    roof_env(r, s->ca);
    if (!roof_start(r) || !play(r, "bo signs in"))
        return false;
    snprintf(body, sizeof body,
             "{\"type\":\"email\",\"name\":\"Mail\",\"config\":{\"address\":"
             "\"" SHOP "\",\"name\":\"小店\",\"password\":\"secret\","
             "\"imap_host\":\"127.0.0.1\",\"imap_port\":%d,\"smtp_host\":"
             "\"127.0.0.1\",\"smtp_port\":%d,\"encryption\":\"tls\","
             "\"signature\":\"小店客服\"}}",
             s->m.imaps, s->m.smtps);
    CHECK_EQ_INT(post(r, "/api/v1/channels", body), 201);
    WAIT_UNTIL(was_polled(s, 2), WAIT_MS);
    return true;
}

static void shop_close(struct shop *s)
{
    roof_close(&s->r);
    mailhouse_stop(&s->m);
    buf_fini(&s->got);
}

static void put(struct shop *s, const char *mail)
{
    mailhouse_put(&s->m, SHOP, slice_of(mail));
}

static bool arrived(struct shop *s, const char *text)
{
    return mailhouse_find(&s->m, ANNA, text, WAIT_MS, &s->got);
}

/* The value of a header of the mail that arrived, in a static buffer. */
static const char *header(struct shop *s, const char *name)
{
    static char value[1000];
    const char *at = strstr(s->got.data, name);
    value[0] = '\0';
    if (at)
        snprintf(value, sizeof value, "%.*s",
                 (int)strcspn(at + strlen(name), "\r\n"), at + strlen(name));
    return value;
}

TEST("a GB18030 mail comes in, the answer goes back in its thread, and so on")
{
    struct shop s;
    if (shop_open(&s)) {
        struct roof *r = &s.r;
        put(&s, "From: =?gb2312?B?sLLE5A==?= <Anna@Customer.test>\r\n"
                "To: " SHOP "\r\nMessage-ID: <first@customer.test>\r\n"
                "Subject: =?GB18030?B?tqm1pc7KzOI=?=\r\nMIME-Version: 1.0\r\n"
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                "--b\r\nContent-Type: text/plain; charset=gb2312\r\n"
                "Content-Transfer-Encoding: base64\r\n\r\n"
                "ztK7ucrHs/a07cHL\r\n"
                "--b\r\nContent-Type: application/pdf\r\n"
                "Content-Transfer-Encoding: base64\r\n"
                "Content-Disposition: attachment;"
                " filename=\"=?GBK?B?sai827WlLnBkZg==?=\"\r\n\r\n"
                "JVBERi0xLjQK\r\n--b--\r\n");
        CHECK(sees(r, "bo sees text ~ \"我还是出错了\""));
        CHECK(sees(r, "bo sees event message.created where data.kind = file"));
        CHECK(play(r, "bo says \"您好，已经处理\""));
        CHECK(arrived(&s, "In-Reply-To: <first@customer.test>"));
        CHECK(strstr(header(&s, "\nReferences:"), "<first@customer.test>"));
        CHECK(strstr(header(&s, "\nFrom:"), "<" SHOP ">"));
        CHECK(strstr(header(&s, "\nSubject:"), "=?") != NULL);
        CHECK(strstr(s.got.data, "\nAuto-Submitted:") == NULL);
        char ours[600], mail[2000];
        snprintf(ours, sizeof ours, "%s", header(&s, "\nMessage-ID: "));
        CHECK(strstr(ours, "@shop.test>") != NULL);

        snprintf(mail, sizeof mail,
                 "From: " ANNA "\r\nMessage-ID: <second@customer.test>\r\n"
                 "Subject: Re: x\r\nIn-Reply-To: %s\r\nReferences: "
                 "<first@customer.test> %s\r\n\r\n"
                 "Many thanks!\r\n\r\nOn Mon, Shop <" SHOP "> wrote:\r\n"
                 "> nothing of this\r\n",
                 ours, ours);
        put(&s, mail);
        CHECK(sees(r, "bo sees text ~ \"Many thanks!\""));
        CHECK(play(r, "bo never saw \"nothing of this\""));
        CHECK(play(r, "bo says \"gladly\""));
        CHECK(arrived(&s, "In-Reply-To: <second@customer.test>"));
        CHECK_EQ_INT(get(r, "/api/v1/contacts"), 200);
        CHECK_EQ_INT(json_int(r->j, "total", 0), 1);
        CHECK_EQ_INT(get(r, "/api/v1/conversations"), 200);
        CHECK_EQ_INT(json_int(r->j, "total", 0), 1);
        CHECK(play(r, "nothing came twice"));
    }
    shop_close(&s);
}

TEST("what bounces later, and what is refused at once, is a failed message")
{
    struct shop s;
    if (shop_open(&s)) {
        struct roof *r = &s.r;
        put(&s, "From: gone@customer.test\r\nMessage-ID: <g@customer.test>\r\n"
                "\r\nI am gone\r\n");
        CHECK(sees(r, "bo sees text ~ \"I am gone\""));
        CHECK(play(r, "bo says \"to nobody\""));
        CHECK(sees(r, "bo sees event message.status where data.status = sent"));
        CHECK(
            sees(r, "bo sees event message.status where data.status = failed"));
        put(&s, "From: refused@customer.test\r\nMessage-ID: "
                "<r@customer.test>\r\n\r\nrefuse me\r\n");
        CHECK(sees(r, "bo sees text ~ \"refuse me\""));
        CHECK(play(r, "bo says \"to one that is refused\""));
        CHECK(sees(r, "bo sees event message.status where data.status = failed "
                      "and data.code = no_recipient"));
    }
    shop_close(&s);
}

TEST("broken mails, answers of machines and our own stop nobody behind them")
{
    static const char *const odd[] = {
        "",
        "\r\n\r\n",
        "\xff\xfe\x01garbage without a head",
        "From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
        "From: bot@customer.test\r\nAuto-Submitted: auto-replied\r\n\r\naway",
        "From: " SHOP "\r\n\r\nour own",
        "From: news@customer.test\r\nList-Id: <n.x>\r\n\r\nnewsletter"};
    struct shop s;
    if (shop_open(&s)) {
        for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
            put(&s, odd[i]);
        put(&s, "From: " ANNA "\r\nMessage-ID: <o@customer.test>\r\n\r\n"
                "behind them\r\n");
        CHECK(sees(&s.r, "bo sees text ~ \"behind them\""));
        CHECK(play(&s.r, "bo never saw \"away\""));
        CHECK(play(&s.r, "bo never saw \"our own\""));
        CHECK(play(&s.r, "bo never saw \"newsletter\""));
    }
    shop_close(&s);
}

TEST("servers that are down, and a kill of ours, lose nothing, repeat nothing")
{
    struct shop s;
    if (shop_open(&s)) {
        struct roof *r = &s.r;
        mailhouse_end(&s.m.dovecot);
        put(&s, "From: " ANNA "\r\nMessage-ID: <d@customer.test>\r\n\r\n"
                "while it was down\r\n");
        CHECK(mailhouse_dovecot(&s.m));
        CHECK(sees(r, "bo sees text ~ \"while it was down\""));

        mailhouse_end(&s.m.exim);
        CHECK(play(r, "bo says \"answered meanwhile\""));
        CHECK(mailhouse_exim(&s.m));
        CHECK(arrived(&s, "In-Reply-To: <d@customer.test>"));

        put(&s, "From: " ANNA "\r\nMessage-ID: <k@customer.test>\r\n\r\n"
                "killed with this\r\n");
        CHECK(house_kill(&r->t) == 0);
        CHECK(house_start(&r->t) == 0);
        CHECK(play(r, "everybody reconnects"));
        CHECK(sees(r, "bo sees text ~ \"killed with this\""));
        put(&s, "From: " ANNA "\r\nMessage-ID: <l@customer.test>\r\n\r\n"
                "the last one\r\n");
        CHECK(sees(r, "bo sees text ~ \"the last one\""));
        CHECK(play(r, "nothing came twice"));
        CHECK_EQ_INT(
            mailhouse_count(&s.m, ANNA, "In-Reply-To: <d@customer.test>"), 1);
        CHECK_EQ_INT(get(r, "/api/v1/contacts"), 200);
        CHECK_EQ_INT(json_int(r->j, "total", 0), 1);
    }
    shop_close(&s);
}
