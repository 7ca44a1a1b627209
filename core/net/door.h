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

struct door;
/* An address with its connections. IPv6 is counted by /64. */
struct place {
    struct door *door;
    struct slice key; /* in text */
    uint32_t count;
    char text[48];
};

int door_open(struct net *n, const char *listen, struct err *e,
              struct door **out);
/* The socket of this machine's user at path, mode 0600; one that was left
 * behind there is removed. */
int door_open_local(struct net *n, const char *path, struct err *e,
                    struct door **out);
bool place_is_local(const struct place *p);
void door_shut(struct door *d); /* no new ones; harmless twice */
void door_free(struct door *d); /* the places must be empty */
void place_leave(struct place *p);
