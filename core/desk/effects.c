/* SPDX-License-Identifier: Apache-2.0 */
/* effects.c - what scripts want, decided on the conversation as it is now.
 *
 * Happy path: effect by effect the copy of the record and the tx change.
 * Failure: what only the holder may do is refused under an old fence (I13),
 * with the reason for the trace; an agent or team that is gone means anybody.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/meter.h"
#include "desk/outbox.h"
#include "desk/outcome.h"

METER(m_refused, METER_COUNTER, "yuelai_effects_refused_total",
      "Replies and holder changes of scripts that came too late (I13)");

struct outcome outcome_of(struct desk *d, struct conv *c, struct job *job)
{
    struct outcome o = {.d = d, .c = c, .job = job};
    o.tx = conv_tx(d, c, &o.s);
    bool granted = c->overdue && c->granted_fence == c->rec.fence;
    o.late = job->fence != c->rec.fence && !granted;
    o.overdue = c->overdue;
    return o;
}

/* --- messages ------------------------------------------------------------- */

static void reply(struct outcome *o, struct slice body, bool private)
{
    if (body.len > LIMIT_AGENT_FRAME_BYTES) {
        meter_add(&m_refused, 1);
        log_warn("desk", "a script's message of %zu bytes is too long",
                 body.len);
        return;
    }
    struct event *ev =
        conv_tx_message(o->tx, o->s, ROLE_BOT, 0, (struct slice){0}, body);
    ev->cause = o->job->event.pos;
    if (private) {
        ev->flags |= EVENT_PRIVATE;
    }
}

static void note(struct outcome *o, const struct effect *e)
{
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "kind", SLICE("text"));
    jsonw_put_text(&w, "text", e->text);
    jsonw_put_bool(&w, "private", true);
    jsonw_close(&w, '}');
    if (w.failed) {
        log_warn("desk", "a script's note is too long");
    } else {
        reply(o, buf_slice(&out), true);
    }
    buf_fini(&out);
}

void outcome_release(struct outcome *o)
{
    struct agent_live *a = agent_of(o->d, o->s->reserved);
    if (a) {
        a->reserved--;
    }
    o->s->reserved = 0;
}

static void assign(struct outcome *o, uint64_t agent, uint64_t team,
                   struct slice pick)
{
    struct conversation *next = &o->s->next;
    int64_t now = o->d->conf.ports.now(o->d->conf.ports.arg);
    outcome_release(o);
    if (team && !desk_team(o->d, team)) {
        log_warn("desk", "a rule assigns to a team that is not there");
        team = 0;
    }
    struct agent_live *a = agent_of(o->d, agent);
    if (!a || !a->rec.enabled) {
        a = queue_pick(o->d, team, pick);
    }
    if (a && next->state == CONV_OPEN && next->assignee == a->rec.id) {
        return; /* holds it already */
    }
    if (!a && next->state == CONV_QUEUED && next->team == team) {
        return; /* waits there already */
    }
    next->team = team;
    if (a) {
        o->s->reserved = a->rec.id;
        a->reserved++;
    }
    bool had = next->assignee != 0;
    conv_set_holder(next, a ? CONV_OPEN : CONV_QUEUED, a ? a->rec.id : 0, now);
    o->name =
        a || had ? EVENT_CONVERSATION_ASSIGNED : EVENT_CONVERSATION_UPDATED;
    o->moved = true;
}

void outcome_to_bot(struct outcome *o, struct slice name)
{
    struct conversation *next = &o->s->next;
    uint32_t fence = next->fence;
    bool had = next->assignee != 0;
    bool last = slice_is(name, "*");
    o->to_bot = true;
    if (next->state == CONV_BOT && (last || slice_eq(next->bot, name))) {
        return; /* holds it already */
    }
    outcome_release(o);
    conv_set_holder(next, CONV_BOT, 0,
                    o->d->conf.ports.now(o->d->conf.ports.arg));
    if (next->fence == fence) {
        next->fence++; /* from one bot, or none, to another */
    }
    if (!last) {
        next->bot = slice_dup(o->tx->arena, name);
    }
    o->name = had ? EVENT_CONVERSATION_ASSIGNED : EVENT_CONVERSATION_UPDATED;
    o->moved = true;
}

/* Texts in a JSON array, with one more or without it. */
static struct slice tags_with(struct arena *a, struct slice tags,
                              struct slice tag, bool add)
{
    struct json *list = NULL;
    struct buf out;
    buf_init(&out, LIMIT_TAGS * (LIMIT_TAG_BYTES * 6 + 8));
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '[');
    uint32_t n = 0;
    if (tags.len && json_parse(a, tags, NULL, &list) == 0 &&
        json_is(list, JSON_ARRAY)) {
        for (struct json *t = list->first; t; t = t->next) {
            if (json_is(t, JSON_STRING) && !slice_eq(t->text, tag)) {
                jsonw_text(&w, t->text);
                n++;
            }
        }
    }
    if (add && n < LIMIT_TAGS && tag.len && tag.len <= LIMIT_TAG_BYTES) {
        jsonw_text(&w, tag);
    }
    jsonw_close(&w, ']');
    struct slice all = w.failed ? tags : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return all;
}

