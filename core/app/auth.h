/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - who calls: sessions and API tokens, known by their digest.
 *
 * Why: a token's text is nowhere kept; the table has its SHA-256 only. A
 * token without a name is a sign-in session, one with a name an API token.
 *
 * Thread: main.   Owns: copies of the tokens.
 */
#pragma once
#include "desk/record.h"

#define AUTH_SESSIONS_PER_AGENT 50
#define AUTH_TOKENS 10000 /* API tokens at most */

struct caller {
    uint64_t agent; /* 0 = nobody; in a call that runs: the machine's user */
    uint64_t token; /* its id */
    enum agent_role role;
    struct slice scopes; /* JSON array, borrowed; "[]" = everything */
    bool by_cookie;
};

struct auth;
struct auth *auth_new(void);
void auth_free(struct auth *a);
void auth_put(struct auth *a, const struct token *t); /* copies; replaces */
void auth_del(struct auth *a, uint64_t id);
/* The token whose text this is, unless it has expired. */
const struct token *auth_find(const struct auth *a, struct slice text,
                              int64_t now);
const struct token *auth_token(const struct auth *a, uint64_t id);
/* In no order; NULL at the end. */
const struct token *auth_next(const struct auth *a, size_t *i);
bool auth_is_session(const struct token *t);
/* The session to give up for a new one, or NULL while there is room: an
 * expired one first, then the oldest. */
const struct token *auth_oldest_session(const struct auth *a, uint64_t agent,
                                        int64_t now);
/* May these scopes do this? "conversations:read", "messages:write" (includes
 * read), "*". */
bool scopes_allow(struct slice scopes, const char *resource, bool writes);
/* Is each text a scope we know? Gives the first unknown one. */
bool scope_is_known(struct slice scope);
