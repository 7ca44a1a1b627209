/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - one message's way, put together: for the API and yuelai trace.
 *
 * Why: both tell the same story, one from inside a running server (it knows
 * the sockets), one from the database alone.
 */
#pragma once
#include "base/json.h"
#include "desk/event.h"

struct explain {
    const struct event *message;
    const struct conversation *conv; /* as it is now */
    struct slice jobs;               /* JSON array: bodies of its traces */
    const struct event *caused;      /* chained; may be NULL */
    bool cut;                        /* there is more behind `caused` */
    int64_t sockets;                 /* of who should get it; -1 = not known */
    const char *holder;              /* the assignee's name, or NULL */
};
/* Who is to get the message: ROLE_VISITOR or ROLE_AGENT. */
enum role explain_to(const struct event *message);
/* {"message":…,"conversation":…,"jobs":[…],"caused":[…],"delivery":{…}} */
void explain_write(struct jsonw *w, const struct explain *x);
