/* SPDX-License-Identifier: Apache-2.0 */
#include "script/text/matcher.h"
#include "script/text/text.h"
#include "stage.h"

#define HELP                                                                   \
    STAGE_HELP "local function list(t) return table.concat(t, '|') end\n"      \
               "local hex = crypto.hex_decode\n"

TEST("Chinese is cut into words, and the author's own are known")
{
    STAGE(HELP
          "is(list(text.segment '我想申请退款，Please refund order 12345!'), "
          "'我想|申请|退款|Please|refund|order|12345')\n"
          "local said = '退款！ Ｏｋ 👍\\n'\n"
          "is(table.concat(text.segment(said, {mode = 'all'})), said)\n"
          "is(list(text.segment('我要找客服', {mode = 'words'})), "
          "'我要|找|客|服')\n"
          "local own = text.matcher {'客服', '小程序'}\n"
          "is(list(text.segment('我要找客服退款', {words = own})), "
          "'我要|找|客服|退款')\n"
          "is(list(text.segment('小程序', {words = own})), '小程序')\n"
          "is(table.concat(text.segment('a客服,小程序b', {words = own, mode = "
          "'all'}), '|'), 'a|客服|,|小程序|b')\n"
          "is(list(text.segment('ＲＥＦＵＮＤ 什麼時候', {mode = 'search'})), "
          "'refund|什么时候|什么|么时|时候')\n"
          "is(#text.segment '', 0) is(#text.segment ' ，。', 0)\n"
          "is(list(text.segment '\\255退款\\254'), '退款')\n");
    STAGE_FAILS("text.segment('x', {mode = 'letters'})", "letters");
    STAGE_FAILS("text.segment('x', {words = {'x'}})", "text.matcher");
}

TEST("likeness is 1 for the same, 0 for nothing in common")
{
    STAGE(HELP
          "local like = text.similarity\n"
          "is(like('怎么退款？', '怎麼 退款'), 1)\n"
          "is(like('Refund!', 'ＲＥＦＵＮＤ'), 1)\n"
          "is(like('abc', 'xyz'), 0)\n"
          "is(like('', ''), 1) is(like('', 'a'), 0) is(like('?', '!'), 1)\n"
          "is(like('a', 'a'), 1) is(like('a', 'b'), 0)\n"
          "is(like('怎么退款？', '请问怎么退款'), 0.75)\n"
          "local n = like('我的订单什么时候发货', '订单啥时候发货')\n"
          "if not (n > 0.4 and n < 1) then error(n) end\n");
}

TEST("forms: normalised, folded, simplified, trimmed")
{
    STAGE(HELP "is(text.normalize 'ＡＢＣ　１２３', 'ABC 123')\n"
               "is(text.normalize('e\\204\\129', 'nfc'), 'é')\n"
               "is(text.normalize('é', 'nfd'), 'e\\204\\129')\n"
               "is(text.casefold 'STRASSE', text.casefold 'straße')\n"
               "is(text.normalize 'a\\255b', 'a\\239\\191\\189b')\n"
               "is(text.simplify '訂單退款，請問什麼時候到賬？', "
               "'订单退款，请问什么时候到账？')\n"
               "is(text.trim ' \\t\\n　\\226\\128\\139你好 \\239\\187\\191', "
               "'你好')\n"
               "is(text.trim ' 　 ', '') is(text.trim '', '') "
               "is(text.trim 'a b', 'a b')\n");
}

TEST("characters are what people count, code points what platforms count")
{
    STAGE(HELP
          "local family = '👨‍👩‍👧'\n"
          "is(text.len('你好' .. family), 3)\n"
          "is(utf8.len('你好' .. family), 7)\n"
          "is(text.len 'e\\204\\129', 1) is(text.len '', 0)\n"
          "is(text.sub('你好' .. family .. '!', 3, 3), family)\n"
          "is(text.sub('你好世界', -2), '世界')\n"
          "is(text.sub('你好世界', 2, -2), '好世')\n"
          "is(text.sub('你好', 0), '你好') is(text.sub('你好', 3), '')\n"
          "is(text.sub('你好', 2, 1), '') is(text.sub('你好', -9, 1), '你')\n"
          "is(text.sub('你好', 1, 1e300), '你好')\n"
          "is(utf8.sub('你好世界', 2, 3), '好世')\n"
          "is(utf8.sub('你好世界', -1), '界') is(utf8.sub('你好', 0/0), "
          "'你好')\n"
          "local n, at = utf8.len 'ab\\255'\n"
          "is(n, nil) is(at, 3)\n"
          "is(utf8.len '\\237\\160\\128', nil)\n" /* half a pair */
          "local seen = {}\n"
          "for char, byte in utf8.chars 'a你\\255好' do\n"
          "  seen[#seen + 1] = char .. byte\n"
          "end\n"
          "is(list(seen), 'a1|你2|\\2555|好6')\n"
          "is(utf8.is_valid '你好', true) is(utf8.is_valid '\\192\\128', "
          "false)\n");
}

