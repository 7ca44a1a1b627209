/* SPDX-License-Identifier: Apache-2.0 */
/* confirms.c - tools of assistants that wait for a person's word, and an
 * agent's word to them.
 *
 * Happy path: who may see the conversation says yes or no to what they saw:
 * the hash of it comes back with the word. The desk decides it once; the tool
 * runs in the turn that follows. Failure: decided already, another one holds
 * the conversation, another hash: 409; one that the visitor is asked for: 403.
 */
#include "app/api/api.h"
#include "app/assist/assist.h"
#include "base/clock.h"

static void list_of(struct call *c, uint64_t conv)
{
    struct page p;
    struct slice text;
    int state = -1;
    if (!page_read(c, &p)) {
        return;
    }
    if (http_query(c->r, "state", &text) && text.len) {
        for (state = CONFIRM_DONE;
             state >= 0 &&
             !slice_is(text, confirm_state_name((enum confirm_state)state));
             state--) {
        }
        if (state < 0) {
            reply_fail(c, ERR_BAD_REQUEST, "state",
                       "state must be pending, approved, denied, expired, "
                       "cancelled or done");
            return;
        }
    }
    struct query *q = query_new(QUERY_CONFIRMS, reply_page, c);
    q->conv = conv;
    q->state = state;
    q->limit = p.limit;
    q->offset = p.offset;
    server_read(c->s, q);
}

static void list(struct call *c)
{
    list_of(c, 0);
}

static void list_loaded(struct call *c, const struct conversation *v)
{
    list_of(c, v->id);
}

static void list_conversation(struct call *c)
{
    conversation_load(c, list_loaded);
}

/* --- the word ------------------------------------------------------------- */

static void on_audited(struct tx *tx)
{
    tx_free(tx);
}

static void on_decided(void *arg, int result)
{
    struct call *c = arg;
    if (result == ERR_CONFLICT) {
        reply_fail(c, result, NULL, "it has been decided, or is over");
        return;
    }
    if (result) {
        reply_fail(c, result, NULL, "the word could not be stored");
        return;
    }
    bool yes = body_bool(c, "approve", false);
    struct tx *tx = tx_new(on_audited, NULL);
    char id[ID_TEXT];
    audit_put(c, tx, yes ? "confirmation.approve" : "confirmation.deny",
              id_text(id, ID_CONFIRM, c->id), SLICE(""));
    server_commit(c->s, tx);
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    put_id(w, "id", ID_CONFIRM, c->id);
    jsonw_put_text(w, "state", yes ? SLICE("approved") : SLICE("denied"));
    jsonw_close(w, '}');
    reply_send(c, 200);
}

static void decide_loaded(struct call *c, const struct conversation *v)
{
    const struct confirm *f = desk_confirm(c->s->desk, v->id);
    bool yes = body_bool(c, "approve", false);
    struct slice why = body_text(c, "reason");
    if (!f || f->id != c->id || f->state != CONFIRM_PENDING) {
        reply_fail(c, ERR_CONFLICT, NULL, "it has been decided, or is over");
    } else if (!f->agent) {
        reply_fail(c, ERR_FORBIDDEN, NULL,
                   "this is for the visitor to say; take the conversation "
                   "over instead");
    } else if (!slice_eq(f->hash, body_text(c, "hash"))) {
        reply_fail(c, ERR_CONFLICT, "hash",
                   "this is not what is waiting: look at it again");
    } else if (desk_decide(c->s->desk, v->id, c->id,
                           yes ? CONFIRM_APPROVED : CONFIRM_DENIED,
                           c->who.agent,
                           yes       ? SLICE("")
                           : why.len ? why
                                     : SLICE("a colleague said no"),
                           on_decided, c)) {
        on_decided(c, ERR_CONFLICT);
    }
}

static void decide(struct call *c)
{
    if (!c->who.agent) {
        reply_fail(c, ERR_FORBIDDEN, NULL, "this takes a person's word");
        return;
    }
    if (call_id(c, 1, ID_CONFIRM, "confirmation", &c->id)) {
        conversation_load(c, decide_loaded);
    }
}

static const struct field confirm_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "conversation", .type = FIELD_TEXT},
    {.name = "turn", .type = FIELD_TEXT, .help = "the one that asked"},
    {.name = "state",
     .type = FIELD_TEXT,
     .choices = "pending|approved|denied|expired|cancelled|done"},
    {.name = "by", .type = FIELD_TEXT, .choices = "visitor|agent"},
    {.name = "decided_by", .type = FIELD_TEXT, .help = "the agent, or null"},
    {.name = "assistant", .type = FIELD_TEXT},
    {.name = "tool", .type = FIELD_TEXT},
    {.name = "call", .type = FIELD_OBJECT, .help = "id, name, arguments"},
    {.name = "hash", .type = FIELD_TEXT, .help = "comes back with the word"},
    {.name = "question", .type = FIELD_TEXT},
    {.name = "result", .type = FIELD_TEXT, .help = "or why not"},
    {.name = "told", .type = FIELD_BOOL, .help = "the model knows of it"},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "expires_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {0}};
static const struct field decide_in[] = {
    {.name = "approve", .type = FIELD_BOOL, .required = true},
    {.name = "hash",
     .type = FIELD_TEXT,
     .required = true,
     .most = 64,
     .help = "of what you saw"},
    {.name = "reason",
     .type = FIELD_TEXT,
     .most = 400,
     .help = "why not; the model is told"},
    {0}};
static const struct field decide_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "state", .type = FIELD_TEXT, .choices = "approved|denied"},
    {0}};
static const struct shape shape_decided = {"Decision", decide_out};
const struct shape shape_confirm = {"Confirmation", confirm_out};
#define ONE "/api/v1/conversations/{id}"
const struct route routes_confirms[] = {
    {"GET", "/api/v1/confirmations", list, ACCESS_SUPERVISOR, "conversations",
     ROUTE_LIST, 200, NULL, &shape_confirm,
     "Tools of assistants that wait for a person's word, newest first", "state",
     NULL},
    {"GET", ONE "/confirmations", list_conversation, ACCESS_AGENT,
     "conversations", ROUTE_LIST, 200, NULL, &shape_confirm,
     "The same of one conversation", "state", NULL},
    {"POST", ONE "/confirmations/{id}", decide, ACCESS_AGENT, "conversations",
     0, 200, decide_in, &shape_decided,
     "An agent's word: the tool runs, or the model is told no", NULL, NULL},
    {0}};
