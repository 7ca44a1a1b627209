/* SPDX-License-Identifier: Apache-2.0 */
/* The desk's words as text: names, cursors, events, conversations. */
#include "base/json.h"
#include "desk/effect.h"
#include "desk/event.h"
#include "test.h"

TEST("every name is found again by its text, and no other text is")
{
    enum conv_state state;
    enum agent_status status;
    enum agent_role role;
    for (int i = CONV_BOT; i <= CONV_CLOSED; i++) {
        CHECK(conv_state_find(slice_of(conv_state_name(i)), &state));
        CHECK_EQ_INT(state, i);
    }
    for (int i = AGENT_OFFLINE; i <= AGENT_ONLINE; i++) {
        CHECK(agent_status_find(slice_of(agent_status_name(i)), &status));
        CHECK_EQ_INT(status, i);
    }
    for (int i = AGENT_ROLE_AGENT; i <= AGENT_ROLE_ADMIN; i++) {
        CHECK(agent_role_find(slice_of(agent_role_name(i)), &role));
        CHECK_EQ_INT(role, i);
    }
    CHECK(!conv_state_find(SLICE("Open"), &state));
    CHECK(!agent_status_find(SLICE(""), &status));
    CHECK_EQ_STR(role_name(ROLE_VISITOR), "visitor");
    CHECK_EQ_STR(hook_name(HOOK_TIMER), "on_timer");
    CHECK_EQ_STR(event_name_text(EVENT_MESSAGE_CREATED), "message.created");
    CHECK(event_is_public(EVENT_TEAM_UPDATED));
    CHECK(!event_is_public(EVENT_HANDLED));
    CHECK(!event_is_public(EVENT_NONE));
}

