/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - the command that runs the server; signals.
 *
 * Happy path: signals are blocked everywhere and taken by one thread, which
 * turns them into mail for the loop. Failure: a stop that hangs is ended after
 * STOP_MOST_S; a second signal ends it at once. What was acknowledged is on
 * disk in every case.
 */
#include "app/command.h"
#include "app/server.h"
#include "base/clock.h"
#include "base/log.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STOP_MOST_S 9

static const char usage[] =
    "usage: yuelai serve [OPTIONS]\n"
    "\n"
    "  --listen HOST:PORT  where to listen (127.0.0.1:8080; port 0 = any)\n"
    "  --data DIR          the database's folder (./data)\n"
    "  --config FILE       settings, a Lua table (HOME/config.lua)\n"
    "  --home DIR          where scripts channels ai web lie\n"
    "\n"
    "Every setting can be given as an environment variable; see\n"
    "yuelai doctor --config. SIGTERM stops, SIGHUP reads the settings again.\n";

struct signals {
    struct mail stop, reload; /* must be in this order: see of_* */
    struct server *server;
    struct thread *thread;
    atomic_bool reloading;
    sigset_t set;
};

static void run_stop(struct mail *m)
{
    server_stop(container_of(m, struct signals, stop)->server);
}

static void run_reload(struct mail *m)
{
    struct signals *g = container_of(m, struct signals, reload);
    atomic_store(&g->reloading, false);
    server_reload(g->server);
}

/* The loop has its order to stop: wait for the end, or make one. */
static void watch_stop(struct signals *g)
{
    struct timespec most = {STOP_MOST_S, 0};
    int got;
    do {
        got = sigtimedwait(&g->set, NULL, &most);
    } while (got == SIGHUP || (got < 0 && errno == EINTR));
    if (got != SIGUSR1) {
        log_error("app",
                  got < 0 ? "stopping took too long" : "stopped at once");
        _exit(1);
    }
}

static void take_signals(void *arg)
{
    struct signals *g = arg;
    for (;;) {
        int got = sigwaitinfo(&g->set, NULL);
        if (got == SIGUSR1) {
            return;
        }
        if (got == SIGHUP && !atomic_exchange(&g->reloading, true)) {
            loop_post(g->server->loop, &g->reload);
        } else if (got == SIGTERM || got == SIGINT) {
            loop_post(g->server->loop, &g->stop);
            watch_stop(g);
            return;
        }
    }
}

static void block_signals(struct signals *g)
{
    sigemptyset(&g->set);
    sigaddset(&g->set, SIGTERM);
    sigaddset(&g->set, SIGINT);
    sigaddset(&g->set, SIGHUP);
    sigaddset(&g->set, SIGUSR1); /* ours: the end of the signal thread */
    must(pthread_sigmask(SIG_BLOCK, &g->set, NULL) == 0);
    g->stop.run = run_stop;
    g->reload.run = run_reload;
}

/* "1735689600000", "2030-01-05T22:00:00Z" or with +01:00. */
static bool read_time(const char *text, int64_t *out)
{
    struct tm tm = {0};
    int off_h = 0, off_m = 0;
    if (slice_to_i64(slice_of(text), out)) {
        return true;
    }
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest && *rest == '.') {
        rest += 1 + strspn(rest + 1, "0123456789");
    }
    if (!rest || (strcmp(rest, "Z") != 0 &&
                  sscanf(rest + 1, "%2d:%2d", &off_h, &off_m) != 2)) {
        return false;
    }
    int64_t shift = (off_h * 60 + off_m) * 60LL * (*rest == '-' ? -1 : 1);
    *out = ((int64_t)timegm(&tm) - (*rest == 'Z' ? 0 : shift)) * 1000;
    return true;
}

static bool set_clock(const struct config *conf)
{
    int64_t at;
    if (!conf->clock[0]) {
        return true;
    }
    if (!read_time(conf->clock, &at)) {
        fprintf(stderr, "yuelai: YUELAI_CLOCK is neither RFC 3339 nor ms\n");
        return false;
    }
    clock_shift_ms(at - clock_ms());
    return true;
}

/* Ten thousand sockets need as many files; asking for what we may have. */
static void raise_files(void)
{
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &most) == 0 && most.rlim_cur < most.rlim_max) {
        most.rlim_cur = most.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &most) != 0) {
            log_warn("app", "only %llu files at once",
                     (unsigned long long)most.rlim_cur);
        }
    }
}

static void tell_addresses(const struct server *s)
{
    const char *at = net_address(s->net);
    if (strcmp(s->conf.log, "json") == 0) {
        log_info("app", "listening on http://%s", at);
        return;
    }
    fprintf(stderr,
            "listening on http://%s\n"
            "  console  http://%s/console/\n"
            "  demo     http://%s/\n",
            at, at, at);
}

static int run(const struct config *given, const struct config *conf)
{
    struct signals g = {0};
    struct err e = {0};
    block_signals(&g);
    if (server_open(given, conf, &e, &g.server)) {
        fprintf(stderr, "yuelai: %s\n", e.text);
        return 1;
    }
    if (thread_start("signals", take_signals, &g, &g.thread)) {
        fprintf(stderr, "yuelai: no thread for signals\n");
        return 1;
    }
    tell_addresses(g.server);
    loop_run(g.server->loop);
    bool failed = g.server->failed;
    server_free(g.server);
    log_info("app", "stopped");
    (void)kill(getpid(), SIGUSR1);
    thread_join(g.thread);
    return failed ? 1 : 0;
}

int serve_main(int argc, char **argv)
{
    struct flags f = {.rest_max = 0};
    struct config conf;
    int r = flags_read(&f, "listen data config home", usage, argc, argv);
    if (r) {
        return r - 1;
    }
    if (!flags_config(&f, &conf)) {
        return 1;
    }
    server_log_setup(&conf);
    if (!set_clock(&conf)) {
        return EXIT_USAGE;
    }
    raise_files();
    return run(&f.given, &conf);
}
