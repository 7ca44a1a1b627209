/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - tells which files below some folders changed (inotify).
 *
 * Written and closed, moved to or away, linked, deleted; quiet for
 * WATCH_QUIET_MS before anything is told (WATCH_LONGEST_MS at most), then one
 * call with all that changed. Sub-folders, also new ones, are watched; a folder
 * that is missing is waited for. Names beginning with a dot or ending in ~ are
 * ignored.
 */
#pragma once
#include "loop/loop.h"
#define WATCH_QUIET_MS 200
#define WATCH_LONGEST_MS 2000

struct watch;
/* paths: absolute, n of them, valid during the call; whether a file is there
 * or gone is for the callee to see. On the loop's thread; may close. */
typedef void (*watch_fn)(void *arg, const char *const *paths, size_t n);
int watch_open(struct loop *l, const char *const *folders, size_t n,
               watch_fn fn, void *arg, struct watch **out);
void watch_close(struct watch *w); /* no call comes afterwards */
