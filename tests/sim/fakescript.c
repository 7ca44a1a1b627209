/* SPDX-License-Identifier: Apache-2.0 */
/* fakescript.c - jobs in, random effects out, later.
 *
 * Happy path: a job is kept till it is due, gets up to four effects, and goes
 * back. Failure modes played: a slow script (people act meanwhile),
 * effects that make no sense (an agent that is not there, an
 * alarm in the past).
 */
#include "fakescript.h"
#include "oracle.h"
#include "world.h"

#include <stdarg.h>
#include <stdio.h>

/* By data only, so that a job wanted before a crash is wanted after it. */
bool fakescript_wants(void *world, const struct job *job)
{
    struct world *w = world;
    if (!w->weather.scripts)
        return false;
    switch (job->hook) {
    case HOOK_MESSAGE:
        return job->event.ref.len && job->event.ref.at[0] == 'w';
    case HOOK_CONVERSATION:
        return job->conv.id % 3 == 0;
    case HOOK_INBOUND:
        return job->conv.id % 4 == 0;
    case HOOK_SEND:
        return job->conv.id % 4 == 1;
    case HOOK_ASSIGN:
    case HOOK_QUEUE:
    case HOOK_CLOSE:
        return job->conv.id % 5 == 0;
    case HOOK_EVENT:
        return job->conv.id && job->conv.id % 7 == 0;
    default:
        return true;
    }
}

/* A rule's patience is data, too. */
int64_t fakescript_patience(void *world, const struct job *job)
{
    (void)world;
    return job->conv.id % 3 * 300;
}

void fakescript_run(void *world, struct job *job)
{
    struct world *w = world;
    struct fakescript *s = &w->script;
    w->did.jobs++;
    oracle_on_run(w, job);
    if (s->count == FAKESCRIPT_JOBS) {
        world_fail(w, "more than %d jobs at once", FAKESCRIPT_JOBS);
        job_free(job);
        return;
    }
    int64_t takes = world_below(w, 20);
    if (world_chance(w, w->weather.slow_script))
        takes = 200 + world_below(w, 4000);
    s->jobs[s->count++] = (struct running){job, w->now + takes};
    world_say(w, "run %s conv %llu pos %llu fence %u", hook_name(job->hook),
              (unsigned long long)job->conv.id,
              (unsigned long long)job->event.pos, job->fence);
}

/* --- effects -------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static struct slice text_in(
    struct job *job, const char *fmt, ...)
{
    char text[120];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return slice_dup(job->arena, (struct slice){text, (size_t)n});
}

static void aim(struct world *w, struct effect *fx)
{
    switch (world_below(w, 4)) {
    case 0:
        fx->agent = world_chance(w, w->weather.rare)
                        ? 4711
                        : w->agents[world_below(w, WORLD_AGENTS)];
        break;
    case 1:
        fx->team = world_chance(w, w->weather.rare)
                       ? 4712
                       : w->teams[world_below(w, WORLD_TEAMS)];
        break;
    default:
        fx->pick = world_chance(w, 500) ? SLICE("round_robin") : SLICE("");
    }
}

static void add_effect(struct world *w, struct job *job)
{
    static const enum effect_type types[] = {
        EFFECT_REPLY,  EFFECT_REPLY,    EFFECT_REPLY,  EFFECT_NOTE,
        EFFECT_ASSIGN, EFFECT_ASSIGN,   EFFECT_CLOSE,  EFFECT_TAG,
        EFFECT_UNTAG,  EFFECT_PRIORITY, EFFECT_SET,    EFFECT_SNOOZE,
        EFFECT_ALARM,  EFFECT_KV_SET,   EFFECT_KV_DEL, EFFECT_FLOW,
        EFFECT_FLOW,   EFFECT_FLOW_END, EFFECT_CONTACT};
    enum effect_type type =
        types[world_below(w, sizeof(types) / sizeof(types[0]))];
    struct effect *fx = job_effect(job, type);
    unsigned n = ++w->script.tags;
    unsigned long long pos = job->event.pos;
    fx->unit = SLICE("rules/10-sim");
    fx->text = text_in(job, "t%llu-%u", pos, n);
    fx->name = text_in(job, "n%u", n % 5);
    fx->data = text_in(job, "{\"n\":%u}", n);
    switch (type) {
    case EFFECT_REPLY:
        fx->body =
            text_in(job, "{\"kind\":\"text\",\"text\":\"t%llu-%u\"}", pos, n);
        break;
    case EFFECT_ASSIGN:
        fx->name = SLICE("");
        if (world_chance(w, 250))
            fx->name = SLICE("bot"); /* an assistant's */
        else
            aim(w, fx);
        job->decided = true;
        break;
    case EFFECT_CLOSE:
        job->decided = true;
        break;
    case EFFECT_PRIORITY:
        fx->number = world_below(w, 4);
        break;
    case EFFECT_FLOW:
    case EFFECT_FLOW_END:
        fx->name = text_in(job, "flows/%u", n % 2);
        break;
    case EFFECT_CONTACT:
        fx->data =
            text_in(job, "{\"name\":\"N%u\",\"attributes\":{\"a\":%u}}", n, n);
        break;
    case EFFECT_SNOOZE:
    case EFFECT_ALARM:
        fx->number = w->now - 100 + world_below(w, 4000);
        break;
    default:
        break;
    }
}

