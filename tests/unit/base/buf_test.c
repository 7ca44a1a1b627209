/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "test.h"
#include <stdio.h>

TEST("slices compare by bytes, an empty one may point nowhere")
{
    struct slice none = {0};
    CHECK(slice_is(none, ""));
    CHECK(!slice_is(none, "a"));
    CHECK(slice_eq(none, SLICE("")));
    CHECK(slice_is(SLICE("abc"), "abc"));
    CHECK(!slice_is(SLICE("abc"), "ab"));
    CHECK(slice_is_nocase(SLICE("Keep-Alive"), "keep-alive"));
    CHECK(!slice_is_nocase(SLICE("keep_alive"), "keep-alive"));
    CHECK(slice_starts(SLICE("/api/v1"), "/api"));
    CHECK(slice_starts(none, ""));
    CHECK(!slice_starts(SLICE("/a"), "/api"));
    CHECK_SLICE(slice_trim(SLICE(" \t a b\r\n")), "a b");
    CHECK_EQ_INT(slice_trim(SLICE("  ")).len, 0);
}

TEST("a copied slice ends with NUL and lives in the arena")
{
    struct arena *a = arena_new();
    struct slice s = slice_dup(a, SLICE("abc"));
    CHECK_EQ_STR(s.at, "abc");
    CHECK_EQ_STR(slice_dup(a, (struct slice){0}).at, "");
    arena_free(a);
}

TEST("a number is the whole text, decimal, and fits 64 bits")
{
    static const struct {
        const char *text;
        bool good;
        int64_t n;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"42", true, 42},
        {"-42", true, -42},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1.0", false, 0},
        {"0x1", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t n = 0;
        test_note("'%s'", cases[i].text);
        CHECK_EQ_INT(slice_to_i64(slice_of(cases[i].text), &n), cases[i].good);
        CHECK_EQ_INT(n, cases[i].n);
    }
}

/* The definition, slowly: decode and look at the code point. */
static bool is_utf8_by_decoding(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < n;) {
        size_t len = p[i] < 0x80         ? 1
                     : (p[i] >> 5) == 6  ? 2
                     : (p[i] >> 4) == 14 ? 3
                     : (p[i] >> 3) == 30 ? 4
                                         : 0;
        if (len == 0 || i + len > n)
            return false;
        uint32_t c = len == 1 ? p[i] : p[i] & (0x7Fu >> len);
        for (size_t k = 1; k < len; k++) {
            if (p[i + k] >> 6 != 2)
                return false;
            c = c << 6 | (p[i + k] & 0x3F);
        }
        if (len > 1 &&
            (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)))
            return false;
        i += len;
    }
    return true;
}

TEST("UTF-8 is told from what is not, for all pairs and many longer texts")
{
    unsigned char t[12];
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            t[0] = (unsigned char)a;
            t[1] = (unsigned char)b;
            if (slice_is_utf8((struct slice){(char *)t, 2}) !=
                is_utf8_by_decoding(t, 2))
                FAIL("%02x %02x", a, b);
        }
    static const unsigned char edges[] = {
        0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
        0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
    enum { E = sizeof edges };
    for (unsigned n = 0; n < E * E * E * E; n++) {
        t[0] = edges[n % E];
        t[1] = edges[n / E % E];
        t[2] = edges[n / E / E % E];
        t[3] = edges[n / E / E / E];
        if (slice_is_utf8((struct slice){(char *)t, 4}) !=
            is_utf8_by_decoding(t, 4))
            FAIL("%02x %02x %02x %02x", t[0], t[1], t[2], t[3]);
    }
}

TEST("a text cut inside a character is not UTF-8, cut between it is")
{
    const char *text = "plain ASCII, 悦来, é, 😀 end";
    size_t n = strlen(text);
    for (size_t cut = 0; cut <= n; cut++) {
        bool between = ((unsigned char)text[cut] & 0xC0) != 0x80;
        CHECK_EQ_INT(slice_is_utf8((struct slice){text, cut}), between);
    }
}

TEST("a buffer grows up to its maximum and no byte further")
{
    struct buf b;
    buf_init(&b, 100);
    CHECK_EQ_INT(b.cap, 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ_INT(buf_add_char(&b, 'x'), 0);
    CHECK_EQ_INT(buf_add_char(&b, 'y'), ERR_TOOBIG);
    CHECK_EQ_INT(buf_add(&b, NULL, 0), 0);
    CHECK_EQ_INT(b.len, 100);
    CHECK(b.cap <= 100);
    buf_drop(&b, 40);
    CHECK_EQ_INT(b.len, 60);
    CHECK_EQ_INT(buf_addf(&b, "%0*d", 41, 0), ERR_TOOBIG);
    CHECK_EQ_INT(b.len, 60);
    CHECK_EQ_INT(buf_addf(&b, "%0*d", 40, 0), 0);
    CHECK_EQ_INT(b.len, 100);
    buf_fini(&b);
    CHECK_EQ_INT(buf_reserve(&b, SIZE_MAX), ERR_TOOBIG);
    CHECK_EQ_INT(buf_reserve(&b, 101), ERR_TOOBIG);
}

TEST("what is added stands there in order")
{
    struct buf b;
    buf_init(&b, 10000);
    buf_add_text(&b, "a");
    buf_add_slice(&b, SLICE("bc"));
    buf_add_i64(&b, INT64_MIN);
    buf_add_i64(&b, 0);
    buf_addf(&b, "%s-%d", "x", 7);
    CHECK_SLICE(buf_slice(&b), "abc-92233720368547758080x-7");
    buf_drop(&b, 3);
    CHECK_SLICE(buf_slice(&b), "-92233720368547758080x-7");
    buf_drop(&b, b.len);
    CHECK_EQ_INT(b.len, 0);
    char big[1001];
    memset(big, 'q', 1000);
    big[1000] = '\0';
    CHECK_EQ_INT(buf_addf(&b, "%s", big), 0);
    CHECK_SLICE(buf_slice(&b), big);
    size_t cap = b.cap;
    buf_clear(&b);
    CHECK_EQ_INT(b.cap, cap);
    buf_fini(&b);
}
