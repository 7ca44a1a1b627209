/* SPDX-License-Identifier: Apache-2.0 */
/* api_scripts_test.c - scripts by REST, by the local socket and by `yuelai
 * script`: versions, reload, roll back, canary, on and off. */
#include "roof.h"
#include <sys/stat.h>

#define RULE "/api/v1/scripts/rules/20-x"
#define SAYS(text)                                                             \
    "return { api = 1, on_message = function(conv) conv:reply '" text "' end " \
    "}"
#define TRIES(text)                                                            \
    "return { api = 1, canary = 50, on_message = function(conv) conv:reply "   \
    "'" text "' end }"

static void write_rule(struct roof *r, const char *text)
{
    CHECK_EQ_INT(
        house_write(&r->t, SLICE("scripts/rules/20-x.lua"), slice_of(text)), 0);
}

/* Until the watcher has seen it; reload would do as well, but says so. */
static bool reload(struct roof *r)
{
    return CHECK_EQ_INT(post(r, RULE "/reload", NULL), 200);
}

static bool begin(struct roof *r)
{
    roof_make(r);
    write_rule(r, SAYS("one"));
    return roof_start(r);
}

static const char *version_of(struct roof *r)
{
    CHECK_EQ_INT(get(r, RULE), 200);
    return text_of(r, "version");
}

TEST("a script, its versions and their sources")
{
    struct roof r;
    REQUIRE(begin(&r));
    const char *first = version_of(&r);
    CHECK_SLICE(json_text(r.j, "name"), "rules/20-x");
    CHECK_SLICE(json_text(r.j, "state"), "serving");
    write_rule(&r, SAYS("two"));
    reload(&r);
    const char *second = text_of(&r, "version");
    CHECK(strcmp(first, second) != 0);
    CHECK_EQ_INT(get(&r, RULE "/versions"), 200);
    const struct json *items = json_get(r.j, "items");
    REQUIRE(items && items->count == 2);
    CHECK_SLICE(json_text(items->first, "version"), second);
    CHECK_SLICE(json_text(items->first, "state"), "serving");
    CHECK_SLICE(json_text(items->first->next, "version"), first);
    CHECK_SLICE(json_text(items->first->next, "state"), "old");
    CHECK_EQ_INT(get(&r, at(&r, RULE "/versions/%", first)), 200);
    const struct json *source = json_get(r.j, "sources")->first;
    CHECK_SLICE(json_text(source, "name"), "rules/20-x");
    CHECK_SLICE(json_text(source, "text"), SAYS("one"));
    CHECK_EQ_INT(get(&r, "/api/v1/scripts/rules/never:was/versions"), 404);
    get(&r, RULE "/versions/0123456789ab");
    CHECK_ERROR(&r, 404, "not_found", "");
    get(&r, "/api/v1/scripts/rules/none");
    CHECK_ERROR(&r, 404, "not_found", "");
    roof_close(&r);
}

TEST("a colon in a name stands for a slash")
{
    struct roof r;
    char folder[200];
    roof_make(&r);
    snprintf(folder, sizeof folder, "%s/scripts/rules/shop", r.t.home);
    mkdir(folder, 0755);
    CHECK_EQ_INT(house_write(&r.t, SLICE("scripts/rules/shop/refund.lua"),
                             SLICE(SAYS("x"))),
                 0);
    REQUIRE(roof_start(&r));
    CHECK_EQ_INT(get(&r, "/api/v1/scripts/rules/shop:refund"), 200);
    CHECK_SLICE(json_text(r.j, "name"), "rules/shop/refund");
    CHECK_EQ_INT(post(&r, "/api/v1/scripts/rules/shop:refund/reload", NULL),
                 200);
    roof_close(&r);
}

