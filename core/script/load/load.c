/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - a candidate: compile, run its top level, check what it returned.
 *
 * Happy path: about 0.2 ms, most of it the fresh state. Failure modes: no such
 * file, a syntax error, an error or a kill at the top level, a table that is
 * not what a rule must be: the candidate is closed and the trouble is told as
 * "file:line: message". The table is read raw: its metatables are not asked.
 */
#include "script/load/load.h"
#include "base/crypto.h"
#include "script/api/bind.h"
#include "script/api/bind_test.h"
#include "script/load/adapter.h"
#include "script/load/connector.h"
#include "script/load/fields.h"
#include "script/load/files.h"
#include "script/load/kit.h"
#include "script/load/period.h"
#include "script/load/shelf.h"
#include "script/run/hops.h"
#include "script/run/sandbox.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUCH_BYTES (512 * 1024) /* a usual one needs a quarter of it */
#define TROUBLE_BYTES 8192

void loader_init(struct loader *l, read_source_fn read, void *arg,
                 size_t memory_bytes)
{
    *l =
        (struct loader){.read = read, .arg = arg, .memory_bytes = memory_bytes};
    buf_init(&l->trouble, TROUBLE_BYTES);
    l->arena = arena_new();
}

static void libs_drop(struct loader *l)
{
    for (struct source *s = l->libs; s; s = s->next)
        leaf_unref(s->leaf);
    l->libs = l->libs_last = NULL;
}

void loader_fini(struct loader *l)
{
    libs_drop(l);
    buf_fini(&l->trouble);
    arena_free(l->arena);
}

static bool trouble(struct loader *l, struct slice text)
{
    buf_clear(&l->trouble);
    if (text.len > TROUBLE_BYTES)
        text.len = TROUBLE_BYTES;
    must(buf_add_slice(&l->trouble, text) == 0);
    return false;
}

/* --- the table ------------------------------------------------------------ */

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (c >= '0' && c <= '9');
}

static bool is_assignment(struct slice s, size_t i, size_t len)
{
    if (i > 0 && is_word(s.at[i - 1]))
        return false;
    for (i += len; i < s.len && (s.at[i] == ' ' || s.at[i] == '\t'); i++)
        ;
    return i + 1 < s.len && s.at[i] == '=' && s.at[i + 1] != '=';
}

/* The line where `field =` stands in the source; 1 if nowhere. */
static int line_of(struct slice s, const char *field)
{
    size_t len = strlen(field);
    int line = 1;
    for (size_t i = 0; len && i + len <= s.len; i++) {
        if (s.at[i] == '\n')
            line++;
        if (memcmp(s.at + i, field, len) == 0 && is_assignment(s, i, len))
            return line;
    }
    return 1;
}

static bool wrong(struct loader *l, const char *field, const char *why)
{
    struct version *v = l->version;
    char text[600];
    int n = snprintf(text, sizeof text, "%.*s:%d: %s", SLICE_FMT(v->file),
                     line_of(v->sources->text, field), why);
    return trouble(l, (struct slice){text, (size_t)n < sizeof text
                                               ? (size_t)n
                                               : sizeof text - 1});
}

/* The field's value is on top of the stack in all of these. */
static bool read_priority(struct loader *l)
{
    lua_Number n = lua_tonumber(l->version->L, -1);
    if (lua_type(l->version->L, -1) != LUA_TNUMBER || !(n > -1e6 && n < 1e6) ||
        n != (int32_t)n)
        return wrong(l, "priority", "priority must be a whole number");
    l->version->priority = (int32_t)n;
    return true;
}

static bool read_match(struct loader *l)
{
    struct err e;
    struct version *v = l->version;
    if (match_read(v->L, v->arena, &v->match, &e) == 0)
        return true;
    return wrong(l, e.field, e.text);
}

/* An adapter has functions of its own, and of the others' fields the limits. */
static bool read_adapter(struct loader *l, const char *name)
{
    struct err e;
    struct version *v = l->version;
    int got = adapter_field(v, name, &e);
    if (got == 0 && strcmp(name, "limits") == 0)
        got = field_read(v, name, &e);
    if (got == 0)
        return wrong(l, name,
                     "unknown field (known are api, title, schema, "
                     "capabilities, limits, receive, poll, send, check)");
    return got > 0 || wrong(l, e.field, e.text);
}

/* So has a connector, or a tool. */
static bool read_connector(struct loader *l, const char *name)
{
    struct err e;
    struct version *v = l->version;
    int got = connector_field(v, name, &e);
    if (got == 0 && strcmp(name, "limits") == 0)
        got = field_read(v, name, &e);
    if (got == 0)
        return wrong(l, name, connector_known(v));
    return got > 0 || wrong(l, e.field, e.text);
}

