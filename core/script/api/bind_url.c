/* SPDX-License-Identifier: Apache-2.0 */
/* bind_url.c - url.*: addresses and forms.
 *
 * Happy path: url.c over slices of the script's own text. Failure modes: what
 * is no address is nil, "bad_request"; a table with what cannot stand in an
 * address is raised.
 */
#include "base/limits.h"
#include "script/api/modules.h"
#include "script/api/options.h"
#include "script/api/secret.h"
#include "script/text/url.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FIELDS 1000 /* of a form */

static int bad(lua_State *L, const char *detail)
{
    return bind_trouble(L, "bad_request", detail);
}

/* --- addresses ------------------------------------------------------------ */

static void set(lua_State *L, const char *name, struct slice s)
{
    if (!s.at)
        return;
    value_push_slice(L, s);
    lua_setfield(L, -2, name);
}

static void set_lower(lua_State *L, const char *name, struct slice s)
{
    struct slice low = s;
    if (!s.at)
        return;
    low = slice_dup(bind_arena(L), s);
    for (char *p = (char *)(uintptr_t)low.at; p < low.at + low.len; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p += 32;
    set(L, name, low);
}

static void set_decoded(lua_State *L, const char *name, struct slice s)
{
    struct buf *out = bind_buf(L, URL_BYTES);
    if (!s.at)
        return;
    must(url_decode(s, false, out) == 0);
    set(L, name, out->len ? buf_slice(out) : SLICE(""));
}

static int on_parse(lua_State *L)
{
    struct url u;
    if (!url_read(bind_slice(L, 1), &u))
        return bad(L, "this is not an address");
    lua_createtable(L, 0, 8);
    set_lower(L, "scheme", u.scheme);
    set_lower(L, "host", u.host);
    set_decoded(L, "user", u.user);
    set_decoded(L, "password", u.password);
    set(L, "path", u.path);
    set(L, "query", u.query);
    set(L, "fragment", u.fragment);
    if (u.port >= 0) {
        lua_pushinteger(L, u.port);
        lua_setfield(L, -2, "port");
    }
    return 1;
}

/* A part of the table at 1 as it may stand in an address: what `keeps` does
 * not allow is encoded. In the arena; at NULL: the part is not there. */
static struct slice part(lua_State *L, struct arena *a, const char *name,
                         const char *keeps)
{
    struct slice s = {NULL, 0};
    struct buf out;
    if (!option_push(L, 1, name))
        return s;
    if (!lua_isstring(L, -1))
        bind_raise(L, "url.build: %s must be a text", name);
    s.at = lua_tolstring(L, -1, &s.len);
    if (s.len > URL_BYTES)
        bind_raise(L, "url.build: %s is too long", name);
    buf_init(&out, 3 * URL_BYTES);
    for (size_t i = 0; i < s.len; i++) {
        struct slice c = {s.at + i, 1};
        must((*c.at && strchr(keeps, *c.at) ? buf_add_slice(&out, c)
                                            : url_encode(c, false, &out)) == 0);
    }
    s = slice_dup(a, out.len ? buf_slice(&out) : SLICE(""));
    buf_fini(&out);
    lua_pop(L, 1);
    return s;
}

static int read_port(lua_State *L)
{
    if (!option_push(L, 1, "port"))
        return -1;
    lua_Number n = lua_tonumber(L, -1);
    if (!(n >= 0 && n <= 65535) || n != floor(n) || !lua_isnumber(L, -1))
        bind_raise(L, "url.build: port must be 0 to 65535");
    lua_pop(L, 1);
    return (int)n;
}

static void add_form(lua_State *L, int idx, struct buf *out, const char *what);

/* A text as it is, or a table as a form. */
static struct slice read_query(lua_State *L, struct arena *a)
{
    if (!option_push(L, 1, "query"))
        return (struct slice){NULL, 0};
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return part(L, a, "query", "!$&'()*+,;=:@/?%[]|");
    }
    struct buf *out = bind_buf(L, URL_BYTES);
    add_form(L, lua_gettop(L), out, "url.build");
    lua_pop(L, 1);
    return slice_dup(a, out->len ? buf_slice(out) : SLICE(""));
}

static int on_build(lua_State *L)
{
    struct url u = {0}, back;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct arena *a = bind_arena(L);
    u.scheme = part(L, a, "scheme", "+");
    u.user = part(L, a, "user", "");
    u.password = part(L, a, "password", "");
    u.host = part(L, a, "host", "[:]");
    u.port = read_port(L);
    u.path = part(L, a, "path", "/!$&'()*+,;=:@%");
    u.query = read_query(L, a);
    u.fragment = part(L, a, "fragment", "!$&'()*+,;=:@/?%");
    if (u.host.at && u.path.len && u.path.at[0] != '/')
        bind_raise(L, "url.build: a path behind a host begins with /");
    struct buf *out = bind_buf(L, URL_BYTES);
    if (url_write(&u, out) < 0 || !url_read(buf_slice(out), &back) ||
        !slice_eq(u.scheme, back.scheme) || !slice_eq(u.host, back.host) ||
        !slice_eq(u.path, back.path))
        bind_raise(L, "url.build: these parts make no address");
    value_push_slice(L, buf_slice(out));
    return 1;
}

