/* SPDX-License-Identifier: Apache-2.0 */
/* ws.h - WebSocket frames without I/O: the glue to wslay.
 *
 * Why: a wslay context costs 8.3 kB, an idle connection may cost 1.5. So there
 * is one shared context per loop for whole control frames, which pass through
 * it and leave no trace; a message in one frame needs none; the bytes of an
 * incomplete frame wait at the connection; only a message in fragments gets a
 * context of its own, until its last fragment.
 *
 * Thread: the loop's.   Owns: the shared context and message buffer (I6).
 */
#pragma once
#include "base/buf.h"

#define WS_KEY_TEXT 29 /* Sec-WebSocket-Accept: 28 characters, NUL */
#define WS_HEADER_MOST 14

enum ws_kind {
    WS_NONE, /* a frame passed, nothing to tell (a fragment) */
    WS_TEXT,
    WS_BINARY,
    WS_PING, /* the pong is in out already */
    WS_PONG,
    WS_CLOSE, /* the peer's; our reply is in out already. The end */
    WS_FAILED /* broken protocol; a close with `code` is in out. The end */
};
struct ws_event {
    enum ws_kind kind;
    struct slice data; /* valid until the next ws_read */
    int code;          /* CLOSE: the peer's, 1005 = none; FAILED: ours */
};

struct ws;      /* shared by all connections of a loop */
struct ws_part; /* a message in fragments; NULL when there is none */

struct ws *ws_new(void);
void ws_free(struct ws *w);
/* Reads one frame off the front of in. Returns the bytes used, 0 when the
 * frame is not complete yet. limit: of a message, from the header on. *part is
 * the connection's; replies are appended to out. */
size_t ws_read(struct ws *w, struct ws_part **part, size_t limit,
               struct slice in, struct buf *out, struct ws_event *ev);
void ws_part_free(struct ws_part *part); /* NULL is fine */

/* One unmasked frame. opcode: 1 text, 2 binary, 9 ping. */
int ws_write(struct buf *out, int opcode, struct slice payload);
int ws_write_close(struct buf *out, int code, struct slice reason);
/* Where the first whole frame at or behind `at` begins, in bytes written by
 * the above; len if there is none. */
size_t ws_boundary(const char *data, size_t len, size_t at);

/* Where the frame begins that holds the byte `at` (at <= len). */
size_t ws_begin(const char *data, size_t len, size_t at);

/* The answer to a Sec-WebSocket-Key; false if that is not 16 bytes of base64. */
bool ws_accept_key(struct slice key, char out[WS_KEY_TEXT]);
