/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - what both encodings of contract §4 share: the rules for fields.
 *
 * wire_json.c and wire_pb.c turn bytes into a draft; wire_check makes a frame
 * of it or says which field is wrong. So both subprotocols have the same
 * meaning by construction.
 */
#pragma once
#include "base/err.h"
#include "desk/frame.h"

/* A frame as the peer wrote it. Slices: .at NULL = not given. */
struct draft {
    enum frame_type type;
    struct slice ref, conversation, kind, text, file, name, reply_to, status;
    struct slice message; /* recall */
    struct slice card;    /* JSON object text */
    struct slice label, address;
    double lat, lng;
    int64_t seq, before, limit;
    bool has_point, is_private, has_seq, has_before, has_limit;
    /* hello */
    struct slice channel, token, resume, locale;
    struct slice page_url, page_title, page_referrer;
    bool has_page, has_identity;
    struct slice user_id, id_name, email, tier, attributes, signature;
    int64_t expires_at;
};

/* 0 and *out in the arena, or ERR_* with a sentence. */
int wire_check(struct arena *a, const struct draft *d, struct err *e,
               struct frame **out);
/* Is this ref worth echoing in an error? (present and short enough) */
bool wire_ref_ok(struct slice ref);
/* "" for codes without an own word is never given: contract's error codes. */
const char *wire_error_text(int code); /* a sentence when there is none */
