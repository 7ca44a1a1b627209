/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h - what a rule's table says about when and how far it may run:
 * hooks, events, deadline, limits, canary, pin, on_failure.
 *
 * Read once, while the file is loaded; raw access only, raises nothing.
 */
#pragma once
#include "script/load/unit.h"

#define DEADLINE_MOST_MS 30000

/* The value of field `name` is on top of v->L. 1: read; 0: no field of ours;
 * ERR_UNPROCESSABLE with e, e->field where to look in the source. */
int field_read(struct version *v, const char *name, struct err *e);
/* After all fields: what cannot be said of one alone. */
int fields_check(struct version *v, struct err *e);
/* "8MB", "512KB" on top of the stack, as bytes. */
bool field_bytes(lua_State *L, int64_t *bytes);
/* What there is, for "unknown field": "on_message, on_send, ... limits". */
#define FIELD_NAMES                                                            \
    "on_inbound, on_message, on_send, on_assign, on_queue, on_close, "         \
    "on_timer, on_event, on_conversation, run, states, events, deadline, "     \
    "limits, "                                                                 \
    "canary, pin, on_failure"
/* Nothing beyond the house's; before a table is read. */
void limits_init(struct limits *l, size_t memory_bytes);
