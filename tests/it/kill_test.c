/* SPDX-License-Identifier: Apache-2.0 */
/* The program is killed with -9 at any moment, again and again, while a
 * visitor talks. --rounds N, --seed N.
 */
#include "spine.h"

#include <stdio.h>
#include <time.h>

static unsigned random_state;

static int any(int most) /* 0 ... most */
{
    random_state = random_state * 1103515245u + 12345u;
    return (int)((random_state >> 16) % (unsigned)(most + 1));
}

TEST("kill -9 at any moment loses nothing acked and shows nothing twice")
{
    struct spine s;
    int rounds = (int)test_option("rounds", 15);
    random_state = (unsigned)test_option("seed", (int64_t)time(NULL));
    test_note("--seed %u", random_state);
    printf("      --seed %u\n", random_state);
    if (!spine_open(&s, NULL)) {
        spine_close(&s);
        return;
    }
    for (int round = 0; round < rounds; round++) {
        test_note("round %d", round);
        /* At an assignment the agent is shown the last 50. */
        int burst = 1 + any(round ? 60 : 40);
        for (int i = 0; i < burst; i++) {
            spine_say(&s, (size_t)any(300));
            if (any(7) == 0)
                spine_listen(&s, any(3));
        }
        spine_listen(&s, any(25));
        house_kill(&s.t);
        if (round % 5 == 0)
            spine_verify(&s);
        if (house_start(&s.t)) {
            spine_fail(&s, "start");
            break;
        }
        if (!spine_come_back(&s) || !spine_all_acked(&s, 60000))
            break;
        if (round == 0 && !spine_play(&s, "bo sees text ~ \"m-1 \""))
            break;
    }
    if (s.t.pid) {
        spine_check_agent(&s);
        spine_check_journal(&s);
    }
    spine_close(&s);
}

TEST("an ack that was seen survives a kill in the same moment")
{
    struct spine s;
    if (spine_open(&s, NULL)) {
        for (int round = 0; round < 5; round++) {
            spine_say(&s, 20);
            while (s.anna->unsent && actor_pump(&s.t, 5) == 0)
                ;
            house_kill(&s.t); /* the ack is hardly read */
            s.anna->unsent = NULL;
            REQUIRE(house_start(&s.t) == 0);
            REQUIRE(spine_come_back(&s));
        }
        spine_check_journal(&s);
        spine_check_agent(&s);
    }
    spine_close(&s);
}
