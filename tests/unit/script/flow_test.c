/* SPDX-License-Identifier: Apache-2.0 */
/* flow_test.c - flows are played from their log: waits, replays, errors. */
#include "flow.h"

TEST("a flow asks, waits, hears, and says nothing twice")
{
    struct flowing f;
    flowing_with(&f, "local m = ask('Which order?', { timeout = '10m' })\n"
                     "conv:reply('Order ' .. m.text)\n"
                     "local n = wait_reply()\n"
                     "conv:reply('then ' .. n.text)");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_WAITING);
    CHECK_EQ_INT(f.row.due_at, f.now + 600000);
    CHECK_SAID(&f, "Which order?|");
    CHECK(contains(f.row.view, "\"waits\":\"reply 10m\""));
    CHECK(contains(f.row.view, "\"step\":\"reply Which order?\""));
    flowing_wait(&f, 5000);
    flowing_on(&f, "reply", "A17");
    CHECK_STATE(&f, FLOW_WAITING);
    CHECK_EQ_INT(f.row.due_at, 0);
    CHECK_SAID(&f, "Which order?|Order A17|");
    flowing_on(&f, "reply", "more");
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "Which order?|Order A17|then more|");
    CHECK_EQ_INT(f.row.step, 3);
    flowing_close(&f);
}

TEST("a wait ends by its time, by a person who takes over, by a close")
{
    static const char *const why[] = {"timer", "taken", "closed"};
    static const char *const got[] = {"timeout|", "taken|", "closed|"};
    for (int i = 0; i < 3; i++) {
        struct flowing f;
        flowing_with(&f, "local m, why = wait_reply '10m'\n"
                         "conv:reply(why)");
        flowing_on(&f, "start", NULL);
        flowing_on(&f, why[i], NULL);
        CHECK_STATE(&f, FLOW_DONE);
        CHECK_SAID(&f, got[i]);
        flowing_close(&f);
    }
}

TEST("a sleep of days lasts until it is due, however often it is run")
{
    struct flowing f;
    flowing_with(&f, "conv:reply 'now' sleep '2d' conv:reply 'later'");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_SLEEPING);
    CHECK_EQ_INT(f.row.due_at, f.now + 2 * 86400000LL);
    CHECK(contains(f.row.view, "\"waits\":\"sleep 2d\""));
    int64_t due = f.row.due_at;
    flowing_wait(&f, 86400000LL);
    flowing_on(&f, "again", NULL);
    CHECK_STATE(&f, FLOW_SLEEPING);
    CHECK_EQ_INT(f.row.due_at, due);
    CHECK_SAID(&f, "now|");
    CHECK(contains(f.row.view, "\"waits\":\"sleep 2d\""));
    flowing_due(&f);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "now|later|");
    flowing_close(&f);
}

/* --- steps ---------------------------------------------------------------- */

static int asked; /* http calls that were made */
static int broken_calls;

static struct slice count_ask(struct script_ask *ask)
{
    asked++;
    if (asked <= broken_calls) {
        ask->result = err_set(&ask->err, ERR_TIMEOUT, "too slow");
    } else {
        ask->http->status = 200;
        ask->http->answer = SLICE("{\"id\":\"A17\",\"sum\":12.5}");
        ask->http->answer_headers = SLICE("content-type: text/json\n");
    }
    return SLICE("");
}

static void count_calls(struct flowing *f, int broken)
{
    asked = 0;
    broken_calls = broken;
    f->w.reply = count_ask;
}

