/* SPDX-License-Identifier: Apache-2.0 */
/* bind_calendar.c - business hours, cron lines, ISO 8601, durations: what
 * `time` has beside the clock.
 *
 * Happy path: a table or a line becomes an object that answers questions about
 * moments. Failure modes: what cannot be read raises with the field at fault,
 * so that a wrong calendar is found when the file is loaded; a text of others
 * (time.parse) is nil, "bad_request", sentence.
 */
#include "script/api/bind_time.h"
#include "script/api/modules.h"
#include "script/load/cron.h"
#include "script/text/hours.h"
#include <stdio.h>
#include <string.h>

/* --- objects -------------------------------------------------------------- */

struct calendar { /* a BusinessHours */
    struct zone_ref zone;
    struct hours hours;
};
struct line { /* a Cron */
    struct zone_ref zone;
    struct cron cron;
};

static void set_meta(lua_State *L, const struct api_module *m)
{
    api_meta(L, m);
    lua_setmetatable(L, -2);
}

static void *object(lua_State *L, const struct api_module *m, const char *what)
{
    void *p = lua_touserdata(L, 1);
    bool is = false;
    if (p && lua_getmetatable(L, 1)) {
        api_meta(L, m);
        is = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    if (!is)
        bind_raise(L, "call it with a colon: %s", what);
    return p;
}

/* --- hours: reading the table --------------------------------------------- */

_Noreturn static void refuse(lua_State *L, const char *why)
{
    bind_raise(L, "business_hours: %s", why);
}

/* The hours in the text on top of the stack. */
static struct open_day day_on_top(lua_State *L)
{
    struct err e = {0};
    struct open_day d;
    if (lua_type(L, -1) != LUA_TSTRING)
        refuse(L, "hours are a text such as \"9:00-18:00\"");
    if (hours_read_day(bind_slice(L, -1), &d, &e) < 0)
        refuse(L, e.text);
    return d;
}

static void set_dates(lua_State *L, struct hours *h, struct slice dates,
                      const struct open_day *hours)
{
    struct err e = {0};
    int64_t first, last;
    if (hours_read_dates(dates, &first, &last, &e) < 0)
        refuse(L, e.text);
    for (; first <= last; first++)
        if (hours_set_day(h, first, hours) < 0)
            bind_raise(L,
                       "business_hours: at most %d days that are not like "
                       "their weekday",
                       HOURS_DAYS);
}

/* A list of dates, or a map from dates to hours; the table is on top of the
 * stack. usual: the hours of a date alone. */
static void read_dates(lua_State *L, struct hours *h,
                       const struct open_day *usual)
{
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        bool listed = lua_type(L, -2) == LUA_TNUMBER;
        if (lua_type(L, listed ? -1 : -2) != LUA_TSTRING)
            refuse(L, "holidays and workdays are lists of dates");
        if (listed || (lua_isboolean(L, -1) && lua_toboolean(L, -1))) {
            set_dates(L, h, bind_slice(L, listed ? -1 : -2), usual);
        } else {
            struct open_day d = day_on_top(L);
            set_dates(L, h, bind_slice(L, -2), &d);
        }
    }
}

static void check_name(lua_State *L, struct slice name)
{
    static const char *const known[] = {"zone", "holidays", "workdays",
                                        "every_day", "weekdays"};
    if (hours_weekday(name) >= 0)
        return;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (slice_is(name, known[i]))
            return;
    bind_raise(L,
               "business_hours: unknown field '%s' (known are mon tue wed thu "
               "fri sat sun, weekdays, every_day, zone, holidays, workdays)",
               name.at);
}

static void read_week(lua_State *L, struct hours *h)
{
    static const char *const names[] = {"sun", "mon", "tue", "wed",
                                        "thu", "fri", "sat"};
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            refuse(L, "named fields only");
        check_name(L, bind_slice(L, -2));
    }
    for (int day = 0; day < 7; day++) {
        bool work = day >= 1 && day <= 5;
        const char *const in[] = {names[day], work ? "weekdays" : "every_day",
                                  "every_day"};
        for (int i = 0; i < 3; i++) {
            lua_getfield(L, 1, in[i]);
            bool found = !lua_isnil(L, -1);
            if (found)
                h->week[day] = day_on_top(L);
            lua_pop(L, 1);
            if (found)
                break;
        }
    }
}

static void read_special(lua_State *L, struct hours *h, const char *name,
                         const struct open_day *usual)
{
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1)) {
        if (!lua_istable(L, -1))
            refuse(L, "holidays and workdays are lists of dates");
        read_dates(L, h, usual);
    }
    lua_pop(L, 1);
}

