/* SPDX-License-Identifier: Apache-2.0 */
/* bind_time.h - moments and zones, between the clock and the calendar. */
#pragma once
#include "script/api/bind.h"
#include "script/text/zone.h"

/* The zone at arg (a text or nothing: the machine's); raises if there is none.
 * It lives as long as the state. */
struct zone_ref bind_zone(lua_State *L, int arg);
/* The moment at arg (ms, default now); raises if calendars cannot show it. */
int64_t bind_moment(lua_State *L, int arg);
/* "2026-11-21T09:30:00+08:00" */
int bind_push_iso(lua_State *L, int64_t at_ms, int32_t offset);

/* bind_calendar.c */
int time_parse(lua_State *L);
int time_ms(lua_State *L);
int time_duration(lua_State *L);
int time_business_hours(lua_State *L);
int time_cron(lua_State *L);
