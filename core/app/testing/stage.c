/* SPDX-License-Identifier: Apache-2.0 */
/* stage.c - opening, closing and crashing a test's house; its time.
 *
 * Happy path of a step: something is given to the house, stage_settle runs the
 * loop until a look at the script threads finds them idle and nothing has moved
 * in between. Failure modes: a house that is never quiet (a handler that loops
 * over a service that never answers) ends the step after STAGE_REAL_MS with a
 * sentence; a house that cannot be opened fails its test.
 */
#include "app/testing/stage.h"
#include "app/asks.h"
#include "app/testing/people.h"
#include "base/clock.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>

#define NAP_MS 1
/* A busy machine under sanitizers is no reason for another story. */
#define STAGE_CPU_MS 1000

/* --- waiting -------------------------------------------------------------- */

void stage_moved(struct stage *st)
{
    st->moves++;
    if (st->napping)
        loop_stop(st->loop);
}

static void on_nap(struct timer *t)
{
    loop_stop(container_of(t, struct stage, nap)->loop);
}

/* Until something moves, or a moment of real time. */
static void nap(struct stage *st, int64_t ms)
{
    st->napping = true;
    timer_start(loop_wheel(st->loop), &st->nap, loop_now(st->loop) + ms);
    loop_run(st->loop);
    timer_stop(loop_wheel(st->loop), &st->nap);
    st->napping = false;
}

int stage_await(struct stage *st, const bool *flag, struct err *e)
{
    int64_t until = clock_mono_us() / 1000 + STAGE_REAL_MS;
    while (!*flag) {
        nap(st, 1000);
        if (clock_mono_us() / 1000 > until)
            return err_set(e, ERR_TIMEOUT,
                           "the house did not answer within %d s",
                           STAGE_REAL_MS / 1000);
    }
    return 0;
}

static void on_pass(struct mail *m)
{
    struct stage *st = container_of(m, struct stage, pass);
    st->passed = true;
    stage_moved(st);
}

/* What was posted before has been run. */
static void pass(struct stage *st)
{
    st->passed = false;
    st->pass.run = on_pass;
    loop_post(st->loop, &st->pass);
    (void)stage_await(st, &st->passed, NULL); /* mail always comes */
}

static void on_look(void *arg, int64_t next_ms, size_t asks)
{
    struct stage *st = arg;
    st->look_next = next_ms < 0 ? -1 : clock_ms() + next_ms;
    st->look_asks = asks;
    st->looked = true;
    if (st->napping)
        loop_stop(st->loop);
}

int stage_settle(struct stage *st, struct err *e)
{
    int64_t until = clock_mono_us() / 1000 + STAGE_REAL_MS;
    while (true) {
        uint64_t moves = st->moves;
        st->looked = false;
        script_look(st->server->script, on_look, st);
        int r = stage_await(st, &st->looked, e);
        if (r)
            return r;
        bool quiet = st->moves == moves && !st->busy && !st->calls &&
                     st->look_asks == fakes_waiting(st->fakes);
        if (quiet)
            return 0;
        if (st->moves == moves)
            nap(st, NAP_MS);
        if (clock_mono_us() / 1000 > until)
            return err_set(e, ERR_TIMEOUT,
                           "the house was not quiet within %d s (%zu answers "
                           "of the store, %zu of others awaited)",
                           STAGE_REAL_MS / 1000, st->busy, st->look_asks);
    }
}

/* --- time ----------------------------------------------------------------- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

int64_t stage_next(const struct stage *st, bool only_waits)
{
    int64_t next = sooner(st->look_next, fakes_next(st->fakes));
    if (!only_waits) {
        int64_t ms = desk_next_deadline(st->server->desk);
        next = sooner(next, ms < 0 ? -1 : clock_ms() + ms);
    }
    return next;
}

static int tick(struct stage *st, int64_t at, struct err *e)
{
    clock_hold_ms(at);
    desk_tick(st->server->desk);
    script_nudge(st->server->script);
    fakes_turn(st->fakes);
    return stage_settle(st, e);
}

int stage_advance(struct stage *st, int64_t to, struct err *e)
{
    int r = stage_settle(st, e);
    for (int moves = 0; r == 0; moves++) {
        int64_t now = clock_ms(), next = stage_next(st, false);
        if (next < 0 || next > to)
            break;
        if (moves == STAGE_MOVES)
            return err_set(e, ERR_TOOBIG,
                           "more than %d deadlines on the way: go in smaller "
                           "steps",
                           STAGE_MOVES);
        /* A wheel may be early by less than a slot; never stand still. */
        r = tick(st, next > now ? next : now + (moves % 8 == 7), e);
    }
    return r ? r : tick(st, to > clock_ms() ? to : clock_ms(), e);
}

