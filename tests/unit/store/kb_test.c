/* SPDX-License-Identifier: Apache-2.0 */
/* kb_test.c - articles, their passages, and what finds them. */
#include "base/json.h"
#include "store/kb/kb.h"
#include "store_world.h"
#include <stdio.h>

static bool makes(int (*words)(struct slice, struct buf *), const char *text,
                  const char *expected)
{
    struct buf b;
    buf_init(&b, 10000);
    CHECK_EQ_INT(words(slice_of(text), &b), 0);
    bool same = slice_is(buf_slice(&b), expected);
    if (!same)
        printf("'%s' made '%.*s'\n", text, (int)b.len, b.data);
    buf_fini(&b);
    return same;
}

TEST("texts are written down as words, Han ones as characters and pairs")
{
    CHECK(makes(kb_words, "Refund, please! A-17", "refund please a 17"));
    CHECK(makes(kb_words, "退款", "退 款 退款"));
    CHECK(makes(kb_words, "iPhone15退货。", "iphone15 退 货 退货"));
    CHECK(makes(kb_words, "ＡＢＣ　１２", "abc 12"));
    CHECK(makes(kb_words, "Straße café", "straße café"));
    CHECK(makes(kb_words, "\xff\xfe ok \xe9", "ok"));
    CHECK(makes(kb_words, "", ""));
}

TEST("a question is any of its words, and cannot be FTS5's syntax")
{
    CHECK(makes(kb_question, "怎么退款?", "\"怎么\" OR \"么退\" OR \"退款\""));
    CHECK(makes(kb_question, "款", "\"款\""));
    CHECK(makes(kb_question, "a AND \"b\" NEAR(c*) -d:^",
                "\"a\" OR \"and\" OR \"b\" OR \"near\" OR \"c\" OR \"d\""));
    CHECK(makes(kb_question, "?!…。", ""));
    char many[4000];
    size_t n = 0;
    for (int i = 0; i < 500; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "w%d ", i);
    struct buf b;
    buf_init(&b, 100000);
    CHECK_EQ_INT(kb_question(slice_of(many), &b), 0);
    int quotes = 0;
    for (size_t i = 0; i < b.len; i++)
        quotes += b.data[i] == '"';
    CHECK_EQ_INT(quotes, 2 * KB_QUERY_WORDS);
    buf_fini(&b);
}

TEST("passages are whole paragraphs, all of the text, none too long")
{
    struct slice rest = SLICE("# One\n\nfirst\n\n# Two\nsecond\n"), p;
    REQUIRE(kb_passage(&rest, &p));
    CHECK_SLICE(p, "# One\n\nfirst");
    REQUIRE(kb_passage(&rest, &p));
    CHECK_SLICE(p, "# Two\nsecond");
    CHECK(!kb_passage(&rest, &p));
    struct buf b;
    buf_init(&b, 100000);
    for (int i = 0; i < 3000; i++)
        (void)buf_add_text(&b, i % 97 ? "退款" : "\n\n");
    rest = buf_slice(&b);
    size_t all = 0;
    while (kb_passage(&rest, &p)) {
        CHECK(p.len > 0 && p.len <= KB_PASSAGE_BYTES);
        CHECK(((unsigned char)p.at[0] & 0xc0) != 0x80);
        for (size_t i = 0; i < p.len; i++)
            all += p.at[i] != '\n';
    }
    size_t before = 0;
    for (size_t i = 0; i < b.len; i++)
        before += b.data[i] != '\n';
    CHECK_EQ_INT(all, before);
    buf_fini(&b);
}

static void put(struct world *w, uint64_t id, bool published, const char *lang,
                const char *tags, const char *title, const char *body)
{
    struct tx *tx = world_tx(w);
    struct article *a = arena_one(tx->arena, struct article);
    *a = (struct article){.id = id,
                          .published = published,
                          .lang = slice_of(lang),
                          .tags = slice_of(tags),
                          .title = slice_of(title),
                          .body = slice_of(body),
                          .created_at = 1,
                          .updated_at = 1};
    tx_put(tx, PUT_ARTICLE)->article = a;
    CHECK_EQ_INT(world_commit(w, tx), 0);
    tx_free(tx);
}

static struct query *search(struct world *w, const char *text, const char *lang,
                            const char *tags)
{
    struct query *q = query_new(QUERY_KB, world_query_done, w);
    q->text = slice_of(text);
    q->identity = slice_of(lang);
    q->tags = slice_of(tags);
    CHECK_EQ_INT(world_ask(w, q), 0);
    return q;
}

static int found(struct world *w, const char *text, const char *lang,
                 const char *tags, const char *first)
{
    struct query *q = search(w, text, lang, tags);
    int n = (int)q->count;
    struct json *all = NULL;
    CHECK_EQ_INT(json_parse(q->arena, q->json, NULL, &all), 0);
    if (first && all->first)
        CHECK_SLICE(json_text(all->first, "title"), first);
    query_free(q);
    return n;
}

TEST("a question finds the passage that fits best; drafts are not found")
{
    struct world w;
    REQUIRE(world_open(&w, test_dir()) == 0);
    put(&w, 1, true, "zh-CN", "[\"售后\"]", "退款说明",
        "订单签收后七天内可以申请退款。\n\n退款在三个工作日内到账。");
    put(&w, 2, true, "zh-CN", "[\"物流\"]", "发货时间",
        "下单后四十八小时内发货，偏远地区除外。");
    put(&w, 3, true, "en", "[\"aftersales\"]", "Refunds",
        "You can ask for a refund within seven days.");
    put(&w, 4, false, "en", "[]", "Secret", "Nobody reads this refund draft.");
    CHECK(found(&w, "怎么申请退款？", "", "", "退款说明") >= 1);
    CHECK(found(&w, "什么时候发货", "", "", "发货时间") >= 1);
    CHECK_EQ_INT(found(&w, "REFUND", "", "", "Refunds"), 1);
    CHECK_EQ_INT(found(&w, "refund", "zh-CN", "", NULL), 0);
    CHECK(found(&w, "退款 发货", "", "[\"物流\"]", "发货时间") == 1);
    CHECK_EQ_INT(found(&w, "?", "", "", NULL), 0);
    /* Changed, it is found by what it says now; taken back or dropped, not. */
    put(&w, 3, true, "en", "[]", "Returns", "Send it back.");
    CHECK_EQ_INT(found(&w, "refund", "", "", NULL), 0);
    CHECK_EQ_INT(found(&w, "returns", "", "", "Returns"), 1);
    put(&w, 3, false, "en", "[]", "Returns", "Send it back.");
    CHECK_EQ_INT(found(&w, "returns", "", "", NULL), 0);
    struct tx *tx = world_tx(&w);
    tx_put(tx, DEL_ARTICLE)->id = 2;
    CHECK_EQ_INT(world_commit(&w, tx), 0);
    tx_free(tx);
    CHECK_EQ_INT(found(&w, "发货", "", "", NULL), 0);
    world_close(&w);
}
