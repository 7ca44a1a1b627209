/* SPDX-License-Identifier: Apache-2.0 */
/* http.* of scripts: what is asked of the house, and what comes back. */
#include "fake.h"

static void asks(const char *call, const char *want)
{
    struct fake f = {0};
    char body[3000];
    snprintf(body, sizeof body, "conv:reply(http.%s.body)", call);
    const char *got = fake_reply(&f, "", body);
    if (strcmp(got, want) != 0)
        FAIL("http.%s\n  asks %s\n  not %s", call, got, want);
}

static void raises(const char *call, const char *want)
{
    struct fake f = {0};
    char body[3000];
    snprintf(body, sizeof body, "http.%s", call);
    const char *got = fake_reply(&f, "", body);
    if (strncmp(got, "ERROR: ", 7) != 0 || !strstr(got, want))
        FAIL("http.%s\n  gives %s\n  not %s", call, got, want);
    CHECK_EQ_INT(f.https, 0);
}

TEST("each method is asked for by its name, with a url or a table")
{
    asks("get 'http://a/b'", "GET http://a/b\n\n");
    asks("get { 'http://a/b' }", "GET http://a/b\n\n");
    asks("put { url = 'https://a/b', body = 'x' }", "PUT https://a/b\n\nx");
    asks("post { 'http://a' }", "POST http://a\n\n");
    asks("patch { 'http://a' }", "PATCH http://a\n\n");
    asks("delete 'http://a'", "DELETE http://a\n\n");
    asks("head 'http://a'", "HEAD http://a\n\n");
    asks("request { 'http://a', method = 'OPTIONS' }", "OPTIONS http://a\n\n");
    asks("request { 'http://a' }", "GET http://a\n\n");
}

TEST("a query is escaped and appended behind what is there")
{
    asks("get { 'http://a/b', query = { q = '退 &=' } }",
         "GET http://a/b?q=%E9%80%80%20%26%3D\n\n");
    asks("get { 'http://a/b?x=1', query = { n = 7 } }",
         "GET http://a/b?x=1&n=7\n\n");
    asks("get { 'http://a', query = { ok = true } }",
         "GET http://a?ok=true\n\n");
}

TEST("a body is text, JSON, a form or parts")
{
    asks("post { 'http://a', json = { n = 1 } }",
         "POST http://a\ncontent-type: application/json\n\n{\"n\":1}");
    asks("post { 'http://a', form = { a = 'b c' } }",
         "POST http://a\ncontent-type: application/x-www-form-urlencoded\n\n"
         "a=b%20c");
    asks("post { 'http://a', json = {1}, headers = { ['Content-Type'] = "
         "'x/y' } }",
         "POST http://a\nContent-Type: x/y\n\n[1]");
}

TEST("parts have names, files their types, and the edge is nobody's text")
{
    struct fake f = {0};
    const char *got = fake_reply(
        &f, "",
        "local r = http.post { 'http://a', multipart = {\n"
        "  { name = 'media', filename = 'a.png', type = 'image/png',\n"
        "    data = 'bytes' } } }\n"
        "conv:reply((r.body:gsub('yuelai%-[0-9a-f]+', 'EDGE')))");
    CHECK_EQ_STR(
        got, "POST http://a\n"
             "content-type: multipart/form-data; boundary=EDGE\n\n"
             "--EDGE\r\nContent-Disposition: form-data; name=\"media\"; "
             "filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\nbytes\r\n"
             "--EDGE--\r\n");
    f = (struct fake){0};
    got =
        fake_reply(&f, "",
                   "local r = http.post { 'http://a', multipart = { note = "
                   "'hi' } }\n"
                   "conv:reply(tostring(r.body:find('name=\"note\"\\r\\n\\r\\n"
                   "hi\\r\\n', 1, true) ~= nil))");
    CHECK_EQ_STR(got, "true");
}

TEST("auth is a bearer's token or a name and a password")
{
    asks("get { 'http://a', auth = { bearer = 'tok' } }",
         "GET http://a\nauthorization: Bearer tok\n\n");
    asks("get { 'http://a', auth = { user = 'Aladdin', password = 'open "
         "sesame' } }",
         "GET http://a\nauthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\n\n");
    raises("get { 'http://a', auth = {} }", "auth must be");
}

TEST("secrets go into headers, query, form, auth and body, and nowhere else")
{
    struct fake f = {0};
    const char *got =
        fake_reply(&f, "local key = secret.hide 'k3y'",
                   "local r = http.post { 'http://a', query = { q = key },\n"
                   "  headers = { ['x-key'] = key }, form = { f = key } }\n"
                   "conv:reply(r.body)");
    CHECK_EQ_STR(got, "POST http://a?q=k3y\nx-key: k3y\ncontent-type: "
                      "application/x-www-form-urlencoded\n\nf=k3y");
    f = (struct fake){0};
    got = fake_reply(&f, "local key = secret.hide 'k3y'",
                     "local r = http.get { 'http://a', auth = { bearer = "
                     "secret.join(key, '!') } }\nconv:reply(r.body)");
    CHECK_EQ_STR(got, "GET http://a\nauthorization: Bearer k3y!\n\n");
}

