/* SPDX-License-Identifier: Apache-2.0 */
/* stop.c - drains and closes (I12: stop loses nothing accepted).
 *
 * Happy path: net takes no new sockets and says good-bye; what is under way is
 * committed; scripts end and their jobs are answered; the database writes what
 * it has and answers; the loop ends. Each step is a mail, so that the answers
 * of the one before have arrived. Failure: what does not end in time
 * (drain_ms) is left behind: what was acknowledged is on disk.
 */
#include "app/api/api.h"
#include "app/asks.h"
#include "app/assist/assist.h"
#include "app/channels/channels.h"
#include "app/files/files.h"
#include "app/server.h"
#include "base/log.h"

#define LOOK_MS 10

static void step(struct server *s, void (*run)(struct mail *m))
{
    s->step.run = run;
    loop_post(s->loop, &s->step);
}

static struct server *of_step(struct mail *m)
{
    return container_of(m, struct server, step);
}

static void stop_loop(struct mail *m)
{
    struct server *s = of_step(m);
    s->state = SERVER_CLOSED;
    loop_stop(s->loop);
}

static void close_net(struct mail *m)
{
    struct server *s = of_step(m);
    net_close(s->net);
    resumable_stop(s);
    filing_close(s->filing); /* what it was doing is answered by mail */
    s->filing = NULL;
    step(s, stop_loop);
}

static void close_store(struct mail *m)
{
    struct server *s = of_step(m);
    struct store *store = s->store;
    s->store = NULL; /* what comes from now on is answered by the ports */
    store_close(store);
    step(s, close_net);
}

static void close_scripts(struct server *s)
{
    struct script *script = s->script;
    s->state = SERVER_CLOSING;
    timer_stop(loop_wheel(s->loop), &s->tick);
    timer_stop(loop_wheel(s->loop), &s->beat);
    if (s->watch) {
        watch_close(s->watch);
        s->watch = NULL;
    }
    s->script = NULL;
    script_close(script);
    step(s, close_store);
}

static void on_look(struct timer *t)
{
    struct server *s = container_of(t, struct server, drain);
    struct desk_figures f = {0};
    desk_measure(s->desk, &f);
    bool quiet = s->net_is_closed && !f.pending && !f.jobs && !s->reloading &&
                 !assist_is_busy(s) && !s->founder;
    bool late = loop_now(s->loop) >= s->drain_until_ms;
    if (late && !quiet) {
        log_warn("app", "stopping with %zu jobs, %zu commits under way", f.jobs,
                 f.pending);
    }
    if (quiet || (late && !s->reloading && !assist_is_busy(s))) {
        close_scripts(s);
    } else {
        timer_start(loop_wheel(s->loop), &s->drain,
                    loop_now(s->loop) + LOOK_MS);
    }
}

static void on_net_closed(void *arg)
{
    struct server *s = arg;
    s->net_is_closed = true;
}

void server_stop(struct server *s)
{
    if (s->state != SERVER_SERVING) {
        return;
    }
    log_info("app", "stopping");
    s->state = SERVER_DRAINING;
    s->drain_until_ms = loop_now(s->loop) + s->conf.drain_ms;
    api_stop(s);
    held_stop(s);
    net_drain(s->net, on_net_closed, s);
    timer_init(&s->drain, on_look);
    timer_start(loop_wheel(s->loop), &s->drain, loop_now(s->loop) + LOOK_MS);
}

static void free_rest(struct server *s)
{
    assist_free(s->assist); /* the desk takes nothing back then */
    s->assist = NULL;
    if (s->desk) {
        desk_free(s->desk);
    }
    asks_free(s);
    resumable_free(s);
    auth_free(s->auth);
    guard_free(s->logins);
    guard_free(s->replays);
    guard_free(s->upload_guard);
    polls_free(s);
    map_fini(&s->polled);
    map_fini(&s->hooks);
    map_fini(&s->held);
    kinds_free(s->kinds);
    kinds_free(s->kinds_base);
    map_fini(&s->arrivals);
    char *hash;
    for (size_t i = 0; (hash = map_next(&s->passwords, &i)) != NULL;) {
        mem_free(hash);
    }
    map_fini(&s->passwords);
    void *peer;
    for (size_t i = 0; (peer = map_next(&s->agent_peers, &i)) != NULL;) {
        mem_free(peer);
    }
    map_fini(&s->agent_peers);
    map_fini(&s->idem);
    loop_free(s->loop);
    mem_free(s);
}

void server_free(struct server *s)
{
    must(s->state == SERVER_CLOSED);
    free_rest(s);
}

/* What an opening that failed has opened so far. */
void server_abandon(struct server *s)
{
    struct script *script = s->script;
    struct store *store = s->store;
    s->state = SERVER_CLOSED;
    s->script = NULL;
    if (script) {
        script_close(script);
    }
    if (s->watch) {
        watch_close(s->watch);
    }
    s->store = NULL;
    if (store) {
        store_close(store);
    }
    filing_close(s->filing);
    s->filing = NULL;
    if (s->loop) { /* the answers to what was asked */
        loop_stop(s->loop);
        loop_run(s->loop);
    }
    free_rest(s);
}
