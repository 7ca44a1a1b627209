/* SPDX-License-Identifier: Apache-2.0 */
/* conversations.c - lists and what people do to a conversation.
 *
 * Happy path of an action: it becomes an act of the desk, which checks the
 * right, loads what is closed, commits, and answers with the conversation as it
 * is then. Failure: the desk's sentence with its code.
 */
#include "app/api/api.h"
#include "app/assist/assist.h"
#include "base/clock.h"
#include "base/limits.h"

#define SNOOZE_MAX_MS (366LL * 24 * 3600 * 1000)

/* --- one --- */

static void on_loaded(struct query *q)
{
    struct call *c = q->owner;
    void (*next)(struct call * c, const struct conversation *v) = NULL;
    memcpy(&next, &c->own, sizeof next);
    if (q->result || !q->conversation) {
        struct err e = q->err;
        e.code = q->result;
        if (!q->result || q->result == ERR_NOT_FOUND) {
            reply_missing(c, "conversation");
        } else {
            reply_error(c, &e);
        }
    } else if (!caller_may_see(c, q->conversation)) {
        reply_fail(c, ERR_FORBIDDEN, NULL,
                   "this conversation is not yours to see");
    } else {
        desk_window(c->s->desk, q->conversation);
        next(c, q->conversation);
    }
    query_free(q);
}

void conversation_load_id(struct call *c, uint64_t id,
                          void (*next)(struct call *c,
                                       const struct conversation *v))
{
    memcpy(&c->own, &next, sizeof next);
    struct query *q = query_new(QUERY_CONVERSATION, on_loaded, c);
    q->id = id;
    q->conv = id;
    server_read(c->s, q);
}

void conversation_load(struct call *c,
                       void (*next)(struct call *c,
                                    const struct conversation *v))
{
    uint64_t id;
    if (call_id(c, 0, ID_CONVERSATION, "conversation", &id)) {
        conversation_load_id(c, id, next);
    }
}

static void write_conversation(struct call *c, const struct conversation *v)
{
    struct jsonw *w = reply_begin(c);
    w->failed = conversation_write(&c->out, v);
}

static void reply_conversation(struct call *c, const struct conversation *v)
{
    write_conversation(c, v);
    reply_send(c, 200);
}

static void get(struct call *c)
{
    conversation_load(c, reply_conversation);
}

/* --- list --- */

/* An id in the query; true if absent or good. */
static bool filter_id(struct call *c, const char *name, const char *prefix,
                      uint64_t *out)
{
    struct slice text;
    if (!http_query(c->r, name, &text) || text.len == 0 ||
        id_parse(text, prefix, out)) {
        return true;
    }
    reply_fail(c, ERR_BAD_REQUEST, name, "%s must be an id", name);
    return false;
}

static bool filter_state(struct call *c, struct query *q)
{
    struct slice text;
    enum conv_state state;
    q->state = -1;
    if (!http_query(c->r, "state", &text) || text.len == 0 ||
        slice_is(text, "all")) {
        return true;
    }
    if (!conv_state_find(text, &state)) {
        reply_fail(c, ERR_BAD_REQUEST, "state",
                   "state must be bot, queued, open, snoozed or closed");
        return false;
    }
    q->state = (int)state;
    return true;
}

static bool filter_assignee(struct call *c, struct query *q)
{
    struct slice text;
    if (!http_query(c->r, "assignee", &text) || text.len == 0) {
        return true;
    }
    q->by_assignee = true;
    if (slice_is(text, "me")) {
        q->assignee = c->who.agent;
    } else if (!slice_is(text, "none") &&
               !id_parse(text, ID_AGENT, &q->assignee)) {
        reply_fail(c, ERR_BAD_REQUEST, "assignee",
                   "assignee must be me, none or an agent's id");
        return false;
    }
    return true;
}

static bool filter_sort(struct call *c, struct query *q)
{
    struct slice text;
    if (!http_query(c->r, "sort", &text) || text.len == 0 ||
        slice_is(text, "newest")) {
        q->newest_first = true;
    } else if (slice_is(text, "waiting")) {
        q->waiting_first = true;
    } else if (!slice_is(text, "oldest")) {
        reply_fail(c, ERR_BAD_REQUEST, "sort",
                   "sort must be newest, oldest or waiting");
        return false;
    }
    return true;
}

