/* SPDX-License-Identifier: Apache-2.0 */
/* bind_cache.c - cache.new: a bounded memory of what is costly to get.
 *
 * Happy path: made at the top of a file (so their number and size are known
 * when it is loaded), taken from the worker when first used. Values are kept as
 * JSON bytes outside of Lua. Failure modes: what does not fit is not kept, a
 * get then gives nil: a cache promises nothing.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "script/api/caches.h"
#include "script/api/calls.h"
#include "script/load/unit.h"
#include "script/run/worker.h"
#include <stdio.h>

#define NAME_BYTES 40
#define ENTRIES 1000
#define BYTES (1024 * 1024)
#define BOX_MAGIC 0x63616368u

static const char sum_key = 0; /* bytes this file's caches may have */
static const char count_key = 0;

struct box {
    unsigned magic;
    size_t entries, bytes;
    int64_t ttl_ms; /* 0 = for good */
    char name[NAME_BYTES + 1];
    struct kept *kept; /* NULL until it is used */
    struct caches *caches;
    uint64_t id; /* for an unnamed one's key of once */
};

/* --- making --------------------------------------------------------------- */

static int on_gc(lua_State *L)
{
    struct box *box = lua_touserdata(L, 1);
    must_be(box, BOX_MAGIC);
    if (box->kept)
        caches_drop(box->caches, box->kept, clock_mono_us() / 1000);
    box->kept = NULL;
    return 0;
}

static lua_Number add_up(lua_State *L, const char *key, size_t n)
{
    lua_pushlightuserdata(L, (void *)key);
    lua_pushlightuserdata(L, (void *)key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    lua_Number sum = lua_tonumber(L, -1) + (lua_Number)n;
    lua_pop(L, 1);
    lua_pushnumber(L, sum);
    lua_rawset(L, LUA_REGISTRYINDEX);
    return sum;
}

static bool push_field(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, 1);
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

static void check_fields(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        struct slice name = {"?", 1};
        if (lua_type(L, -2) == LUA_TSTRING)
            name.at = lua_tolstring(L, -2, &name.len);
        if (!slice_is(name, "name") && !slice_is(name, "size") &&
            !slice_is(name, "bytes") && !slice_is(name, "ttl"))
            bind_raise(L,
                       "cache.new: unknown field '%s' (known are name, size, "
                       "bytes, ttl)",
                       name.at);
    }
}

static void read_name(lua_State *L, struct box *box)
{
    if (!push_field(L, "name"))
        return;
    struct slice name = bind_slice(L, -1);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '-'))
            name.len = NAME_BYTES + 1;
    }
    if (name.len == 0 || name.len > NAME_BYTES)
        bind_raise(L, "cache.new: a name has 1 to %d of a-z, 0-9, _ and -",
                   NAME_BYTES);
    snprintf(box->name, sizeof box->name, "%.*s", SLICE_FMT(name));
    lua_pop(L, 1);
}

