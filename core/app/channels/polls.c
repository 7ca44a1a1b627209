/* SPDX-License-Identifier: Apache-2.0 */
/* polls.c - platforms that must be asked.
 *
 * Happy path: each enabled channel whose adapter has poll() is asked, one call
 * at a time; what it remembers (its cursor) is committed before the next. It
 * says itself how soon: {again = seconds}; sooner when its receive() wants so
 * (ctx.poll_soon), or its settings were changed. Failure: longer and longer waits,
 * up to five minutes; a channel that is gone is asked no more.
 */
#include "app/channels/channels.h"
#include "app/kinds.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/meter.h"

#define EVERY_MS 10000
#define LEAST_MS 200
#define MOST_MS (5 * 60 * 1000)

METER(m_polls, METER_COUNTER, "yuelai_polls_total", "Platforms asked for news");
METER(m_failed, METER_COUNTER, "yuelai_polls_failed_total",
      "Of these, asked in vain");

struct poll {
    struct server *server;
    uint64_t channel;
    struct timer timer;
    struct job *job; /* under way, NULL = waits */
    int64_t wait_ms; /* the last wait after a failure, 0 = it went well */
    int64_t changed; /* its channel's updated_at, as seen last */
    int64_t rests_till;
    bool soon; /* once more when this one has ended */
    bool gone;
};

static void poll_free(struct poll *p)
{
    timer_stop(loop_wheel(p->server->loop), &p->timer);
    mem_free(p);
}

static void wait(struct poll *p, int64_t ms)
{
    struct loop *l = p->server->loop;
    timer_start(loop_wheel(l), &p->timer, loop_now(l) + ms);
    p->rests_till = loop_now(l) + (ms < LEAST_MS ? ms : LEAST_MS);
}

static void failed(struct poll *p, struct slice why)
{
    meter_add(&m_failed, 1);
    p->wait_ms = p->wait_ms ? p->wait_ms * 2 : EVERY_MS;
    if (p->wait_ms > MOST_MS) {
        p->wait_ms = MOST_MS;
    }
    desk_channel_trouble(p->server->desk, p->channel, SLICE("poll"), why);
    log_warn("app", "channel %llu could not be asked: %.*s",
             (unsigned long long)p->channel, SLICE_FMT(why));
    wait(p, p->wait_ms);
}

/* nil, code, why: it was asked, and something is wrong nevertheless. */
static void note(struct poll *p, const struct json *all)
{
    if (!json_bool(all, "ok", true)) {
        desk_channel_trouble(p->server->desk, p->channel,
                             json_text(all, "code"), json_text(all, "why"));
    }
}

static int64_t again_ms(struct poll *p, const struct job *job)
{
    struct json *all = NULL;
    if (json_parse(job->arena, job->call->answer, NULL, &all) < 0) {
        return EVERY_MS;
    }
    note(p, all);
    const struct json *again = json_get(all, "again");
    int64_t ms = json_is(again, JSON_REAL) ? (int64_t)(again->real * 1000)
                                           : json_int(all, "again", 10) * 1000;
    return ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms;
}

static void on_kept(void *arg, int result)
{
    struct poll *p = arg;
    struct job *job = p->job;
    p->job = NULL;
    if (p->gone) {
        poll_free(p);
    } else if (result) {
        failed(p, SLICE("its cursor could not be stored"));
    } else {
        int64_t ms = again_ms(p, job);
        p->wait_ms = 0;
        wait(p, p->soon ? LEAST_MS : ms);
        p->soon = false;
    }
    job_free(job);
}

static void on_polled(struct job *job)
{
    struct poll *p = job->owner;
    if (job->result || p->gone) {
        p->job = NULL;
        if (p->gone) {
            poll_free(p);
        }
        job_free(job);
    } else if (job->failures || !job->ran) {
        p->job = NULL;
        failed(p, job->trouble.len ? job->trouble
                                   : SLICE("its adapter is not there"));
        job_free(job);
    } else {
        call_keep(p->server, job, on_kept, p);
    }
}

static void on_timer(struct timer *t)
{
    struct poll *p = container_of(t, struct poll, timer);
    struct server *s = p->server;
    if (!s->script || s->state != SERVER_SERVING) {
        wait(p, EVERY_MS);
        return;
    }
    struct job *job = job_new(HOOK_POLL, on_polled, p);
    job->at = clock_ms();
    if (!desk_fill_call(s->desk, p->channel, job)) {
        job_free(job); /* polls_look will notice */
        wait(p, EVERY_MS);
        return;
    }
    meter_add(&m_polls, 1);
    p->soon = false;
    p->job = job;
    script_run(s->script, job);
}

static bool is_asked(const struct server *s, const struct channel *ch)
{
    const struct kind *k = kinds_find(s->kinds, ch->type);
    return ch->enabled && k && k->polls;
}

/* What waits is only brought forward, so that many wishes are one; after a
 * failure it waits as long as it has to. */
static void hasten(struct poll *p)
{
    struct loop *l = p->server->loop;
    if (p->job) {
        p->soon = true;
    } else if (!p->wait_ms && p->timer.due_ms > p->rests_till) {
        int64_t ms = p->rests_till - loop_now(l);
        timer_stop(loop_wheel(l), &p->timer);
        wait(p, ms > 0 ? ms : 0);
    }
}

void polls_soon(struct server *s, uint64_t channel)
{
    struct poll *p = map_get(&s->polled, channel);
    if (p) {
        hasten(p);
    }
}

void polls_look(struct server *s)
{
    const struct channel *ch;
    struct poll *p;
    for (size_t i = 0; (ch = desk_next_channel(s->desk, &i)) != NULL;) {
        if (is_asked(s, ch) && !map_get(&s->polled, ch->id)) {
            p = mem_alloc(sizeof *p);
            *p = (struct poll){
                .server = s, .channel = ch->id, .changed = ch->updated_at};
            timer_init(&p->timer, on_timer);
            map_put(&s->polled, ch->id, p);
            wait(p, LEAST_MS);
        }
    }
    for (size_t i = 0; (p = map_next(&s->polled, &i)) != NULL;) {
        ch = desk_channel(s->desk, p->channel);
        if (ch && is_asked(s, ch)) {
            if (p->changed != ch->updated_at) {
                p->changed = ch->updated_at;
                p->wait_ms = 0; /* perhaps that was what was wrong */
                hasten(p);
            }
            continue;
        }
        map_take(&s->polled, p->channel);
        p->gone = true;
        if (!p->job) {
            poll_free(p);
        }
    }
}

void polls_free(struct server *s)
{
    struct poll *p;
    for (size_t i = 0; (p = map_next(&s->polled, &i)) != NULL;) {
        map_take(&s->polled, p->channel);
        p->gone = true;
        if (!p->job) {
            poll_free(p);
        }
    }
}
