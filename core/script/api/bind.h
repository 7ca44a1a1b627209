/* SPDX-License-Identifier: Apache-2.0 */
/* bind.h - what the bind_*.c share: whose call is this, and what it may be
 * given.
 *
 * Each bind_<module>.c puts its functions into the environment. They run as
 * script code: within its memory and time, raising a script's errors. Nothing
 * they allocate outside of Lua may be lost by that: it goes to the version's
 * scratch (below) or to the task.
 */
#pragma once
#include "script/api/value.h"
#include "script/run/task.h"
#include <lauxlib.h>

/* Stack: env. Adds what every script has and leaves the table of natives (for
 * sandbox_lua.c) on top; modules come when they are touched (api.h). */
void bind_open(lua_State *L);
/* Stack: env; sandbox_lua.c's Lua is there. Adds the names it made possible. */
void bind_globals(lua_State *L);
/* Stack: env, native. Each adds its own and leaves the stack as it was. */
void bind_conv(lua_State *L);
void bind_msg(lua_State *L);
void bind_time(lua_State *L);
void bind_secret(lua_State *L);
/* Stack: env. sleep. */
void bind_sleep(lua_State *L);

/* Sets field `name` of the table at idx to a table of functions. */
void bind_module(lua_State *L, int idx, const char *name,
                 const luaL_Reg *functions);

/* luaL_error that the compiler knows does not come back. */
_Noreturn void bind_raise(lua_State *L, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
struct version *bind_version(lua_State *L);
/* The task in whose name this runs; raises "may only be called in a handler"
 * while a file is loaded. */
struct task *bind_task(lua_State *L, const char *what);
/* The call's scratch: emptied at the next call of either. */
struct arena *bind_arena(lua_State *L);
struct buf *bind_buf(lua_State *L, size_t max);

struct slice bind_slice(lua_State *L, int arg);
/* A text of at most max bytes of UTF-8, not empty. */
struct slice bind_text(lua_State *L, int arg, size_t max, const char *what);
/* Raises "http wants a url or a table, not nil" unless it is a table. (What
 * waits is called by Lua of the house: luaL_check* would name that.) */
void bind_table(lua_State *L, int arg, const char *call, const char *wanted);
/* "500ms" "30s" "10m" "2h" "7d" -> ms; raises for anything else. */
int64_t bind_duration(lua_State *L, int arg, const char *what);
bool duration_read(struct slice text, int64_t *ms);
/* nil, code, detail */
int bind_trouble(lua_State *L, const char *code, const char *detail);
int bind_trouble_of(lua_State *L, int err, const char *detail); /* ERR_* */
/* What a wait came to: 0, or ERR_*. Raises when the handler's own time is over
 * and when this is no answer at all (somebody else resumed the coroutine). */
int bind_wait_result(lua_State *L, struct task *t);
/* The value at arg as JSON in the job's arena; raises if it has none. */
struct slice bind_json_of(lua_State *L, int arg, size_t max, const char *what);

/* Raises when the event or this script may want nothing more: asked before
 * anything is copied for an effect, so that a full list costs no memory. */
void bind_room(lua_State *L, struct task *t, enum effect_type type);
struct effect *bind_effect(lua_State *L, struct task *t, enum effect_type type);
/* Copied to the job's arena. */
struct slice bind_kept(struct task *t, struct slice s);
/* Wall clock in ms, the house's (it may be a test's); in a flow outside of its
 * steps the flow's own time. */
int64_t bind_now(lua_State *L);

/* Pushes the conversation, the message (as tables and objects of a task), an
 * agent as agents.find gives it. */
void bind_push_conv(lua_State *L, struct task *t);
/* Makes of the handler on top what is called with these: the conversation and
 * the message, both made on the other side. How many arguments there are. */
void bind_entry(lua_State *L);
int bind_push_message(lua_State *L, const struct task *t);
/* A message that has not all its fields yet gets them; anything else at idx
 * stays as it is. False: its event is over, they are gone. */
bool bind_complete(lua_State *L, int idx);
bool bind_is_conv(lua_State *L, int idx); /* any state */
void bind_push_agent(lua_State *L, const struct agent_view *a);
/* The people of the running job; of nobody if it has none. */
const struct roster *bind_roster(lua_State *L, const char *what);
