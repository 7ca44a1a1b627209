/* SPDX-License-Identifier: Apache-2.0 */
/* adapter_test.c - adapters of channels: read, called, believed or not. */
#include "world.h"

#define HEAD "return { api = 1, title = 'X', schema = { key = 'secret' }, "

static struct slice seen; /* data of the last ask, copied */
static int64_t held_ms;   /* and how long its webhook waits */

static struct slice on_deliver(struct script_ask *ask)
{
    static char text[2000];
    int n = snprintf(text, sizeof text, "%d %lld %.*s", (int)ask->kind,
                     (long long)ask->number, SLICE_FMT(ask->data));
    seen = (struct slice){text, (size_t)n};
    held_ms = ask->wait_ms;
    return SLICE("{\"id\":\"m_1\",\"seq\":1,\"duplicate\":false}");
}

static void open_with(struct world *w, const char *file, const char *text)
{
    char path[600];
    world_init(w);
    snprintf(path, sizeof path, "%s/channels", w->home);
    mkdir(path, 0700);
    if (strchr(file, '/')) {
        snprintf(path, sizeof path, "%s/channels/x", w->home);
        mkdir(path, 0700);
    }
    snprintf(path, sizeof path, "%s/channels/%s", w->home, file);
    test_write_file(path, text);
    w->reply = on_deliver;
    seen = SLICE("");
    world_open(w);
}

static struct job *job_of(struct world *w, enum hook hook)
{
    struct job *job = job_new(hook, world_done, w);
    job->call = arena_one(job->arena, struct adapter_call);
    *job->call = (struct adapter_call){
        .channel = 9,
        .type = SLICE("x"),
        .name = SLICE("My X"),
        .config = SLICE("{\"url\":\"http://p\",\"key\":\"s3cret\"}"),
        .secrets = SLICE("[\"key\"]"),
        .method = SLICE("POST"),
        .path = SLICE("/sub"),
        .query = SLICE("a=1%2B1&b=x+y&c"),
        .headers = SLICE("x-sign: abc\ncontent-type: text/plain\n"),
        .body = SLICE("hello \xff"),
        .address = SLICE("1.2.3.4"),
        .item = SLICE("{\"id\":\"ob_1\",\"to\":\"u1\",\"text\":\"hi\"}")};
    job->unit = SLICE("channels/x");
    job->at = clock_ms();
    return job;
}

/* The answer of one call, freed at the next. */
static struct adapter_call *call(struct world *w, enum hook hook)
{
    static struct job *job;
    if (job)
        job_free(job);
    job = NULL;
    if (!w)
        return NULL;
    job = world_run(w, job_of(w, hook));
    if (job->failures)
        printf("    (%.*s)\n", SLICE_FMT(job->trouble));
    return job->ran && !job->failures ? job->call : NULL;
}

TEST("an adapter is found by its file or its folder and says what it can")
{
    static const char *const files[] = {"x.lua", "x/adapter.lua"};
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        struct buf out;
        open_with(&w, files[i],
                  HEAD "capabilities = { rate = 5, reply_window = '48h', "
                       "text = 600 }, receive = function() end, "
                       "send = function() end }");
        buf_init(&out, 10000);
        CHECK_EQ_INT(script_channels(w.script, &out), 0);
        struct slice all = buf_slice(&out);
        CHECK(memmem(all.at, all.len, "\"type\":\"x\"", 10));
        CHECK(memmem(all.at, all.len, "\"reply_window_ms\":172800000", 27));
        CHECK(memmem(all.at, all.len, "\"sends\":true", 12));
        CHECK(memmem(all.at, all.len, "\"polls\":false", 13));
        CHECK(memmem(all.at, all.len, "\"key\":\"secret\"", 14));
        buf_fini(&out);
        world_close(&w);
    }
}

TEST("receive gets the request as it came and its answer goes out")
{
    struct world w;
    open_with(&w, "x.lua",
              HEAD
              "receive = function(req, ctx) "
              "return 202, table.concat({ req.method, req.path, "
              "req.query.a, req.query.b, req.query.c, "
              "req.headers['x-sign'], #req.body, req.address, "
              "ctx.channel.id, ctx.config.url, tostring(ctx.config.key) }, "
              "'|'), { ['x-more'] = 'yes', ['Content-Type'] = 'text/x' } "
              "end }");
    struct adapter_call *c = call(&w, HOOK_RECEIVE);
    REQUIRE(c != NULL);
    CHECK_EQ_INT(c->status, 202);
    CHECK_SLICE(c->answer, "POST|/sub|1+1|x y||abc|7|1.2.3.4|"
                           "ch_0000000000009|http://p|<secret>");
    CHECK_SLICE(c->answer_headers, "content-type: text/x\r\nx-more: yes\r\n");
    call(NULL, 0);
    world_close(&w);
}

TEST("ctx.deliver hands a message over and waits until it is on disk")
{
    struct world w;
    open_with(&w, "x.lua",
              HEAD "receive = function(req, ctx) local m = ctx.deliver{ dedupe "
                   "= '1', from = 'u', kind = 'text', text = '你好' } "
                   "return { got = m.id } end }");
    struct adapter_call *c = call(&w, HOOK_RECEIVE);
    REQUIRE(c != NULL);
    CHECK_SLICE(c->answer, "{\"got\":\"m_1\"}");
    CHECK_SLICE(c->answer_headers, "content-type: application/json\r\n");
    CHECK(memmem(seen.at, seen.len, " 9 {", 4));
    CHECK(memmem(seen.at, seen.len, "你好", strlen("你好")));
    call(NULL, 0);
    world_close(&w);
}

