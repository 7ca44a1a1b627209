/* SPDX-License-Identifier: Apache-2.0 */
/* The test runner: what holds passes, what does not fails at its line; time,
 * crashes, fakes, fixtures and what is recorded of real calls. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "loop/loop.h"
#include "runs.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

TEST("what holds passes, what does not fails at its line")
{
    struct ran r = run_rule(echo, HEAD "describe('a', function()\n"
                                       "  it('holds', function()\n"
                                       "    local anna = t.visitor()\n"
                                       "    anna:says 'echo!'\n"
                                       "    anna:sees 'You said: echo!'\n"
                                       "    anna:sees_nothing()\n"
                                       "  end)\n"
                                       "  it('does not', function()\n"
                                       "    local anna = t.visitor()\n"
                                       "    anna:says 'echo'\n"
                                       "    anna:sees 'something else'\n"
                                       "  end)\n"
                                       "  pending 'later'\n"
                                       "end)\n");
    const struct outcome *o = r.report.first;
    REQUIRE(o && o->next && o->next->next);
    CHECK_EQ_INT(r.code, 1);
    CHECK_SLICE(o->name, "a › holds");
    CHECK_EQ_INT(o->verdict, VERDICT_PASSED);
    o = o->next;
    CHECK_EQ_INT(o->verdict, VERDICT_FAILED);
    CHECK_EQ_INT(o->at_line, 12);
    CHECK_EQ_INT(o->line, 9);
    CHECK_SLICE(o->at, test_path("scripts/rules/10-x_test.lua"));
    CHECK_SLICE(o->expected, "a message with \"something else\"");
    CHECK_SLICE(o->actual, "bot: \"You said: echo\"");
    CHECK_EQ_INT(o->next->verdict, VERDICT_PENDING);
    report_fini(&r.report);
}

TEST("every assertion can fail, and says what it wanted")
{
    static const struct {
        const char *claim, *expected, *actual;
    } cases[] = {
        {"assert.equal(1, 2)", "1", "2"},
        {"assert.equal('a', nil)", "\"a\"", "nil"},
        {"assert.not_equal(1, 1)", "not 1", "1"},
        {"assert.same({ a = { 1 } }, { a = { 2 } })", "{ a = { 1 } }",
         "{ a = { 2 } }"},
        {"assert.same({}, { 1 })", "{}", "{ 1 }"},
        {"assert.is_true(1)", "true", "1"},
        {"assert.is_false(nil)", "false", "nil"},
        {"assert.is_nil(false)", "nil", "false"},
        {"assert.is_not_nil(nil)", "a value", "nil"},
        {"assert.matches('^b', 'abc')", "a text like \"^b\"", "\"abc\""},
        {"assert.contains('x', 'abc')", "something with \"x\"", "\"abc\""},
        {"assert.contains(4, { 1, 2 })", "something with 4", "{ 1, 2 }"},
        {"assert.near(1, 2, 0.5)", "1 +- 0.5", "2"},
        {"assert.error(function() end)", "an error", "none"},
        {"assert.error(function() error 'a' end, 'of b')",
         "an error with \"of b\"", NULL}};
    char text[600];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, HEAD "it('x', function()\n%s\nend)\n",
                 cases[i].claim);
        struct ran r = run_rule(echo, text);
        const struct outcome *o = r.report.first;
        REQUIRE(o != NULL);
        test_note("%s", cases[i].claim);
        CHECK_EQ_INT(o->verdict, VERDICT_FAILED);
        CHECK_EQ_INT(o->at_line, 3);
        CHECK_SLICE(o->expected, cases[i].expected);
        if (cases[i].actual)
            CHECK_SLICE(o->actual, cases[i].actual);
        report_fini(&r.report);
    }
}

TEST("every assertion holds for what it says")
{
    passes(echo,
           HEAD "it('x', function()\n"
                "  assert(true) assert.equal(2, 1 + 1) assert.equal(0/0, 0/0)\n"
                "  assert.not_equal(1, '1') assert.same({ 1, { b = 2 } }, { 1, "
                "{ b = 2 } })\n"
                "  assert.is_true(true) assert.is_false(false) "
                "assert.is_nil(nil) assert.is_not_nil(0)\n"
                "  assert.matches('^%a+$', 'abc') assert.contains('b', 'abc')\n"
                "  assert.contains({ 2 }, { 1, { 2 } }) assert.near(1, 1.1, "
                "0.2)\n"
                "  assert.matches('boom', assert.error(function() error 'boom' "
                "end, 'boo'))\n"
                "  assert.equal(3, select('#', assert(1, 2, 3)))\n"
                "end)\n");
}

TEST("time stands still, goes on by as much as is said, and stops at each "
     "deadline")
{
    passes(
        "return { api = 1,\n"
        "  on_message = function(conv, msg)\n"
        "    conv:after('2d', 'later', { n = 1 }) conv:after('1h', 'soon')\n"
        "    kv.set('k', 1, { ttl = '30m' })\n"
        "    sleep '10s'\n"
        "    conv:reply('slept ' .. time.date 'UTC'.hour) return true\n"
        "  end,\n"
        "  on_timer = function(conv, name) conv:reply(name .. ' ' .. "
        "time.now()) end }\n",
        HEAD
        "it('x', function()\n"
        "  t.at '2030-01-05 22:00 Asia/Shanghai'\n"
        "  local from = t.now()\n"
        "  assert.equal(1893852000000, from)\n"
        "  local anna = t.visitor()\n"
        "  anna:says 'hi'\n"
        "  assert.equal(from, t.now())\n"
        "  anna:sees 'slept 14'\n" /* it waits for what is under way */
        "  assert.equal(from + 10000, t.now())\n"
        "  assert.equal(1, t.kv 'rules/10-x'.get 'k')\n"
        "  t.advance '31m'\n"
        "  assert.is_nil(t.kv 'rules/10-x'.get 'k')\n"
        "  anna:sees_nothing()\n"
        "  t.advance '2d'\n"
        "  local soon = anna:sees 'soon'\n"
        "  assert.near(from + 3600 * 1000, tonumber(soon.text:match '%d+'), "
        "20000)\n"
        "  local later = anna:sees 'later'\n"
        "  assert.near(from + 2 * 86400 * 1000, tonumber(later.text:match "
        "'%d+'), 20000)\n"
        "  assert.matches('forward', assert.error(function() t.at '2029-01-01 "
        "00:00 UTC' end))\n"
        "end)\n");
    CHECK(clock_ms() < 1893852000000); /* the machine's time is back */
}

