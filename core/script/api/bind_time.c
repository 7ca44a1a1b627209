/* SPDX-License-Identifier: Apache-2.0 */
/* bind_time.c - time.now, time.date, time.format, time.is_between, sleep, and
 * an os table with what is harmless of it.
 *
 * A zone is "Europe/Berlin", "UTC" or "+08:00"; without one it is the
 * machine's. Zones are read once per script and kept in its state. Failure
 * modes: an unknown zone, a clock time that is none: raised.
 */
#include "script/api/bind_time.h"
#include "base/clock.h"
#include "script/api/modules.h"
#include "script/load/unit.h"
#include <math.h>
#include <stdio.h>
#include <time.h>

static const char zones_key = 0; /* its address: name -> zone */

/* --- zones ---------------------------------------------------------------- */

/* Reads the zone into a userdata on top of the stack; nil if there is none. */
static void load_zone(lua_State *L, struct slice name)
{
    struct slice file;
    struct zone *z;
    if (zone_read(name, bind_arena(L), &file) < 0 || !zone_size(file)) {
        lua_pushnil(L);
        return;
    }
    void *room = lua_newuserdata(L, zone_size(file));
    if (zone_parse(file, room, &z) < 0) {
        lua_pop(L, 1);
        lua_pushnil(L);
    }
}

struct zone_ref bind_zone(lua_State *L, int arg)
{
    struct zone_ref r = {.zone = NULL};
    bool own = lua_isnoneornil(L, arg);
    struct slice name = own ? zone_own() : bind_slice(L, arg);
    if (zone_fixed(name, &r.offset))
        return r;
    lua_pushlightuserdata(L, (void *)&zones_key);
    lua_rawget(L, LUA_REGISTRYINDEX);
    value_push_slice(L, name);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        load_zone(L, name);
        if (lua_isnil(L, -1) && own)
            return lua_pop(L, 2), r; /* no zone files: UTC */
        if (lua_isnil(L, -1))
            bind_raise(L, "unknown time zone '%s'", name.at);
        value_push_slice(L, name);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    r.zone = lua_touserdata(L, -1); /* the table keeps it alive */
    lua_pop(L, 2);
    return r;
}

/* Seconds east of the zone at arg (a text or nothing) at that moment. */
static int32_t offset_of(lua_State *L, int arg, int64_t at_ms)
{
    return zone_ref_offset(bind_zone(L, arg), at_ms / 1000);
}

/* --- dates ---------------------------------------------------------------- */

/* The moment at arg (ms, default now) must be within what calendars can do. */
int64_t bind_moment(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return bind_now(L);
    lua_Number n = luaL_checknumber(L, arg);
    if (!(n >= 0 && n < 253402300800000.0)) /* year 10000 */
        bind_raise(L, "a time is in ms since 1970");
    return (int64_t)n;
}

static struct tm broken_down(int64_t at_ms, int32_t offset)
{
    time_t s = (time_t)(at_ms / 1000 + offset);
    struct tm tm;
    gmtime_r(&s, &tm);
    return tm;
}

static void set_int(lua_State *L, const char *field, int n)
{
    lua_pushinteger(L, n);
    lua_setfield(L, -2, field);
}

static void push_date(lua_State *L, int64_t at, int32_t offset)
{
    struct tm tm = broken_down(at, offset);
    lua_createtable(L, 0, 9);
    set_int(L, "year", tm.tm_year + 1900);
    set_int(L, "month", tm.tm_mon + 1);
    set_int(L, "day", tm.tm_mday);
    set_int(L, "hour", tm.tm_hour);
    set_int(L, "min", tm.tm_min);
    set_int(L, "sec", tm.tm_sec);
    set_int(L, "wday", tm.tm_wday + 1); /* 1 = Sunday, as in Lua's os.date */
    set_int(L, "yday", tm.tm_yday + 1);
    set_int(L, "offset", offset);
}

/* time.date(zone, ms) */
static int time_date(lua_State *L)
{
    int64_t at = bind_moment(L, 2);
    push_date(L, at, offset_of(L, 1, at));
    return 1;
}

