/* SPDX-License-Identifier: Apache-2.0 */
/* The router, errors, Idempotency-Key, and what the API says of itself. */
#include "app/api/api.h"
/* api.h before roof.h: names of the tests' own */
#include "roof.h"
#include <sys/wait.h>

TEST("an unknown path is 404, a known one with another method 405")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    (void)get(&r, "/api/v1/nothing");
    CHECK_ERROR(&r, 404, "not_found", "");
    (void)get(&r, "/api/v1/agents/");
    CHECK_ERROR(&r, 404, "not_found", "");
    (void)get(&r, "/api/v1/agents/a/b");
    CHECK_ERROR(&r, 404, "not_found", "");
    (void)roof_call(&r, "PUT", "/api/v1/agents", NULL, "{}");
    CHECK_ERROR(&r, 405, "bad_request", "");
    CHECK(head_has(&r, "Allow: GET, POST\r\n"));
    CHECK_EQ_INT(roof_call(&r, "OPTIONS", "/api/v1/agents", NULL, NULL), 204);
    static const char *const kinds[] = {"agents", "channels", "contacts",
                                        "teams",  "tokens",   "conversations"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *base = at(&r, "/api/v1/%", kinds[i]);
        (void)get(&r, at(&r, "%/nonsense", base));
        CHECK_ERROR(&r, 404, "not_found", "");
        (void)get(&r, at(&r, "%/cv_0000000000000", base));
        CHECK_ERROR(&r, 404, "not_found", "");
    }
    roof_close(&r);
}

TEST("a body that is no JSON object is told so")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    (void)post(&r, "/api/v1/teams", "{\"name\":");
    CHECK_ERROR(&r, 400, "bad_request", "");
    (void)post(&r, "/api/v1/teams", "[]");
    CHECK_ERROR(&r, 422, "unprocessable", "");
    (void)post(&r, "/api/v1/teams", "");
    CHECK_ERROR(&r, 422, "unprocessable", "name");
    (void)post(&r, "/api/v1/teams", "{\"name\":null}");
    CHECK_ERROR(&r, 422, "unprocessable", "name");
    (void)post(&r, "/api/v1/teams", "{\"name\":\"\\ud800\"}");
    CHECK_ERROR(&r, 400, "bad_request", "");
    (void)post(&r, "/api/v1/teams",
               "{\xe2\x80\x9cname\xe2\x80\x9d:\xe2\x80\x9cx\xe2\x80\x9d}");
    CHECK_ERROR(&r, 400, "bad_request", "");
    CHECK(memmem(r.a.body.at, r.a.body.len, "typographic", 11) != NULL);
    CHECK_EQ_INT(roof_call(&r, "POST", "/api/v1/teams",
                           "Content-Type: application/x-www-form-urlencoded"
                           "\r\n",
                           "{\"name\":\"from curl -d\"}"),
                 201);
    roof_close(&r);
}

