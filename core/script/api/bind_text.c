/* SPDX-License-Identifier: Apache-2.0 */
/* bind_text.c - text.*: words, likeness, forms, charsets.
 *
 * Happy path: all work is done in scratch memory before the first value goes
 * to Lua. Failure modes: a text over the maximum of a call is nil,
 * "too_large"; a charset nobody knows nil, "unsupported".
 */
#include "base/limits.h"
#include "script/api/bind_matcher.h"
#include "script/api/modules.h"
#include "script/api/options.h"
#include "script/text/text.h"
#include <math.h>

#define PARTS 100000
#define SEPARATORS 32

static int too_large(lua_State *L, const char *what, size_t max)
{
    lua_pushnil(L);
    lua_pushliteral(L, "too_large");
    lua_pushfstring(L, "text.%s: the text has over %d bytes", what, (int)max);
    return 3;
}

/* --- words ---------------------------------------------------------------- */

enum mode { MODE_WORDS, MODE_SEARCH, MODE_ALL };

struct cutting {
    lua_State *L;
    struct slice text;
    enum mode mode;
    int out, n; /* the table, its length */
};

static void add_folded(struct cutting *c, size_t from, size_t to)
{
    luaL_Buffer b;
    struct slice part = {c->text.at, to};
    luaL_buffinit(c->L, &b);
    for (size_t i = from; i < to;) {
        char bytes[4];
        size_t n = text_put(text_fold_point(text_next(part, &i)), bytes);
        luaL_addlstring(&b, bytes, n);
    }
    luaL_pushresult(&b);
    lua_rawseti(c->L, c->out, ++c->n);
}

/* A word of three characters or more is found by any two neighbours, too. */
static void add_for_search(struct cutting *c, size_t from, size_t to,
                           bool is_han)
{
    size_t before = from;
    struct slice part = {c->text.at, to};
    add_folded(c, from, to);
    for (size_t i = from; is_han && i < to;) {
        size_t at = i;
        (void)text_next(part, &i);
        if (at > from && !(before == from && i == to))
            add_folded(c, before, i);
        before = at;
    }
}

static void add_piece(struct cutting *c, const struct text_piece *p)
{
    if (p->from >= p->to || (c->mode != MODE_ALL && !p->is_word))
        return;
    if (c->mode == MODE_SEARCH) {
        add_for_search(c, p->from, p->to, p->is_han);
        return;
    }
    lua_pushlstring(c->L, c->text.at + p->from, p->to - p->from);
    lua_rawseti(c->L, c->out, ++c->n);
}

/* ICU's pieces, but each of the author's words as one. */
static void add_pieces(struct cutting *c, const struct text_piece *list,
                       size_t count, const struct matcher *own)
{
    struct matcher_hit hit = {0};
    size_t pos = 0, steps = bind_matcher_steps(c->text);
    bool more = own && matcher_find(own, c->text, 0, &steps, &hit);
    for (size_t i = 0; i < count; i++) {
        struct text_piece p = list[i];
        while (more && hit.from < p.to) {
            struct text_piece word = {(uint32_t)hit.from, (uint32_t)hit.to,
                                      true, true};
            struct text_piece head = p;
            head.from = p.from > pos ? p.from : (uint32_t)pos;
            head.to = (uint32_t)hit.from;
            add_piece(c, &head);
            add_piece(c, &word);
            pos = hit.to;
            more = matcher_find(own, c->text, pos, &steps, &hit);
        }
        if (p.from < pos)
            p.from = (uint32_t)pos;
        add_piece(c, &p);
    }
}

static int on_segment(lua_State *L)
{
    static const char *const modes[] = {"words", "search", "all", NULL};
    struct cutting c = {.L = L, .text = bind_slice(L, 1)};
    const struct matcher *own = NULL;
    struct text_piece *list;
    size_t count;
    lua_settop(L, 2);
    if (option_push(L, 2, "mode"))
        c.mode = (enum mode)luaL_checkoption(L, 3, NULL, modes);
    lua_settop(L, 2);
    if (option_push(L, 2, "words") && !(own = bind_matcher_at(L, 3)))
        bind_raise(L, "words must be what text.matcher gave");
    if (c.text.len > TEXT_WORDS_BYTES)
        return too_large(L, "segment", TEXT_WORDS_BYTES);
    text_words(c.text, bind_arena(L), &list, &count);
    lua_newtable(L);
    c.out = lua_gettop(L);
    add_pieces(&c, list, count, own);
    return 1;
}

/* --- likeness and forms --------------------------------------------------- */

