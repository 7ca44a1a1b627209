/* SPDX-License-Identifier: Apache-2.0 */
/* bind_mime.c - mime.parse and mime.build: mails as tables.
 *
 * Happy path: mime_read.c makes a tree in scratch memory, which becomes
 * tables; a table becomes a tree and mime_write.c's bytes. Failure modes: what
 * is no mail, an address that is none, too much: nil, code, detail; a table of
 * wrong types is raised.
 */
#include "base/clock.h"
#include "script/api/modules.h"
#include "script/api/options.h"
#include "script/text/mime.h"
#include <stdio.h>

/* --- a mail to tables ----------------------------------------------------- */

static void set_text(lua_State *L, const char *name, struct slice s)
{
    value_push_slice(L, s);
    lua_setfield(L, -2, name);
}

static void set_some(lua_State *L, const char *name, struct slice s)
{
    if (s.len)
        set_text(L, name, s);
}

/* A name that comes again makes a list. */
static void set_header(lua_State *L, struct slice name, struct slice value)
{
    value_push_slice(L, name);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        value_push_slice(L, name);
        value_push_slice(L, value);
        lua_rawset(L, -3);
        return;
    }
    if (!lua_istable(L, -1)) { /* headers, first */
        lua_newtable(L);
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
        value_push_slice(L, name);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    value_push_slice(L, value);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    lua_pop(L, 1);
}

static void set_headers(lua_State *L, const struct mime_mail *m,
                        struct arena *a)
{
    lua_newtable(L);
    for (const struct mime_field *f = m->fields; f; f = f->next)
        set_header(L, f->name, mime_text(a, f->raw));
    lua_setfield(L, -2, "headers");
}

static void push_address(lua_State *L, const struct mime_address *m)
{
    lua_createtable(L, 0, 2);
    set_text(L, "address", m->address);
    set_some(L, "name", m->name);
}

static void set_addresses(lua_State *L, const char *name,
                          const struct mime_address *list)
{
    int n = 0;
    lua_newtable(L);
    value_mark_array(L, lua_gettop(L));
    for (; list; list = list->next) {
        push_address(L, list);
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, name);
}

static void set_ids(lua_State *L, const char *name, const struct mime_id *list)
{
    int n = 0;
    lua_newtable(L);
    value_mark_array(L, lua_gettop(L));
    for (; list; list = list->next) {
        value_push_slice(L, list->id);
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, name);
}

static void push_part(lua_State *L, const struct mime_part *p, bool whole)
{
    lua_createtable(L, 0, 6);
    set_text(L, "type", p->type);
    set_some(L, "name", p->name);
    set_some(L, "cid", p->cid);
    set_some(L, "charset", p->charset);
    lua_pushboolean(L, p->is_inline);
    lua_setfield(L, -2, "inline");
    if (whole)
        set_text(L, "bytes", p->bytes);
    lua_pushinteger(L, (lua_Integer)p->bytes.len);
    lua_setfield(L, -2, "size");
}

/* attachments: all but the bodies, with their bytes; parts: all, without. */
static void set_parts(lua_State *L, const char *name, const struct mime_part *p,
                      bool whole)
{
    int n = 0;
    lua_newtable(L);
    value_mark_array(L, lua_gettop(L));
    for (; p; p = p->next) {
        if (whole && p->is_body)
            continue;
        push_part(L, p, whole);
        lua_rawseti(L, -2, ++n);
    }
    lua_setfield(L, -2, name);
}

static int on_parse(lua_State *L)
{
    struct mime_mail m;
    struct err e = {0};
    struct slice bytes = bind_slice(L, 1);
    struct arena *a = bind_arena(L);
    int got = mime_read(a, bytes, &e, &m);
    if (got < 0)
        return bind_trouble_of(L, got, e.text);
    lua_createtable(L, 0, 16);
    set_headers(L, &m, a);
    set_text(L, "subject", m.subject);
    if (m.from) {
        push_address(L, m.from);
        lua_setfield(L, -2, "from");
    }
    set_addresses(L, "to", m.to);
    set_addresses(L, "cc", m.cc);
    set_addresses(L, "reply_to", m.reply_to);
    if (m.has_date) {
        lua_pushnumber(L, (lua_Number)m.date_at);
        lua_setfield(L, -2, "date_at");
    }
    set_some(L, "message_id", m.message_id);
    if (m.in_reply_to)
        set_text(L, "in_reply_to", m.in_reply_to->id);
    set_ids(L, "references", m.references);
    if (m.text.at)
        set_text(L, "text", m.text);
    if (m.html.at)
        set_text(L, "html", m.html);
    set_parts(L, "attachments", m.parts, true);
    set_parts(L, "parts", m.parts, false);
    bind_arena(L); /* it may be large */
    return 1;
}

