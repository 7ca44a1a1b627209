/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what became of the tests, for people and for machines.
 *
 * People see a line a file and every failure whole: the place, the line of
 * source, expected and actual; machines get JUnit's XML or JSON.
 *
 * Thread: main.
 */
#pragma once
#include "base/buf.h"

enum verdict { VERDICT_PASSED, VERDICT_FAILED, VERDICT_PENDING };

struct outcome {
    struct outcome *next;
    struct slice name, file; /* file: of the tests */
    int line;
    enum verdict verdict;
    int64_t us;
    /* a failure; texts, "" if there is none */
    struct slice message, expected, actual, trace; /* trace: lines */
    struct slice cause; /* what went wrong in a script meanwhile */
    struct slice at;    /* file */
    int at_line;
};
struct report {
    struct arena *arena; /* owned; all outcomes lie in it */
    struct outcome *first, *last;
    int passed, failed, pending;
    bool colours, quiet; /* quiet: nothing is told as it comes (JSON) */
    struct slice file;   /* being told */
    int64_t began_us;
};
void report_init(struct report *r, bool quiet);
void report_fini(struct report *r);
struct outcome *report_add(struct report *r, struct slice file,
                           struct slice name);
/* The outcome is whole: counted and told. */
void report_tell(struct report *r, const struct outcome *o);
/* The failures again, the slowest, the sum "N passed, N failed". */
void report_end(struct report *r);
int report_junit(const struct report *r, struct buf *out);
int report_json(const struct report *r, struct buf *out);
