/* SPDX-License-Identifier: Apache-2.0 */
/* record_assist.h - assistants and their turns, to rows and back. */
#pragma once
#include "store/reader.h"
#include "store/record.h"

#define ASSISTANT_COLUMNS                                                      \
    "id, name, type, config, secrets, settings, enabled, created_at, "         \
    "updated_at"
void record_assistant(struct stmt *s, struct arena *a, struct assistant *out);
#define TURN_COLUMNS                                                           \
    "id, conv, contact, pos, seq, fence, state, assistant, created_at, "       \
    "updated_at, reason, note"
void record_turn(struct stmt *s, struct arena *a, struct turn *out);
#define CONFIRM_COLUMNS                                                        \
    "id, conv, turn, fence, state, agent, told, decided_by, assistant, tool, " \
    "call, hash, question, result, created_at, expires_at, updated_at"
void record_confirm(struct stmt *s, struct arena *a, struct confirm *out);
/* record_put for PUT_ASSISTANT, DEL_ASSISTANT, PUT_TURN and PUT_CONFIRM. */
bool record_is_assist(enum put_kind kind);
int record_put_assist(struct record_writer *w, const struct put *p,
                      struct err *e);
/* As record_purge: turns that were over long ago. */
int record_purge_turns(struct record_writer *w, int64_t now_ms);

int list_turns(struct reader *r, struct query *q);
/* record_confirm.c */
int record_put_confirm(struct record_writer *w, const struct confirm *f);
int record_purge_confirms(struct record_writer *w, int64_t now_ms);
int list_confirms(struct reader *r, struct query *q);