TEST("a house that crashed has its timers and what was said")
{
    passes("return { api = 1,\n"
           "  on_message = function(conv, msg)\n"
           "    conv:after('1h', 'x') conv:reply 'noted' return true end,\n"
           "  on_timer = function(conv) conv:reply 'an hour later' end }\n",
           HEAD "it('x', function()\n"
                "  local anna = t.visitor()\n"
                "  anna:says 'hi'\n"
                "  t.restart()\n"
                "  anna:sees 'noted'\n"
                "  anna:sees_nothing()\n"
                "  t.advance '59m' anna:sees_nothing()\n"
                "  t.restart()\n"
                "  t.advance '1m' anna:sees 'an hour later'\n"
                "  assert.equal(3, #t.conversation(anna).messages)\n"
                "end)\n");
}

TEST("each test has a house of its own, a shared describe one for all")
{
    passes("return { api = 1, on_message = function(conv, msg)\n"
           "  kv.set('n', (kv.get 'n' or 0) + 1) return true end }\n",
           HEAD "local function says() t.visitor():says 'x' t.settle()\n"
                "  return t.kv 'rules/10-x'.get 'n' end\n"
                "it('a', function() assert.equal(1, says()) end)\n"
                "it('b', function() assert.equal(1, says()) end)\n"
                "describe('shared', { shared = true }, function()\n"
                "  it('a', function() assert.equal(1, says()) end)\n"
                "  it('b', function() assert.equal(2, says()) end)\n"
                "end)\n"
                "it('c', function() assert.equal(1, says()) end)\n");
}

TEST("before_each and after_each run around each test, outer ones outside")
{
    passes(echo, HEAD
           "local log = ''\n"
           "local function say(x) return function() log = log .. x end end\n"
           "before_each(say 'a') after_each(say 'z')\n"
           "describe('d', function()\n"
           "  before_each(say 'b') after_each(say 'y')\n"
           "  it('one', say '1')\n"
           "end)\n"
           "it('two', function() assert.equal('ab1yza', log) end)\n");
}

