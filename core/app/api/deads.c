/* SPDX-License-Identifier: Apache-2.0 */
/* deads.c - dead letters: what no script could handle, run again or dropped.
 *
 * Happy path: rows from the store; a run goes by the desk, which queues the job
 * and drops the letter with the job's effects. Failure: what the letter was
 * about is gone (404), or it cannot be run now (409); the letter stays.
 */
#include "app/api/api.h"
#include "base/clock.h"

static void ask(struct call *c, void (*done)(struct query *q))
{
    if (!call_id(c, 0, ID_DEAD, "dead letter", &c->id)) {
        return;
    }
    struct query *q = query_new(QUERY_DEAD, done, c);
    q->id = c->id;
    server_read(c->s, q);
}

/* True after an answer; frees q then. */
static bool is_missing(struct call *c, struct query *q)
{
    if (q->result == 0) {
        return false;
    }
    struct err e = q->err;
    e.code = q->result;
    query_free(q);
    reply_error(c, &e);
    return true;
}

static void list(struct call *c)
{
    struct page p;
    if (!page_read(c, &p)) {
        return;
    }
    struct query *q = query_new(QUERY_DEADS, reply_page, c);
    q->limit = p.limit;
    q->offset = p.offset;
    server_read(c->s, q);
}

static void on_one(struct query *q)
{
    struct call *c = q->owner;
    if (is_missing(c, q)) {
        return;
    }
    struct jsonw *w = reply_begin(c);
    jsonw_raw(w, q->json);
    query_free(q);
    reply_send(c, 200);
}

static void get(struct call *c)
{
    ask(c, on_one);
}

static void audit(struct call *c, struct tx *tx, const char *what)
{
    char id[ID_TEXT];
    audit_put(c, tx, what, id_text(id, ID_DEAD, c->id), c->text);
}

/* --- run again --- */

static void on_under_way(void *arg, int result)
{
    struct call *c = arg;
    if (result == ERR_NOT_FOUND) {
        reply_fail(c, result, NULL, "what this letter was about is gone");
        return;
    }
    if (result == ERR_CONFLICT) {
        reply_fail(c, result, NULL, "its flow does not wait to be run again");
        return;
    }
    if (result) {
        reply_fail(c, result, NULL, "it could not be run");
        return;
    }
    struct jsonw *w = reply_begin(c);
    jsonw_raw(w, c->text);
    struct tx *tx = tx_new(NULL, c);
    audit(c, tx, "dead-letter.run");
    reply_commit(c, tx, 202, NULL);
}

static void on_letter(struct query *q)
{
    struct call *c = q->owner;
    if (is_missing(c, q)) {
        return;
    }
    c->text = slice_dup(c->a, q->json);
    desk_rerun(c->s->desk, q->dead, on_under_way, c);
    query_free(q);
}

static void run(struct call *c)
{
    ask(c, on_letter);
}

/* --- dropped --- */

static void on_doomed(struct query *q)
{
    struct call *c = q->owner;
    if (is_missing(c, q)) {
        return;
    }
    c->text = slice_dup(c->a, q->json);
    query_free(q);
    struct tx *tx = tx_new(NULL, c);
    tx_put(tx, DEL_DEAD)->id = c->id;
    audit(c, tx, "dead-letter.delete");
    reply_commit(c, tx, 204, NULL);
}

static void del(struct call *c)
{
    ask(c, on_doomed);
}

static const struct field no_fields[] = {{0}};
static const struct field dead_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "conversation", .type = FIELD_TEXT, .help = "or null"},
    {.name = "message", .type = FIELD_TEXT, .help = "or null"},
    {.name = "hook", .type = FIELD_TEXT, .help = "\"on_message\""},
    {.name = "script", .type = FIELD_TEXT, .help = "null: all of them"},
    {.name = "reason", .type = FIELD_TEXT},
    {.name = "data", .type = FIELD_OBJECT},
    {.name = "runs", .type = FIELD_INT, .help = "how often it was run again"},
    {0}};
const struct shape shape_dead = {"DeadLetter", dead_out};
#define ONE "/api/v1/dead-letters/{id}"
const struct route routes_deads[] = {
    {"GET", "/api/v1/dead-letters", list, ACCESS_SUPERVISOR, "dead-letters",
     ROUTE_LIST, 200, NULL, &shape_dead,
     "What no script could handle, newest first", NULL, NULL},
    {"GET", ONE, get, ACCESS_SUPERVISOR, "dead-letters", 0, 200, NULL,
     &shape_dead, "One dead letter", NULL, NULL},
    {"POST", ONE "/run", run, ACCESS_SUPERVISOR, "dead-letters", 0, 202,
     no_fields, &shape_dead,
     "Run it again, through the scripts as they are now", NULL, NULL},
    {"DELETE", ONE, del, ACCESS_SUPERVISOR, "dead-letters", 0, 204, NULL, NULL,
     "Drop it", NULL, NULL},
    {0}};
