/* SPDX-License-Identifier: Apache-2.0 */
/* turns_test.c - answers that a bot owes: once, under its fence, or never. */
#include "base/clock.h"
#include "stage.h"
#include <stdio.h>
#include <stdlib.h>

static struct stage s;
static uint64_t conv, agent, visitor;

static void to_bot(struct job *job)
{
    struct effect *e = job_effect(job, EFFECT_ASSIGN);
    e->name = SLICE("polly");
    e->unit = SLICE("rules/10-bot");
    job->decided = true;
    job->ran = 1;
}

/* The rules hand the visitor's first message to the bot: a turn is owed. */
static void open_desk(void)
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_ADMIN, 5);
    visitor = stage_visitor_joins(&s, 100);
    stage_says(&s, visitor, 0, "v1", "hello");
    stage_settle(&s);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    conv = job->conv.id;
    to_bot(job);
    stage_job_done(&s, job);
}

/* The bot answers the last turn it was given. */
static void bot_says(const char *text)
{
    REQUIRE(s.asked_count > 0);
    struct turn_end *e = turn_end_new(s.asked[s.asked_count - 1]);
    char body[200];
    snprintf(body, sizeof body, "{\"kind\":\"text\",\"text\":\"%s\"}", text);
    e->body = slice_dup(e->arena, slice_of(body));
    desk_turn_end(s.desk, e);
}

static int said(enum role role, const char *text)
{
    int n = 0;
    for (uint64_t i = 1; i <= s.pos; i++) {
        const struct event *ev = &s.journal[i];
        n += ev->name == EVENT_MESSAGE_CREATED && ev->role == role &&
             (!text || memmem(ev->body.at, ev->body.len, text, strlen(text)));
    }
    return n;
}

static int in_state(enum turn_state state)
{
    int n = 0;
    for (size_t i = 0; i < s.turn_count; i++) {
        n += s.turns[i].state == state;
    }
    return n;
}

TEST("a turn is a row with the effects that want it, and asked once on disk")
{
    open_desk();
    CHECK_EQ_INT(s.asked_count, 0); /* not before it is on disk */
    stage_settle(&s);
    CHECK_EQ_INT(s.asked_count, 1);
    CHECK_EQ_INT(in_state(TURN_PENDING), 1);
    CHECK_SLICE(s.turns[0].assistant, "polly");
    CHECK_EQ_INT(stage_conv(&s, conv)->state, CONV_BOT);
    CHECK_EQ_INT(s.turns[0].fence, stage_conv(&s, conv)->fence);
    stage_close(&s);
}

TEST("the answer and the row's end are one transaction; its ref is the turn's")
{
    char id[ID_TEXT];
    open_desk();
    stage_settle(&s);
    bot_says("hi");
    struct tx *tx = (struct tx *)s.txs;
    REQUIRE(tx != NULL && tx->first);
    CHECK(slice_eq(tx->first->ref, id_text(id, ID_TURN, s.asked[0])));
    CHECK(tx->puts && tx->puts->kind == PUT_TURN);
    stage_settle(&s);
    CHECK_EQ_INT(said(ROLE_BOT, "hi"), 1);
    CHECK_EQ_INT(in_state(TURN_DONE), 1);
    bot_says("hi again"); /* it comes a second time: nobody is waiting */
    stage_settle(&s);
    CHECK_EQ_INT(said(ROLE_BOT, NULL), 1);
    stage_close(&s);
}

TEST("an answer that could not be written is written later, once")
{
    open_desk();
    stage_settle(&s);
    bot_says("hi");
    CHECK(stage_fail(&s, ERR_UNAVAILABLE));
    CHECK_EQ_INT(said(ROLE_BOT, NULL), 0);
    stage_pass(&s, 1500);
    stage_settle(&s);
    CHECK_EQ_INT(said(ROLE_BOT, "hi"), 1);
    CHECK_EQ_INT(in_state(TURN_DONE), 1);
    stage_close(&s);
}