TEST("agents are assigned, see, answer, note and close")
{
    passes("return { api = 1, on_message = function(conv, msg)\n"
           "  if conv.state == 'bot' then return conv:assign { team = 'vip' } "
           "end end }\n",
           HEAD
           "it('x', function()\n"
           "  local bob = t.agent { name = 'Bob', teams = { 'vip' }, max_load "
           "= 1 }\n"
           "  local anna = t.visitor { name = 'Anna', tier = 'gold' }\n"
           "  anna:says 'hello'\n"
           "  bob:is_assigned(anna)\n"
           "  bob:sees 'hello'\n"
           "  bob:says 'good morning'\n"
           "  bob:notes 'a note'\n"
           "  anna:sees 'good morning'\n"
           "  anna:sees_nothing()\n"
           "  local c = t.conversation(anna)\n"
           "  assert.equal('open', c.state) assert.equal('Bob', "
           "c.assignee.name)\n"
           "  assert.equal('gold', c.contact.tier)\n"
           "  assert.same({}, t.queue())\n"
           "  local eve = t.visitor()\n"
           "  eve:says 'me too'\n"
           "  assert.equal('queued', t.conversation(eve).state)\n"
           "  assert.equal(1, #t.queue())\n"
           "  bob:closes(anna)\n"
           "  assert.equal('closed', t.conversation(anna).state)\n"
           "  bob:is_assigned(eve)\n"
           "end)\n");
}

TEST("who is refused hears why, and a refusal nobody expects is a failure")
{
    struct ran r = run_rule(
        "return { api = 1, on_inbound = function(conv, msg)\n"
        "  if msg.text:find 'bad' then return conv:reject 'not that word' end "
        "end }\n",
        HEAD "it('a', function()\n"
             "  local anna = t.visitor()\n"
             "  assert.equal('not that word', anna:is_refused('bad', 'word'))\n"
             "  anna:says 'good'\n"
             "  assert.equal(1, #t.conversation(anna).messages)\n"
             "end)\n"
             "it('b', function() t.visitor():says 'bad' end)\n"
             "it('c', function() t.visitor():is_refused 'good' end)\n"
             "it('d', function() t.visitor():is_refused('bad', 'other') "
             "end)\n");
    CHECK_EQ_INT(r.report.passed, 1);
    CHECK_EQ_INT(r.report.failed, 3);
    REQUIRE(r.report.first && r.report.first->next);
    CHECK_EQ_INT(r.report.first->verdict, VERDICT_PASSED);
    CHECK_SLICE(r.report.first->next->message,
                "the house refused it: not that word");
    CHECK_EQ_INT(r.report.first->next->at_line, 8);
    report_fini(&r.report);
}

TEST("an error of a script fails the test, unless it is taken")
{
    struct ran r = run_rule("return { api = 1, on_message = function() error "
                            "'boom' end }\n",
                            HEAD "it('not taken', function() t.visitor():says "
                                 "'x' end)\n"
                                 "it('taken', function()\n"
                                 "  t.visitor():says 'x'\n"
                                 "  assert.contains('boom', "
                                 "t.errors()[1].message)\n"
                                 "end)\n");
    const struct outcome *o = r.report.first;
    REQUIRE(o && o->next);
    CHECK_EQ_INT(o->verdict, VERDICT_FAILED);
    CHECK(memmem(o->actual.at, o->actual.len, "boom", 4) != NULL);
    CHECK_EQ_INT(o->next->verdict, VERDICT_PASSED);
    report_fini(&r.report);
}

TEST("what cannot be loaded, stands in a circle or eats memory is one failure")
{
    struct ran r = run_rule(echo, "local x = = 1\n");
    REQUIRE(r.report.first != NULL);
    CHECK_EQ_INT(r.report.failed, 1);
    CHECK(memmem(r.report.first->message.at, r.report.first->message.len,
                 "10-x_test.lua:1:", 16) != NULL);
    report_fini(&r.report);
    r = run_rule(echo, HEAD "it('loops', function() while true do end end)\n"
                            "it('swallows', function()\n"
                            "  local s = 'x' while true do s = s .. s end\n"
                            "end)\n"
                            "it('goes on', function() end)\n");
    CHECK_EQ_INT(r.report.failed, 2);
    CHECK_EQ_INT(r.report.passed, 1);
    CHECK(r.report.first && memmem(r.report.first->message.at,
                                   r.report.first->message.len, "killed", 6));
    report_fini(&r.report);
}

