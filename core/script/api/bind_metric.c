/* SPDX-License-Identifier: Apache-2.0 */
/* bind_metric.c - metric: a script's own figures in /metrics.
 *
 *     metric.count("orders", 1, { kind = "new" })
 *     -> yuelai_custom_orders_total{script="rules/10-a",kind="new"} 1
 *
 * Happy path: the series is found by its text in the worker's map and added to.
 * Failure modes: a name that makes no sense raises; the 21st series of a script
 * is not made (labels are often made of what visitors write): false, and one
 * line in the log.
 */
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"
#include "script/api/bind.h"
#include "script/api/modules.h"
#include "script/load/unit.h"
#include "script/metrics.h"
#include "script/run/worker.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#define LABELS_MOST 5
#define VALUE_BYTES 100
#define SERIES_BYTES 1500
#define SCALE 1e-3 /* of gauges and histograms: three digits */

struct metrics {
    pthread_mutex_t lock; /* hardly ever waited for */
    struct map series;    /* unit, name, labels -> struct series */
    struct map units;     /* -> struct owner */
};
struct series {
    struct slice key;
    struct meter *meter;
    char text[];
};
struct owner {
    struct slice name;
    int count;
    bool told;
    char text[];
};

void metrics_free(struct metrics *m)
{
    void *p;
    if (!m)
        return;
    for (size_t i = 0; (p = map_next(&m->series, &i)) != NULL;)
        mem_free(p);
    for (size_t i = 0; (p = map_next(&m->units, &i)) != NULL;)
        mem_free(p);
    map_fini(&m->series);
    map_fini(&m->units);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

struct metrics *metrics_new(void)
{
    struct metrics *m = mem_alloc(sizeof *m);
    map_init(&m->series);
    map_init(&m->units);
    must(pthread_mutex_init(&m->lock, NULL) == 0);
    return m;
}

static struct owner *owner_of(struct metrics *m, struct slice unit)
{
    struct owner *o = map_get_text(&m->units, unit);
    if (o)
        return o;
    o = mem_alloc(sizeof *o + unit.len);
    memcpy(o->text, unit.at, unit.len);
    o->name = (struct slice){o->text, unit.len};
    map_put_text(&m->units, o->name, o);
    return o;
}

/* --- names ---------------------------------------------------------------- */

static void check_name(lua_State *L, struct slice name, const char *what)
{
    bool ok = name.len > 0 && name.len <= 60;
    for (size_t i = 0; ok && i < name.len; i++) {
        char c = name.at[i];
        ok = (c >= 'a' && c <= 'z') || c == '_' ||
             (i > 0 && c >= '0' && c <= '9');
    }
    if (!ok)
        bind_raise(L, "metric: %s has 1 to 60 of a-z, 0-9 and _", what);
}

static int add_value(struct buf *out, struct slice s)
{
    int got = 0;
    if (s.len > VALUE_BYTES)
        s.len = VALUE_BYTES;
    while (s.len && !slice_is_utf8(s))
        s.len--; /* cut in the middle of a character */
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        if (c == '"' || c == '\\')
            got |= buf_add_char(out, '\\');
        got |= buf_add_char(out, (unsigned char)c < ' ' ? ' ' : c);
    }
    return got;
}

struct label {
    struct slice name, value;
};

/* Sorted by name, so that one set of labels is one series. The values stay
 * alive on the stack. */
static int read_labels(lua_State *L, int idx, struct label *labels)
{
    int n = 0;
    if (lua_isnoneornil(L, idx))
        return 0;
    luaL_checktype(L, idx, LUA_TTABLE);
    luaL_checkstack(L, 2 * LABELS_MOST + 4, "metric");
    for (lua_pushnil(L); lua_next(L, idx);) {
        struct label l;
        if (n == LABELS_MOST)
            bind_raise(L, "metric: at most %d labels", LABELS_MOST);
        if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1))
            bind_raise(L, "metric: labels map names to texts or numbers");
        l.name.at = lua_tolstring(L, -2, &l.name.len);
        l.value.at = lua_tolstring(L, -1, &l.value.len);
        check_name(L, l.name, "a label's name");
        if (slice_is(l.name, "script") || slice_is(l.name, "le"))
            bind_raise(L, "metric: a label may not be called %s", l.name.at);
        int at = n++;
        while (at > 0 && strcmp(labels[at - 1].name.at, l.name.at) > 0) {
            labels[at] = labels[at - 1];
            at--;
        }
        labels[at] = l;
        lua_insert(L, -2); /* the value stays, the key goes on */
    }
    return n;
}