/* The format is the script's; its fields have been checked one by one. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static size_t formatted(char *out, size_t max, const char *format,
                        const struct tm *tm)
{
    return strftime(out, max, format, tm);
}
#pragma GCC diagnostic pop

static int push_format(lua_State *L, const char *format, int64_t at,
                       int32_t offset)
{
    static const char allowed[] = "aAbBcdDeFgGhHIjmMnpRSTuUVwWxXyYzZ%";
    char text[256], safe[128];
    struct tm tm = broken_down(at, offset);
    tm.tm_gmtoff = offset;
    tm.tm_zone = offset ? "" : "UTC";
    if (strlen(format) >= sizeof safe)
        return luaL_error(L, "the format is too long");
    for (const char *p = format; *p; p++)
        if (*p == '%' && (!*++p || !strchr(allowed, *p)))
            return luaL_error(L, "the format has an unknown %% field");
    snprintf(safe, sizeof safe, "%s.", format); /* "" must not look like 0 */
    size_t n = formatted(text, sizeof text, safe, &tm);
    if (!n)
        return luaL_error(L, "the formatted time is too long");
    lua_pushlstring(L, text, n - 1);
    return 1;
}

/* time.format(ms, format, zone) */
static int time_format(lua_State *L)
{
    int64_t at = bind_moment(L, 1);
    const char *format = luaL_optstring(L, 2, "%Y-%m-%d %H:%M:%S");
    if (strcmp(format, "iso") == 0)
        return bind_push_iso(L, at, offset_of(L, 3, at));
    return push_format(L, format, at, offset_of(L, 3, at));
}

static int time_now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)bind_now(L));
    return 1;
}

/* "09:30" -> minutes of the day; "24:00" is the end of it */
static int minutes(lua_State *L, int arg)
{
    struct slice s = bind_slice(L, arg);
    int64_t h, m;
    const char *colon = memchr(s.at, ':', s.len);
    size_t n = colon ? (size_t)(colon - s.at) : 0;
    bool ok = n >= 1 && n <= 2 && s.len == n + 3 &&
              slice_to_i64((struct slice){s.at, n}, &h) &&
              slice_to_i64((struct slice){colon + 1, 2}, &m) && h >= 0 &&
              m >= 0 && m < 60 && h * 60 + m <= 24 * 60;
    if (!ok)
        bind_raise(L, "a time of day looks like \"09:30\"");
    return (int)(h * 60 + m);
}

/* time.is_between("09:00", "18:00", zone): from, up to but not including;
 * over midnight if the first is the later one */
static int time_is_between(lua_State *L)
{
    int from = minutes(L, 1), to = minutes(L, 2);
    int64_t now = bind_now(L);
    struct tm tm = broken_down(now, offset_of(L, 3, now));
    int at = tm.tm_hour * 60 + tm.tm_min;
    lua_pushboolean(L,
                    from <= to ? at >= from && at < to : at >= from || at < to);
    return 1;
}

/* --- sleep ---------------------------------------------------------------- */

static int sleep_start(lua_State *L)
{
    struct task *t = bind_task(L, "sleep");
    int64_t ms = bind_duration(L, 1, "sleep");
    if (ms > LIMIT_SCRIPT_WALL_MS)
        return luaL_error(L, "sleep: a handler may take 30 seconds at most; "
                             "for longer waits use conv:after");
    int got = task_wait_sleep(t, ms);
    lua_pushboolean(L, got == 0);
    return got == 0 ? 1 : 1 + bind_trouble_of(L, got, "");
}

static int sleep_finish(lua_State *L)
{
    int got = bind_wait_result(L, bind_task(L, "sleep"));
    if (got < 0)
        return bind_trouble_of(L, got, "");
    lua_pushboolean(L, 1);
    return 1;
}

/* --- os ------------------------------------------------------------------- */

static int os_time(lua_State *L)
{
    if (!lua_isnoneornil(L, 1))
        return luaL_error(L, "os.time takes nothing here; see time.now()");
    lua_pushnumber(L, floor((lua_Number)bind_now(L) / 1000));
    return 1;
}

static int os_clock(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)clock_cpu_us() / 1e6);
    return 1;
}

static int os_difftime(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1) - luaL_optnumber(L, 2, 0));
    return 1;
}

/* os.date(format, seconds): "!..." is UTC, "*t" a table */
static int os_date(lua_State *L)
{
    const char *format = luaL_optstring(L, 1, "%c");
    int64_t at = bind_now(L);
    if (!lua_isnoneornil(L, 2)) {
        lua_Number s = luaL_checknumber(L, 2);
        if (!(s >= 0 && s < 253402300800.0))
            return luaL_error(L, "os.date: a time in s since 1970");
        at = (int64_t)s * 1000;
    }
    lua_settop(L, 2);
    int32_t offset = *format == '!' ? 0 : offset_of(L, 3, at);
    format += *format == '!';
    if (strcmp(format, "*t") != 0)
        return push_format(L, format, at, offset);
    push_date(L, at, offset);
    return 1;
}

