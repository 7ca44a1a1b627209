/* SPDX-License-Identifier: Apache-2.0 */
/* flowcall.h - what the calls of a running flow share.
 *
 * A call looks for its entry in the log (play.h); kept values are pushed, and
 * where the run ends the call yields: `return flowcall_stop(L)`. Nothing ever
 * resumes that.
 */
#pragma once
#include "script/api/bind.h"
#include "script/flow/play.h"

/* The flow that runs; raises if none does. */
struct play *flowcall_play(lua_State *L);
/* The same, for a call that leaves an entry: not inside of a step. */
struct play *flowcall_outside(lua_State *L, const char *what);
/* Keeps the scheduler's token, which is on top; pops it. */
void flowcall_keep_await(lua_State *L);
int flowcall_stop(lua_State *L);
/* Pushes the values of an entry: [null, "timeout"] is nil, "timeout". */
int flowcall_push(lua_State *L, const struct json *list);
/* The values from stack index `from` up as a JSON array, in the job's arena;
 * at is NULL and the play is broken if one has no JSON form. */
struct slice flowcall_values(lua_State *L, struct play *p, int from,
                             const char *kind, const char *name);
/* The text at arg as a name of an entry: at most PLAY_NAME bytes of it. */
const char *flowcall_name(lua_State *L, int arg, char out[PLAY_NAME + 1]);
/* A duration of at most 400 days at arg. */
int64_t flowcall_time(lua_State *L, int arg, const char *what);
/* Closes an entry and pushes what was kept, or stops. */
int flowcall_close(lua_State *L, struct play *p, const char *kind,
                   const char *name, struct slice values);

/* fn, whose answer depends on who is there now (an agent, a flow): in a flow
 * outside of its steps the answer is kept like a step's. */
int flowcall_once(lua_State *L, const char *kind, lua_CFunction fn);

/* --- for Lua: flow.* and natives --- */
int flowcall_sleep(lua_State *L);
int flowcall_wait_reply(lua_State *L);
int flowcall_now(lua_State *L);
int flowcall_random(lua_State *L);
int flowcall_id(lua_State *L);
int flowcall_attempt(lua_State *L);
/* Stack: env, native. */
void flowcall_natives(lua_State *L);      /* waits */
void flowcall_step_natives(lua_State *L); /* steps, states, people's view */
