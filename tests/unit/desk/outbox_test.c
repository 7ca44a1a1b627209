/* SPDX-License-Identifier: Apache-2.0 */
/* outbox_test.c - messages to platforms: in order, at their pace, to the end. */
#include "base/clock.h"
#include "stage.h"

static struct stage s;
static uint64_t conv, agent;

/* A conversation of a channel with an adapter; agent 1 holds it. */
static void open_desk(void)
{
    stage_open(&s);
    s.face = (struct channel_face){.sends = true};
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    agent = stage_agent_joins(&s, 1);
    stage_visitor_joins(&s, 100);
    conv = stage_conversation(&s, 100);
}

static void says(const char *ref, const char *text)
{
    stage_says(&s, agent, conv, ref, text);
    stage_settle(&s);
}

static void answers(struct job *job, const char *json)
{
    job->ran = 1;
    job->call->answer = slice_dup(job->arena, slice_of(json));
    stage_job_done(&s, job);
    stage_settle(&s);
}

static bool has(struct slice all, const char *text)
{
    return memmem(all.at, all.len, text, strlen(text)) != NULL;
}

static int statuses(const char *text)
{
    int n = 0;
    for (uint64_t i = 1; i <= s.pos; i++)
        n += s.journal[i].name == EVENT_MESSAGE_STATUS &&
             has(s.journal[i].body, text);
    return n;
}

TEST("a message and its row are one transaction (I4), private notes stay here")
{
    open_desk();
    stage_notes(&s, agent, conv, "n1", "between us");
    stage_settle(&s);
    CHECK_EQ_INT(s.outbox_count, 0);
    stage_says(&s, agent, conv, "a1", "hello");
    CHECK(stage_job(&s) == NULL); /* not before it is on disk */
    struct tx *tx = (struct tx *)s.txs;
    REQUIRE(tx != NULL && tx->puts && tx->puts->kind == PUT_OUTBOX);
    stage_settle(&s);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL && job->call != NULL);
    CHECK_EQ_INT(job->hook, HOOK_DELIVER);
    CHECK_SLICE(job->unit, "channels/web");
    CHECK(has(job->call->item, "\"text\":\"hello\""));
    answers(job, "{\"sent\":\"p1\"}");
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_SENT);
    CHECK_SLICE(s.outbox[0].remote, "p1");
    CHECK_EQ_INT(statuses("\"sent\""), 1);
    stage_close(&s);
}

TEST("one message of a conversation is under way at a time, in their order")
{
    open_desk();
    says("a1", "one");
    says("a2", "two");
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "one"));
    CHECK(stage_job(&s) == NULL);
    answers(job, "{\"sent\":\"p1\"}");
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "two"));
    answers(job, "{\"sent\":\"p2\"}");
    stage_close(&s);
}

TEST("a retry holds back what comes behind it, and waits longer each time")
{
    open_desk();
    says("a1", "one");
    says("a2", "two");
    struct job *job = stage_job(&s);
    answers(job, "{\"retry\":0,\"why\":\"busy\"}");
    CHECK(stage_job(&s) == NULL);
    CHECK_EQ_INT(s.outbox[0].attempts, 1);
    CHECK_SLICE(s.outbox[0].reason, "busy");
    stage_pass(&s, 1200);
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "one"));
    CHECK(has(job->call->item, "\"attempt\":2"));
    answers(job, "{\"retry\":60}");
    stage_pass(&s, 30000);
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL); /* the platform's word counts */
    stage_pass(&s, 31000);
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    answers(job, "{\"sent\":\"p\"}");
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "two"));
    answers(job, "{\"sent\":\"p\"}");
    stage_close(&s);
}

TEST("what the platform refuses is dead with its reason; the next one goes")
{
    open_desk();
    says("a1", "one");
    says("a2", "two");
    answers(stage_job(&s),
            "{\"failed\":\"window_closed\",\"why\":\"48 hours are over\"}");
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_DEAD);
    CHECK_EQ_INT(statuses("48 hours are over"), 1);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "two"));
    answers(job, "{\"sent\":\"p\"}");
    stage_close(&s);
}

