/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c - messages to platforms: in order, at their pace, until they are
 * sent or dead.
 *
 * Happy path: a message of an agent or a script in a channel with an adapter is
 * committed with its row (I4); the first of each conversation is given to the
 * adapter as soon as the channel's pace allows; sent or dead is committed with
 * its message.status. Failure: a retry waits longer each time and holds back
 * what comes behind it in its conversation only; a channel that fails again
 * and again is left alone for a while (base/breaker.h); after a day a message
 * is dead, and may be sent again by hand. What the platform takes only after
 * its visitor has written ({until_heard}) says nothing about the channel, and is
 * tried when they do. A crash between the platform's yes
 * and our commit sends it twice: adapters are given its id to prevent that.
 */
#include "desk/outbox.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/meter.h"
#include "desk/outcome.h"

#define AT_ONCE 4
#define GIVE_UP_MS (24LL * 3600 * 1000)
#define NOBODY_MS 30000 /* until an adapter that is not there is asked again */
#define STORE_MS 1000

METER(m_sent, METER_COUNTER, "yuelai_outbox_sent_total",
      "Messages that platforms have taken");
METER(m_retried, METER_COUNTER, "yuelai_outbox_retries_total",
      "Sends that platforms did not take at once");
METER(m_dead, METER_COUNTER, "yuelai_outbox_dead_total",
      "Messages that could not be sent");

static int64_t now_ms(const struct desk *d)
{
    return d->conf.ports.now(d->conf.ports.arg);
}

/* --- in memory ------------------------------------------------------------ */

/* What the adapter said of the first item. */
struct verdict {
    enum outbox_state state;
    enum breaker_outcome told;
    struct slice remote, reason, code;
    int64_t retry_ms;
    bool nobody, unheard;
};

static void on_pace(struct timer *t);
static void on_due(struct timer *t);
static void pump(struct out_channel *ch);
static void settle(struct desk *d, struct out_conv *q, struct job *job,
                   struct verdict *v);

static struct out_channel *channel_get(struct desk *d, uint64_t id)
{
    struct out_channel *ch = map_get(&d->out_channels, id);
    if (!ch) {
        ch = mem_alloc(sizeof *ch);
        ch->desk = d;
        ch->id = id;
        ch->filled_at = now_ms(d);
        ch->tokens = INT32_MAX; /* cut down to the burst at the first look */
        list_init(&ch->ready);
        timer_init(&ch->timer, on_pace);
        breaker_init(&ch->breaker, NULL);
        map_put(&d->out_channels, id, ch);
    }
    return ch;
}

static struct out_conv *conv_get(struct desk *d, const struct outbox *row)
{
    struct out_conv *q = map_get(&d->out_convs, row->conv);
    if (!q) {
        q = mem_alloc(sizeof *q);
        q->conv = row->conv;
        q->contact = row->contact;
        q->channel = channel_get(d, row->channel);
        list_init(&q->link);
        timer_init(&q->timer, on_due);
        map_put(&d->out_convs, row->conv, q);
    }
    return q;
}

static void item_free(struct out_item *it)
{
    text_free(&it->to);
    text_free(&it->body);
    mem_free(it);
}

static void conv_drop(struct desk *d, struct out_conv *q)
{
    list_remove(&q->link);
    timer_stop(d->wheel, &q->timer);
    map_take(&d->out_convs, q->conv);
    mem_free(q);
}

void outbox_free(struct desk *d)
{
    struct out_conv *q;
    for (size_t i = 0; (q = map_next(&d->out_convs, &i)) != NULL;) {
        while (q->first) {
            struct out_item *next = q->first->next;
            item_free(q->first);
            q->first = next;
        }
        conv_drop(d, q);
    }
    struct out_channel *ch;
    for (size_t i = 0; (ch = map_next(&d->out_channels, &i)) != NULL;) {
        timer_stop(d->wheel, &ch->timer);
        map_take(&d->out_channels, ch->id);
        mem_free(ch);
    }
}

static void make_ready(struct out_conv *q)
{
    if (!q->busy && q->first && list_empty(&q->link)) {
        list_add_last(&q->channel->ready, &q->link);
    }
}

/* The next of the conversation, now or when it is due. */
static void go_on(struct desk *d, struct out_conv *q)
{
    if (!q->first) {
        conv_drop(d, q);
        return;
    }
    if (q->first->due_at > now_ms(d)) {
        timer_start(d->wheel, &q->timer, q->first->due_at);
        return;
    }
    make_ready(q);
    pump(q->channel);
}

