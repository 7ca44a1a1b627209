/* SPDX-License-Identifier: Apache-2.0 */
/* bind_utf8.c - utf8.*: code points of a text.
 *
 * Happy path: one pass. Failure modes: bytes that are no UTF-8: len gives nil
 * and where; the others take each such byte for one character.
 */
#include "base/limits.h"
#include "script/api/bind.h"
#include "script/api/modules.h"
#include <math.h>

/* Bytes of the code point at i, 0 if there is none (RFC 3629). */
static size_t width(struct slice s, size_t i)
{
    const unsigned char c = (unsigned char)s.at[i];
    size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (n == 0 || c > 0xf4 || n > s.len - i)
        return 0;
    return slice_is_utf8((struct slice){s.at + i, n}) ? n : 0;
}

static size_t stride(struct slice s, size_t i)
{
    size_t n = width(s, i);
    return n ? n : 1;
}

static struct slice subject(lua_State *L, const char *what)
{
    struct slice s = bind_slice(L, 1);
    if (s.len > LIMIT_BODY_BYTES)
        bind_raise(L, "utf8.%s: the text is over 1 MB", what);
    return s;
}

static int on_len(lua_State *L)
{
    struct slice s = subject(L, "len");
    size_t n = 0, w;
    for (size_t i = 0; i < s.len; i += w, n++) {
        w = width(s, i);
        if (w)
            continue;
        lua_pushnil(L);
        lua_pushinteger(L, (lua_Integer)i + 1);
        return 2;
    }
    lua_pushinteger(L, (lua_Integer)n);
    return 1;
}

static size_t count(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i += stride(s, i))
        n++;
    return n;
}

static double position(lua_State *L, int arg, double otherwise, double len)
{
    double n = luaL_optnumber(L, arg, otherwise);
    n = n == n ? floor(n) : 0;
    return n < 0 ? n + len + 1 : n;
}

static int on_sub(lua_State *L)
{
    struct slice s = subject(L, "sub");
    luaL_checknumber(L, 2);
    double len = (double)count(s), at = 1;
    double from = position(L, 2, 1, len), to = position(L, 3, -1, len);
    size_t i = 0, begin;
    for (; i < s.len && at < from; at++)
        i += stride(s, i);
    for (begin = i; i < s.len && at <= to; at++)
        i += stride(s, i);
    lua_pushlstring(L, s.at + begin, i - begin);
    return 1;
}

/* Upvalues: the text, the byte behind the last character. */
static int next_char(lua_State *L)
{
    struct slice s;
    s.at = lua_tolstring(L, lua_upvalueindex(1), &s.len);
    size_t i = (size_t)lua_tointeger(L, lua_upvalueindex(2));
    if (i >= s.len)
        return 0;
    size_t n = stride(s, i);
    lua_pushinteger(L, (lua_Integer)(i + n));
    lua_replace(L, lua_upvalueindex(2));
    lua_pushlstring(L, s.at + i, n);
    lua_pushinteger(L, (lua_Integer)i + 1);
    return 2;
}

static int on_chars(lua_State *L)
{
    (void)subject(L, "chars");
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_char, 2);
    return 1;
}

static int on_is_valid(lua_State *L)
{
    lua_pushboolean(L, slice_is_utf8(subject(L, "is_valid")));
    return 1;
}

static const struct api_call calls[] = {
    {"len", on_len, API_ANYWHERE, 0, "(text: string): integer|nil, integer?",
     "How many code points; nil and the byte at fault if the text is not "
     "UTF-8. text.len counts what people see as one.\n\n"
     "if utf8.len(msg.text) > 600 then ... end",
     "1"},
    {"sub", on_sub, API_ANYWHERE, 0,
     "(text: string, from: integer, to?: integer): string",
     "Code points `from` to `to`; negative ones count from the end.\n\n"
     "local head = utf8.sub(msg.text, 1, 20)",
     "1"},
    {"chars", on_chars, API_ANYWHERE, 0,
     "(text: string): fun(): string, integer",
     "Goes through the code points: each as a text, and its first byte.\n\n"
     "for char in utf8.chars(msg.text) do ... end",
     "1"},
    {"is_valid", on_is_valid, API_ANYWHERE, 0, "(text: string): boolean",
     "Whether the bytes are UTF-8.\n\nassert(utf8.is_valid(res.body))", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};

const struct api_module utf8_module = {
    .name = "utf8",
    .doc = "Characters of a text as code points: Chinese platforms count so.",
    .calls = calls};
