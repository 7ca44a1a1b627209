/* SPDX-License-Identifier: Apache-2.0 */
/* Who may come in by the socket: channels, tokens, signed identities. */
#include "roof.h"

/* One hello on a socket of its own; the first frame that comes back. */
static const struct json *hello(struct roof *r, const char *frame,
                                const char *headers, int *code)
{
    struct client *c = NULL;
    struct err e = {0};
    struct slice text;
    struct json *j = NULL;
    enum client_opcode op;
    int64_t until = test_now_ms() + test_patience(0);
    test_note("%s", frame);
    *code = 0;
    if (client_open(r->t.port, headers, TALK_CALL_MS, &e, &c)) {
        FAIL("%s", e.text);
        return NULL;
    }
    CHECK(client_send(c, CLIENT_TEXT, slice_of(frame)) == 0);
    while (!j && !c->ended && test_now_ms() < until) {
        client_wait(&c, 1, 100);
        if (client_next(c, r->t.arena, &op, &text)) {
            CHECK(json_parse(r->t.arena, text, NULL, &j) == 0);
        }
    }
    if (json_get(j, "code")) { /* then the close comes */
        while (!c->ended && test_now_ms() < until) {
            client_wait(&c, 1, 100);
            (void)client_next(c, r->t.arena, &op, &text);
        }
        *code = c->close_code;
    }
    client_free(c);
    return j;
}

static void check_welcome(const struct json *j)
{
    CHECK_SLICE(json_text(j, "type"), "welcome");
}

/* The code comes by pointer: it is not known before the call that gives j. */
static void check_refused(const struct json *j, const int *code,
                          const char *why)
{
    CHECK_SLICE(json_text(j, "type"), "error");
    CHECK_SLICE(json_text(j, "code"), why);
    CHECK_EQ_INT(*code, 4003);
}

TEST("a visitor comes in by the default channel and is known again")
{
    struct roof r;
    int code;
    REQUIRE(roof_open(&r));
    const struct json *w =
        hello(&r, "{\"type\":\"hello\",\"channel\":\"default\"}", "", &code);
    check_welcome(w);
    struct slice you = json_text(json_get(w, "you"), "id");
    struct slice token = json_text(w, "token");
    CHECK(you.len > 5 && token.len > 40);
    w = hello(&r,
              talk_fmt(&r.t,
                       "{\"type\":\"hello\",\"channel\":\"default\","
                       "\"token\":\"%.*s\"}",
                       SLICE_FMT(token))
                  .at,
              "", &code);
    check_welcome(w);
    CHECK(slice_eq(json_text(json_get(w, "you"), "id"), you));
    CHECK(slice_eq(json_text(w, "token"), token));
    roof_close(&r);
}

TEST("a wrong visitor token makes a new visitor with a new token")
{
    struct roof r;
    int code;
    REQUIRE(roof_open(&r));
    const struct json *w = hello(&r,
                                 "{\"type\":\"hello\",\"channel\":\"default\","
                                 "\"token\":\"yv_nonsense\"}",
                                 "", &code);
    check_welcome(w);
    CHECK(json_text(w, "token").len > 40);
    roof_close(&r);
}

TEST("a token is good on its own channel only")
{
    struct roof r;
    int code;
    REQUIRE(roof_open(&r));
    const struct json *w =
        hello(&r, "{\"type\":\"hello\",\"channel\":\"default\"}", "", &code);
    struct slice you = json_text(json_get(w, "you"), "id");
    struct slice token = json_text(w, "token");
    CHECK_EQ_INT(post(&r, "/api/v1/channels", "{\"type\":\"web\"}"), 201);
    w = hello(&r,
              talk_fmt(&r.t,
                       "{\"type\":\"hello\",\"channel\":\"%s\","
                       "\"token\":\"%.*s\"}",
                       text_of(&r, "id"), SLICE_FMT(token))
                  .at,
              "", &code);
    check_welcome(w);
    CHECK(!slice_eq(json_text(json_get(w, "you"), "id"), you));
    roof_close(&r);
}

