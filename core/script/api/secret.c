/* SPDX-License-Identifier: Apache-2.0 */
/* secret.c - sets of secrets, and what a secret is in Lua.
 *
 * Happy path: a userdata whose environment is a list of parts: "t", text or
 * "n", name; one part is read in place, several are joined and the text is
 * kept at index 0, where no script can look. Failure modes: a name that is not
 * in the set, a secret read while the file is loaded: a sentence.
 */
#include "script/api/secret.h"
#include "base/json.h"
#include "base/log.h"
#include "script/api/bind.h"
#include "script/api/modules.h"
#include "script/inside.h"
#include "script/load/unit.h"
#include <stdlib.h>

struct secrets {
    struct secrets *before;
    struct arena *arena;
    struct slice json;
    struct json *all;
};

static const char meta_key = 0; /* its address: the metatable */

/* --- sets ----------------------------------------------------------------- */

bool secret_is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return name.len > 0 && name.len <= SECRET_NAME_BYTES;
}

static int check_set(const struct json *all, struct err *e)
{
    if (!json_is(all, JSON_OBJECT))
        return err_set(e, ERR_UNPROCESSABLE,
                       "secrets must be a table of name = \"text\"");
    for (const struct json *j = all->first; j; j = j->next) {
        if (!secret_is_name(j->key))
            return err_set(e, ERR_UNPROCESSABLE,
                           "a secret's name is made of a-z, 0-9 and _");
        if (j->type != JSON_STRING || j->text.len == 0 ||
            j->text.len > SECRET_BYTES)
            return err_set(e, ERR_UNPROCESSABLE,
                           "the secret %.*s must be a text of 1 to %d bytes",
                           SLICE_FMT(j->key), SECRET_BYTES);
    }
    return 0;
}

int secrets_new(struct slice json, struct secrets *before, struct err *e,
                struct secrets **out)
{
    *out = before;
    if (json.len == 0)
        json = SLICE("{}");
    if (before && slice_eq(before->json, json))
        return 0;
    struct arena *a = arena_new();
    struct secrets *s = arena_one(a, struct secrets);
    s->arena = a;
    s->before = before;
    s->json = slice_dup(a, json);
    int got = json_parse(a, s->json, e, &s->all);
    /* The parser's sentence may quote the text. */
    if (got < 0)
        got = err_set(e, ERR_UNPROCESSABLE, "the secrets are not JSON");
    else
        got = check_set(s->all, e);
    if (got < 0)
        arena_free(a);
    else
        *out = s;
    return got;
}

void secrets_free(struct secrets *s)
{
    while (s) {
        struct secrets *before = s->before;
        arena_free(s->arena);
        s = before;
    }
}

bool secrets_find(const struct secrets *s, struct slice name,
                  struct slice *text)
{
    for (const struct json *j = s ? s->all->first : NULL; j; j = j->next) {
        if (!slice_eq(j->key, name))
            continue;
        *text = j->text;
        return true;
    }
    return false;
}

void script_set_secrets(struct script *s, struct slice secrets)
{
    struct secrets *next;
    struct err e = {0};
    if (secrets_new(secrets, atomic_load(&s->secrets), &e, &next) < 0)
        log_error("script", "the secrets stay as they were: %s", e.text);
    atomic_store(&s->secrets, next);
}

/* --- objects -------------------------------------------------------------- */

static void push_meta(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&meta_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

bool secret_is(lua_State *L, int idx)
{
    if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx))
        return false;
    push_meta(L);
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

/* Stack: parts. Makes the object of it. */
static void make(lua_State *L)
{
    lua_newuserdata(L, 1);
    lua_insert(L, -2);
    lua_setfenv(L, -2);
    push_meta(L);
    lua_setmetatable(L, -2);
}

/* Appends to the list on top. */
static void add_part(lua_State *L, const char *kind, struct slice text)
{
    int n = (int)lua_objlen(L, -1);
    if (n >= 2 * SECRET_PARTS)
        bind_raise(L, "a secret has at most %d parts", SECRET_PARTS);
    lua_pushstring(L, kind);
    lua_rawseti(L, -2, n + 1);
    value_push_slice(L, text);
    lua_rawseti(L, -2, n + 2);
}

void secret_push(lua_State *L, struct slice text)
{
    lua_createtable(L, 2, 0);
    add_part(L, "t", text);
    make(L);
}

