/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - walking the folders and reading one file.
 *
 * Happy path: opendir, readdir, read. Failure modes: a folder that is not
 * there has no units; a file that is no plain file, too big or unreadable is
 * refused with a sentence. A pipe is never opened for real (O_NONBLOCK).
 */
#include "script/files.h"
#include "base/limits.h"
#include "base/log.h"
#include "script/unit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 4 /* of sub-folders */
#define PATH_BYTES 4096

struct walk {
    const char *home;
    void (*fn)(void *arg, struct slice name);
    void *arg;
    size_t count;
    int failed;
};

static bool ends(struct slice s, const char *with)
{
    size_t n = strlen(with);
    return s.len > n && memcmp(s.at + s.len - n, with, n) == 0;
}

bool files_name(struct slice path, struct slice *name)
{
    if (!ends(path, ".lua") || path.len > UNIT_NAME)
        return false;
    name->at = path.at;
    name->len = path.len - 4;
    const char *base = memrchr(path.at, '/', path.len);
    base = base ? base + 1 : path.at;
    if (*base == '.' || ends(*name, "_test"))
        return false;
    for (size_t i = 0; i < name->len; i++) {
        unsigned char c = (unsigned char)name->at[i];
        if (c < ' ' || c == '"' || c == '\\' || c == ':' || c == 0x7f)
            return false;
    }
    return slice_is_utf8(*name);
}

static void walk_folder(struct walk *w, const char *folder, int depth);

static void walk_entry(struct walk *w, const char *path, int depth)
{
    char full[PATH_BYTES];
    struct stat st;
    struct slice name;
    int n = snprintf(full, sizeof full, "%s/scripts/%s", w->home, path);
    if (n >= (int)sizeof full || stat(full, &st) != 0)
        return;
    if (S_ISDIR(st.st_mode)) {
        if (depth < DEPTH)
            walk_folder(w, path, depth + 1);
        return;
    }
    if (!files_name(slice_of(path), &name))
        return;
    if (w->count++ < LIMIT_SCRIPTS)
        w->fn(w->arg, name);
    else
        log_error("script", "%s is passed over: more than %d scripts", path,
                  LIMIT_SCRIPTS);
}

/* folder: below scripts/ */
static void walk_folder(struct walk *w, const char *folder, int depth)
{
    char path[PATH_BYTES];
    struct dirent *entry;
    if (snprintf(path, sizeof path, "%s/scripts/%s", w->home, folder) >=
        (int)sizeof path)
        return;
    DIR *d = opendir(path);
    if (!d) {
        if (errno != ENOENT && errno != ENOTDIR)
            w->failed = ERR_UNAVAILABLE;
        return;
    }
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (n < (int)sizeof path)
            walk_entry(w, path, depth);
    }
    closedir(d);
}

int files_each(const char *home, void (*fn)(void *arg, struct slice name),
               void *arg)
{
    struct walk w = {.home = home, .fn = fn, .arg = arg};
    walk_folder(&w, "rules", 0);
    walk_folder(&w, "flows", 0);
    return w.failed;
}

static int read_all(int fd, struct arena *a, struct slice *out, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(e, ERR_UNPROCESSABLE, "this is not a plain file");
    if (st.st_size > LIMIT_SCRIPT_BYTES)
        return err_set(e, ERR_TOOBIG, "the file is too long (over %d bytes)",
                       LIMIT_SCRIPT_BYTES);
    size_t max = (size_t)st.st_size + 1, len = 0;
    char *text = arena_text(a, max);
    while (len < max) {
        ssize_t n = read(fd, text + len, max - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, ERR_UNAVAILABLE, "cannot be read: %s",
                           strerror(errno));
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *out = (struct slice){text, len};
    return 0;
}

int files_read(const char *home, struct slice name, struct arena *a,
               struct slice *out, struct err *e)
{
    char path[PATH_BYTES];
    *out = SLICE("");
    int n = snprintf(path, sizeof path, "%s/scripts/%.*s.lua", home,
                     SLICE_FMT(name));
    if (n >= (int)sizeof path)
        return err_set(e, ERR_TOOBIG, "the path is too long");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(e,
                       errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND
                                                           : ERR_UNAVAILABLE,
                       "scripts/%.*s.lua: %s", SLICE_FMT(name),
                       strerror(errno));
    int got = read_all(fd, a, out, e);
    close(fd);
    return got;
}

bool files_is_there(const char *home, struct slice name)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/scripts/%.*s.lua", home,
                     SLICE_FMT(name));
    return n < (int)sizeof path && access(path, R_OK) == 0;
}
