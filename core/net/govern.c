/* SPDX-License-Identifier: Apache-2.0 */
/* govern.c - rates, intervals and jitter as pure functions.
 *
 * Happy path and failure alike: numbers in, numbers out; no state but the
 * caller's bucket. Time is told, so tests need none.
 */
#include "net/govern.h"

#define AWAY_LEAST_MS 1000
#define AWAY_MOST_MS 10000

bool bucket_take(struct bucket *b, int64_t rate, int64_t burst, int64_t now_ms)
{
    uint32_t passed = (uint32_t)now_ms - b->at_ms;
    int64_t most = burst * 1000 < INT32_MAX ? burst * 1000 : INT32_MAX;
    int64_t sum = b->milli + (int64_t)passed * rate;
    b->milli = (int32_t)(sum > most ? most : sum);
    b->at_ms = (uint32_t)now_ms;
    if (b->milli < 1000)
        return false;
    b->milli -= 1000;
    return true;
}

int64_t bucket_wait(const struct bucket *b, int64_t rate)
{
    int64_t lack = 1000 - b->milli;
    if (lack <= 0)
        return 1;
    return (lack + rate - 1) / rate;
}

/* A prompt answer says that the path keeps the connection open well enough
 * for longer silences; a slow one that it is worth watching. */
int64_t heartbeat_widen(int64_t interval_ms, int64_t rtt_ms, int64_t most_ms)
{
    if (rtt_ms >= 0 && rtt_ms < 1000)
        interval_ms += interval_ms / 4;
    return interval_ms < most_ms ? interval_ms : most_ms;
}

int64_t jitter(int64_t ms, uint64_t random)
{
    int64_t span = ms / 5;
    return span > 0 ? ms - span / 2 + (int64_t)(random % (uint64_t)span) : ms;
}

int64_t away_ms(int64_t peers, bool is_agent, uint64_t random)
{
    if (is_agent)
        return 200 + (int64_t)(random % 300);
    int64_t span = peers; /* about a thousand hellos a second */
    if (span > AWAY_MOST_MS - AWAY_LEAST_MS)
        span = AWAY_MOST_MS - AWAY_LEAST_MS;
    if (span < 500)
        span = 500;
    return AWAY_LEAST_MS + (int64_t)(random % (uint64_t)span);
}
