/* SPDX-License-Identifier: Apache-2.0 */
/* people.c - visitors and agents on a stage: who they are, what they see.
 *
 * Happy path: a visitor joins by the desk's own door with a socket that is
 * only a number; what the desk sends to it is kept as JSON. Messages go in as
 * checked frames, like those of a real socket. Failure modes: an error notice
 * becomes the step's error, with the desk's sentence.
 */
#include "app/testing/people.h"
#include "base/clock.h"
#include "base/limits.h"
#include <stdio.h>

/* --- who ------------------------------------------------------------------ */

struct actor *people_find(struct stage *st, uint64_t id)
{
    for (struct actor *a = st->actors; a; a = a->next)
        if (a->id == id)
            return a;
    return NULL;
}

static struct actor *by_peer(struct stage *st, uint64_t peer)
{
    for (struct actor *a = st->actors; a; a = a->next)
        if (a->peer == peer && peer)
            return a;
    return NULL;
}

static struct actor *actor_new(struct stage *st, enum role role)
{
    struct actor *a = arena_one(st->arena, struct actor);
    a->id = ++st->last_id;
    a->role = role;
    a->next = st->actors;
    st->actors = a;
    return a;
}

/* Who comes back is who the database says they are: rules may have changed the
 * contact since. */
static void join_known(struct stage *st, struct actor *a, const struct join *j)
{
    struct query *q = query_new(QUERY_CONTACT, NULL, NULL);
    q->id = a->who;
    bool stored = stage_read(st, q, NULL) == 0 && q->contact;
    desk_join_visitor(st->server->desk, j, a->channel,
                      stored ? q->contact : &a->contact, stored, false);
    query_free(q);
}

void people_join(struct stage *st, struct actor *a, bool again)
{
    struct desk *d = st->server->desk;
    const struct join j = {.peer = ++st->last_id,
                           .token = SLICE("test"),
                           .has_resume = again && a->cursor.pos,
                           .resume_valid = again && a->cursor.pos,
                           .resume = a->cursor};
    a->peer = j.peer;
    if (a->role == ROLE_AGENT)
        desk_join_agent(d, &j, a->who, AGENT_OFFLINE);
    else if (again)
        join_known(st, a, &j);
    else
        desk_join_visitor(d, &j, a->channel, &a->contact, false, false);
}

void people_leave(struct stage *st, struct actor *a)
{
    uint64_t peer = a->peer;
    a->peer = 0;
    if (peer)
        desk_gone(st->server->desk, peer);
}

void people_gone(struct stage *st, uint64_t peer)
{
    struct actor *a = by_peer(st, peer);
    if (a)
        a->peer = 0;
}

/* --- what they see -------------------------------------------------------- */

static void see(struct stage *st, struct actor *a, const struct event *ev)
{
    struct buf out;
    buf_init(&out, STAGE_STEP_BYTES);
    (void)buf_addf(&out, "{\"n\":%u,", a->count + 1); /* bounded by frames */
    if (event_write_data(&out, ev) == 0) {
        struct seen *s = arena_one(st->arena, struct seen);
        struct slice json = buf_slice(&out);
        char *brace = memchr(out.data, '{', out.len);
        brace = memchr(brace + 1, '{', out.len - 1);
        *brace = ' '; /* one object: n, and the message's own fields */
        s->n = ++a->count;
        s->sender = ev->sender;
        s->json = slice_dup(st->arena, json);
        if (a->last)
            a->last->next = s;
        else
            a->first = s;
        a->last = s;
    }
    buf_fini(&out);
}

static void see_assigned(struct stage *st, struct actor *a, uint64_t conv)
{
    const struct conversation *c = desk_conversation(st->server->desk, conv);
    if (!c || a->role != ROLE_AGENT || c->assignee != a->who)
        return;
    a->conv = conv;
    if (a->given_count < sizeof a->given / sizeof a->given[0])
        a->given[a->given_count++] = conv;
}

static void see_event(struct stage *st, struct actor *a, const struct event *ev)
{
    if (ev->name == EVENT_MESSAGE_CREATED) {
        bool own = ev->role == a->role && ev->sender == a->who;
        if (a->role == ROLE_VISITOR)
            a->conv = ev->conv;
        if (!own)
            see(st, a, ev);
    } else if (ev->name == EVENT_CONVERSATION_ASSIGNED) {
        see_assigned(st, a, ev->conv);
    }
}

static void see_ack(struct stage *st, struct actor *a, const struct event *ev)
{
    char id[ID_TEXT], conv[ID_TEXT], json[160];
    a->conv = ev->conv;
    snprintf(json, sizeof json,
             "\"id\":\"%s\",\"seq\":%u,\"conversation\":\"%s\"",
             id_text(id, ID_MESSAGE, ev->pos).at, ev->seq,
             id_text(conv, ID_CONVERSATION, ev->conv).at);
    a->answer = slice_dup(st->arena, slice_of(json));
}

