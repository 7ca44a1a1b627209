/* SPDX-License-Identifier: Apache-2.0 */
/* fakeclient.c - what one client does, and what it makes of what it hears.
 *
 * Happy path: connect with the cursor, hear a welcome, send what waits, hear
 * acks and events, keep the last cursor. Failure modes played: a socket falls
 * at any moment with everything on it, an ack is lost and the message is sent
 * again, a resume is refused and the client starts over by history.
 */
#include "fakeclient.h"
#include "oracle.h"
#include "world.h"

#include <stdio.h>

struct seen *marks_find(const struct marks *m, uint64_t pos)
{
    for (size_t i = m->count; i-- > 0;)
        if (m->at[i].pos == pos)
            return &m->at[i];
    return NULL;
}

bool marks_has(const struct marks *m, uint64_t pos)
{
    return marks_find(m, pos) != NULL;
}

struct seen *marks_add(struct marks *m, uint64_t conv, uint64_t pos,
                       uint32_t seq)
{
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 32;
        m->at = mem_resize(m->at, m->cap * sizeof(*m->at));
    }
    m->at[m->count] = (struct seen){.conv = conv, .pos = pos, .seq = seq};
    return &m->at[m->count++];
}

void client_init(struct world *w, struct client *c, enum role role, uint64_t id,
                 uint64_t channel)
{
    c->role = role;
    c->index = (int)w->client_count++;
    c->id = id;
    c->channel = channel;
    c->up_at = w->now + world_below(w, 200);
}

static void told_free(struct told *t)
{
    mem_free(t->items);
    mem_free(t);
}

static void forget_lines(struct client *c)
{
    while (c->in_first) {
        struct told *t = c->in_first;
        c->in_first = t->next;
        told_free(t);
    }
    while (c->out_first) {
        struct said *s = c->out_first;
        c->out_first = s->next;
        mem_free(s);
    }
    c->in_last = NULL;
    c->out_last = NULL;
}

void client_fini(struct client *c)
{
    forget_lines(c);
    mem_free(c->out);
    mem_free(c->seen.at);
    mem_free(c->lost.at);
    mem_free(c->told.at);
}

/* --- the socket ----------------------------------------------------------- */

/* The client's end: it knows nothing of what was on the way. */
static void link_down(struct world *w, struct client *c)
{
    c->link = LINK_DOWN;
    c->broken = c->gone_due = c->accepted = c->welcomed = c->loading = false;
    c->peer = 0;
    c->up_at = w->now + world_below(w, w->calm ? 50 : 1500);
    for (size_t i = 0; i < c->out_count; i++)
        if (c->out[i].state == OUT_SENT)
            c->out[i].state = OUT_WAITS;
    forget_lines(c);
}

void client_drop(struct world *w, struct client *c)
{
    /* What the kernel had already delivered may still be read. */
    while (world_chance(w, 500) && client_hear_step(w, c))
        ;
    if (c->link != LINK_DOWN)
        c->gone_due = true;
}

bool client_gone_step(struct world *w, struct client *c)
{
    if (!c->gone_due)
        return false;
    uint64_t peer = c->peer;
    world_say(w, "client %d gone (peer %llu)", c->index,
              (unsigned long long)peer);
    link_down(w, c);
    desk_gone(w->desk, peer);
    return true;
}

void client_crash(struct world *w, struct client *c)
{
    if (c->link == LINK_DOWN)
        return;
    while (world_chance(w, 500) && client_hear_step(w, c))
        ;
    link_down(w, c);
}

static void connect_visitor(struct world *w, struct client *c,
                            const struct join *j)
{
    struct contact *row = fakestore_contact(w, c->id);
    struct contact fresh = {.id = c->id,
                            .channel = c->channel,
                            .name = SLICE("Anna"),
                            .tags = SLICE("[]"),
                            .attributes = SLICE("{}"),
                            .created_at = w->now};
    bool changed = row && world_chance(w, w->weather.rare);
    if (row)
        fresh = *row;
    if (changed)
        fresh.tier = world_chance(w, 500) ? SLICE("vip") : SLICE("");
    desk_join_visitor(w->desk, j, c->channel, &fresh, row != NULL, changed);
}

