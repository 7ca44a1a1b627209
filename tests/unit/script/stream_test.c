/* SPDX-License-Identifier: Apache-2.0 */
/* http.stream: read bit by bit, and closed however its handler ends. */
#include "fake.h"

TEST("events come as they are cut by the pieces")
{
    struct fake f = {.pieces = {"data: a\n", "\ndata: b",
                                "b\n\nevent: x\nid: 7",
                                "\ndata: c\n\ndata: lost"}};
    CHECK_EQ_STR(fake_reply(&f, "",
                            "local s = http.stream 'http://a'\n"
                            "local all = s.status .. s.headers['x-a']\n"
                            "for e in s:sse() do\n"
                            "  all = all .. '[' .. e.event .. e.data .. e.id "
                            ".. ']'\n"
                            "end\n"
                            "conv:reply(all .. tostring(s:failed()))"),
                 "200b[messagea][messagebb][xc7]nil");
    CHECK_EQ_INT(f.nexts, 5);
    CHECK_EQ_INT(f.opened, 1);
    CHECK_EQ_INT(f.ended, 1);
}

TEST("the last event counts without its empty line, if that is wanted")
{
    const char *body = "local all = ''\n"
                       "for e in http.stream 'http://a':sse { last = true } do "
                       "all = all .. '[' .. e.event .. e.data .. ']' end\n"
                       "conv:reply(all .. '.')";
    struct fake f = {.pieces = {"data: a\n\nevent: x\nda", "ta: b"}};
    CHECK_EQ_STR(fake_reply(&f, "", body), "[messagea][xb].");
    f = (struct fake){.pieces = {"data: a\n\n"}};
    CHECK_EQ_STR(fake_reply(&f, "", body), "[messagea].");
    f = (struct fake){.pieces = {"data: b"}, .cut = ERR_UNAVAILABLE};
    CHECK_EQ_STR(fake_reply(&f, "", body), ".");
}

TEST("lines and reads")
{
    struct fake f = {.pieces = {"one\r\ntw", "o\n\nlast"}};
    CHECK_EQ_STR(fake_reply(&f, "",
                            "local s, all = http.stream 'http://a', ''\n"
                            "for line in s:lines() do all = all .. '[' .. line "
                            ".. ']' end\n"
                            "conv:reply(all)"),
                 "[one][two][][last]");
    f = (struct fake){.pieces = {"one", "two"}};
    CHECK_EQ_STR(fake_reply(&f, "",
                            "local s = http.stream 'http://a'\n"
                            "local a, b = s:read(), s:read()\n"
                            "local c, code = s:read()\n"
                            "conv:reply(a .. b .. tostring(c) .. "
                            "tostring(code))"),
                 "onetwonilnil");
}

TEST("a stream that breaks ends the loop and says why")
{
    struct fake f = {.pieces = {"data: a\n\n"}, .cut = ERR_UNAVAILABLE};
    CHECK_EQ_STR(fake_reply(&f, "",
                            "local s, n = http.stream 'http://a', 0\n"
                            "for _ in s:sse() do n = n + 1 end\n"
                            "local code, detail = s:failed()\n"
                            "local r, code2 = s:read()\n"
                            "conv:reply(n .. code .. detail .. tostring(r) .. "
                            "code2)"),
                 "1unavailableit was cutnilunavailable");
    CHECK_EQ_INT(f.ended, 1);
}

TEST("one that does not open is nil, code, detail")
{
    struct fake f = {.result = ERR_TIMEOUT, .why = "slow"};
    CHECK_EQ_STR(fake_reply(&f, "",
                            "local s, code, detail = http.stream 'http://a'\n"
                            "conv:reply(tostring(s) .. code .. detail)"),
                 "niltimeoutslow");
    CHECK_EQ_INT(f.ended, 1);
}

TEST("what the request says goes along; a body makes it a POST")
{
    struct fake f = {0};
    fake_reply(&f, "",
               "http.stream { 'http://a', json = { a = 1 }, timeout = '2m', "
               "first_timeout = '9s' }");
    CHECK_EQ_INT(f.last_ms, 120000);
    CHECK_EQ_INT(f.first_ms, 9000);
    f = (struct fake){0};
    fake_reply(&f, "", "http.stream 'http://a'");
    CHECK_EQ_INT(f.last_ms, 60000);
    CHECK_EQ_INT(f.first_ms, 15000);
}

static void ends(const char *body)
{
    struct fake f = {.pieces = {"data: a\n\n"}};
    fake_with(&f, "", body);
    job_free(world_say(&f.w, "x"));
    CHECK_EQ_INT(f.opened, 1);
    CHECK_EQ_INT(f.ended, 1);
    world_close(&f.w);
}

TEST("a stream is closed when its handler returns, fails, is killed or closes")
{
    ends("http.stream 'http://a'");
    ends("local s = http.stream 'http://a' s:close() s:close()");
    ends("http.stream 'http://a' error 'oh'");
    ends("local s = http.stream 'http://a' s:read() while true do end");
    ends("local s = http.stream 'http://a'\n"
         "for e in s:sse() do error(e.data) end");
}

TEST("a closed stream and another handler's give nothing")
{
    struct fake f = {.pieces = {"data: a\n\n"}};
    CHECK_EQ_STR(fake_reply(&f, "",
                            "local s = http.stream 'http://a'\n"
                            "s:close()\n"
                            "conv:reply(tostring(s:read()) .. "
                            "tostring(s:sse()()) .. tostring(s:failed()))"),
                 "nilnilnil");
    f = (struct fake){.pieces = {"data: a\n\n"}};
    fake_with(&f, "local kept",
              "if not kept then kept = http.stream 'http://a' return end\n"
              "local own = http.stream 'http://a'\n"
              "conv:reply(tostring(kept:read()) .. own:read())");
    job_free(world_say(&f.w, "x"));
    struct job *job = world_say(&f.w, "x");
    CHECK_SLICE(effect_text(job, EFFECT_REPLY), "nildata: a\n\n");
    CHECK_EQ_INT(f.ended, 2);
    job_free(job);
    world_close(&f.w);
}

TEST("eleven streams at once are one too many")
{
    struct fake f = {0};
    CHECK(strstr(
              fake_reply(&f, "", "for i = 1, 11 do http.stream 'http://a' end"),
              "10 streams are open already") != NULL);
    CHECK_EQ_INT(f.opened, 10);
    CHECK_EQ_INT(f.ended, 10);
}

TEST("an event that has no end is too large")
{
    struct fake f = {0};
    static char big[60001];
    memset(big, 'x', 60000);
    for (int i = 0; i < 6; i++)
        f.pieces[i] = big;
    CHECK_EQ_STR(fake_reply(&f, "",
                            "local s = http.stream 'http://a'\n"
                            "for _ in s:sse() do end\n"
                            "conv:reply((s:failed()))"),
                 "too_large");
}

TEST("the house stops while a stream is read: nothing is lost or left")
{
    struct fake f = {.pieces = {"data: a\n\n"}, .hold_next = true};
    fake_with(&f, "", "local s = http.stream 'http://a' s:read()");
    struct job *job = world_job(&f.w, "x");
    world_give(&f.w, job);
    loop_run(f.w.loop);
    REQUIRE(f.held != NULL);
    script_close(f.w.script);
    loop_stop(f.w.loop);
    loop_run(f.w.loop);
    CHECK_EQ_INT(job->result, ERR_CANCELLED);
    arena_free(f.held->arena);
    job_free(job);
    loop_free(f.w.loop);
}
