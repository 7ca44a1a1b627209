/* SPDX-License-Identifier: Apache-2.0 */
/* confirms.h - what confirms.c keeps in memory; the desk's own files only. */
#pragma once
#include "desk/inner.h"

struct outcome;
struct turn_end;

/* At most one of a conversation. */
struct confirm_live {
    struct desk *desk;
    struct arena *arena; /* owned; rec's texts lie in it */
    struct confirm rec;
    struct timer timer; /* until it is over */
};

/* What a turn's end says of confirmations, into its tx. */
void confirms_end(struct outcome *o, const struct turn_end *e);
/* The holder changes with this tx: so it is cancelled, in the same one. */
void confirms_put(struct conv *c, const struct step *s, struct tx *tx);
void confirms_stored(struct desk *d, const struct confirm *row); /* committed */
void confirms_drop(struct conv *c); /* it is freed */

struct decision;
void decision_end(struct decision *k, int result); /* takes; NULL is fine */
