/* SPDX-License-Identifier: Apache-2.0 */
/* turns.h - what turns.c keeps in memory; the desk's own files only. */
#pragma once
#include "desk/inner.h"

struct outcome;

/* An answer that is owed; small, for thousands may wait for one provider. */
struct turn_live {
    struct desk *desk;
    uint64_t id, conv, pos;
    uint32_t seq, fence;
    int64_t created_at;
    struct slice assistant; /* own */
    bool given;             /* the roof works on it */
    struct turn_end *end;   /* could not be written yet; owned */
    struct timer again;
};

/* What a job's effects want of the bot, into the tx. */
void turns_plan(struct outcome *o);
/* The answer that is known, behind the record's change, with the turn's end. */
void turns_answer(struct outcome *o);
/* An answer is owed under next's fence; pos: of the message, 0 = of none. */
void turns_owe(struct desk *d, const struct conv *c, struct tx *tx,
               const struct conversation *next, uint64_t pos);
/* The same, and what is owed now is not any more. */
void turns_anew(struct desk *d, struct conv *c, struct tx *tx,
                const struct conversation *next);
/* The holder changes with this tx: so ends the turn, in the same one, and a
 * note may be owed to who takes it. */
void turns_put(struct conv *c, struct step *s, struct tx *tx);
void turns_stored(struct desk *d, const struct turn *row); /* committed */
void turns_heard(struct desk *d, struct conv *c); /* the visitor wrote */
/* The answer's commit failed: again later. Takes it. */
void turns_unwritten(struct desk *d, struct turn_end *e);
void turns_drop(struct desk *d, struct conv *c); /* it is freed */
void turns_start(struct desk *d);
/* An agent's peer wants to see what its bot answers, or nothing any more (c
 * NULL). Only while it may see the conversation. */
void turns_watch(struct desk *d, struct desk_peer *p, struct conv *c);
/* A visitor's peer came in the middle of an answer: what was said of it. */
void turns_retell(struct desk *d, struct desk_peer *p);
