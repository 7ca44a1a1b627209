/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the face of the store: everything lasting, behind one thread.
 *
 * One writer thread drains its mailbox, puts all that is there into one SQL
 * transaction (adaptive gather: idle at once, busy 1-3 ms), commits with
 * synchronous=FULL and only then answers (I1). Readers have threads and
 * connections of their own; a read first makes sure that everything acked is
 * visible to it (the lazy projections are written out).
 *
 * Thread: main calls; all answers come on the home loop.
 */
#pragma once
#include "desk/query.h"
#include "loop/loop.h"

struct store;
struct store_conf {
    const char *dir;    /* data directory; made if missing, mode 0700 */
    struct loop *home;  /* borrowed */
    int readers;        /* threads, default 2 when 0 */
    int64_t refs_max;   /* 0 = LIMIT_REFS */
    int64_t trace_days; /* 0 = LIMIT_TRACE_DAYS */
    int64_t ref_hours;  /* 0 = LIMIT_REF_HOURS */
    int64_t file_days;  /* files are kept after their last use; 0 = for ever */
    bool offline; /* no threads: for user and token commands; all is done inside
                     the call, and without home answered there too */
};
/* Opens, locks (a second server gets ERR_CONFLICT with a sentence), migrates
 * (a newer database: ERR_UNPROCESSABLE with a sentence), writes out what a
 * crash left unprojected. Blocking: at start only. */
int store_open(const struct store_conf *conf, struct err *e,
               struct store **out);
/* Commits all that was given, answers it, then joins the threads. */
void store_close(struct store *s);

void store_commit(struct store *s, struct tx *tx); /* takes; tx->done comes */
uint64_t store_epoch(const struct store *s);       /* of this database */
uint64_t store_pos(const struct store *s); /* last committed, any thread */
/* 32 bytes, made at first start, kept in the database: signs visitor tokens. */
const unsigned char *store_key(const struct store *s);
/* Bytes free for us? A failed commit (disk full) makes the next ones fail fast
 * until a probe write succeeds (once a second). */
bool store_is_healthy(const struct store *s);

/* What main needs in memory at start (blocking, before the threads run). Each
 * fn is called per row with slices valid during the call. */
struct store_visit {
    void *arg;
    void (*channel)(void *arg, const struct channel *c);
    void (*agent)(void *arg, const struct agent *a);
    void (*team)(void *arg, const struct team *t);
    void (*token)(void *arg, const struct token *t);
    void (*conversation)(void *arg, const struct conversation *c,
                         const struct contact *who);      /* not closed ones */
    void (*unhandled)(void *arg, const struct event *ev); /* visitors' messages
                         whose rules have not run, in journal order */
    void (*alarm)(void *arg, const struct alarm *a);
    void (*flow)(void *arg, const struct flow *f); /* not ended; log is "" */
    void (*cut)(void *arg, const struct dead *l);  /* data has "cut" */
    void (*outbox)(void *arg, const struct outbox *o); /* waiting, by id */
    void (*assistant)(void *arg, const struct assistant *a);
    void (*turn)(void *arg, const struct turn *t);       /* pending, by id */
    void (*confirm)(void *arg, const struct confirm *f); /* not told, by id */
    void (*version)(void *arg,
                    const struct script_version *v); /* not VERSION_OLD */
};
int store_visit(struct store *s, const struct store_visit *v, struct err *e);

void store_read(struct store *s, struct query *q); /* takes; q->done comes */

/* Offline: checks chain, seq, projections, SQLite's own integrity. Prints
 * findings to out. 0 = all well. Progress by fn (may be NULL). */
int store_verify(const char *dir, struct buf *out,
                 void (*fn)(void *arg, uint64_t done, uint64_t total),
                 void *arg, struct err *e);

/* The rest looks from outside: beside a running server or without one, read
 * only, blocking; it takes no lock and sees what is committed.
 *
 * One question, answered when it returns (done is not called; q stays the
 * caller's). Returns q->result. Not QUERY_LOGIN and QUERY_HASH. */
int store_look(const char *dir, struct query *q);
/* Every event with at >= since in journal order, then the trace rows of each.
 * What was stored when
 * the walk began is walked. A fn that returns other than 0 ends the walk with
 * that; each may be NULL. */
struct store_walk {
    void *arg;
    int (*event)(void *arg, const struct event *ev);
    int (*trace)(void *arg, const struct trace *t);
    int (*contact)(void *arg, const struct contact *c); /* first, all of the
                                 conversations that will come; as they are now */
    int (*channel)(void *arg, const struct channel *c); /* before them, all */
    int (*agent)(void *arg, const struct agent *a);
    int (*team)(void *arg, const struct team *t);
    /* Just before the first event of a conversation that began earlier: the
     * last conversation.* event it had by then. */
    int (*before)(void *arg, const struct event *ev);
    uint64_t from, upto; /* out: positions that are walked, for progress */
};
int store_walk(const char *dir, int64_t since, struct store_walk *w,
               struct err *e);
/* Every file, by id. A fn that returns other than 0 ends it with that. */
int store_files(const char *dir, int (*fn)(void *arg, const struct file *f),
                void *arg, struct err *e);
/* One value of a script's space. ERR_NOT_FOUND. */
int store_peek_kv(const char *dir, struct slice space, struct slice key,
                  struct arena *a, struct slice *value, struct err *e);