TEST("rolled back by REST it stays so over a restart, and the audit knows who")
{
    struct roof r;
    REQUIRE(begin(&r));
    const char *first = version_of(&r);
    post(&r, RULE "/rollback", NULL);
    CHECK_ERROR(&r, 409, "conflict", "");
    write_rule(&r, SAYS("two"));
    reload(&r);
    const char *second = text_of(&r, "version");
    CHECK_EQ_INT(post(&r, RULE "/rollback", "{}"), 200);
    CHECK_SLICE(json_text(r.j, "version"), first);
    CHECK_SLICE(json_text(r.j, "state"), "rolled_back");
    post(&r, RULE "/reload", NULL);
    CHECK_ERROR(&r, 409, "conflict", "");
    CHECK_EQ_INT(house_stop(&r.t), 0);
    REQUIRE(roof_start(&r));
    CHECK_EQ_STR(version_of(&r), first);
    CHECK_SLICE(json_text(r.j, "state"), "rolled_back");
    CHECK_EQ_INT(get(&r, "/api/v1/audit?what=script.rollback"), 200);
    const struct json *row = json_get(r.j, "items")->first;
    REQUIRE(row != NULL);
    CHECK_SLICE(json_text(row, "about"), "rules/20-x");
    CHECK_SLICE(json_text(json_get(row, "data"), "version"), first);
    CHECK(json_text(row, "agent").len > 0);
    CHECK_EQ_INT(post(&r, RULE "/rollback",
                      talk_fmt(&r.t, "{\"version\":\"%s\"}", second).at),
                 200);
    CHECK_SLICE(json_text(r.j, "state"), "serving");
    CHECK_SLICE(json_text(r.j, "version"), second);
    post(&r, RULE "/rollback", "{\"version\":\"0123456789ab\"}");
    CHECK_ERROR(&r, 404, "not_found", "");
    roof_close(&r);
}

TEST("a file that does not load is told with file and line")
{
    struct roof r;
    REQUIRE(begin(&r));
    write_rule(&r, "return {\n  api = = 1 }");
    post(&r, RULE "/reload", NULL);
    CHECK_ERROR(&r, 422, "unprocessable", "file");
    CHECK(json_text(json_get(r.j, "error"), "message").len &&
          strstr(
              slice_dup(r.t.arena, json_text(json_get(r.j, "error"), "message"))
                  .at,
              "scripts/rules/20-x.lua:2: ") != NULL);
    CHECK_EQ_INT(get(&r, RULE), 200);
    CHECK_SLICE(json_text(r.j, "state"), "last_good");
    roof_close(&r);
}

TEST("a canary is promoted or aborted by command")
{
    struct roof r;
    REQUIRE(begin(&r));
    post(&r, RULE "/promote", NULL);
    CHECK_ERROR(&r, 409, "conflict", "");
    write_rule(&r, TRIES("two"));
    reload(&r);
    const struct json *canary = json_get(r.j, "canary");
    CHECK_EQ_INT(json_int(canary, "share", 0), 50);
    CHECK_EQ_INT(json_int(canary, "conversations", 0), 200);
    const char *tried = slice_dup(r.t.arena, json_text(canary, "version")).at;
    CHECK_EQ_INT(house_kill(&r.t), 0); /* not even a good-bye */
    REQUIRE(roof_start(&r));
    CHECK_EQ_INT(get(&r, RULE), 200);
    CHECK_SLICE(json_text(json_get(r.j, "canary"), "version"), tried);
    CHECK_EQ_INT(post(&r, RULE "/promote", NULL), 200);
    CHECK_SLICE(json_text(r.j, "version"), tried);
    CHECK(json_is(json_get(r.j, "canary"), JSON_NULL));
    write_rule(&r, TRIES("three"));
    reload(&r);
    CHECK_EQ_INT(post(&r, RULE "/abort", NULL), 200);
    CHECK_SLICE(json_text(r.j, "version"), tried);
    CHECK_SLICE(json_text(r.j, "state"), "rolled_back");
    roof_close(&r);
}

TEST("switched off and on; agents may look but not touch")
{
    struct roof r;
    REQUIRE(begin(&r));
    CHECK_EQ_INT(post(&r, RULE "/disable", NULL), 200);
    CHECK_SLICE(json_text(r.j, "state"), "off");
    CHECK_EQ_INT(post(&r, RULE "/enable", NULL), 200);
    CHECK_SLICE(json_text(r.j, "state"), "serving");
    r.as = make_agent(&r, "bo@example.com", "agent", NULL);
    CHECK_EQ_INT(get(&r, RULE), 200);
    post(&r, RULE "/disable", NULL);
    CHECK_ERROR(&r, 403, "forbidden", "");
    roof_close(&r);
}

