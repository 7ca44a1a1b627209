/* SPDX-License-Identifier: Apache-2.0 */
/* play.c - a flow's log is played.
 *
 * Happy path: play_begin reads the log (play_log.h); the calls consume its
 * entries, then the job's outcome closes the open one and everything is new
 * from there; play_park ends the run, play_end stores what has become of it.
 * Failure modes: an entry that does not fit the script, a log past its limits:
 * FAILED with a sentence; an error of the script: READY again a while later,
 * FAILED at the sixth.
 */
#include "script/flow/play.h"
#include "base/limits.h"
#include "script/flow/play_log.h"
#include "script/flow/play_view.h"
#include "script/report.h"
#include "script/run/worker.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const int64_t again_ms[] = {1000, 5000, 30000, 120000, 600000};
#define AGAIN (sizeof again_ms / sizeof again_ms[0])
#define ERROR_BYTES 500
#define OPEN_BYTES 1024 /* left for the entry that is open */

/* --- the effects ---------------------------------------------------------- */

static void forget_effects(struct play *p, struct effect *last, uint32_t count,
                           uint32_t effects)
{
    struct job *job = p->task->job;
    p->task->effects = effects;
    job->last = last;
    job->count = count;
    if (last)
        last->next = NULL;
    else
        job->first = NULL;
}

/* Everything so far has been committed by an earlier run. */
static void replayed(struct play *p)
{
    if (!p->live)
        forget_effects(p, p->last, p->count, p->effects);
}

static void set_safe(struct play *p)
{
    p->safe = (struct play_point){
        .len = p->log.len, .step = p->step, .open = p->open};
}

void play_go_live(struct play *p)
{
    replayed(p);
    p->live = true;
    set_safe(p);
}

/* --- begin -------------------------------------------------------------- */

/* The first run writes "start", all others read it. */
static bool start(struct play *p)
{
    struct job *job = p->task->job;
    const struct json *e = p->next;
    if (e) {
        play_view_read(job, json_get(e, "v")->first);
        p->at = json_int(e, "at", 0);
        p->next = e->next;
        if (!p->next && !p->open.is)
            play_go_live(p);
        return slice_is(json_text(e, "k"), "start");
    }
    p->live = true;
    struct slice view = play_view_write(job);
    if (!play_close(p, "start", "", 0, view, &e))
        return true; /* too long: play_break has said so */
    p->first_len = p->log.len;
    play_view_read(job, e->first);
    set_safe(p);
    return true;
}

int play_begin(struct task *t)
{
    struct job *job = t->job;
    struct play *p = arena_one(job->arena, struct play);
    t->play = p;
    p->task = t;
    p->flow = job->flow;
    p->now = job->conv;
    p->contact = job->contact;
    p->last = job->last;
    p->count = job->count;
    p->effects = t->effects;
    buf_init(&p->log, LIMIT_FLOW_LOG - OPEN_BYTES);
    if (play_log_read(p) == 0) {
        set_safe(p);
        if (start(p) && !p->stopped)
            return 0;
    }
    if (!p->error.len)
        play_break(p, "the flow's log cannot be read");
    play_end(t, true);
    return ERR_UNPROCESSABLE;
}

void play_free(struct task *t)
{
    if (t->play)
        buf_fini(&t->play->log);
    t->play = NULL;
}

/* --- playing -------------------------------------------------------------- */

int64_t play_wall(const struct play *p)
{
    return worker_wall(p->task->worker);
}

bool play_is_replaying(const struct task *t)
{
    return t && t->play && !t->play->live;
}

bool play_in_step(const struct task *t)
{
    return t && t->play && t->play->in_step;
}

bool play_clock(const struct task *t, int64_t *ms)
{
    if (!t || !t->play || t->play->in_step)
        return false;
    *ms = t->play->at;
    return true;
}

double play_random(struct play *p)
{
    uint64_t x = p->flow->id * 0x9e3779b97f4a7c15u ^ (uint64_t)p->at;
    x += ++p->drawn * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (double)((x ^ (x >> 31)) >> 11) / 9007199254740992.0;
}

static enum play_next unfit(struct play *p, const char *kind, const char *name,
                            struct slice was_kind, struct slice was_name,
                            uint32_t number)
{
    play_break(p,
               "the flow does not fit its log any more: step %u was %.*s "
               "'%.*s', the script now comes to %s '%s'; put back what was "
               "there, or end this flow and start it anew",
               number, SLICE_FMT(was_kind), SLICE_FMT(was_name), kind,
               name ? name : "");
    return PLAY_STOP;
}

static bool fits(struct slice kind, struct slice name, const char *want_kind,
                 const char *want_name)
{
    return slice_is(kind, want_kind) &&
           (!want_name || slice_is(name, want_name));
}

/* How many entries the one at e follows. */
static uint32_t number_of(const struct play *p, const struct json *e)
{
    uint32_t left = 0;
    for (; e; e = e->next)
        left += !play_log_is_open(e);
    return p->step - left;
}

