/* SPDX-License-Identifier: Apache-2.0 */
/* strlib.c - Lua's string functions over the step-counted matcher.
 *
 * Happy path: as in the Lua 5.1 manual. Failure modes: a subject over 1 MB, a
 * pattern that takes too many steps, a repetition over 8 MB, callbacks nested
 * too deep: each raises a sentence.
 */
#include "script/api/strlib.h"
#include "script/run/budget.h"
#include "script/text/pattern.h"
#include <lauxlib.h>
#include <string.h>

#define REP_BYTES (8.0 * 1024 * 1024)
#define SHORT 256 /* bytes of a text to look through by hand */
#define NOTHING_LEFT ((ptrdiff_t)-1)

struct subject {
    const char *at, *text; /* text: the pattern */
    size_t len, text_len;
};

static void subject(lua_State *L, struct subject *s)
{
    s->at = luaL_checklstring(L, 1, &s->len);
    s->text = luaL_checklstring(L, 2, &s->text_len);
    if (s->len > PATTERN_SUBJECT)
        luaL_error(L, "the text is too long for a pattern (over 1 MB)");
}

static void arguments(lua_State *L, struct subject *s, struct pattern *p)
{
    subject(L, s);
    pattern_init(p, s->at, s->len, s->text, s->text_len);
}

static const char *try_at(lua_State *L, struct pattern *p, const char *at,
                          const char *text)
{
    const char *end = pattern_at(p, at, text);
    if (p->error)
        luaL_error(L, "%s", p->error);
    return end;
}

/* Where a search begins: Lua's 1-based, maybe negative, position. */
static size_t start_at(lua_State *L, int arg, size_t len)
{
    ptrdiff_t at = luaL_optinteger(L, arg, 1);
    if (at < 0)
        at += (ptrdiff_t)len + 1;
    if (at < 1)
        at = 1;
    if ((size_t)at > len + 1)
        at = (ptrdiff_t)len + 1;
    return (size_t)at - 1;
}

static void push_capture(lua_State *L, const struct pattern *p, int i,
                         const char *at, const char *end)
{
    if (i >= p->count) { /* no captures: the whole match is the first */
        lua_pushlstring(L, at, (size_t)(end - at));
        return;
    }
    if (p->capture[i].len == CAPTURE_OPEN)
        luaL_error(L, "malformed pattern (unfinished capture)");
    if (p->capture[i].len == CAPTURE_POSITION)
        lua_pushinteger(L, p->capture[i].at - p->from + 1);
    else
        lua_pushlstring(L, p->capture[i].at, (size_t)p->capture[i].len);
}

static int push_captures(lua_State *L, const struct pattern *p, const char *at,
                         const char *end, bool whole)
{
    int n = p->count == 0 && whole ? 1 : p->count;
    luaL_checkstack(L, n, "too many captures");
    for (int i = 0; i < n; i++)
        push_capture(L, p, i, at, end);
    return n;
}

static bool is_plain(const struct subject *s)
{
    for (size_t i = 0; i < s->text_len; i++)
        if (s->text[i] && strchr("^$*+?.([%-", s->text[i]))
            return false;
    return true;
}

/* memmem makes a table of the words before it looks: for a short text that is
 * most of its work. */
static const char *look_for(const char *at, size_t len, const char *text,
                            size_t text_len)
{
    if (len > SHORT || text_len < 2)
        return memmem(at, len, text, text_len);
    while (len >= text_len) {
        const char *got = memchr(at, *text, len - text_len + 1);
        if (!got || memcmp(got, text, text_len) == 0)
            return got;
        len -= (size_t)(got + 1 - at);
        at = got + 1;
    }
    return NULL;
}

static int find_plain(lua_State *L, const struct subject *s, size_t from)
{
    const char *got =
        look_for(s->at + from, s->len - from, s->text, s->text_len);
    if (!got) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, got - s->at + 1);
    lua_pushinteger(L, got - s->at + (ptrdiff_t)s->text_len);
    return 2;
}

static int search(lua_State *L, bool find)
{
    struct subject s;
    struct pattern p;
    subject(L, &s);
    size_t from = start_at(L, 3, s.len);
    if (find && (lua_toboolean(L, 4) || is_plain(&s)))
        return find_plain(L, &s, from);
    pattern_init(&p, s.at, s.len, s.text, s.text_len);
    bool anchored = s.text_len > 0 && *s.text == '^';
    const char *text = s.text + anchored;
    for (const char *at = s.at + from; at <= p.to; at++) {
        const char *end = try_at(L, &p, at, text);
        if (end && !find)
            return push_captures(L, &p, at, end, true);
        if (end) {
            lua_pushinteger(L, at - s.at + 1);
            lua_pushinteger(L, end - s.at);
            return 2 + push_captures(L, &p, at, end, false);
        }
        if (anchored)
            break;
    }
    lua_pushnil(L);
    return 1;
}

