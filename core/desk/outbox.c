/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c - messages to platforms: in order and at their pace.
 *
 * Happy path: a message of an agent or a script in a channel with an adapter is
 * committed with its row (I4); the first of each conversation is given to the
 * adapter as soon as the channel's pace allows; what it says of it is settled
 * in outbox_end.c. Failure: a channel that fails again and again is left alone
 * for a while (base/breaker.h); what waited beyond its reply window is not even
 * tried.
 *
 * Where the platform's own call waits for an answer (ports.held), the first goes
 * in it: past the pace and the breaker, which are about our calls. If that comes
 * to nothing it goes as any other.
 *
 * Where visitors have sockets (face.pushes), a row waits a little, and push.c
 * finds out whether the message has arrived; if not, all that wait in the
 * conversation go out as one push, and then it is quiet for a while.
 */
#include "desk/outbox.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"

#define AT_ONCE 4
#define CLEARED_MS 2000 /* so long a look at sockets is worth something */
#define BATCH_MOST 100

static int64_t now_ms(const struct desk *d)
{
    return d->conf.ports.now(d->conf.ports.arg);
}

/* --- in memory ------------------------------------------------------------ */

static void on_pace(struct timer *t);
static void on_due(struct timer *t);

struct out_channel *outbox_channel(struct desk *d, uint64_t id)
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
        q->channel = outbox_channel(d, row->channel);
        list_init(&q->link);
        timer_init(&q->timer, on_due);
        map_put(&d->out_convs, row->conv, q);
    }
    return q;
}

void outbox_item_free(struct out_item *it)
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
            outbox_item_free(q->first);
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
    if (!q->busy && q->first && !q->first->held && list_empty(&q->link)) {
        list_add_last(&q->channel->ready, &q->link);
    }
}

static void send(struct out_conv *q);

/* true: the first goes as the answer to a webhook. */
static bool answer_held(struct out_conv *q)
{
    struct desk *d = q->channel->desk;
    const struct desk_ports *ports = &d->conf.ports;
    if (q->busy || !q->first || q->first->held || q->first->undoes ||
        !ports->held || !channel_face(d, q->channel->id).answers) {
        return false;
    }
    q->held = ports->held(ports->arg, q->channel->id, q->contact);
    if (!q->held) {
        return false;
    }
    timer_stop(d->wheel, &q->timer);
    q->push = false;
    q->ticket = 0;
    send(q);
    return true;
}

void desk_answer_held(struct desk *d, uint64_t conv)
{
    struct out_conv *q = map_get(&d->out_convs, conv);
    if (q && d->started) {
        (void)answer_held(q);
    }
}

/* The next of the conversation, now or when it is due. */
void outbox_go_on(struct desk *d, struct out_conv *q)
{
    if (q->first && q->first->held) {
        return; /* until it is let go */
    }
    int64_t due = q->first ? q->first->due_at : 0;
    due = due > q->quiet_till ? due : q->quiet_till;
    if (due > now_ms(d)) { /* also with nothing in it: it is kept quiet */
        timer_start(d->wheel, &q->timer, due);
        return;
    }
    if (!q->first) {
        conv_drop(d, q);
        return;
    }
    if (!answer_held(q)) {
        make_ready(q);
        outbox_pump(q->channel);
    }
}

static void on_due(struct timer *t)
{
    struct out_conv *q = container_of(t, struct out_conv, timer);
    outbox_go_on(q->channel->desk, q);
}

void outbox_add(struct desk *d, const struct outbox *row, struct slice body)
{
    struct out_conv *q = conv_get(d, row);
    struct out_item *it = mem_alloc(sizeof *it);
    it->id = row->id;
    it->pos = row->pos;
    it->undoes = row->undoes;
    it->seq = row->seq;
    it->attempts = row->attempts;
    it->due_at = row->due_at;
    it->created_at = row->created_at;
    text_own(&it->to, row->to);
    if (body.len) {
        text_own(&it->body, body);
    }
    d->outbox++;
    q->channel->waiting++;
    if (q->last) {
        q->last->next = it;
    } else {
        q->first = it;
    }
    q->last = it;
    if (q->first == it && d->started) {
        outbox_go_on(d, q);
    }
}

