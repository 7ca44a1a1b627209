/* SPDX-License-Identifier: Apache-2.0 */
/* people.c - agents, teams and live contacts, and who sees what.
 *
 * Happy path: the roof puts records in at start and after committed changes;
 * presence follows from sockets and the status an agent chose. Failure: an
 * agent whose sockets dropped keeps presence for a grace time; after it, what
 * waits for that agent goes back to the queue.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "desk/inner.h"

void text_free(struct slice *s)
{
    mem_free((char *)s->at);
    *s = (struct slice){0};
}

void text_own(struct slice *dst, struct slice src)
{
    char *copy = NULL;
    if (src.len) {
        copy = mem_alloc(src.len + 1);
        memcpy(copy, src.at, src.len);
    }
    mem_free((char *)dst->at);
    *dst = (struct slice){copy, src.len};
}

/* --- teams ---------------------------------------------------------------- */

static void team_free(struct team_live *t)
{
    text_free(&t->rec.name);
    text_free(&t->rec.members);
    mem_free(t->members);
    mem_free(t);
}

static void team_read_members(struct team_live *t)
{
    struct arena *a = arena_new();
    struct json *list = NULL;
    if (t->rec.members.len && json_parse(a, t->rec.members, NULL, &list) == 0 &&
        json_is(list, JSON_ARRAY)) {
        t->members = mem_alloc(sizeof *t->members * (list->count + 1));
        for (struct json *m = list->first; m; m = m->next) {
            if (json_is(m, JSON_STRING) &&
                id_parse(m->text, ID_AGENT, &t->members[t->count])) {
                t->count++;
            }
        }
    }
    arena_free(a);
}

void desk_put_team(struct desk *d, const struct team *t)
{
    desk_del_team(d, t->id);
    struct team_live *copy = mem_alloc(sizeof *copy);
    copy->rec = *t;
    copy->rec.name = copy->rec.members = (struct slice){0};
    text_own(&copy->rec.name, t->name);
    text_own(&copy->rec.members, t->members);
    team_read_members(copy);
    map_put(&d->teams, t->id, copy);
    roster_spoil(d);
    queue_drain(d);
}

void desk_del_team(struct desk *d, uint64_t id)
{
    struct team_live *t = map_take(&d->teams, id);
    if (t) {
        team_free(t);
        roster_spoil(d);
    }
}

const struct team *desk_team(const struct desk *d, uint64_t id)
{
    struct team_live *t = map_get(&d->teams, id);
    return t ? &t->rec : NULL;
}

const struct team *desk_next_team(const struct desk *d, size_t *i)
{
    struct team_live *t = map_next(&d->teams, i);
    return t ? &t->rec : NULL;
}

bool team_has(const struct desk *d, uint64_t team, uint64_t agent)
{
    struct team_live *t = map_get(&d->teams, team);
    for (size_t i = 0; t && i < t->count; i++) {
        if (t->members[i] == agent) {
            return true;
        }
    }
    return false;
}

/* --- agents --------------------------------------------------------------- */

static void agent_forget(struct desk *d, struct agent_live *a)
{
    timer_stop(d->wheel, &a->grace);
    text_free(&a->rec.email);
    text_free(&a->rec.name);
    text_free(&a->rec.skills);
    mem_free(a);
}

/* The grace is over: nobody is there. */
static void on_grace(struct timer *t)
{
    struct agent_live *a = container_of(t, struct agent_live, grace);
    agent_refresh(a->desk, a);
    absent_release(a->desk);
}

/* Has this conversation nobody who will answer? Its agent is no more, or went
 * home while the visitor waits; whoever is given one has the grace to come. */
static bool is_deserted(const struct desk *d, const struct conv *c, int64_t now)
{
    bool held = c->rec.state == CONV_OPEN || c->rec.state == CONV_SNOOZED;
    if (!held || c->changing || c->changes) {
        return false;
    }
    struct agent_live *a = agent_of(d, c->rec.assignee);
    if (!a || !a->rec.enabled) {
        return true;
    }
    return c->rec.state == CONV_OPEN && c->rec.waiting_since_at &&
           desk_presence(d, a->rec.id) == AGENT_OFFLINE &&
           now >= c->held_since + d->conf.agent_grace_ms;
}

