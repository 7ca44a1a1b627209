/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - a blocking client of HTTP and WebSocket, for `yuelai talk` and
 * the tests.
 *
 * Why its own framing: it must be able to say what a well-behaved library
 * refuses to, and it checks our server by other code than the server's. Every
 * wait has a deadline; nothing here sleeps or reconnects by itself.
 *
 * Thread: any, one at a time.   Owns: its socket, its in-buffer.
 * States: open -> ended (by either side; close_code tells how)
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define CLIENT_IN_MAX (4 * 1024 * 1024)

enum client_opcode { CLIENT_TEXT = 1, CLIENT_BINARY = 2 };

struct client {
    int fd;
    bool ended;
    int close_code; /* 1005 = close frame without one, 1006 = bare drop */
    struct buf in;
    uint64_t pings; /* answered */
};

/* Connects to 127.0.0.1:port and upgrades /ws. headers: further "Name:
 * value\r\n" lines or "". 0 and *out, or an error and *out is NULL. */
int client_open(int port, const char *headers, int64_t ms, struct err *e,
                struct client **out);
/* The same over a line that holds little on its way: what the client does not
 * read waits at the server, not in the kernel. */
int client_open_thin(int port, int64_t ms, struct err *e, struct client **out);
/* Says 1000 bye, if still open, and frees. NULL is fine. */
void client_free(struct client *c);
/* Ends the socket as a cut cable would (RST); stays to be freed. */
void client_cut(struct client *c);

/* One whole frame. ERR_UNAVAILABLE if the peer is gone. */
int client_send(struct client *c, enum client_opcode op, struct slice body);
/* Bytes as they are. */
int client_send_raw(struct client *c, struct slice bytes);
/* Waits at most ms until one of them has something new; reads it. */
void client_wait(struct client *const *list, size_t n, int64_t ms);
/* The next whole message (copied into a), without waiting; false = none.
 * Pings are answered, a close is answered and ends the client. */
bool client_next(struct client *c, struct arena *a, enum client_opcode *op,
                 struct slice *out);

struct client_answer { /* lies in the arena */
    int status;
    struct slice head, body;
};
/* One request on a connection of its own. headers and body may be "". */
int client_call(int port, const char *method, const char *path,
                const char *headers, struct slice body, int64_t ms,
                struct arena *a, struct err *e, struct client_answer *out);
/* The same by the local socket at path: as this machine's own user.
 * ERR_NOT_FOUND: nobody listens there. */
int client_call_local(const char *path, const char *method, const char *target,
                      const char *headers, struct slice body, int64_t ms,
                      struct arena *a, struct err *e,
                      struct client_answer *out);
/* Any bytes to the port, the answer until the peer ends it or ms pass. */
int client_exchange(int port, struct slice bytes, int64_t ms, struct buf *out);
