/* SPDX-License-Identifier: Apache-2.0 */
/* queue_test.c - who waits in which order, and who takes them. */
#include "base/clock.h"
#include "stage.h"

#include <stdio.h>

static struct stage s;

static uint64_t holder(uint64_t conv)
{
    return stage_conv(&s, conv)->assignee;
}

/* Three wait; returns them in the order they came. */
static void three_wait(uint64_t out[3])
{
    for (int i = 0; i < 3; i++) {
        out[i] = stage_conversation(&s, 100 + (uint64_t)i);
        stage_pass(&s, 10);
    }
}

static void set_priority(uint64_t conv, int32_t priority)
{
    struct act *act = act_new(ACT_UPDATE, act_free, NULL);
    act->role = ROLE_SYSTEM;
    act->conv = conv;
    act->has_priority = true;
    act->priority = priority;
    desk_act(s.desk, act);
    stage_settle(&s);
}

TEST("what nobody took waits in the queue")
{
    stage_open(&s);
    uint64_t c = stage_conversation(&s, 100);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_QUEUED);
    CHECK_EQ_INT(holder(c), 0);
    CHECK(stage_conv(&s, c)->queued_at != 0);
    stage_close(&s);
}

TEST("who waits longest is served first")
{
    stage_open(&s);
    uint64_t c[3];
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 1);
    three_wait(c);
    stage_agent_joins(&s, 1);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c[0]), 1);
    CHECK_EQ_INT(holder(c[1]), 0);
    CHECK_EQ_INT(stage_acts(&s, ACT_CLOSE, 1, c[0], 0, 0), 0);
    CHECK_EQ_INT(holder(c[1]), 1);
    stage_close(&s);
}

TEST("a higher priority goes before an earlier arrival")
{
    stage_open(&s);
    uint64_t c[3];
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 1);
    three_wait(c);
    set_priority(c[2], 5);
    stage_agent_joins(&s, 1);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c[2]), 1);
    CHECK_EQ_INT(holder(c[0]), 0);
    stage_close(&s);
}

TEST("the less busy agent by share of the load takes")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 2);
    stage_agent(&s, 2, AGENT_ROLE_AGENT, 4);
    stage_agent_joins(&s, 1);
    stage_agent_joins(&s, 2);
    uint64_t a = stage_conversation(&s, 100);
    uint64_t b = stage_conversation(&s, 101);
    CHECK(holder(a) != holder(b)); /* 1/2 or 1/4 against 0 */
    uint64_t c = stage_conversation(&s, 102);
    CHECK_EQ_INT(holder(c), 2); /* 1/4 < 1/2 */
    CHECK_EQ_INT(desk_load(s.desk, 1), 1);
    CHECK_EQ_INT(desk_load(s.desk, 2), 2);
    stage_close(&s);
}

TEST("nobody is given more than max_load, also when many come at once")
{
    stage_open(&s);
    uint64_t c[3];
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 2);
    three_wait(c);
    stage_agent_joins(&s, 1);
    stage_settle(&s);
    CHECK_EQ_INT(desk_load(s.desk, 1), 2);
    CHECK_EQ_INT(stage_conv(&s, c[2])->state, CONV_QUEUED);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 3); /* more room by the roof */
    stage_settle(&s);
    CHECK_EQ_INT(holder(c[2]), 1);
    stage_close(&s);
}

TEST("busy and away agents are given nothing until they are online")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_agent_joins(&s, 1);
    desk_set_status(s.desk, 1, AGENT_BUSY);
    uint64_t c = stage_conversation(&s, 100);
    CHECK_EQ_INT(holder(c), 0);
    desk_set_status(s.desk, 1, AGENT_AWAY);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 0);
    desk_set_status(s.desk, 1, AGENT_ONLINE);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 1);
    stage_close(&s);
}

