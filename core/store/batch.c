/* SPDX-License-Identifier: Apache-2.0 */
/* batch.c - many transactions in one: applied, committed, answered.
 *
 * Happy path: each transaction of the batch is looked up (refs), its records
 * put, its events appended; projections that are due are written; COMMIT syncs
 * the log; then, and only then, all answers go home as one chain (I1).
 *
 * Failure modes: a transaction's own fault (a duplicate ref, a value that must
 * be unique) is answered to it and the others go on. When the database fails
 * (disk full, lost disk) the whole batch is rolled back, memory is put back as
 * it was, everyone gets ERR_UNAVAILABLE, and for a while (50 ms, at last a
 * second) everything new is refused at once; then one batch, or the writer's
 * probe, tries again. The log (WAL) is moved into the database by another
 * thread; only when it has grown past LOG_MOST the writer does the rest itself
 * between two batches, so that the log can start over.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/meter.h"
#include "store/inner.h"
#include "store/record_files.h"

#define BATCH_MOST 2048    /* transactions committed together */
#define RETRY_LEAST_MS 50  /* unhealthy: the first new try, then twice */
#define RETRY_MOST_MS 1000 /* as long each time, up to this */
#define LOG_STEP (8 << 20) /* bytes of log that call the checkpointer */
#define LOG_MOST (64 << 20)
#define LOG_RETRY (1 << 20)

METER(batch_size, METER_HISTOGRAM, "yuelai_store_batch_transactions",
      "Transactions committed together.");
METER_US(commit_took, "yuelai_store_commit_seconds",
         "COMMIT: log written and synced.");
METER_US(apply_took, "yuelai_store_apply_seconds",
         "Appends and puts of one batch.");
METER(txs_done, METER_COUNTER, "yuelai_store_transactions_total",
      "Transactions committed.");
METER(txs_failed, METER_COUNTER, "yuelai_store_failed_total",
      "Transactions refused because the database failed.");
METER(commits_failed, METER_COUNTER, "yuelai_store_failed_commits_total",
      "Batches rolled back because the database failed.");
METER(healthy, METER_GAUGE, "yuelai_store_healthy", "1 while writing works.");
METER(log_size, METER_GAUGE, "yuelai_store_log_bytes",
      "Write-ahead log in use.");
METER_US(restart_took, "yuelai_store_log_restart_seconds",
         "Checkpoints the store thread had to do itself.");

/* -- applying ----------------------------------------------------------- */

/* Codes that are the transaction's own fault; all others fail the batch. */
static bool own_fault(int code)
{
    return code == ERR_CONFLICT || code == ERR_TOOBIG ||
           code == ERR_BAD_REQUEST;
}

/* Some rows point at events: they are put when these have their positions. */
static struct put *next_put(struct put *p, bool behind)
{
    while (p && (p->kind == PUT_TRACE || p->kind == PUT_OUTBOX) != behind)
        p = p->next;
    return p;
}

static int put_one(struct writer *w, struct put *p, struct tx *tx)
{
    if (p->kind ==
        PUT_LEFT) { /* its conversation's end may be in memory only */
        struct hot *h;
        int r = project_get(&w->journal.project, p->left->conv, &h);
        if (r < 0)
            return r;
        p->left->last_pos = h->p.last_pos;
    }
    return record_put(&w->records, p, w->journal.now, &tx->err);
}

static int apply_puts(struct writer *w, struct tx *tx)
{
    /* One statement undoes itself when it fails; several need a savepoint. */
    struct put *p = next_put(tx->puts, false);
    bool many = p && next_put(p->next, false);
    int r = many ? stmt_run(&w->save) : 0;
    for (; p && r == 0; p = next_put(p->next, false))
        r = put_one(w, p, tx);
    if (!many)
        return r;
    if (own_fault(r)) {
        int undone = stmt_run(&w->undo);
        if (undone < 0)
            return undone;
    }
    int released = r == 0 || own_fault(r) ? stmt_run(&w->release) : 0;
    return r ? r : released;
}

