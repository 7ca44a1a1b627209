/* SPDX-License-Identifier: Apache-2.0 */
/* runs.h - `yuelai test` as a function, over files in test_dir(). */
#pragma once
#include "app/testing/testing.h"
#include "base/log.h"
#include "test.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HEAD "local t = require 'test'\n"

static inline void write_at(const char *path, const char *text)
{
    char folder[300];
    const char *full = test_path(path);
    for (const char *p = path; (p = strchr(p, '/')) != NULL; p++) {
        snprintf(folder, sizeof folder, "%.*s", (int)(p - path), path);
        mkdir(test_path(folder), 0700);
    }
    test_write_file(full, text);
}

struct ran {
    struct report report;
    int code;
};

static inline struct ran run_with(struct runner_conf conf)
{
    struct ran r;
    log_setup((enum log_level)(LOG_ERROR + 1), LOG_TEXT);
    report_init(&r.report, true);
    conf.home = test_dir();
    conf.no_talk = true;
    r.code = runner_run(&conf, &r.report);
    for (const struct outcome *o = r.report.first; o; o = o->next)
        if (o->verdict == VERDICT_FAILED)
            test_note("%.*s:%d: %.*s (expected %.*s, actual %.*s)",
                      SLICE_FMT(o->at), o->at_line, SLICE_FMT(o->message),
                      SLICE_FMT(o->expected), SLICE_FMT(o->actual));
    return r;
}

static inline struct ran run(void)
{
    return run_with((struct runner_conf){0});
}

/* One file of tests over one rule. */
static inline struct ran run_rule(const char *rule, const char *tests)
{
    write_at("scripts/rules/10-x.lua", rule);
    write_at("scripts/rules/10-x_test.lua", tests);
    return run();
}

static inline void passes(const char *rule, const char *tests)
{
    struct ran r = run_rule(rule, tests);
    CHECK_EQ_INT(r.report.failed, 0);
    CHECK(r.report.passed > 0);
    CHECK_EQ_INT(r.code, 0);
    report_fini(&r.report);
}

/* A rule that says it again. */
static const char echo[] __attribute__((unused)) =
    "return { api = 1, match = { text = { 'echo' } },\n"
    "  on_message = function(conv, msg)\n"
    "    conv:tag 'echoed' conv:reply('You said: ' .. msg.text) return true\n"
    "  end }\n";
