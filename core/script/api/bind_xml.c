/* SPDX-License-Identifier: Apache-2.0 */
/* bind_xml.c - xml.decode, xml.parse, xml.encode.
 *
 * Happy path: xml.c makes a tree in scratch memory, which becomes tables; a
 * table becomes text in the order of its names. Failure modes: text that is
 * not well-formed or too much of it is nil, code, detail; a table with what
 * has no XML form is raised.
 */
#include "base/limits.h"
#include "script/api/modules.h"
#include "script/api/options.h"
#include "script/api/secret.h"
#include "script/text/xml.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LISTS 32 /* names that are always lists */

/* --- a tree to the tables adapters like ----------------------------------- */

struct decoding {
    lua_State *L;
    struct slice lists[LISTS];
    int list_count;
};

static void push_element(struct decoding *d, const struct xml_node *n,
                         bool as_table);

static bool is_blank(struct slice s)
{
    return slice_trim(s).len == 0;
}

/* All texts of the element itself, one behind the other; no text: "". */
static void push_text(lua_State *L, const struct xml_node *n)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (const struct xml_node *c = n->first; c; c = c->next)
        if (!c->name.at)
            luaL_addlstring(&b, c->text.at, c->text.len);
    luaL_pushresult(&b);
}

static void push_attrs(lua_State *L, const struct xml_node *n)
{
    lua_newtable(L);
    for (const struct xml_attr *a = n->attrs; a; a = a->next) {
        value_push_slice(L, a->name);
        value_push_slice(L, a->value);
        lua_rawset(L, -3);
    }
}

static bool is_list(const struct decoding *d, struct slice name)
{
    for (int i = 0; i < d->list_count; i++)
        if (slice_eq(d->lists[i], name))
            return true;
    return false;
}

/* Stack: table, lists, value. Sets table[name], as a list if it is there
 * already. Pops the value. */
static void set_child(struct decoding *d, struct slice name)
{
    lua_State *L = d->L;
    int value = lua_gettop(L), lists = value - 1, table = value - 2;
    value_push_slice(L, name);
    lua_pushvalue(L, -1);
    lua_rawget(L, lists);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawget(L, table);
        bool second = !lua_isnil(L, -1);
        if (!second && !is_list(d, name)) {
            lua_pop(L, 1);
            lua_pushvalue(L, value);
            lua_rawset(L, table);
            lua_settop(L, lists);
            return;
        }
        lua_newtable(L); /* stack: ..., name, first or nil, list */
        value_mark_array(L, lua_gettop(L));
        if (second) {
            lua_pushvalue(L, -2);
            lua_rawseti(L, -2, 1);
        }
        lua_remove(L, -2);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, lists);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, table);
    }
    lua_pushvalue(L, value);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    lua_settop(L, lists);
}

static void push_element(struct decoding *d, const struct xml_node *n,
                         bool as_table)
{
    lua_State *L = d->L;
    bool elements = false, text = false;
    luaL_checkstack(L, 12, "nested too deep");
    for (const struct xml_node *c = n->first; c; c = c->next) {
        elements |= c->name.at != NULL;
        text |= !c->name.at && !is_blank(c->text);
    }
    if (!elements && !n->attrs && !as_table) {
        push_text(L, n);
        return;
    }
    lua_newtable(L);
    lua_newtable(L); /* name -> its list, if it is one */
    for (const struct xml_node *c = n->first; c; c = c->next) {
        if (!c->name.at)
            continue;
        push_element(d, c, false);
        set_child(d, c->name);
    }
    lua_pop(L, 1);
    if (n->attrs) {
        push_attrs(L, n);
        lua_setfield(L, -2, "_attr");
    }
    if (text || (!elements && n->first)) {
        push_text(L, n);
        lua_setfield(L, -2, "_text");
    }
}

static int read_or_trouble(lua_State *L, struct xml_node **root)
{
    struct err e = {0};
    struct slice text = bind_slice(L, 1);
    int got = xml_read(bind_arena(L), text, &e, root);
    return got < 0 ? bind_trouble_of(L, got, e.text) : 0;
}

