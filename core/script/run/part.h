/* SPDX-License-Identifier: Apache-2.0 */
/* part.h - what a handler wanted before it goes on to wait.
 *
 * Effects count when the handler returns or waits. Before a wait they become
 * a job of their own, a part: through on_send if it has replies, home, to
 * conf.on_part, and back when it is committed; only then does the wait begin.
 *
 * Thread: the worker's, except part->done (home loop).
 */
#pragma once
#include "script/run/task.h"

/* Makes a part of the task's effects not yet given and sends it on its way;
 * false: there is nothing to give, or nobody takes it. */
bool part_give(struct task *t);
/* At the end of its round, in place of an answer: home, to conf.on_part. */
void part_post(struct worker *w, struct job *part);
