/* SPDX-License-Identifier: Apache-2.0 */
/* signature_fuzz.c - any bytes as X-Signature and as a visitor's token: none of
 * them opens anything. */
#include "app/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const unsigned char key[SIGN_KEY] = "a key nobody gives to the fuzz";
    struct slice text = {(const char *)data, n};
    struct signature s;
    struct visitor_token t;
    struct err e = {0};
    unsigned char match[32];
    if (signature_read(text, &s, &e) == 0) {
        must(s.count <= 4);
        must(s.form == SIGNATURE_PLAIN ||
             !signature_is_of(&s, SLICE("secret"), SLICE("body"), match));
    } else {
        must(e.text[0] && e.field[0]);
    }
    must(!visitor_token_read(text, key, 1000, 1000, &t));
    return 0;
}
