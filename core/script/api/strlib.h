/* SPDX-License-Identifier: Apache-2.0 */
/* strlib.h - the string functions that must not run away: find match gmatch
 * gsub rep, over pattern.c. */
#pragma once
#include <lua.h>

/* Replaces them in the table on top of the stack (the string library). */
void strlib_open(lua_State *L);
