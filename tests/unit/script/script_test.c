/* SPDX-License-Identifier: Apache-2.0 */
/* script_test.c - the pipeline: who is asked, in what order, what comes out. */
#include "world.h"

#define PASS(body)                                                             \
    "return { api = 1, on_message = function(conv, msg) " body " end }"

TEST("a rule replies and its text comes out as an effect")
{
    struct world w;
    world_with(&w, PASS("conv:reply('you said ' .. msg.text)"));
    struct job *job = world_say(&w, "hello");
    CHECK_EQ_INT(job->result, 0);
    CHECK(!job->decided);
    CHECK_EQ_INT(job->count, 1);
    CHECK_SLICE(effect_text(job, EFFECT_REPLY), "you said hello");
    CHECK(contains(job->first->body, "\"kind\":\"text\""));
    CHECK_SLICE(job->first->unit, "rules/10-a");
    job_free(job);
    world_close(&w);
}

TEST("rules run by priority, then by name, until one decides")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/30-late", PASS("conv:note 'late'"));
    world_write(&w, "rules/20-b", PASS("conv:note 'b'"));
    world_write(&w, "rules/20-a", PASS("conv:note 'a'"));
    world_write(&w, "rules/plain",
                "return { api = 1, priority = 25, on_message = "
                "function(conv) conv:note 'p'; return conv:queue() end }");
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK(job->decided);
    CHECK_SLICE(job->rule, "rules/plain");
    CHECK_EQ_INT(job->count, 4);
    CHECK_SLICE(job->first->text, "a");
    CHECK_SLICE(job->first->next->text, "b");
    CHECK_SLICE(job->first->next->next->text, "p");
    job_free(job);
    world_close(&w);
}

TEST("a later rule sees what an earlier one did to the conversation")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a",
                PASS("conv:tag 'new' conv:untag 'old' conv:set_priority(7) "
                     "conv:set('k', {1, 2}) conv:set('seen', nil)"));
    world_write(&w, "rules/20-b",
                PASS("conv:note(table.concat(conv.tags, ',') .. ' ' .. "
                     "conv.priority .. ' ' .. #conv:get('k') .. ' ' .. "
                     "tostring(conv.attributes.seen) .. ' ' .. "
                     "tostring(conv:has_tag 'old'))"));
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "new 7 2 nil false");
    job_free(job);
    world_close(&w);
}

TEST("a failing rule is skipped, its effects are dropped, the rest goes on")
{
    struct world w;
    struct arena *a = arena_new();
    world_init(&w);
    world_write(&w, "rules/10-good", PASS("conv:note 'one' conv:tag 'kept'"));
    world_write(&w, "rules/20-bad",
                PASS("conv:note 'two' conv:tag 'lost'\n error 'no luck'"));
    world_write(&w, "rules/30-good",
                PASS("conv:note(tostring(conv:has_tag 'lost') .. "
                     "tostring(conv:has_tag 'kept'))"));
    world_open(&w);
    for (int i = 0; i < 3; i++) {
        struct job *job = world_say(&w, "x");
        CHECK_EQ_INT(job->count, 3);
        CHECK_SLICE(job->last->text, "falsetrue");
        job_free(job);
    }
    struct json *u = world_unit(&w, a, "rules/20-bad");
    struct json *errors = json_get(u, "errors");
    REQUIRE(errors && errors->count == 1);
    CHECK_EQ_INT(json_int(errors->first, "count", 0), 3);
    CHECK_EQ_INT(json_int(errors->first, "line", 0), 2);
    CHECK_SLICE(json_text(errors->first, "file"), "scripts/rules/20-bad.lua");
    CHECK_SLICE(json_text(errors->first, "message"), "no luck");
    CHECK(contains(json_text(errors->first, "traceback"), "traceback"));
    CHECK_EQ_INT(json_int(u, "calls", 0), 3);
    world_close(&w);
    arena_free(a);
}

