/* SPDX-License-Identifier: Apache-2.0 */
/* What scripts ask of the outside, through the whole house: a server of its
 * own, a visitor's message, a peer of ours on the other side. */
#include "roof.h"

#include "../unit/net/peer.c"

/* --- peers ---------------------------------------------------------------- */

static void answer(struct peer_line *l, const char *body)
{
    char text[500];
    snprintf(text, sizeof text,
             "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n"
             "Connection: close\r\n\r\n%s",
             strlen(body), body);
    line_say(l, text);
}

static bool wait_gate(struct peer_line *l, int at)
{
    int64_t end = test_now_ms() + test_patience(0);
    while (atomic_load(&l->peer->gate) < at && test_now_ms() < end)
        test_tick();
    return atomic_load(&l->peer->gate) >= at;
}

static void serve_order(struct peer_line *l)
{
    answer(l, strstr(l->head, "GET /orders?id=7 ") ? "{\"state\":\"paid\"}"
                                                   : "{}");
}

static void serve_500(struct peer_line *l)
{
    line_say(l, "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n"
                "Connection: close\r\n\r\n");
}

static void serve_token(struct peer_line *l)
{
    char body[40];
    wait_gate(l, 1);
    snprintf(body, sizeof body, "token-%d", l->number);
    answer(l, body);
}

/* The first one never answers. */
static void serve_second(struct peer_line *l)
{
    if (l->number == 1)
        line_wait_gone(l);
    else
        serve_token(l);
}

static void serve_words(struct peer_line *l)
{
    line_say(l, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                "Connection: close\r\n\r\ndata: Guten\n\n");
    wait_gate(l, 1);
    line_say(l, "data: Tag\n\n");
    wait_gate(l, 2);
    line_say(l, "data: [DONE]\n\n");
}

