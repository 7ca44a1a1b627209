/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - inotify events gathered until there is quiet.
 *
 * Happy path: each folder has an inotify watch; an event marks a file as
 * changed and (re)starts the quiet timer; when it fires, one call tells all
 * marked files. Every file below the folders is known by its path, so that a
 * sub-folder moved away or deleted tells each file that went with it.
 *
 * Failure modes: changes that never stop are told after WATCH_LONGEST_MS all
 * the same. A file made and deleted between two calls is not told. A watched
 * folder that is missing or goes away is looked for every RETRY_MS; when it
 * comes back all its files are told. A queue overflow in the kernel: every
 * file is told. Too many files or folders (the maxima below): the rest is not
 * watched, and the log says so. Scanning a new folder reads it on the calling
 * thread: these are small folders of scripts.
 */
#include "loop/watch.h"
#include "base/err.h"
#include "base/log.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define WATCH_MAGIC 0x3A7C0001u
#define RETRY_MS 500
#define FILES_MOST 10000
#define FOLDERS_MOST 1000
#define DEPTH_MOST 16
#define GONE_SELF (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)
#define ASKED                                                                  \
    (IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |    \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct folder {
    int wd;
    int depth; /* 0 = one we were asked for */
    char path[];
};

struct file {
    struct list link; /* in watch.changed */
    bool told;        /* they know of it */
    bool gone;
    char path[];
};

struct watch {
    unsigned magic;
    struct loop *loop;
    int fd;
    uv_poll_t poll;
    struct timer quiet, retry;
    int64_t since_ms;   /* the first change not told yet */
    struct map folders; /* wd -> struct folder */
    struct map files;   /* path -> struct file */
    struct list changed;
    watch_fn fn;
    void *arg;
    size_t roots;
    char **root;
    bool *missing;
};

/* -- files -------------------------------------------------------------- */

static bool is_ignored(const char *name)
{
    size_t n = strlen(name);
    return n == 0 || name[0] == '.' || name[n - 1] == '~';
}

static struct file *file_new(struct watch *w, const char *path)
{
    if (w->files.count >= FILES_MOST) {
        log_warn("watch", "more than %d files, not watched: %s", FILES_MOST,
                 path);
        return NULL;
    }
    size_t n = strlen(path);
    struct file *f = mem_alloc(sizeof *f + n + 1);
    list_init(&f->link);
    memcpy(f->path, path, n + 1);
    map_put_text(&w->files, slice_of(f->path), f);
    return f;
}

static void forget(struct watch *w, struct file *f)
{
    list_remove(&f->link);
    map_take_text(&w->files, slice_of(f->path));
    mem_free(f);
}

static void mark(struct watch *w, struct file *f, bool gone)
{
    int64_t now = loop_now(w->loop);
    if (list_empty(&w->changed))
        w->since_ms = now;
    f->gone = gone;
    list_remove(&f->link);
    list_add_last(&w->changed, &f->link);
    int64_t due = now + WATCH_QUIET_MS;
    if (due > w->since_ms + WATCH_LONGEST_MS)
        due = w->since_ms + WATCH_LONGEST_MS;
    timer_start(loop_wheel(w->loop), &w->quiet, due);
}

static void note_file(struct watch *w, const char *path, bool gone)
{
    struct file *f = map_get_text(&w->files, slice_of(path));
    if (!f && !gone)
        f = file_new(w, path);
    if (f)
        mark(w, f, gone);
}

static void on_quiet(struct timer *t)
{
    struct watch *w = container_of(t, struct watch, quiet);
    struct arena *a = arena_new();
    const char **paths = arena_many(a, const char *, w->files.count);
    size_t n = 0;
    list_each (&w->changed, link) {
        struct file *f = container_of(link, struct file, link);
        list_remove(&f->link);
        if (f->told || !f->gone)
            paths[n++] = slice_dup(a, slice_of(f->path)).at;
        if (f->gone)
            forget(w, f);
        else
            f->told = true;
    }
    if (n > 0)
        w->fn(w->arg, paths, n); /* may close us */
    arena_free(a);
}

/* -- folders ------------------------------------------------------------ */

static void add_folder(struct watch *w, const char *path, int depth, bool tell);

/* 'd', 'f' or 0; links count as what they lead to. */
static char kind_of(const char *path, unsigned char d_type)
{
    struct stat s;
    if (d_type == DT_DIR)
        return 'd';
    if (d_type == DT_REG)
        return 'f';
    if (stat(path, &s) < 0)
        return 0;
    return S_ISDIR(s.st_mode) ? 'd' : S_ISREG(s.st_mode) ? 'f' : 0;
}

static void found(struct watch *w, const char *path, bool tell)
{
    struct file *f = map_get_text(&w->files, slice_of(path));
    if (!f)
        f = file_new(w, path);
    if (f && tell)
        mark(w, f, false);
    else if (f)
        f->told = true;
}

static void scan(struct watch *w, const char *path, int depth, bool tell)
{
    char child[PATH_MAX];
    DIR *d = opendir(path);
    if (!d)
        return; /* gone again: its own events will come */
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        int n = snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        if (is_ignored(e->d_name) || n >= (int)sizeof child)
            continue;
        char kind = kind_of(child, e->d_type);
        if (kind == 'd')
            add_folder(w, child, depth + 1, tell);
        else if (kind == 'f')
            found(w, child, tell);
    }
    closedir(d);
}