TEST("the visitor writes on: the turn is cancelled and asked anew")
{
    open_desk();
    stage_settle(&s);
    stage_says(&s, visitor, conv, "v2", "and this");
    stage_settle(&s);
    CHECK_EQ_INT(s.unasked, 1);
    bot_says("to the first"); /* too late */
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(s.asked_count, 2);
    CHECK_EQ_INT(in_state(TURN_CANCELLED), 1);
    bot_says("to both");
    stage_settle(&s);
    CHECK_EQ_INT(said(ROLE_BOT, NULL), 1);
    CHECK_EQ_INT(said(ROLE_BOT, "to both"), 1);
    stage_close(&s);
}

TEST("a person takes over: the row is cancelled with that, the answer refused")
{
    open_desk();
    stage_settle(&s);
    agent = stage_agent_joins(&s, 1);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 1, conv, 1, 0), 0);
    stage_settle(&s);
    CHECK_EQ_INT(in_state(TURN_CANCELLED), 1);
    CHECK_EQ_INT(s.unasked, 1);
    bot_says("late");
    stage_settle(&s);
    CHECK_EQ_INT(said(ROLE_BOT, NULL), 0);
    CHECK(!desk_delta(s.desk, s.asked[0], 0, SLICE("late")));
    stage_close(&s);
}

TEST("the visitor stops the answer, nobody else; who comes in is told of it")
{
    open_desk();
    stage_stops(&s, visitor, 0); /* not asked yet: there is nothing to stop */
    CHECK_EQ_INT(s.halted, 0);
    stage_settle(&s);
    uint64_t other = stage_visitor_joins(&s, 200);
    stage_hears(&s, other);
    stage_stops(&s, other, 0);
    CHECK(strstr(stage_hears(&s, other), "not_found"));
    stage_stops(&s, other, conv);
    CHECK(strstr(stage_hears(&s, other), "not_found"));
    agent = stage_agent_joins(&s, 1);
    stage_hears(&s, agent);
    stage_stops(&s, agent, 0);
    CHECK(strstr(stage_hears(&s, agent), "bad_request"));
    CHECK_EQ_INT(s.halted, 0);

    CHECK(!strstr(stage_hears(&s, stage_visitor_joins(&s, 100)), "delta"));
    s.growing = "so far";
    uint64_t phone = stage_visitor_joins(&s, 100);
    CHECK(strstr(stage_hears(&s, phone), "delta"));
    stage_hears(&s, visitor);
    stage_stops(&s, phone, conv);
    CHECK_EQ_INT(s.halted, s.asked[0]);
    CHECK(!strstr(stage_hears(&s, phone), "error"));
    bot_says("so far");
    stage_settle(&s);
    CHECK_EQ_INT(said(ROLE_BOT, "so far"), 1);
    stage_stops(&s, visitor, conv);
    CHECK(strstr(stage_hears(&s, visitor), "conflict"));
    stage_close(&s);
}

TEST("nobody can answer: the queue, with the reason for agents only")
{
    open_desk();
    stage_settle(&s);
    (void)stage_hears(&s, visitor);
    struct turn_end *e = turn_end_new(s.asked[0]);
    e->state = TURN_FAILED;
    e->reason = e->handover = SLICE("the assistant cannot be reached");
    desk_turn_end(s.desk, e);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, conv)->state, CONV_QUEUED);
    CHECK_EQ_INT(said(ROLE_SYSTEM, "cannot be reached"), 1);
    CHECK(strstr(stage_hears(&s, visitor), "cannot be reached") == NULL);
    CHECK_EQ_INT(in_state(TURN_FAILED), 1);
    CHECK_SLICE(s.turns[0].reason, "the assistant cannot be reached");
    stage_close(&s);
}

