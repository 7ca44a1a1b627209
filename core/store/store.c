/* SPDX-License-Identifier: Apache-2.0 */
/* store.c - the store's face: open, close, hand over.
 *
 * Happy path: the folder is made and locked, the database opened, migrated and
 * caught up, then the writer and the readers get their threads. A transaction
 * goes to the writer's mailbox; a question goes straight to a reader, unless
 * rows it may need wait in the writer's memory: then it passes the writer.
 *
 * Failure modes: a folder in use is ERR_CONFLICT, a newer database
 * ERR_UNPROCESSABLE, each with a sentence; whatever was opened is closed
 * again. store_close commits and answers everything that was given before.
 */
#include "store/store.h"
#include "base/limits.h"
#include "base/log.h"
#include "store/inner.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

METER(reader_depth, METER_GAUGE, "yuelai_reader_depth",
      "Questions waiting for or in the readers.");

void store_is_tx(struct mail *m)
{
    must(m == NULL); /* a marker, never called */
}
void store_is_query(struct mail *m)
{
    must(m == NULL);
}
void store_is_checkpoint(struct mail *m)
{
    must(m == NULL);
}

/* -- answers ------------------------------------------------------------ */

static void run_tx_done(struct mail *m)
{
    struct tx *tx = container_of(m, struct tx, mail);
    tx->done(tx);
}

static void run_query_done(struct mail *m)
{
    struct query *q = container_of(m, struct query, mail);
    q->done(q);
}

static void answer(struct answers *a, struct mail *m)
{
    m->next = NULL;
    if (a->last)
        a->last->next = m;
    else
        a->first = m;
    a->last = m;
    a->n++;
}

void answer_tx(struct answers *a, struct tx *tx)
{
    tx->mail.run = run_tx_done;
    answer(a, &tx->mail);
}

void answer_query(struct answers *a, struct query *q)
{
    q->mail.run = run_query_done;
    answer(a, &q->mail);
}

void answers_send(struct store *s, struct answers *a)
{
    if (!a->first)
        return;
    if (s->home) {
        loop_post_chain(s->home, a->first, a->last, a->n);
        return;
    }
    for (struct mail *m = a->first, *next; m; m = next) {
        next = m->next;
        m->run(m);
    }
}

/* -- open --------------------------------------------------------------- */

static int lock_dir(struct store *s, const char *dir, struct err *e)
{
    char path[4096];
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set(e, ERR_UNAVAILABLE,
                       "cannot make the data directory "
                       "%s: %s",
                       dir, strerror(errno));
    snprintf(path, sizeof path, "%s/lock", dir);
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return err_set(e, ERR_UNAVAILABLE, "cannot open %s: %s", path,
                       strerror(errno));
    if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
        return 0;
    int why = errno;
    close(s->lock);
    s->lock = -1;
    if (why == EWOULDBLOCK)
        return err_set(e, ERR_CONFLICT,
                       "another yuelai is running on the data directory %s",
                       dir);
    return err_set(e, ERR_UNAVAILABLE, "cannot lock %s: %s", path,
                   strerror(why));
}

static int start_threads(struct store *s, struct err *e)
{
    if (thread_start("store", writer_main, s, &s->writer.thread) < 0)
        return err_set(e, ERR_UNAVAILABLE, "no thread for the store");
    for (int i = 0; i <= s->reader_count; i++) {
        struct reader *r = &s->readers[i];
        if (thread_start(i == s->reader_count ? "checkpoint" : "reader",
                         reader_main, r, &r->thread) < 0)
            return err_set(e, ERR_UNAVAILABLE, "no thread for a reader");
    }
    return 0;
}

