/* SPDX-License-Identifier: Apache-2.0 */
/* unit.c - counting units, versions and plans.
 *
 * Happy path: refs up, refs down. Failure modes: none; a version whose last
 * ref goes anywhere but on its worker travels there to be closed, because a
 * lua_State is touched by one thread.
 */
#include "script/load/unit.h"
#include "loop/mailbox.h"
#include "script/load/shelf.h"
#include "script/run/worker.h"
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *unit_state_name(enum unit_state s)
{
    static const char *const names[] = {
        "serving",     "broken", "quarantined", "last_good",
        "rolled_back", "off",    "failing"};
    return names[s];
}

void trouble_free(struct trouble *t)
{
    list_remove(&t->link);
    mem_free(t->file);
    mem_free(t->message);
    mem_free(t->traceback);
    mem_free(t->log);
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

/* --- what is refused ------------------------------------------------------ */

bool unit_is_refused(const struct unit *u, const char *text)
{
    for (size_t i = 0; i < u->refused_count; i++)
        if (strcmp(u->refused[i], text) == 0)
            return true;
    return false;
}

void unit_forgive(struct unit *u, const char *text)
{
    for (size_t i = 0; i < u->refused_count; i++) {
        if (strcmp(u->refused[i], text) != 0)
            continue;
        u->refused_count--;
        memmove(u->refused[i], u->refused[i + 1],
                (u->refused_count - i) * VERSION_TEXT);
        return;
    }
}

void unit_refuse(struct unit *u, const char *text)
{
    if (!text[0] || unit_is_refused(u, text))
        return;
    if (u->refused_count == LIMIT_VERSIONS)
        unit_forgive(u,
                     u->refused[0]); /* the oldest; the store forgets it too */
    snprintf(u->refused[u->refused_count++], VERSION_TEXT, "%s", text);
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

void version_tell(struct version *v)
{
    struct unit_meters *m = &v->unit->meters;
    list_remove(&v->touched);
    list_init(&v->touched);
    meter_add(m->calls, v->new_calls);
    meter_add(m->cpu, v->new_us);
    if (!v->away) /* else the lane counts there */
        meter_set(m->memory, (int64_t)v->budget.used);
    meter_add(m->in_flight, (int64_t)v->task_count - v->told_tasks);
    v->told_tasks = v->task_count;
    v->new_calls = v->new_us = 0;
}

void version_close(struct version *v)
{
    must_be(v, VERSION_MAGIC);
    if (v->L)
        budget_close(&v->budget, v->L);
    for (const struct source *s = v->sources; s; s = s->next)
        leaf_unref(s->leaf);
    buf_fini(&v->scratch);
    arena_free(v->scratch_arena);
    arena_free(v->arena);
    unit_free(v->unit);
    mem_free(v->lent);
    mem_free(v->log);
    v->magic = 0;
    mem_free(v);
}

/* --- plans ---------------------------------------------------------------- */

/* An entry while the plan is made. */
struct entry {
    struct version *version;
    const struct choice *choice;
};

static int by_priority(const void *pa, const void *pb)
{
    const struct version *a = ((const struct entry *)pa)->version;
    const struct version *b = ((const struct entry *)pb)->version;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    size_t n = a->name.len < b->name.len ? a->name.len : b->name.len;
    int c = memcmp(a->name.at, b->name.at, n);
    return c ? c : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

/* The versions of one unit. */
static size_t add_entries(struct entry *out, const struct choice *c)
{
    size_t n = 0;
    const struct choice *asked = c->count || c->canary ? c : NULL;
    out[n++] = (struct entry){c->serving, asked};
    if (c->canary && c->canary != c->serving)
        out[n++] = (struct entry){c->canary, asked};
    for (size_t i = 0; i < c->count; i++)
        if (c->terms[i].version != c->serving)
            out[n++] = (struct entry){c->terms[i].version, asked};
    return n;
}

struct plan *plan_new(const struct choice *choices, size_t n)
{
    size_t count = 0, most = n * (PINNED_MAX + 3) + 1;
    struct entry *list = mem_alloc(most * sizeof *list);
    struct choice *copy = mem_alloc((n + 1) * sizeof *copy);
    for (size_t i = 0; i < n; i++) {
        copy[i] = choices[i];
        count += add_entries(list + count, &copy[i]);
    }
    qsort(list, count, sizeof *list, by_priority);
    struct plan *p = mem_alloc(sizeof *p + count * sizeof(void *));
    atomic_init(&p->refs, 1);
    p->count = count;
    p->choices = copy;
    p->choice = mem_alloc((count + 1) * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        version_ref(list[i].version);
        p->at[i] = list[i].version;
        p->hooks |= p->at[i]->hooks;
        p->events |= p->at[i]->events;
        p->deadlines |= p->at[i]->deadline_ms > 0;
        p->strict |= p->at[i]->strict;
        p->choice[i] = list[i].choice;
    }
    mem_free(list);
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
    mem_free(p->choices);
    mem_free(p->choice);
    mem_free(p);
}

static uint32_t event_of(const struct job *job)
{
    if (job->hook != HOOK_EVENT)
        return 0;
    uint32_t bit = event_bit(job->event.name);
    return bit ? bit : event_bit_of(job->what);
}

static bool wants(const struct version *v, const struct job *job,
                  uint32_t event)
{
    if (!(v->hooks & 1u << job->hook))
        return false;
    if (job->hook == HOOK_EVENT && !(v->events & event))
        return false;
    bool own = job->hook == HOOK_TIMER || job->hook == HOOK_FLOW;
    if ((own || job->unit.len) && !slice_eq(job->unit, v->name))
        return false;
    return match_is(&v->match, job);
}

/* A flow goes on on the version it ran on while that is here. */
static struct version *flows_own(const struct plan *p, const struct choice *c,
                                 struct slice text)
{
    for (size_t i = 0; text.len && i < p->count; i++)
        if (p->choice[i] == c && slice_is(text, p->at[i]->text))
            return p->at[i];
    return NULL;
}

static bool is_for(const struct plan *p, uint32_t i, const struct job *job)
{
    const struct choice *c = p->choice[i];
    struct version *v = NULL;
    if (!c)
        return true;
    if (job->hook == HOOK_FLOW && job->flow)
        v = flows_own(p, c, job->flow->version);
    if (!v)
        v = choice_of(c, job->conv.id, job->conv.created_at);
    return v == p->at[i];
}

struct version *plan_next(const struct plan *p, const struct job *job,
                          uint32_t *i)
{
    if (!(p->hooks & 1u << job->hook)) {
        *i = (uint32_t)p->count;
        return NULL;
    }
    uint32_t event = event_of(job);
    while (*i < p->count) {
        uint32_t at = (*i)++;
        if (wants(p->at[at], job, event) && is_for(p, at, job))
            return p->at[at];
    }
    return NULL;
}