static void connect(struct world *w, struct client *c)
{
    struct join j = {.peer = ++w->next_id,
                     .token = SLICE("token"),
                     .has_resume = c->has_cursor,
                     .resume_valid = true,
                     .resume = c->cursor};
    if (c->has_cursor && !w->calm && world_chance(w, w->weather.rare))
        j.resume_valid = false; /* of another epoch, or nonsense */
    j.resume_valid = j.resume_valid && j.has_resume;
    c->peer = j.peer;
    c->link = LINK_JOINING;
    c->last = (struct cursor){0};
    c->told.count = 0;
    c->joined = fakestore_pos(w);
    c->sent_order = 0;
    world_say(w, "client %d (%s %llu) joins as peer %llu, resume %llu.%u%s",
              c->index, role_name(c->role), (unsigned long long)c->id,
              (unsigned long long)j.peer, (unsigned long long)j.resume.pos,
              j.resume.sub, j.resume_valid ? "" : " (none)");
    if (c->role == ROLE_VISITOR) {
        connect_visitor(w, c, &j);
        return;
    }
    enum agent_status s =
        c->started && world_chance(w, 800) ? AGENT_OFFLINE : AGENT_ONLINE;
    desk_join_agent(w->desk, &j, c->id, s);
}

/* --- to the desk ---------------------------------------------------------- */

static struct said *say(struct client *c, enum frame_type type)
{
    struct said *s = mem_alloc(sizeof(*s));
    s->type = type;
    s->out = -1;
    if (c->out_last)
        c->out_last->next = s;
    else
        c->out_first = s;
    c->out_last = s;
    return s;
}

static void flush_outbox(struct world *w, struct client *c)
{
    for (size_t i = 0; i < c->out_count; i++) {
        struct out *o = &c->out[i];
        if (o->state != OUT_WAITS || (o->again > w->now && !w->calm))
            continue;
        o->state = OUT_SENT;
        struct said *s = say(c, FRAME_SEND);
        s->out = (int)i;
        s->conv = o->conv;
    }
}

static struct slice arena_copy(struct arena *a, const char *text)
{
    return slice_dup(a, slice_of(text));
}

static void fill_send(struct client *c, const struct said *s, struct frame *f,
                      struct arena *a)
{
    struct out *o = &c->out[s->out];
    char body[160];
    snprintf(body, sizeof(body), "{\"kind\":\"text\",\"text\":\"%s\"%s}",
             o->text, o->is_private ? ",\"private\":true" : "");
    f->ref = arena_copy(a, o->ref);
    f->kind = SLICE("text");
    f->text = arena_copy(a, o->text);
    f->body = arena_copy(a, body);
    f->is_private = o->is_private;
    f->conv = o->conv;
    o->tries++;
    o->order = ++c->sent_order;
}

bool client_say_step(struct world *w, struct client *c)
{
    struct said *s = c->out_first;
    if (!s || c->link != LINK_LIVE || c->gone_due)
        return false;
    c->out_first = s->next;
    if (!c->out_first)
        c->out_last = NULL;
    struct arena *a = arena_new();
    struct frame *f = arena_one(a, struct frame);
    f->type = s->type;
    f->conv = s->conv;
    f->seq = s->seq;
    f->before = s->before;
    f->limit = 20;
    f->ref = arena_copy(a, s->ref);
    if (s->type == FRAME_SEND)
        fill_send(c, s, f, a);
    if (s->type == FRAME_TYPING)
        f->text = SLICE("typ");
    if (s->type == FRAME_STATUS)
        f->status = slice_of(agent_status_name(s->status));
    mem_free(s);
    w->credits++;
    world_say(w, "client %d says frame %d ref %.*s conv %llu", c->index,
              (int)f->type, SLICE_FMT(f->ref), (unsigned long long)f->conv);
    desk_frame(w->desk, c->peer, f, a);
    return true;
}

/* --- from the desk -------------------------------------------------------- */

void client_tell(struct world *w, struct client *c, const struct notice *n)
{
    struct told *t = mem_alloc(sizeof(*t));
    t->type = n->type;
    must(n->ref.len <= LIMIT_REF_BYTES);
    if (n->ref.len)
        memcpy(t->ref, n->ref.at, n->ref.len);
    t->conv = n->conv;
    t->cursor = n->cursor;
    t->duplicate = n->duplicate;
    t->recovered = n->recovered;
    t->more = n->more;
    t->code = n->code;
    if (n->event) {
        t->pos = n->event->pos;
        t->seq = n->event->seq;
        t->name = n->event->name;
        t->conv = n->event->conv;
    }
    if (n->type == NOTICE_WELCOME && n->conversation)
        t->conv = n->conversation->id;
    if (n->items.len) {
        t->items = mem_alloc(n->items.len + 1);
        memcpy(t->items, n->items.at, n->items.len);
    }
    if (c->in_last)
        c->in_last->next = t;
    else
        c->in_first = t;
    c->in_last = t;
}

