/* SPDX-License-Identifier: Apache-2.0 */
/* make.c - one unit, from its file to an outcome.
 *
 * Happy path: the file is read and hashed with its libs of the last time; if
 * that is news it is loaded and, if it has tests, proved. Failure modes: it
 * does not load, its tests fail: told as broken, with the place; it cannot be
 * read: told once, tried again later; it is not there: gone.
 */
#include "script/inside.h"
#include "script/load/ahead.h"
#include "script/load/builder.h"
#include "script/load/files.h"
#include "script/load/load.h"
#include "script/load/shelf.h"
#include <stdio.h>

#define TEST_BYTES (64 * 1024) /* of a failing test's output */

/* --- outcomes ------------------------------------------------------------- */

struct outcome_of *outcome(struct batch *batch, struct slice name,
                           enum change change)
{
    struct outcome_of *o = arena_one(batch->arena, struct outcome_of);
    o->name = slice_dup(batch->arena, name);
    o->change = change;
    return o;
}

/* NULL: nothing to tell. */
void outcome_tell(struct batch *batch, struct outcome_of *o)
{
    if (!o)
        return;
    if (batch->last)
        batch->last->next = o;
    else
        batch->first = o;
    batch->last = o;
}

/* --- one unit ------------------------------------------------------------- */

static struct known *known_new(struct builder *b, struct slice name)
{
    struct known *k = mem_alloc(sizeof *k + name.len + 1);
    memcpy(k->text, name.at, name.len);
    k->name = (struct slice){k->text, name.len};
    map_put_text(&b->known, k->name, k);
    return k;
}

void known_free(struct builder *b, struct known *k)
{
    map_take_text(&b->known, k->name);
    arena_free(k->arena);
    mem_free(k);
}

/* The hash as it would be now, with the libs of the last time. */
static void hash_now(struct builder *b, struct reading *r,
                     const struct known *k, char out[VERSION_TEXT])
{
    struct arena *a = arena_new();
    struct source *last = &r->unit;
    for (const struct source *d = k->deps; d; d = d->next) {
        struct source *s = arena_one(a, struct source);
        s->name = d->name;
        s->leaf = shelf_find(b->shelf, s->name);
        if (s->leaf)
            s->text = s->leaf->text;
        else /* "" if it is gone */
            files_read(b->home, s->name, a, &s->text, NULL);
        last = last->next = s;
    }
    source_hash(&r->unit, out);
    for (const struct source *s = r->unit.next; s; s = s->next)
        leaf_unref(s->leaf);
    r->unit.next = NULL;
    arena_free(a);
}

/* v: what became of it, or NULL. */
static void remember(struct known *k, struct reading *r, const struct loader *l,
                     const struct version *v)
{
    arena_free(k->arena);
    k->arena = arena_new();
    k->deps = NULL;
    struct source **at = &k->deps;
    for (const struct source *s = l->libs; s; s = s->next) {
        *at = arena_one(k->arena, struct source);
        (*at)->name = slice_dup(k->arena, s->name);
        at = &(*at)->next;
    }
    if (v) {
        memcpy(k->hash, v->text, sizeof k->hash);
        return;
    }
    r->unit.next = l->libs;
    source_hash(&r->unit, k->hash);
    r->unit.next = NULL;
}

/* At the start what is known is not tested again, and of a script that nobody
 * knows there is nothing to protect. */
static bool needs_test(const struct scan *s, const struct version *v)
{
    char name[UNIT_NAME + 8];
    const struct builder *b = s->builder;
    if (!b->conf.run_test || v->name.len > UNIT_NAME)
        return false;
    if (s->history) {
        const struct past *rows = history_of(s->history, v->name);
        if (!rows || past_as(rows, v->text))
            return false;
    }
    int n = snprintf(name, sizeof name, "%.*s_test", SLICE_FMT(v->name));
    return files_is_there(b->home, (struct slice){name, (size_t)n});
}

static bool passes(const struct scan *s, const struct version *v,
                   struct outcome_of *o)
{
    struct buf out;
    const struct builder *b = s->builder;
    if (!needs_test(s, v))
        return true;
    buf_init(&out, TEST_BYTES);
    int got = b->conf.run_test(b->conf.arg, v->name, &out);
    if (got < 0) {
        o->phase = PHASE_TEST;
        o->trouble = slice_dup(s->batch->arena, buf_slice(&out));
    }
    buf_fini(&out);
    return got == 0;
}

static struct outcome_of *load_it(struct scan *s, struct known *k,
                                  struct reading *r, struct ahead_unit *ahead)
{
    struct loader own, *l = ahead ? &ahead->loader : &own;
    struct batch *batch = s->batch;
    struct version *v;
    if (ahead) {
        v = ahead->version;
        ahead->version = NULL;
    } else {
        loader_init(l, reading_read, r, s->builder->conf.memory_bytes);
        l->home = s->builder->home;
        l->shelf = s->builder->shelf;
        v = load_version(l, k->name);
    }
    remember(k, r, l, v);
    struct outcome_of *o = outcome(batch, k->name, CHANGE_LOADED);
    o->phase = PHASE_LOAD;
    k->failed = v && !passes(s, v, o);
    if (!v)
        o->trouble = slice_dup(batch->arena, buf_slice(&l->trouble));
    if (k->failed)
        version_unref(v);
    if (!v || k->failed)
        o->change = CHANGE_BROKEN;
    else
        o->version = v;
    if (!ahead)
        loader_fini(l);
    return o;
}

static struct outcome_of *unreadable(struct scan *s, struct known *k,
                                     const struct err *e)
{
    struct outcome_of *o = outcome(s->batch, k->name, CHANGE_BROKEN);
    o->phase = PHASE_LOAD;
    o->trouble = slice_dup(s->batch->arena, slice_of(e->text));
    k->hash[0] = '\0';
    return o;
}

/* Returns what became of it, NULL = nothing new. */
struct outcome_of *make(struct scan *s, struct slice name, bool again)
{
    struct builder *b = s->builder;
    struct known *k = map_get_text(&b->known, name);
    struct reading r = {.builder = b};
    struct outcome_of *o = NULL;
    struct err e = {0};
    char hash[VERSION_TEXT];
    struct arena *a = arena_new();
    struct ahead_unit *ahead = ahead_find(s->ahead, name);
    int got =
        ahead ? ahead->got : files_read(b->home, name, a, &r.unit.text, &e);
    if (ahead) {
        r.unit.text = ahead->reading.unit.text;
        e = ahead->err;
    }
    if (got == ERR_NOT_FOUND) {
        if (k) {
            o = outcome(s->batch, name, CHANGE_GONE);
            known_free(b, k);
        }
        arena_free(a);
        return o;
    }
    if (!k)
        k = known_new(b, name);
    k->seen = true;
    r.unit.name = k->name;
    b->unread |= got == ERR_UNAVAILABLE;
    if (got < 0 && (again || !k->unread)) /* told once, however often tried */
        o = unreadable(s, k, &e);
    k->unread = got < 0;
    if (got == 0) {
        bool news = again || !k->hash[0];
        if (!news)
            hash_now(b, &r, k, hash);
        if (news || strcmp(hash, k->hash) != 0)
            o = load_it(s, k, &r, ahead);
    }
    arena_free(a);
    return o;
}