int time_business_hours(lua_State *L)
{
    static const struct open_day closed;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct calendar *c = lua_newuserdata(L, sizeof *c);
    memset(c, 0, sizeof *c);
    lua_getfield(L, 1, "zone");
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
        refuse(L, "zone must be a text");
    c->zone = bind_zone(L, 3);
    lua_pop(L, 1);
    read_week(L, &c->hours);
    /* A day made up is worked like a Monday; workdays win over holidays. */
    read_special(L, &c->hours, "holidays", &closed);
    read_special(L, &c->hours, "workdays", &c->hours.week[1]);
    set_meta(L, &business_hours_module);
    return 1;
}

/* --- hours: asking -------------------------------------------------------- */

static struct calendar *calendar(lua_State *L)
{
    return object(L, &business_hours_module, "hours:is_open()");
}

/* hours:is_open(at) */
static int hours_open(lua_State *L)
{
    const struct calendar *c = calendar(L);
    int64_t at = bind_moment(L, 2) / 1000;
    lua_pushboolean(L, hours_is_open(&c->hours, c->zone, at));
    return 1;
}

static int push_next(lua_State *L, bool open)
{
    const struct calendar *c = calendar(L);
    int64_t at = bind_moment(L, 2), s = at / 1000;
    int64_t next = hours_next(&c->hours, c->zone, s, open);
    if (!next)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (lua_Number)(next == s ? at : next * 1000));
    return 1;
}

static int hours_next_open(lua_State *L)
{
    return push_next(L, true);
}

static int hours_next_close(lua_State *L)
{
    return push_next(L, false);
}

static void push_duration(lua_State *L, int64_t ms)
{
    if (ms % 1000)
        lua_pushfstring(L, "%dms", (int)ms);
    else
        lua_pushfstring(L, "%ds", (int)(ms / 1000));
}

/* hours:wait(at): how long until it is open, as a duration */
static int hours_wait(lua_State *L)
{
    const struct calendar *c = calendar(L);
    int64_t s = bind_moment(L, 2) / 1000;
    int64_t next = hours_next(&c->hours, c->zone, s, true);
    if (next)
        push_duration(L, (next - s) * 1000);
    else
        lua_pushnil(L);
    return 1;
}

/* --- cron ----------------------------------------------------------------- */

int time_cron(lua_State *L)
{
    struct err e = {0};
    struct slice text = bind_slice(L, 1);
    lua_settop(L, 2);
    struct line *c = lua_newuserdata(L, sizeof *c);
    memset(c, 0, sizeof *c);
    if (cron_read(text, &c->cron, &e) < 0)
        bind_raise(L, "%s", e.text);
    c->zone = bind_zone(L, 2);
    set_meta(L, &cron_module);
    return 1;
}

/* cron:next(after) */
static int cron_next_of(lua_State *L)
{
    const struct line *c = object(L, &cron_module, "cron:next()");
    int64_t next = cron_next(&c->cron, c->zone, bind_moment(L, 2));
    if (next)
        lua_pushnumber(L, (lua_Number)next);
    else
        lua_pushnil(L);
    return 1;
}

/* --- texts ---------------------------------------------------------------- */

int bind_push_iso(lua_State *L, int64_t at_ms, int32_t offset)
{
    char text[64];
    int year, month, day;
    int64_t local = at_ms + (int64_t)offset * 1000;
    int64_t s = local / 1000 % 86400;
    day_date(local / 86400000, &year, &month, &day);
    int n = snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", year,
                     month, day, (int)(s / 3600), (int)(s / 60 % 60),
                     (int)(s % 60));
    if (at_ms % 1000)
        n += snprintf(text + n, sizeof text - (size_t)n, ".%03d",
                      (int)(at_ms % 1000));
    int32_t east = offset < 0 ? -offset : offset;
    if (offset)
        n += snprintf(text + n, sizeof text - (size_t)n, "%c%02d:%02d",
                      offset < 0 ? '-' : '+', east / 3600, east / 60 % 60);
    else
        text[n++] = 'Z';
    lua_pushlstring(L, text, (size_t)n);
    return 1;
}

/* Exactly n digits at *s, which moves on; -1 = they are not there. */
static int digits(struct slice *s, size_t n)
{
    int value = 0;
    if (s->len < n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (s->at[i] < '0' || s->at[i] > '9')
            return -1;
        value = value * 10 + (s->at[i] - '0');
    }
    *s = (struct slice){s->at + n, s->len - n};
    return value;
}

static bool skip(struct slice *s, const char *any)
{
    if (!s->len || !strchr(any, s->at[0]))
        return false;
    *s = (struct slice){s->at + 1, s->len - 1};
    return true;
}

