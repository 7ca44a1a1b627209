/* SPDX-License-Identifier: Apache-2.0 */
/* bind_crypto.c - digests, HMAC, base64, hex, random; the table of all.
 *
 * Happy path: bytes in, bytes out, through base/crypto.h; keys and data may be
 * secrets. Failure modes: an argument that cannot be meant so (a key of 15
 * bytes, an unknown name) is raised; data from outside that does not fit (a
 * wrong padding, tag, token) is nil, code, detail.
 */
#include "script/api/bind_crypto.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "script/api/modules.h"
#include "script/api/secret.h"
#include <stdio.h>

#define RANDOM_MOST 1024

/* --- arguments ------------------------------------------------------------ */

/* A text or a secret. */
struct slice crypto_data(lua_State *L, int arg, const char *what)
{
    struct slice s;
    if (!secret_read(L, arg, &s))
        bind_raise(L, "%s: argument %d must be a text or a secret, not %s",
                   what, arg, luaL_typename(L, arg));
    if (s.len > LIMIT_BODY_BYTES)
        bind_raise(L, "%s: argument %d is longer than 1 MB", what, arg);
    return s;
}

enum form crypto_form(lua_State *L, int arg, enum form otherwise)
{
    static const char *const names[] = {"raw", "hex", "base64", "base64url",
                                        NULL};
    if (lua_isnoneornil(L, arg))
        return otherwise;
    return (enum form)luaL_checkoption(L, arg, NULL, names);
}

int crypto_push(lua_State *L, struct slice s, enum form form)
{
    if (form == FORM_RAW) {
        value_push_slice(L, s);
        return 1;
    }
    struct buf *out = bind_buf(L, CRYPTO_OUT_BYTES);
    if (form == FORM_HEX)
        must(hex_add(out, (const unsigned char *)s.at, s.len) == 0);
    else
        must((form == FORM_BASE64 ? base64_add : base64url_add)(out, s) == 0);
    value_push_slice(L, buf_slice(out));
    return 1;
}

enum digest crypto_digest(lua_State *L, int arg, const char *what)
{
    enum digest d;
    struct slice name = bind_slice(L, arg);
    if (!digest_find(name, &d))
        bind_raise(L,
                   "%s: there is no \"%s\"; known are md5, sha1, sha256, "
                   "sha384, sha512",
                   what, name.at);
    return d;
}

/* --- digests -------------------------------------------------------------- */

static int digest_call(lua_State *L, enum digest d, const char *what)
{
    unsigned char sum[DIGEST_MOST];
    struct slice data = crypto_data(L, 1, what);
    enum form form = crypto_form(L, 2, FORM_HEX);
    if (digest_of(d, data, sum) < 0)
        bind_raise(L, "%s is switched off on this machine", what);
    return crypto_push(L, (struct slice){(char *)sum, digest_bytes(d)}, form);
}

static int on_md5(lua_State *L)
{
    return digest_call(L, DIGEST_MD5, "crypto.md5");
}

static int on_sha1(lua_State *L)
{
    return digest_call(L, DIGEST_SHA1, "crypto.sha1");
}

static int on_sha256(lua_State *L)
{
    return digest_call(L, DIGEST_SHA256, "crypto.sha256");
}

static int on_sha384(lua_State *L)
{
    return digest_call(L, DIGEST_SHA384, "crypto.sha384");
}

static int on_sha512(lua_State *L)
{
    return digest_call(L, DIGEST_SHA512, "crypto.sha512");
}

static int on_hmac(lua_State *L)
{
    unsigned char sum[DIGEST_MOST];
    enum digest d = crypto_digest(L, 1, "crypto.hmac");
    struct slice key = crypto_data(L, 2, "crypto.hmac");
    struct slice data = crypto_data(L, 3, "crypto.hmac");
    enum form form = crypto_form(L, 4, FORM_HEX);
    if (hmac_of(d, key, data, sum) < 0)
        bind_raise(L, "crypto.hmac: md5 is switched off on this machine");
    return crypto_push(L, (struct slice){(char *)sum, digest_bytes(d)}, form);
}

static int on_equal(lua_State *L)
{
    struct slice a = crypto_data(L, 1, "crypto.equal");
    struct slice b = crypto_data(L, 2, "crypto.equal");
    lua_pushboolean(L, a.len == b.len && crypto_equal(a.at, b.at, a.len));
    return 1;
}

