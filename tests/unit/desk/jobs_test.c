/* SPDX-License-Identifier: Apache-2.0 */
/* jobs_test.c - what scripts are asked, and what their late answers may do. */
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
    fx->name = SLICE("name");
    fx->data = SLICE("1");
    return fx;
}

/* Visitor 100 (peer 1) has said hello; the rule is still thinking. */
static struct job *thinking(uint64_t *conv)
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_agent(&s, 2, AGENT_ROLE_SUPERVISOR, 5);
    stage_visitor_joins(&s, 100);
    stage_says(&s, 1, 0, "v1", "hello");
    stage_settle(&s);
    *conv = s.acked_conv;
    return stage_job(&s);
}

/* How many messages by the bot are in the journal. */
static int bot_messages(void)
{
    int n = 0;
    for (uint64_t i = 1; i <= s.pos; i++)
        n += s.journal[i].name == EVENT_MESSAGE_CREATED &&
             s.journal[i].role == ROLE_BOT;
    return n;
}

TEST("a new conversation is with the rules, and its first message is a job")
{
    uint64_t c;
    struct job *job = thinking(&c);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_BOT);
    CHECK_EQ_INT(job->hook, HOOK_MESSAGE);
    CHECK_SLICE(job->text, "hello");
    CHECK_EQ_INT(job->conv.id, c);
    CHECK_EQ_INT(job->contact.id, 100);
    CHECK_EQ_INT(job->roster->count, 2);
    stage_job_done(&s, job);
    stage_close(&s);
}

TEST("jobs of one conversation run one after the other (I2)")
{
    uint64_t c;
    struct job *job = thinking(&c);
    stage_says(&s, 1, 0, "v2", "second");
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL);
    stage_job_done(&s, job);
    stage_settle(&s);
    job = stage_job(&s);
    /* The first one went to the queue, so only who wants it sees the second. */
    CHECK(job != NULL);
    CHECK_SLICE(job->text, "second");
    stage_job_done(&s, job);
    stage_close(&s);
}

TEST("effects and the handled mark are one transaction (I3)")
{
    uint64_t c;
    struct job *job = thinking(&c);
    uint64_t cause = job->event.pos, before = s.pos;
    add(job, EFFECT_REPLY, "");
    add(job, EFFECT_TAG, "vip");
    stage_job_done(&s, job);
    struct tx *tx = (struct tx *)s.txs;
    REQUIRE(tx != NULL);
    CHECK(tx->count >= 2);
    for (struct event *ev = tx->first; ev; ev = ev->next)
        CHECK_EQ_INT(ev->cause, cause);
    stage_settle(&s);
    CHECK(s.pos > before);
    CHECK_EQ_INT(stage_conv(&s, c)->handled, cause);
    CHECK_SLICE(stage_conv(&s, c)->tags, "[\"vip\"]");
    stage_close(&s);
}

TEST("effects that could not be written are written later, without a new run")
{
    uint64_t c;
    struct job *job = thinking(&c);
    add(job, EFFECT_REPLY, "");
    stage_job_done(&s, job);
    CHECK(stage_fail(&s, ERR_UNAVAILABLE));
    CHECK_EQ_INT(bot_messages(), 0);
    stage_pass(&s, 1500);
    CHECK(stage_job(&s) == NULL);
    stage_settle(&s);
    CHECK_EQ_INT(bot_messages(), 1);
    stage_close(&s);
}

TEST("a late reply is refused, a late tag is not (I13)")
{
    uint64_t c;
    struct job *job = thinking(&c);
    uint64_t peer = stage_agent_joins(&s, 2);
    stage_says(&s, peer, c, "a1", "I take this");
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 2);
    CHECK(stage_conv(&s, c)->fence > job->fence);
    add(job, EFFECT_REPLY, "");
    add(job, EFFECT_ASSIGN, "")->agent = 1;
    add(job, EFFECT_CLOSE, "");
    add(job, EFFECT_TAG, "late");
    add(job, EFFECT_SET, "");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(bot_messages(), 0);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 2);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_OPEN);
    CHECK_SLICE(stage_conv(&s, c)->tags, "[\"late\"]");
    CHECK_SLICE(stage_conv(&s, c)->attributes, "{\"name\":1}");
    stage_close(&s);
}

TEST("a take-over on its way to the disk comes before the bot's answer (I13)")
{
    uint64_t c;
    struct job *job = thinking(&c);
    uint64_t peer = stage_agent_joins(&s, 2);
    stage_says(&s, peer, c, "a1", "I take this"); /* not committed yet */
    add(job, EFFECT_REPLY, "");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(bot_messages(), 0);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 2);
    stage_close(&s);
}

TEST("what no rule decided goes to somebody free, else to the queue")
{
    uint64_t c;
    struct job *job = thinking(&c);
    stage_agent_joins(&s, 1);
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 1);
    stage_close(&s);
}

