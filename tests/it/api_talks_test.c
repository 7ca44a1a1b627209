/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations, messages and the change feed by REST. */
#include "roof.h"
#include <poll.h>
#include <sys/wait.h>

static bool begin(struct roof *r, const char **cv)
{
    *cv = "";
    if (!roof_open(r) || !play(r, "bo signs in") ||
        !play(r, "anna connects on webchat") ||
        !play(r, "anna says \"hello\"") || !play(r, "bo is assigned anna")) {
        return false;
    }
    *cv = conversation_of(r, "anna");
    return true;
}

static const char *as(struct roof *r, const char *name)
{
    struct actor *a = actor_find(&r->t, slice_of(name));
    return roof_bearer(r, a->token);
}

TEST("a message by REST reaches the visitor and is there once")
{
    struct roof r;
    const char *cv;
    REQUIRE(begin(&r, &cv));
    r.as = as(&r, "bo");
    const char *path = at(&r, "/api/v1/conversations/%/messages", cv);
    CHECK_EQ_INT(post(&r, path, "{\"text\":\"by REST\",\"ref\":\"r-1\"}"), 201);
    const char *id = text_of(&r, "id");
    CHECK_EQ_STR(text_of(&r, "kind"), "text");
    CHECK_SLICE(json_text(json_get(r.j, "sender"), "role"), "agent");
    CHECK(play(&r, "anna sees text = \"by REST\" from agent"));
    CHECK_EQ_INT(post(&r, path, "{\"text\":\"other\",\"ref\":\"r-1\"}"), 200);
    CHECK_EQ_STR(text_of(&r, "id"), id);
    CHECK_EQ_STR(text_of(&r, "text"), "by REST");
    CHECK_EQ_INT(roof_call(&r, "POST", path, "Idempotency-Key: k\r\n",
                           "{\"text\":\"keyed\"}"),
                 201);
    CHECK_EQ_INT(roof_call(&r, "POST", path, "Idempotency-Key: k\r\n",
                           "{\"text\":\"keyed\"}"),
                 201);
    CHECK_EQ_INT(get(&r, path), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 3);
    CHECK_EQ_INT(json_get(r.j, "items")->count, 3);
    roof_close(&r);
}

TEST("what is wrong with a message is named")
{
    static const struct {
        const char *body, *field;
        int status;
    } bad[] = {
        {"{\"kind\":\"dance\"}", "kind", 422},
        {"{\"kind\":\"text\"}", "text", 422},
        {"{\"text\":7}", "text", 422},
        {"{\"text\":\"x\",\"ref\":7}", "ref", 422},
        {"{\"text\":\"x\",\"private\":\"yes\"}", "private", 422},
        {"{\"kind\":\"location\",\"lat\":100,\"lng\":0}", "lat", 422},
    };
    struct roof r;
    const char *cv;
    REQUIRE(begin(&r, &cv));
    r.as = as(&r, "bo");
    const char *path = at(&r, "/api/v1/conversations/%/messages", cv);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)post(&r, path, bad[i].body);
        check_error(&r, bad[i].status, "unprocessable", bad[i].field);
    }
    char long_body[20000];
    snprintf(long_body, sizeof long_body, "{\"text\":\"%017000d\"}", 0);
    (void)post(&r, path, long_body);
    check_error(&r, 413, "too_large", "text");
    (void)post(&r, "/api/v1/conversations/cv_0000000000000/messages",
               "{\"text\":\"x\"}");
    check_error(&r, 404, "not_found", "");
    roof_close(&r);
}

static void say_many(struct roof *r, const char *path, int n)
{
    char body[64];
    for (int i = 0; i < n; i++) {
        snprintf(body, sizeof body, "{\"text\":\"m-%d\"}", i);
        CHECK_EQ_INT(post(r, path, body), 201);
    }
}

