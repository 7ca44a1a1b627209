/* SPDX-License-Identifier: Apache-2.0 */
/* recall.c - a message is taken back.
 *
 * Happy path: the message is read, the right to take it back is checked, and
 * one transaction says so (message.updated), leaves of the message only who
 * said it and when (PUT_LEFT), and keeps it from going out: what is not sent
 * yet never is, for what was sent the adapter's recall() gets a row of its own
 * in the outbox, behind it. Failure: too late, not one's own, a platform that
 * takes nothing back; who was not the first is told the same as the first.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "desk/outbox.h"

struct recall {
    struct desk *desk;
    struct conv *conv;
    struct act *act;
    struct event was; /* as it was said; its slices lie in the act */
    struct slice left;
    struct outbox *row; /* how it went out, NULL = it did not */
    bool held;
};

static int64_t now_ms(const struct desk *d)
{
    return d->conf.ports.now(d->conf.ports.arg);
}

/* --- may they? ------------------------------------------------------------ */

static bool is_recalled(struct slice body)
{
    bool yes = false;
    struct json *j;
    if (memmem(body.at, body.len, "\"recalled\"", 10)) {
        struct arena *a = arena_new();
        yes = json_parse(a, body, NULL, &j) == 0 &&
              json_bool(j, "recalled", false);
        arena_free(a);
    }
    return yes;
}

/* A bot's words are taken back by who holds the conversation, or leads. */
static bool answers_for_bot(const struct desk *d, const struct conv *c,
                            uint64_t agent)
{
    const struct agent *a = desk_agent(d, agent);
    return a && (a->role != AGENT_ROLE_AGENT || c->rec.assignee == agent);
}

static const char *not_theirs(const struct desk *d, const struct conv *c,
                              const struct act *act, const struct event *ev)
{
    if (act->role == ROLE_SYSTEM) {
        return ev->role == ROLE_VISITOR ? "this is the customer's own message"
                                        : NULL;
    }
    if (ev->role == act->role && ev->sender == act->actor) {
        return NULL;
    }
    if (act->role == ROLE_AGENT && ev->role == ROLE_BOT &&
        answers_for_bot(d, c, act->actor)) {
        return NULL;
    }
    return "only who said it can take it back";
}

static int judge(const struct desk *d, const struct conv *c, struct recall *r)
{
    struct act *act = r->act;
    const struct event *ev = &r->was;
    bool hidden = act->role == ROLE_VISITOR && ev->flags & EVENT_PRIVATE;
    if (ev->name != EVENT_MESSAGE_CREATED || ev->conv != c->rec.id || hidden) {
        return err_set(&act->err, ERR_NOT_FOUND, "there is no such message");
    }
    const char *no = act->platform ? NULL : not_theirs(d, c, act, ev);
    return no ? err_set(&act->err, ERR_FORBIDDEN, "%s", no) : 0;
}

static int in_time(const struct desk *d, struct recall *r)
{
    if (r->act->platform || now_ms(d) - r->was.at <= d->conf.recall_ms) {
        return 0;
    }
    return err_set(&r->act->err, ERR_UNPROCESSABLE,
                   "a message can be taken back for %lld s only",
                   (long long)(d->conf.recall_ms / 1000));
}

/* --- what is written ------------------------------------------------------ */

static void put_by(struct jsonw *w, const struct recall *r)
{
    struct buf who;
    const struct act *act = r->act;
    buf_init(&who, LIMIT_FRAME_BYTES);
    struct slice name = act->role == ROLE_VISITOR ? person_name(r->conv->person)
                                                  : (struct slice){0};
    jsonw_put_bool(w, "recalled", true);
    jsonw_put_int(w, "recalled_at", now_ms(r->desk));
    sender_write(r->desk, &who, act->role, act->actor, name);
    jsonw_put_raw(w, "recalled_by", buf_slice(&who));
    buf_fini(&who);
}

