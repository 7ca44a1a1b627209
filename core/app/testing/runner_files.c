/* SPDX-License-Identifier: Apache-2.0 */
/* runner_files.c - which files are tests, and talks as tests.
 *
 * Happy path: folders are walked, what ends in _test.lua or .talk is taken,
 * sorted by path. A talk is a process of its own: the real program plays it
 * and says how it went. Failure modes: a folder that cannot be read has no
 * tests; a talk that does not start has failed.
 */
#include "app/testing/runner.h"
#include "base/clock.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define DEPTH 8
#define TALK_BYTES (256 * 1024)

extern char **environ;

static bool ends(const char *path, const char *with)
{
    size_t n = strlen(path), m = strlen(with);
    return n > m && strcmp(path + n - m, with) == 0;
}

bool is_talk(const char *path)
{
    return ends(path, ".talk");
}

static void add(struct found *f, const char *path)
{
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->at = mem_resize(f->at, f->cap * sizeof *f->at);
    }
    f->at[f->count++] =
        mem_strdup(strncmp(path, "./", 2) == 0 ? path + 2 : path);
}

static void walk(struct found *f, const char *folder, bool talks, int depth)
{
    char path[PATH_BYTES];
    struct stat st;
    DIR *d = depth < DEPTH ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.' || strcmp(e->d_name, "node_modules") == 0)
            continue;
        int n = snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (n >= (int)sizeof path || stat(path, &st))
            continue;
        if (S_ISDIR(st.st_mode))
            walk(f, path, talks, depth + 1);
        else if (ends(path, "_test.lua") || (talks && is_talk(path)))
            add(f, path);
    }
    if (d)
        closedir(d);
}

bool found_add(struct found *f, const char *path, bool talks)
{
    char folder[PATH_BYTES];
    struct stat st;
    size_t n = strlen(path);
    if (n >= sizeof folder || stat(path, &st))
        return false;
    snprintf(folder, sizeof folder, "%s", path);
    while (n > 1 && folder[n - 1] == '/')
        folder[--n] = '\0';
    if (S_ISDIR(st.st_mode))
        walk(f, folder, talks, 0);
    else
        add(f, folder);
    return true;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void found_sort(struct found *f)
{
    size_t n = 0;
    if (f->count)
        qsort(f->at, f->count, sizeof *f->at, by_path);
    for (size_t i = 0; i < f->count; i++) {
        if (n && strcmp(f->at[n - 1], f->at[i]) == 0)
            mem_free(f->at[i]);
        else
            f->at[n++] = f->at[i];
    }
    f->count = n;
}

void found_fini(struct found *f)
{
    for (size_t i = 0; i < f->count; i++)
        mem_free(f->at[i]);
    mem_free(f->at);
    *f = (struct found){0};
}

void home_of(const char *path, const char *otherwise, char *out, size_t max)
{
    char at[PATH_BYTES], probe[PATH_BYTES + 16];
    struct stat st;
    snprintf(at, sizeof at, "%s", path);
    for (char *slash; (slash = strrchr(at, '/')) != NULL;) {
        *slash = '\0';
        snprintf(probe, sizeof probe, "%s/scripts", at[0] ? at : "/");
        if (stat(probe, &st) == 0 && S_ISDIR(st.st_mode)) {
            snprintf(out, max, "%s", at[0] ? at : "/");
            return;
        }
    }
    bool here = path[0] != '/' && stat("scripts", &st) == 0;
    snprintf(out, max, "%s", here ? "." : otherwise);
}

/* --- talks ---------------------------------------------------------------- */

static int start(const char *file, const char *home, int out, pid_t *pid)
{
    char *const argv[] = {(char *)"yuelai", (char *)"talk", (char *)"--home",
                          (char *)home,     (char *)file,   NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
    int r = posix_spawn(pid, "/proc/self/exe", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

static void read_all(int fd, struct buf *out)
{
    char piece[4096];
    ssize_t n;
    while ((n = read(fd, piece, sizeof piece)) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        if (n > 0)
            (void)buf_add(out, piece, (size_t)n); /* the rest is left out */
    }
}

/* "FAIL  file:12: what" in its output */
static void read_place(struct outcome *o, struct slice text)
{
    const char *fail = memmem(text.at, text.len, "FAIL  ", 6);
    if (!fail)
        return;
    struct slice rest = {fail + 6, (size_t)(text.at + text.len - fail - 6)};
    if (rest.len <= o->file.len + 1 ||
        memcmp(rest.at, o->file.at, o->file.len) != 0)
        return;
    o->at = o->file;
    o->at_line = (int)strtol(rest.at + o->file.len + 1, NULL, 10);
}

void talk_run(const char *file, const char *home, struct report *r)
{
    int ends_of[2], status = -1;
    pid_t pid;
    struct buf out;
    struct outcome *o = report_add(r, slice_of(file), slice_of("the talk"));
    int64_t from = clock_mono_us();
    buf_init(&out, TALK_BYTES);
    o->verdict = VERDICT_FAILED;
    if (pipe2(ends_of, O_CLOEXEC) == 0) {
        int failed = start(file, home, ends_of[1], &pid);
        close(ends_of[1]);
        if (!failed) {
            read_all(ends_of[0], &out);
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        }
        close(ends_of[0]);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        o->verdict = VERDICT_PASSED;
    o->us = clock_mono_us() - from;
    if (o->verdict == VERDICT_FAILED) {
        struct slice text = slice_dup(r->arena, buf_slice(&out));
        read_place(o, text);
        o->message = SLICE("the talk did not come true");
        o->actual = text.len ? text : SLICE("it could not be played");
    }
    buf_fini(&out);
    report_tell(r, o);
}