TEST("conv shows the conversation and its contact, msg the message")
{
    struct world w;
    world_with(
        &w, PASS("conv:note(json.encode{conv.id, conv.state, conv.channel.type,"
                 " conv.contact.name, conv.contact.tier, conv.tags[1],"
                 " conv.last_seq, conv.created_at, tostring(conv.assignee)})"
                 " conv:note(json.encode{msg.kind, msg.text, msg.seq, msg.at,"
                 " msg.sender.role, msg.sender.name, msg.id:sub(1,2)})"));
    struct job *job = world_say(&w, "hi");
    REQUIRE(job->count == 2);
    CHECK_SLICE(job->first->text,
                "[\"cv_0000000000005\",\"bot\",\"web\",\"Anna\",\"vip\","
                "\"old\",1,1690000000000,\"nil\"]");
    CHECK_SLICE(job->last->text,
                "[\"text\",\"hi\",1,1700000000000,\"visitor\",\"Anna\","
                "\"m_\"]");
    job_free(job);
    world_close(&w);
}

TEST("every act of conv becomes its effect")
{
    struct world w;
    world_with(&w, "return { api = 1, on_timer = function() end, on_message = "
                   "function(conv)\n"
                   "conv:reply{ kind = 'card', title = 'T' }\n"
                   "conv:snooze '10m' conv:after('2h', 'ping', { a = 1 })\n"
                   "kv.set('k', { x = 1 }, '7d') kv.del 'old'\n"
                   "return conv:close() end }");
    int64_t before = clock_ms();
    struct job *job = world_say(&w, "x");
    struct effect *e = job->first;
    REQUIRE(job->count == 6 && job->decided);
    CHECK(e->type == EFFECT_REPLY && contains(e->body, "\"title\":\"T\""));
    e = e->next;
    CHECK(e->type == EFFECT_SNOOZE && e->number >= before + 600000);
    e = e->next;
    CHECK(e->type == EFFECT_ALARM && e->number >= before + 7200000);
    CHECK_SLICE(e->name, "ping");
    CHECK_SLICE(e->data, "{\"a\":1}");
    e = e->next;
    CHECK(e->type == EFFECT_KV_SET && e->number >= before + 7 * 86400000LL);
    CHECK_SLICE(e->name, "k");
    CHECK_SLICE(e->data, "{\"x\":1}");
    e = e->next;
    CHECK(e->type == EFFECT_KV_DEL);
    CHECK(e->next->type == EFFECT_CLOSE);
    job_free(job);
    world_close(&w);
}

static struct roster *people(void)
{
    static const struct agent_view agents[] = {{.id = 11,
                                                .name = SLICE("Li"),
                                                .email = SLICE("li@x"),
                                                .skills = SLICE("[\"zh\"]"),
                                                .status = AGENT_ONLINE,
                                                .load = 2,
                                                .max_load = 5},
                                               {.id = 12,
                                                .name = SLICE("Bo"),
                                                .email = SLICE("bo@x"),
                                                .status = AGENT_AWAY}};
    static const uint64_t members[] = {11, 12};
    static const struct team_view teams[] = {
        {.id = 21, .name = SLICE("vip"), .members = members, .count = 2}};
    struct arena *a = arena_new();
    struct roster *r = arena_one(a, struct roster);
    *r = (struct roster){.arena = a,
                         .agents = agents,
                         .count = 2,
                         .teams = teams,
                         .team_count = 1};
    atomic_init(&r->refs, 1);
    return r;
}

TEST("agents and teams are found by name, e-mail and id")
{
    struct world w;
    world_with(
        &w, PASS("local li = agents.online()[1]\n"
                 "assert(#agents.online() == 1 and li.skills[1] == 'zh')\n"
                 "assert(agents.find{ email = 'bo@x' }.status == 'away')\n"
                 "assert(agents.find{ id = li.id }.name == 'Li')\n"
                 "assert(agents.find{ name = 'Nobody' } == nil)\n"
                 "local vip = agents.teams()[1]\n"
                 "assert(vip.name == 'vip' and #vip.members == 2)\n"
                 "local no, code = conv:assign{ team = 'none' }\n"
                 "assert(no == nil and code == 'not_found')\n"
                 "assert(conv:assign{ agent = 'bo@x' })\n"
                 "assert(conv:assign{ agent = li.id, note = 'see' })\n"
                 "return conv:assign{ team = 'vip', pick = 'round_robin' }"));
    struct job *job = world_job(&w, "x");
    job->roster = people();
    world_run(&w, job);
    REQUIRE(job->count == 4);
    CHECK_EQ_INT(job->first->agent, 12);
    CHECK_SLICE(job->first->next->text, "see");
    CHECK_EQ_INT(job->first->next->next->agent, 11);
    CHECK_EQ_INT(job->last->team, 21);
    CHECK_SLICE(job->last->pick, "round_robin");
    job_free(job);
    world_close(&w);
}