static int resent;

static void on_resent(void *arg, int result)
{
    (void)arg;
    resent = result + 1;
}

TEST("a dead message is sent again by hand, one that is sent is not")
{
    open_desk();
    says("a1", "one");
    answers(stage_job(&s), "{\"failed\":\"gone\"}");
    struct outbox row = s.outbox[0];
    resent = 0;
    desk_resend(s.desk, &row, on_resent, NULL);
    stage_settle(&s);
    CHECK_EQ_INT(resent, 1);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "one")); /* read again from the journal */
    answers(job, "{\"sent\":\"p\"}");
    row = s.outbox[0];
    CHECK_EQ_INT(row.state, OUTBOX_SENT);
    desk_resend(s.desk, &row, on_resent, NULL);
    CHECK_EQ_INT(resent, ERR_CONFLICT + 1);
    stage_close(&s);
}

TEST("without its adapter a message waits, and goes when that has come")
{
    open_desk();
    says("a1", "one");
    struct job *job = stage_job(&s);
    stage_job_done(&s, job); /* nobody ran */
    stage_settle(&s);
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_WAITING);
    CHECK_EQ_INT(s.outbox[0].attempts, 0);
    desk_faces_changed(s.desk);
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    answers(job, "{\"sent\":\"p\"}");
    stage_close(&s);
}

TEST("a channel's pace is kept, over all its conversations")
{
    open_desk();
    s.face.rate = 2;
    s.face.burst = 2;
    desk_faces_changed(s.desk);
    uint64_t first = conv;
    stage_visitor_joins(&s, 101);
    uint64_t second = stage_conversation(&s, 101);
    stage_visitor_joins(&s, 102);
    uint64_t third = stage_conversation(&s, 102);
    says("a1", "one");
    conv = second;
    says("a2", "two");
    conv = third;
    says("a3", "three");
    struct job *one = stage_job(&s), *two = stage_job(&s);
    REQUIRE(one != NULL && two != NULL);
    CHECK(stage_job(&s) == NULL);
    answers(one, "{\"sent\":\"p\"}");
    answers(two, "{\"sent\":\"p\"}");
    CHECK(stage_job(&s) == NULL);
    stage_pass(&s, 700);
    stage_settle(&s);
    struct job *three = stage_job(&s);
    REQUIRE(three != NULL);
    answers(three, "{\"sent\":\"p\"}");
    CHECK(first != second);
    stage_close(&s);
}

TEST("a channel that fails again and again is left alone for a while")
{
    open_desk();
    says("a1", "one");
    for (int i = 0; i < 5; i++) {
        struct job *job = stage_job(&s);
        REQUIRE(job != NULL);
        job->failures = 1;
        job->trouble = SLICE("connection refused");
        answers(job, "");
        if (i < 4) {
            stage_pass(&s, 700000);
            stage_settle(&s);
        }
    }
    stage_visitor_joins(&s, 101);
    conv = stage_conversation(&s, 101);
    says("b1", "another");
    CHECK(stage_job(&s) == NULL); /* its breaker is open */
    stage_pass(&s, 11000);
    stage_settle(&s);
    struct job *probe = stage_job(&s);
    REQUIRE(probe != NULL);
    CHECK(stage_job(&s) == NULL); /* one probe */
    answers(probe, "{\"sent\":\"p\"}");
    stage_pass(&s, 3600000);
    stage_settle(&s);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    answers(job, "{\"sent\":\"p\"}");
    stage_close(&s);
}