/* --- texts of bytes ------------------------------------------------------- */

/* A secret in other letters is as secret as before (I9). */
static int encode(lua_State *L, const char *what, enum form form)
{
    struct slice text = crypto_data(L, 1, what);
    crypto_push(L, text, form);
    if (!secret_is(L, 1))
        return 1;
    text.at = lua_tolstring(L, -1, &text.len);
    secret_push(L, text);
    return 1;
}

static int on_base64_encode(lua_State *L)
{
    return encode(L, "crypto.base64_encode", FORM_BASE64);
}

static int on_base64url_encode(lua_State *L)
{
    return encode(L, "crypto.base64url_encode", FORM_BASE64URL);
}

static int on_base64_decode(lua_State *L)
{
    struct slice text = crypto_data(L, 1, "crypto.base64_decode");
    struct buf *out = bind_buf(L, CRYPTO_OUT_BYTES);
    if (base64_decode(out, text) < 0)
        return bind_trouble(L, "bad_request", "this is not base64");
    value_push_slice(L, buf_slice(out));
    return 1;
}

static int on_hex_encode(lua_State *L)
{
    return encode(L, "crypto.hex_encode", FORM_HEX);
}

static int on_hex_decode(lua_State *L)
{
    struct slice text = crypto_data(L, 1, "crypto.hex_decode");
    struct buf *out = bind_buf(L, CRYPTO_OUT_BYTES);
    must(buf_reserve(out, text.len / 2 + 1) == 0);
    if (!hex_decode(text, (unsigned char *)out->data, text.len / 2))
        return bind_trouble(L, "bad_request", "this is not hex");
    value_push_slice(L, (struct slice){out->data, text.len / 2});
    return 1;
}

/* --- random --------------------------------------------------------------- */

static int on_random(lua_State *L)
{
    unsigned char bytes[RANDOM_MOST];
    lua_Number n = luaL_checknumber(L, 1);
    if (!(n >= 1 && n <= RANDOM_MOST))
        bind_raise(L, "crypto.random: 1 to %d bytes", RANDOM_MOST);
    enum form form = crypto_form(L, 2, FORM_RAW);
    random_bytes(bytes, (size_t)n);
    return crypto_push(L, (struct slice){(char *)bytes, (size_t)n}, form);
}

static int on_uuid(lua_State *L)
{
    unsigned char b[16];
    char text[40];
    random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    int n = snprintf(text, sizeof text,
                     "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
                     "%02x%02x%02x%02x%02x%02x",
                     b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
                     b[10], b[11], b[12], b[13], b[14], b[15]);
    lua_pushlstring(L, text, (size_t)n);
    return 1;
}

/* --- the table ------------------------------------------------------------ */

#define ANY(name, fn, signature, doc)                                          \
    {                                                                          \
        name, fn, API_ANYWHERE, 0, signature, doc, "1"                         \
    }
#define VARIES(name, fn, signature, doc)                                       \
    {                                                                          \
        name, fn, API_ANYWHERE, API_VARIES, signature, doc, "1"                \
    }
#define DIGEST_SIGNATURE                                                       \
    "(data: string|Secret, as?: \"hex\"|\"raw\"|\"base64\"|\"base64url\"): "   \
    "string"