TEST("a text is split at plain texts")
{
    STAGE(HELP
          "is(list(text.split('a,b,,c', ',')), 'a|b||c')\n"
          "is(list(text.split('a.b', '.')), 'a|b')\n"
          "is(list(text.split('红，蓝, 绿 ', {'，', ','}, {trim = true})), "
          "'红|蓝|绿')\n"
          "is(list(text.split(',a,,', ',', {skip_empty = true})), 'a')\n"
          "is(list(text.split('a--b-c', {'-', '--'})), 'a|b|c')\n"
          "is(#text.split('', ','), 1) is(list(text.split('abc', 'abcd')), "
          "'abc')\n"
          "trouble('too_large', text.split((','):rep(100001), ','))\n");
    STAGE_FAILS("text.split('a', '')", "none of them empty");
    STAGE_FAILS("text.split('a', {})", "none of them empty");
}

TEST("many words are found in one pass, the leftmost and longest first")
{
    STAGE(HELP
          "local m = text.matcher {'退款', '退款单', 'refund', 'her', 'hers', "
          "'she'}\n"
          "local word, from, to = m:find '我的退款单呢'\n"
          "is(word, '退款单') is(from, 7) is(to, 15)\n"
          "is(m:find 'ＲＥＦＵＮＤ please', 'refund')\n"
          "is(m:find '退單', nil)\n"
          "is(text.matcher {'订单'}:find '我的訂單', '订单')\n"
          "is(text.matcher {'訂單'}:find '我的订单', '訂單')\n"
          "is(m:find 'ushers', 'she') is(m:find '', nil)\n"
          "local all = m:all 'ushers 退款 hers'\n"
          "is(#all, 3) is(all[1].word, 'she') is(all[2].word, '退款') "
          "is(all[3].word, 'hers') is(all[3].from, 15) is(all[3].to, 18)\n"
          "is(m:replace('退款 Refund ok', '*'), '* * ok')\n"
          "local clean, n = m:replace 'hers退款单'\n"
          "is(clean, '******') is(n, 2)\n"
          "is(text.matcher {'ab', 'abcX', 'c'}:replace('abcY', '-'), '--Y')\n"
          "is(text.contains_any('I want a REFUND', {'退款', 'refund'}), "
          "'refund')\n"
          "is(text.contains_any('hello', m), nil)\n"
          "is(text.contains_any('hers', m), 'hers')\n"
          "is(m:find 'x\\0\\255her', 'her')\n");
    STAGE_FAILS("text.matcher {}", "1 to 20000 words");
    STAGE_FAILS("text.matcher {'a', ''}", "word 2");
    STAGE_FAILS("text.matcher {'a', 7}", "word 2");
    STAGE_FAILS("text.matcher {'a\\0b'}", "word 1");
    STAGE_FAILS("text.matcher {('x'):rep(201)}", "word 1");
    STAGE_FAILS("text.matcher {'a'}.find('x', 'y')", "with a colon");
    STAGE_FAILS("local m = text.matcher {'a'} m.x = 1", "userdata");
}

/* The slow way, over the same folding. */
static bool slow_find(const struct slice *words, size_t n, struct slice s,
                      size_t from, struct matcher_hit *out)
{
    for (size_t i = from; i < s.len; i++) {
        bool found = false;
        for (size_t k = 0; k < n; k++) {
            if (words[k].len > s.len - i ||
                memcmp(words[k].at, s.at + i, words[k].len) != 0)
                continue;
            if (found && words[k].len <= out->to - out->from)
                continue;
            *out = (struct matcher_hit){k, i, i + words[k].len};
            found = true;
        }
        if (found)
            return true;
    }
    return false;
}

