/* SPDX-License-Identifier: Apache-2.0 */
/* conv.c - one conversation: its record, its lane of changes, its commits.
 *
 * Happy path: a step is prepared on a copy of the record, committed as one tx,
 * and only when it is on disk becomes the record and is told to people.
 * Failure: a commit that failed changes nothing here: who asked is told, a
 * job's effects are tried again later, a conversation whose creation failed is
 * forgotten.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "desk/confirms.h"
#include "desk/outbox.h"
#include "desk/turns.h"

/* --- the record ----------------------------------------------------------- */

static void record_own(struct conversation *to, const struct conversation *from)
{
    struct conversation was = *to;
    *to = *from;
    to->tags = was.tags;
    to->attributes = was.attributes;
    to->preview = was.preview;
    to->contact_name = was.contact_name;
    to->contact_tier = was.contact_tier;
    to->channel_type = was.channel_type;
    to->bot = was.bot;
}

static void record_own_texts(struct conversation *to,
                             const struct conversation *from)
{
    struct slice tags = from->tags, attributes = from->attributes;
    if (to->tags.at != tags.at) {
        text_own(&to->tags, tags);
    }
    if (to->attributes.at != attributes.at) {
        text_own(&to->attributes, attributes);
    }
    if (to->bot.at != from->bot.at) {
        text_own(&to->bot, from->bot);
    }
}

static void on_wake(struct timer *t);
static void on_again(struct timer *t);

static bool is_held(enum conv_state s)
{
    return s == CONV_OPEN || s == CONV_SNOOZED;
}

/* What follows from the state: load, place in the queue, alarm clock. */
static void conv_enter(struct desk *d, struct conv *c)
{
    if (is_held(c->rec.state)) {
        agent_shift(d, c->rec.assignee, 1);
    }
    if (c->rec.state == CONV_QUEUED) {
        queue_add(d, c);
    }
    if (c->rec.state == CONV_SNOOZED) {
        timer_start(d->wheel, &c->wake, c->rec.snoozed_until);
    }
    if (c->rec.state == CONV_CLOSED) {
        if (c->person->conv == c) {
            c->person->conv = NULL;
        }
    } else if (!c->person->conv) {
        c->person->conv = c;
    }
}

static void conv_leave(struct desk *d, struct conv *c)
{
    if (is_held(c->rec.state)) {
        agent_shift(d, c->rec.assignee, -1);
    }
    queue_remove(d, c);
    timer_stop(d->wheel, &c->wake);
}

struct conv *conv_new(struct desk *d, const struct conversation *rec,
                      struct person *p, bool stored)
{
    struct conv *c = mem_alloc(sizeof *c);
    c->magic = CONV_MAGIC;
    c->desk = d;
    c->person = p;
    p->convs++;
    c->stored = stored;
    c->visitor_seq = rec->last_seq;
    c->held_since = d->conf.ports.now(d->conf.ports.arg);
    list_init(&c->queue_link);
    list_init(&c->dirty_link);
    list_init(&c->flows);
    list_init(&c->watchers);
    timer_init(&c->patience, NULL);
    timer_init(&c->screen_timer, NULL);
    timer_init(&c->wake, on_wake);
    timer_init(&c->again, on_again);
    record_own(&c->rec, rec);
    record_own_texts(&c->rec, rec);
    text_own(&c->rec.preview, rec->preview);
    text_own(&c->rec.contact_name, person_name(p));
    text_own(&c->rec.contact_tier, p->rec ? p->rec->tier : SLICE(""));
    const struct channel *ch = desk_channel(d, rec->channel);
    text_own(&c->rec.channel_type, ch ? ch->type : SLICE(""));
    map_put(&d->convs, c->rec.id, c);
    flows_attach(d, c);
    conv_enter(d, c);
    return c;
}

struct conv *conv_of(const struct desk *d, uint64_t id)
{
    return id ? map_get(&d->convs, id) : NULL;
}

void conv_free(struct desk *d, struct conv *c)
{
    must_be(c, CONV_MAGIC);
    map_take(&d->convs, c->rec.id);
    conv_leave(d, c);
    timer_stop(d->wheel, &c->again);
    timer_stop(d->wheel, &c->patience);
    timer_stop(d->wheel, &c->screen_timer);
    flows_detach(c);
    turns_drop(d, c);
    confirms_drop(c);
    text_free(&c->parts);
    jobs_drop(d, c);
    list_remove(&c->dirty_link);
    if (c->person->conv == c) {
        c->person->conv = NULL;
    }
    c->person->convs--;
    person_release(d, c->person);
    text_free(&c->rec.tags);
    text_free(&c->rec.attributes);
    text_free(&c->rec.bot);
    text_free(&c->rec.preview);
    text_free(&c->rec.contact_name);
    text_free(&c->rec.contact_tier);
    text_free(&c->rec.channel_type);
    mem_free(c->shown);
    c->magic = 0;
    mem_free(c);
}

