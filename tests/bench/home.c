/* SPDX-License-Identifier: Apache-2.0 */
/* home.c - a folder of our own to serve from: scripts/ copied, the rest linked,
 * or copied too where a row writes there. */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const wings[] = {"channels", "ai", "web"};

static void take(const char *how, const char *from, const char *wing,
                 const char *home)
{
    char cmd[1400];
    snprintf(cmd, sizeof(cmd), "[ ! -d '%s/%s' ] || %s '%s/%s' '%s/'", from,
             wing, how, from, wing, home);
    if (system(cmd) != 0)
        die("cannot take %s/%s", from, wing);
}

void home_make(char home[HOME_TEXT], enum home_kind kind)
{
    char path[HOME_TEXT + 32], *from = realpath(options.home, NULL);
    if (!from || strlen(from) > 512)
        die("no home %s", options.home);
    snprintf(home, HOME_TEXT, "/tmp/yuelai-bench-home-XXXXXX");
    if (!mkdtemp(home))
        die("mkdtemp");
    if (kind != HOME_EMPTY)
        take("cp -r", from, "scripts", home);
    for (size_t i = 0; i < 3 && kind >= HOME_LINKED; i++) {
        bool own = kind == HOME_OWN_CHANNELS && i == 0;
        take(own ? "cp -r" : "ln -s", from, wings[i], home);
    }
    static const char *const rooms[] = {"scripts", "scripts/rules",
                                        "scripts/flows"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", home, rooms[i]);
        mkdir(path, 0755); /* it may be there */
    }
    free(from);
}

void home_write(const char *home, const char *name, const char *fmt, ...)
{
    char path[300], next[310];
    va_list ap;
    snprintf(path, sizeof(path), "%s/%s", home, name);
    snprintf(next, sizeof(next), "%s~", path); /* as git and editors do */
    FILE *f = fopen(next, "w");
    if (!f)
        die("cannot write %s", next);
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    if (fclose(f) != 0 || rename(next, path) != 0)
        die("cannot write %s", path);
}
