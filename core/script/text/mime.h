/* SPDX-License-Identifier: Apache-2.0 */
/* mime.h - a mail as people see it, from its bytes and back.
 *
 * Why our own: the packaged library (GMime 3.2) ends the program on a header
 * "To: a:a:a:..." (its groups use up the stack) and takes 1.5 s for 1 MB of
 * empty parts; strangers send mail, and C cannot be interrupted. This one goes
 * once over the bytes, whatever they are. Charsets are text.h's.
 *
 * Lenient on the way in (RFC 5322, 2045 to 2047, 2231, and what mailers make
 * of them), strict on the way out. Pure; all results lie in the arena.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define MIME_BYTES (4 * 1024 * 1024)
#define MIME_OUT_BYTES (8 * 1024 * 1024)
#define MIME_TEXT_BYTES (1024 * 1024) /* a longer text is an attachment */
#define MIME_PARTS 200
#define MIME_DEPTH 16
#define MIME_FIELDS 200              /* of one head; the rest is passed over */
#define MIME_FIELD_BYTES (16 * 1024) /* of one field; the rest is cut off */
#define MIME_ADDRESSES 200           /* of one field */
#define MIME_NAME_BYTES 150          /* of a file */

struct mime_field {
    struct mime_field *next;
    struct slice name; /* lower case */
    struct slice raw;  /* unfolded, not decoded */
};
struct mime_address {
    struct mime_address *next;
    struct slice name, address; /* name: "" = none */
};
struct mime_id {
    struct mime_id *next;
    struct slice id; /* without < > */
};
struct mime_part { /* a leaf */
    struct mime_part *next;
    struct slice type;    /* "image/png", lower case */
    struct slice charset; /* as written, "" = none */
    struct slice name;    /* safe as a file's name; "" = none */
    struct slice cid, bytes;
    bool is_inline;
    bool is_body; /* part of text or html below */
};
struct mime_mail {
    struct mime_field *fields;
    struct slice subject, message_id; /* "" = none */
    struct mime_address *from, *to, *cc, *reply_to;
    struct mime_id *in_reply_to, *references;
    bool has_date;
    int64_t date_at;         /* ms since 1970 */
    struct slice text, html; /* UTF-8; at NULL: there is none */
    struct mime_part *parts;
    size_t part_count;
};
/* ERR_BAD_REQUEST: no mail at all; ERR_TOOBIG. */
int mime_read(struct arena *a, struct slice bytes, struct err *e,
              struct mime_mail *out);

/* What mime_write writes, from the same struct: fields = further ones (name
 * as it is to be written, raw = UTF-8), parts = attachments; message_id is
 * needed. ERR_BAD_REQUEST with a sentence: a line break in a head, an address
 * that is none; ERR_TOOBIG. */
int mime_write(const struct mime_mail *m, struct buf *out, struct err *e);

/* --- heads (mime_head.c) --- */
/* Encoded words and raw bytes as UTF-8. */
struct slice mime_text(struct arena *a, struct slice raw);
/* The parameter of "text/plain; charset=x" and its like, as UTF-8 (RFC 2231,
 * encoded words). at NULL: it is not there. */
struct slice mime_parameter(struct arena *a, struct slice raw,
                            const char *name);
/* What stands before the first ';', lower case, without blanks. */
struct slice mime_value(struct arena *a, struct slice raw);
struct mime_address *mime_addresses(struct arena *a, struct slice raw);
struct mime_id *mime_ids(struct arena *a, struct slice raw);
bool mime_date(struct slice raw, int64_t *ms);
