/* SPDX-License-Identifier: Apache-2.0 */
/* record_scripts.h - what the script platform keeps, to rows and back: flows,
 * traces, dead letters, versions, audit, compare-and-set of key-values.
 *
 * Apart from record.h because these puts are small programs: a version that
 * serves ends the one before, the oldest make room. Thread: the connection's.
 */
#pragma once
#include "store/record.h"

/* HEAD ", ''" reads a row without its big last column. */
#define FLOW_HEAD                                                              \
    "id, unit, version, conv, contact, state, due_at, created_at, "            \
    "updated_at, step, fence, attempts, args, view, error"
#define FLOW_COLUMNS FLOW_HEAD ", log"
void record_flow(struct stmt *s, struct arena *a, struct flow *out);
#define DEAD_COLUMNS "id, at, conv, pos, hook, unit, reason, data, runs"
void record_dead(struct stmt *s, struct arena *a, struct dead *out);
#define VERSION_HEAD "unit, version, state, since_at, until_at, note"
#define VERSION_COLUMNS VERSION_HEAD ", sources"
void record_version(struct stmt *s, struct arena *a,
                    struct script_version *out);
#define AUDIT_COLUMNS "id, at, agent, what, about, data"
void record_audit(struct stmt *s, struct arena *a, struct audit *out);

/* A trace's row: the event's position, the hook, and which of its runs. */
#define TRACE_COLUMNS "id, conv, at, body"
#define TRACE_RUNS 16 /* of one hook; the last one is replaced by later ones */
static inline uint64_t trace_first(uint64_t pos)
{
    return pos << 8;
}
static inline uint64_t trace_pos(uint64_t id)
{
    return id >> 8;
}
void record_trace(struct stmt *s, struct arena *a, struct trace *out);

/* record_put for these kinds. */
bool record_is_scripts(enum put_kind kind);
int record_put_scripts(struct record_writer *w, const struct put *p,
                       int64_t now_ms, struct err *e);
/* As record_purge. */
int record_purge_scripts(struct record_writer *w, int64_t now_ms);
