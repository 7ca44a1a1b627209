/* SPDX-License-Identifier: Apache-2.0 */
/* flows_test.c - durable runs of scripts: started, woken, ended. */
#include "base/clock.h"
#include "stage.h"

static struct stage s;

static struct effect *add(struct job *job, enum effect_type type,
                          const char *text)
{
    struct effect *fx = job_effect(job, type);
    fx->unit = SLICE("rules/10-test");
    fx->text = slice_of(text);
    fx->body = SLICE("{\"kind\":\"text\",\"text\":\"from the rule\"}");
    fx->name = SLICE("flows/refund");
    fx->data = SLICE("{}");
    job->ran = 1;
    return fx;
}

static int messages(enum role role)
{
    int n = 0;
    for (uint64_t i = 1; i <= s.pos; i++)
        n += s.journal[i].name == EVENT_MESSAGE_CREATED &&
             s.journal[i].role == role;
    return n;
}

/* A rule has started a flow for visitor 100 (peer 1); it is about to run. */
static struct job *started(uint64_t *conv)
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_SUPERVISOR, 5);
    stage_visitor_joins(&s, 100);
    stage_says(&s, 1, 0, "v1", "refund");
    stage_settle(&s);
    *conv = s.acked_conv;
    struct job *job = stage_job(&s);
    add(job, EFFECT_FLOW, "");
    job->decided = true;
    stage_job_done(&s, job);
    stage_settle(&s);
    return stage_job(&s);
}

static void parks(struct job *job, enum flow_state state, int64_t due_at)
{
    job->ran = 1;
    job->flow->state = state;
    job->flow->due_at = due_at;
    job->flow->step++;
    job->flow->log = SLICE("[1]");
    stage_job_done(&s, job);
    stage_settle(&s);
}

TEST("a flow is a row before it runs, and runs with it")
{
    uint64_t c;
    struct job *job = started(&c);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->hook, HOOK_FLOW);
    CHECK_SLICE(job->unit, "flows/refund");
    CHECK_SLICE(job->what, "start");
    CHECK_EQ_INT(s.flow_count, 1);
    CHECK_EQ_INT(job->flow->conv, c);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_BOT);
    parks(job, FLOW_DONE, 0);
    CHECK_EQ_INT(s.flows[0].state, FLOW_DONE);
    stage_close(&s);
}

TEST("what a flow says and where it waits are one transaction (I3)")
{
    uint64_t c;
    struct job *job = started(&c);
    add(job, EFFECT_REPLY, "");
    job->flow->state = FLOW_WAITING;
    job->flow->step = 1;
    stage_job_done(&s, job);
    struct tx *tx = (struct tx *)s.txs;
    REQUIRE(tx != NULL);
    bool has_row = false;
    for (struct put *p = tx->puts; p; p = p->next)
        has_row |= p->kind == PUT_FLOW;
    CHECK(has_row && tx->count >= 1);
    stage_settle(&s);
    CHECK_EQ_INT(messages(ROLE_BOT), 1);
    stage_close(&s);
}

TEST("the visitor's next message is the waiting flow's, and handled with it")
{
    uint64_t c;
    struct job *job = started(&c);
    parks(job, FLOW_WAITING, 0);
    stage_says(&s, 1, 0, "v2", "order 42");
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->hook, HOOK_FLOW);
    CHECK_SLICE(job->what, "reply");
    CHECK_SLICE(job->text, "order 42");
    CHECK_SLICE(job->flow->log, "[1]");
    uint64_t pos = job->event.pos;
    parks(job, FLOW_DONE, 0);
    CHECK_EQ_INT(stage_conv(&s, c)->handled, pos);
    CHECK(stage_job(&s) == NULL);
    stage_close(&s);
}

TEST("a sleeping flow runs when its time has come, not before")
{
    uint64_t c;
    struct job *job = started(&c);
    parks(job, FLOW_SLEEPING, s.now + 60000);
    stage_pass(&s, 59000);
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL);
    stage_pass(&s, 2000);
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_SLICE(job->what, "timer");
    parks(job, FLOW_DONE, 0);
    stage_close(&s);
}

TEST("a flow that is ready again runs at once")
{
    uint64_t c;
    struct job *job = started(&c);
    parks(job, FLOW_READY, 0);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_SLICE(job->what, "again");
    CHECK_EQ_INT(job->flow->step, 1);
    parks(job, FLOW_DONE, 0);
    stage_close(&s);
}