/* --- match ---------------------------------------------------------------- */

static bool wanted(const char *match, void (*change)(struct job *job),
                   const char *text)
{
    struct world w;
    char rule[400];
    snprintf(rule, sizeof rule,
             "return { api = 1, match = %s, on_message = function(conv) "
             "conv:note 'ran' end }",
             match);
    world_with(&w, rule);
    struct job *job = world_job(&w, text);
    if (change)
        change(job);
    bool wants = script_wants(w.script, job);
    world_run(&w, job);
    CHECK_EQ_INT(job->count == 1, wants); /* both ways of asking agree */
    job_free(job);
    world_close(&w);
    return wants;
}

static void by_agent(struct job *job)
{
    job->conv.state = CONV_OPEN;
}

static void third(struct job *job)
{
    job->event.seq = 3;
}

static void picture(struct job *job)
{
    job->kind = SLICE("image");
    job->text = SLICE("");
}

TEST("match decides without Lua: text is any word, case folded, UTF-8 as is")
{
    CHECK(wanted("{}", NULL, "x"));
    CHECK(wanted("{ text = 'Refund' }", NULL, "please REFUND me"));
    CHECK(wanted("{ text = { 'nothing', '退款' } }", NULL, "我要退款！"));
    CHECK(!wanted("{ text = { 'refund', '退款' } }", NULL, "refun"));
    CHECK(!wanted("{ text = 'x' }", NULL, ""));
    CHECK(wanted("{ text = 'abc' }", NULL, "ababc"));
}

TEST("match decides by kind, channel, tier, state, holder and first")
{
    CHECK(wanted("{ kind = { 'image', 'text' } }", NULL, "x"));
    CHECK(!wanted("{ kind = 'text' }", picture, "x"));
    CHECK(wanted("{ channel = 'web' }", NULL, "x"));
    CHECK(wanted("{ channel = 'ch_0000000000006' }", NULL, "x"));
    CHECK(!wanted("{ channel = 'wechat' }", NULL, "x"));
    CHECK(wanted("{ tier = { 'vip' } }", NULL, "x"));
    CHECK(!wanted("{ tier = 'gold' }", NULL, "x"));
    CHECK(wanted("{ state = { 'bot', 'open' } }", by_agent, "x"));
    CHECK(!wanted("{ state = 'bot' }", by_agent, "x"));
    CHECK(wanted("{ holder = 'bot' }", NULL, "x"));
    CHECK(!wanted("{ holder = 'bot' }", by_agent, "x"));
    CHECK(wanted("{ holder = 'agent' }", by_agent, "x"));
    CHECK(wanted("{ first = true }", NULL, "x"));
    CHECK(!wanted("{ first = true }", third, "x"));
}

TEST("a job that no unit wants is answered all the same, by mail")
{
    struct world w;
    world_with(&w, "return { api = 1, match = { tier = 'none' }, "
                   "on_message = function() end }");
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(job->result, 0);
    CHECK(!job->decided && job->count == 0);
    CHECK_EQ_INT(script_depth(w.script), 0);
    job_free(job);
    world_close(&w);
}

/* --- the other hooks ------------------------------------------------------ */

