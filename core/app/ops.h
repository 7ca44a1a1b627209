/* SPDX-License-Identifier: Apache-2.0 */
/* ops.h - what machines look at: /healthz /readyz /metrics. */
#pragma once
#include "app/server.h"

/* Answers r if its path is one of ours. */
bool ops_answer(struct server *s, struct http_req *r);
