/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.c - an intrusive list under a mutex.
 *
 * Happy path: a push hangs the chain behind the last one; only the push that
 * finds the box empty wakes the taker, who then takes everything at once.
 * Failure modes: none; a push cannot fail, what keeps a box small is the gate
 * at the entrance (house, section 1).
 */
#include "loop/mailbox.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct mail *first, *last;
    size_t depth;
    bool sleeping; /* the taker is in mailbox_wait */
    bool nudged;
    mailbox_wake_fn wake;
    void *arg;
};

struct mailbox *mailbox_new(mailbox_wake_fn wake, void *arg)
{
    struct mailbox *b = mem_alloc(sizeof *b);
    pthread_condattr_t monotonic;
    must(pthread_condattr_init(&monotonic) == 0);
    must(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    must(pthread_cond_init(&b->filled, &monotonic) == 0);
    must(pthread_mutex_init(&b->lock, NULL) == 0);
    pthread_condattr_destroy(&monotonic);
    b->wake = wake;
    b->arg = arg;
    return b;
}

void mailbox_free(struct mailbox *b)
{
    if (!b)
        return;
    must(b->first == NULL); /* I7: what lies here would have no owner */
    pthread_cond_destroy(&b->filled);
    pthread_mutex_destroy(&b->lock);
    mem_free(b);
}

void mailbox_push(struct mailbox *b, struct mail *m)
{
    mailbox_push_chain(b, m, m, 1);
}

void mailbox_push_chain(struct mailbox *b, struct mail *first,
                        struct mail *last, size_t n)
{
    last->next = NULL;
    pthread_mutex_lock(&b->lock);
    bool was_empty = b->first == NULL;
    if (was_empty)
        b->first = first;
    else
        b->last->next = first;
    b->last = last;
    b->depth += n;
    bool signal = b->sleeping;
    b->sleeping = false;
    pthread_mutex_unlock(&b->lock);
    /* Outside the lock, or the taker would wake only to wait for it. */
    if (signal)
        pthread_cond_signal(&b->filled);
    if (was_empty && b->wake)
        b->wake(b->arg);
}

static struct mail *take(struct mailbox *b)
{
    struct mail *chain = b->first;
    b->first = b->last = NULL;
    b->depth = 0;
    return chain;
}

struct mail *mailbox_take(struct mailbox *b)
{
    pthread_mutex_lock(&b->lock);
    struct mail *chain = take(b);
    pthread_mutex_unlock(&b->lock);
    return chain;
}

/* Sleeps once; false when the deadline (us, -1 for none) has passed. */
static bool sleep_until(struct mailbox *b, int64_t deadline_us)
{
    b->sleeping = true;
    int got = 0;
    if (deadline_us < 0) {
        got = pthread_cond_wait(&b->filled, &b->lock);
    } else {
        struct timespec t = {.tv_sec = deadline_us / 1000000,
                             .tv_nsec = deadline_us % 1000000 * 1000};
        got = pthread_cond_timedwait(&b->filled, &b->lock, &t);
    }
    must(got == 0 || got == ETIMEDOUT);
    b->sleeping = false;
    return got == 0;
}

struct mail *mailbox_wait(struct mailbox *b, int64_t wait_us)
{
    pthread_mutex_lock(&b->lock);
    if (!b->first && !b->nudged && wait_us != 0) {
        int64_t deadline = wait_us < 0 ? -1 : clock_mono_us() + wait_us;
        while (!b->first && !b->nudged && sleep_until(b, deadline))
            ;
    }
    b->nudged = false;
    struct mail *chain = take(b);
    pthread_mutex_unlock(&b->lock);
    return chain;
}

void mailbox_nudge(struct mailbox *b)
{
    pthread_mutex_lock(&b->lock);
    b->nudged = true;
    b->sleeping = false;
    pthread_mutex_unlock(&b->lock);
    pthread_cond_signal(&b->filled);
    if (b->wake)
        b->wake(b->arg);
}

size_t mailbox_depth(struct mailbox *b)
{
    pthread_mutex_lock(&b->lock);
    size_t n = b->depth;
    pthread_mutex_unlock(&b->lock);
    return n;
}