static int on_join(lua_State *L)
{
    struct slice base = bind_slice(L, 1), ref = bind_slice(L, 2);
    struct buf *out = bind_buf(L, URL_BYTES);
    if (url_join(base, ref, out) < 0)
        return bad(L, "this is no address, or the first one is not absolute");
    value_push_slice(L, buf_slice(out));
    return 1;
}

/* --- percent -------------------------------------------------------------- */

static struct slice text_at(lua_State *L, const char *what)
{
    struct slice s;
    if (secret_is(L, 1))
        bind_raise(L,
                   "%s: a secret cannot be written into a text; give it to "
                   "http (query, headers)",
                   what);
    s = bind_slice(L, 1);
    if (s.len > LIMIT_BODY_BYTES)
        bind_raise(L, "%s: the text is over 1 MB", what);
    return s;
}

static int on_encode(lua_State *L)
{
    struct slice s = text_at(L, "url.encode");
    struct buf *out = bind_buf(L, 3 * LIMIT_BODY_BYTES);
    must(url_encode(s, false, out) == 0);
    value_push_slice(L, buf_slice(out));
    return 1;
}

static int on_decode(lua_State *L)
{
    struct slice s = text_at(L, "url.decode");
    struct buf *out = bind_buf(L, LIMIT_BODY_BYTES);
    must(url_decode(s, false, out) == 0);
    value_push_slice(L, buf_slice(out));
    return 1;
}

/* --- forms ---------------------------------------------------------------- */

/* The scalar on top of the stack, encoded. */
static void add_scalar(lua_State *L, struct buf *out, const char *what)
{
    char number[40];
    lua_Number n;
    struct slice s = {number, 0};
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        s.at = lua_tolstring(L, -1, &s.len);
        break;
    case LUA_TNUMBER:
        n = lua_tonumber(L, -1);
        s.len = (size_t)snprintf(
            number, sizeof number,
            n == floor(n) && fabs(n) < 1e15 ? "%.0f" : "%.14g", n);
        break;
    case LUA_TBOOLEAN:
        s = slice_of(lua_toboolean(L, -1) ? "true" : "false");
        break;
    default:
        if (secret_is(L, lua_gettop(L)))
            bind_raise(L,
                       "%s: a secret cannot be written into a text; give it "
                       "to http (query, headers)",
                       what);
        bind_raise(L,
                   "%s: a value must be a text, a number, a boolean or a "
                   "list of them, not %s",
                   what, luaL_typename(L, -1));
    }
    if (s.len > LIMIT_BODY_BYTES || url_encode(s, true, out) < 0)
        bind_raise(L, "%s: the text is too long", what);
}

static void add_pair(lua_State *L, struct slice name, struct buf *out,
                     const char *what)
{
    if ((out->len && buf_add_char(out, '&') < 0) ||
        url_encode(name, true, out) < 0 || buf_add_char(out, '=') < 0)
        bind_raise(L, "%s: the text is too long", what);
    add_scalar(L, out, what);
}

static int by_bytes(const void *pa, const void *pb)
{
    const struct slice *a = pa, *b = pb;
    size_t n = a->len < b->len ? a->len : b->len;
    int c = n ? memcmp(a->at, b->at, n) : 0;
    return c ? c : (a->len > b->len) - (a->len < b->len);
}

/* The table at idx by name, so that the same table gives the same text. */
static void add_form(lua_State *L, int idx, struct buf *out, const char *what)
{
    struct slice names[FIELDS];
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, idx); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            bind_raise(L, "%s: the fields must have names", what);
        if (n == FIELDS)
            bind_raise(L, "%s: more than %d fields", what, FIELDS);
        names[n].at = lua_tolstring(L, -2, &names[n].len);
        n++;
    }
    qsort(names, n, sizeof names[0], by_bytes);
    for (size_t i = 0; i < n; i++) {
        value_push_slice(L, names[i]);
        lua_rawget(L, idx);
        size_t many = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
        for (size_t k = 1; k <= many; k++) {
            lua_rawgeti(L, -1, (int)k);
            add_pair(L, names[i], out, what);
            lua_pop(L, 1);
        }
        if (!lua_istable(L, -1))
            add_pair(L, names[i], out, what);
        lua_pop(L, 1);
    }
}

static int on_query_encode(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct buf *out = bind_buf(L, LIMIT_BODY_BYTES);
    add_form(L, 1, out, "url.query_encode");
    value_push_slice(L, buf_slice(out));
    return 1;
}

