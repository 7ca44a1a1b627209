/* SPDX-License-Identifier: Apache-2.0 */
/* loop.c - libuv, a mailbox and a wheel in one thread.
 *
 * Happy path of a turn: libuv polls; sockets and the async callback (all mail
 * that is there, once) run; then the wheel's timers; then, in the prepare
 * callback, right before the next poll, the at-end functions, and the uv timer
 * is set to the wheel's next deadline. So whatever produced output in a turn,
 * it is written before the loop sleeps.
 *
 * Failure modes: mail that is posted while mail runs waits for the next turn,
 * so sockets are not starved. A turn over LIMIT_TURN_US is logged (I5). Mail
 * left at the stop is run before loop_run returns, and what comes later in
 * loop_free: nothing given away is lost (I7). A handle somebody forgot to
 * close ends the program in loop_free, with its kind in the log.
 */
#include "loop/loop.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/meter.h"
#include "loop/mailbox.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>

#define LOOP_MAGIC 0x100B0001u
#define AT_END_MOST 16
#define STACK_BYTES ((size_t)1024 * 1024) /* Lua on script threads needs it */
#define NAME_BYTES 16                     /* what the kernel keeps */

struct loop {
    unsigned magic;
    char name[NAME_BYTES];
    uv_loop_t uv;
    uv_async_t async;
    uv_timer_t alarm;     /* wakes the poll for the wheel */
    uv_prepare_t prepare; /* the end of a turn */
    struct mailbox *mail;
    struct wheel *wheel;
    int64_t alarm_ms; /* what the alarm is set to; -1 = not set */
    atomic_bool stop;
    struct {
        void (*fn)(void *arg);
        void *arg;
    } at_end[AT_END_MOST];
    size_t at_end_count;
    int64_t turn_from_us; /* when the last turn ended */
    uint64_t idle_ns;     /* slept in polls by then */
    struct meter *turns, *slow;
};

/* -- a turn ------------------------------------------------------------- */

static void run_chain(struct mail *m)
{
    for (struct mail *next; m; m = next) {
        next = m->next;
        m->next = NULL;
        m->run(m);
    }
}

static void on_async(uv_async_t *async)
{
    struct loop *l = async->data;
    run_chain(mailbox_take(l->mail));
}

static void on_alarm(uv_timer_t *alarm)
{
    struct loop *l = alarm->data;
    l->alarm_ms = -1;
    wheel_turn(l->wheel, loop_now(l));
}

static void set_alarm(struct loop *l)
{
    int64_t now = loop_now(l), wait = wheel_next(l->wheel, now);
    int64_t at = wait < 0 ? -1 : now + wait;
    if (at == l->alarm_ms)
        return;
    l->alarm_ms = at;
    if (at < 0)
        must(uv_timer_stop(&l->alarm) == 0);
    else
        must(uv_timer_start(&l->alarm, on_alarm, (uint64_t)wait, 0) == 0);
}

/* How long the turn worked: since the last one ended, without the sleep. */
static void note_turn(struct loop *l)
{
    int64_t now_us = clock_mono_us();
    uint64_t idle_ns = uv_metrics_idle_time(&l->uv);
    int64_t slept_us = (int64_t)(idle_ns - l->idle_ns) / 1000;
    int64_t worked_us = now_us - l->turn_from_us - slept_us;
    l->turn_from_us = now_us;
    l->idle_ns = idle_ns;
    meter_note(l->turns, worked_us);
    if (worked_us > LIMIT_TURN_US) {
        meter_add(l->slow, 1);
        log_warn("loop", "%s: a turn took %lld ms", l->name,
                 (long long)(worked_us / 1000));
    }
}

static void run_at_end(struct loop *l)
{
    for (size_t i = 0; i < l->at_end_count; i++)
        l->at_end[i].fn(l->at_end[i].arg);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *l = prepare->data;
    run_at_end(l);
    note_turn(l);
    uv_update_time(&l->uv); /* or the alarm would count from the turn's begin */
    set_alarm(l);
    if (atomic_load(&l->stop))
        uv_stop(&l->uv);
}

/* -- life --------------------------------------------------------------- */

static void wake(void *arg)
{
    struct loop *l = arg;
    must(uv_async_send(&l->async) == 0);
}

static void make_meters(struct loop *l)
{
    char labels[NAME_BYTES + 16];
    snprintf(labels, sizeof labels, "{loop=\"%s\"}", l->name);
    l->turns =
        meter_labelled(METER_HISTOGRAM, "yuelai_loop_turn_seconds",
                       "Work of one loop turn, without sleep.", 1e-6, labels);
    l->slow = meter_labelled(METER_COUNTER, "yuelai_loop_slow_turns_total",
                             "Loop turns over 20 ms.", 0, labels);
}

