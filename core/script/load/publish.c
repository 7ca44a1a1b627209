/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - a new plan of all that serves.
 *
 * Happy path: one choice a unit, sorted into the pipeline; jobs under way keep
 * the plan they began with. Failure modes: none.
 */
#include "script/inside.h"
#include "script/load/canary.h"
#include "script/load/serving.h"

METER(units_now, METER_GAUGE, "yuelai_scripts", "Scripts that serve.");

static struct choice choice_for(const struct unit *u)
{
    struct choice c = {.salt = choice_salt(slice_of(u->name)),
                       .serving = u->version};
    if (u->canary) {
        c.canary = u->canary->version;
        c.share = c.canary->canary.share;
        c.canary_since = u->canary->since_at;
    } else if (u->tried.share && u->pinned_count) {
        c.canary = u->version;
        c.share = u->tried.share;
        c.canary_since = u->tried.since_at;
        c.canary_until = u->tried.until_at;
    }
    for (size_t i = 0; i < u->pinned_count; i++)
        c.terms[c.count++] = u->pinned[i];
    if (c.count)
        c.terms[c.count++] = (struct term){u->version, u->since_at, 0};
    return c;
}

void script_publish(struct script *s)
{
    struct unit *u;
    size_t n = 0;
    struct choice *list = mem_alloc((s->units.count + 1) * sizeof *list);
    for (size_t i = 0; (u = map_next(&s->units, &i)) != NULL;)
        if (serving_is_on(u) || serving_is_guard(u))
            list[n++] = choice_for(u);
    struct plan *old = s->plan;
    s->plan = plan_new(list, n);
    plan_unref(old);
    mem_free(list);
    meter_set(&units_now, (int64_t)n);
}
