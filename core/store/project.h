/* SPDX-License-Identifier: Apache-2.0 */
/* project.h - conversations in the writer's hand, written out late.
 *
 * Why: one row update per message costs more than the message itself. The
 * figures of a conversation (progress.h) and the last link of its chain live in
 * memory; their rows are written in the same transaction while there is little
 * to do, and under load in sweeps of PROJECT_SWEEP_MS, in key order, a few
 * hundred a transaction. One durable cursor says how far the rows are complete;
 * at open the journal behind it is applied again.
 *
 * A transaction that fails undoes everything since project_begin.
 *
 * Thread: store.   Owns: hots; at most PROJECT_CLEAN of them that are clean.
 */
#pragma once
#include "base/crypto.h"
#include "base/map.h"
#include "store/progress.h"

#define PROJECT_SMALL 64      /* so few are written at once */
#define PROJECT_CHUNK 512     /* rows of a sweep in one transaction */
#define PROJECT_SWEEP_MS 4000 /* nothing waits much longer than this */
#define PROJECT_CLEAN 16384

struct hot {
    struct progress p;
    unsigned char hash[SHA256_BYTES]; /* of the row at p.last_pos */
    struct list link;                 /* in clean (oldest first) or dirty */
    uint64_t batch;                   /* in which its undo was noted */
    bool dirty;
};
struct project {
    struct db *db;
    struct map hots; /* by conversation */
    struct list clean, dirty;
    size_t clean_count, dirty_count;
    struct project_undo *undo;
    size_t undo_count, undo_cap;
    uint64_t batch;
    uint64_t *sweep; /* conversations of the running sweep, rising */
    size_t sweep_count, sweep_at;
    uint64_t sweep_pos;          /* complete up to here when it is through */
    int64_t sweep_ms;            /* when the last one ended */
    uint64_t cursor, cursor_was; /* as in the table `reader` */
    struct stmt load, save, hash_at, move;
};
int project_open(struct project *p, struct db *db);
void project_close(struct project *p);

void project_begin(struct project *p);
/* Borrowed until the transaction ends; its undo is noted. */
int project_get(struct project *p, uint64_t conv, struct hot **out);
void project_spoil(struct project *p, struct hot *h); /* its row is behind */
/* Before commit. last_pos: of the journal. events: of this transaction. */
int project_some(struct project *p, uint64_t last_pos, size_t events,
                 int64_t now_ms);
int project_all(struct project *p, uint64_t last_pos);
int project_one(struct project *p, uint64_t conv);
void project_commit(struct project *p);
void project_rollback(struct project *p);
void project_forget(struct project *p); /* all hots; between transactions */
static inline size_t project_waiting(const struct project *p)
{
    return p->dirty_count;
}
