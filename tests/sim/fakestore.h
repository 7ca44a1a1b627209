/* SPDX-License-Identifier: Apache-2.0 */
/* fakestore.h - the store in memory: what is durable, and what is on its way.
 *
 * A transaction is waiting, then in the batch being written, then durable (or
 * failed) but not yet answered, then answered. A crash keeps what is durable;
 * the batch being written is kept or lost as a whole.
 */
#pragma once
#include "desk/query.h"

struct world;

struct mail_list {
    struct mail *first, *last;
    size_t count;
};

/* A conversation's holder and visibility after the event at pos. */
struct holding {
    struct holding *next;
    uint64_t pos;
    enum conv_state state;
    uint64_t assignee, team;
};

struct conv_row {
    struct conversation c;
    uint32_t visitor_seq; /* of the visitor's last message */
    struct holding *first, *last;
};

struct row_list {
    void **at;
    size_t count, cap;
};

struct fakestore {
    struct arena *mem;       /* everything durable lies here */
    struct row_list journal; /* of struct event; index = pos - 1 */
    struct row_list tx_of;   /* number of the transaction of each event */
    struct row_list convs, contacts, agents, teams, channels, alarms, flows,
        turns, confirms;
    struct map *refs;
    struct mail_list waiting, batch, answers, queries;
    uint64_t txs;       /* committed */
    int64_t full_until; /* the disk is full till then */
};

void fakestore_init(struct world *w);
void fakestore_fini(struct world *w);
void fakestore_commit(void *world, struct tx *tx);
void fakestore_read(void *world, struct query *q);
/* One hop, if there is one to do. */
bool fakestore_step(struct world *w);
bool fakestore_query_step(struct world *w);
bool fakestore_is_idle(const struct world *w);
/* The batch being written is kept or lost as a whole. */
void fakestore_crash(struct world *w);
/* Answers everything with ERR_CANCELLED, to a desk that is being thrown away.
 * false: there was nothing. */
bool fakestore_cancel(struct world *w);
/* Writes at once, as the roof would have: for records of the house. */
void fakestore_put_agent(struct world *w, const struct agent *a);
void fakestore_del_agent(struct world *w, uint64_t id);
void fakestore_put_channel(struct world *w, const struct channel *c);
void fakestore_put_team(struct world *w, const struct team *t);

struct event *fakestore_event(struct world *w, uint64_t pos); /* or NULL */
uint64_t fakestore_pos(const struct world *w);
struct conv_row *fakestore_conv(struct world *w, uint64_t id);
struct flow *fakestore_flow(struct world *w, uint64_t id);
struct turn *fakestore_turn(struct world *w, uint64_t id);
struct confirm *fakestore_confirm(struct world *w, uint64_t id);
struct contact *fakestore_contact(struct world *w, uint64_t id);
struct agent *fakestore_agent(struct world *w, uint64_t id);
/* Where the conversation was after the event at pos; NULL = not yet there. */
const struct holding *fakestore_holding(const struct conv_row *r, uint64_t pos);
/* May this viewer be told of the event, as things stood at it? */
bool fakestore_sees(struct world *w, const struct viewer *v,
                    const struct event *ev);
