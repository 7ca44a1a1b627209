/* SPDX-License-Identifier: Apache-2.0 */
/* reader.c - the readers' loop, and the checkpointer, which is one of them.
 *
 * Happy path: a question comes by the mailbox, runs in a read transaction,
 * goes home. What was acknowledged before it was asked is committed, and the
 * writer has written out what the question needs (writer.c).
 *
 * Failure modes: no connection or a failing disk answers the question with
 * that error and is tried anew with the next one. Passwords are compared
 * outside of any transaction: they take 20 ms.
 */
#include "store/reader.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "store/inner.h"
#include "store/kb/kb.h"
#include "store/record_assist.h"
#include "store/record_files.h"
#include "store/record_outbox.h"
#include <pthread.h>
#include <stdio.h>

METER_US(checkpoint_took, "yuelai_store_checkpoint_seconds",
         "Moving the log into the database, beside the writer.");

/* -- statements --------------------------------------------------------- */

int reader_stmt(struct reader *r, enum read_stmt which, const char *sql,
                const char *names, struct stmt **out)
{
    struct stmt *s = &r->stmts[which];
    *out = s;
    if (s->h) {
        stmt_reset(s); /* an early return may have left it on a row */
        return 0;
    }
    return stmt_open(&r->db, sql, names, s);
}

int reader_fail(struct reader *r, struct query *q, int code)
{
    if (code < 0 && !q->err.code) {
        q->err = r->db.err;
        q->err.code = code;
    }
    return code;
}

static int open_db(struct reader *r, struct err *e)
{
    return r->db.h ? 0 : db_open(&r->db, r->store->dir, DB_READER, e);
}

void reader_close(struct reader *r)
{
    for (int i = 0; i < READ_STMTS; i++)
        stmt_close(&r->stmts[i]);
    db_close(&r->db);
}

static void reset_all(struct reader *r)
{
    for (int i = 0; i < READ_STMTS; i++)
        if (r->stmts[i].h)
            stmt_reset(&r->stmts[i]);
}

/* -- questions ---------------------------------------------------------- */

static const struct question {
    const char *name;
    int (*run)(struct reader *r, struct query *q);
} questions[] = {
    [QUERY_MESSAGES] = {"messages", history_messages},
    [QUERY_CONVERSATIONS] = {"conversations", list_conversations},
    [QUERY_CONVERSATION] = {"conversation", find_conversation},
    [QUERY_CONTACTS] = {"contacts", list_contacts},
    [QUERY_CONTACT] = {"contact", find_contact},
    [QUERY_CHANGES] = {"changes", feed_events},
    [QUERY_RESUME] = {"resume", feed_events},
    [QUERY_BACKLOG] = {"backlog", history_backlog},
    [QUERY_KV] = {"kv", find_kv},
    [QUERY_KV_KEYS] = {"kv_keys", list_kv_keys},
    [QUERY_LOGIN] = {"login", find_login},
    [QUERY_HASH] = {"hash", NULL},
    [QUERY_ANSWER] = {"answer", find_answer},
    [QUERY_FLOW] = {"flow", find_flow},
    [QUERY_FLOWS] = {"flows", list_flows},
    [QUERY_TRACE] = {"trace", explain_trace},
    [QUERY_EVENT] = {"event", explain_event},
    [QUERY_DEADS] = {"deads", list_deads},
    [QUERY_DEAD] = {"dead", find_dead},
    [QUERY_VERSIONS] = {"versions", list_versions},
    [QUERY_VERSION] = {"version", find_version},
    [QUERY_AUDIT] = {"audit", list_audit},
    [QUERY_OUTBOX] = {"outbox", find_outbox},
    [QUERY_OUTBOXES] = {"outboxes", list_outboxes},
    [QUERY_FILE] = {"file", find_file},
    [QUERY_FILE_HASHES] = {"file_hashes", find_known_hashes},
    [QUERY_TURNS] = {"turns", list_turns},
    [QUERY_CONFIRMS] = {"confirmations", list_confirms},
    [QUERY_ARTICLE] = {"article", find_article},
    [QUERY_ARTICLES] = {"articles", list_articles},
    [QUERY_KB] = {"kb", search_passages},
};
#define QUESTIONS (sizeof questions / sizeof questions[0])

