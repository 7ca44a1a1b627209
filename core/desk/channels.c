/* SPDX-License-Identifier: Apache-2.0 */
/* channels.c - the doors visitors come in by, and how each of them does.
 *
 * Happy path: the roof puts the records in; what a channel's adapter can do is
 * asked of the roof once and kept until something about it changes; messages,
 * tries and troubles are counted as they pass. Failure: a channel that is gone
 * has no figures; the last trouble is forgotten when the house ends (what
 * became of each message is in the outbox).
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/meter.h"
#include "desk/outbox.h"
#include <stdio.h>

#define LOOK_MS 1000 /* until the oldest that wait are looked for again */
#define TROUBLE_BYTES 300

static int64_t now_ms(const struct desk *d)
{
    return d->conf.ports.now(d->conf.ports.arg);
}

static void channel_free(struct channel_live *c)
{
    text_free(&c->rec.type);
    text_free(&c->rec.name);
    text_free(&c->rec.config);
    text_free(&c->rec.secrets);
    text_free(&c->trouble.code);
    text_free(&c->trouble.text);
    text_free(&c->rejected.code);
    text_free(&c->rejected.text);
    mem_free(c);
}

static struct channel_live *live(const struct desk *d, uint64_t id)
{
    return map_get(&d->channels, id);
}

void desk_put_channel(struct desk *d, const struct channel *c)
{
    struct channel_live *l = live(d, c->id);
    if (!l) {
        l = mem_alloc(sizeof *l);
        map_put(&d->channels, c->id, l);
    }
    struct channel was = l->rec;
    l->rec = *c;
    l->rec.type = was.type;
    l->rec.name = was.name;
    l->rec.config = was.config;
    l->rec.secrets = was.secrets;
    text_own(&l->rec.type, c->type);
    text_own(&l->rec.name, c->name);
    text_own(&l->rec.config, c->config);
    text_own(&l->rec.secrets, c->secrets);
    l->face_known = false;
}

void desk_del_channel(struct desk *d, uint64_t id)
{
    struct channel_live *c = map_take(&d->channels, id);
    if (c) {
        for (int m = CHANNEL_BREAKER; m < CHANNEL_METERS; m++) {
            if (c->meters[m]) {
                meter_set(c->meters[m], 0); /* series stay, gauges tell */
            }
        }
        channel_free(c);
    }
}

const struct channel *desk_channel(const struct desk *d, uint64_t id)
{
    const struct channel_live *c = live(d, id);
    return c ? &c->rec : NULL;
}

const struct channel *desk_next_channel(const struct desk *d, size_t *i)
{
    const struct channel_live *c = map_next(&d->channels, i);
    return c ? &c->rec : NULL;
}

const struct channel *desk_find_channel(const struct desk *d, struct slice text)
{
    uint64_t id;
    if (id_parse(text, ID_CHANNEL, &id)) {
        return desk_channel(d, id);
    }
    if (!slice_is(text, "default")) {
        return NULL;
    }
    const struct channel *best = NULL, *c;
    for (size_t i = 0; (c = desk_next_channel(d, &i)) != NULL;) {
        if (c->enabled && slice_is(c->type, "web") &&
            (!best || c->id < best->id)) {
            best = c;
        }
    }
    return best;
}

/* --- what its adapter can do ---------------------------------------------- */

struct channel_face channel_face(const struct desk *d, uint64_t id)
{
    struct channel_live *c = live(d, id);
    if (!c || !d->conf.ports.face) {
        return (struct channel_face){0};
    }
    if (!c->face_known) {
        c->face = (struct channel_face){0};
        d->conf.ports.face(d->conf.ports.arg, &c->rec, &c->face);
        c->face_known = true;
    }
    return c->face;
}

void channels_spoil(struct desk *d)
{
    struct channel_live *c;
    for (size_t i = 0; (c = map_next(&d->channels, &i)) != NULL;) {
        c->face_known = false;
    }
}

/* --- how it does ---------------------------------------------------------- */

static const struct {
    enum meter_kind kind;
    const char *name, *help;
    double scale;
} families[CHANNEL_METERS] = {
    [CHANNEL_IN] = {METER_COUNTER, "yuelai_channel_in_total",
                    "Messages of visitors, by channel", 0},
    [CHANNEL_OUT] = {METER_COUNTER, "yuelai_channel_out_total",
                     "Messages said to visitors, by channel", 0},
    [CHANNEL_SENT] = {METER_COUNTER, "yuelai_channel_sent_total",
                      "Messages its platform has taken", 0},
    [CHANNEL_RETRIES] = {METER_COUNTER, "yuelai_channel_retries_total",
                         "Sends its platform did not take at once", 0},
    [CHANNEL_DEAD] = {METER_COUNTER, "yuelai_channel_dead_total",
                      "Messages that could not be sent", 0},
    [CHANNEL_TOOK] = {METER_HISTOGRAM, "yuelai_channel_send_seconds",
                      "A message with its adapter, to the answer", 1e-3},
    [CHANNEL_BREAKER] = {METER_GAUGE, "yuelai_channel_breaker",
                         "0 closed, 1 open, 2 tried", 0},
    [CHANNEL_WAITING] = {METER_GAUGE, "yuelai_channel_waiting",
                         "Messages that wait to be sent", 0},
    [CHANNEL_OLDEST] = {METER_GAUGE, "yuelai_channel_oldest_seconds",
                        "How long the oldest of them has waited", 1e-3},
};

