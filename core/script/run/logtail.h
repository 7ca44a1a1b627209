/* SPDX-License-Identifier: Apache-2.0 */
/* logtail.h - the last lines a version has logged, for its error records.
 *
 * Why: what a script said before it failed is half of the explanation. Owned by
 * its version and touched by whoever has the state; memory only from the first
 * line on. Fails by nothing.
 */
#pragma once
#include "base/buf.h"

#define LOGTAIL_LINES 20
#define LOGTAIL_BYTES 200 /* of a line; the rest is cut */

struct log_tail;
/* *tail is made at the first line; free it with mem_free. */
void logtail_add(struct log_tail **tail, struct slice line);
/* The lines, oldest first, each with a "\n" behind it: owned by the caller
 * (mem_free); NULL if there is none. */
char *logtail_text(const struct log_tail *tail);
