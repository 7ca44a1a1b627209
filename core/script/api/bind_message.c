/* SPDX-License-Identifier: Apache-2.0 */
/* bind_message.c - message.card{}, message.image{} ...: tables of the right
 * shape for conv:reply.
 *
 * Why: a body with a misspelt field would reach the visitor as an empty bubble;
 * here it raises in the line that wrote it. Happy path: the author's table,
 * checked, in a new one with its kind. Failure modes: an unknown field, a
 * missing one, one of the wrong type or too long: raised.
 */
#include "base/limits.h"
#include "script/api/bind.h"
#include "script/api/modules.h"
#include <string.h>

#define BUTTONS_MOST 10
#define VALUE_BYTES 1000

enum type { TYPE_TEXT, TYPE_NUMBER, TYPE_BUTTONS };
struct shape_field {
    const char *name;
    enum type type;
    bool needed;
    double most; /* bytes; for numbers -most..most */
};
struct shape {
    const char *name;
    struct shape_field fields[6];
};

static const struct shape file_fields = {
    "", /* of image, file, audio, video */
    {{"file", TYPE_TEXT, true, 64},
     {"name", TYPE_TEXT, false, LIMIT_NAME_BYTES},
     {"text", TYPE_TEXT, false, LIMIT_TEXT_BYTES}}};
static const struct shape location = {
    "location",
    {{"lat", TYPE_NUMBER, true, 90},
     {"lng", TYPE_NUMBER, true, 180},
     {"label", TYPE_TEXT, false, LIMIT_NAME_BYTES},
     {"address", TYPE_TEXT, false, 2 * LIMIT_NAME_BYTES}}};
static const struct shape card = {
    "card",
    {{"title", TYPE_TEXT, true, LIMIT_NAME_BYTES},
     {"text", TYPE_TEXT, false, LIMIT_TEXT_BYTES},
     {"image", TYPE_TEXT, false, LIMIT_URL_BYTES},
     {"url", TYPE_TEXT, false, LIMIT_URL_BYTES},
     {"buttons", TYPE_BUTTONS, false, BUTTONS_MOST}}};
static const struct shape button = {
    "a button",
    {{"label", TYPE_TEXT, true, LIMIT_NAME_BYTES},
     {"value", TYPE_TEXT, false, VALUE_BYTES},
     {"url", TYPE_TEXT, false, LIMIT_URL_BYTES}}};

static const struct shape_field *field_of(const struct shape *s,
                                          const char *name)
{
    for (int i = 0; i < 6 && s->fields[i].name; i++)
        if (strcmp(s->fields[i].name, name) == 0)
            return &s->fields[i];
    return NULL;
}

static void check_buttons(lua_State *L, const char *what);

/* One field's value is on top of the stack. */
static void check_value(lua_State *L, const char *what,
                        const struct shape_field *f)
{
    if (f->type == TYPE_BUTTONS) {
        check_buttons(L, what);
    } else if (f->type == TYPE_NUMBER) {
        double n = lua_tonumber(L, -1);
        if (lua_type(L, -1) != LUA_TNUMBER || !(n >= -f->most && n <= f->most))
            bind_raise(L, "%s: %s must be a number from -%d to %d", what,
                       f->name, (int)f->most, (int)f->most);
    } else {
        if (lua_type(L, -1) != LUA_TSTRING)
            bind_raise(L, "%s: %s must be a text", what, f->name);
        struct slice s = bind_slice(L, -1);
        if (s.len == 0 || (double)s.len > f->most)
            bind_raise(L, "%s: %s must have 1 to %d bytes", what, f->name,
                       (int)f->most);
        if (!slice_is_utf8(s))
            bind_raise(L, "%s: %s must be UTF-8 text", what, f->name);
    }
}