int store_open(const struct store_conf *conf, struct err *e, struct store **out)
{
    *out = NULL;
    struct store *s = mem_alloc(sizeof *s);
    s->home = conf->home;
    s->offline = conf->offline;
    s->trace_days = conf->trace_days;
    s->ref_hours = conf->ref_hours > 0 ? conf->ref_hours : LIMIT_REF_HOURS;
    s->file_days = conf->file_days;
    s->lock = -1;
    s->dir = mem_strdup(conf->dir);
    s->reader_count = conf->readers > 0 ? conf->readers : 2;
    must(s->reader_count <= STORE_READERS_MOST);
    meter_set(&reader_depth, 0);
    atomic_store(&s->healthy, true);
    s->writer.box = mailbox_new(NULL, NULL);
    for (int i = 0; i <= s->reader_count; i++) {
        s->readers[i].store = s;
        s->readers[i].box = mailbox_new(NULL, NULL);
    }
    int r = lock_dir(s, conf->dir, e);
    if (r == 0) {
        int64_t max = conf->refs_max > 0 ? conf->refs_max : LIMIT_REFS;
        r = writer_open(s, (size_t)max, e);
    }
    if (r == 0 && !s->offline)
        r = start_threads(s, e);
    if (r < 0) {
        store_close(s);
        return r;
    }
    *out = s;
    return 0;
}

static void stop(struct thread *t, atomic_bool *flag, struct mailbox *box)
{
    atomic_store(flag, true);
    mailbox_nudge(box);
    thread_join(t);
    mailbox_free(box);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    /* The writer first: it still hands questions to the readers. */
    stop(s->writer.thread, &s->stop_writer, s->writer.box);
    for (int i = 0; i <= s->reader_count; i++) {
        struct reader *r = &s->readers[i];
        stop(r->thread, &s->stop_readers, r->box);
        reader_close(r);
    }
    writer_close(s);
    if (s->lock >= 0)
        close(s->lock);
    mem_free(s->dir);
    mem_free(s);
}

/* -- hand over ---------------------------------------------------------- */

void store_commit(struct store *s, struct tx *tx)
{
    tx->mail.run = store_is_tx;
    tx->mail.next = NULL;
    if (!s->offline) {
        mailbox_push(s->writer.box, &tx->mail);
        return;
    }
    batch_run(s, &tx->mail);
}

void store_forward(struct store *s, struct query *q)
{
    struct reader *least = &s->readers[0];
    int depth = 0;
    for (int i = 0; i < s->reader_count; i++) {
        struct reader *r = &s->readers[i];
        if (atomic_load(&r->depth) < atomic_load(&least->depth))
            least = r;
        depth += atomic_load(&r->depth);
    }
    meter_set(&reader_depth, depth + 1);
    atomic_fetch_add(&least->depth, 1);
    mailbox_push(least->box, &q->mail);
}

/* Which questions look at rows that may still be in the writer's memory. */
static bool needs_rows(const struct query *q)
{
    switch (q->kind) {
    case QUERY_MESSAGES:
    case QUERY_CONVERSATIONS:
    case QUERY_CONVERSATION:
    case QUERY_BACKLOG:
        return true;
    case QUERY_EVENT: /* by contact and ref */
        return q->id && q->text.len;
    case QUERY_CHANGES:
    case QUERY_RESUME:
        return q->viewer.role == ROLE_VISITOR;
    default:
        return false;
    }
}

void store_read(struct store *s, struct query *q)
{
    q->mail.run = store_is_query;
    q->mail.next = NULL;
    if (s->offline) {
        reader_run(&s->readers[0], q);
        struct answers a = {0};
        answer_query(&a, q);
        answers_send(s, &a);
    } else if (needs_rows(q) && atomic_load(&s->behind)) {
        mailbox_push(s->writer.box, &q->mail);
    } else {
        store_forward(s, q);
    }
}

uint64_t store_epoch(const struct store *s)
{
    return s->epoch;
}

uint64_t store_pos(const struct store *s)
{
    return atomic_load(&s->pos);
}

const unsigned char *store_key(const struct store *s)
{
    return s->key;
}

bool store_is_healthy(const struct store *s)
{
    return atomic_load(&s->healthy);
}
