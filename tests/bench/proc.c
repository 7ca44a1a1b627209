/* SPDX-License-Identifier: Apache-2.0 */
/* proc.c - the server as a process: start, readiness, CPU, memory, stop. */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS 15000
#define STOP_MS 15000

static void child(const struct server *s, int err_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* never outlive the generator */
    dup2(err_fd, 2);
    dup2(err_fd, 1);
    setenv("YUELAI_ADMIN_EMAIL", "bench@example.com", 1);
    setenv("YUELAI_ADMIN_PASSWORD", "bench-password-1", 1);
    setenv("YUELAI_CONNECTIONS_PER_ADDRESS", "0", 1);
    setenv("YUELAI_FRAMES_PER_S", "0", 1);
    setenv("YUELAI_LOGINS_PER_MIN", "100000", 1);
    execl(options.program, options.program, "serve", "--data", s->dir, "--home",
          s->home, "--listen", "127.0.0.1:0", (char *)NULL);
    _exit(127);
}

/* Reads the log until the line that names the port. */
static int read_port(struct server *s, int64_t until_ns)
{
    char log[65536];
    size_t n = 0;
    while (now_ns() < until_ns) {
        struct pollfd p = {.fd = s->log_fd, .events = POLLIN};
        if (poll(&p, 1, 50) <= 0)
            continue;
        ssize_t got = read(s->log_fd, log + n, sizeof(log) - 1 - n);
        if (got <= 0)
            break;
        if (options.verbose)
            fwrite(log + n, 1, (size_t)got, stderr);
        n += (size_t)got;
        log[n] = '\0';
        const char *at = strstr(log, "listening on http://");
        const char *end = at ? strpbrk(at + 20, " \n\"") : NULL;
        if (end) {
            while (end[-1] == '/')
                end--;
            while (end[-1] >= '0' && end[-1] <= '9')
                end--;
            return atoi(end);
        }
        if (n > sizeof(log) / 2)
            n = 0;
    }
    log[n] = '\0';
    fprintf(stderr, "%s\n", log);
    return -1;
}

void server_again(struct server *s)
{
    int fds[2];
    if (pipe(fds) != 0)
        die("cannot start: %s", strerror(errno));
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    int64_t at = now_ns();
    s->pid = fork();
    if (s->pid == 0)
        child(s, fds[1]);
    close(fds[1]);
    s->log_fd = fds[0];
    int64_t until = at + START_MS * 1000000LL;
    s->port = read_port(s, until);
    fcntl(s->log_fd, F_SETFL, O_NONBLOCK);
    if (s->port <= 0)
        die("the server did not say where it listens");
    for (;;) {
        struct answer a = rest(s->port, "GET", "/readyz", NULL, NULL);
        bool ready = a.status == 200;
        answer_free(&a);
        if (ready)
            break;
        if (now_ns() > until)
            die("the server is not ready after %d ms", START_MS);
        poll(NULL, 0, 1);
    }
    s->ready_ns = now_ns() - at;
}

void server_start(struct server *s, const char *home)
{
    snprintf(s->dir, sizeof(s->dir), "/tmp/yuelai-bench-XXXXXX");
    snprintf(s->home, sizeof(s->home), "%s", home);
    if (!mkdtemp(s->dir))
        die("cannot start: %s", strerror(errno));
    server_again(s);
}

void server_drain_log(struct server *s)
{
    char b[16384];
    for (ssize_t n; (n = read(s->log_fd, b, sizeof(b))) > 0;)
        if (options.verbose)
            fwrite(b, 1, (size_t)n, stderr);
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void remove_tree(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void server_halt(struct server *s)
{
    int status = 0;
    int64_t until = now_ns() + STOP_MS * 1000000LL;
    kill(s->pid, SIGTERM);
    while (waitpid(s->pid, &status, WNOHANG) == 0) {
        server_drain_log(s);
        if (now_ns() > until) {
            wrong("the server did not stop in %d ms", STOP_MS);
            kill(s->pid, SIGKILL);
            waitpid(s->pid, &status, 0);
            break;
        }
        poll(NULL, 0, 2);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        wrong("the server ended with status %#x", (unsigned)status);
    server_drain_log(s);
    close(s->log_fd);
}

void server_stop(struct server *s)
{
    server_halt(s);
    remove_tree(s->dir);
}

/* The kernel's own clock of the process: ns, all threads, also ended ones. */
int64_t server_cpu_ns(const struct server *s)
{
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(s->pid, &clock) != 0 ||
        clock_gettime(clock, &t) != 0)
        die("no CPU clock of the server");
    return (int64_t)t.tv_sec * 1000000000LL + t.tv_nsec;
}

static bool first_line(const char *path, char *line, size_t size)
{
    FILE *f = fopen(path, "r");
    bool ok = f && fgets(line, (int)size, f);
    if (f)
        fclose(f);
    return ok;
}

int64_t server_thread_cpu_ns(const struct server *s, const char *name)
{
    char dir[64], path[400], line[128];
    int64_t ns = 0;
    struct dirent *e;
    snprintf(dir, sizeof(dir), "/proc/%d/task", (int)s->pid);
    DIR *d = opendir(dir);
    while (d && (e = readdir(d)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s/comm", dir, e->d_name);
        if (!first_line(path, line, sizeof(line)))
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(path, sizeof(path), "%s/%s/schedstat", dir, e->d_name);
        if (strcmp(line, name) == 0 && first_line(path, line, sizeof(line)))
            ns += strtoll(line, NULL, 10);
    }
    if (d)
        closedir(d);
    return ns;
}

int64_t server_rss_bytes(const struct server *s)
{
    char path[64], line[256];
    long kb = 0;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)s->pid);
    FILE *f = fopen(path, "r");
    if (!f)
        die("cannot read %s", path);
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "Rss: %ld kB", &kb) == 1)
            break;
    fclose(f);
    return kb * 1024;
}

static int64_t tree_bytes;
static int add_size(const char *path, const struct stat *st, int kind,
                    struct FTW *at)
{
    (void)path, (void)at;
    if (kind == FTW_F)
        tree_bytes += st->st_size;
    return 0;
}

int64_t server_disk_bytes(const struct server *s)
{
    tree_bytes = 0;
    nftw(s->dir, add_size, 16, FTW_PHYS);
    return tree_bytes;
}
