/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h - the durable rows of the fake store: records, the projection of a
 * conversation's events, and the answers to queries. */
#pragma once
#include "fakestore.h"

void rows_add(struct row_list *l, void *row);
void rows_put(struct world *w, const struct put *p);
/* What follows from an event; gives messages their seq. */
void rows_project(struct conv_row *row, struct event *ev);
/* Remembers who held and saw the tx's conversations from now on. */
void rows_note_holdings(struct world *w, const struct tx *tx);
void rows_answer(struct world *w, struct query *q);