TEST("a page cannot speak into a channel of another type")
{
    struct roof r;
    int code;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channels", "{\"type\":\"http\"}"), 201);
    const char *frame =
        at(&r, "{\"type\":\"hello\",\"channel\":\"%\"}", text_of(&r, "id"));
    check_refused(hello(&r, frame, "", &code), &code, "not_found");
    roof_close(&r);
}

TEST("an unknown, a disabled and a deleted channel are 4003")
{
    struct roof r;
    int code;
    REQUIRE(roof_open(&r));
    check_refused(
        hello(&r, "{\"type\":\"hello\",\"channel\":\"nonsense\"}", "", &code),
        &code, "not_found");
    CHECK_EQ_INT(post(&r, "/api/v1/channels", "{\"type\":\"web\"}"), 201);
    const char *id = text_of(&r, "id");
    const char *path = at(&r, "/api/v1/channels/%", id);
    const char *frame = at(&r, "{\"type\":\"hello\",\"channel\":\"%\"}", id);
    check_welcome(hello(&r, frame, "", &code));
    CHECK_EQ_INT(patch(&r, path, "{\"enabled\":false}"), 200);
    check_refused(hello(&r, frame, "", &code), &code, "not_found");
    CHECK_EQ_INT(del(&r, path), 204);
    check_refused(hello(&r, frame, "", &code), &code, "not_found");
    roof_close(&r);
}

/* --- identities --- */

static const char *signed_hello(struct roof *r, const char *channel,
                                const char *secret, const char *name,
                                int64_t expires_at)
{
    unsigned char mac[32];
    struct buf hex;
    struct slice canonical =
        talk_fmt(&r->t, "v1\nu-1\n%s\n\nvip\n{\"plan\":\"pro\"}\n%lld", name,
                 (long long)expires_at);
    hmac_sha256(slice_of(secret), canonical, mac);
    buf_init(&hex, 100);
    CHECK(hex_add(&hex, mac, 32) == 0);
    const char *frame =
        talk_fmt(&r->t,
                 "{\"type\":\"hello\",\"channel\":\"%s\",\"identity\":{"
                 "\"user_id\":\"u-1\",\"name\":\"%s\",\"tier\":\"vip\","
                 "\"attributes\":{\"plan\":\"pro\"},\"expires_at\":%lld,"
                 "\"signature\":\"%.*s\"}}",
                 channel, name, (long long)expires_at,
                 SLICE_FMT(buf_slice(&hex)))
            .at;
    buf_fini(&hex);
    return frame;
}

