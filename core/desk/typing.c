/* SPDX-License-Identifier: Apache-2.0 */
/* typing.c - customers on platforms see that somebody is about to answer.
 *
 * Happy path: an agent types, or a bot begins or goes on with its answer: the
 * channel's adapter is told at once, every few seconds at most. Failure: it is
 * fleeting: never stored, never tried again; nobody is told while the channel's
 * breaker is open, its window is shut or enough such calls are under way.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/meter.h"
#include "desk/outbox.h"

#define EVERY_MS 4000 /* platforms show it for 5 s and longer */
#define UNDER_WAY 4   /* of a channel */

METER(m_told, METER_COUNTER, "yuelai_typing_told_total",
      "Times platforms were told that somebody types");
METER(m_dropped, METER_COUNTER, "yuelai_typing_dropped_total",
      "Times they were not, because the channel was busy");

static void on_told(struct job *job)
{
    struct desk *d = job->owner;
    struct out_channel *ch = map_get(&d->out_channels, job->conv.channel);
    d->jobs--;
    if (ch) {
        ch->typing--;
    }
    job_free(job);
}

static struct slice item_json(struct arena *a, const struct conv *c,
                              struct slice to)
{
    struct buf out;
    char id[ID_TEXT];
    buf_init(&out, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "conversation", id_text(id, ID_CONVERSATION, c->rec.id));
    jsonw_put_text(&w, "to", to.len ? to : SLICE(""));
    jsonw_close(&w, '}');
    struct slice all = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return all;
}

static void tell(struct desk *d, struct conv *c, struct out_channel *ch)
{
    const struct contact *who = c->person->rec;
    struct job *job = job_new(HOOK_TYPING, on_told, d);
    job->at = d->conf.ports.now(d->conf.ports.arg);
    job->conv.id = c->rec.id;
    job->conv.channel = c->rec.channel;
    job->conv.contact = job->contact.id = c->rec.contact;
    ch->typing++;
    d->jobs++;
    if (!desk_fill_call(d, c->rec.channel, job)) {
        on_told(job);
        return;
    }
    job->call->item = item_json(job->arena, c, who ? who->identity : SLICE(""));
    meter_add(&m_told, 1);
    d->conf.ports.run(d->conf.ports.arg, job);
}

void typing_out(struct desk *d, struct conv *c)
{
    int64_t now = d->conf.ports.now(d->conf.ports.arg);
    if (!channel_face(d, c->rec.channel).types ||
        (c->typed_at && now - c->typed_at < EVERY_MS)) {
        return;
    }
    struct out_channel *ch = outbox_channel(d, c->rec.channel);
    if (ch->typing >= UNDER_WAY || ch->breaker.state != BREAKER_CLOSED ||
        window_is_over(d, c->rec.id)) {
        meter_add(&m_dropped, 1);
        return;
    }
    c->typed_at = now;
    tell(d, c, ch);
}
