/* SPDX-License-Identifier: Apache-2.0 */
/* connector.c - reading a connector's or a tool's table.
 *
 * Happy path: functions become hooks (ask and embed go through lua/assist.lua,
 * which has the guard), the data becomes JSON for the roof. Failure modes: a
 * field nobody knows, a function that is none, a time that is no duration: the
 * file is refused with a sentence.
 */
#include "script/load/connector.h"
#include "base/json.h"
#include "script/api/bind.h"
#include "script/api/bind_assist.h"
#include <string.h>

#define DATA_BYTES (64 * 1024)
#define AI "ai/"
#define TOOLS "ai/tools/"

struct connector_data {                       /* while loading */
    struct slice title, schema, capabilities; /* JSON */
    struct slice description, parameters, permission;
    int64_t connect_ms, first_ms, total_ms;
    struct slice confirm; /* JSON object, "" = nobody's word is needed */
};

bool connector_is(const struct version *v)
{
    return slice_starts(v->name, AI);
}

bool connector_is_one(const struct version *v)
{
    return connector_is(v) && !slice_starts(v->name, TOOLS);
}

const char *connector_known(const struct version *v)
{
    return connector_is_one(v)
               ? "unknown field (known are api, title, schema, capabilities, "
                 "timeout, limits, ask, embed, check)"
               : "unknown field (known are api, title, description, "
                 "parameters, permission, confirm, limits, run)";
}

static int refuse(struct err *e, const char *field, const char *why)
{
    return err_field(e, ERR_UNPROCESSABLE, field, "%s", why);
}

