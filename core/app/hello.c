/* SPDX-License-Identifier: Apache-2.0 */
/* hello.c - who comes in: visitors by token or identity, agents by session.
 *
 * Happy path of a new visitor: no database at all, an id is made and signed
 * into a token. Who has been here before is looked up once and joins when the
 * answer comes. Failure: an unknown channel, a wrong identity or session get an
 * error and 4003; a wrong visitor token makes a new visitor, so that a changed
 * key locks nobody out. Who leaves while being looked up joins nowhere.
 */
#include "app/api/api.h"
#include "app/kinds.h"
#include "app/server.h"
#include "app/sign.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"

#define DAY_MS (24LL * 3600 * 1000)
#define PAGE_MAX 2048

METER(hellos_visitor, METER_COUNTER, "yuelai_hellos_visitor_total",
      "Visitors that came in");
METER(hellos_agent, METER_COUNTER, "yuelai_hellos_agent_total",
      "Agents' sockets that came in");
METER(hellos_refused, METER_COUNTER, "yuelai_hellos_refused_total",
      "Hellos refused");
METER(arriving, METER_GAUGE, "yuelai_hellos_waiting",
      "Hellos that wait for the database");

struct arrival {
    struct server *s;
    uint64_t peer;
    bool gone, again;
    struct arena *arena; /* the hello's, owned */
    struct hello *hello;
    const char *token_old; /* the token that was good, or NULL */
    struct visitor_token token;
    uint64_t channel;
};

/* An agent's socket, for as long as it lives. */
struct agent_peer {
    uint64_t peer, token;
};

static void refuse(struct server *s, uint64_t peer, struct arena *a, int code,
                   const char *why)
{
    struct notice n = {
        .type = NOTICE_ERROR, .code = code, .arena = a, .text = slice_of(why)};
    meter_add(&hellos_refused, 1);
    (void)peer_send(s->net, peer, &n); /* the close says it too */
    peer_close(s->net, peer, 4003, err_code(code));
    arena_free(a);
}

static struct join join_of(struct server *s, uint64_t peer,
                           const struct hello *h, bool known)
{
    struct join j = {.peer = peer, .has_resume = h->resume.len > 0};
    j.resume_valid = known && cursor_parse(h->resume, &j.resume) &&
                     j.resume.epoch == s->epoch;
    return j;
}

/* --- visitors --- */

/* What the browser said of itself goes with a new contact. */
static struct slice first_attributes(const struct hello *h, struct arena *a)
{
    struct buf out;
    if (h->locale.len == 0 && h->page.len == 0) {
        return (struct slice){0}; /* and the desk keeps nothing of them */
    }
    buf_init(&out, PAGE_MAX + LIMIT_NAME_BYTES * 6);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    if (h->locale.len && h->locale.len <= LIMIT_NAME_BYTES) {
        jsonw_put_text(&w, "locale", h->locale);
    }
    if (h->page.len && h->page.len <= PAGE_MAX) {
        jsonw_put_raw(&w, "page", h->page);
    }
    jsonw_close(&w, '}');
    struct slice text = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return text;
}

static void fill_new(struct contact *c, const struct hello *h, struct arena *a)
{
    c->attributes = first_attributes(h, a);
    c->created_at = c->updated_at = clock_ms();
}

/* Joins with the token that was good while it is young, else a fresh one. */
static void join_visitor(struct arrival *v, struct contact *c, bool stored,
                         bool changed, bool known)
{
    struct server *s = v->s;
    int64_t now = clock_ms();
    char text[VISITOR_TOKEN_TEXT];
    struct join j = join_of(s, v->peer, v->hello, known);
    bool young = v->token_old && v->token.contact == c->id &&
                 v->token.issued_at > now - s->conf.visitor_days * DAY_MS / 2;
    j.token = young ? v->hello->token
                    : visitor_token_write(
                          text, s->key,
                          (struct visitor_token){c->id, v->channel, now});
    meter_add(&hellos_visitor, 1);
    desk_join_visitor(s->desk, &j, v->channel, c, stored, changed);
}