void desk_restore_outbox(struct desk *d, const struct outbox *o)
{
    if (o->state == OUTBOX_WAITING) {
        struct out_conv *q = conv_get(d, o);
        q->restored_at = now_ms(d);
        outbox_add(d, o, (struct slice){0});
        q->unheard = true; /* perhaps: asking once is cheap */
    }
}

void outbox_start(struct desk *d)
{
    struct out_conv *q;
    for (size_t i = 0; (q = map_next(&d->out_convs, &i)) != NULL;) {
        outbox_go_on(d, q);
    }
}

void desk_faces_changed(struct desk *d)
{
    struct out_conv *q;
    channels_spoil(d);
    for (size_t i = 0; (q = map_next(&d->out_convs, &i)) != NULL;) {
        if (q->nobody && !q->busy) {
            q->nobody = false;
            q->first->due_at = 0;
            timer_stop(d->wheel, &q->timer);
            outbox_go_on(d, q);
        }
    }
}

bool desk_is_sending(const struct desk *d, uint64_t channel)
{
    const struct out_channel *ch = map_get(&d->out_channels, channel);
    return ch && ch->unsettled;
}

bool desk_is_sending_to(const struct desk *d, uint64_t contact)
{
    const struct person *p = map_get(&d->persons, contact);
    const struct conv *c = p ? p->conv : NULL;
    const struct out_conv *q = c ? map_get(&d->out_convs, c->rec.id) : NULL;
    return q && q->asked;
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
        outbox_go_on(d, q);
    }
}

/* --- with the message ----------------------------------------------------- */

static bool goes_out(const struct event *ev)
{
    return ev->name == EVENT_MESSAGE_CREATED && !(ev->flags & EVENT_PRIVATE) &&
           (ev->role == ROLE_AGENT || ev->role == ROLE_BOT);
}

void outbox_put(struct desk *d, struct conv *c, struct tx *tx)
{
    bool any = false;
    for (struct event *ev = tx->first; ev && !any; ev = ev->next) {
        any = goes_out(ev);
    }
    if (!any || !d->conf.ports.face) {
        return;
    }
    struct channel_face face = channel_face(d, c->rec.channel);
    if (!face.sends && !face.pushes) {
        return; /* its sockets are told, and that is all */
    }
    const struct step *s = tx->owner;
    int64_t due = face.pushes ? now_ms(d) + face.push_after_ms : 0;
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
                               .due_at = due,
                               .created_at = now_ms(d),
                               .updated_at = now_ms(d),
                               .to = who ? slice_dup(tx->arena, who->identity)
                                         : SLICE("")};
        if (ev->flags & EVENT_OUTSIDE) { /* it is there: a row for receipts */
            row->state = OUTBOX_SENT;
            row->remote = s->act->remote;
        }
        tx_put(tx, PUT_OUTBOX)->outbox = row;
    }
}

void outbox_stored(struct desk *d, struct outbox *row)
{
    if (row->of && row->state == OUTBOX_WAITING) {
        row->pos = row->of->pos;
        row->seq = row->of->seq;
        outbox_add(d, row, row->of->body);
    } else if (row->undoes) {
        outbox_add(d, row, (struct slice){0});
    }
}

/* --- taken back ----------------------------------------------------------- */

static struct out_item **item_of(struct out_conv *q, uint64_t pos, uint32_t *n)
{
    struct out_item **at = q ? &q->first : NULL;
    for (*n = 0; at && *at && ((*at)->pos != pos || (*at)->undoes); ++*n) {
        at = &(*at)->next;
    }
    return at && *at ? at : NULL;
}

enum outbox_place outbox_hold(struct desk *d, uint64_t conv, uint64_t pos)
{
    uint32_t n;
    struct out_conv *q = map_get(&d->out_convs, conv);
    struct out_item **at = item_of(q, pos, &n);
    if (!at) {
        return OUTBOX_NOWHERE;
    }
    if ((*at)->held || (q->busy && (n < q->batch || q->push))) {
        return OUTBOX_FLYING; /* or somebody else is at it */
    }
    (*at)->held = true;
    if (*at == q->first) {
        list_remove(&q->link);
        list_init(&q->link);
        timer_stop(d->wheel, &q->timer);
    }
    return OUTBOX_HELD;
}

