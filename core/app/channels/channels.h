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
struct json;

/* hooks.c: /hooks/<channel>...; true: it was one, the request is taken. */
bool hooks_answer(struct server *s, struct http_req *r);

/* held.c: the webhook whose adapter_call.number is `hook` waits for a message to
 * this contact, at most ms from its coming; it does so no longer. */
void held_begin(struct server *s, uint64_t hook, uint64_t channel,
                uint64_t contact, int64_t ms);
void held_forget(struct server *s, uint64_t hook);
/* The desk's port: its number, 0 = none waits. */
uint64_t held_take(struct server *s, uint64_t channel, uint64_t contact);
/* HOOK_PASSIVE on its way to the adapter: it gets the request, and its end is
 * held.c's first. false: the webhook is over, its done comes without a run. */
bool held_dress(struct server *s, struct job *job);
/* The house stops: those that wait are answered. */
void held_stop(struct server *s);

/* inbound.c, receipts.c: take the ask (ASK_DELIVER, ASK_RECEIPT). */
void inbound_ask(struct server *s, struct script_ask *ask);
void receipt_ask(struct server *s, struct script_ask *ask);
/* `dedupe` as the message's ref. */
struct slice inbound_ref(struct arena *a, struct slice dedupe);
/* whose.c: the contact of this identity on the channel, made of the rest if
 * there is none yet (slices: the ask's). next comes with it, or the ask is
 * refused; who: during the call, its texts as long as the ask. */
struct whose {
    struct slice identity, name, email, phone;
};
void whose_ask(struct server *s, struct script_ask *ask, uint64_t channel,
               const struct whose *is,
               void (*next)(void *arg, const struct contact *who), void *arg);
/* A short text of the first that has it (then: may be NULL), or "". */
struct slice whose_word(const struct json *first, const struct json *then,
                        const char *name);
/* echoes.c: takes ASK_ECHO. */
void echo_ask(struct server *s, struct script_ask *ask);
/* recalled.c: takes ASK_RECALLED. */
void recalled_ask(struct server *s, struct script_ask *ask);

/* choices.c: what this text chooses from the numbered list its sender was sent
 * last; next gets it, "" = nothing; perhaps from inside. */
void choices_find(struct server *s, struct arena *a, uint64_t contact,
                  struct slice text,
                  void (*next)(void *arg, struct slice chosen), void *arg);

/* polls.c: looks at the channels and adapters there are; again whenever either
 * changes, and once a second. */
void polls_look(struct server *s);
/* This channel's poll() is wanted now, or once more if it is under way. */
void polls_soon(struct server *s, uint64_t channel);
void polls_free(struct server *s);

/* call.c: what the adapter wants remembered, with what else is to be stored;
 * then next(arg, 0 or ERR_*), also when there was nothing. */
void call_keep(struct server *s, const struct job *job,
               void (*next)(void *arg, int result), void *arg);
/* An item on its way to its adapter (HOOK_DELIVER): its file gets a link, what
 * the platform cannot show becomes text. */
void call_dress(struct server *s, struct job *job);
/* {"ok":…} of check(); done on the loop, exactly once. NULL answer: e tells. */
void call_check(struct server *s, const struct channel *ch,
                void (*done)(void *arg, struct slice answer,
                             const struct err *e),
                void *arg);