TEST("on_conversation is told what happened, on_timer only its own unit")
{
    struct world w;
    world_init(&w);
    const char *rule =
        "return { api = 1, match = { kind = 'image' },\n"
        "on_conversation = function(conv, what) conv:note(what) end,\n"
        "on_timer = function(conv, name, data)\n"
        "  kv.set(name, { data = data, conv = conv ~= nil }) end }";
    world_write(&w, "rules/10-a", rule);
    world_write(&w, "rules/20-b", rule);
    world_open(&w);
    struct job *job = world_job(&w, "");
    job->hook = HOOK_CONVERSATION;
    job->what = SLICE("closed");
    CHECK(script_wants(w.script, job));
    world_run(&w, job);
    CHECK_EQ_INT(job->count, 2);
    CHECK_SLICE(job->first->text, "closed");
    job_free(job);
    job = job_new(HOOK_TIMER, world_done, &w);
    job->unit = SLICE("rules/20-b");
    job->what = SLICE("tick");
    job->data = SLICE("[1]");
    world_run(&w, job);
    REQUIRE(job->count == 1);
    CHECK_SLICE(job->first->unit, "rules/20-b");
    CHECK(contains(job->first->data, "\"data\":[1]"));
    CHECK(contains(job->first->data, "\"conv\":false"));
    job_free(job);
    world_close(&w);
}

TEST("every tells the house when a unit's period has passed")
{
    struct world w;
    world_with(&w, "return { api = 1, every = '1s', on_timer = function() "
                   "end }");
    wheel_turn(loop_wheel(w.loop), loop_now(w.loop) + 900);
    CHECK_EQ_INT(w.everies, 0);
    wheel_turn(loop_wheel(w.loop), loop_now(w.loop) + 1000);
    CHECK_EQ_INT(w.everies, 1);
    world_close(&w);
}

/* --- limits and misuse ---------------------------------------------------- */

TEST("the 51st effect fails the rule, and nothing of it is left")
{
    struct world w;
    struct arena *a = arena_new();
    world_with(&w, PASS("for i = 1, 51 do conv:note(tostring(i)) end"));
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(job->count, 0);
    CHECK(job->first == NULL && job->last == NULL);
    CHECK(contains(world_error(&w, a, "rules/10-a"), "too many effects"));
    job_free(job);
    world_close(&w);
    arena_free(a);
}