TEST("the same Idempotency-Key and body give the first answer")
{
    static const char key[] = "Idempotency-Key: k-1\r\n";
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(
        roof_call(&r, "POST", "/api/v1/teams", key, "{\"name\":\"a\"}"), 201);
    struct slice first = r.a.body;
    CHECK_EQ_INT(
        roof_call(&r, "POST", "/api/v1/teams", key, "{\"name\":\"a\"}"), 201);
    CHECK(slice_eq(r.a.body, first));
    CHECK(head_has(&r, "Idempotent-Replayed: true"));
    (void)roof_call(&r, "POST", "/api/v1/teams", key, "{\"name\":\"b\"}");
    CHECK_ERROR(&r, 409, "conflict", "Idempotency-Key");
    (void)roof_call(&r, "POST", "/api/v1/contacts", key, "{\"name\":\"a\"}");
    CHECK_ERROR(&r, 409, "conflict", "Idempotency-Key");
    REQUIRE(house_kill(&r.t) == 0 && house_start(&r.t) == 0);
    CHECK_EQ_INT(
        roof_call(&r, "POST", "/api/v1/teams", key, "{\"name\":\"a\"}"), 201);
    CHECK(slice_eq(r.a.body, first));
    CHECK_EQ_INT(get(&r, "/api/v1/teams"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    r.as = make_agent(&r, "two@example.com", "admin", NULL);
    CHECK_EQ_INT(
        roof_call(&r, "POST", "/api/v1/teams", key, "{\"name\":\"c\"}"),
        201); /* keys are one's own */
    roof_close(&r);
}

TEST("a failed call may be tried again with its key")
{
    static const char key[] = "Idempotency-Key: k-2\r\n";
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(post(&r, "/api/v1/teams", "{\"name\":\"a\"}"), 201);
    const char *path = at(&r, "/api/v1/teams/%", text_of(&r, "id"));
    CHECK_EQ_INT(
        roof_call(&r, "POST", "/api/v1/teams", key, "{\"name\":\"a\"}"), 409);
    CHECK_EQ_INT(del(&r, path), 204);
    CHECK_EQ_INT(
        roof_call(&r, "POST", "/api/v1/teams", key, "{\"name\":\"a\"}"), 201);
    roof_close(&r);
}

TEST("a replayed token has its text although no table does")
{
    static const char key[] = "Idempotency-Key: k-3\r\n";
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(
        roof_call(&r, "POST", "/api/v1/tokens", key, "{\"name\":\"ci\"}"), 201);
    struct slice first = r.a.body;
    struct slice text = json_text(r.j, "token");
    CHECK_EQ_INT(
        roof_call(&r, "POST", "/api/v1/tokens", key, "{\"name\":\"ci\"}"), 201);
    CHECK(slice_eq(r.a.body, first));
    REQUIRE(house_stop(&r.t) == 0);
    const char *look =
        talk_fmt(&r.t, "grep -rqaF '%.*s' %s", SLICE_FMT(text), r.t.data).at;
    int found = system(look);
    CHECK(WIFEXITED(found) && WEXITSTATUS(found) == 1); /* nowhere */
    REQUIRE(house_start(&r.t) == 0);
    roof_close(&r);
}

static const struct json *method_of(const struct json *path, const char *method)
{
    char lower[16];
    snprintf(lower, sizeof lower, "%s", method);
    for (char *p = lower; *p; p++) {
        *p = (char)(*p | 32);
    }
    return json_get(path, lower);
}

TEST("openapi.json has every route and nothing else")
{
    struct roof r;
    size_t routes = 0, told = 0;
    REQUIRE(roof_open(&r));
    r.as = "";
    CHECK_EQ_INT(get(&r, "/api/v1/openapi.json"), 200);
    const struct json *paths = json_get(r.j, "paths");
    for (size_t i = 0; all_routes[i]; i++) {
        for (const struct route *x = all_routes[i]; x->method; x++) {
            test_note("%s %s", x->method, x->path);
            const struct json *m =
                method_of(json_get(paths, x->path), x->method);
            CHECK(json_is(m, JSON_OBJECT));
            CHECK(json_text(m, "summary").len > 0);
            CHECK(json_get(json_get(m, "responses"), "default") != NULL);
            routes++;
        }
    }
    REQUIRE(paths != NULL);
    for (const struct json *p = paths->first; p; p = p->next) {
        told += p->count;
    }
    CHECK_EQ_INT(told, routes);
    roof_close(&r);
}

/* Every "$ref" leads to a schema. */
static void check_refs(struct roof *r, const struct json *v,
                       const struct json *schemas)
{
    const struct json *ref = json_get(v, "$ref");
    if (json_is(ref, JSON_STRING) &&
        slice_starts(ref->text, "#/components/schemas/")) {
        struct slice name = {ref->text.at + 21, ref->text.len - 21};
        test_note("%.*s", SLICE_FMT(ref->text));
        CHECK(json_get(schemas, slice_dup(r->t.arena, name).at) != NULL);
    }
    if (json_is(v, JSON_OBJECT) || json_is(v, JSON_ARRAY)) {
        for (const struct json *c = v->first; c; c = c->next) {
            check_refs(r, c, schemas);
        }
    }
}

TEST("openapi.json's references lead to schemas")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    CHECK_EQ_INT(get(&r, "/api/v1/openapi.json"), 200);
    check_refs(&r, r.j, json_get(json_get(r.j, "components"), "schemas"));
    roof_close(&r);
}

TEST("/healthz, /readyz and /metrics answer everybody")
{
    struct roof r;
    size_t names = 0;
    REQUIRE(roof_open(&r));
    r.as = "";
    CHECK_EQ_INT(get(&r, "/healthz"), 200);
    CHECK_EQ_INT(get(&r, "/readyz"), 200);
    CHECK_EQ_STR(text_of(&r, "status"), "ready");
    CHECK_EQ_INT(roof_call(&r, "POST", "/readyz", NULL, "{}"), 405);
    CHECK_EQ_INT(get(&r, "/metrics"), 200);
    struct slice all = slice_dup(r.t.arena, r.a.body);
    for (const char *p = all.at; (p = strstr(p, "# TYPE ")) != NULL; p++) {
        names++;
        char line[128];
        size_t n = strcspn(p, "\n");
        snprintf(line, sizeof line, "%.*s\n", (int)n, p);
        test_note("told twice: %s", line);
        CHECK(strstr(p + 1, line) == NULL);
    }
    test_note("families");
    CHECK(names >= 40);
    CHECK(strstr(all.at, "\nprocess_resident_memory_bytes ") != NULL);
    CHECK(strstr(all.at, "\nyuelai_ready 1\n") != NULL);
    roof_close(&r);
}

TEST("a script that is broken at the first start is told, and nothing stops")
{
    struct roof r;
    roof_make(&r);
    CHECK(house_write(&r.t, SLICE("scripts/rules/10-broken.lua"),
                      SLICE("return {\n  on_message = function(\n")) == 0);
    REQUIRE(roof_start(&r));
    CHECK_EQ_INT(get(&r, "/readyz"), 200);
    CHECK_EQ_STR(text_of(&r, "scripts"), "broken");
    CHECK(json_get(r.j, "errors")->count == 1);
    CHECK(memmem(r.a.body.at, r.a.body.len, "10-broken.lua", 13) != NULL);
    CHECK_EQ_INT(get(&r, "/api/v1/scripts?limit=100"), 200);
    CHECK(memmem(r.a.body.at, r.a.body.len, "rules/10-broken", 15) != NULL);
    roof_close(&r);
}

TEST("the last good version of a script serves after a restart")
{
    struct roof r;
    static const char good[] =
        "return { api = 1, priority = 1,\n"
        "  on_message = function(conv, msg) conv:reply(\"good\") end }\n";
    roof_make(&r);
    CHECK(house_write(&r.t, SLICE("scripts/rules/10-it.lua"), slice_of(good)) ==
          0);
    REQUIRE(roof_start(&r));
    CHECK_EQ_INT(get(&r, "/readyz"), 200);
    CHECK_EQ_STR(text_of(&r, "scripts"), "ok");
    REQUIRE(house_stop(&r.t) == 0);
    CHECK(house_write(&r.t, SLICE("scripts/rules/10-it.lua"),
                      SLICE("return {")) == 0);
    REQUIRE(house_start(&r.t) == 0);
    CHECK_EQ_INT(get(&r, "/readyz"), 200);
    CHECK_EQ_STR(text_of(&r, "scripts"), "broken");
    CHECK(play(&r, "anna connects on webchat"));
    CHECK(play(&r, "anna says \"hello\""));
    CHECK(play(&r, "anna sees text = \"good\" from bot"));
    roof_close(&r);
}

/* "/api/v1/agents/{id}" with something in the hole. */
static const char *filled(struct roof *r, const char *path, const char *with)
{
    const char *open = strchr(path, '{');
    const char *close = open ? strchr(open, '}') : NULL;
    if (!close) {
        return path;
    }
    return talk_fmt(&r->t, "%.*s%s%s", (int)(open - path), path, with,
                    close + 1)
        .at;
}

TEST("no value of any field of any route is a server's error")
{
    static const char *const values[] = {
        "null",
        "true",
        "-1",
        "1e400",
        "9223372036854775807",
        "1.5",
        "\"\"",
        "\"\\u0000\"",
        "\"cv_0000000000001\"",
        "[]",
        "[[]]",
        "[null,1,{}]",
        "{}",
        "{\"a\":{\"b\":[]}}",
    };
    struct roof r;
    REQUIRE(roof_open(&r));
    for (size_t i = 0; all_routes[i]; i++) {
        for (const struct route *x = all_routes[i]; x->method; x++) {
            const char *path = filled(&r, x->path, "cv_0000000000001");
            for (const struct field *f = x->in; f && f->name; f++) {
                for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
                    const char *body =
                        talk_fmt(&r.t, "{\"%s\":%s}", f->name, values[v]).at;
                    int status = roof_call(&r, x->method, path, NULL, body);
                    CHECK(status >= 200 && status < 500);
                }
            }
        }
    }
    CHECK_EQ_INT(get(&r, "/readyz"), 200);
    roof_close(&r);
}