/* --- fakes ---------------------------------------------------------------- */

static const char caller[] =
    "return { api = 1, on_message = function(conv, msg)\n"
    "  local r, code, why = http.get('https://api.x.com/orders/' .. msg.text "
    ".. '?key=k1')\n"
    "  conv:reply(r and (r.status .. ' ' .. r.body) or code) return true\n"
    "end }\n";

TEST("a made-up server answers by pattern, turn by turn, late, or by function")
{
    passes(caller, HEAD
           "local anna\n"
           "before_each(function() anna = t.visitor() end)\n"
           "it('pattern', function()\n"
           "  t.http.on('GET https://api.x.com/orders/*', { json = { a = 1 } "
           "})\n"
           "  anna:says '7' anna:sees '200 {\"a\":1}'\n"
           "  local call = t.http.calls()[1]\n"
           "  assert.equal('/orders/7', call.path) assert.equal('k1', "
           "call.query.key)\n"
           "end)\n"
           "it('turns', function()\n"
           "  t.http.on('GET https://api.x.com/orders/7', { status = 503, "
           "times = 1 })\n"
           "  t.http.on('GET https://api.x.com/*', { body = 'ok' })\n"
           "  anna:says '7' anna:sees '503'\n"
           "  anna:says '7' anna:sees '200 ok'\n"
           "end)\n"
           "it('late', function()\n"
           "  local from = t.now()\n"
           "  t.http.on('GET *', { body = 'slow', delay = '3s' })\n"
           "  anna:says '7' anna:sees 'slow'\n"
           "  assert.equal(from + 3000, t.now())\n"
           "end)\n"
           "it('function', function()\n"
           "  t.http.on('GET *', function(req) return { body = req.method .. "
           "req.query.key } end)\n"
           "  anna:says '7' anna:sees '200 GETk1'\n"
           "end)\n"
           "it('fails', function()\n"
           "  t.http.on('GET *', { fails = 'timeout' })\n"
           "  anna:says '7' anna:sees 'timeout'\n"
           "end)\n");
}

TEST("a call that nobody answers fails the test with the request")
{
    struct ran r =
        run_rule(caller, HEAD "it('x', function()\n"
                              "  local anna = t.visitor()\n"
                              "  anna:says '7'\n"
                              "end)\n"
                              "it('a failing fake', function()\n"
                              "  t.http.on('GET *', function(req)\n"
                              "    assert.equal('POST', req.method)\n"
                              "  end)\n"
                              "  t.visitor():says '7'\n"
                              "end)\n");
    const struct outcome *o = r.report.first;
    REQUIRE(o && o->next);
    CHECK_EQ_INT(o->verdict, VERDICT_FAILED);
    CHECK_EQ_INT(o->at_line, 4);
    CHECK(memmem(o->actual.at, o->actual.len,
                 "GET https://api.x.com/orders/7?key=k1", 37) != NULL);
    o = o->next;
    CHECK_EQ_INT(o->verdict, VERDICT_FAILED);
    CHECK_EQ_INT(o->at_line, 8);
    CHECK_SLICE(o->expected, "\"POST\"");
    report_fini(&r.report);
}

TEST("a test reads a fixture as it is")
{
    write_at("scripts/rules/fixtures/push.json",
             "{\"body\":\"{\\\"a\\\": 1}\",\"list\":[1,{\"b\":true}]}\n");
    write_at("scripts/rules/fixtures/broken.json", "{\"body\":");
    passes(echo, HEAD
           "it('x', function()\n"
           "  local f = t.fixture 'push'\n"
           "  assert.same({ body = '{\"a\": 1}', list = { 1, { b = true } } }, "
           "f)\n"
           "  assert.contains('there is no',\n"
           "    assert.error(function() t.fixture 'none' end))\n"
           "  assert.matches('broken.json: %w+',\n"
           "    assert.error(function() t.fixture 'broken' end))\n"
           "  assert.contains('named by its file',\n"
           "    assert.error(function() t.fixture '../push' end))\n"
           "end)\n");
}