/* "09:30", "09:30:15", "09:30:15.123" -> ms of the day */
static bool read_clock(struct slice *s, int64_t *ms)
{
    int h = digits(s, 2), sec = 0, scale = 100, part = 0;
    if (h < 0 || h > 24 || !skip(s, ":"))
        return false;
    int m = digits(s, 2);
    if (m < 0 || m > 59)
        return false;
    if (skip(s, ":") && ((sec = digits(s, 2)) < 0 || sec > 59))
        return false;
    if (skip(s, ".,")) {
        if (!s->len || s->at[0] < '0' || s->at[0] > '9')
            return false;
        for (; s->len && s->at[0] >= '0' && s->at[0] <= '9'; scale /= 10)
            part += digits(s, 1) * scale;
    }
    *ms = ((int64_t)h * 3600 + m * 60 + sec) * 1000 + part;
    return *ms <= 86400000;
}

/* True with an offset, or with rest "" and *offset INT32_MAX. */
static bool read_offset(struct slice s, int32_t *offset)
{
    *offset = INT32_MAX;
    return !s.len || zone_fixed(s, offset);
}

static bool read_iso(struct slice s, int64_t *local_ms, int32_t *offset)
{
    int year = digits(&s, 4), month, day, y, m, d;
    int64_t clock = 0;
    if (year < 0 || !skip(&s, "-") || (month = digits(&s, 2)) < 1 ||
        month > 12 || !skip(&s, "-") || (day = digits(&s, 2)) < 1 || day > 31)
        return false;
    int64_t number = day_of(year, month, day);
    day_date(number, &y, &m, &d); /* no February 30th */
    if (m != month || d != day)
        return false;
    *offset = INT32_MAX;
    if (s.len && (!skip(&s, "Tt ") || !read_clock(&s, &clock) ||
                  !read_offset(s, offset)))
        return false;
    *local_ms = number * 86400000 + clock;
    return true;
}

/* time.parse(text, zone) */
int time_parse(lua_State *L)
{
    int64_t local;
    int32_t offset;
    struct slice text = bind_slice(L, 1);
    if (!read_iso(slice_trim(text), &local, &offset) || local < 86400000)
        return bind_trouble(L, "bad_request",
                            "this is no time such as 2026-11-21T09:30:00Z");
    int64_t at = local - (int64_t)offset * 1000;
    if (offset == INT32_MAX) {
        int64_t s = local / 1000;
        at = zone_moment(bind_zone(L, 2), s, INT64_MIN, false) * 1000 +
             local % 1000;
    }
    lua_pushnumber(L, (lua_Number)at);
    return 1;
}

/* time.ms "2h" */
int time_ms(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)bind_duration(L, 1, "time.ms: it"));
    return 1;
}

/* time.duration(7200000) */
int time_duration(lua_State *L)
{
    lua_Number n = luaL_checknumber(L, 1);
    if (!(n >= 0 && n < 4e10))
        bind_raise(L, "time.duration: a number of ms from 0 to a year");
    int64_t ms = (int64_t)(n + 0.5);
    if (ms > 999999999) /* what a duration has room for */
        ms -= ms % 1000;
    push_duration(L, ms);
    return 1;
}

/* --- the reference -------------------------------------------------------- */

static const struct api_call hours_calls[] = {
    {"is_open", hours_open, API_ANYWHERE, API_METHOD, "(at?: integer): boolean",
     "Is it open, now or at that moment?", "1"},
    {"next_open", hours_next_open, API_ANYWHERE, API_METHOD,
     "(at?: integer): integer|nil",
     "The first moment from then on at which it is open: then itself if it is; "
     "nil if never.",
     "1"},
    {"next_close", hours_next_close, API_ANYWHERE, API_METHOD,
     "(at?: integer): integer|nil",
     "The first moment from then on at which it is closed; nil if never.", "1"},
    {"wait", hours_wait, API_ANYWHERE, API_METHOD,
     "(at?: integer): Duration|nil",
     "How long until it is open, as a duration: \"0s\" if it is, nil if never."
     "\n\nconv:snooze(hours:wait())",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module business_hours_module = {
    .name = "BusinessHours",
    .doc = "Opening hours; made by time.business_hours.",
    .calls = hours_calls,
    .is_object = true};

static const struct api_call cron_calls[] = {
    {"next", cron_next_of, API_ANYWHERE, API_METHOD,
     "(after?: integer): integer|nil",
     "The first fitting minute after now, or after that moment; nil if there "
     "is "
     "none within ten years.",
     "1"},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};
const struct api_module cron_module = {.name = "Cron",
                                       .doc = "A cron line; made by time.cron.",
                                       .calls = cron_calls,
                                       .is_object = true};
