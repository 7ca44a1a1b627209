/* SPDX-License-Identifier: Apache-2.0 */
/* flow_saga_test.c - sagas: in order, undone in reverse, through every crash;
 * and machines of states. */
#include "flow.h"

/* --- a shop that remembers what was done to it ----------------------------- */

static struct {
    char done[4000];  /* what worked, each with a blank behind */
    char fails[40];   /* this one fails for good */
    int tries, times; /* ... the first times calls of it; 0 = always */
} shop;

static struct slice shop_reply(struct script_ask *ask)
{
    struct slice url = ask->http->url;
    const char *name = memrchr(url.at, '/', url.len);
    size_t n = (size_t)(url.at + url.len - ++name);
    size_t have = strlen(shop.done);
    bool fails = n == strlen(shop.fails) && memcmp(name, shop.fails, n) == 0;
    if (fails && (shop.times == 0 || shop.tries++ < shop.times)) {
        ask->result = err_set(&ask->err, ERR_UNAVAILABLE, "the shop is closed");
        return SLICE("");
    }
    ask->http->status = 200;
    ask->http->answer = SLICE("{\"id\":\"r1\"}");
    ask->http->answer_headers = SLICE("content-type: text/json\n");
    snprintf(shop.done + have, sizeof shop.done - have, "%.*s ", (int)n, name);
    return SLICE("");
}

static const char saga_file[] =
    "local function call(name)\n"
    "  local res, code, detail = http.get('http://shop/' .. name)\n"
    "  if not res then return nil, code, detail end\n"
    "  return { id = res.json.id, name = name }\n"
    "end\n"
    "return { api = 1, run = function(conv, args)\n"
    "  local ok, code, detail = flow.saga('refund', {\n"
    "    { name = 'freeze', run = function(d) return call 'freeze' end,\n"
    "      undo = function(d, r) assert(r.name == 'freeze')\n"
    "        return call 'thaw' end },\n"
    "    { name = 'note', run = function() conv:note 'money' end },\n"
    "    { name = 'refund', retry = 2, backoff = '10s',\n"
    "      run = function(d, results) assert(results.freeze.id == 'r1')\n"
    "        assert(d.order == 7) return call 'refund' end,\n"
    "      undo = function(d, r) return call 'take-back' end },\n"
    "    { name = 'notify', run = function() return call 'notify' end },\n"
    "  }, { order = 7 })\n"
    "  conv:reply(tostring(ok) .. ' ' .. tostring(code) .. ' '\n"
    "    .. tostring(detail))\n"
    "end }";

static void saga_open(struct flowing *f, const char *fails, int times)
{
    memset(&shop, 0, sizeof shop);
    snprintf(shop.fails, sizeof shop.fails, "%s", fails);
    shop.times = times;
    flowing_init(f, saga_file);
    flowing_open(f, "{}");
    f->w.reply = shop_reply;
}

/* Runs until it is over. crash: the run of that number is not committed: the
 * row is as it was before. Returns the number of runs. */
static int saga_play(struct flowing *f, int crash)
{
    int n = 0;
    for (; f->row.state == FLOW_READY && n < 100; n++) {
        if (f->row.due_at > f->now)
            flowing_wait(f, f->row.due_at - f->now);
        struct job *job = flowing_job(f, n ? "again" : "start", NULL);
        world_run(&f->w, job);
        if (n != crash)
            flowing_commit(f, job);
        job_free(job);
    }
    return n;
}

TEST("a saga runs its steps in order and is seen")
{
    struct flowing f;
    saga_open(&f, "", 0);
    job_free(flowing_run(&f, "start", NULL));
    CHECK(contains(f.row.view, "\"saga\":{"));
    CHECK(contains(f.row.view, "\"name\":\"refund\""));
    CHECK(contains(f.row.view, "\"state\":\"running\""));
    saga_play(&f, -1);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SLICE(slice_of(shop.done), "freeze refund notify ");
    CHECK_SAID(&f, "true nil nil|");
    CHECK(contains(f.row.view, "\"state\":\"done\""));
    CHECK(!contains(f.row.view, "waiting"));
    flowing_close(&f);
}

TEST("a step that fails for good undoes those before it, last one first")
{
    struct flowing f;
    saga_open(&f, "notify", 0);
    saga_play(&f, -1);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SLICE(slice_of(shop.done), "freeze refund take-back thaw ");
    CHECK_SAID(&f, "nil unavailable the shop is closed|");
    CHECK(contains(f.row.view, "\"state\":\"undone\""));
    CHECK(contains(f.row.view, "\"error\":\"the shop is closed\""));
    flowing_close(&f);
}

