/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - how long a platform takes answers after a visitor's message.
 *
 * Happy path: the channel's adapter says for how long and how many; when the
 * visitor last wrote and what was said since follows from the journal, so a
 * sender is told before the message is stored. Failure: a platform that
 * counts otherwise has the last word when it is sent.
 */
#include "base/clock.h"
#include "desk/outbox.h"
#include <stdio.h>

void desk_window(const struct desk *d, struct conversation *c)
{
    struct channel_face face = channel_face(d, c->channel);
    c->window = (struct reply_window){0};
    if (face.sends) {
        c->window = (struct reply_window){
            face.reply_window_ms > 0 ? face.reply_window_ms : 0,
            face.reply_count > 0 ? (uint32_t)face.reply_count : 0};
    }
}

void desk_windows(const struct desk *d, struct query *q)
{
    const struct channel *ch;
    size_t n = 0;
    for (size_t i = 0; (ch = desk_next_channel(d, &i)) != NULL;) {
        n++;
    }
    struct channel_window *all = arena_many(q->arena, struct channel_window, n);
    q->windows = all;
    q->window_count = 0;
    for (size_t i = 0; (ch = desk_next_channel(d, &i)) != NULL;) {
        struct conversation c = {.channel = ch->id};
        desk_window(d, &c);
        if (c.window.ms || c.window.count) {
            all[q->window_count++] = (struct channel_window){ch->id, c.window};
        }
    }
}

/* "48 hours", "90 minutes". */
static const char *span(char *out, size_t size, int64_t ms)
{
    int64_t minutes = ms / 60000;
    if (minutes >= 60 && minutes % 60 == 0) {
        snprintf(out, size, "%lld hours", (long long)minutes / 60);
    } else if (minutes > 0) {
        snprintf(out, size, "%lld minutes", (long long)minutes);
    } else {
        snprintf(out, size, "%lld seconds", (long long)ms / 1000);
    }
    return out;
}

static bool is_over(const struct conversation *c, int64_t now)
{
    return c->window.ms && now >= window_until(c);
}

int window_check(const struct desk *d, struct conversation *c, struct err *e)
{
    char text[40];
    int64_t now = d->conf.ports.now(d->conf.ports.arg);
    desk_window(d, c);
    if (is_over(c, now)) {
        return err_field(e, ERR_UNPROCESSABLE, WINDOW_FIELD,
                         "window_closed: this platform takes answers for %s "
                         "after the customer's last message; it opens again "
                         "when they write",
                         span(text, sizeof text, c->window.ms));
    }
    if (c->window.count && c->said >= c->window.count) {
        return err_field(e, ERR_UNPROCESSABLE, WINDOW_FIELD,
                         "window_closed: this platform takes %u answers to a "
                         "customer's message; it opens again when they write",
                         c->window.count);
    }
    return 0;
}

bool window_is_over(const struct desk *d, uint64_t conv)
{
    struct conv *c = conv_of(d, conv);
    if (!c) {
        return false; /* closed: the platform tells */
    }
    desk_window(d, &c->rec);
    return is_over(&c->rec, d->conf.ports.now(d->conf.ports.arg));
}
