/* SPDX-License-Identifier: Apache-2.0 */
/* multipart.h - multipart/form-data (RFC 7578), as its bytes come.
 *
 * Why: a file of 50 MB is never whole in memory. Bytes go in, however they are
 * cut; parts come out. Memory is the edge and one part's head.
 *
 * Thread: the caller's.   Owns: its buffer.
 * States: BEFORE -> HEAD <-> DATA -> AFTER, or BROKEN from any
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define MULTIPART_EDGE 70   /* bytes of a boundary, RFC 2046 */
#define MULTIPART_HEAD 4096 /* of one part */
#define MULTIPART_PARTS 32

struct multipart_part {
    struct slice name, filename, type; /* valid during on_part */
    bool has_filename;
};
struct multipart_calls {
    void (*on_part)(void *arg, const struct multipart_part *p);
    void (*on_data)(void *arg, struct slice piece);
    void (*on_part_end)(void *arg); /* may be NULL */
};
struct multipart {
    struct multipart_calls calls;
    void *arg;
    char edge[MULTIPART_EDGE + 8]; /* "\r\n--boundary" */
    size_t edge_len;
    int state;
    size_t matched; /* bytes of the edge that have come */
    struct buf head;
    unsigned parts;
    const char *why; /* once it is broken */
};
/* type: the Content-Type header. ERR_UNSUPPORTED: not multipart/form-data, or
 * no boundary in it. */
int multipart_init(struct multipart *m, struct slice type,
                   const struct multipart_calls *calls, void *arg);
void multipart_fini(struct multipart *m);
/* ERR_BAD_REQUEST / ERR_TOOBIG, from then on always; m->why says it. */
int multipart_feed(struct multipart *m, struct slice piece);
bool multipart_is_whole(const struct multipart *m);
/* name=value or name="value" in a header's parameters; .at NULL: none. */
struct slice multipart_parameter(struct slice head, const char *name);