/* The table on top of the stack has the shape, or it raises. */
static void check_shape(lua_State *L, const char *what, const struct shape *s)
{
    luaL_checkstack(L, 6, "nested too deep");
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        const char *name =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        const struct shape_field *f = field_of(s, name);
        if (!f)
            bind_raise(L, "%s: unknown field '%s'", what, name);
        check_value(L, what, f);
    }
    for (int i = 0; i < 6 && s->fields[i].name; i++) {
        lua_pushstring(L, s->fields[i].name);
        lua_rawget(L, -2);
        if (s->fields[i].needed && lua_isnil(L, -1))
            bind_raise(L, "%s: %s is missing", what, s->fields[i].name);
        lua_pop(L, 1);
    }
}

static void check_buttons(lua_State *L, const char *what)
{
    size_t n = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
    if (n < 1 || n > BUTTONS_MOST)
        bind_raise(L, "%s: buttons must be a list of 1 to %d", what,
                   BUTTONS_MOST);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, -1, (int)i);
        if (!lua_istable(L, -1))
            bind_raise(L, "%s: a button is a table { label =, value = }", what);
        check_shape(L, "message.card: a button", &button);
        lua_getfield(L, -1, "value");
        lua_getfield(L, -2, "url");
        if (lua_isnil(L, -1) == lua_isnil(L, -2))
            bind_raise(L, "%s: a button has a value or a url", what);
        lua_pop(L, 3);
    }
}

static void copy_table(lua_State *L, int from)
{
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
}

/* The argument as a body of that kind; what: "message.image". */
static int make(lua_State *L, const char *what, const char *kind,
                const struct shape *s)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    check_shape(L, what, s);
    copy_table(L, 1);
    if (s == &card) { /* a card is an object of its own in the body */
        lua_newtable(L);
        lua_insert(L, -2);
        lua_setfield(L, -2, "card");
    }
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "kind");
    return 1;
}

static int message_image(lua_State *L)
{
    return make(L, "message.image", "image", &file_fields);
}

static int message_file(lua_State *L)
{
    return make(L, "message.file", "file", &file_fields);
}

static int message_audio(lua_State *L)
{
    return make(L, "message.audio", "audio", &file_fields);
}

static int message_video(lua_State *L)
{
    return make(L, "message.video", "video", &file_fields);
}

static int message_location(lua_State *L)
{
    return make(L, "message.location", "location", &location);
}

static int message_card(lua_State *L)
{
    return make(L, "message.card", "card", &card);
}

#define FILE_SIGNATURE                                                         \
    "(of: { file: string, name?: string, text?: string }): Body"
static const struct api_call calls[] = {
    {"card", message_card, API_ANYWHERE, 0, "(card: Card): Body",
     "A card with buttons. A button with a value says it for the visitor, one "
     "with a url opens it. Channels that have no cards show it as text."
     "\n\nconv:reply(message.card {\n  title = \"Your order A17\",\n  text = "
     "\"On its way since Monday.\",\n  buttons = { { label = \"Where is it?\", "
     "value = \"track A17\" },\n              { label = \"Open the shop\", url "
     "= \"https://shop.example\" } },\n})",
     "1"},
    {"image", message_image, API_ANYWHERE, 0, FILE_SIGNATURE,
     "A picture that has been uploaded; text is its caption.", "1"},
    {"file", message_file, API_ANYWHERE, 0, FILE_SIGNATURE, "An uploaded file.",
     "1"},
    {"audio", message_audio, API_ANYWHERE, 0, FILE_SIGNATURE,
     "An uploaded recording.", "1"},
    {"video", message_video, API_ANYWHERE, 0, FILE_SIGNATURE,
     "An uploaded film.", "1"},
    {"location", message_location, API_ANYWHERE, 0,
     "(at: { lat: number, lng: number, label?: string, address?: string }): "
     "Body",
     "A place on the map."
     "\n\nconv:reply(message.location { lat = 31.2397, lng = 121.4998, label = "
     "\"Our shop\" })",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module messages_module = {
    .name = "message",
    .doc = "Messages that are more than text, for conv:reply. What would reach "
           "the visitor broken raises here.",
    .calls = calls};
