/* SPDX-License-Identifier: Apache-2.0 */
/* value.h - Lua values and JSON, both ways.
 *
 * Integers beyond 2^53 become strings in Lua, which has only doubles. null is
 * json.null, so that it survives in a table. A table that came from an array
 * is marked and goes back as one even when it is empty; any other table is an
 * array if its keys are 1..n, n > 0, else an object. Metatables of the
 * script's are never asked: no code of its runs in here.
 */
#pragma once
#include "base/json.h"
#include <lua.h>

/* Once per state, before any of the others. */
void value_open(lua_State *L);
/* Pushes j (NULL = nil). May raise for lack of memory while script code runs;
 * whoever owns j must not lose it then. */
void value_push(lua_State *L, const struct json *j);
void value_push_null(lua_State *L);
/* Marks the table at idx as an array. */
void value_mark_array(lua_State *L, int idx);
bool value_is_array(lua_State *L, int idx); /* marked so */
/* Appends the value at idx as JSON. Returns 0, ERR_TOOBIG, or
 * ERR_UNPROCESSABLE with a sentence in *why. Raises nothing. */
int value_write(lua_State *L, int idx, struct buf *out, const char **why);
/* The same, but secrets go out as their texts: for what leaves the house and
 * is neither kept nor logged (http). May raise for lack of memory. */
int value_write_telling(lua_State *L, int idx, struct buf *out,
                        const char **why);

/* Parses text and pushes it, nil if it is not JSON. The tree lives in a, the
 * caller's to free. */
int value_push_text(lua_State *L, struct arena *a, struct slice text,
                    struct err *e);
static inline void value_push_slice(lua_State *L, struct slice s)
{
    lua_pushlstring(L, s.at ? s.at : "", s.len);
}
