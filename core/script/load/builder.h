/* SPDX-License-Identifier: Apache-2.0 */
/* builder.h - the builder from inside: what it knows, one look, one outcome.
 *
 * Thread: the builder's; before it has one, the opener's.
 */
#pragma once
#include "base/map.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "script/load/reload.h"

/* What the builder remembers of a unit: what it was last made of. */
struct known {
    struct arena *arena; /* of deps, renewed at each load */
    struct source *deps; /* names only */
    char hash[VERSION_TEXT];
    bool seen;   /* in the scan under way */
    bool unread; /* its file could not be read */
    bool failed; /* its tests */
    struct slice name;
    char text[];
};

struct builder {
    struct builder_conf conf;
    char *home;
    struct map known;
    struct mailbox *box;
    struct thread *thread; /* NULL: not started */
    struct ahead *ahead;   /* until all is loaded, or NULL */
    struct shelf *shelf;   /* of the look under way, or NULL */
    atomic_bool quit;
    bool unread; /* something could not be read: look again soon */
};

struct order;
struct ahead;
/* What is looked at in one go. */
struct scan {
    struct builder *builder;
    struct batch *batch;
    const struct order *order;     /* or NULL */
    const struct history *history; /* at the start */
    struct ahead *ahead;           /* likewise */
};

/* make.c: looks at one unit. Gives what became of it, NULL = nothing new.
 * again: also if its text is the same. */
struct outcome_of *make(struct scan *s, struct slice name, bool again);
void known_free(struct builder *b, struct known *k); /* takes it out */
struct outcome_of *outcome(struct batch *batch, struct slice name,
                           enum change change);
void outcome_tell(struct batch *batch, struct outcome_of *o); /* NULL: no */

/* past.c: the rows of history of the unit o is about go before it; a row of
 * its version takes that version: o has none then, its file is no news. */
void tell_past(struct scan *s, struct outcome_of *o);
