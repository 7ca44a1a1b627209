/* SPDX-License-Identifier: Apache-2.0 */
/* new.c - `yuelai new KIND NAME`: a working start with its test.
 *
 * Happy path: the kind's templates (templates/KIND) are written where they
 * belong, with the name put in. Failure modes: a name that is no name, a kind
 * that is none, a file that is there already: nothing is written at all.
 */
#include "app/command.h"
#include "app/templates.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 1024
#define TEXT_BYTES (64 * 1024)
#define NAME_MOST 40

static const char usage[] =
    "usage: yuelai new rule NAME     [--home DIR]   scripts/rules/50-NAME.lua\n"
    "       yuelai new flow NAME                    scripts/flows/NAME.lua\n"
    "       yuelai new channel NAME                 channels/NAME/\n"
    "       yuelai new ai NAME                      ai/NAME/\n"
    "       yuelai new test UNIT                    scripts/UNIT_test.lua\n"
    "\n"
    "Writes a start that works, with its test (yuelai test runs it). NAME: "
    "small\n"
    "letters, digits, - and _; a rule's may begin with its number, 20-refund.\n"
    "UNIT: a script that is there, rules/20-refund. Nothing is overwritten.\n";

static const struct kind {
    const char *name, *folder;
    bool own_folder; /* below it, of its name */
} kinds[] = {{"rule", "scripts/rules", false},
             {"flow", "scripts/flows", false},
             {"channel", "channels", true},
             {"ai", "ai", true},
             {"test", "scripts", false}};

struct made {
    const struct kind *kind;
    const char *home;
    char name[NAME_MOST + 8]; /* as in the file's name */
    char path[256];           /* test: "rules/20-refund" */
    char title[NAME_MOST + 8];
    char folder[PATH_BYTES];
};

/* --- names ---------------------------------------------------------------- */

static bool is_name(const char *name)
{
    size_t n = strlen(name);
    bool letter = false;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        bool small = c >= 'a' && c <= 'z';
        bool other = (c >= '0' && c <= '9') || c == '-' || c == '_';
        letter |= small;
        if (!small && !(other && (i > 0 || c >= '0')))
            return false;
    }
    size_t end = n > 5 ? n - 5 : 0;
    return letter && n <= NAME_MOST && strcmp(name + end, "_test") != 0;
}

/* "20-lost-parcel" -> "Lost parcel" */
static void make_title(struct made *m, const char *name)
{
    name += strspn(name, "0123456789-");
    snprintf(m->title, sizeof m->title, "%s", name);
    for (char *c = m->title; *c; c++)
        if (*c == '-' || *c == '_')
            *c = ' ';
    if (m->title[0] >= 'a' && m->title[0] <= 'z')
        m->title[0] = (char)(m->title[0] - 'a' + 'A');
}

static int refuse_name(const char *name)
{
    return usage_error(usage,
                       "'%s' is no name: small letters, digits, - and _, "
                       "beginning with a letter or digit, at most %d, not "
                       "ending in _test",
                       name, NAME_MOST);
}

/* "rules/20-refund" of an existing script. */
static int read_unit(struct made *m, const char *unit)
{
    char path[PATH_BYTES];
    const char *base = strrchr(unit, '/');
    if (!base || strstr(unit, "..") || unit[0] == '/' || !is_name(base + 1) ||
        strlen(unit) >= sizeof m->path)
        return usage_error(usage, "'%s' is no script: say rules/20-refund",
                           unit);
    snprintf(path, sizeof path, "%s/scripts/%s.lua", m->home, unit);
    if (access(path, R_OK)) {
        fprintf(stderr, "yuelai: there is no %s\n", path);
        return 1;
    }
    snprintf(m->path, sizeof m->path, "%s", unit);
    snprintf(m->name, sizeof m->name, "%s", base + 1);
    snprintf(m->folder, sizeof m->folder, "%s/scripts/%.*s", m->home,
             (int)(base - unit), unit);
    return 0;
}

static int read_name(struct made *m, const char *name)
{
    bool numbered = name[0] >= '0' && name[0] <= '9';
    bool rule = strcmp(m->kind->name, "rule") == 0;
    if (strcmp(m->kind->name, "test") == 0)
        return read_unit(m, name);
    if (!is_name(name))
        return refuse_name(name);
    snprintf(m->name, sizeof m->name, "%s%s", rule && !numbered ? "50-" : "",
             name);
    snprintf(m->folder, sizeof m->folder, "%s/%s%s%s", m->home, m->kind->folder,
             m->kind->own_folder ? "/" : "",
             m->kind->own_folder ? m->name : "");
    return 0;
}

