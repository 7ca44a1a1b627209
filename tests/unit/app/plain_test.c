/* SPDX-License-Identifier: Apache-2.0 */
/* plain_test.c - what a platform cannot show, said in text. */
#include "app/channels/plain.h"
#include "base/limits.h"
#include "test.h"

static struct json *parsed(struct arena *a, struct slice text)
{
    struct json *j = NULL;
    must(json_parse(a, text, NULL, &j) == 0);
    return j;
}

static struct plain_can can_of(struct arena *a, const char *face)
{
    struct plain_can can;
    plain_can_read(face ? parsed(a, slice_of(face)) : NULL, &can);
    return can;
}

#define TEXT_ONLY "{\"kinds\":[\"text\"]}"
#define CARDS "{\"kinds\":[\"text\",\"card\"],\"buttons\":2}"
#define SMALL "{\"kinds\":[\"text\",\"image\"],\"most\":{\"image\":1000}}"
#define PHOTO                                                                  \
    "{\"id\":\"ob_1\",\"to\":\"u\",\"kind\":\"image\",\"file\":{\"id\":"       \
    "\"fi_1\",\"name\":\"a.jpg\",\"size\":1258291,\"url\":\"https://x/f\"}}"
#define TWO                                                                    \
    "{\"kind\":\"card\",\"card\":{\"title\":\"T\",\"text\":\"B\",\"url\":"     \
    "\"https://x\",\"buttons\":[{\"label\":\"Yes\",\"value\":\"y\"},"          \
    "{\"label\":\"See\",\"url\":\"https://s\"},{\"label\":\"No\"}]}}"

static const struct row {
    bool zh;
    const char *face, *item, *text, *shown, *choices;
} rows[] = {
    /* what it can show stays */
    {false, TEXT_ONLY, "{\"kind\":\"text\",\"text\":\"2 * 3\"}", "2 * 3", "",
     ""},
    {false, NULL, PHOTO, NULL, "", ""},
    {false, "{\"kinds\":[\"text\",\"image\"]}", PHOTO, NULL, "", ""},
    {false, CARDS, TWO, NULL, "", ""},
    /* files */
    {false, TEXT_ONLY, PHOTO, "[Image] a.jpg (1.2 MB)\nhttps://x/f",
     "{\"kind\":\"image\",\"as\":\"text\",\"why\":\"kind\"}", ""},
    {true, SMALL, PHOTO, "[图片] a.jpg (1.2 MB)\nhttps://x/f",
     "{\"kind\":\"image\",\"as\":\"text\",\"why\":\"size\"}", ""},
    {true, TEXT_ONLY,
     "{\"kind\":\"file\",\"name\":\"b.pdf\",\"file\":{\"name\":\"x\",\"size\":"
     "2048}}",
     "[文件] b.pdf (2 KB)（这里无法显示，请换一种方式向我们索取）",
     "{\"kind\":\"file\",\"as\":\"text\",\"why\":\"kind\"}", ""},
    {false, TEXT_ONLY,
     "{\"kind\":\"audio\",\"text\":\"listen\",\"file\":{\"size\":9,\"url\":"
     "\"https://x/f\"}}",
     "[Audio] (9 B)\nhttps://x/f\nlisten",
     "{\"kind\":\"audio\",\"as\":\"text\",\"why\":\"kind\"}", ""},
    /* places */
    {true, TEXT_ONLY,
     "{\"kind\":\"location\",\"lat\":31.2,\"lng\":121,\"label\":\"外滩\"}",
     "[位置] 外滩 (31.200000,121.000000)",
     "{\"kind\":\"location\",\"as\":\"text\",\"why\":\"kind\"}", ""},
    /* cards */
    {false, TEXT_ONLY, TWO,
     "T\nB\nhttps://x\n1. Yes\nSee: https://s\n2. No\n(Answer with a number "
     "to choose)",
     "{\"kind\":\"card\",\"as\":\"text\",\"why\":\"kind\"}", "[\"y\",\"No\"]"},
    {true, "{\"kinds\":[\"text\",\"card\"],\"buttons\":1}", TWO,
     "T\nB\nhttps://x\n1. Yes\nSee: https://s\n2. No\n（回复数字选择）",
     "{\"kind\":\"card\",\"as\":\"text\",\"why\":\"buttons\"}",
     "[\"y\",\"No\"]"},
    {false, TEXT_ONLY, "{\"kind\":\"card\",\"card\":{\"odd\":1}}", "[Card]",
     "{\"kind\":\"card\",\"as\":\"text\",\"why\":\"kind\"}", ""},
    /* Markdown */
    {false, TEXT_ONLY,
     "{\"kind\":\"text\",\"format\":\"markdown\",\"text\":\"**a** _b_\"}",
     "a b", "", ""},
    {false, "{\"kinds\":[\"text\"],\"markdown\":true}",
     "{\"kind\":\"text\",\"format\":\"markdown\",\"text\":\"**a**\"}", "**a**",
     "", ""},
};

