/* SPDX-License-Identifier: Apache-2.0 */
/* list.c - what people are told of the scripts: script_list, script_is_well.
 *
 * Happy path: one JSON object a unit, sorted by name. Failure modes: the
 * caller's buffer is too small (ERR_TOOBIG).
 */
#include "base/clock.h"
#include "base/json.h"
#include "script/inside.h"
#include "script/script.h"
#include <stdlib.h>
#include <string.h>

static int by_name(const void *pa, const void *pb)
{
    const struct unit *a = *(struct unit *const *)pa;
    const struct unit *b = *(struct unit *const *)pb;
    return strcmp(a->name, b->name);
}

/* All units by name, *count of them; the caller frees the list. */
static struct unit **sorted(const struct script *s, size_t *count)
{
    struct unit *u, **list = mem_alloc((s->units.count + 1) * sizeof(void *));
    size_t n = 0;
    for (size_t i = 0; (u = map_next(&s->units, &i)) != NULL;)
        if (!script_is_passing(u->name))
            list[n++] = u;
    qsort(list, n, sizeof(void *), by_name);
    *count = n;
    return list;
}

/* What was under way when it happened last, and what had been logged. */
static void write_cause(struct jsonw *w, const struct trouble *t)
{
    char id[ID_TEXT];
    const struct slice none = {NULL, 0};
    jsonw_put_text(w, "hook", slice_of(t->hook));
    jsonw_put_text(w, "event", t->pos ? id_text(id, ID_MESSAGE, t->pos) : none);
    jsonw_put_text(w, "conversation",
                   t->conv ? id_text(id, ID_CONVERSATION, t->conv) : none);
    jsonw_key(w, "log");
    jsonw_open(w, '[');
    for (const char *at = t->log; at && *at;) {
        const char *end = strchr(at, '\n');
        jsonw_text(w, (struct slice){at, (size_t)(end - at)});
        at = end + 1;
    }
    jsonw_close(w, ']');
}

static void write_trouble(struct jsonw *w, const struct trouble *t)
{
    jsonw_open(w, '{');
    static const char *const phases[] = {"run", "load", "test"};
    jsonw_put_text(w, "phase", slice_of(phases[t->phase]));
    jsonw_put_text(w, "file", slice_of(t->file));
    jsonw_put_int(w, "line", t->line);
    jsonw_put_text(w, "message", slice_of(t->message));
    jsonw_put_text(w, "traceback", slice_of(t->traceback));
    jsonw_put_int(w, "count", t->count);
    jsonw_put_int(w, "first_at", t->first_at);
    jsonw_put_int(w, "last_at", t->last_at);
    write_cause(w, t);
    jsonw_close(w, '}');
}

