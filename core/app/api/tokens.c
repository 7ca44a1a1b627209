/* SPDX-License-Identifier: Apache-2.0 */
/* tokens.c - API tokens of integrations.
 *
 * Happy path: the text follows from the id and the house's key, its digest is
 * committed, the text given once. Failure: an unknown scope is named.
 * Sign-in sessions are not listed here; sign out, or change the password.
 */
#include "app/api/api.h"
#include "app/sign.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include <stdio.h>

static void token_members(struct jsonw *w, const struct token *t)
{
    put_id(w, "id", ID_TOKEN, t->id);
    jsonw_put_text(w, "name", t->name);
    put_id(w, "agent", ID_AGENT, t->agent);
    jsonw_put_raw(w, "scopes", t->scopes.len ? t->scopes : SLICE("[]"));
    jsonw_put_int(w, "created_at", t->created_at);
    jsonw_key(w, "expires_at");
    if (t->expires_at) {
        jsonw_int(w, t->expires_at);
    } else {
        jsonw_null(w);
    }
}

static void write_row(struct call *c, struct jsonw *w, const void *row)
{
    (void)c;
    jsonw_open(w, '{');
    token_members(w, row);
    jsonw_close(w, '}');
}

static void list(struct call *c)
{
    struct rows rows = {0};
    const struct token *t;
    for (size_t i = 0; (t = auth_next(c->s->auth, &i)) != NULL;) {
        if (!auth_is_session(t) && query_matches(c, &t->name, 1)) {
            rows_add(c, &rows, t);
        }
    }
    rows_reply(c, &rows, write_row);
}

static const struct token *find(struct call *c)
{
    uint64_t id;
    const struct token *t;
    if (!call_id(c, 0, ID_TOKEN, "token", &id)) {
        return NULL;
    }
    t = auth_token(c->s->auth, id);
    if (!t || auth_is_session(t)) {
        reply_missing(c, "token");
        return NULL;
    }
    return t;
}

static void get(struct call *c)
{
    const struct token *t = find(c);
    if (t) {
        write_row(c, reply_begin(c), t);
        reply_send(c, 200);
    }
}

static void write_with_text(struct call *c, const struct token *t)
{
    char text[SECRET_TEXT];
    struct slice secret = api_token_text(text, c->s->key, t->id);
    struct jsonw *w = reply_begin(c);
    jsonw_open(w, '{');
    token_members(w, t);
    jsonw_put_text(w, "token", secret);
    jsonw_put_text(w, "secret", secret); /* what signs, see wire.md */
    jsonw_close(w, '}');
}

static void applied(struct call *c, struct tx *tx)
{
    if (tx->puts->kind == PUT_TOKEN) {
        auth_put(c->s->auth, tx->puts->token);
    } else {
        server_end_token(c->s, tx->puts->id);
    }
}

static bool scopes_are_known(struct call *c)
{
    const struct json *s = body_get(c, "scopes");
    for (s = json_is(s, JSON_ARRAY) ? s->first : NULL; s; s = s->next) {
        if (!scope_is_known(s->text)) {
            reply_fail(c, ERR_UNPROCESSABLE, "scopes",
                       "%.*s is no scope; say resource:read or :write, or *",
                       (int)(s->text.len > 40 ? 40 : s->text.len), s->text.at);
            return false;
        }
    }
    return true;
}

/* For whom: the caller, or another agent an admin names. */
static bool find_agent(struct call *c, uint64_t *agent)
{
    struct slice text = body_text(c, "agent");
    *agent = c->who.agent;
    if (text.len == 0 && *agent) {
        return true;
    }
    if (id_parse(text, ID_AGENT, agent) && desk_agent(c->s->desk, *agent)) {
        return true;
    }
    reply_fail(c, ERR_UNPROCESSABLE, "agent", "there is no such agent");
    return false;
}

static bool there_is_room(struct call *c)
{
    const struct token *t;
    size_t count = 0;
    for (size_t i = 0; (t = auth_next(c->s->auth, &i)) != NULL;) {
        count += !auth_is_session(t);
    }
    if (count < AUTH_TOKENS) {
        return true;
    }
    reply_fail(c, ERR_CONFLICT, NULL,
               "there are %d tokens already; revoke some", AUTH_TOKENS);
    return false;
}

