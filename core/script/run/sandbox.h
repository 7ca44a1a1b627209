/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox.h - a fresh state and the names a script may use.
 *
 * An allow-list: what is not named in sandbox.c is not there. It guards
 * against mistakes and keeps one script out of another's way; it is no border
 * against a hostile author, who can at least read what the API shows.
 */
#pragma once
#include "script/run/budget.h"

/* A state without JIT, its allocator counted in b. Never NULL. */
lua_State *sandbox_new(struct budget *b, size_t max_bytes);
/* Makes the environment of scripts and leaves it in the registry. */
void sandbox_open(lua_State *L);
/* Pushes the environment. */
void sandbox_push(lua_State *L);
/* Pushes a table with nothing in it but the strict access of undeclared
 * names: the environment of config files. */
void sandbox_push_empty(lua_State *L);