static bool read_field(struct loader *l, const char *name)
{
    struct err e;
    if (adapter_is(l->version) && strcmp(name, "api") != 0)
        return read_adapter(l, name);
    if (connector_is(l->version) && strcmp(name, "api") != 0)
        return read_connector(l, name);
    int got = field_read(l->version, name, &e);
    if (got == 0)
        got = period_read(l->version, name, &e);
    if (got != 0)
        return got > 0 || wrong(l, e.field, e.text);
    if (strcmp(name, "priority") == 0)
        return read_priority(l);
    if (strcmp(name, "match") == 0)
        return read_match(l);
    if (strcmp(name, "api") == 0)
        return lua_tonumber(l->version->L, -1) == 1 ||
               wrong(l, "api", "this house knows api = 1 only");
    char why[500];
    snprintf(why, sizeof why,
             "unknown field '%.60s' (known are api, priority, match, "
             "every, cron, zone, " FIELD_NAMES ")",
             name);
    return wrong(l, name, why);
}

static bool check_whole(struct loader *l, bool has_api)
{
    struct version *v = l->version;
    struct err e;
    if (!has_api)
        return wrong(l, "return", "the table must say api = 1");
    if (adapter_is(v))
        return adapter_check(v, &e) == 0 || wrong(l, e.field, e.text);
    if (connector_is(v))
        return connector_check(v, &e) == 0 || wrong(l, e.field, e.text);
    if (!v->hooks)
        return wrong(l, "return",
                     "a rule needs a hook: on_message, on_timer, ...");
    if (fields_check(v, &e) < 0 || period_check(v, &e) < 0)
        return wrong(l, e.field, e.text);
    return true;
}

/* The returned value is on top of the stack. */
static bool check_table(struct loader *l)
{
    lua_State *L = l->version->L;
    bool has_api = false;
    if (!lua_istable(L, -1))
        return wrong(l, "return", "the file must return a table");
    int table = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, table); lua_settop(L, table + 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            return wrong(l, "return", "the table must have named fields only");
        const char *name = lua_tostring(L, -2);
        if (!read_field(l, name))
            return false;
        has_api |= strcmp(name, "api") == 0;
    }
    return check_whole(l, has_api);
}

/* --- sources -------------------------------------------------------------- */

/* What people know the file by. */
static struct slice file_of(const struct loader *l, struct arena *a,
                            struct slice name)
{
    char path[UNIT_NAME + 64];
    files_below(l->home, name, path, sizeof path);
    return slice_dup(a, slice_of(path));
}

/* Leaves the chunk on the stack, or a sentence (false). */
static bool compile(lua_State *L, struct arena *a, const struct source *s,
                    struct slice file)
{
    size_t max = file.len + 2;
    char *name = arena_text(a, max);
    snprintf(name, max, "@%s", file.at);
    int status = s->leaf
                     ? leaf_push(L, s->leaf, name)
                     : luaL_loadbufferx(L, s->text.at, s->text.len, name, "t");
    if (status != 0)
        return false;
    sandbox_push(L);
    lua_setfenv(L, -2);
    return true;
}

static struct source *lib_known(struct loader *l, struct slice name)
{
    for (struct source *s = l->libs; s; s = s->next)
        if (slice_eq(s->name, name))
            return s;
    struct source *s = arena_one(l->arena, struct source);
    s->name = slice_dup(l->arena, name);
    if (l->libs_last)
        l->libs_last->next = s;
    else
        l->libs = s;
    l->libs_last = s;
    return s;
}

/* A part beside an adapter or a connector, for those of its folder. */
static bool is_part(const struct loader *l, struct slice name)
{
    struct slice mine = l->version->name;
    if (slice_starts(name, "channels.") && name.len > 9)
        return memchr(name.at + 9, '.', name.len - 9) &&
               slice_starts(mine, "channels/");
    return slice_starts(name, "ai.") && name.len > 3 &&
           slice_starts(mine, "ai/") &&
           (memchr(name.at + 3, '.', name.len - 3) ||
            slice_is(name, "ai.guard"));
}

static bool is_kit(const struct loader *l, struct slice name)
{
    return l->is_test && slice_starts(name, KIT_FOLDER ".");
}

/* "lib.words.refund" -> "lib/words/refund" in out; for adapters also
 * "channels.post.words", a part beside one; for tests "tests.kit"; false: not
 * a lib's name. */
static bool lib_path(const struct loader *l, struct slice name, char *out,
                     size_t max)
{
    if (!(is_part(l, name) || is_kit(l, name) || slice_starts(name, "lib.")) ||
        name.len >= max)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool dot = c == '.';
        if (!is_word(c) && c != '-' && !dot)
            return false;
        if (dot && (i + 1 == name.len || name.at[i + 1] == '.'))
            return false;
        out[i] = dot ? '/' : c;
    }
    out[name.len] = '\0';
    return true;
}