/* Versions that running conversations stay on. */
static void write_pinned(struct jsonw *w, const struct unit *u)
{
    jsonw_key(w, "pinned");
    jsonw_open(w, '[');
    for (size_t i = 0; i < u->pinned_count; i++) {
        const struct term *t = &u->pinned[i];
        jsonw_open(w, '{');
        jsonw_put_text(w, "version", slice_of(t->version->text));
        jsonw_put_int(w, "since_at", t->since_at);
        jsonw_put_int(w, "until_at", t->until_at);
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

static void write_versions(struct jsonw *w, const struct unit *u)
{
    const struct version *v = u->version;
    jsonw_key(w, "version");
    if (v)
        jsonw_text(w, slice_of(u->text));
    else
        jsonw_null(w);
    jsonw_put_int(w, "priority", v ? v->priority : 0);
    jsonw_key(w, "loaded_at");
    if (v)
        jsonw_int(w, u->loaded_at);
    else
        jsonw_null(w);
    jsonw_put_text(w, "note", slice_of(u->note));
    jsonw_key(w, "canary");
    if (u->canary)
        canary_write(w, u->canary);
    else
        jsonw_null(w);
    jsonw_put_bool(w, "pin", v && v->pin);
    write_pinned(w, u);
}

/* Those that hold: the house's, or less by the file. */
static void write_limits(struct jsonw *w, const struct unit *u)
{
    const struct limits *l = &u->version->limits;
    int64_t house = u->script->conf.cpu_ms;
    if (!house)
        house = LIMIT_SCRIPT_CPU_MS;
    jsonw_key(w, "limits");
    jsonw_open(w, '{');
    jsonw_put_int(w, "cpu_ms",
                  l->cpu_ms && l->cpu_ms < house ? l->cpu_ms : house);
    jsonw_put_int(w, "wall_ms", l->wall_ms);
    jsonw_put_int(w, "memory_bytes", l->memory);
    jsonw_put_int(w, "http", l->http);
    jsonw_put_int(w, "effects", l->effects);
    jsonw_close(w, '}');
}

/* By the folder that it was found in. */
static struct slice kind_of(struct slice name)
{
    return slice_starts(name, "flows/")      ? SLICE("flow")
           : slice_starts(name, "channels/") ? SLICE("channel")
           : slice_starts(name, "ai/tools/") ? SLICE("tool")
           : slice_starts(name, "ai/")       ? SLICE("ai")
                                             : SLICE("rule");
}

static void write_unit(struct jsonw *w, struct unit *u)
{
    jsonw_open(w, '{');
    jsonw_put_text(w, "name", slice_of(u->name));
    jsonw_put_text(w, "kind", kind_of(slice_of(u->name)));
    jsonw_put_text(w, "state", slice_of(unit_state_name(u->state)));
    write_versions(w, u);
    jsonw_put_int(w, "calls", meter_value(u->meters.calls));
    jsonw_put_int(w, "failures", meter_value(u->meters.errors));
    jsonw_put_int(w, "kills", meter_value(u->meters.kills));
    jsonw_put_int(w, "cpu_us", meter_value(u->meters.cpu));
    jsonw_put_int(w, "memory_bytes", meter_value(u->meters.memory));
    jsonw_put_int(w, "in_flight", meter_value(u->meters.in_flight));
    if (u->version)
        write_limits(w, u);
    jsonw_key(w, "errors");
    jsonw_open(w, '[');
    list_each (&u->troubles, n)
        write_trouble(w, container_of(n, struct trouble, link));
    jsonw_close(w, ']');
    jsonw_close(w, '}');
}

int script_list(struct script *s, struct buf *out)
{
    struct jsonw w = jsonw_on(out);
    size_t n;
    struct unit **list = sorted(s, &n);
    jsonw_open(&w, '[');
    for (size_t i = 0; i < n; i++)
        write_unit(&w, list[i]);
    jsonw_close(&w, ']');
    mem_free(list);
    return w.failed;
}

int script_show(struct script *s, struct slice unit, struct buf *out)
{
    struct jsonw w = jsonw_on(out);
    struct unit *u = script_unit(s, unit);
    if (!u)
        return ERR_NOT_FOUND;
    write_unit(&w, u);
    return w.failed;
}

bool script_is_well(struct script *s, struct err *e)
{
    size_t n;
    struct unit **list = sorted(s, &n);
    const struct unit *ill = NULL;
    for (size_t i = 0; i < n && !ill; i++)
        if (list[i]->ill || list[i]->broken || !list[i]->version)
            ill = list[i]; /* what people have chosen is well */
    mem_free(list);
    if (!ill)
        return true;
    if (list_empty(&ill->troubles)) {
        err_set(e, ERR_UNPROCESSABLE, "%s is %s", ill->name,
                unit_state_name(ill->state));
        return false;
    }
    const struct trouble *t =
        container_of(ill->troubles.prev, struct trouble, link);
    err_field(e, ERR_UNPROCESSABLE, ill->name, "%s:%u: %s", t->file, t->line,
              t->message);
    return false;
}
