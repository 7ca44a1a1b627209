/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the commands. */
#include "app/command.h"
#include <stdio.h>

static int version_main(int argc, char **argv);
static int help_main(int argc, char **argv);

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"serve", serve_main, "run the server"},
    {"check", check_main, "check the configuration and the scripts"},
    {"doctor", doctor_main, "find out what is wrong, and how to mend it"},
    {"user", user_main, "add, list, change agents of a stopped server"},
    {"token", token_main, "API tokens of a stopped server"},
    {"verify", verify_main, "check a stopped server's database"},
    {"trace", trace_main, "why a message went as it did"},
    {"replay", replay_main, "today's scripts over recorded messages"},
    {"script", script_main,
     "list, reload, roll back scripts of a running server"},
    {"console", console_main, "a Lua prompt in a running server"},
    {"talk", talk_main, "tell a .talk file to the real program"},
    {"test", test_main, "run the tests beside the scripts"},
    {"new", new_main, "a working start: rule, flow, channel, ai, test"},
    {"sim", sim_main, "play a platform from a terminal"},
    {"api", api_main, "print the reference of the script API"},
    {"version", version_main, "print the version"},
    {"help", help_main, "this list"},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int version_main(int argc, char **argv)
{
    static const char usage[] = "usage: yuelai version\n";
    struct flags f = {.rest_max = 0};
    int r = flags_read(&f, "", usage, argc, argv);
    if (r) {
        return r - 1;
    }
    puts("yuelai " YUELAI_VERSION);
    return 0;
}

static void list_commands(FILE *to)
{
    fputs("usage: yuelai COMMAND [OPTIONS]\n\n", to);
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
    }
    fputs("\nyuelai COMMAND --help says more about one.\n", to);
}

static int help_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    list_commands(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    mem_setup();
    if (argc < 2) {
        list_commands(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        name = "help";
    } else if (strcmp(name, "--version") == 0) {
        name = "version";
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "yuelai: there is no command %s\n\n", name);
    list_commands(stderr);
    return EXIT_USAGE;
}
