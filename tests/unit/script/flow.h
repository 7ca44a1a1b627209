/* SPDX-License-Identifier: Apache-2.0 */
/* flow.h - a desk for one flow, for its tests: the row between the runs, time
 * that only moves when it is told to, what the visitor has seen so far. */
#pragma once
#include "world.h"

struct flowing {
    struct world w;
    struct arena *arena; /* the row's texts */
    struct flow row;
    int64_t now;
    int runs;
    struct buf said; /* replies of committed runs, each with a "|" behind */
};

static inline void flowing_init(struct flowing *f, const char *file)
{
    *f = (struct flowing){.arena = arena_new(), .now = 1900000000000};
    buf_init(&f->said, 64 * 1024);
    world_init(&f->w);
    clock_hold_ms(f->now);
    world_write(&f->w, "flows/a", file);
}

static inline void flowing_open(struct flowing *f, const char *args)
{
    world_open(&f->w);
    f->row = (struct flow){.id = 4711,
                           .unit = SLICE("flows/a"),
                           .conv = 5,
                           .contact = 7,
                           .state = FLOW_READY,
                           .created_at = f->now,
                           .args = slice_of(args),
                           .log = SLICE("[]"),
                           .view = SLICE("{}")};
}

/* run = the body of run(conv, args) */
static inline void flowing_with(struct flowing *f, const char *body)
{
    char text[8000];
    snprintf(text, sizeof text,
             "return { api = 1, run = function(conv, args) %s end }", body);
    flowing_init(f, text);
    flowing_open(f, "{}");
}

static inline void flowing_close(struct flowing *f)
{
    world_close(&f->w);
    clock_hold_ms(0);
    buf_fini(&f->said);
    arena_free(f->arena);
}

static inline void flow_keep(struct arena *a, struct flow *to,
                             const struct flow *from)
{
    *to = *from;
    to->unit = slice_dup(a, from->unit);
    to->version = slice_dup(a, from->version);
    to->args = slice_dup(a, from->args);
    to->log = slice_dup(a, from->log);
    to->view = slice_dup(a, from->view);
    to->error = slice_dup(a, from->error);
}

static inline struct job *flowing_job(struct flowing *f, const char *what,
                                      const char *text)
{
    struct job *job = world_job(&f->w, text ? text : "");
    job->hook = HOOK_FLOW;
    job->unit = SLICE("flows/a");
    job->what = slice_of(what);
    job->flow = arena_one(job->arena, struct flow);
    flow_keep(job->arena, job->flow, &f->row);
    if (!text) {
        job->event = (struct event){.conv = 5};
        job->text = job->kind = (struct slice){0};
    }
    return job;
}

static inline void flowing_commit(struct flowing *f, const struct job *job)
{
    flow_keep(f->arena, &f->row, job->flow);
    for (const struct effect *e = job->first; e; e = e->next) {
        if (e->type != EFFECT_REPLY)
            continue;
        CHECK_EQ_INT(buf_add_slice(&f->said, e->text), 0);
        CHECK_EQ_INT(buf_add_char(&f->said, '|'), 0);
    }
}

/* One run; committed. The caller frees the job. */
static inline struct job *flowing_run(struct flowing *f, const char *what,
                                      const char *text)
{
    struct job *job = world_run(&f->w, flowing_job(f, what, text));
    f->runs++;
    flowing_commit(f, job);
    return job;
}

/* The same, and on for as long as it is ready at once. */
static inline void flowing_on(struct flowing *f, const char *what,
                              const char *text)
{
    job_free(flowing_run(f, what, text));
    while (f->row.state == FLOW_READY && !f->row.due_at && f->runs < 200)
        job_free(flowing_run(f, "again", NULL));
}

static inline void flowing_wait(struct flowing *f, int64_t ms)
{
    f->now += ms;
    clock_hold_ms(f->now);
}

/* Time passes until it is due; it runs. */
static inline void flowing_due(struct flowing *f)
{
    REQUIRE(f->row.due_at > 0);
    if (f->row.due_at > f->now)
        flowing_wait(f, f->row.due_at - f->now);
    flowing_on(f, f->row.state == FLOW_READY ? "again" : "timer", NULL);
}

#define CHECK_SAID(f, text) CHECK_SLICE(buf_slice(&(f)->said), text)
#define CHECK_STATE(f, want)                                                   \
    CHECK_SLICE(slice_of(flow_state_name((f)->row.state)),                     \
                flow_state_name(want))
