/* SPDX-License-Identifier: Apache-2.0 */
/* rows_growth.c - does a message cost more when there is more of everything?
 *
 * Ten senders at any time, each with a burst of 32: the same system calls per
 * message whether they are always the same ten conversations or each burst is
 * another of 10,000. Only the number differs.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#define SENDERS 10
#define BURST 32
#define GROWTH 1.2

static uint32_t next[SENDERS]; /* the conversation this sender takes next */
static bool sending;

/* Sender s owns the visitors s, s + 10, s + 20 ... and goes round them. */
static void burst(uint32_t s)
{
    struct visitor *v = &crowd.visitors[next[s]];
    next[s] += SENDERS;
    if (next[s] >= crowd.visitor_count)
        next[s] = s;
    for (int i = 0; i < BURST; i++)
        crowd_send(v);
}

static void after_burst(struct visitor *v)
{
    if (sending && v->acked == v->sent && v->delivered == v->sent)
        burst(v->conn.id % SENDERS);
}

/* CPU us per message over some seconds. */
static double bursts(double for_s)
{
    crowd.on_done = after_burst;
    sending = true;
    for (uint32_t s = 0; s < SENDERS; s++) {
        next[s] = s;
        burst(s);
    }
    int64_t from = now_ns() + (int64_t)(0.5e9 * options.scale);
    while (now_ns() < from && !engine.dead)
        engine_turn(-1);
    uint64_t done = crowd.done;
    int64_t cpu = server_cpu_ns(&crowd.server);
    from = now_ns();
    while (now_ns() - from < (int64_t)(for_s * options.scale * 1e9) &&
           !engine.dead)
        engine_turn(-1);
    cpu = server_cpu_ns(&crowd.server) - cpu;
    double n = (double)(crowd.done - done);
    sending = false;
    crowd_wait_done(15000);
    return n > 0 ? (double)cpu / 1e3 / n : 0;
}

static void ratio(const char *row, const char *name, const char *few,
                  const char *many)
{
    double a = figure_median(row, few), b = figure_median(row, many);
    if (a > 0)
        figure(row, name, "x", b / a, GROWTH, false);
}

static void with_conversations(uint32_t count, const char *name)
{
    crowd_open(NULL);
    crowd_agents();
    crowd_visitors(count, 256);
    crowd_warm_up();
    for (int i = 0; i < options.repeats; i++)
        figure("conversations", name, "us", bursts(4), 0, false);
    crowd_check(name);
    crowd_close();
}

void row_conversations(void)
{
    uint32_t many = options.scale < 1 ? 1000 : 10000;
    with_conversations(SENDERS, "CPU per message, 10 conversations");
    with_conversations(many, "CPU per message, 10,000 conversations");
    ratio("conversations", "10 to 10,000 conversations: growth",
          "CPU per message, 10 conversations",
          "CPU per message, 10,000 conversations");
}

/* --- stored messages ------------------------------------------------------- */
#define VISITORS 200
static uint64_t goal;

static void preload_next(struct visitor *v)
{
    uint32_t done = v->acked < v->delivered ? v->acked : v->delivered;
    while (crowd.sent < goal && v->sent - done < 16)
        crowd_send(v);
}

static void preload(uint64_t messages)
{
    int64_t until = now_ns() + 180 * 1000000000LL;
    goal = messages;
    crowd.on_done = preload_next;
    for (uint32_t i = 0; i < crowd.visitor_count; i++)
        preload_next(&crowd.visitors[i]);
    while (crowd.sent < goal && now_ns() < until && !engine.dead)
        engine_turn(-1);
    if (!crowd_wait_done(15000))
        die("preload: %llu of %llu", (unsigned long long)crowd.done,
            (unsigned long long)goal);
}

void row_stored(void)
{
    uint64_t million =
        (uint64_t)(1e6 * (options.scale < 1 ? options.scale : 1));
    for (int i = 0; i < options.repeats; i++) { /* each on an empty database */
        crowd_open(NULL);
        crowd_agents();
        crowd_visitors(VISITORS, 64);
        crowd_warm_up();
        figure("stored", "CPU per message, nothing stored", "us", bursts(2), 0,
               false);
        if (i + 1 == options.repeats) {
            preload(million);
            for (int k = 0; k < options.repeats; k++)
                figure("stored", "CPU per message, 1 M stored", "us", bursts(4),
                       0, false);
        }
        crowd_check("stored");
        crowd_close();
    }
    ratio("stored", "0 to 1 M stored messages: growth",
          "CPU per message, nothing stored", "CPU per message, 1 M stored");
}