TEST("a step that waits is on disk before the next begins, and runs once")
{
    struct flowing f;
    flowing_with(&f, "conv:reply 'a'\n"
                     "local o = flow.step('order', function()\n"
                     "  return http.get('http://shop/1') end)\n"
                     "assert(o.status == 200 and o.json.sum == 12.5)\n"
                     "assert(o.body == nil)\n"
                     "conv:reply(o.json.id)\n"
                     "local p = flow.step('pay', function()\n"
                     "  return http.get('http://shop/2') end)\n"
                     "sleep '1m' conv:reply(p.json.id)");
    count_calls(&f, 0);
    job_free(flowing_run(&f, "start", NULL));
    CHECK_STATE(&f, FLOW_READY);
    CHECK_EQ_INT(f.row.due_at, 0);
    CHECK_EQ_INT(asked, 1);
    CHECK_SAID(&f, "a|");
    CHECK(contains(f.row.log, "\"k\":\"step\",\"n\":\"order\""));
    flowing_on(&f, "again", NULL);
    CHECK_STATE(&f, FLOW_SLEEPING);
    flowing_due(&f);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_EQ_INT(asked, 2);
    CHECK_SAID(&f, "a|A17|A17|");
    flowing_close(&f);
}

TEST("a step gives all its values, the first time as when it is played again")
{
    struct flowing f;
    flowing_with(&f, "local n = 0\n"
                     "local a, b, c, d = flow.step('many', function()\n"
                     "  n = n + 1\n"
                     "  return { x = json.null, list = { 1 } }, nil, 'c' end)\n"
                     "assert(b == nil and c == 'c' and d == nil)\n"
                     "assert(a.x == json.null and a.list[1] == 1)\n"
                     "local none = flow.step('none', function() end)\n"
                     "conv:reply(tostring(none) .. n) wait_reply()\n"
                     "conv:reply(tostring(none) .. n)");
    flowing_on(&f, "start", NULL);
    flowing_on(&f, "reply", "x");
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "nil1|nil0|");
    flowing_close(&f);
}

TEST("a step is tried again after 5 s, 10 s, 20 s, then gives its trouble")
{
    struct flowing f;
    flowing_with(&f, "local r, code, detail = flow.step('order', function()\n"
                     "  conv:reply 'never'\n"
                     "  return http.get('http://shop/1') end, { retry = 3 })\n"
                     "conv:reply(tostring(r) .. code .. detail)");
    count_calls(&f, 100);
    int64_t waits[] = {5000, 10000, 20000};
    flowing_on(&f, "start", NULL);
    for (int i = 0; i < 3; i++) {
        CHECK_STATE(&f, FLOW_READY);
        CHECK_EQ_INT(f.row.due_at - f.now, waits[i]);
        CHECK_EQ_INT(asked, i + 1);
        flowing_due(&f);
    }
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_EQ_INT(asked, 4);
    CHECK_SAID(&f, "niltimeouttoo slow|");
    flowing_close(&f);
}

TEST("a step that fails twice and then works goes on with its result")
{
    struct flowing f;
    flowing_with(&f, "local r = flow.step('order', function()\n"
                     "  local a = http.get('http://shop/1')\n"
                     "  if not a then error 'no answer' end\n"
                     "  conv:reply 'got it' return a.json.id end,\n"
                     "  { retry = 2, backoff = '1s' })\n"
                     "conv:reply(r)");
    count_calls(&f, 2);
    flowing_on(&f, "start", NULL);
    flowing_due(&f);
    flowing_due(&f);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "got it|A17|");
    flowing_close(&f);
}

TEST("what a step changes of the conversation, the flow does not see")
{
    struct flowing f;
    flowing_with(&f, "flow.step('tag', function() conv:tag 'new'\n"
                     "  assert(conv:has_tag 'new') end)\n"
                     "assert(not conv:has_tag 'new')\n"
                     "conv:tag 'mine' assert(conv.tags[2] == 'mine')\n"
                     "assert(conv:has_tag 'mine') wait_reply()\n"
                     "assert(conv:has_tag 'mine' and #conv.tags == 2)\n"
                     "assert(conv.contact.name == 'Anna')\n"
                     "local l = conv:live() assert(l.tags[1] == 'other')\n"
                     "assert(l.contact.name == 'Ann') wait_reply()\n"
                     "assert(l.tags[1] == 'other') conv:reply 'well'");
    struct job *job = flowing_run(&f, "start", NULL);
    CHECK_EQ_INT(effect_count(job, EFFECT_TAG), 2);
    job_free(job);
    for (int i = 0; i < 2; i++) {
        job = flowing_job(&f, "reply", "x");
        job->conv.tags = i ? SLICE("[]") : SLICE("[\"other\"]");
        job->contact.name = SLICE("Ann");
        flowing_commit(&f, world_run(&f.w, job));
        CHECK_EQ_INT(effect_count(job, EFFECT_TAG), 0);
        job_free(job);
    }
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "well|");
    flowing_close(&f);
}

