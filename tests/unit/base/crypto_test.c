/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypto.h"
#include "base/err.h"
#include "test.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void check_hex(const unsigned char *p, size_t n, const char *want)
{
    struct buf b;
    buf_init(&b, 1000);
    CHECK_EQ_INT(hex_add(&b, p, n), 0);
    CHECK_SLICE(buf_slice(&b), want);
    buf_fini(&b);
}

TEST("digests are those of the standards")
{
    unsigned char out[SHA256_BYTES];
    sha256_of(SLICE("abc"), out);
    check_hex(out, 32,
              "ba7816bf8f01cfea414140de5dae2223"
              "b00361a396177a9cb410ff61f20015ad");
    sha256_of((struct slice){0}, out);
    check_hex(out, 32,
              "e3b0c44298fc1c149afbf4c8996fb924"
              "27ae41e4649b934ca495991b7852b855");
    sha1_of(SLICE("abc"), out);
    check_hex(out, 20, "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST("one digest over parts is the digest of the whole, again and again")
{
    struct sha256 *h = sha256_new();
    unsigned char a[SHA256_BYTES], b[SHA256_BYTES];
    struct slice parts[3] = {SLICE("ab"), {0}, SLICE("c")};
    sha256_of(SLICE("abc"), b);
    for (int i = 0; i < 3; i++) {
        sha256_parts(h, parts, 3, a);
        CHECK_EQ_MEM(a, 32, b, 32);
    }
    sha256_free(h);
    sha256_free(NULL);
}

TEST("HMAC-SHA256 is that of RFC 4231, long keys too")
{
    unsigned char out[SHA256_BYTES];
    char key[131];
    memset(key, 0x0b, 20);
    hmac_sha256((struct slice){key, 20}, SLICE("Hi There"), out);
    check_hex(out, 32,
              "b0344c61d8db38535ca8afceaf0bf12b"
              "881dc200c9833da726e9376c2e32cff7");
    hmac_sha256(SLICE("Jefe"), SLICE("what do ya want for nothing?"), out);
    check_hex(out, 32,
              "5bdcc146bf60754e6a042426089575c7"
              "5a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    hmac_sha256((struct slice){key, sizeof key},
                SLICE("Test Using Larger Than Block-Size Key - Hash Key First"),
                out);
    check_hex(out, 32,
              "60e431591ee0b67f0d8a26aacbf5b77f"
              "8e0bc6213728c5140546040f0ee37f54");
}

static void *hash_much(void *arg)
{
    unsigned char want[SHA256_BYTES], got[SHA256_BYTES];
    hmac_sha256(SLICE("k"), SLICE("d"), want);
    for (int i = 0; i < 500; i++) {
        sha1_of(SLICE("other"), got);
        hmac_sha256(SLICE("k"), SLICE("d"), got);
        if (!crypto_equal(got, want, sizeof got))
            FAIL("round %d", i);
    }
    return arg;
}

TEST("threads do not disturb one another's digests")
{
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&t[i], NULL, hash_much, NULL) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
}

TEST("a password is known by its hash, and no other one is")
{
    char hash[128], again[128];
    REQUIRE(password_hash(SLICE("correct horse 悦来"), hash) == 0);
    REQUIRE(password_hash(SLICE("correct horse 悦来"), again) == 0);
    CHECK(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31) == 0);
    CHECK(strcmp(hash, again) != 0);
    CHECK(password_is(SLICE("correct horse 悦来"), hash));
    CHECK(!password_is(SLICE("correct horse"), hash));
    CHECK(!password_is(SLICE(""), hash));
    CHECK(!password_is(SLICE("x"), ""));
    CHECK(!password_is(SLICE("x"), "$argon2id$nonsense"));
}

TEST("base64 is that of RFC 4648")
{
    static const char *const std[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                      "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    struct buf b;
    buf_init(&b, 100);
    for (size_t n = 0; n <= 6; n++) {
        buf_clear(&b);
        CHECK_EQ_INT(base64_add(&b, (struct slice){"foobar", n}), 0);
        CHECK_SLICE(buf_slice(&b), std[n]);
    }
    buf_clear(&b);
    base64_add(&b, SLICE("\xfb\xff\xfe"));
    base64url_add(&b, SLICE("\xfb\xff\xfe!"));
    CHECK_SLICE(buf_slice(&b), "+//+-__-IQ");
    buf_fini(&b);
}

TEST("base64url comes back whole, and only one text means it")
{
    struct buf text, back;
    buf_init(&text, 1000);
    buf_init(&back, 1000);
    unsigned char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)(i * 7);
    for (size_t n = 0; n <= 256; n++) {
        struct slice s = {(char *)bytes, n};
        buf_clear(&text);
        buf_clear(&back);
        base64url_add(&text, s);
        CHECK_EQ_INT(base64url_decode(&back, buf_slice(&text)), 0);
        CHECK_EQ_MEM(back.data, back.len, bytes, n);
    }
    static const char *const bad[] = {"A",    "AB==", "AB=", "A+BC", "A/BC",
                                      "AB C", "AB\n", "Zh",  "Zm9",  "Zm9vA"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_clear(&back);
        buf_add_text(&back, "kept");
        test_note("%s", bad[i]);
        CHECK_EQ_INT(base64url_decode(&back, slice_of(bad[i])),
                     ERR_BAD_REQUEST);
        CHECK_SLICE(buf_slice(&back), "kept");
    }
    buf_fini(&back);
    buf_init(&back, 3);
    CHECK_EQ_INT(base64url_decode(&back, SLICE("Zm9v")), 0);
    CHECK_EQ_INT(base64url_decode(&back, SLICE("Zg")), ERR_TOOBIG);
    buf_fini(&back);
    buf_fini(&text);
}

TEST("hex is read in either case and exactly as long as asked")
{
    unsigned char out[4] = {0};
    CHECK(hex_decode(SLICE("00fFA91b"), out, 4));
    check_hex(out, 4, "00ffa91b");
    CHECK(!hex_decode(SLICE("00fFA91"), out, 4));
    CHECK(!hex_decode(SLICE("00fFA91b0"), out, 4));
    CHECK(!hex_decode(SLICE("00fFA91g"), out, 4));
    CHECK(!hex_decode(SLICE(" 0fFA91b"), out, 4));
}

TEST("secrets are compared whole")
{
    CHECK(crypto_equal("abcd", "abcd", 4));
    CHECK(!crypto_equal("abcd", "abce", 4));
    CHECK(!crypto_equal("abcd", "bbcd", 4));
}
