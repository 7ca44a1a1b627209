/* SPDX-License-Identifier: Apache-2.0 */
/* bind_agents.c - agents and queues: the people, and who waits for them, as
 * they were when the event came (job->roster).
 *
 * Happy path: plain tables, copies. Failure modes: an unknown condition or
 * status raises; nobody found is nil or an empty list.
 */
#include "base/clock.h"
#include "script/api/bind.h"
#include "script/api/modules.h"
#include "script/load/unit.h"
#include <string.h>

static void set_text(lua_State *L, const char *field, struct slice s)
{
    value_push_slice(L, s);
    lua_setfield(L, -2, field);
}

static void set_id(lua_State *L, const char *prefix, uint64_t id)
{
    char text[ID_TEXT];
    set_text(L, "id", id_text(text, prefix, id));
}

void bind_push_agent(lua_State *L, const struct agent_view *a)
{
    lua_createtable(L, 0, 7);
    set_id(L, ID_AGENT, a->id);
    set_text(L, "name", a->name);
    set_text(L, "email", a->email);
    set_text(L, "status", slice_of(agent_status_name(a->status)));
    lua_pushinteger(L, a->load);
    lua_setfield(L, -2, "load");
    lua_pushinteger(L, a->max_load);
    lua_setfield(L, -2, "max_load");
    if (!a->skills.len ||
        value_push_text(L, bind_arena(L), a->skills, NULL) < 0) {
        lua_newtable(L);
        value_mark_array(L, lua_gettop(L));
    }
    lua_setfield(L, -2, "skills");
}

const struct roster *bind_roster(lua_State *L, const char *what)
{
    static const struct roster nobody;
    const struct roster *r = bind_task(L, what)->job->roster;
    return r ? r : &nobody;
}

/* --- who is asked for ----------------------------------------------------- */

/* What the table at 1 asks for; slices point into it. */
struct wanted {
    struct slice id, email, name, skill;
    const struct team_view *team;
    int status;  /* -1 = any */
    bool room;   /* has room for one more */
    bool nobody; /* a team that is not there */
};

static struct slice field(lua_State *L, const char *name, int *asked)
{
    struct slice s = {"", 0};
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1)) {
        s = bind_slice(L, -1); /* the table keeps it alive */
        ++*asked;
    }
    lua_pop(L, 1);
    return s;
}

static const struct team_view *team_of(const struct roster *r, struct slice who)
{
    uint64_t id = 0;
    bool is_id = id_parse(who, ID_TEAM, &id);
    for (size_t i = 0; i < r->team_count; i++)
        if (is_id ? r->teams[i].id == id : slice_eq(r->teams[i].name, who))
            return &r->teams[i];
    return NULL;
}

static int status_of(lua_State *L, struct slice name)
{
    enum agent_status status;
    if (!name.len)
        return -1;
    if (!agent_status_find(name, &status))
        bind_raise(L, "status must be online, busy, away or offline");
    return (int)status;
}

static void check_names(lua_State *L, const char *what)
{
    static const char *const known[] = {"id",   "email",  "name", "skill",
                                        "team", "status", "room"};
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        size_t i = 0;
        while (i < sizeof known / sizeof known[0] &&
               strcmp(known[i], name) != 0)
            i++;
        if (i == sizeof known / sizeof known[0])
            bind_raise(L,
                       "%s: unknown field '%s' (known are id, email, name, "
                       "skill, team, status, room)",
                       what, name);
    }
}

/* Returns how many conditions there are. */
static int read_wanted(lua_State *L, const struct roster *r, const char *what,
                       struct wanted *w)
{
    int asked = 0;
    *w = (struct wanted){.status = -1};
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    check_names(L, what);
    w->id = field(L, "id", &asked);
    w->email = field(L, "email", &asked);
    w->name = field(L, "name", &asked);
    w->skill = field(L, "skill", &asked);
    w->status = status_of(L, field(L, "status", &asked));
    struct slice team = field(L, "team", &asked);
    if (team.len)
        w->nobody = (w->team = team_of(r, team)) == NULL;
    lua_getfield(L, 1, "room");
    w->room = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return asked + w->room;
}