static void arrival_end(struct arrival *v)
{
    if (map_get(&v->s->arrivals, v->peer) == v) {
        (void)map_take(&v->s->arrivals, v->peer);
    }
    meter_add(&arriving, -1);
    arena_free(v->arena);
}

static bool take_text(struct slice *mine, struct slice news)
{
    if (news.len == 0 || slice_eq(*mine, news)) {
        return false;
    }
    *mine = news;
    return true;
}

/* Signed attributes win over those we have; others stay. */
static bool take_attributes(struct contact *c, struct slice news,
                            struct arena *a)
{
    struct json *old = NULL, *new = NULL;
    struct buf out;
    if (news.len == 0 || json_parse(a, news, NULL, &new) ||
        !json_is(new, JSON_OBJECT)) {
        return false;
    }
    if (c->attributes.len) {
        (void)json_parse(a, c->attributes, NULL, &old); /* ours: well-formed */
    }
    buf_init(&out, LIMIT_FRAME_BYTES * 2);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    const struct json *first =
        old && old->type == JSON_OBJECT ? old->first : NULL;
    for (const struct json *f = first; f; f = f->next) {
        const char *key = slice_dup(a, f->key).at;
        if (!json_get(new, key)) {
            jsonw_key(&w, key);
            jsonw_value(&w, f);
        }
    }
    for (struct json *f = new->first; f; f = f->next) {
        jsonw_key(&w, slice_dup(a, f->key).at);
        jsonw_value(&w, f);
    }
    jsonw_close(&w, '}');
    bool changed = !w.failed && !slice_eq(buf_slice(&out), c->attributes);
    if (changed) {
        c->attributes = slice_dup(a, buf_slice(&out));
    }
    buf_fini(&out);
    return changed;
}

static bool take_identity(struct contact *c, const struct hello *h,
                          struct arena *a)
{
    bool changed = take_text(&c->name, h->name);
    changed |= take_text(&c->email, h->email);
    changed |= take_text(&c->tier, h->tier);
    changed |= take_attributes(c, h->attributes, a);
    if (changed) {
        c->updated_at = clock_ms();
    }
    return changed;
}

static void look_up(struct arrival *v, bool by_identity);

/* Another socket of the same person may have been quicker: look again. */
static void on_contact_made(struct tx *tx)
{
    struct arrival *v = tx->owner;
    int r = tx->result;
    if (r == 0) {
        desk_put_contact(v->s->desk, tx->puts->contact);
        server_announce(v->s, tx);
    }
    if (r == ERR_CONFLICT && !v->again && !v->gone) {
        v->again = true;
        tx_free(tx);
        look_up(v, true);
        return;
    }
    if (r == 0 && !v->gone) {
        join_visitor(v, tx->puts->contact, true, false, true);
    } else if (!v->gone) {
        peer_close(v->s->net, v->peer, 1013, "unavailable");
    }
    tx_free(tx);
    arrival_end(v);
}

static void contact_copy(struct contact *to, const struct contact *from,
                         struct arena *a)
{
    struct slice *texts[] = {&to->name, &to->email, &to->phone,
                             &to->tier, &to->tags,  &to->attributes};
    *to = *from;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *texts[i] = slice_dup(a, *texts[i]);
    }
}

/* Who is known by a signed identity has a row from the first moment on: the
 * guest's that they were until now, or a new one. */
static void make_contact(struct arrival *v, const struct contact *guest)
{
    struct tx *tx = tx_new(on_contact_made, v);
    struct contact *c = arena_one(tx->arena, struct contact);
    struct buf body;
    if (guest) {
        contact_copy(c, guest, v->arena);
    } else {
        c->id = id_new();
        c->channel = v->channel;
        fill_new(c, v->hello, v->arena);
    }
    c->identity = v->hello->user_id;
    (void)take_identity(c, v->hello, v->arena);
    buf_init(&body, LIMIT_FRAME_BYTES * 2);
    struct jsonw w = jsonw_on(&body);
    contact_write(&w, c);
    struct event *ev = tx_event(tx, EVENT_CONTACT_UPDATED);
    ev->role = ROLE_VISITOR;
    ev->sender = c->id;
    ev->body = w.failed ? SLICE("{}") : slice_dup(tx->arena, buf_slice(&body));
    buf_fini(&body);
    tx_put(tx, PUT_CONTACT)->contact = c;
    server_commit(v->s, tx);
}

