/* SPDX-License-Identifier: Apache-2.0 */
/* steps_say.c - sentences about what people do: come, go, say, type, read. */
#include "app/talk/talk.h"

#include <stdio.h>

static struct actor *somebody(struct talk *t, struct slice name)
{
    struct actor *a = actor_find(t, name);
    if (!a)
        talk_fail(t, "%.*s has not come yet", SLICE_FMT(name));
    return a;
}

/* --- coming and going ------------------------------------------------------ */

enum { ON_CHANNEL, ON_DEFAULT, AS_OTHER };

/* "webchat" is the channel every house has; others by name. */
static int find_channel(struct talk *t, struct slice name, struct slice *id)
{
    *id = SLICE("default");
    if (slice_is(name, "webchat") || slice_is(name, "default"))
        return 0;
    if (house_call(t, "GET", SLICE("/api/v1/channels?limit=100"), t->admin,
                   SLICE("")))
        return -1;
    struct json *items = json_get(t->answer_json, "items");
    for (struct json *j = json_is(items, JSON_ARRAY) ? items->first : NULL; j;
         j = j->next) {
        if (slice_eq(json_text(j, "name"), name) ||
            slice_eq(json_text(j, "id"), name)) {
            *id = json_text(j, "id");
            return 0;
        }
    }
    return talk_fail(t, "there is no channel %.*s", SLICE_FMT(name));
}

static int connects(struct talk *t, struct slice *args, int how)
{
    struct actor *a = actor_get(t, args[0]);
    if (how == ON_CHANNEL && find_channel(t, args[1], &a->channel))
        return -1;
    if (how == AS_OTHER) {
        struct actor *other = somebody(t, args[1]);
        if (!other)
            return -1;
        a->token = other->token;
        a->channel = other->channel;
        a->is_agent = other->is_agent;
    }
    a->keeps_place = false;
    return actor_connect(t, a);
}

static int make_agent(struct talk *t, struct actor *a)
{
    struct slice body =
        talk_fmt(t,
                 "{\"email\":\"%s@example.com\",\"name\":\"%s\","
                 "\"password\":\"password-of-%s\"%.*s}",
                 a->name, a->name, a->name, SLICE_FMT(a->extra));
    if (house_call(t, "POST", SLICE("/api/v1/agents"), t->admin, body))
        return -1;
    if (t->answer.status / 100 != 2)
        return talk_fail(t, "agent %s: %d %.*s", a->name, t->answer.status,
                         SLICE_FMT(t->answer.body));
    a->id = json_text(t->answer_json, "id");
    body = talk_fmt(t,
                    "{\"email\":\"%s@example.com\","
                    "\"password\":\"password-of-%s\"}",
                    a->name, a->name);
    if (house_call(t, "POST", SLICE("/api/v1/login"), SLICE(""), body))
        return -1;
    a->token = json_text(t->answer_json, "token");
    return a->token.len ? 0
                        : talk_fail(t, "%s cannot sign in: %.*s", a->name,
                                    SLICE_FMT(t->answer.body));
}

enum { ONLINE, WITH_STATUS, ANOTHER_DEVICE };

static int signs_in(struct talk *t, struct slice *args, int how)
{
    struct actor *a = actor_get(t, args[0]);
    if (how == ANOTHER_DEVICE)
        return connects(t, args, AS_OTHER);
    a->is_agent = true;
    a->status = how == WITH_STATUS ? args[1] : SLICE("online");
    if (a->token.len == 0 && make_agent(t, a))
        return -1;
    a->keeps_place = false;
    return actor_connect(t, a);
}

enum { RECONNECT, RELOAD, LEAVE, DROP };

static int moves(struct talk *t, struct slice *args, int how)
{
    struct actor *a = somebody(t, args[0]);
    if (!a)
        return -1;
    if (how == LEAVE || how == DROP) {
        actor_leave(a, how == DROP);
        a->here = false;
        return 0;
    }
    a->keeps_place = how == RECONNECT;
    return actor_connect(t, a);
}

static int everybody(struct talk *t, struct slice *args, int variant)
{
    (void)args, (void)variant;
    for (struct actor *a = t->actors; a; a = a->next) {
        a->keeps_place = true;
        if (a->here && actor_connect(t, a))
            return -1;
    }
    return 0;
}

/* --- saying ---------------------------------------------------------------- */

enum { TO = 1, AS_REF = 2, NO_WAIT = 4, NOTE = 8, BYTES = 16 };