void absent_release(struct desk *d)
{
    int64_t now = d->conf.ports.now(d->conf.ports.arg);
    if (!d->started) {
        return;
    }
    struct conv *c;
    for (size_t i = 0; (c = map_next(&d->convs, &i)) != NULL;) {
        if (is_deserted(d, c, now)) {
            struct act *act = act_new(ACT_ASSIGN, act_free, NULL);
            act->role = ROLE_SYSTEM;
            act->conv = c->rec.id;
            act->team = desk_team(d, c->rec.team) ? c->rec.team : 0;
            desk_act(d, act);
        }
    }
}

static struct agent_live *agent_make(struct desk *d, uint64_t id)
{
    struct agent_live *a = mem_alloc(sizeof *a);
    a->desk = d;
    a->rec.id = id;
    list_init(&a->peers);
    timer_init(&a->grace, on_grace);
    struct conv *c;
    for (size_t i = 0; (c = map_next(&d->convs, &i)) != NULL;) {
        if (c->rec.assignee == id &&
            (c->rec.state == CONV_OPEN || c->rec.state == CONV_SNOOZED)) {
            a->load++;
        }
    }
    map_put(&d->agents, id, a);
    return a;
}

void desk_put_agent(struct desk *d, const struct agent *rec)
{
    struct agent_live *a = agent_of(d, rec->id);
    if (!a) {
        a = agent_make(d, rec->id);
    }
    a->rec.role = rec->role;
    a->rec.max_load = rec->max_load;
    a->rec.enabled = rec->enabled;
    a->rec.created_at = rec->created_at;
    a->rec.updated_at = rec->updated_at;
    text_own(&a->rec.email, rec->email);
    text_own(&a->rec.name, rec->name);
    text_own(&a->rec.skills, rec->skills);
    if (!a->rec.enabled) {
        list_each (&a->peers, l) {
            struct desk_peer *p = container_of(l, struct desk_peer, link);
            d->conf.ports.close(d->conf.ports.arg, p->id, 4003, "disabled");
        }
    }
    agent_refresh(d, a);
    absent_release(d);
    queue_drain(d);
}

void desk_del_agent(struct desk *d, uint64_t id)
{
    struct agent_live *a = agent_of(d, id);
    if (!a) {
        return;
    }
    /* Its sockets end by desk_gone; until then they find no agent. */
    list_each (&a->peers, l) {
        struct desk_peer *p = container_of(l, struct desk_peer, link);
        list_remove(&p->link);
        p->agent = NULL;
        d->conf.ports.close(d->conf.ports.arg, p->id, 4003, "deleted");
    }
    map_take(&d->agents, id);
    agent_forget(d, a);
    roster_spoil(d);
    absent_release(d);
}

struct agent_live *agent_of(const struct desk *d, uint64_t id)
{
    return id ? map_get(&d->agents, id) : NULL;
}

const struct agent *desk_agent(const struct desk *d, uint64_t id)
{
    struct agent_live *a = agent_of(d, id);
    return a ? &a->rec : NULL;
}

const struct agent *desk_next_agent(const struct desk *d, size_t *i)
{
    struct agent_live *a = map_next(&d->agents, i);
    return a ? &a->rec : NULL;
}

const struct agent *desk_find_agent(const struct desk *d, struct slice email)
{
    const struct agent *a;
    char wanted[LIMIT_NAME_BYTES + 1];
    if (email.len > LIMIT_NAME_BYTES) {
        return NULL;
    }
    memcpy(wanted, email.at, email.len);
    wanted[email.len] = '\0';
    for (size_t i = 0; (a = desk_next_agent(d, &i)) != NULL;) {
        if (slice_is_nocase(a->email, wanted)) {
            return a;
        }
    }
    return NULL;
}

bool agent_is_free(const struct agent_live *a)
{
    return a->rec.enabled && !list_empty(&a->peers) &&
           a->chosen == AGENT_ONLINE && a->load + a->reserved < a->rec.max_load;
}

