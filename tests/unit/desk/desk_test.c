/* SPDX-License-Identifier: Apache-2.0 */
/* desk_test.c - joining, presence, who sees what, figures, restart. */
#include "base/clock.h"
#include "stage.h"

#include <stdio.h>

static struct stage s;

static bool sees(uint64_t agent, enum conv_state state, uint64_t assignee,
                 uint64_t team)
{
    struct conversation c = {
        .id = 5, .state = state, .assignee = assignee, .team = team};
    return desk_may_see(s.desk, agent, &c);
}

TEST("an agent sees its own, its teams' and what waits for anybody")
{
    stage_open(&s);
    char id[ID_TEXT], members[60];
    snprintf(members, sizeof(members), "[\"%s\",\"nonsense\",7]",
             id_text(id, ID_AGENT, 1).at);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_agent(&s, 2, AGENT_ROLE_AGENT, 5);
    stage_agent(&s, 3, AGENT_ROLE_SUPERVISOR, 5);
    stage_team(&s, 9, members);
    CHECK(sees(1, CONV_OPEN, 1, 0));
    CHECK(!sees(1, CONV_OPEN, 2, 0));
    CHECK(sees(1, CONV_OPEN, 2, 9));
    CHECK(!sees(2, CONV_OPEN, 1, 9));
    CHECK(sees(2, CONV_QUEUED, 0, 0));
    CHECK(!sees(2, CONV_QUEUED, 0, 9));
    CHECK(!sees(1, CONV_BOT, 0, 0));
    CHECK(!sees(1, CONV_CLOSED, 2, 0));
    CHECK(sees(3, CONV_BOT, 0, 0));
    CHECK(sees(3, CONV_CLOSED, 2, 9));
    CHECK(!sees(4711, CONV_QUEUED, 0, 0));
    struct arena *a = arena_new();
    struct viewer v;
    desk_viewer(s.desk, 1, a, &v);
    CHECK_EQ_INT(v.team_count, 1);
    CHECK_EQ_INT(v.teams[0], 9);
    desk_viewer(s.desk, 3, a, &v);
    CHECK_EQ_INT(v.team_count, 0);
    CHECK_EQ_INT(v.agent_role, AGENT_ROLE_SUPERVISOR);
    arena_free(a);
    stage_close(&s);
}

TEST("the default channel is the oldest enabled web channel")
{
    stage_open(&s);
    struct channel off = {
        .id = 0x10, .type = SLICE("web"), .name = SLICE("off")};
    struct channel mail = {.id = 0x11, .type = SLICE("email"), .enabled = true};
    struct channel late = {.id = 0x12, .type = SLICE("web"), .enabled = true};
    desk_put_channel(s.desk, &off);
    desk_put_channel(s.desk, &mail);
    desk_put_channel(s.desk, &late);
    CHECK_EQ_INT(desk_find_channel(s.desk, SLICE("default"))->id, 1);
    desk_del_channel(s.desk, 1);
    CHECK_EQ_INT(desk_find_channel(s.desk, SLICE("default"))->id, 0x12);
    char id[ID_TEXT];
    CHECK_EQ_INT(desk_find_channel(s.desk, id_text(id, ID_CHANNEL, 0x11))->id,
                 0x11);
    CHECK(desk_find_channel(s.desk, SLICE("ch_nonsense")) == NULL);
    CHECK(desk_find_channel(s.desk, SLICE("")) == NULL);
    desk_del_channel(s.desk, 0x12);
    CHECK(desk_find_channel(s.desk, SLICE("default")) == NULL);
    stage_close(&s);
}

TEST("an agent is found by email, whatever the case")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    CHECK(desk_find_agent(s.desk, SLICE("BO@x")) != NULL);
    CHECK(desk_find_agent(s.desk, SLICE("bo@")) == NULL);
    stage_close(&s);
}

TEST("presence is the chosen status while a socket is there, and a grace")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_agent(&s, 2, AGENT_ROLE_AGENT, 5);
    CHECK_EQ_INT(desk_presence(s.desk, 1), AGENT_OFFLINE);
    uint64_t watcher = stage_agent_joins(&s, 2);
    stage_hears(&s, watcher);
    uint64_t a = stage_agent_joins(&s, 1), b = stage_agent_joins(&s, 1);
    CHECK_EQ_STR(stage_hears(&s, watcher), "presence");
    desk_set_status(s.desk, 1, AGENT_BUSY);
    CHECK_EQ_STR(stage_hears(&s, watcher), "presence");
    stage_gone(&s, a);
    stage_pass(&s, 20000);
    CHECK_EQ_INT(desk_presence(s.desk, 1), AGENT_BUSY); /* one is left */
    stage_gone(&s, b);
    stage_pass(&s, 4000);
    CHECK_EQ_INT(desk_presence(s.desk, 1), AGENT_BUSY);
    stage_pass(&s, 2000);
    CHECK_EQ_INT(desk_presence(s.desk, 1), AGENT_OFFLINE);
    CHECK_EQ_STR(stage_hears(&s, watcher), "presence");
    stage_close(&s);
}

TEST("an agent that is not there or disabled is not let in")
{
    stage_open(&s);
    uint64_t peer = stage_agent_joins(&s, 4711);
    CHECK_EQ_STR(stage_hears(&s, peer), "close 4003");
    stage_gone(&s, peer); /* harmless */
    stage_close(&s);
}

