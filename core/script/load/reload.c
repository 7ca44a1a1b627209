/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c - the builder: which units changed, and their new versions.
 *
 * Happy path: an order names files; the units they are or that required them
 * are hashed, those with news are loaded, and one batch goes home. Failure
 * modes: a unit that does not load is told as broken and whoever serves goes
 * on; a path that says nothing (a folder) means a look at everything; after
 * the house has stopped a batch is thrown away with its versions.
 */
#include "script/load/reload.h"
#include "base/clock.h"
#include "base/limits.h"
#include "script/command.h"
#include "script/inside.h"
#include "script/load/ahead.h"
#include "script/load/builder.h"
#include "script/load/files.h"
#include "script/load/shelf.h"
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define AGAIN_US 2000000

struct order {
    struct mail mail;
    struct builder *builder;
    struct arena *arena;
    struct slice *paths, *again;
    size_t count, again_count;
    struct command *command; /* or NULL */
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
    if (b->command)
        command_cancel(b->command);
    arena_free(b->arena);
    script_unref(s);
}

/* --- all of them ---------------------------------------------------------- */

static bool is_again(const struct order *order, struct slice name)
{
    for (size_t i = 0; order && i < order->again_count; i++)
        if (slice_eq(order->again[i], name))
            return true;
    return false;
}

static void on_found(void *arg, struct slice name)
{
    struct scan *s = arg;
    struct outcome_of *o = make(s, name, is_again(s->order, name));
    if (o && s->history)
        tell_past(s, o);
    if (o && (o->change != CHANGE_LOADED || o->version))
        outcome_tell(s->batch, o);
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
        outcome_tell(s->batch, outcome(s->batch, k->name, CHANGE_GONE));
        known_free(b, k);
    }
}

static void look_ends(struct builder *b)
{
    shelf_free(b->shelf);
    b->shelf = NULL;
}

void builder_load_ahead(struct builder *b)
{
    if (b->ahead)
        return;
    b->shelf = shelf_new();
    b->ahead = ahead_new(b);
}

struct batch *builder_load_all(struct builder *b, const struct history *h)
{
    struct scan s = {.builder = b, .history = h};
    s.batch = batch_new(b);
    builder_load_ahead(b);
    s.ahead = b->ahead;
    ahead_finish(s.ahead);
    look_at_all(&s);
    ahead_free(s.ahead);
    b->ahead = NULL;
    look_ends(b);
    return s.batch;
}

/* --- orders --------------------------------------------------------------- */

/* The path without the home, if it is below it; else it stays. */
static bool below_home(const struct builder *b, struct slice *path)
{
    const char *homes[] = {b->home, b->conf.home};
    for (int i = 0; i < 2 && path->len && path->at[0] == '/'; i++) {
        size_t n = strlen(homes[i]);
        if (slice_starts(*path, homes[i]) && path->at[n] == '/') {
            path->at += n + 1;
            path->len -= n + 1;
        }
    }
    return path->len && path->at[0] != '/';
}

static void make_dependents(struct scan *s, struct slice lib)
{
    struct builder *b = s->builder;
    struct known *k;
    for (size_t i = 0; (k = map_next(&b->known, &i)) != NULL;) {
        for (const struct source *d = k->deps; d; d = d->next) {
            if (!slice_eq(d->name, lib))
                continue;
            outcome_tell(s->batch, make(s, k->name, false));
            break;
        }
    }
}

/* A test was mended: the script that failed it is looked at again. */
static void make_tested(struct scan *s, struct slice path)
{
    static const char tail[] = "_test.lua";
    size_t n = sizeof tail - 1;
    if (path.len <= n || memcmp(path.at + path.len - n, tail, n) != 0)
        return;
    path.len -= n;
    const struct known *k = map_get_text(&s->builder->known, path);
    if (k && k->failed)
        outcome_tell(s->batch, make(s, k->name, true));
}

/* "channels/post/words.lua", which the adapter beside it may require; below ai/
 * also "ai/guard.lua". */
static bool is_part(struct slice path, struct slice *name)
{
    static const char tail[] = "_test.lua";
    size_t n = sizeof tail - 1;
    bool below = slice_starts(path, "channels/") || slice_starts(path, "ai/");
    if (!below || path.len <= n ||
        memcmp(path.at + path.len - 4, ".lua", 4) != 0 ||
        memcmp(path.at + path.len - n, tail, n) == 0)
        return false;
    *name = (struct slice){path.at, path.len - 4};
    return true;
}

