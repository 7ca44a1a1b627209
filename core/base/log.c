/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - one line, one write.
 *
 * Happy path: the line is built on the stack, written to stderr in one
 * write(2) (so lines of several threads never mix) and kept in the ring.
 *
 * Failure modes: a sentence longer than a line is cut, marked by "..."; line
 * breaks and control characters in it are escaped, so one call is one line
 * whatever a peer sent. A stderr that is full or closed loses the line: there
 * is nowhere to tell it, the ring still has it. log_tail runs in a dying
 * program, takes no lock, and may show a line half overwritten.
 */
#include "base/log.h"
#include "base/clock.h"
#include "base/json.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 1024
#define KEPT_BYTES 512 /* of a line in the ring: 100 KB when all is used */

static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};
static const char *const level_lower[] = {"debug", "info", "warn", "error"};

static atomic_int least = LOG_INFO;
static atomic_int format = LOG_TEXT;
static atomic_ullong counts[4];
static _Thread_local uint64_t event;

static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static char ring[LOG_RING][KEPT_BYTES]; /* ends with \n; untouched = no page */
static unsigned short ring_len[LOG_RING];
static atomic_uint ring_next;

void log_setup(enum log_level least_, enum log_format format_)
{
    atomic_store(&least, least_);
    atomic_store(&format, format_);
}

void log_event(uint64_t pos)
{
    event = pos;
}

uint64_t log_count(enum log_level level)
{
    return atomic_load_explicit(&counts[level], memory_order_relaxed);
}

/* 2026-01-05T22:00:00.123Z */
static void time_text(char out[32])
{
    int64_t ms = clock_ms();
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + n, 32 - n, ".%03dZ", (int)(ms % 1000));
}

/* Makes broken UTF-8 and control characters harmless, in place. */
static void tame(char *text)
{
    bool utf8 = slice_is_utf8(slice_of(text));
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f || (!utf8 && *p >= 0x80))
            *p = *p == '\n' || *p == '\t' ? ' ' : '?';
}

/* Off with a character that the end of the room cut in two. */
static void cut(char *text, size_t room, int wanted)
{
    if (wanted < 0 || (size_t)wanted < room)
        return;
    size_t n = room - 4;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    memcpy(text + n, "...", 4);
}

static int as_text(struct buf *line, enum log_level level, const char *module,
                   const char *when, const char *said)
{
    int err = buf_addf(line, "%s %s %s ", when, level_names[level], module);
    if (!err && event)
        err = buf_addf(line, "event=%llu ", (unsigned long long)event);
    return err ? err : buf_addf(line, "%s\n", said);
}

static int as_json(struct buf *line, enum log_level level, const char *module,
                   const char *when, const char *said)
{
    struct jsonw w = jsonw_on(line);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "at", slice_of(when));
    jsonw_put_text(&w, "level", slice_of(level_lower[level]));
    jsonw_put_text(&w, "module", slice_of(module));
    if (event)
        jsonw_put_int(&w, "event", (int64_t)event);
    jsonw_put_text(&w, "message", slice_of(said));
    jsonw_close(&w, '}');
    return w.failed ? w.failed : buf_add_char(line, '\n');
}

static void keep(struct slice line)
{
    pthread_mutex_lock(&ring_lock);
    unsigned at = atomic_load(&ring_next) % LOG_RING;
    size_t n = line.len < KEPT_BYTES ? line.len : KEPT_BYTES;
    memcpy(ring[at], line.at, n);
    ring[at][n - 1] = '\n';
    ring_len[at] = (unsigned short)n;
    atomic_fetch_add(&ring_next, 1);
    pthread_mutex_unlock(&ring_lock);
}

static void put(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t did = write(fd, p, n);
        if (did < 0 && errno == EINTR)
            continue;
        if (did <= 0)
            return;
        p += did;
        n -= (size_t)did;
    }
}

void log_line(enum log_level level, const char *module, const char *fmt, ...)
{
    if ((int)level < atomic_load_explicit(&least, memory_order_relaxed))
        return;
    int saved = errno;
    char said[LINE_BYTES], room[2 * LINE_BYTES + 256], when[32];
    va_list args;
    va_start(args, fmt);
    int wanted = vsnprintf(said, sizeof said, fmt, args);
    va_end(args);
    cut(said, sizeof said, wanted);
    tame(said);
    time_text(when);

    /* Room for every escape: buf stays on the stack, the add cannot fail. */
    struct buf line = {.data = room, .cap = sizeof room, .max = sizeof room};
    int err = atomic_load(&format) == LOG_JSON
                  ? as_json(&line, level, module, when, said)
                  : as_text(&line, level, module, when, said);
    if (!err) {
        atomic_fetch_add_explicit(&counts[level], 1, memory_order_relaxed);
        keep(buf_slice(&line));
        put(STDERR_FILENO, line.data, line.len);
    }
    errno = saved;
}

void log_tail(int fd)
{
    unsigned next = atomic_load(&ring_next);
    for (unsigned i = 0; i < LOG_RING; i++) {
        unsigned at = (next + i) % LOG_RING;
        put(fd, ring[at], ring_len[at]);
    }
}
