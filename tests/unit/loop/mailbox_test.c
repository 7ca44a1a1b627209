/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "test.h"
#include <stdatomic.h>

struct letter {
    struct mail mail;
    int from, number;
};

static struct letter *letter_new(int from, int number)
{
    struct letter *l = mem_alloc(sizeof *l);
    l->from = from;
    l->number = number;
    return l;
}

TEST("mail comes out in the order it went in, all at once")
{
    struct mailbox *b = mailbox_new(NULL, NULL);
    struct letter l[5];
    CHECK(mailbox_take(b) == NULL);
    mailbox_push(b, &l[0].mail);
    l[1].mail.next = &l[2].mail;
    l[2].mail.next = &l[3].mail;
    l[3].mail.next = &l[0].mail; /* rubbish behind the last one */
    mailbox_push_chain(b, &l[1].mail, &l[3].mail, 3);
    mailbox_push(b, &l[4].mail);
    CHECK_EQ_INT(mailbox_depth(b), 5);
    struct mail *m = mailbox_take(b);
    for (int i = 0; i < 5; i++, m = m->next)
        REQUIRE(m == &l[i].mail);
    CHECK(m == NULL);
    CHECK_EQ_INT(mailbox_depth(b), 0);
    mailbox_free(b);
}

static void count_wake(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

TEST("only the push into an empty box wakes, a nudge always does")
{
    atomic_int wakes = 0;
    struct mailbox *b = mailbox_new(count_wake, &wakes);
    struct letter l[3];
    mailbox_push(b, &l[0].mail);
    mailbox_push(b, &l[1].mail);
    CHECK_EQ_INT(wakes, 1);
    mailbox_take(b);
    mailbox_push(b, &l[2].mail);
    CHECK_EQ_INT(wakes, 2);
    mailbox_nudge(b);
    CHECK_EQ_INT(wakes, 3);
    mailbox_take(b);
    mailbox_free(b);
}

TEST("waiting ends with mail, with a nudge, or when the time is over")
{
    struct mailbox *b = mailbox_new(NULL, NULL);
    struct letter l;
    CHECK(mailbox_wait(b, 0) == NULL);
    CHECK(mailbox_wait(b, 1000) == NULL);
    mailbox_nudge(b);
    CHECK(mailbox_wait(b, -1) == NULL);
    mailbox_push(b, &l.mail);
    CHECK(mailbox_wait(b, -1) == &l.mail);
    mailbox_free(b);
}

enum { PUSHERS = 4, EACH = 5000 };
static struct mailbox *box;
static int next_of[PUSHERS];

static void push_many(void *arg)
{
    int from = (int)(intptr_t)arg;
    for (int i = 0; i < EACH;) {
        if (i % 7 || i + 3 > EACH) {
            mailbox_push(box, &letter_new(from, i++)->mail);
            continue;
        }
        struct mail *first = &letter_new(from, i)->mail;
        first->next = &letter_new(from, i + 1)->mail;
        first->next->next = &letter_new(from, i + 2)->mail;
        mailbox_push_chain(box, first, first->next->next, 3);
        i += 3;
    }
}

static int receive(struct mail *m)
{
    int n = 0;
    for (struct mail *next; m; m = next, n++) {
        struct letter *l = container_of(m, struct letter, mail);
        next = m->next;
        if (l->number != next_of[l->from])
            FAIL("of %d: %d instead of %d", l->from, l->number,
                 next_of[l->from]);
        next_of[l->from] = l->number + 1;
        mem_free(l);
    }
    return n;
}

TEST("several pushers: nothing lost, nothing twice, each one's order kept")
{
    struct thread *t[PUSHERS];
    box = mailbox_new(NULL, NULL);
    memset(next_of, 0, sizeof next_of);
    for (intptr_t i = 0; i < PUSHERS; i++)
        REQUIRE(thread_start("pusher", push_many, (void *)i, &t[i]) == 0);
    int got = 0;
    while (got < PUSHERS * EACH) /* with and without a time-out */
        got += receive(mailbox_wait(box, got % 2 ? -1 : 10000));
    for (int i = 0; i < PUSHERS; i++)
        thread_join(t[i]);
    CHECK_EQ_INT(got, PUSHERS * EACH);
    CHECK(mailbox_take(box) == NULL);
    mailbox_free(box);
}

static atomic_int got_mail;
static void wait_for_one(void *arg)
{
    struct mail *m = mailbox_wait(box, -1);
    atomic_store(&got_mail, m == arg);
}

TEST("a sleeper is woken by a push from another thread")
{
    struct letter l;
    struct thread *t;
    box = mailbox_new(NULL, NULL);
    REQUIRE(thread_start("sleeper", wait_for_one, &l.mail, &t) == 0);
    mailbox_push(box, &l.mail);
    thread_join(t);
    CHECK(got_mail);
    mailbox_free(box);
}
