/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h - one message's way, or another event's, put together: for the API
 * and yuelai trace.
 *
 * Why: both tell the same story, one from inside a running server (it knows
 * the sockets), one from the database alone.
 */
#pragma once
#include "base/json.h"
#include "desk/query.h"

struct explain {
    const struct event *message;     /* or any other event */
    const struct conversation *conv; /* as it is now; NULL: it has none */
    struct slice jobs;               /* JSON array: bodies of its traces */
    const struct event *caused;      /* chained; may be NULL */
    bool cut;                        /* there is more behind `caused` */
    int64_t sockets;                 /* of who should get it; -1 = not known */
    const char *holder;              /* the assignee's name, or NULL */
    const struct outbox *out;        /* its way to a platform, or NULL */
};
/* Who is to get the message: ROLE_VISITOR or ROLE_AGENT. */
enum role explain_to(const struct event *message);
/* {"event":…,"message":…,"conversation":…,"jobs":[…],"caused":[…],
 * "delivery":{…}}; of another event "data" stands for message and delivery. */
void explain_write(struct jsonw *w, const struct explain *x);
/* What people call an event, into a QUERY_EVENT: "m_…", "cv_…/SEQ" or a cursor.
 * false: it is none of these. */
bool explain_name(struct slice name, struct query *q);
