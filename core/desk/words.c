/* SPDX-License-Identifier: Apache-2.0 */
/* words.c - the desk's vocabulary: names of things, making and freeing of
 * transactions, jobs and rosters (record.h, event.h, effect.h).
 *
 * Happy path: tables both ways; an envelope is the first thing in its own
 * arena, so freeing the arena frees everything. Failure: a number outside its
 * table is a bug of ours (must); an unknown text is the caller's to refuse.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "desk/effect.h"

#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *const roles[] = {"system", "visitor", "agent", "bot"};
static const char *const message_kinds[MESSAGE_KINDS] = {
    "text", "image", "file", "audio", "video", "location", "card"};
static const char *const conv_states[] = {"bot", "queued", "open", "snoozed",
                                          "closed"};
static const char *const agent_statuses[] = {"offline", "away", "busy",
                                             "online"};
static const char *const agent_roles[] = {"agent", "supervisor", "admin"};
static const char *const hooks[HOOK_COUNT] = {"on_message", "on_conversation",
                                              "on_timer",   "on_inbound",
                                              "on_send",    "on_assign",
                                              "on_queue",   "on_close",
                                              "on_event",   "run",
                                              "receive",    "send",
                                              "push",       "poll",
                                              "check",      "ask",
                                              "embed",      "tool",
                                              "typing",     "recall",
                                              "passive"};
static const char *const effects[EFFECT_COUNT] = {
    "reply",    "note",   "assign",  "close", "tag",     "untag",
    "priority", "set",    "snooze",  "after", "kv_set",  "kv_del",
    "edit",     "reject", "contact", "flow",  "flow_end"};
static const char *const flow_states[] = {"ready", "sleeping", "waiting",
                                          "done",  "failed",   "cancelled"};
static const char *const outbox_states[] = {"waiting", "sent", "dead",
                                            "recalled"};
static const char *const turn_states[] = {"pending", "done", "failed",
                                          "cancelled"};
static const char *const version_states[] = {"",    "serving", "canary",
                                             "old", "refused", "pinned"};

static int find(const char *const *table, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is(name, table[i]))
            return (int)i;
    return -1;
}

const char *role_name(enum role r)
{
    must((size_t)r < COUNT(roles));
    return roles[r];
}

const char *message_kind_name(enum message_kind k)
{
    must((size_t)k < MESSAGE_KINDS);
    return message_kinds[k];
}

bool message_kind_find(struct slice name, enum message_kind *out)
{
    int i = find(message_kinds, MESSAGE_KINDS, name);
    *out = i < 0 ? MESSAGE_TEXT : (enum message_kind)i;
    return i >= 0;
}

const char *conv_state_name(enum conv_state s)
{
    must((size_t)s < COUNT(conv_states));
    return conv_states[s];
}

const char *confirm_state_name(enum confirm_state s)
{
    static const char *const names[] = {"pending", "approved",  "denied",
                                        "expired", "cancelled", "done"};
    return (size_t)s < sizeof names / sizeof names[0] ? names[s] : "?";
}

const char *turn_state_name(enum turn_state s)
{
    must((size_t)s < COUNT(turn_states));
    return turn_states[s];
}

bool conv_state_find(struct slice name, enum conv_state *out)
{
    int i = find(conv_states, COUNT(conv_states), name);
    *out = i < 0 ? CONV_BOT : (enum conv_state)i;
    return i >= 0;
}

const char *agent_status_name(enum agent_status s)
{
    must((size_t)s < COUNT(agent_statuses));
    return agent_statuses[s];
}

bool agent_status_find(struct slice name, enum agent_status *out)
{
    int i = find(agent_statuses, COUNT(agent_statuses), name);
    *out = i < 0 ? AGENT_OFFLINE : (enum agent_status)i;
    return i >= 0;
}

const char *agent_role_name(enum agent_role r)
{
    must((size_t)r < COUNT(agent_roles));
    return agent_roles[r];
}

bool agent_role_find(struct slice name, enum agent_role *out)
{
    int i = find(agent_roles, COUNT(agent_roles), name);
    *out = i < 0 ? AGENT_ROLE_AGENT : (enum agent_role)i;
    return i >= 0;
}

const char *hook_name(enum hook h)
{
    must((size_t)h < COUNT(hooks));
    return hooks[h];
}

const char *effect_name(enum effect_type t)
{
    must((size_t)t < COUNT(effects));
    return effects[t];
}

const char *flow_state_name(enum flow_state s)
{
    must((size_t)s < COUNT(flow_states));
    return flow_states[s];
}

bool flow_state_find(struct slice name, enum flow_state *out)
{
    int i = find(flow_states, COUNT(flow_states), name);
    *out = i < 0 ? FLOW_READY : (enum flow_state)i;
    return i >= 0;
}

const char *outbox_state_name(enum outbox_state s)
{
    must((size_t)s < COUNT(outbox_states));
    return outbox_states[s];
}

const char *outbox_status(const struct outbox *o)
{
    if (o->state == OUTBOX_RECALLED || (o->undoes && o->state == OUTBOX_SENT)) {
        return "recalled";
    }
    if (o->state == OUTBOX_SENT) {
        return o->receipt == RECEIPT_READ        ? "read"
               : o->receipt == RECEIPT_DELIVERED ? "delivered"
                                                 : "sent";
    }
    return o->state == OUTBOX_DEAD ? "failed" : "waiting";
}

const char *version_state_name(enum version_state s)
{
    must((size_t)s < COUNT(version_states));
    return version_states[s];
}

const char *event_name_text(enum event_name n)
{
    switch (n) {
    case EVENT_MESSAGE_CREATED:
        return "message.created";
    case EVENT_MESSAGE_UPDATED:
        return "message.updated";
    case EVENT_MESSAGE_STATUS:
        return "message.status";
    case EVENT_CONVERSATION_CREATED:
        return "conversation.created";
    case EVENT_CONVERSATION_UPDATED:
        return "conversation.updated";
    case EVENT_CONVERSATION_ASSIGNED:
        return "conversation.assigned";
    case EVENT_CONVERSATION_CLOSED:
        return "conversation.closed";
    case EVENT_CONTACT_UPDATED:
        return "contact.updated";
    case EVENT_AGENT_UPDATED:
        return "agent.updated";
    case EVENT_CHANNEL_UPDATED:
        return "channel.updated";
    case EVENT_TEAM_UPDATED:
        return "team.updated";
    case EVENT_HANDLED:
        return "handled";
    case EVENT_NONE:
        break;
    }
    return "none";
}

bool event_is_public(enum event_name n)
{
    return n != EVENT_NONE && n < EVENT_HANDLED;
}

/* --- transactions --------------------------------------------------------- */

