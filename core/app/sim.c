/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - `yuelai sim NAME`: a person plays a platform from a terminal.
 *
 * Happy path: this process becomes Node.js with the simulators' program of the
 * home folder; all that it is given but --home is theirs to read. Failure
 * modes: a home without simulators, no Node.js: a sentence with the mend.
 */
#include "app/command.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ARGS 64
#define FILE_IN_HOME "/tests/sim-platforms/main.mjs"

static const char usage[] =
    "usage: yuelai sim NAME [--home DIR] [--server URL] [--channel ID] ...\n"
    "       yuelai sim serve NAME...\n"
    "       yuelai sim list\n"
    "\n"
    "Plays a platform against a running server: what you type a customer says\n"
    "there, what the shop answers is shown. /help lists what else can be done\n"
    "(/image /repeat /down /expire ...). `yuelai sim help` says more. It "
    "needs\n"
    "Node.js 18 or newer, and tests/sim-platforms of the source in --home.\n";

/* Takes --home out of the arguments; 0, or the exit code plus one. */
static int take_home(struct config *given, int argc, char **argv, char **rest,
                     int *count)
{
    for (int i = 1; i < argc; i++) {
        const char *value = NULL;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 1;
        }
        if (strncmp(argv[i], "--home=", 7) == 0) {
            value = argv[i] + 7;
        } else if (strcmp(argv[i], "--home") == 0) {
            value = i + 1 < argc ? argv[++i] : "";
        } else if (*count < ARGS - 3) {
            rest[(*count)++] = argv[i];
            continue;
        } else {
            return usage_error(usage, "too many arguments") + 1;
        }
        struct err e = {0};
        if (!*value || config_set(given, SLICE("home"), slice_of(value),
                                  ORIGIN_COMMAND, &e)) {
            return usage_error(usage, "--home wants a folder") + 1;
        }
    }
    if (*count == 0) {
        return usage_error(usage, "which platform?") + 1;
    }
    return 0;
}

int sim_main(int argc, char **argv)
{
    struct config given, c;
    struct err e = {0};
    char path[CONFIG_TEXT + sizeof FILE_IN_HOME];
    char node[] = "node";
    char *args[ARGS] = {node, path};
    int count = 0;
    config_init(&given);
    int r = take_home(&given, argc, argv, args + 2, &count);
    if (r) {
        return r - 1;
    }
    if (config_load(&given, &c, &e)) {
        fprintf(stderr, "yuelai: %s\n", e.text);
        return 1;
    }
    snprintf(path, sizeof path, "%s" FILE_IN_HOME, c.home);
    if (access(path, R_OK) != 0) {
        fprintf(stderr,
                "yuelai sim: there are no simulators in %s: %s. They come with "
                "the source; --home says where that is.\n",
                c.home, strerror(errno));
        return 1;
    }
    execvp(node, args);
    if (errno == ENOENT) {
        fputs("yuelai sim: it needs Node.js 18 or newer, and there is no "
              "`node` in PATH: apt-get install nodejs\n",
              stderr);
    } else {
        fprintf(stderr, "yuelai sim: node cannot be started: %s\n",
                strerror(errno));
    }
    return 1;
}
