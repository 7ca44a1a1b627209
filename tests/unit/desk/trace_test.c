/* SPDX-License-Identifier: Apache-2.0 */
/* trace_test.c - patience, parts, reasons kept, letters that were not placed. */
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

static struct job *thinking(uint64_t *conv, int64_t patience)
{
    stage_open(&s);
    s.patience = patience;
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_agent(&s, 2, AGENT_ROLE_SUPERVISOR, 5);
    stage_visitor_joins(&s, 100);
    stage_says(&s, 1, 0, "v1", "hello");
    stage_settle(&s);
    *conv = s.acked_conv;
    return stage_job(&s);
}

TEST("rules that take longer than their patience do not keep a person waiting")
{
    uint64_t c;
    struct job *job = thinking(&c, 50);
    uint64_t agent = stage_agent_joins(&s, 1);
    stage_pass(&s, 40);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_BOT);
    stage_pass(&s, 200);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 1);
    add(job, EFFECT_REPLY, "");
    struct effect *fx = add(job, EFFECT_ASSIGN, "");
    fx->agent = 2;
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(messages(ROLE_BOT), 1); /* nobody has spoken meanwhile */
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 1);
    CHECK(strstr(s.trace, "\"late\":true") != NULL);
    CHECK(strstr(s.trace, "the default has placed it") != NULL);
    stage_says(&s, agent, c, "a1", "hi");
    stage_settle(&s);
    stage_close(&s);
}

TEST("an overdue answer is refused once a person has spoken (I13)")
{
    uint64_t c;
    struct job *job = thinking(&c, 50);
    uint64_t agent = stage_agent_joins(&s, 1);
    stage_pass(&s, 200);
    stage_settle(&s);
    stage_says(&s, agent, c, "a1", "hi");
    stage_settle(&s);
    add(job, EFFECT_REPLY, "");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(messages(ROLE_BOT), 0);
    stage_pass(&s, 1500); /* nothing else is to be written */
    stage_settle(&s);
    CHECK(strstr(s.trace, "too late") != NULL);
    stage_close(&s);
}

static struct job *part_done;

static void on_part(struct job *part)
{
    part_done = part;
}

TEST(
    "who has decided to keep a conversation is not hurried at its next message")
{
    uint64_t c;
    struct job *job = thinking(&c, 50);
    job->ran = 1;
    job->decided = true; /* the bot goes on */
    stage_job_done(&s, job);
    stage_settle(&s);
    stage_says(&s, 1, 0, "v2", "and now?");
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    stage_pass(&s, 5000);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_BOT);
    job->ran = 1;
    job->decided = true;
    stage_job_done(&s, job);
    stage_close(&s);
}

TEST("effects of a handler that waits count at once, the rest at its end")
{
    uint64_t c;
    struct job *job = thinking(&c, 0);
    struct job *part = job_new(HOOK_MESSAGE, on_part, NULL);
    part->event = job->event;
    part->event.body = part->event.ref = SLICE("");
    part->fence = job->fence;
    add(part, EFFECT_REPLY, "");
    part_done = NULL;
    desk_part(s.desk, part);
    CHECK(part_done == NULL); /* not before it is on disk (I1) */
    stage_settle(&s);
    REQUIRE(part_done == part);
    CHECK_EQ_INT(part->result, 0);
    CHECK_EQ_INT(messages(ROLE_BOT), 1);
    CHECK_EQ_INT(stage_conv(&s, c)->handled, job->event.pos);
    CHECK(s.dead.id != 0); /* in case the house falls now */
    CHECK_EQ_INT(s.dead.pos, job->event.pos);
    job->fence = part->fence;
    job_free(part);
    add(job, EFFECT_REPLY, "");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(s.dead.id, 0);
    CHECK_EQ_INT(messages(ROLE_BOT), 2);
    const char *first = strstr(s.trace, "\"reply\"");
    CHECK(first && strstr(first + 1, "\"reply\"")); /* both are told */
    stage_close(&s);
}

TEST("what a handler did before it waited is told of its own message alone")
{
    uint64_t c;
    struct job *job = thinking(&c, 0);
    struct job *part = job_new(HOOK_MESSAGE, on_part, NULL);
    part->event = job->event;
    part->event.body = part->event.ref = SLICE("");
    part->fence = job->fence;
    add(part, EFFECT_TAG, "vip");
    desk_part(s.desk, part);
    stage_settle(&s);
    job->fence = part->fence;
    job_free(part);
    s.hooks |= 1u << HOOK_INBOUND;
    for (int i = 0; i < 2; i++) { /* while it waits, and when it has ended */
        stage_says(&s, 1, 0, i ? "v3" : "v2", "and another");
        stage_settle(&s);
        struct job *screen = stage_job(&s);
        REQUIRE(screen && screen->hook == HOOK_INBOUND);
        screen->ran = 1;
        stage_job_done(&s, screen);
        stage_settle(&s);
        CHECK(strstr(s.trace, "on_inbound") != NULL);
        CHECK(strstr(s.trace, "\"vip\"") == NULL);
        if (i == 0) {
            job->ran = 1;
            job->decided = true;
            stage_job_done(&s, job);
            stage_pass(&s, 1500);
            stage_settle(&s);
            CHECK(strstr(s.trace, "on_message") != NULL);
            CHECK(strstr(s.trace, "\"vip\"") != NULL);
            struct job *next = stage_job(&s);
            REQUIRE(next && next->hook == HOOK_MESSAGE);
            next->decided = true;
            stage_job_done(&s, next);
            stage_settle(&s);
        }
    }
    stage_close(&s);
}

