/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/limits.h"
#include "test.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct arena *arena;

/* Parses a copy that ends exactly where memory ends, so ASan sees each byte
 * read too many. */
static struct json *parse(struct slice text, struct err *e)
{
    struct json *j = (struct json *)&arena; /* must be overwritten */
    char *copy = malloc(text.len + 1);
    char *at = copy + 1;
    if (text.len)
        memcpy(at, text.at, text.len);
    int err = json_parse(arena, (struct slice){at, text.len}, e, &j);
    free(copy);
    CHECK_EQ_INT(err, j ? 0 : ERR_BAD_REQUEST);
    return j;
}

static bool reads(const char *text)
{
    struct arena *before = arena;
    if (!before)
        arena = arena_new();
    bool good = parse(slice_of(text), NULL) != NULL;
    if (!before) {
        arena_free(arena);
        arena = NULL;
    }
    return good;
}

static void check_same(const char *text, const char *want)
{
    struct err e = {.text = ""};
    struct buf b;
    buf_init(&b, 100000);
    arena = arena_new();
    struct json *j = parse(slice_of(text), &e);
    test_note("%.60s (%s)", text, e.text);
    if (CHECK(j != NULL)) {
        struct jsonw w = jsonw_on(&b);
        jsonw_value(&w, j);
        CHECK_EQ_INT(w.failed, 0);
        CHECK_SLICE(buf_slice(&b), want);
    }
    arena_free(arena);
    arena = NULL;
    buf_fini(&b);
}

static const char *const frame =
    "{\"type\":\"send\",\"ref\":\"r123\",\"n\":[1,-2,3.5,true,false,null,{}],"
    "\"text\":\"你好 \\u4f60\\ud83d\\ude00 \\\"q\\\" \\n\\u0000 …\",\"o\":"
    "{\"a\":{\"b\":[]}}}";

TEST("what is read is written back the same")
{
    check_same("{}", "{}");
    check_same(" [ ] ", "[]");
    check_same("null", "null");
    check_same("\"\"", "\"\"");
    check_same("[1,[2,[3]],{\"a\":1,\"b\":{\"c\":[]}},4]",
               "[1,[2,[3]],{\"a\":1,\"b\":{\"c\":[]}},4]");
    check_same("{\"a\" : true , \"b\":false}", "{\"a\":true,\"b\":false}");
    check_same("\"\\u0000\\u001f\\n\\r\\t\\b\\f\\/\\\\\\\"\\u4f60\"",
               "\"\\u0000\\u001f\\n\\r\\t\\b\\f/\\\\\\\"你\"");
    check_same("\"\\ud83d\\ude00\"", "\"😀\"");
    check_same("[-0,0,9223372036854775807,-9223372036854775808]",
               "[0,0,9223372036854775807,-9223372036854775808]");
    check_same("[9223372036854775808,1.5,1e3,0.1,-2.5e-3,1.0]",
               "[9.223372036854776e+18,1.5,1000.0,0.1,-0.0025,1.0]");
}

TEST("fields are found, and a missing or differing one gives the default")
{
    arena = arena_new();
    struct json *j = parse(slice_of(frame), NULL);
    REQUIRE(j != NULL);
    CHECK_EQ_INT(j->type, JSON_OBJECT);
    CHECK_EQ_INT(j->count, 5);
    CHECK_SLICE(json_text(j, "type"), "send");
    CHECK(slice_eq(json_text(j, "text"), SLICE("你好 你😀 \"q\" \n\0 …")));
    CHECK_EQ_INT(json_text(j, "n").len, 0);
    CHECK_EQ_INT(json_text(j, "absent").len, 0);
    CHECK_EQ_INT(json_int(j, "type", -7), -7);
    CHECK_EQ_INT(json_int(json_get(j, "n"), "x", 3), 3);
    CHECK(json_bool(j, "absent", true));
    CHECK(json_get(NULL, "a") == NULL);
    CHECK(!json_is(NULL, JSON_NULL));
    struct json *n = json_get(j, "n");
    CHECK_EQ_INT(n->count, 7);
    CHECK_EQ_INT(n->first->next->integer, -2);
    CHECK(n->first->next->next->real == 3.5);
    j = parse(SLICE("{\"a\":1,\"b\":true,\"a\":2}"), NULL);
    CHECK_EQ_INT(json_int(j, "a", 0), 2);
    CHECK(json_bool(j, "b", false));
    arena_free(arena);
    arena = NULL;
}

TEST("a text cut at any point is refused with a sentence, never read past")
{
    arena = arena_new();
    for (size_t cut = 0; cut < strlen(frame); cut++) {
        struct err e = {.text = ""};
        test_note("cut at %zu", cut);
        CHECK(parse((struct slice){frame, cut}, &e) == NULL);
        CHECK_EQ_INT(e.code, ERR_BAD_REQUEST);
        CHECK(strlen(e.text) > 10);
    }
    arena_free(arena);
    arena = NULL;
}

