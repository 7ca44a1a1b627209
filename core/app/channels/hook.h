/* SPDX-License-Identifier: Apache-2.0 */
/* hook.h - one webhook until its answer; hooks.c and held.c only.
 *
 * Thread: main. Lies in its job's arena.
 * States: with receive() -> answered, or HELD (its answer waits for a message
 * to its visitor) -> answered
 */
#pragma once
#include "app/channels/channels.h"
#include "base/wheel.h"

struct passive;

struct hook_call {
    struct server *server;
    struct http_req *request;
    struct job *job;
    uint64_t number; /* its job's adapter_call.number */
    int64_t began_us;
    bool counted; /* its handling is over, its answer may wait */
    /* held.c */
    uint64_t channel, contact; /* whose message may be its answer */
    int64_t until_ms;          /* on the loop's clock */
    bool held;
    bool received; /* receive() has ended well; its answer is the other one */
    bool taken;    /* a message was promised to it */
    bool grace;    /* and gets a moment more */
    struct passive *answer; /* passive() is at it; NULL = not */
    struct timer timer;
};

/* hooks.c: what receive() wants said; the end of it. */
void hook_reply(struct hook_call *h);
void hook_count(struct hook_call *h); /* handled; once */
void hook_end(struct hook_call *h);

/* held.c: receive() has ended. true: the answer waits, h is held.c's. */
bool held_waits(struct hook_call *h);
/* h is to end: no message goes in it any more. */
void held_drop(struct hook_call *h);