void conv_settle(struct desk *d, struct conv *c)
{
    bool over = c->rec.state == CONV_CLOSED || !c->stored;
    if (over && !c->under_way && !c->changing && !c->changes && !c->job_count &&
        !c->job_running && !c->retry && !c->handled_dirty && !c->screens) {
        conv_free(d, c);
    }
}

void conv_take(struct desk *d, struct conv *c, const struct conversation *next)
{
    conv_leave(d, c);
    struct conversation now = *next;
    /* What follows from messages may have moved on meanwhile. */
    now.last_seq = c->rec.last_seq;
    now.unread = c->rec.unread;
    now.agent_read = c->rec.agent_read;
    now.visitor_read = c->rec.visitor_read;
    now.last_pos = c->rec.last_pos;
    now.handled = c->rec.handled;
    now.last_at = c->rec.last_at;
    now.waiting_since_at = c->rec.waiting_since_at;
    now.heard_at = c->rec.heard_at;
    now.said = c->rec.said;
    if (now.assignee != c->rec.assignee) {
        c->held_since = d->conf.ports.now(d->conf.ports.arg);
    }
    record_own(&c->rec, &now);
    record_own_texts(&c->rec, next);
    conv_enter(d, c);
}

void conv_set_holder(struct conversation *next, enum conv_state state,
                     uint64_t assignee, int64_t now)
{
    if (state == CONV_QUEUED && next->state != CONV_QUEUED) {
        next->queued_at = now;
    } else if (state != CONV_QUEUED) {
        next->queued_at = 0;
    }
    if (next->assignee != assignee ||
        (next->state == CONV_CLOSED) != (state == CONV_CLOSED) ||
        (next->state == CONV_BOT) != (state == CONV_BOT)) {
        next->fence++;
    }
    next->state = state;
    next->assignee = assignee;
    if (state != CONV_SNOOZED) {
        next->snoozed_until = 0;
    }
    next->closed_at = state == CONV_CLOSED ? now : 0;
}

/* --- the lane of changes -------------------------------------------------- */

static void change_next(struct desk *d, struct conv *c)
{
    while (!c->changing && c->changes) {
        struct change *ch = c->changes;
        c->changes = ch->next;
        if (!ch->next) {
            c->changes_last = NULL;
        }
        c->changing = true;
        ch->begin(d, c, ch->what); /* may end the turn before it returns */
        mem_free(ch);
    }
}

void conv_change(struct desk *d, struct conv *c,
                 void (*begin)(struct desk *d, struct conv *c, void *what),
                 void *what)
{
    struct change *ch = mem_alloc(sizeof *ch);
    ch->begin = begin;
    ch->what = what;
    if (c->changes_last) {
        c->changes_last->next = ch;
    } else {
        c->changes = ch;
    }
    c->changes_last = ch;
    c->under_way++; /* what begins may end the conversation */
    change_next(d, c);
    c->under_way--;
    conv_settle(d, c);
}

/* The turn is over. Inside change_next's loop the next one is begun there. */
void conv_change_end(struct desk *d, struct conv *c)
{
    must(c->changing);
    c->changing = false;
    (void)d;
}

/* --- transactions --------------------------------------------------------- */

static void on_committed(struct tx *tx);

struct tx *conv_tx(struct desk *d, struct conv *c, struct step **out)
{
    struct tx *tx = tx_new(on_committed, NULL);
    struct step *s = arena_one(tx->arena, struct step);
    s->desk = d;
    s->conv = c;
    s->next = c->rec;
    tx->owner = s;
    *out = s;
    return tx;
}

void conv_commit(struct desk *d, struct tx *tx)
{
    struct step *s = tx->owner;
    s->conv->under_way++;
    outbox_put(d, s->conv, tx);
    turns_put(s->conv, s, tx);
    confirms_put(s->conv, s, tx);
    d->conf.ports.commit(d->conf.ports.arg, tx);
}