TEST("a restart asks what was pending again, under the same id")
{
    open_desk();
    stage_settle(&s);
    struct turn row = s.turns[0];
    struct conversation rec = *stage_conv(&s, conv);
    char bot[] = "polly";
    rec.bot = slice_of(bot);
    rec.tags = rec.attributes = rec.preview = rec.contact_name =
        rec.contact_tier = rec.channel_type = SLICE("");
    row.assistant = rec.bot;
    row.reason = row.note = SLICE("");
    stage_close(&s);

    stage_open(&s);
    desk_restore_conversation(s.desk, &rec, NULL);
    desk_restore_turn(s.desk, &row);
    desk_start(s.desk);
    CHECK_EQ_INT(s.asked_count, 1);
    CHECK(s.asked[0] == row.id);
    stage_close(&s);
}

TEST("pieces go to the visitor while the bot holds it, never behind")
{
    open_desk();
    stage_settle(&s);
    (void)stage_hears(&s, visitor);
    CHECK(desk_delta(s.desk, s.asked[0], 0, SLICE("he")));
    CHECK(strstr(stage_hears(&s, visitor), "delta") != NULL);
    bot_says("hey");
    CHECK(!desk_delta(s.desk, s.asked[0], 1, SLICE("y")));
    stage_settle(&s);
    stage_close(&s);
}

TEST("who looks on is told as the visitor is, who may and wants to alone")
{
    open_desk();
    stage_settle(&s);
    uint64_t turn = s.asked[0], admin = stage_agent_joins(&s, 1);
    stage_agent(&s, 2, AGENT_ROLE_AGENT, 5);
    uint64_t other = stage_agent_joins(&s, 2);
    stage_watches(&s, visitor, conv);
    CHECK(strstr(stage_hears(&s, visitor), "forbidden"));
    (void)stage_hears(&s, other);
    stage_watches(&s, other, conv);
    CHECK(strstr(stage_hears(&s, other), "not_found"));
    stage_watches(&s, admin, conv + 7);
    CHECK(strstr(stage_hears(&s, admin), "not_found"));

    CHECK(desk_delta(s.desk, turn, 3, SLICE("more")));
    CHECK(!strstr(stage_hears(&s, admin), "delta"));
    s.growing = "so far";
    stage_watches(&s, admin, conv);
    CHECK(strstr(stage_hears(&s, admin), "delta whole 4"));
    CHECK(desk_delta(s.desk, turn, 5, SLICE("more")));
    CHECK(strstr(stage_hears(&s, admin), "delta"));
    CHECK(!strstr(stage_hears(&s, other), "delta"));
    stage_watches(&s, admin, 0);
    CHECK_EQ_STR(stage_hears(&s, admin), "");
    CHECK(desk_delta(s.desk, turn, 6, SLICE("more")));
    CHECK_EQ_STR(stage_hears(&s, admin), "");
    stage_watches(&s, admin, conv);
    stage_gone(&s, admin); /* and nobody tells it any more */
    CHECK(desk_delta(s.desk, turn, 7, SLICE("more")));
    admin = stage_agent_joins(&s, 1);
    stage_watches(&s, admin, conv); /* the desk ends with who looks on */
    stage_close(&s);
}

TEST("a socket that reads slowly does without, others do not notice")
{
    open_desk();
    stage_settle(&s);
    uint64_t phone = stage_visitor_joins(&s, 100), turn = s.asked[0];
    (void)stage_hears(&s, phone);
    (void)stage_hears(&s, visitor);
    s.slow = visitor;
    s.unread = 33 * 1024;
    CHECK(desk_delta(s.desk, turn, 3, SLICE("more")));
    CHECK_EQ_STR(stage_hears(&s, visitor), "");
    CHECK(strstr(stage_hears(&s, phone), "delta") != NULL);
    s.unread = 5 * 1024; /* it reads, but has not read up */
    s.growing = "all of it";
    CHECK(desk_delta(s.desk, turn, 4, SLICE("less")));
    CHECK_EQ_STR(stage_hears(&s, visitor), "");
    s.unread = 0;
    CHECK(desk_delta(s.desk, turn, 5, SLICE("last")));
    CHECK(strstr(stage_hears(&s, visitor), "delta whole 4") != NULL);
    CHECK(!strstr(stage_hears(&s, phone), "whole"));
    CHECK(desk_delta(s.desk, turn, 6, SLICE("end")));
    const char *more = stage_hears(&s, visitor);
    CHECK(strstr(more, "delta") != NULL && !strstr(more, "whole"));
    s.unread = 33 * 1024;
    bot_says("all of it, and the end");
    stage_settle(&s);
    CHECK(strstr(stage_hears(&s, visitor), "message.created") != NULL);
    stage_close(&s);
}

