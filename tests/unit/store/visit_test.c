/* SPDX-License-Identifier: Apache-2.0 */
/* What main is told at start. */
#include "store_world.h"

struct seen {
    char text[4000];
};

__attribute__((format(printf, 2, 3))) static void note(void *arg,
                                                       const char *fmt, ...)
{
    struct seen *s = arg;
    size_t n = strlen(s->text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(s->text + n, sizeof s->text - n, fmt, args);
    va_end(args);
}

static void channel(void *arg, const struct channel *c)
{
    note(arg, "channel %d %.*s %.*s %.*s %d\n", (int)c->id, SLICE_FMT(c->type),
         SLICE_FMT(c->config), SLICE_FMT(c->secrets), c->enabled);
}
static void agent(void *arg, const struct agent *a)
{
    note(arg, "agent %d %.*s %.*s role %d load %d status %d %d\n", (int)a->id,
         SLICE_FMT(a->email), SLICE_FMT(a->password), a->role, a->max_load,
         a->status, a->enabled);
}
static void team(void *arg, const struct team *t)
{
    note(arg, "team %d %.*s %.*s\n", (int)t->id, SLICE_FMT(t->name),
         SLICE_FMT(t->members));
}
static void token(void *arg, const struct token *t)
{
    note(arg, "token %d %d of %d %.*s %d\n", (int)t->id, t->digest[31],
         (int)t->agent, SLICE_FMT(t->scopes), (int)t->expires_at);
}
static void conversation(void *arg, const struct conversation *c,
                         const struct contact *who)
{
    note(arg, "conversation %d state %d last %u handled %d by %d %.*s\n",
         (int)c->id, c->state, c->last_seq, (int)c->handled, (int)who->id,
         SLICE_FMT(who->name));
}
static void unhandled(void *arg, const struct event *ev)
{
    note(arg, "unhandled %d in %d\n", (int)ev->pos, (int)ev->conv);
}
static void alarm_row(void *arg, const struct alarm *a)
{
    note(arg, "alarm %d at %d for %d %.*s %.*s %.*s\n", (int)a->id,
         (int)a->due_at, (int)a->conversation, SLICE_FMT(a->unit),
         SLICE_FMT(a->name), SLICE_FMT(a->data));
}

static void flow(void *arg, const struct flow *f)
{
    note(arg, "flow %d %.*s state %d due %d log '%.*s'\n", (int)f->id,
         SLICE_FMT(f->unit), f->state, (int)f->due_at, SLICE_FMT(f->log));
}
static void version(void *arg, const struct script_version *v)
{
    note(arg, "version %.*s %.*s state %d %.*s\n", SLICE_FMT(v->unit),
         SLICE_FMT(v->version), v->state, SLICE_FMT(v->sources));
}

static void visit(struct world *w, struct seen *s)
{
    struct store_visit v = {.arg = s,
                            .channel = channel,
                            .agent = agent,
                            .team = team,
                            .token = token,
                            .conversation = conversation,
                            .unhandled = unhandled,
                            .alarm = alarm_row,
                            .flow = flow,
                            .version = version};
    s->text[0] = '\0';
    CHECK_EQ_INT(store_visit(w->store, &v, &w->err), 0);
}

static void *keep(struct tx *tx, const void *p, size_t n)
{
    return memcpy(arena_alloc(tx->arena, n), p, n);
}
#define ONE(tx, type, ...)                                                     \
    keep((tx), &(struct type){__VA_ARGS__}, sizeof(struct type))

TEST("an empty store tells nothing")
{
    struct world w;
    struct seen s;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    visit(&w, &s);
    CHECK_EQ_STR(s.text, "");
    world_close(&w);
}

TEST("everything put comes back, in order, and what was deleted does not")
{
    struct world w;
    struct seen s;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    for (uint64_t i = 1; i <= 2; i++) {
        tx_put(tx, PUT_CHANNEL)->channel =
            ONE(tx, channel, .id = i, .type = SLICE("web"), .name = SLICE("W"),
                .config = SLICE("{}"), .secrets = SLICE("{\"s\":1}"),
                .enabled = i == 1);
        tx_put(tx, PUT_AGENT)->agent =
            ONE(tx, agent, .id = i, .email = i == 1 ? SLICE("a@b") : SLICE("c"),
                .password = SLICE("$argon"), .role = AGENT_ROLE_ADMIN,
                .max_load = 4, .status = AGENT_AWAY, .enabled = true,
                .skills = SLICE("[]"));
        tx_put(tx, PUT_TEAM)->team = ONE(tx, team, .id = i, .name = SLICE("T"),
                                         .members = SLICE("[\"ag_1\"]"));
        struct token *t = ONE(tx, token, .id = i, .agent = 1,
                              .scopes = SLICE("[]"), .expires_at = 99);
        t->digest[31] = (unsigned char)(6 + i);
        tx_put(tx, PUT_TOKEN)->token = t;
        tx_put(tx, PUT_ALARM)->alarm = ONE(
            tx, alarm, .id = i, .due_at = (int64_t)(100 - i), .conversation = 7,
            .unit = SLICE("rules/x"), .name = SLICE("n"), .data = SLICE("{}"));
    }
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    tx_free(tx);
    visit(&w, &s);
    CHECK_EQ_STR(s.text,
                 "channel 1 web {} {\"s\":1} 1\nchannel 2 web {} {\"s\":1} 0\n"
                 "agent 1 a@b $argon role 2 load 4 status 1 1\n"
                 "agent 2 c $argon role 2 load 4 status 1 1\n"
                 "team 1 T [\"ag_1\"]\nteam 2 T [\"ag_1\"]\n"
                 "token 1 7 of 1 [] 99\ntoken 2 8 of 1 [] 99\n"
                 "alarm 2 at 98 for 7 rules/x n {}\n"
                 "alarm 1 at 99 for 7 rules/x n {}\n");
    tx = world_tx(&w);
    static const enum put_kind gone[] = {DEL_CHANNEL, DEL_AGENT, DEL_TEAM,
                                         DEL_TOKEN, DEL_ALARM};
    for (int i = 0; i < 5; i++)
        for (uint64_t id = 1; id <= 2; id++)
            tx_put(tx, gone[i])->id = id;
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    tx_free(tx);
    visit(&w, &s);
    CHECK_EQ_STR(s.text, "");
    world_close(&w);
}

TEST("open conversations come with what their rules have not handled")
{
    struct world w;
    struct seen s;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    world_contact(tx, 3, "u", "Anna");
    world_conversation(tx, 7, 3);
    world_conversation(tx, 8, 3)->state = CONV_CLOSED;
    world_conversation(tx, 9, 4)->state = CONV_OPEN; /* no contact row */
    world_message(tx, 9, ROLE_VISITOR, 4, 1);        /* 1 */
    world_message(tx, 7, ROLE_VISITOR, 3, 2);        /* 2 */
    world_message(tx, 8, ROLE_VISITOR, 3, 3);        /* 3 */
    world_message(tx, 7, ROLE_BOT, 0, 4)->cause = 2; /* 4 */
    world_message(tx, 7, ROLE_VISITOR, 3, 5);        /* 5 */
    world_message(tx, 9, ROLE_VISITOR, 4, 6);        /* 6 */
    world_message(tx, 7, ROLE_AGENT, 40, 7)->flags = EVENT_PRIVATE; /* 7 */
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    tx_free(tx);
    static const char want[] =
        "conversation 7 state 0 last 4 handled 2 by 3 Anna\n"
        "conversation 9 state 2 last 2 handled 0 by 4 \n"
        "unhandled 1 in 9\nunhandled 5 in 7\nunhandled 6 in 9\n";
    visit(&w, &s);
    CHECK_EQ_STR(s.text, want);
    world_close(&w);
    REQUIRE(world_open(&w, test_path("d")) == 0);
    visit(&w, &s);
    CHECK_EQ_STR(s.text, want);
    tx = world_tx(&w);
    world_event(tx, EVENT_HANDLED, 9, ROLE_SYSTEM, "{}")->cause = 6;
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    tx_free(tx);
    visit(&w, &s);
    CHECK(strstr(s.text, "unhandled 5 in 7\n") != NULL);
    CHECK(strstr(s.text, "in 9") == NULL);
    tx = world_tx(&w); /* what a person has answered is done */
    world_message(tx, 7, ROLE_AGENT, 40, 8);
    world_message(tx, 7, ROLE_VISITOR, 3, 9); /* after that of the mark: 10 */
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    tx_free(tx);
    visit(&w, &s);
    CHECK(strstr(s.text, "unhandled 5 in 7\n") == NULL);
    CHECK(strstr(s.text, "unhandled 10 in 7\n") != NULL);
    world_close(&w);
}

TEST("flows that have not ended come without their log, versions unless old")
{
    struct world w;
    struct seen s;
    REQUIRE(world_open(&w, test_path("d")) == 0);
    struct tx *tx = world_tx(&w);
    for (int i = FLOW_READY; i <= FLOW_CANCELLED; i++)
        tx_put(tx, PUT_FLOW)->flow = ONE(
            tx, flow, .id = (uint64_t)i + 1, .unit = SLICE("flows/x"),
            .state = (enum flow_state)i, .due_at = 10 + i, .log = SLICE("[1]"));
    static const char *const names[] = {"", "a", "b", "c", "d", "e"};
    for (int i = VERSION_SERVING; i <= VERSION_PINNED; i++)
        tx_put(tx, PUT_VERSION)->version =
            ONE(tx, script_version, .unit = SLICE("rules/y"),
                .version = slice_of(names[i]), .state = (enum version_state)i,
                .since_at = i, .sources = SLICE("[2]"));
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    tx_free(tx);
    visit(&w, &s);
    CHECK_EQ_STR(s.text, "flow 1 flows/x state 0 due 10 log ''\n"
                         "flow 2 flows/x state 1 due 11 log ''\n"
                         "flow 3 flows/x state 2 due 12 log ''\n"
                         "version rules/y a state 1 [2]\n"
                         "version rules/y b state 2 [2]\n"
                         "version rules/y d state 4 [2]\n"
                         "version rules/y e state 5 [2]\n");
    world_close(&w);
}
