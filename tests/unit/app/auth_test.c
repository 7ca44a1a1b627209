/* SPDX-License-Identifier: Apache-2.0 */
#include "app/auth.h"
#include "base/crypto.h"
#include "test.h"

static struct token token_of(uint64_t id, const char *text, const char *name)
{
    struct token t = {.id = id,
                      .agent = 7,
                      .name = slice_of(name),
                      .scopes = SLICE("[]"),
                      .created_at = (int64_t)id};
    sha256_of(slice_of(text), t.digest);
    return t;
}

TEST("a token is found by its text until it expires or is deleted")
{
    struct auth *a = auth_new();
    struct token t = token_of(1, "secret", "ci");
    t.expires_at = 100;
    auth_put(a, &t);
    REQUIRE(auth_find(a, SLICE("secret"), 99) != NULL);
    CHECK_EQ_INT(auth_find(a, SLICE("secret"), 99)->id, 1);
    CHECK(auth_find(a, SLICE("secret"), 100) == NULL);
    CHECK(auth_find(a, SLICE("secre"), 0) == NULL);
    CHECK(auth_find(a, SLICE(""), 0) == NULL);
    auth_del(a, 1);
    auth_del(a, 1);
    CHECK(auth_find(a, SLICE("secret"), 0) == NULL);
    CHECK(auth_token(a, 1) == NULL);
    auth_free(a);
}

TEST("a token put again replaces the first")
{
    struct auth *a = auth_new();
    struct token t = token_of(1, "old", "ci"), u = token_of(1, "new", "ci");
    auth_put(a, &t);
    auth_put(a, &u);
    CHECK(auth_find(a, SLICE("old"), 0) == NULL);
    CHECK(auth_find(a, SLICE("new"), 0) != NULL);
    size_t n = 0;
    for (size_t i = 0; auth_next(a, &i);) {
        n++;
    }
    CHECK_EQ_INT(n, 1);
    auth_free(a);
}

TEST("the oldest session gives way when there are too many")
{
    struct auth *a = auth_new();
    struct token api = token_of(1000, "api", "ci");
    auth_put(a, &api);
    for (uint64_t i = 1; i <= AUTH_SESSIONS_PER_AGENT; i++) {
        char text[2] = {(char)('0' + i), 0};
        struct token t = token_of(i, text, "");
        CHECK(auth_oldest_session(a, 7, 0) == NULL);
        auth_put(a, &t);
    }
    REQUIRE(auth_oldest_session(a, 7, 0) != NULL);
    CHECK_EQ_INT(auth_oldest_session(a, 7, 0)->id, 1);
    CHECK(auth_oldest_session(a, 8, 0) == NULL);
    auth_free(a);
}

TEST("scopes allow what they say and no more")
{
    CHECK(scopes_allow(SLICE("[]"), "agents", true));
    CHECK(scopes_allow(SLICE("[\"*\"]"), "agents", true));
    CHECK(scopes_allow(SLICE("[\"agents:read\"]"), "agents", false));
    CHECK(!scopes_allow(SLICE("[\"agents:read\"]"), "agents", true));
    CHECK(scopes_allow(SLICE("[\"x\",\"agents:write\"]"), "agents", true));
    CHECK(scopes_allow(SLICE("[\"agents:write\"]"), "agents", false));
    CHECK(!scopes_allow(SLICE("[\"agents:write\"]"), "agent", false));
    CHECK(!scopes_allow(SLICE("[\"agentsx:write\"]"), "agents", false));
    CHECK(!scopes_allow(SLICE("broken"), "agents", false));
    CHECK(scope_is_known(SLICE("messages:write")));
    CHECK(!scope_is_known(SLICE("messages")));
    CHECK(!scope_is_known(SLICE("money:write")));
}
