/* SPDX-License-Identifier: Apache-2.0 */
/* An IMAP server says anything, in any pieces. */
#include "net/post/imap_read.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct imap_reader r;
    size_t step = size ? data[0] % 64 + 1 : 1;
    imap_reader_init(&r, 4096);
    for (size_t at = 1; at < size; at += step) {
        struct slice in = {(const char *)data + at,
                           step < size - at ? step : size - at};
        int got;
        while ((got = imap_reader_take(&r, &in)) == 1) {
            struct imap_fetch f;
            struct slice rest = buf_slice(&r.text);
            if (imap_fetch_read(rest, &f) && f.quoted.len > rest.len)
                __builtin_trap();
            (void)imap_code_number(rest, "UIDNEXT");
            while (rest.len)
                (void)imap_number(imap_word(&rest));
        }
        if (got < 0)
            break;
    }
    imap_reader_fini(&r);
    return 0;
}
