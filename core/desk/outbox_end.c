/* SPDX-License-Identifier: Apache-2.0 */
/* outbox_end.c - what became of a message to a platform.
 *
 * Happy path: sent, or dead, is committed with its message.status; then the
 * next of the conversation goes. Failure: a retry waits longer each time and
 * holds back what comes behind it in its conversation only; after a day a
 * message is dead, and may be sent again by hand. What the platform takes only
 * after its visitor has written ({until_heard}) says nothing about the channel,
 * and is tried when they do. A crash between the platform's yes and our commit
 * sends it twice: adapters are given its id to prevent that. An answer to a
 * webhook counts as sent when its last byte was written; else it goes as any
 * other.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/meter.h"
#include "desk/outbox.h"
#include "desk/outcome.h"

#define GIVE_UP_MS (24LL * 3600 * 1000)
#define NOBODY_MS 30000 /* until an adapter that is not there is asked again */
#define STORE_MS 1000

METER(m_sent, METER_COUNTER, "yuelai_outbox_sent_total",
      "Messages that platforms have taken");
METER(m_arrived, METER_COUNTER, "yuelai_outbox_arrived_total",
      "Messages that needed no push: a socket had brought them");
METER(m_retried, METER_COUNTER, "yuelai_outbox_retries_total",
      "Sends that platforms did not take at once");
METER(m_dead, METER_COUNTER, "yuelai_outbox_dead_total",
      "Messages that could not be sent");

METER(m_recalled, METER_COUNTER, "yuelai_outbox_recalled_total",
      "Messages taken back, there or before they were sent");

static int64_t now_ms(const struct desk *d)
{
    return d->conf.ports.now(d->conf.ports.arg);
}

/* --- what became of it ---------------------------------------------------- */

static int64_t back_off(uint32_t attempts)
{
    static const int64_t ms[] = {1000,   5000,    30000,  120000,
                                 600000, 1800000, 3600000};
    size_t most = sizeof ms / sizeof ms[0] - 1;
    return ms[attempts < most ? attempts : most];
}

static struct verdict judge(const struct job *job, struct arena *a)
{
    struct verdict v = {.state = OUTBOX_WAITING, .told = BREAKER_FAILED};
    struct json *all = NULL;
    if (!job->ran) {
        v.nobody = true;
        v.told = BREAKER_NOTHING;
        v.retry_ms = NOBODY_MS;
        v.reason = SLICE("the channel's adapter is not there");
        return v;
    }
    if (job->failures) {
        v.reason = job->trouble;
        return v;
    }
    if (json_parse(a, job->call->answer, NULL, &all) < 0 ||
        !json_is(all, JSON_OBJECT)) {
        v.reason = SLICE("send() must return {sent=}, {retry=} or {failed=}");
        return v;
    }
    v.reason = json_text(all, "why");
    v.code = json_text(all, "failed");
    if (job->hook == HOOK_RECALL &&
        (json_bool(all, "recalled", false) || json_bool(all, "ok", false))) {
        v.state = OUTBOX_SENT;
        v.told = BREAKER_WELL;
    } else if (json_get(all, "sent")) {
        v.state = OUTBOX_SENT;
        v.told = BREAKER_WELL;
        v.remote = json_text(all, "sent");
    } else if (json_get(all, "failed")) {
        v.state = OUTBOX_DEAD;
        v.told = BREAKER_WELL; /* it has answered */
        v.reason = v.reason.len ? v.reason : v.code;
    } else {
        v.retry_ms = json_int(all, "retry", 0) * 1000;
        v.unheard = json_bool(all, "until_heard", false);
        if (v.unheard) { /* the platform works, this visitor must write */
            v.told = BREAKER_WELL;
        }
    }
    return v;
}

