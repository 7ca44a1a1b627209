/* SPDX-License-Identifier: Apache-2.0 */
/* rows_channels.c - channels under load, against simulated platforms.
 *
 * The platforms speak JavaScript (tests/sim-platforms): bench.mjs there starts
 * a server, plays them and prints a figure a line, which are taken over here.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define FIGURE_FIELDS 6

/* "figure \t name \t unit \t value \t target \t above|below" */
static bool take_figure(char *line)
{
    static char names[64][96]; /* the table keeps the pointers */
    static size_t known;
    char *field[FIGURE_FIELDS], *at = line;
    size_t n = 0;
    line[strcspn(line, "\n")] = '\0';
    while (n < FIGURE_FIELDS && (field[n] = strsep(&at, "\t")) != NULL)
        n++;
    if (n != FIGURE_FIELDS || strcmp(field[0], "figure") != 0)
        return false;
    size_t i = 0;
    while (i < known && strcmp(names[i], field[1]) != 0)
        i++;
    if (i == known) {
        if (known == sizeof(names) / sizeof(names[0]))
            die("more figures of channels than expected");
        snprintf(names[known++], sizeof(names[0]), "%s", field[1]);
    }
    figure("channels", names[i],
           strcmp(field[2], "us") == 0   ? "us"
           : strcmp(field[2], "ms") == 0 ? "ms"
                                         : "messages/s",
           strtod(field[3], NULL), strtod(field[4], NULL),
           strcmp(field[5], "above") == 0);
    return true;
}

void row_channels(void)
{
    char cmd[1200], line[512];
    size_t figures = 0;
    char *program = realpath(options.program, NULL);
    char *home = realpath(options.home, NULL);
    if (!program || !home)
        die("no program or no home");
    setenv("YUELAI_BIN", program, 1);
    snprintf(cmd, sizeof(cmd),
             "exec node '%s/tests/sim-platforms/bench.mjs' --scale %g", home,
             options.scale);
    FILE *from = popen(cmd, "r");
    if (!from)
        die("node cannot be started");
    while (fgets(line, sizeof(line), from))
        figures += take_figure(line);
    int status = pclose(from);
    if (status != 0 || figures == 0)
        wrong("channels: bench.mjs ended with %d after %zu figures",
              WIFEXITED(status) ? WEXITSTATUS(status) : -1, figures);
    free(program);
    free(home);
}
