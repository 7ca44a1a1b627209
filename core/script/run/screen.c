/* SPDX-License-Identifier: Apache-2.0 */
/* screen.c - replies through on_send, one by one.
 *
 * Happy path: no rule has on_send, or nobody replied: one test. Failure modes:
 * none of its own; a handler that fails is skipped like any other and the
 * reply goes out as the others left it.
 */
#include "script/run/screen.h"
#include "base/json.h"
#include "base/limits.h"
#include "script/api/bind_conv.h"

struct screen {
    enum hook hook;
    struct slice unit, text, kind, rule;
    struct event event;
    bool decided;
    uint32_t given;
    struct effect *first, *last; /* the round's */
    uint32_t count;
    struct effect *at;             /* the reply under way */
    struct effect *more, *more_at; /* what on_send handlers wanted */
    uint32_t more_count;
};

static bool is_wanted(const struct run *run)
{
    enum hook h = run->job->hook;
    if (h == HOOK_SEND || h == HOOK_INBOUND || run->job->call)
        return false;
    if (!(run->plan->hooks & 1u << HOOK_SEND))
        return false;
    for (const struct effect *e = run->job->first; e; e = e->next)
        if (e->type == EFFECT_REPLY)
            return true;
    return false;
}

static void begin(struct run *run)
{
    struct job *job = run->job;
    struct screen *s = arena_one(job->arena, struct screen);
    *s = (struct screen){.hook = job->hook,
                         .unit = job->unit,
                         .text = job->text,
                         .kind = job->kind,
                         .rule = job->rule,
                         .event = job->event,
                         .decided = job->decided,
                         .given = run->given,
                         .first = job->first,
                         .last = job->last,
                         .count = job->count};
    run->screen = s;
}

/* The job becomes the reply's. */
static void lend(struct run *run, const struct effect *reply)
{
    struct job *job = run->job;
    struct screen *s = run->screen;
    job->hook = HOOK_SEND;
    job->unit = SLICE("");
    job->event = (struct event){.name = EVENT_MESSAGE_CREATED,
                                .role = ROLE_BOT,
                                .conv = s->event.conv,
                                .at = job->at,
                                .body = reply->body};
    job->text = reply->text;
    job->decided = false;
    job->first = job->last = NULL;
    job->count = 0;
    run->given = s->given + s->count + s->more_count;
    run->body = NULL;
    run->at = 0;
    job->kind = json_text(bind_body(job), "kind");
}

/* The effects of a pass: onto the reply, or to the rest. */
static void collect(struct run *run)
{
    struct screen *s = run->screen;
    struct effect *next;
    for (struct effect *e = run->job->first; e; e = next) {
        next = e->next;
        e->next = NULL;
        if (e->type == EFFECT_EDIT) {
            s->at->body = e->body;
            s->at->text = e->text;
        } else if (e->type == EFFECT_REJECT) {
            s->at->type = EFFECT_COUNT; /* taken out at the end */
        } else {
            if (s->more_at)
                s->more_at->next = e;
            else
                s->more = e;
            s->more_at = e;
            s->more_count++;
        }
    }
}

static void append(struct job *job, struct effect *e)
{
    struct effect *next;
    for (; e; e = next) {
        next = e->next;
        if (e->type == EFFECT_COUNT)
            continue;
        e->next = NULL;
        if (job->last)
            job->last->next = e;
        else
            job->first = e;
        job->last = e;
        job->count++;
    }
}

void screen_close(struct run *run)
{
    struct job *job = run->job;
    struct screen *s = run->screen;
    if (!s)
        return;
    job->hook = s->hook;
    job->unit = s->unit;
    job->event = s->event;
    job->text = s->text;
    job->kind = s->kind;
    job->rule = s->rule;
    job->decided = s->decided;
    job->first = job->last = NULL;
    job->count = 0;
    append(job, s->first);
    append(job, s->more);
    run->given = s->given;
    run->screen = NULL;
    run->screened = true;
}

bool screen_next(struct run *run)
{
    if (run->screened)
        return false;
    if (run->screen)
        collect(run);
    else if (is_wanted(run))
        begin(run);
    else
        return false;
    struct screen *s = run->screen;
    struct effect *e = s->at ? s->at->next : s->first;
    while (e && e->type != EFFECT_REPLY)
        e = e->next;
    s->at = e;
    if (e)
        lend(run, e);
    else
        screen_close(run);
    return e != NULL;
}