/* 0, or an error that fails the batch; tx->result is the transaction's own. */
static int apply(struct writer *w, struct tx *tx)
{
    struct event *dup;
    tx->result = 0;
    int r = journal_find(&w->journal, tx->first, &dup);
    if (own_fault(r)) {
        tx->result = r;
        tx->err = w->db.err;
        return 0;
    }
    if (r < 0 || dup)
        return r;
    if (tx->refuse) {
        tx->result = tx->refuse;
        return 0;
    }
    int own;
    r = record_bind_files(&w->records, tx, w->journal.now, true, &own);
    if (r < 0 || own) {
        tx->result = own;
        return r;
    }
    r = apply_puts(w, tx);
    if (own_fault(r)) {
        tx->result = r;
        return 0;
    }
    r = r ? r : record_bind_files(&w->records, tx, w->journal.now, false, &own);
    for (struct event *ev = tx->first; ev && r == 0; ev = ev->next)
        r = journal_append(&w->journal, ev);
    struct put *behind = next_put(tx->puts, true);
    for (; behind && r == 0; behind = next_put(behind->next, true))
        r = record_put(&w->records, behind, w->journal.now, &tx->err);
    return r;
}

/* -- a batch ------------------------------------------------------------ */

struct batch {
    struct mail *first, *last; /* transactions */
    struct mail *reads, *reads_last;
    size_t n;
};

static void chain_add(struct mail **first, struct mail **last, struct mail *m)
{
    m->next = NULL;
    if (*last)
        (*last)->next = m;
    else
        *first = m;
    *last = m;
}

/* Takes some of the chain, returns the rest. */
static struct mail *sort_out(struct batch *b, struct mail *m)
{
    while (m && b->n < BATCH_MOST) {
        struct mail *next = m->next;
        if (m->run == store_is_tx) {
            chain_add(&b->first, &b->last, m);
            b->n++;
        } else {
            must(m->run == store_is_query);
            chain_add(&b->reads, &b->reads_last, m);
        }
        m = next;
    }
    return m;
}

static int project_for(struct writer *w, struct mail *reads)
{
    for (struct mail *m = reads; m; m = m->next) {
        struct query *q = container_of(m, struct query, mail);
        uint64_t conv = q->kind == QUERY_CONVERSATION ? q->id : q->conv;
        bool one = conv && q->kind != QUERY_CONVERSATIONS &&
                   q->kind != QUERY_RESUME && q->kind != QUERY_CHANGES;
        int r = one ? project_one(&w->journal.project, conv)
                    : project_all(&w->journal.project, w->journal.last_pos);
        if (r < 0)
            return r;
    }
    return 0;
}

static int write_batch(struct writer *w, struct batch *b)
{
    int64_t from = clock_mono_us();
    int r = stmt_run(&w->begin);
    for (struct mail *m = b->first; m && r == 0; m = m->next)
        r = apply(w, container_of(m, struct tx, mail));
    if (r == 0)
        r = project_for(w, b->reads);
    if (r == 0)
        r = project_some(&w->journal.project, w->journal.last_pos,
                         w->journal.events, from / 1000);
    int64_t applied = clock_mono_us();
    meter_note(&apply_took, applied - from);
    if (r == 0)
        r = stmt_run(&w->commit);
    meter_note(&commit_took, clock_mono_us() - applied);
    return r;
}

static void fail_tx(struct tx *tx, const char *why)
{
    tx->result = err_set(&tx->err, ERR_UNAVAILABLE, "not stored: %s", why);
    for (struct event *ev = tx->first; ev; ev = ev->next) {
        ev->pos = 0;
        ev->seq = 0;
        ev->flags &= ~(unsigned)EVENT_DUPLICATE;
    }
    meter_add(&txs_failed, 1);
}

static void set_healthy(struct store *s, bool well)
{
    if (atomic_exchange(&s->healthy, well) != well) {
        if (well) {
            log_info("store", "writing works again");
            s->writer.retry_wait_ms = 0;
        } else {
            log_error("store", "cannot write: %s", s->writer.db.err.text);
        }
    }
    meter_set(&healthy, well);
}

static void give_up(struct store *s)
{
    struct writer *w = &s->writer;
    meter_add(&commits_failed, 1);
    w->retry_wait_ms = w->retry_wait_ms ? w->retry_wait_ms * 2 : RETRY_LEAST_MS;
    if (w->retry_wait_ms > RETRY_MOST_MS)
        w->retry_wait_ms = RETRY_MOST_MS;
    w->retry_ms = clock_mono_us() / 1000 + w->retry_wait_ms;
    set_healthy(s, false);
    /* Some errors have ended the transaction already. */
    if (db_in_transaction(&w->db) && db_run(&w->db, "ROLLBACK") < 0)
        log_error("store", "rollback: %s", w->db.err.text);
    journal_rollback(&w->journal);
}

