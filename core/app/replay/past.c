/* SPDX-License-Identifier: Apache-2.0 */
/* past.c - the house as it was when a message came.
 *
 * Happy path: every conversation.* event has the whole conversation, so the
 * last one before a message says how it was. Agents and teams are as they are
 * now, but their load follows from the conversations that were met; contacts
 * are as they are now. Failure: a body that cannot be read changes nothing.
 */
#include "app/replay/replay.h"
#include "base/clock.h"
#include "base/limits.h"

#define VALUE_MAX (1024 * 1024)

struct was { /* a conversation */
    struct arena *arena;
    struct conversation rec;
};
struct past_agent {
    struct agent rec;
    int32_t load;
};
struct past {
    struct arena *arena;
    struct map convs, contacts, agents, teams, waiting;
    uint32_t queued;
};

struct past *past_new(void)
{
    struct past *p = mem_alloc(sizeof *p);
    p->arena = arena_new();
    map_init(&p->convs);
    map_init(&p->contacts);
    map_init(&p->agents);
    map_init(&p->teams);
    map_init(&p->waiting);
    return p;
}

void past_free(struct past *p)
{
    struct was *w;
    if (!p) {
        return;
    }
    for (size_t i = 0; (w = map_next(&p->convs, &i)) != NULL;) {
        arena_free(w->arena); /* it lies in it */
    }
    map_fini(&p->convs);
    map_fini(&p->contacts);
    map_fini(&p->agents);
    map_fini(&p->teams);
    map_fini(&p->waiting);
    arena_free(p->arena);
    mem_free(p);
}

/* --- as they are now ------------------------------------------------------ */

static void copy_contact(struct arena *a, const struct contact *from,
                         struct contact *out)
{
    *out = *from;
    out->identity = slice_dup(a, from->identity);
    out->name = slice_dup(a, from->name);
    out->email = slice_dup(a, from->email);
    out->phone = slice_dup(a, from->phone);
    out->tier = slice_dup(a, from->tier);
    out->tags = slice_dup(a, from->tags);
    out->attributes = slice_dup(a, from->attributes);
}

void past_contact(struct past *p, const struct contact *c)
{
    struct contact *copy = arena_one(p->arena, struct contact);
    copy_contact(p->arena, c, copy);
    map_put(&p->contacts, c->id, copy);
}

void past_agent(struct past *p, const struct agent *a)
{
    struct past_agent *copy = arena_one(p->arena, struct past_agent);
    copy->rec = *a;
    copy->rec.email = slice_dup(p->arena, a->email);
    copy->rec.name = slice_dup(p->arena, a->name);
    copy->rec.skills = slice_dup(p->arena, a->skills);
    copy->rec.password = SLICE("");
    map_put(&p->agents, a->id, copy);
}

void past_team(struct past *p, const struct team *t)
{
    struct team *copy = arena_one(p->arena, struct team);
    *copy = *t;
    copy->name = slice_dup(p->arena, t->name);
    copy->members = slice_dup(p->arena, t->members);
    map_put(&p->teams, t->id, copy);
}

/* --- conversations -------------------------------------------------------- */

static struct slice raw_of(struct arena *a, const struct json *j,
                           struct slice otherwise)
{
    struct buf out;
    if (!j) {
        return otherwise;
    }
    buf_init(&out, VALUE_MAX);
    struct jsonw w = jsonw_on(&out);
    jsonw_value(&w, j);
    struct slice raw = w.failed ? otherwise : slice_dup(a, buf_slice(&out));
    buf_fini(&out);
    return raw;
}

static uint64_t id_in(const struct json *j, const char *key, const char *prefix)
{
    uint64_t id = 0;
    (void)id_parse(json_text(j, key), prefix, &id); /* null: none */
    return id;
}

static void read_conversation(struct arena *a, const struct json *j,
                              struct conversation *c)
{
    *c = (struct conversation){
        .channel = id_in(j, "channel", ID_CHANNEL),
        .channel_type = json_text(j, "channel_type"),
        .contact = id_in(j, "contact", ID_CONTACT),
        .contact_name = json_text(j, "contact_name"),
        .contact_tier = json_text(j, "contact_tier"),
        .assignee = id_in(j, "assignee", ID_AGENT),
        .team = id_in(j, "team", ID_TEAM),
        .priority = (int32_t)json_int(j, "priority", 0),
        .tags = raw_of(a, json_get(j, "tags"), SLICE("[]")),
        .attributes = raw_of(a, json_get(j, "attributes"), SLICE("{}")),
        .last_seq = (uint32_t)json_int(j, "last_seq", 0),
        .unread = (uint32_t)json_int(j, "unread", 0),
        .agent_read = (uint32_t)json_int(j, "agent_read", 0),
        .visitor_read = (uint32_t)json_int(j, "visitor_read", 0),
        .preview = json_text(j, "preview"),
        .last_at = json_int(j, "last_at", 0),
        .waiting_since_at = json_int(j, "waiting_since_at", 0),
        .queued_at = json_int(j, "queued_at", 0),
        .snoozed_until = json_int(j, "snoozed_until_at", 0),
        .created_at = json_int(j, "created_at", 0),
        .updated_at = json_int(j, "updated_at", 0),
        .closed_at = json_int(j, "closed_at", 0)};
    (void)conv_state_find(json_text(j, "state"), &c->state);
}