TEST("a person who takes the conversation wakes the flow that waits, once")
{
    uint64_t c;
    struct job *job = started(&c);
    parks(job, FLOW_WAITING, 0);
    uint64_t agent = stage_agent_joins(&s, 1);
    stage_says(&s, agent, c, "a1", "I am here");
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_SLICE(job->what, "taken");
    add(job, EFFECT_REPLY, "");
    parks(job, FLOW_DONE, 0);
    CHECK_EQ_INT(messages(ROLE_BOT), 0); /* I13 */
    CHECK(stage_job(&s) == NULL);
    stage_close(&s);
}

TEST("while a person holds the conversation its messages are not the flow's")
{
    uint64_t c;
    struct job *job = started(&c);
    parks(job, FLOW_WAITING, 0);
    uint64_t agent = stage_agent_joins(&s, 1);
    stage_says(&s, agent, c, "a1", "I am here");
    stage_settle(&s);
    job = stage_job(&s);
    parks(job, FLOW_WAITING, 0); /* it waits on */
    stage_says(&s, 1, 0, "v2", "good");
    stage_settle(&s);
    job = stage_job(&s);
    CHECK(job == NULL || job->hook == HOOK_MESSAGE);
    if (job)
        stage_job_done(&s, job);
    stage_close(&s);
}

TEST("a flow whose script is not there is tried again, the message is not lost")
{
    uint64_t c;
    struct job *job = started(&c);
    parks(job, FLOW_WAITING, 0);
    stage_says(&s, 1, 0, "v2", "order 42");
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL && job->hook == HOOK_FLOW);
    stage_job_done(&s, job); /* nobody ran */
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->hook, HOOK_MESSAGE);
    CHECK_SLICE(job->text, "order 42");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(s.flows[0].state, FLOW_WAITING);
    stage_close(&s);
}

TEST("a failed flow is a dead letter and goes on when that is run again")
{
    uint64_t c;
    struct job *job = started(&c);
    job->flow->error = SLICE("boom");
    job->failures = 1;
    parks(job, FLOW_FAILED, 0);
    CHECK(s.dead.id != 0);
    CHECK_SLICE(s.dead.reason, "boom");
    struct dead letter = s.dead;
    desk_rerun(s.desk, &letter, NULL, NULL);
    stage_settle(&s);
    CHECK_EQ_INT(s.dead.id, 0);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->hook, HOOK_FLOW);
    CHECK_EQ_INT(job->flow->attempts, 0);
    parks(job, FLOW_DONE, 0);
    stage_close(&s);
}

static int cancelled_with;

static void on_cancelled(void *arg, int result)
{
    (void)arg;
    cancelled_with = result + 1;
}

TEST("a flow is cancelled by hand, whatever it waits for")
{
    uint64_t c;
    struct job *job = started(&c);
    parks(job, FLOW_SLEEPING, s.now + 1000000);
    cancelled_with = 0;
    CHECK_EQ_INT(desk_cancel_flow(s.desk, 4711, on_cancelled, NULL),
                 ERR_NOT_FOUND);
    CHECK_EQ_INT(desk_cancel_flow(s.desk, s.flows[0].id, on_cancelled, NULL),
                 0);
    stage_settle(&s);
    CHECK_EQ_INT(cancelled_with, 1);
    CHECK_EQ_INT(s.flows[0].state, FLOW_CANCELLED);
    CHECK(stage_job(&s) == NULL);
    stage_close(&s);
}

TEST("after a restart a flow waits on and runs when it is due")
{
    uint64_t c;
    struct job *job = started(&c);
    parks(job, FLOW_SLEEPING, s.now + 5000);
    struct flow row = s.flows[0];
    row.id = 4242;
    row.unit = SLICE("flows/other");
    row.log = SLICE("");
    desk_restore_flow(s.desk, &row);
    struct desk_figures f;
    desk_measure(s.desk, &f);
    CHECK_EQ_INT(f.flows, 2);
    s.flows[1] = s.flows[0];
    s.flows[1].id = 4242;
    s.flow_count = 2;
    stage_pass(&s, 6000);
    stage_settle(&s);
    for (int i = 0; i < 2; i++) {
        job = stage_job(&s);
        REQUIRE(job != NULL);
        parks(job, FLOW_DONE, 0);
    }
    stage_close(&s);
}
