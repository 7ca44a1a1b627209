/* SPDX-License-Identifier: Apache-2.0 */
/* fakescript.h - scripts that want by a rule of data, take their time, and
 * have random effects. */
#pragma once
#include "desk/effect.h"

struct world;

#define FAKESCRIPT_JOBS 256

struct running {
    struct job *job;
    int64_t due;
};

struct fakescript {
    struct running jobs[FAKESCRIPT_JOBS];
    size_t count;
    uint32_t tags; /* to make each tag another one */
};

int64_t fakescript_patience(void *world, const struct job *job);
bool fakescript_wants(void *world, const struct job *job);
void fakescript_run(void *world, struct job *job);
bool fakescript_step(struct world *w);
/* Like fakestore_cancel, one job a call. */
bool fakescript_cancel(struct world *w);
