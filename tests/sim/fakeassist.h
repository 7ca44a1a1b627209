/* SPDX-License-Identifier: Apache-2.0 */
/* fakeassist.h - assistants that answer after a while, or not as hoped. */
#pragma once
#include "desk/desk.h"

struct world;

#define FAKEASSIST_TURNS 256

struct asked {
    uint64_t turn;
    int64_t due;
    bool unwanted; /* unask came, and it answers all the same */
};

struct fakeassist {
    struct asked turns[FAKEASSIST_TURNS];
    size_t count;
};

void fakeassist_ask(void *world, const struct turn *t);
bool fakeassist_known(void *world, struct known *k);
void fakeassist_unask(void *world, uint64_t turn, const char *why);
bool fakeassist_step(struct world *w);
/* The house falls: nobody waits for an answer any more. */
void fakeassist_crash(struct world *w);