TEST("a conversation whose handler was cut by the end of the house is placed")
{
    struct conversation c = {.id = 1000,
                             .channel = 1,
                             .contact = 100,
                             .state = CONV_BOT,
                             .fence = 1,
                             .last_seq = 2,
                             .handled = 5,
                             .tags = SLICE("[]"),
                             .attributes = SLICE("{}")};
    struct conversation kept = c;
    kept.id = 1001;
    kept.contact = 101;
    struct contact who = {.id = 100, .channel = 1};
    struct contact other = {.id = 101, .channel = 1};
    struct dead letter = {.id = 9, .conv = 1000, .pos = 5};
    stage_open(&s);
    desk_restore_conversation(s.desk, &c, &who);
    desk_restore_conversation(s.desk, &kept, &other);
    desk_restore_letter(s.desk, &letter);
    desk_start(s.desk);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, 1000)->state, CONV_QUEUED);
    CHECK_EQ_INT(stage_conv(&s, 1001)->state, CONV_BOT); /* a rule's choice */
    stage_close(&s);
}

TEST("a part that could not be stored says so and is not tried again")
{
    uint64_t c;
    struct job *job = thinking(&c, 0);
    struct job *part = job_new(HOOK_MESSAGE, on_part, NULL);
    part->event = job->event;
    part->event.body = part->event.ref = SLICE("");
    part->fence = job->fence;
    add(part, EFFECT_REPLY, "");
    desk_part(s.desk, part);
    CHECK(stage_fail(&s, ERR_UNAVAILABLE));
    CHECK_EQ_INT(part->result, ERR_UNAVAILABLE);
    job_free(part);
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(messages(ROLE_BOT), 0);
    stage_close(&s);
}

TEST("why each effect counted or not is kept with the event")
{
    uint64_t c;
    struct job *job = thinking(&c, 0);
    uint64_t peer = stage_agent_joins(&s, 2);
    stage_says(&s, peer, c, "a1", "mine");
    stage_settle(&s);
    add(job, EFFECT_REPLY, "");
    add(job, EFFECT_TAG, "vip");
    job->hops = SLICE("[{\"unit\":\"rules/10-test\"}]");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK(strstr(s.trace, "\"hops\":[{\"unit\":\"rules/10-test\"}]"));
    CHECK(strstr(s.trace, "\"refused\":\"too late") != NULL);
    CHECK(strstr(s.trace, "\"vip\"") != NULL);
    stage_close(&s);
}

TEST("a round without effects is explained too, when there is time")
{
    uint64_t c;
    struct job *job = thinking(&c, 0);
    job->ran = 1;
    job->decided = true;
    job->rule = SLICE("rules/10-test");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(s.traces, 0);
    stage_pass(&s, 1500);
    stage_settle(&s);
    CHECK_EQ_INT(s.traces, 1);
    CHECK(strstr(s.trace, "\"decided_by\":\"rules/10-test\"") != NULL);
    stage_close(&s);
}

TEST("what no rule could place is placed, and a letter that can be run again")
{
    uint64_t c;
    struct job *job = thinking(&c, 0);
    job->ran = job->failures = 1;
    job->trouble = SLICE("10-test.lua:3: boom");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_QUEUED);
    REQUIRE(s.dead.id != 0);
    CHECK_SLICE(s.dead.reason, "10-test.lua:3: boom");
    struct dead letter = s.dead;
    desk_rerun(s.desk, &letter, NULL, NULL);
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_SLICE(job->text, "hello");
    job->ran = job->failures = 1;
    job->trouble = SLICE("still");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(s.dead.runs, 1);
    CHECK_EQ_INT(s.dead.id, letter.id);
    letter = s.dead;
    desk_rerun(s.desk, &letter, NULL, NULL);
    stage_settle(&s);
    job = stage_job(&s);
    job->ran = 1;
    add(job, EFFECT_TAG, "done");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(s.dead.id, 0);
    stage_close(&s);
}

TEST("a rule's contact changes are stored, told and known")
{
    uint64_t c;
    struct job *job = thinking(&c, 0);
    add(job, EFFECT_CONTACT, "")->data =
        SLICE("{\"name\":\"Anna\",\"tier\":\"vip\",\"attributes\":{\"n\":1}}");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_SLICE(stage_conv(&s, c)->contact_name, "Anna");
    const struct contact *who = desk_contact(s.desk, 100);
    REQUIRE(who != NULL);
    CHECK_SLICE(who->tier, "vip");
    CHECK_SLICE(who->attributes, "{\"n\":1}");
    stage_close(&s);
}

TEST("hooks that follow from hooks end after a few rounds")
{
    uint64_t c;
    struct job *job = thinking(&c, 0);
    s.hooks = 1u << HOOK_EVENT;
    int rounds = 0;
    while (job && rounds < 50) {
        add(job, EFFECT_REPLY, ""); /* each is a new message.created */
        stage_job_done(&s, job);
        stage_settle(&s);
        job = stage_job(&s);
        rounds++;
    }
    CHECK(job == NULL);
    CHECK(rounds > 3 && rounds < 50);
    stage_close(&s);
}
