/* SPDX-License-Identifier: Apache-2.0 */
/* ops.c - health, readiness and figures of the whole process.
 *
 * Happy path: gauges that cost something to find out (memory, files, queues)
 * are set when somebody looks. Failure: what the kernel does not tell keeps its
 * last value.
 */
#include "app/ops.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/meter.h"
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define METRICS_MAX (8 * 1024 * 1024)
#define READY_MAX 4096

#define GAUGE(var, name, help) METER(var, METER_GAUGE, name, help)
GAUGE(rss, "process_resident_memory_bytes", "Resident memory");
GAUGE(fds, "process_open_fds", "Open file descriptors");
GAUGE(fds_max, "process_max_fds", "Most file descriptors");
static struct meter cpu = {.name = "process_cpu_seconds_total",
                           .help = "CPU time, user and system",
                           .kind = METER_COUNTER,
                           .scale = 1e-6};
GAUGE(threads, "process_threads", "Threads");
static struct meter uptime = {.name = "yuelai_uptime_seconds",
                              .help = "Since the program was started",
                              .kind = METER_GAUGE,
                              .scale = 1e-6};
GAUGE(ready, "yuelai_ready", "1 while /readyz answers 200");
GAUGE(scripts_well, "yuelai_scripts_well", "0 while a script file is broken");
GAUGE(script_depth_now, "yuelai_script_jobs", "Jobs waiting or running");
GAUGE(mail_main, "yuelai_mailbox_main", "Mail waiting for the main thread");
GAUGE(journal_pos, "yuelai_journal_position", "Last committed position");
GAUGE(credits_max, "yuelai_credits_limit", "Credits when nothing is under way");
GAUGE(peers, "yuelai_desk_peers", "Sockets that said hello");
GAUGE(visitors, "yuelai_desk_visitors", "Visitors connected");
GAUGE(agents_online, "yuelai_desk_agents_online", "Agents online");
GAUGE(convs, "yuelai_desk_conversations", "Conversations in memory");
GAUGE(convs_bot, "yuelai_desk_conversations_bot", "Held by rules");
GAUGE(convs_queued, "yuelai_desk_conversations_queued", "Waiting for an agent");
GAUGE(convs_open, "yuelai_desk_conversations_open", "Held by an agent");
GAUGE(desk_jobs, "yuelai_desk_jobs", "Script jobs of the desk under way");
GAUGE(desk_pending, "yuelai_desk_pending", "Transactions under way");
GAUGE(desk_held, "yuelai_desk_held", "Notices held back for a resume");
static struct meter oldest = {.name = "yuelai_desk_oldest_wait_seconds",
                              .help = "Longest wait in the queue",
                              .kind = METER_GAUGE,
                              .scale = 1e-3};
GAUGE(arenas, "yuelai_live_arenas", "Arenas alive");
GAUGE(tokens, "yuelai_live_tokens", "Sessions and API tokens known");
GAUGE(arrivals, "yuelai_live_arrivals", "Hellos waiting for the database");
GAUGE(idem_now, "yuelai_live_idempotent_calls",
      "Calls with an Idempotency-Key under way");
GAUGE(log_warns, "yuelai_log_warnings", "Warnings logged so far");
GAUGE(log_errors, "yuelai_log_errors", "Errors logged so far");

static int64_t read_rss(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%ld %ld", &pages, &resident) != 2) {
            resident = 0;
        }
        fclose(f);
    }
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

static int64_t count_entries(const char *path)
{
    DIR *d = opendir(path);
    int64_t n = 0;
    if (!d) {
        return -1;
    }
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n - 2;
}

static void measure_process(struct server *s)
{
    struct rusage use;
    struct rlimit most;
    meter_set(&rss, read_rss());
    meter_set(&fds, count_entries("/proc/self/fd") - 1); /* not the folder's */
    meter_set(&threads, count_entries("/proc/self/task"));
    if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
        meter_set(&fds_max, (int64_t)most.rlim_cur);
    }
    if (getrusage(RUSAGE_SELF, &use) == 0) {
        int64_t us = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000LL +
                     use.ru_utime.tv_usec + use.ru_stime.tv_usec;
        meter_add(&cpu, us - meter_value(&cpu));
    }
    meter_set(&uptime, clock_mono_us() - s->started_us);
}