static void read_lists(lua_State *L, struct decoding *d)
{
    if (!option_push(L, 2, "list"))
        return;
    luaL_checktype(L, -1, LUA_TTABLE);
    int n = (int)lua_objlen(L, -1);
    if (n > LISTS)
        bind_raise(L, "xml.decode: list has more than %d names", LISTS);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        struct slice s = bind_slice(L, lua_gettop(L));
        d->lists[d->list_count++] = s;
        lua_pop(L, 1); /* the list keeps it */
    }
    lua_pop(L, 1);
}

static int on_decode(lua_State *L)
{
    struct decoding d = {.L = L};
    struct xml_node *root;
    lua_settop(L, 2);
    struct slice wanted = option_text(L, 2, "root");
    read_lists(L, &d);
    int trouble = read_or_trouble(L, &root);
    if (trouble)
        return trouble;
    if (wanted.len && !slice_eq(wanted, root->name)) {
        lua_pushnil(L);
        lua_pushliteral(L, "bad_request");
        lua_pushfstring(L, "the document is a <%s>, not a <%s>", root->name.at,
                        wanted.at);
        return 3;
    }
    push_element(&d, root, true);
    value_push_slice(L, root->name);
    bind_arena(L); /* the tree may be large */
    return 2;
}

/* --- a tree as it stands --------------------------------------------------- */

static void push_node(lua_State *L, const struct xml_node *n)
{
    int i = 0;
    luaL_checkstack(L, 6, "nested too deep");
    lua_newtable(L);
    value_push_slice(L, n->name);
    lua_setfield(L, -2, "name");
    push_attrs(L, n);
    lua_setfield(L, -2, "attr");
    for (const struct xml_node *c = n->first; c; c = c->next) {
        if (c->name.at)
            push_node(L, c);
        else
            value_push_slice(L, c->text);
        lua_rawseti(L, -2, ++i);
    }
}

static int on_parse(lua_State *L)
{
    struct xml_node *root;
    int trouble = read_or_trouble(L, &root);
    if (trouble)
        return trouble;
    push_node(L, root);
    bind_arena(L);
    return 1;
}

/* --- tables to text -------------------------------------------------------- */

struct encoding {
    lua_State *L;
    struct buf *out;
    struct arena *arena;
    bool cdata;
    int order; /* index of the list of names, 0 = none */
    int nodes;
};
struct key {
    struct slice name;
    int rank; /* place in the order; the rest behind */
};

static void add(struct encoding *c, int got)
{
    if (got < 0)
        bind_raise(c->L, "xml.encode: the text is over 1 MB");
}

static void put(struct encoding *c, const char *text)
{
    add(c, buf_add_text(c->out, text));
}

static void count(struct encoding *c, int depth)
{
    if (++c->nodes > XML_NODES)
        bind_raise(c->L, "xml.encode: more than %d values", XML_NODES);
    if (depth > XML_DEPTH)
        bind_raise(c->L, "xml.encode: nested too deep (or in itself)");
}

/* The scalar on top of the stack. */
static void put_scalar(struct encoding *c, bool attr)
{
    lua_State *L = c->L;
    char number[40];
    lua_Number n;
    struct slice s;
    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        s.at = lua_tolstring(L, -1, &s.len);
        if (!slice_is_utf8(s))
            bind_raise(L, "xml.encode: a text is not UTF-8");
        add(c, xml_add_text(c->out, s, c->cdata && !attr && s.len));
        return;
    case LUA_TNUMBER:
        n = lua_tonumber(L, -1);
        snprintf(number, sizeof number,
                 n == floor(n) && fabs(n) < 1e15 ? "%.0f" : "%.14g", n);
        put(c, number);
        return;
    case LUA_TBOOLEAN:
        put(c, lua_toboolean(L, -1) ? "true" : "false");
        return;
    default:
        if (secret_is(L, lua_gettop(L)))
            bind_raise(L, "xml.encode: a secret cannot be written into a text");
        if (!lua_islightuserdata(L, -1)) /* json.null: nothing */
            bind_raise(L, "xml.encode: a %s has no XML form",
                       luaL_typename(L, -1));
    }
}