static void push_decoded(lua_State *L, struct slice s)
{
    struct buf *out = bind_buf(L, LIMIT_BODY_BYTES);
    must(url_decode(s, true, out) == 0);
    value_push_slice(L, buf_slice(out));
}

/* Stack: table, name, value. Pops the last two. */
static void set_field(lua_State *L)
{
    lua_pushvalue(L, -2);
    lua_rawget(L, -4);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_rawset(L, -3);
        return;
    }
    if (!lua_istable(L, -1)) { /* table, name, value, first */
        lua_newtable(L);
        value_mark_array(L, lua_gettop(L));
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -2);
        lua_rawset(L, -6);
    }
    lua_insert(L, -2); /* table, name, list, value */
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    lua_pop(L, 2);
}

static int on_query_decode(lua_State *L)
{
    struct slice s = text_at(L, "url.query_decode");
    int n = 0;
    if (s.len && s.at[0] == '?')
        s = (struct slice){s.at + 1, s.len - 1};
    lua_newtable(L);
    while (s.len) {
        const char *end = memchr(s.at, '&', s.len);
        size_t len = end ? (size_t)(end - s.at) : s.len;
        const char *eq = memchr(s.at, '=', len);
        size_t name = eq ? (size_t)(eq - s.at) : len;
        if (len && ++n > FIELDS)
            return bind_trouble(L, "too_large", "more than 1000 fields");
        if (len) {
            push_decoded(L, (struct slice){s.at, name});
            push_decoded(L, (struct slice){s.at + name + (eq != NULL),
                                           len - name - (eq != NULL)});
            set_field(L);
        }
        len += end != NULL;
        s = (struct slice){s.at + len, s.len - len};
    }
    return 1;
}

#define ANY(name, fn, signature, doc)                                          \
    {                                                                          \
        name, fn, API_ANYWHERE, 0, signature, doc, "1"                         \
    }
static const struct api_call calls[] = {
    ANY("parse", on_parse, "(text: string): Url|nil, string?, string?",
        "The parts of an address: scheme and host in lower case, user and "
        "password decoded, path, query and fragment as they stand, port if "
        "there is one. A relative address has fewer. nil, \"bad_request\".\n\n"
        "local host = assert(url.parse(msg.text)).host"),
    ANY("build", on_build, "(parts: table): string",
        "An address of parts, the way back from parse; what may not stand in a "
        "part is encoded. `query` is a text or a table (see query_encode).\n\n"
        "url.build { scheme = \"https\", host = \"shop.example\", path = "
        "\"/orders\", query = { id = 7 } }"),
    ANY("join", on_join,
        "(base: string, ref: string): string|nil, string?, string?",
        "The address that `ref` means on the page `base` (RFC 3986). nil, "
        "\"bad_request\".\n\n"
        "url.join(\"https://shop.example/a/b\", \"../c\") -- "
        "\"https://shop.example/c\""),
    ANY("encode", on_encode, "(text: string): string",
        "The text as a part of an address: everything but letters, digits and "
        "- . _ ~ as %XX.\n\nlocal address = \"https://shop.example/search/\" "
        ".. "
        "url.encode(word)"),
    ANY("decode", on_decode, "(text: string): string",
        "%XX as bytes again; \"+\" stays.\n\nlocal word = "
        "url.decode(\"%E9%80%80\")"),
    ANY("query_encode", on_query_encode, "(fields: table): string",
        "A form (a=1&b=2): in the order of the names, a list repeats its name, "
        "a blank is \"+\".\n\n"
        "url.query_encode { q = \"退款 单\", page = 2, tag = { \"a\", \"b\" } "
        "}"),
    ANY("query_decode", on_query_decode,
        "(text: string): table|nil, string?, string?",
        "The fields of a form; a name that comes more than once is a list, so "
        "check the type of what strangers send. At most 1,000 fields, else "
        "nil, \"too_large\".\n\nlocal id = url.query_decode(\"id=7&x=\").id"),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};

const struct api_module url_module = {
    .name = "url", .doc = "Addresses and forms.", .calls = calls};

#define FIELD(name, type, doc)                                                 \
    {                                                                          \
        name, NULL, API_ANYWHERE, API_FIELD, type, doc, "1"                    \
    }
static const struct api_call fields[] = {
    FIELD("scheme", "string?", "\"https\""),
    FIELD("host", "string?", "Lower case."),
    FIELD("port", "integer?", "If one is written."),
    FIELD("user", "string?", "Decoded."),
    FIELD("password", "string?", "Decoded."),
    FIELD("path", "string", "As it stands; may be empty."),
    FIELD("query", "string?", "Without the question mark, as it stands."),
    FIELD("fragment", "string?", "Without the #, as it stands."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module url_parts_module = {.name = "Url",
                                            .doc = "What url.parse gives.",
                                            .calls = fields,
                                            .is_object = true};
