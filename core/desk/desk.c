/* SPDX-License-Identifier: Apache-2.0 */
/* desk.c - the conductor: start and end, peers coming and going, frames.
 *
 * Happy path: the roof restores what is open, starts the desk, and lets peers
 * join; a peer's frames become acts. Failure: a peer that joins twice or sends
 * what is not its right gets an error frame; the rest goes on.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "desk/outbox.h"
#include "desk/turns.h"

#define SECOND_MS 1000

static int64_t now_ms(const struct desk *d)
{
    return d->conf.ports.now(d->conf.ports.arg);
}

/* --- start and end -------------------------------------------------------- */

static void on_second(struct timer *t)
{
    struct desk *d = container_of(t, struct desk, second);
    handled_flush(d);
    absent_release(d);
    queue_drain(d); /* what could not be given before */
    queue_tell(d);
    timer_start(d->wheel, &d->second, now_ms(d) + SECOND_MS);
}

struct desk *desk_new(const struct desk_conf *conf)
{
    struct desk *d = mem_alloc(sizeof *d);
    d->conf = *conf;
    d->pos = conf->pos;
    d->wheel = wheel_new(now_ms(d));
    struct map *maps[] = {&d->peers,        &d->persons, &d->convs,
                          &d->agents,       &d->teams,   &d->channels,
                          &d->alarms,       &d->flows,   &d->out_convs,
                          &d->out_channels, &d->turns};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        map_init(maps[i]);
    }
    list_init(&d->queue);
    list_init(&d->dirty);
    timer_init(&d->second, on_second);
    return d;
}

void desk_start(struct desk *d)
{
    d->started = true;
    timer_start(d->wheel, &d->second, now_ms(d) + SECOND_MS);
    struct conv *c;
    for (size_t i = 0; (c = map_next(&d->convs, &i)) != NULL;) {
        jobs_start(d, c);
    }
    outbox_start(d);
    turns_start(d);
    queue_drain(d);
}

static void free_people(struct desk *d)
{
    struct desk_peer *p;
    for (size_t i = 0; (p = map_next(&d->peers, &i)) != NULL;) {
        held_free(d, p);
        list_remove(&p->link);
        mem_free(p);
    }
    struct person *who;
    for (size_t i = 0; (who = map_next(&d->persons, &i)) != NULL;) {
        list_init(&who->peers);
        person_release(d, who);
    }
}

void desk_free(struct desk *d)
{
    struct conv *c;
    for (size_t i = 0; (c = map_next(&d->convs, &i)) != NULL;) {
        while (c->changes) {
            struct change *next = c->changes->next;
            mem_free(c->changes);
            c->changes = next;
        }
        conv_free(d, c);
    }
    alarms_free(d);
    outbox_free(d);
    flows_free(d);
    tx_free(d->traces);
    free_people(d);
    const struct agent *a;
    for (size_t i = 0; (a = desk_next_agent(d, &i)) != NULL;) {
        desk_del_agent(d, a->id);
    }
    const struct team *t;
    for (size_t i = 0; (t = desk_next_team(d, &i)) != NULL;) {
        desk_del_team(d, t->id);
    }
    const struct channel *ch;
    for (size_t i = 0; (ch = desk_next_channel(d, &i)) != NULL;) {
        desk_del_channel(d, ch->id);
    }
    roster_spoil(d);
    struct map *maps[] = {&d->peers,        &d->persons, &d->convs,
                          &d->agents,       &d->teams,   &d->channels,
                          &d->alarms,       &d->flows,   &d->out_convs,
                          &d->out_channels, &d->turns};
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        map_fini(maps[i]);
    }
    wheel_free(d->wheel);
    mem_free(d);
}

void desk_adjust(struct desk *d, const struct desk_conf *conf)
{
    d->conf.agent_grace_ms = conf->agent_grace_ms;
    d->conf.heartbeat_ms = conf->heartbeat_ms;
    d->conf.text_bytes = conf->text_bytes;
    d->conf.file_bytes = conf->file_bytes;
    channels_spoil(d); /* a face may follow from a setting of the house */
    d->conf.frames_per_s = conf->frames_per_s;
    d->conf.recall_ms = conf->recall_ms;
}

void desk_tick(struct desk *d)
{
    wheel_turn(d->wheel, now_ms(d));
}

int64_t desk_next(const struct desk *d)
{
    return wheel_next(d->wheel, now_ms(d));
}