static struct slice object_with(struct arena *a, struct slice object,
                                struct slice name, struct slice value)
{
    struct json *was = NULL;
    struct buf out;
    buf_init(&out, LIMIT_KV_VALUE);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    if (object.len && json_parse(a, object, NULL, &was) == 0 &&
        json_is(was, JSON_OBJECT)) {
        for (struct json *m = was->first; m; m = m->next) {
            if (!slice_eq(m->key, name)) {
                jsonw_key(&w, slice_dup(a, m->key).at);
                jsonw_value(&w, m);
            }
        }
    }
    if (value.len && !slice_is(value, "null")) {
        jsonw_key(&w, slice_dup(a, name).at);
        jsonw_raw(&w, value);
    }
    jsonw_close(&w, '}');
    struct slice all = w.failed ? object : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return all;
}

static void put_alarm(struct outcome *o, const struct effect *e)
{
    struct alarm *al = arena_one(o->tx->arena, struct alarm);
    al->id = o->d->conf.ports.id(o->d->conf.ports.arg);
    al->due_at = e->number;
    al->conversation = o->job->conv.id;
    al->unit = slice_dup(o->tx->arena, e->unit);
    al->name = slice_dup(o->tx->arena, e->name);
    al->data = slice_dup(o->tx->arena, e->data);
    tx_put(o->tx, PUT_ALARM)->alarm = al;
    o->puts = true;
}

/* --- the contact ---------------------------------------------------------- */

static struct slice text_or(struct arena *a, const struct json *all,
                            const char *name, struct slice was)
{
    const struct json *v = json_get(all, name);
    return json_is(v, JSON_STRING) ? slice_dup(a, v->text) : was;
}

static struct slice raw(struct arena *a, const struct json *v)
{
    struct buf out;
    buf_init(&out, LIMIT_KV_VALUE);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, v);
    struct slice all = w.failed ? SLICE("null") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return all;
}

/* The row as it will be; {"name":…,"attributes":{…}} over what is known. */
static void change_contact(struct outcome *o, const struct effect *e)
{
    struct arena *a = o->tx->arena;
    struct json *all = NULL;
    if (json_parse(a, e->data, NULL, &all) < 0 || !json_is(all, JSON_OBJECT)) {
        return;
    }
    struct contact *row = put_contact(
        o->d, o->tx, o->c->person, o->d->conf.ports.now(o->d->conf.ports.arg));
    row->name = text_or(a, all, "name", row->name);
    row->email = text_or(a, all, "email", row->email);
    row->phone = text_or(a, all, "phone", row->phone);
    row->tier = text_or(a, all, "tier", row->tier);
    if (json_is(json_get(all, "tags"), JSON_ARRAY)) {
        row->tags = raw(a, json_get(all, "tags"));
    }
    const struct json *more = json_get(all, "attributes");
    for (const struct json *m = more ? more->first : NULL; m; m = m->next) {
        row->attributes = object_with(a, row->attributes, m->key, raw(a, m));
    }
    struct event *ev = tx_event(o->tx, EVENT_CONTACT_UPDATED);
    ev->role = ROLE_BOT;
    struct buf out;
    buf_init(&out, LIMIT_AGENT_FRAME_BYTES);
    struct jsonw w = jsonw_on(&out);
    contact_write(&w, row);
    ev->body = w.failed ? SLICE("{}") : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    o->puts = true;
}

/* --- the whole ------------------------------------------------------------ */

/* A last word to somebody whose conversation is closed: nobody holds it. */
static bool may_follow_up(const struct outcome *o, const struct effect *e)
{
    enum hook h = o->job->hook;
    if (h != HOOK_CLOSE && h != HOOK_FLOW && h != HOOK_TIMER) {
        return false;
    }
    if (e->type == EFFECT_REPLY) {
        return true;
    }
    return e->type == EFFECT_ASSIGN && h != HOOK_CLOSE &&
           (!o->c->person->conv || o->c->person->conv == o->c);
}

static const char *refusal(const struct outcome *o, const struct effect *e)
{
    const struct conversation *next = &o->s->next;
    if (o->late) {
        return "too late: another one holds the conversation now";
    }
    if (next->state == CONV_CLOSED && !may_follow_up(o, e)) {
        return "the conversation is closed";
    }
    if (e->type == EFFECT_ASSIGN && o->overdue && next->state == CONV_OPEN) {
        return "too late: the default has placed it";
    }
    if (e->type == EFFECT_SNOOZE &&
        (next->state != CONV_OPEN || !next->assignee)) {
        return "only an open conversation can be snoozed";
    }
    if (e->type == EFFECT_ASSIGN && slice_is(e->name, "*") && !next->bot.len) {
        return "no assistant has held it";
    }
    return NULL;
}

