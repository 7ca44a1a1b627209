/* SPDX-License-Identifier: Apache-2.0 */
/* adapter.c - reading an adapter's table.
 *
 * Happy path: functions become hooks, title, schema and capabilities become
 * JSON for the roof and the console; durations become milliseconds there.
 * Failure modes: a field nobody knows, a function that is none, data with
 * functions in it: the file is refused with a sentence.
 */
#include "script/load/adapter.h"
#include "base/json.h"
#include "script/api/bind.h"
#include "script/load/fields.h"
#include <stdio.h>
#include <string.h>

#define DATA_BYTES (64 * 1024)
#define BUTTONS 10 /* buttons = true; a card has no more */
#define PUSH_AFTER_MS 5000
#define PUSH_QUIET_MS 20000

struct adapter_data {
    struct slice title, schema, capabilities; /* JSON */
    int64_t rate, burst, at_once, reply_window_ms, reply_count;
    struct slice hours_from, count_from; /* settings that say otherwise */
    bool has_kinds, shows[MESSAGE_KINDS];
    int64_t most[MESSAGE_KINDS]; /* bytes of a file; 0 = not said */
    int64_t buttons;
    bool markdown;
    bool socket;
    int64_t push_after_ms, push_quiet_ms, identity_max_ms;
    struct slice after_from, quiet_from, push_needs, max_from, only_from;
};

bool adapter_is(const struct version *v)
{
    return slice_starts(v->name, "channels/");
}

static int refuse(struct err *e, const char *field, const char *why)
{
    return err_field(e, ERR_UNPROCESSABLE, field, "%s", why);
}

static struct adapter_data *data_of(struct version *v)
{
    if (!v->adapter_data)
        v->adapter_data = arena_one(v->arena, struct adapter_data);
    return v->adapter_data;
}

/* --- data ----------------------------------------------------------------- */

/* The table on top of the stack as JSON. */
static int read_json(struct version *v, const char *field, struct slice *to,
                     struct err *e)
{
    struct buf out;
    const char *why = "must be a table";
    buf_init(&out, DATA_BYTES);
    int r = lua_istable(v->L, -1) ? value_write(v->L, -1, &out, &why) : -1;
    if (r == 0)
        *to = slice_dup(v->arena, buf_slice(&out));
    buf_fini(&out);
    return r == 0
               ? 1
               : err_field(e, ERR_UNPROCESSABLE, field, "%s: %s", field, why);
}

static int read_title(struct version *v, struct err *e)
{
    if (lua_type(v->L, -1) != LUA_TSTRING)
        return read_json(v, "title", &data_of(v)->title, e);
    struct buf out;
    struct slice s = {"", 0};
    s.at = lua_tolstring(v->L, -1, &s.len);
    buf_init(&out, DATA_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "en", s);
    jsonw_close(&w, '}');
    if (!w.failed)
        data_of(v)->title = slice_dup(v->arena, buf_slice(&out));
    buf_fini(&out);
    return w.failed ? refuse(e, "title", "the title is too long") : 1;
}

static int number_in(lua_State *L, const char *name, int64_t *to, struct err *e)
{
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    lua_Number n = lua_tonumber(L, -1);
    bool given = !lua_isnil(L, -1);
    bool good = lua_type(L, -1) == LUA_TNUMBER && n >= 1 && n <= 100000;
    lua_pop(L, 1);
    if (given && !good)
        return err_field(e, ERR_UNPROCESSABLE, name,
                         "capabilities.%s must be a number from 1 to 100000",
                         name);
    if (given)
        *to = (int64_t)n;
    return 0;
}

