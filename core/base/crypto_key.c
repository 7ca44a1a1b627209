/* SPDX-License-Identifier: Apache-2.0 */
/* crypto_key.c - signatures with RSA, Ed25519 and ECDSA keys.
 *
 * Happy path: read the key, one EVP_DigestSign or -Verify. Failure modes: a
 * text that is no key, a key with a passphrase (nobody is asked for it), of
 * another kind, or so large that a signature would take long; OpenSSL's queue
 * of errors is emptied, nothing of it is shown, it may quote the key.
 */
#include "base/crypto.h"
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define RAW_KEY 32
#define SIGN_BITS_MOST 4096 /* signing is slower than verifying */
#define ES256_HALF 32

static int no_passphrase(char *buf, int size, int writing, void *arg)
{
    return -1;
}

/* NULL: no such key. */
static EVP_PKEY *read_pem(struct slice text, bool private)
{
    EVP_PKEY *key = NULL;
    BIO *bio = BIO_new_mem_buf(text.at, (int)text.len);
    must(bio);
    if (private) {
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    } else if (memmem(text.at, text.len, "-BEGIN CERTIFICATE-", 19)) {
        X509 *cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
        key = cert ? X509_get_pubkey(cert) : NULL;
        X509_free(cert);
    } else if (memmem(text.at, text.len, "PRIVATE KEY-", 12)) {
        key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    } else {
        key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    }
    BIO_free(bio);
    return key;
}

static int check_key(EVP_PKEY *key, enum sign_with with, bool private,
                     struct err *e)
{
    static const struct {
        int type;
        const char *name;
    } wanted[] = {[SIGN_RSA_PKCS1] = {EVP_PKEY_RSA, "an RSA"},
                  [SIGN_RSA_PSS] = {EVP_PKEY_RSA, "an RSA"},
                  [SIGN_ED25519] = {EVP_PKEY_ED25519, "an Ed25519"},
                  [SIGN_ECDSA] = {EVP_PKEY_EC, "a P-256"}};
    int most = private ? SIGN_BITS_MOST : KEY_BITS_MOST;
    char curve[32] = "";
    if (EVP_PKEY_get_base_id(key) != wanted[with].type)
        return err_set(e, ERR_UNPROCESSABLE, "this is not %s key",
                       wanted[with].name);
    if (wanted[with].type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) > most)
        return err_set(e, ERR_UNPROCESSABLE,
                       "the RSA key has more than %d bits", most);
    if (with == SIGN_ECDSA &&
        (EVP_PKEY_get_group_name(key, curve, sizeof curve, NULL) != 1 ||
         strcmp(curve, "prime256v1") != 0))
        return err_set(e, ERR_UNPROCESSABLE, "this is not a P-256 key");
    return 0;
}

static int read_key(struct slice text, enum sign_with with, bool private,
                    struct err *e, EVP_PKEY **out)
{
    const unsigned char *raw = (const unsigned char *)text.at;
    *out = NULL;
    if (text.len > KEY_PEM_BYTES)
        return err_set(e, ERR_UNPROCESSABLE, "the key is longer than %d bytes",
                       KEY_PEM_BYTES);
    if (with == SIGN_ED25519 && text.len == RAW_KEY)
        *out = private ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                                                      raw, RAW_KEY)
                       : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                                     raw, RAW_KEY);
    else if (text.len)
        *out = read_pem(text, private);
    ERR_clear_error();
    if (!*out)
        return err_set(e, ERR_UNPROCESSABLE,
                       "this is not a %s key in PEM form, or it has a "
                       "passphrase",
                       private ? "private" : "public");
    int got = check_key(*out, with, private, e);
    if (got < 0) {
        EVP_PKEY_free(*out);
        *out = NULL;
    }
    return got;
}