TEST("what makes no sense is raised, naming the field, and nothing is asked")
{
    raises("get { 'http://a', timeuot = '3s' }", "unknown field 'timeuot'");
    raises("get { 'ftp://a' }", "must begin with http://");
    raises("get { 'http://a b' }", "blanks");
    raises("get { 'http://a', timeout = '3' }", "timeout must be a duration");
    raises("get { 'http://a', timeout = '31s' }", "at most 30s");
    raises("get { 'http://a', method = 'POST' }", "method belongs to");
    raises("request { 'http://a', method = 'get' }", "capitals");
    raises("post { 'http://a', json = 1, body = 'x' }", "not both");
    raises("post { 'http://a', json = print }", "functions");
    raises("get { 'http://a', headers = { x = 'a\\nb' } }", "one line");
    raises("get { 'http://a', headers = { ['x y'] = 'a' } }", "one line");
    raises("get { 'http://a', follow = 6 }", "from 0 to 5");
    raises("put { 'http://a', follow = 1 }", "only GET, HEAD and POST");
    raises("get { 'http://a', max_bytes = '9MB' }", "max_bytes must be a size");
    raises("get { 'http://a', first_timeout = '1s' }", "http.stream");
    raises("post { 'http://a', multipart = { { data = 'x' } } }", "a name");
    raises("post { 'http://a', multipart = { { name = 'a\"', data = 'x' } } }",
           "quotes");
    raises("get()", "10-a.lua:3: http wants a url or a table, not nil");
}

TEST("the limits of a call go with it")
{
    struct fake f = {0};
    fake_reply(&f, "",
               "http.get { 'http://a', timeout = '3s', connect_timeout = "
               "'500ms', max_bytes = '2MB', follow = 2 }");
    CHECK_EQ_INT(f.last_ms, 3000);
    CHECK_EQ_INT(f.connect_ms, 500);
    CHECK_EQ_INT(f.body_max, 2 * 1024 * 1024);
    CHECK_EQ_INT(f.follow, 2);
    f = (struct fake){0};
    fake_reply(&f, "", "http.get 'http://a'");
    CHECK_EQ_INT(f.last_ms, 10000);
    CHECK_EQ_INT(f.body_max, LIMIT_HTTP_BODY);
    CHECK_EQ_INT(f.follow, 0);
}

TEST("an answer has status, ok, headers, body and, when asked for, json")
{
    struct fake f = {.status = 404,
                     .headers = "a: 1\na: 2\nset-cookie: x\nset-cookie: y\n",
                     .body = "{\"n\":24283910293847123}"};
    CHECK_EQ_STR(fake_reply(&f, "",
                            "local r = http.get 'http://a'\n"
                            "conv:reply(r.status .. tostring(r.ok) .. "
                            "r.headers.a .. r.headers['set-cookie'] .. "
                            "r.json.n)"),
                 "404false1, 2x\ny24283910293847123");
    f = (struct fake){.body = "no json"};
    CHECK_EQ_STR(fake_reply(&f, "",
                            "local r = http.get 'http://a'\n"
                            "conv:reply(tostring(r.json) .. tostring(r.ok))"),
                 "niltrue");
}

TEST("no answer is nil, code and detail")
{
    static const struct {
        int result;
        const char *code;
    } cases[] = {{ERR_UNAVAILABLE, "unavailable"},
                 {ERR_TIMEOUT, "timeout"},
                 {ERR_TOOBIG, "too_large"},
                 {ERR_RATE_LIMITED, "rate_limited"}};
    for (int i = 0; i < 4; i++) {
        struct fake f = {.result = cases[i].result, .why = "the breaker"};
        char want[100];
        snprintf(want, sizeof want, "nil %s the breaker", cases[i].code);
        CHECK_EQ_STR(
            fake_reply(&f, "",
                       "local r, code, detail = http.get 'http://a'\n"
                       "conv:reply(tostring(r) .. ' ' .. code .. ' ' .. "
                       "detail)"),
            want);
    }
}

TEST("a handler has a budget of calls; past it they say rate_limited")
{
    struct fake f = {0};
    const char *got = fake_reply(
        &f, "",
        "local n = 0\n"
        "for i = 1, 100 do\n"
        "  local r, code, detail = http.get 'http://a'\n"
        "  if not r then conv:reply(n .. code .. detail) return end\n"
        "  n = n + 1\n"
        "end");
    char want[30];
    snprintf(want, sizeof want, "%drate_limited", f.https);
    CHECK(f.https > 0 && f.https < 100);
    CHECK(strncmp(got, want, strlen(want)) == 0);
    CHECK(strstr(got, "all the http calls") != NULL);
}

TEST("calls belong into handlers")
{
    struct fake f = {0};
    struct arena *a = arena_new();
    fake_with(&f, "http.get 'http://a'", "");
    CHECK(contains(world_error(&f.w, a, "rules/10-a"),
                   "http.get may only be called in a handler"));
    world_close(&f.w);
    arena_free(a);
}

TEST("ai.ask and kb.search pass on what was said")
{
    struct fake f = {.body = "{\"text\":\"hi\"}"};
    CHECK_EQ_STR(fake_reply(&f, "",
                            "conv:reply(ai.ask { assistant = 'a', prompt = "
                            "'p' }.text)"),
                 "hi");
    CHECK(strncmp(f.asked, "a {", 3) == 0);
    CHECK(strstr(f.asked, "\"prompt\":\"p\"") != NULL);
    f = (struct fake){.body = "[{\"text\":\"x\"}]"};
    CHECK_EQ_STR(
        fake_reply(&f, "", "conv:reply(kb.search('q', { limit = 3 })[1].text)"),
        "x");
    CHECK_EQ_STR(f.asked, "q {\"limit\":3}");
    f = (struct fake){.result = ERR_UNAVAILABLE, .why = "none"};
    CHECK_EQ_STR(fake_reply(&f, "",
                            "local r, code, detail = ai.ask 'p'\n"
                            "conv:reply(tostring(r) .. code .. detail)"),
                 "nilunavailablenone");
    f = (struct fake){0};
    CHECK(strstr(fake_reply(&f, "", "ai.ask {}"), "prompt or messages"));
    f = (struct fake){0};
    CHECK(strstr(fake_reply(&f, "", "kb.search('q', { limit = 0 })"), "limit"));
}
