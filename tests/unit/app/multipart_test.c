/* SPDX-License-Identifier: Apache-2.0 */
#include "app/files/multipart.h"
#include "test.h"

/* What came, as one text: <name|filename|type>data; */
struct seen {
    struct buf out;
};

static void on_part(void *arg, const struct multipart_part *p)
{
    struct seen *s = arg;
    buf_addf(&s->out, "<%.*s|%.*s|%.*s>", SLICE_FMT(p->name),
             (int)p->filename.len, p->filename.len ? p->filename.at : "",
             (int)p->type.len, p->type.len ? p->type.at : "");
}

static void on_data(void *arg, struct slice piece)
{
    struct seen *s = arg;
    CHECK(piece.len > 0);
    CHECK_EQ_INT(buf_add_slice(&s->out, piece), 0);
}

static void on_part_end(void *arg)
{
    struct seen *s = arg;
    buf_add_char(&s->out, ';');
}

static const struct multipart_calls calls = {on_part, on_data, on_part_end};
#define TYPE "multipart/form-data; boundary=xyz"

/* Fed in pieces cut at `cut`, or of `step` bytes. Returns the last code. */
static int feed(struct slice body, size_t cut, size_t step, struct seen *s,
                bool *whole)
{
    struct multipart m;
    int r = 0;
    buf_init(&s->out, 1 << 20);
    must(multipart_init(&m, SLICE(TYPE), &calls, s) == 0);
    for (size_t at = 0; at < body.len && r == 0;) {
        size_t n = step ? step : at == 0 && cut ? cut : body.len - at;
        n = n < body.len - at ? n : body.len - at;
        r = multipart_feed(&m, (struct slice){body.at + at, n});
        at += n;
    }
    *whole = multipart_is_whole(&m);
    multipart_fini(&m);
    return r;
}

static void check_all(struct slice body, const char *want, bool is_whole)
{
    for (size_t cut = 0; cut <= body.len + 7; cut++) {
        struct seen s;
        bool whole;
        size_t step = cut > body.len ? cut - body.len : 0;
        int r = feed(body, step ? 0 : cut, step, &s, &whole);
        CHECK_EQ_INT(r, 0);
        CHECK_EQ_INT(whole, is_whole);
        CHECK_SLICE(buf_slice(&s.out), want);
        buf_fini(&s.out);
    }
}

TEST("two parts come out, whole, byte by byte and cut at each point")
{
    check_all(SLICE("--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n"
                    "\r\none\r\n--xyz\r\ncontent-disposition: form-data; "
                    "name=\"file\"; filename=\"x;\\\"y.png\"\r\nContent-Type: "
                    "image/png\r\n\r\n\r\n--xy\r\n-\r\n--xyz--\r\n"),
              "<a||>one;<file|x;\\\"y.png|image/png>\r\n--xy\r\n-;", true);
}

TEST("what looks like a boundary but is none is data")
{
    check_all(SLICE("pre\r\n--xyz\r\nContent-Disposition: form-data; "
                    "name=f\r\n\r\n\r\r\n\r\n--x\r\n--xy--xyz\r\n--xyz--"),
              "<f||>\r\r\n\r\n--x\r\n--xy--xyz;", true);
}

TEST("an empty part is a part; a body that ends early is not whole")
{
    check_all(SLICE("--xyz\r\nContent-Disposition: form-data; name=e\r\n"
                    "\r\n\r\n--xyz--"),
              "<e||>;", true);
    check_all(SLICE("--xyz\r\nContent-Disposition: form-data; name=e\r\n"
                    "\r\nabc"),
              "<e||>abc", false);
}

TEST("broken bodies are refused and stay so")
{
    static const char *const bodies[] = {
        "--xyz\r\nContent-Disposition: form-data\r\n\r\nx",
        "--xyz\r\n\r\nx",
        "--xyzz\r\n",
        "--xyz-x",
        "--xyz\rx",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct multipart m;
        struct seen s;
        buf_init(&s.out, 1 << 20);
        CHECK_EQ_INT(multipart_init(&m, SLICE(TYPE), &calls, &s), 0);
        CHECK_EQ_INT(multipart_feed(&m, slice_of(bodies[i])), ERR_BAD_REQUEST);
        CHECK(m.why != NULL);
        CHECK_EQ_INT(multipart_feed(&m, SLICE("x")), ERR_BAD_REQUEST);
        multipart_fini(&m);
        buf_fini(&s.out);
    }
}

TEST("heads and parts are bounded")
{
    struct multipart m;
    struct seen s;
    int r = 0;
    buf_init(&s.out, 1 << 20);
    CHECK_EQ_INT(multipart_init(&m, SLICE(TYPE), &calls, &s), 0);
    CHECK_EQ_INT(multipart_feed(&m, SLICE("--xyz\r\n")), 0);
    for (int i = 0; i <= MULTIPART_HEAD && r == 0; i++)
        r = multipart_feed(&m, SLICE("a"));
    CHECK_EQ_INT(r, ERR_TOOBIG);
    multipart_fini(&m);
    CHECK_EQ_INT(multipart_init(&m, SLICE(TYPE), &calls, &s), 0);
    r = multipart_feed(&m, SLICE("--xyz"));
    for (int i = 0; i <= MULTIPART_PARTS && r == 0; i++)
        r = multipart_feed(&m, SLICE("\r\nContent-Disposition: form-data; "
                                     "name=n\r\n\r\nv\r\n--xyz"));
    CHECK_EQ_INT(r, ERR_TOOBIG);
    multipart_fini(&m);
    buf_fini(&s.out);
}

TEST("only multipart/form-data with a boundary is taken")
{
    struct multipart m;
    CHECK_EQ_INT(multipart_init(&m, SLICE("text/plain"), &calls, NULL),
                 ERR_UNSUPPORTED);
    CHECK_EQ_INT(multipart_init(&m, SLICE("multipart/form-data"), &calls, NULL),
                 ERR_UNSUPPORTED);
    CHECK_EQ_INT(multipart_init(&m,
                                SLICE("Multipart/Form-Data; charset=x; "
                                      "boundary=\"a b\""),
                                &calls, NULL),
                 0);
    CHECK_EQ_INT(m.edge_len, 7);
    multipart_fini(&m);
}
