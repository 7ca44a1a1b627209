/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - what follows from the journal about one conversation.
 *
 * Why a table of its own: the desk's record changes rarely, this changes with
 * every message. A row knows by last_pos how far it is, so it may be written
 * late (project.h) and in any order; replaying what it has seen changes
 * nothing.
 */
#pragma once
#include "desk/event.h"
#include "store/db.h"

struct progress {
    uint64_t conv;     /* 0 = the events of no conversation */
    uint64_t last_pos; /* of the last event */
    uint64_t handled;  /* greatest cause */
    int64_t last_at;   /* of the last message */
    int64_t waiting_since_at;
    int64_t heard_at;          /* the visitor's last message */
    uint32_t last_seq, hidden; /* hidden: private ones among them */
    uint32_t unread, agent_read, visitor_read;
    uint32_t visitor_seq; /* the visitor's last message */
    uint32_t said;        /* public answers since */
    uint32_t preview_len;
    char preview[PREVIEW_BYTES];
};

/* How many visitor's messages of the conversation, or public ones, lie above
 * seq, looking back from pos; negative = cannot say (ERR_*). */
struct progress_ask {
    int64_t (*above)(void *arg, uint64_t pos, uint32_t seq, bool visitors);
    void *arg;
};
/* ev has pos, seq and at; an event already seen (pos <= last_pos) is none.
 * 0, or the ask's error and p is unchanged. */
int progress_apply(struct progress *p, const struct event *ev,
                   const struct progress_ask *ask);

/* Rows. */
int progress_open(struct db *db, struct stmt *load, struct stmt *save);
/* 0 and *p, all 0 but conv if there is no row; or an error. */
int progress_load(struct stmt *load, uint64_t conv, struct progress *p);
int progress_save(struct stmt *save, const struct progress *p);
