/* SPDX-License-Identifier: Apache-2.0 */
/* play_view.h - what a flow sees of its conversation, and people of a flow.
 *
 * A flow must see the same in every run: the conversation and the contact as
 * they were when it began. Tags and attributes of more than VIEW_BYTES are left
 * out (the flow sees none; conv:live() shows them).
 */
#pragma once
#include "script/flow/play.h"

#define VIEW_BYTES 8192

/* [{...}]: the job's conversation and contact. In the job's arena. */
struct slice play_view_write(struct job *job);
/* The job's conversation and contact become what was written. */
void play_view_read(struct job *job, const struct json *view);
/* {"waits":...,"step":...,"state":...,"saga":...} in the job's arena */
struct slice play_view(const struct play *p);
