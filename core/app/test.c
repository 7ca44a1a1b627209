/* SPDX-License-Identifier: Apache-2.0 */
/* test.c - `yuelai test`: the command line of the test runner. */
#include "app/command.h"
#include "app/testing/testing.h"
#include "base/log.h"
#include <stdio.h>

static const char usage[] =
    "usage: yuelai test [PATH...] [OPTIONS]\n"
    "\n"
    "Runs every *_test.lua in a sandbox of its own against a house of its "
    "own,\n"
    "in held time, and plays every .talk. PATH: files or folders; without one\n"
    "scripts/ channels/ ai/ examples/ of the home.\n"
    "\n"
    "  --home DIR       where they are (default: here)\n"
    "  --filter TEXT    only tests with this in their name\n"
    "  --fail-fast      stop at the first failure\n"
    "  --no-talk        no talks\n"
    "  --watch          again when a file changes, as far as it is touched\n"
    "  --record         make the calls for real, write the fixtures anew\n"
    "  --junit FILE     a report for CI\n"
    "  --json           the report as JSON on standard output\n"
    "  --log            show what scripts log\n"
    "  --only UNIT      the tests of one script (rules/20-refund)\n"
    "  --source FILE    with --only: its text is in FILE\n"
    "\n"
    "Exit code: 0 = all passed, 1 = some failed, 2 = could not run.\n";

enum { WATCH, RECORD, FAIL_FAST, NO_TALK, JSON, LOG };
enum { JUNIT, FILTER, ONLY, SOURCE };

int test_main(int argc, char **argv)
{
    struct flags f = {.switches = "watch record fail-fast no-talk json log",
                      .options = "junit filter only source",
                      .rest_max = (int)(sizeof f.rest / sizeof f.rest[0])};
    struct config conf;
    int r = flags_read(&f, "home", usage, argc, argv);
    if (r)
        return r - 1;
    if (f.value[SOURCE] && !f.value[ONLY])
        return usage_error(usage, "--source says what --only UNIT is");
    if (!flags_config(&f, &conf))
        return EXIT_USAGE;
    const struct runner_conf rc = {.home = conf.home,
                                   .paths = f.rest,
                                   .path_count = f.rest_count,
                                   .filter = f.value[FILTER],
                                   .only = f.value[ONLY],
                                   .source = f.value[SOURCE],
                                   .junit = f.value[JUNIT],
                                   .record = f.found & 1u << RECORD,
                                   .fail_fast = f.found & 1u << FAIL_FAST,
                                   .no_talk = f.found & 1u << NO_TALK,
                                   .json = f.found & 1u << JSON};
    /* Its troubles are told as failures; the house itself has none here. */
    log_setup(f.found & 1u << LOG ? LOG_INFO : (enum log_level)(LOG_ERROR + 1),
              LOG_TEXT);
    if (f.found & 1u << WATCH)
        return runner_watch(&rc);
    struct report report;
    report_init(&report, rc.json);
    int code = runner_run(&rc, &report);
    report_fini(&report);
    return code;
}
