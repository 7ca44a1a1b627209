/* SPDX-License-Identifier: Apache-2.0 */
#include "app/sign.h"
#include "base/crypto.h"
#include "test.h"

static const unsigned char key[SIGN_KEY] = "0123456789abcdef0123456789abcde";
static const unsigned char other[SIGN_KEY] = "x123456789abcdef0123456789abcde";
#define YEAR_MS (365LL * 24 * 3600 * 1000)

TEST("a visitor's token comes back as it was made")
{
    char text[VISITOR_TOKEN_TEXT];
    struct visitor_token t = {77, 12, 1735689600000}, back;
    struct slice s = visitor_token_write(text, key, t);
    REQUIRE(visitor_token_read(s, key, t.issued_at + 5, YEAR_MS, &back));
    CHECK_EQ_INT(back.contact, 77);
    CHECK_EQ_INT(back.channel, 12);
    CHECK_EQ_INT(back.issued_at, t.issued_at);
}

TEST("a visitor's token of another key, or too old, is none")
{
    char text[VISITOR_TOKEN_TEXT];
    struct visitor_token t = {77, 12, 1000}, back;
    struct slice s = visitor_token_write(text, key, t);
    CHECK(!visitor_token_read(s, other, 1001, YEAR_MS, &back));
    CHECK(!visitor_token_read(s, key, 1000 + YEAR_MS, YEAR_MS, &back));
    CHECK(visitor_token_read(s, key, 999 + YEAR_MS, YEAR_MS, &back));
}

TEST("a visitor's token with any byte changed or cut is none")
{
    char text[VISITOR_TOKEN_TEXT], copy[VISITOR_TOKEN_TEXT];
    struct visitor_token back;
    struct slice s =
        visitor_token_write(text, key, (struct visitor_token){1, 2, 3});
    for (size_t i = 0; i < s.len; i++) {
        test_note("byte %zu", i);
        memcpy(copy, text, sizeof copy);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        CHECK(!visitor_token_read((struct slice){copy, s.len}, key, 4, YEAR_MS,
                                  &back));
        CHECK(!visitor_token_read((struct slice){text, i}, key, 4, YEAR_MS,
                                  &back));
    }
}

TEST("an API token's text follows from its id and the key")
{
    char a[SECRET_TEXT], b[SECRET_TEXT], c[SECRET_TEXT];
    struct slice x = api_token_text(a, key, 5), y = api_token_text(b, key, 5);
    CHECK(slice_eq(x, y));
    CHECK(!slice_eq(x, api_token_text(c, key, 6)));
    CHECK(!slice_eq(x, api_token_text(c, other, 5)));
}

static struct hello someone(void)
{
    return (struct hello){.has_identity = true,
                          .user_id = SLICE("u-1"),
                          .name = SLICE("Anna"),
                          .email = SLICE("anna@example.com"),
                          .tier = SLICE("vip"),
                          .attributes = SLICE("{\"plan\":\"pro\",\"a\":[1,"
                                              "true,null,{\"z\":1,\"b\":"
                                              "\"\xe6\x82\xa6\\n\"}]}"),
                          .expires_at = 1735689600000};
}

TEST("the canonical string of an identity is what wire.md says")
{
    struct arena *a = arena_new();
    struct buf out;
    struct hello h = someone();
    buf_init(&out, 4096);
    REQUIRE(identity_canonical(&h, a, &out, NULL) == 0);
    CHECK_SLICE(buf_slice(&out),
                "v1\nu-1\nAnna\nanna@example.com\nvip\n"
                "{\"a\":[1,true,null,{\"b\":\"\xe6\x82\xa6\\n\",\"z\":1}],"
                "\"plan\":\"pro\"}\n1735689600000");
    buf_clear(&out);
    h = (struct hello){.user_id = SLICE("u"), .expires_at = 5};
    REQUIRE(identity_canonical(&h, a, &out, NULL) == 0);
    CHECK_SLICE(buf_slice(&out), "v1\nu\n\n\n\n\n5");
    /* The vector of docs/developer/wire.md. */
    h = (struct hello){.user_id = SLICE("u-1"),
                       .name = SLICE("Anna"),
                       .tier = SLICE("vip"),
                       .attributes = SLICE("{\"plan\": \"pro\"}"),
                       .expires_at = 1735689600000,
                       .signature = SLICE("560d334798c216d6233afd9290b087cb17c2"
                                          "7cd86e634c59f7a2f407fbe1d860")};
    CHECK_EQ_INT(identity_check(&h, SLICE("s3cret"), 0, a, NULL), 0);
    buf_fini(&out);
    arena_free(a);
}