TEST("a rule that decided keeps the conversation where it put it")
{
    uint64_t c;
    struct job *job = thinking(&c);
    stage_agent_joins(&s, 1);
    add(job, EFFECT_REPLY, "");
    job->decided = true;
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_BOT);
    CHECK_EQ_INT(bot_messages(), 1);
    stage_close(&s);
}

TEST("an assignment to nobody that exists falls to whoever is free")
{
    uint64_t c;
    struct job *job = thinking(&c);
    stage_agent_joins(&s, 1);
    struct effect *fx = add(job, EFFECT_ASSIGN, "");
    fx->agent = 4711;
    fx->team = 4712;
    job->decided = true;
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 1);
    CHECK_EQ_INT(stage_conv(&s, c)->team, 0);
    stage_close(&s);
}

TEST("an alarm of a script is deleted first and fires when that is on disk")
{
    uint64_t c;
    struct job *job = thinking(&c);
    struct effect *fx = add(job, EFFECT_ALARM, "");
    fx->number = s.now + 500;
    fx->unit = SLICE("rules/10-test");
    fx->name = SLICE("later");
    fx->data = SLICE("{}");
    stage_job_done(&s, job);
    stage_settle(&s);
    stage_pass(&s, 600);
    CHECK(stage_job(&s) == NULL);
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->hook, HOOK_TIMER);
    CHECK_SLICE(job->what, "later");
    CHECK_SLICE(job->unit, "rules/10-test");
    stage_job_done(&s, job);
    stage_pass(&s, 5000);
    stage_settle(&s);
    stage_close(&s);
}

/* An alarm is due in a conversation that is not in memory; its reading. */
static struct query *alarm_waits(void)
{
    stage_open(&s);
    const struct alarm a = {.id = 9,
                            .conversation = 1000,
                            .due_at = s.now + 500,
                            .unit = SLICE("rules/10-test"),
                            .name = SLICE("later"),
                            .data = SLICE("{}")};
    desk_restore_alarm(s.desk, &a);
    stage_pass(&s, 600);
    CHECK(stage_commit(&s));
    CHECK(stage_job(&s) == NULL);
    struct query *q = (struct query *)s.queries;
    must(q && q->kind == QUERY_CONVERSATION);
    s.queries = s.queries->next;
    CHECK_EQ_INT(q->id, 1000);
    return q;
}

TEST("an alarm of a closed conversation fires in it, when it has been read")
{
    struct conversation rec = {.id = 1000,
                               .channel = 1,
                               .contact = 100,
                               .state = CONV_CLOSED,
                               .fence = 2,
                               .last_seq = 1,
                               .tags = SLICE("[]"),
                               .attributes = SLICE("{}")};
    struct query *q = alarm_waits();
    q->conversation = &rec;
    q->done(q);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->hook, HOOK_TIMER);
    CHECK_SLICE(job->what, "later");
    CHECK_EQ_INT(job->conv.id, 1000);
    CHECK_EQ_INT(job->conv.state, CONV_CLOSED);
    add(job, EFFECT_REPLY, "still there?");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(s.journal[s.pos].name, EVENT_MESSAGE_CREATED);
    stage_close(&s);
}

TEST("an alarm whose conversation was erased runs without it")
{
    struct query *q = alarm_waits();
    q->result = ERR_NOT_FOUND;
    q->done(q);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->conv.id, 0);
    stage_job_done(&s, job);
    stage_settle(&s);
    stage_close(&s);
}

TEST("after a restart only what was not handled is run again")
{
    stage_open(&s);
    struct conversation c = {.id = 1000,
                             .channel = 1,
                             .contact = 100,
                             .state = CONV_QUEUED,
                             .fence = 2,
                             .last_seq = 2,
                             .handled = 5,
                             .queued_at = s.now,
                             .tags = SLICE("[]"),
                             .attributes = SLICE("{}")};
    struct contact who = {.id = 100, .channel = 1};
    struct event old = {.pos = 5,
                        .conv = 1000,
                        .seq = 1,
                        .name = EVENT_MESSAGE_CREATED,
                        .role = ROLE_VISITOR,
                        .sender = 100,
                        .body = SLICE("{\"kind\":\"text\",\"text\":\"a\"}")};
    struct event new = old;
    new.pos = 6;
    new.seq = 2;
    new.body = SLICE("{\"kind\":\"text\",\"text\":\"b\"}");
    s.wants = true;
    desk_restore_conversation(s.desk, &c, &who);
    desk_restore_event(s.desk, &old);
    desk_restore_event(s.desk, &new);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->event.pos, 6);
    CHECK_SLICE(job->text, "b");
    CHECK(stage_job(&s) == NULL);
    stage_job_done(&s, job);
    stage_close(&s);
}