static void on_due(struct timer *t)
{
    struct out_conv *q = container_of(t, struct out_conv, timer);
    make_ready(q);
    pump(q->channel);
}

static void add(struct desk *d, const struct outbox *row, struct slice body)
{
    struct out_conv *q = conv_get(d, row);
    struct out_item *it = mem_alloc(sizeof *it);
    it->id = row->id;
    it->pos = row->pos;
    it->seq = row->seq;
    it->attempts = row->attempts;
    it->due_at = row->due_at;
    it->created_at = row->created_at;
    text_own(&it->to, row->to);
    if (body.len) {
        text_own(&it->body, body);
    }
    d->outbox++;
    if (q->last) {
        q->last->next = it;
    } else {
        q->first = it;
    }
    q->last = it;
    if (q->first == it && d->started) {
        go_on(d, q);
    }
}

void desk_restore_outbox(struct desk *d, const struct outbox *o)
{
    if (o->state == OUTBOX_WAITING) {
        add(d, o, (struct slice){0});
        conv_get(d, o)->unheard = true; /* perhaps: asking once is cheap */
    }
}

void outbox_start(struct desk *d)
{
    struct out_conv *q;
    for (size_t i = 0; (q = map_next(&d->out_convs, &i)) != NULL;) {
        go_on(d, q);
    }
}

void desk_faces_changed(struct desk *d)
{
    struct out_conv *q;
    for (size_t i = 0; (q = map_next(&d->out_convs, &i)) != NULL;) {
        if (q->nobody && !q->busy) {
            q->nobody = false;
            q->first->due_at = 0;
            timer_stop(d->wheel, &q->timer);
            go_on(d, q);
        }
    }
}

bool desk_is_sending(const struct desk *d, uint64_t channel)
{
    const struct out_channel *ch = map_get(&d->out_channels, channel);
    return ch && ch->unsettled;
}

void outbox_heard(struct desk *d, uint64_t conv)
{
    struct out_conv *q = map_get(&d->out_convs, conv);
    if (!q) {
        return;
    }
    q->heard = true;
    if (q->unheard && !q->busy) {
        q->unheard = false;
        q->first->due_at = 0;
        timer_stop(d->wheel, &q->timer);
        go_on(d, q);
    }
}

/* --- with the message ----------------------------------------------------- */

static bool goes_out(const struct event *ev)
{
    return ev->name == EVENT_MESSAGE_CREATED && !(ev->flags & EVENT_PRIVATE) &&
           (ev->role == ROLE_AGENT || ev->role == ROLE_BOT);
}

static void face_of(const struct desk *d, const struct channel *c,
                    struct channel_face *out)
{
    *out = (struct channel_face){0};
    if (c && d->conf.ports.face) {
        d->conf.ports.face(d->conf.ports.arg, c, out);
    }
}

void outbox_put(struct desk *d, struct conv *c, struct tx *tx)
{
    struct channel_face face;
    bool any = false;
    for (struct event *ev = tx->first; ev && !any; ev = ev->next) {
        any = goes_out(ev);
    }
    if (!any || !d->conf.ports.face) {
        return;
    }
    face_of(d, desk_channel(d, c->rec.channel), &face);
    if (!face.sends) {
        return; /* the web: its sockets are told */
    }
    const struct contact *who = c->person->rec;
    for (struct event *ev = tx->first; ev; ev = ev->next) {
        if (!goes_out(ev)) {
            continue;
        }
        struct outbox *row = arena_one(tx->arena, struct outbox);
        *row = (struct outbox){.id = d->conf.ports.id(d->conf.ports.arg),
                               .of = ev,
                               .conv = c->rec.id,
                               .channel = c->rec.channel,
                               .contact = c->rec.contact,
                               .created_at = now_ms(d),
                               .updated_at = now_ms(d),
                               .to = who ? slice_dup(tx->arena, who->identity)
                                         : SLICE("")};
        tx_put(tx, PUT_OUTBOX)->outbox = row;
    }
}

void outbox_stored(struct desk *d, struct outbox *row)
{
    if (row->of) {
        row->pos = row->of->pos;
        row->seq = row->of->seq;
        add(d, row, row->of->body);
    }
}

