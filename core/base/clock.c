/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c - time from the vDSO, ids from time and a counter, random bytes.
 *
 * Happy path: no system call for times; an id is one atomic exchange.
 * Failure modes: a wall clock set back (or a million ids within half a second)
 * makes ids run ahead of the clock, still strictly rising; the system without
 * random bytes ends the program.
 */
#include "base/clock.h"
#include "base/err.h"
#include <errno.h>
#include <stdatomic.h>
#include <sys/random.h>
#include <time.h>

#define COUNTER_BITS 21
#define ID_DIGITS 13

static atomic_llong shift_ms, held_ms;
static atomic_ullong last_id;
static const char digits[32] = "0123456789abcdefghjkmnpqrstvwxyz";

static int64_t read_us(clockid_t which)
{
    struct timespec t;
    must(clock_gettime(which, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_ms(void)
{
    int64_t held = atomic_load_explicit(&held_ms, memory_order_relaxed);
    if (held)
        return held;
    return read_us(CLOCK_REALTIME) / 1000 +
           atomic_load_explicit(&shift_ms, memory_order_relaxed);
}

int64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

void clock_shift_ms(int64_t by)
{
    atomic_store_explicit(&shift_ms, by, memory_order_relaxed);
}

void clock_hold_ms(int64_t at)
{
    atomic_store_explicit(&held_ms, at, memory_order_relaxed);
}

int64_t clock_cpu_us(void)
{
    return read_us(CLOCK_THREAD_CPUTIME_ID);
}

/* -- ids ---------------------------------------------------------------- */

uint64_t id_new(void)
{
    int64_t ms = clock_ms();
    uint64_t now = ms > 0 ? (uint64_t)ms << COUNTER_BITS & INT64_MAX : 1;
    unsigned long long id;
    unsigned long long last =
        atomic_load_explicit(&last_id, memory_order_relaxed);
    do {
        id = now > last ? now : last + 1;
    } while (!atomic_compare_exchange_weak_explicit(
        &last_id, &last, id, memory_order_relaxed, memory_order_relaxed));
    return id;
}

struct slice id_text(char out[ID_TEXT], const char *prefix, uint64_t id)
{
    size_t n = strlen(prefix);
    must(n + 1 + ID_DIGITS < ID_TEXT);
    memcpy(out, prefix, n);
    out[n] = '_';
    for (int i = 0; i < ID_DIGITS; i++)
        out[n + 1 + (size_t)i] = digits[id >> (5 * (ID_DIGITS - 1 - i)) & 31];
    out[n + 1 + ID_DIGITS] = '\0';
    return (struct slice){out, n + 1 + ID_DIGITS};
}

bool id_parse(struct slice text, const char *prefix, uint64_t *out)
{
    size_t n = strlen(prefix);
    if (text.len != n + 1 + ID_DIGITS || !slice_starts(text, prefix) ||
        text.at[n] != '_')
        return false;
    uint64_t id = 0;
    for (size_t i = n + 1; i < text.len; i++) {
        const char *d = memchr(digits, text.at[i], sizeof digits);
        if (!d || id >> 59)
            return false;
        id = id << 5 | (uint64_t)(d - digits);
    }
    if (id == 0 || id > INT64_MAX)
        return false;
    *out = id;
    return true;
}

/* -- random ------------------------------------------------------------- */

void random_bytes(void *p, size_t n)
{
    char *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        must(got > 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
}

/* splitmix64 from a random start. */
uint64_t random_u64(void)
{
    static _Thread_local uint64_t state;
    static _Thread_local bool seeded;
    if (!seeded) {
        random_bytes(&state, sizeof state);
        seeded = true;
    }
    uint64_t x = state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
