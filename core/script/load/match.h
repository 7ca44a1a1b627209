/* SPDX-License-Identifier: Apache-2.0 */
/* match.h - a rule's `match`: which events it wants, as data.
 *
 * The core answers "does any rule want this?" on the main thread, without Lua,
 * without allocating, cheap facts first and the search through the text last.
 *
 * Immutable once read.
 */
#pragma once
#include "desk/effect.h"
#include <lua.h>

#define MATCH_WORDS 200 /* in one list */

struct words {
    struct slice *at;
    size_t count;
};
enum match_holder { HOLDER_BOT = 1, HOLDER_AGENT = 2, HOLDER_ASSISTANT = 4 };
struct match {
    struct words kind, channel, tier, text; /* text: in lower case */
    unsigned states;  /* bits of enum conv_state, 0 = any */
    unsigned holders; /* bits of enum match_holder, 0 = any */
    bool first;
};

/* Reads the table on top of the stack; copies to a. On trouble returns
 * ERR_UNPROCESSABLE, e tells and e->field is the field at fault. Raw access
 * only, raises nothing. */
int match_read(lua_State *L, struct arena *a, struct match *m, struct err *e);
/* kind, first and text count for messages only (on_message, on_inbound,
 * on_send); a timer or a flow is for its unit whatever stands here. Any
 * thread. */
bool match_is(const struct match *m, const struct job *job);
