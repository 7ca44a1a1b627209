/* SPDX-License-Identifier: Apache-2.0 */
/* lookup_test.c - conversations, contacts, messages, agents and queues as
 * scripts ask for them. */
#include "world.h"

static char asked[10][400];
static int asks;

/* Remembers what was asked, answers by name. */
static struct slice answer(struct script_ask *ask)
{
    snprintf(asked[asks++ % 10], sizeof asked[0], "%.*s %.*s",
             SLICE_FMT(ask->name), SLICE_FMT(ask->data));
    if (slice_is(ask->name, "contact")) {
        ask->result = ERR_NOT_FOUND;
        return SLICE("");
    }
    if (slice_is(ask->name, "contacts")) {
        ask->result = err_set(&ask->err, ERR_UNAVAILABLE, "not now");
        return SLICE("");
    }
    if (slice_is(ask->name, "messages"))
        return SLICE("[{\"seq\":1,\"text\":\"a\"},{\"seq\":2,\"text\":\"b\"}]");
    if (slice_is(ask->name, "conversations"))
        return SLICE("[]");
    return SLICE("{\"id\":\"cv_1\",\"state\":\"closed\"}");
}

/* The rule's replies, one a line, must be `said`. */
static void says_with(struct roster *r, const char *body, const char *said)
{
    struct world w;
    char rule[4000], got[4000] = "";
    test_note("%s", body);
    snprintf(rule, sizeof rule,
             "return { api = 1, on_message = function(conv, msg)\n%s\nend }\n",
             body);
    world_with(&w, rule);
    w.reply = answer;
    asks = 0;
    struct job *job = world_job(&w, "hello");
    job->roster = r;
    world_run(&w, job);
    if (job->failures)
        snprintf(got, sizeof got, "%.*s", SLICE_FMT(job->trouble));
    for (struct effect *e = job->first; e && !job->failures; e = e->next) {
        size_t n = strlen(got);
        snprintf(got + n, sizeof got - n, "%s%.*s", n ? "\n" : "",
                 SLICE_FMT(e->text));
    }
    CHECK_EQ_STR(got, said);
    job_free(job);
    world_close(&w);
}

static void says(const char *body, const char *said)
{
    says_with(NULL, body, said);
}

TEST("a conversation is asked for by its id and comes as a plain table")
{
    char line[200], id[ID_TEXT];
    id_text(id, ID_CONVERSATION, 1234);
    snprintf(line, sizeof line,
             "local c = conversations.get '%s' conv:reply(c.id .. c.state)",
             id);
    says(line, "cv_1closed");
    snprintf(line, sizeof line, "conversation {\"id\":\"%s\"}", id);
    CHECK_EQ_STR(asked[0], line);
}

TEST("messages are asked for with limit and before, of this conversation or "
     "another")
{
    char line[300], id[ID_TEXT];
    id_text(id, ID_CONVERSATION, 5);
    says("local m = conv:messages { limit = 7, before = 30 } "
         "conv:reply(#m .. m[2].text)",
         "2b");
    snprintf(line, sizeof line,
             "messages {\"conversation\":\"%s\",\"limit\":7,\"before\":30}",
             id);
    CHECK_EQ_STR(asked[0], line);
    says("local m = conv:messages() conv:reply(#m .. '')", "2");
    snprintf(line, sizeof line,
             "local m = conversations.messages({ id = '%s' }) "
             "conv:reply(m[1].text)",
             id);
    says(line, "a");
    snprintf(line, sizeof line, "messages {\"conversation\":\"%s\"}", id);
    CHECK_EQ_STR(asked[0], line);
}

TEST("nothing found is nil or an empty list, trouble is nil, code, detail")
{
    says("conv:reply(tostring(contacts.get(conv.contact.id)))", "nil");
    says("local list = conversations.of(conv.contact, { state = 'closed', "
         "limit = 3 }) conv:reply(#list .. '')",
         "0");
    says("local list, code, why = contacts.find { email = 'a@b.example' } "
         "conv:reply(tostring(list) .. code .. why)",
         "nilunavailablenot now");
    CHECK_EQ_STR(asked[0], "contacts {\"email\":\"a@b.example\"}");
}

static void refuses(const char *body, const char *why)
{
    char whole[600];
    snprintf(whole, sizeof whole,
             "local ok, e = pcall(function() %s end) conv:reply(tostring(ok) "
             ".. e:gsub('^.-:%%d+: ', ''))",
             body);
    char said[600];
    snprintf(said, sizeof said, "false%s", why);
    says(whole, said);
}