TEST("a step is tried again as often as it says")
{
    struct flowing f;
    saga_open(&f, "refund", 2);
    saga_play(&f, -1);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_EQ_INT(shop.tries, 3);
    CHECK_SLICE(slice_of(shop.done), "freeze refund notify ");
    flowing_close(&f);
    saga_open(&f, "refund", 3);
    saga_play(&f, -1);
    CHECK_EQ_INT(shop.tries, 3);
    CHECK_SLICE(slice_of(shop.done), "freeze thaw ");
    flowing_close(&f);
}

/* Is `want` what was done, if nothing counts that was done twice in a row? */
static bool is_done(const char *want)
{
    char once[4000] = "", last[40] = "", word[40];
    size_t used = 0;
    int n;
    for (const char *p = shop.done; sscanf(p, "%39s%n", word, &n) == 1;
         p += n) {
        if (strcmp(word, last) != 0)
            used +=
                (size_t)snprintf(once + used, sizeof once - used, "%s ", word);
        snprintf(last, sizeof last, "%s", word);
    }
    return strcmp(once, want) == 0;
}

TEST("a crash after any run: each thing at least once, never out of order")
{
    static const struct {
        const char *fails, *want, *said;
    } rows[] = {
        {"", "freeze refund notify ", "true nil nil|"},
        {"notify", "freeze refund take-back thaw ",
         "nil unavailable the shop is closed|"},
        {"refund", "freeze thaw ", "nil unavailable the shop is closed|"}};
    for (size_t i = 0; i < 3; i++) {
        struct flowing f;
        saga_open(&f, rows[i].fails, 0);
        int runs = saga_play(&f, -1);
        flowing_close(&f);
        CHECK(runs > 2);
        for (int crash = 0; crash < runs; crash++) {
            saga_open(&f, rows[i].fails, 0);
            CHECK_EQ_INT(saga_play(&f, crash), runs + 1);
            CHECK_STATE(&f, FLOW_DONE);
            CHECK(is_done(rows[i].want));
            CHECK_SAID(&f, rows[i].said);
            flowing_close(&f);
        }
    }
}

TEST("an undo that never works is stuck; run again, it goes on there")
{
    struct flowing f;
    saga_open(&f, "thaw", 0);
    f.w.reply = shop_reply;
    snprintf(shop.fails, sizeof shop.fails, "refund");
    saga_play(&f, -1);
    CHECK_SLICE(slice_of(shop.done), "freeze thaw ");
    flowing_close(&f);

    flowing_init(&f, "local n = 0\n"
                     "return { api = 1, run = function(conv)\n"
                     "local ok, code = flow.saga('s', {\n"
                     "  { name = 'a', run = function() conv:reply 'a' end,\n"
                     "    undo = function() n = n + 1\n"
                     "      if n <= 20 then error('no ' .. n) end\n"
                     "      conv:reply 'undone' end },\n"
                     "  { name = 'b', run = function() error 'bad' end } })\n"
                     "conv:reply(tostring(ok) .. code) end }");
    flowing_open(&f, "{}");
    saga_play(&f, -1);
    CHECK_STATE(&f, FLOW_FAILED);
    CHECK(contains(f.row.error, "undo 's/a' failed 20 times"));
    CHECK(contains(f.row.error, "no 20"));
    CHECK(contains(f.row.view, "\"state\":\"stuck\""));
    CHECK_SAID(&f, "a|");
    f.row.state = FLOW_READY;
    saga_play(&f, -1);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "a|undone|nilerror|");
    flowing_close(&f);
}

/* --- states --------------------------------------------------------------- */

static const char menu[] =
    "return { api = 1, states = flow.states {\n"
    "  initial = 'start',\n"
    "  start = { enter = function(conv, data)\n"
    "      data.n = (data.n or 0) + 1 conv:reply('menu ' .. data.n) end,\n"
    "    on = { ['1'] = 'pay', text = 'start',\n"
    "      timeout = { '10m', 'ended' } } },\n"
    "  pay = { enter = function(conv, data, text)\n"
    "      conv:reply('pay ' .. text)\n"
    "      if data.n > 2 then return 'ended' end end,\n"
    "    to = { 'ended' }, on = { any = 'start' } },\n"
    "  ended = { final = true, enter = function(conv) conv:reply 'bye' end },\n"
    "} }";

