/* SPDX-License-Identifier: Apache-2.0 */
/* Who may call: sessions, cookies, tokens, limits. */
#include "roof.h"

#define ADMIN                                                                  \
    "{\"email\":\"admin@example.com\",\"password\":\"admin-password-1\"}"
#define WRONG "{\"email\":\"admin@example.com\",\"password\":\"nonsense\"}"

TEST("signing in gives a token and a cookie, each of which signs in")
{
    struct roof r;
    char cookie[200];
    REQUIRE(roof_open(&r));
    r.as = "";
    CHECK_EQ_INT(post(&r, "/api/v1/login", ADMIN), 200);
    CHECK_SLICE(json_text(json_get(r.j, "agent"), "email"),
                "admin@example.com");
    CHECK(json_int(r.j, "expires_at", 0) > clock_ms());
    CHECK(json_get(json_get(r.j, "agent"), "password") == NULL);
    CHECK(head_has(&r, "HttpOnly; SameSite=Strict; Path=/\r\n"));
    snprintf(cookie, sizeof cookie, "Cookie: a=b; yuelai_session=%s; c=d\r\n",
             text_of(&r, "token"));
    const char *bearer = roof_bearer(&r, json_text(r.j, "token"));
    r.as = bearer;
    CHECK_EQ_INT(get(&r, "/api/v1/me"), 200);
    r.as = cookie;
    CHECK_EQ_INT(get(&r, "/api/v1/me"), 200);
    /* A page of another site can send the cookie, but not the header. */
    CHECK_EQ_INT(patch(&r, "/api/v1/me", "{\"name\":\"Boss\"}"), 403);
    CHECK_ERROR(&r, 403, "forbidden", "X-Yuelai");
    CHECK_EQ_INT(roof_call(&r, "PATCH", "/api/v1/me", "X-Yuelai: 1\r\n",
                           "{\"name\":\"Boss\"}"),
                 200);
    CHECK_EQ_STR(text_of(&r, "name"), "Boss");
    CHECK_EQ_INT(
        roof_call(&r, "POST", "/api/v1/logout", "X-Yuelai: 1\r\n", NULL), 204);
    CHECK(head_has(&r, "yuelai_session=; Max-Age=0"));
    CHECK_EQ_INT(get(&r, "/api/v1/me"), 401);
    r.as = bearer;
    CHECK_EQ_INT(get(&r, "/api/v1/me"), 401);
    roof_close(&r);
}

TEST("the cookie is Secure behind a proxy that speaks HTTPS")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    r.as = "X-Forwarded-Proto: https\r\n";
    CHECK_EQ_INT(post(&r, "/api/v1/login", ADMIN), 200);
    CHECK(head_has(&r, "Path=/; Secure\r\n"));
    roof_close(&r);
}

TEST("a wrong password and an unknown email look alike")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    r.as = "";
    (void)post(&r, "/api/v1/login", WRONG);
    CHECK_ERROR(&r, 401, "unauthorized", "");
    const char *first = text_of(&r, "error");
    (void)post(&r, "/api/v1/login",
               "{\"email\":\"nobody@x\",\"password\":\"nonsense\"}");
    CHECK_ERROR(&r, 401, "unauthorized", "");
    CHECK_EQ_STR(text_of(&r, "error"), first);
    (void)post(&r, "/api/v1/login", "{\"email\":\"nobody@x\"}");
    CHECK_ERROR(&r, 422, "unprocessable", "password");
    (void)post(&r, "/api/v1/login", "{\"email\":1,\"password\":\"x\"}");
    CHECK_ERROR(&r, 422, "unprocessable", "email");
    roof_close(&r);
}

TEST("too many attempts from an address wait")
{
    struct roof r;
    roof_make(&r);
    roof_env(&r, "YUELAI_LOGINS_PER_MIN=3");
    REQUIRE(roof_start(&r)); /* the admin's own sign-in is the first */
    r.as = "";
    CHECK_EQ_INT(post(&r, "/api/v1/login", WRONG), 401);
    CHECK_EQ_INT(post(&r, "/api/v1/login", WRONG), 401);
    (void)post(&r, "/api/v1/login", ADMIN);
    CHECK_ERROR(&r, 429, "rate_limited", "");
    CHECK(head_has(&r, "Retry-After: "));
    roof_close(&r);
}

TEST("an account is not guessed at for long, other accounts go on")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    r.as = "";
    int refused = 0;
    for (int i = 0; i < 22; i++) {
        refused += post(&r, "/api/v1/login", WRONG) == 429;
    }
    CHECK(refused >= 1);
    (void)post(&r, "/api/v1/login", "{\"email\":\"x@y\",\"password\":\"z\"}");
    CHECK_EQ_INT(r.a.status, 401);
    roof_close(&r);
}

TEST("sessions and API tokens outlive a restart")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/tokens", "{\"name\":\"ci\"}"), 201);
    const char *token = roof_bearer(&r, json_text(r.j, "token"));
    REQUIRE(house_stop(&r.t) == 0 && house_start(&r.t) == 0);
    CHECK_EQ_INT(get(&r, "/api/v1/me"), 200);
    r.as = token;
    CHECK_EQ_INT(get(&r, "/api/v1/me"), 200);
    roof_close(&r);
}

