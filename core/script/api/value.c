/* SPDX-License-Identifier: Apache-2.0 */
/* value.c - Lua values and JSON, both ways.
 *
 * Happy path: one walk over the tree. Failure modes: deeper than
 * LIMIT_JSON_DEPTH (which also ends a table that contains itself), keys that
 * are no strings, functions, text that is not UTF-8.
 */
#include "script/api/value.h"
#include "base/limits.h"
#include "script/api/bind.h"
#include "script/api/secret.h"
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>

#define EXACT 9007199254740992.0 /* 2^53 */

static const char array_key = 0; /* its address: the arrays' metatable */

void value_open(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&array_key);
    lua_newtable(L);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_rawset(L, LUA_REGISTRYINDEX);
}

static void push_array_meta(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&array_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
}

void value_mark_array(lua_State *L, int idx)
{
    lua_pushvalue(L, idx);
    push_array_meta(L);
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

bool value_is_array(lua_State *L, int idx)
{
    if (!lua_getmetatable(L, idx))
        return false;
    push_array_meta(L);
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

void value_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
}

/* --- JSON to Lua ---------------------------------------------------------- */

static void push_int(lua_State *L, int64_t n)
{
    char text[24];
    if (n <= (int64_t)EXACT && n >= -(int64_t)EXACT) {
        lua_pushnumber(L, (lua_Number)n);
        return;
    }
    int len = snprintf(text, sizeof text, "%lld", (long long)n);
    lua_pushlstring(L, text, (size_t)len);
}

static void push_children(lua_State *L, const struct json *j)
{
    int n = 0;
    luaL_checkstack(L, 4, "nested too deep");
    lua_createtable(L, j->type == JSON_ARRAY ? (int)j->count : 0,
                    j->type == JSON_OBJECT ? (int)j->count : 0);
    for (const struct json *c = j->first; c; c = c->next) {
        if (j->type == JSON_OBJECT) {
            value_push_slice(L, c->key);
            value_push(L, c);
            lua_rawset(L, -3);
        } else {
            value_push(L, c);
            lua_rawseti(L, -2, ++n);
        }
    }
    if (j->type == JSON_ARRAY)
        value_mark_array(L, lua_gettop(L));
}

void value_push(lua_State *L, const struct json *j)
{
    if (!j) {
        lua_pushnil(L);
        return;
    }
    switch (j->type) {
    case JSON_NULL:
        value_push_null(L);
        return;
    case JSON_BOOL:
        lua_pushboolean(L, j->boolean);
        return;
    case JSON_INT:
        push_int(L, j->integer);
        return;
    case JSON_REAL:
        lua_pushnumber(L, j->real);
        return;
    case JSON_STRING:
        value_push_slice(L, j->text);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        push_children(L, j);
        return;
    }
}

int value_push_text(lua_State *L, struct arena *a, struct slice text,
                    struct err *e)
{
    struct json *j;
    int got = json_parse(a, text, e, &j);
    if (got < 0)
        lua_pushnil(L);
    else
        value_push(L, j);
    return got;
}

/* --- Lua to JSON ---------------------------------------------------------- */

struct writer {
    lua_State *L;
    struct jsonw w;
    const char *why;
    bool tells; /* a secret goes out as its text */
};

static bool write_value(struct writer *w, int idx, int depth);

static bool refuse(struct writer *w, const char *why)
{
    if (!w->why)
        w->why = why;
    return false;
}

static bool write_text(struct writer *w, int idx)
{
    struct slice s;
    s.at = lua_tolstring(w->L, idx, &s.len);
    if (!slice_is_utf8(s))
        return refuse(w, "a text is not UTF-8");
    jsonw_text(&w->w, s);
    return true;
}

static bool write_secret(struct writer *w, int idx)
{
    struct slice text;
    const char *why;
    if (!w->tells)
        return refuse(w, "a secret has no JSON form: it can go out by http "
                         "only (headers, query, json)");
    if (!secret_text(w->L, idx, &text, &why))
        return refuse(w, why);
    if (!slice_is_utf8(text))
        return refuse(w, "a secret is not UTF-8 text");
    jsonw_text(&w->w, text);
    return true;
}

/* n of an array 1..n; -1: this is an object. */
static long array_length(lua_State *L, int idx)
{
    bool marked = value_is_array(L, idx);
    long n = 0;
    lua_pushnil(L);
    while (lua_next(L, idx)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TNUMBER) {
            lua_pop(L, 1);
            return -1;
        }
        n++;
    }
    long len = (long)lua_objlen(L, idx);
    if (n == 0)
        return marked ? 0 : -1;
    return len == n ? n : -1;
}