TEST("fixtures beside the test answer, the last of a kind for ever")
{
    write_at("scripts/rules/fixtures/orders.json",
             "[{\"request\":{\"method\":\"GET\",\"url\":\"https://api.x.com/"
             "orders/7?key=<secret>\"},\"answer\":{\"status\":404}},\n"
             "{\"request\":{\"method\":\"GET\",\"url\":\"https://api.x.com/"
             "orders/7?key=<secret>\"},\"answer\":{\"json\":{\"n\":1}}}]\n");
    passes(caller, HEAD "it('x', function()\n"
                        "  t.http.fixtures 'orders'\n"
                        "  local anna = t.visitor()\n"
                        "  anna:says '7' anna:sees '404'\n"
                        "  anna:says '7' anna:sees '{\"n\":1}'\n"
                        "  anna:says '7' anna:sees '{\"n\":1}'\n"
                        "end)\n");
}

struct origin {
    int fd, port;
    struct thread *thread;
};

static void serve_once(void *arg)
{
    static const char answer[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        "Set-Cookie: sid=abcdef\r\nX-Shop: tea\r\nContent-Length: 41\r\n"
        "Connection: close\r\n\r\n"
        "{\"access_token\":\"T0PSECRET\",\"state\":\"ok\"}";
    struct origin *o = arg;
    char in[4096];
    int fd = accept(o->fd, NULL, NULL);
    ssize_t got = read(fd, in, sizeof in);
    ssize_t put = write(fd, answer, sizeof answer - 1);
    if (got <= 0 || put <= 0)
        abort();
    close(fd);
}

static void origin_open(struct origin *o)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    o->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(o->fd, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(o->fd, 4) == 0);
    getsockname(o->fd, (struct sockaddr *)&at, &len);
    o->port = ntohs(at.sin_port);
    CHECK_EQ_INT(thread_start("origin", serve_once, o, &o->thread), 0);
}

TEST("what is recorded holds no secret, and plays back without the server")
{
    struct origin o;
    char rule[700];
    static const char tests[] = HEAD "it('x', function()\n"
                                     "  t.secrets { shop = 'hunter22' }\n"
                                     "  t.http.fixtures 'shop'\n"
                                     "  local anna = t.visitor()\n"
                                     "  anna:says 'go' anna:sees '200 ok'\n"
                                     "end)\n";
    origin_open(&o);
    snprintf(rule, sizeof rule,
             "return { api = 1, on_message = function(conv)\n"
             "  local r, code, why = http.post { "
             "'http://127.0.0.1:%d/a/hunter22?token=t1&x=1',\n"
             "    headers = { authorization = 'Bearer b1' }, json = { password "
             "= 'p1', n = 1 } }\n"
             "  conv:reply(r and (r.status .. ' ' .. r.json.state) or code .. "
             "why) return true\n"
             "end }\n",
             o.port);
    write_at("scripts/rules/10-x.lua", rule);
    write_at("scripts/rules/10-x_test.lua", tests);
    struct ran r = run_with((struct runner_conf){.record = true});
    CHECK_EQ_INT(r.code, 0);
    report_fini(&r.report);
    thread_join(o.thread);
    close(o.fd);
    char *kept = test_read_file(test_path("scripts/rules/fixtures/shop.json"));
    REQUIRE(kept != NULL);
    static const char *const secret[] = {"hunter22", "t1&",       "b1",
                                         "p1",       "T0PSECRET", "abcdef"};
    for (size_t i = 0; i < sizeof secret / sizeof secret[0]; i++) {
        test_note("%s in %s", secret[i], kept);
        CHECK(strstr(kept, secret[i]) == NULL);
    }
    CHECK(strstr(kept, "x-shop") && strstr(kept, "\"state\":\"ok\""));
    free(kept);
    r = run(); /* nobody listens any more */
    CHECK_EQ_INT(r.code, 0);
    report_fini(&r.report);
}