int64_t desk_next_deadline(struct desk *d)
{
    bool runs = timer_is_running(&d->second);
    int64_t due = d->second.due_ms;
    timer_stop(d->wheel, &d->second);
    int64_t ms = desk_next(d);
    if (runs) {
        timer_start(d->wheel, &d->second, due);
    }
    return ms;
}

/* --- what the store remembers --------------------------------------------- */

void desk_restore_conversation(struct desk *d, const struct conversation *c,
                               const struct contact *who)
{
    struct person *p = person_get(d, c->contact, c->channel);
    p->stored = true;
    if (who) {
        person_know(p, who);
    }
    conv_new(d, c, p, true);
}

void desk_restore_event(struct desk *d, const struct event *ev)
{
    struct conv *c = conv_of(d, ev->conv);
    if (!c || ev->pos <= c->rec.handled) {
        return;
    }
    struct arena *a = arena_new();
    struct json *body = NULL;
    if (json_parse(a, ev->body, NULL, &body) == 0) {
        job_for_message(d, c, ev, json_text(body, "text"),
                        json_text(body, "kind"));
    }
    arena_free(a);
}

void desk_restore_letter(struct desk *d, const struct dead *l)
{
    struct conv *c = conv_of(d, l->conv);
    if (c) {
        c->cut = true;
    }
}

void desk_restore_alarm(struct desk *d, const struct alarm *a)
{
    alarm_add(d, a);
}

/* --- joining -------------------------------------------------------------- */

static struct desk_peer *peer_add(struct desk *d, uint64_t id, enum role role)
{
    must(!map_get(&d->peers, id));
    struct desk_peer *p = mem_alloc(sizeof *p);
    p->magic = PEER_MAGIC;
    p->id = id;
    p->role = role;
    p->start_pos = p->known_pos = d->pos;
    list_init(&p->link);
    map_put(&d->peers, id, p);
    d->conf.ports.accept(d->conf.ports.arg, id, role);
    return p;
}

static struct notice welcome_for(const struct desk *d, const struct join *j,
                                 enum role role, uint64_t who,
                                 struct slice name, struct arena *a)
{
    return (struct notice){.type = NOTICE_WELCOME,
                           .arena = a,
                           .session = j->peer,
                           .token = j->token,
                           .who_role = role,
                           .who = who,
                           .who_name = name,
                           .cursor = {d->conf.epoch, d->pos, 0},
                           .server_at = now_ms(d),
                           .heartbeat_ms = d->conf.heartbeat_ms,
                           .text_bytes = d->conf.text_bytes,
                           .file_bytes = d->conf.file_bytes,
                           .frames_per_s = d->conf.frames_per_s,
                           .recall_ms = d->conf.recall_ms};
}

/* A channel may take shorter files than the desk does, or none. */
static uint32_t file_bytes_on(const struct desk *d, uint64_t channel)
{
    struct channel_face face = channel_face(d, channel);
    if (face.file_bytes < 0)
        return 0;
    return face.file_bytes && face.file_bytes < d->conf.file_bytes
               ? (uint32_t)face.file_bytes
               : d->conf.file_bytes;
}

/* Welcome now, or behind what it missed. */
static void welcome(struct desk *d, struct desk_peer *p, const struct join *j,
                    struct notice *n)
{
    bool valid = j->has_resume && j->resume_valid &&
                 j->resume.epoch == d->conf.epoch && j->resume.pos <= d->pos;
    bool behind = j->resume.pos < d->pos || p->role == ROLE_AGENT;
    if (valid && behind) {
        resume_peer(d, p, j, n);
        return;
    }
    n->recovered = valid;
    d->conf.ports.send(d->conf.ports.arg, p->id, n);
}

static void on_contact_written(struct tx *tx)
{
    struct desk *d = tx->owner;
    if (tx->result) {
        log_warn("desk", "contact not written: %s", tx->err.text);
    }
    for (struct event *ev = tx->result ? NULL : tx->first; ev; ev = ev->next) {
        desk_announce(d, ev, tx->arena);
    }
    tx_free(tx);
}