void conv_tx_change(struct tx *tx, struct step *s, enum event_name name,
                    enum role role, uint64_t actor, uint64_t cause)
{
    struct desk *d = s->desk;
    s->changes = true;
    s->next.updated_at = d->conf.ports.now(d->conf.ports.arg);
    struct event *ev = tx_event(tx, name);
    ev->conv = s->next.id;
    ev->role = role;
    ev->sender = actor;
    ev->cause = cause;
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    desk_window(d, &s->next);
    must(conversation_write(&out, &s->next) == 0);
    ev->body = slice_dup(tx->arena, buf_slice(&out));
    buf_fini(&out);
    struct conversation *row = arena_one(tx->arena, struct conversation);
    *row = s->next;
    row->tags = slice_dup(tx->arena, s->next.tags);
    row->attributes = slice_dup(tx->arena, s->next.attributes);
    row->bot = slice_dup(tx->arena, s->next.bot);
    row->preview = row->contact_name = row->contact_tier = row->channel_type =
        (struct slice){0};
    tx_put(tx, PUT_CONVERSATION)->conversation = row;
}

/* The file the body names, if any: the store looks whose it is. */
static uint64_t file_of(struct arena *a, struct slice body)
{
    static const char mark[] = "\"file\":";
    struct json *j;
    uint64_t id;
    if (!memmem(body.at, body.len, mark, sizeof mark - 1) ||
        json_parse(a, body, NULL, &j) < 0)
        return 0;
    const struct json *f = json_get(j, "file");
    struct slice text =
        json_is(f, JSON_OBJECT) ? json_text(f, "id") : json_text(j, "file");
    return id_parse(text, ID_FILE, &id) ? id : 0;
}

struct event *conv_tx_message(struct tx *tx, struct step *s, enum role role,
                              uint64_t sender, struct slice name,
                              struct slice body)
{
    struct event *ev = tx_event(tx, EVENT_MESSAGE_CREATED);
    ev->conv = s->conv->rec.id;
    ev->role = role;
    ev->sender = sender;
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES * 2);
    must(body.len >= 2 && body.at[body.len - 1] == '}');
    int r = buf_add(&out, body.at, body.len - 1);
    r = r ? r
          : buf_add_text(&out, body.len > 2 ? ",\"sender\":" : "\"sender\":");
    must(r == 0);
    sender_write(s->desk, &out, role, sender, name);
    must(buf_add_char(&out, '}') == 0);
    ev->body = slice_dup(tx->arena, buf_slice(&out));
    ev->file = file_of(tx->arena, body);
    buf_fini(&out);
    return ev;
}

/* --- what is on disk happens ---------------------------------------------- */

static void count_message(struct conv *c, const struct event *ev)
{
    char line[PREVIEW_BYTES];
    struct conversation *r = &c->rec;
    r->last_seq = ev->seq;
    r->last_at = ev->at;
    if (ev->flags & EVENT_PRIVATE) {
        return;
    }
    c->public_seq = ev->seq;
    if (ev->role == ROLE_VISITOR) {
        r->unread++;
        c->visitor_seq = ev->seq;
        r->heard_at = ev->at;
        r->said = 0;
        if (!r->waiting_since_at) {
            r->waiting_since_at = ev->at;
        }
    } else if (ev->role == ROLE_AGENT || ev->role == ROLE_BOT) {
        r->waiting_since_at = 0;
        r->said++;
        if (ev->role == ROLE_AGENT) {
            r->unread = 0;
        }
    }
    size_t n = preview_of(ev->body, line);
    if (n) {
        text_own(&r->preview, (struct slice){line, n});
    }
}

static void message_done(struct desk *d, struct conv *c, struct step *s,
                         struct tx *tx, struct event *ev)
{
    bool asked = s->act && ev == s->message;
    count_message(c, ev);
    if (ev->role == ROLE_VISITOR) {
        channel_count(d, c->rec.channel, CHANNEL_IN);
    } else if (!(ev->flags & (EVENT_PRIVATE | EVENT_OUTSIDE))) {
        channel_count(d, c->rec.channel, CHANNEL_OUT);
    }
    uint64_t except = 0;
    if (asked) {
        s->act->event = *ev;
        except = s->act->peer;
        struct desk_peer *p = map_get(&d->peers, except);
        if (p) {
            struct notice n = notice_of(d, NOTICE_ACK, ev, tx->arena);
            tell_peer(d, p, &n);
        }
    }
    tell_message(d, c, ev, tx->arena, except);
    if (ev->role == ROLE_VISITOR) {
        turns_heard(d, c);
        job_for_message(d, c, ev, s->text, s->kind);
    }
}

