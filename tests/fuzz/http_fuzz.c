/* SPDX-License-Identifier: Apache-2.0 */
/* http_fuzz.c - any bytes as requests: read whole and byte by byte, both must
 * come to the same. */
#include "base/err.h"
#include "net/http.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A number that stands for all that was read. */
static uint64_t run(const uint8_t *data, size_t size, size_t step)
{
    struct http_reader *r = http_reader_new(4096);
    struct buf in;
    uint64_t sum = 17;
    size_t fed = 0;
    buf_init(&in, 1 << 22);
    for (;;) {
        size_t used;
        enum http_step s = http_read(r, buf_slice(&in), &used);
        must(used <= in.len);
        buf_drop(&in, used);
        if (s == HTTP_NEEDS_MORE) {
            if (fed == size)
                break;
            size_t n = size - fed < step ? size - fed : step;
            buf_add(&in, data + fed, n);
            fed += n;
        } else if (s == HTTP_IS_WHOLE) {
            struct http_in *q = http_take(r);
            must(q->req.path.len > 0 && q->req.path.at[0] == '/');
            sum = sum * 31 + q->req.header_count + q->req.body.len * 7 +
                  q->req.path.len;
            http_in_free(q);
        } else if (s == HTTP_IS_REFUSED) {
            must(http_now(r)->status >= 400);
            sum = sum * 31 + 5;
            break;
        }
    }
    http_reader_free(r);
    buf_fini(&in);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 100000)
        return 0;
    uint64_t whole = run(data, size, size + 1);
    if (size < 4000) /* beyond, limits may be met by another name */
        must(run(data, size, 1) == whole);
    char path[8192];
    size_t n;
    if (size < sizeof(path) - 1 &&
        http_path((struct slice){(const char *)data, size}, path, &n))
        must(n > 0 && path[0] == '/' && n <= size + 1);
    return 0;
}
