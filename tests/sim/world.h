/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a small deterministic world around one desk.
 *
 * Why: the desk is pure, so the worst weather (slow disk, full disk, slow
 * scripts, lost sockets, a crash between any two hops) can be played through
 * in virtual time, thousands of times a second, and again from its seed.
 *
 * One step = one hop: a frame reaches the desk, a commit is answered, a script
 * ends, a socket falls, time moves. Thread: one.
 */
#pragma once
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "desk/desk.h"

#include "fakeassist.h"
#include "fakeclient.h"
#include "fakescript.h"
#include "fakestore.h"
#include "oracle.h"

#define WORLD_EPOCH 77
#define WORLD_CLIENTS 24
#define WORLD_CONTACTS 5
#define WORLD_AGENTS 5
#define WORLD_CHANNELS 2
#define WORLD_TEAMS 2
#define WORLD_ACTS 64
#define WORLD_GRACE_MS 5000

/* How rough it is; drawn from the seed. */
struct weather {
    uint32_t crash;       /* per 10,000 steps */
    uint32_t disk_full;   /* per 1,000 batches */
    uint32_t drop;        /* per 1,000 client turns */
    uint32_t slow_script; /* per 1,000 jobs */
    uint32_t wants;       /* per 1,000 messages */
    uint32_t rare;        /* odd things, per 1,000 chances */
    bool scripts;         /* any hook at all */
};

struct world {
    uint64_t seed, random;
    uint32_t step, steps;
    int64_t now, ticked;
    uint64_t next_id;
    struct desk *desk;
    uint32_t life; /* rises with each crash */
    struct weather weather;
    bool calm; /* the end: no more trouble, everything drains */
    bool dead; /* the desk is being thrown away */
    struct fakestore store;
    struct fakescript script;
    struct fakeassist assist;
    struct oracle oracle;
    struct client clients[WORLD_CLIENTS];
    size_t client_count;
    uint64_t agents[WORLD_AGENTS], contacts[WORLD_CONTACTS];
    uint64_t channels[WORLD_CHANNELS], teams[WORLD_TEAMS];
    int64_t credits;              /* taken and not given back */
    struct act *acts[WORLD_ACTS]; /* REST calls under way */
    size_t act_count;
    int64_t arenas_before;
    /* figures of the run, to see that something happened */
    struct {
        uint32_t crashes, messages, acks, duplicates, jobs, events, backlog,
            recovered, restarted, takeovers, failed_batches, acts, turns,
            approved, answers, known;
    } did;
    bool failed;
    char why[1024];
};

/* --- chance --- */
uint64_t world_random(struct world *w);
uint32_t world_below(struct world *w, uint32_t n); /* 0 .. n-1 */
bool world_chance(struct world *w, uint32_t permille);

/* Notes the first violation; the run ends with it. */
void world_fail(struct world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A line of the story, printed with --trace 1. */
void world_say(struct world *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
extern bool world_trace;

void world_init(struct world *w, uint64_t seed, uint32_t steps);
/* Plays all steps, drains, checks. false: why is filled. */
bool world_run(struct world *w);
void world_fini(struct world *w);

/* The port table of the desk in this world. */
struct desk_ports world_ports(struct world *w);
struct client *world_peer(struct world *w, uint64_t peer); /* or NULL */
bool world_team_has(size_t team, uint64_t agent, struct world *w);