static void see(struct client *c, uint64_t conv, uint64_t pos, uint32_t seq)
{
    if (!marks_has(&c->seen, pos))
        marks_add(&c->seen, conv, pos, seq);
}

static struct out *out_of(struct client *c, const char *ref)
{
    for (size_t i = 0; i < c->out_count; i++)
        if (strcmp(c->out[i].ref, ref) == 0)
            return &c->out[i];
    return NULL;
}

static void ask_history(struct client *c, uint32_t before)
{
    struct said *s = say(c, FRAME_HISTORY);
    s->conv = c->history;
    s->before = before;
    snprintf(s->ref, sizeof(s->ref), "h%u", before);
    c->loading = true;
}

/* A console reads by REST what it may see: all of it, at once. What it could
 * see at its cursor and no longer now it opens later, as it is needed. */
static void read_all(struct world *w, struct client *c)
{
    for (size_t i = 0; i < w->store.convs.count; i++) {
        struct conv_row *r = w->store.convs.at[i];
        if (!desk_may_see(w->desk, c->id, &r->c))
            marks_add(&c->lost, r->c.id, r->c.id, 0);
    }
    for (uint64_t pos = 1; pos <= fakestore_pos(w); pos++) {
        struct event *ev = fakestore_event(w, pos);
        struct conv_row *r = ev->conv ? fakestore_conv(w, ev->conv) : NULL;
        if (r && ev->name == EVENT_MESSAGE_CREATED &&
            desk_may_see(w->desk, c->id, &r->c))
            see(c, ev->conv, ev->pos, ev->seq);
    }
}

static void hear_welcome(struct world *w, struct client *c,
                         const struct told *t)
{
    bool over = !c->has_cursor || !t->recovered;
    c->link = LINK_LIVE;
    c->started = true;
    if (over) {
        c->has_cursor = true;
        c->cursor = t->cursor;
        c->since = t->cursor.pos;
        w->did.restarted++;
    } else {
        w->did.recovered++;
    }
    if (c->role == ROLE_AGENT && over)
        read_all(w, c);
    if (c->role == ROLE_VISITOR) {
        c->conv = t->conv;
        if (over)
            c->history = c->loaded = c->conv;
        if (c->history)
            ask_history(c, 0);
    }
}

static void hear_ack(struct world *w, struct client *c, const struct told *t)
{
    struct out *o = out_of(c, t->ref);
    if (!o) {
        world_fail(w, "an ack for ref %s, which was never sent", t->ref);
        return;
    }
    o->state = OUT_ACKED;
    o->pos = t->pos;
    w->did.acks++;
    see(c, t->conv, t->pos, t->seq);
    if (!t->duplicate)
        c->cursor = t->cursor;
}

static void hear_error(struct world *w, struct client *c, const struct told *t)
{
    struct out *o = t->ref[0] ? out_of(c, t->ref) : NULL;
    world_say(w, "client %d hears error %s for %s", c->index, err_code(t->code),
              t->ref);
    if (t->ref[0] == 'h')
        ask_history(c, 0);
    if (!o)
        return;
    if (err_may_retry(t->code)) {
        o->state = OUT_WAITS;
        o->again = w->now + 200 + world_below(w, 800);
    } else {
        o->state = OUT_REFUSED;
    }
}

static void hear_history(struct world *w, struct client *c,
                         const struct told *t)
{
    struct arena *a = arena_new();
    struct json *list = NULL;
    uint32_t least = 0;
    c->loading = false;
    if (json_parse(a, slice_of(t->items ? t->items : "[]"), NULL, &list))
        world_fail(w, "history items are not JSON");
    for (struct json *m = list ? list->first : NULL; m; m = m->next) {
        uint64_t pos = 0;
        if (!id_parse(json_text(m, "id"), ID_MESSAGE, &pos))
            world_fail(w, "a message of history without an id");
        uint32_t seq = (uint32_t)json_int(m, "seq", 0);
        least = least && least < seq ? least : seq;
        see(c, c->history, pos, seq);
    }
    if (t->more && least > 1)
        ask_history(c, least);
    else
        c->history = 0;
    arena_free(a);
}

