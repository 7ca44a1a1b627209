/* SPDX-License-Identifier: Apache-2.0 */
/* connector.h - what is below ai/: connectors to models, and tools for them.
 *
 * A connector (ai/NAME.lua) and a tool (ai/tools/NAME.lua) are units like any
 * other; their functions are called one at a time with a job that has a call.
 * What they say of themselves as data is version's `adapter`.
 */
#pragma once
#include "script/load/unit.h"

bool connector_is(const struct version *v);
bool connector_is_one(const struct version *v); /* else it is a tool */
/* A field of its table, the value on top of the stack: 1 = read, 0 = not one
 * of theirs, or ERR_UNPROCESSABLE with e. */
int connector_field(struct version *v, const char *name, struct err *e);
const char *connector_known(const struct version *v); /* a sentence */
/* All fields were read: 0 and v->adapter is made, or ERR_UNPROCESSABLE. */
int connector_check(struct version *v, struct err *e);
