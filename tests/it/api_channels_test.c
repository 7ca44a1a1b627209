/* SPDX-License-Identifier: Apache-2.0 */
/* Channels of other types than web: schemas, secrets, what waits for an
 * adapter. */
#include "roof.h"
#include <signal.h>

#define NAMED(r, key) json_text(json_get((r)->j, "config"), key)

static bool body_has(const struct roof *r, const char *text)
{
    return memmem(r->a.body.at, r->a.body.len, text, strlen(text)) != NULL;
}

static const struct json *type_of(struct roof *r, const char *name)
{
    const struct json *items;
    CHECK_EQ_INT(get(r, "/api/v1/channels/types"), 200);
    items = json_get(r->j, "items");
    for (struct json *t = items ? items->first : NULL; t; t = t->next) {
        if (slice_is(json_text(t, "type"), name)) {
            return t;
        }
    }
    return NULL;
}

TEST("the seed's call makes a channel")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channel",
                      "{\"type\":\"weapp\",\"config\":{\"appid\":\"wx123\"}}"),
                 201);
    const char *id = text_of(&r, "id");
    CHECK_EQ_STR(text_of(&r, "type"), "weapp");
    CHECK_EQ_STR(text_of(&r, "status"), "active");
    CHECK_EQ_STR(text_of(&r, "state"), "active");
    CHECK_EQ_STR(text_of(&r, "webhook_url"), at(&r, "/hooks/%", id));
    CHECK_SLICE(NAMED(&r, "appid"), "wx123");
    CHECK(json_get(r.j, "secret") == NULL);
    CHECK_EQ_INT(get(&r, at(&r, "/chat/%/config", id)), 404);
    CHECK_EQ_INT(post(&r, at(&r, "/api/v1/channels/%/secret", id), NULL), 409);
    roof_close(&r);
}

TEST("an app's channel has a secret that signs, apart from those it is given")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channels",
                      "{\"type\":\"app\",\"config\":{\"bundle_id\":\"a.b\","
                      "\"push_url\":\"https://x/p\",\"push_secret\":"
                      "\"hush-1\"}}"),
                 201);
    const char *id = text_of(&r, "id");
    CHECK_EQ_STR(text_of(&r, "state"), "active");
    CHECK(json_is(json_get(r.j, "webhook_url"), JSON_NULL));
    CHECK(json_text(r.j, "secret").len > 20);
    CHECK(!body_has(&r, "hush"));
    CHECK_EQ_INT(get(&r, at(&r, "/chat/%/config", id)), 200);
    CHECK(!body_has(&r, "push_url"));
    CHECK_EQ_INT(post(&r, at(&r, "/api/v1/channels/%/secret", id), NULL), 200);
    CHECK_SLICE(NAMED(&r, "push_secret"), "***"); /* it has stayed */
    CHECK_EQ_INT(post(&r, at(&r, "/hooks/%", id), "{}"), 404);
    roof_close(&r);
}

TEST("every shipped type has a title, a schema and help in two languages")
{
    static const struct {
        const char *name, *state;
    } types[] = {
        {"web", "active"},      {"http", "active"},   {"wechat", "active"},
        {"app", "active"},      {"weapp", "active"},  {"wecom", "active"},
        {"telegram", "active"}, {"douyin", "active"}, {"feishu", "active"},
        {"dingtalk", "active"}, {"email", "active"}};
    struct roof r;
    REQUIRE(roof_open(&r));
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const struct json *t = type_of(&r, types[i].name);
        test_note("%s", types[i].name);
        REQUIRE(t != NULL);
        CHECK(json_text(json_get(t, "title"), "zh").len > 0);
        CHECK(json_text(json_get(t, "title"), "en").len > 0);
        CHECK_SLICE(json_text(t, "state"), types[i].state);
        const struct json *schema = json_get(t, "schema");
        REQUIRE(json_is(schema, JSON_OBJECT) && schema->count > 0);
        for (struct json *f = schema->first; f; f = f->next) {
            CHECK(json_text(f, "type").len > 0);
            CHECK(json_text(json_get(f, "title"), "zh").len > 0);
            CHECK(json_text(json_get(f, "title"), "en").len > 0);
        }
    }
    roof_close(&r);
}

