/* SPDX-License-Identifier: Apache-2.0 */
/* bind_json.c - json.encode, json.decode, json.array, json.null over
 * value.c. decode gives nil, "bad_request", sentence for text that is not
 * JSON; encode raises for what has no JSON form. */
#include "base/limits.h"
#include "script/api/bind.h"
#include "script/api/modules.h"

static int json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    struct buf *out = bind_buf(L, LIMIT_BODY_BYTES);
    const char *why;
    if (value_write(L, 1, out, &why) < 0)
        return luaL_error(L, "json.encode: %s", why);
    value_push_slice(L, buf_slice(out));
    return 1;
}

static int json_decode(lua_State *L)
{
    struct slice text = bind_slice(L, 1);
    struct err e = {0};
    if (text.len > LIMIT_BODY_BYTES)
        return bind_trouble(L, "too_large", "the text is over 1 MB");
    int got = value_push_text(L, bind_arena(L), text, &e);
    return got < 0 ? bind_trouble_of(L, got, e.text) : 1;
}

/* json.array{...}: goes out as [...] even when it is empty */
static int json_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    value_mark_array(L, 1);
    lua_settop(L, 1);
    return 1;
}

static const struct api_call calls[] = {
    {"encode", json_encode, API_ANYWHERE, 0, "(value: any): string",
     "The value as JSON. Raises for functions, loops, gaps in lists.", "1"},
    {"decode", json_decode, API_ANYWHERE, 0,
     "(text: string): any|nil, string?, string?",
     "The value of a JSON text, or nil, \"bad_request\", detail. Whole numbers "
     "beyond 2^53 come as strings, because Lua's numbers would round them.",
     "1"},
    {"array", json_array, API_ANYWHERE, 0, "(list?: table): table",
     "Marks a table as a list, so that it goes out as [...] even when it is "
     "empty.",
     "1"},
    {"null", NULL, API_ANYWHERE, API_FIELD, "lightuserdata",
     "null, inside a table; it is true in a condition.", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill(lua_State *L)
{
    value_push_null(L);
    lua_setfield(L, -2, "null");
}

const struct api_module json_module = {
    .name = "json",
    .doc = "JSON texts and values, both ways. What came in as a list goes out "
           "as a list.",
    .calls = calls,
    .fill = fill};