TEST("a filter that makes no sense raises")
{
    refuses("conversations.get 'x'",
            "conversations.get: it must be an id such as \"cv_...\"");
    refuses("contacts.find { mail = 'x' }",
            "contacts.find: unknown field 'mail'");
    refuses("contacts.find { channel = 'ch_1' }",
            "contacts.find: say user_id, email, phone or name");
    refuses("contacts.find { email = 5 }",
            "contacts.find: email must be a text");
    refuses("contacts.find { email = '\\255' }",
            "contacts.find: email must be UTF-8 text");
    refuses("conv:messages { limit = 1000 }",
            "limit must be a number from 1 to 100");
    refuses("conversations.of(conv.contact, { name = 'x' })",
            "conversations.of: unknown field 'name'");
    CHECK_EQ_INT(asks, 0);
}

/* --- people --------------------------------------------------------------- */

static struct roster *people(void)
{
    struct arena *a = arena_new();
    struct roster *r = arena_one(a, struct roster);
    static const uint64_t members[] = {1, 3};
    struct agent_view *list = arena_many(a, struct agent_view, 4);
    struct team_view *teams = arena_many(a, struct team_view, 1);
    list[0] = (struct agent_view){.id = 1,
                                  .name = SLICE("Mei"),
                                  .email = SLICE("mei@x.example"),
                                  .skills = SLICE("[\"refunds\",\"german\"]"),
                                  .status = AGENT_ONLINE,
                                  .load = 3,
                                  .max_load = 4};
    list[1] = (struct agent_view){.id = 2,
                                  .name = SLICE("Bo"),
                                  .email = SLICE("bo@x.example"),
                                  .skills = SLICE("[\"german\"]"),
                                  .status = AGENT_ONLINE,
                                  .load = 5,
                                  .max_load = 10};
    list[2] = (struct agent_view){.id = 3,
                                  .name = SLICE("Li"),
                                  .email = SLICE("li@x.example"),
                                  .status = AGENT_ONLINE,
                                  .load = 4,
                                  .max_load = 4};
    list[3] = (struct agent_view){.id = 4,
                                  .name = SLICE("Al"),
                                  .email = SLICE("al@x.example"),
                                  .skills = SLICE("[\"german\"]"),
                                  .status = AGENT_AWAY,
                                  .max_load = 4};
    teams[0] = (struct team_view){.id = 9,
                                  .name = SLICE("vip"),
                                  .members = members,
                                  .count = 2,
                                  .waiting = 6};
    *r = (struct roster){.arena = a,
                         .agents = list,
                         .count = 4,
                         .teams = teams,
                         .team_count = 1,
                         .waiting = 8};
    atomic_init(&r->refs, 1);
    return r;
}

static void of_people(const char *expression, const char *said)
{
    char body[600];
    snprintf(body, sizeof body,
             "local function names(list) local t = {} for i, a in ipairs(list) "
             "do t[i] = a.name end return table.concat(t, ' ') end\n"
             "local function name(a) return a and a.name or 'nobody' end\n"
             "conv:reply('' .. %s)",
             expression);
    says_with(people(), body, said);
}

TEST("agents are found by id, address, skill, team, status and room")
{
    of_people("name(agents.get 'bo@x.example')", "Bo");
    of_people("name(agents.get 'nobody@x.example')", "nobody");
    of_people("name(agents.find { skill = 'refunds' })", "Mei");
    of_people("name(agents.find { skill = 'german', status = 'away' })", "Al");
    of_people("name(agents.find { skill = 'french' })", "nobody");
    of_people("names(agents.list())", "Mei Bo Li Al");
    of_people("names(agents.list { team = 'vip' })", "Mei Li");
    of_people("names(agents.list { team = 'vip', room = true })", "Mei");
    of_people("#agents.list { team = 'sales' }", "0");
    of_people("names(agents.online())", "Mei Bo Li");
}

TEST("the least busy agent is the one with the smallest part of the load")
{
    of_people("name(agents.least_busy())", "Bo");
    of_people("name(agents.least_busy { team = 'vip' })", "Mei");
    of_people("name(agents.least_busy { name = 'Li' })", "nobody");
}

TEST("queues tell how many wait, by team and all together")
{
    of_people("queues.length()", "8");
    of_people("queues.length 'vip'", "6");
    of_people("tostring(queues.length 'sales')", "nil");
    of_people("queues.list()[1].team .. queues.list()[1].waiting", "vip6");
    of_people("agents.teams()[1].waiting", "6");
}