static void item_drop(struct desk *d, struct out_conv *q, struct out_item **at)
{
    struct out_item *it = *at;
    *at = it->next;
    q->last = NULL;
    for (struct out_item *i = q->first; i; i = i->next) {
        q->last = i;
    }
    outbox_item_free(it);
    q->channel->waiting--;
    d->outbox--;
}

void outbox_let_go(struct desk *d, uint64_t conv, uint64_t pos, bool drop)
{
    uint32_t n;
    struct out_conv *q = map_get(&d->out_convs, conv);
    struct out_item **at = item_of(q, pos, &n);
    if (!at || !(*at)->held) {
        return;
    }
    (*at)->held = false;
    if (drop) {
        item_drop(d, q, at);
    }
    if (n == 0 && !q->busy) {
        outbox_go_on(d, q);
    }
}

/* --- sending -------------------------------------------------------------- */

/* What goes out: the first, or the last of all that one push tells of. */
static struct out_item *item_out(const struct out_conv *q)
{
    struct out_item *it = q->first;
    for (uint32_t i = 1; i < q->batch; i++) {
        it = it->next;
    }
    return it;
}

static struct slice item_json(struct arena *a, const struct out_conv *q,
                              const struct out_item *it, struct slice body)
{
    struct buf out;
    char id[ID_TEXT], cv[ID_TEXT], ct[ID_TEXT];
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES * 2);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "id", id_text(id, ID_OUTBOX, it->id));
    jsonw_put_text(&w, "conversation", id_text(cv, ID_CONVERSATION, q->conv));
    jsonw_put_text(&w, "to", it->to.len ? it->to : SLICE(""));
    jsonw_put_int(&w, "seq", it->seq);
    jsonw_put_int(&w, "attempt", q->first->attempts + 1);
    if (q->push) {
        jsonw_put_text(&w, "contact", id_text(ct, ID_CONTACT, q->contact));
        jsonw_put_int(&w, "count", q->batch);
        jsonw_put_int(&w, "unread", q->unread);
    }
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

static void give(struct out_conv *q, struct slice body)
{
    struct desk *d = q->channel->desk;
    struct out_item *it = item_out(q);
    enum hook hook = it->undoes ? HOOK_RECALL
                     : q->push  ? HOOK_PUSH
                     : q->held  ? HOOK_PASSIVE
                                : HOOK_DELIVER;
    struct job *job = job_new(hook, outbox_delivered, d);
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
    job->call->number = q->held;
    d->conf.ports.run(d->conf.ports.arg, job);
}

/* Nothing needs to be asked of the platform. */
static void end_here(struct out_conv *q, enum outbox_state state)
{
    struct verdict v = {
        .state = state, .told = BREAKER_NOTHING, .reason = SLICE("")};
    q->channel->under_way--;
    if (q->ticket) {
        breaker_note(&q->channel->breaker, q->ticket, v.told,
                     now_ms(q->channel->desk));
    }
    outbox_settle(q->channel->desk, q, NULL, &v);
}

/* The row of what is to be taken back: as it ended, for it stood in front. */
static void on_sent_row(struct query *q)
{
    struct desk *d = q->owner;
    struct out_conv *c = map_get(&d->out_convs, q->conv);
    const struct outbox *row = q->outbox;
    if (q->result == ERR_CANCELLED || !c) {
        query_free(q);
        return;
    }
    if (q->result || row->state != OUTBOX_SENT || !row->remote.len) {
        end_here(c, OUTBOX_SENT); /* it never got there */
        query_free(q);
        return;
    }
    struct buf out;
    buf_init(&out, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "sent", row->remote);
    jsonw_close(&w, '}');
    must(w.failed == 0);
    give(c, buf_slice(&out));
    buf_fini(&out);
    query_free(q);
}

/* It was recalled while it was with the adapter, in vain, or before a start. */
static bool is_recalled(const struct query *q)
{
    struct json *j;
    return q->result == 0 && q->events &&
           json_parse(q->arena, q->events->body, NULL, &j) == 0 &&
           json_bool(j, "recalled", false);
}