TEST("any byte changed gives a tree or an error, and nothing worse")
{
    size_t n = strlen(frame);
    char *text = malloc(n);
    for (size_t i = 0; i < n; i++) {
        static const char odd[] = {0,   '"', '\\', '{',       '}', '[',
                                   ']', ',', ':',  'u',       '0', '-',
                                   '.', 'e', ' ',  (char)0xFF};
        arena = arena_new();
        memcpy(text, frame, n);
        for (size_t k = 0; k < sizeof odd; k++) {
            text[i] = odd[k];
            parse((struct slice){text, n}, NULL);
        }
        arena_free(arena);
    }
    arena = NULL;
    free(text);
}

TEST("broken texts are refused")
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "01",
        "[01]",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "0x10",
        "nul",
        "True",
        "NaN",
        "Infinity",
        "1e999",
        "[-1e999]",
        "{} {}",
        "{} x",
        "[] ,",
        "1 2",
        "\"a",
        "\"\n\"",
        "\"\t\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\ude00\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ud83d\\ud83d\"",
        "\"\\uD83D\\\"",
        "\"\xff\"",
        "\"\xc0\xaf\"",
        "\"\xed\xa0\x80\"",
        "\"\xe4\xbd\"",
        "/* x */ 1",
        "// x\n1",
        "[1] // x",
        "\xef\xbb\xbf[]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_note("%s", bad[i]);
        CHECK(!reads(bad[i]));
    }
}

TEST("backslashes before u are counted, so that an escaped one is no escape")
{
    CHECK(reads("\"\\\\ud83d\""));
    CHECK(reads("\"\\\\\\\\ud83d\""));
    CHECK(!reads("\"\\\\\\ud83d\""));
}

TEST("32 levels are read and 33 are refused")
{
    for (int depth = 30; depth <= 40; depth++) {
        char text[100] = "";
        for (int i = 0; i < depth; i++)
            strcat(text, "[");
        for (int i = 0; i < depth; i++)
            strcat(text, "]");
        test_note("%d levels", depth);
        CHECK_EQ_INT(reads(text), depth <= LIMIT_JSON_DEPTH);
    }
    size_t n = 200000;
    char *text = malloc(n);
    memset(text, '[', n);
    arena = arena_new();
    struct err e;
    CHECK(parse((struct slice){text, n}, &e) == NULL);
    CHECK(strstr(e.text, "nested too deeply") != NULL);
    arena_free(arena);
    arena = NULL;
    free(text);
}

TEST("every byte is quoted so that it reads back, at every place in a word")
{
    struct buf b;
    buf_init(&b, 1000);
    for (int c = 0; c < 128; c++) {
        for (size_t at = 0; at < 20; at++) {
            char text[20];
            memset(text, 'a', sizeof text);
            text[at] = (char)c;
            buf_clear(&b);
            struct slice s = {text, sizeof text};
            CHECK_EQ_INT(json_quote(&b, s), 0);
            arena = arena_new();
            struct json *j = parse(buf_slice(&b), NULL);
            test_note("byte %d at %zu", c, at);
            CHECK(json_is(j, JSON_STRING) && slice_eq(j->text, s));
            arena_free(arena);
        }
    }
    arena = NULL;
    buf_clear(&b);
    json_quote(&b, SLICE("\x7f 悦来 \x01"));
    CHECK_SLICE(buf_slice(&b), "\"\x7f 悦来 \\u0001\"");
    buf_fini(&b);
}

TEST("the writer sets commas and stops at the first failure")
{
    struct buf b;
    buf_init(&b, 1000);
    struct jsonw w = jsonw_on(&b);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "a", SLICE("x"));
    jsonw_put_text(&w, "b", (struct slice){0});
    jsonw_put_text(&w, "c", SLICE(""));
    jsonw_key(&w, "d");
    jsonw_open(&w, '[');
    jsonw_int(&w, 1);
    jsonw_null(&w);
    jsonw_open(&w, '{');
    jsonw_close(&w, '}');
    jsonw_real(&w, NAN);
    jsonw_real(&w, 0.1);
    jsonw_close(&w, ']');
    jsonw_put_bool(&w, "e", false);
    jsonw_put_int(&w, "f", -5);
    jsonw_put_raw(&w, "g", SLICE("[1,2]"));
    jsonw_close(&w, '}');
    CHECK_SLICE(buf_slice(&b), "{\"a\":\"x\",\"b\":null,\"c\":\"\",\"d\":"
                               "[1,null,{},null,0.1],\"e\":false,\"f\":-5,"
                               "\"g\":[1,2]}");
    buf_fini(&b);
    for (size_t max = 0; max < 20; max++) {
        buf_init(&b, max);
        w = jsonw_on(&b);
        jsonw_open(&w, '[');
        jsonw_text(&w, SLICE("a\"b\nc"));
        jsonw_int(&w, 12345);
        jsonw_close(&w, ']');
        test_note("room for %zu", max);
        CHECK_EQ_INT(w.failed, max < 17 ? ERR_TOOBIG : 0);
        CHECK(b.len <= max);
        buf_fini(&b);
    }
}
