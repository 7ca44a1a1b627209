/* SPDX-License-Identifier: Apache-2.0 */
/* channels.h - platforms at the roof: what they push, what is fetched, what
 * they say becomes messages.
 *
 * The core knows no platform: an adapter (channels/<type>.lua, in the script
 * wing) reads what came and says what it means (channels/README.md).
 *
 * Thread: main.
 */
#pragma once
#include "app/server.h"

struct script_ask;

/* hooks.c: /hooks/<channel>...; true: it was one, the request is taken. */
bool hooks_answer(struct server *s, struct http_req *r);

/* inbound.c, receipts.c: take the ask (ASK_DELIVER, ASK_RECEIPT). */
void inbound_ask(struct server *s, struct script_ask *ask);
void receipt_ask(struct server *s, struct script_ask *ask);

/* polls.c: looks at the channels and adapters there are; again whenever either
 * changes, and once a second. */
void polls_look(struct server *s);
void polls_free(struct server *s);

/* call.c: what the adapter wants remembered, with what else is to be stored;
 * then next(arg, 0 or ERR_*), also when there was nothing. */
void call_keep(struct server *s, const struct job *job,
               void (*next)(void *arg, int result), void *arg);
/* {"ok":…} of check(); done on the loop, exactly once. NULL answer: e tells. */
void call_check(struct server *s, const struct channel *ch,
                void (*done)(void *arg, struct slice answer,
                             const struct err *e),
                void *arg);
