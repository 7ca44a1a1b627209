/* SPDX-License-Identifier: Apache-2.0 */
/* record_recall.h - what is left of a message that was taken back.
 *
 * Its words go from the journal for good; the hash of what they were stays, so
 * that the chain still proves who said something, and when (journal.h).
 */
#pragma once
#include "store/reader.h"
#include "store/record.h"

/* record_put for PUT_LEFT. ERR_CONFLICT: it was done before. */
int record_put_left(struct record_writer *w, const struct left *l,
                    struct err *e);
/* QUERY_EVENT by contact and ref: their message with this ref, not long ago. */
int find_said(struct reader *r, struct query *q);