enum play_next play_next(struct play *p, const char *kind, const char *name,
                         const struct json **out)
{
    const struct json *e = p->next;
    if (e && !play_log_is_open(e)) {
        struct slice k = json_text(e, "k"), n = json_text(e, "n");
        if (!fits(k, n, kind, name))
            return unfit(p, kind, name, k, n, number_of(p, e));
        p->at = json_int(e, "at", p->at);
        p->drawn = 0;
        p->next = e->next;
        replayed(p);
        if (!p->next)
            play_go_live(p);
        *out = e;
        return PLAY_KEPT;
    }
    if (!p->open.is)
        return PLAY_NEW;
    if (!fits(p->open.kind, p->open.name, kind, name))
        return unfit(p, kind, name, p->open.kind, p->open.name, p->step);
    replayed(p);
    return PLAY_OPEN;
}

/* --- steps ---------------------------------------------------------------- */

void play_step_begin(struct play *p)
{
    struct task *t = p->task;
    const struct job *job = t->job;
    if (!p->live)
        play_go_live(p);
    p->in_step = true;
    p->generation = t->generation;
    p->mark_effects = t->effects;
    p->mark = (struct mark){.last = job->last,
                            .count = job->count,
                            .tags = job->conv.tags,
                            .attributes = job->conv.attributes,
                            .priority = job->conv.priority};
}

bool play_step_end(struct play *p, bool ok)
{
    struct job *job = p->task->job;
    p->in_step = false;
    /* The step is not run again when the flow is replayed: what it did to the
     * flow's view of the conversation must not be seen by the first run. */
    job->conv.tags = p->mark.tags;
    job->conv.attributes = p->mark.attributes;
    job->conv.priority = p->mark.priority;
    if (!ok)
        forget_effects(p, p->mark.last, p->mark.count, p->mark_effects);
    return p->generation != p->task->generation;
}

/* --- ends ----------------------------------------------------------------- */

void play_park(struct play *p, enum flow_state end, int64_t due_at,
               const char *waits)
{
    p->stopped = true;
    p->end = end;
    p->due_at = due_at;
    p->waits = slice_dup(p->task->job->arena, slice_of(waits));
    p->task->wait = WAIT_PARK;
}

void play_break(struct play *p, const char *fmt, ...)
{
    char text[ERROR_BYTES];
    va_list ap;
    if (p->error.len)
        return; /* the first reason is the reason */
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct slice s = {text, n < 0 ? 0 : (size_t)n};
    p->error = slice_dup(p->task->job->arena, play_head(s, sizeof text - 1));
    play_park(p, FLOW_FAILED, 0, "");
}

void play_stuck(struct play *p, struct slice why)
{
    p->stuck = slice_dup(p->task->job->arena, play_head(why, ERROR_BYTES));
    play_park(p, FLOW_FAILED, 0, "");
}

static void tell(struct play *p, struct slice why)
{
    struct job *job = p->task->job;
    p->flow->error = why;
    job->failures++;
    if (!job->trouble.len)
        job->trouble = why;
    report_failure(p->task->worker, p->task->version, job, why);
}

/* A run that did not come to its wait has not heard what woke it: an answer
 * comes only once, so it is kept for the next run. */
static void keep_answer(struct play *p)
{
    struct arena *a = p->task->job->arena;
    struct slice values, name = p->open.name;
    const struct json *e;
    if (!p->live && p->open.is && slice_is(p->open.kind, "reply") &&
        p->safe.len && !p->safe.text.at && play_outcome(p, &values)) {
        char *text = arena_text(a, name.len + 1);
        memcpy(text, name.at, name.len);
        text[name.len] = 0;
        (void)play_close(p, "reply", text, 0, values, &e);
    }
}

static bool broke(struct play *p)
{
    keep_answer(p);
    forget_effects(p, p->last, p->count, p->effects);
    play_log_store(p, &p->safe);
    p->flow->state = FLOW_FAILED;
    p->flow->due_at = 0;
    tell(p, p->error);
    return false;
}

static void check_end(struct play *p, bool parked)
{
    if (p->stopped && !parked)
        play_break(p, "what waits cannot be called inside a callback of gsub "
                      "or sort, nor in a metamethod");
    else if (!p->stopped && !p->live)
        play_break(p,
                   "the flow does not fit its log any more: the script ends "
                   "after step %u, the log goes on",
                   p->next ? number_of(p, p->next) : p->step);
}

bool play_end(struct task *t, bool parked)
{
    struct play *p = t->play;
    struct flow *f = p->flow;
    check_end(p, parked);
    if (p->error.len)
        return broke(p);
    if (!p->stopped)
        p->open.is = false;
    struct play_point all = {
        .len = p->log.len, .step = p->step, .open = p->open};
    play_log_store(p, &all);
    f->view = play_view(p);
    f->state = p->stopped ? p->end : FLOW_DONE;
    f->due_at = p->stopped ? p->due_at : 0;
    f->attempts = 0;
    f->error = (struct slice){0};
    if (p->stuck.len)
        tell(p, p->stuck);
    return !p->stuck.len;
}

void play_fail(struct task *t, const char *why)
{
    struct play *p = t->play;
    struct flow *f = p->flow;
    struct slice text = slice_of(why);
    const char *line = memchr(text.at, '\n', text.len);
    keep_answer(p);
    if (p->error.len) {
        broke(p);
        return;
    }
    if (line)
        text.len = (size_t)(line - text.at);
    play_log_store(p, &p->safe);
    f->error = slice_dup(t->job->arena, play_head(text, ERROR_BYTES));
    f->due_at = f->attempts < AGAIN ? play_wall(p) + again_ms[f->attempts] : 0;
    f->state = f->attempts < AGAIN ? FLOW_READY : FLOW_FAILED;
    f->attempts++;
}
