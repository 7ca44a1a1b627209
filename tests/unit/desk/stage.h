/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - one desk on a bare stage: the test plays the wings by hand.
 *
 * Commits, queries and jobs wait until the test answers them; what peers are
 * told is kept as lines of text. One stage at a time.
 */
#pragma once
#include "base/json.h"
#include "desk/desk.h"
#include "test.h"

#define STAGE_EPOCH 7
#define STAGE_LINES 4000

struct stage {
    struct desk *desk;
    int64_t now;
    uint64_t next_id, next_peer;
    struct mail *txs, *txs_last, *queries, *queries_last;
    struct job *jobs[64];
    size_t job_count;
    bool wants;               /* the hooks of what happened, for anything */
    unsigned hooks;           /* and these: bits of enum hook */
    int64_t patience;         /* of all rules */
    bool strict;              /* they must have seen it */
    struct channel_face face; /* of the channel's adapter */
    uint64_t held;   /* a webhook of anybody's that waits; taken once */
    int64_t silence; /* of all peers; -1 = they are gone */
    int probes;      /* they were asked for a sign */
    uint64_t slow;   /* the peer with so many bytes */
    int64_t unread;
    struct conversation row; /* as the store has it; id 0: none */
    struct arena *mem;       /* of the journal */
    struct event journal[STAGE_LINES];
    uint64_t pos;
    uint32_t seqs[64];       /* by conversation id - 1000 */
    char *told[STAGE_LINES]; /* "PEER notice ..." */
    size_t told_count;
    struct flow flows[8]; /* rows as they were put last, by id */
    size_t flow_count;
    struct dead dead;         /* the last letter put; id 0 = none there */
    struct outbox outbox[16]; /* rows as they were put last, by id */
    size_t outbox_count;
    struct turn turns[32]; /* rows as they were put last, by id */
    size_t turn_count;
    uint64_t asked[64]; /* turns the roof was given, and which it lost */
    size_t asked_count, unasked;
    uint64_t halted;     /* the turn that was to end with what there is */
    const char *known;   /* the answer to first words, NULL = must be asked */
    int looked_for;      /* how often */
    const char *growing; /* what was told of a turn, up to piece 4 */
    int traces;          /* rows put */
    char trace[4096];    /* the last one */
    int64_t credits;
    int64_t arenas_before;
    uint64_t acked_conv; /* of the last ack */
};

void stage_open(struct stage *s);
void stage_close(struct stage *s);            /* checks that nothing leaked */
void stage_pass(struct stage *s, int64_t ms); /* time, with ticks */

/* The oldest waiting transaction; false: there is none. */
bool stage_commit(struct stage *s);
bool stage_fail(struct stage *s, int code);
bool stage_read(struct stage *s);   /* the oldest query, from the journal */
void stage_settle(struct stage *s); /* all commits and queries */
/* The oldest running job, still the test's; its effects are to be added. */
struct job *stage_job(struct stage *s);
void stage_job_done(struct stage *s, struct job *job);

void stage_agent(struct stage *s, uint64_t id, enum agent_role role,
                 int32_t max_load);
void stage_team(struct stage *s, uint64_t id, const char *members);
uint64_t stage_agent_joins(struct stage *s, uint64_t agent); /* the peer */
uint64_t stage_visitor_joins(struct stage *s, uint64_t contact);
uint64_t stage_resumes(struct stage *s, enum role role, uint64_t id,
                       uint64_t pos, uint32_t sub);
void stage_gone(struct stage *s, uint64_t peer);

void stage_says(struct stage *s, uint64_t peer, uint64_t conv, const char *ref,
                const char *text);
void stage_notes(struct stage *s, uint64_t peer, uint64_t conv, const char *ref,
                 const char *text);
void stage_reads(struct stage *s, uint64_t peer, uint64_t conv, uint32_t seq);
void stage_stops(struct stage *s, uint64_t peer, uint64_t conv);
void stage_recalls(struct stage *s, uint64_t peer, uint64_t conv,
                   uint64_t message);
void stage_watches(struct stage *s, uint64_t peer, uint64_t conv);
void stage_types(struct stage *s, uint64_t peer, uint64_t conv);
/* By REST; gives the result. The transaction, if any, is committed. */
int stage_acts(struct stage *s, enum act_kind kind, uint64_t agent,
               uint64_t conv, uint64_t to_agent, uint64_t to_team);

/* A visitor's first word, settled and placed by the desk: the conversation. */
uint64_t stage_conversation(struct stage *s, uint64_t contact);
const struct conversation *stage_conv(struct stage *s, uint64_t id);

/* All lines told to this peer since the last call, joined by " | ". */
const char *stage_hears(struct stage *s, uint64_t peer);