/* Runs the program; its output, and the exit code in *code. */
static const char *command(struct roof *r, int *code, const char *words)
{
    static char out[65536];
    char line[1024];
    snprintf(line, sizeof line, "%s script %s --data %s --home %s 2>&1",
             r->t.program, words, r->t.data, r->t.home);
    FILE *p = popen(line, "r");
    size_t n = p ? fread(out, 1, sizeof out - 1, p) : 0;
    out[n] = 0;
    int status = p ? pclose(p) : -1;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    test_note("%s: %s", words, out);
    return out;
}

TEST("yuelai script speaks with the running server, as the machine's user")
{
    struct roof r;
    int code;
    char words[100], path[200];
    struct stat st;
    REQUIRE(begin(&r));
    snprintf(path, sizeof path, "%s/yuelai.sock", r.t.data);
    REQUIRE(stat(path, &st) == 0);
    CHECK_EQ_INT(st.st_mode & 0777, 0600);
    const char *first = version_of(&r);
    write_rule(&r, SAYS("two"));
    CHECK(strstr(command(&r, &code, "reload rules/20-x"), "serving") != NULL);
    CHECK_EQ_INT(code, 0);
    CHECK(strstr(command(&r, &code, "list"), "rules/20-x") != NULL);
    CHECK_EQ_INT(code, 0);
    CHECK(strstr(command(&r, &code, "rollback rules/20-x"), first) != NULL);
    CHECK_EQ_INT(code, 0);
    const char *shown = command(&r, &code, "show rules/20-x");
    CHECK(strstr(shown, "rolled_back") != NULL);
    CHECK(strstr(shown, "refused") != NULL);
    CHECK(strstr(command(&r, &code, "promote rules/20-x"), "is tried") != NULL);
    CHECK_EQ_INT(code, 1);
    CHECK(strstr(command(&r, &code, "disable rules/20-x"), "off") != NULL);
    CHECK(strstr(command(&r, &code, "enable rules/20-x"), "rolled_back"));
    snprintf(words, sizeof words, "rollback rules/20-x %s", "0123456789ab");
    CHECK(strstr(command(&r, &code, words), "no such version") != NULL);
    CHECK_EQ_INT(code, 1);
    command(&r, &code, "reload rules/none");
    CHECK_EQ_INT(code, 1);
    command(&r, &code, "reload");
    CHECK_EQ_INT(code, 2);
    command(&r, &code, "dance rules/20-x");
    CHECK_EQ_INT(code, 2);
    command(&r, &code, "rollback rules/20-x yesterday");
    CHECK_EQ_INT(code, 2);
    CHECK_EQ_INT(get(&r, "/api/v1/audit?what=script.rollback"), 200);
    const struct json *row = json_get(r.j, "items")->first;
    CHECK(json_is(json_get(row, "agent"), JSON_NULL));
    CHECK_EQ_INT(house_stop(&r.t), 0);
    CHECK(stat(path, &st) != 0);
    CHECK(strstr(command(&r, &code, "list"), "running") != NULL);
    CHECK_EQ_INT(code, 1);
    roof_close(&r);
}