/* Signs in on the device on which they were a guest: nobody's conversation but
 * theirs, so it goes on. */
static void on_guest(struct query *q)
{
    struct arrival *v = q->owner;
    if (v->gone || (q->result && q->result != ERR_NOT_FOUND)) {
        if (!v->gone) {
            peer_close(v->s->net, v->peer, 1013, "unavailable");
        }
        arrival_end(v);
    } else {
        bool guest = q->contact && !q->contact->identity.len;
        make_contact(v, guest ? q->contact : NULL);
    }
    query_free(q);
}

static void first_sign_in(struct arrival *v)
{
    if (!v->token_old) {
        make_contact(v, NULL);
        return;
    }
    struct query *q = query_new(QUERY_CONTACT, on_guest, v);
    q->id = v->token.contact;
    q->channel = v->channel;
    server_read(v->s, q);
}

static void on_identity(struct query *q)
{
    struct arrival *v = q->owner;
    if (v->gone || (q->result && q->result != ERR_NOT_FOUND)) {
        if (!v->gone) {
            peer_close(v->s->net, v->peer, 1013, "unavailable");
        }
    } else if (q->contact) {
        struct contact c = *q->contact;
        bool changed = take_identity(&c, v->hello, v->arena);
        join_visitor(v, &c, true, changed, true);
    } else {
        query_free(q);
        first_sign_in(v);
        return;
    }
    query_free(q);
    arrival_end(v);
}

static void on_returning(struct query *q)
{
    struct arrival *v = q->owner;
    struct contact c = {.id = v->token.contact, .channel = v->channel};
    if (v->gone || (q->result && q->result != ERR_NOT_FOUND)) {
        if (!v->gone) {
            peer_close(v->s->net, v->peer, 1013, "unavailable");
        }
    } else if (q->contact) {
        join_visitor(v, q->contact, true, false, true);
    } else { /* was here, wrote nothing */
        fill_new(&c, v->hello, v->arena);
        join_visitor(v, &c, false, false, true);
    }
    query_free(q);
    arrival_end(v);
}

static void look_up(struct arrival *v, bool by_identity)
{
    struct server *s = v->s;
    struct query *q =
        query_new(QUERY_CONTACT, by_identity ? on_identity : on_returning, v);
    q->id = by_identity ? 0 : v->token.contact;
    q->channel = v->channel;
    q->identity = by_identity ? slice_dup(q->arena, v->hello->user_id)
                              : (struct slice){0};
    if (!v->again) {
        map_put(&s->arrivals, v->peer, v);
        meter_add(&arriving, 1);
    }
    server_read(s, q);
}

static bool token_is_good(struct arrival *v)
{
    return visitor_token_read(v->hello->token, v->s->key, clock_ms(),
                              v->s->conf.visitor_days * DAY_MS, &v->token) &&
           v->token.channel == v->channel;
}

static int check_identity(struct arrival *v, const struct channel *ch,
                          struct kind_door door, struct err *e)
{
    struct json *secrets = NULL;
    int64_t now = clock_ms(), most = door.identity_max_ms;
    if (ch->secrets.len == 0 ||
        json_parse(v->arena, ch->secrets, NULL, &secrets)) {
        secrets = NULL;
    }
    int r = identity_check(v->hello, json_text(secrets, "identity_secret"), now,
                           v->arena, e);
    if (r == 0 && most && v->hello->expires_at > now + most) {
        r = err_field(e, ERR_UNAUTHORIZED, "identity.expires_at",
                      "the identity is good for too long: expires_at may be "
                      "at most %lld hours from now",
                      (long long)(most / 3600000));
    }
    return r;
}