static const struct team_view a_team = {.id = 9, .name = {"vip", 3}};

static struct roster *with_team(void)
{
    struct arena *a = arena_new();
    struct roster *r = arena_one(a, struct roster);
    *r = (struct roster){.arena = a, .teams = &a_team, .team_count = 1};
    atomic_init(&r->refs, 1);
    return r;
}

TEST("who was there when it was asked is kept: assign, flow.start")
{
    struct flowing f;
    flowing_with(&f, "local ok, code = conv:assign { team = 'vip' }\n"
                     "local no, why = flow.start 'other'\n"
                     "wait_reply()\n"
                     "conv:reply(tostring(ok) .. tostring(code) .. why)");
    struct job *job = flowing_job(&f, "start", NULL);
    job->roster = with_team();
    flowing_commit(&f, world_run(&f.w, job));
    CHECK_EQ_INT(effect_count(job, EFFECT_ASSIGN), 1);
    job_free(job);
    world_rewrite(&f.w, "flows/other", "return { api = 1, run = print }");
    job = flowing_run(&f, "reply", "x"); /* nobody is there any more */
    CHECK_EQ_INT(effect_count(job, EFFECT_ASSIGN), 0);
    CHECK_EQ_INT(effect_count(job, EFFECT_FLOW), 0);
    job_free(job);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "truenilnot_found|");
    flowing_close(&f);
}

TEST("a crash after any run leads to the same end")
{
    static const char *const what[] = {"start", "reply", "again", "timer",
                                       "reply"};
    static const char *const text[] = {NULL, "one", NULL, NULL, "two"};
    for (int crash = -1; crash < 5; crash++) {
        struct flowing f;
        flowing_with(&f, "local a = ask 'a?' conv:reply(a.text)\n"
                         "local r = flow.step('r', function()\n"
                         "  return http.get('http://x').status end)\n"
                         "conv:reply(tostring(r)) sleep '1d'\n"
                         "conv:reply(a.text .. math.random(1, 1))\n"
                         "local b = ask 'b?' conv:reply(b.text .. a.text)");
        for (int i = 0; i < 5; i++) {
            if (i == 3)
                flowing_wait(&f, 86400000);
            if (i == crash) /* was run, but not stored */
                job_free(world_run(&f.w, flowing_job(&f, what[i], text[i])));
            job_free(flowing_run(&f, what[i], text[i]));
        }
        CHECK_STATE(&f, FLOW_DONE);
        CHECK_SAID(&f, "a?|one|200|one1|b?|twoone|");
        flowing_close(&f);
    }
}

TEST("what differs from run to run is refused outside of a step")
{
    static const char *const calls[] = {"http.get 'http://x'", "kv.get 'x'"};
    for (int i = 0; i < 2; i++) {
        char text[200];
        struct flowing f;
        snprintf(text, sizeof text,
                 "local ok, why = pcall(function() %s end)\n"
                 "conv:reply(tostring(why))",
                 calls[i]);
        flowing_with(&f, text);
        flowing_on(&f, "start", NULL);
        CHECK(contains(buf_slice(&f.said), "in a flow put"));
        CHECK(contains(buf_slice(&f.said), "into flow.step(name"));
        flowing_close(&f);
    }
}