static int on_similarity(lua_State *L)
{
    struct slice a = bind_slice(L, 1), b = bind_slice(L, 2);
    if (a.len > TEXT_ALIKE_BYTES || b.len > TEXT_ALIKE_BYTES)
        return too_large(L, "similarity", TEXT_ALIKE_BYTES);
    lua_pushnumber(L, text_alike(a, b, bind_arena(L)));
    return 1;
}

static int push_form(lua_State *L, enum text_form form, const char *what)
{
    struct slice s = bind_slice(L, 1);
    struct arena *a = bind_arena(L);
    struct buf *out = bind_buf(L, TEXT_OUT_BYTES);
    if (s.len > LIMIT_BODY_BYTES || text_normal(s, form, a, out) < 0)
        return too_large(L, what, LIMIT_BODY_BYTES);
    value_push_slice(L, buf_slice(out));
    bind_arena(L); /* it may be large */
    return 1;
}

static int on_normalize(lua_State *L)
{
    static const char *const names[] = {"nfc", "nfd", "nfkc", "nfkd", NULL};
    static const enum text_form forms[] = {TEXT_NFC, TEXT_NFD, TEXT_NFKC,
                                           TEXT_NFKD};
    int form = luaL_checkoption(L, 2, "nfkc", names);
    return push_form(L, forms[form], "normalize");
}

static int on_casefold(lua_State *L)
{
    return push_form(L, TEXT_FOLD, "casefold");
}

static int on_simplify(lua_State *L)
{
    struct slice s = bind_slice(L, 1);
    struct buf *out = bind_buf(L, TEXT_OUT_BYTES);
    if (s.len > TEXT_CHARS_BYTES)
        return too_large(L, "simplify", TEXT_CHARS_BYTES);
    for (size_t i = 0; i < s.len;) {
        char bytes[4];
        size_t n = text_put(text_simplified(text_next(s, &i)), bytes);
        must(buf_add(out, bytes, n) == 0);
    }
    value_push_slice(L, buf_slice(out));
    return 1;
}

static int on_trim(lua_State *L)
{
    struct slice s = bind_slice(L, 1);
    if (s.len > LIMIT_BODY_BYTES)
        return too_large(L, "trim", LIMIT_BODY_BYTES);
    value_push_slice(L, text_trim(s));
    return 1;
}

/* --- characters ----------------------------------------------------------- */

static int on_len(lua_State *L)
{
    struct slice s = bind_slice(L, 1);
    if (s.len > TEXT_CHARS_BYTES)
        return too_large(L, "len", TEXT_CHARS_BYTES);
    lua_pushinteger(L, (lua_Integer)text_count(s));
    return 1;
}

/* string.sub's positions, in characters: 1-based, negative from the end. */
static double position(lua_State *L, int arg, double otherwise, double len)
{
    double n = luaL_optnumber(L, arg, otherwise);
    n = n == n ? floor(n) : 0;
    return n < 0 ? n + len + 1 : n;
}

static int on_sub(lua_State *L)
{
    struct slice s = bind_slice(L, 1);
    if (s.len > TEXT_CHARS_BYTES)
        return too_large(L, "sub", TEXT_CHARS_BYTES);
    bool back = luaL_checknumber(L, 2) < 0 || luaL_optnumber(L, 3, -1) < -1;
    double len = back ? (double)text_count(s) : (double)s.len;
    double from = position(L, 2, 1, len), to = position(L, 3, -1, len);
    if (from < 1)
        from = 1;
    if (to > len)
        to = len;
    if (!(from <= to)) {
        lua_pushliteral(L, "");
        return 1;
    }
    size_t at = text_offset(s, (size_t)from - 1);
    size_t end = text_offset(s, (size_t)to);
    lua_pushlstring(L, s.at + at, end - at);
    return 1;
}

/* --- split ---------------------------------------------------------------- */

struct separators {
    struct slice at[SEPARATORS];
    int count;
};