/* by: 1 = it counts from now on, -1 = no more. */
static void count(struct past *p, const struct conversation *c, int by)
{
    struct past_agent *a = map_get(&p->agents, c->assignee);
    uint32_t *waiting = map_get(&p->waiting, c->team);
    if (a && (c->state == CONV_OPEN || c->state == CONV_SNOOZED)) {
        a->load += by;
    }
    if (c->state != CONV_QUEUED) {
        return;
    }
    if (!waiting) {
        waiting = arena_one(p->arena, uint32_t);
        map_put(&p->waiting, c->team, waiting);
    }
    *waiting += (uint32_t)by;
    p->queued += (uint32_t)by;
}

static void set(struct past *p, const struct event *ev)
{
    struct arena *a = arena_new();
    struct json *j;
    if (json_parse(a, ev->body, NULL, &j) < 0) {
        arena_free(a);
        return;
    }
    struct was *now = arena_one(a, struct was), *old;
    now->arena = a;
    read_conversation(a, j, &now->rec);
    now->rec.id = ev->conv;
    now->rec.last_pos = ev->pos;
    old = map_get(&p->convs, ev->conv);
    if (old) {
        if (old->rec.last_seq > now->rec.last_seq) {
            now->rec.last_seq = old->rec.last_seq;
        }
        count(p, &old->rec, -1);
    }
    count(p, &now->rec, 1);
    map_put(&p->convs, ev->conv, now);
    if (old) {
        arena_free(old->arena);
    }
}

void past_event(struct past *p, const struct event *ev)
{
    struct was *w;
    switch (ev->name) {
    case EVENT_CONVERSATION_CREATED:
    case EVENT_CONVERSATION_UPDATED:
    case EVENT_CONVERSATION_ASSIGNED:
    case EVENT_CONVERSATION_CLOSED:
        set(p, ev);
        break;
    case EVENT_MESSAGE_CREATED:
        w = map_get(&p->convs, ev->conv);
        if (w) {
            w->rec.last_seq = ev->seq;
            w->rec.last_pos = ev->pos;
            w->rec.last_at = ev->at;
        }
        break;
    default:
        break;
    }
}

const struct conversation *past_conversation(const struct past *p, uint64_t id)
{
    const struct was *w = map_get(&p->convs, id);
    return w ? &w->rec : NULL;
}

void past_copy(struct arena *a, const struct conversation *from,
               struct conversation *out)
{
    *out = *from;
    out->tags = slice_dup(a, from->tags);
    out->attributes = slice_dup(a, from->attributes);
    out->preview = slice_dup(a, from->preview);
    out->contact_name = slice_dup(a, from->contact_name);
    out->contact_tier = slice_dup(a, from->contact_tier);
    out->channel_type = slice_dup(a, from->channel_type);
}

/* --- for a job ------------------------------------------------------------ */

/* Who is connected is not recorded: as they last chose to be. */
static void fill_agents(const struct past *p, struct roster *r)
{
    struct past_agent *a;
    struct agent_view *views =
        arena_many(r->arena, struct agent_view, p->agents.count + 1);
    for (size_t i = 0; (a = map_next(&p->agents, &i)) != NULL;) {
        if (a->rec.enabled) {
            views[r->count++] = (struct agent_view){
                .id = a->rec.id,
                .name = slice_dup(r->arena, a->rec.name),
                .email = slice_dup(r->arena, a->rec.email),
                .skills = slice_dup(r->arena, a->rec.skills),
                .status = a->rec.status,
                .load = a->load,
                .max_load = a->rec.max_load};
        }
    }
    r->agents = views;
}

static void fill_team(struct arena *a, const struct team *t,
                      struct team_view *out)
{
    struct json *list = NULL;
    *out = (struct team_view){.id = t->id, .name = slice_dup(a, t->name)};
    if (json_parse(a, t->members, NULL, &list) < 0) {
        return;
    }
    uint64_t *members = arena_many(a, uint64_t, list->count + 1);
    for (const struct json *m = list->first; m; m = m->next) {
        out->count += id_parse(m->text, ID_AGENT, &members[out->count]);
    }
    out->members = members;
}

static struct roster *roster_now(const struct past *p)
{
    struct arena *a = arena_new();
    struct roster *r = arena_one(a, struct roster);
    const struct team *t;
    struct team_view *views =
        arena_many(a, struct team_view, p->teams.count + 1);
    atomic_init(&r->refs, 1);
    r->arena = a;
    r->waiting = p->queued;
    fill_agents(p, r);
    for (size_t i = 0; (t = map_next(&p->teams, &i)) != NULL;) {
        const uint32_t *waiting = map_get(&p->waiting, t->id);
        fill_team(a, t, &views[r->team_count]);
        views[r->team_count++].waiting = waiting ? *waiting : 0;
    }
    r->teams = views;
    return r;
}

void past_fill(struct past *p, struct job *job, const struct conversation *conv)
{
    const struct contact *who = map_get(&p->contacts, conv->contact);
    past_copy(job->arena, conv, &job->conv);
    if (who) {
        copy_contact(job->arena, who, &job->contact);
    }
    job->contact.id = conv->contact;
    job->contact.channel = conv->channel;
    job->roster = roster_now(p);
}
