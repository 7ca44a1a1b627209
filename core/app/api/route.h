/* SPDX-License-Identifier: Apache-2.0 */
/* route.h - what a resource is made of: its routes, the fields that come in,
 * the shapes that go out.
 *
 * Why: the router, the checks of bodies and openapi.json read the same
 * tables, so they cannot say different things.
 */
#pragma once
#include "app/server.h"
#include "base/json.h"

struct call; /* api.h */

/* --- fields: checked on the way in, told in openapi.json --- */
enum field_type {
    FIELD_TEXT,
    FIELD_INT,
    FIELD_BOOL,
    FIELD_TEXTS,
    FIELD_OBJECT,
    FIELD_ANY
};
struct field {
    const char *name; /* NULL ends a list */
    enum field_type type;
    bool required;       /* not for PATCH */
    int64_t least, most; /* INT: value; TEXT: bytes; TEXTS: how many */
    const char *choices; /* TEXT: "online|busy" */
    const char *help;
};
struct shape { /* an object that goes out */
    const char *name;
    const struct field *fields;
};
extern const struct shape shape_agent, shape_login, shape_channel,
    shape_channel_type, shape_conversation, shape_message, shape_contact,
    shape_team, shape_token, shape_script, shape_event, shape_flow, shape_dead,
    shape_outbox, shape_check, shape_eval, shape_trace, shape_audit,
    shape_assistant, shape_assistant_type, shape_turn, shape_article,
    shape_passage, shape_confirm;

/* --- routes --- */
enum access {
    ACCESS_PUBLIC,
    ACCESS_VISITOR, /* or an agent */
    ACCESS_AGENT,
    ACCESS_SUPERVISOR,
    ACCESS_ADMIN
};
enum {
    ROUTE_CREATES = 1, /* accepts Idempotency-Key */
    ROUTE_LIST = 2,    /* answers items, total, next of its shape */
    ROUTE_READS = 4,   /* a POST that changes nothing of others */
};
struct route {
    const char *method; /* NULL ends a table */
    const char *path;   /* "/api/v1/agents/{id}" */
    void (*run)(struct call *c);
    enum access access;
    const char *scope; /* resource of a token's scopes; NULL = any token */
    unsigned flags;
    int status; /* of success */
    const struct field *in;
    const struct shape *out;
    const char *summary;
    const char *query; /* "state assignee q": parameters beside a list's */
    /* Writes the first answer again from its stored stub, which has no
     * secrets (I9); NULL = the stored body is the answer. */
    void (*reveal)(struct call *c, const struct json *stub);
};
extern const struct route routes_login[], routes_me[], routes_agents[],
    routes_channels[], routes_conversations[], routes_messages[],
    routes_contacts[], routes_teams[], routes_tokens[], routes_scripts[],
    routes_changes[], routes_openapi[], routes_flows[], routes_deads[],
    routes_outbox[], routes_console[], routes_traces[], routes_audit[],
    routes_files[], routes_assistants[], routes_turns[], routes_articles[],
    routes_confirms[];
extern const struct route *const all_routes[]; /* NULL at the end */
