/* SPDX-License-Identifier: Apache-2.0 */
/* hooks_test.c - every hook: who is asked, with what, and what comes out. */
#include "world.h"

#define RULE(hook, body)                                                       \
    "return { api = 1, " hook " = function(conv, x) " body " end }"

static struct roster *people(void)
{
    static const struct agent_view agents[] = {{.id = 11,
                                                .name = SLICE("Li"),
                                                .email = SLICE("li@x"),
                                                .skills = SLICE("[]"),
                                                .status = AGENT_ONLINE,
                                                .max_load = 5}};
    struct arena *a = arena_new();
    struct roster *r = arena_one(a, struct roster);
    r->arena = a;
    atomic_init(&r->refs, 1);
    r->agents = agents;
    r->count = 1;
    return r;
}

static struct job *job_of(struct world *w, enum hook hook, const char *text)
{
    struct job *job = world_job(w, text);
    job->hook = hook;
    if (hook == HOOK_INBOUND || hook == HOOK_SEND) {
        job->event.pos = 0;
        job->event.seq = 0;
    }
    return job;
}

TEST("each hook has its own arguments")
{
    static const struct {
        const char *rule;
        enum hook hook;
        const char *what, *says;
    } list[] = {
        {RULE("on_inbound", "conv:tag(x.text .. tostring(x.id))"), HOOK_INBOUND,
         "", "hinil"},
        {RULE("on_send", "conv:tag(x.sender.role)"), HOOK_SEND, "", "visitor"},
        {RULE("on_assign", "conv:tag(x.name .. x.id:sub(1, 3))"), HOOK_ASSIGN,
         "", "Liag_"},
        {RULE("on_queue", "conv:tag(tostring(x + 1))"), HOOK_QUEUE, "3", "4"},
        {RULE("on_close", "conv:tag(x.by)"), HOOK_CLOSE, "", "visitor"},
        {RULE("on_conversation", "conv:tag(x)"), HOOK_CONVERSATION, "created",
         "created"},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct world w;
        test_note("%s", list[i].rule);
        world_with(&w, list[i].rule);
        struct job *job = job_of(&w, list[i].hook, "hi");
        job->what = slice_of(list[i].what);
        job->roster = people();
        job->conv.assignee = 11;
        job = world_run(&w, job);
        CHECK_EQ_INT(job->failures, 0);
        CHECK_EQ_INT(job->ran, 1);
        CHECK_SLICE(effect_text(job, EFFECT_TAG), list[i].says);
        job_free(job);
        world_close(&w);
    }
    test_note("%s", "");
}

TEST("on_assign gets nil for the queue, and an id for one it does not know")
{
    struct world w;
    world_with(&w, RULE("on_assign", "conv:tag(x and x.id:sub(1, 3) or '-')"));
    for (int known = 0; known < 2; known++) {
        struct job *job = job_of(&w, HOOK_ASSIGN, "");
        job->conv.assignee = known ? 99 : 0;
        world_run(&w, job);
        CHECK_SLICE(effect_text(job, EFFECT_TAG), known ? "ag_" : "-");
        job_free(job);
    }
    world_close(&w);
}

static struct job *event_job(struct world *w, enum event_name name)
{
    struct job *job = job_new(HOOK_EVENT, world_done, w);
    job->what = slice_of(event_name_text(name));
    job->event.name = name;
    job->event.at = 1700000000000;
    job->data = SLICE("{\"id\":\"ct_7\",\"tier\":\"vip\"}");
    return job;
}

TEST("on_event is asked for its events only, with name, time and data")
{
    struct world w;
    world_with(&w, "return { api = 1, events = { 'contact.updated', "
                   "'team.updated' }, on_event = function(conv, e)\n"
                   "kv.set(e.name, { tostring(conv), e.at, e.data.tier }) "
                   "end }");
    struct job *job = event_job(&w, EVENT_AGENT_UPDATED);
    CHECK(!script_wants(w.script, job));
    job_free(job);
    job = event_job(&w, EVENT_CONTACT_UPDATED);
    CHECK(script_wants(w.script, job));
    job->event.name = EVENT_NONE; /* known by its text, too */
    CHECK(script_wants(w.script, job));
    world_run(&w, job);
    REQUIRE(job->count == 1);
    CHECK_SLICE(job->first->name, "contact.updated");
    CHECK_SLICE(job->first->data, "[\"nil\",1700000000000,\"vip\"]");
    job_free(job);
    world_close(&w);
}