/* Series are made when there is something to tell: at most so many as there
 * are channels. */
static struct meter *meter_of(struct channel_live *c, enum channel_meter m)
{
    char id[ID_TEXT], labels[120];
    if (!c->meters[m]) {
        snprintf(labels, sizeof labels, "{channel=\"%s\",type=\"%.*s\"}",
                 id_text(id, ID_CHANNEL, c->rec.id).at,
                 c->rec.type.len > 40 ? 40 : (int)c->rec.type.len,
                 c->rec.type.at);
        c->meters[m] =
            meter_labelled(families[m].kind, families[m].name, families[m].help,
                           families[m].scale, labels);
    }
    return c->meters[m];
}

void channel_count(struct desk *d, uint64_t id, enum channel_meter m)
{
    struct channel_live *c = live(d, id);
    if (c) {
        meter_add(meter_of(c, m), 1);
        if (m == CHANNEL_IN) {
            c->last_in_at = now_ms(d);
        } else if (m == CHANNEL_OUT) {
            c->last_out_at = now_ms(d);
        }
    }
}

void channel_took(struct desk *d, uint64_t id, int64_t ms)
{
    struct channel_live *c = live(d, id);
    if (c) {
        meter_note(meter_of(c, CHANNEL_TOOK), ms);
    }
}

/* At most so many bytes, not through a character. */
static struct slice cut(struct slice s)
{
    size_t n = s.len < TROUBLE_BYTES ? s.len : TROUBLE_BYTES;
    while (n < s.len && n > 0 && (s.at[n] & 0xc0) == 0x80) {
        n--;
    }
    return (struct slice){s.at, n};
}

static void note(struct desk *d, struct channel_note *n, struct slice code,
                 struct slice text)
{
    text_own(&n->code, cut(code));
    text_own(&n->text, cut(text));
    n->at = now_ms(d);
}

void desk_channel_trouble(struct desk *d, uint64_t id, struct slice code,
                          struct slice text)
{
    struct channel_live *c = live(d, id);
    if (c) {
        note(d, &c->trouble, code, text);
    }
}

void desk_channel_rejected(struct desk *d, uint64_t id, struct slice code,
                           struct slice text)
{
    struct channel_live *c = live(d, id);
    if (c) {
        note(d, &c->rejected, code, text);
        c->rejections++;
    }
}

/* Which of those that wait is the oldest: all are looked at, so not often. */
static void look(struct desk *d)
{
    struct out_channel *ch;
    struct out_conv *q;
    int64_t now = now_ms(d);
    if (d->oldest_looked_at && now - d->oldest_looked_at < LOOK_MS) {
        return;
    }
    d->oldest_looked_at = now;
    for (size_t i = 0; (ch = map_next(&d->out_channels, &i)) != NULL;) {
        ch->oldest_at = 0;
    }
    for (size_t i = 0; (q = map_next(&d->out_convs, &i)) != NULL;) {
        int64_t at = q->first ? q->first->created_at : 0;
        if (at && (!q->channel->oldest_at || at < q->channel->oldest_at)) {
            q->channel->oldest_at = at;
        }
    }
}

void desk_channel_figures(struct desk *d, uint64_t id,
                          struct channel_figures *out)
{
    const struct channel_live *c = live(d, id);
    const struct out_channel *ch = map_get(&d->out_channels, id);
    *out = (struct channel_figures){.breaker = BREAKER_CLOSED};
    if (c) {
        out->last_in_at = c->last_in_at;
        out->last_out_at = c->last_out_at;
        out->trouble = (struct channel_word){c->trouble.code, c->trouble.text,
                                             c->trouble.at};
        out->rejected = (struct channel_word){c->rejected.code,
                                              c->rejected.text, c->rejected.at};
        out->rejections = c->rejections;
    }
    if (ch) {
        look(d);
        out->breaker = ch->breaker.state;
        out->waiting = ch->waiting;
        out->oldest_at = ch->waiting ? ch->oldest_at : 0;
    }
}

void desk_measure_channels(struct desk *d)
{
    struct channel_live *c;
    struct channel_figures f;
    for (size_t i = 0; (c = map_next(&d->channels, &i)) != NULL;) {
        if (!map_get(&d->out_channels, c->rec.id)) {
            continue; /* nothing was ever to be sent by it */
        }
        desk_channel_figures(d, c->rec.id, &f);
        meter_set(meter_of(c, CHANNEL_BREAKER), (int64_t)f.breaker);
        meter_set(meter_of(c, CHANNEL_WAITING), f.waiting);
        meter_set(meter_of(c, CHANNEL_OLDEST),
                  f.oldest_at ? now_ms(d) - f.oldest_at : 0);
    }
}
