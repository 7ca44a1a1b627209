/* SPDX-License-Identifier: Apache-2.0 */
/* past.c - at the start: what served, was tried, pinned and refused.
 *
 * Happy path: the file is what served, and takes its place again. Failure
 * modes: the file is another or broken: what served is loaded from its kept
 * sources, and the file comes after it as a change does; a row whose sources
 * do not load any more is left out.
 */
#include "script/load/builder.h"
#include <stdio.h>

/* o: the file's; its version is the row's if it is the same. Gives the row's
 * version, or NULL if it does not load any more. */
static struct version *take_version(struct scan *s, struct outcome_of *o,
                                    const struct script_version *row)
{
    if (o->version && slice_is(row->version, o->version->text)) {
        struct version *v = o->version;
        o->version = NULL; /* it serves already: the file has no news */
        return v;
    }
    return history_load(row, s->builder->conf.memory_bytes, NULL);
}

static bool tell_row(struct scan *s, struct outcome_of *of,
                     const struct script_version *row)
{
    struct version *v = NULL;
    if (row->state != VERSION_REFUSED && !(v = take_version(s, of, row)))
        return false;
    struct outcome_of *o = outcome(s->batch, of->name, CHANGE_KEPT);
    o->version = v;
    o->kept = row->state;
    o->since_at = row->since_at;
    o->until_at = row->until_at;
    o->note = slice_dup(s->batch->arena, row->note);
    snprintf(o->text, sizeof o->text, "%.*s", SLICE_FMT(row->version));
    outcome_tell(s->batch, o);
    return true;
}

/* Newest first, so that the last four are those that stay. */
static void tell_pinned(struct scan *s, struct outcome_of *of,
                        const struct past *rows)
{
    const struct script_version *at[PINNED_MAX];
    size_t n = 0;
    for (const struct past *k = rows; k; k = k->next) {
        if (k->row->state != VERSION_PINNED)
            continue;
        size_t i = n;
        if (n == PINNED_MAX && k->row->until_at <= at[n - 1]->until_at)
            continue;
        if (n == PINNED_MAX)
            i = --n;
        for (; i > 0 && at[i - 1]->until_at < k->row->until_at; i--)
            at[i] = at[i - 1];
        at[i] = k->row;
        n++;
    }
    while (n > 0)
        tell_row(s, of, at[--n]);
}

void tell_past(struct scan *s, struct outcome_of *of)
{
    const struct past *rows = history_of(s->history, of->name);
    const struct script_version *serving = past_in(rows, VERSION_SERVING);
    const struct script_version *canary = past_in(rows, VERSION_CANARY);
    for (const struct past *k = rows; k; k = k->next)
        if (k->row->state == VERSION_REFUSED)
            tell_row(s, of, k->row);
    if (!serving || !tell_row(s, of, serving))
        return;
    tell_pinned(s, of, rows);
    if (canary)
        tell_row(s, of, canary);
}
