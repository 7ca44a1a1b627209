/* SPDX-License-Identifier: Apache-2.0 */
/* bind_test.h - the environment of a *_test.lua: describe, it, require "test".
 *
 * A test file is a unit with one handler, on_timer(nil, what, data): "list"
 * tells its tests, "run" runs one, "call" one of its fakes. All it wants of
 * the house are ASK_TESTs (lua/test.lua).
 */
#pragma once
#include "script/api/bind.h"

/* Adds to the environment, before the file is run. */
void bind_test_open(lua_State *L);
/* A reference to the handler, for version.hook. */
int bind_test_handler(lua_State *L);
