/* SPDX-License-Identifier: Apache-2.0 */
/* turns.c - answers that assistants owe: asked, streamed, committed once.
 *
 * Happy path: a visitor's message to a conversation that a bot holds becomes a
 * row with the effects of its rules (I3); the roof is asked; pieces go to who
 * sees the conversation; the answer is committed under the fence it was asked
 * with, together with the row's end, and its ref is the turn's id.
 * Failure: the visitor writes on: the turn is cancelled and asked anew. Another
 * one holds the conversation: the row is cancelled in the same transaction, so
 * that a late answer finds nothing to answer (I13). The house falls: what was
 * pending is asked again at the start. No answer can be had: the conversation
 * goes to the queue with the reason.
 */
#include "desk/turns.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/meter.h"
#include "desk/confirms.h"
#include "desk/outbox.h"
#include "desk/outcome.h"

#define AGAIN_MS 1000
#define BEHIND_BYTES (32 * 1024) /* unread: no more pieces of answers */
#define AT_PAR_BYTES (4 * 1024)  /* until it is down to this */

METER(m_turns, METER_COUNTER, "yuelai_turns_total",
      "Answers that assistants were asked for");
METER(m_late, METER_COUNTER, "yuelai_turns_late_total",
      "Answers of assistants that came after somebody else took over (I13)");
METER(m_handed, METER_COUNTER, "yuelai_turns_handed_over_total",
      "Turns after which a person is wanted");
METER(m_spared, METER_COUNTER, "yuelai_deltas_spared_total",
      "Pieces of answers that a socket did without, for it reads slowly");

static int64_t now_ms(const struct desk *d)
{
    return d->conf.ports.now(d->conf.ports.arg);
}

/* --- in memory ------------------------------------------------------------ */

static void give_begin(struct desk *d, struct conv *c, void *what);

static void on_again(struct timer *t)
{
    struct turn_live *l = container_of(t, struct turn_live, again);
    struct conv *c = conv_of(l->desk, l->conv);
    struct turn_end *e = l->end;
    l->end = NULL;
    if (c && e) {
        conv_change(l->desk, c, give_begin, e);
    }
}

static void live_free(struct turn_live *l)
{
    struct desk *d = l->desk;
    struct conv *c = conv_of(d, l->conv);
    timer_stop(d->wheel, &l->again);
    map_take(&d->turns, l->id);
    if (c && c->turn == l) {
        c->turn = NULL;
    }
    turn_end_free(l->end);
    text_free(&l->assistant);
    mem_free(l);
}

static struct turn_live *live_new(struct desk *d, struct conv *c,
                                  const struct turn *row)
{
    struct turn_live *l = mem_alloc(sizeof *l);
    l->desk = d;
    l->id = row->id;
    l->conv = row->conv;
    l->pos = row->pos;
    l->seq = row->seq;
    l->fence = row->fence;
    l->created_at = row->created_at;
    text_own(&l->assistant, row->assistant);
    timer_init(&l->again, on_again);
    map_put(&d->turns, l->id, l);
    c->turn = l;
    return l;
}

static void fill(const struct turn_live *l, const struct conv *c,
                 struct turn *out)
{
    *out = (struct turn){.id = l->id,
                         .conv = l->conv,
                         .contact = c->rec.contact,
                         .pos = l->pos,
                         .seq = l->seq,
                         .fence = l->fence,
                         .assistant = l->assistant,
                         .created_at = l->created_at,
                         .updated_at = now_ms(l->desk)};
}

static void ask(struct desk *d, struct conv *c, struct turn_live *l)
{
    struct turn row;
    meter_add(&m_turns, 1);
    l->given = true;
    typing_out(d, c);
    if (d->conf.ports.ask) {
        fill(l, c, &row);
        d->conf.ports.ask(d->conf.ports.arg, &row);
        return;
    }
    struct turn_end *e = turn_end_new(l->id);
    e->state = TURN_FAILED;
    e->reason = e->handover = SLICE("no assistant can be asked here");
    desk_turn_end(d, e);
}