TEST("a match that speaks of the conversation keeps off events without one")
{
    struct world w;
    world_with(&w, "return { api = 1, match = { state = 'bot' }, events = { "
                   "'contact.updated' }, on_event = print }");
    struct job *job = event_job(&w, EVENT_CONTACT_UPDATED);
    CHECK(!script_wants(w.script, job));
    job_free(job);
    world_close(&w);
}

TEST("a timer or a flow is for its unit only")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a", RULE("on_timer", "conv:tag 'a'"));
    world_write(&w, "rules/20-b", RULE("on_timer", "conv:tag 'b'"));
    world_open(&w);
    struct job *job = job_of(&w, HOOK_TIMER, "");
    CHECK(!script_wants(w.script, job));
    job->unit = SLICE("rules/20-b");
    world_run(&w, job);
    CHECK_EQ_INT(job->ran, 1);
    CHECK_SLICE(effect_text(job, EFFECT_TAG), "b");
    job_free(job);
    world_close(&w);
}

TEST("text, kind and first of a match count before a message is stored, too")
{
    struct world w;
    world_with(&w, "return { api = 1, match = { kind = 'text', text = 'card', "
                   "first = true }, on_inbound = print }");
    struct job *job = job_of(&w, HOOK_INBOUND, "my card");
    job->conv.last_seq = 0;
    CHECK(script_wants(w.script, job));
    job->conv.last_seq = 4;
    CHECK(!script_wants(w.script, job));
    job->conv.last_seq = 0;
    job->text = SLICE("other");
    CHECK(!script_wants(w.script, job));
    job->hook = HOOK_MESSAGE; /* no rule has it */
    job->text = SLICE("my card");
    CHECK(!script_wants(w.script, job));
    job_free(job);
    world_close(&w);
}

/* --- guards ---------------------------------------------------------------- */

#define GUARD(more)                                                            \
    "return { api = 1, on_failure = 'reject', " more                           \
    " on_inbound = function(conv, msg) conv:tag 'x' "                          \
    "if msg.text == 'bad' then error 'no' end end }"

static void no_switch(void *arg, int result, const struct err *e)
{
    struct world *w = arg;
    (void)e;
    CHECK_EQ_INT(result, 0);
    loop_stop(w->loop);
}

TEST("what a guard could not check is refused, until a person switches it off")
{
    struct world w;
    world_init(&w);
    w.conf.failures = 2;
    world_write(&w, "rules/10-guard", GUARD());
    world_write(&w, "rules/20-next", RULE("on_inbound", "conv:tag 'next'"));
    world_open(&w);
    struct job *job = world_run(&w, job_of(&w, HOOK_INBOUND, "good"));
    CHECK_EQ_INT(effect_count(job, EFFECT_REJECT), 0);
    CHECK_EQ_INT(effect_count(job, EFFECT_TAG), 2);
    CHECK(script_is_strict(w.script, job));
    job_free(job);
    for (int i = 0; i < 4; i++) { /* after the second it is switched off */
        job = world_run(&w, job_of(&w, HOOK_INBOUND, i < 2 ? "bad" : "good"));
        CHECK_EQ_INT(job->failures, i < 2);
        CHECK(job->decided);
        CHECK_EQ_INT(job->count, 1);
        CHECK(contains(effect_text(job, EFFECT_REJECT), "not be checked"));
        job_free(job);
    }
    script_enable(w.script, SLICE("rules/10-guard"), false, no_switch, &w);
    loop_run(w.loop);
    job = world_run(&w, job_of(&w, HOOK_INBOUND, "good"));
    CHECK_EQ_INT(effect_count(job, EFFECT_REJECT), 0);
    CHECK(!script_is_strict(w.script, job));
    job_free(job);
    world_close(&w);
}

TEST("without on_failure a message passes the rule that failed")
{
    struct world w;
    world_with(&w, RULE("on_inbound", "conv:tag 'x' error 'no'"));
    struct job *job = world_run(&w, job_of(&w, HOOK_INBOUND, "hi"));
    CHECK_EQ_INT(job->failures, 1);
    CHECK_EQ_INT(job->count, 0);
    CHECK(!job->decided);
    job_free(job);
    world_close(&w);
}

