/* SPDX-License-Identifier: Apache-2.0 */
/* Agents, teams, channels, contacts: made, changed, listed, deleted. */
#include "roof.h"

TEST("an agent is created, changed, signs in with a new password, is deleted")
{
    struct roof r;
    const char *id;
    REQUIRE(roof_open(&r));
    const char *bo = make_agent(&r, "bo@example.com", "agent", &id);
    const char *path = at(&r, "/api/v1/agents/%", id);
    CHECK_EQ_INT(patch(&r, path,
                       "{\"name\":\"Bo\",\"max_load\":3,"
                       "\"skills\":[\"zh\",\"en\"]}"),
                 200);
    CHECK_EQ_INT(get(&r, path), 200);
    CHECK_EQ_STR(text_of(&r, "name"), "Bo");
    CHECK_EQ_INT(json_int(r.j, "max_load", 0), 3);
    CHECK_EQ_INT(json_get(r.j, "skills")->count, 2);
    CHECK_EQ_STR(text_of(&r, "status"), "offline");
    /* A change that does not name the password keeps it. */
    CHECK_EQ_INT(post(&r, "/api/v1/login",
                      "{\"email\":\"BO@example.com\",\"password\":"
                      "\"password-1\"}"),
                 200);
    CHECK_EQ_INT(patch(&r, path, "{\"password\":\"password-2\"}"), 200);
    CHECK_EQ_INT(post(&r, "/api/v1/login",
                      "{\"email\":\"bo@example.com\",\"password\":"
                      "\"password-1\"}"),
                 401);
    CHECK_EQ_INT(post(&r, "/api/v1/login",
                      "{\"email\":\"bo@example.com\",\"password\":"
                      "\"password-2\"}"),
                 200);
    r.as = bo; /* a new password ends the old sessions */
    CHECK_EQ_INT(get(&r, "/api/v1/me"), 401);
    r.as = NULL;
    CHECK_EQ_INT(del(&r, path), 204);
    CHECK_EQ_INT(get(&r, path), 404);
    CHECK_EQ_INT(post(&r, "/api/v1/login",
                      "{\"email\":\"bo@example.com\",\"password\":"
                      "\"password-2\"}"),
                 401);
    roof_close(&r);
}

TEST("a changed agent is the same after a restart")
{
    struct roof r;
    const char *id;
    REQUIRE(roof_open(&r));
    (void)make_agent(&r, "bo@example.com", "supervisor", &id);
    CHECK_EQ_INT(patch(&r, at(&r, "/api/v1/agents/%", id),
                       "{\"name\":\"\xe6\x82\xa6\xe6\x9d\xa5\"}"),
                 200);
    REQUIRE(house_kill(&r.t) == 0 && house_start(&r.t) == 0);
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/agents/%", id)), 200);
    CHECK_EQ_STR(text_of(&r, "name"), "\xe6\x82\xa6\xe6\x9d\xa5");
    CHECK_EQ_STR(text_of(&r, "role"), "supervisor");
    CHECK_EQ_INT(post(&r, "/api/v1/login",
                      "{\"email\":\"bo@example.com\",\"password\":"
                      "\"password-1\"}"),
                 200);
    roof_close(&r);
}

TEST("a disabled agent is out at once and comes back when enabled")
{
    struct roof r;
    const char *id;
    REQUIRE(roof_open(&r));
    const char *bo = make_agent(&r, "bo@example.com", "agent", &id);
    const char *path = at(&r, "/api/v1/agents/%", id);
    CHECK_EQ_INT(patch(&r, path, "{\"enabled\":false}"), 200);
    r.as = bo;
    CHECK_EQ_INT(get(&r, "/api/v1/me"), 401);
    r.as = NULL;
    CHECK_EQ_INT(post(&r, "/api/v1/login",
                      "{\"email\":\"bo@example.com\",\"password\":"
                      "\"password-1\"}"),
                 401);
    CHECK_EQ_INT(patch(&r, path, "{\"enabled\":true}"), 200);
    CHECK_EQ_INT(post(&r, "/api/v1/login",
                      "{\"email\":\"bo@example.com\",\"password\":"
                      "\"password-1\"}"),
                 200);
    roof_close(&r);
}

