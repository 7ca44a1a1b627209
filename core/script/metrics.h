/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - the series that scripts have made, of one worker (bind_metric).
 * Thread: the worker's. */
#pragma once

struct metrics;
void metrics_free(struct metrics *m); /* NULL is fine; the series stay */
