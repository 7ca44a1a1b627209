/* SPDX-License-Identifier: Apache-2.0 */
/* choice.h - which version of a script meets a conversation.
 *
 * Why: a canary serves a share of the new conversations, and a script may ask
 * that running ones stay on their version. Both follow from the conversation
 * alone (its id and when it was created), so that a restart, another thread
 * or a replay comes to the same answer and nothing is remembered for it.
 *
 * The canary has its share of the conversations created while it was tried;
 * then the version in whose time the conversation began; then the serving one.
 *
 * Immutable; lies in a plan.
 */
#pragma once
#include "desk/effect.h"

struct version;

#define PINNED_MAX 4 /* old versions kept for running conversations */

/* A version and when it served new conversations: [since_at, until_at). */
struct term {
    struct version *version;
    int64_t since_at, until_at; /* until_at 0 = still */
};
struct choice {
    uint64_t salt; /* of the unit's name */
    struct version *serving;
    struct version *canary; /* NULL = none */
    int32_t share;          /* percent */
    int64_t canary_since, canary_until;
    size_t count; /* of terms; 0: all are on the serving one */
    struct term terms[PINNED_MAX + 1];
};
/* The same for ever: it stands for what visitors meet. */
uint64_t choice_salt(struct slice unit);
/* Is the conversation one of the share? */
bool choice_is_in(uint64_t salt, uint64_t conv, int32_t share);
/* conv 0: the serving one. Any thread. */
struct version *choice_of(const struct choice *c, uint64_t conv,
                          int64_t created_at);
