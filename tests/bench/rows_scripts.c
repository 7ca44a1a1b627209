/* SPDX-License-Identifier: Apache-2.0 */
/* rows_scripts.c - what rules cost, and whether hostile ones are noticed.
 *
 * scripts: 1, 10 and 50 rules look at the text of every message of 5,000 a
 * second and pass. The script thread's own CPU time, divided by what ran.
 *
 * attack: eight scripts that loop, allocate, nest and match for ever are called
 * ten times a second until the house switches them off, while 5,000 messages a
 * second go from visitors to agents and a harmless rule answers others.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VISITORS 200

static char home[HOME_TEXT];

static void write_rule(const char *name, int i, const char *text)
{
    char file[64];
    snprintf(file, sizeof(file), "scripts/rules/10-%s-%02d.lua", name, i);
    home_write(home, file, "%s", text);
}

/* --- scripts --------------------------------------------------------------- */

static const char look[] =
    "return {\n"
    "  api = 1,\n"
    "  on_message = function(conv, msg)\n"
    "    if msg.text:find(\"never said\", 1, true) then return true end\n"
    "  end,\n"
    "}\n";

static void drain(int64_t at_ns)
{
    server_drain_log(&crowd.server);
}

/* Handlers run so far, by the server's own count. */
static double calls(void)
{
    static const char series[] = "yuelai_script_calls_total{script=\"rules/10-";
    struct answer a =
        rest(crowd.server.port, "GET", "/metrics", crowd.token, NULL);
    double sum = 0;
    for (const char *at = a.body; at && (at = strstr(at, series));) {
        const char *value = strchr(at, '}');
        sum += value ? strtod(value + 1, NULL) : 0;
        at += sizeof(series);
    }
    answer_free(&a);
    return sum;
}

static void measure_rules(int rules, double target, const char *cpu_name,
                          const char *calls_name)
{
    home_make(home, HOME_LINKED);
    for (int i = 0; i < rules; i++)
        write_rule("look", i, look);
    crowd_open(home);
    crowd_agents();
    crowd_visitors(VISITORS, 64);
    crowd_warm_up();
    double ran = calls();
    int64_t cpu = server_thread_cpu_ns(&crowd.server, "script");
    openloop_run((uint64_t)(5000 * 5 * options.scale), drain);
    ran = calls() - ran;
    cpu = server_thread_cpu_ns(&crowd.server, "script") - cpu;
    crowd_check("scripts");
    if (cpu <= 0 || ran <= 0)
        die("the script thread has done nothing");
    figure("scripts", cpu_name, "us", (double)cpu / 1e3 / (ran / rules), target,
           false);
    figure("scripts", calls_name, "calls/s", ran / ((double)cpu / 1e9), 0,
           true);
    crowd_close();
    remove_tree(home);
}

void row_scripts(void)
{
    measure_rules(1, 6, "1 rule: script thread CPU per on_message",
                  "1 rule: handlers per second of its CPU");
    measure_rules(10, 0, "10 rules: script thread CPU per on_message",
                  "10 rules: handlers per second of its CPU");
    measure_rules(50, 60, "50 rules: script thread CPU per on_message",
                  "50 rules: handlers per second of its CPU");
}

/* --- attack ---------------------------------------------------------------- */

static const char *const hostile[] = {
    "while true do end",
    "local t = {} while true do t[#t + 1] = (\"x\"):rep(1000) .. #t end",
    "while true do pcall(function() while true do end end) end",
    "local function f() return pcall(f) end while true do f() end",
    "local s = (\"a\"):rep(2000) while true do s:find((\".-\"):rep(20) .. "
    "\"b\") end",
    "while true do coroutine.wrap(function() while true do end end)() end",
    "local t = {} for i = 1, 2e5 do t[i] = -i end while true do table.sort(t) "
    "end",
    "while true do setmetatable({}, { __index = function() while true do end "
    "end }).x() end",
};
#define HOSTILE (sizeof(hostile) / sizeof(hostile[0]))
#define ASKERS 20
#define GAP_NS 100000000LL /* between two attacks */
#define ASK_NS 5000000LL   /* between two questions */

static struct hist others, answers;
static int64_t next_attack, next_ask;
static uint32_t attacks, asks;
static int64_t asked_at[ASKERS];

