/* SPDX-License-Identifier: Apache-2.0 */
/* rows_flows.c - 10,000 flows that sleep: what one costs in memory, and how
 * long after a restart all have gone on.
 *
 * The second half of each conversation's messages starts a flow each, the first
 * half does not: the growth of the process over the second, less that over the
 * first, is the flows'. All are due while the server is down.
 */
#include "bench.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EACH 20 /* of one conversation: LIMIT_FLOWS_CONV */
#define SLEEP_S 30

static char home[HOME_TEXT];

static void make_home(void)
{
    home_make(home, HOME_SCRIPTS);
    home_write(home, "scripts/rules/01-bench.lua",
               "return { api = 1, priority = 1, on_message = function(conv)\n"
               "  if conv.last_seq > %d then return flow.start('nap', { order ="
               " 'A17' }) end\n"
               "end }\n",
               EACH + 1);
    home_write(home, "scripts/flows/nap.lua",
               "return { api = 1, run = function(conv, args)\n"
               "  local n = flow.step('look', function() return #args.order "
               "end)\n"
               "  sleep '%ds'\n"
               "  conv:set('slept', n)\n"
               "end }\n",
               SLEEP_S);
}

/* Each visitor says that many messages, one after the other. */
static void talk(int rounds)
{
    for (int r = 0; r < rounds; r++) {
        for (uint32_t i = 0; i < crowd.visitor_count; i++)
            crowd_send(&crowd.visitors[i]);
        if (!crowd_wait_done(20000))
            die("flows: %llu of %llu messages reached an agent",
                (unsigned long long)crowd.done, (unsigned long long)crowd.sent);
    }
}

static int64_t started(void)
{
    struct answer a =
        rest(crowd.server.port, "GET", "/metrics", crowd.token, NULL);
    const char *at =
        a.body ? strstr(a.body, "\nyuelai_flows_started_total ") : NULL;
    int64_t n = at ? strtoll(strchr(at, ' '), NULL, 10) : 0;
    answer_free(&a);
    return n;
}

static bool any(const char *state)
{
    char path[80];
    snprintf(path, sizeof(path), "/api/v1/flows?state=%s&limit=1", state);
    struct answer a = rest(crowd.server.port, "GET", path, crowd.token, NULL);
    if (a.status != 200)
        die("flows: %d %s", a.status, a.body ? a.body : "");
    bool is = strstr(a.body, "\"fl_") != NULL;
    answer_free(&a);
    return is;
}

static void until_none(const char *state, int64_t ms)
{
    int64_t until = now_ns() + ms * 1000000;
    while (any(state)) {
        server_drain_log(&crowd.server);
        if (now_ns() > until)
            die("flows: some are still %s after %lld ms", state, (long long)ms);
        poll(NULL, 0, 5);
    }
}

/* Memory settles a moment after the last message. */
static int64_t rss(void)
{
    int64_t from = now_ns();
    while (now_ns() - from < 1000000000)
        engine_turn(-1);
    return server_rss_bytes(&crowd.server);
}

static void hang_up(void)
{
    for (uint32_t i = 0; i < crowd.visitor_count; i++)
        conn_close(&crowd.visitors[i].conn);
    for (int i = 0; i < CROWD_AGENTS; i++) {
        conn_close(&crowd.agents[i]);
        free(crowd.agent_hello[i]);
    }
    engine_close();
}

void row_flows(void)
{
    uint32_t visitors = options.scale < 1 ? 50 : 500;
    double count = (double)visitors * EACH;
    make_home();
    crowd_open(home);
    crowd_agents();
    crowd_visitors(visitors, 64);
    crowd_warm_up();
    int64_t before = rss();
    talk(EACH);
    int64_t between = rss();
    talk(EACH);
    int64_t after = rss(), last = now_ns();
    if ((double)started() != count)
        wrong("flows: %lld of %.0f were started", (long long)started(), count);
    until_none("ready", 10000);
    double each = (double)((after - between) - (between - before)) / count;
    figure("flows", "a sleeping flow, 10,000 of them: memory", "B", each, 2048,
           false);
    crowd_check("flows");
    hang_up();
    server_halt(&crowd.server);
    while (now_ns() - last < (SLEEP_S + 1) * 1000000000LL)
        poll(NULL, 0, 100);
    int64_t at = now_ns();
    server_again(&crowd.server);
    figure("flows", "restart with 10,000 due flows: ready", "ms",
           (double)crowd.server.ready_ns / 1e6, 0, false);
    until_none("sleeping", 60000);
    until_none("ready", 60000);
    figure("flows", "all 10,000 resumed and ended, from exec", "ms",
           (double)(now_ns() - at) / 1e6, 1000, false);
    figure("flows", "CPU a resumed flow, start included", "us",
           (double)server_cpu_ns(&crowd.server) / 1e3 / count, 0, false);
    if (any("failed"))
        wrong("flows: some have failed");
    server_stop(&crowd.server);
    free(crowd.hello);
    free(crowd.visitors);
    remove_tree(home);
}
