/* SPDX-License-Identifier: Apache-2.0 */
/* bind_matcher.c - text.matcher: many words looked for at once.
 *
 * Happy path: the tree lies in a userdata, so that the script's memory pays
 * for it; its environment is the list of words. Failure modes: a word that is
 * empty, overlong or no UTF-8 is raised; a text whose words overlap so much
 * that a search would take long is nil, "too_large".
 */
#include "script/api/bind_matcher.h"
#include "base/limits.h"
#include "script/api/modules.h"

#define HITS 10000

/* --- words ---------------------------------------------------------------- */

static struct slice word_at(lua_State *L, int idx, int i)
{
    struct slice s = {"", 0};
    lua_rawgeti(L, idx, i);
    if (lua_type(L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(L, -1, &s.len);
    lua_pop(L, 1); /* the list keeps it */
    if (s.len == 0 || s.len > MATCHER_WORD_BYTES || memchr(s.at, 0, s.len) ||
        !slice_is_utf8(s))
        bind_raise(L, "word %d must be a text of 1 to %d bytes of UTF-8", i,
                   MATCHER_WORD_BYTES);
    return s;
}

struct words {
    struct slice *at;
    size_t count, bytes;
};

static struct words read_words(lua_State *L, int idx, struct arena *a)
{
    luaL_checktype(L, idx, LUA_TTABLE);
    struct words w = {.count = lua_objlen(L, idx)};
    if (w.count == 0 || w.count > MATCHER_WORDS)
        bind_raise(L, "a list of 1 to %d words is needed", MATCHER_WORDS);
    w.at = arena_many(a, struct slice, w.count);
    for (size_t i = 0; i < w.count; i++) {
        w.at[i] = word_at(L, idx, (int)i + 1);
        w.bytes += w.at[i].len;
    }
    if (w.bytes > MATCHER_BYTES)
        bind_raise(L, "the words have over %d bytes together", MATCHER_BYTES);
    return w;
}

struct matcher *bind_matcher_of(lua_State *L, int idx, struct arena *a)
{
    struct words w = read_words(L, idx, a);
    void *room = arena_alloc(a, matcher_room(w.bytes));
    return matcher_build(room, w.at, w.count, w.bytes, a);
}

/* --- the object ----------------------------------------------------------- */

const struct matcher *bind_matcher_at(lua_State *L, int idx)
{
    if (lua_type(L, idx) != LUA_TUSERDATA || !lua_getmetatable(L, idx))
        return NULL;
    api_meta(L, &matcher_module);
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is ? lua_touserdata(L, idx) : NULL;
}

void bind_matcher_word(lua_State *L, int idx, size_t i)
{
    if (lua_istable(L, idx)) {
        lua_rawgeti(L, idx, (int)i + 1);
        return;
    }
    lua_getfenv(L, idx);
    lua_rawgeti(L, -1, (int)i + 1);
    lua_remove(L, -2);
}

int bind_matcher_new(lua_State *L)
{
    struct arena *a = bind_arena(L);
    struct words w = read_words(L, 1, a);
    size_t room = matcher_room(w.bytes);
    void *block = lua_newuserdata(L, room);
    memset(block, 0, room);
    matcher_build(block, w.at, w.count, w.bytes, a);
    int object = lua_gettop(L);
    lua_createtable(L, (int)w.count, 0);
    for (size_t i = 1; i <= w.count; i++) {
        lua_rawgeti(L, 1, (int)i);
        lua_rawseti(L, -2, (int)i);
    }
    lua_setfenv(L, object);
    api_meta(L, &matcher_module);
    lua_setmetatable(L, object);
    bind_arena(L); /* the tree's scaffold may be large */
    return 1;
}

size_t bind_matcher_steps(struct slice text)
{
    return 7 * text.len + 50000; /* a plain pass takes 6 a byte at most */
}

/* --- methods -------------------------------------------------------------- */

static const struct matcher *self(lua_State *L, const char *what,
                                  struct slice *text)
{
    const struct matcher *m = bind_matcher_at(L, 1);
    if (!m)
        bind_raise(L,
                   "matcher:%s is called with a colon on what text.matcher "
                   "gave",
                   what);
    *text = bind_slice(L, 2);
    if (text->len > MATCHER_TEXT_BYTES)
        bind_raise(L, "matcher:%s: the text is over %d bytes", what,
                   MATCHER_TEXT_BYTES);
    return m;
}

static int too_many(lua_State *L)
{
    return bind_trouble(L, "too_large",
                        "the text has too many of the words, or they overlap "
                        "too much");
}

static int on_find(lua_State *L)
{
    struct slice text;
    struct matcher_hit hit;
    const struct matcher *m = self(L, "find", &text);
    size_t steps = bind_matcher_steps(text);
    bool found = matcher_find(m, text, 0, &steps, &hit);
    if (steps == 0)
        return too_many(L);
    if (!found)
        return 0;
    bind_matcher_word(L, 1, hit.word);
    lua_pushinteger(L, (lua_Integer)hit.from + 1);
    lua_pushinteger(L, (lua_Integer)hit.to);
    return 3;
}

static int on_all(lua_State *L)
{
    struct slice text;
    struct matcher_hit hit = {0};
    const struct matcher *m = self(L, "all", &text);
    size_t steps = bind_matcher_steps(text), from = 0;
    int n = 0;
    lua_newtable(L);
    while (matcher_find(m, text, from, &steps, &hit)) {
        if (n == HITS)
            return too_many(L);
        lua_createtable(L, 0, 3);
        bind_matcher_word(L, 1, hit.word);
        lua_setfield(L, -2, "word");
        lua_pushinteger(L, (lua_Integer)hit.from + 1);
        lua_setfield(L, -2, "from");
        lua_pushinteger(L, (lua_Integer)hit.to);
        lua_setfield(L, -2, "to");
        lua_rawseti(L, -2, ++n);
        from = hit.to;
    }
    return steps ? 1 : too_many(L);
}

static int on_replace(lua_State *L)
{
    struct slice text, with;
    struct matcher_hit hit = {0};
    const struct matcher *m = self(L, "replace", &text);
    size_t steps = bind_matcher_steps(text), from = 0;
    with = lua_isnoneornil(L, 3) ? SLICE("***") : bind_slice(L, 3);
    struct buf *out = bind_buf(L, LIMIT_BODY_BYTES);
    int n = 0, got = 0;
    while (got == 0 && matcher_find(m, text, from, &steps, &hit)) {
        got = buf_add(out, text.at + from, hit.from - from);
        if (got == 0)
            got = buf_add_slice(out, with);
        from = hit.to;
        n++;
    }
    if (got == 0)
        got = buf_add(out, text.at + from, text.len - from);
    if (got < 0 || steps == 0)
        return too_many(L);
    value_push_slice(L, buf_slice(out));
    lua_pushinteger(L, n);
    return 2;
}

static const struct api_call calls[] = {
    {"find", on_find, API_ANYWHERE, API_METHOD,
     "(text: string): string|nil, integer?, integer?",
     "The first of the words in the text: the word as it stands in the list, "
     "and where (first and last byte, as string.find says it). Where two "
     "begin at one place the longer one counts.\n\n"
     "local word = forbidden:find(msg.text)",
     "1"},
    {"all", on_all, API_ANYWHERE, API_METHOD,
     "(text: string): {word: string, from: integer, to: integer}[]|nil, "
     "string?, string?",
     "All of the words in the text, one behind the other. nil, \"too_large\" "
     "for more than 10,000.\n\n"
     "for _, hit in ipairs(topics:all(msg.text)) do conv:tag(hit.word) end",
     "1"},
    {"replace", on_replace, API_ANYWHERE, API_METHOD,
     "(text: string, with?: string): string|nil, integer|string, string?",
     "The text with something else (\"***\") in place of the words, and how "
     "many there were.\n\n"
     "local clean, n = forbidden:replace(msg.text)",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};

const struct api_module matcher_module = {
    .name = "Matcher",
    .doc = "Many words looked for at once, made by text.matcher at the top of "
           "a file. Upper and lower case, full and half width, traditional "
           "and simplified characters are the same to it.",
    .calls = calls,
    .is_object = true};
