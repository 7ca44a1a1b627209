/* SPDX-License-Identifier: Apache-2.0 */
/* patience.c - how long the house waits for its rules, and whether it must.
 *
 * Happy path: no rule says a deadline and the answer is the house's; before a
 * message is stored it has longer, for what passes unseen is worse than what is
 * placed by the default. Failure modes: none.
 */
#include "script/inside.h"

bool script_is_strict(const struct script *s, const struct job *job)
{
    uint32_t at = 0;
    const struct version *v;
    while (s->plan->strict && (v = plan_next(s->plan, job, &at)) != NULL)
        if (v->strict)
            return true;
    return false;
}

int64_t script_patience(const struct script *s, const struct job *job)
{
    const struct plan *p = s->plan;
    int64_t longest = 0;
    uint32_t at = 0;
    for (const struct version *v; p->deadlines;) {
        v = plan_next(p, job, &at);
        if (!v)
            break;
        if (v->deadline_ms > longest)
            longest = v->deadline_ms;
    }
    if (longest)
        return longest;
    if (s->conf.routing_ms < 0)
        return 0; /* no limit */
    int64_t ms = s->conf.routing_ms ? s->conf.routing_ms : LIMIT_ROUTING_MS;
    bool guards = job->hook == HOOK_INBOUND || job->hook == HOOK_SEND;
    return guards && ms < LIMIT_SCREEN_MS ? LIMIT_SCREEN_MS : ms;
}
