/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - the builder: which units changed, and their new versions.
 *
 * Happy path: an order names files; the units they are or that required them
 * are hashed, those with news are loaded, and one batch goes home. Failure
 * modes: a unit that does not load is told as broken and whoever serves goes
 * on; a path that says nothing (a folder) means a look at everything; after
 * the house has stopped a batch is thrown away with its versions.
 */
#include "script/reload.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "script/files.h"
#include "script/inside.h"
#include "script/load.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define AGAIN_US 2000000

/* What the builder remembers of a unit: what it was last made of. */
struct known {
    struct arena *arena; /* of deps, renewed at each load */
    struct source *deps; /* names only */
    char hash[VERSION_TEXT];
    bool seen;   /* in the scan under way */
    bool unread; /* its file could not be read */
    struct slice name;
    char text[];
};

struct builder {
    struct builder_conf conf;
    char *home;
    struct map known;
    struct mailbox *box;
    struct thread *thread; /* NULL: not started */
    atomic_bool quit;
    bool unread; /* something could not be read: look again soon */
};

struct order {
    struct mail mail;
    struct builder *builder;
    struct arena *arena;
    struct slice *paths, *again;
    size_t count, again_count;
};

/* --- batches -------------------------------------------------------------- */

static struct batch *batch_new(struct builder *b)
{
    struct arena *a = arena_new();
    struct batch *batch = arena_one(a, struct batch);
    batch->arena = a;
    batch->script = b->conf.script;
    batch->began_us = clock_mono_us();
    script_ref(batch->script);
    return batch;
}

void batch_free(struct batch *b)
{
    struct script *s = b->script;
    for (struct outcome_of *o = b->first; o; o = o->next)
        if (o->version)
            version_unref(o->version);
    arena_free(b->arena);
    script_unref(s);
}

static struct outcome_of *outcome(struct batch *batch, struct slice name,
                                  enum change change)
{
    struct outcome_of *o = arena_one(batch->arena, struct outcome_of);
    o->name = slice_dup(batch->arena, name);
    o->change = change;
    if (batch->last)
        batch->last->next = o;
    else
        batch->first = o;
    batch->last = o;
    return o;
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

static void known_free(struct builder *b, struct known *k)
{
    map_take_text(&b->known, k->name);
    arena_free(k->arena);
    mem_free(k);
}

struct reading {
    struct builder *builder;
    struct source unit; /* read already */
};

static int read_once(void *arg, struct slice name, struct arena *a,
                     struct slice *out, struct err *e)
{
    struct reading *r = arg;
    if (!slice_eq(name, r->unit.name))
        return files_read(r->builder->home, name, a, out, e);
    *out = slice_dup(a, r->unit.text);
    return 0;
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
        files_read(b->home, s->name, a, &s->text, NULL); /* "" if it is gone */
        last = last->next = s;
    }
    source_hash(&r->unit, out);
    r->unit.next = NULL;
    arena_free(a);
}

static void remember(struct known *k, struct reading *r, const struct loader *l)
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
    r->unit.next = l->libs;
    source_hash(&r->unit, k->hash);
    r->unit.next = NULL;
}

static struct outcome_of *load_it(struct builder *b, struct batch *batch,
                                  struct known *k, struct reading *r)
{
    struct loader l;
    loader_init(&l, read_once, r, b->conf.memory_bytes);
    struct version *v = load_version(&l, k->name);
    remember(k, r, &l);
    struct outcome_of *o =
        outcome(batch, k->name, v ? CHANGE_LOADED : CHANGE_BROKEN);
    o->version = v;
    if (!v)
        o->trouble = slice_dup(batch->arena, buf_slice(&l.trouble));
    loader_fini(&l);
    return o;
}