TEST("an error that quotes a long text is still UTF-8")
{
    struct roof r;
    char body[600] = "{\"name\":\"t\",\"members\":[\"x";
    REQUIRE(roof_open(&r));
    for (int i = 0; i < 15; i++) {
        strcat(body, "\xe6\x82\xa6"); /* 40 bytes end inside of one */
    }
    strcat(body, "\"]}");
    (void)post(&r, "/api/v1/teams", body);
    CHECK_ERROR(&r, 422, "unprocessable", "members");
    CHECK(slice_is_utf8(r.a.body));
    roof_close(&r);
}

TEST("no path and no query is a server's error")
{
    static const char *const holes[] = {
        "%00",
        "%ff%fe",
        "..",
        "%2e%2e%2f",
        "cv_zzzzzzzzzzzzz",
        "cv_",
        "ag_0000000000001",
        "%F0%9F%98%80",
        "a%20b",
        "-1",
    };
    static const char *const queries[] = {
        "limit=-1",
        "limit=99999999999999999999",
        "offset=4294967296",
        "after=o99999999999",
        "after=%00",
        "before=4294967296",
        "before=0",
        "q=%25%5f%27%22;--",
        "q=%ff",
        "q=",
        "&&==&",
        "state=%00",
        "after=7zzzzzzzzzzzz7zzzzzzzzzzzz",
        "wait_ms=-5",
    };
    struct roof r;
    REQUIRE(roof_open(&r));
    for (size_t i = 0; all_routes[i]; i++) {
        for (const struct route *x = all_routes[i]; x->method; x++) {
            if (strcmp(x->method, "GET") != 0) {
                continue;
            }
            for (size_t k = 0; k < sizeof holes / sizeof holes[0]; k++) {
                int status = get(&r, filled(&r, x->path, holes[k]));
                CHECK(status >= 200 && status < 500);
            }
            for (size_t k = 0; k < sizeof queries / sizeof queries[0]; k++) {
                int status =
                    get(&r, talk_fmt(&r.t, "%s?%s", filled(&r, x->path, "x"),
                                     queries[k])
                                .at);
                CHECK(status >= 200 && status < 500);
            }
        }
    }
    CHECK_EQ_INT(get(&r, "/readyz"), 200);
    roof_close(&r);
}