TEST("the last admin cannot be lost")
{
    struct roof r;
    const char *second;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(get(&r, "/api/v1/me"), 200);
    const char *me = at(&r, "/api/v1/agents/%", text_of(&r, "id"));
    CHECK_EQ_INT(patch(&r, me, "{\"role\":\"agent\"}"), 409);
    CHECK_EQ_INT(patch(&r, me, "{\"enabled\":false}"), 409);
    CHECK_EQ_INT(del(&r, me), 409);
    (void)make_agent(&r, "two@example.com", "admin", &second);
    CHECK_EQ_INT(del(&r, me), 409); /* not oneself either */
    CHECK_EQ_INT(
        patch(&r, at(&r, "/api/v1/agents/%", second), "{\"role\":\"agent\"}"),
        200);
    CHECK_EQ_INT(patch(&r, me, "{\"role\":\"agent\"}"), 409);
    roof_close(&r);
}

TEST("wrong fields of an agent are named")
{
    static const struct {
        const char *body, *field;
    } bad[] = {
        {"{\"password\":\"12345678\"}", "email"},
        {"{\"email\":\"a@b\"}", "password"},
        {"{\"email\":\"a@b\",\"password\":\"1234567\"}", "password"},
        {"{\"email\":\"nonsense\",\"password\":\"12345678\"}", "email"},
        {"{\"email\":\"a@b\",\"password\":\"12345678\",\"role\":\"king\"}",
         "role"},
        {"{\"email\":\"a@b\",\"password\":\"12345678\",\"max_load\":-1}",
         "max_load"},
        {"{\"email\":\"a@b\",\"password\":\"12345678\",\"max_load\":1.5}",
         "max_load"},
        {"{\"email\":\"a@b\",\"password\":\"12345678\",\"skills\":\"zh\"}",
         "skills"},
        {"{\"email\":\"a@b\",\"password\":\"12345678\",\"skills\":[1]}",
         "skills"},
        {"{\"email\":\"a@b\",\"password\":\"12345678\",\"enabled\":\"no\"}",
         "enabled"},
    };
    struct roof r;
    REQUIRE(roof_open(&r));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)post(&r, "/api/v1/agents", bad[i].body);
        CHECK_ERROR(&r, 422, "unprocessable", bad[i].field);
    }
    CHECK_EQ_INT(post(&r, "/api/v1/agents",
                      "{\"email\":\"ok@b\",\"password\":\"12345678\","
                      "\"unknown\":{\"is\":\"ignored\"}}"),
                 201);
    (void)post(&r, "/api/v1/agents",
               "{\"email\":\"OK@b\",\"password\":\"12345678\"}");
    CHECK_ERROR(&r, 409, "conflict", "email");
    roof_close(&r);
}

TEST("only admins change agents, teams, channels and tokens")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    r.as = make_agent(&r, "sup@example.com", "supervisor", NULL);
    static const char *const paths[] = {"agents", "teams", "channels",
                                        "tokens"};
    static const char *const bodies[] = {
        "{\"email\":\"a@b\",\"password\":\"12345678\"}", "{\"name\":\"t\"}",
        "{\"type\":\"web\"}", "{\"name\":\"t\"}"};
    for (size_t i = 0; i < 4; i++) {
        (void)post(&r, at(&r, "/api/v1/%", paths[i]), bodies[i]);
        CHECK_ERROR(&r, 403, "forbidden", "");
    }
    CHECK_EQ_INT(get(&r, "/api/v1/agents"), 200);
    CHECK_EQ_INT(get(&r, "/api/v1/tokens"), 403);
    roof_close(&r);
}

