/* SPDX-License-Identifier: Apache-2.0 */
/* bind_kv.c - kv: what a script remembers for good.
 *
 * Each script has a space of its own, and shares others by name (kv.space).
 * set and del are effects: they count when the event's other effects do. A get
 * sees the writes of its own event first, else it waits for the store. add,
 * incr and update are swaps of their own, at once: "this value in place of
 * that", tried again with what is there instead (lua/calls.lua).
 *
 * Failure modes: nil, code, detail when the store does not answer; a value that
 * has no JSON form raises.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "script/api/calls.h"
#include "script/load/unit.h"

#define SPACE_BYTES 40

static const char delete_key = 0; /* its address: kv.DELETE */

/* --- arguments ------------------------------------------------------------ */

struct slice kv_key(lua_State *L, int idx, const char *what)
{
    return bind_text(L, idx, LIMIT_NAME_BYTES, what);
}

static bool is_space_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '-'))
            return false;
    }
    return name.len > 0 && name.len <= SPACE_BYTES;
}

struct slice kv_space(lua_State *L, int idx, struct arena *a,
                      const struct task *t)
{
    struct slice name = {"", 0};
    if (!lua_toboolean(L, idx))
        return slice_dup(a, t->version->name);
    if (lua_istable(L, idx)) {
        lua_pushliteral(L, "name");
        lua_rawget(L, idx);
        if (lua_type(L, -1) == LUA_TSTRING)
            name.at = lua_tolstring(L, -1, &name.len);
        lua_pop(L, 1); /* the table keeps it */
    }
    if (!is_space_name(name))
        bind_raise(L, "kv: call the methods of a space with a colon");
    char *text = arena_text(a, 7 + name.len);
    memcpy(text, "shared/", 7);
    memcpy(text + 7, name.at, name.len);
    return (struct slice){text, 7 + name.len};
}

/* --- what this event has written ------------------------------------------ */

static bool is_write(const struct effect *e)
{
    return e->type == EFFECT_KV_SET || e->type == EFFECT_KV_DEL;
}

/* The last write of this key in this job, or NULL. */
static const struct effect *written(const struct task *t, struct slice space,
                                    struct slice key)
{
    const struct effect *found = NULL;
    for (const struct effect *e = t->job->first; e; e = e->next)
        if (is_write(e) && slice_eq(e->unit, space) && slice_eq(e->name, key))
            found = e;
    return found;
}

/* --- get ------------------------------------------------------------------ */

static bool is_over(lua_State *L, const struct effect *e)
{
    return e->type == EFFECT_KV_DEL || (e->number && e->number <= bind_now(L));
}

/* at: where the key is; the space is before it, if there is one. */
static int get_start(lua_State *L, int at)
{
    struct task *t = bind_task(L, "kv.get");
    struct slice key = kv_key(L, at, "kv: the key");
    struct script_ask *ask = task_ask(t, ASK_KV_GET);
    if (at == 1) { /* false, key */
        lua_pushboolean(L, 0);
        lua_insert(L, 1);
    }
    ask->unit = kv_space(L, 1, ask->arena, t);
    ask->name = slice_dup(ask->arena, key);
    const struct effect *e = written(t, ask->unit, key);
    if (!e)
        return calls_waiting(L, t);
    lua_pushboolean(L, 0);
    if (is_over(L, e))
        lua_pushnil(L);
    else
        value_push_text(L, bind_arena(L), e->data, NULL);
    return 2;
}

static int kv_get_start(lua_State *L)
{
    return get_start(L, 1);
}

static int space_get_start(lua_State *L)
{
    return get_start(L, 2);
}

static int get_finish(lua_State *L)
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

/* --- set and del ---------------------------------------------------------- */

/* "7d" or { ttl = "7d" } or nothing -> when, 0 = never */
static int64_t expiry(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return 0;
    if (lua_istable(L, arg)) {
        lua_pushliteral(L, "ttl");
        lua_rawget(L, arg);
        lua_replace(L, arg);
        if (lua_isnil(L, arg))
            return 0;
    }
    return bind_now(L) + bind_duration(L, arg, "kv: ttl");
}