/* --- tables to a mail ----------------------------------------------------- */

/* The field of the table on top of the stack; the table keeps the text. */
static struct slice text_of(lua_State *L, const char *name)
{
    return option_text(L, lua_gettop(L), name);
}

/* The address on top of the stack: a text or { address =, name = }. */
static struct mime_address *read_address(lua_State *L, struct arena *a,
                                         const char *what)
{
    struct mime_address *m = arena_one(a, struct mime_address);
    m->name = SLICE("");
    if (lua_type(L, -1) == LUA_TSTRING) {
        m->address.at = lua_tolstring(L, -1, &m->address.len);
        return m;
    }
    if (!lua_istable(L, -1))
        bind_raise(L,
                   "mime.build: %s must be a text, { address = ..., name = "
                   "... } or a list of these",
                   what);
    m->address = text_of(L, "address");
    m->name = text_of(L, "name");
    return m;
}

static struct mime_address *read_addresses(lua_State *L, struct arena *a,
                                           const char *name)
{
    struct mime_address *first = NULL, **last = &first;
    if (!option_push(L, 1, name))
        return NULL;
    size_t n = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
    if (n > MIME_ADDRESSES)
        bind_raise(L, "mime.build: more than %d addresses", MIME_ADDRESSES);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, (int)i);
        *last = read_address(L, a, name);
        last = &(*last)->next;
        lua_pop(L, 1);
    }
    if (n == 0 && !(lua_istable(L, -1) && value_is_array(L, lua_gettop(L))))
        first = read_address(L, a, name);
    lua_pop(L, 1);
    return first;
}

