/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/meter.h"
#include "loop/loop.h"
#include "test.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

static struct loop *loop;
static char story[400]; /* what happened, a word each */

static void tell(const char *word)
{
    size_t n = strlen(story);
    snprintf(story + n, sizeof story - n, "%s ", word);
}

struct letter {
    struct mail mail;
    const char *word;
};

static void say(struct mail *m)
{
    tell(container_of(m, struct letter, mail)->word);
}

static void stop(struct mail *m)
{
    (void)m;
    tell("stop");
    loop_stop(loop);
}

static void begin(void)
{
    story[0] = '\0';
    must(loop_new("test", &loop) == 0);
}

static void at_end(void *arg)
{
    tell(arg);
}

TEST("mail runs in order in one turn, then the at-end functions in theirs")
{
    begin();
    struct letter a = {{.run = say}, "a"}, b = {{.run = say}, "b"};
    struct letter c = {{.run = stop}, ""};
    loop_at_end(loop, at_end, (char[]){"end1"});
    loop_at_end(loop, at_end, (char[]){"end2"});
    loop_post(loop, &a.mail);
    b.mail.next = &c.mail;
    loop_post_chain(loop, &b.mail, &c.mail, 2);
    CHECK_EQ_INT(loop_depth(loop), 3);
    loop_run(loop);
    /* The turn before the first poll, the turn with mail, the last one. */
    CHECK_EQ_STR(story, "end1 end2 a b stop end1 end2 end1 end2 ");
    loop_free(loop);
}

static void post_again(struct mail *m)
{
    tell("again");
    static struct letter more = {{.run = stop}, ""};
    (void)m;
    loop_post(loop, &more.mail);
}

TEST("mail posted while mail runs comes in the next turn")
{
    begin();
    struct letter a = {{.run = post_again}, ""}, b = {{.run = say}, "b"};
    loop_at_end(loop, at_end, (char[]){"end"});
    loop_post(loop, &a.mail);
    loop_post(loop, &b.mail);
    loop_run(loop);
    CHECK_EQ_STR(story, "end again b end stop end end ");
    loop_free(loop);
}

static struct timer timers[4];
static int64_t fired_at[4], asked_at;

static void on_timer(struct timer *t)
{
    size_t i = (size_t)(t - timers);
    fired_at[i] = loop_now(loop);
    tell("timer");
    if (i == 3)
        loop_stop(loop);
}

TEST("timers fire in order, not early, and the at-end functions after them")
{
    begin();
    loop_at_end(loop, at_end, (char[]){"end"});
    asked_at = loop_now(loop);
    for (int i = 3; i >= 0; i--) {
        timer_init(&timers[i], on_timer);
        timer_start(loop_wheel(loop), &timers[i], asked_at + 1 + 5 * i);
    }
    loop_run(loop);
    for (int i = 0; i < 4; i++)
        CHECK(fired_at[i] >= asked_at + 1 + 5 * i);
    CHECK(fired_at[0] <= fired_at[1] && fired_at[2] <= fired_at[3]);
    CHECK(strstr(story, "timer end ") != NULL);
    CHECK_EQ_INT(wheel_count(loop_wheel(loop)), 0);
    loop_free(loop);
}

static void start_timer_and_stop_it(struct mail *m)
{
    (void)m;
    timer_init(&timers[3], on_timer);
    timer_start(loop_wheel(loop), &timers[3], loop_now(loop) + 3600000);
    timer_start(loop_wheel(loop), &timers[3], loop_now(loop)); /* moves */
}

TEST("a timer started for now by mail fires without anything else happening")
{
    begin();
    struct letter a = {{.run = start_timer_and_stop_it}, ""};
    loop_post(loop, &a.mail);
    loop_run(loop); /* ends by the timer */
    CHECK(strstr(story, "timer") != NULL);
    loop_free(loop);
}

static void run_it(void *arg)
{
    loop_run(arg);
}

static atomic_int arrived;
static pthread_t ran_on;

static void arrive(struct mail *m)
{
    (void)m;
    ran_on = pthread_self();
    atomic_fetch_add(&arrived, 1);
}