/* False: this path says only that something has changed. */
static bool make_path(struct scan *s, struct slice path)
{
    struct slice rest, name;
    if (!below_home(s->builder, &path))
        return false;
    if (files_adapter(path, &name)) {
        outcome_tell(s->batch, make(s, name, is_again(s->order, name)));
        return true;
    }
    if (is_part(path, &name)) {
        make_dependents(s, name);
        return true;
    }
    if (!slice_starts(path, "scripts/"))
        return false;
    rest = (struct slice){path.at + 8, path.len - 8};
    bool is_lib = slice_starts(rest, "lib/");
    if (!is_lib && !slice_starts(rest, "rules/") &&
        !slice_starts(rest, "flows/"))
        return rest.len > 6 && slice_starts(rest, "types/");
    if (!files_name(rest, &name)) {
        make_tested(s, rest);
        return rest.len > 4 && memcmp(rest.at + rest.len - 4, ".lua", 4) == 0;
    }
    if (is_lib)
        make_dependents(s, name);
    else
        outcome_tell(s->batch, make(s, name, is_again(s->order, name)));
    return true;
}

/* A version of the history, by command. */
static void choose(struct scan *s, struct command *c)
{
    struct buf trouble;
    const struct known *k = map_get_text(&s->builder->known, c->unit);
    buf_init(&trouble, LIMIT_SCRIPT_BYTES);
    struct version *v =
        history_load(c->to, s->builder->conf.memory_bytes, &trouble);
    if (v) {
        struct outcome_of *o = outcome(s->batch, c->unit, CHANGE_CHOSEN);
        o->version = v;
        memcpy(o->text, k ? k->hash : "", k ? sizeof o->text : 1);
        outcome_tell(s->batch, o);
    } else {
        c->result = err_set(&c->err, ERR_UNPROCESSABLE, "%.*s",
                            SLICE_FMT(buf_slice(&trouble)));
    }
    buf_fini(&trouble);
}

static void obey(struct scan *s, struct command *c)
{
    s->batch->command = c;
    if (c->to) {
        choose(s, c);
        return;
    }
    struct outcome_of *o = make(s, c->unit, true);
    if (!o)
        c->result =
            err_set(&c->err, ERR_NOT_FOUND, "there is no file scripts/%.*s.lua",
                    SLICE_FMT(c->unit));
    outcome_tell(s->batch, o);
}

static void on_order(struct mail *m)
{
    struct order *o = container_of(m, struct order, mail);
    struct builder *b = o->builder;
    struct scan s = {.builder = b, .order = o, .batch = batch_new(b)};
    bool all = o->count == 0 && !o->command;
    b->shelf = shelf_new();
    if (o->command)
        obey(&s, o->command);
    for (size_t i = 0; i < o->count; i++)
        all |= !make_path(&s, o->paths[i]);
    if (all)
        look_at_all(&s);
    look_ends(b);
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

static struct order *order_new(struct builder *b)
{
    struct arena *a = arena_new();
    struct order *o = arena_one(a, struct order);
    o->arena = a;
    o->builder = b;
    o->mail.run = on_order;
    return o;
}

static void order_drop(struct mail *m)
{
    struct order *o = container_of(m, struct order, mail);
    if (o->command)
        command_cancel(o->command);
    arena_free(o->arena);
}

void builder_do(struct builder *b, struct command *c)
{
    struct order *o = order_new(b);
    o->command = c;
    mailbox_push(b->box, &o->mail);
}

void builder_order(struct builder *b, const char *const *paths, size_t n,
                   const char *const *again, size_t again_count)
{
    struct order *o = order_new(b);
    struct arena *a = o->arena;
    o->paths = copies(a, paths, n);
    o->count = n;
    o->again = copies(a, again, again_count);
    o->again_count = again_count;
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
                order_drop(m);
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
        order_drop(m);
    }
    mailbox_free(b->box);
    ahead_free(b->ahead);
    look_ends(b);
    for (size_t i = 0; (k = map_next(&b->known, &i)) != NULL;)
        known_free(b, k);
    map_fini(&b->known);
    mem_free(b->home);
    mem_free(b);
}