/* --- questions ------------------------------------------------------------ */

struct waiting {
    struct stage *stage;
    bool done;
};

static void on_answer(struct query *q)
{
    struct waiting *w = q->owner;
    w->done = true;
    stage_moved(w->stage);
}

int stage_read(struct stage *st, struct query *q, struct err *e)
{
    struct waiting w = {.stage = st};
    q->done = on_answer;
    q->owner = &w;
    server_read(st->server, q);
    while (!w.done)
        nap(st, 1000);
    if (q->result && e)
        *e = q->err;
    return q->result;
}

static void on_written(struct tx *tx)
{
    struct waiting *w = tx->owner;
    w->done = true;
    stage_moved(w->stage);
}

int stage_commit(struct stage *st, struct tx *tx, struct err *e)
{
    struct waiting w = {.stage = st};
    tx->done = on_written;
    tx->owner = &w;
    server_commit(st->server, tx);
    while (!w.done)
        nap(st, 1000);
    if (tx->result)
        *e = tx->err;
    else
        server_announce(st->server, tx);
    return tx->result;
}

/* --- what is lasting, into memory ----------------------------------------- */

static void visit_channel(void *arg, const struct channel *c)
{
    desk_put_channel(((struct stage *)arg)->server->desk, c);
}

static void visit_agent(void *arg, const struct agent *a)
{
    desk_put_agent(((struct stage *)arg)->server->desk, a);
}

static void visit_team(void *arg, const struct team *t)
{
    desk_put_team(((struct stage *)arg)->server->desk, t);
}

static void visit_conversation(void *arg, const struct conversation *c,
                               const struct contact *who)
{
    desk_restore_conversation(((struct stage *)arg)->server->desk, c, who);
}

static void visit_unhandled(void *arg, const struct event *ev)
{
    desk_restore_event(((struct stage *)arg)->server->desk, ev);
}

static void visit_alarm(void *arg, const struct alarm *a)
{
    desk_restore_alarm(((struct stage *)arg)->server->desk, a);
}

static void visit_flow(void *arg, const struct flow *f)
{
    desk_restore_flow(((struct stage *)arg)->server->desk, f);
}

static void visit_outbox(void *arg, const struct outbox *o)
{
    desk_restore_outbox(((struct stage *)arg)->server->desk, o);
}

static int visit_all(struct stage *st, struct err *e)
{
    const struct store_visit v = {.arg = st,
                                  .channel = visit_channel,
                                  .agent = visit_agent,
                                  .team = visit_team,
                                  .conversation = visit_conversation,
                                  .unhandled = visit_unhandled,
                                  .alarm = visit_alarm,
                                  .flow = visit_flow,
                                  .outbox = visit_outbox};
    return store_visit(st->server->store, &v, e);
}

/* --- scripts -------------------------------------------------------------- */

static void on_change(void *arg)
{
    stage_moved(arg);
}

static void on_part(void *arg, struct job *part)
{
    struct stage *st = arg;
    stage_moved(st);
    desk_part(st->server->desk, part);
}

static void on_every(void *arg, struct slice unit)
{
    struct stage *st = arg;
    stage_moved(st);
    if (st->server->desk)
        desk_every(st->server->desk, unit);
}

static int64_t held_now(void *arg)
{
    (void)arg;
    return clock_ms();
}

