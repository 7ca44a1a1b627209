/* SPDX-License-Identifier: Apache-2.0 */
/* rows_email.c - mails with attachments, read as the e-mail channel reads them.
 *
 * A mail of 270 kB (GB18030 text with a quoted mail, HTML beside it, a picture
 * and a PDF of 100 kB each) is posted to a channel whose adapter calls the
 * parts of channels/email: parse, decode, words without the quote, names of
 * what is attached; it answers with what it found, which is checked.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAILS 300
#define PART_BYTES 133336 /* base64 of 100,002 bytes */

static char home[HOME_TEXT];

static const char adapter[] =
    "local mime = require 'mime'\n"
    "local read, auto = require 'channels.email.read', require "
    "'channels.email.auto'\n"
    "return { api = 1, title = { zh = 'b', en = 'b' }, schema = {},\n"
    "  receive = function(req, ctx)\n"
    "    local mail = assert(mime.parse(req.body))\n"
    "    ctx.config.address = 'help@shop.test'\n"
    "    assert(not auto.kind(mail, ctx))\n"
    "    local words = read.words(mail, { size = #req.body, cut = false }, "
    "nil, read.files(mail))\n"
    "    return 200, words .. '|' .. #mail.attachments[1].bytes\n"
    "  end }\n";

static char *add_part(char *at, const char *head)
{
    at += sprintf(at,
                  "--b\r\nContent-Transfer-Encoding: base64\r\n"
                  "Content-Type: %s\r\n\r\n",
                  head);
    for (int i = 0; i < PART_BYTES; i += 76) {
        int n = PART_BYTES - i < 76 ? PART_BYTES - i : 76;
        memset(at, 'A' + i / 76 % 26, (size_t)n);
        at += n;
        at += sprintf(at, "\r\n");
    }
    return at;
}

static char *make_mail(void)
{
    char *mail = malloc(4 * PART_BYTES), *at = mail;
    at +=
        sprintf(at, "From: =?gb2312?B?sLLE5A==?= <anna@customer.test>\r\n"
                    "To: help@shop.test\r\nMessage-ID: <1@customer.test>\r\n"
                    "Subject: =?GB18030?B?tqm1pc7KzOI=?=\r\n"
                    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
                    "--b\r\nContent-Type: multipart/alternative; boundary=c\r\n"
                    "\r\n--c\r\nContent-Type: text/plain; charset=gb2312\r\n"
                    "Content-Transfer-Encoding: base64\r\n\r\n"
                    "ztK7ucrHs/a07cHL\r\n"
                    "--c\r\nContent-Type: text/html; charset=utf-8\r\n\r\n");
    for (int i = 0; i < 100; i++)
        at += sprintf(at, "<p>line %d of <b>HTML</b></p>\r\n", i);
    at += sprintf(at, "--c--\r\n");
    at = add_part(at, "image/png; name=a.png");
    at = add_part(at, "application/pdf; name*=UTF-8''%E6%8A%A5.pdf");
    sprintf(at, "--b--\r\n");
    return mail;
}

void row_email(void)
{
    static const char found[] = "\xe6\x88\x91\xe8\xbf\x98\xe6\x98\xaf"; /* GB */
    char path[128], id[64];
    char *mail = make_mail();
    home_make(home, HOME_OWN_CHANNELS);
    home_write(home, "channels/mailbench.lua", "%s", adapter);
    crowd_open(home);
    struct answer a =
        rest(crowd.server.port, "POST", "/api/v1/channels", crowd.token,
             "{\"type\":\"mailbench\",\"config\":{}}");
    if (a.status != 201 || !json_find(a.body, a.len, "id", id, sizeof(id)))
        die("no channel: %d %s", a.status, a.body ? a.body : "");
    answer_free(&a);
    snprintf(path, sizeof(path), "/hooks/%s", id);
    int mails = (int)(MAILS * options.scale) + 10;
    int64_t cpu = 0, from = 0;
    for (int i = -10; i < mails; i++) { /* the first ten warm up */
        if (i == 0) {
            cpu = server_thread_cpu_ns(&crowd.server, "script");
            from = now_ns();
        }
        a = rest(crowd.server.port, "POST", path, NULL, mail);
        if (a.status != 200 || !strstr(a.body, found) ||
            !strstr(a.body, "|100002") || !strstr(a.body, ".pdf"))
            die("a mail was not read: %d %s", a.status, a.body ? a.body : "");
        answer_free(&a);
    }
    double s = (double)(now_ns() - from) / 1e9;
    cpu = server_thread_cpu_ns(&crowd.server, "script") - cpu;
    figure("email", "mails with attachments, one after the other", "mails/s",
           mails / s, 100, true);
    figure("email", "script thread CPU per mail", "ms",
           (double)cpu / 1e6 / mails, 10, false);
    crowd_close();
    remove_tree(home);
    free(mail);
}
