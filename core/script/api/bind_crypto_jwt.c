/* SPDX-License-Identifier: Apache-2.0 */
/* bind_crypto_jwt.c - JSON web tokens, signed (RFC 7515, 7519, 8037).
 *
 * Happy path: head and claims as JSON, base64url, one signature; the way back
 * in the other order, the signature before anything is believed. The verifier
 * says the algorithm, the token's own word only must not differ from it.
 * Failure modes: nil and "bad_request", "forged", "expired", "bad_key".
 */
#include "base/clock.h"
#include "script/api/bind_crypto.h"

#define TOKEN_BYTES (64 * 1024)
#define GRACE_S 60

static const struct alg {
    const char *name;
    bool hmac;
    enum digest digest;
    enum sign_with with;
} algs[] = {{"HS256", true, DIGEST_SHA256, SIGN_RSA_PKCS1},
            {"HS384", true, DIGEST_SHA384, SIGN_RSA_PKCS1},
            {"HS512", true, DIGEST_SHA512, SIGN_RSA_PKCS1},
            {"RS256", false, DIGEST_SHA256, SIGN_RSA_PKCS1},
            {"PS256", false, DIGEST_SHA256, SIGN_RSA_PSS},
            {"ES256", false, DIGEST_SHA256, SIGN_ECDSA},
            {"EdDSA", false, DIGEST_SHA256, SIGN_ED25519}};

static const struct alg *alg_at(lua_State *L, int arg, const char *what)
{
    struct slice name = bind_slice(L, arg);
    for (size_t i = 0; i < sizeof algs / sizeof algs[0]; i++)
        if (slice_is(name, algs[i].name))
            return &algs[i];
    bind_raise(L,
               "%s: there is no \"%s\"; known are HS256, HS384, HS512, "
               "RS256, PS256, ES256, EdDSA",
               what, name.at);
}

static int sign(const struct alg *alg, struct slice key, struct slice data,
                struct buf *out, struct err *e)
{
    unsigned char sum[DIGEST_MOST];
    if (!alg->hmac)
        return key_sign(alg->with, alg->digest, key, data, out, e);
    must(hmac_of(alg->digest, key, data, sum) == 0);
    return buf_add(out, sum, digest_bytes(alg->digest));
}

/* Stack: header or nothing at 4. Leaves a table with alg, typ and its fields. */
static void push_header(lua_State *L, const struct alg *alg)
{
    lua_newtable(L);
    if (!lua_isnoneornil(L, 4)) {
        luaL_checktype(L, 4, LUA_TTABLE);
        for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1)) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_rawset(L, -5);
        }
    }
    lua_pushliteral(L, "JWT");
    lua_setfield(L, -2, "typ");
    lua_pushstring(L, alg->name);
    lua_setfield(L, -2, "alg");
}

/* The value at idx as JSON, in the arena. */
static struct slice json_of(lua_State *L, int idx, struct arena *a)
{
    const char *why;
    struct buf *json = bind_buf(L, TOKEN_BYTES);
    if (value_write(L, idx, json, &why) < 0)
        bind_raise(L, "crypto.jwt_sign: %s", why);
    return slice_dup(a, buf_slice(json));
}

int crypto_jwt_sign(lua_State *L)
{
    static const char what[] = "crypto.jwt_sign";
    struct err e = {0};
    struct buf sig;
    const struct alg *alg = alg_at(L, 1, what);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 4);
    push_header(L, alg);
    struct slice key = crypto_data(L, 2, what);
    struct arena *a = bind_arena(L);
    struct slice head = json_of(L, 5, a), claims = json_of(L, 3, a);
    struct buf *token = bind_buf(L, 4 * TOKEN_BYTES);
    must(base64url_add(token, head) == 0 && buf_add_char(token, '.') == 0);
    must(base64url_add(token, claims) == 0);
    buf_init(&sig, SIGNATURE_MOST); /* nothing raises until it is gone */
    int got = sign(alg, key, buf_slice(token), &sig, &e);
    if (got == 0) {
        must(buf_add_char(token, '.') == 0);
        must(base64url_add(token, buf_slice(&sig)) == 0);
    }
    buf_fini(&sig);
    if (got < 0)
        return bind_trouble(L, "bad_key", e.text);
    value_push_slice(L, buf_slice(token));
    return 1;
}

