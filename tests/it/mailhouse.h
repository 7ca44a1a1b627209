/* SPDX-License-Identifier: Apache-2.0 */
/* mailhouse.h - a real mailbox server (Dovecot) and a real mail server (Exim)
 * of one's own: in a temporary folder, on free ports of this machine.
 *
 * help@shop.test is the shop's mailbox (password "secret", TLS only),
 * anna@customer.test a customer's. Mail is given to Exim by SMTP, which brings
 * it to Dovecot by LMTP; gone@customer.test is taken by Exim and bounces,
 * refused@customer.test is refused at once.
 */
#pragma once
#include "base/buf.h"
#include <stdbool.h>
#include <sys/types.h>

struct mailhouse {
    char dir[64];
    char ca[128]; /* who signed the certificates of 127.0.0.1 */
    int imap, imaps, lmtp, smtp, smtps;
    pid_t dovecot, exim;
};
/* False and a failed check: one of them is not installed, or does not start. */
bool mailhouse_start(struct mailhouse *m);
void mailhouse_stop(struct mailhouse *m);
/* One at a time: the other one stays. */
bool mailhouse_dovecot(struct mailhouse *m);
bool mailhouse_exim(struct mailhouse *m);
void mailhouse_end(pid_t *pid);
/* A mail into a mailbox as it is, broken ones too. */
void mailhouse_put(struct mailhouse *m, const char *user, struct slice mail);
/* Waits for a mail in the mailbox with this text in it: all of it, in out. */
bool mailhouse_find(struct mailhouse *m, const char *user, const char *text,
                    int64_t ms, struct buf *out);
/* How many mails with this text. */
int mailhouse_count(struct mailhouse *m, const char *user, const char *text);