/* Past the platform's window nothing is written that could not go out. */
static const char *window_refuses(struct outcome *o)
{
    struct err e = {0};
    struct conversation now = o->c->rec;
    now.said += o->said;
    if (!o->c->stored || window_check(o->d, &now, &e) == 0) {
        return NULL;
    }
    meter_add(&m_refused, 1);
    return slice_dup(o->job->arena, slice_of(e.text)).at;
}

/* What only the holder may do, under the fence it was decided with. */
static const char *apply_held(struct outcome *o, const struct effect *e)
{
    struct conversation *next = &o->s->next;
    int64_t now = o->d->conf.ports.now(o->d->conf.ports.arg);
    const char *why = refusal(o, e);
    if (why) {
        meter_add(&m_refused, 1);
        log_info("desk", "%.*s: %s", SLICE_FMT(e->unit), why);
        return why;
    }
    switch (e->type) {
    case EFFECT_REPLY:
        why = window_refuses(o);
        if (why) {
            return why;
        }
        reply(o, e->body, false);
        o->said++;
        break;
    case EFFECT_ASSIGN:
        if (next->state == CONV_CLOSED) {
            o->c->person->conv = o->c; /* what the visitor says now is here */
        }
        if (e->name.len && !e->agent && !e->team) {
            outcome_to_bot(o, e->name);
        } else {
            o->to_bot = false;
            assign(o, e->agent, e->team, e->pick);
            if (e->number) {
                within_put(o, e);
            }
        }
        break;
    case EFFECT_CLOSE:
        outcome_release(o);
        conv_set_holder(next, CONV_CLOSED, next->assignee, now);
        o->name = EVENT_CONVERSATION_CLOSED;
        o->moved = true;
        break;
    default: /* SNOOZE */
        conv_set_holder(next, CONV_SNOOZED, next->assignee, now);
        next->snoozed_until = e->number;
        o->updated = true;
    }
    return NULL;
}

/* Anybody's right, at any time; false: it is not of this kind. */
static bool apply_kept(struct outcome *o, const struct effect *e,
                       const char **why)
{
    struct conversation *next = &o->s->next;
    struct arena *a = o->tx->arena;
    switch (e->type) {
    case EFFECT_NOTE:
        note(o, e);
        return true;
    case EFFECT_TAG:
    case EFFECT_UNTAG:
        next->tags = tags_with(a, next->tags, e->text, e->type == EFFECT_TAG);
        o->updated = true;
        return true;
    case EFFECT_PRIORITY:
        next->priority = (int32_t)e->number;
        o->updated = true;
        return true;
    case EFFECT_SET:
        next->attributes = object_with(a, next->attributes, e->name, e->data);
        o->updated = true;
        return true;
    case EFFECT_ALARM:
        put_alarm(o, e);
        return true;
    case EFFECT_KV_SET:
    case EFFECT_KV_DEL:
        effect_put_kv(e, o->tx);
        o->puts = true;
        return true;
    case EFFECT_CONTACT:
        change_contact(o, e);
        return true;
    case EFFECT_FLOW:
        flow_begin(o, e, why);
        return true;
    case EFFECT_FLOW_END:
        flow_end_all(o, e->name);
        return true;
    default:
        return false;
    }
}

void outcome_apply(struct outcome *o)
{
    uint32_t i = 0;
    for (const struct effect *e = o->job->first; e; e = e->next, i++) {
        must(i < LIMIT_EFFECTS);
        if (e->type == EFFECT_EDIT || e->type == EFFECT_REJECT) {
            o->refused[i] = "the message is stored already";
        } else if (!apply_kept(o, e, &o->refused[i])) {
            o->refused[i] = apply_held(o, e);
        }
    }
}

void outcome_apply_kept(struct outcome *o)
{
    uint32_t i = 0;
    for (const struct effect *e = o->job->first; e; e = e->next, i++) {
        must(i < LIMIT_EFFECTS);
        bool message = e->type == EFFECT_EDIT || e->type == EFFECT_REJECT ||
                       e->type == EFFECT_NOTE;
        if (!message && !apply_kept(o, e, &o->refused[i])) {
            o->refused[i] = "not before a message is stored";
        }
    }
}

void outcome_apply_notes(struct outcome *o)
{
    for (const struct effect *e = o->job->first; e; e = e->next) {
        if (e->type == EFFECT_NOTE) {
            note(o, e);
        }
    }
}

void outcome_place(struct outcome *o)
{
    assign(o, 0, o->s->next.team, SLICE(""));
    o->placed = true;
}