static void write_status(struct tx *tx, const struct outbox *o,
                         struct slice status, struct slice reason,
                         struct slice code, struct slice shown)
{
    struct buf out;
    struct event *ev = tx_event(tx, EVENT_MESSAGE_STATUS);
    char id[ID_TEXT];
    ev->conv = o->conv;
    ev->role = ROLE_SYSTEM;
    buf_init(&out, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_int(&w, "seq", o->seq);
    jsonw_put_text(&w, "status", status);
    jsonw_put_text(&w, "outbox", id_text(id, ID_OUTBOX, o->id));
    if (code.len) {
        jsonw_put_text(&w, "code", code);
    }
    if (reason.len) {
        jsonw_put_text(&w, "reason", reason);
    }
    if (shown.len) {
        jsonw_put_raw(&w, "shown", shown);
    }
    jsonw_close(&w, '}');
    ev->body = w.failed ? SLICE("{}") : slice_dup(tx->arena, buf_slice(&out));
    buf_fini(&out);
}

/* To whoever has the conversation before them. */
static void tell_status(struct desk *d, struct tx *tx)
{
    for (struct event *ev = tx->first; ev; ev = ev->next) {
        struct conv *c = conv_of(d, ev->conv);
        if (ev->pos > d->pos) {
            d->pos = ev->pos;
        }
        if (c && ev->name == EVENT_MESSAGE_STATUS) {
            c->rec.last_pos = ev->pos;
            tell_message(d, c, ev, tx->arena, 0);
            job_for_event(d, c, ev, 0);
        }
    }
}

static struct outbox *row_of(struct arena *a, const struct out_conv *q,
                             const struct out_item *it, const struct verdict *v,
                             int64_t now)
{
    struct outbox *row = arena_one(a, struct outbox);
    *row = (struct outbox){.id = it->id,
                           .pos = it->pos,
                           .seq = it->seq,
                           .undoes = it->undoes,
                           .conv = q->conv,
                           .contact = q->contact,
                           .channel = q->channel->id,
                           .state = v->state,
                           .attempts = it->attempts,
                           .due_at = it->due_at,
                           .created_at = it->created_at,
                           .updated_at = now,
                           .to = slice_dup(a, it->to),
                           .remote = slice_dup(a, v->remote),
                           .reason = slice_dup(a, v->reason),
                           .code = slice_dup(a, v->code),
                           .receipt =
                               v->arrived ? RECEIPT_DELIVERED : RECEIPT_NONE};
    return row;
}

/* What message.status says of it. */
static struct slice status_of(const struct outbox *row, bool arrived)
{
    if (row->undoes) {
        return row->state == OUTBOX_SENT ? SLICE("recalled")
                                         : SLICE("not_recalled");
    }
    return arrived                         ? SLICE("delivered")
           : row->state == OUTBOX_SENT     ? SLICE("sent")
           : row->state == OUTBOX_RECALLED ? SLICE("recalled")
                                           : SLICE("failed");
}

/* Of the first, or of all that went out with it; what is to be tried again
 * needs the first's only. */
static void put_rows(const struct out_conv *q, const struct job *job,
                     const struct verdict *v, int64_t now, struct tx *tx)
{
    struct out_item *it = q->first;
    bool over = v->state != OUTBOX_WAITING, dead = v->state == OUTBOX_DEAD;
    for (uint32_t i = 0; i < (over ? q->batch : 1); i++, it = it->next) {
        struct outbox *row = row_of(tx->arena, q, it, v, now);
        tx_put(tx, PUT_OUTBOX)->outbox = row;
        if (over) {
            write_status(tx, row, status_of(row, v->arrived),
                         dead ? row->reason : SLICE(""), v->code,
                         job && job->call ? job->call->shown : SLICE(""));
        }
    }
}

static void on_settled(struct tx *tx);

static void keep_choices(const struct out_conv *q, struct slice choices,
                         int64_t now, struct tx *tx)
{
    char id[ID_TEXT], conv[ID_TEXT];
    struct kv *kv = arena_one(tx->arena, struct kv);
    struct buf out;
    buf_init(&out, LIMIT_KV_VALUE);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "conversation", id_text(conv, ID_CONVERSATION, q->conv));
    jsonw_put_int(&w, "seq", q->first->seq);
    jsonw_put_raw(&w, "choices", choices);
    jsonw_close(&w, '}');
    *kv = (struct kv){
        .space = SLICE(CHOICES_SPACE),
        .key = slice_dup(tx->arena, id_text(id, ID_CONTACT, q->contact)),
        .value = slice_dup(tx->arena, buf_slice(&out)),
        .expires_at = now + CHOICES_MS};
    if (!w.failed) {
        tx_put(tx, PUT_KV)->kv = kv;
    }
    buf_fini(&out);
}

/* The trace tells of a send that was not taken, and of one whose kind had to
 * change; choices that were shown as text are kept. */