static struct meter *meter_of(enum query_kind kind)
{
    char labels[64];
    snprintf(labels, sizeof labels, "{query=\"%s\"}", questions[kind].name);
    return meter_labelled(METER_HISTOGRAM, "yuelai_query_seconds",
                          "Time in a reader, by kind of question.", 1e-6,
                          labels);
}

static int run_in_transaction(struct reader *r, struct query *q)
{
    struct stmt *begin, *end;
    int got = reader_stmt(r, READ_BEGIN, "BEGIN", "", &begin);
    if (got == 0)
        got = reader_stmt(r, READ_END, "COMMIT", "", &end);
    if (got == 0)
        got = stmt_run(begin);
    if (got < 0)
        return reader_fail(r, q, got);
    got = reader_fail(r, q, questions[q->kind].run(r, q));
    reset_all(r);
    if (stmt_run(end) < 0 && db_in_transaction(&r->db))
        db_run(&r->db, "ROLLBACK"); /* nothing was written */
    return got;
}

/* Some password's hash, made once: an unknown email takes as long as a wrong
 * password does. */
static char nobody[128];
static pthread_once_t nobody_once = PTHREAD_ONCE_INIT;

static void make_nobody(void)
{
    unsigned char secret[16];
    random_bytes(secret, sizeof secret);
    if (password_hash((struct slice){(char *)secret, sizeof secret}, nobody))
        nobody[0] = '\0'; /* no memory: then this one check is quick */
}

static void check_password(struct query *q)
{
    bool known = q->result == 0;
    pthread_once(&nobody_once, make_nobody);
    bool same =
        password_is(q->password, known ? q->agent->password.at : nobody);
    if (known)
        q->agent->password = SLICE("");
    if (known && same && q->agent->enabled)
        return;
    q->agent = NULL;
    if (known || q->result == ERR_NOT_FOUND)
        q->result =
            err_set(&q->err, ERR_UNAUTHORIZED, "email or password is wrong");
}

static int hash_password(struct query *q)
{
    char hash[128];
    int r = password_hash(q->password, hash);
    if (r < 0)
        return err_set(&q->err, r, "the password could not be hashed");
    q->text = slice_dup(q->arena, slice_of(hash));
    return 0;
}

void reader_run(struct reader *r, struct query *q)
{
    must((size_t)q->kind < QUESTIONS);
    static _Thread_local struct meter *took[QUESTIONS];
    if (!took[q->kind])
        took[q->kind] = meter_of(q->kind);
    int64_t from = clock_mono_us();
    if (q->kind == QUERY_HASH) {
        q->result = hash_password(q);
    } else {
        q->result = open_db(r, &q->err);
        if (q->result == 0)
            q->result = run_in_transaction(r, q);
        if (q->kind == QUERY_LOGIN)
            check_password(q);
    }
    meter_note(took[q->kind], clock_mono_us() - from);
}

/* -- checkpoints -------------------------------------------------------- */

static void checkpoint(struct reader *r)
{
    struct err e = {0};
    int64_t from = clock_mono_us();
    int got = open_db(r, &e);
    if (got == 0 && (got = db_checkpoint(&r->db)) < 0)
        e = r->db.err;
    if (got < 0)
        log_warn("store", "no checkpoint: %s", e.text);
    meter_note(&checkpoint_took, clock_mono_us() - from);
    atomic_store(&r->store->checkpointing, false);
}

/* -- the thread --------------------------------------------------------- */

static void run_mail(struct reader *r, struct mail *m)
{
    if (m->run == store_is_checkpoint) {
        checkpoint(r);
        return;
    }
    must(m->run == store_is_query);
    struct query *q = container_of(m, struct query, mail);
    reader_run(r, q);
    struct answers a = {0};
    answer_query(&a, q);
    atomic_fetch_sub(&r->depth, 1);
    answers_send(r->store, &a);
}

void reader_main(void *arg)
{
    struct reader *r = arg;
    for (;;) {
        bool stop = atomic_load(&r->store->stop_readers);
        struct mail *m = stop ? mailbox_take(r->box) : mailbox_wait(r->box, -1);
        if (!m && stop)
            break;
        for (struct mail *next; m; m = next) {
            next = m->next;
            run_mail(r, m);
        }
    }
    reader_close(r);
}
