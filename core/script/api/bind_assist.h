/* SPDX-License-Identifier: Apache-2.0 */
/* bind_connector.h - what connectors and tools are given, how they are called.
 */
#pragma once
#include "script/api/bind.h"

/* Makes of the function on top (ask or embed) what is called: with the guard
 * of the reference (LUA_NOREF = there is none) around it; it returns one table
 * of all that it came to. */
void bind_assist_entry(lua_State *L, enum hook h, int guard);
/* Pushes the arguments of a connector's or a tool's function; how many. */
int connector_args(struct task *t);
/* bind_adapter.c: the settings, the secret ones as secrets. */
void adapter_push_config(lua_State *L, const struct adapter_call *c);
