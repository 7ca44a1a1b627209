/* SPDX-License-Identifier: Apache-2.0 */
/* prompts.h - the texts in ai/prompts: what assistants are told first.
 *
 * Read at the start and whenever one changes, on a thread of its own; the old
 * ones serve until all are read. A prompt's version is its content's hash. What
 * stands in front between two lines --- is for people: no model is told.
 *
 * Thread: main.
 */
#pragma once
#include "app/server.h"

#define PROMPT_BYTES (32 * 1024)
#define PROMPTS_MOST 200
#define PROMPT_VERSION 13 /* 12 hex digits, NUL */

struct prompts;
struct prompts *prompts_read(const char *home); /* blocking; never NULL */
void prompts_free(struct prompts *p);
/* name: without .md. NULL: there is none. */
const char *prompts_find(const struct prompts *p, struct slice name,
                         struct slice *text);
/* Some of the paths are prompts: they are read anew. */
void prompts_changed(struct server *s, const char *const *paths, size_t n);
