/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - what calls of adapters have in common.
 *
 * Happy path: an item is made what its platform can show (plain.c); what the
 * adapter remembers (kv) is committed, then its caller goes on. Failure: a
 * commit that failed is told; nothing was remembered.
 */
#include "app/channels/channels.h"
#include "app/files/files.h"
#include "app/tongue.h"
#include "base/clock.h"
#include "base/log.h"

struct keeping {
    void (*next)(void *arg, int result);
    void *arg;
};

static void on_kept(struct tx *tx)
{
    struct keeping k = *(struct keeping *)tx->owner;
    int result = tx->result;
    if (result) {
        log_warn("app", "what an adapter remembers was not stored: %s",
                 tx->err.text);
    }
    tx_free(tx);
    k.next(k.arg, result);
}

void call_keep(struct server *s, const struct job *job,
               void (*next)(void *arg, int result), void *arg)
{
    struct tx *tx = tx_new(on_kept, NULL);
    struct keeping *k = arena_one(tx->arena, struct keeping);
    *k = (struct keeping){next, arg};
    tx->owner = k;
    job_put_kv(job, tx);
    if (tx->puts) {
        server_commit(s, tx);
        return;
    }
    tx_free(tx);
    next(arg, 0);
}

/* --- an item on its way out ----------------------------------------------- */

/* The house's own language is Chinese. */
static bool is_zh(const struct server *s, const struct job *job)
{
    return tongue_of(s, job->conv.id, job->conv.contact, job->call->config) !=
           TONGUE_EN;
}

void call_dress(struct server *s, struct job *job)
{
    struct adapter_call *call = job->call;
    const struct kind *k = call ? kinds_find(s->kinds, call->type) : NULL;
    files_dress_item(s, job);
    if (k) {
        struct plain p;
        plain_item(job->arena, call->item, &k->can, is_zh(s, job), &p);
        call->item = p.item;
        call->shown = p.shown;
        call->choices = p.choices;
    }
}

/* --- check ---------------------------------------------------------------- */

struct checking {
    struct server *server;
    struct job *job;
    void (*done)(void *arg, struct slice answer, const struct err *e);
    void *arg;
};

static void on_checked(struct job *job)
{
    struct checking *k = job->owner;
    struct err e = {0};
    if (job->result) {
        err_set(&e, ERR_UNAVAILABLE, "the server is stopping");
    } else if (!job->ran) {
        err_set(&e, ERR_UNSUPPORTED, "the adapter cannot check its settings");
    } else if (job->failures) {
        err_set(&e, ERR_UNPROCESSABLE, "%.*s", SLICE_FMT(job->trouble));
    }
    k->done(k->arg, e.code ? SLICE("") : job->call->answer, e.code ? &e : NULL);
    job_free(job);
}

static void on_stopped(struct mail *m)
{
    struct job *job = (struct job *)m;
    job->result = ERR_CANCELLED;
    on_checked(job);
}

void call_check(struct server *s, const struct channel *ch,
                void (*done)(void *arg, struct slice answer,
                             const struct err *e),
                void *arg)
{
    struct job *job = job_new(HOOK_CHECK, on_checked, NULL);
    struct checking *k = arena_one(job->arena, struct checking);
    *k = (struct checking){s, job, done, arg};
    job->owner = k;
    job->at = clock_ms();
    must(desk_fill_call(s->desk, ch->id, job));
    if (s->script) {
        script_run(s->script, job);
        return;
    }
    job->mail.run = on_stopped;
    loop_post(s->loop, &job->mail);
}
