/* SPDX-License-Identifier: Apache-2.0 */
/* What an IMAP server says: whole, byte by byte, hostile. */
#include "base/err.h"
#include "net/post/imap_read.h"
#include "test.h"

static const char talk[] = "* 5 FETCH (UID 42 FLAGS (\\Seen) RFC822.SIZE 12 "
                           "BODY[]<0> {11}\r\nab\r\n* 6 x\r\n)\r\n"
                           "* OK still here {5}\r\n"
                           "K7 OK done\r\n";

TEST("literals belong to their response, sentences have none; cut anywhere")
{
    for (size_t step = 1; step < sizeof talk; step++) {
        struct imap_reader r;
        struct imap_fetch f;
        int n = 0;
        imap_reader_init(&r, 100);
        for (size_t at = 0; at < sizeof talk - 1; at += step) {
            size_t left = sizeof talk - 1 - at;
            struct slice in = {talk + at, step < left ? step : left};
            while (imap_reader_take(&r, &in) == 1) {
                n++;
                if (n == 1) {
                    CHECK_SLICE(buf_slice(&r.literal), "ab\r\n* 6 x\r\n");
                    REQUIRE(imap_fetch_read(buf_slice(&r.text), &f));
                    CHECK(f.uid == 42 && f.seen && f.in_literal && f.has_body);
                    CHECK_EQ_INT(f.size, 12);
                } else if (n == 2) {
                    CHECK_SLICE(buf_slice(&r.text), "* OK still here {5}");
                } else {
                    CHECK_SLICE(buf_slice(&r.text), "K7 OK done");
                }
            }
            CHECK_EQ_INT(in.len, 0);
        }
        CHECK_EQ_INT(n, 3);
        imap_reader_fini(&r);
    }
}

TEST("a literal or a line over its maximum is refused before it comes")
{
    struct imap_reader r;
    struct slice in = SLICE("* 1 FETCH (BODY[] {101}\r\n");
    imap_reader_init(&r, 100);
    CHECK_EQ_INT(imap_reader_take(&r, &in), ERR_TOOBIG);
    imap_reader_fini(&r);
    imap_reader_init(&r, 100);
    in = SLICE("* 1 FETCH (BODY[] {99999999999}\r\n");
    CHECK(imap_reader_take(&r, &in) != 0); /* no number: no literal */
    imap_reader_fini(&r);
    static char line[65536];
    int got = 0;
    memset(line, 'a', sizeof line);
    imap_reader_init(&r, 100);
    for (int i = 0; i < 20 && got == 0; i++) {
        in = (struct slice){line, sizeof line};
        got = imap_reader_take(&r, &in);
    }
    CHECK_EQ_INT(got, ERR_TOOBIG);
    imap_reader_fini(&r);
}

TEST("a body may come in quotes, or not at all; other items are passed over")
{
    struct imap_fetch f;
    REQUIRE(imap_fetch_read(
        SLICE("* 1 FETCH (X-A (1 (\"a)\" {3})) BODY[] \"q\\\"b\" UID 7)"), &f));
    CHECK_SLICE(f.quoted, "q\\\"b");
    CHECK(f.uid == 7 && f.has_body && !f.in_literal && !f.seen);
    REQUIRE(imap_fetch_read(SLICE("* 1 FETCH (UID 7 BODY[] NIL)"), &f));
    CHECK(f.has_body && !f.in_literal && f.quoted.len == 0);
    REQUIRE(imap_fetch_read(
        SLICE("* 1 FETCH (X {3} BODY[HEADER.FIELDS (A B)] {4} UID 8)"), &f));
    CHECK(!f.in_literal); /* only the first literal is kept */
    REQUIRE(imap_fetch_read(SLICE("* 9 FETCH ()"), &f));
    CHECK(f.uid == 0 && !f.has_body);
}

TEST("what is no fetch, or cut short, is none")
{
    static const char *const bad[] = {"",
                                      "*",
                                      "* 1 FETCH",
                                      "* 1 FETCH (",
                                      "* 1 FETCH (UID",
                                      "* 1 FETCH (UID 7",
                                      "* 1 FETCH (BODY[] \"ab",
                                      "* 1 FETCH (X ((((((((((1))))))))))",
                                      "* x FETCH (UID 7)",
                                      "* 1 FETCH (UID )",
                                      "* 1 FETCH (RFC822.SIZE -4 UID 7)",
                                      "* 1 EXISTS"};
    struct imap_fetch f;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        test_note("%s", bad[i]);
        CHECK(!imap_fetch_read(slice_of(bad[i]), &f));
    }
}

TEST("codes, words and numbers")
{
    CHECK_EQ_INT(imap_code_number(SLICE("[UIDVALIDITY 77] ok"), "uidvalidity"),
                 77);
    CHECK_EQ_INT(imap_code_number(SLICE("[UIDNEXT 4294967295]"), "UIDNEXT"),
                 4294967295);
    CHECK_EQ_INT(imap_code_number(SLICE("[UIDNEXT 4294967296]"), "UIDNEXT"), 0);
    CHECK_EQ_INT(imap_code_number(SLICE("no ] code ["), "UIDNEXT"), 0);
    CHECK(imap_has_word(SLICE(" IMAP4rev1 auth=PLAIN IDLE"), "AUTH=plain"));
    CHECK(!imap_has_word(SLICE(" IMAP4rev1 XIDLE"), "IDLE"));
}
