/* SPDX-License-Identifier: Apache-2.0 */
/* period.c - reading every, cron and zone, and when they are due.
 *
 * Happy path: two types of texts. Failure modes: what is no duration, cron line
 * or zone refuses the file; a cron line that never comes is never due.
 */
#include "script/load/period.h"
#include "script/api/bind.h"
#include <string.h>

#define EVERY_MIN_MS 1000

static int refuse(struct err *e, const char *field, const char *why)
{
    return err_field(e, ERR_UNPROCESSABLE, field, "%s", why);
}

static struct slice text_on_top(lua_State *L)
{
    struct slice s = {"", 0};
    if (lua_type(L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(L, -1, &s.len);
    return s;
}

static struct period *period_of(struct version *v)
{
    if (!v->period)
        v->period = arena_one(v->arena, struct period);
    return v->period;
}

static int read_cron(struct version *v, struct err *e)
{
    struct err why = {0};
    struct period *p = period_of(v);
    p->has_cron = true;
    if (cron_read(text_on_top(v->L), &p->cron, &why) < 0)
        return refuse(e, "cron", why.text);
    return 1;
}

static int read_zone(struct version *v, struct err *e)
{
    struct period *p = period_of(v);
    struct slice name = text_on_top(v->L);
    p->has_zone = true;
    if (name.len && zone_open(name, v->arena, &p->zone) == 0)
        return 1;
    return refuse(e, "zone",
                  "zone must be a time zone such as \"Asia/Shanghai\" or "
                  "\"+08:00\"");
}

static int read_every(struct version *v, struct err *e)
{
    if (duration_read(text_on_top(v->L), &v->every_ms) &&
        v->every_ms >= EVERY_MIN_MS)
        return 1;
    return refuse(e, "every", "every must be a duration of at least \"1s\"");
}

int period_read(struct version *v, const char *name, struct err *e)
{
    if (strcmp(name, "every") == 0)
        return read_every(v, e);
    if (strcmp(name, "cron") == 0)
        return read_cron(v, e);
    if (strcmp(name, "zone") == 0)
        return read_zone(v, e);
    return 0;
}

int period_check(struct version *v, struct err *e)
{
    struct period *p = v->period;
    bool hears = v->hooks & 1u << HOOK_TIMER;
    if (v->every_ms && !hears)
        return refuse(e, "every", "every needs on_timer");
    if (!p)
        return 0;
    if (!p->has_cron)
        return refuse(e, "zone", "zone is for cron, and there is no cron");
    if (!hears)
        return refuse(e, "cron", "cron needs on_timer");
    if (v->every_ms)
        return refuse(e, "cron", "say every or cron, not both");
    if (!p->has_zone) /* the machine's, or UTC if it has none */
        (void)zone_open(zone_own(), v->arena, &p->zone);
    return 0;
}

int64_t period_wait(const struct version *v, int64_t wall_ms)
{
    if (!v->period)
        return v->every_ms;
    int64_t next = cron_next(&v->period->cron, v->period->zone, wall_ms);
    return next ? next - wall_ms : 0;
}
