/* SPDX-License-Identifier: Apache-2.0 */
/* message_test.c - messages from outside: what is taken, what is refused. */
#include "base/json.h"
#include "base/limits.h"
#include "desk/frame.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena *arena;
static struct frame frame;
static struct err err;

static int check(const char *text, bool ref_optional)
{
    struct json *in = NULL;
    arena_free(arena);
    arena = arena_new();
    frame = (struct frame){0};
    err = (struct err){0};
    if (json_parse(arena, slice_of(text), &err, &in))
        return 1; /* not even JSON */
    return frame_check_message(in, ref_optional, arena, &frame, &err);
}

/* {"ref":"r","kind":"text","text":"aaa..."} with n bytes of text. */
static int check_long(size_t n)
{
    char *text = malloc(n + 100);
    size_t head =
        (size_t)sprintf(text, "{\"ref\":\"r\",\"kind\":\"text\",\"text\":\"");
    memset(text + head, 'a', n);
    strcpy(text + head + n, "\"}");
    int r = check(text, false);
    free(text);
    return r;
}

TEST("a text message is taken, with its fields and nothing else")
{
    CHECK_EQ_INT(check("{\"type\":\"send\",\"ref\":\"r1\",\"kind\":\"text\","
                       "\"text\":\"h\\u00e9\",\"evil\":1,\"sender\":{},"
                       "\"reply_to\":\"m_0000000000001\"}",
                       false),
                 0);
    CHECK_SLICE(frame.ref, "r1");
    CHECK_SLICE(frame.kind, "text");
    CHECK_SLICE(frame.text, "h\xc3\xa9");
    CHECK_SLICE(frame.body, "{\"kind\":\"text\",\"text\":\"h\xc3\xa9\","
                            "\"reply_to\":\"m_0000000000001\"}");
    CHECK(!frame.is_private);
}

TEST("private is a flag and stays in the body")
{
    CHECK_EQ_INT(
        check(
            "{\"ref\":\"r\",\"kind\":\"text\",\"text\":\"a\",\"private\":true}",
            false),
        0);
    CHECK(frame.is_private);
    CHECK_SLICE(frame.body,
                "{\"kind\":\"text\",\"text\":\"a\",\"private\":true}");
    CHECK_EQ_INT(check("{\"ref\":\"r\",\"kind\":\"text\",\"text\":\"a\","
                       "\"private\":\"yes\"}",
                       false),
                 ERR_BAD_REQUEST);
    CHECK_EQ_STR(err.field, "private");
}