TEST("a matcher finds what a plain search finds, in 3,000 random cases")
{
    uint64_t seed = (uint64_t)test_option("seed", 7);
    for (int round = 0; round < 3000; round++) {
        struct arena *a = arena_new();
        struct slice words[6];
        char text[40], store[6][5];
        size_t bytes = 0, steps = 100000, at = 0;
        for (int k = 0; k < 6; k++) {
            size_t len = 1 + (seed >> 33) % 5;
            for (size_t i = 0; i < len; i++) {
                seed = seed * 6364136223846793005u + 1442695040888963407u;
                store[k][i] = (char)('a' + (seed >> 40) % 3);
            }
            words[k] = (struct slice){store[k], len};
            bytes += len;
        }
        for (size_t i = 0; i < sizeof text; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            text[i] = (char)('a' + (seed >> 40) % 4);
        }
        struct slice s = {text, sizeof text};
        struct matcher *m = matcher_build(arena_alloc(a, matcher_room(bytes)),
                                          words, 6, bytes, a);
        for (bool more = true; more;) {
            struct matcher_hit fast = {0}, slow = {0};
            more = slow_find(words, 6, s, at, &slow);
            test_note("round %d at %zu", round, at);
            CHECK_EQ_INT(matcher_find(m, s, at, &steps, &fast), more);
            CHECK(fast.from == slow.from && fast.to == slow.to);
            at = slow.to;
        }
        arena_free(a);
    }
}

TEST("bytes of other charsets become UTF-8, and back")
{
    STAGE(HELP
          "local to8 = function(c, b, o) return text.convert(c, 'utf-8', b, o) "
          "end\n"
          "is(to8('gb2312', hex 'd6d0b9fa'), '中国')\n"
          "is(to8('GBK', hex 'c4e3bac3'), '你好')\n"
          "is(to8('gb18030', hex 'a2e3'), '€')\n"
          "is(to8('gb18030', hex '9439fc36'), '😀')\n"
          "is(to8('gb18030', hex '8139ee39'), '㐀')\n"
          "is(to8('Big5', hex 'a7da'), '我')\n"
          "is(to8('Shift_JIS', hex '93fa967b'), '日本')\n"
          "is(text.convert('utf-8', 'gb18030', '你好😀'), hex "
          "'c4e3bac39439fc36')\n"
          "is(to8('gbk', hex 'c4e3ff'), '你\\239\\191\\189')\n"
          "trouble('bad_request', to8('gbk', hex 'c4e3ff', {strict = true}))\n"
          "trouble('bad_request', to8('gbk', hex 'c4e3ba', {strict = true}))\n"
          "trouble('bad_request', text.convert('utf-8', 'gbk', '😀', {strict = "
          "true}))\n"
          "for _, name in ipairs {'nonsense', '', '../x', 'a b', "
          "('x'):rep(100), 'utf-8,swaplfnl'} do\n"
          "  trouble('unsupported', to8(name, 'x'))\n"
          "end\n");
}

TEST("a charset is guessed")
{
    STAGE(HELP
          "local name, sure = text.detect '你好'\n"
          "is(name, 'utf-8') is(sure, 1)\n"
          "local gb = text.convert('utf-8', 'gb18030', ('我想申请退款，因为商品"
          "有质量问题。'):rep(3))\n"
          "name, sure = text.detect(gb)\n"
          "is(name, 'gb18030')\n"
          "if sure < 0.5 then error(sure) end\n"
          "is(text.detect '', 'utf-8')\n");
}

static struct slice utf8_of(struct buf *out, const char *charset,
                            struct slice bytes)
{
    buf_clear(out);
    CHECK_EQ_INT(text_to_utf8(slice_of(charset), bytes, out), 0);
    return buf_slice(out);
}