TEST("a setting that is missing or of the wrong type is named")
{
    static const struct {
        const char *body, *field;
    } bad[] = {
        {"{\"type\":\"weapp\"}", "config.appid"},
        {"{\"type\":\"weapp\",\"config\":null}", "config.appid"},
        {"{\"type\":\"weapp\",\"config\":{\"appid\":\"\"}}", "config.appid"},
        {"{\"type\":\"weapp\",\"config\":{\"appid\":1}}", "config.appid"},
        {"{\"type\":\"weapp\",\"config\":{\"appid\":\"w\",\"secret\":[]}}",
         "config.secret"},
        {"{\"type\":\"weapp\",\"config\":{\"appid\":\"w\",\"format\":\"x\"}}",
         "config.format"},
        {"{\"type\":\"email\",\"config\":{\"address\":\"a@b\",\"imap_host\":"
         "\"i\",\"smtp_host\":\"s\",\"imap_port\":\"993\"}}",
         "config.imap_port"},
        {"{\"type\":\"web\",\"config\":{\"title\":{}}}", "config.title"},
        {"{\"type\":\"weapp\",\"config\":[]}", "config"},
        {"{\"type\":\"_new\"}", "type"},
        {"{\"type\":\"../web\"}", "type"},
    };
    struct roof r;
    REQUIRE(roof_open(&r));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)post(&r, "/api/v1/channels", bad[i].body);
        CHECK_ERROR(&r, 422, "unprocessable", bad[i].field);
    }
    roof_close(&r);
}

TEST("a secret goes in and comes out nowhere, also not in the change feed")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channels",
                      "{\"type\":\"weapp\",\"config\":{\"appid\":\"wx1\","
                      "\"secret\":\"hush-1\",\"token\":\"***\","
                      "\"unknown\":\"hush-2\"}}"),
                 201);
    const char *path = at(&r, "/api/v1/channels/%", text_of(&r, "id"));
    CHECK_SLICE(NAMED(&r, "secret"), "***");
    CHECK(json_get(json_get(r.j, "config"), "token") == NULL);
    CHECK(!body_has(&r, "hush"));
    CHECK_EQ_INT(patch(&r, path,
                       "{\"config\":{\"secret\":\"***\",\"appid\":\"wx2\","
                       "\"encoding_aes_key\":\"hush-3\"}}"),
                 200);
    CHECK_SLICE(NAMED(&r, "secret"), "***");
    CHECK_SLICE(NAMED(&r, "appid"), "wx2");
    CHECK_SLICE(NAMED(&r, "encoding_aes_key"), "***");
    (void)patch(&r, path, "{\"config\":{\"appid\":null}}");
    CHECK_ERROR(&r, 422, "unprocessable", "config.appid");
    CHECK_EQ_INT(patch(&r, path, "{\"config\":{\"encoding_aes_key\":\"\"}}"),
                 200);
    CHECK(json_get(json_get(r.j, "config"), "encoding_aes_key") == NULL);
    static const char *const places[] = {"/api/v1/channels?limit=100",
                                         "/api/v1/changes?limit=1000"};
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ_INT(get(&r, places[i]), 200);
        CHECK(body_has(&r, "\"***\""));
        CHECK(!body_has(&r, "hush"));
    }
    REQUIRE(house_kill(&r.t) == 0 && house_start(&r.t) == 0);
    CHECK_EQ_INT(get(&r, path), 200);
    CHECK_SLICE(NAMED(&r, "secret"), "***");
    CHECK_SLICE(NAMED(&r, "appid"), "wx2");
    roof_close(&r);
}

TEST("the same key gives the first answer again, still without the secrets")
{
    static const char key[] = "Idempotency-Key: w-1\r\n";
    static const char body[] = "{\"type\":\"weapp\",\"config\":{\"appid\":"
                               "\"wx1\",\"secret\":\"hush\"}}";
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", key, body), 201);
    struct slice first = r.a.body;
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/channel", key, body), 201);
    CHECK(slice_eq(r.a.body, first));
    CHECK(!body_has(&r, "hush"));
    roof_close(&r);
}

