/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.h - the units of a start, loaded by several threads at once.
 *
 * Why: an adapter with its parts takes one to two milliseconds to compile, and
 * no unit's state knows of another's. What became of each is taken one by one
 * afterwards, in the order of the walk, so that nothing depends on who was
 * first.
 *
 * Thread: the opener's.   Owns: its helpers, what nobody took.
 */
#pragma once
#include "script/load/builder.h"
#include "script/load/load.h"

/* What loading asks for: its own file is read once only. */
struct reading {
    struct builder *builder;
    struct source unit; /* read already */
};
int reading_read(void *arg, struct slice name, struct arena *a,
                 struct slice *out, struct err *e);

struct ahead_unit {
    struct arena *arena; /* of the text */
    struct reading reading;
    int got; /* of reading it */
    struct err err;
    struct loader loader;
    struct version *version; /* NULL: loader.trouble; who takes it clears it */
};

/* Helpers begin to read and load all that lies below the builder's home. */
struct ahead *ahead_new(struct builder *b);
/* Does what they have not begun, and waits for them. */
void ahead_finish(struct ahead *h);
/* After ahead_finish. Borrows; NULL: it is not there. */
struct ahead_unit *ahead_find(struct ahead *h, struct slice name);
/* Leaves undone what is not begun. NULL: nothing. */
void ahead_free(struct ahead *h);