/* --- files ---------------------------------------------------------------- */

static int filled(const struct made *m, const char *text, struct buf *out)
{
    const struct {
        const char *mark, *value;
    } marks[] = {
        {"@NAME@", m->name}, {"@TITLE@", m->title}, {"@PATH@", m->path}};
    int r = 0;
    buf_clear(out);
    while (*text && r == 0) {
        bool found = false;
        for (size_t i = 0; i < 3 && !found; i++) {
            size_t n = strlen(marks[i].mark);
            if (strncmp(text, marks[i].mark, n) != 0)
                continue;
            r = buf_add_text(out, marks[i].value);
            text += n;
            found = true;
        }
        if (!found)
            r = buf_add_char(out, *text++);
    }
    return r;
}

/* The path of one of the kind's templates, false if it is not its. */
static bool path_for(const struct made *m, const struct template *t, char *out,
                     size_t max)
{
    struct buf name;
    size_t n = strlen(m->kind->name);
    if (strncmp(t->name, m->kind->name, n) != 0 || t->name[n] != '/')
        return false;
    buf_init(&name, PATH_BYTES);
    bool fits = filled(m, t->name + n + 1, &name) == 0 &&
                snprintf(out, max, "%s/%.*s", m->folder, (int)name.len,
                         name.data) < (int)max;
    buf_fini(&name);
    return fits;
}

static int make_folders(const char *path)
{
    char part[PATH_BYTES];
    for (const char *p = path + 1;; p++) {
        if (*p && *p != '/')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)(p - path), path);
        if (mkdir(part, 0777) && errno != EEXIST) {
            fprintf(stderr, "yuelai: %s cannot be made: %s\n", part,
                    strerror(errno));
            return 1;
        }
        if (!*p)
            return 0;
    }
}

static int write_new(const char *path, struct slice text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool ok = fd >= 0;
    while (ok && text.len) {
        ssize_t n = write(fd, text.at, text.len);
        ok = n > 0;
        text.at += ok ? n : 0;
        text.len -= ok ? (size_t)n : 0;
    }
    if (fd >= 0 && close(fd))
        ok = false;
    if (!ok)
        fprintf(stderr, "yuelai: %s cannot be written: %s\n", path,
                strerror(errno));
    return ok ? 0 : 1;
}

static int write_all(const struct made *m)
{
    char path[PATH_BYTES];
    struct buf text;
    int code = make_folders(m->folder);
    buf_init(&text, TEXT_BYTES);
    for (const struct template *t = templates; t->name && !code; t++) {
        if (!path_for(m, t, path, sizeof path))
            continue;
        code = filled(m, t->text, &text) ? 1 : 0;
        code = code ? code : write_new(path, buf_slice(&text));
        if (!code)
            printf("%s\n", strncmp(path, "./", 2) ? path : path + 2);
    }
    buf_fini(&text);
    return code;
}

static int check_free(const struct made *m)
{
    char path[PATH_BYTES];
    for (const struct template *t = templates; t->name; t++) {
        if (!path_for(m, t, path, sizeof path) || access(path, F_OK))
            continue;
        fprintf(stderr, "yuelai: %s is there already\n", path);
        return 1;
    }
    return 0;
}

/* --- the command ---------------------------------------------------------- */

int new_main(int argc, char **argv)
{
    struct flags f = {.rest_max = 2};
    struct config conf;
    struct made m = {0};
    int r = flags_read(&f, "home", usage, argc, argv);
    if (r)
        return r - 1;
    if (f.rest_count != 2)
        return usage_error(usage, "yuelai new wants a kind and a name");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(f.rest[0], kinds[i].name) == 0)
            m.kind = &kinds[i];
    if (!m.kind)
        return usage_error(usage,
                           "there is no kind %s: rule, flow, channel, ai, test",
                           f.rest[0]);
    if (!flags_config(&f, &conf))
        return EXIT_USAGE;
    /* What is not said is here, not where a package put its own. */
    m.home = f.given.home[0] ? conf.home : ".";
    int code = read_name(&m, f.rest[1]);
    make_title(&m, m.name);
    code = code ? code : check_free(&m);
    return code ? code : write_all(&m);
}