static void one_separator(lua_State *L, struct separators *seps)
{
    struct slice s = {"", 0};
    if (lua_type(L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(L, -1, &s.len);
    if (s.len == 0 || seps->count == SEPARATORS)
        bind_raise(L,
                   "text.split: the separator is a text, or a list of 1 to "
                   "%d texts, none of them empty",
                   SEPARATORS);
    seps->at[seps->count++] = s;
}

static void read_separators(lua_State *L, int arg, struct separators *seps)
{
    seps->count = 0;
    if (!lua_istable(L, arg)) {
        lua_pushvalue(L, arg);
        one_separator(L, seps);
        lua_pop(L, 1);
        return;
    }
    size_t n = lua_objlen(L, arg);
    for (size_t i = 1; i <= n || i == 1; i++) {
        lua_rawgeti(L, arg, (int)i);
        one_separator(L, seps);
        lua_pop(L, 1); /* the list keeps it */
    }
}

/* Length of the longest separator at i, 0 if there is none. */
static size_t separator_at(const struct separators *seps, struct slice s,
                           size_t i)
{
    size_t best = 0;
    for (int k = 0; k < seps->count; k++) {
        struct slice sep = seps->at[k];
        if (sep.at[0] == s.at[i] && sep.len > best && sep.len <= s.len - i &&
            memcmp(sep.at, s.at + i, sep.len) == 0)
            best = sep.len;
    }
    return best;
}

struct splitting {
    lua_State *L;
    bool trims, empty;
    int n;
};

static void add_part(struct splitting *c, struct slice part)
{
    if (c->trims)
        part = text_trim(part);
    if (part.len == 0 && !c->empty)
        return;
    value_push_slice(c->L, part);
    lua_rawseti(c->L, -2, ++c->n);
}

static int on_split(lua_State *L)
{
    struct separators seps;
    struct slice s = bind_slice(L, 1);
    size_t from = 0;
    lua_settop(L, 3);
    read_separators(L, 2, &seps);
    struct splitting c = {.L = L,
                          .trims = option_is(L, 3, "trim"),
                          .empty = !option_is(L, 3, "skip_empty")};
    if (s.len > LIMIT_BODY_BYTES)
        return too_large(L, "split", LIMIT_BODY_BYTES);
    lua_newtable(L);
    for (size_t i = 0; i < s.len;) {
        size_t n = separator_at(&seps, s, i);
        if (n)
            add_part(&c, (struct slice){s.at + from, i - from});
        i += n ? n : 1;
        from = n ? i : from;
        if (c.n == PARTS)
            return bind_trouble(L, "too_large",
                                "text.split: over 100,000 parts");
    }
    add_part(&c, (struct slice){s.at + from, s.len - from});
    return 1;
}

/* --- many words ----------------------------------------------------------- */

static int on_contains_any(lua_State *L)
{
    struct matcher_hit hit;
    struct slice s = bind_slice(L, 1);
    if (s.len > MATCHER_TEXT_BYTES)
        return too_large(L, "contains_any", MATCHER_TEXT_BYTES);
    const struct matcher *m = bind_matcher_at(L, 2);
    if (!m)
        m = bind_matcher_of(L, 2, bind_arena(L));
    size_t steps = bind_matcher_steps(s);
    if (!matcher_find(m, s, 0, &steps, &hit))
        return 0;
    bind_matcher_word(L, 2, hit.word);
    return 1;
}

/* --- charsets ------------------------------------------------------------- */

static int on_convert(lua_State *L)
{
    struct slice from = bind_slice(L, 1), to = bind_slice(L, 2);
    struct slice bytes = bind_slice(L, 3);
    bool strict = option_is(L, 4, "strict");
    struct buf *out = bind_buf(L, TEXT_OUT_BYTES);
    if (bytes.len > LIMIT_BODY_BYTES)
        return too_large(L, "convert", LIMIT_BODY_BYTES);
    int got = text_convert(from, to, bytes, strict, out);
    if (got == ERR_UNSUPPORTED) {
        lua_pushnil(L);
        lua_pushliteral(L, "unsupported");
        lua_pushfstring(L, "there is no charset \"%s\" or no \"%s\"", from.at,
                        to.at);
        return 3;
    }
    if (got < 0)
        return bind_trouble_of(L, got,
                               got == ERR_TOOBIG
                                   ? "the result is over 2 MB"
                                   : "some of it does not exist in the other "
                                     "charset, or the bytes are cut");
    value_push_slice(L, buf_slice(out));
    return 1;
}

static int on_detect(lua_State *L)
{
    char name[TEXT_CHARSET];
    struct slice bytes = bind_slice(L, 1);
    if (bytes.len > LIMIT_BODY_BYTES)
        return too_large(L, "detect", LIMIT_BODY_BYTES);
    double sure = text_detect(bytes, name);
    lua_pushstring(L, name);
    lua_pushnumber(L, sure);
    return 2;
}

#define ANY(name, fn, signature, doc)                                          \
    {                                                                          \
        name, fn, API_ANYWHERE, 0, signature, doc, "1"                         \
    }
static const struct api_call calls[] = {
    ANY("segment", on_segment,
        "(text: string, options?: {mode?: \"words\"|\"search\"|\"all\", "
        "words?: "
        "Matcher}): string[]|nil, string?, string?",
        "The words of a text, Chinese ones by ICU's dictionary. \"words\" "
        "leaves blanks and signs out; \"all\" gives everything, so that "
        "table.concat is the text again; \"search\" folds case, width and "
        "script and adds each two neighbouring characters of a longer Chinese "
        "word. `words` are names the dictionary does not know. At most 64 kB, "
        "else nil, \"too_large\".\n\n"
        "local own = text.matcher { \"客服\", \"小程序\" }\n"
        "text.segment(\"我要找客服退款\", { words = own }) -- 我 要 找 客服 "
        "退款"),
    ANY("similarity", on_similarity,
        "(a: string, b: string): number|nil, string?, string?",
        "How alike two texts are, 0 to 1: Dice's coefficient over pairs of "
        "neighbouring characters, after case, width, traditional forms, "
        "blanks and signs are taken away. At most 64 kB each.\n\n"
        "text.similarity(\"怎么退款？\", \"请问怎么退款\") -- 0.75"),
    ANY("normalize", on_normalize,
        "(text: string, form?: \"nfc\"|\"nfd\"|\"nfkc\"|\"nfkd\"): string|nil, "
        "string?, string?",
        "The text in a Unicode normal form, \"nfkc\" without one: full-width "
        "letters, digits and signs become plain ones.\n\n"
        "text.normalize \"ＡＢＣ　１２３\" -- \"ABC 123\""),
    ANY("casefold", on_casefold, "(text: string): string|nil, string?, string?",
        "NFKC without case, for comparing.\n\n"
        "if text.casefold(a) == text.casefold(b) then ... end"),
    ANY("simplify", on_simplify, "(text: string): string|nil, string?, string?",
        "Traditional Chinese characters as simplified ones, one for one. At "
        "most 256 kB.\n\ntext.simplify \"訂單退款\" -- \"订单退款\""),
    ANY("len", on_len, "(text: string): integer|nil, string?, string?",
        "How many characters people see (grapheme clusters: a letter with its "
        "accents, a family of emoji is one). utf8.len counts code points. At "
        "most 256 kB.\n\ntext.len \"你好👨‍👩‍👧\" -- 3"),
    ANY("sub", on_sub,
        "(text: string, from: integer, to?: integer): string|nil, string?, "
        "string?",
        "Characters `from` to `to` as text.len counts them; negative ones "
        "count from the end.\n\ntext.sub(\"你好世界\", 1, 2) -- \"你好\""),
    ANY("trim", on_trim, "(text: string): string|nil, string?, string?",
        "The text without blanks at its ends: those of Unicode, too "
        "(ideographic, zero width).\n\n"
        "local name = text.trim(msg.text)"),
    ANY("split", on_split,
        "(text: string, separator: string|string[], options?: {trim?: boolean, "
        "skip_empty?: boolean}): string[]|nil, string?, string?",
        "The parts between the separators (plain texts, no patterns).\n\n"
        "text.split(\"红，蓝, 绿\", { \"，\", \",\" }, { trim = true })"),
    ANY("contains_any", on_contains_any,
        "(text: string, words: string[]|Matcher): string|nil",
        "The first of the words that is in the text, nil if there is none; "
        "case, width and traditional forms do not matter. For a long list "
        "make a matcher once.\n\n"
        "if text.contains_any(msg.text, { \"退款\", \"refund\" }) then ... "
        "end"),
    ANY("matcher", bind_matcher_new, "(words: string[]): Matcher",
        "Many words to be looked for at once: at most 20,000 words of 128 kB "
        "together. Make it at the top of the file.\n\n"
        "local forbidden = text.matcher { \"刷单\", \"代开发票\" }"),
    ANY("convert", on_convert,
        "(from: string, to: string, bytes: string, options?: {strict?: "
        "boolean}): string|nil, string?, string?",
        "Bytes of one charset as another's (GB18030, GBK, Big5, Shift_JIS, "
        "windows-1252 ... all that ICU knows; GB2312 and GBK are read as "
        "GB18030). What does not exist there becomes U+FFFD or a substitute; "
        "strict: nil, \"bad_request\". nil, \"unsupported\": no such "
        "charset.\n\nlocal body = text.convert(\"gbk\", \"utf-8\", res.body)"),
    ANY("detect", on_detect, "(bytes: string): string, number",
        "The charset the bytes are likely in (lower case) and how sure that "
        "is, 0 to 1. Looks at the first 8 kB.\n\n"
        "local charset, sure = text.detect(bytes)"),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};

const struct api_module text_module = {
    .name = "text",
    .doc = "Words, characters and charsets. Texts are UTF-8 and at most 1 MB "
           "unless a call says less.",
    .calls = calls};
