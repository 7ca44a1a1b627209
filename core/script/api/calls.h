/* SPDX-License-Identifier: Apache-2.0 */
/* calls.h - what the calls to the outside share (http, kv, cache, ai, kb).
 *
 * What runs the author's function must be Lua (sandbox_lua.c): it is written in
 * lua/stream.lua, kv.lua, cache.lua over a private table of natives, `calls`,
 * which a module's fill completes.
 */
#pragma once
#include "script/api/api.h"
#include "script/api/bind.h"
#include "script/api/modules.h"

/* Pushes that table. */
void calls_push(lua_State *L);
/* --- these add to it, on top of the stack --- */
/* calls[name] waits: start says true if there is something to wait for, else
 * false and the results; finish gives them. No gate. */
void calls_wait(lua_State *L, const char *name, lua_CFunction start,
                lua_CFunction finish);
void calls_native(lua_State *L, const char *name, lua_CFunction fn);
/* calls.gate["kv.update"] raises where that call may not be made, for each of
 * m's that is written in Lua. */
void calls_gates(lua_State *L, const struct api_module *m);
void calls_once(lua_State *L); /* bind_once.c */
/* Runs lua/NAME.lua with the house's names, that table, and the n values on
 * top, which go. */
void calls_run(lua_State *L, const char *name, int n);

void http_fill_stream(lua_State *L); /* bind_stream.c: http.stream */
/* For a start: true, or false and nil, code, detail. */
int calls_waiting(lua_State *L, struct task *t);
/* 100, "64KB", "2MB" -> bytes, 1 to most; raises for anything else. */
int64_t calls_size(lua_State *L, int idx, int64_t most, const char *what);

/* http.stream and http.request have the same request: the table at idx 1
 * becomes ask->http. Raises for what makes no sense. */
void http_read_request(lua_State *L, struct script_ask *ask);
/* bind_file.c */
int file_start(lua_State *L);
int file_finish(lua_State *L);
int file_body_start(lua_State *L);
int file_body_finish(lua_State *L);
uint64_t file_id_at(lua_State *L, int idx); /* "fi_" text, { id = }; 0 */
void http_push_headers(lua_State *L, struct slice lines);

/* A key of kv or a cache: 1 to LIMIT_NAME_BYTES of UTF-8. */
struct slice kv_key(lua_State *L, int idx, const char *what);
/* The space of a kv call: false = the unit's own, else a Space object;
 * copied to a. */
struct slice kv_space(lua_State *L, int idx, struct arena *a,
                      const struct task *t);