/* Its text, and what people know the file by. */
static int find_lib(struct loader *l, const struct source *s, struct arena *a,
                    struct slice *text, struct slice *file, struct err *e)
{
    if (l->is_test && kit_is(s->name))
        return kit_read(l->home ? l->home : ".", l->file, s->name, a, text,
                        file, e);
    return l->read(l->arg, s->name, a, text, e);
}

static int read_lib(struct loader *l, struct source *s, struct slice *file,
                    struct err *e)
{
    struct slice text;
    int got = 0;
    leaf_unref(s->leaf);
    *file = file_of(l, l->arena, s->name);
    s->leaf = shelf_find(l->shelf, s->name);
    if (!s->leaf) {
        struct arena *a = arena_new();
        got = find_lib(l, s, a, &text, file, e);
        if (got >= 0)
            s->leaf = shelf_put(l->shelf, s->name, text);
        *file = slice_dup(l->arena, *file);
        arena_free(a);
    }
    s->text = s->leaf ? s->leaf->text : SLICE("");
    return got;
}

static int refuse_name(const struct loader *l, lua_State *L, struct slice name)
{
    if (!l->is_test && slice_starts(name, KIT_FOLDER "."))
        lua_pushfstring(L, "require '%s': only a *_test.lua has kits", name.at);
    else
        lua_pushfstring(L,
                        "require '%s': it must be one of agents http json "
                        "kv log time, or \"lib.name\" for "
                        "scripts/lib/name.lua%s",
                        name.at,
                        l->is_test ? ", or \"tests.name\" for tests/name.lua "
                                     "beside the test or above it"
                                   : "");
    return 2;
}

int loader_require(struct loader *l, lua_State *L, struct slice name)
{
    char path[UNIT_NAME];
    struct slice file;
    struct err e = {0};
    lua_pushnil(L);
    if (!lib_path(l, name, path, sizeof path))
        return refuse_name(l, L, name);
    struct source *s = lib_known(l, slice_of(path));
    if (read_lib(l, s, &file, &e) < 0) {
        lua_pushfstring(L, "require '%s': %s", name.at, e.text);
        return 2;
    }
    return compile(L, l->arena, s, file) ? 1 : 2;
}

/* --- the version ---------------------------------------------------------- */

static int32_t number_in(struct slice name)
{
    const char *base = memrchr(name.at, '/', name.len);
    base = base ? base + 1 : name.at;
    if (*base < '0' || *base > '9')
        return 50;
    return (int32_t)strtol(base, NULL, 10) % 1000000;
}

static struct version *version_new(const struct loader *l, struct slice name)
{
    struct version *v = mem_alloc(sizeof *v);
    v->magic = VERSION_MAGIC;
    atomic_init(&v->refs, 1);
    v->arena = arena_new();
    v->name = slice_dup(v->arena, name);
    v->file = file_of(l, v->arena, name);
    v->priority = number_in(v->name);
    list_init(&v->tasks);
    list_init(&v->idle);
    list_init(&v->touched);
    for (int h = 0; h < HOOK_COUNT; h++)
        v->hook[h] = LUA_NOREF;
    return v;
}

static void keep_sources(struct loader *l, struct version *v)
{
    struct source *last = v->sources;
    for (struct source *s = l->libs; s; s = s->next) {
        struct source *copy = arena_one(v->arena, struct source);
        copy->name = slice_dup(v->arena, s->name);
        copy->text = s->text;
        copy->leaf = s->leaf; /* and its ref */
        s->leaf = NULL;
        last->next = copy;
        last = copy;
    }
    source_hash(v->sources, v->text);
    hops_head(v);
}

void source_hash(const struct source *first, char out[VERSION_TEXT])
{
    struct buf hex;
    unsigned char sum[SHA256_BYTES], all[SHA256_BYTES * 2] = {0};
    for (const struct source *s = first; s; s = s->next) {
        sha256_of(s->name, sum);
        memcpy(all + SHA256_BYTES, sum, sizeof sum);
        sha256_of((struct slice){(char *)all, sizeof all}, sum);
        memcpy(all, sum, sizeof sum);
        if (!s->leaf)
            sha256_of(s->text, sum);
        memcpy(all + SHA256_BYTES, s->leaf ? s->leaf->sum : sum, sizeof sum);
        sha256_of((struct slice){(char *)all, sizeof all}, sum);
        memcpy(all, sum, sizeof sum);
    }
    buf_init(&hex, 64);
    must(hex_add(&hex, all, 6) == 0);
    memcpy(out, hex.data, hex.len);
    out[hex.len] = '\0';
    buf_fini(&hex);
}

