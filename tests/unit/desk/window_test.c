/* SPDX-License-Identifier: Apache-2.0 */
/* window_test.c - answers that a platform takes only for so long, or so many. */
#include "base/clock.h"
#include "stage.h"

#define HOUR (3600LL * 1000)

static struct stage s;
static uint64_t conv, agent, anna;

/* A channel with a window; anna wrote just now, agent 1 holds it. */
static void open_desk(int64_t ms, int32_t count)
{
    stage_open(&s);
    s.face = (struct channel_face){
        .sends = true, .reply_window_ms = ms, .reply_count = count};
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    agent = stage_agent_joins(&s, 1);
    anna = stage_visitor_joins(&s, 100);
    conv = stage_conversation(&s, 100);
}

static void says(uint64_t peer, const char *ref, const char *text)
{
    stage_says(&s, peer, conv, ref, text);
    stage_settle(&s);
}

static void sent(void)
{
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    job->ran = 1;
    job->call->answer = SLICE("{\"sent\":\"p\"}");
    stage_job_done(&s, job);
    stage_settle(&s);
}

static int told(const char *what)
{
    int n = 0;
    for (size_t i = 0; i < s.told_count; i++)
        n += strstr(s.told[i], what) != NULL;
    return n;
}

static bool has(struct slice all, const char *text)
{
    return memmem(all.at, all.len, text, strlen(text)) != NULL;
}

static struct conversation now(void)
{
    struct conversation c = *desk_conversation(s.desk, conv);
    desk_window(s.desk, &c);
    return c;
}

TEST("inside the window an answer goes, behind it nothing is stored")
{
    open_desk(48 * HOUR, 0);
    says(agent, "a1", "hello");
    sent();
    CHECK_EQ_INT(window_until(&(struct conversation){.heard_at = 5,
                                                     .window = {.ms = 10}}),
                 15);
    CHECK(window_until(&(struct conversation){0}) == 0);
    struct conversation c = now();
    CHECK_EQ_INT(window_until(&c), c.heard_at + 48 * HOUR);
    stage_pass(&s, 48 * HOUR);
    stage_settle(&s);
    uint64_t before = s.pos;
    says(agent, "a2", "still there?");
    CHECK_EQ_INT(s.pos, before);
    CHECK_EQ_INT(told("unprocessable"), 1);
    CHECK(stage_job(&s) == NULL);
    stage_notes(&s, agent, conv, "n1", "a note stays here");
    stage_settle(&s);
    CHECK_EQ_INT(s.pos, before + 1);
    says(anna, "v2", "yes");
    says(agent, "a3", "good");
    sent();
    CHECK_EQ_INT(told("unprocessable"), 1);
    stage_close(&s);
}

TEST("so many answers to a message, no more until the next one")
{
    open_desk(0, 2);
    says(agent, "a1", "one");
    sent();
    CHECK_EQ_INT(now().said, 1);
    says(agent, "a2", "two");
    sent();
    uint64_t before = s.pos;
    says(agent, "a3", "three");
    CHECK_EQ_INT(s.pos, before);
    CHECK_EQ_INT(told("unprocessable"), 1);
    says(anna, "v2", "and?");
    CHECK_EQ_INT(now().said, 0);
    says(agent, "a4", "four");
    sent();
    stage_close(&s);
}

TEST("the last answer sent again after its ack got lost is acknowledged")
{
    open_desk(0, 1);
    says(agent, "a1", "one");
    sent();
    says(agent, "a1", "one");
    CHECK_EQ_INT(told("duplicate"), 1);
    CHECK_EQ_INT(told("unprocessable"), 0);
    stage_close(&s);
}

TEST("what waited until the window closed is dead with that reason, unasked")
{
    open_desk(HOUR, 0);
    says(agent, "a1", "one");
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    job->ran = 1;
    job->call->answer = SLICE("{\"retry\":7200,\"why\":\"down\"}");
    stage_job_done(&s, job);
    stage_settle(&s);
    says(agent, "a2", "two");
    stage_pass(&s, 3 * HOUR);
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL);
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_DEAD);
    CHECK_EQ_INT(s.outbox[1].state, OUTBOX_DEAD);
    CHECK(has(s.outbox[0].reason, "window"));
    bool coded = false;
    for (uint64_t i = 1; i <= s.pos; i++)
        coded |= s.journal[i].name == EVENT_MESSAGE_STATUS &&
                 has(s.journal[i].body, "\"code\":\"window_closed\"");
    CHECK(coded);
    /* By hand, after they wrote: it goes. */
    says(anna, "v2", "hello?");
    struct outbox row = s.outbox[0];
    desk_resend(s.desk, &row, NULL, NULL);
    stage_settle(&s);
    sent();
    stage_close(&s);
}

TEST("a conversation tells until when and how many, or that there is no limit")
{
    struct buf b;
    buf_init(&b, 4096);
    struct conversation c = {.id = 1,
                             .heard_at = 1000,
                             .said = 2,
                             .window = {.ms = 500, .count = 5}};
    REQUIRE(conversation_write(&b, &c) == 0);
    CHECK(has(buf_slice(&b), "\"reply_until_at\":1500,\"reply_left\":3,"
                             "\"reply_window\":{\"ms\":500,\"count\":5}"));
    b.len = 0;
    c.window = (struct reply_window){0};
    REQUIRE(conversation_write(&b, &c) == 0);
    CHECK(has(buf_slice(&b), "\"reply_until_at\":null,\"reply_left\":null,"
                             "\"reply_window\":null"));
    buf_fini(&b);
}

TEST("a script's answer past the window is refused, with the reason told")
{
    open_desk(0, 1);
    says(agent, "a1", "one");
    sent();
    CHECK_EQ_INT(now().said, 1);
    s.wants = true;
    struct alarm al = {.id = 900,
                       .due_at = s.now + 1000,
                       .conversation = conv,
                       .unit = SLICE("rules/x"),
                       .name = SLICE("later"),
                       .data = SLICE("{}")};
    desk_restore_alarm(s.desk, &al);
    stage_pass(&s, 2000);
    stage_settle(&s);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->hook, HOOK_TIMER);
    struct effect *e = job_effect(job, EFFECT_REPLY);
    e->unit = SLICE("rules/x");
    e->body = SLICE("{\"kind\":\"text\",\"text\":\"late\"}");
    job->ran = 1;
    uint32_t seq = now().last_seq;
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(now().last_seq, seq);
    CHECK(stage_job(&s) == NULL);
    stage_close(&s);
}
