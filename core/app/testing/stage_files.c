/* SPDX-License-Identifier: Apache-2.0 */
/* stage_files.c - a stage's folder: a copy of the scripts, and the database.
 *
 * Happy path: it is in memory (/dev/shm) where there is such a place, so that
 * a commit costs no disk; rules and flows are copied as far as the test wants
 * them, lib whole. Failure modes: no room, an unreadable file: a sentence with
 * the path.
 */
#include "app/testing/stage.h"
#include "base/json.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define DEPTH 6
#define PREFIX "yuelai-test-of-"

/* --- one file ------------------------------------------------------------- */

int file_read(const char *path, struct arena *a, struct slice *out,
              struct err *e)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
                       "%s: %s", path, strerror(errno));
    int r = 0;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > STAGE_STEP_BYTES)
        r = err_set(e, ERR_UNPROCESSABLE, "%s is no file of a usual size",
                    path);
    size_t len = 0, max = r ? 0 : (size_t)st.st_size;
    char *text = arena_text(a, max + 1);
    while (r == 0 && len < max) {
        ssize_t n = read(fd, text + len, max - len);
        if (n < 0 && errno != EINTR)
            r = err_set(e, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
        else if (n == 0)
            max = len;
        else if (n > 0)
            len += (size_t)n;
    }
    close(fd);
    text[len] = '\0';
    *out = (struct slice){text, len};
    return r;
}

int file_write(const char *path, struct slice text, struct err *e)
{
    FILE *f = fopen(path, "we");
    bool ok = f && fwrite(text.at ? text.at : "", 1, text.len, f) == text.len;
    if (f && fclose(f))
        ok = false;
    return ok ? 0
              : err_set(e, ERR_UNAVAILABLE, "%s cannot be written: %s", path,
                        strerror(errno));
}

static int copy_file(const char *from, const char *to, struct err *e)
{
    struct arena *a = arena_new();
    struct slice text;
    int r = file_read(from, a, &text, e);
    r = r ? r : file_write(to, text, e);
    arena_free(a);
    return r;
}

/* --- the scripts ---------------------------------------------------------- */

/* "rules/10-*" may end in a star. */
static bool is_like(struct slice unit, struct slice wanted)
{
    if (!wanted.len || wanted.at[wanted.len - 1] != '*')
        return slice_eq(unit, wanted);
    return unit.len + 1 >= wanted.len &&
           memcmp(unit.at, wanted.at, wanted.len - 1) == 0;
}

static bool is_wanted(const struct stage *st, struct slice unit)
{
    struct json *list = NULL;
    if (slice_starts(unit, "lib/") || !st->only.len)
        return true;
    struct arena *a = arena_new();
    bool found = false;
    (void)json_parse(a, st->only, NULL, &list); /* a step wrote it */
    if (json_is(list, JSON_STRING)) /* only = "rules/x", a list of one */
        found = is_like(unit, list->text);
    for (const struct json *j = json_is(list, JSON_ARRAY) ? list->first : NULL;
         j; j = j->next)
        found |= j->type == JSON_STRING && is_like(unit, j->text);
    arena_free(a);
    return found;
}

static int copy_folder(struct stage *st, const char *below, int depth,
                       struct err *e);

/* below: "rules/20-refund.lua" */
static int copy_entry(struct stage *st, const char *below, int depth,
                      struct err *e)
{
    char from[PATH_BYTES + STAGE_PATH + 16], to[PATH_BYTES + STAGE_PATH + 16];
    struct stat info;
    struct slice name = slice_of(below);
    snprintf(from, sizeof from, "%s/scripts/%s", st->home, below);
    snprintf(to, sizeof to, "%s/scripts/%s", st->dir, below);
    if (stat(from, &info))
        return 0; /* gone meanwhile, a broken link */
    if (S_ISDIR(info.st_mode))
        return depth < DEPTH ? copy_folder(st, below, depth + 1, e) : 0;
    if (name.len < 5 || strcmp(below + name.len - 4, ".lua") != 0)
        return 0;
    name.len -= 4;
    if (name.len > 5 && memcmp(name.at + name.len - 5, "_test", 5) == 0)
        return 0;
    if (!is_wanted(st, name))
        return 0;
    bool other =
        st->only_unit && st->only_source && slice_is(name, st->only_unit);
    return copy_file(other ? st->only_source : from, to, e);
}