TEST("I change my own name and, knowing it, my password")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    r.as = make_agent(&r, "bo@example.com", "agent", NULL);
    CHECK_EQ_INT(patch(&r, "/api/v1/me",
                       "{\"name\":\"Bo B.\",\"role\":"
                       "\"admin\"}"),
                 200);
    CHECK_EQ_STR(text_of(&r, "name"), "Bo B.");
    CHECK_EQ_STR(text_of(&r, "role"), "agent");
    (void)patch(&r, "/api/v1/me", "{\"password\":\"password-2\"}");
    CHECK_ERROR(&r, 422, "unprocessable", "current_password");
    (void)patch(&r, "/api/v1/me",
                "{\"password\":\"password-2\","
                "\"current_password\":\"wrong\"}");
    CHECK_ERROR(&r, 422, "unprocessable", "current_password");
    CHECK_EQ_INT(patch(&r, "/api/v1/me",
                       "{\"password\":\"password-2\","
                       "\"current_password\":"
                       "\"password-1\"}"),
                 200);
    CHECK_EQ_INT(get(&r, "/api/v1/me"), 200); /* this session stays */
    roof_close(&r);
}

TEST("a team has members that exist and a name of its own")
{
    struct roof r;
    const char *bo;
    REQUIRE(roof_open(&r));
    (void)make_agent(&r, "bo@example.com", "agent", &bo);
    CHECK_EQ_INT(
        post(
            &r, "/api/v1/teams",
            talk_fmt(&r.t, "{\"name\":\"money\",\"members\":[\"%s\"]}", bo).at),
        201);
    const char *path = at(&r, "/api/v1/teams/%", text_of(&r, "id"));
    CHECK_EQ_INT(json_get(r.j, "members")->count, 1);
    (void)post(&r, "/api/v1/teams", "{\"name\":\"money\"}");
    CHECK_ERROR(&r, 409, "conflict", "name");
    (void)post(&r, "/api/v1/teams",
               "{\"name\":\"x\",\"members\":[\"ag_0000000000000\"]}");
    CHECK_ERROR(&r, 422, "unprocessable", "members");
    CHECK_EQ_INT(patch(&r, path, "{\"members\":[]}"), 200);
    CHECK_EQ_INT(json_get(r.j, "members")->count, 0);
    CHECK_EQ_STR(text_of(&r, "name"), "money");
    CHECK_EQ_INT(del(&r, path), 204);
    CHECK_EQ_INT(get(&r, path), 404);
    roof_close(&r);
}

TEST("a channel shows its secret twice: when made and when changed")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(get(&r, "/api/v1/channels?type=web"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1); /* of the first start */
    CHECK_EQ_INT(
        post(&r, "/api/v1/channels", "{\"type\":\"web\",\"name\":\"Shop\"}"),
        201);
    const char *secret = text_of(&r, "secret");
    const char *path = at(&r, "/api/v1/channels/%", text_of(&r, "id"));
    CHECK(strlen(secret) > 40);
    CHECK(json_is(json_get(r.j, "webhook_url"), JSON_NULL));
    CHECK_EQ_INT(get(&r, path), 200);
    CHECK(json_get(r.j, "secret") == NULL);
    CHECK_EQ_STR(text_of(&r, "state"), "active");
    CHECK_EQ_INT(post(&r, at(&r, "%/secret", path), NULL), 200);
    CHECK(strcmp(text_of(&r, "secret"), secret) != 0);
    CHECK_EQ_INT(patch(&r, path, "{\"enabled\":false,\"name\":\"Old\"}"), 200);
    CHECK_EQ_STR(text_of(&r, "state"), "disabled");
    (void)patch(&r, path, "{\"type\":\"email\"}");
    CHECK_ERROR(&r, 422, "unprocessable", "type");
    CHECK_EQ_INT(del(&r, path), 204);
    CHECK_EQ_INT(get(&r, path), 404);
    (void)post(&r, "/api/v1/channels", "{\"type\":\"nonsense\"}");
    CHECK_ERROR(&r, 422, "unprocessable", "type");
    CHECK(memmem(r.a.body.at, r.a.body.len, "web", 3) != NULL);
    CHECK_EQ_INT(get(&r, "/api/v1/channels/types"), 200);
    CHECK(json_get(r.j, "items")->count >= 1);
    roof_close(&r);
}