/* "name{script=...,...}"; the name's length is the family's. */
static size_t write_series(lua_State *L, struct buf *out, struct slice unit,
                           const char *suffix)
{
    struct label labels[LABELS_MOST];
    struct slice name = bind_slice(L, 1);
    check_name(L, name, "a name");
    int n = read_labels(L, 3, labels);
    int got = buf_addf(out, "yuelai_custom_%.*s%s", SLICE_FMT(name), suffix);
    size_t family = out->len;
    got |= buf_add_text(out, "{script=\"");
    got |= add_value(out, unit);
    got |= buf_add_char(out, '"');
    for (int i = 0; i < n; i++) {
        got |= buf_addf(out, ",%.*s=\"", SLICE_FMT(labels[i].name));
        got |= add_value(out, labels[i].value);
        got |= buf_add_char(out, '"');
    }
    got |= buf_add_char(out, '}');
    if (got < 0)
        bind_raise(L, "metric: name and labels are too long");
    return family;
}

/* --- series --------------------------------------------------------------- */

static struct meter *series_new(struct metrics *m, struct owner *o,
                                struct slice text, size_t family,
                                enum meter_kind kind)
{
    if (o->count >= LIMIT_SCRIPT_SERIES) {
        if (!o->told)
            log_warn("script", "%.*s: more than %d series of metrics",
                     SLICE_FMT(o->name), LIMIT_SCRIPT_SERIES);
        o->told = true;
        return NULL;
    }
    struct series *s = mem_alloc(sizeof *s + text.len + family + 2);
    char *name = s->text + text.len + 1;
    memcpy(s->text, text.at, text.len);
    memcpy(name, text.at, family);
    s->key = (struct slice){s->text, text.len};
    s->meter =
        meter_labelled(kind, name, "A script's own figure.",
                       kind == METER_COUNTER ? 0 : SCALE, s->text + family);
    map_put_text(&m->series, s->key, s);
    o->count++;
    return s->meter;
}

static struct meter *meter_of(lua_State *L, const char *suffix,
                              enum meter_kind kind)
{
    struct task *t = bind_task(L, "metric");
    struct metrics *m = t->worker->metrics;
    struct buf *out = bind_buf(L, SERIES_BYTES);
    size_t family = write_series(L, out, t->version->name, suffix);
    pthread_mutex_lock(&m->lock);
    const struct series *s = map_get_text(&m->series, buf_slice(out));
    struct meter *meter = s ? s->meter
                            : series_new(m, owner_of(m, t->version->name),
                                         buf_slice(out), family, kind);
    pthread_mutex_unlock(&m->lock);
    return meter;
}

static double number(lua_State *L, const char *what, double most)
{
    double n = luaL_checknumber(L, 2);
    if (!(fabs(n) <= most))
        bind_raise(L, "%s: not a number one can add to", what);
    return n;
}

static int metric_count(lua_State *L)
{
    lua_settop(L, 3);
    if (lua_isnil(L, 2)) {
        lua_pushnumber(L, 1);
        lua_replace(L, 2);
    }
    double n = number(L, "metric.count", 1e12);
    if (n < 0 || n != floor(n))
        bind_raise(L, "metric.count: n must be a whole number, not below 0");
    struct meter *m = meter_of(L, "_total", METER_COUNTER);
    if (m)
        meter_add(m, (int64_t)n);
    lua_pushboolean(L, m != NULL);
    return 1;
}

static int metric_gauge(lua_State *L)
{
    lua_settop(L, 3);
    double n = number(L, "metric.gauge", 1e12);
    struct meter *m = meter_of(L, "", METER_GAUGE);
    if (m)
        meter_set(m, (int64_t)llround(n / SCALE));
    lua_pushboolean(L, m != NULL);
    return 1;
}

static int metric_observe(lua_State *L)
{
    lua_settop(L, 3);
    double n = number(L, "metric.observe", 1e9);
    struct meter *m = meter_of(L, "_observed", METER_HISTOGRAM);
    if (m)
        meter_note(m, (int64_t)llround(n / SCALE));
    lua_pushboolean(L, m != NULL);
    return 1;
}

static const struct api_call calls[] = {
    {"count", metric_count, API_HANDLERS, API_VARIES,
     "(name: string, n?: integer, labels?: table<string, string>): boolean",
     "Adds n (1) to yuelai_custom_<name>_total{script=...}. A script has at "
     "most 20 series; false for one more. Counts at once, also if the handler "
     "fails later."
     "\n\nmetric.count(\"refunds\", 1, { tier = conv.contact.tier })",
     "1"},
    {"gauge", metric_gauge, API_HANDLERS, API_VARIES,
     "(name: string, value: number, labels?: table<string, string>): boolean",
     "Sets yuelai_custom_<name>, to three digits behind the point."
     "\n\nmetric.gauge(\"stock\", 12.5)",
     "1"},
    {"observe", metric_observe, API_HANDLERS, API_VARIES,
     "(name: string, value: number, labels?: table<string, string>): boolean",
     "One observation of the histogram yuelai_custom_<name>_observed; buckets "
     "from 0.001 to 524."
     "\n\nmetric.observe(\"answer_seconds\", seconds)",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module metric_module = {
    .name = "metric",
    .doc = "A script's own figures, among the server's at /metrics.",
    .calls = calls};
