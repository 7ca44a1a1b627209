/* SPDX-License-Identifier: Apache-2.0 */
/* httpc.h - calls to others: libcurl on our loop (the face is in net.h).
 *
 * Limits: HTTPC_MOST calls at once, HTTPC_PER_HOST to one host; the rest waits,
 * host by host (a placed call waits for nobody: at most HTTPC_PLACED of them), at most HTTPC_WAITING for one of them and HTTPC_WAITING_BYTES
 * of bodies in all, beyond which calls fail at once (ERR_RATE_LIMITED). A host
 * (scheme, name, port) that fails is left alone by its breaker (base/breaker.h;
 * what fails is the way to it, its time, or a status of 5xx). A stream's unread
 * bytes are at most HTTPC_STREAM_BYTES: then its socket is not read.
 *
 * Thread: main.   Owns: curl's handles; libcurl is started by the first call.
 */
#pragma once
#include "net/net.h"

#define HTTPC_MOST 200
#define HTTPC_PER_HOST 20
#define HTTPC_PLACED 8000 /* an assistant says how many of them are its own */
#define HTTPC_WAITING 1000
#define HTTPC_WAITING_BYTES (64 * 1024 * 1024)
#define HTTPC_TOTAL_MS 30000 /* when the caller names no time */
#define HTTPC_CONNECT_MS 5000
#define HTTPC_BODY_BYTES LIMIT_HTTP_BODY
#define HTTPC_HEADER_BYTES (32 * 1024)
#define HTTPC_STREAM_BYTES (64 * 1024)
#define HTTPC_STREAM_PIECE 1024 /* read at once; the least curl takes */
#define HTTPC_STREAM_SENT 16384 /* written at once by TLS; likewise */
#define HTTPC_FOLLOW_MOST 5
#define HTTPC_HOSTS 1000 /* remembered */
#define HTTPC_SERIES 100 /* hosts with series of their own */

struct httpc;
/* ca_file: NULL, or trusted beside the system's; copied. */
struct httpc *httpc_new(struct net *n, const char *ca_file);
/* Every call still under way is answered with ERR_CANCELLED by mail. Frees h
 * when curl's handles are closed. NULL is fine. */
void httpc_close(struct httpc *h);