static void hear(struct world *w, struct client *c, const struct told *t)
{
    switch (t->type) {
    case NOTICE_WELCOME:
        hear_welcome(w, c, t);
        break;
    case NOTICE_ACK:
        hear_ack(w, c, t);
        break;
    case NOTICE_EVENT:
        if (t->name == EVENT_MESSAGE_CREATED)
            see(c, t->conv, t->pos, t->seq);
        c->cursor = t->cursor;
        break;
    case NOTICE_ERROR:
        hear_error(w, c, t);
        break;
    case NOTICE_HISTORY:
        hear_history(w, c, t);
        break;
    case NOTICE_RECONNECT:
        c->gone_due = true;
        break;
    default:
        break; /* fleeting */
    }
}

bool client_hear_step(struct world *w, struct client *c)
{
    struct told *t = c->in_first;
    if (!t || c->link == LINK_DOWN)
        return false;
    c->in_first = t->next;
    if (!c->in_first)
        c->in_last = NULL;
    hear(w, c, t);
    told_free(t);
    return true;
}

/* --- a turn --------------------------------------------------------------- */

static void write_message(struct world *w, struct client *c, uint64_t conv)
{
    if (c->out_count == c->out_cap) {
        c->out_cap = c->out_cap ? c->out_cap * 2 : 16;
        c->out = mem_resize(c->out, c->out_cap * sizeof(*c->out));
    }
    struct out *o = &c->out[c->out_count];
    *o = (struct out){.conv = conv};
    bool wanted = world_chance(w, w->weather.wants);
    snprintf(o->ref, sizeof(o->ref), "%c%d-%zu", wanted ? 'w' : 'x', c->index,
             c->out_count);
    snprintf(o->text, sizeof(o->text), "t%d-%zu", c->index, c->out_count);
    o->is_private = c->role == ROLE_AGENT && world_chance(w, 250);
    c->out_count++;
    w->did.messages++;
    if (c->out_count > 1 && world_chance(w, w->weather.rare)) {
        /* Tapped twice: an old one again. Its ref is what counts. */
        struct out *old = &c->out[world_below(w, (uint32_t)c->out_count - 1)];
        if (old->state == OUT_ACKED)
            old->state = OUT_WAITS;
    }
}

/* Mostly one it holds, at times one that is none of its business. */
static uint64_t choose_conv(struct world *w, struct client *c)
{
    struct row_list *l = &w->store.convs;
    if (l->count == 0)
        return 0;
    for (int i = 0; i < 12; i++) {
        struct conv_row *r = l->at[world_below(w, (uint32_t)l->count)];
        if (r->c.state != CONV_CLOSED && r->c.assignee == c->id)
            return r->c.id;
    }
    struct conv_row *r =
        l->at[l->count - 1 -
              world_below(w, l->count > 6 ? 6 : (uint32_t)l->count)];
    return r->c.id;
}

static void on_act(struct act *act)
{
    struct world *w = act->owner;
    for (size_t i = 0; i < w->act_count; i++) {
        if (w->acts[i] != act)
            continue;
        w->acts[i] = w->acts[--w->act_count];
        w->did.acts++;
        oracle_on_act(w, act);
        act_free(act);
        return;
    }
    world_fail(w, "an act was answered twice");
}

static void fill_act(struct world *w, struct act *act)
{
    char ref[24];
    switch (act->kind) {
    case ACT_ASSIGN:
        if (world_chance(w, 500))
            act->agent = w->agents[world_below(w, WORLD_AGENTS)];
        else if (world_chance(w, 500))
            act->team = w->teams[world_below(w, WORLD_TEAMS)];
        if (world_chance(w, 300))
            act->note = SLICE("please help");
        break;
    case ACT_SEND:
        act->frame = arena_one(act->arena, struct frame);
        act->frame->kind = SLICE("text");
        act->frame->text = SLICE("by REST");
        act->frame->body = SLICE("{\"kind\":\"text\",\"text\":\"by REST\"}");
        snprintf(ref, sizeof(ref), "rest-%u", world_below(w, 400));
        act->frame->ref = arena_copy(act->arena, ref);
        break;
    case ACT_READ:
        act->seq = 1 + world_below(w, 40);
        break;
    case ACT_SNOOZE:
        act->until = w->now + world_below(w, 3000);
        break;
    case ACT_UPDATE:
        act->has_tags = true;
        act->tags = SLICE("[\"seen\"]");
        act->has_priority = world_chance(w, 500);
        act->priority = (int32_t)world_below(w, 3);
        break;
    default:
        break;
    }
}