static void status_done(struct desk *d, struct conv *c, struct step *s,
                        struct tx *tx, struct event *ev)
{
    uint32_t seq = s->act ? s->act->seq : 0;
    if (ev->role == ROLE_VISITOR) {
        c->rec.visitor_read =
            seq > c->rec.visitor_read ? seq : c->rec.visitor_read;
    } else {
        c->rec.agent_read = seq > c->rec.agent_read ? seq : c->rec.agent_read;
        uint32_t left = c->rec.agent_read < c->visitor_seq
                            ? c->visitor_seq - c->rec.agent_read
                            : 0;
        c->rec.unread = c->rec.unread < left ? c->rec.unread : left;
    }
    tell_message(d, c, ev, tx->arena, s->act ? s->act->peer : 0);
}

static void change_done(struct desk *d, struct conv *c, struct step *s,
                        struct tx *tx, struct event *ev)
{
    struct conversation before = c->rec; /* its texts are not looked at */
    bool was_queued = c->rec.state == CONV_QUEUED;
    if (ev->name == EVENT_CONVERSATION_CREATED) {
        c->stored = true;
        c->person->stored = true;
    }
    conv_take(d, c, &s->next);
    tell_change(d, c, ev, tx->arena, &before);
    if (c->rec.state == CONV_CLOSED) { /* also reopened and closed at once */
        sends_move(d, c);
    }
    if (c->rec.state == CONV_OPEN && before.assignee != c->rec.assignee) {
        struct agent_live *a = agent_of(d, c->rec.assignee);
        if (a) {
            a->last_taken = ++d->taken;
        }
        if (was_queued) {
            int64_t now = d->conf.ports.now(d->conf.ports.arg);
            int64_t gap = d->last_take_at ? now - d->last_take_at : 0;
            d->eta_ms = d->eta_ms ? (d->eta_ms * 7 + gap) / 8 : gap;
            d->last_take_at = now;
        }
    }
    if (c->rec.assignee && c->rec.assignee != before.assignee) {
        flows_tell(d, c, "taken");
    } else if (c->rec.state == CONV_CLOSED && before.state != CONV_CLOSED) {
        flows_tell(d, c, "closed");
    }
    job_for_change(d, c, ev, &before, s->depth);
    if (s->owed) {
        d->conf.ports.left(d->conf.ports.arg, &c->rec, s->owed);
        s->owed = NULL;
    }
}

static void event_done(struct desk *d, struct conv *c, struct step *s,
                       struct tx *tx, struct event *ev)
{
    if (ev->pos > d->pos) {
        d->pos = ev->pos;
    }
    if (ev->conv != c->rec.id) { /* the contact's */
        desk_announce(d, ev, tx->arena);
        return;
    }
    c->rec.last_pos = ev->pos;
    if (ev->cause > c->rec.handled) {
        c->rec.handled = ev->cause;
    }
    switch (ev->name) {
    case EVENT_MESSAGE_CREATED:
        message_done(d, c, s, tx, ev);
        if (ev->role == ROLE_VISITOR) {
            outbox_heard(d, ev->conv);
        }
        break;
    case EVENT_MESSAGE_STATUS:
        status_done(d, c, s, tx, ev);
        break;
    case EVENT_MESSAGE_UPDATED:
        recall_done(d, c, s, tx, ev);
        break;
    case EVENT_CONVERSATION_CREATED:
    case EVENT_CONVERSATION_UPDATED:
    case EVENT_CONVERSATION_ASSIGNED:
    case EVENT_CONVERSATION_CLOSED:
        change_done(d, c, s, tx, ev);
        break;
    default:
        return; /* the handled mark alone */
    }
    job_for_event(d, c, ev, s->depth);
}

static struct event *find_duplicate(const struct tx *tx)
{
    for (struct event *ev = tx->first; ev; ev = ev->next) {
        if (ev->flags & EVENT_DUPLICATE) {
            return ev;
        }
    }
    return NULL;
}

/* The ref was stored before: nothing happened now, the first answer holds. */
static void duplicate_done(struct desk *d, struct step *s, struct tx *tx,
                           struct event *ev)
{
    if (!s->act) {
        return;
    }
    s->act->event = *ev;
    struct desk_peer *p = map_get(&d->peers, s->act->peer);
    if (p) {
        struct notice n = notice_of(d, NOTICE_ACK, ev, tx->arena);
        n.duplicate = true;
        tell_peer(d, p, &n);
    }
}

/* Back to what is on disk for sure: the next one is written again. */
static void read_undo(struct conv *c, struct step *s)
{
    uint32_t *upto = s->act->role == ROLE_VISITOR ? &c->rec.visitor_read
                                                  : &c->rec.agent_read;
    if (s->read_before < *upto) {
        *upto = s->read_before;
    }
}

