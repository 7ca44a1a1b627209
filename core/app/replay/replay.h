/* SPDX-License-Identifier: Apache-2.0 */
/* replay.h - `yuelai replay`: today's scripts over yesterday's traffic.
 *
 * Why: whoever changes a rule wants to see, before customers do, what it would
 * have done otherwise. Recorded messages run through the scripts in a shadow:
 * nothing is sent, nothing is written, and what comes out is compared with
 * what the traces say came out then.
 *
 *   replay    the command; walks the database, counts
 *   past      conversations, contacts, agents as they were
 *   shadow    the scripts, and a house for them that only looks
 *   wishes    effects as texts that can be compared, and the comparing
 *   tell      differences for people and as JSON
 *
 * Thread: the command's main thread.
 */
#pragma once
#include "app/testing/fakes.h"
#include "base/json.h"
#include "base/map.h"
#include "desk/effect.h"

#define REPLAY_EXAMPLES 10
#define REPLAY_QUOTE 300 /* bytes of a wish that are kept */

/* --- what was wanted --- */
enum group {
    GROUP_ROUTED,   /* assign, close, snooze, priority */
    GROUP_ANSWERED, /* reply, note, edit, reject */
    GROUP_TAGGED,   /* tags, attributes, contact */
    GROUP_KEPT,     /* timers, values, flows */
    GROUP_DECIDED,  /* by another rule, though all above is the same */
    GROUP_FAILED,   /* a handler failed, and did not then */
    GROUP_COUNT
};
extern const char *const group_names[]; /* "routed" */
struct wishes {
    struct slice of[GROUP_COUNT]; /* texts, one "; " after the other */
    bool rejected;                /* by on_inbound: on_message did not run */
};
/* From traces' bodies: those of one message. at: of the job. */
void wishes_recorded(struct wishes *w, struct arena *a, const struct json *t);
/* From a job that has run. */
void wishes_of(struct wishes *w, struct arena *a, const struct job *job);

struct example {
    struct example *next;
    uint64_t pos;
    enum group group;
    struct slice text, before, after; /* text: of the message */
};
struct sum {
    uint32_t count;
    struct example *first, *last;
    uint32_t kept;
};

/* --- the whole --- */
struct moment {          /* the message whose traces are being collected */
    struct arena *arena; /* NULL = none */
    struct event message;
    struct conversation conv;
    struct json *traces[2]; /* on_message, on_inbound; the first of each */
};
struct past;
struct shadow;
struct replay {
    const struct config *conf;
    const char *data, *home, *file, *fixtures;
    int64_t since;
    const char *name; /* of one message alone, or NULL: all */
    uint64_t only;    /* its position, 0 = all */
    bool json, shows;
    struct arena *arena; /* of examples */
    struct past *past;
    struct shadow *shadow;
    struct moment moment;
    bool traced; /* a trace was met: from here on no trace means no script */
    struct sum groups[GROUP_COUNT];
    struct slice troubles[REPLAY_EXAMPLES];
    size_t trouble_count;
    uint32_t messages, compared, same, untraced, edited, cut, flows, timers,
        others;
    /* only: all of it */
    struct wishes before, after;
    struct err err;
};
/* Compares, counts, keeps examples. */
void replay_compare(struct replay *r, const struct wishes *before,
                    const struct wishes *after);

/* --- past.c --- */
struct past *past_new(void);
void past_free(struct past *p);
void past_contact(struct past *p, const struct contact *c); /* all copy */
void past_agent(struct past *p, const struct agent *a);
void past_team(struct past *p, const struct team *t);
/* A conversation.* event or a message. */
void past_event(struct past *p, const struct event *ev);
/* NULL: nothing was met of it. */
const struct conversation *past_conversation(const struct past *p, uint64_t id);
/* A copy in the arena. */
void past_copy(struct arena *a, const struct conversation *from,
               struct conversation *out);
/* Everything a rule may look at; the job has event, text and kind. */
void past_fill(struct past *p, struct job *job,
               const struct conversation *conv);

/* --- shadow.c --- */
int shadow_open(struct replay *r, struct err *e, struct shadow **out);
void shadow_close(struct shadow *s);
bool shadow_wants(const struct shadow *s, const struct job *job);
/* Blocks until it has run; the job stays the caller's. Its values are kept for
 * those that follow. */
int shadow_run(struct shadow *s, struct job *job, struct err *e);
uint32_t shadow_refused(const struct shadow *s); /* calls to other servers */

/* --- tell.c --- */
void tell_progress(const struct replay *r);
void tell_end(const struct replay *r); /* takes the progress away */
int tell_all(const struct replay *r);  /* the exit code */
