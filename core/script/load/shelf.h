/* SPDX-License-Identifier: Apache-2.0 */
/* shelf.h - what units require: one text for all of them, compiled once a look.
 *
 * Why: twelve adapters require lib.channels, five connectors lib.ai and the
 * guard. Each state has functions of its own, but they need not be compiled
 * from the text twelve times, and the text is kept (for the history) once.
 *
 * A `leaf` is a file's text, counted. A `shelf` lasts as long as one look at
 * files (a start, a batch of changes): whoever requires the same name in it
 * gets the same leaf. What is loaded from its bytecode was compiled by this
 * process from that text; an author's bytecode is never loaded.
 *
 * Thread: any, except shelf_free: nobody else may use the shelf any more.
 */
#pragma once
#include "base/buf.h"
#include "base/crypto.h"
#include <lua.h>
#include <stdatomic.h>

struct leaf {
    atomic_int refs;
    bool shelved;
    struct leaf *next;
    struct slice name, text;
    unsigned char sum[SHA256_BYTES]; /* of text */
    struct buf *_Atomic code;        /* owned; while it is on a shelf */
};
struct shelf;

struct shelf *shelf_new(void);
void shelf_free(struct shelf *s); /* the texts live on; NULL: nothing */
/* One ref, or NULL: it is not there (also when s is NULL). */
struct leaf *shelf_find(struct shelf *s, struct slice name);
/* A leaf with one ref; copies both. On no shelf if s is NULL. */
struct leaf *shelf_put(struct shelf *s, struct slice name, struct slice text);
void leaf_unref(struct leaf *f); /* NULL: nothing */
/* luaL_loadbuffer's status, and chunk or sentence on top. called: "@file". */
int leaf_push(lua_State *L, struct leaf *f, const char *called);