TEST("misuse raises a sentence with the line")
{
    static const struct {
        const char *code, *says;
    } cases[] = {
        {"conv.reply('x')", "colon"},
        {"conv:reply()", "the text must be a text, not no value"},
        {"conv:reply(('x'):rep(20000))", "1 to 16384"},
        {"conv:reply('\\255')", "UTF-8"},
        {"conv:reply{ kind = 'poem' }", "kind must be"},
        {"conv:reply{ kind = 'text' }", "1 to 16384"},
        {"conv:nothing()", "no field or method 'nothing'"},
        {"conv.state = 'x'", "cannot be set"},
        {"conv:assign{ bot = 'x' }", "unknown field 'bot'"},
        {"conv:assign{}", "say agent"},
        {"conv:assign{ pick = 'best' }", "pick must be"},
        {"conv:snooze(10)", "duration"},
        {"conv:snooze('10 m')", "duration"},
        {"conv:after('1s', 'x')", "no on_timer"},
        {"conv:set_priority(1.5)", "whole number"},
        {"conv:tag('')", "1 to 64"},
        {"kv.set('k', print)", "no JSON form"},
        {"kv.set('k', ('x'):rep(70000))", "too long"},
        {"sleep('40s')", "30 seconds"},
        {"http.get('ftp://x')", "http://"},
        {"http.get{ url = 'http://x', foo = 1 }", "unknown field 'foo'"},
        {"http.get{ 'http://x y' }", "blanks"},
        {"http.get{ 'http://x', headers = { a = 'b\\nc' } }", "one line"},
        {"require 'lib.new'", "top of the file"},
        {"undeclared()", "unknown name: undeclared"},
        {"oops = 1", "undeclared name: oops"},
        {"coroutine.yield()", "yield outside"},
        {"time.is_between('9', '18:00')", "time of day"},
        {"time.date('Nowhere/Here')", "unknown time zone"},
        {"time.format(0, '%Q')", "unknown"},
        {"error{ 1 }", "is a table, not a text"},
        {"error()", "is a nil, not a text"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world w;
        struct arena *a = arena_new();
        char rule[300];
        test_note("%s", cases[i].code);
        snprintf(rule, sizeof rule, PASS("%s"), cases[i].code);
        world_with(&w, rule);
        job_free(world_say(&w, "x"));
        struct slice said = world_error(&w, a, "rules/10-a");
        if (!contains(said, cases[i].says))
            FAIL("%s said: %.*s", cases[i].code, SLICE_FMT(said));
        world_close(&w);
        arena_free(a);
    }
    test_note("%s", "");
}

TEST("a conv kept from an earlier event is refused")
{
    struct world w;
    struct arena *a = arena_new();
    world_with(&w, "local old return { api = 1, on_message = function(conv) "
                   "if old then old:note 'x' end old = conv end }");
    job_free(world_say(&w, "x"));
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(job->count, 0);
    CHECK(contains(world_error(&w, a, "rules/10-a"), "event that is over"));
    job_free(job);
    world_close(&w);
    arena_free(a);
}

TEST("values go through JSON and back: big numbers, null, empty lists")
{
    struct world w;
    world_with(
        &w, PASS("local t = json.decode('{\"id\":24283910293847123,\"n\":null,"
                 "\"l\":[],\"o\":{},\"r\":0.5,\"i\":9007199254740992}')\n"
                 "assert(t.id == '24283910293847123' and t.n == json.null)\n"
                 "assert(t.r == 0.5 and t.i == 2^53)\n"
                 "local s = json.encode(t)\n"
                 "assert(s:find('\"l\":[]', 1, true) and "
                 "s:find('\"o\":{}', 1, true), s)\n"
                 "assert(json.encode(json.array{}) == '[]')\n"
                 "assert(json.encode{ 1, 'a', true } == '[1,\"a\",true]')\n"
                 "assert(json.encode(0.1) == '0.1' and json.encode(3) == '3')\n"
                 "local no, code = json.decode('{')\n"
                 "assert(no == nil and code == 'bad_request')\n"
                 "local loop = {} loop.loop = loop\n"
                 "assert(not pcall(json.encode, loop))\n"
                 "assert(not pcall(json.encode, { [1] = 1, [3] = 3 }))\n"
                 "conv:note 'well'"));
    struct job *job = world_say(&w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "well");
    job_free(job);
    world_close(&w);
}

TEST("time knows zones and times of day")
{
    struct world w;
    world_with(
        &w,
        PASS("local at = 1700000000000 -- 2023-11-14 22:13:20 UTC\n"
             "assert(time.format(at, nil, 'UTC') == '2023-11-14 22:13:20')\n"
             "assert(time.format(at, '%H:%M', '+08:00') == '06:13')\n"
             "assert(time.date('Asia/Shanghai', at).day == 15)\n"
             "assert(time.date('Europe/Berlin', at).offset == 3600)\n"
             "assert(time.date('Europe/Berlin', 1690000000000).offset == "
             "7200)\n"
             "assert(time.date('America/New_York', 4087908000000).offset == "
             "-14400) -- 2099, by the rule\n"
             "assert(time.is_between('00:00', '24:00', 'UTC'))\n"
             "assert(not time.is_between('12:00', '12:00'))\n"
             "assert(os.time() > 1.6e9 and type(os.date()) == 'string')\n"
             "assert(math.abs(time.now() / 1000 - os.time()) < 2)\n"
             "conv:note 'well'"));
    struct job *job = world_say(&w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "well");
    job_free(job);
    world_close(&w);
}

/* Of the rules 10-a and 20-b: "a1 b1", from wherever the jobs wait between. */
static void check_notes(const struct job *job, const char *a, const char *b)
{
    REQUIRE(job->count == 2);
    CHECK_SLICE(job->first->text, a);
    CHECK_SLICE(job->first->next->text, b);
}

TEST("queued jobs go with the flush, unit by unit, each through all its rules")
{
    struct world w;
    struct job *job[3];
    world_init(&w);
    world_write(&w, "rules/10-a",
                "local n = 0\n" PASS("n = n + 1 conv:note('a' .. n)"));
    world_write(&w, "rules/20-b",
                "local n = 0\n" PASS("n = n + 1 conv:note('b' .. n)"));
    world_open(&w);
    for (int i = 0; i < 3; i++) {
        job[i] = world_job(&w, "x");
        script_queue(w.script, job[i]);
        w.open_jobs++;
    }
    CHECK_EQ_INT(script_depth(w.script), 3);
    script_flush(w.script);
    while (w.open_jobs)
        loop_run(w.loop);
    check_notes(job[0], "a1", "b1");
    check_notes(job[1], "a2", "b2");
    check_notes(job[2], "a3", "b3");
    for (int i = 0; i < 3; i++)
        job_free(job[i]);
    world_close(&w);
}

TEST("what is queued when the house closes is cancelled, not lost")
{
    struct world w;
    world_with(&w, PASS("conv:note 'never'"));
    struct job *job = world_job(&w, "x");
    script_queue(w.script, job);
    w.open_jobs++;
    script_close(w.script);
    while (w.open_jobs)
        loop_run(w.loop);
    CHECK_EQ_INT(job->result, ERR_CANCELLED);
    CHECK_EQ_INT(job->count, 0);
    job_free(job);
    w.script = NULL;
    world_close(&w);
}

/* Twelve rules that note their number; the sixth is broken, all use one lib. */
static void write_twelve(struct world *w)
{
    char name[40], text[300];
    world_write(w, "lib/number", "return function(n) return 'n' .. n end");
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "rules/%02d-x", 10 + i);
        snprintf(text, sizeof text,
                 "local number = require 'lib.number'\n"
                 "return { api = 1, on_message = function(conv) %s "
                 "conv:note(number(%d)) end }",
                 i == 5 ? "end end" : "", i);
        world_write(w, name, text);
    }
}

