/* SPDX-License-Identifier: Apache-2.0 */
/* recall_test.c - who may take back what, until when, and what of it goes out. */
#include "stage.h"

static struct stage s;
static uint64_t conv, agent, visitor;

static void open_desk(bool sends, bool recalls)
{
    stage_open(&s);
    s.face = (struct channel_face){.sends = sends, .recalls = recalls};
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_agent(&s, 2, AGENT_ROLE_ADMIN, 5);
    agent = stage_agent_joins(&s, 1);
    visitor = stage_visitor_joins(&s, 100);
    conv = stage_conversation(&s, 100);
}

/* Its position. */
static uint64_t says(uint64_t peer, const char *ref, const char *text)
{
    stage_says(&s, peer, conv, ref, text);
    stage_settle(&s);
    for (uint64_t i = s.pos; i; i--)
        if (s.journal[i].name == EVENT_MESSAGE_CREATED)
            return i;
    return 0;
}

static const char *recalls(uint64_t peer, uint64_t pos)
{
    (void)stage_hears(&s, peer);
    stage_recalls(&s, peer, conv, pos);
    stage_settle(&s);
    return stage_hears(&s, peer);
}

static bool has(struct slice all, const char *text)
{
    return memmem(all.at, all.len, text, strlen(text)) != NULL;
}

static int updates(void)
{
    int n = 0;
    for (uint64_t i = 1; i <= s.pos; i++)
        n += s.journal[i].name == EVENT_MESSAGE_UPDATED;
    return n;
}

static void answers(struct job *job, const char *json)
{
    job->ran = 1;
    job->call->answer = slice_dup(job->arena, slice_of(json));
    stage_job_done(&s, job);
    stage_settle(&s);
}

TEST("what one said goes for everybody, once, and only one's own")
{
    open_desk(false, false);
    uint64_t mine = says(agent, "a1", "a secret"),
             hers = says(visitor, "v1", "hers");
    CHECK(strstr(recalls(agent, hers), "forbidden") != NULL);
    CHECK(strstr(recalls(visitor, mine), "forbidden") != NULL);
    CHECK(strstr(recalls(agent, 9999), "not_found") != NULL);
    CHECK_EQ_INT(updates(), 0);
    (void)stage_hears(&s, visitor);
    CHECK(strstr(recalls(agent, mine), "ack") != NULL);
    CHECK(strstr(stage_hears(&s, visitor), "message.updated") != NULL);
    CHECK(!has(s.journal[mine].body, "secret"));
    CHECK(has(s.journal[mine].body, "\"recalled\":true"));
    CHECK(has(s.journal[mine].body, "\"sender\""));
    CHECK(strstr(recalls(agent, mine), "ack") != NULL);
    CHECK_EQ_INT(updates(), 1);
    CHECK_SLICE(stage_conv(&s, conv)->preview, "hers");
    CHECK(strstr(recalls(visitor, hers), "ack") != NULL);
    CHECK_SLICE(stage_conv(&s, conv)->preview, "[recalled]");
    stage_close(&s);
}

TEST("not later than the setting says; two at once are one; a failure is told")
{
    open_desk(false, false);
    uint64_t a = says(agent, "a1", "one"), b = says(agent, "a2", "two");
    stage_recalls(&s, agent, conv, a);
    stage_read(&s);
    stage_fail(&s, ERR_UNAVAILABLE);
    stage_settle(&s);
    CHECK(strstr(stage_hears(&s, agent), "unavailable") != NULL);
    stage_recalls(&s, agent, conv, a);
    stage_read(&s);
    stage_fail(&s, ERR_CONFLICT); /* somebody was quicker */
    stage_settle(&s);
    CHECK(strstr(stage_hears(&s, agent), "ack") != NULL);
    CHECK_EQ_INT(updates(), 0);
    stage_pass(&s, 119000);
    CHECK(strstr(recalls(agent, a), "ack") != NULL);
    stage_pass(&s, 2000);
    CHECK(strstr(recalls(agent, b), "unprocessable") != NULL);
    CHECK_EQ_INT(updates(), 1);
    stage_close(&s);
}

TEST("what waits in the outbox is never sent; if it cannot be taken back after "
     "all, it goes")
{
    open_desk(true, false);
    says(agent, "a1", "one");
    uint64_t two = says(agent, "a2", "two");
    uint64_t three = says(agent, "a3", "three");
    stage_recalls(&s, agent, conv, two);
    stage_read(&s);
    stage_read(&s);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    job->ran = 1;
    job->call->answer = slice_dup(job->arena, SLICE("{\"sent\":\"p1\"}"));
    stage_job_done(&s, job);
    stage_fail(&s, ERR_UNAVAILABLE); /* the recall */
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "\"text\":\"two\""));
    CHECK(strstr(recalls(agent, three), "ack") != NULL);
    answers(job, "{\"sent\":\"p2\"}");
    CHECK(stage_job(&s) == NULL);
    CHECK_EQ_INT(s.outbox[2].state, OUTBOX_RECALLED);
    CHECK_EQ_INT(s.outbox_count, 3);
    /* Sent, and the platform takes nothing back. */
    CHECK(strstr(recalls(agent, two), "unsupported") != NULL);
    CHECK(has(s.journal[two].body, "two"));
    CHECK_EQ_INT(updates(), 1);
    stage_close(&s);
}

TEST("what was sent is taken back by the adapter, again and again, behind it")
{
    open_desk(true, true);
    uint64_t one = says(agent, "a1", "one");
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(strstr(recalls(agent, one), "ack") != NULL);
    CHECK(stage_job(&s) == NULL); /* it is still on its way there */
    answers(job, "{\"sent\":\"p1\"}");
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->hook, HOOK_RECALL);
    CHECK(has(job->call->item, "\"sent\":\"p1\""));
    answers(job, "{\"retry\":0}");
    stage_pass(&s, 1200);
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    answers(job, "{\"recalled\":true}");
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_SENT);
    CHECK_EQ_INT(s.outbox[1].state, OUTBOX_SENT);
    CHECK(s.outbox[1].undoes == s.outbox[0].id);
    CHECK(has(s.journal[s.pos].body, "\"status\":\"recalled\""));
    CHECK(stage_job(&s) == NULL);
    stage_close(&s);
}

TEST("recalled while the platform is asked in vain: it is not tried again")
{
    open_desk(true, true);
    uint64_t one = says(agent, "a1", "one");
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(strstr(recalls(agent, one), "ack") != NULL);
    answers(job, "{\"retry\":0}");
    stage_pass(&s, 1200);
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL);
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_RECALLED);
    CHECK_EQ_INT(s.outbox[1].state, OUTBOX_SENT); /* nothing to take back */
    uint64_t two = says(agent, "a2", "two");
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(has(job->call->item, "two"));
    answers(job, "{\"failed\":\"blocked\"}");
    CHECK(strstr(recalls(agent, two), "ack") != NULL);
    CHECK_EQ_INT(s.outbox[2].state,
                 OUTBOX_RECALLED); /* no second try by hand */
    CHECK(stage_job(&s) == NULL);
    stage_close(&s);
}
