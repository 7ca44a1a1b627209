/* SPDX-License-Identifier: Apache-2.0 */
/* files.c - walking the folders and reading one file.
 *
 * Happy path: opendir, readdir, read. Failure modes: a folder that is not
 * there has no units; a file that is no plain file, too big or unreadable is
 * refused with a sentence. A pipe is never opened for real (O_NONBLOCK).
 */
#include "script/load/files.h"
#include "base/limits.h"
#include "base/log.h"
#include "script/load/kit.h"
#include "script/load/unit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 4 /* of sub-folders */
#define PATH_BYTES 4096
#define CHANNELS "channels/"
#define AI "ai/"

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
    if (*base == '.' || ends(*name, "_test") || kit_is(path))
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

/* Below home: "scripts/rules/20-refund.lua", "channels/echo.lua" or
 * "channels/echo/adapter.lua", whichever is there; so too below ai/. */
void files_below(const char *home, struct slice name, char *out, size_t size)
{
    char path[PATH_BYTES];
    bool ai = slice_starts(name, AI);
    if (!ai && !slice_starts(name, CHANNELS)) {
        snprintf(out, size, "scripts/%.*s.lua", SLICE_FMT(name));
        return;
    }
    snprintf(out, size, "%.*s/%s.lua", SLICE_FMT(name),
             ai ? "connector" : "adapter");
    int n = home ? snprintf(path, sizeof path, "%s/%s", home, out) : -1;
    if (n < 0 || n >= (int)sizeof path || access(path, F_OK) != 0)
        snprintf(out, size, "%.*s.lua", SLICE_FMT(name));
}

static bool full_path(const char *home, struct slice name, char *out,
                      size_t size)
{
    char below[UNIT_NAME + 64];
    files_below(home, name, below, sizeof below);
    return snprintf(out, size, "%s/%s", home, below) < (int)size;
}

int files_read(const char *home, struct slice name, struct arena *a,
               struct slice *out, struct err *e)
{
    char path[PATH_BYTES];
    *out = SLICE("");
    if (!full_path(home, name, path, sizeof path))
        return err_set(e, ERR_TOOBIG, "the path is too long");
    return files_read_at(path, path + strlen(home) + 1, a, out, e);
}

int files_read_at(const char *path, const char *known, struct arena *a,
                  struct slice *out, struct err *e)
{
    *out = SLICE("");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(e,
                       errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND
                                                           : ERR_UNAVAILABLE,
                       "%s: %s", known, strerror(errno));
    int got = read_all(fd, a, out, e);
    close(fd);
    return got;
}

bool files_is_there(const char *home, struct slice name)
{
    char path[PATH_BYTES];
    return full_path(home, name, path, sizeof path) && access(path, R_OK) == 0;
}

/* --- adapters and connectors ---------------------------------------------- */

static bool is_unit_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    (i > 0 && (c == '_' || c == '-'));
        if (!good)
            return false;
    }
    return s.len > 0 && s.len <= 32 && !ends(s, "_test");
}

/* "echo.lua" or "echo/adapter.lua" behind the folder's name. */
static bool unit_below(struct slice path, const char *folder, const char *file,
                       struct slice *name)
{
    struct slice rest = {path.at + strlen(folder), path.len - strlen(folder)};
    const char *slash = memchr(rest.at, '/', rest.len);
    size_t n = slash ? (size_t)(slash - rest.at) : rest.len - 4;
    if (slash && !slice_is((struct slice){slash, rest.len - n}, file))
        return false;
    if (!is_unit_name((struct slice){rest.at, n}))
        return false;
    *name = (struct slice){path.at, strlen(folder) + n};
    return true;
}

bool files_adapter(struct slice path, struct slice *name)
{
    static const char tools[] = "ai/tools/";
    if (!ends(path, ".lua"))
        return false;
    if (slice_starts(path, CHANNELS))
        return unit_below(path, CHANNELS, "/adapter.lua", name);
    if (slice_starts(path, tools) && path.len > sizeof tools + 3)
        return unit_below(path, tools, "", name);
    return slice_starts(path, AI) && path.len > sizeof AI + 3 &&
           unit_below(path, AI, "/connector.lua", name) &&
           !slice_is(*name, "ai/guard") && !slice_is(*name, "ai/tools");
}

/* Each once, by file or by folder. folder: "channels", "ai", "ai/tools". */
static void walk_adapters(struct walk *w, const char *folder, const char *file)
{
    char path[PATH_BYTES];
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/%s", w->home, folder);
    DIR *d = opendir(path);
    if (!d) {
        if (errno != ENOENT && errno != ENOTDIR)
            w->failed = ERR_UNAVAILABLE;
        return;
    }
    while ((entry = readdir(d)) != NULL) {
        struct slice name;
        bool plain = ends(slice_of(entry->d_name), ".lua");
        snprintf(path, sizeof path, "%s/%s%s", folder, entry->d_name,
                 plain ? "" : file);
        if (!files_adapter(slice_of(path), &name) ||
            !files_is_there(w->home, name))
            continue;
        if (w->count++ < LIMIT_SCRIPTS)
            w->fn(w->arg, name);
    }
    closedir(d);
}

int files_each(const char *home, void (*fn)(void *arg, struct slice name),
               void *arg)
{
    struct walk w = {.home = home, .fn = fn, .arg = arg};
    walk_folder(&w, "rules", 0);
    walk_folder(&w, "flows", 0);
    walk_adapters(&w, "channels", "/adapter.lua");
    walk_adapters(&w, "ai", "/connector.lua");
    walk_adapters(&w, "ai/tools", "");
    return w.failed;
}
