/* SPDX-License-Identifier: Apache-2.0 */
/* api.c - modules and their calls as Lua sees them.
 *
 * Happy path: a call goes through its gate, which looks at the hook of the
 * running task, and on to its C function: some 20 ns. A call that is allowed
 * everywhere has no gate. Failure modes: called in the wrong hook, or a name
 * the module does not have: a sentence is raised in the script.
 */
#include "script/api/api.h"
#include "script/api/modules.h"
#include "script/flow/bind_flow.h"
#include "script/flow/play.h"
#include "script/load/unit.h"
#include <string.h>

static const char native_key = 0; /* its address: the natives */

#define NAME_MOST 40 /* longer words are nobody's slip of the pen */

/* --- the gate ------------------------------------------------------------- */

/* "kv.set", "conv:reply", "sleep" */
static const char *push_name(lua_State *L, const struct api_module *m,
                             const struct api_call *c)
{
    if (m == &globals_module)
        return lua_pushfstring(L, "%s", c->name);
    if (m == &conversation_module)
        return lua_pushfstring(L, "conv:%s", c->name);
    return lua_pushfstring(L, c->flags & API_METHOD ? "%s:%s" : "%s.%s",
                           m->name, c->name);
}

_Noreturn static void refuse(lua_State *L, const struct api_module *m,
                             const struct api_call *c, const struct task *t)
{
    const char *name = push_name(L, m, c);
    if (!t)
        bind_raise(L,
                   "%s may only be called in a handler, not while the "
                   "file is loaded",
                   name);
    lua_pushliteral(L, "");
    for (int h = 0, n = 0; h < HOOK_COUNT; h++) {
        if (!(c->where & API_IN(h)))
            continue;
        lua_pushfstring(L, "%s%s", n++ ? ", " : "", hook_name((enum hook)h));
        lua_concat(L, 2);
    }
    const char *where = lua_tostring(L, -1);
    if (!*where)
        bind_raise(L, "%s may only be called while the file is loaded", name);
    bind_raise(L, "%s may not be called in %s (only in %s)", name,
               hook_name(t->job->hook), where);
}

/* What gives something else each time has no place in a flow but its steps. */
#define ONCE (API_WAITS | API_VARIES)

/* A row knows its function, and for a sentence its module is found. */
static const struct api_module *module_of(const struct api_call *call)
{
    for (const struct api_module *const *m = api_modules; *m; m++)
        for (const struct api_call *c = (*m)->calls; c->name; c++)
            if (c == call)
                return *m;
    must_fail(__FILE__, __LINE__, call->name);
}

/* Upvalues: the call, and the function if its row has none. */
static int gate(lua_State *L)
{
    const struct api_call *c = lua_touserdata(L, lua_upvalueindex(1));
    const struct task *t = bind_version(L)->running;
    if (!(c->where & (t ? API_IN(t->job->hook) : API_LOAD)))
        refuse(L, module_of(c), c, t);
    if (t && t->play && (c->flags & ONCE) && !play_in_step(t)) {
        lua_settop(L, 0);
        bind_in_step(L, push_name(L, module_of(c), c));
    }
    return c->fn ? c->fn(L) : lua_tocfunction(L, lua_upvalueindex(2))(L);
}

static void push_gated(lua_State *L, const struct api_call *c, lua_CFunction fn)
{
    if ((c->where & API_ANYWHERE) == API_ANYWHERE && !(c->flags & ONCE)) {
        lua_pushcfunction(L, fn);
        return;
    }
    lua_pushlightuserdata(L, (void *)c);
    if (!c->fn)
        lua_pushcfunction(L, fn);
    lua_pushcclosure(L, gate, c->fn ? 1 : 2);
}

void api_push(lua_State *L, const struct api_call *c)
{
    must(c->fn);
    push_gated(L, c, c->fn);
}

static int on_pass(lua_State *L)
{
    (void)L;
    return 0;
}

void api_gate(lua_State *L, const struct api_module *m, const char *name)
{
    const struct api_call *c = api_find(m, name);
    must(c && !c->fn);
    push_gated(L, c, on_pass);
}

/* --- names nobody has ----------------------------------------------------- */

/* How many letters to change, add or leave out; len <= NAME_MOST each. */
static int distance(struct slice a, struct slice b)
{
    int row[NAME_MOST + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a.len; i++) {
        int corner = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b.len; j++) {
            int up = row[j], best = corner + (a.at[i - 1] != b.at[j - 1]);
            best = up + 1 < best ? up + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            corner = up;
        }
    }
    return row[b.len];
}

const char *api_near(const struct api_module *m, struct slice name)
{
    const char *found = NULL;
    int least = name.len < 5 ? 3 : 4; /* must be below */
    if (name.len > NAME_MOST)
        return NULL;
    for (const struct api_call *c = m->calls; c->name; c++) {
        struct slice known = slice_of(c->name);
        int d = known.len > NAME_MOST ? least : distance(name, known);
        if (d >= least || (size_t)d >= known.len)
            continue;
        least = d;
        found = c->name;
    }
    return found;
}