static void set_missing(struct watch *w, const char *path)
{
    for (size_t i = 0; i < w->roots; i++) {
        if (strcmp(w->root[i], path) != 0)
            continue;
        w->missing[i] = true;
        timer_start(loop_wheel(w->loop), &w->retry,
                    loop_now(w->loop) + RETRY_MS);
    }
}

static void add_folder(struct watch *w, const char *path, int depth, bool tell)
{
    if (w->folders.count >= FOLDERS_MOST || depth > DEPTH_MOST) {
        log_warn("watch", "too many folders, not watched: %s", path);
        return;
    }
    int wd = inotify_add_watch(w->fd, path, ASKED);
    if (wd < 0) {
        if (errno != ENOENT && errno != ENOTDIR)
            log_warn("watch", "cannot watch %s: %s", path, strerror(errno));
        if (depth == 0)
            set_missing(w, path);
        return;
    }
    if (map_get(&w->folders, (uint64_t)wd))
        return; /* seen: by an event that came later, or a link in a circle */
    size_t n = strlen(path);
    struct folder *f = mem_alloc(sizeof *f + n + 1);
    f->wd = wd;
    f->depth = depth;
    memcpy(f->path, path, n + 1);
    map_put(&w->folders, (uint64_t)wd, f);
    scan(w, path, depth, tell); /* after the watch: nothing falls between */
}

static bool is_below(const char *path, const char *folder, size_t n)
{
    return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]);
}

static void drop_folder(struct watch *w, const char *path)
{
    size_t n = strlen(path), i = 0;
    for (struct file *f; (f = map_next(&w->files, &i)) != NULL;)
        if (is_below(f->path, path, n))
            mark(w, f, true);
    i = 0;
    for (struct folder *f; (f = map_next(&w->folders, &i)) != NULL;) {
        if (!is_below(f->path, path, n))
            continue;
        map_take(&w->folders, (uint64_t)f->wd);
        inotify_rm_watch(w->fd, f->wd); /* fails if the kernel was first */
        mem_free(f);
    }
}

static void on_retry(struct timer *t)
{
    struct watch *w = container_of(t, struct watch, retry);
    for (size_t i = 0; i < w->roots; i++) {
        if (!w->missing[i])
            continue;
        w->missing[i] = false;
        add_folder(w, w->root[i], 0, true);
    }
}

/* -- events ------------------------------------------------------------- */

/* A fresh ordinary file is told when it is closed, not half written. */
static bool is_being_written(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0 && S_ISREG(s.st_mode) && s.st_nlink == 1;
}

static void on_name(struct watch *w, const struct folder *in, uint32_t mask,
                    const char *name)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", in->path, name);
    if (is_ignored(name) || n >= (int)sizeof path)
        return;
    bool gone = (mask & (IN_DELETE | IN_MOVED_FROM)) != 0;
    bool is_folder = (mask & IN_ISDIR) != 0;
    if (!is_folder && (mask & IN_CREATE)) {
        if (is_being_written(path))
            return;
        is_folder = kind_of(path, DT_LNK) == 'd';
    }
    /* A link to a folder goes without saying that it was one. */
    if (gone && !map_get_text(&w->files, slice_of(path)))
        is_folder = true;
    if (is_folder && !gone)
        add_folder(w, path, in->depth + 1, true);
    else if (is_folder)
        drop_folder(w, path);
    else
        note_file(w, path, gone);
}