static void take_back(struct desk *d, struct turn_live *l, const char *why)
{
    if (l->given && d->conf.ports.unask) {
        l->given = false;
        d->conf.ports.unask(d->conf.ports.arg, l->id, why);
    }
}

void turns_heard(struct desk *d, struct conv *c)
{
    if (c->turn) { /* the row goes with what its rules say */
        take_back(d, c->turn, "the visitor wrote on");
    }
}

void turns_drop(struct desk *d, struct conv *c)
{
    list_each (&c->watchers, n) {
        turns_watch(d, container_of(n, struct desk_peer, watch_link), NULL);
    }
    if (c->turn) {
        take_back(d, c->turn, "the conversation is over");
        live_free(c->turn);
    }
}

void desk_restore_turn(struct desk *d, const struct turn *t)
{
    struct conv *c = conv_of(d, t->conv);
    if (!c || c->turn || c->rec.fence != t->fence || c->rec.state != CONV_BOT) {
        return; /* its conversation went on without it */
    }
    live_new(d, c, t)->seq = c->visitor_seq;
}

void turns_start(struct desk *d)
{
    struct turn_live *l;
    for (size_t i = 0; (l = map_next(&d->turns, &i)) != NULL;) {
        struct conv *c = conv_of(d, l->conv);
        if (c && !l->given) {
            ask(d, c, l);
        }
    }
}

/* --- rows ----------------------------------------------------------------- */

static void put_row(struct tx *tx, const struct turn_live *l,
                    const struct conv *c, enum turn_state state,
                    struct slice reason, struct slice note)
{
    struct turn *row = arena_one(tx->arena, struct turn);
    fill(l, c, row);
    row->assistant = slice_dup(tx->arena, l->assistant);
    row->state = state;
    row->reason = slice_dup(tx->arena, reason);
    row->note = slice_dup(tx->arena, note);
    tx_put(tx, PUT_TURN)->turn = row;
}

static bool has_row(const struct tx *tx, uint64_t id)
{
    for (const struct put *p = tx->puts; p; p = p->next) {
        if (p->kind == PUT_TURN && p->turn->id == id) {
            return true;
        }
    }
    return false;
}

/* People take it from its bot. */
static void owe_note(const struct conv *c, struct step *s, struct tx *tx)
{
    const struct desk_ports *p = &s->desk->conf.ports;
    enum conv_state to = s->next.state;
    if (!s->changes || c->rec.state != CONV_BOT || to == CONV_BOT ||
        to == CONV_CLOSED || !s->next.bot.len || !p->leaves) {
        return;
    }
    struct kv *owed = p->leaves(p->arg, &s->next, tx->arena);
    if (owed) {
        tx_put(tx, PUT_KV)->kv = owed;
        s->owed = owed;
    }
}

void turns_put(struct conv *c, struct step *s, struct tx *tx)
{
    owe_note(c, s, tx);
    if (c->turn && s->changes && s->next.fence != c->turn->fence &&
        !has_row(tx, c->turn->id)) {
        put_row(tx, c->turn, c, TURN_CANCELLED,
                SLICE("another one holds the conversation"), SLICE(""));
    }
}

void turns_stored(struct desk *d, const struct turn *row)
{
    struct turn_live *l = map_get(&d->turns, row->id);
    struct conv *c = conv_of(d, row->conv);
    if (row->state == TURN_PENDING) {
        must(c && !l);
        if (c->turn) {
            take_back(d, c->turn, "asked anew");
            live_free(c->turn);
        }
        l = live_new(d, c, row);
        l->seq = c->visitor_seq; /* what was stored before it is heard, too */
        if (d->started) {
            ask(d, c, l);
        }
    } else if (!l && row->state == TURN_DONE) {
        meter_add(&m_turns, 1); /* it was known */
    } else if (l) {
        struct slice why = row->reason;
        char text[120];
        size_t n = why.len < sizeof text - 1 ? why.len : sizeof text - 1;
        if (n) {
            memcpy(text, why.at, n);
        }
        text[n] = '\0';
        take_back(d, l, text);
        live_free(l);
    }
}