TEST("a signed identity is one contact on every device, with its news")
{
    struct roof r;
    int code;
    int64_t later = clock_ms() + 600000;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channels", "{\"type\":\"web\"}"), 201);
    const char *ch = text_of(&r, "id"), *secret = text_of(&r, "secret");
    const struct json *w =
        hello(&r, signed_hello(&r, ch, secret, "Anna", later), "", &code);
    check_welcome(w);
    const char *you =
        slice_dup(r.t.arena, json_text(json_get(w, "you"), "id")).at;
    w = hello(&r, signed_hello(&r, ch, secret, "Anna Li", later), "", &code);
    check_welcome(w);
    CHECK_SLICE(json_text(json_get(w, "you"), "id"), you);
    const char *path = at(&r, "/api/v1/contacts/%", you);
    WAIT_UNTIL(get(&r, path) == 200 &&
                   slice_is(json_text(r.j, "name"), "Anna Li"),
               10000);
    CHECK_EQ_STR(text_of(&r, "tier"), "vip");
    CHECK_SLICE(json_text(json_get(r.j, "attributes"), "plan"), "pro");
    CHECK_EQ_INT(get(&r, "/api/v1/contacts"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    roof_close(&r);
}

/* Says one thing and waits until it is on disk. */
static bool says(struct roof *r, const char *token, const char *channel)
{
    struct err e = {0};
    struct client *c = NULL;
    struct slice text;
    enum client_opcode op;
    bool got = false;
    int64_t until = test_now_ms() + test_patience(0);
    struct slice hi = talk_fmt(&r->t,
                               "{\"type\":\"hello\",\"channel\":\"%s\","
                               "\"token\":\"%s\"}",
                               channel, token);
    static const char frame[] = "{\"type\":\"send\",\"ref\":\"1\","
                                "\"kind\":\"text\",\"text\":\"hi\"}";
    if (client_open(r->t.port, "", TALK_CALL_MS, &e, &c)) {
        FAIL("%s", e.text);
        return false;
    }
    CHECK(client_send(c, CLIENT_TEXT, hi) == 0);
    CHECK(client_send(c, CLIENT_TEXT, slice_of(frame)) == 0);
    while (!got && !c->ended && test_now_ms() < until) {
        client_wait(&c, 1, 100);
        got = client_next(c, r->t.arena, &op, &text) &&
              memmem(text.at, text.len, "\"ack\"", 5) != NULL;
    }
    client_free(c);
    return got;
}

TEST("a guest who signs in stays the same contact, with what was said")
{
    struct roof r;
    int code;
    int64_t later = clock_ms() + 600000;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channels", "{\"type\":\"app\"}"), 201);
    const char *ch = text_of(&r, "id"), *secret = text_of(&r, "secret");
    const struct json *w = hello(
        &r, at(&r, "{\"type\":\"hello\",\"channel\":\"%\"}", ch), "", &code);
    const char *token = slice_dup(r.t.arena, json_text(w, "token")).at;
    const char *you =
        slice_dup(r.t.arena, json_text(json_get(w, "you"), "id")).at;
    REQUIRE(says(&r, token, ch));
    const char *frame = signed_hello(&r, ch, secret, "Anna", later);
    const char *with =
        talk_fmt(&r.t, "{\"token\":\"%s\",%s", token, frame + 1).at;
    w = hello(&r, with, "", &code);
    check_welcome(w);
    CHECK_SLICE(json_text(json_get(w, "you"), "id"), you);
    CHECK(json_get(w, "conversation") != NULL);
    /* From now on anywhere; a guest elsewhere who signs in comes to it. */
    w = hello(&r, frame, "", &code);
    CHECK_SLICE(json_text(json_get(w, "you"), "id"), you);
    CHECK_EQ_INT(get(&r, "/api/v1/contacts"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    roof_close(&r);
}

TEST("an app may want signed users only, and signatures that do not last long")
{
    struct roof r;
    int code;
    int64_t now = clock_ms();
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channels",
                      "{\"type\":\"app\",\"config\":{\"signed_only\":true,"
                      "\"identity_hours\":2}}"),
                 201);
    const char *ch = text_of(&r, "id"), *secret = text_of(&r, "secret");
    const char *guest = at(&r, "{\"type\":\"hello\",\"channel\":\"%\"}", ch);
    const struct json *j = hello(&r, guest, "", &code);
    check_refused(j, &code, "unauthorized");
    CHECK(memmem(json_text(j, "message").at, json_text(j, "message").len,
                 "signed users", 12));
    j = hello(&r, signed_hello(&r, ch, secret, "Anna", now + 3 * 3600000), "",
              &code);
    check_refused(j, &code, "unauthorized");
    CHECK(memmem(json_text(j, "message").at, json_text(j, "message").len,
                 "at most 2 hours", 15));
    check_refused(
        hello(&r, signed_hello(&r, ch, "no", "Anna", now + 60000), "", &code),
        &code, "unauthorized");
    check_welcome(hello(&r, signed_hello(&r, ch, secret, "Anna", now + 3600000),
                        "", &code));
    roof_close(&r);
}

TEST("a forged or expired identity is refused")
{
    struct roof r;
    int code;
    int64_t now = clock_ms();
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channels", "{\"type\":\"web\"}"), 201);
    const char *ch = text_of(&r, "id"), *secret = text_of(&r, "secret");
    const struct json *j = hello(
        &r, signed_hello(&r, ch, "wrong", "Anna", now + 60000), "", &code);
    check_refused(j, &code, "unauthorized");
    j = hello(&r, signed_hello(&r, ch, secret, "Anna", now - 1), "", &code);
    check_refused(j, &code, "unauthorized");
    const char *path = talk_fmt(&r.t, "/api/v1/channels/%s/secret", ch).at;
    CHECK_EQ_INT(post(&r, path, NULL), 200); /* a new one ends the old */
    j = hello(&r, signed_hello(&r, ch, secret, "Anna", now + 60000), "", &code);
    check_refused(j, &code, "unauthorized");
    j = hello(&r,
              signed_hello(&r, ch, text_of(&r, "secret"), "Anna", now + 60000),
              "", &code);
    check_welcome(j);
    roof_close(&r);
}

