/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - a thread with its loop: libuv, a mailbox, a timing wheel.
 *
 * One loop is run by one thread. Mail posted to it is run there, all that is
 * there in one go, before the loop sleeps again. loop_at_end() functions run
 * once at the end of every turn that did something: the place where what the
 * turn produced is written out in one system call.
 */
#pragma once
#include "base/mail.h"
#include "base/wheel.h"

struct loop;
typedef struct uv_loop_s uv_loop_t;

int loop_new(const char *name, struct loop **out);
/* After loop_run returned and every handle on it was closed; mail that came in
 * between is run in here. */
void loop_free(struct loop *l);
/* Until loop_stop; then the mail that is left is run, the at-end functions
 * once more, and the callbacks of what was closed by then. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l); /* from its own thread or any other */
void loop_post(struct loop *l, struct mail *m); /* any thread; takes m */
void loop_post_chain(struct loop *l, struct mail *first, struct mail *last,
                     size_t n);
uv_loop_t *loop_uv(struct loop *l); /* for net only */
struct wheel *loop_wheel(struct loop *l);
int64_t loop_now(
    struct loop *l); /* monotonic ms of this turn: the wheel's time */
/* fn(arg) at the end of every turn, in order of registration. */
void loop_at_end(struct loop *l, void (*fn)(void *arg), void *arg);
size_t loop_depth(struct loop *l); /* mail waiting */
/* A thread that runs fn(arg); name (15 bytes of it) shows in top -H. Its stack
 * is 1 MB; signals sent to the process do not come to it. */
struct thread;
int thread_start(const char *name, void (*fn)(void *arg), void *arg,
                 struct thread **out);
void thread_join(struct thread *t); /* frees it */
