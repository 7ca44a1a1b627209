/* SPDX-License-Identifier: Apache-2.0 */
/* bind_matcher.h - the matcher as the text module and others see it. */
#pragma once
#include "script/api/bind.h"
#include "script/text/matcher.h"

/* The list of words at idx as a matcher in the arena (not in Lua); raises for
 * what is no list of words. */
struct matcher *bind_matcher_of(lua_State *L, int idx, struct arena *a);
/* The object at idx, or NULL. */
const struct matcher *bind_matcher_at(lua_State *L, int idx);
/* Pushes word i of the object's, or of the list's, at idx. */
void bind_matcher_word(lua_State *L, int idx, size_t i);
/* A search may take that many steps before it gives up. */
size_t bind_matcher_steps(struct slice text);
int bind_matcher_new(lua_State *L); /* text.matcher */