/* Returns what became of it, NULL = nothing new. */
static struct outcome_of *make(struct builder *b, struct batch *batch,
                               struct slice name, bool again)
{
    struct known *k = map_get_text(&b->known, name);
    struct reading r = {.builder = b};
    struct outcome_of *o = NULL;
    struct err e = {0};
    char hash[VERSION_TEXT];
    struct arena *a = arena_new();
    int got = files_read(b->home, name, a, &r.unit.text, &e);
    if (got == ERR_NOT_FOUND) {
        if (k) {
            outcome(batch, name, CHANGE_GONE);
            known_free(b, k);
        }
        arena_free(a);
        return NULL;
    }
    if (!k)
        k = known_new(b, name);
    k->seen = true;
    r.unit.name = k->name;
    b->unread |= got == ERR_UNAVAILABLE;
    if (got < 0 && !k->unread) { /* told once, however often it is tried */
        o = outcome(batch, name, CHANGE_BROKEN);
        o->trouble = slice_dup(batch->arena, slice_of(e.text));
        k->hash[0] = '\0';
    }
    k->unread = got < 0;
    if (got == 0) {
        hash_now(b, &r, k, hash);
        if (again || memcmp(hash, k->hash, sizeof hash) != 0)
            o = load_it(b, batch, k, &r);
    }
    arena_free(a);
    return o;
}

/* --- all of them ---------------------------------------------------------- */

struct scan {
    struct builder *builder;
    struct batch *batch;
    const struct order *order; /* or NULL */
    last_good_fn last_good;    /* or NULL */
    void *arg;
};

static bool is_again(const struct order *order, struct slice name)
{
    for (size_t i = 0; order && i < order->again_count; i++)
        if (slice_eq(order->again[i], name))
            return true;
    return false;
}

static int read_kept(void *arg, struct slice name, struct arena *a,
                     struct slice *out, struct err *e)
{
    const struct scan *s = arg;
    *out = s->last_good(s->arg, name, a);
    if (out->len)
        return 0;
    return err_set(e, ERR_NOT_FOUND, "no version of it was ever good");
}

/* At the start: a broken file serves its last good version. */
static void fall_back(struct scan *s, struct outcome_of *o)
{
    struct loader l;
    loader_init(&l, read_kept, s, s->builder->conf.memory_bytes);
    o->version = load_version(&l, o->name);
    loader_fini(&l);
}

static bool is_kept(struct scan *s, const struct version *v)
{
    bool same = true;
    struct arena *a = arena_new();
    for (const struct source *p = v->sources; same && p; p = p->next)
        same = slice_eq(s->last_good(s->arg, p->name, a), p->text);
    arena_free(a);
    return same;
}

static void on_found(void *arg, struct slice name)
{
    struct scan *s = arg;
    struct outcome_of *o =
        make(s->builder, s->batch, name, is_again(s->order, name));
    if (!o || !s->last_good)
        return;
    if (o->change == CHANGE_BROKEN)
        fall_back(s, o);
    else
        o->is_kept = is_kept(s, o->version);
}

static void look_at_all(struct scan *s)
{
    struct builder *b = s->builder;
    struct known *k;
    for (size_t i = 0; (k = map_next(&b->known, &i)) != NULL;)
        k->seen = false;
    if (files_each(b->home, on_found, s) < 0) {
        b->unread = true; /* what was not seen is not gone */
        return;
    }
    for (size_t i = 0; (k = map_next(&b->known, &i)) != NULL;) {
        if (k->seen)
            continue;
        outcome(s->batch, k->name, CHANGE_GONE);
        known_free(b, k);
    }
}

struct batch *builder_load_all(struct builder *b, last_good_fn last_good,
                               void *arg)
{
    struct scan s = {.builder = b, .last_good = last_good, .arg = arg};
    s.batch = batch_new(b);
    look_at_all(&s);
    return s.batch;
}

/* --- orders --------------------------------------------------------------- */

/* The path below scripts/; false: it is somewhere else. */
static bool below_scripts(const struct builder *b, struct slice path,
                          struct slice *rest)
{
    const char *homes[] = {b->home, b->conf.home};
    for (int i = 0; i < 2 && path.len && path.at[0] == '/'; i++) {
        size_t n = strlen(homes[i]);
        if (slice_starts(path, homes[i]) && path.at[n] == '/') {
            path.at += n + 1;
            path.len -= n + 1;
        }
    }
    if (!slice_starts(path, "scripts/"))
        return false;
    *rest = (struct slice){path.at + 8, path.len - 8};
    return true;
}