static void post(struct call *c)
{
    char text[SECRET_TEXT], stub[64];
    uint64_t agent;
    /* A token with scopes must not make one that may do more. */
    if (c->who.scopes.len && !slice_is(c->who.scopes, "[]")) {
        reply_fail(c, ERR_FORBIDDEN, NULL,
                   "a token with scopes cannot make tokens");
        return;
    }
    if (!scopes_are_known(c) || !find_agent(c, &agent) || !there_is_room(c)) {
        return;
    }
    struct tx *tx = tx_new(NULL, c);
    struct token *t = arena_one(tx->arena, struct token);
    *t = (struct token){.id = id_new(),
                        .agent = agent,
                        .name = slice_dup(tx->arena, body_text(c, "name")),
                        .created_at = clock_ms(),
                        .expires_at = body_int(c, "expires_at", 0)};
    t->scopes = slice_dup(tx->arena, body_json(c, "scopes", SLICE("[]")));
    sha256_of(api_token_text(text, c->s->key, t->id), t->digest);
    tx_put(tx, PUT_TOKEN)->token = t;
    snprintf(stub, sizeof stub, "{\"id\":\"%s\"}",
             id_text(text, ID_TOKEN, t->id).at);
    c->stub = slice_dup(c->a, slice_of(stub));
    write_with_text(c, t);
    reply_commit(c, tx, 201, applied);
}

static void reveal(struct call *c, const struct json *stub)
{
    uint64_t id = 0;
    const struct token *t = NULL;
    if (id_parse(json_text(stub, "id"), ID_TOKEN, &id)) {
        t = auth_token(c->s->auth, id);
    }
    if (!t) {
        reply_fail(c, ERR_GONE, NULL, "this token was revoked meanwhile");
        return;
    }
    write_with_text(c, t);
    reply_send(c, c->status);
}

static void del(struct call *c)
{
    const struct token *t = find(c);
    if (t) {
        struct tx *tx = tx_new(NULL, c);
        tx_put(tx, DEL_TOKEN)->id = t->id;
        reply_commit(c, tx, 204, applied);
    }
}

static const struct field token_in[] = {
    {.name = "name", .type = FIELD_TEXT, .required = true, .least = 1},
    {.name = "scopes",
     .type = FIELD_TEXTS,
     .most = LIMIT_TAGS,
     .help = "conversations:read, messages:write, ...; empty = all rights"},
    {.name = "agent",
     .type = FIELD_TEXT,
     .help = "who it acts for; default me"},
    {.name = "expires_at", .type = FIELD_INT, .help = "ms; 0 = never"},
    {0}};
static const struct field token_out[] = {
    {.name = "id", .type = FIELD_TEXT, .help = "also the X-Key-Id"},
    {.name = "name", .type = FIELD_TEXT},
    {.name = "agent", .type = FIELD_TEXT},
    {.name = "scopes", .type = FIELD_TEXTS},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "expires_at", .type = FIELD_INT},
    {.name = "token", .type = FIELD_TEXT, .help = "at creation only"},
    {.name = "secret",
     .type = FIELD_TEXT,
     .help = "the same text: signs requests"},
    {0}};
const struct shape shape_token = {"Token", token_out};
const struct route routes_tokens[] = {
    {"GET", "/api/v1/tokens", list, ACCESS_ADMIN, "tokens", ROUTE_LIST, 200,
     NULL, &shape_token, "List API tokens", "q", NULL},
    {"POST", "/api/v1/tokens", post, ACCESS_ADMIN, "tokens", ROUTE_CREATES, 201,
     token_in, &shape_token, "Create an API token", NULL, reveal},
    {"GET", "/api/v1/tokens/{id}", get, ACCESS_ADMIN, "tokens", 0, 200, NULL,
     &shape_token, "One token", NULL, NULL},
    {"DELETE", "/api/v1/tokens/{id}", del, ACCESS_ADMIN, "tokens", 0, 204, NULL,
     NULL, "Revoke a token", NULL, NULL},
    {0}};