static void note_send(struct desk *d, const struct out_conv *q, struct job *job,
                      const struct verdict *v, struct tx *tx)
{
    bool over = v->state != OUTBOX_WAITING;
    bool plain = over && job && job->call && job->call->shown.len;
    bool taken = v->state == OUTBOX_SENT || v->state == OUTBOX_RECALLED;
    if (!job || (taken && !plain) || (v->nobody && !plain)) {
        return;
    }
    struct outcome o = {.d = d, .job = job, .tx = tx};
    if (!taken) {
        o.why = v->reason;
        o.again_at = over ? 0 : q->first->due_at;
    }
    trace_put(&o, NULL);
    if (plain && job->call->choices.len) {
        keep_choices(q, job->call->choices, now_ms(d), tx);
    }
}

void outbox_settle(struct desk *d, struct out_conv *q, struct job *job,
                   struct verdict *v)
{
    struct out_item *it = q->first;
    int64_t now = now_ms(d);
    if (job && !v->nobody) {
        it->attempts++;
    }
    if (v->state == OUTBOX_WAITING) {
        int64_t own = back_off(it->attempts ? it->attempts - 1 : 0);
        it->due_at = now + (v->retry_ms > own ? v->retry_ms : own);
        if (now - it->created_at > GIVE_UP_MS) {
            v->state = OUTBOX_DEAD;
        }
    }
    struct tx *tx = tx_new(on_settled, d);
    put_rows(q, job, v, now, tx);
    if (job) {
        job_put_kv(job, tx); /* what the adapter remembers */
    }
    note_send(d, q, job, v, tx);
    if (job && q->push && v->state == OUTBOX_SENT) {
        q->quiet_till = now + channel_face(d, q->channel->id).push_quiet_ms;
    }
    q->nobody = v->nobody;
    q->unheard = v->unheard;
    tx->token = q->conv;
    d->conf.ports.commit(d->conf.ports.arg, tx);
}

/* The webhook was gone, or cannot bear such a message: as any other, now. */
static void unheld(struct desk *d, struct out_conv *q)
{
    q->channel->unsettled -= q->asked;
    q->asked = q->busy = false;
    q->held = 0;
    q->first->due_at = 0;
    outbox_go_on(d, q);
}

void outbox_delivered(struct job *job)
{
    struct desk *d = job->owner;
    struct out_conv *q = map_get(&d->out_convs, job->conv.id);
    d->jobs--;
    if (job->result || !q) { /* the house stops: after the start, again */
        job_free(job);
        return;
    }
    struct verdict v = judge(job, job->arena);
    struct out_channel *ch = q->channel;
    if (job->ran) {
        channel_took(d, ch->id, now_ms(d) - job->at);
    }
    if (q->ticket && breaker_note(&ch->breaker, q->ticket, v.told, now_ms(d))) {
        log_warn("desk", "channel %llu: its breaker is %s now: %.*s",
                 (unsigned long long)ch->id,
                 breaker_state_name(ch->breaker.state), SLICE_FMT(v.reason));
    }
    ch->under_way--;
    if (q->held && v.state != OUTBOX_SENT) {
        unheld(d, q);
        job_free(job);
        return;
    }
    q->held = 0;
    outbox_settle(d, q, job, &v);
    job_free(job);
    outbox_pump(ch);
}

static void item_done(struct desk *d, struct out_conv *q)
{
    struct out_item *it = q->first;
    q->first = it->next;
    if (!q->first) {
        q->last = NULL;
    }
    outbox_item_free(it);
    q->channel->waiting--;
    d->outbox--;
}

static void count(struct desk *d, const struct outbox *row)
{
    bool sent = row->state == OUTBOX_SENT, dead = row->state == OUTBOX_DEAD;
    if (row->state == OUTBOX_RECALLED || (sent && row->undoes)) {
        meter_add(&m_recalled, 1);
        return;
    }
    if (sent && row->receipt == RECEIPT_DELIVERED) {
        meter_add(&m_arrived, 1);
        return;
    }
    meter_add(sent ? &m_sent : dead ? &m_dead : &m_retried, 1);
    channel_count(d, row->channel,
                  sent   ? CHANNEL_SENT
                  : dead ? CHANNEL_DEAD
                         : CHANNEL_RETRIES);
    if (!sent) {
        struct slice code = dead ? SLICE("failed") : SLICE("retry");
        desk_channel_trouble(d, row->channel, row->code.len ? row->code : code,
                             row->reason);
    }
}