static int copy_folder(struct stage *st, const char *below, int depth,
                       struct err *e)
{
    char path[PATH_BYTES + STAGE_PATH + 16];
    int r = 0;
    snprintf(path, sizeof path, "%s/scripts/%s", st->dir, below);
    if (mkdir(path, 0700) && errno != EEXIST)
        return err_set(e, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    snprintf(path, sizeof path, "%s/scripts/%s", st->home, below);
    DIR *d = opendir(path);
    if (!d)
        return 0; /* no such folder, no such scripts */
    for (struct dirent *f; r == 0 && (f = readdir(d)) != NULL;) {
        char entry[PATH_BYTES];
        if (f->d_name[0] == '.')
            continue;
        int n = snprintf(entry, sizeof entry, "%s/%s", below, f->d_name);
        if (n < (int)sizeof entry)
            r = copy_entry(st, entry, depth, e);
    }
    closedir(d);
    return r;
}

static int make_folder(const char *path, struct err *e)
{
    if (mkdir(path, 0700) && errno != EEXIST)
        return err_set(e, ERR_UNAVAILABLE, "%s cannot be made: %s", path,
                       strerror(errno));
    return 0;
}

int stage_files_write(struct stage *st, struct slice unit, struct slice text,
                      struct err *e)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/scripts/%.*s.lua", st->dir,
                     SLICE_FMT(unit));
    if (n >= (int)sizeof path || memmem(unit.at, unit.len, "..", 2))
        return err_set(e, ERR_BAD_REQUEST, "%.*s is no name of a script",
                       SLICE_FMT(unit));
    if (!text.at) {
        if (unlink(path))
            return err_set(e, ERR_NOT_FOUND, "there is no script %.*s",
                           SLICE_FMT(unit));
        return 0;
    }
    return file_write(path, text, e);
}

/* A candidate that has no file in the home yet. */
static int add_new(struct stage *st, struct err *e)
{
    char path[PATH_BYTES];
    if (!st->only_unit || !st->only_source)
        return 0;
    snprintf(path, sizeof path, "%s/scripts/%s.lua", st->dir, st->only_unit);
    return copy_file(st->only_source, path, e);
}

static const char *base_folder(void)
{
    const char *tmp = getenv("TMPDIR");
    if (access("/dev/shm", W_OK | X_OK) == 0)
        return "/dev/shm";
    return tmp && *tmp && strlen(tmp) < 300 ? tmp : "/tmp";
}

int stage_files_make(struct stage *st, struct err *e)
{
    static const char *const folders[] = {"rules", "flows", "lib"};
    char path[STAGE_PATH + 16];
    const char *base = base_folder();
    snprintf(st->dir, sizeof st->dir, "%s/" PREFIX "%ld-XXXXXX", base,
             (long)getpid());
    if (!mkdtemp(st->dir))
        return err_set(e, ERR_UNAVAILABLE, "no folder for the test in %s: %s",
                       base, strerror(errno));
    snprintf(path, sizeof path, "%s/scripts", st->dir);
    int r = make_folder(path, e);
    for (size_t i = 0; i < 3 && r == 0; i++)
        r = copy_folder(st, folders[i], 0, e);
    return r ? r : add_new(st, e);
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void stage_files_remove(struct stage *st)
{
    if (st->dir[0])
        (void)nftw(st->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    st->dir[0] = '\0';
}

/* What a run that was killed has left behind, in memory even. */
void stage_files_sweep(void)
{
    char path[PATH_BYTES];
    const char *base = base_folder();
    DIR *d = opendir(base);
    for (struct dirent *f; d && (f = readdir(d)) != NULL;) {
        char *end;
        if (strncmp(f->d_name, PREFIX, sizeof PREFIX - 1) != 0)
            continue;
        long pid = strtol(f->d_name + sizeof PREFIX - 1, &end, 10);
        if (pid <= 0 || *end != '-' || kill((pid_t)pid, 0) == 0 ||
            errno != ESRCH)
            continue;
        snprintf(path, sizeof path, "%s/%s", base, f->d_name);
        (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    if (d)
        closedir(d);
}

/* --- sources by name ------------------------------------------------------ */

int stage_files_source(struct stage *st, struct slice name, struct arena *a,
                       struct slice *text, struct slice *file, struct err *e)
{
    static const struct {
        const char *folder, *end;
    } forms[] = {{"scripts/", ".lua"},
                 {"", ".lua"}, /* a channel may be one file or a folder */
                 {"", "/adapter.lua"},
                 {"", "/connector.lua"}};
    char path[PATH_BYTES];
    if (memmem(name.at, name.len, "..", 2))
        return err_set(e, ERR_BAD_REQUEST, "%.*s leads out of the home",
                       SLICE_FMT(name));
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *home = i == 0 && st->is_open ? st->dir : st->home;
        int n = snprintf(path, sizeof path, "%s/%s%.*s%s", home,
                         forms[i].folder, SLICE_FMT(name), forms[i].end);
        if (n < (int)sizeof path && file_read(path, a, text, e) == 0) {
            *file = slice_dup(a, slice_of(path + strlen(home) + 1));
            return 0;
        }
    }
    return err_set(e, ERR_NOT_FOUND,
                   "there is no %.*s.lua below the home or its scripts, nor a "
                   "folder of that name with an adapter.lua or connector.lua",
                   SLICE_FMT(name));
}
