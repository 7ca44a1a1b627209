/* SPDX-License-Identifier: Apache-2.0 */
/* confirms.c - tools of a model that wait for a person's word.
 *
 * Happy path: a turn ends with the question and the row, in one transaction;
 * the word is a change in the conversation's lane, so that nobody takes over
 * in between (I13), and what an agent says makes a turn owed in the same one;
 * the roof runs the tool, what it gave is stored, and the next answer's
 * transaction says that the model was told.
 * Failure: the time is up: expired, in the lane likewise. Another one holds the
 * conversation: cancelled with that change. The house falls: what was pending
 * waits on; what was approved runs again under the same key, by the turn that
 * is asked again.
 */
#include "desk/confirms.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/meter.h"
#include "desk/outcome.h"
#include "desk/turns.h"

#define AGAIN_MS 1000

METER(m_asked, METER_COUNTER, "yuelai_confirmations_total",
      "Tools that waited for a person's word");
METER(m_approved, METER_COUNTER, "yuelai_confirmations_approved_total",
      "Of these, approved");

struct decision {
    struct arena *arena; /* owned; it lies in it */
    uint64_t id, by;
    enum confirm_state to;
    struct slice result;
    void (*done)(void *arg, int result);
    void *arg;
    bool inside; /* of desk_decide: it returns the result itself */
    int refused;
};

static int64_t now_ms(const struct desk *d)
{
    return d->conf.ports.now(d->conf.ports.arg);
}

/* --- in memory ------------------------------------------------------------ */

static void copy_row(struct arena *a, struct confirm *to,
                     const struct confirm *from)
{
    *to = *from;
    to->assistant = slice_dup(a, from->assistant);
    to->tool = slice_dup(a, from->tool);
    to->call = slice_dup(a, from->call);
    to->hash = slice_dup(a, from->hash);
    to->question = slice_dup(a, from->question);
    to->result = slice_dup(a, from->result);
}

static void on_nothing(void *arg, int result)
{
    (void)arg;
    (void)result;
}

static void on_over(struct timer *t)
{
    struct confirm_live *l = container_of(t, struct confirm_live, timer);
    struct desk *d = l->desk;
    if (l->rec.state == CONFIRM_PENDING) {
        /* If this cannot be written: again. */
        timer_start(d->wheel, &l->timer, now_ms(d) + AGAIN_MS);
        (void)desk_decide(d, l->rec.conv, l->rec.id, CONFIRM_EXPIRED, 0,
                          SLICE("nobody said a word in time"), on_nothing,
                          NULL);
    }
}

static void live_free(struct conv *c)
{
    struct confirm_live *l = c->confirm;
    c->confirm = NULL;
    timer_stop(l->desk->wheel, &l->timer);
    arena_free(l->arena);
}

static void live_set(struct desk *d, struct conv *c, const struct confirm *row)
{
    struct arena *a = arena_new();
    struct confirm_live *l = arena_one(a, struct confirm_live);
    if (c->confirm) {
        live_free(c);
    }
    l->desk = d;
    l->arena = a;
    copy_row(a, &l->rec, row);
    timer_init(&l->timer, on_over);
    c->confirm = l;
    if (row->state == CONFIRM_PENDING) {
        timer_start(d->wheel, &l->timer, row->expires_at);
    }
}

void confirms_drop(struct conv *c)
{
    if (c->confirm) {
        live_free(c);
    }
}

void confirms_stored(struct desk *d, const struct confirm *row)
{
    struct conv *c = conv_of(d, row->conv);
    if (!c) {
        return;
    }
    if (!row->told) {
        live_set(d, c, row);
    } else if (c->confirm && c->confirm->rec.id == row->id) {
        live_free(c);
    }
}

void desk_restore_confirm(struct desk *d, const struct confirm *f)
{
    struct conv *c = conv_of(d, f->conv);
    if (c && c->rec.fence == f->fence && c->rec.state == CONV_BOT) {
        live_set(d, c, f);
    }
}

const struct confirm *desk_confirm(const struct desk *d, uint64_t conv)
{
    struct conv *c = conv_of(d, conv);
    return c && c->confirm ? &c->confirm->rec : NULL;
}

/* --- rows ----------------------------------------------------------------- */

static struct confirm *put_row(struct tx *tx, const struct confirm *from,
                               int64_t now)
{
    struct confirm *row = arena_one(tx->arena, struct confirm);
    copy_row(tx->arena, row, from);
    row->updated_at = now;
    tx_put(tx, PUT_CONFIRM)->confirm = row;
    return row;
}