TEST("a visitor's other device hears the message, the sender gets the ack")
{
    stage_open(&s);
    uint64_t a = stage_visitor_joins(&s, 100);
    uint64_t b = stage_visitor_joins(&s, 100);
    stage_says(&s, a, 0, "v1", "hello");
    stage_settle(&s);
    CHECK(strstr(stage_hears(&s, a), "ack message.created pos 2 seq 1") !=
          NULL);
    CHECK(strstr(stage_hears(&s, b), "event message.created pos 2 seq 1") !=
          NULL);
    stage_close(&s);
}

TEST("a visitor is told of the files their channel takes, an agent of all")
{
    static const struct {
        int64_t channel;
        const char *told; /* NULL: none are taken */
    } cases[] = {{0, " files 5000"},
                 {700, " files 700"},
                 {9000, " files 5000"},
                 {-1, NULL}};
    stage_open(&s);
    struct desk_conf conf = {.agent_grace_ms = 5000, .file_bytes = 5000};
    desk_adjust(s.desk, &conf);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s.face.file_bytes = cases[i].channel;
        desk_faces_changed(s.desk);
        const char *hears = stage_hears(&s, stage_visitor_joins(&s, 100 + i));
        test_note("%lld: %s", (long long)cases[i].channel, hears);
        CHECK(strstr(hears, "welcome") != NULL);
        CHECK(cases[i].told ? strstr(hears, cases[i].told) != NULL
                            : strstr(hears, "files") == NULL);
        CHECK(strstr(stage_hears(&s, stage_agent_joins(&s, 1)),
                     " files 5000") != NULL);
    }
    stage_close(&s);
}

TEST("the first message writes conversation, contact and itself together")
{
    stage_open(&s);
    stage_visitor_joins(&s, 100);
    stage_says(&s, 1, 0, "v1", "hello");
    stage_says(&s, 1, 0, "v2", "again");
    struct tx *tx = (struct tx *)s.txs;
    REQUIRE(tx != NULL);
    CHECK(tx->mail.next == NULL); /* the second waits for the first */
    CHECK_EQ_INT(tx->first->name, EVENT_CONVERSATION_CREATED);
    CHECK_EQ_INT(tx->last->name, EVENT_MESSAGE_CREATED);
    int contacts = 0, conversations = 0;
    for (struct put *p = tx->puts; p; p = p->next) {
        contacts += p->kind == PUT_CONTACT;
        conversations += p->kind == PUT_CONVERSATION;
    }
    CHECK_EQ_INT(contacts, 1);
    CHECK_EQ_INT(conversations, 1);
    CHECK(stage_fail(&s, ERR_UNAVAILABLE)); /* then the second begins it */
    stage_settle(&s);
    CHECK_EQ_INT(s.pos, 2);
    CHECK_SLICE(s.journal[2].ref, "v2");
    stage_close(&s);
}

TEST("figures count what is there, and nothing is left when all is over")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 1);
    stage_conversation(&s, 100);
    stage_pass(&s, 300);
    stage_conversation(&s, 101);
    struct desk_figures f;
    desk_measure(s.desk, &f);
    CHECK_EQ_INT(f.peers, 2);
    CHECK_EQ_INT(f.conversations, 2);
    CHECK_EQ_INT(f.queued, 2);
    CHECK_EQ_INT(f.oldest_wait_ms, 300);
    stage_agent_joins(&s, 1);
    stage_settle(&s);
    desk_measure(s.desk, &f);
    CHECK_EQ_INT(f.agents_online, 1);
    CHECK_EQ_INT(f.open, 1);
    CHECK_EQ_INT(f.queued, 1);
    CHECK_EQ_INT(f.jobs + f.pending + f.held, 0);
    stage_close(&s);
}

TEST("a contact lives while it is connected or has an open conversation")
{
    stage_open(&s);
    uint64_t v = stage_visitor_joins(&s, 100);
    CHECK(desk_contact(s.desk, 100) != NULL);
    stage_gone(&s, v);
    CHECK(desk_contact(s.desk, 100) == NULL);
    uint64_t c = stage_conversation(&s, 101);
    stage_gone(&s, 2);
    CHECK(desk_contact(s.desk, 101) != NULL);
    stage_agent(&s, 1, AGENT_ROLE_ADMIN, 1);
    CHECK_EQ_INT(stage_acts(&s, ACT_CLOSE, 1, c, 0, 0), 0);
    CHECK(desk_contact(s.desk, 101) == NULL);
    stage_close(&s);
}

TEST("what was open before a restart is open after it")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 3);
    struct contact who = {.id = 100, .channel = 1, .name = SLICE("Anna")};
    struct conversation c = {.id = 1000,
                             .channel = 1,
                             .contact = 100,
                             .state = CONV_OPEN,
                             .assignee = 1,
                             .fence = 3,
                             .last_seq = 4,
                             .waiting_since_at = s.now - 60000,
                             .tags = SLICE("[\"a\"]"),
                             .attributes = SLICE("{}")};
    desk_restore_conversation(s.desk, &c, &who);
    CHECK_EQ_INT(desk_load(s.desk, 1), 1);
    CHECK_SLICE(stage_conv(&s, 1000)->tags, "[\"a\"]");
    CHECK_SLICE(stage_conv(&s, 1000)->contact_name, "Anna");
    stage_pass(&s, 3000); /* the agent has the grace to come back */
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, 1000)->assignee, 1);
    stage_pass(&s, 4000);
    stage_settle(&s);
    CHECK_EQ_INT(stage_conv(&s, 1000)->state, CONV_QUEUED);
    stage_close(&s);
}