static struct slice send_frame(struct talk *t, struct actor *a,
                               struct slice text, struct slice ref,
                               struct slice conversation, bool note)
{
    struct buf b;
    buf_init(&b, CLIENT_IN_MAX);
    struct jsonw w = jsonw_on(&b);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "type", SLICE("send"));
    jsonw_put_text(&w, "ref", ref);
    if (conversation.len)
        jsonw_put_text(&w, "conversation", conversation);
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", text);
    if (note)
        jsonw_put_bool(&w, "private", true);
    jsonw_close(&w, '}');
    struct slice out = slice_dup(t->arena, buf_slice(&b));
    buf_fini(&b);
    (void)a;
    return out;
}

static bool is_error_of(struct talk *t, const struct json *j, void *arg)
{
    (void)t;
    return slice_is(json_text(j, "type"), "error") &&
           slice_eq(json_text(j, "ref"), *(const struct slice *)arg);
}

static bool is_unsent(const struct actor *a, struct slice ref)
{
    for (const struct unsent *u = a->unsent; u; u = u->next)
        if (slice_eq(u->ref, ref))
            return true;
    return false;
}

static int wait_ack(struct talk *t, struct actor *a, struct slice ref)
{
    int64_t until = talk_now_ms() + t->within_ms;
    while (is_unsent(a, ref)) {
        if (actor_look(t, a, is_error_of, &ref)) {
            talk_fail(t, "%s was refused", a->name);
            actor_tell(t, a);
            return -1;
        }
        if (talk_now_ms() > until) {
            talk_fail(t, "%s got no ack", a->name);
            actor_tell(t, a);
            return -1;
        }
        if (actor_pump(t, 20))
            return -1;
    }
    return 0;
}

static struct slice long_text(struct talk *t, struct slice count)
{
    int64_t n = 0;
    if (!slice_to_i64(count, &n) || n < 1 || n > CLIENT_IN_MAX / 2)
        return SLICE("");
    char *text = arena_text(t->arena, (size_t)n);
    memset(text, 'x', (size_t)n);
    return (struct slice){text, (size_t)n};
}

static int says(struct talk *t, struct slice *args, int how)
{
    struct actor *a = somebody(t, args[0]);
    struct slice conversation = SLICE(""), ref;
    if (!a)
        return -1;
    if (a->is_agent)
        conversation = a->conversation;
    if (how & TO) {
        struct actor *to = somebody(t, args[2]);
        if (!to)
            return -1;
        conversation = to->conversation;
    }
    if (a->is_agent && conversation.len == 0)
        return talk_fail(t, "%s has no conversation to speak in", a->name);
    ref = how & AS_REF ? args[2]
                       : talk_fmt(t, "%s-%d-%llx", a->name, ++a->said,
                                  (unsigned long long)t->epoch);
    struct slice text =
        how & BYTES ? long_text(t, args[1]) : read_variables(t, args[1]);
    struct unsent *u = arena_one(t->arena, struct unsent);
    struct unsent **last = &a->unsent;
    while (*last)
        last = &(*last)->next;
    *last = u;
    u->ref = ref;
    u->frame = send_frame(t, a, text, ref, conversation, how & NOTE);
    if (how & NO_WAIT) {
        if (a->client && !a->client->ended)
            client_send(a->client, CLIENT_TEXT, u->frame);
        return 0;
    }
    return actor_send(t, a, u->frame) ? -1 : wait_ack(t, a, ref);
}

/* --- small things ---------------------------------------------------------- */

static int types(struct talk *t, struct slice *args, int with_text)
{
    struct actor *a = somebody(t, args[0]);
    struct buf b;
    if (!a)
        return -1;
    buf_init(&b, 65536);
    struct jsonw w = jsonw_on(&b);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "type", SLICE("typing"));
    if (a->conversation.len)
        jsonw_put_text(&w, "conversation", a->conversation);
    if (with_text)
        jsonw_put_text(&w, "text", args[1]);
    jsonw_close(&w, '}');
    int bad = actor_send(t, a, slice_dup(t->arena, buf_slice(&b)));
    buf_fini(&b);
    return bad;
}

/* Up to the last message seen. */
static int reads(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct actor *a = somebody(t, args[0]);
    int64_t seq = 0;
    if (!a)
        return -1;
    for (const struct seen *s = a->first; s; s = s->next) {
        int64_t n = json_int(json_get(s->json, "data"), "seq", 0);
        if (slice_eq(json_text(s->json, "conversation"), a->conversation) &&
            n > seq)
            seq = n;
    }
    return actor_send(
        t, a,
        talk_fmt(t,
                 "{\"type\":\"read\",\"conversation\":\"%.*s\",\"seq\":%lld}",
                 SLICE_FMT(a->conversation), (long long)seq));
}

