/* SPDX-License-Identifier: Apache-2.0 */
/* serving.h - who serves: what becomes of a unit's versions.
 *
 * A new version takes the place of the serving one, or tries itself as a
 * canary; the one before is gone, pinned for its conversations, or refused. Of
 * each change the history has a row, so that a restart changes nothing.
 *
 * Thread: main. Nothing here publishes the plan, except what says so.
 */
#pragma once
#include "script/load/reload.h"
#include "script/report.h"

struct unit *serving_unit(struct script *s,
                          struct slice name);          /* made if new */
void serving_forget(struct script *s, struct unit *u); /* its file is gone */

/* At the start, before the file's outcome: what a row says. Takes its version. */
void serving_restore(struct script *s, struct unit *u, struct outcome_of *o);
/* The file's new version: serves, is tried, or is refused. Takes v's ref. */
void serving_load(struct script *s, struct unit *u, struct version *v);
/* The file does not load, or its tests fail. */
void serving_break(struct unit *u, struct slice trouble, enum phase phase);
/* By command, out of the history: serves now; what the file is (file_text, ""
 * = unknown) is refused, unless it is only the serving one loaded anew
 * (is_mending). Takes v's ref. */
void serving_choose(struct script *s, struct unit *u, struct version *v,
                    const char *file_text, bool is_mending);
/* By hand: off, or on. False: it was switched off for its failures, which this
 * does not mend; it is to be loaded anew. */
bool serving_switch(struct script *s, struct unit *u, bool on);
/* Publishes. why: for people, is kept with the version. */
void serving_end_canary(struct script *s, struct unit *u, bool promote,
                        const char *why);
/* v is switched off by the house: a canary is rolled back, a pinned one goes,
 * the serving one gets that state. Publishes. */
void serving_ill(struct script *s, struct unit *u, const struct version *v,
                 enum unit_state state);
/* Pinned versions that no conversation needs any more go; publishes. */
void serving_unpin(struct script *s, struct unit *u, int64_t oldest);
bool serving_is_on(const struct unit *u); /* is it in the plan? */
/* It is asked, switched off for its failures or not: on_failure. */
bool serving_is_guard(const struct unit *u);