/* Rows and events of the only transaction that waits. */
static void one_change(int *events, int *turns, int *records)
{
    struct tx *tx = (struct tx *)s.txs;
    *events = *turns = *records = 0;
    REQUIRE(tx != NULL && !tx->mail.next);
    for (const struct event *ev = tx->first; ev; ev = ev->next) {
        ++*events;
    }
    for (const struct put *p = tx->puts; p; p = p->next) {
        *turns += p->kind == PUT_TURN;
        *records += p->kind == PUT_CONVERSATION;
    }
}

static void open_known(void)
{
    stage_open(&s);
    s.known = "kept";
    visitor = stage_visitor_joins(&s, 100);
    stage_says(&s, visitor, 0, "v1", "hello");
    stage_settle(&s);
    (void)stage_hears(&s, visitor);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    conv = job->conv.id;
    to_bot(job);
    stage_job_done(&s, job);
}

TEST("an answer that is known is one change: holder, words and the turn's end")
{
    char id[ID_TEXT];
    int events, turns, records;
    open_known();
    one_change(&events, &turns, &records);
    CHECK_EQ_INT(events, 2);
    CHECK_EQ_INT(turns, 1);
    CHECK_EQ_INT(records, 1);
    const struct tx *tx = (struct tx *)s.txs;
    const struct event *said_now = tx->first->next;
    CHECK_EQ_INT(tx->first->name, EVENT_CONVERSATION_UPDATED);
    CHECK_EQ_INT(said_now->name, EVENT_MESSAGE_CREATED);
    CHECK_EQ_INT(said(ROLE_BOT, NULL), 0);
    CHECK(!strstr(stage_hears(&s, visitor), "event")); /* not before the disk */
    CHECK(stage_commit(&s));
    CHECK(s.txs == NULL); /* and nothing follows */
    CHECK_EQ_INT(said(ROLE_BOT, "kept to hello"), 1);
    CHECK_EQ_INT(s.asked_count, 0);
    CHECK_EQ_INT((int)s.turn_count, 1);
    CHECK_EQ_INT(in_state(TURN_DONE), 1);
    CHECK_SLICE(s.turns[0].assistant, "polly");
    CHECK_EQ_INT(s.turns[0].fence, stage_conv(&s, conv)->fence);
    CHECK(slice_eq(s.journal[s.pos].ref, id_text(id, ID_TURN, s.turns[0].id)));
    CHECK(strstr(s.trace, "\"kept_by\":\"polly\""));
    CHECK(strstr(stage_hears(&s, visitor), "message.created"));
    CHECK_EQ_INT(desk_turn_of(s.desk, conv), 0);
    stage_close(&s);
}

TEST("a known answer that could not be written is written later, once")
{
    open_known();
    CHECK(stage_fail(&s, ERR_UNAVAILABLE));
    CHECK_EQ_INT(said(ROLE_BOT, NULL), 0);
    CHECK_EQ_INT((int)s.turn_count, 0);
    CHECK(stage_conv(&s, conv)->bot.len == 0);
    stage_pass(&s, 1500);
    stage_settle(&s);
    CHECK_EQ_INT(said(ROLE_BOT, "kept"), 1);
    CHECK_EQ_INT((int)s.turn_count, 1);
    CHECK_EQ_INT(in_state(TURN_DONE), 1);
    CHECK_EQ_INT(s.asked_count, 0);
    stage_close(&s);
}

