/* SPDX-License-Identifier: Apache-2.0 */
/* bind_conv.h - the conv object, between what it shows and what it does. */
#pragma once
#include "script/api/bind.h"
#include "script/load/unit.h"

/* The task whose conv is argument 1; raises if it is none, or an old one. */
struct task *conv_task(lua_State *L);
/* The field is made anew when it is asked for again. */
void conv_forget(lua_State *L, const char *field);
/* on_inbound and on_send: the message is not stored yet. */
#define API_SCREENS (API_IN(HOOK_INBOUND) | API_IN(HOOK_SEND))
int conv_edit(lua_State *L); /* bind_edit.c */
int conv_reject(lua_State *L);
int conv_set_contact(lua_State *L);
void conv_fill_messages(lua_State *L); /* bind_lookup.c: conv:messages */
/* The text under a table's field, "" if there is none. Raw. */
struct slice bind_table_text(lua_State *L, int idx, const char *field);
bool bind_is_kind(struct slice s); /* "text", "image" ... */
/* The message's body as a tree, parsed once and kept with the job. */
const struct json *bind_body(struct job *job);
/* A plain table of all that conv shows. */
void bind_push_fields(lua_State *L, const struct job *job);
int conv_live(lua_State *L); /* bind_flow.c */
