/* SPDX-License-Identifier: Apache-2.0 */
/* canary.h - a new version on a share of the new conversations, compared.
 *
 * Why: whether a change is good shows with visitors, and a bad one should meet
 * few of them. Both sides are counted over the conversations that began while
 * the canary was tried; then the house promotes it or rolls back, and says
 * why.
 *
 * Threads: a canary is main's; canary_note is its worker's. Owned by the unit.
 */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "base/map.h"
#include "base/wheel.h"
#include "desk/effect.h"
#include <lua.h>

#define CANARY_CONVERSATIONS 200
#define CANARY_SEEN 20000 /* conversations of a side; more are not counted */

struct script;
struct unit;
struct version;
struct worker;

/* What the file says: canary = 5, or canary = { share = 5, … }. */
struct canary_conf {
    int32_t share;         /* percent; 0 = no canary */
    int64_t conversations; /* of the canary, to decide; 0 = the house's */
    int64_t for_ms;        /* decide after that time at the latest; 0 = never */
    double errors;         /* may be that many percent points more */
    double slower;         /* a call may take that many times as long */
    double handovers;      /* percent points more or less */
};
/* The value on top of the stack. On trouble ERR_UNPROCESSABLE and e tells. Raw
 * access only, raises nothing. */
int canary_read(lua_State *L, struct canary_conf *out, struct err *e);

struct canary_side {
    int64_t conversations, calls, errors, kills, us, handovers;
    struct map seen; /* conversation -> one of two marks */
};
struct canary {
    struct unit *unit;
    struct version *version; /* one ref */
    int64_t since_at;
    struct canary_side stable, canary;
    struct timer due;
    int64_t kept_calls; /* when the figures were kept last */
};

/* One call of a handler, as the worker saw it. */
struct canary_call {
    int64_t us;
    bool failed, killed, handed_over;
};
/* On the worker, after a handler of v: told home if v is on trial. */
void canary_note(struct worker *w, struct version *v, const struct job *job,
                 const struct canary_call *call);

/* --- on main --- */
/* v begins on its share; takes its ref. note: figures to go on from (of an
 * earlier run of the house), or "". */
void canary_begin(struct script *s, struct unit *u, struct version *v,
                  int64_t since_at, struct slice note);
/* The trial is over: gives the version's ref; the figures are gone. */
struct version *canary_end(struct script *s, struct unit *u);
/* A call more. Decides if it is time. */
void canary_count(struct script *s, struct unit *u, const struct version *v,
                  uint64_t conv, int64_t created_at,
                  const struct canary_call *call);
/* Is it better to promote it? why: a sentence with the figures. */
bool canary_is_good(const struct canary *c, char why[240]);
/* {"version":…,"share":…,"since_at":…,"conversations":…,"stable":{…},
 * "canary":{…}} */
void canary_write(struct jsonw *w, const struct canary *c);
/* Keeps the figures, if there are new ones, so that a restart goes on. */
void canary_keep(struct script *s, struct canary *c);