static bool raised(struct loader *l)
{
    lua_State *L = l->version->L;
    struct slice text = SLICE("the error is not a text");
    if (lua_type(L, -1) == LUA_TSTRING)
        text.at = lua_tolstring(L, -1, &text.len);
    return trouble(l, text);
}

/* conv:is_open_hours() asks scripts/lib/hours.lua, which is then a lib of this
 * file as if it had required it. */
static bool load_hours(struct loader *l)
{
    static const char name[] = "is_open_hours";
    static const char chunk[] = "require 'lib.hours'";
    struct version *v = l->version;
    struct slice text = v->sources->text;
    bool killed;
    if (!text.len || !memmem(text.at, text.len, name, sizeof name - 1))
        return true;
    must(luaL_loadbufferx(v->L, chunk, sizeof chunk - 1, "=hours", "t") == 0);
    sandbox_push(v->L);
    lua_setfenv(v->L, -2);
    if (budget_pcall(v->L, 0, 0, LIMIT_SCRIPT_LOAD_MS, &killed) == 0)
        return true;
    return raised(l);
}

/* A connector has ai/guard.lua as a part, if there is one: what it asks and
 * answers goes through that. A guard that cannot be loaded refuses the
 * connector, so that nothing goes out unguarded. */
static bool load_guard(struct loader *l)
{
    static const char chunk[] = "return require 'ai.guard'";
    struct version *v = l->version;
    struct slice text;
    struct err e = {0};
    bool killed;
    v->guard = LUA_NOREF;
    if (!connector_is_one(v))
        return true;
    struct source *s = lib_known(l, SLICE("ai/guard")); /* once it is there */
    s->text = SLICE("");
    int got = l->read(l->arg, s->name, l->arena, &text, &e);
    if (got == ERR_NOT_FOUND || (got == 0 && !text.len))
        return true;
    must(luaL_loadbufferx(v->L, chunk, sizeof chunk - 1, "=guard", "t") == 0);
    sandbox_push(v->L);
    lua_setfenv(v->L, -2);
    if (budget_pcall(v->L, 0, 1, LIMIT_SCRIPT_LOAD_MS, &killed) != 0)
        return raised(l);
    if (!lua_istable(v->L, -1))
        return trouble(l, SLICE("ai/guard.lua must return a table"));
    v->guard = luaL_ref(v->L, LUA_REGISTRYINDEX);
    return true;
}

/* Runs the top level; its value is on top of the stack then. */
static bool run_top(struct loader *l)
{
    struct version *v = l->version;
    bool killed;
    if (!load_hours(l) || !load_guard(l))
        return false;
    if (compile(v->L, v->arena, v->sources, v->file) &&
        budget_pcall(v->L, 0, 1, LIMIT_SCRIPT_LOAD_MS, &killed) == 0)
        return true;
    return raised(l);
}

/* A test file has told what it has to tell while it ran. */
static bool check_result(struct loader *l)
{
    struct version *v = l->version;
    if (!l->is_test)
        return check_table(l);
    v->hook[HOOK_TIMER] = bind_test_handler(v->L);
    v->hooks |= 1u << HOOK_TIMER;
    return true;
}

static bool load(struct loader *l)
{
    struct version *v = l->version;
    struct err e = {0};
    v->sources = arena_one(v->arena, struct source);
    v->sources->name = v->name;
    if (l->read(l->arg, v->name, v->arena, &v->sources->text, &e) < 0) {
        v->sources->text = SLICE("");
        return wrong(l, "", e.text);
    }
    bool model =
        slice_starts(v->name, "ai/") && !slice_starts(v->name, "ai/tools/");
    limits_init(&v->limits,
                l->memory_bytes * (model ? LIMIT_CONNECTOR_TIMES : 1));
    v->L = sandbox_new(&v->budget, (size_t)v->limits.memory);
    lua_gc(v->L, LUA_GCSTOP, 0); /* nothing of it is garbage */
    sandbox_open(v->L);
    lua_gc(v->L, LUA_GCRESTART, 0);
    if (l->is_test)
        bind_test_open(v->L);
    v->loader = l;
    bool ok = run_top(l) && check_result(l);
    v->loader = NULL;
    if (!ok)
        return false;
    keep_sources(l, v);
    lua_settop(v->L, 0);
    if (v->budget.used > MUCH_BYTES)
        lua_gc(v->L, LUA_GCCOLLECT, 0); /* what loading left behind */
    return true;
}

struct version *load_version(struct loader *l, struct slice name)
{
    struct version *v = version_new(l, name);
    if (l->file)
        v->file = slice_dup(v->arena, slice_of(l->file));
    l->version = v;
    libs_drop(l);
    buf_clear(&l->trouble);
    if (load(l))
        return v;
    version_close(v);
    return NULL;
}
