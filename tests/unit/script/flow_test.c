/* SPDX-License-Identifier: Apache-2.0 */
/* flow_test.c - flows are played from their log: waits, replays, errors. */
#include "flow.h"

TEST("a flow asks, waits, hears, and says nothing twice")
{
    struct flowing f;
    flowing_with(&f, "local m = ask('Which order?', { timeout = '10m' })\n"
                     "conv:reply('Order ' .. m.text)\n"
                     "local n = wait_reply()\n"
                     "conv:reply('then ' .. n.text)");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_WAITING);
    CHECK_EQ_INT(f.row.due_at, f.now + 600000);
    CHECK_SAID(&f, "Which order?|");
    CHECK(contains(f.row.view, "\"waits\":\"reply 10m\""));
    CHECK(contains(f.row.view, "\"step\":\"reply Which order?\""));
    flowing_wait(&f, 5000);
    flowing_on(&f, "reply", "A17");
    CHECK_STATE(&f, FLOW_WAITING);
    CHECK_EQ_INT(f.row.due_at, 0);
    CHECK_SAID(&f, "Which order?|Order A17|");
    flowing_on(&f, "reply", "more");
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "Which order?|Order A17|then more|");
    CHECK_EQ_INT(f.row.step, 3);
    flowing_close(&f);
}

TEST("a wait ends by its time, by a person who takes over, by a close")
{
    static const char *const why[] = {"timer", "taken", "closed"};
    static const char *const got[] = {"timeout|", "taken|", "closed|"};
    for (int i = 0; i < 3; i++) {
        struct flowing f;
        flowing_with(&f, "local m, why = wait_reply '10m'\n"
                         "conv:reply(why)");
        flowing_on(&f, "start", NULL);
        flowing_on(&f, why[i], NULL);
        CHECK_STATE(&f, FLOW_DONE);
        CHECK_SAID(&f, got[i]);
        flowing_close(&f);
    }
}

TEST("a sleep of days lasts until it is due, however often it is run")
{
    struct flowing f;
    flowing_with(&f, "conv:reply 'now' sleep '2d' conv:reply 'later'");
    flowing_on(&f, "start", NULL);
    CHECK_STATE(&f, FLOW_SLEEPING);
    CHECK_EQ_INT(f.row.due_at, f.now + 2 * 86400000LL);
    CHECK(contains(f.row.view, "\"waits\":\"sleep 2d\""));
    int64_t due = f.row.due_at;
    flowing_wait(&f, 86400000LL);
    flowing_on(&f, "again", NULL);
    CHECK_STATE(&f, FLOW_SLEEPING);
    CHECK_EQ_INT(f.row.due_at, due);
    CHECK_SAID(&f, "now|");
    CHECK(contains(f.row.view, "\"waits\":\"sleep 2d\""));
    flowing_due(&f);
    CHECK_STATE(&f, FLOW_DONE);
    CHECK_SAID(&f, "now|later|");
    flowing_close(&f);
}