/* --- and back ------------------------------------------------------------- */

/* One part of the token, decoded, in the arena. */
static bool decode(struct slice text, struct arena *a, struct slice *out)
{
    struct buf b;
    buf_init(&b, TOKEN_BYTES);
    int got = base64url_decode(&b, text);
    *out = got < 0 ? SLICE("") : slice_dup(a, buf_slice(&b));
    buf_fini(&b);
    return got == 0;
}

struct jwt {
    struct slice signed_part, signature;
    struct json *head, *claims;
};

/* No signature is looked at in here. */
static bool read_token(struct slice text, struct arena *a, struct jwt *t)
{
    struct slice head, claims;
    const char *end = text.at + text.len;
    const char *one = text.len ? memchr(text.at, '.', text.len) : NULL;
    const char *two =
        one ? memchr(one + 1, '.', (size_t)(end - one - 1)) : NULL;
    if (!two || text.len > TOKEN_BYTES)
        return false;
    t->signed_part = (struct slice){text.at, (size_t)(two - text.at)};
    return decode((struct slice){text.at, (size_t)(one - text.at)}, a, &head) &&
           decode((struct slice){one + 1, (size_t)(two - one - 1)}, a,
                  &claims) &&
           decode((struct slice){two + 1, (size_t)(end - two - 1)}, a,
                  &t->signature) &&
           json_parse(a, head, NULL, &t->head) == 0 &&
           json_parse(a, claims, NULL, &t->claims) == 0 &&
           json_is(t->head, JSON_OBJECT) && json_is(t->claims, JSON_OBJECT);
}

static int verify(const struct alg *alg, struct slice key, const struct jwt *t,
                  bool *good, struct err *e)
{
    unsigned char sum[DIGEST_MOST];
    *good = false;
    if (!slice_is(json_text(t->head, "alg"), alg->name) ||
        json_get(t->head, "crit"))
        return 0;
    if (!alg->hmac)
        return key_verify(alg->with, alg->digest, key, t->signed_part,
                          t->signature, good, e);
    must(hmac_of(alg->digest, key, t->signed_part, sum) == 0);
    *good = t->signature.len == digest_bytes(alg->digest) &&
            crypto_equal(sum, t->signature.at, t->signature.len);
    return 0;
}

/* Seconds of a claim, whole or not; false: it is there and no number. */
static bool moment(const struct json *claims, const char *name, double *out)
{
    const struct json *j = json_get(claims, name);
    if (!j)
        return true;
    if (j->type == JSON_INT)
        *out = (double)j->integer;
    else if (j->type == JSON_REAL)
        *out = j->real;
    else
        return false;
    return true;
}

static bool in_time(const struct json *claims)
{
    double now = (double)clock_ms() / 1000, from = now, until = now;
    return moment(claims, "nbf", &from) && moment(claims, "exp", &until) &&
           from <= now + GRACE_S && until >= now - GRACE_S;
}

int crypto_jwt_verify(lua_State *L)
{
    static const char what[] = "crypto.jwt_verify";
    bool good;
    struct err e = {0};
    struct jwt t = {0};
    const struct alg *alg = alg_at(L, 1, what);
    struct slice key = crypto_data(L, 2, what), text = bind_slice(L, 3);
    if (!read_token(text, bind_arena(L), &t))
        return bind_trouble(L, "bad_request", "this is not a signed token");
    if (verify(alg, key, &t, &good, &e) < 0)
        return bind_trouble(L, "bad_key", e.text);
    if (!good)
        return bind_trouble(L, "forged",
                            "the token is not signed by this algorithm and "
                            "key");
    if (!in_time(t.claims))
        return bind_trouble(L, "expired", "the token is over or not valid yet");
    value_push(L, t.claims);
    return 1;
}
