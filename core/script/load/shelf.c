/* SPDX-License-Identifier: Apache-2.0 */
/* shelf.c - leaves by name, their bytecode.
 *
 * Happy path: found, loaded from bytecode. The first to push one compiles it
 * and leaves the bytecode for the others. Failure modes: two threads put the
 * same name, or compile the same leaf, at once: both are right, one of them is
 * found from then on; no memory for the bytecode: the next one compiles again.
 */
#include "script/load/shelf.h"
#include "base/mem.h"
#include <lauxlib.h>
#include <string.h>

#define CODE_BYTES (4 * 1024 * 1024) /* of a text of LIMIT_SCRIPT_BYTES */

struct shelf {
    struct leaf *_Atomic first;
};

struct shelf *shelf_new(void)
{
    return mem_alloc(sizeof(struct shelf));
}

static void code_free(struct buf *code)
{
    if (code)
        buf_fini(code);
    mem_free(code);
}

void shelf_free(struct shelf *s)
{
    if (!s)
        return;
    for (struct leaf *f = atomic_load(&s->first), *next; f; f = next) {
        next = f->next;
        code_free(atomic_exchange(&f->code, NULL));
        leaf_unref(f);
    }
    mem_free(s);
}

struct leaf *shelf_find(struct shelf *s, struct slice name)
{
    for (struct leaf *f = s ? atomic_load(&s->first) : NULL; f; f = f->next) {
        if (!slice_eq(f->name, name))
            continue;
        atomic_fetch_add(&f->refs, 1);
        return f;
    }
    return NULL;
}

struct leaf *shelf_put(struct shelf *s, struct slice name, struct slice text)
{
    struct leaf *f = mem_alloc(sizeof *f + name.len + text.len);
    char *at = (char *)(f + 1);
    memcpy(at, name.at, name.len);
    memcpy(at + name.len, text.at, text.len);
    f->name = (struct slice){at, name.len};
    f->text = (struct slice){at + name.len, text.len};
    sha256_of(f->text, f->sum);
    atomic_init(&f->refs, s ? 2 : 1);
    f->shelved = s != NULL;
    if (!s)
        return f;
    f->next = atomic_load(&s->first);
    while (!atomic_compare_exchange_weak(&s->first, &f->next, f))
        ;
    return f;
}

void leaf_unref(struct leaf *f)
{
    if (f && atomic_fetch_sub(&f->refs, 1) == 1)
        mem_free(f);
}

static int write(lua_State *L, const void *bytes, size_t n, void *arg)
{
    return buf_add(arg, bytes, n);
}

/* The chunk is on top. */
static void keep_code(lua_State *L, struct leaf *f)
{
    struct buf *none = NULL, *code = mem_alloc(sizeof *code);
    buf_init(code, CODE_BYTES);
    if (lua_dump(L, write, code) != 0 ||
        !atomic_compare_exchange_strong(&f->code, &none, code))
        code_free(code);
}

int leaf_push(lua_State *L, struct leaf *f, const char *called)
{
    const struct buf *code = atomic_load(&f->code);
    if (code)
        return luaL_loadbufferx(L, code->data, code->len, called, "b");
    int status = luaL_loadbufferx(L, f->text.at, f->text.len, called, "t");
    if (status == 0 && f->shelved)
        keep_code(L, f);
    return status;
}