/* Text of part i of the list on top, borrowed from it or from the set. */
static bool part(lua_State *L, int i, struct slice *out, const char **why)
{
    struct slice text;
    lua_rawgeti(L, -1, 2 * i - 1);
    bool named = *lua_tostring(L, -1) == 'n';
    lua_rawgeti(L, -2, 2 * i);
    text.at = lua_tolstring(L, -1, &text.len);
    lua_pop(L, 2);
    *out = text;
    if (!named)
        return true;
    struct version *v = bind_version(L);
    if (!v->running || !v->unit) {
        *why = "a secret can be used in a handler only, not while the file "
               "is loaded";
        return false;
    }
    if (secrets_find(atomic_load(&v->unit->script->secrets), text, out))
        return true;
    *why = lua_pushfstring(L,
                           "there is no secret \"%s\": write it in config.lua, "
                           "secrets = { %s = \"...\" }, or in the environment "
                           "as YUELAI_SECRET_<NAME>",
                           text.at, text.at);
    /* The sentence stays: the parts list keeps it where nobody looks. */
    lua_rawseti(L, -2, 0);
    return false;
}

/* All parts of the list on top as one text, kept at its index 0. */
static bool joined(lua_State *L, int n, struct slice *out, const char **why)
{
    struct slice text;
    size_t all = 0;
    int list = lua_gettop(L);
    luaL_checkstack(L, n + 4, "too many parts");
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, list);
        bool ok = part(L, i, &text, why);
        lua_pop(L, 1);
        if (!ok)
            return false;
        value_push_slice(L, text);
        all += text.len;
    }
    if (all > SECRET_BYTES) {
        *why = "the joined secret is too long";
        return false;
    }
    lua_concat(L, n);
    out->at = lua_tolstring(L, -1, &out->len);
    lua_rawseti(L, list, 0);
    return true;
}

bool secret_text(lua_State *L, int idx, struct slice *out, const char **why)
{
    *why = NULL;
    *out = (struct slice){"", 0};
    if (lua_type(L, idx) == LUA_TSTRING || lua_type(L, idx) == LUA_TNUMBER) {
        out->at = lua_tolstring(L, idx, &out->len);
        return true;
    }
    if (!secret_is(L, idx))
        return false;
    int top = lua_gettop(L);
    lua_getfenv(L, idx);
    int n = (int)lua_objlen(L, -1) / 2;
    bool ok = n == 1 ? part(L, 1, out, why) : joined(L, n, out, why);
    lua_settop(L, top);
    return ok;
}

bool secret_read(lua_State *L, int idx, struct slice *out)
{
    const char *why;
    bool ok = secret_text(L, idx, out, &why);
    if (why)
        bind_raise(L, "%s", why);
    return ok;
}

/* --- what scripts call ---------------------------------------------------- */

static struct slice name_of(lua_State *L)
{
    struct slice name = bind_slice(L, 1);
    if (!secret_is_name(name))
        bind_raise(L, "a secret's name is made of a-z, 0-9 and _");
    return name;
}

static int on_get(lua_State *L)
{
    struct slice name = name_of(L);
    lua_createtable(L, 2, 0);
    add_part(L, "n", name);
    make(L);
    return 1;
}

static int on_has(lua_State *L)
{
    struct slice text, name = name_of(L);
    struct version *v = bind_version(L);
    lua_pushboolean(L, v->unit &&
                           secrets_find(atomic_load(&v->unit->script->secrets),
                                        name, &text));
    return 1;
}

/* Stack: list on top. The parts of the secret at idx behind its own. */
static void add_secret(lua_State *L, int idx)
{
    lua_getfenv(L, idx);
    int n = (int)lua_objlen(L, -1);
    for (int i = 1; i < n; i += 2) {
        struct slice text;
        lua_rawgeti(L, -1, i);
        lua_rawgeti(L, -2, i + 1);
        text.at = lua_tolstring(L, -1, &text.len);
        const char *kind = lua_tostring(L, -2);
        lua_pushvalue(L, -4);
        add_part(L, kind, text);
        lua_pop(L, 3);
    }
    lua_pop(L, 1);
}

static int on_join(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_checkany(L, 1);
    lua_newtable(L);
    for (int i = 1; i <= n; i++) {
        if (secret_is(L, i)) {
            add_secret(L, i);
            continue;
        }
        struct slice text = bind_slice(L, i);
        if (text.len > SECRET_BYTES)
            bind_raise(L, "a part is longer than %d bytes", SECRET_BYTES);
        add_part(L, "t", text);
    }
    make(L);
    return 1;
}