static void check_seqs(struct roof *r, int64_t first, size_t n)
{
    const struct json *items = json_get(r->j, "items");
    CHECK_EQ_INT(items ? items->count : 0, n);
    for (const struct json *m = items ? items->first : NULL; m; m = m->next) {
        CHECK_EQ_INT(json_int(m, "seq", 0), first++);
    }
}

TEST("messages are paged by seq, forward and backward")
{
    struct roof r;
    const char *cv;
    REQUIRE(begin(&r, &cv));
    r.as = as(&r, "bo");
    const char *path = at(&r, "/api/v1/conversations/%/messages", cv);
    say_many(&r, path, 6); /* seq 2 ... 7 */
    CHECK_EQ_INT(get(&r, at(&r, "%?limit=3", path)), 200);
    check_seqs(&r, 1, 3);
    CHECK_EQ_STR(text_of(&r, "next"), "3");
    CHECK_EQ_INT(get(&r, at(&r, "%?limit=3&after=3", path)), 200);
    check_seqs(&r, 4, 3);
    CHECK_EQ_INT(get(&r, at(&r, "%?limit=3&after=6", path)), 200);
    check_seqs(&r, 7, 1);
    CHECK(json_is(json_get(r.j, "next"), JSON_NULL));
    CHECK_EQ_INT(get(&r, at(&r, "%?limit=3&before=end", path)), 200);
    check_seqs(&r, 5, 3);
    CHECK_EQ_STR(text_of(&r, "next"), "5");
    CHECK_EQ_INT(get(&r, at(&r, "%?limit=3&before=5", path)), 200);
    check_seqs(&r, 2, 3);
    CHECK_EQ_INT(get(&r, at(&r, "%?limit=3&before=2", path)), 200);
    check_seqs(&r, 1, 1);
    CHECK(json_is(json_get(r.j, "next"), JSON_NULL));
    CHECK_EQ_INT(get(&r, at(&r, "%?before=x", path)), 400);
    roof_close(&r);
}

