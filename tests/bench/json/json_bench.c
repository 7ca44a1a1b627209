/* SPDX-License-Identifier: Apache-2.0 */
/* json_bench.c - which JSON library reads our frames best.
 *
 * Measures base/json (yajl into the arena), jansson (allocating from an arena
 * of its own, freed at once) and cJSON on three typical texts, and asks each
 * the questions that decide about correctness. How to build: the head of
 * docs/decisions/0001-json-library.md. Not part of the bench target: its
 * libraries are not the program's.
 */
#include "base/clock.h"
#include "base/json.h"
#include "json_others.h"
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 200000

static bool run_yajl(struct slice text)
{
    struct json *j;
    struct arena *a = arena_new();
    int err = json_parse(a, text, NULL, &j);
    arena_free(a);
    return err == 0;
}

static const struct {
    const char *name;
    bool (*run)(struct slice text);
} libraries[] = {
    {"yajl", run_yajl}, {"jansson", run_jansson}, {"cJSON", run_cjson}};

static const char *const small =
    "{\"type\":\"send\",\"ref\":\"r123\",\"kind\":\"text\","
    "\"text\":\"你好 …\"}";
static const char *const escaped =
    "{\"type\":\"send\",\"ref\":\"r124\",\"kind\":\"text\",\"text\":"
    "\"a \\\"quoted\\\" line\\nand \\u4f60\\u597d \\ud83d\\ude00\"}";
static const char *const conversation =
    "{\"id\":\"cv_0f3k2m9qx7a1b\",\"channel\":\"ch_0f3k2m9qx7a1c\","
    "\"contact\":{\"id\":\"ct_0f3k2m9qx7a1d\",\"name\":\"王小明\","
    "\"email\":\"xiaoming@example.com\",\"phone\":\"+8613800000000\","
    "\"tier\":\"gold\",\"tags\":[\"vip\",\"returning\",\"上海\"],"
    "\"attributes\":{\"orders\":17,\"spent\":1234.56,\"since\":"
    "\"2021-03-04\",\"newsletter\":true}},\"state\":\"open\","
    "\"assignee\":\"ag_0f3k2m9qx7a1e\",\"team\":\"tm_0f3k2m9qx7a1f\","
    "\"priority\":2,\"tags\":[\"refund\",\"shipping\"],\"last_seq\":42,"
    "\"unread\":3,\"waiting_since_at\":1767650400123,\"created_at\":"
    "1767650400000,\"last_message\":{\"id\":\"ms_0f3k2m9qx7a1g\",\"seq\":42,"
    "\"kind\":\"text\",\"text\":\"请问我的订单什么时候发货？已经等了三天了。"
    "订单号是 20260105-778，麻烦帮我查一下，谢谢！\",\"sender\":{\"role\":"
    "\"visitor\",\"id\":\"ct_0f3k2m9qx7a1d\",\"name\":\"王小明\"},\"at\":"
    "1767650400123},\"page\":{\"url\":"
    "\"https://shop.example.com/orders/20260105-778?from=mail\",\"title\":"
    "\"我的订单\",\"referrer\":null},\"locale\":\"zh-CN\"}";

static void speed(const char *name, const char *text)
{
    struct slice s = slice_of(text);
    printf("%-13s %5zu B", name, s.len);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        int64_t best = INT64_MAX;
        for (int tries = 0; tries < 5; tries++) {
            int64_t from = clock_cpu_us();
            for (int n = 0; n < ROUNDS; n++)
                if (!libraries[i].run(s))
                    exit(1);
            int64_t took = clock_cpu_us() - from;
            best = took < best ? took : best;
        }
        printf("   %s %5.2f us", libraries[i].name, (double)best / ROUNDS);
    }
    printf("\n");
}

static void quote_speed(void)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    struct slice s = slice_of(conversation);
    int64_t from = clock_cpu_us();
    for (int n = 0; n < ROUNDS; n++) {
        buf_clear(&b);
        json_quote(&b, s);
    }
    int64_t took = clock_cpu_us() - from;
    printf("json_quote of the conversation (many quotes): %.2f us\n",
           (double)took / ROUNDS);
    from = clock_cpu_us();
    for (int n = 0; n < ROUNDS; n++) {
        buf_clear(&b);
        json_quote(&b, SLICE("请问我的订单什么时候发货？已经等了三天了。"
                             "订单号是 20260105-778，麻烦帮我查一下"));
    }
    took = clock_cpu_us() - from;
    printf("json_quote of a sentence: %.3f us\n", (double)took / ROUNDS);
    buf_fini(&b);
}

static void question(const char *what, struct slice text, bool want)
{
    printf("%-34s want %s:", what, want ? "yes" : "no ");
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        printf("   %s %s", libraries[i].name,
               libraries[i].run(text) == want ? "right" : "WRONG");
    printf("\n");
}

int main(void)
{
    mem_setup();
    others_setup();
    speed("send", small);
    speed("send escaped", escaped);
    speed("conversation", conversation);
    quote_speed();
    char deep[201];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    question("NUL in a string", SLICE("\"a\\u0000b\""), true);
    question("lone high surrogate", SLICE("\"\\ud83d\""), false);
    question("lone low surrogate", SLICE("\"\\ude00\""), false);
    question("broken UTF-8", SLICE("\"\xff\""), false);
    question("overlong UTF-8", SLICE("\"\xc0\xaf\""), false);
    question("UTF-8 surrogate", SLICE("\"\xed\xa0\x80\""), false);
    question("trailing garbage", SLICE("{} x"), false);
    question("100 levels", (struct slice){deep, 200}, false);
    question("int64 minimum", SLICE("-9223372036854775808"), true);
    question("beyond int64", SLICE("9223372036854775808"), true);
    question("leading zero", SLICE("[01]"), false);
    question("control character", SLICE("\"\n\""), false);
    return 0;
}
