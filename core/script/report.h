/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - what went wrong in a script, told once per place.
 *
 * A worker tells the home loop of each failed handler; there the records are
 * kept with the unit: count, first, last, file, line, message, traceback; and of
 * the last one the event and what the script had logged.
 */
#pragma once
#include "script/load/unit.h"

/* A place read out of an error text: "scripts/rules/x.lua:12: words". */
struct place {
    struct slice file, message;
    uint32_t line;
};
struct place place_of(struct slice text, struct slice otherwise);

/* On the worker: tells of a failed handler of v, which was run for job. text:
 * "file:line: message" and, behind the first line end, the traceback; copied. */
void report_failure(struct worker *w, struct version *v, const struct job *job,
                    struct slice text);
void report_quarantine(struct worker *w, struct version *v);
/* A call of it into C did not come back. */
void report_lost(struct worker *w, struct version *v);
void report_failing(struct worker *w, struct version *v);

/* On main. Copies. */
struct trouble *unit_note(struct unit *u, const struct place *at,
                          struct slice traceback, enum phase phase);
/* text: "file:line: message\n traceback" */
struct trouble *unit_note_text(struct unit *u, struct slice text,
                               enum phase phase);
/* only_loading: of loading and testing; not those of running. */
void unit_forget_troubles(struct unit *u, bool only_loading);
