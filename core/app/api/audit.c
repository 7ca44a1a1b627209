/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - who did what to the house: written with what they did, read by
 * admins. Happy path: a row in the same transaction; a list by the store.
 */
#include "app/api/api.h"
#include "base/clock.h"
#include "base/limits.h"

void audit_put(struct call *c, struct tx *tx, const char *what,
               struct slice about, struct slice data)
{
    struct audit *a = arena_one(tx->arena, struct audit);
    *a = (struct audit){.id = id_new(),
                        .at = clock_ms(),
                        .agent = c->who.agent,
                        .what = slice_of(what),
                        .about = slice_dup(tx->arena, about),
                        .data = slice_dup(tx->arena, data)};
    tx_put(tx, PUT_AUDIT)->audit = a;
}

static void list(struct call *c)
{
    struct page p;
    struct slice what;
    if (!page_read(c, &p)) {
        return;
    }
    struct query *q = query_new(QUERY_AUDIT, reply_page, c);
    if (http_query(c->r, "what", &what)) {
        q->text = slice_dup(q->arena, what);
    }
    q->limit = p.limit;
    q->offset = p.offset;
    server_read(c->s, q);
}

static const struct field audit_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "agent",
     .type = FIELD_TEXT,
     .help = "who, or null: the machine's own user, by a command"},
    {.name = "what", .type = FIELD_TEXT, .help = "\"script.rollback\""},
    {.name = "about", .type = FIELD_TEXT, .help = "a name or an id"},
    {.name = "data", .type = FIELD_OBJECT},
    {0}};
const struct shape shape_audit = {"Audit", audit_out};
const struct route routes_audit[] = {
    {"GET", "/api/v1/audit", list, ACCESS_ADMIN, "audit", ROUTE_LIST, 200, NULL,
     &shape_audit, "Who did what, newest first", "what", NULL},
    {0}};
