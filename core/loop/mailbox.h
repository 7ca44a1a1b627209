/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.h - ownership from thread to thread: many pushers, one taker.
 *
 * An intrusive list under a mutex; a push cannot fail (back-pressure is at the
 * entrance, house §1). The taker either sleeps here (mailbox_wait) or is woken
 * by the function given to mailbox_init (a loop's async).
 */
#pragma once
#include "base/mail.h"
#include <stddef.h>
#include <stdint.h>

struct mailbox;
typedef void (*mailbox_wake_fn)(void *arg); /* any thread; may come too often */

struct mailbox *mailbox_new(mailbox_wake_fn wake,
                            void *arg); /* wake may be NULL */
/* Must be empty, and its pushers gone (joined) or silent for good. */
void mailbox_free(struct mailbox *b);
void mailbox_push(struct mailbox *b, struct mail *m); /* takes m */
/* A chain linked by ->next, first to last, n of them. One lock, one wake. */
void mailbox_push_chain(struct mailbox *b, struct mail *first,
                        struct mail *last, size_t n);
/* Everything, oldest first, as a chain; NULL if empty. */
struct mail *mailbox_take(struct mailbox *b);
/* The same, sleeping up to wait_us (-1: for ever) until there is something or
 * mailbox_nudge is called; NULL on time-out or nudge. */
struct mail *mailbox_wait(struct mailbox *b, int64_t wait_us);
void mailbox_nudge(struct mailbox *b);
size_t mailbox_depth(struct mailbox *b);
