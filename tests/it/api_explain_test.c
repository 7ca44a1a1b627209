/* SPDX-License-Identifier: Apache-2.0 */
/* Traces, flows, dead letters, audit by REST; yuelai trace beside the server
 * and without it. */
#include "roof.h"
#include "store/store.h"
#include <fcntl.h>
#include <sys/wait.h>

static const char greeter[] = "return { api = 1, priority = 10,\n"
                              "  on_message = function(conv, msg)\n"
                              "    conv:tag \"greeted\"\n"
                              "    conv:reply(\"hello \" .. msg.text)\n"
                              "  end }\n";

static void give_rule(struct roof *r, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/scripts/rules/%s", r->t.home, name);
    test_write_file(path, text);
}

/* Runs the program; what it printed. */
static int run(struct roof *r, const char *const *args, const char **out)
{
    const char *to = test_path("out");
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const char *argv[12] = {"yuelai"};
        for (int i = 0; i < 10 && args[i]; i++) {
            argv[i + 1] = args[i];
        }
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
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
#define RUN(...) run(&r, (const char *const[]){__VA_ARGS__, NULL}, &out)

static const char *as(struct roof *r, const char *name)
{
    struct actor *a = actor_find(&r->t, slice_of(name));
    return roof_bearer(r, a->token);
}

static const struct json *item(const struct json *list, size_t n)
{
    const struct json *j = json_is(list, JSON_ARRAY) ? list->first : NULL;
    while (j && n--) {
        j = j->next;
    }
    return j;
}

struct awaited {
    struct roof *r;
    const char *path;
};
/* Marks and traces are written a moment after the answer. */
static bool has_jobs(void *arg)
{
    struct awaited *w = arg;
    return get(w->r, w->path) == 200 && json_get(w->r->j, "jobs") &&
           json_get(w->r->j, "jobs")->count > 0;
}

static bool is_read(void *arg)
{
    struct awaited *w = arg;
    return get(w->r, w->path) == 200 &&
           json_bool(json_get(w->r->j, "delivery"), "read", false);
}

static bool begin(struct roof *r, const char **message, const char **path)
{
    roof_make(r);
    give_rule(r, "10-greet.lua", greeter);
    if (!roof_start(r) || !play(r, "bo signs in") ||
        !play(r, "anna connects on webchat") ||
        !play(r, "anna says \"there\"") ||
        !play(r, "anna sees text = \"hello there\" from bot") ||
        !play(r, "bo is assigned anna")) {
        return false;
    }
    const char *cv = conversation_of(r, "anna");
    CHECK_EQ_INT(get(r, at(r, "/api/v1/conversations/%/messages?limit=1", cv)),
                 200);
    const struct json *m = item(json_get(r->j, "items"), 0);
    *message = slice_dup(r->t.arena, json_text(m, "id")).at;
    *path = at(r, "/api/v1/messages/%/trace", *message);
    struct awaited w = {r, *path};
    return CHECK(test_wait(has_jobs, &w, 10000));
}

TEST("a message's trace tells its scripts, effects, events and delivery")
{
    struct roof r;
    const char *message, *path;
    REQUIRE(begin(&r, &message, &path));
    CHECK_EQ_INT(get(&r, path), 200);
    CHECK_SLICE(json_text(json_get(r.j, "message"), "text"), "there");
    const struct json *job = item(json_get(r.j, "jobs"), 0);
    CHECK_SLICE(json_text(job, "hook"), "on_message");
    CHECK_SLICE(json_text(job, "decided_by"), "rules/90-default");
    const struct json *hops = json_get(job, "hops");
    CHECK_EQ_INT(hops ? hops->count : 0, 2);
    CHECK_SLICE(json_text(item(hops, 0), "unit"), "rules/10-greet");
    CHECK_EQ_INT(json_text(item(hops, 0), "version").len, 12);
    const struct json *effects = json_get(job, "effects");
    CHECK_EQ_INT(effects ? effects->count : 0, 3);
    CHECK_SLICE(json_text(item(effects, 0), "type"), "tag");
    CHECK_SLICE(json_text(item(effects, 1), "text"), "hello there");
    CHECK_SLICE(json_text(item(effects, 2), "type"), "assign");
    bool replied = false, assigned = false;
    for (const struct json *e = item(json_get(r.j, "caused"), 0); e;
         e = e->next) {
        struct slice name = json_text(e, "event");
        replied |=
            slice_is(name, "message.created") &&
            slice_is(json_text(json_get(e, "data"), "text"), "hello there");
        assigned |= slice_is(name, "conversation.assigned");
    }
    CHECK(replied && assigned);
    const struct json *d = json_get(r.j, "delivery");
    CHECK_SLICE(json_text(d, "to"), "agent");
    CHECK_EQ_INT(json_int(d, "sockets", -1), 1);
    CHECK(!json_bool(d, "read", true));
    CHECK(play(&r, "bo sees text = \"there\""));
    CHECK(play(&r, "bo reads"));
    struct awaited w = {&r, path};
    CHECK(test_wait(is_read, &w, 10000));
    roof_close(&r);
}

TEST("a trace says why a message has not reached its peer")
{
    struct roof r;
    const char *message, *path;
    REQUIRE(begin(&r, &message, &path));
    CHECK(play(&r, "anna leaves"));
    CHECK(play(&r, "bo says \"are you there?\" to anna"));
    const char *cv = conversation_of(&r, "anna");
    CHECK_EQ_INT(
        get(&r, at(&r, "/api/v1/conversations/%/messages?after=2", cv)), 200);
    const struct json *m = item(json_get(r.j, "items"), 0);
    const char *id = slice_dup(r.t.arena, json_text(m, "id")).at;
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/messages/%/trace", id)), 200);
    const struct json *d = json_get(r.j, "delivery");
    CHECK_SLICE(json_text(d, "to"), "visitor");
    CHECK_EQ_INT(json_int(d, "sockets", -1), 0);
    CHECK(memmem(json_text(d, "why_not").at, json_text(d, "why_not").len,
                 "not connected", 13) != NULL);
    roof_close(&r);
}

TEST("a trace is for those who may see the conversation; no message is 404")
{
    struct roof r;
    const char *message, *path;
    REQUIRE(begin(&r, &message, &path));
    CHECK(play(&r, "ed signs in"));
    r.as = as(&r, "ed");
    CHECK_EQ_INT(get(&r, path), 403);
    r.as = as(&r, "bo");
    CHECK_EQ_INT(get(&r, path), 200);
    r.as = NULL;
    CHECK_EQ_INT(get(&r, "/api/v1/messages/m_zzzzzzzzz/trace"), 404);
    CHECK_EQ_INT(get(&r, "/api/v1/messages/m_0000000000000/trace"), 404);
    CHECK_EQ_INT(get(&r, "/api/v1/messages/m_0000000zzzzzz/trace"), 404);
    CHECK_EQ_INT(get(&r, "/api/v1/messages/m_0000000000001/trace"), 404);
    roof_close(&r);
}

/* What a message has led to has traces of its own, by the ids that it tells;
 * and a bot's message names the one it came of. */
static void check_next(struct roof *r, const struct json *caused)
{
    bool assigned = false, said = false;
    const char *out;
    for (; caused; caused = caused->next) {
        const char *id = slice_dup(r->t.arena, json_text(caused, "id")).at;
        const char *const args[] = {"trace", id, "--data", r->t.data, NULL};
        test_note("%s", id);
        CHECK_EQ_INT(run(r, args, &out), 0);
        if (slice_is(json_text(caused, "event"), "conversation.assigned")) {
            assigned = strstr(out, "conversation.assigned of cv_") != NULL;
        } else if (slice_is(json_text(caused, "event"), "message.created")) {
            said = strstr(out, "(it came of m_") != NULL;
        }
    }
    CHECK(assigned && said);
}

TEST("yuelai trace tells the same beside the server and without it")
{
    struct roof r;
    const char *message, *path, *out;
    REQUIRE(begin(&r, &message, &path));
    static const char *const words[] = {"visitor",
                                        "\"there\"",
                                        "on_message",
                                        "rules/10-greet",
                                        "reply \"hello there\"",
                                        "rules/90-default",
                                        "decided",
                                        "=> conversation.assigned",
                                        "bot: \"hello there\""};
    const char *seq = at(&r, "%/1", conversation_of(&r, "anna"));
    for (int round = 0; round < 2; round++) {
        CHECK_EQ_INT(RUN("trace", message, "--data", r.t.data), 0);
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            if (!strstr(out, words[i])) {
                FAIL("%s is not in: %s", words[i], out);
            }
        }
        const char *by_id = out;
        CHECK_EQ_INT(RUN("trace", seq, "--data", r.t.data), 0);
        CHECK_EQ_STR(out, by_id);
        CHECK_EQ_INT(RUN("trace", message, "--json", "--data", r.t.data), 0);
        struct json *j = NULL;
        CHECK_EQ_INT(json_parse(r.t.arena, slice_of(out), NULL, &j), 0);
        CHECK_EQ_INT(json_get(j, "jobs") ? json_get(j, "jobs")->count : 0, 1);
        CHECK(json_is(json_get(json_get(j, "delivery"), "sockets"), JSON_NULL));
        CHECK(
            json_is(json_get(json_get(j, "delivery"), "platform"), JSON_NULL));
        check_next(&r, item(json_get(j, "caused"), 0));
        if (round == 0) {
            REQUIRE(house_stop(&r.t) == 0);
        }
    }
    CHECK_EQ_INT(RUN("trace", "m_0000000zzzzzz", "--data", r.t.data), 1);
    CHECK(strstr(out, "there is no such message") != NULL);
    CHECK_EQ_INT(RUN("trace", message, "--data", test_path("nowhere")), 1);
    CHECK(strstr(out, "there is no database") != NULL);
    CHECK_EQ_INT(RUN("trace", "nonsense", "--data", r.t.data), 2);
    CHECK_EQ_INT(RUN("trace"), 2);
    roof_close(&r);
}