/* --- agents --- */

TEST("an agent comes in by token or by the console's cookie")
{
    struct roof r;
    int code;
    REQUIRE(roof_open(&r));
    const char *token = slice_dup(r.t.arena, r.t.admin).at;
    check_welcome(hello(
        &r, at(&r, "{\"type\":\"hello\",\"token\":\"%\"}", token), "", &code));
    const char *cookie = talk_fmt(&r.t,
                                  "Origin: http://127.0.0.1:%d\r\n"
                                  "Cookie: yuelai_session=%s\r\n",
                                  r.t.port, token)
                             .at;
    check_welcome(hello(&r, "{\"type\":\"hello\"}", cookie, &code));
    /* A page of another origin cannot use it. */
    const char *foreign = talk_fmt(&r.t,
                                   "Origin: https://evil.example\r\n"
                                   "Cookie: yuelai_session=%s\r\n",
                                   token)
                              .at;
    check_refused(hello(&r, "{\"type\":\"hello\"}", foreign, &code), &code,
                  "unauthorized");
    check_refused(hello(&r, "{\"type\":\"hello\",\"token\":\"x\"}", "", &code),
                  &code, "unauthorized");
    CHECK_EQ_INT(post(&r, "/api/v1/tokens",
                      "{\"name\":\"t\",\"scopes\":[\"agents:read\"]}"),
                 201);
    check_refused(hello(&r,
                        at(&r, "{\"type\":\"hello\",\"token\":\"%\"}",
                           text_of(&r, "token")),
                        "", &code),
                  &code, "forbidden");
    roof_close(&r);
}

TEST("who signs out, or whose token is revoked, loses the socket")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK(play(&r, "bo signs in"));
    struct actor *bo = actor_find(&r.t, SLICE("bo"));
    r.as = roof_bearer(&r, bo->token);
    CHECK_EQ_INT(post(&r, "/api/v1/logout", NULL), 204);
    CHECK(play(&r, "bo is disconnected with 4003"));
    roof_close(&r);
}

TEST("two sockets of one new person at once are one contact")
{
    struct roof r;
    struct client *c[8] = {NULL};
    struct err e = {0};
    struct slice text;
    enum client_opcode op;
    struct json *j;
    char you[ID_TEXT] = "";
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channels", "{\"type\":\"web\"}"), 201);
    const char *ch = text_of(&r, "id"), *secret = text_of(&r, "secret");
    const char *frame =
        signed_hello(&r, ch, secret, "Anna", clock_ms() + 60000);
    for (size_t i = 0; i < 8; i++) {
        REQUIRE(client_open(r.t.port, "", TALK_CALL_MS, &e, &c[i]) == 0);
    }
    for (size_t i = 0; i < 8; i++) {
        CHECK(client_send(c[i], CLIENT_TEXT, slice_of(frame)) == 0);
    }
    for (size_t i = 0; i < 8; i++) {
        while (!c[i]->ended && !client_next(c[i], r.t.arena, &op, &text)) {
            client_wait(&c[i], 1, 10000);
        }
        REQUIRE(!c[i]->ended);
        CHECK(json_parse(r.t.arena, text, NULL, &j) == 0);
        check_welcome(j);
        struct slice id = json_text(json_get(j, "you"), "id");
        if (i == 0) {
            snprintf(you, sizeof you, "%.*s", SLICE_FMT(id));
        }
        CHECK_SLICE(id, you);
        client_free(c[i]);
    }
    CHECK_EQ_INT(get(&r, "/api/v1/contacts"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    roof_close(&r);
}