TEST("a made-up model answers; one without an answer fails the test")
{
    struct ran r = run_rule(
        "return { api = 1, on_message = function(conv, msg)\n"
        "  local a, code = ai.ask { assistant = 'helper', prompt = msg.text }\n"
        "  conv:reply(a and a.text or code) return true end }\n",
        HEAD "local anna\n"
             "before_each(function() anna = t.visitor() end)\n"
             "it('says', function()\n"
             "  t.ai.says 'one' t.ai.says { text = 'two' }\n"
             "  anna:says 'q' anna:sees 'one'\n"
             "  anna:says 'q' anna:sees 'two'\n"
             "  assert.equal(2, #t.ai.calls())\n"
             "  assert.equal('helper', t.ai.calls()[1].assistant)\n"
             "end)\n"
             "it('function', function()\n"
             "  t.ai.on(function(turn) return 'heard it' end)\n"
             "  anna:says 'q' anna:sees 'heard it'\n"
             "end)\n"
             "it('is down', function()\n"
             "  t.ai.fails 'unavailable' anna:says 'q' anna:sees "
             "'unavailable'\n"
             "end)\n"
             "it('nobody answers', function() anna:says 'q' end)\n");
    CHECK_EQ_INT(r.report.passed, 3);
    CHECK_EQ_INT(r.report.failed, 1);
    REQUIRE(r.report.last != NULL);
    CHECK_EQ_INT(r.report.last->verdict, VERDICT_FAILED);
    report_fini(&r.report);
}

TEST("flows are seen asleep and done, traces say which rule, streams are read")
{
    write_at("scripts/flows/tea.lua",
             "return { api = 1, run = function(conv, args)\n"
             "  local got = ask('Which tea, ' .. args.who .. '?', { timeout = "
             "'1h' })\n"
             "  if not got then return conv:reply 'no tea' end\n"
             "  sleep '1d' conv:reply('here is ' .. got.text)\n"
             "end }\n");
    write_at("scripts/rules/20-stream.lua",
             "return { api = 1, match = { text = { 'stream' } },\n"
             "  on_message = function(conv)\n"
             "    local s = http.stream { 'https://m/x', method = 'POST' }\n"
             "    local all = ''\n"
             "    for e in s:sse() do all = all .. e.data end\n"
             "    conv:reply(all) return true end }\n");
    passes("return { api = 1, match = { text = { 'tea' } },\n"
           "  on_message = function() return flow.start('tea', { who = 'Anna' "
           "}) end }\n",
           HEAD "it('flow', function()\n"
                "  local anna = t.visitor()\n"
                "  local m = anna:says 'tea, please'\n"
                "  anna:sees 'Which tea, Anna?'\n"
                "  assert.equal('waiting', t.flows()[1].state)\n"
                "  anna:says 'oolong' t.settle()\n"
                "  assert.equal('sleeping', t.flows()[1].state)\n"
                "  t.restart() t.advance '1d'\n"
                "  anna:sees 'here is oolong'\n"
                "  assert.equal('done', t.flows()[1].state)\n"
                "  assert.contains('rules/10-x', t.json.encode(t.trace(m)))\n"
                "  assert.same({}, t.dead_letters())\n"
                "end)\n"
                "it('flow gives up', function()\n"
                "  local anna = t.visitor()\n"
                "  anna:says 'tea' anna:sees 'Which' t.advance '1h' anna:sees "
                "'no tea'\n"
                "end)\n"
                "it('stream', function()\n"
                "  t.http.on('POST https://m/x', { sse = { 'a', 'b' } })\n"
                "  local anna = t.visitor()\n"
                "  anna:says 'stream' anna:sees 'ab'\n"
                "end)\n");
}

TEST("a flow that fails for good is a dead letter, and shows its error")
{
    write_at("scripts/flows/bad.lua",
             "return { api = 1, run = function() error 'boom' end }\n");
    passes("return { api = 1, on_message = function() return flow.start 'bad' "
           "end }\n",
           HEAD "it('x', function()\n"
                "  t.visitor():says 'go' t.advance '1h'\n"
                "  assert.equal('failed', t.flows()[1].state)\n"
                "  assert.equal(1, #t.dead_letters())\n"
                "  assert.contains('boom', t.errors()[1].message)\n"
                "end)\n");
}

/* --- what runs ------------------------------------------------------------ */