TEST("a token may do what its scopes say, and a revoked one nothing")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/tokens",
                      "{\"name\":\"reader\",\"scopes\":[\"agents:read\"]}"),
                 201);
    const char *id = text_of(&r, "id");
    const char *reader = roof_bearer(&r, json_text(r.j, "token"));
    CHECK_EQ_INT(get(&r, "/api/v1/tokens"), 200);
    CHECK(memmem(r.a.body.at, r.a.body.len, "yk_", 3) == NULL);
    r.as = reader;
    CHECK_EQ_INT(get(&r, "/api/v1/agents"), 200);
    (void)get(&r, "/api/v1/channels");
    CHECK_ERROR(&r, 403, "forbidden", "");
    (void)post(&r, "/api/v1/agents",
               "{\"email\":\"a@b\",\"password\":\"12345678\"}");
    CHECK_ERROR(&r, 403, "forbidden", "");
    (void)post(&r, "/api/v1/tokens", "{\"name\":\"more\"}");
    CHECK_EQ_INT(r.a.status, 403);
    r.as = NULL;
    CHECK_EQ_INT(del(&r, at(&r, "/api/v1/tokens/%", id)), 204);
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/tokens/%", id)), 404);
    r.as = reader;
    CHECK_EQ_INT(get(&r, "/api/v1/agents"), 401);
    roof_close(&r);
}

TEST("nonsense instead of a token is 401, whatever it is")
{
    static const char *const bad[] = {
        "",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer x\r\n",
        "Authorization: Basic YTpi\r\n",
        "Cookie: yuelai_session=\r\n",
        "Cookie: yuelai_session=x; yuelai_session=y\r\n",
        "X-Signature: nonsense\r\n",
    };
    struct roof r;
    REQUIRE(roof_open(&r));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        r.as = bad[i];
        (void)get(&r, "/api/v1/me");
        CHECK_ERROR(&r, 401, "unauthorized", "");
        CHECK(head_has(&r, "WWW-Authenticate: Bearer"));
    }
    roof_close(&r);
}

/* --- signed requests --- */

static const char *sign(struct roof *r, const char *secret, int64_t t,
                        const char *body)
{
    char text[4096];
    unsigned char mac[32];
    struct buf hex;
    if (t) {
        snprintf(text, sizeof text, "%lld.%s", (long long)t, body);
    } else {
        snprintf(text, sizeof text, "%s", body);
    }
    hmac_sha256(slice_of(secret), slice_of(text), mac);
    buf_init(&hex, 100);
    CHECK(hex_add(&hex, mac, 32) == 0);
    const char *line = t ? talk_fmt(&r->t, "X-Signature: t=%lld,v1=%.*s\r\n",
                                    (long long)t, SLICE_FMT(buf_slice(&hex)))
                               .at
                         : talk_fmt(&r->t, "X-Signature: sha256=%.*s\r\n",
                                    SLICE_FMT(buf_slice(&hex)))
                               .at;
    buf_fini(&hex);
    return line;
}

TEST("a signed request counts once, in its window, over its very body")
{
    struct roof r;
    const char *body = "{\"type\":\"web\",\"name\":\"Signed\"}";
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/tokens", "{\"name\":\"signer\"}"), 201);
    const char *secret = text_of(&r, "secret"), *id = text_of(&r, "id");
    const char *key = talk_fmt(&r.t, "X-Key-Id: %s\r\n", id).at;
    int64_t now = clock_ms() / 1000;
    r.as = sign(&r, secret, now, body);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", key, body), 201);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", key, body), 401);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channels", NULL, body), 401);
    r.as = sign(&r, secret, now - 1, body); /* without a key id */
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", NULL, body), 201);
    r.as = sign(&r, secret, now - 301, body);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", key, body), 401);
    r.as = sign(&r, secret, now + 400, body);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", key, body), 401);
    r.as = sign(&r, secret, now - 2, body);
    CHECK_EQ_INT(
        roof_call(&r, "POST", "/api/v1/channel", key, "{\"type\":\"web\"}"),
        401);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel",
                           "X-Key-Id: tk_0000000000000\r\n", body),
                 401);
    r.as = sign(&r, "wrong", now - 2, body);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", key, body), 401);
    r.as = sign(&r, secret, 0, body);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", key, body), 201);
    r.as = talk_fmt(&r.t, "X-Signature: %s\r\n", secret).at; /* from here */
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", NULL, body), 201);
    static const char *const malformed[] = {
        "X-Signature: t=12,v1=ab\r\n", "X-Signature: t=12,v2=00\r\n",
        "X-Signature: t=,v1=\r\n",     "X-Signature: v2=00\r\n",
        "X-Signature: sha256=00\r\n",
    };
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        r.as = malformed[i];
        CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", NULL, body), 401);
    }
    roof_close(&r);
}

TEST("a signature that was used is remembered over a restart")
{
    struct roof r;
    const char *body = "{\"type\":\"web\"}";
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/tokens", "{\"name\":\"signer\"}"), 201);
    const char *secret = text_of(&r, "secret");
    int64_t now = clock_ms() / 1000;
    r.as = sign(&r, secret, now, body);
    CHECK_EQ_INT(post(&r, "/api/v1/channels", body), 201);
    REQUIRE(house_kill(&r.t) == 0 && house_start(&r.t) == 0);
    CHECK_EQ_INT(post(&r, "/api/v1/channels", body), 401);
    r.as = sign(&r, secret, now - 100, body); /* before the start, not used */
    CHECK_EQ_INT(post(&r, "/api/v1/channels", body), 201);
    roof_close(&r);
}
