/* SPDX-License-Identifier: Apache-2.0 */
/* bind_kv.c - kv.get, kv.set, kv.del: what a script remembers for good.
 *
 * Each script has a space of its own. Writes are effects: they count when the
 * event's other effects do. A get sees the writes of its own event first, else
 * it waits for the store. Failure modes: nil, code, detail when the store
 * does not answer; a value that has no JSON form raises.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "script/bind.h"
#include "script/unit.h"

static struct slice key_of(lua_State *L)
{
    return bind_text(L, 1, LIMIT_NAME_BYTES, "kv: the key");
}

/* The last write of this key in this job, or NULL. */
static const struct effect *written(const struct task *t, struct slice key)
{
    const struct effect *found = NULL;
    for (const struct effect *e = t->job->first; e; e = e->next)
        if ((e->type == EFFECT_KV_SET || e->type == EFFECT_KV_DEL) &&
            slice_eq(e->unit, t->version->name) && slice_eq(e->name, key))
            found = e;
    return found;
}

/* -> true (wait), or false and the results */
static int kv_start(lua_State *L)
{
    struct task *t = bind_task(L, "kv.get");
    struct slice key = key_of(L);
    const struct effect *e = written(t, key);
    if (!e) {
        struct script_ask *ask = task_ask(t, ASK_KV_GET);
        ask->name = slice_dup(ask->arena, key);
        int got = task_wait_ask(t);
        lua_pushboolean(L, got == 0);
        return got == 0 ? 1 : 1 + bind_trouble_of(L, got, "");
    }
    lua_pushboolean(L, 0);
    if (e->type == EFFECT_KV_DEL)
        lua_pushnil(L);
    else
        value_push_text(L, bind_arena(L), e->data, NULL);
    return 2;
}

static int kv_finish(lua_State *L)
{
    struct task *t = bind_task(L, "kv.get");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got == ERR_NOT_FOUND) {
        lua_pushnil(L);
        return 1;
    }
    if (got < 0)
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    value_push_text(L, ask->arena, ask->data, NULL);
    return 1;
}

/* "7d" or { ttl = "7d" } or nothing */
static int64_t expiry(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return 0;
    if (lua_istable(L, arg)) {
        lua_getfield(L, arg, "ttl");
        lua_replace(L, arg);
    }
    return bind_now(L) + bind_duration(L, arg, "kv.set: ttl");
}

static struct effect *write_effect(lua_State *L, struct task *t,
                                   enum effect_type type, struct slice key)
{
    struct effect *e = bind_effect(L, t, type);
    e->name = bind_kept(t, key);
    return e;
}

static int kv_del(lua_State *L)
{
    struct task *t = bind_task(L, "kv.del");
    write_effect(L, t, EFFECT_KV_DEL, key_of(L));
    return 0;
}

/* kv.set(key, value, ttl); a nil value deletes */
static int kv_set(lua_State *L)
{
    struct task *t = bind_task(L, "kv.set");
    lua_settop(L, 3);
    if (lua_isnil(L, 2))
        return kv_del(L);
    bind_room(L, t, EFFECT_KV_SET);
    struct slice key = key_of(L);
    int64_t expires_at = expiry(L, 3);
    struct slice data = bind_json_of(L, 2, LIMIT_KV_VALUE, "kv.set");
    struct effect *e = write_effect(L, t, EFFECT_KV_SET, key);
    e->data = data;
    e->number = expires_at;
    return 0;
}

void bind_kv(lua_State *L)
{
    static const luaL_Reg list[] = {
        {"set", kv_set}, {"del", kv_del}, {NULL, NULL}};
    bind_module(L, lua_gettop(L) - 1, "kv", list);
    lua_pushcfunction(L, kv_start);
    lua_setfield(L, -2, "kv_start");
    lua_pushcfunction(L, kv_finish);
    lua_setfield(L, -2, "kv_finish");
}
