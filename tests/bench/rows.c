/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c - throughput, latency, connections, start. */
#include "bench.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

const struct row rows[] = {
    {"saturated", row_saturated, 0},
    {"openloop", row_openloop, 0},
    {"connect", row_connect, 0},
    {"coldstart", row_coldstart, 0},
    {"reload", row_reload, 0},
    {"loads", row_loads, 0},
    {"scripts", row_scripts, 0},
    {"attack", row_attack, 0},
    {"email", row_email, 0},
    {"channels", row_channels, 1},
    {"ai", row_ai, 0},
    {"hits", row_hits, 0},
    {"streams", row_streams, 1},
    {"dead", row_dead, 1},
    {"conversations", row_conversations, 1},
    {"stored", row_stored, 1},
    {"flows", row_flows, 1},
};
const size_t rows_count = sizeof(rows) / sizeof(rows[0]);

#define VISITORS 200
#define WINDOW 16

static int64_t seconds(double s)
{
    return (int64_t)(s * options.scale * 1e9);
}

/* --- saturated: 200 visitors, each with 16 messages on the way ------------- */
static bool sending;

static void fill_window(struct visitor *v)
{
    uint32_t done = v->acked < v->delivered ? v->acked : v->delivered;
    while (sending && v->sent - done < WINDOW)
        crowd_send(v);
}

void row_saturated(void)
{
    crowd_open(NULL);
    crowd_agents();
    crowd_visitors(VISITORS, 64);
    crowd_warm_up();
    crowd.on_done = fill_window;
    sending = true;
    /* The first second fills caches and windows and is not counted. */
    for (uint32_t i = 0; i < VISITORS; i++)
        fill_window(&crowd.visitors[i]);
    int64_t from = now_ns() + seconds(1);
    while (now_ns() < from)
        engine_turn(-1);
    uint64_t done = crowd.done;
    int64_t cpu = server_cpu_ns(&crowd.server);
    from = now_ns();
    int64_t until = from + seconds(6);
    while (now_ns() < until && !engine.dead)
        engine_turn(-1);
    double n = (double)(crowd.done - done);
    double s = (double)(now_ns() - from) / 1e9;
    cpu = server_cpu_ns(&crowd.server) - cpu;
    sending = false;
    crowd_wait_done(15000);
    crowd_check("saturated");
    figure("saturated", "CPU per message", "us", (double)cpu / 1e3 / n, 14,
           false);
    figure("saturated", "throughput", "messages/s", n / s, 40000, true);
    figure("saturated", "disk per message", "bytes",
           (double)server_disk_bytes(&crowd.server) / (double)crowd.done, 0,
           false);
    crowd_close();
}

/* --- open loop: 5,000 a second, whether answered or not -------------------- */
#define RATE 5000

static struct hist hist;
static int64_t loop_from;

int64_t openloop_due(const struct visitor *v, uint32_t n)
{
    uint64_t k = (uint64_t)(n - 2) * VISITORS + v->conn.id;
    return loop_from + (int64_t)(k * (1000000000ULL / RATE));
}

static void measure(struct visitor *v, uint32_t n, int64_t at_ns)
{
    if (n >= 2)
        hist_add(&hist, at_ns - openloop_due(v, n));
}

void openloop_run(uint64_t count, void (*each)(int64_t at_ns))
{
    const int64_t gap = 1000000000LL / RATE;
    loop_from = now_ns() + 1000000;
    for (uint64_t k = 0; k < count && !engine.dead;) {
        int64_t at = now_ns();
        while (k < count && loop_from + (int64_t)k * gap <= at) {
            crowd_send(&crowd.visitors[k % VISITORS]);
            k++;
        }
        if (each)
            each(at);
        engine_turn(loop_from + (int64_t)k * gap);
    }
    crowd_wait_done(15000);
}

void row_openloop(void)
{
    crowd_open(NULL);
    crowd_agents();
    crowd_visitors(VISITORS, 64);
    crowd_warm_up();
    hist_clear(&hist);
    crowd.on_delivered = measure;
    int64_t cpu = server_cpu_ns(&crowd.server);
    uint64_t done = crowd.done;
    openloop_run((uint64_t)(RATE * 8 * options.scale), NULL);
    cpu = server_cpu_ns(&crowd.server) - cpu;
    crowd_check("openloop");
    double n = (double)(crowd.done - done);
    figure("openloop", "5,000/s: CPU per message", "us", (double)cpu / 1e3 / n,
           40, false);
    figure("openloop", "5,000/s: p50", "ms", (double)hist_at(&hist, 0.50) / 1e6,
           4, false);
    figure("openloop", "5,000/s: p99", "ms", (double)hist_at(&hist, 0.99) / 1e6,
           20, false);
    figure("openloop", "5,000/s: longest", "ms", (double)hist.max / 1e6, 0,
           false);
    crowd_close();
}

/* --- 10,000 connections ---------------------------------------------------- */
static void idle(int64_t ns)
{
    int64_t until = now_ns() + ns;
    while (now_ns() < until)
        engine_turn(-1);
    server_drain_log(&crowd.server);
}

void row_connect(void)
{
    uint32_t n = (uint32_t)(10000 * (options.scale < 1 ? options.scale : 1));
    crowd_open(NULL);
    idle(seconds(1));
    int64_t rss = server_rss_bytes(&crowd.server);
    int64_t cpu = server_cpu_ns(&crowd.server);
    int64_t from = now_ns();
    crowd_visitors(n, 512);
    double s = (double)(now_ns() - from) / 1e9;
    cpu = server_cpu_ns(&crowd.server) - cpu;
    idle(seconds(3));
    rss = server_rss_bytes(&crowd.server) - rss;
    crowd_check("connect");
    if (engine.live != n)
        wrong("connect: %u of %u are still connected", engine.live, n);
    figure("connect", "10,000 idle: RSS per connection", "bytes",
           (double)rss / n, 1536, false);
    figure("connect", "10,000 connects with welcome", "s", s * 10000 / n, 1,
           false);
    figure("connect", "CPU per connect", "us", (double)cpu / 1e3 / n, 40,
           false);
    cpu = server_cpu_ns(&crowd.server);
    idle(seconds(5));
    figure("connect", "10,000 idle: CPU", "ms/s",
           (double)(server_cpu_ns(&crowd.server) - cpu) / 1e6 /
               (5 * options.scale),
           0, false);
    crowd_close();
}

/* --- cold start ------------------------------------------------------------ */
void row_coldstart(void)
{
    struct server s;
    server_start(&s, options.home);
    figure("coldstart", "exec to ready, empty database", "ms",
           (double)s.ready_ns / 1e6, 50, false);
    poll(NULL, 0, 2000);
    server_drain_log(&s);
    figure("coldstart", "RSS at rest", "MB", (double)server_rss_bytes(&s) / 1e6,
           24, false);
    server_stop(&s);
}
