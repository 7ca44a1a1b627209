/* SPDX-License-Identifier: Apache-2.0 */
/* outcome.h - what becomes of a job: its effects, its trace, its letter; the
 * desk's own files share it, nobody else includes it.
 */
#pragma once
#include "base/limits.h"
#include "desk/inner.h"

/* One job's effects, being decided on the conversation as it is now. */
struct outcome {
    struct desk *d;
    struct conv *c; /* NULL: a job of no conversation */
    struct job *job;
    struct tx *tx;
    struct step *s;
    bool late;           /* the fence is an old one (I13) */
    bool overdue;        /* the default has placed it meanwhile */
    bool moved, updated; /* holder; anything of the record */
    bool puts;           /* rows beside the conversation's */
    bool placed;         /* by the default: no rule did */
    uint32_t said;       /* replies among the effects so far */
    bool to_bot;         /* an assistant is to answer */
    struct turn *known;  /* has its answer already; NULL = none */
    struct slice answer; /* the body of it */
    struct slice why;    /* of a send: what the platform said */
    int64_t again_at;    /* it is tried again then; 0 = it is not */
    enum event_name name;
    const char *refused[LIMIT_EFFECTS]; /* why, by the effect's number */
};
struct outcome outcome_of(struct desk *d, struct conv *c, struct job *job);

/* effects.c */
void outcome_apply(struct outcome *o); /* all of job's effects */
/* Only what does not move or answer: of a message before it is stored. */
void outcome_apply_kept(struct outcome *o);
void outcome_apply_notes(struct outcome *o); /* and then these */
void outcome_place(struct outcome *o); /* what no rule placed: the queue */
void outcome_to_bot(struct outcome *o, struct slice name); /* "*" = the last */
void outcome_release(struct outcome *o); /* it is not committed after all */

/* within.c: whoever e gave it to has so much time to answer. */
void within_put(struct outcome *o, const struct effect *e);

/* flows.c */
void flow_begin(struct outcome *o, const struct effect *e, const char **why);
void flow_end_all(struct outcome *o, struct slice unit);
/* job->flow as it is to be stored, into the tx. */
void flow_put(struct outcome *o);

/* trace.c */
/* One row into the tx; of: the event it is of when the job has none. */
void trace_put(struct outcome *o, const struct event *of);
/* For a job whose effects change nothing: written when there is time. */
void trace_later(struct outcome *o);
/* What these effects of a part were, kept for the trace of the whole. */
void trace_part(struct outcome *o);
void letter_put(struct outcome *o, struct slice reason);
/* With a part: its event counts as handled, so that nothing is done twice; if
 * the house falls before the handler's end this tells, and the conversation is
 * placed at the next start. Gone at the job's end. */
void letter_cut(struct outcome *o);
/* Of an event that no job was made of. */
void letter_of(struct desk *d, struct conv *c, enum hook hook,
               const struct event *ev, const char *reason);
void trace_flush(struct desk *d);
