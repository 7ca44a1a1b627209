/* SPDX-License-Identifier: Apache-2.0 */
/* push.c - has a message arrived by a socket, or does its visitor need a push?
 *
 * Why: a phone that sleeps keeps its socket open for minutes, and nobody is
 * behind it. What counts is a sign of life after the message went out: anything
 * the peer said, or its answer to a ping, which stands behind the message in
 * the same stream.
 *
 * Happy path: a socket was heard since, or the store says the visitor has read
 * it or has written: it arrived. Without a sign the sockets are asked for one
 * and get a moment. Who has none, and has not read it, gets the push. Failure: a
 * store that cannot answer is asked again; a push too many is told by its id.
 */
#include "desk/outbox.h"

#define SIGN_MS 2000   /* for a socket's answer */
#define TRANSIT_MS 500 /* what is heard earlier may have crossed the message */
#define AGAIN_MS 1000  /* the store could not answer */

static int64_t now_ms(const struct desk *d)
{
    return d->conf.ports.now(d->conf.ports.arg);
}

/* When the visitor's sockets were last heard, 0 = never. */
struct signs {
    bool live;
    int64_t heard_at;
};

static struct signs look_at_sockets(struct desk *d, const struct out_conv *q,
                                    bool ask)
{
    const struct desk_ports *ports = &d->conf.ports;
    const struct person *who = map_get(&d->persons, q->contact);
    struct signs out = {0};
    if (!who) {
        return out;
    }
    list_each (&who->peers, l) {
        struct desk_peer *p = container_of(l, struct desk_peer, link);
        int64_t silent =
            ports->silence ? ports->silence(ports->arg, p->id, ask) : 0;
        bool behind = p->held ||
                      (ports->backlog && ports->backlog(ports->arg, p->id) > 0);
        int64_t at = now_ms(d) - silent;
        out.live |= silent >= 0;
        if (silent >= 0 && !behind && at > out.heard_at) {
            out.heard_at = at;
        }
    }
    return out;
}

/* How many of the first: read up to seq, or from before `at`. */
static uint32_t arrived(const struct out_conv *q, uint32_t seq, int64_t at)
{
    uint32_t n = 0;
    for (const struct out_item *i = q->first; i; i = i->next) {
        if (i->seq > seq && i->created_at > at) {
            break;
        }
        n++;
    }
    return n;
}

static uint32_t unread_of(const struct conversation *c)
{
    uint32_t n =
        c->last_seq > c->visitor_read ? c->last_seq - c->visitor_read : 0;
    return c->said < n ? c->said : n;
}

static void on_conversation(struct query *ask)
{
    struct desk *d = ask->owner;
    struct out_conv *q = map_get(&d->out_convs, ask->id);
    const struct conversation *c = ask->conversation;
    if (!q || ask->result == ERR_CANCELLED) {
        query_free(ask);
        return;
    }
    bool gone = ask->result == ERR_NOT_FOUND;
    if (gone) { /* erased: nobody to tell */
        outbox_arrived(d, q, arrived(q, UINT32_MAX, 0));
    } else if (ask->result) {
        outbox_wait(d, q, AGAIN_MS);
    } else {
        uint32_t n = arrived(q, c->visitor_read, c->heard_at);
        if (n) {
            outbox_arrived(d, q, n);
        } else {
            outbox_clear(d, q, unread_of(c));
        }
    }
    query_free(ask);
}

void push_look(struct desk *d, struct out_conv *q)
{
    struct signs s = look_at_sockets(d, q, false);
    uint32_t n = s.heard_at ? arrived(q, 0, s.heard_at - TRANSIT_MS) : 0;
    if (n) {
        outbox_arrived(d, q, n);
        return;
    }
    if (s.live && q->probed != q->first->id) {
        q->probed = q->first->id;
        (void)look_at_sockets(d, q, true);
        outbox_wait(d, q, SIGN_MS);
        return;
    }
    struct query *ask = query_new(QUERY_CONVERSATION, on_conversation, d);
    ask->id = q->conv;
    d->conf.ports.read(d->conf.ports.arg, ask);
}