static int on_new(lua_State *L)
{
    struct box box = {.magic = BOX_MAGIC, .entries = ENTRIES, .bytes = BYTES};
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    check_fields(L);
    read_name(L, &box);
    if (push_field(L, "size")) {
        double n = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        if (n < 1 || n > LIMIT_CACHE_ENTRIES)
            bind_raise(L, "cache.new: size must be from 1 to %d",
                       LIMIT_CACHE_ENTRIES);
        box.entries = (size_t)n;
    }
    if (push_field(L, "bytes"))
        box.bytes =
            (size_t)calls_size(L, -1, LIMIT_CACHE_BYTES, "cache.new: bytes");
    if (push_field(L, "ttl"))
        box.ttl_ms = bind_duration(L, -1, "cache.new: ttl");
    if (add_up(L, &sum_key, box.bytes) > LIMIT_CACHE_BYTES)
        bind_raise(L, "cache.new: the caches of a script may have 16 MB "
                      "together");
    if (add_up(L, &count_key, 1) > LIMIT_CACHES)
        bind_raise(L, "cache.new: a script may have %d caches", LIMIT_CACHES);
    box.id = id_new();
    *(struct box *)lua_newuserdata(L, sizeof box) = box;
    api_meta(L, &cache_object_module);
    lua_pushcfunction(L, on_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return 1;
}

/* --- using ---------------------------------------------------------------- */

static struct box *to_box(lua_State *L)
{
    struct box *box = lua_touserdata(L, 1);
    bool ok = box && lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1);
    if (ok) {
        api_meta(L, &cache_object_module);
        ok = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    if (!ok)
        bind_raise(L, "call the methods of a cache with a colon");
    must_be(box, BOX_MAGIC);
    return box;
}

static struct box *open_box(lua_State *L)
{
    struct box *box = to_box(L);
    struct task *t = bind_task(L, "a cache");
    struct worker *w = t->worker;
    if (box->kept)
        return box;
    box->caches = w->caches;
    box->kept = caches_take(w->caches, t->version->name, slice_of(box->name),
                            box->entries, box->bytes, clock_mono_us() / 1000);
    return box;
}

static int on_get(lua_State *L)
{
    struct box *box = open_box(L);
    struct slice value, key = kv_key(L, 2, "cache: the key");
    struct arena *a = bind_arena(L);
    if (!kept_get(box->kept, key, bind_now(L), a, &value)) {
        lua_pushnil(L);
        return 1;
    }
    value_push_text(L, a, value, NULL);
    return 1;
}

static int on_set(lua_State *L)
{
    const char *why;
    lua_settop(L, 4);
    struct box *box = open_box(L);
    struct slice key = kv_key(L, 2, "cache: the key");
    int64_t ttl =
        lua_isnil(L, 4) ? box->ttl_ms : bind_duration(L, 4, "cache: ttl");
    struct slice value = {NULL, 0};
    if (!lua_isnil(L, 3)) {
        struct buf *out = bind_buf(L, LIMIT_BODY_BYTES);
        if (value_write(L, 3, out, &why) < 0)
            bind_raise(L, "cache: %s", why);
        value = buf_slice(out);
    }
    kept_put(box->kept, key, value, ttl ? bind_now(L) + ttl : 0);
    return 0;
}

static int on_del(lua_State *L)
{
    struct box *box = open_box(L);
    kept_put(box->kept, kv_key(L, 2, "cache: the key"), (struct slice){NULL, 0},
             0);
    return 0;
}

static int on_clear(lua_State *L)
{
    kept_clear(open_box(L)->kept);
    return 0;
}

static void push_count(lua_State *L, const char *name, lua_Number n)
{
    lua_pushnumber(L, n);
    lua_setfield(L, -2, name);
}

static int on_stats(lua_State *L)
{
    struct cache_stats s = kept_stats(open_box(L)->kept);
    lua_Number looks = (lua_Number)(s.hits + s.misses);
    lua_createtable(L, 0, 6);
    push_count(L, "hits", (lua_Number)s.hits);
    push_count(L, "misses", (lua_Number)s.misses);
    push_count(L, "ratio", looks > 0 ? (lua_Number)s.hits / looks : 0);
    push_count(L, "entries", (lua_Number)s.entries);
    push_count(L, "bytes", (lua_Number)s.bytes);
    push_count(L, "evictions", (lua_Number)s.evictions);
    return 1;
}

/* cache_key(cache, key) -> its name with the roof, for once */
static int on_key(lua_State *L)
{
    const struct box *box = to_box(L);
    struct slice key = kv_key(L, 2, "cache: the key");
    struct buf *out = bind_buf(L, 2 * LIMIT_NAME_BYTES);
    int got = box->name[0]
                  ? buf_addf(out, "cache:%s:", box->name)
                  : buf_addf(out, "cache:#%llu:", (unsigned long long)box->id);
    got |= buf_add_slice(out, key);
    must(got == 0);
    value_push_slice(L, buf_slice(out));
    return 1;
}

/* --- names ---------------------------------------------------------------- */

static const struct api_call calls[] = {
    {"new", on_new, API_LOAD, 0,
     "(options?: { name?: string, size?: integer, bytes?: integer|string, "
     "ttl?: Duration }): Cache",
     "Makes a cache, at the top of a file: of `size` values (1000) and `bytes` "
     "(\"1MB\"), which are gone after `ttl` (never). One with a name keeps "
     "what "
     "it has when the file is reloaded. All caches of a script have 16 MB "
     "together."
     "\n\nlocal prices = cache.new { name = \"prices\", size = 5000, ttl = "
     "\"10m\" }",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module cache_module = {
    .name = "cache",
    .doc = "A bounded memory of what is costly to get. What is used often "
           "stays (W-TinyLFU); what is in it may be gone at any time, and is "
           "after a restart.",
    .calls = calls};

#define METHOD(name, fn, flags, signature, doc)                                \
    {                                                                          \
        name, fn, API_HANDLERS, (flags) | API_METHOD, signature, doc, "1"      \
    }
static const struct api_call methods[] = {
    METHOD("get", on_get, API_VARIES, "(key: string): any",
           "The value, or nil.\n\nlocal price = prices:get(id)"),
    METHOD("set", on_set, 0, "(key: string, value: any, ttl?: Duration)",
           "Keeps what has a JSON form; nil deletes.\n\nprices:set(id, 7.5)"),
    METHOD("del", on_del, 0, "(key: string)", "Forgets a value."),
    METHOD("clear", on_clear, 0, "()", "Forgets all."),
    METHOD("once", NULL, API_LUA | API_WAITS,
           "(key: string, make: fun(): any): any, string?, string?",
           "The value, or the one the function makes and that is kept from "
           "then on. Called by one handler only, however many ask at the same "
           "time. What returns nil is not kept, and returned."
           "\n\nlocal price = prices:once(id, function()\n"
           "  local res = http.get(url .. id)\n"
           "  return res and res.ok and res.json.price or nil\n"
           "end)"),
    METHOD("stats", on_stats, API_VARIES,
           "(): { hits: integer, misses: integer, ratio: number, entries: "
           "integer, bytes: integer, evictions: integer }",
           "What it has and how well it does."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
/* once is the same as kv's. */
static void fill(lua_State *L)
{
    api_methods(L, &kv_module);
    lua_pop(L, 1);
    calls_push(L);
    calls_native(L, "cache_key", on_key);
    calls_gates(L, &cache_object_module);
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    calls_run(L, "cache", 1);
}

const struct api_module cache_object_module = {
    .name = "Cache",
    .doc = "A bounded memory; made by cache.new.",
    .calls = methods,
    .is_object = true,
    .fill = fill};
