/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - lines to stderr, as text or as JSON, with an event id.
 *
 * Any thread. The last LOG_RING lines are kept for must() and the console.
 * Secrets never come here (I9).
 */
#pragma once
#include "base/buf.h"

#define LOG_RING 200

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

void log_setup(enum log_level least, enum log_format format);
/* The event the calling thread works on; 0 = none. Written to every line. */
void log_event(uint64_t pos);
void log_line(enum log_level level, const char *module, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void log_tail(int fd); /* writes the ring; async-signal-safe */
uint64_t log_count(enum log_level level); /* lines so far, for metrics */

#define log_debug(m, ...) log_line(LOG_DEBUG, m, __VA_ARGS__)
#define log_info(m, ...) log_line(LOG_INFO, m, __VA_ARGS__)
#define log_warn(m, ...) log_line(LOG_WARN, m, __VA_ARGS__)
#define log_error(m, ...) log_line(LOG_ERROR, m, __VA_ARGS__)