TEST("a filter, the first failure and one unit choose what runs")
{
    write_at("scripts/rules/10-x.lua", echo);
    write_at("scripts/rules/10-x_test.lua",
             HEAD "it('one', function() assert(false) end)\n"
                  "it('two', function() end)\n");
    write_at("scripts/rules/20-y.lua", echo);
    write_at("scripts/rules/20-y_test.lua", HEAD "it('three', function() "
                                                 "end)\n");
    struct ran r = run();
    CHECK_EQ_INT(r.report.passed, 2);
    CHECK_EQ_INT(r.report.failed, 1);
    report_fini(&r.report);
    r = run_with((struct runner_conf){.filter = "t"});
    CHECK_EQ_INT(r.report.passed, 2);
    CHECK_EQ_INT(r.code, 0);
    report_fini(&r.report);
    r = run_with((struct runner_conf){.fail_fast = true});
    CHECK_EQ_INT(r.report.failed, 1);
    CHECK_EQ_INT(r.report.passed, 0);
    report_fini(&r.report);
    r = run_with((struct runner_conf){.only = "rules/20-y"});
    CHECK_EQ_INT(r.report.passed, 1);
    CHECK_EQ_INT(r.report.failed, 0);
    report_fini(&r.report);
    const char *none[] = {"/nonsense/nowhere"};
    r = run_with((struct runner_conf){.paths = none, .path_count = 1});
    CHECK_EQ_INT(r.code, 2);
    report_fini(&r.report);
}

TEST("a connector runs by itself: pieces, bytes, a stream that breaks")
{
    write_at("ai/x/connector.lua",
             "local http, part = require 'http', require 'ai.x.part'\n"
             "return { api = 1, ask = function(turn, ctx)\n"
             "  local s = http.stream { 'https://m/x' }\n"
             "  for e in s:sse { last = true } do\n"
             "    local ok, why = ctx.write(e.data .. part)\n"
             "    if not ok then return nil, why end\n"
             "  end\n"
             "  ctx.usage { input = 1, output = 2 }\n"
             "  if s:failed() then return nil, 'broken', s:failed() end\n"
             "  return true\n"
             "end }\n");
    write_at("ai/x/part.lua", "return '!'\n");
    passes(echo, HEAD
           "local function run(chunks, options)\n"
           "  t.http.on('GET https://m/x', { times = 1, chunks = chunks })\n"
           "  return t.ai.run(t.load 'ai/x', {}, options)\n"
           "end\n"
           "it('x', function()\n"
           "  local got = run { 'data: a\\n', { hex = '0a' }, { times = 2, "
           "text = 'data:b\\n\\n' }, 'data: c' }\n"
           "  assert.same({ 'a!', 'b!', 'b!', 'c!' }, got.pieces)\n"
           "  assert.is_true(got.ok)\n"
           "  assert.equal(2, got.usage.output)\n"
           "  got = run({ 'data: a\\n\\n', { fails = 'timeout' } })\n"
           "  assert.equal('timeout', got.detail)\n"
           "  got = run({ 'data: a\\n\\ndata: b\\n\\n' }, { "
           "cancel_after = 1 })\n"
           "  assert.equal('cancelled', got.class)\n"
           "  assert.equal('a!', got.text)\n"
           "end)\n");
}

TEST("a candidate's text stands in place of the file's")
{
    write_at("candidate.lua",
             "return { api = 1, on_message = function(conv) conv:reply "
             "'new' return true end }\n");
    write_at("scripts/rules/10-x.lua", echo);
    write_at("scripts/rules/10-x_test.lua",
             HEAD "it('x', function() local a = t.visitor() a:says 'echo' "
                  "a:sees 'new' end)\n");
    struct ran r = run_with((struct runner_conf){.only = "rules/10-x"});
    CHECK_EQ_INT(r.code, 1);
    report_fini(&r.report);
    r = run_with((struct runner_conf){.only = "rules/10-x",
                                      .source = test_path("candidate.lua")});
    CHECK_EQ_INT(r.code, 0);
    report_fini(&r.report);
}