static void put_attrs(struct encoding *c, int table)
{
    lua_State *L = c->L;
    lua_pushliteral(L, "_attr");
    lua_rawget(L, table);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    int attrs = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, attrs); lua_pop(L, 1)) {
        struct slice name = {"", 0};
        if (lua_type(L, -2) == LUA_TSTRING)
            name.at = lua_tolstring(L, -2, &name.len);
        if (!xml_is_name(name))
            bind_raise(L, "xml.encode: an attribute has no name that XML "
                          "allows");
        count(c, 0);
        put(c, " ");
        add(c, buf_add_slice(c->out, name));
        put(c, "=\"");
        put_scalar(c, true);
        put(c, "\"");
    }
    lua_pop(L, 1);
}

static int by_rank(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    size_t n = a->name.len < b->name.len ? a->name.len : b->name.len;
    int d = memcmp(a->name.at, b->name.at, n);
    return d ? d : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

static int rank_of(struct encoding *c, struct slice name)
{
    int n = c->order ? (int)lua_objlen(c->L, c->order) : 0, i;
    bool found = false;
    for (i = 1; i <= n && !found; i++) {
        struct slice s = {"", 0};
        lua_rawgeti(c->L, c->order, i);
        if (lua_type(c->L, -1) == LUA_TSTRING)
            s.at = lua_tolstring(c->L, -1, &s.len);
        found = slice_eq(s, name);
        lua_pop(c->L, 1);
    }
    return found ? i - 1 : n + 1;
}

/* The table's names, in the order they are written. */
static struct key *keys_of(struct encoding *c, int table, size_t *count_out)
{
    lua_State *L = c->L;
    size_t n = 0, room = 16;
    struct key *list = arena_many(c->arena, struct key, room);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        struct slice name = {"", 0};
        if (lua_type(L, -2) == LUA_TSTRING)
            name.at = lua_tolstring(L, -2, &name.len);
        if (slice_is(name, "_attr") || slice_is(name, "_text"))
            continue;
        if (!xml_is_name(name))
            bind_raise(L, "xml.encode: a field has no name that XML allows");
        count(c, 0);
        if (n == room) {
            struct key *more = arena_many(c->arena, struct key, room * 2);
            memcpy(more, list, n * sizeof *list);
            list = more;
            room *= 2;
        }
        list[n++] = (struct key){name, rank_of(c, name)};
    }
    qsort(list, n, sizeof *list, by_rank);
    *count_out = n;
    return list;
}

static void put_element(struct encoding *c, struct slice name, int depth);

/* The table on top of the stack, between its tags. */
static void put_fields(struct encoding *c, int depth)
{
    lua_State *L = c->L;
    int table = lua_gettop(L);
    size_t n;
    lua_pushliteral(L, "_text");
    lua_rawget(L, table);
    if (!lua_isnil(L, -1))
        put_scalar(c, false);
    lua_pop(L, 1);
    struct key *keys = keys_of(c, table, &n);
    for (size_t i = 0; i < n; i++) {
        value_push_slice(L, keys[i].name);
        lua_rawget(L, table);
        put_element(c, keys[i].name, depth + 1);
        lua_pop(L, 1);
    }
}

/* The value on top of the stack; a list is the element again and again. */
static void put_element(struct encoding *c, struct slice name, int depth)
{
    lua_State *L = c->L;
    bool table = lua_istable(L, -1);
    luaL_checkstack(L, 8, "nested too deep");
    count(c, depth);
    int n = table ? (int)lua_objlen(L, -1) : 0;
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, i);
        put_element(c, name, depth + 1);
        lua_pop(L, 1);
    }
    if (n > 0 || (table && value_is_array(L, lua_gettop(L))))
        return;
    put(c, "<");
    add(c, buf_add_slice(c->out, name));
    if (table)
        put_attrs(c, lua_gettop(L));
    put(c, ">");
    if (table)
        put_fields(c, depth);
    else
        put_scalar(c, false);
    put(c, "</");
    add(c, buf_add_slice(c->out, name));
    put(c, ">");
}

