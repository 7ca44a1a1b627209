/* SPDX-License-Identifier: Apache-2.0 */
/* held_test.c - messages that go out as the answer to a webhook. */
#include "stage.h"

static struct stage s;
static uint64_t conv, agent;

static void open_desk(bool answers)
{
    stage_open(&s);
    s.face = (struct channel_face){.sends = true, .answers = answers};
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

static void comes_to(struct job *job, const char *json)
{
    job->ran = 1;
    job->call->answer = slice_dup(job->arena, slice_of(json));
    stage_job_done(&s, job);
    stage_settle(&s);
}

static struct job *next(enum hook hook, const char *text)
{
    struct job *job = stage_job(&s);
    must(job && job->call);
    CHECK_EQ_INT(job->hook, hook);
    CHECK(memmem(job->call->item.at, job->call->item.len, text, strlen(text)) !=
          NULL);
    return job;
}

TEST("the next message is the answer to the webhook that waits, one of them")
{
    open_desk(true);
    s.held = 42;
    says("a1", "one");
    says("a2", "two");
    struct job *job = next(HOOK_PASSIVE, "one");
    CHECK_EQ_INT((int64_t)job->call->number, 42);
    CHECK(stage_job(&s) == NULL); /* in their order */
    comes_to(job, "{\"sent\":\"ob\"}");
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_SENT);
    job = next(HOOK_DELIVER, "two");
    CHECK_EQ_INT((int64_t)job->call->number, 0);
    comes_to(job, "{\"sent\":\"ob\"}");
    stage_close(&s);
}

TEST("what did not go out with the webhook is sent, once, and in its place")
{
    static const char *const bad[] = {"{}", "{\"retry\":60}",
                                      "{\"failed\":\"x\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        open_desk(true);
        s.held = 42;
        says("a1", "one");
        says("a2", "two");
        comes_to(next(HOOK_PASSIVE, "one"), bad[i]);
        CHECK_EQ_INT(s.outbox[0].state, OUTBOX_WAITING);
        CHECK_EQ_INT(s.outbox[0].attempts, 0);
        comes_to(next(HOOK_DELIVER, "one"), "{\"sent\":\"ob\"}");
        CHECK_EQ_INT(s.outbox[0].state, OUTBOX_SENT);
        comes_to(next(HOOK_DELIVER, "two"), "{\"sent\":\"ob\"}");
        stage_close(&s);
    }
}

TEST("a webhook that comes while a message waits takes it along: past a retry, "
     "a "
     "breaker and a pace")
{
    open_desk(true);
    s.face.rate = 1;
    says("a1", "one");
    comes_to(next(HOOK_DELIVER, "one"), "{\"retry\":600,\"why\":\"busy\"}");
    CHECK(stage_job(&s) == NULL);
    s.held = 7;
    desk_answer_held(s.desk, conv);
    stage_settle(&s); /* its body is read again */
    struct job *job = next(HOOK_PASSIVE, "one");
    desk_answer_held(s.desk, conv); /* it is in one hand (I4) */
    CHECK(stage_job(&s) == NULL);
    comes_to(job, "{\"sent\":\"ob\"}");
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_SENT);
    stage_pass(&s, 700000);
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL);   /* and that was all */
    desk_answer_held(s.desk, conv); /* nothing waits */
    stage_close(&s);
}

TEST("a message that is being taken back does not go with a webhook, either")
{
    open_desk(true);
    says("a1", "one");
    comes_to(next(HOOK_DELIVER, "one"), "{\"retry\":600,\"why\":\"busy\"}");
    stage_recalls(&s, agent, conv, s.outbox[0].pos);
    stage_read(&s);
    stage_read(&s); /* it is held back, and not on disk yet */
    s.held = 7;
    desk_answer_held(s.desk, conv);
    CHECK_EQ_INT((int64_t)s.held, 7);
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL);
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_RECALLED);
    stage_close(&s);
}

TEST("an adapter without passive() gets it as ever")
{
    open_desk(false);
    s.held = 42;
    says("a1", "one");
    comes_to(next(HOOK_DELIVER, "one"), "{\"sent\":\"ob\"}");
    CHECK_EQ_INT((int64_t)s.held, 42);
    stage_close(&s);
}

TEST("a house that stops in the middle sends it after its start")
{
    open_desk(true);
    s.held = 42;
    says("a1", "one");
    struct job *job = next(HOOK_PASSIVE, "one");
    job->result = ERR_CANCELLED;
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_WAITING);
    stage_close(&s);
}
