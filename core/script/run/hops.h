/* SPDX-License-Identifier: Apache-2.0 */
/* hops.h - what each handler of a job did: its trace (job->hops).
 *
 * A hop is noted when its handler begins and completed when it ends. The JSON
 * is made once, when the job goes home: at most HOPS_MOST objects and
 * LIMIT_TRACE_BYTES, what is beyond is a number.
 *
 * Thread: whoever has the job.   Lives in the job's arena.
 */
#pragma once
#include "desk/effect.h"

struct version;
struct buf;

#define HOPS_MOST 64
#define HOP_ERROR_BYTES 200

enum hop_outcome {
    HOP_PASSED,
    HOP_DECIDED,
    HOP_REJECTED, /* on_inbound, on_send: error says why */
    HOP_FAILED,
    HOP_KILLED,
    HOP_SKIPPED, /* the script was switched off meanwhile */
    HOP_CUT,     /* it waited and was ended: its time was over, a reload */
    HOP_CANCELLED
};
struct hop {
    struct hop *next;
    const struct version *version; /* the job's plan keeps it */
    enum hook hook;
    enum hop_outcome outcome;
    int64_t at;          /* wall, ms */
    int64_t us, wall_us; /* CPU; from start to end with all waits */
    struct slice error;  /* first line */
};
struct hops {
    struct hop *first, *last;
    uint32_t count, more;
};
/* NULL when there are enough: that one is only counted. */
struct hop *hops_add(struct hops *h, struct job *job, const struct version *v,
                     int64_t at);
/* The first line of text, cut and made UTF-8; copied. */
void hop_error(struct hop *hop, struct arena *a, struct slice text);
/* Those of a part join those of the job it came from. */
void hops_join(struct hops *h, const struct hops *from, struct arena *a);
/* What is the same in all hops of a version: made once, while it is loaded. */
void hops_head(struct version *v);
/* Sets job->hops; scratch is emptied first. */
void hops_write(const struct hops *h, struct job *job, enum hook hook,
                struct buf *scratch);