static int goes(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct actor *a = somebody(t, args[0]);
    if (!a)
        return -1;
    a->status = args[1];
    return actor_send(t, a,
                      talk_fmt(t, "{\"type\":\"status\",\"status\":\"%.*s\"}",
                               SLICE_FMT(args[1])));
}

static int sends_frame(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct actor *a = somebody(t, args[0]);
    return a ? actor_send(t, a, read_variables(t, args[1])) : -1;
}

static int sends_hex(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct actor *a = somebody(t, args[0]);
    char *bytes = arena_text(t->arena, args[1].len);
    size_t n = 0;
    unsigned value;
    struct slice text = talk_fmt(t, "%.*s", SLICE_FMT(args[1]));
    const char *at = text.at;
    for (int used; sscanf(at, " %2x%n", &value, &used) == 1; at += used)
        bytes[n++] = (char)value;
    if (!a)
        return -1;
    if (!a->client)
        return talk_fail(t, "%s is not connected", a->name);
    return client_send_raw(a->client, (struct slice){bytes, n}) == 0
               ? 0
               : talk_fail(t, "%s's connection is gone", a->name);
}

/* --- an agent's deeds ------------------------------------------------------ */

enum { CLOSES, REOPENS, TRANSFERS };

static int deeds(struct talk *t, struct slice *args, int what)
{
    static const char *const verb[] = {"close", "reopen", "transfer"};
    bool admin = slice_is(args[0], "admin");
    struct actor *a = admin ? NULL : somebody(t, args[0]);
    struct actor *who = somebody(t, args[1]), *to = NULL;
    struct slice body = SLICE("{}");
    if ((!a && !admin) || !who)
        return -1;
    if (what == TRANSFERS) {
        to = somebody(t, args[2]);
        if (!to)
            return -1;
        body = talk_fmt(t, "{\"agent\":\"%.*s\"}", SLICE_FMT(to->id));
    }
    if (house_call(t, "POST",
                   talk_fmt(t, "/api/v1/conversations/%.*s/%s",
                            SLICE_FMT(who->conversation), verb[what]),
                   admin ? t->admin : a->token, body))
        return -1;
    return t->answer.status / 100 == 2
               ? 0
               : talk_fail(t, "refused: %d %.*s", t->answer.status,
                           SLICE_FMT(t->answer.body));
}

const struct step steps_say[] = {
    {"WHO connects", connects, ON_DEFAULT, false},
    {"WHO connects on WORD", connects, ON_CHANNEL, false},
    {"WHO connects as WORD", connects, AS_OTHER, false},
    {"WHO signs in", signs_in, ONLINE, false},
    {"WHO signs in with status WORD", signs_in, WITH_STATUS, false},
    {"WHO signs in as WORD", signs_in, ANOTHER_DEVICE, false},
    /* before "WHO reconnects", which fits it too */
    {"everybody reconnects", everybody, 0, false},
    {"WHO reconnects", moves, RECONNECT, false},
    {"WHO reloads", moves, RELOAD, false},
    {"WHO leaves", moves, LEAVE, false},
    {"WHO drops", moves, DROP, false},
    {"WHO says TEXT", says, 0, false},
    {"WHO says TEXT to WORD", says, TO, false},
    {"WHO says TEXT as ref WORD", says, AS_REF, false},
    {"WHO says TEXT without waiting", says, NO_WAIT, false},
    {"WHO says WORD bytes", says, BYTES, false},
    {"WHO says WORD bytes without waiting", says, BYTES | NO_WAIT, false},
    {"WHO notes TEXT", says, NOTE, false},
    {"WHO notes TEXT to WORD", says, NOTE | TO, false},
    {"WHO types", types, 0, false},
    {"WHO types TEXT", types, 1, false},
    {"WHO reads", reads, 0, false},
    {"WHO goes WORD", goes, 0, false},
    {"WHO sends hex REST", sends_hex, 0, false},
    {"WHO sends REST", sends_frame, 0, false},
    {"WHO closes WORD", deeds, CLOSES, false},
    {"WHO reopens WORD", deeds, REOPENS, false},
    {"WHO transfers WORD to WORD", deeds, TRANSFERS, false},
    {NULL, NULL, 0, false},
};