/* Stack: space, key ... */
static struct effect *write_effect(lua_State *L, struct task *t,
                                   enum effect_type type)
{
    struct slice key = kv_key(L, 2, "kv: the key");
    bind_room(L, t, type);
    struct effect *e = bind_effect(L, t, type);
    if (lua_toboolean(L, 1))
        e->unit = kv_space(L, 1, t->job->arena, t);
    e->name = bind_kept(t, key);
    return e;
}

/* Stack: space, key, value, ttl. A nil value deletes. */
static int set(lua_State *L)
{
    struct task *t = bind_task(L, "kv.set");
    lua_settop(L, 4);
    if (lua_isnil(L, 3)) {
        write_effect(L, t, EFFECT_KV_DEL);
        return 0;
    }
    bind_room(L, t, EFFECT_KV_SET);
    (void)kv_key(L, 2, "kv: the key"); /* raised before anything is copied */
    int64_t expires_at = expiry(L, 4);
    struct slice data = bind_json_of(L, 3, LIMIT_KV_VALUE, "kv.set");
    struct effect *e = write_effect(L, t, EFFECT_KV_SET);
    e->data = data;
    e->number = expires_at;
    return 0;
}

static int kv_set(lua_State *L)
{
    lua_pushboolean(L, 0);
    lua_insert(L, 1);
    return set(L);
}

static int space_set(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    return set(L);
}

static int kv_del(lua_State *L)
{
    lua_settop(L, 1);
    return kv_set(L);
}

static int space_del(lua_State *L)
{
    lua_settop(L, 2);
    return space_set(L);
}

/* --- swaps ---------------------------------------------------------------- */

/* raw text, its end, the value; or nil, code, detail */
static int push_there(lua_State *L, const struct script_ask *ask, bool none)
{
    if (none || !ask->data.len) {
        lua_pushliteral(L, "");
        lua_pushnumber(L, 0);
        lua_pushnil(L);
        return 3;
    }
    value_push_slice(L, ask->data);
    lua_pushnumber(L, (lua_Number)ask->number);
    value_push_text(L, bind_arena(L), ask->data, NULL);
    return 3;
}

/* Where nothing counts before the end, a swap would be undone by it. */
static void refuse_written(lua_State *L, struct task *t, struct slice space,
                           struct slice key)
{
    enum hook h = t->job->hook;
    if ((h == HOOK_INBOUND || h == HOOK_SEND || h == HOOK_FLOW) &&
        written(t, space, key))
        bind_raise(L,
                   "kv: this handler has set '%s' before; that counts at its "
                   "end, and would undo this",
                   key.at);
}

/* kv_there(space, key) */
static int there_start(lua_State *L)
{
    struct task *t = bind_task(L, "kv");
    struct slice key = kv_key(L, 2, "kv: the key");
    struct script_ask *ask = task_ask(t, ASK_KV_GET);
    ask->unit = kv_space(L, 1, ask->arena, t);
    ask->name = slice_dup(ask->arena, key);
    refuse_written(L, t, ask->unit, ask->name);
    return calls_waiting(L, t);
}

static int there_finish(lua_State *L)
{
    struct task *t = bind_task(L, "kv");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got < 0 && got != ERR_NOT_FOUND)
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    return push_there(L, ask, got == ERR_NOT_FOUND);
}

/* kv_swap(space, key, was, value | nil = delete, ttl | nil, expires): its end
 * is ttl from now, or expires. */
static int swap_start(lua_State *L)
{
    struct task *t = bind_task(L, "kv");
    const char *why;
    lua_settop(L, 6);
    struct slice key = kv_key(L, 2, "kv: the key");
    struct slice was = bind_slice(L, 3);
    int64_t expires_at =
        lua_isnil(L, 5) ? (int64_t)lua_tonumber(L, 6) : expiry(L, 5);
    struct script_ask *ask = task_ask(t, ASK_KV_SWAP);
    ask->unit = kv_space(L, 1, ask->arena, t);
    ask->name = slice_dup(ask->arena, key);
    ask->was = slice_dup(ask->arena, was);
    ask->number = expires_at;
    refuse_written(L, t, ask->unit, ask->name);
    if (!lua_isnil(L, 4)) {
        struct buf *out = bind_buf(L, LIMIT_KV_VALUE);
        if (value_write(L, 4, out, &why) < 0)
            bind_raise(L, "kv: %s", why);
        ask->data = slice_dup(ask->arena, buf_slice(out));
    }
    return calls_waiting(L, t);
}

