/* SPDX-License-Identifier: Apache-2.0 */
/* zone.h - time zones by name, without the process's TZ.
 *
 * Why our own: libc has one zone for the whole process, and scripts run on
 * several threads. The system's zone files (RFC 9636) are read instead.
 *
 * Pure but for zone_read. Immutable once read.
 */
#pragma once
#include "base/buf.h"

#define ZONE_BYTES (64 * 1024) /* a zone file; the largest has 4 kB */

struct zone; /* one block of memory */
/* Parses a zone file's bytes into room (at least zone_size bytes of them).
 * Returns 0 or ERR_UNPROCESSABLE. */
int zone_parse(struct slice file, void *room, struct zone **out);
size_t zone_size(struct slice file); /* 0 = this is no zone file */
/* "Europe/Berlin" -> the file's bytes, in a. ERR_NOT_FOUND for a name that is
 * none. */
int zone_read(struct slice name, struct arena *a, struct slice *file);
/* "UTC", "Z", "+08:00", "-0330" -> seconds east. */
bool zone_fixed(struct slice name, int32_t *offset);
/* Seconds east of UTC at that moment (s since 1970). */
int32_t zone_offset(const struct zone *z, int64_t at);

/* The machine's: $TZ if it names one, else "localtime". */
struct slice zone_own(void);
/* A zone that was read, or a fixed offset (zone NULL). */
struct zone_ref {
    const struct zone *zone;
    int32_t offset;
};
/* The zone of that name, in a. ERR_NOT_FOUND: there is none; *out is UTC. */
int zone_open(struct slice name, struct arena *a, struct zone_ref *out);
int32_t zone_ref_offset(struct zone_ref r, int64_t at);
/* The moment (s since 1970) at which clocks there show `local` (s, as if they
 * were UTC's) for the first time after `after`. A time that a clock change
 * leaves out is as much later as the clocks went forward; one that comes twice
 * counts twice only if `both`. INT64_MAX: not after `after`. */
int64_t zone_moment(struct zone_ref r, int64_t local, int64_t after, bool both);

/* The calendar's day number (0 = 1970-01-01) and back. */
int64_t day_of(int year, int month, int day);
void day_date(int64_t day, int *year, int *month, int *dom);
static inline int day_weekday(int64_t day) /* 0 = Sunday */
{
    return (int)(((day + 4) % 7 + 7) % 7);
}