static void on_body(struct query *q)
{
    struct desk *d = q->owner;
    struct out_conv *c = map_get(&d->out_convs, q->conv);
    if (q->result == ERR_CANCELLED || !c) {
        query_free(q);
        return;
    }
    if (is_recalled(q)) {
        end_here(c, OUTBOX_RECALLED);
    } else {
        give(c, q->result == 0 && q->events ? q->events->body : SLICE(""));
    }
    query_free(q);
}

/* It leaves the ready ones until something came of it. */
static void take(struct out_conv *q)
{
    q->busy = true;
    q->nobody = q->unheard = q->heard = false;
    q->batch = 1;
    list_remove(&q->link);
    list_init(&q->link);
}

static void send(struct out_conv *q)
{
    struct desk *d = q->channel->desk;
    take(q);
    q->channel->under_way++;
    q->channel->unsettled++;
    q->asked = true;
    q->cleared_at = 0;
    for (struct out_item *i = q->first->next;
         q->push && i && !i->held && q->batch < BATCH_MOST; i = i->next) {
        q->batch++;
    }
    struct out_item *it = item_out(q);
    if (it->body.len) {
        struct slice body = it->body;
        it->body = (struct slice){0}; /* read again, if ever */
        give(q, body);
        text_free(&body);
        return;
    }
    struct query *ask = query_new(it->undoes ? QUERY_OUTBOX : QUERY_EVENT,
                                  it->undoes ? on_sent_row : on_body, d);
    ask->id = it->undoes;
    ask->after_pos = it->pos;
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
    take(q);
    outbox_settle(d, q, NULL, &v);
    return true;
}

/* --- what push.c finds ---------------------------------------------------- */

void outbox_arrived(struct desk *d, struct out_conv *q, uint32_t n)
{
    struct verdict v = {.state = OUTBOX_SENT, .arrived = true};
    q->batch = n;
    outbox_settle(d, q, NULL, &v);
}

void outbox_wait(struct desk *d, struct out_conv *q, int64_t ms)
{
    q->busy = false;
    timer_start(d->wheel, &q->timer, now_ms(d) + ms);
}

void outbox_clear(struct desk *d, struct out_conv *q, uint32_t unread)
{
    q->busy = false;
    q->unread = unread;
    q->cleared_at = now_ms(d);
    make_ready(q);
    outbox_pump(q->channel);
}

static bool is_cleared(const struct out_conv *q)
{
    return q->cleared_at &&
           now_ms(q->channel->desk) - q->cleared_at < CLEARED_MS;
}

/* After a start the sockets are on their way back: twice the usual time. */
static void look(struct out_conv *q, int64_t after_ms)
{
    struct desk *d = q->channel->desk;
    int64_t left =
        q->restored_at ? q->restored_at + 2 * after_ms - now_ms(d) : 0;
    take(q);
    q->restored_at = 0;
    if (left > 0) {
        outbox_wait(d, q, left);
    } else {
        push_look(d, q);
    }
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

void outbox_pump(struct out_channel *ch)
{
    struct desk *d = ch->desk;
    struct channel_face face = channel_face(d, ch->id);
    uint32_t most = face.at_once > 0 ? (uint32_t)face.at_once : AT_ONCE;
    while (!list_empty(&ch->ready) && ch->under_way < most) {
        struct out_conv *q =
            container_of(ch->ready.next, struct out_conv, link);
        if (face.reply_window_ms && !q->first->undoes && shut(q)) {
            continue;
        }
        int64_t ms = wait_ms(ch, &face);
        if (ms > 0) {
            timer_stop(d->wheel, &ch->timer);
            timer_start(d->wheel, &ch->timer, now_ms(d) + ms);
            return;
        }
        q->push = face.pushes && !q->first->undoes;
        if (q->push && !is_cleared(q)) {
            look(q, face.push_after_ms);
            continue;
        }
        ch->tokens -= face.rate > 0 ? 1000 : 0;
        q->ticket = breaker_take(&ch->breaker, now_ms(d));
        send(q);
    }
}

static void on_pace(struct timer *t)
{
    outbox_pump(container_of(t, struct out_channel, timer));
}
