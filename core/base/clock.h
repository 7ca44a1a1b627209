/* SPDX-License-Identifier: Apache-2.0 */
/* clock.h - time, ids, random numbers.
 *
 * Wall time is milliseconds since 1970 UTC; it may be shifted for tests
 * (YUELAI_CLOCK). Ids are 63-bit numbers that rise with creation, also over a
 * restart: 42 bits of ms, 21 bits of counter. Outside they are a prefix and 13
 * characters of Crockford's base32 in lower case, so text order = time order.
 */
#pragma once
#include "base/buf.h"

int64_t clock_ms(void);      /* wall, coarse to 1 ms, shifted */
int64_t clock_mono_us(void); /* monotonic */
void clock_shift_ms(int64_t by);
void clock_hold_ms(int64_t at); /* stands still there; 0 = goes on (tests) */
int64_t clock_cpu_us(void);     /* CPU time of the calling thread */

uint64_t id_new(void); /* any thread; unique in the process, never 0 */
#define ID_TEXT 24     /* prefix, underscore, 13 characters, NUL */
/* "cv" + number -> "cv_0f3k...". Returns out as a slice. */
struct slice id_text(char out[ID_TEXT], const char *prefix, uint64_t id);
/* true only if the text is exactly this prefix and a valid number. */
bool id_parse(struct slice text, const char *prefix, uint64_t *out);

void random_bytes(void *p, size_t n); /* from the system; aborts on failure */
uint64_t random_u64(void);            /* fast, not for secrets; per thread */
