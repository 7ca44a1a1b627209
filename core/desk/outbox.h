/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.h - what outbox.c and outbox_end.c keep in memory; the desk's own
 * files only. */
#pragma once
#include "base/breaker.h"
#include "desk/inner.h"

struct out_item {
    struct out_item *next;
    uint64_t id, pos;
    uint64_t undoes; /* row whose message it takes back; 0 = it sends one */
    bool held;       /* it is being recalled: nothing goes until that is done */
    uint32_t seq, attempts;
    int64_t due_at, created_at;
    struct slice to;
    struct slice body; /* own; until the first try, then read again */
};

/* What waits in one conversation, in its order. */
struct out_conv {
    uint64_t conv, contact;
    struct out_channel *channel;
    struct out_item *first, *last;
    bool busy;           /* the first is with the adapter or being settled */
    bool asked;          /* counted in the channel's unsettled */
    bool nobody;         /* there was no adapter for it */
    bool unheard;        /* it waits until its visitor writes */
    bool heard;          /* they did since the first was given to the adapter */
    bool push;           /* its sockets get the messages, the adapter a push */
    uint32_t batch;      /* how many of the first are with the adapter */
    uint32_t unread;     /* push: of the visitor, told with it */
    int64_t cleared_at;  /* push: then it was found to be needed; 0 = not yet */
    int64_t quiet_till;  /* push: none before */
    int64_t restored_at; /* by a start; 0 = looked at since */
    uint64_t probed;     /* push: item for which the sockets were asked */
    uint32_t ticket;     /* of the breaker */
    uint64_t held;       /* it goes as the answer to this webhook; 0 = not */
    struct timer timer;
    struct list link; /* in channel's ready */
};

struct out_channel {
    uint64_t id;
    struct desk *desk;
    struct list ready;  /* of out_conv */
    uint32_t under_way; /* with the adapter */
    uint32_t typing;    /* calls of typing() under way */
    uint32_t waiting;   /* items, also those */
    int64_t oldest_at;  /* of their first ones, when it was looked for last */
    uint32_t unsettled; /* these, and what came of them is not stored yet */
    int64_t tokens, filled_at;
    struct breaker breaker;
    struct timer timer;
};

/* window.c: may an answer go out now? 0, or ERR_UNPROCESSABLE with a sentence
 * that begins with window_closed. */
#define WINDOW_FIELD "reply_window"
int window_check(const struct desk *d, struct conversation *c, struct err *e);
/* It has closed by time, for what was queued before. */
bool window_is_over(const struct desk *d, uint64_t conv);

/* What the adapter said of the first item. */
struct verdict {
    enum outbox_state state;
    enum breaker_outcome told;
    struct slice remote, reason, code;
    int64_t retry_ms;
    bool nobody, unheard;
    bool arrived; /* by a socket: nothing was sent */
};
/* The first item's verdict is stored, with what the adapter remembers (job may
 * be NULL: it was not asked). */
void outbox_settle(struct desk *d, struct out_conv *q, struct job *job,
                   struct verdict *v);
void outbox_delivered(struct job *job); /* its done; takes it */
void outbox_add(struct desk *d, const struct outbox *row, struct slice body);
void outbox_item_free(struct out_item *it);
void outbox_go_on(struct desk *d, struct out_conv *q); /* the next, when due */
void outbox_pump(struct out_channel *ch);
struct out_channel *outbox_channel(struct desk *d, uint64_t id);

/* typing.c: somebody writes an answer; the platform is told if it can show that:
 * now, once in a while, or not at all. */
void typing_out(struct desk *d, struct conv *c);

/* push.c: is it still needed? q->busy until one of these three is called,
 * perhaps from inside: the first n have arrived by a socket, look again in so
 * many ms, or push them. */
void push_look(struct desk *d, struct out_conv *q);
void outbox_arrived(struct desk *d, struct out_conv *q, uint32_t n);
void outbox_wait(struct desk *d, struct out_conv *q, int64_t ms);
void outbox_clear(struct desk *d, struct out_conv *q, uint32_t unread);

/* A message is being recalled: what of it is still here does not go out until it
 * is let go, or dropped. */
enum outbox_place {
    OUTBOX_NOWHERE, /* it was sent, or is dead, or never was here */
    OUTBOX_FLYING,  /* with the adapter now */
    OUTBOX_HELD
};
enum outbox_place outbox_hold(struct desk *d, uint64_t conv, uint64_t pos);
void outbox_let_go(struct desk *d, uint64_t conv, uint64_t pos, bool drop);

/* Adds the rows of what goes out to a tx that is about to be committed. */
void outbox_put(struct desk *d, struct conv *c, struct tx *tx);
void outbox_stored(struct desk *d, struct outbox *row); /* committed */
void outbox_heard(struct desk *d, uint64_t conv);       /* the visitor wrote */
void outbox_start(struct desk *d);
void outbox_free(struct desk *d);
