/* SPDX-License-Identifier: Apache-2.0 */
/* record_outbox.h - messages to platforms, to rows and back; and found again. */
#pragma once
#include "store/reader.h"
#include "store/record.h"

#define OUTBOX_COLUMNS                                                         \
    "id, pos, conv, channel, contact, seq, state, attempts, due_at, "          \
    "created_at, updated_at, address, remote, reason, receipt, code, undoes"
void record_outbox(struct stmt *s, struct arena *a, struct outbox *out);
/* record_put for PUT_OUTBOX and DEL_OUTBOX; the first not before the event it
 * is of is appended. */
bool record_is_outbox(enum put_kind kind);
int record_put_outbox(struct record_writer *w, const struct put *p,
                      struct err *e);
/* As record_purge: what was sent long ago. */
int record_purge_outbox(struct record_writer *w, int64_t now_ms);

int find_outbox(struct reader *r, struct query *q);
int list_outboxes(struct reader *r, struct query *q);
/* A statement that steps through a conversation's rows from seq `least` on. */
int outbox_of_page(struct reader *r, uint64_t conv, uint32_t least,
                   struct stmt **s);
/* ,"delivery":{...} */
int outbox_write_delivery(struct buf *out, const struct outbox *o);
