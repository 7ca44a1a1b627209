/* SPDX-License-Identifier: Apache-2.0 */
/* proving.c - a changed script's own tests, before it serves.
 *
 * Happy path: this program as `yuelai test --only UNIT`, in a process of its
 * own, so that nothing a test does can touch the house; its exit code says it.
 * Failure modes: a test fails (the first one is told by file and line), the
 * process does not end in time (it is killed), there is no process to be had:
 * the script is not served, the one before is.
 *
 * Thread: the script wing's builder; blocks.
 */
#include "app/server.h"
#include "base/clock.h"
#include "base/json.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_MS 10000
#define SAID_BYTES (256 * 1024)
#define PIECE 4096

extern char **environ;

/* Reads until the end, or until time or room is up: false. */
static bool listen_to(int fd, struct buf *said)
{
    int64_t until = clock_mono_us() / 1000 + MOST_MS;
    for (;;) {
        int64_t left = until - clock_mono_us() / 1000;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0 || buf_reserve(said, PIECE)) {
            return false;
        }
        if (poll(&p, 1, (int)left) <= 0) {
            continue;
        }
        ssize_t n = read(fd, said->data + said->len, PIECE);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return true;
        }
        said->len += (size_t)n;
    }
}

/* In a group of its own, with no signal held back: this thread has them all
 * blocked. */
static int spawn(const char *const *argv, int out, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
                                     O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null",
                                     O_WRONLY, 0);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setflags(&how,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    int got = posix_spawn(pid, "/proc/self/exe", &files, &how,
                          (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    return got;
}

/* Gives the exit code, or -1 with a sentence in said. */
static int run(const char *const *argv, struct buf *said)
{
    int ends[2], status = 0;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC)) {
        (void)buf_addf(said, "its tests cannot be run: %s", strerror(errno));
        return -1;
    }
    int got = spawn(argv, ends[1], &pid);
    close(ends[1]);
    if (got) {
        (void)buf_addf(said, "its tests cannot be run: %s", strerror(got));
        close(ends[0]);
        return -1;
    }
    bool ended = listen_to(ends[0], said);
    close(ends[0]);
    if (!ended) {
        (void)kill(-pid, SIGKILL);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (ended && WIFEXITED(status)) {
        return WEXITSTATUS(status);
    }
    buf_clear(said);
    (void)buf_addf(said,
                   ended ? "its tests ended by signal %d"
                         : "its tests take more than %d s",
                   ended ? WTERMSIG(status) : MOST_MS / 1000);
    return -1;
}

/* The first test that failed: "file:line: name: message", and what was there
 * instead. */
static void tell_failed(const struct json *told, struct slice unit,
                        struct buf *out)
{
    const struct json *tests = json_get(told, "tests");
    for (const struct json *t = tests ? tests->first : NULL; t; t = t->next) {
        if (slice_is(json_text(t, "state"), "passed") ||
            slice_is(json_text(t, "state"), "pending")) {
            continue;
        }
        (void)buf_addf(
            out, "%.*s:%lld: %.*s: %.*s", SLICE_FMT(json_text(t, "file")),
            (long long)json_int(t, "line", 1), SLICE_FMT(json_text(t, "name")),
            SLICE_FMT(json_text(t, "message")));
        struct slice actual = json_text(t, "actual");
        if (actual.len) {
            (void)buf_addf(out, ": %.*s", SLICE_FMT(actual));
        }
        return;
    }
    (void)buf_addf(out, "scripts/%.*s_test.lua:1: a test failed",
                   SLICE_FMT(unit));
}

int proving_run(void *arg, struct slice unit, struct buf *out)
{
    const struct server *s = arg;
    char name[256];
    const char *const argv[] = {"yuelai",     "test",   "--home",
                                s->conf.home, "--only", name,
                                "--no-talk",  "--json", NULL};
    struct buf said;
    struct json *told = NULL;
    struct arena *a = arena_new();
    buf_init(&said, SAID_BYTES);
    snprintf(name, sizeof name, "%.*s", SLICE_FMT(unit));
    int code = run(argv, &said);
    if (code == 1 && json_parse(a, buf_slice(&said), NULL, &told) == 0) {
        tell_failed(told, unit, out);
    } else if (code < 0) {
        (void)buf_add_slice(out, buf_slice(&said));
    } else if (code) {
        (void)buf_addf(out, "its tests could not be run (exit code %d)", code);
    }
    buf_fini(&said);
    arena_free(a);
    return code ? ERR_UNPROCESSABLE : 0;
}
