/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - tells which files below some folders changed (inotify by libuv).
 *
 * Close-write, moved-to, created, deleted; quiet for WATCH_QUIET_MS before
 * anything is told, then one call with all that changed. Sub-folders, also new
 * ones, are watched. Names beginning with a dot or ending in ~ are ignored.
 */
#pragma once
#include "loop/loop.h"
#define WATCH_QUIET_MS 200

struct watch;
/* paths: absolute, n of them, valid during the call. On main thread. */
typedef void (*watch_fn)(void *arg, const char *const *paths, size_t n);
int watch_open(struct loop *l, const char *const *folders, size_t n,
               watch_fn fn, void *arg, struct watch **out);
void watch_close(struct watch *w); /* no call comes afterwards */