TEST("a flow of states goes where it is led; its log stays short")
{
    struct flowing f;
    flowing_init(&f, menu);
    flowing_open(&f, "{}");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_WAITING);
    CHECK(contains(f.row.view, "\"state\":\"start\""));
    flowing_on(&f, "reply", "what?");
    flowing_on(&f, "reply", "\xef\xbc\x91");
    CHECK(contains(f.row.view, "\"state\":\"ended\"") == false);
    CHECK_STATE(&f, FLOW_WAITING);
    CHECK(contains(f.row.view, "\"state\":\"pay\""));
    flowing_on(&f, "reply", "x");
    CHECK_SAID(&f, "menu 1|menu 2|pay \xef\xbc\x91|menu 3|");
    CHECK_EQ_INT(f.row.step, 2);
    flowing_on(&f, "reply", "1");
    CHECK_STATE(&f, FLOW_DONE);
    CHECK(contains(buf_slice(&f.said), "pay 1|bye|"));
    flowing_close(&f);
}

TEST("a state's time leads on, a person ends the flow")
{
    struct flowing f;
    flowing_init(&f, menu);
    flowing_open(&f, "{}");
    flowing_on(&f, "start", NULL);
    CHECK_EQ_INT(f.row.due_at, f.now + 600000);
    flowing_due(&f);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "menu 1|bye|");
    flowing_close(&f);
    flowing_init(&f, menu);
    flowing_open(&f, "{}");
    flowing_on(&f, "start", NULL);
    flowing_on(&f, "taken", NULL);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "menu 1|");
    flowing_close(&f);
}

TEST("an error in a state keeps the state and the reply that led to it")
{
    struct flowing f;
    flowing_init(&f,
                 "return { api = 1, states = flow.states { initial = 'a',\n"
                 "  a = { on = { any = 'b' } },\n"
                 "  b = { final = true, enter = function(conv, data, text)\n"
                 "    if flow.attempt() == 1 then error 'once' end\n"
                 "    conv:reply(text) end } } }");
    flowing_open(&f, "{}");
    flowing_on(&f, "start", NULL);
    flowing_on(&f, "reply", "hello");
    CHECK_STATE(&f, FLOW_READY);
    CHECK(contains(f.row.log, "\"n\":\"a\""));
    flowing_due(&f);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "hello|");
    flowing_close(&f);
}

TEST("what is wrong with a machine is said while it is loaded")
{
    static const char *const rows[][2] = {
        {"a = { final = true }", "initial must name the first state"},
        {"initial = 'b', a = { final = true }", "initial is 'b', which is not"},
        {"initial = 'a', a = { on = { x = 'b' } }",
         "state 'a': on.x leads to 'b', which is not there"},
        {"initial = 'a', a = { final = true }, b = { final = true }",
         "state 'b' is never reached"},
        {"initial = 'a', a = { on = { x = 'b', y = 'c' } },\n"
         "b = { on = { x = 'b' } }, c = { final = true }",
         "state 'b' never comes to a final one"},
        {"initial = 'a', a = { on = { timeout = '10m' } }",
         "on.timeout must be { \"10m\", \"state\" }"},
        {"initial = 'a', a = { on = { timeout = { 'x', 'a' } } }",
         "on.timeout must be a duration"},
        {"initial = 'a', a = { enters = 1, final = true }",
         "state 'a': unknown field 'enters'"},
        {"initial = 'a', a = { final = true, on = { x = 'a' } }",
         "state 'a' is final and cannot go on"},
        {"initial = 'a', a = { to = 'a' }", "to needs enter"},
        {"initial = 'a', a = 5", "'a' is no state"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[600];
        struct buf out;
        struct world w;
        world_init(&w);
        snprintf(text, sizeof text,
                 "return { api = 1,\nstates = flow.states { %s } }",
                 rows[i][0]);
        world_write(&w, "flows/a", text);
        buf_init(&out, 64 * 1024);
        CHECK_EQ_INT(script_check(w.home, NULL, &out), ERR_UNPROCESSABLE);
        CHECK(contains(buf_slice(&out), rows[i][1]));
        CHECK(contains(buf_slice(&out), "scripts/flows/a.lua:"));
        if (!contains(buf_slice(&out), rows[i][1]))
            printf("%.*s\n", SLICE_FMT(buf_slice(&out)));
        buf_fini(&out);
        loop_free(w.loop);
    }
}
