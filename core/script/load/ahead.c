/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.c - the walk, the helpers, what they found.
 *
 * Happy path: a helper for each further processor takes the next unit until
 * there is none; so does the caller when it has nothing else to do. Failure modes: a thread that cannot be
 * started leaves the work to the others; what was not seen on this walk is
 * loaded when it is asked for, as ever.
 */
#include "script/load/ahead.h"
#include "script/load/files.h"
#include <stdatomic.h>
#include <unistd.h>

#define HELPERS 3   /* more bring little: the disk and malloc are shared */
#define FEW_UNITS 4 /* not worth a thread */

struct ahead {
    struct builder *builder;
    struct arena *arena;
    struct found {
        struct found *next;
        struct slice name;
    } * first, *last;
    struct ahead_unit *units;
    size_t count, hint;
    atomic_size_t taken;
    struct thread *helper[HELPERS];
    int helpers;
};

int reading_read(void *arg, struct slice name, struct arena *a,
                 struct slice *out, struct err *e)
{
    struct reading *r = arg;
    if (!slice_eq(name, r->unit.name))
        return files_read(r->builder->home, name, a, out, e);
    *out = slice_dup(a, r->unit.text);
    return 0;
}

static void on_found(void *arg, struct slice name)
{
    struct ahead *h = arg;
    struct found *f = arena_one(h->arena, struct found);
    f->name = slice_dup(h->arena, name);
    if (h->last)
        h->last->next = f;
    else
        h->first = f;
    h->last = f;
    h->count++;
}

static void load_one(const struct ahead *h, struct ahead_unit *u)
{
    const char *home = h->builder->home;
    u->reading.builder = h->builder;
    u->arena = arena_new();
    u->got = files_read(home, u->reading.unit.name, u->arena,
                        &u->reading.unit.text, &u->err);
    loader_init(&u->loader, reading_read, &u->reading,
                h->builder->conf.memory_bytes);
    u->loader.home = home;
    u->loader.shelf = h->builder->shelf;
    if (u->got == 0)
        u->version = load_version(&u->loader, u->reading.unit.name);
}

static void run(void *arg)
{
    struct ahead *h = arg;
    size_t i;
    while ((i = atomic_fetch_add(&h->taken, 1)) < h->count)
        load_one(h, &h->units[i]);
}

static void start_helpers(struct ahead *h)
{
    long others = sysconf(_SC_NPROCESSORS_ONLN) - 1;
    while (h->helpers < HELPERS && h->helpers < others &&
           thread_start("loader", run, h, &h->helper[h->helpers]) == 0)
        h->helpers++;
}

static void join(struct ahead *h)
{
    while (h->helpers > 0)
        thread_join(h->helper[--h->helpers]);
}

struct ahead *ahead_new(struct builder *b)
{
    struct arena *a = arena_new();
    struct ahead *h = arena_one(a, struct ahead);
    h->arena = a;
    h->builder = b;
    atomic_init(&h->taken, 0);
    /* A folder that cannot be read is told by the walk that looks again. */
    (void)files_each(b->home, on_found, h);
    if (h->count < FEW_UNITS) {
        h->count = 0;
        return h;
    }
    h->units = arena_many(a, struct ahead_unit, h->count);
    const struct found *f = h->first;
    for (size_t i = 0; i < h->count; i++, f = f->next)
        h->units[i].reading.unit.name = f->name;
    start_helpers(h);
    return h;
}

void ahead_finish(struct ahead *h)
{
    run(h);
    join(h);
}

struct ahead_unit *ahead_find(struct ahead *h, struct slice name)
{
    for (size_t i = 0; h && i < h->count; i++) {
        size_t at = (h->hint + i) % h->count; /* asked for in this order */
        if (!slice_eq(h->units[at].reading.unit.name, name))
            continue;
        h->hint = at + 1;
        return &h->units[at];
    }
    return NULL;
}

void ahead_free(struct ahead *h)
{
    if (!h)
        return;
    atomic_store(&h->taken, h->count);
    join(h);
    for (size_t i = 0; i < h->count; i++) {
        struct ahead_unit *u = &h->units[i];
        if (!u->arena)
            continue; /* not begun */
        if (u->version)
            version_unref(u->version);
        loader_fini(&u->loader);
        arena_free(u->arena);
    }
    arena_free(h->arena);
}
