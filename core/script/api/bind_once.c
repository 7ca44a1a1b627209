/* SPDX-License-Identifier: Apache-2.0 */
/* bind_once.c - kv.once and cache:once: many want it, one makes it.
 *
 * Happy path: the roof knows who makes which value (app/asks_once.c). The first
 * to ask is told to make it, calls the author's function and gives the value
 * back; whoever asks meanwhile waits for that. Failure modes: the handler ends
 * while it makes or waits: the roof is told, and the next one tries.
 */
#include "base/clock.h"
#include "base/limits.h"
#include "script/api/calls.h"
#include "script/load/unit.h"
#include <stdio.h>

struct once {
    struct task_end end; /* must be first */
    struct slice space, key;
    char who[20]; /* our name with the roof */
    char text[];
};

static void on_end(struct task *t, struct task_end *e)
{
    struct once *o = container_of(e, struct once, end);
    struct script_ask *ask = task_note(t, ASK_ONCE_DONE);
    ask->unit = slice_dup(ask->arena, o->space);
    ask->name = slice_dup(ask->arena, o->key);
    ask->was = slice_dup(ask->arena, slice_of(o->who));
    task_post(t, ask);
    mem_free(o);
}

static struct once *find(const struct task *t, struct slice space,
                         struct slice key)
{
    list_each ((struct list *)&t->ends, l) {
        struct task_end *e = container_of(l, struct task_end, link);
        struct once *o = container_of(e, struct once, end);
        if (e->fn == on_end && slice_eq(o->space, space) &&
            slice_eq(o->key, key))
            return o;
    }
    return NULL;
}

static struct once *newest(const struct task *t)
{
    struct once *last = NULL;
    list_each ((struct list *)&t->ends, l) {
        struct task_end *e = container_of(l, struct task_end, link);
        if (e->fn == on_end)
            last = container_of(e, struct once, end);
    }
    return last;
}

static void once_add(struct task *t, const struct script_ask *ask)
{
    size_t n = ask->unit.len, k = ask->name.len;
    struct once *o = mem_alloc(sizeof *o + n + k + 1);
    memcpy(o->text, ask->unit.at, n);
    memcpy(o->text + n, ask->name.at, k);
    o->space = (struct slice){o->text, n};
    o->key = (struct slice){o->text + n, k};
    snprintf(o->who, sizeof o->who, "%.*s", SLICE_FMT(ask->was));
    o->end.fn = on_end;
    list_add_last(&t->ends, &o->end.link);
}

static void forget(struct once *o)
{
    list_remove(&o->end.link);
    mem_free(o);
}

/* once_ask(space, key, ttl): ttl nil = kept nowhere. "kept", value; "make"; or
 * nil, code, detail */
static int ask_start(lua_State *L)
{
    struct task *t = bind_task(L, "once");
    char who[20];
    lua_settop(L, 3);
    struct slice key = bind_text(L, 2, 2 * LIMIT_NAME_BYTES, "once: the key");
    struct script_ask *ask = task_ask(t, ASK_ONCE);
    ask->unit = kv_space(L, 1, ask->arena, t);
    ask->name = slice_dup(ask->arena, key);
    if (!lua_isnil(L, 3))
        ask->number = bind_duration(L, 3, "once: ttl");
    if (!lua_isnil(L, 3) && ask->number < 1)
        bind_raise(L, "once: ttl must be more than nothing");
    snprintf(who, sizeof who, "%llx", (unsigned long long)id_new());
    ask->was = slice_dup(ask->arena, slice_of(who));
    if (find(t, ask->unit, key))
        bind_raise(L, "once: '%s' is being made by this very handler", key.at);
    int got = calls_waiting(L, t);
    if (got == 1)
        once_add(t, ask);
    return got;
}

static int ask_finish(lua_State *L)
{
    struct task *t = bind_task(L, "once");
    const struct script_ask *ask = t->answer;
    int got = bind_wait_result(L, t);
    struct once *o = newest(t);
    if (got == ERR_NOT_FOUND) {
        lua_pushliteral(L, "make");
        return 1;
    }
    if (o)
        forget(o);
    if (got < 0 || !ask)
        return bind_trouble_of(L, got, ask ? ask->err.text : "");
    lua_pushliteral(L, "kept");
    value_push_text(L, ask->arena, ask->data, NULL);
    return 2;
}

static struct once *mine(lua_State *L, struct task *t, struct script_ask *ask)
{
    ask->unit = kv_space(L, 1, ask->arena, t);
    ask->name = slice_dup(ask->arena, bind_slice(L, 2));
    return find(t, ask->unit, ask->name);
}

/* once_give(space, key, ttl, value): the value is made; waits until it is kept.
 */
static int give_start(lua_State *L)
{
    struct task *t = bind_task(L, "once");
    const char *why;
    lua_settop(L, 4);
    struct buf *out =
        bind_buf(L, lua_isnil(L, 3) ? LIMIT_BODY_BYTES : LIMIT_KV_VALUE);
    if (value_write(L, 4, out, &why) < 0)
        bind_raise(L, "once: %s", why);
    struct script_ask *ask = task_ask(t, ASK_ONCE_DONE);
    struct once *o = mine(L, t, ask);
    if (!o)
        return 0;
    ask->was = slice_dup(ask->arena, slice_of(o->who));
    ask->data = slice_dup(ask->arena, buf_slice(out));
    if (!lua_isnil(L, 3))
        ask->number = bind_duration(L, 3, "once: ttl");
    int got = calls_waiting(L, t);
    if (got == 1)
        forget(o); /* else it is given up when the handler ends */
    return got;
}

static int give_finish(lua_State *L)
{
    struct task *t = bind_task(L, "once");
    (void)bind_wait_result(L, t); /* the value is good all the same */
    return 0;
}

/* once_fail(space, key): the next one shall make it */
static int once_fail(lua_State *L)
{
    struct task *t = bind_task(L, "once");
    struct script_ask *ask = task_ask(t, ASK_ONCE_DONE); /* to name it only */
    struct once *o = mine(L, t, ask);
    if (o) {
        list_remove(&o->end.link);
        on_end(t, &o->end);
    }
    return 0;
}

void calls_once(lua_State *L)
{
    calls_wait(L, "once_ask", ask_start, ask_finish);
    calls_wait(L, "once_give", give_start, give_finish);
    calls_native(L, "once_fail", once_fail);
}