/* -- flows, letters: rows as a server left them -------------------------- */

static void on_stored(struct tx *tx)
{
    CHECK_EQ_INT(tx->result, 0);
    tx_free(tx);
}

static void put_flow(struct tx *tx, uint64_t id, enum flow_state state,
                     uint64_t conv)
{
    struct flow *f = arena_one(tx->arena, struct flow);
    *f = (struct flow){.id = id,
                       .unit = SLICE("flows/refund"),
                       .conv = conv,
                       .state = state,
                       .due_at = clock_ms() + 3600000,
                       .created_at = 1,
                       .updated_at = clock_ms(),
                       .args = SLICE("{\"order\":\"7\"}"),
                       .view = SLICE("{\"waits\":\"1h\"}"),
                       .log = SLICE("[]")};
    tx_put(tx, PUT_FLOW)->flow = f;
}

/* A stopped server's database with two flows and two letters. */
static bool seed(struct roof *r, const char *cv)
{
    uint64_t conv = 0;
    struct store *s;
    struct err e = {0};
    const struct store_conf conf = {.dir = r->t.data, .offline = true};
    if (!id_parse(slice_of(cv), ID_CONVERSATION, &conv) ||
        house_stop(&r->t) != 0 || store_open(&conf, &e, &s) != 0) {
        FAIL("seed: %s", e.text);
        return false;
    }
    struct tx *tx = tx_new(on_stored, NULL);
    put_flow(tx, 0x100, FLOW_SLEEPING, conv);
    put_flow(tx, 0x101, FLOW_DONE, conv);
    for (uint64_t i = 0; i < 2; i++) {
        struct dead *d = arena_one(tx->arena, struct dead);
        *d = (struct dead){.id = 0x200 + i,
                           .at = 5,
                           .conv = conv,
                           .pos = i ? 0 : 3,
                           .unit = SLICE("rules/10-greet"),
                           .reason = SLICE("nobody there"),
                           .data = SLICE("{}")};
        tx_put(tx, PUT_DEAD)->dead = d;
    }
    store_commit(s, tx);
    store_close(s);
    return roof_start(r);
}

