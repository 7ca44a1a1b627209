/* SPDX-License-Identifier: Apache-2.0 */
/* bind_flow.h - flow.*, and what is different for scripts below flows/. */
#pragma once
#include "script/api/bind.h"

/* Stack: env, native; sandbox_lua.c's Lua is there. In a flow adds natives, runs
 * lua/flow.lua and its like. */
void bind_flow_open(lua_State *L);
/* Raises if this is a flow outside of a step: what differs from run to run
 * belongs into one. what: "http.get". */
void bind_in_step(lua_State *L, const char *what);
