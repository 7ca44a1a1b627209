/* SPDX-License-Identifier: Apache-2.0 */
/* guard.h - counts what may be tried only so often, and what only once.
 *
 * Why: passwords can be guessed and signed requests replayed. Both memories
 * are bounded (I6): when one is full the oldest entries go first.
 *
 * Thread: main.
 */
#pragma once
#include "base/buf.h"

struct guard;
struct guard *guard_new(size_t max_keys);
void guard_free(struct guard *g);
/* One attempt by this key within a window. Returns 0, or how many ms to wait
 * when `most` were made in the window already. */
int64_t guard_try(struct guard *g, struct slice key, int64_t now_ms,
                  int64_t window_ms, int64_t most);
/* Forgets the attempts of a key (a right password). */
void guard_forgive(struct guard *g, struct slice key);
/* true the first time within keep_ms, then false. */
bool guard_once(struct guard *g, struct slice key, int64_t now_ms,
                int64_t keep_ms);