static void make_dependents(struct scan *s, struct slice lib)
{
    struct builder *b = s->builder;
    struct known *k;
    for (size_t i = 0; (k = map_next(&b->known, &i)) != NULL;) {
        for (const struct source *d = k->deps; d; d = d->next) {
            if (!slice_eq(d->name, lib))
                continue;
            make(b, s->batch, k->name, false);
            break;
        }
    }
}

/* False: this path says only that something has changed. */
static bool make_path(struct scan *s, struct slice path)
{
    struct slice rest, name;
    if (!below_scripts(s->builder, path, &rest))
        return false;
    bool is_lib = slice_starts(rest, "lib/");
    if (!is_lib && !slice_starts(rest, "rules/") &&
        !slice_starts(rest, "flows/"))
        return rest.len > 6 && slice_starts(rest, "types/");
    if (!files_name(rest, &name))
        return rest.len > 4 && memcmp(rest.at + rest.len - 4, ".lua", 4) == 0;
    if (is_lib)
        make_dependents(s, name);
    else
        make(s->builder, s->batch, name, is_again(s->order, name));
    return true;
}

static void on_order(struct mail *m)
{
    struct order *o = container_of(m, struct order, mail);
    struct builder *b = o->builder;
    struct scan s = {.builder = b, .order = o, .batch = batch_new(b)};
    bool all = o->count == 0;
    for (size_t i = 0; i < o->count; i++)
        all |= !make_path(&s, o->paths[i]);
    if (all)
        look_at_all(&s);
    s.batch->mail.run = script_on_batch;
    loop_post(b->conf.home_loop, &s.batch->mail);
    arena_free(o->arena);
}

static struct slice *copies(struct arena *a, const char *const *texts, size_t n)
{
    struct slice *out = arena_many(a, struct slice, n + 1);
    for (size_t i = 0; i < n; i++)
        out[i] = slice_dup(a, slice_of(texts[i]));
    return out;
}

void builder_order(struct builder *b, const char *const *paths, size_t n,
                   const char *const *again, size_t again_count)
{
    struct arena *a = arena_new();
    struct order *o = arena_one(a, struct order);
    o->arena = a;
    o->builder = b;
    o->paths = copies(a, paths, n);
    o->count = n;
    o->again = copies(a, again, again_count);
    o->again_count = again_count;
    o->mail.run = on_order;
    mailbox_push(b->box, &o->mail);
}

/* --- the thread ----------------------------------------------------------- */

static void run(void *arg)
{
    struct builder *b = arg;
    /* Messages first: a batch of files must not take a core from them. If it
     * is not allowed, the builder is as important as the others. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
    while (!atomic_load(&b->quit)) {
        struct mail *m = mailbox_wait(b->box, b->unread ? AGAIN_US : -1);
        if (!m && b->unread && !atomic_load(&b->quit)) {
            b->unread = false;
            builder_order(b, NULL, 0, NULL, 0); /* no handles, a bad disk */
        }
        while (m) {
            struct mail *next = m->next;
            if (atomic_load(&b->quit))
                arena_free(container_of(m, struct order, mail)->arena);
            else
                m->run(m);
            m = next;
        }
    }
}

struct builder *builder_new(const struct builder_conf *conf)
{
    struct builder *b = mem_alloc(sizeof *b);
    b->conf = *conf;
    char *real = realpath(conf->home, NULL);
    b->home = mem_strdup(real ? real : conf->home);
    free(real); /* libc's */
    map_init(&b->known);
    b->box = mailbox_new(NULL, NULL);
    return b;
}

void builder_start(struct builder *b)
{
    must(thread_start("builder", run, b, &b->thread) == 0);
}

void builder_free(struct builder *b)
{
    struct known *k;
    atomic_store(&b->quit, true);
    mailbox_nudge(b->box);
    if (b->thread)
        thread_join(b->thread);
    for (struct mail *m = mailbox_take(b->box), *next; m; m = next) {
        next = m->next;
        arena_free(container_of(m, struct order, mail)->arena);
    }
    mailbox_free(b->box);
    for (size_t i = 0; (k = map_next(&b->known, &i)) != NULL;)
        known_free(b, k);
    map_fini(&b->known);
    mem_free(b->home);
    mem_free(b);
}