TEST("a test reloads, restricts and loads scripts and libs by name")
{
    write_at("scripts/lib/words.lua", "return { hi = 'servus' }\n");
    write_at("scripts/rules/20-other.lua",
             "return { api = 1, on_message = function(conv) conv:reply 'other' "
             "end }\n");
    write_at("channels/post/adapter.lua",
             "local words = require 'lib.words'\n"
             "local http = require 'http'\n"
             "return { send = function(item)\n"
             "  return { sent = http.get('http://a/').body .. words.hi } end "
             "}\n");
    passes("local words = require 'lib.words'\n"
           "return { api = 1, on_message = function(conv) conv:reply(words.hi) "
           "end }\n",
           HEAD
           "it('all', function() local a = t.visitor() a:says 'x' a:sees "
           "'servus' a:sees 'other' end)\n"
           "it('only', function()\n"
           "  t.only { 'rules/10-x' }\n"
           "  local a = t.visitor() a:says 'x' a:sees 'servus' "
           "a:sees_nothing()\n"
           "  assert.is_true(t.reload('rules/10-x', [[return { api = 1, "
           "on_message = function(conv) conv:reply 'again' end }]]).ok)\n"
           "  a:says 'x' a:sees 'again'\n"
           "  assert.is_true(t.reload('lib/none', 'return 1').ok)\n"
           "  assert.is_true(t.reload('lib/none', 'return 1').ok)\n"
           "  assert.is_false(t.reload('rules/10-x', 'x = = 1').ok)\n"
           "  a:says 'x' a:sees 'again'\n"
           "  t.errors()\n"
           "end)\n"
           "it('load', function()\n"
           "  t.http.on('GET http://a/', { body = 'ok ' })\n"
           "  assert.same({ sent = 'ok servus' }, t.load "
           "'channels/post'.send {})\n"
           "  assert.equal('servus', t.load 'lib/words'.hi)\n"
           "  assert.error(function() t.load 'channels/none' end, 'there is "
           "no')\n"
           "end)\n");
}

/* --- reports -------------------------------------------------------------- */

static struct outcome *add(struct report *r, const char *file, const char *name,
                           enum verdict v)
{
    struct outcome *o = report_add(r, slice_of(file), slice_of(name));
    o->verdict = v;
    o->us = 1500;
    return o;
}

TEST("JUnit's XML is well-formed whatever a test is called")
{
    struct report r;
    struct buf out;
    report_init(&r, true);
    struct outcome *o = add(&r, "a&b.lua", "<x> \"y\" 'z' \001\xff 你", 1);
    o->message = SLICE("1 < 2 && \"]]>\"");
    o->expected = SLICE("a\nb");
    o->at = SLICE("a&b.lua");
    o->at_line = 7;
    report_tell(&r, o);
    report_tell(&r, add(&r, "a&b.lua", "p", VERDICT_PASSED));
    report_tell(&r, add(&r, "c.lua", "s", VERDICT_PENDING));
    buf_init(&out, 100000);
    CHECK_EQ_INT(report_junit(&r, &out), 0);
    CHECK_SLICE(
        buf_slice(&out),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites tests=\"3\" failures=\"1\">\n"
        "  <testsuite name=\"a&amp;b.lua\" tests=\"2\" failures=\"1\" "
        "skipped=\"0\" time=\"0.003000\">\n"
        "    <testcase classname=\"a&amp;b.lua\" name=\"&lt;x&gt; "
        "&quot;y&quot; 'z' ?? 你\" file=\"a&amp;b.lua\" line=\"0\" "
        "time=\"0.001500\">\n"
        "      <failure message=\"1 &lt; 2 &amp;&amp; "
        "&quot;]]&gt;&quot;\">a&amp;b.lua:7&#10;expected: a&#10;b&#10;"
        "</failure>\n"
        "    </testcase>\n"
        "    <testcase classname=\"a&amp;b.lua\" name=\"p\" "
        "file=\"a&amp;b.lua\" line=\"0\" time=\"0.001500\"></testcase>\n"
        "  </testsuite>\n"
        "  <testsuite name=\"c.lua\" tests=\"1\" failures=\"0\" "
        "skipped=\"1\" time=\"0.001500\">\n"
        "    <testcase classname=\"c.lua\" name=\"s\" file=\"c.lua\" "
        "line=\"0\" time=\"0.001500\"><skipped/></testcase>\n"
        "  </testsuite>\n"
        "</testsuites>\n");
    buf_clear(&out);
    CHECK_EQ_INT(report_json(&r, &out), 0);
    struct arena *a = arena_new();
    struct json *j = NULL;
    CHECK_EQ_INT(json_parse(a, buf_slice(&out), NULL, &j), ERR_BAD_REQUEST);
    arena_free(a);
    buf_fini(&out);
    report_fini(&r);
}
