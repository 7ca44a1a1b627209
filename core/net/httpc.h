/* SPDX-License-Identifier: Apache-2.0 */
/* httpc.h - calls to others: libcurl on our loop (the face is in net.h).
 *
 * Limits: HTTPC_MOST calls at once, HTTPC_PER_HOST to one host; the rest waits
 * in a queue of HTTPC_WAITING, beyond which calls fail at once. A host that
 * failed HTTPC_STRIKES times in a row is not called for HTTPC_REST_MS (then
 * one call tries it). Only http and https, no redirects, certificates checked.
 *
 * Thread: main.   Owns: curl's handles; libcurl is started by the first call.
 */
#pragma once
#include "net/net.h"

#define HTTPC_MOST 64
#define HTTPC_PER_HOST 8
#define HTTPC_WAITING 1000
#define HTTPC_STRIKES 10
#define HTTPC_REST_MS 30000
#define HTTPC_TOTAL_MS 30000 /* when the caller names no time */
#define HTTPC_CONNECT_MS 5000
#define HTTPC_BODY_BYTES LIMIT_HTTP_BODY
#define HTTPC_HEADER_BYTES (32 * 1024)

struct httpc;
struct httpc *httpc_new(struct net *n);
/* Every call still under way is answered with ERR_CANCELLED by mail. Frees h
 * when curl's handles are closed. NULL is fine. */
void httpc_close(struct httpc *h);
