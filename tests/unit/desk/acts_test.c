/* SPDX-License-Identifier: Apache-2.0 */
/* acts_test.c - who may do what, and what a conversation becomes by it. */
#include "stage.h"

static struct stage s;
static uint64_t bo, cy, boss; /* peers of agents 1, 2 and supervisor 3 */

/* Agent 1 holds a conversation of visitor 100, whose peer is given. */
static uint64_t held(uint64_t *visitor)
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_agent(&s, 2, AGENT_ROLE_AGENT, 5);
    stage_agent(&s, 3, AGENT_ROLE_SUPERVISOR, 5);
    bo = stage_agent_joins(&s, 1);
    *visitor = s.next_peer;
    uint64_t c = stage_conversation(&s, 100);
    cy = stage_agent_joins(&s, 2);
    boss = stage_agent_joins(&s, 3);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 1);
    return c;
}

TEST("the holder answers, and the visitor hears it")
{
    uint64_t v, c = held(&v);
    stage_hears(&s, v);
    stage_says(&s, bo, c, "a1", "hello");
    CHECK_EQ_STR(stage_hears(&s, bo) + 0, stage_hears(&s, 999)); /* no ack */
    stage_settle(&s);
    CHECK(strstr(stage_hears(&s, bo), "ack message.created") != NULL);
    CHECK(strstr(stage_hears(&s, v), "event message.created") != NULL);
    CHECK_EQ_INT(stage_conv(&s, c)->unread, 0);
    CHECK_EQ_INT(stage_conv(&s, c)->waiting_since_at, 0);
    stage_close(&s);
}

TEST("a plain agent may not answer in another's conversation (I13)")
{
    uint64_t v, c = held(&v);
    stage_hears(&s, cy);
    stage_says(&s, cy, c, "a1", "me too");
    stage_settle(&s);
    CHECK_EQ_STR(stage_hears(&s, cy), "error forbidden");
    CHECK_EQ_INT(stage_conv(&s, c)->last_seq, 1);
    stage_close(&s);
}

TEST("a supervisor who answers takes over in the same transaction")
{
    uint64_t v, c = held(&v);
    uint32_t fence = stage_conv(&s, c)->fence;
    stage_says(&s, boss, c, "a1", "let me");
    struct tx *tx = (struct tx *)s.txs;
    REQUIRE(tx != NULL && tx->count == 2);
    CHECK_EQ_INT(tx->first->name, EVENT_CONVERSATION_ASSIGNED);
    CHECK_EQ_INT(tx->last->name, EVENT_MESSAGE_CREATED);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 3);
    CHECK(stage_conv(&s, c)->fence > fence);
    CHECK_EQ_INT(desk_load(s.desk, 1), 0);
    CHECK_EQ_INT(desk_load(s.desk, 3), 1);
    stage_close(&s);
}

TEST("a private note takes nothing over and no visitor hears it")
{
    uint64_t v, c = held(&v);
    stage_hears(&s, v);
    stage_notes(&s, boss, c, "n1", "careful");
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 1);
    CHECK_EQ_STR(stage_hears(&s, v), "");
    CHECK(strstr(stage_hears(&s, bo), "message.created") != NULL);
    stage_close(&s);
}

TEST("an answer waits behind a transfer that is being written (I13)")
{
    uint64_t v, c = held(&v);
    struct act *act = act_new(ACT_ASSIGN, act_free, NULL);
    act->role = ROLE_AGENT;
    act->actor = act->peer = 0;
    act->role = ROLE_SYSTEM;
    act->conv = c;
    act->agent = 2;
    desk_act(s.desk, act); /* not committed yet */
    stage_hears(&s, bo);
    stage_says(&s, bo, c, "a1", "still mine?");
    stage_settle(&s);
    CHECK(strstr(stage_hears(&s, bo), "error forbidden") != NULL);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 2);
    CHECK_EQ_INT(stage_conv(&s, c)->last_seq, 1);
    stage_close(&s);
}

TEST("the same ref again gives the same message, and says so")
{
    uint64_t v, c = held(&v);
    stage_says(&s, v, 0, "v2", "one");
    stage_settle(&s);
    stage_hears(&s, v);
    stage_says(&s, v, 0, "v2", "another text");
    stage_settle(&s);
    CHECK(strstr(stage_hears(&s, v), "seq 2 duplicate") != NULL);
    CHECK_EQ_INT(stage_conv(&s, c)->last_seq, 2);
    stage_close(&s);
}

TEST("a failed commit is an error for the sender and nothing for others")
{
    uint64_t v, c = held(&v);
    stage_hears(&s, v);
    stage_hears(&s, bo);
    stage_says(&s, v, 0, "v2", "lost");
    CHECK(stage_fail(&s, ERR_UNAVAILABLE));
    CHECK_EQ_STR(stage_hears(&s, v), "error unavailable");
    CHECK_EQ_STR(stage_hears(&s, bo), "");
    CHECK_EQ_INT(stage_conv(&s, c)->last_seq, 1);
    stage_says(&s, v, 0, "v2", "lost");
    stage_settle(&s);
    CHECK(strstr(stage_hears(&s, v), "ack message.created") != NULL);
    stage_close(&s);
}

TEST("what a visitor says to a closed conversation begins a new one")
{
    uint64_t v, c = held(&v);
    CHECK_EQ_INT(stage_acts(&s, ACT_CLOSE, 1, c, 0, 0), 0);
    CHECK(desk_conversation(s.desk, c) == NULL);
    CHECK_EQ_INT(desk_load(s.desk, 1), 0);
    stage_says(&s, v, 0, "v2", "again");
    stage_settle(&s);
    CHECK(s.acked_conv != c);
    stage_close(&s);
}

