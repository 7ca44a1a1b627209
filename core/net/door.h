/* SPDX-License-Identifier: Apache-2.0 */
/* door.h - the listening socket and who may come in.
 *
 * Why: a flood must be turned away at the door, with a sentence, and running
 * out of file handles must neither spin nor stop the house.
 *
 * Thread: main.   Owns: the listening socket, one spare fd, the places.
 */
#pragma once
#include "net/net.h"

/* An address with its connections. IPv6 is counted by /64. */
struct place {
    struct slice key; /* in text */
    uint32_t count;
    char text[48];
};

struct door;
int door_open(struct net *n, const char *listen, struct err *e,
              struct door **out);
void door_shut(struct door *d); /* no new ones; harmless twice */
void door_free(struct door *d); /* the places must be empty */
void place_leave(struct door *d, struct place *p);
