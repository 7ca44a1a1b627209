/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - one thread that answers questions on a connection of its own.
 *
 * Statements are prepared when first wanted and kept. A question runs in one
 * read transaction, so that all of its parts see the same moment.
 */
#pragma once
#include "base/meter.h"
#include "desk/query.h"
#include "store/db.h"

#define READER_ANSWER_BYTES (16 << 20) /* bodies or JSON of one answer */

enum read_stmt {
    READ_BEGIN,
    READ_END,
    READ_BY_POS,
    READ_ANCHOR,
    READ_PROGRESS,
    READ_LAST,
    READ_CONVERSATION,
    READ_SEEN,
    READ_OF_CONTACT,
    READ_RANGE,
    READ_CONTACT,
    READ_IDENTITY,
    READ_CONTACTS,
    READ_CONTACTS_COUNT,
    READ_LIST_RECENT,
    READ_LIST_WAITING,
    READ_LIST_OLDEST,
    READ_LIST_COUNT,
    READ_KV,
    READ_KV_KEYS,
    READ_AGENT,
    READ_ANSWER,
    READ_FLOW,
    READ_FLOWS,
    READ_FLOWS_OF_CONV,
    READ_FLOWS_OF_STATE,
    READ_FLOWS_COUNT,
    READ_FLOWS_COUNT_OF_CONV,
    READ_FLOWS_COUNT_OF_STATE,
    READ_TRACE,
    READ_TAIL,
    READ_CURSOR,
    READ_DEADS,
    READ_DEADS_COUNT,
    READ_DEAD,
    READ_VERSIONS,
    READ_VERSION,
    READ_AUDIT,
    READ_AUDIT_COUNT,
    READ_OUTBOX,
    READ_OUTBOX_REMOTE,
    READ_OUTBOX_PAGE,
    READ_OUTBOX_SEQ,
    READ_CONVS_OF_CONTACT,
    READ_OUTBOXES,
    READ_OUTBOXES_COUNT,
    READ_FILE,
    READ_FILE_USES,
    READ_FILE_HASH,
    READ_TURNS,
    READ_TURNS_COUNT,
    READ_CONFIRMS,
    READ_CONFIRMS_COUNT,
    READ_ARTICLE,
    READ_ARTICLES,
    READ_ARTICLES_COUNT,
    READ_PASSAGES,
    READ_STMTS
};

struct progress;
struct store;
struct reader {
    struct store *store;
    struct mailbox *box;
    struct thread *thread;
    atomic_int depth; /* questions not answered yet */
    struct db db;     /* opened by the thread, at first */
    struct stmt stmts[READ_STMTS];
};
void reader_main(void *reader);
/* One question, here and now: fills its answer. */
void reader_run(struct reader *r, struct query *q);
void reader_close(struct reader *r);

/* For the questions' files. Borrowed; reset already. */
int reader_stmt(struct reader *r, enum read_stmt which, const char *sql,
                const char *names, struct stmt **out);
/* A database error becomes the query's. */
int reader_fail(struct reader *r, struct query *q, int code);

/* What decides who sees a conversation. */
struct seen {
    enum conv_state state;
    uint64_t assignee, team, contact;
};
bool history_sees(const struct viewer *v, const struct seen *c);
/* As it is now, and when that was last changed (may be NULL). */
int history_seen(struct reader *r, uint64_t conv, struct seen *out,
                 int64_t *changed_at);

/* history.c */
int history_messages(struct reader *r, struct query *q);
int history_backlog(struct reader *r, struct query *q);
int history_by_pos(struct reader *r, struct stmt **s); /* for journal_get */
int history_progress(struct reader *r, uint64_t conv, struct progress *p);
/* Where to begin a walk down for messages up to seq: at the conversation's end
 * or at an anchor. */
int history_start(struct reader *r, const struct progress *p, uint32_t seq,
                  uint64_t *pos);
/* May the viewer see it? 1, 0, or ERR_NOT_FOUND and other errors. */
int history_may_see(struct reader *r, const struct viewer *v, uint64_t conv);
/* feed.c */
int feed_events(struct reader *r, struct query *q); /* CHANGES, RESUME */
/* lists.c */
int list_conversations(struct reader *r, struct query *q);
int list_contacts(struct reader *r, struct query *q);
int find_conversation(struct reader *r, struct query *q);
int find_contact(struct reader *r, struct query *q);
int find_kv(struct reader *r, struct query *q);
int list_kv_keys(struct reader *r, struct query *q);
int find_answer(struct reader *r, struct query *q);
int find_login(struct reader *r, struct query *q);
/* lists_scripts.c; *_FLOW and *_DEAD also give the one as JSON */
int list_flows(struct reader *r, struct query *q);
int list_deads(struct reader *r, struct query *q);
int list_versions(struct reader *r, struct query *q);
int list_audit(struct reader *r, struct query *q);
int find_flow(struct reader *r, struct query *q);
int find_dead(struct reader *r, struct query *q);
int find_version(struct reader *r, struct query *q);
/* explain.c */
int explain_event(struct reader *r, struct query *q); /* QUERY_EVENT */
int explain_trace(struct reader *r, struct query *q);

/* lists.c: of any list. */
void list_clamp(struct query *q);
int list_not_found(struct query *q, const char *what);
int list_finish(struct query *q, struct buf *out, int r);
/* A list that is counted and shown by pages, newest first. names: of its
 * filters; page_names: these and " limit offset". put binds them (NULL: there
 * are none), row shows one row. */
struct list_way {
    enum read_stmt page, count;
    const char *page_sql, *count_sql, *page_names, *names;
    void (*put)(struct stmt *s, const struct query *q);
    void (*row)(struct jsonw *w, struct stmt *s);
};
#define LIST_WAY(page, count, columns, from, names, put, row)                  \
    {                                                                          \
        page, count,                                                           \
            "SELECT " columns " " from                                         \
            "ORDER BY id DESC LIMIT $limit OFFSET $offset",                    \
            "SELECT count(*) " from, names " limit offset", names, put, row    \
    }
int list_page(struct reader *r, struct query *q, const struct list_way *way);
/* The rows of s, which is bound, as a page. */
int list_rows(struct query *q, struct stmt *s,
              void (*row)(struct jsonw *w, struct stmt *s));
