/* SPDX-License-Identifier: Apache-2.0 */
/* outside_test.c - staff says something on the platform itself: it is stored
 * once, sent never, and a bot does not talk over it. */
#include "base/clock.h"
#include "stage.h"

static struct stage s;
static uint64_t conv, agent, anna;
static struct act done; /* the last one's answer */
static int dones;

static void open_desk(void)
{
    stage_open(&s);
    s.face = (struct channel_face){.sends = true, .recalls = true};
    stage_agent(&s, 1, AGENT_ROLE_ADMIN, 5);
    stage_agent(&s, 2, AGENT_ROLE_AGENT, 5);
    dones = 0;
}

/* Agent 1 has it; what was said goes on. */
static void open_held(void)
{
    open_desk();
    agent = stage_agent_joins(&s, 1);
    anna = stage_visitor_joins(&s, 100);
    conv = stage_conversation(&s, 100);
}

static void on_done(struct act *act)
{
    done = *act;
    dones++;
    act_free(act);
}

static void staff_says(uint64_t by, const char *ref, const char *body)
{
    struct contact who = {.id = 100, .channel = 1};
    struct act *act = act_new(ACT_SEND, on_done, NULL);
    act->role = ROLE_AGENT;
    act->actor = by;
    act->name = SLICE("Wang");
    act->remote = slice_of(ref);
    act->frame = arena_one(act->arena, struct frame);
    act->frame->ref = slice_of(ref);
    act->frame->kind = SLICE("text");
    act->frame->body = slice_of(body);
    desk_staff_said(s.desk, &who, true, act);
    stage_settle(&s);
}

static bool has(struct slice all, const char *text)
{
    return memmem(all.at, all.len, text, strlen(text)) != NULL;
}

static const struct event *last_message(void)
{
    for (uint64_t i = s.pos; i; i--)
        if (s.journal[i].name == EVENT_MESSAGE_CREATED)
            return &s.journal[i];
    return NULL;
}

static int said(enum role role)
{
    int n = 0;
    for (uint64_t i = 1; i <= s.pos; i++)
        n += s.journal[i].name == EVENT_MESSAGE_CREATED &&
             s.journal[i].role == role;
    return n;
}

/* Its rules give the conversation to a bot, which is asked. */
static void open_bot(void)
{
    open_desk();
    anna = stage_visitor_joins(&s, 100);
    stage_says(&s, anna, 0, "v1", "hello");
    stage_settle(&s);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    conv = job->conv.id;
    struct effect *e = job_effect(job, EFFECT_ASSIGN);
    e->name = SLICE("polly");
    e->unit = SLICE("rules/10-bot");
    job->decided = true;
    job->ran = 1;
    stage_job_done(&s, job);
    stage_settle(&s);
    REQUIRE(s.asked_count == 1);
}

static void bot_answers(void)
{
    struct turn_end *e = turn_end_new(s.asked[0]);
    e->body = SLICE("{\"kind\":\"text\",\"text\":\"I am a bot\"}");
    desk_turn_end(s.desk, e);
    stage_settle(&s);
}

TEST("it stands in the conversation as an agent's, and nothing is sent")
{
    open_held();
    (void)stage_hears(&s, agent);
    (void)stage_hears(&s, anna);
    staff_says(0, "p1", "{\"kind\":\"text\",\"text\":\"by phone\"}");
    CHECK_EQ_INT(dones, 1);
    CHECK_EQ_INT(done.result, 0);
    const struct event *ev = last_message();
    REQUIRE(ev != NULL);
    CHECK_EQ_INT(ev->role, ROLE_AGENT);
    CHECK(has(ev->body, "\"outside\":true"));
    CHECK(has(ev->body, "{\"role\":\"agent\",\"id\":null,\"name\":\"Wang\"}"));
    CHECK(strstr(stage_hears(&s, agent), "message.created") != NULL);
    CHECK(strstr(stage_hears(&s, anna), "message.created") != NULL);
    CHECK(stage_job(&s) == NULL); /* neither a rule nor send() */
    CHECK_EQ_INT(s.outbox_count, 1);
    CHECK_EQ_INT(s.outbox[0].state, OUTBOX_SENT);
    CHECK_SLICE(s.outbox[0].remote, "p1");
    const struct conversation *c = stage_conv(&s, conv);
    CHECK_EQ_INT(c->state, CONV_OPEN);
    CHECK_EQ_INT(c->assignee, 1); /* who has it keeps it */
    CHECK_EQ_INT(c->unread, 0);
    CHECK_EQ_INT(c->waiting_since_at, 0);
    CHECK_EQ_INT(c->said, 1);
    stage_close(&s);
}

TEST("the same again is the first one; what could not be stored is told")
{
    open_held();
    staff_says(0, "p1", "{\"kind\":\"text\",\"text\":\"by phone\"}");
    uint32_t seq = done.event.seq;
    staff_says(0, "p1", "{\"kind\":\"text\",\"text\":\"by phone\"}");
    CHECK_EQ_INT(done.result, 0);
    CHECK(done.event.flags & EVENT_DUPLICATE);
    CHECK_EQ_INT(done.event.seq, seq);
    CHECK_EQ_INT(said(ROLE_AGENT), 1);
    CHECK_EQ_INT(s.outbox_count, 1);
    struct contact who = {.id = 100, .channel = 1};
    struct act *act = act_new(ACT_SEND, on_done, NULL);
    act->role = ROLE_AGENT;
    act->frame = arena_one(act->arena, struct frame);
    act->frame->ref = act->remote = SLICE("p2");
    act->frame->body = SLICE("{\"kind\":\"text\",\"text\":\"x\"}");
    desk_staff_said(s.desk, &who, true, act);
    CHECK(stage_fail(&s, ERR_UNAVAILABLE));
    CHECK_EQ_INT(done.result, ERR_UNAVAILABLE);
    CHECK_EQ_INT(said(ROLE_AGENT), 1);
    stage_close(&s);
}

