/* SPDX-License-Identifier: Apache-2.0 */
/* sse_fuzz.c - any bytes, in one piece and in pieces of a length that the
 * bytes themselves say: the same events must come of both. */
#include "base/err.h"
#include "base/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int feed(struct sse *s, struct slice in, struct buf *out)
{
    while (in.len) {
        bool got;
        int64_t used = sse_feed(s, in, &got);
        if (used < 0)
            return (int)used;
        must(used > 0 && (size_t)used <= in.len);
        in.at += used;
        in.len -= (size_t)used;
        if (got)
            must(buf_addf(out, "[%zu %zu %zu]", sse_event(s).len,
                          sse_data(s).len, sse_id(s).len) == 0 &&
                 buf_add_slice(out, sse_data(s)) == 0);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = {(const char *)data, n};
    struct sse one, many;
    struct buf a, b;
    int first, second = 0;
    sse_init(&one, 300);
    sse_init(&many, 300);
    buf_init(&a, 64 * n + 1000);
    buf_init(&b, 64 * n + 1000);
    first = feed(&one, in, &a);
    for (size_t at = 0; at < n && second == 0;) {
        size_t piece = 1 + data[at] % 7;
        if (piece > n - at)
            piece = n - at;
        second = feed(&many, (struct slice){in.at + at, piece}, &b);
        at += piece;
    }
    must(first == second);
    must(slice_eq(buf_slice(&a), buf_slice(&b)));
    sse_fini(&one);
    sse_fini(&many);
    buf_fini(&a);
    buf_fini(&b);
    return 0;
}
