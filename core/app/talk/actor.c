/* SPDX-License-Identifier: Apache-2.0 */
/* actor.c - people of a talk: who they are, what they saw, what is unsent.
 *
 * An actor behaves as the shipped clients do: it keeps the cursor of the last
 * event or ack, brings it along when it comes back, and says again (same ref)
 * what was not acknowledged. Every frame is kept, so that a sentence may speak
 * of it later and "twice" can be seen at the end.
 */
#include "app/talk/talk.h"

#include <stdio.h>
#include <stdlib.h>

#define COME_BACK_MS 500

static bool is(const struct json *j, const char *key, const char *text)
{
    return slice_is(json_text(j, key), text);
}

struct actor *actor_find(struct talk *t, struct slice name)
{
    for (struct actor *a = t->actors; a; a = a->next)
        if (slice_is(name, a->name))
            return a;
    return NULL;
}

struct actor *actor_get(struct talk *t, struct slice name)
{
    struct actor *a = actor_find(t, name);
    if (a)
        return a;
    a = arena_one(t->arena, struct actor);
    snprintf(a->name, sizeof(a->name), "%.*s", SLICE_FMT(name));
    a->channel = SLICE("default");
    a->next = t->actors;
    t->actors = a;
    return a;
}

/* --- what came ------------------------------------------------------------- */

static void on_ack(struct actor *a, const struct json *j)
{
    struct slice ref = json_text(j, "ref");
    for (struct unsent **u = &a->unsent; *u; u = &(*u)->next) {
        if (slice_eq((*u)->ref, ref)) {
            *u = (*u)->next;
            break;
        }
    }
    if (!a->is_agent)
        a->conversation = json_text(j, "conversation");
    if (!json_bool(j, "duplicate", false))
        a->cursor = json_text(j, "cursor");
}

static void on_event(struct actor *a, const struct json *j)
{
    struct slice conversation = json_text(j, "conversation");
    a->cursor = json_text(j, "cursor");
    if (conversation.len && (is(j, "event", "message.created") ||
                             is(j, "event", "conversation.assigned")))
        a->conversation = conversation;
}

static void on_welcome(struct actor *a, const struct json *j)
{
    struct slice id = json_text(json_get(j, "conversation"), "id");
    struct slice you = json_text(json_get(j, "you"), "id");
    a->welcomed = true;
    a->recovered = json_bool(j, "recovered", false);
    if (json_text(j, "token").len && !a->is_agent)
        a->token = json_text(j, "token");
    if (id.len)
        a->conversation = id;
    if (you.len)
        a->id = you;
    if (!a->recovered || a->cursor.len == 0) {
        a->cursor = json_text(j, "cursor");
        a->fresh = NULL; /* starts over: what comes now is not "again" */
    }
}

static void on_frame(struct talk *t, struct actor *a, struct slice raw)
{
    struct seen *s = arena_one(t->arena, struct seen);
    struct err e;
    s->raw = raw;
    if (json_parse(t->arena, raw, &e, &s->json) != 0)
        talk_fail(t, "%s got what is no JSON: %s", a->name, e.text);
    if (a->last)
        a->last->next = s;
    else
        a->first = s;
    a->last = s;
    if (is(s->json, "type", "welcome"))
        on_welcome(a, s->json);
    else if (is(s->json, "type", "ack"))
        on_ack(a, s->json);
    else if (is(s->json, "type", "event"))
        on_event(a, s->json);
    else if (is(s->json, "type", "reconnect"))
        a->told_to_go = true; /* the talk says when it comes back */
    if (!a->fresh)
        a->fresh = s;
}

void actor_listen(struct talk *t, int64_t ms)
{
    struct client *list[64];
    size_t n = 0;
    enum client_opcode op;
    struct slice raw;
    for (struct actor *a = t->actors; a && n < 64; a = a->next)
        if (a->client && !a->client->ended)
            list[n++] = a->client;
    client_wait(list, n, ms);
    for (struct actor *a = t->actors; a; a = a->next)
        while (a->client && client_next(a->client, t->arena, &op, &raw))
            if (op == CLIENT_TEXT)
                on_frame(t, a, raw);
    for (struct actor *a = t->actors; a; a = a->next)
        if (a->told_to_go) {
            a->told_to_go = false;
            actor_leave(a, false);
        }
}

int actor_pump(struct talk *t, int64_t ms)
{
    actor_listen(t, ms);
    return house_died(t) ? -1 : 0;
}

/* --- waiting --------------------------------------------------------------- */

struct seen *actor_look(struct talk *t, struct actor *a, seen_fn fits,
                        void *arg)
{
    for (struct seen *s = a->first; s; s = s->next) {
        if (!s->taken && s->json && fits(t, s->json, arg)) {
            s->taken = true;
            return s;
        }
    }
    return NULL;
}

struct seen *actor_see(struct talk *t, struct actor *a, seen_fn fits, void *arg)
{
    int64_t until = talk_now_ms() + t->within_ms;
    for (;;) {
        struct seen *s = actor_look(t, a, fits, arg);
        if (s || talk_now_ms() >= until || actor_pump(t, 20) != 0)
            return s;
    }
}

static bool is_pong(struct talk *t, const struct json *j, void *arg)
{
    (void)t;
    return is(j, "type", "pong") &&
           slice_eq(json_text(j, "ref"), *(const struct slice *)arg);
}