bool batch_resting(const struct store *s)
{
    return !atomic_load(&s->healthy) &&
           clock_mono_us() / 1000 < s->writer.retry_ms;
}

static void answer_batch(struct store *s, struct batch *b, int r)
{
    struct answers a = {0};
    const char *why = s->writer.db.err.text;
    for (struct mail *m = b->first, *next; m; m = next) {
        next = m->next;
        struct tx *tx = container_of(m, struct tx, mail);
        if (r < 0)
            fail_tx(tx, why);
        answer_tx(&a, tx);
    }
    for (struct mail *m = b->reads, *next; m; m = next) {
        next = m->next;
        struct query *q = container_of(m, struct query, mail);
        if (r == 0) {
            store_forward(s, q);
            continue;
        }
        q->result = err_set(&q->err, ERR_UNAVAILABLE, "not read: %s", why);
        answer_query(&a, q);
    }
    answers_send(s, &a);
}

/* The rest that the checkpointer left, so that the log can start over. */
static void checkpoint_here(struct writer *w)
{
    int64_t from = clock_mono_us();
    if (db_checkpoint(&w->db) < 0)
        log_warn("store", "no checkpoint: %s", w->db.err.text);
    meter_note(&restart_took, clock_mono_us() - from);
}

/* Each LOG_STEP the checkpointer moves what has come. Once it has done so past
 * LOG_MOST only little is left, and that is moved here; if a reader keeps the
 * log from starting over it is tried again after LOG_RETRY more. */
static void mind_log(struct store *s)
{
    struct writer *w = &s->writer;
    int64_t size = w->db.log_bytes;
    meter_set(&log_size, size);
    if (size < w->log_checked)
        w->log_checked = w->log_tried = 0; /* it started over */
    if (atomic_load(&s->checkpointing))
        return;
    if (w->log_checked >= LOG_MOST) {
        if (size - w->log_tried < LOG_RETRY)
            return;
        w->log_tried = size;
        checkpoint_here(w);
    } else if (size - w->log_checked >= LOG_STEP) {
        w->log_checked = size;
        if (s->offline) {
            checkpoint_here(w);
            return;
        }
        atomic_store(&s->checkpointing, true);
        s->order.run = store_is_checkpoint;
        mailbox_push(s->readers[s->reader_count].box, &s->order);
    }
}

static int try_batch(struct store *s, struct batch *b)
{
    struct writer *w = &s->writer;
    journal_begin(&w->journal, clock_ms());
    int r = write_batch(w, b);
    if (r < 0) {
        give_up(s);
        return r;
    }
    journal_commit(&w->journal);
    atomic_store(&s->pos, w->journal.last_pos);
    atomic_store(&s->behind, project_waiting(&w->journal.project) != 0);
    set_healthy(s, true);
    meter_add(&txs_done, (int64_t)b->n);
    if (b->n)
        meter_note(&batch_size, (int64_t)b->n);
    return 0;
}

struct mail *batch_run(struct store *s, struct mail *chain)
{
    struct batch b = {0};
    struct mail *rest = sort_out(&b, chain);
    int r = batch_resting(s) ? ERR_UNAVAILABLE : try_batch(s, &b);
    answer_batch(s, &b, r);
    mind_log(s);
    return rest;
}

void batch_write_out(struct store *s)
{
    struct writer *w = &s->writer;
    journal_begin(&w->journal, clock_ms());
    int r = stmt_run(&w->begin);
    if (r == 0 && !atomic_load(&s->healthy))
        r = stmt_run(&w->probe);
    if (r == 0)
        r = project_all(&w->journal.project, w->journal.last_pos);
    if (r == 0)
        r = stmt_run(&w->commit);
    if (r < 0) {
        give_up(s);
        return;
    }
    journal_commit(&w->journal);
    atomic_store(&s->behind, false);
    set_healthy(s, true);
}

void batch_meters(void)
{
    meter_set(&healthy, 1);
    meter_add(&txs_done, 0);
    meter_add(&txs_failed, 0);
    meter_add(&commits_failed, 0);
}
