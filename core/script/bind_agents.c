/* SPDX-License-Identifier: Apache-2.0 */
/* bind_agents.c - agents.online(), agents.find{}, agents.teams(): the people
 * as they were when the event came (job->roster). Plain tables, copies. */
#include "base/clock.h"
#include "script/bind.h"
#include "script/modules.h"
#include "script/unit.h"

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

static const struct roster *roster_of(lua_State *L, const char *what)
{
    static const struct roster nobody;
    const struct roster *r = bind_task(L, what)->job->roster;
    return r ? r : &nobody;
}

static int agents_online(lua_State *L)
{
    const struct roster *r = roster_of(L, "agents.online");
    int n = 0;
    lua_newtable(L);
    for (size_t i = 0; i < r->count; i++) {
        if (r->agents[i].status != AGENT_ONLINE)
            continue;
        bind_push_agent(L, &r->agents[i]);
        lua_rawseti(L, -2, ++n);
    }
    value_mark_array(L, lua_gettop(L));
    return 1;
}

static bool is_asked(lua_State *L, const struct agent_view *a)
{
    char id[ID_TEXT];
    const struct {
        const char *name;
        struct slice value;
    } fields[] = {{"id", id_text(id, ID_AGENT, a->id)},
                  {"email", a->email},
                  {"name", a->name}};
    int asked = 0;
    bool is = true;
    for (int i = 0; i < 3; i++) {
        lua_getfield(L, 1, fields[i].name);
        if (!lua_isnil(L, -1)) {
            asked++;
            is &= slice_eq(bind_slice(L, -1), fields[i].value);
        }
        lua_pop(L, 1);
    }
    if (!asked)
        bind_raise(L, "agents.find: say id, email or name");
    return is;
}

static int agents_find(lua_State *L)
{
    const struct roster *r = roster_of(L, "agents.find");
    luaL_checktype(L, 1, LUA_TTABLE);
    for (size_t i = 0; i < r->count; i++) {
        if (!is_asked(L, &r->agents[i]))
            continue;
        bind_push_agent(L, &r->agents[i]);
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

static int agents_teams(lua_State *L)
{
    const struct roster *r = roster_of(L, "agents.teams");
    char id[ID_TEXT];
    lua_newtable(L);
    for (size_t i = 0; i < r->team_count; i++) {
        const struct team_view *team = &r->teams[i];
        lua_createtable(L, 0, 3);
        set_id(L, ID_TEAM, team->id);
        set_text(L, "name", team->name);
        lua_newtable(L);
        for (size_t k = 0; k < team->count; k++) {
            value_push_slice(L, id_text(id, ID_AGENT, team->members[k]));
            lua_rawseti(L, -2, (int)k + 1);
        }
        value_mark_array(L, lua_gettop(L));
        lua_setfield(L, -2, "members");
        lua_rawseti(L, -2, (int)i + 1);
    }
    value_mark_array(L, lua_gettop(L));
    return 1;
}

static const struct api_call calls[] = {
    {"online", agents_online, API_HANDLERS, 0, "(): Agent[]",
     "The agents who are online.", "1"},
    {"find", agents_find, API_HANDLERS, 0,
     "(who: { id?: string, email?: string, name?: string }): Agent|nil",
     "The agent with this id, e-mail address or name, or nil."
     "\n\nlocal mei = agents.find { email = \"mei@example.com\" }",
     "1"},
    {"teams", agents_teams, API_HANDLERS, 0, "(): Team[]", "All teams.", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module agents_module = {
    .name = "agents",
    .doc = "The people who answer, as they were when the event came.",
    .calls = calls};