/* --- which job wants one -------------------------------------------------- */

static bool replied(const struct job *job)
{
    for (const struct effect *e = job->first; e; e = e->next) {
        if (e->type == EFFECT_REPLY) {
            return true;
        }
    }
    return false;
}

/* A later message of the visitor waits for its rules: that one will ask. */
static bool another_waits(const struct conv *c)
{
    for (const struct job *j = c->jobs; j;
         j = (const struct job *)j->mail.next) {
        if (j->hook == HOOK_MESSAGE) {
            return true;
        }
    }
    return false;
}

static struct turn *owed(struct desk *d, const struct conv *c, struct tx *tx,
                         const struct conversation *next, uint64_t pos)
{
    struct turn *row = arena_one(tx->arena, struct turn);
    *row = (struct turn){.id = d->conf.ports.id(d->conf.ports.arg),
                         .conv = c->rec.id,
                         .contact = c->rec.contact,
                         .pos = pos ? pos : c->rec.handled,
                         .seq = c->visitor_seq,
                         .fence = next->fence,
                         .assistant = slice_dup(tx->arena, next->bot),
                         .created_at = now_ms(d),
                         .updated_at = now_ms(d)};
    return row;
}

void turns_owe(struct desk *d, const struct conv *c, struct tx *tx,
               const struct conversation *next, uint64_t pos)
{
    tx_put(tx, PUT_TURN)->turn = owed(d, c, tx, next, pos);
}

void turns_anew(struct desk *d, struct conv *c, struct tx *tx,
                const struct conversation *next)
{
    if (c->turn && !has_row(tx, c->turn->id)) {
        put_row(tx, c->turn, c, TURN_CANCELLED, SLICE("asked anew"), SLICE(""));
    }
    turns_owe(d, c, tx, next, 0);
}

/* Nothing was said but these words, and nothing is with them. */
static bool first_words(const struct outcome *o)
{
    const struct conv *c = o->c;
    for (const struct event *ev = o->tx->first; ev; ev = ev->next) {
        if (ev->name == EVENT_MESSAGE_CREATED) {
            return false;
        }
    }
    return o->job->event.seq == 1 && c->rec.last_seq == 1 && !c->confirm &&
           slice_is(o->job->kind, "text");
}

/* True: nobody must be asked, the answer goes with these effects. */
static bool is_known(struct outcome *o)
{
    const struct desk_ports *p = &o->d->conf.ports;
    if (!p->known || !first_words(o)) {
        return false;
    }
    struct turn *row = owed(o->d, o->c, o->tx, &o->s->next, o->job->event.pos);
    struct known k = {.turn = row,
                      .channel = o->c->rec.channel,
                      .question = o->job->text,
                      .arena = o->tx->arena};
    if (!p->known(p->arg, &k)) {
        return false;
    }
    must(k.body.len);
    row->state = TURN_DONE;
    row->note = k.note;
    o->known = row;
    o->answer = k.body;
    return true;
}

void turns_plan(struct outcome *o)
{
    const struct job *job = o->job;
    struct conv *c = o->c;
    const struct conversation *next = &o->s->next;
    bool said = job->event.name == EVENT_MESSAGE_CREATED &&
                job->event.role == ROLE_VISITOR && job->event.seq;
    bool answered = job->decided && replied(job);
    bool holds = next->state == CONV_BOT && next->bot.len && !o->late;
    bool wanted = o->to_bot ? said || c->rec.waiting_since_at
                            : said && job->hook == HOOK_MESSAGE && !answered;
    bool anew = said && c->turn && job->event.seq > c->turn->seq;
    if (c->turn && (anew || (holds && wanted)) &&
        !has_row(o->tx, c->turn->id)) {
        put_row(o->tx, c->turn, c, TURN_CANCELLED,
                SLICE("the visitor wrote on"), SLICE(""));
        o->puts = true;
    }
    if (holds && wanted && !another_waits(c)) {
        if (!said || !is_known(o)) {
            turns_owe(o->d, c, o->tx, next, said ? job->event.pos : 0);
        }
        o->puts = true;
    }
}