TEST("what the platform cannot show becomes words, by its capabilities")
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct arena *a = arena_new();
        struct plain_can can = can_of(a, r->face);
        struct plain p;
        plain_item(a, slice_of(r->item), &can, r->zh, &p);
        CHECK_SLICE(p.shown, r->shown);
        CHECK_SLICE(p.choices, r->choices);
        if (r->text) {
            struct json *j = parsed(a, p.item);
            CHECK_SLICE(json_text(j, "text"), r->text);
            CHECK_SLICE(json_text(j, "kind"), "text");
            CHECK(!p.shown.len ||
                  (!json_get(j, "file") && !json_get(j, "card")));
        } else {
            CHECK_SLICE(p.item, r->item);
        }
        arena_free(a);
    }
}

TEST("the rest of an item stays: its id, who it is for, how often it was tried")
{
    struct arena *a = arena_new();
    struct plain_can can = can_of(a, TEXT_ONLY);
    struct plain p;
    plain_item(a, SLICE(PHOTO), &can, false, &p);
    struct json *j = parsed(a, p.item);
    CHECK_SLICE(json_text(j, "id"), "ob_1");
    CHECK_SLICE(json_text(j, "to"), "u");
    arena_free(a);
}

TEST("an item that is none goes as it is")
{
    static const char *const odd[] = {"", "{", "[]", "{\"kind\":\"tea\"}",
                                      "{\"text\":\"x\"}"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct arena *a = arena_new();
        struct plain_can can = can_of(a, TEXT_ONLY);
        struct plain p;
        plain_item(a, slice_of(odd[i]), &can, false, &p);
        CHECK_SLICE(p.item, odd[i]);
        arena_free(a);
    }
}

static const char *const flat[][2] = {
    {"plain", "plain"},
    {"# Title\n\ntext", "Title\n\ntext"},
    {"###### x", "x"},
    {"#tag", "#tag"},
    {"a **b** c", "a b c"},
    {"__b__ *c* ~~d~~", "b c d"},
    {"***both***", "both"},
    {"snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4"},
    {"a * b", "a * b"},
    {"*open", "*open"},
    {"`x_y_z` ``a`b``", "x_y_z a`b"},
    {"[Docs](https://d.cn/a_b_c)", "Docs (https://d.cn/a_b_c)"},
    {"[**Docs**](https://d.cn \"t\")", "Docs (https://d.cn)"},
    {"[https://d.cn](https://d.cn)", "https://d.cn"},
    {"![pic](https://p.cn/1.png)", "pic (https://p.cn/1.png)"},
    {"<https://d.cn>", "https://d.cn"},
    {"a < b > c", "a < b > c"},
    {"* one\n+ two\n- three\n1. four", "- one\n- two\n- three\n1. four"},
    {"> said\n> > twice", "said\ntwice"},
    {"```lua\nlocal a_b_c = *x*\n```\nend", "local a_b_c = *x*\nend"},
    {"|a|b|\n|---|:-:|\n|1|2|", "|a|b|\n|1|2|"},
    {"a\n\n---\nb", "a\n\nb"},
    {"\\*not\\* x", "*not* x"},
    {"**退款**：[点这里](https://x.cn)", "退款：点这里 (https://x.cn)"},
    {"[a](", "[a]("},
    {"**", "**"},
    {"", ""},
};

TEST("Markdown becomes plain text; what is no mark stays")
{
    for (size_t i = 0; i < sizeof flat / sizeof flat[0]; i++) {
        struct buf b;
        buf_init(&b, LIMIT_TEXT_BYTES);
        CHECK_EQ_INT(plain_flat(&b, slice_of(flat[i][0])), 0);
        CHECK_SLICE(buf_slice(&b), flat[i][1]);
        buf_fini(&b);
    }
}

TEST("no Markdown grows, however its marks are mixed, and none takes long")
{
    static const char marks[] = "*_~`[]()!<>#\\ -|\na";
    uint32_t seed = 7;
    for (int round = 0; round < 300; round++) {
        char text[512];
        size_t n = 1 + (size_t)round;
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = marks[(seed >> 16) % (sizeof marks - 1)];
        }
        struct buf b;
        buf_init(&b, n); /* ERR_TOOBIG if it grew */
        CHECK_EQ_INT(plain_flat(&b, (struct slice){text, n}), 0);
        buf_fini(&b);
    }
    static char many[LIMIT_TEXT_BYTES];
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = "*a "[i % 3];
    struct buf b;
    buf_init(&b, sizeof many);
    CHECK_EQ_INT(plain_flat(&b, (struct slice){many, sizeof many}), 0);
    CHECK_EQ_INT(b.len, sizeof many);
    buf_fini(&b);
}
