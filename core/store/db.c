/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - the one place where SQLite is set up and its codes end.
 *
 * Happy path: open with the settings below, migrate, prepare once, step often.
 *
 * Failure modes: a full disk, a lost disk, no memory or a lock are
 * ERR_UNAVAILABLE (trying again may help); a broken constraint is ERR_CONFLICT;
 * a damaged file and everything else is ERR_INTERNAL with SQLite's sentence.
 * After an error the statement is reset; whether the transaction still stands
 * is asked of SQLite (db_in_transaction), because some errors end it.
 */
#include "store/db.h"
#include "store/migrations.h"
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#define BUSY_MS 10000
#define CACHE_KIB_WRITER 4000
#define CACHE_KIB_READER 1000

/* -- errors ------------------------------------------------------------- */

static int code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PROTOCOL:
        return ERR_UNAVAILABLE;
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_TOOBIG:
        return ERR_TOOBIG;
    default:
        return ERR_INTERNAL;
    }
}

static int fail(struct db *db, int rc)
{
    const char *why = db->h ? sqlite3_errmsg(db->h) : sqlite3_errstr(rc);
    return err_set(&db->err, code_of(rc), "database: %s (%d)", why, rc);
}

/* -- open --------------------------------------------------------------- */

static void setup(void)
{
    /* Connections are not shared between threads, and nobody asks SQLite for
     * its memory figures: both locks would be taken for every value. */
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static const char writer_settings[] =
    "PRAGMA page_size=4096;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"     /* I1; NORMAL loses acknowledged rows */
    "PRAGMA wal_autocheckpoint=0;" /* never in a commit: writer.c decides */
    "PRAGMA foreign_keys=OFF;"
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA secure_delete=OFF;";
static const char reader_settings[] =
    "PRAGMA synchronous=FULL;" /* it checkpoints */
    "PRAGMA wal_autocheckpoint=0;"
    "PRAGMA temp_store=MEMORY;"
    "PRAGMA query_only=ON;";

static int on_commit(void *arg, sqlite3 *h, const char *name, int pages)
{
    struct db *db = arg;
    db->log_bytes = (int64_t)pages * DB_PAGE_BYTES;
    return SQLITE_OK;
}

/* SQLite would make it readable for others; log and shared memory get the
 * rights of the database. */
static void make_private(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) /* if not, SQLite says why */
        close(fd);
}

int db_open(struct db *db, const char *dir, enum db_kind kind, struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, setup);
    *db = (struct db){0};
    char path[4096], cache[64];
    snprintf(path, sizeof path, "%s/%s", dir, DB_FILE);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (kind == DB_WRITER)
        make_private(path);
    int rc = sqlite3_open_v2(path, &db->h, flags, NULL);
    int r = rc == SQLITE_OK ? 0 : fail(db, rc);
    if (r == 0) {
        sqlite3_busy_timeout(db->h, BUSY_MS);
        snprintf(cache, sizeof cache, "PRAGMA cache_size=-%d;",
                 kind == DB_WRITER ? CACHE_KIB_WRITER : CACHE_KIB_READER);
        r = db_run(db, kind == DB_WRITER ? writer_settings : reader_settings);
    }
    if (r == 0)
        r = db_run(db, cache);
    if (r == 0 && kind == DB_LOOKER) {
        /* What a crash left in the log is the next server's to move. */
        rc =
            sqlite3_db_config(db->h, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        r = rc == SQLITE_OK ? 0 : fail(db, rc);
    }
    if (r == 0)
        sqlite3_wal_hook(db->h, on_commit, db);
    if (r < 0) {
        r = err_set(e, r, "cannot open %s: %s", path, db->err.text);
        db_close(db);
    }
    return r;
}

void db_close(struct db *db)
{
    if (!db->h)
        return;
    /* A statement left open would keep the file: that is a bug of ours. */
    must(sqlite3_close(db->h) == SQLITE_OK);
    db->h = NULL;
}

void db_release(struct db *db)
{
    (void)sqlite3_db_release_memory(db->h); /* what it can; never fails */
}

int db_run(struct db *db, const char *sql)
{
    int rc = sqlite3_exec(db->h, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : fail(db, rc);
}

int db_checkpoint(struct db *db)
{
    int rc = sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                       NULL, NULL);
    if (rc == SQLITE_BUSY)
        return 0; /* the writer was just moving the log's head: next time */
    return rc == SQLITE_OK ? 0 : fail(db, rc);
}

int db_truncate_log(struct db *db)
{
    int rc = sqlite3_wal_checkpoint_v2(db->h, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                       NULL, NULL);
    return rc == SQLITE_OK ? 0 : fail(db, rc);
}

bool db_in_transaction(const struct db *db)
{
    return !sqlite3_get_autocommit(db->h);
}

int64_t db_changes(const struct db *db)
{
    return sqlite3_changes64(db->h);
}

