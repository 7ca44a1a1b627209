/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - the series that scripts have made, of one worker (bind_metric).
 * Threads: the worker's and the lanes', under a lock. */
#pragma once

struct metrics;
struct metrics *metrics_new(void);
void metrics_free(struct metrics *m); /* NULL is fine; the series stay */
