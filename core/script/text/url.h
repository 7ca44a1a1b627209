/* SPDX-License-Identifier: Apache-2.0 */
/* url.h - addresses: their parts, and one relative to another (RFC 3986).
 *
 * Pure: slices of the text that was given. Thread: any.
 */
#pragma once
#include "base/buf.h"

#define URL_BYTES (16 * 1024)

struct url {
    /* at NULL: the part is not there; "" is there and empty */
    struct slice scheme, user, password, host, path, query, fragment;
    int port; /* -1 = none */
};
/* false: control characters, blanks, a port that is none, a broken [host]. */
bool url_read(struct slice text, struct url *out);
/* Appends; ERR_TOOBIG. */
int url_write(const struct url *u, struct buf *out);
/* The address `ref` means where it stands on page `base` (RFC 3986, 5.2). */
int url_join(struct slice base, struct slice ref, struct buf *out);
/* Percent-encodes all but A-Z a-z 0-9 - . _ ~; plus: a blank becomes '+'. */
int url_encode(struct slice s, bool plus, struct buf *out);
/* Any %XX is a byte; a lone % stays. */
int url_decode(struct slice s, bool plus, struct buf *out);
