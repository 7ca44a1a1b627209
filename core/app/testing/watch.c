/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - runs again what a change touches.
 *
 * Happy path: a changed test runs; a changed script runs the tests of its
 * name beside it, or all of its folder; a changed kit (a file in a folder
 * `tests`) the tests of the folder around; a changed lib or fixture all there
 * may be. Failure modes: folders that cannot be watched end the command with a
 * sentence.
 */
#include "loop/watch.h"
#include "app/testing/runner.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATH_BYTES 4096
#define CHANGED_MOST 64

struct watching {
    struct loop *loop;
    size_t home_len; /* of the home's real path */
    char *changed[CHANGED_MOST];
    int count;
};

static void on_change(void *arg, const char *const *paths, size_t n)
{
    struct watching *w = arg;
    for (size_t i = 0; i < n && w->count < CHANGED_MOST; i++)
        w->changed[w->count++] = mem_strdup(paths[i]);
    loop_stop(w->loop);
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The folder whose tests may have that kit; false: it is none. */
static bool around_kit(const char *path, size_t home_len, char *out, size_t max)
{
    size_t n = strlen(path);
    const char *below = path + (home_len < n ? home_len : n);
    const char *mark = strstr(below, "/tests/");
    if (!mark)
        return false;
    snprintf(out, max, "%.*s", (int)(mark - path), path);
    return true;
}

/* Which tests a changed file is for: a path in out, or false: all of them. */
static bool tests_for(const char *path, size_t home_len, char *out, size_t max)
{
    size_t n = strlen(path);
    if (is_talk(path) || (n > 9 && strcmp(path + n - 9, "_test.lua") == 0)) {
        snprintf(out, max, "%s", path);
        return is_file(out);
    }
    if (n <= 4 || strcmp(path + n - 4, ".lua") != 0)
        return false;
    if (around_kit(path, home_len, out, max))
        return true;
    if (strstr(path, "/lib/"))
        return false;
    snprintf(out, max, "%.*s_test.lua", (int)(n - 4), path);
    if (is_file(out))
        return true;
    snprintf(out, max, "%s", path);
    *strrchr(out, '/') = '\0';
    return true;
}

static void run_again(const struct runner_conf *conf, struct watching *w)
{
    char(*found)[PATH_BYTES] = mem_alloc(CHANGED_MOST * PATH_BYTES);
    const char *paths[CHANGED_MOST];
    struct runner_conf some = *conf;
    struct report r;
    bool all = false;
    for (int i = 0; i < w->count; i++) {
        all |= !tests_for(w->changed[i], w->home_len, found[i], PATH_BYTES);
        paths[i] = found[i];
        mem_free(w->changed[i]);
    }
    if (!all) {
        some.paths = paths;
        some.path_count = w->count;
    }
    w->count = 0;
    report_init(&r, false);
    printf("\n");
    (void)runner_run(&some, &r); /* told already */
    report_fini(&r);
    mem_free(found);
    printf("waiting for changes\n");
    fflush(stdout);
}

int runner_watch(const struct runner_conf *conf)
{
    static const char *const names[] = {"scripts", "channels", "ai",
                                        "examples"};
    char path[PATH_BYTES], real[4][PATH_MAX];
    const char *folders[4];
    size_t n = 0;
    struct watching w = {0};
    struct watch *watch;
    if (realpath(conf->home, real[0]))
        w.home_len = strlen(real[0]);
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", conf->home, names[i]);
        if (realpath(path, real[n])) {
            folders[n] = real[n];
            n++;
        }
    }
    if (n == 0 || loop_new("watch", &w.loop) ||
        watch_open(w.loop, folders, n, on_change, &w, &watch)) {
        fprintf(stderr, "yuelai: nothing below %s can be watched\n",
                conf->home);
        return 2;
    }
    run_again(conf, &w);
    while (true) {
        loop_run(w.loop);
        if (w.count)
            run_again(conf, &w);
    }
}