/* Upvalue: the module. A field it does not have was read or written. */
static int on_unknown(lua_State *L)
{
    const struct api_module *m = lua_touserdata(L, lua_upvalueindex(1));
    struct slice name = SLICE("?");
    if (lua_type(L, 2) == LUA_TSTRING)
        name.at = lua_tolstring(L, 2, &name.len);
    const char *near = api_near(m, name);
    if (near)
        bind_raise(L, "%s has no function '%s' (did you mean %s.%s?)", m->name,
                   name.at, m->name, near);
    bind_raise(L, "%s has no function '%s'", m->name, name.at);
}

static int on_write(lua_State *L)
{
    const struct api_module *m = lua_touserdata(L, lua_upvalueindex(1));
    bind_raise(L, "%s belongs to the house: nothing can be added to it",
               m->name);
}

/* The module's table is on top. */
static void seal(lua_State *L, const struct api_module *m)
{
    lua_createtable(L, 0, 3);
    lua_pushlightuserdata(L, (void *)m);
    lua_pushcclosure(L, on_unknown, 1);
    lua_setfield(L, -2, "__index");
    lua_pushlightuserdata(L, (void *)m);
    lua_pushcclosure(L, on_write, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

/* --- modules -------------------------------------------------------------- */

const struct api_call *api_find(const struct api_module *m, const char *name)
{
    for (const struct api_call *c = m->calls; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

const struct api_module *api_module_find(const char *name)
{
    for (const struct api_module *const *m = api_modules; *m; m++)
        if (strcmp((*m)->name, name) == 0)
            return *m;
    return NULL;
}

static bool find(lua_State *L, const void *key)
{
    lua_pushlightuserdata(L, (void *)key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

/* The value on top stays there. */
static void keep(lua_State *L, const void *key)
{
    lua_pushlightuserdata(L, (void *)key);
    lua_pushvalue(L, -2);
    lua_rawset(L, LUA_REGISTRYINDEX);
}

static bool is_row(const struct api_call *c)
{
    return c->fn && !(c->flags & API_FIELD);
}

/* Argument 1: the module. Its table is kept when it is whole. */
static int on_make(lua_State *L)
{
    const struct api_module *m = lua_touserdata(L, 1);
    int count = 0;
    for (const struct api_call *c = m->calls; c->name; c++)
        count += is_row(c);
    lua_createtable(L, 0, count);
    for (const struct api_call *c = m->calls; c->name; c++) {
        if (!is_row(c))
            continue;
        api_push(L, c);
        lua_setfield(L, -2, c->name);
    }
    if (m->fill)
        m->fill(L);
    if (!m->is_object)
        seal(L, m);
    keep(L, m);
    return 0;
}

/* It is the house's and bounded, so no limit of the script's must stop it half
 * way. If the handler is killed meanwhile it is made anew the next time. */
static void make(lua_State *L, const struct api_module *m)
{
    struct budget *b = budget_of(L);
    bool enforced = b->enforced;
    b->enforced = false;
    lua_pushcfunction(L, on_make);
    lua_pushlightuserdata(L, (void *)m);
    int status = lua_pcall(L, 1, 0, 0);
    b->enforced = enforced;
    if (status != 0)
        lua_error(L);
}

void api_methods(lua_State *L, const struct api_module *m)
{
    if (find(L, m))
        return;
    make(L, m);
    must(find(L, m));
}

void api_meta(lua_State *L, const struct api_module *m)
{
    if (find(L, &m->calls))
        return;
    lua_createtable(L, 0, 2);
    api_methods(L, m);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    keep(L, &m->calls);
}

int api_on_module(lua_State *L)
{
    const struct api_module *m = NULL;
    if (lua_type(L, 1) == LUA_TSTRING)
        m = api_module_find(lua_tostring(L, 1));
    if (!m || m->is_object)
        return 0;
    api_methods(L, m);
    return 1;
}

/* --- natives -------------------------------------------------------------- */

void api_open(lua_State *L)
{
    keep(L, &native_key);
}

void api_native(lua_State *L, const char *name)
{
    must(find(L, &native_key));
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

/* The start is on top. */
static void wrap_wait(lua_State *L, lua_CFunction finish)
{
    api_native(L, "waiting");
    lua_insert(L, -2);
    lua_pushcfunction(L, finish);
    lua_call(L, 2, 1);
}

void api_push_wait(lua_State *L, lua_CFunction start, lua_CFunction finish)
{
    lua_pushcfunction(L, start);
    wrap_wait(L, finish);
}

void api_waits(lua_State *L, const struct api_module *m, const char *name,
               lua_CFunction start, lua_CFunction finish)
{
    const struct api_call *c = api_find(m, name);
    must(c && (c->flags & API_WAITS) && !c->fn);
    lua_pushstring(L, name);
    push_gated(L, c, start);
    wrap_wait(L, finish);
    lua_rawset(L, -3);
}