TEST("on_failure says pass or reject, and belongs to what looks at messages")
{
    static const char *const bad[] = {
        "return { api = 1, on_failure = true, on_inbound = print }",
        "return { api = 1, on_failure = 'reject', on_close = print }"};
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct arena *a = arena_new();
        world_with(&w, bad[i]);
        CHECK(contains(world_error(&w, a, "rules/10-a"), "on_failure"));
        arena_free(a);
        world_close(&w);
    }
}

/* --- edit, reject --------------------------------------------------------- */

TEST("an edited message is what later rules see, and what they match")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a",
                RULE("on_inbound",
                     "conv:edit{ text = 'hidden', original = x.text, "
                     "extra = { 1, 2 } }"));
    world_write(&w, "rules/20-b",
                "return { api = 1, match = { text = 'hidden' }, on_inbound = "
                "function(conv, msg) conv:tag(msg.text .. msg.original .. "
                "#msg.extra .. msg.sender.name) end }");
    world_write(&w, "rules/30-c",
                RULE("on_inbound", "conv:edit{ extra = json.null }"));
    world_open(&w);
    struct job *job = world_run(&w, job_of(&w, HOOK_INBOUND, "4111 1111"));
    CHECK_EQ_INT(job->failures, 0);
    CHECK_SLICE(effect_text(job, EFFECT_TAG), "hidden4111 11112Anna");
    REQUIRE(job->last && job->last->type == EFFECT_EDIT);
    CHECK_SLICE(job->last->text, "hidden");
    CHECK(contains(job->last->body, "\"original\":\"4111 1111\""));
    CHECK(contains(job->last->body, "\"role\":\"visitor\""));
    CHECK(!contains(job->last->body, "extra"));
    job_free(job);
    world_close(&w);
}

TEST("what a failing rule edited is as it was for the next one")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a",
                RULE("on_inbound", "conv:edit{ text = 'lost' } "
                                   "conv:set_contact{ tier = 'lost' } "
                                   "error 'x'"));
    world_write(&w, "rules/20-b",
                RULE("on_inbound", "conv:tag(x.text .. conv.contact.tier)"));
    world_open(&w);
    struct job *job = world_run(&w, job_of(&w, HOOK_INBOUND, "kept"));
    CHECK_EQ_INT(job->count, 1);
    CHECK_SLICE(effect_text(job, EFFECT_TAG), "keptvip");
    CHECK_EQ_INT(job->failures, 1);
    CHECK(contains(job->trouble, "10-a.lua:1: x"));
    job_free(job);
    world_close(&w);
}

TEST("reject ends the round whatever the handler returns")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a", RULE("on_inbound", "conv:reject 'no cards'"));
    world_write(&w, "rules/20-b", RULE("on_inbound", "conv:tag 'b'"));
    world_open(&w);
    struct job *job = world_run(&w, job_of(&w, HOOK_INBOUND, "x"));
    CHECK(job->decided);
    CHECK_EQ_INT(job->count, 1);
    CHECK_SLICE(effect_text(job, EFFECT_REJECT), "no cards");
    CHECK_SLICE(job->rule, "rules/10-a");
    CHECK(contains(job->hops, "\"outcome\":\"rejected\""));
    CHECK(contains(job->hops, "\"error\":\"no cards\""));
    job_free(job);
    world_close(&w);
}