TEST("time, chance and the order of pairs are the same in each run")
{
    struct flowing f;
    flowing_with(
        &f, "local function all() local s = ''\n"
            "  for k in pairs { b = 1, a = 2, [2] = 0, [1] = 0, c = 4 } do\n"
            "    s = s .. k end\n"
            "  return s .. time.now() .. os.time() .. math.random(1e6)\n"
            "    .. math.random() .. flow.random(3, 9) end\n"
            "local one = all() conv:reply(one) wait_reply()\n"
            "local two = all() assert(one ~= two) wait_reply()\n"
            "conv:reply(one) conv:reply(two)");
    flowing_on(&f, "start", NULL);
    struct slice first = slice_dup(f.arena, buf_slice(&f.said));
    CHECK(slice_starts(first, "12abc1900000000000"));
    flowing_wait(&f, 1234);
    flowing_on(&f, "reply", "x");
    buf_clear(&f.said);
    flowing_on(&f, "reply", "x");
    CHECK_STATE(&f, FLOW_DONE);
    CHECK(slice_starts(buf_slice(&f.said), slice_dup(f.arena, first).at));
    CHECK(contains(buf_slice(&f.said), "12abc1900000001234"));
    flowing_close(&f);
}

/* --- choose --------------------------------------------------------------- */

TEST("choose takes a number, a full-width one, a label or a value")
{
    static const char *const answers[] = {"2", " \xef\xbc\x92\xe3\x80\x82",
                                          "Voucher", "VOUCH", "2."};
    for (int i = 0; i < 5; i++) {
        struct flowing f;
        flowing_with(&f,
                     "local v, why = choose { prompt = 'How?', options = {\n"
                     "{ label = 'Card', value = 'card' },\n"
                     "{ label = 'voucher', value = 'vouch' } } }\n"
                     "conv:reply(tostring(v) .. tostring(why))");
        flowing_on(&f, "start", NULL);
        flowing_on(&f, "reply", answers[i]);
        CHECK_STATE(&f, FLOW_DONE);
        CHECK_SAID(&f, "How?\n1. Card\n2. voucher|vouchnil|");
        flowing_close(&f);
    }
}

TEST("choose asks three times, then gives up")
{
    struct flowing f;
    flowing_with(&f, "local v, why = choose { prompt = 'How?', again = 'So?',\n"
                     "  options = { 'Card', 'None' }, timeout = '1h' }\n"
                     "conv:reply(tostring(v) .. why)");
    flowing_on(&f, "start", NULL);
    for (int i = 0; i < 3; i++)
        flowing_on(&f, "reply", "perhaps");
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "How?\n1. Card\n2. None|So?\n1. Card\n2. None|"
                   "So?\n1. Card\n2. None|nilno_choice|");
    flowing_close(&f);
}

/* --- trouble -------------------------------------------------------------- */

TEST("a run that fails is tried five times more, and loses no reply")
{
    static const int64_t waits[] = {1000, 5000, 30000, 120000, 600000};
    struct flowing f;
    flowing_with(&f, "local m = ask 'Name?' conv:reply('Hi ' .. m.text)\n"
                     "if flow.attempt() < 6 then error 'not yet' end\n"
                     "conv:reply('at last ' .. m.text)");
    flowing_on(&f, "start", NULL);
    flowing_on(&f, "reply", "Anna");
    for (int i = 0; i < 5; i++) {
        CHECK_STATE(&f, FLOW_READY);
        CHECK_EQ_INT(f.row.due_at - f.now, waits[i]);
        CHECK_EQ_INT(f.row.attempts, i + 1);
        CHECK(contains(f.row.error, "not yet"));
        CHECK_SAID(&f, "Name?|");
        flowing_due(&f);
    }
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "Name?|Hi Anna|at last Anna|");
    CHECK_EQ_INT(f.row.attempts, 0);
    flowing_close(&f);
}

TEST("the sixth failure in a row ends the flow; it can be run once more")
{
    struct flowing f;
    flowing_with(&f, "ask 'Name?' error 'never'");
    flowing_on(&f, "start", NULL);
    flowing_on(&f, "reply", "Anna");
    for (int i = 0; i < 5; i++)
        flowing_due(&f);
    CHECK_STATE(&f, FLOW_FAILED);
    CHECK_EQ_INT(f.row.due_at, 0);
    CHECK(contains(f.row.error, "scripts/flows/a.lua:1: never"));
    f.row.state = FLOW_READY;
    f.row.attempts = 0;
    flowing_on(&f, "again", NULL);
    CHECK_STATE(&f, FLOW_READY);
    CHECK_EQ_INT(f.row.attempts, 1);
    flowing_close(&f);
}

