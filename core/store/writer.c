/* SPDX-License-Identifier: Apache-2.0 */
/* writer.c - the store thread: gather, batch after batch, chores in between.
 *
 * Happy path: whatever lies in the mailbox becomes one SQL transaction
 * (batch.c). When little comes it is committed at once; when much comes the
 * thread rests a millisecond or a few first, because one fsync for two hundred
 * messages costs what one for a single message costs. When it is quiet the
 * projections are written out, refs age, what has run out is thrown away; after
 * a start the memory it took goes back.
 *
 * Failure modes: a batch that fails is batch.c's; a chore that fails is logged
 * and comes again at its time. Stopping drains the mailbox first (I12).
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/meter.h"
#include "store/inner.h"
#include <time.h>

#define GATHER_ENOUGH 256 /* so many need not wait for more */
#define GATHER_RATE 1.0   /* transactions per ms that make it worth it */
#define GATHER_SLICE_US 1000
#define GATHER_SLICES 3
#define GATHER_SKIP 16   /* a lone sender is not made to wait so often */
#define IDLE_US 20000    /* quiet so long: write projections out */
#define SETTLE_US 500000 /* quiet so long after the start: it is over */
#define MINUTE_MS 60000
#define SECOND_MS 1000

METER(depth, METER_GAUGE, "yuelai_store_mailbox_depth",
      "Envelopes waiting for the store thread.");
METER(db_size, METER_GAUGE, "yuelai_store_database_bytes",
      "The database file.");

/* -- the thread --------------------------------------------------------- */

static struct mail *chain_end(struct mail *m, size_t *n)
{
    for (*n = 1; m->next; m = m->next)
        ++*n;
    return m;
}

/* Rests a little for more to come, if more is likely. */
static struct mail *gather(struct writer *w, struct mail *chain, size_t *n)
{
    struct mail *last = chain_end(chain, n);
    if (w->rate < GATHER_RATE)
        return chain;
    if (*n == 1 && w->gather_skip > 0) {
        w->gather_skip--;
        return chain;
    }
    for (int i = 0; i < GATHER_SLICES && *n < GATHER_ENOUGH; i++) {
        struct timespec slice = {.tv_nsec = GATHER_SLICE_US * 1000};
        nanosleep(&slice, NULL);
        struct mail *more = mailbox_take(w->box);
        if (!more)
            break;
        size_t count;
        last->next = more;
        last = chain_end(more, &count);
        *n += count;
    }
    w->gather_skip = *n == 1 ? GATHER_SKIP : 0;
    return chain;
}

static void note_rate(struct writer *w, size_t n)
{
    int64_t now = clock_mono_us();
    double ms = (double)(now - w->last_us) / 1000.0;
    w->rate = (3 * w->rate + (double)n / (ms > 0.1 ? ms : 0.1)) / 4;
    w->last_us = now;
}

/* Nothing came for a while: what can wait is done now. */
static void idle(struct store *s)
{
    if (batch_resting(s))
        return;
    if (!atomic_load(&s->healthy) ||
        project_waiting(&s->writer.journal.project))
        batch_write_out(s);
}

/* A start writes every script's sources and, the first time, the schema: pages
 * that nobody will ask for again. */
static void settle(struct writer *w)
{
    w->settled = true;
    db_release(&w->db);
    mem_trim();
}

static void chores(struct store *s)
{
    struct writer *w = &s->writer;
    int64_t now = clock_mono_us() / 1000;
    int r = 0, more = 0;
    if (!atomic_load(&s->healthy))
        return;
    if (now >= w->refs_ms) {
        w->refs_ms = now + MINUTE_MS;
        meter_set(&db_size, db_bytes(&w->db));
        r = journal_age_refs(&w->journal, clock_ms());
    }
    if (r == 0 && now >= w->purge_ms) {
        more = record_purge(&w->records, clock_ms());
        w->purge_ms = now + (more > 0 ? SECOND_MS : MINUTE_MS);
    }
    if (r < 0 || more < 0)
        log_warn("store", "chores: %s", w->db.err.text);
}

static int64_t wait_us(struct store *s)
{
    if (!atomic_load(&s->healthy))
        return s->writer.retry_wait_ms * 1000;
    if (project_waiting(&s->writer.journal.project))
        return IDLE_US;
    return s->writer.settled ? MINUTE_MS * 1000LL : SETTLE_US;
}