static int by_bytes(const void *pa, const void *pb)
{
    const struct slice *a = pa, *b = pb;
    size_t n = a->len < b->len ? a->len : b->len;
    int c = n ? memcmp(a->at, b->at, n) : 0;
    return c ? c : (a->len > b->len) - (a->len < b->len);
}

static int on_sorted(lua_State *L)
{
    struct slice parts[SECRET_PARTS];
    int n = lua_gettop(L);
    if (n < 1 || n > SECRET_PARTS)
        bind_raise(L, "secret.sorted: 1 to %d parts", SECRET_PARTS);
    for (int i = 0; i < n; i++)
        if (!secret_read(L, i + 1, &parts[i]))
            bind_raise(L, "secret.sorted: part %d is neither text nor secret",
                       i + 1);
    qsort(parts, (size_t)n, sizeof parts[0], by_bytes);
    lua_newtable(L);
    for (int i = 0; i < n; i++)
        add_part(L, "t", parts[i]);
    make(L);
    return 1;
}

static int on_hide(lua_State *L)
{
    struct slice text = bind_slice(L, 1);
    if (text.len == 0 || text.len > SECRET_BYTES)
        bind_raise(L, "secret.hide: a text of 1 to %d bytes is needed",
                   SECRET_BYTES);
    secret_push(L, text);
    return 1;
}

static int on_is(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, secret_is(L, 1));
    return 1;
}

/* --- what an object answers ----------------------------------------------- */

static int on_tostring(lua_State *L)
{
    lua_pushliteral(L, "<secret>");
    return 1;
}

static int on_concat(lua_State *L)
{
    bind_raise(L,
               "a secret does not join with \"..\": use secret.join(\"Bearer "
               "\", key), which is a secret again");
}

static int on_index(lua_State *L)
{
    bind_raise(L, "a secret cannot be looked into");
}

void bind_secret(lua_State *L)
{
    static const luaL_Reg list[] = {
        {"__tostring", on_tostring}, {"__concat", on_concat},
        {"__index", on_index},       {"__newindex", on_index},
        {"__len", on_index},         {NULL, NULL}};
    lua_pushlightuserdata(L, (void *)&meta_key);
    lua_newtable(L);
    luaL_setfuncs(L, list, 0);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawset(L, LUA_REGISTRYINDEX);
}

static const struct api_call calls[] = {
    {"get", on_get, API_ANYWHERE, 0, "(name: string): Secret",
     "The secret of that name, as the operator wrote it in config.lua "
     "(`secrets = { name = \"...\" }`) or in the environment "
     "(YUELAI_SECRET_NAME). It never shows: tostring gives \"<secret>\", "
     "`..`, json, kv, log and replies refuse it. Calls that need it take it "
     "as it is: http (headers, query, body) and crypto (keys). A name that "
     "is not set is an error when the secret is used, not here.\n\n"
     "local key = secret.get \"model_key\"\n"
     "http.get { url, headers = { authorization = secret.join(\"Bearer \", "
     "key) } }",
     "1"},
    {"has", on_has, API_HANDLERS, 0, "(name: string): boolean",
     "Whether the operator has set it.\n\n"
     "if not secret.has \"model_key\" then return end",
     "1"},
    {"join", on_join, API_ANYWHERE, 0, "(...: string|number|Secret): Secret",
     "Texts and secrets one after the other, as another secret.\n\n"
     "local auth = secret.join(\"Bearer \", secret.get \"model_key\")",
     "1"},
    {"sorted", on_sorted, API_HANDLERS, 0,
     "(...: string|number|Secret): Secret",
     "Texts and secrets in the order of their bytes, one after the other, as "
     "another secret: what many platforms sign.\n\n"
     "local mine = crypto.sha1(secret.sorted(token, q.timestamp, q.nonce))",
     "1"},
    {"hide", on_hide, API_ANYWHERE, 0, "(text: string): Secret",
     "Makes a secret of a text that came from elsewhere, an access token "
     "say.\n\nlocal token = secret.hide(res.json.access_token)",
     "1"},
    {"is", on_is, API_ANYWHERE, 0, "(value: any): boolean",
     "Whether the value is a secret.\n\nassert(secret.is(key))", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};

const struct api_module secret_module = {
    "secret", "Keys and passwords that scripts may use and nobody may see.",
    calls, false, NULL};

static const struct api_call no_calls[] = {
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};

const struct api_module secret_object_module = {
    "Secret", "A text that cannot be read, only used; made by secret.get.",
    no_calls, true, NULL};