TEST("what is said while the close is written begins a new one, in order")
{
    uint64_t v, c = held(&v);
    struct act *act = act_new(ACT_CLOSE, act_free, NULL);
    act->role = ROLE_SYSTEM;
    act->conv = c;
    desk_act(s.desk, act);
    stage_says(&s, v, 0, "v2", "two");
    stage_says(&s, v, 0, "v3", "three");
    CHECK(stage_commit(&s)); /* the close */
    stage_says(&s, v, 0, "v4", "four");
    stage_settle(&s);
    uint64_t now = s.acked_conv;
    CHECK(now != c);
    int n = 0;
    for (uint64_t i = 1; i <= s.pos; i++) {
        struct event *ev = &s.journal[i];
        if (ev->conv != now || ev->name != EVENT_MESSAGE_CREATED)
            continue;
        n++;
        CHECK_EQ_INT(ev->ref.at[1] - '0', n + 1);
        CHECK_EQ_INT(ev->seq, n);
    }
    CHECK_EQ_INT(n, 3);
    stage_close(&s);
}

TEST("a conversation is not closed twice nor reopened when open")
{
    uint64_t v, c = held(&v);
    CHECK_EQ_INT(stage_acts(&s, ACT_REOPEN, 1, c, 0, 0), ERR_CONFLICT);
    CHECK_EQ_INT(stage_acts(&s, ACT_CLOSE, 1, c, 0, 0), 0);
    /* It is loaded again; this stage has no closed ones. */
    CHECK_EQ_INT(stage_acts(&s, ACT_CLOSE, 1, c, 0, 0), ERR_NOT_FOUND);
    stage_close(&s);
}

TEST("a snoozed conversation wakes in time, or by the visitor's word")
{
    uint64_t v, c = held(&v);
    CHECK_EQ_INT(stage_acts(&s, ACT_SNOOZE, 1, c, 0, 0), 0);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_SNOOZED);
    CHECK_EQ_INT(stage_acts(&s, ACT_REOPEN, 1, c, 0, 0), 0); /* woken early */
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_OPEN);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 1);
    CHECK_EQ_INT(stage_acts(&s, ACT_SNOOZE, 1, c, 0, 0), 0);
    CHECK_EQ_INT(desk_load(s.desk, 1), 1);
    stage_pass(&s, 1200);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_OPEN);
    CHECK_EQ_INT(stage_acts(&s, ACT_SNOOZE, 1, c, 0, 0), 0);
    stage_says(&s, v, 0, "v2", "wake up");
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_OPEN);
    CHECK_EQ_INT(stage_conv(&s, c)->snoozed_until, 0);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 1);
    stage_close(&s);
}

TEST("a transfer to an agent or team that is not there is refused")
{
    uint64_t v, c = held(&v);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 1, c, 4711, 0), ERR_UNPROCESSABLE);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 1, c, 0, 4711), ERR_UNPROCESSABLE);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 2, c, 2, 0), ERR_FORBIDDEN);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 1, 999999, 2, 0), ERR_NOT_FOUND);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 1);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 1, c, 2, 0), 0);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 2);
    stage_close(&s);
}

TEST("read marks go forward only, and no further than there is")
{
    uint64_t v, c = held(&v);
    stage_says(&s, v, 0, "v2", "two");
    stage_says(&s, v, 0, "v3", "three");
    stage_settle(&s);
    stage_reads(&s, bo, c, 2);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->agent_read, 2);
    CHECK_EQ_INT(stage_conv(&s, c)->unread, 1);
    uint64_t pos = s.pos;
    stage_reads(&s, bo, c, 1);
    stage_reads(&s, bo, c, 2);
    stage_settle(&s);
    CHECK_EQ_INT(s.pos, pos); /* nothing to write */
    stage_reads(&s, bo, c, 4000000000u);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->agent_read, 3);
    CHECK_EQ_INT(stage_conv(&s, c)->unread, 0);
    CHECK(strstr(stage_hears(&s, v), "message.status") != NULL);
    stage_close(&s);
}

TEST("a read mark that could not be written is written when it comes again")
{
    uint64_t v, c = held(&v);
    stage_reads(&s, bo, c, 1);
    CHECK(stage_fail(&s, ERR_UNAVAILABLE));
    CHECK_EQ_INT(stage_conv(&s, c)->agent_read, 0);
    stage_reads(&s, bo, c, 1);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->agent_read, 1);
    (void)v;
    stage_close(&s);
}

TEST("visitors write no private notes, and agents say which conversation")
{
    uint64_t v, c = held(&v);
    stage_hears(&s, v);
    stage_notes(&s, v, 0, "v2", "secret");
    CHECK_EQ_STR(stage_hears(&s, v), "error forbidden");
    stage_hears(&s, bo);
    stage_says(&s, bo, 0, "a1", "where?");
    CHECK_EQ_STR(stage_hears(&s, bo), "error bad_request");
    (void)c;
    stage_close(&s);
}

TEST("typing reaches the other side only, and is never stored")
{
    uint64_t v, c = held(&v);
    stage_hears(&s, v);
    stage_hears(&s, bo);
    stage_hears(&s, cy);
    uint64_t pos = s.pos;
    stage_types(&s, v, 0);
    CHECK_EQ_STR(stage_hears(&s, bo), "typing");
    stage_types(&s, bo, c);
    CHECK_EQ_STR(stage_hears(&s, v), "typing");
    CHECK_EQ_STR(stage_hears(&s, cy), "");
    CHECK_EQ_INT(s.pos, pos);
    stage_close(&s);
}
