/* SPDX-License-Identifier: Apache-2.0 */
/* stage.h - the house a test plays in: all but sockets, in held time.
 *
 * Why: a test must not wait and must not depend on the machine's speed. Time
 * stands still (clock_hold_ms) while anything is under way; when all is quiet
 * it goes on by as much as the test says, stopping at every deadline.
 *
 * Quiet: the desk waits for no answer, the store has answered all, the script
 * threads have looked at all they were given and wait for time only.
 *
 * Thread: main.   Owns: a folder with a copy of the scripts and a database.
 * States: CLOSED -> OPEN -> CLOSED
 */
#pragma once
#include "app/server.h"
#include "app/testing/testing.h"

#define STAGE_PATH 512
#define STAGE_REAL_MS 30000 /* a step may take that long by the real clock */
#define STAGE_MOVES 200000  /* deadlines passed in one step */
#define STAGE_STEP_BYTES (4 * 1024 * 1024)

struct actor; /* people.h */
struct fakes;
struct stage {
    /* for all tests of a file */
    struct loop *loop;     /* borrowed */
    struct script *tester; /* borrowed: where the tests run */
    const char *home;      /* the scripts are copied from there */
    const char *test_file; /* fixtures are beside it */
    const char *only_unit, *only_source;
    bool record;
    char *recorded[64]; /* fixtures written in this run */
    int recorded_count;
    /* of a house */
    bool is_open;
    char dir[STAGE_PATH];
    struct server *server; /* for asks and reads; without net */
    struct arena *arena;   /* of all that was seen */
    struct actor *actors;
    uint64_t last_id;
    struct slice only, secrets; /* JSON, "" = none */
    int64_t errors_taken;       /* of scripts, by t.errors() */
    struct fakes *fakes;
    /* what is under way */
    size_t busy;           /* commits, reads */
    size_t calls;          /* fakes' functions that run */
    uint64_t moves;        /* rises when anything happens */
    bool crashed, napping; /* crashed: commits and reads are refused */
    bool looked, reloaded;
    int64_t look_next;
    size_t look_asks;
    struct timer nap;
    struct mail pass;
    bool passed;
};

/* --- stage.c: life and time --- */
void stage_init(struct stage *st, struct loop *loop);
void stage_fini(struct stage *st);               /* a closed one */
int stage_open(struct stage *st, struct err *e); /* harmless if it is open */
void stage_close(struct stage *st);
/* Held time begins there; a zone by name is the machine's as long as it lasts
 * ("" = UTC). While no house is open. */
void stage_begin_at(int64_t at, struct slice zone);
/* As after a crash: everything but the database is new; who was there comes
 * back with its cursor. */
int stage_restart(struct stage *st, struct err *e);
/* Until all is quiet; ERR_TIMEOUT: it never is. */
int stage_settle(struct stage *st, struct err *e);
/* The next deadline: of handlers under way (only_waits), or of anything. -1 =
 * none. Wall ms. The house is quiet. */
int64_t stage_next(const struct stage *st, bool only_waits);
/* Passes every deadline up to `to`. */
int stage_advance(struct stage *st, int64_t to, struct err *e);
void stage_moved(struct stage *st); /* something happened */
/* Runs the loop until *flag; for who set something going. */
int stage_await(struct stage *st, const bool *flag, struct err *e);
/* Answers within the call. */
int stage_read(struct stage *st, struct query *q, struct err *e);
int stage_commit(struct stage *st, struct tx *tx, struct err *e);

/* --- stage_files.c: folders --- */
int stage_files_make(struct stage *st, struct err *e);
int stage_files_write(struct stage *st, struct slice unit, struct slice text,
                      struct err *e);
void stage_files_remove(struct stage *st);
void stage_files_sweep(void); /* those of processes that are no more */
/* The text of a file below the home: "channels/x", "rules/x", "lib/x". Gives
 * its name for people too. */
int stage_files_source(struct stage *st, struct slice name, struct arena *a,
                       struct slice *text, struct slice *file, struct err *e);
int file_read(const char *path, struct arena *a, struct slice *out,
              struct err *e);
int file_write(const char *path, struct slice text, struct err *e);

/* --- stage_ports.c --- */
struct desk_ports stage_ports(struct stage *st);
void stage_on_ask(void *arg, struct script_ask *ask);

/* --- fakes.c --- */
struct fakes *fakes_new(struct stage *st);
void fakes_free(struct fakes *f);
void fakes_reset(struct fakes *f); /* of the next test */
/* Takes those of http, streams, models. False: not one of them. */
bool fakes_take(struct fakes *f, struct script_ask *ask);
int64_t fakes_next(const struct fakes *f); /* due, wall ms; -1 = none */
size_t fakes_waiting(const struct fakes *f);
void fakes_turn(struct fakes *f); /* answers what is due */
void fakes_result(struct fakes *f, const struct json *in);
/* JSON object with `message`... of what failed in a fake since, or NULL */
struct slice fakes_trouble(struct fakes *f);
