/* SPDX-License-Identifier: Apache-2.0 */
/* multipart_fuzz.c - any body, however it is cut, gives the same parts. The
 * first byte says where the pieces are cut. */
#include "app/files/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void on_part(void *arg, const struct multipart_part *p)
{
    struct buf *out = arg;
    must(p->name.at != NULL);
    buf_addf(out, "<%.*s|%.*s|%.*s>", SLICE_FMT(p->name), (int)p->filename.len,
             p->filename.len ? p->filename.at : "", (int)p->type.len,
             p->type.len ? p->type.at : "");
}

static void on_data(void *arg, struct slice piece)
{
    must(piece.len > 0);
    must(buf_add_slice(arg, piece) == 0);
}

static void on_part_end(void *arg)
{
    must(buf_add_char(arg, ';') == 0);
}

static int feed(struct slice body, size_t step, struct buf *out)
{
    static const struct multipart_calls calls = {on_part, on_data, on_part_end};
    struct multipart m;
    int r = 0;
    must(multipart_init(&m, SLICE("multipart/form-data; boundary=xyz"), &calls,
                        out) == 0);
    while (body.len && r == 0) {
        size_t now = body.len < step ? body.len : step;
        r = multipart_feed(&m, (struct slice){body.at, now});
        body.at += now;
        body.len -= now;
    }
    if (r == 0 && multipart_is_whole(&m))
        r = 1;
    multipart_fini(&m);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 1 || n > 70000)
        return 0;
    struct slice body = {(const char *)data + 1, n - 1};
    struct buf whole, cut;
    buf_init(&whole, 16 << 20);
    buf_init(&cut, 16 << 20);
    int a = feed(body, body.len ? body.len : 1, &whole);
    int b = feed(body, (size_t)data[0] % 97 + 1, &cut);
    must(a == b && slice_eq(buf_slice(&whole), buf_slice(&cut)));
    buf_fini(&whole);
    buf_fini(&cut);
    return 0;
}
