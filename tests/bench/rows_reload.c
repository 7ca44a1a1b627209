/* SPDX-License-Identifier: Apache-2.0 */
/* rows_reload.c - fifty rule files are rewritten while 5,000 messages a second
 * go through. How much longer does the slowest message take than the usual
 * one, and is one lost?
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILES 50
#define RATE 5000
#define ROUNDS 3
#define ROUND_S 3 /* between two rewritings */

static char home[HOME_TEXT];
static int round_no;
static int64_t first_ns, rewritten_ns;
static struct hist quiet, busy;

static const char rule[] =
    "-- one of fifty copies; version %d\n"
    "return {\n"
    "  api = 1, priority = 95,\n"
    "  match = { kind = \"text\", text = { \"never-said-%d-%d\" } },\n"
    "  on_message = function(conv, msg)\n"
    "    local words = {}\n"
    "    for w in msg.text:gmatch(\"%%S+\") do words[#words + 1] = w end\n"
    "    if #words > 100 then conv:reply(\"v%d\") return true end\n"
    "  end,\n"
    "}\n";

static void write_rules(int version)
{
    char file[64];
    for (int i = 0; i < FILES; i++) {
        snprintf(file, sizeof(file), "scripts/rules/95-bench-%02d.lua", i);
        home_write(home, file, rule, version, version, i, version);
    }
}

static void measure(struct visitor *v, uint32_t n, int64_t at_ns)
{
    if (n < 2)
        return;
    int64_t due = openloop_due(v, n);
    /* Quiet: the first round, before anything is rewritten. */
    hist_add(rewritten_ns && due > rewritten_ns - 50000000 ? &busy : &quiet,
             at_ns - due);
}

static void maybe_rewrite(int64_t at_ns)
{
    if (!first_ns)
        first_ns = at_ns;
    int64_t due =
        first_ns + (int64_t)((round_no + 1) * 1e9 * ROUND_S * options.scale);
    if (round_no >= ROUNDS || at_ns < due)
        return;
    round_no++;
    rewritten_ns = now_ns();
    /* Another process writes: a person's editor costs us no time either. */
    pid_t pid = fork();
    if (pid == 0) {
        write_rules(round_no);
        _exit(0);
    }
}

/* The fifty must really be at their last version: a load counts only if it
 * took place. The server's own list says so. */
static void check_reloaded(void)
{
    struct answer a = rest(crowd.server.port, "GET",
                           "/api/v1/scripts?limit=100", crowd.token, NULL);
    int found = 0, reloaded = 0;
    for (const char *at = a.body; at && (at = strstr(at, "95-bench-"));) {
        found++;
        const char *end = strstr(at + 1, "95-bench-");
        size_t len = end ? (size_t)(end - at) : strlen(at);
        if (json_number(at, len, "version") > 1)
            reloaded++;
        at += 9;
    }
    if (a.status != 200 || found == 0)
        wrong("reload: the server does not list the fifty (%d)", a.status);
    else if (reloaded == 0)
        wrong("reload: none of %d scripts has a version above 1", found);
    answer_free(&a);
}

void row_reload(void)
{
    home_make(home, HOME_LINKED);
    write_rules(0);
    crowd_open(home);
    crowd_agents();
    crowd_visitors(200, 64);
    crowd_warm_up();
    hist_clear(&quiet);
    hist_clear(&busy);
    round_no = 0;
    first_ns = rewritten_ns = 0;
    crowd.on_delivered = measure;
    openloop_run((uint64_t)(RATE * ROUND_S * (ROUNDS + 1) * options.scale),
                 maybe_rewrite);
    while (waitpid(-1, NULL, WNOHANG) > 0 && round_no > 0)
        ;
    crowd_check("reload");
    check_reloaded();
    double usual = (double)hist_at(&quiet, 0.5) / 1e6;
    figure("reload", "50 scripts under 5,000/s: longest stall", "ms",
           (double)busy.max / 1e6 - usual, 10, false);
    figure("reload", "the same without a reload", "ms",
           (double)quiet.max / 1e6 - usual, 0, false);
    figure("reload", "messages lost", "messages",
           (double)(crowd.sent - crowd.done), 0, false);
    crowd_close();
    remove_tree(home);
}
