/* SPDX-License-Identifier: Apache-2.0 */
/* ws_fuzz.c - any bytes as WebSocket frames, whole and in small pieces: the
 * same messages and the same replies. */
#include "base/err.h"
#include "net/ws.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t run(const uint8_t *data, size_t size, size_t step,
                    struct buf *out)
{
    struct ws *w = ws_new();
    struct ws_part *part = NULL;
    struct ws_event ev = {0};
    struct buf have;
    uint64_t sum = 17;
    size_t fed = 0;
    buf_init(&have, 1 << 22);
    while (ev.kind != WS_CLOSE && ev.kind != WS_FAILED) {
        size_t n = ws_read(w, &part, 2000, buf_slice(&have), out, &ev);
        must(n <= have.len);
        if (n == 0) {
            if (fed == size)
                break;
            size_t k = size - fed < step ? size - fed : step;
            buf_add(&have, data + fed, k);
            fed += k;
            continue;
        }
        buf_drop(&have, n);
        must(ev.data.len <= 2000);
        if (ev.kind == WS_TEXT)
            must(slice_is_utf8(ev.data));
        sum = sum * 31 + (uint64_t)ev.kind + ev.data.len * 7;
    }
    ws_part_free(part);
    ws_free(w);
    buf_fini(&have);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf a, b;
    buf_init(&a, 1 << 22);
    buf_init(&b, 1 << 22);
    uint64_t whole = run(data, size, size + 1, &a);
    must(run(data, size, 1, &b) == whole);
    must(slice_eq(buf_slice(&a), buf_slice(&b)));
    must(ws_boundary(a.data, a.len, a.len) == a.len);
    buf_fini(&a);
    buf_fini(&b);
    return 0;
}
