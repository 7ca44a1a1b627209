/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c - the counted allocator, the loading clock, the C stack's depth.
 *
 * Happy path: a small block is the nursery's next bytes. Failure modes: past
 * the cap the allocator refuses and LuaJIT raises its "not enough memory"; a script may
 * catch that, so whoever ran it looks at `fails` too. Past the loading time
 * the hook raises at every further instruction, line, call and return until
 * the outermost call has returned: no pcall of the script's can swallow it.
 */
#include "script/run/budget.h"
#include "base/clock.h"
#include "base/err.h"
#include <lauxlib.h>
#include <string.h>

/* Collect when the heap is that many percent of what was left last time. Half
 * of what a small handler costs is collecting, so a small heap (of a 16th of
 * its maximum) may grow to four times itself; a large one must not meet its
 * maximum before it is collected. Large is also what weighs in the machine: of
 * a connector with thousands of answers under way garbage would be the greater
 * part. While a collection runs the heap goes on growing, by so much of itself
 * as the step is short: a large one is collected in longer steps. */
#define PAUSE_SMALL 400
#define PAUSE 200 /* LuaJIT's own */
#define PAUSE_LARGE 120
#define STEP 200 /* LuaJIT's own */
#define STEP_LARGE 400
#define LARGE_BYTES ((size_t)16 * 1024 * 1024)
#define HOOK_STEP 10000          /* instructions between two looks */
#define STACK_BYTES (256 * 1024) /* C stack for nested callbacks */

/* A block of the nursery's grows or shrinks, or leaves it. */
static void *move(struct budget *b, void *p, size_t was, size_t now)
{
    void *got = nursery_take(&b->nursery, now);
    if (!got)
        got = b->inner(b->inner_arg, NULL, 0, now);
    if (!got)
        return NULL;
    memcpy(got, p, was < now ? was : now);
    nursery_give(&b->nursery, p);
    return got;
}

static void *resize(struct budget *b, void *p, size_t was, size_t now)
{
    if (p && nursery_has(&b->nursery, p))
        return move(b, p, was, now);
    return b->inner(b->inner_arg, p, was, now);
}

static void release(struct budget *b, void *p, size_t was)
{
    if (nursery_has(&b->nursery, p))
        nursery_give(&b->nursery, p);
    else
        b->inner(b->inner_arg, p, was, 0);
}

static void *count(void *arg, void *p, size_t was, size_t now)
{
    struct budget *b = arg;
    if (now == 0) {
        b->used -= was;
        if (p)
            release(b, p, was);
        return NULL;
    }
    if (b->enforced && now > was && b->used + (now - was) > b->max) {
        b->fails++;
        return NULL;
    }
    void *got = p ? NULL : nursery_take(&b->nursery, now);
    if (!got)
        got = resize(b, p, was, now);
    if (got)
        b->used += now - was;
    return got;
}

/* While the state is closed. LuaJIT gives its own allocator's memory back in
 * one go, but only if it is the one it has then: it must be put back behind
 * the last block that is ours to free. */
static void *closing(void *arg, void *p, size_t was, size_t now)
{
    struct budget *b = arg;
    if (now != 0)
        return resize(b, p, was, now);
    if (p)
        release(b, p, was);
    if (p && nursery_has(&b->nursery, p) && nursery_is_empty(&b->nursery))
        lua_setallocf(b->closing, b->inner, b->inner_arg);
    return NULL;
}

void budget_init(struct budget *b, lua_State *L, size_t max_bytes)
{
    *b = (struct budget){.max = max_bytes};
    b->inner = lua_getallocf(L, &b->inner_arg);
    b->used = (size_t)lua_gc(L, LUA_GCCOUNT, 0) * 1024;
    lua_setallocf(L, count, b);
}

void budget_pace(struct budget *b, lua_State *L)
{
    if (!b->nursery.pages)
        nursery_open(&b->nursery);
    bool large = b->used > b->max / 4 || b->used > LARGE_BYTES;
    int pause = large                   ? PAUSE_LARGE
                : b->used > b->max / 16 ? PAUSE
                                        : PAUSE_SMALL;
    if (pause == b->pause)
        return;
    b->pause = pause;
    lua_gc(L, LUA_GCSETPAUSE, pause);
    lua_gc(L, LUA_GCSETSTEPMUL, large ? STEP_LARGE : STEP);
}

void budget_close(struct budget *b, lua_State *L)
{
    b->closing = L;
    if (nursery_is_empty(&b->nursery))
        lua_setallocf(L, b->inner, b->inner_arg);
    else
        lua_setallocf(L, closing, b);
    lua_close(L);
    nursery_close(&b->nursery);
}

struct budget *budget_of(lua_State *L)
{
    void *arg;
    must(lua_getallocf(L, &arg) == count);
    return arg;
}

void budget_enter(struct budget *b)
{
    b->fails = 0;
    b->enforced = true;
    b->stack = __builtin_frame_address(0);
}

void budget_leave(struct budget *b)
{
    b->enforced = false;
}

void budget_nest(lua_State *L)
{
    const char *here = __builtin_frame_address(0);
    if (budget_of(L)->stack - here > STACK_BYTES)
        luaL_error(L, "callbacks are nested too deep");
}

static void on_load_count(lua_State *L, lua_Debug *ar)
{
    struct budget *b = budget_of(L);
    if (!b->over) {
        if (clock_cpu_us() < b->until_us)
            return;
        b->over = true;
        lua_sethook(L, on_load_count,
                    LUA_MASKCOUNT | LUA_MASKLINE | LUA_MASKCALL | LUA_MASKRET,
                    1);
    }
    luaL_where(L, 0);
    lua_pushliteral(L, "killed: loading took too much CPU time");
    lua_concat(L, 2);
    lua_error(L);
}

static int on_error(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING)
        luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

int budget_pcall(lua_State *L, int nargs, int nresults, int64_t cpu_ms,
                 bool *killed)
{
    struct budget *b = budget_of(L);
    int at = lua_gettop(L) - nargs;
    lua_pushcfunction(L, on_error);
    lua_insert(L, at);
    b->until_us = clock_cpu_us() + cpu_ms * 1000;
    b->over = false;
    lua_sethook(L, on_load_count, LUA_MASKCOUNT, HOOK_STEP);
    budget_enter(b);
    int status = lua_pcall(L, nargs, nresults, at);
    budget_leave(b);
    lua_sethook(L, NULL, 0, 0);
    lua_remove(L, at);
    *killed = b->over || b->fails > 0;
    if (status == 0 && b->fails > 0) {
        /* Caught by the script, but a file that cannot load within its
         * memory is not a good version. */
        lua_settop(L, at - 1);
        lua_pushliteral(L, "not enough memory");
        status = LUA_ERRMEM;
    }
    return status;
}
