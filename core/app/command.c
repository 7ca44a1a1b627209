/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - reading a command line, the same way for every command. */
#include "app/command.h"
#include <stdio.h>

int usage_error(const char *usage, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\n\n%s", usage);
    return EXIT_USAGE;
}

/* Is the name one of the words? Gives its place, or -1. */
static int word_find(const char *words, struct slice name)
{
    int i = 0;
    for (const char *p = words; p && *p; i++) {
        size_t n = strcspn(p, " ");
        if (slice_eq((struct slice){p, n}, name)) {
            return i;
        }
        p += n + (p[n] == ' ');
    }
    return -1;
}

static int read_setting(struct flags *f, const char *usage, struct slice name,
                        const char *value)
{
    struct err e = {0};
    char text[64];
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(name));
    if (!value) {
        return usage_error(usage, "--%s needs a value", text) + 1;
    }
    if (config_set(&f->given, name, slice_of(value), ORIGIN_COMMAND, &e)) {
        return usage_error(usage, "%s", e.text) + 1;
    }
    return 0;
}

static int read_flag(struct flags *f, const char *allowed, const char *usage,
                     int argc, char **argv, int *i)
{
    const char *arg = argv[*i] + 2;
    struct slice name = {arg, strcspn(arg, "=")};
    const char *value = arg[name.len] == '=' ? arg + name.len + 1 : NULL;
    int at = word_find(f->switches, name);
    if (at >= 0 && !value) {
        f->found |= 1u << at;
        return 0;
    }
    at = word_find(f->options, name);
    if (at < 0 && word_find(allowed, name) < 0) {
        return usage_error(usage, "there is no option --%.*s",
                           SLICE_FMT(name)) +
               1;
    }
    if (!value && *i + 1 < argc) {
        value = argv[++*i];
    }
    if (at >= 0 && value) {
        f->value[at] = value;
        return 0;
    }
    return read_setting(f, usage, name, value);
}

int flags_read(struct flags *f, const char *allowed, const char *usage,
               int argc, char **argv)
{
    config_init(&f->given);
    for (int i = 1; i < argc; i++) {
        int r = 0;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 1;
        }
        if (strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
            r = read_flag(f, allowed, usage, argc, argv, &i);
        } else if (argv[i][0] == '-' || f->rest_count >= f->rest_max) {
            r = usage_error(usage, "what is %s?", argv[i]) + 1;
        } else {
            f->rest[f->rest_count++] = argv[i];
        }
        if (r) {
            return r;
        }
    }
    return 0;
}

bool flags_config(const struct flags *f, struct config *out)
{
    struct err e = {0};
    if (config_load(&f->given, out, &e) == 0) {
        return true;
    }
    fprintf(stderr, "yuelai: %s\n", e.text);
    return false;
}
