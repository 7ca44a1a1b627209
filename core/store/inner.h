/* SPDX-License-Identifier: Apache-2.0 */
/* inner.h - what the store's own threads share; nobody else includes it.
 *
 * The writer owns the database's writing side and everything in `writer`;
 * a reader owns its connection. Between them there are mailboxes and the
 * atomics below, nothing else. One reader more than asked for moves the log
 * into the database (checkpoints) and answers nobody.
 */
#pragma once
#include "loop/mailbox.h"
#include "store/journal.h"
#include "store/reader.h"
#include "store/record.h"
#include "store/store.h"

#define STORE_READERS_MOST 8

struct writer {
    struct db db;
    struct journal journal;
    struct record_writer records;
    struct stmt begin, commit, save, release, undo, probe;
    struct mailbox *box;
    struct thread *thread;
    double rate;                     /* transactions per ms, lately */
    int gather_skip;                 /* batches of one not to be rested for */
    int64_t last_us;                 /* when the last batch ended */
    int64_t retry_ms, retry_wait_ms; /* unhealthy: not before; how long */
    int64_t log_checked, log_tried;  /* bytes of the log at a checkpoint */
    int64_t refs_ms, purge_ms;       /* when these chores are due */
    bool settled;                    /* the start's writing is over */
};
struct store {
    struct loop *home;
    bool offline;
    int64_t trace_days; /* 0 = as shipped */
    int64_t file_days;  /* 0 = for ever */
    int64_t ref_hours;
    int lock; /* file descriptor of DIR/lock */
    char *dir;
    uint64_t epoch;
    unsigned char key[32];
    atomic_uint_least64_t pos;
    atomic_bool healthy;
    atomic_bool behind; /* rows of conversations wait in memory */
    atomic_bool stop_writer, stop_readers;
    atomic_bool checkpointing; /* then `order` is under way */
    struct mail order;
    struct writer writer;
    struct reader readers[STORE_READERS_MOST + 1];
    int reader_count; /* without the checkpointer */
};

/* What an envelope is, told by its run; none of these is ever called. */
void store_is_tx(struct mail *m);
void store_is_query(struct mail *m);
void store_is_checkpoint(struct mail *m);

/* Answers: a chain for the home loop, or done at once without one. */
struct answers {
    struct mail *first, *last;
    size_t n;
};
void answer_tx(struct answers *a, struct tx *tx);
void answer_query(struct answers *a, struct query *q);
void answers_send(struct store *s, struct answers *a);
/* To the reader with the least to do. */
void store_forward(struct store *s, struct query *q);

int writer_open(struct store *s, size_t refs_max, struct err *e);
void writer_close(struct store *s);
void writer_main(void *store);

/* batch.c. Commits some of the chain, answers it, returns the rest. */
struct mail *batch_run(struct store *s, struct mail *chain);
/* A transaction of the house's own: projections, and a probe if writing did
 * not work lately. */
void batch_write_out(struct store *s);
/* Writing failed just now: nothing is tried yet. */
bool batch_resting(const struct store *s);
void batch_meters(void); /* shows what is still 0 */
