/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - fields of a table of options that a script gives with a call.
 * The table may be missing; its metatable is not asked. */
#pragma once
#include "script/api/bind.h"

/* true and the value on top of the stack; false and nothing. */
static inline bool option_push(lua_State *L, int arg, const char *name)
{
    if (lua_isnoneornil(L, arg))
        return false;
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_pushstring(L, name);
    lua_rawget(L, arg < 0 ? arg - 1 : arg);
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

static inline bool option_is(lua_State *L, int arg, const char *name)
{
    if (!option_push(L, arg, name))
        return false;
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

/* The text of the field, "" if it is not there; raises for another type. The
 * table keeps it. */
static inline struct slice option_text(lua_State *L, int arg, const char *name)
{
    struct slice s = {"", 0};
    if (!option_push(L, arg, name))
        return s;
    if (lua_type(L, -1) != LUA_TSTRING)
        bind_raise(L, "%s must be a text, not %s", name, luaL_typename(L, -1));
    s.at = lua_tolstring(L, -1, &s.len);
    lua_pop(L, 1);
    return s;
}
