/* SPDX-License-Identifier: Apache-2.0 */
/* meters.c - the counters of net, in one place so that names stay in step.
 *
 * Happy path: a static struct each; labelled families keep their pointers.
 * Failure: none (meter.h bounds the number of series).
 */
#include "net/meters.h"

#include <stdio.h>
#include <string.h>

#define COUNTER(var, name_, help_)                                             \
    struct meter var = {.name = name_, .help = help_, .kind = METER_COUNTER}
#define GAUGE(var, name_, help_)                                               \
    struct meter var = {.name = name_, .help = help_, .kind = METER_GAUGE}
#define MICROS(var, name_, help_)                                              \
    struct meter var = {                                                       \
        .name = name_, .help = help_, .kind = METER_HISTOGRAM, .scale = 1e-6}

COUNTER(net_accepted, "yuelai_connections_accepted_total",
        "Connections accepted.");
GAUGE(net_open_http, "yuelai_http_connections", "Open HTTP connections.");
GAUGE(net_open_ws, "yuelai_ws_connections", "Open WebSocket connections.");
MICROS(net_http_time, "yuelai_http_request_seconds",
       "From the request's last byte to its answer.");
COUNTER(net_frames_in, "yuelai_ws_frames_in_total", "Messages and pings read.");
COUNTER(net_frames_out, "yuelai_ws_frames_out_total", "Notices written.");
COUNTER(net_bytes_in, "yuelai_net_bytes_in_total", "Bytes read.");
COUNTER(net_bytes_out, "yuelai_net_bytes_out_total", "Bytes written.");
GAUGE(net_out_bytes, "yuelai_net_out_buffer_bytes",
      "Bytes that wait for a slow reader.");
COUNTER(net_slow_readers, "yuelai_ws_slow_readers_total",
        "Peers told to reconnect because they read too slowly.");
COUNTER(net_pings, "yuelai_ws_pings_total", "Pings sent.");
COUNTER(net_missed_pongs, "yuelai_ws_missed_pongs_total",
        "Pings without an answer in time.");
MICROS(net_rtt, "yuelai_ws_rtt_seconds", "Round trip of pings.");
COUNTER(net_rate_limited, "yuelai_ws_rate_limited_total",
        "Frames refused for coming too fast.");
COUNTER(net_hellos, "yuelai_ws_hellos_total", "Hello frames taken.");
COUNTER(net_static_hits, "yuelai_static_hits_total",
        "Static answers out of the cache.");
COUNTER(net_static_reads, "yuelai_static_reads_total",
        "Static files read from disk.");
COUNTER(net_httpc_calls, "yuelai_httpc_calls_total", "Calls to others.");
COUNTER(net_httpc_errors, "yuelai_httpc_errors_total",
        "Calls to others that failed.");
GAUGE(net_httpc_open_breakers, "yuelai_httpc_open_breakers",
      "Hosts that are not called for a while.");
MICROS(net_httpc_time, "yuelai_httpc_seconds", "Time of a call to others.");
GAUGE(net_credits_left, "yuelai_credits_left",
      "Events that may still be taken in.");
COUNTER(net_starved, "yuelai_ws_starved_total",
        "Times a socket was not read for want of credits.");
COUNTER(net_sent_away, "yuelai_ws_sent_away_total",
        "Visitors told to come back later by the governor.");
GAUGE(net_live_exchanges, "yuelai_http_requests_live",
      "Requests that wait for their answer.");
COUNTER(net_accept_pauses, "yuelai_accept_pauses_total",
        "Times accepting paused for want of file handles.");

static void count(struct meter **slot, const char *name, const char *help,
                  const char *label, const char *value)
{
    if (!*slot) {
        char labels[64];
        snprintf(labels, sizeof(labels), "{%s=\"%s\"}", label, value);
        *slot = meter_labelled(METER_COUNTER, name, help, 0, labels);
    }
    meter_add(*slot, 1);
}

void net_count_refused(const char *reason)
{
    static const char *const known[] = {"total", "address", "handles"};
    static struct meter *meters[4];
    size_t i = 0;
    while (i < 3 && strcmp(reason, known[i]) != 0)
        i++;
    count(&meters[i], "yuelai_connections_refused_total",
          "Connections turned away.", "reason", reason);
}

void net_count_status(int status)
{
    static struct meter *meters[6];
    static const char *const class[] = {"0xx", "1xx", "2xx",
                                        "3xx", "4xx", "5xx"};
    int i = status / 100;
    if (i < 0 || i > 5)
        i = 0;
    count(&meters[i], "yuelai_http_requests_total", "Answers by status class.",
          "status", class[i]);
}

void net_count_close(int code)
{
    static const int known[] = {1000, 1001, 1002, 1003, 1007, 1009,
                                1011, 1013, 4001, 4003, 4029};
    static struct meter *meters[12];
    char text[12] = "other";
    size_t i = 0;
    while (i < 11 && known[i] != code)
        i++;
    if (i < 11)
        snprintf(text, sizeof(text), "%d", code);
    count(&meters[i], "yuelai_ws_closes_total", "Closes sent, by code.", "code",
          text);
}
