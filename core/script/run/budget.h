/* SPDX-License-Identifier: Apache-2.0 */
/* budget.h - how much memory and time a state may use.
 *
 * Memory: LuaJIT's own allocator, wrapped and counted; small blocks of
 * handlers do not come from it but from a nursery. The cap is enforced
 * only while script code runs: then "not enough memory" is an error of the
 * script's; anywhere else it would be a panic of ours.
 *
 * Time while a file is loaded: a count hook reads the thread's CPU clock every
 * 10,000 instructions. (Handlers run without a hook: watchdog.h.)
 *
 * C stack: a C function that calls back into Lua (gsub, sort) can be nested by
 * a script until the thread's stack is gone; budget_nest refuses in time.
 *
 * Thread: whoever has the state.
 */
#pragma once
#include "script/run/nursery.h"
#include <lua.h>

struct budget {
    lua_Alloc inner; /* LuaJIT's */
    void *inner_arg;
    size_t used, max; /* bytes */
    uint32_t fails;   /* refusals since budget_enter */
    int pause;        /* of the collector, as set last */
    bool enforced;
    bool over;         /* loading took too long */
    int64_t until_us;  /* CPU time of this thread, while loading */
    const char *stack; /* where the outermost call began */
    lua_State *closing;
    struct nursery nursery; /* from the first handler on */
};

/* b lives as long as L does. */
void budget_init(struct budget *b, lua_State *L, size_t max_bytes);
void budget_close(struct budget *b, lua_State *L); /* lua_close */
struct budget *budget_of(lua_State *L);
/* How eager the collector is, by what is used. Before a stretch. */
void budget_pace(struct budget *b, lua_State *L);
/* Around every stretch of script code. */
void budget_enter(struct budget *b);
void budget_leave(struct budget *b);
/* Raises "nested too deep" when C calls have used too much of the stack. */
void budget_nest(lua_State *L);
/* lua_pcall for loading: limited in time and memory, errors get a traceback.
 * Returns lua_pcall's status; *killed tells a kill from a plain error. */
int budget_pcall(lua_State *L, int nargs, int nresults, int64_t cpu_ms,
                 bool *killed);
