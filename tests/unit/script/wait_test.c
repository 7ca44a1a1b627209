/* SPDX-License-Identifier: Apache-2.0 */
/* wait_test.c - what waits looks blocking, and late answers find nobody. */
#include "script/inside.h"
#include "world.h"

#define PASS(body)                                                             \
    "return { api = 1, on_message = function(conv, msg) " body " end }"

TEST("http waits for its answer and shows status, headers, body, json")
{
    struct world w;
    world_with(&w,
               PASS("local res = assert(http.post{ 'http://x/y', json = { a ="
                    " 1 }, query = { q = 'a b&', n = 2 }, timeout = '3s',\n"
                    "headers = { ['X-Me'] = 'v' } })\n"
                    "assert(res.status == 200 and res.headers['x-a'] == 'b')\n"
                    "assert(res.json.ok and res.json.big == "
                    "'24283910293847123')\n"
                    "conv:note(res.body)"));
    w.hold = true;
    struct job *job = world_job(&w, "x");
    world_give(&w, job);
    loop_run(w.loop);
    REQUIRE(w.asked_count == 1);
    struct http_call *call = w.asked[0]->http;
    CHECK_SLICE(call->method, "POST");
    CHECK(contains(call->url, "http://x/y?"));
    CHECK(contains(call->url, "q=a%20b%26") && contains(call->url, "n=2"));
    CHECK_SLICE(call->body, "{\"a\":1}");
    CHECK_EQ_INT(call->timeout_ms, 3000);
    CHECK_EQ_INT(call->header_count, 2);
    CHECK_SLICE(call->headers[0], "X-Me");
    CHECK_SLICE(call->headers[3], "application/json");
    CHECK_SLICE(w.asked[0]->unit, "rules/10-a");
    world_answer(&w, w.asked[0]);
    loop_run(w.loop);
    CHECK(contains(effect_text(job, EFFECT_NOTE), "\"ok\":true"));
    job_free(job);
    world_close(&w);
}

static struct slice kv_reply(struct script_ask *ask)
{
    return slice_is(ask->name, "n") ? SLICE("41") : SLICE("{\"a\":[1,2]}");
}

TEST("kv.get asks the store, but sees the event's own writes first")
{
    struct world w;
    world_with(&w, PASS("assert(kv.get 'n' == 41)\n"
                        "kv.set('n', kv.get 'n' + 1)\n"
                        "assert(kv.get 'n' == 42)\n"
                        "kv.del 'n' assert(kv.get 'n' == nil)\n"
                        "assert(kv.get 'other'.a[2] == 2)\n"
                        "conv:note 'well'"));
    w.reply = kv_reply;
    struct job *job = world_say(&w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "well");
    job_free(job);
    world_close(&w);
}

TEST("what is not there is nil; trouble is nil, code, detail")
{
    struct world w;
    world_with(&w, PASS("assert(kv.get 'none' == nil)\n"
                        "local r, code, detail = http.get 'http://x'\n"
                        "conv:note(tostring(r) .. code .. detail)"));
    w.hold = true;
    struct job *job = world_job(&w, "x");
    world_give(&w, job);
    loop_run(w.loop);
    w.asked[0]->result = ERR_NOT_FOUND;
    script_answer(w.script, w.asked[0]);
    loop_run(w.loop);
    REQUIRE(w.asked_count == 2);
    w.asked[1]->result = err_set(&w.asked[1]->err, ERR_TIMEOUT, "too slow");
    script_answer(w.script, w.asked[1]);
    loop_run(w.loop);
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "niltimeouttoo slow");
    job_free(job);
    world_close(&w);
}

TEST("other events run while one waits, each with its own conversation")
{
    struct world w;
    world_with(&w, PASS("http.get 'http://x' conv:note(msg.text)"));
    w.hold = true;
    struct job *jobs[5];
    char text[2] = "a";
    for (int i = 0; i < 5; i++, text[0]++) {
        jobs[i] = world_job(&w, text);
        world_give(&w, jobs[i]);
    }
    while (w.asked_count < 5)
        loop_run(w.loop);
    CHECK_EQ_INT(script_depth(w.script), 5);
    for (int i = 4; i >= 0; i--)
        world_answer(&w, w.asked[i]);
    loop_run(w.loop);
    for (int i = 0; i < 5; i++) {
        text[0] = (char)('a' + i);
        CHECK_SLICE(effect_text(jobs[i], EFFECT_NOTE), text);
        job_free(jobs[i]);
    }
    world_close(&w);
}

TEST("a wait goes through pcall and through the script's own coroutines")
{
    struct world w;
    world_with(&w,
               PASS("local ok, res = pcall(http.get, 'http://x')\n"
                    "assert(ok and res.status == 200)\n"
                    "local gen = coroutine.wrap(function()\n"
                    "  for i = 1, 3 do sleep '1ms' coroutine.yield(i) end\n"
                    "  return http.get('http://y').status\n"
                    "end)\n"
                    "local sum = gen() + gen() + gen() + gen()\n"
                    "local c = coroutine.create(function(a)\n"
                    "  return coroutine.wrap(function() sleep '1ms' return a "
                    "end)() end)\n"
                    "local fine, got = coroutine.resume(c, 5)\n"
                    "conv:note(sum .. tostring(fine) .. got)"));
    struct job *job = world_say(&w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "206true5");
    job_free(job);
    world_close(&w);
}

