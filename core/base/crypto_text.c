/* SPDX-License-Identifier: Apache-2.0 */
/* crypto_text.c - bytes as base64 and hex.
 *
 * Happy path: one pass into a buffer. Failure modes: no room in it, or text
 * that is none: the buffer is as it was.
 */
#include "base/crypto.h"
#include "base/err.h"

static int base64(struct buf *out, struct slice data, const char *digits,
                  bool pad)
{
    const unsigned char *p = (const unsigned char *)data.at;
    int err = buf_reserve(out, (data.len + 2) / 3 * 4);
    if (err < 0)
        return err;
    char *to = out->data + out->len;
    for (size_t left = data.len; left > 0;) {
        size_t n = left < 3 ? left : 3;
        unsigned bits = (unsigned)p[0] << 16;
        bits |= n > 1 ? (unsigned)p[1] << 8 : 0;
        bits |= n > 2 ? (unsigned)p[2] : 0;
        for (size_t i = 0; i <= n; i++)
            *to++ = digits[bits >> (18 - 6 * i) & 63];
        for (size_t i = n; pad && i < 3; i++)
            *to++ = '=';
        p += n;
        left -= n;
    }
    out->len = (size_t)(to - out->data);
    return 0;
}

static const char std_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int base64_add(struct buf *out, struct slice data)
{
    return base64(out, data, std_digits, true);
}

int base64url_add(struct buf *out, struct slice data)
{
    return base64(out, data, url_digits, false);
}

static int url_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int base64url_decode(struct buf *out, struct slice text)
{
    size_t before = out->len;
    if (text.len % 4 == 1)
        return ERR_BAD_REQUEST;
    int err = buf_reserve(out, text.len / 4 * 3 + text.len % 4 * 3 / 4);
    if (err < 0)
        return err;
    unsigned bits = 0, have = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = url_digit(text.at[i]);
        if (digit < 0) {
            out->len = before;
            return ERR_BAD_REQUEST;
        }
        bits = bits << 6 | (unsigned)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out->data[out->len++] = (char)(bits >> have & 255);
        }
    }
    /* Left-over bits must be zero, or two texts would mean the same bytes. */
    if (bits & ((1u << have) - 1)) {
        out->len = before;
        return ERR_BAD_REQUEST;
    }
    return 0;
}

/* Both alphabets; a digit's value, or -1. */
static int any_digit(char c)
{
    return c == '+' ? 62 : c == '/' ? 63 : url_digit(c);
}

int base64_decode(struct buf *out, struct slice text)
{
    size_t before = out->len, digits = 0;
    unsigned bits = 0, have = 0;
    bool padded = false;
    int err = buf_reserve(out, text.len / 4 * 3 + 3);
    if (err < 0)
        return err;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        int digit = any_digit(c);
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        padded |= c == '=';
        if (c == '=')
            continue;
        if (digit < 0 || padded) {
            out->len = before;
            return ERR_BAD_REQUEST;
        }
        digits++;
        bits = bits << 6 | (unsigned)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out->data[out->len++] = (char)(bits >> have & 255);
        }
    }
    if (digits % 4 == 1) {
        out->len = before;
        return ERR_BAD_REQUEST;
    }
    return 0;
}

int hex_add(struct buf *out, const unsigned char *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    int err = buf_reserve(out, n * 2);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n; i++) {
        out->data[out->len++] = digits[p[i] >> 4];
        out->data[out->len++] = digits[p[i] & 15];
    }
    return 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool hex_decode(struct slice text, unsigned char *out, size_t n)
{
    if (text.len != n * 2)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(text.at[2 * i]);
        int low = hex_digit(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}