enum agent_status desk_presence(const struct desk *d, uint64_t agent)
{
    struct agent_live *a = agent_of(d, agent);
    if (!a || !a->rec.enabled) {
        return AGENT_OFFLINE;
    }
    bool here = !list_empty(&a->peers) || timer_is_running(&a->grace);
    return here ? a->chosen : AGENT_OFFLINE;
}

int32_t desk_load(const struct desk *d, uint64_t agent)
{
    struct agent_live *a = agent_of(d, agent);
    return a ? a->load : 0;
}

void agent_refresh(struct desk *d, struct agent_live *a)
{
    roster_spoil(d);
    enum agent_status now = desk_presence(d, a->rec.id);
    if (now == a->shown) {
        return;
    }
    a->shown = now;
    struct arena *arena = arena_new();
    struct notice n = {.type = NOTICE_PRESENCE,
                       .who = a->rec.id,
                       .who_role = ROLE_AGENT,
                       .arena = arena,
                       .text = slice_of(agent_status_name(now))};
    tell_agents(d, &n);
    arena_free(arena);
}

void agent_shift(struct desk *d, uint64_t agent, int by)
{
    struct agent_live *a = agent_of(d, agent);
    if (a) {
        a->load += by;
        must(a->load >= 0);
        roster_spoil(d);
    }
}

void desk_set_status(struct desk *d, uint64_t agent, enum agent_status s)
{
    struct agent_live *a = agent_of(d, agent);
    if (a) {
        a->chosen = s;
        agent_refresh(d, a);
        queue_drain(d);
    }
}

/* --- who sees what -------------------------------------------------------- */

bool agent_sees(const struct desk *d, const struct agent_live *a,
                const struct conversation *c)
{
    if (c->state == CONV_BOT) {
        return false;
    }
    if (c->assignee == a->rec.id || a->rec.role != AGENT_ROLE_AGENT) {
        return true;
    }
    if (c->team) {
        return team_has(d, c->team, a->rec.id);
    }
    return c->state == CONV_QUEUED;
}

bool desk_may_see(const struct desk *d, uint64_t agent,
                  const struct conversation *c)
{
    struct agent_live *a = agent_of(d, agent);
    if (!a) {
        return false;
    }
    return a->rec.role != AGENT_ROLE_AGENT || agent_sees(d, a, c);
}

void desk_viewer(const struct desk *d, uint64_t agent, struct arena *a,
                 struct viewer *out)
{
    const struct agent *who = desk_agent(d, agent);
    *out = (struct viewer){.role = ROLE_AGENT,
                           .id = agent,
                           .agent_role = who ? who->role : AGENT_ROLE_AGENT};
    uint64_t *teams = arena_many(a, uint64_t, d->teams.count + 1);
    struct team_live *t;
    for (size_t i = 0; (t = map_next(&d->teams, &i)) != NULL;) {
        if (team_has(d, t->rec.id, agent)) {
            teams[out->team_count++] = t->rec.id;
        }
    }
    out->teams = teams;
}

/* --- the roster scripts see ----------------------------------------------- */

void roster_spoil(struct desk *d)
{
    if (d->roster) {
        roster_free(d->roster);
        d->roster = NULL;
    }
}

static void roster_add_teams(struct desk *d, struct roster *r)
{
    struct team_view *teams =
        arena_many(r->arena, struct team_view, d->teams.count + 1);
    struct team_live *t;
    for (size_t i = 0; (t = map_next(&d->teams, &i)) != NULL;) {
        uint64_t *members = arena_many(r->arena, uint64_t, t->count + 1);
        if (t->count) {
            memcpy(members, t->members, t->count * sizeof *members);
        }
        teams[r->team_count++] =
            (struct team_view){.id = t->rec.id,
                               .name = slice_dup(r->arena, t->rec.name),
                               .members = members,
                               .count = t->count};
    }
    list_each (&d->queue, l) {
        uint64_t team = container_of(l, struct conv, queue_link)->rec.team;
        for (size_t i = 0; team && i < r->team_count; i++) {
            teams[i].waiting += teams[i].id == team;
        }
    }
    r->waiting = (uint32_t)d->queued;
    r->teams = teams;
}

