/* SPDX-License-Identifier: Apache-2.0 */
/* typing_test.c - platforms are told that somebody types, now and then. */
#include "stage.h"

static struct stage s;
static uint64_t conv, agent, visitor;

static void open_desk(bool types)
{
    stage_open(&s);
    s.face = (struct channel_face){.sends = true, .types = types};
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    agent = stage_agent_joins(&s, 1);
    visitor = stage_visitor_joins(&s, 100);
    conv = stage_conversation(&s, 100);
}

TEST("an agent who types is shown once in a while, a visitor's typing goes "
     "nowhere")
{
    open_desk(true);
    stage_types(&s, visitor, conv);
    CHECK(stage_job(&s) == NULL);
    stage_types(&s, agent, conv);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL && job->call != NULL);
    CHECK_EQ_INT(job->hook, HOOK_TYPING);
    CHECK_SLICE(job->unit, "channels/web");
    CHECK(memmem(job->call->item.at, job->call->item.len, "\"to\"", 4) != NULL);
    stage_types(&s, agent, conv);
    CHECK(stage_job(&s) == NULL); /* a moment ago */
    job->ran = 1;
    stage_job_done(&s, job);
    stage_pass(&s, 4100);
    stage_types(&s, agent, conv);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    job->failures = 1; /* nobody minds */
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL);
    CHECK_EQ_INT(s.outbox_count, 0);
    stage_close(&s);
}

TEST("an adapter without typing() is not asked, nor one behind an open breaker")
{
    open_desk(false);
    stage_types(&s, agent, conv);
    CHECK(stage_job(&s) == NULL);
    s.face.types = true;
    desk_faces_changed(s.desk);
    stage_says(&s, agent, conv, "a1", "one");
    stage_settle(&s);
    for (int i = 0; i < 5; i++) { /* five in a row open it */
        struct job *job = stage_job(&s);
        for (int waits = 0; !job && waits < 200; waits++) {
            stage_pass(&s, 1000);
            stage_settle(&s);
            job = stage_job(&s);
        }
        REQUIRE(job != NULL);
        job->ran = 1;
        job->call->answer = slice_dup(job->arena, SLICE("{\"retry\":0}"));
        stage_job_done(&s, job);
        stage_settle(&s);
    }
    stage_types(&s, agent, conv);
    CHECK(stage_job(&s) == NULL);
    stage_close(&s);
}
