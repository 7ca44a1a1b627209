/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - what people order of one script, until it is really done.
 *
 * Why: "done" must be true. A command that needs a new version goes to the
 * builder and comes home with its batch; the others are answered by mail.
 *
 * Thread: made and ended on main; the builder has it in between.
 */
#pragma once
#include "script/script.h"

struct command {
    struct mail mail;      /* must be first */
    struct script *script; /* one ref */
    struct arena *arena;   /* owned; the command lies in it */
    struct slice unit;
    struct script_version *to; /* CHOOSE; NULL: the file is read again */
    bool is_mending;           /* `to` is what serves, loaded anew */
    script_done_fn done;
    void *arg;
    int result;
    struct err err;
};
/* On main: its batch is applied; what became of it is told. Takes it. */
void command_applied(struct command *c);
/* Any thread: it ends on the home loop. */
void command_cancel(struct command *c);
