/* SPDX-License-Identifier: Apache-2.0 */
/* sign.h - everything that is signed: visitors' tokens, identities, requests.
 *
 * Pure: keys and the time are given. Formats are in docs/developer/wire.md.
 */
#pragma once
#include "desk/frame.h"

#define SIGN_KEY 32

/* A visitor's token: who, where, since when; nothing is stored for it. */
struct visitor_token {
    uint64_t contact, channel;
    int64_t issued_at;
};
#define VISITOR_TOKEN_TEXT 96
struct slice visitor_token_write(char out[VISITOR_TOKEN_TEXT],
                                 const unsigned char key[SIGN_KEY],
                                 struct visitor_token t);
/* true only for a token we signed, issued in (now - max_age_ms, now]. */
bool visitor_token_read(struct slice text, const unsigned char key[SIGN_KEY],
                        int64_t now, int64_t max_age_ms,
                        struct visitor_token *out);

/* A new secret of n random bytes as text: prefix and base64url. */
#define SECRET_TEXT 64
struct slice secret_new(char out[SECRET_TEXT], const char *prefix);
/* An API token's text follows from its id and the house's key, so that signed
 * requests can be checked while only the digest is stored. */
struct slice api_token_text(char out[SECRET_TEXT],
                            const unsigned char key[SIGN_KEY], uint64_t id);

/* The string an identity's signature covers. ERR_UNPROCESSABLE: a field has a
 * control character, or attributes are not what can be signed. */
int identity_canonical(const struct hello *h, struct arena *a, struct buf *out,
                       struct err *e);
/* ERR_UNAUTHORIZED with a sentence unless the signature is right and has not
 * expired. */
int identity_check(const struct hello *h, struct slice secret, int64_t now,
                   struct arena *a, struct err *e);

/* X-Signature in one of its three forms (reference/webhooks.md, section 7). */
enum signature_form { SIGNATURE_TIMED, SIGNATURE_BODY, SIGNATURE_PLAIN };
struct signature {
    enum signature_form form;
    int64_t t; /* TIMED: seconds */
    struct slice t_text;
    unsigned char v1[4][32]; /* TIMED: any may match; BODY: the first */
    size_t count;
    struct slice plain;
};
/* ERR_BAD_REQUEST: it begins like a timed one but is none. */
int signature_read(struct slice header, struct signature *out, struct err *e);
/* Is it HMAC-SHA256 of the body (or t.body) under the secret? Gives the digest
 * that matched. */
bool signature_is_of(const struct signature *s, struct slice secret,
                     struct slice body, unsigned char match[32]);