TEST("an answer twice, or to a handler that is over, is dropped")
{
    struct world w;
    world_with(&w, PASS("local a = http.get 'http://x'\n"
                        "local b = http.get 'http://y' conv:note 'end'"));
    w.hold = true;
    struct job *job = world_job(&w, "x");
    world_give(&w, job);
    loop_run(w.loop);
    struct script_ask *first = w.asked[0];
    uint64_t ticket[4];
    memcpy(ticket, first->ticket, sizeof ticket);
    world_answer(&w, first);
    loop_run(w.loop);
    REQUIRE(w.asked_count == 2);
    struct script_ask *second = w.asked[1];
    uint64_t mine[4];
    memcpy(mine, second->ticket, sizeof mine);
    CHECK(memcmp(ticket, mine, sizeof mine) != 0);
    world_answer(&w, second);
    loop_run(w.loop);
    CHECK_SLICE(effect_text(job, EFFECT_NOTE), "end");
    job_free(job);
    world_close(&w);
}

TEST("a waiting coroutine cannot be resumed by another event")
{
    struct world w;
    struct arena *a = arena_new();
    world_with(&w,
               "local c return { api = 1, on_message = function(conv, msg)\n"
               "if msg.text == 'first' then\n"
               "  c = coroutine.create(function() return http.get 'http://x' "
               "end)\n"
               "  local ok, res = coroutine.resume(c)\n"
               "  conv:note(tostring(ok))\n"
               "else\n"
               "  local ok, why = coroutine.resume(c) conv:note(why)\n"
               "end end }");
    w.hold = true;
    struct job *one = world_job(&w, "first"), *two = world_job(&w, "second");
    world_give(&w, one);
    loop_run(w.loop);
    world_give(&w, two);
    w.hold = false;
    world_answer(&w, w.asked[0]);
    loop_run(w.loop);
    CHECK_EQ_INT(w.open_jobs, 0);
    CHECK_EQ_INT(one->result, 0);
    CHECK_EQ_INT(two->result, 0);
    job_free(one);
    job_free(two);
    world_close(&w);
    arena_free(a);
}

TEST("closing answers every open job as cancelled, waiting or not yet begun")
{
    struct world w;
    world_with(&w, PASS("conv:note 'x' http.get 'http://x'"));
    w.hold = true;
    struct job *jobs[8];
    for (int i = 0; i < 8; i++)
        world_give(&w, jobs[i] = world_job(&w, "x"));
    while (w.asked_count < 4)
        loop_run(w.loop);
    w.hold = true;
    script_close(w.script);
    while (w.open_jobs)
        loop_run(w.loop);
    for (int i = 0; i < 8; i++) {
        CHECK_EQ_INT(jobs[i]->result, ERR_CANCELLED);
        job_free(jobs[i]);
    }
    for (int i = 0; i < w.asked_count; i++)
        arena_free(w.asked[i]->arena); /* not answered: the asker's */
    loop_free(w.loop);
}

static int refused;

static void on_one_of_many(struct job *job)
{
    struct world *w = job->owner;
    refused += job->result == 0;
    w->open_jobs--;
    job_free(job);
    if (refused || !w->open_jobs)
        loop_stop(w->loop);
}

TEST("the 10,001st waiting handler of a script is refused")
{
    struct world w;
    struct arena *a = arena_new();
    world_with(&w, PASS("conv:note 'x' sleep '20s'"));
    for (int i = 0; i <= LIMIT_TASKS; i++) {
        struct job *job = world_job(&w, "");
        job->done = on_one_of_many;
        world_give(&w, job);
    }
    loop_run(w.loop); /* until the last one is answered: the others sleep */
    CHECK_EQ_INT(refused, 1);
    CHECK_EQ_INT(w.open_jobs, LIMIT_TASKS);
    CHECK(contains(world_error(&w, a, "rules/10-a"), "too many handlers"));
    script_close(w.script);
    loop_run(w.loop);
    CHECK_EQ_INT(w.open_jobs, 0);
    CHECK_EQ_INT(refused, 1);
    loop_free(w.loop);
    arena_free(a);
}

TEST("a handler's own time ends its waits, and no pcall gets it more")
{
    struct world w;
    struct arena *a = arena_new();
    world_with(&w, "return { api = 1, limits = { wall = '20ms' }, on_message = "
                   "function() while true do pcall(sleep, '20s') end end }");
    struct job *job = world_say(&w, "x");
    CHECK_EQ_INT(job->result, 0);
    CHECK(contains(world_error(&w, a, "rules/10-a"), "killed: used too much"));
    job_free(job);
    world_rewrite(&w, "rules/10-a",
                  "return { api = 1, limits = { wall = '20ms' }, on_message = "
                  "function() http.get 'http://x' end }");
    w.hold = true;
    job = world_job(&w, "x");
    world_give(&w, job);
    while (w.open_jobs)
        loop_run(w.loop);
    CHECK(contains(world_error(&w, a, "rules/10-a"), "took longer than 20 ms"));
    CHECK(contains(job->hops, "\"outcome\":\"waited-cut\""));
    world_answer(&w, w.asked[0]); /* nobody waits any more */
    job_free(job);
    world_close(&w);
    arena_free(a);
}

TEST("a retired version's waits are cancelled in the end, and stay so")
{
    struct world w;
    world_with(&w, PASS("local r, code = http.get 'http://x'\n"
                        "local s, again = kv.get 'y'\n"
                        "local t, third = sleep '1s'\n"
                        "conv:note(tostring(r) .. code .. again .. third)"));
    w.script->worker[0]->conf.drain_ms = 20;
    w.hold = true;
    struct job *job = world_job(&w, "x");
    world_give(&w, job);
    loop_run(w.loop);
    REQUIRE(w.asked_count == 1);
    world_rewrite(&w, "rules/10-a", PASS(""));
    while (w.open_jobs)
        loop_run(w.loop);
    CHECK_SLICE(effect_text(job, EFFECT_NOTE),
                "nilcancelledcancelledcancelled");
    world_answer(&w, w.asked[0]); /* too late, and of a version that is gone */
    job_free(job);
    world_close(&w);
}
