/* SPDX-License-Identifier: Apache-2.0 */
/* db.h - SQLite made small: open, migrate, statements, errors.
 *
 * Why: every setting that durability hangs on stands in one file, and the rest
 * of the store speaks of statements and slices, never of SQLite's codes.
 *
 * Thread: a db and its statements belong to the thread that uses them.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define DB_FILE "yuelai.db"
#define DB_PAGE_BYTES 4096

struct sqlite3;
struct sqlite3_stmt;

enum db_kind {
    DB_WRITER, /* makes the file, WAL, FULL */
    DB_READER, /* refuses to write, may checkpoint */
    DB_LOOKER  /* from outside, beside a server or not: only reads */
};
struct db {
    struct sqlite3 *h; /* NULL = not open */
    struct err err;    /* of the last failure, for who answers people */
    int64_t log_bytes; /* of the write-ahead log, after the last commit */
};
/* db stays where it is until db_close. */
int db_open(struct db *db, const char *dir, enum db_kind kind, struct err *e);
void db_close(struct db *db);
/* Brings the schema up to date. A newer one: ERR_UNPROCESSABLE. */
int db_migrate(struct db *db, struct err *e);
/* ERR_UNPROCESSABLE unless the schema is exactly ours. */
int db_check_schema(struct db *db, struct err *e);
/* One or many statements without parameters or rows. */
int db_run(struct db *db, const char *sql);
/* Forgets the pages it keeps in memory. */
void db_release(struct db *db);
/* Moves pages from the log into the database, waiting for nobody. When all
 * were moved the next commit starts the log over. */
int db_checkpoint(struct db *db);
int db_truncate_log(struct db *db);
bool db_in_transaction(const struct db *db);
int64_t db_changes(const struct db *db); /* rows the last statement wrote */
int64_t db_bytes(const struct db *db);   /* of the file, by its own count */

/* A prepared statement. Values are put in the order of the names given to
 * stmt_open; each name is looked up there once, so the order of appearance in
 * the SQL does not matter. Rows are read by column number. Text and blobs put
 * must stay unchanged until stmt_reset; those got live until the next step. */
#define STMT_PARAMS 20
struct stmt {
    struct sqlite3_stmt *h; /* NULL = not open */
    struct db *db;
    unsigned char at[STMT_PARAMS];
    unsigned count, next;
};
/* names: "pos prev at", without $. */
int stmt_open(struct db *db, const char *sql, const char *names,
              struct stmt *out);
void stmt_close(struct stmt *s); /* harmless if not open */
void put_i64(struct stmt *s, int64_t n);
static inline void put_u64(struct stmt *s, uint64_t n)
{
    put_i64(s, (int64_t)n);
}
void put_text(struct stmt *s, struct slice text);
void put_blob(struct stmt *s, const void *p, size_t n);
/* 1 = a row, 0 = no more (and reset), or an error (reset, db->err says). */
int stmt_step(struct stmt *s);
int stmt_run(struct stmt *s); /* to the end; rows are passed over */
/* One that is not kept, with $id. */
int stmt_run_id(struct db *db, const char *sql, uint64_t id);
void stmt_reset(struct stmt *s);
int64_t got_i64(struct stmt *s, int column);
static inline uint64_t got_u64(struct stmt *s, int column)
{
    return (uint64_t)got_i64(s, column);
}
static inline uint32_t got_u32(struct stmt *s, int column)
{
    return (uint32_t)got_i64(s, column);
}
/* a = NULL: borrowed until the next step; else copied there. NULL is "". */
struct slice got_text(struct stmt *s, int column, struct arena *a);
/* Exactly n bytes, or false. */
bool got_bytes(struct stmt *s, int column, void *out, size_t n);
bool got_null(struct stmt *s, int column);
