/* SPDX-License-Identifier: Apache-2.0 */
/* chunk.c - bytecode by the address of its text.
 *
 * Happy path: found, loaded. The first time it is compiled and dumped. Failure
 * modes: two threads do so at once: the one that comes second forgets its own;
 * more texts than places: those are compiled each time.
 */
#include "script/load/chunk.h"
#include "base/buf.h"
#include "base/err.h"
#include "script/run/lua_source.h"
#include <lauxlib.h>
#include <stdatomic.h>
#include <string.h>

#define CHUNKS 64
#define CODE_BYTES (1024 * 1024)

static struct place {
    const char *_Atomic text;
    struct buf *_Atomic code; /* a while after text */
} places[CHUNKS];

static const struct buf *find(const char *text)
{
    for (size_t i = 0; i < CHUNKS; i++) {
        const char *at = atomic_load(&places[i].text);
        if (at == text)
            return atomic_load(&places[i].code);
        if (!at)
            break;
    }
    return NULL;
}

/* Takes code. */
static void keep(const char *text, struct buf *code)
{
    for (size_t i = 0; i < CHUNKS; i++) {
        const char *none = NULL;
        if (atomic_compare_exchange_strong(&places[i].text, &none, text)) {
            atomic_store(&places[i].code, code);
            return;
        }
        if (none == text) /* another thread was faster */
            break;
    }
    buf_fini(code);
    mem_free(code);
}

static int write(lua_State *L, const void *bytes, size_t n, void *arg)
{
    return buf_add(arg, bytes, n);
}

void chunk_push(lua_State *L, const char *text, const char *name)
{
    const struct buf *known = find(text);
    if (known) {
        must(luaL_loadbufferx(L, known->data, known->len, name, "b") == 0);
        return;
    }
    if (luaL_loadbufferx(L, text, strlen(text), name, "t") != 0)
        must_fail(__FILE__, __LINE__, lua_tostring(L, -1));
    struct buf *code = mem_alloc(sizeof *code);
    buf_init(code, CODE_BYTES);
    must(lua_dump(L, write, code) == 0);
    keep(text, code);
}

void chunk_push_own(lua_State *L, const char *name, const char *called)
{
    const struct lua_source *s = lua_sources;
    while (s->name && strcmp(s->name, name) != 0)
        s++;
    must(s->name);
    chunk_push(L, s->text, called);
}
