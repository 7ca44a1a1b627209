/* SPDX-License-Identifier: Apache-2.0 */
/* crypto_cipher.c - AES-CBC and AES-GCM.
 *
 * Happy path: one context a call, the padding done here, because platforms
 * pad to 16 and to 32 bytes. Failure modes: a key or an iv of a wrong length,
 * data of half blocks, a padding or a tag that does not fit; no memory left
 * ends the program.
 */
#include "base/crypto.h"
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#define BLOCK 16
#define PAD_MOST 32
#define IV_MOST 64

static const EVP_CIPHER *cipher(size_t key_bytes, bool gcm)
{
    switch (key_bytes) {
    case 16:
        return gcm ? EVP_aes_128_gcm() : EVP_aes_128_cbc();
    case 24:
        return gcm ? EVP_aes_192_gcm() : EVP_aes_192_cbc();
    case 32:
        return gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc();
    default:
        return NULL;
    }
}

static const unsigned char *bytes(struct slice s)
{
    return (const unsigned char *)(s.at ? s.at : "");
}

static EVP_CIPHER_CTX *begin(struct slice key, struct slice iv, bool encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    must(ctx);
    must(EVP_CipherInit_ex(ctx, cipher(key.len, false), NULL, bytes(key),
                           bytes(iv), encrypt) == 1);
    must(EVP_CIPHER_CTX_set_padding(ctx, 0) == 1);
    return ctx;
}

/* Appends; there is room. */
static void update(EVP_CIPHER_CTX *ctx, struct slice data, struct buf *out)
{
    int n = 0;
    if (data.len == 0)
        return;
    must(EVP_CipherUpdate(ctx, (unsigned char *)out->data + out->len, &n,
                          bytes(data), (int)data.len) == 1);
    out->len += (size_t)n;
}

static int check_cbc(struct slice key, struct slice iv, struct slice data)
{
    if (!cipher(key.len, false) || iv.len != BLOCK)
        return ERR_UNPROCESSABLE;
    return data.len > INT_MAX - 2 * PAD_MOST ? ERR_TOOBIG : 0;
}

int aes_cbc_encrypt(struct slice key, struct slice iv, struct slice data,
                    unsigned pad, struct buf *out)
{
    char tail[PAD_MOST];
    size_t n = pad ? pad - data.len % pad : 0;
    must(pad == 0 || pad == 16 || pad == 32);
    int got = check_cbc(key, iv, data);
    if (got == 0 && (data.len + n) % BLOCK != 0)
        got = ERR_BAD_REQUEST;
    if (got == 0)
        got = buf_reserve(out, data.len + n + BLOCK);
    if (got < 0)
        return got;
    EVP_CIPHER_CTX *ctx = begin(key, iv, true);
    memset(tail, (int)n, sizeof tail);
    update(ctx, data, out);
    update(ctx, (struct slice){tail, n}, out);
    EVP_CIPHER_CTX_free(ctx);
    return 0;
}

/* Takes the padding off the last bytes of out; it looks at all of them, so
 * that its time tells nothing of where they are wrong. */
static int unpad(struct buf *out, size_t before, unsigned pad)
{
    size_t len = out->len - before;
    const unsigned char *p = (const unsigned char *)out->data + before;
    if (pad == 0)
        return 0;
    if (len == 0)
        return ERR_BAD_REQUEST;
    unsigned n = p[len - 1], wrong = n == 0 || n > pad || n > len;
    for (size_t i = 0; i < pad && i < len; i++)
        wrong |= (i < n) & (p[len - 1 - i] != n);
    if (wrong)
        return ERR_BAD_REQUEST;
    out->len -= n;
    return 0;
}

int aes_cbc_decrypt(struct slice key, struct slice iv, struct slice data,
                    unsigned pad, struct buf *out)
{
    size_t before = out->len;
    must(pad == 0 || pad == 16 || pad == 32);
    int got = check_cbc(key, iv, data);
    if (got == 0 && data.len % BLOCK != 0)
        got = ERR_BAD_REQUEST;
    if (got == 0)
        got = buf_reserve(out, data.len + BLOCK);
    if (got < 0)
        return got;
    EVP_CIPHER_CTX *ctx = begin(key, iv, false);
    update(ctx, data, out);
    EVP_CIPHER_CTX_free(ctx);
    got = unpad(out, before, pad);
    if (got < 0)
        out->len = before;
    return got;
}

/* --- GCM ------------------------------------------------------------------ */

static EVP_CIPHER_CTX *begin_gcm(struct slice key, struct slice iv,
                                 struct slice aad, bool encrypt)
{
    int n;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    must(ctx);
    must(EVP_CipherInit_ex(ctx, cipher(key.len, true), NULL, NULL, NULL,
                           encrypt) == 1);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)iv.len, NULL) ==
         1);
    must(EVP_CipherInit_ex(ctx, NULL, NULL, bytes(key), bytes(iv), encrypt) ==
         1);
    if (aad.len)
        must(EVP_CipherUpdate(ctx, NULL, &n, bytes(aad), (int)aad.len) == 1);
    return ctx;
}

static int check_gcm(struct slice key, struct slice iv, struct slice aad,
                     struct slice data)
{
    if (!cipher(key.len, true) || iv.len < 1 || iv.len > IV_MOST)
        return ERR_UNPROCESSABLE;
    if (data.len > INT_MAX - BLOCK || aad.len > INT_MAX - BLOCK)
        return ERR_TOOBIG;
    return 0;
}

int aes_gcm_encrypt(struct slice key, struct slice iv, struct slice aad,
                    struct slice data, struct buf *out,
                    unsigned char tag[AES_TAG_BYTES])
{
    unsigned char none[BLOCK];
    int n, got = check_gcm(key, iv, aad, data);
    if (got == 0)
        got = buf_reserve(out, data.len + BLOCK);
    if (got < 0)
        return got;
    EVP_CIPHER_CTX *ctx = begin_gcm(key, iv, aad, true);
    update(ctx, data, out);
    must(EVP_CipherFinal_ex(ctx, none, &n) == 1 && n == 0);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AES_TAG_BYTES, tag) ==
         1);
    EVP_CIPHER_CTX_free(ctx);
    return 0;
}

int aes_gcm_decrypt(struct slice key, struct slice iv, struct slice aad,
                    struct slice data, struct slice tag, struct buf *out)
{
    size_t before = out->len;
    unsigned char none[BLOCK], right[AES_TAG_BYTES];
    int n, got = check_gcm(key, iv, aad, data);
    if (got == 0 && tag.len != AES_TAG_BYTES)
        got = ERR_FORBIDDEN;
    if (got == 0)
        got = buf_reserve(out, data.len + BLOCK);
    if (got < 0)
        return got;
    memcpy(right, tag.at, sizeof right);
    EVP_CIPHER_CTX *ctx = begin_gcm(key, iv, aad, false);
    update(ctx, data, out);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AES_TAG_BYTES,
                             right) == 1);
    bool fits = EVP_CipherFinal_ex(ctx, none, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (fits)
        return 0;
    OPENSSL_cleanse(out->data + before, out->len - before);
    out->len = before;
    return ERR_FORBIDDEN;
}