TEST("a page gets the known settings of a web channel and no others")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/channels",
                      "{\"type\":\"web\",\"config\":{\"title\":\"Shop\","
                      "\"color\":\"#102030\",\"password\":\"hush\"}}"),
                 201);
    const char *id = text_of(&r, "id");
    const char *secret = text_of(&r, "secret");
    CHECK(!body_has(&r, "hush"));
    CHECK_EQ_INT(patch(&r, at(&r, "/api/v1/channels/%", id),
                       "{\"config\":{\"greeting\":\"Hi\"}}"),
                 200);
    r.as = "";
    CHECK_EQ_INT(get(&r, at(&r, "/chat/%/config", id)), 200);
    CHECK_SLICE(NAMED(&r, "title"), "Shop");
    CHECK_SLICE(NAMED(&r, "color"), "#102030");
    CHECK_SLICE(NAMED(&r, "greeting"), "Hi");
    CHECK_EQ_INT(json_get(r.j, "config")->count, 3);
    CHECK(!body_has(&r, secret));
    roof_close(&r);
}

TEST("a type is a file: with an adapter it is active, a broken one is left out")
{
    struct roof r;
    roof_make(&r);
    roof_env(&r, "YUELAI_PUBLIC_URL=https://chat.example.com/");
    static const char good[] =
        "return { title = { en = \"Pigeon\" },\n"
        "  schema = { coop = { type = \"string\", required = true } } }\n";
    CHECK(house_write(&r.t, SLICE("channels/pigeon/schema.lua"),
                      slice_of(good)) == 0);
    CHECK(house_write(&r.t, SLICE("channels/pigeon/adapter.lua"),
                      SLICE("return {}\n")) == 0);
    CHECK(house_write(&r.t, SLICE("channels/raven/schema.lua"),
                      SLICE("return {")) == 0);
    CHECK(house_write(&r.t, SLICE("channels/smoke/schema.lua"),
                      SLICE("return { schema = { a = { type = 1 } } }")) == 0);
    REQUIRE(roof_start(&r));
    CHECK(type_of(&r, "raven") == NULL);
    CHECK(type_of(&r, "smoke") == NULL);
    CHECK(type_of(&r, "weapp") != NULL);
    CHECK_EQ_INT(post(&r, "/api/v1/channels",
                      "{\"type\":\"pigeon\",\"config\":{\"coop\":\"9\"}}"),
                 201);
    const char *path = at(&r, "/api/v1/channels/%", text_of(&r, "id"));
    CHECK_EQ_STR(text_of(&r, "name"), "Pigeon");
    CHECK_EQ_STR(text_of(&r, "state"), "active");
    CHECK_EQ_STR(text_of(&r, "webhook_url"),
                 at(&r, "https://chat.example.com/hooks/%", text_of(&r, "id")));
    CHECK_EQ_INT(patch(&r, path, "{\"enabled\":false}"), 200);
    CHECK_EQ_STR(text_of(&r, "state"), "disabled");
    CHECK_SLICE(NAMED(&r, "coop"), "9");
    roof_close(&r);
}

TEST("SIGHUP reads the schemas again")
{
    struct roof r;
    const struct json *t = NULL;
    REQUIRE(roof_open(&r));
    CHECK(type_of(&r, "owl") == NULL);
    CHECK(house_write(&r.t, SLICE("channels/owl/schema.lua"),
                      SLICE("return { schema = {} }\n")) == 0);
    REQUIRE(kill(r.t.pid, SIGHUP) == 0);
    for (int64_t until = clock_ms() + test_patience(0);
         !t && clock_ms() < until;) {
        t = type_of(&r, "owl");
    }
    REQUIRE(t != NULL);
    CHECK(json_is(json_get(t, "schema"), JSON_OBJECT));
    roof_close(&r);
}