static bool has_skill(lua_State *L, const struct agent_view *a,
                      struct slice skill)
{
    struct json *list = NULL;
    if (!skill.len)
        return true;
    if (!a->skills.len || json_parse(bind_arena(L), a->skills, NULL, &list) < 0)
        return false;
    for (const struct json *j = list->first; j; j = j->next)
        if (j->type == JSON_STRING && slice_eq(j->text, skill))
            return true;
    return false;
}

static bool is_member(const struct team_view *team, uint64_t agent)
{
    for (size_t i = 0; i < team->count; i++)
        if (team->members[i] == agent)
            return true;
    return false;
}

static bool is_wanted(lua_State *L, const struct wanted *w,
                      const struct agent_view *a)
{
    char id[ID_TEXT];
    if (w->nobody || (w->status >= 0 && (int)a->status != w->status) ||
        (w->room && a->load >= a->max_load) ||
        (w->email.len && !slice_eq(w->email, a->email)) ||
        (w->name.len && !slice_eq(w->name, a->name)) ||
        (w->id.len && !slice_eq(w->id, id_text(id, ID_AGENT, a->id))) ||
        (w->team && !is_member(w->team, a->id)))
        return false;
    return has_skill(L, a, w->skill);
}

/* --- calls ---------------------------------------------------------------- */

static int push_all(lua_State *L, const struct roster *r,
                    const struct wanted *w)
{
    int n = 0;
    lua_newtable(L);
    for (size_t i = 0; i < r->count; i++) {
        if (!is_wanted(L, w, &r->agents[i]))
            continue;
        bind_push_agent(L, &r->agents[i]);
        lua_rawseti(L, -2, ++n);
    }
    value_mark_array(L, lua_gettop(L));
    return 1;
}

static int agents_online(lua_State *L)
{
    struct wanted w = {.status = AGENT_ONLINE};
    return push_all(L, bind_roster(L, "agents.online"), &w);
}

static int agents_list(lua_State *L)
{
    struct wanted w;
    const struct roster *r = bind_roster(L, "agents.list");
    read_wanted(L, r, "agents.list", &w);
    return push_all(L, r, &w);
}

