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

#define BLOCK_MOST 128 /* SHA-512's */
#define ARGON_KIB 19456
#define ARGON_ROUNDS 2
#define SALT_BYTES 16

struct sha256 {
    EVP_MD_CTX *ctx;
};

static EVP_MD *md_sha256, *md_sha1, *md_all[DIGEST_COUNT];
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
    md_all[DIGEST_MD5] = EVP_MD_fetch(NULL, "MD5", NULL); /* NULL under FIPS */
    md_all[DIGEST_SHA1] = md_sha1;
    md_all[DIGEST_SHA256] = md_sha256;
    md_all[DIGEST_SHA384] = EVP_MD_fetch(NULL, "SHA384", NULL);
    md_all[DIGEST_SHA512] = EVP_MD_fetch(NULL, "SHA512", NULL);
    must(md_all[DIGEST_SHA384] && md_all[DIGEST_SHA512]);
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

/* -- any of them, by name ------------------------------------------------- */

static const struct {
    const char *name;
    size_t bytes, block;
} known[DIGEST_COUNT] = {[DIGEST_MD5] = {"md5", 16, 64},
                         [DIGEST_SHA1] = {"sha1", 20, 64},
                         [DIGEST_SHA256] = {"sha256", 32, 64},
                         [DIGEST_SHA384] = {"sha384", 48, 128},
                         [DIGEST_SHA512] = {"sha512", 64, 128}};

bool digest_find(struct slice name, enum digest *out)
{
    for (int d = 0; d < DIGEST_COUNT; d++) {
        *out = (enum digest)d;
        if (slice_is(name, known[d].name))
            return true;
    }
    return false;
}

size_t digest_bytes(enum digest d)
{
    return known[d].bytes;
}

int digest_of(enum digest d, struct slice data, unsigned char *out)
{
    EVP_MD_CTX *ctx = own_ctx();
    if (!md_all[d])
        return ERR_UNSUPPORTED;
    digest(ctx, md_all[d], &data, 1, out);
    return 0;
}

/* RFC 2104 by hand over the kept context: EVP_MAC would cost three times. */
int hmac_of(enum digest d, struct slice key, struct slice data,
            unsigned char *out)
{
    unsigned char pad[BLOCK_MOST] = {0}, inner[DIGEST_MOST];
    size_t block = known[d].block;
    EVP_MD_CTX *ctx = own_ctx();
    if (!md_all[d])
        return ERR_UNSUPPORTED;
    if (key.len > block)
        digest(ctx, md_all[d], &key, 1, pad);
    else if (key.len)
        memcpy(pad, key.at, key.len);
    for (size_t i = 0; i < block; i++)
        pad[i] ^= 0x36;
    struct slice parts[2] = {{(const char *)pad, block}, data};
    digest(ctx, md_all[d], parts, 2, inner);
    for (size_t i = 0; i < block; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    parts[1] = (struct slice){(const char *)inner, known[d].bytes};
    digest(ctx, md_all[d], parts, 2, out);
    OPENSSL_cleanse(pad, sizeof pad);
    OPENSSL_cleanse(inner, sizeof inner);
    return 0;
}

void hmac_sha256(struct slice key, struct slice data,
                 unsigned char out[SHA256_BYTES])
{
    must(hmac_of(DIGEST_SHA256, key, data, out) == 0);
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