TEST("failures that are not in a row do not switch a flow off")
{
    struct flowing f;
    flowing_with(&f,
                 "if flow.attempt() == 1 then error 'once' end wait_reply()");
    for (int i = 0; i < LIMIT_FAILURES + 2; i++) {
        f.row.state = FLOW_READY;
        f.row.attempts = 0;
        f.row.log = SLICE("[]");
        flowing_on(&f, "start", NULL);
        flowing_due(&f);
    }
    CHECK_STATE(&f, FLOW_WAITING);
    flowing_close(&f);
}

static void rewrite(struct flowing *f, const char *body)
{
    char text[2000];
    snprintf(text, sizeof text,
             "return { api = 1, run = function(conv, args) %s end }", body);
    world_rewrite(&f->w, "flows/a", text);
}

TEST("a log that does not fit the script any more fails at once, by name")
{
    struct flowing f;
    flowing_with(&f, "flow.step('order', function() end) sleep '1h'");
    flowing_on(&f, "start", NULL);
    struct slice log = f.row.log;
    rewrite(&f, "flow.step('payment', function() end) sleep '1h'");
    flowing_due(&f);
    CHECK_STATE(&f, FLOW_FAILED);
    CHECK(contains(f.row.error, "step 1 was step 'order', the script now "
                                "comes to step 'payment'"));
    CHECK(slice_eq(f.row.log, log));
    rewrite(&f, "conv:reply 'short'");
    f.row.state = FLOW_READY;
    flowing_on(&f, "again", NULL);
    CHECK(contains(f.row.error, "the script ends after step 1"));
    CHECK_SAID(&f, "");
    rewrite(&f, "flow.step('order', function() end) wait_reply()");
    f.row.state = FLOW_READY;
    flowing_on(&f, "again", NULL);
    CHECK_STATE(&f, FLOW_FAILED);
    CHECK(contains(f.row.error, "was sleep '', the script now comes to reply"));
    rewrite(&f, "flow.step('order', function() end) sleep '5h' "
                "conv:reply 'more'");
    f.row.state = FLOW_READY;
    flowing_on(&f, "again", NULL);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "more|");
    flowing_close(&f);
}

TEST("an answer that met a script which did not come to its wait is kept")
{
    static const char *const wrong[] = {
        "error 'new and bad' ask 'Name?' sleep '1m'", /* tried again */
        "flow.step('x', function() end) ask 'Name?'", /* unfit before */
        "ask 'City?' flow.step('y', function() end) sleep '1m'", /* at it */
        "conv:reply 'short'", /* ends before */
    };
    for (int i = 0; i < 4; i++) {
        struct flowing f;
        flowing_with(&f, "ask 'City?' local m = ask 'Name?'\n"
                         "conv:reply('Hi ' .. m.text)");
        flowing_on(&f, "start", NULL);
        flowing_on(&f, "reply", "Bonn");
        CHECK_STATE(&f, FLOW_WAITING);
        rewrite(&f, wrong[i]);
        flowing_on(&f, "reply", "Anna");
        CHECK_STATE(&f, i ? FLOW_FAILED : FLOW_READY);
        rewrite(&f, "ask 'City?' local m = ask 'Name?'\n"
                    "conv:reply('Hi ' .. m.text)");
        f.row.state = FLOW_READY;
        flowing_on(&f, "again", NULL);
        CHECK_STATE(&f, FLOW_DONE);
        CHECK_SAID(&f, "City?|Name?|Hi Anna|");
        flowing_close(&f);
    }
}

TEST("too many steps and too long a log end the flow with a sentence")
{
    struct flowing f;
    flowing_init(&f, "return { api = 1, run = function() for i = 1, 2000 do "
                     "flow.step('s', function() end) end end }");
    f.w.conf.cpu_ms = 5000; /* steps are counted here, not time */
    flowing_open(&f, "{}");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_FAILED);
    CHECK(contains(f.row.error, "more than 1000 steps"));
    flowing_close(&f);
    flowing_with(&f, "for i = 1, 90 do flow.step('big', function()\n"
                     "  return ('x'):rep(1000) end) end");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_FAILED);
    CHECK(contains(f.row.error, "grows over 64 KB with step 'big'"));
    flowing_close(&f);
    flowing_with(&f, "flow.step('fn', function() return print end)");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_FAILED);
    CHECK(contains(f.row.error, "step 'fn': its result cannot be kept"));
    flowing_close(&f);
}