/* true; or false and what is there; or nil, code, detail */
static int swap_finish(lua_State *L)
{
    struct task *t = bind_task(L, "kv");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    if (got == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (got != ERR_CONFLICT || !ask)
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    lua_pushboolean(L, 0);
    return 1 + push_there(L, ask, false);
}

/* --- keys ----------------------------------------------------------------- */

/* Stack: space, prefix, limit */
static int keys_ask(lua_State *L)
{
    struct task *t = bind_task(L, "kv.keys");
    struct slice prefix = {"", 0};
    lua_settop(L, 3);
    int64_t most = lua_isnil(L, 3) ? 100 : (int64_t)luaL_checknumber(L, 3);
    if (!lua_isnil(L, 2))
        prefix = bind_slice(L, 2);
    if (most < 1 || most > LIMIT_KV_KEYS)
        bind_raise(L, "kv.keys: the limit must be from 1 to %d", LIMIT_KV_KEYS);
    if (prefix.len > LIMIT_NAME_BYTES || !slice_is_utf8(prefix))
        bind_raise(L,
                   "kv.keys: the prefix must be UTF-8 text of at most %d "
                   "bytes",
                   LIMIT_NAME_BYTES);
    struct script_ask *ask = task_ask(t, ASK_KV_KEYS);
    ask->unit = kv_space(L, 1, ask->arena, t);
    ask->name = slice_dup(ask->arena, prefix);
    ask->number = most;
    return calls_waiting(L, t);
}

static int kv_keys_start(lua_State *L)
{
    lua_pushboolean(L, 0);
    lua_insert(L, 1);
    return keys_ask(L);
}

static int space_keys_start(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    return keys_ask(L);
}

/* --- spaces --------------------------------------------------------------- */

static int kv_named(lua_State *L)
{
    struct slice name = bind_slice(L, 1);
    if (!is_space_name(name))
        bind_raise(L, "kv.space: a name has 1 to %d of a-z, 0-9, _ and -",
                   SPACE_BYTES);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "name");
    api_meta(L, &space_module);
    lua_setmetatable(L, -2);
    return 1;
}

/* --- names ---------------------------------------------------------------- */

#define WAITS (API_LUA | API_WAITS)
#define GET_SIGN "(key: string): any|nil, string?, string?"
#define SET_SIGN "(key: string, value: any, ttl?: Duration)"
#define ADD_SIGN                                                               \
    "(key: string, value: any, ttl?: Duration): boolean|nil, string?, string?"
#define INCR_SIGN                                                              \
    "(key: string, n?: number, ttl?: Duration): number|nil, string?, string?"
#define UPDATE_SIGN                                                            \
    "(key: string, change: fun(old: any): any, ttl?: Duration): any, "         \
    "string?, string?"
#define KEYS_SIGN                                                              \
    "(prefix?: string, limit?: integer): string[]|nil, string?, string?"
#define ONCE_SIGN                                                              \
    "(key: string, ttl: Duration, make: fun(): any): any, string?, string?"