static struct slice text_in(struct version *v, const char *name)
{
    struct slice s = {"", 0};
    lua_pushstring(v->L, name);
    lua_rawget(v->L, -2);
    if (lua_type(v->L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(v->L, -1, &s.len);
    s = slice_dup(v->arena, s);
    lua_pop(v->L, 1);
    return s;
}

/* "48h" or { time = "48h", count = 5, hours_from =, count_from = } */
static int read_window(struct version *v, struct err *e)
{
    static const char why[] =
        "capabilities.reply_window must be a duration such as \"48h\", or "
        "{ time = \"48h\", count = 5 }";
    struct adapter_data *d = data_of(v);
    struct slice time = {"", 0};
    int r = 0;
    lua_pushliteral(v->L, "reply_window");
    lua_rawget(v->L, -2);
    bool given = !lua_isnil(v->L, -1), table = lua_istable(v->L, -1);
    if (table) {
        time = text_in(v, "time");
        d->hours_from = text_in(v, "hours_from");
        d->count_from = text_in(v, "count_from");
        r = number_in(v->L, "count", &d->reply_count, e);
    } else if (lua_type(v->L, -1) == LUA_TSTRING) {
        time.at = lua_tolstring(v->L, -1, &time.len);
    }
    bool good = duration_read(time, &d->reply_window_ms) ||
                (table && !time.len &&
                 (d->reply_count || d->hours_from.len || d->count_from.len));
    lua_pop(v->L, 1);
    return r ? r : !given || good ? 0 : refuse(e, "reply_window", why);
}

static bool bool_in(lua_State *L, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

/* What is said of one kind is on top of the stack: true, or "10MB". */
static bool read_kind(struct version *v, enum message_kind k, bool shows)
{
    struct adapter_data *d = data_of(v);
    bool sized = lua_type(v->L, -1) == LUA_TSTRING;
    d->shows[k] = d->shows[k] || (shows && lua_toboolean(v->L, -1));
    return lua_isboolean(v->L, -1) || (sized && field_bytes(v->L, &d->most[k]));
}

static int wrong_kinds(struct version *v, struct err *e)
{
    lua_pop(v->L, 3);
    return refuse(e, "kinds",
                  "capabilities.kinds must be names of kinds (text image file "
                  "audio video location card), or { image = \"10MB\" }");
}

/* { "text", "image" }, or { text = true, image = "10MB" } */
static int read_kinds(struct version *v, struct err *e)
{
    struct adapter_data *d = data_of(v);
    lua_State *L = v->L;
    enum message_kind k;
    lua_pushliteral(L, "kinds");
    lua_rawget(L, -2);
    d->has_kinds = lua_istable(L, -1);
    d->shows[MESSAGE_TEXT] = true;
    bool given = !lua_isnil(L, -1);
    for (lua_pushnil(L); d->has_kinds && lua_next(L, -2); lua_pop(L, 1)) {
        bool in_list = lua_type(L, -2) == LUA_TNUMBER;
        struct slice name = {"", 0};
        int at = in_list ? -1 : -2;
        if (lua_type(L, at) == LUA_TSTRING)
            name.at = lua_tolstring(L, at, &name.len);
        if (!message_kind_find(name, &k))
            return wrong_kinds(v, e);
        if (in_list)
            d->shows[k] = true;
        else if (!read_kind(v, k, true))
            return wrong_kinds(v, e);
    }
    lua_pop(L, d->has_kinds ? 1 : 2); /* without a walk its nil is there */
    return given && !d->has_kinds
               ? refuse(e, "kinds", "capabilities.kinds must be a table")
               : 0;
}

/* Sizes beside them: image = "10MB". */
static int read_sizes(struct version *v, struct err *e)
{
    for (int k = MESSAGE_IMAGE; k <= MESSAGE_VIDEO; k++) {
        const char *name = message_kind_name((enum message_kind)k);
        lua_pushstring(v->L, name);
        lua_rawget(v->L, -2);
        bool good =
            lua_isnil(v->L, -1) || read_kind(v, (enum message_kind)k, false);
        lua_pop(v->L, 1);
        if (!good)
            return err_field(e, ERR_UNPROCESSABLE, name,
                             "capabilities.%s must be a size such as \"10MB\"",
                             name);
    }
    return 0;
}

/* How many choices stand below a message: buttons = 10, quick_replies = true */
static int read_buttons(struct version *v, struct err *e)
{
    struct adapter_data *d = data_of(v);
    static const char *const names[] = {"buttons", "quick_replies"};
    int r = 0;
    for (size_t i = 0; i < 2 && r == 0; i++) {
        lua_pushstring(v->L, names[i]);
        lua_rawget(v->L, -2);
        bool plain = lua_isboolean(v->L, -1);
        if (plain && lua_toboolean(v->L, -1))
            d->buttons = d->buttons ? d->buttons : BUTTONS;
        lua_pop(v->L, 1);
        r = plain ? 0 : number_in(v->L, names[i], &d->buttons, e);
    }
    return r;
}

/* A duration at `name` of the table on top, if it is there. */
static int duration_in(struct version *v, const char *field, const char *name,
                       int64_t *ms, struct err *e)
{
    struct slice text = text_in(v, name);
    if (!text.len || duration_read(text, ms))
        return 0;
    return err_field(e, ERR_UNPROCESSABLE, field,
                     "capabilities.%s.%s must be a duration such as \"20s\"",
                     field, name);
}

/* true: the table capabilities.<field> is on top now. */
static bool open_table(struct version *v, const char *field)
{
    lua_pushstring(v->L, field);
    lua_rawget(v->L, -2);
    if (lua_istable(v->L, -1))
        return true;
    lua_pop(v->L, 1);
    return false;
}

/* socket = true, push = { after =, quiet =, after_from =, quiet_from =, needs
 * = }, identity = { max =, max_from =, only_from = } */
static int read_socket(struct version *v, struct err *e)
{
    struct adapter_data *d = data_of(v);
    int r = 0;
    lua_pushliteral(v->L, "socket");
    lua_rawget(v->L, -2);
    d->socket = lua_toboolean(v->L, -1);
    lua_pop(v->L, 1);
    d->push_after_ms = PUSH_AFTER_MS;
    d->push_quiet_ms = PUSH_QUIET_MS;
    if (open_table(v, "push")) {
        r = duration_in(v, "push", "after", &d->push_after_ms, e);
        r = r ? r : duration_in(v, "push", "quiet", &d->push_quiet_ms, e);
        d->after_from = text_in(v, "after_from");
        d->quiet_from = text_in(v, "quiet_from");
        d->push_needs = text_in(v, "needs");
        lua_pop(v->L, 1);
    }
    if (r == 0 && open_table(v, "identity")) {
        r = duration_in(v, "identity", "max", &d->identity_max_ms, e);
        d->max_from = text_in(v, "max_from");
        d->only_from = text_in(v, "only_from");
        lua_pop(v->L, 1);
    }
    return r;
}

static int read_capabilities(struct version *v, struct err *e)
{
    struct adapter_data *d = data_of(v);
    int r = read_json(v, "capabilities", &d->capabilities, e);
    if (r < 0)
        return r;
    r = number_in(v->L, "rate", &d->rate, e);
    r = r ? r : number_in(v->L, "burst", &d->burst, e);
    r = r ? r : number_in(v->L, "at_once", &d->at_once, e);
    r = r ? r : read_window(v, e);
    r = r ? r : read_kinds(v, e);
    r = r ? r : read_sizes(v, e);
    r = r ? r : read_buttons(v, e);
    d->markdown = r == 0 && bool_in(v->L, "markdown");
    r = r ? r : read_socket(v, e);
    return r ? r : 1;
}

/* --- functions ------------------------------------------------------------ */

static int read_function(struct version *v, enum hook h, struct err *e)
{
    lua_State *L = v->L;
    if (!lua_isfunction(L, -1))
        return refuse(e, hook_name(h), "it must be a function");
    lua_pushvalue(L, -1);
    v->hook[h] = luaL_ref(L, LUA_REGISTRYINDEX);
    v->hooks |= 1u << h;
    return 1;
}

int adapter_field(struct version *v, const char *name, struct err *e)
{
    for (int h = HOOK_RECEIVE; h <= HOOK_CHECK; h++)
        if (strcmp(name, hook_name((enum hook)h)) == 0)
            return read_function(v, (enum hook)h, e);
    for (int h = HOOK_TYPING; h <= HOOK_PASSIVE; h++)
        if (strcmp(name, hook_name((enum hook)h)) == 0)
            return read_function(v, (enum hook)h, e);
    if (strcmp(name, "title") == 0)
        return read_title(v, e);
    if (strcmp(name, "schema") == 0)
        return read_json(v, "schema", &data_of(v)->schema, e);
    if (strcmp(name, "capabilities") == 0)
        return read_capabilities(v, e);
    return 0;
}

/* --- the whole ------------------------------------------------------------ */

static void put_has(struct jsonw *w, const struct version *v, const char *name,
                    enum hook h)
{
    jsonw_put_bool(w, name, v->hook[h] != LUA_NOREF);
}

static void put_shows(struct jsonw *w, const struct adapter_data *d)
{
    if (d->has_kinds) {
        jsonw_key(w, "kinds");
        jsonw_open(w, '[');
        for (int k = 0; k < MESSAGE_KINDS; k++)
            if (d->shows[k])
                jsonw_text(w,
                           slice_of(message_kind_name((enum message_kind)k)));
        jsonw_close(w, ']');
    }
    jsonw_key(w, "most");
    jsonw_open(w, '{');
    for (int k = 0; k < MESSAGE_KINDS; k++)
        if (d->most[k])
            jsonw_put_int(w, message_kind_name((enum message_kind)k),
                          d->most[k]);
    jsonw_close(w, '}');
    jsonw_put_int(w, "buttons", d->buttons);
    jsonw_put_bool(w, "markdown", d->markdown);
}

static void put_socket(struct jsonw *w, const struct adapter_data *d)
{
    jsonw_put_bool(w, "socket", d->socket);
    jsonw_put_int(w, "push_after_ms", d->push_after_ms);
    jsonw_put_int(w, "push_quiet_ms", d->push_quiet_ms);
    jsonw_put_text(w, "after_from", d->after_from);
    jsonw_put_text(w, "quiet_from", d->quiet_from);
    jsonw_put_text(w, "push_needs", d->push_needs);
    jsonw_put_int(w, "identity_max_ms", d->identity_max_ms);
    jsonw_put_text(w, "max_from", d->max_from);
    jsonw_put_text(w, "only_from", d->only_from);
}

int adapter_check(struct version *v, struct err *e)
{
    const struct adapter_data *d = data_of(v);
    struct slice type = {v->name.at + 9, v->name.len - 9};
    struct buf out;
    if (!(v->hooks & (1u << HOOK_RECEIVE | 1u << HOOK_POLL)) && !d->socket)
        return refuse(e, "return",
                      "an adapter needs receive or poll, or a socket "
                      "(capabilities.socket = true)");
    if (v->hooks & 1u << HOOK_PUSH && !d->socket)
        return refuse(e, "push", "push needs capabilities.socket = true");
    if (v->hooks & 1u << HOOK_PASSIVE && (v->hook[HOOK_RECEIVE] == LUA_NOREF ||
                                          v->hook[HOOK_DELIVER] == LUA_NOREF))
        return refuse(
            e, "passive",
            "passive needs receive, and send for what comes too late");
    buf_init(&out, 4 * DATA_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "type", type);
    jsonw_put_raw(&w, "title", d->title.len ? d->title : SLICE("{}"));
    jsonw_put_raw(&w, "schema", d->schema.len ? d->schema : SLICE("{}"));
    jsonw_put_raw(&w, "capabilities",
                  d->capabilities.len ? d->capabilities : SLICE("{}"));
    put_has(&w, v, "receives", HOOK_RECEIVE);
    put_has(&w, v, "sends", HOOK_DELIVER);
    put_has(&w, v, "pushes", HOOK_PUSH);
    put_has(&w, v, "polls", HOOK_POLL);
    put_has(&w, v, "checks", HOOK_CHECK);
    put_has(&w, v, "types", HOOK_TYPING);
    put_has(&w, v, "recalls", HOOK_RECALL);
    put_has(&w, v, "answers", HOOK_PASSIVE);
    jsonw_key(&w, "face");
    jsonw_open(&w, '{');
    jsonw_put_int(&w, "rate", d->rate);
    jsonw_put_int(&w, "burst", d->burst);
    jsonw_put_int(&w, "at_once", d->at_once);
    jsonw_put_int(&w, "reply_window_ms", d->reply_window_ms);
    jsonw_put_int(&w, "reply_count", d->reply_count);
    jsonw_put_text(&w, "hours_from", d->hours_from);
    jsonw_put_text(&w, "count_from", d->count_from);
    put_shows(&w, d);
    put_socket(&w, d);
    jsonw_close(&w, '}');
    jsonw_close(&w, '}');
    if (!w.failed)
        v->adapter = slice_dup(v->arena, buf_slice(&out));
    buf_fini(&out);
    return w.failed ? refuse(e, "schema", "the adapter's data is too long") : 0;
}