/* A signed identity brought news of somebody we know. */
static void write_contact(struct desk *d, struct person *p)
{
    struct tx *tx = tx_new(on_contact_written, d);
    put_contact(d, tx, p, now_ms(d));
    struct event *ev = tx_event(tx, EVENT_CONTACT_UPDATED);
    ev->role = ROLE_VISITOR;
    ev->sender = p->id;
    struct buf out;
    buf_init(&out, LIMIT_FRAME_BYTES);
    char id[ID_TEXT];
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "id", id_text(id, ID_CONTACT, p->id));
    jsonw_put_text(&w, "name", person_name(p));
    jsonw_close(&w, '}');
    ev->body = slice_dup(tx->arena, buf_slice(&out));
    buf_fini(&out);
    d->conf.ports.commit(d->conf.ports.arg, tx);
}

void desk_join_visitor(struct desk *d, const struct join *j, uint64_t channel,
                       const struct contact *c, bool stored, bool changed)
{
    struct desk_peer *p = peer_add(d, j->peer, ROLE_VISITOR);
    struct person *who = person_get(d, c->id, channel);
    p->person = who;
    list_add_last(&who->peers, &p->link);
    who->stored |= stored;
    if (c->name.len || c->identity.len || c->tier.len || c->email.len ||
        c->tags.len || c->attributes.len) {
        person_know(who, c);
    }
    if (changed && stored) {
        write_contact(d, who);
    }
    struct arena *a = arena_new();
    struct notice n =
        welcome_for(d, j, ROLE_VISITOR, who->id, person_name(who), a);
    struct conv *conv = who->conv;
    n.file_bytes = file_bytes_on(d, channel);
    if (conv && conv->stored) {
        n.conversation = &conv->rec;
        if (conv->rec.state == CONV_QUEUED) {
            n.position = queue_position(d, conv);
            n.eta_ms = d->eta_ms * n.position;
        }
    }
    welcome(d, p, j, &n);
    if (!p->held) {
        turns_retell(d, p);
    }
    arena_free(a);
}

void desk_join_agent(struct desk *d, const struct join *j, uint64_t agent,
                     enum agent_status status)
{
    struct agent_live *who = agent_of(d, agent);
    if (!who || !who->rec.enabled) {
        d->conf.ports.close(d->conf.ports.arg, j->peer, 4003, "no such agent");
        return;
    }
    struct desk_peer *p = peer_add(d, j->peer, ROLE_AGENT);
    p->agent = who;
    list_add_last(&who->peers, &p->link);
    timer_stop(d->wheel, &who->grace);
    if (status != AGENT_OFFLINE) {
        who->chosen = status;
    } else if (who->chosen == AGENT_OFFLINE) {
        who->chosen = AGENT_ONLINE;
    }
    struct arena *a = arena_new();
    struct notice n = welcome_for(d, j, ROLE_AGENT, agent, who->rec.name, a);
    welcome(d, p, j, &n);
    arena_free(a);
    agent_refresh(d, who);
    queue_drain(d);
}

void desk_gone(struct desk *d, uint64_t peer)
{
    struct desk_peer *p = map_take(&d->peers, peer);
    if (!p) {
        return;
    }
    held_free(d, p);
    turns_watch(d, p, NULL);
    list_remove(&p->link);
    if (p->role == ROLE_VISITOR) {
        person_release(d, p->person);
    } else if (p->agent && list_empty(&p->agent->peers)) {
        timer_start(d->wheel, &p->agent->grace,
                    now_ms(d) + d->conf.agent_grace_ms);
        agent_refresh(d, p->agent);
    }
    p->magic = 0;
    mem_free(p);
}

/* --- frames --------------------------------------------------------------- */

static void refuse_frame(struct desk *d, struct desk_peer *p,
                         const struct frame *f, struct arena *a, int code,
                         const char *why)
{
    struct notice n = {.type = NOTICE_ERROR,
                       .code = code,
                       .ref = f->ref,
                       .text = slice_of(why),
                       .arena = a};
    d->conf.ports.send(d->conf.ports.arg, p->id, &n);
}

static struct conv *frame_conv(const struct desk *d, const struct desk_peer *p,
                               const struct frame *f)
{
    if (p->role == ROLE_VISITOR) {
        return p->person->conv;
    }
    struct conv *c = conv_of(d, f->conv);
    return c && desk_may_see(d, p->agent->rec.id, &c->rec) ? c : NULL;
}