#define IN API_HANDLERS
static const struct api_call calls[] = {
    {"get", NULL, IN, WAITS, GET_SIGN,
     "The value of a key; nil if there is none or its time is over. Sees what "
     "this handler has set before. nil, code, detail if the store does not "
     "answer.\n\nlocal seen = kv.get(\"seen:\" .. msg.id)",
     "1"},
    {"set", kv_set, IN, 0, SET_SIGN,
     "Keeps a value (what has a JSON form, at most 64 KB), for good or for a "
     "time. Counts with the handler's other effects, not if it fails; nil "
     "deletes.\n\nkv.set(\"greeted\", true, \"1d\")",
     "1"},
    {"del", kv_del, IN, 0, "(key: string)", "Forgets a key, likewise.", "1"},
    {"add", NULL, IN, WAITS, ADD_SIGN,
     "Sets a key that does not exist: true. It does: false, and nothing "
     "changes. Counts at once."
     "\n\nif not kv.add(\"seen:\" .. msg.id, true, \"1d\") then return end",
     "1"},
    {"incr", NULL, IN, WAITS, INCR_SIGN,
     "Adds n (1) to a number (0 if there is none) and gives the sum. Counts at "
     "once, and exactly once however many do it. ttl: when the number begins; "
     "it keeps its end then."
     "\n\nif kv.incr(\"calls:\" .. conv.contact.id, 1, \"1h\") > 20 then "
     "return conv:close() end",
     "1"},
    {"update", NULL, IN, WAITS, UPDATE_SIGN,
     "Gives the value to a function and keeps what it returns, unless someone "
     "else was faster: then again, at most 10 times, after that nil, "
     "\"conflict\". nil changes nothing, kv.DELETE deletes. Counts at once. "
     "The function may run several times: it should do nothing else."
     "\n\nkv.update(\"cart\", function(cart)\n"
     "  cart = cart or {}\n"
     "  cart[#cart + 1] = item\n"
     "  return cart\n"
     "end)",
     "1"},
    {"keys", NULL, IN, WAITS, KEYS_SIGN,
     "The keys that begin so, sorted; 100 if no limit is said, at most 1,000. "
     "What this handler sets counts later.\n\nfor _, key in ipairs(kv.keys "
     "\"token:\") do kv.del(key) end",
     "1"},
    {"once", NULL, IN, WAITS, ONCE_SIGN,
     "The value of a key, or the one the function makes: called by one handler "
     "only, however many ask at the same time, on whatever thread; the others "
     "wait for it. Kept for ttl. A function that returns nil (or fails) keeps "
     "nothing, and what it returns is returned. One that takes over 30 s lets "
     "the next one try."
     "\n\nlocal token = kv.once(\"token\", \"7000s\", function()\n"
     "  local res, code, detail = http.get(url)\n"
     "  if not res then return nil, code, detail end\n"
     "  return res.json.access_token\n"
     "end)",
     "1"},
    {"space", kv_named, API_ANYWHERE, 0, "(name: string): Space",
     "A space that scripts share, by name; its methods are called with a colon."
     "\n\nlocal orders = kv.space \"orders\"\norders:set(id, \"paid\")",
     "1"},
    {"DELETE", NULL, API_ANYWHERE, API_FIELD, "lightuserdata",
     "What the function of kv.update returns to delete the key.", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&delete_key);
    lua_setfield(L, -2, "DELETE");
    api_waits(L, &kv_module, "get", kv_get_start, get_finish);
    api_waits(L, &kv_module, "keys", kv_keys_start, get_finish);
    calls_push(L);
    calls_wait(L, "kv_there", there_start, there_finish);
    calls_wait(L, "kv_swap", swap_start, swap_finish);
    calls_once(L);
    calls_gates(L, &kv_module);
    calls_gates(L, &space_module);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    api_methods(L, &space_module);
    calls_run(L, "kv", 2);
}

/* What is written in Lua comes from fill: spaces are made by kv.space. */
static void fill_space(lua_State *L)
{
    api_waits(L, &space_module, "get", space_get_start, get_finish);
    api_waits(L, &space_module, "keys", space_keys_start, get_finish);
}

const struct api_module kv_module = {
    .name = "kv",
    .doc = "What a script remembers for good: values by key, in a space of its "
           "own that lasts over reloads and restarts. A key is UTF-8 text of "
           "at most 200 bytes.",
    .calls = calls,
    .fill = fill};

#define METHOD (API_METHOD)
static const struct api_call space_calls[] = {
    {"name", NULL, API_ANYWHERE, API_FIELD, "string", "Its name.", "1"},
    {"get", NULL, IN, WAITS | METHOD, GET_SIGN, "kv.get in this space.", "1"},
    {"set", space_set, IN, METHOD, SET_SIGN, "kv.set in this space.", "1"},
    {"del", space_del, IN, METHOD, "(key: string)", "kv.del in this space.",
     "1"},
    {"add", NULL, IN, WAITS | METHOD, ADD_SIGN, "kv.add in this space.", "1"},
    {"incr", NULL, IN, WAITS | METHOD, INCR_SIGN, "kv.incr in this space.",
     "1"},
    {"update", NULL, IN, WAITS | METHOD, UPDATE_SIGN,
     "kv.update in this space.", "1"},
    {"keys", NULL, IN, WAITS | METHOD, KEYS_SIGN, "kv.keys in this space.",
     "1"},
    {"once", NULL, IN, WAITS | METHOD, ONCE_SIGN, "kv.once in this space.",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module space_module = {
    .name = "Space",
    .doc = "Values that scripts share; made by kv.space. All of kv's calls, "
           "with a colon.",
    .calls = space_calls,
    .is_object = true,
    .fill = fill_space};