static const struct api_call calls[] = {
    {"now", time_now, API_ANYWHERE, 0, "(): integer", "Ms since 1970.", "1"},
    {"date", time_date, API_ANYWHERE, 0, "(zone?: string, at?: integer): Date",
     "The calendar's view of a moment (default: now) in a zone (default: the "
     "machine's).",
     "1"},
    {"format", time_format, API_ANYWHERE, 0,
     "(at?: integer, format?: string, zone?: string): string",
     "A moment as text. The format is strftime's; the default is \"%Y-%m-%d "
     "%H:%M:%S\". \"iso\" is ISO 8601 with the zone's offset: "
     "\"2026-11-21T09:30:00+08:00\".",
     "1"},
    {"parse", time_parse, API_ANYWHERE, 0,
     "(text: string, zone?: string): integer|nil, string?, string?",
     "The moment that an ISO 8601 text names, or nil, \"bad_request\", detail. "
     "Without an offset in the text it is the zone's time."
     "\n\ntime.parse \"2026-11-21T09:30:00Z\"\n"
     "time.parse(\"2026-11-21 09:30\", \"Asia/Shanghai\")\n"
     "time.parse \"2026-11-21\"",
     "1"},
    {"ms", time_ms, API_ANYWHERE, 0, "(duration: Duration): integer",
     "A duration in ms: time.ms \"2h\" is 7200000.", "1"},
    {"duration", time_duration, API_ANYWHERE, 0, "(ms: number): Duration",
     "A number of ms as a duration, as conv:after and its like take it: "
     "time.duration(90000) is \"90s\".",
     "1"},
    {"business_hours", time_business_hours, API_ANYWHERE, 0,
     "(hours: HoursTable): BusinessHours",
     "Opening hours, to be asked whether and when it is open. Made once, at "
     "the top of a file; scripts/lib/hours.lua is a good place. Raises for "
     "what is no hours, dates or zone."
     "\n\nlocal hours = time.business_hours {\n"
     "  zone = \"Asia/Shanghai\",\n"
     "  mon = \"9:00-18:00\", tue = \"9:00-18:00\", wed = \"9:00-18:00\",\n"
     "  thu = \"9:00-18:00\", fri = \"9:00-12:00, 13:00-17:00\",\n"
     "  holidays = { \"2026-02-15..2026-02-23\" },\n"
     "  workdays = { \"2026-02-14\", [\"2026-02-28\"] = \"10:00-16:00\" },\n"
     "}\nif not hours:is_open() then return end",
     "1"},
    {"cron", time_cron, API_ANYWHERE, 0, "(line: string, zone?: string): Cron",
     "A cron line, to be asked when it comes next. Five fields: minute, hour, "
     "day of the month, month, weekday; *, lists, ranges, steps and names. "
     "Raises for what is none. A rule's field cron runs on_timer by one."
     "\n\nlocal next = time.cron(\"0 9 * * 1-5\", \"Asia/Shanghai\"):next()",
     "1"},
    {"is_between", time_is_between, API_ANYWHERE, 0,
     "(from: string, to: string, zone?: string): boolean",
     "Is it now between two times of day, the second not included? Over "
     "midnight if the first is the later one."
     "\n\nif time.is_between(\"22:00\", \"08:00\", \"Asia/Shanghai\") then ... "
     "end",
     "1"},
    {"sleep", NULL, API_HANDLERS, API_LUA | API_WAITS,
     "(duration: Duration): boolean|nil, string?, string?",
     "Waits, at most \"30s\"; the same as sleep.", "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
static void fill(lua_State *L)
{
    api_waits(L, &time_module, "sleep", sleep_start, sleep_finish);
}

const struct api_module time_module = {
    .name = "time",
    .doc = "Clock and calendar. A time is in ms since 1970; a zone is "
           "\"Europe/Berlin\", \"UTC\" or \"+08:00\", and without one the "
           "machine's.",
    .calls = calls,
    .fill = fill};

void bind_time(lua_State *L)
{
    static const luaL_Reg os[] = {{"time", os_time},
                                  {"clock", os_clock},
                                  {"difftime", os_difftime},
                                  {"date", os_date},
                                  {NULL, NULL}};
    lua_pushlightuserdata(L, (void *)&zones_key);
    lua_newtable(L);
    lua_rawset(L, LUA_REGISTRYINDEX);
    bind_module(L, lua_gettop(L) - 1, "os", os);
}

void bind_sleep(lua_State *L)
{
    api_waits(L, &globals_module, "sleep", sleep_start, sleep_finish);
}