static void init_handles(struct loop *l)
{
    must(uv_async_init(&l->uv, &l->async, on_async) == 0);
    must(uv_timer_init(&l->uv, &l->alarm) == 0);
    must(uv_prepare_init(&l->uv, &l->prepare) == 0);
    must(uv_prepare_start(&l->prepare, on_prepare) == 0);
    l->async.data = l->alarm.data = l->prepare.data = l;
}

int loop_new(const char *name, struct loop **out)
{
    *out = NULL;
    /* A write to a closed socket is an error code, not the end. */
    signal(SIGPIPE, SIG_IGN);
    struct loop *l = mem_alloc(sizeof *l);
    int got = uv_loop_init(&l->uv);
    if (got < 0) {
        log_error("loop", "%s: no event loop: %s", name, uv_strerror(got));
        mem_free(l);
        return ERR_UNAVAILABLE;
    }
    must(uv_loop_configure(&l->uv, UV_METRICS_IDLE_TIME) == 0);
    l->magic = LOOP_MAGIC;
    snprintf(l->name, sizeof l->name, "%s", name);
    l->alarm_ms = -1;
    init_handles(l);
    make_meters(l);
    l->mail = mailbox_new(wake, l);
    l->wheel = wheel_new(loop_now(l));
    l->turn_from_us = clock_mono_us();
    *out = l;
    return 0;
}

static void check_closing(uv_handle_t *h, void *arg)
{
    struct loop *l = arg;
    if (uv_is_closing(h))
        return;
    log_error("loop", "%s: a %s handle was left open", l->name,
              uv_handle_type_name(h->type));
    must(uv_is_closing(h));
}

static void drain(struct loop *l)
{
    for (struct mail *m; (m = mailbox_take(l->mail)) != NULL;)
        run_chain(m);
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    must_be(l, LOOP_MAGIC);
    drain(l);
    uv_close((uv_handle_t *)&l->async, NULL);
    uv_close((uv_handle_t *)&l->alarm, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_walk(&l->uv, check_closing, l);
    uv_run(&l->uv, UV_RUN_DEFAULT); /* closed-callbacks, requests under way */
    must(uv_loop_close(&l->uv) == 0);
    mailbox_free(l->mail);
    wheel_free(l->wheel);
    l->magic = 0;
    mem_free(l);
}

void loop_run(struct loop *l)
{
    must_be(l, LOOP_MAGIC);
    uv_update_time(&l->uv);
    l->turn_from_us = clock_mono_us();
    uv_run(&l->uv, UV_RUN_DEFAULT);
    drain(l);
    /* The last turn: at-end functions, callbacks of what was closed. */
    uv_run(&l->uv, UV_RUN_NOWAIT);
    atomic_store(&l->stop, false);
}

void loop_stop(struct loop *l)
{
    must_be(l, LOOP_MAGIC);
    atomic_store(&l->stop, true);
    wake(l);
}

void loop_post(struct loop *l, struct mail *m)
{
    mailbox_push(l->mail, m);
}

void loop_post_chain(struct loop *l, struct mail *first, struct mail *last,
                     size_t n)
{
    mailbox_push_chain(l->mail, first, last, n);
}

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}

struct wheel *loop_wheel(struct loop *l)
{
    return l->wheel;
}

int64_t loop_now(struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}

void loop_at_end(struct loop *l, void (*fn)(void *arg), void *arg)
{
    must(l->at_end_count < AT_END_MOST);
    l->at_end[l->at_end_count].fn = fn;
    l->at_end[l->at_end_count].arg = arg;
    l->at_end_count++;
}

size_t loop_depth(struct loop *l)
{
    return mailbox_depth(l->mail);
}

/* -- threads ------------------------------------------------------------ */

struct thread {
    pthread_t id;
    char name[NAME_BYTES];
    void (*fn)(void *arg);
    void *arg;
};

static void *thread_main(void *arg)
{
    struct thread *t = arg;
    pthread_setname_np(pthread_self(), t->name);
    t->fn(t->arg);
    return NULL;
}

/* Signals are for the main thread (a new thread inherits the mask), but for
 * those that a thread brings on itself. */
static void signals_of_threads(sigset_t *blocked)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    sigfillset(blocked);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(blocked, own[i]);
}

int thread_start(const char *name, void (*fn)(void *arg), void *arg,
                 struct thread **out)
{
    struct thread *t = mem_alloc(sizeof *t);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->fn = fn;
    t->arg = arg;
    pthread_attr_t attr;
    must(pthread_attr_init(&attr) == 0);
    must(pthread_attr_setstacksize(&attr, STACK_BYTES) == 0);
    sigset_t asked, before;
    signals_of_threads(&asked);
    pthread_sigmask(SIG_SETMASK, &asked, &before);
    int got = pthread_create(&t->id, &attr, thread_main, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (got != 0) {
        mem_free(t);
        *out = NULL;
        return ERR_UNAVAILABLE;
    }
    *out = t;
    return 0;
}

void thread_join(struct thread *t)
{
    if (!t)
        return;
    must(pthread_join(t->id, NULL) == 0);
    mem_free(t);
}
