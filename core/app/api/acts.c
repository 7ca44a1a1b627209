/* SPDX-License-Identifier: Apache-2.0 */
/* acts.c - what a caller does to the conversation in the path.
 *
 * Happy path: the act is the caller's, takes a place among what the desk has
 * in hand, and its done answers the call. Failure: no such conversation; what
 * the desk refuses is told in its words.
 */
#include "app/api/api.h"

struct act *act_of_call(struct call *c, enum act_kind kind,
                        void (*done)(struct act *act))
{
    uint64_t id;
    if (!call_id(c, 0, ID_CONVERSATION, "conversation", &id)) {
        return NULL;
    }
    struct act *act = act_new(kind, done, c);
    act->role = c->who.agent ? ROLE_AGENT : ROLE_SYSTEM;
    act->actor = c->who.agent;
    act->conv = id;
    return act;
}

void act_go(struct call *c, struct act *act)
{
    net_take_credit(c->s->net);
    desk_act(c->s->desk, act);
}

struct call *act_came(struct act *act)
{
    struct call *c = act->owner;
    net_give_credits(c->s->net, 1);
    if (act->result) {
        struct err e = act->err;
        e.code = act->result;
        act_free(act);
        reply_error(c, &e);
        return NULL;
    }
    return c;
}
