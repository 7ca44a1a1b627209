/* SPDX-License-Identifier: Apache-2.0 */
/* testing.c - for `yuelai test`: a file of tests as a unit, and a look at what
 * the threads are waiting for.
 *
 * Happy path: the file is loaded here and now and serves at once. A look is a
 * mail to each worker, behind all that was given to it before; the last one
 * brings the sum home, behind all that the workers had to tell. Failure modes:
 * a file that does not load leaves whoever served; a look that meets the end
 * of the house is dropped with the mail.
 */
#include "base/clock.h"
#include "loop/mailbox.h"
#include "script/inside.h"
#include "script/load/files.h"
#include "script/load/load.h"
#include <string.h>

#define TEST_MEMORY (64 * 1024 * 1024)

/* --- the unit ------------------------------------------------------------- */

struct test_source {
    const char *home;
    struct slice text;
};

static int read_source(void *arg, struct slice name, struct arena *a,
                       struct slice *out, struct err *e)
{
    const struct test_source *src = arg;
    if (!slice_is(name, SCRIPT_TEST_UNIT))
        return files_read(src->home, name, a, out, e);
    *out = slice_dup(a, src->text);
    return 0;
}

bool script_is_passing(const char *unit)
{
    return strcmp(unit, SCRIPT_TEST_UNIT) == 0 ||
           strcmp(unit, SCRIPT_CONSOLE_UNIT) == 0;
}

void script_serve(struct script *s, struct slice name, struct version *v)
{
    struct arena *a = arena_new();
    struct batch *b = arena_one(a, struct batch);
    b->arena = a;
    b->script = s;
    b->began_us = clock_mono_us();
    b->first = b->last = arena_one(a, struct outcome_of);
    b->first->name = name;
    b->first->change = CHANGE_LOADED;
    b->first->version = v;
    script_ref(s);
    script_apply(s, b);
}

int script_load_test(struct script *s, const char *file, struct slice source,
                     struct buf *trouble)
{
    struct test_source src = {.home = s->home, .text = source};
    struct loader l;
    loader_init(&l, read_source, &src, TEST_MEMORY);
    l.file = file;
    l.home = s->home;
    l.is_test = true;
    struct version *v = load_version(&l, SLICE(SCRIPT_TEST_UNIT));
    buf_clear(trouble);
    if (v)
        script_serve(s, SLICE(SCRIPT_TEST_UNIT), v);
    else
        (void)buf_add_slice(trouble, buf_slice(&l.trouble)); /* or a part */
    loader_fini(&l);
    return v ? 0 : ERR_UNPROCESSABLE;
}

/* --- the look ------------------------------------------------------------- */

struct look {
    struct script *script;
    script_look_fn done;
    void *arg;
    int left; /* main's */
    int64_t next_ms;
    size_t asks;
};

struct look_at {
    struct mail mail; /* must be first */
    struct look *look;
    struct worker *worker;
    int64_t next_ms; /* -1 = nothing is timed */
    size_t asks;
};

static void on_home(struct mail *m)
{
    struct look_at *at = (struct look_at *)m;
    struct look *l = at->look;
    struct script *s = l->script;
    if (at->next_ms >= 0 && (l->next_ms < 0 || at->next_ms < l->next_ms))
        l->next_ms = at->next_ms;
    l->asks += at->asks;
    mem_free(at);
    if (--l->left)
        return;
    if (!s->closed)
        l->done(l->arg, l->next_ms, l->asks);
    mem_free(l);
    script_unref(s);
}

static void on_worker(struct mail *m)
{
    struct look_at *at = (struct look_at *)m;
    struct worker *w = at->worker;
    at->next_ms = w->stopping ? -1 : wheel_next(w->wheel, worker_now(w));
    for (uint32_t i = 0; i < w->slot_count; i++)
        if (w->slots[i] && !w->slots[i]->version->away &&
            w->slots[i]->wait == WAIT_ASK)
            at->asks++;
    m->run = on_home;
    worker_post(w, m);
}

void script_look(struct script *s, script_look_fn done, void *arg)
{
    struct look *l = mem_alloc(sizeof *l);
    *l = (struct look){.script = s,
                       .done = done,
                       .arg = arg,
                       .left = s->workers,
                       .next_ms = -1};
    if (s->conf.now)
        l->next_ms = wheel_next(s->every, s->conf.now(s->conf.arg));
    script_ref(s);
    for (int i = 0; i < s->workers; i++) {
        struct look_at *at = mem_alloc(sizeof *at);
        at->look = l;
        at->worker = s->worker[i];
        at->mail.run = on_worker;
        mailbox_push(s->worker[i]->box, &at->mail);
    }
}
