/* SPDX-License-Identifier: Apache-2.0 */
/* rows_loads.c - how long until a saved script serves: one among 200, and all
 * 200 at once. Measured from the builder's first look to the plan in which it
 * serves (yuelai_script_reload_seconds): the 200 ms of quiet that the watcher
 * waits for are its purpose, not its cost. And a reload by command, as the
 * one who orders it sees it.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES 200
#define ONES 20
#define WAIT_S 10

static char home[HOME_TEXT];

static void write_rule(int i, int version)
{
    char file[64];
    snprintf(file, sizeof(file), "scripts/rules/95-load-%03d.lua", i);
    home_write(home, file,
               "-- version %d\n"
               "return {\n"
               "  api = 1, priority = 95,\n"
               "  match = { kind = \"text\", text = { \"never-%d-%d\" } },\n"
               "  on_message = function(conv, msg)\n"
               "    local words = {}\n"
               "    for w in msg.text:gmatch(\"%%S+\") do\n"
               "      words[#words + 1] = w\n"
               "    end\n"
               "    if #words > 100 then conv:reply(\"v%d\") return true end\n"
               "  end,\n"
               "}\n",
               version, version, i, version);
}

static void make_home(void)
{
    home_make(home, HOME_EMPTY);
    for (int i = 0; i < FILES; i++)
        write_rule(i, 0);
}

/* What the histogram of reloads has counted so far. */
static void reloads(double *count, double *seconds)
{
    static const char name[] = "\nyuelai_script_reload_seconds_";
    struct answer a = rest(crowd.server.port, "GET", "/metrics", NULL, NULL);
    *count = *seconds = 0;
    for (const char *at = a.body; at && (at = strstr(at, name)) != NULL;) {
        at += sizeof(name) - 1;
        if (strncmp(at, "sum ", 4) == 0)
            *seconds = strtod(at + 4, NULL);
        else if (strncmp(at, "count ", 6) == 0)
            *count = strtod(at + 6, NULL);
    }
    if (a.status != 200)
        wrong("loads: /metrics answers %d", a.status);
    answer_free(&a);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/* Versions that serve, of all scripts together. */
static double loads(void)
{
    static const char name[] = "\nyuelai_script_loads_total{";
    double n = 0;
    struct answer a = rest(crowd.server.port, "GET", "/metrics", NULL, NULL);
    for (const char *at = a.body; at && (at = strstr(at, name)) != NULL;) {
        at = strchr(at + 1, '}');
        n += at ? strtod(at + 1, NULL) : 0;
    }
    answer_free(&a);
    return n;
}

static void one_by_command(void)
{
    double from, before, after, count;
    double was = loads();
    reloads(&count, &before);
    from = (double)now_ns();
    for (int i = 0; i < ONES; i++) {
        write_rule(7, i + 1);
        struct answer a =
            rest(crowd.server.port, "POST",
                 "/api/v1/scripts/rules/95-load-007/reload", crowd.token, NULL);
        if (a.status != 200)
            wrong("loads: reload answers %d", a.status);
        answer_free(&a);
    }
    double took = ((double)now_ns() - from) / 1e6 / ONES;
    double seen = count;
    reloads(&count, &after);
    if (count - seen < ONES || loads() - was < ONES)
        wrong("loads: %.0f reloads of %d", count - seen, ONES);
    figure("loads", "1 of 200 scripts, changed", "ms",
           (after - before) * 1000 / (count - seen), 5, false);
    figure("loads", "the same, by command and answered", "ms", took, 0, false);
}

static void all_at_once(void)
{
    double before, after, count, seen;
    double was = loads();
    int64_t until = now_ns() + WAIT_S * 1000000000LL;
    reloads(&seen, &before);
    for (int i = 0; i < FILES; i++)
        write_rule(i, 1000);
    while (loads() - was < FILES && now_ns() < until)
        nap();
    reloads(&count, &after);
    if (loads() - was < FILES || count <= seen)
        wrong("loads: %.0f of %d scripts were loaded", loads() - was, FILES);
    figure("loads", "200 of 200 scripts, changed", "ms",
           (after - before) * 1000, 100, false);
}

void row_loads(void)
{
    make_home();
    crowd_open(home);
    one_by_command();
    all_at_once();
    crowd_close();
    remove_tree(home);
}
