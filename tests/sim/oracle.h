/* SPDX-License-Identifier: Apache-2.0 */
/* oracle.h - what must always be true (house §1, invariants).
 *
 * It sees every port call and every commit, and keeps a model of its own. Each
 * violation goes to world_fail with the invariant's number.
 */
#pragma once
#include "desk/desk.h"

struct world;
struct client;

#define ORACLE_RUNS 4096

/* One job as it was run: what its effects may be judged by. */
struct run {
    uint64_t conv, pos;
    uint32_t fence;
    enum hook hook;
    bool running, granted;
};

struct oracle {
    struct run *runs; /* of this life */
    size_t count, cap;
};

void oracle_fini(struct world *w);
void oracle_on_given(struct world *w, const struct tx *tx);
/* Around the writing of one transaction. */
void oracle_before_write(struct world *w, const struct tx *tx);
void oracle_after_write(struct world *w, const struct tx *tx);
void oracle_on_run(struct world *w, const struct job *job);
void oracle_on_ran(struct world *w, const struct job *job);
void oracle_on_tell(struct world *w, struct client *c, const struct notice *n);
void oracle_on_act(struct world *w, const struct act *act); /* answered */
void oracle_on_crash(struct world *w);
/* How a client looks at the journal now. */
void oracle_viewer(struct world *w, struct client *c, struct viewer *v,
                   uint64_t *teams);
/* All is drained: the whole picture. */
void oracle_at_rest(struct world *w);
/* The desk is gone: nothing leaked. */
void oracle_at_end(struct world *w);
