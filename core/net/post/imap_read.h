/* SPDX-License-Identifier: Apache-2.0 */
/* imap_read.h - what an IMAP server says: bytes to whole responses.
 *
 * A response is a line; a line that ends in {n} goes on after n bytes as they
 * are (a literal). Pure: no I/O, no clock. What comes may be hostile.
 */
#pragma once
#include "base/buf.h"

#define IMAP_TEXT_BYTES (1024 * 1024) /* of one response, without literals */

struct imap_reader {
    struct buf text;    /* the response, literals as "{n}", no line end */
    struct buf literal; /* the bytes of its first literal */
    size_t literals, need, most;
    bool whole;
};
/* most: of a literal. */
void imap_reader_init(struct imap_reader *r, size_t most);
void imap_reader_fini(struct imap_reader *r);
/* Takes bytes off *in. 1: a response is whole (until the next call), 0: all was
 * taken and more is needed, ERR_TOOBIG. */
int imap_reader_take(struct imap_reader *r, struct slice *in);

struct imap_fetch {
    uint32_t uid;
    int64_t size;
    bool seen, has_body, in_literal;
    struct slice quoted; /* the body, if it came in quotes (escapes as sent) */
};
/* "* 5 FETCH (UID 42 BODY[]<0> {3} ...)". false: it is none. */
bool imap_fetch_read(struct slice text, struct imap_fetch *out);

/* The next word off *s, blanks taken; "" at the end. */
struct slice imap_word(struct slice *s);
/* 1 .. 2^32-1; 0: it is none. */
uint32_t imap_number(struct slice word);
/* "[UIDNEXT 7]" in a status response -> 7; 0. */
uint32_t imap_code_number(struct slice text, const char *name);
/* Is it one of the words? Capabilities are compared without case. */
bool imap_has_word(struct slice text, const char *word);