static void on_typing(struct desk *d, struct desk_peer *p, struct frame *f,
                      struct arena *a)
{
    struct conv *c = frame_conv(d, p, f);
    bool visitor = p->role == ROLE_VISITOR;
    if (!visitor && !f->conv) {
        refuse_frame(d, p, f, a, ERR_BAD_REQUEST, "conversation is missing");
        return;
    }
    if (!c || !c->stored) {
        return; /* nobody to show it to */
    }
    struct notice n = {.type = NOTICE_TYPING,
                       .arena = a,
                       .conv = c->rec.id,
                       .text = f->text,
                       .who_role = p->role,
                       .who = visitor ? p->person->id : p->agent->rec.id,
                       .who_name = visitor ? person_name(p->person)
                                           : p->agent->rec.name};
    if (!visitor) {
        typing_out(d, c);
    }
    if (!visitor || !channel_face(d, c->rec.channel).drafts) {
        n.text = (struct slice){0}; /* nobody's business */
    }
    tell_fleeting(d, c, &n, p->id);
}

static void on_history(struct query *q)
{
    struct desk *d = q->owner;
    struct desk_peer *p = map_get(&d->peers, q->id);
    if (p) {
        struct notice n = {.type = NOTICE_HISTORY,
                           .conv = q->conv,
                           .ref = q->text,
                           .items = q->json,
                           .more = q->more,
                           .arena = q->arena};
        if (q->result) {
            n.type = NOTICE_ERROR;
            n.code = q->result;
            n.text = slice_of(q->err.text);
        }
        d->conf.ports.send(d->conf.ports.arg, p->id, &n);
    }
    query_free(q);
}

static void on_history_frame(struct desk *d, struct desk_peer *p,
                             struct frame *f, struct arena *a)
{
    struct conv *c = frame_conv(d, p, f);
    uint64_t conv = f->conv || !c ? f->conv : c->rec.id;
    if (!conv) {
        struct notice n = {.type = NOTICE_HISTORY,
                           .ref = f->ref,
                           .items = SLICE("[]"),
                           .arena = a};
        d->conf.ports.send(d->conf.ports.arg, p->id, &n);
        return;
    }
    struct query *q = query_new(QUERY_MESSAGES, on_history, d);
    q->id = p->id;
    q->conv = conv;
    q->text = slice_dup(q->arena, f->ref);
    q->before_seq = f->before ? f->before : UINT32_MAX;
    q->limit = f->limit ? f->limit : 50;
    if (q->limit > LIMIT_LIST) {
        q->limit = LIMIT_LIST;
    }
    if (p->role == ROLE_VISITOR) {
        q->viewer = (struct viewer){.role = ROLE_VISITOR, .id = p->person->id};
    } else {
        desk_viewer(d, p->agent->rec.id, q->arena, &q->viewer);
    }
    d->conf.ports.read(d->conf.ports.arg, q);
}

static void on_pong_frame(struct desk *d, struct desk_peer *p, struct frame *f,
                          struct arena *a)
{
    struct notice n = {.type = NOTICE_PONG, .ref = f->ref, .arena = a};
    d->conf.ports.send(d->conf.ports.arg, p->id, &n);
}

static void on_status_frame(struct desk *d, struct desk_peer *p,
                            struct frame *f, struct arena *a)
{
    enum agent_status s;
    if (p->role != ROLE_AGENT) {
        refuse_frame(d, p, f, a, ERR_FORBIDDEN, "only agents have a status");
    } else if (!agent_status_find(f->status, &s)) {
        refuse_frame(d, p, f, a, ERR_BAD_REQUEST,
                     "status must be online, busy, away or offline");
    } else {
        desk_set_status(d, p->agent->rec.id, s);
    }
}

static void on_stop_frame(struct desk *d, struct desk_peer *p, struct frame *f,
                          struct arena *a)
{
    struct conv *c = frame_conv(d, p, f);
    if (p->role != ROLE_VISITOR && !f->conv) {
        refuse_frame(d, p, f, a, ERR_BAD_REQUEST, "conversation is missing");
    } else if (!c || (f->conv && f->conv != c->rec.id)) {
        refuse_frame(d, p, f, a, ERR_NOT_FOUND, "no such conversation");
    } else if (!desk_stop_turn(d, c->rec.id)) {
        refuse_frame(d, p, f, a, ERR_CONFLICT, "nothing is being answered");
    }
}

static void on_watch_frame(struct desk *d, struct desk_peer *p, struct frame *f,
                           struct arena *a)
{
    struct conv *c = f->conv ? conv_of(d, f->conv) : NULL;
    if (p->role != ROLE_AGENT) {
        refuse_frame(d, p, f, a, ERR_FORBIDDEN, "only agents look on");
        return;
    }
    turns_watch(d, p, c);
    if (f->conv && !p->watches) {
        refuse_frame(d, p, f, a, ERR_NOT_FOUND, "no such conversation");
    }
}