static struct mime_id *read_ids(lua_State *L, struct arena *a, const char *name)
{
    struct mime_id *first = NULL, **last = &first;
    if (!option_push(L, 1, name))
        return NULL;
    if (lua_type(L, -1) == LUA_TSTRING) {
        first = arena_one(a, struct mime_id);
        first->id.at = lua_tolstring(L, -1, &first->id.len);
    } else {
        luaL_checktype(L, -1, LUA_TTABLE);
        size_t n = lua_objlen(L, -1);
        for (size_t i = 1; i <= n && i <= 100; i++) {
            lua_rawgeti(L, -1, (int)i);
            *last = arena_one(a, struct mime_id);
            (*last)->id = bind_slice(L, lua_gettop(L));
            last = &(*last)->next;
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
    return first;
}

static struct mime_field *read_headers(lua_State *L, struct arena *a)
{
    struct mime_field *first = NULL;
    int n = 0;
    if (!option_push(L, 1, "headers"))
        return NULL;
    luaL_checktype(L, -1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        struct mime_field *f = arena_one(a, struct mime_field), **to = &first;
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            bind_raise(L, "mime.build: headers are names and texts");
        if (++n > MIME_FIELDS)
            bind_raise(L, "mime.build: more than %d headers", MIME_FIELDS);
        f->name.at = lua_tolstring(L, -2, &f->name.len);
        f->raw.at = lua_tolstring(L, -1, &f->raw.len);
        while (*to && strcmp((*to)->name.at, f->name.at) < 0)
            to = &(*to)->next;
        f->next = *to;
        *to = f;
    }
    lua_pop(L, 1);
    return first;
}

static struct mime_part *read_parts(lua_State *L, struct arena *a)
{
    struct mime_part *first = NULL, **last = &first;
    if (!option_push(L, 1, "attachments"))
        return NULL;
    luaL_checktype(L, -1, LUA_TTABLE);
    size_t n = lua_objlen(L, -1);
    if (n > MIME_PARTS)
        bind_raise(L, "mime.build: more than %d attachments", MIME_PARTS);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, (int)i);
        luaL_checktype(L, -1, LUA_TTABLE);
        struct mime_part *p = arena_one(a, struct mime_part);
        p->type = text_of(L, "type");
        p->name = text_of(L, "name");
        p->cid = text_of(L, "cid");
        p->bytes = text_of(L, "bytes");
        p->is_inline = option_is(L, lua_gettop(L), "inline");
        *last = p;
        last = &p->next;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return first;
}

/* 32 random digits at the sender's domain. */
static struct slice new_id(struct arena *a, const struct mime_address *from)
{
    unsigned char random[16];
    char text[300], *p = text;
    const char *at = memrchr(from->address.at, '@', from->address.len);
    struct slice domain = SLICE("localhost");
    if (at)
        domain = (struct slice){
            at + 1, from->address.len - (size_t)(at + 1 - from->address.at)};
    random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        p += snprintf(p, 3, "%02x", random[i]);
    if (domain.len > 250)
        domain.len = 250;
    p += snprintf(p, 260, "@%.*s", SLICE_FMT(domain));
    return slice_dup(a, (struct slice){text, (size_t)(p - text)});
}

/* A text that may be empty: at NULL only if it is not there. */
static struct slice body_of(lua_State *L, const char *name)
{
    if (!option_push(L, 1, name))
        return (struct slice){NULL, 0};
    lua_pop(L, 1);
    return option_text(L, 1, name);
}

static int on_build(lua_State *L)
{
    struct mime_mail m = {.fields = NULL};
    struct err e = {0};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct arena *a = bind_arena(L);
    m.from = read_addresses(L, a, "from");
    m.to = read_addresses(L, a, "to");
    m.cc = read_addresses(L, a, "cc");
    m.reply_to = read_addresses(L, a, "reply_to");
    m.subject = option_text(L, 1, "subject");
    m.message_id = option_text(L, 1, "message_id");
    m.in_reply_to = read_ids(L, a, "in_reply_to");
    m.references = read_ids(L, a, "references");
    m.fields = read_headers(L, a);
    m.text = body_of(L, "text");
    m.html = body_of(L, "html");
    m.parts = read_parts(L, a);
    if (option_push(L, 1, "date_at")) {
        lua_Number at = luaL_checknumber(L, -1);
        if (!(at >= 0 && at < 253402300800000.0))
            bind_raise(L, "mime.build: date_at must be a time in ms");
        m.has_date = true;
        m.date_at = (int64_t)at;
        lua_pop(L, 1);
    }
    if (!m.from)
        bind_raise(L, "mime.build: from is missing");
    if (m.message_id.len == 0)
        m.message_id = new_id(a, m.from);
    struct buf *out = bind_buf(L, MIME_OUT_BYTES);
    int got = mime_write(&m, out, &e);
    if (got < 0)
        return bind_trouble_of(L, got, e.text);
    value_push_slice(L, buf_slice(out));
    value_push_slice(L, m.message_id);
    bind_buf(L, 1); /* it may be large */
    return 2;
}

static const struct api_call calls[] = {
    {"parse", on_parse, API_ANYWHERE, 0,
     "(bytes: string): Mail|nil, string?, string?",
     "A mail as a table: its head decoded, the text and the HTML as UTF-8 with "
     "\"\\n\" at the ends of lines, everything else as attachments. Broken "
     "charsets, encoded words in wrong places and missing ends are read as "
     "well as can be. At most 4 MB, 200 parts, else nil, \"too_large\"; nil, "
     "\"bad_request\" for what has no head.\n\n"
     "local mail = assert(mime.parse(bytes))\n"
     "ctx.deliver { dedupe = mail.message_id, from = mail.from.address, text = "
     "mail.text }",
     "1"},
    {"build", on_build, API_ANYWHERE, API_VARIES,
     "(mail: MailDraft): string|nil, string, string?",
     "The bytes of a mail (CRLF, ASCII) and its message id: { from, to, cc, "
     "reply_to, subject, text, html, attachments, in_reply_to, references, "
     "message_id, date_at, headers }. An address is a text or { address, name "
     "}. nil, \"bad_request\" for an address that is none or a line break in a "
     "head.\n\n"
     "local bytes, id = mime.build { from = \"shop@example.com\", to = "
     "mail.from, subject = \"Re: \" .. mail.subject, text = text, in_reply_to "
     "= mail.message_id }",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};

const struct api_module mime_module = {
    .name = "mime",
    .doc = "Mails: from bytes to tables and back.",
    .calls = calls};

#define FIELD(name, type, doc)                                                 \
    {                                                                          \
        name, NULL, API_ANYWHERE, API_FIELD, type, doc, "1"                    \
    }
static const struct api_call mail_fields[] = {
    FIELD("headers", "table<string, string|string[]>",
          "All of the head: names in lower case, values decoded; a name that "
          "comes more than once has a list."),
    FIELD("subject", "string", "Decoded; \"\" if there is none."),
    FIELD("from", "MailAddress?", "The first sender."),
    FIELD("to", "MailAddress[]", "May be empty."),
    FIELD("cc", "MailAddress[]", "May be empty."),
    FIELD("reply_to", "MailAddress[]", "May be empty."),
    FIELD("date_at", "integer?", "Ms since 1970."),
    FIELD("message_id", "string?", "Without < and >."),
    FIELD("in_reply_to", "string?", "Without < and >."),
    FIELD("references", "string[]", "Ids, the oldest first."),
    FIELD("text", "string?", "The plain text."),
    FIELD("html", "string?", "The HTML as it came: not safe to show."),
    FIELD("attachments", "MailPart[]", "All but text and html, with bytes."),
    FIELD("parts", "MailPart[]", "All, without bytes."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module mail_module = {.name = "Mail",
                                       .doc = "What mime.parse gives.",
                                       .calls = mail_fields,
                                       .is_object = true};

static const struct api_call draft_fields[] = {
    FIELD("from", "string|MailAddress", "The sender."),
    FIELD("to", "string|MailAddress|MailAddress[]|string[]|nil", "To whom."),
    FIELD("cc", "string|MailAddress|MailAddress[]|string[]|nil",
          "Who gets a copy; as `to`."),
    FIELD("reply_to", "string|MailAddress|MailAddress[]|string[]|nil",
          "Where answers shall go; as `to`."),
    FIELD("subject", "string?", "In UTF-8; encoded as the head needs it."),
    FIELD("text", "string?", "UTF-8."),
    FIELD("html", "string?", "UTF-8."),
    FIELD("attachments", "MailPart[]?",
          "{ name, type, bytes, cid, inline }; inline ones belong to html."),
    FIELD("in_reply_to", "string?", "The id it answers."),
    FIELD("references", "string[]?", "The ids before."),
    FIELD("message_id", "string?", "Made if it is missing."),
    FIELD("date_at", "integer?", "Ms; now if it is missing."),
    FIELD("headers", "table<string, string>?", "Further ones."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module mail_draft_module = {.name = "MailDraft",
                                             .doc = "What mime.build takes.",
                                             .calls = draft_fields,
                                             .is_object = true};

static const struct api_call address_fields[] = {
    FIELD("address", "string", "anna@example.com"),
    FIELD("name", "string?", "Decoded."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module mail_address_module = {.name = "MailAddress",
                                               .doc = "Somebody in a mail.",
                                               .calls = address_fields,
                                               .is_object = true};

static const struct api_call part_fields[] = {
    FIELD("type", "string", "\"image/png\", lower case."),
    FIELD("name", "string?", "Safe as a file's name."),
    FIELD("bytes", "string?", "Decoded; in attachments."),
    FIELD("size", "integer?", "How many bytes."),
    FIELD("inline", "boolean?", "Shown inside of the HTML."),
    FIELD("cid", "string?", "What HTML calls it by (cid:...)."),
    FIELD("charset", "string?", "As it is written."),
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module mail_part_module = {.name = "MailPart",
                                            .doc = "A part of a mail.",
                                            .calls = part_fields,
                                            .is_object = true};
