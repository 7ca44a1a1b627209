/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h - the one list of what happened: append, find, read, chain.
 *
 * Each row's hash is SHA-256(hash of the row before in its conversation, or 32
 * zero bytes || head || SHA-256(body)). Head, little-endian: pos 8, at 8,
 * conv 8, seq 4, name 2, role 1, flags 1, sender 8, cause 8, length of ref 1,
 * ref. body_hash is kept only where the body was erased.
 *
 * Thread: store for struct journal; journal_row and friends on any connection.
 */
#pragma once
#include "store/project.h"
#include "store/refs.h"

#define JOURNAL_REF_BYTES 255
#define JOURNAL_ANCHOR 64 /* every so many messages an index row */

struct journal {
    struct db *db;
    struct sha256 *sha;
    uint64_t last_pos, begun_pos; /* last_pos: also what is not committed yet */
    int64_t now;                  /* ms, of this transaction */
    size_t events;                /* of this transaction */
    struct refs refs;
    int64_t ref_ms; /* how long they are good */
    struct project project;
    struct stmt insert, anchor, by_pos, walk;
};
/* Reads what is there, remembers refs of the last day, writes out what a crash
 * left unprojected (in transactions of its own). */
int journal_open(struct journal *j, struct db *db, size_t refs_max,
                 int64_t ref_ms);
void journal_close(struct journal *j);

void journal_begin(struct journal *j, int64_t now_ms);
/* The event of the chain whose ref was stored before, or NULL: it gets conv,
 * pos, seq, at of the first one and EVENT_DUPLICATE. */
int journal_find(struct journal *j, struct event *first, struct event **dup);
/* Gives pos, seq, and at if 0. Any error fails the whole transaction. */
int journal_append(struct journal *j, struct event *ev);
void journal_commit(struct journal *j);
void journal_rollback(struct journal *j);
/* Drops refs older than ref_ms; tells how far back they reach. */
int journal_age_refs(struct journal *j, int64_t now_ms);

/* The chain's arithmetic. */
void journal_hash(struct sha256 *sha, const unsigned char before[SHA256_BYTES],
                  const struct event *ev,
                  const unsigned char body_hash[SHA256_BYTES],
                  unsigned char out[SHA256_BYTES]);

/* Rows: SELECT JOURNAL_ROW ... */
#define JOURNAL_ROW                                                            \
    "SELECT pos, prev, at, conv, seq, name, role, flags, sender, cause, ref, " \
    "body FROM journal "
/* Of the statement's present row; a as in got_text. prev may be NULL. */
void journal_row(struct stmt *s, struct arena *a, struct event *ev,
                 uint64_t *prev);
/* by_pos: JOURNAL_ROW "WHERE pos = $pos". ERR_NOT_FOUND if there is none. */
int journal_get(struct stmt *by_pos, uint64_t pos, struct arena *a,
                struct event *ev, uint64_t *prev);