static int64_t number_of(const struct db *db, const char *sql)
{
    sqlite3_stmt *s;
    int64_t n = -1;
    if (sqlite3_prepare_v2(db->h, sql, -1, &s, NULL) != SQLITE_OK)
        return n;
    if (sqlite3_step(s) == SQLITE_ROW)
        n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

int64_t db_bytes(const struct db *db)
{
    int64_t pages = number_of(db, "PRAGMA page_count");
    return pages < 0 ? 0 : pages * DB_PAGE_BYTES;
}

/* -- the schema --------------------------------------------------------- */

static int step_up(struct db *db, const struct migration *m, struct err *e)
{
    char number[64];
    snprintf(number, sizeof number, "PRAGMA user_version=%d;", m->number);
    int r = db_run(db, "BEGIN IMMEDIATE");
    if (r == 0)
        r = db_run(db, m->sql);
    if (r == 0)
        r = db_run(db, number);
    if (r == 0)
        r = db_run(db, "COMMIT");
    if (r == 0)
        return 0;
    err_set(e, r, "migration %s failed: %s", m->name, db->err.text);
    if (db_in_transaction(db))
        db_run(db, "ROLLBACK"); /* the first error is the one to tell */
    return r;
}

static int schema_known(void)
{
    return migrations[migrations_count - 1].number;
}

static int schema_of(struct db *db, int64_t *has, struct err *e)
{
    *has = number_of(db, "PRAGMA user_version");
    if (*has < 0)
        return err_set(e, ERR_INTERNAL, "cannot read the database: %s",
                       sqlite3_errmsg(db->h));
    if (*has > schema_known())
        return err_set(e, ERR_UNPROCESSABLE,
                       "the database was written by a newer version (schema "
                       "%lld, this program knows %d); install that version or "
                       "restore a backup",
                       (long long)*has, schema_known());
    return 0;
}

int db_check_schema(struct db *db, struct err *e)
{
    int64_t has;
    int r = schema_of(db, &has, e);
    if (r < 0 || has == schema_known())
        return r;
    return err_set(e, ERR_UNPROCESSABLE,
                   "the database has schema %lld, this program %d; start the "
                   "server once to bring it up to date",
                   (long long)has, schema_known());
}

int db_migrate(struct db *db, struct err *e)
{
    int64_t has;
    int r = schema_of(db, &has, e);
    for (size_t i = 0; i < migrations_count && r == 0; i++)
        if (migrations[i].number > has)
            r = step_up(db, &migrations[i], e);
    return r;
}

/* -- statements --------------------------------------------------------- */

int stmt_open(struct db *db, const char *sql, const char *names,
              struct stmt *out)
{
    *out = (struct stmt){.db = db};
    int rc = sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                &out->h, NULL);
    if (rc != SQLITE_OK)
        return fail(db, rc);
    while (*names) {
        char name[32] = "$";
        size_t n = strcspn(names, " ");
        must(n > 0 && n + 1 < sizeof name && out->count < STMT_PARAMS);
        memcpy(name + 1, names, n);
        int at = sqlite3_bind_parameter_index(out->h, name);
        must(at > 0);
        out->at[out->count++] = (unsigned char)at;
        names += n + (names[n] == ' ');
    }
    must(sqlite3_bind_parameter_count(out->h) == (int)out->count);
    return 0;
}

void stmt_close(struct stmt *s)
{
    sqlite3_finalize(s->h);
    s->h = NULL;
}

static int next_param(struct stmt *s)
{
    must(s->next < s->count);
    return s->at[s->next++];
}

void put_i64(struct stmt *s, int64_t n)
{
    must(sqlite3_bind_int64(s->h, next_param(s), n) == SQLITE_OK);
}

/* Binding borrowed bytes allocates nothing; only a value beyond SQLite's own
 * maximum (a gigabyte, far above ours) could be refused. */
void put_text(struct stmt *s, struct slice text)
{
    must(sqlite3_bind_text64(s->h, next_param(s), text.at ? text.at : "",
                             text.len, SQLITE_STATIC,
                             SQLITE_UTF8) == SQLITE_OK);
}

void put_blob(struct stmt *s, const void *p, size_t n)
{
    must(sqlite3_bind_blob64(s->h, next_param(s), p, n, SQLITE_STATIC) ==
         SQLITE_OK);
}

int stmt_step(struct stmt *s)
{
    must(s->next == s->count);
    int rc = sqlite3_step(s->h);
    if (rc == SQLITE_ROW)
        return 1;
    int r = rc == SQLITE_DONE ? 0 : fail(s->db, rc);
    stmt_reset(s);
    return r;
}

int stmt_run(struct stmt *s)
{
    int r;
    while ((r = stmt_step(s)) == 1)
        ;
    return r;
}

int stmt_run_id(struct db *db, const char *sql, uint64_t id)
{
    struct stmt s;
    int r = stmt_open(db, sql, "id", &s);
    if (r == 0) {
        put_u64(&s, id);
        r = stmt_run(&s);
    }
    stmt_close(&s);
    return r;
}

void stmt_reset(struct stmt *s)
{
    sqlite3_reset(s->h); /* repeats the step's error, which was told */
    s->next = 0;
}

int64_t got_i64(struct stmt *s, int column)
{
    return sqlite3_column_int64(s->h, column);
}

struct slice got_text(struct stmt *s, int column, struct arena *a)
{
    const char *at = (const char *)sqlite3_column_text(s->h, column);
    int n = sqlite3_column_bytes(s->h, column);
    struct slice text = {at ? at : "", at ? (size_t)n : 0};
    return a ? slice_dup(a, text) : text;
}

bool got_bytes(struct stmt *s, int column, void *out, size_t n)
{
    const void *at = sqlite3_column_blob(s->h, column);
    if (!at || sqlite3_column_bytes(s->h, column) != (int)n)
        return false;
    memcpy(out, at, n);
    return true;
}

bool got_null(struct stmt *s, int column)
{
    return sqlite3_column_type(s->h, column) == SQLITE_NULL;
}