/* Who said it, of which kind, and that it is gone. */
static int write_left(struct recall *r)
{
    static const char *const stays[] = {"kind", "private", "reply_to", "stream",
                                        "sender"};
    struct arena *a = r->act->arena;
    struct json *was = NULL;
    struct buf out;
    if (json_parse(a, r->was.body, NULL, &was)) {
        return err_set(&r->act->err, ERR_GONE, "the message was erased");
    }
    buf_init(&out, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    for (size_t i = 0; i < sizeof stays / sizeof *stays; i++) {
        const struct json *v = json_get(was, stays[i]);
        if (v) {
            jsonw_key(&w, stays[i]);
            jsonw_value(&w, v);
        }
    }
    put_by(&w, r);
    jsonw_close(&w, '}');
    r->left = slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return w.failed ? err_set(&r->act->err, ERR_TOOBIG, "too long") : 0;
}

static uint64_t file_of_message(const struct recall *r, struct arena *a)
{
    struct json *was = NULL;
    uint64_t id = 0;
    if (json_parse(a, r->was.body, NULL, &was) ||
        !id_parse(json_text(json_get(was, "file"), "id"), ID_FILE, &id)) {
        return 0;
    }
    return id;
}

static void add_event(struct recall *r, struct tx *tx)
{
    struct event *ev = tx_event(tx, EVENT_MESSAGE_UPDATED);
    char id[ID_TEXT];
    struct buf out;
    ev->conv = r->was.conv;
    ev->role = r->act->role;
    ev->sender = r->act->actor;
    ev->flags = r->was.flags & EVENT_PRIVATE;
    buf_init(&out, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "id", id_text(id, ID_MESSAGE, r->was.pos));
    jsonw_put_int(&w, "seq", r->was.seq);
    put_by(&w, r);
    jsonw_close(&w, '}');
    must(w.failed == 0);
    ev->body = slice_dup(tx->arena, buf_slice(&out));
    buf_fini(&out);
}

static void add_row(struct tx *tx, const struct outbox *of,
                    enum outbox_state state, uint64_t undo, int64_t now)
{
    struct outbox *row = arena_one(tx->arena, struct outbox);
    *row = *of; /* its texts lie in the act, which lives as long */
    row->state = state;
    row->updated_at = now;
    row->reason = row->code = SLICE("");
    if (undo) {
        row->undoes = of->id;
        row->id = undo;
        row->attempts = 0;
        row->due_at = 0;
        row->created_at = now;
        row->remote = SLICE("");
        row->receipt = RECEIPT_NONE;
    }
    tx_put(tx, PUT_OUTBOX)->outbox = row;
}

/* The rows of the outbox: what waits stays here, what was sent is taken back. */
static int add_rows(struct recall *r, struct tx *tx)
{
    struct desk *d = r->desk;
    struct channel_face face = channel_face(d, r->conv->rec.channel);
    if (!r->row) {
        return 0;
    }
    enum outbox_place at = outbox_hold(d, r->was.conv, r->was.pos);
    r->held = at == OUTBOX_HELD;
    if (r->held || (at == OUTBOX_NOWHERE && r->row->state == OUTBOX_DEAD)) {
        add_row(tx, r->row, OUTBOX_RECALLED, 0, now_ms(d));
    } else if (r->act->platform || !face.sends) {
        return 0; /* it is gone there, or sockets have it */
    } else if (!face.recalls) {
        return err_set(&r->act->err, ERR_UNSUPPORTED,
                       "this channel cannot take back what it has sent");
    } else {
        add_row(tx, r->row, OUTBOX_WAITING, d->conf.ports.id(d->conf.ports.arg),
                now_ms(d));
    }
    return 0;
}

static void write(struct recall *r)
{
    struct step *s;
    struct tx *tx = conv_tx(r->desk, r->conv, &s);
    struct left *left = arena_one(tx->arena, struct left);
    s->act = r->act;
    s->recall = r;
    int got = add_rows(r, tx);
    got = got ? got : write_left(r);
    if (got) {
        if (r->held) {
            outbox_let_go(r->desk, r->was.conv, r->was.pos, false);
        }
        tx_free(tx);
        act_refuse(r->act, &r->act->err);
        return;
    }
    add_event(r, tx);
    *left = (struct left){.pos = r->was.pos,
                          .conv = r->was.conv,
                          .file = file_of_message(r, tx->arena),
                          .body = r->left};
    tx_put(tx, PUT_LEFT)->left = left;
    conv_commit(r->desk, tx);
}

/* --- when it is done ------------------------------------------------------ */

static void answer(struct recall *r, struct slice body, uint64_t pos,
                   bool again)
{
    struct act *act = r->act;
    struct desk *d = r->desk;
    struct desk_peer *p = map_get(&d->peers, act->peer);
    act->event = r->was;
    act->event.body = body;
    act->event.flags |= again ? EVENT_DUPLICATE : 0;
    if (p && act->frame && act->frame->ref.len) {
        struct notice n = notice_of(d, NOTICE_ACK, &act->event, act->arena);
        n.ref = act->frame->ref;
        n.cursor.pos = pos;
        n.duplicate = again;
        tell_peer(d, p, &n);
    }
}

void recall_done(struct desk *d, struct conv *c, struct step *s, struct tx *tx,
                 struct event *ev)
{
    struct recall *r = s->recall;
    char line[PREVIEW_BYTES];
    struct slice was = {line, preview_of(r->was.body, line)};
    if (r->held) {
        outbox_let_go(d, r->was.conv, r->was.pos, true);
    }
    bool last = c->public_seq ? c->public_seq == r->was.seq
                              : slice_eq(c->rec.preview, was);
    if (last && !(r->was.flags & EVENT_PRIVATE)) {
        text_own(&c->rec.preview, SLICE(PREVIEW_RECALLED));
    }
    answer(r, r->left, ev->pos, false);
    tell_message(d, c, ev, tx->arena, 0);
}

static void refuse(struct recall *r, int code)
{
    struct act *act = r->act;
    struct err e = act->err;
    e.code = code;
    act_refuse(act, &e);
}

void recall_failed(struct desk *d, struct conv *c, struct step *s,
                   struct tx *tx)
{
    struct recall *r = s->recall;
    struct act *act = s->act;
    s->act = NULL;
    if (r->held) {
        outbox_let_go(d, r->was.conv, r->was.pos, false);
    }
    if (tx->result == ERR_CONFLICT) {
        answer(r, r->left, c->rec.last_pos, true);
        act_finish(act, c);
        return;
    }
    act_fail(act, tx->result, tx->err.text[0] ? tx->err.text : "not stored");
}

/* --- reading first -------------------------------------------------------- */

/* The conv is kept while a question points at it. */
static void settle(struct desk *d, struct conv *c)
{
    must_be(c, CONV_MAGIC);
    c->under_way--;
    conv_settle(d, c);
}

static void on_row(struct query *q)
{
    struct recall *r = q->owner;
    struct desk *d = r->desk;
    struct conv *c = r->conv;
    struct arena *a = r->act->arena;
    if (q->result == 0 && q->outbox) {
        r->row = arena_one(a, struct outbox);
        *r->row = *q->outbox;
        r->row->to = slice_dup(a, q->outbox->to);
        r->row->remote = slice_dup(a, q->outbox->remote);
    }
    if (q->result && q->result != ERR_NOT_FOUND) {
        r->act->err = q->err;
        refuse(r, q->result);
    } else {
        write(r);
    }
    query_free(q);
    settle(d, c);
}

static void ask_row(struct recall *r)
{
    struct query *q = query_new(QUERY_OUTBOX, on_row, r);
    q->conv = r->was.conv;
    q->after_seq = r->was.seq;
    r->conv->under_way++;
    r->desk->conf.ports.read(r->desk->conf.ports.arg, q);
}

static bool went_out(const struct recall *r)
{
    struct channel_face face = channel_face(r->desk, r->conv->rec.channel);
    return !(r->was.flags & EVENT_PRIVATE) &&
           (r->was.role == ROLE_AGENT || r->was.role == ROLE_BOT) &&
           (face.sends || face.pushes);
}

static void on_message(struct query *q)
{
    struct recall *r = q->owner;
    struct desk *d = r->desk;
    struct conv *c = r->conv;
    struct arena *a = r->act->arena;
    int got = q->result;
    if (got == 0 && q->events) {
        r->was = *q->events;
        r->was.next = NULL;
        r->was.ref = slice_dup(a, q->events->ref);
        r->was.body = slice_dup(a, q->events->body);
        got = judge(d, c, r);
    } else {
        got = got ? got : ERR_NOT_FOUND;
        err_set(&r->act->err, got, "%s",
                got == ERR_NOT_FOUND ? "there is no such message"
                                     : q->err.text);
    }
    query_free(q);
    bool again = got == 0 && is_recalled(r->was.body);
    got = got || again ? got : in_time(d, r);
    if (got) {
        refuse(r, got);
    } else if (again) {
        answer(r, r->was.body, c->rec.last_pos, true);
        act_finish(r->act, c);
    } else if (went_out(r)) {
        ask_row(r);
    } else {
        write(r);
    }
    settle(d, c);
}

void recall_begin(struct desk *d, struct conv *c, struct act *act)
{
    struct recall *r = arena_one(act->arena, struct recall);
    *r = (struct recall){.desk = d, .conv = c, .act = act};
    struct query *q = query_new(QUERY_EVENT, on_message, r);
    q->after_pos = act->message;
    q->conv = c->rec.id;
    c->under_way++;
    d->conf.ports.read(d->conf.ports.arg, q);
}