TEST("a contact is made, changed as a whole, found by words")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/contacts",
                      "{\"name\":\"Anna Li\",\"email\":\"anna@x.cn\","
                      "\"user_id\":\"u-1\",\"tags\":[\"vip\"],"
                      "\"attributes\":{\"plan\":\"pro\"}}"),
                 201);
    const char *path = at(&r, "/api/v1/contacts/%", text_of(&r, "id"));
    CHECK_SLICE(json_text(json_get(r.j, "identities")->first, "user_id"),
                "u-1");
    CHECK_EQ_INT(patch(&r, path,
                       "{\"tier\":\"gold\",\"tags\":[],"
                       "\"phone\":null}"),
                 200);
    CHECK_EQ_INT(get(&r, path), 200);
    CHECK_EQ_STR(text_of(&r, "name"), "Anna Li");
    CHECK_EQ_STR(text_of(&r, "tier"), "gold");
    CHECK_EQ_INT(json_get(r.j, "tags")->count, 0);
    CHECK_SLICE(json_text(json_get(r.j, "attributes"), "plan"), "pro");
    CHECK_EQ_INT(get(&r, "/api/v1/contacts?q=anna"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    CHECK_EQ_INT(get(&r, "/api/v1/contacts?q=bertha"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 9), 0);
    (void)post(&r, "/api/v1/contacts", "{\"user_id\":\"u-1\"}");
    CHECK_ERROR(&r, 409, "conflict", "user_id");
    (void)post(&r, "/api/v1/contacts", "{\"attributes\":[]}");
    CHECK_ERROR(&r, 422, "unprocessable", "attributes");
    CHECK_EQ_INT(get(&r, "/api/v1/contacts/ct_0000000000000"), 404);
    roof_close(&r);
}

TEST("lists are cut into pages that fit together")
{
    struct roof r;
    char name[64], seen[512] = "";
    const char *next = "";
    REQUIRE(roof_open(&r));
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "{\"name\":\"team-%d\"}", i);
        CHECK_EQ_INT(post(&r, "/api/v1/teams", name), 201);
    }
    for (int page = 0; page < 3; page++) {
        CHECK_EQ_INT(get(&r, at(&r, "/api/v1/teams?limit=3&after=%", next)),
                     200);
        CHECK_EQ_INT(json_int(r.j, "total", 0), 7);
        for (struct json *t = json_get(r.j, "items")->first; t; t = t->next) {
            strcat(seen, slice_dup(r.t.arena, json_text(t, "name")).at);
        }
        next = text_of(&r, "next");
    }
    CHECK(json_is(json_get(r.j, "next"), JSON_NULL));
    CHECK_EQ_STR(seen, "team-0team-1team-2team-3team-4team-5team-6");
    CHECK_EQ_INT(get(&r, "/api/v1/teams?limit=1000&offset=5"), 200);
    CHECK_EQ_INT(json_get(r.j, "items")->count, 2);
    CHECK_EQ_INT(get(&r, "/api/v1/teams?q=TEAM-3"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    (void)get(&r, "/api/v1/teams?limit=0");
    CHECK_ERROR(&r, 400, "bad_request", "limit");
    (void)get(&r, "/api/v1/teams?offset=x");
    CHECK_ERROR(&r, 400, "bad_request", "offset");
    (void)get(&r, "/api/v1/teams?after=nonsense");
    CHECK_ERROR(&r, 400, "bad_request", "after");
    roof_close(&r);
}