/* --- sending -------------------------------------------------------------- */

static struct slice item_json(struct arena *a, const struct out_conv *q,
                              const struct out_item *it, struct slice body)
{
    struct buf out;
    char id[ID_TEXT], cv[ID_TEXT];
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES * 2);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "id", id_text(id, ID_OUTBOX, it->id));
    jsonw_put_text(&w, "conversation", id_text(cv, ID_CONVERSATION, q->conv));
    jsonw_put_text(&w, "to", it->to.len ? it->to : SLICE(""));
    jsonw_put_int(&w, "seq", it->seq);
    jsonw_put_int(&w, "attempt", it->attempts + 1);
    jsonw_close(&w, '}');
    int r = w.failed;
    if (r == 0 && body.len > 2) { /* {..} and {...}: one object of both */
        out.len--;
        r = buf_add_char(&out, ',');
        r = r ? r : buf_add(&out, body.at + 1, body.len - 1);
    }
    struct slice all = r ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return all;
}

static void on_delivered(struct job *job);

static void give(struct out_conv *q, struct slice body)
{
    struct desk *d = q->channel->desk;
    struct out_item *it = q->first;
    struct job *job = job_new(HOOK_DELIVER, on_delivered, d);
    job->at = now_ms(d);
    job->conv.id = q->conv;
    job->conv.channel = q->channel->id;
    job->conv.contact = job->contact.id = q->contact;
    job->contact.identity = slice_dup(job->arena, it->to);
    job->event.pos = it->pos;
    job->event.seq = it->seq;
    job->event.conv = q->conv;
    d->jobs++;
    if (!desk_fill_call(d, q->channel->id, job)) {
        job->done(job); /* nobody ran: the channel is gone */
        return;
    }
    job->call->item = item_json(job->arena, q, it, body);
    d->conf.ports.run(d->conf.ports.arg, job);
}

static void on_body(struct query *q)
{
    struct desk *d = q->owner;
    struct out_conv *c = map_get(&d->out_convs, q->conv);
    if (q->result == ERR_CANCELLED || !c) {
        query_free(q);
        return;
    }
    give(c, q->result == 0 && q->events ? q->events->body : SLICE(""));
    query_free(q);
}

static void send(struct out_conv *q)
{
    struct desk *d = q->channel->desk;
    q->busy = true;
    q->nobody = q->unheard = q->heard = false;
    q->channel->under_way++;
    q->channel->unsettled++;
    q->asked = true;
    list_remove(&q->link);
    list_init(&q->link);
    if (q->first->body.len) {
        struct slice body = q->first->body;
        q->first->body = (struct slice){0}; /* read again, if ever */
        give(q, body);
        text_free(&body);
        return;
    }
    struct query *ask = query_new(QUERY_EVENT, on_body, d);
    ask->after_pos = q->first->pos;
    ask->conv = q->conv;
    d->conf.ports.read(d->conf.ports.arg, ask);
}

/* It waited too long: the platform is not even asked. */
static bool shut(struct out_conv *q)
{
    struct desk *d = q->channel->desk;
    if (!window_is_over(d, q->conv)) {
        return false;
    }
    struct verdict v = {.state = OUTBOX_DEAD,
                        .reason = SLICE("the reply window has closed before "
                                        "it could be sent"),
                        .code = SLICE("window_closed")};
    q->busy = true;
    q->nobody = q->unheard = q->heard = false;
    list_remove(&q->link);
    list_init(&q->link);
    settle(d, q, NULL, &v);
    return true;
}

/* --- the pace ------------------------------------------------------------- */

/* Tokens are thousandths of a message. */
static void refill(struct out_channel *ch, const struct channel_face *face)
{
    int64_t now = now_ms(ch->desk);
    int64_t most = 1000LL * (face->burst > 0 ? face->burst : face->rate);
    int64_t got = ch->tokens + (now - ch->filled_at) * face->rate;
    ch->tokens = got < most ? got : most;
    ch->filled_at = now;
}

/* Ms until the next may go; 0 = now. */
static int64_t wait_ms(struct out_channel *ch, const struct channel_face *face)
{
    int64_t now = now_ms(ch->desk);
    if (!breaker_lets(&ch->breaker, now)) {
        int64_t ms = breaker_wait(&ch->breaker, now);
        return ms > 0 ? ms : 1000; /* a probe is under way */
    }
    if (face->rate <= 0) {
        return 0;
    }
    refill(ch, face);
    return ch->tokens >= 1000 ? 0 : (1000 - ch->tokens) / face->rate + 1;
}

