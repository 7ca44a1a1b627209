/* SPDX-License-Identifier: Apache-2.0 */
/* push_test.c - who has no socket gets a push, once, for all that waits. */
#include "stage.h"
#include <stdio.h>

static struct stage s;
static uint64_t conv, agent, visitor;

static void open_desk(void)
{
    stage_open(&s);
    s.face = (struct channel_face){
        .pushes = true, .push_after_ms = 5000, .push_quiet_ms = 20000};
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    agent = stage_agent_joins(&s, 1);
    conv = stage_conversation(&s, 100); /* by a socket of its visitor's */
    visitor = s.next_peer - 1;
    s.row = (struct conversation){
        .id = conv, .channel = 1, .contact = 100, .last_seq = 1};
}

static void says(const char *ref, const char *text)
{
    stage_says(&s, agent, conv, ref, text);
    stage_settle(&s);
    s.row.last_seq++;
    s.row.said++;
}

static void pass(int64_t ms)
{
    for (; ms > 0; ms -= 500) {
        stage_pass(&s, ms < 500 ? ms : 500);
        stage_settle(&s);
    }
}

static bool has(const struct job *job, const char *text)
{
    struct slice all = job->call->item;
    return memmem(all.at, all.len, text, strlen(text)) != NULL;
}

static void answers(struct job *job, const char *json)
{
    job->ran = 1;
    job->call->answer = slice_dup(job->arena, slice_of(json));
    stage_job_done(&s, job);
    stage_settle(&s);
}

static struct job *pushed(void)
{
    struct job *job = stage_job(&s);
    if (job)
        CHECK_EQ_INT(job->hook, HOOK_PUSH);
    return job;
}

TEST("what a living socket has brought is delivered, and nobody is pushed")
{
    open_desk();
    says("a1", "one");
    says("a2", "two");
    CHECK_EQ_INT(s.outbox_count, 2);
    pass(4000);
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_WAITING);
    pass(1500);
    CHECK(pushed() == NULL);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ_INT(s.outbox[i].state, OUTBOX_SENT);
        CHECK_EQ_INT(s.outbox[i].receipt, RECEIPT_DELIVERED);
    }
    CHECK_EQ_INT(s.probes, 0);
    CHECK(strstr(stage_hears(&s, agent), "message.status") != NULL);
    CHECK(strstr(stage_hears(&s, visitor), "message.status") == NULL);
    stage_close(&s);
}

TEST("who is gone gets one push for all that waits, then it is quiet")
{
    open_desk();
    stage_gone(&s, visitor);
    says("a1", "one");
    pass(3000);
    says("a2", "two");
    says("a3", "three");
    pass(2500);
    struct job *job = pushed();
    REQUIRE(job != NULL);
    CHECK(has(job, "\"text\":\"three\""));
    CHECK(has(job, "\"count\":3,\"unread\":3"));
    CHECK(has(job, "\"contact\":\"ct_"));
    says("a4", "four"); /* while it is under way: of the next */
    answers(job, "{\"sent\":\"p1\"}");
    for (int i = 0; i < 3; i++)
        CHECK_EQ_INT(s.outbox[i].state, OUTBOX_SENT);
    CHECK_EQ_INT(s.outbox[3].state, OUTBOX_WAITING);
    pass(15000);
    CHECK(pushed() == NULL);
    says("a5", "five");
    pass(6000);
    job = pushed();
    REQUIRE(job != NULL);
    CHECK(has(job, "\"text\":\"five\"") && has(job, "\"count\":2"));
    answers(job, "{\"sent\":\"p2\"}");
    pass(60000);
    CHECK(pushed() == NULL);
    CHECK_EQ_INT(s.outbox[4].state, OUTBOX_SENT);
    stage_close(&s);
}

TEST("a socket that is silent is asked for a sign, then not counted on")
{
    open_desk();
    s.silence = 60000;
    says("a1", "one");
    pass(5500);
    CHECK_EQ_INT(s.probes, 1);
    CHECK(pushed() == NULL);
    pass(2500);
    struct job *job = pushed();
    REQUIRE(job != NULL);
    answers(job, "{\"sent\":\"p1\"}");
    pass(21000);
    says("a2", "two");
    pass(5500);
    CHECK_EQ_INT(s.probes, 2);
    s.silence = 100; /* its pong has come */
    pass(2500);
    CHECK(pushed() == NULL);
    CHECK_EQ_INT(s.outbox[1].receipt, RECEIPT_DELIVERED);
    stage_close(&s);
}

TEST("what the store knows to be read needs no push")
{
    open_desk();
    says("a1", "one");
    stage_gone(&s, visitor);
    s.row.visitor_read = s.outbox[0].seq;
    pass(6000);
    CHECK(pushed() == NULL);
    CHECK_EQ_INT(s.outbox[0].receipt, RECEIPT_DELIVERED);
    says("a2", "two");
    says("a3", "three");
    s.row.visitor_read = s.outbox[1].seq;
    pass(6000);
    struct job *job = pushed();
    REQUIRE(job != NULL);
    CHECK(has(job, "\"count\":1,\"unread\":1"));
    answers(job, "{\"sent\":\"p1\"}");
    stage_close(&s);
}

TEST("a push that fails comes again with the same id; one that is refused is "
     "dead")
{
    char id[40], first[40];
    open_desk();
    stage_gone(&s, visitor);
    says("a1", "one");
    says("a2", "two");
    pass(6000);
    struct job *job = pushed();
    REQUIRE(job != NULL);
    snprintf(first, sizeof first, "%.22s", job->call->item.at);
    answers(job, "{\"retry\":1,\"why\":\"busy\"}");
    CHECK_EQ_INT(s.outbox[0].attempts, 1);
    pass(3000);
    job = pushed();
    REQUIRE(job != NULL);
    snprintf(id, sizeof id, "%.22s", job->call->item.at);
    CHECK_EQ_STR(id, first);
    CHECK(has(job, "\"attempt\":2"));
    answers(job, "{\"failed\":\"gone\",\"why\":\"no device\"}");
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_DEAD);
    CHECK_EQ_INT(s.outbox[1].state, OUTBOX_DEAD);
    CHECK_SLICE(s.outbox[1].reason, "no device");
    stage_close(&s);
}

TEST("after a restart sockets have time to come back before anybody is pushed")
{
    stage_open(&s);
    s.face = (struct channel_face){
        .pushes = true, .push_after_ms = 5000, .push_quiet_ms = 20000};
    struct contact c = {.id = 100, .channel = 1};
    s.row = (struct conversation){
        .id = 7, .channel = 1, .contact = 100, .last_seq = 3, .said = 1};
    struct outbox o = {.id = 9,
                       .pos = 1,
                       .seq = 3,
                       .conv = 7,
                       .channel = 1,
                       .contact = 100,
                       .created_at = s.now - 60000,
                       .state = OUTBOX_WAITING};
    desk_restore_outbox(s.desk, &o);
    pass(8000);
    CHECK(pushed() == NULL);
    desk_join_visitor(s.desk, &(struct join){.peer = 50}, 1, &c, true, false);
    pass(3000);
    CHECK(pushed() == NULL);
    CHECK_EQ_INT(s.outbox[0].receipt, RECEIPT_DELIVERED);
    stage_close(&s);
}
