/* SPDX-License-Identifier: Apache-2.0 */
/* kit.h - what tests share: a folder `tests` beside a *_test.lua, or beside a
 * folder above it up to its room (scripts, channels, ai, examples).
 *
 * `require "tests.kit"` in channels/post/adapter_test.lua is
 * channels/post/tests/kit.lua or else channels/tests/kit.lua. The server loads
 * nothing of these folders. A link that leads out of the home is refused.
 *
 * Thread: any; blocking.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define KIT_FOLDER "tests"

/* Does that path (or a part of it) lie in a folder of kits? */
bool kit_is(struct slice path);
/* The text of "tests/kit" as the test at that path means it, and the path it
 * was found at, in the test's own words. ERR_NOT_FOUND, ... with e. */
int kit_read(const char *home, const char *test, struct slice name,
             struct arena *a, struct slice *text, struct slice *file,
             struct err *e);
/* Calls fn with the path below home of each kit there is, in no order. */
void kits_each(const char *home, void (*fn)(void *arg, const char *path),
               void *arg);
