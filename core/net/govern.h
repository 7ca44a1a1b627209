/* SPDX-License-Identifier: Apache-2.0 */
/* govern.h - small pure rules: rates, heartbeat intervals, jitter. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* A token bucket in thousandths, so that slow rates work in whole numbers. */
struct bucket {
    int32_t milli;  /* tokens * 1000 */
    uint32_t at_ms; /* of the last refill; wraps, differences do not */
};
/* Fills up to `burst`, takes one. false: too fast. rate in 1/s, > 0. */
bool bucket_take(struct bucket *b, int64_t rate, int64_t burst, int64_t now_ms);
/* ms until there is a token again, at least 1. */
int64_t bucket_wait(const struct bucket *b, int64_t rate);

/* The next interval between pings after an answer (widen towards most) or a
 * miss (shrink to least). rtt_ms < 0: not known. */
int64_t heartbeat_widen(int64_t interval_ms, int64_t rtt_ms, int64_t most_ms);
/* ms moved by up to a tenth either way, so that many do not come at once. */
int64_t jitter(int64_t ms, uint64_t random);
/* How long to stay away when `peers` go at once; agents come back first. */
int64_t away_ms(int64_t peers, bool is_agent, uint64_t random);