TEST("a cursor comes back from its text")
{
    const struct cursor cases[] = {{0, 0, 0},
                                   {1, 2, 0},
                                   {1, 2, 3},
                                   {UINT64_MAX, UINT64_MAX, UINT32_MAX},
                                   {1ull << 63, 31, 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[CURSOR_TEXT];
        struct cursor back;
        struct slice s = cursor_text(text, cases[i]);
        CHECK(s.len < CURSOR_TEXT);
        CHECK(cursor_parse(s, &back));
        CHECK(back.epoch == cases[i].epoch && back.pos == cases[i].pos &&
              back.sub == cases[i].sub);
    }
}

TEST("text order of cursors is their order")
{
    const struct cursor rising[] = {{5, 9, 0},         {5, 9, 1},  {5, 9, 31},
                                    {5, 9, 32},        {5, 10, 0}, {5, 1000, 0},
                                    {5, 1ull << 40, 0}};
    for (size_t i = 1; i < sizeof(rising) / sizeof(rising[0]); i++) {
        char a[CURSOR_TEXT], b[CURSOR_TEXT];
        cursor_text(a, rising[i - 1]);
        cursor_text(b, rising[i]);
        CHECK(strcmp(a, b) < 0);
    }
}

TEST("nonsense is no cursor: cut, too long, foreign digits, a second spelling")
{
    char text[CURSOR_TEXT + 8];
    struct cursor c = {7, 8, 9}, back;
    struct slice s = cursor_text(text, c);
    for (size_t n = 0; n < s.len; n++)
        if (n != 26) /* that is the cursor without its sub */
            CHECK(!cursor_parse((struct slice){text, n}, &back));
    CHECK(!cursor_parse(SLICE("00000000000070000000000008"
                              "0000000"),
                        &back));
    text[0] = 'z'; /* more than 64 bits */
    CHECK(!cursor_parse(s, &back));
    text[0] = 'u'; /* not a digit of ours */
    CHECK(!cursor_parse(s, &back));
    text[0] = '\0';
    CHECK(!cursor_parse(s, &back));
    CHECK(!cursor_parse(SLICE("nonsense"), &back));
    CHECK_EQ_INT(back.pos, 0); /* safe on failure */
}

static struct json *written(struct arena *a, struct buf *b)
{
    struct json *j = NULL;
    struct err e = {0};
    if (!CHECK(json_parse(a, buf_slice(b), &e, &j) == 0))
        FAIL("%s: %.*s", e.text, (int)b->len, b->data);
    return j;
}

TEST("a message's frame has its head from the columns and its body beside it")
{
    struct arena *a = arena_new();
    struct buf b;
    struct event ev = {.pos = 33,
                       .at = 12,
                       .conv = 5,
                       .seq = 4,
                       .name = EVENT_MESSAGE_CREATED,
                       .ref = SLICE("a\"b"),
                       .body = SLICE("{\"kind\":\"text\",\"text\":\"hi\"}")};
    buf_init(&b, 4096);
    CHECK(event_write(&b, &ev, (struct cursor){1, 33, 0}, true) == 0);
    struct json *j = written(a, &b), *d = json_get(j, "data");
    CHECK_SLICE(json_text(j, "type"), "event");
    CHECK_SLICE(json_text(j, "event"), "message.created");
    CHECK_SLICE(json_text(j, "conversation"), "cv_0000000000005");
    CHECK_SLICE(json_text(d, "id"), "m_0000000000011");
    CHECK_EQ_INT(json_int(d, "seq", 0), 4);
    CHECK_EQ_INT(json_int(d, "at", 0), 12);
    CHECK_SLICE(json_text(d, "ref"), "a\"b");
    CHECK_SLICE(json_text(d, "text"), "hi");
    ev.body = SLICE(" { } ");
    ev.ref.len = 0;
    buf_clear(&b);
    CHECK(event_write_data(&b, &ev) == 0);
    d = written(a, &b);
    CHECK_EQ_INT(d->count, 3);
    buf_fini(&b);
    arena_free(a);
}

TEST("another event's data is its body; without a conversation there is none")
{
    struct arena *a = arena_new();
    struct buf b;
    struct event ev = {.pos = 2,
                       .name = EVENT_AGENT_UPDATED,
                       .body = SLICE("{\"id\":\"ag_1\"}")};
    buf_init(&b, 4096);
    CHECK(event_write(&b, &ev, (struct cursor){1, 2, 0}, false) == 0);
    struct json *j = written(a, &b);
    CHECK(json_get(j, "type") == NULL);
    CHECK(json_get(j, "conversation") == NULL);
    CHECK_SLICE(json_text(json_get(j, "data"), "id"), "ag_1");
    buf_clear(&b);
    ev.body.len = 0;
    CHECK(event_write_data(&b, &ev) == 0);
    CHECK_SLICE(buf_slice(&b), "{}");
    buf_fini(&b);
    arena_free(a);
}

TEST("an event that does not fit leaves the buffer as it was")
{
    struct event ev = {.pos = 2,
                       .name = EVENT_MESSAGE_CREATED,
                       .body = SLICE("{\"text\":\"0123456789\"}")};
    struct buf b;
    for (size_t max = 3; max < 150; max++) {
        buf_init(&b, max);
        buf_add_text(&b, "abc");
        int rc = event_write(&b, &ev, (struct cursor){0}, true);
        CHECK(rc == 0 ? b.len > 3 : rc == ERR_TOOBIG && b.len == 3);
        buf_fini(&b);
    }
}

TEST("a conversation is written with nulls where nothing is")
{
    struct arena *a = arena_new();
    struct buf b;
    struct conversation c = {.id = 1,
                             .channel = 2,
                             .contact = 3,
                             .state = CONV_QUEUED,
                             .last_seq = 9,
                             .tags = SLICE("[\"vip\"]"),
                             .created_at = 77};
    buf_init(&b, 4096);
    CHECK(conversation_write(&b, &c) == 0);
    struct json *j = written(a, &b);
    CHECK_SLICE(json_text(j, "state"), "queued");
    CHECK(json_is(json_get(j, "assignee"), JSON_NULL));
    CHECK(json_is(json_get(j, "waiting_since_at"), JSON_NULL));
    CHECK(json_is(json_get(j, "contact_name"), JSON_STRING));
    CHECK_EQ_INT(json_get(j, "tags")->count, 1);
    CHECK(json_is(json_get(j, "attributes"), JSON_OBJECT));
    CHECK_EQ_INT(json_int(j, "created_at", 0), 77);
    c.assignee = 4;
    buf_clear(&b);
    conversation_write(&b, &c);
    CHECK_SLICE(json_text(written(a, &b), "assignee"), "ag_0000000000004");
    buf_fini(&b);
    arena_free(a);
}

TEST("a transaction and a job die with their arenas, a roster with its last")
{
    int64_t before = arena_live();
    struct tx *tx = tx_new(NULL, NULL);
    struct event *one = tx_event(tx, EVENT_MESSAGE_CREATED);
    struct event *two = tx_event(tx, EVENT_HANDLED);
    CHECK(tx->first == one && one->next == two && tx->last == two);
    CHECK_EQ_INT(tx->count, 2);
    struct put *p = tx_put(tx, PUT_CONTACT), *q = tx_put(tx, DEL_TEAM);
    CHECK(tx->puts == p && p->next == q && tx->puts_last == q);
    tx_free(tx);
    tx_free(NULL);
    struct arena *a = arena_new();
    struct roster *r = arena_one(a, struct roster);
    r->arena = a;
    atomic_store(&r->refs, 2);
    struct job *job = job_new(HOOK_MESSAGE, NULL, NULL);
    job->roster = r;
    struct effect *fx = NULL;
    int n = 0;
    while ((fx = job_effect(job, EFFECT_REPLY)))
        n++;
    CHECK_EQ_INT(n, job->count);
    CHECK(job->first && job->last && !job->last->next);
    job_free(job);
    roster_free(r);
    CHECK_EQ_INT(arena_live(), before);
}
