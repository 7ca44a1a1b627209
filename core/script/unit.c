/* SPDX-License-Identifier: Apache-2.0 */
/* unit.c - counting units, versions and plans.
 *
 * Happy path: refs up, refs down. Failure modes: none; a version whose last
 * ref goes anywhere but on its worker travels there to be closed, because a
 * lua_State is touched by one thread.
 */
#include "script/unit.h"
#include "loop/mailbox.h"
#include "script/worker.h"
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

const char *unit_state_name(enum unit_state s)
{
    static const char *const names[] = {"serving", "broken", "quarantined",
                                        "last_good"};
    return names[s];
}

void trouble_free(struct trouble *t)
{
    list_remove(&t->link);
    mem_free(t->file);
    mem_free(t->message);
    mem_free(t->traceback);
    mem_free(t);
}

/* --- units ---------------------------------------------------------------- */

static struct meter *series(enum meter_kind kind, const char *name,
                            const char *help, double scale, const char *unit)
{
    char labels[UNIT_NAME + 32];
    snprintf(labels, sizeof labels, "{script=\"%s\"}", unit);
    return meter_labelled(kind, name, help, scale, labels);
}

static void meters_open(struct unit_meters *m, const char *unit)
{
    m->calls = series(METER_COUNTER, "yuelai_script_calls_total",
                      "Handlers run.", 0, unit);
    m->errors = series(METER_COUNTER, "yuelai_script_errors_total",
                       "Handlers that failed.", 0, unit);
    m->kills = series(METER_COUNTER, "yuelai_script_kills_total",
                      "Handlers stopped for time or memory.", 0, unit);
    m->cpu = series(METER_COUNTER, "yuelai_script_cpu_seconds_total",
                    "Time spent in handlers.", 1e-6, unit);
    m->memory = series(METER_GAUGE, "yuelai_script_memory_bytes",
                       "Memory of the script's state.", 0, unit);
    m->reloads = series(METER_COUNTER, "yuelai_script_loads_total",
                        "Versions that began to serve.", 0, unit);
    m->in_flight = series(METER_GAUGE, "yuelai_script_tasks",
                          "Handlers running or waiting.", 0, unit);
}

struct unit *unit_new(struct script *s, struct slice name)
{
    struct unit *u = mem_alloc(sizeof *u + name.len + 1);
    memcpy(u->name, name.at, name.len);
    u->script = s;
    atomic_init(&u->refs, 1);
    list_init(&u->troubles);
    meters_open(&u->meters, u->name);
    return u;
}

void unit_ref(struct unit *u)
{
    atomic_fetch_add(&u->refs, 1);
}

void unit_free(struct unit *u)
{
    if (!u || atomic_fetch_sub(&u->refs, 1) != 1)
        return;
    list_each (&u->troubles, n)
        trouble_free(container_of(n, struct trouble, link));
    meter_set(u->meters.memory, 0);
    mem_free(u);
}

/* --- versions ------------------------------------------------------------- */

void version_ref(struct version *v)
{
    atomic_fetch_add(&v->refs, 1);
}

void version_unref(struct version *v)
{
    if (atomic_fetch_sub(&v->refs, 1) != 1)
        return;
    if (v->worker)
        worker_bury(v->worker, v);
    else
        version_close(v);
}

void version_close(struct version *v)
{
    must_be(v, VERSION_MAGIC);
    if (v->L) {
        budget_fini(&v->budget, v->L);
        lua_close(v->L);
    }
    buf_fini(&v->scratch);
    arena_free(v->scratch_arena);
    arena_free(v->arena);
    unit_free(v->unit);
    v->magic = 0;
    mem_free(v);
}

/* --- plans ---------------------------------------------------------------- */

static int by_priority(const void *pa, const void *pb)
{
    const struct version *a = *(struct version *const *)pa;
    const struct version *b = *(struct version *const *)pb;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    size_t n = a->name.len < b->name.len ? a->name.len : b->name.len;
    int c = memcmp(a->name.at, b->name.at, n);
    return c ? c : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

struct plan *plan_new(struct version *const *versions, size_t n)
{
    struct plan *p = mem_alloc(sizeof *p + n * sizeof(void *));
    atomic_init(&p->refs, 1);
    p->count = n;
    for (size_t i = 0; i < n; i++) {
        version_ref(versions[i]);
        p->at[i] = versions[i];
    }
    qsort(p->at, n, sizeof(void *), by_priority);
    return p;
}

void plan_ref(struct plan *p)
{
    atomic_fetch_add(&p->refs, 1);
}

void plan_unref(struct plan *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    for (size_t i = 0; i < p->count; i++)
        version_unref(p->at[i]);
    mem_free(p);
}

static bool wants(const struct version *v, const struct job *job)
{
    if (v->hook[job->hook] == LUA_NOREF)
        return false;
    if (job->unit.len && !slice_eq(job->unit, v->name))
        return false;
    return match_is(&v->match, job);
}

struct version *plan_next(const struct plan *p, const struct job *job,
                          uint32_t *i)
{
    while (*i < p->count) {
        struct version *v = p->at[(*i)++];
        if (wants(v, job))
            return v;
    }
    return NULL;
}
