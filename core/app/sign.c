/* SPDX-License-Identifier: Apache-2.0 */
/* sign.c - makes and checks what is signed.
 *
 * Happy path: the text is taken apart, its HMAC computed anew and compared in
 * constant time. Failure: one answer for every kind of wrong, so that nobody
 * learns how far he came.
 */
#include "app/sign.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/limits.h"
#include <stdio.h>
#include <stdlib.h>

#define TOKEN_PAYLOAD 24
#define TOKEN_MAC 32
#define CANONICAL_MAX (128 * 1024)

static void put_u64(unsigned char *p, uint64_t n)
{
    for (int i = 7; i >= 0; i--) {
        p[i] = (unsigned char)n;
        n >>= 8;
    }
}

static uint64_t take_u64(const unsigned char *p)
{
    uint64_t n = 0;
    for (int i = 0; i < 8; i++) {
        n = n << 8 | p[i];
    }
    return n;
}

/* Keyed by purpose, so that no signature can stand in for another. */
static void mac_of(const unsigned char key[SIGN_KEY], const char *purpose,
                   const unsigned char *p, size_t n, unsigned char out[32])
{
    char text[64];
    size_t len = 0;
    must(strlen(purpose) + n <= sizeof text);
    for (; purpose[len]; len++) {
        text[len] = purpose[len];
    }
    memcpy(text + len, p, n);
    hmac_sha256((struct slice){(const char *)key, SIGN_KEY},
                (struct slice){text, len + n}, out);
}

static struct slice to_text(char *out, size_t max, const char *prefix,
                            const unsigned char *p, size_t n)
{
    struct buf b;
    buf_init(&b, max - 1);
    int r = buf_add_text(&b, prefix);
    if (r == 0) {
        r = base64url_add(&b, (struct slice){(const char *)p, n});
    }
    must(r == 0);
    memcpy(out, b.data, b.len);
    out[b.len] = 0;
    struct slice text = {out, b.len};
    buf_fini(&b);
    return text;
}

struct slice visitor_token_write(char out[VISITOR_TOKEN_TEXT],
                                 const unsigned char key[SIGN_KEY],
                                 struct visitor_token t)
{
    unsigned char raw[TOKEN_PAYLOAD + TOKEN_MAC];
    put_u64(raw, t.contact);
    put_u64(raw + 8, t.channel);
    put_u64(raw + 16, (uint64_t)t.issued_at);
    mac_of(key, "visitor:", raw, TOKEN_PAYLOAD, raw + TOKEN_PAYLOAD);
    return to_text(out, VISITOR_TOKEN_TEXT, "yv_", raw, sizeof raw);
}

bool visitor_token_read(struct slice text, const unsigned char key[SIGN_KEY],
                        int64_t now, int64_t max_age_ms,
                        struct visitor_token *out)
{
    unsigned char mac[32];
    struct buf raw;
    bool good = false;
    if (!slice_starts(text, "yv_") || text.len >= VISITOR_TOKEN_TEXT) {
        return false;
    }
    buf_init(&raw, VISITOR_TOKEN_TEXT);
    if (base64url_decode(&raw, (struct slice){text.at + 3, text.len - 3}) ==
            0 &&
        raw.len == TOKEN_PAYLOAD + TOKEN_MAC) {
        const unsigned char *p = (const unsigned char *)raw.data;
        mac_of(key, "visitor:", p, TOKEN_PAYLOAD, mac);
        out->contact = take_u64(p);
        out->channel = take_u64(p + 8);
        out->issued_at = (int64_t)take_u64(p + 16);
        good = crypto_equal(mac, p + TOKEN_PAYLOAD, TOKEN_MAC) &&
               out->contact != 0 && out->issued_at > now - max_age_ms;
    }
    buf_fini(&raw);
    return good;
}

struct slice secret_new(char out[SECRET_TEXT], const char *prefix)
{
    unsigned char raw[32];
    random_bytes(raw, sizeof raw);
    return to_text(out, SECRET_TEXT, prefix, raw, sizeof raw);
}

struct slice api_token_text(char out[SECRET_TEXT],
                            const unsigned char key[SIGN_KEY], uint64_t id)
{
    unsigned char raw[8], mac[32];
    put_u64(raw, id);
    mac_of(key, "api-token:", raw, sizeof raw, mac);
    return to_text(out, SECRET_TEXT, "yk_", mac, sizeof mac);
}

/* --- identities --- */

struct member {
    const struct json *value;
};

static int by_key(const void *a, const void *b)
{
    struct slice x = ((const struct member *)a)->value->key;
    struct slice y = ((const struct member *)b)->value->key;
    size_t n = x.len < y.len ? x.len : y.len;
    int r = n ? memcmp(x.at, y.at, n) : 0;
    return r ? r : (x.len > y.len) - (x.len < y.len);
}

static int canonical_json(const struct json *v, struct arena *a,
                          struct jsonw *w, struct err *e);

static int canonical_object(const struct json *v, struct arena *a,
                            struct jsonw *w, struct err *e)
{
    struct member *sorted = arena_many(a, struct member, v->count + 1);
    size_t n = 0;
    int r = 0;
    for (struct json *c = v->first; c; c = c->next) {
        sorted[n++].value = c;
    }
    qsort(sorted, n, sizeof *sorted, by_key);
    jsonw_open(w, '{');
    for (size_t i = 0; i < n && r == 0; i++) {
        struct slice key = slice_dup(a, sorted[i].value->key);
        jsonw_key(w, key.len ? key.at : "");
        r = canonical_json(sorted[i].value, a, w, e);
    }
    jsonw_close(w, '}');
    return r;
}