TEST("another thread may post and stop, the loop's thread runs the mail")
{
    struct thread *t;
    begin();
    arrived = 0;
    REQUIRE(thread_start("a name that is too long", run_it, loop, &t) == 0);
    static struct letter l[1000];
    for (int i = 0; i < 1000; i++) {
        l[i].mail.run = arrive;
        loop_post(loop, &l[i].mail);
    }
    loop_stop(loop); /* what was posted before is run all the same */
    thread_join(t);
    CHECK_EQ_INT(arrived, 1000);
    CHECK(!pthread_equal(ran_on, pthread_self()));
    loop_free(loop);
}

TEST("mail that comes after the loop ended is run when it is freed")
{
    begin();
    struct letter a = {{.run = say}, "late"};
    loop_stop(loop);
    loop_run(loop);
    loop_post(loop, &a.mail);
    loop_free(loop);
    CHECK_EQ_STR(story, "late ");
}

static void on_closed(uv_handle_t *h)
{
    tell(h->data);
}

static void close_and_stop(struct mail *m)
{
    static uv_timer_t h;
    static char word[] = "closed";
    (void)m;
    uv_timer_init(loop_uv(loop), &h);
    h.data = word;
    uv_close((uv_handle_t *)&h, on_closed);
    loop_stop(loop);
}

TEST("closed-callbacks come before the run ends")
{
    begin();
    struct letter a = {{.run = close_and_stop}, ""};
    loop_post(loop, &a.mail);
    loop_run(loop);
    CHECK_EQ_STR(story, "closed ");
    loop_free(loop);
}

static int fds[2];
static uv_poll_t poll;

static void on_readable(uv_poll_t *h, int status, int events)
{
    char c;
    (void)status;
    (void)events;
    if (read(fds[0], &c, 1) != 1)
        return;
    tell("read");
    uv_close((uv_handle_t *)h, NULL);
    loop_stop(loop);
}

static void write_at_end(void *arg)
{
    (void)arg;
    tell("end");
    if (!strstr(story, "read"))
        CHECK_EQ_INT(write(fds[1], "x", 1), 1);
}

TEST("after sockets were served the at-end functions run before the next sleep")
{
    begin();
    REQUIRE(pipe(fds) == 0);
    uv_poll_init(loop_uv(loop), &poll, fds[0]);
    uv_poll_start(&poll, UV_READABLE, on_readable);
    loop_at_end(loop, write_at_end, NULL);
    loop_run(loop);
    CHECK(strstr(story, "end read end ") == story);
    close(fds[0]);
    close(fds[1]);
    loop_free(loop);
}

TEST("writing to a closed pipe is an error, not a signal")
{
    begin();
    REQUIRE(pipe(fds) == 0);
    close(fds[0]);
    CHECK(write(fds[1], "x", 1) < 0);
    close(fds[1]);
    loop_free(loop);
}

static char name[20];
static bool blocked, own_open;

static void look_around(void *arg)
{
    sigset_t mask;
    (void)arg;
    pthread_getname_np(pthread_self(), name, sizeof name);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    blocked = sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP);
    own_open = !sigismember(&mask, SIGSEGV);
}

TEST("a thread bears its name and leaves signals to the main thread")
{
    struct thread *t;
    sigset_t mask;
    REQUIRE(thread_start("store-writer-and-more", look_around, NULL, &t) == 0);
    thread_join(t);
    CHECK_EQ_STR(name, "store-writer-an");
    CHECK(blocked && own_open);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    CHECK(!sigismember(&mask, SIGTERM));
}

static void work_long(struct mail *m)
{
    (void)m;
    for (int64_t from = clock_mono_us(); clock_mono_us() < from + 25000;)
        ;
    loop_stop(loop);
}

TEST("a turn over the limit is counted")
{
    begin();
    struct meter *slow =
        meter_labelled(METER_COUNTER, "yuelai_loop_slow_turns_total", "", 0,
                       "{loop=\"test\"}");
    int64_t had = meter_value(slow);
    struct letter a = {{.run = work_long}, ""};
    loop_post(loop, &a.mail);
    loop_run(loop);
    CHECK(meter_value(slow) > had);
    loop_free(loop);
}
