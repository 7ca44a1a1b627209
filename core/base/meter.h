/* SPDX-License-Identifier: Apache-2.0 */
/* meter.h - counters, gauges and histograms, written as Prometheus text.
 *
 * A meter is a static struct registered on first use and alive for ever.
 * Adding is a relaxed atomic, any thread. Labels are part of the name text:
 * meter_labelled() makes and finds series such as {script="x"} under a lock,
 * at most LIMIT_METER_SERIES of them; keep the pointer.
 */
#pragma once
#include "base/buf.h"
#include <stdatomic.h>

enum meter_kind { METER_COUNTER, METER_GAUGE, METER_HISTOGRAM };
#define METER_BUCKETS 20

struct meter {
    const char *name; /* yuelai_messages_in_total */
    const char *help;
    enum meter_kind kind;
    double scale; /* exported = stored * scale; 0 means 1 (us -> s: 1e-6)*/
    const char *labels; /* {a="b"} or NULL */
    atomic_llong value; /* histogram: sum */
    /* powers of 2 from 1, in units; the last one is what is above them */
    atomic_llong bucket[METER_BUCKETS + 1];
    atomic_bool listed;
    struct meter *next;
};
#define METER(var, kind_, name_, help_)                                        \
    static struct meter var = {.name = name_, .help = help_, .kind = kind_}
#define METER_US(var, name_, help_) /* histogram fed in us, exported in s */   \
    static struct meter var = {                                                \
        .name = name_, .help = help_, .kind = METER_HISTOGRAM, .scale = 1e-6}

void meter_add(struct meter *m, int64_t n);  /* counter, gauge */
void meter_set(struct meter *m, int64_t n);  /* gauge */
void meter_note(struct meter *m, int64_t n); /* histogram: one observation */
/* Observations of one thread, told to their histogram now and then: for what
 * is noted more often than a locked addition is worth. */
struct tally {
    int64_t sum, count;
    uint32_t bucket[METER_BUCKETS + 1];
};
void tally_note(struct tally *t, int64_t n);
void tally_tell(struct tally *t, struct meter *m); /* empties t */
int64_t meter_value(const struct meter *m);
/* Series of one family told apart by labels; copies the texts. */
struct meter *meter_labelled(enum meter_kind kind, const char *name,
                             const char *help, double scale,
                             const char *labels);
int meter_write(struct buf *out); /* the whole /metrics text */