/* It goes on from what is stored, and leaves it one step further. */
static void play_flow(struct world *w, struct job *job)
{
    struct flow *f = job->flow, *row = fakestore_flow(w, f->id);
    if (!row || row->step != f->step || row->state != f->state)
        world_fail(w, "I3: flow %llu is played from step %u, stored is %u",
                   (unsigned long long)f->id, f->step, row ? row->step : 0);
    if (job->event.pos && f->state != FLOW_WAITING)
        world_fail(w, "flow %llu got a message it did not wait for",
                   (unsigned long long)f->id);
    static const enum flow_state ends[] = {
        FLOW_SLEEPING, FLOW_WAITING, FLOW_WAITING, FLOW_READY,
        FLOW_READY,    FLOW_DONE,    FLOW_FAILED,  FLOW_DONE};
    f->state = w->calm || f->step > 20 ? FLOW_DONE : ends[world_below(w, 8)];
    f->step++;
    f->due_at = f->state == FLOW_SLEEPING ||
                        (f->state == FLOW_WAITING && world_chance(w, 500))
                    ? w->now + world_below(w, 5000)
                    : 0;
    job->decided = true;
}

static void message_effect(struct world *w, struct job *job)
{
    if (world_chance(w, 700))
        return;
    bool no = world_chance(w, 200);
    struct effect *fx = job_effect(job, no ? EFFECT_REJECT : EFFECT_EDIT);
    fx->unit = SLICE("rules/10-sim");
    fx->text = job->text;
    fx->body = job->event.body;
}

/* The commonest rule of all: first words go to the assistant. */
static bool is_handed(struct world *w, struct job *job)
{
    if (job->hook != HOOK_MESSAGE || job->event.seq != 1 ||
        !world_chance(w, 150))
        return false;
    struct effect *fx = job_effect(job, EFFECT_ASSIGN);
    fx->unit = SLICE("rules/10-sim");
    fx->name = SLICE("bot");
    job->decided = true;
    return true;
}

static void finish(struct world *w, struct job *job)
{
    bool before = job->hook == HOOK_INBOUND || job->hook == HOOK_SEND;
    job->ran = 1;
    if (before)
        message_effect(w, job);
    if (job->flow)
        play_flow(w, job);
    uint32_t n = world_below(w, 5);
    if (w->calm)
        n = n > 1 ? 1 : n;
    n = is_handed(w, job) ? 0 : n;
    for (uint32_t i = 0; i < n; i++)
        add_effect(w, job);
    job->rule = SLICE("rules/10-sim");
}

bool fakescript_step(struct world *w)
{
    struct fakescript *s = &w->script;
    if (s->count == 0)
        return false;
    size_t i = world_below(w, (uint32_t)s->count);
    if (s->jobs[i].due > w->now && !w->calm)
        return false;
    struct job *job = s->jobs[i].job;
    s->jobs[i] = s->jobs[--s->count];
    finish(w, job);
    oracle_on_ran(w, job);
    world_say(w, "ran conv %llu pos %llu: %u effects",
              (unsigned long long)job->conv.id,
              (unsigned long long)job->event.pos, job->count);
    job->done(job);
    return true;
}

bool fakescript_cancel(struct world *w)
{
    struct fakescript *s = &w->script;
    if (s->count == 0)
        return false;
    struct job *job = s->jobs[--s->count].job;
    job->result = ERR_CANCELLED;
    job->done(job);
    return true;
}