TEST("what mail says about its charset is taken with a grain of salt")
{
    struct buf b;
    buf_init(&b, 1000);
    struct slice gb = SLICE("\xc4\xe3\xba\xc3"), hello = SLICE("你好");
    CHECK_SLICE(utf8_of(&b, "gb2312", gb), "你好");
    CHECK_SLICE(utf8_of(&b, "us-ascii", hello), "你好");
    CHECK_SLICE(utf8_of(&b, "", hello), "你好");
    CHECK_SLICE(utf8_of(&b, "", gb), "你好");
    CHECK_SLICE(utf8_of(&b, "unknown-8bit", gb), "你好");
    CHECK_SLICE(utf8_of(&b, "utf-8", hello), "你好");
    CHECK_SLICE(utf8_of(&b, "utf-8", SLICE("a\xff")), "a\xef\xbf\xbd");
    CHECK_SLICE(utf8_of(&b, "iso-8859-1", SLICE("caf\xe9 \x80")), "café €");
    CHECK_SLICE(utf8_of(&b, "gb18030", SLICE("\x94\x39\xfc\x36")), "😀");
    buf_fini(&b);
}

TEST("every call has its maximum")
{
    STAGE(HELP "local big = ('我想退款'):rep(90000)\n"
               "trouble('too_large', text.segment(big:sub(1, 66000)))\n"
               "trouble('too_large', text.similarity(big:sub(1, 66000), 'x'))\n"
               "trouble('too_large', text.len(big:sub(1, 270000)))\n"
               "trouble('too_large', text.sub(big:sub(1, 270000), 1))\n"
               "trouble('too_large', text.simplify(big:sub(1, 270000)))\n"
               "trouble('too_large', text.normalize(big))\n"
               "trouble('too_large', text.casefold(big))\n"
               "trouble('too_large', text.trim(big))\n"
               "trouble('too_large', text.detect(big))\n"
               "trouble('too_large', text.split(big, 'x'))\n"
               "trouble('too_large', text.contains_any(big, {'x'}))\n"
               "trouble('too_large', text.convert('utf-8', 'gbk', big))\n");
    STAGE_FAILS("utf8.len(('x'):rep(1100000))", "1 MB");
    STAGE_FAILS("text.matcher({'x'}):find(('x'):rep(140000))", "131072");
}

/* Loading has 500 ms of CPU, sanitizers and all. */
TEST("the largest text a call takes does not use up its time")
{
    STAGE("for _ = 1, 3 do text.segment(('退款单'):rep(7281)) end");
    STAGE("text.similarity(('退款单'):rep(7281), ('订单款'):rep(7281))");
    STAGE("text.len(('退'):rep(87381)) text.sub(('退'):rep(87381), -2)");
    STAGE("text.normalize(('Ａ'):rep(349525))");
    STAGE("assert(text.normalize(('\\239\\183\\186'):rep(60000)))\n"
          "assert(not text.normalize(('\\239\\183\\186'):rep(70000)))");
    STAGE("text.convert('utf-8', 'gb18030', ('退'):rep(349525))");
    STAGE("text.detect(('\\196\\227'):rep(524288))");
    STAGE("local w = {} for i = 1, 20000 do w[i] = ('%x'):format(i) end\n"
          "text.matcher(w):all(('1'):rep(10000))");
    STAGE("local m = text.matcher {('a'):rep(199) .. 'b', 'a'}\n"
          "assert(m:find(('a'):rep(130000)) == 'a')\n"
          "assert(m:replace(('a'):rep(130000)) == nil)");
}

TEST("a small memory fails cleanly in the middle of any call")
{
    static const char *const calls[] = {
        "text.segment(x:sub(n, 3000), {mode = 'search'})",
        "text.normalize(x .. n)",
        "text.split(x:sub(n), 'x')",
        "text.matcher {x:sub(1, 98)}, x .. n",
        "text.convert('utf-8', 'gbk', x .. n)",
        "text.matcher({'x'}):all(x:sub(n, 4000))"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        char lua[300];
        struct stage s = {.memory = 1024 * 1024};
        snprintf(lua, sizeof lua,
                 "local x, all = ('Ａxyz '):rep(2000), {}\n"
                 "for n = 1, 1000 do all[n] = { n, %s, n } end",
                 calls[i]);
        test_note("%s", calls[i]);
        if (!strstr(stage_run(&s, lua), "not enough memory"))
            FAIL("%s", s.trouble);
    }
}
