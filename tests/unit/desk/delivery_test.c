/* SPDX-License-Identifier: Apache-2.0 */
/* delivery_test.c - what came before, what is newer, and their order. */
#include "base/limits.h"
#include "stage.h"

#include <stdio.h>

static struct stage s;

static void setup(void)
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_agent(&s, 2, AGENT_ROLE_AGENT, 5);
}

TEST("who is given a conversation gets the event, then what was said before")
{
    setup();
    uint64_t c = stage_conversation(&s, 100); /* pos 1..3: queued at 3 */
    CHECK_EQ_INT(s.pos, 3);
    desk_set_status(s.desk, 1, AGENT_BUSY);
    uint64_t bo = stage_agent_joins(&s, 1);
    CHECK(strstr(stage_hears(&s, bo), "welcome anew") != NULL);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, c)->assignee, 1);
    CHECK_EQ_STR(stage_hears(&s, bo),
                 "event conversation.assigned pos 4 at 4.1 | "
                 "event message.created pos 2 seq 1 at 4.all");
    stage_close(&s);
}

TEST("while the backlog is read what is newer waits (cursors rise)")
{
    setup();
    uint64_t c = stage_conversation(&s, 100); /* visitor's peer is 1 */
    uint64_t bo = stage_agent_joins(&s, 1);
    CHECK(stage_commit(&s)); /* assigned, pos 4; its backlog is asked for */
    stage_says(&s, 1, 0, "v2", "two");
    stage_says(&s, 1, 0, "v3", "three");
    while (stage_commit(&s))
        ;
    CHECK(strstr(stage_hears(&s, bo), "message") == NULL);
    CHECK(stage_read(&s));
    CHECK_EQ_STR(stage_hears(&s, bo),
                 "event message.created pos 2 seq 1 at 4.all | "
                 "event message.created pos 5 seq 2 | "
                 "event message.created pos 6 seq 3");
    (void)c;
    stage_close(&s);
}

TEST("what an agent was shown is not shown again when it comes back to them")
{
    setup();
    uint64_t bo = stage_agent_joins(&s, 1);
    uint64_t c = stage_conversation(&s, 100);
    stage_agent_joins(&s, 2);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 1, c, 2, 0), 0);
    stage_says(&s, 2, 0, "v2", "two"); /* bo does not see this one */
    stage_settle(&s);
    stage_hears(&s, bo);
    CHECK_EQ_INT(stage_acts(&s, ACT_ASSIGN, 2, c, 1, 0), 0);
    const char *heard = stage_hears(&s, bo);
    CHECK(strstr(heard, "seq 1") == NULL);
    CHECK(strstr(heard, "seq 2 at ") != NULL);
    stage_close(&s);
}

TEST("a backlog that cannot be read sends the peer back for it")
{
    setup();
    stage_conversation(&s, 100);
    uint64_t bo = stage_agent_joins(&s, 1);
    CHECK(stage_commit(&s));
    stage_hears(&s, bo);
    struct query *q = (struct query *)s.queries;
    REQUIRE(q != NULL);
    s.queries = q->mail.next;
    q->result = ERR_UNAVAILABLE;
    q->done(q);
    CHECK_EQ_STR(stage_hears(&s, bo), "reconnect | close 1001");
    stage_gone(&s, bo);
    stage_close(&s);
}

TEST("a resume is welcomed first, then told all it missed, then what is newer")
{
    setup();
    stage_conversation(&s, 100);
    uint64_t pos = s.pos;
    stage_says(&s, 1, 0, "v2", "two");
    stage_settle(&s);
    uint64_t v = stage_resumes(&s, ROLE_VISITOR, 100, pos, 0);
    CHECK_EQ_STR(stage_hears(&s, v), "");
    stage_says(&s, 1, 0, "v3", "three");
    while (stage_commit(&s))
        ;
    CHECK_EQ_STR(stage_hears(&s, v), ""); /* still being read */
    CHECK(stage_read(&s));
    CHECK_EQ_STR(stage_hears(&s, v),
                 "welcome recovered | event message.created pos 4 seq 2 | "
                 "event message.created pos 5 seq 3");
    stage_close(&s);
}