TEST("the machine's user may use the whole API, as nobody's agent")
{
    struct roof r;
    char path[200];
    struct err e = {0};
    struct client_answer a;
    REQUIRE(begin(&r));
    snprintf(path, sizeof path, "%s/yuelai.sock", r.t.data);
    static const struct {
        const char *method, *target, *body;
        int status;
    } all[] = {
        {"GET", "/api/v1/agents", "", 200},
        {"GET", "/api/v1/conversations", "", 200},
        {"GET", "/api/v1/contacts", "", 200},
        {"GET", "/api/v1/changes", "", 200},
        {"GET", "/api/v1/audit", "", 200},
        {"GET", "/api/v1/me", "", 404},
        {"PATCH", "/api/v1/me", "{\"name\":\"x\"}", 404},
        {"POST", "/api/v1/teams", "{\"name\":\"x\"}", 201},
        {"POST", "/api/v1/tokens", "{\"name\":\"x\"}", 422},
        {"GET", "/api/v1/conversations/cv_0000000000001", "", 404},
        {"POST", "/api/v1/conversations/cv_0000000000001/messages",
         "{\"kind\":\"text\",\"text\":\"x\"}", 404},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        test_note("%s %s", all[i].method, all[i].target);
        CHECK_EQ_INT(client_call_local(path, all[i].method, all[i].target,
                                       "Content-Type: application/json\r\n",
                                       slice_of(all[i].body), 20000, r.t.arena,
                                       &e, &a),
                     0);
        CHECK_EQ_INT(a.status, all[i].status);
    }
    CHECK_EQ_INT(client_call_local(path, "GET", "/api/v1/agents",
                                   "Authorization: Bearer wrong\r\n", SLICE(""),
                                   20000, r.t.arena, &e, &a),
                 0);
    CHECK_EQ_INT(a.status, 401); /* who says who they are is asked */
    roof_close(&r);
}

TEST("a script whose own tests fail does not serve")
{
    struct roof r;
    REQUIRE(begin(&r));
    const char *first = version_of(&r);
    CHECK_EQ_INT(house_write(&r.t, SLICE("scripts/rules/20-x_test.lua"),
                             SLICE("it(\"holds\", function()\n"
                                   "  assert(1 == 2, \"no it does not\")\n"
                                   "end)\n")),
                 0);
    write_rule(&r, SAYS("two"));
    post(&r, RULE "/reload", NULL);
    CHECK_ERROR(&r, 422, "unprocessable", "file");
    CHECK_EQ_STR(version_of(&r), first);
    CHECK_SLICE(json_text(r.j, "state"), "last_good");
    const struct json *error = json_get(r.j, "errors")->first;
    CHECK_SLICE(json_text(error, "phase"), "test");
    CHECK(strstr(slice_dup(r.t.arena, json_text(error, "message")).at,
                 "no it does not") != NULL);
    CHECK_EQ_INT(house_write(&r.t, SLICE("scripts/rules/20-x_test.lua"),
                             SLICE("it(\"holds\", function()\n"
                                   "  assert(1 == 1)\n"
                                   "end)\n")),
                 0);
    CHECK_EQ_INT(post(&r, RULE "/reload", NULL), 200);
    CHECK(strcmp(version_of(&r), first) != 0);
    CHECK_SLICE(json_text(r.j, "state"), "serving");
    roof_close(&r);
}

TEST("a file that is broken elsewhere keeps no other script from serving")
{
    struct roof r;
    REQUIRE(begin(&r));
    const char *first = version_of(&r);
    CHECK_EQ_INT(house_write(&r.t, SLICE("scripts/rules/30-broken.lua"),
                             SLICE("return {")),
                 0);
    CHECK_EQ_INT(house_write(&r.t, SLICE("scripts/rules/20-x_test.lua"),
                             SLICE("local t = require \"test\"\n"
                                   "it(\"holds\", function()\n"
                                   "  t.visitor { name = \"A\" }:says \"hi\"\n"
                                   "end)\n")),
                 0);
    write_rule(&r, SAYS("two"));
    CHECK_EQ_INT(post(&r, RULE "/reload", NULL), 200);
    CHECK(strcmp(version_of(&r), first) != 0);
    CHECK_SLICE(json_text(r.j, "state"), "serving");
    roof_close(&r);
}

TEST("scripts are found by a part of their name; one that is none is 404")
{
    struct roof r;
    REQUIRE(begin(&r));
    CHECK_EQ_INT(get(&r, "/api/v1/scripts?q=no-such"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", -1), 0);
    CHECK_EQ_INT(get(&r, "/api/v1/scripts?q=20-X"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", -1), 1);
    post(&r, "/api/v1/scripts/rules/none/rollback", NULL);
    CHECK_ERROR(&r, 404, "not_found", "");
    roof_close(&r);
}
