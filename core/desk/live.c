/* SPDX-License-Identifier: Apache-2.0 */
/* live.c - who is there right now, for whoever explains a delivery.
 *
 * Happy path: a look into the tables of those who are alive. Somebody unknown
 * has no sockets.
 */
#include "desk/inner.h"

size_t desk_sockets(const struct desk *d, enum role role, uint64_t id)
{
    const struct person *p =
        role == ROLE_VISITOR ? map_get(&d->persons, id) : NULL;
    const struct agent_live *a = role == ROLE_AGENT ? agent_of(d, id) : NULL;
    size_t n = 0;
    if (p) {
        list_each (&p->peers, l) {
            n++;
        }
    }
    if (a) {
        list_each (&a->peers, l) {
            n++;
        }
    }
    return n;
}
