/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - struct script, for the files of this folder.
 *
 * Thread: main, except `refs` and what says otherwise.
 */
#pragma once
#include "base/map.h"
#include "script/api/secret.h"
#include "script/load/reload.h"
#include "script/report.h"
#include "script/run/worker.h"

struct script {
    struct script_conf conf;
    char *home;      /* own copy */
    atomic_int refs; /* the handle, and mail on its way home */
    bool closed;     /* mail that comes home now is dropped */
    struct watchdog *dog;
    struct worker *worker[SCRIPT_THREADS_MAX];
    int workers;
    struct lanes *lanes; /* NULL with one worker */
    struct builder *builder;
    struct map units;    /* by name */
    struct wheel *every; /* of the units; the home loop's, or with conf.now an
                            own one that script_nudge turns */
    struct plan *plan;   /* published */
    atomic_llong depth;
    struct secrets *_Atomic secrets; /* set on main, read on any thread */
};
/* ms of the wheel `every`. */
static inline int64_t script_now(const struct script *s)
{
    return s->conf.now ? s->conf.now(s->conf.arg) : loop_now(s->conf.home_loop);
}
void script_ref(struct script *s);                             /* any thread */
void script_unref(struct script *s);                           /* main */
struct unit *script_unit(struct script *s, struct slice name); /* or NULL */
/* Publishes a plan of all units that serve; the old one goes when its last
 * job ends. */
void script_publish(struct script *s);
/* How an ask comes home, and how asks find the script again. */
void script_on_ask(struct mail *m);
/* A version that is nobody's file serves at once; takes the ref. name: static. */
void script_serve(struct script *s, struct slice name, struct version *v);
/* "console", "test": not shown, not kept. */
bool script_is_passing(const char *unit);
/* A batch comes home. */
void script_on_batch(struct mail *m);
/* A batch from the builder is done: swaps, retires, tells. Takes it. */
void script_apply(struct script *s, struct batch *b);
