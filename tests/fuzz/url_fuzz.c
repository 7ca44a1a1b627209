/* SPDX-License-Identifier: Apache-2.0 */
/* url_fuzz.c - any bytes: the parts of an address make the same parts again;
 * joined to another it is an address; encoded bytes come back. */
#include "base/err.h"
#include "script/text/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void same(struct slice a, struct slice b)
{
    must(!a.at == !b.at && slice_eq(a, b));
}

static void write_again(const struct url *u)
{
    struct url v;
    struct buf out;
    buf_init(&out, 2 * URL_BYTES);
    if (url_write(u, &out) == 0) {
        must(url_read(buf_slice(&out), &v));
        same(u->scheme, v.scheme);
        same(u->user, v.user);
        same(u->password, v.password);
        same(u->host, v.host);
        must(slice_eq(u->path, v.path) && u->port == v.port);
        same(u->query, v.query);
        same(u->fragment, v.fragment);
    }
    buf_fini(&out);
}

static void join(struct slice base, struct slice ref)
{
    struct url u;
    struct buf out;
    buf_init(&out, URL_BYTES);
    if (url_join(base, ref, &out) == 0)
        must(url_read(buf_slice(&out), &u) && u.scheme.at);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice s = {(const char *)data, n};
    struct url u;
    struct buf coded, back;
    if (url_read(s, &u))
        write_again(&u);
    join(SLICE("http://a/b/c/d;p?q"), s);
    join(s, SLICE("../g?y#z"));
    buf_init(&coded, 3 * n + 1);
    buf_init(&back, 3 * n + 1);
    must(url_encode(s, n % 2, &coded) == 0);
    must(url_decode(buf_slice(&coded), n % 2, &back) == 0);
    must(slice_eq(buf_slice(&back), s));
    buf_clear(&back);
    must(url_decode(s, true, &back) == 0);
    buf_fini(&coded);
    buf_fini(&back);
    return 0;
}