/* Everything of a step that did not happen. */
static void step_failed(struct desk *d, struct conv *c, struct step *s,
                        struct tx *tx)
{
    if (c->rec.state == CONV_CLOSED && c->person->conv == c) {
        c->person->conv = NULL; /* not reopened after all */
        sends_move(d, c);
    }
    if (s->act && s->act->kind == ACT_READ) {
        read_undo(c, s);
    }
    if (s->recall) {
        recall_failed(d, c, s, tx);
    }
    if (s->act && tx->refuse && tx->result == tx->refuse) {
        act_refuse(s->act, &tx->err);
        s->act = NULL;
    } else if (s->act) {
        act_fail(s->act, tx->result,
                 tx->err.text[0] ? tx->err.text : "not stored");
        s->act = NULL;
    }
    if (s->job) {
        job_retry(d, c, s->job);
        s->job = NULL;
    }
    if (s->part) {
        s->part->result = tx->result;
        s->part->done(s->part);
    }
    if (s->end) {
        turns_unwritten(d, s->end);
        s->end = NULL;
    }
    decision_end(s->decision, tx->result);
    s->decision = NULL;
}

static void step_finished(struct desk *d, struct conv *c, struct step *s)
{
    turn_end_free(s->end);
    s->end = NULL;
    decision_end(s->decision, 0);
    s->decision = NULL;
    if (s->act) {
        act_finish(s->act, c);
    }
    if (s->part) {
        s->part->fence = c->rec.fence;
        s->part->done(s->part);
    }
    if (s->job) {
        job_free(s->job);
        d->jobs--;
        c->job_running = false;
        jobs_go(d, c);
    }
}

/* What else is on disk now. */
static void row_stored(struct desk *d, const struct step *s,
                       const struct put *p)
{
    if (p->kind == PUT_ALARM) {
        alarm_add(d, p->alarm);
    } else if (p->kind == PUT_FLOW) {
        flow_stored(d, p->flow);
    } else if (p->kind == PUT_TURN) {
        turns_stored(d, p->turn);
    } else if (p->kind == PUT_CONFIRM) {
        confirms_stored(d, p->confirm);
    } else if (p->kind == PUT_OUTBOX) {
        outbox_stored(d, p->outbox);
    } else if (p->kind == PUT_CONTACT && !s->creates) {
        desk_put_contact(d, p->contact);
    }
}

static void on_committed(struct tx *tx)
{
    struct step *s = tx->owner;
    struct desk *d = s->desk;
    struct conv *c = s->conv;
    must_be(c, CONV_MAGIC);
    struct agent_live *a = agent_of(d, s->reserved);
    if (a) {
        a->reserved--;
    }
    struct event *dup = tx->result ? NULL : find_duplicate(tx);
    if (tx->result) {
        step_failed(d, c, s, tx);
    } else if (dup) {
        duplicate_done(d, s, tx, dup);
        step_finished(d, c, s);
    } else {
        for (struct event *ev = tx->first; ev; ev = ev->next) {
            event_done(d, c, s, tx, ev);
        }
        for (struct put *p = tx->puts; p; p = p->next) {
            row_stored(d, s, p);
        }
        if (s->grants) {
            c->overdue = true;
            c->granted_fence = s->next.fence;
        }
        step_finished(d, c, s);
    }
    bool freed_room = s->changes && !tx->result;
    if (s->changes) {
        c->taking = false;
        conv_change_end(d, c);
        change_next(d, c);
    }
    c->under_way--;
    conv_settle(d, c);
    tx_free(tx);
    if (freed_room) {
        queue_drain(d);
    }
}

/* --- clocks --------------------------------------------------------------- */

static void wake_begin(struct desk *d, struct conv *c, void *what)
{
    (void)what;
    if (c->rec.state != CONV_SNOOZED) {
        conv_change_end(d, c);
        return;
    }
    struct step *s;
    struct tx *tx = conv_tx(d, c, &s);
    conv_set_holder(&s->next, CONV_OPEN, c->rec.assignee, 0);
    conv_tx_change(tx, s, EVENT_CONVERSATION_UPDATED, ROLE_SYSTEM, 0, 0);
    conv_commit(d, tx);
}

static void on_wake(struct timer *t)
{
    struct conv *c = container_of(t, struct conv, wake);
    conv_change(c->desk, c, wake_begin, NULL);
}

static void on_again(struct timer *t)
{
    struct conv *c = container_of(t, struct conv, again);
    jobs_go(c->desk, c);
}
