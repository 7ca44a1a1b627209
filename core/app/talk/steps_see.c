/* SPDX-License-Identifier: Apache-2.0 */
/* steps_see.c - sentences about what people see, and what must be so. They
 * wait (10 s, or "within 2s"), then fail with what was seen instead.
 */
#include "app/talk/talk.h"

#include <stdio.h>
#include <stdlib.h>

/* --- values ---------------------------------------------------------------- */

static const struct json *member(const struct json *j, struct slice path)
{
    while (path.len && j) {
        char key[64];
        const char *dot = memchr(path.at, '.', path.len);
        size_t n = dot ? (size_t)(dot - path.at) : path.len;
        if (n >= sizeof(key))
            return NULL;
        memcpy(key, path.at, n);
        key[n] = '\0';
        if (json_is(j, JSON_ARRAY)) {
            long i = strtol(key, NULL, 10);
            for (j = j->first; j && i > 0; i--)
                j = j->next;
        } else {
            j = json_get(j, key);
        }
        size_t used = dot ? n + 1 : n;
        path.at += used;
        path.len -= used;
    }
    return j;
}

const struct json *step_field(const struct json *j, struct slice path)
{
    const struct json *v = member(j, path);
    return v ? v : member(json_get(j, "data"), path);
}

static struct slice unquoted(struct slice s)
{
    if (s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"')
        return (struct slice){s.at + 1, s.len - 2};
    return s;
}

bool step_compare(struct talk *t, const struct json *value, struct slice op,
                  struct slice with)
{
    struct slice text;
    char number[32];
    if (json_is(value, JSON_STRING)) {
        text = value->text;
    } else if (json_is(value, JSON_INT)) {
        snprintf(number, sizeof(number), "%lld", (long long)value->integer);
        text = slice_of(number);
    } else if (json_is(value, JSON_BOOL)) {
        text = slice_of(value->boolean ? "true" : "false");
    } else if (value &&
               (json_is(value, JSON_OBJECT) || json_is(value, JSON_ARRAY))) {
        struct buf b;
        buf_init(&b, CLIENT_IN_MAX);
        struct jsonw w = jsonw_on(&b);
        jsonw_value(&w, value);
        text = slice_dup(t->arena, buf_slice(&b));
        buf_fini(&b);
    } else {
        text = SLICE("null");
    }
    with = read_variables(t, unquoted(with));
    bool has = with.len == 0 ||
               (text.len && memmem(text.at, text.len, with.at, with.len));
    bool same = slice_eq(text, with);
    if (slice_is(op, "="))
        return same;
    if (slice_is(op, "!="))
        return !same;
    return slice_is(op, "~") ? has : !has;
}

/* "data.sender.role = bot and text ~ hello" */
static bool holds(struct talk *t, const struct json *j, struct slice where)
{
    while (where.len) {
        const char *and = memmem(where.at, where.len, " and ", 5);
        size_t n = and? (size_t)(and-where.at) : where.len;
        struct slice one = slice_trim((struct slice){where.at, n}), part[2];
        for (int i = 0; i < 2; i++) {
            const char *blank = memchr(one.at, ' ', one.len);
            if (!blank)
                return false;
            part[i] = (struct slice){one.at, (size_t)(blank - one.at)};
            one = slice_trim((struct slice){blank, one.len - part[i].len});
        }
        if (!step_compare(t, step_field(j, part[0]), part[1], one))
            return false;
        size_t used = and? n + 5 : n;
        where.at += used;
        where.len -= used;
    }
    return true;
}

/* --- frames ---------------------------------------------------------------- */

struct wanted {
    const char *type;            /* of the frame */
    struct slice event;          /* its event, "" = any */
    struct slice where;          /* conditions */
    struct slice op, text, from; /* of a message */
};

static bool fits(struct talk *t, const struct json *j, void *arg)
{
    const struct wanted *w = arg;
    if (w->type && !slice_is(json_text(j, "type"), w->type))
        return false;
    if (w->event.len && !slice_eq(json_text(j, "event"), w->event))
        return false;
    if (w->op.len &&
        !step_compare(t, member(json_get(j, "data"), SLICE("text")), w->op,
                      w->text))
        return false;
    if (w->from.len) {
        const struct json *s = json_get(json_get(j, "data"), "sender");
        if (!slice_eq(json_text(s, "role"), w->from) &&
            !slice_eq(json_text(s, "name"), w->from))
            return false;
    }
    return holds(t, j, w->where);
}

static struct actor *somebody(struct talk *t, struct slice name)
{
    struct actor *a = actor_find(t, name);
    if (!a)
        talk_fail(t, "%.*s has not come yet", SLICE_FMT(name));
    return a;
}

static int see(struct talk *t, struct slice name, struct wanted *w)
{
    struct actor *a = somebody(t, name);
    if (!a)
        return -1;
    if (actor_see(t, a, fits, w))
        return 0;
    if (!t->why[0])
        talk_fail(t, "not seen in %lld ms", (long long)t->within_ms);
    actor_tell(t, a);
    return -1;
}

static int sees_text(struct talk *t, struct slice *args, int with_sender)
{
    struct wanted w = {.type = "event",
                       .event = SLICE("message.created"),
                       .op = args[1],
                       .text = args[2]};
    if (with_sender)
        w.from = args[3];
    return see(t, args[0], &w);
}

static int sees_event(struct talk *t, struct slice *args, int with_where)
{
    struct wanted w = {.type = "event", .event = args[1]};
    if (with_where)
        w.where = args[2];
    return see(t, args[0], &w);
}

static int sees_frame(struct talk *t, struct slice *args, int with_where)
{
    struct slice type = talk_fmt(t, "%.*s", SLICE_FMT(args[1]));
    struct wanted w = {.type = type.at};
    if (with_where)
        w.where = args[2];
    return see(t, args[0], &w);
}

static int sees_error(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct wanted w = {.type = "error",
                       .where = talk_fmt(t, "code = %.*s", SLICE_FMT(args[1]))};
    return see(t, args[0], &w);
}

static int sees_typing(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct wanted w = {.type = "typing"};
    return see(t, args[0], &w);
}

static int is_assigned(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct actor *who = somebody(t, args[1]);
    if (!who)
        return -1;
    struct wanted w = {.type = "event",
                       .event = SLICE("conversation.assigned"),
                       .where = talk_fmt(t, "conversation = %.*s",
                                         SLICE_FMT(who->conversation))};
    return see(t, args[0], &w);
}

/* Everything that was on its way is here before it is denied; "within" waits
 * that long on top. */
static int does_not_see(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct actor *a = somebody(t, args[0]);
    struct wanted w = {.type = "event",
                       .event = SLICE("message.created"),
                       .op = args[1],
                       .text = args[2]};
    if (!a)
        return -1;
    int64_t until = talk_now_ms() + t->within_ms;
    while (t->waits && talk_now_ms() < until)
        if (actor_pump(t, 20))
            return -1;
    t->within_ms = TALK_WAIT_MS;
    if (actor_settle(t, a))
        return -1;
    if (!actor_look(t, a, fits, &w))
        return 0;
    talk_fail(t, "but it was seen");
    actor_tell(t, a);
    return -1;
}

/* In no frame at all, from the beginning. */
static int never_saw(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct actor *a = somebody(t, args[0]);
    if (!a || (a->client && !a->client->ended && actor_settle(t, a)))
        return -1;
    for (const struct seen *s = a->first; s; s = s->next)
        if (memmem(s->raw.at, s->raw.len, args[1].at, args[1].len))
            return talk_fail(t, "but here it is: %.*s",
                             (int)(s->raw.len < 400 ? s->raw.len : 400),
                             s->raw.at);
    return 0;
}

/* --- connections ----------------------------------------------------------- */

static int is_connected(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct actor *a = somebody(t, args[0]);
    return a ? actor_settle(t, a) : -1;
}

static int is_disconnected(struct talk *t, struct slice *args, int with_code)
{
    struct actor *a = somebody(t, args[0]);
    int64_t until = talk_now_ms() + t->within_ms, code;
    if (!a || !a->client)
        return a ? talk_fail(t, "%s has left", a->name) : -1;
    while (!a->client->ended && talk_now_ms() < until)
        if (actor_pump(t, 20))
            return -1;
    if (!a->client->ended)
        return talk_fail(t, "%s is still connected", a->name);
    if (with_code && slice_to_i64(args[1], &code) &&
        code != a->client->close_code)
        return talk_fail(t, "%s was disconnected with %d", a->name,
                         a->client->close_code);
    return 0;
}

static int was_recovered(struct talk *t, struct slice *args, int recovered)
{
    struct actor *a = somebody(t, args[0]);
    if (!a)
        return -1;
    return a->recovered == (recovered == 1)
               ? 0
               : talk_fail(t, "the welcome said recovered:%s",
                           a->recovered ? "true" : "false");
}

static int has_nothing_unsent(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct actor *a = somebody(t, args[0]);
    int64_t until = talk_now_ms() + t->within_ms;
    if (!a)
        return -1;
    while (a->unsent && talk_now_ms() < until)
        if (actor_pump(t, 20))
            return -1;
    if (!a->unsent)
        return 0;
    talk_fail(t, "ref %.*s got no ack", SLICE_FMT(a->unsent->ref));
    actor_tell(t, a);
    return -1;
}

static int nothing_twice(struct talk *t, struct slice *args, int variant)
{
    (void)args, (void)variant;
    for (struct actor *a = t->actors; a; a = a->next) {
        const struct seen *s = actor_twice(t, a);
        if (s)
            return talk_fail(t, "%s saw twice: %.*s", a->name,
                             (int)(s->raw.len < 400 ? s->raw.len : 400),
                             s->raw.at);
    }
    return 0;
}

/* --- what the house says --------------------------------------------------- */

/* Asks until it is so. check: 0 = so. */
static int ask_until(struct talk *t, struct slice path,
                     bool (*check)(struct talk *t, struct slice *args, int how),
                     struct slice *args, int how)
{
    int64_t until = talk_now_ms() + t->within_ms;
    for (;;) {
        if (house_call(t, "GET", path, t->admin, SLICE("")))
            return -1;
        if (t->answer.status == 200 && check(t, args, how))
            return 0;
        if (talk_now_ms() > until)
            return talk_fail(t, "GET %.*s: %d %.*s", SLICE_FMT(path),
                             t->answer.status, SLICE_FMT(t->answer.body));
        if (actor_pump(t, 20))
            return -1;
    }
}

static bool state_is(struct talk *t, struct slice *args, int has)
{
    if (!has)
        return slice_eq(json_text(t->answer_json, "state"), args[1]);
    return step_compare(t, step_field(t->answer_json, args[1]), args[2],
                        args[3]);
}

static int conversation(struct talk *t, struct slice *args, int has)
{
    struct actor *a = somebody(t, args[0]);
    if (!a)
        return -1;
    return ask_until(
        t,
        talk_fmt(t, "/api/v1/conversations/%.*s", SLICE_FMT(a->conversation)),
        state_is, args, has);
}

static bool total_is(struct talk *t, struct slice *args, int how)
{
    int64_t want = 0;
    if (how)
        slice_to_i64(args[how - 1], &want);
    return json_int(t->answer_json, "total", -1) == want;
}

static int queue_has(struct talk *t, struct slice *args, int how)
{
    return ask_until(t, SLICE("/api/v1/conversations?state=queued&limit=1"),
                     total_is, args, how);
}

static int has_messages(struct talk *t, struct slice *args, int variant)
{
    (void)variant;
    struct actor *a = somebody(t, args[0]);
    if (!a)
        return -1;
    return ask_until(t,
                     talk_fmt(t, "/api/v1/conversations/%.*s/messages?limit=1",
                              SLICE_FMT(a->conversation)),
                     total_is, args, 2);
}

const struct step steps_see[] = {
    {"WHO sees text OP TEXT", sees_text, 0, false},
    {"WHO sees text OP TEXT from WORD", sees_text, 1, false},
    {"WHO does not see text OP TEXT", does_not_see, 0, false},
    {"WHO never saw TEXT", never_saw, 0, false},
    {"WHO sees event WORD", sees_event, 0, false},
    {"WHO sees event WORD where REST", sees_event, 1, false},
    {"WHO sees frame WORD", sees_frame, 0, false},
    {"WHO sees frame WORD where REST", sees_frame, 1, false},
    {"WHO sees error WORD", sees_error, 0, false},
    {"WHO sees typing", sees_typing, 0, false},
    {"WHO is assigned WORD", is_assigned, 0, false},
    {"WHO is still connected", is_connected, 0, false},
    {"WHO is disconnected", is_disconnected, 0, false},
    {"WHO is disconnected with WORD", is_disconnected, 1, false},
    {"WHO was recovered", was_recovered, 1, false},
    {"WHO had to start over", was_recovered, 0, false},
    {"WHO has nothing unsent", has_nothing_unsent, 0, false},
    {"nothing came twice", nothing_twice, 0, false},
    {"WHO's conversation is WORD", conversation, 0, false},
    {"WHO's conversation has WORD messages", has_messages, 0, false},
    {"WHO's conversation has WORD OP REST", conversation, 1, false},
    {"queue is empty", queue_has, 0, false},
    {"queue WORD is empty", queue_has, 0, false},
    {"queue has WORD", queue_has, 1, false},
    {NULL, NULL, 0, false},
};