static bool has_row(const struct tx *tx, uint64_t id)
{
    for (const struct put *p = tx->puts; p; p = p->next) {
        if (p->kind == PUT_CONFIRM && p->confirm->id == id) {
            return true;
        }
    }
    return false;
}

void confirms_put(struct conv *c, const struct step *s, struct tx *tx)
{
    struct confirm_live *l = c->confirm;
    if (!l || !s->changes || s->next.fence == l->rec.fence ||
        has_row(tx, l->rec.id)) {
        return;
    }
    struct confirm *row = put_row(tx, &l->rec, now_ms(l->desk));
    row->told = true;
    if (row->state == CONFIRM_PENDING) {
        row->state = CONFIRM_CANCELLED;
        row->result = SLICE("another one holds the conversation");
    }
}

/* For the people who may say the word; never to the visitor. */
static void put_note(struct outcome *o, const struct confirm *f)
{
    char id[ID_TEXT];
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", f->question);
    jsonw_put_bool(&w, "private", true);
    jsonw_put_text(&w, "confirm", id_text(id, ID_CONFIRM, f->id));
    jsonw_close(&w, '}');
    if (!w.failed) {
        struct event *ev = conv_tx_message(o->tx, o->s, ROLE_SYSTEM, 0,
                                           (struct slice){0}, buf_slice(&out));
        ev->flags |= EVENT_PRIVATE;
        ev->cause = o->job->event.pos;
    }
    buf_fini(&out);
}

void confirms_end(struct outcome *o, const struct turn_end *e)
{
    struct confirm_live *l = o->c->confirm;
    if (l && e->told == l->rec.id && l->rec.state != CONFIRM_PENDING) {
        put_row(o->tx, &l->rec, now_ms(o->d))->told = true;
    }
    if (e->asks) {
        struct confirm *row = put_row(o->tx, e->asks, now_ms(o->d));
        row->fence = o->c->rec.fence;
        meter_add(&m_asked, 1);
        if (row->agent) {
            put_note(o, row);
        }
    }
}

/* --- the word ------------------------------------------------------------- */

void decision_end(struct decision *k, int result)
{
    if (k && k->inside) {
        k->refused = result;
    } else if (k) {
        k->done(k->arg, result);
        arena_free(k->arena);
    }
}

static bool may(const struct confirm *f, enum confirm_state to)
{
    return to == CONFIRM_DONE ? f->state == CONFIRM_APPROVED
                              : f->state == CONFIRM_PENDING;
}

static void decide_begin(struct desk *d, struct conv *c, void *what)
{
    struct decision *k = what;
    struct confirm_live *l = c->confirm;
    if (!l || l->rec.id != k->id || !may(&l->rec, k->to) ||
        c->rec.fence != l->rec.fence || c->rec.state != CONV_BOT) {
        conv_change_end(d, c);
        decision_end(k, ERR_CONFLICT);
        return;
    }
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    struct confirm *row = put_row(tx, &l->rec, now_ms(d));
    row->state = k->to;
    row->result = slice_dup(tx->arena, k->result);
    row->decided_by = k->to == CONFIRM_DONE ? row->decided_by : k->by;
    meter_add(&m_approved, k->to == CONFIRM_APPROVED);
    bool over = k->to == CONFIRM_EXPIRED && row->agent;
    if (k->by || over) { /* the visitor waits to hear of it */
        turns_anew(d, c, tx, &s->next);
    }
    s->changes = true;
    s->decision = k;
    conv_commit(d, tx);
}

int desk_decide(struct desk *d, uint64_t conv, uint64_t confirm,
                enum confirm_state to, uint64_t by, struct slice result,
                void (*done)(void *arg, int result), void *arg)
{
    struct conv *c = conv_of(d, conv);
    if (!c) {
        return ERR_CONFLICT;
    }
    struct arena *a = arena_new();
    struct decision *k = arena_one(a, struct decision);
    k->arena = a;
    k->id = confirm;
    k->to = to;
    k->by = by;
    k->result = slice_dup(a, result);
    k->done = done;
    k->arg = arg;
    k->inside = true;
    conv_change(d, c, decide_begin, k);
    k->inside = false;
    int refused = k->refused;
    if (refused) {
        arena_free(a);
    }
    return refused;
}