/* --- the answer ----------------------------------------------------------- */

struct turn_end *turn_end_new(uint64_t turn)
{
    struct arena *a = arena_new();
    struct turn_end *e = arena_one(a, struct turn_end);
    e->arena = a;
    e->turn = turn;
    e->state = TURN_DONE;
    return e;
}

void turn_end_free(struct turn_end *e)
{
    if (e) {
        arena_free(e->arena);
    }
}

static void put_kept(struct tx *tx, const struct turn_end *e)
{
    for (size_t i = 0; i < e->kv_count; i++) {
        struct kv *kv = arena_one(tx->arena, struct kv);
        *kv = e->kv[i];
        kv->space = slice_dup(tx->arena, e->kv[i].space);
        kv->key = slice_dup(tx->arena, e->kv[i].key);
        kv->value = slice_dup(tx->arena, e->kv[i].value);
        tx_put(tx, PUT_KV)->kv = kv;
    }
}

/* The reason, for the people who take it; never to the visitor. */
static void put_reason(struct outcome *o, struct slice reason)
{
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", reason);
    jsonw_put_bool(&w, "private", true);
    jsonw_put_text(&w, "handover", reason);
    jsonw_close(&w, '}');
    if (!w.failed) {
        struct event *ev = conv_tx_message(o->tx, o->s, ROLE_SYSTEM, 0,
                                           (struct slice){0}, buf_slice(&out));
        ev->flags |= EVENT_PRIVATE;
        ev->cause = o->job->event.pos;
    }
    buf_fini(&out);
}

static void on_kept(struct tx *tx)
{
    if (tx->result) {
        log_warn("desk", "what a late answer cost was not stored: %s",
                 tx->err.text);
    }
    tx_free(tx);
}

/* Nothing of it is said; what it cost is kept. */
static void too_late(struct desk *d, struct turn_end *e)
{
    meter_add(&m_late, 1);
    if (e->kv_count) {
        struct tx *tx = tx_new(on_kept, NULL);
        put_kept(tx, e);
        d->conf.ports.commit(d->conf.ports.arg, tx);
    }
    turn_end_free(e);
}

static void put_answer(struct outcome *o, uint64_t turn, uint64_t pos,
                       struct slice assistant, struct slice body)
{
    char id[ID_TEXT];
    struct event *ev =
        conv_tx_message(o->tx, o->s, ROLE_BOT, 0, assistant, body);
    ev->ref = slice_dup(o->tx->arena, id_text(id, ID_TURN, turn));
    ev->cause = pos;
}

void turns_answer(struct outcome *o)
{
    struct turn *row = o->known;
    if (row) {
        put_answer(o, row->id, row->pos, row->assistant, o->answer);
        tx_put(o->tx, PUT_TURN)->turn = row;
    }
}

static void give_begin(struct desk *d, struct conv *c, void *what)
{
    struct turn_end *e = what;
    struct turn_live *l = map_get(&d->turns, e->turn);
    if (!l || c->turn != l || l->fence != c->rec.fence ||
        c->rec.state != CONV_BOT || c->visitor_seq > l->seq) {
        too_late(d, e);
        conv_change_end(d, c);
        return;
    }
    struct job job = {.hook = HOOK_ASK,
                      .fence = c->rec.fence,
                      .at = l->created_at,
                      .ran = 1,
                      .hops = e->hops,
                      .trouble =
                          e->state == TURN_FAILED ? e->reason : SLICE(""),
                      .rule = l->assistant,
                      .event = {.pos = l->pos, .conv = c->rec.id}};
    struct outcome o = outcome_of(d, c, &job);
    if (e->body.len) {
        put_answer(&o, l->id, l->pos, l->assistant, e->body);
    }
    put_kept(o.tx, e);
    confirms_end(&o, e);
    put_row(o.tx, l, c, e->state, e->reason, e->note);
    if (e->handover.len) {
        meter_add(&m_handed, 1);
        put_reason(&o, e->handover);
        outcome_place(&o);
        conv_tx_change(o.tx, o.s, o.name, ROLE_BOT, 0, l->pos);
    }
    trace_put(&o, o.tx->first);
    o.s->changes = true;
    o.s->end = e;
    conv_commit(d, o.tx);
}

