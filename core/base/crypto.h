/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.h - digests, HMAC, passwords: a thin face over OpenSSL and argon2.
 *
 * The only includer of either is crypto.c.
 */
#pragma once
#include "base/buf.h"

#define SHA256_BYTES 32
#define SHA1_BYTES 20

/* Streaming SHA-256 that reuses its context; one per thread. */
struct sha256;
struct sha256 *sha256_new(void);
void sha256_free(struct sha256 *h);
/* One digest over n parts; the context can be used again at once. */
void sha256_parts(struct sha256 *h, const struct slice *parts, size_t n,
                  unsigned char out[SHA256_BYTES]);
void sha256_of(struct slice data, unsigned char out[SHA256_BYTES]);
void sha1_of(struct slice data, unsigned char out[SHA1_BYTES]);
void hmac_sha256(struct slice key, struct slice data,
                 unsigned char out[SHA256_BYTES]);
bool crypto_equal(const void *a, const void *b, size_t n); /* constant time */

/* argon2id, encoded form ($argon2id$v=19$m=19456,t=2,p=1$...). Blocking,
 * about 20 ms and 19 MB: never on the main thread (I5). */
int password_hash(struct slice password, char out[128]);
bool password_is(struct slice password, const char *encoded);

int base64_add(struct buf *out, struct slice data);       /* RFC 4648, padded */
int base64url_add(struct buf *out, struct slice data);    /* no padding */
int base64url_decode(struct buf *out, struct slice text); /* ERR_BAD_REQUEST */
int hex_add(struct buf *out, const unsigned char *p, size_t n);
/* Exactly n bytes of hex, either case. */
bool hex_decode(struct slice text, unsigned char *out, size_t n);