TEST("a team's conversation is taken by its members only")
{
    stage_open(&s);
    char id[ID_TEXT], members[60];
    snprintf(members, sizeof(members), "[\"%s\"]", id_text(id, ID_AGENT, 2).at);
    stage_agent(&s, 1, AGENT_ROLE_ADMIN, 5);
    stage_agent(&s, 2, AGENT_ROLE_AGENT, 5);
    stage_team(&s, 9, members);
    uint64_t c = stage_conversation(&s, 100);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 1, c, 0, 9), 0);
    stage_agent_joins(&s, 1);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 0);
    stage_agent_joins(&s, 2);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 2);
    CHECK_EQ_INT(stage_conv(&s, c)->team, 9);
    stage_close(&s);
}

TEST("when its team is deleted anybody may take it")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_ADMIN, 5);
    stage_team(&s, 9, "[]");
    uint64_t c = stage_conversation(&s, 100);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 1, c, 0, 9), 0);
    stage_agent_joins(&s, 1);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 0);
    desk_del_team(s.desk, 9);
    stage_pass(&s, 1500);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 1);
    stage_close(&s);
}

TEST("a giving that could not be written is tried again, and the room is free")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 1);
    uint64_t c = stage_conversation(&s, 100);
    stage_agent_joins(&s, 1);
    CHECK(stage_fail(&s, ERR_UNAVAILABLE));
    CHECK_EQ_INT(holder(c), 0);
    CHECK_EQ_INT(desk_load(s.desk, 1), 0);
    stage_pass(&s, 1500);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 1);
    stage_close(&s);
}

TEST("a visitor in the queue hears their position")
{
    stage_open(&s);
    stage_conversation(&s, 100);
    uint64_t second = stage_conversation(&s, 101);
    uint64_t peer = stage_visitor_joins(&s, 101);
    stage_pass(&s, 2100);
    CHECK(strstr(stage_hears(&s, 2), "queue") != NULL);
    CHECK_EQ_INT(stage_conv(&s, second)->state, CONV_QUEUED);
    (void)peer;
    stage_close(&s);
}

TEST("an agent who drops keeps what they hold for a while, then the queue")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_agent(&s, 2, AGENT_ROLE_AGENT, 5);
    uint64_t peer = stage_agent_joins(&s, 1);
    uint64_t c = stage_conversation(&s, 100);
    stage_gone(&s, peer);
    stage_agent_joins(&s, 2);
    stage_pass(&s, 4000);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 1);
    CHECK_EQ_INT(desk_presence(s.desk, 1), AGENT_ONLINE);
    stage_pass(&s, 2500);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 2);
    CHECK_EQ_INT(desk_presence(s.desk, 1), AGENT_OFFLINE);
    stage_close(&s);
}

TEST("who writes to an agent long gone goes back to the queue")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    uint64_t peer = stage_agent_joins(&s, 1);
    uint64_t c = stage_conversation(&s, 100);
    stage_says(&s, peer, c, "a1", "bye then");
    stage_settle(&s);
    stage_gone(&s, peer);
    stage_pass(&s, 20000);
    CHECK_EQ_INT(holder(c), 1); /* nobody waits for an answer */
    stage_says(&s, 2, 0, "v2", "one more thing");
    stage_settle(&s);
    stage_pass(&s, 1500);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 0);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_QUEUED);
    stage_close(&s);
}

TEST("what a disabled or deleted agent held goes to somebody else")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 1);
    stage_agent(&s, 2, AGENT_ROLE_AGENT, 1);
    stage_agent_joins(&s, 1);
    uint64_t c = stage_conversation(&s, 100);
    CHECK_EQ_INT(holder(c), 1);
    stage_agent_joins(&s, 2);
    struct agent off = {.id = 1, .role = AGENT_ROLE_AGENT, .max_load = 1};
    desk_put_agent(s.desk, &off);
    stage_settle(&s);
    CHECK_EQ_INT(holder(c), 2);
    desk_del_agent(s.desk, 2);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->state, CONV_QUEUED);
    stage_close(&s);
}
