/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - what scripts can call: one table a module, the only source.
 *
 * Why: the reference (docs/author/api/), the editor's types (scripts/types/),
 * luacheck's globals, the "unknown function" check and the refusal of a call in
 * the wrong hook are all made of the same rows, so they cannot say different
 * things.
 *
 * Signatures are LuaLS's: "(key: string, ttl?: duration): any|nil, string?".
 * Immutable.
 */
#pragma once
#include "desk/effect.h"
#include <lua.h>

/* Where a call may be used: bits of hooks, and while the file is loaded. */
#define API_IN(hook) (1u << (hook))
#define API_LOAD (1u << 31)
#define API_HANDLERS ((1u << HOOK_COUNT) - 1u)
#define API_ANYWHERE (API_LOAD | API_HANDLERS)
/* Adapters' functions, and the others: rules and flows. */
#define API_ADAPTERS                                                           \
    (API_IN(HOOK_RECEIVE) | API_IN(HOOK_DELIVER) | API_IN(HOOK_PUSH) |         \
     API_IN(HOOK_POLL) | API_IN(HOOK_CHECK) | API_IN(HOOK_ASK) |               \
     API_IN(HOOK_EMBED) | API_IN(HOOK_TOOL) | API_IN(HOOK_TYPING) |            \
     API_IN(HOOK_RECALL) | API_IN(HOOK_PASSIVE))
#define API_RULES (API_HANDLERS & ~API_ADAPTERS)
/* A conversation's handlers: all but those that may have none. */
#define API_CONV (API_RULES & ~API_IN(HOOK_EVENT))
/* What is called with a message: handler(conv, msg). */
#define API_MESSAGES                                                           \
    (API_IN(HOOK_MESSAGE) | API_IN(HOOK_INBOUND) | API_IN(HOOK_SEND))
/* Before a message is stored nothing else may be said or moved. */
#define API_ACTS (API_CONV & ~(API_IN(HOOK_INBOUND) | API_IN(HOOK_SEND)))

enum api_flag {
    API_WAITS = 1,  /* looks blocking; in a flow only inside flow.step */
    API_FIELD = 2,  /* a value, not a call; signature is its type */
    API_METHOD = 4, /* called with a colon on the module's object */
    API_LUA = 8,    /* made in sandbox_lua or lua/: fn is NULL */
    API_VARIES = 16 /* another result each time: in a flow likewise */
};
struct api_call {
    const char *name;      /* NULL ends a list */
    lua_CFunction fn;      /* NULL: API_LUA or API_FIELD */
    unsigned where, flags; /* API_IN... ; enum api_flag */
    const char *signature;
    const char *doc;   /* English, first sentence = the summary; what it
                            returns on trouble; an example after "\n\n" */
    const char *since; /* "1" */
};
struct api_module {
    const char *name; /* "kv"; objects: "Conversation" */
    const char *doc;
    const struct api_call *calls;
    bool is_object; /* a type, not a global: conv, msg, stream */
    /* NULL, or: adds what is no C call (waits, values, what is written in Lua)
     * to the module's table, which is on top of the stack, and leaves that as
     * it was. May be done again if it raised. */
    void (*fill)(lua_State *L);
};
/* All modules, NULL at the end. */
extern const struct api_module *const api_modules[];

/* Modules are made when they are first touched: most scripts use four of them,
 * and all together are a hundred kilobytes. */

/* The table of natives, which is on top, is remembered for the three below. */
void api_open(lua_State *L);
/* native.module(name) -> the table of the module of that name, or nil. */
int api_on_module(lua_State *L);
/* For a fill. The call of that name (API_LUA | API_WAITS) in the table on top
 * is: start, wait if it says true, then what finish gives. The gate is before
 * start. */
void api_waits(lua_State *L, const struct api_module *m, const char *name,
               lua_CFunction start, lua_CFunction finish);

/* These leave one value on top of any stack. native[name]: */
void api_native(lua_State *L, const char *name);
/* A call that waits, behind no gate: */
void api_push_wait(lua_State *L, lua_CFunction start, lua_CFunction finish);
/* The gated function of a call: it raises "kv.set may not be called in on_send
 * (only in ...)". */
void api_push(lua_State *L, const struct api_call *c);
/* A function that does nothing but raise where that call may not be made (for
 * calls written in Lua, API_LUA). */
void api_gate(lua_State *L, const struct api_module *m, const char *name);
/* The one table of m's calls, made now if it was not yet. Reading a name that a
 * module does not have raises; nothing can be added to it. */
void api_methods(lua_State *L, const struct api_module *m);
/* The one metatable of m's objects, made likewise: its calls, and nothing to
 * see of it. */
void api_meta(lua_State *L, const struct api_module *m);

const struct api_call *api_find(const struct api_module *m, const char *name);
const struct api_module *api_module_find(const char *name);
/* The call whose name looks most like it, or NULL. */
const char *api_near(const struct api_module *m, struct slice name);