static void list(struct call *c)
{
    struct page p;
    struct slice words;
    struct query *q = query_new(QUERY_CONVERSATIONS, reply_page, c);
    if (!page_read(c, &p) || !filter_state(c, q) || !filter_assignee(c, q) ||
        !filter_id(c, "team", ID_TEAM, &q->team) ||
        !filter_id(c, "channel", ID_CHANNEL, &q->channel) ||
        !filter_id(c, "contact", ID_CONTACT, &q->id) || !filter_sort(c, q)) {
        query_free(q);
        return;
    }
    if (http_query(c->r, "q", &words)) {
        q->text = slice_dup(q->arena, words);
    }
    q->limit = p.limit;
    q->offset = p.offset;
    caller_viewer(c, q->arena, &q->viewer);
    desk_windows(c->s->desk, q);
    server_read(c->s, q);
}

/* --- acts --- */

static void on_act(struct act *act)
{
    struct call *c = act_came(act);
    if (!c) {
        return;
    }
    write_conversation(c, act->conversation);
    act_free(act);
    reply_send(c, 200);
}

static bool target_id(struct call *c, const char *name, const char *prefix,
                      uint64_t *out)
{
    struct slice text = body_text(c, name);
    if (text.len == 0 || id_parse(text, prefix, out)) {
        return true;
    }
    reply_fail(c, ERR_UNPROCESSABLE, name, "there is no such %s", name);
    return false;
}

static void assign(struct call *c)
{
    uint64_t agent = 0, team = 0;
    if (!target_id(c, "agent", ID_AGENT, &agent) ||
        !target_id(c, "team", ID_TEAM, &team)) {
        return;
    }
    bool queue = body_bool(c, "queue", false);
    struct slice bot = body_text(c, "assistant");
    if ((agent != 0) + (team != 0) + queue + (bot.len != 0) != 1) {
        reply_fail(c, ERR_UNPROCESSABLE, "agent",
                   "say to whom: an agent, a team, an assistant, or queue: "
                   "true");
        return;
    }
    if (bot.len && !slice_is(bot, "*") && !assist_find(c->s, bot)) {
        reply_fail(c, ERR_UNPROCESSABLE, "assistant",
                   "there is no such assistant");
        return;
    }
    if (agent && !desk_agent(c->s->desk, agent)) {
        reply_fail(c, ERR_UNPROCESSABLE, "agent", "there is no such agent");
        return;
    }
    if (team && !desk_team(c->s->desk, team)) {
        reply_fail(c, ERR_UNPROCESSABLE, "team", "there is no such team");
        return;
    }
    struct act *act = act_of_call(c, ACT_ASSIGN, on_act);
    if (act) {
        act->agent = agent;
        act->team = team;
        act->assistant = slice_dup(act->arena, bot);
        act->note = slice_dup(act->arena, body_text(c, "note"));
        act_go(c, act);
    }
}

static void close_it(struct call *c)
{
    struct act *act = act_of_call(c, ACT_CLOSE, on_act);
    if (act) {
        act_go(c, act);
    }
}

static void reopen(struct call *c)
{
    struct act *act = act_of_call(c, ACT_REOPEN, on_act);
    if (act) {
        act_go(c, act);
    }
}

static void snooze(struct call *c)
{
    int64_t now = clock_ms(), until = body_int(c, "until_at", 0);
    int64_t minutes = body_int(c, "minutes", 0);
    if ((until != 0) == (minutes != 0)) {
        reply_fail(c, ERR_UNPROCESSABLE, "until_at",
                   "say until_at or minutes, one of them");
        return;
    }
    until = until ? until : now + minutes * 60000;
    if (until <= now || until > now + SNOOZE_MAX_MS) {
        reply_fail(c, ERR_UNPROCESSABLE, minutes ? "minutes" : "until_at",
                   "must be in the future, at most a year from now");
        return;
    }
    struct act *act = act_of_call(c, ACT_SNOOZE, on_act);
    if (act) {
        act->until = until;
        act_go(c, act);
    }
}

static void read_mark(struct call *c)
{
    struct act *act = act_of_call(c, ACT_READ, on_act);
    if (act) {
        act->seq = (uint32_t)body_int(c, "seq", 0);
        act_go(c, act);
    }
}

static void patch(struct call *c)
{
    struct act *act = act_of_call(c, ACT_UPDATE, on_act);
    if (!act) {
        return;
    }
    act->has_tags = body_get(c, "tags") != NULL;
    act->has_priority = body_get(c, "priority") != NULL;
    act->tags = slice_dup(act->arena, body_json(c, "tags", SLICE("[]")));
    act->priority = (int32_t)body_int(c, "priority", 0);
    act_go(c, act);
}

/* --- tables --- */

