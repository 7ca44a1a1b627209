/* SPDX-License-Identifier: Apache-2.0 */
/* screen_test.c - hooks that look at a message before it is stored. */
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

static const struct event *last_message(void)
{
    for (uint64_t i = s.pos; i > 0; i--)
        if (s.journal[i].name == EVENT_MESSAGE_CREATED)
            return &s.journal[i];
    return NULL;
}

static bool says(const struct event *ev, const char *text)
{
    return ev && memmem(ev->body.at, ev->body.len, text, strlen(text));
}

/* Visitor 100 (peer 1) has said hello; on_inbound is looking at it. */
static struct job *looking(void)
{
    stage_open(&s);
    s.hooks = 1u << HOOK_INBOUND;
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    stage_visitor_joins(&s, 100);
    stage_says(&s, 1, 0, "v1", "my card is 6222");
    stage_settle(&s);
    return stage_job(&s);
}

static void place_all(void)
{
    struct job *job;
    stage_settle(&s);
    while ((job = stage_job(&s)) != NULL) {
        stage_job_done(&s, job);
        stage_settle(&s);
    }
}

TEST("a message is stored only when its hook has let it pass")
{
    struct job *job = looking();
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->hook, HOOK_INBOUND);
    CHECK_SLICE(job->text, "my card is 6222");
    CHECK_EQ_INT(job->event.pos, 0);
    CHECK_EQ_INT(messages(ROLE_VISITOR), 0);
    CHECK(strstr(stage_hears(&s, 1), "ack") == NULL);
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK_EQ_INT(messages(ROLE_VISITOR), 1);
    place_all();
    stage_close(&s);
}

TEST("what the hook edits is what is stored, with its tags, in one transaction")
{
    struct job *job = looking();
    REQUIRE(job != NULL);
    struct effect *fx = add(job, EFFECT_EDIT, "my card is ****");
    fx->body = SLICE("{\"kind\":\"text\",\"text\":\"my card is ****\"}");
    add(job, EFFECT_TAG, "card");
    add(job, EFFECT_NOTE, "redacted");
    stage_job_done(&s, job);
    struct tx *tx = (struct tx *)s.txs;
    REQUIRE(tx != NULL);
    CHECK(tx->first->name == EVENT_CONVERSATION_CREATED);
    CHECK(tx->first->next->role == ROLE_VISITOR);
    CHECK(tx->first->next->next->flags & EVENT_PRIVATE);
    stage_settle(&s);
    CHECK(says(&s.journal[2], "****"));
    CHECK_SLICE(stage_conv(&s, s.acked_conv)->tags, "[\"card\"]");
    CHECK(strstr(s.trace, "\"on_inbound\"") && strstr(s.trace, "\"edit\""));
    place_all();
    stage_close(&s);
}

TEST("a rejected message is answered with the reason and never stored")
{
    struct job *job = looking();
    REQUIRE(job != NULL);
    add(job, EFFECT_REJECT, "no links, please");
    add(job, EFFECT_KV_SET, "");
    stage_job_done(&s, job);
    struct tx *tx = (struct tx *)s.txs;
    REQUIRE(tx != NULL); /* what the rule remembers */
    CHECK(tx->count == 0 && tx->puts->kind == PUT_KV);
    stage_settle(&s);
    CHECK_EQ_INT(messages(ROLE_VISITOR), 0);
    CHECK(strstr(stage_hears(&s, 1), "error") != NULL);
    stage_close(&s);
}

TEST("messages of one conversation pass in their order, seen or not")
{
    struct job *job = looking();
    REQUIRE(job != NULL);
    stage_says(&s, 1, 0, "v2", "second");
    stage_says(&s, 1, 0, "v3", "third");
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL); /* one at a time */
    s.hooks = 0;                  /* the script is taken away */
    stage_job_done(&s, job);
    place_all();
    CHECK_EQ_INT(messages(ROLE_VISITOR), 3);
    CHECK(says(last_message(), "third"));
    stage_close(&s);
}

TEST("a hook that is too slow is not waited for, its late answer is nothing")
{
    stage_open(&s);
    s.hooks = 1u << HOOK_INBOUND;
    s.patience = 50;
    stage_visitor_joins(&s, 100);
    stage_says(&s, 1, 0, "v1", "hello");
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    stage_pass(&s, 200);
    stage_settle(&s);
    CHECK_EQ_INT(messages(ROLE_VISITOR), 1);
    CHECK(strstr(s.trace, "unseen") != NULL);
    add(job, EFFECT_REJECT, "too late");
    stage_job_done(&s, job);
    place_all();
    CHECK_EQ_INT(messages(ROLE_VISITOR), 1);
    stage_close(&s);
}

TEST("a guard that is too slow, or cut off, lets nothing pass")
{
    for (int cut = 0; cut < 2; cut++) {
        stage_open(&s);
        s.hooks = 1u << HOOK_INBOUND;
        s.patience = 50;
        s.strict = true;
        stage_visitor_joins(&s, 100);
        stage_says(&s, 1, 0, "v1", "hello");
        struct job *job = stage_job(&s);
        REQUIRE(job != NULL);
        if (cut) {
            job->result = ERR_CANCELLED;
            stage_job_done(&s, job);
        } else {
            stage_pass(&s, 200);
        }
        stage_settle(&s);
        CHECK_EQ_INT(messages(ROLE_VISITOR), 0);
        const char *heard = stage_hears(&s, 1);
        CHECK(strstr(heard, "error") && !strstr(heard, "ack"));
        if (!cut)
            stage_job_done(&s, job); /* too late, and nothing of it counts */
        stage_says(&s, 1, 0, "v2", "again"); /* the next one's turn has come */
        stage_settle(&s);
        job = stage_job(&s);
        REQUIRE(job != NULL);
        CHECK_SLICE(job->text, "again");
        stage_job_done(&s, job);
        place_all();
        CHECK_EQ_INT(messages(ROLE_VISITOR), 1);
        stage_close(&s);
    }
}

TEST("an agent's answer is shown to on_send, a private note is not")
{
    stage_open(&s);
    stage_agent(&s, 1, AGENT_ROLE_AGENT, 5);
    uint64_t agent = stage_agent_joins(&s, 1);
    stage_visitor_joins(&s, 100);
    uint64_t c = stage_conversation(&s, 100);
    s.hooks = 1u << HOOK_SEND;
    stage_notes(&s, agent, c, "n1", "between us");
    stage_settle(&s);
    CHECK(stage_job(&s) == NULL);
    stage_says(&s, agent, c, "a1", "hello");
    struct job *job = stage_job(&s);
    REQUIRE(job != NULL);
    CHECK_EQ_INT(job->hook, HOOK_SEND);
    CHECK_EQ_INT(job->event.role, ROLE_AGENT);
    struct effect *fx = add(job, EFFECT_EDIT, "hola");
    fx->body = SLICE("{\"kind\":\"text\",\"text\":\"hola\"}");
    stage_job_done(&s, job);
    stage_settle(&s);
    CHECK(says(last_message(), "hola"));
    stage_close(&s);
}
