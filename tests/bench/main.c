/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - `make bench`: options, the rows one after the other, the table. */
#include "bench.h"

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct options options = {.program = "build/yuelai",
                          .home = ".",
                          .json = "build/bench.json",
                          .repeats = 3,
                          .scale = 1};
static int wrongs;

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000LL + t.tv_nsec;
}

void die(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "bench: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
    exit(1); /* the server dies with us */
}

void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
}

void wrong(const char *fmt, ...)
{
    if (wrongs++ >= 20)
        return;
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "WRONG: ");
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\n");
    va_end(ap);
}

static bool is_wanted(const char *name)
{
    if (!options.rows || !*options.rows)
        return true;
    size_t n = strlen(name);
    for (const char *at = options.rows; (at = strstr(at, name)); at += n)
        if ((at == options.rows || at[-1] == ',') &&
            (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

static void usage(int code)
{
    printf("yuelai-bench [--rows A,B] [--repeats N] [--scale X] [--verbose]\n"
           "             [--program FILE] [--home DIR] [--json FILE]\n         "
           "    [--markdown FILE]\nrows:");
    for (size_t i = 0; i < rows_count; i++)
        printf(" %s", rows[i].name);
    printf("\n");
    exit(code);
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"program", required_argument, NULL, 'p'},
        {"home", required_argument, NULL, 'm'},
        {"json", required_argument, NULL, 'j'},
        {"markdown", required_argument, NULL, 'd'},
        {"rows", required_argument, NULL, 'r'},
        {"repeats", required_argument, NULL, 'n'},
        {"scale", required_argument, NULL, 's'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 'p':
            options.program = optarg;
            break;
        case 'm':
            options.home = optarg;
            break;
        case 'j':
            options.json = optarg;
            break;
        case 'd':
            options.markdown = optarg;
            break;
        case 'r':
            options.rows = optarg;
            break;
        case 'n':
            options.repeats = atoi(optarg);
            break;
        case 's':
            options.scale = strtod(optarg, NULL);
            break;
        case 'v':
            options.verbose = true;
            break;
        case 'h':
            usage(0);
            break;
        default:
            usage(2);
        }
    }
    if (options.repeats < 1 || options.repeats > 9 || options.scale <= 0 ||
        options.scale > 10)
        usage(2);
}

int main(int argc, char **argv)
{
    struct rlimit files;
    read_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (size_t i = 0; i < rows_count; i++) {
        if (!is_wanted(rows[i].name))
            continue;
        int n = rows[i].repeats ? rows[i].repeats : options.repeats;
        for (int k = 0; k < n; k++) {
            say("%s %d/%d", rows[i].name, k + 1, n);
            rows[i].run();
        }
    }
    table_print();
    table_json(options.json);
    if (options.markdown)
        table_markdown(options.markdown);
    printf("\n%s\n", wrongs ? "NOT to be believed: see WRONG above"
                            : "every message was acked, delivered once and "
                              "in order");
    return wrongs ? 1 : 0;
}
