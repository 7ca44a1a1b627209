/* SPDX-License-Identifier: Apache-2.0 */
/* chunk.h - the house's own Lua, compiled once and not once a script.
 *
 * Why: each script has a state of its own, and thirty kilobytes of our Lua in
 * it. To read them takes ten times as long as all the rest of a load. Only our
 * own text comes this way: bytecode of anybody else is never loaded.
 *
 * Thread: any.   Owns: the bytecode, for ever.
 */
#pragma once
#include <lua.h>

/* Pushes core/script/lua/NAME.lua; name must be one of them. "=calls": what it
 * is called in an error's place. */
void chunk_push_own(lua_State *L, const char *name, const char *called);
/* Leaves the chunk on the stack. text: static, the same address every time;
 * name: "=flow". Not in the name of a script: raises nothing, must work. */
void chunk_push(lua_State *L, const char *text, const char *name);