TEST("each kind wants its own fields")
{
    static const struct {
        const char *text;
        int result;
        const char *field;
    } cases[] = {
        {"{\"ref\":\"r\",\"kind\":\"image\",\"file\":\"fi_0000000000001\"}", 0,
         ""},
        {"{\"ref\":\"r\",\"kind\":\"image\"}", ERR_BAD_REQUEST, "file"},
        {"{\"ref\":\"r\",\"kind\":\"file\",\"file\":\"\"}", ERR_BAD_REQUEST,
         "file"},
        {"{\"ref\":\"r\",\"kind\":\"audio\",\"file\":7}", ERR_BAD_REQUEST,
         "file"},
        {"{\"ref\":\"r\",\"kind\":\"location\",\"lat\":52.5,\"lng\":13}", 0,
         ""},
        {"{\"ref\":\"r\",\"kind\":\"location\",\"lat\":90.1,\"lng\":13}",
         ERR_BAD_REQUEST, "lat"},
        {"{\"ref\":\"r\",\"kind\":\"location\",\"lat\":1,\"lng\":-181}",
         ERR_BAD_REQUEST, "lng"},
        {"{\"ref\":\"r\",\"kind\":\"location\",\"lat\":\"1\",\"lng\":1}",
         ERR_BAD_REQUEST, "lat"},
        {"{\"ref\":\"r\",\"kind\":\"card\",\"card\":{\"title\":\"t\"}}", 0, ""},
        {"{\"ref\":\"r\",\"kind\":\"card\",\"card\":[]}", ERR_BAD_REQUEST,
         "card"},
        {"{\"ref\":\"r\",\"kind\":\"text\"}", ERR_BAD_REQUEST, "text"},
        {"{\"ref\":\"r\",\"kind\":\"text\",\"text\":\"\"}", ERR_BAD_REQUEST,
         "text"},
        {"{\"ref\":\"r\",\"kind\":\"text\",\"text\":null}", ERR_BAD_REQUEST,
         "text"},
        {"{\"ref\":\"r\",\"kind\":\"shout\",\"text\":\"a\"}", ERR_BAD_REQUEST,
         "kind"},
        {"{\"ref\":\"r\",\"kind\":7,\"text\":\"a\"}", ERR_BAD_REQUEST, "kind"},
        {"{\"ref\":\"r\",\"kind\":\"text\",\"text\":\"a\",\"reply_to\":7}",
         ERR_BAD_REQUEST, "reply_to"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_note("%s", cases[i].text);
        CHECK_EQ_INT(check(cases[i].text, false), cases[i].result);
        CHECK_EQ_STR(err.field, cases[i].field);
    }
}

TEST("a ref is a text of 1 to 64 bytes, unless it may be left out")
{
    char text[200];
    CHECK_EQ_INT(check("{\"kind\":\"text\",\"text\":\"a\"}", false),
                 ERR_BAD_REQUEST);
    CHECK_EQ_STR(err.field, "ref");
    CHECK_EQ_INT(check("{\"text\":\"a\"}", true), 0);
    CHECK_EQ_INT(frame.ref.len, 0);
    CHECK_EQ_INT(check("{\"text\":\"a\",\"ref\":\"\"}", true), ERR_BAD_REQUEST);
    CHECK_EQ_INT(check("{\"text\":\"a\",\"ref\":7}", true), ERR_BAD_REQUEST);
    for (size_t n = LIMIT_REF_BYTES; n <= LIMIT_REF_BYTES + 1; n++) {
        snprintf(text, sizeof(text),
                 "{\"kind\":\"text\",\"text\":\"a\",\"ref\":\"%0*d\"}", (int)n,
                 1);
        CHECK_EQ_INT(check(text, false),
                     n > LIMIT_REF_BYTES ? ERR_BAD_REQUEST : 0);
    }
}

TEST("a text may be 16 KiB and not a byte more")
{
    CHECK_EQ_INT(check_long(LIMIT_TEXT_BYTES), 0);
    CHECK_EQ_INT(check_long(LIMIT_TEXT_BYTES + 1), ERR_TOOBIG);
    CHECK_EQ_STR(err.field, "text");
}

TEST("what is no object is refused, whatever it is")
{
    static const char *const cases[] = {"[]",   "7",    "\"a\"",
                                        "null", "true", "{}"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_note("%s", cases[i]);
        CHECK_EQ_INT(check(cases[i], false), ERR_BAD_REQUEST);
    }
}

TEST("a message cut at each byte is refused, never half taken")
{
    static const char whole[] = "{\"ref\":\"r\",\"kind\":\"card\",\"card\":"
                                "{\"a\":[1,2]},\"text\":\"t\"}";
    char cut[sizeof(whole)];
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        memcpy(cut, whole, n);
        cut[n] = '\0';
        CHECK(check(cut, false) != 0);
    }
    CHECK_EQ_INT(check(whole, false), 0);
}

TEST("quotes in a text come out as they went in, a NUL is refused")
{
    struct json *body = NULL;
    CHECK_EQ_INT(check("{\"ref\":\"r\",\"kind\":\"text\",\"text\":"
                       "\"a\\\"b\\\\\"}",
                       false),
                 0);
    CHECK_EQ_INT(json_parse(arena, frame.body, NULL, &body), 0);
    CHECK_SLICE(json_text(body, "text"), "a\"b\\");
    CHECK_EQ_INT(check("{\"ref\":\"r\",\"kind\":\"text\",\"text\":"
                       "\"a\\u0000b\"}",
                       false),
                 ERR_BAD_REQUEST);
    CHECK_EQ_STR(err.field, "text");
    arena_free(arena);
    arena = NULL;
}

TEST("a socket's message names its kind, one by REST need not")
{
    CHECK_EQ_INT(check("{\"ref\":\"r\",\"text\":\"a\"}", false),
                 ERR_BAD_REQUEST);
    CHECK_EQ_STR(err.field, "kind");
    CHECK_EQ_INT(check("{\"ref\":\"r\",\"text\":\"a\"}", true), 0);
    CHECK_SLICE(frame.kind, "text");
    arena_free(arena);
    arena = NULL;
}
