/* SPDX-License-Identifier: Apache-2.0 */
/* meter.c - counters that cost one relaxed add.
 *
 * Happy path: the first use of a meter puts it on the list under the lock, the
 * next ones add. meter_write walks the list in order of names, so that the
 * series of one family stand together under one HELP and TYPE.
 *
 * Failure modes: past LIMIT_METER_SERIES labelled series, meter_labelled gives
 * one shared series labelled {overflow="1"} for the family: counting
 * goes on, memory does not. A full buf gives ERR_TOOBIG.
 */
#include "base/meter.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/map.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct meter *all;
static size_t all_count;
static struct map labelled; /* name + labels -> struct series */

struct series {
    struct meter meter; /* first: a found series is freed by nobody */
    struct slice key;
    char texts[];
};

static void enlist(struct meter *m)
{
    pthread_mutex_lock(&lock);
    if (!atomic_load(&m->listed)) {
        m->next = all;
        all = m;
        all_count++;
        atomic_store_explicit(&m->listed, true, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
}

static inline void seen(struct meter *m)
{
    if (!atomic_load_explicit(&m->listed, memory_order_acquire))
        enlist(m);
}

void meter_add(struct meter *m, int64_t n)
{
    seen(m);
    atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

void meter_set(struct meter *m, int64_t n)
{
    seen(m);
    atomic_store_explicit(&m->value, n, memory_order_relaxed);
}

/* The least b with n <= 2^b; METER_BUCKETS means only +Inf holds it. */
static int bucket_of(int64_t n)
{
    if (n <= 1)
        return 0;
    int b = 64 - __builtin_clzll((uint64_t)n - 1);
    return b < METER_BUCKETS ? b : METER_BUCKETS;
}

void meter_note(struct meter *m, int64_t n)
{
    seen(m);
    if (n < 0)
        n = 0; /* a clock that jumped */
    atomic_fetch_add_explicit(&m->bucket[bucket_of(n)], 1,
                              memory_order_relaxed);
    atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

void tally_note(struct tally *t, int64_t n)
{
    if (n < 0)
        n = 0; /* a clock that jumped */
    t->bucket[bucket_of(n)]++;
    t->sum += n;
    t->count++;
}

void tally_tell(struct tally *t, struct meter *m)
{
    if (!t->count)
        return;
    seen(m);
    for (int b = 0; b <= METER_BUCKETS; b++)
        if (t->bucket[b])
            atomic_fetch_add_explicit(&m->bucket[b], t->bucket[b],
                                      memory_order_relaxed);
    atomic_fetch_add_explicit(&m->value, t->sum, memory_order_relaxed);
    *t = (struct tally){0};
}

int64_t meter_value(const struct meter *m)
{
    return atomic_load_explicit(&m->value, memory_order_relaxed);
}

/* -- labelled series ---------------------------------------------------- */

static struct meter *series_new(enum meter_kind kind, const char *name,
                                const char *help, double scale,
                                const char *labels)
{
    size_t n = strlen(name), l = strlen(labels), h = strlen(help);
    struct series *s = mem_alloc(sizeof *s + n + l + h + 3);
    /* name and labels side by side: together they are the key. */
    char *at = s->texts;
    s->key = (struct slice){at, n + 1 + l};
    s->meter.name = memcpy(at, name, n + 1);
    s->meter.labels = memcpy(at + n + 1, labels, l + 1);
    s->meter.help = memcpy(at + n + l + 2, help, h + 1);
    s->meter.kind = kind;
    s->meter.scale = scale;
    return &s->meter;
}

static struct meter *find(const char *name, const char *labels)
{
    size_t n = strlen(name), l = strlen(labels);
    char *text = mem_alloc(n + l + 2);
    memcpy(text, name, n + 1);
    memcpy(text + n + 1, labels, l + 1);
    struct meter *m = map_get_text(&labelled, (struct slice){text, n + 1 + l});
    mem_free(text);
    return m;
}

struct meter *meter_labelled(enum meter_kind kind, const char *name,
                             const char *help, double scale, const char *labels)
{
    pthread_mutex_lock(&lock);
    if (!labelled.slots)
        map_init(&labelled);
    struct meter *m = find(name, labels);
    if (!m && labelled.count >= LIMIT_METER_SERIES) {
        labels = "{overflow=\"1\"}"; /* one a family; families are few */
        m = find(name, labels);
    }
    if (!m) {
        m = series_new(kind, name, help, scale, labels);
        map_put_text(&labelled, container_of(m, struct series, meter)->key, m);
    }
    pthread_mutex_unlock(&lock);
    seen(m);
    return m;
}

/* -- the text ----------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const struct meter *x = *(struct meter *const *)a;
    const struct meter *y = *(struct meter *const *)b;
    int order = strcmp(x->name, y->name);
    if (order)
        return order;
    return strcmp(x->labels ? x->labels : "", y->labels ? y->labels : "");
}

static struct meter **snapshot(size_t *n)
{
    pthread_mutex_lock(&lock);
    struct meter **list = mem_alloc((all_count + 1) * sizeof(struct meter *));
    *n = 0;
    for (struct meter *m = all; m; m = m->next)
        list[(*n)++] = m;
    pthread_mutex_unlock(&lock);
    qsort(list, *n, sizeof(struct meter *), by_name);
    return list;
}

static int add_number(struct buf *out, const struct meter *m, int64_t n)
{
    if (m->scale == 0)
        return buf_addf(out, " %lld\n", (long long)n);
    return buf_addf(out, " %.10g\n", (double)n * m->scale);
}

/* {a="b"} and le="x" become {a="b",le="x"}. */
static int add_bucket(struct buf *out, const struct meter *m, const char *le,
                      int64_t n)
{
    const char *labels = m->labels ? m->labels : "{}";
    int inner = (int)strlen(labels) - 2;
    return buf_addf(out, "%s_bucket{%.*s%sle=\"%s\"} %lld\n", m->name, inner,
                    labels + 1, inner > 0 ? "," : "", le, (long long)n);
}

static int add_histogram(struct buf *out, const struct meter *m)
{
    int64_t total = 0;
    int err = 0;
    for (int i = 0; i <= METER_BUCKETS && !err; i++) {
        char le[32] = "+Inf";
        if (i < METER_BUCKETS)
            snprintf(le, sizeof le, "%.10g",
                     (double)(1 << i) * (m->scale == 0 ? 1 : m->scale));
        total += atomic_load_explicit(&m->bucket[i], memory_order_relaxed);
        err = add_bucket(out, m, le, total);
    }
    const char *labels = m->labels ? m->labels : "";
    if (!err)
        err = buf_addf(out, "%s_sum%s", m->name, labels);
    if (!err)
        err = add_number(out, m, meter_value(m));
    if (!err)
        err = buf_addf(out, "%s_count%s %lld\n", m->name, labels,
                       (long long)total);
    return err;
}

static int add_series(struct buf *out, const struct meter *m, bool first)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    int err = 0;
    if (first)
        err = buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help,
                       m->name, kinds[m->kind]);
    if (err)
        return err;
    if (m->kind == METER_HISTOGRAM)
        return add_histogram(out, m);
    err = buf_addf(out, "%s%s", m->name, m->labels ? m->labels : "");
    return err ? err : add_number(out, m, meter_value(m));
}

int meter_write(struct buf *out)
{
    size_t n;
    struct meter **list = snapshot(&n);
    int err = 0;
    for (size_t i = 0; i < n && !err; i++)
        err =
            add_series(out, list[i],
                       i == 0 || strcmp(list[i]->name, list[i - 1]->name) != 0);
    mem_free(list);
    return err;
}