static int on_encode(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    struct slice root = option_text(L, 2, "root");
    bool declares = option_is(L, 2, "declaration");
    struct encoding c = {.L = L, .cdata = option_is(L, 2, "cdata")};
    if (root.len == 0)
        root = SLICE("xml");
    if (!xml_is_name(root))
        bind_raise(L, "xml.encode: root is no name that XML allows");
    if (option_push(L, 2, "order")) {
        luaL_checktype(L, -1, LUA_TTABLE);
        c.order = lua_gettop(L);
        if (lua_objlen(L, -1) > LISTS)
            bind_raise(L, "xml.encode: order has more than %d names", LISTS);
    }
    if (lua_objlen(L, 1) > 0)
        bind_raise(L, "xml.encode: a document has one root, not a list");
    c.arena = bind_arena(L);
    c.out = bind_buf(L, XML_BYTES);
    if (declares)
        put(&c, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    lua_pushvalue(L, 1);
    put_element(&c, root, 1);
    value_push_slice(L, buf_slice(c.out));
    return 1;
}

static const struct api_call calls[] = {
    {"decode", on_decode, API_ANYWHERE, 0,
     "(text: string, options?: {root?: string, list?: string[]}): table|nil, "
     "string, string?",
     "The document as a table, and its root's name: an element with text only "
     "is a text (also when it is empty), one with elements a table, an element "
     "that comes more than once a list. Attributes are under _attr, the text "
     "beside them or beside elements under _text. `root` must be the root's "
     "name, names in `list` are lists always. GBK and other encodings are "
     "read. nil, \"bad_request\" (not well-formed, a DTD) or \"too_large\" (1 "
     "MB, 32 deep, 20,000 nodes).\n\n"
     "local x = xml.decode(req.body)\n"
     "ctx.deliver { dedupe = x.MsgId, from = x.FromUserName, text = x.Content "
     "}",
     "1"},
    {"parse", on_parse, API_ANYWHERE, 0,
     "(text: string): XmlNode|nil, string?, string?",
     "The document as a tree that keeps the order: { name, attr = {}, ... } "
     "with texts and nodes as 1, 2, 3 ...\n\n"
     "for _, child in ipairs(xml.parse(text)) do ... end",
     "1"},
    {"encode", on_encode, API_ANYWHERE, 0,
     "(value: table, options?: {root?: string, cdata?: boolean, declaration?: "
     "boolean, order?: string[]}): string",
     "A table as a document, the way back from decode: the root is \"xml\" "
     "unless named, the fields come in `order` and then by name; cdata wraps "
     "texts in CDATA, declaration puts <?xml ...?> in front. Characters that "
     "XML cannot hold are left out. json.null is an empty element.\n\n"
     "return 200, xml.encode({ ToUserName = user, MsgType = \"text\", Content "
     "= \"收到\" }, { cdata = true })",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};

const struct api_module xml_module = {
    .name = "xml",
    .doc = "XML to tables and back. No DTD, no entities but the five of XML, "
           "no network; a name is what stands there, prefix and all.",
    .calls = calls};

static const struct api_call node_fields[] = {
    {"name", NULL, API_ANYWHERE, API_FIELD, "string", "The element's name.",
     "1"},
    {"attr", NULL, API_ANYWHERE, API_FIELD, "table<string, string>",
     "Its attributes.", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module xml_node_module = {
    .name = "XmlNode",
    .doc = "An element of xml.parse; its children are 1, 2, 3 ...: texts and "
           "nodes.",
    .calls = node_fields,
    .is_object = true};