struct roster *roster_now(struct desk *d)
{
    if (!d->roster) {
        struct arena *arena = arena_new();
        struct roster *r = arena_one(arena, struct roster);
        r->arena = arena;
        atomic_init(&r->refs, 1); /* ours */
        struct agent_view *agents =
            arena_many(arena, struct agent_view, d->agents.count + 1);
        struct agent_live *a;
        for (size_t i = 0; (a = map_next(&d->agents, &i)) != NULL;) {
            agents[r->count++] =
                (struct agent_view){a->rec.id,
                                    slice_dup(arena, a->rec.name),
                                    slice_dup(arena, a->rec.email),
                                    slice_dup(arena, a->rec.skills),
                                    desk_presence(d, a->rec.id),
                                    a->load,
                                    a->rec.max_load};
        }
        r->agents = agents;
        roster_add_teams(d, r);
        d->roster = r;
    }
    atomic_fetch_add(&d->roster->refs, 1);
    return d->roster;
}

/* --- live contacts -------------------------------------------------------- */

struct person *person_get(struct desk *d, uint64_t id, uint64_t channel)
{
    struct person *p = map_get(&d->persons, id);
    if (!p) {
        p = mem_alloc(sizeof *p);
        p->id = id;
        p->channel = channel;
        list_init(&p->peers);
        map_put(&d->persons, id, p);
    }
    return p;
}

void person_know(struct person *p, const struct contact *c)
{
    if (!p->rec) {
        p->rec = mem_alloc(sizeof *p->rec);
    }
    struct contact *r = p->rec;
    r->id = c->id;
    r->channel = c->channel;
    r->created_at = c->created_at;
    r->updated_at = c->updated_at;
    text_own(&r->identity, c->identity);
    text_own(&r->name, c->name);
    text_own(&r->email, c->email);
    text_own(&r->phone, c->phone);
    text_own(&r->tier, c->tier);
    text_own(&r->tags, c->tags);
    text_own(&r->attributes, c->attributes);
}

static void contact_free(struct contact *r)
{
    text_free(&r->identity);
    text_free(&r->name);
    text_free(&r->email);
    text_free(&r->phone);
    text_free(&r->tier);
    text_free(&r->tags);
    text_free(&r->attributes);
    mem_free(r);
}

void person_release(struct desk *d, struct person *p)
{
    if (p->conv || p->convs || !list_empty(&p->peers)) {
        return;
    }
    map_take(&d->persons, p->id);
    if (p->rec) {
        contact_free(p->rec);
    }
    mem_free(p);
}

struct slice person_name(const struct person *p)
{
    return p->rec ? p->rec->name : (struct slice){0};
}

void desk_put_contact(struct desk *d, const struct contact *c)
{
    struct person *p = map_get(&d->persons, c->id);
    if (!p) {
        return;
    }
    person_know(p, c);
    p->stored = true;
    if (p->conv) {
        text_own(&p->conv->rec.contact_name, c->name);
        text_own(&p->conv->rec.contact_tier, c->tier);
    }
}

const struct contact *desk_contact(const struct desk *d, uint64_t id)
{
    struct person *p = map_get(&d->persons, id);
    return p ? p->rec : NULL;
}

void sender_write(const struct desk *d, struct buf *out, enum role role,
                  uint64_t id, struct slice name)
{
    char text[ID_TEXT];
    struct jsonw w = jsonw_on(out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "role", slice_of(role_name(role)));
    if (role == ROLE_VISITOR || (role == ROLE_AGENT && id)) {
        jsonw_put_text(
            &w, "id",
            id_text(text, role == ROLE_AGENT ? ID_AGENT : ID_CONTACT, id));
    } else {
        jsonw_key(&w, "id");
        jsonw_null(&w);
    }
    if (role == ROLE_AGENT && !name.len) {
        const struct agent *a = desk_agent(d, id);
        name = a ? a->name : name;
    }
    jsonw_put_text(&w, "name", name);
    jsonw_close(&w, '}');
}

struct roster *desk_roster(struct desk *d)
{
    return roster_now(d);
}
