/* SPDX-License-Identifier: Apache-2.0 */
/* json_fuzz.c - any bytes: read them; what can be read is written, read again
 * and written again, and both texts must be the same. */
#include "base/err.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int written(struct arena *a, struct slice text, struct buf *out)
{
    struct err e;
    struct json *j;
    if (json_parse(a, text, &e, &j) < 0) {
        must(j == NULL && e.code == ERR_BAD_REQUEST && e.text[0]);
        must(slice_is_utf8(slice_of(e.text)));
        return ERR_BAD_REQUEST;
    }
    struct jsonw w = jsonw_on(out);
    jsonw_value(&w, j);
    must(w.failed == 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new();
    struct buf once, twice;
    buf_init(&once, 16 * n + 1000);
    buf_init(&twice, 16 * n + 1000);
    if (written(a, (struct slice){(const char *)data, n}, &once) == 0) {
        must(slice_is_utf8(buf_slice(&once)));
        must(written(a, buf_slice(&once), &twice) == 0);
        must(slice_eq(buf_slice(&once), buf_slice(&twice)));
    }
    buf_fini(&once);
    buf_fini(&twice);
    arena_free(a);
    return 0;
}