/* By REST, as the console does for everything but messages. */
static void do_act(struct world *w, struct client *c)
{
    static const enum act_kind kinds[] = {
        ACT_ASSIGN, ACT_ASSIGN, ACT_CLOSE, ACT_REOPEN, ACT_SNOOZE,
        ACT_UPDATE, ACT_CLOSE,  ACT_SEND,  ACT_SEND,   ACT_READ};
    if (w->act_count == WORLD_ACTS)
        return;
    struct act *act = act_new(
        kinds[world_below(w, sizeof(kinds) / sizeof(kinds[0]))], on_act, w);
    act->role = ROLE_AGENT;
    act->actor = c->id;
    act->conv = choose_conv(w, c);
    fill_act(w, act);
    world_say(w, "agent %llu does act %d on conv %llu",
              (unsigned long long)c->id, (int)act->kind,
              (unsigned long long)act->conv);
    w->acts[w->act_count++] = act;
    desk_act(w->desk, act);
}

static uint32_t top_seq(const struct client *c, uint64_t conv)
{
    uint32_t top = 0;
    for (size_t i = 0; i < c->seen.count; i++)
        if (c->seen.at[i].conv == conv && c->seen.at[i].seq > top)
            top = c->seen.at[i].seq;
    return top;
}

static void little_frame(struct world *w, struct client *c, uint64_t conv)
{
    static const enum frame_type types[] = {FRAME_TYPING, FRAME_READ,
                                            FRAME_READ, FRAME_PING};
    struct said *s = say(c, types[world_below(w, 4)]);
    s->conv = c->role == ROLE_AGENT ? conv : 0;
    s->seq = top_seq(c, conv);
}

static void agent_turn(struct world *w, struct client *c)
{
    uint64_t conv = choose_conv(w, c);
    uint32_t what = world_below(w, 100);
    if (what < 45 && conv) {
        write_message(w, c, conv);
    } else if (what < 65 && conv) {
        do_act(w, c);
    } else if (what < 72) {
        struct said *s = say(c, FRAME_STATUS);
        s->status = world_chance(w, 700)
                        ? AGENT_ONLINE
                        : (enum agent_status)(1 + world_below(w, 3));
    } else if (conv) {
        little_frame(w, c, conv);
    }
}

static void live_turn(struct world *w, struct client *c)
{
    if (w->calm) {
        if (c->away)
            client_drop(w, c);
        else
            flush_outbox(w, c);
        return;
    }
    if (world_chance(w, w->weather.drop)) {
        client_drop(w, c);
        return;
    }
    if (world_chance(w, w->weather.rare / 4))
        c->broken = true; /* reads too slowly: given up by net */
    if (c->role == ROLE_AGENT)
        agent_turn(w, c);
    else if (world_chance(w, 700))
        write_message(w, c, 0);
    else
        little_frame(w, c, c->conv);
    if (c->link == LINK_LIVE)
        flush_outbox(w, c);
}

void client_turn(struct world *w, struct client *c)
{
    if (c->gone_due)
        return;
    if (c->broken && world_chance(w, 300)) {
        c->gone_due = true;
        return;
    }
    if (c->link == LINK_LIVE)
        live_turn(w, c);
    else if (c->link == LINK_JOINING && !w->calm &&
             world_chance(w, w->weather.drop))
        client_drop(w, c);
    else if (c->link == LINK_DOWN && c->up_at <= w->now && !c->away)
        connect(w, c);
}

bool client_is_idle(const struct client *c)
{
    if (c->away)
        return c->link == LINK_DOWN;
    for (size_t i = 0; i < c->out_count; i++)
        if (c->out[i].state == OUT_WAITS || c->out[i].state == OUT_SENT)
            return false;
    return c->link == LINK_LIVE && !c->in_first && !c->out_first &&
           !c->gone_due && !c->broken && !c->loading;
}