TEST("calls in a hook where they make no sense are refused by name")
{
    static const struct {
        enum hook hook;
        const char *name, *code, *says;
    } list[] = {
        {HOOK_INBOUND, "on_inbound", "conv:reply 'x'", "conv:reply may not"},
        {HOOK_SEND, "on_send", "conv:assign{ queue = true }",
         "conv:assign may"},
        {HOOK_SEND, "on_send", "conv:close()", "conv:close may not"},
        {HOOK_INBOUND, "on_inbound", "conv:snooze '1m'", "conv:snooze may not"},
        {HOOK_MESSAGE, "on_message", "conv:edit{ text = 'x' }",
         "conv:edit may not be called in on_message (only in on_inbound, "
         "on_send)"},
        {HOOK_MESSAGE, "on_message", "conv:reject 'x'", "conv:reject may not"},
        {HOOK_SEND, "on_send", "conv:edit{ id = 'x' }", "id stays as it is"},
        {HOOK_SEND, "on_send", "conv:edit{ kind = 'x' }", "kind must be"},
        {HOOK_SEND, "on_send", "conv:edit{ text = '' }", "1 to 16384 bytes"},
        {HOOK_SEND, "on_send", "conv:edit{ 'x' }", "named fields only"},
        {HOOK_SEND, "on_send", "conv:edit{ x = print }", "no JSON form"},
        {HOOK_SEND, "on_send", "conv:edit{ x = ('y'):rep(70000) }", "too long"},
        {HOOK_SEND, "on_send", "conv:set_contact{ gold = 1 }",
         "unknown field 'gold'"},
        {HOOK_SEND, "on_send", "conv:set_contact{}", "nothing is said"},
        {HOOK_SEND, "on_send", "conv:set_contact{ tags = { 1 } }",
         "a tag must"},
        {HOOK_SEND, "on_send", "conv:set_contact{ name = 5 }", "name must be"},
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        struct world w;
        struct arena *a = arena_new();
        char rule[500];
        snprintf(rule, sizeof rule,
                 "return { api = 1, %s = function(conv, msg) %s end }",
                 list[i].name, list[i].code);
        test_note("%s", list[i].code);
        world_with(&w, rule);
        struct job *job = world_run(&w, job_of(&w, list[i].hook, "x"));
        CHECK_EQ_INT(job->count, 0);
        struct slice said = world_error(&w, a, "rules/10-a");
        if (!contains(said, list[i].says))
            FAIL("it said: %.*s", SLICE_FMT(said));
        job_free(job);
        world_close(&w);
        arena_free(a);
    }
    test_note("%s", "");
}

TEST("a contact is changed for the house and for later rules")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a",
                RULE("on_message",
                     "conv:set_contact{ name = 'Bo', tier = 'gold', tags = {}, "
                     "attributes = { city = 'Bremen', old = json.null } }"));
    world_write(&w, "rules/20-b",
                RULE("on_message",
                     "local c = conv.contact conv:tag(c.name .. c.tier .. "
                     "#c.tags .. c.attributes.city .. c.attributes.kept .. "
                     "tostring(c.attributes.old))"));
    world_open(&w);
    struct job *job = world_job(&w, "x");
    job->contact.tags = SLICE("[\"a\"]");
    job->contact.attributes = SLICE("{\"old\":1,\"kept\":2}");
    world_run(&w, job);
    CHECK_EQ_INT(job->failures, 0);
    CHECK_SLICE(effect_text(job, EFFECT_TAG), "Bogold0Bremen2nil");
    REQUIRE(job->first->type == EFFECT_CONTACT);
    CHECK(contains(job->first->data, "\"tags\":[]"));
    CHECK(contains(job->first->data, "\"old\":null"));
    job_free(job);
    world_close(&w);
}

/* --- on_send over what scripts say ---------------------------------------- */

TEST("a script's replies pass on_send: changed, taken out, or left")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a",
                RULE("on_message", "conv:reply 'one' conv:tag 't' "
                                   "conv:reply 'two' conv:reply 'three' "
                                   "return conv:queue()"));
    world_write(&w, "rules/20-b",
                "return { api = 1, on_send = function(conv, msg)\n"
                "if msg.text == 'two' then return conv:reject 'bad' end\n"
                "if msg.text == 'one' then conv:edit{ text = msg.text .. '!', "
                "by = msg.sender.role } conv:tag 'sent' end end }");
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(job->failures, 0);
    CHECK(job->decided);
    CHECK_SLICE(job->rule, "rules/10-a");
    CHECK_EQ_INT(job->hook, HOOK_MESSAGE);
    CHECK_SLICE(job->text, "x");
    CHECK_EQ_INT(job->count, 5);
    CHECK_EQ_INT(effect_count(job, EFFECT_REPLY), 2);
    CHECK_EQ_INT(effect_count(job, EFFECT_EDIT), 0);
    CHECK_EQ_INT(effect_count(job, EFFECT_REJECT), 0);
    CHECK_EQ_INT(effect_count(job, EFFECT_TAG), 2);
    CHECK_SLICE(job->first->text, "one!");
    CHECK(contains(job->first->body, "\"text\":\"one!\""));
    CHECK(contains(job->first->body, "\"by\":\"bot\""));
    CHECK(!contains(job->first->body, "sender"));
    CHECK_EQ_INT(job->ran, 4);
    CHECK(contains(job->hops, "\"hook\":\"on_send\""));
    CHECK(contains(job->hops, "\"error\":\"bad\""));
    job_free(job);
    world_close(&w);
}