TEST("a log that is none is told, not played")
{
    static const char *const logs[] = {"nonsense",
                                       "{}",
                                       "[1]",
                                       "[{}]",
                                       "[{\"k\":\"start\",\"v\":[]}]",
                                       "[{\"k\":\"step\",\"v\":[1]}]"};
    for (int i = 0; i < 6; i++) {
        struct flowing f;
        flowing_with(&f, "conv:reply 'played' sleep '1h'");
        f.row.log = slice_of(logs[i]);
        flowing_on(&f, "again", NULL);
        if (i != 4) {
            CHECK_STATE(&f, FLOW_FAILED);
            CHECK_SAID(&f, "");
            CHECK(contains(f.row.error, "cannot be read"));
        }
        flowing_close(&f);
    }
}

TEST("a long text of a visitor is cut in the log")
{
    struct flowing f;
    char text[12001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    flowing_with(&f, "local m = wait_reply()\n"
                     "conv:reply(#m.text .. tostring(m.cut))");
    flowing_on(&f, "start", NULL);
    flowing_on(&f, "reply", text);
    CHECK_SAID(&f, "4000true|");
    CHECK(f.row.log.len < 6000);
    flowing_close(&f);
}

static struct slice nested(struct arena *a, int depth, const char *key)
{
    struct buf b;
    buf_init(&b, 1024);
    for (int i = 0; i < depth; i++)
        CHECK_EQ_INT(buf_add_text(&b, "["), 0);
    for (int i = 0; i < depth; i++)
        CHECK_EQ_INT(buf_add_text(&b, "]"), 0);
    char *text = arena_text(a, 1200);
    int n = snprintf(text, 1200, "{\"%s\":%.*s}", key, (int)b.len, b.data);
    buf_fini(&b);
    return (struct slice){text, (size_t)n};
}

TEST("what is nested deep does no harm: in a result, a message, an attribute")
{
    struct flowing f;
    flowing_with(&f, "local m = ask 'x' conv:reply(m.text)\n"
                     "conv:reply(tostring(m.deep) .. tostring(m.flat))\n"
                     "local t = {} for i = 1, 27 do t = { t } end\n"
                     "flow.step('deep', function() return t end)");
    struct job *job = flowing_job(&f, "start", NULL);
    job->conv.attributes = nested(job->arena, 29, "deep");
    flowing_commit(&f, world_run(&f.w, job));
    job_free(job);
    CHECK_STATE(&f, FLOW_WAITING);
    CHECK(!contains(f.row.log, "deep"));
    job = flowing_job(&f, "reply", "hi");
    job->event.body = nested(job->arena, 30, "deep");
    flowing_commit(&f, world_run(&f.w, job));
    job_free(job);
    CHECK_STATE(&f, FLOW_FAILED);
    CHECK(contains(f.row.error, "step 'deep': its result is nested too deep"));
    CHECK(contains(f.row.log, "\"text\":\"hi\"")); /* is not lost */
    CHECK_SAID(&f, "x|");
    flowing_close(&f);
}

TEST("a killed run is a failed one; waits in callbacks are refused")
{
    struct flowing f;
    flowing_with(&f, "conv:reply 'x' while true do end");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_READY);
    CHECK_EQ_INT(f.row.attempts, 1);
    CHECK_SAID(&f, "");
    flowing_close(&f);
    flowing_with(&f, "pcall(table.sort, { 1, 2 }, function() sleep '1h' end)\n"
                     "conv:reply 'x'");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_FAILED);
    CHECK(contains(f.row.error, "inside a callback"));
    CHECK_SAID(&f, "");
    flowing_close(&f);
}