void turns_unwritten(struct desk *d, struct turn_end *e)
{
    struct turn_live *l = map_get(&d->turns, e->turn);
    if (!l || l->end) {
        turn_end_free(e);
        return;
    }
    l->end = e;
    timer_start(d->wheel, &l->again, now_ms(d) + AGAIN_MS);
}

void desk_turn_end(struct desk *d, struct turn_end *e)
{
    struct turn_live *l = map_get(&d->turns, e->turn);
    struct conv *c = l ? conv_of(d, l->conv) : NULL;
    if (!c) {
        too_late(d, e);
        return;
    }
    l->given = false;
    conv_change(d, c, give_begin, e);
}

/* --- a note beside ------------------------------------------------------- */

struct note {
    struct arena *arena; /* owned; it lies in it */
    struct slice assistant, body;
    struct kv *owed; /* NULL = nothing is */
};

static void put_given(struct tx *tx, const struct kv *owed)
{
    if (owed) {
        struct kv *kv = arena_one(tx->arena, struct kv);
        kv->space = slice_dup(tx->arena, owed->space);
        kv->key = slice_dup(tx->arena, owed->key);
        tx_put(tx, DEL_KV)->kv = kv;
    }
}

static void on_given(struct tx *tx)
{
    if (tx->result) { /* tried again after a restart */
        log_warn("desk", "a note that is not owed any more: %s", tx->err.text);
    }
    tx_free(tx);
}

/* There will be none. */
static void give_none(struct desk *d, const struct kv *owed)
{
    if (owed) {
        struct tx *tx = tx_new(on_given, NULL);
        put_given(tx, owed);
        d->conf.ports.commit(d->conf.ports.arg, tx);
    }
}

static void note_begin(struct desk *d, struct conv *c, void *what)
{
    struct note *n = what;
    if (c->rec.state == CONV_BOT || c->rec.state == CONV_CLOSED) {
        give_none(d, n->owed);
        conv_change_end(d, c);
    } else {
        struct step *s;
        struct tx *tx = conv_tx(d, c, &s);
        struct event *ev =
            conv_tx_message(tx, s, ROLE_BOT, 0, n->assistant, n->body);
        ev->flags |= EVENT_PRIVATE;
        put_given(tx, n->owed);
        s->changes = true;
        conv_commit(d, tx);
    }
    arena_free(n->arena);
}

void desk_note(struct desk *d, uint64_t conv, struct slice assistant,
               struct slice body, const struct kv *owed)
{
    struct conv *c = conv_of(d, conv);
    if (!c || !body.len) {
        give_none(d, owed);
        return;
    }
    struct arena *a = arena_new();
    struct note *n = arena_one(a, struct note);
    n->arena = a;
    n->assistant = slice_dup(a, assistant);
    n->body = slice_dup(a, body);
    if (owed) {
        n->owed = arena_one(a, struct kv);
        n->owed->space = slice_dup(a, owed->space);
        n->owed->key = slice_dup(a, owed->key);
    }
    conv_change(d, c, note_begin, n);
}

/* --- while it is on its way ----------------------------------------------- */

/* May it have a piece? What a slow socket does not read waits nowhere. */
static bool keeps_up(struct desk *d, struct desk_peer *p)
{
    int64_t (*backlog)(void *, uint64_t) = d->conf.ports.backlog;
    int64_t unread = backlog ? backlog(d->conf.ports.arg, p->id) : 0;
    p->behind = unread > (p->behind ? AT_PAR_BYTES : BEHIND_BYTES);
    if (p->behind) {
        meter_add(&m_spared, 1);
    }
    return !p->behind;
}

