/* SPDX-License-Identifier: Apache-2.0 */
/* yuelai replay: what today's scripts would have done otherwise. */
#include "roof.h"
#include "store/store.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char first[] =
    "local kv = require \"kv\"\n"
    "return { api = 1, priority = 10,\n"
    "  on_message = function(conv, msg)\n"
    "    local n = (kv.get(\"n\") or 0) + 1\n"
    "    kv.set(\"n\", n)\n"
    "    if msg.text:find(\"refund\") then\n"
    "      conv:tag \"refund\"\n"
    "      conv:reply(\"three days\")\n"
    "      return conv:assign { pick = \"least_busy\" }\n"
    "    end\n"
    "    conv:reply(\"hello \" .. msg.text)\n"
    "  end }\n";

static const char *rule(struct roof *r, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/scripts/rules/%s", r->t.home, name);
    test_write_file(path, text);
    return slice_dup(r->t.arena, slice_of(path)).at;
}

/* A candidate outside the home. */
static const char *candidate(const char *text)
{
    mkdir(test_path("new"), 0700);
    const char *path = test_path("new/10-first.lua");
    test_write_file(path, text);
    return path;
}

static int run(struct roof *r, const char *const *args, const char **out)
{
    const char *to = test_path("out");
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const char *argv[20] = {"yuelai"};
        int n = 1;
        for (int i = 0; args[i]; i++) {
            argv[n++] = args[i];
        }
        argv[n++] = "--data";
        argv[n++] = r->t.data;
        argv[n++] = "--home";
        argv[n++] = r->t.home;
        int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        execv(roof_program(), (char *const *)argv);
        _exit(127);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    char *text = test_read_file(to);
    *out = slice_dup(r->t.arena, slice_of(text)).at;
    free(text);
    test_note("%s", *out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#define REPLAY(...)                                                            \
    run(&r, (const char *const[]){"replay", __VA_ARGS__, NULL}, &out)

/* The JSON answer of a replay of all. */
static struct json *replayed(struct roof *r, const char *file)
{
    const char *out;
    struct json *j = NULL;
    const char *args[] = {
        "replay", "--since", "1d", "--json", file ? "--script" : NULL,
        file,     NULL};
    CHECK_EQ_INT(run(r, args, &out), 0);
    CHECK_EQ_INT(json_parse(r->t.arena, slice_of(out), NULL, &j), 0);
    return j;
}

static int64_t count_of(const struct json *j, const char *group)
{
    return json_int(json_get(json_get(j, "differences"), group), "count", -1);
}
static struct slice example_of(const struct json *j, const char *group,
                               const char *key)
{
    const struct json *list =
        json_get(json_get(json_get(j, "differences"), group), "examples");
    return json_text(list ? list->first : NULL, key);
}

/* Three messages, all handled, their traces stored; the server has stopped. */
static bool record(struct roof *r, const char *text)
{
    roof_make(r);
    mkdir(talk_fmt(&r->t, "%s/scripts", r->t.home).at, 0700);
    rule(r, "10-first.lua", text);
    return roof_start(r) && play(r, "bo signs in") &&
           play(r, "anna connects on webchat") &&
           play(r, "anna says \"one\"") && play(r, "bo is assigned anna") &&
           play(r, "ben connects on webchat") &&
           play(r, "ben says \"I want a refund\"") &&
           play(r, "bo is assigned ben") && play(r, "ben says \"thanks\"") &&
           play(r, "ben sees text ~ \"thanks\" from bot") &&
           house_stop(&r->t) == 0;
}

TEST("the same scripts over the same messages make no difference but values")
{
    struct roof r;
    REQUIRE(record(&r, first));
    struct json *j = replayed(&r, NULL);
    CHECK_EQ_INT(json_int(j, "messages", 0), 3);
    CHECK_EQ_INT(json_int(j, "replayed", 0), 3);
    CHECK_EQ_INT(count_of(j, "routed"), 0);
    CHECK_EQ_INT(count_of(j, "answered"), 0);
    CHECK_EQ_INT(count_of(j, "tagged"), 0);
    CHECK_EQ_INT(count_of(j, "decided"), 0);
    CHECK_EQ_INT(count_of(j, "failed"), 0);
    /* Values are read as they are now (3), those replayed are seen. */
    CHECK_EQ_INT(count_of(j, "kept"), 3);
    CHECK_SLICE(example_of(j, "kept", "before"), "kv_set n 1");
    CHECK_SLICE(example_of(j, "kept", "after"), "kv_set n 4");
    roof_close(&r);
}

TEST("what another version would do otherwise is told by kind, with examples")
{
    struct roof r;
    const char *out;
    REQUIRE(record(&r, first));
    const char *file =
        candidate("return { api = 1, priority = 10,\n"
                  "  on_message = function(conv, msg)\n"
                  "    if msg.text:find(\"refund\") then\n"
                  "      conv:tag \"money\"\n"
                  "      conv:reply(\"five days\")\n"
                  "      return conv:assign { pick = \"round_robin\" }\n"
                  "    end\n"
                  "    conv:reply(\"hello \" .. msg.text)\n"
                  "  end }\n");
    struct json *j = replayed(&r, file);
    CHECK_EQ_INT(count_of(j, "routed"), 1);
    CHECK_SLICE(example_of(j, "routed", "before"), "assign pick least_busy");
    CHECK_SLICE(example_of(j, "routed", "after"), "assign pick round_robin");
    CHECK_EQ_INT(count_of(j, "answered"), 1);
    CHECK_SLICE(example_of(j, "answered", "text"), "I want a refund");
    CHECK_SLICE(example_of(j, "answered", "after"), "reply \"five days\"");
    CHECK_EQ_INT(count_of(j, "tagged"), 1);
    CHECK_EQ_INT(json_int(j, "same", -1), 0); /* n is not counted any more */
    CHECK_EQ_INT(REPLAY("--since", "1d", "--script", file), 0);
    CHECK(strstr(out, "answered otherwise: 1 of 3") != NULL);
    CHECK(strstr(out, "nothing was sent, nothing was written") != NULL);
    const char *id =
        slice_dup(r.t.arena, example_of(j, "routed", "message")).at;
    CHECK_EQ_INT(REPLAY(id, "--script", file), 0);
    CHECK(strstr(out, "before  assign pick least_busy") != NULL);
    CHECK(strstr(out, "after   assign pick round_robin") != NULL);
    CHECK(strstr(out, "1 of 1 messages replayed") != NULL);
    CHECK_EQ_INT(REPLAY(id), 0);
    CHECK(strstr(out, "routed\n") != NULL);
    const char *by_id = out;
    CHECK_EQ_INT(REPLAY(at(&r, "%/1", conversation_of(&r, "anna"))), 0);
    CHECK(strstr(out, "1 of 1 messages replayed") != NULL && strstr(by_id, id));
    roof_close(&r);
}

static int64_t rows(const char *data)
{
    struct query *q = query_new(QUERY_KV, NULL, NULL);
    q->kv = (struct kv){.space = SLICE("rules/10-first"), .key = SLICE("n")};
    int64_t n = -1;
    CHECK_EQ_INT(store_look(data, q), 0);
    CHECK(slice_to_i64(q->text, &n));
    query_free(q);
    return n;
}

TEST("a replay beside the server writes nothing")
{
    struct roof r;
    REQUIRE(record(&r, first));
    REQUIRE(roof_start(&r));
    CHECK_EQ_INT(rows(r.t.data), 3);
    struct json *j = replayed(&r, NULL);
    CHECK_EQ_INT(json_int(j, "replayed", 0), 3);
    CHECK_EQ_INT(rows(r.t.data), 3);
    CHECK_EQ_INT(get(&r, "/api/v1/conversations"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 2);
    roof_close(&r);
}

TEST("other servers are not called; recorded answers are played instead")
{
    struct roof r;
    REQUIRE(record(&r, first));
    const char *file = candidate(
        "local http = require \"http\"\n"
        "return { api = 1, priority = 10,\n"
        "  on_message = function(conv, msg)\n"
        "    local res, code = http.get \"http://127.0.0.1:1/orders?key=7\"\n"
        "    conv:reply(res and res.json.state or code)\n"
        "  end }\n");
    struct json *j = replayed(&r, file);
    CHECK_SLICE(example_of(j, "answered", "after"), "reply \"unavailable\"");
    CHECK_EQ_INT(json_int(j, "calls_refused", 0), 3);
    mkdir(test_path("fixtures"), 0700);
    test_write_file(test_path("fixtures/orders.json"),
                    "[{\"request\":{\"method\":\"GET\",\"url\":"
                    "\"http://127.0.0.1:1/orders?key=<secret>\"},"
                    "\"answer\":{\"status\":200,"
                    "\"json\":{\"state\":\"on its way\"}}}]");
    const char *out;
    const char *args[] = {
        "replay",   "--since", "1d",         "--json",
        "--script", file,      "--fixtures", test_path("fixtures"),
        NULL};
    CHECK_EQ_INT(run(&r, args, &out), 0);
    CHECK_EQ_INT(json_parse(r.t.arena, slice_of(out), NULL, &j), 0);
    CHECK_SLICE(example_of(j, "answered", "after"), "reply \"on its way\"");
    CHECK_EQ_INT(json_int(j, "calls_refused", -1), 0);
    roof_close(&r);
}

TEST("a script that fails or never ends is told and stops no replay")
{
    struct roof r;
    REQUIRE(record(&r, first));
    struct json *j = replayed(
        &r, candidate("return { api = 1, priority = 10,\n"
                      "  on_message = function(conv, msg)\n"
                      "    if msg.text == \"one\" then error \"oh no\" end\n"
                      "    while true do end\n"
                      "  end }\n"));
    CHECK_EQ_INT(json_int(j, "replayed", 0), 3);
    CHECK_EQ_INT(count_of(j, "failed"), 3);
    const struct json *t = json_get(j, "troubles");
    CHECK(t && t->first &&
          memmem(t->first->text.at, t->first->text.len, "oh no", 5));
    roof_close(&r);
}

TEST("a wait takes no time, a message turned away is not answered")
{
    struct roof r;
    REQUIRE(record(&r, first));
    struct json *j =
        replayed(&r, candidate("local time = require \"time\"\n"
                               "return { api = 1, priority = 10,\n"
                               "  on_inbound = function(conv, msg)\n"
                               "    if msg.text == \"one\" then\n"
                               "      return conv:reject \"no ones\"\n"
                               "    end\n"
                               "    conv:edit { text = msg.text:upper() }\n"
                               "  end,\n"
                               "  on_message = function(conv, msg)\n"
                               "    time.sleep \"20s\"\n"
                               "    conv:reply(\"slow \" .. msg.text)\n"
                               "  end }\n"));
    CHECK_EQ_INT(json_int(j, "replayed", 0), 3);
    CHECK_EQ_INT(count_of(j, "answered"), 3);
    CHECK_SLICE(example_of(j, "answered", "after"), "reject \"no ones\"");
    CHECK_EQ_INT(count_of(j, "failed"), 0);
    const struct json *x =
        json_get(json_get(json_get(j, "differences"), "answered"), "examples");
    x = x ? x->first->next : NULL;
    CHECK_SLICE(json_text(x, "after"),
                "edit \"I WANT A REFUND\"; reply \"slow I WANT A REFUND\"");
    roof_close(&r);
}

TEST("wrong words, broken scripts and missing things are refused")
{
    struct roof r;
    const char *out;
    REQUIRE(record(&r, first));
    CHECK_EQ_INT(REPLAY("--since", "1d", "--script", candidate("return {")), 1);
    CHECK(strstr(out, "10-first") != NULL);
    CHECK_EQ_INT(REPLAY("--since", "soon"), 2);
    CHECK_EQ_INT(REPLAY("--json"), 2);
    CHECK_EQ_INT(REPLAY("m_000000000000g", "--since", "1d"), 2);
    CHECK_EQ_INT(REPLAY("nonsense"), 2);
    CHECK_EQ_INT(REPLAY("cv_0000000zzzzzz/1"), 1);
    CHECK_EQ_INT(REPLAY("m_0000000zzzzzz"), 1);
    CHECK(strstr(out, "there is no such message") != NULL);
    CHECK_EQ_INT(REPLAY("--since", "1d", "--fixtures", "/nowhere"), 1);
    CHECK_EQ_INT(REPLAY("--since", "1d", "--script", "/nowhere/x.lua"), 1);
    roof_close(&r);
}
