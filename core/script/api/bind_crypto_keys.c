/* SPDX-License-Identifier: Apache-2.0 */
/* bind_crypto_keys.c - AES and signatures for scripts.
 *
 * Happy path and failure modes: bind_crypto.c.
 */
#include "base/crypto.h"
#include "base/limits.h"
#include "script/api/bind_crypto.h"

/* --- AES ------------------------------------------------------------------ */

static unsigned padding_at(lua_State *L, int arg, const char *what)
{
    unsigned pad = 16;
    if (option_push(L, arg, "block")) {
        lua_Number n = lua_tonumber(L, -1);
        if (n != 16 && n != 32)
            bind_raise(L, "%s: block must be 16 or 32", what);
        pad = (unsigned)n;
        lua_pop(L, 1);
    }
    if (option_push(L, arg, "padding")) {
        const char *name = lua_tostring(L, -1);
        bool none = name && strcmp(name, "none") == 0;
        if (!none && !(name && strcmp(name, "pkcs7") == 0))
            bind_raise(L, "%s: padding must be \"pkcs7\" or \"none\"", what);
        pad = none ? 0 : pad;
        lua_pop(L, 1);
    }
    return pad;
}

static int aes_result(lua_State *L, int got, const struct buf *out,
                      const char *what)
{
    if (got == ERR_UNPROCESSABLE)
        bind_raise(L,
                   "%s: the key must have 16, 24 or 32 bytes, the iv 16 "
                   "(gcm: 1 to 64, 12 as a rule)",
                   what);
    if (got == ERR_FORBIDDEN)
        return bind_trouble(L, "forged",
                            "the tag does not fit: another key, or the data "
                            "was changed");
    if (got < 0)
        return bind_trouble_of(L, got,
                               "the data is not of whole blocks, or its "
                               "padding is wrong (another key?)");
    value_push_slice(L, buf_slice(out));
    return 1;
}

typedef int (*cbc_fn)(struct slice key, struct slice iv, struct slice data,
                      unsigned pad, struct buf *out);

static int cbc_call(lua_State *L, cbc_fn fn, const char *what)
{
    struct slice key = crypto_data(L, 1, what), iv = crypto_data(L, 2, what);
    struct slice data = crypto_data(L, 3, what);
    unsigned pad = padding_at(L, 4, what);
    struct buf *out = bind_buf(L, CRYPTO_OUT_BYTES);
    return aes_result(L, fn(key, iv, data, pad, out), out, what);
}

int crypto_cbc_encrypt(lua_State *L)
{
    return cbc_call(L, aes_cbc_encrypt, "crypto.aes_cbc_encrypt");
}

int crypto_cbc_decrypt(lua_State *L)
{
    return cbc_call(L, aes_cbc_decrypt, "crypto.aes_cbc_decrypt");
}

/* The field's text; "" if it is not there. It stays on the stack. */
static struct slice option_data(lua_State *L, int arg, const char *name,
                                const char *what)
{
    if (!option_push(L, arg, name))
        return SLICE("");
    return crypto_data(L, lua_gettop(L), what);
}

int crypto_gcm_encrypt(lua_State *L)
{
    static const char what[] = "crypto.aes_gcm_encrypt";
    unsigned char tag[AES_TAG_BYTES];
    struct slice key = crypto_data(L, 1, what), iv = crypto_data(L, 2, what);
    struct slice data = crypto_data(L, 3, what);
    struct slice aad = option_data(L, 4, "aad", what);
    struct buf *out = bind_buf(L, CRYPTO_OUT_BYTES);
    int n =
        aes_result(L, aes_gcm_encrypt(key, iv, aad, data, out, tag), out, what);
    if (n != 1)
        return n;
    lua_pushlstring(L, (char *)tag, sizeof tag);
    return 2;
}

