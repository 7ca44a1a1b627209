/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 at any moment: everything acknowledged is there, once, in order.
 *
 * A child process stores messages as fast as it can and tells each answer down
 * a pipe; after a random number of them it is killed. The folder must then
 * hold every message told of, verify, and give each repeated ref its first
 * position. The next child goes on in the same folder.
 */
#include "store_world.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 20000
#define CONVS 300
#define ROUNDS 6

struct told {
    uint64_t n, pos;
};
static uint64_t pos_of[MOST + 1];

/* -- the child ----------------------------------------------------------- */

struct child {
    struct world w;
    int pipe;
    uint64_t next, in_flight;
};

static void give(struct child *c);

static void on_done(struct tx *tx)
{
    struct child *c = tx->owner;
    struct told told = {tx->token, tx->first->pos};
    int result = tx->result;
    tx_free(tx);
    if (result < 0 || write(c->pipe, &told, sizeof told) != sizeof told)
        _exit(3);
    c->in_flight--;
    give(c);
    if (c->in_flight == 0)
        loop_stop(c->w.loop);
}

static void give(struct child *c)
{
    if (c->next > MOST)
        return;
    struct tx *tx = tx_new(on_done, c);
    uint64_t n = c->next++, conv = 1 + n % CONVS;
    world_trace(tx, world_message(tx, conv, n % 3 ? ROLE_VISITOR : ROLE_AGENT,
                                  conv, (long long)n));
    if (n % 50 == 0)
        world_event(tx, EVENT_MESSAGE_STATUS, conv, ROLE_AGENT,
                    "{\"seq\":1,\"status\":\"read\"}");
    if (n <= CONVS)
        world_conversation(tx, conv, conv);
    tx->token = n;
    c->in_flight++;
    store_commit(c->w.store, tx);
}

_Noreturn static void child_main(const char *dir, uint64_t from, int width,
                                 int pipe)
{
    static struct child c;
    c.pipe = pipe;
    c.next = from;
    if (world_open(&c.w, dir) != 0)
        _exit(2);
    for (int i = 0; i < width; i++)
        give(&c);
    while (c.in_flight)
        loop_run(c.w.loop);
    _exit(0);
}

/* -- the parent ---------------------------------------------------------- */

static bool take(int pipe, struct told *t)
{
    ssize_t n;
    do
        n = read(pipe, t, sizeof *t);
    while (n < 0 && errno == EINTR);
    return n == sizeof *t;
}

/* Returns how many answers came before the child was dead. */
static uint64_t kill_after(const char *dir, uint64_t from, int width,
                           uint64_t answers)
{
    int ends[2];
    struct told t;
    uint64_t n = 0;
    if (!CHECK(pipe(ends) == 0))
        return 0;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        child_main(dir, from, width, ends[1]);
    }
    close(ends[1]);
    while (take(ends[0], &t)) {
        pos_of[t.n] = t.pos;
        if (++n == answers)
            kill(pid, SIGKILL);
    }
    close(ends[0]);
    int status;
    CHECK_EQ_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
    return n;
}

static void verify(const char *dir)
{
    struct buf out;
    struct err e = {0};
    buf_init(&out, 10000);
    if (!CHECK_EQ_INT(store_verify(dir, &out, NULL, NULL, &e), 0))
        FAIL("%s: %.*s", e.text, (int)out.len, out.data);
    buf_fini(&out);
    CHECK(world_traces_fit(dir));
}

/* Sends everything told of once more: all must be known. */
static void all_there(const char *dir, uint64_t upto)
{
    struct world w;
    REQUIRE(world_open(&w, dir) == 0);
    uint64_t last = store_pos(w.store);
    struct tx **all = calloc(upto + 1, sizeof(struct tx *));
    for (uint64_t n = 1; n <= upto; n++) {
        if (!pos_of[n])
            continue;
        all[n] = world_tx(&w);
        uint64_t conv = 1 + n % CONVS;
        world_message(all[n], conv, n % 3 ? ROLE_VISITOR : ROLE_AGENT, conv,
                      (long long)n);
        world_give(&w, all[n]);
    }
    world_settle(&w);
    uint64_t lost = 0;
    for (uint64_t n = 1; n <= upto; n++) {
        if (!all[n])
            continue;
        lost += !(all[n]->first->flags & EVENT_DUPLICATE) ||
                all[n]->first->pos != pos_of[n];
        tx_free(all[n]);
    }
    free(all);
    CHECK_EQ_INT(lost, 0);
    CHECK_EQ_INT(store_pos(w.store), last);
    world_close(&w);
}

TEST("kill -9 in the middle of the traffic, again and again")
{
    static const int widths[ROUNDS] = {1, 7, 50, 300, 300, 300};
    uint64_t seed = (uint64_t)test_option("seed", 0);
    if (!seed)
        seed = random_u64() >> 40;
    test_note("--seed %llu", (unsigned long long)seed);
    memset(pos_of, 0, sizeof pos_of);
    uint64_t from = 1;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t answers =
            1 + (seed + (uint64_t)i * 7919) % (widths[i] < 10 ? 100 : 2500);
        uint64_t got = kill_after(test_path("d"), from, widths[i], answers);
        CHECK(got >= answers);
        from += got + (uint64_t)widths[i] + 1; /* past all it may have given */
        verify(test_path("d"));                /* as the crash left it */
        all_there(test_path("d"), from);
        verify(test_path("d"));
    }
}