TEST("only first words are known: with an answer beside or behind others, ask")
{
    stage_open(&s);
    s.known = "kept";
    visitor = stage_visitor_joins(&s, 100);
    stage_says(&s, visitor, 0, "v1", "hello");
    stage_settle(&s);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    conv = job->conv.id;
    struct effect *e = job_effect(job, EFFECT_REPLY);
    e->body = SLICE("{\"kind\":\"text\",\"text\":\"one moment\"}");
    to_bot(job);
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(s.looked_for, 0);
    CHECK_EQ_INT(s.asked_count, 1);
    stage_says(&s, visitor, conv, "v2", "and this");
    stage_settle(&s);
    job = stage_job(&s);
    REQUIRE(job != NULL);
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(s.looked_for, 0);
    CHECK_EQ_INT(s.asked_count, 2);
    CHECK_EQ_INT(said(ROLE_BOT, "kept"), 0);
    stage_close(&s);
}

TEST("who took over meanwhile hears no known answer")
{
    stage_open(&s);
    s.known = "kept";
    stage_agent(&s, 1, AGENT_ROLE_ADMIN, 5);
    visitor = stage_visitor_joins(&s, 100);
    stage_says(&s, visitor, 0, "v1", "hello");
    stage_settle(&s);
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    conv = job->conv.id;
    to_bot(job);
    agent = stage_agent_joins(&s, 1);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 1, conv, 1, 0), 0);
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(said(ROLE_BOT, NULL), 0);
    CHECK_EQ_INT((int)s.turn_count, 0);
    CHECK_EQ_INT(stage_conv(&s, conv)->assignee, 1);
    stage_close(&s);
}

/* Bot and person answer at once, in any order of hops: exactly one of them
 * wins, whoever it is, and the bot says nothing behind the person's taking. */
static void race(unsigned seed)
{
    srand(seed);
    open_desk();
    stage_settle(&s);
    agent = stage_agent_joins(&s, 1);
    struct act *act = act_new(ACT_ASSIGN, act_free, NULL);
    act->role = ROLE_AGENT;
    act->actor = act->agent = 1;
    act->conv = conv;
    bool bot = false, person = false, more = false;
    for (int i = 0; i < 24; i++) {
        int what = rand() % 5;
        if (what == 0 && !bot) {
            bot = true;
            bot_says("bot's");
        } else if (what == 1 && !person) {
            person = true;
            act->role = ROLE_BOT;
            desk_act(s.desk, act);
        } else if (what == 2 && !more && seed % 3 == 0) {
            more = true;
            stage_says(&s, visitor, conv, "v2", "more");
        } else if (what == 3 && seed % 5 == 0 && s.txs) {
            stage_fail(&s, ERR_UNAVAILABLE);
        } else if (s.txs) {
            stage_commit(&s);
        }
        for (struct job *j; (j = stage_job(&s)) != NULL;) {
            stage_job_done(&s, j);
        }
    }
    if (!person) {
        act_free(act);
    }
    stage_pass(&s, 3000);
    stage_settle(&s);
    uint64_t taken = 0, answered = 0;
    for (uint64_t i = 1; i <= s.pos; i++) {
        const struct event *ev = &s.journal[i];
        if (ev->name == EVENT_CONVERSATION_ASSIGNED && !taken) {
            taken = i;
        }
        if (ev->name == EVENT_MESSAGE_CREATED && ev->role == ROLE_BOT) {
            CHECK(!answered); /* at most once */
            answered = i;
        }
    }
    CHECK(!(taken && answered && answered > taken)); /* I13 */
    CHECK(!bot || taken || answered || more);        /* never neither */
    stage_close(&s);
}

TEST("bot and person answer at once: exactly one wins, with 300 seeds")
{
    for (unsigned seed = 1; seed <= 300; seed++) {
        test_note("seed %u", seed);
        race(seed);
    }
}