TEST("outside of a flow, and inside of a step, waits are refused")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a",
                "return { api = 1, on_message = function(conv, msg)\n"
                "local ok, why = pcall(flow.ask, 'x') conv:note(why) end }");
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK(contains(effect_text(job, EFFECT_NOTE),
                   "flow.ask belongs into a file below"));
    CHECK(contains(effect_text(job, EFFECT_NOTE), "rules/10-a.lua:2"));
    job_free(job);
    world_close(&w);
    struct flowing f;
    flowing_with(&f, "local ok, why = pcall(flow.step, 'x', function()\n"
                     "  ask 'you' end) conv:reply(why)");
    flowing_on(&f, "start", NULL);
    CHECK(contains(buf_slice(&f.said), "cannot be called inside flow.step"));
    flowing_close(&f);
}

TEST("wrong arguments are told with the author's line")
{
    static const char *const rows[][2] = {
        {"ask()", "a.lua:3: ask: what to say must be"},
        {"ask('x', { time = 1 })", "a.lua:3: ask: unknown option 'time'"},
        {"ask('x', '10m')", "a.lua:3: ask: options must be a table"},
        {"ask('x', { timeout = '10' })", "a.lua:3: ask: timeout must be"},
        {"wait_reply(5)", "a.lua:3: wait_reply must be a duration"},
        {"sleep '500d'", "a.lua:3: sleep: at most 400 days"},
        {"choose {}", "a.lua:3: choose: options must be a list"},
        {"choose { prompt = 'x', options = { 1 } }",
         "a.lua:3: choose: option 1 has no label"},
        {"choose { options = { 'a' } }", "a.lua:3: choose: prompt"},
        {"flow.step()", "a.lua:3: step: the name must be"},
        {"flow.step 'x'", "a.lua:3: step 'x': a function is needed"},
        {"flow.step('x', print, { retry = -1 })", "a.lua:3: step: retry must"},
        {"flow.step('x', print, { again = 1 })",
         "a.lua:3: flow.step: unknown option 'again'"},
        {"flow.saga('x', {})", "a.lua:3: flow.saga: a list of steps"},
        {"flow.saga('x', { { name = 'a' } })",
         "a.lua:3: flow.saga 'x': step 1 has no run"},
        {"flow.random(3, 1)", "a.lua:3: random: the interval is empty"},
        {"os.clock()", "a.lua:3: in a flow put os.clock"},
        {"http.get 'http://x'", "a.lua:3: in a flow put http"},
        {"pairs(nil)", "a.lua:3: pairs: a table is needed"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[400];
        struct flowing f;
        snprintf(text, sizeof text,
                 "local ok, why = pcall(function()\n\n  %s\nend)\n"
                 "conv:reply(tostring(why))",
                 rows[i][0]);
        flowing_with(&f, text);
        flowing_on(&f, "start", NULL);
        bool fits = contains(buf_slice(&f.said), rows[i][1]);
        CHECK(fits);
        if (!fits)
            printf("%s -> %.*s %.*s\n", rows[i][0],
                   SLICE_FMT(buf_slice(&f.said)), SLICE_FMT(f.row.error));
        flowing_close(&f);
    }
}

TEST("flow.start and flow.stop are effects; a flow nobody has is not_found")
{
    struct world w;
    world_init(&w);
    world_write(&w, "rules/10-a",
                "return { api = 1, on_message = function(conv, msg)\n"
                "local ok, code = flow.start 'none' conv:note(code)\n"
                "flow.stop 'a' return flow.start('a', { n = 1 }) end }");
    world_write(&w, "flows/a",
                "return { api = 1, title = 'A', run = "
                "function(conv, args) end }");
    world_open(&w);
    struct job *job = world_say(&w, "x");
    CHECK(job->decided);
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "not_found");
    REQUIRE(job->last && job->last->type == EFFECT_FLOW);
    CHECK_SLICE(job->last->name, "flows/a");
    CHECK_SLICE(job->last->data, "{\"n\":1}");
    CHECK_EQ_INT(effect_count(job, EFFECT_FLOW_END), 1);
    job_free(job);
    world_close(&w);
}
