/* SPDX-License-Identifier: Apache-2.0 */
/* people.h - who is on a stage, and the steps of a test.
 *
 * A visitor or an agent is a socket that is only a number: it joins, is sent
 * to and goes by the desk's own door; what it was sent is kept as JSON.
 *
 * Thread: main.   Owns: nothing; all lies in the stage's arena.
 */
#pragma once
#include "app/testing/stage.h"

struct seen { /* by somebody: an event that concerns messages */
    struct seen *next;
    uint32_t n;
    uint64_t sender;
    struct slice json; /* the message, with n */
};
struct actor {
    struct actor *next;
    uint64_t id;   /* in the test; also the number of the socket's owner */
    uint64_t peer; /* 0 = away */
    enum role role;
    uint64_t who; /* contact or agent */
    uint64_t channel;
    struct contact contact;
    uint64_t conv;      /* the one it spoke or was spoken to in last */
    uint64_t given[64]; /* conversations assigned since it was asked */
    size_t given_count;
    struct cursor cursor;
    struct seen *first, *last;
    uint32_t count, said;
    struct slice refused; /* what an error told of its last frame */
    struct slice answer;  /* JSON of its last ack */
};

/* --- people.c --- */
struct actor *people_find(struct stage *st, uint64_t id);
int people_visitor(struct stage *st, const struct json *in, struct jsonw *out,
                   struct err *e);
int people_agent(struct stage *st, const struct json *in, struct jsonw *out,
                 struct err *e);
void people_join(struct stage *st, struct actor *a, bool again);
void people_leave(struct stage *st, struct actor *a);
void people_gone(struct stage *st, uint64_t peer); /* closed by the house */
bool people_notice(struct stage *st, uint64_t peer, const struct notice *n);
int people_say(struct stage *st, const struct json *in, struct jsonw *out,
               struct err *e);

/* --- steps.c: one step of a test; out: the inside of an object --- */
int steps_run(struct stage *st, struct slice name, const struct json *in,
              struct jsonw *out, struct err *e);
typedef int (*step_fn)(struct stage *st, const struct json *in,
                       struct jsonw *out, struct err *e);
struct step {
    const char *name;
    step_fn fn;
    bool opens; /* the house, before it */
};
/* Errors of scripts that t.errors() did not take, as a failure's JSON, or ""
 */
struct slice stage_errors_left(struct stage *st, struct arena *a);
extern const struct step steps_house[], steps_people[],
    steps_fakes[]; /* name NULL ends */