static void on_overflow(struct watch *w)
{
    log_warn("watch", "the kernel's queue ran over, all files are told");
    for (size_t i = 0; i < w->roots; i++) {
        drop_folder(w, w->root[i]);
        add_folder(w, w->root[i], 0, true);
    }
}

static void on_event(struct watch *w, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW) {
        on_overflow(w);
        return;
    }
    struct folder *f = map_get(&w->folders, (uint64_t)e->wd);
    if (!f)
        return; /* dropped, the event was under way */
    if (e->mask & GONE_SELF) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s", f->path);
        drop_folder(w, path);
        set_missing(w, path);
    } else if (e->len > 0) {
        on_name(w, f, e->mask, e->name);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    _Alignas(struct inotify_event) char room[8192];
    if (status < 0) {
        log_error("watch", "no more events: %s", uv_strerror(status));
        uv_poll_stop(poll);
        return;
    }
    ssize_t n = read(w->fd, room, sizeof room);
    /* What is left makes the next turn: the loop has other work too. */
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const void *)(room + at);
        on_event(w, e);
        at += (ssize_t)(sizeof *e + e->len);
    }
}

/* -- life --------------------------------------------------------------- */

static char *absolute(const char *folder)
{
    char path[PATH_MAX * 2], here[PATH_MAX] = "";
    if (folder[0] != '/' && !getcwd(here, sizeof here))
        return NULL;
    snprintf(path, sizeof path, "%s%s%s", here, here[0] ? "/" : "", folder);
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        path[--n] = '\0';
    return n < PATH_MAX ? mem_strdup(path) : NULL;
}

static void release(struct watch *w)
{
    size_t i = 0;
    for (struct file *f; (f = map_next(&w->files, &i)) != NULL;)
        forget(w, f);
    i = 0;
    for (struct folder *f; (f = map_next(&w->folders, &i)) != NULL;) {
        map_take(&w->folders, (uint64_t)f->wd);
        mem_free(f);
    }
    map_fini(&w->files);
    map_fini(&w->folders);
    for (i = 0; i < w->roots; i++)
        mem_free(w->root[i]);
    mem_free(w->root);
    mem_free(w->missing);
    w->magic = 0;
    mem_free(w);
}

static void on_closed(uv_handle_t *h)
{
    struct watch *w = h->data;
    close(w->fd);
    release(w);
}

static struct watch *watch_new(struct loop *l, size_t n, watch_fn fn, void *arg)
{
    struct watch *w = mem_alloc(sizeof *w);
    w->magic = WATCH_MAGIC;
    w->loop = l;
    w->fn = fn;
    w->arg = arg;
    w->roots = n;
    w->root = mem_alloc(n * sizeof *w->root);
    w->missing = mem_alloc(n * sizeof *w->missing);
    map_init(&w->files);
    map_init(&w->folders);
    list_init(&w->changed);
    timer_init(&w->quiet, on_quiet);
    timer_init(&w->retry, on_retry);
    return w;
}

int watch_open(struct loop *l, const char *const *folders, size_t n,
               watch_fn fn, void *arg, struct watch **out)
{
    *out = NULL;
    struct watch *w = watch_new(l, n, fn, arg);
    for (size_t i = 0; i < n; i++)
        if ((w->root[i] = absolute(folders[i])) == NULL)
            goto fail_new;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        log_error("watch", "no inotify: %s", strerror(errno));
        goto fail_new;
    }
    if (uv_poll_init(loop_uv(l), &w->poll, w->fd) < 0)
        goto fail_fd;
    w->poll.data = w;
    must(uv_poll_start(&w->poll, UV_READABLE, on_readable) == 0);
    for (size_t i = 0; i < n; i++)
        add_folder(w, w->root[i], 0, false);
    *out = w;
    return 0;
fail_fd:
    close(w->fd);
fail_new:
    release(w);
    return ERR_UNAVAILABLE;
}

void watch_close(struct watch *w)
{
    if (!w)
        return;
    must_be(w, WATCH_MAGIC);
    timer_stop(loop_wheel(w->loop), &w->quiet);
    timer_stop(loop_wheel(w->loop), &w->retry);
    uv_close((uv_handle_t *)&w->poll, on_closed);
}