TEST("a bot loses the conversation: its turn is over, a late answer refused")
{
    open_bot();
    uint32_t fence = stage_conv(&s, conv)->fence;
    staff_says(0, "p1", "{\"kind\":\"text\",\"text\":\"this is Wang\"}");
    CHECK_EQ_INT(stage_conv(&s, conv)->state, CONV_QUEUED);
    CHECK(stage_conv(&s, conv)->fence > fence);
    CHECK_EQ_INT(s.unasked, 1);
    CHECK_EQ_INT(s.turns[0].state, TURN_CANCELLED);
    bot_answers();
    CHECK_EQ_INT(said(ROLE_BOT), 0);
    CHECK_EQ_INT(s.outbox_count, 1);
    stage_close(&s);
}

TEST("the colleague whom it is mapped to takes it, from a bot and the queue")
{
    open_bot();
    agent = stage_agent_joins(&s, 2);
    staff_says(2, "p1", "{\"kind\":\"text\",\"text\":\"me\"}");
    CHECK_EQ_INT(stage_conv(&s, conv)->state, CONV_OPEN);
    CHECK_EQ_INT(stage_conv(&s, conv)->assignee, 2);
    CHECK(has(last_message()->body, "\"name\":\"Wang\""));
    stage_close(&s);

    open_desk(); /* nobody is there: it waits */
    conv = stage_conversation(&s, 100);
    CHECK_EQ_INT(stage_conv(&s, conv)->state, CONV_QUEUED);
    staff_says(0, "p1", "{\"kind\":\"text\",\"text\":\"somebody\"}");
    CHECK_EQ_INT(stage_conv(&s, conv)->state, CONV_QUEUED);
    staff_says(2, "p2", "{\"kind\":\"text\",\"text\":\"me\"}");
    CHECK_EQ_INT(stage_conv(&s, conv)->assignee, 2);
    stage_close(&s);
}

TEST(
    "staff speaks first: a new conversation, with people, that no rule answers")
{
    open_desk();
    s.wants = true;
    staff_says(0, "p1", "{\"kind\":\"text\",\"text\":\"your parcel\"}");
    CHECK_EQ_INT(done.result, 0);
    conv = done.event.conv;
    CHECK_EQ_INT(done.event.seq, 1);
    CHECK_EQ_INT(stage_conv(&s, conv)->state, CONV_QUEUED);
    struct job *job;
    bool created = false;
    while ((job = stage_job(&s)) != NULL) {
        enum hook hook = job->hook;
        CHECK(hook != HOOK_MESSAGE && hook != HOOK_INBOUND &&
              hook != HOOK_SEND && hook != HOOK_DELIVER);
        if (hook == HOOK_CONVERSATION && slice_is(job->what, "created")) {
            struct effect *e = job_effect(job, EFFECT_REPLY);
            e->body = SLICE("{\"kind\":\"text\",\"text\":\"welcome\"}");
            created = true;
        }
        job->ran = 1;
        stage_job_done(&s, job);
        stage_settle(&s);
    }
    CHECK(created);
    CHECK_EQ_INT(said(ROLE_BOT), 0); /* under the old fence */
    stage_close(&s);
}

TEST("behind a close it begins a new one; a snoozed one stays so")
{
    open_held();
    CHECK_EQ_INT(stage_acts(&s, ACT_CLOSE, 1, conv, 0, 0), 0);
    staff_says(0, "p1", "{\"kind\":\"text\",\"text\":\"one more thing\"}");
    CHECK_EQ_INT(done.result, 0);
    CHECK(done.event.conv != conv);
    CHECK_EQ_INT(stage_conv(&s, done.event.conv)->assignee, 1); /* has room */
    stage_close(&s);
}

TEST("what was said there can be taken back there: it is found by its row")
{
    open_held();
    staff_says(0, "p1", "{\"kind\":\"text\",\"text\":\"a secret\"}");
    uint64_t pos = last_message()->pos;
    stage_recalls(&s, agent, conv, pos); /* not the agent's own */
    stage_settle(&s);
    CHECK(has(s.journal[pos].body, "a secret"));
    struct act *act = act_new(ACT_RECALL, on_done, NULL);
    act->role = ROLE_SYSTEM;
    act->conv = s.outbox[0].conv;
    act->message = s.outbox[0].pos;
    act->platform = true;
    desk_act(s.desk, act);
    stage_settle(&s);
    CHECK_EQ_INT(done.result, 0);
    CHECK(!has(s.journal[pos].body, "a secret"));
    CHECK(has(s.journal[pos].body, "\"recalled\":true"));
    CHECK(stage_job(&s) == NULL); /* its recall() is not asked */
    stage_close(&s);
}

TEST("an echo of what we send now has to wait for our own note")
{
    open_held();
    CHECK(!desk_is_sending_to(s.desk, 100));
    stage_says(&s, agent, conv, "a1", "from the console");
    stage_settle(&s);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK(desk_is_sending_to(s.desk, 100));
    CHECK(!desk_is_sending_to(s.desk, 101));
    job->ran = 1;
    job->call->answer = SLICE("{\"sent\":\"p1\"}");
    stage_job_done(&s, job);
    CHECK(desk_is_sending_to(s.desk, 100)); /* until it is on disk */
    stage_settle(&s);
    CHECK(!desk_is_sending_to(s.desk, 100));
    stage_close(&s);
}