void writer_main(void *arg)
{
    struct store *s = arg;
    struct writer *w = &s->writer;
    for (;;) {
        bool stop = atomic_load(&s->stop_writer);
        int64_t wait = wait_us(s);
        struct mail *chain =
            stop ? mailbox_take(w->box) : mailbox_wait(w->box, wait);
        if (!chain && stop)
            break;
        if (chain) {
            size_t n;
            chain = gather(w, chain, &n);
            meter_set(&depth, (int64_t)n);
            while (chain)
                chain = batch_run(s, chain);
            note_rate(w, n);
        } else {
            w->rate = 0;
            idle(s);
            if (wait == SETTLE_US)
                settle(w);
        }
        chores(s);
    }
}

/* -- open and close ----------------------------------------------------- */

static int make_identity(struct store *s)
{
    unsigned char epoch[8];
    struct stmt put = {0};
    random_bytes(s->key, sizeof s->key);
    random_bytes(epoch, sizeof epoch);
    memset(epoch + 5, 0, 3); /* 40 bits */
    int r = stmt_open(&s->writer.db,
                      "INSERT INTO meta (name, value) VALUES ('epoch', $epoch)"
                      ", ('key', $key)",
                      "epoch key", &put);
    if (r == 0) {
        put_blob(&put, epoch, sizeof epoch);
        put_blob(&put, s->key, sizeof s->key);
        r = stmt_run(&put);
    }
    stmt_close(&put);
    return r;
}

/* 1 = found, 0 = not there yet. */
static int read_identity(struct store *s)
{
    struct stmt get = {0};
    unsigned char epoch[8];
    int found = 0;
    int r = stmt_open(&s->writer.db, "SELECT name, value FROM meta", "", &get);
    while (r >= 0 && (r = stmt_step(&get)) == 1) {
        struct slice name = got_text(&get, 0, NULL);
        if (slice_is(name, "key") && got_bytes(&get, 1, s->key, sizeof s->key))
            found++;
        if (slice_is(name, "epoch") && got_bytes(&get, 1, epoch, sizeof epoch))
            found++;
    }
    stmt_close(&get);
    s->epoch = 0;
    for (int i = 7; i >= 0 && found == 2; i--)
        s->epoch = s->epoch << 8 | epoch[i];
    return r < 0 ? r : found == 2;
}

static int open_statements(struct writer *w)
{
    static const char *const sql[] = {
        "BEGIN IMMEDIATE", "COMMIT",         "SAVEPOINT tx",
        "RELEASE tx",      "ROLLBACK TO tx", "UPDATE reader SET pos = pos"};
    struct stmt *to[] = {&w->begin,   &w->commit, &w->save,
                         &w->release, &w->undo,   &w->probe};
    int r = 0;
    for (size_t i = 0; i < sizeof to / sizeof to[0] && r == 0; i++)
        r = stmt_open(&w->db, sql[i], "", to[i]);
    return r;
}

int writer_open(struct store *s, size_t refs_max, struct err *e)
{
    struct writer *w = &s->writer;
    int r = db_open(&w->db, s->dir, DB_WRITER, e);
    if (r < 0 || (r = db_migrate(&w->db, e)) < 0)
        return r;
    record_writer_init(&w->records, &w->db);
    if (s->trace_days > 0)
        w->records.trace_ms = s->trace_days * 24LL * 3600 * 1000;
    w->records.file_ms = s->file_days * 24LL * 3600 * 1000;
    r = read_identity(s);
    if (r == 0 && (r = make_identity(s)) == 0)
        r = read_identity(s);
    if (r >= 0)
        r = open_statements(w);
    if (r == 0)
        r = journal_open(&w->journal, &w->db, refs_max,
                         s->ref_hours * 3600 * 1000);
    if (r < 0)
        return err_set(e, r, "%s", w->db.err.text);
    atomic_store(&s->pos, w->journal.last_pos);
    int64_t now = clock_mono_us();
    w->last_us = now;
    w->purge_ms = now / 1000 + MINUTE_MS; /* not at the start */
    batch_meters();
    return 0;
}

void writer_close(struct store *s)
{
    struct writer *w = &s->writer;
    if (!w->db.h)
        return;
    if (w->journal.sha)
        batch_write_out(s); /* so that the next start has nothing to replay */
    struct stmt *all[] = {&w->begin,   &w->commit, &w->save,
                          &w->release, &w->undo,   &w->probe};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        stmt_close(all[i]);
    record_writer_fini(&w->records);
    if (w->journal.sha)
        journal_close(&w->journal);
    if (db_truncate_log(&w->db) < 0)
        log_warn("store", "the log stays: %s", w->db.err.text);
    db_close(&w->db);
}