TEST(
    "what waits for its visitor holds up nobody else, and goes when they write")
{
    open_desk();
    uint64_t anna = stage_visitor_joins(&s, 100);
    uint64_t first = conv;
    says("a1", "one");
    for (int i = 0; i < 6; i++) { /* the breaker would be open */
        struct job *job = stage_job(&s);
        REQUIRE(job != NULL);
        answers(job, "{\"retry\":60,\"until_heard\":true,\"why\":\"5 sent\"}");
        if (i < 5) {
            stage_pass(&s, 1900000);
            stage_settle(&s);
        }
    }
    stage_visitor_joins(&s, 101);
    conv = stage_conversation(&s, 101);
    says("b1", "another");
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "another"));
    answers(job, "{\"sent\":\"p\"}");
    CHECK(stage_job(&s) == NULL);
    stage_says(&s, anna, first, "v1", "hello?");
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "one"));
    /* They write while it is with the adapter: at once again. */
    stage_says(&s, anna, first, "v2", "and?");
    stage_settle(&s);
    answers(job, "{\"retry\":60,\"until_heard\":true}");
    job = stage_job(&s);
    REQUIRE(job != NULL);
    answers(job, "{\"sent\":\"p\"}");
    stage_close(&s);
}

TEST("after a restart what waits goes on, in its order")
{
    open_desk();
    says("a1", "one");
    says("a2", "two");
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    struct outbox rows[2] = {s.outbox[0], s.outbox[1]};
    answers(job, "{\"sent\":\"p\"}");
    answers(stage_job(&s), "{\"sent\":\"p\"}");
    rows[0].id = 9001;
    rows[1].id = 9002;
    rows[0].conv = rows[1].conv = 77; /* one that is not in memory */
    desk_restore_outbox(s.desk, &rows[0]);
    desk_restore_outbox(s.desk, &rows[1]);
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "one"));
    answers(job, "{\"sent\":\"p\"}");
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "two"));
    answers(job, "{\"sent\":\"p\"}");
    stage_close(&s);
}

TEST("after a restart, too, what waits is tried when its visitor writes")
{
    open_desk();
    uint64_t anna = stage_visitor_joins(&s, 100);
    says("a1", "one");
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    struct outbox row = s.outbox[0];
    answers(job, "{\"sent\":\"p\"}");
    row.id = 9001;
    row.attempts = 3;
    row.due_at = INT64_MAX; /* as read from the database */
    desk_restore_outbox(s.desk, &row);
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL);
    stage_says(&s, anna, conv, "v1", "hello?");
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "one"));
    answers(job, "{\"sent\":\"p\"}");
    stage_close(&s);
}

TEST("a receipt is told, and a failed one makes a dead message")
{
    open_desk();
    says("a1", "one");
    CHECK(desk_is_sending(s.desk, 1));
    struct job *job = stage_job(&s);
    job->ran = 1;
    job->call->answer = SLICE("{\"sent\":\"p1\"}");
    stage_job_done(&s, job);
    CHECK(desk_is_sending(s.desk, 1)); /* not stored yet */
    stage_settle(&s);
    CHECK(!desk_is_sending(s.desk, 1));
    struct outbox row = s.outbox[0];
    desk_receipt(s.desk, &row, SLICE("delivered"), SLICE(""));
    stage_settle(&s);
    CHECK_EQ_INT(statuses("\"delivered\""), 1);
    CHECK_EQ_INT(s.outbox[0].receipt, RECEIPT_DELIVERED);
    row = s.outbox[0];
    desk_receipt(s.desk, &row, SLICE("read"), SLICE(""));
    stage_settle(&s);
    row = s.outbox[0];
    desk_receipt(s.desk, &row, SLICE("delivered"), SLICE("")); /* late */
    stage_settle(&s);
    CHECK_EQ_INT(s.outbox[0].receipt, RECEIPT_READ);
    desk_receipt(s.desk, &row, SLICE("failed"), SLICE("blocked"));
    stage_settle(&s);
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_DEAD);
    CHECK_SLICE(s.outbox[0].reason, "blocked");
    stage_close(&s);
}