static struct slice sign_identity(struct hello *h, struct arena *a,
                                  const char *secret)
{
    struct buf out, hex;
    unsigned char mac[32];
    buf_init(&out, 4096);
    buf_init(&hex, 128);
    CHECK(identity_canonical(h, a, &out, NULL) == 0);
    hmac_sha256(slice_of(secret), buf_slice(&out), mac);
    CHECK(hex_add(&hex, mac, 32) == 0);
    struct slice text = slice_dup(a, buf_slice(&hex));
    buf_fini(&out);
    buf_fini(&hex);
    return text;
}

TEST("a signed identity is good until it expires, and only whole")
{
    struct arena *a = arena_new();
    struct hello h = someone();
    struct slice secret = SLICE("s3cret");
    struct err e = {0};
    h.signature = sign_identity(&h, a, "s3cret");
    CHECK_EQ_INT(identity_check(&h, secret, h.expires_at - 1, a, &e), 0);
    CHECK_EQ_INT(identity_check(&h, secret, h.expires_at, a, &e),
                 ERR_UNAUTHORIZED);
    CHECK_EQ_STR(e.field, "identity.expires_at");
    CHECK_EQ_INT(identity_check(&h, SLICE("other"), 0, a, &e),
                 ERR_UNAUTHORIZED);
    CHECK_EQ_INT(identity_check(&h, SLICE(""), 0, a, &e), ERR_UNAUTHORIZED);
    h.tier = SLICE("gold");
    CHECK_EQ_INT(identity_check(&h, secret, 0, a, &e), ERR_UNAUTHORIZED);
    CHECK_EQ_STR(e.field, "identity.signature");
    arena_free(a);
}

TEST("an identity cannot move a line break from one field to another")
{
    struct arena *a = arena_new();
    struct hello h = someone();
    struct err e = {0};
    h.name = SLICE("Anna\nx@example.com");
    CHECK_EQ_INT(identity_check(&h, SLICE("s"), 0, a, &e), ERR_UNPROCESSABLE);
    CHECK_EQ_STR(e.field, "identity.name");
    h = someone();
    h.attributes = SLICE("{\"a\":1.5}");
    CHECK_EQ_INT(identity_check(&h, SLICE("s"), 0, a, &e), ERR_UNPROCESSABLE);
    CHECK_EQ_STR(e.field, "identity.attributes");
    arena_free(a);
}

/* reference/webhooks.md, section 8. */
#define SEED_BODY "{\"type\":\"weapp\",\"config\":{\"appid\":\"wx123\"}}"
#define SEED_T "1735689600"
#define SEED_V1                                                                \
    "dbf523a1ff8f1f32bbe3953ea09a1402dc4fe430e5f46ae874c73bd2cb4f4d53"
#define SEED_BARE                                                              \
    "d90d5deb2d7b86200f8f85a034903b4fe41a0575a271f02f707e27ba22a41038"

static bool accepts(const char *header, const char *body)
{
    struct signature s;
    unsigned char match[32];
    return signature_read(slice_of(header), &s, NULL) == 0 &&
           s.form != SIGNATURE_PLAIN &&
           signature_is_of(&s, SLICE("your_key"), slice_of(body), match);
}

TEST("the reference's signatures are accepted in all their forms")
{
    CHECK(accepts("t=" SEED_T ",v1=" SEED_V1, SEED_BODY));
    CHECK(accepts("sha256=" SEED_BARE, SEED_BODY));
    CHECK(accepts(SEED_BARE, SEED_BODY));
    CHECK(accepts("D90D5DEB2D7B86200F8F85A034903B4FE41A0575A271F02F707E27BA22A"
                  "41038",
                  SEED_BODY));
    CHECK(accepts("t=" SEED_T ", v0=ab, v1=" SEED_BARE " , v1=" SEED_V1,
                  SEED_BODY));
}

TEST("a signature over other bytes, or cut, is refused")
{
    char header[128];
    const char *whole = "t=" SEED_T ",v1=" SEED_V1;
    CHECK(!accepts(whole, SEED_BODY "\n"));
    CHECK(!accepts("t=1735689601,v1=" SEED_V1, SEED_BODY));
    CHECK(!accepts("t=" SEED_T ",v1=" SEED_BARE, SEED_BODY));
    CHECK(!accepts("t=" SEED_T ",v2=" SEED_V1, SEED_BODY));
    CHECK(!accepts("v1=" SEED_V1, SEED_BODY));
    for (size_t n = 0; n < strlen(whole); n++) {
        test_note("%zu bytes", n);
        memcpy(header, whole, n);
        header[n] = 0;
        CHECK(!accepts(header, SEED_BODY));
    }
}

TEST("anything else in X-Signature is a plain key")
{
    struct signature s;
    REQUIRE(signature_read(SLICE(" your_key "), &s, NULL) == 0);
    CHECK_EQ_INT(s.form, SIGNATURE_PLAIN);
    CHECK_SLICE(s.plain, "your_key");
}