TEST("an agent sees own and own teams' conversations, a supervisor all")
{
    struct roof r;
    const char *cv;
    REQUIRE(begin(&r, &cv));
    const char *one = at(&r, "/api/v1/conversations/%", cv);
    const char *cy = make_agent(&r, "cy@example.com", "agent", NULL);
    const char *sup = make_agent(&r, "sup@example.com", "supervisor", NULL);
    r.as = as(&r, "bo");
    CHECK_EQ_INT(get(&r, one), 200);
    CHECK_EQ_STR(text_of(&r, "state"), "open");
    CHECK_EQ_STR(text_of(&r, "preview"), "hello");
    CHECK_EQ_INT(get(&r, "/api/v1/conversations?assignee=me&state=open"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    r.as = cy;
    CHECK_EQ_INT(get(&r, one), 403);
    CHECK_EQ_INT(get(&r, at(&r, "%/messages", one)), 403);
    CHECK_EQ_INT(post(&r, at(&r, "%/close", one), NULL), 403);
    CHECK_EQ_INT(post(&r, at(&r, "%/messages", one), "{\"text\":\"x\"}"), 403);
    CHECK_EQ_INT(get(&r, "/api/v1/conversations"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 9), 0);
    r.as = sup;
    CHECK_EQ_INT(get(&r, one), 200);
    CHECK_EQ_INT(get(&r, "/api/v1/conversations"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    roof_close(&r);
}

TEST("a conversation is tagged, snoozed, closed, opened again, transferred")
{
    struct roof r;
    const char *cv;
    REQUIRE(begin(&r, &cv));
    r.as = as(&r, "bo");
    const char *one = at(&r, "/api/v1/conversations/%", cv);
    CHECK_EQ_INT(patch(&r, one, "{\"tags\":[\"refund\"],\"priority\":5}"), 200);
    CHECK_EQ_INT(json_int(r.j, "priority", 0), 5);
    CHECK_EQ_INT(json_get(r.j, "tags")->count, 1);
    CHECK_EQ_INT(patch(&r, one, "{\"priority\":0}"), 200);
    CHECK_EQ_INT(json_get(r.j, "tags")->count, 1);
    CHECK_EQ_INT(post(&r, at(&r, "%/read", one), "{\"seq\":1}"), 200);
    CHECK_EQ_INT(json_int(r.j, "agent_read", 0), 1);
    CHECK_EQ_INT(post(&r, at(&r, "%/snooze", one), "{\"minutes\":10}"), 200);
    CHECK_EQ_STR(text_of(&r, "state"), "snoozed");
    (void)post(&r, at(&r, "%/snooze", one), "{\"until_at\":1}");
    check_error(&r, 422, "unprocessable", "until_at");
    CHECK_EQ_INT(post(&r, at(&r, "%/snooze", one), "{}"), 422);
    CHECK_EQ_INT(post(&r, at(&r, "%/close", one), NULL), 200);
    CHECK_EQ_STR(text_of(&r, "state"), "closed");
    CHECK_EQ_INT(post(&r, at(&r, "%/close", one), NULL), 409);
    CHECK_EQ_INT(get(&r, "/api/v1/conversations?state=closed"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    CHECK_EQ_INT(post(&r, at(&r, "%/reopen", one), NULL), 200);
    CHECK_EQ_STR(text_of(&r, "state"), "open");
    CHECK_EQ_INT(post(&r, at(&r, "%/assign", one), "{}"), 422);
    (void)post(&r, at(&r, "%/assign", one), "{\"agent\":\"nonsense\"}");
    check_error(&r, 422, "unprocessable", "agent");
    (void)post(&r, at(&r, "%/assign", one), "{\"team\":\"tm_0000000000000\"}");
    check_error(&r, 422, "unprocessable", "team");
    const char *cy;
    (void)make_agent(&r, "cy@example.com", "agent", &cy);
    const char *to =
        talk_fmt(&r.t, "{\"agent\":\"%s\",\"note\":\"please\"}", cy).at;
    CHECK_EQ_INT(post(&r, at(&r, "%/transfer", one), to), 200);
    CHECK_EQ_STR(text_of(&r, "assignee"), cy);
    CHECK(play(&r, "anna never saw \"please\""));
    roof_close(&r);
}

static void check_count(struct roof *r, const char *filter, int64_t total)
{
    CHECK_EQ_INT(get(r, at(r, "/api/v1/conversations?%", filter)), 200);
    CHECK_EQ_INT(json_int(r->j, "total", -1), total);
}

TEST("the list is filtered by what it belongs to and by words")
{
    struct roof r;
    const char *cv;
    REQUIRE(begin(&r, &cv));
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/conversations/%", cv)), 200);
    const char *contact = text_of(&r, "contact");
    const char *channel = text_of(&r, "channel");
    const char *assignee = text_of(&r, "assignee");
    CHECK_EQ_INT(post(&r, "/api/v1/teams", "{\"name\":\"none\"}"), 201);
    const char *team = text_of(&r, "id");
    check_count(&r, at(&r, "contact=%", contact), 1);
    check_count(&r, "contact=ct_0000000000001", 0);
    check_count(&r, at(&r, "channel=%", channel), 1);
    check_count(&r, "channel=ch_0000000000001", 0);
    check_count(&r, at(&r, "team=%", team), 0);
    check_count(&r, at(&r, "assignee=%", assignee), 1);
    check_count(&r, "assignee=none", 0);
    check_count(&r, "assignee=me", 0);
    check_count(&r, "state=open&sort=waiting", 1);
    check_count(&r, "state=closed", 0);
    check_count(&r, "q=HELLO", 1);
    check_count(&r, "q=nonsense", 0);
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/contacts?channel=%", channel)), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    CHECK_EQ_INT(get(&r, "/api/v1/contacts?channel=ch_0000000000001"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 9), 0);
    roof_close(&r);
}

TEST("wrong filters of the list are told")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    static const char *const bad[] = {"state",   "assignee", "team",
                                      "channel", "contact",  "sort"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)get(&r, at(&r, "/api/v1/conversations?%=nonsense", bad[i]));
        check_error(&r, 400, "bad_request", bad[i]);
    }
    roof_close(&r);
}

/* --- the change feed --- */

TEST("the feed gives everything once and goes on from its cursor")
{
    struct roof r;
    const char *cv, *after = "";
    int64_t seen = 0, messages = 0;
    struct slice last = SLICE("");
    REQUIRE(begin(&r, &cv));
    say_many(&r, at(&r, "/api/v1/conversations/%/messages", cv), 5);
    for (int page = 0; page < 50; page++) {
        CHECK_EQ_INT(get(&r, at(&r, "/api/v1/changes?limit=2&after=%", after)),
                     200);
        const struct json *items = json_get(r.j, "items");
        for (const struct json *e = items->first; e; e = e->next) {
            struct slice cursor = json_text(e, "cursor");
            CHECK(last.len == 0 ||
                  (cursor.len == last.len &&
                   memcmp(cursor.at, last.at, cursor.len) > 0));
            last = cursor;
            seen++;
            messages += slice_is(json_text(e, "event"), "message.created");
        }
        after = text_of(&r, "next");
        if (items->count == 0) {
            break;
        }
    }
    CHECK_EQ_INT(messages, 6);
    CHECK(seen > 8); /* agents, channel, conversation ... */
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/changes?after=%", after)), 200);
    CHECK_EQ_INT(json_get(r.j, "items")->count, 0);
    CHECK_EQ_STR(text_of(&r, "next"), after);
    roof_close(&r);
}

TEST("a long poll ends when something happens, or when its time is over")
{
    struct roof r;
    const char *cv;
    struct err e = {0};
    struct client_answer a = {0};
    REQUIRE(begin(&r, &cv));
    CHECK_EQ_INT(get(&r, "/api/v1/changes?limit=1000"), 200);
    const char *next = text_of(&r, "next");
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/changes?wait_ms=50&after=%", next)),
                 200);
    CHECK_EQ_INT(json_get(r.j, "items")->count, 0);
    /* The child speaks while the parent waits. */
    pid_t pid = fork();
    if (pid == 0) {
        poll(NULL, 0, 200);
        int bad = client_call(
            r.t.port, "POST", at(&r, "/api/v1/conversations/%/messages", cv),
            roof_bearer(&r, r.t.admin), SLICE("{\"text\":\"wake\"}"), 10000,
            r.t.arena, &e, &a);
        _exit(bad || a.status != 201);
    }
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/changes?wait_ms=20000&after=%", next)),
                 200);
    CHECK(json_get(r.j, "items")->count >= 1);
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    roof_close(&r);
}

TEST("a cursor that is none is 400, one of another database 410")
{
    struct roof r;
    REQUIRE(roof_open(&r));
    (void)get(&r, "/api/v1/changes?after=nonsense");
    check_error(&r, 400, "bad_request", "after");
    (void)get(&r, "/api/v1/changes?after=00000000000010000000000001");
    check_error(&r, 410, "gone", "after");
    (void)get(&r, "/api/v1/changes?limit=-1");
    check_error(&r, 400, "bad_request", "limit");
    roof_close(&r);
}

TEST("an agent's feed has only what the agent may see")
{
    struct roof r;
    const char *cv;
    REQUIRE(begin(&r, &cv));
    r.as = make_agent(&r, "cy@example.com", "agent", NULL);
    CHECK_EQ_INT(get(&r, "/api/v1/changes?limit=1000"), 200);
    CHECK(memmem(r.a.body.at, r.a.body.len, "\"hello\"", 7) == NULL);
    r.as = as(&r, "bo");
    CHECK_EQ_INT(get(&r, "/api/v1/changes?limit=1000"), 200);
    CHECK(memmem(r.a.body.at, r.a.body.len, "\"hello\"", 7) != NULL);
    roof_close(&r);
}