static void measure_desk(struct server *s)
{
    struct desk_figures f = {0};
    desk_measure(s->desk, &f);
    desk_measure_channels(s->desk);
    meter_set(&peers, (int64_t)f.peers);
    meter_set(&visitors, (int64_t)f.visitors);
    meter_set(&agents_online, (int64_t)f.agents_online);
    meter_set(&convs, (int64_t)f.conversations);
    meter_set(&convs_bot, (int64_t)f.bot);
    meter_set(&convs_queued, (int64_t)f.queued);
    meter_set(&convs_open, (int64_t)f.open);
    meter_set(&desk_jobs, (int64_t)f.jobs);
    meter_set(&desk_pending, (int64_t)f.pending);
    meter_set(&desk_held, (int64_t)f.held);
    meter_set(&oldest, f.oldest_wait_ms);
}

static void measure_house(struct server *s)
{
    size_t known = 0;
    for (size_t i = 0; auth_next(s->auth, &i) != NULL;) {
        known++;
    }
    meter_set(&tokens, (int64_t)known);
    meter_set(&arrivals, (int64_t)s->arrivals.count);
    meter_set(&idem_now, (int64_t)s->idem.count);
    meter_set(&arenas, arena_live());
    meter_set(&mail_main, (int64_t)loop_depth(s->loop));
    meter_set(&credits_max, s->conf.credits);
    meter_set(&ready, server_is_ready(s, NULL) == 0);
    meter_set(&log_warns, (int64_t)log_count(LOG_WARN));
    meter_set(&log_errors, (int64_t)log_count(LOG_ERROR));
    if (s->store) {
        meter_set(&journal_pos, (int64_t)store_pos(s->store));
    }
    if (s->script) {
        meter_set(&scripts_well, script_is_well(s->script, NULL));
        meter_set(&script_depth_now, script_depth(s->script));
    }
}

static void answer_metrics(struct server *s, struct http_req *r)
{
    struct buf out;
    static struct meter *build;
    if (!build) {
        build = meter_labelled(METER_GAUGE, "yuelai_build_info",
                               "The program's version", 0,
                               "{version=\"" YUELAI_VERSION "\"}");
        meter_set(build, 1);
    }
    measure_process(s);
    measure_desk(s);
    measure_house(s);
    buf_init(&out, METRICS_MAX);
    int e = meter_write(&out);
    if (e) {
        http_reply(r, err_status(e), SLICE("text/plain"), SLICE(""),
                   SLICE("too many series\n"));
    } else {
        http_reply(r, 200, SLICE("text/plain; version=0.0.4; charset=utf-8"),
                   SLICE("Cache-Control: no-store\r\n"), buf_slice(&out));
    }
    buf_fini(&out);
}

static void write_scripts(struct server *s, struct jsonw *w)
{
    struct err broken = {0};
    if (!s->script || script_is_well(s->script, &broken)) {
        jsonw_put_text(w, "scripts", SLICE("ok"));
        return;
    }
    jsonw_put_text(w, "scripts", SLICE("broken"));
    jsonw_key(w, "errors");
    jsonw_open(w, '[');
    jsonw_text(w, slice_of(broken.text));
    jsonw_close(w, ']');
}

static void answer_ready(struct server *s, struct http_req *r)
{
    struct err why = {0};
    struct buf out;
    int e = server_is_ready(s, &why);
    buf_init(&out, READY_MAX);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "status", e ? SLICE("unavailable") : SLICE("ready"));
    if (e) {
        jsonw_put_text(&w, "reason", slice_of(why.text));
    }
    write_scripts(s, &w);
    jsonw_close(&w, '}');
    http_reply(r, e ? 503 : 200, SLICE("application/json"),
               e ? SLICE("Cache-Control: no-store\r\nRetry-After: 1\r\n")
                 : SLICE("Cache-Control: no-store\r\n"),
               buf_slice(&out));
    buf_fini(&out);
}

bool ops_answer(struct server *s, struct http_req *r)
{
    bool is_health = slice_is(r->path, "/healthz");
    bool is_ready = slice_is(r->path, "/readyz");
    bool is_metrics = slice_is(r->path, "/metrics");
    if (!is_health && !is_ready && !is_metrics) {
        return false;
    }
    if (!slice_is(r->method, "GET") && !slice_is(r->method, "HEAD")) {
        http_reply(r, 405, SLICE("application/json"),
                   SLICE("Allow: GET, HEAD\r\n"),
                   SLICE("{\"error\":{\"code\":\"bad_request\",\"message\":"
                         "\"this path answers GET only\"}}"));
    } else if (is_health) {
        http_reply(
            r, 200, SLICE("application/json"),
            SLICE("Cache-Control: no-store\r\n"),
            SLICE("{\"status\":\"ok\",\"version\":\"" YUELAI_VERSION "\"}"));
    } else if (is_ready) {
        answer_ready(s, r);
    } else {
        answer_metrics(s, r);
    }
    return true;
}
