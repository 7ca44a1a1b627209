/* SPDX-License-Identifier: Apache-2.0 */
/* bind_conv.h - the conv object, between what it shows and what it does. */
#pragma once
#include "script/bind.h"
#include "script/unit.h"

/* The task whose conv is argument 1; raises if it is none, or an old one. */
struct task *conv_task(lua_State *L);
/* The field is made anew when it is asked for again. */
void conv_forget(lua_State *L, const char *field);
