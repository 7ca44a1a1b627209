/* SPDX-License-Identifier: Apache-2.0 */
/* screen.h - what scripts say passes on_send, as what agents say does.
 *
 * When a round of another hook has ended with replies, each of them goes
 * through the HOOK_SEND pipeline as a message of role bot. The job is lent for
 * that: hook, event, text, kind and effects are the reply's, and are put back
 * before the job goes home. EDIT changes the reply, REJECT takes it out; what
 * else the handlers want joins the round's effects.
 *
 * Thread: whoever has the job.   Lives in the job's arena.
 */
#pragma once
#include "script/run/worker.h"

/* A pass is over, or the round is. True: the job is set up for the next reply
 * and its plan begins anew. False: it is whole again and may go home. */
bool screen_next(struct run *run);
/* Whole again without going on: the house stops. */
void screen_close(struct run *run);