static int str_find(lua_State *L)
{
    return search(L, true);
}

static int str_match(lua_State *L)
{
    return search(L, false);
}

/* Upvalues: subject, pattern, where to go on (-1 = at the end). */
static int gmatch_next(lua_State *L)
{
    struct subject s;
    struct pattern p;
    s.at = lua_tolstring(L, lua_upvalueindex(1), &s.len);
    s.text = lua_tolstring(L, lua_upvalueindex(2), &s.text_len);
    ptrdiff_t from = lua_tointeger(L, lua_upvalueindex(3));
    pattern_init(&p, s.at, s.len, s.text, s.text_len);
    if (from == NOTHING_LEFT)
        return 0;
    for (const char *at = s.at + from; at <= p.to; at++) {
        const char *end = try_at(L, &p, at, s.text);
        if (!end)
            continue;
        ptrdiff_t next = end - s.at + (end == at);
        lua_pushinteger(L, next > (ptrdiff_t)s.len ? NOTHING_LEFT : next);
        lua_replace(L, lua_upvalueindex(3));
        return push_captures(L, &p, at, end, true);
    }
    return 0;
}

static int str_gmatch(lua_State *L)
{
    struct subject s;
    struct pattern p;
    arguments(L, &s, &p);
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, gmatch_next, 3);
    return 1;
}

/* --- gsub ----------------------------------------------------------------- */

static void add_text(lua_State *L, luaL_Buffer *b, const struct pattern *p,
                     const char *at, const char *end)
{
    size_t len;
    const char *with = lua_tolstring(L, 3, &len);
    for (size_t i = 0; i < len; i++) {
        if (with[i] != '%') {
            luaL_addchar(b, with[i]);
            continue;
        }
        i++;
        if (i == len || with[i] < '0' || with[i] > '9') {
            luaL_addchar(b, i < len ? with[i] : '%');
            continue;
        }
        int n = with[i] - '1';
        if (n == -1) {
            luaL_addlstring(b, at, (size_t)(end - at));
            continue;
        }
        if (n >= p->count && !(n == 0 && p->count == 0))
            luaL_error(L, "invalid capture index in the replacement");
        push_capture(L, p, n, at, end);
        luaL_addvalue(b);
    }
}

static void add_value(lua_State *L, luaL_Buffer *b, const struct pattern *p,
                      const char *at, const char *end)
{
    if (lua_type(L, 3) == LUA_TTABLE) {
        push_capture(L, p, 0, at, end);
        lua_gettable(L, 3);
    } else {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(L, p, at, end, true), 1);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        lua_pushlstring(L, at, (size_t)(end - at));
    } else if (!lua_isstring(L, -1)) {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
    luaL_addvalue(b);
}

static int str_gsub(lua_State *L)
{
    struct subject s;
    struct pattern p;
    luaL_Buffer b;
    arguments(L, &s, &p);
    budget_nest(L);
    int type = lua_type(L, 3);
    if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TTABLE &&
        type != LUA_TFUNCTION)
        luaL_error(L, "gsub: the replacement must be a string, a table or a "
                      "function");
    bool anchored = s.text_len > 0 && *s.text == '^';
    const char *text = s.text + anchored, *at = s.at;
    ptrdiff_t most = luaL_optinteger(L, 4, (ptrdiff_t)s.len + 1), n = 0;
    lua_settop(L, 4);
    luaL_buffinit(L, &b);
    while (n < most) {
        const char *end = try_at(L, &p, at, text);
        if (end) {
            n++;
            if (type == LUA_TTABLE || type == LUA_TFUNCTION)
                add_value(L, &b, &p, at, end);
            else
                add_text(L, &b, &p, at, end);
        }
        if (end && end > at)
            at = end;
        else if (at < p.to)
            luaL_addchar(&b, *at++);
        else
            break;
        if (anchored)
            break;
    }
    luaL_addlstring(&b, at, (size_t)(p.to - at));
    luaL_pushresult(&b);
    lua_pushinteger(L, n);
    return 2;
}

/* --- the rest ------------------------------------------------------------- */

/* Upvalue: the library's rep. */
static int str_rep(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    lua_Number times = luaL_checknumber(L, 2);
    if (times > 0 && (double)len * times > REP_BYTES)
        return luaL_error(L, "string.rep: the result is too long (over 8 MB)");
    lua_settop(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

void strlib_open(lua_State *L)
{
    static const luaL_Reg list[] = {{"find", str_find},
                                    {"match", str_match},
                                    {"gmatch", str_gmatch},
                                    {"gsub", str_gsub},
                                    {NULL, NULL}};
    luaL_setfuncs(L, list, 0);
    lua_getfield(L, -1, "rep");
    lua_pushcclosure(L, str_rep, 1);
    lua_setfield(L, -2, "rep");
}
