/* SPDX-License-Identifier: Apache-2.0 */
/* bind_log.c - log.info, log.warn, log.error (and print): lines with the
 * script's name in front. At most 100 a handler, 1000 bytes each. */
#include "base/log.h"
#include "script/api/bind.h"
#include "script/api/modules.h"
#include "script/flow/play.h"
#include "script/load/unit.h"
#include "script/run/budget.h"
#include "script/run/logtail.h"

#define LINES 100
#define LINE_BYTES 1000

static void add_argument(lua_State *L, int i, struct buf *out)
{
    struct slice s;
    if (!luaL_callmeta(L, i, "__tostring")) {
        if (lua_istable(L, i)) {
            const char *why;
            if (value_write(L, i, out, &why) < 0)
                (void)buf_add_text(out, "(table)"); /* a full line is cut */
            return;
        }
        if (lua_isstring(L, i))
            lua_pushvalue(L, i);
        else if (lua_isboolean(L, i))
            lua_pushstring(L, lua_toboolean(L, i) ? "true" : "false");
        else
            lua_pushstring(L, luaL_typename(L, i));
    }
    s.at = lua_tolstring(L, -1, &s.len);
    if (s.at && s.len > out->max - out->len)
        s.len = out->max - out->len;
    if (s.at)
        (void)buf_add_slice(out, s); /* cut above */
    lua_pop(L, 1);
}

static int write_line(lua_State *L, enum log_level level)
{
    struct version *v = bind_version(L);
    int n = lua_gettop(L);
    budget_nest(L); /* __tostring may call us */
    if (play_is_replaying(v->running))
        return 0; /* said when it happened */
    if (v->running && v->running->lines++ >= LINES)
        return 0;
    struct buf *out = bind_buf(L, LINE_BYTES);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            (void)buf_add_char(out, ' '); /* a full line is cut */
        add_argument(L, i, out);
    }
    for (size_t i = 0; i < out->len; i++)
        if ((unsigned char)out->data[i] < ' ')
            out->data[i] = ' ';
    logtail_add(&v->log, buf_slice(out));
    log_line(level, "script", "%.*s: %.*s", SLICE_FMT(v->name), (int)out->len,
             out->data ? out->data : "");
    return 0;
}

static int log_lua_info(lua_State *L)
{
    return write_line(L, LOG_INFO);
}

static int log_lua_warn(lua_State *L)
{
    return write_line(L, LOG_WARN);
}

static int log_lua_error(lua_State *L)
{
    return write_line(L, LOG_ERROR);
}

static const struct api_call calls[] = {
    {"info", log_lua_info, API_ANYWHERE, 0, "(...: any)",
     "Writes a line to the log, with the script's name in front. Tables are "
     "written as JSON. At most 100 lines a handler, 1,000 bytes each.",
     "1"},
    {"warn", log_lua_warn, API_ANYWHERE, 0, "(...: any)",
     "The same, as a warning.", "1"},
    {"error", log_lua_error, API_ANYWHERE, 0, "(...: any)",
     "The same, as an error.", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module log_module = {
    .name = "log", .doc = "Lines in the server's log.", .calls = calls};
