/* SPDX-License-Identifier: Apache-2.0 */
/* script_test.c - the pipeline: who is asked, in what order, what comes out. */
#include "world.h"

TEST("a rule replies and its text comes out as an effect")
{
    struct world w;
    world_with(&w, "return { api = 1, on_message = function(conv, msg)\n"
                   "  conv:reply('you said ' .. msg.text)\n"
                   "end }");
    struct job *job = world_say(&w, "hello");
    CHECK_EQ_INT(job->result, 0);
    CHECK(!job->decided);
    CHECK_EQ_INT(job->count, 1);
    CHECK_SLICE(effect_text(job, EFFECT_REPLY), "you said hello");
    CHECK(contains(job->first->body, "\"kind\":\"text\""));
    CHECK_SLICE(job->first->unit, "rules/10-a");
    job_free(job);
    world_close(&w);
}
