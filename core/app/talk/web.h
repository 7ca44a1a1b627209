/* SPDX-License-Identifier: Apache-2.0 */
/* web.h - somebody else's service, played in a talk: a shop's API, a platform.
 *
 * It answers what the story says and remembers what it was asked. A thread of
 * its own, so that it answers while a sentence waits.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct web;

int web_open(struct err *e, struct web **out);
void web_close(struct web *w); /* NULL is fine */
int web_port(const struct web *w);

/* From now on; the newest that fits counts. path may end with "*". */
void web_answer(struct web *w, struct slice method, struct slice path,
                int status, struct slice body);
void web_set_down(struct web *w, bool down); /* answers 503 to everything */
/* The oldest call not yet spoken of that fits (method "" = any; path may end
 * with "*"): true, and its body (copied to a); it is spoken of then. */
bool web_take(struct web *w, struct slice method, struct slice path,
              struct arena *a, struct slice *body);
/* Calls not yet spoken of, as lines for a reader. */
struct slice web_rest(struct web *w, struct arena *a);