static void write_attack(void)
{
    char text[600];
    for (size_t i = 0; i < HOSTILE; i++) {
        snprintf(text, sizeof(text),
                 "return { api = 1, match = { text = \"attack-%d\" },\n"
                 "  on_message = function(conv, msg)\n    %s\n  end }\n",
                 (int)i, hostile[i]);
        write_rule("hostile", (int)i, text);
    }
    write_rule("answer", 0,
               "return { api = 1, match = { text = \"question\" },\n"
               "  on_message = function(conv, msg)\n"
               "    conv:reply(\"answer\")\n    return true\n  end }\n");
}

/* Side visitors: the first ASKERS ask, the others attack. */
static void on_side(struct visitor *v, const char *text, size_t len)
{
    uint32_t i = v->conn.id - VISITORS;
    if (i >= ASKERS || !asked_at[i] || !memmem(text, len, "\"answer\"", 8))
        return;
    hist_add(&answers, now_ns() - asked_at[i]);
    asked_at[i] = 0;
}

static void on_delivered(struct visitor *v, uint32_t n, int64_t at_ns)
{
    if (n >= 2)
        hist_add(&others, at_ns - openloop_due(v, n));
}

static void each(int64_t at_ns)
{
    char ref[64], text[64];
    server_drain_log(&crowd.server);
    if (!next_attack)
        next_attack = next_ask = at_ns;
    if (at_ns >= next_attack) {
        uint32_t i = attacks++ % HOSTILE;
        next_attack += GAP_NS;
        snprintf(ref, sizeof(ref), "s%u", attacks);
        snprintf(text, sizeof(text), "attack-%u", i);
        crowd_say(&crowd.visitors[VISITORS + ASKERS + i], ref, text);
    }
    if (at_ns >= next_ask) {
        uint32_t i = asks++ % ASKERS;
        next_ask += ASK_NS;
        if (asked_at[i])
            return; /* the last one is not answered yet */
        asked_at[i] = at_ns;
        snprintf(ref, sizeof(ref), "q%u", asks);
        crowd_say(&crowd.visitors[VISITORS + i], ref, "question");
    }
}

/* The server's own list must say that they were stopped. */
static void check_stopped(void)
{
    struct answer a = rest(crowd.server.port, "GET",
                           "/api/v1/scripts?limit=100", crowd.token, NULL);
    int stopped = 0;
    for (const char *at = a.body; at && (at = strstr(at, "10-hostile-"));) {
        const char *end = strstr(at + 1, "10-hostile-");
        size_t len = end ? (size_t)(end - at) : strlen(at);
        if (json_number(at, len, "kills") > 0 ||
            json_number(at, len, "failures") > 0)
            stopped++;
        at += 11;
    }
    if (a.status != 200 || stopped < (int)HOSTILE)
        wrong("attack: %d of %d hostile scripts were stopped (%d)", stopped,
              (int)HOSTILE, a.status);
    answer_free(&a);
}

void row_attack(void)
{
    home_make(home, HOME_LINKED);
    write_attack();
    write_rule("look", 0, look); /* every message has a handler to wait for */
    crowd_open(home);
    crowd_agents();
    crowd.side_from = VISITORS;
    crowd.on_side = on_side;
    crowd_visitors(VISITORS + ASKERS + HOSTILE, 64);
    crowd_warm_up();
    hist_clear(&others);
    hist_clear(&answers);
    next_attack = next_ask = 0;
    attacks = asks = 0;
    memset(asked_at, 0, sizeof(asked_at));
    crowd.on_delivered = on_delivered;
    openloop_run((uint64_t)(5000 * 8 * options.scale), each);
    crowd_check("attack");
    if (options.scale >= 0.2)
        check_stopped();
    figure("attack", "8 hostile scripts, 5,000/s: p99", "ms",
           (double)hist_at(&others, 0.99) / 1e6, 50, false);
    figure("attack", "the same: longest", "ms", (double)others.max / 1e6, 0,
           false);
    figure("attack", "another rule's answer meanwhile: p99", "ms",
           (double)hist_at(&answers, 0.99) / 1e6, 50, false);
    figure("attack", "its longest", "ms", (double)answers.max / 1e6, 0, false);
    crowd_close();
    remove_tree(home);
}