static bool write_array(struct writer *w, int idx, int depth, long n)
{
    jsonw_open(&w->w, '[');
    for (long i = 1; i <= n; i++) {
        lua_rawgeti(w->L, idx, (int)i);
        if (!write_value(w, lua_gettop(w->L), depth + 1))
            return false;
        lua_pop(w->L, 1);
    }
    jsonw_close(&w->w, ']');
    return true;
}

static bool write_object(struct writer *w, int idx, int depth)
{
    jsonw_open(&w->w, '{');
    lua_pushnil(w->L);
    while (lua_next(w->L, idx)) {
        int key = lua_gettop(w->L) - 1;
        if (lua_type(w->L, key) != LUA_TSTRING)
            return refuse(w, "an object's keys must be strings, an array's "
                             "1, 2, 3 ... without gaps");
        size_t len;
        const char *text = lua_tolstring(w->L, key, &len);
        if (strlen(text) != len || !slice_is_utf8((struct slice){text, len}))
            return refuse(w, "a key is not UTF-8 text");
        jsonw_key(&w->w, text);
        if (!write_value(w, key + 1, depth + 1))
            return false;
        lua_pop(w->L, 1);
    }
    jsonw_close(&w->w, '}');
    return true;
}

static bool write_table(struct writer *w, int idx, int depth)
{
    if (depth >= LIMIT_JSON_DEPTH)
        return refuse(w, "a table is nested too deep (or contains itself)");
    if (!lua_checkstack(w->L, 16))
        return refuse(w, "nested too deep");
    if (bind_is_conv(w->L, idx))
        return refuse(w, "functions and objects have no JSON form");
    if (!bind_complete(w->L, idx))
        return refuse(w, "a message of an event that is over");
    long n = array_length(w->L, idx);
    return n >= 0 ? write_array(w, idx, depth, n) : write_object(w, idx, depth);
}

static bool write_value(struct writer *w, int idx, int depth)
{
    lua_Number n;
    if (w->w.failed)
        return false;
    switch (lua_type(w->L, idx)) {
    case LUA_TNIL:
        jsonw_null(&w->w);
        return true;
    case LUA_TBOOLEAN:
        jsonw_bool(&w->w, lua_toboolean(w->L, idx));
        return true;
    case LUA_TNUMBER:
        n = lua_tonumber(w->L, idx);
        if (fabs(n) <= EXACT && n == floor(n))
            jsonw_int(&w->w, (int64_t)n);
        else
            jsonw_real(&w->w, n);
        return true;
    case LUA_TSTRING:
        return write_text(w, idx);
    case LUA_TTABLE:
        return write_table(w, idx, depth);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(w->L, idx))
            return refuse(w, "a value has no JSON form");
        jsonw_null(&w->w);
        return true;
    case LUA_TUSERDATA:
        if (secret_is(w->L, idx))
            return write_secret(w, idx);
        return refuse(w, "functions and objects have no JSON form");
    default:
        return refuse(w, "functions and objects have no JSON form");
    }
}

static int write_all(lua_State *L, int idx, struct buf *out, bool tells,
                     const char **why)
{
    size_t was = out->len;
    int top = lua_gettop(L);
    if (idx < 0)
        idx += top + 1;
    struct writer w = {.L = L, .w = jsonw_on(out), .tells = tells};
    bool ok = write_value(&w, idx, 0);
    lua_settop(L, top);
    *why = w.why;
    if (ok && !w.w.failed)
        return 0;
    out->len = was;
    if (w.w.failed) {
        *why = "the JSON text is too long";
        return ERR_TOOBIG;
    }
    return ERR_UNPROCESSABLE;
}

int value_write(lua_State *L, int idx, struct buf *out, const char **why)
{
    return write_all(L, idx, out, false, why);
}

int value_write_telling(lua_State *L, int idx, struct buf *out,
                        const char **why)
{
    return write_all(L, idx, out, true, why);
}
