/* SPDX-License-Identifier: Apache-2.0 */
/* meters.h - what net counts. Names are in meters.c. */
#pragma once
#include "base/meter.h"

extern struct meter net_accepted, net_open_http, net_open_ws, net_http_time,
    net_frames_in, net_frames_out, net_bytes_in, net_bytes_out, net_out_bytes,
    net_slow_readers, net_pings, net_missed_pongs, net_rtt, net_rate_limited,
    net_hellos, net_static_hits, net_static_reads, net_httpc_calls,
    net_httpc_errors, net_httpc_open_breakers, net_httpc_time, net_credits_left,
    net_starved, net_sent_away, net_live_exchanges, net_accept_pauses;

void net_count_refused(const char *reason); /* connections turned away */
void net_count_status(int status);          /* answers by class */
void net_count_close(int code);             /* closes we sent, by code */