TEST("a delivery may hold its webhook, and passive() makes the answer of it")
{
    struct world w;
    open_with(&w, "x.lua",
              HEAD "receive = function(req, ctx) ctx.deliver{ from = 'u', kind "
                   "= 'text', text = 'x', hold = '4s' } return 200 end, send = "
                   "function() end, passive = function(item, req, ctx) if "
                   "req.query.b == 'none' then return end return { body = "
                   "item.text .. req.body:sub(1, 5) .. ctx.config.url } end }");
    REQUIRE(call(&w, HOOK_RECEIVE) != NULL);
    CHECK_EQ_INT(held_ms, 4000);
    struct adapter_call *c = call(&w, HOOK_PASSIVE);
    REQUIRE(c != NULL);
    CHECK_SLICE(c->answer, "{\"body\":\"hihellohttp://p\"}");
    struct job *job = job_of(&w, HOOK_PASSIVE);
    job->call->query = SLICE("b=none");
    job = world_run(&w, job);
    CHECK_EQ_INT(job->failures, 0);
    CHECK_SLICE(job->call->answer, "{\"ok\":true}");
    job_free(job);
    call(NULL, 0);
    world_close(&w);
}

TEST("send, poll and check answer with tables, true, or nil and why")
{
    struct world w;
    open_with(&w, "x.lua",
              HEAD "send = function(item, ctx) return { sent = item.to .. "
                   "item.text } end, poll = function(ctx) kv.set('cursor', 5) "
                   "return { again = 2 } end, check = function(config) return "
                   "nil, 'key', 'the key is short' end }");
    struct adapter_call *c = call(&w, HOOK_DELIVER);
    REQUIRE(c != NULL);
    CHECK_SLICE(c->answer, "{\"sent\":\"u1hi\"}");
    c = call(&w, HOOK_POLL);
    REQUIRE(c != NULL);
    CHECK_SLICE(c->answer, "{\"again\":2}");
    c = call(&w, HOOK_CHECK);
    REQUIRE(c != NULL);
    CHECK_SLICE(c->answer,
                "{\"ok\":false,\"code\":\"key\",\"why\":\"the key is short\"}");
    call(NULL, 0);
    world_close(&w);
}

TEST("what makes no sense is a failure, told and counted")
{
    static const char *const bodies[] = {
        "receive = function() return 42 end",
        "receive = function() return 200, 'x', { ['a\\nb'] = 'c' } end",
        "receive = function() return 200, 'x', 'y' end",
        "receive = function() return true end",
        "receive = function() return 200, function() end end",
        "receive = function(r, ctx) ctx.deliver('text') end",
        "receive = function(r, ctx) ctx.deliver{ hold = 4 } end",
        "receive = function(r, ctx) ctx.deliver{ hold = 'long' } end",
        "receive = function(r, ctx) return 200, ctx.config.key .. '' end",
        "receive = function(r, ctx) return 200, { k = ctx.config.key } end",
        "receive = function() conv:reply('x') end",
        "receive = function() while true do end end"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct world w;
        char text[600];
        snprintf(text, sizeof text, HEAD "%s }", bodies[i]);
        open_with(&w, "x.lua", text);
        test_note("%s", bodies[i]);
        CHECK(call(&w, HOOK_RECEIVE) == NULL);
        call(NULL, 0);
        world_close(&w);
    }
}

TEST("a file that is no adapter is refused with the field at fault")
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"return { api = 1 }", "needs receive or poll"},
        {"return { api = 1, receive = 5 }", "function"},
        {"return { api = 1, receive = function() end, passive = function() end "
         "}",
         "passive needs receive, and send"},
        {"return { api = 1, receive = function() end, on_message = function() "
         "end }",
         "unknown field"},
        {"return { api = 1, receive = function() end, capabilities = { rate = "
         "'fast' } }",
         "rate"},
        {"return { api = 1, receive = function() end, capabilities = { "
         "reply_window = 'long' } }",
         "reply_window"},
        {"return { api = 1, receive = function() end, schema = { a = "
         "function() end } }",
         "schema"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct world w;
        struct buf out;
        open_with(&w, "x.lua", bad[i].text);
        buf_init(&out, 20000);
        CHECK_EQ_INT(script_list(w.script, &out), 0);
        test_note("%s: %.*s", bad[i].why, SLICE_FMT(buf_slice(&out)));
        CHECK(memmem(out.data, out.len, bad[i].why, strlen(bad[i].why)));
        buf_fini(&out);
        world_close(&w);
    }
}

TEST("a rule has no receive, an adapter no part in the pipeline")
{
    struct world w;
    struct buf out;
    world_with(&w, "return { api = 1, receive = function() end }");
    buf_init(&out, 20000);
    CHECK_EQ_INT(script_list(w.script, &out), 0);
    CHECK(memmem(out.data, out.len, "broken", 6));
    buf_fini(&out);
    world_close(&w);
}