static const struct field assign_in[] = {
    {.name = "agent", .type = FIELD_TEXT},
    {.name = "team", .type = FIELD_TEXT},
    {.name = "assistant",
     .type = FIELD_TEXT,
     .help = "an assistant's name; * = the one that held it last"},
    {.name = "queue", .type = FIELD_BOOL, .help = "back to the queue"},
    {.name = "note",
     .type = FIELD_TEXT,
     .most = LIMIT_TEXT_BYTES,
     .help = "for the next agent, private"},
    {0}};
static const struct field snooze_in[] = {
    {.name = "until_at", .type = FIELD_INT},
    {.name = "minutes", .type = FIELD_INT, .most = 527040},
    {0}};
static const struct field read_in[] = {
    {.name = "seq", .type = FIELD_INT, .required = true, .most = UINT32_MAX},
    {0}};
static const struct field patch_in[] = {
    {.name = "tags", .type = FIELD_TEXTS, .most = LIMIT_TAGS},
    {.name = "priority", .type = FIELD_INT, .least = -100, .most = 100},
    {0}};
static const struct field no_fields[] = {{0}};
#define STATES "bot|queued|open|snoozed|closed"
static const struct field conversation_out[] = {
    {.name = "id", .type = FIELD_TEXT},
    {.name = "channel", .type = FIELD_TEXT},
    {.name = "channel_type", .type = FIELD_TEXT},
    {.name = "contact", .type = FIELD_TEXT},
    {.name = "contact_name", .type = FIELD_TEXT},
    {.name = "contact_tier", .type = FIELD_TEXT},
    {.name = "state", .type = FIELD_TEXT, .choices = STATES},
    {.name = "assignee", .type = FIELD_TEXT, .help = "agent or null"},
    {.name = "assistant",
     .type = FIELD_TEXT,
     .help = "the assistant that holds it (state bot) or held it last"},
    {.name = "team", .type = FIELD_TEXT, .help = "team or null"},
    {.name = "priority", .type = FIELD_INT},
    {.name = "tags", .type = FIELD_TEXTS},
    {.name = "attributes", .type = FIELD_OBJECT},
    {.name = "last_seq", .type = FIELD_INT},
    {.name = "unread", .type = FIELD_INT},
    {.name = "agent_read", .type = FIELD_INT},
    {.name = "visitor_read", .type = FIELD_INT},
    {.name = "preview", .type = FIELD_TEXT},
    {.name = "last_at", .type = FIELD_INT},
    {.name = "waiting_since_at", .type = FIELD_INT},
    {.name = "reply_until_at",
     .type = FIELD_INT,
     .help = "till then its platform takes answers; null: no limit, or nothing "
             "was said yet"},
    {.name = "reply_left", .type = FIELD_INT, .help = "answers; null: any"},
    {.name = "reply_window",
     .type = FIELD_OBJECT,
     .help = "ms and count after each message of the customer; null: none"},
    {.name = "queued_at", .type = FIELD_INT},
    {.name = "snoozed_until_at", .type = FIELD_INT},
    {.name = "created_at", .type = FIELD_INT},
    {.name = "updated_at", .type = FIELD_INT},
    {.name = "closed_at", .type = FIELD_INT},
    {0}};
const struct shape shape_conversation = {"Conversation", conversation_out};
#define ONE "/api/v1/conversations/{id}"
#define ACT(path, fn, in, text)                                                \
    {                                                                          \
        "POST", ONE path, fn, ACCESS_AGENT, "conversations", 0, 200, in,       \
            &shape_conversation, text, NULL, NULL                              \
    }
const struct route routes_conversations[] = {
    {"GET", "/api/v1/conversations", list, ACCESS_AGENT, "conversations",
     ROUTE_LIST, 200, NULL, &shape_conversation,
     "List the conversations you may see",
     "state assignee team channel contact q sort", NULL},
    {"GET", ONE, get, ACCESS_AGENT, "conversations", 0, 200, NULL,
     &shape_conversation, "One conversation", NULL, NULL},
    {"PATCH", ONE, patch, ACCESS_AGENT, "conversations", 0, 200, patch_in,
     &shape_conversation, "Change tags or priority", NULL, NULL},
    ACT("/assign", assign, assign_in,
        "Give it to an agent, a team, an assistant, "
        "the queue"),
    ACT("/transfer", assign, assign_in, "The same, with a note"),
    ACT("/close", close_it, no_fields, "Close it"),
    ACT("/reopen", reopen, no_fields, "Open it again"),
    ACT("/snooze", snooze, snooze_in, "Put it aside for a time"),
    ACT("/read", read_mark, read_in, "Everything up to seq is read"),
    {0}};