/* true: the arena went with an act. */
static bool on_act_frame(struct desk *d, struct desk_peer *p, struct frame *f,
                         struct arena *a)
{
    enum act_kind kind = f->type == FRAME_SEND   ? ACT_SEND
                         : f->type == FRAME_READ ? ACT_READ
                                                 : ACT_RECALL;
    struct act *act = act_of_frame(kind, p, f, a);
    act->owner = d;
    if (p->role == ROLE_VISITOR) {
        if (f->is_private) {
            refuse_frame(d, p, f, a, ERR_FORBIDDEN,
                         "private notes are for agents");
            return false;
        }
        if (f->type == FRAME_READ) {
            if (!p->person->conv) {
                return false; /* nothing there to be read */
            }
            act->conv = p->person->conv->rec.id;
        } else if (f->type == FRAME_RECALL && !f->conv && p->person->conv) {
            act->conv = p->person->conv->rec.id;
        }
    } else if (!f->conv) {
        refuse_frame(d, p, f, a, ERR_BAD_REQUEST, "conversation is missing");
        return false;
    }
    desk_act(d, act);
    return true;
}

void desk_frame(struct desk *d, uint64_t peer, struct frame *f, struct arena *a)
{
    struct desk_peer *p = map_get(&d->peers, peer);
    bool given = false;
    if (p && (p->role == ROLE_VISITOR || p->agent)) {
        must_be(p, PEER_MAGIC);
        switch (f->type) {
        case FRAME_SEND:
        case FRAME_READ:
        case FRAME_RECALL:
            given = on_act_frame(d, p, f, a);
            break;
        case FRAME_TYPING:
            on_typing(d, p, f, a);
            break;
        case FRAME_HISTORY:
            on_history_frame(d, p, f, a);
            break;
        case FRAME_STATUS:
            on_status_frame(d, p, f, a);
            break;
        case FRAME_STOP:
            on_stop_frame(d, p, f, a);
            break;
        case FRAME_WATCH:
            on_watch_frame(d, p, f, a);
            break;
        case FRAME_PING:
            on_pong_frame(d, p, f, a);
            break;
        default:
            refuse_frame(d, p, f, a, ERR_BAD_REQUEST, "hello came before");
        }
    }
    if (!given) {
        arena_free(a);
        d->conf.ports.give_credits(d->conf.ports.arg, 1);
    }
}

/* --- figures -------------------------------------------------------------- */

const struct conversation *desk_conversation(const struct desk *d, uint64_t id)
{
    struct conv *c = conv_of(d, id);
    return c ? &c->rec : NULL;
}

int64_t desk_oldest(const struct desk *d)
{
    struct conv *c;
    int64_t oldest = 0;
    for (size_t i = 0; (c = map_next(&d->convs, &i)) != NULL;) {
        int64_t at = c->rec.created_at;
        if (c->rec.state != CONV_CLOSED && (!oldest || at < oldest)) {
            oldest = at;
        }
    }
    return oldest;
}

void desk_measure(const struct desk *d, struct desk_figures *out)
{
    *out = (struct desk_figures){.peers = d->peers.count,
                                 .queued = d->queued,
                                 .visitors = d->persons.count,
                                 .conversations = d->convs.count,
                                 .jobs = d->jobs,
                                 .pending = d->pending,
                                 .held = d->held,
                                 .flows = d->flows.count,
                                 .outbox = d->outbox};
    struct flow_live *l;
    for (size_t i = 0; (l = map_next(&d->flows, &i)) != NULL;) {
        out->flows_waiting += l->state == FLOW_WAITING;
    }
    struct agent_live *a;
    for (size_t i = 0; (a = map_next(&d->agents, &i)) != NULL;) {
        out->agents_online += !list_empty(&a->peers);
    }
    struct conv *c;
    for (size_t i = 0; (c = map_next(&d->convs, &i)) != NULL;) {
        out->bot += c->rec.state == CONV_BOT;
        out->open += c->rec.state == CONV_OPEN;
    }
    if (!list_empty(&d->queue)) {
        c = container_of(d->queue.next, struct conv, queue_link);
        out->oldest_wait_ms = now_ms(d) - c->rec.queued_at;
    }
}
