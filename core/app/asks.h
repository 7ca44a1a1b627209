/* SPDX-License-Identifier: Apache-2.0 */
/* asks.h - what scripts ask of the house, between the files that answer.
 *
 * Thread: main. An ask belongs to whoever answers it, until asks_answer.
 */
#pragma once
#include "app/server.h"

/* Takes the ask; frees it when its wing is closed. */
void asks_answer(struct server *s, struct script_ask *ask);
/* ASK_LOOKUP: conversations, contacts, messages. Takes the ask. */
void lookup_ask(struct server *s, struct script_ask *ask);