TEST("files loaded ahead, by several threads, serve as if one by one")
{
    struct world w;
    struct err e = {0};
    char text[8];
    world_init(&w);
    write_twelve(&w);
    CHECK_EQ_INT(script_open(&w.conf, &e, &w.script), 0);
    script_load_ahead(w.script);
    CHECK_EQ_INT(script_load_all(w.script, NULL, 0), 0);
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(job->count, 11);
    const struct effect *at = job->first;
    for (int i = 0; i < 12; i++) {
        if (i == 5)
            continue;
        REQUIRE(at);
        snprintf(text, sizeof text, "n%d", i);
        CHECK_SLICE(at->text, text);
        at = at->next;
    }
    job_free(job);
    struct arena *a = arena_new();
    const struct json *broken = world_unit(&w, a, "rules/15-x");
    CHECK_SLICE(json_text(broken, "state"), "broken");
    world_rewrite(&w, "lib/number", "return function(n) return 'm' end");
    job = world_say(&w, "x");
    CHECK_SLICE(job->first->text, "m"); /* its libs are known as ever */
    job_free(job);
    arena_free(a);
    world_close(&w);
}

TEST("what was loaded ahead and never asked for is freed")
{
    struct world w;
    struct err e = {0};
    world_init(&w);
    write_twelve(&w);
    CHECK_EQ_INT(script_open(&w.conf, &e, &w.script), 0);
    script_load_ahead(w.script);
    world_close(&w);
}

TEST("three threads: a job walks from one to the other and back")
{
    struct world w;
    char name[32];
    world_init(&w);
    w.conf.threads = 3;
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "rules/%02d-x", 10 + i);
        world_write(&w, name, PASS("conv:note(msg.text) sleep '1ms'"));
    }
    world_open(&w);
    struct job *jobs[50];
    for (int i = 0; i < 50; i++) {
        jobs[i] = world_job(&w, "m");
        world_give(&w, jobs[i]);
    }
    loop_run(w.loop);
    CHECK_EQ_INT(w.open_jobs, 0);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ_INT(jobs[i]->count, 12);
        job_free(jobs[i]);
    }
    world_close(&w);
}

TEST("the shipped rule assigns what the bot holds and leaves agents alone")
{
    struct world w;
    world_init(&w);
    char *text = test_read_file("scripts/rules/90-default.lua");
    REQUIRE(text);
    world_write(&w, "rules/90-default", text);
    free(text);
    world_open(&w);
    struct job *job = world_job(&w, "你好");
    by_agent(job);
    CHECK(!script_wants(w.script, job));
    job_free(job);
    job = world_say(&w, "你好");
    CHECK(job->decided && job->count == 1);
    CHECK_SLICE(job->first->pick, "least_busy");
    CHECK_EQ_INT(job->first->agent, 0);
    job_free(job);
    world_close(&w);
}
