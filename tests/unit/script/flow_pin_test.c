/* SPDX-License-Identifier: Apache-2.0 */
/* flow_pin_test.c - runs of a flow and the versions of its file. */
#include "flow.h"

#define FLOW(more, text)                                                       \
    "return { api = 1, " more " run = function(conv) wait_reply() "            \
    "conv:reply '" text "' end }"

static void rewrite(struct flowing *f, const char *text)
{
    flowing_wait(f, 1000);
    world_rewrite(&f->w, "flows/a", text);
}

TEST("a run of a pinned flow goes on on the version it began with")
{
    struct flowing f;
    flowing_init(&f, FLOW("pin = true,", "old"));
    flowing_open(&f, "{}");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_WAITING);
    rewrite(&f, FLOW("pin = true,", "new"));
    flowing_on(&f, "reply", "x");
    CHECK_SAID(&f, "old|");
    f.row = (struct flow){.id = 4712,
                          .unit = SLICE("flows/a"),
                          .conv = 5,
                          .state = FLOW_READY,
                          .args = SLICE("{}"),
                          .log = SLICE("[]"),
                          .view = SLICE("{}")};
    struct job *job = flowing_job(&f, "start", NULL);
    job->conv.created_at = f.now; /* a conversation of the new one's time */
    job = world_run(&f.w, job);
    flowing_commit(&f, job);
    job_free(job);
    flowing_on(&f, "reply", "x");
    CHECK_SAID(&f, "old|new|");
    flowing_close(&f);
}

TEST("without pin it goes on on the new one")
{
    struct flowing f;
    flowing_init(&f, FLOW("", "old"));
    flowing_open(&f, "{}");
    flowing_on(&f, "start", NULL);
    rewrite(&f, FLOW("", "new"));
    flowing_on(&f, "reply", "x");
    CHECK_SAID(&f, "new|");
    flowing_close(&f);
}

TEST("the runs of a flow that is tried are counted, well or failed")
{
    struct flowing f;
    struct arena *a = arena_new();
    flowing_init(&f, FLOW("", "old"));
    flowing_open(&f, "{}");
    rewrite(&f, FLOW("canary = 99,", "new"));
    for (uint64_t conv = 1; conv <= 30; conv++) {
        struct job *job = flowing_job(&f, "start", NULL);
        job->conv.id = conv;
        job->conv.created_at = f.now;
        job_free(world_run(&f.w, job));
    }
    const struct json *canary =
        json_get(world_unit(&f.w, a, "flows/a"), "canary");
    const struct json *side = json_get(canary, "canary");
    int64_t stable = json_int(json_get(canary, "stable"), "calls", -1);
    CHECK(json_int(side, "calls", 0) >= 25);
    CHECK_EQ_INT(json_int(side, "calls", 0) + stable, 30);
    CHECK_EQ_INT(json_int(side, "errors", -1), 0);
    CHECK_EQ_INT(json_int(side, "conversations", 0),
                 json_int(side, "calls", 0));
    flowing_close(&f);
    arena_free(a);
}