int crypto_gcm_decrypt(lua_State *L)
{
    static const char what[] = "crypto.aes_gcm_decrypt";
    struct slice key = crypto_data(L, 1, what), iv = crypto_data(L, 2, what);
    struct slice data = crypto_data(L, 3, what);
    struct slice aad = option_data(L, 4, "aad", what);
    struct slice tag = option_data(L, 4, "tag", what);
    if (tag.len == 0 && data.len >= AES_TAG_BYTES) {
        data.len -= AES_TAG_BYTES;
        tag = (struct slice){data.at + data.len, AES_TAG_BYTES};
    }
    struct buf *out = bind_buf(L, CRYPTO_OUT_BYTES);
    return aes_result(L, aes_gcm_decrypt(key, iv, aad, data, tag, out), out,
                      what);
}

/* --- signatures ----------------------------------------------------------- */

static int sign_call(lua_State *L, enum sign_with with, enum digest d,
                     enum form form, const char *what)
{
    struct err e = {0};
    struct slice key = crypto_data(L, 1, what), data = crypto_data(L, 2, what);
    struct buf *out = bind_buf(L, SIGNATURE_MOST);
    int got = key_sign(with, d, key, data, out, &e);
    if (got < 0)
        return bind_trouble(L, "bad_key", e.text);
    struct slice sig = slice_dup(bind_arena(L), buf_slice(out));
    return crypto_push(L, sig, form);
}

static int verify_call(lua_State *L, enum sign_with with, enum digest d,
                       const char *what)
{
    bool good;
    struct err e = {0};
    struct slice key = crypto_data(L, 1, what), data = crypto_data(L, 2, what);
    struct slice sig = crypto_data(L, 3, what);
    if (key_verify(with, d, key, data, sig, &good, &e) < 0)
        return bind_trouble(L, "bad_key", e.text);
    lua_pushboolean(L, good);
    return 1;
}

static enum sign_with rsa_at(lua_State *L, int arg, enum digest *d,
                             const char *what)
{
    enum sign_with with = SIGN_RSA_PKCS1;
    *d = DIGEST_SHA256;
    if (option_push(L, arg, "hash")) {
        *d = crypto_digest(L, lua_gettop(L), what);
        lua_pop(L, 1);
    }
    if (option_push(L, arg, "padding")) {
        const char *name = lua_tostring(L, -1);
        bool pss = name && strcmp(name, "pss") == 0;
        if (!pss && !(name && strcmp(name, "pkcs1") == 0))
            bind_raise(L, "%s: padding must be \"pkcs1\" or \"pss\"", what);
        with = pss ? SIGN_RSA_PSS : with;
        lua_pop(L, 1);
    }
    return with;
}

static enum form option_form(lua_State *L, int arg)
{
    enum form form = FORM_RAW;
    if (option_push(L, arg, "as")) {
        form = crypto_form(L, lua_gettop(L), FORM_RAW);
        lua_pop(L, 1);
    }
    return form;
}

int crypto_rsa_sign(lua_State *L)
{
    enum digest d;
    enum sign_with with = rsa_at(L, 3, &d, "crypto.rsa_sign");
    return sign_call(L, with, d, option_form(L, 3), "crypto.rsa_sign");
}

int crypto_rsa_verify(lua_State *L)
{
    enum digest d;
    enum sign_with with = rsa_at(L, 4, &d, "crypto.rsa_verify");
    return verify_call(L, with, d, "crypto.rsa_verify");
}

int crypto_ed25519_sign(lua_State *L)
{
    return sign_call(L, SIGN_ED25519, DIGEST_SHA256, option_form(L, 3),
                     "crypto.ed25519_sign");
}

int crypto_ed25519_verify(lua_State *L)
{
    return verify_call(L, SIGN_ED25519, DIGEST_SHA256, "crypto.ed25519_verify");
}

int crypto_ecdsa_sign(lua_State *L)
{
    return sign_call(L, SIGN_ECDSA, DIGEST_SHA256, option_form(L, 3),
                     "crypto.ecdsa_sign");
}

int crypto_ecdsa_verify(lua_State *L)
{
    return verify_call(L, SIGN_ECDSA, DIGEST_SHA256, "crypto.ecdsa_verify");
}