/* All that was said of it until now. */
static void retell(struct desk *d, const struct conv *c, struct desk_peer *p)
{
    const struct turn_live *l = c->turn;
    char id[ID_TEXT];
    if (!l || !l->given || !d->conf.ports.told) {
        return;
    }
    struct arena *a = arena_new();
    struct notice n = {.type = NOTICE_DELTA,
                       .conv = c->rec.id,
                       .stream = id_text(id, ID_TURN, l->id),
                       .whole = true,
                       .who_role = ROLE_BOT,
                       .who_name = l->assistant,
                       .arena = a};
    if (d->conf.ports.told(d->conf.ports.arg, l->id, &n.text, &n.index)) {
        d->conf.ports.send(d->conf.ports.arg, p->id, &n);
    }
    arena_free(a);
}

void turns_retell(struct desk *d, struct desk_peer *p)
{
    if (p->role == ROLE_VISITOR && p->person->conv) {
        retell(d, p->person->conv, p);
    }
}

static bool may_watch(const struct desk *d, const struct desk_peer *p,
                      const struct conv *c)
{
    return p->agent && desk_may_see(d, p->agent->rec.id, &c->rec);
}

void turns_watch(struct desk *d, struct desk_peer *p, struct conv *c)
{
    if (p->watches) {
        list_remove(&p->watch_link);
        p->watches = NULL;
    }
    if (c && may_watch(d, p, c)) {
        list_add_last(&c->watchers, &p->watch_link);
        p->watches = c;
        retell(d, c, p);
    }
}

static void give_piece(struct desk *d, struct conv *c, struct desk_peer *p,
                       struct notice *n)
{
    bool was_behind = p->behind;
    if (p->held || !keeps_up(d, p)) {
        return;
    }
    if (was_behind) { /* with this piece */
        retell(d, c, p);
    } else {
        d->conf.ports.send(d->conf.ports.arg, p->id, n);
    }
}

bool desk_delta(struct desk *d, uint64_t turn, uint32_t index,
                struct slice text)
{
    struct turn_live *l = map_get(&d->turns, turn);
    struct conv *c = l ? conv_of(d, l->conv) : NULL;
    char id[ID_TEXT];
    if (!c || !l->given || c->turn != l || l->fence != c->rec.fence) {
        return false;
    }
    struct arena *a = arena_new();
    struct notice n = {.type = NOTICE_DELTA,
                       .conv = c->rec.id,
                       .stream = id_text(id, ID_TURN, turn),
                       .index = index,
                       .text = text,
                       .who_role = ROLE_BOT,
                       .who_name = index ? (struct slice){0} : l->assistant,
                       .arena = a};
    list_each (&c->person->peers, m) {
        give_piece(d, c, container_of(m, struct desk_peer, link), &n);
    }
    list_each (&c->watchers, m) {
        struct desk_peer *p = container_of(m, struct desk_peer, watch_link);
        if (may_watch(d, p, c)) {
            give_piece(d, c, p, &n);
        }
    }
    arena_free(a);
    typing_out(d, c);
    return true;
}

uint64_t desk_turn_of(const struct desk *d, uint64_t conv)
{
    const struct conv *c = map_get(&d->convs, conv);
    return c && c->turn && c->turn->given ? c->turn->id : 0;
}

bool desk_stop_turn(struct desk *d, uint64_t conv)
{
    struct conv *c = conv_of(d, conv);
    if (!c || !c->turn || !c->turn->given || !d->conf.ports.halt) {
        return false;
    }
    d->conf.ports.halt(d->conf.ports.arg, c->turn->id);
    return true;
}

bool desk_draft(struct desk *d, uint64_t agent, uint64_t conv,
                struct slice stream, uint32_t index, struct slice text)
{
    struct agent_live *who = agent_of(d, agent);
    if (!who) {
        return false;
    }
    struct arena *a = arena_new();
    struct notice n = {.type = NOTICE_DELTA,
                       .conv = conv,
                       .stream = stream,
                       .index = index,
                       .text = text,
                       .who_role = ROLE_BOT,
                       .arena = a};
    list_each (&who->peers, l) {
        struct desk_peer *p = container_of(l, struct desk_peer, link);
        if (!p->held && keeps_up(d, p)) {
            d->conf.ports.send(d->conf.ports.arg, p->id, &n);
        }
    }
    arena_free(a);
    return true;
}