TEST("on_send may wait, fail, and match; without replies it is not asked")
{
    struct world w;
    struct arena *a = arena_new();
    world_init(&w);
    world_write(&w, "rules/10-a",
                RULE("on_message",
                     "if x.text == 'say' then conv:reply 'secret' "
                     "conv:reply 'open' end"));
    world_write(&w, "rules/20-b",
                "return { api = 1, match = { text = 'secret' }, on_send = "
                "function(conv, msg) local r = http.get 'http://x'\n"
                "conv:edit{ text = 'status ' .. r.status } end }");
    world_write(&w, "rules/30-c",
                "return { api = 1, match = { text = 'open' }, on_send = "
                "function(conv, msg) conv:edit{ text = 'lost' } error 'no' "
                "end }");
    world_open(&w);
    struct job *job = world_say(&w, "say");
    CHECK_EQ_INT(job->ran, 3);
    CHECK_EQ_INT(job->count, 2);
    CHECK_SLICE(job->first->text, "status 200");
    CHECK_SLICE(job->last->text, "open");
    CHECK(contains(world_error(&w, a, "rules/30-c"), "no"));
    job_free(job);
    job = world_say(&w, "quiet");
    CHECK_EQ_INT(job->ran, 1);
    job_free(job);
    world_close(&w);
    arena_free(a);
}

TEST("the house stops while a reply waits in on_send: the job is whole")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a", RULE("on_message", "conv:reply 'x'"));
    world_write(&w, "rules/20-b", RULE("on_send", "http.get 'http://x'"));
    world_open(&w);
    w.hold = true;
    struct job *job = world_job(&w, "hi");
    world_give(&w, job);
    loop_run(w.loop);
    REQUIRE(w.asked_count == 1);
    script_close(w.script);
    while (w.open_jobs)
        loop_run(w.loop);
    CHECK_EQ_INT(job->result, ERR_CANCELLED);
    CHECK_EQ_INT(job->hook, HOOK_MESSAGE);
    CHECK_SLICE(job->text, "hi");
    job_free(job);
    arena_free(w.asked[0]->arena);
    loop_free(w.loop);
}

TEST("a message is whole for pairs, next and JSON, also when nothing was read")
{
    static const char *const ways[] = {
        "local n = 0 for k in pairs(x) do n = n + 1 end conv:tag('n' .. n)",
        "local n, k = 0, next(x) while k do n = n + 1 k = next(x, k) end "
        "conv:tag('n' .. n)",
        "local n = 0 for k in pairs(json.decode(json.encode(x))) do n = n + 1 "
        "end conv:tag('n' .. n)",
        "local s = x.sender.name local n = 0 for k in pairs(x) do n = n + 1 "
        "end conv:tag('n' .. n)",
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct world w;
        char rule[500];
        test_note("%s", ways[i]);
        snprintf(rule, sizeof rule,
                 "return { api = 1, on_message = function(conv, x) %s end }",
                 ways[i]);
        world_with(&w, rule);
        struct job *job = world_say(&w, "hi");
        CHECK_SLICE(effect_text(job, EFFECT_TAG), "n6"); /* sender too */
        job_free(job);
        world_close(&w);
    }
    test_note("%s", "");
}

TEST("a message kept beyond its event keeps its text, and says what is gone")
{
    struct world w;
    struct arena *a = arena_new();
    world_with(&w, "local kept return { api = 1, on_message = function(conv, "
                   "msg) if kept then conv:tag(kept.text) return kept.seq end "
                   "kept = msg end }");
    job_free(world_say(&w, "first"));
    struct job *job = world_say(&w, "second");
    CHECK_EQ_INT(job->failures, 1);
    CHECK(contains(world_error(&w, a, "rules/10-a"), "event that is over"));
    job_free(job);
    world_close(&w);
    arena_free(a);
}