static struct connector_data *data_of(struct version *v)
{
    if (!v->adapter_data)
        v->adapter_data = arena_one(v->arena, struct connector_data);
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

static int read_text(struct version *v, const char *field, size_t most,
                     struct slice *to, struct err *e)
{
    struct slice s = {"", 0};
    if (lua_type(v->L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(v->L, -1, &s.len);
    if (!s.len || s.len > most || !slice_is_utf8(s))
        return err_field(e, ERR_UNPROCESSABLE, field,
                         "%s must be a text of 1 to %d bytes", field,
                         (int)most);
    *to = slice_dup(v->arena, s);
    return 1;
}

/* { en = … } or the text alone. */
static int read_title(struct version *v, struct err *e)
{
    struct slice text;
    struct buf out;
    if (lua_istable(v->L, -1))
        return read_json(v, "title", &data_of(v)->title, e);
    int r = read_text(v, "title", 200, &text, e);
    if (r < 0)
        return r;
    buf_init(&out, DATA_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_text(&w, "en", text);
    jsonw_close(&w, '}');
    must(w.failed == 0);
    data_of(v)->title = slice_dup(v->arena, buf_slice(&out));
    buf_fini(&out);
    return 1;
}

static int time_in(lua_State *L, const char *name, int64_t *ms, struct err *e)
{
    struct slice s = {"", 0};
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    bool given = !lua_isnil(L, -1);
    if (lua_type(L, -1) == LUA_TSTRING)
        s.at = lua_tolstring(L, -1, &s.len);
    bool good = given && duration_read(s, ms) && *ms > 0;
    lua_pop(L, 1);
    return given && !good
               ? err_field(e, ERR_UNPROCESSABLE, "timeout",
                           "timeout.%s must be a duration such as \"15s\"",
                           name)
               : 0;
}

static int read_timeout(struct version *v, struct err *e)
{
    struct connector_data *d = data_of(v);
    if (!lua_istable(v->L, -1))
        return refuse(e, "timeout", "timeout must be a table of durations");
    int r = time_in(v->L, "connect", &d->connect_ms, e);
    r = r ? r : time_in(v->L, "first", &d->first_ms, e);
    r = r ? r : time_in(v->L, "total", &d->total_ms, e);
    return r ? r : 1;
}

static int read_permission(struct version *v, struct err *e)
{
    struct slice *to = &data_of(v)->permission;
    int r = read_text(v, "permission", 16, to, e);
    if (r > 0 && !slice_is(*to, "bot") && !slice_is(*to, "agent"))
        return refuse(e, "permission",
                      "permission must be \"bot\" or \"agent\"");
    return r;
}

/* true, "visitor" or "agent", or a table with `by` and the question. */
static int read_confirm(struct version *v, struct err *e)
{
    static const char why[] = "confirm must be \"visitor\", \"agent\", or { by "
                              "=, zh =, en = }";
    struct connector_data *d = data_of(v);
    lua_State *L = v->L;
    if (lua_isboolean(L, -1)) {
        d->confirm =
            lua_toboolean(L, -1) ? SLICE("{\"by\":\"visitor\"}") : SLICE("");
        return 1;
    }
    if (lua_type(L, -1) == LUA_TSTRING)
        lua_pushvalue(L, -1);
    else if (lua_istable(L, -1))
        lua_getfield(L, -1, "by");
    else
        return refuse(e, "confirm", why);
    const char *by = lua_tostring(L, -1);
    bool agent = by && strcmp(by, "agent") == 0;
    bool good = agent || (by && strcmp(by, "visitor") == 0);
    lua_pop(L, 1);
    if (!good)
        return refuse(e, "confirm", why);
    if (lua_istable(L, -1))
        return read_json(v, "confirm", &d->confirm, e);
    d->confirm =
        agent ? SLICE("{\"by\":\"agent\"}") : SLICE("{\"by\":\"visitor\"}");
    return 1;
}

/* --- functions ------------------------------------------------------------ */

static int read_function(struct version *v, enum hook h, const char *name,
                         struct err *e)
{
    lua_State *L = v->L;
    if (!lua_isfunction(L, -1))
        return refuse(e, name, "it must be a function");
    lua_pushvalue(L, -1);
    if (h == HOOK_ASK || h == HOOK_EMBED)
        bind_assist_entry(L, h, v->guard);
    v->hook[h] = luaL_ref(L, LUA_REGISTRYINDEX);
    v->hooks |= 1u << h;
    return 1;
}

static int tool_field(struct version *v, const char *name, struct err *e)
{
    struct connector_data *d = data_of(v);
    if (strcmp(name, "run") == 0)
        return read_function(v, HOOK_TOOL, name, e);
    if (strcmp(name, "description") == 0)
        return read_text(v, name, 4000, &d->description, e);
    if (strcmp(name, "parameters") == 0)
        return read_json(v, name, &d->parameters, e);
    if (strcmp(name, "permission") == 0)
        return read_permission(v, e);
    if (strcmp(name, "confirm") == 0)
        return read_confirm(v, e);
    return strcmp(name, "title") == 0 ? read_title(v, e) : 0;
}

int connector_field(struct version *v, const char *name, struct err *e)
{
    struct connector_data *d = data_of(v);
    if (!connector_is_one(v))
        return tool_field(v, name, e);
    if (strcmp(name, "ask") == 0)
        return read_function(v, HOOK_ASK, name, e);
    if (strcmp(name, "embed") == 0)
        return read_function(v, HOOK_EMBED, name, e);
    if (strcmp(name, "check") == 0)
        return read_function(v, HOOK_CHECK, name, e);
    if (strcmp(name, "title") == 0)
        return read_title(v, e);
    if (strcmp(name, "schema") == 0)
        return read_json(v, name, &d->schema, e);
    if (strcmp(name, "capabilities") == 0)
        return read_json(v, name, &d->capabilities, e);
    return strcmp(name, "timeout") == 0 ? read_timeout(v, e) : 0;
}

/* --- the whole ------------------------------------------------------------ */

static struct slice or_empty(struct slice json)
{
    return json.len ? json : SLICE("{}");
}

static void say_connector(struct jsonw *w, struct version *v,
                          const struct connector_data *d)
{
    struct slice type = {v->name.at + 3, v->name.len - 3};
    jsonw_put_text(w, "kind", SLICE("connector"));
    jsonw_put_text(w, "type", type);
    jsonw_put_raw(w, "schema", or_empty(d->schema));
    jsonw_put_raw(w, "capabilities", or_empty(d->capabilities));
    jsonw_key(w, "timeout");
    jsonw_open(w, '{');
    jsonw_put_int(w, "connect_ms", d->connect_ms);
    jsonw_put_int(w, "first_ms", d->first_ms);
    jsonw_put_int(w, "total_ms", d->total_ms);
    jsonw_close(w, '}');
    jsonw_put_bool(w, "asks", v->hook[HOOK_ASK] != LUA_NOREF);
    jsonw_put_bool(w, "embeds", v->hook[HOOK_EMBED] != LUA_NOREF);
    jsonw_put_bool(w, "checks", v->hook[HOOK_CHECK] != LUA_NOREF);
}

static void say_tool(struct jsonw *w, const struct version *v,
                     const struct connector_data *d)
{
    size_t n = strlen(TOOLS);
    jsonw_put_text(w, "kind", SLICE("tool"));
    jsonw_put_text(w, "name", (struct slice){v->name.at + n, v->name.len - n});
    jsonw_put_text(w, "description", d->description);
    jsonw_put_raw(w, "parameters", or_empty(d->parameters));
    jsonw_put_text(w, "permission",
                   d->permission.len ? d->permission : SLICE("bot"));
    jsonw_put_raw(w, "confirm", d->confirm.len ? d->confirm : SLICE("false"));
}

int connector_check(struct version *v, struct err *e)
{
    const struct connector_data *d = data_of(v);
    bool connector = connector_is_one(v);
    struct buf out;
    if (connector && !(v->hooks & (1u << HOOK_ASK | 1u << HOOK_EMBED)))
        return refuse(e, "return", "a connector needs ask or embed");
    if (!connector && !(v->hooks & 1u << HOOK_TOOL))
        return refuse(e, "return", "a tool needs run(args, ctx)");
    if (!connector && (!d->description.len || !d->parameters.len))
        return refuse(e, "return",
                      "a tool needs a description and its parameters");
    buf_init(&out, 4 * DATA_BYTES);
    struct jsonw w = jsonw_on(&out);
    jsonw_open(&w, '{');
    jsonw_put_raw(&w, "title", or_empty(d->title));
    if (connector)
        say_connector(&w, v, d);
    else
        say_tool(&w, v, d);
    jsonw_close(&w, '}');
    if (!w.failed)
        v->adapter = slice_dup(v->arena, buf_slice(&out));
    buf_fini(&out);
    return w.failed ? refuse(e, "schema", "its data is too long") : 0;
}
