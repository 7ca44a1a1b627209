/* SPDX-License-Identifier: Apache-2.0 */
/* kit.c - finding what tests share.
 *
 * Happy path: the test's folder has tests/<name>.lua. Else the folder above is
 * asked, as long as it is one below the home. Failure modes: none has it; what
 * is there is a link out of the home; a test outside of any home has only the
 * folder beside it. The name was checked by who calls: no dots in it.
 */
#include "script/load/kit.h"
#include "base/mem.h"
#include "script/load/files.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DEPTH 8

bool kit_is(struct slice path)
{
    static const char mark[] = "/" KIT_FOLDER "/";
    return slice_starts(path, mark + 1) ||
           memmem(path.at, path.len, mark, sizeof mark - 1) != NULL;
}

/* --- one ------------------------------------------------------------------ */

struct climb {
    char at[PATH_MAX];   /* the folder, as the test's path says it */
    char real[PATH_MAX]; /* the same */
    char home[PATH_MAX];
};

/* Is `inner` below `outer`? Both are real. */
static bool is_below(const char *inner, const char *outer)
{
    size_t n = strlen(outer);
    return strncmp(inner, outer, n) == 0 &&
           (inner[n] == '/' || (n > 0 && outer[n - 1] == '/'));
}

static bool climb_begin(struct climb *c, const char *home, const char *test)
{
    const char *slash = strrchr(test, '/');
    int n =
        slash ? snprintf(c->at, sizeof c->at, "%.*s", (int)(slash - test), test)
              : snprintf(c->at, sizeof c->at, ".");
    if (slash == test)
        n = snprintf(c->at, sizeof c->at, "/");
    return n < (int)sizeof c->at && realpath(c->at, c->real) &&
           realpath(home, c->home);
}

/* To the folder above, if that, too, is below the home. */
static bool climb_up(struct climb *c)
{
    char *slash = strrchr(c->at, '/');
    if (!slash || slash == c->at)
        return false;
    *slash = '\0';
    return realpath(c->at, c->real) && is_below(c->real, c->home);
}

static int read_at(const struct climb *c, const char *path, const char *limit,
                   struct arena *a, struct slice *text, struct err *e)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return ERR_NOT_FOUND;
    if (!is_below(real, limit))
        return err_set(e, ERR_FORBIDDEN, "%s: leads out of %s", path,
                       strcmp(limit, c->home) == 0 ? "the home" : c->at);
    return files_read_at(real, path, a, text, e);
}

int kit_read(const char *home, const char *test, struct slice name,
             struct arena *a, struct slice *text, struct slice *file,
             struct err *e)
{
    struct climb *c = mem_alloc(sizeof *c);
    char path[PATH_MAX];
    int got = ERR_NOT_FOUND;
    *text = *file = SLICE("");
    bool more = climb_begin(c, home, test);
    bool inside = more && is_below(c->real, c->home);
    while (more && got == ERR_NOT_FOUND) {
        bool here = strcmp(c->at, ".") == 0;
        int n = snprintf(path, sizeof path, "%s%s%.*s.lua", here ? "" : c->at,
                         here ? "" : "/", SLICE_FMT(name));
        if (n < (int)sizeof path)
            got = read_at(c, path, inside ? c->home : c->real, a, text, e);
        more = got == ERR_NOT_FOUND && inside && climb_up(c);
    }
    if (got == 0)
        *file = slice_dup(a, slice_of(path));
    if (got == ERR_NOT_FOUND)
        (void)err_set(e, got, "there is no %.*s.lua beside %s or above it",
                      SLICE_FMT(name), test);
    mem_free(c);
    return got;
}

/* --- all ------------------------------------------------------------------ */

struct walk {
    const char *home;
    void (*fn)(void *arg, const char *path);
    void *arg;
};

static bool is_lua(const char *name)
{
    static const char test[] = "_test.lua";
    size_t n = strlen(name), m = sizeof test - 1;
    return n > 4 && strcmp(name + n - 4, ".lua") == 0 &&
           (n < m || strcmp(name + n - m, test) != 0);
}

static void walk(const struct walk *w, const char *folder, int depth)
{
    char full[PATH_MAX], path[PATH_MAX];
    struct dirent *entry;
    struct stat st;
    if (snprintf(full, sizeof full, "%s/%s", w->home, folder) >=
        (int)sizeof full)
        return;
    DIR *d = depth < DEPTH ? opendir(full) : NULL;
    while (d && (entry = readdir(d)) != NULL) {
        const char *name = entry->d_name;
        if (name[0] == '.' || strcmp(name, "node_modules") == 0)
            continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, name) >=
                (int)sizeof path ||
            fstatat(dirfd(d), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISDIR(st.st_mode))
            walk(w, path, depth + 1);
        else if (S_ISREG(st.st_mode) && is_lua(name) && kit_is(slice_of(path)))
            w->fn(w->arg, path);
    }
    if (d)
        closedir(d);
}

void kits_each(const char *home, void (*fn)(void *arg, const char *path),
               void *arg)
{
    static const char *const rooms[] = {"scripts", "channels", "ai"};
    const struct walk w = {home, fn, arg};
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        walk(&w, rooms[i], 0);
}
