/* SPDX-License-Identifier: Apache-2.0 */
/* stage_ports.c - the desk's ports on a stage, counted.
 *
 * Happy path: a commit or a read goes to the real store with our name on it,
 * so that its answer passes here; jobs go to the real scripts; what is sent to
 * a socket is kept for who sits there. Failure: after a crash the store's
 * ports answer ERR_CANCELLED through the loop, as the contract wants it.
 */
#include "app/testing/fakes.h"
#include "base/clock.h"

/* Whose it was before it became ours for a while. */
struct passing {
    struct stage *stage;
    union {
        void (*tx)(struct tx *tx);
        void (*query)(struct query *q);
    } done;
    void *owner;
};

static struct passing *passing(struct stage *st, struct arena *a, void *owner)
{
    struct passing *p = arena_one(a, struct passing);
    p->stage = st;
    p->owner = owner;
    st->busy++;
    stage_moved(st);
    return p;
}

static void on_tx(struct tx *tx)
{
    struct passing *p = tx->owner;
    struct stage *st = p->stage;
    tx->owner = p->owner;
    tx->done = p->done.tx;
    st->busy--;
    stage_moved(st);
    if (st->crashed && !tx->result) { /* on disk, but nobody heard of it */
        tx->result = err_set(&tx->err, ERR_CANCELLED, "the house crashed");
    }
    tx->done(tx);
}

static void on_query(struct query *q)
{
    struct passing *p = q->owner;
    struct stage *st = p->stage;
    q->owner = p->owner;
    q->done = p->done.query;
    st->busy--;
    stage_moved(st);
    q->done(q);
}

static void late_tx(struct mail *m)
{
    struct tx *tx = (struct tx *)m;
    tx->result = err_set(&tx->err, ERR_CANCELLED, "the house crashed");
    tx->done(tx);
}

static void late_query(struct mail *m)
{
    struct query *q = (struct query *)m;
    q->result = err_set(&q->err, ERR_CANCELLED, "the house crashed");
    q->done(q);
}

static void late_job(struct mail *m)
{
    struct job *job = (struct job *)m;
    job->result = ERR_CANCELLED;
    job->done(job);
}

static void port_commit(void *arg, struct tx *tx)
{
    struct stage *st = arg;
    struct passing *p = passing(st, tx->arena, tx->owner);
    p->done.tx = tx->done;
    tx->done = on_tx;
    tx->owner = p;
    if (st->crashed) {
        tx->mail.run = late_tx;
        loop_post(st->loop, &tx->mail);
        return;
    }
    server_commit(st->server, tx);
}

static void port_read(void *arg, struct query *q)
{
    struct stage *st = arg;
    struct passing *p = passing(st, q->arena, q->owner);
    p->done.query = q->done;
    q->done = on_query;
    q->owner = p;
    if (st->crashed) {
        q->mail.run = late_query;
        loop_post(st->loop, &q->mail);
        return;
    }
    server_read(st->server, q);
}

static void port_run(void *arg, struct job *job)
{
    struct stage *st = arg;
    stage_moved(st);
    if (st->server->script) {
        script_run(st->server->script, job);
        return;
    }
    job->mail.run = late_job;
    loop_post(st->loop, &job->mail);
}

static bool port_wants(void *arg, const struct job *job)
{
    struct stage *st = arg;
    return st->server->script && script_wants(st->server->script, job);
}

static int64_t port_patience(void *arg, const struct job *job)
{
    struct stage *st = arg;
    return st->server->script ? script_patience(st->server->script, job) : 0;
}

static bool port_strict(void *arg, const struct job *job)
{
    struct stage *st = arg;
    return st->server->script ? script_is_strict(st->server->script, job)
                              : false;
}

static int64_t port_now(void *arg)
{
    (void)arg;
    return clock_ms();
}

static uint64_t port_id(void *arg)
{
    (void)arg;
    return id_new();
}

static bool port_send(void *arg, uint64_t peer, struct notice *n)
{
    struct stage *st = arg;
    stage_moved(st);
    return people_notice(st, peer, n);
}

static void port_accept(void *arg, uint64_t peer, enum role role)
{
    (void)arg;
    (void)peer;
    (void)role;
}

static void port_close(void *arg, uint64_t peer, int code, const char *reason)
{
    (void)code;
    (void)reason;
    people_gone(arg, peer);
}

static void port_give_credits(void *arg, int64_t n)
{
    (void)arg;
    (void)n;
}

struct desk_ports stage_ports(struct stage *st)
{
    return (struct desk_ports){.arg = st,
                               .now = port_now,
                               .id = port_id,
                               .commit = port_commit,
                               .run = port_run,
                               .read = port_read,
                               .wants = port_wants,
                               .patience = port_patience,
                               .strict = port_strict,
                               .ask = fakes_ask,
                               .send = port_send,
                               .accept = port_accept,
                               .close = port_close,
                               .give_credits = port_give_credits};
}

void stage_on_ask(void *arg, struct script_ask *ask)
{
    struct stage *st = arg;
    stage_moved(st);
    if (st->crashed) {
        arena_free(ask->arena);
        return;
    }
    if (!fakes_take(st->fakes, ask))
        asks_on_ask(st->server, ask);
}
