/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - the files below home's scripts/, channels/ and ai/: which units
 * there are, their text.
 *
 * Thread: any; blocking.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

/* Calls fn for each unit's name below scripts/rules, scripts/flows, channels,
 * ai and ai/tools, in no order. Names nobody can load (quotes, control
 * characters, overlong) and *_test.lua are passed over. ERR_UNAVAILABLE: a folder could not be read, so
 * not all was seen. */
int files_each(const char *home, void (*fn)(void *arg, struct slice name),
               void *arg);
/* The text of scripts/<name>.lua. ERR_NOT_FOUND, ERR_TOOBIG, ... with e. */
int files_read(const char *home, struct slice name, struct arena *a,
               struct slice *out, struct err *e);
/* The same of the file at `path`, which people know as `known`. */
int files_read_at(const char *path, const char *known, struct arena *a,
                  struct slice *out, struct err *e);
bool files_is_there(const char *home, struct slice name);
/* "rules/20-refund" from "rules/20-refund.lua"; false if it is no script: a
 * test, or of a folder `tests` (kit.h). */
bool files_name(struct slice path, struct slice *name);
/* Where a unit's or lib's file lies below home (NULL = by its name alone). */
void files_below(const char *home, struct slice name, char *out, size_t size);
/* "channels/echo" from "channels/echo.lua" or "channels/echo/adapter.lua";
 * "ai/small" from "ai/small.lua" or "ai/small/connector.lua"; "ai/tools/order"
 * from its file. ai/guard.lua is none: connectors have it as a part. */
bool files_adapter(struct slice path, struct slice *name);