/* PSS: the salt as long as the digest, as everyone does. */
static bool set_pss(EVP_PKEY_CTX *ctx, enum sign_with with)
{
    return with != SIGN_RSA_PSS ||
           (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static const char *md_name(enum sign_with with, enum digest d)
{
    static const char *const names[] = {"MD5", "SHA1", "SHA256", "SHA384",
                                        "SHA512"};
    return with == SIGN_ED25519 ? NULL : names[d];
}

/* --- ES256: OpenSSL speaks DER, the world two numbers --------------------- */

static int half_add(const BIGNUM *n, unsigned char *out)
{
    return BN_bn2binpad(n, out, ES256_HALF) == ES256_HALF ? 0 : ERR_INTERNAL;
}

static int from_der(const unsigned char *der, size_t len, struct buf *out)
{
    unsigned char raw[2 * ES256_HALF];
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    if (!sig)
        return ERR_INTERNAL;
    int got = half_add(ECDSA_SIG_get0_r(sig), raw);
    if (got == 0)
        got = half_add(ECDSA_SIG_get0_s(sig), raw + ES256_HALF);
    ECDSA_SIG_free(sig);
    return got < 0 ? got : buf_add(out, raw, sizeof raw);
}

/* Length of the DER in out, 0 if the text is no signature. */
static size_t to_der(struct slice raw, unsigned char out[SIGNATURE_MOST])
{
    const unsigned char *p = (const unsigned char *)raw.at;
    if (raw.len != 2 * ES256_HALF)
        return 0;
    BIGNUM *r = BN_bin2bn(p, ES256_HALF, NULL);
    BIGNUM *s = BN_bin2bn(p + ES256_HALF, ES256_HALF, NULL);
    ECDSA_SIG *sig = ECDSA_SIG_new();
    must(r && s && sig && ECDSA_SIG_set0(sig, r, s) == 1);
    int n = i2d_ECDSA_SIG(sig, &out);
    ECDSA_SIG_free(sig);
    return n > 0 ? (size_t)n : 0;
}

/* -------------------------------------------------------------------------- */

static int sign_with_key(EVP_PKEY *key, enum sign_with with, enum digest d,
                         struct slice data, unsigned char *out, size_t *len)
{
    EVP_PKEY_CTX *pctx;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx);
    bool ok = EVP_DigestSignInit_ex(ctx, &pctx, md_name(with, d), NULL, NULL,
                                    key, NULL) == 1 &&
              set_pss(pctx, with) &&
              EVP_DigestSign(ctx, out, len, (const unsigned char *)data.at,
                             data.len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? 0 : ERR_UNPROCESSABLE;
}

int key_sign(enum sign_with with, enum digest d, struct slice key,
             struct slice data, struct buf *out, struct err *e)
{
    EVP_PKEY *pkey;
    unsigned char sig[SIGNATURE_MOST];
    size_t len = sizeof sig;
    int got = read_key(key, with, true, e, &pkey);
    if (got < 0)
        return got;
    got = sign_with_key(pkey, with, d, data, sig, &len);
    if (got < 0)
        err_set(e, got, "this key cannot sign so");
    else if (with == SIGN_ECDSA)
        got = from_der(sig, len, out);
    else
        got = buf_add(out, sig, len);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return got;
}

int key_verify(enum sign_with with, enum digest d, struct slice key,
               struct slice data, struct slice signature, bool *good,
               struct err *e)
{
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *pctx;
    unsigned char der[SIGNATURE_MOST];
    const unsigned char *sig = (const unsigned char *)signature.at;
    size_t len = signature.len;
    *good = false;
    int got = read_key(key, with, false, e, &pkey);
    if (got < 0)
        return got;
    if (with == SIGN_ECDSA) {
        len = to_der(signature, der);
        sig = der;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(ctx);
    *good = len > 0 && len <= SIGNATURE_MOST &&
            EVP_DigestVerifyInit_ex(ctx, &pctx, md_name(with, d), NULL, NULL,
                                    pkey, NULL) == 1 &&
            set_pss(pctx, with) &&
            EVP_DigestVerify(ctx, sig, len, (const unsigned char *)data.at,
                             data.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return 0;
}