static void pump(struct out_channel *ch)
{
    struct channel_face face;
    struct desk *d = ch->desk;
    face_of(d, desk_channel(d, ch->id), &face);
    uint32_t most = face.at_once > 0 ? (uint32_t)face.at_once : AT_ONCE;
    while (!list_empty(&ch->ready) && ch->under_way < most) {
        struct out_conv *q =
            container_of(ch->ready.next, struct out_conv, link);
        if (face.reply_window_ms && shut(q)) {
            continue;
        }
        int64_t ms = wait_ms(ch, &face);
        if (ms > 0) {
            timer_stop(d->wheel, &ch->timer);
            timer_start(d->wheel, &ch->timer, now_ms(d) + ms);
            return;
        }
        ch->tokens -= face.rate > 0 ? 1000 : 0;
        q->ticket = breaker_take(&ch->breaker, now_ms(d));
        send(q);
    }
}

static void on_pace(struct timer *t)
{
    pump(container_of(t, struct out_channel, timer));
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
    if (json_get(all, "sent")) {
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
                         struct slice code)
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
                             const struct verdict *v, int64_t now)
{
    const struct out_item *it = q->first;
    struct outbox *row = arena_one(a, struct outbox);
    *row = (struct outbox){.id = it->id,
                           .pos = it->pos,
                           .seq = it->seq,
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
                           .code = slice_dup(a, v->code)};
    return row;
}

static void on_settled(struct tx *tx);

static void settle(struct desk *d, struct out_conv *q, struct job *job,
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
    struct outbox *row = row_of(tx->arena, q, v, now);
    tx_put(tx, PUT_OUTBOX)->outbox = row;
    if (job) {
        job_put_kv(job, tx); /* what the adapter remembers */
    }
    if (v->state != OUTBOX_WAITING) {
        bool sent = v->state == OUTBOX_SENT;
        write_status(tx, row, sent ? SLICE("sent") : SLICE("failed"),
                     sent ? SLICE("") : row->reason, v->code);
    }
    q->nobody = v->nobody;
    q->unheard = v->unheard;
    tx->token = q->conv;
    d->conf.ports.commit(d->conf.ports.arg, tx);
}

static void on_delivered(struct job *job)
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
    if (q->ticket && breaker_note(&ch->breaker, q->ticket, v.told, now_ms(d))) {
        log_warn("desk", "channel %llu: its breaker is %s now: %.*s",
                 (unsigned long long)ch->id,
                 breaker_state_name(ch->breaker.state), SLICE_FMT(v.reason));
    }
    ch->under_way--;
    settle(d, q, job, &v);
    job_free(job);
    pump(ch);
}

static void item_done(struct desk *d, struct out_conv *q)
{
    struct out_item *it = q->first;
    q->first = it->next;
    if (!q->first) {
        q->last = NULL;
    }
    item_free(it);
    d->outbox--;
}

/* In the row now; only then the next one goes (I4). */
static void on_settled(struct tx *tx)
{
    struct desk *d = tx->owner;
    struct out_conv *q = map_get(&d->out_convs, tx->token);
    const struct outbox *row = tx->puts->outbox;
    if (!q || tx->result == ERR_CANCELLED) {
        tx_free(tx);
        return;
    }
    q->channel->unsettled -= q->asked;
    q->asked = false;
    if (tx->result) { /* asked again: the platform may get it twice */
        q->busy = false;
        q->first->due_at = now_ms(d) + STORE_MS;
        go_on(d, q);
        tx_free(tx);
        return;
    }
    meter_add(row->state == OUTBOX_SENT   ? &m_sent
              : row->state == OUTBOX_DEAD ? &m_dead
                                          : &m_retried,
              1);
    tell_status(d, tx);
    if (row->state != OUTBOX_WAITING) {
        item_done(d, q);
    } else if (q->unheard && q->heard) {
        q->first->due_at = 0;
    }
    q->busy = false;
    go_on(d, q);
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
        add(r->desk, tx->puts->outbox, (struct slice){0});
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
    if (window_is_over(d, o->conv)) {
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
    write_status(tx, o, slice_dup(tx->arena, status), reason,
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