static void visitor_arrived(struct server *s, uint64_t peer, struct frame *f,
                            struct arena *a)
{
    const struct channel *ch = desk_find_channel(s->desk, f->hello->channel);
    const struct kind *k = ch ? kinds_find(s->kinds, ch->type) : NULL;
    struct err e = {0};
    /* A page must not speak into what comes from a platform. */
    if (!k || !ch->enabled || !k->socket) {
        refuse(s, peer, a, ERR_NOT_FOUND, "there is no such channel");
        return;
    }
    struct kind_door door = kind_door(k, ch);
    if (door.signed_only && !f->hello->has_identity) {
        refuse(s, peer, a, ERR_UNAUTHORIZED,
               "this channel is for signed users: the hello needs an identity");
        return;
    }
    struct arrival *v = arena_one(a, struct arrival);
    *v = (struct arrival){
        .s = s, .peer = peer, .arena = a, .hello = f->hello, .channel = ch->id};
    if (f->hello->has_identity) {
        int r = check_identity(v, ch, door, &e);
        if (r) {
            refuse(s, peer, a, r == ERR_UNPROCESSABLE ? ERR_BAD_REQUEST : r,
                   e.text);
            return;
        }
        if (token_is_good(v)) {
            v->token_old = v->hello->token.at;
        }
        look_up(v, true);
        return;
    }
    if (!token_is_good(v)) {
        struct contact c = {.id = id_new(), .channel = ch->id};
        fill_new(&c, f->hello, a);
        join_visitor(v, &c, false, false, false);
        arena_free(a);
        return;
    }
    v->token_old = v->hello->token.at;
    const struct contact *live = desk_contact(s->desk, v->token.contact);
    if (live) {
        struct contact c = *live;
        join_visitor(v, &c, true, false, true);
        arena_free(a);
        return;
    }
    look_up(v, false);
}

/* --- agents --- */

static void agent_arrived(struct server *s, uint64_t peer, struct frame *f,
                          struct arena *a, struct slice cookie)
{
    struct slice text = f->hello->token.len ? f->hello->token : cookie;
    const struct token *t = auth_find(s->auth, text, clock_ms());
    const struct agent *who = t ? desk_agent(s->desk, t->agent) : NULL;
    enum agent_status status = AGENT_OFFLINE;
    if (!who || !who->enabled) {
        refuse(s, peer, a, ERR_UNAUTHORIZED,
               text.len ? "the session is unknown or has expired"
                        : "say a channel, or sign in");
        return;
    }
    if (!scopes_allow(t->scopes, "socket", true)) {
        refuse(s, peer, a, ERR_FORBIDDEN,
               "this token has no scope socket:write");
        return;
    }
    if (f->hello->status.len && !agent_status_find(f->hello->status, &status)) {
        refuse(s, peer, a, ERR_BAD_REQUEST,
               "status must be online, busy, away or offline");
        return;
    }
    struct join j = join_of(s, peer, f->hello, true);
    meter_add(&hellos_agent, 1);
    struct agent_peer *p = mem_alloc(sizeof *p);
    *p = (struct agent_peer){peer, t->id};
    map_put(&s->agent_peers, peer, p);
    desk_join_agent(s->desk, &j, who->id, status);
    arena_free(a);
}

void hello_arrived(struct server *s, uint64_t peer, struct frame *f,
                   struct arena *a, struct slice cookie)
{
    if (s->state != SERVER_SERVING) {
        peer_close(s->net, peer, 1001, "going away");
        arena_free(a);
    } else if (f->hello->channel.len) {
        visitor_arrived(s, peer, f, a);
    } else {
        agent_arrived(s, peer, f, a, cookie);
    }
}

bool hello_gone(struct server *s, uint64_t peer)
{
    mem_free(map_take(&s->agent_peers, peer));
    struct arrival *v = map_take(&s->arrivals, peer);
    if (v) {
        v->gone = true;
    }
    return v != NULL;
}

/* Whoever came in by this token goes: signed out, or the token was revoked. */
void hello_end_token(struct server *s, uint64_t token)
{
    struct agent_peer *p;
    for (size_t i = 0; (p = map_next(&s->agent_peers, &i)) != NULL;) {
        if (p->token == token) {
            peer_close(s->net, p->peer, 4003, "signed out");
        }
    }
}