int actor_settle(struct talk *t, struct actor *a)
{
    struct slice ref = talk_fmt(t, "settle-%d", ++t->refs);
    if (actor_send(t, a,
                   talk_fmt(t, "{\"type\":\"ping\",\"ref\":\"%.*s\"}",
                            SLICE_FMT(ref))))
        return -1;
    return actor_see(t, a, is_pong, &ref)
               ? 0
               : talk_fail(t, "%s got no pong", a->name);
}

/* --- coming and going ------------------------------------------------------ */

static struct slice hello(struct talk *t, const struct actor *a)
{
    struct buf b;
    buf_init(&b, 65536);
    struct jsonw w = jsonw_on(&b);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "type", SLICE("hello"));
    if (!a->is_agent)
        jsonw_put_text(&w, "channel", a->channel);
    if (a->token.len)
        jsonw_put_text(&w, "token", a->token);
    if (a->status.len)
        jsonw_put_text(&w, "status", a->status);
    if (a->keeps_place && a->cursor.len)
        jsonw_put_text(&w, "resume", a->cursor);
    jsonw_close(&w, '}');
    struct slice out = slice_dup(t->arena, buf_slice(&b));
    buf_fini(&b);
    return out;
}

/* 1: told to come back later. */
static int wait_welcome(struct talk *t, struct actor *a)
{
    int64_t until = talk_now_ms() + t->within_ms;
    while (!a->welcomed) {
        if (actor_pump(t, 20) != 0)
            return -1;
        if (!a->client)
            return 1;
        if (a->client->ended && !a->welcomed) {
            talk_fail(t, "%s was not welcomed: closed with %d", a->name,
                      a->client->close_code);
            actor_tell(t, a);
            return -1;
        }
        if (talk_now_ms() > until)
            return talk_fail(t, "%s got no welcome", a->name);
    }
    return 0;
}

static int enter(struct talk *t, struct actor *a)
{
    struct err e = {0};
    actor_leave(a, false);
    if (client_open(t->port, "", t->within_ms, &e, &a->client))
        return talk_fail(t, "%s cannot connect: %s", a->name, e.text);
    a->here = true;
    a->welcomed = false;
    if (!a->keeps_place)
        a->cursor = SLICE("");
    return actor_send(t, a, hello(t, a)) ? -1 : wait_welcome(t, a);
}

/* A house that has just started, or has no breath left, lets its peers in one
 * after another. */
int actor_connect(struct talk *t, struct actor *a)
{
    int64_t until = talk_now_ms() + t->within_ms;
    int r;
    while ((r = enter(t, a)) > 0 && talk_now_ms() < until)
        for (int64_t at = talk_now_ms() + COME_BACK_MS; talk_now_ms() < at;)
            if (actor_pump(t, 20) != 0)
                return -1;
    if (r > 0)
        return talk_fail(t, "%s is told to come back later", a->name);
    if (r < 0)
        return -1;
    for (struct unsent *u = a->unsent; u; u = u->next)
        if (actor_send(t, a, u->frame))
            return -1;
    return 0;
}

int actor_send(struct talk *t, struct actor *a, struct slice frame)
{
    if (!a->client)
        return talk_fail(t, "%s is not connected", a->name);
    if (client_send(a->client, CLIENT_TEXT, frame) != 0)
        return talk_fail(t, "%s's connection is gone (%d)", a->name,
                         a->client->close_code);
    return 0;
}

void actor_leave(struct actor *a, bool cut)
{
    if (!a->client)
        return;
    if (cut)
        client_cut(a->client);
    client_free(a->client);
    a->client = NULL;
}

/* --- looking back ---------------------------------------------------------- */

#define TELL 6
void actor_tell(struct talk *t, const struct actor *a)
{
    const struct seen *last[TELL] = {NULL};
    size_t n = 0, used = strlen(t->why);
    for (const struct seen *s = a->first; s; s = s->next)
        last[n++ % TELL] = s;
    for (size_t i = n > TELL ? n - TELL : 0; i < n; i++) {
        const struct seen *s = last[i % TELL];
        int wrote =
            snprintf(t->why + used, sizeof(t->why) - used,
                     "\n      %s saw%s %.*s", a->name, s->taken ? "*" : " ",
                     (int)(s->raw.len < 280 ? s->raw.len : 280), s->raw.at);
        if (wrote < 0 || (used += (size_t)wrote) >= sizeof(t->why))
            break;
    }
    if (n == 0 && used < sizeof(t->why))
        snprintf(t->why + used, sizeof(t->why) - used,
                 "\n      %s saw nothing at all", a->name);
}

static bool is_message(const struct seen *s)
{
    return is(s->json, "type", "event") &&
           is(s->json, "event", "message.created");
}

/* The backlog behind an assignment shows a conversation from its start. */
static bool starts_over(const struct seen *s, struct slice conversation)
{
    return is(s->json, "event", "conversation.assigned") &&
           slice_eq(json_text(s->json, "conversation"), conversation);
}

const struct seen *actor_twice(struct talk *t, const struct actor *a)
{
    if (t->twice_is_fine)
        return NULL;
    for (const struct seen *s = a->fresh; s; s = s->next) {
        if (!is_message(s))
            continue;
        struct slice conversation = json_text(s->json, "conversation");
        int64_t seq = json_int(json_get(s->json, "data"), "seq", -1);
        for (const struct seen *o = s->next; o; o = o->next) {
            if (starts_over(o, conversation))
                break;
            if (is_message(o) &&
                slice_eq(json_text(o->json, "conversation"), conversation) &&
                json_int(json_get(o->json, "data"), "seq", -1) == seq)
                return o;
        }
    }
    return NULL;
}