static const struct api_call calls[] = {
    ANY("md5", on_md5, DIGEST_SIGNATURE,
        "MD5 of the data, as hex unless `as` says otherwise. For old "
        "platforms only: it protects nothing.\n\n"
        "local sign = crypto.md5(query .. key):upper()"),
    ANY("sha1", on_sha1, DIGEST_SIGNATURE,
        "SHA-1 of the data, as hex unless `as` says otherwise.\n\n"
        "crypto.sha1(secret.sorted(token, q.timestamp, q.nonce))"),
    ANY("sha256", on_sha256, DIGEST_SIGNATURE,
        "SHA-256 of the data, as hex unless `as` says otherwise.\n\n"
        "local sum = crypto.sha256(body, \"base64\")"),
    ANY("sha384", on_sha384, DIGEST_SIGNATURE,
        "SHA-384 of the data, as hex unless `as` says otherwise.\n\n"
        "local sum = crypto.sha384(body)"),
    ANY("sha512", on_sha512, DIGEST_SIGNATURE,
        "SHA-512 of the data, as hex unless `as` says otherwise.\n\n"
        "local sum = crypto.sha512(body)"),
    ANY("hmac", on_hmac,
        "(alg: \"sha256\"|\"sha1\"|\"sha384\"|\"sha512\"|\"md5\", "
        "key: string|Secret, data: string|Secret, "
        "as?: \"hex\"|\"raw\"|\"base64\"|\"base64url\"): string",
        "HMAC of the data under the key, as hex unless `as` says otherwise. "
        "Compare the result by crypto.equal.\n\n"
        "local mine = crypto.hmac(\"sha256\", secret.get \"shop\", req.body)\n"
        "if not crypto.equal(mine, req.headers[\"x-signature\"]) then return "
        "403 end"),
    ANY("equal", on_equal, "(a: string|Secret, b: string|Secret): boolean",
        "Whether both are the same, in a time that tells nothing of where "
        "they differ.\n\nif crypto.equal(mine, theirs) then ... end"),
    ANY("base64_encode", on_base64_encode, "(bytes: string|Secret): string",
        "Base64 with padding; of a secret it is a secret, as with "
        "base64url_encode and hex_encode.\n\n"
        "headers.authorization = secret.join(\"Basic \", "
        "crypto.base64_encode(secret.join(user, \":\", key)))"),
    ANY("base64url_encode", on_base64url_encode,
        "(bytes: string|Secret): string",
        "Base64 with - and _, without padding, for URLs and tokens.\n\n"
        "local state = crypto.base64url_encode(crypto.random(16))"),
    ANY("base64_decode", on_base64_decode,
        "(text: string|Secret): string|nil, string?, string?",
        "The bytes of a base64 text: either alphabet, padded or not, blanks "
        "and line ends between. nil, \"bad_request\" for anything else. Of a "
        "secret these are bytes for everybody to see: for whoever must look "
        "inside.\n\n"
        "local key = assert(crypto.base64_decode(encoding_aes_key .. \"=\"))"),
    ANY("hex_encode", on_hex_encode, "(bytes: string|Secret): string",
        "Lower-case hex.\n\nlocal text = crypto.hex_encode(bytes)"),
    ANY("hex_decode", on_hex_decode,
        "(text: string|Secret): string|nil, string?, string?",
        "The bytes of a hex text, either case. nil, \"bad_request\" for "
        "anything else.\n\nlocal bytes = crypto.hex_decode \"00ff\""),
    VARIES("random", on_random,
           "(bytes: integer, as?: \"raw\"|\"hex\"|\"base64\"|\"base64url\"): "
           "string",
           "1 to 1024 bytes nobody can guess.\n\n"
           "local nonce = crypto.random(8, \"hex\")"),
    VARIES(
        "uuid", on_uuid, "(): string",
        "A random UUID (version 4).\n\n"
        "local id = crypto.uuid() -- \"6fa459ea-ee8a-4ca4-894e-db77e160355e\""),
    ANY("aes_cbc_encrypt", crypto_cbc_encrypt,
        "(key: string|Secret, iv: string|Secret, data: string, "
        "options?: {padding?: \"pkcs7\"|\"none\", block?: 16|32}): string|nil, "
        "string?, string?",
        "AES-CBC; key of 16, 24 or 32 bytes, iv of 16. block = 32 pads as "
        "some platforms want it. Without padding the data must be whole "
        "blocks, or nil, \"bad_request\".\n\n"
        "local sealed = crypto.aes_cbc_encrypt(key, key:sub(1, 16), full, "
        "{ block = 32 })"),
    ANY("aes_cbc_decrypt", crypto_cbc_decrypt,
        "(key: string|Secret, iv: string|Secret, data: string, "
        "options?: {padding?: \"pkcs7\"|\"none\", block?: 16|32}): string|nil, "
        "string?, string?",
        "The way back. nil, \"bad_request\" when the data is not whole blocks "
        "or its padding is wrong, which as a rule means another key.\n\n"
        "local full = crypto.aes_cbc_decrypt(key, key:sub(1, 16), sealed, "
        "{ block = 32 })"),
    ANY("aes_gcm_encrypt", crypto_gcm_encrypt,
        "(key: string|Secret, iv: string, data: string, "
        "options?: {aad?: string}): string, string",
        "AES-GCM: the sealed data and its tag of 16 bytes. An iv (12 bytes) "
        "must never be used twice with one key.\n\n"
        "local iv = crypto.random(12)\n"
        "local sealed, tag = crypto.aes_gcm_encrypt(key, iv, text)"),
    ANY("aes_gcm_decrypt", crypto_gcm_decrypt,
        "(key: string|Secret, iv: string, data: string, "
        "options?: {aad?: string, tag?: string}): string|nil, string?, string?",
        "The way back. Without `tag` the last 16 bytes of the data are it. "
        "nil, \"forged\" when the tag does not fit.\n\n"
        "local text = crypto.aes_gcm_decrypt(key, iv, sealed, { aad = "
        "\"transaction\" })"),
    ANY("rsa_sign", crypto_rsa_sign,
        "(key: string|Secret, data: string, options?: {padding?: "
        "\"pkcs1\"|\"pss\", hash?: string, as?: string}): string|nil, string?, "
        "string?",
        "Signature with an RSA key (PEM, at most 4096 bits): PKCS #1 v1.5 and "
        "SHA-256 unless the options say otherwise. nil, \"bad_key\".\n\n"
        "local sign = crypto.rsa_sign(secret.get \"pay_key\", text, { as = "
        "\"base64\" })"),
    ANY("rsa_verify", crypto_rsa_verify,
        "(key: string|Secret, data: string, signature: string, options?: "
        "{padding?: \"pkcs1\"|\"pss\", hash?: string}): boolean|nil, string?, "
        "string?",
        "Whether it is the key's signature of the data. The key is PEM: a "
        "public key or a certificate. nil, \"bad_key\".\n\n"
        "if not crypto.rsa_verify(cert, text, sign) then return 403 end"),
    ANY("ed25519_sign", crypto_ed25519_sign,
        "(key: string|Secret, data: string, options?: {as?: string}): "
        "string|nil, string?, string?",
        "Ed25519 signature; the key is PEM or 32 raw bytes. nil, "
        "\"bad_key\".\n\nlocal sign = crypto.ed25519_sign(key, body)"),
    ANY("ed25519_verify", crypto_ed25519_verify,
        "(key: string|Secret, data: string, signature: string): boolean|nil, "
        "string?, string?",
        "Whether it is the key's signature of the data; the key is PEM or 32 "
        "raw bytes. nil, \"bad_key\".\n\n"
        "local ok = crypto.ed25519_verify(public, stamp .. body, sign)"),
    ANY("ecdsa_sign", crypto_ecdsa_sign,
        "(key: string|Secret, data: string, options?: {as?: string}): "
        "string|nil, string?, string?",
        "ECDSA with P-256 and SHA-256 (ES256): 64 bytes, r and s. nil, "
        "\"bad_key\".\n\nlocal sign = crypto.ecdsa_sign(key, body)"),
    ANY("ecdsa_verify", crypto_ecdsa_verify,
        "(key: string|Secret, data: string, signature: string): boolean|nil, "
        "string?, string?",
        "Whether the 64 bytes are the key's signature of the data. nil, "
        "\"bad_key\".\n\nlocal ok = crypto.ecdsa_verify(key, body, sign)"),
    ANY("jwt_sign", crypto_jwt_sign,
        "(alg: \"HS256\"|\"RS256\"|\"PS256\"|\"ES256\"|\"EdDSA\", key: "
        "string|Secret, claims: table, header?: table): string|nil, string?, "
        "string?",
        "A signed token (JWT). `header` adds fields (kid). nil, "
        "\"bad_key\".\n\n"
        "local now = math.floor(time.now() / 1000)\n"
        "local token = crypto.jwt_sign(\"RS256\", key, { iss = app, exp = now "
        "+ 600 }, { kid = id })"),
    ANY("jwt_verify", crypto_jwt_verify,
        "(alg: \"HS256\"|\"RS256\"|\"PS256\"|\"ES256\"|\"EdDSA\", key: "
        "string|Secret, token: string): table|nil, string?, string?",
        "The claims of a token that is signed by this algorithm and key and "
        "is in its time (exp, nbf; a minute's grace). nil and \"bad_request\" "
        "(no token), \"forged\", \"expired\" or \"bad_key\".\n\n"
        "local claims, code = crypto.jwt_verify(\"HS256\", key, token)"),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};

const struct api_module crypto_module = {
    .name = "crypto",
    .doc = "Digests, signatures, ciphers, base64, hex, random bytes. Keys may "
           "be texts or secrets; data is at most 1 MB.",
    .calls = calls};
