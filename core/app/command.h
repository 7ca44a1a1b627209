/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - the commands of the program and what they share.
 *
 * Each gets its own arguments (argv[0] is its name) and returns the exit code:
 * 0 = did it, 1 = could not, 2 = wrong usage.
 */
#pragma once
#include "app/config.h"

#define EXIT_USAGE 2

int serve_main(int argc, char **argv);
int check_main(int argc, char **argv);
int doctor_main(int argc, char **argv);
int user_main(int argc, char **argv);
int token_main(int argc, char **argv);
int verify_main(int argc, char **argv);
int script_main(int argc, char **argv);
int console_main(int argc, char **argv);
int talk_main(int argc, char **argv);
int test_main(int argc, char **argv);
int new_main(int argc, char **argv);
int sim_main(int argc, char **argv);
int trace_main(int argc, char **argv);
int replay_main(int argc, char **argv);
int api_main(int argc, char **argv);

/* Flags of the form --name VALUE or --name=VALUE, where name is a setting, and
 * --help. What is no flag is collected in rest (at most rest_max). */
struct flags {
    struct config given;
    const char *switches; /* "config all": flags without value */
    unsigned found;       /* bit i = i-th switch was there */
    const char *options;  /* "name role": flags with a value, no settings */
    const char *value[8];
    const char *rest[8];
    int rest_count, rest_max;
};
/* 0; or the exit code to end with plus one (help shown, or usage error), so
 * that `if ((r = flags_read(...))) return r - 1;`. allowed: settings this
 * command knows, "data home"; usage: the whole help. */
int flags_read(struct flags *f, const char *allowed, const char *usage,
               int argc, char **argv);
int usage_error(const char *usage, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The configuration with a command's flags, or a message and false. */
bool flags_config(const struct flags *f, struct config *out);
