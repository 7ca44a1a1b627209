/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.h - digests, HMAC, passwords, ciphers, signatures: a thin face over
 * OpenSSL and argon2.
 *
 * The only includers of either are crypto.c and crypto_*.c.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"

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
/* Any of them. ERR_UNSUPPORTED: this machine's OpenSSL has it switched off. */
enum digest {
    DIGEST_MD5, /* for old platforms only */
    DIGEST_SHA1,
    DIGEST_SHA256,
    DIGEST_SHA384,
    DIGEST_SHA512,
    DIGEST_COUNT
};
#define DIGEST_MOST 64 /* bytes of the longest */
bool digest_find(struct slice name, enum digest *out); /* "sha256" */
size_t digest_bytes(enum digest d);
int digest_of(enum digest d, struct slice data, unsigned char *out);
int hmac_of(enum digest d, struct slice key, struct slice data,
            unsigned char *out);
bool crypto_equal(const void *a, const void *b, size_t n); /* constant time */

/* argon2id, encoded form ($argon2id$v=19$m=19456,t=2,p=1$...). Blocking,
 * about 20 ms and 19 MB: never on the main thread (I5). */
int password_hash(struct slice password, char out[128]);
bool password_is(struct slice password, const char *encoded);

int base64_add(struct buf *out, struct slice data);       /* RFC 4648, padded */
int base64url_add(struct buf *out, struct slice data);    /* no padding */
int base64url_decode(struct buf *out, struct slice text); /* ERR_BAD_REQUEST */
/* What the world sends: either alphabet, with padding or without, blanks and
 * line ends in between, spare bits of any value. ERR_BAD_REQUEST. */
int base64_decode(struct buf *out, struct slice text);
int hex_add(struct buf *out, const unsigned char *p, size_t n);
/* Exactly n bytes of hex, either case. */
bool hex_decode(struct slice text, unsigned char *out, size_t n);

/* --- AES (key of 16, 24 or 32 bytes, else ERR_UNPROCESSABLE) ---
 * CBC: iv of 16 bytes. pad: 0 = none (data is whole blocks), 16 = PKCS#7, 32 =
 * PKCS#7 with blocks of 32 bytes (some platforms). ERR_BAD_REQUEST: not whole blocks,
 * or the padding is wrong. Appends to out. */
int aes_cbc_encrypt(struct slice key, struct slice iv, struct slice data,
                    unsigned pad, struct buf *out);
int aes_cbc_decrypt(struct slice key, struct slice iv, struct slice data,
                    unsigned pad, struct buf *out);
/* GCM: iv of 1 to 64 bytes, 12 as a rule. ERR_FORBIDDEN: the tag does not fit,
 * out is as it was. */
#define AES_TAG_BYTES 16
int aes_gcm_encrypt(struct slice key, struct slice iv, struct slice aad,
                    struct slice data, struct buf *out,
                    unsigned char tag[AES_TAG_BYTES]);
int aes_gcm_decrypt(struct slice key, struct slice iv, struct slice aad,
                    struct slice data, struct slice tag, struct buf *out);

/* --- signatures ---
 * A key is PEM (public, private, certificate), for Ed25519 also 32 raw bytes.
 * Algorithms that do not fit the key, unreadable and locked keys, RSA over
 * KEY_BITS_MOST bits: ERR_UNPROCESSABLE with a sentence. */
enum sign_with { SIGN_RSA_PKCS1, SIGN_RSA_PSS, SIGN_ED25519, SIGN_ECDSA };
#define KEY_PEM_BYTES (16 * 1024)
#define KEY_BITS_MOST 8192
#define SIGNATURE_MOST 1024 /* bytes */
/* d is not asked for Ed25519. ECDSA: P-256, the signature as r and s of 32
 * bytes each (JWT's ES256). */
int key_sign(enum sign_with with, enum digest d, struct slice key,
             struct slice data, struct buf *out, struct err *e);
/* *good: whether it is key's signature of data. */
int key_verify(enum sign_with with, enum digest d, struct slice key,
               struct slice data, struct slice signature, bool *good,
               struct err *e);