bool people_notice(struct stage *st, uint64_t peer, const struct notice *n)
{
    struct actor *a = by_peer(st, peer);
    if (!a)
        return false;
    if (n->cursor.pos)
        a->cursor = n->cursor;
    if (n->type == NOTICE_EVENT && n->event)
        see_event(st, a, n->event);
    else if (n->type == NOTICE_ACK && n->event)
        see_ack(st, a, n->event);
    else if (n->type == NOTICE_ERROR)
        a->refused = slice_dup(st->arena, n->text);
    else if (n->type == NOTICE_WELCOME && n->conversation)
        a->conv = n->conversation->id;
    return true;
}

/* --- new ones ------------------------------------------------------------- */

static struct slice raw_of(struct arena *a, const struct json *j)
{
    struct buf out;
    buf_init(&out, LIMIT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, j);
    struct slice text =
        w.failed ? (struct slice){0} : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

/* The oldest channel of that type; made if there is none. */
static int channel_of(struct stage *st, struct slice type, uint64_t *id,
                      struct err *e)
{
    struct desk *d = st->server->desk;
    const struct channel *c;
    for (size_t i = 0; (c = desk_next_channel(d, &i)) != NULL;)
        if (slice_eq(c->type, type) || slice_eq(c->name, type)) {
            *id = c->id;
            return 0;
        }
    struct tx *tx = tx_new(NULL, NULL);
    struct channel *row = arena_one(tx->arena, struct channel);
    *row = (struct channel){.id = id_new(),
                            .type = slice_dup(tx->arena, type),
                            .name = slice_dup(tx->arena, type),
                            .config = SLICE("{}"),
                            .secrets = SLICE("{}"),
                            .enabled = true,
                            .created_at = clock_ms(),
                            .updated_at = clock_ms()};
    *id = row->id;
    tx_put(tx, PUT_CHANNEL)->channel = row;
    desk_put_channel(d, row);
    int r = stage_commit(st, tx, e);
    tx_free(tx);
    return r;
}

static struct slice text_in(struct stage *st, const struct json *in,
                            const char *key)
{
    return slice_dup(st->arena, json_text(in, key));
}

static void write_who(struct jsonw *w, const struct actor *a,
                      const char *prefix, struct slice name)
{
    char id[ID_TEXT];
    jsonw_put_int(w, "id", (int64_t)a->id);
    jsonw_put_text(w, a->role == ROLE_AGENT ? "agent_id" : "contact_id",
                   id_text(id, prefix, a->who));
    jsonw_put_text(w, "name", name);
}

int people_visitor(struct stage *st, const struct json *in, struct jsonw *out,
                   struct err *e)
{
    struct actor *a = actor_new(st, ROLE_VISITOR);
    struct slice type = json_text(in, "channel");
    struct json *tags = json_get(in, "tags");
    struct json *attributes = json_get(in, "attributes");
    int r = channel_of(st, type.len ? type : SLICE("web"), &a->channel, e);
    if (r)
        return r;
    a->who = id_new();
    a->contact = (struct contact){.id = a->who,
                                  .channel = a->channel,
                                  .identity = text_in(st, in, "user_id"),
                                  .name = text_in(st, in, "name"),
                                  .email = text_in(st, in, "email"),
                                  .phone = text_in(st, in, "phone"),
                                  .tier = text_in(st, in, "tier"),
                                  .created_at = clock_ms(),
                                  .updated_at = clock_ms()};
    if (tags)
        a->contact.tags = raw_of(st->arena, tags);
    if (attributes)
        a->contact.attributes = raw_of(st->arena, attributes);
    write_who(out, a, ID_CONTACT,
              a->contact.name.len ? a->contact.name : SLICE("the visitor"));
    people_join(st, a, false);
    return stage_settle(st, e);
}

static void put_member(struct jsonw *w, uint64_t agent)
{
    char id[ID_TEXT];
    jsonw_text(w, id_text(id, ID_AGENT, agent));
}

/* The team by name, with this member more; made if there is none. */
static int join_team(struct stage *st, struct slice name, uint64_t agent,
                     struct err *e)
{
    struct desk *d = st->server->desk;
    const struct team *old = NULL, *t;
    struct json *members = NULL;
    struct buf out;
    for (size_t i = 0; (t = desk_next_team(d, &i)) != NULL;)
        if (slice_eq(t->name, name))
            old = t;
    struct tx *tx = tx_new(NULL, NULL);
    struct team *row = arena_one(tx->arena, struct team);
    row->id = old ? old->id : id_new();
    row->name = slice_dup(tx->arena, name);
    row->created_at = row->updated_at = clock_ms();
    buf_init(&out, STAGE_STEP_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    if (old && json_parse(tx->arena, old->members, NULL, &members) == 0)
        for (const struct json *m = members->first; m; m = m->next)
            jsonw_value(&w, m);
    put_member(&w, agent);
    jsonw_close(&w, ']');
    row->members = slice_dup(tx->arena, buf_slice(&out));
    buf_fini(&out);
    tx_put(tx, PUT_TEAM)->team = row;
    int r = stage_commit(st, tx, e);
    if (r == 0)
        desk_put_team(d, row);
    tx_free(tx);
    return r;
}

static int put_agent(struct stage *st, const struct json *in,
                     const struct actor *a, struct slice name, struct err *e)
{
    struct tx *tx = tx_new(NULL, NULL);
    struct agent *row = arena_one(tx->arena, struct agent);
    struct json *skills = json_get(in, "skills");
    struct slice role = json_text(in, "role");
    char email[64];
    snprintf(email, sizeof email, "agent%d@example.com", (int)a->id);
    struct slice mail = json_text(in, "email");
    *row = (struct agent){
        .id = a->who,
        .email = slice_dup(tx->arena, mail.len ? mail : slice_of(email)),
        .name = slice_dup(tx->arena, name),
        .max_load = (int32_t)json_int(in, "max_load", 10),
        .skills = skills ? raw_of(tx->arena, skills) : SLICE("[]"),
        .password = SLICE(""),
        .enabled = true,
        .created_at = clock_ms(),
        .updated_at = clock_ms()};
    int r = 0;
    if (role.len && !agent_role_find(role, &row->role))
        r = err_set(e, ERR_BAD_REQUEST,
                    "role must be agent, supervisor or admin");
    tx_put(tx, PUT_AGENT)->agent = row;
    r = r ? r : stage_commit(st, tx, e);
    if (r == 0)
        desk_put_agent(st->server->desk, row);
    tx_free(tx);
    return r;
}

static int agent_status_of(const struct json *in, enum agent_status *out,
                           struct err *e)
{
    struct slice text = json_text(in, "status");
    *out = AGENT_ONLINE;
    if (text.len && !agent_status_find(text, out))
        return err_set(e, ERR_BAD_REQUEST,
                       "status must be online, busy, away or offline");
    return 0;
}

int people_agent(struct stage *st, const struct json *in, struct jsonw *out,
                 struct err *e)
{
    struct actor *a = actor_new(st, ROLE_AGENT);
    struct json *teams = json_get(in, "teams");
    struct slice name = text_in(st, in, "name");
    struct slice email = text_in(st, in, "email");
    enum agent_status status;
    if (!name.len)
        name = email.len ? email : SLICE("the agent");
    a->who = id_new();
    int r = agent_status_of(in, &status, e);
    r = r ? r : put_agent(st, in, a, name, e);
    for (const struct json *t = teams ? teams->first : NULL; t && r == 0;
         t = t->next)
        r = join_team(st, t->text, a->who, e);
    if (r)
        return r;
    write_who(out, a, ID_AGENT, name);
    people_join(st, a, false);
    desk_set_status(st->server->desk, a->who, status);
    return stage_settle(st, e);
}

/* --- what they say -------------------------------------------------------- */

/* The conversation a step speaks of: by id, by a visitor, or the last one. */
static int conv_in(struct stage *st, const struct json *in, struct actor *a,
                   uint64_t *conv, struct err *e)
{
    struct slice text = json_text(in, "conversation");
    struct actor *of = people_find(st, (uint64_t)json_int(in, "of", 0));
    *conv = of ? of->conv : a->conv;
    if (text.len && !id_parse(text, ID_CONVERSATION, conv))
        return err_set(e, ERR_BAD_REQUEST, "%.*s is no conversation's id",
                       SLICE_FMT(text));
    if (!*conv && a->role == ROLE_AGENT)
        return err_set(e, ERR_NOT_FOUND,
                       "no conversation was assigned to this agent yet");
    return 0;
}

int people_say(struct stage *st, const struct json *in, struct jsonw *out,
               struct err *e)
{
    struct actor *a = people_find(st, (uint64_t)json_int(in, "who", 0));
    if (!a || !a->peer)
        return err_set(e, ERR_CONFLICT, "who has left cannot say anything");
    struct arena *arena = arena_new();
    struct frame *f = arena_one(arena, struct frame);
    int r = frame_check_message(json_get(in, "message"), true, arena, f, e);
    r = r ? r : conv_in(st, in, a, &f->conv, e);
    if (r) {
        arena_free(arena);
        return r;
    }
    char ref[32];
    snprintf(ref, sizeof ref, "t%d-%u", (int)a->id, ++a->said);
    f->type = FRAME_SEND;
    f->ref = slice_dup(arena, slice_of(ref));
    f->text = slice_dup(arena, f->text); /* a hook may keep it for longer */
    f->kind = slice_dup(arena, f->kind); /* than this step */
    f->is_private = json_bool(in, "private", false);
    if (a->role == ROLE_VISITOR)
        f->conv = 0; /* theirs, or a new one */
    a->refused = a->answer = (struct slice){0};
    desk_frame(st->server->desk, a->peer, f, arena);
    r = stage_settle(st, e);
    if (r == 0 && a->refused.len)
        return err_set(e, ERR_CONFLICT, "the house refused it: %.*s",
                       SLICE_FMT(a->refused));
    if (r == 0 && a->answer.len)
        (void)buf_add_slice(out->out, a->answer); /* checked by the caller */
    return r;
}
