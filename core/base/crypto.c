/* SPDX-License-Identifier: Apache-2.0 */
/* crypto.c - OpenSSL 3 and argon2 behind a small face.
 *
 * Happy path: digests are fetched once for the process; contexts are kept (one
 * a thread for the one-shot calls), because a fetch or a new context costs
 * more than hashing a short message does.
 *
 * Failure modes: OpenSSL failing to digest bytes in memory is a bug or no
 * memory left, both end the program. argon2 without memory: ERR_UNAVAILABLE.
 */
#include "base/crypto.h"
#include "base/clock.h"
#include "base/err.h"
#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#define BLOCK_BYTES 64 /* SHA-256's */
#define ARGON_KIB 19456
#define ARGON_ROUNDS 2
#define SALT_BYTES 16

struct sha256 {
    EVP_MD_CTX *ctx;
};

static EVP_MD *md_sha256, *md_sha1;
static pthread_key_t ctx_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void ctx_release(void *ctx)
{
    EVP_MD_CTX_free(ctx);
}

static void fetch(void)
{
    md_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    md_sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    must(md_sha256 && md_sha1);
    must(pthread_key_create(&ctx_key, ctx_release) == 0);
}

/* The calling thread's own context. */
static EVP_MD_CTX *own_ctx(void)
{
    pthread_once(&once, fetch);
    EVP_MD_CTX *ctx = pthread_getspecific(ctx_key);
    if (!ctx) {
        ctx = EVP_MD_CTX_new();
        must(ctx && pthread_setspecific(ctx_key, ctx) == 0);
    }
    return ctx;
}

static void digest(EVP_MD_CTX *ctx, const EVP_MD *md, const struct slice *parts,
                   size_t n, unsigned char *out)
{
    must(EVP_DigestInit_ex2(ctx, md, NULL));
    for (size_t i = 0; i < n; i++)
        must(EVP_DigestUpdate(ctx, parts[i].at, parts[i].len));
    must(EVP_DigestFinal_ex(ctx, out, NULL));
}

struct sha256 *sha256_new(void)
{
    pthread_once(&once, fetch);
    struct sha256 *h = mem_alloc(sizeof *h);
    h->ctx = EVP_MD_CTX_new();
    must(h->ctx != NULL);
    return h;
}

void sha256_free(struct sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    mem_free(h);
}

void sha256_parts(struct sha256 *h, const struct slice *parts, size_t n,
                  unsigned char out[SHA256_BYTES])
{
    digest(h->ctx, md_sha256, parts, n, out);
}

void sha256_of(struct slice data, unsigned char out[SHA256_BYTES])
{
    EVP_MD_CTX *ctx = own_ctx();
    digest(ctx, md_sha256, &data, 1, out);
}

void sha1_of(struct slice data, unsigned char out[SHA1_BYTES])
{
    EVP_MD_CTX *ctx = own_ctx();
    digest(ctx, md_sha1, &data, 1, out);
}

/* RFC 2104 by hand over the kept context: EVP_MAC would cost three times. */
void hmac_sha256(struct slice key, struct slice data,
                 unsigned char out[SHA256_BYTES])
{
    unsigned char pad[BLOCK_BYTES] = {0}, inner[SHA256_BYTES];
    if (key.len > BLOCK_BYTES)
        sha256_of(key, pad);
    else if (key.len)
        memcpy(pad, key.at, key.len);
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        pad[i] ^= 0x36;
    EVP_MD_CTX *ctx = own_ctx();
    struct slice parts[2] = {{(const char *)pad, BLOCK_BYTES}, data};
    digest(ctx, md_sha256, parts, 2, inner);
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    parts[1] = (struct slice){(const char *)inner, SHA256_BYTES};
    digest(ctx, md_sha256, parts, 2, out);
    OPENSSL_cleanse(pad, sizeof pad);
    OPENSSL_cleanse(inner, sizeof inner);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

/* -- passwords ---------------------------------------------------------- */

int password_hash(struct slice password, char out[128])
{
    unsigned char salt[SALT_BYTES];
    random_bytes(salt, sizeof salt);
    out[0] = '\0';
    int got = argon2id_hash_encoded(ARGON_ROUNDS, ARGON_KIB, 1, password.at,
                                    password.len, salt, sizeof salt,
                                    SHA256_BYTES, out, 128);
    if (got == ARGON2_OK)
        return 0;
    return got == ARGON2_MEMORY_ALLOCATION_ERROR ? ERR_UNAVAILABLE
                                                 : ERR_INTERNAL;
}

bool password_is(struct slice password, const char *encoded)
{
    return argon2id_verify(encoded, password.at, password.len) == ARGON2_OK;
}

/* -- texts of bytes ----------------------------------------------------- */

static int base64(struct buf *out, struct slice data, const char *digits,
                  bool pad)
{
    const unsigned char *p = (const unsigned char *)data.at;
    int err = buf_reserve(out, (data.len + 2) / 3 * 4);
    if (err < 0)
        return err;
    char *to = out->data + out->len;
    for (size_t left = data.len; left > 0;) {
        size_t n = left < 3 ? left : 3;
        unsigned bits = (unsigned)p[0] << 16;
        bits |= n > 1 ? (unsigned)p[1] << 8 : 0;
        bits |= n > 2 ? (unsigned)p[2] : 0;
        for (size_t i = 0; i <= n; i++)
            *to++ = digits[bits >> (18 - 6 * i) & 63];
        for (size_t i = n; pad && i < 3; i++)
            *to++ = '=';
        p += n;
        left -= n;
    }
    out->len = (size_t)(to - out->data);
    return 0;
}

static const char std_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int base64_add(struct buf *out, struct slice data)
{
    return base64(out, data, std_digits, true);
}

int base64url_add(struct buf *out, struct slice data)
{
    return base64(out, data, url_digits, false);
}

static int url_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int base64url_decode(struct buf *out, struct slice text)
{
    size_t before = out->len;
    if (text.len % 4 == 1)
        return ERR_BAD_REQUEST;
    int err = buf_reserve(out, text.len / 4 * 3 + text.len % 4 * 3 / 4);
    if (err < 0)
        return err;
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = url_digit(text.at[i]);
        if (digit < 0) {
            out->len = before;
            return ERR_BAD_REQUEST;
        }
        bits = bits << 6 | (unsigned)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out->data[out->len++] = (char)(bits >> have & 255);
        }
    }
    /* Left-over bits must be zero, or two texts would mean the same bytes. */
    if (bits & ((1u << have) - 1)) {
        out->len = before;
        return ERR_BAD_REQUEST;
    }
    return 0;
}

int hex_add(struct buf *out, const unsigned char *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    int err = buf_reserve(out, n * 2);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n; i++) {
        out->data[out->len++] = digits[p[i] >> 4];
        out->data[out->len++] = digits[p[i] & 15];
    }
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(struct slice text, unsigned char *out, size_t n)
{
    if (text.len != n * 2)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(text.at[2 * i]);
        int low = hex_digit(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