TEST("flows are listed, seen alone with their log, and cancelled once")
{
    struct roof r;
    const char *message, *path;
    REQUIRE(begin(&r, &message, &path));
    const char *cv = conversation_of(&r, "anna");
    REQUIRE(seed(&r, cv));
    CHECK_EQ_INT(get(&r, "/api/v1/flows"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 2);
    CHECK_EQ_INT(get(&r, "/api/v1/flows?state=sleeping"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    CHECK_EQ_INT(get(&r, "/api/v1/flows?state=sleeping&script=flows/x"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 0);
    CHECK_EQ_INT(get(&r, at(&r, "/api/v1/flows?conversation=%", cv)), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 2);
    CHECK_EQ_INT(get(&r, "/api/v1/flows?state=dancing"), 400);
    CHECK_EQ_INT(get(&r, "/api/v1/flows?conversation=x"), 400);
    CHECK_EQ_INT(get(&r, "/api/v1/flows/fl_0000000000080"), 200);
    CHECK_EQ_STR(text_of(&r, "script"), "flows/refund");
    CHECK_EQ_STR(text_of(&r, "state"), "sleeping");
    CHECK(json_is(json_get(r.j, "log"), JSON_ARRAY));
    CHECK_EQ_INT(post(&r, "/api/v1/flows/fl_0000000000080/cancel", "{}"), 200);
    CHECK_EQ_STR(text_of(&r, "state"), "cancelled");
    CHECK_EQ_INT(post(&r, "/api/v1/flows/fl_0000000000080/cancel", "{}"), 409);
    CHECK_EQ_INT(post(&r, "/api/v1/flows/fl_0000000000081/cancel", "{}"), 409);
    CHECK_EQ_INT(post(&r, "/api/v1/flows/fl_0000000000082/cancel", "{}"), 404);
    CHECK_EQ_INT(get(&r, "/api/v1/audit?what=flow.cancel"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 1);
    CHECK_SLICE(json_text(item(json_get(r.j, "items"), 0), "about"),
                "fl_0000000000080");
    roof_close(&r);
}

TEST("an agent sees the flows of own conversations, letters and audit not")
{
    struct roof r;
    const char *message, *path;
    REQUIRE(begin(&r, &message, &path));
    const char *cv = conversation_of(&r, "anna");
    const char *bo = as(&r, "bo");
    const char *ed = make_agent(&r, "ed@example.com", "agent", NULL);
    REQUIRE(seed(&r, cv));
    const char *of = at(&r, "/api/v1/flows?conversation=%", cv);
    r.as = bo;
    CHECK_EQ_INT(get(&r, of), 200);
    CHECK_EQ_INT(get(&r, "/api/v1/flows/fl_0000000000080"), 200);
    CHECK_EQ_INT(get(&r, "/api/v1/flows"), 403);
    CHECK_EQ_INT(get(&r, "/api/v1/dead-letters"), 403);
    CHECK_EQ_INT(get(&r, "/api/v1/audit"), 403);
    CHECK_EQ_INT(post(&r, "/api/v1/flows/fl_0000000000080/cancel", "{}"), 403);
    r.as = ed;
    CHECK_EQ_INT(get(&r, of), 403);
    CHECK_EQ_INT(get(&r, "/api/v1/flows/fl_0000000000080"), 403);
    roof_close(&r);
}

struct gone {
    struct roof *r;
};
static bool letter_gone(void *arg)
{
    struct gone *g = arg;
    return get(g->r, "/api/v1/dead-letters/dl_00000000000g0") == 404;
}

TEST("a dead letter is listed, run again through today's rules, dropped")
{
    struct roof r;
    const char *message, *path;
    REQUIRE(begin(&r, &message, &path));
    REQUIRE(seed(&r, conversation_of(&r, "anna")));
    CHECK_EQ_INT(get(&r, "/api/v1/dead-letters"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 2);
    CHECK_EQ_INT(get(&r, "/api/v1/dead-letters/dl_00000000000g0"), 200);
    CHECK_EQ_STR(text_of(&r, "reason"), "nobody there");
    CHECK_EQ_STR(text_of(&r, "hook"), "on_message");
    CHECK_EQ_INT(post(&r, "/api/v1/dead-letters/dl_00000000000g0/run", "{}"),
                 202);
    struct gone g = {&r};
    CHECK(test_wait(letter_gone, &g, 10000));
    CHECK_EQ_INT(del(&r, "/api/v1/dead-letters/dl_00000000000g1"), 204);
    CHECK_EQ_INT(del(&r, "/api/v1/dead-letters/dl_00000000000g1"), 404);
    CHECK_EQ_INT(get(&r, "/api/v1/dead-letters"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", -1), 0);
    CHECK_EQ_INT(get(&r, "/api/v1/audit"), 200);
    CHECK_EQ_INT(json_int(r.j, "total", 0), 2);
    roof_close(&r);
}