struct tx *tx_new_in(struct arena *a, void (*done)(struct tx *tx), void *owner)
{
    struct tx *tx = arena_one(a, struct tx);
    tx->arena = a;
    tx->done = done;
    tx->owner = owner;
    tx->begun_us = clock_mono_us();
    return tx;
}

struct tx *tx_new(void (*done)(struct tx *tx), void *owner)
{
    return tx_new_in(arena_new(), done, owner);
}

void tx_free(struct tx *tx)
{
    if (tx)
        arena_free(tx->arena);
}

struct event *tx_event(struct tx *tx, enum event_name name)
{
    struct event *ev = arena_one(tx->arena, struct event);
    ev->name = name;
    if (tx->last)
        tx->last->next = ev;
    else
        tx->first = ev;
    tx->last = ev;
    tx->count++;
    return ev;
}

struct put *tx_put(struct tx *tx, enum put_kind kind)
{
    struct put *p = arena_one(tx->arena, struct put);
    p->kind = kind;
    if (tx->puts_last)
        tx->puts_last->next = p;
    else
        tx->puts = p;
    tx->puts_last = p;
    return p;
}

/* --- jobs ----------------------------------------------------------------- */

struct job *job_new(enum hook hook, void (*done)(struct job *), void *owner)
{
    return job_new_in(arena_new(), hook, done, owner);
}

struct job *job_new_in(struct arena *a, enum hook hook,
                       void (*done)(struct job *), void *owner)
{
    struct job *job = arena_one(a, struct job);
    job->arena = a;
    job->hook = hook;
    job->done = done;
    job->owner = owner;
    return job;
}

void job_free(struct job *job)
{
    if (!job || job->stuck)
        return;
    roster_free(job->roster);
    if (job->call)
        arena_free(job->call->given);
    arena_free(job->arena);
}

struct effect *job_effect(struct job *job, enum effect_type type)
{
    if (job->count >= LIMIT_EFFECTS)
        return NULL;
    struct effect *fx = arena_one(job->arena, struct effect);
    fx->type = type;
    if (job->last)
        job->last->next = fx;
    else
        job->first = fx;
    job->last = fx;
    job->count++;
    return fx;
}

void roster_free(struct roster *r)
{
    if (r && atomic_fetch_sub(&r->refs, 1) == 1)
        arena_free(r->arena);
}

void effect_put_kv(const struct effect *e, struct tx *tx)
{
    struct kv *kv = arena_one(tx->arena, struct kv);
    kv->space = slice_dup(tx->arena, e->unit);
    kv->key = slice_dup(tx->arena, e->name);
    kv->value = slice_dup(tx->arena, e->data);
    kv->expires_at = e->number;
    tx_put(tx, e->type == EFFECT_KV_SET ? PUT_KV : DEL_KV)->kv = kv;
}

void job_put_kv(const struct job *job, struct tx *tx)
{
    for (const struct effect *e = job->first; e; e = e->next)
        if (e->type == EFFECT_KV_SET || e->type == EFFECT_KV_DEL)
            effect_put_kv(e, tx);
}
