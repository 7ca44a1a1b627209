/* SPDX-License-Identifier: Apache-2.0 */
/* lua_source.h - the Lua that is part of the house: lua/NAME.lua, compiled in
 * by CMake. Immutable. */
#pragma once

struct lua_source {
    const char *name, *text;
};
extern const struct lua_source lua_sources[]; /* name NULL at the end */
