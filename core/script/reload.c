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
#include "script/command.h"
#include "script/files.h"
#include "script/inside.h"
#include "script/load.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define AGAIN_US 2000000
#define TEST_BYTES (64 * 1024) /* of a failing test's output */

/* What the builder remembers of a unit: what it was last made of. */
struct known {
    struct arena *arena; /* of deps, renewed at each load */
    struct source *deps; /* names only */
    char hash[VERSION_TEXT];
    bool seen;   /* in the scan under way */
    bool unread; /* its file could not be read */
    bool failed; /* its tests */
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
    struct command *command; /* or NULL */
};

/* What is looked at in one go. */
struct scan {
    struct builder *builder;
    struct batch *batch;
    const struct order *order;     /* or NULL */
    const struct history *history; /* at the start */
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

static struct outcome_of *outcome(struct batch *batch, struct slice name,
                                  enum change change)
{
    struct outcome_of *o = arena_one(batch->arena, struct outcome_of);
    o->name = slice_dup(batch->arena, name);
    o->change = change;
    return o;
}

/* NULL: nothing to tell. */
static void tell(struct batch *batch, struct outcome_of *o)
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
                                  struct reading *r)
{
    struct loader l;
    struct batch *batch = s->batch;
    loader_init(&l, read_once, r, s->builder->conf.memory_bytes);
    l.home = s->builder->home;
    struct version *v = load_version(&l, k->name);
    remember(k, r, &l);
    struct outcome_of *o = outcome(batch, k->name, CHANGE_LOADED);
    o->phase = PHASE_LOAD;
    k->failed = v && !passes(s, v, o);
    if (!v)
        o->trouble = slice_dup(batch->arena, buf_slice(&l.trouble));
    if (k->failed)
        version_unref(v);
    if (!v || k->failed)
        o->change = CHANGE_BROKEN;
    else
        o->version = v;
    loader_fini(&l);
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
static struct outcome_of *make(struct scan *s, struct slice name, bool again)
{
    struct builder *b = s->builder;
    struct known *k = map_get_text(&b->known, name);
    struct reading r = {.builder = b};
    struct outcome_of *o = NULL;
    struct err e = {0};
    char hash[VERSION_TEXT];
    struct arena *a = arena_new();
    int got = files_read(b->home, name, a, &r.unit.text, &e);
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
        hash_now(b, &r, k, hash);
        if (again || strcmp(hash, k->hash) != 0)
            o = load_it(s, k, &r);
    }
    arena_free(a);
    return o;
}

/* --- at the start: what was -------------------------------------------------
 */

/* o: the file's; its version is the row's if it is the same. Gives the row's
 * version, or NULL if it does not load any more. */
static struct version *take_version(struct scan *s, struct outcome_of *o,
                                    const struct script_version *row)
{
    if (o->version && slice_is(row->version, o->version->text)) {
        struct version *v = o->version;
        o->version = NULL; /* it serves already: the file has no news */
        return v;
    }
    return history_load(row, s->builder->conf.memory_bytes, NULL);
}

static bool tell_row(struct scan *s, struct outcome_of *of,
                     const struct script_version *row)
{
    struct version *v = NULL;
    if (row->state != VERSION_REFUSED && !(v = take_version(s, of, row)))
        return false;
    struct outcome_of *o = outcome(s->batch, of->name, CHANGE_KEPT);
    o->version = v;
    o->kept = row->state;
    o->since_at = row->since_at;
    o->until_at = row->until_at;
    o->note = slice_dup(s->batch->arena, row->note);
    snprintf(o->text, sizeof o->text, "%.*s", SLICE_FMT(row->version));
    tell(s->batch, o);
    return true;
}

/* Newest first, so that the last four are those that stay. */
static void tell_pinned(struct scan *s, struct outcome_of *of,
                        const struct past *rows)
{
    const struct script_version *at[PINNED_MAX];
    size_t n = 0;
    for (const struct past *k = rows; k; k = k->next) {
        if (k->row->state != VERSION_PINNED)
            continue;
        size_t i = n;
        if (n == PINNED_MAX && k->row->until_at <= at[n - 1]->until_at)
            continue;
        if (n == PINNED_MAX)
            i = --n;
        for (; i > 0 && at[i - 1]->until_at < k->row->until_at; i--)
            at[i] = at[i - 1];
        at[i] = k->row;
        n++;
    }
    while (n > 0)
        tell_row(s, of, at[--n]);
}

static void tell_history(struct scan *s, struct outcome_of *of,
                         const struct past *rows)
{
    const struct script_version *serving = past_in(rows, VERSION_SERVING);
    const struct script_version *canary = past_in(rows, VERSION_CANARY);
    for (const struct past *k = rows; k; k = k->next)
        if (k->row->state == VERSION_REFUSED)
            tell_row(s, of, k->row);
    if (!serving || !tell_row(s, of, serving))
        return;
    tell_pinned(s, of, rows);
    if (canary)
        tell_row(s, of, canary);
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
        tell_history(s, o, history_of(s->history, name));
    if (o && (o->change != CHANGE_LOADED || o->version))
        tell(s->batch, o);
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
        tell(s->batch, outcome(s->batch, k->name, CHANGE_GONE));
        known_free(b, k);
    }
}

struct batch *builder_load_all(struct builder *b, const struct history *h)
{
    struct scan s = {.builder = b, .history = h};
    s.batch = batch_new(b);
    look_at_all(&s);
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
            tell(s->batch, make(s, k->name, false));
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
        tell(s->batch, make(s, k->name, true));
}

/* False: this path says only that something has changed. */
static bool make_path(struct scan *s, struct slice path)
{
    struct slice rest, name;
    if (!below_home(s->builder, &path))
        return false;
    if (files_adapter(path, &name)) {
        tell(s->batch, make(s, name, is_again(s->order, name)));
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
        tell(s->batch, make(s, name, is_again(s->order, name)));
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
        tell(s->batch, o);
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
    tell(s->batch, o);
}

static void on_order(struct mail *m)
{
    struct order *o = container_of(m, struct order, mail);
    struct builder *b = o->builder;
    struct scan s = {.builder = b, .order = o, .batch = batch_new(b)};
    bool all = o->count == 0 && !o->command;
    if (o->command)
        obey(&s, o->command);
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
    for (size_t i = 0; (k = map_next(&b->known, &i)) != NULL;)
        known_free(b, k);
    map_fini(&b->known);
    mem_free(b->home);
    mem_free(b);
}