static int open_scripts(struct stage *st, struct err *e)
{
    struct server *s = st->server;
    const struct script_conf conf = {.home = st->dir,
                                     .home_loop = st->loop,
                                     .threads = 1,
                                     .cpu_ms = STAGE_CPU_MS,
                                     .secrets = st->secrets,
                                     .on_ask = stage_on_ask,
                                     .on_change = on_change,
                                     .on_part = on_part,
                                     .on_every = on_every,
                                     .now = held_now,
                                     .arg = st};
    int r = script_open(&conf, e, &s->script);
    return r ? r : script_load_all(s->script, NULL, 0);
}

/* --- life ----------------------------------------------------------------- */

void stage_init(struct stage *st, struct loop *loop)
{
    *st = (struct stage){.loop = loop, .look_next = -1};
    timer_init(&st->nap, on_nap);
    st->fakes = fakes_new(st);
}

static int open_store(struct stage *st, struct err *e)
{
    struct server *s = st->server;
    char dir[STAGE_PATH + 8];
    snprintf(dir, sizeof dir, "%s/data", st->dir);
    const struct store_conf conf = {
        .dir = dir, .home = st->loop, .readers = 1, .refs_max = 10000};
    int r = store_open(&conf, e, &s->store);
    if (r)
        return r;
    s->epoch = store_epoch(s->store);
    memcpy(s->key, store_key(s->store), sizeof s->key);
    struct desk_conf dc = ports_conf(s);
    dc.ports = stage_ports(st);
    s->desk = desk_new(&dc);
    return visit_all(st, e);
}

static int open_server(struct stage *st, struct err *e)
{
    st->server = mem_alloc(sizeof *st->server);
    st->server->loop = st->loop;
    st->server->state = SERVER_SERVING;
    list_init(&st->server->polls);
    list_init(&st->server->founding);
    config_init(&st->server->conf);
    st->crashed = false;
    st->busy = 0;
    st->look_next = -1;
    int r = open_store(st, e);
    r = r ? r : open_scripts(st, e);
    if (r)
        return r;
    desk_start(st->server->desk);
    return 0;
}

/* Stops all but the folder. What was not committed is lost. */
static void close_server(struct stage *st)
{
    struct server *s = st->server;
    struct script *script = s->script;
    struct store *store = s->store;
    st->crashed = true;
    s->state = SERVER_CLOSING;
    s->script = NULL;
    script_close(script);
    pass(st); /* cancelled jobs are told to the desk, answers come */
    s->store = NULL;
    store_close(store);
    pass(st);
    pass(st); /* what those answers asked for is refused */
    asks_free(s);
    if (s->desk)
        desk_free(s->desk);
    mem_free(s);
    st->server = NULL;
}

void stage_fini(struct stage *st)
{
    for (int i = 0; i < st->recorded_count; i++)
        mem_free(st->recorded[i]);
    fakes_free(st->fakes);
}

void stage_begin_at(int64_t at, struct slice zone)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", SLICE_FMT(zone));
    clock_hold_ms(at);
    /* Scripts ask for it by name; nobody of theirs runs now. */
    must(setenv("TZ", strchr(name, '/') ? name : "UTC", 1) == 0);
}

int stage_open(struct stage *st, struct err *e)
{
    if (st->is_open)
        return 0;
    if (!st->arena)
        st->arena = arena_new();
    int r = stage_files_make(st, e);
    r = r ? r : open_server(st, e);
    st->is_open = true;
    r = r ? r : stage_settle(st, e);
    return r;
}

int stage_restart(struct stage *st, struct err *e)
{
    struct actor *a;
    fakes_turn(st->fakes);
    close_server(st);
    int r = open_server(st, e);
    r = r ? r : stage_settle(st, e);
    for (a = st->actors; a && r == 0; a = a->next)
        if (a->peer)
            people_join(st, a, true);
    return r ? r : stage_settle(st, e);
}

void stage_close(struct stage *st)
{
    if (st->server)
        close_server(st);
    fakes_reset(st->fakes);
    if (st->is_open)
        stage_files_remove(st);
    arena_free(st->arena);
    st->arena = NULL;
    st->actors = NULL;
    st->only = st->secrets = (struct slice){0};
    st->is_open = false;
    st->calls = 0;
    st->errors_taken = 0;
}
