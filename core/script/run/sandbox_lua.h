/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox_lua.h - the part of the sandbox that is written in Lua: strict
 * names, xpcall, sort, coroutines that let an await through, require, and the
 * calls that wait. */
#pragma once
#include <lua.h>

/* The environment is on top of the stack, with the natives of bind_open. */
void sandbox_lua_open(lua_State *L);
/* Gives the table on top the strict access of undeclared names. */
void sandbox_lua_strict(lua_State *L);