/* Talks for ever; tells by the gate when the other side has gone. */
static void serve_endless(struct peer_line *l)
{
    line_say(l, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: x\n\n");
    line_wait_gone(l);
    atomic_fetch_add(&l->peer->gate, 1);
}

/* --- the house ------------------------------------------------------------ */

/* The rule knows the peer as P and a word of its own as WORD. */
static void write_rule(struct roof *r, const char *name, const char *body,
                       int port, const char *word)
{
    char path[300], rule[4200];
    snprintf(rule, sizeof rule,
             "local P, WORD = 'http://127.0.0.1:%d', '%s'\n"
             "return { api = 1, on_message = function(conv, msg)\n%s\nend }",
             port, word, body);
    snprintf(path, sizeof path, "%s/scripts/rules/%s.lua", r->t.home, name);
    test_write_file(path, rule);
}

static void make_house(struct roof *r)
{
    char path[300];
    roof_make(r);
    CHECK_EQ_INT(house_scripts(&r->t, SLICE("none")), 0);
    snprintf(path, sizeof path, "mkdir -p %s/scripts/rules", r->t.home);
    CHECK_EQ_INT(system(path), 0);
    roof_env(r, "YUELAI_SCRIPT_THREADS=2");
}

static bool house_with(struct roof *r, const char *body, int port)
{
    make_house(r);
    write_rule(r, "10-a", body, port, "");
    return roof_start(r);
}

static void says(struct roof *r, const char *who, const char *what)
{
    CHECK(play(r, talk_fmt(&r->t, "%s says \"%s\"", who, what).at));
}

static void sees(struct roof *r, const char *who, const char *what)
{
    CHECK(play(r, talk_fmt(&r->t, "%s sees text = \"%s\"", who, what).at));
}

static void comes(struct roof *r, const char *who)
{
    CHECK(play(r, talk_fmt(&r->t, "%s connects on webchat", who).at));
}

TEST("an order is looked up by HTTP")
{
    struct roof r;
    struct peer p = {0};
    REQUIRE(peer_start(&p, serve_order));
    REQUIRE(house_with(&r,
                       "local res = http.get { P .. '/orders', query = { id = "
                       "msg.text } }\n"
                       "conv:reply(res.json.state) return true",
                       p.port));
    comes(&r, "anna");
    says(&r, "anna", "7");
    sees(&r, "anna", "paid");
    roof_close(&r);
    peer_stop(&p);
}

TEST("a host that fails five times is not called a sixth time")
{
    struct roof r;
    struct peer p = {0};
    REQUIRE(peer_start(&p, serve_500));
    REQUIRE(house_with(&r,
                       "local res, code = http.get(P)\n"
                       "conv:reply(res and 'status ' .. res.status or code)\n"
                       "return true",
                       p.port));
    comes(&r, "anna");
    for (int i = 0; i < 5; i++) {
        says(&r, "anna", "x");
        sees(&r, "anna", "status 500");
    }
    says(&r, "anna", "x");
    sees(&r, "anna", "unavailable");
    CHECK_EQ_INT(atomic_load(&p.count), 5);
    CHECK_EQ_INT(get(&r, "/metrics"), 200);
    char series[100];
    snprintf(series, sizeof series,
             "yuelai_http_breaker{host=\"http://127.0.0.1:%d\"} 1\n", p.port);
    CHECK(memmem(r.a.body.at, r.a.body.len, series, strlen(series)) != NULL);
    roof_close(&r);
    peer_stop(&p);
}

TEST("a model's words are read as they come")
{
    struct roof r;
    struct peer p = {0};
    REQUIRE(peer_start(&p, serve_words));
    REQUIRE(house_with(&r,
                       "local s = assert(http.stream(P))\n"
                       "for e in s:sse() do\n"
                       "  if e.data == '[DONE]' then break end\n"
                       "  conv:reply(e.data)\n"
                       "  kv.get 'x'\n" /* what is said counts at a wait */
                       "end\n"
                       "conv:reply 'end' return true",
                       p.port));
    comes(&r, "anna");
    says(&r, "anna", "x");
    sees(&r, "anna", "Guten");
    atomic_store(&p.gate, 1);
    sees(&r, "anna", "Tag");
    atomic_store(&p.gate, 2);
    sees(&r, "anna", "end");
    roof_close(&r);
    peer_stop(&p);
}

TEST("a stream that a handler leaves open is closed behind it")
{
    struct roof r;
    struct peer p = {0};
    REQUIRE(peer_start(&p, serve_endless));
    REQUIRE(house_with(&r,
                       "local s = assert(http.stream(P))\n"
                       "for e in s:sse() do conv:reply(e.data) break end\n"
                       "if msg.text == 'fail' then error 'oh' end\n"
                       "return true",
                       p.port));
    comes(&r, "anna");
    says(&r, "anna", "x");
    sees(&r, "anna", "x");
    WAIT_UNTIL(atomic_load(&p.gate) == 1, 10000);
    says(&r, "anna", "fail");
    WAIT_UNTIL(atomic_load(&p.gate) == 2, 10000);
    roof_close(&r);
    peer_stop(&p);
}

TEST("a house that stops ends the streams that are open")
{
    struct roof r;
    struct peer p = {0};
    REQUIRE(peer_start(&p, serve_endless));
    REQUIRE(house_with(&r,
                       "local s = assert(http.stream(P))\n"
                       "for e in s:sse() do end",
                       p.port));
    comes(&r, "anna");
    says(&r, "anna", "x");
    WAIT_UNTIL(atomic_load(&p.count) == 1, 10000);
    roof_close(&r); /* and says so if it cannot stop */
    WAIT_UNTIL(atomic_load(&p.gate) == 1, 10000);
    peer_stop(&p);
}

static const char once_rule[] =
    "if msg.text ~= WORD then return end\n"
    "local v = kv.space('t'):once('token', '1h', function()\n"
    "  local res, code, detail = http.get { P, timeout = '20s' }\n"
    "  if not res then return nil, code, detail end\n"
    "  return res.body\n"
    "end)\n"
    "conv:reply(v) return true";

TEST("however many ask on whatever thread, one fetches, and it is kept")
{
    enum { VISITORS = 6 };
    struct roof r;
    struct peer p = {0};
    char names[VISITORS][16];
    REQUIRE(peer_start(&p, serve_token));
    make_house(&r);
    for (int i = 0; i < 4; i++) { /* four units on two threads */
        char name[20], word[2] = {(char)('a' + i), 0};
        snprintf(name, sizeof name, "1%d-u", i);
        write_rule(&r, name, once_rule, p.port, word);
    }
    REQUIRE(roof_start(&r));
    for (int i = 0; i < VISITORS; i++) {
        char word[2] = {(char)('a' + i % 4), 0};
        snprintf(names[i], sizeof names[i], "v%d", i);
        comes(&r, names[i]);
        says(&r, names[i], word);
    }
    WAIT_UNTIL(atomic_load(&p.count) == 1, 10000);
    atomic_store(&p.gate, 1);
    for (int i = 0; i < VISITORS; i++)
        sees(&r, names[i], "token-1");
    CHECK_EQ_INT(atomic_load(&p.count), 1);
    CHECK(play(&r, "server restarts"));
    comes(&r, "zoe");
    says(&r, "zoe", "b");
    sees(&r, "zoe", "token-1"); /* kept */
    CHECK_EQ_INT(atomic_load(&p.count), 1);
    roof_close(&r);
    peer_stop(&p);
}

TEST("a maker that fails lets the next one try")
{
    struct roof r;
    struct peer p = {0};
    REQUIRE(peer_start(&p, serve_second));
    atomic_store(&p.gate, 1);
    REQUIRE(house_with(
        &r,
        "local v, code = kv.once('token', '1h', function()\n"
        "  local res, code, detail = http.get { P, timeout = '300ms' }\n"
        "  if not res then return nil, code, detail end\n"
        "  return res.body\n"
        "end)\n"
        "conv:reply(v or code) return true",
        p.port));
    comes(&r, "anna");
    comes(&r, "bela");
    says(&r, "anna", "x");
    says(&r, "bela", "x");
    sees(&r, "anna", "timeout");
    sees(&r, "bela", "token-2");
    roof_close(&r);
    peer_stop(&p);
}

TEST("what many add up at once is the right sum, and lasts")
{
    enum { VISITORS = 8, ROUNDS = 3 };
    struct roof r;
    char names[VISITORS][16];
    REQUIRE(house_with(&r,
                       "if msg.text == 'sum' then conv:reply('sum ' .. kv.get "
                       "'n') return true end\n"
                       "for i = 1, 3 do kv.incr('n') end\n"
                       "kv.update('l', function(l) l = l or {} l[#l + 1] = 1 "
                       "return l end)\n"
                       "conv:reply 'done' return true",
                       1));
    for (int i = 0; i < VISITORS; i++) {
        snprintf(names[i], sizeof names[i], "v%d", i);
        comes(&r, names[i]);
    }
    for (int k = 0; k < ROUNDS; k++) {
        for (int i = 0; i < VISITORS; i++)
            says(&r, names[i], "x");
        for (int i = 0; i < VISITORS; i++)
            sees(&r, names[i], "done");
    }
    CHECK(play(&r, "server is killed"));
    CHECK(play(&r, "server starts"));
    comes(&r, "zoe");
    says(&r, "zoe", "sum");
    sees(&r, "zoe", "sum 72"); /* 8 x 3 x 3 */
    roof_close(&r);
}

TEST("there is no assistant yet, and nothing is known; they say so")
{
    struct roof r;
    REQUIRE(house_with(&r,
                       "local a, c1 = ai.ask 'x'\n"
                       "local b = kb.search 'x'\n"
                       "conv:reply(c1 .. ', ' .. #b) return true",
                       1));
    comes(&r, "anna");
    says(&r, "anna", "x");
    sees(&r, "anna", "unavailable, 0");
    roof_close(&r);
}