static int canonical_json(const struct json *v, struct arena *a,
                          struct jsonw *w, struct err *e)
{
    int r = 0;
    if (v->type == JSON_REAL) {
        return err_field(e, ERR_UNPROCESSABLE, "identity.attributes",
                         "signed attributes hold no fractions; send texts");
    }
    if (v->type == JSON_OBJECT) {
        return canonical_object(v, a, w, e);
    }
    if (v->type != JSON_ARRAY) {
        jsonw_value(w, v);
        return 0;
    }
    jsonw_open(w, '[');
    for (struct json *c = v->first; c && r == 0; c = c->next) {
        r = canonical_json(c, a, w, e);
    }
    jsonw_close(w, ']');
    return r;
}

static int canonical_attributes(struct slice text, struct arena *a,
                                struct buf *out, struct err *e)
{
    struct json *tree;
    if (text.len == 0) {
        return 0;
    }
    if (json_parse(a, text, NULL, &tree) || tree->type != JSON_OBJECT) {
        return err_field(e, ERR_UNPROCESSABLE, "identity.attributes",
                         "attributes must be an object");
    }
    struct jsonw w = jsonw_on(out);
    int r = canonical_json(tree, a, &w, e);
    return r ? r : w.failed;
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.at[i] < 0x20) {
            return true;
        }
    }
    return false;
}

int identity_canonical(const struct hello *h, struct arena *a, struct buf *out,
                       struct err *e)
{
    static const char *const names[] = {"identity.user_id", "identity.name",
                                        "identity.email", "identity.tier"};
    struct slice parts[] = {h->user_id, h->name, h->email, h->tier};
    int r = buf_add_text(out, "v1\n");
    for (size_t i = 0; i < 4 && r == 0; i++) {
        if (has_control(parts[i]) || parts[i].len > LIMIT_NAME_BYTES) {
            return err_field(e, ERR_UNPROCESSABLE, names[i],
                             "too long, or with control characters");
        }
        r = buf_add_slice(out, parts[i]);
        r = r ? r : buf_add_char(out, '\n');
    }
    r = r ? r : canonical_attributes(h->attributes, a, out, e);
    r = r ? r : buf_addf(out, "\n%lld", (long long)h->expires_at);
    return r;
}

int identity_check(const struct hello *h, struct slice secret, int64_t now,
                   struct arena *a, struct err *e)
{
    unsigned char mine[32], theirs[32];
    struct buf text;
    if (h->user_id.len == 0) {
        return err_field(e, ERR_UNPROCESSABLE, "identity.user_id",
                         "an identity needs a user_id");
    }
    buf_init(&text, CANONICAL_MAX);
    int r = identity_canonical(h, a, &text, e);
    if (r == 0) {
        hmac_sha256(secret, buf_slice(&text), mine);
        if (secret.len == 0 || !hex_decode(h->signature, theirs, 32) ||
            !crypto_equal(mine, theirs, 32)) {
            r = err_field(e, ERR_UNAUTHORIZED, "identity.signature",
                          "the identity's signature is wrong");
        } else if (h->expires_at <= now) {
            r = err_field(e, ERR_UNAUTHORIZED, "identity.expires_at",
                          "the identity has expired");
        }
    }
    buf_fini(&text);
    return r;
}

/* --- signed requests --- */

static int read_timed(struct slice header, struct signature *out, struct err *e)
{
    const char *p = header.at, *end = header.at + header.len;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma ? comma : end;
        struct slice part = slice_trim((struct slice){p, (size_t)(stop - p)});
        if (slice_starts(part, "t=")) {
            out->t_text = (struct slice){part.at + 2, part.len - 2};
        } else if (slice_starts(part, "v1=") && out->count < 4) {
            struct slice hex = {part.at + 3, part.len - 3};
            out->count += hex_decode(hex, out->v1[out->count], 32);
        }
        p = stop + 1;
    }
    if (out->count == 0 || !slice_to_i64(out->t_text, &out->t)) {
        return err_field(e, ERR_UNAUTHORIZED, "X-Signature",
                         "X-Signature must be t=<unix>,v1=<64 hex>");
    }
    return 0;
}

int signature_read(struct slice header, struct signature *out, struct err *e)
{
    memset(out, 0, sizeof *out);
    header = slice_trim(header);
    if (slice_starts(header, "t=")) {
        out->form = SIGNATURE_TIMED;
        return read_timed(header, out, e);
    }
    struct slice hex = header;
    if (slice_starts(hex, "sha256=")) {
        hex.at += 7;
        hex.len -= 7;
    }
    if (hex_decode(hex, out->v1[0], 32)) {
        out->form = SIGNATURE_BODY;
        out->count = 1;
        return 0;
    }
    out->form = SIGNATURE_PLAIN;
    out->plain = header;
    return 0;
}

bool signature_is_of(const struct signature *s, struct slice secret,
                     struct slice body, unsigned char match[32])
{
    unsigned char mac[32];
    struct buf text;
    bool found = false;
    buf_init(&text, body.len + s->t_text.len + 1);
    int r = 0;
    if (s->form == SIGNATURE_TIMED) {
        r = buf_add_slice(&text, s->t_text);
        r = r ? r : buf_add_char(&text, '.');
    }
    r = r ? r : buf_add_slice(&text, body);
    must(r == 0);
    hmac_sha256(secret, buf_slice(&text), mac);
    for (size_t i = 0; i < s->count; i++) {
        if (crypto_equal(mac, s->v1[i], sizeof mac)) {
            memcpy(match, mac, sizeof mac);
            found = true;
        }
    }
    buf_fini(&text);
    return found;
}