TEST("a resume that is not whole starts over")
{
    setup();
    stage_conversation(&s, 100);
    uint64_t v = stage_resumes(&s, ROLE_VISITOR, 100, 1, 0);
    struct query *q = (struct query *)s.queries;
    REQUIRE(q != NULL);
    s.queries = q->mail.next;
    q->recovered = false;
    q->done(q);
    CHECK_EQ_STR(stage_hears(&s, v), "welcome anew");
    v = stage_resumes(&s, ROLE_VISITOR, 100, 1000, 0); /* of another time */
    CHECK_EQ_STR(stage_hears(&s, v), "welcome anew");
    stage_close(&s);
}

TEST("a peer that went away while its past was read is told nothing")
{
    setup();
    stage_conversation(&s, 100);
    uint64_t v = stage_resumes(&s, ROLE_VISITOR, 100, 1, 0);
    stage_gone(&s, v);
    stage_settle(&s);
    CHECK_EQ_STR(stage_hears(&s, v), "");
    stage_close(&s);
}

TEST("a replay in which a conversation becomes one's own brings its backlog")
{
    setup();
    uint64_t bo = stage_agent_joins(&s, 1);
    stage_gone(&s, bo);
    stage_conversation(&s, 100);
    stage_pass(&s, 1500);
    stage_settle(&s);
    bo = stage_resumes(&s, ROLE_AGENT, 1, 0, 0);
    stage_settle(&s);
    CHECK(strstr(stage_hears(&s, bo), "message.created pos 2 seq 1 at 3.all") !=
          NULL);
    stage_close(&s);
}

TEST("a peer that stopped at the door gets the backlog behind it, once")
{
    setup();
    stage_conversation(&s, 100); /* queued at 3: who is there sees it */
    uint64_t bo = stage_agent_joins(&s, 1);
    stage_settle(&s); /* assigned at 4, the message behind that */
    stage_gone(&s, bo);
    static const struct {
        uint64_t pos;
        uint32_t sub;
        bool brings;
    } stops[] = {{3, 0, true}, {3, UINT32_MAX, false}, {4, 0, false},
                 {4, 1, true}, {4, 2, false},          {4, UINT32_MAX, false}};
    for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
        bo = stage_resumes(&s, ROLE_AGENT, 1, stops[i].pos, stops[i].sub);
        stage_settle(&s);
        const char *heard = stage_hears(&s, bo);
        test_note("case %zu", i);
        CHECK(strstr(heard, "recovered") != NULL);
        CHECK((strstr(heard, "seq 1 at ") != NULL) == stops[i].brings);
        stage_gone(&s, bo);
    }
    stage_close(&s);
}

TEST(
    "what a resume shows is not shown again by an assignment before its answer")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_conversation(&s, 100); /* queued: nobody is there */
    uint64_t bo = stage_resumes(&s, ROLE_AGENT, 1, 1, 0);
    REQUIRE(stage_commit(&s)); /* the queue gives it, the resume is not read */
    stage_settle(&s);
    const char *heard = stage_hears(&s, bo);
    const char *given = strstr(heard, "conversation.assigned");
    test_note("%s", heard);
    CHECK(strstr(heard, "message.created pos 2") != NULL);
    CHECK(given != NULL && strstr(given, "message.created") == NULL);
    stage_close(&s);
}

TEST("who falls too far behind is told to come back")
{
    setup();
    stage_conversation(&s, 100);
    uint64_t v = stage_resumes(&s, ROLE_VISITOR, 100, 1, 0); /* not read */
    for (int i = 0; i < LIMIT_RESUME_EVENTS; i++) {
        char ref[20];
        snprintf(ref, sizeof(ref), "f%d", i);
        stage_says(&s, 1, 0, ref, "flood");
        stage_commit(&s);
    }
    CHECK_EQ_STR(stage_hears(&s, v), "reconnect | close 1001");
    stage_gone(&s, v);
    stage_close(&s);
}

TEST("visitors are told of a conversation what concerns them")
{
    setup();
    stage_visitor_joins(&s, 100);
    stage_conversation(&s, 100);
    const char *heard = stage_hears(&s, 1);
    CHECK(strstr(heard, "conversation.created") != NULL);
    CHECK(strstr(heard, "conversation.updated") != NULL);
    stage_close(&s);
}