static int agents_find(lua_State *L)
{
    struct wanted w;
    const struct roster *r = bind_roster(L, "agents.find");
    if (!read_wanted(L, r, "agents.find", &w))
        bind_raise(L, "agents.find: say id, email, name, skill, team or "
                      "status");
    for (size_t i = 0; i < r->count; i++) {
        if (!is_wanted(L, &w, &r->agents[i]))
            continue;
        bind_push_agent(L, &r->agents[i]);
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

/* agents.get(id or e-mail address) */
static int agents_get(lua_State *L)
{
    uint64_t id = 0;
    const struct roster *r = bind_roster(L, "agents.get");
    struct slice who = bind_slice(L, 1);
    bool is_id = id_parse(who, ID_AGENT, &id);
    for (size_t i = 0; i < r->count; i++) {
        const struct agent_view *a = &r->agents[i];
        if (is_id ? a->id != id : !slice_eq(a->email, who))
            continue;
        bind_push_agent(L, a);
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

/* Of the online ones with room, the one with the least part of it taken. */
static int agents_least_busy(lua_State *L)
{
    struct wanted w;
    const struct agent_view *best = NULL;
    const struct roster *r = bind_roster(L, "agents.least_busy");
    read_wanted(L, r, "agents.least_busy", &w);
    w.status = AGENT_ONLINE;
    w.room = true;
    for (size_t i = 0; i < r->count; i++) {
        const struct agent_view *a = &r->agents[i];
        if (is_wanted(L, &w, a) &&
            (!best || (int64_t)a->load * best->max_load <
                          (int64_t)best->load * a->max_load))
            best = a;
    }
    if (best)
        bind_push_agent(L, best);
    else
        lua_pushnil(L);
    return 1;
}

static int agents_teams(lua_State *L)
{
    const struct roster *r = bind_roster(L, "agents.teams");
    char id[ID_TEXT];
    lua_newtable(L);
    for (size_t i = 0; i < r->team_count; i++) {
        const struct team_view *team = &r->teams[i];
        lua_createtable(L, 0, 4);
        set_id(L, ID_TEAM, team->id);
        set_text(L, "name", team->name);
        lua_newtable(L);
        for (size_t k = 0; k < team->count; k++) {
            value_push_slice(L, id_text(id, ID_AGENT, team->members[k]));
            lua_rawseti(L, -2, (int)k + 1);
        }
        value_mark_array(L, lua_gettop(L));
        lua_setfield(L, -2, "members");
        lua_pushinteger(L, team->waiting);
        lua_setfield(L, -2, "waiting");
        lua_rawseti(L, -2, (int)i + 1);
    }
    value_mark_array(L, lua_gettop(L));
    return 1;
}

/* --- queues --------------------------------------------------------------- */

/* queues.length(team): of all without a team named */
static int queues_length(lua_State *L)
{
    const struct roster *r = bind_roster(L, "queues.length");
    if (lua_isnoneornil(L, 1)) {
        lua_pushinteger(L, r->waiting);
        return 1;
    }
    const struct team_view *team = team_of(r, bind_slice(L, 1));
    if (!team)
        return bind_trouble(L, "not_found", "there is no such team");
    lua_pushinteger(L, team->waiting);
    return 1;
}

static int queues_list(lua_State *L)
{
    const struct roster *r = bind_roster(L, "queues.list");
    lua_newtable(L);
    for (size_t i = 0; i < r->team_count; i++) {
        lua_createtable(L, 0, 3);
        set_id(L, ID_TEAM, r->teams[i].id);
        set_text(L, "team", r->teams[i].name);
        lua_pushinteger(L, r->teams[i].waiting);
        lua_setfield(L, -2, "waiting");
        lua_rawseti(L, -2, (int)i + 1);
    }
    value_mark_array(L, lua_gettop(L));
    return 1;
}

/* --- the reference -------------------------------------------------------- */

static const struct api_call calls[] = {
    {"online", agents_online, API_RULES, API_VARIES, "(): Agent[]",
     "The agents who are online.", "1"},
    {"get", agents_get, API_RULES, API_VARIES, "(who: string): Agent|nil",
     "The agent with this id or e-mail address, or nil."
     "\n\nlocal mei = agents.get \"mei@example.com\"",
     "1"},
    {"find", agents_find, API_RULES, API_VARIES,
     "(who: AgentFilter): Agent|nil",
     "The first agent to whom all of it applies, or nil."
     "\n\nlocal expert = agents.find { skill = \"refunds\", status = "
     "\"online\" }",
     "1"},
    {"list", agents_list, API_RULES, API_VARIES, "(who?: AgentFilter): Agent[]",
     "All agents to whom all of it applies; without a filter all there are."
     "\n\nlocal free = agents.list { team = \"vip\", status = \"online\", "
     "room = true }",
     "1"},
    {"least_busy", agents_least_busy, API_RULES, API_VARIES,
     "(who?: AgentFilter): Agent|nil",
     "Of the agents who are online, have room and fit the filter, the one with "
     "the smallest part of it taken; nil if there is none. conv:assign { pick "
     "= \"least_busy\" } chooses later, when it is done, and is better unless "
     "the choice itself is needed."
     "\n\nlocal who = agents.least_busy { skill = \"german\" }\n"
     "if who then return conv:assign { agent = who.id } end",
     "1"},
    {"teams", agents_teams, API_RULES, API_VARIES, "(): Team[]", "All teams.",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module agents_module = {
    .name = "agents",
    .doc = "The people who answer, as they were when the event came.",
    .calls = calls};

static const struct api_call queue_calls[] = {
    {"length", queues_length, API_RULES, API_VARIES,
     "(team?: string): integer|nil, string?, string?",
     "How many conversations wait: for this team (its name or id), or all of "
     "them. nil, \"not_found\", detail for a team nobody knows."
     "\n\nif queues.length \"vip\" > 5 then conv:reply \"It takes a little "
     "longer today.\" end",
     "1"},
    {"list", queues_list, API_RULES, API_VARIES,
     "(): { id: string, team: string, waiting: integer }[]",
     "The teams' queues.", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module queues_module = {
    .name = "queues",
    .doc = "Who waits, as it was when the event came.",
    .calls = queue_calls};