/* In the row now; only then the next one goes (I4). */
static void on_settled(struct tx *tx)
{
    struct desk *d = tx->owner;
    struct out_conv *q = map_get(&d->out_convs, tx->token);
    if (!q || tx->result == ERR_CANCELLED) {
        tx_free(tx);
        return;
    }
    q->channel->unsettled -= q->asked;
    q->asked = false;
    if (tx->result) { /* asked again: the platform may get it twice */
        q->busy = false;
        q->first->due_at = now_ms(d) + STORE_MS;
        outbox_go_on(d, q);
        tx_free(tx);
        return;
    }
    tell_status(d, tx);
    for (const struct put *p = tx->puts; p; p = p->next) {
        if (p->kind != PUT_OUTBOX) {
            continue;
        }
        count(d, p->outbox);
        if (p->outbox->state != OUTBOX_WAITING) {
            item_done(d, q);
        } else if (q->unheard && q->heard) {
            q->first->due_at = 0;
        }
    }
    q->busy = false;
    outbox_go_on(d, q);
    tx_free(tx);
}

/* --- by hand, and receipts ------------------------------------------------ */

struct resend {
    void (*done)(void *arg, int result);
    void *arg;
    struct desk *desk;
};

static void on_resend(struct tx *tx)
{
    struct resend *r = tx->owner;
    int result = tx->result;
    if (result == 0) {
        outbox_add(r->desk, tx->puts->outbox, (struct slice){0});
    }
    if (r->done) {
        r->done(r->arg, result);
    }
    tx_free(tx);
}

static struct outbox *row_copy(struct arena *a, const struct outbox *o)
{
    struct outbox *row = arena_one(a, struct outbox);
    *row = *o;
    row->of = NULL;
    row->to = slice_dup(a, o->to);
    row->remote = slice_dup(a, o->remote);
    row->reason = slice_dup(a, o->reason);
    row->code = slice_dup(a, o->code);
    return row;
}

void desk_resend(struct desk *d, const struct outbox *o,
                 void (*done)(void *arg, int result), void *arg)
{
    if (o->state != OUTBOX_DEAD) {
        if (done) {
            done(arg, ERR_CONFLICT);
        }
        return;
    }
    if (!o->undoes && window_is_over(d, o->conv)) {
        if (done) {
            done(arg, ERR_UNPROCESSABLE);
        }
        return;
    }
    struct tx *tx = tx_new(on_resend, NULL);
    struct resend *r = arena_one(tx->arena, struct resend);
    *r = (struct resend){done, arg, d};
    tx->owner = r;
    struct outbox *row = row_copy(tx->arena, o);
    row->state = OUTBOX_WAITING;
    row->attempts = 0;
    row->due_at = 0;
    row->reason = row->code = SLICE("");
    row->receipt = RECEIPT_NONE;
    row->created_at = row->updated_at = now_ms(d);
    tx_put(tx, PUT_OUTBOX)->outbox = row;
    d->conf.ports.commit(d->conf.ports.arg, tx);
}

static void on_receipt(struct tx *tx)
{
    if (tx->result == 0) {
        tell_status(tx->owner, tx);
    }
    tx_free(tx);
}

void desk_receipt(struct desk *d, const struct outbox *o, struct slice status,
                  struct slice reason)
{
    struct tx *tx = tx_new(on_receipt, d);
    struct outbox *row = row_copy(tx->arena, o);
    bool failed = slice_is(status, "failed");
    enum outbox_receipt receipt =
        slice_is(status, "read") ? RECEIPT_READ : RECEIPT_DELIVERED;
    write_status(tx, o, slice_dup(tx->arena, status), reason, (struct slice){0},
                 (struct slice){0});
    row->updated_at = now_ms(d);
    if (failed && o->state == OUTBOX_SENT) {
        row->state = OUTBOX_DEAD;
        row->reason = slice_dup(tx->arena, reason);
        row->code = SLICE("undelivered");
        tx_put(tx, PUT_OUTBOX)->outbox = row;
    } else if (!failed && receipt > o->receipt) {
        row->receipt = receipt;
        tx_put(tx, PUT_OUTBOX)->outbox = row;
    }
    d->conf.ports.commit(d->conf.ports.arg, tx);
}
